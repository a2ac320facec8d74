"""Compacting: one commit of the same content, and every clone finds its way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.store import lineage
from gitbench.store.notes import Notes, tracking_ref
from gitbench.store.repository import Repository
from tests.project import Project

REF = "refs/notes/gitbench"
TRAILER = "Gitbench-Compacts: "


def clone(origin: Path, path: Path) -> Project:
    made = Project.clone(origin, path)
    made.gitbench("init", "--git-only")
    return made


@pytest.fixture
def clones(origin: Path, tmp_path: Path) -> tuple[Project, Project]:
    return clone(origin, tmp_path / "one"), clone(origin, tmp_path / "two")


def record(project: Project, *values: float) -> None:
    """One run a value, each in a notes commit of its own."""
    for value in values:
        started = f"2026-02-01T00:00:00.{round(value * 1000):03}Z"
        project.record({"sort": value}, started_at=started)


def values(project: Project, ref: str = REF) -> set[float]:
    """The values on HEAD in the notes of a ref, as they stand in it."""
    repository = Repository.open(project.path, os.environ)
    notes = Notes(repository, ref.removeprefix("refs/notes/"))
    return {
        value
        for one in notes.records(project.head()).runs
        for measurement in one.run.measurements
        for process in measurement.processes
        for value in process
    }


def history(project: Project, ref: str = REF) -> list[str]:
    return project.git("rev-list", ref).split()


def sound(*projects: Project) -> None:
    for project in projects:
        assert "" == project.git("fsck", "--strict", "--no-dangling")


def test_one_commit_of_the_same_content(
    clones: tuple[Project, Project], origin: Path
) -> None:
    """The tree stays byte for byte, the history is one commit that names the old
    tip, and a fresh clone reads it."""
    one, _ = clones
    record(one, 0.1, 0.2, 0.3)
    one.gitbench("push")
    tip, tree = one.head(REF), one.head(f"{REF}^{{tree}}")

    result = one.gitbench("compact", "--yes")

    assert "origin: replaced" in result.out
    assert [one.head(REF)] == history(one) == history(Project(origin))
    assert tree == one.head(f"{REF}^{{tree}}")
    assert f"{TRAILER}{tip}" in one.git("log", "-1", "--format=%B", REF).splitlines()
    assert one.head(REF) == one.head("refs/gitbench/written/gitbench")
    sound(one, Project(origin))


def test_an_old_clone_goes_over_and_keeps_what_it_has(
    clones: tuple[Project, Project], origin: Path
) -> None:
    """A clone with unpushed runs of the old history pushes them on top of the new
    one; nobody's history holds an old commit, and nothing is lost."""
    one, two = clones
    record(one, 0.1, 0.2)
    one.gitbench("push")
    two.gitbench("fetch")
    old = set(history(two))
    record(two, 0.3)
    one.gitbench("compact", "--yes")
    record(one, 0.4)
    one.gitbench("push")

    two.gitbench("push")
    one.gitbench("fetch")

    for project in (one, two):
        assert {0.1, 0.2, 0.3, 0.4} == values(project)
        assert not old & set(history(project))
    assert not old & set(history(Project(origin)))
    assert one.head(REF) == two.head(REF) == Project(origin).head(REF)
    sound(one, two, Project(origin))


def test_a_clone_without_runs_of_its_own_just_follows(
    clones: tuple[Project, Project],
) -> None:
    """Who has nothing new takes the new commit as it is."""
    one, two = clones
    record(one, 0.1, 0.2)
    one.gitbench("push")
    two.gitbench("fetch")
    one.gitbench("compact", "--yes")
    two.gitbench("fetch")

    assert one.head(REF) == two.head(REF)
    assert "all results already" in two.gitbench("push").out


def test_a_plain_git_pull_goes_over_as_well(clones: tuple[Project, Project]) -> None:
    """After git pull alone the next command follows the compacted history."""
    one, two = clones
    record(one, 0.1)
    one.gitbench("push")
    two.gitbench("fetch")
    record(two, 0.2)
    old = set(history(two))
    one.gitbench("compact", "--yes")
    two.git("pull", "--quiet")
    two.gitbench("show")

    assert {0.1, 0.2} == values(two)
    assert not old & set(history(two))


def test_two_compactions_that_a_clone_slept_through(
    clones: tuple[Project, Project], origin: Path
) -> None:
    """A clone on the first compacted history, with runs of its own, meets the
    second one, whose predecessor it never saw."""
    one, two = clones
    record(one, 0.1)
    one.gitbench("push")
    one.gitbench("compact", "--yes")
    two.gitbench("fetch")
    record(two, 0.2)
    old = set(history(two))
    record(one, 0.3)
    one.gitbench("push")
    one.gitbench("compact", "--yes")
    record(one, 0.4)
    one.gitbench("push")

    two.gitbench("push")
    one.gitbench("fetch")

    assert {0.1, 0.2, 0.3, 0.4} == values(one) == values(two)
    assert not old & set(history(Project(origin)))
    assert one.head(REF) == two.head(REF)


def test_old_clones_of_both_histories_meet(
    clones: tuple[Project, Project], origin: Path, tmp_path: Path
) -> None:
    """Three clones, of the original, the first and the second history, all with
    unpushed runs, push in any order: all runs, and only the newest history."""
    one, two = clones
    three = clone(origin, tmp_path / "three")
    record(one, 0.1)
    one.gitbench("push")
    two.gitbench("fetch")
    one.gitbench("compact", "--yes")
    three.gitbench("fetch")
    record(two, 0.2)
    record(three, 0.3)
    old = set(history(two)) | set(history(three))
    record(one, 0.4)
    one.gitbench("push")
    one.gitbench("compact", "--yes")
    for project in (three, two, one):
        project.gitbench("push")
    for project in (three, two, one):
        project.gitbench("fetch")
        assert {0.1, 0.2, 0.3, 0.4} == values(project)
        assert not old & set(history(project))
    assert 1 == len({project.head(REF) for project in (one, two, three)})


@pytest.mark.parametrize("moment", ["before", "within"])
def test_a_push_between_fetch_and_replacement_is_not_lost(
    clones: tuple[Project, Project], origin: Path, tmp_path: Path, moment: str
) -> None:
    """Somebody pushes right before or within the replacement: the lease holds, and
    the second try has theirs."""
    one, two = clones
    record(one, 0.1)
    one.gitbench("push")
    two.gitbench("fetch")
    record(two, 0.2)
    script = tmp_path / "first-the-other"
    script.write_text(
        "#!/bin/sh\n"
        f"if mkdir '{tmp_path}/once' 2>/dev/null; then (\n"
        "  unset GIT_QUARANTINE_PATH $(git rev-parse --local-env-vars)\n"
        f"  git -C '{two.path}' push --quiet '{origin}' {REF}\n"
        ") </dev/null >&2; fi\n"
        '[ $# -eq 0 ] || exec git-receive-pack "$@"\n'
    )
    script.chmod(0o755)
    if moment == "before":
        one.git("config", "remote.origin.receivepack", str(script))
    else:
        script.rename(origin / "hooks/pre-receive")

    result = one.gitbench("compact", "--yes")

    assert "origin: replaced" in result.out
    assert (tmp_path / "once").exists()
    assert {0.1, 0.2} == values(one) == values(Project(origin))
    assert 1 == len(history(Project(origin)))


PUSHER = """
import os, sys
from pathlib import Path
from gitbench.store import sync
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository
from tests.factories import make_run
path, commit, tree, number = sys.argv[1:]
repository = Repository.open(Path(path), os.environ)
notes = Notes(repository)
for place in range(4):
    key = int(number) * 100 + place
    run = make_run(commit=commit, tree=tree, started_at=key, origin=f"{key:064x}")
    assert notes.record({commit: [run]}).added
    sync.push(notes, sync.Git(repository.git_dir, os.environ), "origin", 120)
"""


def test_compacting_while_others_push(
    clones: tuple[Project, Project], origin: Path, tmp_path: Path
) -> None:
    """Three clones record and push four runs each while another compacts again and
    again: every run is there."""
    one, _ = clones
    record(one, 0.1)
    one.gitbench("push")
    commit, tree = one.head(), one.head("HEAD^{tree}")
    root = str(Path(__file__).parents[2])
    pushers = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                PUSHER,
                str(clone(origin, tmp_path / f"clone-{number}").path),
                commit,
                tree,
                str(number),
            ],
            env={**os.environ, "PYTHONPATH": root},
        )
        for number in range(1, 4)
    ]
    for _ in range(3):
        one.gitbench("compact", "--yes")

    assert [0, 0, 0] == [pusher.wait(180) for pusher in pushers]
    one.gitbench("fetch")
    notes = Notes(Repository.open(one.path, os.environ))
    assert 13 == len(notes.records(commit).runs)
    assert commit in one.git("notes", "--ref=gitbench", "list")
    sound(one, Project(origin))


def test_a_clone_that_compacted_alone_neither_forces_nor_undoes(
    clones: tuple[Project, Project], origin: Path
) -> None:
    """After `compact --local` the remote keeps its history and still gets every new
    run, unforced; this clone keeps its own compact history."""
    one, two = clones
    record(one, 0.1, 0.2)
    one.gitbench("push")
    theirs = history(Project(origin))
    one.gitbench("compact", "--local", "--yes")
    assert 1 == len(history(one))
    record(one, 0.3)
    two.gitbench("fetch")
    record(two, 0.4)
    two.gitbench("push")

    one.gitbench("push")

    assert {0.1, 0.2, 0.3, 0.4} == values(one) == values(Project(origin))
    assert set(theirs) < set(history(Project(origin)))
    assert not set(theirs) & set(history(one))
    length = len(history(Project(origin)))
    assert "all results already" in one.gitbench("push").out
    one.gitbench("fetch")
    assert length == len(history(Project(origin)))
    two.gitbench("fetch")
    assert {0.1, 0.2, 0.3, 0.4} == values(two)


def test_a_later_compaction_of_ours_outlives_an_earlier_one(
    clones: tuple[Project, Project], origin: Path
) -> None:
    """A clone that compacted the compacted history once more, alone, keeps its own,
    which names the remote's; both go on to share all runs."""
    one, two = clones
    record(one, 0.1)
    one.gitbench("push")
    one.gitbench("compact", "--yes")
    two.gitbench("fetch")
    record(two, 0.2)
    earlier = one.head(REF)
    two.gitbench("compact", "--local", "--yes")
    record(one, 0.3)
    one.gitbench("push")
    two.gitbench("fetch")

    assert earlier not in history(two)
    assert {0.1, 0.2, 0.3} == values(two)
    two.gitbench("push")
    one.gitbench("fetch")
    assert {0.1, 0.2, 0.3} == values(one)
    assert earlier in history(one)
    two.gitbench("compact", "--yes")
    one.gitbench("fetch")
    assert earlier not in history(one)
    assert one.head(REF) == two.head(REF) == Project(origin).head(REF)


def test_a_remote_follows_a_clone_that_was_compacted_before(
    clones: tuple[Project, Project], origin: Path, tmp_path: Path
) -> None:
    """Of two remotes one is compacted now and one later; in between both get all
    results, and in the end both have the short history."""
    one, two = clones
    backup = tmp_path / "backup.git"
    Project.init(backup, "--bare")
    one.git("remote", "add", "backup", str(backup))
    record(one, 0.1, 0.2)
    one.gitbench("push", "--all")
    old = set(history(one))
    one.gitbench("compact", "--yes")
    record(one, 0.3)
    one.gitbench("push", "--all")
    two.gitbench("fetch")
    for place in (Project(origin), Project(backup)):
        assert 3 == len(runs_in(place, one.head()))
    assert not old & set(history(one))

    result = one.gitbench("compact", "--remote", "backup", "--yes")

    assert "backup: replaced" in result.out
    assert not old & set(history(Project(backup)))
    assert one.head(REF) == Project(backup).head(REF)
    record(two, 0.4)
    two.gitbench("push")
    one.gitbench("push", "--all")
    assert 4 == len(runs_in(Project(backup), one.head()))


def runs_in(bare: Project, commit: str) -> list[str]:
    shown = bare.git("notes", "--ref=gitbench", "show", commit)
    return [line for line in shown.splitlines() if " run " in line]


def test_two_histories_that_do_not_know_of_each_other(
    clones: tuple[Project, Project], origin: Path, tmp_path: Path
) -> None:
    """Two remotes were compacted apart; a clone of both shares all with both, and
    its history does not grow while nothing is new."""
    one, two = clones
    backup = tmp_path / "backup.git"
    Project.init(backup, "--bare")
    record(one, 0.1)
    one.gitbench("push")
    one.git("push", "--quiet", str(backup), REF)
    one.gitbench("compact", "--yes")
    two.git("remote", "add", "backup", str(backup))
    two.gitbench("fetch", "--remote", "backup")
    record(two, 0.2)
    two.gitbench("compact", "--remote", "backup", "--yes")

    for _ in range(3):
        two.gitbench("push", "--all")
    lengths = [len(history(Project(place))) for place in (origin, backup)]
    two.gitbench("push", "--all")

    assert {0.1, 0.2} == values(two)
    assert [2, 2] == [len(runs_in(Project(p), two.head())) for p in (origin, backup)]
    assert lengths == [len(history(Project(place))) for place in (origin, backup)]


def test_the_written_ref_does_not_bring_the_old_history_back(
    clones: tuple[Project, Project],
) -> None:
    """A forced fetch of the compacted history over unpushed runs: they come back,
    the old history does not."""
    one, two = clones
    record(one, 0.1)
    one.gitbench("push")
    two.gitbench("fetch")
    record(two, 0.2)
    old = set(history(two))
    one.gitbench("compact", "--yes")
    two.git("fetch", "--quiet", "origin", "+refs/notes/*:refs/notes/*")
    assert {0.1} == values(two)

    result = two.gitbench("show")

    assert "brought back" in result.err
    assert {0.1, 0.2} == values(two)
    assert not old & set(history(two))
    assert not old & set(history(two, "refs/gitbench/written/gitbench"))
    assert "" == two.gitbench("show").err


def test_compacting_twice_changes_nothing(clones: tuple[Project, Project]) -> None:
    """A compact history stays as it is."""
    one, _ = clones
    record(one, 0.1, 0.2)
    one.gitbench("push")
    one.gitbench("compact", "--yes")
    tip = one.head(REF)
    result = one.gitbench("compact", "--yes")

    assert "compact already" in result.out
    assert tip == one.head(REF)


def test_dry_run_and_a_missing_yes_change_nothing(
    clones: tuple[Project, Project], origin: Path
) -> None:
    """Without a terminal it needs --yes; --dry-run says what would be saved."""
    one, _ = clones
    record(one, 0.1, 0.2)
    one.gitbench("push")
    tip = one.head(REF)
    assert "--yes" in one.gitbench("compact", code=2).err
    result = one.gitbench("compact", "--dry-run")

    assert "compacting saves about" in result.out
    assert "nothing was changed" in result.out
    assert tip == one.head(REF) == Project(origin).head(REF)
    assert not one.gitbench("compact", "--dry-run", "--json").json["done"]


def test_a_remote_that_refuses_leaves_everything_as_it_was(
    clones: tuple[Project, Project], origin: Path
) -> None:
    """A declined replacement is one sentence, exit code 4, and no change here."""
    one, _ = clones
    record(one, 0.1, 0.2)
    one.gitbench("push")
    tip = one.head(REF)
    hook = origin / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho notes are append-only >&2\nexit 1\n")
    hook.chmod(0o755)

    result = one.gitbench("compact", "--yes", code=4)

    assert 1 == len(result.err.splitlines())
    assert tip == one.head(REF) == Project(origin).head(REF)


def test_of_two_remotes_one_refuses(
    clones: tuple[Project, Project], origin: Path, tmp_path: Path
) -> None:
    """The first is compacted, the second keeps its history and is named."""
    one, _ = clones
    backup = tmp_path / "backup.git"
    Project.init(backup, "--bare")
    one.git("remote", "add", "backup", str(backup))
    record(one, 0.1, 0.2)
    one.gitbench("push", "--all")
    (backup / "hooks/pre-receive").write_text("#!/bin/sh\nexit 1\n")
    (backup / "hooks/pre-receive").chmod(0o755)

    result = one.gitbench(
        "compact", "--remote", "origin", "--remote", "backup", "--yes", code=4
    )

    assert "backup kept its history" in result.err
    assert [1, 2] == [len(history(Project(place))) for place in (origin, backup)]


def test_two_fan_outs_and_foreign_files_are_put_in_order(
    clones: tuple[Project, Project],
) -> None:
    """The compact tree has every note at its one place, and keeps foreign files."""
    one, _ = clones
    record(one, 0.1)
    blob = one.git("rev-parse", f"{REF}:{one.head()[:2]}/{one.head()[2:]}")
    index = {"GIT_INDEX_FILE": str(one.path / "notes-index")}
    for path in (one.head(), "README"):
        entry = f"100644,{blob},{path}"
        one.git("update-index", "--add", "--cacheinfo", entry, **index)
    tree = one.git("write-tree", **index)
    one.git("update-ref", REF, one.git("commit-tree", "-m", "flat", tree))
    one.gitbench("compact", "--local", "--yes")

    paths = one.git("ls-tree", "-r", "--name-only", REF).splitlines()
    assert ["README", f"{one.head()[:2]}/{one.head()[2:]}"] == sorted(paths)
    assert {0.1} == values(one)


def test_erased_content_is_gone_after_compacting(
    clones: tuple[Project, Project], origin: Path
) -> None:
    """Erase, compact, gc: the bytes are in no object of the remote, and an old clone
    that pushes later does not bring them back."""
    one, two = clones
    one.record({"sort": 1}, "--tag", "token=hunter2-is-secret")
    one.gitbench("push")
    two.gitbench("fetch")
    record(two, 0.2)
    old = set(history(two))
    run = one.gitbench("rm", "--commit", "HEAD", "--dry-run", "--json").json["runs"][0]
    one.gitbench("rm", "--erase", run, "--yes")
    one.gitbench("compact", "--yes")
    two.gitbench("push")

    bare = Project(origin)
    bare.git("reflog", "expire", "--expire=now", "--all")
    bare.git("gc", "--quiet", "--prune=now")
    for project in (bare, two):
        shown = project.git("notes", "--ref=gitbench", "show", one.head())
        assert not any(f" {run} run " in line for line in shown.splitlines())
    present = bare.git("cat-file", "--batch-all-objects", "--batch-check").splitlines()
    assert not old & {line.split()[0] for line in present}
    assert {0.2} == values(bare)


def open_notes(project: Project) -> Notes:
    return Notes(Repository.open(project.path, os.environ))


@settings(derandomize=True, max_examples=8, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sampled_from(["record", "push", "fetch", "compact", "local", "pull"]),
        ),
        max_size=14,
    )
)
def test_any_order_of_events_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[int, str]]
) -> None:
    """Three clones record, push, fetch, pull and compact in any order: in the end
    each holds every run, and no push was ever refused for good."""
    folder = tmp_path_factory.mktemp("law")
    bare = folder / "origin.git"
    Project.init(bare, "--bare")
    seed = Project.init(folder / "seed")
    seed.commit("first")
    seed.git("push", "--quiet", str(bare), "main")
    everyone = [clone(bare, folder / f"clone-{n}") for n in range(3)]
    expected = set()
    for number, (who, what) in enumerate(events, 1):
        project = everyone[who]
        if what == "record":
            record(project, number / 100)
            expected.add(number / 100)
        elif what == "pull":
            project.git("pull", "--quiet")
            project.gitbench("log", code=None)
        elif what in ("compact", "local"):
            if open_notes(project).exists():
                options = ["--local"] if what == "local" else []
                project.gitbench("compact", "--yes", *options)
        else:
            project.gitbench(what)
    for project in [*everyone, *everyone]:
        project.gitbench("push")
    for project in everyone:
        assert expected == (values(project) if open_notes(project).exists() else set())


@pytest.mark.parametrize("lines", ["", "not an id", "0" * 39, "g" * 40])
def test_a_trailer_that_names_nothing_is_no_compaction(
    project: Project, lines: str
) -> None:
    """A root commit whose trailer is damaged is an ordinary unrelated history."""
    record(project, 0.1)
    tree = project.head(f"{REF}^{{tree}}")
    strange = project.git("commit-tree", "-m", f"x\n\n{TRAILER}{lines}", tree)
    repository = Repository.open(project.path, os.environ)

    assert {} == lineage.compactions(repository, strange)
    assert lineage.successor(repository, project.head(REF), strange) is None


def test_a_fetched_history_without_runs_of_ours_is_taken(
    clones: tuple[Project, Project],
) -> None:
    """A clone that never had notes starts with the compacted history."""
    one, two = clones
    record(one, 0.1)
    one.gitbench("push")
    one.gitbench("compact", "--yes")
    two.gitbench("fetch")

    assert (
        one.head(REF) == two.head(REF) == two.head(tracking_ref("origin", "gitbench"))
    )

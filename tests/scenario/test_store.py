"""The notes ref on real repositories, with stock git as the judge."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.model import Run
from gitbench.store import codec
from gitbench.store.codec import Note
from gitbench.store.notes import Notes, NotesError, RetractedError, write_notes
from gitbench.store.repository import Repository, RepositoryError
from tests.factories import make_measurement, make_run
from tests.project import Project

REF = "refs/notes/gitbench"


def open_notes(project: Project, environ: dict[str, str] | None = None) -> Notes:
    return Notes(
        Repository.open(project.path, os.environ if environ is None else environ)
    )


def run_on(project: Project, number: int = 0, **fields: object) -> Run:
    return make_run(
        commit=project.head(),
        tree=project.head("HEAD^{tree}"),
        started_at=10**12 + number,
        origin=f"{number:064x}",
        **fields,
    )


def put(project: Project, note: Note, *paths: str) -> None:
    """Write a notes commit that holds `note` at `paths`, by stock git alone."""
    blob = (
        subprocess.run(
            ["git", "hash-object", "-w", "--stdin"],
            cwd=project.path,
            input=codec.format_note(note),
            capture_output=True,
            check=True,
        )
        .stdout.decode()
        .strip()
    )
    index = project.path / "notes-index"
    index.unlink(missing_ok=True)
    env = {"GIT_INDEX_FILE": str(index)}
    for path in paths:
        project.git(
            "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", **env
        )
    tree = project.git("write-tree", **env)
    commit = project.git("commit-tree", "-m", "notes", tree)
    project.git("update-ref", REF, commit)


def test_stock_git_reads_what_is_recorded(project: Project) -> None:
    """`git notes show`, `git log --notes` and `git fsck` are content with the ref."""
    run = run_on(project)
    open_notes(project).record({run.commit: [run]})

    shown = project.git("notes", "--ref=gitbench", "show", "HEAD")
    assert [run] == [
        codec.decode(x) for x in codec.parse_note(shown.encode()).lines.values()
    ]
    assert "gb1" in project.git("log", "-1", "--notes=gitbench")
    assert project.git("fsck", "--strict", "--no-dangling") == ""
    assert project.head() in project.git("notes", "--ref=gitbench", "list")


def test_one_record_of_many_results_is_one_commit(project: Project) -> None:
    """Runs of several commits go into one notes commit."""
    first = run_on(project)
    project.commit("second")
    second = run_on(project, 1)
    open_notes(project).record({first.commit: [first], second.commit: [second]})

    assert project.git("rev-list", "--count", REF) == "1"
    notes = open_notes(project)
    assert [first] == [one.run for one in notes.records(first.commit).runs]
    assert [second] == [one.run for one in notes.records(second.commit).runs]


def test_the_tree_has_one_level_of_fan_out(project: Project) -> None:
    """A note stands at ab/cdef..., whatever the number of notes."""
    run = run_on(project)
    open_notes(project).record({run.commit: [run]})

    paths = project.git("ls-tree", "-r", "--name-only", REF).splitlines()
    assert [f"{run.commit[:2]}/{run.commit[2:]}"] == paths


@pytest.mark.parametrize("depth", [0, 2, 3])
def test_any_fan_out_is_read_and_replaced(project: Project, depth: int) -> None:
    """A note is found in any fan-out, and a write leaves it at one path only."""
    first, second = run_on(project), run_on(project, 1)
    id_ = first.commit
    parts = [id_[2 * i : 2 * i + 2] for i in range(depth)] + [id_[2 * depth :]]
    line = codec.encode(first)
    put(project, Note({line.id: line}), "/".join(parts), "README")

    notes = open_notes(project)
    assert [first] == [one.run for one in notes.records(id_).runs]
    notes.record({id_: [second]})

    paths = project.git("ls-tree", "-r", "--name-only", REF).splitlines()
    assert ["README", f"{id_[:2]}/{id_[2:]}"] == sorted(paths)
    assert 2 == len(open_notes(project).records(id_).runs)
    assert project.git("fsck", "--strict", "--no-dangling") == ""


def test_two_fan_outs_of_one_commit_are_united(project: Project) -> None:
    """Half of a note at each of two paths reads as the whole."""
    runs = [run_on(project, number) for number in range(2)]
    id_ = runs[0].commit
    lines = [codec.encode(run) for run in runs]
    put(project, Note({lines[0].id: lines[0]}), id_)
    tip = project.head(REF)
    put(project, Note({lines[1].id: lines[1]}), f"{id_[:2]}/{id_[2:4]}/{id_[4:]}")
    notes = open_notes(project)
    assert 1 == len(notes.records(id_).runs)

    changed, _ = notes.unite(tip, "unite")

    assert 1 == changed
    assert set(runs) == {one.run for one in open_notes(project).records(id_).runs}


@settings(derandomize=True, max_examples=8, deadline=None)
@given(st.sets(st.integers(0, 5)), st.sets(st.integers(0, 5)))
def test_union_is_what_git_makes_of_two_notes(
    tmp_path_factory: pytest.TempPathFactory, ours: set[int], theirs: set[int]
) -> None:
    """`git notes merge -s cat_sort_uniq` of two refs reads equal to our union."""
    project = Project.init(tmp_path_factory.mktemp("law") / "project")
    project.commit("first")
    id_ = project.head()
    repository = Repository.open(project.path, os.environ)
    base = codec.encode(run_on(project, 99))
    root = repository.write_commit(
        write_notes(repository, None, {id_: Note({base.id: base})}), [], "root\n"
    )
    sides = []
    for name, numbers in (("ours", ours), ("theirs", theirs)):
        lines = [base, *(codec.encode(run_on(project, n)) for n in sorted(numbers))]
        note = Note({line.id: line for line in lines})
        tree = write_notes(repository, None, {id_: note})
        commit = repository.write_commit(tree, [root], f"{name}\n")
        project.git("update-ref", f"refs/notes/{name}", commit)
        sides.append(note)

    project.git("notes", "--ref=ours", "merge", "-q", "-s", "cat_sort_uniq", "theirs")

    merged = project.git("notes", "--ref=ours", "show", id_) + "\n"
    assert codec.union(sides) == codec.parse_note(merged.encode())


@pytest.mark.parametrize("strategy", ["union", "cat_sort_uniq"])
def test_appended_and_merged_notes_stay_readable(
    project: Project, strategy: str
) -> None:
    """What `git notes append`, `copy` and `merge` leave is read in full."""
    first, second = run_on(project), run_on(project, 1)
    open_notes(project).record({first.commit: [first]})
    project.git("notes", "--ref=gitbench", "append", "-m", "a remark by hand")
    project.git("update-ref", "refs/notes/other", REF)
    line = codec.encode(second).raw.decode()
    project.git("notes", "--ref=other", "append", "-m", line)
    project.git("notes", "--ref=gitbench", "append", "-m", "another remark")
    project.git("notes", "--ref=gitbench", "merge", "-q", "-s", strategy, "other")
    project.commit("second")
    project.git("notes", "--ref=gitbench", "copy", first.commit, "HEAD")

    notes = open_notes(project)
    assert {first, second} == {r.run for r in notes.records(first.commit).runs}
    assert 2 == len(notes.records(first.commit).warnings)
    copied = notes.records(project.head())
    assert () == copied.runs
    assert {first, second} == {one.run for one in copied.copied}


def test_a_run_counts_for_a_commit_of_its_tree(project: Project) -> None:
    """A note carried along to an amended commit of the same tree counts."""
    run = run_on(project)
    open_notes(project).record({run.commit: [run]})
    project.git("commit", "--amend", "--quiet", "-m", "better message")
    project.git("notes", "--ref=gitbench", "copy", run.commit, "HEAD")

    assert [run] == [r.run for r in open_notes(project).records(project.head()).runs]


def test_recording_the_same_origin_twice_changes_nothing(project: Project) -> None:
    """A known origin is named and writes no commit, even with another time."""
    run = run_on(project)
    notes = open_notes(project)
    (id_,) = notes.record({run.commit: [run]}).added
    later = make_run(
        commit=run.commit,
        tree=run.tree,
        started_at=run.started_at + 5,
        origin=run.origin,
    )
    written = notes.record({run.commit: [later]})

    assert ((), (id_,)) == (written.added, written.known)
    assert project.git("rev-list", "--count", REF) == "1"


def test_equal_origins_of_two_clones_read_as_one(project: Project) -> None:
    """Two clones that recorded one file at two times hold one run after union."""
    run = run_on(project)
    later = make_run(
        commit=run.commit,
        tree=run.tree,
        started_at=run.started_at + 5,
        origin=run.origin,
    )
    lines = [codec.encode(one) for one in (later, run)]
    put(project, Note({line.id: line for line in lines}), run.commit)

    assert [run] == [one.run for one in open_notes(project).records(run.commit).runs]


def test_a_damaged_line_survives_the_next_write(project: Project) -> None:
    """A cut line takes no part, is named, and is still there after a write."""
    run = run_on(project)
    bad = codec.encode(run).raw[:-9]
    put(project, Note({}, frozenset({bad, b"by hand"})), run.commit)
    notes = open_notes(project)
    notes.record({run.commit: [run_on(project, 1)]})

    records = notes.records(run.commit)
    assert 1 == len(records.runs)
    assert 2 == len(records.warnings)
    raw = project.git("notes", "--ref=gitbench", "show", "HEAD").encode()
    assert {bad, b"by hand"} <= set(raw.split(b"\n"))


def test_a_retracted_run_is_hidden_and_not_recorded_again(project: Project) -> None:
    """A retraction takes a run out of every answer and refuses it for the future."""
    run = run_on(project)
    line = codec.encode(run)
    gone = codec.encode(codec.Retraction((line.id,), "wrong machine", 5))
    put(project, Note({line.id: line, gone.id: gone}), run.commit)
    notes = open_notes(project)

    records = notes.records(run.commit)
    assert ((), (line.id,)) == (records.runs, records.retracted)
    with pytest.raises(RetractedError, match="wrong machine"):
        notes.record({run.commit: [run]})


def test_the_latest_named_baseline_wins_whatever_the_clocks(project: Project) -> None:
    """A name is set, moved by a clock that is behind, and unset."""
    first = project.head()
    second = project.commit("second")
    notes = open_notes(project)
    notes.set_baseline("release", first, 10**12)
    notes.set_baseline("release", second, 5)
    notes.set_baseline("other", first, 6)
    assert {"other": first, "release": second} == {
        name: one.commit for name, one in notes.baselines().items()
    }

    notes.set_baseline("release", None, 7)
    assert ["other"] == list(notes.baselines())
    project.git("gc", "--quiet", "--prune=now")
    project.git("notes", "--ref=gitbench", "prune")
    assert ["other"] == list(open_notes(project).baselines())


def test_a_linked_work_tree_shares_the_notes(project: Project, tmp_path: Path) -> None:
    """What is recorded in a linked work tree is read in the main one."""
    project.git("worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "side")
    run = run_on(project)
    open_notes(Project(tmp_path / "linked")).record({run.commit: [run]})

    assert [run] == [one.run for one in open_notes(project).records(run.commit).runs]


def test_a_bare_repository_works(origin: Path) -> None:
    """Results can be recorded where there is no work tree."""
    project = Project(origin)
    run = make_run(commit=project.head(), tree=project.head("HEAD^{tree}"))
    open_notes(project).record({run.commit: [run]})

    assert [run] == [one.run for one in open_notes(project).records(run.commit).runs]


def test_git_dir_is_honoured(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With GIT_DIR set, as git sets it in hooks, that repository is opened."""
    run = run_on(project)
    elsewhere = Project.init(tmp_path / "elsewhere")
    elsewhere.commit("other")
    monkeypatch.setenv("GIT_DIR", str(project.path / ".git"))
    open_notes(elsewhere).record({run.commit: [run]})
    monkeypatch.delenv("GIT_DIR")

    assert not open_notes(elsewhere).exists()
    assert [run] == [one.run for one in open_notes(project).records(run.commit).runs]


def test_a_missing_identity_is_no_reason_to_fail(
    project: Project, hermetic_seal: Path
) -> None:
    """Without user.name a fixed identity writes the notes commit."""
    (hermetic_seal / ".gitconfig").write_text("")
    run = run_on(project)
    open_notes(project).record({run.commit: [run]})

    assert "gitbench <gitbench@localhost>" == project.git(
        "log", "-1", "--format=%cn <%ce>", REF
    )


def test_git_s_committer_variables_win(project: Project) -> None:
    """GIT_COMMITTER_NAME and GIT_COMMITTER_EMAIL name who writes."""
    environ = {
        **os.environ,
        "GIT_COMMITTER_NAME": "A <B>",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    run = run_on(project)
    open_notes(project, environ).record({run.commit: [run]})

    assert "A B <a@b>" == project.git("log", "-1", "--format=%cn <%ce>", REF)


def test_a_lock_left_by_a_killed_process_needs_no_human(project: Project) -> None:
    """An old ref lock is removed with a warning; a fresh one is waited for."""
    run = run_on(project)
    lock = project.path / ".git" / f"{REF}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text("")
    old = time.time() - 60
    os.utime(lock, (old, old))

    written = open_notes(project).record({run.commit: [run]})

    assert 1 == len(written.added)
    assert ["Removed the lock"] == [w[:16] for w in written.warnings]
    lock.write_text("")
    with pytest.raises(RepositoryError, match="could not be moved"):
        open_notes(project).repository.move_refs((REF,), lambda tip: tip, "x", 0.2)
    assert lock.exists()


def test_results_thrown_away_by_a_forced_fetch_come_back(
    origin: Path, tmp_path: Path
) -> None:
    """`git fetch +refs/notes/*:refs/notes/*` over unpushed runs loses nothing."""
    one, other = (Project.clone(origin, tmp_path / name) for name in ("one", "other"))
    mine, theirs = run_on(one), run_on(other, 1)
    open_notes(other).record({theirs.commit: [theirs]})
    other.git("push", "--quiet", "origin", REF)
    open_notes(one).record({mine.commit: [mine]})
    one.git("fetch", "--quiet", "origin", "+refs/notes/*:refs/notes/*")
    notes = open_notes(one)
    assert [theirs] == [r.run for r in notes.records(mine.commit).runs]

    (warning,) = notes.bring_back()

    assert "brought back" in warning
    assert {mine, theirs} == {r.run for r in notes.records(mine.commit).runs}
    assert () == notes.bring_back()


def test_results_thrown_away_by_a_merge_come_back(project: Project) -> None:
    """A merge that kept only the other side is a descendant; the loss is seen."""
    mine, theirs = run_on(project), run_on(project, 1)
    notes = open_notes(project)
    notes.record({mine.commit: [mine]})
    line = codec.encode(theirs)
    tree = write_notes(notes.repository, None, {mine.commit: Note({line.id: line})})
    merge = notes.repository.write_commit(tree, [project.head(REF)], "theirs\n")
    project.git("update-ref", REF, merge)

    assert 1 == len(open_notes(project).bring_back())
    assert {mine, theirs} == {r.run for r in notes.records(mine.commit).runs}


def test_a_deleted_ref_comes_back(project: Project) -> None:
    """`git update-ref -d` of the notes ref is undone by the next command."""
    run = run_on(project)
    notes = open_notes(project)
    notes.record({run.commit: [run]})
    project.git("update-ref", "-d", REF)

    assert 1 == len(open_notes(project).bring_back())
    assert [run] == [r.run for r in notes.records(run.commit).runs]


def test_foreign_files_in_the_notes_tree_stay(project: Project) -> None:
    """An entry that is no note is neither read nor removed."""
    run = run_on(project)
    line = codec.encode(run)
    put(project, Note({line.id: line}), "zz/readme", "notes.txt", run.commit)
    notes = open_notes(project)
    notes.record({run.commit: [run_on(project, 1)]})

    paths = set(project.git("ls-tree", "-r", "--name-only", REF).splitlines())
    assert {"zz/readme", "notes.txt"} < paths
    assert [run.commit] == [id_ for id_, _ in notes.annotated()]


WRITER = """
import os, sys
from pathlib import Path
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository
from tests.factories import make_run
path, commit, tree, number, count = sys.argv[1:]
notes = Notes(Repository.open(Path(path), os.environ))
for place in range(int(count)):
    key = int(number) * 1000 + place
    run = make_run(commit=commit, tree=tree, started_at=key, origin=f"{key:064x}")
    assert notes.record({commit: [run]}).added
"""


def test_eight_processes_lose_nothing_on_a_fresh_ref(project: Project) -> None:
    """8 processes record 25 runs each into a ref that does not exist yet: 200."""
    commit, tree = project.head(), project.head("HEAD^{tree}")
    root = str(Path(__file__).parents[2])
    writers = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                WRITER,
                str(project.path),
                commit,
                tree,
                str(n),
                "25",
            ],
            env={**os.environ, "PYTHONPATH": root},
        )
        for n in range(8)
    ]

    assert [0] * 8 == [writer.wait(120) for writer in writers]
    assert 200 == len(open_notes(project).records(commit).runs)
    assert project.git("fsck", "--strict", "--no-dangling") == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--object-format=sha256"], "SHA-256"), (["--ref-format=reftable"], "reftable")],
)
def test_repositories_that_cannot_be_read_say_so(
    tmp_path: Path, options: list[str], words: str
) -> None:
    """SHA-256 and reftable repositories get one clear sentence."""
    made = subprocess.run(
        ["git", "init", "--quiet", *options, str(tmp_path / "new")],
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip("this git cannot make such a repository")

    with pytest.raises(RepositoryError, match=words):
        Repository.open(tmp_path / "new", os.environ)


def test_no_repository_says_where_it_looked(tmp_path: Path) -> None:
    """Outside a repository the sentence names the folder and git init."""
    environ = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path)}
    with pytest.raises(RepositoryError, match="git init"):
        Repository.open(tmp_path, environ)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs chown")
def test_another_user_s_repository_is_explained(project: Project) -> None:
    """Where git's safe.directory refuses, the sentence says how to allow it."""
    for path in (project.path, project.path / ".git"):
        os.chown(path, 12345, 12345)

    with pytest.raises(RepositoryError, match=r"safe\.directory"):
        Repository.open(project.path, os.environ)


def test_merge_bases_agree_with_git_on_a_criss_cross(project: Project) -> None:
    """Of a criss-cross merge all bases are found, as git merge-base --all does."""
    project.git("checkout", "--quiet", "-b", "left")
    left = project.commit("left")
    project.git("checkout", "--quiet", "-b", "right", "main")
    right = project.commit("right")
    project.git("merge", "--quiet", "-s", "ours", "-m", "l into r", left)
    project.commit("more right")
    project.git("checkout", "--quiet", "left")
    project.git("merge", "--quiet", "-s", "ours", "-m", "r into l", right)
    project.commit("more left")

    found = open_notes(project).repository.merge_bases(
        project.head("left"), project.head("right")
    )

    expected = project.git("merge-base", "--all", "left", "right").split()
    assert sorted(expected) == sorted(found)
    assert 2 == len(found)


def test_the_work_tree_is_dirty_only_by_tracked_files(project: Project) -> None:
    """A changed tracked file makes it dirty; an untracked result file does not."""
    repository = open_notes(project).repository
    (project.path / "results.json").write_text("{}")
    assert not repository.is_dirty()
    (project.path / "code.py").write_text("changed\n")
    assert repository.is_dirty()


def test_a_partial_clone_opens(origin: Path, tmp_path: Path) -> None:
    """A clone with extensions.partialClone, which libgit2 refuses unless told."""
    project = Project.clone(origin, tmp_path / "partial")
    project.git("config", "core.repositoryFormatVersion", "1")
    project.git("config", "extensions.partialClone", "origin")

    assert not open_notes(project).exists()


def test_a_note_that_would_be_too_large_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note over the limit of hosts is refused, and nothing is written."""
    run = run_on(project, 0, measurements=(make_measurement(values=[0.1] * 9),))
    notes = open_notes(project)
    notes.record({run.commit: [run]})
    tip = project.head(REF)
    monkeypatch.setattr(codec, "MAX_NOTE", 1000)
    with pytest.raises(NotesError, match="over the limit"):
        notes.record({run.commit: [run_on(project, 1)]})
    assert tip == project.head(REF)

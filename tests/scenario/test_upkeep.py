"""Withdrawing, restoring, erasing and pruning runs, and telling their size."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.store import codec, index, upkeep
from gitbench.store.codec import Note, Restoration, Retraction
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository
from gitbench.store.standing import damaged_id, settle, standing
from tests.factories import make_run
from tests.project import Project, Result

REF = "refs/notes/gitbench"
NOW = 1_800_000_000_000


@pytest.fixture
def clones(origin: Path, tmp_path: Path) -> tuple[Project, Project]:
    return tuple(Project.clone(origin, tmp_path / name) for name in ("one", "two"))  # type: ignore[return-value]


def open_notes(project: Project) -> Notes:
    return Notes(Repository.open(project.path, os.environ))


def ids(project: Project, revision: str = "HEAD") -> list[str]:
    """Ids of the runs that count for a commit, oldest first."""
    runs = open_notes(project).records(project.head(revision)).runs
    return [one.id for one in reversed(runs)]


def raw(project: Project, revision: str = "HEAD") -> str:
    return project.git("notes", "--ref=gitbench", "show", revision)


def save(project: Project, name: str, **fields: Any) -> str:
    path = project.path.parent / name
    path.write_text(json.dumps(project.results({"sort": 1}, **fields)))
    return str(path)


# -------------------------------------------------------------- rm, restore


def test_a_withdrawn_run_counts_nowhere(clones: tuple[Project, Project]) -> None:
    """rm hides it from every answer, here and where the retraction is pushed to; an
    old clone that pushes it again does not bring it back."""
    one, two = clones
    one.record({"sort": 1})
    one.record({"sort": 2})
    first, second = ids(one)
    one.gitbench("push")
    two.gitbench("fetch")
    result = one.gitbench("rm", first[:6], "--reason", "wrong machine")

    assert first in result.out
    assert [second] == ids(one)
    two.record({"sort": 3})
    two.gitbench("push")
    one.gitbench("push")
    two.gitbench("fetch")
    for project in (one, two):
        assert first not in ids(project)
        assert 2 == len(ids(project))


def test_a_withdrawn_run_is_not_recorded_again(project: Project) -> None:
    """record refuses it with the reason and exit code 4; --restore and --again do
    what they say."""
    name = save(project, "r.json")
    project.gitbench("record", name)
    (run,) = ids(project)
    project.gitbench("rm", run, "--reason", "wrong machine")
    refused = project.gitbench("record", name, code=4)
    assert "wrong machine" in refused.err
    assert "--restore" in refused.err
    assert [] == ids(project)

    restored = project.gitbench("record", name, "--restore")
    assert "Restored" in restored.out
    assert [run] == ids(project)
    assert "Already recorded" in project.gitbench("record", name, "--restore").out

    project.gitbench("rm", run)
    project.gitbench("record", name, "--again")
    assert 1 == len(ids(project))
    assert [run] != ids(project)


def test_the_same_result_without_a_time_is_known_after_rm(project: Project) -> None:
    """A file that carries no time gets another run id each time; that it was
    withdrawn is known by its origin."""
    name = save(project, "r.json", started_at=None)
    project.gitbench("record", name)
    (run,) = ids(project)
    project.gitbench("rm", run)
    assert "was retracted" in project.gitbench("record", name, code=4).err
    project.gitbench("record", name, "--restore")
    assert [run] == ids(project)


def test_restore_takes_a_withdrawal_back_everywhere(
    clones: tuple[Project, Project],
) -> None:
    """rm --restore counts for all clones, and a later rm withdraws it again."""
    one, two = clones
    one.record({"sort": 1})
    (run,) = ids(one)
    one.gitbench("rm", run)
    one.gitbench("push")
    two.gitbench("fetch")
    assert [] == ids(two)
    two.gitbench("rm", "--restore", run)
    assert [run] == ids(two)
    two.gitbench("push")
    one.gitbench("fetch")
    assert [run] == ids(one)

    one.gitbench("rm", run)
    assert [] == ids(one)
    assert "no run left to retract" in one.gitbench("rm", run).out
    assert "no run left to restore" in two.gitbench("rm", "--restore", run).out


def test_rm_reaches_every_note_that_holds_the_run(project: Project) -> None:
    """A copy on an amended commit of the same tree goes as well."""
    project.record({"sort": 1})
    first = project.head()
    (run,) = ids(project)
    project.git("commit", "--amend", "--quiet", "-m", "better message")
    project.git("notes", "--ref=gitbench", "copy", first, "HEAD")
    assert [run] == ids(project)
    project.gitbench("rm", "--commit", "HEAD")

    assert [] == ids(project) == ids(project, first)


def test_rm_takes_the_twin_of_the_same_result(project: Project) -> None:
    """Of one result that two clones recorded at two times, no copy comes to light."""
    commit, tree = project.head(), project.head("HEAD^{tree}")
    notes = open_notes(project)
    runs = [
        make_run(commit=commit, tree=tree, started_at=time, origin="a" * 64)
        for time in (1000, 2000)
    ]
    lines = {line.id: line for line in map(codec.encode, runs)}
    notes.record({commit: [make_run(commit=commit, tree=tree, origin="b" * 64)]})
    notes.rewrite(
        lambda tree: {commit: codec.union([notes.note_in(tree, commit), Note(lines)])},
        "both",
    )
    assert 2 == len(ids(project))
    project.gitbench("rm", codec.run_id(runs[0]))

    assert 1 == len(ids(project))


def test_rm_by_commit_and_condition(project: Project) -> None:
    """--commit and --where together choose what fits both."""
    project.record({"sort": 1}, "--tag", "kind=bad", suite="unit")
    project.record({"sort": 2}, suite="unit")
    project.record({"sort": 3}, suite="load")
    project.commit("second")
    project.record({"sort": 4}, "--tag", "kind=bad")
    everything = {*ids(project), *ids(project, "HEAD^")}

    def chosen(*options: str) -> set[str]:
        result = project.gitbench("rm", *options, "--dry-run", "--json")
        assert not result.json["done"]
        return set(result.json["runs"])

    first, _, third = ids(project, "HEAD^")
    assert {first} == chosen("--commit", "HEAD^", "--where", "tag.kind=b*")
    assert 3 == len(chosen("--commit", "HEAD^"))
    assert {third} == chosen("--where", "suite=load")
    assert everything - {third} == chosen("--where", "suite!=load")
    assert {first} | set(ids(project)) == chosen("--where", "tag.kind=bad")
    assert everything == chosen("--where", "time<2026-01-02", "--where", "age>0h")
    assert set() == chosen("--where", "time>=2026-01-02T00:00+00:00")
    assert set(ids(project)) == chosen("--where", f"commit={project.head()[:8]}")
    assert everything == chosen("--where", "testbed=ci-*", "--where", "dirty=false")
    assert everything == chosen("--where", "benchmark=sort")
    assert 4 == len(everything)


@pytest.mark.parametrize(
    "text",
    ["", "suite", "suite<3", "nonsense=1", "tag.=1", "age>soon", "time<tomorrow",
     "time=2026-01-01", "age>9999999999999999999999y", "=", "time<0000-00-00"],
)  # fmt: skip
def test_a_condition_that_says_nothing_is_a_usage_error(
    project: Project, text: str
) -> None:
    """It is named, with what can be written."""
    project.record({"sort": 1})
    result = project.gitbench("rm", "--where", text, code=2)

    assert "--where" in result.err


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_a_condition_or_a_stated_error(text: str) -> None:
    """No text does anything else, and a test that is made can be applied."""
    try:
        test = upkeep.condition(text, NOW)
    except upkeep.ConditionError:
        return
    assert test("0" * 16, make_run()) in (True, False)


def test_ids_that_fit_none_or_several_are_refused(project: Project) -> None:
    """A wrong id, too few digits and an ambiguous beginning change nothing."""
    project.record({"sort": 1})
    tip = project.head(REF)
    for word in ("0000", "abc", "xyz!", "a" * 17):
        assert word in project.gitbench("rm", word, code=4).err
    assert "Name runs" in project.gitbench("rm", code=2).err
    assert tip == project.head(REF)

    note = Note({f"abcd{n:012}": line_with_id(f"abcd{n:012}") for n in range(2)})
    notes = open_notes(project)
    notes.rewrite(lambda tree: {project.head(): note}, "two alike")
    assert "beginning of 2 ids" in project.gitbench("rm", "abcd", code=4).err


def line_with_id(id_: str) -> codec.Line:
    raw = f"gb1 {id_} run 0 - - - AAAA".encode()
    return codec.parse_note(raw).lines[id_]


# -------------------------------------------------------------------- erase


def test_erased_content_leaves_every_note_that_is_written(
    clones: tuple[Project, Project],
) -> None:
    """The line goes; an old clone that pushes does not bring it back, by gitbench or
    by git's own merge."""
    one, two = clones
    one.record({"sort": 1})
    one.record({"sort": 2})
    run, other = ids(one)
    one.gitbench("push")
    two.gitbench("fetch")
    assert "--yes" in one.gitbench("rm", "--erase", run, code=2).err
    one.gitbench("rm", "--erase", run, "--yes")
    one.gitbench("push")
    assert f" {run} run " not in raw(one)

    two.record({"sort": 3})
    two.git("fetch", "--quiet", "origin", f"{REF}:refs/notes/theirs")
    two.git("notes", "--ref=gitbench", "merge", "-q", "-s", "cat_sort_uniq", "theirs")
    assert f" {run} run " in raw(two)
    assert run not in ids(two)
    two.gitbench("push")
    one.gitbench("fetch")
    for project in (one, two):
        assert f" {run} run " not in raw(project)
        assert other in ids(project)
        assert 2 == len(ids(project))


def test_an_erased_run_is_restored_by_recording_it_again(project: Project) -> None:
    """rm --restore has nothing to restore and says so; record --restore does it."""
    name = save(project, "r.json")
    project.gitbench("record", name)
    (run,) = ids(project)
    project.gitbench("rm", "--erase", run, "--yes")
    assert (
        "record FILE --restore" in project.gitbench("rm", "--restore", run, code=4).err
    )
    assert "was retracted" in project.gitbench("record", name, code=4).err
    project.gitbench("record", name, "--restore")

    assert [run] == ids(project)
    assert f" {run} run " in raw(project)


def test_the_index_forgets_what_was_erased(project: Project) -> None:
    """The index repeats names, so it is deleted along; it is made anew on demand."""
    project.record({"secret-name": 1})
    index.open_index(open_notes(project)).close()
    assert index.path_of(open_notes(project)).exists()
    project.gitbench("rm", "--commit", "HEAD")
    assert index.path_of(open_notes(project)).exists()
    project.gitbench("rm", "--erase", *every_id(project), "--yes")
    assert not index.path_of(open_notes(project)).exists()


def every_id(project: Project) -> list[str]:
    """Ids of all runs in the note of HEAD, withdrawn ones included."""
    note = open_notes(project).note(project.head())
    return [line.id for line in note.lines.values() if line.kind == "run"]


def test_a_foreign_line_can_be_erased(project: Project) -> None:
    """A secret that somebody wrote into a note by hand goes by its own id, and stays
    away."""
    project.record({"sort": 1})
    project.git("notes", "--ref=gitbench", "append", "-m", "password: hunter2")
    id_ = damaged_id(b"password: hunter2")
    project.gitbench("rm", "--erase", id_, "--yes")

    assert "hunter2" not in raw(project)
    assert 1 == len(ids(project))
    project.git("notes", "--ref=gitbench", "append", "-m", "password: hunter2")
    project.record({"sort": 2})
    assert "hunter2" not in raw(project)


# ------------------------------------------------- the laws of withdrawing

_RUN = codec.encode(make_run())
_IDS = (_RUN.id,)
_withdrawals = st.one_of(
    st.builds(
        Retraction,
        st.just(_IDS),
        st.sampled_from(["a", "b"]),
        st.integers(1, 4),
        st.booleans(),
    ),
    st.builds(Restoration, st.just(_IDS), st.just("r"), st.integers(1, 4)),
)


def _note(records: list[Retraction | Restoration]) -> Note:
    """A note as writers leave it: whoever restores a run writes it as well."""
    lines = {line.id: line for line in map(codec.encode, records)}
    if not records or any(isinstance(one, Restoration) for one in records):
        lines[_RUN.id] = _RUN
    return settle(Note(lines))


_notes = st.lists(_withdrawals, max_size=4).map(_note)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(_notes, _notes, _notes)
def test_union_with_withdrawals_does_not_depend_on_the_order(
    x: Note, y: Note, z: Note
) -> None:
    """What is hidden, erased and there is the same whichever way clones meet."""

    def unite(*notes: Note) -> Note:
        return settle(codec.union(notes))

    assert unite(x, y) == unite(y, x)
    assert unite(unite(x, y), z) == unite(x, unite(y, z)) == unite(x, y, z)
    assert unite(x, x) == x
    assert standing(unite(x, y)) == standing(codec.union([x, y]))


@pytest.mark.parametrize(
    ("records", "hidden", "erased"),
    [
        ([Retraction(_IDS, "r", 2)], True, False),
        ([Retraction(_IDS, "r", 2), Restoration(_IDS, "", 3)], False, False),
        ([Retraction(_IDS, "r", 2), Restoration(_IDS, "", 2)], True, False),
        ([Retraction(_IDS, "r", 4), Restoration(_IDS, "", 3)], True, False),
        ([Retraction(_IDS, "r", 2, True), Retraction(_IDS, "s", 5)], True, True),
        ([Retraction(_IDS, "r", 2, True), Restoration(_IDS, "", 3),
          Retraction(_IDS, "s", 5)], True, False),
    ],
)  # fmt: skip
def test_the_last_word_on_a_run(
    records: list[Retraction | Restoration], hidden: bool, erased: bool
) -> None:
    """A restoration takes back what is earlier, at equal times the retraction holds,
    and an erasure lasts until it is taken back."""
    lines = {line.id: line for line in map(codec.encode, records)}
    state = standing(Note({**lines, _RUN.id: _RUN}))

    assert (hidden, erased) == (_RUN.id in state.hidden, _RUN.id in state.erased)


# -------------------------------------------------------------------- prune


def branch_with_run(project: Project, name: str, value: float) -> str:
    """A commit on a branch of its own with one run; the branch is checked out."""
    project.git("checkout", "--quiet", "-b", name, "main")
    commit = project.commit(name)
    project.record({"sort": value})
    return commit


def prune(project: Project, *options: str, code: int = 0) -> Result:
    return project.gitbench("prune", "--older-than", "0d", *options, code=code)


def test_runs_of_commits_that_are_gone_are_erased(project: Project) -> None:
    """A deleted branch's run goes, that of main stays."""
    project.record({"sort": 1})
    commit = branch_with_run(project, "side", 2)
    (gone,) = ids(project)
    project.git("checkout", "--quiet", "main")
    assert gone not in prune(project, "--dry-run").out
    project.git("branch", "-D", "--quiet", "side")
    assert "--yes" in prune(project, code=2).err
    dry = prune(project, "--dry-run")
    assert gone in dry.out
    assert "nothing was changed" in dry.out
    prune(project, "--yes")

    assert f" {gone} run " not in raw(project, commit)
    assert 1 == len(ids(project))
    assert "No run older than 0d" in prune(project, "--yes").out


def test_a_squashed_branch_keeps_its_runs(project: Project) -> None:
    """A run stays whose tree is that of a commit on main, though its own is gone."""
    branch_with_run(project, "side", 2)
    project.git("checkout", "--quiet", "main")
    project.git("merge", "--squash", "--quiet", "side")
    project.git("commit", "--quiet", "-m", "squashed")
    project.git("branch", "-D", "--quiet", "side")

    assert [] == prune(project, "--yes", "--json").json["runs"]


@pytest.mark.parametrize("keeper", ["tag", "stash", "worktree", "detached", "baseline"])
def test_what_anything_still_points_to_stays(
    project: Project, tmp_path: Path, keeper: str
) -> None:
    """A tag, a stash, a detached HEAD here or in a linked work tree, and a named
    baseline keep the runs of their commit."""
    commit = branch_with_run(project, "side", 2)
    if keeper == "stash":
        (project.path / "code.py").write_text("dirty\n")
        project.git("stash", "--quiet")
    elif keeper == "tag":
        project.git("tag", "-a", "-m", "t", "v1", commit)
    elif keeper == "baseline":
        project.gitbench("baseline", "save", "release", commit)
    elif keeper == "worktree":
        project.git("worktree", "add", "-q", "--detach", str(tmp_path / "w"), commit)
    project.git(
        "checkout", "--quiet", "--detach", "main" if keeper != "detached" else "side"
    )
    project.git("branch", "-D", "--quiet", "side")

    assert [] == prune(project, "--yes", "--json").json["runs"]


def test_young_runs_and_the_newest_stay(project: Project) -> None:
    """--older-than and --keep protect; a run counts once among the newest."""
    for value in range(4):
        branch_with_run(project, f"side-{value}", value)
    project.git("checkout", "--quiet", "main")
    for value in range(4):
        project.git("branch", "-D", "--quiet", f"side-{value}")

    def count(*options: str) -> int:
        result = project.gitbench("prune", "--dry-run", "--json", *options)
        return len(result.json["runs"])

    # The runs are of January 2026, and no clock of today is before that.
    assert 0 == count("--older-than", "500y")
    assert [4, 3, 1, 0] == [
        count("--older-than", "0d", "--keep", keep) for keep in ("0", "1", "3", "4")
    ]
    assert "no age" in project.gitbench("prune", "--older-than", "bad", code=2).err


def test_pruning_lasts(clones: tuple[Project, Project]) -> None:
    """Another clone that still has the runs does not bring them back."""
    one, two = clones
    commit = branch_with_run(one, "side", 2)
    (gone,) = ids(one)
    one.git("checkout", "--quiet", "main")
    one.git("branch", "-D", "--quiet", "side")
    one.gitbench("push")
    two.gitbench("fetch")
    prune(one, "--yes")
    one.gitbench("push")
    two.record({"sort": 3})
    two.gitbench("push")
    one.gitbench("fetch")

    for project in (one, two):
        assert f" {gone} run " not in raw(project, commit)


def test_a_clone_that_does_not_see_everything_does_not_prune(
    clones: tuple[Project, Project], origin: Path, tmp_path: Path
) -> None:
    """A shallow clone, and one that lacks a branch of its remote, refuse."""
    one, two = clones
    branch_with_run(one, "side", 2)
    one.git("push", "--quiet", "origin", "side")
    one.gitbench("push")
    two.gitbench("fetch")
    assert "which this clone lacks" in prune(two, "--yes", code=4).err
    two.git("fetch", "--quiet")
    assert [] == prune(two, "--yes", "--json").json["runs"]

    two.git("remote", "set-url", "origin", str(tmp_path / "gone.git"))
    assert 1 == len(prune(two, "--yes", code=4).err.splitlines())
    assert [] == prune(two, "--offline", "--yes", "--json").json["runs"]

    one.git("checkout", "--quiet", "main")
    one.commit("second")
    one.git("push", "--quiet", "origin", "main")
    shallow = Project.clone(f"file://{origin}", tmp_path / "shallow", "--depth", "1")
    assert "shallow" in prune(shallow, "--yes", code=4).err


def test_prune_leaves_what_is_no_run(project: Project) -> None:
    """Foreign lines, named baselines and notes on other objects than commits stay."""
    commit = branch_with_run(project, "side", 2)
    project.git("notes", "--ref=gitbench", "append", "-m", "by hand", commit)
    tree = project.head("main^{tree}")
    project.git("notes", "--ref=gitbench", "add", "-m", "on a tree", tree)
    project.gitbench("baseline", "save", "release", "main")
    project.git("checkout", "--quiet", "main")
    project.git("branch", "-D", "--quiet", "side")
    prune(project, "--yes")

    assert "by hand" in raw(project, commit)
    assert "on a tree" == raw(project, tree)
    assert "release" in project.gitbench("baseline", "list").out


# --------------------------------------------------------------------- size


def test_sizes_add_up(project: Project) -> None:
    """By commit, suite, testbed, tool and benchmark the bytes are those of the
    notes."""
    project.record({"a": 1, "b": [1.5, 2.25, 3.125]}, suite="one")
    project.record({"a": 2}, suite="two")
    project.commit("second")
    project.record({"a": 3}, suite="two")
    total = sum(len(raw(project, one)) + 1 for one in ("HEAD", "HEAD^"))

    for by, names in {
        "commit": {project.head(), project.head("HEAD^")},
        "suite": {"one", "two"},
        "tool": {"custom"},
        "benchmark": {"a", "b"},
    }.items():
        found = project.gitbench("size", "--by", by, "--json").json
        assert (3, 2, total) == (found["runs"], found["notes"], found["note_bytes"])
        assert names == {one["name"] for one in found["largest"]}
        assert total == pytest.approx(sum(o["bytes"] for o in found["largest"]), abs=3)
    shown = project.gitbench("size", "--by", "benchmark").out
    assert "3 runs in 2 notes" in shown
    assert "100.0 %" in project.gitbench("size", "--by", "tool").out


def test_what_compacting_would_save_is_about_what_it_saves(
    clones: tuple[Project, Project],
) -> None:
    """The estimate, made when git has packed the objects, is within a fifth of what
    is left after compacting and packing again."""
    one, _ = clones
    for value in range(30):
        one.record({f"bench-{n}": (value * 31 + n) / 977 for n in range(40)})
    one.git("gc", "--quiet")
    before = one.gitbench("size", "--json").json
    one.gitbench("compact", "--local", "--yes")
    one.git("reflog", "expire", "--expire=now", "--all")
    one.git("gc", "--quiet", "--prune=now")
    after = one.gitbench("size", "--json").json

    assert before["disk_bytes"] > 1.15 * before["disk_bytes_compact"]
    assert after["disk_bytes"] == pytest.approx(before["disk_bytes_compact"], rel=0.2)
    assert (30, 1) == (before["history_commits"], after["history_commits"])


def test_size_tells_what_is_withdrawn(project: Project) -> None:
    """Bytes of retracted runs are told, and gone after erasing."""
    project.record({"sort": 1})
    (run,) = ids(project)
    assert 0 == project.gitbench("size", "--json").json["withdrawn_bytes"]
    project.gitbench("rm", run)
    assert project.gitbench("size", "--json").json["withdrawn_bytes"] > 300
    project.gitbench("rm", "--erase", run, "--yes")
    assert 0 == project.gitbench("size", "--json").json["withdrawn_bytes"]


def test_without_results_there_is_nothing_to_measure(project: Project) -> None:
    """size and compact say so."""
    for command in ("size", "compact"):
        assert "Nothing is recorded" in project.gitbench(command, code=4).err

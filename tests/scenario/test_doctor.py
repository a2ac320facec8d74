"""`gitbench doctor`: every fault is named, and mended where that is possible."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gitbench.store import codec
from gitbench.store.codec import Note
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository
from gitbench.store.standing import damaged_id
from tests.factories import make_run
from tests.project import Project

REF = "refs/notes/gitbench"


@pytest.fixture
def healthy(origin: Path, tmp_path: Path) -> Project:
    """A clone that is set up, with one run that is pushed."""
    project = Project.clone(origin, tmp_path / "clone")
    project.gitbench("init", "--git-only")
    project.record({"sort": 1})
    project.gitbench("push")
    return project


def open_notes(project: Project) -> Notes:
    return Notes(Repository.open(project.path, os.environ))


def found(project: Project, *options: str) -> dict[str, str]:
    """Code of each finding -> what became of it."""
    result = project.gitbench("doctor", "--json", *options, code=None)
    assert result.code in (0, 4)
    return {one["code"]: one["outcome"] for one in result.json["findings"]}


def put(project: Project, note: Note, *paths: str) -> None:
    """A notes commit on top of the present one with `note` at other places."""
    blob = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"],
        cwd=project.path,
        input=codec.format_note(note),
        capture_output=True,
        check=True,
    ).stdout.decode()
    index = {"GIT_INDEX_FILE": str(project.path / ".git/notes-index")}
    project.git("read-tree", REF, **index)
    for path in paths:
        entry = f"100644,{blob.strip()},{path}"
        project.git("update-index", "--add", "--cacheinfo", entry, **index)
    tree = project.git("write-tree", **index)
    commit = project.git("commit-tree", "-p", REF, "-m", "by hand", tree)
    project.git("update-ref", REF, commit)


def note_of(project: Project) -> Note:
    return open_notes(project).note(project.head())


def test_a_healthy_clone(healthy: Project) -> None:
    """Nothing is found, the exit code is 0, and nothing is written."""
    tip = healthy.git("for-each-ref")
    result = healthy.gitbench("doctor")

    assert "All is well." in result.out
    assert {} == found(healthy, "--fix")
    assert tip == healthy.git("for-each-ref")


def test_a_missing_refspec_is_set(healthy: Project) -> None:
    """Not set up is a problem; --dry-run says what --fix would do, --fix does it,
    and init --undo takes it out again."""
    healthy.gitbench("init", "--undo")
    result = healthy.gitbench("doctor", code=4)
    assert "problem [not-set-up]" in result.out
    assert "doctor --fix" in result.out
    assert {"not-set-up": "would be mended"} == found(healthy, "--fix", "--dry-run")
    assert {"not-set-up": "found"} == found(healthy)
    assert {"not-set-up": "mended"} == found(healthy, "--fix")
    assert {} == found(healthy)
    healthy.gitbench("init", "--undo")
    assert {"not-set-up": "found"} == found(healthy)


def test_results_that_were_never_fetched(
    healthy: Project, origin: Path, tmp_path: Path
) -> None:
    """A new clone is told, and --fix fetches."""
    other = Project.clone(origin, tmp_path / "other")
    other.gitbench("init", "--git-only")
    assert {"never-fetched": "mended"} == found(other, "--fix")
    assert healthy.head(REF) == other.head(REF)


def test_a_shallow_clone_is_completed(
    healthy: Project, origin: Path, tmp_path: Path
) -> None:
    """Shallow is said as a note, and --fix fetches the rest."""
    healthy.commit("second")
    healthy.git("push", "--quiet", "origin", "main")
    other = Project.clone(f"file://{origin}", tmp_path / "ci", "--depth", "1")
    other.gitbench("init", "--git-only")
    other.gitbench("fetch")
    assert "note [shallow]" in other.gitbench("doctor").out
    assert {"shallow": "mended"} == found(other, "--fix")
    assert "false" == other.git("rev-parse", "--is-shallow-repository")


@pytest.mark.parametrize("how", ["delete", "overwrite", "merge"])
def test_lost_results_come_back(healthy: Project, how: str) -> None:
    """A deleted ref, a forced fetch and a merge that kept one side are seen and
    mended."""
    healthy.record({"sort": 2})
    if how == "delete":
        healthy.git("update-ref", "-d", REF)
    elif how == "overwrite":
        healthy.git("fetch", "--quiet", "origin", "+refs/notes/*:refs/notes/*")
    else:
        tree = healthy.head(f"{REF}^^{{tree}}")
        kept = healthy.git("commit-tree", "-p", REF, "-m", "theirs", tree)
        healthy.git("update-ref", REF, kept)
    assert {"lost-results": "mended"} == found(healthy, "--fix")
    assert {} == found(healthy)
    assert 2 == len(open_notes(healthy).records(healthy.head()).runs)


def test_refspecs_that_do_harm_are_named(healthy: Project) -> None:
    """A push refspec for notes and a forced fetch over the local ref need a human."""
    healthy.git("config", "--add", "remote.origin.push", f"{REF}:{REF}")
    healthy.git("config", "--add", "remote.origin.fetch", "+refs/notes/*:refs/notes/*")
    codes = found(healthy, "--fix")
    assert {"push-refspec": "found", "forced-refspec": "found"} == codes
    healthy.git("config", "--unset-all", "remote.origin.push")
    healthy.git("config", "--unset", "remote.origin.fetch", r"^\+refs/notes/\*:refs/n")
    assert {} == found(healthy)


def test_a_mirror_is_named_too(healthy: Project) -> None:
    """The refspec of a mirror clone covers the local ref."""
    healthy.git("config", "--add", "remote.origin.fetch", "+refs/*:refs/*")
    assert {"forced-refspec": "found"} == found(healthy)


def test_a_foreign_line_is_a_note(healthy: Project) -> None:
    """A remark by hand is harmless, and its id erases it."""
    healthy.git("notes", "--ref=gitbench", "append", "-m", "a remark")
    result = healthy.gitbench("doctor")
    id_ = damaged_id(b"a remark")
    assert "note [foreign-line]" in result.out
    assert f"gitbench rm --erase {id_}" in result.out
    healthy.gitbench("rm", "--erase", id_, "--yes")
    assert {} == found(healthy)


def test_a_line_of_a_newer_gitbench_is_a_note(healthy: Project) -> None:
    """A version or a record that is not known yet is left alone."""
    healthy.git("notes", "--ref=gitbench", "append", "-m", "gb7 future words")
    assert "found" == found(healthy, "--fix")["newer-line"]
    assert healthy.gitbench("doctor").code == 0


@pytest.mark.parametrize("cut", [-9, 12])
def test_a_damaged_line_is_mended_from_the_history(healthy: Project, cut: int) -> None:
    """A line that was cut, in the payload or in its words, is found whole in the
    history and counts again; the damaged one is kept until it is erased."""
    (line,) = note_of(healthy).lines.values()
    place = f"{healthy.head()[:2]}/{healthy.head()[2:]}"
    bad = line.raw[:cut] if cut < 0 else line.raw.replace(b" unit ", b" other ")
    put(healthy, codec.parse_note(bad), place)
    healthy.git("update-ref", "refs/gitbench/written/gitbench", REF)
    healthy.git("update-ref", "-d", "refs/gitbench/remotes/origin/gitbench")
    healthy.gitbench("init", "--undo")
    healthy.git("remote", "remove", "origin")
    healthy.gitbench("init", "--git-only")
    assert () == open_notes(healthy).records(healthy.head()).runs
    assert "problem [damaged-line]" in healthy.gitbench("doctor", code=4).out
    assert {"damaged-line": "mended"} == found(healthy, "--fix")

    assert 1 == len(open_notes(healthy).records(healthy.head()).runs)
    assert {"damaged-copy": "found"} == found(healthy)
    healthy.gitbench("rm", "--erase", damaged_id(bad), "--yes")
    assert {} == found(healthy)
    assert 1 == len(open_notes(healthy).records(healthy.head()).runs)


def test_a_damaged_line_without_a_copy_needs_another_clone(project: Project) -> None:
    """It is a problem that is not mended here, until a clone that has the run is
    united."""
    project.gitbench("init", "--git-only")
    run = make_run(commit=project.head(), tree=project.head("HEAD^{tree}"))
    line = codec.encode(run)
    bad = codec.parse_note(line.raw[:-7] + b"AAAAAAA")
    project.git("notes", "--ref=gitbench", "add", "-m", codec.format_note(bad).decode())
    assert "found" == found(project, "--fix")["damaged-line"]
    assert 4 == project.gitbench("doctor", code=None).code


def test_notes_at_two_places_are_put_in_order(healthy: Project) -> None:
    """Mixed fan-outs are read all the same; --fix leaves each note at one place."""
    run = make_run(commit=healthy.head(), tree=healthy.head("HEAD^{tree}"))
    line = codec.encode(run)
    id_ = healthy.head()
    put(healthy, Note({line.id: line}), f"{id_[:2]}/{id_[2:4]}/{id_[4:]}")
    assert 2 == len(open_notes(healthy).records(id_).runs)
    assert {"mixed-fan-out": "mended"} == found(healthy, "--fix")
    paths = healthy.git("ls-tree", "-r", "--name-only", REF).splitlines()
    assert [f"{id_[:2]}/{id_[2:]}"] == paths
    assert 2 == len(open_notes(healthy).records(id_).runs)
    assert {} == found(healthy)


def test_second_copies_of_a_result_are_erased(healthy: Project) -> None:
    """Of equal origins the earliest stays, as it does for readers."""
    commit, tree = healthy.head(), healthy.head("HEAD^{tree}")
    runs = [
        make_run(commit=commit, tree=tree, started_at=time, origin="a" * 64)
        for time in (1000, 2000, 3000)
    ]
    lines = {line.id: line for line in map(codec.encode, runs)}
    place = f"{commit[:2]}/{commit[2:]}"
    put(healthy, codec.union([note_of(healthy), Note(lines)]), place)
    before = open_notes(healthy).records(commit).runs
    assert {"duplicates": "mended"} == found(healthy, "--fix")
    assert before == open_notes(healthy).records(commit).runs
    assert codec.run_id(runs[0]) in note_of(healthy).lines
    assert codec.run_id(runs[2]) not in note_of(healthy).lines
    assert {} == found(healthy)


def test_a_run_that_is_retracted_in_one_note_only(healthy: Project) -> None:
    """A copy into another note that escaped the retraction is retracted as well."""
    first = healthy.head()
    healthy.git("commit", "--amend", "--quiet", "-m", "better message")
    healthy.gitbench("rm", "--commit", first)
    (run,) = (
        x for x in open_notes(healthy).note(first).lines.values() if x.kind == "run"
    )
    put(healthy, Note({run.id: run}), f"{healthy.head()[:2]}/{healthy.head()[2:]}")
    assert 1 == len(open_notes(healthy).records(healthy.head()).runs)
    assert {"half-retracted": "mended"} == found(healthy, "--fix")
    assert () == open_notes(healthy).records(healthy.head()).runs
    assert {} == found(healthy)


def test_erased_content_that_git_brought_back(healthy: Project) -> None:
    """git's own merge with an old ref brings the line back; --fix drops it."""
    healthy.git("update-ref", "refs/notes/old", REF)
    run = next(iter(note_of(healthy).lines))
    healthy.gitbench("rm", "--erase", run, "--yes")
    healthy.git("update-ref", "refs/gitbench/written/gitbench", REF)
    healthy.record({"sort": 2}, "--ref", "other")
    put(healthy, codec.union([note_of(healthy), in_ref(healthy, "old")]),
        f"{healthy.head()[:2]}/{healthy.head()[2:]}")  # fmt: skip
    healthy.git("update-ref", "refs/gitbench/written/gitbench", REF)
    assert {"erased-content": "mended"} == found(healthy, "--fix")
    assert run not in note_of(healthy).lines


def in_ref(project: Project, name: str) -> Note:
    notes = Notes(Repository.open(project.path, os.environ), name)
    return notes.note(project.head())


def test_a_hook_of_another_version_is_replaced(healthy: Project) -> None:
    """A hook of ours that is old, not executable, or where git does not look."""
    healthy.gitbench("hook", "install")
    assert {} == found(healthy)
    hook = healthy.path / ".git/hooks/pre-push"
    hook.write_bytes(hook.read_bytes() + b"# older\n")
    assert {"old-hook": "mended"} == found(healthy, "--fix")
    hook.chmod(0o644)
    assert {"hook-not-run": "mended"} == found(healthy, "--fix")
    assert {} == found(healthy)

    healthy.git("config", "core.hooksPath", str(healthy.path / ".git/other"))
    assert {"hook-not-run": "mended"} == found(healthy, "--fix")
    assert (healthy.path / ".git/other/pre-push").exists()
    assert {} == found(healthy)


def test_a_foreign_hook_is_no_fault(healthy: Project) -> None:
    """Somebody else's pre-push hook is none of our business."""
    hook = healthy.path / ".git/hooks/pre-push"
    hook.write_text("#!/bin/sh\nexit 0\n")
    hook.chmod(0o755)
    assert {} == found(healthy)


def test_a_broken_index_is_thrown_away(healthy: Project) -> None:
    """The index is derived: a damaged one is named and deleted."""
    index = healthy.path / ".git/gitbench/index.sqlite"
    index.parent.mkdir(exist_ok=True)
    index.write_bytes(b"SQLite format 3\x00" + b"\xff" * 5000)
    (code,) = found(healthy)
    assert code in ("broken-index", "stale-index")
    found(healthy, "--fix")
    assert {} == found(healthy)


def test_a_large_note_is_named(
    healthy: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note near the limit of hosts is said before it is full."""
    monkeypatch.setattr(codec, "MAX_NOTE", 600)
    assert "large-note" in found(healthy)


def test_a_note_that_no_gitbench_wrote_does_not_stop_the_look(
    healthy: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note far over the limit is a problem of its own."""
    monkeypatch.setattr(codec, "MAX_NOTE", 100)
    assert {"unreadable-note": "found"} == found(healthy)


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("extensions.objectFormat", "sha256", "SHA-256"),
        ("extensions.refStorage", "reftable", "reftable"),
    ],
)
def test_a_repository_that_cannot_be_opened(
    project: Project, key: str, value: str, word: str
) -> None:
    """SHA-256 and reftable are a finding in one sentence, and exit code 4."""
    project.git("config", "core.repositoryFormatVersion", "1")
    config = project.path / ".git/config"
    section, name = key.split(".")
    config.write_text(config.read_text() + f"[{section}]\n\t{name} = {value}\n")
    result = project.gitbench("doctor", code=4)

    assert "[unusable]" in result.out
    assert word in result.out


def test_a_mend_that_fails_is_told(healthy: Project, tmp_path: Path) -> None:
    """Where the remote is gone, fetching fails with its reason and the rest goes
    on."""
    healthy.git("remote", "set-url", "origin", str(tmp_path / "gone.git"))
    healthy.git("update-ref", "-d", "refs/gitbench/remotes/origin/gitbench")
    healthy.git("config", "--unset", "notes.gitbench.mergeStrategy")
    outcome = found(healthy, "--fix")
    assert "mended" == outcome["not-set-up"]
    assert outcome["never-fetched"].startswith("could not be mended: ")

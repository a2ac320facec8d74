"""What other programs and people do to the notes: nothing is lost silently."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.project import Project

REF = "refs/notes/gitbench"


def names(project: Project, revision: str = "HEAD") -> set[str]:
    """Benchmarks that are recorded on a commit and count for it."""
    shown = project.gitbench("show", revision, "--json", code=None)
    return (
        {part.split('"')[0] for part in shown.out.split('"benchmark": "')[1:]}
        if shown.code == 0
        else set()
    )


def test_a_note_that_was_removed_comes_back(project: Project) -> None:
    """`git notes remove` is undone by the next command, which says so; `gitbench rm`
    is the way to take a run out."""
    project.record({"sort": 1})
    project.git("notes", "--ref=gitbench", "remove", "HEAD")

    result = project.gitbench("show")

    assert "brought back" in result.err
    assert {"sort"} == names(project)
    assert "" == project.gitbench("show").err


def test_a_rebase_carries_notes_that_do_not_count(project: Project) -> None:
    """With notes.rewriteRef a rebase copies notes to commits of another tree: they
    are shown as copied and never compared."""
    project.git("config", "notes.rewriteRef", REF)
    project.git("checkout", "--quiet", "-b", "topic")
    (project.path / "topic.py").write_text("topic\n")
    project.git("add", "topic.py")
    project.git("commit", "--quiet", "-m", "topic")
    project.record({"sort": 1})
    project.git("checkout", "--quiet", "main")
    project.commit("main went on")
    project.record({"sort": 1})
    project.git("rebase", "--quiet", "main", "topic")

    assert "copied" in project.gitbench("show").out
    assert set() == names(project)
    nothing = project.gitbench("compare", "main", code=3)
    assert "Nothing is recorded" in nothing.err


def test_an_amended_message_keeps_its_results(project: Project) -> None:
    """With notes.rewriteRef, or without, results of the same tree count."""
    for configured in (False, True):
        if configured:
            project.git("config", "notes.rewriteRef", REF)
        project.commit(f"amended {configured}")
        project.record({"sort": 1})
        project.git("commit", "--amend", "--quiet", "-m", "better words")
        head = project.gitbench("compare", "HEAD~1", code=None)
        assert "Nothing is recorded" not in head.err


def test_a_line_edited_by_hand_takes_no_part(project: Project) -> None:
    """A changed line is named and kept; the runs beside it are read."""
    project.record({"sort": 1})
    project.record({"load": 2})
    lines = project.git("notes", "--ref=gitbench", "show", "HEAD").splitlines()
    edited = "\n".join([lines[0].replace(" unit ", " unti "), lines[1]])
    project.git("notes", "--ref=gitbench", "add", "--force", "-m", edited)

    result = project.gitbench("show")

    # The record that was edited was written here, so it is brought back whole.
    assert {"sort", "load"} == names(project)
    assert "do not agree" in result.err or "brought back" in result.err
    assert "unti" in project.git("notes", "--ref=gitbench", "show", "HEAD")


def test_a_note_of_another_tool_is_left_alone(project: Project) -> None:
    """Text that another tool keeps under the same ref is neither read nor lost."""
    other = "perf\x1cother tool\x1c1.5"
    project.git("notes", "--ref=gitbench", "add", "-m", other)
    project.record({"sort": 1})

    assert {"sort"} == names(project)
    assert other in project.git("notes", "--ref=gitbench", "show", "HEAD")
    assert "no gitbench record" in project.gitbench("show").err


def test_an_update_of_a_mirror_loses_nothing(origin: Path, tmp_path: Path) -> None:
    """`git remote update` in a mirror forces all refs to the remote's; what was
    recorded in the mirror comes back."""
    clone = Project.clone(origin, tmp_path / "clone")
    clone.record({"theirs": 1}, "--push")
    mirror = Project.clone(origin, tmp_path / "mirror", "--mirror")
    mirror.runs = 5
    mirror.record({"ours": 2})
    assert {"theirs", "ours"} == names(mirror)
    clone.runs = 9
    clone.record({"more": 3}, "--push")
    subprocess.run(
        ["git", "remote", "update"], cwd=mirror.path, check=True, capture_output=True
    )

    result = mirror.gitbench("show")

    assert "brought back" in result.err
    assert {"theirs", "ours", "more"} == names(mirror)

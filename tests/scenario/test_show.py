"""`gitbench show`, `log` and `baseline` as their users call them."""

from __future__ import annotations

import pytest

from tests.project import Project


@pytest.fixture
def history(project: Project) -> Project:
    """Four commits, three of them with results."""
    project.record({"sort": 0.1, "load": 5})
    for number, value in ((2, 0.2), (3, None), (4, 0.4)):
        project.commit(f"commit {number}")
        if value is not None:
            project.record({"sort": value})
    return project


def test_show_lists_what_is_recorded(history: Project) -> None:
    """Suite, testbed and every measurement of a commit are shown."""
    result = history.gitbench("show", "HEAD~3")

    for part in ("first", "unit", "ci-large", "sort", "100.0 ms", "load", "5.000 s"):
        assert part in result.out
    empty = history.gitbench("show", "HEAD~1", code=3)
    assert "Nothing is recorded" in empty.err
    assert "names no commit" in history.gitbench("show", "nonsense", code=4).err
    assert "names no commit" in history.gitbench("show", "--", "-x", code=4).err


def test_log_lists_commits_with_results_newest_first(history: Project) -> None:
    """Commits without results are left out; the newest comes first."""
    out = history.gitbench("log").out

    subjects = [line.split()[-1] for line in out.splitlines()[1:]]
    assert ["4", "2", "first"] == subjects
    assert 1 == len(history.gitbench("log", "-n", "1").out.splitlines()) - 1
    rows = history.gitbench("log", "--json").json
    assert [history.head(), history.head("HEAD~2"), history.head("HEAD~3")] == [
        row["commit"] for row in rows
    ]


def test_log_of_a_benchmark_draws_its_values(history: Project) -> None:
    """One benchmark's centers come with a sparkline, oldest left."""
    out = history.gitbench("log", "--benchmark", "sort").out

    assert "▁▃█" in out
    assert "100.0 ms .. 400.0 ms" in out
    (series,) = history.gitbench("log", "--benchmark", "sort", "--json").json
    assert [0.4, 0.2, 0.1] == [point["center"] for point in series["points"]]
    assert "sorted" in history.gitbench("log", "--benchmark", "sorted", code=3).err


def test_log_of_nothing_says_what_to_do(project: Project) -> None:
    """Without any results the way to get some is named, with exit code 3."""
    assert "gitbench fetch" in project.gitbench("log", code=3).err


def test_baselines_are_saved_listed_and_removed(history: Project) -> None:
    """A name is saved, used by compare, and removed."""
    history.gitbench("baseline", "save", "release", "HEAD~3")
    assert history.head("HEAD~3")[:12] in history.gitbench("baseline", "list").out
    report = history.gitbench("compare", "baseline:release", "--json", code=None).json
    assert "named" == report["groups"][0]["baseline"]["rule"]
    history.gitbench("baseline", "rm", "release")
    assert "No baseline" in history.gitbench("baseline", "list").out
    assert (
        "gitbench baseline list"
        in history.gitbench("baseline", "rm", "release", code=4).err
    )
    assert "without blanks" in history.gitbench("baseline", "save", "a b", code=4).err


def test_a_misspelt_command_gets_a_guess(project: Project) -> None:
    """`gitbench comapre` is a usage error with the right name."""
    assert "compare" in project.gitbench("comapre", code=2).err

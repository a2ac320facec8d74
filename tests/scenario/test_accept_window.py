"""Where accepted changes landed in the window, days on which they count, and the age
of a baseline: what `compare` reads of several commits' settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitbench import baseline as baselines
from gitbench.cli.judging import with_landed
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository
from tests.project import Project

ENTRY = (
    '[[accept]]\nbenchmark = "{}"\nmetric = "duration"\nthreshold = "15%"\n'
    'reason = "{}"\n'
)
VALUES = {f"bench-{n}": [0.01 * n, 0.0101 * n, 0.0099 * n] for n in range(1, 13)}


def values(slow: float = 1.0, drift: float = 0.0) -> dict[str, list[float]]:
    """Twelve benchmarks, the first of them slower."""
    return {
        name: [v * (1 + drift) * (slow if name == "bench-1" else 1) for v in some]
        for name, some in VALUES.items()
    }


def step(
    project: Project, config: str | None, name: str = "gitbench.toml", slow: float = 1.0
) -> str:
    """One commit with these settings and a run."""
    if config is not None:
        (project.path / name).write_text(config)
        project.git("add", name)
    commit = project.commit("step")
    project.record(values(slow, 0.002 * (project.runs % 3)))
    return commit


def landed(path: Path) -> dict[str, int]:
    """`Baseline.landed` of HEAD against main: name of the benchmark and number."""
    repository = Repository.open(path, {})
    notes = Notes(repository, "gitbench")
    head = repository.resolve("HEAD")
    start = baselines.find_start(repository, notes, "main", head, test_merge=False)
    groups = baselines.find_sides(repository, notes, start, head, baselines.Limits())
    (group,) = with_landed(repository, groups)
    assert group.baseline is not None
    return {accept.benchmark: number for accept, number in group.baseline.landed}


def test_a_landed_change_is_dated_by_the_settings_of_the_window(
    project: Project,
) -> None:
    """The number counts the newest commits of the window that have the entry; one
    that all of them have, and one that only head has, are not named."""
    one, two = ENTRY.format("one", "r"), ENTRY.format("two", "r")
    always = ENTRY.format("always", "r")
    step(project, always)
    step(project, always)
    step(project, always + one)
    step(project, always + one)
    step(project, always + one + two)
    project.git("checkout", "--quiet", "-b", "topic")
    step(project, always + one + two + ENTRY.format("new", "r"))
    assert landed(project.path) == {"one": 3, "two": 1}


def test_a_mended_reason_is_no_landing(project: Project) -> None:
    """An entry is the same with another reason, and a second one of it is another."""
    step(project, None)
    step(project, ENTRY.format("one", "frist"))
    step(project, ENTRY.format("one", "first"))
    project.git("checkout", "--quiet", "-b", "topic")
    step(project, None)
    assert landed(project.path) == {"one": 2}
    project.git("checkout", "--quiet", "main")
    step(project, ENTRY.format("one", "first") + ENTRY.format("one", "again"))
    project.git("checkout", "--quiet", "-b", "next")
    step(project, None)
    assert landed(project.path) == {"one": 1}


def test_settings_of_pyproject_are_looked_at_too(project: Project) -> None:
    """An entry of `[[tool.gitbench.accept]]` lands like any other."""
    step(project, "[project]\nname = 'x'\n", "pyproject.toml")
    text = ENTRY.format("one", "r").replace("[[accept]]", "[[tool.gitbench.accept]]")
    step(project, f"[project]\nname = 'x'\n{text}", "pyproject.toml")
    project.git("checkout", "--quiet", "-b", "topic")
    step(project, None)
    assert landed(project.path) == {"one": 1}


def landed_on(project: Project) -> dict[str, int]:
    """`landed` of a new commit on a branch off main."""
    project.git("checkout", "--quiet", "-b", f"topic-{project.runs}")
    step(project, None)
    found = landed(project.path)
    project.git("checkout", "--quiet", "main")
    return found


@pytest.mark.parametrize("broken", ["threshold = 'much'\n", "= = =\n"])
def test_settings_that_make_no_sense_cut_nothing(project: Project, broken: str) -> None:
    """Behind a commit whose settings cannot be read nobody knows what landed."""
    step(project, None)
    (project.path / "gitbench.toml").write_text(broken)
    project.git("add", "gitbench.toml")
    nonsense = project.commit("broken")
    step(project, ENTRY.format("one", "r"))
    assert landed_on(project) == {"one": 1}
    project.record(values(), "--commit", nonsense)
    assert landed_on(project) == {}


def test_a_partial_clone_fetches_no_settings(project: Project, tmp_path: Path) -> None:
    """Settings that a blobless clone lacks are unknown: no cut, no fetch, no error;
    those that it has are read."""
    step(project, "window = 9\n")
    step(project, "window = 9\n" + ENTRY.format("one", "r"))
    project.git("checkout", "--quiet", "-b", "topic")
    step(project, None)
    project.git("config", "uploadpack.allowFilter", "true")
    clone = Project.clone(
        f"file://{project.path}", tmp_path / "clone", "--filter=blob:none"
    )
    clone.git("fetch", "--quiet", "origin", "refs/notes/*:refs/notes/*")
    clone.git("branch", "main", "origin/main")
    old = project.head("main~1:gitbench.toml")
    assert landed(clone.path) == {}
    lazy = {"GIT_NO_LAZY_FETCH": "1"}
    assert not Repository.open(clone.path, lazy).has(old)
    clone.git("cat-file", "-p", old)
    assert landed(clone.path) == {"one": 1}


def test_an_entry_counts_until_it_expires(project: Project) -> None:
    """Before its last day the change is accepted; after it, it is red again, and a
    warning names the entry."""
    for _ in range(4):
        step(project, None)
    project.git("checkout", "--quiet", "-b", "topic")
    entry = ENTRY.format("bench-1", "new parser")
    step(project, f"{entry}expires = 2999-12-31\n", slow=1.1)
    assert "accepted" in project.gitbench("compare", "main").out
    (project.path / "gitbench.toml").write_text(f"{entry}expires = 2020-01-01\n")
    report = project.gitbench("compare", "main", "--json", code=1).json
    assert report["comparisons"][0]["verdict"] == "regressed"
    (warning,) = report["warnings"]
    assert "'bench-1' ('new parser') expired after 2020-01-01" in warning


def test_an_old_baseline_is_not_compared(project: Project) -> None:
    """`max_age`, by config or option, ends with exit code 3 and says what to do."""
    for _ in range(3):
        step(project, None)
    project.clock += 40 * 86_400
    project.git("checkout", "--quiet", "-b", "topic")
    step(project, 'max_age = "30 days"\n')
    result = project.gitbench("compare", "main", code=3)
    assert project.head("main")[:12] in result.out
    assert "40 days older than head, and max_age is 30 days" in " ".join(
        result.out.split()
    )
    project.gitbench("compare", "main", "--max-age", "41 days")
    project.gitbench("compare", "main", "--on-no-baseline", "pass")
    assert "span" in project.gitbench("compare", "--max-age", "soon", code=2).err

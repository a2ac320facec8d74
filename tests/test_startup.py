"""What a command loads: start-up is a feature, and an import is what it costs.

Times are in `benchmarks/`; a test that measured them would fail on a busy machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.project import Project

GIT = {"pygit2", "msgpack"}
STATISTICS = {"scipy", "pandas", "statsmodels"}
ARRAYS = {"numpy"}
TEMPLATES = {"jinja2"}
NEEDLESS = {"sqlite3", "_sqlite3", "importlib.metadata", "asyncio", "http"}
"""Parts of the standard library that cost 10 to 40 ms, and that none of these needs."""


@dataclass(frozen=True)
class Loaded:
    """A command that ran, and the modules that it imported."""

    code: int
    out: str
    modules: frozenset[str]
    """Every dotted name, and each package's own."""


def loaded(cwd: Path, *arguments: str, stdin: str = "") -> Loaded:
    """Run gitbench as its users do, and see what it imports."""
    found = python(cwd, "-m", "gitbench", *arguments, stdin=stdin)
    assert {"gitbench.cli", "click"} <= found.modules
    return found


def python(cwd: Path, *arguments: str, stdin: str = "") -> Loaded:
    """Run Python, and see what it imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    names = {
        line.rpartition("|")[2].strip()
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    tops = {name.partition(".")[0] for name in names}
    return Loaded(done.returncode, done.stdout, frozenset(names | tops))


def compared(project: Project, rows: int = 2, slower: float = 1.0) -> Project:
    """Four runs on main and one on a branch, which is checked out."""
    for number in range(4):
        project.commit(f"main {number}")
        project.record(sample(rows, number))
    project.git("checkout", "--quiet", "-b", "topic")
    project.commit("topic")
    project.record({k: [slower * v for v in s] for k, s in sample(rows, 9).items()})
    return project


def sample(rows: int, number: int) -> dict[str, list[float]]:
    """Values of some benchmarks, a little different in every run."""
    return {
        f"b{row}": [0.1 + 0.0001 * ((7 * number + 3 * row + i) % 5) for i in range(6)]
        for row in range(rows)
    }


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A repository with one commit on main."""
    made = Project.init(tmp_path / "project")
    made.commit("first")
    return made


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["-h"], []])
def test_telling_about_itself_loads_no_library(
    arguments: list[str], tmp_path: Path
) -> None:
    """Neither version nor help needs a repository, statistics or templates."""
    found = loaded(tmp_path, *arguments)

    heavy = GIT | ARRAYS | STATISTICS | TEMPLATES | NEEDLESS | {"subprocess", "json"}
    assert found.modules & heavy == set()
    assert not any(name.startswith("gitbench.store") for name in found.modules)


@pytest.mark.parametrize("from_stdin", [False, True])
def test_recording_loads_no_statistics(project: Project, from_stdin: bool) -> None:
    """A record computes nothing and renders nothing, however it is told."""
    results = json.dumps(project.results({"sort": [0.1, 0.11]}))
    (project.path / "results.json").write_text(results)
    name = "-" if from_stdin else "results.json"

    found = loaded(project.path, "record", name, stdin=results)

    assert (found.code, found.out.startswith("Recorded on ")) == (0, True)
    assert GIT <= found.modules
    heavy = ARRAYS | STATISTICS | TEMPLATES | NEEDLESS
    assert found.modules & heavy == set()
    assert not any(name.startswith("gitbench.stats") for name in found.modules)


@pytest.mark.parametrize("rows", [2, 12])
def test_comparing_loads_nothing_of_scipy(project: Project, rows: int) -> None:
    """The default procedure is ours, with a prior that is fitted and without."""
    found = loaded(compared(project, rows).path, "compare", "main")

    assert found.code == 0, found.out
    assert ARRAYS | GIT <= found.modules
    assert found.modules & (STATISTICS | NEEDLESS) == set()


def test_pairing_rounds_loads_nothing_of_scipy(project: Project) -> None:
    """Interleaved rounds are paired by default, so they must cost no import; neither
    does a method that has too few sessions to test any row."""
    base = project.head()
    project.git("checkout", "--quiet", "-b", "topic")
    head = project.commit("topic")
    for number in range(5):
        for commit in (base, head):
            run = sample(2, number + (commit == head))
            told = {"session": "s", "round": number}
            project.record(run, "--commit", commit, **told)

    found = loaded(project.path, "compare", "main", "--json")
    assert {r["method"] for r in json.loads(found.out)["comparisons"]} == {"paired"}
    assert found.modules & STATISTICS == set()

    chosen = loaded(project.path, "compare", "main", "--method", "mann-whitney")
    assert (chosen.code, chosen.modules & STATISTICS) == (0, set())


def test_a_regression_loads_no_more(project: Project) -> None:
    """The rows that are red need no further library."""
    found = loaded(compared(project, 12, slower=1.5).path, "compare", "main")

    assert found.code == 1, found.out
    assert found.modules & (STATISTICS | NEEDLESS) == set()


@pytest.mark.parametrize("fmt", ["markdown", "html", "json", "junit"])
def test_no_format_loads_statistics(project: Project, fmt: str) -> None:
    """A report holds numbers that are there already."""
    found = loaded(compared(project).path, "compare", "main", "--format", fmt)

    assert found.code == 0
    assert found.modules & STATISTICS == set()
    assert ("jinja2" in found.modules) == (fmt != "json")


def test_calibrating_loads_nothing_of_scipy(project: Project) -> None:
    """Noise, other settings and the replay are computed by what compares."""
    found = loaded(compared(project, 12).path, "calibrate")

    assert found.code == 0, found.out
    assert ARRAYS | GIT <= found.modules
    assert found.modules & (STATISTICS | TEMPLATES | NEEDLESS) == set()


def test_a_push_without_results_loads_only_the_store(project: Project) -> None:
    """A hook that has nothing to compare computes nothing."""
    line = f"refs/heads/main {project.head()} refs/heads/main {'0' * 40}\n"

    found = loaded(project.path, "hook", "run", "--remote=origin", stdin=line)

    assert found.code == 0
    heavy = ARRAYS | STATISTICS | TEMPLATES | NEEDLESS
    assert found.modules & heavy == set()


def test_a_push_that_is_fine_renders_nothing(project: Project) -> None:
    """A comparison that has nothing to say loads no templates."""
    made = compared(project, 12)
    line = f"refs/heads/topic {made.head()} refs/heads/topic {'0' * 40}\n"

    found = loaded(made.path, "hook", "run", "--remote=origin", stdin=line)

    assert (found.code, found.out) == (0, "")
    assert "gitbench.compare" in found.modules
    assert found.modules & (STATISTICS | TEMPLATES | NEEDLESS) == set()


def test_the_search_for_modules_finds_them(tmp_path: Path) -> None:
    """Were a library imported, however late, this file would see it."""
    late = "def f():\n import jinja2.sandbox, sqlite3\nf()"

    found = python(tmp_path, "-c", late)

    assert {"jinja2", "jinja2.sandbox", "sqlite3"} <= found.modules
    assert not python(tmp_path, "-c", "pass").modules & (TEMPLATES | NEEDLESS)

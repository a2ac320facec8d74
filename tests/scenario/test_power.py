"""`gitbench power` on real repositories, and without any."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitbench.stats.planning import runs_per_side
from tests.project import Project
from tests.scenario.test_explain import HOSTILE, values


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A repository with six commits and a run each."""
    made = Project.init(tmp_path / "project", "--initial-branch=main")
    for number in range(6):
        made.commit(f"main {number}")
        made.record({name: values((number, name), 0.1) for name in ("parse", "render")})
    return made


def test_a_table_tells_the_runs_of_each_benchmark(project: Project) -> None:
    """The numbers are those of the planning function for the row's noise."""
    text = project.gitbench("power", "--change", "10%").out
    found = project.gitbench("power", "--change", "10%", "--json").json
    assert "Runs a side to find 10 % with a chance of 80 %" in text
    assert "more runs help, not more iterations" in text
    assert [row["benchmark"] for row in found["rows"]] == sorted(
        ["parse", "render"],
        key=lambda name: (
            -next(r["noise"] for r in found["rows"] if r["benchmark"] == name)
        ),
    )
    for row in found["rows"]:
        import math

        assert row["runs"] == runs_per_side(row["noise"], math.log(1.1))
        assert row["runs_corrected"] >= row["runs"]
        assert row["runs_to_be_red"] >= row["runs_corrected"]
        assert row["noise"] ** 2 == pytest.approx(
            row["within"] ** 2 + row["between"] ** 2
        )


def test_a_change_of_the_threshold_is_never_red(project: Project) -> None:
    """5 % at a threshold of 5 % is said to be out of reach, and what to do."""
    text = " ".join(project.gitbench("power", "--change", "5%").out.split())
    assert "never" in text
    assert "lower the threshold first" in text


def test_a_glob_chooses_and_a_slip_is_helped(project: Project) -> None:
    """Only rows that fit are listed; none is an error with the nearest name."""
    assert "render" not in project.gitbench("power", "par*", "--change", "10%").out
    slip = project.gitbench("power", "parze", "--change", "10%", code=4)
    assert "Did you mean 'parse'?" in slip.err


def test_planning_needs_no_repository(tmp_path: Path) -> None:
    """With --cv nothing is read but the command line."""
    project = Project(tmp_path)
    text = project.gitbench("power", "--cv", "3%", "--change", "7%").out
    found = project.gitbench("power", "--cv", "3%", "--change", "7%", "--json").json
    assert "<- asked for" in text
    assert {one["change"] for one in found["runs"]} >= {0.05, 0.07}
    none = project.gitbench("power", "--cv", "0%", "--change", "1%", "--json").json
    assert {one["runs_per_side"] for one in none["runs"]} == {2}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--change", "0%"],
        ["--change", "much"],
        [],
        ["--change", "5%", "--power", "1"],
        ["--change", "5%", "--power", "0"],
        ["--change", "5%", "--alpha", "0"],
        ["--change", "5%", "--cv", "-3%"],
    ],
)
def test_a_bad_question_is_a_usage_error(
    project: Project, arguments: list[str]
) -> None:
    """What makes no sense is refused before anything is read."""
    assert project.gitbench("power", *arguments, code=2).err


def test_no_history_and_one_session_say_so(tmp_path: Path) -> None:
    """Without results there is nothing to plan by, with one session no noise."""
    project = Project.init(tmp_path / "p")
    project.commit("first")
    assert project.gitbench("power", "--change", "5%", code=3).err
    project.record({"parse": values(1, 0.1)})
    text = project.gitbench("power", "--change", "5%").out
    assert "unknown" in text
    found = project.gitbench("power", "--change", "5%", "--json").json
    assert found["rows"][0]["noise"] is None
    assert found["rows"][0]["runs"] is None


def test_hostile_names_and_odd_numbers_do_no_harm(tmp_path: Path) -> None:
    """Whatever the names and numbers are, the table is plain and the JSON valid."""
    project = Project.init(tmp_path / "p")
    odd = {"zero": 0.0, "minus": -1.0, "tiny": 1e-300, "huge": 1e300}
    for number in range(4):
        project.commit(f"c{number}")
        results = {name: values((number, name), 0.1) for name in HOSTILE}
        project.record({**results, **{k: [v * (9 + number)] for k, v in odd.items()}})
    text = project.gitbench("power", "--change", "10%", "--all").out
    assert "\x1b" not in text
    assert "##[" not in text
    found = json.loads(
        project.gitbench("power", "--change", "10%", "--json").out,
        parse_constant=lambda word: pytest.fail(word),
    )
    assert len(found["rows"]) == len(HOSTILE) + 4

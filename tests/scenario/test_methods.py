"""Methods and corrections through the command line, on real repositories."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.project import Project

SCHEMA = Path(__file__).parents[2] / "gitbench/schemas/report-1.schema.json"


def noisy(
    seed: int, slow: float = 1.0, drift: float = 1.0, noise: float = 0.01
) -> dict[str, list[float]]:
    """Twelve benchmarks, `bench-05` slower by a factor; `drift` is common to all."""
    chance = random.Random(seed)
    return {
        f"bench-{row:02}": [
            drift * (slow if row == 5 else 1.0) * 0.01 * chance.gauss(1, noise)
        ]
        for row in range(12)
    }


def report(project: Project, *options: str, code: int | None = None) -> Any:
    """The comparison with main as JSON, which fits its schema."""
    found = project.gitbench("compare", "main", "--json", *options, code=code).json
    jsonschema.validate(found, json.loads(SCHEMA.read_text()))
    return found


def red(found: Any) -> list[str]:
    """Names of the regressed rows."""
    return [r["benchmark"] for r in found["comparisons"] if r["verdict"] == "regressed"]


@pytest.fixture
def measured(project: Project) -> Project:
    """Eight sessions on main; on a branch, six of a commit with one slow benchmark."""
    for number in range(8):
        project.commit(f"main {number}")
        project.record(noisy(number))
    project.git("checkout", "--quiet", "-b", "topic")
    project.commit("slower")
    for number in range(6):
        project.record(noisy(50 + number, slow=1.2))
    return project


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("welch", "12 rows by Welch's t test on sessions"),
        ("mann-whitney", "12 rows by Mann-Whitney's test on sessions"),
        ("brunner-munzel", "12 rows by Brunner-Munzel's test on sessions"),
    ],
)
@pytest.mark.parametrize("as_option", [True, False])
def test_a_method_by_option_and_by_config(
    measured: Project, method: str, words: str, as_option: bool
) -> None:
    """The slow benchmark is red by each method, which report and settings name."""
    options: tuple[str, ...] = ("--method", method, "--correction", "holm")
    if not as_option:
        (measured.path / "gitbench.toml").write_text(
            f'method = "{method}"\ncorrection = "holm"\n'
        )
        options = ()
    found = report(measured, *options, code=1)
    assert red(found) == ["bench-05"]
    assert found["settings"]["method"] == method
    assert found["settings"]["correction"] == "holm"
    assert {row["method"] for row in found["comparisons"]} == {method}
    for style in ("text", "markdown", "html"):
        shown = measured.gitbench(
            "compare", "main", "--format", style, *options, code=1
        ).out
        plain = " ".join(shown.replace("&#39;", "'").split())
        assert words in plain
        assert "the suite's own shift is not taken away" in plain
        assert "adjusted over all gated rows (Holm)" in plain


def test_the_default_says_nothing_of_other_methods(measured: Project) -> None:
    """Without settings the report is as it was, and no method is explained."""
    shown = measured.gitbench("compare", "main", code=1).out
    assert "(Benjamini-Hochberg)" in shown
    assert "test on sessions" not in shown
    uncorrected = measured.gitbench("compare", "main", "--correction", "none", code=1)
    assert "not adjusted for the number of rows" in uncorrected.out


def test_too_few_sessions_for_the_method(measured: Project) -> None:
    """One session of head is too few for Welch: exit 0, what is missing, and what to
    do; nothing is called unchanged."""
    measured.commit("again")
    measured.record(noisy(70, slow=1.2))
    found = report(measured, "--method", "welch", code=0)
    assert {row["reason"] for row in found["comparisons"]} == {"few-head-sessions"}
    assert {row["sessions_needed"] for row in found["comparisons"]} == {3}
    shown = measured.gitbench("compare", "main", "--method", "welch").out
    plain = " ".join(shown.split())
    assert "too few sessions of head for the chosen method; 3 further sessions" in plain
    assert "The chosen method needs more sessions" in plain
    assert "on 3 more occasions" in plain
    assert "of the baseline cannot tell" not in plain


def test_an_unknown_method_is_told(measured: Project) -> None:
    """A typing error in the config names the nearest method, one in an option the
    known ones."""
    (measured.path / "gitbench.toml").write_text('method = "welsh"\n')
    wrong = measured.gitbench("compare", "main", code=4)
    assert "did you mean 'welch'?" in wrong.err
    (measured.path / "gitbench.toml").unlink()
    usage = measured.gitbench("compare", "main", "--method", "welsh", code=2)
    assert "mann-whitney" in usage.err


def record_rounds(
    project: Project, sides: Mapping[str, float], rounds: int, session: str = "night"
) -> None:
    """Measure commits in turn, in rounds of one session: drift of up to 5 % is common
    to a round, noise is .5 %."""
    chance = random.Random(3)
    for number in range(1, rounds + 1):
        drift = 1 + chance.uniform(-0.05, 0.05)
        for commit, slow in sides.items():
            project.record(
                noisy(chance.randrange(10**6), slow, drift, 0.005),
                "--commit",
                commit,
                session=session,
                round=number,
            )


@pytest.mark.parametrize("rounds", [4, 8])
def test_interleaved_rounds_find_what_drift_hides(
    project: Project, rounds: int
) -> None:
    """Base and head measured in turn, 3 % slower at a threshold of 1 %: eight rounds
    find it though the machine drifts by 5 %, and nothing else is red; four rounds
    are no pairs, and one session a side cannot tell anything."""
    project.commit("base")
    base = project.head()
    project.git("checkout", "--quiet", "-b", "topic")
    head = project.commit("head")
    record_rounds(project, {base: 1.0, head: 1.03}, rounds)
    options = ("--threshold", "1%")
    if rounds == 4:
        found = report(project, *options, code=0)
        assert {row["reason"] for row in found["comparisons"]} == {"one-session"}
        chosen = report(project, *options, "--method", "paired", code=0)
        assert {row["reason"] for row in chosen["comparisons"]} == {"few-rounds"}
        shown = project.gitbench("compare", "main", "--method", "paired").out
        plain = " ".join(shown.split())
        assert "in at least five rounds of one session" in plain
        assert "1 further round would be enough" in plain
        return
    found = report(project, *options, code=1)
    assert red(found) == ["bench-05"]
    assert {row["method"] for row in found["comparisons"]} == {"paired"}
    row = found["comparisons"][0]
    assert (row["base"]["sessions"], row["base"]["values"]) == (1, 8)
    assert row["change"] == pytest.approx(0.03, abs=0.015)
    shown = project.gitbench("compare", "main", *options, code=1).out
    assert "12 rows by a t test on the differences of the rounds" in " ".join(
        shown.split()
    )


def test_rounds_stay_in_a_full_window(project: Project) -> None:
    """With more sessions behind the baseline than the window takes, its commit's
    rounds are still there to be paired."""
    for number in range(4):
        project.commit(f"main {number}")
        project.record(noisy(number))
    base = project.head()
    project.git("checkout", "--quiet", "-b", "topic")
    head = project.commit("head")
    record_rounds(project, {base: 1.0, head: 1.1}, 5)
    found = report(project, "--window", "1", code=1)
    assert red(found) == ["bench-05"]
    assert {row["method"] for row in found["comparisons"]} == {"paired"}


def test_files_are_paired_too(project: Project) -> None:
    """`diff` of two files of runs pairs their rounds, and takes a method."""
    chance = random.Random(5)
    drifts = [1 + chance.uniform(-0.05, 0.05) for _ in range(6)]
    for name, slow in (("base", 1.0), ("head", 1.1)):
        lines = [
            json.dumps(
                project.results(
                    noisy(chance.randrange(10**6), slow, drift, 0.005),
                    session="s",
                    round=number,
                )
            )
            for number, drift in enumerate(drifts)
        ]
        (project.path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    files = ("base.jsonl", "head.jsonl")
    found = project.gitbench("diff", *files, "--json", code=1).json
    assert red(found) == ["bench-05"]
    assert {row["method"] for row in found["comparisons"]} == {"paired"}
    welch = project.gitbench("diff", *files, "--json", "--method", "welch").json
    assert {row["reason"] for row in welch["comparisons"]} == {"one-session"}


def test_rounds_of_any_tool_by_an_option(project: Project) -> None:
    """A tool that knows no rounds is told them; a round without a session is wrong."""
    project.commit("base")
    base = project.head()
    project.git("checkout", "--quiet", "-b", "topic")
    head = project.commit("head")
    chance = random.Random(9)
    for number in range(1, 6):
        for commit, slow in ((base, 1.0), (head, 1.1)):
            values = noisy(chance.randrange(10**6), slow, noise=0.005)
            told = ("--session", "night", "--round", str(number))
            project.record(values, "--commit", commit, *told)
    found = report(project, code=1)
    assert red(found) == ["bench-05"]
    assert {row["method"] for row in found["comparisons"]} == {"paired"}
    name = str(project.path / "run.json")
    Path(name).write_text(json.dumps(project.results(noisy(1))))
    lonely = project.gitbench("record", name, "--round", "1", code=2)
    assert "--session ID" in lonely.err

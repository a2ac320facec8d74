"""Evaluations of agents, from recording to the gate: success, tokens, cost."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gitbench import hook
from gitbench.model import Verdict
from tests.golden.reports import agents
from tests.project import Project

SCHEMA = Path(__file__).parents[2] / "gitbench/schemas/report-1.schema.json"
TASKS = [f"task-{number:02}" for number in range(12)]


def night(seed: int, *, dearer: float = 1.0, failing: int = 0) -> list[dict[str, Any]]:
    """One evaluation: each task tried twice; tokens vary by 30 %."""
    chance = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for place, task in enumerate(TASKS):
        size = 9000 * (1 + place / 3) * dearer
        tokens = [round(size * chance.uniform(0.7, 1.3)) for _ in range(2)]
        passes = 0 if place < failing else 2
        rows += [
            {"benchmark": task, "metric": "tokens", "unit": "1", "values": tokens},
            {
                "benchmark": task,
                "metric": "cost",
                "unit": "USD",
                "values": [one * 4e-6 for one in tokens],
            },
            {"benchmark": task, "metric": "success", "passes": passes, "trials": 2},
        ]
    return rows


def record(project: Project, measurements: list[dict[str, Any]]) -> None:
    """Record one evaluation as a session of its own."""
    content = project.results({}) | {"suite": "agent", "measurements": measurements}
    project.runs += 1
    project.gitbench("record", "-", stdin=json.dumps(content).encode())


@pytest.fixture
def nights(project: Project) -> Project:
    """Five nights on main; on a branch now."""
    for seed in range(5):
        if seed:
            project.commit(f"night {seed}")
        record(project, night(seed))
    project.git("checkout", "--quiet", "-b", "topic")
    project.commit("a change of the prompt")
    return project


def test_an_unchanged_agent_is_green(nights: Project) -> None:
    """Tokens that vary by 30 % and tasks that succeed as before fail no gate."""
    record(nights, night(11))
    result = nights.gitbench("compare", "main")
    assert "regressed" not in result.out
    assert "success of 12 tasks together: 100 % to 100 %" in result.out


def test_a_broken_agent_is_red_and_its_tasks_are_named(nights: Project) -> None:
    """Tasks that always succeeded and now fail turn the gate red by name."""
    record(nights, night(12, failing=6))
    report = nights.gitbench("compare", "main", "--json", code=1).json
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    (found,) = report["groups"][0]["outcomes"]
    assert (found["verdict"], found["tasks"]) == ("regressed", 12)
    assert [one["benchmark"] for one in found["flipped_worse"]] == TASKS[:6]
    rows = [row for row in report["comparisons"] if row["metric"] == "success"]
    assert {(row["base"]["trials"], row["head"]["trials"]) for row in rows} == {(10, 2)}
    text = nights.gitbench("compare", "main", code=1).out
    assert "6 flipped for the worse: task-00" in text
    heading = next(line for line in text.splitlines() if "benchmark " in line)
    assert heading.split() == ["benchmark", "success", "tokens", "cost"]


def test_a_dearer_agent_is_found_in_tokens_and_cost(nights: Project) -> None:
    """Twice the tokens are red, while success is not."""
    record(nights, night(13, dearer=2.0))
    report = nights.gitbench("compare", "main", "--json", code=1).json
    shifts = {one["metric"]: one["verdict"] for one in report["groups"][0]["shifts"]}
    assert shifts == {"tokens": "regressed", "cost": "regressed"}
    (found,) = report["groups"][0]["outcomes"]
    assert found["verdict"] != "regressed"


def test_points_are_written_as_points(nights: Project) -> None:
    """`--threshold 100pp` lets every task fail."""
    record(nights, night(14, failing=6))
    nights.gitbench("compare", "main", "--threshold", "100pp")
    rules = "".join(
        f'[[rule]]\nmetric = "{metric}"\nthreshold = "{limit}"\n'
        for metric, limit in (("success", "100pp"), ("*", "100%"))
    )
    (nights.path / "gitbench.toml").write_text(rules)
    nights.gitbench("compare", "main")


def test_show_lays_out_all_metrics_of_a_task(nights: Project) -> None:
    """One commit is shown a line a task."""
    record(nights, night(15))
    lines = nights.gitbench("show").out.splitlines()
    heading = next(line for line in lines if line.startswith("  benchmark"))
    assert heading.split() == ["benchmark", "success", "tokens", "cost"]
    row = next(line for line in lines if line.startswith("  task-00"))
    assert "2 of 2" in row
    assert "USD (2)" in row


@pytest.mark.parametrize("fmt", ["markdown", "html", "junit"])
def test_every_report_names_the_flipped_tasks(nights: Project, fmt: str) -> None:
    """No format leaves the outcomes out."""
    record(nights, night(16, failing=6))
    text = nights.gitbench("compare", "main", "--format", fmt, code=1).out
    assert "flipped for the worse" in text
    assert "task-05" in text


def test_the_hook_names_tasks_and_counts_passes() -> None:
    """What a push is refused for has the suite's outcomes and a row's trials."""
    report = agents()
    (one,) = report.groups
    (found,) = one.outcomes
    red = replace(found, verdict=Verdict.REGRESSED)
    report = replace(report, groups=(replace(one, outcomes=(red,)),))
    complaint = hook.complain("topic", report, "main", "gitbench compare")
    assert "1 suite regressed in all tasks together" in complaint.headline
    cells = {row[1]: row for row in complaint.rows}
    together = cells["all tasks of suite agent"]
    assert together[3:6] == ("96.8% -> 64.0%", "-32.8 pp", "1 flipped")
    row = next(row for row in complaint.rows if row[2] == "success" and "/" in row[3])
    assert row[3:6] == ("45/50 -> 3/10", "-60.0 pp", "limit -5.0 pp")

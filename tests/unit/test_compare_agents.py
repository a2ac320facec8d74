"""Tokens, money and scores: real values of which nothing is assumed."""

from __future__ import annotations

import random

import pytest

from gitbench.compare import compare
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    Report,
    Rule,
    Settings,
    Verdict,
)
from tests.factories import make_sides

TOKENS = Metric("tokens", "1", Better.LOWER, Kind.TOKENS)
COST = Metric("cost", "USD", Better.LOWER, Kind.MONEY)
SCORE = Metric("score", "1", Better.HIGHER, Kind.SCORE)


def night(chance: random.Random, tasks: int, factor: float = 1.0) -> list[Measurement]:
    """Five answers to each task, whose tokens vary by 30 %."""
    found = []
    for task in range(tasks):
        size = (8000 + 3000 * task) * factor
        tokens = [max(1.0, round(size * chance.gauss(1, 0.3))) for _ in range(5)]
        scores = [min(1.0, max(0.05, chance.gauss(0.8, 0.1))) for _ in range(5)]
        costs = [one * 3.2e-6 for one in tokens]
        name = Benchmark(f"task-{task}")
        for metric, values in ((TOKENS, tokens), (COST, costs), (SCORE, scores)):
            found.append(Measurement(name, metric, (tuple(values),)))
    return found


def report_on(seed: int, tasks: int, sessions: int, factor: float = 1.0) -> Report:
    """One comparison of a window of nights with one night of head."""
    chance = random.Random(seed)
    base = [night(chance, tasks) for _ in range(sessions)]
    given = make_sides(base, [night(chance, tasks, factor)])
    return compare([given], Settings(), head="HEAD", base="main")


@pytest.mark.parametrize(("tasks", "sessions"), [(5, 3), (5, 5), (20, 5)])
def test_tokens_that_vary_by_a_third_raise_few_alarms(
    tasks: int, sessions: int
) -> None:
    """Of ten unchanged evaluations at most one is red."""
    reports = [report_on(seed, tasks, sessions) for seed in range(10)]
    assert sum(one.exit_code for one in reports) <= 1


@pytest.mark.parametrize(("tasks", "factor"), [(5, 2.0), (20, 1.3)])
def test_dearer_answers_are_found(tasks: int, factor: float) -> None:
    """Twice the tokens are found in five tasks, 30 % more in twenty together; the
    score, which stayed, is not red."""
    for seed in range(3):
        report = report_on(seed, tasks, 5, factor)
        assert report.exit_code == 1
        red = {r.metric for r in report.comparisons if r.verdict is Verdict.REGRESSED}
        red_suites = {
            one.metric
            for one in report.groups[0].shifts
            if one.verdict is Verdict.REGRESSED
        }
        assert {one.name for one in red} | red_suites == {"tokens", "cost"}


def test_one_night_is_weak() -> None:
    """A single night of the window tells nothing of noise, so nothing is unchanged."""
    report = report_on(1, 5, 1)
    assert {row.verdict for row in report.comparisons} == {Verdict.INCONCLUSIVE}
    assert all(row.weak for row in report.comparisons)


def test_min_change_is_in_the_currency() -> None:
    """A change below `min_change` of a price is not red, whatever the percentage."""

    def price(value: float) -> list[Measurement]:
        return [Measurement(Benchmark("task"), COST, ((value,),))]

    base = [price(0.010), price(0.0101), price(0.0099), price(0.010)]
    given = make_sides(base, [price(0.02)])
    verdicts = []
    for least in (0.001, 0.05):
        settings = Settings(rules=(Rule(min_change=least),))
        report = compare([given], settings, head="HEAD", base="main")
        verdicts.append(report.comparisons[0].verdict)
    assert verdicts[0] is Verdict.REGRESSED
    assert verdicts[1] is Verdict.UNCHANGED

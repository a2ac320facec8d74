"""False alarms of passes of trials, on suites that did not change and some that did.

    python -m tests.proportions --repeats 400

Each task has a success rate of its own (beta, mean 80 %); what varies besides are the
trials of a session (`rho`, beta-binomial) and whole nights (`common`, the standard
deviation of all logits together).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gitbench.compare import compare
from gitbench.model import (
    Benchmark,
    Better,
    GroupSides,
    Kind,
    Measurement,
    Metric,
    Report,
    Settings,
    Verdict,
)
from tests.factories import make_sides

Floats = NDArray[np.float64]
SUCCESS = Metric("success", "1", Better.HIGHER, Kind.PROPORTION)
Side = Sequence[tuple[int, int]]
"""Passes and trials of each task in one session."""


def trials(task: str, passes: int, of: int, metric: Metric = SUCCESS) -> Measurement:
    """One task's outcomes in one run."""
    return Measurement(Benchmark(task), metric, passes=passes, trials=of)


def sides(
    base: Sequence[Side], head: Sequence[Side], metric: Metric = SUCCESS
) -> GroupSides:
    """Sessions of the window, newest first, and of head; a task each place."""

    def run(one: Side) -> list[Measurement]:
        return [trials(f"t{i:02}", *pair, metric) for i, pair in enumerate(one)]

    return make_sides([run(one) for one in base], [run(one) for one in head])


def judge(given: GroupSides, **settings: object) -> Report:
    """The report on one group."""
    return compare([given], Settings(**settings), head="HEAD", base="main")  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    """How a suite is measured."""

    tasks: int
    trials: int
    """Trials of each task in a session."""
    sessions: int
    """Sessions of the window; head has one."""
    rho: float = 0.0
    common: float = 0.0


CASES = (
    Case(1, 10, 3),
    Case(1, 20, 5, rho=0.1),
    Case(20, 1, 1),
    Case(20, 1, 5),
    Case(10, 5, 3),
    Case(20, 10, 5),
    Case(10, 10, 5, rho=0.1),
    Case(10, 20, 5, rho=0.3),
    Case(20, 5, 5, common=0.3),
)


def night(chance: np.random.Generator, rates: Floats, case: Case) -> Side:
    """One session of a suite."""
    moved = rates
    if case.common:
        logit = np.log(rates / (1 - rates)) + chance.normal(0, case.common)
        moved = 1 / (1 + np.exp(-logit))
    if case.rho:
        spread = (1 - case.rho) / case.rho
        moved = chance.beta(moved * spread, (1 - moved) * spread)
    passes = chance.binomial(case.trials, moved)
    return [(int(one), case.trials) for one in passes]


def alarms(case: Case, repeats: int, *, fall: float = 0.0) -> tuple[int, int]:
    """Comparisons with any red row, and with red outcomes, of `repeats` seeded ones;
    every rate is lower by `fall` in head."""
    seed = [case.tasks, case.trials, case.sessions, int(100 * case.rho)]
    chance = np.random.default_rng(seed)
    rows = together = 0
    for _ in range(repeats):
        rates = np.clip(chance.beta(4, 1, case.tasks), 0.05, 0.98)
        base = [night(chance, rates, case) for _ in range(case.sessions)]
        head = [night(chance, np.clip(rates - fall, 0.01, 1), case)]
        report = judge(sides(base, head))
        rows += any(row.verdict is Verdict.REGRESSED for row in report.comparisons)
        whole = report.groups[0].outcomes
        together += any(one.verdict is Verdict.REGRESSED for one in whole)
    return rows, together


def main() -> None:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=400)
    repeats = parser.parse_args().repeats
    print("tasks trials sessions  rho common   any row   outcomes   found -20   (-20)")
    for case in CASES:
        rows, together = alarms(case, repeats)
        found, all_found = alarms(case, repeats // 4, fall=0.2)
        print(
            f"{case.tasks:5} {case.trials:6} {case.sessions:8} {case.rho:4} "
            f"{case.common:6} {rows:4} of {repeats} {together:4} of {repeats} "
            f"{found:4} of {repeats // 4} {all_found:4} of {repeats // 4}",
            flush=True,
        )


if __name__ == "__main__":
    main()

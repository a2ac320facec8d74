"""Runs of many commits become series: sessions, steps, directions, order."""

from __future__ import annotations

import random

import pytest

from gitbench.history import Drift, Name, Reading, Series, Step, series_of
from gitbench.model import Benchmark, Better, Kind

HOUR = 3_600_000


def name(better: Better = Better.LOWER) -> Name:
    """A series' name."""
    return Name(
        Benchmark("sort"),
        "duration",
        "s",
        Kind.DURATION,
        better,
        "unit",
        "ci",
        "f" * 12,
    )


def readings(values: list[float]) -> list[Reading]:
    """One run a commit, an hour apart."""
    return [
        Reading(f"{at:040x}", value, at * HOUR, f"{at}")
        for at, value in enumerate(values)
    ]


def stepping(places: dict[int, float], count: int = 40) -> list[float]:
    """Values about 1, multiplied from each place on."""
    chance = random.Random(1)
    values, level = [], 1.0
    for at in range(count):
        level *= places.get(at, 1.0)
        values.append(level * chance.gauss(1, 0.01))
    return values


def test_sessions_of_a_commit_count_once_each() -> None:
    """Runs of one session are averaged first, then the sessions."""
    some = [
        Reading("c" * 40, center, started_at, f"{center}", session)
        for center, started_at, session in (
            (1.0, 0, None),
            (3.0, 60_000, None),
            (5.0, HOUR, None),
            (8.0, 9 * HOUR, "night"),
            (10.0, 12 * HOUR, "night"),
        )
    ]
    (point,) = series_of(name(), some).points

    assert point.sessions == 3
    assert point.center == pytest.approx((2 + 5 + 9) / 3)
    assert point.started_at == 12 * HOUR
    assert series_of(name(), readings([0.1] * 3)).points[2].center == 0.1


def test_a_step_names_its_commits_and_levels() -> None:
    """Places, levels, change and direction of a step that was planted."""
    found = series_of(name(), readings(stepping({25: 1.3})))

    (step,) = found.steps
    assert (step.place, step.worse, step.gradual) == (25, True, False)
    assert step.earliest <= 25 <= step.latest
    assert step.change == pytest.approx(0.3, abs=0.02)
    assert step.change == pytest.approx(step.newer / step.older - 1)
    assert [(one.first, one.last) for one in found.levels] == [(0, 24), (25, 39)]
    assert found.warnings == ()
    assert found.latest == step


@pytest.mark.parametrize(
    ("better", "worse"),
    [(Better.LOWER, True), (Better.HIGHER, False), (Better.NONE, None)],
)
def test_the_metric_says_which_way_is_worse(better: Better, worse: bool | None) -> None:
    """The same step up is worse, better, or neither."""
    found = series_of(name(better), readings(stepping({25: 1.3})))

    assert found.steps[0].worse is worse
    assert (found.severity > 0, found.severity < 0) == (worse is True, worse is False)


def test_severity_is_that_of_the_latest_change() -> None:
    """An old regression that was mended ranks below a small recent one."""
    mended = series_of(name(), readings(stepping({15: 2.0, 30: 0.5}, 45)))
    recent = series_of(name(), readings(stepping({30: 1.1}, 45)))
    quiet = series_of(name(), readings(stepping({})))

    assert mended.severity < quiet.severity == 0 < recent.severity
    assert len(mended.steps) == 2


def test_a_drift_is_the_latest_change() -> None:
    """A slow trend without a step is told as a drift, with its size."""
    chance = random.Random(2)
    values = [(1 + 0.005 * at) * chance.gauss(1, 0.005) for at in range(60)]
    found = series_of(name(), readings(values))

    assert isinstance(found.latest, Drift)
    assert found.latest.change == pytest.approx(0.3, abs=0.03)
    assert found.severity > 0.2


def test_few_points_and_correlated_points_are_said() -> None:
    """What makes the answer doubtful stands in the warnings."""
    assert "Too few" in series_of(name(), readings([1.0, 2.0])).warnings[0]
    chance, values = random.Random(3), [0.0]
    for _ in range(150):
        values.append(0.7 * values[-1] + chance.gauss(0, 1))
    assert "resemble" in series_of(name(), readings(values)).warnings[0]


def test_a_bad_step_without_a_ratio_ranks_first() -> None:
    """From zero there is no ratio; the step counts and is never left out."""
    found: Series = series_of(name(), readings([0.0] * 20 + [5.0] * 20), least=0.5)

    assert isinstance(found.latest, Step)
    assert found.latest.change is None
    assert found.severity == float("inf")

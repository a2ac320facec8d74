"""The noise of recorded sessions, and what a gate sees through it."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from gitbench.compare.noise import Past, measure, replay, what_if
from gitbench.model import (
    Better,
    CommitRuns,
    Kind,
    Measurement,
    Metric,
    RecordedRun,
    Settings,
)
from tests.factories import TESTBED, make_measurement, make_run


def past(
    sessions: int, rows: int, noise: float = 0.02, seed: int = 1, step: int = 0
) -> Past:
    """Sessions a day apart; the newest `step` of them 50 % slower in the first row."""
    rng = random.Random(seed)
    made = []
    for place in range(sessions):
        measurements: list[Measurement] = []
        for row in range(rows):
            level = (row + 1) * rng.gauss(1, noise)
            level *= 1.5 if row == 0 and place < step else 1
            values = [level * rng.gauss(1, 0.002) for _ in range(5)]
            measurements.append(make_measurement(f"b{row}", values))
        made.append(_session(place, measurements))
    return Past("unit", TESTBED, tuple(made))


def _session(place: int, measurements: list[Measurement]) -> CommitRuns:
    commit = f"{place + 1:040x}"
    started = 10**12 - place * 86_400_000
    run = make_run(measurements, commit=commit, started_at=started)
    return CommitRuns(commit, (RecordedRun(f"{place:016x}", run),))


def test_the_noise_is_that_of_the_sessions() -> None:
    """A row alone: its standard deviation, moderated by the prior of small suites."""
    one = past(8, 1)
    (row,) = measure([one], Settings()).rows
    centers = [
        stats.trim_mean(s.runs[0].run.measurements[0].processes[0], 0.2)
        for s in one.sessions
    ]
    own = np.log(centers).std(ddof=1)
    assert row.own == pytest.approx(own, rel=1e-9)
    assert row.noise == pytest.approx(math.sqrt((7 * own**2 + 2 * 0.02**2) / 9))
    assert row.sessions == 8
    assert row.within == pytest.approx(0.002 / math.sqrt(5), rel=0.3)
    assert row.between == pytest.approx(math.sqrt(row.noise**2 - row.within**2))


def test_the_window_as_it_is_gives_what_the_report_says() -> None:
    """The scenario of the present number of sessions is the headline's sensitivity."""
    noise = measure([past(8, 14)], Settings())
    found = what_if(noise, 8, 0.05)
    shown = noise.detail.report.groups[0].sensitivity
    assert found is not None
    assert shown is not None
    assert (found.half, found.most) == pytest.approx(shown, rel=1e-9)


def test_more_sessions_see_more_and_thresholds_see_less() -> None:
    """Each knob turns the way it is said to."""
    noise = measure([past(8, 14, 0.03)], Settings())

    def half(sessions: int, alpha: float, threshold: float | None) -> float:
        found = what_if(noise, sessions, alpha, threshold)
        assert found is not None
        assert found.half is not None
        return found.half

    assert half(3, 0.05, None) > half(5, 0.05, None) > half(20, 0.05, None)
    assert half(8, 0.01, None) > half(8, 0.05, None)
    assert half(8, 0.05, 0.5) > half(8, 0.05, 0.05)
    strict, loose = what_if(noise, 8, 0.05, 0.2), what_if(noise, 8, 0.05, 0.01)
    assert strict is not None
    assert loose is not None
    assert strict.false_alarms < loose.false_alarms <= 0.05 + 1e-9


def test_a_step_does_not_count_as_noise() -> None:
    """Only the newest level tells how a row varies."""
    quiet = measure([past(8, 1, 0.01)], Settings()).rows[0]
    stepped = measure([past(8, 1, 0.01, step=4)], Settings()).rows[0]
    assert stepped.sessions == 4
    assert stepped.noise < 2 * quiet.noise


def test_one_session_tells_nothing() -> None:
    """What is assumed is not passed off as measured."""
    noise = measure([past(1, 3)], Settings())
    for row in noise.rows:
        assert (row.own_df, row.floor, row.visible) == (0, None, None)
        assert row.weak == "one-session"
    assert what_if(noise, 5, 0.05) is None


@pytest.mark.parametrize(
    ("values", "linear"),
    [((0, 1, 2, 1), True), ((-3, -1, -2, -4), True), ((5, 5, 5, 5), False)],
)
def test_odd_numbers_have_noise_or_none(values: tuple[int, ...], linear: bool) -> None:
    """Zeros and negative values vary in their own unit, constants do not."""
    metric = Metric("balance", "1", Better.LOWER, Kind.COUNT)
    sessions = tuple(
        _session(n, [make_measurement("b", [x], metric)]) for n, x in enumerate(values)
    )
    (row,) = measure([Past("unit", TESTBED, sessions)], Settings()).rows
    assert row.linear == linear
    assert row.visible is None or math.isfinite(row.visible)
    expected = np.std(values, ddof=1) if linear else 0.0
    assert row.own == pytest.approx(expected)


def test_nothing_to_measure_is_no_row() -> None:
    """Exact counts have no noise, and no sessions no rows."""
    metric = Metric("calls", "1", Better.LOWER, Kind.EXACT)
    sessions = tuple(
        _session(n, [make_measurement("b", [5], metric)]) for n in range(3)
    )
    assert measure([Past("unit", TESTBED, sessions)], Settings()).rows == ()
    assert measure([], Settings()).rows == ()


def test_a_replay_counts_what_would_have_been_red() -> None:
    """Unchanged code is quiet, and a step in the history is found once."""
    settings = Settings(required=("nothing/*",))
    quiet = replay(past(12, 14), settings, 10)
    assert (quiet.comparisons, quiet.red, quiet.red_rows) == (10, 0, 0)
    assert quiet.rows == 140
    stepped = replay(past(12, 14, 0.01, step=5), settings, 10)
    assert stepped.red >= 1
    assert stepped.worst[0][0] == "b0, duration"


def test_two_suites_are_one_family() -> None:
    """As in a comparison, p-values are corrected over all suites together."""
    one = past(5, 14)
    two = replace(past(5, 14, seed=9), suite="other")
    both = measure([one, two], Settings())
    assert both.tests == 30
    assert {row.group for row in both.rows} == {0, 1}

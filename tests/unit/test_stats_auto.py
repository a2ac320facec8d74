"""Thresholds that follow from the noise of each row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gitbench.compare import compare
from gitbench.model import (
    Better,
    Comparison,
    GroupSides,
    Kind,
    Metric,
    Report,
    Rule,
    Settings,
    Verdict,
)
from gitbench.stats.auto import FLOOR, MARGIN, auto_threshold
from tests.factories import DURATION, make_measurement, make_sides

V = Verdict


def threshold(
    sd: float, df: float, sessions: int, level: float = 0.05, alpha: float = 0.05
) -> float:
    """The threshold of one row."""
    found = auto_threshold(
        np.array([sd**2]), np.array([df]), np.array([float(sessions)]), level, alpha
    )
    return float(found[0])


# ---------------------------------------------------------------------- the function


@pytest.mark.parametrize("sessions", [3, 5, 10])
@pytest.mark.parametrize("rows", [1, 3, 40, 2000])
@pytest.mark.parametrize("sd", [0.004, 0.01, 0.03])
def test_the_threshold_is_the_formula_rounded_up(
    sd: float, rows: int, sessions: int
) -> None:
    """It is the one of scipy's quantiles, at most a step above."""
    df = sessions - 1 + 4.0
    t = stats.t(df)
    factor = max(t.isf(MARGIN * 0.05 / rows), t.isf(0.05) + t.isf(0.2))
    exact = max(np.expm1(factor * sd * np.sqrt(1 + 1 / sessions)), FLOOR)
    found = threshold(sd, df, sessions, 0.05 / rows)
    step = 0.001 if found < 0.1 else 0.01
    assert exact - 1e-9 <= found <= exact + step + 1e-9
    assert found == pytest.approx(round(found, 3 if step == 0.001 else 2), abs=1e-12)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(
    st.floats(1e-12, 10), st.floats(1e-12, 10), st.integers(1, 50), st.integers(1, 200)
)
def test_noise_widens_and_sessions_narrow(
    one: float, other: float, sessions: int, df: int
) -> None:
    """More noise never gives a lower threshold, more sessions never a higher one; it
    is finite and never below the floor."""
    low, high = sorted((one, other))
    assert FLOOR <= threshold(low, df, sessions) <= threshold(high, df, sessions) < 1000
    assert threshold(low, df, sessions + 1) <= threshold(low, df, sessions)
    assert threshold(low, df + 1, sessions) <= threshold(low, df, sessions)


def test_without_noise_or_degrees_of_freedom_there_is_none() -> None:
    """What is not known is NaN, not a number."""
    assert np.isnan(threshold(0.0, 4, 5))
    assert np.isnan(threshold(0.01, 0, 5))
    assert auto_threshold(*np.empty((3, 0)), 0.05, 0.05).size == 0


# ----------------------------------------------------------------------- in compare


def suite(
    chance: np.random.Generator, noise: list[float], k: int, slower: float = 1.0
) -> GroupSides:
    """One value a row and session, rows with the noise given, the first one slower."""
    centers = 0.01 * np.exp(chance.normal(0, noise, (k + 1, len(noise))))
    centers[0, 0] *= slower
    runs = [
        [make_measurement(f"b{i}", [float(c)]) for i, c in enumerate(run)]
        for run in centers
    ]
    return make_sides(runs[1:], runs[:1])


def judge(given: GroupSides, **options: object) -> Report:
    """The report on one group."""
    return compare([given], Settings(**options), head="HEAD", base="main")  # type: ignore[arg-type]


def rows(report: Report) -> dict[str, Comparison]:
    """Rows by name."""
    return {one.benchmark.name: one for one in report.comparisons}


def test_quiet_rows_get_tighter_limits_than_noisy_ones() -> None:
    """A row of 0.2 % noise is held below 3 %, one of 4 % above 8 %; a rule with a
    fixed threshold keeps it."""
    noise = [0.002] * 6 + [0.04] * 6
    given = suite(np.random.default_rng(3), noise, 8)
    report = judge(given, auto=True, rules=(Rule(benchmark="b0", threshold=0.07),))
    found = rows(report)
    assert (found["b0"].threshold, found["b0"].threshold_auto) == (0.07, False)
    for number in range(1, 12):
        row = found[f"b{number}"]
        assert row.threshold is not None
        assert row.threshold_auto
        assert row.threshold < 0.03 if number < 6 else row.threshold > 0.08
        assert row.limit == pytest.approx(row.threshold)
    by_rule = judge(given, rules=(Rule(benchmark="b1", auto=True),))
    assert [name for name, row in rows(by_rule).items() if row.threshold_auto] == ["b1"]
    assert rows(by_rule)["b1"].threshold == found["b1"].threshold


@pytest.mark.parametrize("number", [3, 30])
def test_head_has_no_part_in_its_own_limit(number: int) -> None:
    """Measured again, slower or with more noise, each limit stays where it was."""
    given = suite(np.random.default_rng(4), [0.01] * number, 6)
    assert given.baseline is not None
    window = [list(c.runs[0].run.measurements) for c in given.baseline.window]
    head = list(given.head.runs[0].run.measurements)
    wild = [make_measurement(m.benchmark.name, [0.005, 0.03, 0.02]) for m in head]
    one, *others = (
        {
            name: (row.threshold, row.threshold_auto)
            for name, row in rows(judge(make_sides(window, runs), auto=True)).items()
        }
        for runs in ([head], [head] * 4, [wild])
    )
    assert all(auto for _, auto in one.values())
    assert others == [one, one]


def test_a_weak_row_falls_back_to_the_fixed_threshold() -> None:
    """With too few sessions no noise is known: the fixed threshold, and it is said."""
    report = judge(suite(np.random.default_rng(5), [0.01] * 3, 2), auto=True)
    for row in report.comparisons:
        assert (row.threshold, row.threshold_auto, row.weak) == (0.05, False, True)
    (warning,) = [w for w in report.groups[0].warnings if "automatic" in w]
    assert warning.startswith("3 rows have too few sessions")


def test_kinds_without_noise_keep_their_thresholds() -> None:
    """A deterministic count stays at 0, and rows without logs at their own limit."""
    count = Metric("instructions", "1", Better.LOWER, Kind.EXACT)
    run = [
        make_measurement("count", [1000.0], metric=count),
        make_measurement("zero", [0.0]),
        make_measurement("still", [5.0], metric=Metric("t", "1", *_TOKENS)),
    ]
    report = judge(make_sides([run] * 5, [run]), auto=True)
    found = {name: row.threshold for name, row in rows(report).items()}
    assert found == {"count": 0.0, "zero": 0.05, "still": 0.05}
    assert not any(row.threshold_auto for row in report.comparisons)


_TOKENS = (Better.LOWER, Kind.TOKENS)


def test_min_change_and_direction_hold_as_with_a_fixed_threshold() -> None:
    """The limit of a throughput points down, and min_change can widen it."""
    rate = Metric("rate", "1/s", Better.HIGHER, Kind.THROUGHPUT)
    chance = np.random.default_rng(6)
    runs = [
        [make_measurement(values=[float(100 * np.exp(chance.normal(0, 0.01)))],
                          metric=rate)]
        for _ in range(9)
    ]  # fmt: skip
    (row,) = judge(make_sides(runs[1:], runs[:1]), auto=True).comparisons
    assert row.threshold is not None
    assert row.limit == pytest.approx(1 / (1 + row.threshold) - 1)
    rules = (Rule(auto=True, min_change=30.0),)
    (wide,) = judge(make_sides(runs[1:], runs[:1]), rules=rules).comparisons
    assert wide.threshold == row.threshold
    assert wide.limit == pytest.approx(-0.3, abs=0.02)
    assert DURATION.better is Better.LOWER


def test_the_suite_s_shift_has_a_limit_of_its_own_noise() -> None:
    """Rows so noisy that their own limits are above 10 % do not hide that all of them
    became 8 % slower at once; a fixed limit of 15 % would."""
    chance = np.random.default_rng(7)
    given = suite(chance, [0.04] * 40, 8)
    head = [
        make_measurement(m.benchmark.name, [m.processes[0][0] * 1.08])
        for m in given.head.runs[0].run.measurements
    ]
    assert given.baseline is not None
    window = [list(c.runs[0].run.measurements) for c in given.baseline.window]
    slower = make_sides(window, [head])
    report = judge(slower, auto=True)
    assert report.groups[0].shifts[0].verdict is V.REGRESSED
    assert judge(slower, threshold=0.15).groups[0].shifts[0].verdict is not V.REGRESSED


# ----------------------------------------------------------------------- error rates


def alarms(noise: list[float], k: int, trials: int, **options: object) -> int:
    """Comparisons of unchanged code with anything red."""
    chance = np.random.default_rng(len(noise) + k)
    return sum(
        judge(suite(chance, noise, k), **options).exit_code == 1 for _ in range(trials)
    )


@pytest.mark.parametrize(
    ("noise", "k", "trials", "most"),
    [([0.002, 0.01, 0.03] * 4, 3, 100, 9), ([0.01], 5, 100, 9)],
)
def test_unchanged_code_raises_few_alarms(
    noise: list[float], k: int, trials: int, most: int
) -> None:
    """At most alpha = 5 % of comparisons are red; 9 of 100 is the 97 % point of it."""
    assert alarms(noise, k, trials, auto=True) <= most


def test_quiet_benchmarks_gain_power() -> None:
    """With 0.3 % noise a change of 4 % is found, which 5 % never does; with 4 % noise
    rows are called unchanged that 5 % leaves undecided."""
    found = {True: 0, False: 0}
    for auto in found:
        chance = np.random.default_rng(8)
        for _ in range(20):
            report = judge(suite(chance, [0.003] * 12, 5, slower=1.04), auto=auto)
            found[auto] += rows(report)["b0"].verdict is V.REGRESSED
    assert found[False] == 0
    assert found[True] >= 19
    decided = {True: 0, False: 0}
    for auto in decided:
        chance = np.random.default_rng(9)
        for _ in range(5):
            report = judge(suite(chance, [0.04] * 12, 5), auto=auto)
            verdicts = [one.verdict for one in report.comparisons]
            decided[auto] += len(verdicts) - verdicts.count(V.INCONCLUSIVE)
    assert decided[True] >= 48  # of 60
    assert decided[False] <= 30

"""Passes of trials: intervals and tests against statsmodels, scipy and the papers."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.stats.paired import task_difference
from gitbench.stats.proportions import (
    Counts,
    Rates,
    correlation,
    effective,
    least_tail,
    mcnemar,
    newcombe,
    newcombe_paired,
    newest_level,
    normal_quantile,
    student_tail,
    tail_exact,
    tail_greater,
    tail_newcombe,
    trials_to_decide,
    wilson,
)

Z95 = normal_quantile(0.025)
HUGE = 2**62


def rates(base: tuple[int, int], head: tuple[int, int]) -> Rates:
    """One row; each side is passes and trials."""
    numbers = (base[0] / base[1], base[1], head[0] / head[1], head[1])
    return Rates(*(np.array([float(one)]) for one in numbers))


def counts(passes: list[list[int]], trials: list[list[int]]) -> Counts:
    """Rows of sessions."""
    return Counts(np.array(passes, dtype=float), np.array(trials, dtype=float))


def test_normal_quantile_agrees_with_scipy() -> None:
    """The quantile of a normal tail is right far out as well."""
    from scipy.stats import norm

    for p in (0.5, 0.3, 0.05, 0.001, 1e-12):
        assert normal_quantile(p) == pytest.approx(float(norm.isf(p)), abs=1e-9)


@pytest.mark.parametrize(
    ("passes", "trials"), [(0, 1), (1, 1), (0, 10), (10, 10), (7, 10), (81, 263)]
)
def test_wilson_agrees_with_statsmodels(passes: int, trials: int) -> None:
    """The score interval of one rate is that of statsmodels, at 0 and n as well."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = wilson(passes / trials, trials, Z95)
    found = proportion_confint(passes, trials, method="wilson")
    assert (float(low), float(high)) == pytest.approx(found, abs=1e-12)


def test_without_trials_a_rate_may_be_anything() -> None:
    """No trial leaves the whole range."""
    low, high = wilson(0.0, 0.0, Z95)
    assert (float(low), float(high)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("head", "base", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_newcombe_gives_the_published_intervals(
    head: tuple[int, int], base: tuple[int, int], low: float, high: float
) -> None:
    """The worked examples of Newcombe 1998, table II, method 10."""
    found = newcombe(rates(base, head), Z95)
    assert float(found[0][0]) == pytest.approx(low, abs=5.1e-5)
    assert float(found[1][0]) == pytest.approx(high, abs=5.1e-5)


@given(st.data())
@settings(max_examples=60, derandomize=True, deadline=None)
def test_newcombe_agrees_with_statsmodels(data: st.DataObject) -> None:
    """Whatever the counts, the interval is that of statsmodels."""
    from statsmodels.stats.proportion import confint_proportions_2indep

    trials = [data.draw(st.integers(1, 400)) for _ in range(2)]
    passes = [data.draw(st.integers(0, n)) for n in trials]
    found = newcombe(rates((passes[1], trials[1]), (passes[0], trials[0])), Z95)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = confint_proportions_2indep(
            passes[0], trials[0], passes[1], trials[1], method="newcomb"
        )
    assert (float(found[0][0]), float(found[1][0])) == pytest.approx(expected, abs=1e-9)


@given(st.integers(1, 60), st.integers(1, 60), st.data())
@settings(max_examples=60, derandomize=True, deadline=None)
def test_tail_is_the_level_at_which_the_interval_reaches_zero(
    n_base: int, n_head: int, data: st.DataObject
) -> None:
    """p and interval agree: at the level p, an end of the interval is zero."""
    base = data.draw(st.integers(0, n_base)), n_base
    head = data.draw(st.integers(0, n_head)), n_head
    row = rates(base, head)
    p = float(tail_newcombe(row)[0])
    if row.difference[0] == 0:
        assert p == 0.5
        return
    if not 1e-9 < p < 1 - 1e-9:  # 1 - p has too few digits left
        return
    low, high = newcombe(row, normal_quantile(min(p, 1 - p)))
    end = low if row.difference[0] > 0 else high
    assert float(end[0]) == pytest.approx(0, abs=1e-7)


@given(st.integers(1, 80), st.integers(1, 80), st.data())
@settings(max_examples=60, derandomize=True, deadline=None)
def test_exact_tail_is_the_hypergeometric_one(
    n_base: int, n_head: int, data: st.DataObject
) -> None:
    """The mid-p value is made of scipy's hypergeometric distribution."""
    from scipy.stats import hypergeom

    base = data.draw(st.integers(0, n_base))
    head = data.draw(st.integers(0, n_head))
    law = hypergeom(n_base + n_head, base + head, n_head)
    expected = law.sf(head) + law.pmf(head) / 2
    found = tail_exact(rates((base, n_base), (head, n_head)))
    assert float(found[0]) == pytest.approx(float(expected), abs=1e-12)


@given(st.integers(1, 50), st.integers(1, 50), st.data())
@settings(max_examples=60, derandomize=True, deadline=None)
def test_failures_mirror_passes(n_base: int, n_head: int, data: st.DataObject) -> None:
    """Counting failures instead of passes turns the tail around."""
    base = data.draw(st.integers(0, n_base))
    head = data.draw(st.integers(0, n_head))
    there = tail_greater(rates((base, n_base), (head, n_head)))
    back = tail_greater(rates((n_base - base, n_base), (n_head - head, n_head)))
    assert float(there[0]) == pytest.approx(1 - float(back[0]), abs=1e-9)


def largest_size(n_base: int, n_head: int, level: float, tail: object) -> float:
    """Largest chance, over all rates, to find a fall below `level` where none is."""
    from scipy.stats import binom

    base, head = np.meshgrid(np.arange(n_base + 1), np.arange(n_head + 1))
    shape = base.shape
    row = Rates(
        (base / n_base).ravel(),
        np.full(base.size, float(n_base)),
        (head / n_head).ravel(),
        np.full(base.size, float(n_head)),
    )
    red = (1 - tail(row)).reshape(shape) < level  # type: ignore[operator]
    return max(
        float(
            (
                binom.pmf(np.arange(n_base + 1), n_base, q)
                * binom.pmf(np.arange(n_head + 1), n_head, q)[:, None]
                * red
            ).sum()
        )
        for q in np.linspace(0.02, 0.99, 98)
    )


@pytest.mark.parametrize(
    ("n_base", "n_head"), [(5, 1), (10, 3), (50, 3), (10, 10), (50, 10), (100, 5)]
)
@pytest.mark.parametrize("level", [0.05, 0.0025])
def test_false_alarms_stay_near_the_level(
    n_base: int, n_head: int, level: float
) -> None:
    """Whatever the rate, an unchanged one is found worse hardly more often than the
    level says, with a window of many trials and a head of few as well."""
    assert largest_size(n_base, n_head, level, tail_greater) <= 1.1 * level


def test_newcombe_alone_would_raise_false_alarms() -> None:
    """With 100 trials against 5 the inverted interval is seven times too sure."""
    assert largest_size(100, 5, 0.0025, tail_newcombe) > 7 * 0.0025


def test_rows_without_a_possible_finding_are_known_beforehand() -> None:
    """The least p-value is that of a head without a single pass."""
    row = rates((9, 10), (9, 10))
    fallen = rates((9, 10), (0, 10))
    assert float(least_tail(row)[0]) == pytest.approx(
        1 - float(tail_greater(fallen)[0])
    )
    assert float(least_tail(rates((1, 1), (1, 1)))[0]) > 0.05


def test_counts_beyond_the_digits_of_floats_are_tested() -> None:
    """Rates of 2^62 trials have narrow intervals and no overflow."""
    row = rates((HUGE // 2, HUGE), (HUGE // 2 - HUGE // 1000, HUGE))
    low, high = newcombe(row, Z95)
    assert low[0] == pytest.approx(-0.001, rel=1e-5)
    assert high[0] == pytest.approx(-0.001, rel=1e-5)
    assert float(tail_greater(row)[0]) == 1.0
    equal = rates((HUGE, HUGE), (HUGE, HUGE))
    assert float(tail_greater(equal)[0]) == 0.5


def test_students_tail_is_heavier() -> None:
    """A tail on few degrees of freedom is that of Student's t at the same distance."""
    from scipy.stats import norm, t

    p = np.array([0.01, 0.99, 0.2, 1e-8])
    df = np.array([3.0, 3.0, np.inf, 5.0])
    expected = [
        t.sf(norm.isf(0.01), 3),
        1 - t.sf(norm.isf(0.01), 3),
        0.2,
        t.sf(norm.isf(1e-8), 5),
    ]
    assert student_tail(p, df) == pytest.approx(expected, rel=1e-9)


# -------------------------------------------------------------- correlated trials


def test_sessions_that_agree_have_no_correlation() -> None:
    """Sessions no further apart than chance keep all their trials."""
    base = counts([[8, 7, 9, 8]], [[10, 10, 10, 10]])
    head = counts([[8]], [[10]])
    rho, df = correlation(base, head, np.array([True]))
    assert rho[0] == 0
    assert math.isinf(df[0])
    assert effective(base, rho)[0] == 40


def test_correlation_is_found_by_moments() -> None:
    """The estimate is near the truth for many sessions of a beta-binomial row."""
    chance = np.random.default_rng(5)
    true, size, k = 0.2, 20, 4000
    spread = (1 - true) / true
    chances = chance.beta(0.7 * spread, 0.3 * spread, k)
    passes = chance.binomial(size, chances)
    base = counts([passes.tolist()], [[size] * k])
    head = counts([[14]], [[20]])
    rho, _ = correlation(base, head, np.array([True]))
    assert rho[0] == pytest.approx(true, abs=0.02)
    # Rao and Scott: 20 correlated trials of one session are worth 20 / (1 + 19 rho).
    assert effective(head, rho)[0] == pytest.approx(20 / (1 + 19 * rho[0]))


def test_single_trials_tell_nothing_of_correlation() -> None:
    """With one trial a session, and with rates of 0 or 1, trials count in full."""
    base = counts([[1, 0, 1, 1], [5, 5, 5, 5]], [[1, 1, 1, 1], [5, 5, 5, 5]])
    head = counts([[1], [0]], [[1], [5]])
    rho, _ = correlation(base, head, np.array([True, True]))
    assert rho.tolist() == [0, 0]


def test_a_step_in_the_window_is_cut() -> None:
    """Six sessions after a fall are one level; noise and three sessions are not cut."""
    fall = [72, 70, 71, 73, 69, 70, 95, 96, 94, 95]
    calm = [95, 92, 96, 94, 97, 93, 95, 96, 94, 95]
    window = counts([fall, calm], [[100] * 10] * 2)
    assert newest_level(window, np.array([0.05, 0.05])).tolist() == [6, 10]
    short = counts([[10, 90, 90]], [[100] * 3])
    assert newest_level(short, np.array([0.05])).tolist() == [3]
    assert newest_level(window, np.array([0.5, 0.5])).tolist() == [10, 10]


# ------------------------------------------------------------------- paired tasks


@pytest.mark.parametrize("lost", [0, 1, 5, 12])
@pytest.mark.parametrize("gained", [0, 2, 7])
def test_mcnemar_agrees_with_statsmodels(lost: int, gained: int) -> None:
    """Twice the smaller tail is the exact two-sided p-value of statsmodels."""
    from statsmodels.stats.contingency_tables import mcnemar as reference

    found = mcnemar(lost, gained)
    expected = reference([[30, lost], [gained, 3]], exact=True).pvalue
    assert min(1.0, 2 * min(found)) == pytest.approx(expected, abs=1e-12)


def test_mcnemar_takes_many_flips() -> None:
    """Ten thousand flips overflow nothing."""
    more, fewer = mcnemar(6000, 4000)
    assert 0 < more < 1e-80
    assert fewer == pytest.approx(1)


def test_paired_interval_gives_the_published_example() -> None:
    """Newcombe 1998b: 36 pass twice, 12 and 2 flip: 0.2000, 0.0569 to 0.3404."""
    low, high = newcombe_paired(36, 12, 2, 0, Z95)
    assert (-high, -low) == pytest.approx((0.0569, 0.3404), abs=5.1e-5)


@pytest.mark.parametrize(
    "table", [(0, 0, 0, 5), (5, 0, 0, 0), (0, 5, 0, 0), (1, 1, 1, 1)]
)
def test_paired_interval_of_extreme_tables(table: tuple[int, int, int, int]) -> None:
    """It stays within [-1, 1], has a width, and holds the difference."""
    low, high = newcombe_paired(*table, Z95)
    delta = (table[2] - table[1]) / sum(table)
    assert -1 <= low <= delta <= high <= 1
    assert high > low


def test_task_difference_is_the_paired_t_test() -> None:
    """With one session of many trials a side it is scipy's test of the rates."""
    from scipy.stats import ttest_rel

    base = [90, 60, 80, 95, 40, 70, 85]
    head = [70, 65, 50, 90, 30, 60, 60]
    found = task_difference(
        counts([[one] for one in base], [[100]] * 7),
        counts([[one] for one in head], [[100]] * 7),
        0.05,
    )
    expected = ttest_rel(head, base, alternative="greater")
    interval = ttest_rel(head, base).confidence_interval(0.9)
    assert found.p_greater == pytest.approx(float(expected.pvalue), rel=1e-9)
    assert found.low == pytest.approx(interval.low / 100)
    assert found.high == pytest.approx(interval.high / 100)


def test_tasks_that_agree_still_have_the_noise_of_their_trials() -> None:
    """Five tasks that fell alike, by one trial of two, are not proof."""
    found = task_difference(
        counts([[2]] * 5, [[2]] * 5), counts([[1]] * 5, [[2]] * 5), 0.05
    )
    assert 1e-4 < 1 - found.p_greater < 0.05
    still = task_difference(
        counts([[2]] * 5, [[2]] * 5), counts([[2]] * 5, [[2]] * 5), 0.05
    )
    assert (still.delta, still.low, still.high, still.p_greater) == (0, 0, 0, 0.5)


def test_nights_that_vary_as_a_whole_widen_the_interval() -> None:
    """Sessions in which all tasks fare well or badly are noise of the suite."""
    calm = [[8, 8, 8, 8] for _ in range(8)]
    wild = [[10, 6, 10, 6] for _ in range(8)]
    head = counts([[6]] * 8, [[10]] * 8)
    trials = [[10] * 4] * 8
    widths = []
    for passes in (calm, wild):
        found = task_difference(counts(passes, trials), head, 0.05)
        widths.append(found.high - found.low)
    assert widths[1] > 1.5 * widths[0]


# ------------------------------------------------------------------ how many trials


@pytest.mark.parametrize("rate", [0.0, 0.5, 0.8, 1.0])
def test_trials_to_decide_are_the_fewest(rate: float) -> None:
    """One trial less, and the interval of two equal rates reaches the margin."""
    n = trials_to_decide(rate, 0.05, 0.05)
    assert n is not None
    z = normal_quantile(0.05)

    def reach(trials: int) -> float:
        row = Rates(*(np.array([x]) for x in (rate, float(trials)) * 2))
        low, high = newcombe(row, z)
        return max(-float(low[0]), float(high[0]))

    assert reach(n) < 0.05 <= reach(n - 1)


def test_no_number_of_trials_decides_without_a_margin() -> None:
    """Nothing shows that a rate did not change at all."""
    assert trials_to_decide(0.5, 0.0, 0.05) is None
    assert trials_to_decide(0.5, 1e-9, 0.05) is None

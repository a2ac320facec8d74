"""Rank tests against scipy and statsmodels, and where those have no answer."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.nonparametric import rank_compare_2indep

from gitbench.stats.ranks import (
    brunner_munzel,
    can_reject,
    mann_whitney,
    smallest_p,
)

ALPHA = 0.05
SIZES = [(4, 3), (5, 2), (20, 1), (5, 5), (10, 6), (3, 10), (20, 20)]
"""Sessions of the window and of head."""


def samples(m: int, n: int, rows: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Rows of both sides without ties; head is greater by half a deviation."""
    rng = np.random.default_rng(100 * m + n)
    return rng.normal(size=(rows, m)), rng.normal(0.5, 1, size=(rows, n))


@pytest.mark.parametrize(("m", "n"), SIZES)
def test_mann_whitney_agrees_with_scipy(m: int, n: int) -> None:
    """Without ties p-values are scipy's exact ones, both ways, and the estimate is
    the median of all differences."""
    base, head = samples(m, n)
    found = mann_whitney(base, head, ALPHA)
    for name, side in (("p_worse", "greater"), ("p_better", "less")):
        exact = stats.mannwhitneyu(head, base, alternative=side, method="exact", axis=1)
        assert np.allclose(getattr(found, name), exact.pvalue, rtol=1e-10)
    each = head[:, :, None] - base[:, None, :]
    assert np.allclose(found.delta, np.median(each, axis=(1, 2)))


def test_mann_whitney_of_many_sessions_is_scipys_approximation() -> None:
    """Beyond a thousand pairs the normal approximation is used."""
    base, head = samples(40, 40, rows=5)
    found = mann_whitney(base, head, ALPHA)
    normal = stats.mannwhitneyu(
        head, base, alternative="greater", method="asymptotic", axis=1
    )
    assert np.allclose(found.p_worse, normal.pvalue, rtol=1e-10)
    assert np.all((found.p_worse <= ALPHA) == (found.low > 0))


@given(
    st.lists(st.integers(0, 4), min_size=2, max_size=6),
    st.lists(st.integers(0, 4), min_size=2, max_size=6),
)
@settings(derandomize=True, max_examples=60, deadline=None)
def test_ties_are_counted_exactly(base: list[int], head: list[int]) -> None:
    """With ties the p-value is the share of all arrangements of the same numbers
    whose rank sum is at least as large."""
    both = np.array([*base, *head], dtype=float)
    ranks = stats.rankdata(both)
    n = len(head)
    sums = [sum(some) for some in combinations(ranks.tolist(), n)]
    observed = ranks[len(base) :].sum()
    expected = np.mean(np.array(sums) >= observed - 1e-9)
    found = mann_whitney(both[None, : len(base)], both[None, len(base) :], ALPHA)
    if both.min() == both.max():
        assert found.p_worse[0] == found.p_better[0] == 0.5
    else:
        assert found.p_worse[0] == pytest.approx(expected, rel=1e-9)


def test_ties_agree_with_a_permutation_test_of_scipy() -> None:
    """The same on a row that scipy permutes."""
    base, head = np.array([1, 2, 2, 3, 5.0]), np.array([2, 3, 3, 6.0])
    every = stats.PermutationMethod(n_resamples=10**6)
    expected = stats.mannwhitneyu(head, base, alternative="greater", method=every)
    found = mann_whitney(base[None], head[None], ALPHA)
    assert found.p_worse[0] == pytest.approx(expected.pvalue, rel=1e-9)


@pytest.mark.parametrize("test", [mann_whitney, brunner_munzel])
@pytest.mark.parametrize(("m", "n"), [(5, 5), (10, 4), (4, 4), (12, 12)])
def test_the_interval_is_the_test_inverted(test: object, m: int, n: int) -> None:
    """Zero is outside the interval exactly where the test is significant, and a
    shift of head moves the interval with it."""
    base, head = samples(m, n)
    found = test(base, head, ALPHA)  # type: ignore[operator]
    assert np.array_equal(found.p_worse <= ALPHA, found.low > 0)
    assert np.array_equal(found.p_better <= ALPHA, found.high < 0)
    moved = test(base, head + 3, ALPHA)  # type: ignore[operator]
    for name in ("delta", "low", "high"):
        assert np.allclose(getattr(moved, name), getattr(found, name) + 3)


@pytest.mark.parametrize(("m", "n"), [(5, 5), (10, 4), (10, 10)])
def test_brunner_munzel_is_never_below_statsmodels(m: int, n: int) -> None:
    """The p-value is that of statsmodels, or the exact one where that is greater; in
    the middle of the distribution they are close."""
    base, head = samples(m, n)
    found = brunner_munzel(base, head, ALPHA)
    for row in range(len(base)):
        reference = rank_compare_2indep(head[row], base[row], use_t=True)
        expected = reference.test_prob_superior(alternative="larger").pvalue
        if np.isnan(expected):
            continue
        assert found.p_worse[row] >= expected - 1e-12
        if 0.1 < expected < 0.9:
            assert found.p_worse[row] == pytest.approx(expected, abs=0.05)


def test_the_bound_of_brunner_munzel_counts_all_arrangements() -> None:
    """On four and four sessions the exact p-value is that of a permutation test of
    the same statistic."""
    base, head = np.array([1.0, 2, 4, 7]), np.array([5.0, 6, 8, 9])
    both = np.concatenate((base, head))
    observed = stats.brunnermunzel(base, head).statistic
    beyond = 0
    for some in combinations(range(8), 4):
        mine = np.array([one in some for one in range(8)])
        with np.errstate(all="ignore"):
            other = stats.brunnermunzel(
                both[~mine], both[mine], distribution="normal"
            ).statistic
        beyond += bool(other >= observed - 1e-9)
    found = brunner_munzel(base[None], head[None], ALPHA)
    t = stats.brunnermunzel(base, head, alternative="less").pvalue
    assert found.p_worse[0] == pytest.approx(max(beyond / 70, t))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("test", [mann_whitney, brunner_munzel])
def test_separation_and_constants_have_an_answer(test: object) -> None:
    """Where scipy and statsmodels give NaN: groups apart have the smallest p-value
    their sizes allow, equal constants 1/2, constants that differ the smallest too."""
    base = np.array([[1.0, 2, 3, 4], [1, 1, 1, 1], [1, 1, 1, 1]])
    head = np.array([[5.0, 6, 7, 8], [1, 1, 1, 1], [2, 2, 2, 2]])
    found = test(base, head, ALPHA)  # type: ignore[operator]
    assert found.p_worse.tolist() == pytest.approx([1 / 70, 0.5, 1 / 70])
    assert found.p_better[[0, 2]].tolist() == pytest.approx([1, 1])
    assert found.delta.tolist() == [4, 0, 1]
    assert found.low.tolist()[1:] == found.high.tolist()[1:] == [0, 1]


def test_the_smallest_p_value_is_one_arrangement() -> None:
    """1 / C(n + m, n), and three and three sessions cannot have p < .05."""
    for m, n in SIZES:
        assert smallest_p(m, n) == pytest.approx(1 / math.comb(m + n, n), rel=1e-12)
    assert smallest_p(np.array([4, 0]), np.array([3, 3])).tolist() == [
        pytest.approx(1 / 35),
        1.0,
    ]
    able = [(4, 3), (5, 2), (20, 1)]
    unable = [(3, 3), (4, 2), (19, 1), (1, 1), (5, 0)]
    assert [bool(can_reject(m, n, ALPHA)) for m, n in able] == [True] * 3
    assert [bool(can_reject(m, n, ALPHA)) for m, n in unable] == [False] * 5


NUMBERS = st.lists(st.floats(-5, 5).map(lambda x: round(x, 2)), min_size=4, max_size=6)


@pytest.mark.parametrize("test", [mann_whitney, brunner_munzel])
@given(NUMBERS, NUMBERS)
@settings(derandomize=True, max_examples=40, deadline=None)
def test_swapped_sides_and_other_units_mirror(
    test: object, base: list[float], head: list[float]
) -> None:
    """Sides swapped give the mirror image, and a power of two as unit changes no
    p-value; nothing is ever NaN."""
    x, y = np.array([base]), np.array([head])
    found, swapped, scaled = (
        test(x, y, ALPHA),  # type: ignore[operator]
        test(y, x, ALPHA),  # type: ignore[operator]
        test(1024 * x, 1024 * y, ALPHA),  # type: ignore[operator]
    )
    assert np.allclose(found.p_worse, swapped.p_better)
    assert np.allclose(found.delta, -swapped.delta)
    assert np.allclose(found.low, -swapped.high)
    assert np.allclose(found.p_worse, scaled.p_worse)
    assert np.allclose(1024 * found.low, scaled.low)
    for name in ("delta", "p_worse", "p_better", "low", "high"):
        assert not np.isnan(getattr(found, name)).any()

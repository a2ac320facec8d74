"""Tests that a user may choose: against the references, and their false alarms."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gitbench.stats.methods import TESTS, compare_groups, find_lack
from gitbench.stats.moderated import Change
from gitbench.stats.multiple import benjamini_hochberg
from gitbench.stats.power import detectable, sessions_needed
from gitbench.stats.ranks import brunner_munzel, mann_whitney, smallest_p

ALPHA = 0.05
NEVER = 1e9
"""A step that no window has."""


def compared(method: str, window: object, head: object, least: float = NEVER) -> Change:
    """The change by `method`."""
    base = np.atleast_2d(np.array(window, dtype=float))
    there = np.atleast_2d(np.array(head, dtype=float))
    return compare_groups(method, base, there, np.full(len(base), least), ALPHA)[0]


def sides(k: int, n: int, rows: int, spread: float = 1.0, seed: int = 0) -> list:
    """Noise of 1 % on both sides; head's is `spread` times as large."""
    rng = np.random.default_rng(seed)
    return [rng.normal(0, s, (rows, c)) for c, s in ((k, 0.01), (n, 0.01 * spread))]


def test_welch_agrees_with_scipy() -> None:
    """p-values, degrees of freedom and interval, gaps in rows included."""
    window, head = sides(6, 5, 30)
    window[::3, 1] = head[::2, 0] = np.nan
    found = compared("welch", window, head)
    expected = stats.ttest_ind(
        head, window, axis=1, equal_var=False, nan_policy="omit", alternative="greater"
    )
    assert np.allclose(found.p_worse, expected.pvalue, rtol=1e-8)
    assert np.allclose(found.p_better, 1 - expected.pvalue)
    assert np.allclose(found.df, expected.df)
    two = stats.ttest_ind(head, window, axis=1, equal_var=False, nan_policy="omit")
    ends = two.confidence_interval(1 - 2 * ALPHA)
    assert np.allclose(found.delta + found.half_width, ends.high)
    assert np.allclose(found.delta - found.below, ends.low)


@pytest.mark.parametrize("method", TESTS)
def test_a_step_of_the_window_is_cut(method: str) -> None:
    """Head at the window's newest level is unchanged, though twice what was."""
    rng = np.random.default_rng(3)
    window = rng.normal(0, 0.005, (1, 10))
    window[0, :5] += 0.5
    head = rng.normal(0.5, 0.005, (1, 5))
    found = compared(method, window, head, least=0.05)
    assert (found.levels.newest[0], abs(found.delta[0]) < 0.02) == (5, True)
    assert found.p_worse[0] > 0.05
    assert found.delta_older[0] == pytest.approx(0.5, abs=0.02)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", TESTS)
@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("k", [1, 2, 5, 10])
def test_degenerate_rows_have_numbers(method: str, k: int, n: int) -> None:
    """One and two sessions, constants, separation, ties, and the ends of the range of
    floats: never NaN, never a warning."""
    rows = [
        ([1.0] * k, [1.0] * n),
        ([1.0] * k, [2.0] * n),
        (range(k), range(20, 20 + n)),
        ([0, 1] * k, [1, 0] * n),
        ([np.log(1e-300)] * k, [np.log(1e300)] * n),
        ([0.0, 1e-13] * k, [1e-13, 0.0] * n),
        (np.linspace(-1, 1, k), np.linspace(-1, 1, n)),
    ]
    window = [list(base)[:k] for base, _ in rows]
    head = [list(there)[:n] for _, there in rows]
    found = compared(method, window, head)
    for name in ("delta", "p_worse", "p_better", "half_width", "below", "variance"):
        numbers = getattr(found, name)
        assert np.isfinite(numbers).all(), (name, numbers)
    assert np.all((found.p_worse >= 0) & (found.p_worse <= 1))
    # Equal constants have no variance, and neither has what is only rounding.
    assert found.variance[[0, 5]].tolist() == [0, 0]
    assert found.p_worse[0] == 0.5


def lack(method: str, k: int, n: int) -> tuple[int, int]:
    """What k and n sessions lack."""
    found = find_lack(method, np.array([k]), np.array([n]), ALPHA)
    return int(found.window[0]), int(found.head[0])


def test_minimums() -> None:
    """What each method needs of the window and of head."""
    assert lack("welch", 1, 1) == (1, 1)
    assert lack("welch", 2, 2) == lack("welch", 4, 2) == (0, 0)
    assert lack("welch", 10, 2) == (0, 3)
    assert lack("welch", 10, 5) == lack("welch", 30, 5) == (0, 0)
    assert lack("welch", 2, 6) == (1, 0)
    assert lack("brunner-munzel", 10, 1) == (0, 3)
    assert lack("brunner-munzel", 3, 4) == (1, 0)
    assert lack("mann-whitney", 10, 1) == (0, 1)
    assert lack("mann-whitney", 3, 1) == (0, 3)
    assert lack("mann-whitney", 1, 1) == (0, 19)
    assert lack("mann-whitney", 5, 2) == lack("mann-whitney", 20, 1) == (0, 0)
    # At an alpha of one in a million one session a side is never enough.
    never = find_lack("mann-whitney", np.array([1]), np.array([1]), 1e-6)
    assert (never.head.tolist(), bool(never.testable[0])) == ([-1], False)


def test_what_ranks_cannot_see_is_not_promised() -> None:
    """With 10 and 2 sessions ranks have p = 1/66 at best: a level below that is out
    of reach, and a third session of head brings it back."""
    found = compared("mann-whitney", *sides(10, 2, 1))
    limit = np.array([0.05])
    assert found.floor == pytest.approx([1 / 66])
    assert np.isinf(detectable(found, limit, 0.01)).all()
    assert np.isfinite(detectable(found, limit, 0.02)).all()
    slow = compared("mann-whitney", sides(10, 2, 1)[0], [0.5, 0.51])
    outlook = sessions_needed(slow, limit, limit, 0.01, ALPHA)
    assert outlook.sessions.tolist() == [1]


ROW = st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=4, max_size=6)


@pytest.mark.parametrize("method", TESTS)
@given(ROW, ROW)
@settings(derandomize=True, max_examples=25, deadline=None)
def test_mirror_and_scale(
    method: str, base: Sequence[float], head: Sequence[float]
) -> None:
    """Sides swapped, signs turned, and another unit: the same evidence."""
    found = compared(method, base, head)
    swapped = compared(method, head, base)
    turned = compared(method, [-x for x in base], [-x for x in head])
    moved = compared(method, [x + 2.0 for x in base], [x + 2.0 for x in head])
    for other in (swapped, turned):
        assert np.allclose(found.p_worse, other.p_better, atol=1e-9)
        assert np.allclose(found.delta, -other.delta)
        assert np.allclose(found.half_width, other.below, atol=1e-9)
    assert np.allclose(found.delta, moved.delta)


def alarms(method: str, k: int, n: int, spread: float = 1.0) -> tuple[float, float]:
    """Share of unchanged rows with p < .05, and of comparisons of 20 unchanged rows
    with anything significant after correction; whatever the minimum."""
    number = 60 if method == "brunner-munzel" else 500
    number = 400 if method == "t approximation" else number
    window, head = sides(k, n, 20 * number, spread, seed=7)
    if method == "welch":
        test = stats.ttest_ind(
            head, window, axis=1, equal_var=False, alternative="greater"
        )
        p = test.pvalue
    elif method == "t approximation":
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            test = stats.brunnermunzel(window, head, alternative="less", axis=1)
        # NaN where the groups lie apart; one arrangement has the smallest p-value.
        p = np.maximum(test.pvalue, smallest_p(k, n))
        p = np.where(np.isnan(p), smallest_p(k, n), p)
        p[(head.max(axis=1) < window.min(axis=1))] = 1
    else:
        test = mann_whitney if method == "mann-whitney" else brunner_munzel
        p = test(window, head, ALPHA).p_worse
    family = [(benjamini_hochberg(row) < ALPHA).any() for row in p.reshape(-1, 20)]
    shares = float(np.mean(p < ALPHA)), float(np.mean(family))
    print(f"\n{method}, {k} and {n}, x {spread:g}: {shares[0]:.3f} {shares[1]:.3f}")
    return shares


@pytest.mark.parametrize(
    ("method", "k", "n", "row", "comparison"),
    [
        ("welch", 2, 2, 0.06, 0.06),
        ("welch", 4, 2, 0.06, 0.08),
        ("welch", 10, 5, 0.06, 0.08),
        ("mann-whitney", 5, 2, 0.06, 0.06),
        ("mann-whitney", 4, 3, 0.06, 0.06),
        ("mann-whitney", 10, 5, 0.06, 0.08),
        ("brunner-munzel", 4, 4, 0.06, 0.08),
        ("brunner-munzel", 10, 5, 0.065, 0.1),
    ],
)
def test_false_alarms(
    method: str, k: int, n: int, row: float, comparison: float
) -> None:
    """At its minimum and above it, a method keeps alpha on noise that is alike on
    both sides (at most 2 and 3 points above, which is what chance does to so few)."""
    found = alarms(method, k, n)
    assert found[0] <= row
    assert found[1] <= comparison


def test_why_the_minimums_are_what_they_are() -> None:
    """Below them, Welch's test on 10 and 2 sessions raises alarms in a quarter of
    comparisons, and Brunner-Munzel's on 10 and 3 is misled by a noisy head."""
    assert alarms("welch", 10, 2)[1] > 0.2
    assert alarms("welch", 10, 3)[1] > 0.08
    alarms("welch", 20, 5)
    three, four, five = (alarms("brunner-munzel", 10, n, 4.0)[0] for n in (3, 4, 5))
    assert three > 0.09
    assert three > four > five
    assert five < 0.07


def test_why_brunner_munzel_has_a_bound() -> None:
    """Its t approximation alone, as in scipy and statsmodels, raises alarms in many
    comparisons of 20 unchanged rows."""
    assert alarms("t approximation", 10, 5)[1] > 0.12
    assert alarms("t approximation", 10, 10)[1] > 0.07


def test_a_noisier_head_misleads_ranks_and_not_welch() -> None:
    """With a head four times as noisy and half as many sessions Mann-Whitney's test
    is significant in 10 % of unchanged rows, Welch's in 5 %."""
    assert alarms("mann-whitney", 10, 5, 4.0)[0] > 0.08
    assert alarms("welch", 10, 5, 4.0)[0] < 0.065

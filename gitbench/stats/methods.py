"""Tests that a user may choose instead of the moderated t: two groups of sessions.

Each row is tested by itself, as measured: no shift of the suite is taken away and no
variance is borrowed.  What they share with the default procedure is the step in the
window: sessions before it are no part of the baseline.

Heavy libraries are imported by the test that needs them: statsmodels by Welch's and
Brunner-Munzel's, scipy by Mann-Whitney's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gitbench.stats import ranks
from gitbench.stats.moderated import Change
from gitbench.stats.rows import row_means
from gitbench.stats.step import Levels, find_levels
from gitbench.stats.variance import ROUNDING

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]

WELCH_SESSIONS = 2
"""A variance of its own for each side needs two sessions there."""

WELCH_ENOUGH = 5
"""Below, the smaller side needs half as many sessions as the other: two that agree by
chance hide their noise, and the tail of the test is then too light.  Of 20 unchanged
rows, corrected, any was significant in 27 % of comparisons of 10 and 2 sessions, in
12 % of 10 and 3, in 6 % of 10 and 5 (tests/unit/test_stats_methods.py)."""

BRUNNER_MUNZEL_SESSIONS = 4
"""With three, unchanged rows whose head is four times as noisy are significant in 11 %
at alpha 5 %; with four in 8 %, with five in 5 % (tests/unit/test_stats_methods.py)."""

MOST_SESSIONS = 50
"""How many sessions are ever asked for."""

EFFICIENCY = 3 / np.pi
"""Of ranks against means on normal noise (Hodges and Lehmann 1956); for planning."""


@dataclass(frozen=True, slots=True)
class Lack:
    """Sessions that rows lack until their method can test them, both (m,).

    -1 where even `MOST_SESSIONS` would not do.
    """

    window: Ints
    """Of the newest level of the window."""
    head: Ints

    @property
    def testable(self) -> Bools:
        found: Bools = (self.window == 0) & (self.head == 0)
        return found


def find_lack(method: str, window: Ints, head: Ints, alpha: float) -> Lack:
    """What rows with so many sessions a side lack for `method`."""
    if method == "mann-whitney":
        return _rank_lack(window, head, alpha)
    if method == "welch":
        return Lack(_welch_lack(window, head), _welch_lack(head, window))
    least = BRUNNER_MUNZEL_SESSIONS
    return Lack(np.maximum(least - window, 0), np.maximum(least - head, 0))


def _welch_lack(here: Ints, there: Ints) -> Ints:
    """Sessions that a side with `here` of them lacks against one with `there`."""
    half = np.minimum((there + 1) // 2, WELCH_ENOUGH)
    lack: Ints = np.maximum(np.maximum(half, WELCH_SESSIONS) - here, 0)
    return lack


def _rank_lack(window: Ints, head: Ints, alpha: float) -> Lack:
    """Further sessions of head until a p-value below alpha is possible."""
    more = np.full(window.size, -1, dtype=np.intp)
    for further in range(MOST_SESSIONS, -1, -1):
        more[ranks.can_reject(window, head + further, alpha)] = further
    return Lack(np.zeros(window.size, dtype=np.intp), more)


def compare_groups(
    method: str, window: Floats, head: Floats, least: Floats, alpha: float
) -> tuple[Change, Lack]:
    """Test head against the newest level of the window by `welch`, `mann-whitney` or
    `brunner-munzel`.

    `window` (m, k) newest first and `head` (m, n) on logs or on a linear scale,
    greater is worse, NaN where a row is absent; every row has a session on each side.
    `least` (m,) is the smallest step that cuts a row's window.  Rows that lack
    sessions get the difference of the means and no variance.
    """
    levels = find_levels(window, least)
    sessions = np.count_nonzero(~np.isnan(head), axis=1)
    lack = find_lack(method, levels.newest, sessions, alpha)
    numbers = _Numbers.without_test(levels, head)
    older = np.asarray(levels.center - levels.older)
    base, head = _packed(window), _packed(head)
    sizes = list(zip(levels.newest.tolist(), sessions.tolist(), strict=True))
    testable = lack.testable
    for m, n in sorted({sizes[row] for row in np.flatnonzero(testable).tolist()}):
        rows = np.flatnonzero(testable & (levels.newest == m) & (sessions == n))
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            TESTS[method](numbers, rows, base[rows, :m], head[rows, :n], alpha)
    floor = None
    if method != "welch":
        floor = ranks.smallest_p(levels.newest, sessions)
    change = Change(
        levels=levels,
        sessions=sessions,
        delta=numbers.delta,
        delta_older=numbers.delta + older,
        base_variance=numbers.base_variance,
        head_variance=numbers.head_variance,
        variance=numbers.variance,
        response_variance=np.zeros(sessions.size),
        df=numbers.df,
        p_worse=numbers.p_worse,
        half_width=numbers.above,
        p_less=numbers.p_better,
        half_width_better=numbers.below,
        floor=floor,
    )
    return change, lack


@dataclass(slots=True)
class _Numbers:
    """What a test fills in for its rows, all (m,)."""

    delta: Floats
    base_variance: Floats
    head_variance: Floats
    variance: Floats
    df: Floats
    p_worse: Floats
    p_better: Floats
    above: Floats
    """From delta to the ends of the interval."""
    below: Floats

    @classmethod
    def without_test(cls, levels: Levels, head: Floats) -> _Numbers:
        """The differences of the means, and nothing known of their noise."""
        m = len(head)
        delta = row_means(head) - levels.center
        zero = [np.zeros(m) for _ in range(6)]
        half = [np.full(m, 0.5) for _ in range(2)]
        return cls(delta, *zero[:4], *half, *zero[4:])


def _packed(x: Floats) -> Floats:
    """Rows with their gaps closed, in their order."""
    order = np.argsort(np.isnan(x), axis=1, kind="stable")
    return np.take_along_axis(x, order, axis=1)


def _spread(
    numbers: _Numbers, rows: Ints, base: Floats, head: Floats
) -> tuple[Floats, Floats]:
    """Fill in the variances of a session, and return what they add to the mean's."""
    for place, sample in (("base_variance", base), ("head_variance", head)):
        rest = sample - row_means(sample)[:, None]
        df = max(sample.shape[1] - 1, 1)
        getattr(numbers, place)[rows] = (rest**2).sum(axis=1) / df
    return (
        numbers.base_variance[rows] / base.shape[1],
        numbers.head_variance[rows] / head.shape[1],
    )


def _joint_df(base: Floats, head: Floats, m: int, n: int) -> Floats:
    """Welch and Satterthwaite's degrees of freedom; n + m - 2 without any variance."""
    total = base + head
    spread = base**2 / max(m - 1, 1) + head**2 / max(n - 1, 1)
    safe = np.where(spread > 0, spread, 1.0)
    return np.where(spread > 0, total**2 / safe, max(n + m - 2.0, 1.0))


def _welch(
    numbers: _Numbers, rows: Ints, base: Floats, head: Floats, alpha: float
) -> None:
    """Welch's t test (1947) with Satterthwaite's degrees of freedom."""
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    from_base, from_head = _spread(numbers, rows, base, head)
    some = from_base + from_head > ROUNDING
    if not some.any():
        return
    # Means of equal numbers come out exactly only from differences.
    origin = base[some, :1]
    means = CompareMeans(
        DescrStatsW((head[some] - origin).T), DescrStatsW((base[some] - origin).T)
    )
    _, worse, df = means.ttest_ind(alternative="larger", usevar="unequal")
    _, better, _ = means.ttest_ind(alternative="smaller", usevar="unequal")
    low, high = means.tconfint_diff(alpha=2 * alpha, usevar="unequal")
    rows = rows[some]
    numbers.variance[rows] = (from_base + from_head)[some]
    numbers.df[rows] = df
    numbers.p_worse[rows], numbers.p_better[rows] = worse, better
    numbers.above[rows] = high - numbers.delta[rows]
    numbers.below[rows] = numbers.delta[rows] - low


def _ranked(test: Callable[[Floats, Floats, float], ranks.Ranked]) -> Test:
    """Fill in what a rank test says; its variance is that of means, for planning."""

    def fill(
        numbers: _Numbers, rows: Ints, base: Floats, head: Floats, alpha: float
    ) -> None:
        from_base, from_head = _spread(numbers, rows, base, head)
        # Of a single session nothing is known, but that it is like the others.
        if head.shape[1] == 1:
            from_head = numbers.head_variance[rows] = numbers.base_variance[rows]
        elif base.shape[1] == 1:
            from_base = numbers.base_variance[rows] = numbers.head_variance[rows]
        found = test(base, head, alpha)
        low = np.minimum(base.min(axis=1), head.min(axis=1))
        high = np.maximum(base.max(axis=1), head.max(axis=1))
        differ = high - low > np.sqrt(ROUNDING)
        numbers.delta[rows] = found.delta
        # Two groups of constants that differ have no variance, but can be ranked.
        sure = np.maximum(from_base + from_head, 2 * ROUNDING) / EFFICIENCY
        numbers.variance[rows] = np.where(differ, sure, 0.0)
        numbers.df[rows] = _joint_df(from_base, from_head, base.shape[1], head.shape[1])
        some, rows = differ, rows[differ]
        numbers.p_worse[rows] = found.p_worse[some]
        numbers.p_better[rows] = found.p_better[some]
        numbers.above[rows] = (found.high - found.delta)[some]
        numbers.below[rows] = (found.delta - found.low)[some]

    return fill


Test = Callable[[_Numbers, Ints, Floats, Floats, float], None]

TESTS: dict[str, Test] = {
    "welch": _welch,
    "mann-whitney": _ranked(ranks.mann_whitney),
    "brunner-munzel": _ranked(ranks.brunner_munzel),
}
"""Tests of rows with the same numbers of sessions: base (r, m), head (r, n)."""

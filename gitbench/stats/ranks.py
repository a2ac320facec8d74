"""Rank tests of two groups of sessions, and intervals of the shift between them.

`mann_whitney` and `brunner_munzel` take rows of the same two group sizes: `base`
(r, m) and `head` (r, n), no NaN, greater is worse.  Both give p-values of head being
stochastically greater, and of its being smaller, and the interval of a shift by
inverting the test; the estimate is that of Hodges and Lehmann (1963), the median of
all differences.  Rows of equal numbers only have the p-value 1/2 both ways.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gitbench.stats.rows import median, median_of
from gitbench.stats.student import tail, upper_quantile

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

EXACT_PRODUCT = 1000
"""Largest product of the group sizes for which all arrangements are counted; 20 and
20 sessions make 400.  Beyond, the normal approximation is off by less than .001."""


_NORMAL = 1e15
"""Degrees of freedom at which t is normal to the last digit."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """What a rank test says of r rows."""

    delta: Floats
    """Median of all differences, head minus base."""
    p_worse: Floats
    p_better: Floats
    low: Floats
    """Ends of the two-sided interval at level 1 - 2 alpha; infinite where the groups
    are too small for one."""
    high: Floats


def smallest_p(base: Ints | int, head: Ints | int) -> Floats:
    """Smallest one-sided p-value that two groups of these sizes allow.

    All of head beyond all of base is one of C(n + m, n) arrangements that are
    equally likely if nothing changed.
    """
    base, head = np.broadcast_arrays(np.asarray(base), np.asarray(head))
    fewer, more = np.minimum(base, head), np.maximum(base, head)
    p = np.ones(fewer.shape)
    for one in range(1, int(np.max(fewer, initial=0)) + 1):
        p = np.where(one <= fewer, p * one / (more + one), p)
    return p


def can_reject(base: Ints | int, head: Ints | int, alpha: float) -> NDArray[np.bool_]:
    """Whether a rank test of groups of these sizes can have p < alpha at all.

    Three and three sessions have p = .05 at best, which is not below .05.
    """
    possible: NDArray[np.bool_] = smallest_p(base, head) < alpha * (1 - 1e-9)
    return possible


# -------------------------------------------------------------------- Mann-Whitney


def mann_whitney(base: Floats, head: Floats, alpha: float) -> Ranked:
    """The test of Mann and Whitney (1947), with the interval of Hodges and Lehmann.

    Up to `EXACT_PRODUCT` all arrangements are counted, those of tied numbers with
    their midranks: scipy's exact p-values ignore ties, and its normal approximation
    calls five against five tied constants .0040 where .0040 is half of what can be.
    """
    (_, m), n = base.shape, head.shape[1]
    differences = _differences(base, head)
    delta = median(differences, axis=1)
    both = np.sort(np.concatenate((base, head), axis=1), axis=1)
    tied = np.any(both[:, 1:] == both[:, :-1], axis=1)
    p_worse, p_better = np.full(len(base), 0.5), np.full(len(base), 0.5)
    counted = n * m <= EXACT_PRODUCT
    clear = ~tied if counted else both[:, 0] < both[:, -1]
    if clear.any():
        p_worse[clear], p_better[clear] = _by_scipy(base[clear], head[clear], counted)
    for row in np.flatnonzero(~clear & (both[:, 0] < both[:, -1])).tolist():
        p_worse[row], p_better[row] = _tied(base[row], head[row])
    k = _critical(n, m, alpha, counted)
    if k == 0:
        low, high = np.full(len(base), -np.inf), np.full(len(base), np.inf)
    else:
        low, high = differences[:, k - 1], differences[:, n * m - k]
    return Ranked(delta, p_worse, p_better, low, high)


def _differences(base: Floats, head: Floats) -> Floats:
    """All differences of a row, ascending; (r, n m)."""
    each = head[:, :, None] - base[:, None, :]
    return np.sort(each.reshape(len(base), -1), axis=1)


def _by_scipy(base: Floats, head: Floats, exact: bool) -> tuple[Floats, Floats]:
    """p-values for greater and smaller."""
    from scipy.stats import mannwhitneyu

    method = "exact" if exact else "asymptotic"
    worse, better = (
        mannwhitneyu(head, base, alternative=side, method=method, axis=1).pvalue
        for side in ("greater", "less")
    )
    return np.minimum(worse, 1.0), np.minimum(better, 1.0)


def _tied(base: Floats, head: Floats) -> tuple[float, float]:
    """Exact p-values of one row with ties, given its ties."""
    both = np.concatenate((base, head))
    ordered = np.sort(both)
    # Twice the midrank, an integer.
    ranks = np.searchsorted(ordered, both) + np.searchsorted(ordered, both, "right") + 1
    pattern = tuple(sorted(ranks.tolist()))
    tails = _rank_sum_tails(pattern, head.size)
    found = int(ranks[base.size :].sum())
    return float(tails[0][found]), float(tails[1][found])


@lru_cache(maxsize=512)
def _rank_sum_tails(ranks: tuple[int, ...], size: int) -> tuple[Floats, Floats]:
    """Chance that `size` of these doubled ranks add up to at least, and to at most, s;
    each of length sum(ranks) + 1.

    All choices are counted at once: after each rank, by their size and their sum
    (Streitberg and Roehmel 1986).
    """
    total = sum(ranks)
    fewer = min(size, len(ranks) - size)
    ways = np.zeros((fewer + 1, total + 1))
    ways[0, 0] = 1.0
    for rank in ranks:
        # The right side is a copy, so that no rank is taken twice.
        ways[1:, rank:] = ways[1:, rank:] + ways[:-1, : total + 1 - rank]
    chance = ways[fewer] / ways[fewer].sum()
    if fewer != size:
        # Who is left has the rest of the sum.
        chance = chance[::-1]
    at_least = np.minimum(np.cumsum(chance[::-1])[::-1], 1.0)
    return at_least, np.minimum(np.cumsum(chance), 1.0)


def _critical(n: int, m: int, alpha: float, counted: bool) -> int:
    """Number of differences at each end that the interval leaves out, plus one.

    The k-th difference from below is the lower end where a U of k - 1 or less has at
    most the chance alpha; 0 where there is no such k.
    """
    if not counted:
        spread = (n * m * (n + m + 1) / 12) ** 0.5
        below = n * m / 2 + 0.5 - float(upper_quantile(alpha, _NORMAL)) * spread
        return max(0, int(below))
    ranks = tuple(range(2, 2 * (n + m) + 1, 2))
    at_most = _rank_sum_tails(ranks, n)[1]
    # Doubled, the least rank sum is n (n + 1), and U one more is a sum two more.
    of_u = at_most[n * (n + 1) :: 2][: n * m + 1]
    return int(np.count_nonzero(of_u <= alpha * (1 + 1e-9)))


# ------------------------------------------------------------------ Brunner-Munzel


def brunner_munzel(base: Floats, head: Floats, alpha: float) -> Ranked:
    """The test of Brunner and Munzel (2000), both groups >= 2.

    The p-value is that of statsmodels (t approximation), or that of the statistic's
    own distribution over all arrangements (Neubert and Brunner 2007) if it is
    greater.  The approximation alone has a tail too light by far: of 20 unchanged
    rows of 10 and 5 sessions, corrected, any was significant in 20 % of comparisons.
    Where the groups do not overlap it has no variance, and statsmodels gives NaN.
    Ties are taken as arrangements without ties.  The interval is the range of shifts
    that the same test does not reject.
    """
    null = _arrangements(head.shape[1], base.shape[1])
    differences = _differences(base, head)
    p_worse, p_better = np.full(len(base), 0.5), np.full(len(base), 0.5)
    low, high = np.zeros(len(base)), np.zeros(len(base))
    for row, (x, y, d) in enumerate(zip(base, head, differences, strict=True)):
        if d[0] < d[-1] or d[0] != 0:
            p_worse[row], p_better[row] = _superiority(x, y, null)
        low[row], high[row] = _shifts(x, y, d, null, alpha)
    return Ranked(median(differences, axis=1), p_worse, p_better, low, high)


def _superiority(base: Floats, head: Floats, null: Floats) -> tuple[float, float]:
    """p-values for head being greater, and smaller, of one row."""
    t, _ = _studentised(np.sort(base), np.sort(head)[None, :])
    worse, better = float(_beyond(t, null)[0]), float(_beyond(-t, null)[0])
    if head.min() > base.max() or head.max() < base.min():
        return worse, better
    from statsmodels.stats.nonparametric import rank_compare_2indep

    found = rank_compare_2indep(head, base, use_t=True)
    return (
        max(worse, float(found.test_prob_superior(alternative="larger").pvalue)),
        max(better, float(found.test_prob_superior(alternative="smaller").pvalue)),
    )


def _shifts(
    base: Floats, head: Floats, differences: Floats, null: Floats, alpha: float
) -> tuple[float, float]:
    """Least and greatest shift that the test does not reject at alpha, either way.

    Between two neighbouring differences the order of the groups is the same for every
    shift, so that one shift of each gap stands for all of them.
    """
    ends = np.unique(differences)
    if ends.size == 1:
        return float(ends[0]), float(ends[0])
    middles = ends[:-1] + (ends[1:] - ends[:-1]) / 2
    beyond = max(float(ends[-1] - ends[0]), abs(float(ends[0])), abs(float(ends[-1])))
    shifts = np.concatenate(([ends[0] - beyond], middles, [ends[-1] + beyond]))
    t, df = _studentised(np.sort(base), np.sort(head)[None, :] - shifts[:, None])
    one = np.maximum(_beyond(t, null), tail(t, df))
    other = np.maximum(_beyond(-t, null), tail(-t, df))
    kept = np.flatnonzero(np.minimum(one, other) > alpha)
    if not kept.size:
        middle = median_of(differences)
        return middle, middle
    edges = np.concatenate(([-np.inf], ends, [np.inf]))
    return float(edges[kept[0]]), float(edges[kept[-1] + 1])


def _studentised(base: Floats, heads: Floats) -> tuple[Floats, Floats]:
    """Brunner and Munzel's statistic and its degrees of freedom for many shifts of
    one row; `base` (m,) and `heads` (s, n) ascending.  Infinite without overlap."""
    right = np.searchsorted(base, heads, "right")
    left = np.searchsorted(base, heads, "left")
    places = range(base.size)
    # Head's numbers below and up to each number of base.
    below = np.stack([np.sum(right <= place, axis=1) for place in places], axis=1)
    up_to = np.stack([np.sum(left <= place, axis=1) for place in places], axis=1)
    return _statistic((left + right) / 2, (below + up_to) / 2)


def _statistic(of_head: Floats, of_base: Floats) -> tuple[Floats, Floats]:
    """The statistic and its degrees of freedom by placements: how many of the other
    group lie below each number, ties as a half; (s, n) and (s, m)."""
    n, m = of_head.shape[1], of_base.shape[1]
    from_head = of_head.var(axis=1, ddof=1) / (n * m * m)
    from_base = of_base.var(axis=1, ddof=1) / (m * n * n)
    variance = from_head + from_base
    excess = of_head.mean(axis=1) / m - 0.5
    known = variance > 0
    safe = np.where(known, variance, 1.0)
    spread = from_head**2 / (n - 1) + from_base**2 / (m - 1)
    df = np.where(known, safe**2 / np.where(known, spread, 1.0), 1.0)
    return np.where(known, excess / np.sqrt(safe), np.sign(excess) * _FAR), df


_FAR = 1e150
"""Stands for an infinite statistic."""

MOST_ARRANGEMENTS = 200_000
"""Up to here all are counted, 10 and 10 sessions among them; beyond, so many drawn."""


@lru_cache(maxsize=16)
def _arrangements(n: int, m: int) -> Floats:
    """The statistic of all arrangements of two groups without ties, ascending."""
    total = n + m
    if math.comb(total, n) <= MOST_ARRANGEMENTS:
        chosen = np.array(list(combinations(range(total), n)), dtype=np.intp)
    else:
        # A fixed seed: the same numbers give the same verdict.
        keys = np.random.default_rng(2007).random((MOST_ARRANGEMENTS, total))
        chosen = np.sort(np.argpartition(keys, n, axis=1)[:, :n], axis=1)
    others = np.ones((len(chosen), total), dtype=bool)
    np.put_along_axis(others, chosen, False, axis=1)
    rest = np.nonzero(others)[1].reshape(len(chosen), m)
    of_head = (chosen - np.arange(n)).astype(np.float64)
    of_base = (rest - np.arange(m)).astype(np.float64)
    return np.sort(_statistic(of_head, of_base)[0])


def _beyond(t: Floats, null: Floats) -> Floats:
    """Share of arrangements whose statistic is at least t."""
    first = np.searchsorted(null, t - 1e-9 * np.maximum(np.abs(t), 1.0))
    # At least one, also where arrangements were drawn and none is so extreme.
    share: Floats = np.maximum(null.size - first, 1) / null.size
    return share

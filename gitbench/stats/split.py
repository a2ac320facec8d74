"""The best split of one segment of a series, and how likely it is by chance.

The scores of ranks left and right of each place are compared (the two-sample
statistic of van der Waerden 1952), and the greatest of these statistics is held
against the distribution of such a maximum (James, James and Siegmund 1987).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gitbench.stats.rows import median_of
from gitbench.stats.student import tail

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

MIN_POINTS = 10
"""Fewer points tell nothing at this level: even four below four happen by chance in
one of 35 series."""

MIN_LEVEL = 2
"""Points that a level has at least; one alone is a spike."""


@lru_cache(maxsize=64)
def _scores(n: int) -> Floats:
    """Scores of the ranks 1 to n, in order: Tukey's lambda distribution with 0.14,
    which is normal to a hundredth (Filliben 1975) and needs no table."""
    p = np.arange(1, n + 1) / (n + 1)
    scores: Floats = p**0.14 - (1 - p) ** 0.14
    scores.flags.writeable = False
    return scores


def rank_scores(x: Floats) -> Floats:
    """Scores of the entries of each row of (m, n); equal entries share the mean of
    theirs."""
    n = x.shape[1]
    order = np.argsort(x, axis=1, kind="stable")
    ordered = np.take_along_axis(x, order, axis=1)
    scores = _scores(n)
    is_new = np.ones(x.shape, dtype=bool)
    is_new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    shared = np.broadcast_to(scores, x.shape)
    if not is_new.all():
        is_last = np.ones(x.shape, dtype=bool)
        is_last[:, :-1] = is_new[:, 1:]
        here = np.arange(n)
        first = np.maximum.accumulate(np.where(is_new, here, 0), axis=1)
        last = np.where(is_last, here, n - 1)[:, ::-1]
        last = np.minimum.accumulate(last, axis=1)[:, ::-1]
        sums = np.concatenate(([0.0], np.cumsum(scores)))
        shared = (sums[last + 1] - sums[first]) / (last + 1 - first)
    result = np.empty(x.shape)
    np.put_along_axis(result, order, shared, axis=1)
    return result


def split_statistics(z: Floats) -> Floats:
    """Two-sample statistics of each split of each row: (m, n - 1), signed.

    Each has mean 0 and variance 1 over the orders of untied scores.  Tied ones are
    standardised as if they were not: their own variance would let a single odd value
    among equal ones count as a step.
    """
    n = z.shape[1]
    scores = _scores(n)
    k = np.arange(1, n)
    spread = np.sqrt(k * (n - k) / n * float(scores @ scores) / (n - 1))
    statistics: Floats = np.cumsum(z, axis=1)[:, :-1] / spread
    return statistics


def max_tail(maximum: float, n: int) -> float:
    """Chance that the greatest absolute statistic of the splits of n exchangeable
    points is at least `maximum`.

    James, James and Siegmund (1987) for discrete normal observations, with the
    overshoot of Siegmund (1985).  A statistic of n ranks cannot be as great as a
    normal one; it is first made one by way of Student's t with n - 2 degrees of
    freedom, which a rotation-invariant vector gives exactly.  From
    n = 12 on it is within a fifth of simulated probabilities at .02 and below, too
    great rather than too small; at .1 it is up to a quarter too small for n < 25.
    """
    b = _as_normal(maximum, n) if n >= 2 * MIN_LEVEL else 0.0
    # The approximation is one of the tail; below this it falls again.
    if b < 1.5:
        return 1.0
    if b == math.inf:
        return 0.0
    return min(1.0, 2 * _density(b) / b * float(np.sum(_crossing_rates(b, n))))


def arc_tail(maximum: float, n: int) -> float:
    """The same for the greatest statistic of a stretch of n points against the rest,
    over all stretches of 2 to n - 2 points (after Siegmund 1988).

    Up to 1.8 times too great at .05 to .002, from n = 20 on.
    """
    b = _as_normal(maximum, n) if n >= 2 * MIN_LEVEL else 0.0
    if b < 2.5:
        return 1.0
    if b == math.inf:
        return 0.0
    widths = np.arange(MIN_LEVEL, n - MIN_LEVEL + 1)
    rates = _crossing_rates(b, n)
    return min(1.0, 2 * _density(b) / b * float(np.sum((n - widths) * rates**2)))


def _crossing_rates(b: float, n: int) -> Floats:
    """How often sums of k scores cross b at one of their ends, relative to how often
    they lie beyond it; for each k."""
    weights, roots = _split_weights(n)
    at, overshoot = _overshoots()
    rates: Floats = b * b / (2 * weights) * np.interp(b / roots, at, overshoot)
    return rates


def _as_normal(statistic: float, n: int) -> float:
    """The normal deviate that is as unlikely as a statistic of n ranks; infinite for
    what they cannot give, 0 for what says nothing."""
    share = statistic * statistic / (n - 1)
    if statistic <= 0:
        return 0.0
    if share >= 1:
        return math.inf
    single = float(tail(np.sqrt(share * (n - 2) / (1 - share)), n - 2))
    return math.inf if single < SMALLEST_TAIL else _normal_quantile(single)


def _density(b: float) -> float:
    return math.exp(-b * b / 2) / math.sqrt(2 * math.pi)


SMALLEST_TAIL = 1e-300


def _normal_quantile(p: float) -> float:
    """The b with an upper tail of p in (1e-300, 0.5] of the normal distribution, by
    Newton's method on the logarithm of the tail; 0 for greater p."""
    if p >= 0.5:
        return 0.0
    b = math.sqrt(-2 * math.log(2 * p))
    for _ in range(50):
        upper = math.erfc(b / math.sqrt(2)) / 2
        density = math.exp(-b * b / 2) / math.sqrt(2 * math.pi)
        step = math.log(upper / p) * upper / density
        b += step
        if abs(step) <= 1e-13 * b:
            break
    return b


@lru_cache(maxsize=64)
def _split_weights(n: int) -> tuple[Floats, Floats]:
    """k (n - k) / n of each split, and its root."""
    k = np.arange(MIN_LEVEL, n - MIN_LEVEL + 1)
    weights = k * (n - k) / n
    return weights, np.sqrt(weights)


@lru_cache(maxsize=1)
def _overshoots() -> tuple[Floats, Floats]:
    """Siegmund's correction for the steps in which a sum crosses a bound, by the
    bound's distance from 0 to 40 (beyond, it is 2 / x^2); exact to 1e-5."""
    x = np.concatenate([np.linspace(1e-3, 10, 2001), np.linspace(10.1, 40, 300)])
    inner = np.array([math.erf(one / 2 / math.sqrt(2)) / 2 for one in x.tolist()])
    density = np.exp(-(x * x) / 8) / math.sqrt(2 * math.pi)
    return x, (2 / x) * inner / ((x / 2) * (inner + 0.5) + density)


def inflation(n: int, rho: float) -> Floats:
    """Variance of each split's difference of means in a series where neighbours
    correlate by `rho` and others by its powers, over that of independent points.

    The two means are taken as independent of each other.  That they are not would
    make it smaller; but scores have a fixed variance, while the visible part of such
    a series has less than its all, which about makes up for it.
    """
    k = np.arange(1, n)
    if rho <= 0:
        return np.ones(k.size)

    def mean_variance(length: Ints) -> Floats:
        edge = 2 * rho * (1 - rho**length) / (length * (1 - rho) ** 2)
        variance: Floats = ((1 + rho) / (1 - rho) - edge) / length
        return variance

    both: Floats = mean_variance(k) + mean_variance(n - k)
    return both * (k * (n - k) / n)


def likeness(x: Floats, cuts: tuple[int, ...]) -> float:
    """Autocorrelation of a segment (n,) about the levels between its best cuts, by
    rank scores; from 0 to 0.98.

    Where there are more steps that is much too great.  Then the middle of what
    short windows say counts, each about a best split of its own: few windows hold two
    steps.  By themselves they are less exact.
    """
    n = x.size
    (z,) = rank_scores(x[None])
    rest = np.concatenate([one - one.mean() for one in np.split(z, cuts) if one.size])
    squares = float(rest @ rest)
    # Rounding leaves 1e-30 of constant levels.
    if squares <= 1e-12 * n:
        return 0.0
    about = float(rest[1:] @ rest[:-1]) / squares
    if n >= 2 * SHORTEST:
        length = min(LONGEST, n // 2)
        views = np.lib.stride_tricks.sliding_window_view(x, length)
        offsets = [*range(0, n - length, length // 4), n - length]
        inner = _about_best_splits(rank_scores(views[offsets]))
        inner = inner[~np.isnan(inner)]
        if inner.size:
            # A split and short windows take away from it what simulated series of 200
            # points with autocorrelations of 0, 0.3 and 0.5 lost, to 0.03.
            by_windows = (median_of(inner) + 3.2 / length) / (1 - 6.7 / length)
            if about - by_windows > CONTRADICTION / np.sqrt(n):
                about = by_windows
    return float(min(max(about, 0.0), 0.98))


SHORTEST, LONGEST = 16, 24
"""Lengths of the windows in which autocorrelation is estimated."""

CONTRADICTION = 2.0
"""Standard errors (1 / sqrt(n)) by which the two estimates must differ."""


def _about_best_splits(z: Floats) -> Floats:
    """Lag-1 autocorrelation of each row of scores (m, n) about its best single
    split; NaN where nothing is left about it."""
    n = z.shape[1]
    inside = np.abs(split_statistics(z))[:, MIN_LEVEL - 1 : n - MIN_LEVEL]
    k = np.argmax(inside, axis=1)[:, None] + MIN_LEVEL
    is_older = np.arange(n) < k
    sums = np.where(is_older, z, 0.0).sum(axis=1, keepdims=True)
    total = z.sum(axis=1, keepdims=True)
    rest = z - np.where(is_older, sums / k, (total - sums) / (n - k))
    squares = (rest**2).sum(axis=1)
    # Rounding leaves 1e-30 of two constant levels.
    empty = squares <= 1e-12 * n
    products = (rest[:, 1:] * rest[:, :-1]).sum(axis=1)
    result: Floats = np.where(empty, np.nan, products / np.where(empty, 1.0, squares))
    return result


@dataclass(frozen=True, slots=True)
class Split:
    """The best split of a segment; places count from the series' start."""

    place: int
    p_value: float


def best_split(x: Floats, start: int, stop: int) -> Split | None:
    """The best split of a segment, significant or not; None for too few points."""
    n = stop - start
    if n < MIN_POINTS:
        return None
    segment = x[start:stop]
    statistics = np.abs(split_statistics(rank_scores(segment[None]))[0])
    inside = statistics[MIN_LEVEL - 1 : n - MIN_LEVEL]
    first = int(np.argmax(inside)) + MIN_LEVEL
    spread = np.sqrt(inflation(n, likeness(segment, (first,))))
    inside = inside / spread[MIN_LEVEL - 1 : n - MIN_LEVEL]
    best = int(np.argmax(inside))
    return Split(start + MIN_LEVEL + best, max_tail(float(inside[best]), n))


def best_arc(x: Floats) -> tuple[int, int, float] | None:
    """The stretch (start, stop) of a segment (n,) that differs most from the rest of
    it, and the p-value of that; None for too few points.

    All stretches of up to `ALL_WIDTHS` points, and of more in steps of 2 % (circular
    binary segmentation, Olshen, Venkatraman, Lucito and Wigler 2004).
    """
    n = x.size
    if n < MIN_POINTS:
        return None
    (z,) = rank_scores(x[None])
    sums = np.concatenate(([0.0], np.cumsum(z)))
    scores = _scores(n)
    unit = math.sqrt(float(scores @ scores) / (n - 1))
    widths = _widths(n)
    peaks = np.empty(widths.size)
    starts = np.empty(widths.size, dtype=np.intp)
    for number, width in enumerate(widths.tolist()):
        differences = np.abs(sums[width:] - sums[:-width])
        starts[number] = at = differences.argmax()
        peaks[number] = differences[at] / unit
    peaks /= np.sqrt(widths * (n - widths) / n)
    first = int(np.argmax(peaks))
    start, stop = int(starts[first]), int(starts[first] + widths[first])
    peaks /= np.sqrt(inflation(n, likeness(x, (start, stop)))[widths - 1])
    best = int(np.argmax(peaks))
    start, stop = int(starts[best]), int(starts[best] + widths[best])
    return start, stop, arc_tail(float(peaks[best]), n)


ALL_WIDTHS = 128


@lru_cache(maxsize=64)
def _widths(n: int) -> Ints:
    widths, width = [], MIN_LEVEL
    while width <= n - MIN_LEVEL:
        widths.append(width)
        width += max(1, (width - ALL_WIDTHS) // 50)
    return np.array(widths, dtype=np.intp)

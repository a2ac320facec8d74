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
    if n < 2 * MIN_LEVEL or maximum <= 0:
        return 1.0
    share = maximum * maximum / (n - 1)
    if share >= 1:
        return 0.0
    single = float(tail(np.sqrt(share * (n - 2) / (1 - share)), n - 2))
    if single < SMALLEST_TAIL:
        return 0.0
    b = _normal_quantile(single)
    # The approximation is one of the tail; below this it falls again.
    if b < 1.5:
        return 1.0
    weights, roots = _split_weights(n)
    x = b / roots
    at, overshoot = _overshoots()
    height = b * math.exp(-b * b / 2) / math.sqrt(2 * math.pi)
    return min(1.0, height * float(np.sum(np.interp(x, at, overshoot) / weights)))


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


def likeness(z: Floats, statistics: Floats) -> float:
    """Autocorrelation of one row of scores (n,) about its best single split.

    Where there are several steps that is much too great.  Differences of neighbours
    and of next neighbours, whose greatest tenth is left out, do not see steps, but
    are less exact: they count only where the two contradict each other.
    """
    n = z.size
    inside = np.abs(statistics[MIN_LEVEL - 1 : n - MIN_LEVEL])
    k = int(np.argmax(inside)) + MIN_LEVEL
    rest = z - z[:k].mean()
    rest[k:] = z[k:] - z[k:].mean()
    squares = float(rest @ rest)
    # Rounding leaves 1e-30 of two constant levels.
    if squares <= 1e-12 * n:
        return 0.0
    about = float(rest[1:] @ rest[:-1]) / squares
    near = _trimmed_mean(np.abs(z[1:] - z[:-1]))
    far = _trimmed_mean(np.abs(z[2:] - z[:-2]))
    differences = (far / near) ** 2 - 1 if near > 0 else 0.0
    if about - differences > CONTRADICTION / np.sqrt(n):
        about = differences
    return min(max(about, 0.0), 0.98)


CONTRADICTION = 3.0
"""Standard errors (1 / sqrt(n)) by which the two estimates must differ."""


def _trimmed_mean(x: Floats) -> float:
    """Mean without the greatest tenth."""
    kept = np.sort(x)[: x.size - x.size // 10]
    return float(kept.mean())


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
    z = rank_scores(x[None, start:stop])[0]
    raw = split_statistics(z[None])[0]
    statistics = np.abs(raw) / np.sqrt(inflation(n, likeness(z, raw)))
    inside = statistics[MIN_LEVEL - 1 : n - MIN_LEVEL]
    best = int(np.argmax(inside))
    return Split(start + MIN_LEVEL + best, max_tail(float(inside[best]), n))

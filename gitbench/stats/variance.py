"""Moderated variance: a row's own variance, steadied by that of all rows.

A few sessions say little of one row's noise, but a suite has many rows on one
machine.  Their variances are taken as draws from one scaled inverse chi-square
distribution, the prior, which is fitted to the suite and counts as further
degrees of freedom of every row (the model of Smyth 2004, Statistical Applications
in Genetics and Molecular Biology 3, article 3).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gitbench.stats.rows import median_of

Floats = NDArray[np.float64]

MIN_ROWS = 10
"""Fewer variances than this fit no prior."""

MAX_PRIOR_DF = 200.0
"""Variances that are more alike than chance allows would make the prior infinite."""

ROUNDING = 1e-24
"""Variances of logs below this are rounding (1e-12 relative), thus zero."""

LEAST_SLOPE_T = 2.5
"""A trend is believed if its slope is as many standard errors from zero: 1 or 2 in 100
suites of equally noisy rows."""

_STEEPEST = 7.0
_MIN_PRIOR_DF = 0.25
_POINTS = 25
_DROP = 0.5
"""How far below its maximum the log likelihood is still believed: one standard error.
"""


@dataclass(frozen=True, slots=True)
class Prior:
    """A scaled inverse chi-square distribution of variances."""

    df: float
    variance: float
    slope: float = 0.0
    """How the log of the variance goes with a row's size, and the size at which it is
    that of `variance`."""
    size: float = 0.0

    def expected(self, sizes: Floats) -> Floats:
        """The prior's variance of rows of some sizes (logs of their centers)."""
        if not self.slope:
            return np.full(sizes.size, self.variance)
        return self.variance * self.trend(sizes)

    def trend(self, sizes: Floats) -> Floats:
        """The prior's variance at some sizes, over `variance`."""
        steepness = np.clip(self.slope * (sizes - self.size), -_STEEPEST, _STEEPEST)
        factor: Floats = np.exp(steepness)
        return factor


NO_PRIOR = Prior(0.0, 0.0)

SMALL_SUITE = Prior(2.0, 0.02**2)
"""For suites too small to fit one: a standard deviation of 2 %, worth 2 df."""


def fit_prior(
    variances: Floats, df: Floats, fallback: Prior, sizes: Floats | None = None
) -> Prior:
    """The prior behind sample variances with `df` degrees of freedom each, both (m,).

    Rows of zero variance or without degrees of freedom take no part.  `fallback`
    where fewer than `MIN_ROWS` are left.  With `sizes` (m,), logs of the rows' own
    centers, the prior may follow them: short benchmarks are often noisier.

    By maximum likelihood: each variance over the prior's is F distributed.  Of the
    degrees of freedom that the likelihood cannot tell from the best ones, the
    fewest are taken.  Smyth's own estimate, from the moments of log variances, is
    often infinite where rows have one or two degrees of freedom: in simulations
    unchanged code then raised alarms two to four times as often as alpha allows
    (tests/unit/test_stats_variance.py measures both).
    """
    used = (variances > ROUNDING) & (df > 0)
    if np.count_nonzero(used) < MIN_ROWS:
        return fallback
    slope = size = 0.0
    if sizes is not None:
        slope, size = _fit_trend(np.log(variances[used]), df[used], sizes[used])
        variances = variances / Prior(0.0, 0.0, slope, size).trend(sizes)
    logs, low, high = np.log(variances[used]), _MIN_PRIOR_DF, MAX_PRIOR_DF
    for _ in range(2):
        # A coarse grid, then a fine one over what the coarse one leaves likely.
        grid = np.geomspace(low, high, _POINTS)
        likelihood, log_variance = _profile(logs, df[used], grid)
        best = int(np.argmax(likelihood))
        level = float(likelihood[best]) - _DROP
        first = int(np.argmax(likelihood >= level))
        low, high = grid[max(first - 1, 0)], grid[min(best + 1, _POINTS - 1)]
    place = float(first)
    if first:
        below, above = likelihood[first - 1 : first + 1].tolist()
        place = first - (above - level) / (above - below)
    places = np.arange(_POINTS)
    return Prior(
        math.exp(np.interp(place, places, np.log(grid))),
        math.exp(np.interp(place, places, log_variance)),
        slope,
        size,
    )


def _fit_trend(logs: Floats, df: Floats, sizes: Floats) -> tuple[float, float]:
    """Slope of log variances over sizes, and their middle; 0 and 0 where there is
    nothing to believe.

    Log variances less their bias, by weighted least squares (as in limma's trend,
    Smyth 2004, section 5, and Law and others 2014, Genome Biology 15).
    """
    bias, noise = log_chi_square(df)
    # Rows differ by about as much as the logs of variances of five df do.
    weight = 1 / (noise + 0.5)
    weight = weight / weight.sum()
    size = float(weight @ sizes)
    y, x = logs - bias, sizes - size
    y = y - weight @ y
    squares = float(weight @ x**2)
    if squares <= 1e-12:
        return 0.0, 0.0
    slope = float(weight @ (x * y)) / squares
    rest = float(weight @ (y - slope * x) ** 2) / (logs.size - 2)
    if slope**2 * squares <= LEAST_SLOPE_T**2 * rest:
        return 0.0, 0.0
    return slope, size


def log_chi_square(df: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of the log of chi-square over its degrees of freedom, `df` > 0:
    digamma(df / 2) - log(df / 2) and trigamma(df / 2).

    By recurrence up to 8, then by the asymptotic series (Abramowitz and Stegun 1964,
    6.3.18 and 6.4.12).
    """
    x = df / 2
    mean, variance = -np.log(x), np.zeros_like(x)
    for _ in range(8):
        mean, variance, x = mean - 1 / x, variance + 1 / x**2, x + 1
    r = 1 / x**2
    mean += np.log(x) - 0.5 / x - r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r / 240)))
    variance += 1 / x + r / 2 + r / x * (1 / 6 - r * (1 / 30 - r * (1 / 42 - r / 30)))
    return mean, variance


def _profile(logs: Floats, df: Floats, grid: Floats) -> tuple[Floats, Floats]:
    """Log likelihood of each number of prior degrees of freedom on the grid, and the
    log variance of the prior that makes it greatest."""
    half, half_grid = df[:, None] / 2, grid / 2
    both = half + half_grid
    # log of d s2 / (g s0): its logistic is the weight of the row's own variance.
    start = (logs + np.log(df))[:, None] - np.log(grid)
    center = np.full(grid.size, median_of(logs))
    for _ in range(60):
        weight = 1 / (1 + np.exp(np.clip(center - start, -700, 700)))
        slope = np.sum(both * weight - half, axis=0)
        bend = np.sum(both * weight * (1 - weight), axis=0)
        step = np.clip(slope / np.maximum(bend, 1e-300), -2, 2)
        center = center + step
        if np.max(np.abs(step)) < 1e-9:
            break
    ratio = start - center
    likelihood = np.sum(half * ratio - both * np.logaddexp(0, ratio), axis=0)
    for degrees, rows in Counter(df.tolist()).items():
        likelihood += rows * np.array(
            [math.lgamma(degrees / 2 + g) - math.lgamma(g) for g in half_grid]
        )
    return likelihood, center


def moderate(
    variances: Floats, df: Floats, prior: Prior, sizes: Floats | None = None
) -> tuple[Floats, Floats]:
    """Moderated variances and their degrees of freedom, both (m,).

    `sizes` (m,) as in `fit_prior`.  Where neither the row nor the prior has any
    degrees of freedom, both numbers are 0.
    """
    total = df + prior.df
    expected = prior.expected(np.zeros(df.size) if sizes is None else sizes)
    weighted = np.where(variances > ROUNDING, variances, 0.0) * df
    return (weighted + prior.df * expected) / np.where(total > 0, total, 1), total

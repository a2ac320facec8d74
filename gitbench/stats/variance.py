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


NO_PRIOR = Prior(0.0, 0.0)

SMALL_SUITE = Prior(2.0, 0.02**2)
"""For suites too small to fit one: a standard deviation of 2 %, worth 2 df."""


def fit_prior(variances: Floats, df: Floats, fallback: Prior) -> Prior:
    """The prior behind sample variances with `df` degrees of freedom each, both (m,).

    Rows of zero variance or without degrees of freedom take no part.  `fallback`
    where fewer than `MIN_ROWS` are left.

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
    )


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


def moderate(variances: Floats, df: Floats, prior: Prior) -> tuple[Floats, Floats]:
    """Moderated variances and their degrees of freedom, both (m,).

    Where neither the row nor the prior has any, both numbers are 0.
    """
    total = df + prior.df
    weighted = np.where(variances > ROUNDING, variances, 0.0) * df
    return (weighted + prior.df * prior.variance) / np.where(total > 0, total, 1), total

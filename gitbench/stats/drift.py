"""Slow changes: what a straight line describes better than steps.

A drift that is great enough is cut into steps by the detector of steps, which then lie
in one direction; a smaller one looks to it like points that resemble their neighbours.
Both are recognised here, by ranks: those of a line are a line.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gitbench.stats.rows import median_of
from gitbench.stats.student import tail

Floats = NDArray[np.float64]

ALPHA = 0.005
"""Chance of a false drift in a newest level of noise."""

MIN_POINTS = 20
"""A newest level of fewer points is not asked whether it drifts."""


def drifting(x: Floats, bounds: list[int], least: float) -> list[tuple[int, int]]:
    """Stretches (start, stop) of a series (n,) that drift; `bounds` are the ends of
    its levels, from 0 to n.

    Those are successive steps in one direction which a line fits better, and a newest
    level that has a trend.  Changes from end to end whose ratio is nearer to 1 than
    `1 + least` do not count.
    """
    found = _of_steps(x, bounds)
    if len(bounds) > 1 and not (found and found[-1][1] == x.size):
        start = bounds[-2]
        if x.size - start >= MIN_POINTS and trend_tail(x[start:]) < ALPHA:
            found.append((start, int(x.size)))
    return [
        (start, stop)
        for start, stop in found
        if _size(x[start:stop]) >= np.log1p(least)
    ]


def _size(stretch: Floats) -> float:
    older, newer = line_ends(stretch)
    if older <= 0 or newer <= 0:
        return np.inf
    return abs(float(np.log(newer) - np.log(older)))


def trend_tail(x: Floats) -> float:
    """Two-sided p-value of a straight trend in x (n,), n >= 5: the correlation of the
    ranks with time, as if there were only as many points as are independent.

    Their number is n (1 - r) / (1 + r) (Bartlett 1935), r being the autocorrelation
    about the line, which is estimated too small by (2 + 4 r) / n or so.
    """
    n = x.size
    z = _ranks(x)
    squares = float(z @ z)
    if squares <= 1e-12 * n:
        return 1.0
    rest = without_line(z)
    left = float(rest @ rest)
    about = float(rest[1:] @ rest[:-1]) / left if left > 1e-12 * n else 0.0
    about = min(max((about + 2 / n) / (1 - 4 / n), 0.0), 0.95)
    df = n * (1 - about) / (1 + about) - 2
    if df <= 1:
        return 1.0
    t = np.sqrt(df * max(squares - left, 0.0) / max(left, 1e-12 * n))
    return 2 * float(tail(t, df))


def _ranks(x: Floats) -> Floats:
    """Ranks with mean 0; equal numbers share theirs."""
    ordered = np.sort(x)
    both = np.searchsorted(ordered, x) + np.searchsorted(ordered, x, "right")
    ranks: Floats = both / 2 - x.size / 2
    return ranks


def without_line(z: Floats) -> Floats:
    """Numbers of mean 0 without their straight trend."""
    time = np.arange(z.size) - (z.size - 1) / 2
    squares = float(time @ time)
    rest: Floats = z - (float(time @ z) / squares if squares else 0.0) * time
    return rest


def _of_steps(x: Floats, bounds: list[int]) -> list[tuple[int, int]]:
    """Stretches of successive changes in one direction which a line fits better
    than their levels do, by Schwarz's criterion (1978) on ranks."""
    centers = [
        median_of(x[start:stop]) for start, stop in pairwise(bounds) if stop > start
    ]
    signs = [newer > older for older, newer in pairwise(centers)]
    found, first = [], 0
    while first < len(signs):
        last = first
        while last + 1 < len(signs) and signs[last + 1] == signs[first]:
            last += 1
        inner = bounds[first : last + 3]
        if _line_fits_better(x[inner[0] : inner[-1]], [b - inner[0] for b in inner]):
            found.append((inner[0], inner[-1]))
        first = last + 1
    return found


def _line_fits_better(x: Floats, bounds: list[int]) -> bool:
    n = x.size
    z = _ranks(x)
    by_line = float(np.sum(without_line(z) ** 2))
    by_levels = sum(
        float(np.sum((z[start:stop] - z[start:stop].mean()) ** 2))
        for start, stop in pairwise(bounds)
    )
    steps = len(bounds) - 2
    if by_levels <= 1e-12 * n:
        return False
    # A line has two parameters; steps have a place each, and a level more.
    penalty = (2 * steps + 1 - 2) * np.log(n)
    return bool(n * np.log(by_line / by_levels) < penalty)


def line_ends(stretch: Floats) -> tuple[float, float]:
    """Where a line through the medians of the outer thirds begins and ends (Tukey
    1977); on logs where both are positive."""
    third = max(1, stretch.size // 3)
    left, right = median_of(stretch[:third]), median_of(stretch[-third:])
    # The outer medians lie a sixth of the stretch from its ends.
    over = third / 2 / max(stretch.size - third, 1)
    rise = right / 2 - left / 2
    ends = left - 2 * over * rise, right + 2 * over * rise
    if left > 0 and right > 0:
        steep = float(np.log(right) - np.log(left)) * over
        with np.errstate(over="ignore", under="ignore"):
            ends = float(left * np.exp(-steep)), float(right * np.exp(steep))
    return ends

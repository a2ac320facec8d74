"""Steps in a long series: where its level changed for good.

A series is one number a commit, in time order.  Only the ranks of the numbers take
part, as scores that fall off like a normal distribution.  So a spike counts no more
than the greatest of ordinary values, units and logarithms do not matter, and on a
series whose points could stand in any order the chance of a false step is the stated
level, whatever the distribution of the noise.

A segment whose best split (`gitbench.stats.split`) is significant is cut there and its
parts are tried in turn (binary segmentation, Scott and Knott 1974); one without is
asked for a level that came and went (circular binary segmentation).  In the end each
cut is placed and tested anew between its neighbours.

Points that resemble the one before them look like steps.  The statistic is divided by
what such a likeness, estimated about the best split, adds to its spread.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gitbench.stats.drift import drifting, line_ends, without_line
from gitbench.stats.rows import median_of
from gitbench.stats.split import (
    MIN_LEVEL,
    MIN_POINTS,
    Split,
    best_arc,
    best_split,
    rank_scores,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

ALPHA = 0.01
"""Chance of a false step in a series of noise, by the split of a whole segment."""

ARC_ALPHA = 0.005
"""The same by a stretch against the rest."""

CONFIDENCE = 0.95
"""Of the range of places where a step may lie."""

CORRELATED = 0.3
"""Autocorrelation from which steps are to be taken with care."""


@dataclass(frozen=True, slots=True)
class Level:
    """A stretch of points without a step."""

    start: int
    """Index of its first point in the series as given."""
    stop: int
    """Index after its last point."""
    points: int
    """How many there are; those that are NaN do not count."""
    center: float
    """Their median."""
    low: float
    """First and third quartile."""
    high: float


@dataclass(frozen=True, slots=True)
class Change:
    """A step between two levels."""

    index: int
    """The first point of the newer level."""
    earliest: int
    """First point of the newer level at the earliest, and at the latest; 95 %."""
    latest: int
    older: float
    """Center of the level that ends here."""
    newer: float
    """Center of the level that begins here."""
    p_value: float
    """Chance of such a split of these two levels if nothing had changed."""
    gradual: bool = False
    """Part of a drift: a straight line fits better than steps."""

    @property
    def ratio(self) -> float | None:
        """`newer` over `older`; None where they have no ratio."""
        return ratio_of(self.older, self.newer)


@dataclass(frozen=True, slots=True)
class Drift:
    """A slow change: steps in one direction that a straight line fits better, or a
    trend of the newest level."""

    start: int
    """Index of its first point."""
    stop: int
    """Index after its last point."""
    older: float
    """Where a line through the middle of its thirds begins, and where it ends."""
    newer: float

    @property
    def ratio(self) -> float | None:
        """`newer` over `older`; None where they have no ratio."""
        return ratio_of(self.older, self.newer)


@dataclass(frozen=True, slots=True)
class Changes:
    """What is found in a series; everything in time order."""

    points: int
    """Points that are numbers."""
    levels: tuple[Level, ...]
    changes: tuple[Change, ...]
    drifts: tuple[Drift, ...]
    autocorrelation: float | None
    """Of a point with the one before it, about the levels (rank scores); None for
    too few points."""

    @property
    def correlated(self) -> bool:
        """Whether the points resemble their neighbours so much that more steps are
        false than the level promises."""
        return self.autocorrelation is not None and self.autocorrelation > CORRELATED


def ratio_of(older: float, newer: float) -> float | None:
    """`newer` over `older` if both are positive and it is a float; else None."""
    if older <= 0 or newer <= 0:
        return None
    with np.errstate(all="ignore"):
        ratio = float(np.float64(newer) / np.float64(older))
    return ratio if 0 < ratio < np.inf else None


def find_changes(
    values: ArrayLike, *, alpha: float = ALPHA, least: float = 0.0
) -> Changes:
    """The levels of a series and the steps between them.

    `values` (n,) in time order, in any unit and of any sign; NaN and infinities are
    gaps.  `alpha` is the chance of a false step in a series of noise (half as much
    again for levels that came and went).  Steps whose ratio is nearer to 1 than
    `1 + least` (and its inverse) are left out; steps without a ratio never are.
    """
    series = np.asarray(values, dtype=np.float64).ravel()
    places = np.flatnonzero(np.isfinite(series))
    x = series[places]
    cuts = _great_enough(x, _settle(x, _search(x, alpha), alpha), least)
    bounds = [0, *(cut.place for cut in cuts), x.size]
    drifts = drifting(x, bounds, least)
    ranges = [_range(x, *bounds[number : number + 3]) for number in range(len(cuts))]
    levels = tuple(
        _level(x[start:stop], places[start:stop])
        for start, stop in pairwise(bounds)
        if stop > start
    )
    changes = tuple(
        Change(
            index=int(places[cut.place]),
            earliest=int(places[ranges[number][0]]),
            latest=int(places[ranges[number][1]]),
            older=levels[number].center,
            newer=levels[number + 1].center,
            p_value=cut.p_value,
            gradual=any(start < cut.place < stop for start, stop in drifts),
        )
        for number, cut in enumerate(cuts)
    )
    return Changes(
        points=int(x.size),
        levels=levels,
        changes=changes,
        drifts=tuple(
            Drift(
                int(places[start]), int(places[stop - 1]) + 1, *line_ends(x[start:stop])
            )
            for start, stop in drifts
        ),
        autocorrelation=_autocorrelation(x, bounds, drifts),
    )


# -------------------------------------------------------------- many segments


def _search(x: Floats, alpha: float) -> list[int]:
    """Places of cuts, sorted: binary segmentation, and stretches where it ends."""
    cuts: list[int] = []
    waiting = [(0, int(x.size))]
    while waiting:
        start, stop = waiting.pop()
        cut = best_split(x, start, stop)
        if cut is None:
            continue
        places = (
            (cut.place,) if cut.p_value < alpha else _arc(x[start:stop], start, alpha)
        )
        if places:
            cuts += places
            waiting += pairwise((start, *places, stop))
    return sorted(cuts)


def _arc(segment: Floats, start: int, alpha: float) -> tuple[int, ...]:
    """Where a level that came and went begins and ends; empty without one."""
    found = best_arc(segment)
    if found is None or found[2] >= alpha * ARC_ALPHA / ALPHA:
        return ()
    return tuple(
        start + at for at in found[:2] if MIN_LEVEL <= at <= segment.size - MIN_LEVEL
    )


def _settle(x: Floats, places: list[int], alpha: float) -> list[Split]:
    """Each cut placed and tested anew between its neighbours, and the weakest taken
    out until all that are left are significant."""
    places = list(places)
    known: dict[tuple[int, int], Split | None] = {}

    def between(start: int, stop: int) -> Split | None:
        if (start, stop) not in known:
            known[start, stop] = best_split(x, start, stop)
        return known[start, stop]

    moves = 0
    while places:
        bounds = [0, *places, int(x.size)]
        found = [between(bounds[i], bounds[i + 2]) for i in range(len(places))]
        weak = [1.0 if one is None else one.p_value for one in found]
        worst = int(np.argmax(weak))
        if weak[worst] >= alpha:
            del places[worst]
            continue
        cuts = [one for one in found if one is not None]
        moved = [one.place for one in cuts]
        clash = _first_clash(moved)
        if clash is not None:
            # Two cuts that want the same place are one step.
            del places[clash + (weak[clash] <= weak[clash + 1])]
            continue
        # Cuts that push each other back and forth stay where they are in the end.
        if moved != places and moves < MOST_MOVES:
            moves, places = moves + 1, moved
            continue
        return [Split(at, one.p_value) for at, one in zip(places, cuts, strict=True)]
    return []


def _range(x: Floats, start: int, place: int, stop: int) -> tuple[int, int]:
    """First and last place between two bounds where a step at `place` may lie.

    Places are weighed by the likelihood of normal noise about the two medians, with
    the spread that the eighth decile of the deviations tells (robust, and not 0 where
    half of the numbers are equal); no point weighs more than one of three deviations.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        scale = float(np.max(np.abs(x[start:stop])))
        values = x[start:stop] / scale
        older, newer = (
            median_of(values[: place - start]),
            median_of(values[place - start :]),
        )
        rest = np.concatenate(
            [values[: place - start] - older, values[place - start :] - newer]
        )
        spread = float(np.sort(np.abs(rest))[int(SPREAD_SHARE * (rest.size - 1))])
        spread = max(spread / SPREAD_SIGMA, 1e-12 * abs(newer - older), 1e-300)
        by_older = np.minimum(((values - older) / spread) ** 2, 9.0)
        by_newer = np.minimum(((values - newer) / spread) ** 2, 9.0)
    # The log likelihood of a cut before each point, up to a constant.
    gains = np.cumsum((by_newer - by_older) / 2)[:-1]
    weights = np.exp(gains - gains.max())
    shares = np.cumsum(weights) / weights.sum()
    side = (1 - CONFIDENCE) / 2
    low = start + 1 + int(np.searchsorted(shares, side))
    high = start + 1 + int(np.searchsorted(shares, 1 - side))
    return min(low, place), max(min(high, stop - 1), place)


SPREAD_SHARE = 0.8
SPREAD_SIGMA = 1.2816
"""Share of absolute deviations, and where a normal distribution has it."""


def _great_enough(x: Floats, cuts: list[Split], least: float) -> list[Split]:
    """Cuts without the small ones, the smallest out first.  None is placed anew:
    a level that has a small step in it would pull its neighbours to that."""
    kept = list(cuts)
    while kept:
        sizes = _sizes(x, [0, *(one.place for one in kept), int(x.size)])
        small = int(np.argmin(sizes))
        if sizes[small] >= np.log1p(least):
            break
        del kept[small]
    return kept


MOST_MOVES = 10


def _first_clash(places: list[int]) -> int | None:
    """Number of the first place that does not lie before the next one."""
    for number, (one, following) in enumerate(pairwise(places)):
        if one >= following:
            return number
    return None


def _sizes(x: Floats, bounds: list[int]) -> list[float]:
    """Absolute log ratio of the levels at each cut; infinite where there is none."""
    pairs = pairwise(bounds)
    centers = [median_of(x[start:stop]) for start, stop in pairs]
    ratios = [ratio_of(*pair) for pair in pairwise(centers)]
    return [np.inf if one is None else abs(float(np.log(one))) for one in ratios]


# ----------------------------------------------------------- what is found


def _level(x: Floats, places: Ints) -> Level:
    ordered = np.sort(x)
    return Level(
        start=int(places[0]),
        stop=int(places[-1]) + 1,
        points=int(x.size),
        center=median_of(x),
        low=float(ordered[(x.size - 1) // 4]),
        high=float(ordered[(3 * (x.size - 1) + 3) // 4]),
    )


def _autocorrelation(
    x: Floats, bounds: list[int], drifts: list[tuple[int, int]]
) -> float | None:
    """Of neighbours within one level, by rank scores about it, or about its trend
    where it drifts."""
    if x.size < MIN_POINTS:
        return None
    products = squares = 0.0
    for start, stop in pairwise(bounds):
        z = rank_scores(x[None, start:stop])[0]
        if any(first <= start and stop <= last for first, last in drifts):
            z = without_line(z)
        products += float(z[1:] @ z[:-1])
        squares += float(z @ z)
    # Rounding leaves 1e-30 of constant levels.
    return products / squares if squares > 1e-12 * x.size else 0.0

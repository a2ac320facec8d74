"""Steps in a long series: where its level changed for good.

A series is one number a commit, in time order.  Only the ranks of the numbers take
part, as scores that fall off like a normal distribution.  So a spike counts no more
than the greatest of ordinary values, units and logarithms do not matter, and on a
series whose points could stand in any order the chance of a false step is the stated
level, whatever the distribution of the noise.

For each place the scores left and right of it are compared (the two-sample statistic
of van der Waerden 1952), and the greatest of these statistics is held against the
distribution of such a maximum (James, James and Siegmund 1987).  A segment with a
significant split is cut there and its parts are tried in turn (binary segmentation,
Scott and Knott 1974); one without is tried again in windows of many lengths, which
see a level that came and went (after seeded binary segmentation, Kovacs, Li, Buehlmann
and Munk 2023).  In the end each cut is placed and tested anew between its neighbours.

Points that resemble the one before them look like steps.  The statistic is divided by
what such a likeness, estimated about the best split, adds to its spread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gitbench.stats.rows import median_of
from gitbench.stats.student import tail

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

MIN_POINTS = 10
"""Fewer points tell nothing at this level: even four below four happen by chance in
one of 35 series."""

MIN_LEVEL = 2
"""Points that a level has at least; one alone is a spike."""

ALPHA = 0.01
"""Chance of a false step in a series of noise, by the split of a whole segment."""

WINDOW_ALPHA = 0.005
"""The same by the windows in it, all of them together."""

SMALLEST_WINDOW = 24

CONFIDENCE = 0.95
"""Of the places where a step may lie."""

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
    """Successive changes in one direction that a straight line fits better."""

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
    again for steps that only a window sees).  Steps whose ratio is nearer to 1 than
    `1 + least` (and its inverse) are left out; steps without a ratio never are.
    """
    series = np.asarray(values, dtype=np.float64).ravel()
    places = np.flatnonzero(np.isfinite(series))
    x = series[places]
    cuts = _settle(x, _search(x, alpha), alpha, least)
    bounds = [0, *(cut.place for cut in cuts), x.size]
    drifts = _drifts(x, bounds)
    levels = tuple(
        _level(x[start:stop], places[start:stop])
        for start, stop in zip(bounds, bounds[1:], strict=False)
        if stop > start
    )
    changes = tuple(
        Change(
            index=int(places[cut.place]),
            earliest=int(places[cut.earliest]),
            latest=int(places[cut.latest]),
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
        drifts=tuple(_drift(x, places, start, stop) for start, stop in drifts),
        autocorrelation=_autocorrelation(x, bounds),
    )


# ---------------------------------------------------------------- one segment


@lru_cache(maxsize=64)
def _scores(n: int) -> Floats:
    """Scores of the ranks 1 to n, in order: Tukey's lambda distribution with 0.14,
    which is normal to a hundredth (Filliben 1975) and needs no table."""
    p = np.arange(1, n + 1) / (n + 1)
    scores: Floats = p**0.14 - (1 - p) ** 0.14
    scores.flags.writeable = False
    return scores


def _rank_scores(x: Floats) -> Floats:
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


def _statistics(z: Floats) -> Floats:
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
    freedom, which a rotation-invariant vector gives exactly.  Within a tenth of
    simulated probabilities from n = 16 on, at levels from .1 to .002.
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
    if b <= 0:
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


def _inflation(n: int, rho: float) -> Floats:
    """Variance of each split's difference of means in a series where neighbours
    correlate by `rho` and others by its powers, over that of independent points."""
    k = np.arange(1, n)
    if rho <= 0:
        return np.ones(k.size)

    def mean_variance(length: Ints) -> Floats:
        edge = 2 * rho * (1 - rho**length) / (length * (1 - rho) ** 2)
        variance: Floats = ((1 + rho) / (1 - rho) - edge) / length
        return variance

    both: Floats = mean_variance(k) + mean_variance(n - k)
    return both * (k * (n - k) / n)


def _likeness(z: Floats, statistics: Floats) -> float:
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
class _Cut:
    """The best split of a segment; places count from the series' start."""

    place: int
    p_value: float
    earliest: int
    latest: int


def _best_cut(x: Floats, start: int, stop: int) -> _Cut | None:
    """The best split of a segment, significant or not; None for too few points."""
    n = stop - start
    if n < MIN_POINTS:
        return None
    z = _rank_scores(x[None, start:stop])[0]
    raw = _statistics(z[None])[0]
    statistics = np.abs(raw) / np.sqrt(_inflation(n, _likeness(z, raw)))
    inside = statistics[MIN_LEVEL - 1 : n - MIN_LEVEL]
    best = int(np.argmax(inside))
    # The profile of the likelihood, as if scores were normal about two levels.
    weights = np.exp((inside**2 - inside[best] ** 2) / 2)
    wanted = CONFIDENCE * float(weights.sum())
    low = high = best
    total = float(weights[best])
    while total < wanted:
        left = weights[low - 1] if low else -1.0
        right = weights[high + 1] if high + 1 < weights.size else -1.0
        if left >= right:
            low -= 1
        else:
            high += 1
        total += float(max(left, right))
        if low == 0 and high == weights.size - 1:
            break
    first = start + MIN_LEVEL
    return _Cut(
        first + best, max_tail(float(inside[best]), n), first + low, first + high
    )


# -------------------------------------------------------------- many segments


def _search(x: Floats, alpha: float) -> list[int]:
    """Places of cuts, sorted: binary segmentation, with windows where it ends."""
    cuts: list[int] = []
    waiting = [(0, int(x.size))]
    while waiting:
        start, stop = waiting.pop()
        cut = _best_cut(x, start, stop)
        if cut is None:
            continue
        place = cut.place if cut.p_value < alpha else _in_windows(x, start, stop, alpha)
        if place is not None:
            cuts.append(place)
            waiting += [(start, place), (place, stop)]
    return sorted(cuts)


def _in_windows(x: Floats, start: int, stop: int, alpha: float) -> int | None:
    """The most significant split in windows of growing lengths, a quarter of their
    length apart, corrected for their number; None where none is significant."""
    n = stop - start
    lengths = []
    length = SMALLEST_WINDOW
    while length <= 2 * n // 3:
        lengths.append(length)
        length = length * 3 // 2
    if not lengths or np.ptp(x[start:stop]) == 0:
        return None
    segment = x[start:stop]
    whole = _rank_scores(segment[None])
    rho = _likeness(whole[0], _statistics(whole)[0])
    tried, best_p, place = 0, 1.0, 0
    for length in lengths:
        views = np.lib.stride_tricks.sliding_window_view(segment, length)
        offsets = [*range(0, n - length, max(1, length // 4)), n - length]
        tried += len(offsets)
        statistics = np.abs(_statistics(_rank_scores(views[offsets])))
        statistics /= np.sqrt(_inflation(length, rho))
        inside = statistics[:, MIN_LEVEL - 1 : length - MIN_LEVEL]
        row, column = divmod(int(np.argmax(inside)), inside.shape[1])
        p = max_tail(float(inside[row, column]), length)
        if p < best_p:
            best_p, place = p, start + offsets[row] + column + MIN_LEVEL
    level = alpha * WINDOW_ALPHA / ALPHA
    return place if best_p * tried < level else None


def _settle(x: Floats, places: list[int], alpha: float, least: float) -> list[_Cut]:
    """Each cut placed and tested anew between its neighbours, and the weakest taken
    out until all that are left are significant and great enough."""
    places = list(places)
    known: dict[tuple[int, int], _Cut | None] = {}

    def between(start: int, stop: int) -> _Cut | None:
        if (start, stop) not in known:
            known[start, stop] = _best_cut(x, start, stop)
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
        sizes = _sizes(x, bounds)
        small = int(np.argmin(sizes))
        if sizes[small] >= np.log1p(least):
            return [
                _Cut(at, one.p_value, min(at, one.earliest), max(at, one.latest))
                for at, one in zip(places, cuts, strict=True)
            ]
        del places[small]
    return []


MOST_MOVES = 10


def _first_clash(places: list[int]) -> int | None:
    """Number of the first place that does not lie before the next one."""
    for number, (one, following) in enumerate(zip(places, places[1:], strict=False)):
        if one >= following:
            return number
    return None


def _sizes(x: Floats, bounds: list[int]) -> list[float]:
    """Absolute log ratio of the levels at each cut; infinite where there is none."""
    pairs = zip(bounds, bounds[1:], strict=False)
    centers = [median_of(x[start:stop]) for start, stop in pairs]
    ratios = [ratio_of(*pair) for pair in zip(centers, centers[1:], strict=False)]
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


def _autocorrelation(x: Floats, bounds: list[int]) -> float | None:
    """Of neighbours within one level, by rank scores about it."""
    if x.size < MIN_POINTS:
        return None
    products = squares = 0.0
    for start, stop in zip(bounds, bounds[1:], strict=False):
        z = _rank_scores(x[None, start:stop])[0]
        products += float(z[1:] @ z[:-1])
        squares += float(z @ z)
    return products / squares if squares > 0 else 0.0


def _drifts(x: Floats, bounds: list[int]) -> list[tuple[int, int]]:
    """Stretches of successive changes in one direction which a line fits better
    than their levels do, by Schwarz's criterion (1978) on rank scores."""
    centers = [
        median_of(x[start:stop])
        for start, stop in zip(bounds, bounds[1:], strict=False)
        if stop > start
    ]
    signs = [
        newer > older for older, newer in zip(centers, centers[1:], strict=False)
    ]
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
    z = _rank_scores(x[None])[0]
    time = np.arange(n) - (n - 1) / 2
    slope = float(time @ z) / float(time @ time)
    # Equal values leave z a mean of 0 as well.
    by_line = float(np.sum((z - slope * time) ** 2))
    by_levels = sum(
        float(np.sum((z[start:stop] - z[start:stop].mean()) ** 2))
        for start, stop in zip(bounds, bounds[1:], strict=False)
    )
    steps = len(bounds) - 2
    if by_levels <= 1e-12 * n:
        return False
    # A line has two parameters; steps have a place each, and a level more.
    penalty = (2 * steps + 1 - 2) * np.log(n)
    return n * float(np.log(by_line / by_levels)) < penalty


def _drift(x: Floats, places: Ints, start: int, stop: int) -> Drift:
    """Ends of the line through the medians of the outer thirds (Tukey 1977)."""
    stretch = x[start:stop]
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
    return Drift(int(places[start]), int(places[stop - 1]) + 1, *ends)

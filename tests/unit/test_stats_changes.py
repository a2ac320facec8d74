"""Steps in a long series: noise laws, detection, degenerate input, references."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from gitbench.stats.changes import Changes, find_changes
from gitbench.stats.drift import trend_tail
from gitbench.stats.split import (
    arc_tail,
    best_arc,
    best_split,
    inflation,
    likeness,
    max_tail,
    rank_scores,
    split_statistics,
)

Floats = NDArray[np.float64]


def noise(seed: int, count: int, n: int, rho: float = 0.0) -> Floats:
    """Series of noise (count, n) of variance 1; neighbours correlate by `rho`."""
    series = np.random.default_rng(seed).normal(size=(count, n))
    for at in range(1, n):
        series[:, at] = rho * series[:, at - 1] + math.sqrt(1 - rho**2) * series[:, at]
    return series


def with_outliers(seed: int, series: Floats) -> Floats:
    """The same with 5 % of points moved up by 3 to 30 standard deviations."""
    chance = np.random.default_rng(seed)
    hit = chance.random(series.shape) < 0.05
    return series + hit * chance.uniform(3, 30, series.shape)


def indexes(found: Changes) -> list[int]:
    """Where the steps are."""
    return [one.index for one in found.changes]


# ---------------------------------------------------------------- noise laws


@pytest.mark.parametrize("shape", ["normal", "outliers", "log-normal", "two modes"])
def test_noise_has_no_steps(shape: str) -> None:
    """At most 2 % of series of 200 points of noise have a step, whatever its shape.

    10 of 300 is what a true share of 1.5 % exceeds once in 80 times.
    """
    series = noise(1, 300, 200)
    if shape == "outliers":
        series = with_outliers(2, series)
    elif shape == "log-normal":
        series = np.exp(2 * series)
    elif shape == "two modes":
        series += 10 * (np.random.default_rng(3).random(series.shape) < 0.3)
    assert sum(bool(find_changes(one).changes) for one in series) <= 10


@pytest.mark.parametrize("rho", [0.3, 0.5])
def test_noise_that_resembles_itself_has_few_steps_and_is_named(rho: float) -> None:
    """Autocorrelated noise gives steps in a few of a hundred series; without the
    correction it is 22 and 60.  At 0.5 nearly all of them are marked."""
    found = [find_changes(one) for one in noise(4, 150, 200, rho)]

    assert sum(bool(one.changes) for one in found) <= 10
    marked = sum(one.correlated for one in found)
    assert marked >= 140 if rho == 0.5 else 30 <= marked <= 120


def test_the_level_is_kept_over_all_orders_of_odd_values() -> None:
    """Over random orders of the same heavy-tailed, tied values, a split is
    significant at 1 % in no more than 1 % (and sampling error) of them."""
    chance = np.random.default_rng(5)
    values = np.round(chance.standard_cauchy(24), 1)
    values[:4] = 1.0
    splits = [best_split(chance.permutation(values), 0, 24) for _ in range(1500)]

    assert sum(one is not None and one.p_value < 0.01 for one in splits) <= 27


def test_one_odd_value_among_equal_ones_is_no_step() -> None:
    """A spike in a constant series is none, wherever it stands; nor are two."""
    for at in range(40):
        series = np.full(40, 7.0)
        series[at] = 9.0
        assert find_changes(series).changes == ()
    assert find_changes([7.0] * 100 + [9.0, 9.0]).changes == ()


# ----------------------------------------------------------------- detection


@pytest.mark.parametrize("quiet", [30, 100, 195])
def test_a_step_is_found_five_points_after_it(quiet: int) -> None:
    """A step of three standard deviations is found, within two points of its place,
    in at least 80 % of series that end five points after it."""
    series = noise(6, 150, quiet + 5)
    series[:, quiet:] += 3
    found = [find_changes(one) for one in series]

    near = sum(any(abs(at - quiet) <= 2 for at in indexes(one)) for one in found)
    assert near >= 0.8 * len(found)


def test_the_place_of_a_step_lies_within_its_bounds() -> None:
    """The stated range of places holds the true one in at least 90 % of series."""
    series = noise(7, 200, 80)
    series[:, 50:] += 1.5
    changes = [one.changes[0] for one in map(find_changes, series) if one.changes]

    assert len(changes) > 190
    assert sum(c.earliest <= 50 <= c.latest for c in changes) >= 0.9 * len(changes)
    assert all(c.earliest <= c.index <= c.latest for c in changes)


def test_levels_and_steps_are_told_in_full() -> None:
    """Levels are medians and quartiles of their stretch, steps join two of them."""
    found = find_changes([10.0, 11, 12] * 7 + [20.0, 21, 22, 23] * 5)

    assert indexes(found) == [21]
    assert [(one.start, one.stop, one.points) for one in found.levels] == [
        (0, 21, 21),
        (21, 41, 20),
    ]
    assert [one.center for one in found.levels] == [11.0, 21.5]
    assert (found.levels[0].low, found.levels[0].high) == (10.0, 12.0)
    (change,) = found.changes
    assert (change.older, change.newer) == (11.0, 21.5)
    assert change.ratio == pytest.approx(21.5 / 11)
    assert change.p_value < 1e-6
    assert not change.gradual


def test_a_level_that_came_and_went_is_found() -> None:
    """Fifteen higher points amid two hundred are two steps; so is a level between
    two others of its length, which no single split tells from noise."""
    series = noise(8, 40, 200)
    series[:, 80:95] += 3
    hits = [indexes(find_changes(one)) for one in series]

    assert sum(len(one) == 2 for one in hits) >= 32
    between = noise(8, 40, 45) + np.repeat([0.0, 60, 0], 15)
    assert sum(indexes(find_changes(one)) == [15, 30] for one in between) >= 34
    assert np.median([one[0] for one in hits if len(one) == 2]) == 80


def test_many_levels_are_told_apart() -> None:
    """Six levels of thirty points come out as six, cut where they join."""
    series = noise(9, 1, 180)[0] + np.repeat([0.0, 6, 2, 8, 3, 12], 30)

    assert all(
        abs(at - true) <= 1
        for at, true in zip(
            indexes(find_changes(series)), range(30, 180, 30), strict=True
        )
    )


def test_a_slow_drift_is_called_one() -> None:
    """A trend is cut into steps that are marked as gradual; a step is not."""
    trend = noise(10, 30, 200) * 0.01 + np.linspace(0, 0.05, 200)
    found = [find_changes(np.exp(one)) for one in trend]
    drifts = [one.drifts[0] for one in found if one.drifts]

    assert len(drifts) >= 28
    assert np.median([one.ratio for one in drifts]) == pytest.approx(1.051, abs=0.006)
    assert all(c.gradual for one in found if one.drifts for c in one.changes)
    step = noise(10, 30, 200)
    step[:, 100:] += 2
    assert sum(bool(find_changes(one).drifts) for one in step) <= 1


@pytest.mark.parametrize(("rho", "most"), [(0.0, 6), (0.5, 14)])
def test_noise_has_no_drift(rho: float, most: int) -> None:
    """A trend is significant at 0.5 % in about so many series of noise, and in few
    of autocorrelated ones; a real one is found."""
    tails = [trend_tail(one) for one in noise(16, 400, 60, rho)]
    assert sum(one < 0.005 for one in tails) <= most

    rising = noise(17, 50, 60, rho) + np.linspace(0, 4 + 6 * rho, 60)
    assert sum(trend_tail(one) < 0.005 for one in rising) >= 45


def test_a_trend_is_told_as_a_correlation_with_time() -> None:
    """Without autocorrelation its p-value is about that of Spearman's."""
    (x,) = noise(18, 1, 80)
    x += np.linspace(0, 1.2, 80)
    expected = stats.spearmanr(x, np.arange(80)).pvalue

    assert 0.1 < trend_tail(x) / expected < 10
    assert trend_tail(np.ones(30)) == 1.0
    assert trend_tail(np.arange(30.0)) < 1e-6


def test_small_steps_can_be_left_out() -> None:
    """`least` drops what is smaller, whichever way it goes."""
    series = 100 + np.tile([0.0, 0.1], 60)
    series[40:] *= 1.01
    series[80:] *= 1.2

    assert indexes(find_changes(series)) == [40, 80]
    assert indexes(find_changes(series, least=0.02)) == [80]
    assert indexes(find_changes(1 / series, least=0.02)) == [80]
    assert find_changes(series, least=0.5).changes == ()


# ---------------------------------------------------------------------- laws


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=0, max_size=60), st.data())
def test_only_the_order_of_sizes_counts(
    numbers: list[int], data: st.DataObject
) -> None:
    """Units, logarithms and signs change no step; gaps only move indexes."""
    series = np.array(numbers, dtype=float)
    expected = indexes(find_changes(series))

    assert indexes(find_changes(series * 2.5e-9)) == expected
    assert indexes(find_changes(np.exp(series / 10))) == expected
    assert indexes(find_changes(-series)) == expected
    at = data.draw(st.integers(0, len(numbers)))
    gapped = np.insert(series, at, [math.nan, math.inf])
    assert indexes(find_changes(gapped)) == [one + 2 * (one >= at) for one in expected]


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=64), max_size=40))
def test_any_numbers_are_taken(numbers: list[float]) -> None:
    """Whatever floats come, levels cover the points in order and nothing warns."""
    with np.errstate(all="raise", under="ignore"):
        found = find_changes(numbers)

    assert found.points == sum(map(math.isfinite, numbers))
    assert sum(one.points for one in found.levels) == found.points
    assert len(found.levels) == len(found.changes) + bool(found.points)
    for older, newer in itertools.pairwise(found.levels):
        assert older.start < older.stop <= newer.start
    assert all(math.isfinite(one.center) for one in found.levels)


@pytest.mark.parametrize("scale", [1e-300, 1e300, -1e300, 2.0**60])
def test_extreme_sizes_have_steps_too(scale: float) -> None:
    """A step is found at the ends of the range of floats, and beyond 2^53."""
    series = scale * (1 + 0.001 * (np.arange(40) % 3) + 0.5 * (np.arange(40) >= 25))
    (change,) = find_changes(series).changes

    assert change.index == 25
    assert change.ratio == (None if scale < 0 else pytest.approx(1.5, rel=0.01))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9])
def test_few_points_have_no_steps(count: int) -> None:
    """Short series have a level, if they have a point, and no autocorrelation."""
    found = find_changes(np.arange(count, dtype=float))

    assert (found.points, found.changes, found.drifts) == (count, (), ())
    assert len(found.levels) == (count > 0)
    assert found.autocorrelation is None


def test_constants_have_no_steps() -> None:
    """Equal numbers are one level, though 0.1 has no exact mean."""
    for count in (10, 11, 52, 200):
        found = find_changes([0.1] * count)
        assert found.changes == ()
        assert found.levels[0].center == 0.1
        assert found.autocorrelation == 0.0


def test_a_constant_that_changes_has_one_step() -> None:
    """Counts without noise: one step, at its place, and none beside it."""
    found = find_changes([359.0] * 30 + [364.0] * 52)

    assert indexes(found) == [30]
    assert find_changes([0.0] * 20 + [-3.0] * 20).changes[0].ratio is None


def test_the_same_series_gives_the_same_answer() -> None:
    """Nothing is drawn by chance: two calls agree to the last bit."""
    (series,) = noise(11, 1, 300)
    series[150:] += 1
    assert find_changes(series) == find_changes(series.copy())


# ---------------------------------------------------------------- references


def test_scores_are_those_of_ranks_with_ties_shared() -> None:
    """They are nearly normal, and equal values share the mean of their scores."""
    x = np.array([[3.0, 1.0, 3.0, 2.0, 5.0, 3.0, 1.0]])
    plain = np.sort(rank_scores(np.arange(7.0)[None])[0])
    ranks = stats.rankdata(x[0], method="ordinal").astype(int) - 1
    expected = [
        np.mean([plain[r] for r, v in zip(ranks, x[0], strict=True) if v == value])
        for value in x[0]
    ]

    assert rank_scores(x)[0] == pytest.approx(expected)
    many = np.sort(rank_scores(np.arange(200.0)[None])[0])
    normal = stats.norm.ppf(np.arange(1, 201) / 201)
    assert many / many.std() == pytest.approx(normal / normal.std(), abs=0.02)


def test_statistics_are_two_sample_statistics() -> None:
    """Each is the sum of the scores before a split, over its standard deviation
    among all orders of them, here counted out."""
    (z,) = rank_scores(np.array([[4.0, 2.0, 7.0, 1.0, 3.0, 9.0]]))
    orders = np.array(list(itertools.permutations(z)))
    for k, one in enumerate(split_statistics(z[None])[0], 1):
        assert one == pytest.approx(z[:k].sum() / orders[:, :k].sum(axis=1).std())


def test_inflation_is_that_of_the_covariances() -> None:
    """It is the sum of the variances of two means under rho^|i - j|."""
    n, rho = 12, 0.6

    def variance(length: int) -> float:
        lags = np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
        return float((rho**lags).sum()) / length**2

    for k, one in enumerate(inflation(n, rho), 1):
        expected = (variance(k) + variance(n - k)) / (1 / k + 1 / (n - k))
        assert one == pytest.approx(expected)
    assert inflation(n, 0.0) == pytest.approx(np.ones(n - 1))


@pytest.mark.parametrize(
    ("n", "count"), [(10, 2500), (16, 2500), (60, 2000), (250, 1500)]
)
def test_the_tail_of_the_maximum_is_what_chance_gives(n: int, count: int) -> None:
    """Simulated orders exceed the points of 2 and 1 % about that often, and those of
    few points, whose chances have gaps, not much more often."""
    series = np.random.default_rng(12).random((count, n))
    inside = np.abs(split_statistics(rank_scores(series)))[:, 1 : n - 2]
    tails = np.array([max_tail(one, n) for one in inside.max(axis=1)])
    for level in (0.02, 0.01):
        error = 3 * math.sqrt(level / count)
        share = float((tails < level).mean())
        assert share < 1.25 * level + error
        assert n == 10 or share > 0.75 * level - error


def test_the_tail_falls_and_keeps_its_bounds() -> None:
    """It is 1 without a difference, 0 beyond what ranks can give, and falls."""
    for n in (4, 10, 100, 10_000):
        tails = [max_tail(x, n) for x in np.linspace(0, 12, 241)]
        assert all(0 <= one <= 1 for one in tails)
        assert tails == sorted(tails, reverse=True)
        assert tails[0] == 1.0
    assert max_tail(3.2, 10) == 0.0
    assert max_tail(1.0, 3) == 1.0


@pytest.mark.parametrize("p", [0.4, 0.01, 1e-8, 1e-100, 1e-299])
def test_the_normal_quantile_is_scipys(p: float) -> None:
    """It agrees to 1e-12, far out as well."""
    from gitbench.stats.split import _normal_quantile

    assert _normal_quantile(p) == pytest.approx(stats.norm.isf(p), rel=1e-12)


def test_likeness_sees_neighbours_and_not_steps() -> None:
    """It is about rho for noise, and small for independent points about levels."""

    def of(series: Floats, *cuts: int) -> float:
        return float(np.mean([likeness(one, cuts) for one in series]))

    assert of(noise(13, 60, 200, 0.5), 90) == pytest.approx(0.48, abs=0.06)
    assert of(noise(13, 60, 200), 90) < 0.06
    levels = np.repeat([0, 5, 1, 7, 2, 9, 0, 4], 25)
    assert of(noise(13, 60, 200) + levels, 75) < 0.1
    assert of(noise(13, 60, 45) + np.repeat([0, 50, 0], 15), 15, 30) < 0.1
    assert of(np.ones((1, 30)), 15) == 0.0


def test_the_best_stretch_is_what_a_plain_search_finds() -> None:
    """The statistic of every stretch against the rest, one after another."""
    (x,) = noise(14, 1, 60)
    x[30:36] += 4
    (z,) = rank_scores(x[None])
    spread = np.sort(z) @ np.sort(z) / 59
    peaks = {
        (i, j): abs(z[i:j].sum()) / math.sqrt((j - i) * (60 - j + i) / 60 * spread)
        for i in range(60)
        for j in range(i + 2, 61)
        if j - i <= 58
    }
    start, stop = max(peaks, key=peaks.__getitem__)

    assert best_arc(x) is not None
    assert likeness(x, (start, stop)) == 0.0
    found = best_arc(x)
    assert found is not None
    assert found[:2] == (start, stop) == (30, 36)
    assert found[2] == pytest.approx(arc_tail(peaks[start, stop], 60))
    assert found[2] < 0.001


@pytest.mark.parametrize(("n", "count"), [(20, 4000), (60, 3000), (200, 1500)])
def test_the_tail_of_stretches_is_careful(n: int, count: int) -> None:
    """Simulated orders exceed its points of 2 and 1 % at most that often, and not
    much less than half as often."""
    z = rank_scores(np.random.default_rng(15).random((count, n)))
    sums = np.concatenate([np.zeros((count, 1)), np.cumsum(z, axis=1)], axis=1)
    spread = np.sort(z[0]) @ np.sort(z[0]) / (n - 1)
    peaks = np.zeros(count)
    for width in range(2, n - 1):
        reach = np.abs(sums[:, width:] - sums[:, :-width]).max(axis=1)
        reach /= math.sqrt(width * (n - width) / n * spread)
        peaks = np.maximum(peaks, reach)
    tails = np.array([arc_tail(one, n) for one in peaks])
    for level in (0.02, 0.01):
        error = 3 * math.sqrt(level / count)
        assert 0.45 * level - error < (tails < level).mean() < level + error
    assert arc_tail(0.0, n) == 1.0
    assert arc_tail(50.0, n) == 0.0


def test_it_loads_numpy_and_nothing_of_scipy() -> None:
    """The detector needs numpy alone."""
    code = (
        "import sys, gitbench.stats.changes as c; c.find_changes(range(40));"
        "print({'scipy', 'statsmodels', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"

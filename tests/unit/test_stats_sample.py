"""Centers and within-run errors are what plain loops and statsmodels give."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gitbench.compare.cells import Cells
from gitbench.model import PLAIN_MEANS, Benchmark, Better, Kind, Measurement, Metric
from gitbench.stats.sample import Samples, summarise, trimmed_means
from gitbench.store.facts import point_of

NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False).map(
    lambda x: x if abs(x) > 1e-6 else 0.0
)
PROCESSES = st.lists(st.lists(NUMBERS, min_size=1, max_size=11), min_size=1, max_size=7)


def samples_of(samples: list[list[list[float]]]) -> Samples:
    """The summary of samples given as nested lists."""
    processes = [process for sample in samples for process in sample]
    return summarise(
        np.array([value for process in processes for value in process], dtype=float),
        np.array([len(process) for process in processes], dtype=np.intp),
        np.array([len(sample) for sample in samples], dtype=np.intp),
    )


def trimmed(values: list[float]) -> tuple[float, float]:
    """A trimmed mean and its error by the book: of the winsorised values."""
    ordered, n = sorted(values), len(values)
    cut = n // 5
    kept = ordered[cut : n - cut]
    winsorised = [min(max(x, kept[0]), kept[-1]) for x in ordered]
    if n == 1:
        return values[0], 0.0
    error = statistics.stdev(winsorised) * math.sqrt(n) / len(kept)
    return statistics.fmean(kept), error


@given(st.lists(PROCESSES, max_size=5))
@settings(derandomize=True, max_examples=150, deadline=None)
def test_samples_agree_with_plain_loops(samples: list[list[list[float]]]) -> None:
    """The center is the trimmed mean of the processes' trimmed means; the error comes
    from those, or from the values where there is a single process."""
    found = samples_of(samples)
    for place, sample in enumerate(samples):
        values = [value for process in sample for value in process]
        centers = [trimmed(process)[0] for process in sample]
        parts = centers if len(sample) > 1 else values
        size = max(map(abs, values))
        assert found.center[place] == pytest.approx(
            trimmed(centers)[0], abs=1e-12 * size
        )
        assert found.error[place] == pytest.approx(
            trimmed(parts)[1], rel=1e-9, abs=1e-7 * size
        )
        assert found.df[place] == len(parts) - 2 * (len(parts) // 5) - 1
        assert found.low[place] == min(values)
        assert found.high[place] == max(values)
        assert found.count[place] == len(values)


@pytest.mark.parametrize("size", [1, 2, 4, 5, 9, 10, 30, 101])
def test_trimmed_means_agree_with_statsmodels(size: int) -> None:
    """Center, standard error and degrees of freedom are those of statsmodels; the
    center is scipy's as well."""
    from statsmodels.stats.robust_compare import TrimmedMean

    x = np.random.default_rng(size).lognormal(0, 0.5, (3, size))
    center, error, df = trimmed_means(x.ravel(), np.full(3, size, dtype=np.intp))
    assert np.allclose(center, stats.trim_mean(x, 0.2, axis=1), rtol=1e-14)
    if size == 1:
        assert error.tolist() == [0.0] * 3
        return
    for row in range(3):
        book = TrimmedMean(x[row], 0.2)
        assert center[row] == pytest.approx(book.mean_trimmed, rel=1e-13)
        assert error[row] == pytest.approx(book.std_mean_trimmed, rel=1e-12)
        assert df[row] == book.nobs_reduced - 1


def test_a_trimmed_mean_by_hand() -> None:
    """Of ten numbers the outer four are left out: (3 + 4 + ... + 8) / 6; winsorised
    they are 3 3 3 4 5 6 7 8 8 8, with a sum of squares of 42.5."""
    numbers = [10.0, 1.0, 9.0, 2.0, 8.0, 3.0, 7.0, 4.0, 6.0, 5.0]
    found = samples_of([[numbers]])
    assert found.center[0] == 5.5
    assert found.error[0] == pytest.approx(math.sqrt(42.5 / 9 * 10) / 6, rel=1e-14)
    assert found.df[0] == 5


@given(PROCESSES, st.sampled_from([Kind.DURATION, Kind.MONEY, Kind.SCORE]))
@settings(derandomize=True, max_examples=100, deadline=None)
def test_the_store_knows_the_same_center(
    processes: list[list[float]], kind: Kind
) -> None:
    """What is listed and drawn is the center that is compared, whatever the kind."""
    one = Measurement(
        Benchmark("sort"),
        Metric("result", "s", Better.LOWER, kind),
        tuple(map(tuple, processes)),
    )
    cells = Cells()
    cells.add(0, 0, 1.0, one.processes, None, kind in PLAIN_MEANS)
    size = max(abs(value) for process in processes for value in process)
    assert point_of(one).center == pytest.approx(
        cells.grid(1, 1, 1).center[0, 0], rel=1e-12, abs=1e-12 * size
    )


def test_scores_and_costs_have_plain_means() -> None:
    """One failed answer of ten counts, and so does the one that cost ten times as
    much; beside them the same values of a duration are trimmed."""
    values = np.array([1.0] * 9 + [0.0] + [0.1] * 9 + [1.0] + [1.0] * 9 + [0.0])
    sizes, ones = np.full(3, 10, dtype=np.intp), np.ones(3, dtype=np.intp)
    found = summarise(values, sizes, ones, np.array([True, True, False]))
    assert found.center == pytest.approx([0.9, 0.19, 1.0])
    assert found.error[0] == pytest.approx(stats.sem(values[:10]))
    assert found.df.tolist() == [9, 9, 5]


@pytest.mark.parametrize("value", [0.1, 1e-300, 1e300, 2.0**53 + 2, -0.3, 0.0])
def test_equal_values_have_no_error_and_their_own_mean(value: float) -> None:
    """Constants give exactly themselves, whatever their size, and no variance."""
    found = samples_of([[[value] * 3], [[value] * 7, [value] * 2], [[value] * 10]])
    assert found.center.tolist() == [value] * 3
    assert found.error.tolist() == [0.0] * 3


def test_numbers_beyond_the_range_of_floats_raise_nothing() -> None:
    """Sums that overflow come back as infinities or NaN, for the caller to drop."""
    found = samples_of([[[1.7e308, -1.7e308]], [[1.0, 2.0]], [[1.7e308] * 9 + [0.0]]])
    assert not np.isfinite(found.center[0]) or not np.isfinite(found.error[0])
    assert found.center[1] == 1.5
    assert found.center[2] == 1.7e308


def test_squares_of_large_numbers_stay_within_range() -> None:
    """The error of values near 1e300 or 1e-300 is finite and not zero although their
    squares are neither."""
    for size in (1e300, 1e-300):
        found = samples_of([[[size, 2 * size, 3 * size]]])
        assert found.error[0] == pytest.approx(size / math.sqrt(3), rel=1e-12)


def test_neighbours_above_two_to_the_53_are_told_apart() -> None:
    """Integers too large for a float to hold all of them keep those it holds."""
    low = 2.0**53
    found = samples_of([[[low, low + 2, low + 4]]])
    assert found.center[0] == low + 2
    assert found.error[0] == pytest.approx(2 / math.sqrt(3), rel=1e-12)


def test_no_samples_give_no_numbers() -> None:
    """An empty table is summarised as one."""
    assert samples_of([]).center.shape == (0,)

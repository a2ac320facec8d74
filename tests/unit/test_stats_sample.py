"""Centers and within-run errors are what plain loops over the values give."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.stats.sample import Samples, summarise

PROCESSES = st.lists(
    st.lists(
        st.floats(-1e6, 1e6, allow_subnormal=False).map(
            lambda x: x if abs(x) > 1e-6 else 0.0
        ),
        min_size=1,
        max_size=6,
    ),
    min_size=1,
    max_size=4,
)


def samples_of(samples: list[list[list[float]]]) -> Samples:
    """The summary of samples given as nested lists."""
    processes = [process for sample in samples for process in sample]
    return summarise(
        np.array([value for process in processes for value in process], dtype=float),
        np.array([len(process) for process in processes], dtype=np.intp),
        np.array([len(sample) for sample in samples], dtype=np.intp),
    )


@given(st.lists(PROCESSES, max_size=5))
@settings(derandomize=True, max_examples=150, deadline=None)
def test_samples_agree_with_plain_loops(samples: list[list[list[float]]]) -> None:
    """The center is the mean of process means; the error comes from those means, or
    from the values where there is a single process."""
    found = samples_of(samples)
    for place, sample in enumerate(samples):
        values = [value for process in sample for value in process]
        means = [statistics.fmean(process) for process in sample]
        parts = means if len(sample) > 1 else values
        error = (
            statistics.stdev(parts) / math.sqrt(len(parts)) if len(parts) > 1 else 0.0
        )
        size = max(map(abs, values))
        assert found.center[place] == pytest.approx(
            statistics.fmean(means), abs=1e-12 * size
        )
        assert found.error[place] == pytest.approx(error, rel=1e-9, abs=1e-12 * size)
        assert found.low[place] == min(values)
        assert found.high[place] == max(values)
        assert found.count[place] == len(values)


@pytest.mark.parametrize("value", [0.1, 1e-300, 1e300, 2.0**53 + 2, -0.3])
def test_equal_values_have_no_error_and_their_own_mean(value: float) -> None:
    """Constants give exactly themselves, whatever their size, and no variance."""
    found = samples_of([[[value] * 3], [[value] * 7, [value] * 2]])
    assert found.center.tolist() == [value, value]
    assert found.error.tolist() == [0.0, 0.0]


def test_numbers_beyond_the_range_of_floats_raise_nothing() -> None:
    """Sums that overflow come back as infinities or NaN, for the caller to drop."""
    found = samples_of([[[1.7e308, -1.7e308]], [[1.0, 2.0]]])
    assert not np.isfinite(found.center[0]) or not np.isfinite(found.error[0])
    assert found.center[1] == 1.5


def test_squares_of_large_numbers_stay_within_range() -> None:
    """The error of values near 1e300 is finite although their squares are not."""
    found = samples_of([[[1e300, 2e300, 3e300]]])
    assert found.error[0] == pytest.approx(1e300 / math.sqrt(3), rel=1e-12)


def test_no_samples_give_no_numbers() -> None:
    """An empty table is summarised as one."""
    assert samples_of([]).center.shape == (0,)

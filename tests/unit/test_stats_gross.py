"""Only changes beyond a factor of two without any overlap are gross."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.stats.gross import Extent, extents, gross_changes


def side(*rows: list[float]) -> Extent:
    """The extent of rows given as lists."""
    values = np.array([value for row in rows for value in row], dtype=float)
    numbers = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    return extents(values, numbers, len(rows))


@given(st.lists(st.lists(st.floats(-1e9, 1e9), max_size=9), min_size=1, max_size=6))
@settings(derandomize=True, max_examples=100, deadline=None)
def test_extents_agree_with_numpy(rows: list[list[float]]) -> None:
    """Lowest, median and highest value of each row are numpy's; NaN without values."""
    found = side(*rows)
    for place, row in enumerate(rows):
        assert found.count[place] == len(row)
        if not row:
            assert np.isnan(
                [found.low[place], found.median[place], found.high[place]]
            ).all()
            continue
        assert (found.low[place], found.high[place]) == (min(row), max(row))
        assert found.median[place] == pytest.approx(
            float(np.median(row)), rel=1e-12, abs=1e-6
        )


BASE = [1.0, 1.1, 0.9, 1.05, 1.2]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ([2.5, 2.6, 2.4, 2.7, 2.55], 1),
        ([0.4, 0.3, 0.41, 0.42, 0.4], -1),
        ([2.0, 2.05, 2.0, 2.1, 2.05], 0),  # beyond every value, but not beyond 2 x
        ([2.5, 2.6, 1.15, 2.7, 2.55], 0),  # one value overlaps
        ([2.5, 2.6, 1.2, 2.7, 2.55], 0),  # one value touches
        ([2.5, 2.6, 2.4, 2.7], 0),  # four values
        ([2.1, 2.1, 2.1, 2.1, 2.1], 0),  # exactly twice the median of 1.05
    ],
)
def test_gross_changes(head: list[float], expected: int) -> None:
    """Worse and better are mirrored; overlap, few values or a factor of 2 are none."""
    assert gross_changes(side(BASE), side(head)).tolist() == [expected]
    assert gross_changes(side(head), side(BASE)).tolist() == [-expected]


def test_zeros_and_missing_values_are_never_gross() -> None:
    """A ratio to zero says nothing, and no values say nothing."""
    five = [1.0] * 5
    base = side([0.0] * 5, five, [])
    head = side(five, [0.0] * 5, five)
    assert gross_changes(base, head).tolist() == [0, 0, 0]


@pytest.mark.parametrize("size", [1e-300, 1.0, 2.0**53, 1e300])
def test_the_size_of_the_numbers_does_not_matter(size: float) -> None:
    """Medians and factors neither overflow nor vanish."""
    with np.errstate(over="raise", invalid="raise"):
        base = side([size * x for x in BASE])
        head = side([size * x for x in (2.5, 2.6, 2.4, 2.7, 2.55)])
        assert gross_changes(base, head).tolist() == [1]
    assert base.median[0] == pytest.approx(1.05 * size, rel=1e-15)


def test_ties_and_negative_values_are_never_gross() -> None:
    """Equal constants do not differ, and a ratio of negative numbers says nothing."""
    same = side([3.0] * 5)
    assert gross_changes(same, same).tolist() == [0]
    assert gross_changes(side([-3.0] * 5), side([9.0] * 5)).tolist() == [0]
    assert gross_changes(side([9.0] * 5), side([-3.0] * 5)).tolist() == [0]

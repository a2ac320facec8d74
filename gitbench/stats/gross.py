"""What two single runs can tell: only a gross change.

With one session a side nothing is known of the noise between runs.  A change is
believed all the same if it is beyond a factor of two in the medians and every
value of one side lies beyond every value of the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

FACTOR = 2.0
MIN_VALUES = 5
"""Values a side; fewer can lie apart by chance."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the values of one side lie, one entry a row; NaN without values."""

    low: Floats
    median: Floats
    high: Floats
    count: Ints


def extents(values: Floats, rows: Ints, number: int) -> Extent:
    """Extents of `number` rows, given all values and the row of each."""
    order = np.lexsort((values, rows))
    ordered = np.append(values[order], np.nan)
    count = np.bincount(rows, minlength=number)
    start = np.cumsum(count) - count
    none = count == 0
    last = values.size  # the NaN at the end
    first = np.where(none, last, start)
    end = np.where(none, last, start + count - 1)
    low_middle = ordered[np.where(none, last, start + (count - 1) // 2)]
    high_middle = ordered[np.where(none, last, start + count // 2)]
    median = low_middle + (high_middle - low_middle) / 2
    return Extent(ordered[first], median, ordered[end], count)


def gross_changes(base: Extent, head: Extent) -> Ints:
    """1 where head is grossly greater, -1 where grossly smaller, 0 elsewhere; (m,)."""
    enough = (base.count >= MIN_VALUES) & (head.count >= MIN_VALUES) & (base.low > 0)
    greater = (head.median / FACTOR > base.median) & (head.low > base.high)
    smaller = (base.median / FACTOR > head.median) & (head.high < base.low)
    return np.where(
        enough & greater, 1, np.where(enough & smaller & (head.low > 0), -1, 0)
    )

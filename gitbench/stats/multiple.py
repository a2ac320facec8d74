"""Many tests at once: the false discovery rate of Benjamini and Hochberg (1995)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Adjusted p-values of one family, in the order given; shape (m,), m may be 0.

    Rejecting those below alpha keeps the expected share of false rejections at
    alpha; where every null hypothesis is true that share is the chance of any
    rejection, so on unchanged code the guarantee is the family-wise one.
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    ranks = np.arange(1, values.size + 1)
    scaled = values[order] * values.size / ranks
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted


def rejection_level(p: ArrayLike, alpha: float, members: int | None = None) -> float:
    """The p-value that one more row would need to be rejected at level `alpha`.

    With r of m rejected by Benjamini-Hochberg, the next one needs
    alpha (r + 1) / m; `members` replaces m where the family is larger than `p`.
    """
    values = np.asarray(p, dtype=np.float64)
    m = max(members or 0, values.size, 1)
    rejected = int(np.count_nonzero(benjamini_hochberg(values) < alpha))
    return alpha * min(rejected + 1, m) / m


SHIFT_SHARE = 0.2
"""The part of alpha that belongs to the shifts of suites."""


def weights(rows: int, shifts: int) -> tuple[float, float]:
    """Weights of rows and of shifts in one family; their mean over all tests is 1.

    A shift is one of many tests, rests on few numbers, and what it says concerns all
    rows; as one among equals it is found too rarely.  Correcting p / weight keeps the
    family's error rate (Genovese, Roeder and Wasserman 2006, Biometrika 93).
    """
    total = rows + shifts
    if not rows or not shifts:
        return 1.0, 1.0
    share = max(SHIFT_SHARE, shifts / total)
    return (1 - share) * total / rows, share * total / shifts

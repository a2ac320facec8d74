"""Many tests at once: what each p-value is worth among the others.

Corrections go by their names in statsmodels: `fdr_bh` (Benjamini and Hochberg 1995),
`holm` (Holm 1979) and `none`.
"""

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


def holm(p: ArrayLike) -> Floats:
    """Adjusted p-values of one family, in the order given; shape (m,), m may be 0.

    Rejecting those below alpha keeps the chance of any false rejection at alpha,
    whatever else is true (Holm 1979): the r-th smallest counts m - r + 1 times.
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * np.arange(values.size, 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def adjust(p: ArrayLike, correction: str) -> Floats:
    """Adjusted p-values of one family by `fdr_bh`, `holm` or `none`."""
    if correction == "none":
        return np.array(p, dtype=np.float64)
    return holm(p) if correction == "holm" else benjamini_hochberg(p)


def rejection_level(
    p: ArrayLike, alpha: float, members: int | None = None, correction: str = "fdr_bh"
) -> float:
    """The p-value that one more row would need to be rejected at level `alpha`.

    With r of m rejected by Benjamini-Hochberg, the next one needs
    alpha (r + 1) / m, by Holm alpha / (m - r), and without a correction alpha;
    `members` replaces m where the family is larger than `p`.
    """
    if correction == "none":
        return alpha
    values = np.asarray(p, dtype=np.float64)
    m = max(members or 0, values.size, 1)
    rejected = int(np.count_nonzero(adjust(values, correction) < alpha))
    if correction == "holm":
        return alpha / max(m - rejected, 1)
    return alpha * min(rejected + 1, m) / m


def lone_level(alpha: float, tests: int, correction: str) -> float:
    """The p-value that a single changed row needs among `tests`."""
    return rejection_level((), alpha, tests, correction)


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

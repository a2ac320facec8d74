"""How a whole suite moved from session to session."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gitbench.stats.rows import median, row_means

Floats = NDArray[np.float64]

MIN_ROWS = 10
"""A median of fewer rows says more of those rows than of the suite."""


def column_effects(window: Floats, head: Floats) -> tuple[Floats, Floats]:
    """Effects of the window's and of head's sessions on all rows.

    `window` is (m, k), `head` (m, n), on logs, NaN where a row is absent; the
    results are (k,) and (n,), with zero mean over the window.  A session in which
    fewer than `MIN_ROWS` rows are present gets NaN.

    A polish: each session's effect is the median over rows of what is left when
    each row's level, the mean of its window, is taken away; levels and effects in
    turn until they stay.  With medians for the levels too (Tukey's polish), a third
    of what is left in a window of three is exactly zero, and small effects drown.
    Head is no part of a row's level, so it does not explain itself away.
    """
    both = np.concatenate((window, head), axis=1)
    k = window.shape[1]
    enough = np.count_nonzero(~np.isnan(both), axis=0) >= MIN_ROWS
    effects = np.where(enough, 0.0, np.nan)
    if not enough[:k].any():
        return effects[:k], effects[k:]
    for _ in range(20):
        levels = row_means(both[:, :k] - effects[:k])
        moved = np.where(enough, median(both - levels[:, None], axis=0), np.nan)
        moved -= np.mean(moved[:k][enough[:k]])
        change = np.max(np.abs(moved - effects)[enough])
        effects = moved
        if change < 1e-9:
            break
    return effects[:k], effects[k:]

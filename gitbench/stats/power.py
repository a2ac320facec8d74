"""What a gate can see, and how much more measuring would decide a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gitbench.stats.moderated import Change, quantiles
from gitbench.stats.ranks import smallest_p

Floats = NDArray[np.float64]

POWER = 0.8
MOST_SESSIONS = 50
"""Nobody measures more often than this to decide one row."""


def detectable(change: Change, limit: Floats, level: float) -> Floats:
    """Smallest change, as a log, that would be found with power 80 %; (m,).

    It must be significant at p < `level` (what the correction leaves to a single
    regressed row) and come out beyond `limit` (m,).  The variance is the one that
    was estimated and stays, so head's next mean lies about the true one like a t
    variable: the change must exceed the limit by its 80 % quantile.
    """
    error = np.sqrt(change.variance)
    critical = quantiles(level, change.df) * error
    seen = np.maximum(critical, limit) + quantiles(1 - POWER, change.df) * error
    if change.floor is not None:
        # No change however large is significant: ranks of so few cannot tell.
        seen = np.where(change.floor < level, seen, np.inf)
    return seen


def sessions_needed(
    change: Change, worse: Floats, better: Floats, level: float, alpha: float
) -> NDArray[np.intp]:
    """Further sessions of head that would decide each row; 0 where none would.

    Supposes that the change stays as estimated, and each variance too.  A row is
    decided when it is significant at `level` beyond its limit for worse or better
    (logs, (m,)), or when its interval at 1 - 2 alpha excludes the limit for worse.
    """
    further = np.arange(1, MOST_SESSIONS + 1)
    sessions = np.maximum(change.sessions, 1)[:, None] + further
    base = (change.base_variance / change.levels.newest)[:, None]
    error = np.sqrt(change.head_variance[:, None] / sessions + base)
    delta = change.delta[:, None]
    significant = np.abs(delta) > quantiles(level, change.df)[:, None] * error
    if change.floor is not None:
        significant &= smallest_p(change.levels.newest[:, None], sessions) < level
    decided = significant & ((delta > worse[:, None]) | (-delta > better[:, None]))
    half_width = quantiles(alpha, change.df)[:, None] * error
    decided |= delta + half_width < worse[:, None]
    return np.where(decided.any(axis=1), decided.argmax(axis=1) + 1, 0)

"""What a gate can see, and how much more measuring would decide a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gitbench.stats.moderated import Change, quantiles

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]

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


@dataclass(frozen=True, slots=True)
class Outlook:
    """What more measuring would do for rows that are not decided, all (m,)."""

    sessions: Ints
    """Further sessions of head that would decide; 0 where none of up to
    `MOST_SESSIONS` would."""
    of_baseline: Bools
    """Where none would: as many further sessions of the baseline as well would."""


def sessions_needed(
    change: Change, worse: Floats, better: Floats, level: float, alpha: float
) -> Outlook:
    """How many further sessions would decide each row.

    Supposes that the change stays as estimated, and each variance too.  A row is
    decided when it is significant at `level` beyond its limit for worse or better
    (logs, (m,)), or when its interval at 1 - 2 alpha excludes the limit for worse.
    """
    further = np.arange(1, MOST_SESSIONS + 1)
    sessions = np.maximum(change.sessions, 1)[:, None] + further
    from_head = change.head_variance[:, None] / sessions
    newest = change.levels.newest
    fixed = change.base_variance / newest + change.response_variance
    limits = worse, better
    tests = quantiles(level, change.df), quantiles(alpha, change.df)
    decided = _decided(change.delta, from_head + fixed[:, None], limits, tests)
    if change.floor is not None:
        # Ranks of so few sessions can be significant at no change.
        from gitbench.stats.ranks import smallest_p

        decided &= smallest_p(newest[:, None], sessions) < level
    found = np.where(decided.any(axis=1), decided.argmax(axis=1) + 1, 0)
    # More of the baseline makes its level known better, and how a row responds.
    less = newest / (newest + MOST_SESSIONS)
    both = from_head[:, -1] + fixed * less
    helped = _decided(change.delta, both[:, None], limits, tests)[:, 0]
    return Outlook(found, (found == 0) & helped)


def _decided(
    delta: Floats,
    variance: Floats,
    limits: tuple[Floats, Floats],
    tests: tuple[Floats, Floats],
) -> Bools:
    """Whether rows (m,) with each of their variances (m, n) are decided."""
    worse, better = limits[0][:, None], limits[1][:, None]
    delta, error = delta[:, None], np.sqrt(variance)
    critical, half_width = tests[0][:, None] * error, tests[1][:, None] * error
    beyond = (delta > worse) | (-delta > better)
    decided: Bools = (np.abs(delta) > critical) & beyond
    return decided | (delta + half_width < worse)

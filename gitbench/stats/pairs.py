"""Rounds of one session, measured on both sides: a t test on their differences.

Whatever a machine does for a whole round, both sides share, and the difference of a
pair is free of it.  Drift of 5 % from round to round that would hide a change of 3 %
from two means costs the pairs nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gitbench.stats.moderated import Change, exceeds, quantiles
from gitbench.stats.rows import row_means
from gitbench.stats.step import Levels
from gitbench.stats.student import tail
from gitbench.stats.variance import ROUNDING

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

MIN_ROUNDS = 5
"""With five pairs even the signs alone can have p = 1/32; three or four lean on the
normal distribution of their differences and nothing else."""


def count_pairs(base: Floats, head: Floats) -> Ints:
    """Rounds that both sides have, a row; both (m, r), NaN where absent."""
    found: Ints = np.count_nonzero(~np.isnan(head - base), axis=1)
    return found


def compare_pairs(base: Floats, head: Floats, session: Ints, alpha: float) -> Change:
    """Test the differences of each row's pairs (Student 1908); `base` and `head` are
    (m, r), a column a round, `session` (r,) the session of each.

    Where several sessions disagree by more than their rounds tell, the sessions are
    the pairs.  Rows without a pair have no variance and a delta of 0.
    """
    difference = head - base
    present = ~np.isnan(difference)
    rounds = np.count_nonzero(present, axis=1)
    mean = np.where(rounds > 0, row_means(difference), 0.0)
    squares = (np.where(present, difference - mean[:, None], 0.0) ** 2).sum(axis=1)
    df = np.maximum(rounds - 1.0, 0.0)
    one = squares / np.maximum(df, 1)
    variance = one / np.maximum(rounds, 1)
    sessions, between, within = _between(difference, mean, session)
    between_df = np.maximum(sessions - 1.0, 0.0)
    apart = exceeds(between * rounds, between_df, within, rounds - sessions + 0.0)
    variance = np.where(apart, between, variance)
    df = np.where(apart, between_df, df)
    variance = np.where((variance > ROUNDING) & (df > 0), variance, 0.0)
    error = np.sqrt(variance)
    some = error > 0
    p_worse, half_width = np.full(mean.size, 0.5), np.zeros(mean.size)
    p_worse[some] = tail(mean[some] / error[some], df[some])
    half_width[some] = quantiles(alpha, df[some]) * error[some]
    center = np.where(rounds > 0, row_means(np.where(present, base, np.nan)), 0.0)
    return Change(
        # No step is sought, so that the newest level is all there is.
        levels=Levels(
            sessions, sessions, center, center, one, df, np.zeros(mean.size, dtype=bool)
        ),
        sessions=rounds,
        delta=mean,
        delta_older=mean,
        base_variance=np.zeros(mean.size),
        head_variance=variance * rounds,
        variance=variance,
        response_variance=np.zeros(mean.size),
        df=df,
        p_worse=p_worse,
        half_width=half_width,
    )


def _between(
    difference: Floats, mean: Floats, session: Ints
) -> tuple[Ints, Floats, Floats]:
    """Sessions of each row, the variance of their mean, and that of a round."""
    known = sorted(set(session.tolist()))
    means = np.stack([row_means(difference[:, session == one]) for one in known], 1)
    there = ~np.isnan(means)
    count = np.count_nonzero(there, axis=1)
    center = np.where(count > 0, row_means(means), mean)
    squares = (np.where(there, means - center[:, None], 0.0) ** 2).sum(axis=1)
    between = squares / np.maximum(count - 1, 1) / np.maximum(count, 1)
    rest = difference - means[:, np.searchsorted(known, session)]
    present = ~np.isnan(rest)
    rounds = np.count_nonzero(present, axis=1)
    squares = (np.where(present, rest, 0.0) ** 2).sum(axis=1)
    return count, between, squares / np.maximum(rounds - count, 1)

"""A step inside the window: where a row's newest level begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gitbench.stats.rows import first_present
from gitbench.stats.student import upper_quantile

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]

MIN_SESSIONS = 4
"""A window of fewer sessions is never cut."""

MIN_OLDER = 2
"""Sessions that an older level has at least."""

CUT_LEVEL = 0.001
"""A split is kept if its two-sided p-value, times the splits tried, is below this."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The newest level of each row's window, and the one before it; all (m,)."""

    sessions: Ints
    """Sessions present in the window."""
    newest: Ints
    """Sessions of the newest level; all of them where there is no step."""
    center: Floats
    """Mean of the newest level; 0 where the row is absent throughout."""
    older: Floats
    """Mean of the level before the step; equal to `center` where there is none."""
    variance: Floats
    """Variance of a session about its level; 0 without degrees of freedom."""
    df: Floats
    given: Bools
    """The cut stands where it was told to be, whatever the numbers say."""


def find_levels(
    window: Floats,
    least: Floats,
    forced: Ints | None = None,
    prior: tuple[Floats, float] | None = None,
) -> Levels:
    """Cut each row's window at its best single step, if it has one.

    `window` is (m, k) on logs (or raw numbers), newest session first, NaN where a
    row is absent; `least` (m,) is the smallest step worth a cut.  Where `forced`
    (m,) is above 0 a row is cut whatever its numbers say, after that many newest
    columns or where it splits best further back: a change that was accepted there may
    have come some commits earlier.  A row with nothing on either side of such a cut is
    treated as one without.

    A step is kept if the t test of its two sides with pooled variance, corrected
    for the number of splits tried, has p < `CUT_LEVEL`.  A real step on the base
    branch would otherwise count as noise and blind the gate for that row.  `prior`,
    variances (m,) that are worth some degrees of freedom, steadies that variance: five
    sessions alone can hardly tell a step.
    """
    present = ~np.isnan(window)
    count = np.count_nonzero(present, axis=1)
    # Close the gaps, so that the first `count` entries of a row are its sessions.
    order = np.argsort(~present, axis=1, kind="stable")
    x = np.take_along_axis(np.where(present, window, 0.0), order, axis=1)
    there = np.take_along_axis(present, order, axis=1)
    safe = np.maximum(count, 1)
    origin = np.where(count > 0, first_present(window), 0.0)
    deviations = np.where(there, x - origin[:, None], 0.0)
    mean = deviations.sum(axis=1) / safe
    centered = np.where(there, deviations - mean[:, None], 0.0)
    squares = (centered**2).sum(axis=1)
    given = _forced_cuts(present, forced)
    cut, gain, sums = _best_split(centered, count, given)
    older_count = np.maximum(count - cut, 1)
    between = np.where(cut > 0, sums / np.maximum(cut, 1) + sums / older_count, 0.0)
    remains = np.maximum(squares - gain, 0.0)
    kept = (
        (cut > 0)
        & (np.abs(between) > least)
        & _significant(gain, remains, count, prior)
    )
    kept |= given > 0
    newest = np.where(kept, cut, count)
    above = np.where(kept, sums / np.maximum(cut, 1), 0.0)
    below = np.where(kept, -sums / older_count, 0.0)
    # Not squares - gain: what rounding leaves of two equal levels is a variance of
    # 1e-17, which would take part in the prior as a row without noise.
    is_newest = np.arange(x.shape[1]) < newest[:, None]
    level = np.where(is_newest, above[:, None], below[:, None])
    rest = (np.where(there, centered - level, 0.0) ** 2).sum(axis=1)
    df = np.maximum(count - 1 - kept, 0).astype(np.float64)
    return Levels(
        sessions=count,
        newest=newest,
        center=origin + mean + above,
        older=origin + mean + np.where(kept, below, above),
        variance=rest / np.maximum(df, 1),
        df=df,
        given=given > 0,
    )


def _forced_cuts(present: Bools, forced: Ints | None) -> Ints:
    """Sessions of the newest level of rows whose cut is given; 0 for the others."""
    m, k = present.shape
    if forced is None or not forced.any():
        return np.zeros(m, dtype=np.intp)
    newest = np.count_nonzero(present & (np.arange(k) < forced[:, None]), axis=1)
    both = (newest > 0) & (newest < np.count_nonzero(present, axis=1))
    return np.where(both, newest, 0)


def _best_split(
    centered: Floats, count: Ints, given: Ints
) -> tuple[Ints, Floats, Floats]:
    """Sessions after the best split (0 where none is tried), what it explains of the
    sum of squares, and the sum of the deviations after it.

    Where `given` is above 0 at least that many sessions are after it.
    """
    m, k = centered.shape
    if k < MIN_SESSIONS and not given.any():
        return np.zeros(m, dtype=np.intp), np.zeros(m), np.zeros(m)
    sums = np.cumsum(centered, axis=1)[:, :-1]
    after = np.arange(1, k)
    before = count[:, None] - after
    enough = (count >= MIN_SESSIONS) | (given > 0)
    # A single session at the far end is a spike, no level; left in, it is noise.
    fewest = np.where(given > 0, 1, MIN_OLDER)[:, None]
    tried = (before >= fewest) & enough[:, None] & (after >= given[:, None])
    gains = np.where(tried, sums**2 * (1 / after + 1 / np.maximum(before, 1)), -1.0)
    best = np.argmax(gains, axis=1)
    rows = np.arange(m)
    found = gains[rows, best] >= 0
    return (
        np.where(found, best + 1, 0),
        np.where(found, gains[rows, best], 0.0),
        np.where(found, sums[rows, best], 0.0),
    )


def _significant(
    gain: Floats, remains: Floats, count: Ints, prior: tuple[Floats, float] | None
) -> Bools:
    """Whether the best split passes its Bonferroni t test; its degrees of freedom are
    k - 2 and those of the prior."""
    expected, more = (0.0, 0.0) if prior is None else prior
    df = np.maximum(count - 2, 1) + more
    limit = np.zeros(count.size)
    # Not np.unique: it loads numpy.ma, 6 ms of a hook that takes 90.
    for k in sorted(set(count[count >= MIN_SESSIONS].tolist())):
        # Two-sided p times k - 1 splits below the level.
        tail = CUT_LEVEL / 2 / (k - 1)
        limit[count == k] = upper_quantile(tail, k - 2 + more)
    return gain * df > limit**2 * (remains + more * expected)

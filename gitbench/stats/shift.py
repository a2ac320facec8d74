"""How a whole suite moved from session to session, and how each row went along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gitbench.stats.rows import median, median_of, row_means

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

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


RESPONSE = 0.35
"""Standard deviation of how rows respond to a move of their suite: a machine that is
10 % slower slows two rows of three by 6.5 to 13.5 %.

Where hosted CI changed the processor, moves of 5 to 15 %, it was 0.30 to 0.42; error
rates are the same from 0.2 to 0.5."""

MIN_SESSIONS = 3
"""A row's response is learned from no fewer sessions."""

_ROUNDING = 1e-24
_DF_STEP = 1 / 8


@dataclass(frozen=True, slots=True)
class Response:
    """Rows without what each of them makes of the suite's moves."""

    window: Floats
    head: Floats
    offset: Floats
    """What was taken from the mean of head's sessions, (m,)."""
    spent: Floats
    """Degrees of freedom that knowing the responses cost, 0 to 1; (m,)."""
    distance: Floats
    """How far head's suite moved from the middle of the row's window, (m,)."""
    squares: Floats
    """Sum of the squares of the window's moves about that middle, (m,)."""

    def variance(self, of_session: Floats) -> Floats:
        """What the uncertain response adds to the variance of head's mean, (m,),
        given the variance of a session.

        Never above what is known beforehand, RESPONSE**2 times the distance squared.
        """
        known = self.squares / np.maximum(of_session, 1e-300)
        added: Floats = self.distance**2 / (known + 1 / RESPONSE**2)
        return added


def respond(
    window: Floats, head: Floats, by_window: Floats, by_head: Floats, fitted: Bools
) -> Response:
    """Take from each row what it makes of the suite's moves beyond moving along.

    `window` (m, k) and `head` (m, n) are without the moves `by_window` (k,) and
    `by_head` (n,); `fitted` (m,) are the rows whose noise is typical.

    A row's deviations in the window are regressed on the suite's moves.  The slopes
    are shrunk towards 0 as draws from a normal distribution with standard deviation
    `RESPONSE` (best linear unbiased prediction, Henderson 1975, Biometrics 31).  Moves
    that are small against the noise tell nothing of the slopes, and change nothing.
    """
    present, there = ~np.isnan(window), ~np.isnan(head)
    count = np.maximum(np.count_nonzero(present, axis=1), 1)
    middle = np.where(present, by_window, 0.0).sum(axis=1) / count
    moves = np.where(present, by_window - middle[:, None], 0.0)
    deviations = np.where(present, window - row_means(window)[:, None], 0.0)
    # Of two sessions the response and the noise are one number.
    learned = count >= MIN_SESSIONS
    squares = np.where(learned, (moves**2).sum(axis=1), 0.0)
    both = np.where(learned, (moves * deviations).sum(axis=1), 0.0)
    total = (deviations**2).sum(axis=1)
    used = fitted & learned & (total > _ROUNDING)
    shrink = np.inf
    if used.any():
        df = count[used] - 1.0
        shrink = _noise(total[used], both[used], squares[used], df) / RESPONSE**2
    # No row moves against its suite, or more than twice as far: a step or a spike of
    # its own that fell together with a small move must not pass for a response.
    slope = np.clip(both / (squares + shrink), -1.0, 1.0)
    ahead = np.where(there, by_head - middle[:, None], 0.0)
    distance = ahead.sum(axis=1) / np.maximum(np.count_nonzero(there, axis=1), 1)
    # In steps, so that rows share few numbers, each of which costs a t quantile.
    spent = np.round(squares / (squares + shrink) / _DF_STEP) * _DF_STEP
    return Response(
        window - slope[:, None] * moves,
        head - slope[:, None] * ahead,
        slope * distance,
        spent,
        distance,
        squares,
    )


def _noise(total: Floats, both: Floats, squares: Floats, df: Floats) -> float:
    """Typical variance of a session about its row's response."""
    noise = median_of(total / df)
    for _ in range(10):
        # The generalised sum of squares has all of its degrees of freedom.
        rest = total - both**2 / (squares + noise / RESPONSE**2)
        last, noise = noise, max(median_of(rest / df), _ROUNDING)
        if abs(noise - last) <= 1e-6 * last:
            break
    return noise

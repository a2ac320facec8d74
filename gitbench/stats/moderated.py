"""The default procedure: a moderated t test of head against a window of sessions.

All rows of one suite, testbed and metric at once.  Input is the log of each
session's center, oriented so that greater is worse; output is what verdicts are
made of.  `docs/explanation/statistics.md` gives the reasons and what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gitbench.stats.rows import median_of, row_means
from gitbench.stats.shift import MIN_ROWS, Response, column_effects, respond
from gitbench.stats.step import Levels, find_levels
from gitbench.stats.student import tail, upper_quantile
from gitbench.stats.variance import ROUNDING, SMALL_SUITE, Prior, fit_prior, moderate

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

SUITE_PRIOR = Prior(2.0, 0.01**2)
"""How much a whole suite moves from session to session: 1 %, worth 2 df.

Three sessions of a window can lie within 0.03 % by chance, and any day would then
be a shift."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Rows by sessions: (m, k) of the window, newest first, and (m, n) of head.

    NaN where a row is absent; every row has at least one session on each side.
    """

    window: Floats
    head: Floats
    window_error: Floats
    """Variance of each session's center as its own values tell it; 0 if unknown."""
    head_error: Floats
    head_error_df: Floats
    """Degrees of freedom of `head_error`; 0 if unknown."""


@dataclass(frozen=True, slots=True)
class Change:
    """Head against the newest level of the window, one entry a row, all (m,)."""

    levels: Levels
    sessions: Ints
    """Number of head's sessions."""
    delta: Floats
    """Head's mean minus the newest level."""
    delta_older: Floats
    """The same of the level before; equal to `delta` where there is no step."""
    base_variance: Floats
    """Variance of one session of the window."""
    head_variance: Floats
    """Variance of one session of head; at least that of the window."""
    variance: Floats
    """Variance of `delta`; 0 where none could be estimated."""
    response_variance: Floats
    """The part of it that comes from how the row responds to its suite's moves."""
    df: Floats
    p_worse: Floats
    """One-sided p-value for worse; .5 where `variance` is 0."""
    half_width: Floats
    """Half of the two-sided interval at level 1 - 2 alpha."""
    p_less: Floats | None = None
    """One-sided p-value for better where it is not `1 - p_worse`, as with ranks."""
    half_width_better: Floats | None = None
    """From `delta` to the better end of an interval that lies askew; `half_width` is
    then the way to the worse end."""
    floor: Floats | None = None
    """Smallest p-value that so few sessions allow, of a rank test."""

    @property
    def p_better(self) -> Floats:
        """One-sided p-value for better."""
        return 1 - self.p_worse if self.p_less is None else self.p_less

    @property
    def below(self) -> Floats:
        """From `delta` to the better end of the interval."""
        better = self.half_width_better
        return self.half_width if better is None else better


@dataclass(frozen=True, slots=True)
class Procedure:
    """What the procedure says of the rows and of the suite."""

    change: Change
    shift: Floats
    """What head's move of the whole suite, and the row's response to it, adds to each
    row's delta; (m,)."""
    suite: Change | None
    """The suite's shift as a single row; None where the suite is too small or the
    window or head has too few sessions to test it."""
    prior: Prior
    expected: Floats
    """The prior's variance of each row, (m,)."""
    window_effects: Floats
    """What each session of the window moved each row by with its suite, against the
    newest level of the suite, (m, k); zeros where no shift is estimated.  The variance
    of a row is that of what is left without them."""
    head_effects: Floats
    """The same of each session of head, (m, n)."""


def compare_sessions(
    sessions: Sessions,
    least: Floats,
    fitted: Bools,
    alpha: float,
    *,
    small_prior: Prior = SMALL_SUITE,
    adjust: bool = True,
    forced: Ints | None = None,
) -> Procedure:
    """Compare all rows of one suite, testbed and metric.

    `least` (m,) is the smallest step that cuts a row's window, as a difference of
    logs; `fitted` (m,) tells which rows the shift and the prior are fitted to; with
    `adjust` false neither is, and `small_prior` is used as it is.  `forced` as in
    `find_levels`.
    """
    window, head = sessions.window, sessions.head
    offset, suite, response = np.zeros(len(window)), None, None
    level = 0.0
    sizes = row_means(window) if adjust else None
    if adjust and np.count_nonzero(fitted) >= MIN_ROWS:
        by_window, by_head = column_effects(window[fitted], head[fitted])
        cut = _suite_cut(forced, fitted)
        suite = _suite_change(by_window, by_head, median_of(least), cut, alpha)
        level = float(suite.levels.center[0])
        # A session of too few rows to tell its effect is taken as an ordinary one.
        by_window = np.where(np.isnan(by_window), 0.0, by_window)
        by_head = np.where(np.isnan(by_head), level, by_head)
        offset = row_means(np.where(np.isnan(head), np.nan, by_head)) - level
        window, head = window - by_window, head - by_head
        response = respond(window, head, by_window, by_head, fitted)
        window, head = response.window, response.head
        offset = offset + response.offset
    prior, known = small_prior, None
    # Twice: once the prior is known, it tells steps from noise far better than the
    # few sessions of a row.
    for _ in range(2 if adjust else 1):
        levels = find_levels(window, least, forced, known)
        if response is not None:
            levels = _without(levels, response.spent)
        if adjust:
            prior = fit_prior(
                levels.variance[fitted],
                levels.df[fitted],
                small_prior,
                None if sizes is None else sizes[fitted],
            )
            none = np.zeros(len(window)) if sizes is None else sizes
            known = prior.expected(none), prior.df
    base_variance, df = moderate(levels.variance, levels.df, prior, sizes)
    within = row_means(np.where(np.isnan(window), np.nan, sessions.window_error))
    own = np.where(np.isnan(head), np.nan, sessions.head_error)
    own_df = np.where(np.isnan(head), 0.0, sessions.head_error_df).sum(axis=1)
    change = _change(
        levels,
        head,
        np.maximum(base_variance, within),
        df,
        own=row_means(own),
        own_df=own_df,
        response=response,
        alpha=alpha,
    )
    tested = suite is not None and suite.levels.df[0] > 0 and suite.sessions[0] > 0
    return Procedure(
        change,
        offset,
        suite if tested else None,
        prior,
        prior.expected(np.zeros(len(window)) if sizes is None else sizes),
        np.nan_to_num(sessions.window - window) - level,
        np.nan_to_num(sessions.head - head) - level,
    )


def _without(levels: Levels, spent: Floats) -> Levels:
    """Levels whose variance rests on fewer degrees of freedom; a row that has any
    keeps a quarter of one."""
    df = np.where(levels.df > 0, np.maximum(levels.df - spent, 0.25), 0.0)
    variance = levels.variance * levels.df / np.where(df > 0, df, 1.0)
    return replace(levels, variance=variance, df=df)


def _suite_cut(forced: Ints | None, fitted: Bools) -> int:
    """Where the suite's own window is cut: where that of all of its rows is."""
    return 0 if forced is None else int(forced[fitted].min())


def _suite_change(
    window: Floats, head: Floats, least: float, cut: int, alpha: float
) -> Change:
    """The suite's own sessions as one row."""
    forced = np.array([cut], dtype=np.intp)
    levels = find_levels(window[None, :], np.array([least]), forced)
    base_variance, df = moderate(levels.variance, levels.df, SUITE_PRIOR)
    none = np.zeros(1)
    return _change(
        levels, head[None, :], base_variance, df, own=none, own_df=none, alpha=alpha
    )


def _change(
    levels: Levels,
    head: Floats,
    base_variance: Floats,
    df: Floats,
    *,
    own: Floats,
    own_df: Floats,
    alpha: float,
    response: Response | None = None,
) -> Change:
    """Test head's mean against the newest levels, whose sessions have the variance
    `base_variance` with `df` degrees of freedom.

    That of a session of head is at least as large, and at least what head's values
    tell, `own`, and at least the scatter of head's sessions.
    """
    count = np.count_nonzero(~np.isnan(head), axis=1)
    mean = np.where(count > 0, row_means(head), levels.center)
    squares = np.where(np.isnan(head), 0.0, (head - mean[:, None]) ** 2).sum(axis=1)
    scatter = squares / np.maximum(count - 1, 1)
    disagree = exceeds(scatter, count - 1.0, base_variance, df)
    scatter = np.where(disagree, scatter, 0.0)
    noisy = exceeds(own, own_df, base_variance, df)
    head_variance = np.maximum(base_variance, np.maximum(own, scatter))
    from_head = head_variance / np.maximum(count, 1)
    from_base = base_variance / np.maximum(levels.newest, 1)
    df = np.where(noisy, _joint_df(from_head, own_df, from_base, df), df)
    variance = from_head + from_base
    known = (variance > ROUNDING) & (df > 0)
    added = np.zeros(count.size)
    if response is not None:
        added = np.where(known, response.variance(base_variance), 0.0)
    variance = np.where(known, variance + added, 0.0)
    delta = mean - levels.center
    p_worse, half_width = _tests(delta, np.sqrt(variance), df, alpha)
    return Change(
        levels=levels,
        sessions=count,
        delta=delta,
        delta_older=mean - levels.older,
        base_variance=base_variance,
        head_variance=head_variance,
        variance=variance,
        response_variance=added,
        df=df,
        p_worse=p_worse,
        half_width=half_width,
    )


def exceeds(variance: Floats, df: Floats, other: Floats, other_df: Floats) -> Bools:
    """Whether a variance is greater than another one by more than chance (5 %).

    An F test by Paulson's normal approximation (1942): where it finds a difference,
    the true p-value is between .045 and .053 from three `other_df` on.
    """
    first, second = 2 / (9 * np.maximum(df, 0.5)), 2 / (9 * np.maximum(other_df, 0.5))
    ratio = np.cbrt(np.minimum(variance / np.maximum(other, 1e-300), 1e30))
    distance = (1 - second) * ratio - (1 - first)
    spread = np.sqrt(second * ratio**2 + first)
    found: Bools = (df > 0) & (variance > other) & (distance > _NORMAL_95 * spread)
    return found


_NORMAL_95 = 1.6448536269514722


def _joint_df(first: Floats, first_df: Floats, second: Floats, df: Floats) -> Floats:
    """Degrees of freedom of a sum of two variances (Welch and Satterthwaite), not
    above those of the second, `df`.

    Where head is noisier than the window, its few values are what the test rests on.
    With the window's degrees of freedom, unchanged rows of three processes that are
    five times as noisy as usual raised 20 % alarms instead of 12 %.
    """
    largest = np.maximum(np.maximum(first, second), 1e-300)
    first, second = first / largest, second / largest
    spread = first**2 / np.maximum(first_df, 1) + second**2 / np.maximum(df, 1e-9)
    joint = (first + second) ** 2 / np.maximum(spread, 1e-300)
    return np.minimum(np.maximum(joint, 1e-3), df)


def _tests(
    delta: Floats, error: Floats, df: Floats, alpha: float
) -> tuple[Floats, Floats]:
    """One-sided p-values for worse, and half widths of the intervals."""
    p_worse, half_width = np.full(delta.size, 0.5), np.zeros(delta.size)
    some = error > 0
    p_worse[some] = tail(delta[some] / error[some], df[some])
    half_width[some] = quantiles(alpha, df[some]) * error[some]
    return p_worse, half_width


def quantiles(p: float, df: Floats) -> Floats:
    """Upper t quantiles for many rows that share few degrees of freedom; 0 where
    there are none."""
    result = np.zeros(df.size)
    some = df > 0
    if some.any():
        shared = np.array(sorted(set(df[some].tolist())))
        found = upper_quantile(p, shared)
        result[some] = found[np.searchsorted(shared, df[some])]
    return result

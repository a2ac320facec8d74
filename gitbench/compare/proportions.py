"""Rows of passes and trials: their numbers, and the verdicts on them.

A limit is a margin in points: at a threshold of 5 % the rate of success may fall
from 90 % to 85 %.  Differences are oriented so that greater is worse.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gitbench.compare.rows import Context, accept_reason, comparison, over_budget
from gitbench.compare.rules import Limits
from gitbench.compare.sides import Sides
from gitbench.compare.table import Row, Table
from gitbench.compare.verdicts import Decision
from gitbench.model import Better, Comparison, SideSummary, Verdict
from gitbench.stats.moderated import quantiles
from gitbench.stats.power import MOST_SESSIONS
from gitbench.stats.proportions import (
    Counts,
    Rates,
    correlation,
    effective,
    least_tail,
    newcombe,
    newest_level,
    student_tail,
    tail_exact,
    tail_greater,
    trials_to_decide,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]

_NORMAL = 1e12
"""Degrees of freedom from which Student's t is the normal distribution."""
_EPSILON = 1e-12
"""Differences of rates that are less than this apart are the same."""


@dataclass(frozen=True, slots=True)
class Trials:
    """Passes and trials of some rows of a table, by session; (m, c), newest first
    on each side."""

    rows: list[Row]
    limits: list[Limits]
    counts: Counts
    heads: int
    """Sessions of head; they come first."""
    commits: tuple[int, ...]
    """Of each session, see `Table`."""

    @property
    def head(self) -> Counts:
        """Head's sessions; (m, heads)."""
        return Counts(
            self.counts.passes[:, : self.heads], self.counts.trials[:, : self.heads]
        )

    @property
    def window(self) -> Counts:
        """The window's sessions; (m, c - heads)."""
        return Counts(
            self.counts.passes[:, self.heads :], self.counts.trials[:, self.heads :]
        )

    @property
    def sign(self) -> float:
        """1 where more passes are worse, -1 where fewer are."""
        return -1.0 if self.rows[0].metric.better is Better.HIGHER else 1.0

    @property
    def gated(self) -> Bools:
        """Rows that weigh in the gate; (m,)."""
        known = self.rows[0].metric.better is not Better.NONE
        return np.array([one.gate and known for one in self.limits], dtype=bool)


def read_trials(table: Table, chosen: Sequence[tuple[Row, Limits]]) -> list[Trials]:
    """The rows that have trials on both sides, one entry a metric and direction."""
    kinds: dict[tuple[str, Better], list[tuple[Row, Limits]]] = {}
    for row, limits in chosen:
        key = (row.metric.name, row.metric.better)
        kinds.setdefault(key, []).append((row, limits))
    return [_read(table, members) for members in kinds.values()]


def _read(table: Table, members: list[tuple[Row, Limits]]) -> Trials:
    shape = len(members), len(table.commits)
    passes, trials = np.zeros(shape), np.zeros(shape)
    for place, (row, _) in enumerate(members):
        for column, passed, tried in row.trials:
            passes[place, column] += passed
            trials[place, column] += tried
    return Trials(
        [row for row, _ in members],
        [limits for _, limits in members],
        Counts(passes, trials),
        table.grid.heads,
        table.commits,
    )


@dataclass(slots=True)
class Proportions:
    """Rows of one metric that are tested; arrays are (m,)."""

    trials: Trials
    used: Bools
    """Sessions of the window that head is compared with; (m, k)."""
    raw: Rates
    """Rates, with the numbers of trials as they were measured."""
    rates: Rates
    """The same with trials that hang together counted as fewer."""
    critical: Floats
    """Standard errors that the interval reaches to."""
    df: Floats
    older: Floats
    """Rate of the window's sessions before the newest level; NaN if there are none."""
    single: Bools
    """The newest level is a single session of several."""
    few: Bools
    """So few trials that no outcome of head could be told from chance."""
    together: bool
    """Rows with few trials are judged together, by the suite's outcomes."""
    p_row: Floats
    """One-sided p-value for worse."""
    member: Bools
    limit: Floats
    """How far head may be on either side, as a difference of rates."""
    adjusted_worse: Floats = field(default_factory=lambda: np.empty(0))
    adjusted_better: Floats = field(default_factory=lambda: np.empty(0))
    needed: Ints = field(default_factory=lambda: np.empty(0, dtype=np.intp))

    @property
    def p_worse(self) -> Floats:
        """Of the members of the report's family."""
        return self.p_row[self.member]

    @property
    def p_better(self) -> Floats:
        """The mirror image."""
        return 1 - self.p_row[self.member]

    @property
    def whole(self) -> bool:
        return False

    def settle(self, worse: Floats, better: Floats, level: float) -> None:
        """Take the adjusted p-values of the members, and the p-value that one more
        row would need."""
        self.adjusted_worse, self.adjusted_better = self.p_row.copy(), 1 - self.p_row
        self.adjusted_worse[self.member] = worse
        self.adjusted_better[self.member] = better
        self.needed = _sessions_needed(self, level)

    @property
    def delta(self) -> Floats:
        """Head minus base, greater is worse."""
        return self.trials.sign * self.raw.difference


def judge_rows(
    trials: Trials, columns: Bools, alpha: float, *, together: bool
) -> Proportions:
    """The numbers of all rows of one metric.

    `columns` (k,): sessions of the window since the whole suite's last step.
    `together`: the suite's outcomes speak for rows with few trials.
    """
    limit = np.array([max(one.threshold, one.min_change) for one in trials.limits])
    window = trials.window.only(np.broadcast_to(columns, trials.window.trials.shape))
    # A row without a session since the suite's step keeps what it has.
    bare = window.trials.sum(axis=1) == 0
    window = trials.window.only(columns | bare[:, None])
    newest = newest_level(window, limit)
    used = (window.trials > 0) & (
        np.cumsum(window.trials > 0, axis=1) <= newest[:, None]
    )
    base, older = window.only(used), trials.window.only(~used)
    head = trials.head
    rho, df = correlation(base, head, _fitted(trials))
    raw = _rates(base, head, base.trials.sum(axis=1), head.trials.sum(axis=1))
    rates = _rates(base, head, effective(base, rho), effective(head, rho))
    few = _few(trials, raw, alpha)
    gated = trials.gated
    return Proportions(
        trials=trials,
        used=used,
        raw=raw,
        rates=rates,
        critical=quantiles(alpha, np.minimum(df, _NORMAL)),
        df=df,
        older=np.where(older.trials.sum(axis=1) > 0, older.rate, np.nan),
        single=(newest == 1) & (older.trials.sum(axis=1) > 0),
        few=few,
        together=together,
        p_row=_tail_worse(trials.sign, rates, df),
        member=gated & ~few,
        limit=limit,
    )


def _fitted(trials: Trials) -> Bools:
    gated = trials.gated
    return gated if gated.any() else np.ones(gated.size, dtype=bool)


def _rates(base: Counts, head: Counts, n_base: Floats, n_head: Floats) -> Rates:
    return Rates(base.rate, n_base, head.rate, n_head)


def _tail_worse(sign: float, rates: Rates, df: Floats) -> Floats:
    # As a tail of its own, since 1 minus one ends at 1e-16.
    return student_tail(tail_greater(rates.turned(sign < 0)), df)


def _few(trials: Trials, raw: Rates, alpha: float) -> Bools:
    """Rows that no outcome could decide; a single trial is no evidence at all."""
    possible = least_tail(raw.turned(trials.sign > 0))
    found: Bools = (possible >= alpha) | (raw.head_trials < 2) | (raw.base_trials < 2)
    return found


def _sessions_needed(found: Proportions, level: float) -> Ints:
    """Further sessions of head, like those it has, that would decide each row at its
    present rates; 0 where none up to 50 would."""
    sign = found.trials.sign
    sessions = np.count_nonzero(found.trials.head.trials > 0, axis=1)
    delta, limit = found.delta, found.limit
    needed = np.zeros(limit.size, dtype=np.intp)
    strict = quantiles(level, np.minimum(found.df, _NORMAL))
    left = np.flatnonzero(~found.few)
    for further in range(1, MOST_SESSIONS + 1):
        if not left.size:
            break
        some = found.rates.only(left)
        more = some.head_trials * (1 + further / np.maximum(sessions[left], 1))
        larger = replace(some, head_trials=more)
        low, high = newcombe(larger, found.critical[left])
        decided = (high if sign > 0 else -low) < limit[left]
        beyond = np.abs(delta[left]) > limit[left]
        tried = np.flatnonzero(beyond & ~decided)
        if tried.size:
            some = larger.only(tried)
            above = some.turned(some.difference < 0)
            df = found.df[left[tried]]
            decided[tried] = newcombe(above, strict[left[tried]])[0] > 0
            decided[tried] &= student_tail(tail_exact(above), df) < level
        needed[left[decided]] = further
        left = left[~decided]
    return needed


# ------------------------------------------------------------------------- verdicts


def write_proportions(found: Proportions, context: Context) -> Iterator[Comparison]:
    """The comparisons of the rows of one metric, their p-values corrected."""
    low, high = newcombe(found.rates, found.critical)
    for place, row in enumerate(found.trials.rows):
        limits = found.trials.limits[place]
        interval = float(low[place]), float(high[place])
        decision = _decide(found, place, interval, context.alpha)
        delta, note = float(found.delta[place]), None
        if _is_accepted(decision, delta, limits, float(found.limit[place])):
            decision, note = (Verdict.ACCEPTED, None), accept_reason(limits)
        tested = not found.few[place]
        down = delta < 0
        p_worse = float(found.p_row[place])
        adjusted = found.adjusted_better if down else found.adjusted_worse
        undecided = decision[0] is Verdict.INCONCLUSIVE
        noisy = undecided and decision[1] == "noise"
        result = comparison(
            row,
            limits,
            context,
            verdict=decision[0],
            reason=decision[1],
            note=note,
            difference=float(found.raw.difference[place]),
            interval=interval if tested else None,
            p_value=(1 - p_worse if down else p_worse) if tested else None,
            p_adjusted=float(adjusted[place]) if found.member[place] else None,
            limit=found.trials.sign * float(found.limit[place]),
            method="proportion",
            amber=_is_amber(found, place, limits, decision, context.alpha),
            sessions_needed=int(found.needed[place]) or None if noisy else None,
            trials_needed=_trials_needed(found, place, context.alpha)
            if noisy or decision[1] == "few-trials"
            else None,
        )
        if decision[1] == "judged-together":
            result = replace(result, gated=False)
        yield over_budget(result, limits)


def _decide(
    found: Proportions, place: int, interval: tuple[float, float], alpha: float
) -> Decision:
    if found.trials.rows[place].metric.better is Better.NONE:
        return Verdict.INCONCLUSIVE, "no-direction"
    if found.few[place]:
        judged = found.together and bool(found.trials.gated[place])
        return Verdict.INCONCLUSIVE, "judged-together" if judged else "few-trials"
    delta, limit = float(found.delta[place]), float(found.limit[place])
    older = found.trials.sign * float(found.raw.head[place] - found.older[place])
    single = bool(found.single[place])
    if found.adjusted_worse[place] < alpha and delta > limit + _EPSILON:
        if single and older <= limit:
            return Verdict.INCONCLUSIVE, "latest-level-one-session"
        return Verdict.REGRESSED, None
    if found.adjusted_better[place] < alpha and -delta > limit + _EPSILON:
        if single and -older <= limit:
            return Verdict.INCONCLUSIVE, "latest-level-one-session"
        return Verdict.IMPROVED, None
    return claim(interval, found.trials.sign, limit)


def claim(interval: tuple[float, float], sign: float, limit: float) -> Decision:
    """What an interval of a difference says that is neither red nor green."""
    low, high = interval
    bad, good = (high, low) if sign > 0 else (-low, -high)
    if not bad < limit:
        return Verdict.INCONCLUSIVE, "noise"
    return (Verdict.UNCHANGED if good > -limit else Verdict.NO_REGRESSION), None


def _is_accepted(
    decision: Decision, delta: float, limits: Limits, limit: float
) -> bool:
    return (
        limits.accept is not None
        and decision[0] in (Verdict.REGRESSED, Verdict.INCONCLUSIVE)
        and limit < delta <= limits.accept.threshold + _EPSILON
    )


def _is_amber(
    found: Proportions, place: int, limits: Limits, decision: Decision, alpha: float
) -> bool:
    """A significant difference beyond `warn` that is not red."""
    if limits.warn is None or decision[0] in (Verdict.REGRESSED, Verdict.ACCEPTED):
        return False
    if found.few[place] or not found.trials.gated[place]:
        return False
    least = max(limits.warn, limits.min_change)
    return bool(
        found.adjusted_worse[place] < alpha and found.delta[place] > least + _EPSILON
    )


def _trials_needed(found: Proportions, place: int, alpha: float) -> int | None:
    raw = found.raw
    total = raw.base_trials[place] + raw.head_trials[place]
    passes = raw.base[place] * raw.base_trials[place]
    passes += raw.head[place] * raw.head_trials[place]
    return trials_to_decide(float(passes / total), float(found.limit[place]), alpha)


# ---------------------------------------------------------------------------- sides


def fill_sides(sides: Sides, table: Table, found: Sequence[Proportions]) -> None:
    """What stands behind each side of the rows with trials: all of head's, and of the
    window the sessions that head was compared with, or the newest one."""
    heads = table.grid.heads
    used: dict[int, set[int]] = {}
    for one in found:
        for row, mask in zip(one.trials.rows, one.used, strict=True):
            used[row.number] = {heads + int(i) for i in np.flatnonzero(mask)}
    for row in table.rows:
        if not row.trials:
            continue
        columns = {column for column, _, _ in row.trials}
        base = {column for column in columns if column >= heads}
        wanted = used.get(row.number, {min(base)} if base else set())
        sides.head[row.number] = _side(row, columns - base)
        sides.base[row.number] = _side(row, wanted)


def _side(row: Row, columns: set[int]) -> SideSummary | None:
    """Exact sums, whatever their size."""
    chosen = [one for one in row.trials if one[0] in columns]
    if not chosen:
        return None
    passes, trials = sum(one[1] for one in chosen), sum(one[2] for one in chosen)
    return SideSummary(
        center=passes / trials,
        sessions=len({one[0] for one in chosen}),
        values=trials,
        passes=passes,
        trials=trials,
    )

"""Rows of one metric that are tested together, and their numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gitbench.compare.cells import Grid
from gitbench.compare.rules import Limits
from gitbench.compare.table import Row, Table
from gitbench.model import Better, Kind
from gitbench.stats import gross
from gitbench.stats.moderated import Change, Procedure, Sessions, compare_sessions
from gitbench.stats.multiple import benjamini_hochberg, rejection_level, weights
from gitbench.stats.power import Outlook, detectable, sessions_needed
from gitbench.stats.rows import first_present, median_of, row_means
from gitbench.stats.shift import MIN_ROWS
from gitbench.stats.variance import NO_PRIOR, SMALL_SUITE

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]

ENOUGH_SESSIONS = 3
"""Sessions of the window from which on the noise between runs is known."""

_ROUNDING = 1e-12
"""Centers that differ by less are the same."""

_UNKNOWN_NOISE = (Kind.TOKENS, Kind.MONEY, Kind.SCORE)
"""Kinds of which nothing is assumed: answers of a model may well vary by 30 %."""


@dataclass(slots=True)
class Family:
    """Rows that share metric, unit, kind and direction; arrays are (m,).

    Numbers are oriented so that greater is worse: differences of logs, or for
    `linear` rows differences in the base unit.
    """

    rows: list[Row]
    limits: list[Limits]
    sign: float
    """-1 where higher is better."""
    linear: bool
    procedure: Procedure
    threshold: Floats
    """log(1 + T)."""
    worse: Floats
    """How far head may be on the bad side: the threshold, or min_change if more."""
    better: Floats
    """The same on the good side."""
    base: Floats
    """Center of the newest level and of head, base unit, as measured."""
    head: Floats
    weak: list[str | None]
    """Reason code of rows that have too few sessions to be tested."""
    gross: Ints
    """Of weak rows: 1 grossly worse, -1 grossly better."""
    member: Bools
    """Tested, and part of the report's family of tests."""
    fitted: int
    """Rows that the shift and the prior were fitted to."""
    single_values: int
    """Tested rows of whose head no error inside the run is known."""
    scale: Floats
    """Unit of the differences of a linear row, in the base unit."""
    suite_limit: float
    """The suite's own limit: the median threshold of its rows."""
    suite_accepted: float
    """Up to where a change of the whole suite was accepted; minus infinity if not."""
    adjusted_worse: Floats = field(default_factory=lambda: np.empty(0))
    adjusted_better: Floats = field(default_factory=lambda: np.empty(0))
    """Adjusted p-values, those of rows outside the family uncorrected."""
    suite_worse: float = 1.0
    suite_better: float = 1.0
    outlook: Outlook = field(
        default_factory=lambda: Outlook(
            np.empty(0, dtype=np.intp), np.empty(0, dtype=bool)
        )
    )

    @property
    def change(self) -> Change:
        return self.procedure.change

    @property
    def raw(self) -> Floats:
        """Change of the row as measured, the suite's shift included."""
        return self.procedure.change.delta + self.procedure.shift


def build_families(
    table: Table,
    chosen: Sequence[tuple[Row, Limits]],
    alpha: float,
    weak: str,
    forced: Ints | None = None,
) -> list[Family]:
    """The comparable rows of one group, in families that are tested together.

    `forced`, one entry a row of the table, is where its window is to be cut: newest
    sessions of the window, 0 for nowhere.

    Rows with zeros or negative values have no logs; they form families of their
    own, without a suite shift and without a prior.
    """
    kinds: dict[tuple[object, ...], list[tuple[Row, Limits]]] = {}
    linear = table.grid.linear
    cuts = np.zeros(len(table.rows), dtype=np.intp) if forced is None else forced
    for row, limits in chosen:
        metric = row.metric
        bent = bool(linear[row.number])
        key = (metric.name, row.base_unit, metric.kind, metric.better, bent)
        kinds.setdefault(key, []).append((row, limits))
    return [
        _family(table, members, bool(key[-1]), alpha, weak, cuts)
        for key, members in kinds.items()
    ]


def _family(
    table: Table,
    members: list[tuple[Row, Limits]],
    linear: bool,
    alpha: float,
    weak: str,
    forced: Ints,
) -> Family:
    rows, limits = [row for row, _ in members], [limit for _, limit in members]
    metric = rows[0].metric
    sign = -1.0 if metric.better is Better.HIGHER else 1.0
    index = np.array([row.number for row in rows], dtype=np.intp)
    gated = np.array([one.gate for one in limits], dtype=bool)
    gated &= metric.better is not Better.NONE
    fitted = gated if gated.any() else np.ones(len(rows), dtype=bool)
    threshold = np.log1p([one.threshold for one in limits])
    centers = table.grid.center[index]
    scale = _scale(centers) if linear else np.ones(len(rows))
    sessions = _sessions(table.grid, index, sign, scale, linear)
    assumed = NO_PRIOR if linear or metric.kind in _UNKNOWN_NOISE else SMALL_SUITE
    procedure = compare_sessions(
        sessions,
        _least_steps(limits, scale) if linear else threshold,
        fitted,
        alpha,
        small_prior=assumed,
        adjust=not linear,
        forced=forced[index],
    )
    if not gated.any():
        # Nothing of it may weigh in the gate.
        procedure = replace(procedure, suite=None)
    found = procedure.change
    head = _centers(centers[:, : table.grid.heads], linear)
    newest = first_present(centers[:, table.grid.heads :])
    base = _base(newest, head, procedure, sign, scale, linear)
    worse, better = _limits(limits, base, threshold, scale, sign, linear)
    many = int(np.count_nonzero(fitted)) >= MIN_ROWS and not linear
    known_error = np.any(np.nan_to_num(sessions.window_error) > 0, axis=1)
    reasons = _weakness(found.levels.sessions, many & known_error)
    strong = np.array([reason is None for reason in reasons])
    return Family(
        rows=rows,
        limits=limits,
        sign=sign,
        linear=linear,
        procedure=procedure,
        threshold=threshold,
        worse=worse,
        better=better,
        base=base,
        head=head,
        weak=reasons,
        gross=_gross(table, index, strong, sign, linear or weak == "never"),
        member=gated & strong & (found.variance > 0) & np.isfinite(worse),
        fitted=int(np.count_nonzero(fitted)),
        single_values=_count_single(sessions, strong),
        scale=scale,
        suite_limit=median_of(threshold[fitted]),
        suite_accepted=_accepted([limits[place] for place in np.flatnonzero(fitted)]),
    )


def _sessions(
    grid: Grid, index: Ints, sign: float, scale: Floats, linear: bool
) -> Sessions:
    """Some rows of the grid, oriented so that greater is worse."""
    center = (grid.center if linear else grid.log_center)[index]
    error = (grid.error if linear else grid.log_error)[index]
    center, error = sign * center / scale[:, None], error / scale[:, None] ** 2
    heads = grid.heads
    return Sessions(
        window=center[:, heads:],
        head=center[:, :heads],
        window_error=error[:, heads:],
        head_error=error[:, :heads],
        head_error_df=grid.error_df[index][:, :heads],
    )


def _accepted(limits: Sequence[Limits]) -> float:
    """How far a whole suite may move if that was accepted of every one of its rows,
    as a log; minus infinity if not."""
    accepts = [one.accept for one in limits]
    if any(accept is None for accept in accepts):
        return -math.inf
    return math.log1p(min(accept.threshold for accept in accepts if accept))


def _count_single(sessions: Sessions, strong: Bools) -> int:
    known = np.any(np.nan_to_num(sessions.head_error_df) > 0, axis=1)
    return int(np.count_nonzero(strong & ~known))


def _scale(centers: Floats) -> Floats:
    """Greatest absolute number of each row, so that squares stay within range."""
    scale = np.nanmax(np.abs(centers), axis=1)
    return np.where(scale > 0, scale, 1.0)


def _least_steps(limits: Sequence[Limits], scale: Floats) -> Floats:
    """Smallest step that cuts the window of a linear row; none without min_change."""
    least = np.array([one.min_change for one in limits]) / scale
    return np.where(least > 0, least, np.inf)


def _centers(centers: Floats, linear: bool) -> Floats:
    """Mean of the sessions of each row: geometric, or arithmetic for linear rows."""
    if linear:
        return row_means(centers)
    origin = first_present(centers)
    return _unless_rounding(row_means(np.log(centers)), origin)


def _base(
    newest: Floats,
    head: Floats,
    procedure: Procedure,
    sign: float,
    scale: Floats,
    linear: bool,
) -> Floats:
    """Center of what head is compared with, such that head / base is the raw change.

    Exactly the newest session's center where the two agree but for rounding.
    """
    raw = sign * (procedure.change.delta + procedure.shift)
    with np.errstate(over="ignore"):
        if linear:
            off = head - raw * scale - newest
            base: Floats = newest + np.where(np.abs(off) < _ROUNDING * scale, 0.0, off)
        else:
            base = _unless_rounding(np.log(head) - raw, newest)
    return base


def _unless_rounding(logs: Floats, known: Floats) -> Floats:
    """The numbers with these logs; exactly the known ones where they agree but for
    rounding, since a budget is compared with the center of a single session."""
    return np.where(np.abs(logs - np.log(known)) < _ROUNDING, known, np.exp(logs))


def _limits(
    limits: Sequence[Limits],
    base: Floats,
    threshold: Floats,
    scale: Floats,
    sign: float,
    linear: bool,
) -> tuple[Floats, Floats]:
    """How far head may be on the bad and on the good side of the base."""
    least = np.array([one.min_change for one in limits])
    if linear:
        both = np.where(least > 0, least / scale, np.inf)
        return both, both
    with np.errstate(all="ignore"):
        share = least / base
        up = np.maximum(threshold, np.log1p(share))
        down = np.where(share < 1, -np.log1p(-np.minimum(share, 1.0)), np.inf)
        down = np.maximum(threshold, down)
    return (up, down) if sign > 0 else (down, up)


def _weakness(sessions: Ints, two_suffice: Bools) -> list[str | None]:
    """Why a row cannot be tested: too few sessions of the window."""
    return [
        "one-session"
        if count < 2
        else "few-sessions"
        if count < ENOUGH_SESSIONS and not (count == 2 and two)
        else None
        for count, two in zip(sessions.tolist(), two_suffice.tolist(), strict=True)
    ]


def _gross(table: Table, index: Ints, strong: Bools, sign: float, none: bool) -> Ints:
    """Gross changes of the weak rows, 1 for worse; 0 for all others."""
    if none or strong.all():
        return np.zeros(index.size, dtype=np.intp)
    wanted = np.zeros(len(table.rows), dtype=bool)
    wanted[index[~strong]] = True
    found = gross.gross_changes(*table.grid.extents(wanted))
    return (sign * found[index]).astype(np.intp)


def correct(families: Sequence[Family], alpha: float) -> int:
    """Correct the p-values of all families of a report as one, and return its size.

    Worse and better are two families of tests; the suites' shifts are rows of both,
    with a part of alpha of their own.
    """
    suites = [family for family in families if family.procedure.suite is not None]
    weight = _weights(families)
    worse = _all([f.change.p_worse[f.member] for f in families], suites, weight)
    better = _all(
        [1 - f.change.p_worse[f.member] for f in families], suites, weight, mirror=True
    )
    adjusted_worse = benjamini_hochberg(worse).tolist()
    adjusted_better = benjamini_hochberg(better).tolist()
    place = 0
    for family in families:
        number = int(np.count_nonzero(family.member))
        family.adjusted_worse = family.change.p_worse.copy()
        family.adjusted_better = 1 - family.change.p_worse
        family.adjusted_worse[family.member] = adjusted_worse[place : place + number]
        family.adjusted_better[family.member] = adjusted_better[place : place + number]
        place += number
    for family in suites:
        family.suite_worse = adjusted_worse[place]
        family.suite_better = adjusted_better[place]
        place += 1
    level = rejection_level(worse, alpha) * weight[0]
    for family in families:
        family.outlook = sessions_needed(
            family.change, family.worse, family.better, min(level, alpha), alpha
        )
    return place


def _weights(families: Sequence[Family]) -> tuple[float, float]:
    """Weights of rows and of suites' shifts among all tests of a report."""
    return weights(
        sum(int(np.count_nonzero(family.member)) for family in families),
        sum(family.procedure.suite is not None for family in families),
    )


def _all(
    rows: list[Floats],
    suites: list[Family],
    weight: tuple[float, float],
    *,
    mirror: bool = False,
) -> Floats:
    """p-values of all tests of a report over their weights."""
    shifts = [family.procedure.suite for family in suites]
    p = np.array([suite.p_worse[0] for suite in shifts if suite is not None])
    of_rows = np.concatenate(rows) if rows else np.empty(0)
    return np.concatenate([of_rows / weight[0], (1 - p if mirror else p) / weight[1]])


def sensitivity(
    families: Sequence[Family], alpha: float, tests: int
) -> tuple[float, float] | None:
    """Smallest change that the gate can see in half, and nine of ten, of the rows
    that are tested on logs; as a factor minus 1 in the bad direction."""
    level = min(alpha * _weights(families)[0] / max(tests, 1), alpha)
    found = [
        detectable(family.change, family.worse, level)[family.member]
        for family in families
        if not family.linear
    ]
    logs = np.sort(np.concatenate(found)) if found else np.empty(0)
    if not logs.size:
        return None
    with np.errstate(over="ignore"):
        sizes = np.expm1(logs)
    half, most = (sizes[int(np.ceil(q * sizes.size)) - 1] for q in (0.5, 0.9))
    return (float(half), float(most)) if np.isfinite(most) else None

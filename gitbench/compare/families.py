"""Rows of one metric that are tested together, and their numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gitbench.compare.cells import Grid
from gitbench.compare.methods import (
    DEFAULT,
    Scale,
    Tested,
    apply_method,
    choose_methods,
)
from gitbench.compare.rules import Limits
from gitbench.compare.table import Row, Table
from gitbench.model import Better, Kind
from gitbench.stats import gross
from gitbench.stats.moderated import (
    Change,
    Procedure,
    Sessions,
    compare_sessions,
)
from gitbench.stats.power import Outlook
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
    method: str
    """One of `METHODS`."""
    lacking: Ints
    """Sessions, or rounds, that a weak row lacks for its method; 0 if unknown."""
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
    auto: Bools
    """The threshold shall follow from the row's noise; once `correct` was called, it
    does."""
    suite_auto: bool
    """The same of the suite's limit: of at least half of its rows."""
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
    def test(self) -> str:
        """The method in the words of a report."""
        return "linear" if self.linear and self.method == DEFAULT else self.method

    @property
    def raw(self) -> Floats:
        """Change of the row as measured, the suite's shift included."""
        return self.procedure.change.delta + self.procedure.shift


def build_families(
    table: Table,
    chosen: Sequence[tuple[Row, Limits]],
    alpha: float,
    forced: Ints | None = None,
) -> list[Family]:
    """The comparable rows of one group, in families that are tested together.

    `forced`, one entry a row of the table, is where its window is to be cut: newest
    sessions of the window, 0 for nowhere.

    Rows with zeros or negative values have no logs; they form families of their
    own, without a suite shift and without a prior; so do rows of another method.
    """
    wanted = [""] * len(table.rows)
    for row, limits in chosen:
        wanted[row.number] = limits.method
    methods = choose_methods(table, wanted)
    kinds: dict[tuple[object, ...], list[tuple[Row, Limits]]] = {}
    linear = table.grid.linear
    cuts = np.zeros(len(table.rows), dtype=np.intp) if forced is None else forced
    for row, limits in chosen:
        metric = row.metric
        bent = bool(linear[row.number])
        how = methods[row.number]
        key = (metric.name, row.base_unit, metric.kind, metric.better, how, bent)
        kinds.setdefault(key, []).append((row, limits))
    return [
        _family(table, members, str(key[-2]), bool(key[-1]), alpha, cuts)
        for key, members in kinds.items()
    ]


def _family(
    table: Table,
    members: list[tuple[Row, Limits]],
    method: str,
    linear: bool,
    alpha: float,
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
    least = _least_steps(limits, scale) if linear else threshold
    other = None
    if method != DEFAULT:
        how = Scale(index, sign, scale, linear)
        other = apply_method(method, table, how, least, alpha)
        procedure = Procedure(
            other.change,
            np.zeros(len(rows)),
            None,
            NO_PRIOR,
            np.zeros(len(rows)),
            np.zeros(sessions.window.shape),
            np.zeros(sessions.head.shape),
        )
    else:
        procedure = compare_sessions(
            sessions,
            least,
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
    # Only the default method tells the noise of a single session.
    follows = not linear and other is None
    auto = np.array([one.auto for one in limits], dtype=bool) & follows
    head = _centers(centers[:, : table.grid.heads], linear)
    if other is not None:
        head = _own_centers(other, head, sign, scale, linear)
    newest = first_present(centers[:, table.grid.heads :])
    base = _base(newest, head, procedure, sign, scale, linear)
    worse, better = limits_of(limits, base, threshold, scale, sign, linear)
    many = int(np.count_nonzero(fitted)) >= MIN_ROWS and not linear
    known_error = np.any(np.nan_to_num(sessions.window_error) > 0, axis=1)
    reasons = _weakness(found.levels.sessions, many & known_error)
    if other is not None:
        reasons = other.reasons
    strong = np.array([reason is None for reason in reasons])
    silent = strong | np.array([one.weak == "never" for one in limits])
    return Family(
        rows=rows,
        limits=limits,
        sign=sign,
        linear=linear,
        method=method,
        lacking=np.zeros(len(rows), dtype=np.intp) if other is None else other.lacking,
        procedure=procedure,
        threshold=threshold,
        worse=worse,
        better=better,
        base=base,
        head=head,
        weak=reasons,
        gross=_gross(table, index, silent, sign, linear),
        member=gated & strong & (found.variance > 0) & np.isfinite(worse),
        fitted=int(np.count_nonzero(fitted)),
        single_values=_count_single(sessions, strong) if other is None else 0,
        scale=scale,
        suite_limit=median_of(threshold[fitted]),
        suite_accepted=_accepted([limits[place] for place in np.flatnonzero(fitted)]),
        auto=auto & strong,
        suite_auto=bool(np.mean(auto[fitted]) >= 0.5),
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


def _own_centers(
    other: Tested, head: Floats, sign: float, scale: Floats, linear: bool
) -> Floats:
    """Head's centers as its method takes them, in the base unit."""
    middle = sign * other.head
    return middle * scale if linear else _unless_rounding(middle, head)


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


def limits_of(
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


def _gross(table: Table, index: Ints, silent: Bools, sign: float, none: bool) -> Ints:
    """Gross changes of the rows that are not `silent`, 1 for worse; 0 for others."""
    if none or silent.all():
        return np.zeros(index.size, dtype=np.intp)
    wanted = np.zeros(len(table.rows), dtype=bool)
    wanted[index[~silent]] = True
    found = gross.gross_changes(*table.grid.extents(wanted))
    return (sign * found[index]).astype(np.intp)

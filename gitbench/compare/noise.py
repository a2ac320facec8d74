"""The noise of recorded sessions, and what a gate can see through it.

By the very machinery of a comparison: sessions are compared as a window with their
own newest one as head, and what is read off is not the change but its variance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gitbench.compare import Detail, compare_in_detail
from gitbench.compare.families import Family
from gitbench.compare.outcome import was_compared
from gitbench.model import (
    Baseline,
    Benchmark,
    Better,
    CommitRuns,
    GroupSides,
    Metric,
    RecordedRun,
    Settings,
    Testbed,
    Verdict,
)
from gitbench.sessions import group_sessions
from gitbench.stats.moderated import quantiles
from gitbench.stats.power import POWER, detectable
from gitbench.stats.student import tail

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Past:
    """The recorded sessions of one suite on one testbed."""

    suite: str
    testbed: Testbed
    sessions: tuple[CommitRuns, ...]
    """Newest first; each entry is one session, so a commit may stand there twice."""


def sessions_of(
    commit: str, runs: Sequence[RecordedRun], distance: int = 0
) -> list[CommitRuns]:
    """The sessions of one commit, newest first, each as an entry of its own."""
    by_run = {id(one.run): one for one in runs}
    return [
        CommitRuns(commit, tuple(by_run[id(run)] for run in session), distance)
        for session in group_sessions([one.run for one in runs])
    ]


@dataclass(frozen=True, slots=True)
class RowNoise:
    """How much one benchmark and metric varies from session to session.

    Standard deviations and limits are of logs (0.02 is 2 %), of a `linear` row in the
    metric's base unit.
    """

    group: int
    benchmark: Benchmark
    metric: Metric
    """With `unit` the base unit."""
    linear: bool
    gated: bool
    sessions: int
    """Sessions of the newest level: what lies before a step in the history does not
    count."""
    own: float
    """As the row's sessions say."""
    own_df: float
    """0 where a single session says nothing; `noise` is then what is assumed."""
    noise: float
    """Moderated: steadied by the suite's other rows; at least `within`."""
    df: float
    within: float
    """Of a session's center, as the values inside the sessions tell it."""
    threshold: float
    """T of the row, a fraction."""
    limit: float
    """How far head may be on the bad side, `min_change` counted."""
    floor: float | None
    """The smallest difference that noise does not explain, if one row moved alone:
    what comes out below it is never significant.  None where nothing is tested."""
    visible: float | None
    """The smallest true change that the gate finds with power 80 %."""
    weak: str | None
    """Reason code of a row that has too few sessions to be tested."""

    @property
    def between(self) -> float:
        """What differs from session to session beyond what is seen inside them."""
        return math.sqrt(max(self.noise**2 - self.within**2, 0.0))


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a gate would see with other settings, the noise staying as it is."""

    sessions: int
    """Of the window; head has one."""
    alpha: float
    threshold: float | None
    """None: each row's own."""
    half: float | None
    """Smallest change seen in half of the rows, a fraction; None beyond any size."""
    most: float | None
    """The same in nine rows of ten."""
    false_alarms: float
    """Red rows that a comparison of unchanged code has on average, if the rows' noise
    is what it is taken for and varies as a t variable."""


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise of all rows of some sessions."""

    rows: tuple[RowNoise, ...]
    """Noisiest first."""
    tests: int
    """Size of the family that p-values are corrected for."""
    detail: Detail


def measure(pasts: Sequence[Past], settings: Settings) -> Noise:
    """The noise of the rows of some suites, all in one family as in a comparison."""
    sides = [_sides(past.suite, past.testbed, past.sessions, 0) for past in pasts]
    detail = compare_in_detail(sides, settings, head="history", base="history")
    level = detail.multiplicity.row_level(settings.alpha)
    rows = [
        row
        for group, part in enumerate(detail.parts)
        for family in part.families
        for row in _rows(group, family, _within(family, detail, group), level)
    ]
    rows.sort(key=lambda row: (row.linear, -row.noise, row.benchmark.label, row.group))
    return Noise(tuple(rows), detail.tests, detail)


def _sides(
    suite: str, testbed: Testbed, sessions: Sequence[CommitRuns], first: int
) -> GroupSides:
    """Some session of a past as head, and those from number `first` on as window."""
    window = tuple(sessions[first:])
    head = sessions[0]
    base = Baseline(window[0].commit, "commit", 0, None, window) if window else None
    return GroupSides(suite, testbed, head, base)


def _within(family: Family, detail: Detail, group: int) -> Floats:
    """Mean variance of a session's center by its own values, (m,)."""
    grid = detail.parts[group].table.grid
    index = np.array([row.number for row in family.rows], dtype=np.intp)
    errors = (grid.error if family.linear else grid.log_error)[index][:, grid.heads :]
    count = np.maximum(np.count_nonzero(~np.isnan(errors), axis=1), 1)
    means: Floats = np.nansum(errors, axis=1) / count
    return means


def _rows(
    group: int, family: Family, within: Floats, level: float
) -> Iterator[RowNoise]:
    change, levels = family.change, family.change.levels
    with np.errstate(all="ignore"):
        floor = quantiles(level, change.df) * np.sqrt(change.variance)
        visible = detectable(change, family.worse, level)
    for place, (row, limits) in enumerate(zip(family.rows, family.limits, strict=True)):
        unit = float(family.scale[place]) if family.linear else 1.0
        metric = row.metric
        tested = family.weak[place] is None and change.variance[place] > 0
        seen = float(visible[place]) * unit
        yield RowNoise(
            group=group,
            benchmark=row.benchmark,
            metric=Metric(metric.name, row.base_unit, metric.better, metric.kind),
            linear=family.linear,
            gated=limits.gate and metric.better is not Better.NONE,
            sessions=int(levels.newest[place]),
            own=math.sqrt(float(levels.variance[place])) * unit,
            own_df=float(levels.df[place]),
            noise=math.sqrt(float(change.base_variance[place])) * unit,
            df=float(change.df[place]),
            within=math.sqrt(float(within[place])),
            threshold=limits.threshold,
            limit=float(family.worse[place]) * unit,
            floor=float(floor[place]) * unit if tested else None,
            visible=seen if tested and math.isfinite(seen) else None,
            weak=family.weak[place],
        )


# ---------------------------------------------------------------- other settings


def what_if(
    noise: Noise, sessions: int, alpha: float, threshold: float | None = None
) -> Scenario | None:
    """What the gate would see with a window of that many sessions and one of head.

    Each row keeps the variance that was measured; degrees of freedom and the error of
    the baseline's level follow from the number of sessions.  `threshold` is that of
    all rows, a fraction; None leaves each its own.  None if no row's noise is known.
    """
    seen, alarms = [], 0.0
    level = noise.detail.multiplicity.row_level(alpha)
    for part in noise.detail.parts:
        for family in part.families:
            known = _measured(family)
            if family.linear or not known.any():
                continue
            change = family.change
            levels = change.levels
            more = sessions - levels.newest[known]
            df = np.maximum(change.df[known] + more, 0.25)
            error = np.sqrt(
                change.head_variance[known]
                + change.base_variance[known] / sessions
                + change.response_variance[known]
            )
            limit = family.worse[known]
            if threshold is not None:
                limit = np.full(limit.size, math.log1p(threshold))
            least = np.maximum(quantiles(level, df) * error, limit)
            seen.append(least + quantiles(1 - POWER, df) * error)
            alarms += float(np.sum(tail(least / error, df)))
    if not seen:
        return None
    logs = np.sort(np.concatenate(seen))
    half, most = (float(logs[math.ceil(q * logs.size) - 1]) for q in (0.5, 0.9))
    return Scenario(
        sessions, alpha, threshold, _as_change(half), _as_change(most), alarms
    )


def _measured(family: Family) -> NDArray[np.bool_]:
    """Gated rows that have a measured variance, if from two sessions only."""
    gated = np.array([one.gate for one in family.limits], dtype=bool)
    change = family.change
    found: NDArray[np.bool_] = gated & (change.levels.df > 0) & (change.variance > 0)
    return found & np.isfinite(family.worse)


def _as_change(log: float) -> float | None:
    return math.expm1(log) if log < 700 else None


# ------------------------------------------------------------------------- replay


@dataclass(frozen=True, slots=True)
class Replay:
    """Each session of a past compared with the earlier ones, as head was."""

    comparisons: int
    """Those in which at least one row was tested."""
    red: int
    """Those in which any row, or a suite's shift, was red."""
    rows: int
    """Tested rows, all comparisons together."""
    red_rows: int
    undecided: int
    """Rows that were inconclusive for their noise."""
    worst: tuple[tuple[str, int], ...] = ()
    """Labels of the rows that were red, with how often, the most frequent first."""


def replay(past: Past, settings: Settings, window: int) -> Replay:
    """Judge each session of a past by the `window` sessions before it.

    If no code had changed every red row would be a false alarm; real changes count
    too, so the figure is an upper bound of what the gate does on noise alone.
    """
    settings = replace(settings, required=(), accepts=())
    comparisons = red = rows = red_rows = undecided = 0
    found: dict[str, int] = {}
    for place in range(len(past.sessions) - 1):
        some = past.sessions[place : place + 1 + window]
        report = compare_in_detail(
            [_sides(past.suite, past.testbed, some, 1)], settings, head="", base=""
        ).report
        tested = [
            row
            for row in report.comparisons
            if row.gated and was_compared(row) and not row.weak
        ]
        if not tested:
            continue
        bad = [row for row in tested if row.verdict is Verdict.REGRESSED]
        shifts = [s for g in report.groups for s in g.shifts]
        comparisons += 1
        rows += len(tested)
        red_rows += len(bad)
        red += bool(bad) or any(s.verdict is Verdict.REGRESSED for s in shifts)
        undecided += sum(row.reason == "noise" for row in tested)
        for row in bad:
            label = f"{row.benchmark.label}, {row.metric.name}"
            found[label] = found.get(label, 0) + 1
    worst = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return Replay(comparisons, red, rows, red_rows, undecided, tuple(worst))

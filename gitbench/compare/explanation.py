"""Everything behind one verdict: the numbers of the very comparison that gave it.

Nothing is computed anew here: values, variances and p-values are taken out of the
arrays that the verdict was made of.  Only the alternative tests are further ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gitbench.compare import Detail, Part
from gitbench.compare.families import Family
from gitbench.compare.rules import fits, matcher
from gitbench.model import (
    PLAIN_MEANS,
    Comparison,
    Group,
    GroupSides,
    Measurement,
    Run,
    Shift,
    Status,
)
from gitbench.sessions import group_sessions
from gitbench.stats.alternatives import Alternative, alternatives
from gitbench.stats.moderated import quantiles
from gitbench.stats.power import detectable
from gitbench.stats.sample import summarise
from gitbench.stats.variance import SMALL_SUITE
from gitbench.units import base_unit

Floats = NDArray[np.float64]

HEAD, NEWEST, OLDER, UNUSED, ABSENT = "head", "newest", "older", "unused", "absent"
"""Parts a session plays: `newest` is of the level that head is compared with, `older`
lies before a step; a row that is not tested looks at the newest session alone."""


@dataclass(frozen=True, slots=True)
class RunFigures:
    """One run's measurement of the row; numbers in the metric's base unit."""

    id: str
    started_at: int
    """Milliseconds since the epoch, UTC."""
    center: float | None
    spread: float | None
    """Standard deviation of its values; None of fewer than two."""
    low: float | None
    high: float | None
    values: int
    processes: int
    told: str | None = None
    """What there is instead of values: `failed`, `skipped`, `9 of 10`."""


@dataclass(frozen=True, slots=True)
class Session:
    """One session of a side; numbers in the metric's base unit."""

    commit: str
    started_at: int
    """When its newest run began."""
    runs: tuple[RunFigures, ...]
    part: str
    """`head`, `newest`, `older`, `unused` or `absent`."""
    center: float | None = None
    adjusted: float | None = None
    """The center without what the session moved the whole suite by."""
    error: float | None = None
    """Standard error of the center as the session's own values tell it."""


@dataclass(frozen=True, slots=True)
class Step:
    """Where the baseline itself moved inside the window; base unit."""

    newest: int
    """Sessions of the newest level."""
    level: float
    before: float


@dataclass(frozen=True, slots=True)
class Figures:
    """The test of one row.

    Standard deviations are of logs (0.02 is 2 %), of a `linear` row in the base unit;
    so are `delta`, `error` and the limits, which are positive for worse.
    """

    linear: bool
    delta: float
    """Head minus base, without the suite's shift."""
    shift: float
    own: float
    """Standard deviation of the row's sessions about their level."""
    own_df: float
    prior: float
    prior_df: float
    assumed: bool
    """`prior` is what is assumed of suites too small to tell one."""
    moderated: float
    """What a session of the baseline is taken to vary by: `own` and `prior` together,
    and at least `within`."""
    within: float
    """Of a session's center, as the values inside the sessions tell it."""
    head: float
    """What a session of head is taken to vary by."""
    head_within: float
    """What the values inside head's sessions tell of it."""
    error: float
    """Standard error of `delta`; 0 where none could be estimated."""
    t: float | None
    df: float
    p_worse: float
    half_width: float
    worse: float
    """How far head may be on the bad side; infinite if no distance is red."""
    better: float
    critical: float
    """The `delta` that is significant if no other row is red."""
    visible: float
    """The smallest true change that the gate would find with power 80 %."""
    member: bool
    """One of the family that p-values are corrected for."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One row of a report with all that led to its verdict."""

    comparison: Comparison
    group: Group
    shift: Shift | None
    """That of the row's suite in its metric."""
    head: tuple[Session, ...]
    """Newest first."""
    window: tuple[Session, ...]
    tests: int
    """Size of the family that p-values are corrected for."""
    alpha: float
    step: Step | None = None
    figures: Figures | None = None
    """None of a row that is not tested: new, failed, exact ..."""
    alternatives: tuple[Alternative, ...] = ()


def explain(detail: Detail, rows: Sequence[Comparison]) -> tuple[Explanation, ...]:
    """Explain some rows of a comparison; in the order given."""
    return tuple(_explain(detail, row) for row in rows)


def _explain(detail: Detail, row: Comparison) -> Explanation:
    report = detail.report
    group, part = report.groups[row.group], detail.parts[row.group]
    shift = next((s for s in group.shifts if s.metric == row.metric.name), None)
    heads, window = _sessions(part.given)
    ids = _ids(part.given)
    place = next(
        (
            one.number
            for one in part.table.rows
            if (one.benchmark, one.metric.name) == (row.benchmark, row.metric.name)
        ),
        None,
    )
    known = Explanation(
        row,
        group,
        shift,
        tuple(_plain(one, commit, row, HEAD, ids) for commit, one in heads),
        tuple(_plain(one, commit, row, ABSENT, ids) for commit, one in window),
        detail.tests,
        report.settings.alpha,
    )
    if place is None:
        return known
    found = _find(part.families, place)
    effects = np.zeros(len(heads) + len(window))
    if found is not None:
        family, index = found
        procedure = family.procedure
        effects = np.concatenate(
            [procedure.head_effects[index], procedure.window_effects[index]]
        )
        effects = family.sign * effects
    sides = _placed(part, place, known, found, effects)
    if found is None:
        return sides
    return _with_test(sides, family, index, detail)


def _find(families: Iterable[Family], number: int) -> tuple[Family, int] | None:
    for family in families:
        for index, row in enumerate(family.rows):
            if row.number == number:
                return family, index
    return None


# ------------------------------------------------------------------- the two sides


def _sessions(
    given: GroupSides,
) -> tuple[list[tuple[str, tuple[Run, ...]]], list[tuple[str, tuple[Run, ...]]]]:
    """Head's sessions and the window's, each newest first: the columns of a grid."""
    heads = [
        (given.head.commit, session)
        for session in group_sessions([one.run for one in given.head.runs])
    ]
    window = [
        (commit.commit, session)
        for commit in (given.baseline.window if given.baseline else ())
        for session in group_sessions([one.run for one in commit.runs])
    ]
    return heads, window


def _ids(given: GroupSides) -> dict[int, str]:
    """The id of each run of both sides, by the run's identity."""
    window = given.baseline.window if given.baseline else ()
    return {id(one.run): one.id for c in (given.head, *window) for one in c.runs}


def _plain(
    runs: Sequence[Run], commit: str, row: Comparison, part: str, ids: dict[int, str]
) -> Session:
    """A session with the row's measurements as they were recorded."""
    figures = [
        _figures(ids[id(run)], run, one)
        for run in runs
        for one in run.measurements
        if (one.benchmark, one.metric.name) == (row.benchmark, row.metric.name)
    ]
    return Session(commit, runs[0].started_at, tuple(figures), part)


def _figures(run_id: str, run: Run, one: Measurement) -> RunFigures:
    told = None
    if one.status is not Status.OK:
        told = one.status.value
    elif one.trials is not None:
        told = f"{one.passes} of {one.trials}"
    factor = base_unit(one.metric.unit)[1]
    values = [value * factor for group in one.processes for value in group]
    center = None
    low, high, spread = min(values, default=None), max(values, default=None), None
    if values:
        center = _center(values, one)
    if len(values) > 1:
        with np.errstate(all="ignore"):
            spread = float(np.std(values, ddof=1))
    if one.summary is not None:
        summary = one.summary
        if center is None:
            center = summary.center * factor
        if summary.stddev is not None:
            spread = summary.stddev * factor
    return RunFigures(
        run_id,
        run.started_at,
        _finite(center),
        _finite(spread),
        _finite(low),
        _finite(high),
        one.count,
        len(one.processes),
        told,
    )


def _center(values: list[float], one: Measurement) -> float:
    """The center of a run as `compare` takes it."""
    found = summarise(
        np.array(values),
        np.array([len(group) for group in one.processes], dtype=np.intp),
        np.array([len(one.processes)], dtype=np.intp),
        np.array([one.metric.kind in PLAIN_MEANS]),
    )
    return float(found.center[0])


def _placed(
    part: Part,
    place: int,
    known: Explanation,
    found: tuple[Family, int] | None,
    effects: Floats,
) -> Explanation:
    """The same with each session's number, and the part that it plays."""
    grid = part.table.grid
    logs = not bool(grid.linear[place])
    newest, beyond = 1, UNUSED
    if found is not None:
        beyond = OLDER
        newest = int(found[0].change.levels.newest[found[1]])
    sessions, seen = [*known.head, *known.window], 0
    for column, session in enumerate(sessions):
        center = float(grid.center[place, column])
        if not math.isfinite(center):
            sessions[column] = replace(session, part=ABSENT)
            continue
        role = session.part
        if role != HEAD:
            seen += 1
            role = NEWEST if seen <= newest else beyond
        adjusted = float(grid.log_center[place, column]) - float(effects[column])
        sessions[column] = replace(
            session,
            part=role,
            center=center,
            adjusted=_finite(math.exp(min(adjusted, 700))) if logs else center,
            error=_finite(math.sqrt(float(grid.error[place, column]))),
        )
    heads = grid.heads
    return replace(known, head=tuple(sessions[:heads]), window=tuple(sessions[heads:]))


# --------------------------------------------------------------------- the numbers


def _with_test(
    known: Explanation, family: Family, index: int, detail: Detail
) -> Explanation:
    """The same with the numbers of the test, of a row of a family."""
    change, levels = family.change, family.change.levels
    only = slice(index, index + 1)
    unit = float(family.scale[index]) if family.linear else 1.0
    level = detail.multiplicity.row_level(known.alpha)
    error = math.sqrt(float(change.variance[index]))
    delta = float(change.delta[index])
    row = family.rows[index].number
    grid = detail.parts[known.comparison.group].table.grid
    errors = grid.error[row] if family.linear else grid.log_error[row]
    heads = grid.heads
    prior = family.procedure.prior
    figures = Figures(
        linear=family.linear,
        delta=delta * unit,
        shift=float(family.procedure.shift[index]) * unit,
        own=math.sqrt(float(levels.variance[index])) * unit,
        own_df=float(levels.df[index]),
        prior=math.sqrt(float(family.procedure.expected[index])) * unit,
        prior_df=prior.df,
        assumed=prior == SMALL_SUITE,
        moderated=math.sqrt(float(change.base_variance[index])) * unit,
        within=_root_mean(errors[heads:]),
        head=math.sqrt(float(change.head_variance[index])) * unit,
        head_within=_root_mean(errors[:heads]),
        error=error * unit,
        t=delta / error if error > 0 else None,
        df=float(change.df[index]),
        p_worse=float(change.p_worse[index]),
        half_width=float(change.half_width[index]) * unit,
        worse=float(family.worse[index]) * unit,
        better=float(family.better[index]) * unit,
        critical=float((quantiles(level, change.df[only]))[0]) * error * unit,
        visible=float(detectable(change, family.worse, level)[index]) * unit,
        member=bool(family.member[index]),
    )
    step = None
    if levels.newest[index] < levels.sessions[index]:
        base = float(family.base[index])
        down = family.sign * float(levels.center[index] - levels.older[index])
        before = base - down * unit if family.linear else base * math.exp(-down)
        step = Step(int(levels.newest[index]), base, before)
    worse = delta >= 0
    others = _others(known, family, greater=worse == (family.sign > 0))
    return replace(known, figures=figures, step=step, alternatives=others)


def _root_mean(variances: Floats) -> float:
    """Root of the mean of the variances that are there; 0 without any."""
    there = variances[~np.isnan(variances)]
    return math.sqrt(float(there.mean())) if there.size else 0.0


def _others(
    known: Explanation, family: Family, *, greater: bool
) -> tuple[Alternative, ...]:
    """Other tests of the same sessions: the newest level, without the suite's moves."""

    def side(sessions: Sequence[Session], part: str) -> Floats:
        found = [s.adjusted for s in sessions if s.part == part]
        there = np.array([x for x in found if x is not None], dtype=np.float64)
        with np.errstate(all="ignore"):
            return there if family.linear else np.log(there)

    base, head = side(known.window, NEWEST), side(known.head, HEAD)
    return tuple(alternatives(base, head, greater=greater))


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def named(rows: Sequence[Comparison], name: str) -> list[Comparison]:
    """The rows of a benchmark: by its label, else its name, else by a glob."""
    glob = matcher(name)
    return (
        [row for row in rows if row.benchmark.label == name]
        or [row for row in rows if row.benchmark.name == name]
        or [row for row in rows if fits(glob, row.benchmark)]
    )

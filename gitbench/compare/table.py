"""The runs of both sides as one table: rows by sessions.

A row is one benchmark and metric.  Each measurement is touched once in Python; what
is done to single values is done in numpy for all of them together.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gitbench.compare.cells import Cells, Grid
from gitbench.model import (
    PLAIN_MEANS,
    Benchmark,
    Better,
    GroupSides,
    Kind,
    Measurement,
    Metric,
    Run,
    Status,
)
from gitbench.sessions import group_sessions
from gitbench.units import base_unit

Key = tuple[str, tuple[tuple[str, str], ...], str]


@dataclass(slots=True)
class Row:
    """What is known of one benchmark and metric before any number is looked at."""

    number: int
    benchmark: Benchmark
    metric: Metric
    """As head gave it, else the baseline."""
    base_unit: str
    factor: float
    version: str | None
    center_of: str
    """Which center it is known by: `values`, or the summary's `mean` or `median`."""
    head: int = 0
    """Measurements of head that have values."""
    window: int = 0
    """Those of the window that head's can be compared with."""
    status: Status | None = None
    """Of head's newest measurement that was not skipped; None if head has none."""
    message: str | None = None
    other_failures: int = 0
    """Failed measurements of head besides the one that `status` tells of."""
    failed_in_base: bool = False
    closed: str | None = None
    """Reason code why older sessions of the window do not count."""
    trials: list[tuple[int, int, int]] = field(default_factory=list)
    """Session, passes and trials of each measurement that has trials."""
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rounds:
    """Rounds of sessions that head shares with the baseline commit, r of them."""

    grid: Grid
    """Column j is round j as head was measured, column r + j as the baseline was."""
    session: NDArray[np.intp]
    """Number of the session of each round; (r,)."""


@dataclass(frozen=True, slots=True)
class Table:
    """One suite on one testbed: its rows, and a cell for each row and session."""

    rows: tuple[Row, ...]
    grid: Grid
    commits: tuple[int, ...]
    """Of each session: its commit, 0 for head and 1 on for those of the window."""
    sessions_of_commits: tuple[int, ...]
    """Sessions that each commit of the window contributes, newest first."""
    rounds: Rounds | None = None
    """None where the sides share no round."""


Round = tuple[str, int]
"""Id of a session, and the number of a round in it."""


def read_table(sides: GroupSides) -> Table:
    """Collect head's rows, in head's order, and those only the baseline commit has.

    A row that stands only further back in the window was dropped before head and
    is none.  Rounds of interleaved sessions, which head and the baseline commit
    share, are also kept one by one.
    """
    shared = _shared_rounds(sides)
    reader = _Reader(shared)
    heads = group_sessions([one.run for one in sides.head.runs])
    for column, session in enumerate(heads):
        for run in session:
            reader.read_head(run, column)
    column = len(heads)
    commits = [0] * column
    window = sides.baseline.window if sides.baseline else ()
    counts = []
    for place, commit in enumerate(window):
        sessions = group_sessions([one.run for one in commit.runs])
        counts.append(len(sessions))
        for session in sessions:
            for run in session:
                reader.read_window(run, column, adds_rows=place == 0)
            column += 1
            commits.append(place + 1)
    rows = tuple(reader.rows.values())
    grid = reader.cells.grid(len(rows), len(heads), column)
    if not shared:
        return Table(rows, grid, tuple(commits), tuple(counts))
    ids = sorted({session for session, _ in shared})
    numbers = [ids.index(session) for session, _ in shared]
    pairs = reader.pairs.grid(len(rows), len(shared), 2 * len(shared))
    rounds = Rounds(pairs, np.array(numbers, dtype=np.intp))
    return Table(rows, grid, tuple(commits), tuple(counts), rounds)


def _shared_rounds(sides: GroupSides) -> dict[Round, int]:
    """The rounds that both head and the baseline commit have, numbered in order."""
    if sides.baseline is None:
        return {}
    ours, theirs = (
        {_round(one.run) for one in runs}
        for runs in (sides.head.runs, sides.baseline.window[0].runs)
    )
    common = sorted(one for one in ours & theirs if one is not None)
    return {one: place for place, one in enumerate(common)}


def _round(run: Run) -> Round | None:
    if run.session is None or run.round is None:
        return None
    return run.session, run.round


class _Reader:
    """Takes in runs of head first, then those of the window, each newest first."""

    def __init__(self, rounds: dict[Round, int]) -> None:
        self.rows: dict[Key, Row] = {}
        self.cells = Cells()
        self.pairs = Cells()
        self._rounds = rounds

    def _pair(self, run: Run, side: int) -> int | None:
        """Column of a run among the rounds; `side` is 0 for head, 1 for the base."""
        if not self._rounds:
            return None
        key = _round(run)
        place = self._rounds.get(key) if key is not None else None
        return None if place is None else place + side * len(self._rounds)

    def read_head(self, run: Run, column: int) -> None:
        """Take in one run of head; the newest that has a row says what it is."""
        rows, pair = self.rows, self._pair(run, 0)
        for one in run.measurements:
            key = (one.benchmark.name, one.benchmark.params, one.metric.name)
            row = rows.get(key)
            if row is None:
                row = self._add(key, one)
            if one.status is not Status.OK:
                _read_broken_head(row, one)
                continue
            if row.head and _difference(row, one):
                row.warnings.append(_LEFT_OUT)
                continue
            if not row.head:
                _identify(row, one)
            if row.status is None or row.status is Status.SKIPPED:
                row.status = Status.OK
            row.head += 1
            self._take(row, column, pair, one)

    def read_window(self, run: Run, column: int, *, adds_rows: bool) -> None:
        """Take in one run of the window, for the rows that are known."""
        rows, pair = self.rows, self._pair(run, 1) if adds_rows else None
        for one in run.measurements:
            key = (one.benchmark.name, one.benchmark.params, one.metric.name)
            row = rows.get(key)
            if row is None:
                if not adds_rows or one.status is not Status.OK:
                    continue
                row = self._add(key, one)
            if row.closed is not None:
                continue
            if one.status is not Status.OK:
                row.failed_in_base |= one.status is Status.FAILED
                continue
            if row.head or row.window:
                row.closed = _difference(row, one)
                if row.closed is not None:
                    continue
            else:
                _identify(row, one)
            row.window += 1
            self._take(row, column, pair, one)

    def _add(self, key: Key, one: Measurement) -> Row:
        row = Row(len(self.rows), one.benchmark, one.metric, "", 1.0, None, "values")
        self.rows[key] = row
        return row

    def _take(self, row: Row, column: int, pair: int | None, one: Measurement) -> None:
        """Take the values of a measurement that fits its row."""
        if one.trials is not None:
            row.trials.append((column, one.passes or 0, one.trials))
            return
        metric = one.metric
        factor = row.factor
        if metric is not row.metric and metric.unit != row.metric.unit:
            factor = base_unit(metric.unit)[1]
        plain = metric.kind in PLAIN_MEANS
        self.cells.add(row.number, column, factor, one.processes, one.summary, plain)
        if pair is not None:
            self.pairs.add(row.number, pair, factor, one.processes, one.summary, plain)


_LEFT_OUT = (
    "runs of head whose version, unit, kind or center differs from that of its newest "
    "run are left out"
)


def _read_broken_head(row: Row, one: Measurement) -> None:
    """A failed or skipped measurement of head; of several the newest speaks."""
    failed = one.status is Status.FAILED
    if row.status is None or (row.status is Status.SKIPPED and failed):
        row.status, row.message = one.status, one.message
    elif failed:
        row.other_failures += 1


def _identify(row: Row, one: Measurement) -> None:
    """Let the first measurement with values say what the row is."""
    row.metric = one.metric
    row.base_unit, row.factor = base_unit(one.metric.unit)
    row.version = one.version
    row.center_of = _center_of(one)


def _difference(row: Row, one: Measurement) -> str | None:
    """Reason code why a measurement is not comparable with its row; None if it is.

    A version that only one side knows tells nothing; the first one known counts.
    """
    if one.version != row.version:
        if row.version is not None and one.version is not None:
            return "version-differs"
        row.version = row.version or one.version
    metric, known = one.metric, row.metric
    if metric is not known and metric != known:
        if base_unit(metric.unit)[0] != row.base_unit:
            return "unit-differs"
        if metric.kind is not known.kind:
            return "kind-differs"
        if {metric.better, known.better} == {Better.LOWER, Better.HIGHER}:
            return "direction-differs"
    if one.trials is None and _center_of(one) != row.center_of:
        return "center-differs"
    return None


def _center_of(one: Measurement) -> str:
    """Which center a measurement is known by; a summary speaks without values only."""
    return one.summary.of if one.summary and not one.processes else "values"


def is_counted(row: Row, heads: int) -> bool:
    """Whether both sides of a row have trials; `heads`: sessions of head."""
    return any(column < heads for column, _, _ in row.trials) and any(
        column >= heads for column, _, _ in row.trials
    )


def supported(row: Row, heads: int) -> bool:
    """Whether the row's numbers can be compared: trials with trials, or values."""
    if row.trials:
        return is_counted(row, heads)
    return row.metric.kind is not Kind.PROPORTION

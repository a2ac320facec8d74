"""The runs of both sides as one table: rows by sessions.

A row is one benchmark and metric.  Each measurement is touched once in Python; what
is done to single values is done in numpy for all of them together.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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
    has_trials: bool = False
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Table:
    """One suite on one testbed: its rows, and a cell for each row and session."""

    rows: tuple[Row, ...]
    grid: Grid
    sessions_of_commits: tuple[int, ...]
    """Sessions that each commit of the window contributes, newest first."""


def read_table(sides: GroupSides) -> Table:
    """Collect head's rows, in head's order, and those only the baseline commit has.

    A row that stands only further back in the window was dropped before head and
    is none.  Runs that both sides share as rounds of one interleaved session are
    sessions like any other here; pairing them belongs in this function.
    """
    reader = _Reader()
    heads = group_sessions([one.run for one in sides.head.runs])
    for column, session in enumerate(heads):
        for run in session:
            reader.read_head(run, column)
    column = len(heads)
    window = sides.baseline.window if sides.baseline else ()
    counts = []
    for place, commit in enumerate(window):
        sessions = group_sessions([one.run for one in commit.runs])
        counts.append(len(sessions))
        for session in sessions:
            for run in session:
                reader.read_window(run, column, adds_rows=place == 0)
            column += 1
    rows = tuple(reader.rows.values())
    grid = reader.cells.grid(len(rows), len(heads), column)
    return Table(rows, grid, tuple(counts))


class _Reader:
    """Takes in runs of head first, then those of the window, each newest first."""

    def __init__(self) -> None:
        self.rows: dict[Key, Row] = {}
        self.cells = Cells()

    def read_head(self, run: Run, column: int) -> None:
        """Take in one run of head; the newest that has a row says what it is."""
        rows = self.rows
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
            self._take(row, column, one)

    def read_window(self, run: Run, column: int, *, adds_rows: bool) -> None:
        """Take in one run of the window, for the rows that are known."""
        rows = self.rows
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
            self._take(row, column, one)

    def _add(self, key: Key, one: Measurement) -> Row:
        row = Row(len(self.rows), one.benchmark, one.metric, "", 1.0, None, "values")
        self.rows[key] = row
        return row

    def _take(self, row: Row, column: int, one: Measurement) -> None:
        """Take the values of a measurement that fits its row."""
        if one.trials is not None:
            row.has_trials = True
            return
        metric = one.metric
        factor = row.factor
        if metric is not row.metric and metric.unit != row.metric.unit:
            factor = base_unit(metric.unit)[1]
        plain = metric.kind in PLAIN_MEANS
        self.cells.add(row.number, column, factor, one.processes, one.summary, plain)


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


def supported(row: Row) -> bool:
    """Whether the row's kind of number can be compared."""
    return not row.has_trials and row.metric.kind is not Kind.PROPORTION

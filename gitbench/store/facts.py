"""What lists and histories need of runs, without their values.

A run's *facts* are its circumstances, a *point* is one measurement reduced to its
center and spread.  The same question is answered from the notes (`NotesHistory`)
and, without decoding them, from the index (`store/index`); both give these
values, so that whoever asks cannot tell them apart.  What there are ten thousand of is
a named tuple, which is made in a quarter of the time of a frozen dataclass.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

from gitbench.centers import center_of
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Run,
    Status,
)
from gitbench.store.notes import Notes
from gitbench.store.repository import Commit
from gitbench.units import base_unit

unit_of = lru_cache(maxsize=1024)(base_unit)


class RunFacts(NamedTuple):
    """A run without its measurements."""

    started_at: int
    """Milliseconds since the epoch, UTC."""
    commit: str
    tree: str
    origin: str
    suite: str
    testbed: str
    """The testbed's name."""
    fingerprint: str
    tool: str
    tool_version: str | None
    dirty: bool
    session: str | None
    job: str | None
    """The CI job attempt; runs with equal `job` are one session."""
    measurements: int
    """How many there are."""


@dataclass(frozen=True, slots=True)
class Series:
    """What is the same in all points of one benchmark and metric."""

    benchmark: Benchmark
    metric: str
    unit: str
    """The metric's base unit."""
    kind: Kind
    better: Better
    version: str | None
    """Version of the benchmark's own body."""


class Point(NamedTuple):
    """One measurement, reduced; numbers in the series' unit.

    `center`, `low` and `high` are None where the measurement has none: it failed,
    its tool told no spread, or the numbers leave the range of floats.
    """

    series: Series
    status: Status
    message: str | None
    center: float | None
    """The trimmed mean of the processes' trimmed means, or the mean of their means (as
    in `gitbench.stats.sample`); what the tool's summary says where no values are
    known."""
    low: float | None
    """Smallest value; of a summary without values, what it says."""
    high: float | None
    n: int
    """Number of values, of trials, or of those behind a summary."""
    values: int
    """Number of values that are stored."""
    processes: int
    even: bool
    """All processes have equally many values."""
    summarised: bool
    """The tool's own summary is there."""
    median: bool
    """`center` is a median."""
    passes: int | None
    trials: int | None


class Recorded(NamedTuple):
    """A run's facts with the id of the run, and the points that were asked for."""

    id: str
    run: RunFacts
    points: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """Which runs, and which points of them, a history is about."""

    benchmark: str | None = None
    """Name or label of a benchmark; None asks for runs alone."""
    metric: str | None = None
    suite: str | None = None
    glob: bool = False
    """`benchmark` is a pattern; a name that is written like it fits it too."""

    def fits(self, series: Series) -> bool:
        """Whether the points of a series are asked for."""
        if self.metric not in (None, series.metric):
            return False
        names = (series.benchmark.name, series.benchmark.label)
        if self.benchmark in names:
            return True
        pattern = self.benchmark if self.glob else None
        return pattern is not None and any(fnmatchcase(one, pattern) for one in names)

    def keeps(self, one: Recorded) -> bool:
        """Whether a run, with its points filled in, belongs to the answer."""
        return self.suite in (None, one.run.suite) and (
            self.benchmark is None or bool(one.points)
        )


class Answer(NamedTuple):
    """What a question finds at one commit."""

    commit: Commit
    runs: tuple[Recorded, ...]
    """Runs that count for the commit and fit the question, newest first."""
    warnings: tuple[str, ...]


def facts_of(run: Run) -> RunFacts:
    """The facts of a run."""
    return RunFacts(
        run.started_at,
        run.commit,
        run.tree,
        run.origin,
        run.suite,
        run.testbed.name,
        run.testbed.fingerprint,
        run.tool.name,
        run.tool.version,
        run.dirty,
        run.session,
        run.ci.job if run.ci else None,
        len(run.measurements),
    )


def series_of(one: Measurement) -> Series:
    """The series that a measurement belongs to."""
    metric = one.metric
    return Series(
        one.benchmark,
        metric.name,
        unit_of(metric.unit)[0],
        metric.kind,
        metric.better,
        one.version,
    )


def point_of(one: Measurement, series: Series | None = None) -> Point:
    """A measurement reduced to a point (of `series`, where the caller has it)."""
    center, low, high = _spread(one)
    return Point(
        series or series_of(one),
        one.status,
        one.message,
        center,
        low,
        high,
        one.count,
        sum(map(len, one.processes)),
        len(one.processes),
        len({len(values) for values in one.processes}) <= 1,
        one.summary is not None,
        one.summary is not None and not one.processes and one.summary.of == "median",
        one.passes,
        one.trials,
    )


def _spread(one: Measurement) -> tuple[float | None, float | None, float | None]:
    """Center, low and high in the base unit."""
    if one.status is not Status.OK:
        return None, None, None
    factor = unit_of(one.metric.unit)[1]
    summary = one.summary
    low = high = None
    if one.processes:
        low = min(map(min, one.processes))
        high = max(map(max, one.processes))
        if summary is not None:
            # It is of all values, of which these are some.
            low = low if summary.low is None else min(low, summary.low)
            high = high if summary.high is None else max(high, summary.high)
    elif summary is not None:
        low, high = summary.low, summary.high
    if one.processes:
        center = center_of(one.metric.kind, one.processes)
    elif summary is not None:
        center = summary.center
    else:
        assert one.passes is not None
        assert one.trials is not None
        share = one.passes / one.trials
        return share, None, None
    return _scaled(center, factor), _scaled(low, factor), _scaled(high, factor)


def _scaled(value: float | None, factor: float) -> float | None:
    if value is None:
        return None
    product = value * factor + 0.0
    return product if math.isfinite(product) else None


class NotesHistory:
    """Answers from the notes themselves, one commit at a time."""

    def __init__(self, notes: Notes, question: Question) -> None:
        self.notes = notes
        self.question = question

    def annotated(self) -> set[str]:
        """Ids of all objects that have a note."""
        return {object_id for object_id, _ in self.notes.annotated()}

    def answers(self, commits: Iterable[Commit]) -> Iterator[Answer]:
        """What is found at each commit, in their order."""
        for commit in commits:
            yield self.answer(commit)

    def answer(self, commit: Commit) -> Answer:
        """What is found at one commit."""
        records = self.notes.records(commit.id)
        found = []
        for one in records.runs:
            points: tuple[Point, ...] = ()
            if self.question.benchmark is not None:
                points = tuple(
                    point_of(measurement, series)
                    for measurement in one.run.measurements
                    if self.question.fits(series := series_of(measurement))
                )
            recorded = Recorded(one.id, facts_of(one.run), points)
            if self.question.keeps(recorded):
                found.append(recorded)
        return Answer(commit, tuple(found), records.warnings)

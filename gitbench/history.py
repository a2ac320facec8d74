"""Runs of many commits to series: points, levels, steps and drifts.

Whoever reads the runs hands over what it found along a line of commits, oldest first;
nothing here knows where that came from.  Steps are found by `gitbench.stats.changes`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from gitbench.model import Benchmark, Better, Kind
from gitbench.sessions import Mark, group_marks


class Reading(NamedTuple):
    """The center of one measurement, and the run it comes from."""

    commit: str
    center: float
    """In the base unit."""
    started_at: int
    """Of the run, as are the origin, session and job."""
    origin: str
    session: str | None = None
    job: str | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """What is the same in all points of a series."""

    benchmark: Benchmark
    metric: str
    unit: str
    """Base unit."""
    kind: Kind
    better: Better
    suite: str
    testbed: str
    fingerprint: str
    version: str | None = None
    """Version of the benchmark's own body: another one is another series."""


@dataclass(frozen=True, slots=True)
class Point:
    """One commit."""

    commit: str
    started_at: int
    """Of the newest session, milliseconds since the epoch, UTC."""
    center: float
    """Mean of the sessions' centers, base unit; a session's center is the mean of
    its runs'."""
    sessions: int


@dataclass(frozen=True, slots=True)
class Level:
    """A stretch of commits without a step."""

    first: int
    """Place of its first point in the series."""
    last: int
    center: float
    """Median, first and third quartile of its points; base unit."""
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Step:
    """Where a new level begins."""

    place: int
    """Place of the first point of the new level."""
    earliest: int
    """That place at the earliest, and at the latest; 95 %."""
    latest: int
    older: float
    """Centers of the level that ends here, and of the one that begins."""
    newer: float
    change: float | None
    """Newer over older minus 1; None where there is no ratio."""
    p_value: float
    worse: bool | None
    """Whether it goes the bad way; None where no way is bad."""
    gradual: bool
    """Part of a drift."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A slow change over a stretch of commits that a line fits better than steps."""

    first: int
    last: int
    older: float
    newer: float
    change: float | None
    worse: bool | None


@dataclass(frozen=True, slots=True)
class Series:
    """One benchmark and metric on one testbed, oldest commit first."""

    name: Name
    points: tuple[Point, ...]
    levels: tuple[Level, ...]
    steps: tuple[Step, ...]
    drifts: tuple[Drift, ...]
    autocorrelation: float | None
    warnings: tuple[str, ...] = field(default=())

    @property
    def latest(self) -> Step | Drift | None:
        """The change that ends last; a drift rather than the steps it is made of."""
        step = self.steps[-1] if self.steps else None
        drift = self.drifts[-1] if self.drifts else None
        if step is None or drift is None:
            return step or drift
        return drift if drift.last > step.place else step

    @property
    def severity(self) -> float:
        """How bad the latest change is: the log of its ratio in the bad direction,
        less than 0 for one for the better, infinite for a bad one without a ratio; 0
        where there is none or neither way is bad."""
        latest = self.latest
        if latest is None or latest.worse is None:
            return 0.0
        change = latest.change
        size = math.inf if change is None else abs(math.log1p(change))
        return size if latest.worse else -size


def series_of(name: Name, readings: Iterable[Reading], least: float = 0.0) -> Series:
    """The series of one name; `readings` come commit by commit, oldest first.

    `least` is the fraction below which a step does not count.
    """
    from gitbench.stats.changes import find_changes
    from gitbench.stats.split import MIN_POINTS

    points = _points(readings)
    found = find_changes([one.center for one in points], least=least)
    warnings = []
    if found.points < MIN_POINTS:
        warnings.append(
            f"Too few points ({found.points}) to tell a step from noise: it takes "
            f"{MIN_POINTS}, and three times as many to see one soon."
        )
    if found.autocorrelation is not None and found.correlated:
        warnings.append(
            "Points resemble the ones before them (autocorrelation "
            f"{found.autocorrelation:.1f}): the machine itself drifts, and some steps "
            "may be its own."
        )
    return Series(
        name,
        points,
        tuple(
            Level(one.start, one.stop - 1, one.center, one.low, one.high)
            for one in found.levels
        ),
        tuple(
            Step(
                one.index,
                one.earliest,
                one.latest,
                one.older,
                one.newer,
                None if one.ratio is None else one.ratio - 1,
                one.p_value,
                _is_worse(name.better, one.older, one.newer),
                one.gradual,
            )
            for one in found.changes
        ),
        tuple(
            Drift(
                one.start,
                one.stop - 1,
                one.older,
                one.newer,
                None if one.ratio is None else one.ratio - 1,
                _is_worse(name.better, one.older, one.newer),
            )
            for one in found.drifts
        ),
        found.autocorrelation,
        tuple(warnings),
    )


def _is_worse(better: Better, older: float, newer: float) -> bool | None:
    if better is Better.NONE or older == newer:
        return None
    return (newer > older) == (better is Better.LOWER)


def _points(readings: Iterable[Reading]) -> tuple[Point, ...]:
    """One point a commit, its sessions averaged."""
    commits: dict[str, list[Reading]] = {}
    for one in readings:
        commits.setdefault(one.commit, []).append(one)
    return tuple(_point(some) for some in commits.values())


def _point(readings: list[Reading]) -> Point:
    sessions = group_marks(
        [Mark(one.started_at, one.origin, one.session, one.job) for one in readings]
    )
    centers = [
        _mean([readings[place].center for place in members]) for members in sessions
    ]
    newest = max(one.started_at for one in readings)
    return Point(readings[0].commit, newest, _mean(centers), len(sessions))


def _mean(numbers: list[float]) -> float:
    """Their mean; that of equal numbers is exactly that number."""
    first = numbers[0]
    if len(numbers) == 1:
        return first
    return first + sum(one / len(numbers) - first / len(numbers) for one in numbers)

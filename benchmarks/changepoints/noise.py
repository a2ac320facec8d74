"""Simulated series: how often noise has steps, and how soon a step is found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.changepoints.detectors import Detector

Floats = NDArray[np.float64]

STEP = 3.0
"""In standard deviations of the noise."""

LATER = 5
"""Points after the step at which a series ends."""

TOLERANCE = 5
"""Points by which a step may be misplaced."""

OUTLIERS = 0.05


@dataclass(frozen=True)
class Noise:
    """A kind of noise about a mean."""

    name: str
    rho: float = 0.0
    """Correlation of neighbours."""
    outliers: bool = False
    """5 % of the points are 3 to 30 standard deviations too great."""

    def series(self, chance: np.random.Generator, count: int, n: int) -> Floats:
        """Series (count, n) of variance 1 without the outliers, about 100."""
        x = chance.normal(size=(count, n))
        for at in range(1, n):
            x[:, at] = self.rho * x[:, at - 1] + math.sqrt(1 - self.rho**2) * x[:, at]
        if self.outliers:
            hit = chance.random(x.shape) < OUTLIERS
            x += hit * chance.uniform(3, 30, x.shape)
        return x + 100


KINDS = (
    Noise("normal"),
    Noise("normal, 5 % outliers", outliers=True),
    Noise("autocorrelation 0.3", rho=0.3),
    Noise("autocorrelation 0.5", rho=0.5),
)


@dataclass(frozen=True)
class Count:
    """So many of so many series."""

    hits: int
    of: int

    def __str__(self) -> str:
        return f"{self.hits} of {self.of:,} ({self.hits / self.of:.1%})"


def false_steps(detect: Detector, kind: Noise, count: int, n: int) -> Count:
    """Series of noise with any step."""
    chance = np.random.default_rng([n, int(100 * kind.rho), kind.outliers])
    found = detect(list(kind.series(chance, count, n)))
    return Count(sum(bool(one) for one in found.steps), count)


def soon_found(detect: Detector, kind: Noise, count: int, n: int) -> Count:
    """Series of `n` points and five more, 3 standard deviations higher, in which a
    step is found within five points of its place."""
    chance = np.random.default_rng([n, int(100 * kind.rho), kind.outliers, 1])
    series = kind.series(chance, count, n + LATER)
    series[:, n:] += STEP
    found = detect(list(series))
    return Count(sum(_near(one, n) for one in found.steps), count)


def came_and_went(detect: Detector, kind: Noise, count: int, length: int) -> Count:
    """Series of 200 points with a level of `length` amid them, both ends of which
    are found to two points."""
    chance = np.random.default_rng([length, 2])
    series = kind.series(chance, count, 200)
    series[:, 80 : 80 + length] += STEP
    found = detect(list(series))
    hits = sum(
        min(map(abs, _from(one, 80)), default=9) <= 2
        and min(map(abs, _from(one, 80 + length)), default=9) <= 2
        for one in found.steps
    )
    return Count(hits, count)


def _from(steps: Sequence[int], place: int) -> list[int]:
    return [one - place for one in steps]


def _near(steps: Sequence[int], place: int) -> bool:
    return any(abs(one - place) <= TOLERANCE for one in steps)

"""Sequences of runs whose truth is known, in the format of `data`."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.calibration.data import RunSequence


@dataclass(frozen=True)
class Noise:
    """How runs of the same code differ; all of it log-normal, as fractions."""

    between: float = 0.01
    """Standard deviation of a row from session to session."""
    within: float = 0.005
    """Standard deviation of a value inside its run."""
    shift: float = 0.0
    """Standard deviation of a whole suite from session to session."""
    noisier: float = 0.0
    """Share of rows with four times the noise between sessions."""
    outliers: float = 0.0
    """Chance of a session, row by row, that it takes 30 % more."""


KINDS: Mapping[str, Noise] = {
    "quiet": Noise(),
    "shifting": Noise(shift=0.02),
    "mixed": Noise(between=0.02, within=0.01, shift=0.01, noisier=0.25),
    "spiky": Noise(between=0.02, within=0.01, outliers=0.005),
}
"""Sources of the generated data set; nothing changes in any of them."""


def make_sequence(
    rng: random.Random, noise: Noise, *, rows: int, runs: int, values: int
) -> RunSequence:
    """Runs of one unchanged suite."""
    level = [10 ** rng.uniform(-6, 0) for _ in range(rows)]
    spread = [
        noise.between * (4 if rng.random() < noise.noisier else 1) for _ in range(rows)
    ]
    sequence: RunSequence = []
    for _ in range(runs):
        shift = rng.gauss(0, noise.shift)
        run = {}
        for row in range(rows):
            center = math.log(level[row]) + shift + rng.gauss(0, spread[row])
            if rng.random() < noise.outliers:
                center += math.log(1.3)
            run[f"row {row:02}"] = [
                [math.exp(center + rng.gauss(0, noise.within)) for _ in range(values)]
            ]
        sequence.append(run)
    return sequence


def make(
    seed: str = "calibration",
    *,
    kinds: Mapping[str, Noise] = KINDS,
    sequences: int = 4,
    rows: int = 20,
    runs: int = 9,
    values: int = 5,
) -> dict[str, list[RunSequence]]:
    """A whole data set; the same for the same arguments."""
    return {
        name: [
            make_sequence(
                random.Random(f"{seed} {name} {number}"),
                noise,
                rows=rows,
                runs=runs,
                values=values,
            )
            for number in range(sequences)
        ]
        for name, noise in kinds.items()
    }

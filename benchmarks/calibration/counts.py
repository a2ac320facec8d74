"""Counts of all sequences, and shares of them with intervals."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.calibration.replay import Cell

FEW = 5
"""With fewer sequences than this an interval says little."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Share:
    """A share of trials, with its 95 % interval; all three in [0, 1]."""

    hits: int
    trials: int
    sequences: int
    """Sequences that the trials come from."""
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself."""
        return self.hits / self.trials


def share_of(pairs: Sequence[tuple[int, int]]) -> Share | None:
    """The share of all trials, from hits and trials of each sequence; None without a
    trial.

    The trials of a sequence are not independent: windows overlap, and rows share a
    machine.  So the variance of the share is that of a ratio estimator over sequences
    (the linearization of cluster samples, Cochran 1977, chapter 11), its quotient to
    the binomial variance is the design effect, and the interval is Wilson's (1927) at
    the effective number of trials, reduced once more by the squared quotient of the
    normal to the t quantile at m - 1 degrees of freedom, since m sequences tell the
    design effect no better than that (Korn and Graubard 1998; Dean and Pagano 2015
    compare such intervals).

    With one trial a sequence this is Wilson's interval.  With a single sequence there
    is nothing to learn a design effect from, and with no hits, or nothing else, it
    cannot be seen: it is then 1, and the interval too narrow.
    """
    from scipy import stats

    used = [(hits, trials) for hits, trials in pairs if trials]
    if not used:
        return None
    m = len(used)
    hits, trials = sum(h for h, _ in used), sum(n for _, n in used)
    p, z = hits / trials, float(stats.norm.ppf((1 + CONFIDENCE) / 2))
    effective = float(trials)
    if m > 1 and max(n for _, n in used) > 1:
        if 0 < hits < trials:
            squares = math.fsum((h - p * n) ** 2 for h, n in used)
            variance = m / (m - 1) * squares / trials**2
            effective /= max(1.0, variance * trials / (p * (1 - p)))
        effective *= (z / float(stats.t.ppf((1 + CONFIDENCE) / 2, m - 1))) ** 2
    low, high = _wilson(p, effective, z)
    return Share(hits, trials, m, low, high)


def _wilson(p: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's score interval of a share p of n trials, n real and positive."""
    center = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (
        0.0 if p == 0 else max(0.0, center - half),
        1.0 if p == 1 else min(1.0, center + half),
    )


@dataclass
class Results:
    """What was counted, by source and sequence."""

    classes: Mapping[str, tuple[str, ...]]
    """Of each source."""
    sequences: dict[tuple[str, int], dict[Cell, tuple[int, int]]] = field(
        default_factory=dict
    )

    def take(
        self, source: str, number: int, counts: Mapping[Cell, tuple[int, int]]
    ) -> None:
        """Add the counts of one sequence and window size."""
        self.sequences.setdefault((source, number), {}).update(counts)

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """The sources of each class, in the order in which classes are known."""
        found: dict[str, list[str]] = {}
        for source, classes in self.classes.items():
            for one in classes:
                found.setdefault(one, []).append(source)
        order = ("quiet", "ci-runners", "jvm-forks", "one-value")
        names = sorted(found, key=lambda n: (n not in order, n))
        names.sort(key=lambda n: order.index(n) if n in order else len(order))
        return {name: tuple(found[name]) for name in names}

    def sessions(self, sources: Collection[str]) -> list[int]:
        """Sizes of the window that some sources were replayed with."""
        return sorted({c.sessions for s, d in self._of(sources) for c in d})

    def count(self, sources: Collection[str]) -> int:
        """Number of their sequences."""
        return len(self._of(sources))

    def share(
        self,
        sources: Collection[str],
        scenes: Collection[str],
        measures: Sequence[str],
        *,
        sessions: Collection[int],
        factors: Collection[float] = (1.0,),
        rule: str = "gitbench",
    ) -> Share | None:
        """A share pooled over cells; the trials are those of the first measure, the
        hits those of all measures, which exclude one another."""
        pairs = []
        for _, counts in self._of(sources):
            hits = trials = 0
            for k in sessions:
                for scene in scenes:
                    for factor in factors:
                        for place, measure in enumerate(measures):
                            cell = Cell(k, scene, measure, factor, rule)
                            found = counts.get(cell, (0, 0))
                            hits += found[0]
                            trials += found[1] if place == 0 else 0
            pairs.append((hits, trials))
        return share_of(pairs)

    def _of(
        self, sources: Collection[str]
    ) -> list[tuple[str, dict[Cell, tuple[int, int]]]]:
        return [
            (source, counts)
            for (source, _), counts in sorted(self.sequences.items())
            if source in sources
        ]

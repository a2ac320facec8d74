"""The center of a run as `stats.sample` takes it, without numpy, which storing and
recording do not load."""

from __future__ import annotations

from collections.abc import Sequence

from gitbench.model import PLAIN_MEANS, Kind


def center_of(kind: Kind, processes: Sequence[Sequence[float]]) -> float:
    """The trimmed mean of the processes' trimmed means; of kinds that add up, the mean
    of their means."""
    return _mean(kind, process_centers(kind, processes))


def process_centers(kind: Kind, processes: Sequence[Sequence[float]]) -> list[float]:
    """The center of each process."""
    return [_mean(kind, values) for values in processes]


def _mean(kind: Kind, values: Sequence[float]) -> float:
    """The mean, without the smallest and the greatest fifth unless the kind adds up.

    Never outside of its values: of 0.1 three times the sum over three is
    0.10000000000000002.
    """
    cut = 0 if kind in PLAIN_MEANS else len(values) // 5
    kept = sorted(values)[cut : len(values) - cut] if cut else values
    return min(max(sum(kept) / len(kept), min(kept)), max(kept))

"""Samples: the center of a run and how well its own values pin that center down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Samples:
    """One entry a sample, in the unit of the values."""

    center: Floats
    """Mean of the process means."""
    error: Floats
    """Standard error of the center; 0 where a sample is a single value."""
    low: Floats
    high: Floats
    count: Ints
    """Number of values."""


def summarise(values: Floats, process_sizes: Ints, processes: Ints) -> Samples:
    """Centers and within-run errors of many samples at once.

    `values` holds the values of all samples one after another, `process_sizes` the
    number of values of each process in the same order, `processes` the number of
    processes of each sample; no process and no sample is empty.

    The error comes from the process means, since values inside a process are not
    independent trials, and from the values where there is a single process.
    Numbers beyond the range of floats come back as infinities or NaN, never as an
    exception; callers drop such samples.
    """
    with np.errstate(all="ignore"):
        means = _means(values, process_sizes)
        center = _means(means, processes)
        error = _errors(means, center, processes)
        starts = _starts(processes)
        alone = processes == 1
        if alone.any():
            here = np.zeros(process_sizes.size, dtype=bool)
            here[starts[alone]] = True
            chosen = values if alone.all() else values[np.repeat(here, process_sizes)]
            error[alone] = _errors(chosen, center[alone], process_sizes[here])
        first = _starts(process_sizes)[starts]
        return Samples(
            center,
            error,
            np.minimum.reduceat(values, first) if values.size else values,
            np.maximum.reduceat(values, first) if values.size else values,
            _sums(process_sizes, processes),
        )


def _starts(sizes: Ints) -> Ints:
    return np.cumsum(sizes) - sizes


def _sums(x: NDArray[Any], sizes: Ints) -> NDArray[Any]:
    """Sums of consecutive groups; reduceat refuses an empty input."""
    return np.add.reduceat(x, _starts(sizes)) if sizes.size else x[:0]


def _means(x: Floats, sizes: Ints) -> Floats:
    """Means of consecutive groups; that of equal values is exactly that value.

    sum(x) / n is not: 0.1 three times gives 0.10000000000000002, and constants would
    then have a variance.
    """
    if sizes.size == x.size:
        return x
    first = x[_starts(sizes)]
    return first + _sums(x - np.repeat(first, sizes), sizes) / sizes


def _errors(x: Floats, means: Floats, sizes: Ints) -> Floats:
    """Standard errors of the means of consecutive groups; 0 for groups of one."""
    if sizes.size == x.size:
        return np.zeros(sizes.size)
    # Squares of the deviations relative to the greatest one stay within range.
    deviations = np.abs(x - np.repeat(means, sizes))
    scale = np.maximum.reduceat(deviations, _starts(sizes))
    scale[scale == 0] = 1.0
    squares = _sums((deviations / np.repeat(scale, sizes)) ** 2, sizes)
    return scale * np.sqrt(squares / np.maximum(sizes - 1, 1) / sizes)

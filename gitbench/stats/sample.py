"""Samples: the center of a run and how well its own values pin that center down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]

TRIM_ONE_IN = 5
"""A fifth of the numbers is left out at either end of a trimmed mean, rounded down, so
that fewer than five numbers have their plain mean.  `gitbench.store.facts` knows the
same center."""


@dataclass(frozen=True, slots=True)
class Samples:
    """One entry a sample, in the unit of the values."""

    center: Floats
    """Trimmed mean of the processes' trimmed means, or mean of their means."""
    error: Floats
    """Standard error of the center; 0 where a sample is a single value."""
    df: Floats
    """Degrees of freedom of `error`; 0 where a sample is a single value."""
    low: Floats
    high: Floats
    count: Ints
    """Number of values."""


def summarise(
    values: Floats, process_sizes: Ints, processes: Ints, plain: Bools | None = None
) -> Samples:
    """Centers and within-run errors of many samples at once.

    `values` holds the values of all samples one after another, `process_sizes` the
    number of values of each process in the same order, `processes` the number of
    processes of each sample; no process and no sample is empty.  Samples that are
    `plain` have their means, not trimmed ones.

    The error comes from the process centers, since values inside a process are not
    independent trials, and from the values where there is a single process.
    Numbers beyond the range of floats come back as infinities or NaN, never as an
    exception; callers drop such samples.
    """
    with np.errstate(all="ignore"):
        inner = None if plain is None else np.repeat(plain, processes)
        centers, inside, inside_df = trimmed_means(values, process_sizes, inner)
        center, error, df = trimmed_means(centers, processes, plain)
        starts = _starts(processes)
        alone = processes == 1
        only = starts[alone]
        error[alone], df[alone] = inside[only], inside_df[only]
        first = _starts(process_sizes)[starts]
        return Samples(
            center,
            error,
            df,
            np.minimum.reduceat(values, first) if values.size else values,
            np.maximum.reduceat(values, first) if values.size else values,
            _sums(process_sizes, processes),
        )


def trimmed_means(
    x: Floats, sizes: Ints, plain: Bools | None = None
) -> tuple[Floats, Floats, Floats]:
    """Trimmed means of consecutive groups, their standard errors and degrees of
    freedom, each (number of groups,).

    A fifth of each group is left out at either end, of `plain` groups nothing.  The
    error is that of Tukey and
    McLaughlin (1963, Sankhya A 25): with n numbers of which h are kept, the standard
    deviation of the winsorised numbers times sqrt(n) / h, with h - 1 degrees of
    freedom.  0 for groups of one.  The mean of equal numbers is exactly that number.
    """
    if sizes.size == x.size:
        return x.copy(), np.zeros(x.size), np.zeros(x.size)
    cuts = sizes // TRIM_ONE_IN
    if plain is not None:
        cuts = np.where(plain, 0, cuts)
    center, error = np.empty(sizes.size), np.zeros(sizes.size)
    starts = _starts(sizes)
    # A table for each size that occurs: there are few, and sorting the rows of a
    # table is six times as fast as sorting all numbers by group.
    for size, cut in sorted(set(zip(sizes.tolist(), cuts.tolist(), strict=True))):
        groups = np.flatnonzero((sizes == size) & (cuts == cut))
        if groups.size == sizes.size:
            table = x.reshape(-1, size)
        else:
            table = x[starts[groups, None] + np.arange(size)]
        center[groups], error[groups] = _trimmed(table, cut)
    return center, error, sizes - 2.0 * cuts - 1


def _trimmed(table: Floats, cut: int) -> tuple[Floats, Floats]:
    """Trimmed means of the rows of a table, and their standard errors."""
    size = table.shape[1]
    if cut:
        table = np.sort(table, axis=1)
    kept = table[:, cut : size - cut]
    number = size - 2 * cut
    # Not sum(x) / n: 0.1 three times gives 0.10000000000000002, and constants would
    # then have a variance.
    origin = kept[:, 0]
    rest = kept - origin[:, None]
    part = rest.sum(axis=1) / number
    center = origin + part
    if size == 1:
        return center, np.zeros(len(table))
    deviations = rest - part[:, None]
    # Squares of the deviations relative to the greatest one stay within range.
    scale = np.maximum(abs(deviations).max(axis=1), 0.0)
    scale[scale == 0] = 1.0
    deviations = deviations / scale[:, None]
    squares = (deviations**2).sum(axis=1)
    if cut:
        # The numbers left out count as the outermost ones kept, and the winsorised
        # numbers have a mean of their own.
        ends = deviations[:, [0, -1]]
        squares += cut * (ends**2).sum(axis=1)
        squares -= (cut * ends.sum(axis=1)) ** 2 / size
    squares = np.maximum(squares, 0.0)
    return center, scale * np.sqrt(squares / (size - 1) * size) / number


def _starts(sizes: Ints) -> Ints:
    return np.cumsum(sizes) - sizes


def _sums(x: NDArray[Any], sizes: Ints) -> NDArray[Any]:
    """Sums of consecutive groups; reduceat refuses an empty input."""
    return np.add.reduceat(x, _starts(sizes)) if sizes.size else x[:0]

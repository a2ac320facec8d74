"""Samples of many measurements, and what each session says of each row."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from gitbench.model import Summary
from gitbench.stats.gross import Extent, extents
from gitbench.stats.sample import summarise

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Grid:
    """A cell for each row and session, (m, c), in base units.

    The first `heads` columns are head's sessions, the others the window's, both
    newest first.  NaN where a row is absent.
    """

    heads: int
    center: Floats
    """Mean of the run centers of the session."""
    log_center: Floats
    """Mean of their logs; NaN in linear rows."""
    error: Floats
    """Variance of `center` as the session's own values tell it; 0 if unknown."""
    log_error: Floats
    error_df: Floats
    low: Floats
    """Smallest and greatest value; NaN where only a summary is known."""
    high: Floats
    count: Ints
    """Number of values."""
    linear: Bools
    """Rows with zeros or negative values, which have no logs; (m,)."""
    broken: Bools
    """Rows with numbers beyond the range of floats; (m,)."""
    values: Floats
    """All values that are known one by one, with their rows and sides."""
    value_row: Ints
    value_in_head: Bools

    def extents(self, wanted: Bools) -> tuple[Extent, Extent]:
        """Where the values of some rows (m,) lie in the window, and in head."""
        some = wanted[self.value_row]
        rows, values = self.value_row[some], self.values[some]
        head = self.value_in_head[some]
        return (
            extents(values[~head], rows[~head], wanted.size),
            extents(values[head], rows[head], wanted.size),
        )


class Cells:
    """Collects the values of measurements, and turns them into a grid at once."""

    def __init__(self) -> None:
        self._row: list[int] = []
        self._column: list[int] = []
        self._factor: list[float] = []
        self._processes: list[int] = []
        self._plain: list[bool] = []
        self._sizes: list[int] = []
        self._values: list[float] = []
        self._summaries: list[tuple[int, Summary, bool]] = []

    def add(
        self,
        row: int,
        column: int,
        factor: float,
        processes: tuple[tuple[float, ...], ...],
        summary: Summary | None,
        plain: bool,
    ) -> None:
        """Take one measurement; several of one row and column are averaged.

        `plain`: its center is a mean, not a trimmed one.
        """
        if summary is not None:
            self._summaries.append((len(self._row), summary, not processes))
            # Values, where known, say the center; else the summary's stands for them.
            processes = processes or ((summary.center,),)
        self._row.append(row)
        self._column.append(column)
        self._factor.append(factor)
        self._processes.append(len(processes))
        self._plain.append(plain)
        if len(processes) == 1:
            self._sizes.append(len(processes[0]))
            self._values.extend(processes[0])
        else:
            self._sizes.extend(map(len, processes))
            self._values.extend(chain.from_iterable(processes))

    def grid(self, rows: int, heads: int, columns: int) -> Grid:
        """The cells of `rows` rows and `columns` sessions, `heads` of them head's."""
        with np.errstate(all="ignore"):
            samples = self._samples()
            cell = samples.row * columns + np.array(self._column, dtype=np.intp)
            return _grid(samples, cell, rows, heads, columns)

    def _samples(self) -> _Samples:
        """One entry a measurement, in base units, summaries applied."""
        values = np.array(self._values, dtype=np.float64)
        sizes = np.array(self._sizes, dtype=np.intp)
        processes = np.array(self._processes, dtype=np.intp)
        factor = np.array(self._factor, dtype=np.float64)
        plain = np.array(self._plain, dtype=bool)
        found = summarise(values, sizes, processes, plain if plain.any() else None)
        center, error = found.center * factor, found.error * factor
        low, high, count = found.low * factor, found.high * factor, found.count.copy()
        df = found.df.copy()
        listed = np.ones(factor.size, dtype=bool)
        for place, summary, bare in self._summaries:
            if summary.n is not None:
                count[place] = summary.n
                # Values thinned to a limit say less than the spread of all of them;
                # process means say what the spread of all values cannot.
                if summary.stddev is not None and processes[place] == 1:
                    spread = summary.stddev * factor[place]
                    error[place] = spread / np.sqrt(summary.n) if summary.n > 1 else 0.0
                    df[place] = summary.n - 1
                if summary.low is not None:
                    low[place] = np.fmin(low[place], summary.low * factor[place])
                if summary.high is not None:
                    high[place] = np.fmax(high[place], summary.high * factor[place])
            if bare:
                low[place] = high[place] = np.nan
                listed[place] = False
        return _Samples(
            row=np.array(self._row, dtype=np.intp),
            center=center,
            error=error,
            df=df,
            low=low,
            high=high,
            count=count,
            listed=listed,
            stored=found.count,
            values=values * np.repeat(factor, found.count),
        )


@dataclass(frozen=True, slots=True)
class _Samples:
    """One entry a measurement."""

    row: Ints
    center: Floats
    error: Floats
    """Standard error of the center."""
    df: Floats
    low: Floats
    high: Floats
    count: Ints
    listed: Bools
    """Its values are known one by one."""
    stored: Ints
    values: Floats


def _grid(samples: _Samples, cell: Ints, rows: int, heads: int, columns: int) -> Grid:
    cells, shape = rows * columns, (rows, columns)
    runs = np.bincount(cell, minlength=cells)
    absent = runs == 0

    def spread(worst: Bools) -> Bools:
        flags = np.zeros(rows, dtype=bool)
        flags[samples.row[worst]] = True
        return flags

    finite = np.isfinite(samples.center) & np.isfinite(samples.error)
    linear = spread((samples.center <= 0) | (samples.low < 0))
    logs = np.log(np.where(linear[samples.row], 1.0, samples.center))
    relative = samples.error / np.where(linear[samples.row], 1.0, samples.center)
    average = _Average(cell, runs)
    center, error = average(samples.center, samples.error)
    log_center, log_error = average(logs, relative)
    df = np.bincount(cell, samples.df, cells).astype(np.float64)
    # Where runs of one session lie further apart than their values tell, that is
    # the session's error.
    log_error = np.maximum(log_error, average.scatter(logs))
    error = np.maximum(error, average.scatter(samples.center))
    # Linear rows are squared, which is beyond the range of floats from 1e155 on.
    size = np.zeros(rows)
    np.fmax.at(size, samples.row, np.maximum(abs(samples.center), samples.error))
    squarable = (size == 0) | ((size > 1e-150) & (size < 1e150))
    broken = spread(~finite) | (size > _LARGEST) | (linear & ~squarable)
    low, high = np.full(cells, np.inf), np.full(cells, -np.inf)
    np.fmin.at(low, cell, samples.low)
    np.fmax.at(high, cell, samples.high)
    unknown = absent | ~np.isfinite(low) | ~np.isfinite(high)
    nan = np.where(absent, np.nan, 0.0)
    value_row = np.repeat(samples.row, samples.stored)
    listed = np.repeat(samples.listed, samples.stored)
    in_head = np.repeat(cell % columns < heads, samples.stored)
    return Grid(
        heads=heads,
        center=(center + nan).reshape(shape),
        log_center=np.where(linear[:, None], np.nan, (log_center + nan).reshape(shape)),
        error=(error + nan).reshape(shape),
        log_error=(log_error + nan).reshape(shape),
        error_df=(df + nan).reshape(shape),
        low=np.where(unknown, np.nan, low).reshape(shape),
        high=np.where(unknown, np.nan, high).reshape(shape),
        count=np.bincount(cell, samples.count, cells).astype(np.intp).reshape(shape),
        linear=linear,
        broken=broken,
        values=samples.values[listed],
        value_row=value_row[listed],
        value_in_head=in_head[listed],
    )


_LARGEST = 1e305
"""Sums over the runs of a session must stay within the range of floats."""


class _Average:
    """Means over the runs of each cell, that of a single run exactly its own."""

    def __init__(self, cell: Ints, runs: Ints) -> None:
        self._cell, self._runs = cell, np.maximum(runs, 1)
        self._several = runs > 1

    def __call__(self, centers: Floats, errors: Floats) -> tuple[Floats, Floats]:
        """Mean of the centers, and the variance of that mean."""
        size = self._runs.size
        mean = np.bincount(self._cell, centers, size) / self._runs
        variance = np.bincount(self._cell, errors**2, size) / self._runs**2
        return mean, variance

    def scatter(self, centers: Floats) -> Floats:
        """Variance of the mean of several runs, by how far they lie apart."""
        size = self._runs.size
        if not self._several.any():
            return np.zeros(size)
        mean = np.bincount(self._cell, centers, size) / self._runs
        squares = np.bincount(self._cell, (centers - mean[self._cell]) ** 2, size)
        result: Floats = squares / np.maximum(self._runs - 1, 1) / self._runs
        return result

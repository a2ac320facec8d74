"""What stands behind each side of a row, for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gitbench.compare.cells import Grid
from gitbench.compare.families import Family
from gitbench.compare.methods import PAIRED
from gitbench.compare.table import Table
from gitbench.model import SideSummary
from gitbench.stats.rows import first_present, row_means

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Sides:
    """One entry a row of the table; None where a side has nothing."""

    head: list[SideSummary | None]
    base: list[SideSummary | None]


def summarise_sides(table: Table, families: Sequence[Family]) -> Sides:
    """Head is all its sessions; base the newest level of the window, or the newest
    session of a row that is not tested."""
    grid = table.grid
    heads, rows = grid.heads, len(table.rows)
    with np.errstate(all="ignore"):
        head = row_means(grid.center[:, :heads])
    base = first_present(grid.center[:, heads:])
    sessions = np.ones(rows, dtype=np.intp)
    for family in families:
        index = [row.number for row in family.rows]
        head[index], base[index] = family.head, family.base
        sessions[index] = family.change.levels.newest
    sides = Sides(
        _side(table, slice(None, heads), head, np.full(rows, heads)),
        _side(table, slice(heads, None), base, sessions),
    )
    for family in families:
        if family.method == PAIRED and table.rounds is not None:
            _narrow_to_pairs(sides, table.rounds.grid, family)
    return sides


def _narrow_to_pairs(sides: Sides, grid: Grid, family: Family) -> None:
    """Let the sides of paired rows tell of the rounds that both have, and no more."""
    columns = slice(None, grid.heads), slice(grid.heads, None)
    sessions = family.change.levels.sessions.tolist()
    for row, weak, number in zip(family.rows, family.weak, sessions, strict=True):
        if weak is not None:
            continue
        present = ~np.isnan(grid.center[row.number])
        both = present[columns[0]] & present[columns[1]]
        for side, where in zip((sides.head, sides.base), columns, strict=True):
            known = side[row.number]
            if known is None:
                continue
            low, high = (x[row.number, where][both] for x in (grid.low, grid.high))
            side[row.number] = replace(
                known,
                sessions=number,
                values=int(grid.count[row.number, where][both].sum()),
                low=_known(float(np.fmin.reduce(low, initial=np.nan))),
                high=_known(float(np.fmax.reduce(high, initial=np.nan))),
            )


def _side(
    table: Table, columns: slice, center: Floats, wanted: Ints
) -> list[SideSummary | None]:
    """Summaries of the `wanted` newest sessions of each row."""
    grid = table.grid
    present = ~np.isnan(grid.center[:, columns])
    used = present & (np.cumsum(present, axis=1) <= wanted[:, None])
    low = np.where(used, grid.low[:, columns], np.nan)
    high = np.where(used, grid.high[:, columns], np.nan)
    columns_of = (
        center,
        used.sum(axis=1),
        np.where(used, grid.count[:, columns], 0).sum(axis=1),
        np.fmin.reduce(low, axis=1, initial=np.nan),
        np.fmax.reduce(high, axis=1, initial=np.nan),
    )
    return [
        SideSummary(_known(middle), sessions, values, _known(least), _known(most))
        if sessions
        else None
        for middle, sessions, values, least, most in zip(
            *(column.tolist() for column in columns_of), strict=True
        )
    ]


def _known(number: float) -> float | None:
    return number if math.isfinite(number) else None

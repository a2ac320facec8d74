"""Which test a row gets, and the rows that are not tested by the moderated t.

`paired` is chosen by itself where it can be: rows of the default method that head and
baseline measured in at least `MIN_ROUNDS` common rounds are tested on their pairs,
since whatever a machine does for a whole round is then no noise at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gitbench.compare.cells import Grid
from gitbench.compare.table import Table
from gitbench.stats.moderated import Change
from gitbench.stats.rows import median, row_means
from gitbench.stats.step import Levels, find_levels

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]

DEFAULT = "moderated-t"
PAIRED = "paired"


@dataclass(frozen=True, slots=True)
class Tested:
    """Rows that were tested by another method than the default; all (m,)."""

    change: Change
    reasons: list[str | None]
    """Why a row could not be tested, as a reason code."""
    lacking: Ints
    """Sessions, or rounds, that it lacks; 0 where it does not or none would do."""
    head: Floats
    """Center of head on the scale of the test."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How numbers of some rows are brought to the scale of the tests."""

    index: Ints
    """Places of the rows in the table."""
    sign: float
    unit: Floats
    linear: bool

    def centers(self, grid: Grid) -> Floats:
        """The centers of a grid, oriented so that greater is worse; (m, columns)."""
        found = (grid.center if self.linear else grid.log_center)[self.index]
        oriented: Floats = self.sign * found / self.unit[:, None]
        return oriented


def choose_methods(table: Table, wanted: list[str]) -> list[str]:
    """The method of each row of the table, given what its rule or the settings say."""
    if table.rounds is None or DEFAULT not in wanted:
        return wanted
    from gitbench.stats.pairs import MIN_ROUNDS, count_pairs

    grid = table.rounds.grid
    rounds = count_pairs(grid.center[:, grid.heads :], grid.center[:, : grid.heads])
    return [
        PAIRED if method == DEFAULT and count >= MIN_ROUNDS else method
        for method, count in zip(wanted, rounds.tolist(), strict=True)
    ]


def apply_method(
    method: str, table: Table, scale: Scale, least: Floats, alpha: float
) -> Tested:
    """Test rows by `method`, which is not the default one.

    `least` (m,) is the smallest step that cuts the window of a row.
    """
    centers = scale.centers(table.grid)
    head, window = centers[:, : table.grid.heads], centers[:, table.grid.heads :]
    if method == PAIRED:
        return _test_pairs(table, scale, head, window, least, alpha)
    from gitbench.stats.methods import compare_groups

    change, lack = compare_groups(method, window, head, least, alpha)
    reasons: list[str | None] = []
    for sessions, base, more in zip(
        change.levels.sessions.tolist(),
        lack.window.tolist(),
        lack.head.tolist(),
        strict=True,
    ):
        few = "one-session" if sessions == 1 else "few-sessions"
        reasons.append(few if base else "few-head-sessions" if more else None)
    lacking = np.where(lack.window > 0, lack.window, np.maximum(lack.head, 0))
    middle = row_means(head) if method == "welch" else median(head, axis=1)
    return Tested(change, reasons, lacking, middle)


def _test_pairs(
    table: Table,
    scale: Scale,
    head: Floats,
    window: Floats,
    least: Floats,
    alpha: float,
) -> Tested:
    """Test the pairs of rows; those with too few get what the sessions say, so that a
    gross change is told."""
    from gitbench.stats.pairs import MIN_ROUNDS, compare_pairs, count_pairs

    rows = len(head)
    bases = heads = np.full((rows, 1), np.nan)
    session = np.zeros(1, dtype=np.intp)
    if table.rounds is not None:
        rounds = scale.centers(table.rounds.grid)
        count = table.rounds.grid.heads
        heads, bases = rounds[:, :count], rounds[:, count:]
        session = table.rounds.session
    pairs = count_pairs(bases, heads)
    change = compare_pairs(bases, heads, session, alpha)
    few = pairs < MIN_ROUNDS
    middle = row_means(np.where(np.isnan(bases), np.nan, heads))
    if few.any():
        middle = np.where(few, row_means(head), middle)
        change = _without_pairs(change, few, find_levels(window, least), middle)
    reasons = ["few-rounds" if one else None for one in few.tolist()]
    return Tested(change, reasons, np.maximum(MIN_ROUNDS - pairs, 0), middle)


def _without_pairs(change: Change, few: Bools, levels: Levels, head: Floats) -> Change:
    """The change with the means of sessions, and no variance, in some rows."""
    known = change.levels
    mixed = {
        name: np.where(few, getattr(levels, name), getattr(known, name))
        for name in ("sessions", "newest", "center", "older", "variance", "df", "given")
    }
    return replace(
        change,
        levels=Levels(**mixed),
        delta=np.where(few, head - levels.center, change.delta),
        delta_older=np.where(few, head - levels.older, change.delta_older),
        variance=np.where(few, 0.0, change.variance),
        p_worse=np.where(few, 0.5, change.p_worse),
        half_width=np.where(few, 0.0, change.half_width),
    )

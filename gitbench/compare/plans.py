"""Runs that find a change, for rows whose noise was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gitbench.compare.noise import RowNoise
from gitbench.stats.planning import runs_per_side, runs_to_be_red


@dataclass(frozen=True, slots=True)
class Plan:
    """Runs a side for one change at one noise; None where no number is enough."""

    alone: int | None
    """To tell the change from noise, this being the only row."""
    among: int | None
    """The same, corrected for all the rows of the comparison."""
    red: int | None
    """To be called regressed: significant, and beyond the row's limit."""


def plan(
    row: RowNoise, change: float, *, power: float, alpha: float, level: float
) -> Plan | None:
    """Runs a side that find a change (a fraction) in one row; None where the row's
    noise is unknown or no ratio.  `level` is what the correction leaves of `alpha`."""
    if row.linear or not row.own_df or not math.isfinite(row.limit):
        return None
    log = math.log1p(change)
    return Plan(
        runs_per_side(row.noise, log, alpha=alpha, power=power),
        runs_per_side(row.noise, log, alpha=level, power=power),
        runs_to_be_red(row.noise, log, row.limit, alpha=level, power=power),
    )


def runs_for(spread: float, change: float, *, power: float, alpha: float) -> int | None:
    """Runs a side that find a change (a fraction) at a noise that is given."""
    return runs_per_side(spread, math.log1p(change), alpha=alpha, power=power)

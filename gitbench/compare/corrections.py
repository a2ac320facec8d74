"""One correction over all tests of a report, and what it leaves to be seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gitbench.compare.families import Family, limits_of
from gitbench.stats.auto import auto_threshold
from gitbench.stats.moderated import SUITE_PRIOR, Change
from gitbench.stats.multiple import adjust, lone_level, rejection_level, weights
from gitbench.stats.power import detectable, sessions_needed

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Multiplicity:
    """The tests of a report that are corrected as one."""

    tests: int
    whole: int
    """Those among them that speak of a whole suite: shifts, and outcomes of tasks."""
    correction: str = "fdr_bh"

    @property
    def weights(self) -> tuple[float, float]:
        """Weights of rows and of whole suites, whose mean over all tests is 1.

        They are argued for the false discovery rate only; without that all are alike.
        """
        if self.correction != "fdr_bh":
            return 1.0, 1.0
        return weights(self.tests - self.whole, self.whole)

    def row_level(self, alpha: float) -> float:
        """The p-value that a single changed row needs."""
        level = lone_level(alpha, self.tests, self.correction)
        return min(level * self.weights[0], alpha)


class Tests(Protocol):
    """Tests of another kind that belong to the report's family."""

    @property
    def whole(self) -> bool:
        """Whether they speak of a whole suite, as a shift does."""

    @property
    def p_worse(self) -> Floats:
        """One-sided p-values, (n,)."""

    @property
    def p_better(self) -> Floats:
        """The same for better."""

    def settle(self, worse: Floats, better: Floats, level: float) -> None:
        """Take the adjusted p-values, and what one more row would need."""


def correct(
    families: Sequence[Family],
    alpha: float,
    correction: str = "fdr_bh",
    others: Sequence[Tests] = (),
) -> Multiplicity:
    """Correct the p-values of all families of a report as one.

    Worse and better are two families of tests.  Shifts of suites, and `others` that
    speak of a whole suite, have a part of alpha of their own.
    """
    shifts = [family.procedure.suite for family in families]
    suites = [shift for shift in shifts if shift is not None]
    rows = sum(int(np.count_nonzero(family.member)) for family in families)
    whole = len(suites) + sum(one.p_worse.size for one in others if one.whole)
    total = rows + len(suites) + sum(one.p_worse.size for one in others)
    tested = Multiplicity(total, whole, correction)
    worse = _over_weights(
        [family.change.p_worse[family.member] for family in families],
        [suite.p_worse for suite in suites],
        [(one.p_worse, one.whole) for one in others],
        tested,
    )
    better = _over_weights(
        [family.change.p_better[family.member] for family in families],
        [suite.p_better for suite in suites],
        [(one.p_better, one.whole) for one in others],
        tested,
    )
    adjusted_worse = adjust(worse, correction).tolist()
    adjusted_better = adjust(better, correction).tolist()
    place = 0
    for family in families:
        number = int(np.count_nonzero(family.member))
        family.adjusted_worse = family.change.p_worse.copy()
        family.adjusted_better = family.change.p_better.copy()
        family.adjusted_worse[family.member] = adjusted_worse[place : place + number]
        family.adjusted_better[family.member] = adjusted_better[place : place + number]
        place += number
    for family, shift in zip(families, shifts, strict=True):
        if shift is not None:
            family.suite_worse = adjusted_worse[place]
            family.suite_better = adjusted_better[place]
            place += 1
    level = rejection_level(worse, alpha, correction=correction) * tested.weights[0]
    level = min(level, alpha)
    for family in families:
        _set_auto(family, tested.row_level(alpha), alpha)
        _look_out(family, level, alpha)
    for one in others:
        end = place + one.p_worse.size
        one.settle(
            np.array(adjusted_worse[place:end]),
            np.array(adjusted_better[place:end]),
            level,
        )
        place = end
    return tested


def _look_out(family: Family, level: float, alpha: float) -> None:
    """Find out what more measuring would do for each row."""
    outlook = sessions_needed(family.change, family.worse, family.better, level, alpha)
    strong = np.array([reason is None for reason in family.weak])
    sessions = np.where(strong, outlook.sessions, family.lacking)
    family.outlook = replace(outlook, sessions=sessions)


def _over_weights(
    rows: list[Floats],
    suites: list[Floats],
    others: list[tuple[Floats, bool]],
    tested: Multiplicity,
) -> Floats:
    """p-values of all tests of a report over their weights."""
    of_row, of_suite = tested.weights
    parts = [p / of_row for p in rows] + [p / of_suite for p in suites]
    parts += [p / (of_suite if whole else of_row) for p, whole in others]
    return np.concatenate(parts) if parts else np.empty(0)


def _set_auto(family: Family, level: float, alpha: float) -> None:
    """Put the limits that follow from noise in the place of the fixed ones."""
    suite = family.procedure.suite
    if suite is not None and family.suite_auto:
        limit = _auto(suite, SUITE_PRIOR.df, level, alpha)
        family.suite_limit = float(np.log1p(limit[0]))
    if not family.auto.any():
        return
    found = _auto(family.change, family.procedure.prior.df, level, alpha)
    family.auto &= ~np.isnan(found)
    family.threshold = np.where(family.auto, np.log1p(found), family.threshold)
    family.worse, family.better = limits_of(
        family.limits,
        family.base,
        family.threshold,
        family.scale,
        family.sign,
        family.linear,
    )


def count_fixed(family: Family) -> int:
    """Rows that should have a limit by their noise, which is not known."""
    wanted = sum(one.auto for one in family.limits)
    return 0 if family.linear else wanted - int(np.count_nonzero(family.auto))


def _auto(change: Change, prior_df: float, level: float, alpha: float) -> Floats:
    levels = change.levels
    return auto_threshold(
        change.base_variance,
        levels.df + prior_df,
        levels.newest.astype(np.float64),
        level,
        alpha,
    )


def sensitivity(
    families: Sequence[Family], alpha: float, tested: Multiplicity
) -> tuple[float, float] | None:
    """Smallest change that the gate can see in half, and nine of ten, of the rows
    that are tested on logs; as a factor minus 1 in the bad direction."""
    level = tested.row_level(alpha)
    found = [
        detectable(family.change, family.worse, level)[family.member]
        for family in families
        if not family.linear
    ]
    logs = np.sort(np.concatenate(found)) if found else np.empty(0)
    if not logs.size:
        return None
    with np.errstate(over="ignore"):
        sizes = np.expm1(logs)
    half, most = (sizes[int(np.ceil(q * sizes.size)) - 1] for q in (0.5, 0.9))
    return (float(half), float(most)) if np.isfinite(most) else None


def out_of_reach(families: Sequence[Family], level: float) -> Iterator[str]:
    """Where ranks of so few sessions cannot find a single changed row."""
    for family in families:
        floor = family.change.floor
        if floor is None:
            continue
        blind = family.member & (floor >= level)
        if blind.any():
            yield (
                f"In {np.count_nonzero(blind)} of {len(family.rows)} rows of "
                f"{family.rows[0].metric.name} a single change however large stays "
                f"undecided: {family.method} on so few sessions has p = "
                f"{floor[blind].min():.2g} at best, and among all the rows tested "
                f"together it would take {level:.2g}."
            )

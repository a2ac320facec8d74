"""Rows with their numbers -> comparisons with their verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from gitbench.compare.changes import finite as _finite
from gitbench.compare.changes import interval as _interval
from gitbench.compare.changes import own as _own
from gitbench.compare.cuts import warn_of_steps
from gitbench.compare.families import Family
from gitbench.compare.rules import Limits
from gitbench.compare.sides import Sides
from gitbench.compare.table import Row, supported
from gitbench.compare.verdicts import (
    Decision,
    Numbers,
    Suite,
    decide,
    decide_exact,
    is_accepted,
    without_direction,
)
from gitbench.model import (
    REASONS,
    Better,
    Comparison,
    Metric,
    Shift,
    SideSummary,
    Status,
    Verdict,
)
from gitbench.stats.moderated import Change


@dataclass(frozen=True, slots=True)
class Context:
    """What the rows of one group share."""

    group: int
    alpha: float
    sides: Sides


# ------------------------------------------------------- rows settled without a test


def settle(
    row: Row,
    limits: Limits,
    *,
    heads: int,
    measured: bool,
    has_baseline: bool,
    broken: bool,
) -> Decision | None:
    """The verdict of a row that needs no test; None if it has to be compared.

    `heads`: sessions of head; `measured`: head has values of the benchmark, in this or
    another metric; `broken`: the row has numbers beyond the range of floats.
    """
    if row.status is Status.FAILED:
        return Verdict.FAILED, "failed-in-head"
    if not row.head:
        if limits.required_row or (limits.required and not measured):
            return Verdict.FAILED, "required-missing"
        skipped = row.status is Status.SKIPPED
        return Verdict.MISSING, "skipped-in-head" if skipped else None
    if not row.window:
        if row.closed is not None:
            return Verdict.INCOMPARABLE, row.closed
        if row.failed_in_base:
            return Verdict.INCOMPARABLE, "failed-in-base"
        return Verdict.NEW, None if has_baseline else "no-baseline"
    if not supported(row, heads):
        return Verdict.INCOMPARABLE, "unsupported-kind"
    if broken:
        return Verdict.INCOMPARABLE, "out-of-range"
    return None


def write_settled(
    row: Row, limits: Limits, decision: Decision, context: Context
) -> Comparison:
    """The comparison of a row that was settled without a test."""
    verdict, reason = decision
    head = context.sides.head[row.number]
    inside_budget = (
        limits.max is not None
        and verdict is Verdict.NEW
        and head is not None
        and head.center is not None
    )
    result = comparison(
        row,
        limits,
        context,
        verdict=verdict,
        reason=reason,
        note=row.message if row.status is not Status.OK else None,
        method="budget" if inside_budget else None,
    )
    if reason == "required-missing":
        result = replace(result, gated=True)
    return over_budget(result, limits)


# -------------------------------------------------------------------- exact metrics


def write_exact(row: Row, limits: Limits, context: Context) -> Comparison:
    """The comparison of a deterministic count, at one session a side."""
    base, b_low, b_high = _extent(context.sides.base[row.number])
    head, h_low, h_high = _extent(context.sides.head[row.number])
    better = row.metric.better
    sign = -1.0 if better is Better.HIGHER else 1.0
    decision = decide_exact(
        (base, b_low, b_high), (head, h_low, h_high), better, limits
    )
    worse_by = _exact_worse_by(base, head, sign)
    note = None
    if worse_by > 0 and is_accepted(decision, worse_by, limits):
        decision, note = (Verdict.ACCEPTED, None), accept_reason(limits)
    for side, low, high in (("base", b_low, b_high), ("head", h_low, h_high)):
        if low != high:
            row.warnings.append(
                f"repeats of this exact metric differ in {side}: {low:.17g} to "
                f"{high:.17g}"
            )
    change = _finite(head / base - 1) if base > 0 else (0.0 if head == base else None)
    result = comparison(
        row,
        limits,
        context,
        verdict=decision[0],
        reason=decision[1],
        note=note,
        method="exact",
        change=change,
        change_adjusted=change,
        limit=_own(math.log1p(limits.threshold), sign) if base > 0 else None,
        amber=limits.warn is not None
        and decision[0] not in (Verdict.REGRESSED, Verdict.ACCEPTED)
        and better is not Better.NONE
        and worse_by > math.log1p(limits.warn)
        and abs(head - base) > limits.min_change,
    )
    return over_budget(result, limits)


def _extent(side: SideSummary | None) -> tuple[float, float, float]:
    """Center, lowest and highest value of a side that has a center."""
    if side is None or side.center is None:
        return math.nan, math.nan, math.nan
    if side.low is None or side.high is None:
        return side.center, side.center, side.center
    return side.center, side.low, side.high


def _exact_worse_by(base: float, head: float, sign: float) -> float:
    """The change as a log in the bad direction; infinite from or to zero."""
    if base > 0 and head > 0:
        return sign * (math.log(head) - math.log(base))
    return 0.0 if head == base else math.copysign(math.inf, sign * (head - base))


# --------------------------------------------------------------------- tested rows

_COUNTED = ("noise", "one-session", "few-sessions", "few-head-sessions", "few-rounds")
"""Reasons that further sessions would take away."""


def write_family(family: Family, context: Context) -> Iterator[Comparison]:
    """The comparisons of the rows of one family, its p-values corrected."""
    suite = _suite(family, context.alpha)
    change = family.change
    columns = zip(
        family.rows,
        family.limits,
        family.weak,
        family.member.tolist(),
        family.gross.tolist(),
        family.outlook.sessions.tolist(),
        family.outlook.of_baseline.tolist(),
        zip(change.p_worse.tolist(), change.p_better.tolist(), strict=True),
        family.scale.tolist(),
        family.auto.tolist(),
        _numbers(family),
        strict=True,
    )
    warn_of_steps(family)
    for (
        row,
        limits,
        weak,
        member,
        gross,
        needed,
        of_base,
        p,
        scale,
        auto,
        numbers,
    ) in columns:
        base = context.sides.base[row.number]
        if weak is None:
            decision = _decide(family, numbers, context.alpha, suite)
            if decision[1] == "noise":
                decision = decision[0], _which_noise(needed, of_base)
        else:
            decision = _decide_weak(family, numbers, gross, weak)
        note = None
        with_suite = weak is not None or decision[1] == "moved-with-suite"
        worse_by = numbers.raw if with_suite else numbers.delta
        if worse_by > numbers.worse and is_accepted(decision, worse_by, limits):
            decision, note = (Verdict.ACCEPTED, None), accept_reason(limits)
        result = comparison(
            row,
            limits,
            context,
            verdict=decision[0],
            reason=decision[1],
            note=note,
            weak=weak is not None,
            **_changes(family, numbers, context.sides, row, scale),
            **_tested(family, numbers, p, member, base, scale) if weak is None else {},
            method="gross" if weak else family.test,
            amber=weak is None
            and _is_amber(family, numbers, limits, decision, context),
            sessions_needed=(needed or None) if decision[1] in _COUNTED else None,
        )
        if auto:
            effective = round(math.expm1(numbers.threshold), 6)
            result = replace(result, threshold=effective, threshold_auto=True)
        yield over_budget(result, limits)


def _which_noise(needed: int, of_baseline: bool) -> str:
    """Why a row is not decided, by what would decide it."""
    if needed:
        return "noise"
    return "noise-of-baseline" if of_baseline else "near-threshold"


def _numbers(family: Family) -> Iterator[Numbers]:
    change = family.change
    levels = change.levels
    columns = (
        change.delta,
        change.delta_older,
        family.raw,
        change.half_width,
        change.variance > 0,
        family.adjusted_worse,
        family.adjusted_better,
        family.worse,
        family.better,
        family.threshold,
        (levels.newest == 1) & (levels.sessions > 1) & ~levels.given,
        change.below,
    )
    for values in zip(*(column.tolist() for column in columns), strict=True):
        yield Numbers(*values)


def _decide(
    family: Family, numbers: Numbers, alpha: float, suite: Suite | None
) -> Decision:
    if family.linear and math.isinf(numbers.worse):
        if not numbers.spread and numbers.delta == 0:
            return Verdict.UNCHANGED, None
        return Verdict.INCONCLUSIVE, "not-positive"
    if family.rows[0].metric.better is Better.NONE:
        return without_direction(numbers)
    return decide(numbers, alpha, suite)


def _decide_weak(family: Family, numbers: Numbers, gross: int, weak: str) -> Decision:
    """A row without known noise: only a gross change is believed."""
    if family.rows[0].metric.better is Better.NONE:
        return Verdict.INCONCLUSIVE, "no-direction"
    if gross > 0 and numbers.raw > numbers.worse:
        return Verdict.REGRESSED, None
    if gross < 0 and numbers.raw < -numbers.better:
        return Verdict.IMPROVED, None
    return Verdict.INCONCLUSIVE, weak


def _is_amber(
    family: Family,
    numbers: Numbers,
    limits: Limits,
    decision: Decision,
    context: Context,
) -> bool:
    """A significant change beyond `warn` and min_change that is not red."""
    if limits.warn is None or family.rows[0].metric.better is Better.NONE:
        return False
    least = numbers.worse if numbers.worse > numbers.threshold else 0.0
    return (
        decision[0] not in (Verdict.REGRESSED, Verdict.ACCEPTED)
        and not family.linear
        and numbers.adjusted_worse < context.alpha
        and numbers.delta > max(math.log1p(limits.warn), least)
    )


def _changes(
    family: Family, numbers: Numbers, sides: Sides, row: Row, scale: float
) -> dict[str, float | None]:
    """The change, without the suite's shift too, and the limit."""
    head, base = sides.head[row.number], sides.base[row.number]
    h = head.center if head else None
    b = base.center if base else None
    if h is None or b is None:
        return {}
    change = _finite(h / b - 1) if b > 0 else None
    if family.linear:
        limit = _finite(family.sign * numbers.worse * scale / b) if b > 0 else None
        return {"change": change, "change_adjusted": change, "limit": limit}
    adjusted = _own(numbers.delta, family.sign)
    return {
        "change": change,
        "change_adjusted": change if numbers.raw == numbers.delta else adjusted,
        "limit": _own(numbers.worse, family.sign),
    }


def _tested(
    family: Family,
    numbers: Numbers,
    p: tuple[float, float],
    member: bool,
    base: SideSummary | None,
    scale: float,
) -> dict[str, object]:
    """p-values in the direction in which the row moved, and the interval.

    `p` is for worse and for better; of a continuous test they add up to 1.
    """
    if not numbers.spread:
        return {}
    down = numbers.delta < 0
    adjusted = numbers.adjusted_better if down else numbers.adjusted_worse
    return {
        "p_value": p[down],
        "p_adjusted": adjusted if member else None,
        "interval": _linear_interval(family, numbers, base, scale)
        if family.linear
        else _interval(numbers.delta, numbers.half_width, family.sign, numbers.below),
    }


def _linear_interval(
    family: Family, numbers: Numbers, base: SideSummary | None, scale: float
) -> tuple[float, float] | None:
    """The interval as a share of a base above zero."""
    if base is None or base.center is None or base.center <= 0:
        return None
    ends = (
        _finite(family.sign * (numbers.delta + way) * scale / base.center)
        for way in (-numbers.below, numbers.half_width)
    )
    low, high = ends if family.sign > 0 else reversed(tuple(ends))
    return None if low is None or high is None else (low, high)


# --------------------------------------------------------------------------- suites


def write_shift(family: Family, alpha: float) -> Shift | None:
    """The suite's shift; None where the suite is too small to have one."""
    found = family.procedure.suite
    if found is None:
        return None
    verdict, reason = _decide_suite(family, found, alpha)
    delta, p_worse = float(found.delta[0]), float(found.p_worse[0])
    down = delta < 0
    return Shift(
        metric=family.rows[0].metric.name,
        rows=family.fitted,
        change=_own(delta, family.sign) or 0.0,
        interval=_interval(delta, float(found.half_width[0]), family.sign),
        p_value=1 - p_worse if down else p_worse,
        p_adjusted=family.suite_better if down else family.suite_worse,
        verdict=verdict,
        reason=reason,
    )


def _decide_suite(family: Family, found: Change, alpha: float) -> Decision:
    """The suite's own verdict; accepted if that holds for each of its rows."""
    levels, delta = found.levels, float(found.delta[0])
    decision = decide(
        Numbers(
            delta=delta,
            delta_older=float(found.delta_older[0]),
            raw=delta,
            half_width=float(found.half_width[0]),
            spread=bool(found.variance[0] > 0),
            adjusted_worse=family.suite_worse,
            adjusted_better=family.suite_better,
            worse=family.suite_limit,
            better=family.suite_limit,
            threshold=family.suite_limit,
            single=bool(
                levels.newest[0] == 1 and levels.sessions[0] > 1 and not levels.given[0]
            ),
        ),
        alpha,
    )
    if decision[0] is Verdict.REGRESSED and delta <= family.suite_accepted:
        return Verdict.ACCEPTED, None
    return decision


def _suite(family: Family, alpha: float) -> Suite | None:
    found = family.procedure.suite
    if found is None:
        return None
    return Suite(
        _decide_suite(family, found, alpha)[0],
        faster=bool(found.delta[0] < 0 and 1 - found.p_worse[0] < alpha),
    )


# -------------------------------------------------------------------------- helpers


def comparison(row: Row, limits: Limits, context: Context, **fields: Any) -> Comparison:
    metric = row.metric
    if row.base_unit and metric.unit != row.base_unit:
        metric = Metric(metric.name, row.base_unit, metric.better, metric.kind)
    return Comparison(
        group=context.group,
        benchmark=row.benchmark,
        metric=metric,
        threshold=limits.threshold,
        base=context.sides.base[row.number],
        head=context.sides.head[row.number],
        gated=limits.gate and metric.better is not Better.NONE,
        warnings=_warnings(row),
        **fields,
    )


def _warnings(row: Row) -> tuple[str, ...]:
    """What has to be said of a row besides its verdict."""
    found = list(dict.fromkeys(row.warnings))
    if row.other_failures:
        other = " other" if row.status is Status.FAILED else ""
        times = "run" if row.other_failures == 1 else "runs"
        found.append(f"failed in {row.other_failures}{other} {times} of head")
    if row.status is Status.FAILED and row.failed_in_base:
        found.append("failed in the baseline too")
    if row.window and row.closed is not None:
        found.append(
            f"older sessions of the window are left out: {REASONS[row.closed]}"
        )
    return tuple(found)


def over_budget(result: Comparison, limits: Limits) -> Comparison:
    """The same, failed if head's center is over an absolute budget."""
    center = result.head.center if result.head else None
    if limits.max is None or center is None or center <= limits.max:
        return result
    if result.verdict is Verdict.FAILED:
        return result
    return replace(
        result,
        verdict=Verdict.FAILED,
        reason="over-max",
        method="budget",
        amber=False,
        # A budget needs no direction, so it holds where nobody knows one.
        gated=limits.gate,
    )


def accept_reason(limits: Limits) -> str | None:
    return limits.accept.reason if limits.accept else None

"""From verdicts on rows to verdicts on groups, an order, and an exit code."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from gitbench.model import (
    SEVERITY,
    Comparison,
    Group,
    Outcomes,
    Settings,
    Shift,
    Verdict,
)

OK, FAILED, NOTHING_COMPARED = 0, 1, 3


def was_compared(row: Comparison) -> bool:
    """Whether a row was held against a baseline or a budget."""
    return row.verdict.compared or row.method == "budget"


def group_verdict(
    rows: Sequence[Comparison],
    shifts: Sequence[Shift],
    outcomes: Sequence[Outcomes] = (),
) -> Verdict:
    """The worst verdict of one group: of its gated rows, shifts and outcomes, if it
    has any."""
    if not any(was_compared(row) for row in rows):
        return Verdict.NOT_COMPARED
    gated = [row.verdict for row in rows if row.gated]
    gated += [shift.verdict for shift in shifts]
    gated += [one.verdict for one in outcomes]
    return _worst(gated or [row.verdict for row in rows])


def report_verdict(groups: Sequence[Group]) -> Verdict:
    """The worst verdict of a report; groups that were not compared tell nothing."""
    return _worst(
        group.verdict for group in groups if group.verdict is not Verdict.NOT_COMPARED
    )


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    return min(verdicts, key=SEVERITY.__getitem__, default=Verdict.NOT_COMPARED)


def gate(
    groups: Sequence[Group], comparisons: Sequence[Comparison], settings: Settings
) -> int:
    """Exit code: 1 if a gated row, a shift or the outcomes of a suite have a verdict
    that fails, 3 if nothing was compared and that is not to pass, else 0."""
    verdicts = {row.verdict for row in comparisons if row.gated}
    verdicts |= {shift.verdict for group in groups for shift in group.shifts}
    verdicts |= {one.verdict for group in groups for one in group.outcomes}
    verdicts |= {
        group.verdict for group in groups if group.verdict is Verdict.NOT_COMPARED
    }
    if verdicts.intersection(settings.fail_on):
        return FAILED
    if not any(was_compared(row) for row in comparisons):
        return OK if settings.on_no_baseline == "pass" else NOTHING_COMPARED
    return OK


def worst_first(rows: Iterable[Comparison]) -> tuple[Comparison, ...]:
    """Rows by severity, then by the size of the change, then by name."""
    return tuple(sorted(rows, key=_place))


def _place(row: Comparison) -> tuple[int, float, str, str, int]:
    change = row.change if row.change_adjusted is None else row.change_adjusted
    size = 0.0
    if change is not None:
        size = abs(math.log1p(change)) if change > -1 else math.inf
    elif row.difference is not None:
        size = abs(row.difference)
    elif row.reason == "not-positive":
        size = math.inf
    return (
        SEVERITY[row.verdict],
        -size,
        row.benchmark.label,
        row.metric.name,
        row.group,
    )


def count_verdicts(rows: Iterable[Comparison]) -> tuple[tuple[Verdict, int], ...]:
    """Number of rows of each verdict a row can have, worst first."""
    found = Counter(row.verdict for row in rows)
    return tuple(
        (verdict, found[verdict])
        for verdict in Verdict
        if verdict is not Verdict.NOT_COMPARED
    )

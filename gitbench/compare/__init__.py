"""Runs of two sides -> a report: pairs rows, tests them, gives verdicts.

Owns the meaning of a verdict; `gitbench.stats` owns the numbers.  Sees neither git
nor files: `gitbench.baseline` says which runs are the two sides.

    read_table      runs -> rows by sessions
    build_families  rows that are tested together, and their numbers
    correct         one correction over all gated rows of the report
    write_*         numbers -> verdicts
    gate            verdicts -> exit code
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gitbench.compare.cuts import forced_cuts
from gitbench.compare.families import Family, build_families, correct, sensitivity
from gitbench.compare.outcome import (
    FAILED,
    count_verdicts,
    gate,
    group_verdict,
    report_verdict,
    was_compared,
    worst_first,
)
from gitbench.compare.rows import (
    Context,
    settle,
    write_exact,
    write_family,
    write_settled,
    write_shift,
)
from gitbench.compare.rules import Limits, Rulebook, unmet
from gitbench.compare.sides import summarise_sides
from gitbench.compare.table import Row, read_table
from gitbench.compare.verdicts import Decision
from gitbench.model import (
    REASONS,
    Benchmark,
    Better,
    Comparison,
    Group,
    GroupSides,
    Kind,
    Metric,
    Report,
    Settings,
    Status,
    Verdict,
)

__all__ = ["compare", "gate"]


def compare(
    groups: Sequence[GroupSides],
    settings: Settings,
    *,
    head: str,
    base: str,
    warnings: Iterable[str] = (),
) -> Report:
    """Compare head's runs with their baselines, and say what follows.

    `head` and `base` are what was asked for, in the user's words.  Deterministic:
    the order of runs and of benchmarks does not matter.
    """
    parts = [_part(number, one, settings) for number, one in enumerate(groups)]
    families = [family for part in parts for family in part.families]
    tests = correct(families, settings.alpha)
    written = [(part, list(_comparisons(part))) for part in parts]
    missing = unmet(settings.required, [b for part in parts for b in part.measured])
    if written:
        told = [r.benchmark for _, rows in written for r in rows if _is_failed(r)]
        written[0][1].extend(map(_unmet, unmet(missing, told)))
    shown = tuple(_group(part, rows, tests) for part, rows in written)
    rows = worst_first(row for _, some in written for row in some)
    verdict, code = report_verdict(shown), gate(shown, rows, settings)
    reason = _reason(shown, rows)
    if missing and not written:
        verdict = Verdict.FAILED
        code = FAILED if verdict in settings.fail_on else code
        reason = f"Head has no results, and {', '.join(missing)} is required."
    return Report(
        verdict=verdict,
        exit_code=code,
        head=head,
        base=base,
        settings=settings,
        groups=shown,
        comparisons=rows,
        warnings=tuple(warnings),
        reason=reason,
        counts=count_verdicts(rows),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """One suite on one testbed on its way into the report."""

    given: GroupSides
    context: Context
    families: list[Family]
    exact: list[tuple[Row, Limits]]
    settled: list[tuple[Row, Limits, Decision]]
    measured: frozenset[Benchmark]
    """Benchmarks of which head has values."""
    skipped: int
    """Rows that head skipped and the baseline does not have."""


def _part(number: int, given: GroupSides, settings: Settings) -> _Part:
    """Read the runs of one group, and sort out which rows are to be tested."""
    table = read_table(given)
    rulebook = Rulebook(settings, given.suite)
    measured = frozenset(row.benchmark for row in table.rows if row.head)
    broken = table.grid.broken.tolist()
    settled: list[tuple[Row, Limits, Decision]] = []
    exact: list[tuple[Row, Limits]] = []
    tested: list[tuple[Row, Limits]] = []
    skipped = 0
    for row in table.rows:
        limits = rulebook.limits(row.benchmark, row.metric.name, row.metric.kind)
        if not row.window and row.status is Status.SKIPPED and not limits.required:
            skipped += 1
            continue
        decision = settle(
            row,
            limits,
            measured=row.benchmark in measured,
            has_baseline=given.baseline is not None,
            broken=broken[row.number],
        )
        if decision is not None:
            settled.append((row, limits, decision))
        elif row.metric.kind is Kind.EXACT:
            exact.append((row, limits))
        else:
            tested.append((row, limits))
    landed = given.baseline.landed if given.baseline else ()
    cuts = forced_cuts(table, landed)
    families = build_families(table, tested, settings.alpha, settings.weak, cuts)
    sides = summarise_sides(table, families)
    context = Context(number, settings.alpha, sides)
    return _Part(given, context, families, exact, settled, measured, skipped)


def _comparisons(part: _Part) -> Iterator[Comparison]:
    """All rows of one group, its p-values corrected."""
    for row, limits, decision in part.settled:
        yield write_settled(row, limits, decision, part.context)
    for row, limits in part.exact:
        yield write_exact(row, limits, part.context)
    for family in part.families:
        yield from write_family(family, part.context)


def _group(part: _Part, rows: Sequence[Comparison], tests: int) -> Group:
    alpha = part.context.alpha
    shifts = [write_shift(family, alpha) for family in part.families]
    known = tuple(shift for shift in shifts if shift is not None)
    verdict = group_verdict(rows, known)
    given = part.given
    reason = None
    if given.baseline is None:
        reason = given.reason or "There is no baseline to compare with."
    elif verdict is Verdict.NOT_COMPARED:
        reason = given.reason or _why_nothing(rows)
    return Group(
        id=part.context.group,
        suite=given.suite,
        testbed=given.testbed,
        verdict=verdict,
        head=given.head,
        baseline=given.baseline,
        reason=reason,
        shifts=known,
        sensitivity=sensitivity(part.families, alpha, tests),
        warnings=(*given.warnings, *_group_warnings(part, rows)),
    )


def _why_nothing(rows: Sequence[Comparison]) -> str:
    """Why no row of a group with a baseline was compared, in one sentence."""
    if not rows:
        return "Head has no values to compare."
    found = Counter(
        row.verdict.value + (f" ({REASONS[row.reason]})" if row.reason else "")
        for row in rows
    )
    parts = [f"{count} {words}" for words, count in found.most_common(3)]
    if len(found) > 3:
        parts.append("others")
    return f"No row of head could be compared with the baseline: {', '.join(parts)}."


def _group_warnings(part: _Part, rows: Sequence[Comparison]) -> Iterator[str]:
    """What has to be said of a group as a whole."""
    if part.skipped:
        rows_are = "row was" if part.skipped == 1 else "rows were"
        yield (
            f"{part.skipped} {rows_are} skipped in head and not measured in the "
            "baseline; not shown."
        )
    single = sum(family.single_values for family in part.families)
    if single:
        tested = sum(len(family.rows) for family in part.families)
        yield (
            f"In {single} of {tested} rows head has one value a run, so its error "
            "inside the run is unknown and taken as zero."
        )
    if rows and not any(row.gated for row in rows):
        unknown = all(row.metric.better is Better.NONE for row in rows)
        because = ": which way is better is unknown of every metric" if unknown else ""
        yield f"No row of this group is gated{because}."


# ------------------------------------------------------- required, and the headline


def _is_failed(row: Comparison) -> bool:
    """Whether a row tells already that its benchmark has no values in head."""
    return row.verdict is Verdict.FAILED


def _unmet(glob: str) -> Comparison:
    """A row for a required glob that fits nothing head or the baseline has."""
    return Comparison(
        group=0,
        benchmark=Benchmark(glob),
        metric=Metric("required", "1", Better.NONE, Kind.COUNT),
        verdict=Verdict.FAILED,
        reason="required-missing",
        note="No measured benchmark fits this glob.",
    )


def _reason(groups: Sequence[Group], rows: Sequence[Comparison]) -> str | None:
    """Why nothing was compared at all; None if something was."""
    if any(was_compared(row) for row in rows):
        return None
    if not groups:
        return "Head has no results to compare."
    reasons = list(dict.fromkeys(group.reason for group in groups if group.reason))
    more = len(reasons) - 2
    text = " ".join(reasons[:2])
    return f"{text} ({more} more suites are like that.)" if more > 0 else text

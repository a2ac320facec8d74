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
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gitbench.compare.corrections import (
    Multiplicity,
    Tests,
    correct,
    count_fixed,
    out_of_reach,
    sensitivity,
)
from gitbench.compare.cuts import forced_cuts
from gitbench.compare.families import Family, build_families
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
from gitbench.compare.rules import Limits, Measured, Rulebook, unmet, unmet_rules
from gitbench.compare.sides import summarise_sides
from gitbench.compare.table import Row, Table, read_table
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
    Outcomes,
    Report,
    Rule,
    Settings,
    Status,
    Verdict,
)
from gitbench.units import format_duration

if TYPE_CHECKING:
    # Loaded where there are passes of trials: 5 ms of a hook that takes 100.
    from gitbench.compare.outcomes import OutcomesTest
    from gitbench.compare.proportions import Proportions

__all__ = ["Detail", "Part", "compare", "compare_in_detail", "gate"]


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
    return compare_in_detail(
        groups, settings, head=head, base=base, warnings=warnings
    ).report


def compare_in_detail(
    groups: Sequence[GroupSides],
    settings: Settings,
    *,
    head: str,
    base: str,
    warnings: Iterable[str] = (),
) -> Detail:
    """The same comparison with the numbers that led to it."""
    groups = [_young_enough(one, settings) for one in groups]
    parts = [_part(number, one, settings) for number, one in enumerate(groups)]
    families = [family for part in parts for family in part.families]
    others: list[Tests] = []
    for part in parts:
        others += [*part.proportions, *part.outcomes]
    tested = correct(families, settings.alpha, settings.correction, others)
    written = [(part, list(_comparisons(part))) for part in parts]
    missing = _missing(parts, settings)
    if written:
        told = [r for _, rows in written for r in rows if _is_failed(r)]
        written[0][1].extend(_unmet(missing, told))
    shown = tuple(_group(part, rows, tested) for part, rows in written)
    rows = worst_first(row for _, some in written for row in some)
    verdict, code = report_verdict(shown), gate(shown, rows, settings)
    reason = _reason(shown, rows)
    if missing and not written:
        verdict = Verdict.FAILED
        code = FAILED if verdict in settings.fail_on else code
        names = ", ".join(dict.fromkeys(name for name, _ in missing))
        reason = f"Head has no results, and {names} is required."
    report = Report(
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
    return Detail(report, tuple(parts), tested)


@dataclass(frozen=True, slots=True)
class Detail:
    """A report, and what it was made of: for those who ask why."""

    report: Report
    parts: tuple[Part, ...]
    """One a group of the report, in its order."""
    multiplicity: Multiplicity
    """The tests that p-values are corrected for."""

    @property
    def tests(self) -> int:
        """Their number."""
        return self.multiplicity.tests


@dataclass(frozen=True, slots=True)
class Part:
    """One suite on one testbed on its way into the report."""

    given: GroupSides
    table: Table
    context: Context
    families: list[Family]
    proportions: list[Proportions]
    outcomes: list[OutcomesTest]
    exact: list[tuple[Row, Limits]]
    settled: list[tuple[Row, Limits, Decision]]
    measured: frozenset[Benchmark]
    """Benchmarks of which head has values."""
    measured_rows: tuple[Measured, ...]
    skipped: int
    """Rows that head skipped and the baseline does not have."""


def _young_enough(given: GroupSides, settings: Settings) -> GroupSides:
    """The same without a baseline that is older than `max_age` allows."""
    baseline, most = given.baseline, settings.max_age_s
    age = baseline.age_s if baseline is not None else None
    if baseline is None or most is None or age is None or age <= most:
        return given
    return replace(
        given,
        baseline=None,
        reason=(
            f"The nearest commit with results of suite {given.suite!r} is "
            f"{baseline.commit[:12]}, over {format_duration(age)} older than head, and "
            f"max_age is {format_duration(most)}: record results of a newer commit of "
            "the base, branch off from it, or raise max_age (--max-age)."
        ),
    )


def _part(number: int, given: GroupSides, settings: Settings) -> Part:
    """Read the runs of one group, and sort out which rows are to be tested."""
    table = read_table(given)
    rulebook = Rulebook(settings, given.suite)
    measured = frozenset(row.benchmark for row in table.rows if row.head)
    broken = table.grid.broken.tolist()
    settled: list[tuple[Row, Limits, Decision]] = []
    exact: list[tuple[Row, Limits]] = []
    tested: list[tuple[Row, Limits]] = []
    counted: list[tuple[Row, Limits]] = []
    skipped = 0
    for row in table.rows:
        limits = rulebook.limits(row.benchmark, row.metric.name, row.metric.kind)
        if not row.window and row.status is Status.SKIPPED and not limits.required:
            skipped += 1
            continue
        decision = settle(
            row,
            limits,
            heads=table.grid.heads,
            measured=row.benchmark in measured,
            has_baseline=given.baseline is not None,
            broken=broken[row.number],
        )
        if decision is not None:
            settled.append((row, limits, decision))
        elif row.trials:
            counted.append((row, limits))
        elif row.metric.kind is Kind.EXACT:
            exact.append((row, limits))
        else:
            tested.append((row, limits))
    landed = given.baseline.landed if given.baseline else ()
    cuts = forced_cuts(table, landed)
    families = build_families(table, tested, settings.alpha, cuts)
    proportions, outcomes = _count(table, counted, settings.alpha)
    sides = summarise_sides(table, families)
    if proportions:
        from gitbench.compare.proportions import fill_sides

        fill_sides(sides, table, proportions)
    rows = tuple(
        (given.suite, row.benchmark, row.metric.name) for row in table.rows if row.head
    )
    return Part(
        given=given,
        table=table,
        context=Context(number, settings.alpha, sides),
        families=families,
        proportions=proportions,
        outcomes=outcomes,
        exact=exact,
        settled=settled,
        measured=measured,
        measured_rows=rows,
        skipped=skipped,
    )


def _count(
    table: Table, counted: list[tuple[Row, Limits]], alpha: float
) -> tuple[list[Proportions], list[OutcomesTest]]:
    """The tests of passes of trials: row by row, and all tasks of a suite together."""
    if not counted:
        return [], []
    from gitbench.compare.outcomes import current_columns, has_outcomes, pair_tasks
    from gitbench.compare.proportions import judge_rows, read_trials

    proportions, outcomes = [], []
    for trials in read_trials(table, counted):
        columns, together = current_columns(trials), has_outcomes(trials)
        proportions.append(judge_rows(trials, columns, alpha, together=together))
        if together:
            outcomes.append(pair_tasks(proportions[-1], columns, alpha))
    return proportions, outcomes


def _comparisons(part: Part) -> Iterator[Comparison]:
    """All rows of one group, its p-values corrected."""
    for row, limits, decision in part.settled:
        yield write_settled(row, limits, decision, part.context)
    for row, limits in part.exact:
        yield write_exact(row, limits, part.context)
    for family in part.families:
        yield from write_family(family, part.context)
    for one in part.proportions:
        from gitbench.compare.proportions import write_proportions

        yield from write_proportions(one, part.context)


def _group(part: Part, rows: Sequence[Comparison], tested: Multiplicity) -> Group:
    alpha = part.context.alpha
    shifts = [write_shift(family, alpha) for family in part.families]
    known = tuple(shift for shift in shifts if shift is not None)
    outcomes: tuple[Outcomes, ...] = ()
    if part.outcomes:
        from gitbench.compare.outcomes import write_outcomes

        outcomes = tuple(write_outcomes(one, alpha) for one in part.outcomes)
    verdict = group_verdict(rows, known, outcomes)
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
        outcomes=outcomes,
        sensitivity=sensitivity(part.families, alpha, tested),
        warnings=(
            *given.warnings,
            *_group_warnings(part, rows),
            *out_of_reach(part.families, tested.row_level(alpha)),
        ),
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


def _group_warnings(part: Part, rows: Sequence[Comparison]) -> Iterator[str]:
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
    fixed = sum(map(count_fixed, part.families))
    if fixed:
        rows_have = "row has" if fixed == 1 else "rows have"
        yield (
            f"{fixed} {rows_have} too few sessions for an automatic threshold; a fixed "
            "one holds there."
        )
    if rows and not part.outcomes and not any(row.gated for row in rows):
        unknown = all(row.metric.better is Better.NONE for row in rows)
        because = ": which way is better is unknown of every metric" if unknown else ""
        yield f"No row of this group is gated{because}."


# ------------------------------------------------------- required, and the headline


def _is_failed(row: Comparison) -> bool:
    """Whether a row tells already that its benchmark has no values in head."""
    return row.verdict is Verdict.FAILED


def _missing(parts: Sequence[Part], settings: Settings) -> list[tuple[str, str]]:
    """What is required and not measured: globs of benchmark and metric."""
    benchmarks = [one for part in parts for one in part.measured]
    rows = [one for part in parts for one in part.measured_rows]
    globs = [(glob, "*") for glob in unmet(settings.required, benchmarks)]
    rules = unmet_rules(settings.rules, rows)
    return list(dict.fromkeys(globs + [(one.benchmark, one.metric) for one in rules]))


def _unmet(
    missing: Sequence[tuple[str, str]], told: Sequence[Comparison]
) -> Iterator[Comparison]:
    """Rows for what is required and fits nothing that head or the baseline has."""
    for name, metric in missing:
        rule = Rule(name, metric, required=True)
        if unmet_rules([rule], [("", one.benchmark, one.metric.name) for one in told]):
            shown = "required" if metric == "*" else metric
            yield Comparison(
                group=0,
                benchmark=Benchmark(name),
                metric=Metric(shown, "1", Better.NONE, Kind.COUNT),
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

"""Which rows of a report are failures, skipped or fine for a reader of JUnit XML.

A case has only these outcomes, while a verdict has ten.  Failures are the rows that
make the gate fail; everything undecided, not compared or bad but not gated is
`skipped`, so that no viewer ticks it off as passed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gitbench.model import Kind, Verdict
from gitbench.report.escape import Phrase, Prose, Text, join, say
from gitbench.report.tasks import OutcomesView
from gitbench.report.view import GroupView, ReportView, Row, ShiftView

_FINE = (
    Verdict.ACCEPTED,
    Verdict.NO_REGRESSION,
    Verdict.UNCHANGED,
    Verdict.IMPROVED,
)


@dataclass(frozen=True, slots=True)
class Case:
    """One row, or the shift or the outcomes of a whole suite."""

    name: Text
    verdict: Prose
    outcome: str
    """`failure`, `skipped` or `fine`."""
    message: Phrase
    time: Prose | None = None
    """Center of head in seconds, of a duration only."""


@dataclass(frozen=True, slots=True)
class Suite:
    """One group."""

    name: Text
    classname: Text
    properties: tuple[tuple[Prose, Text], ...]
    cases: tuple[Case, ...]

    def count(self, outcome: str) -> int:
        """Number of cases with this outcome."""
        return sum(case.outcome == outcome for case in self.cases)


def junit_suites(view: ReportView) -> tuple[Suite, ...]:
    """The suites of a report; never without a case, since none looks like a pass."""
    names = Counter(group.suite for group in view.groups)
    suites = [
        _suite(view, group, names[group.suite] > 1)
        for group in sorted(view.groups, key=lambda one: one.group.id)
    ]
    if suites:
        return tuple(suites)
    name = Prose("gitbench")
    return (Suite(name, name, _properties(view), (_nothing(view, None),)),)


def _suite(view: ReportView, group: GroupView, several: bool) -> Suite:
    # GitLab keeps the first of two cases with the same class and name.
    whole = say("{suite} ({testbed})", suite=group.suite, testbed=group.testbed)
    cases = [_shift_case(shift) for shift in group.shifts]
    cases += [_outcomes_case(one) for one in group.outcomes]
    cases += [_row_case(row) for row in group.rows]
    properties = (*_properties(view), *_group_properties(group))
    if not cases:
        cases = [_nothing(view, group)]
    classname: Text = whole if several else group.suite
    return Suite(whole, classname, properties, tuple(cases))


def _properties(view: ReportView) -> tuple[tuple[Prose, Text], ...]:
    return (
        (Prose("verdict"), Prose(view.verdict)),
        (Prose("headline"), view.headline),
        (Prose("head"), view.report.head),
        (Prose("base"), view.base),
        *((Prose("accepted"), change) for change in view.accepted),
        *((Prose("next"), step) for step in view.next_steps),
        *((Prose("warning"), warning) for warning in view.warnings),
    )


def _group_properties(group: GroupView) -> Iterator[tuple[Prose, Text]]:
    yield Prose("testbed"), group.testbed
    yield Prose("head.runs"), Prose(len(group.group.head.runs))
    for warning in group.warnings:
        yield Prose("warning"), warning
    baseline = group.group.baseline
    if baseline is None:
        if group.nothing:
            yield Prose("baseline.missing"), group.nothing
        return
    yield Prose("baseline"), group.baseline or Phrase(())
    yield Prose("baseline.commit"), baseline.commit
    yield Prose("baseline.rule"), Prose(baseline.rule)
    yield Prose("baseline.distance"), Prose(baseline.distance)
    if baseline.age_s is not None:
        yield Prose("baseline.age_s"), Prose(baseline.age_s)
    yield Prose("baseline.window"), group.window or Phrase(())


def _row_case(row: Row) -> Case:
    comparison = row.comparison
    head = comparison.head.center if comparison.head else None
    timed = comparison.metric.kind is Kind.DURATION and comparison.metric.unit == "s"
    return Case(
        name=say("{row}: {metric}", row=row.benchmark, metric=row.metric),
        verdict=Prose(row.verdict),
        outcome=_outcome(comparison.verdict, row.fails),
        message=_row_message(row),
        time=Prose(f"{head:.9f}") if timed and head is not None else None,
    )


def _outcome(verdict: Verdict, fails: bool) -> str:
    if fails:
        return "failure"
    return "fine" if verdict in _FINE else "skipped"


def _row_message(row: Row) -> Phrase:
    """All the numbers of a row in one line."""
    parts = [say("{verdict}", verdict=Prose(row.verdict))]
    if row.detail:
        parts.append(row.detail)
    elif row.comparison.verdict is Verdict.ACCEPTED and row.comparison.note:
        parts.append(say("{reason}", reason=Prose(row.comparison.note)))
    elif row.reason:
        parts.append(say("{reason}", reason=row.reason))
    sides = say("base {base}, head {head}", base=row.base, head=row.head)
    fields = [("change", row.change), ("adjusted", row.adjusted)]
    if not row.differs:
        fields.pop()
    fields += [("interval", row.interval), ("limit", row.limit), ("p", row.p)]
    told = [say(name + " {x}", x=text) for name, text in fields if text != "–"]
    return join("; ", [join(": ", parts), join(", ", [sides, *told])])


def _shift_case(shift: ShiftView) -> Case:
    verdict = Verdict(shift.verdict)
    small = say(
        "the whole suite moved by {change}: {verdict}",
        change=shift.change,
        verdict=Prose(shift.verdict),
    )
    return Case(
        name=say("(whole suite): {metric}", metric=shift.metric),
        verdict=Prose(shift.verdict),
        outcome=_outcome(verdict, shift.fails),
        message=shift.words or small,
    )


def _outcomes_case(one: OutcomesView) -> Case:
    return Case(
        name=say("(all tasks): {metric}", metric=one.metric),
        verdict=Prose(one.verdict),
        outcome=_outcome(Verdict(one.verdict), one.fails),
        message=join("; ", [one.words, *one.lists]),
    )


def _nothing(view: ReportView, group: GroupView | None) -> Case:
    why = group.nothing if group and group.nothing else None
    steps = list(view.next_steps)
    if why:
        steps.insert(0, say("{why}", why=why))
    return Case(
        name=Prose("(nothing compared)"),
        verdict=Prose(Verdict.NOT_COMPARED.value),
        outcome="skipped",
        message=join(" ", [say("nothing was compared:"), *steps]),
    )

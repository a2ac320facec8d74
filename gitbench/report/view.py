"""A report as templates see it: sentences and cells, nothing left to compute.

Owns which rows are shown and which are folded to a count.  Every text in here is
a name, a `Prose` or a `Phrase` of `gitbench.report.escape`; the environment that
renders a template makes each safe in its own context.
"""

from __future__ import annotations

from dataclasses import dataclass

from gitbench.model import SEVERITY, Comparison, Group, Report, SideSummary, Verdict
from gitbench.report import methods, words
from gitbench.report.escape import Phrase, Prose, say
from gitbench.report.tasks import (
    OutcomesView,
    TaskView,
    build_tasks,
    outcome_views,
    split_tasks,
    task_metrics,
)
from gitbench.units import format_change, format_points, format_value

TONES = {
    Verdict.REGRESSED: "bad",
    Verdict.FAILED: "bad",
    Verdict.INCONCLUSIVE: "unsure",
    Verdict.INCOMPARABLE: "unsure",
    Verdict.MISSING: "unsure",
    Verdict.NOT_COMPARED: "unsure",
    Verdict.ACCEPTED: "note",
    Verdict.NEW: "note",
    Verdict.NO_REGRESSION: "calm",
    Verdict.UNCHANGED: "calm",
    Verdict.IMPROVED: "good",
}
"""How a verdict is coloured: `bad`, `unsure`, `note`, `calm` or `good`."""

COLUMNS = (
    "verdict",
    "benchmark",
    "metric",
    "base",
    "head",
    "change",
    "adjusted",
    "interval",
    "limit",
    "p",
)
"""Fields of `Row` in the order of a table's columns."""
_MOVED = ("moved-with-suite", "suite-shift")
"""Reasons of rows that the suite's shift tells all about: folded at once."""
_ALWAYS = (Verdict.REGRESSED, Verdict.FAILED)
_SHOWN = {Verdict.NEW: 5, Verdict.NO_REGRESSION: 0, Verdict.UNCHANGED: 0}
_MOST_TRIALS = 10_000
"""Trials from which on a rate is shown instead of its counts."""
_SHOWN_ELSE = 20
"""Rows of one verdict that are shown before the rest is folded to a count; those
of which something has to be said are shown up to this number in any case."""


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison, its numbers as text."""

    comparison: Comparison
    """The numbers themselves."""
    verdict: str
    tone: str
    fails: bool
    """This row makes the gate fail."""
    benchmark: str
    """Name and parameters."""
    metric: str
    base: Prose
    head: Prose
    change: Prose
    """The raw change; the difference in its unit where a ratio tells nothing."""
    adjusted: Prose
    """The change without the suite shift."""
    differs: bool
    """`change` and `adjusted` differ by more than a point: show both."""
    interval: Prose
    p: Prose
    limit: Prose
    """The limit as a change in the metric's own direction."""
    reason: Prose | None
    """Why the verdict, in words."""
    detail: Phrase | None
    """What has to be said of this row alone."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows of one verdict that are folded to a count."""

    verdict: str
    tone: str
    count: int
    more: bool
    """Other rows of this verdict are shown."""
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class ShiftView:
    """How a whole suite moved in one metric."""

    metric: str
    verdict: str
    tone: str
    fails: bool
    words: Phrase | None
    """None if it is too small for a word."""
    change: Prose


@dataclass(frozen=True, slots=True)
class GroupView:
    """One suite on one testbed."""

    group: Group
    suite: str
    testbed: str
    verdict: str
    tone: str
    headline: Phrase
    head: Phrase
    baseline: Phrase | None
    """Which commit, by which rule, how far, how old; None if there is none."""
    window: Phrase | None
    """The runs and sessions behind the baseline."""
    shifts: tuple[ShiftView, ...]
    outcomes: tuple[OutcomesView, ...]
    sees: Phrase | None
    """What this gate can see."""
    rows: tuple[Row, ...]
    """All rows, worst first."""
    shown: tuple[Row, ...]
    folds: tuple[Fold, ...]
    columns: tuple[str, ...]
    """Names of the fields of `Row` that tell something of these rows."""
    metrics: tuple[str, ...]
    """Metrics of a suite that is shown by benchmark, a column each; else empty."""
    tasks: tuple[TaskView, ...]
    """Its benchmarks, worst first; `shown` and `folds` are then not needed."""
    more_tasks: tuple[TaskView, ...]
    """Those that are folded to a count."""
    title: Phrase
    """Suite, testbed, and the metric if there is only one."""
    reasons: tuple[Phrase, ...]
    """Why rows were not decided or not compared."""
    weak: Phrase | None
    """What so few sessions can tell and what they cannot."""
    nothing: Prose | None
    """Why nothing was compared."""
    warnings: tuple[Prose, ...]


@dataclass(frozen=True, slots=True)
class ReportView:
    """A whole report, as templates see it."""

    report: Report
    verdict: str
    tone: str
    exit_code: int
    headline: Phrase
    gate: Phrase | None
    """What the verdicts mean for the exit code, where that is not plain."""
    head: str
    base: str
    counts: tuple[tuple[str, str, int], ...]
    """Verdict, tone and number of rows, worst first, zero left out."""
    groups: tuple[GroupView, ...]
    """Worst first."""
    accepted: tuple[Phrase, ...]
    """Accepted changes, with the reasons that were given."""
    next_steps: tuple[Phrase, ...]
    warnings: tuple[Prose, ...]
    legend: tuple[tuple[str, Phrase], ...]
    """Name of a row's field, and how to read it."""


def build_view(report: Report, all_rows: bool) -> ReportView:
    """Everything a template shows of `report`; `all_rows` folds none."""
    by_group: dict[int, list[Comparison]] = {group.id: [] for group in report.groups}
    for row in report.comparisons:
        by_group.setdefault(row.group, []).append(row)
    settings = report.settings
    counts = report.counts or words.count_rows(report.comparisons)
    groups = tuple(
        _group_view(group, by_group[group.id], report, all_rows)
        for group in sorted(report.groups, key=lambda one: SEVERITY[one.verdict])
    )
    return ReportView(
        report=report,
        verdict=report.verdict.value,
        tone=TONES[report.verdict],
        exit_code=report.exit_code,
        headline=words.headline(
            report.verdict, report.comparisons, report.groups, settings.weak
        ),
        gate=words.gate(report),
        head=words.short(report.head),
        base=report.base,
        counts=tuple(
            (verdict.value, TONES[verdict], count)
            for verdict, count in sorted(counts, key=lambda one: SEVERITY[one[0]])
            if count
        ),
        groups=groups,
        accepted=words.accepted_words(report.comparisons),
        next_steps=_next_steps(report, by_group),
        warnings=tuple(map(Prose, report.warnings)),
        legend=_legend(report, {key for view in groups for key in view.columns}),
    )


def _next_steps(
    report: Report, by_group: dict[int, list[Comparison]]
) -> tuple[Phrase, ...]:
    """Each once, although several groups may need the same."""
    steps: list[Phrase | None] = []
    if report.reason:
        steps.append(Phrase((Prose(report.reason),)))
    elif report.verdict is Verdict.NOT_COMPARED:
        steps.append(
            say(
                "No benchmark of head has a counterpart in a baseline. Run the "
                "benchmarks on both sides, and `gitbench record` the results."
            )
        )
    steps += [
        words.next_step(group, by_group[group.id], report.settings)
        for group in report.groups
    ]
    return tuple(dict.fromkeys(step for step in steps if step))


def _legend(report: Report, columns: set[str]) -> tuple[tuple[str, Phrase], ...]:
    alpha = report.settings.alpha
    level = Prose(f"{(1 - 2 * alpha) * 100:.3g} %")
    limits = dict.fromkeys(
        words.limit_words(row)
        for row in report.comparisons
        if row.limit is not None and row.p_adjusted is not None
    )
    entries = [
        ("change", _limit_words(list(limits))),
        ("adjusted", say("adjusted: the change without the suite's own shift")),
        ("interval", say("interval: {level}, two-sided, uncorrected", level=level)),
        ("p", methods.p_meaning(report.settings)),
        *(("p", meaning) for meaning in methods.test_words(report.comparisons)),
    ]
    return tuple(
        (key, meaning) for key, meaning in entries if meaning and key in columns
    )


def _limit_words(limits: list[str]) -> Phrase | None:
    if not limits:
        return None
    which = Prose(" or ".join(limits)) if len(limits) <= 3 else Prose("the row's limit")
    return say("change: a significant one beyond {limits} is red", limits=which)


def _group_view(
    group: Group, rows: list[Comparison], report: Report, all_rows: bool
) -> GroupView:
    settings = report.settings
    views = tuple(_row_view(row, settings.fail_on) for row in rows)
    shown, folds = _fold(views, all_rows)
    names = {row.metric.name for row in rows}
    one_metric = names.pop() if len(names) == 1 else None
    metrics = task_metrics(views)
    tasks, more_tasks = split_tasks(build_tasks(views, metrics), all_rows)
    baseline = group.baseline
    return GroupView(
        group=group,
        suite=group.suite,
        testbed=group.testbed.name,
        verdict=group.verdict.value,
        tone=TONES[group.verdict],
        headline=words.headline(group.verdict, rows, [group], settings.weak),
        head=words.head_words(group, report.head, rows),
        baseline=words.baseline_words(baseline, report.base) if baseline else None,
        window=words.window_words(baseline, rows) if baseline else None,
        shifts=tuple(
            ShiftView(
                metric=shift.metric,
                verdict=shift.verdict.value,
                tone=TONES[shift.verdict],
                fails=shift.verdict in settings.fail_on,
                words=words.shift_words(shift),
                change=Prose(format_change(shift.change)),
            )
            for shift in group.shifts
        ),
        outcomes=outcome_views(group, TONES, settings.fail_on),
        sees=words.sensitivity([group], rows, settings.weak),
        rows=views,
        shown=shown,
        folds=folds,
        columns=_columns(views, one_metric is None),
        metrics=metrics,
        tasks=tasks,
        more_tasks=more_tasks,
        title=words.title(group, one_metric),
        reasons=words.reason_counts(rows),
        weak=words.weak_words(rows, settings),
        nothing=Prose(group.reason) if group.reason else None,
        warnings=tuple(map(Prose, group.warnings)),
    )


def _columns(rows: tuple[Row, ...], metrics: bool) -> tuple[str, ...]:
    """Fields that differ or are there at all: an empty column tells nothing."""
    limits = {str(row.limit) for row in rows if row.comparison.limit is not None}
    told = {
        "metric": metrics,
        "adjusted": any(row.differs for row in rows),
        "interval": any(row.comparison.interval for row in rows),
        "limit": len(limits) > 1,
        "p": any(row.comparison.p_adjusted is not None for row in rows),
    }
    return tuple(key for key in COLUMNS if told.get(key, True))


def _fold(
    rows: tuple[Row, ...], all_rows: bool
) -> tuple[tuple[Row, ...], tuple[Fold, ...]]:
    """Rows to show in full, and the others by verdict."""
    if all_rows:
        return rows, ()
    shown: list[Row] = []
    taken: dict[Verdict, int] = {}
    folded: dict[Verdict, list[Row]] = {}
    for row in rows:
        verdict = row.comparison.verdict
        most = _SHOWN.get(verdict, _SHOWN_ELSE)
        if row.detail:
            most = _SHOWN_ELSE
        elif row.comparison.reason in _MOVED or _tells_nothing(row.comparison):
            most = 0
        if verdict in _ALWAYS or taken.get(verdict, 0) < most:
            shown.append(row)
            taken[verdict] = taken.get(verdict, 0) + 1
        else:
            folded.setdefault(verdict, []).append(row)
    return tuple(shown), tuple(
        Fold(
            verdict=verdict.value,
            tone=TONES[verdict],
            count=len(some),
            more=verdict in taken,
            rows=tuple(some),
        )
        for verdict, some in folded.items()
    )


def _tells_nothing(row: Comparison) -> bool:
    """A task of those that are judged together which came out as before."""
    return row.reason == "judged-together" and row.difference == 0


def _row_view(row: Comparison, fail_on: tuple[Verdict, ...]) -> Row:
    unit = row.metric.unit
    change, adjusted = row.change, row.change_adjusted
    reason = words.reason_words(row)
    return Row(
        comparison=row,
        verdict=row.verdict.value,
        tone="unsure" if row.amber else TONES[row.verdict],
        fails=row.gated and row.verdict in fail_on,
        benchmark=row.benchmark.label,
        metric=row.metric.name,
        base=_center(row.base, unit),
        head=_center(row.head, unit),
        change=_change(row),
        adjusted=words.NONE if adjusted is None else Prose(format_change(adjusted)),
        differs=change is not None
        and adjusted is not None
        and abs(change - adjusted) > words.WORTH_A_WORD,
        interval=Prose(
            words.interval_words(row.interval, points=row.difference is not None)
        )
        if row.interval
        else words.NONE,
        p=words.NONE
        if row.p_adjusted is None
        else Prose(words.p_words(row.p_adjusted)),
        limit=words.NONE if row.limit is None else Prose(words.limit_words(row)),
        reason=Prose(reason) if reason else None,
        detail=words.row_detail(row),
    )


def _center(side: SideSummary | None, unit: str) -> Prose:
    if side is None or side.center is None:
        return words.NONE
    if side.trials is not None:
        few = side.trials < _MOST_TRIALS
        counts = f"{side.passes}/{side.trials}"
        return Prose(counts if few else words.share(side.center))
    return Prose(format_value(side.center, unit))


def _change(row: Comparison) -> Prose:
    if row.difference is not None:
        return Prose(format_points(row.difference))
    base = row.base.center if row.base else None
    head = row.head.center if row.head else None
    ratio = None if row.change is None else format_change(row.change)
    lost = row.method == "exact" and ratio == "+0.0 %"
    if ratio is not None and not lost:
        return Prose(ratio)
    if base is None or head is None or not row.verdict.compared:
        return words.NONE
    sign = "" if head < base else "+"
    return Prose(sign + format_value(head - base, row.metric.unit))

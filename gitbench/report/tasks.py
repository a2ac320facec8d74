"""All metrics of one benchmark in one line: how an agent's evaluation is read.

Owns when a suite is shown that way, and the outcomes of its tasks in sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitbench.model import SEVERITY, Benchmark, Group, Kind, Verdict
from gitbench.report import outcome_words, words
from gitbench.report.escape import Phrase, Prose, join, say

if TYPE_CHECKING:
    from gitbench.report.view import Row

MOST_METRICS = 6
"""More columns than this fit no page, and each row is shown by itself."""
_MOST_TASKS = 20
_ORDER = (
    Kind.PROPORTION,
    Kind.SCORE,
    Kind.DURATION,
    Kind.TOKENS,
    Kind.MONEY,
)


@dataclass(frozen=True, slots=True)
class TaskView:
    """One benchmark with all its metrics."""

    benchmark: str
    verdict: str
    """The worst of its rows, those that are judged together aside."""
    tone: str
    cells: tuple[Row | None, ...]
    """A row for each metric of the group, None where it has none."""
    details: tuple[Phrase, ...]
    """The numbers of red rows, and what has to be said of single rows, each with its
    metric."""
    notes: tuple[Phrase, ...]
    """The same without the numbers, for a page that has them in its cells."""


@dataclass(frozen=True, slots=True)
class OutcomesView:
    """Outcomes of a suite's tasks in one metric."""

    metric: str
    verdict: str
    tone: str
    fails: bool
    words: Phrase
    lists: tuple[Phrase, ...]
    """Tasks that flipped for the worse, for the better, and flaky ones."""


# ---------------------------------------------------------------- the table of tasks


def task_metrics(rows: Sequence[Row]) -> tuple[str, ...]:
    """Names of the metrics of a suite that is shown by benchmark; else none.

    It is shown so where a benchmark has passes of trials beside other metrics, and
    a page has room for all of them.
    """
    kinds: dict[str, Kind] = {}
    metrics: dict[Benchmark, set[str]] = {}
    counted = set()
    for row in rows:
        metric, benchmark = row.comparison.metric, row.comparison.benchmark
        kinds.setdefault(metric.name, metric.kind)
        metrics.setdefault(benchmark, set()).add(metric.name)
        if metric.kind is Kind.PROPORTION:
            counted.add(benchmark)
    if not any(len(metrics[one]) > 1 for one in counted):
        return ()
    if len(kinds) > MOST_METRICS:
        return ()
    return tuple(sorted(kinds, key=lambda name: (_place(kinds[name]), name)))


def _place(kind: Kind) -> int:
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def build_tasks(rows: Sequence[Row], metrics: Sequence[str]) -> tuple[TaskView, ...]:
    """One view for each benchmark; `rows` come worst first, and so do these."""
    if not metrics:
        return ()
    found: dict[Benchmark, dict[str, Row]] = {}
    for row in rows:
        cells = found.setdefault(row.comparison.benchmark, {})
        cells[row.comparison.metric.name] = row
    tasks = [_task(cells, metrics) for cells in found.values()]
    return tuple(sorted(tasks, key=lambda one: SEVERITY[Verdict(one.verdict)]))


def _task(cells: dict[str, Row], metrics: Sequence[str]) -> TaskView:
    rows = [cells[name] for name in metrics if name in cells]
    judged = [row for row in rows if not is_judged_together(row)] or rows
    worst = min(judged, key=lambda one: SEVERITY[one.comparison.verdict])
    return TaskView(
        benchmark=worst.benchmark,
        verdict=worst.verdict,
        tone=worst.tone,
        cells=tuple(cells.get(name) for name in metrics),
        details=tuple(_detail(row) for row in rows if row.detail or row.tone == "bad"),
        notes=tuple(
            say("{metric}: {text}", metric=row.metric, text=row.detail)
            for row in rows
            if row.detail
        ),
    )


def is_judged_together(row: Row) -> bool:
    """Whether only the suite's outcomes say something of this row."""
    return row.comparison.reason == "judged-together"


def _detail(row: Row) -> Phrase:
    """A red row's own numbers, and what has to be said of it."""
    parts = []
    if row.comparison.interval and row.tone == "bad":
        numbers = f"from {row.base} to {row.head}, {row.change} ({row.interval})"
        p = "" if row.p == words.NONE else f", p {row.p}"
        parts.append(Phrase((Prose(numbers + p),)))
    if row.detail:
        parts.append(row.detail)
    if not parts:
        numbers = f"from {row.base} to {row.head}, {row.change}"
        parts.append(Phrase((Prose(numbers),)))
    return say("{metric}: {text}", metric=row.metric, text=join("; ", parts))


def split_tasks(
    tasks: tuple[TaskView, ...], all_rows: bool
) -> tuple[tuple[TaskView, ...], tuple[TaskView, ...]]:
    """Tasks to show, worst first, and the others; what is red is always shown."""
    red = sum(one.tone == "bad" for one in tasks)
    shown = len(tasks) if all_rows else max(red, _MOST_TASKS)
    return tasks[:shown], tasks[shown:]


# ------------------------------------------------------------------------- outcomes


def outcome_views(
    group: Group, tones: dict[Verdict, str], fail_on: tuple[Verdict, ...]
) -> tuple[OutcomesView, ...]:
    """The outcomes of a suite's tasks in sentences."""
    return tuple(
        OutcomesView(
            metric=one.metric,
            verdict=one.verdict.value,
            tone=tones[one.verdict],
            fails=one.verdict in fail_on,
            words=outcome_words.sentence(one),
            lists=outcome_words.lists(one),
        )
        for one in group.outcomes
    )

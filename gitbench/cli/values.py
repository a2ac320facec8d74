"""A measurement in a few words, for lists."""

from __future__ import annotations

from collections.abc import Sequence

from gitbench.cli.tables import aligned
from gitbench.model import Benchmark, Run, Status
from gitbench.store.facts import Point, point_of
from gitbench.units import format_value


def shown(one: Point) -> str:
    """The center of a measurement for people, or how it failed."""
    if one.status is not Status.OK:
        return f"{one.status.value}: {one.message}" if one.message else one.status.value
    if one.center is None:
        return "out of range"
    if one.trials is not None:
        return f"{one.passes} of {one.trials}"
    return format_value(one.center, one.series.unit)


def counted(one: Point) -> str:
    """How many values there are, and of how many processes."""
    if not one.processes:
        return "summary" if one.summarised else str(one.trials or "")
    if one.processes == 1:
        return str(one.values)
    if one.even:
        return f"{one.processes} x {one.values // one.processes}"
    return f"{one.values} in {one.processes}"


def measurement_lines(run: Run) -> list[str]:
    """The measurements of a run as an indented table with a heading; all metrics of a
    benchmark in one line where success stands beside others."""
    points = [point_of(one) for one in run.measurements]
    metrics = _side_by_side(points)
    if metrics:
        return [f"  {line}" for line in aligned(_by_benchmark(points, metrics))]
    rows = [("benchmark", "metric", "values", "center", "better")]
    rows += [
        (
            one.series.benchmark.label,
            one.series.metric,
            counted(one),
            shown(one),
            one.series.better.value,
        )
        for one in points
    ]
    return [f"  {line}" for line in aligned(rows)]


_MOST_METRICS = 6
"""As many columns as a report has at most, see `gitbench.report.tasks`."""


def _side_by_side(points: Sequence[Point]) -> tuple[str, ...]:
    """Names of the metrics if a benchmark has passes of trials beside others."""
    counted = {one.series.metric for one in points if one.trials is not None}
    names = dict.fromkeys(one.series.metric for one in points)
    tried = {one.series.benchmark for one in points if one.trials is not None}
    others = {one.series.benchmark for one in points if one.trials is None}
    if not tried & others or len(names) > _MOST_METRICS:
        return ()
    return tuple(sorted(names, key=lambda name: name not in counted))


def _by_benchmark(
    points: Sequence[Point], metrics: Sequence[str]
) -> list[tuple[str, ...]]:
    cells: dict[Benchmark, dict[str, str]] = {}
    for one in points:
        row = cells.setdefault(one.series.benchmark, {})
        count = "" if one.trials is not None else counted(one)
        row[one.series.metric] = shown(one) + (f" ({count})" if count else "")
    return [
        ("benchmark", *metrics),
        *(
            (benchmark.label, *(row.get(name, "-") for name in metrics))
            for benchmark, row in cells.items()
        ),
    ]


def understood_lines(run: Run) -> list[str]:
    """The measurements of a run with all that was understood of their metrics, as an
    indented table with a heading."""
    rows = [("benchmark", "metric", "unit", "better", "kind", "values", "center")]
    rows += [
        (
            one.benchmark.label,
            one.metric.name,
            one.metric.unit,
            one.metric.better.value,
            one.metric.kind.value,
            counted(point),
            shown(point),
        )
        for one, point in zip(
            run.measurements, map(point_of, run.measurements), strict=True
        )
    ]
    return [f"  {line}" for line in aligned(rows)]

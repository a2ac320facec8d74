"""A measurement in a few words, for lists."""

from __future__ import annotations

from gitbench.cli.tables import aligned
from gitbench.model import Run, Status
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
    """The measurements of a run as an indented table with a heading."""
    rows = [("benchmark", "metric", "values", "center", "better")]
    rows += [
        (
            one.series.benchmark.label,
            one.series.metric,
            counted(one),
            shown(one),
            one.series.better.value,
        )
        for one in map(point_of, run.measurements)
    ]
    return [f"  {line}" for line in aligned(rows)]


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

"""Bencher Metric Format: {benchmark: {measure: {value, lower_value, upper_value}}}.

The units and directions of measures live on Bencher's server and not in the file;
those of its built-in measures are known here, and any other is taken as a bare number
whose name may tell.  What the lower and upper values mean is free, so they are kept
as a range and never as a spread.
"""

from __future__ import annotations

from typing import Any

from gitbench.formats.document import (
    Document,
    FormatError,
    check_unique,
    get_object,
    get_text,
    member,
    number,
    quoted,
)
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    Reading,
    Summary,
    Tool,
)
from gitbench.units import kind_and_better

_COUNT = ("1", Better.LOWER, Kind.COUNT)
MEASURES = {
    "latency": Metric("duration", "ns", Better.LOWER, Kind.DURATION),
    "throughput": Metric("throughput", "1/s", Better.HIGHER, Kind.THROUGHPUT),
    "build-time": Metric("build-time", "s", Better.LOWER, Kind.DURATION),
    "file-size": Metric("file-size", "B", Better.LOWER, Kind.SIZE),
    "instructions": Metric("instructions", "1", Better.LOWER, Kind.EXACT),
    "l1-hits": Metric("l1-hits", "1", Better.NONE, Kind.COUNT),
    "l2-hits": Metric("l2-hits", "1", Better.NONE, Kind.COUNT),
    "ll-hits": Metric("ll-hits", "1", Better.NONE, Kind.COUNT),
    "ram-hits": Metric("ram-hits", *_COUNT),
    "total-read-write": Metric("total-read-write", *_COUNT),
    "estimated-cycles": Metric("estimated-cycles", *_COUNT),
}
"""Bencher's own measures, with the units that its server gives them."""

_IGNORE = "-bencher-ignore"
"""End of a name of which Bencher raises no alert."""


def read(document: Document) -> tuple[Reading, ...]:
    """The runs of a BMF file, one for each JSON object (iterations of one report)."""
    return tuple(
        _reading(get_object(value, "top level")) for value in document.json("bencher")
    )


def _reading(top: dict[str, Any]) -> Reading:
    found: list[Measurement] = []
    ignored = 0
    for name, measures in top.items():
        where = f"benchmark {quoted(name)}"
        label = get_text(name, where)
        if label.endswith(_IGNORE) and label != _IGNORE:
            ignored += 1
            label = label.removesuffix(_IGNORE)
        benchmark = Benchmark(label)
        for measure, value in get_object(measures, where).items():
            found.append(_measurement(benchmark, measure, value, where))
    check_unique(found, f"a name with and without {_IGNORE} is one benchmark")
    warnings: tuple[str, ...] = ()
    if ignored:
        warnings = (
            f"{ignored} benchmarks end with {_IGNORE}, which is cut off; write a rule "
            "with gate = false to keep them out of the gate.",
        )
    return Reading(Tool("bencher"), tuple(found), warnings=warnings)


def _measurement(
    benchmark: Benchmark, measure: str, value: object, where: str
) -> Measurement:
    where = f"{where}, measure {quoted(measure)}"
    fields = get_object(value, where)
    for key in fields:
        if key not in ("value", "lower_value", "upper_value"):
            raise FormatError(where, f"{quoted(key)} is no key of the format.")

    def optional(key: str) -> float | None:
        return None if fields.get(key) is None else number(fields[key], where)

    metric = MEASURES.get(measure)
    if metric is None:
        kind, better = kind_and_better(get_text(measure, where), "1")
        if kind is Kind.PROPORTION:
            kind = Kind.SCORE
        metric = Metric(measure, "1", better, kind)
    center = number(member(fields, "value", where), where)
    low, high = optional("lower_value"), optional("upper_value")
    if low is None and high is None:
        return Measurement(benchmark, metric, ((center,),))
    return Measurement(benchmark, metric, summary=Summary(center, low=low, high=high))

"""OpenMetrics text: samples of gauges, counters and summaries as benchmark results.

Which label names the benchmark is a convention, not part of the format: `benchmark`,
else `id` (cargo-criterion), else the metric family itself is the benchmark.  The other
labels are parameters.  Parsed by the Prometheus project's own library.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gitbench.formats.document import (
    Document,
    FormatError,
    check_unique,
    get_text,
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
from gitbench.units import base_unit, kind_and_better

if TYPE_CHECKING:
    from prometheus_client import Metric as Family
    from prometheus_client.samples import Sample

_NAMES = ("benchmark", "id")
_DIRECTIONS = {"lower": Better.LOWER, "higher": Better.HIGHER, "none": Better.NONE}
_LATEST = 253_402_300_799
"""The last second of the year 9999."""


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of an exposition."""
    if document.form != "text":
        raise FormatError("line 1", "it is not OpenMetrics text.")
    if not document.text.rstrip("\n").endswith("# EOF"):
        raise FormatError(
            "the end",
            "it lacks the last line `# EOF`, so it is cut off, or in Prometheus' older "
            "text format, which is not read.",
        )
    found: list[Measurement] = []
    times: set[int] = set()
    for family in _families(document.text):
        for measurement, time in _measurements(family):
            found.append(measurement)
            if time is not None:
                times.add(time)
    check_unique(
        found,
        "a file with several points in time is a history, not the result of one run",
    )
    return (
        Reading(
            Tool("openmetrics"),
            tuple(found),
            started_at=min(times) if times else None,
        ),
    )


def _families(text: str) -> Iterator[Family]:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    try:
        yield from text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as exc:
        # The library tells by ValueError, and falls over some damaged lines.
        raise FormatError("", f"it is not valid OpenMetrics ({_short(exc)}).") from exc


def _short(exc: Exception) -> str:
    return quoted(exc, 120)


def _measurements(family: Family) -> Iterator[tuple[Measurement, int | None]]:
    """Values of a family, and their times in ms; a distribution is its mean."""
    if family.type in ("histogram", "gaugehistogram", "summary"):
        yield from _distributions(family)
        return
    if family.type in ("info", "stateset"):
        return
    for sample in family.samples:
        if sample.name.endswith("_created"):
            continue
        value = number(sample.value, _where(sample))
        benchmark, metric = _row(family, sample)
        yield Measurement(benchmark, metric, ((float(value),),)), _time(sample)


def _distributions(family: Family) -> Iterator[tuple[Measurement, int | None]]:
    """The mean of a histogram or summary, from its sum and count."""
    sums: dict[tuple[tuple[str, str], ...], tuple[Sample, float]] = {}
    counts: dict[tuple[tuple[str, str], ...], float] = {}
    for sample in family.samples:
        key = tuple(sorted(sample.labels.items()))
        if sample.name.endswith(("_sum", "_gsum")):
            sums[key] = sample, number(sample.value, _where(sample))
        elif sample.name.endswith(("_count", "_gcount")):
            counts[key] = number(sample.value, _where(sample))
    for key, (sample, total) in sums.items():
        n = counts.get(key, 0.0)
        if n >= 1 and n < 2**63:
            benchmark, metric = _row(family, sample)
            summary = Summary(total / n, n=int(n))
            yield Measurement(benchmark, metric, summary=summary), _time(sample)


def _row(family: Family, sample: Sample) -> tuple[Benchmark, Metric]:
    where = _where(sample)
    labels = dict(sample.labels)
    name = next((labels.pop(key) for key in _NAMES if labels.get(key)), None)
    told = _DIRECTIONS.get(labels.pop("better", ""))
    unit = labels.pop("unit", "") or family.unit or "1"
    if base_unit(unit)[1] == 1 and base_unit(unit)[0] == unit:
        unit = {"ratio": "1"}.get(unit, unit)
    own = family.name.removesuffix(f"_{family.unit}") if family.unit else family.name
    if name is None:
        name, title = own, "value"
    else:
        title = labels.pop("metric", "") or own
    kind, better = kind_and_better(own, get_text(unit, where, 64))
    if title == "value" and kind is Kind.DURATION:
        title = "duration"
    if kind is Kind.PROPORTION:
        kind = Kind.SCORE
    metric = Metric(title, unit, told or better, kind)
    params = tuple((key, value) for key, value in labels.items())
    return Benchmark(get_text(name, where), params), metric


def _where(sample: Sample) -> str:
    return f"sample {quoted(sample.name)}"


def _time(sample: Sample) -> int | None:
    stamp: Any = sample.timestamp
    if stamp is None:
        return None
    seconds = float(stamp)
    if not 0 <= seconds <= _LATEST:
        raise FormatError(_where(sample), "its time is not in the years 1970 to 9999.")
    return int(seconds * 1000)

"""Google Benchmark: `--benchmark_out=FILE` with `--benchmark_out_format=json`.

A repetition is one value, the mean of its iterations; all repetitions of a file ran in
one process.  Aggregates are read only where the repetitions themselves were left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gitbench.formats.document import (
    Document,
    FormatError,
    check_unique,
    facts,
    get_list,
    get_object,
    get_text,
    member,
    number,
    quoted,
    timestamp,
    version_of,
    whole,
)
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    ModelError,
    Reading,
    Status,
    Summary,
    Tool,
)
from gitbench.units import kind_and_better

_OWN_KEYS = (
    "name run_name run_type family_index per_family_instance_index repetitions "
    "repetition_index threads iterations real_time cpu_time time_unit label "
    "error_occurred error_message skipped skip_message aggregate_name aggregate_unit "
    "big_o cpu_coefficient real_coefficient rms memory_iterations"
)
_NO_COUNTERS = frozenset(_OWN_KEYS.split())
"""Keys of a row that are the tool's own; every other number is a counter."""

_COUNTERS = {
    "allocs_per_iter": Metric("allocations", "1", Better.LOWER, Kind.COUNT),
    "bytes_per_second": Metric("throughput", "B/s", Better.HIGHER, Kind.THROUGHPUT),
    "items_per_second": Metric(
        "items_per_second", "items/s", Better.HIGHER, Kind.THROUGHPUT
    ),
    "max_bytes_used": Metric("peak_memory", "B", Better.LOWER, Kind.SIZE),
    "net_heap_growth": Metric("net_heap_growth", "B", Better.LOWER, Kind.SIZE),
    "total_allocated_bytes": Metric(
        "total_allocated_bytes", "B", Better.LOWER, Kind.SIZE
    ),
}
"""Counters that the tool itself makes."""

_TIMES = {"real_time": "duration", "cpu_time": "cpu_time"}
_UNITS = ("ns", "us", "ms", "s")
_AGGREGATES = ("mean", "median", "stddev", "cv", "min", "max")
_COMMIT_KEYS = (
    "commit commit_hash commit_id commit_sha git_commit git_commit_hash git_commit_id "
    "git_commit_sha git_hash git_rev git_revision git_sha"
)
_COMMITS = frozenset(_COMMIT_KEYS.split())
"""Keys of `--benchmark_context=KEY=VALUE` that name the commit, in lower case."""


@dataclass(slots=True)
class _Family:
    """The rows of one benchmark."""

    where: str
    """Place of its first row."""
    place: tuple[Any, Any]
    """Its number and that within its family, where the version writes them."""
    repetitions: list[dict[str, Any]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    """Number of each repetition's row in the file, for messages."""
    aggregates: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    """By their names: mean, median, ..."""


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a Google Benchmark file."""
    if document.form == "text" and document.text.lstrip()[:1] not in ("{", "["):
        raise FormatError(
            "",
            "it is the console or CSV output, which is rounded; run the benchmark "
            "with --benchmark_out=FILE --benchmark_out_format=json and record FILE.",
        )
    top = get_object(document.single("google-benchmark"), "top level")
    context = get_object(member(top, "context", ""), "context")
    rows = get_list(member(top, "benchmarks", ""), "benchmarks")
    measurements: list[Measurement] = []
    summaries = 0
    for name, family in _families(rows).items():
        found = list(_measurements(name, family))
        summaries += found[0].summary is not None
        measurements.extend(found)
    check_unique(measurements, "give its counters names of their own")
    started_at, naive = None, False
    if context.get("date") is not None:
        started_at, naive = timestamp(get_text(context["date"], "context.date"), "date")
    commit, dirty = _commit(context)
    version = context.get("library_version")
    load = context.get("load_avg")
    load = load[0] if isinstance(load, list) and load else None
    return (
        Reading(
            tool=Tool(
                "google-benchmark",
                version_of(version),
            ),
            measurements=tuple(measurements),
            started_at=started_at,
            naive_time=naive,
            commit=commit,
            dirty=dirty,
            facts=facts(
                cores=context.get("num_cpus"),
                load=f"{load:.2f}" if isinstance(load, float) else None,
            ),
            warnings=_warnings(context, summaries),
        ),
    )


# ------------------------------------------------------------------------- rows


def _families(rows: list[Any]) -> dict[str, _Family]:
    """The rows by the benchmark that they belong to, in the file's order.

    What is complexity (`_BigO`, `_RMS`) is left out: a fit over several benchmarks.
    """
    found: dict[str, _Family] = {}
    plain: frozenset[str] | None = None
    for i, item in enumerate(rows):
        row = item if isinstance(item, dict) else get_object(item, _at(i))
        if row.get("run_type") != "iteration" and (
            "rms" in row or "big_o" in row or "cpu_coefficient" in row
        ):
            continue
        key = "run_name" if "run_name" in row else "name"
        name = row.get(key)
        if not isinstance(name, str) or name not in found:
            name = get_text(member(row, key, _at(i)), f"{_at(i)}.{key}")
        aggregate = row.get("aggregate_name")
        if row.get("run_type") == "aggregate":
            aggregate = member(row, "aggregate_name", _at(i))
            aggregate = get_text(aggregate, f"{_at(i)}.aggregate_name")
            # Before 1.5 the run's name still had the aggregate's at its end.
            name = name.removesuffix(f"_{aggregate}") or name
        elif "run_type" not in row:
            plain = _plain_names(rows) if plain is None else plain
            name, aggregate = _old_name(name, plain)
        place = (row.get("family_index"), row.get("per_family_instance_index"))
        family = found.get(name)
        if family is None:
            family = found[name] = _Family(_at(i), place)
        if place != family.place:
            raise _twice(_at(i), name)
        if not isinstance(aggregate, str):
            family.repetitions.append(row)
            family.numbers.append(i)
        elif family.aggregates.setdefault(aggregate, (_at(i), row))[1] is not row:
            raise _twice(_at(i), f"{name}_{aggregate}")
    return found


def _at(i: int) -> str:
    """The place of a row, for messages; made only when one is needed."""
    return f"benchmarks[{i}]"


def _twice(where: str, name: str) -> FormatError:
    return FormatError(
        where,
        f"benchmark {quoted(name)} stands there twice; give one of them another name.",
    )


def _plain_names(rows: list[Any]) -> frozenset[str]:
    """Names of the rows that have no type, as versions before 1.5 wrote them."""
    return frozenset(
        row["name"]
        for row in rows
        if isinstance(row, dict)
        and "run_type" not in row
        and isinstance(row.get("name"), str)
    )


def _old_name(name: str, known: frozenset[str]) -> tuple[str, str | None]:
    """A benchmark's name and its aggregate's, of a row without a type.

    An end such as `_mean` is an aggregate if the benchmark itself stands in the file,
    or the other aggregates do.
    """
    for aggregate in _AGGREGATES:
        base = name.removesuffix(f"_{aggregate}")
        if base != name and (
            base in known or {f"{base}_mean", f"{base}_stddev"} <= known
        ):
            return base, aggregate
    return name, None


def _measurements(name: str, family: _Family) -> Iterator[Measurement]:
    """All metrics of one benchmark."""
    benchmark = Benchmark(name)
    if not family.repetitions:
        yield from _summaries(benchmark, family)
        return
    _put_in_order(name, family)
    rows = family.repetitions
    ended = _ended(rows)
    unit = _unit(family.where, rows[0])
    duration = Metric("duration", unit, Better.LOWER, Kind.DURATION)
    if ended is not None:
        yield Measurement(benchmark, duration, status=ended[0], message=ended[1])
        return
    if any(row.get("time_unit") != rows[0].get("time_unit") for row in rows):
        raise FormatError(
            f"{family.where}.time_unit", "it differs from that of other repetitions."
        )
    for i, time in zip(
        family.numbers, [row.get("real_time") for row in rows], strict=True
    ):
        if time is None:
            raise FormatError(_at(i), "'real_time' is missing.")
    for key, metric in _metrics(rows, unit):
        yield Measurement(benchmark, metric, (_values(family, key),))


def _values(family: _Family, key: str) -> tuple[float, ...]:
    """The numbers of one key; a counter may be missing in a repetition."""
    found: list[Any] = [row.get(key) for row in family.repetitions]
    # The common case, all floats, in two passes that stay in C.
    if set(map(type, found)) == {float} and all(map(math.isfinite, found)):
        return tuple(found)
    return tuple(
        [
            number(value, f"{_at(i)}[{quoted(key)}]")
            for i, value in zip(family.numbers, found, strict=True)
            if value is not None
        ]
    )


def _put_in_order(name: str, family: _Family) -> None:
    """Sort the repetitions by their own numbers.

    Versions before 1.5 do not number them.
    """
    rows = family.repetitions
    order = [row.get("repetition_index") for row in rows]
    if len(rows) < 2 or (
        not any(order) and not any(row.get("repetitions") for row in rows)
    ):
        return
    numbers = [
        whole(one, f"{_at(i)}.repetition_index")
        for one, i in zip(order, family.numbers, strict=True)
    ]
    if len(set(numbers)) != len(numbers):
        raise _twice(family.where, name)
    places = sorted(range(len(rows)), key=numbers.__getitem__)
    family.repetitions = [rows[place] for place in places]
    family.numbers = [family.numbers[place] for place in places]


def _unit(where: str, row: dict[str, Any]) -> str:
    unit = row.get("time_unit", "ns")
    if unit not in _UNITS:
        raise FormatError(
            f"{where}.time_unit", f"{quoted(unit)} is none of {', '.join(_UNITS)}."
        )
    return str(unit)


def _ended(rows: list[dict[str, Any]]) -> tuple[Status, str] | None:
    """Whether a repetition failed or was skipped, and why; None if all are fine."""
    for flag, text, status in (
        ("error_occurred", "error_message", Status.FAILED),
        ("skipped", "skip_message", Status.SKIPPED),
    ):
        for row in rows:
            if row.get(flag):
                message = row.get(text)
                told = message if isinstance(message, str) and message else "no reason"
                return status, told
    return None


def _metrics(rows: list[dict[str, Any]], unit: str) -> Iterator[tuple[str, Metric]]:
    """The keys of a benchmark's rows that are measured, with what they measure."""
    for key, name in _TIMES.items():
        if any(row.get(key) is not None for row in rows):
            yield key, Metric(name, unit, Better.LOWER, Kind.DURATION)
    # Repetitions have the same keys, so one row of each set of keys tells all.
    shapes = {tuple(row): row for row in reversed(rows)}
    keys = dict.fromkeys(
        key
        for row in reversed(shapes.values())
        for key, one in row.items()
        if type(one) in (int, float)
    )
    for key in keys:
        if key not in _NO_COUNTERS:
            yield key, _counter(key)


def _counter(name: str) -> Metric:
    """What a counter measures.  The file tells neither its unit nor its direction.

    Rates are named `..._per_second`.  Of other counters, counts of what is bad by name
    (`cache-misses`, hardware counters) are better lower, and scores have a direction;
    a time or a size without a unit has none.
    """
    known = _COUNTERS.get(name)
    if known is not None:
        return known
    rate = name.endswith("_per_second")
    kind, better = kind_and_better(name, "1/s" if rate else "1")
    if kind is Kind.PROPORTION:
        kind = Kind.SCORE
    elif kind is Kind.EXACT:
        kind = Kind.COUNT
    elif kind in (Kind.DURATION, Kind.SIZE, Kind.MONEY) or (
        kind is Kind.THROUGHPUT and not rate
    ):
        kind, better = Kind.SCORE, Better.NONE
    if name in ("duration", "cpu_time", "throughput", "allocations", "peak_memory"):
        name = f"counter {name}"
    return Metric(name, "1/s" if rate else "1", better, kind)


# ------------------------------------------------------------------- aggregates


def _summaries(benchmark: Benchmark, family: _Family) -> Iterator[Measurement]:
    """All metrics of a benchmark of which only aggregates are there."""
    told = family.aggregates
    of = "mean" if "mean" in told else "median"
    if of not in told:
        raise FormatError(
            family.where,
            f"of benchmark {quoted(benchmark.name)} there is neither a repetition, nor "
            "a mean, nor a median.",
        )
    where, center = told[of]
    ended = _ended([center])
    unit = _unit(where, center)
    if ended is not None:
        duration = Metric("duration", unit, Better.LOWER, Kind.DURATION)
        yield Measurement(benchmark, duration, status=ended[0], message=ended[1])
        return
    n = center.get("repetitions") or center.get("iterations")
    n = None if n is None else whole(n, f"{where}.repetitions", 1)
    for key, metric in _metrics([center], unit):

        def beside(name: str, key: str = key) -> float | None:
            place, row = told.get(name, ("", {}))
            value = row.get(key)
            return None if value is None else number(value, f"{place}[{quoted(key)}]")

        value = number(center[key], f"{where}[{quoted(key)}]")
        try:
            summary = Summary(
                value,
                of,
                low=beside("min"),
                high=beside("max"),
                stddev=beside("stddev"),
                n=n,
            )
        except ModelError as exc:
            raise FormatError(where, str(exc)) from exc
        yield Measurement(benchmark, metric, summary=summary)


# ---------------------------------------------------------------------- context


def _commit(context: dict[str, Any]) -> tuple[str | None, bool | None]:
    """Commit and dirty flag that the author of the benchmark put into the context."""
    for key, value in context.items():
        if key.lower() not in _COMMITS or not isinstance(value, str):
            continue
        text = value.strip().lower()
        if 7 <= len(text) <= 64 and not text.strip("0123456789abcdef"):
            state = str(context.get("GIT_CLEAN_STATUS", "")).lower()
            return text, {"clean": False, "dirty": True}.get(state)
    return None, None


def _warnings(context: dict[str, Any], summaries: int) -> tuple[str, ...]:
    found = []
    if summaries:
        found.append(
            f"{summaries} benchmarks came without their repetitions, only a mean; run "
            "without --benchmark_report_aggregates_only to keep them."
        )
    if context.get("library_build_type") == "debug":
        found.append(
            "the benchmark library was built for debugging, which may slow down what "
            "it measures."
        )
    return tuple(found)

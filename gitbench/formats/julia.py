"""Julia's BenchmarkTools.save: a JSON array of versions and of the saved values.

A value is a pair of its type's name and its fields; groups nest, and the keys on the
way to a trial are its name.  Times are nanoseconds of one evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitbench.formats.document import (
    Document,
    FormatError,
    check_unique,
    get_list,
    get_object,
    get_text,
    member,
    number,
    numbers,
    quoted,
    version_of,
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

_DURATION = Metric("duration", "ns", Better.LOWER, Kind.DURATION)
_ALLOCATED = Metric("allocated", "B", Better.LOWER, Kind.SIZE)
_ALLOCATIONS = Metric("allocations", "1", Better.LOWER, Kind.COUNT)


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a saved group, trial, or estimate."""
    top = get_list(document.single("julia"), "top level")
    versions = get_object(top[0] if top else None, "[0]")
    found: list[Measurement] = []
    estimates = 0
    for i, value in enumerate(get_list(top[1] if len(top) > 1 else None, "[1]")):
        for name, kind, fields, where in _leaves(value, f"[1][{i}]"):
            benchmark = Benchmark(get_text(name or "benchmark", where))
            estimates += kind == "TrialEstimate"
            found.extend(_measurements(benchmark, kind, fields, where))
    check_unique(found, "save each group in a file of its own")
    warnings: tuple[str, ...] = ()
    if estimates:
        warnings = (
            f"{estimates} benchmarks were saved as estimates, without raw values; save "
            "the result of run() instead of its median() or minimum().",
        )
    runtime = versions.get("Julia")
    return (
        Reading(
            Tool("julia", version_of(versions.get("BenchmarkTools"))),
            tuple(found),
            facts=(("runtime", f"Julia {runtime[:100]}"),)
            if isinstance(runtime, str) and runtime.isprintable() and runtime
            else (),
            warnings=warnings,
        ),
    )


def _leaves(value: Any, where: str) -> Iterator[tuple[str, str, dict[str, Any], str]]:
    """Trials and estimates below a saved value: name, type, fields, and place."""
    places: list[tuple[str, Any, str]] = [("", value, where)]
    while places:
        name, pair, where = places.pop()
        items = get_list(pair, where)
        if len(items) != 2 or not isinstance(items[0], str):
            raise FormatError(where, "it is no pair of a type's name and its fields.")
        kind, fields = items[0], get_object(items[1], where)
        if kind == "BenchmarkGroup":
            data = get_object(member(fields, "data", where), f"{where}.data")
            inner = [
                (f"{name}/{key}" if name else key, one, f"{where}[{quoted(key, 40)}]")
                for key, one in data.items()
            ]
            places.extend(reversed(inner))
        elif kind in ("Trial", "TrialEstimate"):
            yield name, kind, fields, where
        else:
            raise FormatError(
                where, f"a {quoted(kind)} is no measurement; save a Trial or a group."
            )


def _measurements(
    benchmark: Benchmark, kind: str, fields: dict[str, Any], where: str
) -> Iterator[Measurement]:
    if kind == "Trial":
        times = numbers(member(fields, "times", where), f"{where}.times")
        if not times:
            raise FormatError(f"{where}.times", "it is empty.")
        yield Measurement(benchmark, _DURATION, (times,))
    else:
        time = number(member(fields, "time", where), f"{where}.time")
        # Which estimate it is (median, minimum, mean) is not saved.
        yield Measurement(benchmark, _DURATION, summary=Summary(time, of="median"))
    for key, metric in (("memory", _ALLOCATED), ("allocs", _ALLOCATIONS)):
        if fields.get(key) is not None:
            value = number(fields[key], f"{where}.{key}")
            yield Measurement(benchmark, metric, ((value,),))

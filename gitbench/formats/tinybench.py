"""tinybench: its tasks with their results as JSON, and `bench.table()`.

tinybench 3 and later have `latency` (milliseconds) and `throughput`; before, the
same numbers stood in the result itself.  Samples are there with `retainSamples`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitbench.formats.document import (
    Document,
    FormatError,
    check_unique,
    decimal,
    get_list,
    get_object,
    get_text,
    member,
    number,
    numbers,
    quoted,
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

DURATION = Metric("duration", "ms", Better.LOWER, Kind.DURATION)
_TITLES = ("Latency avg", "Latency average", "Average Time", "Average")
_RAW = "give the Bench {retainSamples: true} to keep raw values"


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a bench."""
    values = document.json("tinybench")
    rows: Any = values[0] if len(values) == 1 else list(values)
    if isinstance(rows, dict):
        rows = [rows]
    found = []
    for place, item in enumerate(get_list(rows, "top level")):
        found.append(_task(get_object(item, f"[{place}]"), f"[{place}]"))
    check_unique(found, "give each task its own name")
    bare = sum(one.summary is not None for one in found)
    warnings: tuple[str, ...] = ()
    if bare:
        warnings = (f"{bare} of {len(found)} tasks have no raw values; {_RAW}.",)
    return (Reading(Tool("tinybench"), tuple(found), warnings=warnings),)


def _task(row: dict[str, Any], where: str) -> Measurement:
    titled = "Task name" if "Task name" in row else "Task Name"
    if titled in row:
        return _row_of_table(row, titled, where)
    benchmark = Benchmark(get_text(member(row, "name", where), f"{where}.name"))
    result = row.get("result", row)
    if result is None:
        message = "it was not run"
        return Measurement(benchmark, DURATION, status=Status.SKIPPED, message=message)
    place = f"{where}.result" if "result" in row else where
    fields = get_object(result, place)
    failure = _failure(fields)
    if failure is not None:
        return Measurement(benchmark, DURATION, status=Status.FAILED, message=failure)
    latency = fields.get("latency", fields)
    return duration(benchmark, get_object(latency, place), place)


def _failure(result: dict[str, Any]) -> str | None:
    """Why a task has no numbers; None if it has."""
    error, state = result.get("error"), result.get("state")
    if error is None and state in (None, "completed"):
        return None
    if isinstance(error, dict):
        # An Error becomes an empty object in JSON.
        error = error.get("message")
    if isinstance(error, str) and error:
        return error
    return f"its state is {str(state)[:40]}" if state else "it failed"


def duration(benchmark: Benchmark, stats: dict[str, Any], where: str) -> Measurement:
    """The times of a task in milliseconds: its samples, else their statistics."""
    samples = stats.get("samples")
    if samples:
        return Measurement(benchmark, DURATION, (numbers(samples, f"{where}.samples"),))

    def optional(*keys: str) -> float | None:
        for key in keys:
            if stats.get(key) is not None:
                return number(stats[key], f"{where}.{key}")
        return None

    count = stats.get("samplesCount", stats.get("sampleCount"))
    try:
        summary = Summary(
            number(member(stats, "mean", where), f"{where}.mean"),
            low=optional("min"),
            high=optional("max"),
            stddev=optional("sd"),
            n=None if count is None else whole(count, f"{where}.samplesCount", 1),
        )
    except ModelError as exc:
        raise FormatError(where, str(exc)) from exc
    return Measurement(benchmark, DURATION, summary=summary)


def _row_of_table(row: dict[str, Any], titled: str, where: str) -> Measurement:
    """A row of `bench.table()`: `"41.55 ± 22.47%"` under a title with the unit."""
    benchmark = Benchmark(get_text(row[titled], f"{where}.{titled}"))
    if row.get("Error") is not None:
        message = str(row["Error"])[:4000] or "it failed"
        return Measurement(benchmark, DURATION, status=Status.FAILED, message=message)
    for title, text in _averages(row):
        unit = title.partition("(")[2].partition(")")[0]
        if unit not in ("ns", "ms", "us", "µs", "s"):
            raise FormatError(where, f"{quoted(title)} names no unit of time.")
        center, _, _spread = str(text)[:100].partition("±")
        metric = Metric("duration", unit, Better.LOWER, Kind.DURATION)
        summary = Summary(decimal(center.strip(), f"{where}.{title[:40]}"))
        return Measurement(benchmark, metric, summary=summary)
    raise FormatError(where, "it has no column of average latencies.")


def _averages(row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for title, text in row.items():
        if title.startswith(_TITLES) and "(" in title:
            yield title, text

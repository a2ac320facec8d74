"""Elixir's Benchee: its JSON formatter with samples, and what it prints.

Samples of run times are nanoseconds, of memory bytes.  An input is a parameter.
"""

from __future__ import annotations

import re
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
    lines,
    member,
    number,
    numbers,
    whole,
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

_NO_INPUT = "__no_input"
_DATA = {
    "run_time_data": Metric("duration", "ns", Better.LOWER, Kind.DURATION),
    "memory_usage_data": Metric("allocated", "B", Better.LOWER, Kind.SIZE),
    "reductions_data": Metric("reductions", "1", Better.LOWER, Kind.COUNT),
}
_INPUT = re.compile(r"^##### With input (?P<name>.{1,500}?) #####$")
_ROW = re.compile(
    r"^(?P<name>\S.{0,500}?) +[\d.]+ ?[KMBT]? +(?P<average>[\d.]+) "
    r"(?P<unit>ns|μs|us|ms|s|min|h)"
    r" +±(?P<spread>[\d.]+)%"
)


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a Benchee suite."""
    warnings: tuple[str, ...] = ()
    if document.form == "json":
        found = list(_scenarios(document.single("benchee")))
    else:
        found = list(_printed(document.text))
        warnings = (
            "the printed table has no raw values; use Benchee.Formatters.JSON.",
        )
    if not found:
        raise FormatError("", "it holds no result of Benchee.")
    check_unique(found, "give each job its own name")
    return (Reading(Tool("benchee"), tuple(found), warnings=warnings),)


def _scenarios(top: Any) -> Iterator[Measurement]:
    if isinstance(top, dict):
        top = top.get("scenarios", [top])
    for place, item in enumerate(get_list(top, "scenarios")):
        where = f"[{place}]"
        scenario = get_object(item, where)
        name = scenario.get("name") or scenario.get("job_name")
        params: tuple[tuple[str, str], ...] = ()
        told = scenario.get("input_name")
        if isinstance(told, str) and told and told != _NO_INPUT:
            params = (("input", told),)
        benchmark = Benchmark(get_text(name, f"{where}.name"), params)
        for key, metric in _DATA.items():
            data = scenario.get(key)
            if isinstance(data, dict):
                yield from _data(benchmark, metric, data, f"{where}.{key}")


def _data(
    benchmark: Benchmark, metric: Metric, data: dict[str, Any], where: str
) -> Iterator[Measurement]:
    """One kind of measurement of a scenario: samples, else its statistics."""
    samples = data.get("samples")
    if samples:
        values = numbers(samples, f"{where}.samples")
        yield Measurement(benchmark, metric, (values,))
        return
    statistics = data.get("statistics")
    if not isinstance(statistics, dict) or statistics.get("average") is None:
        return  # it was not measured
    place = f"{where}.statistics"

    def optional(key: str) -> float | None:
        value = statistics.get(key)
        return None if value is None else number(value, f"{place}.{key}")

    size = statistics.get("sample_size")
    yield Measurement(
        benchmark,
        metric,
        summary=Summary(
            number(member(statistics, "average", place), f"{place}.average"),
            low=optional("minimum"),
            high=optional("maximum"),
            stddev=optional("std_dev"),
            n=None if size is None else whole(size, f"{place}.sample_size", 1),
        ),
    )


def _printed(text: str) -> Iterator[Measurement]:
    """Rows of the tables of run times; those of memory print rounded units only."""
    params: tuple[tuple[str, str], ...] = ()
    inside = False
    for place, line in lines(text):
        where = f"line {place}"
        if match := _INPUT.match(line):
            params = (("input", match["name"]),)
        elif line.startswith("Name ") and " ips " in line and " average " in line:
            inside = True
        elif not line.strip():
            inside = False
        elif inside and (match := _ROW.match(line)):
            center = decimal(match["average"], where)
            spread = decimal(match["spread"], where) / 100 * center
            metric = Metric("duration", match["unit"], Better.LOWER, Kind.DURATION)
            name = get_text(match["name"].strip(), where)
            summary = Summary(center, stddev=spread)
            yield Measurement(Benchmark(name, params), metric, summary=summary)

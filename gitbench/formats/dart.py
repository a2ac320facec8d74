"""Dart benchmark_harness' lines `Template(RunTime): 0.1568 us.`"""

from __future__ import annotations

import re

from gitbench.formats.document import (
    Document,
    FormatError,
    decimal,
    get_text,
    lines,
)
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    Reading,
    Tool,
)

_LINE = re.compile(
    r"^\s*(?P<name>\S.{0,1000})\(RunTime\): (?P<value>[\d.]+(?:e[+-]?\d{1,3})?) "
    r"(?P<unit>us|ms|s|ns)\b"
)


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of what a Dart program printed; a name that stands there several
    times has several values, all of one process."""
    values: dict[str, tuple[str, list[float]]] = {}
    for place, line in lines(document.text):
        match = _LINE.match(line)
        if match is None:
            continue
        where = f"line {place}"
        name = get_text(match["name"].strip(), where)
        unit, known = values.setdefault(name, (match["unit"], []))
        if unit != match["unit"]:
            raise FormatError(where, f"{name[:80]!r} has another unit further up.")
        known.append(decimal(match["value"], where))
    if not values:
        raise FormatError("", "it holds no line `NAME(RunTime): N us.`")
    found = tuple(
        Measurement(
            Benchmark(name),
            Metric("duration", unit, Better.LOWER, Kind.DURATION),
            (tuple(known),),
        )
        for name, (unit, known) in values.items()
    )
    return (Reading(Tool("dart"), found),)

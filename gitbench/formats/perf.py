"""perf stat: its table, `-x SEP`, and `-j`.

With `-r N` perf prints the mean of N executions and the standard error of that mean
in per cent; both are kept.  Counts of hardware events vary from run to run, so none
of them is exact.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gitbench.formats.document import (
    Document,
    FormatError,
    check_unique,
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
    Summary,
    Tool,
)
from gitbench.units import kind_and_better

_HEAD = re.compile(
    r"^\s*Performance counter stats for (?:process id )?'(?P<name>.{1,1000}?)'"
    r"(?: \((?P<runs>\d{1,9}) runs\))?:"
)
_EVENT = re.compile(
    r"^\s*(?P<value>[\d.,]+|<not (?:supported|counted)>) +"
    r"(?P<unit>msec|ns|MiB|Joules|C|K)? *(?P<event>[A-Za-z][^\s#]{0,200})"
    r"(?:.*?\( *\+- *(?P<error>[\d.]+)% *\))?"
)
_ELAPSED = re.compile(
    r"^\s*(?P<value>[\d.,]+) (?:\+- [\d.,]+ )?seconds (?P<word>time elapsed|user|sys)"
    r"(?: *\( *\+- *(?P<error>[\d.]+)% *\))?"
)
_WORDS = {"time elapsed": "duration", "user": "user_time", "sys": "system_time"}
_UNNAMED = "command"
_UNITS = {"msec": "ms", "Joules": "J"}


@dataclass(frozen=True, slots=True)
class _Counter:
    """One counter of one command."""

    command: str
    event: str
    unit: str
    value: float
    error: float | None
    """Standard error of the mean in per cent."""
    runs: int


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of one or more outputs of perf stat."""
    missing: list[str] = []
    if document.form == "json":
        counters = list(_from_json(document.values, missing))
    else:
        counters = list(_from_table(document.text, missing))
        counters = counters or list(_from_fields(document.text, missing))
    if not counters:
        raise FormatError("", "it holds no counter of perf stat.")
    found = [_measurement(one) for one in counters]
    check_unique(found, "record each command's output on its own, or name its suite")
    warnings: tuple[str, ...] = ()
    if missing:
        names = ", ".join(sorted(set(missing))[:8])
        warnings = (f"not counted on this machine, and left out: {names}.",)
    return (Reading(Tool("perf"), tuple(found), warnings=warnings),)


def _from_table(text: str, missing: list[str]) -> Iterator[_Counter]:
    """Counters of the table that people read."""
    command, runs = None, 1
    for place, line in lines(text):
        where = f"line {place}"
        if head := _HEAD.match(line):
            command, runs = head["name"], int(head["runs"] or 1)
            continue
        if command is None:
            continue
        match = _ELAPSED.match(line)
        event = unit = ""
        if match is not None:
            event, unit = _WORDS[match["word"]], "s"
        else:
            match = _EVENT.match(line)
            if match is None:
                continue
            event, unit = match["event"], match["unit"] or ""
        value = match["value"]
        if value.startswith("<"):
            missing.append(event)
            continue
        error = None if match["error"] is None else decimal(match["error"], where)
        yield _Counter(command, event, unit, decimal(value, where), error, runs)


def _from_fields(text: str, missing: list[str]) -> Iterator[_Counter]:
    """Counters of `-x SEP`: value, unit, event, and more."""
    for place, line in lines(text):
        if line.startswith("#") or not line.strip():
            continue
        separator = next((sign for sign in ",;\t|" if sign in line), ",")
        cells = line.split(separator)
        if len(cells) < 5:
            raise FormatError(f"line {place}", "it is no line of perf stat -x.")
        if cells[0].startswith("<"):
            missing.append(cells[2])
            continue
        error = cells[3].removesuffix("%") if cells[3].endswith("%") else None
        where = f"line {place}"
        yield _Counter(
            _UNNAMED,
            get_text(cells[2], where),
            cells[1],
            decimal(cells[0], where),
            None if error is None else decimal(error, where),
            1,
        )


def _from_json(values: tuple[Any, ...], missing: list[str]) -> Iterator[_Counter]:
    """Counters of `-j`, one object a line; numbers are written as text."""
    for place, one in enumerate(values, 1):
        where = f"line {place}"
        if not isinstance(one, dict) or "counter-value" not in one:
            raise FormatError(where, "it is no counter of perf stat -j.")
        event = get_text(one.get("event"), f"{where}.event")
        value = str(one["counter-value"])[:64]
        if value.startswith("<"):
            missing.append(event)
            continue
        error = one.get("variance")
        unit = one.get("unit") or ""
        yield _Counter(
            _UNNAMED,
            event,
            get_text(unit, f"{where}.unit", 64) if unit else "",
            decimal(value, f"{where}.counter-value"),
            None if error is None else decimal(str(error)[:64], f"{where}.variance"),
            1,
        )


def _measurement(one: _Counter) -> Measurement:
    unit = _UNITS.get(one.unit, one.unit) or "1"
    kind, better = kind_and_better(one.event.partition(":")[0], unit)
    if kind is Kind.EXACT or (kind is Kind.SCORE and unit == "1"):
        kind = Kind.COUNT
    if kind is Kind.PROPORTION:
        kind, better = Kind.COUNT, Better.NONE
    metric = Metric(get_text(one.event, "event"), unit, better, kind)
    benchmark = Benchmark(get_text(one.command, "command"))
    if one.error is None:
        return Measurement(benchmark, metric, ((one.value,),))
    # perf prints the error of the mean; without -r in the text its runs are unknown.
    spread = one.error / 100 * abs(one.value) * math.sqrt(one.runs)
    summary = Summary(
        one.value,
        stddev=spread if one.runs > 1 else None,
        n=one.runs if one.runs > 1 else None,
    )
    return Measurement(benchmark, metric, summary=summary)

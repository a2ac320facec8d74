"""iai, iai-callgrind and gungraun: counts of valgrind, printed or as JSON.

A count of instructions is exact.  Estimated cycles and hits follow from a simulated
cache, in which another layout of the same program counts otherwise, so they are counts
like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
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
    quoted,
    timestamp,
)
from gitbench.model import Benchmark, Better, Kind, Measurement, Metric, Reading, Tool
from gitbench.units import kind_and_better

_INSTRUCTIONS = Metric("instructions", "1", Better.LOWER, Kind.EXACT)
_CYCLES = Metric("estimated_cycles", "1", Better.LOWER, Kind.COUNT)
_KNOWN = {
    "Instructions": _INSTRUCTIONS,
    "Estimated Cycles": _CYCLES,
    "Total bytes": Metric("allocated", "B", Better.LOWER, Kind.SIZE),
    "Total blocks": Metric("allocations", "1", Better.LOWER, Kind.EXACT),
    "At t-gmax bytes": Metric("peak_memory", "B", Better.LOWER, Kind.SIZE),
}
"""Printed name -> metric, of those whose direction is known."""
_ERRORS = {
    "Errors": "Errors",
    "Contexts": "Contexts",
    "SuppressedErrors": "Suppressed Errors",
    "SuppressedContexts": "Suppressed Contexts",
}
_JSON_NAMES = {
    "Callgrind": {
        "Ir": "Instructions",
        "L1hits": "L1 Hits",
        "LLhits": "LL Hits",
        "RamHits": "RAM Hits",
        "TotalRW": "Total read+write",
        "EstimatedCycles": "Estimated Cycles",
    },
    "DHAT": {
        "TotalBytes": "Total bytes",
        "TotalBlocks": "Total blocks",
        "AtTGmaxBytes": "At t-gmax bytes",
        "AtTGmaxBlocks": "At t-gmax blocks",
        "AtTEndBytes": "At t-end bytes",
        "AtTEndBlocks": "At t-end blocks",
        "ReadsBytes": "Reads bytes",
        "WritesBytes": "Writes bytes",
    },
    "Memcheck": _ERRORS,
    "Helgrind": _ERRORS,
    "DRD": _ERRORS,
}
"""What the JSON calls the metrics that are printed by default; it has more of them."""
_JSON_NAMES["Cachegrind"] = _JSON_NAMES["Callgrind"]

_TOOL = re.compile(r"^  =+ (?P<tool>[A-Z]{3,20}) =+\s*$")
_ROW = re.compile(
    r"^  (?P<name>[A-Z][\w +/-]{0,60}): +(?P<value>[\d.]+|N/A)"
    r"(?P<rest>\|(?:[\d.]+|N/A) +\([^()]{1,40}\).{0,60}| +\([^()]{1,60}\)| *)$"
)
_BEGIN = re.compile(r"^  [A-Z][\w +/-]{0,60}:(?: |$)")
_ADVICE = "record the output of each bench target with a --suite of its own"


@dataclass(slots=True)
class _Case:
    """What was counted of one benchmark, by metric."""

    benchmark: Benchmark
    counts: dict[str, tuple[Metric, float]] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)
    """Metrics of the valgrind tool that is just being told of."""

    def next_tool(self) -> None:
        self.own = set()

    def take(self, name: str, value: float, tool: str) -> None:
        """Keep a count; one of a second tool under the same name bears the tool's."""
        metric = _metric(name)
        if metric.name in self.counts and metric.name not in self.own and tool:
            metric = Metric(
                f"{tool.lower()}_{metric.name}", metric.unit, metric.better, metric.kind
            )
        self.own.add(metric.name)
        self.counts[metric.name] = metric, value

    def measurements(self) -> Iterator[Measurement]:
        for metric, value in self.counts.values():
            yield Measurement(self.benchmark, metric, ((value,),))


def _metric(name: str) -> Metric:
    """The metric of a printed name; which way is better is known of few."""
    if name in _KNOWN:
        return _KNOWN[name]
    words = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if name.endswith(" bytes"):
        return Metric(words, "B", Better.NONE, Kind.SIZE)
    if name.endswith(" Rate"):
        return Metric(words, "%", Better.NONE, Kind.SCORE)
    _, better = kind_and_better(words.replace("_", " "), "1")
    if better is not Better.LOWER:
        better = Better.NONE  # a hit of one cache is a miss of another
    return Metric(words or name, "1", better, Kind.COUNT)


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a bench target."""
    if document.form == "json":
        return (_read_json(document),)
    if document.text.lstrip()[:1] in ("{", "["):
        document.json("iai")
    cases = list(_printed(document.text))
    if not cases:
        raise FormatError("", "it holds no benchmark with a line `Instructions: N`.")
    cycles = _CYCLES.name
    last = cases[-1].counts
    if cycles not in last and any(cycles in one.counts for one in cases):
        raise FormatError(
            f"benchmark {quoted(cases[-1].benchmark.label)}",
            "it has no estimated cycles, as others have; the output is cut off.",
        )
    return (_reading(cases, None),)


def _reading(cases: list[_Case], started_at: int | None) -> Reading:
    found = [one for case in cases for one in case.measurements()]
    check_unique(found, _ADVICE)
    return Reading(Tool("iai"), tuple(found), started_at=started_at)


# ----------------------------------------------------------------------- console


def _printed(text: str) -> Iterator[_Case]:
    header, tool = "", ""
    case: _Case | None = None
    where = ""
    compared = False
    for place, line in lines(text):
        where = f"line {place}"
        if line[:1].strip():
            if case is not None and case.counts:
                yield case
            header, tool, case, compared = line.rstrip(), "", None, False
        elif match := _TOOL.match(line):
            tool = match["tool"]
            if case is not None:
                case.next_tool()
        elif line.startswith("  Comparison with "):
            # Benchmarks of one group held against each other: nothing new.
            compared = True
        elif header and not compared and _BEGIN.match(line):
            match = _ROW.match(line)
            if match is None:
                raise FormatError(where, f"{quoted(line.strip())} is no count.")
            case = case or _Case(_benchmark(header, where))
            if match["value"] != "N/A":
                value = decimal(match["value"], where)
                case.take(match["name"].strip(), value, tool)
    if case is not None and case.counts:
        unfinished = not text.endswith("\n") and _BEGIN.match(text.splitlines()[-1])
        if unfinished and _CYCLES.name not in case.counts:
            raise FormatError(where, "the line does not end; the output is cut off.")
        yield case


def _benchmark(header: str, where: str) -> Benchmark:
    """`file::group::function id:arguments`, or a bare name (iai)."""
    path, _, rest = header.partition(" ")
    id_, _, args = rest.partition(":")
    if "::" not in path or not id_ or " " in id_:
        return Benchmark(get_text(header, where))
    return _named(path, id_, args, where)


def _named(path: str, id_: object, args: object, where: str) -> Benchmark:
    params = []
    if id_:
        params.append(("id", get_text(id_, where)))
    if args:
        params.append(("args", get_text(args, where)))
    return Benchmark(get_text(path, where), tuple(params))


# -------------------------------------------------------------------------- JSON


def _read_json(document: Document) -> Reading:
    values = document.values
    if len(values) == 1 and isinstance(values[0], list):
        values = tuple(values[0])  # put together with jq -s
    cases = [_summary(value, f"benchmark {i}") for i, value in enumerate(values, 1)]
    starts = [
        timestamp(value["started_at"], "started_at")[0]
        for value in values
        if isinstance(value.get("started_at"), str)
    ]
    return _reading(cases, min(starts, default=None))


def _summary(value: Any, where: str) -> _Case:
    """What the summary of one benchmark says, versions 6 and 7."""
    top = get_object(value, where)
    path = get_text(member(top, "module_path", where), f"{where}, module_path")
    args = top.get("details") or top.get("description")
    case = _Case(_named(path, top.get("id"), args, where))
    if "profiles" not in top:
        raise FormatError(
            where,
            f"it is a summary of version {quoted(top.get('version'))}, which is not "
            "read; record what iai-callgrind prints instead.",
        )
    for i, one in enumerate(get_list(top["profiles"], f"{where}, profiles")):
        place = f"{where}, profiles[{i}]"
        profile = get_object(one, place)
        tool = get_text(member(profile, "tool", place), f"{place}, tool", 40)
        case.next_tool()
        for key, metric in _totals(profile, place).items():
            name = _JSON_NAMES.get(tool, {}).get(key)
            count = None if name is None else _new(metric, f"{place}, {quoted(key)}")
            if name is not None and count is not None:
                case.take(name, count, tool)
    return case


def _totals(profile: dict[str, Any], where: str) -> dict[str, Any]:
    """The metrics of a tool over all parts and threads, by their names."""
    if "data" in profile:
        data = get_object(profile["data"], where)
        total = get_object(member(data, "total", where), where)
        return get_object(member(total, "metrics", where), where)
    summaries = get_object(member(profile, "summaries", where), where)
    total = get_object(member(summaries, "total", where), where)
    by_tool = get_object(member(total, "summary", where), where)
    merged: dict[str, Any] = {}
    for metrics in by_tool.values():
        merged.update(get_object(metrics, where))
    return merged


def _new(metric: Any, where: str) -> float | None:
    """The new one of a new and an old value; None where there is only an old one."""
    top = get_object(metric, where)
    if "values" in top:
        value = get_object(top["values"], where).get("new")
    else:
        sides = get_object(member(top, "metrics", where), where)
        both = sides.get("Both")
        value = both[0] if isinstance(both, list) and both else sides.get("Left")
        if isinstance(value, dict):
            value = value.get("Int", value.get("Float"))
    return None if value is None else number(value, where)

"""Ruby's standard benchmark (`bm`, `bmbm`), and benchmark-ips: text, and its JSON."""

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

_DURATION = Metric("duration", "s", Better.LOWER, Kind.DURATION)
_CPU = Metric("cpu_time", "s", Better.LOWER, Kind.DURATION)
_RATE = Metric("throughput", "1/s", Better.HIGHER, Kind.THROUGHPUT)
_TIMES = re.compile(
    r"^(?P<label>.{0,1000}?) *\d+\.\d+ +\d+\.\d+ +(?P<total>\d+\.\d+)"
    r" \( *(?P<real>\d+\.\d+)\)$"
)
_IPS = re.compile(
    r"^\s*(?P<label>\S.{0,1000}?) +(?P<rate>[\d.]+)(?P<scale>[kMBTQ])? "
    r"\(± *(?P<spread>[\d.]+)%\) i/s"
)
_SCALES = {None: 1.0, "k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12, "Q": 1e15}


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of what a Ruby program printed or wrote."""
    if document.form == "json":
        found = list(_reports(document.single("benchmark-ips")))
    else:
        found = [*_times(document.text), *_rates(document.text)]
    if not found:
        raise FormatError(
            "", "it holds no result of Ruby's benchmark or benchmark-ips."
        )
    check_unique(found, "give each report its own label")
    return (Reading(Tool("ruby"), tuple(found)),)


def _times(text: str) -> Iterator[Measurement]:
    """Lines of `bm`; of `bmbm` those after the rehearsal."""
    rows: list[Measurement] = []
    for place, line in lines(text):
        where = f"line {place}"
        if line.startswith("Rehearsal -") or " total: " in line[:200]:
            rows.clear()
        match = _TIMES.match(line)
        if match is None:
            continue
        label = match["label"].strip().removesuffix(":") or "benchmark"
        benchmark = Benchmark(get_text(label, where))
        for metric, group in ((_DURATION, "real"), (_CPU, "total")):
            value = decimal(match[group], where)
            rows.append(Measurement(benchmark, metric, ((value,),)))
    yield from rows


def _rates(text: str) -> Iterator[Measurement]:
    """Lines of benchmark-ips; the percentage is the standard deviation."""
    for place, line in lines(text):
        match = _IPS.match(line)
        if match is None:
            continue
        where = f"line {place}"
        rate = decimal(match["rate"], where) * _SCALES[match["scale"]]
        spread = decimal(match["spread"], where) / 100 * rate
        name = get_text(match["label"].strip(), where)
        summary = Summary(number(rate, where), stddev=number(spread, where))
        yield Measurement(Benchmark(name), _RATE, summary=summary)


def _reports(top: Any) -> Iterator[Measurement]:
    """Reports of `x.json!`."""
    for place, item in enumerate(get_list(top, "top level")):
        where = f"[{place}]"
        report = get_object(item, where)
        name = get_text(member(report, "name", where), f"{where}.name")
        center = report.get("central_tendency", report.get("ips"))
        spread = report.get("error", report.get("stddev"))
        summary = Summary(
            number(center, f"{where}.central_tendency"),
            stddev=None if spread is None else abs(number(spread, f"{where}.error")),
        )
        yield Measurement(Benchmark(name), _RATE, summary=summary)

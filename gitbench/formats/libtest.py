"""libtest's lines `test NAME ... bench: 1,234 ns/iter (+/- 56)`, and its JSON.

Other harnesses print the same line: criterion.rs with `--output-format bencher`,
divan and many by hand.  What stands behind `+/-` differs (libtest: greatest minus
smallest sample; criterion: a standard deviation), so it is not kept.
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
    Status,
    Summary,
    Tool,
)
from gitbench.units import kind_and_better

_DURATION = Metric("duration", "ns", Better.LOWER, Kind.DURATION)
_LINE = re.compile(
    r"^\s*test (?P<name>\S.{0,1000}?)\s+\.\.\. (?:"
    r"bench: +(?P<value>[\d.,]+) (?P<unit>\S+)(?: \(\+/- [\d.,]+\))?"
    r"(?: = (?P<rate>[\d.,]+) (?P<per>\S+/s))?|(?P<failed>FAILED))"
)
_ADVICE = "benchmarks of several crates have one name: record each output with --suite"


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a `cargo bench`."""
    if document.form == "json":
        found = list(_events(document.values))
    else:
        found = list(_printed(document.text))
    if not found:
        raise FormatError("", "it holds no line `test NAME ... bench: N ns/iter`.")
    check_unique(found, _ADVICE)
    return (
        Reading(
            Tool("libtest"),
            tuple(found),
            warnings=(
                "this output has no raw values, only a median; criterion.rs or a "
                "harness with JSON keeps them.",
            ),
        ),
    )


def _printed(text: str) -> Iterator[Measurement]:
    for place, line in lines(text):
        match = _LINE.match(line)
        if match is None:
            continue
        where = f"line {place}"
        benchmark = Benchmark(get_text(match["name"].strip(), where))
        if match["failed"]:
            yield Measurement(
                benchmark, _DURATION, status=Status.FAILED, message="FAILED"
            )
            continue
        yield _median(benchmark, match["value"], match["unit"], where)
        if match["rate"]:
            yield _median(benchmark, match["rate"], match["per"], where)


def _median(benchmark: Benchmark, text: str, unit: str, where: str) -> Measurement:
    summary = Summary(decimal(text, where), of="median")
    unit = unit.removesuffix("/iter")
    metric = _DURATION
    if unit != "ns":
        name = "throughput" if unit.endswith("/s") else get_text(unit, where, 64)
        kind, better = kind_and_better(name, unit)
        if kind is Kind.DURATION:
            name = "duration"
        metric = Metric(name, unit, better, kind)
    return Measurement(benchmark, metric, summary=summary)


def _events(events: tuple[Any, ...]) -> Iterator[Measurement]:
    """Results of `--format json`, one event a line."""
    for place, event in enumerate(events, 1):
        where = f"event {place}"
        if not isinstance(event, dict) or "type" not in event:
            raise FormatError(where, "it is no event of libtest.")
        failed = event["type"] == "test" and event.get("event") == "failed"
        if event["type"] != "bench" and not failed:
            continue
        benchmark = Benchmark(get_text(member(event, "name", where), f"{where}.name"))
        if failed:
            said = event.get("stdout")
            message = said if isinstance(said, str) and said else "failed"
            yield Measurement(
                benchmark, _DURATION, status=Status.FAILED, message=message
            )
            continue
        median = number(member(event, "median", where), f"{where}.median")
        yield Measurement(benchmark, _DURATION, summary=Summary(median, of="median"))
        if event.get("mib_per_second") is not None:
            rate = number(event["mib_per_second"], f"{where}.mib_per_second")
            metric = Metric("throughput", "MiB/s", Better.HIGHER, Kind.THROUGHPUT)
            yield Measurement(benchmark, metric, summary=Summary(rate, of="median"))

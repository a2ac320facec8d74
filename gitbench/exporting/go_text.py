"""Text as `go test -bench` prints it, so that benchstat reads it.

Each value is a line.  The commit is a comment and no header key: benchstat makes a
table of its own for each value of a key, and would compare no two commits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import TextIO
from urllib.parse import quote

from gitbench.exporting import Item
from gitbench.model import Benchmark, Better, Kind, Measurement, Metric, Run, Status
from gitbench.units import base_unit

_STANDARD = {
    ("duration", "s"): ("ns/op", 9),
    ("allocated", "B"): ("B/op", 0),
    ("allocations", "1"): ("allocs/op", 0),
    ("throughput", "B/s"): ("MB/s", -6),
}
"""Metric and base unit -> Go's unit, and by which power of ten it is smaller."""

_SUFFIXES = {"s": ("-ns", 9), "B": ("-bytes", 0)}

_PACKAGE = re.compile(r"(.+?)\.([A-Z_].*)", re.DOTALL)
"""`example.com/p.Sort/n=1`, as our reader of Go text names it."""

_BETTER = {Better.LOWER: "lower", Better.HIGHER: "higher"}


def write(items: Iterable[Item], out: TextIO) -> tuple[str, ...]:
    """Write the runs of one commit."""
    centers = 0
    known: set[str] = set()
    for item in items:
        run = item.run
        out.write(f"# commit {run.commit}, run {item.id}\n")
        _header(out, run)
        package = ""
        for one in run.measurements:
            home, name = benchmark_name(one.benchmark, go=run.tool.name == "go")
            if home != package:
                out.write(f"pkg: {home}\n")
                package = home
            if one.status is not Status.OK:
                word = "FAIL" if one.status is Status.FAILED else "SKIP"
                out.write(f"--- {word}: {name}\n")
                if one.message:
                    out.write(f"    {_line(one.message)}\n")
                continue
            unit, power = go_unit(one.metric)
            if unit not in known:
                known.add(unit)
                _declare(out, unit, one.metric)
            centers += not one.processes
            for value in _values(one):
                out.write(f"{name} 1 {_number(value, one.metric, power)} {unit}\n")
    if not centers:
        return ()
    return (
        f"{centers} measurements came without raw values; one line with their center "
        "stands for each.",
    )


def _header(out: TextIO, run: Run) -> None:
    facts = dict(run.testbed.facts)
    keys = {
        "suite": run.suite,
        "testbed": run.testbed.name,
        "goos": facts.get("os", "").lower(),
        "goarch": facts.get("arch", ""),
        "cpu": facts.get("cpu", ""),
    }
    for key, value in keys.items():
        if value.strip():
            out.write(f"{key}: {_line(value)}\n")


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text).strip()[:1000]


def benchmark_name(benchmark: Benchmark, *, go: bool = False) -> tuple[str, str]:
    """A benchmark's package, empty if it has none, and its name as Go would print it.

    Blanks, `%` and what is not printable are percent-encoded.  Parameters are parts of
    the name, `/n=100`, which benchstat can sort and compare by.  A name that begins in
    lower case gets an underscore, since `Benchmarksort` is no benchmark of Go.
    """
    package, name = "", benchmark.name
    found = _PACKAGE.fullmatch(name) if go else None
    if found and found[1] == _encoded(found[1]):
        package, name = found[1], found[2]
    name = _encoded(name)
    if not (name[0].isupper() or name[0] == "_"):
        name = f"_{name}"
    suffix = ""
    for key, value in benchmark.params:
        if key == "gomaxprocs" and value.isascii() and value.isdigit():
            suffix = f"-{value}"
        else:
            name += f"/{_encoded(key, '/=')}={_encoded(value, '/')}"
    if not suffix:
        # It would read as GOMAXPROCS.
        name = re.sub(r"-(\d+)$", r"%2D\1", name)
    return package, f"Benchmark{name}{suffix}"


def _encoded(text: str, special: str = "") -> str:
    return "".join(
        quote(c, safe="")
        if c.isspace() or not c.isprintable() or c == "%" or c in special
        else c
        for c in text
    ).replace("/", "%2F" if "/" in special else "/")


def go_unit(metric: Metric) -> tuple[str, int]:
    """Go's unit for a metric, and by which power of ten it is smaller than the
    metric's base unit."""
    base = base_unit(metric.unit)[0]
    if (metric.name, base) in _STANDARD:
        return _STANDARD[metric.name, base]
    name = _encoded(metric.name)
    ending, power = _SUFFIXES.get(
        base, ("" if base == "1" else f"-{_encoded(base)}", 0)
    )
    return (name if name.endswith(ending) else f"{name}{ending}"), power


def _declare(out: TextIO, unit: str, metric: Metric) -> None:
    """A `Unit` line, where Go's tools do not know the unit by themselves."""
    words = []
    if unit not in ("ns/op", "B/op", "allocs/op", "MB/s") and metric.better in _BETTER:
        words.append(f"better={_BETTER[metric.better]}")
    if metric.kind is Kind.EXACT:
        words.append("assume=exact")
    if words:
        out.write(f"Unit {unit} {' '.join(words)}\n")


def _values(one: Measurement) -> list[float]:
    if one.processes:
        return [value for values in one.processes for value in values]
    if one.summary is not None:
        return [one.summary.center]
    assert one.passes is not None
    assert one.trials is not None
    return [one.passes / one.trials]


def _number(value: float, metric: Metric, power: int) -> str:
    """A value in Go's unit; powers of ten change no digit."""
    factor = Decimal(repr(base_unit(metric.unit)[1])).scaleb(power)
    return repr(float(Decimal(repr(value)) * factor))

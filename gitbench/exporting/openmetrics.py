"""OpenMetrics text with time stamps, to backfill a time series database.

One gauge family a metric and unit.  What tells series apart are labels of few values:
benchmark, params, suite, testbed, fingerprint (and repository).  The commit is none of
them: each commit would begin series of its own, one point long, and a database pays by
the series.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TextIO

from gitbench.exporting import Item
from gitbench.store.facts import point_of

Labels = tuple[tuple[str, str], ...]

_UNITS = {
    "s": "seconds",
    "B": "bytes",
    "1": "",
    "1/s": "per_second",
    "B/s": "bytes_per_second",
}


@dataclass(slots=True)
class _Family:
    unit: str
    metric: str
    series: dict[Labels, dict[int, float]] = field(default_factory=dict)
    """Labels -> time in ms -> value."""


def write(items: Iterable[Item], out: TextIO) -> tuple[str, ...]:
    """Write the centers of all measurements, base units, each series in the order of
    time; only labels and numbers are held in memory."""
    families: dict[str, _Family] = {}
    bare = doubled = 0
    for item in items:
        for one in item.run.measurements:
            point = point_of(one)
            if point.center is None:
                bare += 1
                continue
            name, unit = family_name(one.metric.name, point.series.unit)
            family = families.setdefault(name, _Family(unit, one.metric.name))
            labels = _labels(item, one.benchmark.name, one.benchmark.params)
            labels += (("metric", one.metric.name), ("unit", point.series.unit))
            times = family.series.setdefault(labels, {})
            doubled += item.run.started_at in times
            times.setdefault(item.run.started_at, point.center)
    for name in sorted(families):
        _write_family(out, name, families[name])
    out.write("# EOF\n")
    return tuple(_warnings(bare, doubled))


def family_name(metric: str, base_unit: str) -> tuple[str, str]:
    """The name of the family of a metric, and its unit, with which the name ends."""
    unit = _UNITS.get(base_unit)
    unit = _word(base_unit) if unit is None else unit
    name = f"gitbench_{_word(metric)}"
    if unit and not name.endswith(f"_{unit}"):
        name = f"{name}_{unit}"
    return name, unit


def _word(text: str) -> str:
    """Letters, digits and underscores, as names of families are made of."""
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_") or "other"


def _labels(item: Item, name: str, params: Labels) -> Labels:
    run = item.run
    pairs = [("benchmark", name)]
    if params:
        pairs.append(("params", ", ".join(f"{k}={v}" for k, v in params)))
    pairs += [
        ("suite", run.suite),
        ("testbed", run.testbed.name),
        ("fingerprint", run.testbed.fingerprint),
    ]
    if item.repository is not None:
        pairs.append(("repository", item.repository))
    return tuple(pairs)


def _write_family(out: TextIO, name: str, family: _Family) -> None:
    out.write(f"# TYPE {name} gauge\n")
    if family.unit:
        out.write(f"# UNIT {name} {family.unit}\n")
    out.write(f"# HELP {name} Centers of {_escaped(family.metric)}, by gitbench.\n")
    for labels, times in family.series.items():
        told = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels)
        for time in sorted(times):
            out.write(f"{name}{{{told}}} {times[time]!r} {_seconds(time)}\n")


def _seconds(milliseconds: int) -> str:
    """Seconds with three decimals, exactly."""
    sign = "-" if milliseconds < 0 else ""
    whole, rest = divmod(abs(milliseconds), 1000)
    return f"{sign}{whole}.{rest:03}"


_CONTROLS = dict.fromkeys((*range(32), 127, *range(128, 160)), " ")
_CONTROLS |= {0x0A: "\\n", 0x5C: "\\\\", 0x22: '\\"', 0x2028: " ", 0x2029: " "}


def _escaped(text: str) -> str:
    """As the format escapes label values; other control characters become blanks."""
    return text.translate(_CONTROLS)


def _warnings(bare: int, doubled: int) -> Iterable[str]:
    if bare:
        yield f"{bare} measurements failed or have no center; they have no point."
    if doubled:
        yield (
            f"{doubled} measurements began at the same millisecond as another of their "
            "series; of such the first is written."
        )

"""The notes of git-perf and git-metrics, as bytes by commit.

git-perf: a line a value, `epoch name time value key=value...`, separated by 0x1C
since version 2 and by blanks, without the epoch, in version 1.  A value has no unit,
unless a tag `unit` tells it.  Values of one commit within ten minutes are one run;
each came from a process of its own.

git-metrics: TOML, a table a value, without times.  Of equal names and tags the last
one counts, as it does for the tool.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from gitbench.formats.document import FormatError, decode, number
from gitbench.formats.github_action_benchmark import metric_of
from gitbench.importing import Point, Skipped
from gitbench.model import (
    MAX_TIME,
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    ModelError,
    Reading,
    Tool,
)
from gitbench.units import kind_and_better

GAP_MS = 600_000
"""Values of one commit further apart are of several runs: what sessions are told
apart by as well."""

_SPREADS = frozenset(("mad", "std_dev", "stddev", "std-dev"))
"""Values of the tag `statistic` that say how much values differ."""

Note = tuple[str, bytes]
"""Id of the commit, and what its note holds."""


def read_git_perf(notes: Iterable[Note]) -> Iterator[Point | Skipped]:
    """The runs of git-perf's notes, commit by commit."""
    for commit, data in notes:
        rows: list[_Row] = []
        for count, line in enumerate(data.split(b"\n"), 1):
            if not line.strip():
                continue
            row = _row(line)
            if row is None:
                yield Skipped("bad-value", f"{commit[:12]}, line {count}")
            else:
                rows.append(row)
        yield from _git_perf_runs(commit, rows)


class _Row(NamedTuple):
    """One value of git-perf."""

    time_ms: int
    name: str
    tags: tuple[tuple[str, str], ...]
    value: float
    epoch: str
    """`""` where there is none."""


def _row(line: bytes) -> _Row | None:
    try:
        text = line.decode("utf-8").strip("\r")
    except UnicodeDecodeError:
        return None
    new = "\x1c" in text
    parts = text.split("\x1c") if new else text.split()
    epoch = ""
    if new and parts:
        epoch, *parts = parts
        epoch = "" if epoch.strip("0") == "" else epoch[:64]
    if len(parts) < 3 or not parts[0]:
        return None
    name, time, value, *rest = parts
    try:
        seconds, center = float(time), float(value)
    except ValueError:
        return None
    if not (math.isfinite(center) and 0 <= seconds * 1000 <= MAX_TIME):
        return None
    tags = {}
    for tag in rest:
        key, equals, content = tag.partition("=")
        if not equals or not key:
            return None
        tags[key] = content
    return _Row(round(seconds * 1000), name, tuple(sorted(tags.items())), center, epoch)


def _git_perf_runs(commit: str, rows: list[_Row]) -> Iterator[Point | Skipped]:
    rows.sort()
    start = 0
    for place in range(1, len(rows) + 1):
        whole = place == len(rows)
        if whole or rows[place].time_ms - rows[place - 1].time_ms > GAP_MS:
            yield from _git_perf_run(commit, rows[start:place])
            start = place


def _git_perf_run(commit: str, rows: list[_Row]) -> Iterator[Point | Skipped]:
    """The run of values that belong together; several where the epoch of a benchmark
    changed among them, as one run has one of each."""
    found: dict[tuple[str, Any], dict[str, list[float]]] = {}
    for row in rows:
        versions = found.setdefault((row.name, row.tags), {})
        versions.setdefault(row.epoch, []).append(row.value)
    data = repr([(one.time_ms, *one[1:]) for one in rows]).encode()
    for turn in range(max(map(len, found.values()))):
        measurements = []
        for (name, tags), versions in found.items():
            if turn >= len(versions):
                continue
            epoch = list(versions)[turn]
            place = f"{commit[:12]}, {name!r:.80}"
            try:
                measurements.append(_measured(name, tags, epoch, versions[epoch]))
            except (ModelError, FormatError) as exc:
                yield Skipped("broken", place, str(exc))
        if measurements:
            reading = Reading(
                Tool("git-perf"),
                tuple(measurements),
                started_at=rows[0].time_ms,
                commit=commit,
            )
            yield Point(reading, b"%d:" % turn + data, commit[:12])


def _measured(
    name: str, tags: tuple[tuple[str, str], ...], epoch: str, values: list[float]
) -> Measurement:
    params = dict(tags)
    metric = _metric(name, params.pop("unit", ""), params.get("statistic", ""))
    return Measurement(
        Benchmark(name, tuple(params.items())),
        metric,
        tuple([(value,) for value in values]),
        version=epoch or None,
    )


def _metric(name: str, unit: str, statistic: str = "") -> Metric:
    """The metric of a value whose unit may be unknown; then its name may tell."""
    metric = metric_of(unit, None, "unit")
    kind, better = metric.kind, metric.better
    if better is Better.NONE:
        kind, better = kind_and_better(name, metric.unit)
    if kind is Kind.PROPORTION:
        kind = Kind.SCORE
    if statistic.lower() in _SPREADS:
        better = Better.NONE
    return Metric(metric.name, metric.unit, better, kind)


# -------------------------------------------------------------------- git-metrics


def read_git_metrics(notes: Iterable[Note]) -> Iterator[Point | Skipped]:
    """The runs of git-metrics' notes: one a commit."""
    import tomllib

    for commit, data in notes:
        try:
            content = tomllib.loads(decode(data))
        except (ValueError, FormatError, RecursionError) as exc:
            # Not only TOMLDecodeError: Python converts no integer of 5,000 digits.
            yield Skipped("broken", commit[:12], str(exc))
            continue
        rows = content.get("metrics")
        found: dict[tuple[Benchmark, str], Measurement] = {}
        for i, row in enumerate(rows if isinstance(rows, list) else []):
            try:
                one = _git_metric(row)
            except (ModelError, FormatError) as exc:
                yield Skipped("bad-value", f"{commit[:12]}, metrics[{i}]", str(exc))
                continue
            found[one.benchmark, one.metric.name] = one
        if not found:
            yield Skipped("no-result", commit[:12])
            continue
        reading = Reading(Tool("git-metrics"), tuple(found.values()), commit=commit)
        told = repr(
            [
                (m.benchmark.name, m.benchmark.params, m.metric.unit, m.processes)
                for m in found.values()
            ]
        )
        yield Point(reading, told.encode(), commit[:12])


def _git_metric(row: Any) -> Measurement:
    if not isinstance(row, dict):
        raise FormatError("", "it is no table.")
    name, value, tags = row.get("name"), row.get("value"), row.get("tags", {})
    if not isinstance(name, str):
        raise FormatError("name", "it is no text.")
    if not isinstance(tags, dict):
        raise FormatError("tags", "they are no table.")
    params = {key: str(content)[:1024] for key, content in tags.items()}
    metric = _metric(name, params.pop("unit", ""))
    return Measurement(
        Benchmark(name, tuple(params.items())), metric, ((number(value, "value"),),)
    )

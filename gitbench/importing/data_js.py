"""github-action-benchmark's `data.js`: all points of all suites of a gh-pages branch.

The file is JavaScript that assigns one JSON object; it is parsed as JSON and never
executed.  Each point is a run: one commit may have several, and dates stand in the
order in which jobs ended.  Which way is better the tool's name tells for custom
results; for all others the unit does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from gitbench.formats.document import (
    MAX_MEASUREMENTS,
    FormatError,
    commit_id,
    decode,
    get_list,
    get_object,
    get_text,
    inflate,
    member,
    parse_json,
    quoted,
)
from gitbench.formats.github_action_benchmark import metric_of, value_of
from gitbench.formats.go import metric_of as go_metric
from gitbench.importing import Point, Skipped
from gitbench.model import (
    MAX_TIME,
    MIN_TIME,
    Benchmark,
    Better,
    Measurement,
    Metric,
    ModelError,
    Reading,
    Tool,
)

_START = re.compile(r"\s*window\.BENCHMARK_DATA\s*=\s*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_TOLD = {
    "customBiggerIsBetter": Better.HIGHER,
    "customSmallerIsBetter": Better.LOWER,
}


def is_data_js(data: bytes) -> bool:
    """Whether a file is a `data.js`, by its start."""
    return b"window.BENCHMARK_DATA" in data[:200]


def read(data: bytes) -> Iterator[Point | Skipped]:
    """The points of every suite, in the file's order.

    Raises FormatError, before the first point, if the file is no `data.js`.
    """
    return points_of(parse(data))


Suites = list[tuple[str, list[Any]]]
"""The points of each suite, as they stand in the file."""


def parse(data: bytes) -> Suites:
    """What the file holds; raises FormatError if it is no `data.js`."""
    top = _parse(decode(inflate(data)))
    entries = get_object(member(top, "entries", ""), "entries")
    return [
        (suite, get_list(points, f"entries[{quoted(suite)}]"))
        for suite, points in entries.items()
    ]


def points_of(suites: Suites) -> Iterator[Point | Skipped]:
    """A run of each point, or why it is none."""
    for suite, points in suites:
        for i, point in enumerate(points):
            place = f"entries[{quoted(suite)}][{i}]"
            try:
                yield from _point(suite, point, place)
            except (FormatError, ModelError) as exc:
                yield Skipped("broken", place, str(exc))


def _parse(text: str) -> dict[str, Any]:
    """The object that the script assigns."""
    start = _START.match(text)
    body = text[start.end() if start else 0 :].rstrip().removesuffix(";")
    try:
        values = parse_json(body)
    except FormatError as exc:
        if "Invalid \\escape" not in exc.reason:
            raise
        # In JavaScript, which it is, a backslash before any other sign is that sign.
        values = parse_json(_ESCAPE.sub(_as_json, body))
    if len(values) != 1:
        raise FormatError("", "it is no data.js: it holds no single JSON object.")
    return get_object(values[0], "top level")


def _as_json(found: re.Match[str]) -> str:
    sign = found[1]
    return found[0] if sign in '"\\/bfnrtu' else sign


def _point(suite: str, value: Any, place: str) -> Iterator[Point | Skipped]:
    point = get_object(value, place)
    commit = get_object(member(point, "commit", place), f"{place}.commit")
    tool = point.get("tool")
    tool = tool if isinstance(tool, str) else ""
    rows = get_list(member(point, "benches", place), f"{place}.benches")
    values: dict[tuple[Benchmark, Metric], list[float]] = {}
    suffixed = _suffixed(rows) if tool == "go" else frozenset()
    for i, row in enumerate(rows):
        where = f"{place}.benches[{i}]"
        try:
            if not isinstance(row, dict):
                raise FormatError(where, "it must be an object.")
            name, unit = row.get("name"), row.get("unit")
            if type(name) is not str or (unit is not None and type(unit) is not str):
                get_text(name, f"{where}.name")
                get_text(unit, f"{where}.unit", 64)
            if suffixed and (name, unit) in suffixed:
                continue  # newer versions write the first metric twice
            key = _key(tool, name, unit)
            number = value_of(row.get("value"), f"{where}.value")
        except (FormatError, ModelError) as exc:
            yield Skipped("bad-value", where, str(exc))
            continue
        values.setdefault(key, []).append(number)
    if not values or len(values) > MAX_MEASUREMENTS:
        yield Skipped("too-large" if values else "no-result", place)
        return
    id_, date = commit.get("id"), point.get("date")
    reading = Reading(
        tool=Tool("github-action-benchmark"),
        measurements=tuple(
            [
                Measurement(benchmark, metric, (tuple(some),))
                for (benchmark, metric), some in values.items()
            ]
        ),
        suite=suite or None,
        started_at=_time(date),
        commit=id_.lower() if isinstance(id_, str) else None,
        tree=commit_id(commit.get("tree_id")),
        tags=(("tool", tool),) if 0 < len(tool) <= 64 and tool.isprintable() else (),
    )
    told = json.dumps([suite, id_, date, tool, rows], separators=(",", ":"))
    yield Point(reading, told.encode(), place)


def _time(date: object) -> int | None:
    if type(date) not in (int, float):
        return None
    assert isinstance(date, int | float)
    return int(date) if MIN_TIME <= date <= MAX_TIME else None


def _suffixed(rows: list[Any]) -> frozenset[tuple[str, str]]:
    """Names and units that stand there once more as `NAME - UNIT`."""
    found = set()
    for row in rows:
        if isinstance(row, dict):
            name, unit = row.get("name"), row.get("unit")
            if isinstance(name, str) and isinstance(unit, str):
                base = name.removesuffix(f" - {unit}")
                if base != name:
                    found.add((base, unit))
    return frozenset(found)


@lru_cache(maxsize=65_536)
def _key(tool: str, name: str, unit: str | None) -> tuple[Benchmark, Metric]:
    """What a row measures; a history repeats the same few rows for years."""
    if tool == "go" and unit:
        base = name.removesuffix(f" - {unit}")
        return Benchmark(base), go_metric(unit, {})
    return Benchmark(name), metric_of(unit, _TOLD.get(tool), "unit")

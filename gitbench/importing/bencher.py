"""What Bencher's API tells of a project: its reports, or a perf query, as JSON.

Reports (`GET /v0/projects/PROJECT/reports?expand=true`) are complete runs; a perf
query (`.../perf?...`) holds series, whose points are put together by report.  The
commit is the version's hash.  Iterations of one report are processes of one run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gitbench.formats.bencher import MEASURES
from gitbench.formats.document import (
    FormatError,
    decode,
    get_list,
    get_object,
    get_text,
    inflate,
    member,
    number,
    parse_json,
    quoted,
    timestamp,
)
from gitbench.importing import Point, Skipped
from gitbench.model import (
    Benchmark,
    Kind,
    Measurement,
    Metric,
    ModelError,
    Reading,
    Summary,
    Tool,
)
from gitbench.units import kind_and_better

_Rows = list[tuple[Benchmark, dict[str, Any], dict[str, Any], object]]
"""A benchmark, its measure, what was measured, and in which iteration."""


def is_bencher(value: object) -> bool:
    """Whether a JSON value is an answer of Bencher's API."""
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and "project" in first and "results" in first


def read(data: bytes) -> Iterator[Point | Skipped]:
    """The runs of one answer, or of several, one after the other in one file.

    Raises FormatError, before the first, if it is none.
    """
    return points_of(parse(data))


def parse(data: bytes) -> list[dict[str, Any]]:
    """The reports and perf queries of a file; raises FormatError if it has others."""
    found = [
        one
        for value in parse_json(decode(inflate(data)))
        for one in (value if isinstance(value, list) else [value])
    ]
    for one in found:
        if not is_bencher(one):
            raise FormatError(
                "",
                "it is no answer of Bencher's API: reports and perf queries have "
                "'project' and 'results'.",
            )
    return found


def points_of(found: list[dict[str, Any]]) -> Iterator[Point | Skipped]:
    """The runs of each report or query, or why there is none."""
    for i, one in enumerate(found):
        place = f"[{i}]"
        try:
            yield from _report(one, place) if "branch" in one else _perf(one, place)
        except (FormatError, ModelError) as exc:
            yield Skipped("broken", place, str(exc))


def _report(report: dict[str, Any], place: str) -> Iterator[Point | Skipped]:
    results = report.get("results")
    if isinstance(results, int):
        yield Skipped("collapsed", place)
        return
    branch = get_object(report["branch"], f"{place}.branch")
    rows: _Rows = []
    for i, iteration in enumerate(get_list(results, f"{place}.results")):
        for j, item in enumerate(get_list(iteration, f"{place}.results[{i}]")):
            where = f"{place}.results[{i}][{j}]"
            result = get_object(item, where)
            benchmark = _benchmark(result, where)
            for told in get_list(result.get("measures"), f"{where}.measures"):
                pair = get_object(told, f"{where}.measures")
                rows.append(
                    (
                        benchmark,
                        get_object(pair.get("measure"), f"{where}.measure"),
                        get_object(pair.get("metric"), f"{where}.metric"),
                        i,
                    )
                )
    version = _inside(branch, "head", "version") or _inside(branch, "version")
    bed = _name(report.get("testbed"), f"{place}.testbed")
    yield _point(rows, version, bed, report.get("start_time"), place)


def _perf(query: dict[str, Any], place: str) -> Iterator[Point | Skipped]:
    """The runs of a perf query: points of one report and testbed belong together."""
    groups: dict[tuple[str, str, str], tuple[dict[str, Any], _Rows]] = {}
    for i, item in enumerate(get_list(query.get("results"), f"{place}.results")):
        where = f"{place}.results[{i}]"
        series = get_object(item, where)
        benchmark = _benchmark(series, where)
        bed = _name(series.get("testbed"), f"{where}.testbed")
        measure = get_object(series.get("measure"), f"{where}.measure")
        for told in get_list(series.get("metrics"), f"{where}.metrics"):
            point = get_object(told, f"{where}.metrics")
            version = _inside(point, "version")
            start = point.get("start_time")
            key = (bed, str(point.get("report") or version), str(start))
            _, rows = groups.setdefault(key, (point, []))
            metric = get_object(point.get("metric"), f"{where}.metric")
            rows.append((benchmark, measure, metric, point.get("iteration")))
    for n, ((bed, _, _), (point, rows)) in enumerate(groups.items()):
        yield _point(
            rows,
            _inside(point, "version"),
            bed,
            point.get("start_time"),
            f"{place}#{n}",
        )


def _point(
    rows: _Rows, version: dict[str, Any], bed: str, start: object, place: str
) -> Point | Skipped:
    if not rows:
        return Skipped("no-result", place)
    id_ = version.get("hash")
    grouped: dict[tuple[Benchmark, Metric], list[dict[str, Any]]] = {}
    seen = set()
    for benchmark, measure, told, iteration in rows:
        key = (benchmark, _metric(measure, place))
        if (key, repr(iteration)) in seen:
            raise FormatError(
                place, f"{quoted(benchmark.label)} is twice in one iteration of it."
            )
        seen.add((key, repr(iteration)))
        grouped.setdefault(key, []).append(told)
    started, naive = (
        timestamp(start, f"{place}.start_time")
        if isinstance(start, str)
        else (None, False)
    )
    reading = Reading(
        Tool("bencher"),
        tuple([_measured(*key, some, place) for key, some in grouped.items()]),
        started_at=started,
        naive_time=naive,
        commit=id_.lower() if isinstance(id_, str) else None,
        testbed_name=bed,
    )
    data = json.dumps(
        [
            [one.benchmark.label, one.metric.name, one.processes, _plain(one.summary)]
            for one in reading.measurements
        ]
        + [id_, bed, start]
    )
    return Point(reading, data.encode(), place)


def _plain(summary: Summary | None) -> list[float | None] | None:
    if summary is None:
        return None
    return [summary.center, summary.low, summary.high]


def _measured(
    benchmark: Benchmark, metric: Metric, told: list[dict[str, Any]], place: str
) -> Measurement:
    values = [number(member(one, "value", place), f"{place}.value") for one in told]
    low, high = told[0].get("lower_value"), told[0].get("upper_value")
    if len(values) > 1 or (low is None and high is None):
        return Measurement(benchmark, metric, tuple([(value,) for value in values]))
    summary = Summary(
        values[0],
        low=None if low is None else number(low, f"{place}.lower_value"),
        high=None if high is None else number(high, f"{place}.upper_value"),
    )
    return Measurement(benchmark, metric, summary=summary)


def _metric(measure: dict[str, Any], place: str) -> Metric:
    """A measure with its unit, `nanoseconds (ns)` or in words."""
    slug = get_text(measure.get("slug") or measure.get("name"), f"{place}.measure")
    if slug in MEASURES:
        return MEASURES[slug]
    unit = measure.get("units")
    unit = unit.strip() if isinstance(unit, str) else ""
    if unit.endswith(")"):
        unit = unit[unit.rfind("(") + 1 : -1]
    if unit == "units" or not 0 < len(unit) <= 64:
        unit = "1"  # `Measure (units)` stands for none
    kind, better = kind_and_better(slug, unit)
    return Metric(slug, unit, better, Kind.SCORE if kind is Kind.PROPORTION else kind)


def _benchmark(owner: dict[str, Any], where: str) -> Benchmark:
    """The benchmark with the parameters that newer servers give it."""
    name = _name(owner.get("benchmark"), f"{where}.benchmark")
    for holder in (owner, _inside(owner, "variant"), _inside(owner, "parameter")):
        told = holder.get("parameters")
        if isinstance(told, dict):
            return Benchmark(
                name, tuple((key, str(value)[:1024]) for key, value in told.items())
            )
    return Benchmark(name)


def _name(owner: object, where: str) -> str:
    return get_text(get_object(owner, where).get("name"), f"{where}.name")


def _inside(owner: dict[str, Any], *keys: str) -> dict[str, Any]:
    """The object under these keys, one in the other; {} if there is none."""
    found: Any = owner
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}

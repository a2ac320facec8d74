"""vitest bench: `--outputJson` up to 4, `--reporter=json` from 5 on.

A name is the file's (its last component from 5 on, since only an absolute path is
given), the titles of the groups, and the benchmark's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitbench.formats.document import (
    Document,
    check_unique,
    get_list,
    get_object,
    get_text,
    member,
    number,
)
from gitbench.formats.tinybench import DURATION, duration
from gitbench.model import Benchmark, Measurement, Reading, Status, Tool

_LATEST = 253_402_300_799_999


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a vitest report."""
    top = get_object(document.single("vitest"), "top level")
    if "files" in top:
        found = list(_outputs(top))
        advice = "vitest 5 keeps raw values, with benchmark.retainSamples in its config"
    else:
        found = list(_report(top))
        advice = "set benchmark.retainSamples in vitest's config to keep them"
    check_unique(found, "give each benchmark of a file its own name")
    bare = sum(one.summary is not None for one in found)
    warnings: tuple[str, ...] = ()
    if bare:
        warnings = (f"{bare} of {len(found)} benchmarks have no raw values; {advice}.",)
    return (
        Reading(
            Tool("vitest"),
            tuple(found),
            started_at=_started(top.get("startTime")),
            warnings=warnings,
        ),
    )


def _started(value: object) -> int | None:
    if value is None:
        return None
    time = number(value, "startTime")
    return int(time) if 0 < time <= _LATEST else None


def _outputs(top: dict[str, Any]) -> Iterator[Measurement]:
    """Benchmarks of `--outputJson`."""
    for i, file in enumerate(get_list(top["files"], "files")):
        place = f"files[{i}]"
        groups = get_list(member(get_object(file, place), "groups", place), place)
        for j, item in enumerate(groups):
            where = f"{place}.groups[{j}]"
            group = get_object(item, where)
            title = get_text(member(group, "fullName", where), f"{where}.fullName")
            rows = get_list(member(group, "benchmarks", where), f"{where}.benchmarks")
            for k, row in enumerate(rows):
                here = f"{where}.benchmarks[{k}]"
                yield _benchmark(title, get_object(row, here), here)


def _benchmark(title: str, row: dict[str, Any], where: str) -> Measurement:
    name = get_text(member(row, "name", where), f"{where}.name")
    benchmark = Benchmark(get_text(f"{title} > {name}", f"{where}.name"))
    if row.get("mean") is None:
        # vitest writes no numbers for one that threw, and does not say why.
        message = "it has no result: it threw, or did not run"
        return Measurement(benchmark, DURATION, status=Status.FAILED, message=message)
    return duration(benchmark, row, where)


def _report(top: dict[str, Any]) -> Iterator[Measurement]:
    """Benchmarks of the JSON reporter; references from stored results are left out."""
    files = get_list(member(top, "testResults", "top level"), "testResults")
    for i, item in enumerate(files):
        place = f"testResults[{i}]"
        file = get_object(item, place)
        path = get_text(member(file, "name", place), f"{place}.name", 4096)
        base = path.replace("\\", "/").rpartition("/")[2] or "file"
        results = get_list(file.get("assertionResults", []), place)
        for j, result in enumerate(results):
            where = f"{place}.assertionResults[{j}]"
            yield from _test(base, get_object(result, where), where)


def _test(base: str, result: dict[str, Any], where: str) -> Iterator[Measurement]:
    """The tasks of one test; a test that failed before it had any is failed itself."""
    benchmarks = get_list(result.get("benchmarks") or [], f"{where}.benchmarks")
    for i, item in enumerate(benchmarks):
        place = f"{where}.benchmarks[{i}]"
        group = get_object(item, place)
        title = get_text(member(group, "name", place), f"{place}.name")
        tasks = get_list(member(group, "tasks", place), f"{place}.tasks")
        for k, one in enumerate(tasks):
            here = f"{place}.tasks[{k}]"
            task = get_object(one, here)
            if task.get("fromStore") is True:
                continue
            name = get_text(member(task, "name", here), f"{here}.name")
            label = f"{base} > {title}" + ("" if title.endswith(name) else f" > {name}")
            benchmark = Benchmark(get_text(label, f"{here}.name"))
            latency = get_object(member(task, "latency", here), f"{here}.latency")
            yield duration(benchmark, latency, f"{here}.latency")
    if not benchmarks and result.get("status") == "failed":
        titles = [
            *_titles(result.get("ancestorTitles")),
            *_titles([result.get("title")]),
        ]
        benchmark = Benchmark(get_text(" > ".join([base, *titles]), f"{where}.title"))
        said = result.get("failureMessages")
        message = str(said[0])[:4000] if isinstance(said, list) and said else "failed"
        yield Measurement(benchmark, DURATION, status=Status.FAILED, message=message)


def _titles(value: object) -> list[str]:
    return (
        [one for one in value if isinstance(one, str)]
        if isinstance(value, list)
        else []
    )

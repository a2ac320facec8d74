"""Budget of the readers: a large file of each tool, to parsing it with the library.

A file is made from a real result of the tool, whose rows are repeated under other
names until it is as large as asked for or has as many measurements as one run may
have.  Where a row has raw values, it then gets as many more as make up the size.
"""

from __future__ import annotations

import csv
import gc
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import Context, Finding, Timing, ratio

DATA = Path(__file__).parents[1] / "tests" / "data"
LIMIT = 2.0
MEASUREMENTS = 99_000
"""Just below what one run may hold."""
NAME = "@@"
"""Stands for a number in the pattern of a row."""


@dataclass(frozen=True)
class Pattern:
    """A file as it is repeated."""

    head: str
    row: str
    """With NAME in it."""
    tail: str
    measurements: int = 1
    """Of one row."""
    between: str = ",\n"

    def file(self, size: int) -> bytes:
        """About `size` bytes, if the number of measurements allows."""
        count = min(
            MEASUREMENTS // self.measurements,
            max(1, size // (len(self.row) + len(self.between))),
        )
        rows = self.between.join(
            [self.row.replace(NAME, str(number)) for number in range(count)]
        )
        return (self.head + rows + self.tail).encode()


Make = Callable[[int], Pattern]
"""The pattern for a file of so many bytes."""


# ------------------------------------------------------------------ how to repeat


def _load(name: str) -> Any:
    from gitbench.formats.document import inflate, parse_json

    values = parse_json(inflate((DATA / name).read_bytes()).decode())
    return values[0] if len(values) == 1 else values


def _around(top: Any, inner: list[Any] | dict[str, Any]) -> tuple[str, str]:
    """What stands before and after the content of a part of a JSON value."""
    inner.clear()
    if isinstance(inner, dict):
        inner["##"] = 0
        mark = '"##": 0'
    else:
        inner.append("##")
        mark = '"##"'
    head, _, tail = json.dumps(top, indent=1, ensure_ascii=False).partition(mark)
    return head, tail


def _numbers(count: int) -> list[float]:
    """Values with the digits of real ones."""
    return [0.001 + (n * 7919 % 100_003) * 1.0000000017e-8 for n in range(count)]


def _grown(values: list[Any], size: int, row: str, measurements: int) -> int:
    """How many values a row needs to make the file large enough."""
    missing = size * measurements // MEASUREMENTS - len(row)
    return max(len(values), len(values) + missing // 24)


def _listed(
    name: str,
    path: tuple[Any, ...],
    rename: Callable[[Any], None],
    values: tuple[tuple[Any, ...], ...] = (),
    measurements: int = 1,
    pick: int = 0,
) -> Make:
    """A JSON file with a list of rows at `path`, of which that at `pick` is repeated;
    `values` are the paths of lists of numbers in it."""

    def make(size: int) -> Pattern:
        top = _load(name)
        rows = _at(top, path)
        row = rows[pick]
        rename(row)
        count = 0
        for place in values:
            text = json.dumps(row)
            count = count or _grown(_at(row, place), size, text, measurements)
            owner = _at(row, place)
            whole = bool(owner) and isinstance(owner[0], int)
            more = [1] * count if whole else _numbers(count)
            owner[:] = more
        head, tail = _around(top, rows)
        return Pattern(head, json.dumps(row, ensure_ascii=False), tail, measurements)

    return make


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _set(*path: Any, to: str = f"bench {NAME}") -> Callable[[Any], None]:
    """Puts a name with NAME into a row."""

    def rename(row: Any) -> None:
        _at(row, path[:-1])[path[-1]] = to

    return rename


def _all(*some: Callable[[Any], None]) -> Callable[[Any], None]:
    def rename(row: Any) -> None:
        for one in some:
            one(row)

    return rename


def _google(size: int) -> Pattern:
    """Ten repetitions of each benchmark, each a row."""
    rename = _all(_set("name"), _set("run_name"), _set("repetition_index", to="%"))
    once = _listed("google-benchmark/python.json", ("benchmarks",), rename)(size)
    rows = [once.row.replace('"%"', str(number)) for number in range(10)]
    return Pattern(once.head, ",\n".join(rows), once.tail, 3)


def _lines(row: str, head: str = "", tail: str = "", n: int = 1) -> Make:
    """A file of lines, or of other text that is repeated."""
    return lambda _: Pattern(head, row, tail, n, "\n")


def _keyed(name: str, path: tuple[Any, ...], key: str, n: int = 1) -> Make:
    """A JSON file with an object at `path` whose keys are names of benchmarks."""

    def make(_: int) -> Pattern:
        top = _load(name)
        owner = _at(top, path)
        row = f'"bench {NAME}": {json.dumps(owner[key])}'
        head, tail = _around(top, owner)
        return Pattern(head, row, tail, n)

    return make


def _valued(head: str, row: str, tail: str, n: int = 1, between: str = ",\n") -> Make:
    """Text in whose row `%%` stands for the values, and `##` for as many times 1."""

    def make(size: int) -> Pattern:
        lists = row.count("%%")
        room = size * n // MEASUREMENTS - len(row)
        count = max(10, room // (24 * lists + 3 * row.count("##")))
        values = ", ".join(map(repr, _numbers(count)))
        filled = row.replace("%%", values).replace("##", ", ".join(["1"] * count))
        return Pattern(head, filled, tail, n, between)

    return make


_GO = "BenchmarkSort/n=@@-2 \t 50\t 1577 ns/op\t 896 B/op\t 1 allocs/op"
_TRIAL = (
    '"bench @@": ["Trial", {"times": [%%], "gctimes": [], "allocs": 1, "memory": 64,'
    ' "params": ["Parameters", {"samples": 10}]}]'
)
PATTERNS: dict[str, Make] = {
    "asv": _valued(
        '{"commit_hash": "' + "1" * 40 + '", "env_name": "e", "date": 1767409445000,'
        ' "params": {"machine": "m"}, "python": "3.11", "requirements": {},'
        ' "env_vars": {}, "result_columns": ["result", "params", "version",'
        ' "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "stats_q_25",'
        ' "stats_q_75", "number", "repeat", "samples", "profile"], "results": {',
        '"bench.time_@@": [[0.0015], [], "v", 1767409445000, 1.5, [0.001], [0.002],'
        " [0.001], [0.002], [1], [10], [[%%]]]",
        '}, "durations": {}, "version": 2}',
    ),
    "benchee": _listed(
        "benchee/scenarios.json",
        (),
        _all(_set("name"), _set("job_name")),
        (("run_time_data", "samples"),),
        2,
    ),
    "bencher": _keyed("bencher/report.json", (), "parser::utf8", 2),
    "benchmarkdotnet": _listed(
        "benchmarkdotnet/full.json",
        ("Benchmarks",),
        _all(_set("FullName"), _set("Method"), _set("DisplayInfo")),
        measurements=3,
    ),
    "criterion": _valued(
        "",
        '{"reason": "benchmark-complete", "id": "bench @@", "report_directory": "d",'
        ' "iteration_count": [##], "measured_values": [%%], "unit": "ns",'
        ' "throughput": [], "typical": {"estimate": 1.5, "lower_bound": 1.0,'
        ' "upper_bound": 2.0, "unit": "ns"}, "mean": {"estimate": 1.5, "lower_bound":'
        ' 1.0, "upper_bound": 2.0, "unit": "ns"}, "change": null}\n'
        '{"reason": "group-complete", "group_name": "bench @@", "benchmarks":'
        ' ["bench @@"], "report_directory": "d"}',
        "\n",
        between="\n",
    ),
    "github-action-benchmark": _listed(
        "github-action-benchmark/custom.json", (), _set("name")
    ),
    "gitbench": _valued(
        '{"schema": "gitbench/run/1", "measurements": [',
        '{"benchmark": "bench @@", "params": {"n": "10"}, "metric": "duration",'
        ' "unit": "s", "better": "lower", "values": [[%%]]}',
        "]}",
    ),
    "google-benchmark": _google,
    "hyperfine": _valued(
        '{"results": [',
        '{"command": "bench @@", "mean": 0.0015, "stddev": 0.0001, "median": 0.0015,'
        ' "user": 0.001, "system": 0.0, "min": 0.001, "max": 0.002, "times": [%%],'
        ' "exit_codes": [##]}',
        "]}",
    ),
    "inspect": _listed(
        "inspect/log.json.gz",
        ("samples",),
        _set("id"),
        measurements=4,
    ),
    "jmh": _valued(
        "[",
        '{"jmhVersion": "1.37", "benchmark": "a.B.c@@", "mode": "avgt", "threads": 1,'
        ' "forks": 1, "jvm": "java", "jvmArgs": [], "jdkVersion": "17",'
        ' "vmName": "VM", "vmVersion": "17", "warmupIterations": 1,'
        ' "warmupTime": "1 s", "warmupBatchSize": 1, "measurementIterations": 10,'
        ' "measurementTime": "1 s", "measurementBatchSize": 1, "primaryMetric":'
        ' {"score": 1.5, "scoreError": 0.1, "scoreConfidence": [1.4, 1.6],'
        ' "scorePercentiles": {"0.0": 1.0}, "scoreUnit": "us/op",'
        ' "rawData": [[%%]]}, "secondaryMetrics": {}}',
        "]",
    ),
    "julia": _valued(
        '[{"Julia": "1.10.4", "BenchmarkTools": "1.5.0"},'
        ' [["BenchmarkGroup", {"tags": [], "data": {',
        _TRIAL,
        "}}]]]",
        3,
    ),
    "k6": _keyed("k6/handle.json", ("metrics",), "http_req_receiving", 5),
    "promptfoo": _listed(
        "promptfoo/out.json.gz",
        ("results", "results"),
        _set("testCase", "description"),
        (),
        4,
    ),
    "pyperf": _valued(
        '{"version": "1.0", "metadata": {"unit": "second"}, "benchmarks": [',
        '{"metadata": {"name": "bench @@"}, "runs": [{"metadata": {"date":'
        ' "2026-11-23 08:50:51", "duration": 0.1}, "values": [%%]},'
        ' {"metadata": {"duration": 0.1}, "values": [%%]}]}',
        "]}",
    ),
    "pytest-benchmark": _valued(
        '{"machine_info": {}, "commit_info": {}, "version": "5.3.1", "benchmarks": [',
        '{"group": null, "name": "test_@@", "fullname": "t.py::test_@@", "params":'
        ' null, "param": null, "extra_info": {}, "options": {"disable_gc": false},'
        ' "stats": {"min": 0.001, "max": 0.002, "mean": 0.0015, "stddev": 0.0001,'
        ' "rounds": 10, "median": 0.0015, "iterations": 1, "data": [%%]}}',
        "]}",
    ),
    "tinybench": _listed("tinybench/tasks.json", (), _set("name"), measurements=1),
    "vitest": _listed(
        "vitest/vitest3.json", ("files", 0, "groups", 0, "benchmarks"), _set("name")
    ),
    "junit (XML)": _lines(
        '<testcase classname="test_j.TestSort" name="test_sizes[@@]" time="0.010" />',
        '<testsuites name="t"><testsuite name="pytest" tests="4" time="0.061">',
        "</testsuite></testsuites>",
    ),
    "csv": _lines(
        "\n".join(["bench @@,duration,0.00156789,s"] * 10),
        "benchmark,metric,value,unit\n",
    ),
    "benchmark-js (text)": _lines(
        "bench#@@ x 71,609,860 ops/sec ±10.13% (11 runs sampled)"
    ),
    "dart (text)": _lines("\n".join(["Bench@@(RunTime): 0.1568472448997197 us."] * 10)),
    "go (text)": _lines("\n".join([_GO] * 10), "pkg: example.com/proof\n", "\n", 3),
    "libtest (text)": _lines(
        "test bench_@@   ... bench:      18,247.08 ns/iter (+/- 502.10)"
    ),
    "openmetrics (text)": _lines(
        't_seconds{benchmark="bench @@",size="small"} 0.0125',
        "# TYPE t_seconds gauge\n# UNIT t_seconds seconds\n",
        "\n# EOF\n",
    ),
}
"""Tool (and form) -> its file for a size in bytes."""


# ------------------------------------------------------------------ what is measured


def _library(tool: str) -> tuple[str, Callable[[bytes], object]]:
    """The parsing that a reader is held against, as anyone would write it."""
    if "XML" in tool:
        from xml.etree import ElementTree

        return "ElementTree.fromstring", ElementTree.fromstring
    if "text" in tool:
        return "str.splitlines", lambda data: data.decode().splitlines()
    if tool == "csv":
        return "csv.reader", lambda data: list(csv.reader(io.StringIO(data.decode())))
    if tool == "criterion":
        return "json.loads of lines", lambda data: [*map(json.loads, data.splitlines())]
    return "json.loads", json.loads


def _seconds(work: Callable[[bytes], object], data: bytes) -> tuple[float, float, Any]:
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    result = work(data)
    return time.perf_counter() - wall, time.process_time() - cpu, result


def formats(context: Context) -> list[Finding]:
    """100 MB of each text or JSON format: at most twice its parsing alone."""
    from gitbench import formats as readers

    found = []
    size = context.pick(100_000_000, 20_000)
    for tool, make in PATTERNS.items():
        data = make(size).file(size)
        name, library = _library(tool)
        timed: list[list[tuple[float, float]]] = [[], []]
        for _ in range(context.runs(3)):
            wall, cpu, readings = _seconds(
                lambda data: readers.read(data, tool=None, name="x"), data
            )
            timed[0].append((wall, cpu))
            count = sum(len(one.measurements) for one in readings)
            del readings
            timed[1].append(_seconds(library, data)[:2])
        ours, theirs = (
            Timing(tuple(w for w, _ in one), tuple(c for _, c in one)) for one in timed
        )
        what = f"read {tool}, {len(data) / 1e6:.0f} MB, {count:,} measurements"
        context.say(what)
        found.append(
            Finding(
                "formats",
                what,
                ratio(ours.wall, theirs.wall),
                limit=LIMIT,
                reference=name,
                cpu_figure=ratio(ours.cpu, theirs.cpu),
                timings={what: ours, name: theirs},
            )
        )
    return found

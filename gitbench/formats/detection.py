"""Which tool wrote a result: by its content, never by its name.

One rule a tool, all in one place, since each must say no to what every other tool
writes.  A rule looks at the top of a document only and imports nothing, as it stands
on the path of every `record`.  It says yes to a damaged file of its tool too, so that
the reader can say where it is damaged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from itertools import islice
from typing import Any

from gitbench.formats.document import Document
from gitbench.formats.folder import Folder

FIRST = 200
"""How many values or members of a document a rule looks at."""

FIRST_TEXT = 2**20
"""How many characters of a text, unless no rule finds anything there."""


def detect(document: Document) -> tuple[str, ...]:
    """Names of all tools that `document` may come from: none, one, or several."""
    if document.form == "text":
        text = document.text
        # All rules take 0.15 s a megabyte, so a long text is seldom looked at whole.
        return _printed(text[:FIRST_TEXT]) or (
            _printed(text) if len(text) > FIRST_TEXT else ()
        )
    rules: dict[str, Callable[[Document], bool]] = {
        "json": _JSON,
        "xml": _XML,
        "binary": _BINARY,
    }[document.form]
    return tuple(tool for tool, rule in rules.items() if rule(document))


def _printed(text: str) -> tuple[str, ...]:
    return tuple(tool for tool, rule in _TEXT.items() if _pattern(rule).search(text))


def is_folder_of(tool: str, folder: Folder) -> bool:
    """Whether a folder is what `tool` writes."""
    if tool == "criterion":
        # Folders of saved baselines alone are refused by the reader, with a reason.
        return any(
            f"/{path}".endswith(("/estimates.json", "/new/sample.json", "/new/raw.csv"))
            for path in folder.paths
        )
    if tool == "asv":
        # machine.json stands beside the results, <first digits of commit>-<...>.json.
        places = {
            path.rpartition("/")[0]
            for path in folder.paths
            if path.rpartition("/")[2] == "machine.json"
        }
        return any(
            path.rpartition("/")[0] in places
            and re.match(r"[0-9a-f]{8}-", path.rpartition("/")[2])
            for path in folder.paths
        )
    return False


# ------------------------------------------------------------------------- JSON


def _objects(values: Iterable[Any]) -> list[dict[str, Any]]:
    """The objects among the first values."""
    return [one for one in islice(values, FIRST) if isinstance(one, dict)]


def _top(document: Document) -> dict[str, Any]:
    """The first JSON value if it is an object, else an empty one."""
    first = document.first
    return first if isinstance(first, dict) else {}


def _rows(document: Document) -> list[dict[str, Any]]:
    """The objects of a JSON array that is the only value."""
    first = document.first
    return _objects(first) if isinstance(first, list) else []


def _within(owner: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in the list `owner[key]`."""
    items = owner.get(key)
    return _objects(items) if isinstance(items, list) else []


def _gitbench(document: Document) -> bool:
    schema = _top(document).get("schema")
    return isinstance(schema, str) and schema.startswith("gitbench/")


def _go(document: Document) -> bool:
    first = _top(document)
    return isinstance(first.get("Action"), str) and bool(
        {"Package", "Time", "ImportPath"} & first.keys()
    )


def _hyperfine(document: Document) -> bool:
    return any(
        "command" in one and ("times" in one or "mean" in one)
        for one in _within(_top(document), "results")
    )


def _pyperf(document: Document) -> bool:
    top = _top(document)
    return "version" in top and any("runs" in one for one in _within(top, "benchmarks"))


def _pytest_benchmark(document: Document) -> bool:
    top = _top(document)
    if top.keys() >= {"machine_info", "commit_info", "benchmarks"}:
        return True
    return any(
        "stats" in one and ("fullname" in one or "name" in one)
        for one in _within(top, "benchmarks")
    )


def _asv(document: Document) -> bool:
    top = _top(document)
    if "commit_hash" in top and (
        isinstance(top.get("results"), dict)
        or {"env_name", "requirements", "result_columns"} & top.keys()
    ):
        return True
    # Its benchmarks.json and machine.json are taken for what they are, and refused.
    if top.get("version") in (1, 2) and any(
        isinstance(one, dict) and {"code", "param_names", "type"} <= one.keys()
        for one in islice(top.values(), FIRST)
    ):
        return True
    return "machine" in top and top.keys() <= {
        "arch",
        "cpu",
        "machine",
        "num_cpu",
        "os",
        "ram",
        "version",
    }


def _google_benchmark(document: Document) -> bool:
    top = _top(document)
    context = top.get("context")
    return (
        isinstance(context, dict)
        and isinstance(top.get("benchmarks"), list)
        and bool({"date", "num_cpus", "library_build_type", "caches"} & context.keys())
    )


def _criterion(document: Document) -> bool:
    # Single files of its folder are taken for what they are, and refused.
    if {"group_id", "full_id"} <= _top(document).keys():
        return True
    return any(
        one.get("reason") in ("benchmark-complete", "group-complete")
        for one in _objects(document.values)
    )


def _libtest(document: Document) -> bool:
    return any(
        one.get("type") in ("suite", "test", "bench")
        and ("event" in one or "median" in one)
        for one in _objects(document.values)
    )


def _iai(document: Document) -> bool:
    # One summary a line, or an array of them (jq -s).
    first = next(iter(_rows(document)), _top(document))
    return {"module_path", "function_name"} <= first.keys() and bool(
        {"callgrind_summary", "profiles", "baselines", "kind"} & first.keys()
    )


def _jmh(document: Document) -> bool:
    return any("benchmark" in one and "primaryMetric" in one for one in _rows(document))


def _benchmarkdotnet(document: Document) -> bool:
    top = _top(document)
    return isinstance(top.get("Benchmarks"), list) and "HostEnvironmentInfo" in top


def _vitest(document: Document) -> bool:
    top = _top(document)
    if any(
        "benchmarks" in group
        for file in _within(top, "files")
        for group in _within(file, "groups")
    ):
        return True
    return any(
        "benchmarks" in one
        for file in _within(top, "testResults")
        for one in _within(file, "assertionResults")
    )


def _tinybench(document: Document) -> bool:
    rows = _rows(document) or _objects(document.values)
    return any(_is_tinybench(one) for one in rows)


def _is_tinybench(row: dict[str, Any]) -> bool:
    """A task, or a row of `bench.table()`."""
    if "Task name" in row or "Task Name" in row:
        return True
    result = row.get("result", row)
    return (
        "name" in row
        and isinstance(result, dict)
        and (
            isinstance(result.get("latency"), dict)
            or {"hz", "mean", "samples"} <= result.keys()
        )
    )


def _julia(document: Document) -> bool:
    first = document.first
    return (
        isinstance(first, list)
        and bool(first)
        and isinstance(first[0], dict)
        and "BenchmarkTools" in first[0]
    )


def _benchee(document: Document) -> bool:
    rows = _rows(document) or _within(_top(document), "scenarios") or [_top(document)]
    return any("run_time_data" in one for one in rows)


def _ruby(document: Document) -> bool:
    return any(
        {"name", "ips", "stddev"} <= one.keys()
        or {"name", "central_tendency", "error"} <= one.keys()
        for one in _rows(document)
    )


def _k6(document: Document) -> bool:
    top = _top(document)
    if isinstance(top.get("k6"), dict):
        top = top["k6"]
    results = top.get("results")
    if isinstance(results, dict) and isinstance(results.get("metrics"), list):
        metadata = top.get("metadata")
        return isinstance(metadata, dict) and bool(
            {"k6_version", "k6Version"} & metadata.keys()
        )
    metrics = top.get("metrics")
    if not isinstance(metrics, dict):
        return False
    if {"root_group", "setup_data"} & top.keys():
        return True
    return any(
        isinstance(one, dict)
        and (
            {"type", "contains", "values"} <= one.keys()
            or {"avg", "min", "med", "max"} <= one.keys()
        )
        for one in islice(metrics.values(), FIRST)
    )


def _github_action_benchmark(document: Document) -> bool:
    rows = _rows(document)
    return bool(rows) and all({"name", "unit", "value"} <= one.keys() for one in rows)


def _bencher(document: Document) -> bool:
    top = _top(document)
    measures = [one for one in islice(top.values(), FIRST) if one]
    return bool(measures) and all(
        isinstance(one, dict)
        and all(
            isinstance(measure, dict)
            and "value" in measure
            and measure.keys() <= {"value", "lower_value", "upper_value"}
            for measure in one.values()
        )
        for one in measures
    )


def _perf(document: Document) -> bool:
    return {"counter-value", "event"} <= _top(document).keys()


def _inspect(document: Document) -> bool:
    top = _top(document)
    evaluation = top.get("eval")
    return isinstance(evaluation, dict) and "task" in evaluation and "status" in top


def _promptfoo(document: Document) -> bool:
    top = _top(document)
    results = top.get("results")
    return (
        isinstance(results, dict)
        and isinstance(results.get("results"), list)
        and bool({"evalId", "config", "shareableUrl"} & top.keys())
    )


_JSON: dict[str, Callable[[Document], bool]] = {
    "asv": _asv,
    "bencher": _bencher,
    "benchee": _benchee,
    "benchmarkdotnet": _benchmarkdotnet,
    "criterion": _criterion,
    "github-action-benchmark": _github_action_benchmark,
    "gitbench": _gitbench,
    "go": _go,
    "google-benchmark": _google_benchmark,
    "hyperfine": _hyperfine,
    "iai": _iai,
    "inspect": _inspect,
    "jmh": _jmh,
    "julia": _julia,
    "k6": _k6,
    "libtest": _libtest,
    "perf": _perf,
    "promptfoo": _promptfoo,
    "pyperf": _pyperf,
    "pytest-benchmark": _pytest_benchmark,
    "ruby": _ruby,
    "tinybench": _tinybench,
    "vitest": _vitest,
}


# -------------------------------------------------------------- XML and binary


def _root(document: Document) -> str:
    """The name of the root element."""
    return "" if document.root is None else document.root.tag


_XML: dict[str, Callable[[Document], bool]] = {
    "catch2": lambda document: _root(document) in ("Catch", "Catch2TestRun"),
    "junit": lambda document: _root(document) in ("testsuites", "testsuite"),
}
_BINARY: dict[str, Callable[[Document], bool]] = {
    "autopilot": lambda document: (
        document.data[:6] == b"SQLite" and b"benchmark_results" in document.data
    ),
    "inspect": lambda document: document.data[:4] == b"PK\3\4",
}


# ------------------------------------------------------------------------- text

_TEXT = {
    "asv": r"^\[ {0,2}\d{1,3}\.\d\d%\] (?:·|-){1,9} ",
    "benchee": r"^Name +ips +average +deviation +median",
    "benchmark-js": r"^.{1,500}? x [\d,.]+ ops/sec ±",
    "benchmarkdotnet": r'\A"?(?:Method|Type|Namespace)"?[,;][^\n]{0,5000}'
    r'[,;]"?Mean(?: \[[^\n\],;]{1,9}\])?"?[,;]"?(?:Error|StdDev|Ratio)',
    "catch2": r"^benchmark name +samples +iterations +(?:estimated|est run time)",
    "criterion": r"^.{0,300}? time: +\[[\d.]+ [pnµm]?s [\d.]+ [pnµm]?s ",
    "csv": r'\A(?=(?:[^\n{[]*[,;\t])?"?benchmark"?[,;\t\r\n])'
    r'(?:[^\n]*[,;\t])?"?value"?[,;\t\r\n]',
    "dart": r"^.{1,500}?\(RunTime\): [\d.]+ (?:us|ms|s)\b",
    "go": r"^(?:Benchmark\S*[ \t]+\d+[ \t]+[-+.0-9]\S*[ \t]+\S|Benchmark\S* *\t"
    r"|goos: \S|ok +\t|FAIL\t|--- FAIL: Benchmark)",
    "google-benchmark": r"^(?:Benchmark +Time +CPU +Iterations"
    r"|name,iterations,real_time,cpu_time,time_unit)",
    "iai": r"^  (?:Instructions|Iterations): +[\d,]+",
    "jmh": r'\A\s*"?Benchmark"?,"?Mode"?,"?Threads"?,'
    r"|^# (?:JMH version: |Run progress: +[\d.]+% complete|Benchmark mode: )"
    r"|^Benchmark +(?:\(\w+\) +)*Mode +(?:Cnt|Samples) +Score ",
    "k6": r"^ +(?:iterations|iteration_duration|http_req_duration)\.{3,}: ",
    "libtest": r"^[ \t]*test .{1,500}? \.\.\. bench: +[\d,.]+ ",
    "openmetrics": r"^# (?:TYPE|HELP|UNIT) [A-Za-z_:]",
    "perf": r"^[ \t]*Performance counter stats for "
    r"|^(?:[\d.]+|<not (?:supported|counted)>)[,;]\w*[,;][a-z][\w.:/-]*"
    r"[,;][\d.]+%?[,;]",
    "ruby": r"^ +user +system +total +real\s*$|^.{1,200}? [\d.]+[kMBT]? \(±",
    "time": r"^[ \t]*(?:Elapsed \(wall clock\) time|real\s+\d+m[\d.,]+s\s*$)",
}
"""Tool -> a line that it prints and others do not; `^` is the start of any line.

`[ \\t]*` and not `\\s*` before a word, which would try a whole file of blank lines from
each of them.
"""


@cache
def _pattern(rule: str) -> re.Pattern[str]:
    return re.compile(rule, re.MULTILINE)

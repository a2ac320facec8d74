"""Result files of benchmark tools: bytes in, readings out.

One file a tool; each has `read(document) -> tuple[Reading, ...]`, and
`read_folder(folder)` where the tool writes a folder.  A reader is imported only when
it is chosen.  This file owns the table of tools; `detection` tells by the content,
never by the file's name, which of them wrote a result.

Readers of other packages are found through the entry point group `gitbench.formats`
(see docs/reference/formats/plugins.md) when no own reader fits.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from gitbench.formats import detection, plugins
from gitbench.formats.document import (
    MAX_BYTES,
    MAX_MEASUREMENTS,
    Document,
    FormatError,
    UnrecognisedError,
    open_document,
    parse_json,
    quoted,
)
from gitbench.formats.folder import Folder
from gitbench.model import ModelError, Reading

__all__ = [
    "MAX_BYTES",
    "MAX_MEASUREMENTS",
    "TOOLS",
    "Document",
    "Folder",
    "FormatError",
    "UnrecognisedError",
    "detect",
    "read",
    "read_as",
    "read_folder",
]

TOOLS = {
    "asv": "asv run: a file of results/<machine>/, or the folder results/",
    "autopilot": "cargo autopilot benchmark: its benchmarks.db (SQLite)",
    "benchee": "Benchee's JSON formatter, or its console output",
    "bencher": "Bencher Metric Format (JSON)",
    "benchmark-js": "benchmark.js console output",
    "benchmarkdotnet": "BenchmarkDotNet --exporters json (full or brief)",
    "catch2": "Catch2 -r xml, or its console output",
    "criterion": "criterion.rs: the folder target/criterion, or cargo criterion "
    "--message-format=json",
    "csv": "a table with a header line; --column says what its columns mean",
    "dart": "Dart benchmark_harness console output",
    "github-action-benchmark": "customSmallerIsBetter or customBiggerIsBetter JSON",
    "gitbench": "gitbench/run/1 JSON, for tools without a reader; one run, or one a "
    "line",
    "go": "go test -bench, as text or with -json",
    "google-benchmark": "Google Benchmark --benchmark_out (JSON)",
    "hyperfine": "hyperfine --export-json",
    "iai": "iai, iai-callgrind and gungraun: console output, or --output-format=json",
    "inspect": "inspect eval logs (.eval or .json)",
    "jmh": "JMH -rf json or -rf csv",
    "julia": "Julia BenchmarkTools.save (JSON)",
    "junit": "JUnit XML: durations of tests, failures apart",
    "k6": "k6 handleSummary or --summary-export (JSON)",
    "libtest": "cargo bench: lines `test NAME ... bench: N ns/iter`, or JSON",
    "openmetrics": "OpenMetrics text",
    "perf": "perf stat, as text, with -x, or -j",
    "promptfoo": "promptfoo eval --output (JSON)",
    "pyperf": "pyperf -o (JSON, also .gz)",
    "pytest-benchmark": "pytest --benchmark-json, or a file saved in .benchmarks",
    "ruby": "Ruby benchmark's and benchmark-ips' console output, or ips' JSON",
    "time": "GNU time -v, or the shell's time",
    "tinybench": "tinybench: tasks with their results as JSON, or bench.table()",
    "vitest": "vitest bench --outputJson, or --reporter=json from 5 on",
}
"""Names for `--tool`, and what each reads."""

_MODULES = {
    "csv": "csv_table",
    "gitbench": "interchange",
    "inspect": "inspect_log",
    "time": "gnu_time",
}
"""Modules that are named otherwise than their tool."""

ALIASES = {
    "customBiggerIsBetter": "github-action-benchmark",
    "customSmallerIsBetter": "github-action-benchmark",
}
"""Other names for `--tool`, which tell the reader more."""

FOLDER_TOOLS = ("asv", "criterion")
"""Tools that write a folder of files which mean something together."""


Given = ParamSpec("Given")
Made = TypeVar("Made")


def _without_collector(function: Callable[Given, Made]) -> Callable[Given, Made]:
    """Pause the search for cyclic garbage, of which readers make none.

    It looks at every object that was made, again and again: a third of the time in
    which 100 MB are read.
    """

    @wraps(function)
    def paused(*args: Given.args, **kwargs: Given.kwargs) -> Made:
        if not gc.isenabled():
            return function(*args, **kwargs)
        gc.disable()
        try:
            return function(*args, **kwargs)
        finally:
            gc.enable()

    return paused


def read(
    data: bytes,
    *,
    tool: str | None,
    name: str,
    beside: Callable[[str], bytes | None] | None = None,
    columns: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Reading, ...]:
    """The runs in a result file, in the file's order; at least one.

    `tool` is a key of TOOLS or the name of a plugin, or None to detect it by the
    content.  `name` is the file's name for messages.  gzip is unpacked.  `beside`
    reads a neighbour of the file, `columns` says what the columns of a table mean;
    see Document.  Raises FormatError alone, for whatever `data` holds.
    """
    return read_as(data, tool=tool, name=name, beside=beside, columns=columns)[1]


@_without_collector
def read_as(
    data: bytes,
    *,
    tool: str | None,
    name: str,
    beside: Callable[[str], bytes | None] | None = None,
    columns: Mapping[str, str] = MappingProxyType({}),
) -> tuple[str, tuple[Reading, ...]]:
    """What `read` gives, after the tool that it was read as: a name for `--tool`."""
    reader = None if tool is None else _reader(tool)
    more: dict[str, Any] = {} if beside is None else {"beside": beside}
    try:
        document = open_document(data, asked=tool, columns=columns, **more)
        if reader is None:
            tool = _detect_one(document)
            reader = _reader(tool)
        assert tool is not None
        return tool, _read(reader, document, tool)
    except FormatError as exc:
        raise exc.in_file(name) from exc


@_without_collector
def read_folder(folder: Folder, *, tool: str | None) -> tuple[Reading, ...] | None:
    """The runs of a folder that one tool wrote; None if no tool writes such folders.

    The caller then reads the folder's files one by one.  Raises FormatError alone.
    """
    for name in FOLDER_TOOLS if tool is None else (tool,):
        if name in FOLDER_TOOLS and detection.is_folder_of(name, folder):
            try:
                readings: tuple[Reading, ...] = _module(name).read_folder(folder)
            except FormatError as exc:
                raise exc.in_file(folder.name) from exc
            except ModelError as exc:
                raise FormatError("", str(exc), folder.name) from exc
            return readings
    return None


def detect(document: Document) -> tuple[str, ...]:
    """Names of all tools that `document` may come from: none, one, or several."""
    return detection.detect(document) or plugins.detect(document)


def _module(tool: str) -> Any:
    module = _MODULES.get(tool, tool.replace("-", "_"))
    return import_module(f"gitbench.formats.{module}")


def _reader(tool: str) -> Callable[[Document], tuple[Reading, ...]]:
    """The function that reads results of `tool`."""
    tool = ALIASES.get(tool, tool)
    if tool in TOOLS:
        reader: Callable[[Document], tuple[Reading, ...]] = _module(tool).read
        return reader
    plugin = plugins.find(tool)
    if plugin is None:
        raise FormatError("", _unknown_tool(tool))
    return plugin


def _read(
    reader: Callable[[Document], tuple[Reading, ...]], document: Document, tool: str
) -> tuple[Reading, ...]:
    try:
        return reader(document)
    except FormatError as exc:
        others = detection.detect(document)
        if not others or tool in others:
            raise
        hint = f"{exc.reason} It looks like a result of {others[0]}, not of {tool}."
        raise FormatError(exc.where, hint) from exc
    except ModelError as exc:
        raise FormatError("", str(exc)) from exc
    except RecursionError as exc:
        raise FormatError("", "it is nested too deeply.") from exc


def _unknown_tool(tool: str) -> str:
    from difflib import get_close_matches

    known = [*TOOLS, *ALIASES, *plugins.names()]
    near = get_close_matches(tool[:60], known, 1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"The tool {quoted(tool)} is unknown{hint}; known are {', '.join(known)}."


def _broken_json(text: str) -> None:
    """Raise where JSON is broken; at its very start it is a log or TOML, and none."""
    try:
        parse_json(text)
    except FormatError as exc:
        if exc.where in ("line 1, column 2", "line 1, column 3"):
            raise UnrecognisedError(exc.where, exc.reason) from exc
        raise


def _detect_one(document: Document) -> str:
    found = detect(document)
    if len(found) == 1:
        return found[0]
    if found:
        raise FormatError(
            "",
            f"it could come from {' or '.join(found)}; say which with --tool.",
        )
    if document.form == "text" and document.text.lstrip()[:1] in ("{", "["):
        _broken_json(document.text)
    raise UnrecognisedError(
        "",
        f"no known tool writes this; known are {', '.join(TOOLS)}. Say which with "
        "--tool, or write gitbench/run/1 JSON.",
    )

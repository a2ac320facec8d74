"""Result files of benchmark tools: bytes in, readings out.

One file a tool; each has `read(document) -> tuple[Reading, ...]` and is imported
only when it is chosen.  This file owns the table of tools and the detection,
which looks at the content and never at the file's name.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from gitbench.formats.document import (
    MAX_BYTES,
    MAX_MEASUREMENTS,
    FormatError,
    decode,
    inflate,
    parse_json,
    quoted,
)
from gitbench.model import ModelError, Reading

__all__ = ["MAX_BYTES", "MAX_MEASUREMENTS", "TOOLS", "FormatError", "detect", "read"]

TOOLS = {
    "gitbench": "gitbench/run/1 JSON, for tools without a reader; one run, or one a "
    "line",
    "go": "go test -bench, as text or with -json",
    "hyperfine": "hyperfine --export-json",
    "pyperf": "pyperf -o (JSON, also .gz)",
    "pytest-benchmark": "pytest --benchmark-json, or a file saved in .benchmarks",
}
"""Names for `--tool`, and what each reads."""

_MODULES = {
    "gitbench": "interchange",
    "go": "go",
    "hyperfine": "hyperfine",
    "pyperf": "pyperf",
    "pytest-benchmark": "pytest_benchmark",
}
_TEXT_TOOLS = frozenset({"go"})
"""Tools whose files need not be JSON."""


def read(data: bytes, *, tool: str | None, name: str) -> tuple[Reading, ...]:
    """The runs in a result file, in the file's order; at least one.

    `tool` is a key of TOOLS, or None to detect it by the content.  `name` is the
    file's name for messages.  gzip is unpacked.  Raises FormatError alone, for
    whatever `data` holds.
    """
    if tool is not None and tool not in TOOLS:
        raise FormatError("", _unknown_tool(tool))
    try:
        document = _document(decode(inflate(data)), tool)
        return _read(document, tool or _detect_one(document))
    except FormatError as exc:
        raise exc.in_file(name) from exc


def _read(document: list[Any] | str, tool: str) -> tuple[Reading, ...]:
    module = import_module(f"gitbench.formats.{_MODULES[tool]}")
    try:
        readings: tuple[Reading, ...] = module.read(document)
    except FormatError as exc:
        others = detect(document)
        if not others or tool in others:
            raise
        hint = f"{exc.reason} It looks like a result of {others[0]}, not of {tool}."
        raise FormatError(exc.where, hint) from exc
    except ModelError as exc:
        raise FormatError("", str(exc)) from exc
    return readings


def _unknown_tool(tool: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(tool.lower(), TOOLS, 1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"The tool {quoted(tool)} is unknown{hint}; known are {', '.join(TOOLS)}."


def _document(text: str, tool: str | None) -> list[Any] | str:
    """The JSON values of `text`, or the text itself where it is no JSON."""
    if text.lstrip()[:1] not in ("{", "["):
        if tool is None or tool in _TEXT_TOOLS:
            return text
        raise FormatError("line 1", f"it is not JSON, as results of {tool} are.")
    try:
        return parse_json(text)
    except FormatError:
        # A log line in brackets may stand in front of Go's results.
        if (tool is None or tool in _TEXT_TOOLS) and "go" in detect(text):
            return text
        raise


def detect(document: list[Any] | str) -> tuple[str, ...]:
    """Names of all tools that `document` may come from: none, one, or several."""
    if isinstance(document, str):
        from gitbench.formats.go import looks_like

        return ("go",) if looks_like(document) else ()
    first = document[0] if document else None
    if not isinstance(first, dict):
        return ()
    found = []
    if isinstance(first.get("schema"), str) and first["schema"][:9] == "gitbench/":
        found.append("gitbench")
    if isinstance(first.get("Action"), str) and {"Package", "Time"} & first.keys():
        found.append("go")
    if _has(first, "results", "command", ("times", "mean")):
        found.append("hyperfine")
    if _has(first, "benchmarks", "runs", ("runs",)) and "version" in first:
        found.append("pyperf")
    if _has(first, "benchmarks", "stats", ("fullname", "name")) or (
        first.keys() >= {"machine_info", "commit_info", "benchmarks"}
    ):
        found.append("pytest-benchmark")
    return tuple(found)


def _has(owner: dict[str, Any], key: str, inner: str, others: tuple[str, ...]) -> bool:
    """Whether `owner[key]` is a list whose first object has `inner` and an other."""
    items = owner.get(key)
    first = items[0] if isinstance(items, list) and items else None
    return (
        isinstance(first, dict) and inner in first and any(o in first for o in others)
    )


def _detect_one(document: list[Any] | str) -> str:
    found = detect(document)
    if len(found) == 1:
        return found[0]
    known = ", ".join(TOOLS)
    if found:
        raise FormatError(
            "",
            f"it could come from {' or '.join(found)}; say which with --tool.",
        )
    raise FormatError(
        "",
        f"no known tool writes this; known are {known}. Say which with --tool, or "
        "write gitbench/run/1 JSON.",
    )

"""hyperfine: `--export-json FILE`.

Each time is a process of its own, so every value is a process group of one.
hyperfine writes neither a date, nor its version, nor anything about the machine.
"""

from __future__ import annotations

from typing import Any

from gitbench.formats.document import (
    Document,
    FormatError,
    check_unique,
    get_list,
    get_object,
    get_text,
    mean_with_range,
    member,
    number,
    numbers,
    quoted,
)
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    Reading,
    Status,
    Tool,
)

_DURATION = Metric("duration", "s", Better.LOWER, Kind.DURATION)
_MEMORY = Metric("peak_memory", "B", Better.LOWER, Kind.SIZE)


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a hyperfine export."""
    top = get_object(document.single("hyperfine"), "top level")
    measurements: list[Measurement] = []
    warnings = []
    for i, item in enumerate(get_list(member(top, "results", ""), "results")):
        where = f"results[{i}]"
        result = get_object(item, where)
        found = _measurements(result, where)
        if found[0].summary is not None:
            warnings.append(
                f"{quoted(found[0].benchmark.label)} came without raw times, only a "
                "mean; export JSON, not CSV or Markdown."
            )
        measurements.extend(found)
    check_unique(measurements, "name each command with --command-name (-n)")
    return (Reading(Tool("hyperfine"), tuple(measurements), warnings=tuple(warnings)),)


def _measurements(result: dict[str, Any], where: str) -> list[Measurement]:
    """Duration and, since hyperfine 1.19, peak memory of one command.

    `user` and `system` are not read: they are means only, and parts of what the
    duration already says.
    """
    benchmark = Benchmark(
        get_text(member(result, "command", where), f"{where}.command"),
        _parameters(result.get("parameters"), f"{where}.parameters"),
    )
    failure = _failure(result.get("exit_codes"), f"{where}.exit_codes")
    if failure is not None:
        return [
            Measurement(benchmark, _DURATION, status=Status.FAILED, message=failure)
        ]
    if result.get("times") is None:
        summary = mean_with_range(result, where, None)
        return [Measurement(benchmark, _DURATION, summary=summary)]
    times = numbers(result["times"], f"{where}.times")
    if not times:
        raise FormatError(f"{where}.times", "it is empty.")
    found = [Measurement(benchmark, _DURATION, tuple([(time,) for time in times]))]
    if result.get("memory_usage_byte") is not None:
        sizes = numbers(result["memory_usage_byte"], f"{where}.memory_usage_byte")
        # Where the platform cannot tell, hyperfine writes zeros.
        if any(sizes):
            found.append(
                Measurement(benchmark, _MEMORY, tuple([(size,) for size in sizes]))
            )
    return found


def _parameters(value: object, where: str) -> tuple[tuple[str, str], ...]:
    """Values of `--parameter-scan` and `--parameter-list`."""
    if value is None:
        return ()
    found = []
    for key, text in get_object(value, where).items():
        if not isinstance(text, str):
            text = str(number(text, f"{where}[{quoted(key)}]"))
        found.append((key, text))
    return tuple(found)


def _failure(codes: object, where: str) -> str | None:
    """Why a command counts as failed; None if every run of it exited with 0.

    Its times are kept by `--ignore-failure`, but the time to a failure says nothing
    about the time of the work.
    """
    if codes is None:
        return None
    items = get_list(codes, where)
    bad = [code for code in items if code != 0]
    if not bad:
        return None
    for i, code in enumerate(items):
        if code is not None and type(code) is not int:
            raise FormatError(f"{where}[{i}]", "it must be a whole number or null.")
    shown = sorted({"a signal" if code is None else str(code)[:20] for code in bad})
    return (
        f"{len(bad)} of {len(items)} runs ended with {', '.join(shown[:5])} "
        "instead of exit code 0"
    )

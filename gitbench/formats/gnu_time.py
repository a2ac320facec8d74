"""What `time` prints: GNU time -v, and the words of a shell.

Several outputs may stand in one file; those of one command are values of one
measurement, each of its own process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from gitbench.formats.document import (
    Document,
    FormatError,
    decimal,
    get_text,
    lines,
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

_METRICS = {
    "duration": Metric("duration", "s", Better.LOWER, Kind.DURATION),
    "user_time": Metric("user_time", "s", Better.LOWER, Kind.DURATION),
    "system_time": Metric("system_time", "s", Better.LOWER, Kind.DURATION),
    "peak_memory": Metric("peak_memory", "KiB", Better.LOWER, Kind.SIZE),
}
_VERBOSE = {
    "User time (seconds)": "user_time",
    "System time (seconds)": "system_time",
    "Maximum resident set size (kbytes)": "peak_memory",
}
_ELAPSED = "Elapsed (wall clock) time (h:mm:ss or m:ss)"
_SHELL = re.compile(
    r"^(?P<word>real|user|sys)\s+(?:(?P<minutes>\d{1,9})m)?(?P<seconds>\d+(?:[.,]\d+)?)s?$"
)
_WORDS = {"real": "duration", "user": "user_time", "sys": "system_time"}
_ENDED = re.compile(
    r"^Command (?:exited with non-zero status|terminated by signal) \d+"
)
_UNNAMED = "command"
"""Name of a command that the output does not tell."""


@dataclass(slots=True)
class _Execution:
    """One execution of a command."""

    command: str
    values: dict[str, float] = field(default_factory=dict)
    failure: str | None = None


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of one or more outputs of `time`."""
    executions = _executions(document.text)
    complete = [one for one in executions if "duration" in one.values]
    if not complete:
        raise FormatError("", "it holds no output of time -v, or of a shell's time.")
    if len(complete) < len(executions):
        raise FormatError(
            "the end", "an output of time -v has no elapsed time; the file is cut off."
        )
    by_command: dict[str, list[_Execution]] = {}
    for one in complete:
        by_command.setdefault(one.command, []).append(one)
    found = [
        measurement
        for command, some in by_command.items()
        for measurement in _measurements(Benchmark(command), some)
    ]
    return (Reading(Tool("time"), tuple(found)),)


def _executions(text: str) -> list[_Execution]:
    found: list[_Execution] = []
    failure: str | None = None
    for place, line in lines(text):
        where, line = f"line {place}", line.strip()
        if _ENDED.match(line):
            failure = line
        elif line.startswith("Command being timed: "):
            command = line.removeprefix("Command being timed: ").strip('"').strip()
            found.append(_Execution(get_text(command or _UNNAMED, where)))
            found[-1].failure, failure = failure, None
        elif match := _SHELL.match(line):
            _shell(found, match, where)
        elif found and ": " in line:
            _verbose(found[-1], line, where)
    return found


def _shell(found: list[_Execution], match: re.Match[str], where: str) -> None:
    """A line of a shell's `time`; `real` comes first."""
    name = _WORDS[match["word"]]
    if name == "duration":
        found.append(_Execution(_UNNAMED))
    if found and name not in found[-1].values:
        seconds = decimal(match["seconds"].replace(",", "."), where)
        found[-1].values[name] = 60.0 * int(match["minutes"] or 0) + seconds


def _verbose(execution: _Execution, line: str, where: str) -> None:
    """A line of GNU time -v."""
    key, _, text = line.rpartition(": ")
    if key in _VERBOSE:
        execution.values[_VERBOSE[key]] = decimal(text, where)
    elif key == _ELAPSED:
        seconds = 0.0
        for part in text.split(":"):
            seconds = 60 * seconds + decimal(part, where)
        execution.values["duration"] = seconds
    elif key == "Exit status" and text != "0" and execution.failure is None:
        execution.failure = f"Exit status {text[:20]}"


def _measurements(benchmark: Benchmark, some: list[_Execution]) -> list[Measurement]:
    failures = [one.failure for one in some if one.failure is not None]
    if failures:
        message = f"{len(failures)} of {len(some)} executions failed: {failures[0]}"
        metric = _METRICS["duration"]
        return [Measurement(benchmark, metric, status=Status.FAILED, message=message)]
    return [
        Measurement(benchmark, metric, tuple((value,) for value in values))
        for name, metric in _METRICS.items()
        if (values := [one.values[name] for one in some if name in one.values])
    ]

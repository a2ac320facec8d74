"""Runs for other programs: one module a format, and the table of them.

Each module writes what it is handed, run by run, and knows no git.  `json`, `csv`,
`sqlite` and `parquet` lose nothing of a run (csv: nothing of its measurements); the
others say in their warnings what they left out.  docs/reference/exports.md describes
what each of them writes.
"""

from __future__ import annotations

from dataclasses import dataclass

from gitbench.errors import GitbenchError
from gitbench.model import Run


class ExportError(GitbenchError):
    """What is asked for cannot be written."""


@dataclass(frozen=True, slots=True)
class Item:
    """One run to be written."""

    id: str
    run: Run
    commit: str
    """The commit it counts for: the run's own, or another one with its tree."""
    repository: str | None = None
    """Where it is from; None where there is only one."""
    whole: bool = True
    """No measurement was left out, so that `id` is that of `run`."""


@dataclass(frozen=True, slots=True)
class Format:
    """How a format is written."""

    module: str
    """In this package."""
    ending: str
    """Of file names, with the dot."""
    binary: bool = False
    """Needs a file of its own, and cannot go to standard output."""
    folder: bool = False
    """Is a folder of files."""
    one: str | None = None
    """What one file holds, `run` or `commit`; None: everything."""


FORMATS = {
    "json": Format("json_lines", ".jsonl"),
    "csv": Format("csv_table", ".csv"),
    "sqlite": Format("sqlite", ".sqlite", binary=True),
    "parquet": Format("parquet", ".parquet", binary=True, folder=True),
    "openmetrics": Format("openmetrics", ".txt"),
    "pytest-benchmark": Format("pytest_benchmark", ".json", one="run"),
    "go": Format("go_text", ".txt", one="commit"),
}
"""Format by its name on the command line."""

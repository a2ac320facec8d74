"""A table of comma separated values, one value a row.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and
names are hostile.  Such a text gets an apostrophe in front, and so does one that begins
with an apostrophe or has blanks at its ends; our reader takes it off again.  Numbers
are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TextIO

from gitbench.export import moment
from gitbench.exporting import Item
from gitbench.model import Measurement

_WORDS = """
repository run_id suite commit tree started_at time_source testbed fingerprint tool
tool_version dirty session round benchmark params metric unit better kind version
status message process value passes trials center center_of low high stddev n
"""

COLUMNS = tuple(_WORDS.split())
"""The header, always whole, so that tables can be put together."""

Cell = str | int | float | None


def write(items: Iterable[Item], out: TextIO) -> tuple[str, ...]:
    """Write a header, and a row for each value; lines end with a newline alone."""
    out.write(",".join(COLUMNS) + "\n")
    for item in items:
        for line in _lines(item):
            out.write(line)
    return ()


def _quoted(cell: str) -> str:
    """As RFC 4180 quotes; Python's own writer leaves a lone carriage return bare where
    lines end with a newline alone."""
    if any(sign in cell for sign in ',"\r\n'):
        cell = cell.replace('"', '""')
        return f'"{cell}"'
    return cell


def guarded(cell: Cell) -> str:
    """The text of a cell: numbers as they read back, texts that no spreadsheet
    computes with."""
    if cell is None:
        return ""
    if not isinstance(cell, str):
        return repr(cell)
    if cell.startswith(("=", "+", "-", "@", "'")) or cell != cell.strip():
        return f"'{cell}"
    return cell


def _joined(cells: Iterable[Cell]) -> str:
    return ",".join([_quoted(guarded(cell)) for cell in cells])


def _lines(item: Item) -> Iterator[str]:
    """The rows of a run; what is the same in all rows of a measurement is made once,
    which takes a quarter of the time."""
    run = item.run
    head: list[Cell] = [
        item.repository,
        item.id,
        run.suite,
        run.commit,
        run.tree,
        moment(run.started_at),
        run.time_source,
        run.testbed.name,
        run.testbed.fingerprint,
        run.tool.name,
        run.tool.version,
        "true" if run.dirty else "false",
        run.session,
        run.round,
    ]
    of_run = _joined(head)
    for one in run.measurements:
        params = dict(one.benchmark.params)
        told: list[Cell] = [
            one.benchmark.name,
            json.dumps(params, ensure_ascii=False) if params else None,
            one.metric.name,
            one.metric.unit,
            one.metric.better.value,
            one.metric.kind.value,
            one.version,
            one.status.value,
            one.message,
        ]
        before, behind = _joined(told), _joined(_tail(one))
        for process, value in _values(one):
            yield f"{of_run},{before},{_joined((process, value))},{behind}\n"


def _values(one: Measurement) -> Iterator[tuple[int | None, float | None]]:
    """Values with the number of their process, from 1.

    Without values the summary's center, or the share of passes, stands for them, and
    the process is left empty; a failure has a row without a value.
    """
    for process, values in enumerate(one.processes, 1):
        for value in values:
            yield process, value
    if one.processes:
        return
    if one.summary is not None:
        yield None, one.summary.center
    elif one.passes is not None and one.trials is not None:
        yield None, one.passes / one.trials
    else:
        yield None, None


def _tail(one: Measurement) -> list[Cell]:
    summary = one.summary
    if summary is None:
        return [one.passes, one.trials, *[None] * 6]
    return [
        one.passes,
        one.trials,
        summary.center,
        summary.of,
        summary.low,
        summary.high,
        summary.stddev,
        summary.n,
    ]

"""Tables of comma, semicolon or tab separated values with a header line.

A table says nothing of what its columns mean, so the header names them (`benchmark`,
`value`, `unit`, ...) or `--column MEANING=NAME` does.  Rows of one benchmark,
parameters and metric are the values of one measurement, in the order of the table.

A table that gitbench exported comes back as far as a table can hold a run: columns
`params` (JSON) and `run_id` are its own, and so is the apostrophe in front of texts
that a spreadsheet would compute with.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from gitbench.errors import GitbenchError
from gitbench.formats.document import (
    MAX_MEASUREMENTS,
    Document,
    FormatError,
    get_text,
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
from gitbench.units import kind_and_better, parse_quantity

MEANINGS = (
    "benchmark",
    "value",
    "unit",
    "metric",
    "better",
    "process",
    "status",
    "message",
    "params",
    "run_id",
)
"""What a column can mean, besides `param:NAME`, a parameter."""

PARAM = "param:"
_RUN_ID = re.compile("[0-9a-f]{16}")
_GUARDED = re.compile(r"'(?=[=+\-@']|\s)|'(?=[\s\S]*\s\Z)")
"""The apostrophe that an export puts in front; see `gitbench.exporting.csv_table`."""
_STATUS = {
    "": Status.OK,
    "ok": Status.OK,
    "pass": Status.OK,
    "passed": Status.OK,
    "failed": Status.FAILED,
    "fail": Status.FAILED,
    "error": Status.FAILED,
    "skipped": Status.SKIPPED,
}
_ADVICE = (
    "say what the columns mean, as in: --tool csv --column benchmark=name "
    "--column value=time --column unit==ms"
)

Key = tuple[str, tuple[tuple[str, str], ...], str]


@dataclass(slots=True)
class _Row:
    """What is gathered of one measurement."""

    metric: Metric
    processes: dict[str, list[float]] = field(default_factory=dict)
    status: Status = Status.OK
    message: str | None = None


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a table."""
    if document.form != "text":
        raise FormatError("line 1", "it is no table of separated values.")
    rows: dict[Key, _Row] = {}
    lines = _lines(document.text)
    header = next(lines, (0, []))[1]
    columns = _Columns(header, document.columns)
    run = None
    for place, cells in lines:
        where = f"line {place}"
        told = columns.cell(cells, "run_id")
        run = run or told
        if told != run and _RUN_ID.fullmatch(told):
            raise FormatError(
                f"{where}, run_id",
                "the table holds several runs, and their values would be mixed; split "
                "it by this column, or export json.",
            )
        if len(cells) > len(header):
            raise FormatError(
                where, f"it has {len(cells)} cells, and the header {len(header)}."
            )
        _read_row(rows, columns, cells, where)
        if len(rows) > MAX_MEASUREMENTS:
            raise FormatError(
                where, f"it holds more than {MAX_MEASUREMENTS:,} measurements."
            )
    if not rows:
        raise FormatError("", "the table has no rows.")
    found = tuple(_measurement(key, row) for key, row in rows.items())
    return (Reading(Tool("csv"), found),)


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with their line numbers; blank ones are passed over."""
    first = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [_plain(cell) for cell in cells]
    except csv.Error as exc:
        # The message shows the delimiter, which may be a tab.
        raise FormatError(
            f"line {reader.line_num}", f"it is no table ({quoted(exc, 200)})."
        ) from exc


def _plain(cell: str) -> str:
    """A cell without blanks at its ends, or without an exporter's apostrophe."""
    guard = _GUARDED.match(cell)
    return cell[1:] if guard else cell.strip()


class _Columns:
    """Where the cells of a row are that mean something."""

    def __init__(self, header: list[str], told: Mapping[str, str]) -> None:
        self._fixed: dict[str, str] = {}
        self._at: dict[str, int] = {}
        for place, name in enumerate(header):
            meaning = name.lower() if name.lower() in MEANINGS else name
            if meaning in MEANINGS or meaning.startswith(PARAM):
                self._at.setdefault(meaning, place)
        for meaning, name in told.items():
            self._tell(meaning, name, header)
        for needed in ("benchmark", "value"):
            if needed not in self._at:
                raise FormatError("line 1", f"no column is the {needed}; {_ADVICE}.")
        self.params = sorted(
            one.removeprefix(PARAM)
            for one in {**self._at, **self._fixed}
            if one.startswith(PARAM)
        )

    def _tell(self, meaning: str, name: str, header: list[str]) -> None:
        """What one `--column` says; `=TEXT` stands for the text itself."""
        if meaning not in MEANINGS and not meaning.startswith(PARAM):
            raise FormatError(
                f"--column {quoted(meaning)}",
                f"a column means {', '.join(MEANINGS)} or {PARAM}NAME.",
            )
        self._at.pop(meaning, None)
        if name.startswith("="):
            self._fixed[meaning] = name[1:]
        elif name in header:
            self._at[meaning] = header.index(name)
        else:
            shown = ", ".join(quoted(one, 40) for one in header[:20])
            raise FormatError(
                "line 1", f"there is no column {quoted(name)}; there are {shown}."
            )

    def cell(self, cells: list[str], meaning: str) -> str:
        """The text of one meaning in a row; empty if there is none."""
        place = self._at.get(meaning)
        if place is None:
            return self._fixed.get(meaning, "")
        return cells[place] if place < len(cells) else ""


def _read_row(
    rows: dict[Key, _Row], columns: _Columns, cells: list[str], where: str
) -> None:
    name = get_text(columns.cell(cells, "benchmark"), f"{where}, benchmark")
    params = tuple(
        (param, text)
        for param in columns.params
        if (text := columns.cell(cells, PARAM + param))
    )
    params += _params(columns.cell(cells, "params"), f"{where}, params")
    word = columns.cell(cells, "status").lower()
    if word not in _STATUS:
        raise FormatError(
            f"{where}, status", f"{quoted(word)} is none of ok, failed and skipped."
        )
    status, unit = _STATUS[word], columns.cell(cells, "unit")
    value = 0.0
    if status is Status.OK:
        value, unit = _value(columns.cell(cells, "value"), unit, f"{where}, value")
    metric = _metric(columns.cell(cells, "metric"), unit, columns.cell(cells, "better"))
    row = rows.setdefault((name, params, metric.name), _Row(metric))
    if row.metric != metric and status is Status.OK:
        if row.status is Status.OK:
            raise FormatError(
                where, f"{quoted(name)} has another unit or direction further up."
            )
        row.metric = metric
    if status is not Status.OK:
        row.status = status
        row.message = columns.cell(cells, "message") or row.message
        return
    row.processes.setdefault(columns.cell(cells, "process"), []).append(value)


def _params(text: str, where: str) -> tuple[tuple[str, str], ...]:
    """Parameters as one JSON object of texts; other text is no parameters of ours."""
    if not text.startswith("{"):
        return ()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise FormatError(where, f"{quoted(text)} is no JSON object.") from exc
    if not isinstance(found, dict):
        raise FormatError(where, f"{quoted(text)} is no JSON object.")
    pairs = tuple(sorted(found.items()))
    for key, value in pairs:
        get_text(key, where)
        if value != "":
            get_text(value, where)
    return pairs


def _value(text: str, unit: str, where: str) -> tuple[float, str]:
    """A cell's number and unit; without a unit column the cell may hold it: 25.1us."""
    try:
        number = float(text)
        if not math.isfinite(number) or "_" in text:
            raise FormatError(where, f"{quoted(text)} is no measured value.")
        return number, unit or "1"
    except ValueError:
        pass
    if unit:
        raise FormatError(where, f"{quoted(text)} is no number.")
    try:
        return parse_quantity(text)
    except GitbenchError as exc:
        raise FormatError(where, f"{quoted(text)} is no number with a unit.") from exc


@lru_cache(maxsize=512)
def _metric(name: str, unit: str, better: str) -> Metric:
    """The metric of a row; without a name it is what its unit implies."""
    kind, implied = kind_and_better(name or "value", unit)
    if not name:
        known = {
            Kind.DURATION: "duration",
            Kind.THROUGHPUT: "throughput",
            Kind.SIZE: "size",
        }
        name = known.get(kind, "value")
    if kind is Kind.PROPORTION:
        kind = Kind.SCORE
    words = {one.value: one for one in Better}
    if better and better not in words:
        raise FormatError(
            "column better", f"{quoted(better)} is none of {', '.join(words)}."
        )
    return Metric(name, unit, words.get(better, implied), kind)


def _measurement(key: Key, row: _Row) -> Measurement:
    name, params, _ = key
    benchmark = Benchmark(name, params)
    if row.status is not Status.OK:
        return Measurement(
            benchmark, row.metric, status=row.status, message=row.message
        )
    processes = tuple(tuple(values) for values in row.processes.values())
    return Measurement(benchmark, row.metric, processes)

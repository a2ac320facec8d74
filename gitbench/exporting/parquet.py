"""Parquet files for DuckDB, Spark, Trino and pandas, a folder a suite.

One row is one measurement with all its values, so that nothing of a run is lost and
years of results stay small.  The folders are named as Hive does, `suite=NAME`, with the
name percent-encoded; since a file system takes only 255 bytes and readers guess types
(a suite `1` becomes a number), the column `suite_name` has the name as it is.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gitbench.exporting import ExportError, Item
from gitbench.model import Measurement
from gitbench.store.facts import point_of

if TYPE_CHECKING:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

MAX_ROWS = 20_000
MAX_VALUES = 250_000
"""What is held in memory before it is written, over all suites."""
MAX_OPEN = 64
"""Files that are open at a time; a suite that comes back gets another file."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def write(items: Iterable[Item], folder: Path) -> tuple[str, ...]:
    """Write a dataset into an empty folder; raises `ExportError` without pyarrow."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as exc:
        raise ExportError(
            "Parquet needs pyarrow, which is not installed: pip install "
            "'gitbench[parquet]'"
        ) from exc
    dataset = _Dataset(folder, schema())
    try:
        for item in items:
            for place, one in enumerate(item.run.measurements):
                dataset.add(item.run.suite, _row(item, place, one))
    finally:
        dataset.close()
    return ()


def schema() -> pyarrow.Schema:
    """The columns; those of a run first."""
    import pyarrow as pa

    text, whole, number = pa.string(), pa.int64(), pa.float64()
    pairs = pa.map_(text, text)
    columns = {
        **dict.fromkeys(("repository", "run_id", "suite_name"), text),
        **dict.fromkeys(("commit", "tree", "counts_for"), text),
        "started_at": pa.timestamp("ms", tz="UTC"),
        "time_source": text,
        "dirty": pa.bool_(),
        **dict.fromkeys(("origin", "tool", "tool_version"), text),
        **dict.fromkeys(("testbed", "fingerprint"), text),
        "facts": pairs,
        **dict.fromkeys(("ci_provider", "ci_url", "ci_job", "pull_request"), text),
        "session": text,
        "round": whole,
        "tags": pairs,
        "place": whole,
        **dict.fromkeys(("benchmark", "label"), text),
        "params": pairs,
        **dict.fromkeys(("metric", "unit", "better", "kind"), text),
        **dict.fromkeys(("status", "message", "version"), text),
        "processes": pa.list_(pa.list_(number)),
        **dict.fromkeys(("passes", "trials"), whole),
        "summary_center": number,
        "summary_of": text,
        **dict.fromkeys(("summary_low", "summary_high", "summary_stddev"), number),
        "summary_n": whole,
        "base_unit": text,
        **dict.fromkeys(("center", "low", "high"), number),
        "n": whole,
    }
    return pa.schema(list(columns.items()))


def folder_name(suite: str) -> str:
    """`suite=` and the name, percent-encoded so that it is one component of a path
    on every system, at most 200 bytes, and never Hive's word for none."""
    name = _quoted(suite)
    if len(name) > 180:
        digest = hashlib.sha256(suite.encode()).hexdigest()[:16]
        kept = suite[:160]
        while len(_quoted(kept)) > 160:
            kept = kept[:-1]
        name = f"{_quoted(kept)}-{digest}"
    return f"suite={name}"


def _quoted(name: str) -> str:
    return quote(name, safe="").replace("_", "%5F").replace("~", "%7E")


class _Dataset:
    """Rows on their way to the files of their suites."""

    def __init__(self, folder: Path, schema: pyarrow.Schema) -> None:
        self._folder = folder
        self._schema = schema
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._held = (0, 0)
        self._open: OrderedDict[str, ParquetWriter] = OrderedDict()
        self._parts = 0

    def add(self, suite: str, row: dict[str, Any]) -> None:
        """Take one row."""
        self._rows.setdefault(suite, []).append(row)
        values = sum(map(len, row["processes"] or ()))
        self._held = self._held[0] + 1, self._held[1] + values
        if self._held[0] >= MAX_ROWS or self._held[1] >= MAX_VALUES:
            self._flush()

    def close(self) -> None:
        """Write what is held, and end the files."""
        self._flush()
        for writer in self._open.values():
            writer.close()
        self._open.clear()

    def _flush(self) -> None:
        import pyarrow as pa

        for suite, rows in self._rows.items():
            table = pa.Table.from_pylist(rows, schema=self._schema)
            self._writer(suite).write_table(table)
        self._rows.clear()
        self._held = (0, 0)

    def _writer(self, suite: str) -> ParquetWriter:
        from pyarrow.parquet import ParquetWriter

        if suite in self._open:
            self._open.move_to_end(suite)
            return self._open[suite]
        if len(self._open) >= MAX_OPEN:
            self._open.popitem(last=False)[1].close()
        place = self._folder / folder_name(suite)
        place.mkdir(exist_ok=True)
        path = place / f"part-{self._parts:05}.parquet"
        self._parts += 1
        self._open[suite] = ParquetWriter(path, self._schema, compression="zstd")
        return self._open[suite]


def _row(item: Item, place: int, one: Measurement) -> dict[str, Any]:
    run, ci, summary, point = item.run, item.run.ci, one.summary, point_of(one)
    row: dict[str, Any] = {
        "repository": item.repository,
        "run_id": item.id,
        "suite_name": run.suite,
        "commit": run.commit,
        "tree": run.tree,
        "counts_for": item.commit,
        "started_at": _EPOCH + timedelta(milliseconds=run.started_at),
        "time_source": run.time_source,
        "dirty": run.dirty,
        "origin": run.origin,
        "tool": run.tool.name,
        "tool_version": run.tool.version,
        "testbed": run.testbed.name,
        "fingerprint": run.testbed.fingerprint,
        "facts": run.testbed.facts,
        "session": run.session,
        "round": run.round,
        "tags": run.tags,
        "place": place,
        "benchmark": one.benchmark.name,
        "label": one.benchmark.label,
        "params": one.benchmark.params,
        "metric": one.metric.name,
        "unit": one.metric.unit,
        "better": one.metric.better.value,
        "kind": one.metric.kind.value,
        "status": one.status.value,
        "message": one.message,
        "version": one.version,
        "processes": one.processes or None,
        "passes": one.passes,
        "trials": one.trials,
        "base_unit": point.series.unit,
        "center": point.center,
        "low": point.low,
        "high": point.high,
        "n": point.n,
    }
    if ci is not None:
        row["ci_provider"], row["ci_url"] = ci.provider, ci.url
        row["ci_job"], row["pull_request"] = ci.job, ci.pull_request
    if summary is not None:
        row["summary_center"], row["summary_of"] = summary.center, summary.of
        row["summary_low"], row["summary_high"] = summary.low, summary.high
        row["summary_stddev"], row["summary_n"] = summary.stddev, summary.n
    return row

"""One SQLite file: tables of everything, and views for the usual questions."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from gitbench.export import moment
from gitbench.exporting import Item
from gitbench.model import Measurement, Run
from gitbench.store.facts import point_of

if TYPE_CHECKING:
    from sqlite3 import Connection

SCHEMA = "gitbench/sqlite/1"

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE runs (
  run INTEGER PRIMARY KEY,
  repository TEXT, id TEXT NOT NULL, suite TEXT NOT NULL,
  "commit" TEXT NOT NULL, tree TEXT NOT NULL, counts_for TEXT NOT NULL,
  started_at TEXT NOT NULL, started_at_ms INTEGER NOT NULL, time_source TEXT NOT NULL,
  dirty INTEGER NOT NULL, origin TEXT NOT NULL,
  tool TEXT NOT NULL, tool_version TEXT,
  testbed TEXT NOT NULL, fingerprint TEXT NOT NULL,
  ci_provider TEXT, ci_url TEXT, ci_job TEXT, pull_request TEXT,
  session TEXT, round INTEGER);

CREATE TABLE facts (
  run INTEGER NOT NULL REFERENCES runs, name TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (run, name)) WITHOUT ROWID;

CREATE TABLE tags (
  run INTEGER NOT NULL REFERENCES runs, name TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (run, name)) WITHOUT ROWID;

CREATE TABLE measurements (
  measurement INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs,
  benchmark TEXT NOT NULL, label TEXT NOT NULL,
  metric TEXT NOT NULL, unit TEXT NOT NULL, better TEXT NOT NULL, kind TEXT NOT NULL,
  status TEXT NOT NULL, message TEXT, version TEXT,
  passes INTEGER, trials INTEGER,
  summary_center REAL, summary_of TEXT, summary_low REAL, summary_high REAL,
  summary_stddev REAL, summary_n INTEGER,
  base_unit TEXT NOT NULL, center REAL, low REAL, high REAL, n INTEGER NOT NULL);

CREATE TABLE params (
  measurement INTEGER NOT NULL REFERENCES measurements,
  name TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (measurement, name)) WITHOUT ROWID;

CREATE TABLE values_ (
  measurement INTEGER NOT NULL REFERENCES measurements,
  process INTEGER NOT NULL, place INTEGER NOT NULL, value REAL NOT NULL,
  PRIMARY KEY (measurement, process, place)) WITHOUT ROWID;
"""

INDICES = """
CREATE INDEX runs_commit ON runs ("commit");
CREATE INDEX runs_time ON runs (started_at_ms);
CREATE INDEX runs_suite ON runs (suite, testbed);
CREATE INDEX measurements_run ON measurements (run);
CREATE INDEX measurements_name ON measurements (benchmark, metric);

CREATE VIEW series AS
SELECT r.repository, r.suite, r.testbed, r.fingerprint, m.label AS benchmark,
  m.metric, m.base_unit AS unit, m.version, r."commit", r.started_at, r.id AS run_id,
  m.center, m.low, m.high, m.n
FROM measurements m JOIN runs r USING (run)
WHERE m.center IS NOT NULL
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, r.started_at_ms;

CREATE VIEW failures AS
SELECT r.repository, r.suite, r.testbed, m.label AS benchmark, m.metric, m.status,
  m.message, r."commit", r.started_at, r.id AS run_id
FROM measurements m JOIN runs r USING (run)
WHERE m.status <> 'ok'
ORDER BY r.started_at_ms;

CREATE VIEW raw_values AS
SELECT r.repository, r.suite, r.testbed, m.label AS benchmark, m.metric, m.unit,
  r."commit", r.started_at, r.id AS run_id, v.process, v.place, v.value
FROM values_ v JOIN measurements m USING (measurement) JOIN runs r USING (run);
"""


def write(items: Iterable[Item], path: Path) -> tuple[str, ...]:
    """Write a new file at `path`; the caller moves it into its place when it is
    whole, so nothing here need survive a crash."""
    import sqlite3

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(TABLES)
        connection.execute("BEGIN")
        connection.execute("INSERT INTO meta VALUES ('schema', ?)", (SCHEMA,))
        measurement = 0
        for number, item in enumerate(items, 1):
            _put_run(connection, number, item)
            for one in item.run.measurements:
                measurement += 1
                _put_measurement(connection, measurement, number, one)
        connection.execute("COMMIT")
        connection.executescript(INDICES)
        connection.execute("ANALYZE")
    return ()


def _insert(connection: Connection, table: str, row: tuple[object, ...]) -> None:
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)


def _put_run(connection: Connection, number: int, item: Item) -> None:
    run: Run = item.run
    ci = run.ci
    row = (
        number,
        item.repository,
        item.id,
        run.suite,
        run.commit,
        run.tree,
        item.commit,
        moment(run.started_at),
        run.started_at,
        run.time_source,
        int(run.dirty),
        run.origin,
        run.tool.name,
        run.tool.version,
        run.testbed.name,
        run.testbed.fingerprint,
        *((ci.provider, ci.url, ci.job, ci.pull_request) if ci else (None,) * 4),
        run.session,
        run.round,
    )
    _insert(connection, "runs", row)
    for table, pairs in (("facts", run.testbed.facts), ("tags", run.tags)):
        connection.executemany(
            f"INSERT INTO {table} VALUES (?, ?, ?)",
            [(number, name, value) for name, value in pairs],
        )


def _put_measurement(
    connection: Connection, number: int, run: int, one: Measurement
) -> None:
    summary, point = one.summary, point_of(one)
    row = (
        number,
        run,
        one.benchmark.name,
        one.benchmark.label,
        one.metric.name,
        one.metric.unit,
        one.metric.better.value,
        one.metric.kind.value,
        one.status.value,
        one.message,
        one.version,
        one.passes,
        one.trials,
        *(
            (None,) * 6
            if summary is None
            else (
                summary.center,
                summary.of,
                summary.low,
                summary.high,
                summary.stddev,
                summary.n,
            )
        ),
        point.series.unit,
        point.center,
        point.low,
        point.high,
        point.n,
    )
    _insert(connection, "measurements", row)
    connection.executemany(
        "INSERT INTO params VALUES (?, ?, ?)",
        [(number, name, value) for name, value in one.benchmark.params],
    )
    connection.executemany(
        "INSERT INTO values_ VALUES (?, ?, ?, ?)",
        [
            (number, process, place, value)
            for process, values in enumerate(one.processes, 1)
            for place, value in enumerate(values, 1)
        ],
    )

"""The database of `cargo autopilot benchmark`: SQLite, one row a result.

Table `benchmark_results(benchmark_id, timestamp, metrics)`, `metrics` a JSON object.
Several results of one id are the values of one run.  The database is opened in memory
from its bytes, read only, with bounds on what a hostile one can ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gitbench.formats.document import (
    MAX_MEASUREMENTS,
    Document,
    FormatError,
    check_unique,
    get_object,
    get_text,
    number,
    parse_json,
    quoted,
    timestamp,
)
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    Reading,
    Tool,
)
from gitbench.units import kind_and_better

if TYPE_CHECKING:
    import sqlite3

_METRICS = {
    "duration_ms": Metric("duration", "ms", Better.LOWER, Kind.DURATION),
    "tokens": Metric("tokens", "tokens", Better.LOWER, Kind.TOKENS),
    "cost": Metric("cost", "USD", Better.LOWER, Kind.MONEY),
}
_SUCCESS = "success"
_UNITS = {
    "_ms": "ms",
    "_us": "us",
    "_ns": "ns",
    "_s": "s",
    "_bytes": "B",
    "_usd": "USD",
}
_STEPS = 50_000_000
"""Steps of SQLite's machine after which reading is given up."""
_MAX_ROWS = 5_000_000
_LONG_MS = 6 * 3_600_000

Values = dict[str, list[float]]


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a database."""
    if document.data[:16] != b"SQLite format 3\0":
        raise FormatError("byte 0", "it is no SQLite database.")
    benchmarks: dict[str, Values] = {}
    times: list[int] = []
    rows = 0
    for rows, (name, when, metrics) in enumerate(_rows(document.data), 1):
        where = f"benchmark_results, row {rows}"
        values = benchmarks.setdefault(get_text(name, f"{where}, benchmark_id"), {})
        _read_metrics(values, metrics, where)
        time = _time(when, f"{where}, timestamp")
        if time is not None:
            times.append(time)
    found = [
        _measurement(Benchmark(name), metric, numbers)
        for name, values in benchmarks.items()
        for metric, numbers in values.items()
    ]
    check_unique(found, "rename one of them")
    if len(found) > MAX_MEASUREMENTS:
        raise FormatError("", f"it holds more than {MAX_MEASUREMENTS:,} measurements.")
    return (
        Reading(
            Tool("autopilot"),
            tuple(found),
            started_at=min(times) if times else None,
            warnings=_warnings(times),
        ),
    )


def _warnings(times: list[int]) -> tuple[str, ...]:
    if times and max(times) - min(times) > _LONG_MS:
        hours = (max(times) - min(times)) / 3_600_000
        return (
            f"its results span {hours:.0f} hours and are taken as one run, which hides "
            "how runs differ; write a fresh database in each job.",
        )
    return ()


def _rows(data: bytes) -> Iterator[tuple[Any, Any, Any]]:
    """The rows of the table, oldest first."""
    import sqlite3

    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(data)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA query_only = ON")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 16 * 2**20)
        steps = 0

        def stop() -> int:
            nonlocal steps
            steps += 100_000
            return steps > _STEPS

        connection.set_progress_handler(stop, 100_000)
        _check_table(connection)
        query = (
            "SELECT benchmark_id, timestamp, metrics FROM benchmark_results "
            f"ORDER BY rowid LIMIT {_MAX_ROWS}"
        )
        yield from connection.execute(query)
    except sqlite3.Error as exc:
        # SQLite puts bytes of the file into its messages.
        raise FormatError(
            "", f"the database cannot be read ({quoted(exc, 200)})."
        ) from exc
    except (UnicodeDecodeError, OverflowError, MemoryError) as exc:
        raise FormatError("", "the database holds text that is not UTF-8.") from exc
    finally:
        connection.close()


def _check_table(connection: sqlite3.Connection) -> None:
    """Refuse a database whose `benchmark_results` is no plain table with our columns.

    A view of that name could ask for anything.
    """
    found = connection.execute(
        "SELECT type, sql FROM sqlite_master WHERE name = 'benchmark_results'"
    ).fetchall()
    if not found:
        raise FormatError("", "it has no table 'benchmark_results'.")
    if found[0][0] != "table" or "VIRTUAL" in str(found[0][1]).upper():
        raise FormatError("", "its 'benchmark_results' is no plain table.")
    columns = {
        row[1] for row in connection.execute("PRAGMA table_xinfo(benchmark_results)")
    }
    for name in ("benchmark_id", "timestamp", "metrics"):
        if name not in columns:
            raise FormatError("benchmark_results", f"it has no column {name!r}.")


def _read_metrics(values: Values, metrics: Any, where: str) -> None:
    """Take in the JSON object of one row."""
    place = f"{where}, metrics"
    if isinstance(metrics, bytes):
        metrics = metrics.decode("utf-8", "replace")
    if not isinstance(metrics, str) or not metrics.strip():
        raise FormatError(place, "it must be a JSON object.")
    try:
        parsed = parse_json(metrics)
    except FormatError as exc:
        raise FormatError(place, exc.reason) from exc
    if len(parsed) != 1:
        raise FormatError(place, "it must be one JSON object.")
    for key, value in get_object(parsed[0], place).items():
        if isinstance(value, bool) or (key == _SUCCESS and value in (0, 1)):
            values.setdefault(key, []).append(float(value))
        elif isinstance(value, int | float):
            if key == _SUCCESS:
                raise FormatError(place, f"success is {value}, not true or false.")
            values.setdefault(key, []).append(number(value, f"{place}.{quoted(key)}"))
        elif value is None or isinstance(value, str | list | dict):
            continue  # a note, or not measured


def _measurement(benchmark: Benchmark, key: str, values: list[float]) -> Measurement:
    if key == _SUCCESS or (set(values) <= {0.0, 1.0} and key.startswith("is_")):
        metric = Metric(key, "1", Better.HIGHER, Kind.PROPORTION)
        return Measurement(
            benchmark, metric, passes=int(sum(values)), trials=len(values)
        )
    known = _METRICS.get(key)
    if known is None:
        unit = next((u for end, u in _UNITS.items() if key.endswith(end)), "1")
        kind, better = kind_and_better(get_text(key, "metrics"), unit)
        if kind is Kind.PROPORTION:
            kind = Kind.SCORE
        known = Metric(key, unit, better, kind)
    return Measurement(benchmark, known, (tuple(values),))


def _time(value: Any, where: str) -> int | None:
    """A time as text, or seconds or milliseconds since 1970; in ms."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return timestamp(value, where)[0]
    seconds = number(value, where)
    milliseconds = seconds if seconds > 1e11 else seconds * 1000
    if not 0 <= milliseconds < 253_402_300_800_000:
        raise FormatError(where, f"{quoted(value)} is no time.")
    return int(milliseconds)

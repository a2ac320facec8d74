"""What the index file holds: its tables, and their rows as bytes.

Rows carry checksums, because a flipped bit in a number is nothing that SQLite would
see; a row that does not fit its checksum makes the whole file broken.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgpack

from gitbench.errors import GitbenchError
from gitbench.model import Benchmark, Better, Kind, Status
from gitbench.store.facts import Point, Series

if TYPE_CHECKING:
    import sqlite3

APPLICATION = 0x67626978
VERSION = 2
"""Raised with every change of what the file holds; another one is built anew."""

BUSY_S = 0.05
"""How long a read or a write waits for one of another process."""

TABLES = (
    "CREATE TABLE state(id INTEGER PRIMARY KEY, data BLOB NOT NULL)",
    "CREATE TABLE note(object BLOB PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE run(id INTEGER PRIMARY KEY, data BLOB NOT NULL)",
    "CREATE TABLE setup(id INTEGER PRIMARY KEY, data BLOB NOT NULL)",
    "CREATE TABLE series(id INTEGER PRIMARY KEY, data BLOB NOT NULL)",
    "CREATE TABLE point(series INTEGER, run INTEGER, center REAL, low REAL, "
    "high REAL, n INTEGER, processes INTEGER, flags INTEGER, seal INTEGER, "
    "PRIMARY KEY(series, run)) WITHOUT ROWID",
)
"""`note` and `run`: one row each.  `setup`: what many runs have in common, the list
of their series above all.  `point`: one row a measurement, the points of one series
side by side.  The other columns are msgpack behind a checksum."""

STATUSES = tuple(Status)
NO_CENTER, NO_LOW, NO_HIGH, UNEVEN, SUMMARY, MEDIAN = (4 << place for place in range(6))
"""Bits of `flags`; the two lowest are the status."""


class IndexUnusable(GitbenchError):
    """This answer cannot come from the index; the notes have it."""


class IndexUnfit(IndexUnusable):
    """There is no index, or it is not of this version: it is to be built anew."""


class IndexBroken(IndexUnfit):
    """The file is damaged."""


@contextmanager
def guard() -> Iterator[None]:
    """Turn whatever a damaged, locked or unwritable file causes into one of our
    exceptions."""
    import sqlite3
    import struct

    try:
        yield
    except sqlite3.Error as exc:
        code = getattr(exc, "sqlite_errorcode", None)
        passing = (
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_IOERR,
            sqlite3.SQLITE_FULL,
            sqlite3.SQLITE_PERM,
        )
        kind = IndexUnusable if code and code & 0xFF in passing else IndexBroken
        raise kind(str(exc)) from exc
    except OSError as exc:
        raise IndexUnusable(str(exc)) from exc
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        OverflowError,
        struct.error,
        msgpack.exceptions.UnpackException,
    ) as exc:
        raise IndexBroken(f"it holds what no index holds ({exc})") from exc


def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """Open the file as it is, or make an empty one that needs no journal."""
    import sqlite3

    if not create and not path.exists():
        raise IndexUnfit("there is none")
    mode = "rwc" if create else "rw"
    connection = sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?mode={mode}",
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,
    )
    # A hostile file must not get to run anything from its schema.
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA cache_size = -32768")
    if create:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
    else:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")
    return connection


def create_file(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    for statement in TABLES:
        connection.execute(statement)


def check_file(connection: sqlite3.Connection) -> None:
    """Raise `IndexUnfit` for a file that is no index of this version."""
    for pragma, wanted in (("application_id", APPLICATION), ("user_version", VERSION)):
        if connection.execute(f"PRAGMA {pragma}").fetchone() != (wanted,):
            raise IndexUnfit(f"another {pragma}")
    schema = connection.execute("SELECT sql FROM sqlite_master ORDER BY rowid")
    if tuple(sql for (sql,) in schema) != TABLES:
        raise IndexUnfit("other tables")


def seal(table: str, key: object, content: Any) -> bytes:
    packed: bytes = msgpack.packb(content)
    return _checksum(table, key, packed) + packed


def unseal(table: str, key: object, data: Any) -> Any:
    if type(data) is not bytes or data[:4] != _checksum(table, key, data[4:]):
        raise IndexBroken(f"a row of {table} does not fit its checksum")
    return msgpack.unpackb(data[4:], strict_map_key=False)


def _checksum(table: str, key: object, packed: bytes) -> bytes:
    """Over the content, and over where it belongs."""
    return zlib.crc32(packed, zlib.crc32(f"{table} {key!r}".encode())).to_bytes(4)


def objects_sum(keys: Iterable[bytes]) -> int:
    """Checksum of a set of ids, to which one can be added."""
    return sum(map(zlib.crc32, keys))


def point_seal(row: tuple[float, ...]) -> int:
    """Checksum of a point's row.  Python's own hash of numbers takes a tenth of the
    time of packing them, and is the same in every process."""
    return hash(row) & 0x7FFFFFFF


PROBE = point_seal((3, 0.1, -7))
"""Tells whether the file was written by a Python whose hashes are ours."""


def short(text: str) -> bytes | str:
    """Hex digits as the bytes they stand for, other text as it is."""
    try:
        packed = bytes.fromhex(text)
    except ValueError:
        return text
    return packed if packed.hex() == text else text


def long(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.hex()


@dataclass(frozen=True, slots=True)
class State:
    """What the file describes, and how much of it there is."""

    tip: str = ""
    tree: str = ""
    notes: int = 0
    objects: int = 0
    """Checksum of the ids of all annotated objects: a damaged key would otherwise
    look like a note that is not there."""
    series: int = 0


def read_state(connection: sqlite3.Connection) -> State:
    row = connection.execute("SELECT data FROM state WHERE id = 1").fetchone()
    if row is None:
        return State()
    probe, *fields = unseal("state", 1, row[0])
    if probe != PROBE:
        raise IndexUnfit("made by a Python with other hashes")
    return State(*fields)


LineRow = tuple[bytes, int, int | str]
"""Digest of a line; the row and the setup of its run, or twice 0 for a record that is
no run, or 0 and the reason for one that is damaged."""


@dataclass(slots=True)
class NoteRow:
    """One note: where it was read, and what its lines turned out to be."""

    blobs: tuple[str, ...] = ()
    readable: bool = True
    """False: only the notes can tell, each time anew."""
    hidden: tuple[str, ...] = ()
    """Ids of withdrawn records."""
    warnings: tuple[str, ...] = ()
    trees: tuple[str, ...] = ()
    """The commit's tree if this clone had it, and those that its lines name."""
    lines: tuple[LineRow, ...] = ()

    @property
    def runs(self) -> list[int]:
        """Rows of the runs."""
        return [row for _, row, _ in self.lines if row]

    @property
    def setups(self) -> set[int]:
        """Setups of the runs."""
        return {setup for _, row, setup in self.lines if row and type(setup) is int}

    def seal(self, key: bytes) -> bytes:
        content = (
            [short(blob) for blob in self.blobs],
            self.readable,
            [short(one) for one in self.hidden],
            self.warnings,
            [short(tree) for tree in self.trees],
            self.lines,
        )
        return seal("note", key, content)

    @classmethod
    def unseal(cls, key: bytes, data: Any) -> NoteRow:
        blobs, readable, hidden, warnings, trees, lines = unseal("note", key, data)
        return cls(
            tuple(map(long, blobs)),
            readable,
            tuple(map(long, hidden)),
            tuple(warnings),
            tuple(map(long, trees)),
            tuple(map(tuple, lines)),
        )


def series_row(one: Series) -> list[Any]:
    return [
        one.benchmark.name,
        one.benchmark.params,
        one.metric,
        one.unit,
        one.kind.value,
        one.better.value,
        one.version,
    ]


def series_of_row(row: Any) -> Series:
    name, params, metric, unit, kind, better, version = row
    pairs = tuple((key, value) for key, value in params)
    return Series(
        Benchmark(name, pairs), metric, unit, Kind(kind), Better(better), version
    )


def point_row(series: int, run: int, one: Point) -> tuple[float, ...]:
    flags = STATUSES.index(one.status)
    for bit, there in (
        (NO_CENTER, one.center is None),
        (NO_LOW, one.low is None),
        (NO_HIGH, one.high is None),
        (UNEVEN, not one.even),
        (SUMMARY, one.summarised),
        (MEDIAN, one.median),
    ):
        flags |= bit * there
    row = (
        series,
        run,
        one.center or 0.0,
        one.low or 0.0,
        one.high or 0.0,
        one.n,
        one.processes,
        flags,
    )
    return (*row, point_seal(row))


def point_of_row(row: tuple[Any, ...], series: Series, extras: Any) -> Point:
    if point_seal(row[:-1]) != row[-1]:
        raise IndexBroken("a point does not fit its checksum")
    _, _, center, low, high, n, processes, flags, _ = row
    message, passes, trials, values = extras or (None, None, None, n)
    return Point(
        series,
        STATUSES[flags & 3],
        message,
        None if flags & NO_CENTER else center,
        None if flags & NO_LOW else low,
        None if flags & NO_HIGH else high,
        n,
        values,
        processes,
        not flags & UNEVEN,
        bool(flags & SUMMARY),
        bool(flags & MEDIAN),
        passes,
        trials,
    )

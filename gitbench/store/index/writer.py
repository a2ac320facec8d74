"""Bringing the index to a notes commit: what differs is read, the rest is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgpack

from gitbench.model import Run
from gitbench.store import codec
from gitbench.store.codec import Note
from gitbench.store.facts import Series, facts_of, point_of, series_of
from gitbench.store.index.rows import (
    PROBE,
    LineRow,
    NoteRow,
    objects_sum,
    point_row,
    read_state,
    seal,
    series_row,
    short,
    unseal,
)
from gitbench.store.notes import Notes, damaged_line, foreign_lines
from gitbench.store.repository import Repository, RepositoryError
from gitbench.store.standing import standing
from gitbench.store.tree import NotesError, differing, places, walk

if TYPE_CHECKING:
    import sqlite3


class Writer:
    """Changes the rows of an index within one transaction."""

    POINTS = 50_000
    """Rows of points that are kept back, to be written in the order of the table."""

    def __init__(self, connection: sqlite3.Connection, notes: Notes) -> None:
        self.connection = connection
        self.notes = notes
        self.repository = notes.repository
        self.state = read_state(connection)
        self.count = self.state.notes
        self.objects = self.state.objects
        self.next_run = 1 + self._greatest("run")
        self._last = {table: self._greatest(table) for table in ("series", "setup")}
        self._series = self._known("series")
        self._setups = self._known("setup")
        self._ids: dict[Series, int] = {}
        self._points: list[tuple[float, ...]] = []
        self._dropped = False

    def _greatest(self, table: str) -> int:
        (found,) = self.connection.execute(f"SELECT max(id) FROM {table}").fetchone()
        return int(found or 0)

    def _known(self, table: str) -> dict[bytes, int]:
        rows = self.connection.execute(f"SELECT id, data FROM {table}")
        return {msgpack.packb(unseal(table, id_, data)): id_ for id_, data in rows}

    def differences(self, tip: str) -> tuple[dict[str, tuple[str, ...]], list[str]]:
        """Objects whose notes changed, with their blobs; and those that have none
        any more."""
        tree = self.repository.commit_tree(tip)
        old = self.state.tree
        if old and self.repository.has(old):
            objects = differing(self.repository, old, tree)
            found = {one: _blobs(self.repository, tree, one) for one in objects}
        else:
            found = dict.fromkeys(map(bytes.hex, self._objects()), ())
            for one, blob in walk(self.repository, tree, ""):
                several = bool(found.get(one))
                found[one] = _blobs(self.repository, tree, one) if several else (blob,)
        changed = {one: blobs for one, blobs in found.items() if blobs}
        return changed, [one for one, blobs in found.items() if not blobs]

    def _objects(self) -> list[bytes]:
        rows = self.connection.execute("SELECT object FROM note")
        return [object_id for (object_id,) in rows]

    def _old(self, key: bytes) -> NoteRow | None:
        row = self.connection.execute(
            "SELECT data FROM note WHERE object = ?", (key,)
        ).fetchone()
        return None if row is None else NoteRow.unseal(key, row[0])

    def put(self, object_id: str, blobs: tuple[str, ...]) -> None:
        """Make the rows of one note; a line that was there is not decoded again."""
        key = bytes.fromhex(object_id)
        old = self._old(key)
        if old is not None and old.blobs == blobs and old.readable:
            return
        known = {line[0]: line for line in old.lines} if old else {}
        try:
            new = self._read(object_id, blobs, known)
        except (RepositoryError, NotesError):
            new = NoteRow(blobs, readable=False)
        kept = set(new.runs)
        self._drop_runs([one for one in old.runs if one not in kept] if old else [])
        self.connection.execute(
            "INSERT OR REPLACE INTO note VALUES (?, ?)", (key, new.seal(key))
        )
        if old is None:
            self.count += 1
            self.objects += objects_sum([key])

    def _read(
        self, object_id: str, blobs: tuple[str, ...], known: dict[bytes, LineRow]
    ) -> NoteRow:
        note = self.notes.note_of(object_id, blobs)
        lines = []
        warnings = foreign_lines(note, object_id)
        for line in note.lines.values():
            digest = hashlib.blake2b(line.raw, digest_size=16).digest()
            found = known.get(digest) or (digest, *self._decode(line))
            if isinstance(found[2], str):
                warnings.append(damaged_line(object_id, found[2]))
            lines.append(found)
        return NoteRow(
            blobs,
            hidden=tuple(standing(note).hidden),
            warnings=tuple(warnings),
            trees=self._trees(object_id, note),
            lines=tuple(lines),
        )

    def _trees(self, object_id: str, note: Note) -> tuple[str, ...]:
        trees = {line.tree for line in note.lines.values() if line.kind == "run"}
        try:
            trees.add(self.repository.commit_tree(object_id))
        except RepositoryError:
            pass
        return tuple(sorted(trees))

    def _decode(self, line: codec.Line) -> tuple[int, int | str]:
        try:
            record = codec.decode(line)
        except codec.CodecError as exc:
            return 0, str(exc)
        return self._add(line.id, record) if isinstance(record, Run) else (0, 0)

    def _add(self, id_: str, run: Run) -> tuple[int, int]:
        """Add the rows of a run; returns its row and its setup."""
        row = self.next_run
        self.next_run += 1
        numbers = []
        extras = {}
        for place, one in enumerate(run.measurements):
            series = series_of(one)
            number = self._ids.get(series)
            if number is None:
                number = self._intern("series", self._series, series_row(series))
                self._ids[series] = number
            numbers.append(number)
            point = point_of(one, series)
            self._points.append(point_row(number, row, point))
            more = (point.message, point.passes, point.trials, point.values)
            if more != (None, None, None, point.n):
                extras[place] = more
        facts = facts_of(run)
        common = [
            facts.suite,
            facts.testbed,
            facts.fingerprint,
            facts.tool,
            facts.tool_version,
            numbers,
        ]
        setup = self._intern("setup", self._setups, common)
        content = (
            short(id_),
            setup,
            facts.started_at,
            short(facts.commit),
            short(facts.tree),
            short(facts.origin),
            facts.dirty,
            facts.session,
            facts.job,
            extras,
        )
        self.connection.execute(
            "INSERT INTO run VALUES (?, ?)", (row, seal("run", row, content))
        )
        if len(self._points) >= self.POINTS:
            self._flush()
        return row, setup

    def _intern(self, table: str, known: dict[bytes, int], content: list[Any]) -> int:
        packed = msgpack.packb(content)
        if packed not in known:
            self._last[table] = known[packed] = id_ = self._last[table] + 1
            self.connection.execute(
                f"INSERT INTO {table} VALUES (?, ?)", (id_, seal(table, id_, content))
            )
        return known[packed]

    def _flush(self) -> None:
        self._points.sort()
        self.connection.executemany(
            "INSERT INTO point VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", self._points
        )
        self._points.clear()

    def drop(self, object_id: str) -> None:
        """Delete the rows of an object that has no note any more."""
        key = bytes.fromhex(object_id)
        old = self._old(key)
        if old is not None:
            self._drop_runs(old.runs)
            self.connection.execute("DELETE FROM note WHERE object = ?", (key,))
            self.count -= 1
            self.objects -= objects_sum([key])

    def _drop_runs(self, rows: Sequence[int]) -> None:
        if not rows:
            return
        self._flush()
        self._dropped = True
        series = {id_: msgpack.unpackb(key)[-1] for key, id_ in self._setups.items()}
        for row in rows:
            found = self.connection.execute("SELECT data FROM run WHERE id = ?", (row,))
            content = unseal("run", row, found.fetchone()[0])
            self.connection.executemany(
                "DELETE FROM point WHERE series = ? AND run = ?",
                [(number, row) for number in series[content[1]]],
            )
            self.connection.execute("DELETE FROM run WHERE id = ?", (row,))

    def finish(self, tip: str) -> None:
        """Write what was kept back, forget names that nothing uses, set the tip."""
        self._flush()
        if self._dropped:
            self._sweep()
        tree = self.repository.commit_tree(tip)
        state = (PROBE, tip, tree, self.count, self.objects, len(self._series))
        self.connection.execute(
            "INSERT OR REPLACE INTO state VALUES (1, ?)", (seal("state", 1, state),)
        )

    def _sweep(self) -> None:
        rows = self.connection.execute("SELECT id, data FROM run")
        setups = {unseal("run", id_, data)[1] for id_, data in rows}
        self._forget("setup", self._setups, setups)
        series = {one for key in self._setups for one in msgpack.unpackb(key)[-1]}
        self._forget("series", self._series, series)

    def _forget(self, table: str, known: dict[bytes, int], used: set[int]) -> None:
        for key, id_ in list(known.items()):
            if id_ not in used:
                self.connection.execute(f"DELETE FROM {table} WHERE id = ?", (id_,))
                del known[key]


def _blobs(repository: Repository, tree: str, object_id: str) -> tuple[str, ...]:
    return tuple(blob for _, blob in places(repository, tree, object_id))

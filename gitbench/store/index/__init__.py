"""An index of the notes in SQLite, beside the repository: derived and disposable.

Decoding a record takes 15 us a measurement, so that a question about one benchmark
over 10,000 commits would decode for half a minute.  The index answers it from one
row a measurement.  It holds nothing that the notes do not say, and no answer depends
on it: one that is absent, stale, busy, unwritable, of another version or broken is
brought up to date, made anew, or passed over in favour of the notes.

The file belongs to one notes ref and tells which notes commit it describes; both
change in one transaction.  Rows carry checksums, because a flipped bit in a number
is nothing that SQLite would see.  Writers hold a lock file; a new file is built
beside the old one and moved into its place.

sqlite3 is imported where it is used: recording needs none of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from gitbench.store.index.reader import Index
from gitbench.store.index.rows import (
    IndexBroken,
    IndexUnfit,
    IndexUnusable,
    check_file,
    connect,
    create_file,
    guard,
)
from gitbench.store.index.writer import Writer
from gitbench.store.lock import held
from gitbench.store.notes import DEFAULT_NAME, Notes
from gitbench.store.repository import RepositoryError
from gitbench.store.tree import NotesError

if TYPE_CHECKING:
    import sqlite3

__all__ = [
    "Index",
    "IndexBroken",
    "IndexUnfit",
    "IndexUnusable",
    "Progress",
    "TreeLookup",
    "discard",
    "open_index",
    "path_of",
]

Progress = Callable[[int, int], None]
"""Called with the notes that are done and all that are to be done."""

PATIENCE_S = 0.05
"""How long to wait for another process that is updating the index."""


def path_of(notes: Notes) -> Path:
    """Where the index of a notes ref stands."""
    folder = notes.repository.common_dir / "gitbench"
    if notes.name == DEFAULT_NAME:
        return folder / "index.sqlite"
    return folder / f"index-{quote(notes.name, safe='')}.sqlite"


def discard(notes: Notes) -> bool:
    """Delete the index, and with it every name and message that it repeats; says
    whether it is gone."""
    path = path_of(notes)
    with held(_lock(path), PATIENCE_S):
        try:
            # The journal first: SQLite would play one that is left into the next file.
            _journal(path).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        except OSError:
            return False
    return True


def _lock(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}-journal")


# ---------------------------------------------------------------- open and update


def open_index(
    notes: Notes, *, most: int | None = None, progress: Progress | None = None
) -> Index:
    """The index, describing what the notes ref holds now.

    Brings it up to date first if at most `most` notes differ (None: whatever it
    takes, a first build included; 0: never).  Raises `IndexUnusable`.
    """
    path = path_of(notes)
    try:
        found = Index(path, notes)
        if found.state.tip == notes.repository.ref(notes.ref):
            return found
        found.close()
    except IndexUnfit:
        if most is not None:
            raise
    if most == 0:
        raise IndexUnusable("it is not up to date")
    with held(_lock(path), PATIENCE_S) as mine:
        if not mine:
            raise IndexUnusable("another process is updating it, or none may")
        tip = notes.repository.ref(notes.ref)
        if tip is None:
            raise IndexUnusable("nothing is recorded")
        try:
            _update(path, notes, tip, most, progress)
        except (RepositoryError, NotesError) as exc:
            raise IndexUnusable(f"the notes cannot be read: {exc}") from exc
    return Index(path, notes)


def _update(
    path: Path, notes: Notes, tip: str, most: int | None, progress: Progress | None
) -> None:
    """Bring the file up to `tip`, or build it; called under the lock."""
    try:
        with guard(), closing(connect(path)) as connection:
            check_file(connection)
            _change(connection, notes, tip, most, progress)
        return
    except IndexUnfit:
        if most is not None:
            raise
    fresh = path.with_name(f"{path.name}.new")
    try:
        with guard():
            fresh.unlink(missing_ok=True)
            with closing(connect(fresh, create=True)) as connection:
                create_file(connection)
                _change(connection, notes, tip, most, progress)
            with fresh.open("rb") as file:
                os.fsync(file.fileno())
            _journal(path).unlink(missing_ok=True)
            fresh.replace(path)
    finally:
        try:
            fresh.unlink(missing_ok=True)
        except OSError:
            pass


def _change(
    connection: sqlite3.Connection,
    notes: Notes,
    tip: str,
    most: int | None,
    progress: Progress | None,
) -> None:
    """One transaction: the rows that differ, and the tip."""
    connection.execute("BEGIN IMMEDIATE")
    writer = Writer(connection, notes)
    changed, gone = writer.differences(tip)
    if most is not None and len(changed) + len(gone) > most:
        raise IndexUnusable("too much is new")
    for done, object_id in enumerate(changed):
        if progress:
            progress(done, len(changed))
        writer.put(object_id, changed[object_id])
    for object_id in gone:
        writer.drop(object_id)
    writer.finish(tip)
    connection.execute("COMMIT")
    if progress:
        progress(len(changed), len(changed))


class TreeLookup:
    """`Notes.commits_of_tree` from an index that is there and nearly up to date.

    Not worth opening for few notes: walking two thousand of them takes 10 ms.
    """

    FEWEST = 2000
    MOST = 100
    """Notes that may be brought up to date for it."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self._tip: str | None = None
        self._found: dict[str, tuple[str, ...]] | None = None

    def __call__(self, tree: str) -> tuple[str, ...] | None:
        """Annotated commits of a tree; None where the index cannot tell."""
        tip = self.notes.repository.ref(self.notes.ref)
        if tip is None:
            return None
        if tip != self._tip:
            self._tip, self._found = tip, self._load(tip)
        if self._found is None:
            return None
        return tuple(one for one in self._found.get(tree, ()) if self._has(one, tree))

    def _load(self, tip: str) -> dict[str, tuple[str, ...]] | None:
        if not path_of(self.notes).exists() or self._estimate(tip) < self.FEWEST:
            return None
        try:
            with closing(open_index(self.notes, most=self.MOST)) as index:
                return index.commits_of_tree()
        except IndexUnusable:
            return None

    def _estimate(self, tip: str) -> int:
        """About how many notes there are: from one folder, as git estimates loose
        objects."""
        repository = self.notes.repository
        root = repository.tree(repository.commit_tree(tip))
        folders = [entry for entry in root if len(entry.name) == 2]
        if not folders:
            return len(root)
        try:
            return len(root) * len(repository.tree(folders[0].id))
        except RepositoryError:
            return 0

    def _has(self, object_id: str, tree: str) -> bool:
        """A commit that this clone has is asked of git."""
        try:
            return self.notes.repository.commit_tree(object_id) == tree
        except RepositoryError:
            return True

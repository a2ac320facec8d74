"""The tree of a notes commit: where a note stands, and how one is put there.

Any mix of fan-outs is read, as git itself may leave it; one level (`ab/cdef...`) is
written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gitbench.errors import GitbenchError
from gitbench.store import codec
from gitbench.store.codec import Note
from gitbench.store.repository import BLOB, TREE, Repository

_HEX = frozenset("0123456789abcdef")


class NotesError(GitbenchError):
    """The notes ref cannot be read or written as asked."""


def is_hex(name: str) -> bool:
    """Whether a name may be part of an object's id."""
    return _HEX.issuperset(name)


def places(
    repository: Repository, tree: str, object_id: str
) -> Iterator[tuple[str, str]]:
    """Every (path, blob) at which a notes tree holds a note of the object."""
    flat = repository.tree_entry(tree, object_id)
    if flat is not None and flat.mode != TREE:
        yield object_id, flat.id
    if len(object_id) > 2:
        folder = repository.tree_entry(tree, object_id[:2])
        if folder is not None and folder.mode == TREE:
            for path, blob in places(repository, folder.id, object_id[2:]):
                yield f"{object_id[:2]}/{path}", blob


def walk(repository: Repository, tree: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Every (object id, blob) of a notes tree; what is no note is passed over."""
    for entry in repository.tree(tree):
        if not is_hex(entry.name):
            continue
        if entry.mode == TREE:
            if len(entry.name) == 2 and len(prefix) < 62:
                yield from walk(repository, entry.id, prefix + entry.name)
        elif len(prefix) + len(entry.name) in (40, 64):
            yield prefix + entry.name, entry.id


def differing(repository: Repository, one: str, other: str) -> list[str]:
    """Objects whose notes may differ between two notes trees; equal sub-trees are
    not entered, so the cost follows the difference."""

    def visit(left: str, right: str, prefix: str) -> Iterator[str]:
        sides = [{e.name: e for e in repository.tree(tree)} for tree in (left, right)]
        for name in sides[0].keys() | sides[1].keys():
            here, there = sides[0].get(name), sides[1].get(name)
            if here == there or not is_hex(name):
                continue
            folders = [e for e in (here, there) if e is not None and e.mode == TREE]
            if len(folders) == 2 and len(name) == 2 and len(prefix) < 62:
                yield from visit(folders[0].id, folders[1].id, prefix + name)
                continue
            for entry in folders:
                if len(name) == 2 and len(prefix) < 62:
                    for id_, _ in walk(repository, entry.id, prefix + name):
                        yield id_
            if len(folders) < 2 and len(prefix) + len(name) in (40, 64):
                yield prefix + name

    return sorted(set(visit(one, other, "")))


def misplaced(repository: Repository, tree: str) -> tuple[str, ...]:
    """Objects whose note stands elsewhere than at `ab/cdef...`, or there as well."""
    found: set[str] = set()
    for entry in repository.tree(tree):
        if not is_hex(entry.name):
            continue
        if entry.mode != TREE and len(entry.name) in (40, 64):
            found.add(entry.name)
        if entry.mode != TREE or len(entry.name) != 2:
            continue
        for inner in repository.tree(entry.id):
            if inner.mode == TREE and len(inner.name) == 2 and is_hex(inner.name):
                deeper = walk(repository, inner.id, entry.name + inner.name)
                found.update(object_id for object_id, _ in deeper)
    return tuple(sorted(found))


def foreign_entries(
    repository: Repository, base: str, other: str
) -> dict[str, tuple[int, str]]:
    """Entries at the top of `other` that are no notes and that `base` lacks: files
    that somebody else keeps in the ref."""
    known = {entry.name for entry in repository.tree(base)}
    return {
        entry.name: (entry.mode, entry.id)
        for entry in repository.tree(other)
        if not is_hex(entry.name) and entry.name not in known
    }


def write_notes(
    repository: Repository,
    tree: str | None,
    notes: Mapping[str, Note],
    extra: Mapping[str, tuple[int, str]] | None = None,
) -> str:
    """A notes tree like `tree` with these notes at `ab/cdef...`, and at no other
    path of theirs, and with `extra` entries (mode, id) at its top."""
    folders: dict[str, dict[str, str]] = {}
    for object_id, note in notes.items():
        data = codec.format_note(note)
        if len(data) > codec.MAX_NOTE:
            raise NotesError(
                f"The note of {object_id[:12]} would be {len(data) / 1e6:.0f} MB, over "
                f"the limit of {codec.MAX_NOTE / 1e6:.0f} MB; nothing was recorded. "
                "Record fewer values (--max-values)."
            )
        blob = repository.write_blob(data)
        folders.setdefault(object_id[:2], {})[object_id[2:]] = blob
    root: dict[str, tuple[int, str] | None] = {**(extra or {})}
    for folder, blobs in folders.items():
        entry = repository.tree_entry(tree, folder) if tree else None
        inside = entry.id if entry is not None and entry.mode == TREE else None
        changes: dict[str, tuple[int, str] | None] = {}
        for rest, blob in blobs.items():
            if inside is not None:
                _remove_deeper(repository, inside, rest, changes)
            changes[rest] = (BLOB, blob)
            root[folder + rest] = None
        root[folder] = (TREE, repository.write_tree(inside, changes))
    return repository.write_tree(tree, root)


def _remove_deeper(
    repository: Repository,
    tree: str,
    rest: str,
    changes: dict[str, tuple[int, str] | None],
) -> None:
    """Note in `changes` how to take the object's note out of folders below `tree`."""
    folder = rest[:2]
    planned = changes.get(folder)
    entry = repository.tree_entry(tree, folder)
    inside = planned[1] if planned else entry.id if entry else None
    if inside is None or (entry is not None and entry.mode != TREE) or len(rest) <= 2:
        return
    if folder in changes and planned is None:
        return
    inner: dict[str, tuple[int, str] | None] = {rest[2:]: None}
    _remove_deeper(repository, inside, rest[2:], inner)
    emptied = repository.write_tree(inside, inner)
    if emptied != inside:
        kept = repository.tree(emptied)
        changes[folder] = (TREE, emptied) if kept else None

"""Notes that other programs keep in refs of their own, as bytes."""

from __future__ import annotations

from collections.abc import Iterator

from gitbench.store.repository import Repository
from gitbench.store.tree import NotesError, walk

MAX_FOREIGN_NOTE = 16 * 2**20
"""Largest note of another program in bytes."""


def foreign_notes(repository: Repository, ref: str) -> list[tuple[str, str]]:
    """Every (object id, blob) of a notes ref, in the order of the ids.

    `ref` is its full name.  Raises NotesError if there is no such ref.
    """
    tip = repository.ref(ref)
    if tip is None:
        raise NotesError(
            f"There is no ref {ref[:200]} in this clone; fetch it first: "
            f"git fetch origin {ref[:200]}:{ref[:200]}"
        )
    found = sorted(walk(repository, repository.commit_tree(tip), ""))
    repository.bring(blob for _, blob in found)
    return found


def contents(
    repository: Repository, found: list[tuple[str, str]]
) -> Iterator[tuple[str, bytes]]:
    """What these notes hold, one at a time; raises NotesError for one beyond
    MAX_FOREIGN_NOTE."""
    for object_id, blob in found:
        if repository.blob_size(blob) > MAX_FOREIGN_NOTE:
            raise NotesError(
                f"The note of {object_id[:12]} is larger than "
                f"{MAX_FOREIGN_NOTE >> 20} MiB."
            )
        yield object_id, repository.blob(blob)

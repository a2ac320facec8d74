"""Replacing the history of the notes by one commit of the same content.

The history of the notes ref grows with every record; what counts is its last state.
This is the one place that moves a remote's ref by force: only from the commit that
was just fetched and united (`--force-with-lease`), a remote at a time.  How other
clones find their way to the new history is told in `lineage`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from gitbench.errors import GitbenchError
from gitbench.store import lineage, sync
from gitbench.store.codec import Note
from gitbench.store.notes import Notes, tracking_ref
from gitbench.store.standing import settle
from gitbench.store.sync import Git, SyncError
from gitbench.store.tree import NotesError, misplaced, walk, write_notes


@dataclass(frozen=True, slots=True)
class History:
    """How long and how large the history of the notes is."""

    tip: str
    commits: int
    size: int | None
    """Bytes of all its objects on disk; None if git cannot tell."""
    content: int | None
    """Bytes of the objects of its last state alone."""


@dataclass(slots=True)
class Compacted:
    """What compacting did."""

    changed: bool = False
    """False: the history of this clone was compact already."""
    remotes: dict[str, str] = field(default_factory=dict)
    """Remote -> `replaced`, `compact already` or `has no results`."""
    failures: dict[str, str] = field(default_factory=dict)
    """Remote -> why it kept its history, though that of others was replaced."""
    warnings: list[str] = field(default_factory=list)


def measure(notes: Notes, git: Git) -> History:
    """The history as it is, and how much of it its last state takes."""
    tip = notes.repository.ref(notes.ref)
    if tip is None:
        raise NotesError("Nothing is recorded here yet; there is nothing to compact.")
    count = git.run("rev-list", "--count", tip)
    return History(
        tip,
        int(count.stdout) if count.returncode == 0 else 1,
        disk_usage(git, tip),
        disk_usage(git, notes.repository.commit_tree(tip)),
    )


def disk_usage(git: Git, id_: str) -> int | None:
    """Bytes on disk of an object and all that it reaches; None before git 2.31."""
    result = git.run("rev-list", "--disk-usage", "--objects", id_)
    text = result.stdout.strip()
    return int(text) if result.returncode == 0 and text.isdigit() else None


def compact(
    notes: Notes, git: Git, remotes: Sequence[str], budget_s: float = 60.0
) -> Compacted:
    """Replace the history here and on the remotes by one commit of the same content.

    The results of all remotes are fetched and united first.  Should somebody push
    meanwhile, theirs are united and it is tried again.  If the first remote refuses,
    nothing has changed anywhere; the failures of later ones are told.
    """
    done = Compacted()
    for remote in remotes:
        done.warnings += sync.fetch(notes, git, remote).warnings
    if notes.repository.ref(notes.ref) is None:
        raise NotesError("Nothing is recorded here yet; there is nothing to compact.")
    deadline = time.monotonic() + budget_s
    for remote in remotes:
        try:
            done.remotes[remote] = _replace(notes, git, remote, done, deadline)
        except GitbenchError as exc:
            if "replaced" not in done.remotes.values():
                raise
            done.failures[remote] = str(exc)
    if "replaced" not in done.remotes.values():
        _go_on_from(notes, _successor(notes, git, None), done)
    return done


def _replace(
    notes: Notes, git: Git, remote: str, done: Compacted, deadline: float
) -> str:
    """Compact the history of one remote whose results are here."""
    pause = 0.1
    while True:
        lease = notes.repository.ref(tracking_ref(remote, notes.name))
        if lease is None:
            return "has no results"
        commit = _successor(notes, git, lease)
        if lease == commit:
            return "compact already"
        if sync.replace(notes, git, remote, lease, commit):
            _go_on_from(notes, commit, done)
            return "replaced"
        if time.monotonic() > deadline:
            raise SyncError(
                f"Others pushed to {remote} all the time; its history is as it was "
                "and nothing is lost. Try again at a quieter time."
            )
        time.sleep(pause * (0.5 + random.random()))
        pause = min(2 * pause, sync.MAX_PAUSE_S)
        done.warnings += sync.fetch(notes, git, remote).warnings


def _go_on_from(notes: Notes, commit: str, done: Compacted) -> None:
    """Make the compact history that of this clone; what was recorded meanwhile goes
    on top of it."""
    if notes.repository.ref(notes.ref) != commit:
        done.changed = True
        done.warnings += notes.unite(commit, "gitbench: take the compact history")[1]


def _successor(notes: Notes, git: Git, remote: str | None) -> str:
    """The commit to go on from, here and on the remote whose notes commit this is.

    That is the present one, if it is compact, or if only the remote is not; else a
    new one.  No ref points to it yet.
    """
    repository = notes.repository
    tip = repository.ref(notes.ref)
    assert tip is not None
    tree = repository.commit_tree(tip)
    changes = tidied(notes, tree)
    own = lineage.compactions(repository, tip)
    if own and not changes:
        compact_here = not repository.commit(tip).parents
        behind = remote is not None and lineage.covers(
            own, lineage.compactions(repository, remote)
        )
        if compact_here or behind:
            return tip
    if changes:
        tree = write_notes(repository, tree, changes)
    tips = [tip]
    if remote is not None and not repository.is_ancestor(remote, tip):
        tips.append(remote)
    count = git.run("rev-list", "--count", *tips).stdout.strip()
    message = lineage.message(repository, tips, int(count) if count.isdigit() else 1)
    return repository.write_commit(tree, [], message)


def tidied(notes: Notes, tree: str) -> dict[str, Note]:
    """The notes of a notes tree that stand at another place than `ab/cdef...`, at
    several, or hold the content of erased records: as they should be."""
    changes = {}
    wrong = set(misplaced(notes.repository, tree))
    found = list(walk(notes.repository, tree, ""))
    notes.repository.bring(blob for _, blob in found)
    for object_id, blob in found:
        in_place = object_id not in wrong
        # Only a note with a retraction can hold something erased.
        if in_place and b" retract " not in notes.repository.blob(blob):
            continue
        note = notes.note_in(tree, object_id)
        settled = settle(note)
        if settled != note or not in_place:
            changes[object_id] = settled
    return changes

"""Many runs of many commits as one notes commit, written piece by piece.

What `Notes.record` does for the results of one command, for histories that do not fit
into memory: each piece becomes blobs and trees that nothing points to, and the ref
moves once, at the end.  Whoever is interrupted leaves loose objects for `git gc`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gitbench.model import Run
from gitbench.store import codec
from gitbench.store.codec import Line, Note
from gitbench.store.notes import Notes
from gitbench.store.standing import settle, standing
from gitbench.store.tree import write_notes


@dataclass(slots=True)
class Tally:
    """What became of the runs that were given."""

    added: int = 0
    known: int = 0
    """Recorded before, by their origin."""
    retracted: int = 0
    """Known, and withdrawn by somebody: they stay so."""
    refused: list[str] = field(default_factory=list)
    """Why runs are too large to be stored; they are left out."""
    commits: int = 0
    """Commits whose notes grew; one that grew in two pieces counts twice."""


class Batch:
    """Runs on their way into the notes."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._base = notes.repository.ref(notes.ref)
        self._tree = (
            notes.repository.commit_tree(self._base) if self._base is not None else None
        )
        self.tally = Tally()

    def add(self, runs: Mapping[str, Sequence[Run]]) -> None:
        """Take in runs by commit; one whose origin is known changes nothing."""
        changes = {}
        for commit, some in runs.items():
            note = self._note(commit)
            fresh = self._fresh(note, some)
            if fresh:
                changes[commit] = settle(codec.union([note, Note(fresh)]))
        if changes:
            self._tree = write_notes(self._notes.repository, self._tree, changes)
            self.tally.commits += len(changes)

    def look(self, runs: Mapping[str, Sequence[Run]]) -> None:
        """Count what `add` would do, and write nothing."""
        for commit, some in runs.items():
            if self._fresh(self._note(commit), some):
                self.tally.commits += 1

    def finish(self, message: str) -> tuple[str, ...]:
        """Write the commit and move the ref, if there is anything new.

        What others recorded in the meantime is united with it.  Returns warnings.
        """
        if not self.tally.added or self._tree is None:
            return ()
        parents = [] if self._base is None else [self._base]
        commit = self._notes.repository.write_commit(
            self._tree, parents, message + "\n"
        )
        return self._notes.advance(self._base, commit, message)

    def _note(self, commit: str) -> Note:
        if self._tree is None:
            return Note()
        return self._notes.note_in(self._tree, commit)

    def _fresh(self, note: Note, runs: Sequence[Run]) -> dict[str, Line]:
        """The lines of those runs that are new to the note; counts them all."""
        hidden = standing(note).hidden if note.lines else {}
        # The one in force decides, where two runs of one origin are there.
        known = {
            codec.origin_of(line): id_ in hidden
            for id_, line in sorted(
                note.lines.items(), key=lambda item: item[0] not in hidden
            )
        }
        fresh: dict[str, Line] = {}
        for run in runs:
            if run.origin in known:
                if known[run.origin]:
                    self.tally.retracted += 1
                else:
                    self.tally.known += 1
                continue
            known[run.origin] = False
            try:
                line = codec.encode(run)
            except codec.CodecError as exc:
                self.tally.refused.append(f"{run.commit[:12]}: {exc}")
                continue
            fresh[line.id] = line
        self.tally.added += len(fresh)
        return fresh

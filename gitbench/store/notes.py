"""The notes ref as a set of records per commit, and the only way to add to it.

Reads any mix of fan-outs, as git itself may leave it; writes one level
(`ab/cdef...`).  libgit2's own note functions never fan out and cut text at NUL, so
trees are written here.  A write is blob, sub-tree, tree, commit, then the ref.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from gitbench.errors import GitbenchError
from gitbench.model import RecordedRun, Run
from gitbench.store import codec, lineage
from gitbench.store.codec import NamedBaseline, Note, Restoration, Retraction
from gitbench.store.repository import Repository, RepositoryError
from gitbench.store.standing import settle, standing
from gitbench.store.tree import (
    NotesError,
    differing,
    foreign_entries,
    places,
    walk,
    write_notes,
)

DEFAULT_NAME = "gitbench"


class RetractedError(NotesError):
    """Somebody retracted the run that is to be recorded."""


@dataclass(frozen=True, slots=True)
class CommitRecords:
    """What the note of one commit says."""

    commit: str
    runs: tuple[RecordedRun, ...] = ()
    """Runs of this commit or of its tree, newest first; one for each origin."""
    copied: tuple[RecordedRun, ...] = ()
    """Runs of another commit and tree, carried here by a rebase or `notes copy`:
    shown, never compared."""
    retracted: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """Lines that could not be read, by name."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did."""

    added: tuple[str, ...]
    """Ids of the records that were not there yet."""
    known: tuple[str, ...]
    """Ids of records that were already there, themselves or by their origin."""
    warnings: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    """Ids of records that had been retracted and count again."""


@dataclass(frozen=True, slots=True)
class Gain:
    """What one state of the notes has and another lacks."""

    commits: int = 0
    """Commits whose notes hold more."""
    runs: int = 0
    others: int = 0
    """Records that are no runs: retractions, named baselines and the like."""
    size: int = 0
    """Bytes of these records as lines."""


class Notes:
    """All records of one notes ref of a repository."""

    def __init__(self, repository: Repository, name: str = DEFAULT_NAME) -> None:
        self.repository = repository
        self.name = name
        self.ref = f"refs/notes/{name}"
        self.written_ref = f"refs/gitbench/written/{name}"
        """Follows every write of ours: what it holds and the notes ref lacks was
        thrown away by somebody and is brought back."""
        self._by_tree: dict[str, tuple[str, ...]] | None = None

    # ------------------------------------------------------------ reading

    def exists(self) -> bool:
        """Whether anything was ever recorded or fetched under this name."""
        return self.repository.ref(self.ref) is not None

    def note(self, object_id: str) -> Note:
        """The records on one object, all fan-outs united; empty if none."""
        tip = self.repository.ref(self.ref)
        if tip is None:
            return Note()
        return self._note_in(self.repository.commit_tree(tip), object_id)

    def _note_in(self, tree: str, object_id: str) -> Note:
        blobs = [blob for _, blob in places(self.repository, tree, object_id)]
        return codec.union(self._parse(object_id, blob) for blob in blobs)

    def _parse(self, object_id: str, blob: str) -> Note:
        if self.repository.blob_size(blob) > 2 * codec.MAX_NOTE:
            raise NotesError(
                f"The note of {object_id[:12]} is over {2 * codec.MAX_NOTE / 1e6:.0f} "
                f"MB; no gitbench wrote it. See: git notes --ref={self.name} show "
                f"{object_id[:12]}"
            )
        return codec.parse_note(self.repository.blob(blob))

    def records(self, commit: str) -> CommitRecords:
        """The runs on a commit, decoded, retractions applied."""
        note = self.note(commit)
        if not note.lines and not note.damaged:
            return CommitRecords(commit)
        try:
            tree = self.repository.commit(commit).tree
        except GitbenchError:
            tree = ""
        return read_note(note, commit, tree)

    def annotated(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Every annotated object with its blobs, in the order of their ids."""
        tip = self.repository.ref(self.ref)
        if tip is None:
            return
        found: dict[str, list[str]] = {}
        for object_id, blob in walk(self.repository, self._tree(tip), ""):
            found.setdefault(object_id, []).append(blob)
        for object_id in sorted(found):
            yield object_id, tuple(found[object_id])

    def _tree(self, tip: str) -> str:
        return self.repository.commit_tree(tip)

    def commits_of_tree(self, tree: str) -> tuple[str, ...]:
        """Annotated commits whose tree is `tree`, present in this clone or not.

        A commit that this clone has is asked of git; of others (a squashed branch)
        the words of their lines are scanned, which decodes nothing.
        """
        if self._by_tree is None:
            self._by_tree = self._index_trees()
        return self._by_tree.get(tree, ())

    def _index_trees(self) -> dict[str, tuple[str, ...]]:
        by_tree: dict[str, list[str]] = {}
        for object_id, blobs in self.annotated():
            try:
                trees = {self.repository.commit_tree(object_id)}
            except RepositoryError:
                trees = {
                    line.tree
                    for blob in blobs
                    for line in self._parse(object_id, blob).lines.values()
                    if line.kind == "run"
                }
            for tree in trees:
                by_tree.setdefault(tree, []).append(object_id)
        return {tree: tuple(ids) for tree, ids in by_tree.items()}

    def baselines(self) -> dict[str, NamedBaseline]:
        """Named baselines in force, by name."""
        latest: dict[str, tuple[tuple[int, str], NamedBaseline]] = {}
        for line in self.note(self.repository.empty_tree()).lines.values():
            if line.kind != "baseline":
                continue
            try:
                record = codec.decode(line)
            except codec.CodecError:
                continue
            if not isinstance(record, NamedBaseline):
                continue
            place = (record.time, line.id)
            if record.name not in latest or place > latest[record.name][0]:
                latest[record.name] = (place, record)
        return {name: one for name, (_, one) in sorted(latest.items()) if one.commit}

    # ------------------------------------------------------------ writing

    def record(
        self, runs: Mapping[str, Iterable[Run]], restore_ms: int | None = None
    ) -> Written:
        """Add runs to the notes of their commits, in one notes commit.

        A run whose origin is already there is known and changes nothing.
        Raises `RetractedError` for a run that was retracted, unless `restore_ms`
        says when it was restored (ms since the epoch).
        """
        lines = {
            commit: [(run, codec.encode(run)) for run in some]
            for commit, some in runs.items()
        }
        added: list[str] = []
        known: list[str] = []
        restored: list[str] = []

        def add(commit: str, note: Note) -> Note:
            fresh: dict[str, codec.Line] = {}
            state = standing(note)
            # Those in force first: of equal origins they decide what is known.
            ordered = sorted(
                note.lines.values(), key=lambda one: one.id in state.hidden
            )
            back = []
            for run, line in lines[commit]:
                twin = codec.find_origin([*ordered, *fresh.values()], line, run.origin)
                id_ = twin or line.id
                if twin is None:
                    fresh[line.id] = line
                if id_ in state.hidden:
                    if restore_ms is None:
                        raise _retracted(id_, commit, state.hidden[id_])
                    back.append(id_)
                else:
                    (added if twin is None else known).append(id_)
            if restore_ms is not None and back:
                restored.extend(back)
                time = max(restore_ms, state.latest + 1)
                line = codec.encode(Restoration(tuple(back), "recorded again", time))
                fresh[line.id] = line
            return codec.union([note, Note(fresh)])

        def restart() -> None:
            added.clear()
            known.clear()
            restored.clear()

        count = sum(map(len, lines.values()))
        message = f"gitbench: record {count} run{'s' if count != 1 else ''}"
        warnings = self._change(tuple(lines), add, message, restart)
        return Written(tuple(added), tuple(known), warnings, tuple(restored))

    def retract(
        self,
        records: Mapping[str, Iterable[str]],
        reason: str,
        now_ms: int,
        *,
        erase: bool = False,
    ) -> tuple[str, ...]:
        """Hide records, given as ids by annotated object; with `erase` drop their
        content as well.  Returns warnings."""

        def add(object_id: str, note: Note) -> Note:
            state = standing(note)
            done = state.erased if erase else state.hidden
            ids = tuple(sorted(set(records[object_id]) - set(done)))
            time = max(now_ms, state.latest + 1)
            line = codec.encode(Retraction(ids, reason, time, erase))
            return codec.union([note, Note({line.id: line})]) if ids else note

        count = len({id_ for ids in records.values() for id_ in ids})
        word = "erase" if erase else "retract"
        return self._change(
            tuple(records), add, f"gitbench: {word} {count} run{'s' * (count != 1)}"
        )

    def restore(
        self, records: Mapping[str, Iterable[str]], reason: str, now_ms: int
    ) -> tuple[str, ...]:
        """Take back the retractions of records whose content is still there, given
        as ids by annotated object.  Returns warnings."""

        def add(object_id: str, note: Note) -> Note:
            state = standing(note)
            wanted = set(records[object_id]) & state.hidden.keys() & note.lines.keys()
            time = max(now_ms, state.latest + 1)
            line = codec.encode(Restoration(tuple(sorted(wanted)), reason, time))
            return codec.union([note, Note({line.id: line})]) if wanted else note

        count = len({id_ for ids in records.values() for id_ in ids})
        return self._change(
            tuple(records), add, f"gitbench: restore {count} run{'s' * (count != 1)}"
        )

    def set_baseline(self, name: str, commit: str | None, now_ms: int) -> None:
        """Name a commit as a baseline, or unset the name with None.

        The time is later than any seen, so that the last writer wins whatever the
        clocks say.
        """

        def add(_: str, note: Note) -> Note:
            latest = max((line.time for line in note.lines.values()), default=0)
            line = codec.encode(NamedBaseline(name, commit, max(now_ms, latest + 1)))
            return codec.union([note, Note({line.id: line})])

        word = "set" if commit else "unset"
        self._change(
            (self.repository.empty_tree(),), add, f"gitbench: {word} baseline {name}"
        )

    def _change(
        self,
        objects: tuple[str, ...],
        change: Callable[[str, Note], Note],
        message: str,
        restart: Callable[[], None] = lambda: None,
    ) -> tuple[str, ...]:
        """Apply `change` to the notes of `objects` and move the ref."""

        def build(tip: str | None) -> str | None:
            restart()
            tree = self._tree(tip) if tip else None
            changes = {}
            for object_id in objects:
                note = self._note_in(tree, object_id) if tree else Note()
                grown = settle(change(object_id, note))
                if grown != note:
                    changes[object_id] = grown
            if not changes:
                return None
            new_tree = write_notes(self.repository, tree, changes)
            parents = [tip] if tip else []
            return self.repository.write_commit(new_tree, parents, message + "\n")

        _, warnings = self.repository.move_refs(
            (self.ref, self.written_ref), build, message
        )
        self._by_tree = None
        return warnings

    # ------------------------------------------------------------ union

    def gained(self, before: str | None, after: str | None) -> Gain:
        """What the notes commit `after` holds beyond `before`; either may be None,
        which holds nothing.  The cost follows the difference."""
        if after is None or before == after:
            return Gain()
        there = self._tree(after)
        here = self._tree(before) if before else None
        objects = (
            differing(self.repository, here, there)
            if here
            else sorted({id_ for id_, _ in walk(self.repository, there, "")})
        )
        commits, kinds, size = 0, [], 0
        for object_id in objects:
            known = self._note_in(here, object_id).lines if here else {}
            lines = self._note_in(there, object_id).lines.values()
            fresh = [line for line in lines if line.id not in known]
            commits += bool(fresh)
            kinds += [line.kind for line in fresh]
            size += sum(len(line.raw) + 1 for line in fresh)
        runs = kinds.count("run")
        return Gain(commits, runs, len(kinds) - runs, size)

    def unite(self, other: str, message: str) -> tuple[int, tuple[str, ...]]:
        """Bring all records of another notes commit into this ref.

        Touches only the paths that differ; the histories need not be related.
        Returns the number of commits whose notes changed, and warnings.
        """
        return self._unite(other, message, even_if_merged=False)

    def bring_back(self) -> tuple[str, ...]:
        """Unite what was written here and somebody threw away (a forced fetch over
        the ref, a merge that kept one side, a deleted ref); says so if there is
        any."""
        written = self.repository.ref(self.written_ref)
        if written is None or written == self.repository.ref(self.ref):
            return ()
        changed, warnings = self._unite(
            written, "gitbench: bring back lost results", even_if_merged=True
        )
        if not changed:
            return warnings
        plural = "s" if changed != 1 else ""
        return (
            f"{self.ref} had lost results of {changed} commit{plural} that were "
            "recorded here (a forced fetch, or a merge that kept one side); they "
            "were brought back.",
            *warnings,
        )

    def _unite(
        self, other: str, message: str, *, even_if_merged: bool
    ) -> tuple[int, tuple[str, ...]]:
        repository = self.repository
        changed = 0

        def build(tip: str | None) -> str | None:
            nonlocal changed
            changed = 0
            theirs = self._tree(other)
            if tip is None:
                changed = len({id_ for id_, _ in walk(repository, theirs, "")})
                return other
            merged = repository.is_ancestor(other, tip)
            if merged and not even_if_merged:
                return None
            ours = self._tree(tip)
            grown, missing = self._differences(ours, theirs)
            changed = len(grown)
            parents = self._parents(tip, other, merged)
            top = parents[0]
            changes = grown if top == tip else missing
            if len(parents) == 1 and not changes:
                return top
            base = ours if top == tip else theirs
            extra = foreign_entries(repository, base, theirs if top == tip else ours)
            tree = write_notes(repository, base, changes, extra)
            return repository.write_commit(tree, parents, message + "\n")

        _, warnings = repository.move_refs((self.ref, self.written_ref), build, message)
        self._by_tree = None
        return changed, warnings

    def _parents(self, tip: str, other: str, merged: bool) -> list[str]:
        """What the union of two notes commits goes on top of."""
        if merged:
            return [tip]
        if self.repository.is_ancestor(tip, other):
            return [other]
        successor = lineage.successor(self.repository, tip, other)
        return [tip, other] if successor is None else [successor]

    def _differences(
        self, ours: str, theirs: str
    ) -> tuple[dict[str, Note], dict[str, Note]]:
        """The united notes that differ from those of `ours`, and from `theirs`."""
        grown, missing = {}, {}
        for object_id in differing(self.repository, ours, theirs):
            note = self._note_in(ours, object_id)
            other = self._note_in(theirs, object_id)
            united = settle(codec.union([note, other]))
            if united != note:
                grown[object_id] = united
            if united != other:
                missing[object_id] = united
        return grown, missing


def _retracted(run_id: str, commit: str, reason: str) -> RetractedError:
    return RetractedError(
        f"Run {run_id} of {commit[:12]} was retracted ({reason[:200]!r}); nothing was "
        "recorded. --restore makes it count again."
    )


# ------------------------------------------------------------- one note


def read_note(note: Note, commit: str, tree: str) -> CommitRecords:
    """Decode a note: what counts for the commit, what was carried there, what
    cannot be read.  `tree` is the commit's tree, empty if it is not known."""
    runs: list[RecordedRun] = []
    retracted = standing(note).hidden
    warnings = [
        f"A line of the note of {commit[:12]} is no gitbench record and was left "
        f"alone: {raw[:40].decode('utf-8', 'replace')!r}..."
        for raw in sorted(note.damaged)
    ]
    for line in note.lines.values():
        try:
            record = codec.decode(line)
        except codec.CodecError as exc:
            warnings.append(f"A line of the note of {commit[:12]} is damaged: {exc}")
            continue
        if isinstance(record, Run):
            runs.append(RecordedRun(line.id, record))
    runs.sort(key=lambda one: (one.run.started_at, one.id))
    own: dict[str, RecordedRun] = {}
    copied = []
    for one in runs:
        if one.id in retracted:
            continue
        if one.run.commit == commit or (tree and one.run.tree == tree):
            own.setdefault(one.run.origin, one)
        else:
            copied.append(one)
    return CommitRecords(
        commit,
        tuple(reversed(own.values())),
        tuple(reversed(copied)),
        tuple(sorted(retracted)),
        tuple(warnings),
    )

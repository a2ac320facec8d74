"""The notes ref as a set of records per commit, and the only way to add to it.

Reads any mix of fan-outs, as git itself may leave it; writes one level
(`ab/cdef...`).  libgit2's own note functions never fan out and cut text at NUL, so
trees are written here.  A write is blob, sub-tree, tree, commit, then the ref.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from gitbench.errors import GitbenchError
from gitbench.model import RecordedRun, Run
from gitbench.store import codec, lineage
from gitbench.store.codec import (
    NamedBaseline,
    Note,
    Restoration,
    Retraction,
    Signature,
)
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


Accepts = Callable[[str, Note], frozenset[str]]
"""Commit and note -> ids of the runs that may count."""


class RetractedError(NotesError):
    """Somebody retracted the run that is to be recorded."""


def tracking_ref(remote: str, name: str) -> str:
    """Where the remote's notes are kept: outside refs/notes, ours alone."""
    return f"refs/gitbench/remotes/{remote}/{name}"


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
    refused: tuple[str, ...] = ()
    """Ids of runs that would be among `runs` but for whoever reads."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did."""

    added: tuple[str, ...]
    """Ids of the records that were not there yet."""
    known: tuple[str, ...]
    """Ids of records that were already there, themselves or by their origin."""
    warnings: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    """Ids of those given that were retracted, they or their origin, and count again."""


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

    def __add__(self, other: Gain) -> Gain:
        """Both; a commit that gained twice counts twice."""
        return Gain(
            self.commits + other.commits,
            self.runs + other.runs,
            self.others + other.others,
            self.size + other.size,
        )


NOTHING = Gain()


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
        self.tree_lookup: Callable[[str], tuple[str, ...] | None] | None = None
        """A quicker way to what `commits_of_tree` answers; None from it means that
        it cannot tell."""

    # ------------------------------------------------------------ reading

    def exists(self) -> bool:
        """Whether anything was ever recorded or fetched under this name."""
        return self.repository.ref(self.ref) is not None

    def knows(self, remote: str) -> bool:
        """Whether the remote's notes were ever fetched into this clone."""
        return self.repository.ref(tracking_ref(remote, self.name)) is not None

    def note(self, object_id: str) -> Note:
        """The records on one object, all fan-outs united; empty if none."""
        tip = self.repository.ref(self.ref)
        if tip is None:
            return Note()
        return self.note_in(self.repository.commit_tree(tip), object_id)

    def note_in(self, tree: str, object_id: str) -> Note:
        """The records that a notes tree holds on one object."""
        blobs = [blob for _, blob in places(self.repository, tree, object_id)]
        return self.note_of(object_id, blobs)

    def note_of(self, object_id: str, blobs: Iterable[str]) -> Note:
        """The records of an object whose notes stand in `blobs`."""
        return codec.union(self._parse(object_id, blob) for blob in blobs)

    def _parse(self, object_id: str, blob: str) -> Note:
        if self.repository.blob_size(blob) > 2 * codec.MAX_NOTE:
            raise NotesError(
                f"The note of {object_id[:12]} is over {2 * codec.MAX_NOTE / 1e6:.0f} "
                f"MB; no gitbench wrote it. See: git notes --ref={self.name} show "
                f"{object_id[:12]}"
            )
        return codec.parse_note(self.repository.blob(blob))

    def prefetch(self, objects: Iterable[str], *trees: str) -> None:
        """Bring the notes of many objects, where a partial clone lacks them, in one
        fetch; from the notes trees given, or from the current one."""
        tip = self.repository.ref(self.ref)
        if not self.repository.promisors or not (trees or tip):
            return
        found = trees or (self._tree(tip or ""),)
        self.repository.bring(
            blob
            for object_id in objects
            for tree in found
            for _, blob in places(self.repository, tree, object_id)
        )

    def records(self, commit: str, accepts: Accepts | None = None) -> CommitRecords:
        """The runs on a commit, decoded, retractions applied; only those that
        `accepts` lets through, if it is given."""
        note = self.note(commit)
        if not note.lines and not note.damaged:
            return CommitRecords(commit)
        try:
            tree = self.repository.commit(commit).tree
        except GitbenchError:
            tree = ""
        accepted = None if accepts is None else accepts(commit, note)
        return read_note(note, commit, tree, accepted)

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
            found = self.tree_lookup(tree) if self.tree_lookup else None
            if found is not None:
                return found
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
        self,
        runs: Mapping[str, Iterable[Run]],
        restore_ms: int | None = None,
        signatures: Mapping[str, Iterable[Signature]] | None = None,
    ) -> Written:
        """Add runs, and signatures over them, to the notes of their commits, in one
        notes commit.

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
            signs = map(codec.encode, (signatures or {}).get(commit, ()))
            fresh = {line.id: line for line in signs}
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
                    restored.append(line.id)
                else:
                    (added if twin is None else known).append(id_)
            if restore_ms is not None and back:
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

    def advance(self, base: str | None, commit: str, message: str) -> tuple[str, ...]:
        """Move the ref to `commit`, a notes commit on top of `base`; if somebody
        moved the ref away from there, unite the two.  Returns warnings."""

        def build(tip: str | None) -> str | None:
            return commit if tip == base else None

        moved, warnings = self.repository.move_refs(
            (self.ref, self.written_ref), build, message
        )
        self._by_tree = None
        if moved is None:
            warnings += self.unite(commit, message)[1]
        return warnings

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

    def archive(
        self,
        records: Mapping[str, Mapping[str, Run]],
        now_ms: int,
    ) -> tuple[str, ...]:
        """Let runs without raw values stand for runs that are in an archive, given by
        annotated object and the id of the whole run.  Returns warnings.

        The whole runs must be in the archive for good: every write drops them.
        """

        def add(object_id: str, note: Note) -> Note:
            state = standing(note)
            lines: dict[str, codec.Line] = {}
            kept_as: dict[str, str] = {}
            for id_, run in sorted(records[object_id].items()):
                if id_ in note.lines and id_ not in state.hidden:
                    line = codec.encode(run)
                    lines[line.id] = line
                    kept_as[id_] = line.id
            if not kept_as:
                return note
            time = max(now_ms, state.latest + 1)
            told = Retraction(
                tuple(kept_as), "archived", time, True, tuple(kept_as.values())
            )
            line = codec.encode(told)
            return codec.union([note, Note({**lines, line.id: line})])

        count = len({id_ for some in records.values() for id_ in some})
        message = f"gitbench: archive {count} run{'s' * (count != 1)}"
        return self._change(tuple(records), add, message)

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
                note = self.note_in(tree, object_id) if tree else Note()
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

    def rewrite(
        self, changes_of: Callable[[str], Mapping[str, Note]], message: str
    ) -> int:
        """Write the notes that `changes_of` makes of a notes tree, each at the one
        place where it belongs; returns how many there were."""
        count = 0

        def build(tip: str | None) -> str | None:
            nonlocal count
            changes = changes_of(self._tree(tip)) if tip else {}
            count = len(changes)
            if tip is None or not changes:
                return None
            tree = write_notes(self.repository, self._tree(tip), changes)
            return self.repository.write_commit(tree, [tip], message + "\n")

        self.repository.move_refs((self.ref, self.written_ref), build, message)
        self._by_tree = None
        return count

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
        self.prefetch(objects, *filter(None, (here, there)))
        commits, kinds, size = 0, [], 0
        for object_id in objects:
            known = self.note_in(here, object_id).lines if here else {}
            lines = self.note_in(there, object_id).lines.values()
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

    def outgoing(self, remote: str | None) -> str | None:
        """The commit that gives a remote whose notes commit is `remote` all that is
        here, without force; None if it has it all.

        Where only one of the two histories was compacted, that is our content on
        top of theirs, so that neither history gets into the other.
        """
        tip = self.repository.ref(self.ref)
        if tip is None or remote is None:
            return tip
        if self._tree(tip) == self._tree(remote):
            return None
        if self.repository.is_ancestor(remote, tip):
            return tip
        message = "gitbench: share results\n"
        return self.repository.write_commit(self._tree(tip), [remote], message)

    def unite_fetched(self, remotes: Iterable[str]) -> tuple[str, ...]:
        """Unite what a plain `git fetch` left in the tracking refs.  Costs a look at
        a ref or two while nothing is new."""
        warnings: tuple[str, ...] = ()
        for remote in remotes:
            other = self.repository.ref(tracking_ref(remote, self.name))
            tip = self.repository.ref(self.ref)
            if other is None or other == tip:
                continue
            if tip is None or self._tree(tip) != self._tree(other):
                message = f"gitbench: unite what was fetched from {remote}"
                warnings += self.unite(other, message)[1]
        return warnings

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
            grown, missing, changed = self._differences(ours, theirs)
            parents = self._parents(tip, other, merged)
            top = parents[0]
            changes = grown if top == tip else missing
            if len(parents) == 1 and not changes:
                # To bring back what was written, that ref has to follow.
                return None if top == tip and not even_if_merged else top
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
    ) -> tuple[dict[str, Note], dict[str, Note], int]:
        """The united notes that differ from those of `ours`, and from `theirs`, and
        how many hold more than ours."""
        grown, missing, more = {}, {}, 0
        objects = differing(self.repository, ours, theirs)
        self.prefetch(objects, ours, theirs)
        for object_id in objects:
            note = self.note_in(ours, object_id)
            other = self.note_in(theirs, object_id)
            united = settle(codec.union([note, other]))
            if united != note:
                grown[object_id] = united
                # One may differ only by what was erased.
                more += bool(
                    united.lines.keys() - note.lines.keys()
                    or united.damaged - note.damaged
                )
            if united != other:
                missing[object_id] = united
        return grown, missing, more


def _retracted(run_id: str, commit: str, reason: str) -> RetractedError:
    return RetractedError(
        f"Run {run_id} of {commit[:12]} was retracted ({reason[:200]!r}); nothing was "
        "recorded. --restore makes it count again."
    )


# ------------------------------------------------------------- one note


def read_note(
    note: Note, commit: str, tree: str, accepted: frozenset[str] | None = None
) -> CommitRecords:
    """Decode a note: what counts for the commit, what was carried there, what
    cannot be read.  `tree` is the commit's tree, empty if it is not known; of runs
    that are not among the `accepted` ids none counts."""
    runs: list[RecordedRun] = []
    state = standing(note)
    retracted = state.hidden
    warnings = foreign_lines(note, commit)
    for line in note.lines.values():
        try:
            record = codec.decode(line)
        except codec.CodecError as exc:
            warnings.append(damaged_line(commit, str(exc)))
            continue
        if isinstance(record, Run):
            runs.append(RecordedRun(line.id, record))
    own, copied = which_count(runs, retracted, commit, tree)
    refused: list[str] = []
    if accepted is not None:
        known = [one for one in runs if one.id in accepted]
        others = [one for one in runs if one.id not in accepted]
        own, _ = which_count(known, retracted, commit, tree)
        origins = {one.run.origin for one in own}
        rest, _ = which_count(others, retracted, commit, tree)
        refused = [one.id for one in rest if one.run.origin not in origins]
    return CommitRecords(
        commit,
        own,
        copied,
        tuple(sorted(retracted.keys() - state.moved.keys())),
        tuple(warnings),
        tuple(refused),
    )


def foreign_lines(note: Note, commit: str) -> list[str]:
    """A warning for each line that is no record at all."""
    return [
        f"A line of the note of {commit[:12]} is no gitbench record and was left "
        f"alone: {raw[:40].decode('utf-8', 'replace')!r}..."
        for raw in sorted(note.damaged)
    ]


def damaged_line(commit: str, reason: str) -> str:
    """The warning for a record that cannot be decoded."""
    return f"A line of the note of {commit[:12]} is damaged: {reason}"


class Identified(Protocol):
    """What decides whether a run counts."""

    @property
    def started_at(self) -> int: ...
    @property
    def commit(self) -> str: ...
    @property
    def tree(self) -> str: ...
    @property
    def origin(self) -> str: ...


class Countable(Protocol):
    """A run with its id."""

    @property
    def id(self) -> str: ...
    @property
    def run(self) -> Identified: ...


C = TypeVar("C", bound=Countable)


def which_count(
    runs: Iterable[C], hidden: Container[str], commit: str, tree: str
) -> tuple[tuple[C, ...], tuple[C, ...]]:
    """Of the runs in a commit's note those that count for it, and those that were
    carried there from another commit and tree; both newest first.

    Hidden (retracted) ones are left out.  Equal origins count once: the earliest,
    of equal times the one with the smaller id.
    """
    own: dict[str, C] = {}
    copied = []
    for one in sorted(runs, key=lambda one: (one.run.started_at, one.id)):
        if one.id in hidden:
            continue
        if one.run.commit == commit or (tree and one.run.tree == tree):
            own.setdefault(one.run.origin, one)
        else:
            copied.append(one)
    return tuple(reversed(own.values())), tuple(reversed(copied))

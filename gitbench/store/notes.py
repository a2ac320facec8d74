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
from gitbench.store import codec
from gitbench.store.codec import NamedBaseline, Note, Retraction
from gitbench.store.repository import BLOB, TREE, Repository, RepositoryError

DEFAULT_NAME = "gitbench"
_HEX = frozenset("0123456789abcdef")


class NotesError(GitbenchError):
    """The notes ref cannot be read or written as asked."""


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
        blobs = [blob for _, blob in _places(self.repository, tree, object_id)]
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
        for object_id, blob in _walk(self.repository, self._tree(tip), ""):
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

    def record(self, runs: Mapping[str, Iterable[Run]]) -> Written:
        """Add runs to the notes of their commits, in one notes commit.

        A run whose origin is already there is known and changes nothing.
        Raises `RetractedError` for a run that was retracted.
        """
        lines = {
            commit: [(run, codec.encode(run)) for run in some]
            for commit, some in runs.items()
        }
        added: list[str] = []
        known: list[str] = []

        def add(commit: str, note: Note) -> Note:
            fresh: dict[str, codec.Line] = {}
            for run, line in lines[commit]:
                _refuse_retracted(note, line.id, commit)
                present = [*note.lines.values(), *fresh.values()]
                twin = codec.find_origin(present, line, run.origin)
                if twin is not None:
                    known.append(twin)
                else:
                    fresh[line.id] = line
                    added.append(line.id)
            return codec.union([note, Note(fresh)])

        def restart() -> None:
            added.clear()
            known.clear()

        count = sum(map(len, lines.values()))
        message = f"gitbench: record {count} run{'s' if count != 1 else ''}"
        warnings = self._change(tuple(lines), add, message, restart)
        return Written(tuple(added), tuple(known), warnings)

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
                grown = change(object_id, note)
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
                changed = len({id_ for id_, _ in _walk(repository, theirs, "")})
                return other
            merged = repository.is_ancestor(other, tip)
            if merged and not even_if_merged:
                return None
            changes, they_have_all = self._differences(self._tree(tip), theirs)
            changed = len(changes)
            if merged and not changes:
                return tip
            ahead = repository.is_ancestor(tip, other)
            if ahead and they_have_all:
                return other
            tree = write_notes(repository, self._tree(tip), changes)
            parents = [tip] if merged else [other] if ahead else [tip, other]
            return repository.write_commit(tree, parents, message + "\n")

        _, warnings = repository.move_refs((self.ref, self.written_ref), build, message)
        self._by_tree = None
        return changed, warnings

    def _differences(self, ours: str, theirs: str) -> tuple[dict[str, Note], bool]:
        """The notes of `ours` that grow by what `theirs` holds, and whether `theirs`
        alone has it all."""
        changes = {}
        they_have_all = True
        for object_id in _differing(self.repository, ours, theirs):
            note = self._note_in(ours, object_id)
            other = self._note_in(theirs, object_id)
            grown = codec.union([note, other])
            if grown != note:
                changes[object_id] = grown
            they_have_all = they_have_all and grown == other
        return changes, they_have_all


# ------------------------------------------------------------- one note


def read_note(note: Note, commit: str, tree: str) -> CommitRecords:
    """Decode a note: what counts for the commit, what was carried there, what
    cannot be read.  `tree` is the commit's tree, empty if it is not known."""
    runs: list[RecordedRun] = []
    retracted: set[str] = set()
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
        elif isinstance(record, Retraction):
            retracted.update(record.runs)
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


def _refuse_retracted(note: Note, run_id: str, commit: str) -> None:
    for line in note.lines.values():
        if line.kind != "retract":
            continue
        try:
            record = codec.decode(line)
        except codec.CodecError:
            continue
        if isinstance(record, Retraction) and run_id in record.runs:
            raise RetractedError(
                f"Run {run_id} of {commit[:12]} was retracted "
                f"({record.reason[:200]!r}); nothing was recorded."
            )


# ------------------------------------------------------------- the notes tree


def _is_hex(name: str) -> bool:
    return _HEX.issuperset(name)


def _places(
    repository: Repository, tree: str, object_id: str
) -> Iterator[tuple[str, str]]:
    """Every (path, blob) at which a notes tree holds a note of the object."""
    flat = repository.tree_entry(tree, object_id)
    if flat is not None and flat.mode != TREE:
        yield object_id, flat.id
    if len(object_id) > 2:
        folder = repository.tree_entry(tree, object_id[:2])
        if folder is not None and folder.mode == TREE:
            for path, blob in _places(repository, folder.id, object_id[2:]):
                yield f"{object_id[:2]}/{path}", blob


def _walk(repository: Repository, tree: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Every (object id, blob) of a notes tree; what is no note is passed over."""
    for entry in repository.tree(tree):
        if not _is_hex(entry.name):
            continue
        if entry.mode == TREE:
            if len(entry.name) == 2 and len(prefix) < 62:
                yield from _walk(repository, entry.id, prefix + entry.name)
        elif len(prefix) + len(entry.name) in (40, 64):
            yield prefix + entry.name, entry.id


def _differing(repository: Repository, one: str, other: str) -> list[str]:
    """Objects whose notes may differ between two notes trees; equal sub-trees are
    not entered, so the cost follows the difference."""

    def visit(left: str, right: str, prefix: str) -> Iterator[str]:
        sides = [{e.name: e for e in repository.tree(tree)} for tree in (left, right)]
        for name in sides[0].keys() | sides[1].keys():
            here, there = sides[0].get(name), sides[1].get(name)
            if here == there or not _is_hex(name):
                continue
            folders = [e for e in (here, there) if e is not None and e.mode == TREE]
            if len(folders) == 2 and len(name) == 2 and len(prefix) < 62:
                yield from visit(folders[0].id, folders[1].id, prefix + name)
                continue
            for entry in folders:
                if len(name) == 2 and len(prefix) < 62:
                    for id_, _ in _walk(repository, entry.id, prefix + name):
                        yield id_
            if len(folders) < 2 and len(prefix) + len(name) in (40, 64):
                yield prefix + name

    return sorted(set(visit(one, other, "")))


def write_notes(
    repository: Repository, tree: str | None, notes: Mapping[str, Note]
) -> str:
    """A notes tree like `tree` with these notes at `ab/cdef...`, and at no other
    path of theirs."""
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
    root: dict[str, tuple[int, str] | None] = {}
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

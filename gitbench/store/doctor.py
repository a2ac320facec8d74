"""What may be wrong with a clone and its notes, and how it is mended.

`quick` looks at refs and settings only and is part of `status`; `thorough` reads every
record.  Mending adds, moves or fetches; it never drops a line that somebody wrote,
but for second copies of one result, which are erased like any other run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gitbench.errors import GitbenchError
from gitbench.model import Run
from gitbench.store import codec, compact, index, setup, sync
from gitbench.store.codec import Line, Note
from gitbench.store.notes import Notes, tracking_ref
from gitbench.store.repository import Repository, RepositoryError
from gitbench.store.standing import Standing, damaged_id, standing
from gitbench.store.sync import Git
from gitbench.store.tree import misplaced

T = TypeVar("T")
Progress = Callable[[list[T]], Iterable[T]]

FAR_BACK = 2000
"""Notes commits in which a whole copy of a damaged record is looked for."""

NEARLY_FULL = 0.8


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    code: str
    """Stable word for programs."""
    text: str
    """What, where, and what to do, in a sentence or two."""
    harmless: bool = False
    """Good to know; nothing is lost or wrong because of it."""
    mend: Callable[[], object] | None = None
    """Mends it; None: this needs a human."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "code": self.code,
            "text": self.text,
            "harmless": self.harmless,
            "mendable": self.mend is not None,
        }


# ---------------------------------------------------------------- quick


def quick(notes: Notes, git: Git, remote: str) -> tuple[Finding, ...]:
    """What refs and settings tell, without a look at the records or the network."""
    return (
        *_settings(notes, git, remote),
        *_refs(notes, git, remote),
        *_clone(notes.repository, git, remote),
    )


def _settings(notes: Notes, git: Git, remote: str) -> Iterator[Finding]:
    remotes = notes.repository.remotes()
    shared = (remote,) if remote in remotes else ()
    missing = setup.missing(git, setup.wanted(shared, notes.name))
    if missing:
        yield Finding(
            "not-set-up",
            "git fetch does not bring results along here, or git would merge them in "
            f"a way of its own ({missing[0].key} is not set); gitbench init sets it.",
            mend=lambda: _set_up(notes, git, missing),
        )
    for name in remotes:
        if any("refs/notes" in one for one in setup.values(git, f"remote.{name}.push")):
            yield Finding(
                "push-refspec",
                f"remote.{name}.push names notes, so that a bare git push pushes only "
                f"them; take it out (git config --unset-all remote.{name}.push) and "
                "share with gitbench push.",
            )
        for spec in setup.values(git, f"remote.{name}.fetch"):
            target = spec.partition(":")[2]
            if spec.startswith("+") and _hits(target, notes.ref):
                yield Finding(
                    "forced-refspec",
                    f"remote.{name}.fetch has {spec}: each git fetch throws away "
                    f"results that were not pushed. gitbench brings them back, but "
                    "take it out: git config --unset --fixed-value "
                    f"remote.{name}.fetch '{spec}'",
                )


def _hits(pattern: str, ref: str) -> bool:
    """Whether the destination of a refspec may be this ref."""
    start, star, end = pattern.partition("*")
    if not star:
        return pattern == ref
    return ref.startswith(start) and ref.endswith(end)


def _set_up(notes: Notes, git: Git, missing: tuple[setup.Setting, ...]) -> None:
    setup.add(git, missing)
    state = setup.load_state(notes.repository)
    added = setup.State((*state.settings, *missing), state.files, state.hook)
    setup.save_state(notes.repository, added)


def _refs(notes: Notes, git: Git, remote: str) -> Iterator[Finding]:
    repository = notes.repository
    tip, written = repository.ref(notes.ref), repository.ref(notes.written_ref)
    if written is not None and written != tip:
        lost = notes.gained(tip, written)
        if lost.runs + lost.others:
            yield Finding(
                "lost-results",
                f"{notes.ref} lacks {lost.runs + lost.others:,} records that were "
                "written here; somebody overwrote or deleted it. The next command "
                "brings them back.",
                mend=lambda: notes.bring_back(),
            )
    remotes = repository.remotes()
    if remote in remotes and repository.ref(tracking_ref(remote, notes.name)) is None:
        yield Finding(
            "never-fetched",
            f"The results of {remote} were never fetched here, if it has any: gitbench "
            f"fetch --remote {remote}",
            harmless=True,
            mend=lambda: sync.fetch(notes, git, remote),
        )


def _clone(repository: Repository, git: Git, remote: str) -> Iterator[Finding]:
    if repository.shallow:
        yield Finding(
            "shallow",
            "This clone is shallow: baselines beyond its end are not found, and it "
            "cannot prune. git fetch --unshallow completes it (in CI: fetch-depth: 0).",
            harmless=True,
            mend=lambda: _unshallow(repository, git, remote),
        )


def _unshallow(repository: Repository, git: Git, remote: str) -> None:
    result = git.run("fetch", "--quiet", "--unshallow", "--no-write-fetch-head", remote)
    if result.returncode != 0:
        raise sync.SyncError(
            f"The history could not be completed ({result.stderr.strip()[:200]})."
        )
    repository.reopen()


# ------------------------------------------------------------- thorough


@dataclass(slots=True)
class _Seen:
    """What one pass over all notes found."""

    duplicates: dict[str, set[str]] = field(default_factory=dict)
    """Annotated object -> later copies of a run that is there under another id."""
    alive: dict[str, set[str]] = field(default_factory=dict)
    """Run id -> objects whose notes show it."""
    retracted: dict[str, str] = field(default_factory=dict)
    """Run id -> reason, of those that are hidden in some note."""


def thorough(
    notes: Notes, git: Git, remote: str, progress: Progress[Any] = iter
) -> Iterator[Finding]:
    """All that `quick` tells, and what every single record tells."""
    yield from quick(notes, git, remote)
    yield from _index(notes)
    tip = notes.repository.ref(notes.ref)
    if tip is None:
        return
    yield from _places(notes, notes.repository.commit_tree(tip))
    seen = _Seen()
    found = list(notes.annotated())
    notes.repository.bring(blob for _, blobs in found for blob in blobs)
    for object_id, blobs in progress(found):
        try:
            note = notes.note_of(object_id, blobs)
        except GitbenchError as exc:
            yield Finding("unreadable-note", str(exc))
            continue
        yield from _note(notes, object_id, note, seen)
    yield from _runs(notes, seen)


def _index(notes: Notes) -> Iterator[Finding]:
    if not index.path_of(notes).exists():
        return
    try:
        index.open_index(notes, most=0).close()
    except index.IndexBroken as exc:
        yield Finding(
            "broken-index",
            f"The index cannot be used ({exc}); it is made anew when it is needed.",
            harmless=True,
            mend=lambda: index.discard(notes),
        )
    except index.IndexUnusable:
        yield Finding(
            "stale-index",
            "The index is behind the notes; it is brought up to date when it is "
            "needed.",
            harmless=True,
            mend=lambda: index.open_index(notes).close(),
        )


def _places(notes: Notes, tree: str) -> Iterator[Finding]:
    wrong = misplaced(notes.repository, tree)
    if wrong:
        yield Finding(
            "mixed-fan-out",
            f"{len(wrong):,} of the notes stand at another place of the tree than "
            "gitbench writes them, as git's own commands leave them. They are read all "
            "the same.",
            harmless=True,
            mend=lambda: notes.rewrite(
                lambda tree: compact.tidied(notes, tree),
                "gitbench: put notes in their place",
            ),
        )


def _note(notes: Notes, object_id: str, note: Note, seen: _Seen) -> Iterator[Finding]:
    state = standing(note)
    seen.retracted.update(state.hidden)
    for raw in sorted(note.damaged):
        yield _unreadable(notes, object_id, note, raw)
    runs: list[tuple[Line, Run]] = []
    for line in note.lines.values():
        try:
            record = codec.decode(line)
        except codec.CodecError as exc:
            yield _damaged(notes, object_id, line, str(exc))
            continue
        if isinstance(record, Run) and line.id not in state.hidden:
            runs.append((line, record))
            seen.alive.setdefault(line.id, set()).add(object_id)
    size = len(codec.format_note(note))
    if size > NEARLY_FULL * codec.MAX_NOTE:
        yield Finding(
            "large-note",
            f"The note of {object_id[:12]} has {size / 1e6:.0f} MB, of at most "
            f"{codec.MAX_NOTE / 1e6:.0f} MB; record fewer values there (--max-values).",
            harmless=True,
        )
    first: set[str] = set()
    for line, run in sorted(runs, key=lambda one: (one[1].started_at, one[0].id)):
        if run.origin in first:
            seen.duplicates.setdefault(object_id, set()).add(line.id)
        first.add(run.origin)
    yield from _unsettled(notes, object_id, note, state)


def _unsettled(
    notes: Notes, object_id: str, note: Note, state: Standing
) -> Iterator[Finding]:
    if state.erased & note.lines.keys():
        yield Finding(
            "erased-content",
            f"The note of {object_id[:12]} still holds what was erased; an old clone "
            "or git itself brought it back.",
            mend=lambda: notes.rewrite(
                lambda tree: compact.tidied(notes, tree),
                "gitbench: drop erased content",
            ),
        )


def _unreadable(notes: Notes, object_id: str, note: Note, raw: bytes) -> Finding:
    """A line that is no record, or the damaged twin of one that is there."""
    start = raw[:40].decode("utf-8", "replace")
    way_out = f"gitbench rm --erase {damaged_id(raw)} takes it out for good."
    words = raw.split(b" ", 2)
    id_ = words[1].decode("ascii", "replace") if len(words) == 3 else ""
    if raw.startswith(b"gb1 ") and id_ in note.lines:
        return Finding(
            "damaged-copy",
            f"The note of {object_id[:12]} holds a damaged copy of record {id_}, which "
            f"is there in full as well. {way_out}",
            harmless=True,
        )
    if raw.startswith(b"gb1 "):
        whole = _search(notes, object_id, id_)
        return Finding(
            "damaged-line",
            f"A line of the note of {object_id[:12]} is damaged ({start!r}...) and "
            "counts for nothing; "
            + ("a whole copy is in the history. " if whole else "no whole copy of it "
               "is known here, maybe in another clone. ") + way_out,
            mend=_adder(notes, object_id, whole),
        )  # fmt: skip
    if raw.startswith(b"gb") and raw[2:3].isdigit():
        return Finding(
            "newer-line",
            f"A line of the note of {object_id[:12]} is of a newer gitbench "
            f"({start!r}...); this one leaves it alone.",
            harmless=True,
        )
    return Finding(
        "foreign-line",
        f"A line of the note of {object_id[:12]} is no record of gitbench "
        f"({start!r}...) and was left alone. {way_out}",
        harmless=True,
    )


def _damaged(notes: Notes, object_id: str, line: Line, reason: str) -> Finding:
    """A line in the form of a record that cannot be decoded."""
    if "newer gitbench" in reason:
        return Finding("newer-line", f"{object_id[:12]}: {reason}", harmless=True)
    whole = _search(notes, object_id, line.id)
    return Finding(
        "damaged-line",
        f"A line of the note of {object_id[:12]} is damaged and counts for nothing: "
        f"{reason} "
        + ("A whole copy is in the history." if whole else "No whole copy of it is "
           "known here, maybe in another clone; gitbench rm --erase "
           f"{line.id} takes it out for good."),
        mend=_adder(notes, object_id, whole),
    )  # fmt: skip


def _adder(
    notes: Notes, object_id: str, line: Line | None
) -> Callable[[], object] | None:
    """What puts a whole record beside its damaged copy."""
    if line is None:
        return None
    whole = Note({line.id: line})

    def changes(tree: str) -> dict[str, Note]:
        return {object_id: codec.union([notes.note_in(tree, object_id), whole])}

    return lambda: notes.rewrite(changes, f"gitbench: bring back record {line.id}")


def _search(notes: Notes, object_id: str, id_: str) -> Line | None:
    """A whole copy of a record: on a remote as it was fetched, in what was written
    here, or in the history of the notes."""
    repository = notes.repository
    refs = [tracking_ref(one, notes.name) for one in repository.remotes()]
    looked: set[str] = set()
    for start in [
        repository.ref(name) for name in (*refs, notes.written_ref, notes.ref)
    ]:
        if start is None:
            continue
        try:
            for place, commit in enumerate(repository.first_parents(start)):
                if place > FAR_BACK or commit.tree in looked:
                    break
                looked.add(commit.tree)
                line = notes.note_in(commit.tree, object_id).lines.get(id_)
                if line is not None and codec.check(line) is None:
                    return line
        except RepositoryError:
            continue
    return None


def _runs(notes: Notes, seen: _Seen) -> Iterator[Finding]:
    """What several notes together tell."""
    half: dict[str, set[str]] = {}
    for id_ in seen.retracted.keys() & seen.alive.keys():
        for object_id in seen.alive[id_]:
            half.setdefault(object_id, set()).add(id_)
    if half:
        count = len({id_ for ids in half.values() for id_ in ids})
        yield Finding(
            "half-retracted",
            f"{count:,} runs are retracted in one note and still count in another, "
            "into which they were copied.",
            mend=lambda: notes.retract(half, "retracted in another note", _now()),
        )
    if seen.duplicates:
        count = sum(map(len, seen.duplicates.values()))
        yield Finding(
            "duplicates",
            f"{count:,} runs are second copies of a result that was recorded more than "
            "once; each result counts once all the same.",
            harmless=True,
            mend=lambda: notes.retract(
                seen.duplicates, "a second copy of a result", _now(), erase=True
            ),
        )


def _now() -> int:
    return time.time_ns() // 1_000_000

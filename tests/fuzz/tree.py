"""A whole notes tree, hostile in every entry: `python -m tests.fuzz tree`.

Trees are written as raw bytes, so that they may hold what git would refuse: modes
that do not exist, names twice or out of order, objects that are missing or of
another type.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pygit2
from pygit2.enums import ObjectType

from gitbench.errors import GitbenchError
from gitbench.model import Run
from gitbench.store import codec
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository
from gitbench.store.standing import standing
from tests.factories import make_run
from tests.fuzz.content import COMMITS, Choices, records

FRESH_AFTER = 300
"""Inputs after which the repository is made anew: its loose objects pile up."""

MODES = (b"100644", b"40000", b"100755", b"120000", b"160000", b"0", b"777777")
LINES = tuple(codec.encode(record).raw for record in records())

_PARTS = [(one, one[:2], one[2:], one[2:4], one[4:]) for one in COMMITS]
_OTHERS = ("0" * 64, "ab", "abc", "readme", ".git", "..", "g" * 40, "AB" * 20)
NAMES = (
    *(name.encode() for names in (*_PARTS, _OTHERS) for name in names),
    b"\xff\xfe",
    b"a b",
    b"a/b",
)


class Scene:
    """A repository, in memory where the machine has such a file system."""

    def __init__(self) -> None:
        home = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self._folder = Path(tempfile.mkdtemp(prefix="gitbench-fuzz-", dir=home))
        self._raw = pygit2.init_repository(str(self._folder / "git"), bare=True)
        self.inputs = 0
        self._blobs = [self.blob(line + b"\n") for line in LINES]
        tree = self._write(ObjectType.TREE, b"")
        self.commit = self.make_commit(tree)
        self.tree = tree

    def close(self) -> None:
        """Delete it all."""
        shutil.rmtree(self._folder)

    def notes(self) -> Notes:
        """The notes of the repository, opened afresh."""
        return Notes(Repository.open(self._folder / "git", {}))

    def _write(self, kind: ObjectType, data: bytes) -> str:
        return str(self._raw.odb.write(kind, data))

    def blob(self, data: bytes) -> str:
        """Id of a blob."""
        return self._write(ObjectType.BLOB, data)

    def make_commit(self, tree: str) -> str:
        """Id of a commit without parents."""
        who = "gitbench <gitbench@localhost> 1767225600 +0000"
        text = f"tree {tree}\nauthor {who}\ncommitter {who}\n\nfuzz\n"
        return self._write(ObjectType.COMMIT, text.encode())

    def set(self, ref: str, commit: str | None) -> None:
        """Point a ref at a commit, or remove it."""
        if commit is not None:
            self._raw.references.create(ref, commit, force=True)
        elif ref in self._raw.references:
            self._raw.references.delete(ref)

    def tree_of(self, choices: Choices, sound: bool, depth: int = 0) -> str:
        """Id of a tree whose entries the fuzzer chooses; a sound one is one that
        `git fsck` has nothing against but its names."""
        entries = []
        for _ in range(choices.number(5) + (depth == 0)):
            name = self._name(choices)
            mode = choices.one(MODES[:2] if sound else MODES)
            if sound and mode == b"40000":
                oid = self.tree_of(choices, sound, min(depth + 1, 3))
            else:
                oid = self._target(choices, mode, sound, depth)
            entries.append((name, mode, oid))
        if sound:
            # Git orders a folder as if its name ended in a slash.
            unique = {name: (mode, oid) for name, mode, oid in entries}
            entries = [(name, mode, oid) for name, (mode, oid) in unique.items()]
            entries.sort(key=lambda e: e[0] + b"/" * (e[1] == b"40000"))
        return self._write(
            ObjectType.TREE,
            b"".join(m + b" " + n + b"\0" + bytes.fromhex(o) for n, m, o in entries),
        )

    def _name(self, choices: Choices) -> bytes:
        if choices.number(4) == 3:
            return choices.some(6).replace(b"\0", b"") or b"x"
        if choices.number(4) == 2:
            return self.commit.encode()
        return choices.one(NAMES)

    def _target(self, choices: Choices, mode: bytes, sound: bool, depth: int) -> str:
        match choices.number(5 if sound else 8):
            case 0 | 1:
                if mode == b"40000" and depth < 3:
                    return self.tree_of(choices, sound, depth + 1)
                return choices.one(self._blobs)
            case 2:
                return self.blob(choices.rest())
            case 3:
                return self.blob(choices.some(60))
            case 4:
                lines = [choices.one(LINES) for _ in range(choices.number(4))]
                return self.blob(b"\n".join(lines))
            case 5:
                return "9" * 40
            case 6:
                return self.commit
            case _:
                return self.tree


_scene: Scene | None = None


def _fresh() -> Scene:
    global _scene
    if _scene is None or _scene.inputs >= FRESH_AFTER:
        if _scene is not None:
            _scene.close()
        _scene = Scene()
    _scene.inputs += 1
    return _scene


def clear() -> None:
    """Delete the repository, if there is one."""
    global _scene
    if _scene is not None:
        _scene.close()
    _scene = None


def check(data: bytes) -> None:
    """Whatever the tree, reading, recording, uniting, withdrawing and bringing back
    raise nothing but stated errors; of sound trees they lose no record."""
    scene = _fresh()
    choices = Choices(data)
    sound = choices.number(2) == 0
    ours = scene.make_commit(scene.tree_of(choices, sound))
    theirs = scene.make_commit(scene.tree_of(choices, sound))
    scene.set("refs/notes/gitbench", choices.one((ours, ours, ours, None)))
    scene.set("refs/gitbench/written/gitbench", choices.one((None, theirs)))
    notes = scene.notes()
    keeps = _keeps if sound else _survives
    _read(notes, scene.commit)
    keeps(notes, theirs, lambda: notes.unite(theirs, "fuzz"))
    keeps(notes, None, notes.bring_back)
    run = make_run(commit=scene.commit, tree=scene.tree, started_at=10**12 - 5)
    keeps(notes, None, lambda: _record(notes, run))
    keeps(notes, None, lambda: notes.retract({COMMITS[0]: ["0" * 16]}, "fuzz", 5))
    _read(notes, scene.commit)


def _record(notes: Notes, run: Run) -> None:
    written = notes.record({run.commit: [run]})
    known = {one.id for one in notes.records(run.commit).runs}
    assert {*written.added, *written.known} <= known, "a recorded run is not there"


def _read(notes: Notes, commit: str) -> None:
    acts: tuple[Callable[[], object], ...] = (
        lambda: [notes.note(id_) for id_, _ in notes.annotated()],
        lambda: [notes.records(one) for one in (*COMMITS, commit)],
        lambda: notes.commits_of_tree("2" * 40),
        notes.baselines,
        lambda: notes.gained(None, notes.repository.ref(notes.ref)),
    )
    for act in acts:
        try:
            act()
        except GitbenchError:
            pass


def _survives(notes: Notes, other: str | None, act: Callable[[], object]) -> None:
    try:
        act()
    except (GitbenchError, AssertionError):
        pass


def _keeps(notes: Notes, other: str | None, act: Callable[[], object]) -> None:
    """Do `act`; what could be read before, here or in `other`, is there after it."""
    before = _ids(notes, notes.repository.ref(notes.ref))
    if other is not None:
        before += _ids(notes, other)
    try:
        act()
    except GitbenchError:
        return
    after = dict(_ids(notes, notes.repository.ref(notes.ref)))
    for object_id, ids in before:
        kept = after.get(object_id, frozenset())
        gone = standing(notes.note(object_id)).erased
        assert ids <= kept | gone, f"lost {ids - kept} of {object_id}"


def _ids(notes: Notes, tip: str | None) -> list[tuple[str, frozenset[str]]]:
    """The records of every annotated object, as far as they can be read."""
    if tip is None:
        return []
    found = []
    tree = notes.repository.commit_tree(tip)
    for object_id in sorted({*COMMITS, _scene.commit if _scene else COMMITS[0]}):
        try:
            note = notes.note_in(tree, object_id)
        except GitbenchError:
            continue
        whole = [id_ for id_, line in note.lines.items() if not codec.check(line)]
        found.append((object_id, frozenset(whole)))
    return found


def seeds() -> Iterator[bytes]:
    """Trees with the notes of one commit at one path and at several."""
    yield bytes(12)
    for commit in range(3):
        for place in range(5):
            for mode in range(2):
                yield bytes([0, 1, 0, 0, commit * 5 + place, mode, 4, 3, 1, 2, 3] * 3)
    yield bytes(range(64))

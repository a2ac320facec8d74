"""The bytes of the index and of its journal: `python -m tests.fuzz index`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from gitbench.store.facts import Answer, NotesHistory, Question
from gitbench.store.index import IndexUnusable, discard, open_index, path_of
from gitbench.store.notes import Notes
from gitbench.store.repository import Commit, Repository
from tests.factories import make_measurement, make_run
from tests.fuzz.content import Choices

QUESTIONS = (Question(), Question("sort"), Question("load", "duration"))
JOURNAL = bytes.fromhex("d9d505f920a163d7")
"""How a journal of SQLite begins."""


class Scene:
    """A repository with notes of a few commits, and a whole index of them."""

    def __init__(self) -> None:
        home = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="gitbench-fuzz-", dir=home))
        self.notes = Notes(_repository(self.folder / "git"))
        repository = self.notes.repository
        tree, above = repository.empty_tree(), list[str]()
        for number in range(6):
            above = [repository.write_commit(tree, above, f"change {number}\n")]
            runs = [
                make_run(
                    [
                        make_measurement("sort", [0.1 + number, 0.2]),
                        make_measurement("load", [number + 0.5], n="10"),
                    ],
                    commit=above[0],
                    tree=tree,
                    started_at=10**12 + number * 10 + place,
                )
                for place in range(2)
            ]
            self.notes.record({above[0]: runs})
        self.commits = tuple(repository.first_parents(above[0]))
        with closing(open_index(self.notes)):
            pass
        self.path = path_of(self.notes)
        self.journal = self.path.with_name(f"{self.path.name}-journal")
        self.whole = self.path.read_bytes()
        self.expected = [
            list(NotesHistory(self.notes, one).answers(self.commits))
            for one in QUESTIONS
        ]


def _repository(path: Path) -> Repository:
    import pygit2

    pygit2.init_repository(str(path), bare=True)
    return Repository.open(path, {})


_scene: Scene | None = None


def clear() -> None:
    """Delete the repository, if there is one."""
    global _scene
    if _scene is not None:
        shutil.rmtree(_scene.folder)
    _scene = None


def check(data: bytes) -> None:
    """Whatever stands in the file or beside it, the index gives the answers that the
    notes give, or says that it cannot."""
    global _scene
    scene = _scene = _scene or Scene()
    choices = Choices(data)
    content = bytearray(scene.whole)
    for _ in range(choices.number(5)):
        place = choices.number(256) << 16 | choices.number(256) << 8
        place = (place | choices.number(256)) % len(content)
        edit = choices.some(8) or b"\xff"
        content[place : place + len(edit)] = edit
    if choices.number(4) == 3:
        del content[choices.number(256) * len(content) // 256 :]
    scene.path.write_bytes(content)
    scene.journal.unlink(missing_ok=True)
    if choices.number(4) == 3:
        scene.journal.write_bytes(JOURNAL + choices.rest())
    for question, expected in zip(QUESTIONS, scene.expected, strict=True):
        try:
            assert expected == _ask(scene.notes, question, scene.commits)
        except IndexUnusable:
            discard(scene.notes)
            assert expected == _ask(scene.notes, question, scene.commits)


def _ask(notes: Notes, question: Question, commits: tuple[Commit, ...]) -> list[Answer]:
    with closing(open_index(notes)) as index:
        return list(index.history(question).answers(commits))


def seeds() -> Iterator[bytes]:
    """No edit, and one at each of some places."""
    yield bytes(8)
    for place in range(0, 256, 8):
        yield bytes([1, 0, place, 16, 2, 1, 2, 0, 0])
        yield bytes([0, 3, place, 3, 1, 2, 3])

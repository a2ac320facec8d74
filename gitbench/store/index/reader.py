"""Reading the index: the same answers that the notes give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gitbench.store.facts import (
    Answer,
    NotesHistory,
    Point,
    Question,
    Recorded,
    RunFacts,
    Series,
)
from gitbench.store.index.rows import (
    IndexBroken,
    IndexUnusable,
    NoteRow,
    check_file,
    connect,
    guard,
    long,
    objects_sum,
    point_of_row,
    read_state,
    series_of_row,
    unseal,
)
from gitbench.store.notes import Notes, which_count
from gitbench.store.repository import Commit, RepositoryError

BATCH = 500
"""Commits looked up at once; SQLite before 3.32 takes 999 parameters."""


class Index:
    """A reader of one state of the index; close it when done."""

    def __init__(self, path: Path, notes: Notes) -> None:
        """Raises `IndexUnusable`."""
        self.notes = notes
        with guard():
            self.connection = connect(path)
            try:
                # Everything is read in one transaction, so that an update in between
                # cannot mix two states.
                self.connection.execute("BEGIN")
                check_file(self.connection)
                self.state = read_state(self.connection)
            except BaseException:
                self.connection.close()
                raise

    def close(self) -> None:
        """Let others write."""
        self.connection.close()

    def commits_of_tree(self) -> dict[str, tuple[str, ...]]:
        """Annotated objects by each tree that may be theirs; see
        `Notes.commits_of_tree`."""
        found: dict[str, list[str]] = {}
        with guard():
            rows = self.connection.execute("SELECT object, data FROM note").fetchall()
            if len(rows) != self.state.notes:
                raise IndexBroken("notes are missing")
            for key, data in rows:
                row = NoteRow.unseal(key, data)
                if not row.readable:
                    raise IndexUnusable("a note could not be read")
                for tree in row.trees:
                    found.setdefault(tree, []).append(key.hex())
        return {tree: tuple(sorted(ids)) for tree, ids in found.items()}

    def history(self, question: Question) -> IndexHistory:
        """Answers to a question, as `NotesHistory` gives them."""
        return IndexHistory(self, question)


@dataclass(frozen=True, slots=True)
class Setup:
    """What many runs have in common."""

    suite: str
    testbed: str
    fingerprint: str
    tool: str
    tool_version: str | None
    series: tuple[int, ...]
    wanted: tuple[tuple[int, int], ...]
    """(place among the measurements, series) of what the question asks for."""


class RunRow(NamedTuple):
    """A run's row; `run.points` are not filled in yet."""

    id: str
    run: RunFacts
    row: int
    setup: Setup
    extras: dict[int, Any]


class IndexHistory:
    """Answers from the index; the same as those of `NotesHistory`.

    Each method may raise `IndexUnusable`, in the middle of an answer too.
    """

    def __init__(self, index: Index, question: Question) -> None:
        self.index = index
        self.question = question
        self._setups: dict[int, Setup] = {}
        self._series: dict[int, Series] = {}
        if question.benchmark is not None:
            with guard():
                self._series = self._wanted_series()

    def _wanted_series(self) -> dict[int, Series]:
        rows = self.index.connection.execute("SELECT id, data FROM series").fetchall()
        if len(rows) != self.index.state.series:
            raise IndexBroken("series are missing")
        found = {}
        for id_, data in rows:
            row = unseal("series", id_, data)
            # A label begins with the name; the rest need not become a Series.
            asked = self.question
            if asked.glob or str(asked.benchmark).startswith(row[0]):
                series = series_of_row(row)
                if self.question.fits(series):
                    found[id_] = series
        return found

    def annotated(self) -> set[str]:
        """Ids of all objects that have a note."""
        with guard():
            rows = self.index.connection.execute("SELECT object FROM note")
            keys = [key for (key,) in rows]
            state = self.index.state
            if (len(keys), objects_sum(keys)) != (state.notes, state.objects):
                raise IndexBroken("notes are missing")
            return set(map(bytes.hex, keys))

    def answers(self, commits: Iterable[Commit]) -> Iterator[Answer]:
        """What is found at each commit, in their order; all of them have notes."""
        for batch in _batches(commits):
            with guard():
                found = self._look_up(batch)
            for commit in batch:
                answer = found[commit.id]
                if answer is None:
                    direct = NotesHistory(self.index.notes, self.question)
                    yield direct.answer(commit)
                else:
                    yield answer

    def _look_up(self, batch: Sequence[Commit]) -> dict[str, Answer | None]:
        """Answers by commit; None where only the notes can tell."""
        notes = self._notes(batch)
        asked = {
            id_: note
            for id_, note in notes.items()
            if any(map(self._is_asked, note.setups))
        }
        runs = self._runs([row for note in asked.values() for row in note.runs])
        counted = {}
        for commit in batch:
            if commit.id in asked:
                note = asked[commit.id]
                mine = [runs[row] for row in note.runs]
                own, _ = which_count(mine, set(note.hidden), commit.id, commit.tree)
                counted[commit.id] = own
        points = self._points([one for own in counted.values() for one in own])
        answers: dict[str, Answer | None] = {}
        for commit in batch:
            recorded = (
                Recorded(one.id, one.run, points.get(one.row, ()))
                for one in counted.get(commit.id, ())
            )
            kept = tuple(one for one in recorded if self.question.keeps(one))
            note = notes[commit.id]
            answers[commit.id] = (
                Answer(commit, kept, note.warnings) if note.readable else None
            )
        return answers

    def _is_asked(self, id_: int) -> bool:
        """Whether runs of this setup may belong to the answer."""
        setup = self._setup(id_)
        return self.question.suite in (None, setup.suite) and (
            self.question.benchmark is None or bool(setup.wanted)
        )

    def _notes(self, batch: Sequence[Commit]) -> dict[str, NoteRow]:
        keys = [bytes.fromhex(commit.id) for commit in batch]
        rows = self._select("SELECT object, data FROM note WHERE object IN", keys)
        return {key.hex(): NoteRow.unseal(key, data) for key, data in rows}

    def _runs(self, rows: Sequence[int]) -> dict[int, RunRow]:
        found = {}
        for row, data in self._select("SELECT id, data FROM run WHERE id IN", rows):
            id_, setup_id, time, commit, tree, origin, dirty, session, job, extras = (
                unseal("run", row, data)
            )
            setup = self._setup(setup_id)
            facts = RunFacts(
                time,
                long(commit),
                long(tree),
                long(origin),
                setup.suite,
                setup.testbed,
                setup.fingerprint,
                setup.tool,
                setup.tool_version,
                dirty,
                session,
                job,
                len(setup.series),
            )
            found[row] = RunRow(long(id_), facts, row, setup, extras)
        return found

    def _setup(self, id_: int) -> Setup:
        if id_ not in self._setups:
            found = self.index.connection.execute(
                "SELECT data FROM setup WHERE id = ?", (id_,)
            )
            suite, testbed, fingerprint, tool, version, series = unseal(
                "setup", id_, found.fetchone()[0]
            )
            wanted = tuple(
                (place, number)
                for place, number in enumerate(series)
                if number in self._series
            )
            self._setups[id_] = Setup(
                suite, testbed, fingerprint, tool, version, tuple(series), wanted
            )
        return self._setups[id_]

    def _points(self, runs: Sequence[RunRow]) -> dict[int, tuple[Point, ...]]:
        """The points that are asked for, by the run's row, in the run's order."""
        by_series: dict[int, dict[int, tuple[RunRow, int]]] = {}
        for one in runs:
            if self.question.suite in (None, one.run.suite):
                for place, number in one.setup.wanted:
                    by_series.setdefault(number, {})[one.row] = (one, place)
        found: dict[int, list[tuple[int, Point]]] = {}
        for number, wanted in by_series.items():
            rows = self._select(
                "SELECT series, run, center, low, high, n, processes, flags, seal "
                f"FROM point WHERE series = {number:d} AND run IN",
                list(wanted),
            )
            series = self._series[number]
            for row in rows:
                one, place = wanted[row[1]]
                point = point_of_row(row, series, one.extras.get(place))
                found.setdefault(row[1], []).append((place, point))
        return {
            row: tuple(point for _, point in sorted(some, key=lambda pair: pair[0]))
            for row, some in found.items()
        }

    def _select(self, query: str, keys: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of these keys; all of them must be there."""
        rows: list[tuple[Any, ...]] = []
        for start in range(0, len(keys), BATCH):
            some = keys[start : start + BATCH]
            marks = ",".join("?" * len(some))
            rows += self.index.connection.execute(f"{query} ({marks})", some)
        if len(rows) != len(keys):
            raise IndexBroken("rows are missing")
        return rows


def _batches(commits: Iterable[Commit]) -> Iterator[list[Commit]]:
    """Commits in batches that grow, so that a short answer reads little.  An error
    on the way is raised when its turn comes: what lies before it is answered."""
    iterator = iter(commits)
    size = 32
    while True:
        batch: list[Commit] = []
        failure: RepositoryError | None = None
        try:
            for commit in iterator:
                batch.append(commit)
                if len(batch) == size:
                    break
        except RepositoryError as exc:
            failure = exc
        if batch:
            yield batch
        if failure is not None:
            raise failure
        if len(batch) < size:
            return
        size = min(2 * size, BATCH)

"""The index gives the answers that the notes give, whatever happens to its file."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitbench.model import Run
from gitbench.store import codec
from gitbench.store.facts import Answer, NotesHistory, Question
from gitbench.store.index import (
    IndexBroken,
    IndexUnusable,
    TreeLookup,
    discard,
    open_index,
    path_of,
)
from gitbench.store.lock import held
from gitbench.store.notes import Notes
from gitbench.store.repository import BLOB, TREE, Repository
from tests import strategies
from tests.factories import make_measurement, make_run
from tests.project import Project

REF = "refs/notes/gitbench"
QUESTIONS = (
    Question(),
    Question(suite="unit"),
    Question("sort"),
    Question("sort", "duration"),
    Question("load [n=10]"),
    Question("nobody has this"),
    Question("*", glob=True),
    Question("lo?d [[]n=*", glob=True),
    Question("load [n=10]", glob=True),
)


def open_notes(project: Project, name: str = "gitbench") -> Notes:
    return Notes(Repository.open(project.path, os.environ), name)


def from_notes(notes: Notes, question: Question) -> list[Answer]:
    history = NotesHistory(notes, question)
    return list(history.answers(along(notes, history.annotated())))


def from_index(notes: Notes, question: Question) -> list[Answer]:
    with closing(open_index(notes)) as index:
        history = index.history(question)
        return list(history.answers(along(notes, history.annotated())))


def along(notes: Notes, annotated: set[str]) -> Iterator[object]:
    repository = notes.repository
    for commit in repository.first_parents(repository.resolve("HEAD")):
        if commit.id in annotated:
            yield commit


def rows(notes: Notes, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path_of(notes))) as connection:
        return connection.execute(query).fetchall()


def runs_of(project: Project, count: int, revision: str = "HEAD") -> list[Run]:
    return [
        make_run(
            [
                make_measurement("sort", [0.1 + number / 100, 0.2]),
                make_measurement("load", [1.0, 2.0], n="10"),
            ],
            commit=project.head(revision),
            tree=project.head(f"{revision}^{{tree}}"),
            started_at=10**12 + number,
            origin=f"{number:064x}",
        )
        for number in range(count)
    ]


@pytest.fixture
def varied(project: Project) -> Project:
    """Everything that a note may hold, made by gitbench and by stock git."""
    values = {"sort": [0.1, 0.11], "load": 5, "sort [n=1]": 3}
    project.record(values)
    project.record(values, suite="nightly", testbed={"name": "laptop"})
    project.commit("same origin twice")
    notes = open_notes(project)
    first, second = runs_of(project, 2)
    twin = dataclasses.replace(second, origin=first.origin)
    lines = [codec.encode(run) for run in (first, twin)]
    project.git(
        "notes", "--ref=gitbench", "add", "-m", "\n".join(x.raw.decode() for x in lines)
    )
    project.commit("retracted")
    project.record({"sort": 0.3})
    (gone,) = notes.records(project.head()).runs
    notes.retract({project.head(): [gone.id]}, "wrong machine", 1)
    project.record({"sort": 0.31})
    project.commit("copied from elsewhere")
    project.git("notes", "--ref=gitbench", "copy", "HEAD~3", "HEAD")
    project.commit("amended")
    project.record({"sort": 0.4})
    before = project.head()
    project.git("commit", "--amend", "--quiet", "-m", "amended since")
    project.git("notes", "--ref=gitbench", "copy", before, "HEAD")
    project.commit("by hand")
    project.record({"sort": 0.5})
    project.git("notes", "--ref=gitbench", "append", "-m", "a remark by hand")
    damaged = codec.encode(runs_of(project, 3)[2]).raw.decode()[:-9]
    project.git("notes", "--ref=gitbench", "append", "-m", damaged)
    project.commit("other kinds")
    result = project.path.parent / "kinds.json"
    document = project.results({})
    document["measurements"] = [
        {"benchmark": "sort", "metric": "duration", "unit": "s", "status": "failed",
         "message": "segfault"},
        {"benchmark": "sort", "metric": "success", "kind": "proportion",
         "better": "higher", "passes": 9, "trials": 10},
        {"benchmark": "sort", "metric": "mean", "unit": "ms",
         "summary": {"center": 1.5, "low": 1.0, "of": "median", "n": 20}},
        {"benchmark": "sort", "metric": "uneven", "unit": "ns",
         "values": [[1, 2, 3], [4]]},
        {"benchmark": "sort", "metric": "even", "unit": "ns", "values": [[1], [4]]},
        {"benchmark": "sort", "metric": "huge", "unit": "h", "values": [1e308]},
        {"benchmark": "sort", "params": {"n": "1"}, "metric": "duration", "unit": "s",
         "values": [0.7]},
    ]  # fmt: skip
    result.write_text(json.dumps(document))
    project.gitbench("record", str(result))
    spread(notes)
    return project


def spread(notes: Notes) -> None:
    """Put the notes at paths of every depth, one of them at two paths."""
    repository = notes.repository
    tree: str | None = None
    for number, (object_id, (blob, *_)) in enumerate(list(notes.annotated())):
        tree = put(repository, tree, object_id, blob, number % 4)
    twice = repository.write_blob(repository.blob(blob) + b"found at two paths\n")
    tree = put(repository, tree, object_id, twice, (number + 1) % 4)
    tip = repository.ref(REF)
    assert tip is not None
    commit = repository.write_commit(tree, [tip], "other fan-outs\n")
    repository.move_refs((REF, notes.written_ref), lambda _: commit, "test")


def put(
    repository: Repository, tree: str | None, object_id: str, blob: str, depth: int
) -> str:
    """A notes tree like `tree` with one blob more, below `depth` folders."""
    if depth == 0:
        return repository.write_tree(tree, {object_id: (BLOB, blob)})
    inside = repository.tree_entry(tree, object_id[:2]) if tree else None
    folder = put(
        repository, inside.id if inside else None, object_id[2:], blob, depth - 1
    )
    return repository.write_tree(tree, {object_id[:2]: (TREE, folder)})


LOGS = (
    ("log",),
    ("log", "--json"),
    ("log", "-n", "2"),
    ("log", "HEAD~2"),
    ("log", "--suite", "nightly"),
    ("log", "--benchmark", "sort"),
    ("log", "--benchmark", "sort", "--json"),
    ("log", "--benchmark", "sort [n=1]"),
    ("log", "--benchmark", "sort", "--metric", "duration", "-n", "3"),
    ("log", "--benchmark", "load", "--suite", "unit"),
    ("log", "--benchmark", "nobody has this"),
)


def outputs(project: Project, *options: str) -> list[object]:
    return [project.gitbench(*log, *options, code=None) for log in LOGS]


def test_log_says_the_same_with_and_without_the_index(varied: Project) -> None:
    """Output, warnings and exit codes are equal byte for byte, on a repository with
    every oddity, whether the index is built, updated or used as it is."""
    expected = outputs(varied, "--no-index")
    notes = open_notes(varied)
    assert not path_of(notes).exists()
    assert expected == outputs(varied, "--index")
    with closing(open_index(notes, most=0)):
        pass
    assert expected == outputs(varied)

    varied.commit("one more")
    varied.record({"sort": [0.9, 0.91], "new": 1})
    notes.retract(
        {varied.head("HEAD~3"): [notes.records(varied.head("HEAD~3")).runs[0].id]},
        "late",
        2,
    )
    expected = outputs(varied, "--no-index")
    assert "one more" in expected[0].out
    assert "by hand" in expected[0].err
    assert "segfault" in expected[5].out
    assert "out of range" in expected[5].out
    assert expected == outputs(varied)
    assert expected == outputs(varied, "--index")


@st.composite
def note_lines(draw: st.DrawFn, commits: Sequence[tuple[str, str]]) -> list[bytes]:
    """Lines of one note: runs of this or another commit, withdrawals, junk."""
    lines = []
    for run in draw(st.lists(strategies.runs, max_size=3)):
        commit, tree = draw(st.sampled_from([*commits, ("0" * 40, "0" * 40)]))
        suite = draw(st.sampled_from(["unit", run.suite]))
        benchmark = run.measurements[0].benchmark
        named = draw(st.sampled_from(["sort", benchmark.name]))
        first = dataclasses.replace(
            run.measurements[0],
            benchmark=dataclasses.replace(benchmark, name=named),
        )
        measurements = {
            (one.benchmark, one.metric.name): one for one in (first, *run.measurements)
        }
        lines.append(
            codec.encode(
                dataclasses.replace(
                    run,
                    commit=commit,
                    tree=tree,
                    suite=suite,
                    origin=draw(st.sampled_from(["1" * 64, run.origin])),
                    measurements=tuple(measurements.values()),
                )
            )
        )
    raw = [line.raw for line in lines]
    ids = tuple(line.id for line in lines)
    if ids and draw(st.booleans()):
        raw.append(codec.encode(codec.Retraction(ids[:1], "wrong", 5)).raw)
    if ids and draw(st.booleans()):
        raw.append(codec.encode(codec.Restoration(ids[:1], "right", 6)).raw)
    if raw and draw(st.booleans()):
        raw[0] = raw[0][:-3]
    raw += draw(st.lists(st.binary(max_size=20), max_size=1))
    return raw


@settings(
    derandomize=True,
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_the_index_follows_the_notes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """After any sequence of notes trees, in any fan-out, the index answers every
    question as the notes do, and as an index built from nothing does."""
    project = Project.init(tmp_path_factory.mktemp("law") / "project")
    commits = []
    for content in ("one\n", "two\n", "one\n"):
        project.commit("change", content)
        commits.append((project.head(), project.head("HEAD^{tree}")))
    notes = open_notes(project)
    repository = notes.repository
    for _ in range(data.draw(st.integers(1, 3))):
        tree: str | None = None
        for object_id in [*(c for c, _ in commits), repository.empty_tree()]:
            lines = data.draw(note_lines(commits))
            depth = data.draw(st.integers(0, 2))
            if not lines:
                continue
            blob = repository.write_blob(b"\n".join(lines))
            tree = put(repository, tree, object_id, blob, depth)
        tip = repository.write_commit(tree or repository.empty_tree(), [], "notes\n")
        repository.move_refs((REF,), lambda _, tip=tip: tip, "test")

        names = [
            "sort",
            *(
                one.name
                for one in data.draw(st.lists(strategies.benchmarks, max_size=1))
            ),
        ]
        questions = [*QUESTIONS, *map(Question, names)]
        expected = [from_notes(notes, one) for one in questions]
        assert expected == [from_index(notes, one) for one in questions]
        with closing(open_index(notes, most=0)) as index:
            fresh = open_notes(project)
            assert runs_in(index.commits_of_tree(), fresh, commits) == runs_in(
                None, fresh, commits
            )
    discard(notes)
    assert expected == [from_index(notes, one) for one in questions]


def runs_in(
    by_tree: dict[str, tuple[str, ...]] | None,
    notes: Notes,
    commits: Sequence[tuple[str, str]],
) -> list[object]:
    """Runs of each tree on other commits, as the walk for a baseline looks for them."""
    found = []
    for _, tree in commits:
        others = (
            notes.commits_of_tree(tree) if by_tree is None else by_tree.get(tree, ())
        )
        runs = {
            (other, one.id)
            for other in others
            for one in notes.records(other).runs
            if one.run.tree == tree and notes.repository.commit_tree(other) == tree
        }
        found.append(runs)
    return found


def test_only_what_is_new_is_read(project: Project) -> None:
    """A new record leaves the rows of the others alone, in its own note too; a note
    that went takes its rows along."""
    notes = open_notes(project)
    for run in runs_of(project, 3):
        notes.record({run.commit: [run]})
        from_index(notes, Question())
    assert [(1,), (2,), (3,)] == rows(notes, "SELECT id FROM run ORDER BY id")
    assert [(6,)] == rows(notes, "SELECT count(*) FROM point")

    project.git("notes", "--ref=gitbench", "remove", "HEAD")
    assert [] == from_index(notes, Question())
    for table in ("note", "run", "setup", "series", "point"):
        assert [] == rows(notes, f"SELECT * FROM {table}")


def test_the_notes_may_be_replaced_and_the_old_ones_be_gone(project: Project) -> None:
    """Where git no longer has the tree that the index describes, all is compared."""
    notes = open_notes(project)
    first, second = runs_of(project, 2)
    notes.record({first.commit: [first]})
    from_index(notes, Question())
    project.git("update-ref", "-d", REF)
    project.git("update-ref", "-d", notes.written_ref)
    project.git("reflog", "expire", "--expire=now", "--all")
    project.git("gc", "--quiet", "--prune=now")
    other = "1" * 40
    notes = open_notes(project)
    with pytest.raises(IndexUnusable):
        open_index(notes)
    notes.record({other: [dataclasses.replace(second, commit=other)]})
    notes.record({second.commit: [second]})

    answers = from_index(notes, Question("sort"))
    assert from_notes(notes, Question("sort")) == answers
    assert [[second.started_at]] == [
        [r.run.started_at for r in a.runs] for a in answers
    ]


def test_what_was_erased_is_not_kept_in_the_index(project: Project) -> None:
    """After an erasure the next update leaves no byte of a name in the file."""
    notes = open_notes(project)
    keep, *_ = runs_of(project, 1)
    leak = dataclasses.replace(
        runs_of(project, 2)[1],
        measurements=(make_measurement("leaked-name"),),
        suite="leaked-suite",
    )
    written = notes.record({keep.commit: [keep, leak]})
    from_index(notes, Question())
    assert b"leaked" in path_of(notes).read_bytes()
    notes.retract({keep.commit: [written.added[1]]}, "token", 1, erase=True)
    from_index(notes, Question())

    assert b"leaked" not in path_of(notes).read_bytes()
    assert discard(notes)
    assert not path_of(notes).exists()


def test_other_refs_have_indexes_of_their_own(project: Project) -> None:
    """`--ref` neither reads nor replaces the index of another notes ref."""
    project.record({"sort": 1})
    project.record({"sort": 2}, "--ref", "other")
    for _ in range(2):
        for options, shown in (((), "1.000 s"), (("--ref", "other"), "2.000 s")):
            out = project.gitbench("log", "--benchmark", "sort", "--index", *options)
            assert shown in out.out
    assert path_of(open_notes(project)) != path_of(open_notes(project, "other"))
    assert path_of(open_notes(project, "other")).exists()


# ------------------------------------------------------------ when it is used


def many(project: Project, count: int) -> None:
    """Notes on `count` commits that nobody has."""
    (run,) = runs_of(project, 1)
    notes = open_notes(project)
    notes.record({f"{n:040x}": [run] for n in range(1, count)} | {run.commit: [run]})


def test_short_answers_build_no_index(project: Project) -> None:
    """A question that few notes answer reads those; `record` and `show` never touch
    the index, nor load sqlite3."""
    project.record({"sort": 1})
    project.gitbench("log")
    project.gitbench("log", "--benchmark", "sort")
    assert not path_of(open_notes(project)).exists()
    project.gitbench("log", "--index")
    kept = path_of(open_notes(project)).read_bytes()
    result = project.path.parent / "r.json"
    result.write_text(json.dumps(project.results({"sort": 9})))
    for command in (("record", str(result)), ("show",)):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "gitbench", *command],
            cwd=project.path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "pygit2" in done.stderr
        assert "sqlite3" not in done.stderr
    assert kept == path_of(open_notes(project)).read_bytes()


def test_a_long_answer_builds_the_index(project: Project) -> None:
    """A question that needs more than a few hundred notes builds the index, and the
    next one uses it; without a terminal nothing is said of it."""
    project.record({"sort": 1})
    notes = open_notes(project)
    tip, tree = project.head(), project.head("HEAD^{tree}")
    for number in range(210):
        tip = notes.repository.write_commit(tree, [tip], f"c{number}\n")
    project.git("reset", "--quiet", "--hard", tip)
    commits = list(notes.repository.first_parents(project.head()))
    runs = {
        one.id: [make_run(commit=one.id, tree=one.tree, origin=f"{n:064x}")]
        for n, one in enumerate(commits)
    }
    notes.record(runs)
    expected = project.gitbench("log", "--benchmark", "load", "--no-index", code=3)
    assert not path_of(notes).exists()
    project.gitbench("log")
    assert not path_of(notes).exists()
    assert expected == project.gitbench("log", "--benchmark", "load", code=3)
    assert path_of(notes).exists()
    assert [(212,)] == rows(notes, "SELECT count(*) FROM run")
    result = project.gitbench("log", "-n", "300")
    assert "" == result.err
    assert project.gitbench("log", "-n", "300", "--no-index") == result


def test_building_is_shown_on_a_terminal(project: Project) -> None:
    """A first build of many notes draws a bar on a terminal's stderr alone."""
    import pty

    many(project, 600)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "gitbench", "log", "--index"],
        cwd=project.path,
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        drawn = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:
                break
            if not part:
                break
            drawn += part
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(ours)
    assert 0 == process.returncode
    assert b"Indexing the notes" in drawn
    assert b"100%" in drawn
    assert b"Indexing" not in out


def test_stand_ins_are_found_through_the_index(project: Project) -> None:
    """Commits by tree come from an index that is there and nearly up to date, and
    are those that the notes give."""
    many(project, 30)
    notes = open_notes(project)
    tree = project.head("HEAD^{tree}")
    expected = notes.commits_of_tree(tree)
    assert 30 == len(expected)
    lookup = TreeLookup(notes)
    assert lookup(tree) is None
    lookup.FEWEST = 0
    assert lookup(tree) is None
    with closing(open_index(notes)):
        pass
    lookup = TreeLookup(notes)
    assert lookup(tree) is None
    lookup = TreeLookup(notes)
    lookup.FEWEST = 0
    assert expected == lookup(tree)
    assert () == lookup("9" * 40)
    other = make_run(commit="a" * 40, tree=tree)
    notes.record({other.commit: [other]})
    assert sorted([*expected, other.commit]) == list(lookup(tree) or ())
    fresh = open_notes(project)
    fresh.tree_lookup = lookup
    assert lookup(tree) == fresh.commits_of_tree(tree)


def test_compare_finds_stand_ins_through_the_index(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A squashed branch's results stand in without a look into other notes, of which
    one cannot be read here."""
    monkeypatch.setattr(TreeLookup, "FEWEST", 0)
    project.git("checkout", "--quiet", "-b", "feature")
    project.commit("feature", "feature\n")
    project.record({"sort": [0.1, 0.11]})
    project.git("checkout", "--quiet", "main")
    project.git("merge", "--quiet", "--squash", "feature")
    project.git("commit", "--quiet", "-m", "squashed")
    project.git("checkout", "--quiet", "-b", "topic")
    project.commit("topic")
    project.record({"sort": [0.1, 0.11]})
    notes = open_notes(project)
    stranger = make_run(commit="a" * 40)
    notes.record({stranger.commit: [stranger]})
    expected = project.gitbench("compare", "main")
    with closing(open_index(notes)):
        pass
    blob = project.git("rev-parse", f"{REF}:aa/{'a' * 38}")
    (project.path / ".git/objects" / blob[:2] / blob[2:]).unlink()

    assert expected == project.gitbench("compare", "main")
    discard(notes)
    assert "not in this clone" in project.gitbench("compare", "main", code=4).err


# ------------------------------------------------------------ whatever happens to it


@pytest.fixture
def indexed(varied: Project) -> Project:
    """The varied repository with an index."""
    with closing(open_index(open_notes(varied))):
        pass
    return varied


def spoil_text(path: Path) -> None:
    path.write_text("not a database at all\n" * 100)


def spoil_empty(path: Path) -> None:
    path.write_bytes(b"")


def spoil_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def spoil_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def spoil_application(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 7")


def spoil_schema(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE point")
        connection.execute("CREATE VIEW point AS SELECT 1 AS series")


def spoil_rows(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE point SET center = center * 2")
        connection.commit()


def spoil_lost_notes(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM note")
        connection.commit()


def spoil_key(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "UPDATE note SET object = zeroblob(20) "
            "WHERE object = (SELECT max(object) FROM note)"
        )
        connection.commit()


def spoil_lost_points(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM point WHERE run > 2")
        connection.commit()


def spoil_state(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE state SET data = x'00'")
        connection.commit()


def spoil_types(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE run SET data = 'text'")
        connection.commit()


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_text, spoil_empty, spoil_folder, spoil_version, spoil_application,
        spoil_schema, spoil_rows, spoil_lost_notes, spoil_key, spoil_lost_points,
        spoil_state, spoil_types,
    ],
)  # fmt: skip
def test_a_spoilt_index_changes_no_answer(indexed: Project, spoil: object) -> None:
    """Damaged, foreign or of another version: passed over, and made anew when it is
    asked for."""
    notes = open_notes(indexed)
    expected = outputs(indexed, "--no-index")
    spoil(path_of(notes))
    assert expected == outputs(indexed)
    assert expected == outputs(indexed, "--index")
    assert expected == outputs(indexed, "--index")
    if path_of(notes).is_file():
        for question in QUESTIONS:
            assert from_notes(notes, question) == from_index(notes, question)


@settings(
    derandomize=True,
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_byte_of_the_file_changes_an_answer(
    indexed: Project, data: st.DataObject
) -> None:
    """Flipped bytes, a cut and a journal of anything: always the right answer, never
    another exception."""
    notes = open_notes(indexed)
    path = path_of(notes)
    pristine = path.with_suffix(".kept")
    if not pristine.exists():
        shutil.copy(path, pristine)
        indexed.expected = [from_notes(notes, one) for one in QUESTIONS]  # type: ignore[attr-defined]
    content = bytearray(pristine.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
    if data.draw(st.integers(0, 4)) == 0:
        del content[data.draw(st.integers(0, len(content))) :]
    path.write_bytes(content)
    journal = path.with_name(f"{path.name}-journal")
    journal.unlink(missing_ok=True)
    if data.draw(st.integers(0, 4)) == 0:
        journal.write_bytes(
            bytes.fromhex("d9d505f920a163d7") + data.draw(st.binary(max_size=600))
        )
    for question, expected in zip(QUESTIONS, indexed.expected, strict=True):  # type: ignore[attr-defined]
        try:
            assert expected == from_index(notes, question)
        except IndexBroken:
            discard(notes)
            assert expected == from_index(notes, question)


def test_a_busy_index_is_passed_over(indexed: Project) -> None:
    """While another process updates or locks the file, the notes answer, soon."""
    notes = open_notes(indexed)
    indexed.commit("one more")
    indexed.record({"sort": 1})
    expected = outputs(indexed, "--no-index")
    kept = path_of(notes).read_bytes()
    lock = path_of(notes).with_name("index.sqlite.lock")
    with held(lock, 1) as mine:
        assert mine
        assert expected == outputs(indexed, "--index")
    with closing(sqlite3.connect(path_of(notes))) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert expected == outputs(indexed, "--index")
    assert kept == path_of(notes).read_bytes()
    assert expected == outputs(indexed, "--index")
    assert kept != path_of(notes).read_bytes()


def test_an_index_that_cannot_be_written_is_passed_over(project: Project) -> None:
    """Where the folder cannot be made, `--index` answers from the notes."""
    project.record({"sort": 1})
    expected = outputs(project, "--no-index")
    folder = project.path / ".git" / "gitbench"
    shutil.rmtree(folder)
    folder.write_text("in the way")
    assert expected == outputs(project, "--index")


def test_a_note_that_cannot_be_read_is_asked_for_each_time(project: Project) -> None:
    """A missing blob is the notes' error with and without the index; once it is
    there, so is the answer."""
    project.record({"sort": 1})
    project.commit("second")
    project.record({"sort": 2})
    blob = project.git("rev-parse", f"{REF}:{project.head()[:2]}/{project.head()[2:]}")
    loose = project.path / ".git/objects" / blob[:2] / blob[2:]
    kept = loose.read_bytes()
    loose.unlink()
    failed = [project.gitbench("log", x, code=4) for x in ("--index", "--no-index")]
    assert failed[0] == failed[1]
    assert "fetch it" in failed[0].err
    loose.write_bytes(kept)
    assert project.gitbench("log", "--no-index") == project.gitbench("log", "--index")


WRITER = """
import os, sys
from contextlib import closing
from pathlib import Path
from gitbench.store.index import IndexUnusable, open_index
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository
from tests.factories import make_run

notes = Notes(Repository.open(Path(sys.argv[1]), os.environ))
commits = list(notes.repository.first_parents(notes.repository.resolve("HEAD")))
for number in range(40):
    one = commits[number % len(commits)]
    run = make_run(commit=one.id, tree=one.tree, origin=f"{number:064x}",
                   started_at=10**12 + number)
    notes.record({one.id: [run]})
    try:
        open_index(notes).close()
    except IndexUnusable:
        continue
"""

READER = """
import os, subprocess, sys
from contextlib import closing
from pathlib import Path
from gitbench.store.facts import NotesHistory, Question
from gitbench.store.index import IndexUnusable, open_index
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository

path, name = sys.argv[1:]
repository = Repository.open(Path(path), os.environ)
notes, pinned = Notes(repository), Notes(repository, name)
commits = list(repository.first_parents(repository.resolve("HEAD")))
answered = 0
while answered < 25:
    try:
        index = open_index(notes)
    except IndexUnusable:
        continue
    with closing(index):
        try:
            found = list(index.history(Question("sort")).answers(
                [c for c in commits if c.id in index.history(Question()).annotated()]
            ))
        except IndexUnusable:
            continue
        tip = index.state.tip
        subprocess.run(["git", "update-ref", pinned.ref, tip], cwd=path, check=True)
        expected = NotesHistory(pinned, Question("sort"))
        there = expected.annotated()
        assert found == list(expected.answers([c for c in commits if c.id in there]))
        answered += 1
"""


def test_readers_and_writers_at_once(project: Project) -> None:
    """While one process records and all update the index, every answer is that of
    the notes commit that the index says it describes."""
    for number in range(5):
        project.commit(f"c{number}")
    (run,) = runs_of(project, 1)
    open_notes(project).record({run.commit: [run]})
    scripts = [(WRITER,), *((READER, f"pin{number}") for number in range(3))]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(project.path), *rest],
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )
        for script, *rest in scripts
    ]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert 0 == process.returncode, err
    notes = open_notes(project)
    for question in QUESTIONS:
        assert from_notes(notes, question) == from_index(notes, question)

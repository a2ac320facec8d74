"""`gitbench archive`: raw values leave git, and come back when they are asked for."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.model import Archived, ModelError, RecordedRun
from gitbench.recording import without_values
from gitbench.store import archive, codec
from gitbench.store.codec import Note, Restoration, Retraction
from gitbench.store.standing import settle, standing
from tests.factories import make_measurement, make_run
from tests.keys import SshKey
from tests.project import Project
from tests.strategies import runs as any_runs

pytest.importorskip("fsspec", reason="fsspec is not installed")

VALUES = [[0.1 + n / 1000 for n in range(50)], [0.101 + n / 1000 for n in range(50)]]
ONE = [0.2 + n / 997 for n in range(60)]


@pytest.fixture
def old(project: Project) -> Project:
    """Three commits with runs of January 2026, which is long ago."""
    for number in range(3):
        if number:
            project.commit(f"commit {number}")
        shifted = [[value * (1 + number / 50) for value in some] for some in VALUES]
        project.record({"sort": shifted, "load": ONE, "once": 3})
    return project


def exported(project: Project) -> list[dict[str, Any]]:
    """All runs as they are exported, by the time of their start."""
    out = project.gitbench("export").out
    return sorted(map(json.loads, out.splitlines()), key=lambda run: run["started_at"])


def raw(project: Project, revision: str = "HEAD") -> str:
    """The note of a commit as git shows it."""
    return project.git("notes", "--ref=gitbench", "show", revision)


def comparison(project: Project) -> dict[str, Any]:
    """The report of HEAD against the commit before it, but for smallest and greatest
    values: of a single process compare knows none without its values."""
    found = project.gitbench("compare", "HEAD~1", "--json", code=None).json
    for row in found["comparisons"]:
        for side in ("base", "head"):
            del row[side]["low"], row[side]["high"]
    return dict(found)


def close(one: Any, other: Any) -> bool:
    """Whether two reports are the same up to rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-300)
    return bool(one == other)


def test_values_go_and_come_back(old: Project, tmp_path: Path) -> None:
    """The notes shrink, what is exported and shown is the same to the bit, and so are
    the ids of the runs."""
    before = exported(old)
    shown = old.gitbench("show", "--json").out
    size = len(raw(old))
    result = old.gitbench("archive", "--to", str(tmp_path / "store"))
    assert "Archived 3 runs" in result.out
    assert len(raw(old)) < size
    assert exported(old) == before
    assert old.gitbench("show", "--json").out == shown
    ids = {run["id"] for run in before}
    stored = [one for one in (tmp_path / "store").rglob("*") if one.is_file()]
    assert {one.name[:16] for one in stored} == ids
    assert f"archived, as run {before[-1]['id']}" in old.gitbench("show").out
    assert "retracted" not in old.gitbench("show").out
    again = old.gitbench("archive")
    assert "no run to archive" in again.out


def test_what_is_judged_and_drawn_stays_the_same(old: Project, tmp_path: Path) -> None:
    """compare, log and history answer from the summaries as they did from the values,
    with and without the index, and with the archive gone."""
    log = ("log", "--benchmark", "sort", "--json")
    before, drawn = comparison(old), old.gitbench(*log).json
    history = old.gitbench("history", "load", "--json").json
    old.gitbench("archive", "--to", str(tmp_path / "store"))
    shutil.rmtree(tmp_path / "store")

    after = comparison(old)
    assert after["counts"] == before["counts"]
    for one, other in zip(before["comparisons"], after["comparisons"], strict=True):
        assert one.keys() == other.keys()
        for key in one:
            assert close(one[key], other[key]), key
    for index in ("--index", "--no-index"):
        for one, other in zip(
            drawn[0]["points"], old.gitbench(*log, index).json[0]["points"], strict=True
        ):
            assert other["center"] == pytest.approx(one["center"], rel=1e-12)
            assert (other["commit"], other["values"]) == (one["commit"], one["values"])
    assert len(old.gitbench("history", "load", "--json").json) == len(history)


def test_a_lost_archive_loses_raw_values_alone(old: Project, tmp_path: Path) -> None:
    """What cannot be read back is said, run by run, and its summary stands for it."""
    store = tmp_path / "store"
    before = exported(old)
    old.gitbench("archive", "--to", str(store))
    first, second, third = (next(store.rglob(f"{run['id']}*")) for run in before)
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    third.write_bytes(bytes([third.read_bytes()[0] ^ 1]) + third.read_bytes()[1:])

    result = old.gitbench("export")
    assert result.err.count("cannot be read back") == 3
    assert "lacks it" in result.err
    assert result.err.count("something else in its place") == 2
    for run in map(json.loads, result.out.splitlines()):
        assert "id" not in run
        rows = {one["benchmark"]: one for one in run["measurements"]}
        assert rows["load"]["summary"]["n"] == 60
        assert len(rows["sort"]["values"]) == 2
        assert rows["once"]["values"] == [3.0]
    old.git("config", "--unset", "gitbench.archive")
    assert "git config gitbench.archive URL" in old.gitbench("show", "--json").err


def test_an_archive_that_takes_nothing_costs_nothing(
    old: Project, tmp_path: Path
) -> None:
    """If a store cannot be written, the notes keep all."""
    before, note = exported(old), raw(old)
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    result = old.gitbench("archive", "--to", str(blocked), code=4)
    assert "cannot be used" in result.err
    assert "cannot be used" in old.gitbench("archive", "--to", "nope://x", code=4).err
    assert raw(old) == note
    assert exported(old) == before


def test_a_crash_between_upload_and_note_is_mended_by_the_next(
    old: Project, tmp_path: Path
) -> None:
    """What was uploaded is found there; a torn object is written anew."""
    store = tmp_path / "store"
    before = exported(old)
    copy = tmp_path / "copy"
    shutil.copytree(old.path, copy)
    Project(copy).gitbench("archive", "--to", str(store))
    torn = next(store.rglob(f"{before[0]['id']}*"))
    torn.write_bytes(torn.read_bytes()[:100])

    done = old.gitbench("archive", "--to", str(store), "--json").json
    assert (len(done["runs"]), done["written"]) == (3, 1)
    assert exported(old) == before


def test_an_old_clone_brings_no_values_back(old: Project, tmp_path: Path) -> None:
    """A clone that holds the whole runs unites with one that archived them, and both
    read the same; each is told of the archive by its own setting."""
    bare = tmp_path / "server.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(bare)], check=True)
    old.git("remote", "add", "origin", str(bare))
    old.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    old.gitbench("push")
    clone = Project.clone(bare, tmp_path / "clone", "--branch=main")
    clone.gitbench("fetch")
    before = exported(clone)
    clone.record({"new": 1}, started_at="2026-02-01T00:00:00Z")
    old.gitbench("archive", "--to", str(tmp_path / "store"))
    old.gitbench("push")
    clone.gitbench("push")
    old.gitbench("fetch")
    assert raw(clone) == raw(old)
    for run in before:
        assert f" {run['id']} run " not in raw(clone)
    assert "git config gitbench.archive" in clone.gitbench("export").err
    clone.git("config", "gitbench.archive", str(tmp_path / "store"))
    assert exported(clone)[:3] == before
    assert exported(old) == exported(clone)


def test_an_archived_result_is_known(old: Project, tmp_path: Path) -> None:
    """Recording it again adds no evidence, and does not bring the values back."""
    out = tmp_path / "runs.jsonl"
    old.gitbench("export", "--output", str(out))
    old.gitbench("archive", "--to", str(tmp_path / "store"))
    note = raw(old)
    assert "Already" in old.gitbench("record", str(out)).out
    assert raw(old) == note


def test_withdrawing_knows_archived_runs(old: Project, tmp_path: Path) -> None:
    """rm takes the id of the whole run or of what stands for it, and gives it back."""
    id_ = exported(old)[-1]["id"]
    old.gitbench("archive", "--to", str(tmp_path / "store"))
    old.gitbench("rm", id_)
    assert len(exported(old)) == 2
    (short,) = old.gitbench("rm", "--restore", id_, "--json").json["runs"]
    assert short != id_
    assert len(exported(old)) == 3
    old.gitbench("rm", "--erase", short, "--yes")
    assert len(exported(old)) == 2


def test_runs_are_chosen_by_age_commit_and_suite(old: Project, tmp_path: Path) -> None:
    """--older-than, --before and --suite choose; a dry run changes nothing."""
    store = str(tmp_path / "store")

    def chosen(*options: str) -> int:
        command = ("archive", "--to", store, "--dry-run", "--json", *options)
        return len(old.gitbench(*command).json["runs"])

    assert chosen() == 3
    assert chosen("--older-than", "100y") == 0
    assert chosen("--before", "HEAD") == 2
    assert chosen("--before", "HEAD~2") == 0
    assert chosen("--suite", "u*") == 3
    assert chosen("--suite", "x") == 0
    assert not (tmp_path / "store").exists()
    assert old.git("config", "gitbench.archive", check=False) == ""
    old.git("config", "gitbench.archive", "/elsewhere")
    other = old.gitbench("archive", "--to", store, code=4)
    assert "reads values back from '/elsewhere'" in other.err
    old.git("config", "--unset", "gitbench.archive")
    both = ("archive", "--older-than", "1d", "--before", "HEAD")
    assert "not by both" in old.gitbench(*both, code=2).err
    assert "--to URL" in old.gitbench("archive", code=2).err


def test_signed_runs_stay_whole(project: Project, tmp_path: Path) -> None:
    """A signature is over the values, so that their run is left alone."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    SshKey.make(tmp_path, "ada").use(project)
    project.record({"sort": VALUES}, "--sign")
    result = project.gitbench("archive", "--to", str(tmp_path / "store"))
    assert "1 signed run stayed whole" in result.out
    assert not (tmp_path / "store").exists()


def test_a_note_cannot_pass_off_another_run(old: Project, tmp_path: Path) -> None:
    """An object that is no run, or another run than the note's, is refused although its
    size and digest are what the note says; a path is never taken from a note."""
    store = archive.Store(str(tmp_path / "store"))
    run, other = make_run([make_measurement("sort", VALUES)]), make_run(suite="else")
    whole = archive.shorten(run, [without_values(one) for one in run.measurements])
    assert whole is not None
    store.put(whole)
    lie = replace(other, archived=whole.short.archived)
    (kept,), (warning,) = archive.read_back(
        [RecordedRun("0" * 16, lie)], str(tmp_path / "store")
    )
    assert kept.run == lie
    assert "another run" in warning
    with pytest.raises(ModelError):
        Archived("../../etc/passwd", 1)


# ------------------------------------------------------------------------- laws


@settings(derandomize=True, max_examples=60, deadline=None)
@given(any_runs)
def test_what_stands_for_a_run_has_its_numbers(run: Any) -> None:
    """A shortened run is a record like any other, and has all that lists need."""
    from gitbench.store.facts import facts_of, point_of

    short = [without_values(one) for one in run.measurements]
    whole = archive.shorten(run, short)
    if whole is not None:
        back = codec.decode(codec.encode(whole.short))
        assert back == whole.short
        assert codec.run_of_content(whole.content) == run
        assert facts_of(whole.short) == facts_of(run)
    for one, other in zip(run.measurements, short, strict=True):
        points = point_of(one), point_of(other)
        assert points[0].series == points[1].series
        assert points[0].n == points[1].n
        for name in ("center", "low", "high"):
            found = [getattr(point, name) for point in points]
            assert close(*found)


_RUN = codec.encode(make_run())
_SHORT = codec.encode(make_run(archived=Archived("ab" * 32, 7)))
_times = st.integers(1, 4)
_words = st.one_of(
    st.builds(Retraction, st.just((_RUN.id,)), st.just("a"), _times, st.booleans()),
    st.builds(Retraction, st.just((_SHORT.id,)), st.just("b"), _times, st.booleans()),
    st.builds(Restoration, st.just((_RUN.id,)), st.just("c"), _times),
    st.builds(Restoration, st.just((_SHORT.id,)), st.just("d"), _times),
    st.builds(
        Retraction,
        st.just((_RUN.id,)),
        st.just("archived"),
        _times,
        st.just(True),
        st.just((_SHORT.id,)),
    ),
)


def _note(records: list[Retraction | Restoration]) -> Note:
    """A note as writers leave it: who restores a run, or archives it, writes it too."""
    lines = {line.id: line for line in map(codec.encode, records)}
    for one in records:
        if isinstance(one, Retraction) and one.kept_as:
            lines[_SHORT.id] = _SHORT
        if isinstance(one, Restoration):
            line = _RUN if one.runs == (_RUN.id,) else _SHORT
            lines[line.id] = line
    if not records:
        lines[_RUN.id] = _RUN
    return settle(Note(lines))


_notes = st.lists(_words, max_size=4).map(_note)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(_notes, _notes, _notes)
def test_union_with_archives_does_not_depend_on_the_order(
    x: Note, y: Note, z: Note
) -> None:
    """What is hidden, erased and there is the same whichever way clones meet, and a
    run that is not erased by anybody is there, whole or short."""

    def unite(*notes: Note) -> Note:
        return settle(codec.union(notes))

    assert unite(x, y) == unite(y, x)
    assert unite(unite(x, y), z) == unite(x, unite(y, z)) == unite(x, y, z)
    assert unite(x, x) == x
    assert standing(unite(x, y)) == standing(codec.union([x, y]))
    united = unite(x, y, z)
    state = standing(united)
    if _RUN.id in state.moved and _SHORT.id not in state.erased:
        assert _SHORT.id in united.lines
        assert _RUN.id not in united.lines


def test_withdrawn_here_and_archived_there_is_withdrawn() -> None:
    """A retraction of the whole run hides what stands for it, before it or after."""
    archived = Retraction((_RUN.id,), "archived", 5, True, (_SHORT.id,))
    for moment in (4, 6):
        records = [archived, Retraction((_RUN.id,), "wrong", moment)]
        lines = {line.id: line for line in map(codec.encode, records)}
        state = standing(Note({**lines, _SHORT.id: _SHORT}))
        assert {_RUN.id, _SHORT.id} == state.hidden.keys()
        assert _SHORT.id not in state.erased
        assert state.moved == {}


# --------------------------------------------------------------------------- S3


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """A server process that speaks S3 on loopback; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "s3.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    try:
        _wait_for(port, process, folder)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port)),
        ):
            return
        time.sleep(0.1)
    raise AssertionError((folder / "s3.log").read_text())


@pytest.mark.slow
def test_values_go_to_s3_and_come_back(old: Project, tmp_path: Path) -> None:
    """Against a server process; without it the summaries stand for the values."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    pytest.importorskip("moto.server", reason="moto's server is not installed")
    before = exported(old)
    with s3_server(tmp_path) as address:
        environ = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": "k",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": address,
        }

        def gitbench(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-m", "gitbench", *arguments],
                cwd=old.path,
                env=environ,
                capture_output=True,
                text=True,
                check=False,
            )

        make = "import s3fs; s3fs.S3FileSystem().mkdir('results')"
        subprocess.run([sys.executable, "-c", make], env=environ, check=True)
        done = gitbench("archive", "--to", "s3://results/team/a")
        assert done.returncode == 0, done.stderr
        assert "Archived 3 runs" in done.stdout
        rows = map(json.loads, gitbench("export").stdout.splitlines())
        assert sorted(rows, key=lambda run: run["started_at"]) == before
    lost = gitbench("export", "HEAD")
    assert lost.returncode == 0
    assert "cannot be read back" in lost.stderr
    assert '"summary"' in lost.stdout

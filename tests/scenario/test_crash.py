"""gitbench is killed while it records and pushes: nothing reported is ever lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.crash import (
    Scene,
    Tally,
    at_random,
    can_trace,
    kill_at_every_call,
    kill_git_at_every_call,
    nursery,
)
from tests.project import Project

REF = "refs/notes/gitbench"
TRACKING = ".git/refs/gitbench/remotes/origin/gitbench.lock"
MOVES = "mkdir,rename,renameat,renameat2,link,linkat,unlink,unlinkat"


@pytest.fixture(scope="session")
def tracing() -> None:
    """Skips where strace cannot be used."""
    reason = can_trace()
    if reason is not None:
        pytest.skip(reason)


def test_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    """After each of 20 kills during records and pushes git finds nothing wrong, all
    that was reported is there, and the next record and push work."""
    rng, tally = random.Random(3), Tally()
    scene = Scene.make(tmp_path)
    with nursery() as process:
        for number in range(20):
            push = number % 2 == 0
            kill = at_random(rng, 0.2)
            scene.let_work(process, tally, kill, seed=number, push=push)
            scene.inspect(tally, push=number % 4 == 0)

    assert 20 == tally.kills
    assert tally.recorded > 0


@pytest.mark.usefixtures("tracing")
def test_a_kill_before_every_move_of_a_record_loses_nothing(tmp_path: Path) -> None:
    """A record is killed before each of its system calls that make, move or remove a
    file, one after the other, the moves of the refs among them."""
    tally = kill_at_every_call(tmp_path, False, MOVES)

    assert tally.kills > 6, tally
    assert tally.locks > 0, "no kill fell between the lock of a ref and its move"


@pytest.mark.usefixtures("tracing")
def test_a_kill_before_every_few_calls_of_a_push_loses_nothing(tmp_path: Path) -> None:
    """The same of a record with a push, for some of the calls."""
    tally = kill_at_every_call(tmp_path, True, MOVES, step=2)

    assert tally.kills > 3, tally


@pytest.mark.usefixtures("tracing")
def test_a_push_whose_git_is_killed_is_told_and_repeated(tmp_path: Path) -> None:
    """When the git that fetches and pushes is killed before a file appears or a ref
    moves, that is a stated error, and the next push works."""
    tally = kill_git_at_every_call(tmp_path, step=7)

    assert tally.refused, tally
    assert all("Traceback" not in said for said in tally.refused)
    assert 1 == tally.pushes


def test_a_lock_that_a_killed_fetch_left_needs_no_human(
    origin: Path, tmp_path: Path
) -> None:
    """Git leaves the lock of the ref that follows a remote to a human; a fetch or push
    of ours removes an old one, and says so."""
    clone, other = (Project.clone(origin, tmp_path / name) for name in ("a", "b"))
    other.record({"sort": 0.1})
    other.gitbench("push")
    lock = clone.path / TRACKING
    lock.parent.mkdir(parents=True)
    lock.touch()
    os.utime(lock, (time.time() - 60,) * 2)

    result = clone.gitbench("fetch")

    assert "Removed the lock" in result.err
    assert "1 commit" in result.out
    lock.touch()
    os.utime(lock, (time.time() - 60,) * 2)
    clone.record({"sort": 0.3})
    clone.gitbench("push")
    assert not lock.exists()


# ------------------------------------------------------------- durability

SYNCS = "fsync,fdatasync"

RECORD = """
import os, sys
from pathlib import Path
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository
from tests.factories import make_run
path, commit, tree = sys.argv[1:]
notes = Notes(Repository.open(Path(path), os.environ))
assert notes.record({commit: [make_run(commit=commit, tree=tree)]}).added
"""


def synced(project: Project, command: list[str]) -> list[str]:
    """What a command makes durable, as `loose` objects and `ref`s."""
    log = project.path.parent / "syncs"
    subprocess.run(
        ["strace", "-f", "-y", "-o", str(log), "-e", f"trace={SYNCS}", *command],
        cwd=project.path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
        capture_output=True,
    )
    paths = [x.partition("<")[2] for x in log.read_text().splitlines() if "sync(" in x]
    found = {
        "loose" if "/objects/" in path else "ref"
        for path in paths
        if "/objects/" in path or "/refs/" in path
    }
    return sorted(found)


@pytest.mark.usefixtures("tracing")
@pytest.mark.parametrize(
    "setting",
    [
        None,
        "",
        "all",
        "committed",
        "loose-object",
        "reference",
        "pack",
        "-loose-object",
        "committed,-loose-object",
        "loose-object,none",
        "nonsense,loose-object",
        "Loose-Object",
    ],
)
def test_records_are_as_durable_as_git_commits(
    project: Project, setting: str | None
) -> None:
    """Wherever `core.fsync` makes git sync a commit or its ref, a record syncs both;
    where git syncs neither, a record does not either."""
    if setting is not None:
        project.git("config", "core.fsync", setting)
    commit = ["git", "commit", "-q", "--allow-empty", "-m", "x"]
    expected = synced(project, commit)
    where = [str(project.path), project.head(), project.head("HEAD^{tree}")]

    found = synced(project, [sys.executable, "-c", RECORD, *where])

    assert found == (["loose", "ref"] if expected else []), expected


@pytest.mark.usefixtures("tracing")
@pytest.mark.parametrize("value", ["true", "false"])
def test_the_older_setting_counts_too(project: Project, value: str) -> None:
    """core.fsyncObjectFiles, which came before core.fsync, is honoured."""
    project.git("config", "core.fsyncObjectFiles", value)
    where = [str(project.path), project.head(), project.head("HEAD^{tree}")]

    found = synced(project, [sys.executable, "-c", RECORD, *where])

    assert found == (["loose", "ref"] if value == "true" else [])


def test_a_record_that_is_interrupted_is_told(project: Project) -> None:
    """SIGINT ends a record with exit 130, and leaves nothing behind."""
    lock = project.path / ".git" / f"{REF}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    path = project.path / "run.json"
    path.write_text(json.dumps(project.results({"sort": 0.1})))
    with subprocess.Popen(
        [sys.executable, "-m", "gitbench", "record", str(path)],
        cwd=project.path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        flock = project.path / ".git" / "gitbench" / "lock"
        deadline = time.monotonic() + 20
        while not flock.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=20)[1]

    assert (130, "Interrupted.\n") == (process.returncode, said)
    lock.unlink()
    project.gitbench("record", str(path))

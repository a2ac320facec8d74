"""The demo: real commits, real measuring, and nothing outside its folder touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitbench import demo, formats
from gitbench.demo import BRANCH, ROUNDS, SLOWED, Demo
from tests.project import Project


def start(*arguments: str, **environ: str) -> subprocess.Popen[str]:
    """`gitbench demo` in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "gitbench", "demo", *arguments],
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def made(tmp_path: Path) -> Demo:
    """The demo's project, not measured yet."""
    return demo.make_project(tmp_path, os.environ)


def definitions(made: Demo, revision: str) -> dict[str, Any]:
    """What inventory.py defines at a revision."""
    found: dict[str, Any] = {}
    exec(made.git("show", f"{revision}:inventory.py"), found)
    return found


def hostile(project: Project, home: Path) -> dict[str, str]:
    """The environment of a hook in a CI job of somebody whose git signs and hooks."""
    hooks = home / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "post-checkout", "pre-push", "reference-transaction"):
        (hooks / name).write_text("#!/bin/sh\nexit 1\n")
        (hooks / name).chmod(0o755)
    (home / ".gitconfig").write_text(
        "[commit]\n\tgpgsign = true\n[gpg]\n\tprogram = false\n"
        f"[core]\n\thooksPath = {hooks}\n\tautocrlf = true\n"
        f"[init]\n\ttemplateDir = {home}/none\n\tdefaultBranch = trunk\n"
        "[protocol]\n\tallow = never\n"
    )
    return {
        "GIT_DIR": str(project.path / ".git"),
        "GITHUB_ACTIONS": "true",
        "GITHUB_BASE_REF": "trunk",
        "GITHUB_REF": "refs/pull/1/merge",
        "GITHUB_SHA": project.head(),
        "PYTHONSTARTUP": str(home / "none"),
    }


@pytest.mark.slow
def test_the_demo_works_and_touches_nothing_else(
    project: Project, tmp_path: Path, hermetic_seal: Path
) -> None:
    """In the most hostile surroundings it finds the slow function, and says where."""
    before = project.git("for-each-ref"), project.git("status", "--porcelain")
    environ = hostile(project, hermetic_seal)
    folder = tmp_path / "a demo's folder"

    done = start("--dir", str(folder), **environ)
    out, err = done.communicate()

    assert done.returncode == 0, out + err
    report = json.loads((folder / "report.json").read_text())
    found = {row["benchmark"]: row for row in report["comparisons"]}
    assert (report["verdict"], report["exit_code"]) == ("regressed", 1)
    assert found[SLOWED]["verdict"] == "regressed"
    assert 0.3 < found[SLOWED]["change"] < 5
    assert len(report["groups"][0]["baseline"]["window"]) == 5
    assert report["groups"][0]["baseline"]["rule"] == "merge-base"
    assert (folder / "report.html").as_uri() in out
    for line in (
        "$ gitbench record ",
        "$ gitbench compare origin/main",
        "$ gitbench push",
    ):
        assert line in out
    assert "Pushed the results to origin" in out
    assert "\x1b" not in out + err
    assert "\r" not in out + err
    assert "Measuring: 36 of 36 processes" in err
    ours, theirs = Project(folder / "project"), Project(folder / "origin.git")
    name = "refs/notes/gitbench"
    assert ours.head(name) == theirs.head(name)
    assert len(ours.git("notes", "--ref=gitbench", "list").splitlines()) == 6
    assert ours.git("worktree", "list").count("\n") == 0
    assert ours.git("status", "--porcelain") == ""
    assert before == (project.git("for-each-ref"), project.git("status", "--porcelain"))


def test_the_history_holds_what_the_demo_says(made: Demo) -> None:
    """Five commits on main at the origin, and one more on the branch."""
    subjects = made.git("log", "--format=%s", BRANCH).splitlines()

    assert len(subjects) == 6
    assert made.git("rev-parse", "origin/main") == made.git("rev-parse", f"{BRANCH}^")
    assert made.git("diff", "--name-only", "main", BRANCH) == "inventory.py"


def test_no_commit_changes_what_a_function_gives(made: Demo) -> None:
    """The slow function gives what the fast one gave; all others are left alone."""
    fast, slow = definitions(made, "main~4"), definitions(made, BRANCH)
    products = [{"tags": [f"{i * j % 7}" for j in range(5)]} for i in range(50)]

    assert fast[SLOWED](products) == slow[SLOWED](products) == list("0123465")
    for name in ("parse_orders", "sort_orders", "total_by_customer", "slug", "wrap"):
        assert fast[name].__code__.co_code == slow[name].__code__.co_code
    assert fast["count_words"]("a B. b") == slow["count_words"]("a B. b")
    assert fast["checksum"](b"abcde") == slow["checksum"](b"abcde") == 0xC8F0


def test_its_results_are_what_its_benchmarks_wrote(made: Demo) -> None:
    """bench.py writes one run of the commit that is checked out, and adds to it."""
    results = made.results / "some.json"
    for _ in range(2):
        demo.run_quietly(
            [sys.executable, "bench.py", "--processes=1", "--append", str(results)],
            made.environ,
            made.project,
        )

    (reading,) = formats.read(results.read_bytes(), tool=None, name="some.json")

    assert reading.commit == made.git("rev-parse", "HEAD")
    assert reading.dirty is False
    assert len(reading.measurements) == 8
    for one in reading.measurements:
        assert [2, 2] == [len(process) for process in one.processes]
        assert all(1e-6 < value < 1 for process in one.processes for value in process)


def test_every_round_measures_every_commit_once(
    made: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounds are whole, begin at different commits, and are told as they go."""
    monkeypatch.setattr(demo, "BUDGET_S", 0.0)
    monkeypatch.setattr(demo, "FEWEST_ROUNDS", 1)
    told: list[tuple[int, int]] = []

    commits = demo.measure(made, lambda *step: told.append(step))

    assert [one.processes for one in commits] == [1] * 6
    assert told == [*((n, ROUNDS * 6) for n in range(7)), (ROUNDS * 6, ROUNDS * 6)]
    assert all(one.results.exists() for one in commits)
    assert not (made.folder / "measuring").exists()
    orders = [demo.turn(6, number) for number in range(ROUNDS)]
    assert all(sorted(order) == list(range(6)) for order in orders)
    assert len({order[0] for order in orders}) == 6


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    """A folder that holds something is left as it is."""
    (tmp_path / "mine.txt").write_text("mine")

    done = start("--dir", str(tmp_path))
    out, err = done.communicate()

    assert (done.returncode, out) == (2, "")
    assert "is not empty" in err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["mine.txt", "mine.txt/demo"])
def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, name: str) -> None:
    """A path below a file ends in one sentence."""
    (tmp_path / "mine.txt").write_text("mine")
    result = Project(tmp_path).gitbench(
        "demo", "--dir", str(tmp_path / name), code=None
    )

    assert result.code in (2, 4)
    assert len(result.err.strip().splitlines()) <= 4
    assert "Traceback" not in result.err


def test_without_git_it_says_so(tmp_path: Path) -> None:
    """A machine without git gets one sentence."""
    done = start("--dir", str(tmp_path / "demo"), PATH=str(tmp_path))
    out, err = done.communicate()

    assert (done.returncode, out) == (4, "")
    assert "git is not on the PATH" in err
    assert "Traceback" not in err


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(("whole_group", "chosen"), [(True, False), (False, True)])
def test_interrupted_it_leaves_nothing(
    tmp_path: Path, whole_group: bool, chosen: bool
) -> None:
    """Ctrl-C in the middle of measuring ends it, and takes away what it made."""
    folder = tmp_path / "gitbench-demo-here"
    options = ["--dir", str(folder)] if chosen else []
    running = start(*options, TMPDIR=str(tmp_path))
    wait_for(lambda: list(tmp_path.glob("gitbench-demo-*/results/*.json")))

    if whole_group:
        os.killpg(running.pid, signal.SIGINT)
    else:
        running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)

    assert running.returncode == 130, out + err
    assert err.endswith("Interrupted.\n")
    assert "Traceback" not in err
    assert list(tmp_path.rglob("*")) == ([folder] if chosen else [])


def test_on_a_terminal_there_is_a_bar(tmp_path: Path) -> None:
    """A terminal sees one line that fills up."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "gitbench", "demo"],
        env={**os.environ, "TMPDIR": str(tmp_path), "TERM": "xterm"},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    while b" 2/36" not in seen:
        seen += os.read(ours, 1000)
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    os.close(ours)

    assert b"\rMeasuring [" in seen
    assert b"\n" not in seen

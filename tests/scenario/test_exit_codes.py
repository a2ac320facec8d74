"""Every exit code that the documentation names, brought about as users do."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from gitbench import cli
from tests.project import Project

F = TypeVar("F", bound=Callable[..., None])
ROOT = Path(__file__).parents[2]
COVERED: set[int] = set()
"""Codes that a test of this file brings about."""


def covers(code: int) -> Callable[[F], F]:
    """Mark a test as the scenario of an exit code."""
    COVERED.add(code)
    return lambda function: function


def sorted_in(project: Project, subject: str, seconds: float) -> str:
    """A commit at which the benchmark `sort` took about so long."""
    commit = project.commit(subject)
    values = [seconds * (1 + step / 1000) for step in range(5)]
    project.record({"sort": values})
    return commit


@covers(0)
def test_a_comparison_without_a_regression_is_0(project: Project) -> None:
    """The gate passes where head is as fast as its baseline."""
    for subject in ("second", "third", "fourth"):
        sorted_in(project, subject, 0.1)
    sorted_in(project, "head", 0.1)
    assert "no regression" in project.gitbench("compare", code=0).out


@covers(0)
def test_help_and_version_are_0(project: Project) -> None:
    """Asking for help is no error, of a command or of all."""
    for words in (["--help"], ["--version"], ["compare", "--help"], ["baseline", "-h"]):
        assert project.gitbench(*words, code=0).out


@covers(0)
def test_undecided_rows_are_0_unless_asked_for(project: Project) -> None:
    """A row that cannot be decided fails only a gate that was set to fail on it."""
    sorted_in(project, "base", 0.1)
    sorted_in(project, "head", 0.11)
    assert "undecided" in project.gitbench("compare", code=0).out
    project.gitbench("compare", "--fail-on", "inconclusive", code=1)


@covers(1)
def test_a_regression_is_1(project: Project) -> None:
    """The gate fails where head is slower, and passes if told to fail on nothing."""
    for subject in ("second", "third", "fourth"):
        sorted_in(project, subject, 0.1)
    sorted_in(project, "head", 0.3)
    assert "1 regressed" in project.gitbench("compare", code=1).out
    assert "1 regressed" in project.gitbench("compare", "--fail-on", "never").out


@covers(1)
def test_a_result_over_its_budget_is_1(project: Project) -> None:
    """An absolute budget needs no baseline to fail the gate."""
    (project.path / "gitbench.toml").write_text('[[rule]]\nmax = "50ms"\n')
    sorted_in(project, "head", 0.1)
    project.gitbench("compare", code=1)


@covers(2)
@pytest.mark.parametrize(
    "words",
    [
        ["frobnicate"],
        ["compare", "--frobnicate"],
        ["compare", "--format", "pdf"],
        ["compare", "--window", "0"],
        ["compare", "main", "HEAD", "HEAD~1"],
        ["record"],
        ["record", "--tag", "novalue", "results.json"],
        ["log", "--max-count", "0"],
        ["baseline", "save"],
    ],
)
def test_a_wrong_command_line_is_2(project: Project, words: list[str]) -> None:
    """A command line that cannot be understood says how it should be."""
    assert "gitbench" in project.gitbench(*words, code=2).err


@covers(3)
def test_a_head_without_results_is_3(project: Project) -> None:
    """Nothing recorded is nothing compared, and nothing to show."""
    assert "Nothing is recorded" in project.gitbench("compare", code=3).err
    assert "Nothing is recorded" in project.gitbench("show", code=3).err


@covers(3)
def test_no_baseline_is_3_unless_told_to_pass(project: Project) -> None:
    """Without a baseline nothing is compared; the gate can be told to let that pass."""
    sorted_in(project, "head", 0.1)
    project.gitbench("compare", code=3)
    project.gitbench("compare", "--on-no-baseline", "pass", code=0)


@covers(4)
def test_outside_a_repository_is_4(tmp_path: Path) -> None:
    """Without a repository there is nothing to record in."""
    folder = Project(tmp_path)
    assert folder.gitbench("log", code=4).err.startswith("gitbench: ")


@covers(4)
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("results.json", "{"),
        ("results.json", '{"schema": "gitbench/run/1", "measurements": []}'),
        ("results.txt", "all was well\n"),
        ("results.json", ""),
    ],
)
def test_a_bad_result_is_4_and_records_nothing(
    project: Project, name: str, content: str
) -> None:
    """A file that cannot be read is named, and the notes stay as they are."""
    (project.path / name).write_text(content)
    assert name in project.gitbench("record", name, code=4).err
    assert project.git("for-each-ref", "refs/notes") == ""


@covers(4)
@pytest.mark.parametrize(
    "words",
    [
        ["record", "missing.json"],
        ["show", "no-such-commit"],
        ["compare", "no-such-branch"],
        ["compare", "baseline:none"],
        ["baseline", "rm", "none"],
        ["fetch", "--remote", "nowhere"],
        ["diff", "missing.json", "missing.json"],
    ],
)
def test_what_is_not_there_is_4(project: Project, words: list[str]) -> None:
    """A file, commit, baseline or remote that is not there is told in one line."""
    said = project.gitbench(*words, code=4).err
    assert said.startswith("gitbench: ")
    assert said.count("\n") == 1


@covers(4)
def test_a_wrong_setting_is_4(project: Project) -> None:
    """An unknown key of the configuration stops the command, with the nearest one."""
    (project.path / "gitbench.toml").write_text('treshold = "5%"\n')
    assert "threshold" in project.gitbench("log", code=4).err


@covers(70)
def test_a_bug_is_70_with_a_traceback(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of gitbench is no verdict: it has a code and a traceback of its own."""

    def defect(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    sorted_in(project, "head", 0.1)
    # The one test that puts something false in the place of real code: there is no
    # known defect to bring about.
    monkeypatch.setattr("gitbench.store.notes.Notes.records", defect)
    said = project.gitbench("show", code=70).err
    assert "Traceback" in said
    assert "ZeroDivisionError: a defect" in said
    assert "bug in gitbench" in said


def started(project: Project, *words: str) -> subprocess.Popen[str]:
    """gitbench as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "gitbench", *words],
        cwd=project.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@covers(130)
def test_an_interrupt_is_130(project: Project) -> None:
    """Control-C while it waits for results ends it without a traceback."""
    pipe = project.path / "results.json"
    os.mkfifo(pipe)
    with started(project, "record", pipe.name) as process:
        writer = opened_for_writing(pipe)
        try:
            # A signal in the microseconds between its open and its read would be
            # noticed by Python only after the read.
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            os.close(writer)
            process.kill()
    assert (process.returncode, out, err.strip()) == (130, "", "Interrupted.")
    assert project.git("for-each-ref", "refs/notes") == ""


def opened_for_writing(pipe: Path) -> int:
    """Open a named pipe as soon as somebody reads from it."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as exc:
            # ENXIO says that nobody has opened it for reading yet.
            if exc.errno != errno.ENXIO or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@covers(141)
def test_a_reader_that_has_enough_is_141(project: Project) -> None:
    """Output into a pipe that nobody reads any more ends it silently."""
    sorted_in(project, "head", 0.1)
    with started(project, "show", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert (process.stderr.read(), process.wait(timeout=30)) == ("", 141)


def test_every_documented_code_is_covered() -> None:
    """The page on exit codes, and the help, name the codes tested here alone."""
    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text(encoding="utf-8")
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert listed == COVERED
    headings = {int(code) for code in re.findall(r"^## (\d+)\b", page, re.MULTILINE)}
    assert headings == COVERED
    named = {
        int(code) for code in re.findall(r"\b\d+\b", cli.EPILOG.split("codes:")[1])
    }
    assert named == COVERED - {141}

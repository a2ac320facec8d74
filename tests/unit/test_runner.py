"""Running one benchmark command: real processes, in a real folder."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from gitbench.runner import RunnerError, Setting, run_command


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    """A folder with a blank in its name, and a file for what commands print."""
    folder = tmp_path / "a project"
    folder.mkdir()
    handle = os.open(tmp_path / "printed", os.O_CREAT | os.O_RDWR)
    return Setting(folder, {**os.environ, "WHO": "me"}, handle)


def printed(setting: Setting) -> bytes:
    """What commands printed."""
    return os.pread(setting.output, 10_000, 0)


def test_a_shell_command_writes_where_it_is_told(setting: Setting) -> None:
    """The file is named once or twice, what is printed goes where output goes."""
    command = 'echo noise; echo "$WHO" > {results}; echo again >> {results}'
    assert run_command(command, setting) == b"me\nagain\n"
    assert printed(setting) == b"noise\n"


def test_without_a_place_the_output_is_the_result(setting: Setting) -> None:
    """As of `go test -bench`: standard output is caught, errors are passed on."""
    assert run_command("echo 1; echo oops >&2", setting) == b"1\n"
    assert printed(setting) == b"oops\n"


def test_a_list_of_words_meets_no_shell(setting: Setting) -> None:
    """Signs of the shell are plain text, and the place is part of a word."""
    words = ["sh", "-c", 'printf %s "$1" > "${2#--out=}"', "sh", "$(id) ; a b"]
    assert run_command([*words, "--out={results}"], setting) == b"$(id) ; a b"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("exit 3", "exit code 3"),
        ("kill -9 $$", "signal 9"),
        ("true > /dev/null", "left no results"),
        ("echo > {results}", "left no results"),
        ("echo 1", None),
        (["no-such-program"], "cannot be started"),
        (["a\0b"], "cannot be started"),
    ],
)
def test_a_failure_is_told(
    command: str | list[str], message: str | None, setting: Setting
) -> None:
    """Whatever goes wrong is one sentence; a command that is fine is fine."""
    if message is None:
        assert run_command(command, setting)
        return
    with pytest.raises(RunnerError, match=message):
        run_command(command, setting)


def test_a_command_that_takes_too_long_is_ended_with_its_children(
    setting: Setting, tmp_path: Path
) -> None:
    """What it started is ended too, and nothing of it stays behind."""
    quick = Setting(setting.folder, setting.environ, setting.output, timeout_s=0.5)
    pid = tmp_path / "pid"
    started = time.monotonic()
    with pytest.raises(RunnerError, match=r"longer than 0\.5 s"):
        run_command(f"sleep 60 & echo $! > '{pid}'; wait", quick)
    assert time.monotonic() - started < 20
    _wait_for_the_end(int(pid.read_text()))


def test_an_interrupt_ends_the_command(setting: Setting, tmp_path: Path) -> None:
    """Whoever presses Ctrl-C does not leave a benchmark running behind."""
    pid = tmp_path / "pid"

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    kept = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_command(f"sleep 60 & echo $! > '{pid}'; wait", setting)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, kept)
    _wait_for_the_end(int(pid.read_text()))


def _wait_for_the_end(pid: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _runs(pid):
        time.sleep(0.02)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    """Whether a process still does something."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")

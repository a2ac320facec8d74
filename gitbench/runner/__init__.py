"""Runs one command of a suite, and hands back the bytes of its results.

Knows neither git nor configuration nor what results look like.  The command is run by
the shell, or as it is from a list of words; `{results}` in it stands for the file that
it shall write.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gitbench.errors import GitbenchError

RESULTS = "{results}"

GRACE_S = 5.0
"""How long a command that is stopped has to end by itself."""


class RunnerError(GitbenchError):
    """A benchmark command failed, or left no results."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and how commands are run."""

    folder: Path
    environ: Mapping[str, str]
    output: int
    """File descriptor that everything goes to which the command prints."""
    timeout_s: float | None = None
    most_bytes: int = 1 << 30
    """One byte more is read of a result that is longer."""


def run_command(command: str | Sequence[str], setting: Setting) -> bytes:
    """Run a command once, to its end, and return what it wrote to `{results}`.

    A command without `{results}` prints its results to standard output.  Raises
    RunnerError if it cannot be started, fails, takes too long, or leaves nothing.
    """
    with tempfile.TemporaryDirectory(prefix="gitbench-") as folder:
        results = Path(folder) / "results"
        words, to_file = _words(command, str(results))
        # What prints its results is caught in the very file.
        caught = None if to_file else results.open("wb")
        try:
            code = _run(words, setting, caught or setting.output)
        finally:
            if caught is not None:
                caught.close()
        if code != 0:
            how = f"exit code {code}" if code > 0 else f"signal {-code}"
            raise RunnerError(
                f"The command {_shown(command)} failed ({how}); nothing was recorded "
                "of it. Run it alone to see why."
            )
        data = _read(results, setting.most_bytes)
        if not data.strip():
            hint = "" if to_file else f" Does it write to {RESULTS}?"
            raise RunnerError(
                f"The command {_shown(command)} succeeded but left no results.{hint}"
            )
        return data


def _words(command: str | Sequence[str], results: str) -> tuple[list[str], bool]:
    """The words to execute, and whether they name the file of the results.

    In a shell's command the path is quoted; in a list of words it needs none.
    """
    if isinstance(command, str):
        line = command.replace(RESULTS, shlex.quote(results))
        return ["/bin/sh", "-c", line], RESULTS in command
    named = any(RESULTS in word for word in command)
    return [word.replace(RESULTS, results) for word in command], named


def _run(words: Sequence[str], setting: Setting, stdout: int | IO[bytes]) -> int:
    """Exit code of a command, which is ended with all that it started if we are."""
    try:
        process = subprocess.Popen(
            words,
            cwd=setting.folder,
            env=dict(setting.environ),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=setting.output,
            start_new_session=True,
        )
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise RunnerError(
            f"The command {words[0][:120]!r} cannot be started ({why})."
        ) from exc
    try:
        return process.wait(setting.timeout_s)
    except subprocess.TimeoutExpired as exc:
        raise RunnerError(
            f"The command took longer than {setting.timeout_s:g} s and was ended; "
            "nothing was recorded of it."
        ) from exc
    finally:
        if process.poll() is None:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and its children: kindly, then surely."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            pass
        try:
            process.wait(GRACE_S)
            return
        except subprocess.TimeoutExpired:
            continue


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except FileNotFoundError:
        return b""
    except OSError as exc:
        raise RunnerError(f"The results cannot be read ({exc.strerror}).") from exc


def _shown(command: str | Sequence[str]) -> str:
    line = command if isinstance(command, str) else shlex.join(command)
    return repr(line[:200])

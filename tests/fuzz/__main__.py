"""Runs a check under atheris (libFuzzer for Python), outside the test suite.

    pip install atheris
    python -m tests.fuzz note CORPUS -max_total_time=1800
    python -m tests.fuzz tree CORPUS -max_total_time=1800
    python -m tests.fuzz index CORPUS -max_total_time=1800
    python -m tests.fuzz formats [--tool NAME]... [--minutes N] [--jobs N]
    python -m tests.fuzz formats:NAME CORPUS -max_total_time=600

CORPUS is a folder for what the fuzzer learns; it grows from the seeds that the
harness puts there.  All options of libFuzzer work (`-help=1` lists them).  A run ends
at the first input that breaks a law or raises anything but a stated error, and
writes it to a file `crash-*`; the same command with that file's name plays it again.

`formats` runs `formats:NAME` for one reader after the other, each for N minutes, and
prints a table of what came of it.
"""

from __future__ import annotations

import argparse
import importlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HARNESSES = ("note", "tree", "index", "formats", "formats:NAME")
LIMITS = ("-max_len=65536", "-timeout=20", "-rss_limit_mb=2048")
"""Of one input of a reader: its bytes, seconds by the clock, and the memory of all."""


def main() -> None:
    """Feed `check` of a module of this package with bytes until told to stop; its
    `seeds` are where the fuzzer begins."""
    name, *options = sys.argv[1:] or ["?"]
    if name == "formats":
        sys.exit(_all_readers(options))
    import atheris

    kind, _, tool = name.partition(":")
    if name not in HARNESSES[:3] and not (kind == "formats" and tool):
        sys.exit(f"usage: python -m tests.fuzz {'|'.join(HARNESSES)} [CORPUS] [-...]")
    with atheris.instrument_imports(include=["gitbench"]):
        harness: Any = importlib.import_module(f"tests.fuzz.{kind}")
        check: Callable[[bytes], None] = (
            harness.harness(tool) if tool else harness.check
        )
    folders = [Path(one) for one in options if not one.startswith("-")]
    if folders and not folders[0].is_file():
        _plant(folders[0], harness.seeds(tool) if tool else harness.seeds())
    atheris.Setup([sys.argv[0], *(LIMITS if tool else ()), *options], check)
    atheris.Fuzz()


def _plant(folder: Path, seeds: Iterable[bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for place, seed in enumerate(seeds):
        (folder / f"seed-{place}").write_bytes(seed)


# --------------------------------------------------------------------- all readers


def _all_readers(arguments: list[str]) -> int:
    """Fuzz readers, each in a process of its own; 1 if one of them fails."""
    from gitbench.formats import TOOLS

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz formats")
    parser.add_argument("--tool", action="append", choices=list(TOOLS))
    parser.add_argument("--minutes", type=float, default=10.0, help="of each reader")
    parser.add_argument("--jobs", type=int, default=1, help="readers at a time")
    parser.add_argument(
        "--folder",
        type=Path,
        help="for what is learned, and crash-*; kept  [default: a temporary one]",
    )
    options = parser.parse_args(arguments)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="gitbench-fuzz-"))
    print(f"{'reader':<24} {'seconds':>7} {'inputs':>9}  result", flush=True)
    with ThreadPoolExecutor(options.jobs) as pool:
        seconds = max(1, round(options.minutes * 60))
        results = pool.map(
            lambda tool: _one_reader(tool, folder, seconds),
            options.tool or list(TOOLS),
        )
        fine = [_tell(*result) for result in results]
    return 0 if all(fine) else 1


def _one_reader(tool: str, folder: Path, seconds: int) -> tuple[str, int, str]:
    place = folder / tool
    place.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz", f"formats:{tool}"),
            *(str(place / "corpus"), f"-max_total_time={seconds}"),
            f"-artifact_prefix={place}/",
        ],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    (place / "log").write_text(done.stdout + done.stderr)
    return tool, done.returncode, done.stderr


def _tell(tool: str, code: int, log: str) -> bool:
    done = re.search(r"^Done (\d+) runs in (\d+) second", log, re.MULTILINE)
    if code == 0 and done:
        print(f"{tool:<24} {done[2]:>7} {int(done[1]):>9,}  fine", flush=True)
        return True
    lines = log.strip().splitlines() or [f"exit code {code}"]
    file = next((one for one in lines if "Test unit written to" in one), lines[-1])
    print(f"{tool:<24} {'':>7} {'':>9}  FAILED: {file}", flush=True)
    return False


if __name__ == "__main__":
    main()

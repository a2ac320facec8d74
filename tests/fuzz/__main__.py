"""Runs a check under atheris (libFuzzer for Python), outside the test suite.

    pip install atheris
    python -m tests.fuzz note CORPUS -max_total_time=1800
    python -m tests.fuzz tree CORPUS -max_total_time=1800
    python -m tests.fuzz index CORPUS -max_total_time=1800

CORPUS is a folder for what the fuzzer learns; it grows from the seeds that the
harness puts there.  All options of libFuzzer work (`-help=1` lists them).  A run ends
at the first input that breaks a law or raises anything but a stated error, and
writes it to a file `crash-*`; the same command with that file's name plays it again.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path

HARNESSES = ("note", "tree", "index")


def main() -> None:
    """Feed `check` of a module of this package with bytes until told to stop; its
    `seeds` are where the fuzzer begins."""
    import atheris

    name, *options = sys.argv[1:] or ["?"]
    if name not in HARNESSES:
        sys.exit(f"usage: python -m tests.fuzz {'|'.join(HARNESSES)} [CORPUS] [-...]")
    with atheris.instrument_imports(include=["gitbench"]):
        harness = importlib.import_module(f"tests.fuzz.{name}")
    folders = [Path(one) for one in options if not one.startswith("-")]
    if folders and not folders[0].is_file():
        _plant(folders[0], harness.seeds())
    atheris.Setup([sys.argv[0], *options], harness.check)
    atheris.Fuzz()


def _plant(folder: Path, seeds: Iterable[bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for place, seed in enumerate(seeds):
        (folder / f"seed-{place}").write_bytes(seed)


if __name__ == "__main__":
    main()

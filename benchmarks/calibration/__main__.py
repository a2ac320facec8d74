"""`python -m benchmarks.calibration [FOLDER_OR_FILE]`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.calibration import generated, tables
from benchmarks.calibration.data import (
    SIBLING,
    CalibrationError,
    Source,
    choose,
    read,
)
from benchmarks.calibration.run import calibrate
from benchmarks.harness import BenchmarkError, put_figures
from gitbench.errors import GitbenchError

BESIDE = "../shared/data/aa/sequences.json.gz"


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay, print the tables, and return 2 for what cannot be read."""
    options = _options(arguments)
    started = time.monotonic()
    try:
        where, sources = _sources(options)
        sources = choose(sources, options.source, options.classed)
        results = calibrate(
            sources, smoke=options.smoke, jobs=options.jobs, tell=_progress()
        )
        took = time.monotonic() - started
        date = time.strftime("%Y-%m-%d", time.gmtime())
        told = f"{where}; {took:.0f} s, processes: {options.jobs}."
        found = tables.all_tables(results)
        command = f"{date}, `{_command(options)}`"
        if options.page:
            put_figures(options.page, f"{command}: {told}\n\n{tables.markdown(found)}")
        if options.digest:
            short = tables.grid(tables.digest(results))
            put_figures(options.digest, f"{command}\n\n{short}")
        if options.json:
            facts: dict[str, object] = {"date": date, "data": where, "seconds": took}
            options.json.write_text(tables.document(results, facts), "utf-8")
    except (CalibrationError, BenchmarkError, GitbenchError, OSError) as exc:
        print(f"calibration: {exc}", file=sys.stderr)
        return 2
    print(tables.text(found))
    print(f"{date}: {told}")
    if options.smoke:
        print("Only the newest window of one sequence a source: no measurement.")
    return 0


def _sources(options: argparse.Namespace) -> tuple[str, list[Source]]:
    """What to replay, and its name in words."""
    classes = _classes(options.classes)
    if options.data is not None:
        return str(options.data), read(options.data, classes, options.higher)
    if SIBLING.exists():
        return BESIDE, read(SIBLING, classes, options.higher)
    print(f"{BESIDE} is not there: generated results instead.", file=sys.stderr)
    made = generated.make()
    return "generated results", [
        Source(name, False, classes.get(name, (name,)), tuple(sequences))
        for name, sequences in made.items()
    ]


def _command(options: argparse.Namespace) -> str:
    """The command line without what says only where to write."""
    words = ["python", "-m", "benchmarks.calibration"]
    words += [str(options.data)] if options.data else []
    for name, values in (
        ("--source", options.source),
        ("--class", options.classed),
        ("--classes", [options.classes] if options.classes else []),
        ("--higher", options.higher),
    ):
        for value in values:
            words += [name, value]
    return shlex.join(words)


def _classes(text: str | None) -> Mapping[str, tuple[str, ...]]:
    """`name=class+class,...` as a table.  Raises CalibrationError."""
    found = {}
    for part in filter(None, (text or "").split(",")):
        name, equals, given = part.partition("=")
        names = tuple(filter(None, given.split("+")))
        if not (name and equals and names):
            raise CalibrationError(
                f"--classes: {part!r} is not of the form name=class or "
                "name=class+class."
            )
        found[name] = names
    return found


def _progress() -> Callable[[int, int], None]:
    """A line on a terminal that is written anew; silence elsewhere."""
    if not sys.stderr.isatty():
        return lambda done, of: None

    def tell(done: int, of: int) -> None:
        end = "\n" if done >= of else ""
        print(f"\r{done} of {of} windows", end=end, file=sys.stderr, flush=True)

    return tell


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.calibration",
        description="Replay results of unchanged code through gitbench compare, as "
        "they are and with known changes, and count what it says.",
    )
    parser.add_argument(
        "data",
        nargs="?",
        type=Path,
        metavar="FOLDER_OR_FILE",
        help="sequences of runs as JSON, maybe gzipped; a folder may hold several "
        f"files (default: {BESIDE}, else generated results)",
    )
    parser.add_argument(
        "--source", action="append", default=[], metavar="NAME", help="only this source"
    )
    parser.add_argument(
        "--class",
        action="append",
        default=[],
        dest="classed",
        metavar="NAME",
        help="only sources of this class",
    )
    parser.add_argument(
        "--classes",
        metavar="NAME=CLASS[+CLASS],...",
        help="classes that sources are pooled in (default: a table, else their name)",
    )
    parser.add_argument(
        "--higher",
        action="append",
        default=[],
        metavar="NAME",
        help="higher values of this source are better (default: rustls)",
    )
    parser.add_argument(
        "--smoke", action="store_true", help="one window each, to see that it runs"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes at a time (default: one a core)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also as JSON")
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="put the tables into this page"
    )
    parser.add_argument(
        "--digest",
        type=Path,
        metavar="FILE",
        help="put the main figures into this page",
    )
    options = parser.parse_args(arguments)
    if (options.page or options.digest) and options.smoke:
        parser.error("--smoke measures nothing that belongs on a page")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

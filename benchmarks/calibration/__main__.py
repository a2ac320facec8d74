"""`python -m benchmarks.calibration [FOLDER_OR_FILE]`."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.calibration import generated, tables
from benchmarks.calibration.counts import Results
from benchmarks.calibration.data import (
    SIBLING,
    CalibrationError,
    RunSequence,
    Source,
    choose,
    read,
)
from benchmarks.calibration.replay import SESSIONS, Cell, count_sequence, windows
from benchmarks.harness import BenchmarkError, put_figures

BESIDE = "../shared/data/aa/sequences.json.gz"
SMOKE = (1, 2, 3)
"""Sizes of the window of a smoke run."""
Task = tuple[str, int, RunSequence, int, bool, int | None]
Done = tuple[str, int, dict[Cell, tuple[int, int]]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay, print the tables, and return 2 for what cannot be read."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _options(given)
    started = time.monotonic()
    try:
        where, sources = _sources(options)
        sources = choose(sources, options.source, options.classed)
        results = calibrate(
            sources, smoke=options.smoke, jobs=options.jobs, tell=_progress()
        )
        took = time.monotonic() - started
        date = time.strftime("%Y-%m-%d", time.gmtime())
        command = shlex.join(["python", "-m", "benchmarks.calibration", *given])
        found = tables.all_tables(results)
        if options.page:
            told = (
                f"{date}, `{command}`: {where}; {took:.0f} s on {options.jobs} cores."
            )
            put_figures(options.page, f"{told}\n\n{tables.markdown(found)}")
        if options.json:
            facts: dict[str, object] = {"date": date, "data": where, "seconds": took}
            options.json.write_text(tables.document(results, facts), "utf-8")
    except (CalibrationError, BenchmarkError, OSError) as exc:
        print(f"calibration: {exc}", file=sys.stderr)
        return 2
    print(tables.text(found))
    print(f"{date}: {where}; {took:.0f} s on {options.jobs} cores.")
    if options.smoke:
        print("Only the newest window of one sequence a source: no measurement.")
    return 0


def calibrate(
    sources: Sequence[Source],
    *,
    smoke: bool = False,
    jobs: int = 1,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Results:
    """Replay all sequences of some sources with all sizes of the window.

    `smoke` plays one window of one sequence each.  `tell` hears how many windows of
    how many are done.  Raises CalibrationError if there is nothing to replay.
    """
    results = Results({one.name: one.classes for one in sources})
    tasks = [
        (one.name, number, sequence, k, one.higher, 1 if smoke else None)
        for one in sources
        for number, sequence in enumerate(one.sequences[: 1 if smoke else None])
        for k in (SMOKE if smoke else SESSIONS)
        if len(sequence) > k
    ]
    if not tasks:
        raise CalibrationError("No source has two runs of the same code to compare.")
    # The longest first, so that none is left to one worker at the end.
    tasks.sort(key=_weight, reverse=True)
    done, total = 0, sum(map(_windows, tasks))
    weights = {(task[0], task[1], task[3]): _windows(task) for task in tasks}
    for source, number, counts in _each(tasks, jobs):
        results.take(source, number, counts)
        done += weights.get((source, number, next(iter(counts)).sessions), 0)
        tell(done, total)
    return results


def _each(tasks: Sequence[Task], jobs: int) -> Iterator[Done]:
    if jobs <= 1:
        yield from map(_play, tasks)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(_play, tasks)


def _play(task: Task) -> Done:
    source, number, sequence, k, higher, most = task
    counts = count_sequence(source, number, sequence, k, higher=higher, most=most)
    return source, number, counts


def _windows(task: Task) -> int:
    return 1 if task[5] else sum(1 for _ in windows(len(task[2]), task[3]))


def _weight(task: Task) -> float:
    """About how long a task takes: at one session little is played."""
    return _windows(task) * (1 if task[3] == 1 else 5) * (30 + len(task[2][-1]))


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


def _options(arguments: Sequence[str]) -> argparse.Namespace:
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
    options = parser.parse_args(arguments)
    if options.page and options.smoke:
        parser.error("--smoke measures nothing that belongs on a page")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

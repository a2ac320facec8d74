"""Replays many sequences, in several processes.

Not in `__main__`, whose functions a spawned process cannot find.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from benchmarks.calibration.counts import Results
from benchmarks.calibration.data import CalibrationError, RunSequence, Source
from benchmarks.calibration.replay import SESSIONS, Cell, count_sequence, windows

SMOKE = (1, 2, 3)
"""Sizes of the window of a smoke run."""
Task = tuple[str, int, RunSequence, int, bool, int | None]
Counts = dict[Cell, tuple[int, int]]


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
    for task, counts in _each(tasks, jobs):
        results.take(task[0], task[1], counts)
        done += _windows(task)
        tell(done, total)
    if not any(results.sequences.values()):
        raise CalibrationError("No two runs of a sequence have a benchmark in common.")
    return results


def _each(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, Counts]]:
    if jobs <= 1:
        yield from ((task, _play(task)) for task in tasks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        try:
            yield from zip(tasks, pool.map(_play, tasks), strict=True)
        except BrokenProcessPool:
            raise CalibrationError(
                "A process that replays sequences was ended from outside; if memory "
                "is short, try --jobs 1."
            ) from None


def _play(task: Task) -> Counts:
    source, number, sequence, k, higher, most = task
    return count_sequence(source, number, sequence, k, higher=higher, most=most)


def _windows(task: Task) -> int:
    return 1 if task[5] else sum(1 for _ in windows(len(task[2]), task[3]))


def _weight(task: Task) -> float:
    """About how long a task takes: at one session little is played."""
    return _windows(task) * (1 if task[3] == 1 else 5) * (30 + len(task[2][-1]))

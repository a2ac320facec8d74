"""Which runs of one commit belong together and count once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gitbench.model import Run

SITTING = 600_000
"""Runs of one commit on one testbed within this many milliseconds are one sitting."""


class Mark(NamedTuple):
    """What tells which session a run belongs to."""

    started_at: int
    """Milliseconds since the epoch, UTC."""
    origin: str
    session: str | None
    job: str | None


def group_sessions(runs: Sequence[Run]) -> tuple[tuple[Run, ...], ...]:
    """The sessions among runs of one commit on one testbed, newest first; see
    `group_marks`."""
    marks = [
        Mark(run.started_at, run.origin, run.session, run.ci.job if run.ci else None)
        for run in runs
    ]
    return tuple(
        tuple(runs[place] for place in members) for members in group_marks(marks)
    )


def group_marks(marks: Sequence[Mark]) -> tuple[tuple[int, ...], ...]:
    """The same for whatever carries the marks of runs: places in `marks`.

    Two runs are of one session if they carry the same session id, or the same CI
    job, or began within ten minutes of each other; so are runs that a chain of such
    pairs connects.  What is nearer in time than that shares the state of a machine, so
    it is no independent evidence; counting too few sessions only costs power.
    """
    if len(marks) == 1:
        return ((0,),)
    order = sorted(
        range(len(marks)), key=lambda at: (-marks[at].started_at, marks[at].origin)
    )
    ordered = [marks[at] for at in order]
    leader = list(range(len(ordered)))

    def find(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    seen: dict[tuple[str, str], int] = {}
    for place, run in enumerate(ordered):
        if place and ordered[place - 1].started_at - run.started_at <= SITTING:
            leader[find(place)] = find(place - 1)
        for kind, mark in (("session", run.session), ("job", run.job)):
            if mark:
                first = seen.setdefault((kind, mark), place)
                leader[find(place)] = find(first)
    sessions: dict[int, list[int]] = {}
    for place, at in enumerate(order):
        sessions.setdefault(find(place), []).append(at)
    return tuple(tuple(members) for members in sessions.values())

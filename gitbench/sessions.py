"""Which runs of one commit belong together and count once."""

from __future__ import annotations

from collections.abc import Sequence

from gitbench.model import Run

SITTING = 600_000
"""Runs of one commit on one testbed within this many milliseconds are one sitting."""


def group_sessions(runs: Sequence[Run]) -> tuple[tuple[Run, ...], ...]:
    """The sessions among runs of one commit on one testbed, newest first.

    Two runs are of one session if they carry the same session id, or the same CI
    job, or began within ten minutes of each other; so are runs that a chain of such
    pairs connects.  What is nearer in time than that shares the state of a machine, so
    it is no independent evidence; counting too few sessions only costs power.
    """
    ordered = sorted(runs, key=lambda run: (-run.started_at, run.origin))
    leader = list(range(len(ordered)))

    def find(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    marks: dict[tuple[str, str], int] = {}
    for place, run in enumerate(ordered):
        if place and ordered[place - 1].started_at - run.started_at <= SITTING:
            leader[find(place)] = find(place - 1)
        job = run.ci.job if run.ci else None
        for mark in (("session", run.session), ("job", job)):
            if mark[1]:
                first = marks.setdefault((mark[0], mark[1]), place)
                leader[find(place)] = find(first)
    sessions: dict[int, list[Run]] = {}
    for place, run in enumerate(ordered):
        sessions.setdefault(find(place), []).append(run)
    return tuple(tuple(members) for members in sessions.values())

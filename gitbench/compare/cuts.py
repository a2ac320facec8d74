"""Where the baseline moved inside the window: steps, and accepted changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gitbench.compare.changes import own
from gitbench.compare.families import Family
from gitbench.compare.rules import fits, matcher
from gitbench.compare.table import Table
from gitbench.model import Accept
from gitbench.units import format_change

Ints = NDArray[np.intp]


def forced_cuts(table: Table, landed: Sequence[tuple[Accept, int]]) -> Ints:
    """Newest sessions of the window that have the row's accepted change, (m,).

    `landed` names each accepted change and the number of the window's newest commits
    that have it.  0 for rows without one, and where no commit of the window has it; of
    several the last to land counts.  What an accepted change did to a row is no noise
    of that row, whatever a test for a step would say.
    """
    cuts = np.zeros(len(table.rows), dtype=np.intp)
    for accept, commits in landed:
        sessions = sum(table.sessions_of_commits[: max(commits, 0)])
        if not sessions:
            continue
        name, metric = matcher(accept.benchmark), matcher(accept.metric)
        for row in table.rows:
            if metric(row.metric.name) and fits(name, row.benchmark):
                known = int(cuts[row.number])
                cuts[row.number] = min(known, sessions) if known else sessions
    return cuts


def warn_of_steps(family: Family) -> None:
    """Say where the baseline itself moved inside the window."""
    levels = family.change.levels
    for place in np.flatnonzero(levels.newest < levels.sessions).tolist():
        newest = int(levels.newest[place])
        step = own(float(levels.center[place] - levels.older[place]), family.sign)
        size = "" if step is None or family.linear else f" by {format_change(step)}"
        which = "session" if newest == 1 else f"{newest} sessions"
        if levels.given[place]:
            family.rows[place].warnings.append(
                f"an accepted change{size} landed inside the window; compared with "
                f"the {which} since"
            )
            continue
        family.rows[place].warnings.append(
            f"the baseline itself moved{size} inside the window; compared with its "
            f"newest {which}"
        )

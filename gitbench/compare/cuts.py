"""Where an accepted change landed inside the window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gitbench.compare.rules import fits, matcher
from gitbench.compare.table import Table
from gitbench.model import Accept

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

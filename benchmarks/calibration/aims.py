"""What the default procedure aims at on real results, class by class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.calibration.counts import Results, Share
from benchmarks.calibration.replay import CUT_SIZES, EXTENTS, FACTORS, SESSIONS

SEVERAL = tuple(k for k in SESSIONS if k >= 3)
TESTED = tuple(k for k in SESSIONS if k >= 2)
"""With one session a row is gross or inconclusive, and would only dilute a share."""
LARGER = tuple(factor for factor in FACTORS if factor > 1.05)
EVERY = "*"


@dataclass(frozen=True)
class Aim:
    """A bound on one share, for some classes."""

    text: str
    scenes: tuple[str, ...]
    measures: tuple[str, ...]
    limits: Mapping[str, float]
    """By class; `*` for every class that has none of its own."""
    sessions: tuple[int, ...] = SEVERAL
    factors: tuple[float, ...] = (1.0,)
    least: bool = False
    """The share is to be at least the limit, not at most."""
    without: tuple[str, ...] = ()
    """Classes that the aim is not set for."""

    def limit(self, group: str) -> float | None:
        """The limit for a class; None if none is set."""
        if group in self.without:
            return None
        return self.limits.get(group, self.limits.get(EVERY))


AIMS = (
    Aim(
        "Any false alarm, whole comparisons", ("whole",), ("comparison",), {EVERY: 0.05}
    ),
    *(
        Aim(
            f"Any false alarm, suites of {size} row{'s' if size > 1 else ''}",
            (f"{size} rows",),
            ("comparison",),
            {EVERY: 0.05},
        )
        for size in CUT_SIZES
    ),
    Aim(
        "+10 % in a tenth of the rows, found",
        ("tenth",),
        ("found",),
        {"quiet": 0.95, "ci-runners": 0.8},
        factors=(1.1,),
        least=True,
    ),
    Aim(
        "+10 % in a single row, found",
        ("one",),
        ("found",),
        {"quiet": 0.9, "ci-runners": 0.7},
        factors=(1.1,),
        least=True,
    ),
    *(
        Aim(
            f"Rows slower by {percent} %, called unchanged or improved",
            EXTENTS,
            ("unchanged", "improved"),
            {EVERY: 0.02},
            sessions=TESTED,
            factors=(1 + percent / 100,),
        )
        for percent in (5, 10)
    ),
    Aim(
        "Rows left alone while others are slower, called improved",
        EXTENTS[:-1],
        ("other improved",),
        {EVERY: 0.02},
        sessions=TESTED,
        factors=LARGER,
    ),
    Aim(
        "Rows of unchanged code, called improved",
        ("whole",),
        ("improved",),
        {EVERY: 0.02},
        sessions=TESTED,
    ),
    Aim(
        "Every row 10 % slower, suite found and named",
        ("all",),
        ("suite",),
        {"quiet": 0.95, "ci-runners": 0.8},
        factors=(1.1,),
        least=True,
    ),
    Aim(
        "Every row 10 % slower, rows called unchanged or improved",
        ("all",),
        ("unchanged", "improved"),
        {EVERY: 0.0},
        factors=(1.1,),
    ),
    Aim(
        "Any false alarm, whole comparisons, one session",
        ("whole",),
        ("comparison",),
        {EVERY: 0.01},
        sessions=(1,),
        without=("jvm-forks",),
    ),
    Aim(
        "3 x in a tenth of the rows, found, one session",
        ("tenth",),
        ("found",),
        {EVERY: 0.95},
        sessions=(1,),
        factors=(3.0,),
        least=True,
    ),
)


@dataclass(frozen=True)
class Outcome:
    """An aim held against what was counted."""

    aim: Aim
    group: str
    limit: float
    share: Share

    @property
    def met(self) -> bool:
        """Whether the share itself keeps the limit, wherever its interval ends."""
        if self.aim.least:
            return self.share.value >= self.limit
        return self.share.value <= self.limit


def held(results: Results) -> list[Outcome]:
    """All aims for which something was counted."""
    found = []
    for aim in AIMS:
        for group, sources in results.groups.items():
            limit = aim.limit(group)
            if limit is None:
                continue
            share = results.share(
                sources,
                aim.scenes,
                aim.measures,
                sessions=aim.sessions,
                factors=aim.factors,
            )
            if share is not None:
                found.append(Outcome(aim, group, limit, share))
    return found

"""The verdict on one row: what its numbers allow to be said."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gitbench.compare.rules import Limits
from gitbench.model import Better, Verdict


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is known of one row or suite; oriented so that greater is worse.

    Differences of logs, or of values in units of the row's own scale.
    """

    delta: float
    """Head minus base, without the suite's shift."""
    delta_older: float
    """The same against the level before the newest step."""
    raw: float
    """Head minus base as measured."""
    half_width: float
    spread: bool
    """A variance could be estimated."""
    adjusted_worse: float
    adjusted_better: float
    worse: float
    """How far head may be on the bad side, and on the good side."""
    better: float
    threshold: float
    """The part of `worse` that is not due to min_change."""
    single: bool
    """The newest level is a single session of several."""
    half_width_better: float | None = None
    """From delta to the better end of an interval that lies askew; None: it does
    not, and `half_width` holds both ways."""

    @property
    def below(self) -> float:
        """From delta to the better end of the interval."""
        better = self.half_width_better
        return self.half_width if better is None else better


@dataclass(frozen=True, slots=True)
class Suite:
    """How the whole suite moved, as far as it bears on its rows."""

    verdict: Verdict
    faster: bool
    """It moved for the better by more than its own noise, whatever the size."""


Decision = tuple[Verdict, str | None]


def decide(row: Numbers, alpha: float, suite: Suite | None = None) -> Decision:
    """Verdict and reason of a row that has enough sessions."""
    if row.adjusted_worse < alpha and row.delta > row.worse:
        if row.single and row.delta_older <= row.worse:
            return Verdict.INCONCLUSIVE, "latest-level-one-session"
        if suite is not None and suite.faster and row.raw <= row.worse:
            # The rest of the suite became faster and this row did not.
            return Verdict.INCONCLUSIVE, "raw-not-regressed"
        return Verdict.REGRESSED, None
    if row.adjusted_better < alpha and row.delta < -row.better:
        if row.single and row.delta_older >= -row.better:
            return Verdict.INCONCLUSIVE, "latest-level-one-session"
        if row.raw >= -row.better:
            return Verdict.INCONCLUSIVE, "raw-not-improved"
        return Verdict.IMPROVED, None
    return _claim(row, suite)


_MOVED = (Verdict.REGRESSED, Verdict.ACCEPTED, Verdict.INCONCLUSIVE)
"""Verdicts on a suite under which none of its rows is called unchanged."""


def _claim(row: Numbers, suite: Suite | None) -> Decision:
    """What can be said of a row that neither regressed nor improved."""
    if not row.spread and row.delta != 0:
        return Verdict.INCONCLUSIVE, "no-spread"
    small = "below-min-change" if row.threshold < row.delta <= row.worse else None
    not_worse = row.delta + row.half_width < row.worse
    # Beyond the limit only with the suite, which moved more than the row itself.
    mostly_suite = row.raw - row.delta > 0.999 * row.delta
    if row.raw > row.worse >= row.delta and (not_worse or mostly_suite):
        return Verdict.INCONCLUSIVE, "moved-with-suite"
    if not not_worse:
        return Verdict.INCONCLUSIVE, small or "noise"
    if row.raw < -row.better <= row.delta:
        return Verdict.NO_REGRESSION, "moved-with-suite"
    if suite is not None and suite.verdict in _MOVED:
        return Verdict.INCONCLUSIVE, "suite-shift"
    not_better = row.delta - row.below > -row.better
    if not_better and (suite is None or suite.verdict is Verdict.UNCHANGED):
        return Verdict.UNCHANGED, small
    return Verdict.NO_REGRESSION, small


def without_direction(row: Numbers) -> Decision:
    """Verdict where nobody knows which way is better.

    That nothing changed can be said without it; that something did is shown and
    judged by nobody.
    """
    not_worse = row.delta + row.half_width < row.worse
    not_better = row.delta - row.below > -row.worse
    if not_worse and not_better and (row.spread or row.delta == 0):
        return Verdict.UNCHANGED, None
    return Verdict.INCONCLUSIVE, "no-direction"


def decide_exact(
    base: tuple[float, float, float],
    head: tuple[float, float, float],
    better: Better,
    limits: Limits,
) -> Decision:
    """Verdict on a deterministic count; each side is center, lowest and highest.

    A threshold above 0 is a ratio, so it needs two positive numbers.
    """
    difference = head[0] - base[0]
    if difference != 0 and base[1] <= head[2] and head[1] <= base[2]:
        return Verdict.INCONCLUSIVE, "repeats-differ"
    positive = base[0] > 0 and head[0] > 0
    size = abs(difference)
    beyond = size > limits.min_change
    if positive and limits.threshold > 0:
        factor = max(head[0], base[0]) / min(head[0], base[0])
        beyond = beyond and factor > (1 + limits.threshold) * (1 + 1e-12)
    reason = None if positive else "not-positive"
    if difference == 0 or (not beyond and size > 0):
        small = size > 0 and not size > limits.min_change
        return Verdict.UNCHANGED, "below-min-change" if small else None
    if better is Better.NONE:
        return Verdict.INCONCLUSIVE, "no-direction"
    worse = (difference > 0) == (better is Better.LOWER)
    return (Verdict.REGRESSED if worse else Verdict.IMPROVED), reason


def is_accepted(decision: Decision, worse_by: float, limits: Limits) -> bool:
    """Whether a change for the worse is covered by an accepted one.

    `worse_by` is the change as a log in the bad direction.
    """
    return (
        limits.accept is not None
        and decision[0] in (Verdict.REGRESSED, Verdict.INCONCLUSIVE)
        and worse_by <= math.log1p(limits.accept.threshold) + 1e-12
    )

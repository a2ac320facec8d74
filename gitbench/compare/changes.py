"""Differences of logs, oriented so that greater is worse, as changes for people."""

from __future__ import annotations

import math


def own(log: float, sign: float) -> float | None:
    """A difference of logs for the worse, as a change in the metric's own direction;
    None beyond the range of floats.  `sign` is -1 where higher is better."""
    try:
        return finite(math.expm1(sign * log))
    except OverflowError:
        return None


def interval(
    delta: float, half_width: float, sign: float, below: float | None = None
) -> tuple[float, float] | None:
    """The ends of an interval as changes, the lower one first; `below` is the way to
    the better end where it is not `half_width`, that to the worse one."""
    better = own(delta - (half_width if below is None else below), sign)
    worse = own(delta + half_width, sign)
    low, high = (better, worse) if sign > 0 else (worse, better)
    return None if low is None or high is None else (low, high)


def finite(number: float) -> float | None:
    """The number, None if it is infinite or NaN."""
    return number if math.isfinite(number) else None

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
    delta: float, half_width: float, sign: float
) -> tuple[float, float] | None:
    """The ends of an interval as changes, the lower one first."""
    low = own(delta - sign * half_width, sign)
    high = own(delta + sign * half_width, sign)
    return None if low is None or high is None else (low, high)


def finite(number: float) -> float | None:
    """The number, None if it is infinite or NaN."""
    return number if math.isfinite(number) else None

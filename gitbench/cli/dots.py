"""A picture of one row in the terminal: a dot a session on one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LABEL = 10
"""Columns left of the picture."""
LEAST = 16
"""Fewest columns of a picture worth drawing."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The signs of a picture."""

    dot: str
    several: str
    """Signs of two, three, ... dots in one place; the last one also of more."""
    head: str
    base: str
    limit: str
    left: str
    right: str
    line: str


UNICODE = Marks("•", "23456789+", "●", "┊", "│", "├", "┤", "─")
ASCII = Marks("o", "23456789+", "X", ":", "|", "[", "]", "-")


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear scale from numbers to columns."""

    low: float
    high: float
    width: int

    def column(self, number: float) -> int | None:
        """The column of a number; None outside of the axis."""
        if not self.low <= number <= self.high:
            return None
        share = (number - self.low) / (self.high - self.low)
        return min(int(share * self.width), self.width - 1)


def axis(numbers: Sequence[float], width: int) -> Axis | None:
    """An axis that shows all the numbers; None where they have no extent."""
    low, high = min(numbers), max(numbers)
    room = (high - low) * 0.02
    if not room > 0 or not math.isfinite(high - low + room):
        return None
    return Axis(low - room, high + room, width)


def picture(
    rows: Sequence[tuple[str, Sequence[float]]],
    *,
    base: float | None,
    limits: Sequence[float],
    interval: tuple[float, float] | None,
    head: str,
    width: int,
    unicode: bool,
) -> list[str]:
    """Lines of a picture; none where there is nothing to tell apart, or no room.

    `rows` are sessions by their label; that labelled `head` gets its own sign.
    Limits and the interval's ends beyond the others are drawn if they are within
    reach of the sessions, so that one of them does not squeeze the dots together.
    """
    dots = [x for _, some in rows for x in some] + ([] if base is None else [base])
    room = width - LABEL - 2
    if len(dots) < 2 or room < LEAST:
        return []
    span = max(dots) - min(dots)
    extra = [
        x
        for x in (*limits, *(interval or ()))
        if span == 0 or min(dots) - 3 * span <= x <= max(dots) + 3 * span
    ]
    scale = axis([*dots, *extra], room)
    if scale is None:
        return []
    marks = UNICODE if unicode else ASCII
    rules = [(x, marks.limit) for x in limits]
    rules += [] if base is None else [(base, marks.base)]
    lines = []
    for label, some in rows:
        sign = marks.head if label == head else marks.dot
        lines.append(_line(label, _dots(some, scale, sign, marks), scale, rules))
    if interval is not None:
        lines.append(_line("interval", _span(interval, scale, marks), scale, rules))
    return lines


def _line(
    label: str, cells: dict[int, str], scale: Axis, rules: list[tuple[float, str]]
) -> str:
    """One line: its own signs, and the lines of base and limit behind them."""
    row = [" "] * scale.width
    for number, sign in rules:
        column = scale.column(number)
        if column is not None:
            row[column] = sign
    for column, sign in cells.items():
        row[column] = sign
    return f"  {label[:LABEL].ljust(LABEL)}{''.join(row)}".rstrip()


def _dots(
    some: Sequence[float], scale: Axis, sign: str, marks: Marks
) -> dict[int, str]:
    count: dict[int, int] = {}
    for number in some:
        column = scale.column(number)
        if column is not None:
            count[column] = count.get(column, 0) + 1
    return {
        column: sign
        if times == 1
        else marks.several[min(times - 2, len(marks.several) - 1)]
        for column, times in count.items()
    }


def _span(interval: tuple[float, float], scale: Axis, marks: Marks) -> dict[int, str]:
    """The interval; an end beyond the axis is left open."""
    low, high = (min(max(x, scale.low), scale.high) for x in interval)
    first, last = scale.column(low), scale.column(high)
    if first is None or last is None:
        return {}
    cells = dict.fromkeys(range(first, last + 1), marks.line)
    if interval[0] >= scale.low:
        cells[first] = marks.left
    if interval[1] <= scale.high:
        cells[last] = marks.right
    return cells

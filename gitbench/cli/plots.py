"""Pictures of a series in text: a plot of several lines, and one of a single line."""

from __future__ import annotations

from collections.abc import Sequence

DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of a braille sign: two columns of four dots, the upper first."""

BRAILLE = 0x2800
BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "_.-=+*%#"


def plot(values: Sequence[float], width: int, height: int, unicode: bool) -> list[str]:
    """`height` lines of `width` columns: a dot a value, the first left, the greatest
    on top.  In braille a column has two places and a line four; in ASCII one.
    """
    if not values:
        return []
    across, down = (2, 4) if unicode else (1, 1)
    rows = height * down
    bits = [[0] * width for _ in range(height)]
    for x, y in _places(values, width * across, rows):
        from_top = rows - 1 - y
        bit = DOTS[x % across][from_top % down] if unicode else 1
        bits[from_top // down][x // across] |= bit
    return ["".join(_sign(one, unicode) for one in line) for line in bits]


def _sign(bits: int, unicode: bool) -> str:
    if not bits:
        return " "
    return chr(BRAILLE + bits) if unicode else "*"


def column_of(place: int, count: int, width: int) -> int:
    """The column in which `plot` shows the value at `place` of `count`."""
    return place * width // count


def _places(values: Sequence[float], columns: int, rows: int) -> list[tuple[int, int]]:
    return [
        (place * columns // len(values), min(rows - 1, int(share * rows)))
        for place, share in enumerate(_shares(values))
    ]


def _shares(values: Sequence[float]) -> list[float]:
    """Where each value lies between the least (0) and the greatest (1)."""
    low, high = min(values), max(values)
    # Halves: the span of numbers near the ends of the range would be infinite.
    span = high / 2 - low / 2
    if span <= 0:
        return [0.5] * len(values)
    return [(one / 2 - low / 2) / span for one in values]


def bars(values: Sequence[float], width: int, unicode: bool) -> str:
    """At most `width` bars, the first left; each is the middle of some values."""
    if not values:
        return ""
    signs = BARS if unicode else ASCII_BARS
    count = min(width, len(values))
    middles = []
    for place in range(count):
        some = sorted(
            values[place * len(values) // count : (place + 1) * len(values) // count]
        )
        middles.append(some[len(some) // 2])
    return "".join(signs[min(7, int(8 * one))] for one in _shares(middles))

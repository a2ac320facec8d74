"""Aligned columns of plain text for lists that are no report."""

from __future__ import annotations

from collections.abc import Sequence

from gitbench.cli import one_line
from gitbench.report.terminal import text_width


def aligned(rows: Sequence[Sequence[str]], gap: str = "  ") -> list[str]:
    """Rows of cells as lines with aligned columns; cells are made safe to print."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    count = max((len(row) for row in cells), default=0)
    widths = [
        max((text_width(row[i]) for row in cells if len(row) > i), default=0)
        for i in range(count)
    ]
    lines = []
    for row in cells:
        padded = [
            cell + " " * (widths[i] - text_width(cell)) for i, cell in enumerate(row)
        ]
        lines.append(gap.join(padded).rstrip())
    return lines


def _cell(text: str) -> str:
    """One cell: indentation kept, everything else made one safe line."""
    inner = text.lstrip(" ")
    return " " * (len(text) - len(inner)) + (one_line(inner, 300) if inner else "")


def percent(share: float) -> str:
    """A size without a sign, two digits: `0.85 %`, `12 %`, `150 %`."""
    shown = f"{share * 100:.2g}"
    return f"{share * 100:.0f} %" if "e" in shown else f"{shown} %"


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """A paragraph of our own words as lines of at most `width` columns."""
    from textwrap import wrap

    return wrap(text, width, initial_indent=indent, subsequent_indent=indent)


BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None]) -> str:
    """One character a value, oldest first; a gap where there is none."""
    present = [value for value in values if value is not None]
    if not present:
        return ""
    low, high = min(present), max(present)
    span = high - low
    marks = []
    for value in values:
        if value is None:
            marks.append(" ")
        else:
            place = (value - low) / span if span > 0 else 0.0
            marks.append(BARS[min(7, int(place * 8))])
    return "".join(marks)

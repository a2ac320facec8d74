"""Numbers of a report as text."""

from __future__ import annotations

from gitbench.model import Comparison
from gitbench.units import format_change, format_points


def number(count: int, noun: str) -> str:
    """`1 run`, `3 runs`, `1,200 runs`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def percent(fraction: float) -> str:
    """A size without a sign: `4 %`, `0.5 %`, `12 %`."""
    return f"{fraction * 100:.2g} %" if fraction < 0.1 else f"{fraction * 100:.0f} %"


def interval_words(interval: tuple[float, float], *, points: bool = False) -> str:
    """Two changes, with the sign of per cent once: `+1.0 to +5.4 %`; or two
    differences, `-12.0 to -3.1 pp`."""
    low, high = map(format_points if points else format_change, interval)
    for sign in (" %", " pp"):
        if low.endswith(sign) and high.endswith(sign):
            low = low.removesuffix(sign)
    return f"{low} to {high}"


def share(rate: float) -> str:
    """A rate without a sign: `91.7 %`, and `100 %` only if it is."""
    text = f"{rate * 100:.1f} %"
    if text == "100.0 %" and rate < 1:
        return "99.9 %"
    return text.replace(".0 %", " %") if rate in (0, 1) else text


def change_words(row: Comparison, change: float | None) -> str:
    """A change of this row: a ratio, or points of a proportion."""
    return (
        format_points(change)
        if _is_share(row) and change is not None
        else (format_change(change))
    )


def _is_share(row: Comparison) -> bool:
    return row.method == "proportion" or row.difference is not None


def p_words(p: float) -> str:
    """A p-value with three decimals, `<0.001` below them."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"

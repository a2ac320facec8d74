"""github-action-benchmark's custom JSON: an array of name, unit and value.

The file does not say which way is better; the name of the tool does, so
`--tool customSmallerIsBetter` and `customBiggerIsBetter` say it here too.  Without
it the unit decides where it can (times, sizes, rates).
"""

from __future__ import annotations

from typing import Any

from gitbench.formats.document import (
    Document,
    FormatError,
    check_unique,
    get_list,
    get_object,
    get_text,
    member,
    number,
    quoted,
)
from gitbench.model import Benchmark, Better, Kind, Measurement, Metric, Reading, Tool
from gitbench.units import base_unit, kind_and_better

_DIRECTIONS = {
    "customBiggerIsBetter": Better.HIGHER,
    "customSmallerIsBetter": Better.LOWER,
}
_NAMES = {
    Kind.DURATION: "duration",
    Kind.THROUGHPUT: "throughput",
    Kind.SIZE: "size",
    Kind.MONEY: "cost",
}


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a custom result; one value a benchmark."""
    told = _DIRECTIONS.get(document.asked or "")
    rows = get_list(document.single("github-action-benchmark"), "top level")
    found = [
        _measurement(get_object(row, f"[{i}]"), told, f"[{i}]")
        for i, row in enumerate(rows)
    ]
    check_unique(found, "give each its own name")
    unknown = sum(one.metric.better is Better.NONE for one in found)
    warnings: tuple[str, ...] = ()
    if unknown:
        warnings = (
            f"which way is better is unknown of {unknown} of {len(found)} results, so "
            "they are shown and never gated; say it with --tool customSmallerIsBetter "
            "or --tool customBiggerIsBetter.",
        )
    return (Reading(Tool("github-action-benchmark"), tuple(found), warnings=warnings),)


def _measurement(row: dict[str, Any], told: Better | None, where: str) -> Measurement:
    name = get_text(member(row, "name", where), f"{where}.name")
    metric = metric_of(row.get("unit"), told, f"{where}.unit")
    value = value_of(member(row, "value", where), f"{where}.value")
    return Measurement(Benchmark(name), metric, ((value,),))


def metric_of(unit: object, told: Better | None, where: str) -> Metric:
    """The metric behind a free text unit; `told` is what the tool's name says."""
    text = "1" if unit in (None, "") else get_text(unit, where, 64)
    if base_unit(text.lower())[0] == "s":
        text = text.lower()  # Milliseconds
    kind, better = kind_and_better("value", text)
    if told is not None:
        better = told
    if kind is Kind.THROUGHPUT and better is Better.LOWER:
        kind = Kind.SCORE
    name = _NAMES.get(kind, "value")
    if name == "duration" and base_unit(text)[0] != "s":
        name = "value"
    return Metric(name, text, better, kind)


def value_of(value: object, where: str) -> float:
    """A number, also as text: the action itself takes `"1,234"` for one."""
    if isinstance(value, str):
        try:
            value = float(value.replace(",", ""))
        except ValueError:
            raise FormatError(where, f"{quoted(value)} is no number.") from None
    return number(value, where)

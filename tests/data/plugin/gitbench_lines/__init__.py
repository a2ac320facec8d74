"""An example of a reader in a package of its own: lines `NAME: 1.5 ms`."""

from __future__ import annotations

import re

from gitbench.formats import Document, FormatError
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    Reading,
    Tool,
)

LINE = re.compile(r"^(\w[\w ]{0,100}): ([\d.]+) ms$", re.MULTILINE)
HEADER = "lines results\n"


def looks_like(document: Document) -> bool:
    """Whether the content is ours, and surely no other tool's."""
    return document.text.startswith(HEADER)


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a result."""
    if not looks_like(document):
        raise FormatError("line 1", "it does not begin with 'lines results'.")
    metric = Metric("duration", "ms", Better.LOWER, Kind.DURATION)
    found = tuple(
        Measurement(Benchmark(name), metric, ((float(value),),))
        for name, value in LINE.findall(document.text)
    )
    if not found:
        raise FormatError("", "it holds no line NAME: VALUE ms.")
    return (Reading(Tool("lines", "1.0"), found),)

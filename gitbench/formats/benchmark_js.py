"""benchmark.js' lines `name x 11,465 ops/sec ±1.12% (91 runs sampled)`.

The percentage is the margin of error of the mean at 95 %, relative to it, from which
the standard deviation of a sample follows.
"""

from __future__ import annotations

import math
import re

from gitbench.formats.document import (
    Document,
    FormatError,
    check_unique,
    decimal,
    get_text,
    lines,
)
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    Reading,
    Summary,
    Tool,
)

_RATE = Metric("throughput", "ops/s", Better.HIGHER, Kind.THROUGHPUT)
_LINE = re.compile(
    r"^\s*(?P<name>\S.{0,1000}) x (?P<rate>[\d.,]+) ops/sec ±(?P<rme>[\d.]+)%"
    r" \((?P<runs>\d{1,9}) runs? sampled\)"
)


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of what a benchmark.js suite printed."""
    found = []
    for place, line in lines(document.text):
        match = _LINE.match(line)
        if match is None:
            continue
        where = f"line {place}"
        name = get_text(match["name"].strip(), where)
        center = decimal(match["rate"], where)
        runs = int(match["runs"])
        summary = Summary(
            center,
            stddev=_deviation(center, decimal(match["rme"], where), runs),
            n=max(runs, 1),
        )
        found.append(Measurement(Benchmark(name), _RATE, summary=summary))
    if not found:
        raise FormatError(
            "", "it holds no line `NAME x N ops/sec ±P% (N runs sampled)`."
        )
    check_unique(found, "give each benchmark its own name")
    return (
        Reading(
            Tool("benchmark-js"),
            tuple(found),
            warnings=("this output has no raw values, only means.",),
        ),
    )


def _deviation(center: float, percent: float, runs: int) -> float | None:
    """Standard deviation of one sample, from the relative margin of error.

    margin = t sd / sqrt(n) with the t quantile for 97.5 % at n - 1 degrees of freedom,
    here by the first terms of its expansion about the normal one (within 1 % from five
    samples on; Abramowitz and Stegun 26.7.5).
    """
    if runs < 6:
        return None
    z, df = 1.959963984540054, runs - 1
    quantile = (
        z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df * df)
    )
    return percent / 100 * center / quantile * math.sqrt(runs)

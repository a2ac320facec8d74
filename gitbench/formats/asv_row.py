"""The results of one asv benchmark: a number for each combination of its parameters.

Split from `asv`, which reads whole files and folders.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gitbench.formats.document import (
    MAX_MEASUREMENTS,
    FormatError,
    fail,
    get_list,
    get_text,
    number,
    numbers,
    whole,
)
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    Status,
    Summary,
)
from gitbench.units import kind_and_better

DURATION = Metric("duration", "s", Better.LOWER, Kind.DURATION)
_MEMORY = Metric("memory", "B", Better.LOWER, Kind.SIZE)
_PEAK = Metric("peak_memory", "B", Better.LOWER, Kind.SIZE)
_METRICS = {
    "time": DURATION,
    "timeraw": DURATION,
    "memory": _MEMORY,
    "peakmemory": _PEAK,
}
_PREFIXES = {
    "time": "time",
    "timeraw": "timeraw",
    "mem": "memory",
    "peakmem": "peakmemory",
    "track": "track",
}
"""How the name of a benchmark's function begins -> its type."""

_REPEATS = 5
"""Samples that asv takes a round at most, if there are several and nothing is set."""
_LONGEST_VALUE = 100


def shortened(text: str, limit: int) -> str:
    """`text`, the end of a long one replaced by digits that stand for it."""
    if len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:6]
    return f"{text[: limit - 7]}~{digest}"


@dataclass(frozen=True, slots=True)
class Row:
    """One benchmark of a result file."""

    name: str
    definition: dict[str, Any]
    """What benchmarks.json says of it; {} if nothing."""
    cells: dict[str, Any]
    """By the names of version 2's columns; `stats` of version 1."""
    environment: str
    where: str
    """Its place, for messages."""

    def measurements(self) -> Iterator[Measurement]:
        """One measurement a combination of parameters, in asv's order."""
        name = get_text(self.name, f"{self.where} (its name)")
        axes = self._axes()
        count = math.prod(map(len, axes))
        if count > MAX_MEASUREMENTS:
            raise FormatError(
                f"{self.where}.params",
                f"{count:,} combinations; the limit is {MAX_MEASUREMENTS:,}.",
            )
        keys = self._keys(len(axes))
        metric = self._metric()
        results = self._column("result", count)
        version = self.cells.get("version")
        if version is not None:
            version = get_text(version, f"{self.where}.version")
        for i, values in enumerate(itertools.product(*axes)):
            params = tuple(zip(keys, (self.environment, *values), strict=True))
            benchmark = Benchmark(name, params)
            yield self._one(benchmark, metric, results[i], (i, count), version)

    def _axes(self) -> list[list[str]]:
        """The values of each parameter.

        Version 1 leaves them out where a benchmark failed as a whole.
        """
        params = self.cells.get("params")
        if params is None and self.cells.get("result") is None:
            params = self.definition.get("params")
        axes = []
        for i, axis in enumerate(get_list(params or [], f"{self.where}.params")):
            where = f"{self.where}.params[{i}]"
            values = get_list(axis, where)
            for value in values:
                if not isinstance(value, str):
                    fail(where, "an array of texts", value)
            axes.append([shortened(value, _LONGEST_VALUE) for value in values])
        return axes

    def _keys(self, count: int) -> tuple[str, ...]:
        """Names of the parameters behind that of the environment."""
        names = self.definition.get("param_names")
        if not (isinstance(names, list) and len(names) == count):
            # As asv calls those that have no name.
            names = [f"param{i}" for i in range(1, count + 1)]
        texts = [get_text(name, f"{self.where}: param_names") for name in names]
        return ("asv_env" if "env" in texts else "env", *texts)

    def _column(self, key: str, count: int) -> list[Any]:
        """One cell for each combination; None for each if it is missing."""
        cell = self.cells.get(key)
        if cell is None:
            return [None] * count
        items = get_list(cell, f"{self.where}.{key}")
        if len(items) != count:
            raise FormatError(
                f"{self.where}.{key}",
                f"it has {len(items):,} entries for {count:,} combinations of "
                "parameters.",
            )
        return items

    def _metric(self) -> Metric:
        """What the benchmark measures: by its type, else by its function's name."""
        kind = self.definition.get("type")
        short = self.name.rpartition(".")[2]
        if not isinstance(kind, str):
            prefix = short.partition("_")[0]
            kind = _PREFIXES.get(prefix[:1].lower() + prefix[1:], "")
        if kind in _METRICS:
            return _METRICS[kind]
        unit = self.definition.get("unit")
        if not isinstance(unit, str) or not unit.strip() or unit == "unit":
            return Metric("value", "1", Better.NONE, Kind.SCORE)
        unit = get_text(unit.strip(), f"{self.where}: unit", 64)
        decided, better = kind_and_better("value", unit)
        return Metric("value", unit, better, decided)

    def _one(
        self,
        benchmark: Benchmark,
        metric: Metric,
        result: Any,
        place: tuple[int, int],
        version: str | None,
    ) -> Measurement:
        """The measurement of one combination; null is a failure, NaN was skipped."""
        i, count = place
        where = f"{self.where}.result[{i}]"
        status, message = Status.OK, None
        processes: tuple[tuple[float, ...], ...] = ()
        summary = None
        if result is None:
            status, message = Status.FAILED, "it failed, or took too long"
        elif isinstance(result, float) and math.isnan(result):
            status, message = Status.SKIPPED, "it was skipped"
        else:
            center = number(int(result) if type(result) is bool else result, where)
            samples = self._column("samples", count)[i]
            if samples:
                values = numbers(samples, f"{self.where}.samples[{i}]")
                processes = self._processes(values)
            else:
                summary = self._summary(center, i, count)
                processes = () if summary else ((center,),)
        return Measurement(
            benchmark,
            metric,
            processes,
            summary,
            status=status,
            message=message,
            version=version,
        )

    def _processes(self, values: tuple[float, ...]) -> tuple[tuple[float, ...], ...]:
        """Samples by the process that took them, where their number tells.

        asv puts the samples of its rounds, each a process, one after the other.  A
        round takes `repeat` samples, or fewer when time is up; so only if none is
        missing it is known which are whose.
        """
        rounds = self.definition.get("rounds", self.definition.get("processes"))
        each = self.definition.get("repeat")
        if type(rounds) is not int or rounds < 2:
            return (values,)
        if isinstance(each, list) and len(each) == 3:
            each = each[1]
        if each == 0:
            each = _REPEATS
        if type(each) is not int or each < 1 or rounds * each != len(values):
            return (values,)
        return tuple([values[at : at + each] for at in range(0, len(values), each)])

    def _summary(self, center: float, i: int, count: int) -> Summary | None:
        """What asv says of samples that it did not keep; None of a single number.

        Its quartiles and intervals have no place in a summary; version 1 has more.
        """
        if "stats" in self.cells:
            stats = self._column("stats", count)[i]
            stats = stats if isinstance(stats, dict) else {}
        else:
            repeats = self._column("stats_repeat", count)[i]
            stats = {} if repeats is None else {"repeat": repeats}
        if not stats:
            return None
        where = f"{self.where}.stats[{i}]"
        n = stats.get("repeat", stats.get("n"))
        told = {
            key: number(stats[name], f"{where}.{name}")
            for key, name in (("low", "min"), ("high", "max"), ("stddev", "std"))
            if stats.get(name) is not None
        }
        return Summary(
            center,
            of="median",
            n=None if n is None else whole(n, f"{where}.repeat", 1),
            **told,
        )

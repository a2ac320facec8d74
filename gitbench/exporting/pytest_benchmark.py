"""JSON as pytest-benchmark saves it, so that `pytest-benchmark compare` reads it.

The tool knows one metric, the duration in seconds, and needs raw values for its
statistics: others become `extra_info`, and what has no values is left out.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from gitbench.export import moment
from gitbench.exporting import ExportError, Item
from gitbench.model import Benchmark, Kind, Measurement
from gitbench.store.facts import point_of
from gitbench.units import base_unit


def write(items: Iterable[Item], out: TextIO) -> tuple[str, ...]:
    """Write one run; raises `ExportError` if it has no durations with raw values."""
    (item,) = items
    run = item.run
    extras: dict[Benchmark, dict[str, float]] = {}
    timed, left_out = [], 0
    for one in run.measurements:
        center = point_of(one).center
        if _is_timed(one):
            timed.append(one)
        elif center is not None and one.metric.name != "duration":
            extras.setdefault(one.benchmark, {})[one.metric.name] = center
        else:
            left_out += 1
    if not timed:
        raise ExportError(
            f"Run {item.id} has no durations with raw values, and pytest-benchmark "
            "knows nothing else; export it as json or csv."
        )
    benchmarks = [_benchmark(one, extras.pop(one.benchmark, {})) for one in timed]
    left_out += sum(map(len, extras.values()))
    facts = dict(run.testbed.facts)
    content = {
        "machine_info": {
            "node": run.testbed.name,
            "machine": facts.get("arch", ""),
            "processor": facts.get("arch", ""),
            "system": facts.get("os", ""),
            "release": facts.get("kernel", ""),
            "python_implementation": "",
            "python_version": "",
            "cpu": {"brand_raw": facts.get("cpu", ""), "count": facts.get("cores")},
        },
        "commit_info": {
            "id": run.commit,
            "time": None,
            "author_time": None,
            "dirty": run.dirty,
            "project": item.repository or run.suite,
            "branch": dict(run.tags).get("branch", "(unknown)"),
        },
        "benchmarks": benchmarks,
        "datetime": moment(run.started_at).replace("Z", "+00:00"),
        "version": _version(run.tool.name, run.tool.version),
    }
    json.dump(content, out, ensure_ascii=False, indent=1)
    out.write("\n")
    if not left_out:
        return ()
    return (
        f"{left_out} measurements of run {item.id} failed, or have no raw durations "
        "and no duration beside them, and were left out.",
    )


def _version(tool: str, version: str | None) -> str:
    return version if tool == "pytest-benchmark" and version else "5.2.0"


def _is_timed(one: Measurement) -> bool:
    return (
        one.metric.kind is Kind.DURATION
        and one.metric.name == "duration"
        and base_unit(one.metric.unit)[0] == "s"
        and bool(one.processes)
    )


def _benchmark(one: Measurement, extras: dict[str, float]) -> dict[str, Any]:
    factor = base_unit(one.metric.unit)[1]
    data = [value * factor for values in one.processes for value in values]
    params = dict(one.benchmark.params)
    full = one.benchmark.name
    short = full.rpartition("::")[2]
    param = "-".join(params.values()) if params else None
    ending = "" if param is None else f"[{param}]"
    return {
        "group": None,
        "name": short + ending,
        "fullname": full + ending,
        "params": params or None,
        "param": param,
        "extra_info": extras,
        "options": {
            "disable_gc": False,
            "timer": "perf_counter",
            "min_rounds": 1,
            "max_time": 0,
            "min_time": 0,
            "warmup": False,
        },
        "stats": stats(data),
    }


def _quartile(ordered: Sequence[float]) -> float:
    """The first quartile of sorted data, by the third of the usual methods."""
    count = len(ordered)
    if count == 1:
        return ordered[0]
    without = statistics.median(ordered[: count // 2])
    return (without + statistics.median(ordered[: (count + 1) // 2])) / 2


def stats(data: Sequence[float]) -> dict[str, Any]:
    """The statistics that the tool writes beside the data: quartiles as means of
    the medians of the halves with and without the middle one, outliers by Tukey's
    fences and by one standard deviation from the mean."""
    ordered = sorted(data)
    count = len(ordered)
    mean = math.fsum(ordered) / count
    stddev = statistics.stdev(ordered) if count > 1 else 0.0
    low, high = _quartile(ordered), -_quartile([-value for value in ordered[::-1]])
    spread = high - low
    within = [v for v in ordered if low - 1.5 * spread <= v <= high + 1.5 * spread]
    far = sum(not mean - stddev <= value <= mean + stddev for value in ordered)
    outliers = count - len(within)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": stddev,
        "rounds": count,
        "median": statistics.median(ordered),
        "iqr": spread,
        "q1": low,
        "q3": high,
        "iqr_outliers": outliers,
        "stddev_outliers": far,
        "outliers": f"{far};{outliers}",
        "ld15iqr": within[0],
        "hd15iqr": within[-1],
        "ops": 1 / mean if mean and math.isfinite(1 / mean) else 0.0,
        "total": math.fsum(ordered),
        "data": list(data),
        "iterations": 1,
    }

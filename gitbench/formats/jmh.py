"""JMH: the results of `-rf json`, with the values of every fork, and of `-rf csv`.

A fork is a process, and its iterations are that process's values.  A CSV has scores
alone.  JMH writes `"NaN"`, `"+INF"` and `"-INF"` for what is no number.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gitbench.formats.document import (
    Document,
    FormatError,
    check_unique,
    facts,
    get_list,
    get_object,
    get_text,
    member,
    number,
    numbers,
    quoted,
    version_of,
    whole,
)
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    Reading,
    Status,
    Summary,
    Tool,
)
from gitbench.units import base_unit, kind_and_better

_PERCENTILES = {"p0.50": "p50", "p0.90": "p90", "p0.95": "p95", "p0.99": "p99"}
"""Percentiles of mode `sample` that are kept; the ones beyond rest on a few calls."""
_IS_PERCENTILE = re.compile(r"^p[01]\.\d{1,9}$")
_NO_NUMBER = ("NaN", "+INF", "-INF")
_CONSOLE = ("# JMH version", "# Benchmark mode: ", "# Run progress: ", "Benchmark  ")
_ADVICE = "record the result of one run of JMH"


@dataclass(frozen=True, slots=True)
class _Case:
    """What tells one result of a file from the others."""

    name: str
    mode: str
    threads: int
    params: tuple[tuple[str, str], ...]


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a JMH result."""
    if document.form == "text" and document.text.lstrip()[:1] not in ("[", "{"):
        return (_read_table(document.text),)
    rows = get_list(document.single("jmh"), "top level")
    results = [get_object(row, f"[{i}]") for i, row in enumerate(rows)]
    cases = [_case(result, f"[{i}]") for i, result in enumerate(results)]
    names = _benchmarks(cases)
    found: list[Measurement] = []
    doubts: list[str] = []
    for i, (result, case) in enumerate(zip(results, cases, strict=True)):
        found.extend(_result(result, case, names[case], f"[{i}]", doubts))
    check_unique(found, _ADVICE)
    in_process = sum(result.get("forks") == 0 for result in results)
    if in_process:
        doubts.append(
            f"{in_process} results were measured with -f 0, inside JMH's own process, "
            "where one benchmark's warm-up changes the next; use two forks or more."
        )
    return (
        Reading(
            Tool("jmh", version_of(_common(results, "jmhVersion"))),
            tuple(found),
            facts=facts(runtime=_runtime(results)),
            warnings=tuple(doubts),
        ),
    )


def _common(results: list[dict[str, Any]], key: str) -> str | None:
    """The text that all results have under `key`."""
    told = {str(one.get(key))[:200] for one in results}
    first = results[0].get(key) if results else None
    return first[:200] if len(told) == 1 and isinstance(first, str) and first else None


def _runtime(results: list[dict[str, Any]]) -> str | None:
    name, version = _common(results, "vmName"), _common(results, "vmVersion")
    version = version or _common(results, "jdkVersion")
    return f"{name or 'Java'} {version}" if version else name


# ---------------------------------------------------------------------- identity


def _case(result: dict[str, Any], where: str) -> _Case:
    told = result.get("params")
    params = get_object({} if told is None else told, f"{where}.params")
    return _Case(
        get_text(member(result, "benchmark", where), f"{where}.benchmark"),
        get_text(member(result, "mode", where), f"{where}.mode", 20),
        whole(result.get("threads", 1), f"{where}.threads"),
        tuple(
            (get_text(key, f"{where}.params"), _text(value, f"{where}.params"))
            for key, value in params.items()
        ),
    )


def _text(value: object, where: str) -> str:
    """The value of a parameter, which may be empty."""
    return "" if value == "" else get_text(value, where)


def _benchmarks(cases: Iterable[_Case]) -> dict[_Case, Benchmark]:
    """Benchmarks of all cases.

    Mode and number of threads are parameters only of a benchmark that was measured
    with several, since they seldom are part of what people call it.
    """
    modes: dict[str, set[str]] = {}
    threads: dict[str, set[int]] = {}
    distinct = dict.fromkeys(cases)
    for case in distinct:
        modes.setdefault(case.name, set()).add(case.mode)
        threads.setdefault(case.name, set()).add(case.threads)
    found = {}
    for case in distinct:
        params = dict(case.params)
        if len(modes[case.name]) > 1:
            params["jmh.mode" if "mode" in params else "mode"] = case.mode
        if len(threads[case.name]) > 1:
            key = "jmh.threads" if "threads" in params else "threads"
            params[key] = str(case.threads)
        found[case] = Benchmark(case.name, tuple(params.items()))
    return found


# ----------------------------------------------------------------------- metrics


def _primary(case: _Case, unit: str, doubts: list[str]) -> Metric:
    """The metric of a score: the mode says which way is better, and the unit agrees."""
    rate = case.mode == "thrpt"
    base, _ = base_unit(unit)
    if rate == base.endswith("/s"):
        if rate:
            return Metric("throughput", unit, Better.HIGHER, Kind.THROUGHPUT)
        if base == "s":
            return Metric("duration", unit, Better.LOWER, Kind.DURATION)
    doubts.append(
        f"benchmark {quoted(case.name)} has mode {quoted(case.mode)} and unit "
        f"{quoted(unit)}, which contradict each other; its score is shown and never "
        "gated."
    )
    return Metric("score", unit, Better.NONE, Kind.SCORE)


def _other(primary: Metric, case: _Case, name: str, unit: str) -> Metric | None:
    """The metric of a secondary result; None of one that is not kept."""
    if case.mode == "sample" and _IS_PERCENTILE.match(name):
        short = _PERCENTILES.get(name)
        return None if short is None else _at_percentile(primary, short)
    return _secondary(name, unit)


def _secondary(name: str, unit: str) -> Metric:
    """The metric of a profiler or counter; only allocation has a known direction."""
    if name == "gc.alloc.rate.norm" and base_unit(unit)[0] == "B":
        return Metric("allocated", unit, Better.LOWER, Kind.SIZE)
    kind, _ = kind_and_better(name, unit)
    return Metric(name, unit, Better.NONE, Kind.COUNT if kind is Kind.EXACT else kind)


# -------------------------------------------------------------------------- JSON


def _result(
    result: dict[str, Any],
    case: _Case,
    benchmark: Benchmark,
    where: str,
    doubts: list[str],
) -> Iterator[Measurement]:
    """The measurements of one result."""
    place = f"{where}.primaryMetric"
    score = get_object(member(result, "primaryMetric", where), place)
    unit = get_text(member(score, "scoreUnit", place), f"{place}.scoreUnit", 64)
    metric = _primary(case, unit, doubts)
    measurement = _measured(benchmark, metric, score, place)
    yield measurement or Measurement(
        benchmark,
        metric,
        status=Status.FAILED,
        message="JMH gives a value that is no number, such as NaN or +INF.",
    )
    told = get_object(result.get("secondaryMetrics") or {}, where)
    others = {name.lstrip("\u00b7"): value for name, value in told.items()}
    if measurement and case.mode == "sample" and not others.keys() & _PERCENTILES:
        yield from _percentiles(benchmark, metric, score, place)
    for name, value in others.items():
        place = f"{where}.secondaryMetrics, {quoted(name)}"
        inner = get_object(value, place)
        unit = get_text(member(inner, "scoreUnit", place), f"{place}.scoreUnit", 64)
        other = _other(metric, case, get_text(name, place), unit)
        if other is None:
            continue
        found = _measured(benchmark, other, inner, place)
        if found:
            yield found
        else:
            doubts.append(
                f"benchmark {quoted(benchmark.label)}: {quoted(name)} is no number and "
                "is left out."
            )


def _measured(
    benchmark: Benchmark, metric: Metric, score: dict[str, Any], where: str
) -> Measurement | None:
    """Values by fork, or the score where there are none; None if it is no number."""
    if score.get("rawDataHistogram") is not None:
        forks = get_list(score["rawDataHistogram"], f"{where}.rawDataHistogram")
        processes = tuple(_histograms(forks, f"{where}.rawDataHistogram"))
    else:
        forks = get_list(score.get("rawData") or [], f"{where}.rawData")
        if any(_no_number(fork) for fork in forks):
            return None
        processes = tuple(
            numbers(fork, f"{where}.rawData[{i}]") for i, fork in enumerate(forks)
        )
    processes = tuple(filter(None, processes))
    if processes:
        return Measurement(benchmark, metric, processes)
    value = member(score, "score", where)
    if value in _NO_NUMBER:
        return None
    return Measurement(
        benchmark, metric, summary=Summary(number(value, f"{where}.score"))
    )


def _no_number(fork: object) -> bool:
    return isinstance(fork, list) and any(one in _NO_NUMBER for one in fork)


def _histograms(forks: list[Any], where: str) -> Iterator[tuple[float, ...]]:
    """Mode `sample`: the mean of each iteration, by fork, as the score is a mean."""
    for i, fork in enumerate(forks):
        means = []
        for j, iteration in enumerate(get_list(fork, f"{where}[{i}]")):
            mean = _mean(iteration, f"{where}[{i}][{j}]")
            if mean is not None:
                means.append(mean)
        yield tuple(means)


def _mean(histogram: Any, where: str) -> float | None:
    """Mean of pairs of a value and how often it came; None if there are none."""
    total, calls = 0.0, 0
    for k, pair in enumerate(get_list(histogram, where)):
        place = f"{where}[{k}]"
        if not isinstance(pair, list) or len(pair) != 2:
            raise FormatError(place, "it must be a value and how often it came.")
        times = whole(pair[1], place)
        total += number(pair[0], place) * times
        calls += times
    return number(total / calls, where) if calls else None


def _percentiles(
    benchmark: Benchmark, metric: Metric, score: dict[str, Any], where: str
) -> Iterator[Measurement]:
    """Percentiles over all calls, where those of each iteration are not told."""
    place = f"{where}.scorePercentiles"
    told = get_object(score.get("scorePercentiles") or {}, place)
    for short in _PERCENTILES.values():
        key = f"{short[1:]}.0"
        value = told.get(key)
        if value is not None and value not in _NO_NUMBER:
            inner = number(value, f"{place}, {quoted(key)}")
            yield Measurement(benchmark, _at_percentile(metric, short), ((inner,),))


def _at_percentile(metric: Metric, short: str) -> Metric:
    return Metric(f"{metric.name}_{short}", metric.unit, metric.better, metric.kind)


# --------------------------------------------------------------------------- CSV


def _read_table(text: str) -> Reading:
    """The run of a CSV: scores of all forks together, without their values."""
    lines = text.strip().splitlines()
    rows = list(_rows(lines))
    header, *body = rows or [[]]
    if header[:2] != ["Benchmark", "Mode"] or "Score" not in header:
        _refuse(lines)
    cells = []
    for place, row in enumerate(body, 2):
        if len(row) != len(header):
            raise FormatError(
                f"row {place}",
                f"it has {len(row)} cells instead of {len(header)}; the file is cut "
                "off.",
            )
        cells.append((dict(zip(header, row, strict=True)), f"row {place}"))
    cases = [_row_case(row, where) for row, where in cells]
    names = _benchmarks(cases)
    found: list[Measurement] = []
    doubts = ["a CSV has no values of forks and iterations; -rf json keeps them."]
    for (cell, where), case in zip(cells, cases, strict=True):
        found.extend(_row(cell, case, names[case], where, doubts))
    check_unique(found, _ADVICE)
    return Reading(Tool("jmh"), tuple(found), warnings=tuple(doubts))


def _rows(lines: list[str]) -> Iterator[list[str]]:
    try:
        yield from csv.reader(lines)
    except csv.Error as exc:
        raise FormatError("", f"it is no CSV ({exc}).") from exc


def _refuse(lines: list[str]) -> None:
    if any(line.startswith(_CONSOLE) for line in lines):
        raise FormatError(
            "",
            "this is what JMH prints, not a result file; run it with -rf json -rff "
            "FILE, which keeps the values of every fork, and record FILE.",
        )
    raise FormatError("line 1", "it is neither JSON nor a CSV of JMH.")


def _row_case(row: dict[str, str], where: str) -> _Case:
    name, _, _ = row["Benchmark"].partition(":")
    threads = row.get("Threads") or "1"
    if not (threads.isascii() and threads.isdigit() and len(threads) < 10):
        raise FormatError(f"{where}, Threads", f"{quoted(threads)} is no number.")
    return _Case(
        get_text(name, f"{where}, Benchmark"),
        get_text(row["Mode"], f"{where}, Mode", 20),
        int(threads),
        # A parameter that a benchmark does not have is an empty cell.
        tuple(
            (get_text(key.removeprefix("Param: "), where), value)
            for key, value in row.items()
            if key.startswith("Param: ") and value
        ),
    )


def _row(
    row: dict[str, str],
    case: _Case,
    benchmark: Benchmark,
    where: str,
    doubts: list[str],
) -> Iterator[Measurement]:
    unit = get_text(row.get("Unit"), f"{where}, Unit", 64)
    _, _, inner = row["Benchmark"].partition(":")
    inner = inner.lstrip("\u00b7")
    metric = _primary(case, unit, [] if inner else doubts)
    if inner:
        other = _other(metric, case, inner, unit)
        if other is None:
            return
        metric = other
    score = _decimal(row["Score"], f"{where}, Score")
    if score is None:
        message = f"JMH gives the score {row['Score'][:20]}."
        yield Measurement(benchmark, metric, status=Status.FAILED, message=message)
        return
    samples = row.get("Samples") or ""
    known = samples.isascii() and samples.isdigit() and 0 < len(samples) < 10
    n = int(samples) if known else 0
    yield Measurement(benchmark, metric, summary=Summary(score, n=n or None))


def _decimal(text: str, where: str) -> float | None:
    """A number with six decimals, behind a comma in some languages; None for NaN."""
    if text in ("NaN", "Infinity", "-Infinity", "\ufffd", "\u221e", "-\u221e"):
        return None
    try:
        return number(float(text.replace(",", ".").replace("_", "x")), where)
    except ValueError:
        raise FormatError(where, f"{quoted(text)} is no number.") from None

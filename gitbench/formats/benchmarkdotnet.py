"""BenchmarkDotNet: `*-report-full.json`, `*-report-brief.json`, both also compressed.

Times are nanoseconds an operation.  A full report has every iteration with the launch
(process) it ran in; a brief one has the same values, but not their launches.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import itemgetter
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
    timestamp,
    version_of,
    whole,
)
from gitbench.model import (
    MAX_NAME,
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    ModelError,
    Reading,
    Status,
    Summary,
    Tool,
)
from gitbench.units import base_unit, kind_and_better

_DURATION = Metric("duration", "ns", Better.LOWER, Kind.DURATION)
_ALLOCATED = Metric("allocated", "B", Better.LOWER, Kind.SIZE)
_SKIPPED_METRICS = frozenset(
    ("Allocated Memory", "Gen0Collects", "Gen1Collects", "Gen2Collects")
)
"""Metrics that `Memory` tells better, or that follow from what is allocated."""

_TITLE_TIME = re.compile(r"-(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)\Z")
_SYSTEMS = (
    ("windows", "windows"),
    ("macos", "macos"),
    ("mac os", "macos"),
    ("os x", "macos"),
    ("darwin", "macos"),
    ("linux", "linux"),
    *((name, "linux") for name in ("ubuntu", "debian", "fedora", "alpine", "centos")),
    *((name, "linux") for name in ("red hat", "suse", "rocky", "gentoo", "nixos")),
)
"""A part of the name that systems go by -> the fact."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One entry of `Benchmarks`."""

    where: str
    content: dict[str, Any]
    benchmark: Benchmark
    job: str
    """Identifier of its job with what characterises it, perhaps empty."""


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a report."""
    if document.form == "text" and document.text.lstrip()[:1] not in ("{", "["):
        raise FormatError(
            "",
            "it is the CSV report, whose numbers are rounded and have their units in "
            "the cells; add --exporters json (or [JsonExporterAttribute.Full] to the "
            "class) and record *-report-full.json.",
        )
    top = get_object(document.single("benchmarkdotnet"), "top level")
    cases = []
    items = get_list(member(top, "Benchmarks", ""), "Benchmarks")
    for i, item in enumerate(items):
        cases.append(_case(get_object(item, f"Benchmarks[{i}]"), f"Benchmarks[{i}]"))
    measurements: list[Measurement] = []
    for case in _told_apart(cases):
        measurements.extend(_measurements(case))
    check_unique(measurements, "give their jobs ids of their own")
    host = top.get("HostEnvironmentInfo")
    host = host if isinstance(host, dict) else {}
    version = host.get("BenchmarkDotNetVersion")
    started_at = _started(top.get("Title"))
    return (
        Reading(
            tool=Tool("benchmarkdotnet", version_of(version)),
            measurements=tuple(measurements),
            started_at=started_at,
            naive_time=started_at is not None,
            facts=_facts(host),
            warnings=_warnings(host, measurements, cases),
        ),
    )


# ------------------------------------------------------------------------- names


def _case(content: dict[str, Any], where: str) -> _Case:
    shown = content.get("DisplayInfo")
    job = ""
    if isinstance(shown, str):
        # Type.Method: Job(Characteristic=value, ...) [Parameter=value]
        job = shown.partition(": ")[2].partition(" [")[0].strip()
    return _Case(where, content, _benchmark(content, where), job)


def _benchmark(content: dict[str, Any], where: str) -> Benchmark:
    """Name and parameters.

    A parameter's text that the tool shortened does not tell it from others, so the
    full name, which has it whole, is then all there is.
    """
    parts = [content.get(key) for key in ("Namespace", "Type", "Method")]
    words = [part for part in parts if isinstance(part, str) and part]
    full = content.get("FullName")
    if len(words) < 2 or not content.get("Method"):
        return Benchmark(get_text(full, f"{where}.FullName"))
    params = _parameters(content.get("Parameters"))
    if params is None and isinstance(full, str) and full:
        if len(full) > MAX_NAME:
            full = full[:MAX_NAME]
        return Benchmark(get_text(full, f"{where}.FullName"))
    name = get_text(".".join(words), f"{where}.Method")
    return Benchmark(name, params or ())


def _parameters(text: object) -> tuple[tuple[str, str], ...] | None:
    """`N=10&Mode=fast` as pairs; None where they cannot be told."""
    if not text:
        return ()
    if not isinstance(text, str) or "(...)" in text or len(text) > MAX_NAME:
        return None
    pairs = []
    for part in text.split("&"):
        key, equals, value = part.partition("=")
        if not equals or not key:
            return None
        pairs.append((key, value))
    return tuple(pairs) if len(dict(pairs)) == len(pairs) else None


def _told_apart(cases: list[_Case]) -> Iterator[_Case]:
    """The cases, with their jobs as a parameter where one benchmark has several.

    A job without a name is called by a random one; what characterises it tells more.
    """
    count = Counter(case.benchmark for case in cases)
    if all(number == 1 for number in count.values()):
        yield from cases
        return
    short = {case.job: _short_job(case.job) for case in cases}
    clear = len(set(short.values())) == len(short)
    for case in cases:
        job = (short[case.job] if clear else case.job)[:MAX_NAME]
        keys = {key for key, _ in case.benchmark.params}
        key = "bdn_job" if "job" in keys else "job"
        pairs = (*case.benchmark.params, (key, job))
        yield replace(case, benchmark=Benchmark(case.benchmark.name, pairs))


def _short_job(job: str) -> str:
    name, _, rest = job.partition("(")
    return rest.removesuffix(")") if name.startswith("Job-") and rest else name


# ------------------------------------------------------------------------ values


def _measurements(case: _Case) -> Iterator[Measurement]:
    """Duration, memory, and what other diagnosers measured."""
    statistics = case.content.get("Statistics")
    if statistics is None:
        yield Measurement(
            case.benchmark,
            _DURATION,
            status=Status.FAILED,
            message="it has no results; see the log of BenchmarkDotNet for the reason",
        )
        return
    statistics = get_object(statistics, f"{case.where}.Statistics")
    yield _duration(case, statistics)
    memory = case.content.get("Memory")
    if memory is not None:
        where = f"{case.where}.Memory"
        size = get_object(memory, where).get("BytesAllocatedPerOperation")
        if size is not None:
            value = number(size, f"{where}.BytesAllocatedPerOperation")
            yield Measurement(case.benchmark, _ALLOCATED, ((value,),))
    yield from _others(case)


def _duration(case: _Case, statistics: dict[str, Any]) -> Measurement:
    processes = _launches(case.content.get("Measurements"), case.where)
    if processes:
        return Measurement(case.benchmark, _DURATION, processes)
    where = f"{case.where}.Statistics"
    if statistics.get("OriginalValues"):
        values = numbers(statistics["OriginalValues"], f"{where}.OriginalValues")
        return Measurement(case.benchmark, _DURATION, (values,))

    def told(key: str) -> float | None:
        value = statistics.get(key)
        return None if value is None else number(value, f"{where}.{key}")

    n = statistics.get("N")
    try:
        summary = Summary(
            number(member(statistics, "Mean", where), f"{where}.Mean"),
            low=told("Min"),
            high=told("Max"),
            stddev=told("StandardDeviation"),
            n=None if n is None else whole(n, f"{where}.N", 1),
        )
    except ModelError as exc:
        raise FormatError(where, str(exc)) from exc
    return Measurement(case.benchmark, _DURATION, summary=summary)


_STAGE = itemgetter("IterationMode", "IterationStage")
_NUMBERS = itemgetter("LaunchIndex", "Nanoseconds", "Operations")
_LARGEST = 2**63
_RESULT = ("Workload", "Result")
_OLD_RESULT = ("Result", None)


def _launches(rows: object, where: str) -> tuple[tuple[float, ...], ...]:
    """The values of stage `Result` by the process that measured them.

    In that stage the tool has taken off its overhead, and outliers as configured.
    Versions before 0.11 had no stages and called the mode `Result`.
    """
    if rows is None:
        return ()
    launches: dict[int, list[float]] = {}
    for i, row in enumerate(get_list(rows, f"{where}.Measurements")):
        try:
            stage = _STAGE(row)
        except (KeyError, TypeError, IndexError):
            mode = get_object(row, f"{where}.Measurements[{i}]").get("IterationMode")
            stage = (mode, row.get("IterationStage"))
        if stage != _RESULT and stage != _OLD_RESULT:
            continue
        try:
            launch, time, count = _NUMBERS(row)
        except KeyError as exc:
            raise FormatError(
                f"{where}.Measurements[{i}]", f"{exc.args[0]!r} is missing."
            ) from exc
        # Exact types first, as a report may have a million of these.
        if not (type(launch) is type(count) is int and launch >= 0 < count < _LARGEST):
            place = f"{where}.Measurements[{i}]"
            launch = whole(launch, f"{place}.LaunchIndex")
            count = whole(count, f"{place}.Operations", 1)
        if type(time) is not int or not -_LARGEST < time < _LARGEST:
            time = number(time, f"{where}.Measurements[{i}].Nanoseconds")
        launches.setdefault(launch, []).append(time / count)
    return tuple([tuple(values) for _, values in sorted(launches.items())])


def _others(case: _Case) -> Iterator[Measurement]:
    """Metrics of other diagnosers, whose descriptors tell unit and direction."""
    rows = case.content.get("Metrics")
    if rows is None:
        return
    for i, item in enumerate(get_list(rows, f"{case.where}.Metrics")):
        where = f"{case.where}.Metrics[{i}]"
        row = get_object(item, where)
        told = get_object(member(row, "Descriptor", where), f"{where}.Descriptor")
        name = get_text(member(told, "Id", where), f"{where}.Descriptor.Id")
        value = row.get("Value")
        # The tool writes text for a metric that was not measured.
        if name in _SKIPPED_METRICS or value is None or isinstance(value, str):
            continue
        metric = _metric(name, told)
        yield Measurement(case.benchmark, metric, ((number(value, where),),))


def _metric(name: str, told: dict[str, Any]) -> Metric:
    unit = told.get("Unit")
    if not isinstance(unit, str) or base_unit(unit)[0] not in ("s", "B"):
        unit = "1"
    kind, _ = kind_and_better(name, unit)
    if kind in (Kind.PROPORTION, Kind.MONEY) or (
        unit == "1" and kind in (Kind.DURATION, Kind.SIZE)
    ):
        kind = Kind.SCORE
    elif kind is Kind.EXACT:
        kind = Kind.COUNT
    better = Better.NONE
    if told.get("TheGreaterTheBetter") is True:
        better = Better.HIGHER
    elif told.get("TheGreaterTheBetter") is False:
        better = Better.LOWER
    if name in ("duration", "allocated"):
        name = f"metric {name}"
    return Metric(name, unit, better, kind)


# ----------------------------------------------------------------------- machine


def _started(title: object) -> int | None:
    """The local time at the end of a title such as `Sorting-20260102-030405`."""
    found = _TITLE_TIME.search(title[-40:]) if isinstance(title, str) else None
    if found is None:
        return None
    year, month, day, hour, minute, second = found.groups()
    try:
        return timestamp(f"{year}-{month}-{day}T{hour}:{minute}:{second}", "Title")[0]
    except FormatError:
        return None


def _facts(host: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    cpu = host.get("ProcessorName")
    if isinstance(cpu, dict):
        # Before 0.10.
        cpu = cpu.get("Value")
    told = host.get("OsVersion")
    low = told.lower()[:200] if isinstance(told, str) else ""
    arch = host.get("Architecture")
    return facts(
        arch=arch if isinstance(arch, str) and "bit" not in arch.lower() else None,
        cores=host.get("LogicalCoreCount") or host.get("ProcessorCount"),
        cpu=cpu,
        os=next((fact for part, fact in _SYSTEMS if part in low), None),
        runtime=host.get("RuntimeVersion") or host.get("ClrVersion"),
    )


def _warnings(
    host: dict[str, Any], measurements: list[Measurement], cases: list[_Case]
) -> tuple[str, ...]:
    found = []
    without = sum(one.summary is not None for one in measurements)
    if without:
        found.append(
            f"{without} of {len(cases)} benchmarks came without raw values, only a "
            "mean; record the full report (--exporters fulljson)."
        )
    if host.get("Configuration") == "DEBUG" or host.get("HasAttachedDebugger") is True:
        found.append(
            "it was measured in a debug build or under a debugger, so its times say "
            "little about a release."
        )
    return tuple(found)

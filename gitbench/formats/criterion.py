"""criterion.rs: the folder `target/criterion`, and what cargo-criterion reports.

The folder holds, for each benchmark, `new/` (the last run) beside `base/` and saved
baselines, which may be byte copies of it: only `new/` is read.  A sample there is the
time of many iterations together; a value is the time of one.

cargo-criterion's messages (`--message-format=json`) name a benchmark as a whole, so
parameters stay in its name.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from gitbench.formats.document import (
    Document,
    FormatError,
    check_unique,
    decode,
    get_list,
    get_object,
    get_text,
    member,
    number,
    numbers,
    parse_json,
    quoted,
)
from gitbench.formats.folder import Folder
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    ModelError,
    Reading,
    Summary,
    Tool,
)
from gitbench.units import base_unit, kind_and_better

_PER_SECOND = {
    "bytes": "B/s",
    "bytesdecimal": "B/s",
    "bits": "bit/s",
    "elements": "elem/s",
}
_ADVICE = "remove target/criterion, run the benchmarks again and record that"


# -------------------------------------------------------------------- the folder


def read_folder(folder: Folder) -> tuple[Reading, ...]:
    """The single run of a folder target/criterion: the `new/` of every benchmark."""
    paths = set(folder.paths)
    places = sorted(
        {
            path.rpartition("/")[0]
            for path in paths
            if path.endswith(("new/sample.json", "new/estimates.json", "new/raw.csv"))
            and path.split("/")[-2] == "new"
        }
    )
    if not places:
        raise FormatError(
            "",
            "it has no folder new/ with a last run in it; saved baselines alone are "
            "not read. Run cargo bench once more and record target/criterion.",
        )
    found: list[Measurement] = []
    for place in places:
        found.extend(_last_run(folder, paths, place))
    check_unique(found, _ADVICE)
    summaries = sum(not one.processes for one in found)
    warnings: tuple[str, ...] = ()
    if summaries:
        warnings = (f"{summaries} results have no raw values, only a mean.",)
    return (Reading(Tool("criterion"), tuple(found), warnings=warnings),)


def _last_run(folder: Folder, paths: set[str], place: str) -> list[Measurement]:
    """What stands in the folder `place`, whose last part is `new`."""

    def load(name: str) -> Any:
        path = f"{place}/{name}"
        return _one_value(folder.load(path), path) if path in paths else None

    benchmark, throughput = _identity(load("benchmark.json"), place)
    raw = f"{place}/raw.csv"
    table = _raw_table(folder.load(raw), raw) if raw in paths else None
    unit = table[0] if table else "ns"
    sample = load("sample.json")
    values: tuple[float, ...] = ()
    if sample is not None:
        values = _per_iteration(sample, f"{place}/sample.json")
    elif table is not None:
        values = table[1]
    if values:
        return _measurements(benchmark, unit, values, None, throughput)
    path = f"{place}/estimates.json"
    if path not in paths:
        raise FormatError(place, "it has neither samples nor estimates.")
    summary = _estimates(load("estimates.json"), path)
    return _measurements(benchmark, unit, (), summary, throughput)


def _one_value(data: bytes, path: str) -> Any:
    try:
        values = parse_json(decode(data))
    except FormatError as exc:
        raise FormatError(
            ", ".join(filter(None, (path, exc.where))), exc.reason
        ) from exc
    if len(values) != 1:
        raise FormatError(path, "it holds more than one JSON value.")
    return values[0]


def _identity(value: Any, place: str) -> tuple[Benchmark, tuple[float, str] | None]:
    """Name and parameter as benchmark.json says them, and the work of an iteration."""
    where = f"{place}/benchmark.json"
    if value is None:
        # criterion 0.2 had none; its folders are named after the benchmark.
        name = place.removesuffix("/new").removeprefix("target/")
        if place == "new":
            raise FormatError(
                where,
                "it is missing, and the folder does not tell the benchmark's name; "
                "record target/criterion as a whole.",
            )
        return Benchmark(get_text(name.removeprefix("criterion/"), where)), None
    top = get_object(value, where)
    full = get_text(member(top, "full_id", where), f"{where}, full_id")
    parts = [top.get("group_id"), top.get("function_id"), top.get("value_str")]
    *names, last = [part if isinstance(part, str) else "" for part in parts]
    name = "/".join(filter(None, names))
    benchmark = Benchmark(full)
    if name and last and full == f"{name}/{last}":
        benchmark = Benchmark(name, (("value", get_text(last, f"{where}, value_str")),))
    throughput = top.get("throughput")
    if throughput is None:
        return benchmark, None
    return benchmark, _work(get_object(throughput, where), f"{where}, throughput")


def _work(throughput: dict[str, Any], where: str) -> tuple[float, str] | None:
    """What one iteration works through, and the unit of its rate; None if unknown."""
    for kind, amount in throughput.items():
        unit = _PER_SECOND.get(kind.lower())
        if unit is not None:
            return number(amount, f"{where}.{kind}"), unit
    return None


def _per_iteration(sample: Any, where: str) -> tuple[float, ...]:
    """Values of sample.json; criterion 0.2 wrote two bare lists."""
    if isinstance(sample, list):
        if len(sample) != 2:
            raise FormatError(where, "it must hold iterations and times.")
        iterations, times = sample
    else:
        top = get_object(sample, where)
        iterations = member(top, "iters", where)
        times = member(top, "times", where)
    return _divided(
        numbers(times, f"{where}, times"), numbers(iterations, where), where
    )


def _divided(
    totals: tuple[float, ...], iterations: tuple[float, ...], where: str
) -> tuple[float, ...]:
    """Time of one iteration in each sample."""
    if len(totals) != len(iterations) or not totals:
        raise FormatError(
            where,
            f"it has {len(totals)} times of {len(iterations)} numbers of iterations.",
        )
    if min(iterations) <= 0:
        raise FormatError(where, "a sample has no iterations.")
    return tuple(
        [total / times for total, times in zip(totals, iterations, strict=True)]
    )


def _raw_table(data: bytes, where: str) -> tuple[str, tuple[float, ...]]:
    """Unit and values of raw.csv (criterion 0.2 and 0.3, and later if asked for)."""
    rows = csv.DictReader(decode(data).splitlines())
    unit, totals, iterations = "ns", [], []
    try:
        for place, row in enumerate(rows, 2):
            line = f"{where}, line {place}"
            total = row.get("sample_measured_value") or row.get("sample_time_nanos")
            totals.append(_cell(total, line))
            iterations.append(_cell(row.get("iteration_count"), line))
            unit = row.get("unit") or unit
    except csv.Error as exc:
        raise FormatError(where, f"it is no CSV ({exc}).") from exc
    values = _divided(tuple(totals), tuple(iterations), where)
    return get_text(unit, f"{where}, unit", 64), values


def _cell(text: str | None, where: str) -> float:
    try:
        return number(float(text or ""), where)
    except ValueError:
        raise FormatError(where, f"{quoted(text or '')} is no number.") from None


def _estimates(value: Any, where: str) -> Summary:
    """Summary of estimates.json; criterion 0.2 wrote `Mean` and `StdDev`."""
    top = get_object(value, where)

    def point(*keys: str) -> float | None:
        for key in keys:
            if top.get(key) is not None:
                inner = get_object(top[key], f"{where}, {key}")
                place = f"{where}, {key}"
                return number(member(inner, "point_estimate", place), place)
        return None

    mean = point("mean", "Mean")
    if mean is None:
        raise FormatError(where, "'mean' is missing.")
    return _summary(mean, point("std_dev", "StdDev"), None, where)


def _summary(mean: float, stddev: float | None, n: int | None, where: str) -> Summary:
    try:
        return Summary(mean, stddev=stddev, n=n)
    except ModelError as exc:
        raise FormatError(where, str(exc)) from exc


# ---------------------------------------------------------------- what is measured


def _measurements(
    benchmark: Benchmark,
    unit: str,
    values: tuple[float, ...],
    summary: Summary | None,
    work: tuple[float, str] | None,
) -> list[Measurement]:
    """The time (or what is measured instead of it), and the rate of the work."""
    kind, better = kind_and_better("value", unit)
    metric = Metric(
        "duration" if kind is Kind.DURATION else "value", unit, better, kind
    )
    processes = (values,) if values else ()
    found = [Measurement(benchmark, metric, processes, summary)]
    base, factor = base_unit(unit)
    if work is None or base != "s":
        return found
    amount, per_second = work
    rate = Metric("throughput", per_second, Better.HIGHER, Kind.THROUGHPUT)
    seconds = [value * factor for value in values]
    if seconds and min(seconds) > 0:
        rates = tuple([amount / one for one in seconds])
        found.append(Measurement(benchmark, rate, (rates,)))
    elif summary is not None and summary.center * factor > 0:
        center = number(amount / (summary.center * factor), "throughput")
        found.append(Measurement(benchmark, rate, summary=Summary(center)))
    return found


# ------------------------------------------------------------------ cargo-criterion


def read(document: Document) -> tuple[Reading, ...]:
    """The single run that cargo-criterion reported, one message a line."""
    if document.form != "json":
        if _PRINTED in document.text:
            raise FormatError(
                "",
                "this is what criterion prints, without its samples; record the folder "
                "target/criterion instead.",
            )
        document.json("cargo-criterion")
    found: list[Measurement] = []
    grouped: set[str] = set()
    for place, value in enumerate(document.values, 1):
        message = get_object(value, f"message {place}")
        reason = message.get("reason")
        if reason == "benchmark-complete":
            found.extend(_complete(message, f"message {place}"))
        elif reason == "group-complete":
            where = f"message {place}, benchmarks"
            grouped.update(map(str, get_list(message.get("benchmarks"), where)))
    if not found:
        raise FormatError("", _nothing(document))
    check_unique(found, "give each benchmark its own name")
    last = found[-1].benchmark.name
    if last not in grouped:
        raise FormatError(
            f"message {len(document.values)}",
            f"the group of benchmark {quoted(last)} is not complete; the output is cut "
            "off.",
        )
    return (Reading(Tool("criterion"), tuple(found)),)


_PRINTED = "time:   ["


def _nothing(document: Document) -> str:
    first = document.first
    if isinstance(first, list) or (
        isinstance(first, dict) and first.keys() & {"full_id", "iters", "mean", "Mean"}
    ):
        return (
            "this is one file of criterion's; record the folder target/criterion "
            "instead, which has the names and the samples."
        )
    return "it holds no message 'benchmark-complete' of cargo-criterion."


def _complete(message: dict[str, Any], where: str) -> Iterator[Measurement]:
    """The measurements of one benchmark's message."""
    name = get_text(member(message, "id", where), f"{where}, id")
    unit = get_text(member(message, "unit", where), f"{where}, unit", 64)
    values: tuple[float, ...] = ()
    summary = None
    if message.get("measured_values"):
        values = _divided(
            numbers(message["measured_values"], f"{where}, measured_values"),
            numbers(message.get("iteration_count"), f"{where}, iteration_count"),
            where,
        )
    else:
        mean = get_object(member(message, "mean", where), f"{where}, mean")
        place = f"{where}, mean"
        center = number(member(mean, "estimate", place), place)
        summary = _summary(center, None, None, where)
    work = None
    for one in get_list(message.get("throughput") or [], f"{where}, throughput"):
        place = f"{where}, throughput"
        per = get_object(one, place)
        if isinstance(per.get("unit"), str):
            amount = member(per, "per_iteration", place)
            work = work or _work({per["unit"]: amount}, place)
    yield from _measurements(Benchmark(name), unit, values, summary, work)

"""pytest-benchmark: `--benchmark-json=FILE`, and files saved in `.benchmarks/`.

Times are seconds a call (a round's time over its iterations).  One file is one
process.  A benchmark that failed is left out by the tool itself, so it shows up
as missing, never as failed.
"""

from __future__ import annotations

from typing import Any

from gitbench.formats.document import (
    Document,
    FormatError,
    check_unique,
    commit_id,
    facts,
    get_list,
    get_object,
    get_text,
    mean_with_range,
    member,
    number,
    numbers,
    timestamp,
    whole,
)
from gitbench.model import (
    MAX_NAME,
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    Reading,
    Tool,
)
from gitbench.units import kind_and_better

_DURATION = Metric("duration", "s", Better.LOWER, Kind.DURATION)


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a pytest-benchmark file."""
    top = get_object(document.single("pytest-benchmark"), "top level")
    measurements: list[Measurement] = []
    summaries = 0
    for i, item in enumerate(get_list(member(top, "benchmarks", ""), "benchmarks")):
        where = f"benchmarks[{i}]"
        bench = get_object(item, where)
        benchmark = _benchmark(bench, where)
        stats = get_object(member(bench, "stats", where), f"{where}.stats")
        measured = _duration(benchmark, stats, f"{where}.stats")
        summaries += not measured.processes
        measurements.append(measured)
        measurements.extend(_extras(benchmark, bench.get("extra_info"), where))
    check_unique(
        measurements, "give the parameters ids of their own with pytest.param(id=...)"
    )
    started_at, naive = None, False
    if top.get("datetime") is not None:
        text = get_text(top["datetime"], "datetime")
        started_at, naive = timestamp(text, "datetime")
    commit, dirty = _commit(top.get("commit_info"))
    version = top.get("version")
    return (
        Reading(
            tool=Tool(
                "pytest-benchmark",
                None if version is None else get_text(version, "version"),
            ),
            measurements=tuple(measurements),
            started_at=started_at,
            naive_time=naive,
            commit=commit,
            dirty=dirty,
            facts=_facts(top.get("machine_info")),
            warnings=_warnings(summaries, len(measurements)),
        ),
    )


def _benchmark(bench: dict[str, Any], where: str) -> Benchmark:
    """Name and parameters of a benchmark, the same in every run.

    The name is the test's id without a leading `../`.  Where pytest made the id in
    brackets out of the parameters' values, these become parameters; an id that
    was chosen by hand stays in the name, because the values behind it may be
    huge, or differ in every run (a function's address).
    """
    name = get_text(bench.get("fullname") or bench.get("name"), f"{where}.fullname")
    while name.startswith("../"):
        name = name[3:]
    param, params = bench.get("param"), bench.get("params")
    if isinstance(param, str) and isinstance(params, dict):
        texts = [_parameter(value) for value in params.values()]
        known = [text for text in texts if text is not None]
        short = name.removesuffix(f"[{param}]")
        if "-".join(known) == param and len(known) == len(texts) and short != name:
            return Benchmark(short, tuple(zip(params, known, strict=True)))
    return Benchmark(name)


def _parameter(value: object) -> str | None:
    """A parameter's value as pytest writes it into an id; None if it would not."""
    if value is not None and not isinstance(value, str | int | float):
        return None
    text = str(value)
    return text if len(text) <= MAX_NAME else None


def _duration(benchmark: Benchmark, stats: dict[str, Any], where: str) -> Measurement:
    """Raw times where the file has them, else the mean with its range."""
    if stats.get("data") is not None:
        values = numbers(stats["data"], f"{where}.data")
        if not values:
            raise FormatError(f"{where}.data", "it is empty.")
        return Measurement(benchmark, _DURATION, (values,))
    rounds = stats.get("rounds")
    n = None if rounds is None else whole(rounds, f"{where}.rounds", 1)
    summary = mean_with_range(stats, where, n)
    return Measurement(benchmark, _DURATION, summary=summary)


def _extras(benchmark: Benchmark, extra: object, where: str) -> list[Measurement]:
    """Numbers in `extra_info` whose name says which way is better, one value each.

    Other numbers there describe the benchmark more often than they measure it
    (an input's length), so they are not read.
    """
    if not isinstance(extra, dict):
        return []
    found = []
    for key, value in extra.items():
        if type(value) is not int and type(value) is not float:
            continue
        kind, better = kind_and_better(key, "1")
        if better is Better.NONE or key == "duration":
            continue
        if kind is Kind.PROPORTION:
            kind = Kind.SCORE
        elif kind is Kind.EXACT:
            kind = Kind.COUNT
        metric = Metric(get_text(key, f"{where}.extra_info"), "1", better, kind)
        one = number(value, f"{where}.extra_info[{key[:80]!r}]")
        found.append(Measurement(benchmark, metric, ((one,),)))
    return found


def _commit(info: object) -> tuple[str | None, bool | None]:
    """Commit and dirty flag; outside a repository the tool says "unversioned"."""
    if not isinstance(info, dict):
        return None, None
    commit, dirty = commit_id(info.get("id")), info.get("dirty")
    return commit, dirty if isinstance(dirty, bool) and commit else None


def _facts(machine: object) -> tuple[tuple[str, str], ...]:
    """Facts of `machine_info`; the host's name is never one of them."""
    if not isinstance(machine, dict):
        return ()
    cpu = machine.get("cpu")
    cpu = cpu if isinstance(cpu, dict) else {}
    python = [machine.get("python_implementation"), machine.get("python_version")]
    return facts(
        cpu=cpu.get("brand_raw") or cpu.get("brand"),
        cores=cpu.get("count"),
        os=machine.get("system"),
        arch=machine.get("machine"),
        kernel=machine.get("release"),
        runtime=" ".join([part for part in python if isinstance(part, str)]),
    )


def _warnings(summaries: int, total: int) -> tuple[str, ...]:
    if not summaries:
        return ()
    return (
        f"{summaries} of {total} measurements came without raw values, only a "
        "mean; run pytest with --benchmark-json=FILE (or --benchmark-save-data) "
        "to keep them.",
    )

"""pyperf: `-o FILE.json` or `.json.gz`, also of a suite such as pyperformance.

Each run of a benchmark is a process of its own, with warm-ups and values.  Runs
without values are calibrations.  Metadata of a suite holds for its benchmarks,
and that of a benchmark for its runs.
"""

from __future__ import annotations

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
    numbers,
    quoted,
    timestamp,
)
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    Reading,
    Status,
    Tool,
)

_METRICS = {
    "second": Metric("duration", "s", Better.LOWER, Kind.DURATION),
    # pyperf measures bytes with --track-memory and --tracemalloc alone.
    "byte": Metric("peak_memory", "B", Better.LOWER, Kind.SIZE),
    # Its own comparison calls fewer better for every unit.
    "integer": Metric("count", "1", Better.LOWER, Kind.COUNT),
}


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a pyperf file."""
    top = get_object(document.single("pyperf"), "top level")
    version = member(top, "version", "")
    if version != "1.0":
        raise FormatError(
            "version",
            f"it is {quoted(version)}, and only '1.0' is known; read the file with "
            "pyperf 1.0 or later and write it again (python -m pyperf convert).",
        )
    shared = _metadata(top, "")
    measurements = []
    dates = []
    described = shared
    for i, item in enumerate(get_list(member(top, "benchmarks", ""), "benchmarks")):
        where = f"benchmarks[{i}]"
        bench = get_object(item, where)
        metadata = shared | _metadata(bench, where)
        runs = get_list(member(bench, "runs", where), f"{where}.runs")
        measurements.append(_measurement(metadata, runs, where))
        dates += _dates(metadata, runs, where)
        described = metadata | described
    check_unique(measurements, "give each benchmark a name of its own")
    # pyperf writes local times without a zone.
    started_at, naive = timestamp(min(dates), "date") if dates else (None, False)
    perf_version = described.get("perf_version")
    return (
        Reading(
            tool=Tool(
                "pyperf",
                None
                if perf_version is None
                else get_text(perf_version, "metadata.perf_version"),
            ),
            measurements=tuple(measurements),
            started_at=started_at,
            naive_time=naive,
            facts=_facts(described),
        ),
    )


def _metadata(owner: dict[str, Any], where: str) -> dict[str, Any]:
    place = f"{where}.metadata" if where else "metadata"
    found = owner.get("metadata")
    return {} if found is None else get_object(found, place)


def _measurement(metadata: dict[str, Any], runs: list[Any], where: str) -> Measurement:
    name = get_text(member(metadata, "name", f"{where}.metadata"), f"{where}.name")
    unit = metadata.get("unit", "second")
    metric = _METRICS.get(unit) if isinstance(unit, str) else None
    if metric is None:
        raise FormatError(
            f"{where}.metadata.unit",
            f"{quoted(unit)} is unknown; known are {', '.join(_METRICS)}.",
        )
    processes = []
    for j, item in enumerate(runs):
        run = get_object(item, f"{where}.runs[{j}]")
        if run.get("values"):
            processes.append(numbers(run["values"], f"{where}.runs[{j}].values"))
    if not processes:
        return Measurement(
            Benchmark(name),
            metric,
            status=Status.SKIPPED,
            message="the file holds calibration runs only, no values",
        )
    return Measurement(Benchmark(name), metric, tuple(processes))


def _dates(metadata: dict[str, Any], runs: list[Any], where: str) -> list[str]:
    """Start times of the runs that have one."""
    found = []
    for j, run in enumerate(runs):
        own = _metadata(run, f"{where}.runs[{j}]").get("date", metadata.get("date"))
        if own is not None:
            found.append(get_text(own, f"{where}.runs[{j}].metadata.date"))
    return found


_ARCHITECTURES = frozenset(
    (
        "x86_64",
        "amd64",
        "AMD64",
        "aarch64",
        "arm64",
        "i386",
        "i686",
        "armv7l",
        "ppc64le",
        "s390x",
        "riscv64",
        "loongarch64",
    )
)


def _facts(metadata: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Facts of the metadata; `platform` is `Linux-5.15.0-1-generic-x86_64-with-...`."""
    platform = metadata.get("platform")
    parts = platform.split("-") if isinstance(platform, str) else []
    # Debian's kernel is called 6.1.0-1-amd64, with the architecture after it.
    places = [i for i, part in enumerate(parts) if part in _ARCHITECTURES]
    config = metadata.get("cpu_config")
    governor = ""
    if isinstance(config, str) and "governor:" in config:
        governor = config.partition("governor:")[2].split(",")[0].split(";")[0]
    python = [metadata.get("python_implementation"), metadata.get("python_version")]
    return facts(
        cpu=metadata.get("cpu_model_name"),
        cores=metadata.get("cpu_count"),
        os=parts[0] if parts else None,
        arch=parts[places[-1]] if places else None,
        kernel="-".join(parts[1 : places[-1]]) if places else None,
        runtime=" ".join([part for part in python if isinstance(part, str)]),
        governor=governor,
    )

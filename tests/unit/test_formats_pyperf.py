"""Tests of the reader of pyperf."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from gitbench import formats
from gitbench.model import Benchmark, Better, Kind, Metric, Reading, Status, Tool

DATA = Path(__file__).parent.parent / "data"


def made(*benchmarks: dict[str, Any], **fields: Any) -> Reading:
    """The run of a file with these benchmarks."""
    top = {"version": "1.0", "metadata": {"unit": "second"}, **fields}
    text = json.dumps(top | {"benchmarks": list(benchmarks)})
    (reading,) = formats.read(text.encode(), tool="pyperf", name="x")
    return reading


def bench(*runs: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """One benchmark as the tool writes it."""
    return {"metadata": {"name": "b", **metadata}, "runs": list(runs)}


def test_each_run_is_a_process() -> None:
    """Values stay in their processes; calibration runs and warm-ups are left out."""
    data = (DATA / "pyperf.json").read_bytes()
    (reading,) = formats.read(data, tool=None, name="x")
    raw = json.loads(data)
    assert [one.benchmark for one in reading.measurements] == [
        Benchmark("sort"),
        Benchmark("join"),
    ]
    for one, item in zip(reading.measurements, raw["benchmarks"], strict=True):
        runs = item["runs"]
        assert len(one.processes) == 4 == len([r for r in runs if "values" in r])
        assert one.processes == tuple(
            tuple(run["values"]) for run in runs if "values" in run
        )
        assert one.metric == Metric("duration", "s", Better.LOWER, Kind.DURATION)


def test_memory_is_read_from_gzip() -> None:
    """--track-memory gives peak memory in bytes; `.json.gz` is unpacked."""
    data = (DATA / "pyperf-memory.json.gz").read_bytes()
    (reading,) = formats.read(data, tool=None, name="x")
    (one,) = reading.measurements
    assert one.metric == Metric("peak_memory", "B", Better.LOWER, Kind.SIZE)
    assert len(one.processes) == 3
    plain = formats.read(gzip.decompress(data), tool=None, name="x")
    assert plain == (reading,)


def test_metadata_tells_machine_and_time() -> None:
    """Version, facts and the earliest start come from the metadata."""
    data = (DATA / "pyperf.json").read_bytes()
    (reading,) = formats.read(data, tool=None, name="x")
    assert reading.tool == Tool("pyperf", "2.10.0")
    facts = dict(reading.facts)
    assert facts["cpu"] == "AMD EPYC"
    assert facts["cores"] == "2"
    assert (facts["os"], facts["arch"]) == ("Linux", "x86_64")
    assert facts["kernel"] == "6.1.0-1-amd64"
    assert facts["runtime"] == "cpython 3.11.7 (64-bit)"
    dates = [
        run["metadata"]["date"]
        for item in json.loads(data)["benchmarks"]
        for run in item["runs"]
    ]
    assert reading.naive_time
    assert reading.started_at is not None
    earliest = formats.document.timestamp(min(dates), "")[0]
    assert reading.started_at == earliest


def test_metadata_is_inherited() -> None:
    """A name and a unit may stand at the top, and a benchmark's own wins."""
    one = {"runs": [{"values": [3]}]}
    reading = made(one, metadata={"name": "timeit", "unit": "byte", "date": None})
    assert reading.measurements[0].benchmark.name == "timeit"
    assert reading.measurements[0].metric.kind is Kind.SIZE
    own = made(bench({"values": [3]}, unit="integer"))
    assert own.measurements[0].metric == Metric("count", "1", Better.LOWER, Kind.COUNT)


def test_a_benchmark_of_calibrations_alone_is_skipped() -> None:
    """Without values there is nothing to compare, and that is said."""
    reading = made(bench({"warmups": [[1, 0.5]]}))
    assert reading.measurements[0].status is Status.SKIPPED
    assert "calibration" in str(reading.measurements[0].message)


@pytest.mark.parametrize(
    ("platform", "facts"),
    [
        ("macOS-14.5-arm64-arm-64bit", {"os": "macOS", "arch": "arm64"}),
        ("Windows-11-10.0.22631-SP0", {"os": "Windows"}),
        ("Linux-5.15.0-1-generic-aarch64-with-glibc2.35", {"arch": "aarch64"}),
        ("", {}),
        (5, {}),
    ],
)
def test_platforms_are_understood(platform: object, facts: dict[str, str]) -> None:
    """System and architecture are read out of Python's platform text."""
    found = dict(made(bench({"values": [1.0]}), metadata={"platform": platform}).facts)
    assert facts.items() <= found.items()


def test_the_governor_is_a_fact() -> None:
    """The governor stands inside cpu_config."""
    config = "0-7=driver:intel_pstate, intel_pstate:turbo, governor:powersave; idle:x"
    reading = made(bench({"values": [1.0]}), metadata={"cpu_config": config})
    assert dict(reading.facts)["governor"] == "powersave"


@pytest.mark.parametrize(
    ("fields", "item", "reason"),
    [
        ({"version": "6"}, bench({"values": [1.0]}), "only '1.0' is known"),
        ({"version": None}, bench({"values": [1.0]}), "'version' is missing"),
        ({}, {"runs": []}, "benchmarks[0].metadata: 'name' is missing"),
        ({}, {"metadata": {"name": "b"}}, "benchmarks[0]: 'runs' is missing"),
        ({}, bench({"values": 5}), "runs[0].values: it must be an array"),
        ({}, bench({"values": ["x"]}), "runs[0].values[0]: it must be a number"),
        ({}, bench({"values": [1.0]}, unit="apple"), "'apple' is unknown; known are"),
        ({}, bench({"values": [1.0]}, unit=[]), "metadata.unit: '[]' is unknown"),
        ({}, bench({"values": [1.0], "metadata": {"date": "now"}}), "'now' is no time"),
        ({}, bench({"values": [1.0], "metadata": 5}), "runs[0].metadata: it must be"),
        ({"metadata": []}, bench({"values": [1.0]}), "metadata: it must be an object"),
        ({}, 5, "benchmarks[0]: it must be an object"),
        ({}, bench(5), "benchmarks[0].runs[0]: it must be an object"),  # type: ignore[arg-type]
    ],
)
def test_wrong_fields_are_refused(
    fields: dict[str, Any], item: dict[str, Any], reason: str
) -> None:
    """Each mistake is told with its place."""
    with pytest.raises(formats.FormatError) as caught:
        made(item, **fields)
    assert reason in str(caught.value)


def test_equal_names_are_refused() -> None:
    """Two benchmarks of one name cannot be told apart."""
    with pytest.raises(formats.FormatError, match="stands there twice"):
        made(bench({"values": [1.0]}), bench({"values": [2.0]}))

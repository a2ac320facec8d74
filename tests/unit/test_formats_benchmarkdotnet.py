"""Tests of the reader of BenchmarkDotNet."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from gitbench import formats
from gitbench.model import Better, Kind, Metric, Reading, Status, Summary, Tool

DATA = Path(__file__).parent.parent / "data" / "benchmarkdotnet"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "formats" / "benchmarkdotnet"
DURATION = Metric("duration", "ns", Better.LOWER, Kind.DURATION)
ALLOCATED = Metric("allocated", "B", Better.LOWER, Kind.SIZE)


def read(name: str) -> Reading:
    """The run in a file of tests/data/benchmarkdotnet."""
    (reading,) = formats.read((DATA / name).read_bytes(), tool=None, name=name)
    return reading


def bench(**fields: Any) -> dict[str, Any]:
    """A smallest entry."""
    return {
        "DisplayInfo": "T.M: DefaultJob",
        "Namespace": "N",
        "Type": "T",
        "Method": "M",
        "Parameters": "",
        "FullName": "N.T.M",
        "Statistics": {"OriginalValues": [1.0, 2], "N": 2, "Mean": 1.5},
    } | fields


def made(*entries: Any, host: Any = None, title: Any = "T") -> Reading:
    """The run of a report with these entries."""
    top = {
        "Title": title,
        "HostEnvironmentInfo": host or {},
        "Benchmarks": list(entries),
    }
    (reading,) = formats.read(json.dumps(top).encode(), tool=None, name="x")
    return reading


def result(launch: int, time: float, operations: int, **fields: Any) -> dict[str, Any]:
    """A measurement of stage Result."""
    return {
        "IterationMode": "Workload",
        "IterationStage": "Result",
        "LaunchIndex": launch,
        "IterationIndex": 1,
        "Operations": operations,
        "Nanoseconds": time,
    } | fields


def test_launches_are_processes() -> None:
    """Only stage Result counts, by the launch that measured it."""
    reading = read("full.json")
    quick = [
        one for one in reading.measurements if one.benchmark.name.endswith("Quick")
    ]
    durations = [one for one in quick if one.metric == DURATION]
    assert [one.processes for one in durations] == [
        ((80.0, 81.0, 82.0), (84.0, 85.0, 86.0)),
        ((800.0, 810.0, 820.0), (840.0, 850.0, 860.0)),
    ]
    assert [one.benchmark.label for one in durations] == [
        "Demo.Sorting.Quick [N=10]",
        "Demo.Sorting.Quick [N=100]",
    ]


def test_memory_and_other_metrics_are_read() -> None:
    """Allocations are bytes an operation; a descriptor tells its direction."""
    found = {
        (one.benchmark.params, one.metric): one.processes
        for one in read("full.json").measurements
        if one.metric != DURATION
    }
    exceptions = Metric("Exceptions", "1", Better.LOWER, Kind.SCORE)
    assert found == {
        ((("N", "10"),), ALLOCATED): ((64.0,),),
        ((("N", "100"),), ALLOCATED): ((640.0,),),
        ((("N", "10"),), exceptions): ((3.0,),),
        ((("N", "100"),), exceptions): ((3.0,),),
    }


def test_a_benchmark_without_statistics_failed() -> None:
    """BenchmarkDotNet writes null for what did not run."""
    (one,) = [
        one for one in read("full.json").measurements if "Broken" in one.benchmark.name
    ]
    assert one.status is Status.FAILED
    assert one.processes == ()
    assert one.summary is None


def test_a_brief_report_has_values_without_launches() -> None:
    """Two jobs of one benchmark are told apart by what they are."""
    reading = read("brief-compressed.json")
    found = {
        one.benchmark.label: one.processes
        for one in reading.measurements
        if one.metric == DURATION
    }
    assert found == {
        "Demo.Sorting.Quick [N=10, job=LaunchCount=2]": (
            (80.0, 81.0, 82.0, 84.0, 85.0, 86.0),
        ),
        "Demo.Sorting.Quick [N=10, job=.NET 8.0]": (
            (800.0, 810.0, 820.0, 840.0, 850.0, 860.0),
        ),
    }
    assert reading.warnings == ()


def test_version_machine_and_start_are_read() -> None:
    """The title ends in the local time of the start."""
    reading = read("full.json")
    assert reading.tool == Tool("benchmarkdotnet", "0.15.8")
    assert (reading.started_at, reading.naive_time) == (1767323045000, True)
    assert dict(reading.facts) == {
        "arch": "X64",
        "cores": "4",
        "cpu": "AMD EPYC 7763",
        "os": "linux",
        "runtime": ".NET 10.0.4 (10.0.4, 10.0.426.12010)",
    }


@pytest.mark.parametrize(
    ("told", "system"),
    [
        ("Windows 11 (10.0.26100.8037/24H2)", "windows"),
        ("Microsoft Windows NT 6.2.9200.0", "windows"),
        ("macOS Sonoma 14.5 (23F79) [Darwin 23.5.0]", "macos"),
        ("Debian GNU/Linux 12 (bookworm)", "linux"),
        ("ubuntu 20.04", "linux"),
        ("Plan 9", None),
        (7, None),
    ],
)
def test_systems_go_by_their_common_names(told: Any, system: str | None) -> None:
    """Distributions are Linux."""
    reading = made(bench(), host={"OsVersion": told})
    assert dict(reading.facts).get("os") == system


@pytest.mark.parametrize("title", [None, 1, "T", "T-20261399-000000", "T-2026-0102"])
def test_a_title_without_a_time_gives_no_start(title: Any) -> None:
    """A title may be anything."""
    reading = made(bench(), title=title)
    assert (reading.started_at, reading.naive_time) == (None, False)


def test_an_old_report_gives_a_summary() -> None:
    """Versions before 0.10 wrote statistics without values, and other host facts."""
    statistics = {
        "N": 20,
        "Mean": 3.0,
        "Min": 1.0,
        "Max": 9.0,
        "StandardDeviation": 0.5,
        "Median": 2.5,
    }
    host = {
        "ProcessorName": {"Value": "i7"},
        "ProcessorCount": 8,
        "Architecture": "64-bit",
    }
    reading = made(bench(Statistics=statistics), host=host)
    (one,) = reading.measurements
    assert one.summary == Summary(3.0, "mean", 1.0, 9.0, 0.5, 20)
    assert dict(reading.facts) == {"cores": "8", "cpu": "i7"}
    assert "1 of 1 benchmarks came without raw values" in reading.warnings[0]


def test_old_measurements_have_no_stage() -> None:
    """Before 0.11 the mode itself was Result."""
    rows = [result(1, 10, 2, IterationMode="Result"), result(2, 30, 2)]
    rows[0].pop("IterationStage")
    rows.append({"IterationMode": "MainTarget", "LaunchIndex": 1})
    (one,) = made(bench(Measurements=rows)).measurements
    assert one.processes == ((5.0,), (15.0,))


@pytest.mark.parametrize(
    ("parameters", "full", "label"),
    [
        ("A=1&B=x y", "N.T.M(A: 1, B: x y)", "N.T.M [A=1, B=x y]"),
        ("A=a=b", "N.T.M(A: a=b)", "N.T.M [A=a=b]"),
        ("A=x&y", 'N.T.M(A: "x&y")', 'N.T.M(A: "x&y")'),
        ("A=aa(...)aa [99]", 'N.T.M(A: "aaXaa")', 'N.T.M(A: "aaXaa")'),
        ("A=1&A=2", "N.T.M(A: 1, A: 2)", "N.T.M(A: 1, A: 2)"),
        ("A=", "N.T.M(A: )", "N.T.M [A=]"),
        (None, "N.T.M", "N.T.M"),
    ],
)
def test_parameters_are_parameters_where_they_are_clear(
    parameters: Any, full: str, label: str
) -> None:
    """A value that the tool shortened stays in the full name."""
    reading = made(bench(Parameters=parameters, FullName=full))
    assert reading.measurements[0].benchmark.label == label


def test_a_debug_build_is_told() -> None:
    """Its times mean little."""
    for host in ({"Configuration": "DEBUG"}, {"HasAttachedDebugger": True}):
        assert "debug build" in made(bench(), host=host).warnings[0]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"Statistics": []}, "Benchmarks[0].Statistics: it must be an object"),
        ({"Statistics": {}}, "Benchmarks[0].Statistics: 'Mean' is missing"),
        ({"Statistics": {"Mean": "NaN"}}, "Statistics.Mean: it must be a number"),
        ({"Statistics": {"Mean": 1, "N": 0}}, "Statistics.N: it must be 1 or more"),
        (
            {"Statistics": {"OriginalValues": [1, float("nan")]}},
            "OriginalValues[1]: it is NaN",
        ),
        ({"Statistics": {"Mean": 1, "StandardDeviation": -1}}, "stddev is negative"),
        ({"Measurements": {}}, "Benchmarks[0].Measurements: it must be an array"),
        ({"Measurements": [1]}, "Measurements[0]: it must be an object"),
        ({"Measurements": [result(1, 5, 0)]}, "[0].Operations: it must be 1 or more"),
        ({"Measurements": [result(1, float("inf"), 1)]}, "[0].Nanoseconds: it is inf"),
        ({"Measurements": [result(-1, 5, 1)]}, "[0].LaunchIndex: it must be 0 or more"),
        (
            {
                "Measurements": [
                    {"IterationMode": "Workload", "IterationStage": "Result"}
                ]
            },
            "Measurements[0]: 'LaunchIndex' is missing",
        ),
        ({"Memory": []}, "Benchmarks[0].Memory: it must be an object"),
        (
            {"Memory": {"BytesAllocatedPerOperation": "x"}},
            "BytesAllocatedPerOperation: it must be a number",
        ),
        ({"Metrics": [{"Value": 1}]}, "Metrics[0]: 'Descriptor' is missing"),
        ({"Method": None, "FullName": None}, "FullName: it must be text"),
    ],
)
def test_wrong_fields_are_refused(fields: dict[str, Any], reason: str) -> None:
    """Each mistake is told with its place."""
    with pytest.raises(formats.FormatError) as caught:
        made(bench(**fields))
    assert reason in str(caught.value)


def test_equal_benchmarks_are_refused() -> None:
    """Two entries that nothing tells apart are no two benchmarks."""
    with pytest.raises(formats.FormatError, match="it stands there twice"):
        made(bench(), bench())
    with pytest.raises(formats.FormatError, match="it holds no benchmark result"):
        made()


def test_jobs_whose_short_names_are_equal_keep_their_own() -> None:
    """Two jobs of the same characteristics differ in their ids alone."""
    first = bench(DisplayInfo="T.M: Job-A(Server=True)")
    second = bench(DisplayInfo="T.M: Job-B(Server=True)")
    jobs = [
        dict(one.benchmark.params)["job"] for one in made(first, second).measurements
    ]
    assert jobs == ["Job-A(Server=True)", "Job-B(Server=True)"]


@pytest.mark.parametrize(
    "head",
    [
        "Method,Job,Runtime,Mean,Error,StdDev\n",
        "Method;Job;N;Mean [ns];Error [ns];StdDev [ns]\n",
        '"Type","Method","Mean","Error"\n',
    ],
)
def test_the_csv_report_is_refused(head: str) -> None:
    """Its cells are rounded; the exporter that is needed is named."""
    with pytest.raises(formats.FormatError, match="--exporters json"):
        formats.read(head.encode(), tool=None, name="x")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared files are absent")
@pytest.mark.parametrize(
    ("name", "count", "allocated"),
    [
        ("*BaselinedBenchmark-report-full.json", 2, True),
        ("*Crc32Benchmark-report-full.json.gz", 8, True),
        ("*Md5VsSha256Benchmark-report-full.json.gz", 6, True),
        ("bencherdev+bencher__memory.json", 2, True),
        ("bencherdev+bencher__two.json", 2, False),
    ],
)
def test_results_of_others_are_read(name: str, count: int, allocated: bool) -> None:
    """Files from public repositories: the mean of the values is the tool's own."""
    (path,) = SHARED.glob(name)
    data = path.read_bytes()
    raw = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    (reading,) = formats.read(data, tool=None, name=path.name)
    found = [one for one in reading.measurements if one.metric == DURATION]
    assert len(found) == count
    assert len(reading.measurements) == count * (2 if allocated else 1)
    for one, entry in zip(found, raw["Benchmarks"], strict=True):
        mean = entry["Statistics"]["Mean"]
        if one.summary is None:
            (values,) = one.processes
            assert values == tuple(entry["Statistics"]["OriginalValues"])
            assert sum(values) / len(values) == pytest.approx(mean)
        else:
            assert (one.summary.center, one.summary.n) == (mean, 20)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared files are absent")
def test_a_full_report_without_measurements_has_the_same_values() -> None:
    """Brief reports of the same benchmarks give the same numbers."""
    (path,) = SHARED.glob("bencherdev+bencher__memory.json")
    full = json.loads(path.read_text())
    brief = copy.deepcopy(full)
    for entry in brief["Benchmarks"]:
        del entry["Measurements"]
    (one,) = formats.read(json.dumps(full).encode(), tool=None, name="x")
    (other,) = formats.read(json.dumps(brief).encode(), tool=None, name="x")
    assert one.measurements == other.measurements


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared files are absent")
def test_csv_reports_of_others_are_refused() -> None:
    """All three are known for what they are."""
    paths = list(SHARED.glob("*.csv"))
    assert len(paths) == 3
    for path in paths:
        with pytest.raises(formats.FormatError, match="it is the CSV report"):
            formats.read(path.read_bytes(), tool=None, name=path.name)

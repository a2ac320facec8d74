"""vitest bench of two generations, and tinybench."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitbench import formats
from gitbench.model import Measurement, Reading, Status, Summary

DATA = Path(__file__).parent.parent / "data"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "formats" / "vitest-bench"


def read(name: str) -> Reading:
    """The single run of a file in tests/data, its tool detected."""
    (reading,) = formats.read((DATA / name).read_bytes(), tool=None, name=name)
    return reading


def refusal(content: object, tool: str) -> str:
    """The message with which some JSON is refused."""
    with pytest.raises(formats.FormatError) as caught:
        formats.read(json.dumps(content).encode(), tool=tool, name="x")
    return str(caught.value)


def by_name(reading: Reading) -> dict[str, Measurement]:
    """Measurements by label."""
    return {one.benchmark.label: one for one in reading.measurements}


def summary(measurement: Measurement) -> Summary:
    """The summary that a measurement has."""
    assert measurement.summary is not None
    return measurement.summary


def test_vitest_3_has_statistics_only() -> None:
    """`--outputJson` strips samples; what threw has no numbers and is failed."""
    reading = read("vitest/vitest3.json")
    rows = by_name(reading)
    normal = summary(rows["sort.bench.js > sort > normal"])
    assert (normal.center, normal.n) == (0.1560604524180987, 641)
    assert normal.stddev == 0.7039538217184641
    assert rows["sort.bench.js > sort > throws"].status is Status.FAILED
    assert "2 of 3 benchmarks have no raw values" in reading.warnings[0]


def test_vitest_5_keeps_samples() -> None:
    """The JSON reporter has samples; a test that failed is failed."""
    reading = read("vitest/vitest5.json")
    rows = by_name(reading)
    normal = rows["sort.bench.js > sort > numbers > normal"]
    assert (normal.metric.unit, len(normal.processes[0])) == ("ms", 61)
    mean = sum(normal.processes[0]) / 61
    assert mean == pytest.approx(0.08215298360655243)  # as the tool says in `mean`
    failed = rows["sort.bench.js > sort > fails"]
    assert failed.status is Status.FAILED
    assert failed.message is not None
    assert failed.message.startswith("Error: no")
    assert reading.started_at == 1_795_435_012_061
    assert not reading.warnings


def test_stored_references_are_no_results() -> None:
    """A task from a store was not measured now."""
    stats = {"mean": 1.0, "samples": [1.0]}
    tasks = [
        {"name": "now", "latency": stats},
        {"name": "then", "latency": stats, "fromStore": True},
    ]
    result = {"title": "t", "benchmarks": [{"name": "t", "tasks": tasks}]}
    top = {"testResults": [{"name": "C:\\p\\f.bench.ts", "assertionResults": [result]}]}
    (reading,) = formats.read(json.dumps(top).encode(), tool=None, name="x")
    assert list(by_name(reading)) == ["f.bench.ts > t > now"]


def test_tinybench_tasks_keep_samples() -> None:
    """Retained samples are raw values in ms; an errored task is failed."""
    rows = by_name(read("tinybench/tasks.json"))
    assert len(rows["slow"].processes[0]) == 20
    assert rows["broken"].status is Status.FAILED


def test_tinybench_tables_have_averages() -> None:
    """`bench.table()` prints the average with its unit; an error is told."""
    rows = by_name(read("tinybench/table.json"))
    assert summary(rows["slow"]).center == 300665.0
    assert rows["slow"].metric.unit == "ns"
    assert rows["broken"].message == "boom"


def test_older_tinybench_has_flat_results() -> None:
    """Before version 3 the statistics stood in the result itself."""
    result = {"hz": 1.0, "mean": 2.0, "samples": [1.5, 2.5], "sd": 0.5}
    tasks = [{"name": "a", "result": result}]
    (reading,) = formats.read(json.dumps(tasks).encode(), tool=None, name="x")
    assert reading.tool.name == "tinybench"
    assert reading.measurements[0].processes == ((1.5, 2.5),)


NAN = float("nan")


@pytest.mark.parametrize(
    ("tool", "content", "words"),
    [
        ("tinybench", [{"name": "a", "result": {"latency": {"mean": NAN}}}], "NaN"),
        ("tinybench", [{"name": "a", "result": {"samples": [NAN]}}], "samples[0]"),
        ("tinybench", [{"name": "a", "result": {}}], "'mean' is missing"),
        ("tinybench", [{"Task name": "a"}], "no column of average"),
        ("tinybench", [{"Task name": "a", "Average (x)": "1"}], "no unit of time"),
        ("tinybench", [{"Task name": "a", "Average (ns)": "x"}], "no number"),
        ("tinybench", [], "no benchmark result"),
        ("vitest", {"files": [{"groups": 3}]}, "files[0]"),
        ("vitest", {"files": [{"groups": [{"benchmarks": []}]}]}, "fullName"),
        ("vitest", {"testResults": [{}]}, "'name' is missing"),
        ("vitest", {}, "'testResults' is missing"),
        ("vitest", {"testResults": [], "startTime": NAN}, "no benchmark result"),
    ],
)
def test_what_cannot_be_read(tool: str, content: object, words: str) -> None:
    """Impossible content is refused with its place."""
    assert words in refusal(content, tool)


@pytest.mark.skipif(not SHARED.exists(), reason="the sample files are not beside")
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("bencherdev+bencher__vitest_four.json", 4),
        ("bencherdev+bencher__vitest_two.json", 2),
        ("gatewaycorporate+fp-devicer__benchmarks_bench-results.json", 19),
        ("gatewaycorporate+fp-devicer__root_bench-results.json", 5),
    ],
)
def test_files_of_other_projects(name: str, count: int) -> None:
    """Real reports that others published are read as a whole."""
    (reading,) = formats.read((SHARED / name).read_bytes(), tool=None, name=name)
    assert len(reading.measurements) == count
    assert all(one.status is Status.OK for one in reading.measurements)

"""Tests of the reader of Google Benchmark."""

from __future__ import annotations

import gzip
import json
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gitbench import formats
from gitbench.model import Better, Kind, Metric, Reading, Status, Summary, Tool

DATA = Path(__file__).parent.parent / "data" / "google-benchmark"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "formats" / "google-benchmark"
LOWER, HIGHER, NONE = Better.LOWER, Better.HIGHER, Better.NONE
THROUGHPUT = Kind.THROUGHPUT


def read(name: str) -> Reading:
    """The run in a file of tests/data/google-benchmark."""
    (reading,) = formats.read((DATA / name).read_bytes(), tool=None, name=name)
    return reading


def table(reading: Reading) -> dict[tuple[str, str], Any]:
    """Measurements by benchmark and metric."""
    return {(one.benchmark.label, one.metric.name): one for one in reading.measurements}


def row(**fields: Any) -> dict[str, Any]:
    """A smallest row of a repetition."""
    return {
        "name": "b",
        "run_name": "b",
        "run_type": "iteration",
        "repetitions": 1,
        "repetition_index": 0,
        "iterations": 10,
        "real_time": 2.0,
        "cpu_time": 1.0,
        "time_unit": "ns",
    } | fields


def made(*rows: dict[str, Any], **context: Any) -> Reading:
    """The run of a file with these rows."""
    text = json.dumps({"context": {"num_cpus": 2} | context, "benchmarks": list(rows)})
    (reading,) = formats.read(text.encode(), tool=None, name="x")
    return reading


def test_repetitions_are_the_values_of_one_process() -> None:
    """Each repetition is a value; aggregates and fits are left out."""
    reading = read("repetitions.json")
    assert reading.tool == Tool("google-benchmark", None)
    found = table(reading)
    assert {name for name, _ in found} == {
        "Sort/n:8",
        "Sort/n:64",
        "Sort/n:512",
        "Copy/4096/real_time",
        "Broken",
    }
    raw = json.loads((DATA / "repetitions.json").read_text())["benchmarks"]
    for (name, metric), key in [
        (("Sort/n:8", "duration"), "real_time"),
        (("Sort/n:64", "cpu_time"), "cpu_time"),
        (("Sort/n:512", "items_per_second"), "items_per_second"),
        (("Copy/4096/real_time", "throughput"), "bytes_per_second"),
    ]:
        rows = [one for one in raw if one["run_name"] == name]
        values = [one[key] for one in rows if one["run_type"] == "iteration"]
        assert len(values) == 5
        one = found[name, metric]
        assert one.processes == (tuple(values),)
        # What the tool itself says of these repetitions.
        (mean,) = [one[key] for one in rows if one.get("aggregate_name") == "mean"]
        assert statistics.mean(one.processes[0]) == pytest.approx(mean)


def test_metrics_have_units_and_directions() -> None:
    """Times are lower, rates higher, other counters as their names tell."""
    found = table(read("repetitions.json"))
    metrics = {
        metric: one.metric
        for (name, metric), one in found.items()
        if name.startswith("Copy")
    }
    assert metrics == {
        "duration": Metric("duration", "us", LOWER, Kind.DURATION),
        "cpu_time": Metric("cpu_time", "us", LOWER, Kind.DURATION),
        "throughput": Metric("throughput", "B/s", HIGHER, Kind.THROUGHPUT),
        "cache_misses": Metric("cache_misses", "1", LOWER, Kind.COUNT),
        "frobs": Metric("frobs", "1", NONE, Kind.SCORE),
        "hits": Metric("hits", "1", HIGHER, Kind.SCORE),
    }
    assert found["Sort/n:8", "duration"].metric.unit == "ns"
    assert found["Sort/n:8", "items_per_second"].metric == Metric(
        "items_per_second", "items/s", HIGHER, Kind.THROUGHPUT
    )


def test_errors_are_failures() -> None:
    """SkipWithError gives a failed benchmark with its message, and no time of 0."""
    for name in ("repetitions.json", "aggregates.json", "interleaved.json"):
        one = table(read(name))["Broken", "duration"]
        assert (one.status, one.message) == (Status.FAILED, "no device")
        assert one.processes == ()


def test_aggregates_are_read_where_nothing_else_is_there() -> None:
    """--benchmark_report_aggregates_only leaves a mean and a standard deviation."""
    reading = read("aggregates.json")
    raw = json.loads((DATA / "aggregates.json").read_text())["benchmarks"]
    told = {
        one["aggregate_name"]: one["real_time"]
        for one in raw
        if one["run_name"] == "Sort/n:8" and "real_time" in one
    }
    one = table(reading)["Sort/n:8", "duration"]
    assert one.summary == Summary(told["mean"], "mean", stddev=told["stddev"], n=5)
    assert one.processes == ()
    assert "4 benchmarks came without their repetitions" in reading.warnings[0]


def test_interleaved_repetitions_are_put_in_order() -> None:
    """Random interleaving mixes the rows; their number says which is first."""
    reading = made(
        row(repetition_index=1, real_time=3.0), row(), row(repetition_index=2)
    )
    assert table(reading)["b", "duration"].processes == ((2.0, 3.0, 2.0),)
    sizes = Counter(
        len(group)
        for one in read("interleaved.json").measurements
        for group in one.processes
    )
    assert sizes == {3: 15}


def test_context_gives_start_machine_and_commit() -> None:
    """Host name and path of the program never become facts."""
    reading = read("interleaved.json")
    assert reading.commit == "0123abcd"
    assert reading.dirty is None
    assert reading.started_at == 1795434657000
    assert not reading.naive_time
    assert dict(reading.facts) == {"cores": "2", "load": "1.83"}
    assert "built for debugging" in reading.warnings[0]
    assert read("repetitions.json").commit is None


def test_the_newest_version_tells_its_own() -> None:
    """google-benchmark 1.9 writes its version, and other keys in the context."""
    reading = read("python.json")
    assert reading.tool == Tool("google-benchmark", "1.9.5")
    assert reading.warnings == ()
    found = table(reading)
    assert set(found) == {
        ("total", "duration"),
        ("total", "cpu_time"),
        ("total", "frobs_per_second"),
        ("skipped", "duration"),
    }
    assert found["total", "frobs_per_second"].metric == Metric(
        "frobs_per_second", "1/s", HIGHER, Kind.THROUGHPUT
    )
    assert found["skipped", "duration"].status is Status.FAILED


@pytest.mark.parametrize(
    ("context", "commit", "dirty"),
    [
        ({"GIT_COMMIT_HASH": "fea9315"}, "fea9315", None),
        ({"git_sha": "A" * 40, "GIT_CLEAN_STATUS": "DIRTY"}, "a" * 40, True),
        ({"commit": "a" * 40, "GIT_CLEAN_STATUS": "CLEAN"}, "a" * 40, False),
        ({"commit": "main"}, None, None),
        ({"commit": "abc"}, None, None),
        ({"commit": 12345678}, None, None),
        ({"desul atomics version": "a" * 40}, None, None),
    ],
)
def test_the_commit_is_what_a_context_key_says(
    context: dict[str, Any], commit: str | None, dirty: bool | None
) -> None:
    """--benchmark_context=GIT_COMMIT_HASH=... names the commit, perhaps shortened."""
    reading = made(row(), **context)
    assert (reading.commit, reading.dirty) == (commit, dirty)


def test_a_date_without_zone_is_marked() -> None:
    """Versions before 1.6 wrote local time without its zone."""
    reading = made(row(), date="2019-11-29 21:26:59")
    assert (reading.started_at, reading.naive_time) == (1575062819000, True)


def test_rows_without_a_type_are_told_by_their_names() -> None:
    """Versions before 1.5 mark aggregates only by the ends of their names."""

    def old(name: str, time: float) -> dict[str, Any]:
        return {"name": name, "iterations": 5, "real_time": time, "time_unit": "ns"}

    reading = made(old("b", 1.0), old("b", 2.0), old("b_mean", 1.5), old("b_stddev", 1))
    assert table(reading)["b", "duration"].processes == ((1.0, 2.0),)
    assert len(reading.measurements) == 1
    only = made(old("b_mean", 1.5), old("b_median", 1.5), old("b_stddev", 0.5))
    assert table(only)["b", "duration"].summary == Summary(1.5, "mean", stddev=0.5, n=5)
    # A benchmark may be called so.
    alone = made(old("geometric_mean", 1.5))
    assert table(alone)["geometric_mean", "duration"].processes == ((1.5,),)


def test_counters_of_the_tool_have_the_common_names() -> None:
    """What the memory manager counts is named as other tools name it."""
    reading = made(row(allocs_per_iter=3.0, max_bytes_used=1024, threads=8))
    found = {one.metric.name: one.metric for one in reading.measurements}
    assert found["allocations"] == Metric("allocations", "1", LOWER, Kind.COUNT)
    assert found["peak_memory"] == Metric("peak_memory", "B", LOWER, Kind.SIZE)
    assert set(found) == {"duration", "cpu_time", "allocations", "peak_memory"}


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("CYCLES", Metric("CYCLES", "1", LOWER, Kind.COUNT)),
        ("INSTRUCTIONS", Metric("INSTRUCTIONS", "1", LOWER, Kind.COUNT)),
        ("Passed", Metric("Passed", "1", HIGHER, Kind.SCORE)),
        ("Size of type", Metric("Size of type", "1", NONE, Kind.SCORE)),
        ("Time serial", Metric("Time serial", "1", NONE, Kind.SCORE)),
        ("speed", Metric("speed", "1", NONE, Kind.SCORE)),
        ("duration", Metric("counter duration", "1", NONE, Kind.SCORE)),
        (
            "faults_per_second",
            Metric("faults_per_second", "1/s", LOWER, Kind.THROUGHPUT),
        ),
    ],
)
def test_a_counter_has_no_direction_but_by_its_name(name: str, metric: Metric) -> None:
    """A time or a size without a unit is shown and never gated."""
    reading = made(row(**{name: 5}))
    (found,) = [
        one.metric
        for one in reading.measurements
        if one.metric.name not in ("duration", "cpu_time")
    ]
    assert found == metric


def test_a_skipped_benchmark_is_skipped() -> None:
    """SkipWithMessage, since version 1.8, is no failure."""
    reading = made(row(skipped=True, skip_message="needs a GPU", real_time=0))
    (one,) = reading.measurements
    assert (one.status, one.message) == (Status.SKIPPED, "needs a GPU")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "it holds no benchmark result"),
        ([row(), row()], "benchmark 'b' stands there twice"),
        ([row(real_time="x")], "['real_time']: it must be a number"),
        ([row(family_index=0), row(family_index=1)], "[1]: benchmark 'b' stands there"),
        (
            [row(repetition_index=1), row(repetition_index=1)],
            "benchmark 'b' stands there twice",
        ),
        ([row(real_time=None)], "benchmarks[0]: 'real_time' is missing"),
        ([row(time_unit="h")], "benchmarks[0].time_unit: 'h' is none of ns, us, ms, s"),
        (
            [row(), row(repetition_index=1, time_unit="ms")],
            "benchmarks[0].time_unit: it differs",
        ),
        ([row(real_time=float("nan"))], "benchmarks[0]['real_time']: it is NaN"),
        ([row(frobs=float("inf"))], "benchmarks[0]['frobs']: it is infinite"),
        ([row(run_type="aggregate")], "'aggregate_name' is missing"),
        (
            [row(run_type="aggregate", aggregate_name="cv")],
            "neither a repetition, nor a mean, nor a median",
        ),
        ([{"real_time": 1.0}], "benchmarks[0]: 'name' is missing"),
        ([row(name="", run_name="")], "The text is empty"),
        ([1], "benchmarks[0]: it must be an object"),
    ],
)
def test_wrong_rows_are_refused(rows: list[Any], reason: str) -> None:
    """Each mistake is told with its place."""
    with pytest.raises(formats.FormatError) as caught:
        made(*rows)
    assert reason in str(caught.value)


def test_a_wrong_date_is_refused() -> None:
    """A date that is none is no start."""
    with pytest.raises(formats.FormatError, match=r"date: 'today' is no time"):
        made(row(), date="today")


@pytest.mark.parametrize(
    "text",
    [
        "-----\nBenchmark      Time             CPU   Iterations\nb 1 ns 1 ns 5\n",
        "name,iterations,real_time,cpu_time,time_unit,bytes_per_second\n",
    ],
)
def test_rounded_output_is_refused(text: str) -> None:
    """The console and CSV output are known, and the way out is named."""
    with pytest.raises(formats.FormatError, match="--benchmark_out_format=json"):
        formats.read(text.encode(), tool=None, name="x")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared files are absent")
@pytest.mark.parametrize(
    ("name", "benchmarks", "measurements", "commit"),
    [
        ("benchmark-action", 2, 4, None),
        ("kokkos*_Atomic_", 8, 80, "fea9315"),
        ("kokkos*_Benchmark_", 198, 766, "fea9315"),
        ("kokkos*_MDRangePolicy_", 6, 24, "fea9315"),
        ("kokkos*_Reduction_", 16, 32, "fea9315"),
        ("kokkos*_ViewFirstTouch_", 28, 112, "fea9315"),
    ],
)
def test_results_of_others_are_read(
    name: str, benchmarks: int, measurements: int, commit: str | None
) -> None:
    """Files from public repositories: one value a metric, none is left out."""
    (path,) = SHARED.glob(f"{name}*")
    data = path.read_bytes()
    (reading,) = formats.read(data, tool=None, name=path.name)
    assert reading.commit == commit
    assert len(reading.measurements) == measurements
    times = {
        one.benchmark.name: one.processes
        for one in reading.measurements
        if one.metric.name == "duration"
    }
    raw = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    assert times == {one["name"]: ((one["real_time"],),) for one in raw["benchmarks"]}
    assert len(times) == benchmarks

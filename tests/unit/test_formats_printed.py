"""Formats that programs print for people, and those of smaller languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitbench import formats
from gitbench.model import Better, Kind, Measurement, Reading, Status, Summary

DATA = Path(__file__).parent.parent / "data"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "formats" / "other"


def read(name: str) -> Reading:
    """The single run of a file in tests/data, its tool detected."""
    (reading,) = formats.read((DATA / name).read_bytes(), tool=None, name=name)
    return reading


def text(content: str, tool: str) -> Reading:
    """The single run of some text."""
    (reading,) = formats.read(content.encode(), tool=tool, name="x")
    return reading


def refusal(content: str, tool: str) -> str:
    """The message with which some text is refused."""
    with pytest.raises(formats.FormatError) as caught:
        formats.read(content.encode(), tool=tool, name="x")
    return str(caught.value)


def by_name(reading: Reading) -> dict[tuple[str, str], Measurement]:
    """Measurements by label and metric."""
    return {(one.benchmark.label, one.metric.name): one for one in reading.measurements}


def summary(measurement: Measurement) -> Summary:
    """The summary that a measurement has."""
    assert measurement.summary is not None
    return measurement.summary


# --------------------------------------------------------------------- libtest


def test_libtest_lines_have_medians_and_rates() -> None:
    """A line is a median, with a throughput where one is printed; FAILED is failed."""
    rows = by_name(read("libtest/printed.txt"))
    assert summary(rows["bench_fib_20", "duration"]).center == 14423.78
    assert summary(rows["bench_fib_20", "duration"]).of == "median"
    rate = rows["bench_copy", "throughput"]
    assert (rate.metric.unit, rate.metric.better) == ("MB/s", Better.HIGHER)
    assert rows["bench_panics", "duration"].status is Status.FAILED


def test_libtest_events() -> None:
    """The JSON of libtest says the same."""
    rows = by_name(read("libtest/events.json"))
    assert summary(rows["bench_fib_20", "duration"]).center == 14313.41213768116
    assert summary(rows["bench_copy", "throughput"]).center == 56606.0
    failed = rows["bench_panics", "duration"]
    assert failed.status is Status.FAILED
    assert "not this time" in (failed.message or "")


def test_libtest_lines_of_criterion() -> None:
    """criterion.rs prints the same lines with --output-format bencher."""
    rows = by_name(read("libtest/criterion.txt"))
    assert list(rows) == [
        ("fibonacci 12", "duration"),
        ("sort/stable/100", "duration"),
        ("sort/stable/1000", "duration"),
        ("copy/memcpy 4 KiB", "duration"),
        ("copy/a/b", "duration"),
    ]
    assert summary(rows["sort/stable/1000", "duration"]).center == 1956.0


@pytest.mark.skipif(not SHARED.exists(), reason="the sample files are not beside")
@pytest.mark.parametrize(
    ("name", "labels", "unit"),
    [
        ("cargo_output.txt", ["bench_fib_10", "bench_fib_20"], "ns"),
        ("cargo_output3.txt", ["bench_fib_10", "bench_fib_20"], "ns"),
        (
            "cargo_output_units.txt",
            ["cmov", "cmov2", "mov", "upload", "download"],
            "cycles",
        ),
        (
            "benchmarkjs_output.txt",
            ["fib(10)", "fib(20)", "createObjectBuffer with 200 comments"],
            "ops/s",
        ),
        ("julia_output.json", ["fib/20", "fib/10"], "ns"),
    ],
)
def test_files_of_other_projects(name: str, labels: list[str], unit: str) -> None:
    """Outputs that others published are read as a whole, lines beside them passed."""
    path = SHARED / f"benchmark-action+github-action-benchmark__{name}"
    (reading,) = formats.read(path.read_bytes(), tool=None, name=name)
    found = dict.fromkeys(one.benchmark.label for one in reading.measurements)
    assert list(found) == labels
    assert reading.measurements[0].metric.unit == unit


# ---------------------------------------------------------------- benchmark.js


def test_benchmark_js_says_its_deviation() -> None:
    """The standard deviation that the tool computed is found from what it printed.

    The program that printed the file also wrote 2.1067453734379535e-9 s about a mean
    of 1.3964557402168271e-8 s, from 11 samples.
    """
    first, _ = read("benchmark-js/printed.txt").measurements
    printed = summary(first)
    assert (printed.center, printed.n) == (71_609_860.0, 11)
    relative = 2.1067453734379535e-9 / 1.3964557402168271e-8
    assert printed.stddev is not None
    assert printed.stddev / printed.center == pytest.approx(relative, rel=0.005)


@pytest.mark.parametrize("n", [6, 11, 31, 100, 1000])
def test_the_quantile_is_that_of_scipy(n: int) -> None:
    """The expansion of the t quantile is within 1 % from six samples on."""
    from math import sqrt

    from scipy import stats

    line = f"a x 100 ops/sec ±10% ({n} runs sampled)\n"
    (one,) = text(line, "benchmark-js").measurements
    exact = 10 / stats.t.ppf(0.975, n - 1) * sqrt(n)
    assert summary(one).stddev == pytest.approx(exact, rel=0.01)


# ------------------------------------------------------------------------ dart


def test_dart_prints_one_value_a_line() -> None:
    """A name that is printed several times has several values."""
    template, iterators = read("dart/printed.txt").measurements
    assert template.processes == ((0.1568472448997197, 0.16),)
    assert (iterators.benchmark.name, iterators.metric.unit) == ("Iterators", "us")


# ------------------------------------------------------------------- time, perf


def test_time_verbose_has_a_process_an_execution() -> None:
    """Outputs of one command are processes of one measurement."""
    rows = by_name(read("time/verbose.txt"))
    elapsed = rows["sh -c sleep 0.01", "duration"]
    assert len(elapsed.processes) == 3
    assert all(0.01 <= value < 1 for (value,) in elapsed.processes)
    memory = rows["sh -c sleep 0.01", "peak_memory"]
    assert (memory.metric.unit, memory.metric.kind) == ("KiB", Kind.SIZE)
    assert memory.processes[0] == (1636.0,)


def test_time_of_a_shell() -> None:
    """`real 0m0.016s` is a duration of a command without a name."""
    rows = by_name(read("time/bash.txt"))
    assert rows["command", "duration"].processes == ((0.016,),)
    assert rows["command", "user_time"].processes == ((0.001,),)
    posix = text("real 61.25\nuser 0.5\nsys 0.25\n", "time")
    assert posix.measurements[0].processes == ((61.25,),)
    minutes = text("real\t1m1,25s\nuser\t0m0s\nsys\t0m0s\n", "time")
    assert minutes.measurements[0].processes == ((61.25,),)


def test_a_command_that_failed_is_failed() -> None:
    """The time to a failure says nothing of the work."""
    head = '\tCommand being timed: "x"\n\tElapsed (wall clock) time'
    body = f"{head} (h:mm:ss or m:ss): 1:02:03.5\n\tExit status: 0\n"
    (one,) = text(body, "time").measurements
    assert one.processes == ((3723.5,),)
    failed = text(f"Command exited with non-zero status 3\n{body}", "time")
    assert failed.measurements[0].status is Status.FAILED
    assert "cut off" in refusal('\tCommand being timed: "x"\n' + body, "time")


@pytest.mark.parametrize("name", ["table.txt", "fields.txt", "counters.json"])
def test_perf_counts_events(name: str) -> None:
    """The table, `-x` and `-j` say the same; what is not supported is left out."""
    reading = read(f"perf/{name}")
    rows = {one.metric.name: one for one in reading.measurements}
    assert rows["task-clock"].metric.unit == "ms"
    assert rows["page-faults"].metric.better is Better.LOWER
    assert rows["page-faults"].metric.kind is Kind.COUNT
    assert "cycles" not in rows
    assert "cycles" in reading.warnings[0]


def test_perf_keeps_the_error_of_a_mean() -> None:
    """`( +- 4.03% )` of four runs is a standard deviation of 8.06 %."""
    rows = by_name(read("perf/table.txt"))
    clock = summary(rows["true", "task-clock"])
    assert (clock.center, clock.n) == (0.51, 4)
    assert clock.stddev == pytest.approx(0.51 * 0.0403 * 2)
    elapsed = summary(rows["true", "duration"])
    assert elapsed.center == 0.002458


# --------------------------------------------------------- ruby, julia, benchee


def test_ruby_rehearsals_do_not_count() -> None:
    """Of `bmbm` the times after the rehearsal are read."""
    rows = by_name(read("ruby/bmbm.txt"))
    assert rows["for", "duration"].processes == ((0.016195,),)
    assert rows["times", "cpu_time"].processes == ((0.006209,),)
    assert len(rows) == 4


def test_ruby_rates_have_a_deviation() -> None:
    """benchmark-ips' text and JSON say the same to the digits printed."""
    printed = by_name(read("ruby/ips.txt"))
    written = by_name(read("ruby/ips.json"))
    assert printed.keys() == written.keys()
    for key, one in written.items():
        center, spread = summary(one).center, summary(one).stddev
        assert summary(printed[key]).center == pytest.approx(center, rel=1e-3)
        assert summary(printed[key]).stddev == pytest.approx(spread, rel=1e-2)
        assert one.metric.better is Better.HIGHER


def test_julia_trials_keep_their_times() -> None:
    """A trial has raw times, an estimate one number; groups make the name."""
    reading = read("julia/trial.json")
    rows = by_name(reading)
    assert rows["fib/20", "duration"].processes == ((41043.0, 41200.0, 40990.5),)
    assert rows["fib/20", "allocated"].processes == ((64.0,),)
    assert summary(rows["sort", "duration"]).center == 246.5
    assert reading.tool.version == "1.5.0"
    assert reading.facts == (("runtime", "Julia 1.10.4"),)
    assert "1 benchmarks were saved as estimates" in reading.warnings[0]


def test_benchee_scenarios_keep_their_samples() -> None:
    """Samples are raw values, an input is a parameter, what was not measured is not."""
    rows = by_name(read("benchee/scenarios.json"))
    duration = rows["flat_map [input=Small]", "duration"]
    assert duration.processes == ((406000.0, 380000.0, 463801.5),)
    assert rows["flat_map [input=Small]", "allocated"].metric.unit == "B"
    assert summary(rows["map.flatten [input=Small]", "duration"]).n == 900
    assert len(rows) == 3


def test_benchee_prints_means() -> None:
    """The printed table has means and deviations, but no raw values."""
    reading = read("benchee/printed.txt")
    rows = by_name(reading)
    assert set(rows) == {
        ("flat_map [input=Small]", "duration"),
        ("map.flatten [input=Small]", "duration"),
    }
    flat = summary(rows["flat_map [input=Small]", "duration"])
    assert flat.center == 416.6
    assert flat.stddev == pytest.approx(51.49, abs=0.01)
    assert "no raw values" in reading.warnings[0]


# -------------------------------------------------------------------- refusals

NAN = float("nan")


@pytest.mark.parametrize(
    ("tool", "content", "words"),
    [
        ("libtest", "nothing here", "no line"),
        ("libtest", "test a ... bench: 1 ns/iter\n" * 2, "twice"),
        ("libtest", "test a ... bench: 1.2.3 ns/iter\n", "line 1"),
        ("libtest", '{"type": "bench", "name": "a"}', "event 1: 'median' is missing"),
        ("libtest", '{"type": "bench", "name": "a", "median": NaN}', "it is NaN"),
        ("benchmark-js", "a x , ops/sec ±1% (9 runs sampled)", "line 1"),
        ("dart", "A(RunTime): 1 us.\nA(RunTime): 1 ms.\n", "line 2"),
        ("time", "nothing", "no output of time"),
        ("perf", "nothing", "perf stat -x"),
        ("perf", '{"counter-value": "x", "event": "e"}', "'x' is no number"),
        ("ruby", "nothing", "no result"),
        ("ruby", '[{"name": "a", "ips": NaN, "stddev": 1}]', "it is NaN"),
        ("julia", "[]", "[0]"),
        ("julia", '[{"BenchmarkTools": "1"}]', "[1]"),
        (
            "julia",
            '[{}, [["TrialJudgement", {}]]]',
            "a 'TrialJudgement' is no measurement",
        ),
        ("julia", '[{}, [["Trial", {"times": [Infinity]}]]]', "times[0]"),
        ("julia", '[{}, [["Trial", {"times": []}]]]', "it is empty"),
        ("julia", "[{}, [" + '["BenchmarkGroup", 3]' + "]]", "must be an object"),
        ("benchee", '[{"run_time_data": {"samples": [1]}}]', "[0].name"),
        ("benchee", "nothing", "no result of Benchee"),
    ],
)
def test_what_cannot_be_read(tool: str, content: str, words: str) -> None:
    """Foreign, damaged and impossible content is refused with its place."""
    assert words in refusal(content, tool)


def test_julia_groups_may_nest_deeply() -> None:
    """Groups are followed without recursion, so depth is no danger."""
    leaf: object = ["Trial", {"times": [1.0]}]
    for _ in range(150):
        leaf = ["BenchmarkGroup", {"data": {"g": leaf}}]
    (one,) = text(json.dumps([{}, [leaf]]), "julia").measurements
    assert one.benchmark.name == "/".join("g" * 150)

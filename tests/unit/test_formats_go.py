"""Tests of the reader of Go's benchmark output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitbench import formats
from gitbench.model import Better, Kind, Measurement, Metric, Reading, Status

DATA = Path(__file__).parent.parent / "data"
HEADER = "goos: linux\ngoarch: amd64\npkg: example.com/p\ncpu: Test CPU\n"


def read(name: str) -> Reading:
    """The run in a file of tests/data."""
    (reading,) = formats.read((DATA / name).read_bytes(), tool=None, name=name)
    return reading


def made(text: str) -> Reading:
    """The run in a text."""
    (reading,) = formats.read(text.encode(), tool="go", name="x.txt")
    return reading


def refusal(text: str) -> str:
    """The message with which a text is refused."""
    with pytest.raises(formats.FormatError) as caught:
        made(text)
    return str(caught.value)


def durations(reading: Reading) -> dict[str, Measurement]:
    """Durations by the label of their benchmark."""
    return {
        one.benchmark.label: one
        for one in reading.measurements
        if one.metric.name == "duration"
    }


def test_lines_of_one_process_are_one_group() -> None:
    """-count gives several values in one process."""
    found = durations(read("go.txt"))
    assert list(found) == [
        "example.com/demo/sorting.Sort/n=100",
        "example.com/demo/sorting.Sort/n=1000",
        "example.com/demo/sorting.Encode",
        "example.com/demo/sorting.Logs",
    ]
    assert {len(one.processes) for one in found.values()} == {1}
    assert {len(one.processes[0]) for one in found.values()} == {5}


def test_a_new_header_begins_a_process() -> None:
    """Files put together hold one process each."""
    line = "BenchmarkX-8 10 5 ns/op\n"
    found = made((HEADER + line + "PASS\nok  \texample.com/p\t1s\n") * 3)
    assert found.measurements[0].processes == ((5.0,), (5.0,), (5.0,))
    bare = made((HEADER + line * 2) * 2)
    assert bare.measurements[0].processes == ((5.0, 5.0), (5.0, 5.0))


def test_each_unit_is_a_metric() -> None:
    """The four standard units have names of their own, custom ones keep theirs."""
    metrics = {one.metric.name: one.metric for one in read("go.txt").measurements}
    assert metrics == {
        "duration": Metric("duration", "ns", Better.LOWER, Kind.DURATION),
        "throughput": Metric("throughput", "MB/s", Better.HIGHER, Kind.THROUGHPUT),
        "allocated": Metric("allocated", "B", Better.LOWER, Kind.SIZE),
        "allocations": Metric("allocations", "1", Better.LOWER, Kind.COUNT),
        "p99-latency-ns": Metric("p99-latency-ns", "ns", Better.LOWER, Kind.DURATION),
        "turns": Metric("turns", "turns", Better.LOWER, Kind.COUNT),
    }


@pytest.mark.parametrize(
    ("unit", "metric"),
    [
        ("widgets", Metric("widgets", "widgets", Better.NONE, Kind.SCORE)),
        ("text-bytes", Metric("text-bytes", "bytes", Better.LOWER, Kind.SIZE)),
        ("build-ns/op", Metric("build-ns/op", "ns", Better.LOWER, Kind.DURATION)),
        ("req/s", Metric("req/s", "req/s", Better.HIGHER, Kind.THROUGHPUT)),
        (
            "instructions/op",
            Metric("instructions/op", "instructions/op", Better.LOWER, Kind.COUNT),
        ),
        (
            "throughput",
            Metric(
                "throughput (reported)", "throughput", Better.HIGHER, Kind.THROUGHPUT
            ),
        ),
    ],
)
def test_custom_units(unit: str, metric: Metric) -> None:
    """A custom unit is a metric; its last word may be a unit."""
    reading = made(f"BenchmarkX 10 5 ns/op 3 {unit}\n")
    assert reading.measurements[1].metric == metric


def test_unit_lines_declare_direction_and_exactness() -> None:
    """`Unit` lines, which Go's own tools read, have the last word."""
    reading = made(
        "Unit allocs/op assume=exact\nUnit frobs better=higher\n"
        "BenchmarkX 10 5 ns/op 3 allocs/op 7 frobs\n"
    )
    metrics = {one.metric.name: one.metric for one in reading.measurements}
    assert metrics["allocations"].kind is Kind.EXACT
    assert metrics["frobs"].better is Better.HIGHER
    assert metrics["duration"].kind is Kind.DURATION


def test_text_between_a_name_and_its_numbers_is_skipped() -> None:
    """What a benchmark prints does not hide its result, with a line end or not."""
    raw = (DATA / "go.txt").read_text()
    assert "BenchmarkLogs-2               \tprogress: started\n" in raw
    logs = durations(read("go.txt"))["example.com/demo/sorting.Logs"]
    assert len(logs.processes[0]) == 5
    inline = made(
        "text BenchmarkA-2 \tlog 7\n"
        "more       50\t       534.2 ns/op\n"
        "no line end BenchmarkB-2 \t      50\t       3.0 ns/op\n"
    )
    assert [one.processes for one in inline.measurements] == [((534.2,),), ((3.0,),)]
    ended = made("BenchmarkA-2 \ta line\n    another\n      50\t       534.2 ns/op\n")
    assert [one.processes for one in ended.measurements] == [((534.2,),)]


def test_a_load_that_a_benchmark_prints_is_no_processor() -> None:
    """Only a header tells the processor, not text that looks like one."""
    line = "BenchmarkX-8 10 5 ns/op\n"
    reading = made(f"{HEADER}{line}cpu: 12%\n{line}cpu: 97%\n{line}")
    assert dict(reading.facts)["cpu"] == "Test CPU"
    assert reading.measurements[0].processes == ((5.0, 5.0, 5.0),)


def test_endless_lines_are_skipped() -> None:
    """A line longer than any result takes no time."""
    reading = made("BenchmarkA \t" + "1\t1 x " * 10_000 + "\nBenchmarkB 1 5 ns/op\n")
    assert [one.benchmark.name for one in reading.measurements] == ["B"]


def test_logs_of_a_good_benchmark_are_no_reason_of_a_failure() -> None:
    """Indented lines below `--- BENCH:` belong to that benchmark."""
    reading = made(
        HEADER + "BenchmarkA-2 \t--- FAIL: BenchmarkA-2\n    x_test.go:3: wrong\n"
        "BenchmarkB-2 1 7 ns/op\n--- BENCH: BenchmarkB-2\n    x_test.go:9: fine\n"
    )
    assert outcomes(reading) == {"A": (Status.FAILED, "x_test.go:3: wrong")}


def test_numbers_without_a_name_belong_to_nobody() -> None:
    """A stray line of numbers is no result."""
    reading = made("      50\t       534.2 ns/op\nBenchmarkX 1 5 ns/op\n")
    assert len(reading.measurements) == 1
    assert reading.measurements[0].processes == ((5.0,),)


# ------------------------------------------------------------------- failures


def outcomes(reading: Reading) -> dict[str, tuple[Status, str | None]]:
    """Status and message of all benchmarks that are not ok."""
    return {
        one.benchmark.name.rpartition(".")[2]: (one.status, one.message)
        for one in reading.measurements
        if one.status is not Status.OK
    }


WRONG = (Status.FAILED, "broken_test.go:20: the answer is 41")
PANIC = "panic: runtime error: index out of range [0] with length 0"


def test_failures_are_named_in_text() -> None:
    """A failed part and a panic are failed benchmarks, their parent is not."""
    reading = read("go-failed.txt")
    assert outcomes(reading) == {
        "Wrong/two": WRONG,
        "Panics": (Status.FAILED, PANIC),
    }
    assert set(durations(reading)) > {"example.com/demo/broken.Fine"}
    (warning,) = reading.warnings
    assert "package 'example.com/demo/broken' failed" in warning


@pytest.mark.parametrize("name", ["go-verbose.txt", "go.jsonl"])
def test_failures_and_skips_are_named(name: str) -> None:
    """-v and -json also tell which benchmarks were skipped."""
    assert outcomes(read(name)) == {
        "Skipped": (Status.SKIPPED, "broken_test.go:11: needs a network"),
        "Wrong/two": WRONG,
        "Panics": (Status.FAILED, PANIC),
    }


def test_a_panic_after_its_name_is_attributed() -> None:
    """Go prints the name first if the benchmark survives its first iteration."""
    reading = made(HEADER + "BenchmarkA-2 1 5 ns/op\nBenchmarkB-2 \tpanic: boom\n\n")
    assert outcomes(reading) == {"B": (Status.FAILED, "panic: boom")}


def test_an_exit_in_the_middle_is_a_failure() -> None:
    """os.Exit leaves a name without numbers, and a failed package."""
    reading = made(
        HEADER + "BenchmarkA-2 1 5 ns/op\nBenchmarkB-2 \texit status 3\n"
        "FAIL\texample.com/p\t0.1s\n"
    )
    assert outcomes(reading)["B"][0] is Status.FAILED


def test_output_that_is_cut_off_is_a_failure() -> None:
    """A name without numbers at the end means that the benchmark did not finish."""
    reading = made(HEADER + "BenchmarkA-2 1 5 ns/op\nBenchmarkB-2 \t  100\t 12")
    assert outcomes(reading)["B"][1] == "the output ends in the middle of it"


def test_one_failure_among_repeats_fails_the_benchmark() -> None:
    """A benchmark that failed once has no values to compare."""
    reading = made(
        HEADER + "BenchmarkA-2 1 5 ns/op\nBenchmarkB-2 1 7 ns/op\n"
        "BenchmarkB-2 \t--- FAIL: BenchmarkB-2\n    x_test.go:3: flaky\nFAIL\n"
    )
    assert outcomes(reading) == {"B": (Status.FAILED, "x_test.go:3: flaky")}
    assert len(reading.measurements) == 2


def test_only_failures_make_a_run() -> None:
    """A run in which everything failed is recorded as failed."""
    reading = made(HEADER + "BenchmarkB-2 \tpanic: boom\nFAIL\texample.com/p\t1s\n")
    assert [one.status for one in reading.measurements] == [Status.FAILED]


@pytest.mark.parametrize(
    "text", ["PASS\nok  \texample.com/p\t0.1s\n", "FAIL\tx [build failed]\nFAIL\n"]
)
def test_output_without_benchmarks_is_refused(text: str) -> None:
    """Forgetting -bench is told, not recorded."""
    with pytest.raises(formats.FormatError, match="run go test with -bench"):
        formats.read(text.encode(), tool=None, name="x")


# ---------------------------------------------------------------------- names


def test_gomaxprocs_is_no_part_of_the_name() -> None:
    """The suffix is cut off, and counts as the number of cores."""
    reading = made(HEADER + "BenchmarkA-8 1 5 ns/op\nBenchmarkB/x-8 1 5 ns/op\n")
    assert list(durations(reading)) == ["example.com/p.A", "example.com/p.B/x"]
    assert dict(reading.facts)["cores"] == "8"


def test_several_gomaxprocs_are_a_parameter() -> None:
    """-cpu 1,2 measures every benchmark twice, under two names."""
    reading = read("go-cpu.txt")
    labels = list(durations(reading))
    assert "example.com/demo/sorting.Sort/n=100 [gomaxprocs=1]" in labels
    assert "example.com/demo/sorting.Sort/n=100 [gomaxprocs=2]" in labels
    assert len(labels) == 6
    assert {len(one.processes[0]) for one in durations(reading).values()} == {2}


def test_a_number_at_the_end_of_a_name_is_kept() -> None:
    """With GOMAXPROCS=1 there is no suffix, and `-20` belongs to the name."""
    reading = made(
        HEADER + "BenchmarkFib-10 1 5 ns/op\nBenchmarkFib-20 1 5 ns/op\n"
        "BenchmarkSort 1 5 ns/op\nBenchmarkJoin 1 5 ns/op\nBenchmarkX/n-1 1 5 ns/op\n"
    )
    assert "example.com/p.Fib-20" in durations(reading)
    assert dict(reading.facts)["cores"] == "1"


def test_gomaxprocs_is_found_process_by_process() -> None:
    """Rows that a script adds without the suffix do not outvote Go's own."""
    built = "".join(f"BenchmarkBuild{i} 1 5 build-ns/op\n" for i in range(9))
    reading = made(built + HEADER + "BenchmarkX-12 1 5 ns/op\n")
    assert list(durations(reading)) == ["example.com/p.X"]
    assert dict(reading.facts)["cores"] == "12"


def test_packages_are_part_of_the_name() -> None:
    """Two packages may have a benchmark of one name."""
    two = HEADER.replace("example.com/p", "example.com/q")
    line = "BenchmarkX-8 1 5 ns/op\nPASS\n"
    assert list(durations(made(HEADER + line + two + line))) == [
        "example.com/p.X",
        "example.com/q.X",
    ]


@pytest.mark.parametrize(
    ("package", "name"),
    [("_/home/someone/proj", "proj.X"), ("command-line-arguments", "X")],
)
def test_directories_are_no_package(package: str, name: str) -> None:
    """Outside a module Go prints a directory, which may name a person."""
    assert list(durations(made(f"pkg: {package}\nBenchmarkX 1 5 ns/op\n"))) == [name]


def test_configurations_in_one_file_are_told_apart() -> None:
    """A header key that varies is a parameter; text that looks like one is not."""
    reading = made(
        "note: before\nBenchmarkX 1 5 ns/op\nprogress: 10%\n"
        "note: after\nBenchmarkX 1 6 ns/op\nprogress: 20%\n"
    )
    assert list(durations(reading)) == ["X [note=before]", "X [note=after]"]
    assert list(durations(made("note: a\nBenchmarkX 1 5 ns/op\n"))) == ["X"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("goarch: amd64", "goarch: arm64"),
        ("goos: linux\ncpu: One", "goos: linux\ncpu: Two"),
        ("commit: " + "1" * 40, "commit: " + "2" * 40),
    ],
)
def test_results_of_several_machines_or_commits_are_refused(
    first: str, second: str
) -> None:
    """One run has one machine and one commit."""
    line = "BenchmarkX 1 5 ns/op\n"
    assert "one at a time" in refusal(f"{first}\n{line}{second}\n{line}")


def test_facts_and_commit_come_from_headers() -> None:
    """System, architecture and processor are facts; a full commit id is the commit."""
    reading = made(HEADER + f"commit: {'A' * 40}\nBenchmarkX-4 1 5 ns/op\n")
    assert reading.facts == (
        ("arch", "amd64"),
        ("cores", "4"),
        ("cpu", "Test CPU"),
        ("os", "linux"),
    )
    assert reading.commit == "a" * 40


# ----------------------------------------------------------------- odd content


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-inf", "1e999"])
def test_numbers_that_are_none_are_refused(value: str) -> None:
    """NaN and infinities are refused with their line."""
    assert "x.txt: line 5, 'BenchmarkX': it is " in refusal(
        HEADER + f"BenchmarkX 1 {value} ns/op\n"
    )


def test_a_unit_twice_in_a_line_is_refused() -> None:
    """Which of two values is meant cannot be guessed."""
    assert "a unit stands there twice" in refusal("BenchmarkX 1 5 ns/op 6 ns/op\n")


@pytest.mark.parametrize(
    "line",
    [
        "Benchmarking is fun 1 5 ns/op",
        "Benchmarks \t",
        "BenchmarkX one 5 ns/op",
        "BenchmarkX 1 5 ns/op extra",
        "BenchmarkX 1 fast ns/op",
        "BenchmarkX 1 1_000 ns/op",
        "Benchmark",
    ],
)
def test_lines_that_look_like_results_are_none(line: str) -> None:
    """Only a name, a count and pairs of number and unit are a result."""
    reading = made(f"{line}\nBenchmarkGood 1 5 ns/op\n")
    assert [one.benchmark.name for one in reading.measurements] == ["Good"]


def test_names_that_scripts_add_are_read() -> None:
    """A complete line counts even where Go itself would write a capital."""
    reading = made("Benchmarkhugo_text 1 2593409 text-bytes\n")
    assert reading.measurements[0].benchmark.name == "hugo_text"


def test_windows_line_ends_are_read() -> None:
    """CRLF is no part of a unit."""
    reading = made("goos: windows\r\nBenchmarkX-8 1 5 ns/op\r\nPASS\r\n")
    assert reading.measurements[0].metric.unit == "ns"


def test_json_events_equal_text() -> None:
    """-json gives what the text gives, with a start time on top."""
    text = HEADER + "BenchmarkX-8 \t 1\t 5 ns/op\nPASS\n"
    events = [
        {
            "Time": "2026-01-02T03:04:05.5Z",
            "Action": "output",
            "Package": "example.com/p",
        }
        | {"Output": part}
        for part in (text[:70], text[70:85], text[85:])
    ]
    other = {"Time": "2026-01-02T03:04:06Z", "Action": "output", "Package": "q"}
    events.insert(1, other | {"Output": "ok  \tq\t1s\n"})
    data = "\n".join(json.dumps(event) for event in events).encode()
    (reading,) = formats.read(data, tool=None, name="x")
    assert reading.measurements == made(text).measurements
    assert reading.started_at == 1_767_323_045_500


@pytest.mark.parametrize(
    "event", ["[]", "{}", '{"Action": 5}', '{"Action": "output", "Time": "x"}']
)
def test_wrong_events_are_refused(event: str) -> None:
    """Each event must be one."""
    good = '{"Time": "2026-01-02T03:04:05Z", "Action": "start", "Package": "p"}'
    data = f"{event}\n{good}\n".encode()
    with pytest.raises(formats.FormatError, match="event 1"):
        formats.read(data, tool="go", name="x")


def test_a_log_line_in_brackets_does_not_hide_go() -> None:
    """Text that begins like JSON may still be Go's."""
    reading = formats.read(
        b"[setup] ready\nBenchmarkX 1 5 ns/op\n", tool=None, name="x"
    )
    assert reading[0].measurements[0].processes == ((5.0,),)

"""Tests of the reader of hyperfine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gitbench import formats
from gitbench.model import Benchmark, Better, Kind, Metric, Reading, Status, Tool

DATA = Path(__file__).parent.parent / "data"


def read(name: str) -> Reading:
    """The run in a file of tests/data."""
    (reading,) = formats.read((DATA / name).read_bytes(), tool=None, name=name)
    return reading


def made(*results: dict[str, Any]) -> Reading:
    """The run of a file with these results."""
    text = json.dumps({"results": list(results)})
    (reading,) = formats.read(text.encode(), tool="hyperfine", name="x")
    return reading


def test_each_time_is_a_process() -> None:
    """Every run of a command is a process of its own."""
    reading = read("hyperfine.json")
    raw = json.loads((DATA / "hyperfine.json").read_text())["results"]
    assert reading.tool == Tool("hyperfine", None)
    for one, item in zip(reading.measurements, raw, strict=True):
        assert one.processes == tuple((time,) for time in item["times"])
        assert len(one.processes) == 6
        assert one.metric == Metric("duration", "s", Better.LOWER, Kind.DURATION)
    assert reading.facts == ()
    assert reading.started_at is None


def test_names_and_parameters_are_kept() -> None:
    """The name is the command or what -n says; scanned parameters are parameters."""
    assert [one.benchmark for one in read("hyperfine.json").measurements] == [
        Benchmark("count 10", (("n", "10"),)),
        Benchmark("count 20", (("n", "20"),)),
    ]


def test_failed_commands_are_failures_not_times() -> None:
    """A non-zero exit, or a signal, makes the benchmark failed."""
    good, wrong, killed = read("hyperfine-failed.json").measurements
    assert good.status is Status.OK
    assert wrong.status is killed.status is Status.FAILED
    assert wrong.processes == killed.processes == ()
    assert wrong.message == "5 of 5 runs ended with 1 instead of exit code 0"
    assert killed.message is not None


def test_a_signal_has_no_exit_code() -> None:
    """hyperfine writes null for a command that was killed."""
    (one,) = made(
        {"command": "x", "times": [1.0, 1.0], "exit_codes": [0, None]}
    ).measurements
    assert one.message == "1 of 2 runs ended with a signal instead of exit code 0"


def test_memory_is_a_metric() -> None:
    """Peak memory of each run is read where hyperfine measured it."""
    reading = read("hyperfine-memory.json")
    raw = json.loads((DATA / "hyperfine-memory.json").read_text())["results"]
    memory = [one for one in reading.measurements if one.metric.name == "peak_memory"]
    assert len(memory) == 2
    for one, item in zip(memory, raw, strict=True):
        assert one.metric == Metric("peak_memory", "B", Better.LOWER, Kind.SIZE)
        assert one.processes == tuple(
            (float(size),) for size in item["memory_usage_byte"]
        )


def test_memory_that_was_not_measured_is_no_metric() -> None:
    """Zeros are what hyperfine writes where it cannot tell."""
    reading = made({"command": "x", "times": [1.0], "memory_usage_byte": [0]})
    assert [one.metric.name for one in reading.measurements] == ["duration"]


def test_a_file_without_times_gives_a_summary() -> None:
    """Some scripts strip the times; what is left is a mean, and that is said."""
    reading = made({"command": "x", "mean": 1.5, "stddev": None, "min": 1, "max": 2})
    (one,) = reading.measurements
    assert one.summary is not None
    assert (one.summary.center, one.summary.low, one.summary.high) == (1.5, 1.0, 2.0)
    assert "without raw times" in reading.warnings[0]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"command": None}, "results[0]: 'command' is missing"),
        ({"command": ""}, "results[0].command: The text is empty"),
        ({"command": "x" * 1025}, "the limit is 1,024"),
        ({"times": None}, "results[0]: 'mean' is missing"),
        ({"times": []}, "results[0].times: it is empty"),
        ({"times": [None]}, "results[0].times[0]: it must be a number"),
        ({"exit_codes": ["x"]}, "exit_codes[0]: it must be a whole number or null"),
        ({"exit_codes": 1}, "results[0].exit_codes: it must be an array"),
        ({"parameters": []}, "results[0].parameters: it must be an object"),
        ({"parameters": {"n": []}}, "parameters['n']: it must be a number"),
        ({"memory_usage_byte": ["x"]}, "memory_usage_byte[0]: it must be a number"),
    ],
)
def test_wrong_fields_are_refused(item: dict[str, Any], reason: str) -> None:
    """Each mistake is told with its place."""
    with pytest.raises(formats.FormatError) as caught:
        made({"command": "x", "times": [1.0]} | item)
    assert reason in str(caught.value)


def test_equal_commands_are_refused() -> None:
    """Two commands of one name cannot be told apart; -n is the way out."""
    one = {"command": "x", "times": [1.0]}
    with pytest.raises(formats.FormatError, match="--command-name"):
        made(one, one)


def test_an_empty_export_is_refused() -> None:
    """No results is no run."""
    with pytest.raises(formats.FormatError, match="no benchmark result"):
        made()

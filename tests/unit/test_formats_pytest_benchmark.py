"""Tests of the reader of pytest-benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gitbench import formats
from gitbench.model import Benchmark, Better, Kind, Measurement, Metric, Reading, Tool

DATA = Path(__file__).parent.parent / "data"
DURATION = Metric("duration", "s", Better.LOWER, Kind.DURATION)


def read(name: str) -> Reading:
    """The run in a file of tests/data."""
    (reading,) = formats.read((DATA / name).read_bytes(), tool=None, name=name)
    return reading


def made(*benchmarks: dict[str, Any], **fields: Any) -> Reading:
    """The run of a file with these benchmarks."""
    text = json.dumps({"machine_info": {}, "benchmarks": list(benchmarks), **fields})
    (reading,) = formats.read(text.encode(), tool="pytest-benchmark", name="x")
    return reading


def bench(**fields: Any) -> dict[str, Any]:
    """One benchmark as the tool writes it."""
    return {"fullname": "t.py::test_x", "stats": {"data": [1.0, 2.0]}} | fields


def by_label(reading: Reading) -> dict[str, Measurement]:
    """Durations by the label of their benchmark."""
    return {
        one.benchmark.label: one
        for one in reading.measurements
        if one.metric.name == "duration"
    }


def test_raw_values_are_one_process() -> None:
    """With --benchmark-json every round is kept, in one process, in seconds."""
    reading = read("pytest-benchmark.json")
    raw = json.loads((DATA / "pytest-benchmark.json").read_text())
    for one, item in zip(by_label(reading).values(), raw["benchmarks"], strict=True):
        assert one.processes == (tuple(item["stats"]["data"]),)
        assert one.metric == DURATION
        assert one.summary is None
    assert reading.warnings == ()
    assert reading.tool == Tool("pytest-benchmark", "5.3.1")


def test_ids_made_of_values_become_parameters() -> None:
    """Ids that pytest made become parameters, ids made by hand stay in the name."""
    assert list(by_label(read("pytest-benchmark.json"))) == [
        "benchmarks/bench_demo.py::test_sort [n=100]",
        "benchmarks/bench_demo.py::test_sort [n=1000]",
        "benchmarks/bench_demo.py::test_encode[None-long]",
        "benchmarks/bench_demo.py::test_encode[2-long]",
        "benchmarks/bench_demo.py::TestTexts::test_join [sep=-]",
        "benchmarks/bench_demo.py::TestTexts::test_join [sep=, ]",
    ]


def test_names_are_the_same_with_and_without_raw_values() -> None:
    """Both ways to save a run name its benchmarks alike, in any version."""
    full = by_label(read("pytest-benchmark.json"))
    assert list(full) == list(by_label(read("pytest-benchmark-saved.json")))
    assert set(by_label(read("pytest-benchmark-old.json"))) < set(full)


def test_a_saved_file_has_summaries_and_says_so() -> None:
    """Without raw values the mean with its range is kept, and a warning given."""
    reading = read("pytest-benchmark-saved.json")
    raw = json.loads((DATA / "pytest-benchmark-saved.json").read_text())
    for one, item in zip(by_label(reading).values(), raw["benchmarks"], strict=True):
        assert one.processes == ()
        assert one.summary is not None
        stats = item["stats"]
        assert one.summary.center == stats["mean"]
        assert (one.summary.low, one.summary.high) == (stats["min"], stats["max"])
        assert (one.summary.stddev, one.summary.n) == (stats["stddev"], 12)
    assert "6 of 8 measurements came without raw values" in reading.warnings[0]
    assert "--benchmark-json" in reading.warnings[0]


def test_commit_and_time_are_read() -> None:
    """Commit, dirtiness and the start come from the file; a naive time is marked."""
    new, old = read("pytest-benchmark.json"), read("pytest-benchmark-old.json")
    assert new.commit == old.commit
    assert new.commit is not None
    assert len(new.commit) == 40
    assert (new.dirty, old.dirty) == (False, True)
    assert (new.naive_time, old.naive_time) == (False, True)
    assert new.started_at is not None
    assert old.started_at is not None
    assert 0 < old.started_at - new.started_at < 600_000


@pytest.mark.parametrize(
    "info", [None, {}, {"id": "unversioned", "dirty": True}, {"id": "abc"}, []]
)
def test_outside_a_repository_there_is_no_commit(info: object) -> None:
    """`unversioned` is no commit, and its dirty flag says nothing."""
    reading = made(bench(), commit_info=info)
    assert (reading.commit, reading.dirty) == (None, None)


def test_facts_describe_the_machine() -> None:
    """Processor, cores, system and interpreter are facts, the node is not."""
    facts = dict(read("pytest-benchmark.json").facts)
    assert facts["cpu"] == "AMD EPYC"
    assert facts["cores"] == "2"
    assert (facts["os"], facts["arch"]) == ("Linux", "x86_64")
    assert facts["runtime"].startswith("CPython 3.11")
    assert facts["kernel"] == "6.1.0-1-amd64"


def test_numbers_of_extra_info_are_metrics_if_their_name_has_a_direction() -> None:
    """`tokens` is a metric of one value, `n` describes the benchmark."""
    found = {
        (one.metric.name, one.processes)
        for one in read("pytest-benchmark.json").measurements
        if one.metric.name != "duration"
    }
    assert found == {("tokens", ((125.0,),))}


@pytest.mark.parametrize(
    "extra", [{"tokens": "5"}, {"tokens": True}, {"tokens": None}, [], None, {"n": 5}]
)
def test_other_extra_info_is_left_alone(extra: object) -> None:
    """Text, flags and unknown names in extra_info are no metrics."""
    assert len(made(bench(extra_info=extra)).measurements) == 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"fullname": "../b/t.py::test_x"}, Benchmark("b/t.py::test_x")),
        ({"fullname": None, "name": "test_x"}, Benchmark("test_x")),
        (
            {"fullname": "t::x[1-a]", "param": "1-a", "params": {"n": 1, "s": "a"}},
            Benchmark("t::x", (("n", "1"), ("s", "a"))),
        ),
        (
            {"fullname": "t::x[True-None-0.5]"}
            | {"param": "True-None-0.5", "params": {"a": True, "b": None, "c": 0.5}},
            Benchmark("t::x", (("a", "True"), ("b", "None"), ("c", "0.5"))),
        ),
        (
            {"fullname": "t::x[big]", "param": "big", "params": {"n": 10**9}},
            Benchmark("t::x[big]"),
        ),
        (
            {"fullname": "t::x[f0]", "param": "f0"}
            | {"params": {"f": "UNSERIALIZABLE[<function f at 0x7f00>]"}},
            Benchmark("t::x[f0]"),
        ),
        (
            {"fullname": "t::x[a]", "param": "a", "params": {"s": ["a"]}},
            Benchmark("t::x[a]"),
        ),
        ({"fullname": "t::x[]", "param": "", "params": {}}, Benchmark("t::x")),
    ],
)
def test_names_are_stable(fields: dict[str, Any], expected: Benchmark) -> None:
    """A name never holds an address, and ids of one's own choice are kept."""
    assert made(bench(**fields)).measurements[0].benchmark == expected


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"stats": None}, "benchmarks[0]: 'stats' is missing"),
        ({"stats": {}}, "benchmarks[0].stats: 'mean' is missing"),
        ({"stats": {"data": []}}, "benchmarks[0].stats.data: it is empty"),
        ({"stats": {"data": ["..."]}}, "stats.data[0]: it must be a number"),
        ({"stats": {"mean": 1, "rounds": 0}}, "stats.rounds: it must be 1 or more"),
        ({"stats": {"mean": 1, "stddev": -1}}, "stats: The summary's stddev is"),
        ({"fullname": 5}, "benchmarks[0].fullname: it must be text"),
        ({"fullname": None}, "benchmarks[0].fullname: it must be text"),
        ({"extra_info": {"tokens": 1e999}}, "extra_info['tokens']: it is infinite"),
    ],
)
def test_wrong_fields_are_refused(item: dict[str, Any], reason: str) -> None:
    """Each mistake is told with its place."""
    with pytest.raises(formats.FormatError) as caught:
        made(bench(**item))
    assert reason in str(caught.value)


def test_a_file_without_benchmarks_is_refused() -> None:
    """An empty suite is no run."""
    with pytest.raises(formats.FormatError, match="no benchmark result"):
        made()


def test_two_objects_are_refused() -> None:
    """Two files put together are not one run."""
    text = json.dumps({"benchmarks": [bench()]})
    with pytest.raises(formats.FormatError, match="holds 2 JSON values"):
        formats.read(f"{text}\n{text}".encode(), tool=None, name="x")

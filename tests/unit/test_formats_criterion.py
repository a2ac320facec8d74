"""criterion.rs: the folder target/criterion, and cargo-criterion's messages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench import formats
from gitbench.cli.sources import open_folder
from gitbench.formats import Folder
from gitbench.model import Better, Kind, Reading
from tests.readings import (
    DATA,
    SHARED,
    by_name,
    needs_samples,
    read,
    refusal,
    summary,
    text,
    unpack,
)

IDENTITY = '{"group_id":"g","function_id":"f","value_str":null,"full_id":"g/f"}'


def folder(root: Path, files: Mapping[str, str]) -> Reading:
    """The single run of a folder with these files."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    found = formats.read_folder(open_folder(root), tool="criterion")
    assert found is not None
    (reading,) = found
    return reading


def refused(root: Path, files: Mapping[str, str]) -> str:
    """The message with which such a folder is refused."""
    with pytest.raises(formats.FormatError) as caught:
        folder(root, files)
    return str(caught.value)


def test_samples_of_the_last_run_are_the_values() -> None:
    """Each sample of new/ is the time of an iteration; its copy base/ is not read."""
    rows = by_name(read("criterion/target"))
    assert sorted({label for label, _ in rows}) == [
        "copy [value=a/b]",
        "copy/memcpy 4 KiB",
        "fibonacci 12",
        "sort/stable [value=1000]",
        "sort/stable [value=100]",
    ]
    place = DATA / "criterion/target/sort/stable/1000"
    sample = json.loads((place / "new/sample.json").read_text())
    one = rows["sort/stable [value=1000]", "duration"]
    expected = [t / n for t, n in zip(sample["times"], sample["iters"], strict=True)]
    assert one.processes == (tuple(expected),)
    assert (one.metric.unit, one.metric.better) == ("ns", Better.LOWER)
    base = (place / "base/sample.json").read_bytes()
    assert base == (place / "new/sample.json").read_bytes()


def test_the_mean_is_the_one_that_criterion_computed() -> None:
    """The mean of the values is that of estimates.json, for every benchmark."""
    root = DATA / "criterion/target"
    means = {
        path.parent.parent.relative_to(root).as_posix(): json.loads(path.read_text())
        for path in root.rglob("new/estimates.json")
    }
    assert len(means) == 5
    rows = by_name(read("criterion/target"))
    for label, place in [
        ("fibonacci 12", "fibonacci 12"),
        ("copy [value=a/b]", "copy/a_b"),
        ("sort/stable [value=100]", "sort/stable/100"),
    ]:
        (values,) = rows[label, "duration"].processes
        point = means[place]["mean"]["point_estimate"]
        assert sum(values) / len(values) == pytest.approx(point)


def test_throughput_is_a_second_metric() -> None:
    """Work of one iteration by its time: elements and bytes a second."""
    rows = by_name(read("criterion/target"))
    elements = rows["sort/stable [value=100]", "throughput"]
    assert (elements.metric.unit, elements.metric.better) == ("elem/s", Better.HIGHER)
    (times,) = rows["sort/stable [value=100]", "duration"].processes
    (rates,) = elements.processes
    assert rates[3] == pytest.approx(100 / (times[3] * 1e-9))
    assert rows["copy/memcpy 4 KiB", "throughput"].metric.unit == "B/s"
    assert ("fibonacci 12", "throughput") not in rows


def test_messages_of_cargo_criterion() -> None:
    """A message is a benchmark; totals are divided by the numbers of iterations."""
    rows = by_name(read("criterion/messages.json"))
    lines = (DATA / "criterion/messages.json").read_text().splitlines()
    first = json.loads(lines[0])
    one = rows["fibonacci 12", "duration"]
    assert one.processes[0][1] == first["measured_values"][1] / 13516
    (values,) = one.processes
    assert sum(values) / 20 == pytest.approx(first["mean"]["estimate"])
    assert rows["copy/a/b", "throughput"].metric.unit == "B/s"
    assert len(rows) == 9


def test_messages_that_end_within_a_group_are_refused() -> None:
    """The message that ends a group is missing: the output is cut off."""
    lines = (DATA / "criterion/messages.json").read_text().splitlines()
    assert "'sort/stable/100' is not complete; the output is cut off" in refusal(
        "\n".join(lines[:3])
    )
    assert "ends too early" in refusal("\n".join(lines)[:-40], "criterion")


def test_layouts_of_older_versions(tmp_path: Path) -> None:
    """Bare lists of iterations and times; raw.csv; estimates with other names."""
    reading = folder(tmp_path / "1", {"f/new/sample.json": "[[1, 2],[10.0, 30.0]]"})
    (one,) = reading.measurements
    assert (one.benchmark.name, one.processes) == ("f", ((10.0, 15.0),))
    table = "group,function,value,sample_time_nanos,iteration_count\ng,f,,90.0,3\n"
    files = {"f/new/raw.csv": table, "f/new/benchmark.json": IDENTITY}
    (one,) = folder(tmp_path / "2", files).measurements
    assert (one.benchmark.name, one.processes) == ("g/f", ((30.0,),))
    point = {"Mean": {"point_estimate": 5.0}, "StdDev": {"point_estimate": 0.5}}
    reading = folder(tmp_path / "3", {"f/new/estimates.json": json.dumps(point)})
    assert summary(reading.measurements[0]).stddev == 0.5
    assert reading.warnings == ("1 results have no raw values, only a mean.",)


def test_a_unit_of_its_own_is_known_from_raw_csv(tmp_path: Path) -> None:
    """criterion 0.3 wrote the unit there; another one than time has no direction."""
    header = "group,function,value,throughput_num,throughput_type,"
    header += "sample_measured_value,unit,iteration_count\n"
    files = {
        "f/new/raw.csv": f"{header}g,f,,,,90.0,frobs,3\n",
        "f/new/benchmark.json": IDENTITY,
        "f/new/sample.json": '{"iters":[3.0],"times":[90.0]}',
    }
    (one,) = folder(tmp_path, files).measurements
    assert (one.metric.name, one.metric.unit) == ("value", "frobs")
    assert (one.metric.better, one.metric.kind) == (Better.NONE, Kind.SCORE)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"f/base/estimates.json": "{}"}, "no folder new/ with a last run"),
        ({"f/new/sample.json": "[[1],[1"}, "f/new/sample.json, line 1"),
        ({"f/new/sample.json": "[[0],[1]]"}, "a sample has no iterations"),
        ({"f/new/sample.json": "[[1],[NaN]]"}, "times[0]: it is NaN"),
        ({"f/new/sample.json": "[[1,2],[1]]"}, "1 times of 2 numbers"),
        ({"f/new/raw.csv": "iteration_count\nx\n"}, "line 2: '' is no number"),
        ({"new/sample.json": "[[1],[1]]"}, "does not tell the benchmark's name"),
        (
            {
                "a/new/sample.json": "[[1],[1]]",
                "a/new/benchmark.json": IDENTITY,
                "b/new/sample.json": "[[1],[1]]",
                "b/new/benchmark.json": IDENTITY,
            },
            "stands there twice",
        ),
    ],
)
def test_damaged_folders(
    tmp_path: Path, files: Mapping[str, str], message: str
) -> None:
    """What is wrong is said with the file in which it is."""
    assert message in refused(tmp_path, files)


BENCHMARK = DATA / "criterion/target/sort/stable/1000/new"
PARTS = {path.name: path.read_bytes() for path in BENCHMARK.iterdir()}


@given(data=st.data())
@settings(derandomize=True, deadline=None, max_examples=150)
def test_any_damage_of_a_folder_is_a_stated_error(data: st.DataObject) -> None:
    """Files that are missing, cut, or have bytes put in or doubled."""
    files = {
        f"b/new/{name}": bytearray(content)
        for name, content in PARTS.items()
        if data.draw(st.integers(0, 4))
    }
    for content in files.values():
        at = data.draw(st.integers(0, len(content)))
        what = data.draw(st.sampled_from(["", "cut", "double", "put"]))
        if what == "cut":
            del content[at:]
        elif what == "double":
            content[at:at] = content[at : at + 30]
        elif what == "put":
            content[at:at] = data.draw(st.sampled_from([b"NaN", b'"', b"-", b"\xff"]))
    held = Folder("x", tuple(sorted(files)), lambda path: bytes(files[path]))
    message = "x"
    try:
        formats.read_folder(held, tool=None)
    except formats.FormatError as error:
        message = str(error)
    assert message.isprintable()


def test_parts_of_the_folder_point_to_the_whole() -> None:
    """A single file, and what criterion prints, are refused with what to record."""
    place = DATA / "criterion/target/fibonacci 12/new"
    for data in [
        (place / "benchmark.json").read_bytes(),
        (DATA / "refused/criterion.txt").read_bytes(),
    ]:
        assert "record the folder target/criterion instead" in refusal(data)
    assert "no message 'benchmark-complete'" in refusal('{"a": 1}', "criterion")
    message = '{"reason":"benchmark-complete","id":"f","unit":"ns","mean":{}}'
    assert "'estimate' is missing" in refusal(message, "criterion")


def test_extreme_numbers_of_a_folder(tmp_path: Path) -> None:
    """A time beyond the smallest number has no rate, and an infinite one no place."""
    identity = IDENTITY.replace("}", ',"throughput":{"Bytes":1}}')
    files = {"f/new/benchmark.json": identity, "f/new/sample.json": "[[1],[5e-324]]"}
    (one,) = folder(tmp_path, files).measurements
    assert one.metric.name == "duration"
    files["f/new/sample.json"] = "[[1e-300],[1e300]]"
    assert "is inf, not a number" in refused(tmp_path, files)


def test_a_message_without_samples_has_a_mean() -> None:
    """The mean is kept where measured values are missing."""
    message = (
        '{"reason":"benchmark-complete","id":"f","unit":"ns","mean":{"estimate":2}}'
    )
    end = '{"reason":"group-complete","group_name":"f","benchmarks":["f"]}'
    (one,) = text(f"{message}\n{end}", "criterion").measurements
    assert summary(one).center == 2.0


@needs_samples
@pytest.mark.parametrize(
    ("name", "benchmarks", "values"),
    [
        ("Bajix+stack-queue__target-criterion.tar.gz", 35, 10),
        ("cart+ecs_bench_suite__target-criterion.tar.gz", 42, 100),
    ],
)
def test_folders_of_other_projects(
    tmp_path: Path, name: str, benchmarks: int, values: int
) -> None:
    """One measurement for each new/, though base/ stands beside it."""
    unpack(SHARED / "criterion" / name, tmp_path)
    found = formats.read_folder(open_folder(tmp_path), tool=None)
    assert found is not None
    (reading,) = found
    assert len(reading.measurements) == benchmarks
    assert {len(one.processes[0]) for one in reading.measurements} == {values}
    labels = sorted(one.benchmark.label for one in reading.measurements)
    assert all(left != right for left, right in pairwise(labels))

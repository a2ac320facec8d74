"""Readings are chosen, renamed and merged; what changed is part of the origin."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitbench import readings
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    Reading,
    Tool,
)
from gitbench.readings import ReadingError, Rename

DURATION = Metric("duration", "s", Better.LOWER, Kind.DURATION)


def reading(*names: str, value: float = 1.0) -> Reading:
    """A reading with one value of each benchmark; `NAME:N` has a parameter."""
    found = []
    for name in names:
        base, _, n = name.partition(":")
        benchmark = Benchmark(base, (("n", n),) if n else ())
        found.append(Measurement(benchmark, DURATION, ((value,),)))
    return Reading(Tool("timer"), tuple(found))


def labels(one: Reading | None) -> list[str]:
    assert one is not None
    return [row.benchmark.label for row in one.measurements]


def test_globs_choose_by_name_or_label() -> None:
    """A glob fits the name alone, or the name with its parameters."""
    whole = reading("sort:10", "sort:20", "load")
    assert (["sort [n=10]", "sort [n=20]"], 1) == (
        labels(readings.choose(whole, ["sort"])[0]),
        readings.choose(whole, ["sort"])[1],
    )
    assert ["sort [n=20]", "load"] == labels(
        readings.choose(whole, ["*n=20]", "load"])[0]
    )
    assert (None, 3) == readings.choose(whole, ["nothing"])
    assert (whole, 0) == readings.choose(whole, ["*"])


def test_a_rename_changes_names_and_keeps_parameters() -> None:
    """An exact name, or all that fit one star; the first that fits counts."""
    renames = [Rename.parse("sort=order"), Rename.parse("old/*/x=new/*")]
    (done,) = readings.rename([reading("sort:10", "old/a/x", "old/b")], renames)
    assert ["order [n=10]", "new/a", "old/b"] == labels(done)


@pytest.mark.parametrize(
    ("text", "present", "wanted"),
    [
        ("a=b", "a", "b"),
        ("a/*=b/*", "a/*", "b/*"),
        ("x=1=y", "x", "1=y"),
        ("n=1/*=m/*", "n=1/*", "m/*"),
    ],
)
def test_a_rename_is_read(text: str, present: str, wanted: str) -> None:
    """The first `=` after which both sides have as many stars divides them."""
    assert Rename(present, wanted) == Rename.parse(text)


@pytest.mark.parametrize("text", ["", "a", "=b", "a=", "a*=b", "a=b*", "*a*=*b*"])
def test_what_is_no_rename_is_refused(text: str) -> None:
    """A star on one side alone says nothing."""
    with pytest.raises(ReadingError, match="OLD=NEW"):
        Rename.parse(text)


def test_a_rename_that_fits_nothing_names_the_nearest() -> None:
    """A misspelt name would leave a series under its old name for ever."""
    with pytest.raises(ReadingError, match="did you mean 'parser/utf8'"):
        readings.rename([reading("parser/utf8")], [Rename("parser/utf-8", "x")])


def test_two_benchmarks_of_one_name_are_refused() -> None:
    """A rename may not put two series into one."""
    with pytest.raises(ReadingError, match="one name"):
        readings.rename([reading("one", "two")], [Rename("one", "two")])


def test_parts_of_a_run_are_put_together() -> None:
    """It has the benchmarks of all, and began when the first of them did."""
    first = replace(reading("sort"), started_at=20)
    second = replace(reading("load"), started_at=10, commit="a" * 40)
    made = readings.merge([("one", first), ("two", second)])
    assert ["sort", "load"] == labels(made)
    assert (10, "a" * 40) == (made.started_at, made.commit)


def test_different_processes_of_a_benchmark_are_united() -> None:
    """Each file is of a process of its own; the same values twice are not."""
    parts = [("one", reading("sort")), ("two", reading("sort", value=2.0))]
    made = readings.merge(parts)
    assert ((1.0,), (2.0,)) == made.measurements[0].processes
    with pytest.raises(ReadingError, match="not different processes"):
        readings.merge([*parts, ("three", reading("sort"))])


@pytest.mark.parametrize(
    ("field", "ours", "theirs"),
    [
        ("tool", Tool("one"), Tool("two")),
        ("suite", "one", "two"),
        ("commit", "a" * 40, "b" * 40),
        ("testbed_name", "one", "two"),
        ("facts", (("cpu", "one"),), (("cpu", "two"),)),
    ],
)
def test_parts_of_other_runs_are_refused(
    field: str, ours: object, theirs: object
) -> None:
    """Tool, suite, commit and machine must agree, unless the machine is given."""
    pair = [
        ("x", replace(reading("sort"), **{field: ours})),
        ("y", replace(reading("load"), **{field: theirs})),
    ]
    with pytest.raises(ReadingError, match="x and y are not of one run"):
        readings.merge(pair)
    if field in ("testbed_name", "facts"):
        assert readings.merge(pair, one_testbed=True)


def test_the_origin_follows_what_changed() -> None:
    """Unchanged it is of the bytes alone; merged, of the files in any order."""
    assert b"data" == readings.salted(b"data", [])
    kinds = [["a"], ["b"], ["a", "b"], ["ab"], ["a\0001:b"]]
    assert len(kinds) == len({readings.salted(b"data", one) for one in kinds})
    assert readings.merged_data([b"1", b"2"]) == readings.merged_data([b"2", b"1"])

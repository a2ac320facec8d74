"""Catch2's benchmarks: XML and console output of versions 2 and 3."""

from __future__ import annotations

import math

import pytest

from gitbench import formats
from gitbench.model import Better, Status, Summary
from tests.readings import (
    DATA,
    SHARED,
    by_name,
    needs_samples,
    read,
    readings,
    refusal,
    summary,
    text,
)

LONG = "a benchmark whose name is longer than the column it is printed in"
LABELS = [
    "Fibonacci/fibonacci 8",
    "Fibonacci/fibonacci 20",
    f"Fibonacci/with a <long> name & more/{LONG}",
    "Fibonacci/that throws/throws",
    "Sorting/sort",
]
RULE = "-" * 79
HEAD = f"""
{"~" * 79}
b is a Catch2 v3.7.1 host application.
Run with -? for options

{RULE}
Case
{RULE}
b.cpp:6
{"." * 79}

benchmark name                       samples       iterations    est run time
                                     mean          low mean      high mean
                                     std dev       low std dev   high std dev
{RULE}
"""
ROWS = """one                                             20           211    6.66338 ms
                                        78.0509 ns    75.8367 ns    82.6573 ns
                                         1.5 us      0.724008 ns    10.2552 ns

"""
END = f"{'=' * 79}\ntest cases: 1 | 1 passed\nassertions: - none -\n"


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("version2.txt", "2.13.10"),
        ("version2.xml", None),
        ("version3.txt", "3.7.1"),
        ("version3.xml", "3.7.1"),
    ],
)
def test_every_form_has_the_same_benchmarks(name: str, version: str | None) -> None:
    """Case, sections and name make the benchmark's; what threw is failed."""
    reading = read(f"catch2/{name}")
    assert [one.benchmark.label for one in reading.measurements] == LABELS
    assert reading.tool.version == version
    failed = reading.measurements[3]
    assert (failed.status, failed.message) == (Status.FAILED, "not this time")
    for one in reading.measurements:
        assert (one.metric.name, one.metric.unit) == ("duration", "ns")
        assert one.metric.better is Better.LOWER
    assert any("test cases failed" in warning for warning in reading.warnings)


def test_numbers_of_the_xml() -> None:
    """Mean with its bounds, deviation and number of samples, in ns."""
    rows = by_name(read("catch2/version2.xml"))
    assert summary(rows["Sorting/sort", "duration"]) == Summary(
        2922.72, low=2817.57, high=3330.93, stddev=415.892, n=20
    )


def test_cells_of_the_console_have_units_of_their_own() -> None:
    """255.951 us with a deviation of 1.0945 ms are ns alike."""
    rows = by_name(read("catch2/version2.txt"))
    assert summary(rows["Sorting/sort", "duration"]) == Summary(
        255951.0, low=4642.36, high=1260620.0, stddev=1094500.0, n=20
    )


def test_benchmarks_before_sections_are_put_together() -> None:
    """What ran once for each section is one sample, as from all its values."""
    rows = by_name(read("catch2/version2.xml"))
    both = summary(rows["Fibonacci/fibonacci 8", "duration"])
    means, spreads = (76.7196, 82.6716), (17.0151, 44.5074)
    mean = sum(means) / 2
    squares = sum(
        19 * s * s + 20 * (m - mean) ** 2 for m, s in zip(means, spreads, strict=True)
    )
    assert both.n == 40
    assert both.center == pytest.approx(mean)
    assert both.stddev == pytest.approx(math.sqrt(squares / 39))


def test_extreme_deviations() -> None:
    """A deviation of the samples together that no number can hold is left out."""
    big = ROWS.replace("78.0509 ns", "1e+300 ns")
    (one,) = text(HEAD + ROWS + big + END, "catch2").measurements
    assert summary(one).stddev is None
    assert summary(one).center == pytest.approx(5e299)


def test_several_programs_are_several_runs() -> None:
    """Outputs of two programs in one file, as in a CI log; other text is passed."""
    content = f"# Results\n```\n{HEAD}{ROWS}{END}```\nand\n{HEAD}{ROWS}{END}"
    found = formats.read(content.encode(), tool=None, name="x")
    assert [len(one.measurements) for one in found] == [1, 1]
    (one,) = found[0].measurements
    assert one.benchmark.name == "Case/one"
    assert summary(one).stddev == 1500.0


def test_a_benchmark_that_ended_the_program_is_failed() -> None:
    """A crash leaves the first row of a benchmark without its times."""
    crash = f"{RULE}\nCase\n{RULE}\nb.cpp:6: FAILED:\n  SIGSEGV\n\n{END}"
    two = ROWS.replace("one", "two").splitlines()[0]
    one, other = text(f"{HEAD}{ROWS}{two}\n{crash}", "catch2").measurements
    assert one.status is Status.OK
    assert (other.benchmark.name, other.status) == ("Case/two", Status.FAILED)


@pytest.mark.parametrize("lines", [1, 2, 3, 4])
def test_a_console_output_that_is_cut_off(lines: int) -> None:
    """Wherever it ends before the closing line, it is refused."""
    part = "\n".join(ROWS.splitlines()[:lines])
    assert "closing line of `=` is missing" in refusal(HEAD + part)


def test_names_that_are_wrapped() -> None:
    """A case's name that goes on in the next line, and sections that do."""
    words = " ".join(["word"] * 14)
    head = HEAD.replace("\nCase\n", f"\n{words}\nrest\n  section\n  {words} a\n  b\n")
    (one,) = text(head + ROWS + END, "catch2").measurements
    assert one.benchmark.name == f"{words} rest/section/{words} a/b/one"
    words = " ".join(["word"] * 15) + " x"
    head = HEAD.replace("\nCase\n", f"\nCase\n  {words}\n  wrapped\n")
    (one,) = text(head + ROWS + END, "catch2").measurements
    assert one.benchmark.name == f"Case/{words} wrapped/one"


def test_xml_that_cannot_be_read() -> None:
    """Cut off, without benchmarks, without a mean, or with NaN."""
    whole = (DATA / "catch2/version3.xml").read_text()
    assert "line 25, column 5: it is not valid XML" in refusal(whole[:2000])
    assert "ends too early" in refusal(whole[: whole.rindex("</")])
    assert "it holds no benchmark" in refusal("<Catch2TestRun/>")
    assert "its root is 'testsuites'" in refusal("<testsuites/>", "catch2")
    start = whole.index("<mean")
    without = whole[:start] + whole[whole.index("/>", start) + 2 :]
    assert "'fibonacci 8': it has no mean" in refusal(without)
    assert "it is NaN" in refusal(whole.replace('mean value="', 'mean value="nan" x="'))
    assert "is no number of samples" in refusal(
        whole.replace('samples="', 'samples="-')
    )


@needs_samples
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("bencherdev+bencher__issue_351.txt", [6]),
        ("bencherdev+bencher__two.txt", [2]),
        ("nandanvasudevan+cpp_scratch_pad__benchmarks.md", [9, 6, 10, 10]),
        ("nandanvasudevan+cpp_scratch_pad__output.md", [8, 30, 64]),
    ],
)
def test_outputs_of_other_projects(name: str, counts: list[int]) -> None:
    """Every benchmark of every program in the files, each of 100 samples."""
    found = readings(SHARED / "catch2" / name)
    assert [len(one.measurements) for one in found] == counts
    for reading in found:
        assert {summary(one).n for one in reading.measurements} == {100}

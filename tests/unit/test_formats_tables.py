"""Formats without a tool of their own: tables, expositions, reports and tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitbench import formats
from gitbench.model import Better, Kind, Measurement, Reading, Status

DATA = Path(__file__).parent.parent / "data"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "formats"


def read(name: str, tool: str | None = None, **options: object) -> Reading:
    """The single run of a file in tests/data."""
    data = (DATA / name).read_bytes()
    (reading,) = formats.read(data, tool=tool, name=name, **options)  # type: ignore[arg-type]
    return reading


def text(content: str, tool: str, **options: object) -> Reading:
    """The single run of some text."""
    (reading,) = formats.read(content.encode(), tool=tool, name="x", **options)  # type: ignore[arg-type]
    return reading


def refusal(content: str, tool: str, **options: object) -> str:
    """The message with which some text is refused."""
    with pytest.raises(formats.FormatError) as caught:
        formats.read(content.encode(), tool=tool, name="x", **options)  # type: ignore[arg-type]
    return str(caught.value)


def by_name(reading: Reading) -> dict[tuple[str, str], Measurement]:
    """Measurements by label and metric."""
    return {(one.benchmark.label, one.metric.name): one for one in reading.measurements}


# ------------------------------------------------------------------------- csv


def test_rows_of_a_table_are_the_values_of_a_measurement() -> None:
    """Rows are grouped by benchmark, parameters and process; a failure has no value."""
    reading = read("csv/values.csv")
    sort, parse = reading.measurements
    assert sort.benchmark.label == "sort [n=1000]"
    assert (sort.metric.name, sort.metric.unit) == ("duration", "ms")
    assert sort.processes == ((0.101, 0.102), (0.1, 0.103))
    assert (parse.status, parse.message) == (Status.FAILED, "segmentation fault")


def test_column_options_say_what_a_table_means() -> None:
    """Any table is read once its columns are named; a text may stand for a column."""
    table = "name;t;host\nsort;1.5;a\nsort;1.25;a\n"
    columns = {"benchmark": "name", "value": "t", "unit": "=ms", "param:host": "host"}
    (one,) = text(table, "csv", columns=columns).measurements
    assert one.benchmark.label == "sort [host=a]"
    assert (one.metric.unit, one.metric.better) == ("ms", Better.LOWER)
    assert one.processes == ((1.5, 1.25),)


def test_cells_may_hold_their_unit() -> None:
    """`25.1us` in a cell is a number with its unit, kept in the base unit."""
    columns = {"benchmark": "name", "value": "median"}
    (one,) = text("name,median\nx,25.1us\n", "csv", columns=columns).measurements
    assert one.processes[0][0] == pytest.approx(25.1e-6)
    assert one.metric.unit == "s"


@pytest.mark.parametrize(
    ("table", "columns", "words"),
    [
        ("a,b\n1,2\n", {}, "no column is the benchmark"),
        ("a,b\n1,2\n", {"benchmark": "c", "value": "b"}, "no column 'c'"),
        ("benchmark,value\nx,NaN\n", {}, "line 2, value: 'NaN' is no measured value"),
        ("benchmark,value\nx,inf\n", {}, "line 2"),
        ("benchmark,value\nx,1_0\n", {}, "line 2"),
        ("benchmark,value\nx,fast\n", {}, "line 2, value: 'fast'"),
        ("benchmark,value\nx,1,2\n", {}, "line 2: it has 3 cells"),
        ('benchmark,value\n"x,1\n', {}, "it is no table"),
        ("benchmark,value\n", {}, "no rows"),
        ("benchmark,value\nx,1\n", {"colour": "x"}, "a column means"),
        ("benchmark,value,status\nx,1,odd\n", {}, "'odd' is none of"),
        ("benchmark,value,better\nx,1,up\n", {}, "'up' is none of lower"),
        ("benchmark,value,unit\nx,1,ms\nx,1,s\n", {}, "line 3"),
    ],
)
def test_tables_that_cannot_be_read(
    table: str, columns: dict[str, str], words: str
) -> None:
    """What is wrong with a table is said with its line."""
    assert words in refusal(table, "csv", columns=columns)


def test_a_table_without_our_header_is_not_guessed() -> None:
    """A header without `benchmark` and `value` belongs to no tool."""
    with pytest.raises(formats.FormatError, match="no known tool"):
        formats.read(b"name,median\nx,25.1us\n", tool=None, name="x")


# ----------------------------------------------------------------- openmetrics


def test_samples_become_measurements() -> None:
    """Gauges and counters are values, a summary is its mean, labels are parameters."""
    rows = by_name(read("openmetrics/exposition.txt"))
    assert rows["login [size=small]", "request_duration"].processes == ((0.0125,),)
    batch = rows["import", "batch"].summary
    assert batch is not None
    assert (batch.center, batch.n) == (2.0, 3)
    misses = rows["cache_misses", "value"]
    assert (misses.processes, misses.metric.better) == (((42.0,),), Better.LOWER)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("# TYPE a gauge\na 1\n", "cut off"),
        ("# TYPE a gauge\na NaN\n# EOF\n", "sample 'a': it is NaN"),
        ("# TYPE a gauge\na +Inf\n# EOF\n", "infinite"),
        ("# TYPE a gauge\na{b 1\n# EOF\n", "not valid OpenMetrics"),
        ("# TYPE a gauge\na 1 1\na 2 2\n# EOF\n", "twice"),
        ("# EOF\n", "no benchmark result"),
    ],
)
def test_expositions_that_cannot_be_read(content: str, words: str) -> None:
    """A damaged exposition, and one that is a history, are refused."""
    assert words in refusal(content, "openmetrics")


def test_a_time_stamp_is_the_start() -> None:
    """The time of the samples is when the run began."""
    reading = text("# TYPE a gauge\na 1 1700000000.5\n# EOF\n", "openmetrics")
    assert reading.started_at == 1_700_000_000_500


# ----------------------------------------------------------------------- junit


def test_tests_have_durations_and_failures_apart() -> None:
    """A passed test is a duration, a failed or skipped one never a number."""
    reading = read("junit/pytest.xml")
    rows = by_name(reading)
    passed = rows["test_j.TestSort.test_sizes[100]", "duration"]
    assert passed.processes == ((0.01,),)
    failed = rows["test_j.test_fails", "duration"]
    assert failed.status is Status.FAILED
    assert failed.message is not None
    assert failed.message.startswith("AssertionError: one is not two")
    assert rows["test_j.test_skipped", "duration"].status is Status.SKIPPED
    assert reading.started_at is not None


@pytest.mark.parametrize(
    ("cases", "processes", "warning"),
    [
        ('<testcase name="a" time="1,234.5"/>', ((1234.5,),), None),
        (
            '<testcase name="a" time="1"/><testcase name="a" time="2"/>',
            ((1.0, 2.0),),
            "1 tests have the name of an earlier one",
        ),
        (
            '<testcase name="a" time="1"><flakyFailure/></testcase>',
            ((1.0,),),
            "only when they were run again",
        ),
        ('<testcase name="a" time="1"/><testcase name="b"/>', ((1.0,),), "without a"),
    ],
)
def test_writers_of_junit_differ(
    cases: str, processes: tuple[tuple[float, ...], ...], warning: str | None
) -> None:
    """Thousands separators, names that repeat, and tests that were run again."""
    reading = text(f"<testsuite>{cases}</testsuite>", "junit")
    assert reading.measurements[0].processes == processes
    assert len(reading.measurements) == 1
    assert warning is None or warning in " ".join(reading.warnings)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<testsuite><testcase name='a' time='1'", "line 1"),
        ("<testsuite><testcase name='a' time='x'/></testsuite>", "'x' is no number"),
        ("<testsuite><testcase name='a' time='NaN'/></testsuite>", "it is NaN"),
        ("<testsuite><testcase time='1'/></testsuite>", "name"),
        ("<testsuite/>", "nothing to keep"),
        ("<html/>", "not testsuites"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><testsuite/>', "document type"),
        ("<a>" * 200, "nested deeper"),
        ("plain", "not XML"),
    ],
)
def test_xml_that_cannot_be_read(content: str, words: str) -> None:
    """Damaged XML, entities and foreign documents are refused with their place."""
    assert words in refusal(content, "junit")


# ----------------------------------------------------- bencher, custom JSON


def test_bencher_measures_have_the_units_of_its_server() -> None:
    """Built-in measures are known; a mark that suppresses alerts is cut off."""
    reading = read("bencher/report.json")
    rows = by_name(reading)
    latency = rows["parser::utf8", "duration"]
    assert latency.metric.unit == "ns"
    assert latency.summary is not None
    assert (latency.summary.low, latency.summary.high) == (3100.0, 3400.0)
    assert rows["parser::utf8", "throughput"].metric.better is Better.HIGHER
    assert rows["solver", "instructions"].metric.kind is Kind.EXACT
    assert rows["solver", "restarts"].metric.better is Better.NONE
    assert ("binary", "file-size") in rows
    assert "gate = false" in reading.warnings[0]


def test_the_tool_says_which_way_is_better() -> None:
    """Without the action's tool name only the unit tells."""
    name = "github-action-benchmark/custom.json"
    plain = by_name(read(name))
    assert plain["Start-up", "duration"].metric.better is Better.LOWER
    assert plain["Frames", "throughput"].processes == ((59.5,),)
    assert plain["Quality", "value"].metric.better is Better.NONE
    bigger = by_name(read(name, "customBiggerIsBetter"))
    assert bigger["Quality", "value"].metric.better is Better.HIGHER
    smaller = read(name, "customSmallerIsBetter")
    assert {one.metric.better for one in smaller.measurements} == {Better.LOWER}
    assert not smaller.warnings


@pytest.mark.parametrize(
    ("tool", "value", "words"),
    [
        ("bencher", {"a": {"latency": {"value": float("nan")}}}, "it is NaN"),
        ("bencher", {"a": {"latency": {}}}, "'value' is missing"),
        ("bencher", {"a": {"latency": {"value": 1, "x": 2}}}, "no key of the format"),
        ("bencher", {"a": 3}, "must be an object"),
        ("bencher", {}, "no benchmark result"),
        ("github-action-benchmark", [{"name": "a", "value": "x"}], "no number"),
        ("github-action-benchmark", [{"name": "a", "value": "inf"}], "infinite"),
        ("github-action-benchmark", [{"value": 1}], "'name' is missing"),
        (
            "github-action-benchmark",
            [{"name": "a", "value": 1}, {"name": "a", "value": 2}],
            "twice",
        ),
    ],
)
def test_reports_that_cannot_be_read(tool: str, value: object, words: str) -> None:
    """What is no result is refused with its place."""
    assert words in refusal(json.dumps(value), tool)


@pytest.mark.skipif(not SHARED.exists(), reason="the sample files are not beside")
@pytest.mark.parametrize(
    ("name", "measurements", "failed"),
    [
        ("bencher-bmf/bencherdev+bencher__report_bmf_mixed.json", 3, 0),
        ("bencher-bmf/bencherdev+bencher__report_latency.json", 3, 0),
        (
            "github-action-benchmark-custom/Jeromearsene+levita__bench-results.json",
            5,
            0,
        ),
        ("junit-xml/EnricoMi+publish-unit-test-result-action__disabled.xml", 31, 25),
        ("junit-xml/EnricoMi+publish-unit-test-result-action__junit.fail.xml", 5, 2),
        (
            "junit-xml/EnricoMi+publish-unit-test-result-action__latex-utensils.xml",
            101,
            0,
        ),
    ],
)
def test_files_of_other_projects(name: str, measurements: int, failed: int) -> None:
    """Real files that others published are read as a whole."""
    (reading,) = formats.read((SHARED / name).read_bytes(), tool=None, name=name)
    assert len(reading.measurements) == measurements
    states = [one.status is not Status.OK for one in reading.measurements]
    assert sum(states) == failed

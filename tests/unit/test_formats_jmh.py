"""JMH: values of forks from JSON, scores from CSV."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitbench.model import Better, Kind, Status
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


def result(**changes: Any) -> dict[str, Any]:
    """A result of one fork and two iterations, with changes to its metric."""
    metric = {"score": 1.5, "scoreUnit": "us/op", "rawData": [[1.0, 2.0]]}
    return {
        "benchmark": "a.B.c",
        "mode": "avgt",
        "threads": 1,
        "forks": 1,
        "primaryMetric": {**metric, **changes},
        "secondaryMetrics": {},
    }


def test_forks_are_processes() -> None:
    """Iterations stay in their fork; the mode says which way is better."""
    reading = read("jmh/forks.json")
    rows = by_name(reading)
    assert reading.tool.version == "1.37"
    assert dict(reading.facts)["runtime"].startswith("OpenJDK 64-Bit Server VM 17.")
    sort = rows["demo.Sorting.sort [size=100]", "duration"]
    assert [len(fork) for fork in sort.processes] == [3, 3]
    assert (sort.metric.unit, sort.metric.better) == ("us/op", Better.LOWER)
    rate = rows["demo.Pair.queue", "throughput"]
    assert (rate.metric.unit, rate.metric.better) == ("ops/s", Better.HIGHER)


def test_the_values_give_the_score() -> None:
    """Their mean is the score of JMH, which for mode sample weighs each call."""
    rows = by_name(read("jmh/forks.json"))
    results = json.loads((DATA / "jmh/forks.json").read_text())
    checked = 0
    for one in results:
        if one["mode"] == "sample" or one["benchmark"] == "demo.Sorting.sum":
            continue
        params = f" [size={one['params']['size']}]" if one.get("params") else ""
        name = "throughput" if one["mode"] == "thrpt" else "duration"
        forks = rows[one["benchmark"] + params, name].processes
        values = [value for fork in forks for value in fork]
        score = one["primaryMetric"]["score"]
        assert sum(values) / len(values) == pytest.approx(score)
        checked += 1
    assert checked == 3


def test_mode_sample() -> None:
    """The mean of each iteration from its histogram, and percentiles of each."""
    rows = by_name(read("jmh/forks.json"))
    label = "demo.Sorting.hash [size=100]"
    assert [len(fork) for fork in rows[label, "duration"].processes] == [3, 3]
    assert rows[label, "duration_p99"].processes[0][0] == 0.091
    assert rows[label, "duration_p99"].metric.better is Better.LOWER
    assert not [name for _, name in rows if name.startswith("p0") or "999" in name]
    histogram = [[[[2.0, 3], [6.0, 1]], []]]
    one = result(rawDataHistogram=histogram, scorePercentiles={"99.0": 6.0})
    one["mode"] = "sample"
    rows = by_name(text(json.dumps([one]), "jmh"))
    assert rows["a.B.c", "duration"].processes == ((3.0,),)
    assert rows["a.B.c", "duration_p99"].processes == ((6.0,),)


def test_secondary_metrics() -> None:
    """Allocation by operation is better lower; of others nothing is known."""
    rows = by_name(read("jmh/forks.json"))
    norm = rows["demo.Sorting.sort [size=1000]", "allocated"]
    assert (norm.metric.unit, norm.metric.kind) == ("B/op", Kind.SIZE)
    assert (norm.metric.better, len(norm.processes)) == (Better.LOWER, 2)
    assert rows["demo.Pair.queue", "gc.alloc.rate"].metric.better is Better.NONE
    assert rows["demo.Pair.queue", "take"].metric.better is Better.NONE
    one = result()
    norm_name = "\u00b7gc.alloc.rate.norm"
    one["secondaryMetrics"] = {
        norm_name: {"score": "NaN", "scoreUnit": "B/op", "rawData": [["NaN"]]}
    }
    reading = text(json.dumps([one]), "jmh")
    assert len(reading.measurements) == 1
    assert "'gc.alloc.rate.norm' is no number" in reading.warnings[0]


def test_modes_and_threads_tell_results_apart() -> None:
    """They are parameters of a benchmark that was measured with several."""
    labels = {one.benchmark.label for one in read("jmh/forks.json").measurements}
    assert "demo.Sorting.sum [mode=thrpt, size=100]" in labels
    assert "demo.Sorting.sum [mode=ss, size=100]" in labels
    assert "demo.Sorting.sort [size=100]" in labels
    one, two = result(), result()
    two["threads"] = 4
    two["params"] = one["params"] = {"threads": "x", "empty": ""}
    found = text(json.dumps([one, two]), "jmh").measurements
    assert [dict(each.benchmark.params)["jmh.threads"] for each in found] == ["1", "4"]


def test_without_forks() -> None:
    """-f 0 is read, a scoreError of NaN is none, and the reader is warned."""
    reading = read("jmh/in-process.json")
    assert [len(one.processes) for one in reading.measurements] == [1] * 6
    assert "6 results were measured with -f 0" in reading.warnings[0]


def test_csv() -> None:
    """Scores with the number of samples; NaN of the error does not matter."""
    rows = by_name(read("jmh/scores.csv"))
    one = rows["demo.Pair.queue", "throughput"]
    assert (summary(one).center, summary(one).n) == (15619957.143806, 6)
    assert ("demo.Sorting.hash [size=100]", "duration_p99") in rows
    json_rows = by_name(read("jmh/forks.json"))
    assert {key: one.metric for key, one in rows.items()} == {
        key: json_rows[key].metric for key in rows
    }


def test_csv_of_other_languages() -> None:
    """A comma before the decimals, which some locales print; a score of NaN."""
    head = (
        '"Benchmark","Mode","Threads","Samples","Score","Score Error (99.9%)","Unit"\n'
    )
    row = '"a.B.c","avgt",1,5,"1234,500000","1,000000","us/op"\n'
    other = '"a.B.d","avgt",1,5,NaN,NaN,"us/op"\n'
    one, two = text(head + row + other, "jmh").measurements
    assert summary(one).center == 1234.5
    assert two.status is Status.FAILED


def test_a_unit_against_the_mode_is_not_gated() -> None:
    """Throughput in s/op: nobody can say which way is better."""
    one = result(scoreUnit="s/op")
    one["mode"] = "thrpt"
    reading = text(json.dumps([one]), "jmh")
    assert reading.measurements[0].metric.better is Better.NONE
    assert "contradict each other" in reading.warnings[0]


def test_an_infinite_iteration_is_a_failure() -> None:
    """JMH writes +INF where an iteration had no operation."""
    (one,) = text(json.dumps([result(rawData=[["+INF", 1.0]])]), "jmh").measurements
    assert one.status is Status.FAILED
    (one,) = text(json.dumps([result(rawData=None)]), "jmh").measurements
    assert summary(one).center == 1.5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([result(), result()], "stands there twice"),
        ([result(rawData=[[float("nan")]])], "rawData[0][0]: it is NaN"),
        ([result(rawDataHistogram=[[[[1.0]]]])], "a value and how often it came"),
        ([{"benchmark": "a", "primaryMetric": {}}], "[0]: 'mode' is missing"),
        ([result(scoreUnit=None)], "'scoreUnit' is missing"),
        ([], "it holds no benchmark result"),
    ],
)
def test_results_that_cannot_be_read(content: Any, message: str) -> None:
    """Each is refused with its place."""
    assert message in refusal(json.dumps(content), "jmh")


def test_what_jmh_prints_is_no_result() -> None:
    """The console output, JSON and CSV that are cut off."""
    printed = (DATA / "refused/jmh.txt").read_text()
    for part in (printed, printed[printed.index("\nBenchmark  ") :]):
        assert "run it with -rf json -rff FILE" in refusal(part)
    assert "cut off" in refusal((DATA / "jmh/forks.json").read_text()[:-20], "jmh")
    assert "cut off" in refusal((DATA / "jmh/scores.csv").read_text()[:-20])
    assert "neither JSON nor a CSV of JMH" in refusal("a,b\n", "jmh")


@needs_samples
@pytest.mark.parametrize(
    ("name", "measurements", "values"),
    [
        ("bencherdev+bencher__latency.json", 1, 3),
        ("bencherdev+bencher__six.json", 6, 3),
        ("chrisgleissner+java-benchmarks__jmh-result-all.json.gz", 256, 10),
        ("gpanther+benchmark-arraycopy__jmh-xeon.json.gz", 196, 5),
        ("twineworks+collections-benchmarks__jmh-result.json.gz", 80, 10),
        ("gpanther+benchmark-arraycopy__jmh-result.csv", 116, 0),
    ],
)
def test_results_of_other_projects(name: str, measurements: int, values: int) -> None:
    """All results of each file, with as many values as iterations."""
    (reading,) = readings(SHARED / "jmh" / name)
    assert len(reading.measurements) == measurements
    counts = {sum(map(len, one.processes)) for one in reading.measurements}
    assert counts == {values}


@needs_samples
def test_a_console_output_of_another_project() -> None:
    """What ReBench captured of JMH is refused with what to do."""
    data = (SHARED / "jmh/smarr+ReBench__issue_32_jmh.data").read_bytes()
    assert "this is what JMH prints" in refusal(data)

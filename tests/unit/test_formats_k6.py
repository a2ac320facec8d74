"""k6: three forms of its summary."""

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
    text,
)

FORMS = ["handle", "export", "machine-readable"]


def values(name: str) -> dict[str, Any]:
    """The values of each metric in the file of handleSummary."""
    metrics = json.loads((DATA / f"k6/{name}.json").read_text())["metrics"]
    return {key: one["values"] for key, one in metrics.items()}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_has_the_same_metrics(name: str) -> None:
    """Names, units, directions and kinds are those of the other forms."""
    rows = by_name(read(f"k6/{name}.json"))
    trend = rows["http_req_duration", "duration_p95"]
    assert (trend.metric.unit, trend.metric.better) == ("ms", Better.LOWER)
    assert len(trend.processes[0]) == 1
    assert ("http_req_duration [expected_response=true]", "duration") in rows
    assert rows["http_reqs", "throughput"].metric.better is Better.HIGHER
    assert rows["http_reqs", "total"].metric.better is Better.NONE
    assert rows["data_sent", "total"].metric.unit == "B"
    assert rows["data_sent", "throughput"].metric.better is Better.NONE
    assert rows["errors", "total"].metric.better is Better.LOWER
    assert rows["queue_length", "value"].metric.better is Better.NONE
    assert rows["level", "value"].processes == ((4.0,),)


@pytest.mark.parametrize("name", FORMS)
def test_rates_and_checks_are_proportions(name: str) -> None:
    """Passes of http_req_failed are failures; a check is found by its name."""
    rows = by_name(read(f"k6/{name}.json"))
    failed = rows["http_req_failed", "failed"]
    assert failed.metric.kind is Kind.PROPORTION
    assert failed.metric.better is Better.LOWER
    assert failed.passes is not None
    assert failed.trials == 2 * failed.passes
    checks = rows["checks", "success"]
    assert (checks.trials, checks.passes) == (failed.trials, failed.passes)
    held = rows["check [name=status is 200]", "success"]
    assert held.passes == held.trials == failed.passes
    lost = [key for key in rows if "is found" in key[0]]
    assert len(lost) == 1
    assert rows[lost[0]].passes == 0
    assert rows["cache_hit", "rate"].metric.better is Better.NONE


def test_numbers_of_handle_summary() -> None:
    """A statistic is one value of the run, as the file has it."""
    rows, told = by_name(read("k6/handle.json")), values("handle")
    duration = told["http_req_duration"]
    for metric, key in [
        ("duration", "avg"),
        ("duration_p50", "med"),
        ("duration_p99", "p(99)"),
    ]:
        assert rows["http_req_duration", metric].processes == ((duration[key],),)
    assert rows["iterations", "throughput"].processes == (
        (told["iterations"]["rate"],),
    )
    assert rows["parse_time", "duration"].processes == ((1.5,),)
    assert ("check [name=missing::is found]", "success") in rows


@pytest.mark.parametrize("name", ["handle", "export"])
def test_thresholds(name: str) -> None:
    """Kept or crossed, though --summary-export writes true for crossed."""
    reading = read(f"k6/{name}.json")
    rows = by_name(reading)
    kept = rows["http_req_duration [threshold=p(95)<1000]", "success"]
    crossed = rows["checks [threshold=rate>0.99]", "success"]
    assert (kept.passes, kept.trials) == (1, 1)
    assert (crossed.passes, crossed.trials) == (0, 1)
    assert reading.warnings[1] == (
        "k6's own thresholds were crossed: 'checks: rate>0.99'."
    )


def test_the_machine_readable_summary_tells_more() -> None:
    """Version, start (end less duration), and totals by the duration."""
    reading = read("k6/machine-readable.json")
    told = json.loads((DATA / "k6/machine-readable.json").read_text())
    assert reading.tool.version == "1.8.1"
    assert (reading.started_at, reading.naive_time) == (1795436720707, False)
    rows = by_name(reading)
    (total,) = rows["http_reqs", "total"].processes[0]
    rate = total / told["config"]["duration"]
    assert rows["http_reqs", "throughput"].processes == ((rate,),)
    renamed = (DATA / "k6/machine-readable.json").read_text()
    renamed = renamed.replace("k6_version", "k6Version")
    renamed = renamed.replace("generated_at", "generatedAt")
    (again,) = (text(renamed, "k6"),)
    assert (again.tool, again.started_at) == (reading.tool, reading.started_at)


def test_an_endless_test_has_no_start_of_its_own() -> None:
    """A duration beyond all times leaves the time of generation."""
    content = (DATA / "k6/machine-readable.json").read_text()
    reading = text(content.replace("2.000967065", "1e308"), "k6")
    assert reading.started_at == 1795436722708


def test_a_summary_that_a_script_wrapped() -> None:
    """handleSummary may put facts of its own beside the data."""
    data = (DATA / "k6/handle.json").read_text()
    wrapped = text(f'{{"meta": {{"run": 1}}, "k6": {data}}}', "k6")
    assert wrapped.measurements == read("k6/handle.json").measurements


def test_what_was_never_counted_is_skipped() -> None:
    """A rate of no trials is no number."""
    content = {"metrics": {"checks": {"passes": 0, "fails": 0, "value": 0}}}
    (one,) = text(json.dumps(content), "k6").measurements
    assert one.status is Status.SKIPPED


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ({"avg": float("nan")}, "'avg': it is NaN"),
        ({"passes": -1, "fails": 1}, "it must be 0 or more"),
        ({"passes": 0.5, "fails": 1}, "must be a whole number"),
        ({"x": 1}, "it is no metric of k6"),
        ({"type": "trend", "values": {"max": 1}}, "no mean, median or percentile"),
        ({"type": "odd", "values": {}}, "its type 'odd' is unknown"),
        ({"avg": 1, "thresholds": {"x": 1}}, "a threshold must be true or false"),
    ],
)
def test_summaries_that_cannot_be_read(metric: dict[str, Any], message: str) -> None:
    """Each is refused with the metric in which it is wrong."""
    found = refusal(json.dumps({"metrics": {"m": metric}}), "k6")
    assert message in found
    assert "'m'" in found


def test_foreign_and_cut_off_summaries() -> None:
    """No metrics at all, half a file, what k6 prints, --out json."""
    assert "holds no metric" in refusal('{"metrics": {}}', "k6")
    assert "cut off" in refusal((DATA / "k6/handle.json").read_text()[:1000], "k6")
    printed = (DATA / "refused/k6.txt").read_bytes()
    assert "run it with --summary-export FILE" in refusal(printed)
    assert "'metrics' is missing" in refusal('{"type": "Point"}', "k6")


@needs_samples
@pytest.mark.parametrize(
    ("name", "measurements", "trials"),
    [
        ("CMU-17313Q+nodebb-f25-sickfault__k6-summary.json", 54, 162),
        ("benc-uk+k6-reporter__grpc.json", 28, None),
        ("benc-uk+k6-reporter__simple.json", 66, 878),
        ("torgge+k6-database-messages__summary-export.json", 19, None),
    ],
)
def test_summaries_of_other_projects(
    name: str, measurements: int, trials: int | None
) -> None:
    """All metrics, thresholds and checks of each file."""
    (reading,) = readings(SHARED / "k6" / name)
    assert len(reading.measurements) == measurements
    failed = by_name(reading).get(("http_req_failed", "failed"))
    assert (failed.trials if failed else None) == trials

"""Tests of the reader of gitbench/run/1."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import gitbench
from gitbench import formats
from gitbench.export import run_json
from gitbench.model import (
    Benchmark,
    Better,
    CiContext,
    Kind,
    Measurement,
    Metric,
    Reading,
    Status,
    Summary,
    Tool,
)
from tests.factories import make_run

DATA = Path(__file__).parent.parent / "data"
RESULTS = {".json", ".jsonl", ".txt", ".gz"}
SCHEMA = json.loads(
    (Path(gitbench.__file__).parent / "schemas/run-1.schema.json").read_text()
)


def read(*measurements: dict[str, object], **fields: object) -> Reading:
    """The run of these measurements."""
    run = {"schema": "gitbench/run/1", "measurements": list(measurements), **fields}
    (reading,) = formats.read(json.dumps(run).encode(), tool=None, name="r.json")
    return reading


def one(**fields: object) -> Measurement:
    """A single measurement of benchmark b."""
    return read({"benchmark": "b", **fields}).measurements[0]


def refusal(*measurements: dict[str, object], **fields: object) -> str:
    """The message with which a run is refused."""
    with pytest.raises(formats.FormatError) as caught:
        read(*measurements, **fields)
    return str(caught.value)


GOOD: dict[str, object] = {
    "benchmark": "b",
    "metric": "duration",
    "unit": "s",
    "values": [1.5],
}


def test_a_complete_run_is_read() -> None:
    """Every field of a run finds its place."""
    (run,) = formats.read((DATA / "run.json").read_bytes(), tool=None, name="x")
    assert run.suite == "unit"
    assert run.started_at == 1_767_323_045_678
    assert not run.naive_time
    assert (run.commit, run.tree, run.dirty) == ("1" * 40, "2" * 40, False)
    assert run.tool == Tool("mytool", "1.2")
    assert run.testbed_name == "ci-large"
    assert run.facts == (("cores", "4"), ("cpu", "Test CPU"))
    assert run.tags == (("attempt", "2"), ("branch", "main"))
    assert run.ci == CiContext("github", "https://example.com/run/7", None, "12")
    assert (run.session, run.round) == ("s1", 3)
    assert len(run.measurements) == 10


def test_all_kinds_of_measurements_are_read() -> None:
    """Values in processes, a summary, trials, a failure and a skip."""
    (run,) = formats.read((DATA / "run.json").read_bytes(), tool=None, name="x")
    found = {(m.benchmark.name, m.metric.name): m for m in run.measurements}
    sort = found["sort", "duration"]
    assert sort.benchmark == Benchmark("sort", (("n", "1000"),))
    assert sort.processes == ((0.101, 0.102), (0.1, 0.103))
    assert sort.metric == Metric("duration", "ms", Better.LOWER, Kind.DURATION)
    assert found["sort", "instructions"].metric.kind is Kind.EXACT
    assert found["load", "duration"].summary == Summary(
        1.2, "median", 1.1, 1.3, 0.05, 20
    )
    fixed = found["agent/fix-bug", "success"]
    assert (fixed.passes, fixed.trials) == (9, 10)
    assert fixed.metric.kind is Kind.PROPORTION
    added = found["agent/add-test", "success"]
    assert (added.passes, added.trials, added.processes) == (2, 3, ())
    assert found["agent/fix-bug", "cost"].metric.kind is Kind.MONEY
    assert found["serve", "goodness"].metric.better is Better.HIGHER
    assert found["serve", "goodness"].version == "v2"
    failed = found["parse", "duration"]
    assert (failed.status, failed.message) == (Status.FAILED, "segfault")
    assert found["network", "duration"].status is Status.SKIPPED
    assert found["network", "duration"].metric.unit == "s"


def test_one_run_a_line_is_read_in_order() -> None:
    """JSON Lines give one reading a line; a naive time is marked."""
    runs = formats.read((DATA / "runs.jsonl").read_bytes(), tool=None, name="x")
    assert [run.measurements[0].processes for run in runs] == [
        ((101.0, 102.0, 100.0),),
        ((103.0, 101.0, 104.0),),
    ]
    assert [run.naive_time for run in runs] == [False, True]


def test_a_damaged_line_is_named() -> None:
    """An error in a later run says which."""
    good = json.dumps({"schema": "gitbench/run/1", "measurements": [GOOD]})
    bad = good.replace("1.5", '"x"')
    with pytest.raises(formats.FormatError, match=r"run 2: measurements\[0\]\.values"):
        formats.read(f"{good}\n{bad}\n".encode(), tool=None, name="x")


def test_only_schema_and_measurements_are_needed() -> None:
    """What a run does not tell is None, for the recorder to fill."""
    assert read(GOOD) == Reading(
        Tool("custom"),
        (
            Measurement(
                Benchmark("b"),
                Metric("duration", "s", Better.LOWER, Kind.DURATION),
                ((1.5,),),
            ),
        ),
    )


def test_an_exported_run_keeps_what_identifies_it() -> None:
    """Origin, fingerprint and time source survive, so that an import adds nothing."""
    run = read(
        GOOD,
        id="0" * 16,
        origin="a" * 64,
        time_source="recorder",
        testbed={"name": "x", "fingerprint": "0123456789ab"},
    )
    assert run.origin == "a" * 64
    assert run.fingerprint == "0123456789ab"
    assert run.time_source == "recorder"


@pytest.mark.parametrize(
    ("fields", "kind", "better"),
    [
        ({"metric": "tokens"}, Kind.TOKENS, Better.LOWER),
        ({"metric": "frob"}, Kind.SCORE, Better.NONE),
        ({"metric": "frob", "kind": "duration", "unit": "s"}, Kind.DURATION, "lower"),
        ({"metric": "frob", "kind": "throughput"}, Kind.THROUGHPUT, Better.HIGHER),
        ({"metric": "frob", "kind": "exact"}, Kind.EXACT, Better.NONE),
        ({"metric": "frob", "better": "higher"}, Kind.SCORE, Better.HIGHER),
        ({"metric": "x", "unit": "MB/s", "better": "none"}, Kind.THROUGHPUT, "none"),
    ],
)
def test_kind_and_direction_default_to_what_is_implied(
    fields: dict[str, object], kind: Kind, better: Better | str
) -> None:
    """The name, the unit or the kind imply a direction; what is written wins."""
    metric = one(values=[1.5], **fields).metric
    assert metric.kind is kind
    assert metric.better is Better(better)


def test_outcomes_of_trials_are_counted() -> None:
    """A proportion may be written as outcomes, in processes or not."""
    flat = one(metric="x", kind="proportion", values=[1, 0, 1, 1])
    assert (flat.passes, flat.trials) == (3, 4)
    nested = one(metric="success", values=[[True, False], [True]])
    assert (nested.passes, nested.trials) == (2, 3)


def test_a_rate_without_trials_is_a_score() -> None:
    """A rate under a name such as success is no count of passes."""
    found = one(metric="success_rate", values=[0.93])
    assert found.metric.kind is Kind.SCORE
    assert found.processes == ((0.93,),)
    assert found.metric.better is Better.HIGHER


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"valuse": [1]}, "measurements[0]: the key 'valuse' is unknown; did you mean"),
        ({"benchmark": None}, "measurements[0]: 'benchmark' is missing"),
        ({"benchmark": ""}, "measurements[0].benchmark: The text is empty"),
        ({"benchmark": 3}, "measurements[0].benchmark: it must be text"),
        ({"metric": None}, "measurements[0]: 'metric' is missing"),
        ({"unit": None}, "'unit' is missing, and duration has no natural one"),
        ({"unit": "B", "kind": "duration"}, "'B' is no unit of the kind duration"),
        ({"unit": "x" * 65}, "the limit is 64"),
        ({"better": "up"}, "'up' is none of lower, higher, none"),
        ({"kind": "speed"}, "measurements[0].kind: 'speed' is none of duration, size"),
        ({"status": "broken"}, "'broken' is none of ok, failed, skipped"),
        ({"values": []}, "measurements[0].values: it is empty"),
        ({"values": [[]]}, "measurements[0].values[0]: a process has no values"),
        ({"values": [[1], 2]}, "measurements[0].values[1]: it must be an array"),
        ({"values": 3}, "measurements[0].values: it must be an array"),
        ({"values": None}, "no values, though its status is ok"),
        ({"status": "failed"}, "its status is failed, so it cannot have values"),
        ({"passes": 1, "trials": 2}, "a measurement has values, or trials"),
        ({"values": None, "passes": 3, "trials": 2}, "3 passes of 2 trials"),
        ({"values": None, "passes": 3}, "passes and trials go together"),
        ({"values": None, "trials": 0}, "measurements[0].trials: it must be 1 or more"),
        ({"values": None, "trials": 2**63}, "below 2^63"),
        ({"values": None, "trials": 1.5}, "it must be a whole number"),
        ({"kind": "proportion", "unit": "1", "values": [0.5]}, "needs 'passes' and"),
        ({"summary": {}, "values": None}, "no values, though its status is ok"),
        ({"summary": {"low": 1}, "values": None}, "summary: 'center' is missing"),
        ({"summary": {"center": 1, "of": "mode"}}, "'mode' is none of mean, median"),
        ({"summary": {"center": 1, "stddev": -1}}, "stddev is negative"),
        ({"summary": {"center": 1, "n": 0}}, "summary.n: it must be 1 or more"),
        ({"summary": {"centre": 1}}, "did you mean 'center'?"),
        ({"params": {"n": [1]}}, "measurements[0].params['n']: it must be text"),
        ({"params": {"": "x"}}, "The text is empty"),
        ({"params": {f"k{i}": "" for i in range(101)}}, "more than 100 keys"),
        ({"message": 3}, "measurements[0].message: it must be text"),
    ],
)
def test_a_wrong_measurement_is_refused(fields: dict[str, object], reason: str) -> None:
    """Each mistake in a measurement is told with its place."""
    assert reason in refusal(GOOD | fields)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"schema": "gitbench/run/2"}, "schema: it must be 'gitbench/run/1'"),
        ({"schema": "gitbench/report/1"}, "schema: it must be 'gitbench/run/1'"),
        ({"sute": "x"}, "the key 'sute' is unknown; did you mean 'suite'?"),
        ({"suite": ""}, "suite: The text is empty"),
        ({"started_at": "yesterday"}, "'yesterday' is no time such as"),
        ({"started_at": 5}, "started_at: it must be text"),
        ({"started_at": "0001-01-01T00:00:00+23:59"}, None),
        ({"commit": "abc"}, "commit: it must be a full id of 40 or 64 hex digits"),
        ({"tree": "z" * 40}, "tree: it must be a full id"),
        ({"dirty": "no"}, "dirty: it must be true or false"),
        ({"tool": "x"}, "tool: it must be an object"),
        ({"tool": {"nam": "x"}}, "did you mean 'name'?"),
        ({"testbed": {"fingerprint": "xyz"}}, "fingerprint: it must be 12 hex"),
        ({"origin": "abc"}, "origin: it must be 64 hex digits"),
        ({"time_source": "guess"}, "'guess' is none of tool, tool-naive, recorder"),
        ({"ci": {"url": "x"}}, "ci: 'provider' is missing"),
        ({"round": -1}, "round: it must be 0 or more"),
        ({"round": "1"}, "round: it must be a whole number"),
        ({"tags": ["x"]}, "tags: it must be an object"),
        ({"tags": {"a": None}}, "tags['a']: it must be text"),
        ({"measurements": []}, "it holds no benchmark result"),
        ({"measurements": {}}, "measurements: it must be an array"),
        ({"measurements": None}, "'measurements' is missing"),
        ({"measurements": [3]}, "measurements[0]: it must be an object"),
    ],
)
def test_a_wrong_run_is_refused(fields: dict[str, object], reason: str | None) -> None:
    """Each mistake in a run's own fields is told with its place."""
    if reason is None:
        assert read(GOOD, **fields).started_at is not None
    else:
        run = {"schema": "gitbench/run/1", "measurements": [GOOD]} | fields
        with pytest.raises(formats.FormatError) as caught:
            formats.read(json.dumps(run).encode(), tool="gitbench", name="r.json")
        assert reason in str(caught.value)


def test_the_same_measurement_twice_is_refused() -> None:
    """Two results under one name would be mixed up."""
    assert "stands there twice with metric 'duration'" in refusal(GOOD, GOOD)
    read(GOOD, GOOD | {"params": {"n": 1}}, GOOD | {"metric": "other"})


FILES = sorted(path.name for path in DATA.iterdir() if path.suffix in RESULTS)


@pytest.mark.parametrize("name", FILES)
def test_an_exported_run_is_read_back_as_it_was(name: str) -> None:
    """Whatever a reader understood survives export and import, bit for bit."""
    for reading in formats.read((DATA / name).read_bytes(), tool=None, name=name):
        run = make_run(
            reading.measurements,
            tool=reading.tool,
            tags=reading.tags,
            ci=reading.ci,
            session=reading.session,
            round=reading.round,
        )
        text = json.dumps(run_json(run))
        jsonschema.validate(json.loads(text), SCHEMA)
        (back,) = formats.read(text.encode(), tool=None, name="export")
        assert back == Reading(
            run.tool,
            run.measurements,
            suite=run.suite,
            started_at=run.started_at,
            time_source=run.time_source,
            commit=run.commit,
            tree=run.tree,
            dirty=run.dirty,
            testbed_name=run.testbed.name,
            fingerprint=run.testbed.fingerprint,
            facts=run.testbed.facts,
            ci=run.ci,
            session=run.session,
            round=run.round,
            tags=run.tags,
            origin=run.origin,
        )


@pytest.mark.parametrize("name", ["run.json", "runs.jsonl"])
def test_what_is_read_fits_the_schema(name: str) -> None:
    """The schema that ships and the reader agree on good files."""
    text = (DATA / name).read_text()
    for one in [text] if name == "run.json" else filter(None, text.split("\n")):
        jsonschema.validate(json.loads(one), SCHEMA)

"""The JSON report and the schemas that describe what gitbench reads and writes."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import gitbench
from gitbench.formats.document import Document, FormatError
from gitbench.formats.interchange import read
from gitbench.model import (
    REASONS,
    Comparison,
    Group,
    Report,
    Settings,
    Shift,
    Verdict,
)
from gitbench.report import render
from gitbench.report.data import report_json
from tests.golden.reports import (
    TYPICAL,
    fine,
    group,
    higher,
    hostile,
    report,
    row,
    shifted,
    special,
)

SCHEMAS = Path(gitbench.__file__).parent / "schemas"
DOCS = Path(gitbench.__file__).parents[1] / "docs" / "reference"


def validator(name: str) -> jsonschema.Draft202012Validator:
    """The validator of a shipped schema."""
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", [*TYPICAL, "hostile"])
def test_reports_fit_their_schema(name: str) -> None:
    """Every typical report is valid JSON of ASCII characters and fits the schema."""
    subject = hostile() if name == "hostile" else TYPICAL[name]()
    text = render(subject, "json")
    assert text.isascii()
    data = json.loads(text, parse_constant=pytest.fail)
    validator("report-1").validate(data)
    assert data == json.loads(json.dumps(report_json(subject)))


def test_schema_refuses_what_it_does_not_know() -> None:
    """A missing key, an unknown key, verdict or shape does not fit the schema."""
    check = validator("report-1")
    data = report_json(fine())
    assert check.is_valid(data)
    for broken in (
        {key: value for key, value in data.items() if key != "counts"},
        data | {"extra": 1},
        data | {"verdict": "slower"},
        data | {"exit_code": 2},
        data | {"schema": "gitbench/report/2"},
        data | {"comparisons": [{"benchmark": "sort"}]},
    ):
        assert not check.is_valid(broken)


def test_schema_describes_every_key_of_a_report() -> None:
    """Each object of the schema requires all keys that it names."""
    schema = json.loads((SCHEMAS / "report-1.schema.json").read_text(encoding="utf-8"))
    objects = list(_objects(schema))
    assert len(objects) > 8
    for one in objects:
        assert sorted(one["required"]) == sorted(one["properties"])


def _objects(schema: Any) -> Any:
    if isinstance(schema, dict):
        if "properties" in schema and "required" in schema:
            yield schema
        for inner in schema.values():
            yield from _objects(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _objects(inner)


def test_every_key_is_documented() -> None:
    """Each key of each object stands as code on the reference page."""
    text = (DOCS / "report-json.md").read_text(encoding="utf-8")
    schema = json.loads((SCHEMAS / "report-1.schema.json").read_text(encoding="utf-8"))
    keys = {key for one in _objects(schema) for key in one["properties"]}
    assert [key for key in sorted(keys) if f"`{key}`" not in text] == []


def test_every_reason_is_documented() -> None:
    """Each reason code stands with its meaning on the reference page."""
    text = (DOCS / "report-json.md").read_text(encoding="utf-8")
    rows = [f"| `{code}` | {meaning} |" for code, meaning in REASONS.items()]
    assert [row for row in rows if row not in text] == []


@pytest.mark.parametrize(
    ("noun", "entry", "elsewhere"),
    [
        (Report, "", {"counts"}),
        (Settings, "settings", set()),
        (Group, "groups", set()),
        (Shift, "shifts", set()),
        (Comparison, "comparisons", {"benchmark", "metric"}),
    ],
)
def test_nothing_of_the_model_is_left_out(
    noun: type, entry: str, elsewhere: set[str]
) -> None:
    """Every field of the model's report stands in the JSON under its own name."""
    data = report_json(shifted())
    found: Any = {"": data, "shifts": data["groups"][0]["shifts"][0]} | data
    found = found[entry]
    keys = set(found[0] if isinstance(found, list) else found) | elsewhere
    assert {field.name for field in fields(noun)} <= keys


def test_counts_stand_for_all_verdicts() -> None:
    """All ten verdicts are counted, the one of groups is not."""
    data = report_json(special())
    assert data["counts"] == {
        "regressed": 3,
        "failed": 2,
        "inconclusive": 0,
        "incomparable": 1,
        "missing": 2,
        "accepted": 8,
        "new": 9,
        "no-regression": 1,
        "unchanged": 13,
        "improved": 0,
    }
    assert report_json(replace(special(), counts=()))["counts"] == data["counts"]


def test_accepted_changes_are_listed_with_their_reasons() -> None:
    """The accepted rows stand apart, with the change that was judged."""
    first, *others = report_json(special())["accepted"]
    assert first == {
        "group": 0,
        "benchmark": "parse/utf8",
        "params": {},
        "metric": "duration",
        "change": 0.121,
        "reason": "validates surrogates now",
    }
    assert len(others) == 7
    assert report_json(fine())["accepted"] == []


def test_sides_count_runs_and_sessions() -> None:
    """Head and baseline say how many runs and sessions stand behind them."""
    one = report_json(fine())["groups"][0]
    assert (one["head"]["runs"], one["head"]["sessions"]) == (1, 1)
    assert (one["baseline"]["runs"], one["baseline"]["sessions"]) == (1, 5)
    assert [entry["distance"] for entry in one["baseline"]["window"]] == [0, 1, 2, 3, 4]


def test_limits_and_directions_are_those_of_the_metric() -> None:
    """A higher-is-better row has a negative limit and its threshold as it was set."""
    rows = report_json(higher())["comparisons"]
    first = next(one for one in rows if one["metric"] == "throughput")
    assert (first["better"], first["threshold"]) == ("higher", 0.05)
    assert first["limit"] == pytest.approx(1 / 1.05 - 1)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_undefined_numbers_are_null(number: float) -> None:
    """A number that JSON cannot write is null, never NaN or Infinity."""
    one = replace(
        row("sort"),
        change=number,
        interval=(0.1, number),
        p_value=number,
        base=replace(row("sort").base, center=number),  # type: ignore[type-var]
    )
    subject = report([one], [group(Verdict.UNCHANGED)])
    data = json.loads(render(subject, "json"), parse_constant=pytest.fail)
    found = data["comparisons"][0]
    assert found["change"] is None
    assert found["interval"] is None
    assert found["p_value"] is None
    assert found["base"]["center"] is None


# ------------------------------------------------------------------ schema of a run

MEASUREMENT = {"benchmark": "sort", "metric": "duration", "unit": "s", "values": [0.1]}


def run(*measurements: dict[str, Any], **top: Any) -> dict[str, Any]:
    """An interchange run."""
    return {"schema": "gitbench/run/1", "measurements": list(measurements), **top}


GOOD = {
    "least": run(MEASUREMENT),
    "processes": run(MEASUREMENT | {"values": [[0.1, 0.2], [0.3]]}),
    "summary": run(
        {
            "benchmark": "load",
            "metric": "duration",
            "unit": "s",
            "summary": {"center": 1.2, "low": 1.1, "high": 1.3, "n": 20, "of": "mean"},
        }
    ),
    "proportion": run(
        {
            "benchmark": "agent",
            "metric": "success",
            "kind": "proportion",
            "better": "higher",
            "passes": 9,
            "trials": 10,
        }
    ),
    "outcomes": run(
        {
            "benchmark": "agent",
            "metric": "success",
            "kind": "proportion",
            "values": [True, False, True],
        }
    ),
    "failed": run(
        {
            "benchmark": "parse",
            "metric": "duration",
            "unit": "s",
            "status": "failed",
            "message": "segfault",
        }
    ),
    "whole": run(
        MEASUREMENT | {"params": {"n": "1000", "m": 3, "fast": True}},
        suite="unit",
        started_at="2026-01-02T03:04:05.678Z",
        commit="a" * 40,
        tree="b" * 64,
        dirty=False,
        tool={"name": "mytool", "version": "1.2"},
        testbed={"name": "ci-large", "facts": {"cpu": "x"}},
        tags={"branch": "x"},
        ci={"provider": "github", "url": "https://ci.example/1", "pull_request": 7},
        session=None,
        round=None,
    ),
}
BAD = {
    "no schema": {"measurements": [MEASUREMENT]},
    "another schema": run(MEASUREMENT) | {"schema": "gitbench/run/2"},
    "no measurements": {"schema": "gitbench/run/1"},
    "none at all": run(),
    "unknown key": run(MEASUREMENT, suit="unit"),
    "unknown key of a measurement": run(MEASUREMENT | {"beter": "lower"}),
    "no benchmark": run({"metric": "duration", "unit": "s", "values": [1]}),
    "empty name": run(MEASUREMENT | {"benchmark": ""}),
    "long name": run(MEASUREMENT | {"benchmark": "x" * 1025}),
    "no direction": run(MEASUREMENT | {"better": "smaller"}),
    "no values": run(MEASUREMENT | {"values": []}),
    "empty process": run(MEASUREMENT | {"values": [[0.1], []]}),
    "mixed values": run(MEASUREMENT | {"values": [0.1, [0.2]]}),
    "text values": run(MEASUREMENT | {"values": ["0.1"]}),
    "values and failed": run(MEASUREMENT | {"status": "failed"}),
    "nothing and ok": run({"benchmark": "sort", "metric": "duration", "unit": "s"}),
    "passes alone": run({"benchmark": "a", "metric": "success", "passes": 1}),
    "short commit": run(MEASUREMENT, commit="abc1234"),
    "dirty text": run(MEASUREMENT, dirty="no"),
    "provider of none": run(MEASUREMENT, ci={"url": "https://ci.example/1"}),
    "unknown fact": run(MEASUREMENT, testbed={"cpu": "x"}),
}


@pytest.mark.parametrize("name", GOOD)
def test_schema_of_a_run_takes_what_the_reader_takes(name: str) -> None:
    """What the reader understands fits the schema."""
    validator("run-1").validate(GOOD[name])
    assert read(Document("json", b"", values=(GOOD[name],)))[0].measurements


@pytest.mark.parametrize("name", BAD)
def test_schema_of_a_run_refuses_what_the_reader_refuses(name: str) -> None:
    """What the reader refuses does not fit the schema."""
    assert not validator("run-1").is_valid(BAD[name])
    with pytest.raises(FormatError):
        read(Document("json", b"", values=(BAD[name],)))

"""JUnit XML: failures are what the gate fails on, and nothing undecided passes."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from gitbench.model import Kind, Report, Settings, Shift, Verdict
from gitbench.report import render
from tests.golden.reports import (
    THROUGHPUT,
    TYPICAL,
    group,
    higher,
    nothing,
    regressed,
    report,
    row,
    special,
)


def root_of(subject: Report) -> ElementTree.Element:
    """The root element, as a parser of the standard library reads it."""
    return ElementTree.fromstring(render(subject, "junit").encode())


def outcome(case: ElementTree.Element) -> str:
    """`failure`, `skipped`, or `system-out` for one that is fine."""
    (child,) = case
    return child.tag


def outcomes(subject: Report) -> dict[str, str]:
    """Name of a case -> its outcome."""
    return {c.get("name", ""): outcome(c) for c in root_of(subject).iter("testcase")}


@pytest.mark.parametrize("name", TYPICAL)
def test_counts_are_those_of_the_cases(name: str) -> None:
    """The numbers of the root and of each suite are those of its cases."""
    root = root_of(TYPICAL[name]())
    for element in (root, *root.iter("testsuite")):
        cases = list(element.iter("testcase"))
        tags = [outcome(case) for case in cases]
        assert element.get("tests") == str(len(cases))
        assert element.get("failures") == str(tags.count("failure"))
        assert element.get("skipped") == str(tags.count("skipped"))
        assert element.get("errors") == "0"
        assert cases


@pytest.mark.parametrize(
    ("verdict", "tag"),
    [
        (Verdict.REGRESSED, "failure"),
        (Verdict.FAILED, "failure"),
        (Verdict.INCONCLUSIVE, "skipped"),
        (Verdict.INCOMPARABLE, "skipped"),
        (Verdict.MISSING, "skipped"),
        (Verdict.NEW, "skipped"),
        (Verdict.ACCEPTED, "system-out"),
        (Verdict.NO_REGRESSION, "system-out"),
        (Verdict.UNCHANGED, "system-out"),
        (Verdict.IMPROVED, "system-out"),
    ],
)
def test_verdicts_have_their_outcome(verdict: Verdict, tag: str) -> None:
    """A red row is a failure, an undecided one skipped, a decided one fine."""
    subject = report([row("sort", verdict, 0.1)], [group(verdict, shifts=())])
    assert outcomes(subject) == {"sort: duration": tag}


def test_failures_are_what_the_gate_fails_on() -> None:
    """The list of `fail_on` decides, and a row that is not gated never fails."""
    rows = [
        row("red", Verdict.REGRESSED, 0.2),
        row("free", Verdict.REGRESSED, 0.2, gated=False),
        row("open", Verdict.INCONCLUSIVE, 0.2, reason="noise"),
    ]
    groups = [group(Verdict.REGRESSED, shifts=())]
    fail_on = Settings(fail_on=(Verdict.INCONCLUSIVE,))
    assert list(outcomes(report(rows, groups)).values()) == [
        *("failure", "skipped", "skipped")
    ]
    assert list(outcomes(report(rows, groups, settings=fail_on)).values()) == [
        *("skipped", "skipped", "failure")
    ]


def test_message_has_the_numbers() -> None:
    """A failure says by how much, against which limit, in attribute and content."""
    (failure,) = root_of(regressed()).iter("failure")
    assert failure.get("type") == "regressed"
    assert failure.text == failure.get("message")
    assert failure.text == (
        "regressed; base 41.20 ms, head 47.92 ms, change +16.3 %, "
        "interval +14.2 to +18.5 %, limit +5.0 %, p <0.001"
    )


def test_message_of_a_failed_benchmark_has_its_own() -> None:
    """What the benchmark said when it failed stands in the message."""
    texts = [one.text or "" for one in root_of(special()).iter("failure")]
    assert any("segmentation fault in decode() at 0x7f" in text for text in texts)


def test_time_is_that_of_head_in_seconds() -> None:
    """Only durations have a time, the center of head."""
    rows = [
        row("sort", change=0.5, center=0.25),
        row("copy", metric=THROUGHPUT, center=3e9),
        row("odd", metric=replace(THROUGHPUT, unit="s", kind=Kind.SCORE)),
        row("gone", Verdict.MISSING, None),
    ]
    cases = root_of(report(rows, [group(Verdict.UNCHANGED, shifts=())]))
    times = {case.get("name"): case.get("time") for case in cases.iter("testcase")}
    assert times == {
        "sort: duration": "0.375000000",
        "copy: throughput": None,
        "odd: throughput": None,
        "gone: duration": None,
    }


def test_properties_tell_the_baseline() -> None:
    """A suite has verdict, baseline, rule and distance as properties."""
    root = root_of(regressed())
    found = {p.get("name"): p.get("value") for p in root.iter("property")}
    assert found["verdict"] == "regressed"
    assert found["base"] == "origin/main"
    assert found["baseline.commit"] == "9f8e7d6a" + "3" * 32
    assert found["baseline.rule"] == "merge-base"
    assert found["baseline.distance"] == "3"
    assert found["baseline.age_s"] == "432000"
    assert found["baseline.window"] == "5 runs in 5 sessions, of 5 commits"


def test_class_tells_testbeds_of_one_suite_apart() -> None:
    """Cases of one suite on two testbeds have different classes."""
    cases = list(root_of(higher()).iter("testcase"))
    assert {case.get("classname") for case in cases} == {
        *("unit (ci-large)", "unit (mac-mini)")
    }
    names = [(case.get("classname"), case.get("name")) for case in cases]
    assert len(set(names)) == len(names)
    single = root_of(regressed()).iter("testcase")
    assert {case.get("classname") for case in single} == {"unit"}


@pytest.mark.parametrize(
    ("verdict", "tag"),
    [
        (Verdict.REGRESSED, "failure"),
        (Verdict.INCONCLUSIVE, "skipped"),
        (Verdict.UNCHANGED, "system-out"),
    ],
)
def test_shift_of_a_suite_is_a_case(verdict: Verdict, tag: str) -> None:
    """A suite that moved as a whole has a case of its own."""
    shift = Shift("duration", 20, 0.004, None, None, None, verdict)
    subject = report([row("sort")], [group(verdict, shifts=(shift,))])
    assert outcomes(subject)["(whole suite): duration"] == tag


def test_nothing_compared_is_no_empty_suite() -> None:
    """A report that compared nothing has a skipped case that says why."""
    empty = replace(nothing(), comparisons=(), counts=())
    (case,) = root_of(empty).iter("testcase")
    assert outcome(case) == "skipped"
    assert "None of the 50 commits" in (case[0].text or "")
    (bare,) = root_of(report([], [], exit_code=3)).iter("testcase")
    assert "`gitbench record`" in (bare[0].text or "")

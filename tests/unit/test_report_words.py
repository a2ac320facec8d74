"""What a report says: never more than its rows do."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from gitbench.model import REASONS, Report, Settings, Shift, Verdict
from gitbench.report import FORMATS, render, words
from gitbench.report.escape import plain
from gitbench.report.view import build_view
from tests.golden import reports as typical
from tests.golden.reports import (
    BASE,
    TYPICAL,
    baseline,
    group,
    quiet,
    report,
    row,
    runs,
    side,
    weak,
)

COMMANDS = ("record", "compare", "show", "log", "baseline", "fetch", "push", "diff")


def headline(subject: Report) -> str:
    """The headline as plain text."""
    return plain(build_view(subject, all_rows=False).headline)


def steps(subject: Report) -> str:
    """All next steps as plain text."""
    return " ".join(map(plain, build_view(subject, all_rows=False).next_steps))


def one_row(verdict: Verdict, **fields: object) -> Report:
    """A report of a single row."""
    return report([row("sort", verdict, **fields)], [group(verdict)])  # type: ignore[arg-type]


# ------------------------------------------------------------------------ headline


@pytest.mark.parametrize("name", TYPICAL)
@pytest.mark.parametrize("fmt", FORMATS)
def test_no_report_says_passed(name: str, fmt: str) -> None:
    """No report claims that something passed; the word is no verdict."""
    text = render(TYPICAL[name](), fmt).replace('"passes": ', "")  # of trials
    assert not re.search(r"\bpass(ed|es)\b", text)


def test_undecided_rows_are_in_the_headline_with_what_the_gate_can_see() -> None:
    """The headline of undecided rows says how large a change would be seen."""
    rows = [row(f"b{i}", Verdict.INCONCLUSIVE, 0.01, reason="noise") for i in range(12)]
    subject = report(rows, [group(Verdict.INCONCLUSIVE, sensitivity=(0.04, 0.11))])
    assert headline(subject) == (
        "no regression found; 12 undecided; this gate can see ≥ 4 % in half of the "
        "rows, ≥ 11 % in nine of ten"
    )


def test_gate_of_several_groups_is_as_good_as_the_worst() -> None:
    """The sensitivity of several groups is that of the one that sees least."""
    rows = [row("sort", Verdict.INCONCLUSIVE, 0.01, reason="noise")]
    groups = [
        group(Verdict.INCONCLUSIVE, sensitivity=(0.04, 0.05)),
        group(Verdict.UNCHANGED, id=1, sensitivity=(0.01, 0.2)),
    ]
    assert "≥ 4 % in half of the rows, ≥ 20 % in nine" in headline(report(rows, groups))


def test_weak_rows_say_how_little_the_gate_can_see() -> None:
    """With one session a side the headline claims no more than gross changes."""
    rows = [weak("sort", Verdict.INCONCLUSIVE, 0.1, 0.01)]
    one = group(Verdict.INCONCLUSIVE, sensitivity=None, baseline=baseline(1))
    assert headline(report(rows, [one])) == (
        "no regression found; 1 undecided; this gate can see only changes beyond 2 ×"
    )
    never = report(rows, [one], settings=Settings(weak="never"))
    assert headline(never).endswith("this gate can see no change at all yet")


def test_decided_rows_are_no_regression() -> None:
    """Only where all rows are decided the headline says no regression."""
    assert headline(typical.fine()) == (
        "no regression: 2 not worse, 37 unchanged, 1 improved"
    )


def test_rows_not_compared_are_told_apart() -> None:
    """New and missing rows are no part of what was compared."""
    rows = [row("a"), row("b", Verdict.NEW, None, head=side(1.0))]
    assert headline(report(rows, [group(Verdict.NEW)])) == (
        "no regression: 1 unchanged; not compared: 1 new"
    )


def test_nothing_compared_says_so_and_what_to_do() -> None:
    """Without a compared row the headline says that, and the next step follows."""
    subject = typical.nothing()
    assert headline(subject) == "nothing was compared (3 new)"
    assert "`gitbench record`" in steps(subject)
    bare = replace(subject, reason=None)
    assert "`gitbench record`" in steps(bare)
    assert headline(report([], [], verdict=Verdict.NOT_COMPARED)) == (
        "nothing was compared"
    )


def test_ungated_regression_is_told_apart() -> None:
    """A red row that does not gate is not counted with those that do."""
    rows = [
        row("a", Verdict.REGRESSED, 0.3),
        row("b", Verdict.REGRESSED, 0.3, gated=False),
    ]
    assert headline(report(rows, [group(Verdict.REGRESSED)])) == (
        "1 regressed, 1 regressed but not gated"
    )


def test_whole_suite_is_named_when_it_regressed() -> None:
    """A suite that slowed as a whole heads the headline, three of them by name."""
    shift = Shift("duration", 20, 0.08, None, 0.001, 0.001, Verdict.REGRESSED)
    rows = [row("a", Verdict.INCONCLUSIVE, 0.08, reason="moved-with-suite")]
    one = report(rows, [group(Verdict.REGRESSED, shifts=(shift,))])
    assert headline(one) == (
        "suite unit regressed as a whole (duration +8.0 %), 1 undecided"
    )
    many = [group(Verdict.REGRESSED, id=i, shifts=(shift,)) for i in range(5)]
    assert "2 more whole suites regressed" in headline(report(rows, many))


def test_amber_rows_are_in_the_headline() -> None:
    """A row beyond its warning level is counted, whatever its verdict."""
    assert headline(one_row(Verdict.UNCHANGED, amber=True)) == (
        "no regression: 1 unchanged, 1 beyond the warning level"
    )


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        (typical.regressed(), "The gate fails (exit code 1)."),
        (typical.nothing(), "Nothing compared is not a pass (exit code 3)."),
        (
            replace(typical.nothing(), exit_code=0),
            'The gate does not fail, because on_no_baseline is "pass" (exit code 0).',
        ),
        (
            typical.ungated(),
            "The gate does not fail (exit code 0): it is set to fail on nothing.",
        ),
        (typical.fine(), None),
    ],
)
def test_gate_is_explained_where_it_is_not_plain(
    subject: Report, said: str | None
) -> None:
    """The exit code is explained when it is not 0, or 0 in spite of bad rows."""
    phrase = words.gate(subject)
    assert (plain(phrase) if phrase else None) == said


# -------------------------------------------------------------------------- sides


@pytest.mark.parametrize(
    ("rule", "distance", "said"),
    [
        ("merge-base", 0, "9f8e7d6a, the merge base of head and main; "),
        ("merge-base", 3, "9f8e7d6a, 3 commits before the merge base of head and main"),
        ("first-parent", 1, "1 commit before head's first parent, since head is on"),
        ("test-merge", 0, "the first parent of the test merge that head is"),
        ("commit", 0, "the commit asked for as main"),
        ("named", 0, "the commit saved as main"),
        ("other", 0, "found by the rule other from main"),
        ("files", 0, "the results in main"),
    ],
)
def test_baseline_is_explained(rule: str, distance: int, said: str) -> None:
    """A report says which commit the baseline is, by which rule, and how far."""
    one = baseline(rule=rule, distance=distance)
    assert said in plain(words.baseline_words(one, "main"))


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (172_805, "; 2 days older"),
        (-7300, "; 2 h newer"),
        (0, "; as old as head"),
        (None, "origin/main"),
    ],
)
def test_age_of_the_baseline_is_told(age: int | None, said: str) -> None:
    """A report says how much older than head its baseline is, if that is known."""
    text = plain(words.baseline_words(baseline(age_s=age), "origin/main"))
    assert text.endswith(said)


def test_runs_that_stand_in_are_told() -> None:
    """Runs of another commit with the same tree are named on either side."""
    other = "abcdef12" + "0" * 32
    text = plain(words.baseline_words(baseline(stand_in=other), "main"))
    assert text.endswith("it has the tree of abcdef12, whose runs stand in")
    head = group(Verdict.UNCHANGED, head=replace(runs(BASE), stand_in=other))
    assert "recorded at abcdef12" in plain(words.head_words(head, BASE, []))


def test_window_counts_runs_sessions_and_commits() -> None:
    """A report says how many runs, sessions and commits stand behind the baseline."""
    window = (runs(BASE, 3), runs("1" * 40, 2, distance=1))
    rows = [row("a", sessions=2), row("b", sessions=4)]
    assert plain(words.window_words(baseline(window=window), rows)) == (
        "5 runs in 4 sessions, of 2 commits"
    )


def test_small_shift_is_not_worth_a_word() -> None:
    """A shift under a point is not told unless it decided something."""
    small = Shift("duration", 20, 0.004, None, 0.4, 0.5, Verdict.UNCHANGED)
    assert words.shift_words(small) is None
    red = words.shift_words(replace(small, verdict=Verdict.REGRESSED))
    assert red is not None
    large = words.shift_words(replace(small, change=-0.02, interval=(-0.03, -0.01)))
    assert large is not None
    assert plain(large) == (
        "the whole suite moved by -2.0 % in duration (-3.0 to -1.0 %; p 0.500): "
        "unchanged; rows are judged without it"
    )


# ------------------------------------------------------------------- reasons, steps


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_an_undecided_row_is_told_in_words(reason: str) -> None:
    """The words of a reason stand in the text of a report."""
    subject = one_row(Verdict.INCONCLUSIVE, reason=reason)
    text = " ".join(render(subject, "text").split())
    assert f"1 inconclusive: {REASONS[reason]}" in text


def test_unknown_reason_is_told_as_it_is() -> None:
    """A reason code of another version is shown rather than dropped."""
    assert "1 inconclusive: of-the-future" in render(
        one_row(Verdict.INCONCLUSIVE, reason="of-the-future"), "text"
    )


@pytest.mark.parametrize(
    ("needed", "said"),
    [
        ([3], "1 inconclusive: the noise is too large to decide; 3 further sessions"),
        ([1], "; 1 further session would decide."),
        ([2, 5], "; 2 to 5 further sessions would decide."),
        ([2, None], "; 2 further sessions would decide 1 of them."),
    ],
)
def test_sessions_needed_are_told(needed: list[int | None], said: str) -> None:
    """A report says how many more sessions would decide undecided rows."""
    rows = [
        row(f"b{i}", Verdict.INCONCLUSIVE, 0.1, reason="noise", sessions_needed=n)
        for i, n in enumerate(needed)
    ]
    assert said in plain(words.reason_counts(rows)[0])


def test_newcomer_reads_what_one_run_can_tell_and_what_to_do() -> None:
    """With one run a side the report says what that cannot tell and the next step."""
    text = " ".join(render(typical.newcomer(), "text").split())
    assert "✗ 1 regressed, 4 undecided" in text
    assert "one session of the baseline cannot tell a change from the noise" in text
    assert "Measure the baseline on two more occasions" in text
    assert "at 9f8e7d6a on ci-large, and `gitbench record` each result" in text


@pytest.mark.parametrize(
    ("sessions", "said"), [(1, "on two more occasions:"), (2, "on one more occasion:")]
)
def test_next_step_counts_the_missing_sessions(sessions: int, said: str) -> None:
    """Three sessions are enough, so one or two are asked for."""
    few = row("a", Verdict.INCONCLUSIVE, 0.1, sessions=sessions, weak=True, reason="x")
    one = group(Verdict.INCONCLUSIVE, baseline=baseline(sessions))
    assert said in steps(report([few], [one]))


def test_compared_files_are_told_to_record() -> None:
    """Two files cannot get a third session, so recording is the way on."""
    one = group(
        Verdict.INCONCLUSIVE, baseline=baseline(1, rule="files"), sensitivity=None
    )
    rows = [weak("sort", Verdict.INCONCLUSIVE, 0.1, 0.01)]
    subject = report(rows, [one], head="head.json", base="base.json")
    assert "One result a side tells no more" in steps(subject)
    assert "head      head.json, 1 run\n" in render(subject, "text")


def test_single_session_of_head_is_to_be_confirmed() -> None:
    """A red row of one session of head may be a spike; of two it is not called so."""
    assert "can be a spike" in steps(typical.regressed())
    twice = one_row(Verdict.REGRESSED, change=0.2, head=side(0.05, sessions=2))
    assert steps(twice) == ""
    exact = one_row(Verdict.REGRESSED, change=0.2, method="exact")
    assert steps(exact) == ""
    shift = Shift("duration", 20, 0.08, None, 0.001, 0.001, Verdict.REGRESSED)
    rows = [row("a", Verdict.INCONCLUSIVE, 0.08, reason="moved-with-suite")]
    whole = report(rows, [group(Verdict.REGRESSED, shifts=(shift,))])
    assert "can be a spike" in steps(whole)


def test_noise_is_answered_with_more_sessions() -> None:
    """Undecided rows that more sessions would decide are told how to get them."""
    subject = one_row(Verdict.INCONCLUSIVE, reason="noise", sessions_needed=4)
    assert "on further occasions" in steps(subject)


def test_a_step_that_several_groups_need_is_told_once() -> None:
    """The same advice does not stand twice."""
    rows = [replace(row("a", Verdict.REGRESSED, 0.2), group=i) for i in range(2)]
    groups = [group(Verdict.REGRESSED, id=i, suite=f"s{i}") for i in range(2)]
    assert steps(report(rows, groups)).count("spike") == 1


@pytest.mark.parametrize("name", TYPICAL)
def test_reports_name_only_commands_that_exist(name: str) -> None:
    """Every `gitbench` command in a report is one of those that there are."""
    text = " ".join(render(TYPICAL[name](), "text").split())
    for command in re.findall(r"`gitbench (\w+)", text):
        assert command in COMMANDS


@pytest.mark.parametrize("fmt", FORMATS)
def test_nothing_that_is_said_is_missing_from_a_format(fmt: str) -> None:
    """Warnings, reasons, notes and the baseline stand in every format."""
    subject = report(
        [
            row("a", Verdict.FAILED, None, note="note-text", warnings=("row-warning",)),
            row("b", Verdict.INCONCLUSIVE, 0.1, reason="noise"),
        ],
        [
            group(Verdict.FAILED, warnings=("group-warning",)),
            group(
                Verdict.NOT_COMPARED,
                id=1,
                baseline=None,
                reason="group-reason",
                suite="other",
            ),
        ],
        warnings=("report-warning",),
        reason="report-reason",
    )
    text = render(subject, fmt)
    said = ["note-text", "row-warning", "group-warning", "group-reason"]
    said += ["report-reason", "report-warning"]
    said += ["merge-base" if fmt == "json" else "the merge base of"]
    said += ["noise" if fmt == "json" else "the noise is too large to decide"]
    assert [one for one in said if one not in text] == []


# ----------------------------------------------------------------- rows and folds


def test_quiet_rows_are_folded_and_all_rows_shows_them() -> None:
    """Unchanged rows are a count, unless all rows are asked for."""
    folded = build_view(typical.fine(), all_rows=False).groups[0]
    assert [(fold.verdict, fold.count) for fold in folded.folds] == [
        ("no-regression", 2),
        ("unchanged", 37),
    ]
    assert [one.benchmark for one in folded.shown] == ["startup"]
    whole = build_view(typical.fine(), all_rows=True).groups[0]
    assert (len(whole.shown), whole.folds) == (40, ())


def test_red_rows_are_never_folded() -> None:
    """However many rows are red, each is shown; other verdicts are cut at 20."""
    rows = [row(f"r{i}", Verdict.REGRESSED, 0.3) for i in range(60)]
    rows += [row(f"i{i}", Verdict.INCONCLUSIVE, 0.3, reason="noise") for i in range(60)]
    view = build_view(report(rows, [group(Verdict.REGRESSED)]), all_rows=False)
    shown = [one.verdict for one in view.groups[0].shown]
    assert shown == ["regressed"] * 60 + ["inconclusive"] * 20
    assert [(f.count, f.more) for f in view.groups[0].folds] == [(40, True)]


def test_rows_that_moved_with_the_suite_are_folded() -> None:
    """A shift is told once, not once for each row."""
    folds = build_view(typical.shifted(), all_rows=False).groups[0].folds
    assert [(fold.verdict, fold.count) for fold in folds] == [("inconclusive", 16)]


def test_groups_stand_worst_first() -> None:
    """The group with the worst verdict is the first of a report."""
    groups = [
        group(Verdict.UNCHANGED, suite="quiet"),
        group(Verdict.REGRESSED, id=1, suite="red"),
    ]
    view = build_view(report(quiet(2), groups), all_rows=False)
    assert [one.suite for one in view.groups] == ["red", "quiet"]


def test_limit_is_in_the_direction_of_the_metric() -> None:
    """A throughput may fall to 1 / 1.05, which is shown as -4.8 %."""
    view = build_view(typical.higher(), all_rows=True)
    limits = {(one.metric, str(one.limit)) for one in view.groups[0].rows}
    assert limits == {
        ("throughput", "-4.8 %"),
        ("peak memory", "+2.0 %"),
        ("duration", "+5.0 %"),
    }


def test_raw_and_adjusted_change_stand_side_by_side_where_they_differ() -> None:
    """Both changes are shown if they are more than a point apart, else the raw one."""
    assert "+25.2 %   +15.9 %" in render(typical.shifted(), "text")
    assert "adjusted" not in render(typical.fine(), "text").split("interval:")[0]


def test_change_without_a_ratio_is_a_difference() -> None:
    """From a base of zero the change is shown in its unit."""
    subject = one_row(
        Verdict.UNCHANGED,
        change=None,
        base=side(0.0),
        head=side(0.002),
        method="linear",
    )
    view = build_view(subject, all_rows=True)
    assert view.groups[0].rows[0].change == "+2.000 ms"


def test_small_change_of_an_exact_count_is_a_difference() -> None:
    """A deterministic count that changed never shows as +0.0 %."""
    view = build_view(typical.special(), all_rows=True)
    changes = {one.benchmark: str(one.change) for one in view.groups[0].rows}
    assert changes["vm/boot"] == "+37,037"

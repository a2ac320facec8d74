"""Passes of trials on their way through `compare`: verdicts, tasks, false alarms."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from gitbench.model import (
    Accept,
    Baseline,
    Better,
    CommitRuns,
    Comparison,
    GroupSides,
    Kind,
    Measurement,
    Metric,
    Outcomes,
    RecordedRun,
    Rule,
    Verdict,
)
from gitbench.report import FORMATS, render
from tests.factories import TESTBED, make_measurement, make_run, make_sides
from tests.proportions import CASES, SUCCESS, Case, Side, alarms, judge, sides, trials

V = Verdict
SCHEMA = Path(__file__).parents[2] / "gitbench/schemas/report-1.schema.json"
FAILURES = Metric("failure rate", "1", Better.LOWER, Kind.PROPORTION)


def one_row(
    base: Sequence[tuple[int, int]], head: tuple[int, int], **settings: object
) -> Comparison:
    """The row of a single task, a session each pair of the window."""
    (found,) = judge(sides([[pair] for pair in base], [[head]]), **settings).comparisons
    return found


def outcomes(
    base: Sequence[Side], head: Sequence[Side], **settings: object
) -> Outcomes:
    """The outcomes of a suite's tasks."""
    (group,) = judge(sides(base, head), **settings).groups
    (found,) = group.outcomes
    return found


# ------------------------------------------------------------------------- one row


def test_a_fall_beyond_the_margin_is_red() -> None:
    """A success rate that fell for sure is regressed, with exact counts and points."""
    found = one_row([(9, 10)] * 5, (3, 10))
    assert found.verdict is V.REGRESSED
    assert found.base is not None
    assert found.head is not None
    assert (found.base.passes, found.base.trials, found.base.sessions) == (45, 50, 5)
    assert (found.head.passes, found.head.trials, found.head.center) == (3, 10, 0.3)
    assert found.difference == pytest.approx(-0.6)
    assert (found.change, found.limit, found.method) == (None, -0.05, "proportion")
    assert found.p_adjusted is not None
    assert found.p_adjusted < 0.001


def test_a_rise_is_an_improvement_and_a_lower_metric_mirrors_it() -> None:
    """Direction turns the verdict; the numbers stay those of passes."""
    up = one_row([(3, 10)] * 5, (10, 10))
    assert up.verdict is V.IMPROVED
    given = sides([[(3, 10)]] * 5, [[(10, 10)]], FAILURES)
    (down,) = judge(given).comparisons
    assert (down.verdict, down.difference) == (V.REGRESSED, up.difference)
    assert down.limit == 0.05


def test_verdicts_between_need_trials() -> None:
    """Thousands of trials show that nothing changed, a hundred that it is no worse
    beyond a wide margin, ten leave it open and say what would do."""
    assert one_row([(900, 1000)] * 3, (900, 1000)).verdict is V.UNCHANGED
    assert one_row([(90, 100)] * 3, (93, 100)).verdict is V.NO_REGRESSION
    open_row = one_row([(9, 10)] * 3, (8, 10))
    assert (open_row.verdict, open_row.reason) == (V.INCONCLUSIVE, "noise")
    assert open_row.trials_needed is not None
    assert 100 < open_row.trials_needed < 1000
    near = one_row([(90, 100)] * 5, (98, 110))
    assert near.verdict is V.INCONCLUSIVE
    assert near.sessions_needed is not None


def test_a_significant_fall_within_the_margin_is_not_red() -> None:
    """Four points of ten thousand trials are certain, and allowed at five."""
    found = one_row([(9000, 10_000)] * 3, (8600, 10_000))
    assert found.verdict in (V.UNCHANGED, V.INCONCLUSIVE)
    tight = one_row([(9000, 10_000)] * 3, (8600, 10_000), rules=(Rule(threshold=0.02),))
    assert tight.verdict is V.REGRESSED


def test_warn_and_accept_are_points() -> None:
    """`warn` and an accepted change are differences of rates too."""
    base, head = [(9000, 10_000)] * 3, (8600, 10_000)
    amber = one_row(base, head, rules=(Rule(warn=0.03),))
    assert amber.amber
    accepted = one_row(
        base,
        head,
        rules=(Rule(threshold=0.02),),
        accepts=(Accept("t00", "success", 0.05, "harder judge"),),
    )
    assert (accepted.verdict, accepted.note) == (V.ACCEPTED, "harder judge")


@pytest.mark.parametrize("base", [[(1, 1)], [(5, 5)], [(2, 2)], [(50, 50)]])
def test_a_single_trial_of_head_decides_nothing(base: list[tuple[int, int]]) -> None:
    """One failure is no evidence, whatever the window; the row says what it needs."""
    found = one_row(base, (0, 1))
    assert (found.verdict, found.reason) == (V.INCONCLUSIVE, "few-trials")
    assert found.p_value is None
    assert found.interval is None
    assert found.trials_needed is not None


def test_extreme_counts() -> None:
    """0 of n, n of n and counts of 2^62 have verdicts and finite numbers."""
    huge = 2**62
    assert one_row([(0, 10)] * 3, (0, 10)).difference == 0
    assert one_row([(10, 10)] * 3, (10, 10)).difference == 0
    found = one_row([(huge, huge)] * 3, (huge // 2, huge))
    assert found.verdict is V.REGRESSED
    assert found.base is not None
    assert (found.base.passes, found.base.trials) == (3 * huge, 3 * huge)
    assert one_row([(huge, huge)] * 3, (huge, huge)).verdict is V.UNCHANGED


def test_a_fall_on_the_base_branch_does_not_blind_the_gate() -> None:
    """Head is compared with the newest level of a window that has a step."""
    window = [(60, 100)] * 5 + [(98, 100)] * 5
    found = one_row(window, (60, 100))
    assert found.base is not None
    assert (found.base.passes, found.base.trials) == (300, 500)
    assert found.verdict is V.INCONCLUSIVE
    assert one_row(window, (30, 100)).verdict is V.REGRESSED
    risen = one_row([(98, 100)] * 5 + [(60, 100)] * 5, (70, 100))
    assert risen.verdict is V.REGRESSED


def test_sessions_that_differ_by_more_than_chance_widen_the_interval() -> None:
    """The same trials count for less where nights differ."""
    calm = one_row([(40, 50), (41, 50), (39, 50), (40, 50)], (30, 50))
    wild = one_row([(50, 50), (28, 50), (49, 50), (33, 50)], (30, 50))
    assert calm.verdict is V.REGRESSED
    assert wild.verdict is V.INCONCLUSIVE


def test_proportions_are_part_of_the_reports_family() -> None:
    """p-values of trials and of times are corrected together."""
    fast = make_measurement("sort", [0.1, 0.1001, 0.1002])
    base = [[trials("t", 90, 100), fast] for _ in range(5)]
    head = [[trials("t", 70, 100), fast]]
    report = judge(make_sides(base, head))
    (found,) = [row for row in report.comparisons if row.metric is SUCCESS]
    assert found.p_value is not None
    assert found.p_adjusted == pytest.approx(2 * found.p_value)


def test_budget_and_missing_side() -> None:
    """A budget holds for rates; a new task shows its counts."""
    given = sides([[(1, 10)]] * 3, [[(9, 10)]], FAILURES)
    (found,) = judge(given, rules=(Rule(max=0.5),)).comparisons
    assert (found.verdict, found.reason) == (V.FAILED, "over-max")
    grown = sides([[(9, 10)]] * 3, [[(9, 10), (3, 4)]])
    (new,) = [row for row in judge(grown).comparisons if row.verdict is V.NEW]
    assert new.head is not None
    assert (new.head.passes, new.head.trials) == (3, 4)


# ------------------------------------------------------------------ tasks together


def test_single_trials_are_judged_together() -> None:
    """Tasks tried once a side are one row of the gate, by McNemar's exact test."""
    base = [[(1, 1)] * 20]
    report = judge(sides(base, [[(0, 1)] * 7 + [(1, 1)] * 13]))
    (found,) = report.groups[0].outcomes
    assert (found.method, found.tasks, found.verdict) == ("mcnemar", 20, V.REGRESSED)
    assert found.p_value == pytest.approx(0.5**7)
    assert len(found.flipped_worse) == 7
    assert {row.reason for row in report.comparisons} == {"judged-together"}
    assert not any(row.gated for row in report.comparisons)
    assert (report.verdict, report.exit_code) == (V.REGRESSED, 1)


def test_one_flip_among_many_is_green() -> None:
    """A single task that failed once neither turns the gate red nor hides."""
    found = outcomes([[(1, 1)] * 60], [[(0, 1)] + [(1, 1)] * 59])
    assert found.verdict is V.INCONCLUSIVE
    assert [one.name for one in found.flipped_worse] == ["t00"]
    report = judge(sides([[(1, 1)] * 60], [[(0, 1)] + [(1, 1)] * 59]))
    assert report.exit_code == 0


def test_many_steady_tasks_are_not_worse() -> None:
    """A hundred tasks without a flip show that the rate did not fall by five points."""
    found = outcomes([[(1, 1)] * 100], [[(1, 1)] * 100])
    assert found.verdict in (V.UNCHANGED, V.NO_REGRESSION)
    assert (found.flipped_worse, found.flaky) == ((), ())


def test_flips_both_ways_cancel() -> None:
    """As many tasks won as lost are no regression, and both are listed."""
    base = [[(1, 1)] * 10 + [(0, 1)] * 10]
    head = [[(0, 1)] * 5 + [(1, 1)] * 10 + [(0, 1)] * 5]
    found = outcomes(base, head)
    assert found.verdict is V.INCONCLUSIVE
    assert (len(found.flipped_worse), len(found.flipped_better)) == (5, 5)


def test_repeated_trials_are_judged_by_rate() -> None:
    """With several trials a task, the mean of the tasks' rates is tested."""
    found = outcomes([[(9, 10)] * 12] * 3, [[(5, 10), (6, 10), (4, 10)] * 4])
    assert (found.method, found.verdict) == ("task-t", V.REGRESSED)
    assert found.base_rate == pytest.approx(0.9)
    assert found.head_rate == pytest.approx(0.5)


def test_better_outcomes_are_an_improvement() -> None:
    """The mirror image."""
    found = outcomes([[(0, 1)] * 9 + [(1, 1)] * 3], [[(1, 1)] * 12])
    assert found.verdict is V.IMPROVED
    assert len(found.flipped_better) == 9


def test_flaky_tasks_are_listed_apart() -> None:
    """A task that passed and failed on one commit is flaky, and no flip."""
    steady: Side = [(1, 1)] * 15
    found = outcomes([[(1, 2), *steady]], [[(0, 1), *steady]])
    assert [one.name for one in found.flaky] == ["t00"]
    assert found.flipped_worse == ()


def test_passing_on_one_commit_and_failing_on_the_next_is_not_flaky() -> None:
    """Only outcomes of the same commit make a task flaky."""
    steady: Side = [(1, 1)] * 15
    found = outcomes([[(1, 1), *steady], [(0, 1), *steady]], [[(1, 1), *steady]])
    assert found.flaky == ()


def test_flaky_tasks_alone_do_not_turn_the_gate_red() -> None:
    """Where steady tasks stay as they were, flaky ones may fall as chance has it."""
    flaky: Side = [(1, 2)] * 7
    steady: Side = [(2, 2)] * 8
    given = sides([[*flaky, *steady]] * 2, [[(0, 2)] * 7 + [*steady]])
    report = judge(given)
    (found,) = report.groups[0].outcomes
    assert (found.verdict, found.reason) == (V.INCONCLUSIVE, "only-flaky")
    assert found.p_adjusted is not None
    assert found.p_adjusted < 0.05
    assert report.exit_code == 0


def test_few_tasks_have_no_outcomes() -> None:
    """Four tasks cannot be told from chance together, and stand for themselves."""
    report = judge(sides([[(1, 1)] * 4], [[(0, 1)] * 4]))
    assert report.groups[0].outcomes == ()
    assert {row.reason for row in report.comparisons} == {"few-trials"}


def test_an_ungated_task_takes_no_part() -> None:
    """`gate = false` takes a task out of its suite's outcomes."""
    found = outcomes(
        [[(1, 1)] * 8], [[(0, 1)] * 8], rules=(Rule(benchmark="t0[0-2]", gate=False),)
    )
    assert found.tasks == 5


def test_an_accepted_fall_of_all_tasks_is_accepted() -> None:
    """An accept that covers every task covers their outcomes."""
    found = outcomes(
        [[(1, 1)] * 12],
        [[(0, 1)] * 7 + [(1, 1)] * 5],
        accepts=(Accept("*", "success", 0.6, "a stricter judge"),),
    )
    assert found.verdict is V.ACCEPTED


def test_a_suites_step_in_the_window_is_cut() -> None:
    """A fall on main of single-trial tasks is found by all of them together."""
    low: Side = [(1, 1)] * 20 + [(0, 1)] * 20
    high: Side = [(1, 1)] * 40
    found = outcomes([low] * 4 + [high] * 5, [low])
    assert found.base_rate == pytest.approx(0.5)
    assert found.verdict in (V.UNCHANGED, V.NO_REGRESSION)


def test_several_runs_of_a_session_add_up() -> None:
    """Runs within ten minutes are one session; their trials are summed."""
    runs = tuple(
        RecordedRun(
            f"{place:016x}",
            make_run([trials("t", passes, 10)], started_at=10**12 + place * 1000),
        )
        for place, passes in enumerate((9, 8))
    )
    base = CommitRuns("1" * 40, runs)
    head = CommitRuns("2" * 40, runs)
    given = GroupSides(
        "unit", TESTBED, head, Baseline("1" * 40, "merge-base", 0, 0, (base,))
    )
    (found,) = judge(given).comparisons
    assert found.base is not None
    assert (found.base.passes, found.base.trials, found.base.sessions) == (17, 20, 1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(12))
def test_any_counts_make_every_report(seed: int) -> None:
    """Whatever is counted, in whatever sessions, every report is made of it without a
    warning of numpy, and the JSON fits its schema."""
    chance = random.Random(seed)
    metric = replace(SUCCESS, better=chance.choice(list(Better)))

    def session() -> list[Measurement]:
        found = []
        for task in range(chance.choice([1, 2, 6, 12])):
            of = chance.choice([1, 2, 5, 10, 1000, 2**31, 2**62, 2**63 - 1])
            passes = chance.choice([0, of, chance.randint(0, of)])
            found.append(trials(f"t{task}", passes, of, metric))
            if chance.random() < 0.5:
                found.append(make_measurement(f"t{task}", [chance.random()] * 2))
        return found

    given = make_sides(
        [session() for _ in range(chance.choice([0, 1, 2, 4, 6]))],
        [session() for _ in range(chance.choice([1, 2]))],
    )
    limits = Rule(warn=0.01, min_change=0.1, max=0.9), Rule(gate=False), Rule()
    report = judge(
        given,
        alpha=chance.choice([0.001, 0.05, 0.5]),
        threshold=chance.choice([0, 0.05, 1.0]),
        rules=(chance.choice(limits),),
        accepts=chance.choice([(), (Accept("*", "*", 0.3, "x"),)]),
    )
    for fmt in FORMATS:
        text = render(report, fmt)
        if fmt == "json":
            jsonschema.validate(json.loads(text), json.loads(SCHEMA.read_text()))


# ------------------------------------------------------------------- false alarms


@pytest.mark.parametrize("case", CASES, ids=str)
def test_unchanged_suites_raise_few_alarms(case: Case) -> None:
    """Any red row or outcomes in at most 5 % of comparisons, give or take chance;
    `python -m tests.proportions` counts more of them."""
    rows, together = alarms(case, 25)
    assert rows + together <= 4


def test_a_suite_that_fails_more_often_is_found() -> None:
    """Twenty tasks that fall by 25 points are found by their outcomes."""
    _, together = alarms(Case(20, 5, 5), 20, fall=0.25)
    assert together >= 18

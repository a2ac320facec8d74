"""Rules, budgets, requirements, accepted changes and exact metrics."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.compare import compare
from gitbench.compare.rules import matcher
from gitbench.model import (
    Accept,
    Better,
    Comparison,
    GroupSides,
    Kind,
    Measurement,
    Metric,
    Report,
    Rule,
    Settings,
    Status,
    Verdict,
)
from tests.factories import DURATION, make_measurement, make_sides

V = Verdict
INSTRUCTIONS = Metric("instructions", "1", Better.LOWER, Kind.EXACT)
BALANCE = Metric("balance", "1", Better.LOWER, Kind.COUNT)


def quiet(slower: float = 1.0, name: str = "sort", **params: str) -> Measurement:
    """A measurement of 10 ms with a known error."""
    values = [0.0100 * slower, 0.0101 * slower, 0.0099 * slower]
    return make_measurement(name, values, **params)


def sides(*head: Measurement, k: int = 5, **fields: object) -> GroupSides:
    """Head against k quiet sessions in which every row of head is usual."""
    usual = [
        quiet(1 + 0.002 * session, one.benchmark.name, **dict(one.benchmark.params))
        for session in range(k)
        for one in head
    ]
    runs = [usual[i * len(head) : (i + 1) * len(head)] for i in range(k)]
    return make_sides(runs, [list(head)], **fields)


def judge(*given: GroupSides, **options: object) -> Report:
    """The report on some groups."""
    return compare(given, Settings(**options), head="HEAD", base="main")  # type: ignore[arg-type]


def only(report: Report) -> Comparison:
    """The one row of a report."""
    (found,) = report.comparisons
    return found


# --------------------------------------------------------------------------- rules


def test_a_rules_threshold_replaces_the_general_one() -> None:
    """12 % slower is red at 5 %, and not under a rule of 20 %."""
    given = sides(quiet(1.12))
    assert only(judge(given)).verdict is V.REGRESSED
    found = only(judge(given, rules=(Rule(threshold=0.2),)))
    assert found.verdict in (V.NO_REGRESSION, V.UNCHANGED)
    assert (found.threshold, found.limit) == (0.2, pytest.approx(0.2))


def test_the_first_rule_that_fits_wins() -> None:
    """Later rules do not change what the first one said."""
    rules = (
        Rule(benchmark="other/*", threshold=0.5),
        Rule(benchmark="sort", threshold=0.3),
        Rule(benchmark="*", threshold=0.01),
    )
    assert only(judge(sides(quiet(1.12)), rules=rules)).threshold == 0.3


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (Rule(benchmark="sort"), True),
        (Rule(benchmark="SORT"), False),
        (Rule(benchmark="so*"), True),
        (Rule(benchmark="sort [n=1]"), True),
        (Rule(benchmark="* [[]n=1]"), True),
        (Rule(benchmark="sort [n=2]"), False),
        (Rule(metric="duration"), True),
        (Rule(metric="Duration"), False),
        (Rule(metric="memory"), False),
        (Rule(suite="unit"), True),
        (Rule(suite="other"), False),
        (Rule(benchmark="sort", metric="duration", suite="un?t"), True),
    ],
)
def test_globs_match_names_labels_metrics_and_suites(rule: Rule, fits: bool) -> None:
    """Globs are case-sensitive and see the bare name and the name with parameters."""
    report = judge(sides(quiet(n="1")), rules=(replace(rule, threshold=0.5),))
    assert (only(report).threshold == 0.5) is fits


@given(st.text(max_size=12))
@settings(derandomize=True, max_examples=200, deadline=None)
def test_any_text_is_a_glob_that_matches_itself(text: str) -> None:
    """No glob raises, and a name written like the glob fits it."""
    assert matcher(text)(text)
    assert matcher("*")(text)


def test_min_change_ignores_small_differences() -> None:
    """12 % of 10 ms is 1.2 ms: red at min_change 1 ms, ignored at 2 ms."""
    given = sides(quiet(1.12))
    assert only(judge(given, rules=(Rule(min_change=0.001),))).verdict is V.REGRESSED
    found = only(judge(given, rules=(Rule(min_change=0.002),)))
    assert (found.verdict, found.reason) == (V.NO_REGRESSION, "below-min-change") or (
        found.verdict,
        found.reason,
    ) == (V.UNCHANGED, "below-min-change")
    assert found.limit == pytest.approx(0.2, abs=0.01)


def test_min_change_of_throughput_counts_downwards() -> None:
    """Where higher is better, min_change is how far head may fall."""
    rate = Metric("rate", "1/s", Better.HIGHER, Kind.THROUGHPUT)
    base = [
        [make_measurement(values=[100.0 + s, 101.0], metric=rate)] for s in range(5)
    ]
    head = [[make_measurement(values=[80.0, 80.5], metric=rate)]]
    given = make_sides(base, head)
    assert only(judge(given, rules=(Rule(min_change=15),))).verdict is V.REGRESSED
    found = only(judge(given, rules=(Rule(min_change=30),)))
    assert found.verdict in (V.NO_REGRESSION, V.UNCHANGED)
    assert found.limit == pytest.approx(-0.3, abs=0.02)
    # More than there is can never be lost.
    assert only(judge(given, rules=(Rule(min_change=1000),))).limit == -1.0


def test_warn_is_amber() -> None:
    """A significant 12 % beyond warn and short of the threshold is amber, not red."""
    rules = (Rule(threshold=0.2, warn=0.05),)
    found = only(judge(sides(quiet(1.12)), rules=rules))
    assert found.amber
    assert found.verdict is not V.REGRESSED
    assert not only(judge(sides(quiet(1.02)), rules=rules)).amber
    red = only(judge(sides(quiet(1.3)), rules=rules))
    assert (red.verdict, red.amber) == (V.REGRESSED, False)


def test_an_ungated_row_is_shown_and_harmless() -> None:
    """gate = false: judged by its own p-value, outside the family and the gate."""
    given = sides(quiet(1.5), quiet(name="other"))
    report = judge(given, rules=(Rule(benchmark="sort", gate=False),))
    found = report.comparisons[0]
    assert (found.verdict, found.gated) == (V.REGRESSED, False)
    assert found.p_value is not None
    assert found.p_adjusted is None
    assert report.exit_code == 0
    assert report.verdict is not V.REGRESSED
    other = report.comparisons[1]
    assert other.p_adjusted == other.p_value  # a family of one


def test_ungated_rows_do_not_move_the_others() -> None:
    """Rows outside the gate change neither shift nor prior of those inside."""
    names = [f"b{place}" for place in range(12)]
    calm = [quiet(1.0 + 0.001 * place, name) for place, name in enumerate(names)]
    wild = [quiet(3.0, f"wild{place}") for place in range(30)]
    rules = (Rule(benchmark="wild*", gate=False),)
    alone = judge(sides(*calm), rules=rules)
    beside = judge(sides(*calm, *wild), rules=rules)
    assert beside.groups[0].shifts == alone.groups[0].shifts
    inside = [one for one in beside.comparisons if one.gated]
    assert inside == list(alone.comparisons)


# ------------------------------------------------------------------------- budgets


def test_a_budget_needs_no_baseline() -> None:
    """Over the budget is failed with exit code 1, within it is compared, exit 0."""
    given = make_sides([], [[quiet()]])
    over = judge(given, rules=(Rule(max=0.009),))
    assert (only(over).verdict, only(over).reason) == (V.FAILED, "over-max")
    assert (over.verdict, over.exit_code) == (V.FAILED, 1)
    within = judge(given, rules=(Rule(max=0.011),))
    assert (only(within).verdict, only(within).method) == (V.NEW, "budget")
    assert within.exit_code == 0
    assert judge(given).exit_code == 3


def test_exactly_the_budget_is_within_it() -> None:
    """A single run's center is compared as it is, without rounding by logarithms."""
    value = 50_000.0
    metric = replace(INSTRUCTIONS, kind=Kind.TOKENS, name="tokens")
    head = make_measurement(values=[value], metric=metric)
    base = [[make_measurement(values=[value + s], metric=metric)] for s in (0, 9, 4)]
    report = judge(make_sides(base, [[head]]), rules=(Rule(max=value),))
    assert only(report).verdict is not V.FAILED


def test_over_budget_wins_over_every_other_verdict() -> None:
    """A row over its budget is failed even if it improved, and keeps its numbers."""
    found = only(judge(sides(quiet(0.5)), rules=(Rule(max=0.001),)))
    assert (found.verdict, found.method) == (V.FAILED, "budget")
    assert found.change == pytest.approx(-0.5, abs=0.01)


def test_a_budget_gates_a_metric_without_a_direction() -> None:
    """An absolute limit needs no direction."""
    metric = Metric("frobs", "frob", Better.NONE, Kind.SCORE)
    head = [[make_measurement(values=[5.0], metric=metric)]]
    report = judge(make_sides(head * 3, head), rules=(Rule(max=4.0),))
    assert (only(report).verdict, only(report).gated) == (V.FAILED, True)
    assert report.exit_code == 1


def test_an_ungated_budget_does_not_fail() -> None:
    """gate = false covers budgets too."""
    report = judge(make_sides([], [[quiet()]]), rules=(Rule(max=0.001, gate=False),))
    assert (only(report).verdict, report.exit_code) == (V.FAILED, 0)


# ------------------------------------------------------------------------ required


def test_a_required_benchmark_that_is_missing_fails() -> None:
    """Missing where the baseline has it is failed, others are merely missing."""
    base = [[quiet(name="sort"), quiet(name="find"), quiet(name="rest")]] * 4
    report = judge(make_sides(base, [[quiet(name="rest")]]), required=("so*",))
    found = {one.benchmark.name: one for one in report.comparisons}
    assert (found["sort"].verdict, found["sort"].reason) == (
        V.FAILED,
        "required-missing",
    )
    assert found["find"].verdict is V.MISSING
    assert report.exit_code == 1


def test_required_counts_even_outside_the_gate() -> None:
    """gate = false does not excuse the absence of a required benchmark."""
    base = [[quiet(name="sort"), quiet(name="rest")]] * 4
    given = make_sides(base, [[quiet(name="rest")]])
    rules = (Rule(benchmark="sort", gate=False),)
    assert judge(given, required=("sort",), rules=rules).exit_code == 1


def test_a_required_glob_that_fits_nothing_fails() -> None:
    """A benchmark that nobody ever measured is failed by name."""
    report = judge(sides(quiet()), required=("parser/*",))
    found = report.comparisons[0]
    assert found.benchmark.name == "parser/*"
    assert (found.verdict, found.reason) == (V.FAILED, "required-missing")
    assert (report.verdict, report.exit_code) == (V.FAILED, 1)
    assert report.groups[0].verdict is V.FAILED


def test_required_without_any_results_fails() -> None:
    """No results at all do not meet a requirement, even if no baseline may pass."""
    report = judge(required=("sort",), on_no_baseline="pass")
    assert (report.verdict, report.exit_code) == (V.FAILED, 1)
    assert report.reason is not None
    assert "sort" in report.reason


def test_a_required_benchmark_that_is_measured_passes() -> None:
    """Measured in any suite is measured; a skipped one is not."""
    other = replace(sides(quiet(name="find")), suite="other")
    assert judge(sides(quiet()), other, required=("sort", "f?nd")).exit_code == 0
    skipped = Measurement(quiet().benchmark, DURATION, status=Status.SKIPPED)
    report = judge(make_sides([[quiet()]] * 4, [[skipped]]), required=("sort",))
    assert only(report).reason == "required-missing"
    lonely = judge(make_sides([], [[skipped]]), required=("sort",))
    assert lonely.exit_code == 1


def test_a_dropped_metric_of_a_required_benchmark_is_only_missing() -> None:
    """Required is the benchmark, not each of its metrics."""
    memory = replace(DURATION, name="memory", unit="B", kind=Kind.SIZE)
    both = [quiet(), replace(quiet(), metric=memory)]
    report = judge(make_sides([both] * 4, [[quiet()]]), required=("sort",))
    assert {one.metric.name: one.verdict for one in report.comparisons}[
        "memory"
    ] is V.MISSING
    assert report.exit_code == 0


# ------------------------------------------------------------------------ accepted


def test_an_accepted_change_is_not_red() -> None:
    """12 % slower, accepted up to 15 %, is accepted with its reason."""
    accept = Accept("sort", "duration", 0.15, "validates surrogates now")
    report = judge(sides(quiet(1.12)), accepts=(accept,))
    found = only(report)
    assert (found.verdict, found.note) == (V.ACCEPTED, "validates surrogates now")
    assert report.exit_code == 0


def test_more_than_was_accepted_is_red() -> None:
    """30 % slower is not covered by 15 %, nor by an entry for another row."""
    accept = Accept("sort", "duration", 0.15, "why")
    assert only(judge(sides(quiet(1.3)), accepts=(accept,))).verdict is V.REGRESSED
    for other in (replace(accept, benchmark="find"), replace(accept, metric="memory")):
        found = only(judge(sides(quiet(1.12)), accepts=(other,)))
        assert found.verdict is V.REGRESSED


def test_accepting_changes_nothing_that_is_fine() -> None:
    """A row within its threshold keeps its own verdict."""
    accept = Accept("*", "*", 0.15, "why")
    found = only(judge(sides(quiet(1.0)), accepts=(accept,)))
    assert found.verdict in (V.UNCHANGED, V.NO_REGRESSION)


def test_a_gross_change_can_be_accepted() -> None:
    """With one run a side, a threefold slow-down that was accepted is not red."""
    values = [[make_measurement(values=[f, f, f, f, f])] for f in (1.0, 3.0)]
    given = make_sides(values[:1], values[1:])
    accept = Accept("sort", "*", 2.5, "why")
    assert only(judge(given)).verdict is V.REGRESSED
    assert only(judge(given, accepts=(accept,))).verdict is V.ACCEPTED


def test_a_slower_suite_can_be_accepted_as_a_whole() -> None:
    """Accepted of every row, a shift of the whole suite is not red; of some, it is."""
    names = [f"b{place}" for place in range(12)]
    slower = [quiet(1.2 + 0.001 * place, name) for place, name in enumerate(names)]
    everything = Accept("*", "duration", 0.25, "new interpreter")
    red = judge(sides(*slower))
    assert red.exit_code == 1
    assert red.groups[0].shifts[0].verdict is V.REGRESSED
    report = judge(sides(*slower), accepts=(everything,))
    assert report.groups[0].shifts[0].verdict is V.ACCEPTED
    assert {one.verdict for one in report.comparisons} == {V.ACCEPTED}
    assert (report.verdict, report.exit_code) == (V.ACCEPTED, 0)
    some = replace(everything, benchmark="b1*")
    assert judge(sides(*slower), accepts=(some,)).exit_code == 1
    less = replace(everything, threshold=0.1)
    assert judge(sides(*slower), accepts=(less,)).exit_code == 1


# --------------------------------------------------------------------------- exact


def counted(*values: float, metric: Metric = INSTRUCTIONS) -> Measurement:
    """A deterministic count."""
    return make_measurement(values=list(values), metric=metric)


@pytest.mark.parametrize(
    ("base", "head", "options", "verdict"),
    [
        (1000, 1000, {}, V.UNCHANGED),
        (1000, 1001, {}, V.REGRESSED),
        (1000, 999, {}, V.IMPROVED),
        (2.0**53 + 2, 2.0**53 + 4, {}, V.REGRESSED),
        (1e300, 1e300, {}, V.UNCHANGED),
        (0, 0, {}, V.UNCHANGED),
        (0, 5, {}, V.REGRESSED),
        (5, 0, {}, V.IMPROVED),
        (-5, -4, {}, V.REGRESSED),
        (1000, 1010, {"threshold": 0.01}, V.UNCHANGED),
        (1000, 1011, {"threshold": 0.01}, V.REGRESSED),
        (1000, 1003, {"min_change": 5}, V.UNCHANGED),
        (1000, 1006, {"min_change": 5}, V.REGRESSED),
        (0, 5, {"min_change": 5}, V.UNCHANGED),
    ],
)
def test_exact_metrics_are_compared_at_one_run(
    base: float, head: float, options: dict[str, float], verdict: Verdict
) -> None:
    """Any difference beyond threshold (0 by default) and min_change is a finding,
    whatever the general threshold is."""
    given = make_sides([[counted(base)]], [[counted(head)]])
    report = judge(given, threshold=0.5, rules=(Rule(**options),))  # type: ignore[arg-type]
    found = only(report)
    assert (found.verdict, found.method, found.weak) == (verdict, "exact", False)
    assert report.exit_code == (1 if verdict is V.REGRESSED else 0)
    if base > 0:
        assert found.change == pytest.approx(head / base - 1, abs=1e-12)


def test_exact_metrics_that_should_grow() -> None:
    """Higher is better: falling is red."""
    hits = replace(INSTRUCTIONS, name="hits", better=Better.HIGHER)
    given = make_sides([[counted(9, metric=hits)]], [[counted(8, metric=hits)]])
    assert only(judge(given)).verdict is V.REGRESSED


def test_an_exact_metric_is_held_against_the_newest_session() -> None:
    """Older values of the window do not matter."""
    given = make_sides([[counted(n)] for n in (12, 10, 10, 10)], [[counted(12)]])
    found = only(judge(given))
    assert found.verdict is V.UNCHANGED
    assert found.base is not None
    assert (found.base.center, found.base.sessions) == (12, 1)


def test_repeats_of_an_exact_metric_that_differ_are_named() -> None:
    """Repeats that differ give a warning; sides that overlap are undecided."""
    given = make_sides([[counted(10, 10)]], [[counted(12, 13)]])
    found = only(judge(given))
    assert found.verdict is V.REGRESSED
    assert found.warnings == ("repeats of this exact metric differ in head: 12 to 13",)
    given = make_sides([[counted(10, 14)]], [[counted(12, 13)]])
    found = only(judge(given))
    assert (found.verdict, found.reason) == (V.INCONCLUSIVE, "repeats-differ")
    assert len(found.warnings) == 2


def test_exact_changes_can_be_accepted_and_amber() -> None:
    """Accept and warn hold for exact metrics as for others."""
    given = make_sides([[counted(1000)]], [[counted(1100)]])
    accept = Accept("*", "instructions", 0.1, "why")
    assert only(judge(given, accepts=(accept,))).verdict is V.ACCEPTED
    found = only(judge(given, rules=(Rule(threshold=0.2, warn=0.05),)))
    assert (found.verdict, found.amber) == (V.UNCHANGED, True)


def test_an_exact_metric_without_a_direction() -> None:
    """Equal is unchanged; a difference is shown and judged by nobody."""
    metric = replace(INSTRUCTIONS, better=Better.NONE)
    for value, verdict in ((10, V.UNCHANGED), (99, V.INCONCLUSIVE)):
        given = make_sides(
            [[counted(10, metric=metric)]], [[counted(value, metric=metric)]]
        )
        report = judge(given)
        assert (only(report).verdict, report.exit_code) == (verdict, 0)


# -------------------------------------------------------------------- linear scale


def balances(*centers: float) -> list[list[Measurement]]:
    """Runs of a metric that may be negative."""
    return [[make_measurement(values=[c, c + 1.0], metric=BALANCE)] for c in centers]


def test_negative_values_need_min_change() -> None:
    """Without min_change a difference of negative values is undecided."""
    given = make_sides(balances(-10, -11, -9, -10), balances(5))
    found = only(judge(given))
    assert (found.verdict, found.reason) == (V.INCONCLUSIVE, "not-positive")
    assert found.change is None
    red = only(judge(given, rules=(Rule(min_change=5),)))
    assert (red.verdict, red.method) == (V.REGRESSED, "linear")
    assert red.p_value is not None
    far = only(judge(given, rules=(Rule(min_change=50),)))
    assert far.verdict in (V.UNCHANGED, V.NO_REGRESSION)


def test_a_base_of_zero() -> None:
    """Zero that stays zero is unchanged; zero that grows needs min_change."""
    zeros = [[make_measurement(values=[0.0, 0.0], metric=BALANCE)]] * 4
    assert only(judge(make_sides(zeros, zeros[:1]))).verdict is V.UNCHANGED
    head = [[make_measurement(values=[3.0, 3.0], metric=BALANCE)]]
    found = only(judge(make_sides(zeros, head)))
    assert (found.verdict, found.reason) == (V.INCONCLUSIVE, "not-positive")
    found = only(judge(make_sides(zeros, head), rules=(Rule(min_change=1),)))
    assert (found.verdict, found.reason) == (V.INCONCLUSIVE, "no-spread")


def test_constants_of_an_unknown_kind_cannot_be_tested() -> None:
    """Tokens that were always 1000 and are 1200 have no noise to be tested against:
    undecided, unlike the same as an exact metric."""
    tokens = replace(INSTRUCTIONS, name="tokens", kind=Kind.TOKENS)
    given = make_sides(
        [[counted(1000, metric=tokens)]] * 5, [[counted(1200, metric=tokens)]]
    )
    found = only(judge(given))
    assert (found.verdict, found.reason) == (V.INCONCLUSIVE, "no-spread")
    assert found.change == pytest.approx(0.2)
    assert found.p_value is None
    exact = make_sides([[counted(1000)]] * 5, [[counted(1200)]])
    assert only(judge(exact)).verdict is V.REGRESSED


def test_linear_numbers_are_shares_of_a_positive_base() -> None:
    """One value below zero makes a row linear; change and interval are ratios still."""
    base = balances(10, 11, -1, 10, 10, 9, 11, 10)
    found = only(judge(make_sides(base, balances(40)), rules=(Rule(min_change=5),)))
    assert found.method == "linear"
    assert found.base is not None
    assert found.base.center is not None
    assert found.change == pytest.approx(40.5 / found.base.center - 1)
    assert found.interval is not None
    assert found.interval[0] < found.change < found.interval[1]
    assert found.limit == pytest.approx(5 / found.base.center)
    assert math.isfinite(found.interval[1])

"""Two sides in, verdicts and an exit code out: what a user's project would see."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from scipy import stats

from gitbench.compare import compare
from gitbench.compare.cuts import forced_cuts
from gitbench.compare.table import read_table
from gitbench.model import (
    REASONS,
    SEVERITY,
    Accept,
    Better,
    Comparison,
    GroupSides,
    Kind,
    Measurement,
    Metric,
    Report,
    Settings,
    Status,
    Summary,
    Verdict,
)
from tests.factories import DURATION, make_measurement, make_sides

V = Verdict
THROUGHPUT = Metric("throughput", "1/s", Better.HIGHER, Kind.THROUGHPUT)
UNKNOWN = Metric("frobs", "frob", Better.NONE, Kind.SCORE)
TOKENS = Metric("tokens", "1", Better.LOWER, Kind.TOKENS)


def one_run(
    seed: int,
    rows: int,
    factors: dict[int, float] | None = None,
    *,
    day: float = 0.008,
    noise: float = 0.006,
    values: int = 6,
    metric: Metric = DURATION,
    all_by: float = 1.0,
) -> list[Measurement]:
    """A run of rows b0, b1 ...: each differs from its usual center by its own noise
    of the day; `factors` makes rows slower."""
    rng = random.Random(seed)
    run = []
    for row in range(rows):
        center = 0.01 * (row + 1) * (factors or {}).get(row, 1.0) * all_by
        center *= math.exp(rng.gauss(0, day))
        run.append(
            make_measurement(
                f"b{row}",
                [center * math.exp(rng.gauss(0, noise)) for _ in range(values)],
                metric,
            )
        )
    return run


def window(k: int, rows: int, **options: object) -> list[list[Measurement]]:
    """k runs of unchanged code, newest first."""
    return [one_run(100 + seed, rows, **options) for seed in range(k)]  # type: ignore[arg-type]


def judge(*sides: GroupSides, **settings: object) -> Report:
    """The report on some groups."""
    return compare(sides, Settings(**settings), head="HEAD", base="main")  # type: ignore[arg-type]


def row(report: Report, name: str) -> Comparison:
    """The comparison of one benchmark."""
    return next(one for one in report.comparisons if one.benchmark.name == name)


def verdicts(report: Report) -> dict[str, Verdict]:
    """Benchmark -> verdict."""
    return {one.benchmark.label: one.verdict for one in report.comparisons}


# ------------------------------------------------------------------- a first day


def test_one_run_a_side_finds_a_threefold_slow_down() -> None:
    """With one run on main and one on a branch, a row three times slower is red;
    the others are undecided, since one session cannot tell noise."""
    report = judge(make_sides(window(1, 5), [one_run(1, 5, {2: 3.0})]))
    assert (report.verdict, report.exit_code) == (V.REGRESSED, 1)
    found = row(report, "b2")
    assert (found.verdict, found.weak, found.method) == (V.REGRESSED, True, "gross")
    assert found.change == pytest.approx(2.0, rel=0.1)
    assert found.p_value is None
    others = [one for one in report.comparisons if one is not found]
    assert {one.verdict for one in others} == {V.INCONCLUSIVE}
    assert {one.reason for one in others} == {"one-session"}
    assert all(one.weak for one in others)


def test_one_run_a_side_without_a_change_is_undecided() -> None:
    """Nothing is called unchanged on the strength of two runs; exit code 0."""
    report = judge(make_sides(window(1, 5), [one_run(1, 5)]))
    assert (report.verdict, report.exit_code) == (V.INCONCLUSIVE, 0)
    assert dict(report.counts)[V.INCONCLUSIVE] == 5
    assert report.reason is None


def test_weak_rows_can_be_switched_off() -> None:
    """With weak = never even a threefold slow-down of two runs is undecided."""
    report = judge(make_sides(window(1, 5), [one_run(1, 5, {2: 3.0})]), weak="never")
    assert row(report, "b2").verdict is V.INCONCLUSIVE
    assert report.exit_code == 0


def test_a_gross_improvement_is_one() -> None:
    """What is believed for the worse is believed for the better."""
    report = judge(make_sides(window(1, 5), [one_run(1, 5, {2: 1 / 3})]))
    assert (row(report, "b2").verdict, row(report, "b2").weak) == (V.IMPROVED, True)


def test_gross_needs_five_values_a_side() -> None:
    """Four values can lie apart by chance."""
    base = window(1, 5, values=4)
    report = judge(make_sides(base, [one_run(1, 5, {2: 3.0})]))
    assert row(report, "b2").verdict is V.INCONCLUSIVE


def test_three_commits_find_thirty_per_cent() -> None:
    """Three commits with a run each, all within ten minutes, are three sessions:
    a row 30 % slower is red, and nothing else."""
    sides = make_sides(window(3, 20), [one_run(1, 20, {7: 1.3})])
    moment = 1_760_000_000_000
    baseline = sides.baseline
    assert baseline is not None
    near = tuple(
        replace(
            commit,
            runs=tuple(
                replace(one, run=replace(one.run, started_at=moment + 60_000 * place))
                for one in commit.runs
            ),
        )
        for place, commit in enumerate(baseline.window)
    )
    report = judge(replace(sides, baseline=replace(baseline, window=near)))
    assert report.exit_code == 1
    red = [one for one in report.comparisons if one.verdict is V.REGRESSED]
    assert [one.benchmark.name for one in red] == ["b7"]
    assert not red[0].weak
    assert red[0].base is not None
    assert red[0].base.sessions == 3
    assert red[0].p_adjusted is not None
    assert red[0].p_adjusted < 0.05


def test_three_commits_without_a_change_pass() -> None:
    """Without the slow-down the gate is silent."""
    report = judge(make_sides(window(3, 20), [one_run(1, 20)]))
    assert report.exit_code == 0
    assert V.REGRESSED not in verdicts(report).values()
    counts = dict(report.counts)
    assert counts[V.UNCHANGED] + counts[V.NO_REGRESSION] >= 15


def test_a_long_window_calls_rows_unchanged() -> None:
    """Ten quiet sessions prove most rows unchanged, and say what the gate can see."""
    report = judge(make_sides(window(10, 20), [one_run(1, 20)]))
    assert set(verdicts(report).values()) <= {V.UNCHANGED, V.NO_REGRESSION}
    assert dict(report.counts)[V.UNCHANGED] >= 18
    sees = report.groups[0].sensitivity
    assert sees is not None
    assert 0.05 < sees[0] <= sees[1] < 0.10


# ------------------------------------------------------------------------ nothing


def test_no_baseline_is_not_a_pass() -> None:
    """Without a baseline all rows are new, and the exit code is 3."""
    sides = replace(make_sides([], [one_run(1, 3)]), reason="No results on main.")
    report = judge(sides)
    assert (report.verdict, report.exit_code) == (V.NOT_COMPARED, 3)
    assert report.reason == "No results on main."
    assert report.groups[0].verdict is V.NOT_COMPARED
    assert {(one.verdict, one.reason) for one in report.comparisons} == {
        (V.NEW, "no-baseline")
    }


def test_no_baseline_may_pass() -> None:
    """on_no_baseline = pass turns exit code 3 into 0, but not the verdict."""
    report = judge(make_sides([], [one_run(1, 3)]), on_no_baseline="pass")
    assert (report.verdict, report.exit_code) == (V.NOT_COMPARED, 0)


def test_no_groups_are_nothing_compared() -> None:
    """A head without results is exit code 3, with a reason."""
    report = judge()
    assert (report.verdict, report.exit_code) == (V.NOT_COMPARED, 3)
    assert report.reason is not None


def test_only_rows_that_cannot_be_compared() -> None:
    """All new, missing and incomparable is nothing compared, and says which."""
    base = [make_measurement("gone"), make_measurement("same", metric=UNKNOWN)]
    other = replace(UNKNOWN, unit="grob")
    head = [make_measurement("fresh"), make_measurement("same", metric=other)]
    report = judge(make_sides([base], [head]))
    assert (report.verdict, report.exit_code) == (V.NOT_COMPARED, 3)
    assert verdicts(report) == {
        "same": V.INCOMPARABLE,
        "gone": V.MISSING,
        "fresh": V.NEW,
    }
    assert report.reason is not None
    assert REASONS["unit-differs"] in report.reason


def test_a_group_without_a_baseline_beside_one_with() -> None:
    """One suite without a baseline does not hide the verdict on another."""
    good = make_sides(window(10, 20), [one_run(1, 20)])
    bare = replace(make_sides([], [one_run(2, 2)]), suite="other", reason="None yet.")
    report = judge(good, bare)
    assert report.verdict in (V.UNCHANGED, V.NO_REGRESSION)
    assert report.exit_code == 0
    assert [group.id for group in report.groups] == [0, 1]
    assert report.groups[1].verdict is V.NOT_COMPARED
    assert report.groups[1].reason == "None yet."


# -------------------------------------------------------------------- the shift


def test_a_build_that_slows_everything_is_named() -> None:
    """All rows 20 % slower: the shift is red, the rows moved with the suite."""
    report = judge(make_sides(window(5, 30), [one_run(1, 30, all_by=1.2)]))
    (shift,) = report.groups[0].shifts
    assert shift.verdict is V.REGRESSED
    assert shift.rows == 30
    assert shift.change == pytest.approx(0.2, abs=0.02)
    assert report.exit_code == 1
    assert report.verdict is V.REGRESSED
    reasons = [one.reason for one in report.comparisons]
    assert reasons.count("moved-with-suite") >= 28
    assert V.REGRESSED not in verdicts(report).values()
    moved = row(report, "b3")
    assert moved.change == pytest.approx(0.2, abs=0.05)
    assert moved.change_adjusted == pytest.approx(0.0, abs=0.04)


def test_a_slow_row_is_found_on_a_slow_day() -> None:
    """A row that is slower still than a slow suite is red in itself."""
    report = judge(make_sides(window(5, 30), [one_run(1, 30, {4: 1.3}, all_by=1.08)]))
    assert row(report, "b4").verdict is V.REGRESSED


def test_nothing_is_unchanged_while_the_suite_moved() -> None:
    """A suite that is 4 % slower, which is not proven harmless, forbids the word."""
    report = judge(make_sides(window(5, 30), [one_run(1, 30, all_by=1.04)]))
    (shift,) = report.groups[0].shifts
    assert shift.verdict is V.INCONCLUSIVE
    assert V.UNCHANGED not in verdicts(report).values()
    assert "suite-shift" in {one.reason for one in report.comparisons}


def test_rows_that_an_optimisation_left_alone_are_not_red() -> None:
    """Two thirds of the suite twice as fast: the shift improved, and the rows that
    stayed as they were are not called regressed."""
    faster = dict.fromkeys(range(20), 0.5)
    report = judge(make_sides(window(5, 30), [one_run(1, 30, faster)]))
    (shift,) = report.groups[0].shifts
    assert shift.verdict is V.IMPROVED
    assert report.exit_code == 0
    left = [row(report, f"b{place}") for place in range(20, 30)]
    assert {one.verdict for one in left} == {V.INCONCLUSIVE}
    assert {one.reason for one in left} == {"raw-not-regressed"}


def test_rows_that_a_slow_down_left_alone_are_not_improved() -> None:
    """Two thirds twice as slow: the rows that stayed are not called improved."""
    slower = dict.fromkeys(range(20), 2.0)
    report = judge(make_sides(window(5, 30), [one_run(1, 30, slower)]))
    assert report.exit_code == 1
    left = [row(report, f"b{place}") for place in range(20, 30)]
    assert {one.reason for one in left} == {"raw-not-improved"}


def test_a_suite_of_nine_rows_has_no_shift() -> None:
    """Fewer than ten rows are judged by themselves."""
    report = judge(make_sides(window(5, 9), [one_run(1, 9, all_by=1.2)]))
    assert report.groups[0].shifts == ()
    assert set(verdicts(report).values()) == {V.REGRESSED}


# ------------------------------------------------------------------- the window


def test_a_step_of_the_baseline_does_not_blind_the_gate() -> None:
    """Main became 30 % slower four sessions ago: head is held against the new level,
    and 15 % more is still seen."""
    runs = [one_run(s, 20, {3: 1.3}) for s in range(4)]
    runs += [one_run(s, 20) for s in range(4, 9)]
    same = judge(make_sides(runs, [one_run(50, 20, {3: 1.3})]))
    found = row(same, "b3")
    assert found.verdict in (V.UNCHANGED, V.NO_REGRESSION)
    assert found.base is not None
    assert found.base.sessions == 4
    assert "moved by +3" in found.warnings[0]
    worse = judge(make_sides(runs, [one_run(50, 20, {3: 1.3 * 1.15})]))
    assert row(worse, "b3").verdict is V.REGRESSED


def test_a_fast_newest_session_alone_makes_nothing_red() -> None:
    """One fast session of main may be an outlier: head is red only if it is worse
    than the level before it too."""
    runs = [one_run(0, 20, {3: 0.6}), *(one_run(s, 20) for s in range(1, 9))]
    report = judge(make_sides(runs, [one_run(50, 20)]))
    found = row(report, "b3")
    assert (found.verdict, found.reason) == (
        V.INCONCLUSIVE,
        "latest-level-one-session",
    )
    slower = judge(make_sides(runs, [one_run(50, 20, {3: 1.3})]))
    assert row(slower, "b3").verdict is V.REGRESSED


def test_a_row_absent_from_some_runs_uses_those_it_is_in() -> None:
    """Gaps in the window cost sessions, not the comparison."""
    runs = window(6, 12)
    for place in (0, 2, 3):
        runs[place] = [one for one in runs[place] if one.benchmark.name != "b5"]
    found = row(judge(make_sides(runs, [one_run(1, 12, {5: 1.4})])), "b5")
    assert found.verdict is V.REGRESSED
    assert found.base is not None
    assert found.base.sessions == 3


def test_two_sessions_suffice_for_a_large_suite_with_known_errors() -> None:
    """Twelve rows of several values are tested from two sessions on, eight are not,
    nor are twelve of one value."""
    red = row(judge(make_sides(window(2, 12), [one_run(1, 12, {5: 1.5})])), "b5")
    assert (red.verdict, red.weak) == (V.REGRESSED, False)
    small = row(judge(make_sides(window(2, 8), [one_run(1, 8, {5: 1.5})])), "b5")
    assert (small.verdict, small.reason) == (V.INCONCLUSIVE, "few-sessions")
    base = window(2, 12, values=1)
    single = row(judge(make_sides(base, [one_run(1, 12, {5: 1.5}, values=1)])), "b5")
    assert (single.verdict, single.reason) == (V.INCONCLUSIVE, "few-sessions")


def test_a_spike_is_cleared_by_measuring_again() -> None:
    """A second session of head without the spike takes the red away; a second one
    with it leaves it red."""
    base = window(6, 20)
    spiked, clean = one_run(1, 20, {3: 1.4}), one_run(2, 20)
    assert row(judge(make_sides(base, [spiked])), "b3").verdict is V.REGRESSED
    again = row(judge(make_sides(base, [spiked, clean])), "b3")
    assert again.verdict is V.INCONCLUSIVE
    assert again.head is not None
    assert again.head.sessions == 2
    real = judge(make_sides(base, [spiked, one_run(2, 20, {3: 1.4})]))
    assert row(real, "b3").verdict is V.REGRESSED


def test_further_sessions_needed_are_told_where_they_help() -> None:
    """An undecided row says how many sessions of head would decide it."""
    base = window(8, 12, day=0.03, noise=0.03)
    report = judge(make_sides(base, [one_run(5, 12, {2: 1.07}, day=0.03, noise=0.03)]))
    undecided = [one for one in report.comparisons if one.reason == "noise"]
    assert any(one.sessions_needed for one in undecided)
    for one in report.comparisons:
        assert (one.sessions_needed is not None) == (one.reason == "noise")
        if one.sessions_needed is not None:
            assert 1 <= one.sessions_needed <= 50


@pytest.mark.parametrize(
    ("base", "head", "reason"),
    [
        ((1.0, 1.06, 0.94), 1.01, "noise-of-baseline"),
        ((1.00, 1.01, 0.99, 1.005, 0.995), 1.0495, "near-threshold"),
        ((1.00, 1.01, 0.99, 1.02, 0.98, 1.0, 1.0), 1.03, "noise"),
    ],
)
def test_undecided_rows_tell_what_would_decide(
    base: tuple[float, ...], head: float, reason: str
) -> None:
    """Too few runs of the baseline, an estimate at its limit, and noise that more of
    head would overcome have reasons of their own; only the last has a number."""
    runs = [[make_measurement(values=[v])] for v in base]
    report = judge(make_sides(runs, [[make_measurement(values=[head])]]))
    (found,) = report.comparisons
    assert (found.verdict, found.reason) == (V.INCONCLUSIVE, reason)
    assert (found.sessions_needed is None) == (reason != "noise")


def test_an_accepted_change_that_landed_cuts_the_window() -> None:
    """Head is compared with the sessions since, and told so; other rows are not."""
    base = [one_run(100, 12, {3: 1.2}), one_run(101, 12, {3: 1.2}), *window(2, 12)]
    sides = make_sides(base, [one_run(1, 12, {3: 1.2})])
    assert sides.baseline is not None
    accept = Accept("b3", "*", 0.25, "checksums")
    landed = replace(sides, baseline=replace(sides.baseline, landed=((accept, 2),)))
    found = row(judge(landed), "b3")
    assert found.base is not None
    assert found.base.sessions == 2
    assert found.change == pytest.approx(0, abs=0.05)
    assert "an accepted change by +" in found.warnings[0]
    assert "the 2 sessions since" in found.warnings[0]
    assert not row(judge(landed), "b4").warnings
    assert row(judge(sides), "b3").base != found.base


def test_the_last_accepted_change_to_land_counts() -> None:
    """Of several the one with the fewest commits; one outside the window cuts
    nothing, and commits with two sessions count with both."""
    base = window(6, 3)
    sides = make_sides(base, [one_run(1, 3)])
    assert sides.baseline is not None
    twice = replace(
        sides.baseline.window[0],
        runs=(*sides.baseline.window[0].runs, *sides.baseline.window[1].runs),
    )
    commits = (twice, *sides.baseline.window[2:])
    accepts = [Accept(name, "dur*", 0.1, "so") for name in ("b*", "b1", "b2", "zz")]
    landed = tuple(zip(accepts, (3, 1, 0, 2), strict=True))
    baseline = replace(sides.baseline, window=commits, landed=landed)
    table = read_table(replace(sides, baseline=baseline))
    assert table.sessions_of_commits == (2, 1, 1, 1, 1)
    assert forced_cuts(table, landed).tolist() == [4, 2, 4]
    assert forced_cuts(table, ()).tolist() == [0, 0, 0]


# ------------------------------------------------------------------ by the numbers


def test_a_small_suite_has_the_numbers_of_scipy() -> None:
    """Change, interval, p and limit of a single row, by hand."""
    base = [[make_measurement(values=[v])] for v in (1.00, 1.01, 0.99, 1.02)]
    report = judge(make_sides(base, [[make_measurement(values=[1.12])]]))
    (found,) = report.comparisons
    logs = [math.log(v) for v in (1.00, 1.01, 0.99, 1.02)]
    mean = sum(logs) / 4
    s2 = sum((x - mean) ** 2 for x in logs) / 3
    v = (2 * 0.02**2 + 3 * s2) / 5
    error = math.sqrt(v * 1.25)
    delta = math.log(1.12) - mean
    assert found.change == pytest.approx(math.expm1(delta), rel=1e-12)
    assert found.change_adjusted == found.change
    assert found.p_value == pytest.approx(stats.t.sf(delta / error, 5), rel=1e-9)
    assert found.p_adjusted == found.p_value
    width = stats.t.isf(0.05, 5) * error
    assert found.interval == pytest.approx(
        (math.expm1(delta - width), math.expm1(delta + width)), rel=1e-9
    )
    assert (found.threshold, found.limit) == (0.05, pytest.approx(0.05))
    assert found.verdict is V.REGRESSED
    assert found.base is not None
    assert found.head is not None
    assert found.base.center == pytest.approx(math.exp(mean), rel=1e-12)
    assert (found.head.center, found.head.values) == (1.12, 1)
    assert (found.base.low, found.base.high) == (0.99, 1.02)
    assert found.metric.unit == "s"


def test_throughput_has_its_limit_the_other_way() -> None:
    """Higher is better: the limit is 1 / 1.05, and falling is red."""
    base = window(5, 12, metric=THROUGHPUT)
    report = judge(make_sides(base, [one_run(1, 12, {4: 0.8}, metric=THROUGHPUT)]))
    found = row(report, "b4")
    assert found.verdict is V.REGRESSED
    assert found.limit == pytest.approx(1 / 1.05 - 1)
    assert found.change == pytest.approx(-0.2, abs=0.03)
    assert found.interval is not None
    assert found.interval[0] < found.change < found.interval[1] < 0


def test_p_values_are_those_of_the_way_a_row_moved() -> None:
    """An improved row shows the small p-value that made it one."""
    report = judge(make_sides(window(5, 12), [one_run(1, 12, {4: 0.7})]))
    found = row(report, "b4")
    assert found.verdict is V.IMPROVED
    assert found.p_value is not None
    assert found.p_value < 0.001
    assert found.p_adjusted is not None
    assert found.p_value <= found.p_adjusted < 0.05


def test_unchanged_units_may_be_written_differently() -> None:
    """Head in ms and base in s are one metric; numbers come in the base unit."""
    ms = replace(DURATION, unit="ms")
    base = [[make_measurement(values=[0.1, 0.101])] for _ in range(4)]
    head = [[make_measurement(values=[100.0, 101.0], metric=ms)]]
    (found,) = judge(make_sides(base, head)).comparisons
    assert found.verdict is V.UNCHANGED
    assert found.metric.unit == "s"
    assert found.change == pytest.approx(0, abs=1e-12)


def test_a_summary_stands_for_values() -> None:
    """Rows of centers with a standard deviation are compared like others."""

    def summed(center: float) -> list[Measurement]:
        summary = Summary(center, stddev=0.01 * center, n=100)
        return [Measurement(make_measurement().benchmark, DURATION, summary=summary)]

    base = [summed(v) for v in (1.0, 1.01, 0.99, 1.0)]
    (same,) = judge(make_sides(base, [summed(1.005)])).comparisons
    assert same.verdict in (V.UNCHANGED, V.NO_REGRESSION)
    assert same.head is not None
    assert (same.head.values, same.head.low) == (100, None)
    (worse,) = judge(make_sides(base, [summed(1.3)])).comparisons
    assert worse.verdict is V.REGRESSED


def test_a_summary_of_few_values_weighs_little() -> None:
    """The same standard error of head from 3 values proves less than from 3,000."""

    def told(name: str, center: float, error: float, n: int) -> Measurement:
        summary = Summary(center, stddev=error * math.sqrt(n), n=n)
        return Measurement(make_measurement(name).benchmark, DURATION, summary=summary)

    rows = ["sort", *(f"b{place}" for place in range(12))]
    base = [
        [told(name, 0.1 + 0.0001 * run, 0.0, 3) for name in rows] for run in range(10)
    ]
    few, many = (
        row(
            judge(make_sides(base, [[*base[0][1:], told("sort", 0.115, 0.004, n)]])),
            "sort",
        )
        for n in (3, 3000)
    )
    assert few.change == many.change
    assert few.p_value is not None
    assert many.p_value is not None
    assert few.p_value > 5 * many.p_value


def test_values_say_the_center_and_a_summary_how_many_there_were() -> None:
    """Of values kept beside a summary of all of them, the center is the trimmed mean
    of those kept, whatever center the summary tells."""
    one = make_measurement(values=[1.0, 2.0, 3.0, 4.0, 50.0])
    one = replace(one, summary=Summary(1.5, "median", stddev=0.01, n=1000))
    found = judge(make_sides([[one]] * 3, [[one]])).comparisons[0]
    assert found.head is not None
    assert (found.head.center, found.head.values) == (3.0, 1000)


# ------------------------------------------------------------- rows apart from tests


def broken(name: str, status: Status, message: str | None = None) -> Measurement:
    """A measurement without values."""
    return Measurement(
        make_measurement(name).benchmark, DURATION, status=status, message=message
    )


def test_a_failed_benchmark_fails_the_gate() -> None:
    """A benchmark that fails in head is red whatever the baseline says."""
    head = [*one_run(1, 5)[:4], broken("b4", Status.FAILED, "segfault")]
    report = judge(make_sides(window(4, 5), [head]))
    found = row(report, "b4")
    assert (found.verdict, found.reason) == (V.FAILED, "failed-in-head")
    assert found.note == "segfault"
    assert report.exit_code == 1


def test_the_newest_run_says_whether_a_benchmark_fails() -> None:
    """A benchmark that failed once and ran again is compared, with a warning."""
    good = one_run(1, 5)
    bad = [*good[:4], broken("b4", Status.FAILED)]
    mended = row(judge(make_sides(window(4, 5), [bad, good])), "b4")
    assert mended.verdict is not V.FAILED
    assert mended.warnings == ("failed in 1 run of head",)
    relapsed = row(judge(make_sides(window(4, 5), [good, bad])), "b4")
    assert relapsed.verdict is V.FAILED


def test_failed_in_the_baseline_is_not_comparable() -> None:
    """What the baseline could not measure is not compared."""
    base = [[*run[:4], broken("b4", Status.FAILED)] for run in window(4, 5)]
    found = row(judge(make_sides(base, [one_run(1, 5)])), "b4")
    assert (found.verdict, found.reason) == (V.INCOMPARABLE, "failed-in-base")


def test_skipped_benchmarks() -> None:
    """Skipped in head only is missing; skipped on both sides is no row."""
    skipped = [*one_run(1, 5)[:4], broken("b4", Status.SKIPPED)]
    found = row(judge(make_sides(window(4, 5), [skipped])), "b4")
    assert (found.verdict, found.reason) == (V.MISSING, "skipped-in-head")
    base = [[*run[:4], broken("b4", Status.SKIPPED)] for run in window(4, 5)]
    report = judge(make_sides(base, [skipped]))
    assert "b4" not in verdicts(report)
    assert "1 row was skipped" in report.groups[0].warnings[0]
    fresh = row(judge(make_sides(base, [one_run(1, 5)])), "b4")
    assert fresh.verdict is V.NEW


def test_a_benchmark_dropped_long_ago_is_not_missing() -> None:
    """Only what the baseline commit itself has can be missing."""
    base = [one_run(0, 4), *window(3, 5)]
    report = judge(make_sides(base, [one_run(1, 4)]))
    assert "b4" not in verdicts(report)
    report = judge(make_sides(base, [one_run(1, 3)]))
    assert verdicts(report)["b3"] is V.MISSING
    missing = row(report, "b3")
    assert missing.base is not None
    assert missing.base.center is not None
    assert missing.head is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": "2"}, "version-differs"),
        ({"metric": replace(DURATION, unit="B")}, "unit-differs"),
        ({"metric": replace(DURATION, kind=Kind.COUNT)}, "kind-differs"),
        ({"metric": replace(DURATION, better=Better.HIGHER)}, "direction-differs"),
        ({"processes": (), "summary": Summary(0.1, of="median")}, "center-differs"),
        ({"processes": (), "summary": Summary(0.1)}, "center-differs"),
    ],
)
def test_what_differs_is_not_compared(change: dict[str, object], reason: str) -> None:
    """Another version, unit, kind, direction or center is not comparable; where only
    older sessions differ they are left out."""
    head = replace(make_measurement(), version="1")
    other = replace(head, **change)  # type: ignore[arg-type]
    (found,) = judge(make_sides([[other]] * 4, [[head]])).comparisons
    assert (found.verdict, found.reason) == (V.INCOMPARABLE, reason)
    mixed = make_sides([[head]] * 3 + [[other]] * 2 + [[head]], [[head]])
    (found,) = judge(mixed).comparisons
    assert found.verdict is V.UNCHANGED
    assert found.base is not None
    assert found.base.sessions == 3
    assert REASONS[reason] in found.warnings[0]


def test_a_version_that_one_side_does_not_know_tells_nothing() -> None:
    """A tool that began to record versions does not lose its history."""
    head = replace(make_measurement(), version="1")
    (found,) = judge(make_sides([[make_measurement()]] * 4, [[head]])).comparisons
    assert found.verdict is V.UNCHANGED


def test_trials_against_values_are_incomparable() -> None:
    """A metric that has trials in head and plain values in the window is named as
    such, and tested by neither way."""
    passed = Metric("success", "1", Better.HIGHER, Kind.PROPORTION)
    name = make_measurement().benchmark
    trials = [Measurement(name, passed, passes=9, trials=10)]
    values = [Measurement(name, passed, ((0.9,),))]
    report = judge(make_sides([values] * 4, [trials]))
    (found,) = report.comparisons
    assert (found.verdict, found.reason) == (V.INCOMPARABLE, "unsupported-kind")


def test_a_metric_without_a_direction_is_never_gated() -> None:
    """Unchanged can be said without a direction; a change is shown and not judged."""
    base = window(6, 12, metric=UNKNOWN)
    report = judge(make_sides(base, [one_run(1, 12, {4: 3.0}, metric=UNKNOWN)]))
    found = row(report, "b4")
    assert (found.verdict, found.reason) == (V.INCONCLUSIVE, "no-direction")
    assert found.change == pytest.approx(2.0, rel=0.1)
    assert not found.gated
    assert found.p_adjusted is None
    assert row(report, "b1").verdict is V.UNCHANGED
    assert report.exit_code == 0
    assert report.groups[0].shifts == ()
    assert "which way is better is unknown" in report.groups[0].warnings[-1]


# ---------------------------------------------------------------------- the report


def test_rows_come_worst_first() -> None:
    """Rows are sorted by severity, then size, then name; counts name all verdicts."""
    head = one_run(1, 20, {3: 1.4, 5: 1.9, 8: 0.5, 9: 0.6})
    report = judge(make_sides(window(6, 20), [[*head, make_measurement("fresh")]]))
    places = [SEVERITY[one.verdict] for one in report.comparisons]
    assert places == sorted(places)
    named = [one.benchmark.name for one in report.comparisons]
    assert named[:2] == ["b5", "b3"]
    assert named[-2:] == ["b8", "b9"]
    assert sum(number for _, number in report.counts) == 21
    assert {verdict for verdict, _ in report.counts} == set(Verdict) - {V.NOT_COMPARED}
    assert (report.head, report.base) == ("HEAD", "main")


def test_warnings_are_handed_on() -> None:
    """Warnings of the caller and of a group stand in the report."""
    sides = replace(make_sides(window(3, 3), [one_run(1, 3)]), warnings=("dirty",))
    report = compare([sides], Settings(), head="h", base="b", warnings=["thin"])
    assert report.warnings == ("thin",)
    assert report.groups[0].warnings == ("dirty",)


def test_single_values_are_said() -> None:
    """Where runs have one value each, the unknown error inside a run is named."""
    sides = make_sides(window(4, 12, values=1), [one_run(1, 12, values=1)])
    (warning,) = judge(sides).groups[0].warnings
    assert warning.startswith("In 12 of 12 rows head has one value a run")


def test_rows_of_one_report_are_one_family() -> None:
    """The same row needs a smaller p-value beside a thousand others."""
    sides = make_sides(window(5, 3), [one_run(1, 3, {1: 1.2})])
    alone = row(judge(sides), "b1")
    many = replace(make_sides(window(5, 500), [one_run(2, 500)]), suite="other")
    beside = [
        one
        for one in judge(sides, many).comparisons
        if one.group == 0 and one.benchmark.name == "b1"
    ]
    assert alone.p_adjusted is not None
    assert beside[0].p_adjusted is not None
    assert beside[0].p_value == alone.p_value
    assert beside[0].p_adjusted > 20 * alone.p_adjusted


@pytest.mark.parametrize("fail_on", [(), (V.REGRESSED,), (V.INCONCLUSIVE,), (V.NEW,)])
def test_the_gate_fails_on_what_it_is_told(fail_on: Sequence[Verdict]) -> None:
    """Exit code 1 if and only if a gated row has one of the verdicts."""
    head = [*one_run(1, 5, {2: 3.0}), make_measurement("fresh")]
    report = judge(make_sides(window(1, 5), [head]), fail_on=tuple(fail_on))
    assert report.exit_code == (1 if fail_on else 0)

"""Rules that require, weak rows by rule, old baselines, and several accepts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitbench.compare import compare
from gitbench.model import (
    Accept,
    GroupSides,
    Kind,
    Measurement,
    Report,
    Rule,
    Settings,
    Verdict,
)
from tests.factories import DURATION, make_measurement, make_sides

V = Verdict
MEMORY = replace(DURATION, name="memory", unit="B", kind=Kind.SIZE)


def quiet(slower: float = 1.0, name: str = "sort") -> Measurement:
    """A measurement of 10 ms with a known error."""
    return make_measurement(name, [0.01 * slower, 0.0101 * slower, 0.0099 * slower])


def judge(*given: GroupSides, **options: object) -> Report:
    """The report on some groups."""
    return compare(given, Settings(**options), head="HEAD", base="main")  # type: ignore[arg-type]


# ------------------------------------------------------------------------ required


def test_a_required_rule_misses_what_the_baseline_has() -> None:
    """What fits and stands in the baseline fails if head has not measured it."""
    base = [[quiet(name="sort"), quiet(name="find"), quiet(name="rest")]] * 4
    given = make_sides(base, [[quiet(name="rest")]])
    report = judge(given, rules=(Rule(benchmark="so*", required=True),))
    found = {one.benchmark.name: one for one in report.comparisons}
    assert (found["sort"].verdict, found["sort"].reason) == (
        V.FAILED,
        "required-missing",
    )
    assert found["find"].verdict is V.MISSING
    assert len(report.comparisons) == 3
    assert report.exit_code == 1
    assert judge(given, rules=(Rule(benchmark="so*"),)).exit_code == 0


def test_the_first_rule_that_fits_says_what_is_required() -> None:
    """An earlier rule that requires nothing excuses what it fits."""
    base = [[quiet(name="parse/a"), quiet(name="parse/b")]] * 4
    given = make_sides(base, [[quiet(name="parse/b")]])
    rules = (Rule(benchmark="parse/a"), Rule(benchmark="parse/*", required=True))
    assert judge(given, rules=rules).exit_code == 0
    assert judge(given, rules=rules[1:]).exit_code == 1


def test_a_required_rule_that_fits_nothing_fails_by_its_glob() -> None:
    """Nothing measured fits it, in any suite: one failed row that names the glob."""
    given = make_sides([[quiet()]] * 4, [[quiet()]])
    report = judge(given, rules=(Rule(benchmark="parser/*", required=True),))
    found = report.comparisons[0]
    assert (found.benchmark.name, found.metric.name) == ("parser/*", "required")
    assert (found.verdict, found.reason) == (V.FAILED, "required-missing")
    assert report.exit_code == 1
    elsewhere = Rule(benchmark="sort", suite="other", required=True)
    assert judge(given, rules=(elsewhere,)).exit_code == 1
    here = replace(elsewhere, suite="unit")
    assert judge(given, rules=(here,)).exit_code == 0
    assert judge(rules=(here,), on_no_baseline="pass").exit_code == 1


def test_a_required_rule_and_a_required_glob_tell_the_same_thing_once() -> None:
    """The same requirement written twice is one failed row."""
    given = make_sides([[quiet()]] * 4, [[quiet()]])
    rules = (Rule(benchmark="parser/*", required=True),)
    report = judge(given, rules=rules, required=("parser/*",))
    assert [one.verdict for one in report.comparisons].count(V.FAILED) == 1


def test_a_required_metric_must_be_there() -> None:
    """A rule that names a metric misses that metric; one that does not, none."""
    both = [quiet(), replace(quiet(), metric=MEMORY)]
    given = make_sides([both] * 4, [[quiet()]])
    named = Rule(metric="memory", required=True)
    report = judge(given, rules=(named,))
    (failed,) = [one for one in report.comparisons if one.verdict is V.FAILED]
    assert (failed.metric.name, failed.reason) == ("memory", "required-missing")
    assert report.exit_code == 1
    assert judge(given, rules=(Rule(required=True),)).exit_code == 0
    never = Rule(metric="energy", required=True)
    (row, *_) = judge(given, rules=(never,)).comparisons
    assert (row.metric.name, row.benchmark.name) == ("energy", "*")


# ---------------------------------------------------------------------------- weak


def test_a_rule_says_whether_a_weak_row_can_be_red() -> None:
    """A threefold slow-down at one session is red, unless its rule says never."""
    base, head = (
        [[make_measurement(name, [f] * 5) for name in ("sort", "find")]]
        for f in (1.0, 3.0)
    )
    given = make_sides(base, head)
    rules = (Rule(benchmark="find", weak="never"),)
    found = {o.benchmark.name: o.verdict for o in judge(given, rules=rules).comparisons}
    assert found == {"sort": V.REGRESSED, "find": V.INCONCLUSIVE}
    rules = (Rule(benchmark="find", weak="gross"),)
    report = judge(given, rules=rules, weak="never")
    found = {o.benchmark.name: o.verdict for o in report.comparisons}
    assert found == {"sort": V.INCONCLUSIVE, "find": V.REGRESSED}


# ------------------------------------------------------------------------- max_age


@pytest.mark.parametrize(("most", "counts"), [(86_400, True), (86_399, False)])
def test_a_baseline_beyond_max_age_is_not_compared(most: int, counts: bool) -> None:
    """A baseline a day old counts up to a day; beyond, the report names it, exit 3."""
    given = make_sides([[quiet()]] * 5, [[quiet(1.5)]])
    assert given.baseline is not None
    report = judge(given, max_age_s=most)
    assert report.exit_code == (1 if counts else 3)
    (group,) = report.groups
    assert (group.baseline is not None) is counts
    if not counts:
        assert group.reason is not None
        for part in (given.baseline.commit[:12], "over 24 h older", "max_age is 23 h"):
            assert part in group.reason
        assert {one.verdict for one in report.comparisons} == {V.NEW}
        passing = judge(given, max_age_s=most, on_no_baseline="pass")
        assert passing.exit_code == 0


def test_a_baseline_of_unknown_age_counts() -> None:
    """Files have no age, so max_age has nothing to say."""
    given = make_sides([[quiet()]] * 5, [[quiet()]])
    assert given.baseline is not None
    ageless = replace(given, baseline=replace(given.baseline, age_s=None))
    assert judge(ageless, max_age_s=1).exit_code == 0


# ------------------------------------------------------------------------- accepts


def test_of_several_accepts_the_one_that_allows_most_counts() -> None:
    """A change covered by any entry is accepted, whatever the order."""
    given = make_sides([[quiet(1 + 0.002 * s)] for s in range(5)], [[quiet(1.12)]])
    less = Accept("sort", "duration", 0.06, "first")
    more = Accept("so*", "*", 0.2, "then")
    for accepts in ((less, more), (more, less)):
        (row,) = judge(given, accepts=accepts).comparisons
        assert (row.verdict, row.note) == (V.ACCEPTED, "then")
    assert judge(given, accepts=(less,)).exit_code == 1

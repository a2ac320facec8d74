"""An explanation has the numbers of the comparison, and no others."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy import stats

from gitbench.cli.explain_words import sentences
from gitbench.compare import Detail, compare, compare_in_detail
from gitbench.compare.explanation import (
    ABSENT,
    HEAD,
    NEWEST,
    OLDER,
    Explanation,
    explain,
    named,
)
from gitbench.model import (
    REASONS,
    Accept,
    Benchmark,
    Better,
    Comparison,
    Kind,
    Measurement,
    Metric,
    Rule,
    Settings,
    Status,
    Verdict,
)
from tests.factories import DURATION, make_measurement, make_sides

THROUGHPUT = Metric("rate", "1/s", Better.HIGHER, Kind.THROUGHPUT)
BALANCE = Metric("balance", "1", Better.LOWER, Kind.COUNT)


def run(
    rng: random.Random, rows: int, slow: float = 1.0, noise: float = 0.01
) -> list[Measurement]:
    """One run of rows of 1 ms and more; the first is slower by a factor."""
    day = rng.gauss(1, 0.01)
    made = []
    for row in range(rows):
        level = 1e-3 * (row + 1) * day * rng.gauss(1, noise)
        level *= slow if row == 0 else 1
        values = [level * rng.gauss(1, 0.003) for _ in range(5)]
        made.append(make_measurement(f"b{row}", values))
    return made


def explained(
    base: Sequence[Sequence[Measurement]],
    head: Sequence[Sequence[Measurement]],
    settings: Settings | None = None,
) -> tuple[Detail, tuple[Explanation, ...]]:
    """All rows of a comparison, explained."""
    detail = compare_in_detail(
        [make_sides(base, head)], settings or Settings(), head="f", base="main"
    )
    return detail, explain(detail, detail.report.comparisons)


def suite(
    rows: int, sessions: int, slow: float = 1.0, heads: int = 1
) -> tuple[Detail, tuple[Explanation, ...]]:
    """A suite of some rows and sessions."""
    rng = random.Random(rows * 100 + sessions)
    base = [run(rng, rows) for _ in range(sessions)]
    return explained(base, [run(rng, rows, slow) for _ in range(heads)])


@pytest.mark.parametrize(("rows", "sessions", "heads"), [(1, 4, 1), (14, 6, 2)])
def test_the_numbers_are_those_of_the_comparison(
    rows: int, sessions: int, heads: int
) -> None:
    """t, error and degrees of freedom give the report's own p and interval."""
    detail, found = suite(rows, sessions, 1.2, heads)
    assert len(found) == rows
    for one in found:
        row, figures = one.comparison, one.figures
        assert figures is not None
        assert figures.t is not None
        assert figures.t == pytest.approx(figures.delta / figures.error)
        p = stats.t.sf(abs(figures.t), figures.df)
        assert row.p_value == pytest.approx(p, rel=1e-6)
        half = stats.t.isf(0.05, figures.df) * figures.error
        assert row.interval is not None
        assert row.interval[0] == pytest.approx(math.expm1(figures.delta - half))
        assert row.interval[1] == pytest.approx(math.expm1(figures.delta + half))
        assert row.change_adjusted == pytest.approx(math.expm1(figures.delta))
        assert one.tests == detail.tests == rows + (rows >= 10)


@pytest.mark.parametrize(("rows", "sessions"), [(1, 4), (14, 6)])
def test_the_sessions_shown_are_what_was_tested(rows: int, sessions: int) -> None:
    """Mean and variance of the sessions without the suite's moves are the test's."""
    _, found = suite(rows, sessions, 1.2)
    for one in found:
        figures = one.figures
        assert figures is not None
        base = np.log([s.adjusted for s in one.window if s.part == NEWEST])
        head = np.log([s.adjusted for s in one.head if s.part == HEAD])
        assert head.mean() - base.mean() == pytest.approx(figures.delta, abs=1e-9)
        # What each row's response to the suite cost is taken from its freedom.
        squares = base.var(ddof=1) * (base.size - 1)
        assert squares == pytest.approx(figures.own**2 * figures.own_df, rel=1e-6)
        assert base.size - 2 <= figures.own_df <= base.size - 1
        weights = figures.own_df + figures.prior_df
        total = figures.own_df * figures.own**2 + figures.prior_df * figures.prior**2
        assert figures.moderated == pytest.approx(math.sqrt(total / weights))


def test_a_comparison_is_the_same_with_and_without_its_detail() -> None:
    """Who asks why gets the report of who does not."""
    rng = random.Random(5)
    sides = make_sides([run(rng, 12) for _ in range(5)], [run(rng, 12, 1.3)])
    plain = compare([sides], Settings(), head="f", base="main")
    detail = compare_in_detail([sides], Settings(), head="f", base="main")
    assert detail.report == plain


def test_a_step_is_shown_with_both_levels() -> None:
    """Sessions before the step are told apart, and the levels are in the unit."""
    rng = random.Random(8)
    base = [run(rng, 1, 1.5 if n < 3 else 1.0, 0.004) for n in range(7)]
    _, (one,) = explained(base, [run(rng, 1, 1.5, 0.004)])
    assert [s.part for s in one.window] == [NEWEST] * 3 + [OLDER] * 4
    assert one.step is not None
    assert one.step.newest == 3
    assert one.step.level == pytest.approx(1.5e-3, rel=0.03)
    assert one.step.before == pytest.approx(1e-3, rel=0.03)
    assert "moved inside the window" in " ".join(sentences(one))


def test_throughput_is_turned_the_right_way() -> None:
    """Positive is worse, and the direction of the other tests is the row's."""
    rng = random.Random(4)

    def rate(level: float) -> list[Measurement]:
        return [make_measurement("b", [level * rng.gauss(1, 0.01)] * 2, THROUGHPUT)]

    _, (one,) = explained([rate(100) for _ in range(5)], [rate(80)])
    assert one.comparison.verdict is Verdict.REGRESSED
    assert one.figures is not None
    assert one.figures.delta > 0.15
    p = {test.name: test.p for test in one.alternatives}
    assert p["Student's t"] is not None
    assert p["Student's t"] < 0.01


def cases() -> dict[str, tuple[Detail, tuple[Explanation, ...]]]:
    """A comparison for each way that a row can be judged."""
    rng = random.Random(1)

    def row(level: float, metric: Metric = DURATION) -> list[Measurement]:
        values = [level * rng.gauss(1, 0.01) for _ in range(5)]
        return [make_measurement("b", values, metric)]

    def count(number: float, metric: Metric) -> list[Measurement]:
        return [make_measurement("b", [number], metric)]

    exact = Metric("calls", "1", Better.LOWER, Kind.EXACT)
    points = Metric("points", "1", Better.LOWER, Kind.SCORE)
    unknown = Metric("thing", "1", Better.NONE, Kind.SCORE)
    failed = [Measurement(Benchmark("b"), DURATION, status=Status.FAILED, message="x")]
    score = [
        Measurement(
            Benchmark("b"),
            Metric("success", "1", Better.HIGHER, Kind.PROPORTION),
            passes=9,
            trials=10,
        )
    ]
    five = [row(1.0) for _ in range(5)]
    budget = Settings(rules=(Rule(max=0.5, max_unit="s"),))
    accept = Settings(accepts=(Accept("*", "*", 0.5, "meant"),))
    small = Settings(rules=(Rule(min_change=0.5, min_change_unit="s"),))
    return {
        "regressed": explained(five, [row(1.3)]),
        "improved": explained(five, [row(0.7)]),
        "unchanged": explained(five, [row(1.0)]),
        "noise": explained(five, [row(1.035)]),
        "one-session": explained([row(1.0)], [row(1.1)]),
        "gross": explained([row(1.0)], [row(5.0)]),
        "new": explained([row(1.0, THROUGHPUT)], [row(1.0)]),
        "failed": explained(five, [failed]),
        "exact": explained([count(5, exact)], [count(6, exact)]),
        "exact-same": explained([count(5, exact)], [count(5, exact)]),
        "budget": explained(five, [row(1.0)], budget),
        "accepted": explained(five, [row(1.3)], accept),
        "below-min-change": explained(five, [row(1.2)], small),
        "no-direction": explained([row(1.0, unknown)] * 4, [row(2.0, unknown)]),
        "zeros": explained([count(n, BALANCE) for n in (0, 1, 0)], [count(4, BALANCE)]),
        "negative": explained(
            [count(n, BALANCE) for n in (-2, -1, -3)], [count(-9, BALANCE)]
        ),
        "constant": explained([count(5, BALANCE)] * 4, [count(6, BALANCE)]),
        "no-spread": explained([count(5, points)] * 4, [count(6, points)]),
        "tiny": explained([row(1e-300) for _ in range(4)], [row(2e-300)]),
        "huge": explained([row(1e300) for _ in range(4)], [row(2e300)]),
        "beyond": explained([row(1e307) for _ in range(4)], [row(2e307)]),
        "proportion": explained([score], [score]),
        "suite": suite(14, 5),
    }


@pytest.fixture(scope="module", name="made")
def made_cases() -> dict[str, tuple[Detail, tuple[Explanation, ...]]]:
    """All cases, made once."""
    return cases()


@pytest.mark.parametrize("case", sorted(cases()))
def test_every_verdict_has_words_and_no_nan(
    case: str, made: dict[str, tuple[Detail, tuple[Explanation, ...]]]
) -> None:
    """Whatever the verdict, there are words, and numbers that are numbers."""
    for one in made[case][1]:
        text = " ".join(sentences(one))
        assert len(text) > 40
        assert text.endswith(".")
        assert not {"nan", "inf", "None"} & set(text.replace(",", " ").split())
        for number in _floats([asdict(s) for s in (*one.head, *one.window)]):
            assert math.isfinite(number)
        for number in _floats([asdict(test) for test in one.alternatives]):
            assert math.isfinite(number)


def _floats(value: object) -> list[float]:
    if isinstance(value, float):
        return [value]
    if isinstance(value, dict):
        return [x for part in value.values() for x in _floats(part)]
    if isinstance(value, list | tuple):
        return [x for part in value for x in _floats(part)]
    return []


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("regressed", "It would not be red if the rule for it allowed more than"),
        ("improved", "the row is improved"),
        ("unchanged", "lies within the limits"),
        ("noise", "the noise is too large to decide"),
        ("one-session", "on 2 more occasions"),
        ("gross", "because the change is gross"),
        ("new", "There is nothing to compare with"),
        ("failed", "failed in head's newest run"),
        ("exact", "any change for the worse is red"),
        ("budget", "over the absolute budget"),
        ("accepted", "accepted with a reason"),
        ("below-min-change", "smaller than the rule's min_change"),
        ("no-direction", "Nobody told which way is better"),
        ("zeros", "no percentage can be taken"),
        ("constant", "That is significant"),
        ("no-spread", "never varied"),
    ],
)
def test_the_words_tell_what_would_change_the_verdict(
    case: str,
    words: str,
    made: dict[str, tuple[Detail, tuple[Explanation, ...]]],
) -> None:
    """Each kind of verdict has its own advice."""
    texts = [" ".join(sentences(one)) for one in made[case][1]]
    assert any(words in text for text in texts), texts


def test_a_larger_threshold_does_what_the_words_say() -> None:
    """An inconclusive row is decided by the threshold that its paragraph names."""
    rng = random.Random(3)
    base = [run(rng, 1, noise=0.03) for _ in range(5)]
    head = [run(rng, 1, 1.04, noise=0.03)]
    _, (one,) = explained(base, head)
    assert one.comparison.reason == "noise"
    assert one.figures is not None
    bad = math.expm1(one.figures.delta + one.figures.half_width)
    for threshold, decided in ((bad * 1.01, True), (bad * 0.99, False)):
        _, (again,) = explained(base, head, Settings(threshold=threshold))
        assert (again.comparison.reason is None) == decided


def test_absent_sessions_are_told_apart() -> None:
    """A session that did not measure the row stands there without a center."""
    rng = random.Random(6)
    base = [run(rng, 2) for _ in range(5)]
    base[2] = base[2][1:]
    _, found = explained(base, [run(rng, 2)])
    one = next(x for x in found if x.comparison.benchmark.name == "b0")
    assert [s.part for s in one.window].count(ABSENT) == 1
    assert one.window[2].runs == ()
    assert one.window[2].center is None


def test_a_row_is_found_by_label_name_or_glob() -> None:
    """A label that looks like a glob is that very row."""

    def row(name: str, **params: str) -> Comparison:
        benchmark = Benchmark(name, tuple(params.items()))
        return Comparison(0, benchmark, DURATION, Verdict.NEW)

    one, two, three = row("sort", n="1"), row("sort", n="2"), row("a*b")
    rows = [one, two, three, row("axb")]
    assert named(rows, "sort [n=1]") == [one]
    assert named(rows, "sort") == [one, two]
    assert named(rows, "a*b") == [three]
    assert named(rows, "a?b") == [three, rows[3]]
    assert named(rows, "none") == []


def test_every_reason_code_has_words() -> None:
    """A reason without a paragraph of its own is told in its short form."""
    _, (one,) = explained([[make_measurement()]] * 4, [[make_measurement()]])
    for reason in REASONS:
        for verdict in (Verdict.INCONCLUSIVE, Verdict.INCOMPARABLE, Verdict.FAILED):
            row = replace(one.comparison, reason=reason, verdict=verdict)
            assert sentences(replace(one, comparison=row))

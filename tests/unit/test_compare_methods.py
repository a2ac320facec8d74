"""Methods and corrections in a whole comparison, and pairs of rounds."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gitbench.compare import compare
from gitbench.model import (
    METHODS,
    Baseline,
    Better,
    CommitRuns,
    Comparison,
    GroupSides,
    Kind,
    Metric,
    RecordedRun,
    Report,
    Rule,
    Settings,
)
from gitbench.model import Verdict as V
from tests.factories import make_measurement, make_run, make_sides

OTHERS = tuple(one for one in METHODS if one != "moderated-t")


def report(sides: GroupSides, **settings: object) -> Report:
    """The comparison by these settings."""
    return compare([sides], Settings(**settings), head="head", base="main")  # type: ignore[arg-type]


def one_row(base: Sequence[float], head: Sequence[float], **settings: object) -> object:
    """The row of a single benchmark, one value a session."""
    sides = make_sides(
        [[make_measurement(values=[value])] for value in base],
        [[make_measurement(values=[value])] for value in head],
    )
    return report(sides, **settings).comparisons[0]


def noisy(
    seed: int, slow: Mapping[str, float] | None = None, rows: int = 12
) -> list[object]:
    """A run of some benchmarks: noise of 1 % from run to run."""
    chance = random.Random(seed)
    return [
        make_measurement(
            f"b{row}", [(slow or {}).get(f"b{row}", 1) * chance.gauss(1, 0.01)]
        )
        for row in range(rows)
    ]


def unpaired(slow: float, k: int = 8, n: int = 6) -> GroupSides:
    """Sessions of both sides, `b3` of head slower by a factor."""
    return make_sides(
        [noisy(seed) for seed in range(k)],  # type: ignore[misc]
        [noisy(100 + seed, {"b3": slow}) for seed in range(n)],  # type: ignore[misc]
    )


@pytest.mark.parametrize("method", ["welch", "mann-whitney", "brunner-munzel"])
def test_a_slow_row_is_found_by_each_method(method: str) -> None:
    """One of twelve rows 20 % slower is red by its method's name, the others are
    decided, no shift is tested, and swapped sides find it faster."""
    found = report(unpaired(1.2), method=method)
    red = [row for row in found.comparisons if row.verdict is V.REGRESSED]
    assert [row.benchmark.name for row in red] == ["b3"]
    assert (red[0].method, found.groups[0].shifts) == (method, ())
    assert red[0].interval is not None
    assert red[0].interval[0] < 0.2 < red[0].interval[1]
    assert {row.method for row in found.comparisons} == {method}
    assert sum(row.verdict is V.UNCHANGED for row in found.comparisons) >= 9
    faster = report(unpaired(1 / 1.2), method=method)
    better = [row for row in faster.comparisons if row.verdict is V.IMPROVED]
    assert [row.benchmark.name for row in better] == ["b3"]


@pytest.mark.parametrize("method", ["welch", "mann-whitney", "brunner-munzel"])
def test_throughput_is_the_mirror_of_time(method: str) -> None:
    """Where higher is better, the same numbers turned give turned changes."""
    speed = Metric("speed", "1/s", Better.HIGHER, Kind.THROUGHPUT)
    rng = random.Random(4)
    base = [rng.gauss(1, 0.01) for _ in range(7)]
    head = [1.2 * rng.gauss(1, 0.01) for _ in range(6)]
    time = one_row(base, head, method=method)
    rates = make_sides(
        [[make_measurement(values=[1 / one], metric=speed)] for one in base],
        [[make_measurement(values=[1 / one], metric=speed)] for one in head],
    )
    rate = report(rates, method=method).comparisons[0]
    assert isinstance(time, Comparison)
    assert rate.verdict is time.verdict is V.REGRESSED
    assert rate.p_value == pytest.approx(time.p_value)
    assert rate.interval is not None
    assert time.interval is not None
    ends = sorted(1 / (1 + one) - 1 for one in time.interval)
    assert list(rate.interval) == pytest.approx(ends)
    assert list(rate.interval) == sorted(rate.interval)


@pytest.mark.parametrize(
    ("method", "k", "n", "reason", "needed"),
    [
        ("welch", 5, 1, "few-head-sessions", 2),
        ("welch", 1, 2, "one-session", 1),
        ("mann-whitney", 5, 1, "few-head-sessions", 1),
        ("mann-whitney", 10, 1, "few-head-sessions", 1),
        ("brunner-munzel", 5, 3, "few-head-sessions", 1),
        ("brunner-munzel", 3, 3, "few-sessions", 1),
        ("paired", 5, 5, "few-rounds", 5),
    ],
)
def test_below_its_minimum_a_method_says_what_it_lacks(
    method: str, k: int, n: int, reason: str, needed: int
) -> None:
    """Too few sessions: undecided with the number that is missing; with it, tested."""
    found = one_row([1.0 + i / 1000 for i in range(k)], [1.0] * n, method=method)
    assert isinstance(found, Comparison)
    assert (found.verdict, found.weak, found.reason) == (V.INCONCLUSIVE, True, reason)
    assert found.sessions_needed == needed
    assert found.p_value is None
    if method == "paired":
        return
    more = (0, needed) if reason == "few-head-sessions" else (needed, 0)
    base = [1.0 + i / 1000 for i in range(k + more[0])]
    enough = one_row(base, [1.0 + i / 900 for i in range(n + more[1])], method=method)
    if (method, k, n) != ("brunner-munzel", 3, 3):
        assert isinstance(enough, Comparison)
        assert (enough.weak, enough.method) == (False, method)


@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize("weak", ["gross", "never"])
def test_a_gross_change_is_believed_below_the_minimum(method: str, weak: str) -> None:
    """Five values a side that lie apart by more than twice are red by any method,
    unless that is switched off."""
    sides = make_sides(
        [[make_measurement(values=[1.0, 1.1, 1.2, 1.05, 1.15])]],
        [[make_measurement(values=[3.0, 3.1, 3.2, 3.05, 3.15])]],
    )
    found = report(sides, method=method, weak=weak).comparisons[0]
    expected = V.REGRESSED if weak == "gross" else V.INCONCLUSIVE
    assert (found.verdict, found.method) == (expected, "gross")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize(
    ("base", "head"),
    [
        ([1.0] * 6, [1.0] * 5),
        ([1.0] * 6, [2.0] * 5),
        ([0.0] * 6, [0.0] * 5),
        ([-1.0, -2, -3, -1.5, -2.5, -1.2], [1.0, 2, 3, 1.5, 2.5]),
        ([1e-300] * 6, [1e300] * 5),
        ([2.0**53 + 2, 2.0**53] * 3, [2.0**53 + 4] * 5),
        ([1.0, 2.0, 1.0, 2.0, 1.0, 2.0], [1.0, 2.0, 2.0, 1.0, 2.0]),
    ],
)
def test_degenerate_rows_get_a_verdict(
    method: str, base: list[float], head: list[float]
) -> None:
    """Constants, zeros, negatives, ties and the ends of floats: a verdict, numbers
    or None, and no warning."""
    found = one_row(base, head, method=method)
    assert isinstance(found, Comparison)
    for number in (found.change, found.p_value, found.p_adjusted):
        assert number is None or number == number
    if method != "paired" and base == head[:1] * 6:
        assert found.verdict is V.UNCHANGED
    if base == [1.0] * 6 and head[0] == 2.0:
        # Welch has no variance; ranks that lie apart are evidence all the same.
        ranked = (V.REGRESSED, None)
        expected = {
            "welch": (V.INCONCLUSIVE, "no-spread"),
            "mann-whitney": ranked,
            "brunner-munzel": ranked,
            "paired": (V.INCONCLUSIVE, "few-rounds"),
        }
        assert (found.verdict, found.reason) == expected[method]


def test_negative_rows_are_tested_by_difference() -> None:
    """With min_change a row of negative numbers is red by Welch's test too."""
    rule = Rule(min_change=0.5)
    base, head = [-5.0, -5.1, -4.9, -5.0, -5.05], [-4.0, -4.1, -3.9]
    found = one_row(base, head, method="welch", rules=(rule,))
    assert isinstance(found, Comparison)
    assert (found.verdict, found.method) == (V.REGRESSED, "welch")


def test_a_rule_chooses_the_method_of_its_rows() -> None:
    """A rule's method holds for its rows, that of the settings for all others."""
    rules = (Rule(benchmark="b3", method="mann-whitney"),)
    found = report(unpaired(1.2), rules=rules)
    by_name = {row.benchmark.name: row.method for row in found.comparisons}
    assert by_name.pop("b3") == "mann-whitney"
    assert set(by_name.values()) == {"moderated-t"}


def test_corrections_order_p_values() -> None:
    """The same rows by three corrections: the more is asked, the larger p.

    Of Benjamini and Hochberg's a part of alpha belongs to the suite's shift, so its
    p-values may be a quarter above those without that.
    """
    p = [
        {r.benchmark.name: r.p_adjusted or 0.0 for r in found.comparisons}
        for found in (
            report(unpaired(1.03), correction=one) for one in ("none", "fdr_bh", "holm")
        )
    ]
    assert all(p[0][name] <= p[1][name] <= 1.25 * p[2][name] for name in p[0])
    assert p[0]["b3"] < p[2]["b3"]
    plain = report(unpaired(1.03), correction="none").comparisons
    assert all(row.p_value == row.p_adjusted for row in plain)
    seen = [
        report(unpaired(1), correction=one, threshold=0.0).groups[0].sensitivity
        for one in ("none", "fdr_bh", "holm")
    ]
    assert seen[0] is not None
    assert seen[1] is not None
    assert seen[0][0] < seen[1][0]
    assert seen[1] == pytest.approx(seen[2], rel=0.03)


def test_ranks_that_cannot_tell_are_named() -> None:
    """Of five and two sessions ranks have p = 1/21 at best, which among twelve rows
    is never significant: the group says so."""
    found = report(unpaired(3, k=5, n=2), method="mann-whitney")
    assert not any(row.verdict is V.REGRESSED for row in found.comparisons)
    warning = next(one for one in found.groups[0].warnings if "p = 0.048" in one)
    assert warning.startswith("In 12 of 12 rows of duration")
    assert found.groups[0].sensitivity is None
    alone = report(unpaired(3, k=5, n=2), method="mann-whitney", correction="none")
    red = [r.benchmark.name for r in alone.comparisons if r.verdict is V.REGRESSED]
    assert red == ["b3"]
    assert not any("p = 0.048" in one for one in alone.groups[0].warnings)


# ------------------------------------------------------------------------- rounds


def interleaved(
    slow: float,
    rounds: int = 8,
    *,
    drift: float = 0.05,
    rows: int = 1,
    head_rounds: Sequence[int] | None = None,
    earlier: int = 0,
    session: str = "s1",
) -> GroupSides:
    """Head and its baseline measured in turn, in rounds of one session.

    Drift from round to round is common, noise is .5 %; `earlier` sessions of the
    window lie behind.
    """
    chance = random.Random(8)
    common = [1 + chance.uniform(-drift, drift) for _ in range(rounds)]
    minute, start = 60_000, 2 * 10**12

    def run(side: str, place: int, factor: float) -> RecordedRun:
        values = [
            make_measurement(
                f"b{row}", [factor * common[place] * chance.gauss(1, 5e-3)]
            )
            for row in range(rows)
        ]
        made = make_run(
            values,
            commit=side * 40,
            started_at=start + 30 * minute * place + ord(side[0]),
            session=session,
            round=place + 1,
        )
        return RecordedRun(f"{place + 1:015x}{side}", made)

    base = tuple(run("b", place, 1.0) for place in range(rounds))
    ours = range(rounds) if head_rounds is None else head_rounds
    head = tuple(run("f", place, slow) for place in ours)
    window = [CommitRuns("b" * 40, base)]
    for place in range(earlier):
        old = make_run(
            [
                make_measurement(f"b{row}", [chance.gauss(1, 0.03)])
                for row in range(rows)
            ],
            commit=f"{place:040x}",
            started_at=10**12 - place * 10**9,
        )
        window.append(
            CommitRuns(old.commit, (RecordedRun(f"{place:016x}", old),), place + 1)
        )
    sides = make_sides([], [])
    return replace(
        sides,
        head=CommitRuns("f" * 40, head),
        baseline=Baseline("b" * 40, "merge-base", 0, 60, tuple(window)),
    )


def row_of(sides: GroupSides, **settings: object) -> Comparison:
    """The only row."""
    (found,) = report(sides, **settings).comparisons
    return found


def test_interleaved_rounds_are_paired_by_themselves() -> None:
    """A window of one shared session would be weak; its pairs find 8 % under a drift
    of 5 %, and 1 % is proven harmless."""
    found = row_of(interleaved(1.08))
    assert (found.verdict, found.method, found.weak) == (V.REGRESSED, "paired", False)
    assert found.change == pytest.approx(0.08, abs=0.01)
    assert found.base is not None
    assert found.head is not None
    assert (found.base.sessions, found.base.values) == (1, 8)
    assert (found.head.sessions, found.head.values) == (1, 8)
    assert row_of(interleaved(1.01)).verdict is V.UNCHANGED
    assert row_of(interleaved(1 / 1.08)).verdict is V.IMPROVED


@pytest.mark.parametrize("rounds", [4, 5])
def test_five_rounds_make_pairs(rounds: int) -> None:
    """Four rounds leave a default row weak as before, and a chosen one tells what it
    lacks; five are enough."""
    sides = interleaved(1.2, rounds)
    default, chosen = row_of(sides), row_of(sides, method="paired")
    if rounds == 5:
        assert default == chosen
        assert default.verdict is V.REGRESSED
    else:
        assert (default.reason, default.sessions_needed) == ("one-session", None)
        assert (chosen.reason, chosen.sessions_needed) == ("few-rounds", 1)


def test_only_common_rounds_are_pairs() -> None:
    """Rounds are matched by number within a session, whatever their order in time;
    another session's rounds of the same numbers are none."""
    five = row_of(interleaved(1.08, head_rounds=[7, 2, 4, 0, 5]))
    assert (five.method, five.verdict) == ("paired", V.REGRESSED)
    four = row_of(interleaved(1.08, head_rounds=[7, 2, 4, 0]))
    assert four.reason == "one-session"
    mine, other = interleaved(1.08), interleaved(1.08, session="s2")
    crossed = replace(mine, head=other.head)
    assert row_of(crossed).reason == "one-session"


def test_other_methods_leave_rounds_alone() -> None:
    """Who asks for Welch's test gets it: the shared session is one session a side."""
    found = row_of(interleaved(1.08), method="welch")
    assert (found.reason, found.sessions_needed) == ("one-session", 1)


def test_pairs_win_over_a_long_window() -> None:
    """With a window of noisy sessions behind, the pairs are what is tested."""
    found = row_of(interleaved(1.08, earlier=6))
    assert (found.verdict, found.method) == (V.REGRESSED, "paired")
    assert found.base is not None
    assert found.base.sessions == 1


def test_the_sides_of_a_paired_row_are_its_rounds() -> None:
    """Sessions and rounds that are no pair stand behind neither side."""
    sides = interleaved(1.08, head_rounds=[0, 1, 2, 3, 4])
    later = [
        RecordedRun(
            f"{place:015x}e",
            make_run(
                [make_measurement("b0", [5.0])],
                commit=commit,
                started_at=3 * 10**12 + place,
            ),
        )
        for place, commit in enumerate(("f" * 40, "b" * 40))
    ]
    assert sides.baseline is not None
    head = replace(sides.head, runs=(later[0], *sides.head.runs))
    window = sides.baseline.window[0]
    window = replace(window, runs=(later[1], *window.runs))
    found = row_of(
        replace(sides, head=head, baseline=replace(sides.baseline, window=(window,)))
    )
    assert found.head is not None
    assert found.base is not None
    for side in (found.head, found.base):
        assert (side.sessions, side.values) == (1, 5)
        assert side.high is not None
        assert side.high < 2
    assert (found.method, found.verdict) == ("paired", V.REGRESSED)
    assert found.change == pytest.approx(0.08, abs=0.01)
    assert found.head.center == pytest.approx(1.08, abs=0.06)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("head", "base", "expected"),
    [
        ([0.0], [0.0], (V.UNCHANGED, None)),
        ([1.0], [1.0], (V.UNCHANGED, None)),
        ([2.0], [1.0], (V.INCONCLUSIVE, "no-spread")),
        ([1e300], [1e-300], (V.INCONCLUSIVE, "no-spread")),
        ([0.0, 1.0], [1.0], (V.INCONCLUSIVE, "not-positive")),
        ([-1.0, -2.0], [-2.0], (V.INCONCLUSIVE, "not-positive")),
    ],
)
def test_degenerate_pairs_get_a_verdict(
    head: list[float], base: list[float], expected: tuple[V, str | None]
) -> None:
    """Rounds of constants, zeros, negatives and the ends of floats."""
    sides = interleaved(1.0)
    assert sides.baseline is not None
    window = sides.baseline.window[0]

    def filled(runs: Sequence[RecordedRun], values: list[float]) -> CommitRuns:
        made = [
            replace(
                one.run,
                measurements=(make_measurement("b0", [values[place % len(values)]]),),
            )
            for place, one in enumerate(runs)
        ]
        return CommitRuns(
            made[0].commit,
            tuple(
                RecordedRun(one.id, run) for one, run in zip(runs, made, strict=True)
            ),
        )

    found = row_of(
        replace(
            sides,
            head=filled(sides.head.runs, head),
            baseline=replace(sides.baseline, window=(filled(window.runs, base),)),
        )
    )
    assert (found.verdict, found.reason, found.method) == (*expected, "paired")


def test_too_few_rounds_make_no_step() -> None:
    """Rows that lack rounds tell nothing of a step that the window does not have."""
    found = one_row([1.0, 1.01, 1.0, 1.02, 1.0], [1.0], method="paired")
    assert isinstance(found, Comparison)
    assert (found.reason, found.warnings) == ("few-rounds", ())
    assert found.base is not None
    assert found.base.sessions == 5


def test_rows_without_pairs_beside_rows_with() -> None:
    """A benchmark that only one side has in its rounds is new, and stands beside."""
    sides = interleaved(1.08)
    extra = tuple(
        replace(
            one,
            run=replace(
                one.run,
                measurements=(*one.run.measurements, make_measurement("only-head")),
            ),
        )
        for one in sides.head.runs
    )
    found = report(replace(sides, head=replace(sides.head, runs=extra)))
    by_name = {row.benchmark.name: row for row in found.comparisons}
    assert by_name["only-head"].verdict is V.NEW
    assert by_name["b0"].method == "paired"


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_runs_does_not_matter(seed: int) -> None:
    """Runs in any order give the same report."""
    sides = interleaved(1.03, rows=3)
    runs = list(sides.head.runs)
    random.Random(seed).shuffle(runs)
    turned = replace(sides, head=replace(sides.head, runs=tuple(runs)))
    assert report(turned).comparisons == report(sides).comparisons


@given(
    st.lists(st.floats(0.5, 2), min_size=1, max_size=6),
    st.lists(st.floats(0.5, 2), min_size=1, max_size=6),
    st.sampled_from(OTHERS),
)
@examples(derandomize=True, max_examples=40, deadline=None)
def test_a_unit_changes_no_verdict(
    base: list[float], head: list[float], method: str
) -> None:
    """Seconds and milliseconds give one verdict with one p-value."""
    milli = replace(make_measurement().metric, unit="ms")
    seconds = one_row(base, head, method=method)
    sides = make_sides(
        [[make_measurement(values=[1000 * one], metric=milli)] for one in base],
        [[make_measurement(values=[1000 * one], metric=milli)] for one in head],
    )
    found = report(sides, method=method).comparisons[0]
    assert isinstance(seconds, Comparison)
    assert (found.verdict, found.reason) == (seconds.verdict, seconds.reason)
    if found.p_value is not None:
        assert found.p_value == pytest.approx(seconds.p_value, abs=1e-6)

"""Laws that hold for whatever is measured: scale, direction, order, finite numbers."""

from __future__ import annotations

import json
import math
import random
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.compare import compare
from gitbench.model import (
    REASONS,
    Better,
    Comparison,
    GroupSides,
    Kind,
    Measurement,
    Metric,
    Report,
    Rule,
    Settings,
    Verdict,
)
from tests.factories import DURATION, make_measurement, make_sides

V = Verdict
MIRROR = {V.REGRESSED: V.IMPROVED, V.IMPROVED: V.REGRESSED}
CASES = settings(derandomize=True, max_examples=40, deadline=None)

SHAPES = st.fixed_dictionaries(
    {
        "rows": st.sampled_from([1, 4, 9, 10, 13, 30]),
        "k": st.integers(1, 7),
        "heads": st.integers(1, 3),
        "values": st.sampled_from([1, 2, 6]),
        "noise": st.sampled_from([0.0, 0.002, 0.02, 0.2]),
        "slow": st.lists(st.sampled_from([0.3, 0.9, 1.06, 1.3, 4.0]), max_size=4),
        "suite": st.sampled_from([1.0, 1.0, 0.8, 1.1]),
        "gaps": st.sampled_from([0.0, 0.2]),
        "step": st.booleans(),
        "seed": st.integers(0, 10**6),
    }
)


def numbers(
    shape: dict[str, object],
) -> tuple[list[dict[int, list[float]]], list[dict[int, list[float]]]]:
    """Values of window and head: a dict of row -> values for each run."""
    rng = random.Random(int(shape["seed"]))  # type: ignore[call-overload]
    noise, rows = float(shape["noise"]), int(shape["rows"])  # type: ignore[arg-type, call-overload]
    slow = dict(enumerate(shape["slow"]))  # type: ignore[var-annotated, call-overload]
    k, heads = int(shape["k"]), int(shape["heads"])  # type: ignore[call-overload]
    runs = []
    for run in range(k + heads):
        one = {}
        for row in range(rows):
            if rng.random() < float(shape["gaps"]):  # type: ignore[arg-type]
                continue
            center = 0.01 * (row + 1) * math.exp(rng.gauss(0, noise))
            if run >= k:
                center *= slow.get(row, 1.0) * float(shape["suite"])  # type: ignore[arg-type]
            elif shape["step"] and row == 0 and run < k // 2:
                center *= 1.5
            one[row] = [
                center * math.exp(rng.gauss(0, noise / 3))
                for _ in range(int(shape["values"]))  # type: ignore[call-overload]
            ]
        one[999] = [1.0]
        runs.append(one)
    return runs[:k], runs[k:]


def measured(
    run: dict[int, list[float]], metric: Metric, factor: float = 1.0
) -> list[Measurement]:
    """A run's measurements, all values multiplied."""
    return [
        make_measurement(f"b{row}", [factor * value for value in values], metric)
        for row, values in run.items()
    ]


def judge(sides: GroupSides, **options: object) -> Report:
    """The report on one group."""
    return compare([sides], Settings(**options), head="h", base="b")  # type: ignore[arg-type]


def by_name(report: Report) -> dict[str, Comparison]:
    """Benchmark -> comparison."""
    return {one.benchmark.name: one for one in report.comparisons}


def close(one: float | None, other: float | None) -> bool:
    """Both undefined, or equal but for rounding."""
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)


@given(SHAPES)
@CASES
def test_nanoseconds_and_seconds_have_the_same_verdicts(
    shape: dict[str, object],
) -> None:
    """The unit that a tool writes changes neither a verdict nor a number."""
    base, head = numbers(shape)
    ns = replace(DURATION, unit="ns")
    seconds = by_name(
        judge(make_sides(*([measured(r, DURATION) for r in x] for x in (base, head))))
    )
    nanos = by_name(
        judge(make_sides(*([measured(r, ns, 1e9) for r in x] for x in (base, head))))
    )
    for name, one in seconds.items():
        other = nanos[name]
        assert (one.verdict, one.reason, one.weak) == (
            other.verdict,
            other.reason,
            other.weak,
        )
        assert close(one.change, other.change)
        assert close(one.p_value, other.p_value)
        assert one.metric == other.metric


@given(SHAPES)
@CASES
def test_higher_is_better_mirrors_lower_is_better(shape: dict[str, object]) -> None:
    """Rates have the verdicts of the times they are one over, and inverse changes."""
    base, head = numbers(shape | {"values": 1})
    rate = Metric("rate", "1/s", Better.HIGHER, Kind.THROUGHPUT)

    def inverse(run: dict[int, list[float]]) -> list[Measurement]:
        return measured({row: [1 / v for v in vs] for row, vs in run.items()}, rate)

    times = judge(
        make_sides(*([measured(r, DURATION) for r in x] for x in (base, head)))
    )
    rates = judge(make_sides(*([inverse(r) for r in x] for x in (base, head))))
    found = by_name(rates)
    for name, one in by_name(times).items():
        other = found[name]
        assert (one.verdict, one.reason) == (other.verdict, other.reason)
        assert close(one.p_value, other.p_value)
        if one.change is not None and other.change is not None:
            assert close((1 + one.change) * (1 + other.change), 1.0)
        if one.interval and other.interval:
            assert close((1 + one.interval[0]) * (1 + other.interval[1]), 1.0)
    assert rates.exit_code == times.exit_code
    for one_shift, other_shift in zip(
        times.groups[0].shifts, rates.groups[0].shifts, strict=True
    ):
        assert one_shift.verdict is other_shift.verdict


@given(SHAPES, st.randoms(use_true_random=False))
@CASES
def test_the_order_of_benchmarks_and_runs_does_not_matter(
    shape: dict[str, object], rng: random.Random
) -> None:
    """Shuffled measurements and runs give the same report, number by number."""
    base, head = numbers(shape)
    sides = make_sides(*([measured(r, DURATION) for r in x] for x in (base, head)))

    def shuffled(commit):  # type: ignore[no-untyped-def]
        runs = [
            replace(
                one,
                run=replace(
                    one.run,
                    measurements=tuple(
                        rng.sample(one.run.measurements, len(one.run.measurements))
                    ),
                ),
            )
            for one in commit.runs
        ]
        rng.shuffle(runs)
        return replace(commit, runs=tuple(runs))

    assert sides.baseline is not None
    window = tuple(shuffled(commit) for commit in sides.baseline.window)
    other = replace(
        sides,
        head=shuffled(sides.head),
        baseline=replace(sides.baseline, window=window),
    )
    one, two = judge(sides), judge(other)
    assert [row.benchmark for row in one.comparisons] == [
        row.benchmark for row in two.comparisons
    ]
    for first, second in zip(one.comparisons, two.comparisons, strict=True):
        assert (first.verdict, first.reason) == (second.verdict, second.reason)
        for name in ("change", "change_adjusted", "p_value", "p_adjusted"):
            assert close(getattr(first, name), getattr(second, name))
    assert (one.verdict, one.exit_code, one.counts) == (
        two.verdict,
        two.exit_code,
        two.counts,
    )


@given(SHAPES, st.booleans())
@CASES
def test_swapped_sides_have_mirrored_verdicts(
    shape: dict[str, object], exact: bool
) -> None:
    """One run a side, and exact counts: what regressed one way improved the other."""
    base, head = numbers(shape | {"k": 1, "heads": 1, "gaps": 0.0})
    metric = replace(DURATION, kind=Kind.EXACT) if exact else DURATION
    runs = [measured(base[0], metric)], [measured(head[0], metric)]
    there, back = (
        by_name(judge(make_sides(*runs))),
        by_name(judge(make_sides(*runs[::-1]))),
    )
    for name, one in there.items():
        assert back[name].verdict is MIRROR.get(one.verdict, one.verdict)
        assert back[name].reason == one.reason


# ------------------------------------------------------------------- finite numbers

EXTREMES = [0.0, 1e-300, 5e-324, 1e300, 1.7e308, 2.0**53 + 2, 2.0**63, -1.0, -1e300]
ROW_STYLES = st.sampled_from(
    ["constant", "usual", "ties", "extreme", "mixed", "zero", "separate"]
)


def degenerate(style: str, run: int, rng: random.Random) -> list[float]:
    """Values of one run of a row of a given style."""
    match style:
        case "constant":
            return [0.1] * 3
        case "usual":
            return [0.1 * math.exp(rng.gauss(0, 0.02)) for _ in range(3)]
        case "ties":
            return [rng.choice([1.0, 2.0]) for _ in range(4)]
        case "extreme":
            return [rng.choice(EXTREMES)]
        case "mixed":
            return [rng.choice(EXTREMES) for _ in range(rng.randint(1, 4))]
        case "zero":
            return [0.0, 0.0]
        case _:
            return [1.0 + run, 1.0 + run]


def check_numbers(value: object, where: str) -> None:
    """Every number in a nested structure is finite."""
    if isinstance(value, float):
        assert math.isfinite(value), where
    elif isinstance(value, dict):
        for key, inner in value.items():
            check_numbers(inner, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for inner in value:
            check_numbers(inner, where)


@given(
    st.lists(ROW_STYLES, min_size=1, max_size=14),
    st.integers(0, 6),
    st.integers(0, 3),
    st.sampled_from(list(Better)),
    st.sampled_from([Kind.DURATION, Kind.TOKENS, Kind.EXACT, Kind.SIZE]),
    st.sampled_from([None, 1e-3, 1e305]),
    st.sampled_from(["s", "GB", "ns", "frob"]),
    st.integers(0, 10**6),
)
@settings(derandomize=True, max_examples=150, deadline=None)
def test_degenerate_input_gives_finite_numbers_and_reasons(
    styles: list[str],
    k: int,
    heads: int,
    better: Better,
    kind: Kind,
    min_change: float | None,
    unit: str,
    seed: int,
) -> None:
    """No, one or two sessions, constants, ties, zeros, negatives and numbers at the
    ends of the range: every number is finite or None, and None has a reason."""
    rng = random.Random(seed)
    metric = Metric("m", unit, better, kind)

    def run(number: int) -> list[Measurement]:
        return [
            make_measurement(f"b{place}", degenerate(style, number, rng), metric)
            for place, style in enumerate(styles)
            if rng.random() > 0.1
        ] or [make_measurement("b0", [1.0], metric)]

    sides = make_sides([run(n) for n in range(k)], [run(9) for _ in range(heads)])
    report = judge(sides, rules=(Rule(min_change=min_change, warn=0.01),))
    for one in report.comparisons:
        check_numbers(asdict(one), one.benchmark.label)
        assert one.reason is None or one.reason in REASONS
        tested = one.verdict in (V.UNCHANGED, V.NO_REGRESSION, V.REGRESSED, V.IMPROVED)
        if one.verdict is V.INCONCLUSIVE or not one.verdict.compared:
            assert one.reason is not None or one.verdict in (V.NEW, V.MISSING)
        if (
            tested
            and one.method == "moderated-t"
            and not one.weak
            and one.p_value is None
        ):
            # Undefined only where nothing ever varied.
            assert one.change == pytest.approx(0, abs=1e-12)
    check_numbers(asdict(report), "report")
    json.dumps([asdict(g)["sensitivity"] for g in report.groups], allow_nan=False)
    assert report.exit_code in (0, 1, 3)


@given(
    st.lists(
        st.lists(st.floats(-1.7e308, 1.7e308), min_size=1, max_size=4),
        min_size=2,
        max_size=7,
    )
)
@settings(derandomize=True, max_examples=150, deadline=None)
def test_any_finite_values_are_compared_without_an_error(
    runs: list[list[float]],
) -> None:
    """Whatever floats a tool writes, there is a verdict and no exception."""
    measurements = [[make_measurement("b", values)] for values in runs]
    report = judge(make_sides(measurements[1:], measurements[:1]))
    (row,) = report.comparisons
    check_numbers(asdict(row), "row")
    assert row.verdict in Verdict

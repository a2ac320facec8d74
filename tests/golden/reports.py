"""Typical reports, made by hand: every number in here was chosen, none measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from gitbench.model import (
    SEVERITY,
    Accept,
    Baseline,
    Benchmark,
    Better,
    CommitRuns,
    Comparison,
    Group,
    Kind,
    Metric,
    Outcomes,
    RecordedRun,
    Report,
    Rule,
    Settings,
    Shift,
    SideSummary,
    Testbed,
    Verdict,
)
from tests.factories import make_run

HEAD = "5d1f0c2e" + "4" * 32
BASE = "9f8e7d6a" + "3" * 32

DURATION = Metric("duration", "s", Better.LOWER, Kind.DURATION)
MEMORY = Metric("peak memory", "B", Better.LOWER, Kind.SIZE)
THROUGHPUT = Metric("throughput", "B/s", Better.HIGHER, Kind.THROUGHPUT)
TOKENS = Metric("tokens", "1", Better.LOWER, Kind.TOKENS)
INSTRUCTIONS = Metric("instructions", "1", Better.LOWER, Kind.EXACT)
SUCCESS = Metric("success", "1", Better.HIGHER, Kind.PROPORTION)
COST = Metric("cost", "USD", Better.LOWER, Kind.MONEY)
TESTBED = Testbed("ci-large", "0123456789ab", (("cpu", "Test CPU"),))

HOSTILE = {
    "pipe": "parse|utf8|large",
    "backslash-pipe": "a\\|b\\",
    "backticks": "``sort`` `x` `",
    "newline": "two\nlines\r\n| a | b | c |\n\n# heading",
    "script": "<script>alert(1)</script>",
    "attribute": "\" onmouseover='alert(1)' x=\"",
    "comment": "<!-- --> <![CDATA[ ]]> ]]>",
    "entity": "&lt;b&gt; &#60;i&#62; &amp;",
    "escape": "\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07 \x9b2J",
    "bidi": "abc\u202egnp.exe\u2066 \u200fx\u200b\u200dy\ufeff",
    "command": "::error::broken",
    "command-late": "ok ::set-output name=x::y",
    "command-old": "##[error]broken ##vso[task.complete]",
    "template": "{{7*7}} {% raw %} ${7*7} #{7*7}",
    "long": "x" * 10_000,
    "nul": "a\x00b",
    "mark": "\u0301lone" + "\u0301" * 500,
    "link": "[click](javascript:alert(1)) <javascript:alert(1)> http://evil.example",
    "mention": "@everyone #1 GH-1 owner/repo#2 :tada: $x$ ~~no~~ **b** _i_",
    "slash": "/merge",
    "wide": "並べ替え 🚀 e\u0301 é",
    "blank": " \t ",
    "list": "1. - + > # ---",
}
"""Names that try to be something other than text, by what they try."""


def runs(commit: str, count: int = 1, distance: int = 0) -> CommitRuns:
    """`count` runs of one commit."""
    recorded = tuple(
        RecordedRun(f"{place + 1:016x}", make_run(commit=commit))
        for place in range(count)
    )
    return CommitRuns(commit, recorded, distance)


def side(center: float, sessions: int = 1, values: int = 30) -> SideSummary:
    """One side of a row, its values within 2 % of the center."""
    return SideSummary(center, sessions, values, center * 0.98, center * 1.02)


def row(
    name: str,
    verdict: Verdict = Verdict.UNCHANGED,
    change: float | None = 0.002,
    center: float = 0.0412,
    *,
    metric: Metric = DURATION,
    shift: float = 0.0,
    params: Sequence[tuple[str, str]] = (),
    sessions: int = 5,
    **fields: object,
) -> Comparison:
    """A row that has numbers unless `change` is None, as the default test makes it."""
    values: dict[str, object] = {
        "group": 0,
        "benchmark": Benchmark(name, tuple(params)),
        "metric": metric,
        "verdict": verdict,
    }
    if change is not None:
        adjusted = (1 + change) / (1 + shift) - 1
        lower = metric.better is Better.LOWER
        values |= {
            "change": change,
            "change_adjusted": adjusted,
            "interval": (adjusted - 0.021, adjusted + 0.022),
            "p_value": 0.4,
            "p_adjusted": 0.8,
            "threshold": 0.05,
            "limit": 0.05 if lower else 1 / 1.05 - 1,
            "base": side(center, sessions, 30 * sessions),
            "head": side(center * (1 + change)),
            "method": "moderated-t",
        }
    return Comparison(**(values | fields))  # type: ignore[arg-type]


def counted(
    name: str,
    base: tuple[int, int],
    head: tuple[int, int],
    verdict: Verdict = Verdict.INCONCLUSIVE,
    **fields: object,
) -> Comparison:
    """A row of passes and trials on both sides."""
    rates = base[0] / base[1], head[0] / head[1]
    difference = rates[1] - rates[0]
    values: dict[str, object] = {
        "difference": difference,
        "interval": (difference - 0.11, difference + 0.12),
        "p_value": 0.3,
        "p_adjusted": 0.6,
        "threshold": 0.05,
        "limit": -0.05,
        "base": SideSummary(rates[0], 5, base[1], passes=base[0], trials=base[1]),
        "head": SideSummary(rates[1], 1, head[1], passes=head[0], trials=head[1]),
        "method": "proportion",
    }
    return row(name, verdict, None, metric=SUCCESS, **(values | fields))


def weak(name: str, verdict: Verdict, change: float, center: float) -> Comparison:
    """A row with one session a side."""
    return row(
        name,
        verdict,
        change,
        center,
        sessions=1,
        weak=True,
        reason=None if verdict is Verdict.REGRESSED else "one-session",
        interval=None,
        p_value=None,
        p_adjusted=None,
        method="gross" if verdict is Verdict.REGRESSED else "moderated-t",
    )


def baseline(sessions: int = 5, **fields: object) -> Baseline:
    """The merge base, with a window of `sessions` commits of one run each."""
    values: dict[str, object] = {
        "commit": BASE,
        "rule": "merge-base",
        "distance": 0,
        "age_s": 2 * 86_400 + 5,
        "window": (
            runs(BASE),
            *(runs(f"{i:040x}", distance=i) for i in range(1, sessions)),
        ),
    }
    return Baseline(**(values | fields))  # type: ignore[arg-type]


def group(verdict: Verdict, **fields: object) -> Group:
    """Suite `unit` on `ci-large`, compared with a window of five sessions."""
    values: dict[str, object] = {
        "id": 0,
        "suite": "unit",
        "testbed": TESTBED,
        "verdict": verdict,
        "head": runs(HEAD),
        "baseline": baseline(),
        "shifts": (
            Shift("duration", 40, 0.003, (-0.01, 0.016), 0.6, 0.9, Verdict.UNCHANGED),
        ),
        "sensitivity": (0.037, 0.061),
    }
    return Group(**(values | fields))  # type: ignore[arg-type]


def report(
    rows: Sequence[Comparison], groups: Sequence[Group], **fields: object
) -> Report:
    """A report with counts and the order of rows as `compare` makes them."""
    counts = dict.fromkeys(Verdict, 0)
    del counts[Verdict.NOT_COMPARED]
    for one in rows:
        counts[one.verdict] += 1
    verdicts = [one.verdict for one in groups] or [Verdict.NOT_COMPARED]
    verdict = min(verdicts, key=SEVERITY.__getitem__)
    values: dict[str, object] = {
        "verdict": verdict,
        "exit_code": 1 if verdict in (Verdict.REGRESSED, Verdict.FAILED) else 0,
        "head": HEAD,
        "base": "origin/main",
        "settings": Settings(),
        "groups": tuple(groups),
        "comparisons": tuple(sorted(rows, key=lambda one: SEVERITY[one.verdict])),
        "counts": tuple(counts.items()),
    }
    return Report(**(values | fields))  # type: ignore[arg-type]


# ------------------------------------------------------------------- typical ones

_STEMS = ("parse", "encode", "sort", "lookup", "render", "diff", "merge", "hash")


def quiet(count: int) -> list[Comparison]:
    """Unchanged rows with different names, sizes and changes."""
    return [
        row(
            f"{_STEMS[i % 8]}/{('small', 'medium', 'large')[i // 8 % 3]}",
            change=((i * 7) % 19 - 9) / 1000,
            center=0.0007 * 1.37 ** (i % 17),
            params=(("n", str(10 ** (i // 24 + 2))),),
        )
        for i in range(count)
    ]


def fine() -> Report:
    """Forty rows, all decided."""
    rows = [
        *quiet(37),
        row("startup", Verdict.IMPROVED, -0.184, 0.213, p_adjusted=0.0004),
        row("json/dump", Verdict.NO_REGRESSION, -0.041, 0.0031),
        row("json/load", Verdict.NO_REGRESSION, -0.037, 0.0029),
    ]
    return report(rows, [group(Verdict.NO_REGRESSION)])


def regressed() -> Report:
    """One row is slower, two are undecided, one is new."""
    rows = [
        *quiet(36),
        row("parse/huge", Verdict.REGRESSED, 0.163, 0.0412, p_adjusted=0.0002),
        row(
            "network/roundtrip",
            Verdict.INCONCLUSIVE,
            0.071,
            0.00183,
            interval=(-0.06, 0.22),
            reason="noise",
            sessions_needed=6,
        ),
        row(
            "network/connect",
            Verdict.INCONCLUSIVE,
            0.034,
            0.00094,
            interval=(-0.02, 0.09),
            reason="noise",
            sessions_needed=2,
        ),
        row("parse/streaming", Verdict.NEW, None, head=side(0.0101)),
        row("startup", Verdict.IMPROVED, -0.184, 0.213, p_adjusted=0.0004),
    ]
    return report(
        rows, [group(Verdict.REGRESSED, baseline=baseline(distance=3, age_s=432_000))]
    )


def newcomer() -> Report:
    """One run a side, five benchmarks, one of them three times slower."""
    rows = [
        weak("sort", Verdict.REGRESSED, 2.01, 0.00998),
        weak("parse", Verdict.INCONCLUSIVE, 0.084, 0.0021),
        weak("render", Verdict.INCONCLUSIVE, -0.012, 0.118),
        weak("search", Verdict.INCONCLUSIVE, 0.004, 0.000341),
        weak("hash", Verdict.INCONCLUSIVE, 0.001, 0.0000127),
    ]
    one = group(
        Verdict.REGRESSED,
        baseline=baseline(1, age_s=11_000),
        shifts=(),
        sensitivity=None,
    )
    return report(rows, [one])


def undecided() -> Report:
    """One run a side and nothing gross: no regression found, nothing decided."""
    rows = [
        weak("sort", Verdict.INCONCLUSIVE, 0.301, 0.00998),
        weak("parse", Verdict.INCONCLUSIVE, 0.084, 0.0021),
    ]
    one = group(
        Verdict.INCONCLUSIVE,
        baseline=baseline(1, age_s=11_000),
        shifts=(),
        sensitivity=None,
    )
    return report(rows, [one])


def nothing() -> Report:
    """Head has results, but no commit of the baseline has any."""
    rows = [
        row(name, Verdict.NEW, None, head=side(0.01), reason="no-baseline")
        for name in ("sort", "parse", "render")
    ]
    one = group(
        Verdict.NOT_COMPARED,
        baseline=None,
        shifts=(),
        sensitivity=None,
        reason="None of the 50 commits from the merge base of head and origin/main "
        "has runs of suite unit on ci-large.",
    )
    return report(
        rows,
        [one],
        exit_code=3,
        reason="No commit of origin/main has results that head could be compared "
        "with. Run the benchmarks on origin/main, `gitbench record` the results "
        "there, and compare again; if they were recorded elsewhere, `gitbench fetch` "
        "brings them.",
    )


def shifted() -> Report:
    """A build that slows everything by 8 %, and one row that got slower still."""
    rows = [
        row(
            f"{stem}/{size}",
            Verdict.INCONCLUSIVE,
            0.081 + i / 1000,
            0.0007 * 1.9**i,
            shift=0.08,
            reason="moved-with-suite",
        )
        for i, (stem, size) in enumerate(
            (stem, size) for stem in _STEMS for size in ("small", "large")
        )
    ]
    rows.append(
        row(
            "parse/huge", Verdict.REGRESSED, 0.252, 0.412, shift=0.08, p_adjusted=0.0031
        )
    )
    shift = Shift(
        "duration", 17, 0.08, (0.061, 0.099), 0.00002, 0.0004, Verdict.REGRESSED
    )
    return report(rows, [group(Verdict.REGRESSED, shifts=(shift,))])


def hostile(names: Mapping[str, str] = HOSTILE) -> Report:
    """Every text of `names` in every place that a file or a branch can fill."""
    texts = list(names.values())
    rows = [
        row(
            text[:1024],
            Verdict.REGRESSED,
            0.2,
            0.01 * place,
            metric=Metric("duration", text[:64], Better.LOWER, Kind.DURATION),
        )
        for place, text in enumerate(texts, 1)
    ]
    rows += [
        row(
            text[:1024],
            Verdict.FAILED,
            None,
            metric=Metric(text[:1024], "s", Better.LOWER, Kind.DURATION),
            params=tuple((text[:1000] + str(i), text[:1024]) for i in range(10)),
            reason="failed-in-head",
            note=text[:4096],
            warnings=(text,),
        )
        for text in texts
    ]
    rows += [
        row(text[:1000] + "'", Verdict.INCONCLUSIVE, None, note=text) for text in texts
    ]
    groups = [
        group(
            Verdict.REGRESSED,
            id=place,
            suite=text,
            testbed=Testbed(text, text),
            baseline=baseline(rule="named", stand_in=text),
            shifts=(
                Shift(text, 40, 0.1, None, None, None, Verdict.REGRESSED, reason=text),
            ),
            outcomes=(
                Outcomes(
                    text[:1024],
                    20,
                    0.9,
                    0.4,
                    (-0.7, -0.2),
                    0.001,
                    0.002,
                    Verdict.REGRESSED,
                    tuple(Benchmark(one[:1024]) for one in texts),
                    (Benchmark(text[:1024]),),
                    (Benchmark(text[:1024]),),
                    reason=text,
                ),
            ),
            warnings=(text,),
            reason=text,
        )
        for place, text in enumerate(texts)
    ]
    # A suite that is shown by benchmark, with hostile metrics for columns.
    columns = [
        Metric(text[:1024], text[:64], Better.LOWER, Kind.TOKENS) for text in texts[:5]
    ]
    for text in texts:
        rows.append(
            counted(text[:1024], (45, 50), (3, 10), Verdict.REGRESSED, group=len(texts))
        )
        rows += [
            row(text[:1024], Verdict.REGRESSED, 0.2, 10.0, metric=one, note=text)
            for one in columns
        ]
    rows = [
        replace(one, group=len(texts)) if one.metric in columns else one for one in rows
    ]
    groups.append(group(Verdict.REGRESSED, id=len(texts), suite=texts[0]))
    return report(
        rows,
        groups,
        head=texts[0],
        base=texts[-1],
        warnings=tuple(texts),
        reason=" ".join(texts)[:2000],
    )


def harmless(count: int) -> dict[str, str]:
    """As many names that are nothing but text, to compare a report's shape with."""
    return {str(place): f"name{place}" for place in range(count)}


def higher() -> Report:
    """Metrics of both directions, two testbeds, and limits of their own."""
    other = Testbed("mac-mini", "ba9876543210")
    rows = [
        row(
            "copy", Verdict.REGRESSED, -0.112, 3.1e9, metric=THROUGHPUT, p_adjusted=1e-6
        ),
        row("copy", Verdict.UNCHANGED, 0.003, 0.31),
        row("compress", Verdict.UNCHANGED, 0.011, 4.1e8, metric=THROUGHPUT),
        row(
            "compress",
            Verdict.REGRESSED,
            0.094,
            2**21,
            metric=MEMORY,
            limit=0.02,
            threshold=0.02,
            p_adjusted=0.004,
        ),
        row("copy", Verdict.IMPROVED, 0.31, 2.2e9, metric=THROUGHPUT, group=1),
        row("compress", Verdict.UNCHANGED, -0.004, 3.9e8, metric=THROUGHPUT, group=1),
    ]
    groups = [
        group(Verdict.REGRESSED, shifts=(), sensitivity=(0.04, 0.11)),
        group(
            Verdict.NO_REGRESSION,
            id=1,
            testbed=other,
            shifts=(),
            sensitivity=(0.02, 0.03),
            baseline=baseline(rule="first-parent", distance=1, age_s=7300),
        ),
    ]
    return report(rows, groups, base="main")


def special() -> Report:
    """Budgets, an accepted change, failures, missing and incomparable rows."""
    rows = [
        *quiet(12),
        row(
            "agent/fix-bug",
            Verdict.REGRESSED,
            0.02,
            51_200,
            metric=TOKENS,
            reason="over-max",
            note="52,224 is over the budget of 50,000",
            interval=None,
            p_value=None,
            p_adjusted=None,
            method="budget",
        ),
        row(
            "parse/utf8",
            Verdict.ACCEPTED,
            0.121,
            0.0081,
            note="validates surrogates now",
            p_adjusted=0.0001,
        ),
        *(
            row(
                f"cache/get/{i}",
                Verdict.ACCEPTED,
                0.061 + i / 1000,
                0.0021,
                note="keys are hashed twice until the shards move",
                threshold=0.026,
                threshold_auto=True,
                limit=0.026,
                p_adjusted=0.002,
            )
            for i in range(7)
        ),
        row(
            "parse/latin1",
            Verdict.FAILED,
            None,
            base=side(0.008, 5, 150),
            reason="failed-in-head",
            note="segmentation fault in decode() at 0x7f",
        ),
        row(
            "parse/required",
            Verdict.FAILED,
            None,
            reason="required-missing",
            base=side(0.008, 5, 150),
        ),
        row("legacy/a", Verdict.MISSING, None, base=side(0.003, 5, 150)),
        row("legacy/b", Verdict.MISSING, None, base=side(0.004, 5, 150)),
        row(
            "sort/random",
            Verdict.INCOMPARABLE,
            None,
            base=side(0.02, 5, 150),
            head=side(0.04),
            reason="version-differs",
        ),
        row(
            "vm/boot",
            Verdict.REGRESSED,
            0.0003,
            123_456_789,
            metric=INSTRUCTIONS,
            interval=None,
            p_value=None,
            p_adjusted=None,
            threshold=0.0,
            limit=0.0,
            method="exact",
        ),
        row(
            "experimental/jit",
            Verdict.REGRESSED,
            0.4,
            0.7,
            gated=False,
            p_adjusted=None,
        ),
        row(
            "cache/evict",
            Verdict.NO_REGRESSION,
            0.031,
            0.00051,
            amber=True,
            p_adjusted=0.011,
        ),
        row(
            "gc/pause",
            Verdict.UNCHANGED,
            None,
            reason="not-positive",
            base=side(0.0, 5, 150),
            head=side(0.00002),
            method="linear",
        ),
        *(
            row(f"simd/{i}", Verdict.NEW, None, head=side(0.001 * (i + 1)))
            for i in range(9)
        ),
    ]
    settings = Settings(
        rules=(
            Rule(benchmark="experimental/*", gate=False),
            Rule(metric="tokens", max=50_000.0, threshold=0.05),
            Rule(benchmark="cache/*", warn=0.02),
        ),
        required=("parse/*",),
        accepts=(
            Accept("parse/utf8", "duration", 0.15, "validates surrogates now"),
            Accept(
                "cache/*",
                "duration",
                0.08,
                "keys are hashed twice until the shards move",
                "2026-12-31",
            ),
        ),
    )
    return report(
        rows,
        [group(Verdict.REGRESSED, warnings=("Head has a run of a dirty work tree.",))],
        settings=settings,
        warnings=("2 damaged records of 9f8e7d6a take no part: see `gitbench show`.",),
    )


def agents() -> Report:
    """An agent's evaluation: one task broke, all became dearer, two were flaky."""
    together = {"reason": "judged-together", "gated": False, "p_adjusted": None}
    noisy = {"reason": "noise", "sessions_needed": 4, "trials_needed": 387}
    rows: list[Comparison] = []
    for place, name in enumerate(
        ("fix-import", "rename-class", "add-flag", "migrate-database", "write-docs")
    ):
        size = 18_000.0 + 4_000 * place
        quiet_rows = {"interval": (-0.041, 0.034)}
        rows += [
            row(name, Verdict.UNCHANGED, -0.004, 38.0 + place, **quiet_rows),
            row(
                name,
                Verdict.REGRESSED if place < 2 else Verdict.INCONCLUSIVE,
                0.152 + place / 100,
                size,
                metric=TOKENS,
                p_adjusted=0.002 if place < 2 else 0.08,
                interval=(0.09, 0.22) if place < 2 else (-0.01, 0.33),
                reason=None if place < 2 else "noise",
            ),
            row(
                name,
                Verdict.INCONCLUSIVE,
                0.149,
                size * 3.2e-6,
                metric=COST,
                interval=(-0.01, 0.32),
                reason="noise",
            ),
        ]
    rows += [
        counted("fix-import", (45, 50), (3, 10), Verdict.REGRESSED, p_adjusted=0.0004),
        counted("rename-class", (47, 50), (9, 10), **noisy),
        counted("add-flag", (50, 50), (10, 10), Verdict.NO_REGRESSION),
        counted("migrate-database", (1, 1), (0, 1), interval=None, **together),
        counted("write-docs", (1, 1), (1, 1), interval=None, **together),
    ]
    outcomes = Outcomes(
        metric="success",
        tasks=5,
        base_rate=0.968,
        head_rate=0.64,
        interval=(-0.72, 0.07),
        p_value=0.09,
        p_adjusted=0.12,
        verdict=Verdict.INCONCLUSIVE,
        flipped_worse=(Benchmark("migrate-database"),),
        flaky=(Benchmark("fix-import"), Benchmark("rename-class")),
        method="task-t",
        reason="noise",
        threshold=0.05,
    )
    one = group(
        Verdict.REGRESSED,
        suite="agent",
        shifts=(),
        outcomes=(outcomes,),
        testbed=Testbed("provider-x/model-4", "0123456789ab"),
    )
    return report(rows, [one])


def ungated() -> Report:
    """A red row that the gate is told not to fail on."""
    rows = [row("sort", Verdict.REGRESSED, 0.2, 0.01, p_adjusted=0.001), *quiet(3)]
    return report(
        rows,
        [group(Verdict.REGRESSED)],
        exit_code=0,
        settings=replace(Settings(), fail_on=()),
    )


TYPICAL: dict[str, Callable[[], Report]] = {
    "fine": fine,
    "regressed": regressed,
    "newcomer": newcomer,
    "undecided": undecided,
    "nothing": nothing,
    "shifted": shifted,
    "higher": higher,
    "special": special,
    "ungated": ungated,
    "agents": agents,
}

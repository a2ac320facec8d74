"""Replays a sequence through `compare`, as it is and with known changes, and counts.

A window of k earlier runs, each a session of its own, is compared with the run after
it.  Nothing changed in the sequence, so what is red as it is, is a false alarm, and
what was made slower and is not red was missed.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from benchmarks.calibration import rules
from benchmarks.calibration.data import RunSequence, RunValues
from gitbench.compare import compare
from gitbench.model import (
    Baseline,
    Benchmark,
    Better,
    CommitRuns,
    Comparison,
    GroupSides,
    Kind,
    Measurement,
    Metric,
    RecordedRun,
    Report,
    Run,
    Settings,
    Testbed,
    Tool,
    Verdict,
)

SESSIONS = (1, 2, 3, 5, 10)
"""Sizes of the window."""
FACTORS = (1.05, 1.1, 1.2, 1.5, 3.0)
"""How much slower rows are made; nothing but the gross is found at one session."""
WEAK_FACTORS = (1.1, 3.0)
RULE_FACTORS = (1.1, 3.0)
EXTENTS = ("one", "tenth", "most", "all")
"""One row, a tenth, 60 % and all of the rows in common."""
SINGLE_DRAWS = 2
CUT_SIZES = (1, 2, 3, 5)
CUT_DRAWS = 3
CUT_FACTORS = (1.1, 1.2)
STEP = 1.2
STEP_BACK: Mapping[int, tuple[int, ...]] = {3: (1,), 5: (1, 2, 3), 10: (1, 3, 5)}
"""How many sessions ago a step begins that the head has too, by sessions."""
SPIKE = 1.3
LONG = 15
"""Of sequences longer than this, every third run is a head."""

TESTBED = Testbed("calibration", "0" * 12, ())
DURATION = Metric("duration", "s", Better.LOWER, Kind.DURATION)
RATE = Metric("throughput", "1/s", Better.HIGHER, Kind.THROUGHPUT)
DAY_MS = 86_400_000
DECIDED = (Verdict.UNCHANGED, Verdict.NO_REGRESSION)


class Cell(NamedTuple):
    """What is counted."""

    sessions: int
    scene: str
    """`whole`: as it is, `one`, `tenth`, `most`, `all`: those rows slower, `3 rows`:
    suites cut to 3 rows, `step 2`: slower since 2 sessions, `spike`, `again`."""
    measure: str
    factor: float = 1.0
    rule: str = "gitbench"


class Tally:
    """Hits and trials by cell."""

    def __init__(self) -> None:
        self.counts: dict[Cell, list[int]] = defaultdict(lambda: [0, 0])

    def add(self, cell: Cell, hits: int | bool, trials: int = 1) -> None:
        """Count; nothing if there was no trial."""
        if trials:
            entry = self.counts[cell]
            entry[0] += hits
            entry[1] += trials


@dataclass(frozen=True)
class Window:
    """Which runs of a sequence are compared."""

    places: tuple[int, ...]
    """Of the window, newest first."""
    head: int


# ------------------------------------------------------------------ runs and reports


def record(run: RunValues, place: int, *, higher: bool) -> RecordedRun:
    """A run as it is stored, at a commit and on a day of its own."""
    commit = f"{place:040x}"
    metric = RATE if higher else DURATION
    measurements = tuple(
        Measurement(Benchmark(name), metric, tuple(map(tuple, sample)))
        for name, sample in run.items()
    )
    return RecordedRun(
        commit[-16:],
        Run(
            suite="same",
            started_at=1_700_000_000_000 + place * DAY_MS,
            time_source="tool",
            tool=Tool("tool"),
            testbed=TESTBED,
            commit=commit,
            tree=commit,
            dirty=False,
            origin=commit + "0" * 24,
            measurements=measurements,
        ),
    )


def slow(run: RecordedRun, names: Collection[str], factor: float) -> RecordedRun:
    """A run some rows of which are slower by a factor (1.1: a time of 10 % more)."""
    chosen = set(names)
    return _with(
        run,
        tuple(
            _slower(one, factor) if one.benchmark.name in chosen else one
            for one in run.run.measurements
        ),
    )


def keep(run: RecordedRun, names: Collection[str]) -> RecordedRun:
    """A run with some of its rows."""
    chosen = set(names)
    return _with(
        run, tuple(m for m in run.run.measurements if m.benchmark.name in chosen)
    )


def _with(run: RecordedRun, measurements: tuple[Measurement, ...]) -> RecordedRun:
    return replace(run, run=replace(run.run, measurements=measurements))


def _slower(one: Measurement, factor: float) -> Measurement:
    if one.metric.better is Better.HIGHER:
        factor = 1 / factor
    return replace(
        one, processes=tuple(tuple(factor * v for v in p) for p in one.processes)
    )


def judge(
    window: Sequence[RecordedRun],
    *heads: RecordedRun,
    settings: Settings = Settings(),  # noqa: B008 - frozen
) -> Report:
    """Compare one or more runs with those before them, newest first, as users do."""
    commits = tuple(CommitRuns(one.run.commit, (one,)) for one in window)
    baseline = Baseline(commits[0].commit, "merge-base", 0, 0, commits)
    sides = GroupSides("same", TESTBED, CommitRuns("f" * 40, heads), baseline)
    return compare([sides], settings, head="head", base="base")


def verdicts(report: Report) -> dict[str, Verdict]:
    """The verdicts of all rows that were compared, by benchmark."""
    return {
        one.benchmark.name: one.verdict for one in report.comparisons if _compared(one)
    }


def _compared(one: Comparison) -> bool:
    return one.verdict.compared and one.base is not None and one.head is not None


def red_shift(report: Report) -> bool:
    """Whether a whole suite is called regressed."""
    shifts = [shift for group in report.groups for shift in group.shifts]
    return any(shift.verdict is Verdict.REGRESSED for shift in shifts)


# ----------------------------------------------------------------------- the windows


def windows(length: int, sessions: int) -> Iterator[Window]:
    """All windows of a sequence: sliding; of one session, every earlier run in turn."""
    for head in range(sessions, length, 3 if length > LONG else 1):
        if sessions > 1:
            yield Window(tuple(range(head - 1, head - 1 - sessions, -1)), head)
        else:
            yield from (Window((at,), head) for at in range(head - 1, -1, -1))


class Replay:
    """One sequence, its runs recorded once."""

    def __init__(
        self,
        name: str,
        sequence: RunSequence,
        *,
        higher: bool = False,
        settings: Settings | None = None,
    ) -> None:
        self.name, self.sequence, self.higher = name, sequence, higher
        self.runs = [
            record(run, place, higher=higher) for place, run in enumerate(sequence)
        ]
        self.settings = Settings() if settings is None else settings

    def window(self, window: Window) -> list[RecordedRun]:
        """The runs of the window, newest first."""
        return [self.runs[at] for at in window.places]

    def common(self, window: Window) -> list[str]:
        """Rows that head and all runs of the window have."""
        names = set(self.sequence[window.head])
        for at in window.places:
            names &= self.sequence[at].keys()
        return sorted(names)

    def judge(self, base: Sequence[RecordedRun], *heads: RecordedRun) -> Report:
        """Compare with the settings of this replay."""
        return judge(base, *heads, settings=self.settings)

    def count(self, sessions: int, *, most: int | None = None) -> Tally:
        """Play all scenes on all windows of a size, or on the last `most`."""
        tally = Tally()
        found = list(windows(len(self.sequence), sessions))
        for one in found if most is None else found[-most:]:
            names = self.common(one)
            if not names:
                continue
            self.whole(one, tally)
            self.slower(one, tally)
            self.others(one, tally)
            self.ranks(one, tally)
            if sessions > 1:
                self.cut(one, tally)
                self.again(one, tally)
            self.steps(one, tally)
        return tally

    def _draws(self, window: Window, purpose: str) -> random.Random:
        return random.Random(f"{self.name} {window.places} {window.head} {purpose}")

    # ------------------------------------------------------------------- the scenes

    def whole(self, window: Window, tally: Tally) -> None:
        """Nothing changed."""
        report = self.judge(self.window(window), self.runs[window.head])
        given, k = verdicts(report), len(window.places)
        rows = Counts(given, given)
        shift = red_shift(report)
        tally.add(Cell(k, "whole", "comparison"), bool(rows.red) or shift)
        tally.add(Cell(k, "whole", "shift"), shift)
        tally.add(Cell(k, "whole", "row"), rows.red, rows.trials)
        tally.add(Cell(k, "whole", "improved"), rows.improved, rows.trials)
        tally.add(Cell(k, "whole", "decided"), rows.decided, rows.trials)

    def extents(self, window: Window) -> Iterator[tuple[str, list[str]]]:
        """Which rows are made slower, by extent; always the same."""
        names, rng = self.common(window), self._draws(window, "extent")
        for name in rng.sample(names, min(SINGLE_DRAWS, len(names))):
            yield "one", [name]
        yield "tenth", rng.sample(names, max(1, len(names) // 10))
        yield "most", rng.sample(names, max(1, round(0.6 * len(names))))
        yield "all", names

    def slower(
        self,
        window: Window,
        tally: Tally,
        factors: Sequence[float] | None = None,
        extents: Collection[str] = EXTENTS,
    ) -> None:
        """Some rows of head are slower."""
        base, head, k = self.window(window), self.runs[window.head], len(window.places)
        for factor in factors or (WEAK_FACTORS if k == 1 else FACTORS):
            loud = slow(head, self.common(window), factor)
            for extent, names in self.extents(window):
                if extent not in extents:
                    continue
                report = self.judge(base, _mixed(head, loud, names))
                _count_slower(tally, report, k, extent, factor, names)

    def others(self, window: Window, tally: Tally) -> None:
        """The rules of other tools on the same values and with the same injections.

        They look at each row by itself, so one verdict a row and factor is enough.
        """
        names, k = self.common(window), len(window.places)
        base = [self._oriented(at, names) for at in window.places]
        head = self._oriented(window.head, names)
        moved = [
            set(some) for extent, some in self.extents(window) if extent == "tenth"
        ]
        for rule in rules.RULES:
            red = rule.judge(base, head) if k >= rule.sessions else None
            if red is None:
                continue
            tally.add(Cell(k, "whole", "comparison", rule=rule.name), bool(red.any()))
            tally.add(Cell(k, "whole", "row", rule=rule.name), int(red.sum()), red.size)
            for factor in RULE_FACTORS:
                found = rule.judge(base, [factor * values for values in head])
                if found is None:
                    continue
                for some in moved:
                    hits = [bool(found[i]) for i, n in enumerate(names) if n in some]
                    cell = Cell(k, "tenth", "found", factor, rule.name)
                    tally.add(cell, sum(hits), len(hits))

    def ranks(self, window: Window, tally: Tally) -> None:
        """Which rows of two runs in a row a rank test on values calls different."""
        if window.places != (window.head - 1,):
            return
        names = self.common(window)
        base, head = (self._oriented(at, names) for at in (*window.places, window.head))
        p = rules.rank_p_values(base, head)
        if p is not None:
            cell = Cell(1, "whole", "different", rule=rules.RULES[0].name)
            tally.add(cell, int((p < 0.05).sum()), p.size)

    def _oriented(self, place: int, names: Sequence[str]) -> rules.Rows:
        """The values of some rows of a run, turned so that larger is worse."""
        return rules.flatten([self.sequence[place][n] for n in names], self.higher)

    def cut(
        self,
        window: Window,
        tally: Tally,
        sizes: Sequence[int] = CUT_SIZES,
        factors: Sequence[float] = CUT_FACTORS,
    ) -> None:
        """The suite has only a few rows."""
        names, rng, k = (
            self.common(window),
            self._draws(window, "cut"),
            len(window.places),
        )
        for size in sizes:
            scene = f"{size} rows"
            for _ in range(CUT_DRAWS if size < len(names) else 0):
                some = rng.sample(names, size)
                base = [keep(run, some) for run in self.window(window)]
                head = keep(self.runs[window.head], some)
                report = self.judge(base, head)
                given = verdicts(report)
                rows = Counts(given, given)
                tally.add(
                    Cell(k, scene, "comparison"), bool(rows.red) or red_shift(report)
                )
                tally.add(Cell(k, scene, "row"), rows.red, rows.trials)
                tally.add(Cell(k, scene, "decided"), rows.decided, rows.trials)
                for factor in factors:
                    moved = some[:1]
                    report = self.judge(base, slow(head, moved, factor))
                    _count_slower(tally, report, k, scene, factor, moved)

    def steps(self, window: Window, tally: Tally) -> None:
        """A tenth of the rows became slower inside the window, and head has it too."""
        k = len(window.places)
        if k not in STEP_BACK:
            return
        [names] = [some for extent, some in self.extents(window) if extent == "tenth"]
        base, head = self.window(window), self.runs[window.head]
        for back in STEP_BACK[k]:
            stepped = [slow(run, names, STEP) for run in base[:back]] + base[back:]
            for factor, measure in ((1.0, "row"), (1.1, "found")):
                report = self.judge(stepped, slow(head, names, STEP * factor))
                given = verdicts(report)
                red = Counts(given, names).red
                tally.add(Cell(k, f"step {back}", measure, factor), red, len(names))

    def again(self, window: Window, tally: Tally) -> None:
        """Head is measured a second time: a spike goes away, a change stays."""
        nxt, k = window.head + 1, len(window.places)
        if nxt >= len(self.runs):
            return
        names = sorted(set(self.common(window)) & self.sequence[nxt].keys())
        rng = self._draws(window, "again")
        base, head, later = self.window(window), self.runs[window.head], self.runs[nxt]
        for name in rng.sample(names, min(SINGLE_DRAWS, len(names))):
            spike, changed = slow(head, [name], SPIKE), slow(head, [name], 1.1)
            for scene, measure, heads in (
                ("spike", "once", (spike,)),
                ("spike", "then not", (spike, later)),
                ("again", "once", (changed,)),
                ("again", "twice", (changed, slow(later, [name], 1.1))),
            ):
                given = verdicts(self.judge(base, *heads))
                factor = SPIKE if scene == "spike" else 1.1
                red = given.get(name) is Verdict.REGRESSED
                tally.add(Cell(k, scene, measure, factor), red)


@dataclass(frozen=True)
class Counts:
    """Verdicts of some rows, counted."""

    given: Mapping[str, Verdict]
    names: Collection[str]

    def of(self, *wanted: Verdict) -> int:
        """How many of the rows have one of some verdicts."""
        return sum(self.given.get(name) in wanted for name in self.names)

    @property
    def trials(self) -> int:
        return len(self.names)

    @property
    def red(self) -> int:
        return self.of(Verdict.REGRESSED)

    @property
    def improved(self) -> int:
        return self.of(Verdict.IMPROVED)

    @property
    def decided(self) -> int:
        return self.of(*DECIDED)


def _mixed(head: RecordedRun, loud: RecordedRun, names: Collection[str]) -> RecordedRun:
    """Head, some rows of which are those of its slower twin."""
    chosen = set(names)
    pairs = zip(head.run.measurements, loud.run.measurements, strict=True)
    return _with(
        head,
        tuple(
            slower if given.benchmark.name in chosen else given
            for given, slower in pairs
        ),
    )


def _count_slower(
    tally: Tally,
    report: Report,
    k: int,
    scene: str,
    factor: float,
    moved: Collection[str],
) -> None:
    """What a report says of rows that were made slower, and of the others."""
    given = verdicts(report)
    rows = Counts(given, moved)
    others = Counts(given, given.keys() - set(moved))
    shift = red_shift(report)

    def add(measure: str, hits: int | bool, trials: int = 1) -> None:
        tally.add(Cell(k, scene, measure, factor), hits, trials)

    add("found", rows.red, rows.trials)
    add("unchanged", rows.of(Verdict.UNCHANGED), rows.trials)
    add("no-regression", rows.of(Verdict.NO_REGRESSION), rows.trials)
    add("improved", rows.improved, rows.trials)
    add("other red", others.red, others.trials)
    add("other improved", others.improved, others.trials)
    add("suite", shift)
    add("noticed", shift or bool(rows.red))


def count_sequence(
    source: str,
    number: int,
    sequence: RunSequence,
    sessions: int,
    *,
    higher: bool,
    most: int | None = None,
) -> dict[Cell, tuple[int, int]]:
    """Hits and trials of one sequence and window size, fit to be sent between
    processes."""
    replay = Replay(f"{source} {number}", sequence, higher=higher)
    tally = replay.count(sessions, most=most)
    return {cell: (hits, trials) for cell, (hits, trials) in tally.counts.items()}

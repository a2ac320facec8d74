"""The nouns of gitbench as frozen values.

Owns the words: a *value* is one number, a *process* yields a group of values,
a *run* is one execution of a *suite* on one *testbed* at one commit.  *Head*
is the commit in question, *baseline* the commit it is compared with.

Knows neither git, nor files, nor statistics.  Invariants are checked where a
value is made; code that receives one may trust it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

from gitbench.errors import GitbenchError

MAX_NAME = 1024
"""Longest name (benchmark, parameter, metric, suite, tag ...) in characters."""

MAX_MESSAGE = 4096
"""Longest free text (the message of a failed benchmark) in characters."""

MIN_TIME = -62_135_596_800_000
MAX_TIME = 253_402_300_799_999
"""Bounds of a time, ms since the epoch: the years 1 to 9999, which every library
can write as text."""


class ModelError(GitbenchError):
    """A value breaks an invariant of the model (NaN, empty name, no values ...)."""


class Better(Enum):
    """Which way of a metric is an improvement."""

    LOWER = "lower"
    HIGHER = "higher"
    NONE = "none"
    """Unknown: shown, never gated."""


class Kind(Enum):
    """What sort of number a metric is; decides its defaults and its test."""

    DURATION = "duration"
    SIZE = "size"
    THROUGHPUT = "throughput"
    COUNT = "count"
    TOKENS = "tokens"
    MONEY = "money"
    SCORE = "score"
    PROPORTION = "proportion"
    """Passes of trials."""
    EXACT = "exact"
    """A deterministic count: any change beyond the threshold counts at one run."""


class Status(Enum):
    """How a benchmark ended."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


def check_text(what: str, text: str, limit: int = MAX_NAME) -> str:
    """Return `text` if it is a usable name: not empty, not over-long, valid Unicode."""
    if not text:
        raise ModelError(f"The {what} is empty; give it a name.")
    if len(text) > limit:
        raise ModelError(
            f"The {what} is {len(text):,} characters long; the limit is {limit:,}."
        )
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise ModelError(
            f"The {what} holds a lone surrogate (position {exc.start}), "
            "which is no valid Unicode text."
        ) from exc
    return text


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A named piece of work with optional parameters."""

    name: str
    params: tuple[tuple[str, str], ...] = ()
    """Pairs of name and value, sorted by name; both are text."""

    def __post_init__(self) -> None:
        check_text("benchmark name", self.name)
        for key, value in self.params:
            check_text(f"parameter name of benchmark {self.name[:80]!r}", key)
            if value:
                check_text(f"parameter {key!r} of {self.name[:80]!r}", value)
        ordered = tuple(sorted(self.params))
        if len({key for key, _ in ordered}) != len(ordered):
            raise ModelError(
                f"Benchmark {self.name[:80]!r} has the same parameter twice."
            )
        object.__setattr__(self, "params", ordered)

    @property
    def label(self) -> str:
        """Name and parameters in one string, for people: `sort [n=1000]`."""
        if not self.params:
            return self.name
        return f"{self.name} [{', '.join(f'{k}={v}' for k, v in self.params)}]"


PLAIN_MEANS = frozenset({Kind.SCORE, Kind.MONEY, Kind.TOKENS, Kind.PROPORTION})
"""Kinds whose center is the plain mean of the values.  What is spent or scored adds
up, and the rare value far out is part of it; of others a fifth of the values at either
end is taken for disturbance."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured of a benchmark: name, unit, direction, kind."""

    name: str
    unit: str
    """Unit as the tool gave it ("ns", "B", "1/s"); see `gitbench.units`."""
    better: Better
    kind: Kind

    def __post_init__(self) -> None:
        check_text("metric name", self.name)
        check_text(f"unit of metric {self.name[:80]!r}", self.unit, 64)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a tool says of a sample whose values it does not give (or not all)."""

    center: float
    of: str = "mean"
    """Which center it is: `mean` or `median`."""
    low: float | None = None
    high: float | None = None
    stddev: float | None = None
    n: int | None = None
    """Number of values behind it."""

    def __post_init__(self) -> None:
        for name in ("center", "low", "high", "stddev"):
            number = getattr(self, name)
            if number is None:
                continue
            if not math.isfinite(number):
                raise ModelError(f"The summary's {name} is {number}, not a number.")
            object.__setattr__(self, name, float(number) + 0.0)
        if self.of not in ("mean", "median"):
            raise ModelError(
                f"A summary is of 'mean' or 'median', not of {self.of[:80]!r}."
            )
        if self.stddev is not None and self.stddev < 0:
            raise ModelError(f"The summary's stddev is negative: {self.stddev}.")
        if self.n is not None and not 0 < self.n < 2**63:
            raise ModelError(f"The summary's n is {self.n}; it must be 1 or more.")


def _normal_values(values: tuple[float, ...], of: Measurement) -> tuple[float, ...]:
    """Values as finite floats; what they are `of` is for messages.

    float() + 0.0 turns integers into floats and -0.0 into 0.0, so that equal values
    have equal bytes and thus equal ids.  Most lists need none of it.
    """
    if not values:
        raise ModelError(f"A process of {of.where} has no values.")
    if (
        set(map(type, values)) == {float}
        and math.isfinite(sum(values))
        and 0.0 not in values
    ):
        return tuple(values)
    for value in values:
        if not math.isfinite(value):
            raise ModelError(f"A value of {of.where} is {value}, not a number.")
    return tuple([float(value) + 0.0 for value in values])


@dataclass(frozen=True, slots=True)
class Measurement:
    """One metric of one benchmark in one run.

    An `ok` measurement has `processes`, or `summary`, or both (values thinned
    to a limit beside the exact summary), or `passes` of `trials`.
    A `failed` or `skipped` one has none of them.
    """

    benchmark: Benchmark
    metric: Metric
    processes: tuple[tuple[float, ...], ...] = ()
    """Values in the metric's unit, one inner tuple a process, none empty."""
    summary: Summary | None = None
    passes: int | None = None
    trials: int | None = None
    status: Status = Status.OK
    message: str | None = None
    version: str | None = None
    """Version of the benchmark's own body; another version is not comparable."""

    def __post_init__(self) -> None:
        normal = [_normal_values(values, self) for values in self.processes]
        object.__setattr__(self, "processes", tuple(normal))
        if (self.passes is None) != (self.trials is None):
            raise ModelError(f"{self.where}: passes and trials go together.")
        if (
            self.passes is not None
            and self.trials is not None
            and not (0 <= self.passes <= self.trials and 0 < self.trials < 2**63)
        ):
            raise ModelError(
                f"{self.where}: {self.passes} passes of {self.trials} trials is "
                "impossible."
            )
        empty = not self.processes and self.summary is None and self.trials is None
        if (self.status is Status.OK) == empty:
            raise ModelError(
                f"{self.where}: no values, though its status is ok."
                if empty
                else f"{self.where}: its status is {self.status.value}, so it cannot "
                "have values."
            )
        if self.message is not None:
            text = self.message.encode("utf-8", "replace").decode("utf-8")
            object.__setattr__(self, "message", text[:MAX_MESSAGE] or None)
        if self.version is not None:
            check_text(f"version of {self.where}", self.version)

    @property
    def where(self) -> str:
        """Which measurement it is, for messages."""
        return f"{self.benchmark.label[:120]!r}, metric {self.metric.name[:80]!r}"

    @property
    def count(self) -> int:
        """Number of values (of trials, or those behind a summary)."""
        if self.summary is not None and self.summary.n is not None:
            return self.summary.n
        if self.trials is not None:
            return self.trials
        return sum(map(len, self.processes))


@dataclass(frozen=True, slots=True)
class Tool:
    """The benchmark tool that made a result."""

    name: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Testbed:
    """The machine a run was made on."""

    name: str
    """Configured name, or a readable form of the fingerprint's facts."""
    fingerprint: str
    """12 hex digits; equal fingerprints are comparable."""
    facts: tuple[tuple[str, str], ...] = ()
    """Sorted pairs from an allow-list; never part of the comparison."""


@dataclass(frozen=True, slots=True)
class CiContext:
    """The CI job that made a run."""

    provider: str
    url: str | None = None
    job: str | None = None
    """Identifies one attempt of one job: runs with equal `job` are one session."""
    pull_request: str | None = None


@dataclass(frozen=True, slots=True)
class Archived:
    """Where the raw values of a run went that has only their summaries."""

    digest: str
    """SHA-256, 64 hex digits, of the whole run's canonical msgpack; its id is the
    first 16."""
    size: int
    """Bytes of that msgpack."""

    def __post_init__(self) -> None:
        if len(self.digest) != 64 or self.digest.strip("0123456789abcdef"):
            raise ModelError("The digest of an archived run is not 64 hex digits.")
        if not 0 < self.size < 2**63:
            raise ModelError(f"The size of an archived run is {self.size} bytes.")


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a suite on one testbed at one commit."""

    suite: str
    started_at: int
    """Milliseconds since the epoch, UTC."""
    time_source: str
    """`tool` (with a zone), `tool-naive` (taken as UTC) or `recorder`."""
    tool: Tool
    testbed: Testbed
    commit: str
    """40 or 64 hex digits."""
    tree: str
    dirty: bool
    """The work tree had uncommitted changes: never part of a baseline."""
    origin: str
    """SHA-256 over the result's bytes, suite, testbed and commit; 64 hex digits."""
    measurements: tuple[Measurement, ...]
    ci: CiContext | None = None
    session: str | None = None
    round: int | None = None
    """Number of the round in an interleaved session."""
    tags: tuple[tuple[str, str], ...] = ()
    archived: Archived | None = None
    """Its raw values are elsewhere, and it stands for the run that has them."""

    def __post_init__(self) -> None:
        check_text("suite", self.suite)
        if not MIN_TIME <= self.started_at <= MAX_TIME:
            raise ModelError(
                f"The start time {self.started_at} ms is not in the years 1 to 9999."
            )
        if not self.measurements:
            raise ModelError("A run without measurements records nothing.")
        seen = set()
        for one in self.measurements:
            key = (one.benchmark, one.metric.name)
            if key in seen:
                raise ModelError(
                    f"Benchmark {one.benchmark.label[:120]!r} has two measurements of "
                    f"metric {one.metric.name[:80]!r} in one run; give them different "
                    "names or parameters."
                )
            seen.add(key)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader understood of one result: a run without its whereabouts.

    Fields that are None were not told by the tool; whoever records fills them.
    """

    tool: Tool
    measurements: tuple[Measurement, ...]
    suite: str | None = None
    started_at: int | None = None
    naive_time: bool = False
    """`started_at` came without a zone and was taken as UTC."""
    commit: str | None = None
    """Commit that the result claims to belong to."""
    tree: str | None = None
    dirty: bool | None = None
    testbed_name: str | None = None
    facts: tuple[tuple[str, str], ...] = ()
    """What the result says of its machine; keys as in `gitbench.testbed`."""
    ci: CiContext | None = None
    session: str | None = None
    round: int | None = None
    tags: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    origin: str | None = None
    """Origin of an exported run, kept so that importing it adds no new evidence."""
    fingerprint: str | None = None
    """Fingerprint of an exported run's testbed."""
    time_source: str | None = None
    """Where an exported run's start time came from; see Run."""
    evidence: bytes | None = field(default=None, repr=False)
    """The file that it was read from, where that is one of a folder's: recording the
    folder again when it has grown must not record its runs again."""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run together with the id it has in the notes."""

    id: str
    """16 hex digits: the start of the SHA-256 of the record's canonical msgpack."""
    run: Run


# ---------------------------------------------------------------- comparing


class Verdict(Enum):
    """One word about one benchmark and metric; listed worst first."""

    REGRESSED = "regressed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    INCOMPARABLE = "incomparable"
    MISSING = "missing"
    ACCEPTED = "accepted"
    NEW = "new"
    NO_REGRESSION = "no-regression"
    UNCHANGED = "unchanged"
    IMPROVED = "improved"
    NOT_COMPARED = "not-compared"
    """Of a group or report only: no row could be compared."""

    @property
    def compared(self) -> bool:
        """Whether a row with this verdict was held against a baseline or a budget."""
        return self not in (
            Verdict.NEW,
            Verdict.MISSING,
            Verdict.INCOMPARABLE,
            Verdict.NOT_COMPARED,
        )


SEVERITY = {verdict: place for place, verdict in enumerate(Verdict)}
"""Place of a verdict in the order worst first."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How rows that fit two globs are judged; the first rule that fits wins."""

    benchmark: str = "*"
    metric: str = "*"
    suite: str = "*"
    threshold: float | None = None
    """Fraction (0.05 is 5 %) beyond which a significant change is red."""
    warn: float | None = None
    """Fraction beyond which a significant change is amber."""
    min_change: float | None = None
    """Smallest change that counts, in the metric's base unit."""
    max: float | None = None
    """Absolute budget, in the metric's base unit; needs no baseline."""
    gate: bool = True
    """False: shown, outside the family of tests and of no effect on the gate."""
    min_change_unit: str | None = None
    """Base unit that `min_change` was written in; None: the metric's, whatever it
    is.  In a metric of another base unit `min_change` says nothing."""
    max_unit: str | None = None
    """The same of `max`."""
    auto: bool = False
    """The threshold follows from the row's own noise (`threshold = "auto"`)."""
    method: str | None = None
    """One of `METHODS`; None: that of the settings."""
    weak: str | None = None
    """As in Settings; None: that of the settings."""
    required: bool = False
    """A benchmark that fits is missed if head did not measure it."""


@dataclass(frozen=True, slots=True)
class Accept:
    """A change of one benchmark and metric that was accepted with a reason."""

    benchmark: str
    metric: str
    threshold: float
    """Largest accepted change, as a fraction in the bad direction."""
    reason: str
    expires: str | None = None
    """Last day on which it counts, as YYYY-MM-DD (UTC)."""


METHODS = ("moderated-t", "welch", "mann-whitney", "brunner-munzel", "paired")
"""How real-valued rows are tested, by name in settings."""

CORRECTIONS = ("fdr_bh", "holm", "none")
"""How p-values of one report are corrected, by their names in statsmodels."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that decides verdicts."""

    alpha: float = 0.05
    threshold: float = 0.05
    weak: str = "gross"
    """`gross`: a weak row is red only beyond 2 x; `never`: never."""
    rules: tuple[Rule, ...] = ()
    required: tuple[str, ...] = ()
    """Globs of benchmarks whose absence is a failure."""
    accepts: tuple[Accept, ...] = ()
    """Those that count: entries of head's config that the baseline's lacks."""
    fail_on: tuple[Verdict, ...] = (Verdict.REGRESSED, Verdict.FAILED)
    on_no_baseline: str = "fail"
    """`fail` (exit code 3 when no row could be compared) or `pass` (0)."""
    method: str = "moderated-t"
    """One of `METHODS`."""
    correction: str = "fdr_bh"
    """One of `CORRECTIONS`."""
    auto: bool = False
    """The threshold of rows without one of their own follows from their noise."""
    max_age_s: int | None = None
    """Oldest baseline that counts, seconds before head; None: any."""


@dataclass(frozen=True, slots=True)
class CommitRuns:
    """The comparable runs of one commit."""

    commit: str
    runs: tuple[RecordedRun, ...]
    distance: int = 0
    """First-parent steps from where the walk began."""
    stand_in: str | None = None
    """Another commit with the same tree, whose runs these are."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Which commit head is compared with, why, and the runs behind it."""

    commit: str
    rule: str
    """`merge-base`, `first-parent` (head is on the branch), `test-merge`, `commit`,
    `named`, `files`; what the walk began at."""
    distance: int
    """First-parent steps from where the walk began to `commit`."""
    age_s: int | None
    """Seconds from the baseline commit's time to head's."""
    window: tuple[CommitRuns, ...]
    """The baseline commit's runs first, then those of earlier commits."""
    stand_in: str | None = None
    landed: tuple[tuple[Accept, int], ...] = ()
    """Accepted changes that landed inside the window, each with the number of the
    window's newest commits that have it."""


@dataclass(frozen=True, slots=True)
class GroupSides:
    """One suite on one testbed: head's runs and what they are compared with."""

    suite: str
    testbed: Testbed
    head: CommitRuns
    baseline: Baseline | None
    reason: str | None = None
    """Why there is no baseline, in one sentence."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SideSummary:
    """What stands behind one side of a row; `center` in the metric's base unit."""

    center: float | None
    sessions: int
    values: int
    low: float | None = None
    """Smallest and greatest value of the side, base unit; for people."""
    high: float | None = None
    passes: int | None = None
    """Of a proportion; `center` is then passes over trials."""
    trials: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The verdict on one benchmark and metric, with the numbers behind it.

    Every undefined number is None, never NaN, and `reason` says why.
    """

    group: int
    benchmark: Benchmark
    metric: Metric
    """With `unit` the base unit."""
    verdict: Verdict
    weak: bool = False
    reason: str | None = None
    """A code from `REASONS`."""
    change: float | None = None
    """Raw change, head over base minus 1."""
    change_adjusted: float | None = None
    """The same without the suite shift."""
    difference: float | None = None
    """Head minus base, of a proportion (0.02 is 2 points)."""
    interval: tuple[float, float] | None = None
    """Two-sided 1 - 2 alpha, of `change_adjusted`; of a proportion, of
    `difference`."""
    p_value: float | None = None
    p_adjusted: float | None = None
    threshold: float | None = None
    """T: the limit is a factor 1 + T in the bad direction; points of a proportion."""
    threshold_auto: bool = False
    """`threshold` follows from the row's own noise."""
    limit: float | None = None
    """The limit as a change in the metric's own direction (-0.048 for throughput)."""
    base: SideSummary | None = None
    head: SideSummary | None = None
    sessions_needed: int | None = None
    trials_needed: int | None = None
    """Trials a side that would show a proportion to be no worse, if it is not."""
    method: str | None = None
    """One of `METHODS`, `gross`, `exact`, `linear`, `budget`, `proportion`."""
    gated: bool = True
    amber: bool = False
    """A significant change beyond the rule's `warn`, short of its threshold."""
    warnings: tuple[str, ...] = ()
    note: str | None = None
    """Free text that explains the verdict: a failure's message, an accept's reason.
    Hostile."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How a whole suite moved in one metric."""

    metric: str
    rows: int
    change: float
    interval: tuple[float, float] | None
    p_value: float | None
    p_adjusted: float | None
    verdict: Verdict
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Passes and failures of a suite's tasks, paired by task.

    A task is one benchmark (with its parameters) that has trials on both sides.
    """

    metric: str
    tasks: int
    """Tasks that are paired."""
    base_rate: float
    """Mean over tasks of the share of trials that passed; in [0, 1]."""
    head_rate: float
    interval: tuple[float, float] | None
    """Of `head_rate - base_rate`, two-sided 1 - 2 alpha."""
    p_value: float | None
    p_adjusted: float | None
    verdict: Verdict
    flipped_worse: tuple[Benchmark, ...] = ()
    """Tasks whose trials all passed in the baseline and all failed in head."""
    flipped_better: tuple[Benchmark, ...] = ()
    flaky: tuple[Benchmark, ...] = ()
    """Tasks that both passed and failed on the same commit; they never turn the gate
    red alone."""
    method: str = "mcnemar"
    """`mcnemar` (one trial of each task a side) or `task-t`."""
    reason: str | None = None
    threshold: float | None = None
    """How far the rate may fall, as a difference (0.05 is 5 points)."""

    @property
    def difference(self) -> float:
        """Head minus base."""
        return self.head_rate - self.base_rate


@dataclass(frozen=True, slots=True)
class Group:
    """One suite on one testbed in a report."""

    id: int
    suite: str
    testbed: Testbed
    verdict: Verdict
    head: CommitRuns
    baseline: Baseline | None
    reason: str | None = None
    """Why nothing was compared, in one sentence."""
    shifts: tuple[Shift, ...] = ()
    outcomes: tuple[Outcomes, ...] = ()
    sensitivity: tuple[float, float] | None = None
    """Smallest change the gate can see in half, and in nine of ten, of the rows."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """One comparison of head with its baselines: what every report renders."""

    verdict: Verdict
    exit_code: int
    head: str
    base: str
    """What was asked for, as the user wrote it."""
    settings: Settings
    groups: tuple[Group, ...]
    comparisons: tuple[Comparison, ...]
    """Worst verdict first."""
    warnings: tuple[str, ...] = ()
    reason: str | None = None
    """Why nothing was compared, with the next step, in one or two sentences."""
    counts: tuple[tuple[Verdict, int], ...] = field(default=())
    """Number of comparisons of each verdict, all row verdicts present."""


REASONS = {
    "one-session": "the baseline has one session, which cannot tell run-to-run noise",
    "few-sessions": "too few sessions in the window to tell run-to-run noise",
    "noise": "the noise is too large to decide",
    "noise-of-baseline": "the baseline itself is known too roughly: more runs of it "
    "would decide, more of head would not",
    "near-threshold": "so near its limit that 50 more sessions would not decide",
    "moved-with-suite": "it moved together with the whole suite",
    "suite-shift": "the whole suite moved, so this row is not called unchanged",
    "latest-level-one-session": "the newest level of the window has one session, and "
    "head is not worse than the level before it",
    "raw-not-improved": "better than the suite's shift, but not in itself",
    "no-spread": "no variance could be estimated",
    "not-positive": "zero or negative values: compared by difference",
    "over-max": "over its absolute budget",
    "required-missing": "required, but not measured",
    "failed-in-head": "failed in head",
    "failed-in-base": "failed in the baseline",
    "skipped-in-head": "skipped in head",
    "version-differs": "the benchmark itself changed",
    "unit-differs": "the unit differs",
    "kind-differs": "the kind of metric differs",
    "no-direction": "which way is better is unknown: shown, never gated",
    "unsupported-kind": "passes of trials on one side, other values on the other",
    "below-min-change": "the change is below min_change",
    "no-baseline": "no baseline",
    "center-differs": "the sides are known by different centers: values, a tool's mean "
    "or a tool's median",
    "direction-differs": "which way is better differs",
    "out-of-range": "numbers too large or too small to compute with",
    "repeats-differ": "repeats of this exact metric differ, and the two sides overlap",
    "few-trials": "so few trials that no outcome could be told from chance",
    "judged-together": "too few trials to be told from chance alone: judged with the "
    "suite's other tasks, by its outcomes",
    "only-flaky": "no task fell that was steady in the baseline",
    "raw-not-regressed": "worse than the suite's shift, but not in itself",
    "few-head-sessions": "too few sessions of head for the chosen method",
    "few-rounds": "too few rounds were measured on both sides to be paired",
}
"""Stable reason codes of a comparison, with their meaning in words."""

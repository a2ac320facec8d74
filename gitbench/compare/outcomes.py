"""Outcomes of a suite's tasks, paired by task: one more row of a report's family.

A task is a benchmark with its parameters; it has trials on both sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gitbench.compare.proportions import Proportions, Trials, claim
from gitbench.compare.verdicts import Decision
from gitbench.model import Benchmark, Outcomes, Verdict
from gitbench.stats.paired import MIN_TASKS, TaskDifference, task_difference
from gitbench.stats.proportions import (
    Counts,
    mcnemar,
    newcombe_paired,
    newest_level,
    normal_quantile,
)
from gitbench.stats.rows import median_of

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(slots=True)
class OutcomesTest:
    """The test of one suite's tasks in one metric; numbers as `Outcomes` has them."""

    metric: str
    method: str
    sign: float
    base_rate: float
    head_rate: float
    interval: tuple[float, float]
    p_worse: Floats
    """One entry: the members of the report's family."""
    p_better: Floats
    limit: float
    """How far the rate may move, as a difference."""
    accepted: float
    """Up to where a fall of all tasks was accepted; minus infinity if not."""
    tasks: int
    flipped_worse: tuple[Benchmark, ...]
    flipped_better: tuple[Benchmark, ...]
    flaky: tuple[Benchmark, ...]
    only_flaky: bool
    """Of the tasks that fell, none was steady in the baseline, and others are."""
    adjusted_worse: float = 1.0
    adjusted_better: float = 1.0

    @property
    def whole(self) -> bool:
        return True

    def settle(self, worse: Floats, better: Floats, level: float) -> None:
        """Take the adjusted p-values."""
        self.adjusted_worse, self.adjusted_better = float(worse[0]), float(better[0])


def current_columns(trials: Trials) -> Bools:
    """Sessions of the window since the last step of the suite's own rate; (k,).

    A task's single trials cannot show a step that all tasks together do.
    """
    window, gated = trials.window, trials.gated
    some = gated if gated.any() else np.ones(gated.size, dtype=bool)
    whole = Counts(
        window.passes[some].sum(axis=0)[None, :],
        window.trials[some].sum(axis=0)[None, :],
    )
    limit = np.array([median_of(np.array([one.threshold for one in trials.limits]))])
    present = whole.trials[0] > 0
    found: Bools = np.cumsum(present) <= newest_level(whole, limit)[0]
    return found


def has_outcomes(trials: Trials) -> bool:
    """Whether a suite has tasks enough to be tested by task."""
    return int(np.count_nonzero(trials.gated)) >= MIN_TASKS


def pair_tasks(found: Proportions, columns: Bools, alpha: float) -> OutcomesTest:
    """Test the gated tasks of one metric; `columns` as from `current_columns`."""
    trials, gated = found.trials, found.trials.gated
    some = np.flatnonzero(gated)
    base = _since(trials.window, columns, some)
    head = Counts(trials.head.passes[some], trials.head.trials[some])
    names = [trials.rows[place].benchmark for place in some]
    flaky_base, flaky_head = _flaky(trials, some)
    flaky = flaky_base | flaky_head
    sign = trials.sign
    fell = sign * (head.rate - base.rate)
    steady = ~flaky_base
    lost, gained = _flips(base.rate, head.rate, sign)
    method, interval, p_worse, p_better = _test(base, head, sign, alpha)
    limits = [trials.limits[place] for place in some]
    accepts = [one.accept.threshold if one.accept else -math.inf for one in limits]
    return OutcomesTest(
        metric=trials.rows[0].metric.name,
        method=method,
        sign=sign,
        base_rate=float(base.rate.mean()),
        head_rate=float(head.rate.mean()),
        interval=interval,
        p_worse=np.array([p_worse]),
        p_better=np.array([p_better]),
        limit=median_of(np.array([one.threshold for one in limits])),
        accepted=min(accepts),
        tasks=some.size,
        flipped_worse=_named(names, lost & ~flaky),
        flipped_better=_named(names, gained & ~flaky),
        flaky=_named(names, flaky),
        only_flaky=bool(
            np.count_nonzero(steady) >= MIN_TASKS and not (fell[steady] > 0).any()
        ),
    )


def _since(window: Counts, columns: Bools, some: NDArray[np.intp]) -> Counts:
    """Sessions since the suite's last step; all of a task that has none of them."""
    chosen = Counts(window.passes[some], window.trials[some])
    bare = chosen.only(np.broadcast_to(columns, chosen.trials.shape))
    missing = bare.trials.sum(axis=1) == 0
    return chosen.only(columns | missing[:, None])


def _flips(base: Floats, head: Floats, sign: float) -> tuple[Bools, Bools]:
    """Tasks of which all trials turned: for the worse, and for the better."""
    fell, rose = (base == 1) & (head == 0), (base == 0) & (head == 1)
    return (fell, rose) if sign < 0 else (rose, fell)


def _flaky(trials: Trials, some: NDArray[np.intp]) -> tuple[Bools, Bools]:
    """Tasks that passed and failed on one commit: one of the window, or head."""
    commits = np.array(trials.commits)
    mixed: dict[bool, Bools] = {}
    for commit in dict.fromkeys(trials.commits):
        at = commits == commit
        passes = trials.counts.passes[some][:, at].sum(axis=1)
        tried = trials.counts.trials[some][:, at].sum(axis=1)
        found = (passes > 0) & (passes < tried)
        is_head = commit == 0
        mixed[is_head] = mixed.get(is_head, np.zeros(some.size, dtype=bool)) | found
    none = np.zeros(some.size, dtype=bool)
    return mixed.get(False, none), mixed.get(True, none)


def _named(names: list[Benchmark], chosen: Bools) -> tuple[Benchmark, ...]:
    found = [names[place] for place in np.flatnonzero(chosen)]
    return tuple(sorted(found, key=lambda one: one.label))


def _test(
    base: Counts, head: Counts, sign: float, alpha: float
) -> tuple[str, tuple[float, float], float, float]:
    """Method, interval of head minus base, and both one-sided p-values."""
    single = (base.trials.sum(axis=1) == 1) & (head.trials.sum(axis=1) == 1)
    if single.all():
        before, after = base.rate == 1, head.rate == 1
        lost = int(np.count_nonzero(before & ~after))
        gained = int(np.count_nonzero(~before & after))
        both = int(np.count_nonzero(before & after))
        neither = before.size - both - lost - gained
        z = normal_quantile(alpha)
        interval = newcombe_paired(both, lost, gained, neither, z)
        more, fewer = mcnemar(lost, gained)
        worse, better = (more, fewer) if sign < 0 else (fewer, more)
        return "mcnemar", interval, worse, better
    found: TaskDifference = task_difference(base, head, alpha)
    p = found.p_greater
    worse, better = (1 - p, p) if sign < 0 else (p, 1 - p)
    return "task-t", (found.low, found.high), worse, better


def write_outcomes(test: OutcomesTest, alpha: float) -> Outcomes:
    """The verdict on a suite's tasks, its p-values corrected."""
    delta = test.sign * (test.head_rate - test.base_rate)
    verdict, reason = _decide(test, delta, alpha)
    down = delta < 0
    return Outcomes(
        metric=test.metric,
        tasks=test.tasks,
        base_rate=test.base_rate,
        head_rate=test.head_rate,
        interval=test.interval,
        p_value=float((test.p_better if down else test.p_worse)[0]),
        p_adjusted=test.adjusted_better if down else test.adjusted_worse,
        verdict=verdict,
        flipped_worse=test.flipped_worse,
        flipped_better=test.flipped_better,
        flaky=test.flaky,
        method=test.method,
        reason=reason,
        threshold=test.limit,
    )


def _decide(test: OutcomesTest, delta: float, alpha: float) -> Decision:
    if test.adjusted_worse < alpha and delta > test.limit + 1e-12:
        if delta <= test.accepted + 1e-12:
            return Verdict.ACCEPTED, None
        if test.only_flaky:
            return Verdict.INCONCLUSIVE, "only-flaky"
        return Verdict.REGRESSED, None
    if test.adjusted_better < alpha and -delta > test.limit + 1e-12:
        return Verdict.IMPROVED, None
    return claim(test.interval, test.sign, test.limit)

"""The change of a suite's rate when the same tasks were tried on both sides."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gitbench.stats.proportions import Counts
from gitbench.stats.student import tail, upper_quantile

Floats = NDArray[np.float64]

MIN_TASKS = 5
"""Tasks from which on they are tested together: of four that all flipped one way, an
exact test still says p = .06."""
_PRIOR_DF = 4.0
"""Degrees of freedom that the scatter between tasks counts for, where sessions tell
how a whole suite's rate varies."""


@dataclass(frozen=True, slots=True)
class TaskDifference:
    """Mean over tasks of head's rate minus base's."""

    delta: float
    low: float
    """Interval of level 1 - 2 alpha."""
    high: float
    p_greater: float
    """One-sided."""
    df: float


def task_difference(base: Counts, head: Counts, alpha: float) -> TaskDifference:
    """Paired t test of the tasks' differences of rates; counts are (tasks, sessions).

    The task is the unit, so trials of one task may hang together in any way (Miller
    2024).  The variance of the mean is the largest of three estimates: the scatter of
    the differences between tasks; what binomial noise makes of so many trials, for
    tasks that happen to agree; and, with three sessions of the base or more, how the
    rate of the whole suite varied between them, averaged with the first, which counts
    for `_PRIOR_DF` degrees of freedom.
    """
    off = head.rate - base.rate
    n = off.size
    delta = float(off.mean())
    scatter = float(((off - delta) ** 2).sum()) / max(n - 1, 1) / n
    variance, df = max(scatter, _binomial(base, head)), float(max(n - 1, 1))
    whole, sessions = _between_sessions(base, head)
    if sessions:
        pooled = (_PRIOR_DF * variance + sessions * whole) / (_PRIOR_DF + sessions)
        if pooled > variance:
            variance, df = pooled, min(df, _PRIOR_DF + sessions)
    if variance <= 0:
        return TaskDifference(delta, delta, delta, 0.5, df)
    error = math.sqrt(variance)
    half = float(upper_quantile(alpha, df)) * error
    return TaskDifference(
        delta,
        max(delta - half, -1.0),
        min(delta + half, 1.0),
        float(tail(delta / error, df)),
        df,
    )


def _binomial(base: Counts, head: Counts) -> float:
    """Variance of the mean difference if each task kept its rate, that of both sides
    together, and its trials were independent."""
    n_base, n_head = base.trials.sum(axis=1), head.trials.sum(axis=1)
    rate = (base.passes.sum(axis=1) + head.passes.sum(axis=1)) / (n_base + n_head)
    each = rate * (1 - rate) * (1 / n_base + 1 / n_head)
    return float(each.sum() / n_base.size**2)


def _between_sessions(base: Counts, head: Counts) -> tuple[float, float]:
    """Variance of the mean difference as the base's sessions tell it, and its degrees
    of freedom; 0 of them with fewer than three sessions.

    A session's effect is the mean, over its tasks, of their rates less each task's
    own rate, so that a session with other tasks is none.
    """
    tried = base.trials > 0
    count = np.count_nonzero(tried, axis=0)
    full = count >= MIN_TASKS
    k = int(np.count_nonzero(full))
    if k < 3:
        return 0.0, 0.0
    rates = base.passes / np.maximum(base.trials, 1e-300)
    off = np.where(tried, rates - base.rate[:, None], 0.0).sum(axis=0)
    effects = (off / np.maximum(count, 1))[full]
    variance = float(((effects - effects.mean()) ** 2).sum()) / (k - 1)
    heads = int(np.count_nonzero((head.trials > 0).any(axis=0)))
    return variance * (1 / heads + 1 / k), float(k - 1)

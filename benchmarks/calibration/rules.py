"""The rules of other tools, as their documentation and source describe them.

Each judges rows by themselves: `base` holds the runs of the window, newest first, each
run a list with the values of every row, `head` one such list; larger is worse.  The
answer is which rows are red, or None where the rule cannot judge such values.  A rule
that compares two results takes the newest run of the window as the other one.  All
count only what became worse, as gitbench does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = list[Floats]
"""The values of every row in one run, processes flattened."""


@dataclass(frozen=True)
class Rule:
    """One way to call a row regressed."""

    name: str
    sessions: int
    """Fewest sessions of a window that it needs."""
    judge: Callable[[Sequence[Rows], Rows], Bools | None]


def flatten(samples: Sequence[list[list[float]]], higher: bool) -> Rows:
    """The values of each row; inverted where higher is better, so larger is worse."""
    rows = [np.array([v for process in one for v in process]) for one in samples]
    return [1 / one for one in rows] if higher else rows


def rank_p_values(base: Rows, head: Rows, exact: int = 0) -> Floats | None:
    """Two-sided p of Mann-Whitney's U test, row by row; (m,).

    By the exact distribution, which knows no ties, where neither side has more than
    `exact` values, else by the normal approximation with correction for ties (Mann
    and Whitney 1947).  None if a side of any row has fewer than four values, where
    p < .05 is out of reach (benchstat says so and does not test).
    """
    from scipy import stats

    p = np.ones(len(head))
    shapes: dict[tuple[int, int], list[int]] = {}
    for row, (one, other) in enumerate(zip(base, head, strict=True)):
        shapes.setdefault((one.size, other.size), []).append(row)
    if min(min(shape) for shape in shapes) < 4:
        return None
    for shape, rows in shapes.items():
        found = stats.mannwhitneyu(
            np.stack([head[row] for row in rows]),
            np.stack([base[row] for row in rows]),
            axis=1,
            method="exact" if max(shape) <= exact else "asymptotic",
        )
        p[rows] = found.pvalue
    return np.where(np.isnan(p), 1.0, p)


def _ratio(center: Callable[[Floats], float], base: Rows, head: Rows) -> Floats:
    """Head's center over base's, row by row."""
    return np.array([center(h) / center(b) for b, h in zip(base, head, strict=True)])


def _median(values: Floats) -> float:
    return float(np.median(values))


def _mean(values: Floats) -> float:
    return float(np.mean(values))


def benchstat(base: Sequence[Rows], head: Rows) -> Bools | None:
    """Mann-Whitney on the values of two runs, p < .05, the median worse (golang/perf,
    benchmath.AssumeNothing)."""
    p = rank_p_values(base[0], head)
    return None if p is None else (p < 0.05) & (_ratio(_median, base[0], head) > 1)


def benchstat_and_five(base: Sequence[Rows], head: Rows) -> Bools | None:
    """The same, and the median worse by more than 5 %, as many gates add."""
    p = rank_p_values(base[0], head)
    return None if p is None else (p < 0.05) & (_ratio(_median, base[0], head) > 1.05)


def asv(base: Sequence[Rows], head: Rows) -> Bools | None:
    """asv 0.6.6, `asv continuous`: medians differ by more than the factor 1.1, and
    Mann-Whitney's p < .002 (exact up to 20 values).

    With one value a side asv looks at the factor alone.  With so few values that the
    test cannot reach its limit it looks at intervals, which is not done here.
    """
    beyond = _ratio(_median, base[0], head) > 1.1
    sizes = [(b.size, h.size) for b, h in zip(base[0], head, strict=True)]
    if all(one == (1, 1) for one in sizes):
        return beyond
    if any(1 / math.comb(m + n, min(m, n)) >= 0.002 for m, n in sizes):
        return None
    p = rank_p_values(base[0], head, exact=20)
    return None if p is None else beyond & (p < 0.002)


def pytest_benchmark(base: Sequence[Rows], head: Rows) -> Bools:
    """pytest-benchmark, `--benchmark-compare-fail=mean:5%`."""
    return _ratio(_mean, base[0], head) > 1.05


def action(base: Sequence[Rows], head: Rows) -> Bools:
    """github-action-benchmark, `alert-threshold: 200%`: over twice the last result."""
    return _ratio(_mean, base[0], head) > 2


def git_perf(base: Sequence[Rows], head: Rows) -> Bools:
    """git-perf's audit with `dispersion-method = "mad"` at 3.5 sigma: each run counts
    with its minimum (its default), and head must lie within the window's mean.

    The MAD is scaled to a standard deviation (x 1.4826), the kinder reading.
    """
    past = np.array([[np.min(values) for values in run] for run in base])
    now = np.array([np.min(values) for values in head])
    mad = np.median(np.abs(past - np.median(past, axis=0)), axis=0)
    red: Bools = now - past.mean(axis=0) > 3.5 * 1.4826 * mad
    return red


def prediction(base: Sequence[Rows], head: Rows) -> Bools:
    """Log means of the window's runs: head beyond the one-sided 99 % t prediction
    interval, and beyond 5 % of their mean (Bencher's t-test threshold is of this kind).
    """
    from scipy import stats

    past = np.log([[_mean(values) for values in run] for run in base])
    now = np.log([_mean(values) for values in head])
    k = len(base)
    limit = stats.t.ppf(0.99, k - 1) * past.std(axis=0, ddof=1) * math.sqrt(1 + 1 / k)
    change = now - past.mean(axis=0)
    red: Bools = (change > limit) & (change > math.log(1.05))
    return red


RULES = (
    Rule("Mann-Whitney on values", 1, benchstat),
    Rule("Mann-Whitney and > 5 %", 1, benchstat_and_five),
    Rule("asv, factor 1.1", 1, asv),
    Rule("pytest-benchmark mean:5%", 1, pytest_benchmark),
    Rule("github-action-benchmark 200 %", 1, action),
    Rule("git-perf audit, MAD", 2, git_perf),
    Rule("t prediction interval", 2, prediction),
)

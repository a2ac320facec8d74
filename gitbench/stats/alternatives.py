"""Other tests of the same two sets of sessions, to be shown beside the verdict's own.

None of them decides anything here.  They come from statsmodels and scipy, imported
where they are used: that takes longer than a whole comparison.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Alternative:
    """One test, and its p-value or why it has none."""

    name: str
    needs: str
    """The fewest sessions that it works with, in words."""
    p: float | None
    """One-sided, in the direction that was asked for."""
    smallest: float | None = None
    """The smallest p-value that it can give with this many sessions, if it has one."""
    why_not: str | None = None


Test = Callable[[Floats, Floats], float]


def alternatives(base: Floats, head: Floats, *, greater: bool) -> list[Alternative]:
    """Tests of head against base, session by session; (k,) and (n,), finite.

    The alternative is that head is greater (or smaller).  Differences of the numbers
    are tested, so a ratio is tested by giving logs.  A p-value that a library cannot
    give (NaN) is None with a reason.
    """
    if not greater:
        base, head = -base, -head
    k, n = base.size, head.size
    overlap = k > 0 and n > 0 and base.min() <= head.max() and head.min() <= base.max()
    return [
        _try(
            "Welch's t",
            "2 a side",
            _welch,
            (base, head),
            "one side has a single session" if min(k, n) < 2 else _flat(base, head),
        ),
        _try(
            "Student's t",
            "3 in all",
            _student,
            (base, head),
            "too few sessions" if k + n < 3 or min(k, n) < 1 else _flat(base, head),
        ),
        _try(
            "prediction interval",
            "2 of the baseline",
            _prediction,
            (base, head),
            "the baseline has a single session" if k < 2 or n < 1 else _flat(base),
        ),
        _try(
            "Mann-Whitney",
            "20 and 1, or 4 and 3, for p < .05",
            _mann_whitney,
            (base, head),
            "a side is empty" if min(k, n) < 1 else _flat(np.concatenate([base, head])),
            smallest=1 / math.comb(k + n, n) if min(k, n) else None,
        ),
        _try(
            "Brunner-Munzel",
            "2 a side, overlapping",
            _brunner_munzel,
            (base, head),
            "one side has a single session"
            if min(k, n) < 2
            else None
            if overlap
            else "the two sides do not overlap, where it is not defined",
        ),
    ]


def _try(
    name: str,
    needs: str,
    test: Test,
    sides: tuple[Floats, Floats],
    why_not: str | None,
    smallest: float | None = None,
) -> Alternative:
    if why_not is None:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            p = float(test(*sides))
        if math.isfinite(p):
            return Alternative(name, needs, min(max(p, 0.0), 1.0), smallest)
        why_not = "not defined for these values"
    return Alternative(name, needs, None, smallest, why_not)


def _flat(*sides: Floats) -> str | None:
    if all(np.ptp(one) == 0 for one in sides if one.size > 1):
        return "the sessions do not vary"
    return None


def _welch(base: Floats, head: Floats) -> float:
    from statsmodels.stats.weightstats import ttest_ind

    return float(ttest_ind(head, base, alternative="larger", usevar="unequal")[1])


def _student(base: Floats, head: Floats) -> float:
    from statsmodels.stats.weightstats import ttest_ind

    return float(ttest_ind(head, base, alternative="larger", usevar="pooled")[1])


def _prediction(base: Floats, head: Floats) -> float:
    """Head's mean against the t prediction interval of the baseline alone (Hahn
    1969): t = (h - b) / (s sqrt(1/n + 1/k)) with k - 1 degrees of freedom."""
    from scipy import stats

    error = base.std(ddof=1) * math.sqrt(1 / head.size + 1 / base.size)
    return float(stats.t.sf((head.mean() - base.mean()) / error, base.size - 1))


def _mann_whitney(base: Floats, head: Floats) -> float:
    from scipy import stats

    # The exact distribution knows no ties; scipy's own choice is normal from nine
    # values on, up to 4,700 times too large at the tail.
    both = np.concatenate([base, head])
    ties = len(set(both.tolist())) < both.size
    method = "asymptotic" if ties or both.size > 60 else "exact"
    result = stats.mannwhitneyu(head, base, alternative="greater", method=method)
    return float(result.pvalue)


def _brunner_munzel(base: Floats, head: Floats) -> float:
    from scipy import stats

    # scipy's `less` is that the first sample is stochastically smaller.
    return float(stats.brunnermunzel(base, head, alternative="less").pvalue)

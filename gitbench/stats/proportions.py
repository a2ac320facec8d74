"""Passes of trials: rates, their differences, and outcomes paired by task.

Arrays in, numbers out; a rate lies in [0, 1].  Numbers of trials may be any positive
real, since trials that hang together count for fewer than they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gitbench.stats.student import tail, upper_quantile

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_NORMAL = 1e12
"""Degrees of freedom from which Student's t is the normal distribution."""
_FARTHEST = 38.0
"""Standard errors beyond which a normal tail is smaller than any float."""
_MOST_TERMS = 10_000
"""Terms of an exact sum; with more trials Newcombe's interval is exact enough."""


@lru_cache(maxsize=64)
def normal_quantile(p: float) -> float:
    """The z whose upper tail is `p`."""
    return float(upper_quantile(p, _NORMAL))


@lru_cache(maxsize=4096)
def _normal_tail(z: float) -> float:
    return 0.5 * math.erfc(z / math.sqrt(2))


@lru_cache(maxsize=4096)
def _normal_z(p: float) -> float:
    """The z whose upper tail is `p`, of (0, 0.5]: Newton's method on the log of the
    tail, which is concave, so that the steps come from one side."""
    z = 0.0
    for _ in range(50):
        found = _normal_tail(z)
        density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        if found <= 0 or density <= 0:
            break
        step = (math.log(found) - math.log(p)) * found / density
        z += step
        if abs(step) <= 1e-12 * max(z, 1.0):
            break
    return z


# -------------------------------------------------------------- one rate, and two


def wilson(rate: ArrayLike, trials: ArrayLike, z: ArrayLike) -> tuple[Floats, Floats]:
    """Score interval of a rate at `z` standard errors (Wilson 1927).

    Without trials it is all of [0, 1].
    """
    p = np.asarray(rate, dtype=np.float64)
    n = np.asarray(trials, dtype=np.float64)
    some = np.where(n > 0, n, 1.0)
    square = np.asarray(z, dtype=np.float64) ** 2 / some
    middle = (p + square / 2) / (1 + square)
    half = np.sqrt(square * (p * (1 - p) + square / 4)) / (1 + square)
    # At 0 and 1 the ends are exact, whatever rounding makes of them.
    low = np.where((p <= 0) | (n <= 0), 0.0, np.maximum(middle - half, 0.0))
    high = np.where((p >= 1) | (n <= 0), 1.0, np.minimum(middle + half, 1.0))
    return low, high


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates of two sides, one entry a row; (m,) each."""

    base: Floats
    base_trials: Floats
    head: Floats
    head_trials: Floats

    @property
    def difference(self) -> Floats:
        """Head minus base."""
        return self.head - self.base

    def only(self, places: NDArray[np.intp]) -> Rates:
        """Some of the rows."""
        return Rates(
            self.base[places],
            self.base_trials[places],
            self.head[places],
            self.head_trials[places],
        )

    def turned(self, turn: Bools | bool) -> Rates:
        """The rates of failures instead of passes, where `turn`."""
        return Rates(
            np.where(turn, 1 - self.base, self.base),
            self.base_trials,
            np.where(turn, 1 - self.head, self.head),
            self.head_trials,
        )


def newcombe(rates: Rates, z: ArrayLike) -> tuple[Floats, Floats]:
    """Hybrid score interval of head minus base (Newcombe 1998, method 10).

    Made of the Wilson intervals of both sides, so it stays within [-1, 1] and is
    never empty, not even at 0 of n against 0 of n.
    """
    base_low, base_high = wilson(rates.base, rates.base_trials, z)
    head_low, head_high = wilson(rates.head, rates.head_trials, z)
    delta = rates.difference
    low = delta - np.hypot(rates.head - head_low, base_high - rates.base)
    high = delta + np.hypot(head_high - rates.head, rates.base - base_low)
    return np.maximum(low, -1.0), np.minimum(high, 1.0)


def tail_newcombe(rates: Rates) -> Floats:
    """One-sided p-value that head's rate is the greater: the level at which the
    interval of Newcombe just reaches zero; 0.5 where the rates agree."""
    delta = rates.difference
    above = rates.turned(delta < 0)  # a fall of passes is a rise of failures
    near, far = np.zeros(delta.size), np.full(delta.size, _FARTHEST)
    for _ in range(60):
        middle = (near + far) / 2
        outside = newcombe(above, middle)[0] > 0
        near, far = np.where(outside, middle, near), np.where(outside, far, middle)
    tails = np.array([_normal_tail(z) for z in near.tolist()])
    return np.where(delta < 0, 1 - tails, tails)


def tail_exact(rates: Rates) -> Floats:
    """Mid-p value of Fisher's exact test that head's rate is the greater (Lancaster
    1961); 0 where the sum would be too long, and trials are plenty.

    Numbers of trials are rounded down to whole ones.
    """
    columns = (rates.base, rates.base_trials, rates.head, rates.head_trials)
    return np.array(
        [_mid_p(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]
    )


@lru_cache(maxsize=4096)
def _mid_p(base: float, base_trials: float, head: float, head_trials: float) -> float:
    """Half of the probability of head's passes, and all of that of more of them,
    given all passes of both sides: a hypergeometric tail, by ratios of its terms."""
    n_base, n_head = max(math.floor(base_trials), 1), max(math.floor(head_trials), 1)
    found = min(round(head * n_head), n_head)
    total = min(round(base * n_base), n_base) + found
    least, most = max(0, total - n_base), min(n_head, total)
    if most - least > _MOST_TERMS:
        return 0.0
    if most == least:
        return 0.5
    step = np.arange(most - least, dtype=np.float64)
    up = (float(total - least) - step) * (float(n_head - least) - step)
    down = (float(least + 1) + step) * (float(n_base - total + least + 1) + step)
    logs = np.concatenate(([0.0], np.cumsum(np.log(up) - np.log(down))))
    terms = np.exp(logs - logs.max())
    terms /= terms.sum()
    place = found - least
    return float(terms[place] / 2 + terms[place + 1 :].sum())


def tail_greater(rates: Rates) -> Floats:
    """One-sided p-value that head's rate is the greater; 1 minus it for the smaller.

    The larger of Newcombe's and the exact mid-p value, on the side of the
    difference.  Newcombe's alone is far too small where one side has few trials:
    with 100 trials against 5, a level of .0025 is reached with probability .019; with
    both it is .0018 (tests/unit/test_stats_proportions.py).
    """
    delta = rates.difference
    above = rates.turned(delta < 0)
    p = np.minimum(np.maximum(tail_newcombe(above), tail_exact(above)), 0.5)
    p = np.where(delta == 0, 0.5, p)
    return np.where(delta < 0, 1 - p, p)


def student_tail(p: Floats, df: Floats) -> Floats:
    """What a normal tail becomes where the spread rests on `df` degrees of freedom;
    the same where that is infinite."""
    known = np.isfinite(df)
    result = p.copy()
    if known.any():
        side = np.clip(np.minimum(p, 1 - p)[known], 1e-300, 0.5)
        z = np.array([_normal_z(one) for one in side.tolist()])
        found = tail(z, df[known])
        result[known] = np.where(p[known] > 0.5, 1 - found, found)
    return result


def least_tail(rates: Rates) -> Floats:
    """The smallest p-value that any outcome of head could give, were all its trials
    to fail; (m,).

    Where that is not below alpha, the row is no test and belongs to no family of
    tests (Tarone 1990): it depends on the trials alone, not on what head did.
    """
    worst = Rates(
        rates.base, rates.base_trials, np.zeros_like(rates.head), rates.head_trials
    )
    return tail_greater(worst.turned(True))


# ----------------------------------------------------- trials that hang together


@dataclass(frozen=True, slots=True)
class Counts:
    """Passes and trials of sessions, (m, c); 0 trials where a row is absent."""

    passes: Floats
    trials: Floats

    def only(self, chosen: Bools) -> Counts:
        """The same with nothing outside of `chosen`, (m, c)."""
        return Counts(
            np.where(chosen, self.passes, 0.0), np.where(chosen, self.trials, 0.0)
        )

    @property
    def rate(self) -> Floats:
        """Passes over trials of all sessions together; 0 without trials."""
        total = self.trials.sum(axis=1)
        return np.where(
            total > 0, self.passes.sum(axis=1) / np.maximum(total, 1e-300), 0.0
        )

    @property
    def weight(self) -> Floats:
        """Size of the session in which a trial stands, on average over trials."""
        total = np.maximum(self.trials.sum(axis=1), 1e-300)
        share = self.trials / total[:, None]
        weight: Floats = (self.trials * share).sum(axis=1)
        return weight


PRIOR_DF = 4.0
"""Degrees of freedom that the suite's correlation counts for in each row."""


def pearson(counts: Counts) -> tuple[Floats, Floats]:
    """Pearson's chi-square of the sessions of each row about their common rate, and
    its degrees of freedom; both 0 where that rate is 0 or 1, which tells nothing."""
    rate = counts.rate
    spread = rate * (1 - rate)
    known = counts.trials > 0
    off = counts.passes - counts.trials * rate[:, None]
    expected = np.where(known, counts.trials * spread[:, None], 1.0)
    told = spread > 0
    square = np.where(known & told[:, None], off**2 / np.maximum(expected, 1e-300), 0.0)
    df = np.where(told, np.maximum(known.sum(axis=1) - 1.0, 0.0), 0.0)
    return np.where(df > 0, square.sum(axis=1), 0.0), df


def correlation(base: Counts, head: Counts, fitted: Bools) -> tuple[Floats, Floats]:
    """Correlation between trials of one session of each row, and the degrees of
    freedom that it rests on, infinite where there is none; (m,) each.

    By moments from Pearson's chi-square, whose mean is 1 + (m - 1) rho a degree of
    freedom for sessions of m trials (Williams 1982); negative ones are 0.  Each row's
    is averaged with that of the `fitted` rows together, which counts for the degrees
    of freedom of the other rows, at most `PRIOR_DF`.
    """
    square = np.zeros(fitted.size)
    df, room = np.zeros(fitted.size), np.zeros(fitted.size)
    for side in (base, head):
        found, degrees = pearson(side)
        square, df = square + found, df + degrees
        room += degrees * np.maximum(_typical(side) - 1.0, 0.0)
    excess = square - df
    use = fitted & (room > 0)
    together = room[use].sum()
    suite = max(float(excess[use].sum() / together), 0.0) if together > 0 else 0.0
    prior = np.clip(df[use].sum() - np.where(use, df, 0.0), 0.0, PRIOR_DF)
    mean_room = room / np.maximum(df, 1.0)
    above = excess + prior * mean_room * suite
    below = room + prior * mean_room
    rho = np.where(below > 0, above / np.where(below > 0, below, 1.0), suite)
    rho = np.clip(rho, 0.0, 1.0)
    return rho, np.where((rho > 0) & (df + prior > 0), df + prior, np.inf)


def _typical(side: Counts) -> Floats:
    """Size of sessions that takes m's place where they differ (Kleinman 1973)."""
    total = side.trials.sum(axis=1)
    sessions = np.count_nonzero(side.trials > 0, axis=1)
    typical: Floats = (total - side.weight) / np.maximum(sessions - 1.0, 1.0)
    return typical


def effective(side: Counts, rho: Floats) -> Floats:
    """Trials of a side, divided by the factor by which their correlation makes the
    variance of the rate greater (Rao and Scott 1992)."""
    excess = np.maximum(side.weight - 1.0, 0.0)
    trials: Floats = side.trials.sum(axis=1) / (1 + excess * rho)
    return trials


# ------------------------------------------------------------------ a step inside

_MIN_SESSIONS = 4
_LEVEL = 0.001
_BINOMIAL_DF = 8.0
"""Degrees of freedom that binomial noise counts for beside the sessions' own."""


def newest_level(window: Counts, least: Floats) -> NDArray[np.intp]:
    """Number of the newest sessions of each row that share one level; (m,).

    `window` has the newest session first.  From four sessions on, the best single
    split cuts it, if its t test, corrected for the number of splits (Bonferroni), has
    p < .001 and the step is beyond `least` (m,); without it, a change on the base
    branch would blind the gate.
    """
    m, c = window.trials.shape
    sessions = np.count_nonzero(window.trials > 0, axis=1)
    newest: NDArray[np.intp] = sessions.astype(np.intp)
    best = np.full(m, 1.0)
    order = np.cumsum(window.trials > 0, axis=1)
    for size in range(1, c):
        young = window.only(order <= size)
        old = window.only(order > size)
        tried = (sessions >= _MIN_SESSIONS) & (size < sessions)
        if not tried.any():
            break
        p = _step_tail(young, old, sessions) * np.maximum(sessions - 1, 1)
        beyond = np.abs(young.rate - old.rate) > least
        better = tried & beyond & (p < _LEVEL) & (p < best)
        newest, best = np.where(better, size, newest), np.where(better, p, best)
    return newest


def _step_tail(young: Counts, old: Counts, sessions: NDArray[np.intp]) -> Floats:
    """Two-sided p-value that two segments of a window differ."""
    n = young.trials.sum(axis=1), old.trials.sum(axis=1)
    total = np.maximum(n[0] + n[1], 1e-300)
    rate = (young.rate * n[0] + old.rate * n[1]) / total
    square = pearson(young)[0] + pearson(old)[0]
    own = np.maximum(sessions - 2.0, 1.0)
    spread, df = np.maximum(square / own, 1.0), own + _BINOMIAL_DF
    inverse = 1 / np.maximum(n[0], 1.0) + 1 / np.maximum(n[1], 1.0)
    # Of rows that are not tried here one segment is empty.
    error = np.sqrt(np.maximum(rate * (1 - rate), 0.0) * inverse * spread)
    t = np.abs(young.rate - old.rate) / np.where(error > 0, error, np.inf)
    p: Floats = 2 * tail(t, df)
    return p


# ------------------------------------------------------------ outcomes by task


def mcnemar(lost: int, gained: int) -> tuple[float, float]:
    """One-sided exact p-values that more tasks were lost than gained, and the other
    way round (McNemar 1947): binomial tails of the tasks that flipped."""
    flipped = lost + gained
    return _coin_tail(lost, flipped), _coin_tail(gained, flipped)


def _coin_tail(heads: int, tosses: int) -> float:
    """Probability of at least so many heads; by logarithms, so that none is lost."""
    if heads <= 0:
        return 1.0
    log_half = tosses * math.log(0.5)
    top = math.lgamma(tosses + 1)
    terms = [
        math.exp(top - math.lgamma(i + 1) - math.lgamma(tosses - i + 1) + log_half)
        for i in range(heads, tosses + 1)
    ]
    return min(math.fsum(terms), 1.0)


def newcombe_paired(
    both: int, lost: int, gained: int, neither: int, z: float
) -> tuple[float, float]:
    """Score interval of head's rate minus base's over the same tasks (Newcombe
    1998b, method 10): that of two rates, with the correlation between the sides."""
    n = both + lost + gained + neither
    base, head = (both + lost) / n, (both + gained) / n
    (base_low, base_high), (head_low, head_high) = (
        tuple(map(float, wilson(rate, n, z))) for rate in (base, head)
    )
    margins = (both + lost) * (gained + neither) * (both + gained) * (lost + neither)
    product = float(both * neither - lost * gained)
    if product > 0:  # a correction that keeps the coverage up
        product = max(product - n / 2, 0.0)
    phi = product / math.sqrt(margins) if margins else 0.0

    def reach(down: float, up: float) -> float:
        return math.sqrt(max(down**2 - 2 * phi * down * up + up**2, 0.0))

    delta = head - base
    low = delta - reach(head - head_low, base_high - base)
    high = delta + reach(head_high - head, base - base_low)
    return max(low, -1.0), min(high, 1.0)


# -------------------------------------------------------------- how many trials

_MOST_TRIALS = 10_000_000


@lru_cache(maxsize=4096)
def trials_to_decide(rate: float, margin: float, alpha: float) -> int | None:
    """Trials a side with which Newcombe's interval (level 1 - 2 `alpha`) of two equal
    rates lies within `margin`; None if ten millions would not do.

    That is what it takes to say that nothing fell by more, if nothing did.
    """
    if not margin > 0:
        return None
    z = normal_quantile(alpha)
    one = np.array([rate])

    def reach(n: int) -> float:
        trials = np.array([float(n)])
        low, high = newcombe(Rates(one, trials, one, trials), z)
        return float(max(-low[0], high[0]))

    few, many = 1, 2
    while reach(many) >= margin:
        few, many = many, many * 2
        if many > _MOST_TRIALS:
            return None
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if reach(middle) < margin else (middle, many)
    return many

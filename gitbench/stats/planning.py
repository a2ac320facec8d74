"""How many runs a side it takes to find a change of a given size.

The sample size of a two-sample t test, from statsmodels, which is imported where it
is used.  `MOST` runs are where a number stops being advice.
"""

from __future__ import annotations

import math
import warnings
from statistics import NormalDist

MOST = 100_000


def runs_per_side(
    spread: float,
    change: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    two_sided: bool = False,
) -> int | None:
    """Fewest runs a side with which a t test finds a change with chance `power`.

    `spread` is the standard deviation of runs and `change` the true difference, both
    on logs (or both in one unit); 0 <= spread, 0 < change.  At least 2, the fewest
    with which a side has a variance; None beyond `MOST`.
    """
    if not (change > 0 and spread >= 0 and math.isfinite(change)):
        raise ValueError("a change to be found is above 0, and a spread not below")
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError("alpha and power lie between 0 and 1")
    roughly = approximate_runs(
        spread, change, alpha=alpha, power=power, two_sided=two_sided
    )
    if not roughly <= MOST:
        return None
    # Two runs find an effect of 40 at any alpha above 1e-6.
    effect = min(change / spread, 40.0) if spread > 0 else 40.0
    return _solve(effect, math.ceil(roughly), alpha / (1 + two_sided), power)


def _solve(effect: float, start: int, alpha: float, power: float) -> int:
    """The number of runs at a one-sided alpha, by steps from a start nearly right.

    Not by `tt_ind_solve_power`: where two or three runs are enough its solver gives
    NaN and a ConvergenceWarning, 10 in older releases, or an array.  And not
    two-sided: scipy's far tail of the noncentral t is NaN in places (t of 9.1 with 2
    degrees of freedom), and to reject on the wrong side is no detection.
    """
    from statsmodels.stats.power import TTestIndPower

    test = TTestIndPower()

    def enough(runs: int) -> bool:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = float(test.power(effect, runs, alpha, alternative="larger"))
        # Where even this one is NaN, the effect is tens of standard errors.
        return found >= power or (math.isnan(found) and runs > 2)

    runs = max(start, 2)
    while not enough(runs) and runs <= MOST:
        runs += 1
    while runs > 2 and enough(runs - 1):
        runs -= 1
    return runs


def approximate_runs(
    spread: float,
    change: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    two_sided: bool = False,
) -> float:
    """The same in closed form, from the normal distribution:
    n = 2 (z_alpha + z_power)^2 (spread / change)^2 + z_alpha^2 / 4 (Guenther 1981)."""
    z = NormalDist().inv_cdf(1 - (alpha / 2 if two_sided else alpha))
    ratio = spread / change
    if ratio > 1e100:
        return math.inf
    return 2 * (z + NormalDist().inv_cdf(power)) ** 2 * ratio**2 + z * z / 4


def runs_to_be_red(
    spread: float, change: float, limit: float, *, alpha: float, power: float = 0.8
) -> int | None:
    """Fewest runs a side with which a gate with that limit is red with chance `power`.

    It has to be significant, one-sided at `alpha`, and to come out beyond `limit`
    (as `change`, on logs).  None where no number does: a true change of just the
    limit comes out beyond it in half of all cases, whatever the number of runs.
    """
    room = change - limit
    if room <= 0:
        return None
    significant = runs_per_side(spread, change, alpha=alpha, power=power)
    z = max(NormalDist().inv_cdf(power), 0.0)
    beyond = 2 * (z * spread / room) ** 2 if spread / room < 1e100 else math.inf
    if significant is None or not beyond <= MOST:
        return None
    return max(significant, math.ceil(beyond - 1e-9))

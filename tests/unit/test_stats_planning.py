"""How many runs find a change: against statsmodels, a published table, simulation."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy import integrate, stats
from statsmodels.stats.power import tt_ind_solve_power

from gitbench.stats.planning import (
    MOST,
    approximate_runs,
    runs_per_side,
    runs_to_be_red,
)

TABLE = {
    0.01: (17, 6, 3, 2, 2),
    0.02: (65, 18, 4, 3, 2),
    0.03: (144, 38, 8, 3, 2),
    0.05: (398, 102, 18, 6, 3),
    0.10: (1587, 402, 67, 19, 6),
    0.15: (3569, 902, 150, 40, 12),
}
"""Runs a side for changes of 1, 2, 5, 10 and 20 %, by run-to-run noise: 80 % power,
two-sided .05."""


@pytest.mark.parametrize("spread", TABLE)
def test_the_usual_table_comes_out(spread: float) -> None:
    """The numbers that planning tables print, for noises from 1 to 15 %."""
    changes = (0.01, 0.02, 0.05, 0.10, 0.20)
    found = [runs_per_side(spread, math.log1p(x), two_sided=True) for x in changes]
    assert tuple(found) == TABLE[spread]


@pytest.mark.parametrize("effect", [0.05, 0.3, 0.7, 1.1, 1.9])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_it_is_what_statsmodels_solves(effect: float, alpha: float) -> None:
    """Where its solver converges, the number is its own, rounded up."""
    solved = tt_ind_solve_power(effect, alpha=alpha, power=0.8, alternative="larger")
    found = runs_per_side(1.0, effect, alpha=alpha)
    assert found == math.ceil(float(np.squeeze(solved)))


@pytest.mark.parametrize("effect", [3.7, 4.88, 9.1, 9.76, 20.0, 50.0, 1e6, 1e300])
@pytest.mark.parametrize("two_sided", [False, True])
def test_a_large_effect_takes_the_fewest_runs(effect: float, two_sided: bool) -> None:
    """Where statsmodels' solver and scipy's tail give NaN, integration decides."""
    found = runs_per_side(1.0, effect, two_sided=two_sided)
    expected = next(n for n in range(2, 5) if _power(effect, n, two_sided) >= 0.8)
    assert found == expected


def _power(effect: float, runs: int, two_sided: bool) -> float:
    """Power of the t test by integration over the chi-square of the variance."""
    df, shift = 2 * runs - 2, min(effect, 1e3) * math.sqrt(runs / 2)
    critical = stats.t.isf(0.025 if two_sided else 0.05, df)

    def density(v: float) -> float:
        tail = stats.norm.sf(critical * math.sqrt(v / df) - shift)
        return float(tail * stats.chi2.pdf(v, df))

    return float(integrate.quad(density, 0, np.inf, limit=200)[0])


@pytest.mark.parametrize("spread", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("change", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_the_closed_form_is_near(spread: float, change: float, power: float) -> None:
    """Guenther's formula is within one run, or two where there are few."""
    exact = runs_per_side(spread, change, power=power)
    assert exact is not None
    assert abs(exact - approximate_runs(spread, change, power=power)) < 2


def test_degenerate_noise_has_an_answer() -> None:
    """No noise takes two runs; beyond all measure there is no number."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert runs_per_side(0.0, 0.05) == 2
        assert runs_per_side(1e-300, 0.05) == 2
        assert runs_per_side(1e300, 1e-300) is None
        assert runs_per_side(1.0, 1e-3) is None
        assert approximate_runs(1.0, 1e-3) > MOST


@pytest.mark.parametrize("change", [0.0, -0.1, math.nan, math.inf])
def test_no_change_cannot_be_found(change: float) -> None:
    """An effect of nothing is a mistake, not a number of runs."""
    with pytest.raises(ValueError, match="above 0"):
        runs_per_side(0.02, change)


def test_a_change_of_the_threshold_is_never_reliably_red() -> None:
    """What lies on the limit comes out beyond it in half of all cases."""
    limit = math.log(1.05)
    assert runs_to_be_red(0.01, limit, limit, alpha=0.05) is None
    assert runs_to_be_red(0.01, limit / 2, limit, alpha=0.05) is None


def test_a_red_row_has_to_come_out_beyond_its_limit() -> None:
    """With the number of runs it says, four of five simulated gates are red."""
    spread, change, limit = 0.03, math.log(1.06), math.log(1.05)
    runs = runs_to_be_red(spread, change, limit, alpha=0.05)
    significant = runs_per_side(spread, change, alpha=0.05)
    assert runs is not None
    assert significant is not None
    assert runs > significant
    rng = np.random.default_rng(7)
    base = rng.normal(0, spread, (20_000, runs))
    head = rng.normal(change, spread, (20_000, runs))
    p = stats.ttest_ind(head, base, axis=1, alternative="greater").pvalue
    red = (p < 0.05) & (head.mean(axis=1) - base.mean(axis=1) > limit)
    assert 0.78 < red.mean() < 0.84

"""Priors are likely by scipy's F distribution; moderated variances are its means."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special, stats

from gitbench.stats.multiple import benjamini_hochberg
from gitbench.stats.student import tail
from gitbench.stats.variance import (
    MAX_PRIOR_DF,
    NO_PRIOR,
    SMALL_SUITE,
    Prior,
    fit_prior,
    log_chi_square,
    moderate,
)


def draw(rows: int, df: float, prior: Prior, seed: int) -> np.ndarray:
    """Sample variances of rows whose true variances follow `prior`."""
    rng = np.random.default_rng(seed)
    true = prior.variance * prior.df / rng.chisquare(prior.df, rows)
    return true * rng.chisquare(df, rows) / df


def likelihood(variances: np.ndarray, df: np.ndarray, prior_df: float) -> float:
    """Log likelihood of a prior by scipy's F distribution, its best variance taken."""

    def of_scale(log_scale: float) -> float:
        scaled = variances / np.exp(log_scale)
        return -float(np.sum(stats.f.logpdf(scaled, df, prior_df) - log_scale))

    middle = float(np.log(np.median(variances)))
    bounds = (middle - 6, middle + 6)
    return -float(optimize.minimize_scalar(of_scale, bounds=bounds).fun)


@pytest.mark.parametrize("seed", range(5))
def test_prior_has_the_fewest_degrees_of_freedom_that_are_likely(seed: int) -> None:
    """By scipy's F distribution the prior lies half a unit of log likelihood below
    the best one, on the side of fewer degrees of freedom."""
    rng = np.random.default_rng(seed)
    df = rng.integers(1, 12, 80).astype(float)
    true = (
        1e-4
        * np.array([3.0, 0.7, 6.0, 20.0, 1.5])[seed]
        / rng.chisquare([3.0, 0.7, 6.0, 20.0, 1.5][seed], 80)
    )
    variances = true * rng.chisquare(df) / df
    found = fit_prior(variances, df, NO_PRIOR)
    best = max(likelihood(variances, df, g) for g in np.geomspace(0.25, 200, 200))
    assert likelihood(variances, df, found.df) == pytest.approx(best - 0.5, abs=0.02)
    assert likelihood(variances, df, 0.9 * found.df) < best - 0.5
    scaled = stats.f.logpdf(variances / found.variance, df, found.df)
    at_found = float(np.sum(scaled - np.log(found.variance)))
    assert at_found == pytest.approx(likelihood(variances, df, found.df), abs=0.02)


def test_prior_is_found_again() -> None:
    """From many rows the prior that made them is found within a few per cent."""
    found = fit_prior(
        draw(20_000, 4.0, Prior(6.0, 4e-4), 7), np.full(20_000, 4.0), NO_PRIOR
    )
    assert found.df == pytest.approx(6.0, rel=0.06)
    assert found.variance == pytest.approx(4e-4, rel=0.03)


def test_variances_more_alike_than_chance_have_a_large_prior() -> None:
    """Equal variances give many degrees of freedom, at most 200, and that variance."""
    found = fit_prior(np.full(3000, 4e-4), np.full(3000, 5.0), NO_PRIOR)
    assert 150 < found.df <= MAX_PRIOR_DF == 200
    assert found.variance == pytest.approx(4e-4, rel=0.02)


def test_the_scale_of_the_variances_does_not_matter() -> None:
    """Variances a millionfold greater have the same prior, a millionfold greater."""
    variances, df = draw(50, 3.0, Prior(5.0, 1e-4), 2), np.full(50, 3.0)
    small, large = (fit_prior(f * variances, df, NO_PRIOR) for f in (1.0, 1e6))
    assert large.df == pytest.approx(small.df, rel=1e-6)
    assert large.variance == pytest.approx(1e6 * small.variance, rel=1e-6)


def test_rows_of_zero_variance_take_no_part() -> None:
    """Constant rows, and rows without degrees of freedom, leave the prior as it is."""
    variances = draw(25, 4.0, Prior(5.0, 1e-4), 3)
    some = fit_prior(variances, np.full(25, 4.0), NO_PRIOR)
    more = fit_prior(
        np.concatenate([variances, np.zeros(9), np.full(9, 1e-30), np.full(3, 7.0)]),
        np.concatenate([np.full(43, 4.0), np.zeros(3)]),
        NO_PRIOR,
    )
    assert more == some


@pytest.mark.parametrize("spread", [0.0, 1e-3, 700.0])
def test_extreme_variances_have_a_finite_prior(spread: float) -> None:
    """Nearly equal variances, and ones from 1e-20 to 1e300, give finite numbers."""
    logs = np.linspace(-min(spread, 46), spread, 20)
    found = fit_prior(np.exp(logs), np.full(20, 2.0), NO_PRIOR)
    assert np.isfinite([found.df, found.variance]).all()
    assert found.df > 0
    assert found.variance > 0


@pytest.mark.parametrize("rows", [0, 1, 9])
def test_small_suites_use_the_fallback(rows: int) -> None:
    """Fewer than ten rows fit no prior."""
    variances = np.full(rows, 1e-4)
    assert fit_prior(variances, np.full(rows, 4.0), SMALL_SUITE) is SMALL_SUITE


def test_moderated_variance_is_the_weighted_mean() -> None:
    """A row's variance and the prior's are weighted by their degrees of freedom."""
    variance, df = moderate(np.array([4.0, 0.0]), np.array([4.0, 2.0]), Prior(6.0, 1.0))
    assert df.tolist() == [10.0, 8.0]
    assert variance.tolist() == [(4 * 4 + 6) / 10, 6 / 8]


def test_nothing_known_gives_zero() -> None:
    """Without a prior and without degrees of freedom both numbers are 0, not NaN."""
    variance, df = moderate(np.array([0.0]), np.array([0.0]), NO_PRIOR)
    assert (variance.tolist(), df.tolist()) == ([0.0], [0.0])


def test_logs_of_chi_square_are_those_of_scipy() -> None:
    """Their mean and variance are digamma and trigamma, from .1 df to 1e6."""
    df = np.geomspace(0.1, 1e6, 200)
    mean, variance = log_chi_square(df)
    assert np.allclose(
        mean, special.digamma(df / 2) - np.log(df / 2), rtol=1e-9, atol=1e-12
    )
    assert np.allclose(variance, special.polygamma(1, df / 2), rtol=1e-10)


# ----------------------------------------------------- noise that goes with the size


def sized(rows: int, slope: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sample variances with 2 df, and the sizes that they follow."""
    sizes = np.random.default_rng(seed).normal(-7, 2, rows)
    return draw(rows, 2.0, Prior(8.0, 1e-4), seed) * np.exp(slope * (sizes + 7)), sizes


def test_a_trend_over_the_sizes_is_that_of_least_squares() -> None:
    """The slope is that of statsmodels' regression of the log variances; the prior is
    then that of what is left."""
    from statsmodels.regression.linear_model import OLS

    variances, sizes = sized(60, -0.8, 1)
    df = np.full(60, 2.0)
    found = fit_prior(variances, df, NO_PRIOR, sizes)
    design = np.column_stack([np.ones(60), sizes])
    fitted = OLS(np.log(variances), design).fit()
    assert found.slope == pytest.approx(fitted.params[1], rel=1e-9)
    assert found.size == pytest.approx(sizes.mean(), rel=1e-9)
    flat = fit_prior(variances / found.trend(sizes), df, NO_PRIOR)
    assert (found.df, found.variance) == (flat.df, flat.variance)
    assert found.df > fit_prior(variances, df, NO_PRIOR).df
    moderated, total = moderate(variances, df, found, sizes)
    expected = found.df * found.variance * found.trend(sizes) + 2 * variances
    assert np.allclose(moderated, expected / total)


def test_a_slope_that_may_be_chance_is_not_believed() -> None:
    """Of 200 suites of equally noisy rows, few have a trend; their prior is the plain
    one."""
    trends = 0
    for seed in range(200):
        variances, sizes = sized(40, 0.0, seed)
        found = fit_prior(variances, np.full(40, 2.0), NO_PRIOR, sizes)
        trends += found.slope != 0
        if not found.slope:
            assert found == fit_prior(variances, np.full(40, 2.0), NO_PRIOR)
    assert trends <= stats.binom.ppf(0.999, 200, 0.017)


def test_rows_of_one_size_have_no_trend() -> None:
    """Sizes that do not differ tell nothing, and nothing is divided by zero."""
    variances, _ = sized(30, 0.0, 2)
    with np.errstate(all="raise"):
        found = fit_prior(variances, np.full(30, 2.0), NO_PRIOR, np.full(30, 5.0))
    assert found.slope == 0


# ------------------------------------------------------------- why not by moments


def fit_by_moments(variances: np.ndarray, df: np.ndarray) -> Prior:
    """Smyth's own estimate, from mean and variance of the log variances."""
    e = np.log(variances) - special.digamma(df / 2) + np.log(df / 2)
    excess = e.var(ddof=1) - special.polygamma(1, df / 2).mean()
    half = MAX_PRIOR_DF / 2
    if excess > special.polygamma(1, half):
        half = optimize.brentq(
            lambda x: special.polygamma(1, x) - excess, 1e-3, MAX_PRIOR_DF / 2
        )
    center = e.mean() + special.digamma(half) - np.log(half)
    return Prior(2 * half, float(np.exp(center)))


def alarm_rate(
    by_moments: bool, rows: int, k: int, true_df: float, trials: int = 300
) -> float:
    """Share of comparisons of unchanged rows with any adjusted p-value below .05."""
    alarms = 0
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        deviations = np.sqrt(true_df / rng.chisquare(true_df, (rows, 1)))
        x = rng.normal(0, 0.01, (rows, k + 1)) * deviations
        own, df = x[:, :k].var(axis=1, ddof=1), np.full(rows, k - 1.0)
        prior = fit_by_moments(own, df) if by_moments else fit_prior(own, df, NO_PRIOR)
        variance, degrees = moderate(own, df, prior)
        t = (x[:, k] - x[:, :k].mean(axis=1)) / np.sqrt(variance * (1 + 1 / k))
        alarms += bool((benjamini_hochberg(tail(t, degrees)) < 0.05).any())
    return alarms / trials


@pytest.mark.parametrize(("k", "true_df"), [(2, 3.0), (2, 8.0), (3, 3.0), (3, 8.0)])
def test_likelihood_raises_fewer_alarms_than_moments(k: int, true_df: float) -> None:
    """With two or three sessions the prior by moments is too sure of itself; the one
    by likelihood stays near alpha.  `-s` shows the figures of the documents."""
    ours, moments = (alarm_rate(one, 40, k, true_df) for one in (False, True))
    print(
        f"\n40 rows k={k} prior df {true_df:g}: "
        f"alarms {ours:.1%}, by moments {moments:.1%}"
    )
    assert ours < moments
    assert ours < 0.09

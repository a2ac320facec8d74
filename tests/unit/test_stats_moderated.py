"""The default procedure: numbers by hand, error rates by seeded simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from gitbench.stats.moderated import (
    SUITE_PRIOR,
    Change,
    Procedure,
    Sessions,
    compare_sessions,
    exceeds,
)
from gitbench.stats.multiple import benjamini_hochberg
from gitbench.stats.multiple import weights as family_weights
from gitbench.stats.power import MOST_SESSIONS, detectable, sessions_needed
from gitbench.stats.shift import respond
from gitbench.stats.variance import NO_PRIOR, SMALL_SUITE, fit_prior

T = float(np.log(1.05))
ALPHA = 0.05


def sessions(
    window: np.ndarray,
    head: np.ndarray,
    window_error: float = 0.0,
    head_error: float = 0.0,
    head_error_df: float = 0.0,
) -> Sessions:
    """Sessions whose values tell the same error everywhere."""
    return Sessions(
        window,
        head,
        np.full(window.shape, window_error),
        np.full(head.shape, head_error),
        np.full(head.shape, head_error_df),
    )


def run(given: Sessions, **options: object) -> Procedure:
    """The procedure at a threshold of 5 % for all rows."""
    rows = len(given.window)
    least, fitted = np.full(rows, T), np.ones(rows, dtype=bool)
    return compare_sessions(given, least, fitted, ALPHA, **options)  # type: ignore[arg-type]


def noise(rows: int, k: int, seed: int, n: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Window and head of unchanged code: rows of unequal noise, days that differ."""
    rng = np.random.default_rng(seed)
    deviations = 0.012 * np.sqrt(6 / rng.chisquare(6, (rows, 1)))
    x = rng.normal(0, 3, (rows, 1)) + rng.normal(0, deviations, (rows, k + n))
    x += rng.normal(0, 0.01, k + n)
    return x[:, :k], x[:, k:]


# ------------------------------------------------------------------------- by hand


def test_a_small_suite_by_hand() -> None:
    """One row of four sessions: scipy gives the same p-value and interval."""
    window = np.log([[1.00, 1.01, 0.99, 1.02]])
    head = np.log([[1.12]])
    change = run(sessions(window, head)).change
    s2 = window[0].var(ddof=1)
    v, df = (2 * 0.02**2 + 3 * s2) / 5, 5
    delta = head[0, 0] - window[0].mean()
    error = np.sqrt(v + v / 4)
    assert change.delta[0] == pytest.approx(delta, rel=1e-12)
    assert change.variance[0] == pytest.approx(error**2, rel=1e-12)
    assert change.df[0] == df
    assert change.p_worse[0] == pytest.approx(stats.t.sf(delta / error, df), rel=1e-9)
    assert change.half_width[0] == pytest.approx(
        stats.t.isf(ALPHA, df) * error, rel=1e-9
    )


def test_without_a_prior_it_is_the_t_test() -> None:
    """With no prior the p-value is that of scipy's pooled two-sample t test."""
    rng = np.random.default_rng(5)
    window, head = rng.normal(0, 0.02, (9, 6)), rng.normal(0.01, 0.02, (9, 1))
    change = run(sessions(window, head), small_prior=NO_PRIOR, adjust=False).change
    expected = stats.ttest_ind(head, window, axis=1, alternative="greater").pvalue
    assert np.allclose(change.p_worse, expected, rtol=1e-9)
    assert change.df.tolist() == [5.0] * 9


def test_a_suite_by_hand() -> None:
    """Forty rows: shift, prior, variance, t and p, computed anew with scipy."""
    window, head = noise(40, 5, seed=11)
    head[7] += 0.2
    found = run(sessions(window, head, 2e-4, 3e-4, 9.0))
    effects = np.zeros(6)
    both = np.concatenate([window, head], axis=1)
    for _ in range(50):
        levels = (both[:, :5] - effects[:5]).mean(axis=1)
        effects = np.median(both - levels[:, None], axis=0)
        effects -= effects[:5].mean()
    adjusted = both - effects
    went = respond(
        adjusted[:, :5], adjusted[:, 5:], effects[:5], effects[5:], np.full(40, True)
    )
    df = 4 - went.spent
    s2 = went.window.var(axis=1, ddof=1) * 4 / df
    prior = fit_prior(s2, df, SMALL_SUITE, window.mean(axis=1))
    assert prior.slope == 0
    v = (prior.df * prior.variance + df * s2) / (prior.df + df)
    v = np.maximum(v, 2e-4)
    error = np.sqrt(np.maximum(v, 3e-4) + v / 5 + went.variance(v))
    delta = went.head[:, 0] - went.window.mean(axis=1)
    change = found.change
    assert found.prior.df == pytest.approx(prior.df, rel=1e-6)
    assert np.allclose(change.delta, delta, atol=1e-8)
    assert np.allclose(np.sqrt(change.variance), error, rtol=1e-6)
    assert np.allclose(change.df, prior.df + df, rtol=1e-6)
    p = stats.t.sf(delta / error, prior.df + df)
    assert np.allclose(change.p_worse, p, rtol=1e-4)
    assert np.allclose(
        change.half_width, stats.t.isf(ALPHA, change.df) * error, rtol=1e-5
    )
    assert np.allclose(found.shift, effects[5] + went.offset, atol=1e-8)
    suite = found.suite
    assert suite is not None
    v = (2 * 0.01**2 + 4 * effects[:5].var(ddof=1)) / 6
    t = effects[5] / np.sqrt(v * 1.2)
    assert suite.delta[0] == pytest.approx(effects[5], abs=1e-8)
    assert suite.p_worse[0] == pytest.approx(stats.t.sf(t, 6), rel=1e-5)


def test_heads_own_error_counts_with_its_own_degrees_of_freedom() -> None:
    """A head noisier than the window has its variance, and few degrees of freedom."""
    window, head = noise(40, 5, seed=2)
    quiet = run(sessions(window, head)).change
    noisy = run(sessions(window, head, 0.0, 0.09, 4.0)).change
    base = noisy.base_variance / 5
    assert np.allclose(noisy.variance - noisy.response_variance, 0.09 + base)
    welch = (0.09 + base) ** 2 / (0.09**2 / 4 + base**2 / quiet.df)
    assert np.allclose(noisy.df, np.minimum(welch, quiet.df), rtol=1e-12)
    assert np.all(noisy.df < quiet.df)


@pytest.mark.parametrize("df", [1.0, 2.0, 5.0, 30.0])
@pytest.mark.parametrize("other_df", [3.0, 10.0, 200.0])
def test_a_variance_exceeds_another_at_five_per_cent(
    df: float, other_df: float
) -> None:
    """Where one variance begins to exceed another, scipy's F test has p near .05."""
    ratios = np.geomspace(1, 200, 4000)
    ones = np.ones_like(ratios)
    found = exceeds(ratios, df * ones, ones, other_df * ones)
    first = ratios[int(np.argmax(found))]
    assert found[-1]
    assert not found[0]
    assert 0.045 <= stats.f.sf(first, df, other_df) <= 0.053


def test_a_spike_that_was_measured_again_is_no_regression() -> None:
    """Two sessions of head that contradict each other never give a small p-value."""
    window, head = noise(40, 5, seed=4)
    again = np.concatenate([head, head], axis=1)
    again[3, 0] += 0.4
    spiked = head.copy()
    spiked[3] += 0.4
    assert run(sessions(window, spiked)).change.p_worse[3] < 1e-6
    assert run(sessions(window, again)).change.p_worse[3] > 0.05
    real = np.concatenate([head, head], axis=1)
    real[3] += [0.4, 0.41]
    assert run(sessions(window, real)).change.p_worse[3] < 1e-6


def test_absent_sessions_are_left_out() -> None:
    """A row that is absent from some sessions is tested with those it is in."""
    window, head = noise(40, 6, seed=9)
    window[0, 2:] = np.nan
    found = run(sessions(window, head))
    assert found.change.levels.sessions.tolist() == [2] + [6] * 39
    assert found.change.df[0] == pytest.approx(found.prior.df + 1)  # no response
    for name in ("delta", "variance", "df", "p_worse", "half_width", "delta_older"):
        assert np.isfinite(getattr(found.change, name)).all()


def test_a_suite_with_one_session_has_no_tested_shift() -> None:
    """One session cannot tell whether a shift is unusual, but the shift is known."""
    window, head = noise(40, 1, seed=3)
    found = run(sessions(window, head + 0.1))
    assert found.suite is None
    assert np.allclose(found.shift, np.median(head + 0.1 - window), atol=1e-9)


def test_constants_have_no_spread_but_finite_numbers() -> None:
    """Rows without any variance and without a prior say so by a variance of 0."""
    window, head = np.zeros((3, 4)), np.array([[0.0], [0.1], [-0.1]])
    change = run(sessions(window, head), small_prior=NO_PRIOR, adjust=False).change
    assert change.variance.tolist() == [0.0] * 3
    assert change.p_worse.tolist() == [0.5] * 3
    assert change.half_width.tolist() == [0.0] * 3


# --------------------------------------------------------------------- error rates


@pytest.mark.parametrize(("rows", "k"), [(12, 3), (40, 3), (40, 8)])
def test_unchanged_code_raises_alarms_no_more_often_than_alpha(
    rows: int, k: int
) -> None:
    """Whole comparisons of unchanged code with any p below alpha, shift included,
    stay at alpha, even without a threshold that would hide small changes."""
    trials, alarms = 300, 0
    for seed in range(trials):
        found = run(sessions(*noise(rows, k, seed=seed)))
        assert found.suite is not None
        of_rows, of_suite = family_weights(rows, 1)
        p = np.append(found.change.p_worse / of_rows, found.suite.p_worse / of_suite)
        p = np.minimum(p, 1)
        alarms += bool((benjamini_hochberg(p) < ALPHA).any())
    print(f"\n{rows} rows, {k} sessions: alarms in {alarms} of {trials}", end="")
    assert alarms <= stats.binom.ppf(0.999, trials, ALPHA)


def test_rows_noisier_in_head_than_ever_raise_no_more_alarms() -> None:
    """Head's ten values tell that a tenth of its rows are five times as noisy today."""
    trials, alarms = 200, 0
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        x = rng.normal(0, 0.01, (40, 6))
        noisy = np.where(rng.random(40) < 0.1, 0.05, 0.002) * np.sqrt(10)
        values = rng.normal(0, noisy[:, None], (40, 10))
        head = x[:, 5:] + values.mean(axis=1, keepdims=True)
        given = sessions(x[:, :5], head, 0.0, 0.0, 9.0)
        own = values.var(axis=1, ddof=1, keepdims=True) / 10
        change = run(replace(given, head_error=own)).change
        alarms += bool((benjamini_hochberg(change.p_worse) < ALPHA).any())
    assert alarms <= stats.binom.ppf(0.999, trials, ALPHA)


def test_the_interval_covers_as_often_as_it_says() -> None:
    """The 90 % interval holds the true change in about 90 % of rows."""
    covered = []
    for seed in range(60):
        change = run(sessions(*noise(60, 4, seed=seed))).change
        covered.append(np.abs(change.delta) <= change.half_width)
    print(f"\nthe 90 % interval covers in {np.mean(covered):.1%}", end="")
    assert 0.88 < np.mean(covered) < 0.93


def test_what_the_gate_can_see_is_found_in_four_of_five() -> None:
    """A change of the size called detectable is found with power 80 %."""
    level, limit = ALPHA / 61, np.full(60, T)
    hits = []
    for seed in range(60):
        change = run(sessions(*noise(60, 4, seed=seed))).change
        size = detectable(change, limit, level)
        assert np.all(size > limit)
        p = stats.t.sf((change.delta + size) / np.sqrt(change.variance), change.df)
        hits.append((p < level) & (change.delta + size > limit))
    print(f"\nchanges called detectable are found in {np.mean(hits):.1%}", end="")
    assert 0.77 < np.mean(hits) < 0.84


# ----------------------------------------------------------------- further sessions


def decided(
    change: Change, further: int, level: float, baseline: int = 0
) -> np.ndarray:
    """Whether rows would be decided with so many further sessions a side."""
    variance = change.head_variance / (change.sessions + further)
    newest = change.levels.newest
    fixed = change.base_variance / newest + change.response_variance
    error = np.sqrt(variance + fixed * newest / (newest + baseline))
    p = stats.t.sf(np.abs(change.delta) / error, change.df)
    beyond = (p < level) & (np.abs(change.delta) > T)
    upper = change.delta + stats.t.isf(ALPHA, change.df) * error
    return beyond | (upper < T)


def test_sessions_needed_is_the_smallest_number_that_decides() -> None:
    """The number is found by trying each; where fifty do not decide it is 0, and
    whether fifty of the baseline as well would is told."""
    window, head = noise(60, 3, seed=21)
    head += np.linspace(-0.15, 0.15, 60)[:, None]
    change = run(sessions(window, head, 0.0, 4e-4, 4.0)).change
    limit = np.full(60, T)
    found = sessions_needed(change, limit, limit, 0.001, ALPHA)
    tried = [decided(change, n, 0.001) for n in range(1, MOST_SESSIONS + 1)]
    both = decided(change, MOST_SESSIONS, 0.001, MOST_SESSIONS)
    for row, number in enumerate(found.sessions.tolist()):
        wanted = [n for n, rows in enumerate(tried, 1) if rows[row]]
        assert number == (wanted[0] if wanted else 0)
        assert found.of_baseline[row] == (not wanted and both[row])
    assert len(set(found.sessions.tolist())) > 3
    assert found.of_baseline.any()


def test_an_estimate_at_its_limit_is_decided_by_nothing() -> None:
    """Neither fifty sessions of head nor fifty of the baseline tell 5 % from 5 %."""
    window = np.array([[0.01, -0.01, 0.012, -0.012, 0.0]])
    change = run(sessions(window, np.array([[T]]))).change
    limit = np.full(1, T)
    found = sessions_needed(change, limit, limit, ALPHA, ALPHA)
    assert (found.sessions.tolist(), found.of_baseline.tolist()) == ([0], [False])


# ----------------------------------------------------- machines that differ, and cuts


def machines(seed: int, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Unchanged code on two kinds of machine, to which rows respond unequally."""
    rng = np.random.default_rng(seed)
    kind = rng.permutation(np.resize([0.0, -0.12], k + 1))
    response = 1 + rng.normal(0, 0.35, (50, 1))
    x = rng.normal(0, 3, (50, 1)) + rng.normal(0, 0.012, (50, k + 1)) + response * kind
    return x[:, :k], x[:, k:]


def test_rows_that_respond_unequally_to_a_machine_are_not_blinded() -> None:
    """On runners of two kinds 12 % apart, to which rows respond by a third more or
    less, a row 10 % slower is significant in most cases, and unchanged rows rarely."""
    found, alarms = [], 0
    for seed in range(60):
        window, head = machines(seed)
        head[:5] += np.log(1.1)
        p = run(sessions(window, head)).change.p_worse
        adjusted = benjamini_hochberg(p)
        found.append(adjusted[:5] < ALPHA)
        alarms += np.count_nonzero(adjusted[5:] < ALPHA)
    print(f"\nfound on two machines: {np.mean(found):.1%}, alarms {alarms}", end="")
    assert np.mean(found) > 0.85
    assert alarms <= 0.005 * 60 * 45


def test_an_accepted_step_cuts_its_rows_and_no_others() -> None:
    """The newest level of a forced row is the sessions since; others are as before."""
    window, head = noise(40, 6, seed=13)
    window[0, :2] += 0.1
    head[0] += 0.1
    forced = np.zeros(40, dtype=np.intp)
    forced[0] = 2
    change = run(sessions(window, head), forced=forced).change
    assert change.levels.newest.tolist() == [2] + [6] * 39
    assert change.levels.given.tolist() == [True] + [False] * 39
    step = change.levels.center - change.levels.older
    assert step[0] == pytest.approx(0.1, abs=0.03)
    assert step[1:].tolist() == [0.0] * 39


def test_a_suite_is_cut_where_all_of_its_rows_are() -> None:
    """A change of a whole suite that was accepted is the suite's own new level."""
    window, head = noise(40, 3, seed=14)
    window[:, 0] += 0.3
    head += 0.3
    plain, cut = (
        run(sessions(window, head), forced=np.full(40, number, dtype=np.intp)).suite
        for number in (0, 1)
    )
    assert plain is not None
    assert cut is not None
    assert plain.delta[0] > 0.1
    assert abs(cut.delta[0]) < 0.05
    assert cut.levels.newest.tolist() == [1]


def test_degrees_of_freedom_of_two_variances_are_welchs() -> None:
    """A noisy head's degrees of freedom are those of scipy's Welch test of the same
    samples, where that has no more than the window."""
    rng = np.random.default_rng(9)
    window = rng.normal(0, 0.004, (1, 8))
    values = rng.normal(0.1, 0.05, 5)
    own = values.var(ddof=1) / 5
    given = sessions(window, np.array([[values.mean()]]), 0.0, own, 4.0)
    change = run(given, small_prior=NO_PRIOR, adjust=False).change
    book = stats.ttest_ind(values, window[0], equal_var=False, alternative="greater")
    assert change.df[0] == pytest.approx(book.df, rel=1e-12)
    assert change.p_worse[0] == pytest.approx(book.pvalue, rel=1e-9)


@pytest.mark.parametrize("size", [1e-300, 1.0, 1e300])
@pytest.mark.parametrize("k", [1, 2, 3, 10])
def test_degenerate_suites_have_finite_numbers(size: float, k: int) -> None:
    """Constants, ties and single sessions give numbers, never NaN or a division."""
    rows = 12
    window = np.log(np.full((rows, k), size))
    head = window[:, :1].copy()
    window[0, 0] += 0.1
    head[1] += 700.0
    for given in (window, np.where(np.arange(k) < 1, window, np.nan)):
        with np.errstate(all="raise", under="ignore"):
            found = run(sessions(given, head))
        change = found.change
        for name in ("delta", "delta_older", "variance", "df", "p_worse", "half_width"):
            assert np.isfinite(getattr(change, name)).all()
        assert np.isfinite(found.shift).all()


def test_the_suites_prior_is_one_per_cent() -> None:
    """The shift's prior is stated in the documents: 1 %, worth two sessions."""
    assert (SUITE_PRIOR.df, SUITE_PRIOR.variance) == (2.0, 0.01**2)
    assert (SMALL_SUITE.df, SMALL_SUITE.variance) == (2.0, 0.02**2)

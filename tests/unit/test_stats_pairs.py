"""Pairs by round against scipy's paired t test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gitbench.stats.pairs import compare_pairs, count_pairs

ALPHA = 0.05


def rounds(
    rows: int, r: int, change: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Logs of both sides: drift of 5 % from round to round is common, noise is 1 %."""
    rng = np.random.default_rng(seed)
    drift = rng.normal(0, 0.05, size=(rows, r))
    base = drift + rng.normal(0, 0.01, size=(rows, r))
    return base, drift + change + rng.normal(0, 0.01, size=(rows, r))


ONE = np.zeros(8, dtype=np.intp)


def test_pairs_agree_with_scipy() -> None:
    """p-value and interval are those of a paired t test."""
    base, head = rounds(20, 8, 0.01)
    found = compare_pairs(base, head, ONE, ALPHA)
    expected = stats.ttest_rel(head, base, axis=1, alternative="greater")
    assert np.allclose(found.p_worse, expected.pvalue, rtol=1e-9)
    both = stats.ttest_rel(head, base, axis=1).confidence_interval(1 - 2 * ALPHA)
    assert np.allclose(found.delta - found.below, both.low)
    assert np.allclose(found.delta + found.half_width, both.high)


def test_rounds_of_one_side_alone_do_not_count() -> None:
    """A gap on either side leaves the round out, as if it had not been."""
    base, head = rounds(1, 8, 0.02)
    base[0, 2] = head[0, 5] = np.nan
    left = [0, 1, 3, 4, 6, 7]
    found = compare_pairs(base, head, ONE, ALPHA)
    fewer = compare_pairs(base[:, left], head[:, left], ONE[:6], ALPHA)
    assert count_pairs(base, head).tolist() == found.sessions.tolist() == [6]
    assert found.p_worse == pytest.approx(fewer.p_worse)
    assert found.delta == pytest.approx(fewer.delta)


@pytest.mark.filterwarnings("error")
def test_no_pair_one_pair_and_constants_have_no_variance() -> None:
    """Nothing is NaN, and a p-value without a variance is 1/2."""
    base, head = np.zeros((4, 8)), np.ones((4, 8))
    base[0] = np.nan
    head[1, 1:] = np.nan
    head[2] = 0
    found = compare_pairs(base, head, ONE, ALPHA)
    assert found.delta.tolist() == [0, 1, 0, 1]
    assert found.variance.tolist() == [0.0] * 4
    assert found.p_worse.tolist() == [0.5] * 4
    assert found.levels.sessions.tolist() == [0, 1, 1, 1]


def test_sessions_that_disagree_are_the_pairs() -> None:
    """Two sessions of four quiet rounds, the one 5 % faster and the other 5 % slower,
    prove nothing; eight rounds of one session would."""
    rng = np.random.default_rng(1)
    difference = rng.normal(0, 0.001, (1, 8)) + np.repeat([-0.05, 0.06], 4)
    two = np.repeat([0, 1], 4)
    found = compare_pairs(np.zeros((1, 8)), difference, two, ALPHA)
    assert found.df.tolist() == [1]
    assert found.half_width[0] > 0.05
    steady = rng.normal(0.05, 0.001, (1, 8))
    agree = compare_pairs(np.zeros((1, 8)), steady, two, ALPHA)
    assert (agree.df.tolist(), agree.p_worse[0] < 1e-6) == ([7], True)


@pytest.mark.parametrize("r", [5, 10])
def test_false_alarms_of_pairs_are_alpha(r: int) -> None:
    """Unchanged rows are significant in 5 %, whatever drifts in common, and the
    corrected alarms of 20 rows stay at alpha."""
    base, head = rounds(10_000, r, seed=r)
    found = compare_pairs(base, head, np.zeros(r, dtype=np.intp), ALPHA)
    share = np.mean(found.p_worse < ALPHA)
    any_of_20 = np.mean(found.p_worse.reshape(-1, 20).min(axis=1) < ALPHA / 20)
    print(f"\n{r} rounds: {share:.3f} of rows, {any_of_20:.3f} of comparisons")
    assert 0.04 < share < 0.06
    assert any_of_20 < 0.08


def test_pairs_find_what_drift_hides_from_means() -> None:
    """A change of 3 % under a drift of 5 %: eight rounds in pairs find it in nearly
    every row, Welch's test on the same values in few."""
    base, head = rounds(500, 8, 0.03)
    paired = np.mean(compare_pairs(base, head, ONE, ALPHA).p_worse < ALPHA)
    means = stats.ttest_ind(head, base, axis=1, equal_var=False, alternative="greater")
    unpaired = np.mean(means.pvalue < ALPHA)
    print(f"\nfound: {paired:.2f} by pairs, {unpaired:.2f} by means")
    assert paired > 0.95
    assert unpaired < 0.4

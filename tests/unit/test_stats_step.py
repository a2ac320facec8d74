"""Steps inside the window are found as scipy's t test on every split finds them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gitbench.stats.step import CUT_LEVEL, find_levels

LEAST = np.log(1.05)


def by_hand(row: np.ndarray, least: float) -> tuple[int, float, float, float, float]:
    """Newest sessions, center, older center, variance and df, split by split."""
    x = row[~np.isnan(row)]
    k = len(x)
    best = (1.0, 0)
    if k >= 4:
        splits = [(stats.ttest_ind(x[:s], x[s:]).pvalue, s) for s in range(1, k - 1)]
        best = min(splits, key=lambda one: one[0])
        best = (best[0] * (k - 1), best[1])
    cut = best[1]
    if best[0] < CUT_LEVEL and abs(x[:cut].mean() - x[cut:].mean()) > least:
        rest = ((x[:cut] - x[:cut].mean()) ** 2).sum()
        rest += ((x[cut:] - x[cut:].mean()) ** 2).sum()
        return cut, x[:cut].mean(), x[cut:].mean(), rest / (k - 2), k - 2
    variance = x.var(ddof=1) if k > 1 else 0.0
    return k, x.mean(), x.mean(), variance, max(k - 1, 0)


@pytest.mark.parametrize("seed", range(6))
def test_levels_agree_with_t_tests_of_every_split(seed: int) -> None:
    """Where a row is cut, and what is left, is what Bonferroni t tests say."""
    rng = np.random.default_rng(seed)
    rows, k = 60, 10
    window = rng.normal(0, 0.01, (rows, k))
    place = rng.integers(1, k, rows)
    size = rng.choice([0, 0.04, 0.06, 0.1, 0.5, -0.2], rows)
    window += np.where(np.arange(k) < place[:, None], size[:, None], 0.0)
    window[rng.random((rows, k)) < 0.2] = np.nan
    window[:, 0] = np.where(np.isnan(window).all(axis=1), 0.0, window[:, 0])
    found = find_levels(window, np.full(rows, LEAST))
    expected = np.array([by_hand(row, LEAST) for row in window])
    assert found.sessions.tolist() == (~np.isnan(window)).sum(axis=1).tolist()
    assert found.newest.tolist() == expected[:, 0].astype(int).tolist()
    assert np.allclose(found.center, expected[:, 1], atol=1e-13)
    assert np.allclose(found.older, expected[:, 2], atol=1e-13)
    assert np.allclose(found.variance, expected[:, 3], rtol=1e-9, atol=1e-16)
    assert found.df.tolist() == expected[:, 4].tolist()
    assert 5 < np.count_nonzero(found.newest < found.sessions) < rows - 5


def test_a_prior_tells_a_step_of_five_sessions() -> None:
    """What the rows of a suite vary by tells a step that five sessions cannot, by a t
    test with the degrees of freedom of both."""
    row = np.array([[0.12, 0.105, 0.0, 0.015, -0.012]])
    least = np.array([LEAST])
    assert find_levels(row, least).newest.tolist() == [5]
    variance, df = 0.012**2, 30.0
    found = find_levels(row, least, prior=(np.array([variance]), df))
    assert found.newest.tolist() == [2]
    rest = row[0, :2].var() * 2 + row[0, 2:].var() * 3
    pooled = (rest + df * variance) / (3 + df)
    t = (row[0, :2].mean() - row[0, 2:].mean()) / np.sqrt(pooled * (1 / 2 + 1 / 3))
    assert 2 * stats.t.sf(t, 3 + df) * 4 < CUT_LEVEL
    wild = find_levels(row, least, prior=(np.array([0.05**2]), df))
    assert wild.newest.tolist() == [5]


def test_one_session_at_the_far_end_is_no_level() -> None:
    """A spike of the oldest session is noise of the row, however far off it is."""
    row = np.array([[0.0, 0.001, 0.002, 0.001, 0.0, 0.5]])
    assert find_levels(row, np.array([LEAST])).newest.tolist() == [6]


def test_three_sessions_are_never_cut() -> None:
    """A window too short for a test keeps all its sessions."""
    found = find_levels(np.array([[1.0, 0.0, 0.0]]), np.array([LEAST]))
    assert found.newest.tolist() == [3]


def test_a_perfect_step_is_cut_without_any_noise() -> None:
    """Constants that jump are cut where they jump; nothing is divided by zero."""
    found = find_levels(np.array([[2.0, 2.0, 1.0, 1.0, 1.0]]), np.array([LEAST]))
    assert found.newest.tolist() == [2]
    assert (found.center[0], found.older[0]) == (2.0, pytest.approx(1.0))
    assert found.variance[0] < 1e-30


def test_a_step_below_the_threshold_is_no_step() -> None:
    """However clear it is, a step within the threshold does not cut the window."""
    row = np.array([[0.04, 0.04, 0.04, 0.0, 0.0, 0.0]])
    assert find_levels(row, np.array([LEAST])).newest.tolist() == [6]


@given(
    st.lists(
        st.lists(
            st.one_of(st.just(float("nan")), st.floats(-20, 20)), min_size=6, max_size=6
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(derandomize=True, max_examples=150, deadline=None)
def test_gaps_in_a_row_do_not_matter(rows: list[list[float]]) -> None:
    """Absent sessions are left out, and no number comes back as NaN."""
    window = np.array(rows)
    found = find_levels(window, np.full(len(rows), LEAST))
    for place, row in enumerate(window):
        dense = row[~np.isnan(row)]
        alone = find_levels(dense[None, :], np.array([LEAST]))
        for name in ("sessions", "newest", "center", "older", "variance", "df"):
            one, other = getattr(found, name)[place], getattr(alone, name)[0]
            assert np.isfinite(one)
            assert one == pytest.approx(other, rel=1e-9, abs=1e-12)


def test_a_forced_cut_is_made_whatever_the_numbers_say() -> None:
    """The newest level is the sessions of so many newest columns, and the variance is
    pooled within both, as in scipy's t test; a row without either side is not cut."""
    rng = np.random.default_rng(8)
    window = rng.normal(0, 0.01, (4, 6))
    window[0, :2] += 0.2
    window[1, 1] = np.nan
    window[2, :3] = np.nan
    forced = np.array([4, 3, 3, 0])
    found = find_levels(window, np.full(4, LEAST), forced)
    assert found.newest.tolist() == [4, 2, 3, 6]
    assert found.given.tolist() == [True, True, False, False]
    for row in range(2):
        newest, older = window[row, : forced[row]], window[row, forced[row] :]
        newest = newest[~np.isnan(newest)]
        df = newest.size + older.size - 2
        squares = newest.var() * newest.size + older.var() * older.size
        assert found.center[row] == pytest.approx(newest.mean(), abs=1e-14)
        assert found.older[row] == pytest.approx(older.mean(), abs=1e-14)
        assert found.variance[row] == pytest.approx(squares / df, rel=1e-9)
        assert found.df[row] == df


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("number", [-1, 0, 1, 2, 99])
def test_short_windows_can_be_cut_by_force(k: int, number: int) -> None:
    """A window of two can be cut, one of one cannot; nothing is divided by zero."""
    with np.errstate(all="raise"):
        found = find_levels(np.zeros((1, k)), np.array([LEAST]), np.array([number]))
    cut = 0 < number < k
    assert found.newest.tolist() == [number if cut else k]
    assert found.df.tolist() == [max(k - 1 - cut, 0)]


def test_steps_beyond_two_to_the_53_and_near_zero_are_found() -> None:
    """Levels on a plain scale keep their numbers, large or tiny."""
    for size in (2.0**53, 1e-140, 1e140):
        row = size * np.array([[2.0, 2.0, 1.0, 1.0, 1.0]])
        found = find_levels(row, np.array([size / 2]))
        assert found.newest.tolist() == [2]
        assert found.center[0] == 2 * size

"""A suite's shift is found in spite of single rows, steps and gaps."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.stats.rows import first_present, median, row_means
from gitbench.stats.shift import RESPONSE, column_effects, respond

NUMBERS = st.one_of(st.just(float("nan")), st.floats(-1e3, 1e3))


@given(
    st.integers(1, 6).flatmap(
        lambda c: st.lists(
            st.lists(NUMBERS, min_size=c, max_size=c), min_size=1, max_size=6
        )
    )
)
@settings(derandomize=True, max_examples=150, deadline=None)
def test_means_and_medians_agree_with_numpy(rows: list[list[float]]) -> None:
    """Rows with gaps have numpy's nanmean and nanmedian, empty ones NaN."""
    x = np.array(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        means, medians = np.nanmean(x, axis=1), np.nanmedian(x, axis=1)
        columns = np.nanmedian(x, axis=0)
    assert np.allclose(row_means(x), means, rtol=1e-9, atol=1e-9, equal_nan=True)
    assert np.allclose(median(x, axis=1), medians, rtol=1e-12, equal_nan=True)
    assert np.allclose(median(x, axis=0), columns, rtol=1e-12, equal_nan=True)
    for row, first in zip(x, first_present(x), strict=True):
        present = row[~np.isnan(row)]
        assert first == present[0] if present.size else np.isnan(first)


def test_equal_numbers_have_exactly_their_mean() -> None:
    """The mean of three times 0.1 is 0.1, which a plain sum misses."""
    assert row_means(np.array([[0.1, np.nan, 0.1, 0.1]])).tolist() == [0.1]


def suite(
    rows: int, effects: list[float], seed: int = 1, noise: float = 0.002
) -> np.ndarray:
    """Rows of different levels that share an effect in each column."""
    rng = np.random.default_rng(seed)
    levels = rng.normal(0, 3, (rows, 1))
    x: np.ndarray = levels + np.array(effects)
    return x + rng.normal(0, noise, (rows, len(effects)))


@pytest.mark.parametrize("k", [1, 2, 3, 5, 10])
def test_effects_are_found(k: int) -> None:
    """The effects of window and head are found, the window's with zero mean."""
    effects = np.random.default_rng(k).normal(0, 0.05, k + 1)
    x = suite(200, effects.tolist())
    window, head = column_effects(x[:, :k], x[:, k:])
    assert np.allclose(window, effects[:k] - effects[:k].mean(), atol=0.001)
    assert np.allclose(head, effects[k:] - effects[:k].mean(), atol=0.001)
    assert abs(window.mean()) < 1e-12


def test_a_window_of_three_has_effects_too() -> None:
    """Small effects of three sessions do not vanish, as with medians for levels."""
    x = suite(60, [0.004, 0.0, -0.004, 0.0], noise=0.01)
    window, _ = column_effects(x[:, :3], x[:, 3:])
    assert np.all(np.abs(window) > 1e-6)
    assert window[0] > 0 > window[2]


def test_a_third_of_the_rows_cannot_move_the_shift() -> None:
    """Rows that regressed are not taken for a shift of the suite."""
    x = suite(90, [0, 0, 0, 0])
    x[:30, 3] += 0.5
    _, head = column_effects(x[:, :3], x[:, 3:])
    assert abs(head[0]) < 0.003


def test_rows_may_be_absent() -> None:
    """Gaps do not bias the effects, though rows differ a thousandfold in level."""
    effects = [0.03, -0.02, 0.0, 0.01, 0.05]
    x = suite(200, effects, seed=3)
    x[np.random.default_rng(4).random(x.shape) < 0.3] = np.nan
    window, head = column_effects(x[:, :4], x[:, 4:])
    expected = np.array(effects) - np.mean(effects[:4])
    assert np.allclose(np.concatenate([window, head]), expected, atol=0.002)


def test_a_session_of_few_rows_has_no_effect_of_its_own() -> None:
    """Nine rows cannot tell how the suite moved; that session's effect is NaN."""
    x = suite(30, [0.0, 0.0, 0.0, 0.1])
    x[9:, 1] = np.nan
    x[9:, 3] = np.nan
    window, head = column_effects(x[:, :3], x[:, 3:])
    assert np.isnan(window).tolist() == [False, True, False]
    assert np.isnan(head).tolist() == [True]


def test_rows_that_share_no_session_have_no_shift() -> None:
    """Without any session of ten rows there are no effects at all."""
    x = np.full((20, 3), np.nan)
    x[:9, 0], x[9:, 1], x[:5, 2] = 1.0, np.nan, 1.0
    window, head = column_effects(x[:, :2], x[:, 2:])
    assert np.isnan(window).all()
    assert np.isnan(head).all()


# -------------------------------------------------------------- responses of rows


def conditional(
    deviations: np.ndarray, moves: np.ndarray, noise: float
) -> tuple[float, float]:
    """Mean and variance of a row's response given its deviations, by the conditional
    distribution of a joint normal one."""
    k = len(moves)
    center = np.eye(k) - 1 / k
    joint = RESPONSE**2 * np.outer(moves, moves) + noise * center
    weights = RESPONSE**2 * moves @ np.linalg.pinv(joint, rcond=1e-10)
    return float(weights @ deviations), RESPONSE**2 * (1 - float(weights @ moves))


def test_responses_are_the_best_prediction() -> None:
    """Slopes and their uncertainty are those of the joint normal distribution."""
    rng = np.random.default_rng(3)
    by_window = np.array([0.06, -0.05, 0.03, -0.04])
    by_head = np.array([0.05, 0.07])
    response = rng.normal(0, 0.3, (80, 1))
    window = rng.normal(0, 0.01, (80, 4)) + response * by_window
    head = rng.normal(0, 0.01, (80, 2)) + response * by_head
    found = respond(window, head, by_window, by_head, np.full(80, True))
    moves = by_window - by_window.mean()
    distance = float((by_head - by_window.mean()).mean())
    squares = float(moves @ moves)
    slopes = found.offset / distance
    deviations = window - window.mean(axis=1, keepdims=True)
    # The typical noise, found from a row's slope: it is the same in all rows.
    free = np.abs(slopes) < 0.99
    row = int(np.argmax(np.abs(slopes) * free))
    noise = (deviations[row] @ moves / slopes[row] - squares) * RESPONSE**2
    assert noise == pytest.approx(0.01**2, rel=0.5)
    for place in np.flatnonzero(free)[:20].tolist():
        mean, variance = conditional(deviations[place], moves, noise)
        assert slopes[place] == pytest.approx(mean, rel=1e-6, abs=1e-9)
        assert found.variance(np.full(80, noise))[place] == pytest.approx(
            variance * distance**2, rel=1e-6
        )
    left = found.window.std(axis=1, ddof=1)
    assert np.median(left) < 0.5 * np.median(window.std(axis=1, ddof=1))
    assert np.allclose(found.spent, 1, atol=0.13)


def test_small_moves_change_nothing() -> None:
    """Where the suite hardly moves, rows stay as they are but for a hair."""
    rng = np.random.default_rng(4)
    by_window, by_head = rng.normal(0, 0.001, 5), rng.normal(0, 0.001, 1)
    window, head = rng.normal(0, 0.02, (50, 5)), rng.normal(0, 0.02, (50, 1))
    found = respond(window, head, by_window, by_head, np.full(50, True))
    assert np.abs(found.head - head).max() < 2e-4
    assert found.spent.tolist() == [0.0] * 50
    assert found.variance(np.full(50, 4e-4)).max() < 0.01 * 4e-4


def test_a_step_of_a_row_is_no_response() -> None:
    """A row that jumped while the suite moved by 1 % moves no further than twice the
    suite's move in what is taken away."""
    rng = np.random.default_rng(5)
    by_window, by_head = np.array([0.01, 0.0, 0.0, 0.0]), np.array([0.01])
    window, head = rng.normal(0, 0.005, (30, 4)), rng.normal(0, 0.005, (30, 1))
    window[0, 0] += 1.0
    found = respond(window, head, by_window, by_head, np.full(30, True))
    assert abs(found.head[0, 0] - head[0, 0]) <= 0.01


@pytest.mark.parametrize("k", [1, 2])
def test_responses_are_not_learned_from_two_sessions(k: int) -> None:
    """Of two sessions response and noise are one number; only doubt remains."""
    rng = np.random.default_rng(6)
    window, head = rng.normal(0, 0.02, (20, k)), rng.normal(0, 0.02, (20, 1))
    moves = rng.normal(0, 0.1, k)
    found = respond(window, head, moves, np.array([0.2]), np.full(20, True))
    assert np.array_equal(found.window, window)
    doubt = (RESPONSE * (0.2 - moves.mean())) ** 2
    assert np.allclose(found.variance(np.full(20, 1e-4)), doubt)

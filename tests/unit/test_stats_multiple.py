"""The correction for many tests is that of statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from gitbench.model import CORRECTIONS
from gitbench.stats.multiple import (
    adjust,
    benjamini_hochberg,
    holm,
    lone_level,
    rejection_level,
    weights,
)

# Subnormal numbers have few digits, and lose them in another order of operations.
P_VALUES = st.lists(
    st.one_of(
        st.floats(0, 1, allow_subnormal=False),
        st.sampled_from([0.0, 0.01, 0.5, 1.0]),
    ),
    max_size=40,
)


@given(P_VALUES)
@settings(derandomize=True, max_examples=200, deadline=None)
def test_adjusted_p_values_agree_with_statsmodels(p: list[float]) -> None:
    """Adjusted p-values are those of multipletests, ties and any order included."""
    adjusted = benjamini_hochberg(p)
    expected = multipletests(p, method="fdr_bh")[1] if p else []
    assert np.allclose(adjusted, expected, rtol=1e-12, atol=0)


def test_no_tests_need_no_correction() -> None:
    """An empty family has no adjusted p-values."""
    assert benjamini_hochberg([]).shape == (0,)


@given(P_VALUES.filter(bool), st.sampled_from([0.01, 0.05, 0.2]))
@settings(derandomize=True, max_examples=100, deadline=None)
def test_rejection_level_is_what_one_more_row_needs(
    p: list[float], alpha: float
) -> None:
    """A row that is not rejected would be at the level, were its p-value below it."""
    level = rejection_level(p, alpha)
    weakest = int(np.argmax(p))
    if benjamini_hochberg(p)[weakest] >= alpha:
        moved = [*p[:weakest], level * (1 - 1e-9), *p[weakest + 1 :]]
        assert benjamini_hochberg(moved)[weakest] < alpha


def test_rejection_level_grows_with_what_is_rejected_already() -> None:
    """With two of four rejected, a third one needs 3/4 of alpha and no less."""
    p = [0.0001, 0.001, 0.5, 0.6]
    assert rejection_level(p, 0.05) == pytest.approx(0.0375)
    assert benjamini_hochberg([*p[:3], 0.0374])[3] < 0.05
    assert benjamini_hochberg([*p[:3], 0.0376])[3] > 0.05


def test_rejection_level_of_no_rows() -> None:
    """With nothing to test, a single row would be tested at alpha."""
    assert rejection_level([], 0.05) == pytest.approx(0.05)


@given(P_VALUES)
@settings(derandomize=True, max_examples=200, deadline=None)
def test_holm_agrees_with_statsmodels(p: list[float]) -> None:
    """Adjusted p-values by Holm are those of multipletests, and never NaN."""
    expected = multipletests(p, method="holm")[1] if p else []
    assert np.allclose(holm(p), expected, rtol=1e-12, atol=0)


def test_a_correction_goes_by_its_name() -> None:
    """Each name of the settings has its correction; none leaves numbers as they are,
    and never less than Benjamini-Hochberg less than Holm."""
    p = [0.03, 0.001, 0.04, 0.7, 0.012]
    by_name = {name: adjust(p, name) for name in CORRECTIONS}
    assert by_name["none"].tolist() == p
    assert by_name["fdr_bh"].tolist() == benjamini_hochberg(p).tolist()
    assert by_name["holm"].tolist() == holm(p).tolist()
    assert np.all(by_name["none"] <= by_name["fdr_bh"])
    assert np.all(by_name["fdr_bh"] <= by_name["holm"])


@given(P_VALUES.filter(bool), st.sampled_from(CORRECTIONS))
@settings(derandomize=True, max_examples=100, deadline=None)
def test_the_level_of_every_correction(p: list[float], correction: str) -> None:
    """A p-value just below the level is rejected, in place of the weakest one."""
    level = rejection_level(p, 0.05, correction=correction)
    weakest = int(np.argmax(p))
    if adjust(p, correction)[weakest] >= 0.05:
        moved = [*p[:weakest], level * (1 - 1e-9), *p[weakest + 1 :]]
        assert adjust(moved, correction)[weakest] < 0.05


def test_what_a_single_changed_row_needs() -> None:
    """Among 40 unchanged rows it is alpha / 40, without a correction alpha."""
    assert lone_level(0.05, 40, "fdr_bh") == pytest.approx(0.05 / 40)
    assert lone_level(0.05, 40, "holm") == pytest.approx(0.05 / 40)
    assert lone_level(0.05, 40, "none") == pytest.approx(0.05)
    assert lone_level(0.05, 0, "holm") == pytest.approx(0.05)


@pytest.mark.parametrize("rows", [0, 1, 10, 2000])
@pytest.mark.parametrize("shifts", [0, 1, 7])
def test_weights_average_to_one(rows: int, shifts: int) -> None:
    """What the shifts are given is taken from the rows, and never from shifts."""
    of_rows, of_shifts = weights(rows, shifts)
    total = rows * of_rows + shifts * of_shifts
    assert total == pytest.approx(rows + shifts)
    assert of_shifts >= 1 - 1e-12
    if rows and shifts and shifts / (rows + shifts) <= 0.2:
        assert shifts * of_shifts == pytest.approx(0.2 * (rows + shifts))


def test_weighted_tests_keep_their_error_rate() -> None:
    """Of null p-values divided by weights, any is rejected as often as alpha says."""
    rng = np.random.default_rng(1)
    of_rows, of_shifts = weights(50, 1)
    scale = np.append(np.full(50, of_rows), of_shifts)
    rejected = [
        (benjamini_hochberg(np.minimum(rng.random(51) / scale, 1)) < 0.05).any()
        for _ in range(3000)
    ]
    assert np.mean(rejected) == pytest.approx(0.05, abs=0.012)

"""The t distribution agrees with scipy, closed forms and itself, in all tails."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gitbench.stats.student import distribution, tail, upper_quantile

DEGREES = [0.3, 1, 1.5, 2, 3, 4.7, 10, 30.3, 100, 202.5, 1000, 12345.6]
# Nearer to 0 scipy itself is off by 6e-10 (t = 1e-9, df = 1).
POINTS = np.array([0, 0.01, 0.3, 1, 2, 3, 5, 8, 12, 20])


@pytest.mark.parametrize("df", DEGREES)
def test_tail_agrees_with_scipy(df: float) -> None:
    """The upper tail is scipy's to 1e-10 relative, for whole and broken df."""
    expected = stats.t.sf(POINTS, df)
    assert np.allclose(tail(POINTS, df), expected, rtol=1e-10, atol=0)
    assert np.allclose(tail(-POINTS, df), 1 - expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("df", DEGREES)
def test_distribution_agrees_with_scipy(df: float) -> None:
    """The distribution function is scipy's to 1e-10 relative, lower tail included."""
    points = np.concatenate([-POINTS, POINTS])
    expected = stats.t.cdf(points, df)
    assert np.allclose(distribution(points, df), expected, rtol=1e-10, atol=0)


def test_far_tails_have_their_closed_forms() -> None:
    """With one and two degrees of freedom the tail is exact out to t = 1e150."""
    t = np.logspace(-12, 150, 300)
    assert np.allclose(tail(t, 1), np.arctan2(1, t) / np.pi, rtol=1e-11, atol=0)
    root = t * np.sqrt(1 + 2 / t**2)
    assert np.allclose(tail(t, 2), 1 / (root * (root + t)), rtol=1e-11, atol=0)


@pytest.mark.parametrize("df", [1e6, 1e9, 1e15])
def test_many_degrees_of_freedom_give_the_normal_distribution(df: float) -> None:
    """From a million degrees of freedom on the tail is the normal one, corrected."""
    z = np.array([0.1, 1.0, 2.0, 4.0])
    # Fisher's expansion: the tail is the normal one plus density * z (z^2 + 1) / 4df.
    expected = stats.norm.sf(z) + stats.norm.pdf(z) * z * (z**2 + 1) / (4 * df)
    assert np.allclose(tail(z, df), expected, rtol=1e-8 if df < 1e7 else 1e-12, atol=0)


@pytest.mark.parametrize("df", [0.5, 1, 2.2, 5, 17, 203, 1e5, 1e12])
def test_quantile_turns_the_tail_round(df: float) -> None:
    """The quantile of p has the tail p, from 1e-250 up to nearly 1."""
    p = np.array([1e-250, 1e-100, 1e-30, 1e-10, 1e-4, 0.05, 0.2, 0.4999, 0.5, 0.8])
    p = p[-np.log(p) / df < 600]
    t = upper_quantile(p, df)
    assert np.all(np.isfinite(t))
    assert np.allclose(tail(t, df), p, rtol=1e-10, atol=0)


def test_quantile_agrees_with_scipy() -> None:
    """Quantiles are scipy's to 1e-9 for the levels that verdicts use."""
    p, df = np.meshgrid([0.05, 0.025, 0.001 / 18, 0.05 / 2000, 0.7], DEGREES)
    assert np.allclose(upper_quantile(p, df), stats.t.isf(p, df), rtol=1e-9, atol=0)


@given(
    st.floats(-1e300, 1e300, allow_subnormal=False),
    st.floats(1e-3, 1e15),
)
@settings(derandomize=True, max_examples=200, deadline=None)
def test_tail_and_distribution_add_up(t: float, df: float) -> None:
    """Both tails are probabilities, add up to one, and mirror each other."""
    upper, lower = float(tail(t, df)), float(distribution(t, df))
    assert 0 <= upper <= 1
    assert upper + lower == pytest.approx(1, abs=1e-15)
    assert float(tail(-t, df)) == lower


@given(st.floats(0.02, 1e9), st.lists(st.floats(-50, 50), min_size=2, max_size=20))
@settings(derandomize=True, max_examples=100, deadline=None)
def test_tail_falls(df: float, points: list[float]) -> None:
    """The tail never rises with t, and arrays give what single numbers give."""
    t = np.sort(points)
    tails = tail(t, df)
    assert np.all(np.diff(tails) <= 1e-15)
    assert tails.tolist() == [float(tail(one, df)) for one in t]


@pytest.mark.parametrize("df", [0.0, -1.0, float("nan")])
def test_degrees_of_freedom_must_be_positive(df: float) -> None:
    """Without degrees of freedom there is no distribution: ValueError."""
    with pytest.raises(ValueError, match="degrees of freedom"):
        tail(1.0, df)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1, float("nan")])
def test_quantile_needs_a_probability(p: float) -> None:
    """A tail of 0, 1 or beyond has no quantile: ValueError."""
    with pytest.raises(ValueError, match="probability"):
        upper_quantile(p, 3.0)

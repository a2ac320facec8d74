"""The tests shown beside a verdict: scipy's and statsmodels' own numbers, never NaN."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.nonparametric import rank_compare_2indep

from gitbench.stats.alternatives import Alternative, alternatives

RNG = np.random.default_rng(3)
BASE, HEAD = RNG.normal(0, 1, 8), RNG.normal(0.7, 1, 5)


def by_name(
    base: object, head: object, *, greater: bool = True
) -> dict[str, Alternative]:
    """The tests by their names, with warnings as errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = alternatives(
            np.asarray(base, dtype=float),
            np.asarray(head, dtype=float),
            greater=greater,
        )
    return {one.name: one for one in found}


@pytest.mark.parametrize("greater", [True, False])
def test_each_p_value_is_that_of_its_library(greater: bool) -> None:
    """Two libraries agree on each test, in both directions."""
    found = by_name(BASE, HEAD, greater=greater)
    side = "greater" if greater else "less"
    welch = stats.ttest_ind(HEAD, BASE, equal_var=False, alternative=side)
    student = stats.ttest_ind(HEAD, BASE, alternative=side)
    u = stats.mannwhitneyu(HEAD, BASE, alternative=side, method="exact")
    other = "larger" if greater else "smaller"
    bm = rank_compare_2indep(HEAD, BASE).test_prob_superior(alternative=other)
    assert found["Welch's t"].p == pytest.approx(welch.pvalue, rel=1e-9)
    assert found["Student's t"].p == pytest.approx(student.pvalue, rel=1e-9)
    assert found["Mann-Whitney"].p == pytest.approx(u.pvalue, rel=1e-9)
    assert found["Brunner-Munzel"].p == pytest.approx(bm.pvalue, rel=1e-6)


def test_the_prediction_interval_of_one_session_is_students_test() -> None:
    """With one session of head the only variance is that of the baseline."""
    found = by_name(BASE, HEAD[:1])
    assert found["prediction interval"].p == pytest.approx(found["Student's t"].p)
    for name in ("Welch's t", "Brunner-Munzel"):
        assert found[name].p is None
        assert found[name].why_not == "one side has a single session"
    assert found["Mann-Whitney"].smallest == pytest.approx(1 / 9)


@pytest.mark.parametrize(
    ("base", "head"),
    [
        ([], []),
        ([1.0], []),
        ([], [1.0]),
        ([1.0], [2.0]),
        ([1.0, 1.0, 1.0], [1.0, 1.0]),
        ([1.0, 1.0, 1.0], [2.0, 2.0]),
        ([1.0, 1.0, 2.0], [2.0, 2.0]),
        ([1.0, 2.0, 3.0], [4.0, 5.0]),
        ([1e300, 2e300], [-1e300, 3e300]),
        ([1e-300, 2e-300], [3e-300, 2e-300]),
        ([-math.inf, 0.0], [0.0, 1.0]),
        ([2.0**53, 2.0**53 + 2], [2.0**53 + 4, 2.0**53 + 4]),
    ],
)
@pytest.mark.parametrize("greater", [True, False])
def test_what_is_undefined_has_a_reason(
    base: list[float], head: list[float], greater: bool
) -> None:
    """Every test has a p-value within [0, 1], or says why it has none."""
    for one in by_name(base, head, greater=greater).values():
        if one.p is None:
            assert one.why_not
        else:
            assert 0 <= one.p <= 1
            assert one.why_not is None

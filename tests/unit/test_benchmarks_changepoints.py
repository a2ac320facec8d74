"""How the benchmark of the detector counts, and that it reads its labelled series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.changepoints.labelled import SETS, Labelled, Score, score, total

DATA = Path(__file__).parents[3] / "shared/data/changepoints"


def labelled(*ranges: tuple[int, int]) -> Labelled:
    """A series of a hundred points with labels."""
    return Labelled("series", np.zeros(100), ranges)


def test_each_label_takes_one_step_near_it() -> None:
    """A label is hit within the tolerance, and no step serves two labels."""
    assert score(labelled((50, 50)), (45, 55), 5) == Score(1, 1, 2, 1)
    assert score(labelled((50, 50)), (44, 56), 5) == Score(1, 0, 2, 0)
    assert score(labelled((50, 50), (53, 53)), (51,), 5) == Score(2, 1, 1, 1)
    assert score(labelled((40, 60)), (61,), 5) == Score(1, 1, 1, 1)
    assert score(labelled(), (10,), 5) == Score(0, 0, 1, 0)
    assert total([Score(1, 1, 2, 1), Score(2, 0, 1, 0)]) == Score(3, 1, 3, 1)


@pytest.mark.skipif(not DATA.exists(), reason="the labelled series are not here")
def test_labels_lie_in_their_series() -> None:
    """Every set has series, and each label lies inside its own."""
    for name in ("SAP HANA small", "conbench outliers", "Mozilla graph server"):
        _, load = SETS[name]
        some = list(load(DATA))
        assert some
        for one in some:
            assert one.values.size >= 10
            assert np.isfinite(one.values).all()
            assert all(0 <= a <= b < one.values.size for a, b in one.ranges)

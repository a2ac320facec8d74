"""Pictures of series in text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.cli.plots import bars, column_of, plot


def test_a_plot_has_a_dot_a_value() -> None:
    """The first value is left, the greatest on top."""
    assert [line.rstrip() for line in plot([0, 1, 2, 3], 4, 4, unicode=False)] == [
        "   *",
        "  *",
        " *",
        "*",
    ]


def test_braille_has_eight_dots_a_sign() -> None:
    """A rising line of eight values fills two signs' diagonal."""
    assert plot([0, 1, 2, 3], 2, 1, unicode=True) == ["⡠⠊"]


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=300
    ),
    st.integers(1, 80),
    st.booleans(),
)
def test_pictures_fit_whatever_the_values(
    values: list[float], width: int, unicode: bool
) -> None:
    """No finite value breaks a picture or its bounds; ASCII stays ASCII."""
    lines = plot(values, width, 5, unicode)
    small = bars(values, width, unicode)

    assert [len(line) for line in lines] == [width] * 5
    assert len(small) == min(width, len(values))
    assert unicode or (small + "".join(lines)).isascii()
    for at in range(len(values)):
        assert 0 <= column_of(at, len(values), width) < width


@pytest.mark.parametrize("unicode", [True, False])
def test_bars_take_the_middle_of_what_they_stand_for(unicode: bool) -> None:
    """A single outlier among several values of a bar does not show."""
    values = [1.0] * 30 + [2.0] * 30
    values[4] = 50.0

    assert len(set(bars(values, 12, unicode))) == 2
    assert bars([], 12, unicode) == ""
    assert plot([], 12, 3, unicode) == []

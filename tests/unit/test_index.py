"""Points, and the rows of the index: what goes in comes out, and damage is seen."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.model import Measurement, Status
from gitbench.store.facts import point_of, series_of
from gitbench.store.index import IndexBroken
from gitbench.store.index.rows import (
    NoteRow,
    long,
    point_of_row,
    point_row,
    seal,
    series_of_row,
    series_row,
    short,
    unseal,
)
from tests import strategies
from tests.factories import make_measurement

quick = settings(derandomize=True, max_examples=60, deadline=None)


@quick
@given(strategies.measurements())
def test_a_point_is_finite_and_its_center_within_its_values(one: Measurement) -> None:
    """No number is NaN or infinite; a mean of stored values lies among them."""
    point = point_of(one)
    for number in (point.center, point.low, point.high):
        assert number is None or math.isfinite(number)
    if one.status is not Status.OK:
        assert point.center is None
    elif one.summary is None and one.processes and None not in point[3:6]:
        assert point.low <= point.center <= point.high
    assert one.count == point.n


def test_the_center_of_equal_values_is_that_value() -> None:
    """0.1 three times has the center 0.1, not 0.10000000000000002."""
    assert 0.1 == point_of(make_measurement("sort", [0.1, 0.1, 0.1])).center
    assert 0.1 != sum([0.1, 0.1, 0.1]) / 3


@quick
@given(strategies.measurements(), st.integers(1, 2**40), st.integers(1, 2**40))
def test_a_point_comes_back_from_its_row(
    one: Measurement, series: int, run: int
) -> None:
    """Series and point survive their rows, and any change of a number is noticed."""
    point = point_of(one)
    row = point_row(series, run, point)
    assert series_of(one) == series_of_row(series_row(series_of(one)))
    extras = (point.message, point.passes, point.trials, point.values)
    assert point == point_of_row(row, point.series, extras)
    for place in (0, 1, 2, 5, 7):
        changed = (*row[:place], row[place] + 1.5, *row[place + 1 :])
        if changed[place] != row[place]:
            with pytest.raises(IndexBroken):
                point_of_row(changed, point.series, extras)


@quick
@given(st.binary(min_size=1, max_size=200), st.integers(0, 10**6), st.integers(1, 255))
def test_a_sealed_row_notices_a_flipped_byte(
    content: bytes, place: int, flip: int
) -> None:
    """A row reads back where it belongs and nowhere else, and not once changed."""
    data = seal("run", 7, content)
    assert content == unseal("run", 7, data)
    changed = bytearray(data)
    changed[place % len(data)] ^= flip
    for table, key, bad in (
        ("run", 7, bytes(changed)),
        ("run", 8, data),
        ("note", 7, data),
        ("run", 7, data[:-1]),
        ("run", 7, None),
    ):
        with pytest.raises(IndexBroken):
            unseal(table, key, bad)


@quick
@given(st.text() | strategies.hexes | st.sampled_from(["AB", "0", "", "0 1", "a0\n"]))
def test_hex_digits_are_kept_short(text: str) -> None:
    """Any text comes back as it was, hex or not."""
    assert text == long(short(text))
    if len(text) == 40 and set(text) <= set("0123456789abcdef"):
        assert 20 == len(short(text))


@quick
@given(
    st.lists(strategies.hexes, max_size=2).map(tuple),
    st.booleans(),
    st.lists(strategies.texts, max_size=2).map(tuple),
    st.lists(
        st.tuples(
            st.binary(min_size=16, max_size=16),
            st.integers(0, 9),
            st.integers(0, 9) | strategies.texts,
        ),
        max_size=3,
    ).map(tuple),
)
def test_a_note_comes_back_from_its_row(
    blobs: tuple[str, ...],
    readable: bool,
    texts: tuple[str, ...],
    lines: tuple[tuple[bytes, int, int | str], ...],
) -> None:
    """All that is known of a note survives its row."""
    row = NoteRow(blobs, readable, texts, texts, blobs, lines)
    assert row == NoteRow.unseal(b"key", row.seal(b"key"))

"""The fuzzers' checks, fed by hypothesis for a few seconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import index, note, tree


@pytest.fixture(scope="module", autouse=True)
def scene() -> Iterator[None]:
    """Removes the repositories that trees and indexes were written into."""
    yield
    tree.clear()
    index.clear()


def test_the_seeds_of_the_fuzzers_pass() -> None:
    """What the fuzzers begin with breaks no law."""
    for seed in note.seeds():
        note.check(seed)
    for seed in tree.seeds():
        tree.check(seed)
    for seed in index.seeds():
        index.check(seed)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_note(data: bytes) -> None:
    """Any bytes, any payload and any edited record break no law of notes, and raise
    nothing but stated errors."""
    note.check(data)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.booleans(), st.binary(min_size=10, max_size=150))
def test_any_entries_are_a_notes_tree(sound: bool, data: bytes) -> None:
    """Any tree is read, recorded into and united with nothing but stated errors, and
    a sound one loses no record."""
    tree.check(bytes([not sound]) + data)

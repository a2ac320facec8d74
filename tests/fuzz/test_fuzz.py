"""The fuzzers' checks, fed by hypothesis for a few seconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.formats import TOOLS
from tests.fuzz import formats, index, note, tree


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


@pytest.mark.parametrize("tool", TOOLS)
def test_the_seeds_of_a_reader_pass(tool: str) -> None:
    """What the fuzzer of a reader begins with is read, or refused with a reason."""
    check = formats.harness(tool)
    seeds = list(formats.seeds(tool))
    assert len(seeds) > 10
    for seed in seeds:
        check(seed)


@pytest.mark.parametrize("tool", TOOLS)
@settings(derandomize=True, max_examples=40, deadline=None)
@given(mode=st.sampled_from([1, 2, 3]), data=st.binary(max_size=60))
def test_changed_files_are_read_or_refused(tool: str, mode: int, data: bytes) -> None:
    """A real file with other lines, JSON values or parts raises nothing but stated
    errors, in bounded time, and what is read of it can be stored."""
    formats.harness(tool)(bytes([mode]) + data)

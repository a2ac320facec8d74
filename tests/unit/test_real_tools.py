"""The checks of the proofs by real tools can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real_tools.kit import Failed, Place, Skipped, Stored, flat, program


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place in which nothing is run."""
    return Place(tmp_path, tmp_path / "cache")


@pytest.mark.parametrize(
    ("printed", "stored"),
    [
        ("12.34", 12.3449),
        ("12.34", 12.335),
        ("1,234.5", 1234.46),
        ("42", 42.4),
        ("1.5e-09", 1.52e-9),
    ],
)
def test_numbers_agree_within_the_digits_printed(
    place: Place, printed: str, stored: float
) -> None:
    """A stored number that rounds to the printed one agrees, and is counted."""
    place.agree("mean", printed, stored, "b")
    assert place.checked == {"mean": 1}


@pytest.mark.parametrize(
    ("printed", "stored"),
    [("12.34", 12.3451), ("12.34", 12.3), ("42", 41.4), ("1.5e-09", 1.56e-9)],
)
def test_other_numbers_fail(place: Place, printed: str, stored: float) -> None:
    """A stored number that rounds to another fails, with both."""
    with pytest.raises(Failed, match=f"b: mean is printed as {printed}, stored"):
        place.agree("mean", printed, stored, "b")


def test_counts_have_to_be_equal(place: Place) -> None:
    """A count is not rounded."""
    with pytest.raises(Failed, match="b: count is 3, stored 4"):
        place.same("count", 3, 4, "b")


def test_a_missing_measurement_fails() -> None:
    """What is not stored is told, and so are values that are not."""
    one = {"benchmark": "b", "metric": "duration", "params": {"n": "1", "env": "e"}}
    stored = Stored([one])
    assert stored.one("b", n="1") == one
    with pytest.raises(Failed, match="0 stored measurements are b"):
        stored.one("b", n="2")
    with pytest.raises(Failed, match="no values are stored of b"):
        flat(one)


def test_a_program_that_fails_is_told(place: Place) -> None:
    """The end of its output is in the message; an installer's failure skips."""
    place.repository.mkdir()
    with pytest.raises(Failed, match=r"ended with 3: sorry"):
        place.run("sh", "-c", "echo sorry; exit 3")
    with pytest.raises(Skipped, match="cannot be installed"):
        place.install("sh", "-c", "exit 1")
    with pytest.raises(Skipped, match="is not on the PATH"):
        program("no-such-program-anywhere")

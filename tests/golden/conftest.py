"""Golden files: what a person has looked at once and a test compares ever after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

_FILES = Path(__file__).parent / "files"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/golden --update-golden` writes the files anew."""
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the golden files anew; look at the difference before you commit",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the golden file of a name, or write that file."""
    update = request.config.getoption("--update-golden", default=False)

    def check(name: str, text: str) -> None:
        path = _FILES / name
        if update:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        assert path.is_file(), f"{path} is missing; run with --update-golden"
        assert text == path.read_text(encoding="utf-8")

    return check

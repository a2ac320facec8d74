"""Every format of every typical report, as a reader gets it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from gitbench.report import FORMATS, Options, render
from tests.golden.reports import TYPICAL, agents, higher, newcomer, regressed, special

_SUFFIX = {
    "text": "txt",
    "markdown": "md",
    "html": "html",
    "json": "json",
    "junit": "junit.xml",
}
Golden = Callable[[str, str], None]


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("name", TYPICAL)
def test_report_is_as_it_was_approved(name: str, fmt: str, golden: Golden) -> None:
    """A report renders to the text that was looked at and found right."""
    text = render(TYPICAL[name](), fmt)
    if fmt == "html":
        # The style sheet is no part of what a report says.
        text = re.sub(r"<style>.*?</style>", "<style></style>", text, flags=re.DOTALL)
        text = re.sub(r"'sha256-[^']*'", "'sha256'", text)
    golden(f"{name}.{_SUFFIX[fmt]}", text)


def test_colours_are_as_approved(golden: Golden) -> None:
    """A coloured report paints the headline, signs and changes by verdict."""
    golden("regressed.colour.txt", render(regressed(), "text", Options(colour=True)))


def test_narrow_terminal_is_as_approved(golden: Golden) -> None:
    """A terminal of 60 columns gives up columns and wraps sentences."""
    golden("special.narrow.txt", render(special(), "text", Options(width=60)))


def test_tasks_on_a_narrow_terminal_are_as_approved(golden: Golden) -> None:
    """A table by benchmark gives up all but the changes on 60 columns."""
    golden("agents.narrow.txt", render(agents(), "text", Options(width=60)))


def test_ascii_terminal_is_as_approved(golden: Golden) -> None:
    """A terminal without Unicode shows the same in ASCII."""
    golden("newcomer.ascii.txt", render(newcomer(), "text", Options(unicode=False)))


def test_all_rows_are_as_approved(golden: Golden) -> None:
    """With all rows nothing is folded to a count."""
    golden("higher.all.txt", render(higher(), "text", Options(all_rows=True)))

"""Reports: one comparison as text, Markdown, HTML, JSON or JUnit XML.

`render` is all that others need.  Knows neither git nor statistics: everything it
says is in the `Report` that it is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitbench.errors import GitbenchError

if TYPE_CHECKING:
    from gitbench.model import Report

# Commands that print no report import `gitbench.report.escape`, so nothing else is
# imported here before it is needed.

FORMATS = ("text", "markdown", "html", "json", "junit")


class ReportError(GitbenchError):
    """There is no such report."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a report is shown; nothing here changes what it says."""

    colour: bool = False
    """Text only: ANSI colours by verdict."""
    width: int = 100
    """Text only: columns of the terminal; below 40 it is taken as 40."""
    all_rows: bool = False
    """Fold no rows to a count."""
    unicode: bool = True
    """Text only: False for a terminal that shows ASCII alone."""


def render(report: Report, fmt: str, options: Options | None = None) -> str:
    """The report in one of `FORMATS`; ends with a newline.  Raises ReportError."""
    if fmt not in FORMATS:
        raise ReportError(
            f"There is no report format {fmt[:80]!r}; known are {', '.join(FORMATS)}."
        )
    if fmt == "json":
        from gitbench.report.data import render_json

        return render_json(report)
    from gitbench.report.templates import render_template

    return render_template(report, fmt, options or Options())

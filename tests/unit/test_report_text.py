"""The text report: aligned, coloured by verdict, and no wider than its terminal."""

from __future__ import annotations

import re

import pytest

from gitbench.model import Report, Verdict
from gitbench.report import Options, ReportError, render
from gitbench.report.terminal import text_width
from tests.golden.reports import (
    TYPICAL,
    fine,
    group,
    newcomer,
    regressed,
    report,
    row,
    shifted,
    special,
)

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def table(subject: Report, **options: object) -> list[str]:
    """The lines of the first table, heading first."""
    lines = render(subject, "text", Options(**options)).split("\n")  # type: ignore[arg-type]
    first = next(i for i, line in enumerate(lines) if "verdict  " in line)
    return lines[first : lines.index("", first)]


@pytest.mark.parametrize("name", TYPICAL)
@pytest.mark.parametrize("width", [0, 40, 60, 80, 100, 160])
def test_report_fits_its_terminal(name: str, width: int) -> None:
    """No line of any typical report is wider than the terminal, 40 columns at least."""
    text = render(TYPICAL[name](), "text", Options(width=width))
    assert max(text_width(line) for line in text.split("\n")) <= max(width, 40)


@pytest.mark.parametrize("name", TYPICAL)
def test_colour_changes_no_text(name: str) -> None:
    """Without its colour codes a coloured report is the plain one."""
    coloured = render(TYPICAL[name](), "text", Options(colour=True))
    assert "\x1b[" in coloured
    assert ANSI.sub("", coloured) == render(TYPICAL[name](), "text")


def test_plain_report_has_no_codes() -> None:
    """Without colour there is no escape character."""
    assert "\x1b" not in render(special(), "text")


def test_colours_end_on_their_line() -> None:
    """Every line that starts a colour ends it, so that a cut log stays readable."""
    for line in render(special(), "text", Options(colour=True)).split("\n"):
        codes = ANSI.findall(line)
        assert codes.count("\x1b[0m") * 2 == len(codes)


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.REGRESSED, "31"),
        (Verdict.INCONCLUSIVE, "33"),
        (Verdict.ACCEPTED, "36"),
        (Verdict.UNCHANGED, "32"),
        (Verdict.IMPROVED, "32"),
    ],
)
def test_rows_are_coloured_by_verdict(verdict: Verdict, code: str) -> None:
    """The verdict and the change of a row have the colour of the verdict."""
    subject = report([row("sort", verdict, 0.1)], [group(verdict)])
    text = render(subject, "text", Options(colour=True, all_rows=True))
    # The first is the row; an accepted one is named again below.
    line = next(line for line in text.split("\n") if "sort" in line)
    assert f"\x1b[{code}m" in line.split("sort")[0]
    assert f"\x1b[{code}m+10.0 %\x1b[0m" in line


def test_columns_are_aligned() -> None:
    """Numbers end below the end of their heading, names start below its start."""
    heading, *rows = table(regressed())[:-1]
    for title in ("base", "head", "change", "interval"):
        end = heading.index(title) + len(title)
        assert {line[end - 1] for line in rows} <= set("s%–")
        assert {line[end : end + 2] for line in rows} == {"  "}
    start = heading.index("benchmark")
    assert all(line[start] != " " and line[start - 1] == " " for line in rows)


def test_columns_are_aligned_under_wide_names() -> None:
    """A name in wide letters moves nothing on its line."""
    rows = [
        row("並べ替え", Verdict.REGRESSED, 0.2),
        row("sort", Verdict.REGRESSED, 0.2),
        row("e\u0301tude", Verdict.REGRESSED, 0.2),
    ]
    lines = table(report(rows, [group(Verdict.REGRESSED)]))
    ends = {text_width(line[: line.index("+20.0 %")]) for line in lines[1:]}
    assert len(ends) == 1


def test_empty_columns_are_left_out() -> None:
    """Rows without interval and p, all of one metric, have no such columns."""
    assert table(newcomer())[0].split() == [
        *("verdict", "benchmark", "base", "head", "change")
    ]


def test_columns_without_a_number_are_left_out() -> None:
    """Numbers of folded rows bring in no column for those that are shown."""
    rows = [row("quiet"), row("gone", Verdict.MISSING, None)]
    assert table(report(rows, [group(Verdict.MISSING)]))[0].split() == [
        *("verdict", "benchmark", "base", "head", "change")
    ]


def test_adjusted_changes_have_a_column_where_they_differ() -> None:
    """A suite shift of 8 % brings in the column of the change without it."""
    assert "adjusted" in table(shifted())[0]
    assert "adjusted" not in table(fine())[0]


@pytest.mark.parametrize(
    ("width", "columns"),
    [(160, "metric base head change interval limit p"), (60, "metric change")],
)
def test_narrow_terminals_give_up_columns_of_numbers(width: int, columns: str) -> None:
    """Verdict, name and change stay; p goes first, then limit, interval and sides."""
    heading = table(special(), width=width)[0].split()
    assert heading == ["verdict", "benchmark", *columns.split()]


def test_long_names_are_cut_in_their_middle() -> None:
    """A name that does not fit keeps its start and its end."""
    name = "tests/bench_parser.py::test_parse_" + "very_" * 30 + "large[n=1000]"
    subject = report([row(name, Verdict.REGRESSED, 0.2)], [group(Verdict.REGRESSED)])
    (line,) = table(subject)[1:]
    assert re.search(r"  tests/bench\S*…\S*\[n=1000\]  ", line)


def test_all_rows_unfolds_everything() -> None:
    """With all rows each has its line, and no count is left."""
    lines = table(fine(), all_rows=True)
    assert len(lines) == 1 + 40
    assert "--all" not in render(fine(), "text", Options(all_rows=True))


def test_ascii_terminal_gets_ascii() -> None:
    """Without Unicode signs, units and names are all ASCII."""
    subject = report(
        [row("größe/並", Verdict.REGRESSED, 0.2, 3e-6)], [group(Verdict.REGRESSED)]
    )
    text = render(subject, "text", Options(unicode=False))
    assert text.isascii()
    assert "x regressed  gr\\xf6\\xdfe/\\u4e26  3.000 us" in text


def test_report_ends_with_one_newline() -> None:
    """Every format ends its last line, and text has no blanks at line ends."""
    for fmt in ("text", "markdown", "html", "json", "junit"):
        text = render(special(), fmt)
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
    assert not re.search(r" $", render(special(), "text"), re.MULTILINE)


def test_unknown_format_is_a_stated_error() -> None:
    """A format that there is not is refused with those that there are."""
    with pytest.raises(ReportError, match="no report format 'pdf'; known are text, "):
        render(fine(), "pdf")

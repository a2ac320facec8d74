"""The Markdown report: short where it is seen, whole where it is unfolded."""

from __future__ import annotations

import re

import cmarkgfm
import html5lib
import pytest
from cmarkgfm.cmark import Options as Cmark

from gitbench.model import Report, Verdict
from gitbench.report import Options, render
from tests.golden.reports import (
    TYPICAL,
    group,
    nothing,
    quiet,
    regressed,
    report,
    row,
)


def visible(text: str) -> list[str]:
    """The lines that a reader sees before unfolding anything."""
    text = re.sub(
        r"<details>(<summary>.*?</summary>).*?</details>", r"\1", text, flags=re.DOTALL
    )
    return [line for line in text.split("\n") if line]


def tables(text: str) -> list[list[int]]:
    """Cells of each row of each table, as a host renders it."""
    html = cmarkgfm.github_flavored_markdown_to_html(text, Cmark.CMARK_OPT_UNSAFE)
    tree = html5lib.parse(html, namespaceHTMLElements=False)
    return [
        [len(list(row)) for row in table.iter("tr")] for table in tree.iter("table")
    ]


def large(groups: int, rows: int) -> Report:
    """Many groups with many rows of every verdict."""
    verdicts = [verdict for verdict in Verdict if verdict is not Verdict.NOT_COMPARED]
    comparisons = [
        row(f"b{place}/{i}", verdicts[i % 10], 0.2, group=place)
        for place in range(groups)
        for i in range(rows)
    ]
    return report(
        comparisons,
        [group(Verdict.REGRESSED, id=i, suite=f"s{i}") for i in range(groups)],
    )


@pytest.mark.parametrize("name", TYPICAL)
def test_comment_is_short(name: str) -> None:
    """A typical report shows at most 25 lines, the headline first."""
    lines = visible(render(TYPICAL[name](), "markdown"))
    assert len(lines) <= 25
    assert lines[0].startswith("### ")


@pytest.mark.parametrize(("groups", "rows"), [(1, 2000), (2, 300), (3, 300), (40, 50)])
def test_large_comment_is_short_and_fits_its_host(groups: int, rows: int) -> None:
    """Thousands of rows leave a short comment under GitHub's 65,536 characters."""
    text = render(large(groups, rows), "markdown")
    assert len(visible(text)) <= 30
    assert len(text) < 65_536


def test_rows_left_out_are_counted() -> None:
    """What a comment has no room for is told with the command that lists it."""
    text = render(report(quiet(300), [group(Verdict.UNCHANGED)]), "markdown")
    assert "200 more are left out here; `gitbench compare --all` lists them." in text
    rows = [len(table) - 1 for table in tables(text)]
    assert rows == [100]


@pytest.mark.parametrize("name", TYPICAL)
def test_tables_have_equal_rows(name: str) -> None:
    """Every row of a table has the cells of its heading."""
    for table in tables(render(TYPICAL[name](), "markdown")):
        assert len(table) > 1
        assert len(set(table)) == 1


def test_every_row_is_in_the_comment() -> None:
    """Rows that are not visible are in a fold."""
    text = render(regressed(), "markdown")
    assert sum(len(table) - 1 for table in tables(text)) == 41


def test_all_rows_leaves_out_none() -> None:
    """With all rows none is left out, however many there are."""
    text = render(large(2, 300), "markdown", Options(all_rows=True))
    assert sum(len(table) - 1 for table in tables(text)) == 5 + 300 + 5 + 300
    assert "left out" not in text


def test_nothing_compared_says_what_to_do_first() -> None:
    """Without a comparison the next step follows the headline."""
    lines = visible(render(nothing(), "markdown"))
    assert lines[0] == "### ⚠️ gitbench: nothing was compared (3 new)"
    assert lines[1].startswith("**Next:** No commit of origin/main has results")


@pytest.mark.parametrize("name", TYPICAL)
def test_folds_are_closed(name: str) -> None:
    """Each fold has one summary and an end, and blank lines around what is in it."""
    text = render(TYPICAL[name](), "markdown")
    assert text.count("<details><summary>") == text.count("</details>")
    assert not re.search(r"</summary>\n[^\n]", text)
    assert not re.search(r"[^\n]\n</details>", text)

"""The HTML page stands alone, runs nothing, and can be read by everyone."""

from __future__ import annotations

import base64
import hashlib
import re
from xml.etree import ElementTree

import html5lib
import pytest

from gitbench.model import Report
from gitbench.report import render
from tests.golden.reports import TYPICAL, fine, higher, newcomer, nothing, special


def page(subject: Report) -> ElementTree.Element:
    """The page as a browser reads it; an error of syntax fails the test."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(render(subject, "html"))


def words(element: ElementTree.Element | None) -> str:
    """All text inside an element."""
    assert element is not None
    return " ".join("".join(element.itertext()).split())


@pytest.mark.parametrize("name", TYPICAL)
def test_page_is_correct_html(name: str) -> None:
    """A strict parser finds no error in any typical report."""
    assert page(TYPICAL[name]()).tag == "html"


def test_policy_lets_in_the_style_sheet_alone() -> None:
    """The page's policy forbids all but the one style element, by its hash."""
    tree = page(special())
    (policy,) = [
        meta.get("content", "")
        for meta in tree.iter("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    (style,) = tree.iter("style")
    digest = hashlib.sha256((style.text or "").encode()).digest()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{base64.b64encode(digest).decode()}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_page_asks_for_nothing() -> None:
    """The page loads nothing, links nowhere and runs nothing."""
    text = render(special(), "html")
    assert not re.search(r"https?:|url\(|@import|src=|href=|<script|style=", text)


def test_verdict_stands_first() -> None:
    """The first heading is the headline, above counts, next step and tables."""
    tree = page(newcomer())
    assert words(tree.find(".//h1")) == "✗ 1 regressed, 4 undecided"
    assert words(tree.find(".//title")) == "gitbench: 1 regressed, 4 undecided"
    assert words(tree.find(".//ul")) == "1 regressed 4 inconclusive"
    text = words(tree.find("body"))
    assert text.index("1 regressed") < text.index("Next:") < text.index("Baseline")


def test_nothing_compared_says_what_to_do() -> None:
    """A page without a comparison says so and names the next step."""
    text = words(page(nothing()).find("body"))
    assert "nothing was compared" in text
    assert "gitbench record the results there" in text


@pytest.mark.parametrize("name", TYPICAL)
def test_tables_can_be_heard(name: str) -> None:
    """Every table has a caption, headings of columns and of rows, and equal rows."""
    for table in page(TYPICAL[name]()).iter("table"):
        assert words(table.find("caption"))
        columns = table.findall("thead/tr/th")
        assert {cell.get("scope") for cell in columns} == {"col"}
        assert table.get("role") == "table"
        for row in table.findall("tbody/tr"):
            assert len(list(row)) == len(columns)
            assert [cell.get("scope") for cell in row.findall("th")] == ["row"]
            assert row.get("role") == "row"


def test_sections_are_named_by_their_headings() -> None:
    """Each group is a section labelled by its heading, with an id of its own."""
    tree = page(higher())
    ids = [heading.get("id") for heading in tree.iter("h2")]
    labels = [section.get("aria-labelledby") for section in tree.iter("section")]
    assert ids == labels == ["group-1", "group-2"]
    assert tree.get("lang") == "en"


def test_quiet_rows_are_folded_into_a_table_of_their_own() -> None:
    """Unchanged rows stand behind a summary with their number."""
    folds = {
        words(one.find("summary")): len(one.findall("table/tbody/tr"))
        for one in page(fine()).iter("details")
    }
    assert folds == {"2 no-regression": 2, "37 unchanged": 37}


def _colours(scheme: str) -> dict[str, str]:
    """Name -> `#rrggbb` of one colour scheme of the style sheet."""
    blocks = re.findall(r":root \{(.*?)\}", scheme, re.DOTALL)
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[0]))


def _luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, WCAG 2.2."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("tone", ["bad", "unsure", "note", "calm", "good"])
def test_colours_can_be_told_from_their_ground(tone: str, dark: bool) -> None:
    """Text has a contrast of 4.5 or more, on the page and on its own ground."""
    (style,) = page(fine()).iter("style")
    light, night = (style.text or "").split("prefers-color-scheme: dark", 1)
    colours = _colours(night if dark else light)
    for ground in (colours["page"], colours["raised"], colours[f"{tone}-back"]):
        assert contrast(colours[tone], ground) >= 4.5
    assert contrast(colours["ink"], colours[f"{tone}-back"]) >= 4.5
    assert contrast(colours["soft"], colours["page"]) >= 4.5
    assert contrast(colours["soft"], colours["raised"]) >= 4.5

"""Hostile texts in every place of a report leave its shape as harmless ones do."""

from __future__ import annotations

import json
import re
import unicodedata
from html.parser import HTMLParser
from xml.etree import ElementTree

import cmarkgfm
import html5lib
import pytest
from cmarkgfm.cmark import Options as Cmark
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.model import Report
from gitbench.report import FORMATS, Options, render
from gitbench.report.escape import clean_name
from gitbench.report.terminal import text_width
from tests.golden.reports import HOSTILE, harmless, hostile

Shape = list[tuple[str, tuple[str, ...], int]]


def html_shape(page: str) -> Shape:
    """Tag, attribute names and depth of every element but `code`."""
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    shape: Shape = []

    def walk(element: ElementTree.Element, depth: int) -> None:
        if isinstance(element.tag, str) and element.tag != "code":
            shape.append((element.tag, tuple(sorted(element.attrib)), depth))
            depth += 1
        elif not isinstance(element.tag, str):
            shape.append(("comment", (), depth))
        for inner in element:
            walk(inner, depth)

    walk(tree, 0)
    return shape


def xml_shape(text: str) -> Shape:
    """Tag and attribute names of every element."""
    root = ElementTree.fromstring(text.encode())
    return [(one.tag, tuple(sorted(one.attrib)), len(one)) for one in root.iter()]


def markdown_page(text: str) -> str:
    """What a host makes of Markdown."""
    return cmarkgfm.github_flavored_markdown_to_html(text, Cmark.CMARK_OPT_UNSAFE)


def shape_of(report: Report, fmt: str) -> Shape:
    """The shape of a report in one format."""
    text = render(report, fmt)
    if fmt == "junit":
        return xml_shape(text)
    return html_shape(markdown_page(text) if fmt == "markdown" else text)


@pytest.mark.parametrize("fmt", ["markdown", "html", "junit"])
def test_hostile_names_change_no_shape(fmt: str) -> None:
    """The same elements and attributes stand there as with harmless names."""
    assert shape_of(hostile(), fmt) == shape_of(hostile(harmless(len(HOSTILE))), fmt)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
@settings(derandomize=True, max_examples=60, deadline=None)
def test_any_name_changes_no_shape(text: str) -> None:
    """Whatever a name is, each format has the shape that a harmless one gives."""
    report, other = hostile({"x": text}), hostile(harmless(1))
    for fmt in ("markdown", "html", "junit"):
        assert shape_of(report, fmt) == shape_of(other, fmt)
    check_lines(render(report, "text"))
    assert json.loads(render(report, "json"))["groups"][0]["suite"] == text


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("name", HOSTILE)
def test_no_line_of_a_report_is_a_command(name: str, fmt: str) -> None:
    """No output has a line that a terminal or a CI log would obey."""
    text = render(hostile({name: HOSTILE[name]}), fmt, Options(all_rows=True))
    check_lines(text)


def check_lines(text: str) -> None:
    """Every line is visible text and no command of a CI log."""
    for line in text.split("\n"):
        assert not line.lstrip().startswith("::")
        assert not re.search(r"##\w*\[", line)
        found = {unicodedata.category(char) for char in line}
        assert not found & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_text_fits_its_terminal(width: int, unicode: bool) -> None:
    """No line of a text report is wider than the terminal."""
    options = Options(width=width, unicode=unicode, all_rows=True)
    for line in render(hostile(), "text", options).split("\n"):
        assert text_width(line) <= width
        assert unicode or line.isascii()


def test_every_hostile_name_is_read_back() -> None:
    """JSON has each name in full, the other formats the clean one as text."""
    report = hostile()
    data = json.loads(render(report, "json"))
    names = [one["benchmark"] for one in data["comparisons"]]
    page = "".join(html5lib.parse(render(report, "html"), "etree").itertext())
    markup = markdown_page(render(report, "markdown", Options(all_rows=True)))
    comment = "".join(html5lib.parse(markup, "etree").itertext())
    root = ElementTree.fromstring(render(report, "junit").encode())
    cases = {case.get("name") for case in root.iter("testcase")}
    for text in HOSTILE.values():
        assert text[:1024] in names
        assert clean_name(text[:1024]) in " ".join(page.split())
        assert clean_name(text[:1024], 120) in " ".join(comment.split())
        assert f"{clean_name(text[:1024], 1200)}: duration" in cases


def test_page_has_no_script_link_or_event() -> None:
    """The page of a hostile report has no element or attribute that acts."""
    seen: list[tuple[str, list[str]]] = []

    class Reader(HTMLParser):
        def handle_starttag(
            self, tag: str, attrs: list[tuple[str, str | None]]
        ) -> None:
            seen.append((tag, [name for name, _ in attrs]))

    Reader().feed(render(hostile(), "html"))
    assert not {tag for tag, _ in seen} & {
        *("script", "a", "img", "iframe", "object", "form", "link", "base", "svg")
    }
    attributes = {name for _, names in seen for name in names}
    assert not [name for name in attributes if name.startswith("on")]
    assert not attributes & {"href", "src", "style", "action"}


def test_comment_mentions_nobody() -> None:
    """Outside of code a comment has no mention, reference, emoji or link."""
    page = markdown_page(render(hostile(), "markdown", Options(all_rows=True)))
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    assert not tree.findall(".//a")
    outside = "".join(
        (element.text or "" if element.tag != "code" else "") + (element.tail or "")
        for element in tree.iter()
        if isinstance(element.tag, str)
    )
    assert not re.search(r"[@#$~\[\]]|://|GH-\d|:\w+:", outside)

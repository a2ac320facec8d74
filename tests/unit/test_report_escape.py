"""Each escape function gives its context one line of text and nothing else."""

from __future__ import annotations

import re
import unicodedata
from xml.etree import ElementTree

import cmarkgfm
import html5lib
import pytest
from cmarkgfm.cmark import Options as Cmark
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitbench.report import escape
from gitbench.report.escape import Phrase, Prose, clean, clean_name, say
from gitbench.report.terminal import Terminal, shorten, text_width
from tests.golden.reports import HOSTILE

LAWS = settings(derandomize=True, max_examples=200, deadline=None)

# Half of the texts are made of what a renderer could make something of.
ODD = st.text(
    st.sampled_from("`|\\<>&\"'[]()!*_~#@:/.-+=$%1ag \n\t\u202e\u0301\x1b\x00")
)
TEXTS = st.one_of(st.text(), ODD, st.sampled_from(sorted(HOSTILE.values())))
BAD_CATEGORIES = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def fragment(markup: str) -> ElementTree.Element:
    """The elements that a browser makes of some HTML inside a body."""
    tree = html5lib.parse(markup, namespaceHTMLElements=False)
    body = tree.find("body")
    assert body is not None
    return body


def rendered(markdown: str) -> ElementTree.Element:
    """The elements that a host makes of Markdown, HTML in it included."""
    html = cmarkgfm.github_flavored_markdown_to_html(markdown, Cmark.CMARK_OPT_UNSAFE)
    return fragment(html)


def text_of(element: ElementTree.Element) -> str:
    """The text that a reader sees, blanks as a browser shows them."""
    return " ".join("".join(element.itertext()).split())


def tags(element: ElementTree.Element) -> set[str]:
    """Names of all elements inside."""
    return {inner.tag for inner in element.iter()} - {element.tag}


@pytest.mark.parametrize("function", [clean, clean_name])
@given(TEXTS, st.integers(8, 60))
@LAWS
def test_clean_text_is_one_short_visible_line(function, text: str, limit: int) -> None:
    """A clean text has a bounded length and only visible characters and spaces."""
    line = function(text, limit)
    assert 0 < len(line) <= max(limit, len("(blank)"))
    assert line == line.strip()
    assert not {unicodedata.category(char) for char in line} & set(BAD_CATEGORIES)


@given(TEXTS)
@LAWS
def test_cleaning_twice_changes_nothing(text: str) -> None:
    """What is clean stays as it is."""
    assert clean_name(clean_name(text)) == clean_name(text)


def test_names_stay_apart_when_cleaned() -> None:
    """A name with an invisible character does not look like the one without."""
    assert clean_name("a\u200bb") == "a\ufffdb"
    assert clean_name("\u202eabc") == "\ufffdabc"
    assert clean_name("a\x1b[31mb") == "a\ufffd[31mb"


def test_long_name_keeps_both_ends() -> None:
    """A name that is too long loses its middle, a message its end."""
    text = "tests/test_parse.py::" + "x" * 400 + "[n=1000]"
    name = clean_name(text)
    assert name.startswith("tests/test_parse.py::")
    assert name.endswith("[n=1000]")
    assert len(name) == escape.NAME_LIMIT
    assert clean("y" * 5000) == "y" * (escape.PROSE_LIMIT - 1) + "…"


def test_marks_cannot_pile_up() -> None:
    """A mark without a letter gets one to stand on, and towers are cut."""
    assert clean_name("\u0301a") == "\u25cc\u0301a"
    assert clean_name("a" + "\u0301" * 500) == "a" + "\u0301" * 4


@given(TEXTS)
@example("a|b")
@example("\\|")
@example("a\\\\|b`")
@LAWS
def test_name_in_markdown_table_stays_one_cell(text: str) -> None:
    """A name in a table comes back as the same text, in code, in one cell."""
    table = rendered(
        f"| h | k |\n| - | - |\n| {escape.markdown(text)} | end |\n| next | row |\n"
    )
    rows = table.findall(".//tr")
    assert [len(list(row)) for row in rows] == [2, 2, 2]
    cell = next(iter(rows[1]))
    assert text_of(cell) == clean_name(text, 120)
    assert tags(cell) == {"code"}
    assert not (cell.text or "").strip()


@given(TEXTS)
@LAWS
def test_name_in_markdown_sentence_stays_text(text: str) -> None:
    """A name in a sentence comes back as the same text, and all of it is code."""
    body = rendered(str(escape.markdown(say("suite {name} moved", name=text))))
    paragraph = body.find("p")
    assert paragraph is not None
    assert len(list(body)) == 1
    assert tags(body) == {"p", "code"}
    assert text_of(paragraph) == f"suite {clean_name(text, 120)} moved"


@given(TEXTS)
@LAWS
def test_message_in_markdown_stays_text(text: str) -> None:
    """A message comes back as text, and what could be more than words is code."""
    body = rendered("- warning: " + escape.markdown(Prose(text)) + "\n- next\n")
    assert len(body.findall("ul/li")) == 2
    assert tags(body) <= {"ul", "li", "code"}
    item = body.findall("ul/li")[0]
    shown = text_of(item).replace("warning:", "", 1)
    if not text.strip():
        assert shown == ""
        return
    assert _letters(shown) == _letters(clean(text))
    outside = re.sub(r"<code>.*?</code>", "", _source(item), flags=re.DOTALL)
    outside = outside.replace("<li>", "").replace("</li>", "")
    assert not re.search(r"[@#$*_~\[\]>|\\`]|<(?!\d)", outside)
    assert "://" not in outside


def _letters(text: str) -> str:
    """Without blanks and backticks, which prose may move or take as code marks."""
    return re.sub(r"[\s`]|\(blank\)", "", text)


def _source(element: ElementTree.Element) -> str:
    return ElementTree.tostring(element, encoding="unicode").replace("&lt;", "<")


@given(TEXTS)
@LAWS
def test_name_in_html_stays_text(text: str) -> None:
    """A name in an element, an attribute and a sentence makes no element."""
    safe = escape.html(text)
    sentence = escape.html(say("suite {name}.", name=text))
    body = fragment(f'<p title="{safe}">{safe}</p><p>{sentence}</p>')
    first, second = body.findall("p")
    assert text_of(first) == first.get("title") == clean_name(text)
    assert first.keys() == ["title"]
    assert tags(body) == {"p", "code"}
    assert text_of(second) == f"suite {clean_name(text)}."


@given(TEXTS)
@LAWS
def test_name_in_xml_stays_text(text: str) -> None:
    """A name in XML is read back by a parser as the same text."""
    safe = escape.xml(text)
    message = escape.xml(say("failed: {note}", note=Prose(text)))
    root = ElementTree.fromstring(f'<a b="{safe}">{safe}<c>{message}</c></a>')
    assert root.text == root.get("b") == clean_name(text, 1200)
    assert [child.tag for child in root] == ["c"]
    shown = " ".join((root[0].text or "").split())
    assert shown == f"failed: {clean(text) if text.strip() else ''}".strip()


@given(TEXTS, st.integers(40, 120), st.booleans())
@LAWS
def test_name_in_terminal_stays_text(text: str, width: int, unicode: bool) -> None:
    """A wrapped sentence fits, steers no terminal and starts no log command."""
    terminal = Terminal(width, unicode=unicode)
    sentence = say("the suite {name} of {name} moved", name=text)
    for shown in (
        terminal.wrap(sentence, "  next  ", "        "),
        terminal.wrap(Prose(text)),
        terminal.wrap(text),
    ):
        for line in str(shown).split("\n"):
            assert text_width(line) <= width
            assert not line.lstrip().startswith("::")
            assert not re.search(r"##\w*\[", line)
            assert line.isascii() or unicode
            found = {unicodedata.category(char) for char in line}
            assert not found & set(BAD_CATEGORIES)


@given(st.text(), st.integers(1, 40))
@LAWS
def test_shortened_text_fits(text: str, width: int) -> None:
    """A shortened text takes no more columns than it was given."""
    line = clean(text)
    short = shorten(line, width)
    assert text_width(short) <= width
    assert short == line or text_width(line) > width


@pytest.mark.parametrize("command", ["##[error]x", "##vso[task.x]y", "###[group]z"])
@pytest.mark.parametrize(
    "function", [escape.html, escape.xml, escape.markdown, Terminal().escape]
)
def test_old_log_commands_are_broken_anywhere(function, command: str) -> None:
    """`##[` and `##vso[` never stand in an output: CI logs obey them mid-line."""
    for value in (command, Prose(command), say("a {x} b", x=command)):
        assert not re.search(r"##\w*\[", str(function(value)))


def test_wide_characters_take_two_columns() -> None:
    """East Asian letters and emoji are two columns wide, marks none."""
    assert text_width("並べ替え") == 8
    assert text_width("🚀") == 2
    assert text_width("e\u0301") == 1
    assert shorten("並べ替え並べ替え", 9) == "並べ…替え"


def test_phrases_know_names_from_prose() -> None:
    """Only the names of a phrase become code; backticks in prose do too."""
    phrase = say("{n} rows of {suite}, see `gitbench show`", n=3, suite="a b")
    assert isinstance(phrase, Phrase)
    assert escape.markdown(phrase) == "3 rows of `a b`, see `gitbench show`"
    assert escape.html(phrase) == (
        "3 rows of <code>a b</code>, see <code>gitbench show</code>"
    )
    assert Terminal().escape(phrase) == "3 rows of 'a b', see `gitbench show`"


def test_numbers_are_plain_words_in_markdown() -> None:
    """A number with its unit, a change and a p-value need no code."""
    for text in ("41.20 ms", "+16.3 %", "-4.8 %", "<0.001", "x12.3", "3.1 GB/s", "–"):
        assert escape.markdown(Prose(text)) == text


@pytest.mark.parametrize(
    "text",
    ["1. first", "1) first", "= first", "- first", "+ first", "# first", "> first"],
)
def test_message_starts_no_block_of_markdown(text: str) -> None:
    """A message at the start of an item makes no list, heading or quote in it."""
    body = rendered(f"- {escape.markdown(Prose(text))}\n")
    assert tags(body) == {"ul", "li", "code"}


@pytest.mark.parametrize(
    "word",
    [
        *("www.evil.example", "http://x.example", "user@host.example", "GH-12"),
        *("owner/repo#2", "@team", ":tada:", "$x$", "/merge", "<b>", "#1"),
    ],
)
def test_words_that_hosts_act_on_are_code(word: str) -> None:
    """A mention, link, reference, emoji or command in a message is code."""
    assert escape.markdown(Prose(f"see {word} there")) == f"see `{word}` there"

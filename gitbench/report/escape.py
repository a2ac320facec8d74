"""Untrusted text made safe, one function for each place it is written to.

Names, messages, units and branch names come out of result files and are hostile
until they have passed one of the functions below.  Three types say what a value
is, and every context knows all three:

* a plain `str` is a name: shown literally, as code where the context has it;
* `Prose` is running text or a number; its `backticked` parts are shown as code;
* `Phrase` is a sentence of ours with names and prose in it, built by `say`.

`Markup` (of markupsafe) marks text that is already safe in its context.
Templates never call these functions: the environment applies the right one to
every expression, so that a template cannot forget it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

NAME_LIMIT = 300
"""Longest name shown, in characters; the JSON report alone has names in full."""
PROSE_LIMIT = 1000
"""Longest message shown, in characters."""
_MARKDOWN_LIMIT = 120
"""Longest name in Markdown: hosts refuse a comment of more than 65,536 characters."""
_COMBINING_RUN = 4
"""Marks kept on one letter; written languages need three at most."""

_BLANKS = dict.fromkeys(map(ord, "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029"), " ")
LOG_COMMAND = re.compile(r"##(?=\w*\[)")
"""Starts a log command wherever it stands in a line: `##[` is read so by GitHub's
runner (the form before `::`), `##vso[` by Azure Pipelines, `##teamcity[`."""
_CODE = re.compile(r"`([^`]+)`")


class Prose(str):
    """Running text or a number; not trusted either."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence in parts: a `str` is a name, a `Prose` is the text around it."""

    parts: tuple[str, ...]


Text = str | Phrase
"""What a context can write: a name, prose, or a phrase."""


def say(sentence: str, **fields: str | int | Phrase) -> Phrase:
    """A phrase from a format string of ours, with `{names}` filled in.

    A `str` field is a name, a `Prose` or a number is prose, a phrase is taken in.
    """
    from string import Formatter

    parts: list[str] = []
    for literal, field, _, _ in Formatter().parse(sentence):
        if literal:
            parts.append(Prose(literal))
        if field is None:
            continue
        value = fields[field]
        if isinstance(value, Phrase):
            parts.extend(value.parts)
        else:
            parts.append(Prose(value) if isinstance(value, int) else value)
    return Phrase(tuple(parts))


def join(separator: str, phrases: list[Phrase]) -> Phrase:
    """The phrases in one, with `separator` of ours between them."""
    parts: list[str] = []
    for phrase in phrases:
        if parts:
            parts.append(Prose(separator))
        parts.extend(phrase.parts)
    return Phrase(tuple(parts))


def plain(text: Text) -> str:
    """The text of a phrase without any escaping, to measure or to test."""
    return "".join(text.parts) if isinstance(text, Phrase) else str(text)


# ------------------------------------------------------------------- every context


def clean(text: str, limit: int = PROSE_LIMIT) -> str:
    """One line of visible characters, cut off at the end after `limit` of them.

    Line breaks and blanks of any width become one space.  Controls (ESC, C1),
    format characters (bidi marks, zero-width), surrogates, private and unassigned
    characters become U+FFFD, so that two names that differ in them still differ
    from a clean one.  A mark with no letter to stand on gets a dotted circle.
    """
    line = _line(text[: 4 * limit])
    if len(text) <= 4 * limit and len(line) <= limit:
        return line
    return line[: limit - 1] + "…"


def clean_name(text: str, limit: int = NAME_LIMIT) -> str:
    """The same for a name, of which the middle is cut out.

    The ends of benchmark names tell more than their middle: a file at the start,
    parameters at the end.
    """
    if len(text) <= 4 * limit:
        line = _line(text)
        if len(line) <= limit:
            return line
    else:
        line = _line(text[: 2 * limit] + text[-2 * limit :])
    tail = (limit - 1) // 2
    return line[: limit - 1 - tail] + "…" + _unmarked(line[-tail:])


def _unmarked(text: str) -> str:
    """Without the marks at its start, which would sit on what comes before."""
    start = 0
    while start < len(text) and unicodedata.category(text[start]) in ("Mn", "Me"):
        start += 1
    return text[start:]


def _line(text: str) -> str:
    text = text.translate(_BLANKS)
    if not text.isascii():
        text = _visible(text)
    elif not text.isprintable():
        text = "".join([c if c.isprintable() else "\ufffd" for c in text])
    return " ".join(text.split()) or "(blank)"


def _visible(text: str) -> str:
    """`text` without invisible characters and without towers of marks."""
    result: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        if category in ("Mn", "Me"):
            marks += 1
            if marks > _COMBINING_RUN:
                continue
            if not result or result[-1] == " ":
                result.append("\u25cc")
        else:
            marks = 0
            if category in ("Cc", "Cf", "Cs", "Co", "Cn"):
                char = "\ufffd"
            elif category in ("Zs", "Zl", "Zp"):
                char = " "
        result.append(char)
    return "".join(result)


# -------------------------------------------------------------------- HTML and XML


def html(value: object) -> Markup:
    """Safe inside an HTML element or a quoted attribute."""
    from markupsafe import Markup

    if isinstance(value, Markup):
        return value
    if isinstance(value, Phrase):
        return Markup("").join(
            html(part) if isinstance(part, Prose) else _html_code(part)
            for part in value.parts
        )
    if isinstance(value, Prose):
        pieces = _CODE.split(_padded(value))
        return Markup("").join(
            _html_code(piece) if place % 2 else _entities(piece)
            for place, piece in enumerate(pieces)
        )
    return _entities(clean_name(str(value)))


def _html_code(text: str) -> Markup:
    from markupsafe import Markup

    return Markup(f"<code>{_entities(clean_name(text))}</code>")


def _entities(text: str) -> Markup:
    """Characters with a meaning in HTML and XML as entities, log commands broken."""
    from markupsafe import Markup, escape

    return Markup(LOG_COMMAND.sub("#&#35;", str(escape(text))))


def xml(value: object) -> Markup:
    """Safe inside an XML element or a quoted attribute.

    `clean` has already taken every character that XML 1.0 forbids.
    """
    from markupsafe import Markup

    if isinstance(value, Markup):
        return value
    if isinstance(value, Phrase):
        return Markup("").join(
            _entities(_padded(part)) if isinstance(part, Prose) else xml(part)
            for part in value.parts
        )
    if isinstance(value, Prose):
        return _entities(_padded(value))
    return _entities(clean_name(str(value), 4 * NAME_LIMIT))


def _padded(text: str) -> str:
    """Clean prose that keeps one space at its ends, where a name may follow."""
    if not text.strip():
        return " " if text else ""
    before = " " if text[0].isspace() else ""
    after = " " if text[-1].isspace() else ""
    return before + clean(text) + after


# ------------------------------------------------------------------------ Markdown


def markdown(value: object) -> Markup:
    """Safe anywhere inside a line of Markdown, in a table cell as well.

    Names are code spans: a host turns neither a mention, nor a reference, nor a
    link, nor a bot's command in one into anything.  Never put it at the start of a
    line without a word of ours in front.
    """
    from markupsafe import Markup

    if isinstance(value, Markup):
        return value
    if isinstance(value, Phrase):
        return Markup(
            _glued(
                [
                    _markdown_prose(part)
                    if isinstance(part, Prose)
                    else markdown_code(part)
                    for part in value.parts
                ]
            )
        )
    if isinstance(value, Prose):
        return Markup(_markdown_prose(value))
    return Markup(markdown_code(str(value)))


def markdown_code(text: str, limit: int = _MARKDOWN_LIMIT) -> str:
    """A name as a code span whose fence is longer than any run of backticks in it.

    A pipe would end a table's cell, and in a code span only a table takes `\\|`
    for one; such names are written with entities, which holds in both places.
    """
    text = clean_name(text, limit)
    if "|" in text or LOG_COMMAND.search(text):
        inner = "".join(c if c.isalnum() or c == " " else f"&#{ord(c)};" for c in text)
        return f"<code>{inner}</code>"
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}"


# Compiled when first used: most commands that import this module write no Markdown.
_PLAIN_WORD = (
    r"(?i:(?!www\.|gh-\d)"
    r"[(\"']*(?:[+\-−≥≤±×]|<(?=\d))?"
    r"[^\W_]+%?(?:[/'’.,\-+][^\W_]+%?)*"
    r"[)\"'.,;:?!]*)"
)
"""A word that no Markdown renderer and no host makes anything of."""
_PLAIN_SIGNS = r"[%=≥≤·–—…×±→]?[.,;:()]*"
_LIST_START = r"\d+[.)]+|="


def _markdown_prose(text: Prose) -> str:
    """Running text with every word that could be more than a word as code."""
    pieces: list[str] = []
    for place, piece in enumerate(_CODE.split(_padded(text))):
        if place % 2:
            pieces.append(markdown_code(piece))
        else:
            pieces.append(_plain_words(piece))
    return _glued(pieces)


def _glued(pieces: list[str]) -> str:
    """The pieces in one; two code spans that touch would become another span."""
    result = ""
    for piece in pieces:
        if result.endswith("`") and piece.startswith("`"):
            result += " "
        result += piece
    return result


def _plain_words(text: str) -> str:
    result: list[str] = []
    odd: list[str] = []
    for place, word in enumerate(text.split(" ")):
        harmless = re.fullmatch(_PLAIN_SIGNS, word) or re.fullmatch(_PLAIN_WORD, word)
        if place == 0 and re.fullmatch(_LIST_START, word):
            harmless = None
        if not harmless:
            odd.append(word)
            continue
        if odd:
            result.append(markdown_code(" ".join(odd), PROSE_LIMIT))
            odd = []
        result.append(word)
    if odd:
        result.append(markdown_code(" ".join(odd), PROSE_LIMIT))
    return " ".join(result)

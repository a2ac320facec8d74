"""The rules that `calibrate --write` keeps in a settings file.

They stand in one block between two comments, which is written anew each time; every
other byte of the file stays.  Pure text in, text out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitbench.config.values import ConfigError

FIRST = "# >>> gitbench calibrate: this block is written anew by calibrate --write"
LAST = "# <<< gitbench calibrate"


@dataclass(frozen=True, slots=True)
class NoiseRule:
    """One rule of the block."""

    benchmark: str
    """A glob."""
    metric: str
    suite: str
    percent: int
    """The threshold."""
    why: str
    """A comment of one line of ours, without names out of results."""


def without_block(text: str) -> str:
    """The text without the block.

    Raises ConfigError if the block's comments are not both there, in their order, once.
    """
    start, end = _place(text)
    return text[:start] + text[end:]


def with_block(
    text: str, rules: Sequence[NoiseRule], day: str, section: str = ""
) -> str:
    """The text with the block of these rules, in its old place or at the end.

    Without rules the block is taken out.  `section` is the table that the keys stand
    in (`tool.gitbench.` in pyproject.toml), `day` the date in the comment.
    """
    start, end = _place(text)
    if not rules:
        return text[:start] + text[end:]
    lines = [FIRST, f"# Measured {day}.", *_lines(rules, section), LAST]
    block = _break(text).join([*lines, ""])
    if end > start:
        return text[:start] + block + text[end:]
    gap = "" if not text else _break(text) * (1 if text.endswith("\n") else 2)
    return text + gap + block


def _break(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _lines(rules: Sequence[NoiseRule], section: str) -> list[str]:
    lines = []
    for rule in rules:
        lines += [
            f"[[{section}rule]]  # {rule.why}",
            f"benchmark = {quoted(rule.benchmark)}",
            f"metric = {quoted(rule.metric)}",
            f"suite = {quoted(rule.suite)}",
            f'threshold = "{rule.percent}%"',
        ]
    return lines


def _place(text: str) -> tuple[int, int]:
    """Where the block begins and ends; the end of the text twice if there is none."""
    starts = _line_starts(text, FIRST)
    ends = _line_starts(text, LAST)
    if not starts and not ends:
        return len(text), len(text)
    if len(starts) != 1 or len(ends) != 1 or starts[0] > ends[0]:
        raise ConfigError(
            f"The comments {FIRST[:24]!r} and {LAST!r} do not stand there once each, "
            "in this order; delete what is left of the block, and write it again."
        )
    end = text.find("\n", ends[0])
    return starts[0], len(text) if end < 0 else end + 1


def _line_starts(text: str, line: str) -> list[int]:
    found, at = [], text.find(line)
    while at >= 0:
        if at == 0 or text[at - 1] == "\n":
            found.append(at)
        at = text.find(line, at + 1)
    return found


def quoted(text: str) -> str:
    """A TOML string; whatever cannot be printed is escaped."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

"""Text for a terminal: columns, wrapping, colour, and nothing that steers it.

Owns widths: a character takes no, one or two columns, and every cell is measured
in columns after it was made safe.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gitbench.report.escape import LOG_COMMAND, Phrase, Prose, clean, clean_name
from gitbench.report.tasks import is_judged_together
from gitbench.report.view import GroupView, Row
from gitbench.report.words import NONE

if TYPE_CHECKING:
    from markupsafe import Markup

MIN_WIDTH = 40
_NAME_IN_PROSE = 60
"""Columns of a name inside a sentence."""
_NAME_LEAST = 24
"""Columns that a benchmark's name gets before columns of numbers are given up."""
_NAME_LEAST_NARROW = 10
"""Columns of a name before whole metrics are given up."""
_CELL_LEAST = 10
_CELL_MOST = 18
"""Columns of any other cell, whatever a hostile unit holds."""
_LABEL = 10
_GAP = 2
_INDENT = 2

_CODES = {
    "bad": "31",
    "unsure": "33",
    "note": "36",
    "calm": "32",
    "good": "32",
    "strong": "1",
    "dim": "2",
}
_SIGNS = {
    "regressed": ("✗", "x"),
    "failed": ("✗", "x"),
    "inconclusive": ("?", "?"),
    "incomparable": ("≠", "!"),
    "missing": ("−", "-"),
    "accepted": ("~", "~"),
    "new": ("+", "+"),
    "no-regression": ("✓", "."),
    "unchanged": ("✓", "."),
    "improved": ("↑", "^"),
    "not-compared": ("∅", "!"),
}
_ASCII = str.maketrans(
    {"µ": "u", "μ": "u", "×": "x", "≥": ">=", "≤": "<=", "–": "-", "−": "-"}
    | {"…": "...", "·": "|", "\ufffd": "?", "±": "+-"}
)


def char_width(char: str) -> int:
    """Columns that a terminal gives one visible character: 0, 1 or 2."""
    if char < "\u0300":
        return 1
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def text_width(text: str) -> int:
    """Columns of a line of visible text, without colour."""
    return len(text) if text.isascii() else sum(map(char_width, text))


def shorten(text: str, width: int, ellipsis: str = "…") -> str:
    """`text` in at most `width` columns, its middle cut out, see `clean_name`."""
    if text_width(text) <= width:
        return text
    room = width - text_width(ellipsis)
    if room <= 0:
        return ellipsis[:width]
    left = _take(text, room - room // 2)
    right = _take(text[::-1], room - text_width(left))[::-1]
    # A mark cut off from its letter would sit on the ellipsis.
    while right and char_width(right[0]) == 0:
        right = right[1:]
    return left + ellipsis + right


def _take(text: str, width: int) -> str:
    used = 0
    for place, char in enumerate(text):
        used += char_width(char)
        if used > width:
            return text[:place]
    return text


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table of rows."""

    key: str
    """Name of the row's field."""
    title: str
    width: int
    right: bool
    """Aligned to the right, as numbers are."""


@dataclass(frozen=True, slots=True)
class TaskLine:
    """One line of a table by benchmark, ready to be written."""

    text: Markup
    details: tuple[Phrase, ...]
    """What has to be said of its rows, to be wrapped below it."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """Makes text safe and fit for one terminal."""

    width: int = 100
    """Columns; fewer than MIN_WIDTH are taken as that many."""
    colour: bool = False
    unicode: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", max(self.width, MIN_WIDTH))

    @property
    def ellipsis(self) -> str:
        """What stands for text that was cut."""
        return "…" if self.unicode else "..."

    def plain(self, text: str) -> str:
        """One clean line that this terminal can show and no log obeys."""
        if not isinstance(text, Prose):
            line = clean_name(text)
        elif text.strip():
            line = clean(text)
        else:
            return ""
        if not self.unicode and not line.isascii():
            line = line.translate(_ASCII)
            line = line.encode("ascii", "backslashreplace").decode("ascii")
        return LOG_COMMAND.sub("# #", line) if "##" in line else line

    def escape(self, value: object) -> Markup:
        """Safe inside a line of this terminal; names in prose are kept short."""
        from markupsafe import Markup

        if isinstance(value, Markup):
            return value
        if isinstance(value, Phrase):
            return Markup("".join(map(self._part, value.parts)))
        return Markup(self.plain(value if isinstance(value, str) else str(value)))

    def _part(self, part: str) -> str:
        if not isinstance(part, Prose):
            name = shorten(self.plain(part), _NAME_IN_PROSE, self.ellipsis)
            return f"'{name}'" if " " in name else name
        before = " " if part[:1].isspace() else ""
        after = " " if part.strip() and part[-1:].isspace() else ""
        return before + self.plain(part) + after

    def paint(self, text: object, tone: str, strong: bool = False) -> Markup:
        """`text` in the colour of a tone (`bad`, `unsure`, ..., `strong`, `dim`)."""
        safe = self.escape(text)
        if not self.colour:
            return safe
        code = _CODES[tone] + (";1" if strong else "")
        return _markup(
            "\n".join(
                f"\x1b[{code}m{line}\x1b[0m" if line else ""
                for line in safe.split("\n")
            )
        )

    def sign(self, verdict: str) -> str:
        """One character for a verdict."""
        return _SIGNS[verdict][0 if self.unicode else 1]

    def number(self, count: int) -> Markup:
        """A count with its thousands apart."""
        return _markup(f"{count:,}")

    def wrap(self, text: object, first: str = "", rest: str = "") -> Markup:
        """`text` broken at spaces to fit the width, after `first` and `rest`.

        No line starts with `::`, which GitHub's runner takes for a command even
        after blanks: at the start of a line it is written `: :`.
        """
        lines: list[str] = []
        line, used = first, text_width(first)
        room = self.width
        empty = True
        for word in self._breakable(str(self.escape(text)), room - text_width(rest)):
            width = text_width(word)
            if not empty and used + 1 + width > room:
                lines.append(line)
                line, used, empty = rest, text_width(rest), True
            if word.startswith("::") and not line.strip():
                word = shorten(": " + word[1:], room - used, self.ellipsis)
                width = text_width(word)
            if not empty:
                line, used = line + " ", used + 1
            line, used, empty = line + word, used + width, False
        lines.append(line)
        return _markup("\n".join(lines))

    def fact(self, label: str, text: object, tone: str = "dim") -> Markup:
        """A line `label  text` of a list of facts, wrapped under the text."""
        first = " " * _INDENT + label.ljust(_LABEL)
        wrapped = self.wrap(text, first, " " * len(first))
        return _markup(self.paint(_markup(first), tone) + wrapped[len(first) :])

    def item(self, text: object) -> Markup:
        """A paragraph of a list, wrapped."""
        dash = "-" if not self.unicode else "–"
        return self.wrap(text, f"{' ' * _INDENT}{dash} ", " " * (_INDENT + 2))

    def _breakable(self, text: str, room: int) -> Iterable[str]:
        """The words of a text; one that no line could hold is cut in its middle."""
        for word in text.split():
            yield shorten(word, room, self.ellipsis)

    def columns(self, group: GroupView, rows: Sequence[Row]) -> tuple[Column, ...]:
        """The columns that tell something of a group, sized to `rows`, that fit."""
        sized = {
            key: self._sized(key, rows)
            for key in group.columns
            if key not in _OPTIONAL or any(getattr(row, key) != NONE for row in rows)
        }
        name = sized.pop("benchmark")
        least = min(name.width, _NAME_LEAST)
        for key in ("", *_SPARE):
            sized.pop(key, None)
            used = sum(column.width + _GAP for column in sized.values())
            room = self.width - _INDENT - used
            if room >= least:
                break
        sized["benchmark"] = replace(name, width=min(name.width, max(room, 8)))
        return tuple(sized[key] for key in group.columns if key in sized)

    def _sized(self, key: str, rows: Sequence[Row]) -> Column:
        title = "  verdict" if key == "verdict" else key
        most = max(_CELL_LEAST, min(_CELL_MOST, self.width // 5))
        if key in _WHOLE:
            most = self.width
        widths = [text_width(self._cell(row, key)) for row in rows]
        return Column(
            key, title, min(max([len(title), *widths]), most), key not in _LEFT
        )

    def _cell(self, row: Row, key: str) -> str:
        if key == "verdict":
            return f"{self.sign(row.verdict)} {row.verdict}"
        return self.plain(getattr(row, key))

    def cell(self, row: Row, column: Column) -> Markup:
        """One cell, cut and padded to its column, coloured by the row's verdict."""
        text = self._cell(row, column.key)
        toned = column.key in ("verdict", "change") and text != self.plain(NONE)
        return self._padded(text, column, row.tone if toned else None)

    def task_table(self, group: GroupView) -> tuple[TaskLine, ...]:
        """The benchmarks of a suite with all their metrics, a line each, the
        headings first; the columns say as much as fits."""
        names = [self.plain(task.benchmark) for task in group.tasks]
        heads = [self.plain(name) for name in group.metrics]
        room, widths, cells = self._task_columns(group, heads, names)
        title = self._column("  benchmark", room + 2)
        first = [self._column(*one) for one in zip(heads, widths, strict=False)]
        heading = _markup(_line(title, first).rstrip())
        lines = [TaskLine(self.paint(heading, "dim"), ())]
        for task, name, row in zip(group.tasks, names, cells, strict=True):
            start = self.paint(_markup(self.sign(task.verdict)), task.tone)
            parts = [
                self._painted(text, width, cell)
                for text, width, cell in zip(row, widths, task.cells, strict=False)
            ]
            text = _line(f"{start} {self._column(name, room)}", parts)
            lines.append(TaskLine(_markup(text), task.details))
        return tuple(lines)

    def _task_columns(
        self, group: GroupView, heads: Sequence[str], names: Sequence[str]
    ) -> tuple[int, list[int], list[list[str]]]:
        """Width of the names, widths of the metrics, and the cells, with as much
        detail as leaves room for the names; the last metrics are given up where even
        their changes do not fit."""
        longest = max(9, *map(text_width, names))
        for detail in (2, 1, 0):
            cells = [
                [self._task_cell(cell, detail) for cell in task.cells]
                for task in group.tasks
            ]
            widths = [
                max(min(text_width(head), _CELL_MOST), *map(text_width, column))
                for head, *column in zip(heads, *cells, strict=True)
            ]
            room = self.width - _INDENT - 2 - sum(widths) - _GAP * len(widths)
            if room >= min(longest, _NAME_LEAST):
                return min(room, longest), widths, cells
        while len(widths) > 1 and room < _NAME_LEAST_NARROW:
            room += widths.pop() + _GAP
        return max(min(room, longest), 8), widths, cells

    def _column(self, text: str, width: int) -> str:
        short = shorten(text, width, self.ellipsis)
        return short + " " * (width - text_width(short))

    def _painted(self, text: str, width: int, cell: Row | None) -> str:
        text = shorten(text, width, self.ellipsis)
        blank = " " * (width - text_width(text))
        toned = cell is not None and cell.tone in ("bad", "good", "unsure")
        if cell is None or not toned or is_judged_together(cell):
            return text + blank
        return self.paint(_markup(text), cell.tone) + blank

    def _task_cell(self, row: Row | None, detail: int) -> str:
        """One metric of a benchmark: its own sign, head, and how it moved.

        `detail`: 2 has the baseline's passes too, 0 the change alone.
        """
        if row is None:
            return self.plain(NONE)
        sign = " " if is_judged_together(row) else self.sign(row.verdict)
        head, change = self.plain(row.head), self.plain(row.change)
        if detail == 2 and row.comparison.difference is not None:
            head = f"{self.plain(row.base)} > {head}"
        if row.change == NONE:
            return f"{sign} {head if row.head != NONE else row.verdict}"
        return f"{sign} {head} {change}" if detail else f"{sign} {change}"

    def title(self, column: Column) -> Markup:
        """The heading of a column."""
        return self._padded(column.title, column, "dim")

    def _padded(self, text: str, column: Column, tone: str | None) -> Markup:
        text = shorten(text, column.width, self.ellipsis)
        blank = " " * (column.width - text_width(text))
        painted = self.paint(_markup(text), tone) if tone else text
        return _markup(blank + painted if column.right else painted + blank)


_LEFT = ("verdict", "benchmark", "metric")
_WHOLE = ("verdict", "benchmark", "change", "adjusted", "interval", "limit", "p")
"""Columns whose cells are ours: a number is shown whole or its column given up."""
_OPTIONAL = ("adjusted", "interval", "limit", "p")
"""Columns left out where no row has a number for them."""
_SPARE = ("p", "limit", "interval", "base", "head", "adjusted", "metric")
"""Columns given up on a narrow terminal, in this order."""


def _line(first: str, parts: Sequence[str]) -> str:
    return (" " * _GAP).join([first, *parts])


def _markup(text: str) -> Markup:
    from markupsafe import Markup

    return Markup(text)


def tidy(text: str) -> str:
    """A whole report without blanks at the ends of lines or runs of empty lines."""
    lines: list[str] = []
    for line in text.split("\n"):
        line = line.rstrip()
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).rstrip("\n") + "\n"

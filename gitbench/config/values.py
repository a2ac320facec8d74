"""Reading of single values of a settings file, and the words of its errors.

A reader takes a value as the TOML parser gave it and the place where it stands, and
returns what the program uses, or raises ConfigError with that place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gitbench.errors import GitbenchError
from gitbench.model import MAX_MESSAGE, MAX_NAME
from gitbench.units import UnitError, parse_fraction, parse_quantity

AUTO = "auto"
"""A threshold that follows from the noise of each row."""

MAX_ENTRIES = 1000
"""Most entries of a list, most `[[rule]]` and most `[[accept]]` of a file."""

MAX_REF = 200
"""Longest `ref` in bytes: a file name of 255, with room for git's `.lock`."""


class ConfigError(GitbenchError):
    """A settings file that cannot be read, or a key or value in it that is wrong."""


# -------------------------------------------------------------------- messages


def printable(text: str, limit: int = 300) -> str:
    """`text` if it is safe to print, else escaped; cut to `limit` characters."""
    text = text if len(text) <= limit else text[:limit] + "..."
    return text if text.isprintable() else repr(text)


def shown(value: object) -> str:
    """A value of a file in a message: escaped and short, whatever it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the string {value[:60]!r}"
    if isinstance(value, int):
        # Python refuses to write out an integer of more than 4,300 digits.
        return f"{value}" if abs(value) < 2**63 else "an integer beyond 64 bits"
    if isinstance(value, float):
        return f"{value}"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "a table"
    return "a date or time"


class Place:
    """Where in which file a value stands, for messages.

    No dataclass, whose making costs 1 ms at every start.
    """

    __slots__ = ("joint", "path", "source")

    def __init__(self, source: str, path: str = "", joint: str = ".") -> None:
        self.source = source
        self.path = path
        self.joint = joint

    def key(self, name: str) -> Place:
        """The place of a key of this table."""
        plain = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
        text = name[:60] if plain else repr(name[:60])
        return Place(
            self.source, f"{self.path}{self.joint}{text}" if self.path else text
        )

    def entry(self, number: int) -> Place:
        """The place of an entry of this list, counted from 1."""
        return Place(self.source, f"{self.path}, entry {number}", ", ")

    def number(self, number: int) -> Place:
        """The place of one table of this array of tables, counted from 1."""
        return Place(self.source, f"[[{self.path}]] number {number}", ", ")

    def error(self, what: str) -> ConfigError:
        """The error that says `what` of this place; `what` has no full stop."""
        where = f"{self.source}, {self.path}" if self.path else self.source
        return ConfigError(f"{where}: {what}.")


def clause(error: GitbenchError) -> str:
    """The message of an error that another sentence shall hold."""
    return str(error).rstrip(".")


# ------------------------------------------------------- readers of single values

Reader = Callable[[object, Place], Any]


def entries(value: object, place: Place, example: str) -> list[Any]:
    """A list that is neither empty nor too long; `example` shows one."""
    if not isinstance(value, list):
        raise place.error(f"must be a list such as {example}, not {shown(value)}")
    if not value:
        raise place.error("is an empty list; leave the key out instead")
    if len(value) > MAX_ENTRIES:
        raise place.error(f"has {len(value):,} entries; the limit is {MAX_ENTRIES:,}")
    return value


def text(value: object, place: Place, limit: int = MAX_NAME) -> str:
    """A string of at most `limit` characters, not all of them blanks."""
    if not isinstance(value, str):
        raise place.error(f"must be a string, not {shown(value)}")
    if not value.strip():
        raise place.error("is empty")
    if len(value) > limit:
        raise place.error(f"is {len(value):,} characters long; the limit is {limit:,}")
    return value


def reason(value: object, place: Place) -> str:
    """Free text."""
    return text(value, place, MAX_MESSAGE)


def command(value: object, place: Place) -> str:
    """A shell command, of one line or several."""
    line = text(value, place, MAX_MESSAGE)
    if "\0" in line:
        raise place.error("holds a NUL character, which no command can")
    return line


def name(value: object, place: Place) -> str:
    """A string that can be printed as it is."""
    word = text(value, place)
    if not word.isprintable():
        raise place.error(f"{word[:60]!r} holds a character that cannot be printed")
    return word


def revision(value: object, place: Place) -> str:
    """What git takes as a name of a commit and never as an option."""
    word = name(value, place)
    if word.startswith("-"):
        raise place.error(
            f"{word[:60]!r} begins with '-', which git takes for an option"
        )
    return word


def choice(*words: str) -> Reader:
    """A reader of one of a few words."""

    def read(value: object, place: Place) -> str:
        if value not in words or not isinstance(value, str):
            known = " or ".join([repr(word) for word in words])
            near = _nearest(value, words) if isinstance(value, str) else ""
            raise place.error(f"must be {known}, not {shown(value)}{near}")
        return value

    return read


def _nearest(value: str, words: tuple[str, ...]) -> str:
    """A question after the word that was meant, if one is like `value`."""
    from difflib import get_close_matches

    # A long one is no slip of the pen, and matching takes quadratic time.
    close = get_close_matches(value[:60].lower().replace("_", "-"), words, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def flag(value: object, place: Place) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise place.error(f"must be true or false, not {shown(value)}")
    return value


def whole(least: int, most: int = 1_000_000) -> Reader:
    """A reader of an integer between two bounds, both inclusive."""

    def read(value: object, place: Place) -> int:
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or not least <= value <= most
        ):
            raise place.error(
                f"must be a whole number from {least} to {most:,}, not {shown(value)}"
            )
        return value

    return read


def fraction(value: object, place: Place) -> float:
    """`"5%"` or 0.05; a bare 1 or more is refused, since 5 could mean 5 % or 500 %."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise place.error(
            f'must be a fraction such as "5%" or 0.05, not {shown(value)}'
        )
    if isinstance(value, int) and value not in (0, 1):
        raise place.error(
            f'must be a fraction such as "5%" or 0.05, not {shown(value)}; '
            "per cent are written with a % sign, as a string"
        )
    try:
        part = parse_fraction(value)
    except UnitError as exc:
        raise place.error(clause(exc)) from exc
    if part == 1 and not str(value).rstrip().endswith(("%", "pp")):
        raise place.error('1 could mean 1 % or 100 %; write "1%" or "100%"')
    return part + 0.0


def threshold(value: object, place: Place) -> float | str:
    """A fraction, or `auto`."""
    if value == AUTO:
        return AUTO
    try:
        return fraction(value, place)
    except ConfigError as exc:
        raise ConfigError(f'{clause(exc)}; or "auto".') from exc


def alpha(value: object, place: Place) -> float:
    """A level of significance."""
    level = fraction(value, place)
    if not 0 < level <= 0.5:
        raise place.error(f"must be above 0 and at most 0.5, not {level:g}")
    return level


def quantity(value: object, place: Place) -> tuple[float, str | None]:
    """A number in a base unit, and that unit; None if the file names none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise place.error(
            f'must be a quantity such as "1ms", "2 MiB" or 50000, not {shown(value)}'
        )
    if not isinstance(value, str):
        # An integer beyond the range of floats never gets to float().
        if not -(2**63) <= value < 2**63:
            raise place.error(f"must be a number of 64 bits, not {shown(value)}")
        return float(value) + 0.0, None
    try:
        number, unit = parse_quantity(value)
    except UnitError as exc:
        raise place.error(clause(exc)) from exc
    return number + 0.0, None if _is_number(value) else unit


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def amount(value: object, place: Place) -> tuple[float, str | None]:
    """A quantity that is not negative."""
    number, unit = quantity(value, place)
    if number < 0:
        raise place.error(f"must not be negative, not {shown(value)}")
    return number, unit


_SPANS = {
    "s": 1,
    "second": 1,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86_400,
    "day": 86_400,
    "w": 604_800,
    "week": 604_800,
}
"""Units of a span in seconds; each in the plural too.  No month, whose length
differs."""

MAX_SPAN_S = 100 * 365 * 86_400


def parse_span(text: str) -> int:
    """Seconds of a span such as `30 days` or `12h`; at least one, at most a century.

    Raises ConfigError, without a place.
    """
    words = text.strip().lower()
    number, unit = words.rstrip(_LETTERS), words.lstrip(_DIGITS)
    size = _SPANS.get(unit.strip()) or _SPANS.get(unit.strip().removesuffix("s"))
    try:
        seconds = float(number) * size if size else 0.0
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= MAX_SPAN_S:
        raise ConfigError(
            f"{text[:60]!r} is no span of time; write a number with s, min, h, days "
            'or weeks, such as "30 days" or "12h".'
        )
    return round(seconds)


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789. "


def span(value: object, place: Place) -> int:
    """A span of time as a string, in seconds."""
    if not isinstance(value, str):
        raise place.error(f'must be a span such as "30 days", not {shown(value)}')
    try:
        return parse_span(value)
    except ConfigError as exc:
        raise place.error(clause(exc)) from exc


def day(value: object, place: Place) -> str:
    """A day, as a date of TOML or a string; returned as YYYY-MM-DD."""
    from datetime import date, datetime

    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str):
        raise place.error(f"must be a day such as 2026-12-31, not {shown(value)}")
    try:
        return parse_day(value)
    except ConfigError as exc:
        raise place.error(clause(exc)) from exc


def parse_day(text: str) -> str:
    """A day as YYYY-MM-DD.  Raises ConfigError, without a place."""
    from datetime import date

    try:
        if len(text) == 10:
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise ConfigError(f"must be a day such as 2026-12-31, not {shown(text)}.")


# -------------------------------------------------- readers of names git must take


def check_ref(name: str) -> str:
    """Return `name` if it can be the last part of `refs/notes/<name>`.

    The rules are those of `git check-ref-format` for one component; besides, every
    character is printable, and the length leaves room in a file name.
    Raises ConfigError.
    """
    fault = "holds '/'" if "/" in name else _component_fault(name)
    if fault:
        raise ConfigError(
            f"The notes ref {name[:60]!r} {fault}; it is the last part of "
            "refs/notes/<ref>, one name that git takes in a ref."
        )
    return name


def _component_fault(name: str) -> str | None:
    """What git would not take in the last component of a ref; None if all is well."""
    if not name:
        return "is empty"
    if len(name.encode("utf-8", "replace")) > MAX_REF:
        return f"is longer than {MAX_REF} bytes"
    for char in name:
        if char in " ~^:?*[\\" or not char.isprintable():
            return f"holds {char!r}"
    for part in ("..", "@{"):
        if part in name:
            return f"holds {part!r}"
    if name.startswith("."):
        return "begins with '.'"
    for end in (".", ".lock"):
        if name.endswith(end):
            return f"ends with {end!r}"
    return None


def ref(value: object, place: Place) -> str:
    """The last part of `refs/notes/<ref>`."""
    word = name(value, place)
    try:
        return check_ref(word)
    except ConfigError as exc:
        raise place.error(clause(exc)) from exc


def remote(value: object, place: Place) -> str:
    """The name of a remote; it becomes a part of a ref, too."""
    word = revision(value, place)
    for part in word.split("/"):
        fault = _component_fault(part)
        if fault:
            raise place.error(
                f"must be the name of a remote, not a URL or a path: {word[:60]!r} "
                f"has a part that {fault}"
            )
    return word

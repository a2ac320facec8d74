"""TOML within bounds: what hostile text can make the parser do is stopped before it.

`record` loads the settings, so the parser (3 ms) is imported only when there is a file
to parse.
"""

from __future__ import annotations

from typing import Any

from gitbench.config.values import Place, printable

MAX_BYTES = 1_000_000
"""Longest file that is read."""

MAX_PARTS = 20
"""Most parts of a dotted key."""


def decode(text: bytes | str, place: Place) -> dict[str, Any]:
    """Parse TOML within the bounds."""
    import tomllib

    if len(text) > MAX_BYTES:
        raise place.error(
            f"it is longer than {MAX_BYTES:,} bytes; shorten it, or "
            "put the settings into a gitbench.toml of their own"
        )
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        else:
            text.encode("utf-8")
        _check_depth(text, place)
        return tomllib.loads(text.removeprefix("\ufeff"))
    except UnicodeError as exc:
        raise place.error("it is not valid UTF-8 text; save it as UTF-8") from exc
    except tomllib.TOMLDecodeError as exc:
        raise place.error(f"it is not valid TOML: {printable(str(exc))}") from exc
    except ValueError as exc:
        # tomllib lets through that of an integer with more than 4,300 digits.
        raise place.error("one of its integers has thousands of digits") from exc
    except RecursionError as exc:
        raise place.error("its arrays or tables are nested too deeply") from exc


def _check_depth(text: str, place: Place) -> None:
    """Refuse dotted keys of many parts before they are parsed.

    tomllib keeps every prefix of such a key, so one of 100,000 parts, which fits in
    200 kB, takes 40 GB.  Strings and comments are passed over; at a string without
    an end the parser will stop as well.
    """
    import re

    token = re.compile(r'"{3}|\'{3}|["\'#.\n=,\[\]{}]')
    parts, at = 1, 0
    while found := token.search(text, at):
        sign, at = found[0], found.end()
        if sign == "#":
            at = text.find("\n", at)
        elif sign[0] in "\"'":
            at = _end_of_string(text, at, sign)
        else:
            parts = parts + 1 if sign == "." else 1
        if at < 0:
            return
        if parts > MAX_PARTS:
            line = text.count("\n", 0, found.start()) + 1
            raise place.error(
                f"line {line} has a dotted key of more than {MAX_PARTS} parts"
            )


def _end_of_string(text: str, at: int, quote: str) -> int:
    """Where a TOML string that `quote` opened before `at` ends; -1 if nowhere.

    A search a step, no pattern for the whole: Python 3.11.2 matches the possessive
    groups wrongly that such a pattern needs to be quick on hostile text.
    """
    import re

    stop = re.compile((r"\\.|" if quote[0] == '"' else "") + rf"{quote}|\n", re.DOTALL)
    while found := stop.search(text, at):
        at = found.end()
        if found[0] == quote:
            # Up to two more quotes before the closing three belong to the string.
            extra = text[at : at + 2] if len(quote) == 3 else ""
            return at + len(extra) - len(extra.lstrip(quote[0]))
        if found[0] == "\n" and len(quote) == 1:
            return -1
    return -1

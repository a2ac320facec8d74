"""Adding an `[[accept]]` to a settings file, all else kept byte for byte.

An array of tables may go on at the end of a file, whatever stands before it, so an
entry is appended as text.  One that was appended so is found again by its text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from gitbench.config import OWN_FILE, SHARED_FILE, Config, load_from_files
from gitbench.config.values import ConfigError
from gitbench.errors import GitbenchError
from gitbench.model import Accept
from gitbench.units import parse_fraction

Files = Mapping[str, bytes]
"""Settings files that are there, by their names."""


class WritingError(GitbenchError):
    """A settings file that an entry cannot be added to."""


def add_accept(
    files: Files, accept: Accept, instead_of: Accept | None = None
) -> tuple[str, bytes]:
    """The file to write and its bytes, with one more `[[accept]]`, or with `accept`
    instead of another one.

    It goes where the settings are: into `gitbench.toml`, else into pyproject.toml if
    `[tool.gitbench]` stands there, else into a new `gitbench.toml`.  The result has
    been read again and says what it should, and nothing else than before.  Raises
    ConfigError for files that are wrong as they are, WritingError where it cannot be
    done, with the lines to write by hand.
    """
    known = _read(files)
    shared = OWN_FILE not in files and known.source is not None
    name = SHARED_FILE if shared else OWN_FILE
    table = "tool.gitbench.accept" if shared else "accept"
    entry = entry_text(accept, table)
    accepts = [*known.accepts, accept]
    if instead_of is not None:
        accepts = [accept if one == instead_of else one for one in known.accepts]
    try:
        before = files.get(name, b"").decode("utf-8")
        other = None if instead_of is None else entry_text(instead_of, table)
        after = _edited(before, entry, other)
        data = after.encode("utf-8")
        found = _read({**files, name: data})
    except (ConfigError, UnicodeError) as exc:
        raise _by_hand(name, entry) from exc
    wanted = replace(known, accepts=tuple(accepts), source=found.source)
    if found != wanted:
        raise _by_hand(name, entry)
    return name, data


def _read(files: Files) -> Config:
    return load_from_files(files.get, "the work tree")


def _by_hand(name: str, entry: str) -> WritingError:
    return WritingError(
        f"{name} is written in a way that the entry cannot be added to; write it by "
        f"hand: {entry}"
    )


def _edited(text: str, entry: str, instead_of: str | None) -> str:
    """`text` with `entry` at its end, or where another one stands exactly once."""
    newline = "\r\n" if "\r\n" in text else "\n"
    entry = entry.replace("\n", newline)
    if instead_of is not None:
        instead_of = instead_of.replace("\n", newline)
        if text.count(instead_of) != 1:
            raise ConfigError("The entry is written in another way.")
        return text.replace(instead_of, entry)
    if text and not text.endswith("\n"):
        text += newline
    return f"{text}{newline if text else ''}{entry}"


def entry_text(accept: Accept, table: str = "accept") -> str:
    """One entry as TOML, ending with a line break."""
    lines = [
        f"[[{table}]]",
        f"benchmark = {_quoted(accept.benchmark)}",
        f"metric = {_quoted(accept.metric)}",
        f"threshold = {_fraction(accept.threshold)}",
        f"reason = {_quoted(accept.reason)}",
    ]
    if accept.expires is not None:
        lines.append(f"expires = {accept.expires}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A basic string of TOML, in which nothing stands that cannot be seen.

    JSON's escapes are TOML's too."""
    return "".join(
        char if char.isprintable() else f"\\U{ord(char):08x}"
        for char in json.dumps(text, ensure_ascii=False)
    )


def _fraction(number: float) -> str:
    """The shortest text that is read as the same fraction."""
    text = f"{number * 100:.10g}%"
    return f'"{text}"' if parse_fraction(text) == number else repr(number)

"""Results as they come: files, folders, archives, and standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from gitbench import formats
from gitbench.errors import GitbenchError
from gitbench.formats import Folder
from gitbench.formats.folder import MAX_FILES, MAX_FOLDER_BYTES
from gitbench.model import Reading


class SourceError(GitbenchError):
    """A result cannot be read from where it is."""


@dataclass(frozen=True, slots=True)
class Source:
    """One result as it was read."""

    name: str
    data: bytes
    """What the origin of its runs is made of: the bytes of the file, or of a folder's
    files by their paths."""
    readings: tuple[Reading, ...]


def read_source(
    name: str, tool: str | None, columns: Mapping[str, str] = MappingProxyType({})
) -> Source:
    """Read one file, folder, or standard input (`-`), and understand it.

    Raises SourceError and formats.FormatError.
    """
    if name != "-" and Path(name).is_dir():
        return _read_folder(Path(name), tool)
    shown = "standard input" if name == "-" else name
    data = read_bytes(name)
    beside = None if name == "-" else _beside(Path(name))
    readings = formats.read(data, tool=tool, name=shown, beside=beside, columns=columns)
    return Source(shown, data, readings)


def read_bytes(name: str) -> bytes:
    """The bytes of a file, or of standard input for `-`; one more than the limit at
    most, which readers then refuse."""
    try:
        if name == "-":
            return sys.stdin.buffer.read(formats.MAX_BYTES + 1)
        with Path(name).open("rb") as file:
            return file.read(formats.MAX_BYTES + 1)
    except OSError as exc:
        raise SourceError(
            f"{name!r} cannot be read ({exc.strerror}); nothing was recorded."
        ) from exc


def _beside(path: Path) -> Callable[[str], bytes | None]:
    """Reads the neighbours of a file; readers name fixed ones, never what data says."""

    def read(relative: str) -> bytes | None:
        target = path.parent / relative
        try:
            if target.is_file() and target.stat().st_size <= formats.MAX_BYTES:
                return target.read_bytes()
        except OSError:
            pass
        return None

    return read


def _read_folder(path: Path, tool: str | None) -> Source:
    taken: dict[str, bytes] = {}
    folder = open_folder(path, taken)
    readings = formats.read_folder(folder, tool=tool)
    if readings is None:
        what = "results" if tool is None else f"a folder of {tool}"
        raise SourceError(
            f"{str(path)!r} is a folder, and not one that holds {what} as a whole "
            f"({', '.join(formats.FOLDER_TOOLS)} write such folders); name its files."
        )
    data = b"".join(
        b"%b\0%d\0%b" % (name.encode("utf-8", "surrogateescape"), len(body), body)
        for name, body in sorted(taken.items())
    )
    return Source(str(path), data, readings)


def open_folder(
    path: Path, taken: dict[str, bytes] | None = None, limit: int = MAX_FOLDER_BYTES
) -> Folder:
    """A folder of the disk; links that lead to folders are not followed.

    `taken` receives what is read, `limit` bytes at most.
    """
    left = limit

    def load(name: str) -> bytes:
        nonlocal left
        try:
            with (path / name).open("rb") as file:
                data = file.read(min(left, formats.MAX_BYTES) + 1)
        except OSError as exc:
            raise formats.FormatError(
                name, f"it cannot be read ({exc.strerror})."
            ) from exc
        left -= len(data)
        if left < 0 or len(data) > formats.MAX_BYTES:
            raise formats.FormatError(
                name, "the folder's results are larger than 1 GiB; record parts of it."
            )
        if taken is not None:
            taken[name] = data
        return data

    names = []
    for name in _walk(path):
        names.append(name)
        if len(names) > MAX_FILES:
            raise SourceError(
                f"{str(path)!r} holds more than {MAX_FILES:,} files; name the folder "
                "of the results."
            )
    return Folder(str(path), tuple(sorted(names)), load)


def _walk(root: Path) -> Iterator[str]:
    for place, folders, files in os.walk(root):
        folders[:] = [one for one in folders if not one.startswith(".git")]
        base = Path(place).relative_to(root).as_posix()
        for name in files:
            yield name if base == "." else f"{base}/{name}"

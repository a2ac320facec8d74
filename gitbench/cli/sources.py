"""Results as they come: files, folders, archives, and standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from gitbench import formats
from gitbench.cli.archives import is_archive, open_archive
from gitbench.errors import GitbenchError
from gitbench.formats import Folder
from gitbench.formats.folder import MAX_FILES, MAX_FOLDER_BYTES, neighbours
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
    tool: str = ""
    """The name for `--tool` as which it was read."""
    warnings: tuple[str, ...] = ()
    """What is to be said of the whole, besides the warnings of its readings."""


def read_source(
    name: str, tool: str | None, columns: Mapping[str, str] = MappingProxyType({})
) -> Source:
    """Read one file, folder that a tool wrote, or standard input (`-`), and understand
    it: what holds a single result.

    Raises SourceError and formats.FormatError.
    """
    found = read_sources(name, tool, columns)
    if len(found) > 1:
        raise SourceError(
            f"{name!r} holds {len(found)} results where one is wanted; name one of "
            f"them, such as {found[0].name!r}."
        )
    return found[0]


def read_sources(
    name: str, tool: str | None, columns: Mapping[str, str] = MappingProxyType({})
) -> list[Source]:
    """Read a file, standard input (`-`), a folder, or a .tar or .tar.gz of one.

    A folder is one source if a tool writes it as a whole; else each file in it that a
    tool recognises is one, and the others are named in a warning.  Raises SourceError
    and formats.FormatError, also where a folder holds no result at all.
    """
    tool = None if tool == "auto" else tool
    if name != "-" and Path(name).is_dir():
        taken: dict[str, bytes] = {}
        return _read_folder(open_folder(Path(name), taken), tool, columns, taken)
    shown = "standard input" if name == "-" else name
    data = read_bytes(name)
    if is_archive(data):
        return _read_folder(open_archive(shown, data), tool, columns, None)
    beside = None if name == "-" else _beside(Path(name))
    as_tool, readings = formats.read_as(
        data, tool=tool, name=shown, beside=beside, columns=columns
    )
    return [Source(shown, data, readings, as_tool)]


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


# ----------------------------------------------------------------------- folders


def _read_folder(
    folder: Folder,
    tool: str | None,
    columns: Mapping[str, str],
    taken: dict[str, bytes] | None,
) -> list[Source]:
    """The results of a folder; `taken` receives what is read of it, if that is not
    kept anyway."""
    if taken is None:
        taken = {}
        load = folder.load

        def keep(path: str) -> bytes:
            taken[path] = load(path)
            return taken[path]

        folder = Folder(folder.name, folder.paths, keep)
    readings = formats.read_folder(folder, tool=tool)
    if readings is None:
        if tool in formats.FOLDER_TOOLS:
            raise SourceError(
                f"{folder.name!r} is not a folder that {tool} writes; nothing was "
                "recorded."
            )
        return _read_files(folder, tool, columns)
    data = b"".join(
        b"%b\0%d\0%b" % (name.encode("utf-8", "surrogateescape"), len(body), body)
        for name, body in sorted(taken.items())
    )
    return [Source(folder.name, data, readings, readings[0].tool.name)]


def _read_files(
    folder: Folder, tool: str | None, columns: Mapping[str, str]
) -> list[Source]:
    """Each file of a folder on its own; the first source says which were no results."""
    known = frozenset(folder.paths)
    found: list[Source] = []
    others: list[str] = []
    for path in folder.paths:
        data = folder.load(path)
        try:
            as_tool, readings = formats.read_as(
                data,
                tool=tool,
                name=f"{folder.name}/{path}",
                beside=neighbours(folder, known, path),
                columns=columns,
            )
        except formats.UnrecognisedError:
            others.append(path)
            continue
        found.append(Source(f"{folder.name}/{path}", data, readings, as_tool))
    if not found:
        raise SourceError(
            f"{folder.name!r} holds no result that any tool is known to write "
            f"({len(others):,} files); say which tool wrote them with --tool, or name "
            "a file to hear what is wrong with it."
        )
    if others:
        listed = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
        told = (
            f"{folder.name}: {len(others):,} of {len(folder.paths):,} files are of no "
            f"known tool and were left out: {listed}",
        )
        first = found[0]
        found[0] = Source(first.name, first.data, first.readings, first.tool, told)
    return found


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
    """Paths of the regular files below a folder; links may lead anywhere, also round
    in a circle, and pipes never end."""
    for place, folders, files in os.walk(root):
        folders[:] = [one for one in folders if not one.startswith(".git")]
        base = Path(place).relative_to(root).as_posix()
        for name in files:
            if (Path(place) / name).is_file():
                yield name if base == "." else f"{base}/{name}"

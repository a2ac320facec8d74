"""A .tar or .tar.gz of results as a folder in memory, bounded; nothing is unpacked to
the disk, links and paths that lead out of it are left out."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, Self

from gitbench import formats
from gitbench.formats import Folder, FormatError
from gitbench.formats.folder import MAX_FILES, MAX_FOLDER_BYTES

if TYPE_CHECKING:
    import tarfile

_MAGIC = b"ustar"
_PLACE = 257


def is_archive(data: bytes) -> bool:
    """Whether a file is a tar archive, gzipped or not, by its content."""
    head = data[:512]
    if data[:2] == b"\x1f\x8b":
        try:
            head = zlib.decompressobj(wbits=31).decompress(data[: 64 * 1024], 512)
        except zlib.error:
            return False
    return head[_PLACE : _PLACE + len(_MAGIC)] == _MAGIC


def open_archive(name: str, data: bytes) -> Folder:
    """The regular files of an archive, read into memory.

    Raises FormatError where it is damaged or beyond what a folder may be.
    """
    import tarfile

    files: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(
            fileobj=_Bounded(name, data), mode="r|", tarinfo=_entries()
        ) as archive:
            for member in archive:
                path = _path(member.name)
                if path is None or not member.isreg() or member.issparse():
                    continue
                total += member.size
                if total > MAX_FOLDER_BYTES or member.size > formats.MAX_BYTES:
                    raise _too_large(name)
                if len(files) >= MAX_FILES:
                    raise FormatError(
                        "", f"it holds more than {MAX_FILES:,} files.", name
                    )
                file = archive.extractfile(member)
                assert file is not None
                files[path] = file.read()
                if len(files[path]) != member.size:
                    raise FormatError(path, "it ends too early.", name)
    except (tarfile.TarError, zlib.error, EOFError, ValueError, OverflowError) as exc:
        raise FormatError("", f"the archive is damaged ({exc}).", name) from exc
    return Folder(name, tuple(sorted(files)), files.__getitem__)


_LONGEST_HEADER = 2**20


def _entries() -> type[tarfile.TarInfo]:
    """tarfile reads what an extended header holds in one piece, and 900 MB of zeros
    pack into 4: the class of entries that refuses such a header."""
    import tarfile

    class Entry(tarfile.TarInfo):
        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
            entry = super().frombuf(buf, encoding, errors)
            if entry.type in _HEADERS and entry.size > _LONGEST_HEADER:
                raise ValueError("a header of more than 1 MiB")
            return entry

    return Entry


_HEADERS = (b"L", b"K", b"x", b"g", b"X")
"""Types of entries that say something of others: long names, and PAX."""


def _path(name: str) -> str | None:
    """A member's path from the top; None of one that leads elsewhere."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\\" in name or not parts:
        return None
    return "/".join(parts)


def _too_large(name: str) -> FormatError:
    return FormatError(
        "",
        "the archive is larger than 1 GiB, or a file in it than 256 MiB; record parts "
        "of it.",
        name,
    )


_CHUNK = 64 * 1024


class _Bounded(io.RawIOBase):
    """The bytes of an archive, gunzipped piece by piece, 1 GiB at most."""

    def __init__(self, name: str, data: bytes) -> None:
        self._name = name
        self._data = memoryview(data)
        self._at = 0
        self._packed = data[:2] == b"\x1f\x8b"
        self._stream = zlib.decompressobj(wbits=31)
        # Headers and padding come on top of the files.
        self._left = MAX_FOLDER_BYTES + 2 * 512 * MAX_FILES

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes, `size` at most; none at the end."""
        size = size if 0 < size < 2**20 else 2**20
        piece = self._unpacked(size) if self._packed else self._next(size)
        self._left -= len(piece)
        if self._left < 0:
            raise _too_large(self._name)
        return piece

    def _next(self, size: int) -> bytes:
        piece = bytes(self._data[self._at : self._at + size])
        self._at += len(piece)
        return piece

    def _unpacked(self, size: int) -> bytes:
        while not self._stream.eof:
            # Small pieces, as zlib copies what it did not use yet.
            fed = self._stream.unconsumed_tail or self._next(_CHUNK)
            piece = self._stream.decompress(fed, size)
            if piece:
                return piece
            if not fed:
                raise FormatError(
                    "gzip data", "it ends too early; the file is cut off.", self._name
                )
        return b""

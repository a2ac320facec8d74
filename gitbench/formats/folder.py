"""A folder of result files, bounded, without following links out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MAX_FILES = 200_000
"""Most files of one folder."""

MAX_FOLDER_BYTES = 2**30
"""Most bytes that are read of one folder."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of a folder by their paths, and a way to read them."""

    name: str
    """For messages."""
    paths: tuple[str, ...]
    """Paths from the folder, with `/`, sorted; at most MAX_FILES."""
    load: Callable[[str], bytes]
    """Reads one of `paths`.  Raises FormatError where that fails, and when all that
    was read goes beyond MAX_FOLDER_BYTES."""

    def under(self, path: str) -> tuple[str, ...]:
        """The paths below the folder `path`."""
        return tuple(one for one in self.paths if one.startswith(f"{path}/"))


def neighbours(
    folder: Folder, known: frozenset[str], path: str
) -> Callable[[str], bytes | None]:
    """Reads what stands in the same folder as `path`, or one above it (`../NAME`), for
    `Document.beside`; `known` are the folder's paths."""
    place = path.rpartition("/")[0]

    def read(relative: str) -> bytes | None:
        where = place
        if relative.startswith("../"):
            if not place:
                return None
            where, relative = place.rpartition("/")[0], relative[3:]
        name = f"{where}/{relative}" if where else relative
        return folder.load(name) if name in known else None

    return read

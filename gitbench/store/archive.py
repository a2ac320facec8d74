"""Raw values of old runs outside git, in any store that fsspec knows.

An object is the canonical msgpack of a whole run, at `<url>/<ab>/<sha256>`: its name is
the digest whose first 16 digits are the run's id.  The note names digest and size and
no more.  Where the store is, each clone is told by git's own setting
`gitbench.archive`, never by anything that is fetched, so that nobody's note or branch
makes this machine open an address.

What is read back must have the size and the digest that the note says, and be of the
same origin, commit, tree, suite, machine and time as the run that stands for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from gitbench.errors import GitbenchError
from gitbench.model import Archived, Measurement, RecordedRun, Run
from gitbench.store import codec
from gitbench.store.codec import CodecError

SETTING = "gitbench.archive"
"""Git setting that names the store."""

LEAST_SAVING = 0.2
"""A run stays whole that would keep more than the rest of its bytes."""


class ArchiveError(GitbenchError):
    """The archive cannot be used, or does not hold what it should."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A run that can be archived."""

    id: str
    content: bytes
    """What is stored."""
    short: Run
    """What stays in the note."""
    saved: int
    """Bytes of msgpack that are saved in the note."""


def shorten(run: Run, short: Sequence[Measurement]) -> Whole | None:
    """A run as it is archived, with `short` measurements in place of its own; None if
    that saves too little, or if its values are archived already."""
    if run.archived is not None:
        return None
    packed = codec.content(run)
    archived = Archived(hashlib.sha256(packed).hexdigest(), len(packed))
    left = replace(run, measurements=tuple(short), archived=archived)
    saved = len(packed) - len(codec.content(left))
    if saved < LEAST_SAVING * len(packed):
        return None
    return Whole(archived.digest[:16], packed, left, saved)


class Store:
    """A place for objects; opened by its address."""

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            from fsspec.core import url_to_fs
        except ImportError as exc:
            raise ArchiveError(
                "An archive needs fsspec, which is not installed: pip install "
                "'gitbench[archive]'"
            ) from exc
        with _told(url):
            self._files, self._root = url_to_fs(url)

    @property
    def address(self) -> str:
        """The store's address from wherever it is read: a folder's whole path."""
        local = "file" in self._files.protocol
        return str(self._files.unstrip_protocol(self._root)) if local else self.url

    def put(self, whole: Whole) -> bool:
        """Store an object, and read it back; False if it was there already.  Raises
        `ArchiveError` if the store does not give back what was written."""
        archived = whole.short.archived
        assert archived is not None
        if self._get(archived) == whole.content:
            return False
        path = self._path(archived)
        with _told(self.url):
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(path, whole.content)
        if self._get(archived) != whole.content:
            raise ArchiveError(
                f"{self.url!r} does not give back what was written to it; nothing was "
                "taken out of the notes."
            )
        return True

    def get(self, archived: Archived) -> bytes:
        """The object of a run, verified; raises `ArchiveError`."""
        if archived.size > codec.MAX_INFLATED:
            raise ArchiveError(
                f"it would be {archived.size / 1e6:.0f} MB, over the limit"
            )
        found = self._get(archived)
        if found is None:
            raise ArchiveError(f"the archive {self.url!r} lacks it")
        if hashlib.sha256(found).hexdigest() != archived.digest:
            raise ArchiveError(
                f"the archive {self.url!r} holds something else in its place"
            )
        return found

    def _path(self, archived: Archived) -> str:
        digest = archived.digest
        return f"{self._root.rstrip('/')}/{digest[:2]}/{digest}"

    def _get(self, archived: Archived) -> bytes | None:
        """What is there, at most a byte more than there should be; None if nothing."""
        with _told(self.url):
            try:
                with self._files.open(self._path(archived), "rb") as file:
                    found: Any = file.read(archived.size + 1)
                return bytes(found)
            except FileNotFoundError:
                return None


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Turns whatever a store's library raises into an `ArchiveError`."""
    try:
        yield
    except GitbenchError:
        raise
    except Exception as exc:
        text = str(exc) or type(exc).__name__
        raise ArchiveError(
            f"The archive {url!r} cannot be used ({text[:200]})."
        ) from exc


def read_back(
    runs: Iterable[RecordedRun], url: str | None
) -> tuple[tuple[RecordedRun, ...], tuple[str, ...]]:
    """The runs with their raw values and their own ids, and a warning for each that
    could not be had; such a run stays as it is."""
    found: list[RecordedRun] = []
    warnings: list[str] = []
    store: Store | None = None
    for one in runs:
        archived = one.run.archived
        if archived is None:
            found.append(one)
            continue
        try:
            if url is None:
                raise ArchiveError(
                    "this clone is not told where the archive is: git config "
                    f"{SETTING} URL"
                )
            store = store or Store(url)
            run = _checked(one.run, store.get(archived))
            found.append(RecordedRun(archived.digest[:16], run))
        except GitbenchError as exc:
            found.append(one)
            text = str(exc).rstrip(".")
            warnings.append(
                f"The raw values of run {one.id} cannot be read back, and its summary "
                f"stands for them: {text}."
            )
    return tuple(found), tuple(warnings)


def _checked(short: Run, content: bytes) -> Run:
    """The whole run, if the short one can stand for it."""
    try:
        run = codec.run_of_content(content)
    except CodecError as exc:
        raise ArchiveError(f"what the archive holds is no run ({exc})") from exc
    bare = replace(short, measurements=run.measurements, archived=None)
    if bare != run or not _alike(short.measurements, run.measurements):
        raise ArchiveError(
            "what the archive holds is another run than the one in the note"
        )
    return run


def _alike(short: Sequence[Measurement], whole: Sequence[Measurement]) -> bool:
    """Whether measurements are those of the same benchmarks and metrics."""
    return len(short) == len(whole) and all(
        replace(one, processes=other.processes, summary=other.summary) == other
        for one, other in zip(short, whole, strict=True)
    )

"""Files and folders that are there as a whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitbench.exporting import ExportError

MARK = "_gitbench"
"""File in a folder that was written here; `force` replaces no other."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to, whose file takes the place of `path` at the end.

    What is no ordinary file (a pipe, /dev/stdout) is written to itself.  Raises
    `ExportError` for a folder, and where nothing can be written.
    """
    if path.is_dir():
        raise ExportError(
            f"{str(path)!r} is a folder, and this format is one file; name a file."
        )
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        yield path
        return
    target = path.resolve()
    with _told(path):
        handle, name = tempfile.mkstemp(
            prefix=f".{target.name[:100]}.", dir=target.parent
        )
        os.close(handle)
    fresh = Path(name)
    try:
        with _told(path):
            yield fresh
            with fresh.open("rb") as file:
                os.fsync(file.fileno())
            fresh.chmod(_mode(target))
            fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, *, force: bool = False) -> Iterator[Path]:
    """A folder to write to, which takes the place of `path` at the end.

    One that is there must be empty, or, with `force`, an earlier export; raises
    `ExportError` for any other.
    """
    _check_folder(path, force=force)
    target = path.resolve()
    with _told(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        name = tempfile.mkdtemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    fresh, former = Path(name), Path(f"{name}.former")
    try:
        with _told(path):
            yield fresh
            (fresh / MARK).write_text("An export of gitbench.\n", encoding="utf-8")
            fresh.chmod(0o777 & ~_umask())
            if target.exists():
                target.rename(former)
            fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if former.exists() and not target.exists():
            former.rename(target)
        shutil.rmtree(former, ignore_errors=True)


def _check_folder(path: Path, *, force: bool) -> None:
    if not path.exists():
        return
    if not path.is_dir():
        raise ExportError(f"{str(path)!r} is a file, and a folder is to be written.")
    with _told(path):
        names = {one.name for one in path.iterdir()}
    if names and not force:
        raise ExportError(
            f"The folder {str(path)!r} is not empty; name another one, or replace an "
            "earlier export with --force."
        )
    if names and MARK not in names:
        raise ExportError(
            f"The folder {str(path)!r} holds something else than an export (it has no "
            f"file {MARK}), and --force replaces exports alone; name another one."
        )


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ExportError(
            f"{str(path)!r} cannot be written ({exc.strerror or exc})."
        ) from exc


def _mode(target: Path) -> int:
    """The mode of the file that is replaced, or what a new one would have."""
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except OSError:
        return 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

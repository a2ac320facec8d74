"""Files that commands write: whole, or not at all."""

from __future__ import annotations

from pathlib import Path

from gitbench.errors import GitbenchError


class OutputError(GitbenchError):
    """A file cannot be written."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file beside its place and move it there.

    A link stays a link, and a file that is there keeps its permissions.  Raises
    OutputError.
    """
    import os
    import tempfile

    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        path = path.resolve()
        mode = path.stat().st_mode & 0o7777 if path.exists() else None
        handle, name = tempfile.mkstemp(prefix=".gitbench-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if mode is None:
                mask = os.umask(0)
                os.umask(mask)
                mode = 0o666 & ~mask
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise OutputError(f"{path} cannot be written ({exc.strerror}).") from exc

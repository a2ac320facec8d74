"""Advisory locks between the processes of one clone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAUSE_S = 0.005


@contextmanager
def held(path: Path, patience_s: float) -> Iterator[bool]:
    """Hold the lock file `path` inside the block; yields False where that is not
    possible: another process holds it for longer than `patience_s`, the folder
    cannot be written, or the file system knows no locks.

    The file stays; the lock goes with the process, however it ends.
    """
    import fcntl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        yield False
        return
    try:
        deadline = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                got = True
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    got = False
                    break
                time.sleep(PAUSE_S)
            except OSError:
                got = False
                break
        yield got
    finally:
        os.close(handle)

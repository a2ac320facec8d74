"""Objects that a partial clone lacks, and how its promisor remote gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

_FETCH = (
    "-c",
    "fetch.negotiationAlgorithm=noop",
    "fetch",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    "--recurse-submodules=no",
    "--filter=blob:none",
    "--stdin",
    "--end-of-options",
)
"""What git does itself when it misses an object.  `git cat-file --batch` would do it
for one object after the other, each a fetch of its own."""


def fetch_objects(
    git_dir: Path, environ: Mapping[str, str], remote: str, ids: Iterable[str]
) -> str | None:
    """Fetch objects by their ids, all in one go; returns why that failed, or None."""
    import subprocess

    environment = {**environ, "LC_ALL": "C", "GIT_DIR": str(git_dir)}
    for name in ("GIT_INDEX_FILE", "GIT_PREFIX", "GIT_WORK_TREE"):
        environment.pop(name, None)
    try:
        done = subprocess.run(
            ["git", *_FETCH, remote],
            input="".join(f"{id_}\n" for id_ in ids).encode("ascii"),
            env=environment,
            capture_output=True,
            check=False,
        )
    except OSError as exc:
        return f"git cannot be run: {exc.strerror}"
    if done.returncode == 0:
        return None
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return f"{remote}: {lines[0][:200] if lines else 'no message'}"

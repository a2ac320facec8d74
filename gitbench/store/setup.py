"""Git's own settings that make `git fetch` and `git pull` bring results along.

What is added is remembered in `<common dir>/gitbench/init.json`, so that exactly that
can be taken out again.  `remote.<name>.push` is never set: with it a bare `git push`
would push only notes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitbench.errors import GitbenchError
from gitbench.store.repository import Repository
from gitbench.store.sync import Git

MERGE_STRATEGY = "cat_sort_uniq"
MAX_STATE = 1_000_000


class SetupError(GitbenchError):
    """Settings cannot be written, or what was written before cannot be read."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of a git setting."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class State:
    """What `init` added to this clone."""

    settings: tuple[Setting, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    """Files of the work tree with the SHA-256 of their content."""
    hook: bool = False


def refspec(remote: str, name: str) -> str:
    """The glob that brings a remote's notes along.

    A glob, since an exact refspec makes `git fetch` fail while the remote has no
    notes; the destination lies outside refs/notes, so that nothing here is ever
    overwritten.
    """
    return f"+refs/notes/{name}*:refs/gitbench/remotes/{remote}/{name}*"


def wanted(remotes: Sequence[str], name: str) -> tuple[Setting, ...]:
    """All settings for these remotes and this notes ref."""
    return (
        *(Setting(f"remote.{one}.fetch", refspec(one, name)) for one in remotes),
        Setting(f"notes.{name}.mergeStrategy", MERGE_STRATEGY),
    )


def values(git: Git, key: str) -> tuple[str, ...]:
    """All values of a git setting, of every level."""
    result = git.run("config", "--null", "--get-all", key)
    return tuple(result.stdout.split("\0")[:-1]) if result.returncode == 0 else ()


def is_configured(git: Git, remote: str, name: str) -> bool:
    """Whether a plain `git fetch` from the remote brings its notes along."""
    return refspec(remote, name) in values(git, f"remote.{remote}.fetch")


def missing(git: Git, settings: Sequence[Setting]) -> tuple[Setting, ...]:
    """Those that are not set.  A setting that can have one value only, and has
    another, is left as it is."""
    found = []
    for one in settings:
        present = values(git, one.key)
        taken = bool(present) and one.key.endswith(".mergeStrategy")
        if one.value not in present and not taken:
            found.append(one)
    return tuple(found)


def add(git: Git, settings: Sequence[Setting]) -> None:
    """Write settings into the configuration of this clone."""
    for one in settings:
        result = git.run("config", "--local", "--add", one.key, one.value)
        if result.returncode != 0:
            raise SetupError(
                f"git config could not set {one.key} ({result.stderr.strip()[:200]})."
            )


def remove(git: Git, settings: Sequence[Setting]) -> tuple[Setting, ...]:
    """Take settings out of the configuration of this clone; those that were there."""
    gone = []
    for one in settings:
        # The value is a pattern here; --fixed-value is younger than git 2.30.
        pattern = "^" + re.sub(r"[][.*+?(){}|^$\\]", r"\\\g<0>", one.value) + "$"
        result = git.run("config", "--local", "--unset-all", one.key, pattern)
        if result.returncode == 0:
            gone.append(one)
        elif result.returncode not in (1, 5):  # no such key, no such value
            raise SetupError(
                f"git config could not unset {one.key} ({result.stderr.strip()[:200]})."
            )
    return tuple(gone)


# ------------------------------------------------------------ what init added


def _place(repository: Repository) -> Path:
    return repository.common_dir / "gitbench" / "init.json"


def load_state(repository: Repository) -> State:
    """What was added to this clone; empty if nothing was."""
    path = _place(repository)
    try:
        with path.open("rb") as file:
            content: Any = json.loads(file.read(MAX_STATE))
        return State(
            tuple(Setting(str(key), str(value)) for key, value in content["settings"]),
            tuple((str(name), str(digest)) for name, digest in content["files"]),
            bool(content["hook"]),
        )
    except FileNotFoundError:
        return State()
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
        raise SetupError(
            f"{path}, in which gitbench init keeps what it added, cannot be read "
            f"({exc}); delete it, and take out by hand what is to go."
        ) from exc


def save_state(repository: Repository, state: State) -> None:
    """Remember what was added; nothing is left behind if that is nothing."""
    path = _place(repository)
    try:
        if state == State():
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(exist_ok=True)
        fresh = path.with_suffix(".new")
        content = {
            "settings": [[one.key, one.value] for one in state.settings],
            "files": [list(one) for one in state.files],
            "hook": state.hook,
        }
        fresh.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        fresh.replace(path)
    except OSError as exc:
        raise SetupError(f"{path} cannot be written ({exc.strerror}).") from exc


def digest(content: bytes) -> str:
    """SHA-256 of a file's content, by which a changed one is known."""
    return hashlib.sha256(content).hexdigest()

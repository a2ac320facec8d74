"""Fetch and push of the notes ref through the git binary.

Never libgit2: credential helpers, ssh configuration and the `http.extraheader` of
CI checkouts only work in git.  Never forced, and never with `--depth`, which would
make a complete clone look shallow.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitbench.errors import GitbenchError
from gitbench.store.notes import Notes

GUARD = "GITBENCH_IN_PUSH"
"""Set in the environment of our own pushes: a nested push re-enters a hook."""

MAX_PAUSE_S = 5.0


class SyncError(GitbenchError):
    """Git could not fetch or push."""


class OfflineError(SyncError):
    """The remote cannot be reached or refuses us."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch brought."""

    remote: str
    found: bool
    """The remote has notes of this name at all."""
    commits: int
    """Commits whose local note grew."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did."""

    remote: str
    sent: bool
    """False: the remote had it all."""
    fetched: Fetched
    attempts: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Git:
    """The git binary, told which repository to work on."""

    git_dir: Path
    environ: Mapping[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run git with untranslated messages; the result is not checked."""
        environment = {
            **self.environ,
            "LC_ALL": "C",
            "GIT_DIR": str(self.git_dir),
            GUARD: "1",
        }
        # Hooks get these for the repository they run in; ours may be another.
        for name in ("GIT_INDEX_FILE", "GIT_PREFIX", "GIT_WORK_TREE"):
            environment.pop(name, None)
        try:
            return subprocess.run(
                ["git", *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except FileNotFoundError as exc:
            raise SyncError(
                "The git program is not on the PATH; install it to fetch or push."
            ) from exc


def tracking_ref(remote: str, name: str) -> str:
    """Where the remote's notes are kept: outside refs/notes, ours alone."""
    return f"refs/gitbench/remotes/{remote}/{name}"


def fetch(notes: Notes, git: Git, remote: str) -> Fetched:
    """Bring the remote's notes into the tracking ref, then unite them with ours."""
    tracking = tracking_ref(remote, notes.name)
    repository = notes.repository
    result = git.run(
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-recurse-submodules",
        "--no-filter",
        "--end-of-options",
        remote,
        f"+{notes.ref}:{tracking}",
    )
    if result.returncode != 0:
        # Git answers so, with exit code 128, while the remote has no such ref.
        if "couldn't find remote ref" in result.stderr:
            return Fetched(remote, False, 0)
        raise _failure("fetch from", remote, result.stderr)
    tip = repository.ref(tracking)
    if tip is None:
        return Fetched(remote, False, 0)
    commits, warnings = notes.unite(tip, f"gitbench: fetch from {remote}")
    return Fetched(remote, True, commits, warnings)


def push(notes: Notes, git: Git, remote: str, budget_s: float = 60.0) -> Pushed:
    """Fetch, unite, push; on rejection again, with jittered pauses, for `budget_s`.

    The push is never forced: what others pushed meanwhile is united first.
    """
    deadline = time.monotonic() + budget_s
    pause = 0.1
    attempts = 0
    warnings: tuple[str, ...] = ()
    while True:
        attempts += 1
        fetched = fetch(notes, git, remote)
        warnings += fetched.warnings
        tip = notes.repository.ref(notes.ref)
        if tip is None:
            return Pushed(remote, False, fetched, attempts, warnings)
        tracking = tracking_ref(remote, notes.name)
        if fetched.found and notes.repository.ref(tracking) == tip:
            return Pushed(remote, False, fetched, attempts, warnings)
        result = git.run(
            "-c",
            f"remote.{remote}.mirror=false",
            "push",
            "--quiet",
            "--no-verify",
            "--no-follow-tags",
            "--recurse-submodules=no",
            "--end-of-options",
            remote,
            f"{tip}:{notes.ref}",
        )
        if result.returncode == 0:
            git.run("update-ref", tracking, tip)
            return Pushed(remote, True, fetched, attempts, warnings)
        if not _contended(result.stderr):
            raise _failure("push to", remote, result.stderr)
        if time.monotonic() > deadline:
            raise SyncError(
                f"Others pushed to {remote} without pause for {budget_s:.0f} s "
                f"({attempts} attempts); nothing is lost, it is recorded here. Run "
                "gitbench push again later."
            )
        time.sleep(pause * (0.5 + random.random()))
        pause = min(2 * pause, MAX_PAUSE_S)


def _contended(stderr: str) -> bool:
    """Whether a push failed only because somebody else pushed meanwhile."""
    return any(
        sign in stderr
        for sign in (
            "non-fast-forward",
            "fetch first",
            "cannot lock ref",
            "failed to lock",
            "failed to update ref",
            "reference already exists",
            "incorrect old value provided",
            "remote ref changed",
            "unable to create",
        )
    )


def _failure(doing: str, remote: str, stderr: str) -> SyncError:
    """One sentence for git's complaint, with git's own last words."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    said = next(
        (x for x in lines if x.startswith(("fatal:", "error:", "remote:"))),
        lines[0] if lines else "no message",
    )[:300]
    # A URL may carry a token: never repeat the part before the @.
    said = " ".join(
        word.split("://", 1)[0] + "://***@" + word.rsplit("@", 1)[1]
        if "://" in word and "@" in word
        else word
        for word in said.split(" ")
    )
    text = stderr.lower()
    if "does not appear to be a git repository" in text or "no such remote" in text:
        return SyncError(
            f"There is no remote {remote!r} here, or it is no git repository ({said}); "
            "see git remote -v, or name another with --remote."
        )
    refused = (
        "permission",
        "denied",
        "403",
        "401",
        "authentication",
        "could not read username",
        "protected",
        "hook declined",
    )
    if any(word in text for word in refused):
        return OfflineError(
            f"{remote} does not let us {doing.split()[0]} ({said}); what is recorded "
            "here stays here. Check the token or key: pushing needs write access to "
            "the repository's contents."
        )
    return OfflineError(
        f"Git could not {doing} {remote} ({said}); nothing is lost, try again."
    )

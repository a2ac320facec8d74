"""Fetch and push of the notes ref through the git binary.

Never libgit2: credential helpers, ssh configuration and the `http.extraheader` of
CI checkouts only work in git.  Never forced but by `replace`, which compacting needs,
and never with `--depth`, which would make a complete clone look shallow.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitbench.errors import GitbenchError
from gitbench.store.notes import NOTHING, Gain, Notes, tracking_ref

GUARD = "GITBENCH_IN_PUSH"
"""Set in the environment of our own pushes: a nested push re-enters a hook."""

BUDGET_S = 120.0
"""How long a push is tried while others push: sixteen clones that push without pause
kept one of them waiting for 68 s (tests/contention.py, two cores)."""

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
    gain: Gain = NOTHING
    """What is here now and was not before."""
    warnings: tuple[str, ...] = ()

    @property
    def commits(self) -> int:
        """Commits whose local note grew."""
        return self.gain.commits


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did."""

    remote: str
    sent: bool
    """False: the remote had it all."""
    fetched: Fetched
    """What all attempts together brought."""
    attempts: int
    warnings: tuple[str, ...] = ()
    gain: Gain = NOTHING
    """What the remote has now and had not before."""


@dataclass(frozen=True, slots=True)
class Git:
    """The git binary, told which repository to work on."""

    git_dir: Path
    environ: Mapping[str, str]
    timeout_s: float | None = None
    """A call that takes longer is ended."""

    @property
    def environment(self) -> dict[str, str]:
        """What git is run with: untranslated messages, and our repository."""
        environment = {
            **self.environ,
            "LC_ALL": "C",
            "GIT_DIR": str(self.git_dir),
            GUARD: "1",
        }
        # Hooks get these for the repository they run in; ours may be another.
        for name in ("GIT_INDEX_FILE", "GIT_PREFIX", "GIT_WORK_TREE"):
            environment.pop(name, None)
        return environment

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run git with untranslated messages; the result is not checked."""
        try:
            return subprocess.run(
                ["git", *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                check=False,
                timeout=self.timeout_s,
            )
        except subprocess.TimeoutExpired as exc:
            raise OfflineError(
                f"git {arguments[0]} did not finish within {self.timeout_s:.0f} s; "
                "nothing is lost, try again or allow more with --timeout."
            ) from exc
        except FileNotFoundError as exc:
            raise SyncError(
                "The git program is not on the PATH; install it to fetch or push."
            ) from exc


def fetch(notes: Notes, git: Git, remote: str) -> Fetched:
    """Bring the remote's notes into the tracking ref, then unite them with ours."""
    _check_name(remote)
    tracking = tracking_ref(remote, notes.name)
    repository = notes.repository
    fetch_it = (*_FETCH, "--end-of-options", remote, f"+{notes.ref}:{tracking}")
    result = git.run(*fetch_it)
    warnings: tuple[str, ...] = ()
    if result.returncode != 0 and "cannot lock ref" in result.stderr:
        # Git itself leaves the lock of a killed process to a human.
        warnings = repository.clear_locks((tracking,))
        result = git.run(*fetch_it)
    before = repository.ref(notes.ref)
    tip = repository.ref(tracking)
    found = result.returncode == 0 and tip is not None
    if result.returncode != 0 and not _has_none(result.stderr):
        raise failure("fetch from", remote, result.stderr)
    if tip is not None:
        _, more = notes.unite(tip, f"gitbench: fetch from {remote}")
        warnings += more
    if tip is not None and not found:
        # It had notes once; what it told us then is no longer so.
        git.run("update-ref", "-d", tracking)
    gain = notes.gained(before, repository.ref(notes.ref))
    return Fetched(remote, found, gain, warnings)


def _check_name(remote: str) -> None:
    """What is fetched is kept under the remote's name, so a URL will not do."""
    if (
        set(remote) & set(" ~^:?*[\\")
        or ".." in remote
        or remote.startswith(("-", "/"))
    ):
        shown = remote.rpartition("@")[2][:200]  # before the @ there may be a token
        raise SyncError(
            f"{shown!r} is not the name of a remote; give it one with git remote add "
            "NAME URL, and use the name."
        )


def look(notes: Notes, git: Git, remote: str) -> str | None:
    """The remote's notes commit, its objects brought here and no ref moved; None
    if the remote has no notes."""
    tip = list_refs(git, remote, pattern=notes.ref).get(notes.ref)
    if tip is None:
        return None
    if not notes.repository.has(tip):
        result = git.run(*_FETCH, "--end-of-options", remote, notes.ref)
        if result.returncode != 0:
            raise failure("fetch from", remote, result.stderr)
    return tip


def list_refs(
    git: Git, remote: str, *options: str, pattern: str | None = None
) -> dict[str, str]:
    """Refs of the remote with what they point to; a pattern fits the ends of names."""
    patterns = [] if pattern is None else [pattern]
    result = git.run("ls-remote", *options, "--end-of-options", remote, *patterns)
    if result.returncode != 0:
        raise failure("read from", remote, result.stderr)
    pairs = (line.partition("\t") for line in result.stdout.splitlines())
    return {name: id_ for id_, _, name in pairs}


def push(notes: Notes, git: Git, remote: str, budget_s: float = BUDGET_S) -> Pushed:
    """Fetch, unite, push; on rejection again, with jittered pauses, for `budget_s`.

    The push is never forced: what others pushed meanwhile is united first.
    """
    repository = notes.repository
    tracking = tracking_ref(remote, notes.name)
    received = NOTHING
    deadline = time.monotonic() + budget_s
    pause = 0.1
    attempts = 0
    warnings: tuple[str, ...] = ()
    while True:
        attempts += 1
        fetched = fetch(notes, git, remote)
        warnings += fetched.warnings
        received += fetched.gain
        theirs = repository.ref(tracking)
        tip = notes.outgoing(theirs)
        result = None if tip is None else _push(git, remote, f"{tip}:{notes.ref}")
        if result is None or result.returncode == 0:
            everything = Fetched(remote, fetched.found, received)
            if tip is None or result is None:
                return Pushed(remote, False, everything, attempts, warnings)
            warnings += _follow(notes, git, tracking, tip)
            sent = notes.gained(theirs, tip)
            return Pushed(remote, True, everything, attempts, warnings, sent)
        if not _contended(result.stderr):
            raise failure("push to", remote, result.stderr)
        if time.monotonic() > deadline:
            raise SyncError(
                f"Others pushed to {remote} without pause for {budget_s:.0f} s "
                f"({attempts} attempts); nothing is lost, it is recorded here. Run "
                "gitbench push again later."
            )
        time.sleep(pause * (0.5 + random.random()))
        pause = min(2 * pause, MAX_PAUSE_S)


def _follow(notes: Notes, git: Git, tracking: str, tip: str) -> tuple[str, ...]:
    """Remember what the remote has now; returns warnings."""
    moved = git.run("update-ref", tracking, tip)
    if moved.returncode == 0 or "cannot lock ref" not in moved.stderr:
        return ()
    warnings = notes.repository.clear_locks((tracking,))
    git.run("update-ref", tracking, tip)
    return warnings


def replace(notes: Notes, git: Git, remote: str, lease: str | None, tip: str) -> bool:
    """Put `tip` in the place of the remote's notes commit, if that is still `lease`
    (None: if the remote still has none); False if it is not.

    The one push that is forced: compacting replaces the history.
    """
    result = _push(
        git,
        remote,
        f"{tip}:{notes.ref}",
        f"--force-with-lease={notes.ref}:{lease or ''}",
    )
    if result.returncode == 0:
        _follow(notes, git, tracking_ref(remote, notes.name), tip)
        return True
    if "stale info" in result.stderr or (
        _contended(result.stderr) and "non-fast-forward" not in result.stderr
    ):
        return False
    raise failure("replace the history on", remote, result.stderr)


_FETCH = (
    "fetch",
    "--quiet",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-recurse-submodules",
    "--no-filter",
    # Without this the remote's configured refspecs are applied as well, and the
    # common +refs/notes/*:refs/notes/* would overwrite what is not pushed yet.
    "--refmap=",
)


def _push(
    git: Git, remote: str, refspec: str, *options: str
) -> subprocess.CompletedProcess[str]:
    return git.run(
        "-c",
        f"remote.{remote}.mirror=false",
        "push",
        "--quiet",
        "--no-verify",
        "--no-follow-tags",
        "--recurse-submodules=no",
        *options,
        "--end-of-options",
        remote,
        refspec,
    )


def _has_none(stderr: str) -> bool:
    """Git answers so, with exit code 128, while the remote has no such ref."""
    return "couldn't find remote ref" in stderr


def _contended(stderr: str) -> bool:
    """Whether a push failed only because somebody else pushed meanwhile."""
    text = stderr.lower()
    if "permission denied" in text or "read-only" in text or "no space" in text:
        return False
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


def failure(doing: str, remote: str, stderr: str) -> SyncError:
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

"""A remote's notes in a small clone: the trees at once, each note when it is needed.

One comparison needs a dozen notes of ten thousand.  A private git directory beside
the repository receives the trees of the remote's notes commit (`--filter=blob:none`,
without history) and then, a few at a time, the notes of the commits that are looked
at.  The user's own clone becomes neither partial nor shallow by it, and the notes ref
does not move: what is here is read together with what the remote has.

Where the server knows no filters, `PartialError` says so, and the whole notes are
fetched instead.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from gitbench.store import codec
from gitbench.store.codec import Note
from gitbench.store.lock import held
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository, RepositoryError
from gitbench.store.sync import Git, SyncError, failure

FIRST_ROUND = 16
"""Notes that are fetched at once; each further round fetches twice as many.  Ten
sessions are a full window, and a round trip costs more than some notes too many."""

MOST_UNKNOWN = 100
"""Notes of commits that this clone lacks that are fetched to learn their trees."""

PATIENCE_S = 60.0
"""How long to wait for another process that is fetching into the same directory."""

NO_FILTER = "filtering not recognized by server"
"""What git says, before anything is transferred, if the server knows no filters."""

_UNREACHABLE = (
    "unable to access",
    "could not resolve host",
    "connection",
    "permission denied",
    "authentication failed",
    "could not read",
    "does not appear to be a git repository",
    "no such remote",
)
_TRAVELLING = ("http.", "credential.", "url.", "protocol.", "ssh.", "transfer.")
_TRAVELLING_ALONE = ("core.sshcommand", "core.askpass", "core.gitproxy")
"""Settings of the user's clone that say how to reach its remotes."""

_OWN = ("url", "proxy", "proxyauthmethod", "uploadpack", "vcs")
"""Settings of one remote that do."""

_NOT_OURS = (
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_SHALLOW_FILE",
    "GIT_NAMESPACE",
)
"""Variables that speak of the repository that a hook runs in."""


class PartialError(SyncError):
    """The remote cannot give a part of its notes; the whole can still be fetched."""


@dataclass(frozen=True, slots=True)
class Received:
    """What was fetched so far."""

    notes: int
    """Notes whose content was fetched now."""
    of: int
    """Notes that the remote has."""
    size: int
    """Bytes, as packed."""


def directory(repository: Repository, remote: str) -> Path:
    """The private git directory for a remote's notes."""
    name = quote(remote, safe="")
    return repository.common_dir / "gitbench" / "partial" / f"{name}.git"


def discard(repository: Repository, remote: str) -> None:
    """Delete what was fetched of a remote's notes, unless somebody is at it."""
    path = directory(repository, remote)
    if path.exists():
        with held(path.with_suffix(".lock"), 0) as mine:
            if mine:
                shutil.rmtree(path, ignore_errors=True)


def open_partial(notes: Notes, git: Git, remote: str) -> PartialNotes:
    """The notes here together with those of a remote, whose trees are fetched now.

    Raises `PartialError` where only the whole can be fetched, and `SyncError` where
    nothing can.
    """
    repository = notes.repository
    path = directory(repository, remote)
    if remote not in repository.remotes():
        raise failure("fetch from", remote, "no such remote")
    private = replace(git, git_dir=path, environ=_environment(git, remote))
    with _locked(path):
        before = _packed(path)
        # A second time from nothing: a killed process may have left anything there.
        for last in (not path.exists(), True):
            try:
                _fetch_trees(private, remote, notes.ref)
                break
            except PartialError:
                shutil.rmtree(path, ignore_errors=True)
                if last:
                    raise
                before = 0
    environ = {**private.environ, "GIT_DIR": str(path)}
    there = Notes(Repository.open(path, environ), notes.name)
    # libgit2 knows one durability, that of the repository opened last.
    repository.apply_fsync()
    return PartialNotes(notes, there, before)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with held(path.with_suffix(".lock"), PATIENCE_S) as mine:
        if not mine:
            raise PartialError(
                f"{path} cannot be locked: another process is fetching into it, or "
                "the repository is read-only."
            )
        yield


def _fetch_trees(git: Git, remote: str, ref: str) -> None:
    if not (git.git_dir / "HEAD").exists():
        _create(git, remote)
    code, said = _watch(
        git,
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-recurse-submodules",
        "--refmap=",
        "--depth=1",
        "--filter=blob:none",
        "--end-of-options",
        remote,
        f"+{ref}:{ref}",
    )
    if "couldn't find remote ref" in said:
        git.run("update-ref", "-d", ref)
    elif code != 0 and any(sign in said.lower() for sign in _UNREACHABLE):
        raise failure("fetch from", remote, said)
    elif code != 0 or NO_FILTER in said:
        lines = [line for line in said.splitlines() if line.strip()]
        raise PartialError(
            f"{remote} cannot give a part of its notes "
            f"({lines[0][:200] if lines else 'no message'})."
        )


def _create(git: Git, remote: str) -> None:
    git.git_dir.parent.mkdir(parents=True, exist_ok=True)
    ways = (
        ("init", "--bare", "--quiet", "--template=", "--object-format=sha1"),
        ("config", "core.repositoryFormatVersion", "1"),
        ("config", "extensions.partialClone", remote),
    )
    for arguments in ways:
        done = git.run(*arguments)
        if done.returncode != 0:
            raise PartialError(
                f"{git.git_dir} cannot be made ({done.stderr.strip()[:200]})."
            )


def _watch(git: Git, *arguments: str) -> tuple[int, str]:
    """Run git; end it as soon as it says that the server knows no filters, since it
    would receive everything then.  Returns the exit code and what it said."""
    said = []
    try:
        with subprocess.Popen(
            ["git", *arguments],
            env=git.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                said.append(line)
                if NO_FILTER in line:
                    process.terminate()
    except FileNotFoundError as exc:
        raise SyncError(
            "The git program is not on the PATH; install it to fetch or push."
        ) from exc
    return process.returncode, "".join(said)


def _environment(git: Git, remote: str) -> Mapping[str, str]:
    """The environment, with the settings of the user's clone that it takes to reach
    the remote: CI checkouts keep their token there."""
    done = git.run("config", "--list", "--show-scope", "-z")
    if done.returncode != 0:
        raise PartialError(f"git config cannot be read ({done.stderr.strip()[:200]}).")
    fields = done.stdout.split("\0")
    settings = []
    for scope, setting in zip(fields[::2], fields[1::2], strict=False):
        key, _, value = setting.partition("\n")
        if scope in ("local", "worktree") and _travels(key, remote):
            settings.append((key, value))
    environ = {k: v for k, v in git.environ.items() if k not in _NOT_OURS}
    count = environ.get("GIT_CONFIG_COUNT", "0")
    first = int(count) if count.isdecimal() else 0
    for place, (key, value) in enumerate(settings, first):
        environ[f"GIT_CONFIG_KEY_{place}"] = key
        environ[f"GIT_CONFIG_VALUE_{place}"] = value
    environ["GIT_CONFIG_COUNT"] = str(first + len(settings))
    environ["GIT_DEFAULT_REF_FORMAT"] = "files"
    return environ


def _travels(key: str, remote: str) -> bool:
    return (
        key.startswith(_TRAVELLING)
        or key in _TRAVELLING_ALONE
        or key in [f"remote.{remote}.{one}" for one in _OWN]
    )


def _packed(path: Path) -> int:
    """Bytes in the packs of a git directory."""
    return sum(one.stat().st_size for one in path.glob("objects/pack/*.pack"))


class PartialNotes(Notes):
    """The notes here united with a remote's, which are fetched when they are read."""

    def __init__(self, here: Notes, there: Notes, before: int) -> None:
        super().__init__(here.repository, here.name)
        self.there = there
        self.warnings: list[str] = []
        self._before = before
        self._blobs: dict[str, tuple[str, ...]] = dict(there.annotated())
        self._ahead: list[str] = []
        self._round = FIRST_ROUND
        self._fetched: set[str] = set()

    @property
    def received(self) -> Received:
        """What was fetched so far."""
        path = self.there.repository.git_dir
        size = _packed(path) - self._before
        return Received(len(self._fetched), len(self._blobs), max(size, 0))

    def exists(self) -> bool:
        """Whether there is anything here or there."""
        return super().exists() or bool(self._blobs)

    def knows(self, remote: str) -> bool:
        """The remote's notes are being fetched."""
        return True

    def note(self, object_id: str) -> Note:
        """The records on one object, here and there.  Raises `PartialError`."""
        here = super().note(object_id)
        if object_id not in self._blobs:
            return here
        self._bring(object_id)
        return codec.union([here, self.there.note(object_id)])

    def prefetch(self, objects: Iterable[str], *trees: str) -> None:
        """Take notice of what will be read, in this order."""
        objects = list(objects)
        super().prefetch(objects, *trees)
        self._ahead = [one for one in dict.fromkeys(objects) if one in self._blobs]

    def commits_of_tree(self, tree: str) -> tuple[str, ...]:
        """Annotated commits whose tree is `tree`; an index knows those here alone."""
        self.tree_lookup = None
        return super().commits_of_tree(tree)

    def _index_trees(self) -> dict[str, tuple[str, ...]]:
        """Annotated commits by their trees.

        The tree of a commit that this clone lacks stands in its note alone; where
        too many would have to be fetched for that, a warning says so.
        """
        by_tree: dict[str, list[str]] = {}
        unknown = []
        for object_id in sorted({*dict(self.annotated()), *self._blobs}):
            try:
                tree = self.repository.commit_tree(object_id)
            except RepositoryError:
                unknown.append(object_id)
            else:
                by_tree.setdefault(tree, []).append(object_id)
        lacking = [one for one in unknown if one in self._blobs and self._lacking(one)]
        if len(lacking) <= MOST_UNKNOWN:
            self._fetch(lacking)
        else:
            unknown = sorted({*unknown} - {*lacking})
            self.warnings.append(
                "Commits on the way have no results of their own, and "
                f"{len(lacking):,} commits that have are not in this clone: results "
                "of a squashed or rebased branch among them are not found without "
                "gitbench fetch."
            )
        for object_id in unknown:
            lines = self.note(object_id).lines.values()
            for tree in {line.tree for line in lines if line.kind == "run"}:
                by_tree.setdefault(tree, []).append(object_id)
        return {tree: tuple(sorted(ids)) for tree, ids in by_tree.items()}

    def _bring(self, object_id: str) -> None:
        """Fetch the note of an object, and of those that will be read next."""
        if self._lacking(object_id):
            start = self._ahead.index(object_id) if object_id in self._ahead else None
            ahead = [] if start is None else self._ahead[start:]
            wanted = [one for one in ahead if self._lacking(one)][: self._round]
            self._fetch(wanted or [object_id])
            self._round *= 2

    def _lacking(self, object_id: str) -> list[str]:
        has = self.there.repository.has
        return [blob for blob in self._blobs[object_id] if not has(blob)]

    def _fetch(self, objects: Iterable[str]) -> None:
        objects = list(objects)
        self.there.repository.bring(
            blob for one in objects for blob in self._lacking(one)
        )
        for one in objects:
            if self._lacking(one):
                raise PartialError("The remote does not give single notes.")
        self._fetched.update(objects)

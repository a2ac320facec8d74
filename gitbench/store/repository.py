"""A git repository as typed values; the only file that imports pygit2.

Ids are hex strings of 40 (or 64) digits everywhere.  The surface is narrow on
purpose, so that it can be written a second time on the git binary for the
repositories that libgit2 cannot open.

Facts about libgit2 1.9 that shape it: `Repository(".")` ignores GIT_DIR unless
asked to look; `extensions.partialclone` is refused unless named; `core.fsync` is
ignored; `default_signature` ignores GIT_COMMITTER_NAME; an update of a ref is
atomic only inside a transaction.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pygit2
from pygit2.enums import FileMode, FileStatus, RepositoryOpenFlag, SortMode

from gitbench.errors import GitbenchError
from gitbench.store.promisor import fetch_objects

BLOB = int(FileMode.BLOB)
TREE = int(FileMode.TREE)

KEPT_TREES = 600
"""Trees that stay in memory: both sides of a union with all their folders."""

FALLBACK_IDENTITY = ("gitbench", "gitbench@localhost")
"""Used where git has no user.name: no reason to refuse a record."""

_SYNCED = {"all", "added", "committed", "objects", "loose-object", "reference"}
"""Words of `core.fsync` that mean loose objects, refs, or both."""

STALE_LOCK_S = 10.0
"""A ref lock unchanged for so long was left by a killed process: git and gitbench
hold one for milliseconds."""


class RepositoryError(GitbenchError):
    """The repository cannot be opened, read or written."""


class UnknownRevisionError(RepositoryError):
    """A revision names no commit of this repository."""


class MissingObjectError(RepositoryError):
    """An object that something points to is not in this clone."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What gitbench needs to know of a commit."""

    id: str
    tree: str
    parents: tuple[str, ...]
    time: int
    """Committer time, seconds since the epoch."""
    subject: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tree."""

    name: str
    mode: int
    id: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who writes a notes commit."""

    name: str
    email: str


class Repository:
    """One opened repository: commits, trees, blobs, refs and settings."""

    def __init__(self, raw: Any, environ: Mapping[str, str]) -> None:
        self._raw = raw
        self._environ = environ
        self.common_dir = Path(_common_dir(raw.path))
        """The git directory that linked work trees share."""
        self.git_dir = Path(raw.path)
        self.work_tree = Path(raw.workdir) if raw.workdir else None
        self._shallow: frozenset[str] | None = None
        self._trees: dict[str, Any] = {}
        self._unfetchable: str | None = None
        """Why a promisor remote gave no objects; it is not asked again."""

    # ------------------------------------------------------------ opening

    @classmethod
    def open(cls, start: Path, environ: Mapping[str, str]) -> Repository:
        """Open the repository that holds `start`, or the one that GIT_DIR names.

        Raises `RepositoryError` with the way out where there is none, where git's
        `safe.directory` forbids it, or where libgit2 cannot read the format.
        """
        pygit2.settings.set_extensions(["partialclone", "worktreeconfig"])
        # libgit2 looks at GIT_DIR only when it is given no path, and pygit2 always
        # gives one.
        named = environ.get("GIT_DIR")
        try:
            if named:
                flags = RepositoryOpenFlag.NO_SEARCH | RepositoryOpenFlag.NO_DOTGIT
                raw = pygit2.Repository(str(start / named), flags)
            else:
                raw = pygit2.Repository(_discover(start, environ))
        except (pygit2.GitError, KeyError, ValueError, OSError) as exc:
            raise RepositoryError(_open_message(start, environ, str(exc))) from exc
        repository = cls(raw, environ)
        repository.apply_fsync()
        return repository

    def apply_fsync(self) -> None:
        """Make libgit2 as durable as git's own `core.fsync` asks for.

        By default git syncs neither loose objects nor refs.  Of what the setting
        names it takes away what begins with `-` first, and adds the rest after,
        whatever the order: `committed,-loose-object` syncs loose objects (2.39, by
        strace).  libgit2 has one switch for both.
        """
        words = {w.strip() for w in (self.setting("core.fsync") or "").split(",")}
        on = not words.isdisjoint(_SYNCED)
        on = on or self.flag("core.fsyncObjectFiles", default=False)
        pygit2.settings.enable_fsync_gitdir(on)

    # ------------------------------------------------------------ settings

    def setting(self, name: str) -> str | None:
        """The value of a git setting, or None."""
        try:
            return str(self._raw.config[name])
        except (KeyError, ValueError, pygit2.GitError):
            return None

    def flag(self, name: str, *, default: bool) -> bool:
        """A boolean git setting."""
        try:
            return bool(self._raw.config.get_bool(name))
        except (KeyError, ValueError, pygit2.GitError):
            return default

    def number(self, name: str, *, default: int) -> int:
        """An integer git setting."""
        try:
            return int(self._raw.config.get_int(name))
        except (KeyError, ValueError, pygit2.GitError):
            return default

    def remotes(self) -> tuple[str, ...]:
        """Names of the configured remotes."""
        return tuple(str(name) for name in self._raw.remotes.names() if name)

    def identity(self) -> Identity:
        """Committer as git would choose it, or a fixed fallback."""
        name = self._environ.get("GIT_COMMITTER_NAME") or self.setting("user.name")
        email = self._environ.get("GIT_COMMITTER_EMAIL") or self.setting("user.email")
        clean = str.maketrans("", "", "<>\n\r\0")
        fallback = FALLBACK_IDENTITY
        return Identity(
            (name or "").translate(clean).strip() or fallback[0],
            (email or "").translate(clean).strip() or fallback[1],
        )

    # ------------------------------------------------------------ commits

    def resolve(self, revision: str) -> str:
        """Id of the commit that `revision` names; tags are peeled.

        Raises `UnknownRevisionError`.
        """
        try:
            if revision.startswith("-"):
                raise KeyError(revision)
            found = self._raw.revparse_single(revision).peel(pygit2.Commit)
        except (KeyError, ValueError, TypeError, pygit2.GitError) as exc:
            raise UnknownRevisionError(
                f"{revision[:200]!r} names no commit of this repository; check the "
                "spelling, or fetch it first."
            ) from exc
        return str(found.id)

    def branch_ref(self, name: str) -> str | None:
        """Full name of the local or remote-tracking branch that `name` means.

        Follows git's own order: a full ref name, then refs/heads, then
        refs/remotes (with `/HEAD` for a bare remote name).  A tag of that name
        comes first in git, so it hides the branch here too.
        """
        candidates = [name] if name.startswith("refs/") else []
        candidates += [
            f"refs/tags/{name}",
            f"refs/heads/{name}",
            f"refs/remotes/{name}",
            f"refs/remotes/{name}/HEAD",
        ]
        for candidate in candidates:
            if self.ref(candidate) is not None:
                branch = candidate.startswith(("refs/heads/", "refs/remotes/"))
                return candidate if branch else None
        return None

    def symbolic_target(self, name: str) -> str | None:
        """What a symbolic ref points to, or None."""
        try:
            target = self._raw.lookup_reference(name).target
        except (KeyError, ValueError, pygit2.GitError):
            return None
        return target if isinstance(target, str) else None

    def commit(self, id_: str) -> Commit:
        """The commit `id_`; raises `MissingObjectError` if this clone lacks it."""
        raw = self._object(id_)
        if not isinstance(raw, pygit2.Commit):
            raise RepositoryError(f"Object {id_} is not a commit.")
        return _commit(raw)

    def find_commit(self, id_: str) -> Commit | None:
        """The commit whose id is, or begins with, `id_` (hex digits); None if this
        clone has none or several.

        Names of branches and tags do not count, and nothing is fetched: ids of
        somebody else's history may be absent by the thousand.
        """
        try:
            found = self._raw.get(id_)
        except (ValueError, pygit2.GitError):
            return None
        return _commit(found) if isinstance(found, pygit2.Commit) else None

    def has(self, id_: str) -> bool:
        """Whether this clone has the object."""
        try:
            return pygit2.Oid(hex=id_) in self._raw
        except ValueError:
            return False

    def first_parents(self, id_: str) -> Iterator[Commit]:
        """`id_` and its first-parent ancestors; ends at a root or where the
        clone's history is cut off (see `shallow`)."""
        current: str | None = id_
        while current is not None:
            commit = self.commit(current)
            yield commit
            cut = commit.id in self.shallow or not commit.parents
            current = None if cut else commit.parents[0]

    @property
    def shallow(self) -> frozenset[str]:
        """Ids at which a shallow clone's history is cut off."""
        if self._shallow is None:
            try:
                text = (self.common_dir / "shallow").read_text("ascii")
            except (OSError, UnicodeDecodeError):
                text = ""
            self._shallow = frozenset(text.split())
        return self._shallow

    def reopen(self) -> None:
        """Look at the repository afresh: a fetch may have moved the boundary of a
        shallow clone, which libgit2 reads once, when it opens."""
        flags = RepositoryOpenFlag.NO_SEARCH | RepositoryOpenFlag.NO_DOTGIT
        self._raw = pygit2.Repository(self._raw.path, flags)
        self._shallow = None
        self._trees.clear()

    def merge_bases(self, one: str, other: str) -> tuple[str, ...]:
        """All best common ancestors, newest first, as `git merge-base --all` does.

        libgit2 gives one.  Any other is a common ancestor not reachable from it,
        so both sides are walked with that one hidden (a branch's length).
        """
        try:
            first = self._raw.merge_base(_oid(one), _oid(other))
        except (KeyError, ValueError, pygit2.GitError) as exc:
            raise RepositoryError(
                f"No merge base of {one[:12]} and {other[:12]}: {exc}."
            ) from exc
        if first is None:
            return ()
        sides = []
        for side in (one, other):
            walker = self._raw.walk(_oid(side), SortMode.NONE)
            walker.hide(first)
            sides.append({str(c.id): c for c in walker})
        common = {id_: c for id_, c in sides[0].items() if id_ in sides[1]}
        covered = {str(p) for c in common.values() for p in c.parent_ids}
        bases = [self.commit(id_) for id_ in {str(first), *common} - covered]
        return tuple(c.id for c in sorted(bases, key=lambda c: (-c.time, c.id)))

    def roots(self, tip: str, hidden: str | None = None) -> tuple[tuple[str, str], ...]:
        """(id, message) of the ancestors of `tip` without parents, those left out
        that `hidden` reaches.  Walks all commits between."""
        try:
            walker = self._raw.walk(_oid(tip), SortMode.NONE)
            if hidden is not None:
                walker.hide(_oid(hidden))
            return tuple(
                (str(one.id), one.raw_message.decode("utf-8", "replace"))
                for one in walker
                if not one.parent_ids
            )
        except (KeyError, ValueError, pygit2.GitError) as exc:
            raise RepositoryError(
                f"The history of {tip[:12]} cannot be read ({exc}); git fsck says more."
            ) from exc

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Whether `ancestor` is `descendant` or one of its ancestors."""
        if ancestor == descendant:
            return True
        try:
            return bool(self._raw.descendant_of(_oid(descendant), _oid(ancestor)))
        except (KeyError, ValueError, pygit2.GitError):
            return False

    def is_dirty(self) -> bool:
        """Whether tracked files differ from HEAD; untracked files do not count,
        since the result file itself is one."""
        if self.work_tree is None:
            return False
        clean = (FileStatus.CURRENT, FileStatus.IGNORED)
        try:
            found = self._raw.status(untracked_files="no")
        except pygit2.GitError as exc:
            raise RepositoryError(
                f"The state of the work tree cannot be read: {exc}."
            ) from exc
        return any(state not in clean for state in found.values())

    def read_file(self, commit: str, path: str) -> bytes | None:
        """Content of a file in a commit, or None if it is not there."""
        try:
            entry = self._raw_tree(self.commit(commit).tree)[path]
        except KeyError:
            return None
        return self.blob(str(entry.id)) if isinstance(entry, pygit2.Blob) else None

    # ------------------------------------------------------------ objects

    def _object(self, id_: str) -> Any:
        try:
            return self._raw[_oid(id_)]
        except KeyError:
            self.bring([id_])
        except (ValueError, pygit2.GitError) as exc:
            raise RepositoryError(
                f"Object {id_} cannot be read ({exc}); git fsck says more."
            ) from exc
        try:
            return self._raw[_oid(id_)]
        except (KeyError, ValueError, pygit2.GitError) as exc:
            why = f"could not be fetched ({self._unfetchable})"
            raise MissingObjectError(
                f"Object {id_} is not in this clone; fetch it, or deepen a shallow "
                "clone (git fetch --unshallow)."
                if self._unfetchable is None
                else f"Object {id_} is not in this partial clone, and {why}."
            ) from exc

    @property
    def promisors(self) -> tuple[str, ...]:
        """Remotes that promised the objects that this partial clone lacks."""
        named = self.setting("extensions.partialClone")
        found = [named] if named else []
        for one in self.remotes():
            if one != named and self.flag(f"remote.{one}.promisor", default=False):
                found.append(one)
        return tuple(found)

    def bring(self, ids: Iterable[str]) -> None:
        """Fetch the objects that this partial clone lacks, all in one go; does
        nothing in a whole clone.  Those that cannot be had stay absent."""
        if self._unfetchable is not None:
            return
        promisors = self.promisors
        lacking = sorted({id_ for id_ in ids if not self.has(id_)}) if promisors else []
        for remote in promisors:
            if not lacking:
                return
            said = fetch_objects(self.git_dir, self._environ, remote, lacking)
            lacking = [id_ for id_ in lacking if not self.has(id_)]
            if said is not None and lacking:
                self._unfetchable = said

    def blob(self, id_: str) -> bytes:
        """Bytes of a blob."""
        found = self._object(id_)
        if not isinstance(found, pygit2.Blob):
            raise RepositoryError(f"Object {id_} is not a blob.")
        return bytes(found.data)

    def blob_size(self, id_: str) -> int:
        """Size of a blob in bytes, without reading it whole."""
        try:
            return int(self._raw.odb.read_header(_oid(id_))[1])
        except AttributeError:
            return len(self.blob(id_))
        except (KeyError, ValueError, pygit2.GitError):
            return len(self.blob(id_))

    def _raw_tree(self, id_: str) -> Any:
        # Each look into a notes tree asks for its root and a folder: kept, these
        # halve the time of a union.
        found = self._trees.get(id_)
        if found is None:
            found = self._object(id_)
            if not isinstance(found, pygit2.Tree):
                raise RepositoryError(
                    f"Object {id_} is not a tree; git fsck says more."
                )
            if len(self._trees) >= KEPT_TREES:
                self._trees.clear()
            self._trees[id_] = found
        return found

    def tree(self, id_: str) -> tuple[Entry, ...]:
        """Entries of a tree, names that are no text left out."""
        entries = []
        for entry in self._raw_tree(id_):
            try:
                name = entry.name
            except UnicodeDecodeError:
                continue
            if name is not None:
                entries.append(Entry(name, int(entry.filemode), str(entry.id)))
        return tuple(entries)

    def tree_entry(self, tree: str, name: str) -> Entry | None:
        """One entry of a tree by its name."""
        try:
            entry = self._raw_tree(tree)[name]
        except KeyError:
            return None
        return Entry(str(entry.name), int(entry.filemode), str(entry.id))

    def commit_tree(self, id_: str) -> str:
        """Tree id of a commit."""
        found = self._object(id_)
        if not isinstance(found, pygit2.Commit):
            raise RepositoryError(f"Object {id_} is not a commit.")
        return str(found.tree_id)

    def write_blob(self, data: bytes) -> str:
        """Store bytes; returns their id."""
        with _writing("a blob"):
            return str(self._raw.create_blob(data))

    def write_tree(
        self, base: str | None, changes: Mapping[str, tuple[int, str] | None]
    ) -> str:
        """A tree like `base` with entries set (mode, id) or, with None, removed."""
        with _writing("a tree"):
            builder = (
                self._raw.TreeBuilder(self._raw_tree(base))
                if base
                else self._raw.TreeBuilder()
            )
            for name, change in changes.items():
                if change is None:
                    if builder.get(name) is not None:
                        builder.remove(name)
                else:
                    if not self.has(change[1]):
                        self.bring([change[1]])
                    builder.insert(name, _oid(change[1]), change[0])
            return str(builder.write())

    def empty_tree(self) -> str:
        """Id of the empty tree, which is written so that git can show its note."""
        return self.write_tree(None, {})

    def write_commit(self, tree: str, parents: list[str], message: str) -> str:
        """A commit that no ref points to yet."""
        who = self.identity()
        with _writing("a commit"):
            signature = pygit2.Signature(who.name, who.email)
            above = [_oid(parent) for parent in parents]
            return str(
                self._raw.create_commit(
                    None, signature, signature, message, _oid(tree), above
                )
            )

    # ------------------------------------------------------------ refs

    def ref(self, name: str) -> str | None:
        """Id that a ref points to, symbolic refs followed; None if there is none."""
        try:
            return str(self._raw.lookup_reference(name).resolve().target)
        except (KeyError, ValueError, pygit2.GitError):
            return None

    def refs(self, prefix: str) -> tuple[str, ...]:
        """Names of all refs that begin with `prefix`."""
        try:
            return tuple(n for n in self._raw.references if n.startswith(prefix))
        except pygit2.GitError as exc:
            raise RepositoryError(f"The refs cannot be listed: {exc}.") from exc

    def move_refs(
        self,
        names: tuple[str, ...],
        build: Callable[[str | None], str | None],
        message: str,
        budget_s: float = 30.0,
    ) -> tuple[str | None, tuple[str, ...]]:
        """Move all `names` to what `build` makes of the first one's target.

        `build` gets the target (None for a fresh ref) and returns the id of a new
        commit, or None for nothing to do.  The ref is read again under its lock;
        if somebody moved it since, `build` is called again with what they left, so
        nothing that another writer recorded is lost.  Returns the new id and
        warnings.
        Raises `RepositoryError` when the ref stays locked beyond `budget_s`.
        """
        warnings: list[str] = []
        deadline = time.monotonic() + budget_s
        pause = 0.002
        self._refuse_twins(names)
        with self._writers_lock(deadline):
            while True:
                seen = self.ref(names[0])
                target = build(seen)
                if target is None:
                    return None, tuple(warnings)
                try:
                    with self._raw.transaction() as transaction:
                        for name in names:
                            transaction.lock_ref(name)
                        moved = self.ref(names[0]) != seen
                        if not moved:
                            for name in names:
                                transaction.set_target(name, target, message=message)
                    if not moved:
                        return target, tuple(warnings)
                    continue
                except (pygit2.GitError, OSError, ValueError, KeyError) as exc:
                    # pygit2.AlreadyExistsError is a ValueError.
                    if time.monotonic() > deadline:
                        raise RepositoryError(
                            f"The ref {names[0]} could not be moved within "
                            f"{budget_s:.0f} s ({exc}); nothing was written. Is "
                            f"another program holding {names[0]}.lock, or is the "
                            "repository read-only?"
                        ) from exc
                    if isinstance(exc, PermissionError) or _read_only(exc):
                        raise RepositoryError(
                            f"The ref {names[0]} cannot be written ({exc}); nothing "
                            "was recorded."
                        ) from exc
                    warnings += self._remove_stale_locks(names)
                    time.sleep(pause * (0.5 + random.random()))
                    pause = min(pause * 1.6, 0.2)

    def _refuse_twins(self, names: tuple[str, ...]) -> None:
        """Refuse a ref whose name differs from another one's only in case, where the
        file system tells them not apart: one of the two would hide the other."""
        if not self.flag("core.ignoreCase", default=False):
            return
        try:
            packed = (self.common_dir / "packed-refs").read_text("utf-8", "replace")
        except OSError:
            packed = ""
        known = {line.partition(" ")[2] for line in packed.splitlines()}
        for name in names:
            folder = name.rpartition("/")[0]
            try:
                loose = [one.name for one in (self.common_dir / folder).iterdir()]
            except OSError:
                loose = []
            for other in {f"{folder}/{one}" for one in loose} | known:
                if other != name and other.casefold() == name.casefold():
                    raise RepositoryError(
                        f"There is a ref {other} here, and this file system does not "
                        f"tell it from {name}; nothing was recorded. Use that name: "
                        f"--ref {other.rpartition('/')[2]}"
                    )

    @contextmanager
    def _writers_lock(self, deadline: float) -> Iterator[None]:
        """One writer of this clone at a time, where the file system knows flock."""
        import fcntl

        folder = self.common_dir / "gitbench"
        try:
            folder.mkdir(exist_ok=True)
            handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as exc:
            raise RepositoryError(
                f"{folder} cannot be written ({exc.strerror}); nothing was recorded. "
                "Is the repository read-only, or the disk full?"
            ) from exc
        try:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise RepositoryError(
                            "Another gitbench has been writing to this clone for too "
                            "long; nothing was recorded. Try again when it is done."
                        ) from None
                    time.sleep(0.002 + 0.008 * random.random())
                except OSError:
                    break  # no flock here (some network file systems): the ref decides
            yield
        finally:
            os.close(handle)

    def clear_locks(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Wait until nobody holds the locks of these refs, and remove those that a
        killed process left.  Returns warnings."""
        warnings: list[str] = []
        deadline = time.monotonic() + STALE_LOCK_S + 2
        with self._writers_lock(deadline):
            while any((self.common_dir / f"{name}.lock").exists() for name in names):
                warnings += self._remove_stale_locks(names)
                if time.monotonic() > deadline:
                    break
                time.sleep(0.02)
        return tuple(warnings)

    def _remove_stale_locks(self, names: tuple[str, ...]) -> list[str]:
        """Remove ref locks that a killed process left; called under our own lock."""
        removed = []
        for name in names:
            path = self.common_dir / f"{name}.lock"
            try:
                age = time.time() - path.stat().st_mtime
                if age > STALE_LOCK_S:
                    path.unlink()
                    removed.append(
                        f"Removed the lock {name}.lock, unchanged for {age:.0f} s: a "
                        "killed process left it."
                    )
            except OSError:
                continue
        return removed

    def gc_is_due(self) -> bool:
        """Whether git commands would run `gc --auto` now: by git's own settings and
        its own estimate of the loose objects, from one of the 256 folders."""
        limit = self.number("gc.auto", default=6700)
        if limit <= 0 or not self.flag("maintenance.auto", default=True):
            return False
        try:
            sample = sum(1 for _ in (self.common_dir / "objects" / "17").iterdir())
        except OSError:
            return False
        return 256 * sample > limit


def _commit(raw: Any) -> Commit:
    return Commit(
        str(raw.id),
        str(raw.tree_id),
        tuple(str(parent) for parent in raw.parent_ids),
        int(raw.commit_time),
        raw.raw_message.split(b"\n", 1)[0].decode("utf-8", "replace")[:200],
    )


def _oid(hex_: str) -> Any:
    return pygit2.Oid(hex=hex_)


def _common_dir(git_dir: str) -> str:
    """The shared git directory of a linked work tree (its `commondir` file)."""
    pointer = Path(git_dir) / "commondir"
    try:
        text = pointer.read_text("utf-8").strip()
    except OSError:
        return git_dir
    return str((Path(git_dir) / text).resolve())


def _discover(start: Path, environ: Mapping[str, str]) -> str:
    """Path of the repository around `start`, up to GIT_CEILING_DIRECTORIES."""
    ceiling = environ.get("GIT_CEILING_DIRECTORIES", "")
    across = bool(environ.get("GIT_DISCOVERY_ACROSS_FILESYSTEM"))
    found = pygit2.discover_repository(str(start), across, ceiling)
    if found is None:
        raise KeyError("not found")
    return str(found)


def _open_message(start: Path, environ: Mapping[str, str], reason: str) -> str:
    """One sentence for each way in which opening a repository fails."""
    if "object format" in reason or "objectformat" in reason:
        return (
            "This repository uses SHA-256 object names, which gitbench cannot read "
            "yet; a repository with SHA-1 names (git init --object-format=sha1) works."
        )
    if "refstorage" in reason.lower() or "reftable" in reason.lower():
        return (
            "This repository keeps its refs as reftable, which gitbench cannot read "
            "yet; git refs migrate --ref-format=files converts it."
        )
    if "unsupported extension" in reason:
        return (
            f"This repository needs a git extension that gitbench cannot read yet "
            f"({reason})."
        )
    if "owned by" in reason or "not owned" in reason:
        return (
            f"The repository at {start} belongs to another user, and git refuses "
            "such ones; if you trust it: git config --global --add safe.directory "
            f"{start}"
        )
    if environ.get("GIT_DIR"):
        return (
            f"GIT_DIR is {environ['GIT_DIR']!r}, which is no git repository ({reason})."
        )
    if "not found" in reason.lower():
        return (
            f"There is no git repository at {start} or above it; go into one, or make "
            "one with: git init"
        )
    return f"The git repository at {start} cannot be opened ({reason})."


def _read_only(exc: Exception) -> bool:
    text = str(exc).lower()
    return "permission denied" in text or "read-only" in text or "no space" in text


@contextmanager
def _writing(what: str) -> Iterator[None]:
    """Turn libgit2's errors while writing into one stated error."""
    try:
        yield
    except (pygit2.GitError, OSError, ValueError) as exc:
        raise RepositoryError(
            f"Git could not write {what} ({exc}); nothing was recorded. Is the disk "
            "full or the repository read-only?"
        ) from exc

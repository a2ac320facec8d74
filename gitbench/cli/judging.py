"""Which settings judge head: those of its own commit, the baseline's, and the day.

An accepted change counts until it lands.  Whether it has, and how far back in the
window, is told by the settings as they stood in the commits of the window.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from gitbench.baseline import Start
from gitbench.cli.ci import CiJob
from gitbench.cli.workspace import Workspace
from gitbench.config import FILES, Config, accept_key, load_from_files
from gitbench.errors import GitbenchError
from gitbench.model import Accept, Baseline, GroupSides, Settings
from gitbench.store.repository import Repository

REGULAR_FILE = 0o100000


def today() -> str:
    """The day in UTC, as `expires` of an accepted change counts days."""
    import time

    return time.strftime("%Y-%m-%d", time.gmtime())


def head_settings(
    work: Workspace,
    job: CiJob | None,
    groups: Sequence[GroupSides],
    start: Start,
    day: str,
) -> tuple[Settings, tuple[str, ...]]:
    """The settings that judge head, and warnings.

    Accepted changes count only while the baseline's own config lacks them, and none
    of a fork's do: `work` then has the config of the base branch.
    """
    if job is not None and job.from_fork:
        return work.config.settings(work.config, day), ()
    commits = [g.baseline.commit for g in groups if g.baseline] or list(start.commits)
    base = config_at(work, commits[0]) if commits else None
    warnings = tuple(map(_expired, work.config.expired_accepts(base, day)))
    return work.config.settings(base, day), warnings


def _expired(accept: Accept) -> str:
    return (
        f"The accepted change of {accept.benchmark!r} ({accept.reason!r}) expired "
        f"after {accept.expires} and counts no more; if it is still meant, give it "
        "another day."
    )


def config_at(work: Workspace, commit: str) -> Config | None:
    """A commit's config; one that cannot be read is none, so that a mistake that was
    mended since cannot block its own mending."""
    try:
        return work.config_at(commit)
    except GitbenchError:
        return None


# --------------------------------------------------- where accepted changes landed


def with_landed(
    repository: Repository, groups: Sequence[GroupSides]
) -> tuple[GroupSides, ...]:
    """The same groups, their baselines with the accepted changes that landed inside
    the window.  Fetches nothing: what this clone lacks is unknown."""
    configs = _Configs(repository)
    return tuple(
        group
        if group.baseline is None
        else replace(
            group,
            baseline=replace(group.baseline, landed=_landed(configs, group.baseline)),
        )
        for group in groups
    )


def _landed(configs: _Configs, baseline: Baseline) -> tuple[tuple[Accept, int], ...]:
    """Accepted changes of the baseline that older commits of the window lack, each
    with the number of the newest commits that have it.

    A commit whose config is unknown ends the search: behind it nobody can tell where
    the change landed.
    """
    accepts = configs.at(baseline.commit) or ()
    left = {accept_key(one): one for one in accepts}
    counts = Counter(map(accept_key, accepts))
    found: list[tuple[Accept, int]] = []
    for place, commit in enumerate(baseline.window):
        if not left:
            break
        theirs = configs.at(commit.commit)
        if theirs is None:
            break
        have = Counter(map(accept_key, theirs))
        for key in [key for key in left if have[key] < counts[key]]:
            found.append((left.pop(key), place))
    return tuple(found)


class _Configs:
    """The accepted changes of commits; equal files are parsed once."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: dict[tuple[str | None, ...], tuple[Accept, ...] | None] = {}

    def at(self, commit: str) -> tuple[Accept, ...] | None:
        """Those of a commit; None where its files are not here or make no sense."""
        repository = self._repository
        try:
            tree = repository.commit_tree(commit)
            if not repository.has(tree):
                return None
            entries = [repository.tree_entry(tree, name) for name in FILES]
            ids = tuple(
                one.id if one and one.mode & 0o170000 == REGULAR_FILE else None
                for one in entries
            )
            if ids not in self._known:
                self._known[ids] = self._parse(ids, commit)
            return self._known[ids]
        except GitbenchError:
            return None

    def _parse(
        self, ids: tuple[str | None, ...], commit: str
    ) -> tuple[Accept, ...] | None:
        if not all(one is None or self._repository.has(one) for one in ids):
            return None
        files = dict(zip(FILES, ids, strict=True))

        def read(name: str) -> bytes | None:
            blob = files[name]
            return None if blob is None else self._repository.blob(blob)

        try:
            return load_from_files(read, f"commit {commit[:12]}").accepts
        except GitbenchError:
            return None

"""The recorded sessions behind a revision, by suite and testbed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from gitbench import baseline as baselines
from gitbench.cli import ci
from gitbench.cli.compare import through_index, trust_of
from gitbench.cli.workspace import Workspace, warn
from gitbench.errors import GitbenchError
from gitbench.model import CommitRuns, RecordedRun

if TYPE_CHECKING:
    from gitbench.compare.noise import Past

Key = tuple[str, str]


class NoHistoryError(GitbenchError):
    """There are no sessions to learn from."""

    exit_code = 3


def find_past(
    work: Workspace, revision: str, sessions: int, suite: str | None = None
) -> tuple[Past, ...]:
    """The newest `sessions` sessions of each suite and testbed, along first parents.

    Runs that no baseline would hold (made with uncommitted changes, not trusted) are
    left out.  Raises NoHistoryError if nothing is there.
    """
    from gitbench.compare.noise import Past, sessions_of

    repository, notes, config = work.repository, work.notes, work.config
    start = repository.resolve(revision)
    reach = config.max_distance + config.window_distance
    notes.tree_lookup = through_index(notes)
    notes.prefetch(one.id for one in islice(repository.first_parents(start), reach))
    trust = trust_of(work, ci.detect(work.environ), start)
    reader = baselines.Reader(repository, notes, "", trust)
    found: dict[Key, list[CommitRuns]] = {}
    seen: set[str] = set()
    for distance, commit in enumerate(
        islice(repository.first_parents(start), reach + 1)
    ):
        fresh = [one for one in reader.clean_runs(commit)[0] if one.id not in seen]
        seen.update(one.id for one in fresh)
        for key, runs in _by_suite(fresh, suite).items():
            known = found.setdefault(key, [])
            room = sessions - len(known)
            known += sessions_of(commit.id, runs, distance)[:room]
        full = found and all(len(known) >= sessions for known in found.values())
        if full and distance >= config.max_distance:
            break
    for warning in reader.warnings:
        warn(warning)
    if not found:
        raise NoHistoryError(_nothing(work, revision, suite))
    return tuple(
        Past(key[0], known[0].runs[0].run.testbed, tuple(known))
        for key, known in sorted(found.items())
    )


def _by_suite(
    runs: Sequence[RecordedRun], suite: str | None
) -> dict[Key, list[RecordedRun]]:
    found: dict[Key, list[RecordedRun]] = {}
    for one in runs:
        if suite in (None, one.run.suite):
            key = (one.run.suite, one.run.testbed.fingerprint)
            found.setdefault(key, []).append(one)
    return found


def _nothing(work: Workspace, revision: str, suite: str | None) -> str:
    what = "" if suite is None else f" of suite {suite[:80]!r}"
    if not work.notes.exists():
        return (
            "Nothing is recorded here yet: gitbench record RESULTS, or get the "
            "results of others: gitbench fetch"
        )
    return (
        f"No results{what} that a baseline may hold are recorded on the way back from "
        f"{revision[:80]}; see what is: gitbench log"
    )

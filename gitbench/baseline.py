"""Which commit head is compared with, and why: design rules as one walk.

For each suite and testbed of head's runs on its own: find where to begin (a merge
base, head's first parent, or the commit itself), walk first parents to the nearest
commit with comparable runs, and collect the window of earlier ones behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from gitbench.errors import GitbenchError
from gitbench.model import (
    Baseline,
    Benchmark,
    CommitRuns,
    GroupSides,
    RecordedRun,
    Run,
    Testbed,
)
from gitbench.sessions import group_sessions
from gitbench.store.notes import Notes
from gitbench.store.repository import Commit, Repository

if TYPE_CHECKING:
    from gitbench.store.provenance import Trust

NAMED = "baseline:"
_PULL_REFS = ("refs/pull/", "refs/remotes/pull/")


class BaselineError(GitbenchError):
    """The baseline cannot be found out."""


class ShallowError(BaselineError):
    """The walk met the end of a shallow clone."""


class NothingRecordedError(BaselineError):
    """Head has no results to compare."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """How far to look."""

    max_distance: int = 50
    """Commits from where the walk begins to the baseline."""
    window: int = 10
    """Sessions behind the baseline, its own included."""
    window_distance: int = 500
    """Commits from the baseline to the last of the window."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where the walk begins; several where there are several merge bases."""

    commits: tuple[str, ...]
    rule: str
    why_empty: str | None = None
    """Why there is nowhere to begin, in one sentence."""


# ------------------------------------------------------------------- BASE


def default_base(
    repository: Repository, configured: str | None, ci_base: str | None, remote: str
) -> str:
    """What BASE means when it is not given: the configured one, the remote's
    default branch, the CI's base ref, else main or master."""
    if configured is not None:
        return configured
    target = repository.symbolic_target(f"refs/remotes/{remote}/HEAD")
    if target is not None and repository.ref(target) is not None:
        return target.removeprefix("refs/remotes/")
    if ci_base:
        for name in (f"{remote}/{ci_base}", ci_base):
            if repository.branch_ref(name) is not None:
                return name
    for name in (f"{remote}/main", f"{remote}/master", "main", "master"):
        if repository.branch_ref(name) is not None:
            return name
    raise BaselineError(
        "There is no branch main or master to compare with; name one: gitbench "
        'compare BRANCH, or set baseline = "BRANCH" in gitbench.toml.'
    )


def find_start(
    repository: Repository, notes: Notes, base: str, head: str, *, test_merge: bool
) -> Start:
    """Where the walk for the baseline begins.

    `test_merge` says that head is the merge that a CI made of a pull request: its
    first parent is the target branch as it was merged, so that commits which landed
    there meanwhile are not charged to the pull request.
    """
    if base.startswith(NAMED):
        return Start((_named(repository, notes, base),), "named")
    target = repository.resolve(base)
    commit = repository.commit(head)
    if test_merge and len(commit.parents) == 2:
        return Start((commit.parents[0],), "test-merge")
    if repository.branch_ref(base) is None:
        return Start((target,), "commit")
    bases = repository.merge_bases(target, head)
    if not bases:
        if repository.shallow:
            raise _shallow_error(repository, head)
        return Start(
            (), "merge-base", f"{base} and {head[:12]} have no common history."
        )
    if bases == (head,):
        return _parent(repository, commit)
    return Start(bases, "merge-base")


def _parent(repository: Repository, commit: Commit) -> Start:
    """Head is on the branch itself: begin at its first parent."""
    if commit.id in repository.shallow:
        raise _shallow_error(repository, commit.id)
    if not commit.parents:
        return Start(
            (),
            "first-parent",
            f"{commit.id[:12]} is the first commit of the branch: there is nothing "
            "before it.",
        )
    return Start((commit.parents[0],), "first-parent")


def _named(repository: Repository, notes: Notes, base: str) -> str:
    name = base.removeprefix(NAMED)
    found = notes.baselines().get(name)
    if found is None or found.commit is None:
        known = ", ".join(notes.baselines()) or "none"
        raise BaselineError(
            f"There is no baseline named {name!r} (known: {known}); save one with: "
            f"gitbench baseline save {name} COMMIT"
        )
    if not repository.has(found.commit):
        raise BaselineError(
            f"Baseline {name!r} is commit {found.commit[:12]}, which this clone lacks; "
            "fetch it first."
        )
    return found.commit


def is_test_merge(repository: Repository, head: str, refs: Sequence[str]) -> bool:
    """Whether head is the head of a `refs/pull/*/merge` ref, or of one of `refs`
    that the CI named."""
    names = [
        *(name for name in refs if name.endswith("/merge")),
        *(
            name
            for prefix in _PULL_REFS
            for name in repository.refs(prefix)
            if name.endswith("/merge")
        ),
    ]
    return any(repository.ref(name) == head for name in names)


# ---------------------------------------------------------------- the walk


def find_sides(
    repository: Repository,
    notes: Notes,
    start: Start,
    head: str,
    limits: Limits,
    trust: Trust | None = None,
) -> tuple[GroupSides, ...]:
    """Head's runs by suite and testbed, each with its baseline.

    With `trust`, runs that it does not accept are passed over, and it remembers
    them.  Raises `NothingRecordedError` if head has no runs at all.
    """
    reach = limits.max_distance + limits.window_distance
    notes.prefetch(
        commit.id
        for begin in (head, *start.commits)
        for commit in islice(repository.first_parents(begin), reach)
    )
    reader = Reader(repository, notes, head, trust)
    head_commit = repository.commit(head)
    runs, stand_in = reader.head_runs(head_commit)
    if not runs and trust is not None and trust.left_out:
        raise NothingRecordedError(
            f"Nothing that counts is recorded for {head[:12]} "
            f"({head_commit.subject[:60]!r}): {trust.summary()}. See: gitbench verify "
            f"{head[:12]}"
        )
    if not runs:
        raise NothingRecordedError(
            f"Nothing is recorded for {head[:12]} ({head_commit.subject[:60]!r}); run "
            "the benchmarks there and record them with gitbench record."
        )
    groups: dict[tuple[str, str], list[RecordedRun]] = {}
    for one in runs:
        key = (one.run.suite, one.run.testbed.fingerprint)
        groups.setdefault(key, []).append(one)
    return tuple(
        _group(reader, start, head_commit, tuple(group), stand_in, limits)
        for _, group in sorted(groups.items())
    )


class Reader:
    """Reads the runs of commits on the walk once each, stand-ins included."""

    def __init__(
        self,
        repository: Repository,
        notes: Notes,
        head: str,
        trust: Trust | None = None,
    ) -> None:
        self.trust = trust
        self.repository = repository
        self.notes = notes
        self.head = head
        self._cache: dict[str, tuple[tuple[RecordedRun, ...], str | None]] = {}
        self.warnings: list[str] = []

    def head_runs(self, head: Commit) -> tuple[tuple[RecordedRun, ...], str | None]:
        """Head's own runs, or those of another commit with the same tree."""
        return self._read(head)

    def clean_runs(self, commit: Commit) -> tuple[tuple[RecordedRun, ...], str | None]:
        """Runs of a commit that may stand in a baseline: not dirty, and not those
        that already speak for head (whose tree may be this commit's)."""
        runs, stand_in = self._read(commit)
        heads = {one.id for one in self._cache.get(self.head, ((), None))[0]}
        clean = (one for one in runs if not one.run.dirty and one.id not in heads)
        return tuple(clean), stand_in

    def _read(self, commit: Commit) -> tuple[tuple[RecordedRun, ...], str | None]:
        if commit.id not in self._cache:
            self._cache[commit.id] = self._look_up(commit)
        return self._cache[commit.id]

    def _look_up(self, commit: Commit) -> tuple[tuple[RecordedRun, ...], str | None]:
        own = self._own(commit.id)
        if own:
            return own, None
        for other in self.notes.commits_of_tree(commit.tree):
            if other in (commit.id, self.head):
                continue
            runs = tuple(r for r in self._own(other) if r.run.tree == commit.tree)
            if runs:
                return runs, other
        return (), None

    def _own(self, commit: str) -> tuple[RecordedRun, ...]:
        trust = self.trust
        accepts = None if trust is None else trust.accepts
        records = self.notes.records(commit, accepts)
        if trust is not None:
            trust.leave_out(records.refused)
        self.warnings += [w for w in records.warnings if w not in self.warnings]
        return records.runs


def _group(
    reader: Reader,
    start: Start,
    head: Commit,
    runs: tuple[RecordedRun, ...],
    stand_in: str | None,
    limits: Limits,
) -> GroupSides:
    """One suite on one testbed of head, with its baseline or the reason for none."""
    latest = runs[0].run
    warnings = []
    if any(one.run.dirty for one in runs):
        warnings.append(
            "Head was measured with uncommitted changes in the work tree: the result "
            "may not be that of the commit."
        )
    sides = GroupSides(
        latest.suite,
        latest.testbed,
        CommitRuns(head.id, runs, stand_in=stand_in),
        None,
        warnings=tuple(warnings),
    )
    if not start.commits:
        return replace(sides, reason=start.why_empty)
    wanted = _rows(runs)
    seen_other: set[str] = set()
    # Of several merge bases the newest with runs of its own comes before any walk.
    nearest = replace(limits, max_distance=0)
    rounds = [nearest, limits] if len(start.commits) > 1 else [limits]
    for reach in rounds:
        for begin in start.commits:
            walk = Walk(reader, start.rule, head, latest, wanted, reach, seen_other)
            baseline = walk.find(begin)
            if baseline is not None:
                return replace(
                    sides,
                    baseline=baseline,
                    warnings=(*warnings, *walk.warnings, *reader.warnings),
                )
    for begin in start.commits:
        _refuse_shallow(reader.repository, begin, limits.max_distance)
    return replace(
        sides,
        reason=_why_none(
            latest.suite, latest.testbed, start, limits, seen_other, reader.trust
        ),
        warnings=(*warnings, *reader.warnings),
    )


def _rows(runs: Sequence[RecordedRun]) -> set[tuple[Benchmark, str]]:
    return {(m.benchmark, m.metric.name) for one in runs for m in one.run.measurements}


@dataclass(slots=True)
class Walk:
    """A walk along first parents for one suite and testbed of head."""

    reader: Reader
    rule: str
    head: Commit
    like: Run
    """A run of head: suite and testbed of what is looked for."""
    wanted: set[tuple[Benchmark, str]]
    """Benchmark and metric of head's rows; one in common makes a run comparable."""
    limits: Limits
    other_testbeds: set[str]
    """Filled with the names of testbeds that have results of the suite."""
    warnings: list[str] = field(default_factory=list)

    def find(self, begin: str) -> Baseline | None:
        """The nearest commit with comparable runs, and the window behind it."""
        repository = self.reader.repository
        window: list[CommitRuns] = []
        found: Commit | None = None
        sessions = 0
        for distance, commit in enumerate(repository.first_parents(begin)):
            behind = distance - window[0].distance if window else distance
            reach = self.limits.window_distance if window else self.limits.max_distance
            if behind > reach:
                break
            if commit.id != self.head.id:
                runs, stand_in = self._comparable(commit)
                if runs:
                    found = found or commit
                    window.append(CommitRuns(commit.id, runs, distance, stand_in))
                    sessions += len(group_sessions([one.run for one in runs]))
                    if sessions >= self.limits.window:
                        break
            if found and commit.id in repository.shallow:
                self.warnings.append(
                    f"This clone is shallow and ends at {commit.id[:12]}: the window "
                    f"has {sessions} of up to {self.limits.window} sessions. With "
                    "full history (fetch-depth: 0) it may have more."
                )
        if found is None:
            return None
        return Baseline(
            found.id,
            self.rule,
            window[0].distance,
            self.head.time - found.time,
            tuple(window),
            window[0].stand_in,
        )

    def _comparable(self, commit: Commit) -> tuple[tuple[RecordedRun, ...], str | None]:
        runs, stand_in = self.reader.clean_runs(commit)
        fitting = []
        for one in runs:
            if one.run.suite != self.like.suite:
                continue
            if one.run.testbed.fingerprint != self.like.testbed.fingerprint:
                self.other_testbeds.add(one.run.testbed.name)
            elif not self.wanted.isdisjoint(_rows([one])):
                fitting.append(one)
        return tuple(fitting), stand_in


def _refuse_shallow(repository: Repository, begin: str, max_distance: int) -> None:
    """Raise if the walk for a baseline ended at a shallow clone's boundary."""
    if not repository.shallow:
        return
    for distance, commit in enumerate(repository.first_parents(begin)):
        if distance > max_distance:
            return
        if commit.id in repository.shallow:
            raise _shallow_error(repository, commit.id)


def _shallow_error(repository: Repository, at: str) -> ShallowError:
    return ShallowError(
        f"This clone is shallow and its history ends at {at[:12]}, before any "
        "baseline was found. Fetch more of it (git fetch --deepen=50, or git fetch "
        "--unshallow), or check out with full history (fetch-depth: 0)."
    )


def _why_none(
    suite: str,
    testbed: Testbed,
    start: Start,
    limits: Limits,
    others: set[str],
    trust: Trust | None,
) -> str:
    reason = (
        f"No results of suite {suite!r} on testbed {testbed.name!r} are recorded for "
        f"{start.commits[0][:12]} or the {limits.max_distance} commits before it."
    )
    if others:
        names = ", ".join(sorted(others)[:3])
        reason += f" There are some of another testbed ({names})."
    left_out = trust.summary() if trust is not None else None
    if left_out is not None:
        reason += f" {left_out}."
    return reason

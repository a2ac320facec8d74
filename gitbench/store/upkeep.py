"""Choosing runs to withdraw, and telling where the bytes are.

Nothing is ever taken out of a note by leaving it out: a clone that still has it would
bring it back with the next union.  What is to go is retracted, and what is to go for
good is erased: its line is replaced by one that says so, in every note that holds it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from gitbench.errors import GitbenchError
from gitbench.model import Run
from gitbench.store import codec
from gitbench.store.codec import Line, Note
from gitbench.store.notes import Notes
from gitbench.store.repository import RepositoryError
from gitbench.store.standing import LASTING, damaged_id, standing
from gitbench.store.sync import Git, list_refs

DAY_MS = 86_400_000
_HEX = frozenset("0123456789abcdef")


class UpkeepError(GitbenchError):
    """What is to be done is not clear, or would not be safe."""


class ConditionError(UpkeepError):
    """A condition that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Records by the objects whose notes hold them."""

    records: dict[str, set[str]] = field(default_factory=dict)
    """Annotated object -> ids; an id may stand in several notes."""

    @property
    def ids(self) -> set[str]:
        """All ids."""
        return {id_ for ids in self.records.values() for id_ in ids}

    def add(self, object_id: str, id_: str) -> None:
        """Choose one record of one note."""
        self.records.setdefault(object_id, set()).add(id_)


def everything(notes: Notes) -> Iterator[tuple[str, Note]]:
    """Every annotated object with its note, in the order of their ids."""
    found = list(notes.annotated())
    notes.repository.bring(blob for _, blobs in found for blob in blobs)
    for object_id, blobs in found:
        yield object_id, notes.note_of(object_id, blobs)


def decoded(line: Line) -> Run | None:
    """The run of a line; None if it is no run or cannot be read."""
    if line.kind != "run":
        return None
    try:
        record = codec.decode(line)
    except codec.CodecError:
        return None
    return record if isinstance(record, Run) else None


# ----------------------------------------------------------------- by name


def by_ids(notes: Notes, prefixes: Collection[str]) -> Chosen:
    """Records (and lines that are no records) by their ids or unique beginnings of
    them, in every note that holds them; with a run also its twins of the same origin.
    """
    for prefix in prefixes:
        if not 4 <= len(prefix) <= 16 or not _HEX.issuperset(prefix):
            raise UpkeepError(
                f"{prefix[:40]!r} is no run id: they are 16 hex digits, of which the "
                "first four or more are enough; gitbench show lists them."
            )
    found: dict[str, set[str]] = {prefix: set() for prefix in prefixes}
    for _, note in everything(notes):
        moved = standing(note).moved
        ids = names(note)
        for prefix, hits in found.items():
            # Of an archived run the record that stands for it is meant.
            hits.update(moved.get(id_, id_) for id_ in ids if id_.startswith(prefix))
    for prefix, hits in found.items():
        if not hits:
            raise UpkeepError(
                f"No note holds a run {prefix!r}; gitbench show COMMIT lists the runs "
                "of a commit."
            )
        if len(hits) > 1:
            raise UpkeepError(
                f"{prefix!r} is the beginning of {len(hits)} ids "
                f"({', '.join(sorted(hits)[:3])}); give more digits."
            )
    return wherever(notes, {id_ for hits in found.values() for id_ in hits})


def of_commits(notes: Notes, commits: Iterable[str]) -> Chosen:
    """The runs that count for these commits, in every note that holds them."""
    ids = {one.id for commit in commits for one in notes.records(commit).runs}
    return wherever(notes, ids)


def names(note: Note) -> set[str]:
    """Ids of all that can be withdrawn from a note, or was."""
    found = {id_ for id_, line in note.lines.items() if line.kind not in LASTING}
    found |= {damaged_id(raw) for raw in note.damaged}
    return found | standing(note).hidden.keys()


def wherever(notes: Notes, ids: Collection[str]) -> Chosen:
    """These records in every note that holds them.

    With a run go those of the same origin beside it: one result that was recorded
    twice, of which the other would come to light when one is withdrawn.
    """
    wanted = set(ids)
    for _, note in everything(notes) if wanted else ():
        if not wanted.isdisjoint(note.lines):
            wanted |= _twins(note, wanted)
    chosen = Chosen()
    for object_id, note in everything(notes) if wanted else ():
        for id_ in names(note) & wanted:
            chosen.add(object_id, id_)
    return chosen


def _twins(note: Note, ids: Collection[str]) -> set[str]:
    """The runs of a note that have the origin of one of these."""
    runs = {id_: decoded(line) for id_, line in note.lines.items()}
    origins = {run.origin for id_ in ids if (run := runs.get(id_)) is not None}
    return {id_ for id_, run in runs.items() if run and run.origin in origins}


# ----------------------------------------------------------------- by condition

Test = Callable[[str, Run], bool]

_CONDITION = re.compile(r"\s*([a-z]+(?:\.[^=!<>\s]+)?)\s*(!=|<=|>=|=|<|>)\s*(.*?)\s*")
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(h|d|w|y)")
_AGE_MS = {"h": DAY_MS // 24, "d": DAY_MS, "w": 7 * DAY_MS, "y": 365 * DAY_MS}

TEXTS: dict[str, Callable[[str, Run], Iterable[str]]] = {
    "suite": lambda id_, run: [run.suite],
    "testbed": lambda id_, run: [run.testbed.name, run.testbed.fingerprint],
    "tool": lambda id_, run: [run.tool.name],
    "version": lambda id_, run: [run.tool.version or ""],
    "session": lambda id_, run: [run.session or ""],
    "ci": lambda id_, run: [run.ci.provider] if run.ci else [""],
    "url": lambda id_, run: [(run.ci and run.ci.url) or ""],
    "commit": lambda id_, run: [run.commit],
    "id": lambda id_, run: [id_],
    "dirty": lambda id_, run: ["true" if run.dirty else "false"],
    "benchmark": lambda id_, run: [
        name
        for one in run.measurements
        for name in (one.benchmark.name, one.benchmark.label)
    ],
}
"""Words of a condition that are compared with globs: any of the texts may fit."""


def condition(text: str, now_ms: int) -> Test:
    """A test of a run: `KEY=GLOB`, `KEY!=GLOB`, `tag.NAME=GLOB`, `time<2025-01-31`,
    `age>90d`.

    Raises `ConditionError`.
    """
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise ConditionError(f"{text[:80]!r} is no condition; {_HOW}")
    key, sign, value = found.groups()
    if key in ("time", "age"):
        return _moment(key, sign, value, now_ms)
    if sign not in ("=", "!="):
        raise ConditionError(f"{key} is compared with = or !=, not with {sign}.")
    tag = key.removeprefix("tag.")
    texts = TEXTS.get(key)
    if texts is None and tag != key:
        texts = lambda id_, run: [dict(run.tags).get(tag, "")]  # noqa: E731
    if texts is None:
        raise ConditionError(f"{key!r} is nothing that a run has; {_HOW}")
    pattern = value + "*" if key in ("commit", "id") else value

    def test(id_: str, run: Run) -> bool:
        hit = any(one == value or fnmatchcase(one, pattern) for one in texts(id_, run))
        return hit == (sign == "=")

    return test


_HOW = (
    "write KEY=GLOB, KEY!=GLOB, time<DATE or age>90d, where KEY is "
    f"{', '.join(TEXTS)} or tag.NAME."
)


def _moment(key: str, sign: str, value: str, now_ms: int) -> Test:
    """A test of a run's start time, or of how long ago it was."""
    bound = now_ms - parse_age(value) if key == "age" else parse_time(value)
    # A greater age is an earlier time.
    mirrored = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
    order = mirrored.get(sign) if key == "age" else sign
    if order == "<":
        return lambda _, run: run.started_at < bound
    if order == ">":
        return lambda _, run: run.started_at > bound
    if order == "<=":
        return lambda _, run: run.started_at <= bound
    if order == ">=":
        return lambda _, run: run.started_at >= bound
    raise ConditionError(f"{key} is compared with <, <=, > or >=, not with {sign}.")


def parse_age(text: str) -> int:
    """`36h`, `90d`, `12w` or `1y` in milliseconds; raises `ConditionError`."""
    found = _AGE.fullmatch(text.strip())
    if found is None or len(text) > 20:
        raise ConditionError(
            f"{text[:40]!r} is no age; write 36h, 90d, 12w or 1y (hours, days, weeks, "
            "years)."
        )
    return round(float(found[1]) * _AGE_MS[found[2]])


def parse_time(text: str) -> int:
    """`2025-01-31`, or with a time, in ms since the epoch; UTC where no zone is given.
    Raises `ConditionError`."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError) as exc:
        raise ConditionError(
            f"{text[:40]!r} is no date; write 2025-01-31, or with a time "
            "2025-01-31T12:00+02:00 (UTC where no zone is given)."
        ) from exc


def matching(
    notes: Notes, tests: Sequence[Test], within: Collection[str] | None = None
) -> Chosen:
    """Runs that pass all tests, in every note that holds them; only those whose ids
    are `within`, if it is given."""
    found = set()
    for _, note in everything(notes):
        for id_, line in note.lines.items():
            if within is not None and id_ not in within:
                continue
            run = decoded(line)
            if run is not None and all(test(id_, run) for test in tests):
                found.add(id_)
    return wherever(notes, found)


# ----------------------------------------------------------------- pruning


@dataclass(frozen=True, slots=True)
class Reachable:
    """All that the refs of this clone reach."""

    commits: frozenset[str]
    trees: frozenset[str]


def reachable(git: Git) -> Reachable:
    """Commits, with their trees, that a branch, tag, stash or HEAD of this clone or
    of a linked work tree reaches."""
    listed = git.run(
        "log",
        "--no-show-signature",
        "--format=%H %T",
        "--exclude=refs/notes/*",
        "--exclude=refs/gitbench/*",
        "--all",
        "--",
    )
    if listed.returncode != 0:
        raise RepositoryError(
            f"The history cannot be walked ({listed.stderr.strip()[:200]}); nothing "
            "was changed."
        )
    pairs = [line.split(" ") for line in listed.stdout.splitlines()]
    return Reachable(
        frozenset(pair[0] for pair in pairs), frozenset(pair[1] for pair in pairs)
    )


def refuse_partial_view(notes: Notes, git: Git, remotes: Iterable[str]) -> None:
    """Raise if this clone lacks commits that somebody else's refs reach: a shallow
    clone, or one that has not all branches and tags of these remotes."""
    if notes.repository.shallow:
        raise UpkeepError(
            "This clone is shallow, so it cannot tell which commits are gone; prune in "
            "a complete one (git fetch --unshallow)."
        )
    for remote in remotes:
        for name, id_ in list_refs(git, remote, "--heads", "--tags").items():
            if not notes.repository.has(id_):
                raise UpkeepError(
                    f"{remote} has {name}, which this clone lacks, so it cannot tell "
                    f"which commits are gone; fetch first: git fetch --tags {remote} "
                    f"'+refs/heads/*:refs/remotes/{remote}/*'"
                )


def prunable(
    notes: Notes, known: Reachable, older_than_ms: int, keep: int, now_ms: int
) -> Chosen:
    """Runs of commits that are gone.

    A run stays if its tree is that of a commit that is reachable (it was squashed,
    rebased or amended), if it stands on one, if its commit is a named baseline, if
    it started less than `older_than_ms` ago, or if it is among the `keep` newest of
    its suite and testbed.
    """
    baselines = {one.commit for one in notes.baselines().values()}
    candidates: dict[str, set[str]] = {}
    kept: set[str] = set()
    newest: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for object_id, note in everything(notes):
        gone = object_id not in known.commits and _is_commit(notes, object_id)
        gone = gone and object_id not in baselines
        hidden = standing(note).hidden
        for id_, line in note.lines.items():
            if line.kind != "run":
                continue
            if id_ not in hidden:
                bed = (line.suite, line.testbed)
                newest.setdefault(bed, []).append((line.time, id_))
            young = line.time > now_ms - older_than_ms
            if gone and line.tree not in known.trees and not young:
                candidates.setdefault(object_id, set()).add(id_)
            else:
                kept.add(id_)
    for times in newest.values():
        kept.update(id_ for _, id_ in sorted(set(times), reverse=True)[:keep])
    left = {object_id: ids - kept for object_id, ids in candidates.items()}
    return Chosen({object_id: ids for object_id, ids in left.items() if ids})


def _is_commit(notes: Notes, object_id: str) -> bool:
    """Whether an annotated object is a commit, or one that is not here any more."""
    try:
        notes.repository.commit(object_id)
    except RepositoryError:
        return not notes.repository.has(object_id)
    return True


# ----------------------------------------------------------------- size


@dataclass(slots=True)
class Sizes:
    """Where the bytes of the records are; lines as they stand in the notes."""

    notes: int = 0
    runs: int = 0
    total: int = 0
    """Bytes of all notes."""
    withdrawn: int = 0
    """Bytes of runs that are retracted, and not erased."""
    largest: tuple[str, int] = ("", 0)
    """The object with the largest note, and its bytes."""
    shares: Counter[str] = field(default_factory=Counter)
    """Bytes by what was asked for."""
    counts: Counter[str] = field(default_factory=Counter)
    """Runs (measurements, of benchmarks) by what was asked for."""


GROUPINGS = ("commit", "suite", "testbed", "tool", "benchmark")


def sizes(notes: Notes, by: str) -> Sizes:
    """Bytes of the records by one of `GROUPINGS`.

    A benchmark's share of a run is that of its packed form; only `tool` and
    `benchmark` need the records decoded.
    """
    found = Sizes()
    for object_id, note in everything(notes):
        found.notes += 1
        hidden = standing(note).hidden
        size = 0
        for id_, line in note.lines.items():
            length = len(line.raw) + 1
            size += length
            if line.kind == "run":
                found.runs += 1
                found.withdrawn += length if id_ in hidden else 0
                for name, share in _shares(object_id, line, by):
                    found.shares[name] += round(share * length)
                    found.counts[name] += 1
        size += sum(len(raw) + 1 for raw in note.damaged)
        found.total += size
        found.largest = max(found.largest, (object_id, size), key=lambda one: one[1])
    return found


def _shares(object_id: str, line: Line, by: str) -> Iterator[tuple[str, float]]:
    """To whom the bytes of a line belong, as fractions."""
    if by == "commit":
        yield object_id, 1.0
    elif by in ("suite", "testbed"):
        yield getattr(line, by), 1.0
    else:
        run = decoded(line)
        if run is None:
            yield "(unreadable)", 1.0
        elif by == "tool":
            yield run.tool.name, 1.0
        else:
            packed = codec.measurement_sizes(run)
            whole = sum(packed) or 1
            for one, size in zip(run.measurements, packed, strict=True):
                yield one.benchmark.name, size / whole

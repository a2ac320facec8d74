"""Histories that other tools keep, as runs.

One file a source; each yields a `Point` for every run that it understands, in the
source's order, and a `Skipped` for what it cannot take, with the reason.  A source
that is broken as a whole raises FormatError.  Knows neither git nor the file system:
whoever imports hands over bytes, notes and folders, and says which commits there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from gitbench import recording, testbed
from gitbench.errors import GitbenchError
from gitbench.model import Reading, Run, Testbed

KINDS = {
    "github-action-benchmark": "data.js, a file or in a branch (origin/gh-pages:PATH)",
    "asv": "a folder results/ of airspeed velocity",
    "git-perf": "refs/notes/perf-v3, or the older refs/notes/perf",
    "git-metrics": "refs/notes/metrics",
    "pytest-benchmark": "a folder .benchmarks",
    "bencher": "reports or a perf query of Bencher's API, as JSON",
    "files": "a folder of result files, with the commit in their names or in them",
}
"""Names for `--from`, and what each takes."""

REASONS = {
    "no-commit": "name no commit",
    "several-commits": "have several commit ids in their name",
    "unknown-commit": "name a commit by a short id that this clone lacks, or has "
    "several of",
    "no-result": "hold no result",
    "unrecognised": "are of no tool that is known",
    "broken": "are broken",
    "bad-value": "have a value that is no number",
    "collapsed": "are collapsed to counts; export them with expand=true",
    "too-large": "are larger than one run can be",
}
"""Why something of a history was left out: code -> what is the matter with it."""

UNKNOWN_TREE = "0" * 40
"""The tree of a commit that this clone lacks, where the source does not tell it."""


class HistoryError(GitbenchError):
    """A history cannot be imported as asked."""


@dataclass(frozen=True, slots=True)
class Point:
    """One run of a history."""

    reading: Reading
    """`commit` is as the source has it: a whole id or the beginning of one."""
    data: bytes
    """What the origin is made of: the same in every import of the same run."""
    place: str
    """Where in the source, for messages."""
    committed_ms: int | None = None
    """When the commit was made, where the source tells it."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that is no run here: a point, a file, or a value of one."""

    reason: str
    """A code from REASONS."""
    place: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of a commit."""

    commit: str
    tree: str
    time_ms: int | None
    """When it was committed; None if this clone lacks it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the importer says of all runs; None leaves it to the source."""

    kind: str
    suite: str | None = None
    testbed: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    default_suite: str = "default"
    now_ms: int = 0


Find = Callable[[str], Place | None]
"""Looks up a commit by its id, or the beginning of one, in this clone."""


def runs(
    points: Iterable[Point | Skipped], find: Find, wanted: Wanted
) -> Iterator[Run | Skipped]:
    """The run of each point, on its commit.

    A commit that this clone lacks is kept by its whole id.  Then the run's tree is
    what the source tells, else UNKNOWN_TREE, which is no commit's.
    """
    for point in points:
        if isinstance(point, Skipped):
            yield point
            continue
        try:
            place = _place(point.reading, find)
            if place is None:
                code = "unknown-commit" if point.reading.commit else "no-commit"
                yield Skipped(code, point.place, point.reading.commit or "")
                continue
            yield _run(point, place, wanted)
        except GitbenchError as exc:
            yield Skipped("broken", point.place, str(exc))


def _place(reading: Reading, find: Find) -> Place | None:
    id_ = reading.commit
    if not id_ or not is_hex(id_):
        return None
    found = find(id_)
    if found is not None or len(id_) not in (40, 64):
        return found
    told = reading.tree
    whole = told is not None and len(told) == len(id_) and is_hex(told)
    return Place(id_, told if told and whole else "0" * len(id_), None)


def _run(point: Point, place: Place, wanted: Wanted) -> Run:
    reading = replace(point.reading, commit=place.commit)
    where = recording.Circumstances(
        commit=place.commit,
        tree=place.tree,
        dirty=bool(reading.dirty),
        # What came without a time was measured no earlier than the commit was made;
        # and that is the same in every import.
        now_ms=next(
            (
                known
                for known in (place.time_ms, point.committed_ms)
                if known is not None
            ),
            wanted.now_ms,
        ),
        suite=wanted.suite or reading.suite or wanted.default_suite,
        tags=(("imported-from", wanted.kind), *wanted.tags),
    )
    return recording.make_run(reading, point.data, _machine(reading, wanted), where)


def _machine(reading: Reading, wanted: Wanted) -> Testbed:
    """What the source says of the machine; this one has no part in it."""
    if wanted.testbed is None and reading.testbed_name and reading.fingerprint:
        return Testbed(reading.testbed_name, reading.fingerprint, reading.facts)
    facts = testbed.combine(reading.facts, ())
    name = wanted.testbed or reading.testbed_name
    if name is None and not {"cpu", "cores"} & dict(facts).keys():
        name = wanted.kind
    return testbed.testbed(facts, name)


def is_hex(text: str) -> bool:
    """Whether a text may be an id or the beginning of one: lower-case hex digits."""
    return bool(text) and not text.strip("0123456789abcdef")

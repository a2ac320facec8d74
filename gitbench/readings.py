"""What can be done to readings before they become runs: choose, rename, merge.

What is changed is told as well, since it is part of a result's origin: the same file
recorded in two ways is two results, and in one way twice is one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from gitbench.errors import GitbenchError
from gitbench.model import Benchmark, Measurement, Reading


class ReadingError(GitbenchError):
    """Readings cannot be changed as asked."""


# ------------------------------------------------------------------------- choose


def choose(reading: Reading, globs: Sequence[str]) -> tuple[Reading | None, int]:
    """The reading with those benchmarks alone whose name or label fits a glob, and
    the number of measurements left out; None for a reading of which nothing stays.
    """
    kept = tuple([one for one in reading.measurements if _fits(one.benchmark, globs)])
    left_out = len(reading.measurements) - len(kept)
    if not left_out:
        return reading, 0
    return (replace(reading, measurements=kept) if kept else None), left_out


def _fits(benchmark: Benchmark, globs: Sequence[str]) -> bool:
    names = {benchmark.name, benchmark.label}
    return any(fnmatchcase(name, glob) for name in names for glob in globs)


# ------------------------------------------------------------------------- rename


@dataclass(frozen=True, slots=True)
class Rename:
    """A new name for one benchmark, or for all that fit a glob with one `*`."""

    present: str
    wanted: str

    @classmethod
    def parse(cls, text: str) -> Rename:
        """`OLD=NEW`, both with one `*` or both without; raises ReadingError.

        The first `=` divides them, or the first after which both have as many `*`.
        """
        places = [i for i, sign in enumerate(text[:4096]) if sign == "="]
        for place in places:
            one = cls(text[:place], text[place + 1 :])
            stars = one.present.count("*"), one.wanted.count("*")
            if one.present and one.wanted and stars in ((0, 0), (1, 1)):
                return one
        raise ReadingError(
            f"--rename {text[:80]!r} is not of the form OLD=NEW, both names or both "
            "with one *."
        )

    def apply(self, name: str) -> str | None:
        """The new name; None if this one does not fit."""
        if "*" not in self.present:
            return self.wanted if name == self.present else None
        head, _, tail = self.present.partition("*")
        fits = (
            len(name) >= len(head) + len(tail)
            and name.startswith(head)
            and name.endswith(tail)
        )
        if not fits:
            return None
        inner = name[len(head) : len(name) - len(tail)]
        return self.wanted.replace("*", inner)


def rename(
    readings: Iterable[Reading], renames: Sequence[Rename]
) -> tuple[Reading, ...]:
    """The readings under new names; of several that fit the first counts.

    Raises ReadingError for one that fits nothing, and for two benchmarks that would
    have one name.
    """
    used: set[Rename] = set()
    names: set[str] = set()
    changed = []
    for reading in readings:
        names.update(one.benchmark.name for one in reading.measurements)
        changed.append(_renamed(reading, renames, used))
    for one in renames:
        if one not in used:
            raise ReadingError(_unused(one, names))
    return tuple(changed)


def _renamed(reading: Reading, renames: Sequence[Rename], used: set[Rename]) -> Reading:
    made: dict[Benchmark, Benchmark] = {}
    came: dict[Benchmark, Benchmark] = {}
    for present in {one.benchmark for one in reading.measurements}:
        wanted = present
        for one in renames:
            name = one.apply(present.name)
            if name is not None:
                used.add(one)
                wanted = replace(present, name=name)
                break
        if wanted in came:
            pair = sorted((came[wanted].label[:80], present.label[:80]))
            raise ReadingError(
                f"--rename gives {pair[0]!r} and {pair[1]!r} one name, "
                f"{wanted.label[:80]!r}; nothing was recorded."
            )
        came[wanted] = present
        made[present] = wanted
    return replace(
        reading,
        measurements=tuple(
            [
                replace(one, benchmark=made[one.benchmark])
                for one in reading.measurements
            ]
        ),
    )


def _unused(one: Rename, names: set[str]) -> str:
    from difflib import get_close_matches

    bounded = sorted(name[:200] for name in names)[:5000]
    near = get_close_matches(one.present.replace("*", "")[:200], bounded, 1, 0.3)
    few = ", ".join(repr(name[:80]) for name in bounded[:3])
    hint = f"; did you mean {near[0][:80]!r}?" if near else f"; there are {few}."
    return f"--rename {one.present[:80]!r}={one.wanted[:80]!r} fits no benchmark{hint}"


# -------------------------------------------------------------------------- merge


def merge(
    readings: Sequence[tuple[str, Reading]], *, one_testbed: bool = False
) -> Reading:
    """One run of readings that each hold a part of it; names are for messages.

    Tool, suite, commit and testbed must agree, processor and number of cores too
    unless somebody says that it is `one_testbed`.  Of equal benchmarks and metrics the
    processes are put together, since each file is of a process of its own; what has
    no values to put together, or the very same ones, is refused.  It started when the
    first of them did.  Raises ReadingError.
    """
    first = readings[0][1]
    for name, one in readings[1:]:
        _agree(readings[0][0], first, name, one, one_testbed)
    found: dict[tuple[Benchmark, str], tuple[str, Measurement]] = {}
    for name, reading in readings:
        for part in reading.measurements:
            key = (part.benchmark, part.metric.name)
            known = found.get(key)
            found[key] = (name, part if known is None else _united(known, name, part))
    times = [one.started_at for _, one in readings if one.started_at is not None]
    earliest = min(
        (one for _, one in readings if one.started_at is not None),
        key=lambda one: one.started_at or 0,
        default=first,
    )
    known_dirty = [one.dirty for _, one in readings if one.dirty is not None]
    return replace(
        first,
        measurements=tuple([one for _, one in found.values()]),
        commit=next((one.commit for _, one in readings if one.commit), None),
        suite=next((one.suite for _, one in readings if one.suite), None),
        facts=next((one.facts for _, one in readings if one.facts), ()),
        started_at=min(times, default=None),
        naive_time=earliest.naive_time,
        time_source=earliest.time_source,
        dirty=any(known_dirty) if known_dirty else None,
        warnings=tuple(dict.fromkeys(w for _, one in readings for w in one.warnings)),
        tags=tuple(sorted({k: v for _, one in readings for k, v in one.tags}.items())),
        origin=None,
    )


def _agree(
    name: str, first: Reading, other: str, reading: Reading, one_testbed: bool
) -> None:
    facts, others = dict(first.facts), dict(reading.facts)
    told = [
        ("tool", first.tool.name, reading.tool.name),
        ("suite", first.suite, reading.suite),
        ("commit", first.commit, reading.commit),
    ]
    machine = ("testbed", "processor", "number of cores")
    if not one_testbed:
        told += [
            ("testbed", first.testbed_name, reading.testbed_name),
            ("fingerprint of the testbed", first.fingerprint, reading.fingerprint),
            ("processor", facts.get("cpu"), others.get("cpu")),
            ("number of cores", facts.get("cores"), others.get("cores")),
        ]
    for what, ours, theirs in told:
        if ours is not None and theirs is not None and ours != theirs:
            raise ReadingError(
                f"--merge-runs: {name} and {other} are not of one run, as their {what} "
                f"differs: {ours[:80]!r} and {theirs[:80]!r}."
                + (
                    " If they are one to you: --testbed NAME."
                    if what in machine
                    else ""
                )
            )


def _united(known: tuple[str, Measurement], name: str, one: Measurement) -> Measurement:
    place, other = known
    where = f"{one.benchmark.label[:80]!r}, metric {one.metric.name[:80]!r}"
    if other.metric != one.metric or other.version != one.version:
        raise ReadingError(
            f"--merge-runs: {where} differs in unit, direction or version between "
            f"{place} and {name}."
        )
    both = other.processes and one.processes and not (other.summary or one.summary)
    if not both or set(other.processes) & set(one.processes):
        raise ReadingError(
            f"--merge-runs: {where} is in {place} and in {name}, and these are not "
            "different processes of it; nothing was recorded."
        )
    return replace(other, processes=other.processes + one.processes)


# ------------------------------------------------------------------------- origin


def salted(data: bytes, changes: Iterable[str]) -> bytes:
    """What the origin of changed readings is made of: the source's bytes, and what the
    options changed; the bytes alone if they changed nothing."""
    told = list(changes)
    if not told:
        return data
    digest = hashlib.sha256(data).digest()
    return digest + b"".join(
        b"\0%d:%b" % (len(one), one)
        for one in (text.encode("utf-8", "surrogateescape") for text in told)
    )


def merged_data(parts: Sequence[bytes]) -> bytes:
    """What the origin of a merged run is made of, whatever the order of its files."""
    return b"merged\0" + b"".join(sorted(hashlib.sha256(one).digest() for one in parts))

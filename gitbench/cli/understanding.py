"""From sources to readings as the options of `record` ask for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import click

from gitbench import readings as changing
from gitbench.cli.sources import Source, SourceError, read_sources
from gitbench.model import MAX_TIME, MIN_TIME, Reading


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options ask for."""

    tool: str | None = None
    columns: Mapping[str, str] | None = None
    filters: tuple[str, ...] = ()
    renames: tuple[changing.Rename, ...] = ()
    merge: bool = False
    started_at: tuple[int, bool] | None = None
    """Milliseconds since the epoch, and whether no zone was given."""
    testbed: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One reading that is to become a run."""

    name: str
    """Of the source, for messages."""
    reading: Reading
    data: bytes
    """What its origin is made of."""
    source: bytes
    """What the session of all that is recorded together is made of."""
    read_as: str


@dataclass(frozen=True, slots=True)
class Understood:
    """What the sources hold, after all options."""

    parts: tuple[Part, ...]
    warnings: tuple[str, ...]


def understand(names: Sequence[str], asked: Asked) -> Understood:
    """Read all sources, choose, rename and merge what they hold.

    Raises SourceError, FormatError and ReadingError; then nothing is to be recorded.
    """
    columns = asked.columns or {}
    sources = [
        source for name in names for source in read_sources(name, asked.tool, columns)
    ]
    warnings = list(_warnings(sources))
    parts = [part for source in sources for part in _parts(source, asked)]
    left_out = 0
    if asked.filters:
        parts, left_out = _chosen(parts, asked.filters)
        if left_out:
            warnings.append(
                f"--filter left out {left_out:,} of "
                f"{left_out + _count(parts):,} measurements."
            )
    if asked.renames:
        parts = _renamed(parts, asked.renames)
    if asked.merge:
        parts = [_merged(parts, asked.testbed is not None)]
    if asked.started_at is not None:
        parts = [_started(part, *asked.started_at) for part in parts]
    return Understood(tuple(parts), tuple(warnings))


def _warnings(sources: Sequence[Source]) -> Iterator[str]:
    for source in sources:
        yield from source.warnings
        for reading in source.readings:
            for warning in reading.warnings:
                yield f"{source.name}: {warning}"


def _count(parts: Sequence[Part]) -> int:
    return sum(len(part.reading.measurements) for part in parts)


def _parts(source: Source, asked: Asked) -> Iterator[Part]:
    """The readings of a source, each with an origin of its own: two runs of one file
    that only their place in it tells apart are two pieces of evidence."""
    seen: dict[object, int] = {}
    columns = sorted((asked.columns or {}).items()) if source.tool == "csv" else []
    changes = [f"column {key}={value}" for key, value in columns]
    for reading in source.readings:
        key = (
            reading.suite,
            reading.commit,
            reading.testbed_name,
            reading.fingerprint,
            reading.facts,
        )
        number = seen.get(key, 0)
        seen[key] = number + 1
        if reading.evidence is not None:
            # A file of a folder is itself, whatever else the folder holds.
            data = changing.salted(reading.evidence, changes)
        else:
            told = [*changes, f"part {number}"] if number else changes
            data = changing.salted(source.data, told)
        reading = replace(reading, evidence=None)
        yield Part(source.name, reading, data, source.data, source.tool)


def _chosen(parts: Sequence[Part], globs: Sequence[str]) -> tuple[list[Part], int]:
    """Those parts, and of them those measurements, that fit, and how many do not."""
    kept: list[Part] = []
    left_out = 0
    for part in parts:
        reading, gone = changing.choose(part.reading, globs)
        left_out += gone
        if reading is None:
            continue
        if gone:
            labels = sorted({one.benchmark.label for one in reading.measurements})
            data = changing.salted(part.data, [f"only {label}" for label in labels])
            part = replace(part, reading=replace(reading, origin=None), data=data)
        kept.append(part)
    if not kept:
        raise SourceError(
            f"--filter {', '.join(map(repr, globs))[:200]} fits none of "
            f"{left_out:,} measurements; nothing was recorded."
        )
    return kept, left_out


def _renamed(parts: Sequence[Part], renames: Sequence[changing.Rename]) -> list[Part]:
    changed = changing.rename([part.reading for part in parts], renames)
    found = []
    for part, reading in zip(parts, changed, strict=True):
        pairs = sorted(
            {
                (one.benchmark.label, other.benchmark.label)
                for one, other in zip(
                    part.reading.measurements, reading.measurements, strict=True
                )
                if one.benchmark != other.benchmark
            }
        )
        if pairs:
            told = [f"{one}\0{other}" for one, other in pairs]
            data = changing.salted(part.data, told)
            part = replace(part, reading=replace(reading, origin=None), data=data)
        found.append(part)
    return found


def _merged(parts: Sequence[Part], one_testbed: bool) -> Part:
    if len(parts) == 1:
        return parts[0]
    reading = changing.merge(
        [(part.name, part.reading) for part in parts], one_testbed=one_testbed
    )
    name = f"{parts[0].name} and {len(parts) - 1:,} more"
    data = changing.merged_data([part.data for part in parts])
    return Part(name, reading, data, data, parts[0].read_as)


def _started(part: Part, started_at: int, naive: bool) -> Part:
    reading = replace(
        part.reading, started_at=started_at, naive_time=naive, time_source=None
    )
    return replace(part, reading=reading)


# ------------------------------------------------------------------ option values


def columns(pairs: Sequence[str]) -> dict[str, str]:
    """`--column MEANING=NAME`, given any number of times."""
    found: dict[str, str] = {}
    for text in pairs:
        meaning, equals, name = text.partition("=")
        if not equals or not meaning or not name or meaning in found:
            raise click.UsageError(
                f"--column {text!r} is not of the form MEANING=NAME, or stands there "
                "twice."
            )
        found[meaning] = name
    return found


def start_time(text: str) -> tuple[int, bool]:
    """`--started-at`: an ISO 8601 time, or seconds or milliseconds since the epoch, as
    milliseconds, and whether it came without a zone."""
    from gitbench.formats.document import FormatError, timestamp

    plain = text.strip()
    try:
        if (
            plain.replace(".", "", 1).isdecimal()
            and plain.isascii()
            and "-" not in plain
        ):
            number = float(plain)
            # 100,000,000,000 are the year 5138 in seconds, and 1973 in milliseconds.
            found = round(number if number >= 1e11 else number * 1000), False
        else:
            found = timestamp(plain, "--started-at")
    except (FormatError, OverflowError) as exc:
        raise click.UsageError(
            f"--started-at {text[:80]!r} is no time such as 2026-01-02T03:04:05Z, and "
            "no number of seconds since the epoch."
        ) from exc
    if not MIN_TIME <= found[0] <= MAX_TIME:
        raise click.UsageError(
            f"--started-at {text[:80]!r} is not in the years 1-9999."
        )
    return found

"""Sequences of runs of the same code, read from any file or folder of one format.

A file holds `{source: [sequence, ...]}`; a sequence is a list of runs in the order of
time, a run is `{benchmark: [[values of one process], ...]}`.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

Sample = list[list[float]]
"""Values of one benchmark in one run, a list a process."""
RunValues = dict[str, Sample]
"""One run, by benchmark."""
RunSequence = list[RunValues]
"""Runs of the same code in the order of time."""

SIBLING = Path(__file__).parents[3] / "shared" / "data" / "aa" / "sequences.json.gz"
"""Results of real tools that stand beside the project, not in it."""

CLASSES: Mapping[str, tuple[str, ...]] = {
    "go": ("quiet",),
    "rustls": ("quiet", "one-value"),
    "asv-django": ("ci-runners",),
    "jmh": ("jvm-forks",),
    "enso-engine": ("one-value",),
    "enso-standard": ("one-value",),
}
"""Classes that a source is pooled in; a source that is not here is a class itself."""

HIGHER = frozenset({"rustls"})
"""Sources whose values are rates: higher is better."""


class CalibrationError(Exception):
    """What was asked for cannot be calibrated; the message is for the user."""


@dataclass(frozen=True)
class Source:
    """All sequences of one origin."""

    name: str
    higher: bool
    """Higher values are better."""
    classes: tuple[str, ...]
    sequences: tuple[RunSequence, ...]


def read(
    path: Path,
    classes: Mapping[str, tuple[str, ...]] | None = None,
    higher: Collection[str] = (),
) -> list[Source]:
    """The sources of a file, or of all .json and .json.gz files of a folder.

    `classes` and `higher` come before the tables of this module.  A source that stands
    in several files has the sequences of all.  Raises CalibrationError.
    """
    found: dict[str, list[RunSequence]] = {}
    for file in _files(path):
        for name, sequences in _contents(file).items():
            found.setdefault(name, []).extend(sequences)
    table = {**CLASSES, **(classes or {})}
    for name in (*(classes or {}), *higher):
        if name not in found:
            raise CalibrationError(
                f"{path} has no source {name!r}; it has {', '.join(sorted(found))}."
            )
    return [
        Source(
            name,
            name in higher or name in HIGHER,
            table.get(name, (name,)),
            tuple(sequences),
        )
        for name, sequences in sorted(found.items())
    ]


def choose(
    sources: Sequence[Source], names: Collection[str], classes: Collection[str]
) -> list[Source]:
    """The sources with one of some names, or in one of some classes; all without."""
    known = {c for source in sources for c in source.classes}
    for asked, there, word in (
        (names, {source.name for source in sources}, "source"),
        (classes, known, "class"),
    ):
        if unknown := sorted(set(asked) - there):
            raise CalibrationError(
                f"There is no {word} {unknown[0]!r}; there are "
                f"{', '.join(sorted(there))}."
            )
    if not names and not classes:
        return list(sources)
    return [
        # A class that was not asked for would be pooled from some of its sources only.
        replace(
            one,
            classes=tuple(filter(set(classes).__contains__, one.classes))
            or one.classes,
        )
        for one in sources
        if one.name in names or not set(classes).isdisjoint(one.classes)
    ]


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(
            one for one in path.iterdir() if one.name.endswith((".json", ".json.gz"))
        )
        if not files:
            raise CalibrationError(
                f"The folder {path} holds no .json or .json.gz file of sequences."
            )
        return files
    if not path.exists():
        raise CalibrationError(f"There is no file or folder {path}.")
    return [path]


def _contents(file: Path) -> dict[str, list[RunSequence]]:
    """The sequences of a file by source.  Raises CalibrationError."""
    try:
        data = file.read_bytes()
        if file.name.endswith(".gz"):
            data = gzip.decompress(data)
        found = json.loads(data)
    except (OSError, EOFError, zlib.error) as exc:
        raise CalibrationError(f"{file} cannot be read: {exc}.") from None
    except (ValueError, RecursionError) as exc:
        raise CalibrationError(f"{file} is not JSON: {exc}.") from None
    if not isinstance(found, dict) or not found:
        raise CalibrationError(f"{file} is not an object of sources.")
    for where, problem in _problems(found):
        raise CalibrationError(f"{file}: {where} {problem}.")
    return found


def _problems(found: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Where the data are not as they should be, and how."""
    for source, sequences in found.items():
        if not isinstance(sequences, list):
            yield repr(source), "is not a list of sequences"
            continue
        for number, sequence in enumerate(sequences, 1):
            where = f"{source!r}, sequence {number}"
            if not isinstance(sequence, list):
                yield where, "is not a list of runs"
                continue
            for place, run in enumerate(sequence, 1):
                if not isinstance(run, dict) or not run:
                    yield f"{where}, run {place},", "is not an object of benchmarks"
                    continue
                for name, sample in run.items():
                    if problem := _sample_problem(sample):
                        yield f"{where}, run {place}, {name!r}", problem


def _sample_problem(sample: object) -> str | None:
    if not isinstance(sample, list) or not sample:
        return "is not a list of processes"
    for process in sample:
        if not isinstance(process, list) or not process:
            return "has a process that is not a list of values"
        for value in process:
            if isinstance(value, bool) or not isinstance(value, int | float):
                return f"has the value {value!r}, which is no number"
            try:
                finite = math.isfinite(value)
            except OverflowError:
                finite = False
            if not finite or value <= 0:
                return "has a value that is not a positive finite number"
    return None

"""Folders of result files: asv's results, `.benchmarks`, files named after commits.

A file belongs to the commit that it names itself, else to the one in its name; a
pattern says where it stands there, and then it alone counts.  Files that no tool
recognises are left out; so are broken ones, each with the reason, as one of thousands
that was cut off years ago is no reason to give up the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType

from gitbench import formats
from gitbench.formats import FormatError, UnrecognisedError
from gitbench.formats.folder import Folder, neighbours
from gitbench.importing import HistoryError, Point, Skipped, is_hex
from gitbench.model import Reading

FIELDS = {
    "commit": r"[0-9a-fA-F]{4,64}",
    "date": r"\d{4}-?\d\d-?\d\d(?:[-_T ]?\d\d[-:_]?\d\d(?:[-:_]?\d\d)?)?Z?",
    "time": r"\d{9,13}",
    "*": r".*?",
}
"""What may stand in braces in `--pattern`, and what it fits: `time` are seconds or
milliseconds since the epoch."""

_TOKEN = re.compile(r"(?<![0-9a-zA-Z])[0-9a-fA-F]{7,64}(?![0-9a-zA-Z])")
_DAY = re.compile(
    r"(?<!\d)((?:19|20)\d\d)-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])"
    r"(?:[-_T ]+([01]\d|2[0-3])[-:_]?([0-5]\d)(?:[-:_]?([0-5]\d))?(?![0-9A-Ya-z]))?"
    r"(?!\d)"
)


@dataclass(frozen=True, slots=True)
class Named:
    """What the name of a file tells."""

    commit: str | None = None
    started_at: int | None = None
    """Milliseconds since the epoch, its day or minute taken as UTC."""
    several: bool = False
    """It holds several ids that are not the beginning of one another."""


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern of a path's end, `{date}_{commit}.json`.

    Raises HistoryError for braces that hold none of FIELDS, and if `{commit}` is
    missing or stands there twice.
    """
    parts = re.split(r"\{([^{}]*)\}", pattern)
    names = parts[1::2]
    unknown = [name for name in names if name not in FIELDS]
    wrong = "commit" not in names or len({*names} - {"*"}) != len(
        [name for name in names if name != "*"]
    )
    if unknown or wrong or len(pattern) > 200 or names.count("*") > 3:
        raise HistoryError(
            f"--pattern {pattern[:80]!r} does not say where the commit is; write "
            "{commit} once, and if you like {date}, {time} and {*} for anything: "
            "'{date}_{commit}.json'."
        )
    text = "".join(
        (f"({FIELDS[part]})" if part == "*" else f"(?P<{part}>{FIELDS[part]})")
        if i % 2
        else re.escape(part)
        for i, part in enumerate(parts)
    )
    return re.compile(rf"(?:^|/){text}$")


def named(path: str, pattern: re.Pattern[str] | None = None) -> Named:
    """What a path tells: by the pattern, else the hex numbers and the date in the
    file's name.  Numbers of decimal digits alone are taken for dates and counts."""
    if pattern is not None:
        found = pattern.search(path[-1024:])
        if found is None:
            return Named()
        groups = found.groupdict()
        return Named(
            groups["commit"].lower(), _moment(groups.get("date"), groups.get("time"))
        )
    name = path.rpartition("/")[2][:512]
    ids = {
        token.lower()
        for token in _TOKEN.findall(name)
        if not token.isdecimal() or len(token) in (40, 64)
    }
    longest = max(ids, key=len, default=None)
    several = any(not (longest or "").startswith(one) for one in ids)
    return Named(None if several else longest, _moment(name, None), several)


def _moment(date: str | None, time: str | None) -> int | None:
    """Milliseconds since the epoch of a day in a text, or of a count of seconds."""
    if time is not None:
        return int(time) * (1000 if len(time) < 12 else 1)
    found = _DAY.search(date or "")
    if found is None:
        return None
    try:
        year, month, day, hour, minute, second = [
            int(part or 0) for part in found.groups()
        ]
        when = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return round(when.timestamp() * 1000)


def read(
    folder: Folder,
    tool: str | None = None,
    pattern: str | None = None,
    columns: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Point | Skipped]:
    """The runs of a folder's files, by their paths.  Raises HistoryError for a bad
    pattern, before the first."""
    compiled = None if pattern is None else compile_pattern(pattern)
    return _files(folder, folder.paths, tool, compiled, columns)


def _files(
    folder: Folder,
    paths: Sequence[str],
    tool: str | None,
    pattern: re.Pattern[str] | None,
    columns: Mapping[str, str],
) -> Iterator[Point | Skipped]:
    known = frozenset(folder.paths)
    for path in paths:
        told = named(path, pattern)
        if pattern is not None and told.commit is None:
            yield Skipped("no-commit", path)
            continue
        try:
            data = folder.load(path)
            readings = formats.read(
                data,
                tool=tool,
                name=path,
                beside=neighbours(folder, known, path),
                columns=columns,
            )
        except UnrecognisedError:
            yield Skipped("unrecognised", path)
            continue
        except FormatError as exc:
            yield Skipped("broken", path, str(exc))
            continue
        for number, reading in enumerate(readings):
            yield _point(reading, told, pattern is not None, data, number, path)


def _point(
    reading: Reading, told: Named, by_pattern: bool, data: bytes, number: int, path: str
) -> Point | Skipped:
    """The run of a file: what stands in it counts, then what its name tells."""
    own = reading.commit
    commit = told.commit if by_pattern or not own else own
    if own and told.commit and own[: len(told.commit)] == told.commit[: len(own)]:
        commit = max(own, told.commit, key=len)
    if not commit or not is_hex(commit.lower()):
        code = "several-commits" if told.several else "no-commit"
        return Skipped(code, path)
    reading = replace(reading, commit=commit.lower())
    if reading.started_at is None and told.started_at is not None:
        reading = replace(
            reading, started_at=told.started_at, naive_time=True, time_source=None
        )
    return Point(reading, data if number == 0 else b"%d:" % number + data, path)


# --------------------------------------------------------------------------- asv


def read_asv(folder: Folder) -> Iterator[Point | Skipped]:
    """The runs of a tree that asv wrote, file by file, each with what stands beside
    it (`../benchmarks.json`, `machine.json`).

    As asv itself, it looks beside each machine.json; where there is none, everywhere.
    """
    machines = {
        path.rpartition("/")[0]
        for path in folder.paths
        if path.rpartition("/")[2] == "machine.json"
    }
    paths = tuple(
        path
        for path in folder.paths
        if path.endswith(".json")
        and path.rpartition("/")[2] not in _ASV_OWN
        and (not machines or path.rpartition("/")[0] in machines)
    )
    for point in _files(folder, paths, "asv", None, {}):
        if isinstance(point, Point) and point.reading.started_at is None:
            # Old versions tell only when the commit was made.
            found = _ASV_DATE.search(point.data)
            yield replace(point, committed_ms=int(found[1]) if found else None)
        else:
            yield point


_ASV_DATE = re.compile(rb'"date":\s*(\d{12,13})\b')
_ASV_OWN = ("benchmarks.json", "machine.json")

"""The bytes of a result file, for every reader: `python -m tests.fuzz formats`.

What the fuzzer's bytes mean is decided by the first of them: they are a file as it is,
or a real file of the tool with some lines, some JSON values, or one of several files
changed.  Bytes alone seldom get past a check sum or a JSON parser.
"""

from __future__ import annotations

import copy
import io
import json
import math
import re
import sqlite3
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from gitbench import formats, model
from gitbench.errors import GitbenchError
from gitbench.formats import document
from gitbench.formats.folder import Folder
from gitbench.model import Reading, Run
from gitbench.store import codec
from tests.fuzz.content import Choices

DATA = Path(__file__).parent.parent / "data"
LARGEST = 65_536
"""Most bytes of one input."""
LONGEST_S = 2.0
"""Most processor time that reading one input may take."""
RAW, LINES, VALUES, PARTS = range(4)
"""What the first byte says: the whole file, its lines, its JSON, one of its parts."""

WORDS: tuple[Any, ...] = (
    b"NaN",
    b"-1",
    b"1e999",
    b"0",
    b"9" * 400,
    b",",
    b"(",
    b"[",
    b"\x1b[31m",
    b"\xff\xfe",
    b" " * 200,
    b"\t",
    "\u2028".encode(),
    b"%",
    b"=",
    b"\x00",
)
ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    10**400,
    1e308,
    5e-324,
    math.nan,
    math.inf,
    "",
    "x" * 2000,
    "\ud800",
    "\x00",
    "2026-01-01T00:00:00Z",
    [],
    {},
    [[]],
    [1.5, 2.5],
    {"": None},
)


def attempt(data: bytes, tool: str | None) -> tuple[Reading, ...]:
    """Read; whatever comes out must make a valid Run or be a stated error."""
    readings: tuple[Reading, ...] = ()
    try:
        readings = formats.read(data, tool=tool, name="fuzz")
    except GitbenchError as error:
        check_message(error)
    else:
        assert readings
    for reading in readings:
        as_run(reading)
    return readings


def check_message(error: GitbenchError) -> None:
    """A message is of one line and bounded, whatever the input held."""
    assert str(error).isprintable()
    assert len(str(error)) < 4000


def as_run(reading: Reading) -> Run:
    """A reading always fits the model, as it is recorded without another look."""
    for key, value in (*reading.facts, *reading.tags):
        assert (key + value).encode()
    return Run(
        suite=reading.suite or "s",
        started_at=reading.started_at or 0,
        time_source="tool",
        tool=reading.tool,
        testbed=model.Testbed("t", "0" * 12, reading.facts),
        commit="1" * 40,
        tree="2" * 40,
        dirty=False,
        origin="3" * 64,
        measurements=reading.measurements,
    )


# ------------------------------------------------------------------ the real files


@cache
def files(tool: str) -> dict[str, bytes]:
    """Real files of a tool by their paths: gunzipped, in the order of their names."""
    folder = DATA / tool
    if folder.is_dir():
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    else:
        stems = {"gitbench": "run"}
        paths = sorted(DATA.glob(f"{stems.get(tool, tool)}*"))
        paths = [path for path in paths if path.is_file()]
    return {
        path.relative_to(DATA).as_posix(): document.inflate(path.read_bytes())
        for path in paths
    }


@cache
def _folders(tool: str) -> tuple[dict[str, bytes], ...]:
    """The folders that a tool wrote, each as its files by their paths in it."""
    if tool not in formats.FOLDER_TOOLS:
        return ()
    roots = [path for path in sorted((DATA / tool).iterdir()) if path.is_dir()]
    return tuple(
        {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }
        for root in roots
    )


@cache
def _members(data: bytes) -> dict[str, bytes] | None:
    """What is in a zip; None if it is none, or packed in a way unknown here."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, NotImplementedError):
        return None


@cache
def _values(text: bytes) -> str | None:
    """JSON values as one JSON array; None if they are none."""
    try:
        return json.dumps(document.parse_json(text.decode()))
    except (GitbenchError, UnicodeDecodeError):
        return None


# ----------------------------------------------------------------------- the checks


def harness(tool: str) -> Callable[[bytes], None]:
    """The check of one reader."""
    formats._reader(tool)  # imported here, where atheris watches

    def check(data: bytes) -> None:
        if len(data) > LARGEST:
            return
        choices = Choices(data)
        mode = choices.number(4)
        if mode == PARTS and _folders(tool):
            _timed(lambda: _read_folder(tool, choices))
            return
        content = _content(tool, mode, choices)
        _timed(lambda: _read_file(tool, content))

    return check


def _content(tool: str, mode: int, choices: Choices) -> bytes:
    if mode == RAW:
        return choices.rest()
    content = choices.one(tuple(files(tool).values()))
    if content.startswith(b"SQLite"):
        return _database(choices)
    members = _members(content) if content.startswith(b"PK") else None
    if members:
        name = choices.one(tuple(members))
        return _zip({**members, name: _damaged(members[name], mode, choices)})
    return _damaged(content, mode, choices)


def _damaged(content: bytes, mode: int, choices: Choices) -> bytes:
    """A file with a few things in it replaced, removed or added."""
    values = _values(content) if mode != LINES else None
    if values is None:
        return _other_lines(content, choices)
    parsed = json.loads(values)
    for _ in range(1 + choices.number(3)):
        _edit(parsed, choices)
    return "\n".join(json.dumps(one) for one in parsed).encode()


def _edit(content: Any, choices: Choices) -> None:
    """Replace, remove or add one member, at some depth."""
    for _ in range(12):
        keys = list(content) if isinstance(content, dict) else list(range(len(content)))
        if not keys:
            return
        key = choices.one(keys[:256])
        inner = content[key]
        if isinstance(inner, dict | list) and inner and choices.number(4):
            content = inner
            continue
        odd = copy.deepcopy(choices.one(ODD))
        match choices.number(5):
            case 0:
                del content[key]
            case 1 if isinstance(content, dict):
                content[choices.some(8).decode("utf-8", "replace")] = inner
            case 2:
                content[key] = choices.some(40).decode("utf-8", "replace")
            case 3 if isinstance(content, list):
                content.append(inner)
            case _:
                content[key] = odd
        return


def _other_lines(content: bytes, choices: Choices) -> bytes:
    lines = content.split(b"\n")
    for _ in range(1 + choices.number(4)):
        place = (choices.number(256) << 8 | choices.number(256)) % len(lines)
        line = lines[place]
        match choices.number(6):
            case 0:
                del lines[place:]
            case 1:
                lines[place] = b""
            case 2:
                lines.insert(place, line)
            case 3:
                spots = [one.span() for one in re.finditer(rb"\w+", line)]
                start, end = choices.one(spots[:256]) if spots else (0, 0)
                word = choices.some(20) or choices.one(WORDS)
                lines[place] = line[:start] + word + line[end:]
            case 4:
                start = choices.number(256) % (len(line) + 1)
                lines[place] = line[:start] + choices.one(WORDS) + line[start:]
            case _:
                lines[place] = choices.some(60)
        lines = lines or [b""]
    return b"\n".join(lines)


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _database(choices: Choices) -> bytes:
    """A database of sound structure and odd rows, of which some bytes may change."""
    with closing(sqlite3.connect(":memory:")) as connection:
        kind = choices.one(("TEXT", "BLOB", "REAL", ""))
        connection.execute(
            f"CREATE TABLE benchmark_results(benchmark_id {kind}, timestamp, metrics)"
        )
        for _ in range(choices.number(4)):
            fields = {"duration_ms": 1.5, "tokens": 3, "success": True, "cost": 0.1}
            _edit(fields, choices)
            metrics = choices.one((json.dumps(fields), choices.some(40), None, 3))
            when = choices.one((10**12, "2026-01-01T00:00:00Z", None, -1.5, 1e300))
            connection.execute(
                "INSERT INTO benchmark_results VALUES (?, ?, ?)",
                (choices.one(("a", "", b"\xff", None, 7)), when, metrics),
            )
        connection.commit()
        content = bytearray(connection.serialize())
    for _ in range(choices.number(4)):
        place = choices.number(256) << 8 | choices.number(256)
        edit = choices.some(8)
        content[place : place + len(edit)] = edit
    return bytes(content)


def _read_file(tool: str, content: bytes) -> None:
    try:
        formats.detect(document.open_document(content))
    except GitbenchError as error:
        check_message(error)
    for reading in attempt(content, tool):
        codec.encode(as_run(reading))


def _read_folder(tool: str, choices: Choices) -> None:
    real = choices.one(_folders(tool))
    name = choices.one(tuple(real)[:256])
    mode = choices.one((VALUES, LINES))
    taken = {**real, name: _damaged(real[name], mode, choices)}
    folder = Folder("fuzz", tuple(sorted(taken)), taken.__getitem__)
    try:
        readings = formats.read_folder(folder, tool=tool)
    except GitbenchError as error:
        check_message(error)
        return
    for reading in readings or ():
        codec.encode(as_run(reading))


def _timed(work: Callable[[], None]) -> None:
    start = time.thread_time()
    work()
    taken = time.thread_time() - start
    assert taken < LONGEST_S, f"it took {taken:.1f} s"


def seeds(tool: str) -> Iterator[bytes]:
    """Every real file of the tool as it is, and one change of each kind to some."""
    for content in files(tool).values():
        if len(content) < LARGEST:
            yield bytes([RAW]) + content
    for place in range(min(8, len(files(tool)))):
        for mode in (LINES, VALUES, PARTS):
            for what in range(6):
                yield bytes([mode, place, 1, 0, 7 * what, what, 2, 3, 1, what, 9, 4])

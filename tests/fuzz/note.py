"""The bytes of a note: `python -m tests.fuzz note`."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import msgpack

from gitbench.errors import GitbenchError
from gitbench.store import codec, packing
from gitbench.store.notes import read_note
from gitbench.store.standing import settle, standing
from tests.fuzz.content import COMMITS, TREE, Choices, line_of, records

RAW, PACKED, EDITED = range(3)

CONTENTS = tuple(
    packing.unpack(codec._inflate(codec.encode(record).raw.rsplit(b" ", 1)[1]))
    for record in records()
)
"""What records of every kind hold, to be edited."""

ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63 - 1,
    -(2**63),
    0.0,
    math.nan,
    math.inf,
    "",
    "-",
    "a\nb c",
    "\x00",
    b"\xff",
    [],
    {},
    [[]],
    {"": None},
    "sign",
    "retract",
)


def check(data: bytes) -> None:
    """Any bytes are a note; the laws of union hold for it, and reading it raises
    nothing but stated errors."""
    choices = Choices(data)
    match choices.number(3):
        case 0:
            _note(choices.rest())
        case 1:
            _note(line_of(choices.rest()))
        case _:
            _note(line_of(_edited(choices)))


def _note(text: bytes) -> None:
    note = codec.parse_note(text)
    written = codec.format_note(note)
    assert codec.parse_note(written) == note, "what is written reads otherwise"
    assert codec.union([note, note]) == note, "union is not idempotent"
    half = text.rfind(b"\n", 0, len(text) // 2) + 1
    parts = [codec.parse_note(text[:half]), codec.parse_note(text[half:])]
    assert codec.union(parts) == note, "the parts are not the whole"
    assert codec.union(reversed(parts)) == note, "union is not commutative"
    settled = settle(note)
    assert settle(settled) == settled, "what is settled settles further"
    standing(note)
    read_note(note, COMMITS[0], TREE)
    for line in note.lines.values():
        try:
            codec.digest(line)
            record = codec.decode(line)
        except GitbenchError:
            continue
        if not isinstance(record, codec.Unknown):
            # Maps may stand in any order in what others write, so once around first.
            again = codec.encode(record)
            assert codec.encode(codec.decode(again)) == again, "a record changes"


def _edited(choices: Choices) -> bytes:
    """A record with a few things in it replaced, removed or added."""
    content = msgpack.unpackb(msgpack.packb(choices.one(CONTENTS)))
    for _ in range(1 + choices.number(3)):
        _edit(content, choices)
    return bytes(msgpack.packb(content))


def _edit(content: Any, choices: Choices) -> None:
    for _ in range(8):
        keys = list(content) if isinstance(content, dict) else list(range(len(content)))
        if not keys:
            return
        key = choices.one(keys)
        inner = content[key]
        if isinstance(inner, dict | list) and inner and choices.number(3):
            content = inner
            continue
        match choices.number(4):
            case 0:
                del content[key]
            case 1 if isinstance(content, dict):
                content[choices.some(4).decode("utf-8", "replace")] = copy.deepcopy(
                    choices.one(ODD)
                )
            case 2:
                content[key] = choices.some(40).decode("utf-8", "replace")
            case _:
                content[key] = copy.deepcopy(choices.one(ODD))
        return


def seeds() -> Iterator[bytes]:
    """Notes with records of every kind, and their payloads."""
    lines = [codec.encode(record) for record in records()]
    yield bytes([RAW]) + b"\n".join(line.raw for line in lines)
    for line in lines:
        yield bytes([RAW]) + line.raw
        yield bytes([PACKED]) + codec._inflate(line.raw.rsplit(b" ", 1)[1])
    for place in range(len(lines)):
        yield bytes([EDITED, place, 1, 3, 2, 1, 0, 5, 4, 1, 2, 3])

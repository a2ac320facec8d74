"""Choices out of a fuzzer's bytes, and records to begin with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from gitbench.store import codec, packing
from tests.factories import make_measurement, make_run

COMMITS = ("1" * 40, "12" + "3" * 38, "f" * 40)
TREE = "2" * 40

Chosen = TypeVar("Chosen")


class Choices:
    """Reads bytes as decisions; when they run out, every decision is the first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def number(self, limit: int) -> int:
        """A number below `limit`, of at most a byte."""
        if self._place >= len(self._data):
            return 0
        self._place += 1
        return self._data[self._place - 1] % limit

    def one(self, options: Sequence[Chosen]) -> Chosen:
        """One of `options`."""
        return options[self.number(len(options))]

    def some(self, limit: int) -> bytes:
        """Up to `limit` bytes."""
        start, self._place = self._place + 1, self._place + 1 + self.number(limit)
        return self._data[start : self._place]

    def rest(self) -> bytes:
        """All bytes that are left."""
        return self._data[self._place :]


def records() -> tuple[codec.Known, ...]:
    """Whole records of every kind."""
    runs = [
        make_run(commit=commit, tree=TREE, started_at=10**12 + place)
        for place, commit in enumerate(COMMITS)
    ]
    full = make_run(
        [
            make_measurement("sort", [[0.1, 0.2], [1e-9, 3.0]], n="10"),
            make_measurement("load", [5e-324, 1e300]),
        ],
        commit=COMMITS[0],
        session="s",
        round=2,
        tags=(("branch", "x y"),),
    )
    ids = tuple(codec.run_id(run) for run in runs)
    digests = tuple(sorted(codec.digest(codec.encode(run)) for run in runs))
    return (
        *runs,
        full,
        codec.Retraction(ids[:2], "wrong machine", 10**12 + 7),
        codec.Retraction(ids[1:2], "a token", 10**12 + 8, erase=True),
        codec.Restoration(ids[:1], "it was right", 10**12 + 9),
        codec.NamedBaseline("release", COMMITS[0], 10**12),
        codec.Signature(digests, "ssh", "-----BEGIN", 10**12, "key"),
    )


def line_of(packed: bytes) -> bytes:
    """A line around a payload, whatever it holds: the id fits, and the words in
    front agree as far as there is anything to agree with."""
    import base64
    import hashlib
    import zlib

    words = [b"run", b"0", b"-", b"-", b"-"]
    try:
        content = packing.unpack(packed)
    except codec.CodecError:
        content = None
    if isinstance(content, dict):
        kind, time = content.get("kind"), content.get("time")
        if isinstance(kind, str) and kind.isascii() and kind.isalnum():
            words[0] = kind.encode()
        if isinstance(time, int):
            words[1] = str(int(time)).encode()
        if kind == "run":
            words[2:] = [_word(content, "tree"), _word(content, "suite"), _bed(content)]
    id_ = hashlib.sha256(packed).hexdigest()[:16].encode()
    payload = base64.b64encode(zlib.compress(packed, 1))
    return b" ".join([codec.VERSION, id_, *words, payload])


def _word(content: dict[str, Any], key: str) -> bytes:
    value = content.get(key)
    if not isinstance(value, str):
        return b"-"
    return b"%2D" if value == "-" else quote(value, safe="/:@+,=~[]()").encode()


def _bed(content: dict[str, Any]) -> bytes:
    bed = content.get("testbed")
    if not isinstance(bed, dict):
        return b"-"
    name, fingerprint = bed.get("name"), bed.get("fingerprint")
    return _word({"word": f"{name}@{fingerprint}"}, "word")

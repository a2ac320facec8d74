"""Which records of a note are withdrawn, and which of those are to go for good.

A retraction names records of its own note by their ids.  A later restoration takes
it back; nothing else does, so that the order in which clones meet decides nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from gitbench.store import codec
from gitbench.store.codec import Note, Restoration, Retraction

LASTING = ("retract", "restore")
"""Kinds that no retraction touches: they are what keeps old clones in step."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the retractions and restorations of one note add up to."""

    hidden: dict[str, str] = field(default_factory=dict)
    """Id of a withdrawn record -> the reason that was given last."""
    erased: frozenset[str] = frozenset()
    """Those of them whose content every write drops."""
    latest: int = 0
    """Greatest time of a retraction or restoration."""
    moved: dict[str, str] = field(default_factory=dict)
    """Of the hidden ones those whose raw values went to an archive -> the record that
    stands for them."""


def standing(note: Note) -> Standing:
    """Who is withdrawn in this note.

    A restoration takes back the retractions of its runs with an earlier time; of
    the others all hold.  At equal times the retraction holds.
    """
    retractions: list[Retraction] = []
    restored: dict[str, int] = {}
    latest = 0
    for line in note.lines.values():
        if line.kind not in LASTING:
            continue
        try:
            record = codec.decode(line)
        except codec.CodecError:
            continue
        if isinstance(record, Restoration):
            for id_ in record.runs:
                restored[id_] = max(record.time, restored.get(id_, record.time))
        elif isinstance(record, Retraction):
            retractions.append(record)
        latest = max(latest, line.time)
    stands_for: dict[str, set[str]] = {}
    for one in retractions:
        for id_, other in zip(one.runs, one.kept_as, strict=False):
            stands_for.setdefault(id_, set()).add(other)
    hidden: dict[str, str] = {}
    erased: set[str] = set()
    withdrawn: set[str] = set()
    for one in sorted(retractions, key=lambda r: (r.time, r.reason)):
        for id_ in one.runs:
            if one.time < restored.get(id_, one.time):
                continue
            ids = {id_}
            if not one.kept_as:
                # Who withdraws a run withdraws what stands for it: another clone may
                # have archived the run at the same time.  It is not erased, since a
                # restoration of the run need not come with it.
                ids |= {
                    other
                    for other in stands_for.get(id_, ())
                    if one.time >= restored.get(other, one.time)
                }
                withdrawn.add(id_)
            hidden |= dict.fromkeys(ids, one.reason)
            if one.erase:
                erased.add(id_)
    moved = {
        id_: min(others)
        for id_, others in stands_for.items()
        if id_ in hidden and id_ not in withdrawn
    }
    return Standing(hidden, frozenset(erased), latest, moved)


def settle(note: Note) -> Note:
    """The note without the content of erased records; the note itself if there is
    none.  Every write does this, so that what an old clone brings along goes again.
    """
    if all(line.kind != "retract" for line in note.lines.values()):
        return note
    erased = standing(note).erased
    lines = {
        id_: line
        for id_, line in note.lines.items()
        if id_ not in erased or line.kind in LASTING
    }
    damaged = frozenset(raw for raw in note.damaged if damaged_id(raw) not in erased)
    if len(lines) == len(note.lines) and len(damaged) == len(note.damaged):
        return note
    return Note(lines, damaged)


def damaged_id(raw: bytes) -> str:
    """The id by which a line that is no record can be erased: the first 16 hex
    digits of the SHA-256 of its bytes without trailing blanks."""
    return hashlib.sha256(raw.rstrip(b" \t\r")).hexdigest()[:16]

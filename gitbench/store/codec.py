"""Records <-> lines of a note, and notes <-> bytes.

A note is a set of records, one a line, in byte order:

    gb1 <id> <kind> <time ms> <tree> <suite> <testbed> <payload>

`payload` is base64 of zlib of the record's canonical msgpack, `id` the first 16
hex digits of its SHA-256; the words between repeat what the payload says, for
scans and for people.  docs/reference/storage-format.md is the specification.

Format history:
    gb1  first published form.

Equal content has equal bytes before compression, so identity is content and
merging is set union.  Compressed bytes may differ between zlib versions, which is
why two valid lines with one id are one record.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from gitbench.model import (
    MAX_TIME,
    MIN_TIME,
    Archived,
    Benchmark,
    Better,
    CiContext,
    Kind,
    Measurement,
    Metric,
    ModelError,
    Run,
    Status,
    Summary,
    Testbed,
    Tool,
)
from gitbench.store import packing
from gitbench.store.packing import CodecError as CodecError
from gitbench.store.packing import (
    as_bool,
    as_float,
    as_int,
    as_list,
    as_map,
    as_pairs,
    as_text,
    maybe,
)

VERSION = b"gb1"
MAX_LINE = 16 * 1024 * 1024
MAX_INFLATED = 128 * 1024 * 1024
MAX_NOTE = 50 * 1024 * 1024
"""Hosts refuse blobs of 100 MB; a ref that is never forced could then never be
pushed again."""

_SAFE = "/:@+,=~[]()"
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Retraction:
    """Takes records out of every answer; this line stays for ever."""

    runs: tuple[str, ...]
    reason: str
    time: int
    erase: bool = False
    """Every write drops what the records hold as well; see `standing`."""
    kept_as: tuple[str, ...] = ()
    """Ids of the records that stand for `runs`, in their order, since their raw
    values went to an archive; none where they are withdrawn."""


@dataclass(frozen=True, slots=True)
class Restoration:
    """Takes back the retractions of runs that were made before it."""

    runs: tuple[str, ...]
    reason: str
    time: int


@dataclass(frozen=True, slots=True)
class NamedBaseline:
    """Sets or unsets a name for a commit; of one name the latest record wins."""

    name: str
    commit: str | None
    """None unsets the name."""
    time: int


@dataclass(frozen=True, slots=True)
class Signature:
    """Somebody vouches for runs; `store.signing` says what the bytes under it are."""

    runs: tuple[str, ...]
    """Digests of the runs, 64 hex digits each; their ids are the first 16."""
    format: str
    """`openpgp`, `ssh` or `x509`, as git's `gpg.format` names them."""
    signature: str
    """As the program made it: armoured text."""
    time: int
    signer: str | None = None
    """Who the signer says to be; proves nothing."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A record of a kind that this version does not know: kept and ignored."""

    kind: str


Known = Run | Retraction | Restoration | NamedBaseline | Signature
Record = Known | Unknown


@dataclass(frozen=True, slots=True)
class Line:
    """One record as it stands in a note; the payload is not decoded yet."""

    raw: bytes
    """The whole line without its newline."""
    id: str
    kind: str
    time: int
    tree: str
    suite: str
    testbed: str
    """The last three as written: percent-encoded, `-` for none."""


@dataclass(frozen=True, slots=True)
class Note:
    """The content of one note: records by id, and what could not be read."""

    lines: dict[str, Line] = field(default_factory=dict)
    damaged: frozenset[bytes] = frozenset()
    """Lines that take no part but are kept byte for byte."""


# ------------------------------------------------------------------ notes


def parse_note(data: bytes) -> Note:
    """Split a note into lines; payloads are checked only where two lines of one
    id differ.  Any bytes are a note: what is no record is `damaged`."""
    lines: dict[str, Line] = {}
    damaged: set[bytes] = set()
    for raw in data.split(b"\n"):
        trimmed = raw.rstrip(b" \t\r")
        if not trimmed:
            continue
        line = _parse_line(trimmed)
        if line is None:
            damaged.add(raw)
        else:
            _add(lines, damaged, line)
    return Note(lines, frozenset(damaged))


def format_note(note: Note) -> bytes:
    """The bytes of a note: its lines in byte order, one newline after each."""
    ordered = sorted({line.raw for line in note.lines.values()} | note.damaged)
    return b"".join(line + b"\n" for line in ordered)


def union(notes: Iterable[Note]) -> Note:
    """All that any of `notes` holds; commutative, associative, idempotent."""
    lines: dict[str, Line] = {}
    damaged: set[bytes] = set()
    for note in notes:
        damaged |= note.damaged
        for line in note.lines.values():
            _add(lines, damaged, line)
    return Note(lines, frozenset(damaged))


def _add(lines: dict[str, Line], damaged: set[bytes], line: Line) -> None:
    """Add a line; of two with one id the valid one stays, of two valid ones the
    smaller, so that the result does not depend on the order."""
    known = lines.get(line.id)
    if known is None or known.raw == line.raw:
        lines[line.id] = line
        return
    valid = [one for one in (known, line) if not check(one)]
    bad = [one for one in (known, line) if one not in valid]
    keep = min(valid or bad, key=lambda one: one.raw)
    damaged |= {one.raw for one in bad if one is not keep}
    lines[line.id] = keep


def _parse_line(raw: bytes) -> Line | None:
    """The words of a line, or None if it is not a gb1 record."""
    words = raw.split(b" ")
    if len(words) != 8 or words[0] != VERSION or len(raw) > MAX_LINE:
        return None
    try:
        id_, kind, time, tree, suite, testbed = (w.decode("ascii") for w in words[1:7])
        moment = int(time)
    except (UnicodeDecodeError, ValueError):
        return None
    if len(id_) != 16 or not _HEX.issuperset(id_) or not kind or str(moment) != time:
        return None
    if not MIN_TIME <= moment <= MAX_TIME:
        return None
    return Line(raw, id_, kind, moment, tree, suite, testbed)


def check(line: Line) -> str | None:
    """Why a line is damaged, or None if it is whole."""
    try:
        decode(line)
    except CodecError as exc:
        return str(exc)
    return None


# ---------------------------------------------------------------- records


def encode(record: Known) -> Line:
    """The line of a record; raises `CodecError` if it is over a limit."""
    packed = packing.pack(_payload(record))
    if len(packed) > MAX_INFLATED:
        raise CodecError(_too_large(len(packed), MAX_INFLATED))
    payload = base64.b64encode(zlib.compress(packed, 6))
    raw = b" ".join([VERSION, _id(packed).encode(), *_words(record), payload])
    if len(raw) > MAX_LINE:
        raise CodecError(_too_large(len(raw), MAX_LINE))
    line = _parse_line(raw)
    assert line is not None
    return line


def decode(line: Line) -> Record:
    """The record of a line; raises `CodecError` with the reason if it is damaged.

    Sizes are bounded before and while inflating, the id must fit the bytes, and
    the words in front must agree with the payload.
    """
    packed = _inflate(line.raw[line.raw.rindex(b" ") + 1 :])
    if _id(packed) != line.id:
        raise CodecError(f"Record {line.id}: the content does not fit the id.")
    content = packing.unpack(packed)
    if not isinstance(content, dict):
        raise CodecError(f"Record {line.id}: the payload is not a map.")
    try:
        record = _record(content, line)
    except (KeyError, TypeError, ValueError, ModelError, OverflowError) as exc:
        raise CodecError(f"Record {line.id}: {_reason(exc)}") from exc
    if not isinstance(record, Unknown):
        words = b" ".join(_words(record))
        if line.raw[len(VERSION) + 18 :].rsplit(b" ", 1)[0] != words:
            raise CodecError(
                f"Record {line.id}: the words in front do not agree with the payload."
            )
    return record


def find_origin(lines: Iterable[Line], line: Line, origin: str) -> str | None:
    """Id of the line that is `line`, or a run of the same origin.

    The origin is looked for in the inflated bytes; only a hit is decoded, so that
    the 200th record on a commit costs little more than the first.
    """
    needle = origin.encode("ascii")
    for one in lines:
        if one.id == line.id:
            return one.id
        if (one.kind, one.suite, one.testbed) != ("run", line.suite, line.testbed):
            continue
        try:
            if needle in _inflate(one.raw[one.raw.rindex(b" ") + 1 :]):
                record = decode(one)
                if isinstance(record, Run) and record.origin == origin:
                    return one.id
        except CodecError:
            continue
    return None


def origin_of(line: Line) -> str | None:
    """The origin that the run of a line tells, without making the run of it; None of
    any other record and of a damaged line."""
    if line.kind != "run":
        return None
    try:
        packed = _inflate(line.raw[line.raw.rindex(b" ") + 1 :])
        content = packing.unpack(packed)
    except CodecError:
        return None
    origin = content.get("origin") if isinstance(content, dict) else None
    return origin if isinstance(origin, str) and _id(packed) == line.id else None


def run_id(run: Run) -> str:
    """The id that a run has in every note."""
    return _id(packing.pack(_payload(run)))


def content(run: Run) -> bytes:
    """The canonical msgpack of a run: what its id and its digest are the hash of."""
    return packing.pack(_payload(run))


def run_of_content(packed: bytes) -> Run:
    """The run whose `content` this is; raises `CodecError`."""
    found = packing.unpack(packed)
    if not isinstance(found, dict) or found.get("kind") != "run":
        raise CodecError("It holds no run.")
    if any(key.startswith("!") for key in found):
        raise CodecError("It needs a newer gitbench.")
    try:
        return _run(found)
    except (KeyError, TypeError, ValueError, ModelError, OverflowError) as exc:
        raise CodecError(_reason(exc)) from exc


def measurement_sizes(run: Run) -> list[int]:
    """Bytes of each measurement of a run before compression."""
    return [len(packing.pack(_measurement_payload(one))) for one in run.measurements]


def digest(line: Line) -> str:
    """The whole SHA-256, 64 hex digits, of what a line holds: what is signed, since
    a second content with the 64 bits of an id can be searched for.

    Raises `CodecError` if the line does not inflate, or its id does not fit.
    """
    packed = _inflate(line.raw[line.raw.rindex(b" ") + 1 :])
    found = hashlib.sha256(packed).hexdigest()
    if found[:16] != line.id:
        raise CodecError(f"Record {line.id}: the content does not fit the id.")
    return found


def _id(packed: bytes) -> str:
    return hashlib.sha256(packed).hexdigest()[:16]


def _reason(exc: Exception) -> str:
    if isinstance(exc, KeyError):
        return f"the key {exc.args[0]!r} is missing."
    return str(exc) or type(exc).__name__


def _too_large(size: int, limit: int) -> str:
    return (
        f"The run is {size / 1e6:.1f} MB, over the limit of {limit / 1e6:.0f} MB; "
        "nothing was recorded. Keep fewer values with --max-values, or record the "
        "benchmarks as several suites."
    )


def _inflate(payload: bytes) -> bytes:
    try:
        squeezed = base64.b64decode(payload, validate=True)
        stream = zlib.decompressobj()
        packed = stream.decompress(squeezed, MAX_INFLATED)
    except (binascii.Error, ValueError, zlib.error) as exc:
        raise CodecError(f"The payload of a record does not inflate ({exc}).") from exc
    if stream.unconsumed_tail or not stream.eof or stream.unused_data:
        raise CodecError(
            "The payload of a record is cut, goes on after its end, or inflates "
            f"beyond {MAX_INFLATED / 1e6:.0f} MB."
        )
    return packed


# ---------------------------------------------------- model <-> plain content


def _words(record: Known) -> list[bytes]:
    """The readable words of a line: kind, time, tree, suite, testbed."""
    match record:
        case Run():
            bed = record.testbed
            return [
                b"run",
                str(record.started_at).encode(),
                _word(record.tree),
                _word(record.suite),
                _word(f"{bed.name}@{bed.fingerprint}"),
            ]
        case Retraction():
            return [b"retract", _time_word(record.time), b"-", b"-", b"-"]
        case Restoration():
            return [b"restore", _time_word(record.time), b"-", b"-", b"-"]
        case NamedBaseline():
            return [b"baseline", _time_word(record.time), b"-", b"-", b"-"]
        case Signature():
            return [b"sign", _time_word(record.time), b"-", b"-", b"-"]


def _time_word(time: int) -> bytes:
    """A time within the bounds that runs have: a record that must be later than all
    others could not follow one at the end of the integers."""
    if not MIN_TIME <= time <= MAX_TIME:
        raise CodecError(
            f"The time {time} ms of a record is not in the years 1 to 9999; if another "
            "record of the note is as late, take that one out first."
        )
    return str(time).encode()


def _word(text: str) -> bytes:
    """Percent-encoded; a word that is just `-` would read as none."""
    return b"%2D" if text == "-" else quote(text, safe=_SAFE).encode("ascii")


def testbed_word(testbed: Testbed) -> str:
    """The testbed as the words of a line name it."""
    return _word(f"{testbed.name}@{testbed.fingerprint}").decode("ascii")


def suite_word(suite: str) -> str:
    """The suite as the words of a line name it."""
    return _word(suite).decode("ascii")


def _payload(record: Known) -> dict[str, Any]:
    match record:
        case Run():
            return _run_payload(record)
        case Retraction():
            return _some(
                {
                    "kind": "retract",
                    "time": record.time,
                    "runs": list(record.runs),
                    "reason": record.reason,
                    "erase": record.erase or None,
                    "kept_as": list(record.kept_as) or None,
                }
            )
        case Restoration():
            return {
                "kind": "restore",
                "time": record.time,
                "runs": list(record.runs),
                "reason": record.reason,
            }
        case NamedBaseline():
            return _some(
                {
                    "kind": "baseline",
                    "time": record.time,
                    "name": record.name,
                    "commit": record.commit,
                }
            )
        case Signature():
            return _some(
                {
                    "kind": "sign",
                    "time": record.time,
                    "runs": list(record.runs),
                    "format": record.format,
                    "signature": record.signature,
                    "signer": record.signer,
                }
            )


def _some(content: dict[str, Any]) -> dict[str, Any]:
    """Without the keys that say nothing, so that equal runs have equal bytes."""
    return {k: v for k, v in content.items() if v is not None and v != {} and v != ()}


def _run_payload(run: Run) -> dict[str, Any]:
    ci = run.ci
    return _some(
        {
            "kind": "run",
            "time": run.started_at,
            "time_source": run.time_source,
            "suite": run.suite,
            "commit": run.commit,
            "tree": run.tree,
            "dirty": run.dirty,
            "origin": run.origin,
            "tool": _some({"name": run.tool.name, "version": run.tool.version}),
            "testbed": _some(
                {
                    "name": run.testbed.name,
                    "fingerprint": run.testbed.fingerprint,
                    "facts": dict(run.testbed.facts),
                }
            ),
            "ci": ci
            and _some(
                {
                    "provider": ci.provider,
                    "url": ci.url,
                    "job": ci.job,
                    "pull_request": ci.pull_request,
                }
            ),
            "session": run.session,
            "round": run.round,
            "tags": dict(run.tags),
            "archived": run.archived
            and {"digest": run.archived.digest, "size": run.archived.size},
            "measurements": [_measurement_payload(one) for one in run.measurements],
        }
    )


def _measurement_payload(one: Measurement) -> dict[str, Any]:
    summary = one.summary
    return _some(
        {
            "benchmark": one.benchmark.name,
            "params": dict(one.benchmark.params),
            "metric": one.metric.name,
            "unit": one.metric.unit,
            "better": one.metric.better.value,
            "kind": one.metric.kind.value,
            "status": None if one.status is Status.OK else one.status.value,
            "message": one.message,
            "version": one.version,
            "values": packing.pack_values(one.processes) if one.processes else None,
            "summary": summary
            and _some(
                {
                    "center": summary.center,
                    "of": summary.of,
                    "low": summary.low,
                    "high": summary.high,
                    "stddev": summary.stddev,
                    "n": summary.n,
                }
            ),
            "passes": one.passes,
            "trials": one.trials,
        }
    )


def _record(content: dict[str, Any], line: Line) -> Record:
    """The record that `content` describes; unknown keys are ignored, but one that
    begins with `!` must be understood."""
    urgent = [key for key in content if key.startswith("!")]
    if urgent:
        raise ValueError(
            f"it needs a newer gitbench (key {urgent[0][:80]!r}); it is kept, not read."
        )
    kind = as_text(content["kind"], "kind")
    if kind != line.kind:
        raise ValueError("the kind in front does not agree with the payload.")
    if kind == "run":
        return _run(content)
    if kind == "retract":
        kept_as = as_list(content.get("kept_as", []), "kept_as")
        found = Retraction(
            *_withdrawal(content),
            bool(maybe(content, "erase", as_bool)),
            tuple(as_text(one, "run id") for one in kept_as),
        )
        if kept_as and len(kept_as) != len(found.runs):
            raise ValueError("kept_as and runs are not equally long.")
        return found
    if kind == "restore":
        return Restoration(*_withdrawal(content))
    if kind == "baseline":
        return NamedBaseline(
            as_text(content["name"], "name"),
            maybe(content, "commit", as_text),
            as_int(content["time"], "time"),
        )
    if kind == "sign":
        return Signature(
            _digests(content["runs"]),
            as_text(content["format"], "format"),
            as_text(content["signature"], "signature"),
            as_int(content["time"], "time"),
            maybe(content, "signer", as_text),
        )
    return Unknown(kind)


def _digests(value: Any) -> tuple[str, ...]:
    """The digests that a signature is over: each once, in their order."""
    found = tuple(as_text(one, "digest") for one in as_list(value, "runs"))
    for one in found:
        if len(one) != 64 or not _HEX.issuperset(one):
            raise ValueError("a digest is not 64 hex digits.")
    if not found or list(found) != sorted(set(found)):
        raise ValueError("the digests are none, stand twice, or are out of order.")
    return found


def _withdrawal(content: dict[str, Any]) -> tuple[tuple[str, ...], str, int]:
    return (
        tuple(as_text(one, "run id") for one in as_list(content["runs"], "runs")),
        as_text(content["reason"], "reason"),
        as_int(content["time"], "time"),
    )


def _run(content: dict[str, Any]) -> Run:
    bed = as_map(content["testbed"], "testbed")
    tool = as_map(content["tool"], "tool")
    ci = maybe(content, "ci", as_map)
    archived = maybe(content, "archived", as_map)
    return Run(
        suite=as_text(content["suite"], "suite"),
        started_at=as_int(content["time"], "time"),
        time_source=as_text(content["time_source"], "time_source"),
        tool=Tool(
            as_text(tool["name"], "tool.name"),
            maybe(tool, "version", as_text),
        ),
        testbed=Testbed(
            as_text(bed["name"], "testbed.name"),
            as_text(bed["fingerprint"], "testbed.fingerprint"),
            as_pairs(bed.get("facts"), "facts"),
        ),
        commit=as_text(content["commit"], "commit"),
        tree=as_text(content["tree"], "tree"),
        dirty=as_bool(content["dirty"], "dirty"),
        origin=as_text(content["origin"], "origin"),
        ci=ci
        and CiContext(
            as_text(ci["provider"], "ci.provider"),
            maybe(ci, "url", as_text),
            maybe(ci, "job", as_text),
            maybe(ci, "pull_request", as_text),
        ),
        session=maybe(content, "session", as_text),
        round=maybe(content, "round", as_int),
        tags=as_pairs(content.get("tags"), "tags"),
        archived=archived
        and Archived(
            as_text(archived["digest"], "archived.digest"),
            as_int(archived["size"], "archived.size"),
        ),
        measurements=_measurements(content["measurements"]),
    )


def _measurements(content: Any) -> tuple[Measurement, ...]:
    """The measurements of a run; its few metrics are made once each."""
    metrics: dict[tuple[Any, ...], Metric] = {}
    return tuple(
        [
            _measurement(as_map(one, "measurement"), metrics)
            for one in as_list(content, "measurements")
        ]
    )


def _metric(content: dict[str, Any], made: dict[tuple[Any, ...], Metric]) -> Metric:
    words = [as_text(content[key], key) for key in ("metric", "unit", "better", "kind")]
    key = tuple(words)
    if key not in made:
        name, unit, better, kind = words
        made[key] = Metric(name, unit, Better(better), Kind(kind))
    return made[key]


def _measurement(
    content: dict[str, Any], metrics: dict[tuple[Any, ...], Metric]
) -> Measurement:
    summary = maybe(content, "summary", as_map)
    values = content.get("values")
    return Measurement(
        Benchmark(
            as_text(content["benchmark"], "benchmark"),
            as_pairs(content.get("params"), "params"),
        ),
        _metric(content, metrics),
        processes=() if values is None else packing.unpack_values(values),
        summary=summary
        and Summary(
            center=as_float(summary["center"], "center"),
            of=as_text(summary["of"], "of"),
            low=maybe(summary, "low", as_float),
            high=maybe(summary, "high", as_float),
            stddev=maybe(summary, "stddev", as_float),
            n=maybe(summary, "n", as_int),
        ),
        passes=maybe(content, "passes", as_int),
        trials=maybe(content, "trials", as_int),
        status=Status(content.get("status", "ok")),
        message=maybe(content, "message", as_text),
        version=maybe(content, "version", as_text),
    )

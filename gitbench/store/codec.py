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
import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import msgpack

from gitbench.errors import GitbenchError
from gitbench.model import (
    MAX_TIME,
    MIN_TIME,
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

VERSION = b"gb1"
MAX_LINE = 16 * 1024 * 1024
MAX_INFLATED = 128 * 1024 * 1024
MAX_NOTE = 50 * 1024 * 1024
"""Hosts refuse blobs of 100 MB; a ref that is never forced could then never be
pushed again."""

_SAFE = "/:@+,=~[]()"
_HEX = frozenset("0123456789abcdef")
_INT64 = 2**63


class CodecError(GitbenchError):
    """A record cannot be written or read."""


@dataclass(frozen=True, slots=True)
class Retraction:
    """Takes records out of every answer; this line stays for ever."""

    runs: tuple[str, ...]
    reason: str
    time: int
    erase: bool = False
    """Every write drops what the records hold as well; see `standing`."""


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
    packed = pack(_payload(record))
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
    content = unpack(packed)
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


def run_id(run: Run) -> str:
    """The id that a run has in every note."""
    return _id(pack(_payload(run)))


def measurement_sizes(run: Run) -> list[int]:
    """Bytes of each measurement of a run before compression."""
    return [len(pack(_measurement_payload(one))) for one in run.measurements]


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


# ---------------------------------------------------------------- msgpack


def pack(content: Any) -> bytes:
    """Canonical msgpack: maps sorted by the UTF-8 bytes of their keys at every
    level, -0 as 0; raises `CodecError` for what the format refuses."""
    return bytes(msgpack.packb(_canonical(content, "record"), use_bin_type=True))


def _canonical(value: Any, where: str) -> Any:
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as exc:
            raise CodecError(f"{where} holds a lone surrogate.") from exc
        return value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise CodecError(f"{where} is {value}, outside 64 bits.")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise CodecError(f"{where} is {value}, which is not a number.")
        return value + 0.0
    if isinstance(value, dict):
        # Code points order text as their UTF-8 bytes do.
        return {
            _canonical(key, f"a key of {where}"): _canonical(one, f"{where}.{key}")
            for key, one in sorted(value.items(), key=lambda item: item[0])
        }
    if isinstance(value, list | tuple):
        return [_canonical(one, where) for one in value]
    if isinstance(value, bytes):
        return value
    raise CodecError(f"{where} is of type {type(value).__name__}, which has no form.")


def unpack(packed: bytes) -> Any:
    """What `pack` packed; refuses extension types, keys that are not text or stand
    twice, bad UTF-8, trailing bytes and over-deep nesting."""
    try:
        return msgpack.unpackb(
            packed,
            raw=False,
            strict_map_key=True,
            object_pairs_hook=_unique,
            ext_hook=_no_extensions,
        )
    except (
        ValueError,  # includes ExtraData, FormatError, UnicodeDecodeError
        TypeError,
        OverflowError,
        RecursionError,
        msgpack.exceptions.UnpackException,
    ) as exc:
        raise CodecError(f"The payload is no valid msgpack ({exc}).") from exc


def _unique(pairs: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key stands twice")
    return content


def _no_extensions(code: int, data: bytes) -> Any:
    raise ValueError(f"extension type {code}")


# ---------------------------------------------------------------- numbers


def pack_values(processes: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Values as integers with one decimal exponent, or as float64 where that does
    not come back bit for bit.

    `{"e": x, "m": [[m, ...], ...]}` stands for `float(f"{m}e{x}")`, with x the
    greatest exponent for which all m are integers below 2^63.
    """
    quick = _pack_quickly(processes)
    if quick is not None:
        return quick
    decimals = [[_decimal(value) for value in values] for values in processes]
    exponents = [x for group in decimals for m, x in group if m]
    exponent = min(exponents, default=0)
    widest = max(exponents, default=0)
    if widest - exponent <= 18:
        mantissas = [
            [m * 10 ** (x - exponent) if m else 0 for m, x in group]
            for group in decimals
        ]
        if all(-_INT64 < m < _INT64 for group in mantissas for m in group):
            return {"e": exponent, "m": mantissas}
    return {"f": [list(values) for values in processes]}


def _pack_quickly(processes: Sequence[Sequence[float]]) -> dict[str, Any] | None:
    """The same for values with one to 22 decimals and small mantissas, where no text
    is needed: four times as fast; None for any other list.

    A value of the list needs `depth` decimals, so the exponent cannot be greater.
    Each mantissa is checked to read back as its value; below 2^50 only one can.
    """
    depth = -_decimal(processes[0][0])[1]
    for _ in range(3):
        if not 1 <= depth <= 22:
            return None
        scale = float(10**depth)
        try:
            mantissas = [[round(v * scale) for v in values] for values in processes]
        except OverflowError:
            return None
        wrong = None
        for values, found in zip(processes, mantissas, strict=True):
            if not -_EXACT < min(found) <= max(found) < _EXACT:
                return None
            if [m / scale for m in found] != list(values):
                wrong = next(
                    v for v, m in zip(values, found, strict=True) if m / scale != v
                )
                break
        if wrong is None:
            return {"e": -depth, "m": mantissas}
        deeper = -_decimal(wrong)[1]
        if deeper <= depth:
            return None
        depth = deeper
    return None


_EXACT = 2**50


def _decimal(value: float) -> tuple[int, int]:
    """`value` as (m, x) with value == m * 10^x and m no multiple of 10.

    `repr` gives the shortest digits that read back as the same float.
    """
    text = repr(value)
    digits, _, power = text.partition("e")
    whole, _, fraction = digits.partition(".")
    exponent = int(power or 0)
    if fraction and fraction != "0":
        whole += fraction
        exponent -= len(fraction)
    mantissa = int(whole)
    if mantissa:
        stripped = whole.rstrip("0")
        exponent += len(whole) - len(stripped)
        mantissa = int(stripped)
    return mantissa, exponent


def unpack_values(content: Any) -> tuple[tuple[float, ...], ...]:
    """The values of one measurement, one tuple a process."""
    if not isinstance(content, dict):
        raise ValueError("values are not a map")
    if "f" in content:
        groups = _list(content["f"], "values")
        if not all(isinstance(v, float) for g in groups for v in _list(g, "values")):
            raise ValueError("a value is not a float")
        return tuple(tuple(group) for group in groups)
    exponent = _int(content["e"], "exponent")
    if not -400 <= exponent <= 400:
        raise ValueError(f"the exponent {exponent} is out of range")
    groups = _list(content["m"], "values")
    for group in groups:
        if set(map(type, _list(group, "values"))) != {int}:
            raise ValueError("a mantissa is not an integer")
    return tuple([_floats(group, exponent) for group in groups])


def _floats(mantissas: list[int], exponent: int) -> tuple[float, ...]:
    """The floats nearest to m x 10^exponent."""
    exact = 2**53
    if -22 <= exponent < 0 and max(mantissas) <= exact and min(mantissas) >= -exact:
        # Both are exact as floats, and IEEE division rounds once: the quotient is
        # the float nearest to m * 10^x, which is what float("<m>e<x>") gives.
        scale = float(10**-exponent)
        return tuple([m / scale for m in mantissas])
    return tuple([float(f"{m}e{exponent}") for m in mantissas])


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
            "values": pack_values(one.processes) if one.processes else None,
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
    kind = _text(content["kind"], "kind")
    if kind != line.kind:
        raise ValueError("the kind in front does not agree with the payload.")
    if kind == "run":
        return _run(content)
    if kind == "retract":
        return Retraction(
            *_withdrawal(content), bool(_optional(content, "erase", _bool))
        )
    if kind == "restore":
        return Restoration(*_withdrawal(content))
    if kind == "baseline":
        return NamedBaseline(
            _text(content["name"], "name"),
            _optional(content, "commit", _text),
            _int(content["time"], "time"),
        )
    if kind == "sign":
        return Signature(
            _digests(content["runs"]),
            _text(content["format"], "format"),
            _text(content["signature"], "signature"),
            _int(content["time"], "time"),
            _optional(content, "signer", _text),
        )
    return Unknown(kind)


def _digests(value: Any) -> tuple[str, ...]:
    """The digests that a signature is over: each once, in their order."""
    found = tuple(_text(one, "digest") for one in _list(value, "runs"))
    for one in found:
        if len(one) != 64 or not _HEX.issuperset(one):
            raise ValueError("a digest is not 64 hex digits.")
    if not found or list(found) != sorted(set(found)):
        raise ValueError("the digests are none, stand twice, or are out of order.")
    return found


def _withdrawal(content: dict[str, Any]) -> tuple[tuple[str, ...], str, int]:
    return (
        tuple(_text(one, "run id") for one in _list(content["runs"], "runs")),
        _text(content["reason"], "reason"),
        _int(content["time"], "time"),
    )


def _run(content: dict[str, Any]) -> Run:
    bed = _map(content["testbed"], "testbed")
    tool = _map(content["tool"], "tool")
    ci = _optional(content, "ci", _map)
    return Run(
        suite=_text(content["suite"], "suite"),
        started_at=_int(content["time"], "time"),
        time_source=_text(content["time_source"], "time_source"),
        tool=Tool(_text(tool["name"], "tool.name"), _optional(tool, "version", _text)),
        testbed=Testbed(
            _text(bed["name"], "testbed.name"),
            _text(bed["fingerprint"], "testbed.fingerprint"),
            _pairs(bed.get("facts"), "facts"),
        ),
        commit=_text(content["commit"], "commit"),
        tree=_text(content["tree"], "tree"),
        dirty=_bool(content["dirty"], "dirty"),
        origin=_text(content["origin"], "origin"),
        ci=ci
        and CiContext(
            _text(ci["provider"], "ci.provider"),
            _optional(ci, "url", _text),
            _optional(ci, "job", _text),
            _optional(ci, "pull_request", _text),
        ),
        session=_optional(content, "session", _text),
        round=_optional(content, "round", _int),
        tags=_pairs(content.get("tags"), "tags"),
        measurements=_measurements(content["measurements"]),
    )


def _measurements(content: Any) -> tuple[Measurement, ...]:
    """The measurements of a run; its few metrics are made once each."""
    metrics: dict[tuple[Any, ...], Metric] = {}
    return tuple(
        [
            _measurement(_map(one, "measurement"), metrics)
            for one in _list(content, "measurements")
        ]
    )


def _metric(content: dict[str, Any], made: dict[tuple[Any, ...], Metric]) -> Metric:
    words = [_text(content[key], key) for key in ("metric", "unit", "better", "kind")]
    key = tuple(words)
    if key not in made:
        name, unit, better, kind = words
        made[key] = Metric(name, unit, Better(better), Kind(kind))
    return made[key]


def _measurement(
    content: dict[str, Any], metrics: dict[tuple[Any, ...], Metric]
) -> Measurement:
    summary = _optional(content, "summary", _map)
    values = content.get("values")
    return Measurement(
        Benchmark(
            _text(content["benchmark"], "benchmark"),
            _pairs(content.get("params"), "params"),
        ),
        _metric(content, metrics),
        processes=() if values is None else unpack_values(values),
        summary=summary
        and Summary(
            center=_float(summary["center"], "center"),
            of=_text(summary["of"], "of"),
            low=_optional(summary, "low", _float),
            high=_optional(summary, "high", _float),
            stddev=_optional(summary, "stddev", _float),
            n=_optional(summary, "n", _int),
        ),
        passes=_optional(content, "passes", _int),
        trials=_optional(content, "trials", _int),
        status=Status(content.get("status", "ok")),
        message=_optional(content, "message", _text),
        version=_optional(content, "version", _text),
    )


def _text(value: Any, name: str) -> str:
    if type(value) is not str:
        raise ValueError(f"{name} is not text.")
    return value


def _int(value: Any, name: str) -> int:
    if type(value) is not int:
        raise ValueError(f"{name} is not an integer.")
    if not -_INT64 <= value < _INT64:
        raise ValueError(f"{name} is outside 64 bits.")
    return value


def _float(value: Any, name: str) -> float:
    if type(value) is not float:
        raise ValueError(f"{name} is not a float.")
    return value


def _bool(value: Any, name: str) -> bool:
    if type(value) is not bool:
        raise ValueError(f"{name} is not true or false.")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if type(value) is not list:
        raise ValueError(f"{name} is not a list.")
    return value


def _map(value: Any, name: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise ValueError(f"{name} is not a map.")
    return value


def _pairs(value: Any, name: str) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    return tuple((key, _text(one, name)) for key, one in _map(value, name).items())


def _optional(content: dict[str, Any], key: str, read: Any) -> Any:
    value = content.get(key)
    return None if value is None else read(value, key)

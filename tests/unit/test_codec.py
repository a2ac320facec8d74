"""Records and notes as bytes: round trips, identity, union, damage."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import struct
import zlib
from pathlib import Path

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.errors import GitbenchError
from gitbench.model import Run
from gitbench.store import codec, packing
from gitbench.store.codec import NamedBaseline, Note, Restoration, Retraction
from tests.factories import make_measurement, make_run
from tests.strategies import numbers, runs

VECTORS = Path(__file__).parents[2] / "docs/reference/storage-vectors.json"

laws = settings(derandomize=True, max_examples=60, deadline=None)


def read_all(note: Note) -> list[codec.Record]:
    """The records of a note that can be read; any other error than a stated one
    goes up."""
    read = []
    for line in note.lines.values():
        with contextlib.suppress(GitbenchError):
            read.append(codec.decode(line))
    return read


def packed_of(line: codec.Line) -> bytes:
    return zlib.decompress(base64.b64decode(line.raw.rsplit(b" ", 1)[1]))


def line_of(kind: str, packed: bytes) -> bytes:
    """A line with a fitting id for any payload."""
    id_ = hashlib.sha256(packed).hexdigest()[:16]
    payload = base64.b64encode(zlib.compress(packed)).decode()
    return f"gb1 {id_} {kind} 7 - - - {payload}".encode()


def note_of(*records: Run | Retraction | NamedBaseline) -> Note:
    lines = [codec.encode(record) for record in records]
    return Note({line.id: line for line in lines})


@laws
@given(runs)
def test_a_run_comes_back_equal(run: Run) -> None:
    """Decoding an encoded run gives the same run, bit for bit."""
    back = codec.decode(codec.encode(run))

    assert run == back
    assert isinstance(back, Run)
    for one, other in zip(run.measurements, back.measurements, strict=True):
        for values, again in zip(one.processes, other.processes, strict=True):
            assert [struct.pack("<d", v) for v in values] == [
                struct.pack("<d", v) for v in again
            ]


@laws
@given(runs, runs)
def test_equal_content_is_equal_id(one: Run, other: Run) -> None:
    """Two runs have one id exactly when they are equal."""
    assert (one == other) == (codec.encode(one).id == codec.encode(other).id)


@laws
@given(runs)
def test_the_words_in_front_agree_with_the_payload(run: Run) -> None:
    """A line has eight words of printable ASCII, the readable ones as in the run."""
    line = codec.encode(run)

    assert line.raw.isascii()
    assert line.raw.decode().isprintable()
    assert len(line.raw.split(b" ")) == 8
    assert (line.kind, line.time, line.tree) == ("run", run.started_at, run.tree)
    assert line.suite == codec.suite_word(run.suite)
    assert line.testbed == codec.testbed_word(run.testbed)


@settings(derandomize=True, max_examples=400, deadline=None)
@given(st.lists(st.lists(numbers, min_size=1, max_size=6), min_size=1, max_size=3))
def test_values_come_back_bit_for_bit(processes: list[list[float]]) -> None:
    """Packed values unpack to the same floats, whatever their spread."""
    packed = packing.pack_values(processes)

    assert tuple(map(tuple, processes)) == packing.unpack_values(packed)


@settings(derandomize=True, max_examples=400, deadline=None)
@given(
    st.lists(
        st.lists(
            st.one_of(
                numbers,
                st.decimals(-1000, 1000, places=9, allow_nan=False).map(float),
                st.sampled_from([0.1, 0.25, 1e-22, 3.0, 2.0**50, 1e22]),
            ).map(lambda v: v + 0.0),
            min_size=1,
            max_size=5,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_the_quick_way_to_pack_gives_the_same(processes: list[list[float]]) -> None:
    """Where values are packed without text, the result is that of the long way."""
    quick = packing._pack_quickly(processes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "_pack_quickly", lambda _: None)
        assert quick in (None, packing.pack_values(processes))


@pytest.mark.parametrize(
    ("values", "packed"),
    [
        ([1e-9, 2.5e-9], {"e": -10, "m": [[10, 25]]}),
        ([0.0, 0.0], {"e": 0, "m": [[0, 0]]}),
        ([100.0, 3000.0], {"e": 2, "m": [[1, 30]]}),
        ([0.1, 0.25, 0.0], {"e": -2, "m": [[10, 25, 0]]}),
        ([-1.5], {"e": -1, "m": [[-15]]}),
        ([5e-324], {"e": -324, "m": [[5]]}),
        ([1e300, 1.0], {"f": [[1e300, 1.0]]}),
    ],
)
def test_values_have_the_greatest_common_exponent(
    values: list[float], packed: dict[str, object]
) -> None:
    """A list is integers with the greatest exponent that fits, else float64."""
    assert packed == packing.pack_values([values])


def test_published_vectors_hold() -> None:
    """The specification's vectors are what this code reads and writes."""
    vectors = json.loads(VECTORS.read_text("utf-8"))

    assert vectors["values"]
    for vector in vectors["values"]:
        packed = packing.pack_values(vector["values"])
        assert tuple(map(tuple, vector["values"])) == packing.unpack_values(packed)
        assert vector["packed"] == packed
        assert vector["msgpack"] == packing.pack(packed).hex()
    for vector in vectors["msgpack"]:
        assert vector["hex"] == packing.pack(vector["content"]).hex()
    for vector in vectors["records"]:
        content = bytes.fromhex(vector["msgpack"])
        assert vector["id"] == hashlib.sha256(content).hexdigest()[:16]
        record = codec.decode(
            codec.parse_note(vector["line"].encode()).lines[vector["id"]]
        )
        assert not isinstance(record, codec.Unknown)
        line = codec.encode(record)
        assert vector["id"] == line.id
        assert vector["line"].split(" ")[:7] == line.raw.decode().split(" ")[:7]
        assert packing.unpack(content) == vector["content"]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (float("nan"), "not a number"),
        (float("inf"), "not a number"),
        (2**63, "outside 64 bits"),
        (-(2**63) - 1, "outside 64 bits"),
        ("\ud800", "surrogate"),
        ({"\udfff": 1}, "surrogate"),
        (object(), "no form"),
    ],
)
def test_what_the_format_refuses_is_named(content: object, word: str) -> None:
    """NaN, infinities, wide integers, surrogates and foreign types are refused."""
    with pytest.raises(codec.CodecError, match=word):
        packing.pack({"key": content})


def test_minus_zero_is_zero() -> None:
    """-0.0 and 0.0 are one value and thus have one form."""
    assert packing.pack([0.0]) == packing.pack([-0.0])
    one, other = (make_run([make_measurement(values=[v])]) for v in (0.0, -0.0))
    assert codec.encode(one).id == codec.encode(other).id


@laws
@given(
    st.lists(runs, max_size=4), st.lists(runs, max_size=4), st.lists(runs, max_size=3)
)
def test_union_is_a_set_union(a: list[Run], b: list[Run], c: list[Run]) -> None:
    """Union is commutative, associative, idempotent, with the empty note as unit."""
    x, y, z = note_of(*a), note_of(*b), note_of(*c)

    assert codec.union([x, y]) == codec.union([y, x])
    assert codec.union([codec.union([x, y]), z]) == codec.union(
        [x, codec.union([y, z])]
    )
    assert codec.union([x, x]) == x
    assert codec.union([x, Note()]) == x
    assert set(a) | set(b) == {
        codec.decode(line) for line in codec.union([x, y]).lines.values()
    }


@laws
@given(st.lists(runs, max_size=4))
def test_a_note_comes_back_equal(some: list[Run]) -> None:
    """Parsing a formatted note gives the note; its lines are in byte order."""
    note = note_of(*some)
    data = codec.format_note(note)

    assert note == codec.parse_note(data)
    assert data.splitlines() == sorted(data.splitlines())


def test_blank_lines_and_trailing_blanks_do_not_matter() -> None:
    """What `git notes append` and editors leave between lines is passed over."""
    note = note_of(make_run(), make_run(started_at=1))
    data = codec.format_note(note).replace(b"\n", b"  \r\n\n\t\n")

    assert note == codec.parse_note(data)


def test_two_compressions_of_one_record_are_one_record() -> None:
    """Bytes of zlib may differ between versions; the id decides."""
    line = codec.encode(make_run())
    head, payload = line.raw.rsplit(b" ", 1)
    packed = zlib.decompress(base64.b64decode(payload))
    other = head + b" " + base64.b64encode(zlib.compress(packed, 1))
    assert other != line.raw

    both = codec.parse_note(line.raw + b"\n" + other + b"\n")

    assert not both.damaged
    assert [min(line.raw, other)] == [one.raw for one in both.lines.values()]
    assert both == codec.parse_note(other + b"\n" + line.raw + b"\n")


def test_a_valid_line_wins_over_a_damaged_one_of_its_id() -> None:
    """A damaged twin never replaces the record, and is kept."""
    line = codec.encode(make_run())
    bad = line.raw[:-8] + b"AAAAAAA="
    one = codec.union([codec.parse_note(bad), codec.parse_note(line.raw)])
    other = codec.union([codec.parse_note(line.raw), codec.parse_note(bad)])

    assert one == other
    assert [line] == list(one.lines.values())
    assert frozenset({bad}) == one.damaged


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.data())
def test_a_cut_or_flipped_byte_is_stated_and_survives(data: st.DataObject) -> None:
    """Any damage to a line gives a stated error or the same value, and the damaged
    line is still there, byte for byte, after the next write."""
    run = make_run([make_measurement("a b|c", [0.25, 0.5])], session="s")
    raw = codec.encode(run).raw
    place = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        hurt = raw[:place]
    else:
        hurt = (
            raw[:place]
            + bytes([raw[place] ^ data.draw(st.integers(1, 255))])
            + raw[place + 1 :]
        )

    note = codec.parse_note(hurt + b"\n")
    read = read_all(note)
    assert read in ([], [run])
    grown = codec.union([note, note_of(make_run(started_at=5))])
    written = codec.format_note(grown)
    if read:
        assert run in [
            codec.decode(line) for line in codec.parse_note(written).lines.values()
        ]
    else:
        for part in filter(lambda p: p.strip(b" \t\r"), hurt.split(b"\n")):
            assert part.rstrip(b" \t\r") in written
        if b"\n" not in hurt and hurt == hurt.rstrip(b" \t\r") and hurt:
            assert hurt in written.split(b"\n")


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_note(data: bytes) -> None:
    """Reading arbitrary bytes raises nothing and loses no line."""
    note = codec.parse_note(data)
    again = codec.parse_note(codec.format_note(note))

    assert note == again


_plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=12), inner, max_size=5)
    ),
    max_leaves=12,
)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.sampled_from(["run", "retract", "restore", "baseline", "other"]), _plain)
def test_a_hostile_payload_is_a_stated_error(kind: str, content: object) -> None:
    """A payload of any structure under a fitting id gives a record or a stated
    error, never anything else."""
    if isinstance(content, dict):
        content = {"kind": kind, **content}
    try:
        packed = msgpack.packb(content)
    except (ValueError, OverflowError):
        return
    known = {
        "run": Run,
        "retract": Retraction,
        "restore": Restoration,
        "baseline": NamedBaseline,
    }
    for record in read_all(codec.parse_note(line_of(kind, packed))):
        assert isinstance(record, known.get(kind, codec.Unknown))


@laws
@given(runs, st.data())
def test_a_run_with_any_part_replaced_is_a_stated_error(
    run: Run, data: st.DataObject
) -> None:
    """Replacing one part of a run's payload gives a run or a stated error."""
    content = packing.unpack(packed_of(codec.encode(run)))
    target: dict[str, object] = content
    if data.draw(st.booleans()):
        target = content["measurements"][0]
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(_plain)
    try:
        packed = msgpack.packb(content)
    except (ValueError, OverflowError):
        return
    for record in read_all(codec.parse_note(line_of("run", packed))):
        assert isinstance(record, Run)


def test_a_bomb_is_refused_while_inflating(monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload that inflates beyond the limit is refused without inflating it."""
    monkeypatch.setattr(codec, "MAX_INFLATED", 100_000)
    payload = base64.b64encode(zlib.compress(bytes(10_000_000))).decode()
    line = codec.parse_note(f"gb1 {'0' * 16} run 0 - - - {payload}".encode())

    with pytest.raises(codec.CodecError, match="inflates beyond"):
        codec.decode(line.lines["0" * 16])


def test_a_run_over_the_limit_is_refused_with_the_ways_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run that does not fit a line is refused, and what helps is named."""
    monkeypatch.setattr(codec, "MAX_LINE", 200)

    with pytest.raises(codec.CodecError, match="--max-values"):
        codec.encode(make_run())


def test_an_unknown_kind_is_kept_and_ignored() -> None:
    """A record of a later version passes through unread."""
    packed = packing.pack({"kind": "verdict", "time": 1, "extra": [1]})
    id_ = hashlib.sha256(packed).hexdigest()[:16]
    raw = f"gb1 {id_} verdict 1 - - - ".encode() + base64.b64encode(
        zlib.compress(packed)
    )
    note = codec.parse_note(raw)

    assert codec.Unknown("verdict") == codec.decode(note.lines[id_])
    assert raw + b"\n" == codec.format_note(note)


def test_an_unknown_key_is_ignored_unless_it_must_be_understood() -> None:
    """A key of a later version is ignored; one with `!` hides the record."""
    record = NamedBaseline("release", "1" * 40, 7)
    plain = packing.unpack(packed_of(codec.encode(record)))
    for key, fine in (("later", True), ("!later", False)):
        raw = line_of("baseline", packing.pack({**plain, key: 1}))
        (line,) = codec.parse_note(raw).lines.values()
        if fine:
            assert record == codec.decode(line)
        else:
            with pytest.raises(codec.CodecError, match="newer gitbench"):
                codec.decode(line)


def test_words_that_contradict_the_payload_are_damage() -> None:
    """A line whose suite was edited by hand is not believed."""
    line = codec.encode(make_run())
    edited = line.raw.replace(b" unit ", b" other ")

    with pytest.raises(codec.CodecError, match="do not agree"):
        codec.decode(codec.parse_note(edited).lines[line.id])


def test_a_payload_with_a_key_twice_or_an_extension_is_refused() -> None:
    """What msgpack would silently accept is refused."""
    for packed in (b"\x82\xa1a\x01\xa1a\x02", b"\xd4\x05\x00", b"\x81\x01\x02"):
        with pytest.raises(codec.CodecError, match="msgpack"):
            packing.unpack(packed)

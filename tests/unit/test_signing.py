"""Signature records, the bytes that are signed, and times that end all others."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.model import MAX_TIME, MIN_TIME
from gitbench.store import codec, packing, signing
from gitbench.store.codec import CodecError, Signature
from tests.factories import make_run
from tests.keys import needs_ssh

VECTORS = Path(__file__).parents[2] / "docs/reference/storage-vectors.json"

digests = st.sets(
    st.binary(min_size=32, max_size=32).map(bytes.hex), min_size=1, max_size=4
).map(lambda found: tuple(sorted(found)))
signatures = st.builds(
    Signature,
    digests,
    st.sampled_from(["openpgp", "ssh", "x509", "later"]),
    st.text(st.characters(codec="utf-8"), max_size=80),
    st.integers(MIN_TIME, MAX_TIME),
    st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(signatures)
def test_a_signature_comes_back(signature: Signature) -> None:
    """Every signature reads back from its line, and survives a note."""
    line = codec.encode(signature)
    note = codec.parse_note(codec.format_note(codec.Note({line.id: line})))

    assert [signature] == [codec.decode(one) for one in note.lines.values()]


@settings(derandomize=True, max_examples=60, deadline=None)
@given(signatures, signatures)
def test_different_signatures_are_over_different_bytes(
    one: Signature, other: Signature
) -> None:
    """What is signed tells apart any two lists of runs, and any two times."""
    texts = [signing.message(each.time, each.runs) for each in (one, other)]

    assert (texts[0] == texts[1]) == ((one.time, one.runs) == (other.time, other.runs))


@pytest.mark.parametrize(
    "runs",
    [
        (),
        ("0" * 63,),
        ("G" * 64,),
        ("A" * 64,),
        ("b" * 64, "a" * 64),
        ("a" * 64, "a" * 64),
        ("a" * 63 + "\n",),
    ],
)
def test_a_list_of_runs_that_is_not_in_its_form_is_damaged(
    runs: tuple[str, ...],
) -> None:
    """A signature over nothing, over what is no digest, or over a list with two
    orders takes no part."""
    line = codec.encode(Signature(runs, "ssh", "x", 5))

    with pytest.raises(CodecError, match="digest"):
        codec.decode(line)


def test_the_digest_of_a_line_begins_with_its_id() -> None:
    """A digest is the whole hash whose start is the id; of a line whose content was
    changed there is none."""
    line = codec.encode(make_run())
    other = codec.encode(make_run(started_at=5))
    assert 64 == len(codec.digest(line))
    assert codec.digest(line).startswith(line.id)

    changed = line.raw.rsplit(b" ", 1)[0] + b" " + other.raw.rsplit(b" ", 1)[1]
    (bad,) = codec.parse_note(changed).lines.values()
    with pytest.raises(CodecError, match="does not fit the id"):
        codec.digest(bad)


def test_the_published_signature_is_over_the_published_bytes() -> None:
    """The specification's vector of what is signed is what this code signs."""
    (vector,) = json.loads(VECTORS.read_text("utf-8"))["signatures"]

    assert vector["message"].encode() == signing.message(vector["time"], vector["runs"])


@needs_ssh
def test_the_published_signature_holds(tmp_path: Path) -> None:
    """ssh-keygen accepts the signature of the specification."""
    vectors = json.loads(VECTORS.read_text("utf-8"))
    (vector,) = vectors["signatures"]
    (record,) = (one for one in vectors["records"] if one["id"] == vector["record"])
    (tmp_path / "allowed").write_text(vector["allowed_signers"] + "\n")
    (tmp_path / "sig").write_text(record["content"]["signature"])
    command = ["ssh-keygen", "-Y", "verify", "-n", "gitbench", "-I", "ada@example.com"]

    done = subprocess.run(
        [*command, "-f", str(tmp_path / "allowed"), "-s", str(tmp_path / "sig")],
        input=vector["message"].encode(),
        capture_output=True,
        check=False,
    )

    assert 0 == done.returncode, done.stderr


@pytest.mark.parametrize("time", [MAX_TIME + 1, MIN_TIME - 1, 2**62])
def test_a_time_at_the_end_of_all_times_is_damaged(time: int) -> None:
    """A record dated so late that none could follow it takes no part, so that it
    cannot keep others from retracting, restoring or naming ever after."""
    packed = packing.pack({"kind": "retract", "time": 0, "runs": [], "reason": "x"})
    with pytest.raises(CodecError, match="years 1 to 9999"):
        codec.encode(codec.Retraction((), "x", time))
    raw = b"gb1 %s retract %d - - - x" % (codec._id(packed).encode(), time)

    assert {raw} == codec.parse_note(raw).damaged

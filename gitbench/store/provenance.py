"""Who vouches for the runs of a note.

A signature is a record of its own in the note of the runs it is over, so that it
goes wherever they go.  It names them by their digests: runs of another note, or
content that was changed, are not what it is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gitbench.model import Run
from gitbench.store import codec, signing
from gitbench.store.codec import CodecError, Note, Signature
from gitbench.store.notes import Notes
from gitbench.store.signing import GOOD, STATES, Keys, Outcome
from gitbench.store.standing import standing

UNSIGNED = "unsigned"

MAX_TRIES = 16
"""Signatures that are looked at for one run: checking one starts programs, and a
hostile note may hold thousands."""


@dataclass(frozen=True, slots=True)
class Vouching:
    """One signature over a run, and what became of checking it."""

    signature: Signature
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Vouched:
    """All signatures over one run that were looked at."""

    signatures: tuple[Vouching, ...] = ()

    @property
    def state(self) -> str:
        """`good` if one of them is; else the least bad, or `unsigned`."""
        found = {one.outcome.state for one in self.signatures}
        return next((state for state in STATES if state in found), UNSIGNED)


class Checker:
    """Checks the signatures of notes, each once a process."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._known: dict[Signature, Outcome] = {}

    def vouched(self, note: Note) -> dict[str, Vouched]:
        """Every run of a note by its id, with the signatures over it.

        Raises `SigningError` where a program that is needed cannot be run.
        """
        over = _signatures(note)
        found = {}
        for line in note.lines.values():
            if line.kind != "run":
                continue
            signatures = over and over.get(_digest(line), [])
            found[line.id] = Vouched(
                tuple([Vouching(one, self.check(one)) for one in signatures or ()])
            )
        return found

    def check(self, signature: Signature) -> Outcome:
        """What became of one signature; the same one is not checked twice."""
        if signature not in self._known:
            self._known[signature] = signing.check(self._keys, signature)
        return self._known[signature]


def _signatures(note: Note) -> dict[str, list[Signature]]:
    """Signatures by the digests that they name, oldest first; those that were
    retracted, or that cannot be read, take no part."""
    over: dict[str, list[Signature]] = {}
    lines = [line for line in note.lines.values() if line.kind == "sign"]
    hidden = standing(note).hidden if lines else {}
    for line in sorted(lines, key=lambda one: (one.time, one.id)):
        try:
            record = codec.decode(line)
        except CodecError:
            continue
        if isinstance(record, Signature) and line.id not in hidden:
            for digest in record.runs:
                signatures = over.setdefault(digest, [])
                if len(signatures) < MAX_TRIES:
                    signatures.append(record)
    return over


def signed(note: Note) -> frozenset[str]:
    """Ids of the runs that a signature in the note is over, whatever it is worth."""
    return frozenset(digest[:16] for digest in _signatures(note))


def _digest(line: codec.Line) -> str:
    try:
        return codec.digest(line)
    except CodecError:
        return ""


class Trust:
    """The rule that only signed runs count, and what it left out so far."""

    def __init__(self, checker: Checker, *, exempt: str | None = None) -> None:
        self._checker = checker
        self._exempt = exempt
        self._states: dict[str, str] = {}
        self.left_out: dict[str, str] = {}
        """Id of every run that did not count -> why, as a word."""

    def accepts(self, commit: str, note: Note) -> frozenset[str]:
        """Ids of the runs of a commit's note that count."""
        if commit == self._exempt:
            return frozenset(note.lines)
        states = {id_: one.state for id_, one in self._checker.vouched(note).items()}
        self._states |= states
        return frozenset(id_ for id_, state in states.items() if state == GOOD)

    def leave_out(self, ids: Iterable[str]) -> None:
        """Remember runs that would have counted but for this rule."""
        self.left_out |= {id_: self._states.get(id_, UNSIGNED) for id_ in ids}

    def summary(self) -> str | None:
        """What was left out, in words; None if nothing was."""
        if not self.left_out:
            return None
        states = list(self.left_out.values())
        counts = [
            f"{states.count(state)} {_WORDS[state]}"
            for state in (*STATES, UNSIGNED)
            if state in states
        ]
        plural = "s have" if len(states) != 1 else " has"
        return (
            f"{len(states)} run{plural} no good signature and did not count, because "
            f"the config says so (trusted): {', '.join(counts)}"
        )


_WORDS = {
    signing.REVOKED: "by a revoked key",
    signing.EXPIRED: "expired",
    signing.UNKNOWN_KEY: "by an unknown key",
    signing.BAD: "with a bad signature",
    UNSIGNED: "unsigned",
}


# ------------------------------------------------------------------ signing


def sign_runs(
    notes: Notes, keys: Keys, runs: Mapping[str, Sequence[Run]], now_ms: int
) -> dict[str, tuple[Signature, ...]]:
    """One signature over all runs that the committer did not sign yet, for the note
    of each commit.

    A run that is recorded already (itself or its origin) is signed as it stands
    there.  Asks the user's key once, whatever the number of runs.
    """
    wanted: dict[str, list[str]] = {}
    for commit, some in runs.items():
        note = notes.note(commit)
        over = _signatures(note)
        for run in some:
            digest = codec.digest(_line(note, run))
            mine = [
                one
                for one in over.get(digest, ())
                if (one.format, one.signer) == (keys.format, keys.identity)
            ]
            if not mine:
                wanted.setdefault(commit, []).append(digest)
    digests = tuple(sorted({one for some in wanted.values() for one in some}))
    if not digests:
        return {}
    text = signing.sign(keys, signing.message(now_ms, digests))
    signature = Signature(digests, keys.format, text, now_ms, keys.identity)
    return dict.fromkeys(wanted, (signature,))


def _line(note: Note, run: Run) -> codec.Line:
    """The line by which a run is recorded, or would be."""
    line = codec.encode(run)
    hidden = standing(note).hidden
    ordered = sorted(note.lines.values(), key=lambda one: one.id in hidden)
    twin = codec.find_origin(ordered, line, run.origin)
    return line if twin is None else note.lines[twin]

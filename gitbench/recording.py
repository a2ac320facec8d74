"""What a tool measured, plus where and when: a `Reading` becomes a `Run`.

Knows neither git nor files; the caller says which commit and machine it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gitbench.centers import process_centers
from gitbench.model import (
    CiContext,
    Measurement,
    ModelError,
    Reading,
    Run,
    Summary,
    Testbed,
)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Where, when and on what a result was made, as far as the recorder knows."""

    commit: str
    tree: str
    dirty: bool
    now_ms: int
    suite: str
    ci: CiContext | None = None
    session: str | None = None
    round: int | None = None
    """Number of the round of the session, where base and head take turns."""
    tags: tuple[tuple[str, str], ...] = ()
    max_values: int | None = None
    again: bool = False
    """Record although the same result was recorded already."""


def make_run(
    reading: Reading, data: bytes, testbed: Testbed, where: Circumstances
) -> Run:
    """The run of one reading; `data` are the bytes that it was read from, or that a
    folder of which it is a part was."""
    suite = where.suite
    measurements = reading.measurements
    if where.max_values is not None:
        measurements = tuple(thin(one, where.max_values) for one in measurements)
    tags = tuple(sorted({**dict(reading.tags), **dict(where.tags)}.items()))
    if reading.started_at is None:
        started_at, source = where.now_ms, "recorder"
    else:
        started_at = reading.started_at
        source = "tool-naive" if reading.naive_time else "tool"
        source = reading.time_source or source
    salt = f"again {where.now_ms}" if where.again else ""
    told = (
        reading.origin
        if (reading.commit, where.again) == (where.commit, False)
        else None
    )
    return Run(
        suite=suite,
        started_at=started_at,
        time_source=source,
        tool=reading.tool,
        testbed=testbed,
        commit=where.commit,
        tree=where.tree,
        dirty=where.dirty,
        # An exported run brings its origin along: the same evidence, not more of it.
        origin=told
        or origin(
            data if reading.evidence is None else reading.evidence,
            suite,
            testbed.fingerprint,
            where.commit,
            salt,
        ),
        measurements=measurements,
        # What it does not say of its job and session it did not have.
        ci=reading.ci or (None if told else where.ci),
        session=reading.session or (None if told else where.session),
        round=where.round if reading.round is None else reading.round,
        tags=tags,
    )


def origin(
    data: bytes, suite: str, fingerprint: str, commit: str, salt: str = ""
) -> str:
    """SHA-256 over a result's bytes, suite, testbed and commit: 64 hex digits.

    Each part is preceded by its length, so that no two lists of parts collide.
    """
    digest = hashlib.sha256()
    for part in (data, suite.encode(), fingerprint.encode(), commit.encode()):
        digest.update(b"%d:" % len(part))
        digest.update(part)
    digest.update(salt.encode())
    return digest.hexdigest()


def one_session(data: Sequence[bytes]) -> str:
    """The session of results that were recorded together in one call."""
    digest = hashlib.sha256(b"".join(hashlib.sha256(one).digest() for one in data))
    return f"record:{digest.hexdigest()[:16]}"


def thin(one: Measurement, limit: int) -> Measurement:
    """Keep at most `limit` values a process, and the exact summary of all.

    The rule: of the sorted values of a process, those at `limit` evenly spaced
    places, smallest and greatest included.
    """
    if all(len(values) <= limit for values in one.processes) or limit < 2:
        return one
    return replace(
        one,
        processes=tuple(_spaced(sorted(v), limit) for v in one.processes),
        summary=one.summary or exact_summary(one),
    )


def without_values(one: Measurement) -> Measurement:
    """A measurement without raw values, of the same center, the same error within the
    run and the same number of values.

    The centers of its processes stay, as `compare` takes them, and a summary of all
    values.  A summary of the tool that lacks what takes the place of the values leaves
    the measurement as it is.
    """
    if all(len(values) == 1 for values in one.processes):
        return one
    try:
        summary = one.summary or exact_summary(one)
    except (ModelError, OverflowError):
        return one  # Its stddev leaves the range of floats.
    if summary.n is None or summary.stddev is None:
        return one
    everything = [value for values in one.processes for value in values]
    low, high = min(everything), max(everything)
    summary = replace(
        summary,
        low=low if summary.low is None else min(low, summary.low),
        high=high if summary.high is None else max(high, summary.high),
    )
    centers = process_centers(one.metric.kind, one.processes)
    return replace(one, processes=tuple((c,) for c in centers), summary=summary)


def exact_summary(one: Measurement) -> Summary:
    """The summary of all values of a measurement that has some."""
    everything = [value for values in one.processes for value in values]
    count = len(everything)
    means = [sum(values) / len(values) for values in one.processes]
    mean = sum(everything) / count
    spread = sum((value - mean) ** 2 for value in everything)
    return Summary(
        # Not of all values: processes may have unequally many.
        center=min(max(sum(means) / len(means), min(everything)), max(everything)),
        of="mean",
        low=min(everything),
        high=max(everything),
        stddev=(spread / (count - 1)) ** 0.5 if count > 1 else None,
        n=count,
    )


def _spaced(ordered: Sequence[float], limit: int) -> tuple[float, ...]:
    if len(ordered) <= limit:
        return tuple(ordered)
    last = len(ordered) - 1
    return tuple(ordered[round(i * last / (limit - 1))] for i in range(limit))

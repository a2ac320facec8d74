"""What a report says of the tests behind it, and of rows that lack sessions for one."""

from __future__ import annotations

from collections.abc import Sequence

from gitbench.model import Comparison, Settings
from gitbench.report.escape import Phrase, Prose, say

_ADJUSTED = {
    "fdr_bh": "adjusted over all gated rows (Benjamini-Hochberg)",
    "holm": "adjusted over all gated rows (Holm)",
    "none": "not adjusted for the number of rows",
}
_UNSHIFTED = "; the suite's own shift is not taken away"
_TESTS = {
    "welch": f"Welch's t test on sessions{_UNSHIFTED}",
    "mann-whitney": "Mann-Whitney's test on sessions, with the change between them by "
    f"Hodges and Lehmann{_UNSHIFTED}",
    "brunner-munzel": "Brunner-Munzel's test on sessions, with the change between them "
    f"by Hodges and Lehmann{_UNSHIFTED}",
    "paired": "a t test on the differences of the rounds that both sides share"
    f"{_UNSHIFTED}",
}
"""Tests besides the default one."""


def p_meaning(settings: Settings) -> Phrase:
    """How to read a p-value of a report."""
    return say(
        "p: one-sided, {adjusted}, significant below {alpha}",
        adjusted=Prose(_ADJUSTED[settings.correction]),
        alpha=Prose(f"{settings.alpha:g}"),
    )


def test_words(rows: Sequence[Comparison]) -> tuple[Phrase, ...]:
    """By what rows were tested, where that is not the default test."""
    tested = [row.method for row in rows if row.p_value is not None]
    return tuple(
        Phrase((Prose(f"{count:,} row{'s' * (count > 1)} by {words}"),))
        for method, words in _TESTS.items()
        if (count := tested.count(method))
    )


def counted_in(rows: Sequence[Comparison]) -> str:
    """What these rows need more of: sessions, or rounds."""
    rounds = (row.method == "paired" or row.reason == "few-rounds" for row in rows)
    return "round" if all(rounds) else "session"


def lacking_step(weak: Sequence[Comparison], base: str, head: str) -> Phrase | None:
    """What to measure so that a chosen method can test; None for the default one.

    `weak` are rows with too few sessions, `base` and `head` short commit ids.
    """
    if any(row.reason == "few-rounds" for row in weak):
        return say(
            "Measure {head} and {base} in turn, in at least five rounds of one "
            "session, and `gitbench record` the results of both.",
            head=head,
            base=base,
        )
    lacking = [row for row in weak if row.sessions_needed]
    of_base = [row for row in lacking if row.reason != "few-head-sessions"]
    if not lacking:
        return None
    more = max(row.sessions_needed or 1 for row in of_base or lacking)
    return say(
        "The chosen method needs more sessions: run the benchmarks at {commit} on {n} "
        "more {occasions}, and `gitbench record` each result.",
        commit=base if of_base else head,
        n=Prose(str(more)),
        occasions=Prose("occasion" if more == 1 else "occasions"),
    )

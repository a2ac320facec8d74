"""Outcomes of a suite's tasks in sentences; none knows a format."""

from __future__ import annotations

from collections.abc import Sequence

from gitbench.model import REASONS, Benchmark, Group, Outcomes, Verdict
from gitbench.report.escape import Phrase, Prose, join, say
from gitbench.report.figures import interval_words, number, p_words, share
from gitbench.units import format_points

_BAD = (Verdict.REGRESSED, Verdict.FAILED)
_IN_HEADLINE = {Verdict.INCONCLUSIVE: "undecided", Verdict.NO_REGRESSION: "not worse"}
_NAMED_SUITES = 3
_MOST_NAMES = 10
"""Tasks that a sentence names before it counts the others."""


def bad_outcomes(groups: Sequence[Group]) -> list[Phrase]:
    """Suites whose tasks failed more often: three by name, the others by number."""
    bad = [(g, o) for g in groups for o in g.outcomes if o.verdict in _BAD]
    phrases = [
        say(
            "suite {suite} regressed in {metric} ({rates})",
            suite=group.suite,
            metric=one.metric,
            rates=Prose(f"{share(one.base_rate)} to {share(one.head_rate)}"),
        )
        for group, one in bad[:_NAMED_SUITES]
    ]
    if len(bad) > _NAMED_SUITES:
        more = Prose(f"{len(bad) - _NAMED_SUITES:,}")
        phrases.append(say("{more} more suites regressed in their outcomes", more=more))
    return phrases


def other_outcomes(groups: Sequence[Group]) -> list[Phrase]:
    """What became of the tasks of suites that are judged together."""
    found: dict[Verdict, int] = {}
    for group in groups:
        for one in group.outcomes:
            if one.verdict not in _BAD:
                found[one.verdict] = found.get(one.verdict, 0) + one.tasks
    return [
        say(
            "{n} together {verdict}",
            n=Prose(number(tasks, "task")),
            verdict=Prose(_IN_HEADLINE.get(verdict, verdict.value)),
        )
        for verdict, tasks in found.items()
    ]


def any_open(groups: Sequence[Group]) -> bool:
    """Whether the outcomes of any suite are undecided."""
    return any(
        one.verdict is Verdict.INCONCLUSIVE
        for group in groups
        for one in group.outcomes
    )


def sentence(one: Outcomes) -> Phrase:
    """How often a suite's tasks passed on both sides, and the verdict on it."""
    numbers = [format_points(one.difference)]
    if one.interval:
        numbers.append(interval_words(one.interval, points=True))
    p = one.p_value if one.p_adjusted is None else one.p_adjusted
    if p is not None:
        numbers.append(f"p {p_words(p)}")
    phrase = say(
        "{metric} of {n} together: {rates} ({numbers}), {verdict}",
        metric=one.metric,
        n=Prose(number(one.tasks, "task")),
        rates=Prose(f"{share(one.base_rate)} to {share(one.head_rate)}"),
        numbers=Prose("; ".join(numbers)),
        verdict=Prose(one.verdict.value),
    )
    if one.reason in (None, "noise"):
        return phrase
    reason = Prose(REASONS.get(one.reason, one.reason))
    return say("{before}: {reason}", before=phrase, reason=reason)


def lists(one: Outcomes) -> tuple[Phrase, ...]:
    """Tasks that flipped for the worse, for the better, and flaky ones."""
    told = (
        ("{n} flipped for the worse: {names}", one.flipped_worse),
        ("{n} flipped for the better: {names}", one.flipped_better),
        (
            "{n} flaky, with successes and failures on one commit; alone they never "
            "turn the gate red: {names}",
            one.flaky,
        ),
    )
    return tuple(
        say(text, n=Prose(f"{len(tasks):,}"), names=_names(tasks))
        for text, tasks in told
        if tasks
    )


def _names(tasks: Sequence[Benchmark]) -> Phrase:
    named = [Phrase((one.label,)) for one in tasks[:_MOST_NAMES]]
    if len(tasks) > _MOST_NAMES:
        named.append(Phrase((Prose(f"{len(tasks) - _MOST_NAMES:,} more"),)))
    return join(", ", named)

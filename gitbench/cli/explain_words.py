"""One verdict in a paragraph: what was seen, how sure it is, what would change it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from gitbench.cli.tables import percent
from gitbench.compare.explanation import ABSENT, Explanation
from gitbench.model import REASONS, Comparison, Verdict
from gitbench.report.words import interval_words, number
from gitbench.units import format_change, format_value


def sentences(one: Explanation) -> list[str]:
    """The paragraph of one row, sentence by sentence; names in it are hostile still."""
    row = one.comparison
    if one.figures is None:
        parts = _untested(one)
    elif row.weak:
        parts = _weak(one)
    else:
        parts = _tested(one)
    return list(parts)


def size(one: Explanation, spread: float) -> str:
    """A standard deviation or a distance: per cent of logs, else in the unit."""
    if one.figures is not None and one.figures.linear:
        return format_value(spread, one.comparison.metric.unit)
    return percent(spread)


def distance(one: Explanation, log: float) -> str:
    """A limit or a change for the worse as people read it, without a sign."""
    if one.figures is not None and one.figures.linear:
        return format_value(log, one.comparison.metric.unit)
    return percent(math.expm1(min(log, 700)))


# ------------------------------------------------------------------ what was seen


def _sides(row: Comparison) -> Iterator[str]:
    """Where the two sides are."""
    unit = row.metric.unit
    head = row.head.center if row.head else None
    base = row.base.center if row.base else None
    if head is None or base is None or row.base is None or row.head is None:
        return
    moved = "" if row.change is None else f", {format_change(row.change)}"
    yield (
        f"Head is at {format_value(head, unit)} "
        f"({number(row.head.sessions, 'session')}), the baseline at "
        f"{format_value(base, unit)} ({number(row.base.sessions, 'session')}){moved}."
    )


def _suite(one: Explanation) -> Iterator[str]:
    """What of the change the whole suite did."""
    row, figures = one.comparison, one.figures
    if figures is None or row.change is None or row.change_adjusted is None:
        return
    if one.shift is None or abs(row.change - row.change_adjusted) < 0.001:
        return
    yield (
        f"The whole suite moved by {format_change(one.shift.change)} between the two; "
        f"without that, {format_change(row.change_adjusted)} is this row's own."
    )


def _step(one: Explanation) -> Iterator[str]:
    if one.step is None:
        return
    unit = one.comparison.metric.unit
    yield (
        "The baseline itself moved inside the window, from "
        f"{format_value(one.step.before, unit)} to "
        f"{format_value(one.step.level, unit)}; only its newest "
        f"{number(one.step.newest, 'session')} are what head is held against."
    )


def _noise(one: Explanation) -> Iterator[str]:
    """How much the row varies, and how that is known."""
    figures = one.figures
    if figures is None or figures.error <= 0:
        return
    own = f"its own sessions say {size(one, figures.own)}"
    also = ""
    if figures.prior_df > 0:
        who = "of a small suite is assumed" if figures.assumed else "all rows say"
        also = f", {who} {size(one, figures.prior)}"
    if figures.within > 0 and figures.moderated <= figures.within * 1.0001:
        also += f", and values inside a session alone {size(one, figures.within)}"
    yield (
        f"From session to session this row is taken to vary by "
        f"{size(one, figures.moderated)} ({own}{also})."
    )
    if figures.head > figures.moderated * 1.05:
        yield (
            f"Head is noisier than that: {size(one, figures.head)} a session, by its "
            "own values."
        )


def _chance(one: Explanation) -> Iterator[str]:
    """What the p-value says."""
    row, figures = one.comparison, one.figures
    if figures is None or row.p_value is None:
        return
    sentence = (
        "If nothing had changed, a difference at least this far to that side would "
        f"come up by chance with probability {p_value(row.p_value)}"
    )
    if row.p_adjusted is not None and one.tests > 1:
        sentence += (
            f"; corrected for the {one.tests} tests of this comparison that is "
            f"{p_value(row.p_adjusted)}"
        )
    yield f"{sentence} (alpha is {one.alpha:g})."


def p_value(p: float) -> str:
    """A p-value in a sentence."""
    return "under 0.0001" if p < 0.0001 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


# ------------------------------------------------------------------ tested rows


def _tested(one: Explanation) -> Iterator[str]:
    row = one.comparison
    yield from _sides(row)
    yield from _suite(one)
    yield from _step(one)
    yield from _noise(one)
    yield from _chance(one)
    if row.reason == "over-max":
        yield from _untested_verdict(one)
        return
    special = _BY_REASON.get(row.reason or "")
    general = _BY_VERDICT.get(row.verdict)
    chosen = special or general
    if chosen is None:
        yield from _untested_verdict(one)
    else:
        yield from chosen(one)
    if not row.gated:
        yield "The row is not gated, so it does not bear on the exit code."


def _limit(one: Explanation) -> str:
    row = one.comparison
    figures = one.figures
    if row.limit is not None:
        return format_change(row.limit)
    return distance(one, figures.worse) if figures is not None else "the limit"


def _red(one: Explanation) -> Iterator[str]:
    figures = one.figures
    assert figures is not None
    yield (
        f"That is significant, and beyond the limit of {_limit(one)}: the row is "
        "regressed."
    )
    yield (
        "It would not be red if the rule for it allowed more than "
        f"{distance(one, figures.delta)} ([[rule]] with threshold), or if the change "
        "were accepted with a reason (gitbench accept). Measure head once more if you "
        "doubt it: a further session counts beside this one, and a spike does not come "
        "twice."
    )


def _better(one: Explanation) -> Iterator[str]:
    figures = one.figures
    assert figures is not None
    yield (
        f"That is significant, and better by more than {distance(one, figures.better)}:"
        " the row is improved. A further session of head that does not show it would "
        "take the word back."
    )


def _same(one: Explanation) -> Iterator[str]:
    figures, row = one.figures, one.comparison
    assert figures is not None
    if row.interval is not None:
        yield (
            f"The interval of {interval_words(row.interval)} lies within the limits of "
            f"{distance(one, figures.worse)} to either side: the row is unchanged."
        )
    else:
        yield "The row is unchanged."
    yield from _would_be_seen(one)


def _no_regression(one: Explanation) -> Iterator[str]:
    row = one.comparison
    within = f" of {interval_words(row.interval)}" if row.interval else ""
    yield (
        f"The interval{within} excludes a regression beyond {_limit(one)}, but not an "
        "improvement of that size: no-regression, which is not to say unchanged."
    )
    yield from _would_be_seen(one)


def _would_be_seen(one: Explanation) -> Iterator[str]:
    figures = one.figures
    if figures is not None and figures.error > 0 and math.isfinite(figures.visible):
        yield (
            "To be called regressed it has to be truly worse by about "
            f"{distance(one, figures.visible)}; that much is found in four of five "
            "cases."
        )


def _too_noisy(one: Explanation) -> Iterator[str]:
    figures, row = one.figures, one.comparison
    assert figures is not None
    between = f" of {interval_words(row.interval)}" if row.interval else ""
    yield (
        f"The interval{between} holds both no regression and one beyond {_limit(one)}, "
        "so the noise is too large to decide."
    )
    yield _needed(one)
    bad = figures.delta + figures.half_width
    if math.isfinite(bad) and bad > figures.worse:
        yield (
            f"With a threshold above {distance(one, bad)} the same numbers would say "
            "that there is no regression."
        )
    yield from _more_of_what(one)


def _needed(one: Explanation) -> str:
    needed = one.comparison.sessions_needed
    if needed:
        more = "sessions" if needed > 1 else "session"
        return (
            f"If the change stays as it is, {needed} further {more} of head would "
            "decide."
        )
    return (
        "No number of further sessions of head, up to 50, would decide if the change "
        "stays as it is; more sessions of the baseline, or a quieter machine, may."
    )


def _more_of_what(one: Explanation) -> Iterator[str]:
    """Whether iterations or sessions are what is lacking."""
    figures = one.figures
    if figures is None or figures.within <= 0 or figures.moderated <= 0:
        return
    share = min((figures.within / figures.moderated) ** 2, 1.0)
    if share > 0.5:
        yield (
            f"{percent(share)} of the variance is inside the sessions: more iterations "
            "or processes a run help."
        )
    else:
        yield (
            f"Only {percent(share)} of the variance is inside the sessions: more "
            "iterations hardly help, more sessions do."
        )


def _with_suite(one: Explanation) -> Iterator[str]:
    shift = one.shift
    moved = "" if shift is None else f" by {format_change(shift.change)}"
    yield (
        f"It moved together with the whole suite{moved}, so the suite is what is "
        "judged, in a row of its own, and this row is inconclusive. Look there first: "
        "a machine in another state, or a change that all benchmarks share."
    )


def _suite_unsure(one: Explanation) -> Iterator[str]:
    yield (
        "Against the rest of the suite it did not move, but the suite itself did, or "
        "may have, so it is not called unchanged. Another session of head would tell "
        "whether the suite's move stays."
    )


def _one_session_level(one: Explanation) -> Iterator[str]:
    yield (
        "The newest level is a single session, and head is not worse than the level "
        "before it, so that session may be the odd one: the row is inconclusive. One "
        "more session of the baseline would decide."
    )


def _raw_not(one: Explanation) -> Iterator[str]:
    word = "worse" if one.comparison.reason == "raw-not-regressed" else "better"
    yield (
        f"It is {word} only against a suite that moved the other way, and not in "
        "itself: the row is inconclusive. A threshold does not change that; a session "
        "in which the suite stays put would."
    )


def _flat(one: Explanation) -> Iterator[str]:
    yield (
        "The sessions of this row never varied, so nobody can say what a difference "
        'means. If it is a count that does not vary, declare its kind "exact", and any '
        "change counts."
    )


def _not_positive(one: Explanation) -> Iterator[str]:
    yield (
        "There are zeros or negative values, of which no percentage can be taken, so "
        "only a distance can be red: give the row a rule with min_change."
    )


def _no_direction(one: Explanation) -> Iterator[str]:
    yield (
        "Nobody told which way is better in this metric, so the change is shown and "
        'judged by nobody. Results with "better": "lower" or "higher" are gated.'
    )


def _small(one: Explanation) -> Iterator[str]:
    yield (
        "The change is beyond the threshold but smaller than the rule's min_change, "
        f"which is {_limit(one)} here: it is not red whatever its percentage."
    )


Sentences = Callable[[Explanation], Iterator[str]]

_BY_VERDICT: dict[Verdict, Sentences] = {
    Verdict.REGRESSED: _red,
    Verdict.IMPROVED: _better,
    Verdict.UNCHANGED: _same,
    Verdict.NO_REGRESSION: _no_regression,
    Verdict.INCONCLUSIVE: _too_noisy,
}
_BY_REASON: dict[str, Sentences] = {
    "noise": _too_noisy,
    "moved-with-suite": _with_suite,
    "suite-shift": _suite_unsure,
    "latest-level-one-session": _one_session_level,
    "raw-not-regressed": _raw_not,
    "raw-not-improved": _raw_not,
    "no-spread": _flat,
    "not-positive": _not_positive,
    "no-direction": _no_direction,
    "below-min-change": _small,
}


# ----------------------------------------------------------- weak and settled rows


def _weak(one: Explanation) -> Iterator[str]:
    row = one.comparison
    sessions = sum(session.part != ABSENT for session in one.window)
    yield from _sides(row)
    yield (
        f"The window has {number(sessions, 'session')} of this row, which cannot tell "
        "how much it varies from run to run, so nothing is tested."
    )
    if row.verdict is Verdict.REGRESSED:
        yield (
            "It is red all the same because the change is gross: the median more than "
            "doubled and every value of head is worse than every one of the baseline."
        )
    elif row.verdict is Verdict.IMPROVED:
        yield (
            "It is called improved all the same because the change is gross: the "
            "median is less than half, and no values overlap."
        )
    elif row.verdict is Verdict.ACCEPTED:
        yield from _untested_verdict(one)
    else:
        yield (
            "Only a gross change would be believed (beyond twice, no values that "
            "overlap, five values a side), and this is none, so it is inconclusive."
        )
    lack = max(3 - sessions, 1)
    occasions = "occasion" if lack == 1 else "occasions"
    yield (
        f"Record the suite on {lack} more {occasions} on commits of the baseline, at "
        "least ten minutes apart, and the row can be tested."
    )


def _untested(one: Explanation) -> Iterator[str]:
    yield from _sides(one.comparison)
    yield from _untested_verdict(one)


def _untested_verdict(one: Explanation) -> Iterator[str]:
    """Verdicts that follow from no test."""
    row = one.comparison
    reason = REASONS.get(row.reason or "", row.reason or "")
    if row.verdict is Verdict.NEW:
        why = one.group.reason if row.reason == "no-baseline" else None
        yield why or "It was measured in head and not in the baseline."
        yield (
            "There is nothing to compare with; it is compared once a commit on the way "
            "back from head has results of it."
        )
    elif row.verdict is Verdict.MISSING:
        what = "skipped in head" if row.reason else "not measured in head"
        yield (
            f"The baseline has results of it, and it was {what}. If it was dropped on "
            "purpose nothing has to be done; if it must never be missing, name it "
            "under [required]."
        )
    elif row.reason == "over-max":
        yield (
            "Head is over the absolute budget (max) of the rule for this row: it is "
            "failed, whatever the baseline says. A smaller number or a larger budget "
            "would change that."
        )
    elif row.reason == "required-missing":
        yield (
            "The configuration requires it, and head has no results of it: it is "
            "failed. Measure it, or take it out of [required]."
        )
    elif row.verdict is Verdict.FAILED:
        yield (
            "The benchmark itself failed in head's newest run, so there is no number "
            "to judge. A run in which it succeeds is compared."
        )
    elif row.verdict is Verdict.INCOMPARABLE:
        yield (
            f"The two sides cannot be compared: {reason or 'they are not alike'}. It "
            "is compared again once a commit of the baseline was measured the same way."
        )
    elif row.verdict is Verdict.ACCEPTED:
        yield (
            "It is worse by more than its limit, and that was accepted with a reason "
            "(gitbench accept). It would be red if it were worse than what was "
            "accepted; the entry counts until the change has landed in the baseline."
        )
    elif row.method == "exact":
        yield from _exact(one)
    else:
        because = f": {reason}" if reason else ""
        yield f"The verdict is {row.verdict.value}{because}."


def _exact(one: Explanation) -> Iterator[str]:
    row = one.comparison
    limit = row.threshold or 0.0
    yield (
        "This is a deterministic count, so one run a side is enough and no noise is "
        "taken into account: "
        + (
            "any change for the worse is red."
            if limit == 0
            else f"a change beyond {percent(limit)} for the worse is red."
        )
    )
    if row.reason == "repeats-differ":
        yield (
            "Its repeats differ, and the two sides overlap, so it is inconclusive. "
            "Find out what makes it vary, or declare another kind than exact."
        )
    else:
        yield f"The verdict is {row.verdict.value}."
    if row.verdict is Verdict.REGRESSED:
        yield "A rule with a larger threshold or min_change would let it pass."

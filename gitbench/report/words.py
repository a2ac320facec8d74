"""What a report says, in sentences: the verdict, the baseline, the next step.

Every function turns numbers of the model into a `Phrase`; none knows a format.
The headline never claims more than the rows do: it says "no regression" only if
every compared row was decided, and never that anything passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitbench.model import (
    REASONS,
    Baseline,
    Comparison,
    Group,
    Report,
    Settings,
    Shift,
    Verdict,
)
from gitbench.report import methods, outcome_words
from gitbench.report.escape import Phrase, Prose, join, say
from gitbench.report.figures import (
    change_words,
    interval_words,
    number,
    p_words,
    percent,
    share,
)
from gitbench.units import format_change, format_duration

__all__ = ["change_words", "interval_words", "number", "p_words", "percent", "share"]

Counts = Sequence[tuple[Verdict, int]]

NONE = Prose("–")
"""Stands where a number is undefined."""
WORTH_A_WORD = 0.01
"""A suite shift of a point or more is always told; raw and adjusted changes that
differ by more than a point are shown side by side."""
ENOUGH_SESSIONS = 3
"""Sessions of a window from which on noise can be told; fewer make a row weak."""

_IN_HEADLINE = {
    Verdict.INCONCLUSIVE: "undecided",
    Verdict.INCOMPARABLE: "not comparable",
    Verdict.NO_REGRESSION: "not worse",
}
"""Verdicts that a sentence calls by another word than a table."""
_NAMED_SHIFTS = 3
_NAMED_ACCEPTED = 5
_TOGETHER = "judged-together"
"""Reason of rows that the outcomes of their suite speak for."""
_BAD = (Verdict.REGRESSED, Verdict.FAILED)
_NUMBERS = ("no", "one", "two", "three")


def short(commit: str) -> str:
    """A commit id as people write it; any other text as it is."""
    hexadecimal = set(commit) <= set("0123456789abcdef")
    return commit[:8] if hexadecimal and len(commit) in (40, 64) else commit


# ------------------------------------------------------------------------ headline


def count_rows(rows: Iterable[Comparison]) -> Counts:
    """Number of rows of each row verdict, all verdicts present, worst first."""
    found = dict.fromkeys(Verdict, 0)
    del found[Verdict.NOT_COMPARED]
    for row in rows:
        found[row.verdict] += 1
    return tuple(found.items())


def headline(
    verdict: Verdict, rows: Sequence[Comparison], groups: Sequence[Group], weak: str
) -> Phrase:
    """The verdict of a report, or of one group of it, in one sentence."""
    counts = dict(count_rows(rows))
    # What is judged together stands in the outcomes.
    counts[Verdict.INCONCLUSIVE] -= sum(row.reason == _TOGETHER for row in rows)
    apart = _listed(counts, [v for v in counts if not v.compared])
    left = [v for v in counts if v.compared and v not in _BAD]
    bad = (
        _bad_shifts(groups)
        + outcome_words.bad_outcomes(groups)
        + [p for v in _BAD for p in _bad_rows(v, rows)]
    )
    rest = outcome_words.other_outcomes(groups) + _listed(counts, left)
    amber = sum(row.amber for row in rows)
    if amber:
        rest = [*rest, say("{n} beyond the warning level", n=Prose(f"{amber:,}"))]
    if verdict is Verdict.NOT_COMPARED:
        what = "nothing was compared"
        return say(what + " ({rows})", rows=join(", ", apart)) if apart else say(what)
    if bad:
        sentence = join(", ", bad + rest)
    elif counts[Verdict.INCONCLUSIVE] or outcome_words.any_open(groups):
        sentence = say("no regression found; {rest}", rest=join(", ", rest))
        seen = sensitivity(groups, rows, weak)
        if seen:
            sentence = say("{before}; {seen}", before=sentence, seen=seen)
    else:
        sentence = say("no regression: {rest}", rest=join(", ", rest))
    if apart:
        others = join(", ", apart)
        sentence = say("{before}; not compared: {rows}", before=sentence, rows=others)
    return sentence


def _bad_shifts(groups: Sequence[Group]) -> list[Phrase]:
    """Suites that regressed as a whole: three by name, the others by number."""
    bad = [(g, s) for g in groups for s in g.shifts if s.verdict is Verdict.REGRESSED]
    phrases = [
        say(
            "suite {suite} regressed as a whole ({metric} {change})",
            suite=group.suite,
            metric=shift.metric,
            change=Prose(format_change(shift.change)),
        )
        for group, shift in bad[:_NAMED_SHIFTS]
    ]
    if len(bad) > _NAMED_SHIFTS:
        more = Prose(f"{len(bad) - _NAMED_SHIFTS:,}")
        phrases.append(say("{more} more whole suites regressed", more=more))
    return phrases


def _bad_rows(verdict: Verdict, rows: Sequence[Comparison]) -> list[Phrase]:
    gated = sum(row.verdict is verdict and row.gated for row in rows)
    free = sum(row.verdict is verdict and not row.gated for row in rows)
    phrases = []
    if gated:
        phrases.append(Phrase((Prose(f"{gated:,} {verdict.value}"),)))
    if free:
        phrases.append(Phrase((Prose(f"{free:,} {verdict.value} but not gated"),)))
    return phrases


def _listed(counts: dict[Verdict, int], verdicts: Sequence[Verdict]) -> list[Phrase]:
    return [
        Phrase((Prose(f"{counts[v]:,} {_IN_HEADLINE.get(v, v.value)}"),))
        for v in verdicts
        if counts[v]
    ]


def sensitivity(
    groups: Sequence[Group], rows: Sequence[Comparison], weak: str
) -> Phrase | None:
    """What this gate can see; of several groups the one that sees least counts."""
    known = [group.sensitivity for group in groups if group.sensitivity]
    if known:
        half, most = (percent(max(one[i] for one in known)) for i in (0, 1))
        if half == most:
            text = f"this gate can see ≥ {most} in nine of ten rows"
        else:
            text = (
                f"this gate can see ≥ {half} in half of the rows, "
                f"≥ {most} in nine of ten"
            )
        return Phrase((Prose(text),))
    if any(row.weak for row in rows):
        text = "only changes beyond 2 ×" if weak == "gross" else "no change at all yet"
        return Phrase((Prose(f"this gate can see {text}"),))
    return None


def gate(report: Report) -> Phrase | None:
    """What the verdicts mean for the exit code, where that is not plain."""
    fails_on = ", ".join(v.value for v in report.settings.fail_on) or "nothing"
    if report.exit_code == 1:
        return say("The gate fails (exit code 1).")
    if report.verdict is Verdict.NOT_COMPARED:
        if report.exit_code == 0:
            return say(
                'The gate does not fail, because on_no_baseline is "pass" '
                "(exit code 0)."
            )
        code = Prose(str(report.exit_code))
        return say("Nothing compared is not a pass (exit code {code}).", code=code)
    bad = any(row.verdict in _BAD for row in report.comparisons)
    if bad or report.verdict in _BAD:
        return say(
            "The gate does not fail (exit code 0): it is set to fail on {verdicts}.",
            verdicts=Prose(fails_on),
        )
    return None


# ------------------------------------------------------------------- the two sides


def title(group: Group, metric: str | None) -> Phrase:
    """Suite and testbed of a group, and its metric if it has only one."""
    phrase = say(
        "suite {suite} on {testbed}", suite=group.suite, testbed=group.testbed.name
    )
    if metric is None:
        return phrase
    return say("{before} ({metric})", before=phrase, metric=metric)


def head_words(group: Group, head: str, rows: Sequence[Comparison]) -> Phrase:
    """Which commit is head, and the runs behind it."""
    sessions = max((row.head.sessions for row in rows if row.head), default=0)
    files = group.baseline is not None and group.baseline.rule == "files"
    phrase = say(
        "{commit}, {runs}",
        commit=head if files else short(group.head.commit),
        runs=Prose(_runs(len(group.head.runs), sessions)),
    )
    if group.head.stand_in:
        return say(
            "{before}, recorded at {commit}, which has the same tree",
            before=phrase,
            commit=short(group.head.stand_in),
        )
    return phrase


def _runs(runs: int, sessions: int) -> str:
    text = number(runs, "run")
    if not sessions or runs == sessions == 1:
        return text
    return f"{text} in {number(sessions, 'session')}"


_RULES = {
    "merge-base": "the merge base of head and {base}",
    "first-parent": "head's first parent, since head is on {base}",
    "test-merge": "the first parent of the test merge that head is",
    "commit": "the commit asked for as {base}",
    "named": "the commit saved as {base}",
}


def baseline_words(baseline: Baseline, base: str) -> Phrase:
    """Which commit is the baseline, by which rule, how far and how old."""
    if baseline.rule == "files":
        return say("the results in {base}", base=base)
    if baseline.rule in _RULES:
        start = say(_RULES[baseline.rule], base=base)
    else:
        start = say(
            "found by the rule {rule} from {base}", rule=baseline.rule, base=base
        )
    phrase = say("{commit}, ", commit=short(baseline.commit))
    if baseline.distance:
        back = Prose(number(baseline.distance, "commit"))
        where = say("{n} before {start}", n=back, start=start)
        phrase = say("{commit}{where}", commit=phrase, where=where)
    else:
        phrase = say("{commit}{start}", commit=phrase, start=start)
    age = _age(baseline.age_s)
    if age:
        phrase = say("{before}; {age}", before=phrase, age=Prose(age))
    if baseline.stand_in:
        phrase = say(
            "{before}; it has the tree of {commit}, whose runs stand in",
            before=phrase,
            commit=short(baseline.stand_in),
        )
    return phrase


def _age(seconds: int | None) -> str:
    if seconds is None:
        return ""
    if seconds == 0:
        return "as old as head"
    order = "older" if seconds > 0 else "newer"
    return f"{format_duration(abs(seconds))} {order}"


def window_words(baseline: Baseline, rows: Sequence[Comparison]) -> Phrase:
    """How many runs and sessions of how many commits stand behind the baseline."""
    runs = sum(len(one.runs) for one in baseline.window)
    sessions = base_sessions(rows)
    text = _runs(runs, sessions)
    if len(baseline.window) > 1:
        text += f", of {number(len(baseline.window), 'commit')}"
    return Phrase((Prose(text),))


def base_sessions(rows: Sequence[Comparison]) -> int:
    """The most sessions that any row has behind its base."""
    return max((row.base.sessions for row in rows if row.base), default=0)


def shift_words(shift: Shift) -> Phrase | None:
    """How the whole suite moved, if that is worth a word."""
    decided = (Verdict.REGRESSED, Verdict.IMPROVED)
    if abs(shift.change) < WORTH_A_WORD and shift.verdict not in decided:
        return None
    phrase = say(
        "the whole suite moved by {change} in {metric}",
        change=Prose(format_change(shift.change)),
        metric=shift.metric,
    )
    numbers = []
    if shift.interval:
        numbers.append(interval_words(shift.interval))
    p = shift.p_value if shift.p_adjusted is None else shift.p_adjusted
    if p is not None:
        numbers.append(f"p {p_words(p)}")
    if numbers:
        inner = Prose("; ".join(numbers))
        phrase = say("{before} ({numbers})", before=phrase, numbers=inner)
    return say(
        "{before}: {verdict}; rows are judged without it",
        before=phrase,
        verdict=Prose(shift.verdict.value),
    )


# -------------------------------------------------------------------------- reasons

_NO_REASON = {
    Verdict.NEW: "measured in head, not in the baseline",
    Verdict.MISSING: "measured in the baseline, not in head",
}


def reason_words(row: Comparison) -> str | None:
    """Why a row has its verdict; an unknown code of another version as it is."""
    if row.reason:
        return REASONS.get(row.reason, row.reason)
    if row.verdict is Verdict.REGRESSED and row.weak:
        return "beyond 2 ×, and every value of head is worse than every one of base"
    return _NO_REASON.get(row.verdict)


def row_detail(row: Comparison) -> Phrase | None:
    """What has to be said of one row alone: a message, a warning, a hard reason."""
    phrases = []
    reason = reason_words(row)
    own = row.verdict in _BAD or row.note is not None
    if own and reason:
        phrases.append(Phrase((Prose(reason),)))
    if row.note and row.verdict is not Verdict.ACCEPTED:  # in `accepted_words`
        before = "{note}" if phrases else "because: {note}"
        phrases.append(say(before, note=Prose(row.note)))
    text = [join(": ", phrases)] if phrases else []
    text += [say("warning: {text}", text=Prose(one)) for one in row.warnings]
    if row.amber:
        text.append(say("significant, and beyond the warning level of its rule"))
    if row.verdict is Verdict.REGRESSED and not row.gated:
        text.append(say("not gated"))
    return join("; ", text) if text else None


def accepted_words(rows: Sequence[Comparison]) -> tuple[Phrase, ...]:
    """Accepted changes with their reasons, one phrase for each reason."""
    alike: dict[str, list[Comparison]] = {}
    for row in rows:
        if row.verdict is Verdict.ACCEPTED:
            alike.setdefault(row.note or "no reason given", []).append(row)
    return tuple(_accepted(reason, some) for reason, some in alike.items())


def _accepted(reason: str, rows: list[Comparison]) -> Phrase:
    names = [
        say(
            "{row} ({metric} {change})",
            row=row.benchmark.label,
            metric=row.metric.name,
            change=Prose(format_change(_judged(row))),
        )
        for row in rows[:_NAMED_ACCEPTED]
    ]
    if len(rows) > len(names):
        names.append(say("{n} more", n=Prose(f"{len(rows) - len(names):,}")))
    return say("{names}: {reason}", names=join(", ", names), reason=Prose(reason))


def _judged(row: Comparison) -> float | None:
    """The change that a verdict is about."""
    return row.change if row.change_adjusted is None else row.change_adjusted


def limit_words(row: Comparison) -> str:
    """A row's limit as a change, and whether it follows from the row's noise."""
    return change_words(row, row.limit) + (" (auto)" if row.threshold_auto else "")


_FEW = ("one-session", "few-sessions")


def reason_counts(rows: Sequence[Comparison]) -> tuple[Phrase, ...]:
    """Why rows were not decided or not compared, one phrase for rows alike."""
    groups: dict[tuple[Verdict, str], list[Comparison]] = {}
    wanted = (Verdict.INCONCLUSIVE, *(v for v in Verdict if not v.compared))
    for row in rows:
        reason = reason_words(row)
        told = row.note or (row.weak and row.reason in _FEW)  # in `weak_words`
        if row.verdict in wanted and reason and not told:
            groups.setdefault((row.verdict, reason), []).append(row)
    return tuple(
        _reason_count(verdict, reason, alike)
        for (verdict, reason), alike in groups.items()
    )


def _reason_count(verdict: Verdict, reason: str, rows: list[Comparison]) -> Phrase:
    text = f"{len(rows):,} {verdict.value}: {reason}"
    needed = [row.sessions_needed for row in rows if row.sessions_needed]
    if needed:
        low, high = min(needed), max(needed)
        span = f"{low}" if low == high else f"{low} to {high}"
        noun = methods.counted_in(rows) + ("" if high == 1 else "s")
        which = "would be enough" if rows[0].weak else "would decide"
        text += f"; {span} further {noun} {which}"
        if len(needed) < len(rows):
            text += f" {len(needed):,} of them"
    trials = [row.trials_needed for row in rows if row.trials_needed]
    if trials:
        low, high = min(trials), max(trials)
        span = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        text += f"; {span} trials a side would show that none fell, if none did"
    return Phrase((Prose(text + "."),))


def weak_words(rows: Sequence[Comparison], settings: Settings) -> Phrase | None:
    """What so few sessions can tell and what they cannot."""
    if not any(row.weak for row in rows):
        return None
    few = [row for row in rows if row.weak and row.reason in _FEW]
    sessions = min((r.base.sessions for r in rows if r.weak and r.base), default=1)
    some = _NUMBERS[min(sessions, len(_NUMBERS) - 1)]
    some += " session" if sessions == 1 else " sessions"
    some += " of the baseline"
    if sessions >= ENOUGH_SESSIONS:
        some = "so few, by the chosen method,"
    if settings.weak == "gross":
        can = (
            "Only a change for the worse beyond 2 ×, in which every value of head is "
            "worse than every value of the baseline, is called regressed; anything "
            "smaller stays undecided, and nothing is called unchanged."
        )
    else:
        can = "So no row is called regressed, improved or unchanged."
    if any(rule.weak not in (None, settings.weak) for rule in settings.rules):
        can += " A rule may say otherwise of its rows."
    return say(
        "{some} cannot tell a change from the noise between runs. {can}",
        some=Prose(f"{len(few):,} inconclusive: {some}" if few else some.capitalize()),
        can=Prose(can),
    )


def next_step(
    group: Group, rows: Sequence[Comparison], settings: Settings
) -> Phrase | None:
    """What to do next about one group, if anything helps."""
    baseline = group.baseline
    if baseline is None:
        return None
    weak = [row for row in rows if row.weak]
    if weak and baseline.rule == "files":
        return say(
            "One result a side tells no more than this. Measure both sides on at "
            "least two more occasions, and `gitbench record` each result on its "
            "commit, so that they add up."
        )
    sides = short(baseline.commit), short(group.head.commit)
    if lacking := methods.lacking_step(weak, *sides):
        return lacking
    if weak:
        have = min((row.base.sessions for row in weak if row.base), default=1)
        missing = max(1, ENOUGH_SESSIONS - have)
        return say(
            "Measure the baseline on {n} more {occasions}: run the benchmarks at "
            "{commit} on {testbed}, and `gitbench record` each result. From three "
            "sessions on, gitbench can tell a change from noise.",
            n=Prose(_NUMBERS[missing]),
            occasions=Prose("occasion" if missing == 1 else "occasions"),
            commit=short(baseline.commit),
            testbed=group.testbed.name,
        )
    if _may_be_a_spike(group, rows):
        return say(
            "A single session of head can be a spike. To confirm, run the benchmarks "
            "at {commit} once more and `gitbench record` the result: it adds a "
            "session and replaces none.",
            commit=short(group.head.commit),
        )
    if any(row.verdict is Verdict.INCONCLUSIVE and row.sessions_needed for row in rows):
        return say(
            "To decide more rows, run the benchmarks at {commit} on further occasions "
            "and `gitbench record` each result: every one adds a session.",
            commit=short(group.head.commit),
        )
    return None


def _may_be_a_spike(group: Group, rows: Sequence[Comparison]) -> bool:
    """Whether something red rests on a single session of head."""
    timed = [row for row in rows if row.method not in ("exact", "budget", "paired")]
    whole = [one.verdict for one in group.shifts]
    whole += [one.verdict for one in group.outcomes]
    if Verdict.REGRESSED not in whole:
        timed = [r for r in timed if r.verdict is Verdict.REGRESSED and r.gated]
    return any(row.head is not None and row.head.sessions == 1 for row in timed)

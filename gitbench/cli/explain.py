"""`gitbench explain`."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from gitbench import baseline as baselines
from gitbench.cli import ci, one_line
from gitbench.cli.compare import Overrides, find_question, without_fork_config
from gitbench.cli.tables import aligned, percent
from gitbench.cli.workspace import (
    open_workspace,
    ref_option,
    terminal_width,
    wants_colour,
    writes_unicode,
)
from gitbench.errors import GitbenchError
from gitbench.export import moment
from gitbench.model import Comparison, Group, Report, Settings
from gitbench.units import format_change, format_value

if TYPE_CHECKING:
    from gitbench.compare.explanation import Explanation, Session
    from gitbench.report.terminal import Terminal

EPILOG = """\b
Examples:
  gitbench explain parse                  HEAD with the default branch
  gitbench explain 'sort [n=1000]' main   ... with where it branched off main
  gitbench explain 'parse/*' v1.2 HEAD --metric duration
  gitbench explain parse --json

Exit codes: 0 explained, 3 nothing could be compared, 4 any other error.
"""

MOST = 4
"""More rows than this are listed, not explained."""

NOTHING = 3


class ExplainError(GitbenchError):
    """There is no such row to explain."""


@click.command(epilog=EPILOG)
@click.argument("benchmark")
@click.argument("base", required=False)
@click.argument("head", default="HEAD")
@click.option("--metric", metavar="NAME", help="Only this metric.")
@click.option("--suite", metavar="NAME", help="Only this suite.")
@click.option("--threshold", metavar="PERCENT", help="Red beyond this, as 5%.")
@click.option("--alpha", type=float, metavar="A", help="Chance of a false alarm.")
@click.option("--window", type=click.IntRange(1, 1000), help="Sessions to look back.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@ref_option
def explain(
    benchmark: str,
    base: str | None,
    head: str,
    metric: str | None,
    suite: str | None,
    threshold: str | None,
    alpha: float | None,
    window: int | None,
    as_json: bool,
    ref: str | None,
) -> int:
    """Show everything behind one verdict, with a picture and in words.

    It is the verdict that gitbench compare BASE HEAD gives.  BENCHMARK is a name, a
    name with its parameters, or a glob; several rows are listed.
    """
    overrides = Overrides(threshold, alpha)
    overrides.apply(Settings())
    work = open_workspace(ref)
    job = ci.detect(work.environ)
    if job is not None and job.from_fork:
        work = without_fork_config(work, job, ref)
    limits = baselines.Limits(
        work.config.max_distance,
        window or work.config.window,
        work.config.window_distance,
    )
    question = find_question(work, base, head, job, limits, overrides)
    from gitbench.compare import compare_in_detail
    from gitbench.compare.explanation import explain as explain_rows

    detail = compare_in_detail(
        question.groups,
        question.settings,
        head=question.head,
        base=question.base,
        warnings=question.warnings,
    )
    rows = _chosen(detail.report, benchmark, metric, suite)
    if as_json:
        _tell_json(explain_rows(detail, rows))
    elif len(rows) > MOST:
        _list(rows, detail.report.groups)
    else:
        for place, one in enumerate(explain_rows(detail, rows)):
            if place:
                click.echo("")
            _tell(one, work.environ)
    return NOTHING if detail.report.exit_code == NOTHING else 0


# ----------------------------------------------------------------- choosing rows


def _chosen(
    report: Report, name: str, metric: str | None, suite: str | None
) -> list[Comparison]:
    """The rows that are asked for; raises ExplainError with the nearest names."""
    found = [
        row
        for row in named_rows(report, name)
        if metric in (None, row.metric.name)
        and suite in (None, report.groups[row.group].suite)
    ]
    if found:
        return found
    if not report.comparisons:
        raise ExplainError(report.reason or "Head has no results to compare.")
    what = f"There is no row of benchmark {name[:120]!r}"
    what += "" if metric is None else f", metric {metric[:80]!r}"
    what += "" if suite is None else f", suite {suite[:80]!r}"
    raise ExplainError(f"{what} in this comparison.{_near(report, name)}")


def _near(report: Report, name: str) -> str:
    """A hint with names that are like the one asked for."""
    import difflib

    same = named_rows(report, name)
    if same:
        metrics = ", ".join(sorted({row.metric.name for row in same})[:10])
        suites = ", ".join(sorted({report.groups[row.group].suite for row in same})[:5])
        return f" It has metrics {metrics} (in suites {suites})."
    known = {row.benchmark.label[:200] for row in report.comparisons}
    known |= {row.benchmark.name[:200] for row in report.comparisons}
    near = difflib.get_close_matches(name[:200], sorted(known)[:5000], 3, 0.5)
    if not near:
        return " All rows are listed by: gitbench compare --all"
    return f" Did you mean {' or '.join(repr(one) for one in near)}?"


def named_rows(report: Report, name: str) -> list[Comparison]:
    """The rows of a benchmark, whatever metric and suite."""
    from gitbench.compare.explanation import named

    return named(report.comparisons, name)


def _list(rows: Sequence[Comparison], groups: Sequence[Group]) -> None:
    """Rows that are too many to be explained."""
    click.echo(f"{len(rows)} rows fit; name one, with --metric or --suite if need be:")
    table = [("  benchmark", "metric", "suite", "verdict", "change")]
    for row in rows[:100]:
        change = row.change if row.change_adjusted is None else row.change_adjusted
        table.append(
            (
                f"  {row.benchmark.label}",
                row.metric.name,
                groups[row.group].suite,
                row.verdict.value,
                "" if change is None else format_change(change),
            )
        )
    for line in aligned(table):
        click.echo(line)
    if len(rows) > 100:
        click.echo(f"  ... and {len(rows) - 100} more")


# ------------------------------------------------------------------------ as text


def _tell(one: Explanation, environ: Any) -> None:
    from markupsafe import Markup

    from gitbench.cli.explain_words import sentences
    from gitbench.report.escape import Prose
    from gitbench.report.terminal import Terminal

    terminal = Terminal(
        terminal_width(environ),
        wants_colour(sys.stdout, environ),
        writes_unicode(sys.stdout),
    )
    row, group = one.comparison, one.group
    word = row.verdict.value
    title = terminal.plain(
        f"{row.benchmark.label}, {row.metric.name} (suite {group.suite} on "
        f"{group.testbed.name})"
    )
    tone = _TONES.get(word, "unsure")
    sign = terminal.paint(Prose(f"{terminal.sign(word)} {word}"), tone, strong=True)
    _echo(f"{sign}  {title}")
    _echo("")
    words = [terminal.plain(Prose(sentence)) for sentence in sentences(one)]
    _echo(terminal.wrap(Markup(" ".join(words)), "  ", "  "))
    for block in (
        _picture(one, terminal),
        _session_lines(one),
        _number_lines(one),
        _alternative_lines(one),
        _remarks(one, terminal),
    ):
        if block:
            _echo("")
            for line in block:
                _echo(line)


_TONES = {
    "regressed": "bad",
    "failed": "bad",
    "unchanged": "calm",
    "no-regression": "calm",
    "improved": "good",
}


def _echo(text: str) -> None:
    click.echo(text, color=True)


def _picture(one: Explanation, terminal: Terminal) -> list[str]:
    """Dots by session; the baseline's level, the limits, and head's interval."""
    from markupsafe import Markup

    from gitbench.cli import dots
    from gitbench.compare import explanation as ex

    row = one.comparison
    base = row.base.center if row.base else None

    def side(sessions: Sequence[Session], part: str) -> list[float]:
        found = [s.adjusted for s in sessions if s.part == part]
        return [x for x in found if x is not None]

    older, newest = side(one.window, ex.OLDER), side(one.window, ex.NEWEST)
    head = side(one.head, ex.HEAD)
    if base is None or not newest or not head:
        return []
    limits, interval = [], None
    if row.limit is not None:
        limits.append(base * (1 + row.limit))
    if row.interval is not None and not row.weak:
        low, high = row.interval
        interval = (base * (1 + low), base * (1 + high))
    rows = [("older", older)] if older else []
    rows += [("window", newest), ("head", head)]
    drawn = dots.picture(
        rows,
        base=base,
        limits=limits,
        interval=interval,
        head="head",
        width=terminal.width,
        unicode=terminal.unicode,
    )
    if not drawn:
        return []
    marks = dots.UNICODE if terminal.unicode else dots.ASCII
    unit = row.metric.unit
    key = [f"{marks.base} baseline {format_value(base, unit)}"]
    key += [f"{marks.limit} limit {format_value(x, unit)}" for x in limits]
    if any(s.center != s.adjusted for s in (*one.window, *one.head)):
        key.append("without what moved the whole suite")
    indent = " " * (dots.LABEL + 2)
    legend = terminal.wrap(Markup(terminal.plain(", ".join(key))), indent, indent)
    return [*drawn, *legend.split("\n")]


def _session_lines(one: Explanation) -> list[str]:
    """A table of sessions, newest first, each run of several on a line of its own."""
    unit = one.comparison.metric.unit
    sessions = [*one.head, *one.window]
    moved = any(s.adjusted is not None and s.adjusted != s.center for s in sessions)

    def value(number: float | None) -> str:
        return "-" if number is None else format_value(number, unit)

    title = ["  session", "commit", "measured (UTC)", "center"]
    title += ["less suite"] if moved else []
    table = [[*title, "error", "values", "their spread"]]
    for session in sessions:
        single = session.runs[0] if len(session.runs) == 1 else None
        cells = [
            f"  {session.part}",
            session.commit[:12],
            moment(session.started_at)[:16].replace("T", " "),
            value(session.center) if session.center is not None else _told(session),
        ]
        cells += [value(session.adjusted)] if moved else []
        cells += [_share(session.error, session.center)]
        cells += _values(single) if single else [f"{len(session.runs)} runs", ""]
        table.append(cells)
        for run in session.runs if single is None else ():
            told = run.told or value(run.center)
            line = ["", f"  run {run.id[:8]}", moment(run.started_at)[:16], told]
            line[2] = line[2].replace("T", " ")
            table.append([*line, *([""] if moved else []), "", *_values(run)])
    return aligned(table)


def _told(session: Session) -> str:
    """What a session has instead of a center."""
    said = [run.told for run in session.runs if run.told]
    if said:
        return said[0]
    centers = any(run.center is not None for run in session.runs)
    return "left out" if centers else "not measured"


def _values(run: Any) -> list[str]:
    count = f"{run.values}"
    if run.processes > 1:
        count += f" in {run.processes}"
    return [count, _share(run.spread, run.center)]


def _share(spread: float | None, center: float | None) -> str:
    """A spread as a share of its center."""

    if spread is None or not center or not math.isfinite(spread / center):
        return "-"
    return percent(abs(spread / center))


def _number_lines(one: Explanation) -> list[str]:
    """The test, number by number."""
    from gitbench.cli.explain_words import distance, size

    figures, row = one.figures, one.comparison
    if figures is None or row.weak:
        return []

    def with_df(spread: float, df: float) -> str:
        return f"{size(one, spread)} ({df:.3g} degrees of freedom)"

    prior = (
        "assumed of a small suite" if figures.assumed else "noise of all rows (prior)"
    )
    table = [
        ("  noise of this row's sessions", with_df(figures.own, figures.own_df)),
        (f"  {prior}", with_df(figures.prior, figures.prior_df)),
        ("  inside a session of the baseline", size(one, figures.within)),
        ("  inside a session of head", size(one, figures.head_within)),
        ("  taken for the baseline", size(one, figures.moderated)),
        ("  taken for head", size(one, figures.head)),
        ("  standard error of the change", size(one, figures.error)),
    ]
    if figures.t is not None:
        t = f"{figures.t:.2f} with {figures.df:.3g} degrees of freedom"
        table.append(("  t, positive for worse", t))
    if row.p_value is not None:
        table.append(("  p, one-sided", f"{row.p_value:.3g}"))
    if row.p_adjusted is not None:
        table.append((f"  p among {one.tests} tests", f"{row.p_adjusted:.3g}"))
    if row.interval is not None:
        low, high = map(format_change, row.interval)
        level = f"{100 * (1 - 2 * one.alpha):.3g} %"
        table.append((f"  {level} interval of the change", f"{low} to {high}"))
    if row.threshold is not None and not figures.linear:
        table.append(("  threshold", distance(one, math.log1p(row.threshold))))
    if row.limit is not None:
        table.append(("  limit", format_change(row.limit)))
    if math.isfinite(figures.visible) and figures.error > 0:
        found = f"{distance(one, figures.visible)} worse"
        table.append(("  found in four of five cases", found))
    if row.sessions_needed:
        table.append(("  further sessions to decide", str(row.sessions_needed)))
    return aligned(table)


def _alternative_lines(one: Explanation) -> list[str]:
    """Other tests of the same sessions."""
    if not one.alternatives:
        return []
    table = [("  other tests", "p, one-sided", "sessions it needs", "")]
    for test in one.alternatives:
        remark = test.why_not or ""
        if test.p is not None and test.smallest is not None:
            remark = f"cannot go below {test.smallest:.2g} here"
        p = "none" if test.p is None else f"{test.p:.3g}"
        table.append((f"  {test.name}", p, test.needs, remark))
    return aligned(table)


def _remarks(one: Explanation, terminal: Terminal) -> list[str]:
    """Warnings, and what was said of the row: a failure's message, a reason."""
    from gitbench.report.escape import Prose

    row = one.comparison
    said = list(row.warnings) + ([row.note] if row.note else [])
    return [terminal.item(Prose(text)) for text in said]


# ------------------------------------------------------------------------ as JSON


def _tell_json(found: Sequence[Explanation]) -> None:
    import json

    document = {"explanations": [_as_json(one) for one in found]}
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    click.echo(text.encode("utf-8", "replace").decode("utf-8"))


def _as_json(one: Explanation) -> dict[str, Any]:
    from dataclasses import asdict

    from gitbench.cli.explain_words import sentences

    row, group = one.comparison, one.group
    return {
        "benchmark": row.benchmark.name,
        "params": dict(row.benchmark.params),
        "metric": row.metric.name,
        "unit": row.metric.unit,
        "suite": group.suite,
        "testbed": group.testbed.name,
        "verdict": row.verdict.value,
        "reason": row.reason,
        "weak": row.weak,
        "gated": row.gated,
        "words": one_line(" ".join(sentences(one))),
        "change": row.change,
        "change_adjusted": row.change_adjusted,
        "interval": row.interval,
        "p_value": row.p_value,
        "p_adjusted": row.p_adjusted,
        "tests": one.tests,
        "alpha": one.alpha,
        "threshold": row.threshold,
        "limit": row.limit,
        "sessions_needed": row.sessions_needed,
        "method": row.method,
        "base": None if row.base is None else asdict(row.base),
        "head": None if row.head is None else asdict(row.head),
        "shift": None if one.shift is None else one.shift.change,
        "step": None if one.step is None else asdict(one.step),
        "figures": None if one.figures is None else finite(asdict(one.figures)),
        "sessions": [asdict(s) for s in (*one.head, *one.window)],
        "alternatives": [asdict(test) for test in one.alternatives],
        "warnings": list(row.warnings),
        "note": row.note,
    }


def finite(numbers: dict[str, Any]) -> dict[str, Any]:
    """The same with null for numbers that JSON has no word for."""
    return {
        key: None if isinstance(x, float) and not math.isfinite(x) else x
        for key, x in numbers.items()
    }

"""`gitbench history`: where benchmarks changed, and by which commit."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from gitbench.cli import one_line
from gitbench.cli.histories import search
from gitbench.cli.plots import bars, column_of, plot
from gitbench.cli.tables import aligned
from gitbench.cli.workspace import (
    Workspace,
    open_workspace,
    ref_option,
    terminal_width,
    wants_colour,
    warn,
    writes_unicode,
)
from gitbench.errors import GitbenchError
from gitbench.export import moment
from gitbench.history import Drift, Name, Reading, Series, Step, series_of
from gitbench.report.terminal import shorten, text_width
from gitbench.report.words import number, p_words, short
from gitbench.sessions import Mark
from gitbench.store.facts import Answer, Question
from gitbench.store.repository import Commit
from gitbench.units import format_change, format_value, parse_fraction

EPILOG = """\b
Examples:
  gitbench history                    what changed lately, the worst first
  gitbench history parse              one benchmark: a picture, and its steps
  gitbench history 'parser/*' main --since 90d
  gitbench history parse --json

Several benchmarks are listed by their latest step.  A step is found some five
commits after it happened; until then, ask: gitbench compare
"""

PLOT_HEIGHT = 8
PLOT_WIDTH = 60
BAR_WIDTH = 24
NAME_WIDTH = 44

MARKS = "123456789"
"""Of the newest steps in a plot; older ones have a plus."""


class NoHistoryError(GitbenchError):
    """There are no results to make a series of."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Style:
    """What the output can show."""

    width: int
    unicode: bool
    colour: bool

    def painted(self, line: str, text: str, worse: bool | None) -> str:
        """`line` with the first `text` in it coloured by its direction."""
        if not self.colour or worse is None or text not in line:
            return line
        return line.replace(text, click.style(text, fg="red" if worse else "green"), 1)


def _since(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> int | None:
    """Seconds since the epoch of a date, or of so long ago."""
    if value is None:
        return None
    age = re.fullmatch(r"(\d{1,6})([dwy])", value)
    if age:
        days = int(age[1]) * {"d": 1, "w": 7, "y": 365}[age[2]]
        return int(time.time()) - 86400 * days
    try:
        day = datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as exc:
        raise click.BadParameter(
            f"{value!r} is no date: write 2026-01-31, or an age: 90d, 12w, 2y.",
            context,
            parameter,
        ) from exc
    return int(day.timestamp())


def _least(context: click.Context, parameter: click.Parameter, value: str) -> float:
    try:
        return parse_fraction(value)
    except GitbenchError as exc:
        raise click.BadParameter(str(exc), context, parameter) from exc


@click.command(epilog=EPILOG)
@click.argument("benchmark", default="*", metavar="[BENCHMARK]")
@click.argument("revision", default="HEAD")
@click.option("--metric", metavar="NAME", help="Only this metric.")
@click.option("--suite", metavar="NAME", help="Only this suite.")
@click.option("--testbed", metavar="NAME", help="Only this testbed.")
@click.option(
    "--since",
    metavar="DATE",
    callback=_since,
    help="Only commits from this day on (2026-01-31), or of so long (90d, 12w, 2y).",
)
@click.option(
    "-n",
    "--max-count",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Commits to look at, the newest.",
)
@click.option(
    "--least",
    metavar="SIZE",
    default="1%",
    show_default=True,
    callback=_least,
    help="Leave out steps that are smaller.",
)
@click.option("--all", "show_all", is_flag=True, help="List those without a step too.")
@click.option("--json", "as_json", is_flag=True, help="gitbench/history/1.")
@click.option(
    "--index/--no-index",
    "use_index",
    default=None,
    help="Bring the index up to date first, or read the notes themselves; the answer "
    "is the same.  [default: what is quicker]",
)
@ref_option
def history(
    benchmark: str,
    revision: str,
    metric: str | None,
    suite: str | None,
    testbed: str | None,
    since: int | None,
    max_count: int,
    least: float,
    show_all: bool,
    as_json: bool,
    use_index: bool | None,
    ref: str | None,
) -> None:
    """Show where benchmarks changed, and by which commit.

    BENCHMARK is a name or a glob; the history is that of REVISION (HEAD by default)
    along first parents.  Runs with uncommitted changes take no part.
    """
    work = open_workspace(ref)
    question = Question(benchmark, metric, suite, glob=True)
    found = search(work, revision, question, max_count, use_index)
    kept = [one for one in found if since is None or one.commit.time >= since]
    series = [
        series_of(name, readings, least)
        for name, readings in _readings(reversed(kept), testbed).items()
    ]
    if not series:
        raise NoHistoryError(_nothing(work, benchmark, revision, bool(found)))
    series.sort(key=lambda one: (-one.severity, _key(one.name)))
    commits = {one.commit.id: one.commit for one in kept}
    if as_json:
        document = {
            "schema": "gitbench/history/1",
            "head": work.repository.resolve(revision),
            "least": least,
            "series": [_as_json(one, commits) for one in series],
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    style = Style(
        terminal_width(work.environ),
        writes_unicode(sys.stdout),
        wants_colour(sys.stdout, work.environ),
    )
    lines = (
        _one(series[0], commits, style)
        if len(series) == 1
        else _several(series, commits, style, show_all)
    )
    for line in lines:
        click.echo(line, color=style.colour)


def _key(name: Name) -> tuple[str, ...]:
    return (name.benchmark.label, name.metric, name.suite, name.testbed)


def _readings(
    answers: Iterable[Answer], testbed: str | None
) -> dict[Name, list[Reading]]:
    """What was measured, by series; commits in the order given."""
    found: dict[Name, list[Reading]] = {}
    names: dict[tuple[Any, ...], Name] = {}
    dirty = 0
    for answer in answers:
        for recorded in answer.runs:
            run = recorded.run
            if testbed not in (None, run.testbed):
                continue
            if run.dirty:
                dirty += 1
                continue
            mark = Mark(run.started_at, run.origin, run.session, run.job)
            for point in recorded.points:
                if point.center is None:
                    continue
                key = (point.series, run.suite, run.testbed, run.fingerprint)
                if key not in names:
                    of = point.series
                    names[key] = Name(
                        of.benchmark,
                        of.metric,
                        of.unit,
                        of.kind,
                        of.better,
                        run.suite,
                        run.testbed,
                        run.fingerprint,
                        of.version,
                    )
                readings = found.setdefault(names[key], [])
                readings.append(Reading(answer.commit.id, point.center, mark))
    if dirty:
        warn(f"{number(dirty, 'run')} with uncommitted changes took no part.")
    return found


def _nothing(work: Workspace, benchmark: str, revision: str, any_found: bool) -> str:
    if not work.notes.exists():
        return (
            "Nothing is recorded here yet: gitbench record RESULTS, or get the "
            "results of others: gitbench fetch"
        )
    if any_found:
        return (
            f"Results of {benchmark!r} are recorded, but none that these options leave "
            "and that has a value; see: gitbench log --benchmark NAME"
        )
    if benchmark != "*":
        return (
            f"No results of a benchmark {benchmark!r} are recorded on the way back "
            f"from {revision}; names are listed by: gitbench show COMMIT; a revision "
            "comes second: gitbench history '*' REVISION"
        )
    return f"No results are recorded on the way back from {revision}."


# ------------------------------------------------------------------ one series


def _one(one: Series, commits: dict[str, Commit], style: Style) -> list[str]:
    """A picture, the steps and what else there is to say."""
    name = one.name
    lines = [one_line(f"{_title(name)} ({name.suite} on {name.testbed})")]
    lines += _picture(one, commits, style)
    lines.append("")
    if one.steps:
        lines += _step_table(one, commits, style)
    else:
        lines.append(f"No step among {number(len(one.points), 'commit')}.")
    for drift in one.drifts:
        lines += ["", _drift_line(one, drift, commits, style)]
    lines += ["", _level_line(one, commits)]
    for warning in one.warnings:
        lines += ["", f"Note: {one_line(warning)}"]
    return lines


def _title(name: Name) -> str:
    version = f", version {name.version[:12]}" if name.version else ""
    return f"{name.benchmark.label}, {name.metric}{version}"


def _picture(one: Series, commits: dict[str, Commit], style: Style) -> list[str]:
    values = [point.center for point in one.points]
    unit = one.name.unit
    high, low = format_value(max(values), unit), format_value(min(values), unit)
    margin = max(text_width(high), text_width(low))
    width = max(8, min(PLOT_WIDTH, style.width - margin - 4))
    rows = plot(values, width, PLOT_HEIGHT, style.unicode)
    labels = [high, *[""] * (len(rows) - 2), low]
    edge = "│" if style.unicode else "|"
    lines = [
        f"  {' ' * (margin - text_width(label))}{label}{edge}{row}".rstrip()
        for label, row in zip(labels, rows, strict=True)
    ]
    indent = " " * (margin + 3)
    if one.steps:
        places = [" "] * width
        for place, step in enumerate(one.steps):
            at = column_of(step.place, len(values), width)
            places[at] = _mark(one, place)
        lines.append(indent + "".join(places).rstrip())
    first, last = (_day(commits[one.points[at].commit]) for at in (0, -1))
    dates = first if first == last else f"{first} .. {last}"
    lines.append(f"{indent}{dates}, {number(len(values), 'commit')}")
    return lines


def _mark(one: Series, place: int) -> str:
    """Sign of a step: 1 for the newest."""
    from_newest = len(one.steps) - 1 - place
    return MARKS[from_newest] if from_newest < len(MARKS) else "+"


def _step_table(one: Series, commits: dict[str, Commit], style: Style) -> list[str]:
    """The steps, newest first, and where to look for the newest."""
    unit = one.name.unit
    rows: list[tuple[str, ...]] = [
        ("", "commit", "date", "size", "from", "to", "p", "place", "subject")
    ]
    for place, step in reversed(list(enumerate(one.steps))):
        commit = commits[one.points[step.place].commit]
        rows.append(
            (
                f"  {_mark(one, place)}",
                short(commit.id),
                _day(commit),
                _size(step),
                format_value(step.older, unit),
                format_value(step.newer, unit),
                p_words(step.p_value),
                _doubt(step),
                commit.subject,
            )
        )
    lines = [shorten(line, style.width, _cut(style)) for line in aligned(rows)]
    steps = [None, *reversed(one.steps)]
    lines = [
        line if step is None else style.painted(line, _size(step), step.worse)
        for line, step in zip(lines, steps, strict=True)
    ]
    newest = one.steps[-1]
    older = one.points[max(newest.earliest - 1, 0)].commit
    newer = one.points[newest.latest].commit
    look = f"git log --first-parent {short(older)}..{short(newer)}"
    return [*lines, "", f"Where step 1 can lie: {look}"]


def _size(change: Step | Drift) -> str:
    size = format_change(change.change)
    gradual = isinstance(change, Drift) or change.gradual
    return f"{size} drift" if gradual else size


def _doubt(step: Step) -> str:
    """How many places the step may have."""
    count = step.latest - step.earliest + 1
    return "sure" if count == 1 else f"1 of {count}"


def _drift_line(
    one: Series, drift: Drift, commits: dict[str, Commit], style: Style
) -> str:
    size = format_change(drift.change)
    first, last = (
        _day(commits[one.points[at].commit]) for at in (drift.first, drift.last)
    )
    line = (
        f"A drift of {size}, from {first} to {last}: a line fits these "
        f"{number(drift.last - drift.first + 1, 'commit')} better than steps."
    )
    return style.painted(line, size, drift.worse)


def _level_line(one: Series, commits: dict[str, Commit]) -> str:
    level, unit = one.levels[-1], one.name.unit
    since = commits[one.points[level.first].commit]
    low, high = format_value(level.low, unit), format_value(level.high, unit)
    return (
        f"Level now: {format_value(level.center, unit)} (half of the commits between "
        f"{low} and {high}), since {short(since.id)} of {_day(since)}."
    )


def _day(commit: Commit) -> str:
    return moment(commit.time * 1000)[:10]


# ------------------------------------------------------------- several series


def _several(
    series: Sequence[Series],
    commits: dict[str, Commit],
    style: Style,
    show_all: bool,
) -> list[str]:
    """A line a series, the worst latest change first."""
    quiet = sum(one.latest is None for one in series)
    listed = [one for one in series if show_all or one.latest is not None]
    where = {(one.name.suite, one.name.testbed) for one in series}
    lines = [one_line(f"{suite} on {testbed}") for suite, testbed in sorted(where)[:1]]
    if len(where) > 1:
        lines = []
    if listed:
        rows: list[tuple[str, ...]] = [
            ("benchmark", "history", "now", "changed", "date", "commit", "")
        ]
        rows += [_row(one, commits, style, len(where) > 1) for one in listed]
        texts = [shorten(line, style.width, _cut(style)) for line in aligned(rows)]
        lines.append(texts[0])
        for line, one in zip(texts[1:], listed, strict=True):
            change = one.latest
            lines.append(
                line
                if change is None
                else style.painted(line, _size(change), change.worse)
            )
        lines.append("")
    if quiet:
        hint = "" if show_all else "; list all: --all"
        lines.append(f"{quiet} of {len(series)} did not change{hint}")
    if noted := sum(bool(one.warnings) for one in series):
        lines.append(
            f"{noted} of {len(series)} have too few points, or points that resemble "
            "the ones before them: see each alone"
        )
    return lines


def _row(
    one: Series, commits: dict[str, Commit], style: Style, told_apart: bool
) -> tuple[str, ...]:
    name, unit = one.name, one.name.unit
    where = f"{name.suite} on {name.testbed}" if told_apart else ""
    head = (
        shorten(one_line(_title(name)), NAME_WIDTH, _cut(style)),
        bars([point.center for point in one.points], BAR_WIDTH, style.unicode),
        format_value(one.levels[-1].center, unit),
    )
    change = one.latest
    if change is None:
        return (*head, "", "", "", where)
    place = change.place if isinstance(change, Step) else change.first
    commit = commits[one.points[place].commit]
    subject = ", ".join(filter(None, (where, commit.subject)))
    if isinstance(change, Drift):
        subject = ", ".join(filter(None, (where, "and on")))
    return (*head, _size(change), _day(commit), short(commit.id), subject)


def _cut(style: Style) -> str:
    return "…" if style.unicode else "..."


# ------------------------------------------------------------------------ JSON


def _as_json(one: Series, commits: dict[str, Commit]) -> dict[str, Any]:
    name = one.name
    ids = [point.commit for point in one.points]
    return {
        "benchmark": name.benchmark.name,
        "params": dict(name.benchmark.params),
        "metric": name.metric,
        "unit": name.unit,
        "kind": name.kind.value,
        "better": name.better.value,
        "suite": name.suite,
        "testbed": {"name": name.testbed, "fingerprint": name.fingerprint},
        "version": name.version,
        "points": [
            {
                "commit": point.commit,
                "committed_at_s": commits[point.commit].time,
                "started_at": moment(point.started_at),
                "center": point.center,
                "sessions": point.sessions,
            }
            for point in one.points
        ],
        "levels": [
            {
                "first": ids[level.first],
                "last": ids[level.last],
                "center": level.center,
                "low": level.low,
                "high": level.high,
            }
            for level in one.levels
        ],
        "steps": [
            {
                "commit": ids[step.place],
                "previous": ids[step.place - 1],
                "earliest": ids[step.earliest],
                "latest": ids[step.latest],
                "older": step.older,
                "newer": step.newer,
                "change": step.change,
                "p_value": step.p_value,
                "worse": step.worse,
                "gradual": step.gradual,
            }
            for step in one.steps
        ],
        "drifts": [
            {
                "first": ids[drift.first],
                "last": ids[drift.last],
                "older": drift.older,
                "newer": drift.newer,
                "change": drift.change,
                "worse": drift.worse,
            }
            for drift in one.drifts
        ],
        "autocorrelation": one.autocorrelation,
        "warnings": list(one.warnings),
    }

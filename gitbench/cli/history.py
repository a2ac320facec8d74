"""`gitbench history`: where benchmarks changed, and by which commit."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import click

from gitbench.cli.histories import search
from gitbench.cli.series import Style, one_series, several_series
from gitbench.cli.workspace import (
    Workspace,
    index_option,
    open_workspace,
    ref_option,
    terminal_width,
    wants_colour,
    warn,
    writes_unicode,
)
from gitbench.errors import GitbenchError
from gitbench.export import moment
from gitbench.history import Name, Reading, Series, series_of
from gitbench.report.words import number
from gitbench.store.facts import Answer, Question
from gitbench.store.repository import Commit
from gitbench.units import parse_fraction

EPILOG = """\b
Examples:
  gitbench history                    what changed lately, the worst first
  gitbench history parse              one benchmark: a picture, and its steps
  gitbench history 'parser/*' main --since 90d
  gitbench history parse --json

Several benchmarks are listed by their latest step.  A step is found some five
commits after it happened; until then, ask: gitbench compare
"""


class NoHistoryError(GitbenchError):
    """There are no results to make a series of."""

    exit_code = 3


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
@index_option
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
        click.echo(json.dumps(document, indent=2))
        return
    style = Style(
        terminal_width(work.environ),
        writes_unicode(sys.stdout),
        wants_colour(sys.stdout, work.environ),
    )
    lines = (
        one_series(series[0], commits, style)
        if len(series) == 1
        else several_series(series, commits, style, show_all)
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
                readings.append(
                    Reading(
                        answer.commit.id,
                        point.center,
                        run.started_at,
                        run.origin,
                        run.session,
                        run.job,
                    )
                )
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

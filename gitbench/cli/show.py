"""`gitbench show` and `gitbench log`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from gitbench.cli import one_line
from gitbench.cli.histories import search
from gitbench.cli.tables import aligned, sparkline
from gitbench.cli.values import counted, measurement_lines, shown
from gitbench.cli.workspace import (
    Workspace,
    index_option,
    open_workspace,
    ref_option,
    warn,
)
from gitbench.errors import GitbenchError
from gitbench.export import moment, run_json
from gitbench.model import RecordedRun, Run
from gitbench.store.facts import Answer, Point, Question
from gitbench.store.repository import Commit
from gitbench.units import format_value

SHOW_EPILOG = """\b
Examples:
  gitbench show                 what is recorded on HEAD
  gitbench show v1.2 --json     complete, one gitbench/run/1 object a run
"""

LOG_EPILOG = """\b
Examples:
  gitbench log                        commits with results, newest first
  gitbench log --benchmark parse      one benchmark's values, with a picture
  gitbench log -n 50 main --json
"""


class NothingToShowError(GitbenchError):
    """There are no results to show."""

    exit_code = 3


# ------------------------------------------------------------------- show


@click.command(epilog=SHOW_EPILOG)
@click.argument("commit", default="HEAD")
@click.option("--json", "as_json", is_flag=True, help="gitbench/run/1, one run a line.")
@ref_option
def show(commit: str, as_json: bool, ref: str | None) -> None:
    """Show what is recorded on a commit (HEAD by default)."""
    work = open_workspace(ref)
    target = work.repository.resolve(commit)
    records = work.notes.records(target)
    for warning in records.warnings:
        warn(warning)
    if not records.runs and not records.copied:
        raise NothingToShowError(
            f"Nothing is recorded for {target[:12]}; see what is: gitbench log"
        )
    if as_json:
        for one in work.whole(records.runs):
            click.echo(json.dumps(run_json(one.run), ensure_ascii=False))
        return
    what = work.repository.commit(target)
    click.echo(f"{target[:12]} {one_line(what.subject)}")
    for one in records.runs:
        _show_run(one)
    for one in records.copied:
        click.echo(
            f"\nrun {one.id} was made on {one_line(one.run.commit[:12])}, another "
            "tree, and copied here: it is never compared."
        )
    if records.retracted:
        click.echo(f"\nretracted: {', '.join(map(one_line, records.retracted))}")


def _show_run(one: RecordedRun) -> None:
    run = one.run
    click.echo("")
    facts = [
        (f"run {one.id}", started(run)),
        ("  suite", run.suite),
        ("  tool", " ".join(filter(None, (run.tool.name, run.tool.version)))),
        ("  testbed", run.testbed.name),
    ]
    if run.ci is not None:
        facts.append(("  ci", run.ci.url or run.ci.provider))
    facts += [(f"  tag {key}", value) for key, value in run.tags]
    if run.archived is not None:
        facts.append(("  values", f"archived, as run {run.archived.digest[:16]}"))
    if run.dirty:
        facts.append(("  state", "measured with uncommitted changes"))
    for line in aligned(facts):
        click.echo(line)
    for line in measurement_lines(run):
        click.echo(line)


def started(run: Run) -> str:
    """When a run began, and how far that is known."""
    text = _iso(run.started_at)
    if run.time_source == "tool-naive":
        return f"{text} (no time zone given)"
    return f"{text} (when recorded)" if run.time_source == "recorder" else text


def _iso(milliseconds: int) -> str:
    return moment(milliseconds)[:19].replace("T", " ") + " UTC"


# -------------------------------------------------------------------- log


@click.command(epilog=LOG_EPILOG)
@click.argument("revision", default="HEAD")
@click.option(
    "-n",
    "--max-count",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Commits to list.",
)
@click.option("--benchmark", metavar="NAME", help="Show this benchmark's values.")
@click.option("--metric", metavar="NAME", help="Only this metric of it.")
@click.option("--suite", metavar="NAME", help="Only this suite.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@index_option
@ref_option
def log(
    revision: str,
    max_count: int,
    benchmark: str | None,
    metric: str | None,
    suite: str | None,
    as_json: bool,
    use_index: bool | None,
    ref: str | None,
) -> None:
    """List commits with results, newest first, along first parents.

    With --benchmark, list that benchmark's centers instead, with a picture of them.
    """
    work = open_workspace(ref)
    question = Question(benchmark, metric, suite)
    found = search(work, revision, question, max_count, use_index)
    if not found:
        raise NothingToShowError(_nothing(work, revision, benchmark))
    if benchmark is None:
        _log_commits(found, as_json)
    else:
        _log_benchmark(found, as_json)


def _nothing(work: Workspace, revision: str, benchmark: str | None) -> str:
    if not work.notes.exists():
        return (
            "Nothing is recorded here yet: gitbench record RESULTS, or get the "
            "results of others: gitbench fetch"
        )
    if benchmark is not None:
        return (
            f"No results of benchmark {benchmark!r} are recorded on the way back from "
            f"{revision}; names are listed by: gitbench show COMMIT"
        )
    return f"No results are recorded on the way back from {revision}."


def _log_commits(found: Sequence[Answer], as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "commit": one.commit.id,
                "committed_at_s": one.commit.time,
                "subject": one.commit.subject,
                "runs": [
                    {
                        "id": recorded.id,
                        "suite": recorded.run.suite,
                        "testbed": recorded.run.testbed,
                        "tool": recorded.run.tool,
                        "started_at_ms": recorded.run.started_at,
                        "dirty": recorded.run.dirty,
                        "measurements": recorded.run.measurements,
                    }
                    for recorded in one.runs
                ],
            }
            for one in found
        ]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    table = [("commit", "date", "runs", "suites", "testbeds", "subject")]
    for one in found:
        table.append(
            (
                one.commit.id[:12],
                _iso(one.commit.time * 1000)[:10],
                str(len(one.runs)),
                ", ".join(sorted({recorded.run.suite for recorded in one.runs})),
                ", ".join(sorted({recorded.run.testbed for recorded in one.runs})),
                one.commit.subject,
            )
        )
    for line in aligned(table):
        click.echo(line)


def _log_benchmark(found: Sequence[Answer], as_json: bool) -> None:
    """One series for each label, metric, suite and testbed of the name."""
    series: dict[tuple[str, str, str, str, str], list[tuple[Commit, str, Point]]] = {}
    for one in found:
        for recorded in one.runs:
            for point in recorded.points:
                key = (
                    point.series.benchmark.label,
                    point.series.metric,
                    point.series.unit,
                    recorded.run.suite,
                    recorded.run.testbed,
                )
                series.setdefault(key, []).append((one.commit, recorded.id, point))
    if as_json:
        click.echo(json.dumps([_as_json(k, v) for k, v in series.items()], indent=2))
        return
    for place, ((label, name, unit, suite, testbed), points) in enumerate(
        series.items()
    ):
        if place:
            click.echo("")
        title = f"{label}, {name} ({suite} on {testbed})"
        oldest_first = [point.center for _, _, point in reversed(points)]
        present = [value for value in oldest_first if value is not None]
        click.echo(one_line(title))
        if present:
            low, high = (
                format_value(min(present), unit),
                format_value(max(present), unit),
            )
            click.echo(f"  {sparkline(oldest_first)}  {low} .. {high}, newest right")
        rows = [
            (
                f"  {commit.id[:12]}",
                _iso(commit.time * 1000)[:10],
                shown(point),
                counted(point),
                commit.subject,
            )
            for commit, _, point in points
        ]
        for line in aligned(rows):
            click.echo(line)


def _as_json(key: tuple[str, ...], points: Sequence[tuple[Commit, str, Point]]) -> Any:
    label, metric, unit, suite, testbed = key
    return {
        "benchmark": label,
        "metric": metric,
        "unit": unit,
        "suite": suite,
        "testbed": testbed,
        "points": [
            {
                "commit": commit.id,
                "run": run,
                "center": point.center,
                "values": point.n,
            }
            for commit, run, point in points
        ],
    }

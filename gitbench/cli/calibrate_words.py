"""What `gitbench calibrate` prints."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from gitbench.cli import one_line
from gitbench.cli.noise_rules import Blocked, Written
from gitbench.cli.power import (
    dump,
    inside_of,
    row_json,
    seen_of,
    spread_of,
)
from gitbench.cli.tables import aligned, percent, wrapped
from gitbench.cli.workspace import terminal_width
from gitbench.export import moment
from gitbench.model import REASONS, Settings
from gitbench.report.words import number

if TYPE_CHECKING:
    from gitbench.compare.noise import Noise, Past, Replay, RowNoise, Scenario

SHOWN = 20
"""Rows of a suite that are listed without --all, the noisiest."""

SESSIONS = (3, 5, 10, 20)
THRESHOLDS = (0.05, 0.1, 0.2)
ALPHAS = (0.05, 0.01)


@dataclass(frozen=True, slots=True)
class Told:
    """What was measured."""

    noise: Noise
    pasts: tuple[Past, ...]
    replays: tuple[Replay, ...]
    """One a past; none of runs made just now."""
    settings: Settings
    repeated: bool
    """The sessions are runs made one after the other."""


def tell(told: Told, *, all_rows: bool) -> None:
    """Print it for people."""
    for number_, past in enumerate(told.pasts):
        rows = [row for row in told.noise.rows if row.group == number_]
        for line in _suite_lines(past, rows, all_rows, told.repeated):
            click.echo(line)
        click.echo("")
    width = terminal_width(os.environ)
    for text in _legend(told):
        for line in wrapped(text, width):
            click.echo(line)
    for lines in (_scenario_lines(told, width), _replay_lines(told)):
        if lines:
            click.echo("")
        for line in lines:
            click.echo(line)


def _suite_lines(
    past: Past, rows: Sequence[RowNoise], all_rows: bool, repeated: bool
) -> Iterator[str]:
    sessions = past.sessions
    commits = len({one.commit for one in sessions})
    what = number(len(sessions), "run" if repeated else "session")
    yield one_line(
        f"suite {past.suite} on {past.testbed.name}: {what} of "
        f"{number(commits, 'commit')}, from "
        f"{moment(sessions[-1].runs[-1].run.started_at)[:10]} to "
        f"{moment(sessions[0].runs[0].run.started_at)[:10]}"
    )
    if not rows:
        yield "  no row has numbers whose noise matters (exact counts have none)"
        return
    several = len({row.metric.name for row in rows}) > 1
    title = ["  benchmark"] + (["metric"] if several else [])
    unit = "runs" if repeated else "sessions"
    table = [[*title, unit, "noise", "inside", "tells apart", "finds", "threshold"]]
    shown = rows if all_rows else rows[:SHOWN]
    for row in shown:
        cells = [f"  {row.benchmark.label}"] + ([row.metric.name] if several else [])
        cells += [str(row.sessions), spread_of(row), inside_of(row), _floor(row)]
        table.append([*cells, seen_of(row), _threshold(row)])
    yield from aligned(table)
    if len(rows) > len(shown):
        yield f"  ... and {len(rows) - len(shown)} quieter ones: --all"


def _floor(row: RowNoise) -> str:
    from gitbench.units import format_value

    if row.floor is None:
        return "-"
    if row.linear:
        return format_value(row.floor, row.metric.unit)
    return percent(math.expm1(min(row.floor, 700)))


def _threshold(row: RowNoise) -> str:
    if row.linear:
        return "-"
    beyond = row.floor is not None and row.floor > math.log1p(row.threshold)
    return percent(row.threshold) + (" (too small)" if beyond and row.gated else "")


def _legend(told: Told) -> Iterator[str]:
    rows = told.noise.rows
    each = "run to run" if told.repeated else "session to session"
    yield (
        f"noise: from {each} (standard deviation); inside: the share of its variance "
        "that the values inside a run show"
    )
    yield (
        f"tells apart: what has to come out to be significant among "
        f"{number(told.noise.tests, 'test')}; finds: the true change that is found "
        "in four of five cases"
    )
    if told.repeated:
        yield (
            "These runs were made back to back, in one sitting: what differs from day "
            "to day is not in them, so the real noise is likely larger. They count as "
            "one session when commits are compared."
        )
    weak = [row for row in rows if row.weak is not None]
    if weak:
        reasons = sorted({REASONS.get(row.weak or "", "") for row in weak})
        yield (
            f"{number(len(weak), 'row')} cannot be tested yet, and only a gross change "
            f"is red there: {'; '.join(reasons)}."
        )


def scenarios(told: Told) -> list[Scenario]:
    """Other windows as things are, and other settings for the window that is."""
    from gitbench.compare.noise import what_if

    alpha = told.settings.alpha
    now = max((row.sessions for row in told.noise.rows), default=0)
    asked: list[tuple[int, float, float | None]] = [
        (k, alpha, None) for k in sorted({*SESSIONS, *([now] if now >= 3 else [])})
    ]
    if now >= 3:
        asked += [(now, alpha, t) for t in THRESHOLDS]
        asked += [(now, other, None) for other in ALPHAS if other != alpha]
    found = [what_if(told.noise, *one) for one in asked]
    return [one for one in found if one is not None]


def _scenario_lines(told: Told, width: int) -> list[str]:
    found = scenarios(told)
    if not found:
        return []
    now = max(row.sessions for row in told.noise.rows)
    title = ("  sessions", "alpha", "threshold", "half of the rows", "nine of ten")
    table = [(*title, "false alarms in 100")]
    for one in found:
        table.append(
            (
                f"  {one.sessions}{' (now)' if one.sessions == now else ''}",
                f"{one.alpha:g}",
                "as it is" if one.threshold is None else percent(one.threshold),
                _change(one.half),
                _change(one.most),
                f"{100 * one.false_alarms:.1f}",
            )
        )
    return [
        "What a comparison would find with one session of head, by this noise:",
        *aligned(table),
        *wrapped(
            "false alarms: red rows in 100 comparisons of unchanged code, by this "
            "noise and on paper; what happens is measured by replaying",
            width,
            "  ",
        ),
    ]


def _indented(text: str) -> str:
    return f"  {one_line(text)}"


def _change(size: float | None) -> str:
    return "beyond any" if size is None else percent(size)


def _replay_lines(told: Told) -> list[str]:
    lines = []
    for past, one in zip(told.pasts, told.replays, strict=False):
        if not one.comparisons:
            lines.append(
                _indented(
                    f"{past.suite} on {past.testbed.name}: no session has three "
                    "before it yet"
                )
            )
            continue
        lines.append(
            _indented(
                f"{past.suite} on {past.testbed.name}: {one.red} of "
                f"{number(one.comparisons, 'comparison')} red ({one.red_rows} of "
                f"{number(one.rows, 'row')}; {one.undecided} undecided for noise)"
            )
        )
        for label, times in one.worst[:5]:
            lines.append("  " + _indented(f"{label[:200]}: {times} x red"))
    if not lines:
        return []
    return [
        "The history replayed, each session judged by those before it:",
        *lines,
        "  red is a false alarm if the code had not changed; real regressions count "
        "here too",
    ]


# ------------------------------------------------------------------------ the rules


def tell_written(written: Written) -> None:
    """Say what became of the settings file."""
    click.echo("")
    path = one_line(written.path.name)
    count = number(len(written.rules), "rule")
    if not written.measured:
        click.echo(f"{path}: no row's noise is known well enough for a rule.")
    elif not written.changed and not written.rules:
        click.echo(f"{path}: every row holds its threshold; nothing to write.")
    elif not written.changed:
        click.echo(f"{path} has these rules already: {count}.")
    elif not written.rules:
        click.echo(f"{path}: every row holds its threshold; took out the old rules.")
    else:
        click.echo(f"Wrote {count} to {path}:")
    for rule in written.rules if written.changed else ():
        click.echo(
            _indented(f"{rule.benchmark[:200]}, {rule.metric}: {rule.percent} %")
        )
    if written.blocked:
        click.echo(
            "A rule of yours decides these, and the first that fits wins; change its "
            "threshold there:"
        )
    for one in written.blocked[:SHOWN]:
        click.echo(_indented(_blocked(one)))


def _blocked(one: Blocked) -> str:
    row, rule = one.row, one.rule
    return (
        f"{row.benchmark.label[:200]}, {row.metric.name}: {one.percent} % (rule "
        f"{rule.benchmark[:200]!r})"
    )


# ------------------------------------------------------------------------ as JSON


def tell_json(told: Told, written: Written | None) -> None:
    """Print it for programs."""
    groups: list[dict[str, Any]] = []
    for place, past in enumerate(told.pasts):
        rows = [row for row in told.noise.rows if row.group == place]
        groups.append(
            {
                "suite": past.suite,
                "testbed": past.testbed.name,
                "fingerprint": past.testbed.fingerprint,
                "sessions": len(past.sessions),
                "commits": [one.commit for one in past.sessions],
                "rows": [row_json(row, past) for row in rows],
                "replay": asdict(told.replays[place]) if told.replays else None,
            }
        )
    dump(
        {
            "alpha": told.settings.alpha,
            "threshold": told.settings.threshold,
            "tests": told.noise.tests,
            "back_to_back": told.repeated,
            "groups": groups,
            "scenarios": [asdict(one) for one in scenarios(told)],
            "written": None if written is None else _written_json(written),
        }
    )


def _written_json(written: Written) -> dict[str, Any]:
    return {
        "path": str(written.path),
        "changed": written.changed,
        "rules": [
            {
                "benchmark": rule.benchmark,
                "metric": rule.metric,
                "suite": rule.suite,
                "threshold": rule.percent / 100,
            }
            for rule in written.rules
        ],
        "blocked": [
            {
                "benchmark": one.row.benchmark.label,
                "metric": one.row.metric.name,
                "threshold": one.percent / 100,
                "rule": one.rule.benchmark,
            }
            for one in written.blocked
        ],
    }

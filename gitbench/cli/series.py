"""Series as text: one with a picture and its steps, or several in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from gitbench.cli import one_line
from gitbench.cli.plots import bars, column_of, plot
from gitbench.cli.tables import aligned
from gitbench.export import moment
from gitbench.history import Drift, Name, Series, Step
from gitbench.report.terminal import shorten, text_width
from gitbench.report.words import number, p_words, short
from gitbench.store.repository import Commit
from gitbench.units import format_change, format_value

PLOT_HEIGHT = 8
PLOT_WIDTH = 60
BAR_WIDTH = 16
NAME_WIDTH = 44

MARKS = "123456789"
"""Of the newest steps in a plot; older ones have a plus."""


@dataclass(frozen=True, slots=True)
class Style:
    """What the output can show."""

    width: int
    unicode: bool
    colour: bool

    @property
    def ellipsis(self) -> str:
        """What stands for the rest of a text."""
        return "…" if self.unicode else "..."

    def fitted(self, line: str) -> str:
        """`line` without what the terminal's width does not hold."""
        if text_width(line) <= self.width:
            return line
        room = self.width - len(self.ellipsis)
        kept = line[:room]
        while text_width(kept) > room:
            kept = kept[:-1]
        return kept.rstrip() + self.ellipsis

    def painted(self, line: str, text: str, worse: bool | None) -> str:
        """`line` with the first `text` in it coloured by its direction."""
        if not self.colour or worse is None or text not in line:
            return line
        return line.replace(text, click.style(text, fg="red" if worse else "green"), 1)


# ------------------------------------------------------------------ one series


def one_series(one: Series, commits: Mapping[str, Commit], style: Style) -> list[str]:
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


def _picture(one: Series, commits: Mapping[str, Commit], style: Style) -> list[str]:
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


def _step_table(one: Series, commits: Mapping[str, Commit], style: Style) -> list[str]:
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
    lines = [style.fitted(line) for line in aligned(rows)]
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
    one: Series, drift: Drift, commits: Mapping[str, Commit], style: Style
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


def _level_line(one: Series, commits: Mapping[str, Commit]) -> str:
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


def several_series(
    series: Sequence[Series],
    commits: Mapping[str, Commit],
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
        texts = [style.fitted(line) for line in aligned(rows)]
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
    one: Series, commits: Mapping[str, Commit], style: Style, told_apart: bool
) -> tuple[str, ...]:
    name, unit = one.name, one.name.unit
    where = f"{name.suite} on {name.testbed}" if told_apart else ""
    head = (
        shorten(one_line(_title(name)), NAME_WIDTH, style.ellipsis),
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

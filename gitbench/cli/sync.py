"""`gitbench fetch`, `push` and `status`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import click

from gitbench.cli import one_line
from gitbench.cli.workspace import Workspace, open_workspace, ref_option, warn
from gitbench.errors import GitbenchError
from gitbench.store import sync
from gitbench.store.notes import NOTHING, Gain, tracking_ref
from gitbench.store.sync import Fetched, Git, Pushed
from gitbench.units import format_value

F = TypeVar("F", bound=Callable[..., Any])

FETCH_EPILOG = """\b
Examples:
  gitbench fetch                    unite what origin has with what is here
  gitbench fetch --remote upstream
  gitbench fetch --dry-run          what would come, and nothing else
"""

PUSH_EPILOG = """\b
Examples:
  gitbench push                     fetch, unite, push; again if others were faster
  gitbench push --all               share with every remote
  gitbench push --remote upstream --budget 300
"""

STATUS_EPILOG = """\b
Examples:
  gitbench status
  gitbench status --json
"""


def _remotes_options(function: F) -> F:
    """`--remote NAME` (repeatable) or `--all`."""
    several = click.option("--all", "every", is_flag=True, help="Every remote.")
    one = click.option(
        "--remote",
        "remotes",
        multiple=True,
        metavar="NAME",
        help="Remote; may be given several times.  [default: origin]",
    )
    return one(several(function))


def _output_options(function: F) -> F:
    """`--timeout`, `--dry-run` and `--json`."""
    options = (
        click.option(
            "--timeout",
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            help="End a git call that takes longer.  [default: none]",
        ),
        click.option(
            "--dry-run", is_flag=True, help="Say what would be done; move no ref."
        ),
        click.option("--json", "as_json", is_flag=True, help="Tell it as JSON."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.command(epilog=FETCH_EPILOG)
@_remotes_options
@_output_options
@ref_option
def fetch(
    remotes: tuple[str, ...],
    every: bool,
    timeout: float | None,
    dry_run: bool,
    as_json: bool,
    ref: str | None,
) -> int:
    """Fetch results from a remote and unite them with ours.

    Nothing is ever overwritten: the union of both sides is kept.
    """
    work = open_workspace(ref)
    git = replace(work.git, timeout_s=timeout)

    def one(remote: str) -> tuple[dict[str, Any], str]:
        if dry_run:
            return _look_in(work, git, remote)
        result = sync.fetch(work.notes, git, remote)
        _warn(result.warnings)
        return _fetched_json(result), _fetched_words(result)

    return _each(chosen_remotes(work, remotes, every), one, as_json)


@click.command(epilog=PUSH_EPILOG)
@_remotes_options
@click.option(
    "--budget",
    type=click.FloatRange(min=0),
    default=sync.BUDGET_S,
    show_default=True,
    metavar="SECONDS",
    help="How long to try when others push at the same time.",
)
@_output_options
@ref_option
def push(
    remotes: tuple[str, ...],
    every: bool,
    budget: float,
    timeout: float | None,
    dry_run: bool,
    as_json: bool,
    ref: str | None,
) -> int:
    """Share results: fetch, unite, push, never forced.

    When others push at the same time, their results are united with ours and the
    push is tried again.
    """
    work = open_workspace(ref)
    git = replace(work.git, timeout_s=timeout)
    names = chosen_remotes(work, remotes, every)
    if len(names) > 1 and not dry_run:
        _fetch_first(work, git, names)

    def one(remote: str) -> tuple[dict[str, Any], str]:
        if dry_run:
            return _look_out(work, git, remote)
        return _push(work, git, remote, budget)

    return _each(names, one, as_json)


def push_and_tell(work: Workspace, remote: str, budget: float = sync.BUDGET_S) -> None:
    """Push and say what happened."""
    click.echo(_push(work, work.git, remote, budget)[1])


def chosen_remotes(
    work: Workspace, remotes: Sequence[str], every: bool
) -> tuple[str, ...]:
    """The remotes that the options name, each once; else the configured one."""
    if every:
        names = work.repository.remotes()
        if not names:
            raise click.UsageError("There is no remote here; see: git remote -v")
        return tuple(dict.fromkeys((*names, *remotes)))
    return tuple(dict.fromkeys(remotes)) or (work.config.remote,)


def _each(
    remotes: Sequence[str],
    act: Callable[[str], tuple[dict[str, Any], str]],
    as_json: bool,
) -> int:
    """Act on each remote and tell; the failure of one does not keep the others from
    theirs."""
    rows: list[dict[str, Any]] = []
    code = 0
    for remote in remotes:
        try:
            row, words = act(remote)
        except GitbenchError as exc:
            if len(remotes) == 1 and not as_json:
                raise
            code = exc.exit_code
            row, words = {"remote": remote, "error": str(exc)}, ""
            click.echo(f"gitbench: {one_line(str(exc))}", err=True)
        rows.append(row)
        if words and not as_json:
            click.echo(words)
    if as_json:
        click.echo(json.dumps({"remotes": rows}, indent=2))
    return code


def _warn(warnings: Sequence[str]) -> None:
    for warning in dict.fromkeys(warnings):
        warn(warning)


def _fetch_first(work: Workspace, git: Git, remotes: Sequence[str]) -> None:
    """Fetch from all before the first push, so that what the last one brings reaches
    the first one as well."""
    for remote in remotes:
        try:
            _warn(sync.fetch(work.notes, git, remote).warnings)
        except GitbenchError:
            continue  # its push will say why


def _push(
    work: Workspace, git: Git, remote: str, budget: float
) -> tuple[dict[str, Any], str]:
    result = sync.push(work.notes, git, remote, budget)
    _warn(result.warnings)
    row = {
        **_fetched_json(result.fetched),
        "pushed": result.sent,
        "attempts": result.attempts,
        "sent": _gain_json(result.gain),
    }
    return row, _pushed_words(work, result)


def _look_in(work: Workspace, git: Git, remote: str) -> tuple[dict[str, Any], str]:
    """What a fetch would bring."""
    tip = sync.look(work.notes, git, remote)
    gain = work.notes.gained(work.repository.ref(work.notes.ref), tip)
    if tip is None:
        words = f"{remote} has no results yet."
    else:
        words = f"Would fetch from {remote}: {gain_words(gain) or 'nothing new'}."
    row = {"remote": remote, "found": tip is not None, "received": _gain_json(gain)}
    return {**row, "dry_run": True}, one_line(words)


def _look_out(work: Workspace, git: Git, remote: str) -> tuple[dict[str, Any], str]:
    """What a push would bring and send."""
    row, words = _look_in(work, git, remote)
    tip = sync.look(work.notes, git, remote)
    gain = work.notes.gained(tip, work.repository.ref(work.notes.ref))
    sent = f"Would push to {remote}: {gain_words(gain) or 'nothing'}."
    lines = [words] if row["received"]["records"] else []
    return {**row, "sent": _gain_json(gain)}, "\n".join([*lines, one_line(sent)])


# ----------------------------------------------------------------- words


def plural(count: int, word: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def size_words(size: int) -> str:
    """A number of bytes for people: `14.2 KiB`."""
    return format_value(float(size), "B", digits=3)


def gain_words(gain: Gain) -> str:
    """What one side has more: `3 runs of 2 commits, 1 other record, 2.1 KiB`."""
    parts = []
    if gain.runs:
        parts.append(f"{plural(gain.runs, 'run')} of {plural(gain.commits, 'commit')}")
    if gain.others:
        word = "other record" if gain.runs else "record that is no run"
        words = plural(gain.others, word)
        parts.append(
            words.replace("records that is no run", "records that are no runs")
        )
    return ", ".join([*parts, size_words(gain.size)] if parts else [])


def _gain_json(gain: Gain) -> dict[str, int]:
    return {
        "runs": gain.runs,
        "commits": gain.commits,
        "records": gain.runs + gain.others,
        "bytes": gain.size,
    }


def _fetched_json(result: Fetched) -> dict[str, Any]:
    received = _gain_json(result.gain)
    return {"remote": result.remote, "found": result.found, "received": received}


def _fetched_words(result: Fetched) -> str:
    gain = gain_words(result.gain)
    if result.gain.runs + result.gain.others:
        words = f"New results from {result.remote}: {gain}."
    elif not result.found:
        words = f"{result.remote} has no results yet."
    else:
        words = f"Nothing new from {result.remote}."
    return one_line(words)


def _pushed_words(work: Workspace, result: Pushed) -> str:
    lines = []
    fetched = result.fetched
    if fetched.gain.runs + fetched.gain.others:
        lines.append(_fetched_words(fetched))
    if result.sent:
        what = gain_words(result.gain)
        tries = f", after {result.attempts} attempts" if result.attempts > 1 else ""
        lines.append(f"Pushed the results to {result.remote}: {what}{tries}.")
    elif not work.notes.exists():
        lines.append("Nothing is recorded here yet; there is nothing to push.")
    else:
        lines.append(f"{result.remote} has all results already.")
    return "\n".join(map(one_line, lines))


# ---------------------------------------------------------------- status


@dataclass(frozen=True, slots=True)
class RemoteState:
    """How one remote and this clone stand to each other, as far as it is known."""

    name: str
    fetched: bool
    """Its results were fetched at least once."""
    unpushed: Gain
    unmerged: Gain
    """Fetched by git, and not yet united with the results here."""
    configured: bool
    """A plain `git fetch` brings its results along."""


@click.command(epilog=STATUS_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Tell it as JSON.")
@ref_option
def status(as_json: bool, ref: str | None) -> None:
    """Show what is not pushed or not united yet, and whether all is well.

    Asks no remote: it speaks of what was fetched last, and changes nothing.
    """
    from gitbench.store import doctor

    work = open_workspace(ref, as_it_is=True)
    states = tuple(_states(work))
    commits = sum(1 for _ in work.notes.annotated())
    findings = doctor.quick(work.notes, work.git, work.config.remote)
    if as_json:
        content = {
            "ref": work.notes.ref,
            "commits": commits,
            "remotes": [
                {
                    "name": one.name,
                    "fetched": one.fetched,
                    "configured": one.configured,
                    "unpushed": _gain_json(one.unpushed),
                    "unmerged": _gain_json(one.unmerged),
                }
                for one in states
            ],
            "findings": [one.as_json() for one in findings],
        }
        click.echo(json.dumps(content, indent=2))
        return
    _tell_status(work, commits, states)
    # Which remotes were never fetched was told of each already.
    shown = [one for one in findings if one.code != "never-fetched"]
    for finding in shown:
        click.echo(f"- {one_line(finding.text)}")
    if not shown:
        click.echo(
            "All is well as far as a quick look tells; gitbench doctor looks on."
        )


def _states(work: Workspace) -> Iterator[RemoteState]:
    from gitbench.store import setup

    here = work.repository.ref(work.notes.ref)
    for name in work.repository.remotes():
        there = work.repository.ref(tracking_ref(name, work.notes.name))
        known = there is not None
        yield RemoteState(
            name,
            known,
            work.notes.gained(there, here),
            work.notes.gained(here, there) if known else NOTHING,
            setup.is_configured(work.git, name, work.notes.name),
        )


def _tell_status(work: Workspace, commits: int, states: Sequence[RemoteState]) -> None:
    from gitbench.cli.tables import aligned

    rows = [("results", f"{plural(commits, 'commit')} in {work.notes.ref}")]
    for one in states:
        for place, words in enumerate(_state_words(one)):
            rows.append((one.name if place == 0 else "", words))
    if not states:
        rows.append(("remotes", "none"))
    for line in aligned(rows):
        click.echo(line)


def _state_words(one: RemoteState) -> Iterator[str]:
    if one.unpushed.runs + one.unpushed.others:
        yield f"not pushed: {gain_words(one.unpushed)}"
    if one.unmerged.runs + one.unmerged.others:
        yield (
            f"fetched, not united yet: {gain_words(one.unmerged)}; the next command "
            "that reads results does it"
        )
    if not one.fetched:
        yield "its results were never fetched"
    elif not one.unpushed.runs + one.unpushed.others:
        yield "has all results, as of the last fetch"

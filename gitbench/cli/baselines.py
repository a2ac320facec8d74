"""`gitbench baseline save|list|rm`."""

from __future__ import annotations

import json
import time

import click

from gitbench.cli.tables import aligned
from gitbench.cli.workspace import open_workspace, ref_option
from gitbench.errors import GitbenchError
from gitbench.model import check_text
from gitbench.units import format_duration

EPILOG = """\b
Examples:
  gitbench baseline save release v1.2    name a commit
  gitbench compare baseline:release      compare HEAD with it
  gitbench baseline list
  gitbench baseline rm release
"""


class BaselineNameError(GitbenchError):
    """A name that no baseline can have, or that none has."""


def check_name(name: str) -> str:
    """Return `name` if a baseline can have it: printable, without blanks."""
    check_text("name of the baseline", name, 200)
    if not name.isprintable() or any(c.isspace() for c in name) or name[0] == "-":
        raise BaselineNameError(
            f"{name!r} cannot name a baseline: use printable characters without blanks."
        )
    return name


@click.group(epilog=EPILOG)
def baseline() -> None:
    """Save, list and remove named baselines.

    A name travels with the notes; the latest that was saved wins.
    """


@baseline.command()
@click.argument("name")
@click.argument("commit", default="HEAD")
@ref_option
def save(name: str, commit: str, ref: str | None) -> None:
    """Name COMMIT (HEAD by default) as a baseline."""
    work = open_workspace(ref)
    target = work.repository.resolve(commit)
    work.notes.set_baseline(check_name(name), target, time.time_ns() // 1_000_000)
    click.echo(f"Baseline {name} is {target[:12]}.")
    if not work.notes.records(target).runs:
        click.echo(f"Nothing is recorded for {target[:12]} yet.", err=True)


@baseline.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@ref_option
def list_(as_json: bool, ref: str | None) -> None:
    """List the named baselines."""
    found = open_workspace(ref).notes.baselines()
    if as_json:
        rows = {
            n: {"commit": b.commit, "saved_at_ms": b.time} for n, b in found.items()
        }
        click.echo(json.dumps(rows, indent=2))
        return
    if not found:
        click.echo("No baseline is saved; gitbench baseline save NAME makes one.")
    now = time.time()
    for line in aligned(
        [
            (name, (one.commit or "")[:12], f"{_age(now - one.time / 1000)} ago")
            for name, one in found.items()
        ]
    ):
        click.echo(line)


def _age(seconds: float) -> str:
    return format_duration(max(0, int(seconds)))


@baseline.command()
@click.argument("name")
@ref_option
def rm(name: str, ref: str | None) -> None:
    """Remove a named baseline; the results stay."""
    work = open_workspace(ref)
    if name not in work.notes.baselines():
        raise BaselineNameError(
            f"There is no baseline named {name!r}; see: gitbench baseline list"
        )
    work.notes.set_baseline(name, None, time.time_ns() // 1_000_000)
    click.echo(f"Baseline {name} is removed.")

"""The notes that one comparison needs, fetched before and while it reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import click

from gitbench.cli.workspace import Workspace, warn
from gitbench.model import Report
from gitbench.store import partial, sync
from gitbench.store.notes import Notes


def with_remote(work: Workspace, compare: Callable[[Workspace], Report]) -> Report:
    """Compare with the remote's notes beside those here.

    In a clone that fetched the remote's notes before, all that is new is fetched
    first, as `gitbench fetch` does; elsewhere only what the comparison reads, but for
    a remote that cannot give a part of its notes.
    """
    remote = work.config.remote
    if work.notes.knows(remote):
        partial.discard(work.repository, remote)
        return compare(_whole(work))
    try:
        notes = partial.open_partial(work.notes, work.git, remote)
        report = compare(replace(work, notes=notes))
    except partial.PartialError as exc:
        _tell(f"{exc} All results are fetched instead.")
        everything = _whole(work)
        partial.discard(work.repository, remote)
        return compare(everything)
    got = notes.received
    _tell(
        f"Received {got.notes:,} of {got.of:,} notes of {remote} "
        f"({got.size / 1e6:.2f} MB)."
    )
    return replace(report, warnings=(*report.warnings, *notes.warnings))


def _whole(work: Workspace) -> Workspace:
    notes = Notes(work.repository, work.notes.name)
    for warning in sync.fetch(notes, work.git, work.config.remote).warnings:
        warn(warning)
    return replace(work, notes=notes)


def _tell(text: str) -> None:
    """Say something on stderr that is no warning."""
    from gitbench.cli import one_line

    click.echo(f"gitbench: {one_line(text)}", err=True)

"""`gitbench archive`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import groupby

import click

from gitbench.cli import one_line
from gitbench.cli.sync import plural, size_words
from gitbench.cli.workspace import Workspace, open_workspace, ref_option, warn
from gitbench.model import Run
from gitbench.recording import without_values
from gitbench.store import archive as archiving
from gitbench.store import provenance, upkeep
from gitbench.store.archive import SETTING, ArchiveError, Store, Whole
from gitbench.store.codec import Note
from gitbench.store.standing import standing

EPILOG = """\b
Examples:
  gitbench archive --to /mnt/results --dry-run      what would go
  gitbench archive --to s3://bucket/results --older-than 1y
  gitbench archive --before v2.0                    to where it went before
"""

BATCH = 200
"""Runs that are taken out of the notes in one notes commit."""


@dataclass(slots=True)
class Found:
    """What can be archived, and what stays."""

    saved: dict[str, int] = field(default_factory=dict)
    """Run's id -> bytes that its note saves, before compression."""
    places: dict[str, set[str]] = field(default_factory=dict)
    """Run's id -> the objects whose notes hold it."""
    signed: int = 0
    small: int = 0


def _age(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> int | None:
    try:
        return None if value is None else upkeep.parse_age(value)
    except upkeep.ConditionError as exc:
        raise click.BadParameter(str(exc), context, parameter) from exc


@click.command(epilog=EPILOG)
@click.option(
    "--to",
    "url",
    metavar="URL",
    help="A folder, or any address that fsspec knows.  [default: git's setting "
    "gitbench.archive, which the first use sets]",
)
@click.option(
    "--older-than",
    metavar="AGE",
    callback=_age,
    help="Runs that started so long ago: 36h, 90d, 12w, 1y.  [default: 90d]",
)
@click.option("--before", metavar="REV", help="Runs of the ancestors of a commit.")
@click.option("--suite", metavar="GLOB", help="Only this suite.")
@click.option("--dry-run", is_flag=True, help="Say what would go; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Tell it as JSON.")
@ref_option
def archive(
    url: str | None,
    older_than: int | None,
    before: str | None,
    suite: str | None,
    dry_run: bool,
    as_json: bool,
    ref: str | None,
) -> None:
    """Move the raw values of old runs out of git, and leave their summaries.

    Centers, errors and numbers of values stay in the notes, so that compare, log and
    history answer as before.  show --json and export read the values back.  Runs that
    are signed stay whole, since a signature is over the values.
    """
    if older_than is not None and before is not None:
        raise click.UsageError("Choose by --older-than or by --before, not by both.")
    work = open_workspace(ref)
    told = work.repository.setting(SETTING)
    target = url or told
    if target is None:
        raise click.UsageError("Say where to: gitbench archive --to URL")
    now = time.time_ns() // 1_000_000
    latest = None if before else now - (older_than or upkeep.parse_age("90d"))
    found = _choose(work, latest, before, suite)
    written = 0
    if found.saved and not dry_run:
        store = Store(target)
        if told is not None and store.address != Store(told).address:
            raise ArchiveError(
                f"This clone reads values back from {told!r}, by git's setting "
                f"{SETTING}. To use another place, copy what is there, and then set "
                f"it: git config {SETTING} URL"
            )
        written = _move(work, store, found, now)
    _tell(found, written, target, as_json, dry_run=dry_run)


def _choose(
    work: Workspace, latest: int | None, before: str | None, suite: str | None
) -> Found:
    ancestors = None if before is None else _ancestors(work, before)
    found = Found()
    for object_id, note in upkeep.everything(work.notes):
        if ancestors is not None and object_id not in ancestors:
            continue
        signed = provenance.signed(note)
        for id_, run in _runs(note):
            if latest is not None and run.started_at > latest:
                continue
            if suite is not None and not _fits(suite, run.suite):
                continue
            if id_ in signed:
                found.signed += 1
                continue
            if id_ not in found.saved:
                whole = _shortened(run)
                if whole is None:
                    found.small += run.archived is None
                    continue
                found.saved[id_] = whole.saved
            found.places.setdefault(id_, set()).add(object_id)
    return found


def _runs(note: Note) -> Iterator[tuple[str, Run]]:
    """The runs of a note that are not withdrawn."""
    hidden = standing(note).hidden
    for id_, line in note.lines.items():
        run = None if id_ in hidden else upkeep.decoded(line)
        if run is not None:
            yield id_, run


def _shortened(run: Run) -> Whole | None:
    return archiving.shorten(run, [without_values(one) for one in run.measurements])


def _fits(pattern: str, name: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)


def _ancestors(work: Workspace, revision: str) -> frozenset[str]:
    """All that a commit can be reached from, without itself."""
    commit = work.repository.resolve(revision)
    listed = work.git.run("rev-list", commit, "--")
    if listed.returncode != 0:
        raise ArchiveError(f"The history cannot be walked ({listed.stderr[:200]}).")
    return frozenset(listed.stdout.split()) - {commit}


def _remember(work: Workspace, url: str) -> None:
    """Tell this clone where to read back from, before anything leaves the notes."""
    done = work.git.run("config", "--local", SETTING, url)
    if done.returncode != 0:
        raise ArchiveError(f"git's setting {SETTING} cannot be set; nothing was moved.")


def _move(work: Workspace, store: Store, found: Found, now: int) -> int:
    """Store the runs, read them back, and only then take them out of the notes;
    returns how many were not in the store yet.

    The runs are decoded a second time, so that those of a batch alone are in memory.
    """
    written = 0
    batch: dict[str, Run] = {}
    ids = sorted(found.saved, key=lambda id_: (min(found.places[id_]), id_))
    with click.progressbar(
        ids, label="Archiving", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as shown:
        for object_id, some in groupby(shown, lambda id_: min(found.places[id_])):
            runs = dict(_runs(work.notes.note(object_id)))
            for id_ in some:
                whole = _shortened(runs[id_]) if id_ in runs else None
                if whole is None:
                    continue  # Somebody withdrew it meanwhile.
                written += store.put(whole)
                batch[id_] = whole.short
            if len(batch) >= BATCH:
                _take_out(work, found, batch, now, store)
                batch.clear()
        _take_out(work, found, batch, now, store)
    return written


def _take_out(
    work: Workspace, found: Found, runs: dict[str, Run], now: int, store: Store
) -> None:
    if work.repository.setting(SETTING) is None:
        _remember(work, store.address)
    records: dict[str, dict[str, Run]] = {}
    for id_, short in runs.items():
        for object_id in found.places[id_]:
            records.setdefault(object_id, {})[id_] = short
    if records:
        for warning in work.notes.archive(records, now):
            warn(warning)


def _tell(
    found: Found, written: int, url: str, as_json: bool, *, dry_run: bool
) -> None:
    saved = sum(found.saved.values())
    if as_json:
        content = {
            "done": not dry_run,
            "runs": sorted(found.saved),
            "bytes": saved,
            "written": written,
            "signed": found.signed,
            "small": found.small,
        }
        click.echo(json.dumps(content, indent=2))
        return
    runs, size = plural(len(found.saved), "run"), size_words(saved)
    if not found.saved:
        click.echo("There is no run to archive; nothing was changed.")
    elif dry_run:
        click.echo(f"Would archive {runs}, {size} before compression.")
    else:
        click.echo(
            one_line(
                f"Archived {runs}, {size} before compression, in {url}; gitbench push "
                "tells the others. The history of the notes still holds the values: "
                "gitbench compact."
            )
        )
    if found.signed:
        click.echo(f"{plural(found.signed, 'signed run')} stayed whole.")

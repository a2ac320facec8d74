"""`gitbench export`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from importlib import import_module
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import click

from gitbench.cli.histories import search
from gitbench.cli.show import NothingToShowError
from gitbench.cli.workspace import Workspace, open_workspace, ref_option, warn
from gitbench.exporting import FORMATS, ExportError, Format, Item
from gitbench.exporting.files import whole_file, whole_folder
from gitbench.model import Measurement, RecordedRun, Run
from gitbench.store.facts import Question
from gitbench.store.repository import Repository
from gitbench.store.upkeep import ConditionError, parse_age, parse_time

EPILOG = """\b
Examples:
  gitbench export --output runs.jsonl            everything, to be recorded again
  gitbench export --format csv HEAD              the runs of a commit
  gitbench export --format sqlite --output bench.sqlite
  gitbench export --format parquet --output results --from ~/app --from ~/lib
  gitbench export --format go main~9 --benchmark 'Parse*' > base.txt
  gitbench export --format openmetrics --since 90d --output points.txt

A REVISION is a commit; with --max-count or --since, the commits with results on the
way back from it, along first parents.  A..B is the way from B back to A.
"""

BATCH = 256
"""Notes that a partial clone is asked for at a time."""

WORTH_A_BAR = 500
"""Commits from which progress is shown."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs, and which measurements of them."""

    suite: str | None = None
    testbed: str | None = None
    benchmark: str | None = None
    metric: str | None = None
    since: int | None = None
    """Earliest start, ms since the epoch."""

    def part(self, item: Item) -> Item | None:
        """What is wanted of a run; None if nothing is."""
        run = item.run
        bed = run.testbed
        if self.since is not None and run.started_at < self.since:
            return None
        if not _fits(self.suite, run.suite):
            return None
        if not _fits(self.testbed, bed.name, bed.fingerprint):
            return None
        kept = tuple(one for one in run.measurements if self._keeps(one))
        if len(kept) == len(run.measurements):
            return item
        if not kept:
            return None
        return replace(item, run=replace(run, measurements=kept), whole=False)

    def _keeps(self, one: Measurement) -> bool:
        return _fits(self.metric, one.metric.name) and _fits(
            self.benchmark, one.benchmark.name, one.benchmark.label
        )


def _fits(pattern: str | None, *names: str) -> bool:
    """Whether a glob fits one of the names, or is one of them."""
    return pattern is None or any(
        name == pattern or fnmatchcase(name, pattern) for name in names
    )


def _since(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> int | None:
    if value is None:
        return None
    try:
        if value[:1].isdigit() and value[-1:] in "hdwy":
            return time.time_ns() // 1_000_000 - parse_age(value)
        return parse_time(value)
    except ConditionError as exc:
        raise click.BadParameter(str(exc), context, parameter) from exc


@click.command(epilog=EPILOG)
@click.argument("revisions", nargs=-1, metavar="[REVISION]...")
@click.option(
    "--all", "every", is_flag=True, help="All results; so it is without a REVISION."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(tuple(FORMATS)),
    default="json",
    show_default=True,
    help="What to write.",
)
@click.option(
    "--output",
    metavar="FILE|DIR",
    help="Where to; `-` is standard output.  A DIR, of parquet, or of a file a run "
    "(pytest-benchmark) or a commit (go): one that exists, or with a / at its end.",
)
@click.option("--force", is_flag=True, help="Replace a DIR that is an earlier export.")
@click.option("--suite", metavar="GLOB", help="Only this suite.")
@click.option("--testbed", metavar="GLOB", help="Only this machine, or fingerprint.")
@click.option("--benchmark", metavar="GLOB", help="Only these benchmarks.")
@click.option("--metric", metavar="GLOB", help="Only these metrics.")
@click.option(
    "--since",
    metavar="DATE|AGE",
    callback=_since,
    help="Only runs that started since: 2025-01-31, or 90d.",
)
@click.option(
    "-n",
    "--max-count",
    type=click.IntRange(1),
    metavar="N",
    help="The N newest commits with such results, back from each REVISION (HEAD).",
)
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="REPO",
    help="Repository to read instead of this one; may be given several times.",
)
@ref_option
def export(
    revisions: tuple[str, ...],
    every: bool,
    form: str,
    output: str | None,
    force: bool,
    suite: str | None,
    testbed: str | None,
    benchmark: str | None,
    metric: str | None,
    since: int | None,
    max_count: int | None,
    sources: tuple[str, ...],
    ref: str | None,
) -> None:
    """Write results for other programs: tables, databases, other tools' formats.

    Runs that were retracted, and runs that were carried to a commit that they were not
    made on, are left out.
    """
    if every and (revisions or max_count):
        raise click.UsageError("--all is everything; it takes no REVISION and no -n.")
    if max_count and not revisions:
        revisions = ("HEAD",)
    wanted = Wanted(suite, testbed, benchmark, metric, since)
    works = _opened(sources, ref)
    found = (
        item
        for name, work in works
        for item in _items(work, name, revisions, wanted, max_count)
    )
    first = next(found, None)
    if first is None:
        raise NothingToShowError(
            "No results fit what is to be exported; nothing was written. See what is "
            "recorded: gitbench log"
        )
    for warning in _write(form, chain((first,), found), output, force=force):
        warn(warning)


# ---------------------------------------------------------------------- reading


def _opened(
    sources: Sequence[str], ref: str | None
) -> list[tuple[str | None, Workspace]]:
    """The repositories to read, each with its name where there are several."""
    if not sources:
        return [(None, open_workspace(ref))]
    from gitbench.config import Config
    from gitbench.store.notes import DEFAULT_NAME, Notes

    environ = {k: v for k, v in os.environ.items() if not k.startswith("GIT_DIR")}
    found: list[tuple[str | None, Workspace]] = []
    for name, path in zip(_names(sources), sources, strict=True):
        if not Path(path).is_dir():
            raise ExportError(f"--from {path!r}: there is no such folder.")
        repository = Repository.open(Path(path).resolve(), environ)
        notes = Notes(repository, ref or DEFAULT_NAME)
        found.append((name, Workspace(repository, Config(), notes, environ)))
    return found


def _names(paths: Sequence[str]) -> list[str]:
    """The last parts of paths, as many as tell them apart."""
    parts = [Path(path).resolve().parts for path in paths]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(one[-count:]).removesuffix(".git") for one in parts]
        if len(set(names)) == len(names):
            return names
    raise ExportError("--from names the same repository twice.")


def _items(
    work: Workspace,
    name: str | None,
    revisions: Sequence[str],
    wanted: Wanted,
    max_count: int | None,
) -> Iterator[Item]:
    """The runs of one repository that are wanted, each once."""
    seen: set[str] = set()
    if not revisions:
        commits = [object_id for object_id, _ in work.notes.annotated()]
        yield from _of_commits(work, name, commits, wanted, seen)
        return
    for revision in revisions:
        commits = _commits(work, revision, wanted, max_count)
        found = _of_commits(work, name, commits, wanted, seen)
        if max_count is None:
            yield from found
            continue
        for count, (_, some) in enumerate(groupby(found, lambda one: one.commit)):
            if count == max_count:
                break
            yield from some


def _commits(
    work: Workspace, revision: str, wanted: Wanted, max_count: int | None
) -> list[str]:
    """The commits that a revision stands for, newest first."""
    base, dots, tip = revision.partition("..")
    stop = work.repository.resolve(base or "HEAD") if dots else None
    if not dots and max_count is None and wanted.since is None:
        return [work.repository.resolve(revision)]
    start = (tip or "HEAD") if dots else revision
    if wanted.benchmark is not None and work.notes.exists():
        # The index knows which commits have it, where it is worth one.
        question = Question(wanted.benchmark, glob=True)
        walk: Iterable[str] = [
            answer.commit.id for answer in search(work, start, question)
        ]
    else:
        noted = {object_id for object_id, _ in work.notes.annotated()}
        line = work.repository.first_parents(work.repository.resolve(start))
        walk = (one.id for one in line if one.id in noted)
    found = []
    for commit in walk:
        if stop is not None and work.repository.is_ancestor(commit, stop):
            break
        found.append(commit)
    return found


def _of_commits(
    work: Workspace,
    name: str | None,
    commits: Sequence[str],
    wanted: Wanted,
    seen: set[str],
) -> Iterator[Item]:
    with _bar(commits, name) as shown:
        for place, commit in enumerate(shown):
            if place % BATCH == 0:
                work.notes.prefetch(commits[place : place + BATCH])
            records = work.notes.records(commit)
            for warning in records.warnings:
                warn(warning)
            fresh = [one for one in records.runs if one.id not in seen]
            wholly = [one for one in fresh if wanted.part(_item(one, commit, name))]
            seen |= {one.id for one in wholly}
            for one in work.whole(wholly):
                item = wanted.part(_item(one, commit, name))
                if item is not None:
                    yield item


def _item(one: RecordedRun, commit: str, name: str | None) -> Item:
    """A run to be written; one whose raw values are lost has no id of its own."""
    return Item(one.id, one.run, commit, name, whole=one.run.archived is None)


@contextmanager
def _bar(commits: Sequence[str], name: str | None) -> Iterator[Iterable[str]]:
    """The commits with a progress bar, on a terminal and where there are many."""
    if len(commits) < WORTH_A_BAR or not sys.stderr.isatty():
        yield commits
        return
    label = "Exporting" if name is None else f"Exporting {Path(name).name[:40]}"
    with click.progressbar(commits, label=label, file=sys.stderr) as bar:
        yield bar


# ---------------------------------------------------------------------- writing


def _write(
    form: str, items: Iterator[Item], output: str | None, *, force: bool
) -> tuple[str, ...]:
    """Write the items in a format; returns warnings."""
    how = FORMATS[form]
    module: Any = import_module(f"gitbench.exporting.{how.module}")
    to_stdout = output in (None, "-")
    if how.binary and to_stdout:
        what = "a folder" if how.folder else "a file"
        raise click.UsageError(f"{form} is {what}: name it with --output.")
    path = Path(output or "")
    if how.folder:
        with whole_folder(path, force=force) as fresh:
            warnings: tuple[str, ...] = module.write(items, fresh)
        return warnings
    if how.binary:
        with whole_file(path) as fresh:
            warnings = module.write(items, fresh)
        return warnings
    if how.one and output and not to_stdout and _is_folder(output):
        return _write_each(module, how, items, path, force=force)
    if how.one:
        items = iter(_only(how, items, form))
    if to_stdout:
        return _to_stdout(module, items)
    with (
        whole_file(path) as fresh,
        fresh.open("w", encoding="utf-8", newline="") as out,
    ):
        warnings = module.write(items, out)
    return warnings


def _to_stdout(module: Any, items: Iterable[Item]) -> tuple[str, ...]:
    """Text of programs for programs: UTF-8 whatever the terminal speaks."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    warnings: tuple[str, ...] = module.write(items, sys.stdout)
    return warnings


def _is_folder(output: str) -> bool:
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


def _key(how: Format, item: Item) -> tuple[str | None, str]:
    return item.repository, item.id if how.one == "run" else item.commit


def _only(how: Format, items: Iterator[Item], form: str) -> list[Item]:
    """The items of the one run or commit that a file holds."""
    groups = groupby(items, lambda item: _key(how, item))
    _, some = next(groups)
    first = list(some)
    more = sum(1 for _ in groups)
    if more:
        raise ExportError(
            f"A file of {form} holds one {how.one}, and {more + 1} fit; choose one, or "
            f"write a file for each with --output DIR/. Nothing was written."
        )
    return first


def _write_each(
    module: Any, how: Format, items: Iterator[Item], path: Path, *, force: bool
) -> tuple[str, ...]:
    """A file for each run or commit; what cannot be written is told and left out."""
    warnings: list[str] = []
    written = 0
    with whole_folder(path, force=force) as fresh:
        groups = groupby(items, lambda item: _key(how, item))
        for number, (_, some) in enumerate(groups, 1):
            of_one = list(some)
            place = fresh / f"{number:04}_{_file_name(how, of_one[0])}{how.ending}"
            try:
                with place.open("w", encoding="utf-8", newline="") as out:
                    warnings += module.write(of_one, out)
                written += 1
            except ExportError as exc:
                place.unlink()
                warnings.append(str(exc))
        if not written:
            raise ExportError(f"Nothing was written. {warnings[0]}")
    return tuple(warnings)


def _file_name(how: Format, item: Item) -> str:
    """Ids and a time alone, which are safe in a path."""
    run: Run = item.run
    if how.one == "commit":
        return item.commit[:12]
    day = time.strftime("%Y%m%d_%H%M%S", time.gmtime(run.started_at // 1000))
    return f"{run.commit[:12]}_{day}_{item.id}"

"""`gitbench import`."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitbench import importing
from gitbench.cli import one_line
from gitbench.cli.record import pair
from gitbench.cli.sync import plural
from gitbench.cli.workspace import Workspace, open_workspace, ref_option, warn
from gitbench.importing import HistoryError, Place, Point, Skipped, Wanted
from gitbench.model import Run

if TYPE_CHECKING:
    from gitbench.formats import Folder
    from gitbench.store.batch import Batch

EPILOG = """\b
Examples:
  gitbench import origin/gh-pages:dev/bench/data.js
  gitbench import .asv/results --testbed ci-large
  gitbench import --from git-perf
  gitbench import refs/notes/metrics --from git-metrics --suite size
  gitbench import results/ --pattern '{date}_{commit}.json'
  gitbench import data.js --dry-run      what would come, and nothing else
"""

BATCH_VALUES = 50_000
BATCH_RUNS = 2_000
"""A piece that is written at a time: at most about that many values or runs are held
in memory."""

DEFAULT_REFS = {
    "git-perf": ("refs/notes/perf-v3", "refs/notes/perf-v2", "refs/notes/perf"),
    "git-metrics": ("refs/notes/metrics",),
}


@click.command("import", epilog=EPILOG)
@click.argument("source", required=False, metavar="[SOURCE]")
@click.option(
    "--from",
    "kind",
    type=click.Choice(tuple(importing.KINDS)),
    metavar="KIND",
    help=f"What SOURCE is: {', '.join(importing.KINDS)}.  [default: detect]",
)
@click.option("--suite", metavar="NAME", help="Suite of all runs.")
@click.option("--testbed", metavar="NAME", help="Machine or machine class of all runs.")
@click.option("--tag", "tags", multiple=True, metavar="K=V", help="Tag of all runs.")
@click.option("--tool", metavar="NAME", help="Which tool wrote a folder's files.")
@click.option(
    "--pattern",
    metavar="PATTERN",
    help="Where commit and time stand in the names of files: {commit} {date} {time}.",
)
@click.option(
    "--dry-run", is_flag=True, help="Show what would be imported; write nothing."
)
@click.option("--json", "as_json", is_flag=True, help="Tell what was done as JSON.")
@ref_option
def import_(
    source: str | None,
    kind: str | None,
    suite: str | None,
    testbed: str | None,
    tags: tuple[str, ...],
    tool: str | None,
    pattern: str | None,
    dry_run: bool,
    as_json: bool,
    ref: str | None,
) -> None:
    """Take over the history that another tool keeps, in one notes commit.

    SOURCE is a file, a folder, an archive of one, a file in a commit (REV:PATH), or a
    notes ref.  Runs go to the commits that the history names, whether this clone has
    them or not.  Doing it again adds only what is new.
    """
    pairs = tuple(pair(tag) for tag in tags)
    work = open_workspace(ref)
    reader = None if tool == "auto" else tool
    history = open_history(work, source, kind, reader, pattern)
    wanted = Wanted(
        kind=history.kind,
        suite=suite,
        testbed=testbed,
        tags=pairs,
        default_suite=work.config.default_suite,
        now_ms=time.time_ns() // 1_000_000,
    )
    from gitbench.store.batch import Batch

    batch = Batch(work.notes)
    sums = Sums()
    runs = importing.runs(history.points, finder(work), wanted)
    with _progress(history.total, quiet=as_json or dry_run) as step:
        for piece in _pieces(runs, sums, step):
            batch.look(piece) if dry_run else batch.add(piece)
    if not sums.runs:
        for warning in sums.warnings(work):
            warn(warning)
        raise HistoryError(
            f"{history.name} ({history.kind}) holds no run that could be taken; "
            "nothing was imported."
        )
    warnings: tuple[str, ...] = ()
    if not dry_run:
        message = f"gitbench: import {plural(batch.tally.added, 'run')}"
        warnings = batch.finish(message)
    for warning in (*warnings, *sums.warnings(work), *_refused(batch)):
        warn(warning)
    if as_json:
        _tell_json(history, batch, sums, dry_run)
    else:
        _tell(history, batch, sums, dry_run)
    if not dry_run and work.repository.gc_is_due():
        work.git.run("gc", "--auto", "--quiet")


def _refused(batch: Batch) -> Iterator[str]:
    refused = batch.tally.refused
    if refused:
        yield (
            f"left out {plural(len(refused), 'run')} that cannot be stored, such as "
            f"that of {refused[0]}"
        )


# --------------------------------------------------------------------- the source


@dataclass(frozen=True, slots=True)
class History:
    """A history that is about to be read."""

    kind: str
    name: str
    points: Iterable[Point | Skipped]
    total: int
    """About how many points there are, for whoever waits."""


def open_history(
    work: Workspace,
    source: str | None,
    kind: str | None,
    tool: str | None,
    pattern: str | None,
) -> History:
    """Find out what a source is, and begin to read it.  Raises HistoryError,
    FormatError and whatever the repository says."""
    refs = DEFAULT_REFS.get(kind or "", ())
    if source is None:
        if not refs:
            raise click.UsageError(
                "Name what to import: gitbench import data.js; only --from git-perf "
                "and --from git-metrics know where it is."
            )
        present = [one for one in refs if work.repository.ref(one)]
        source = present[0] if present else refs[0]
    if refs or (source.startswith("refs/") and not Path(source).exists()):
        return _notes(work, source, kind)
    path = Path(source)
    if path.is_dir():
        from gitbench.cli.sources import open_folder

        # The files are read one at a time, so that only their number is bounded.
        folder = open_folder(path, limit=2**62)
        return _folder(folder, kind, tool, pattern)
    data = _bytes(work, source)
    from gitbench.cli.archives import is_archive, open_archive

    if is_archive(data):
        return _folder(open_archive(source, data), kind, tool, pattern)
    return _file(source, data, kind, tool, pattern)


def _notes(work: Workspace, ref: str, kind: str | None) -> History:
    from gitbench.importing import notes
    from gitbench.store.foreign import contents, foreign_notes

    last = ref.rpartition("/")[2]
    if kind is None and last.startswith(("perf", "metrics")):
        kind = "git-perf" if last.startswith("perf") else "git-metrics"
    reader = {
        "git-perf": notes.read_git_perf,
        "git-metrics": notes.read_git_metrics,
    }.get(kind or "")
    if reader is None or kind is None:
        raise HistoryError(
            f"Whose notes {one_line(ref, 200)} holds cannot be told from its name; say "
            "it: --from git-perf, or --from git-metrics."
        )
    found = foreign_notes(work.repository, ref)
    points = reader(contents(work.repository, found))
    return History(kind, ref, points, len(found))


def _bytes(work: Workspace, source: str) -> bytes:
    """The bytes of a file, or of a file in a commit; nothing is checked out."""
    from gitbench.cli.sources import read_bytes

    revision, colon, path = source.partition(":")
    if not colon or Path(source).exists():
        return read_bytes(source)
    commit = work.repository.resolve(revision)
    data = work.repository.read_file(commit, path)
    if data is None:
        raise HistoryError(
            f"{revision!r} has no file {path[:200]!r}; see: git ls-tree -r --name-only "
            f"{revision}"
        )
    return data


def _folder(
    folder: Folder, kind: str | None, tool: str | None, pattern: str | None
) -> History:
    from gitbench.formats import detection
    from gitbench.importing import files

    if kind is None:
        asv = pattern is None and detection.is_folder_of("asv", folder)
        saved = ".benchmarks" in Path(folder.name).parts
        kind = "asv" if asv else "pytest-benchmark" if saved else "files"
    if kind == "asv":
        points = files.read_asv(folder)
    elif kind in ("files", "pytest-benchmark"):
        tool = tool or (kind if kind == "pytest-benchmark" else None)
        points = files.read(folder, tool, pattern)
    else:
        raise HistoryError(f"{folder.name} is a folder, which {kind} does not write.")
    return History(kind, folder.name, points, len(folder.paths))


def _file(
    source: str, data: bytes, kind: str | None, tool: str | None, pattern: str | None
) -> History:
    from gitbench.formats import Folder, FormatError
    from gitbench.formats.document import inflate
    from gitbench.importing import bencher, data_js, files

    name = Path(source).name
    try:
        plain = inflate(data)
        if kind is None and data_js.is_data_js(plain):
            kind = "github-action-benchmark"
        elif kind is None and b'"project"' in plain[:4096]:
            kind = "bencher"
        if kind == "github-action-benchmark":
            suites = data_js.parse(plain)
            total = sum(len(points) for _, points in suites)
            return History(kind, source, data_js.points_of(suites), total)
        if kind == "bencher":
            found = bencher.parse(plain)
            return History(kind, source, bencher.points_of(found), len(found))
    except FormatError as exc:
        raise exc.in_file(source) from exc
    folder = Folder(source, (name,), {name: data}.__getitem__)
    return History(kind or "files", source, files.read(folder, tool, pattern), 1)


def finder(work: Workspace) -> importing.Find:
    """Looks commits up, each once: a history names most of them many times."""
    seen: dict[str, Place | None] = {}

    def find(id_: str) -> Place | None:
        if id_ not in seen:
            commit = work.repository.find_commit(id_)
            seen[id_] = (
                Place(commit.id, commit.tree, commit.time * 1000) if commit else None
            )
        return seen[id_]

    return find


# ------------------------------------------------------------------- on the way


@dataclass(slots=True)
class Sums:
    """What went by, for the telling; grows with the number of series and commits."""

    runs: int = 0
    measurements: int = 0
    values: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    groups: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Runs by suite, testbed and tool."""
    series: set[tuple[Any, ...]] = field(default_factory=set)
    commits: set[str] = field(default_factory=set)
    undirected: set[str] = field(default_factory=set)
    """Units of which nobody knows which way is better."""
    skipped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, Skipped] = field(default_factory=dict)
    """The first one of each reason."""

    def skip(self, one: Skipped) -> None:
        """Count something that was left out."""
        self.skipped[one.reason] += 1
        self.examples.setdefault(one.reason, one)

    def add(self, run: Run) -> None:
        """Count a run."""
        self.runs += 1
        self.measurements += len(run.measurements)
        self.values += sum([one.count for one in run.measurements])
        start = run.started_at
        self.first_ms = start if self.first_ms is None else min(start, self.first_ms)
        self.last_ms = start if self.last_ms is None else max(start, self.last_ms)
        self.groups[run.suite, run.testbed.name, run.tool.name] += 1
        self.commits.add(run.commit)
        for one in run.measurements:
            key = (run.suite, one.benchmark, one.metric)
            if key not in self.series:
                self.series.add(key)
                if one.metric.better.value == "none":
                    self.undirected.add(one.metric.unit)

    def missing(self, work: Workspace) -> int:
        """How many of the commits this clone lacks."""
        return sum(not work.repository.has(one) for one in self.commits)

    def warnings(self, work: Workspace) -> Iterator[str]:
        """What a user should know of the whole."""
        missing = self.missing(work)
        if missing:
            yield (
                f"{missing:,} of {plural(len(self.commits), 'commit')} are not in this "
                "clone (another repository, a shallow clone, or gone); their runs are "
                "kept by the commit's id. git fetch --unshallow may bring them."
            )
        if self.undirected:
            units = ", ".join(sorted(self.undirected)[:5])
            yield (
                f"which way is better is unknown of some series ({units}); they are "
                "shown and never gated."
            )
        for code, count in self.skipped.most_common():
            one = self.examples[code]
            detail = f": {one.detail}" if one.detail else ""
            yield (
                f"left out {count:,} that {importing.REASONS[code]}, such as "
                f"{one.place}{detail}"
            )


def _pieces(
    runs: Iterable[Run | Skipped], sums: Sums, step: Callable[[int], None]
) -> Iterator[dict[str, list[Run]]]:
    """Runs by commit, in pieces of bounded size."""
    piece: dict[str, list[Run]] = {}
    held = count = 0
    for one in runs:
        step(1)
        if isinstance(one, Skipped):
            sums.skip(one)
            continue
        sums.add(one)
        piece.setdefault(one.commit, []).append(one)
        count += 1
        held += sum(
            [len(m.processes[0]) if m.processes else 1 for m in one.measurements]
        )
        if held >= BATCH_VALUES or count >= BATCH_RUNS:
            yield piece
            piece, held, count = {}, 0, 0
    if piece:
        yield piece


@contextmanager
def _progress(total: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A bar on stderr if that is a terminal; called with the points that went by."""
    if quiet or not sys.stderr.isatty():
        yield lambda count: None
        return
    with click.progressbar(
        length=max(1, total),
        label="Importing",
        file=sys.stderr,
        update_min_steps=max(1, total // 200),
    ) as bar:
        yield bar.update


# ----------------------------------------------------------------------- telling


def _tell_json(history: History, batch: Batch, sums: Sums, dry_run: bool) -> None:
    import json

    tally = batch.tally
    content = {
        "source": history.name,
        "kind": history.kind,
        "dry_run": dry_run,
        "runs": sums.runs,
        "measurements": sums.measurements,
        "values": sums.values,
        "commits": len(sums.commits),
        "series": len(sums.series),
        "added": tally.added,
        "known": tally.known,
        "retracted": tally.retracted,
        "refused": len(tally.refused),
        "skipped": dict(sums.skipped),
        "groups": [
            {"suite": suite, "testbed": bed, "tool": tool, "runs": count}
            for (suite, bed, tool), count in sums.groups.items()
        ],
    }
    click.echo(json.dumps(content, indent=2))


def _tell(history: History, batch: Batch, sums: Sums, dry_run: bool) -> None:
    from gitbench.cli.tables import aligned

    tally = batch.tally
    click.echo(
        one_line(
            f"{history.name} ({history.kind}): {plural(sums.runs, 'run')} of "
            f"{plural(len(sums.commits), 'commit')}, "
            f"{plural(sums.measurements, 'measurement')} in {sums_series(sums)}"
            f"{_span(sums)}."
        )
    )
    rows = [("suite", "testbed", "tool", "runs")]
    rows += [
        (suite, bed, tool, f"{count:,}")
        for (suite, bed, tool), count in sums.groups.most_common(20)
    ]
    for line in aligned(rows) if len(rows) > 1 else ():
        click.echo(f"  {line}")
    if len(sums.groups) > 20:
        click.echo(f"  ... and {len(sums.groups) - 20:,} more")
    parts = [
        f"{'Would import' if dry_run else 'Imported'} {plural(tally.added, 'run')}"
    ]
    if tally.known:
        parts.append(f"{tally.known:,} were there already")
    if tally.retracted:
        parts.append(f"{tally.retracted:,} stay retracted")
    click.echo("; ".join(parts) + ("; nothing was written." if dry_run else "."))


def sums_series(sums: Sums) -> str:
    """`12 series`."""
    return f"{len(sums.series):,} series"


def _span(sums: Sums) -> str:
    """The days of the first and the last run."""
    from datetime import UTC, datetime, timedelta

    if sums.first_ms is None or sums.last_ms is None:
        return ""
    start = datetime(1970, 1, 1, tzinfo=UTC)
    days = [
        (start + timedelta(milliseconds=one)).date().isoformat()
        for one in (sums.first_ms, sums.last_ms)
    ]
    return f", {days[0]}" if days[0] == days[1] else f", {days[0]} to {days[1]}"

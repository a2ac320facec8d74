"""`gitbench record`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from gitbench import recording
from gitbench import testbed as testbeds
from gitbench.cli import ci, one_line
from gitbench.cli.sources import Source, read_source
from gitbench.cli.workspace import Workspace, open_workspace, ref_option, warn
from gitbench.errors import GitbenchError
from gitbench.model import Reading, Run, Testbed

if TYPE_CHECKING:
    from gitbench.store.codec import Signature
    from gitbench.store.notes import Written

EPILOG = """\b
Examples:
  pytest --benchmark-json=out.json && gitbench record out.json
  go test -bench . -count 10 | gitbench record -
  hyperfine --export-json out.json './build' && gitbench record out.json --suite build
  gitbench record --commit v1.2 old.json --testbed ci-large
  gitbench record out.json --dry-run     what would be stored, and nothing else
"""


class RecordError(GitbenchError):
    """A result cannot be recorded as asked."""


@click.command(epilog=EPILOG)
@click.argument("files", nargs=-1, metavar="[FILE|-]...")
@click.option("--tool", metavar="NAME", help="Which tool wrote it.  [default: detect]")
@click.option("--commit", "revision", metavar="REV", help="Commit that was measured.")
@click.option("--suite", metavar="NAME", help="Name of the suite.")
@click.option("--testbed", metavar="NAME", help="Name of the machine or machine class.")
@click.option("--tag", "tags", multiple=True, metavar="K=V", help="Tag of the run.")
@click.option(
    "--session", metavar="ID", help="Runs with one ID were measured together."
)
@click.option(
    "--round",
    "number",
    type=click.IntRange(0, 1_000_000),
    metavar="N",
    help="Round of the session: runs of two commits with one number are paired.",
)
@click.option(
    "--max-values",
    type=click.IntRange(min=2),
    metavar="N",
    help="Keep N evenly spaced values a process, and the exact summary of all.",
)
@click.option(
    "--baseline", metavar="NAME", help="Save the commit as baseline NAME as well."
)
@click.option("--push", "share", is_flag=True, help="Push the results afterwards.")
@click.option("--remote", metavar="NAME", help="Remote for --push.")
@click.option(
    "--sign/--no-sign",
    "sign",
    default=None,
    help="Sign the runs with git's key.  [default: git's setting gitbench.sign]",
)
@click.option("--again", is_flag=True, help="Record a result that is recorded already.")
@click.option("--restore", is_flag=True, help="Record a result that was retracted.")
@click.option(
    "--dry-run", is_flag=True, help="Show what would be stored; write nothing."
)
@click.option("--json", "as_json", is_flag=True, help="Tell what was done as JSON.")
@ref_option
def record(
    files: tuple[str, ...],
    tool: str | None,
    revision: str | None,
    suite: str | None,
    testbed: str | None,
    tags: tuple[str, ...],
    session: str | None,
    number: int | None,
    max_values: int | None,
    baseline: str | None,
    share: bool,
    remote: str | None,
    sign: bool | None,
    again: bool,
    restore: bool,
    dry_run: bool,
    as_json: bool,
    ref: str | None,
) -> None:
    """Record the results of a benchmark tool on a commit.

    The tool is detected from the content.  Results go to the commit that the file
    says it was measured on, else to HEAD; with several files or `-` for standard
    input, either all are recorded or none.
    """
    if not files:
        raise click.UsageError(
            "Name a result file, or - for standard input: gitbench record out.json"
        )
    if number is not None and session is None:
        raise click.UsageError("--round counts within a session: name it, --session ID")
    pairs = tuple(_pair(tag) for tag in tags)
    work = open_workspace(ref)
    sources = [read_source(name, tool) for name in files]
    if session is None and sum(len(source.readings) for source in sources) > 1:
        session = recording.one_session([source.data for source in sources])
    head = None if revision is None else work.repository.resolve(revision)
    asked = Asked(head, suite, testbed, session, pairs, max_values, again, round=number)
    runs = [run for source in sources for run in runs_of(work, source, asked)]
    if dry_run:
        _tell_dry(runs)
        return
    written, signatures = store(work, runs, sign=sign, restore=restore)
    if baseline is not None:
        _save_baseline(work, baseline, {run.commit: None for run in runs})
    _tell(runs, written, as_json)
    if signatures is not None and not as_json:
        _tell_signed(signatures)
    _afterwards(work, share, remote)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user says of results, which wins over what they say of themselves."""

    head: str | None = None
    """The commit that was measured."""
    suite: str | None = None
    testbed: str | None = None
    session: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    max_values: int | None = None
    again: bool = False
    round: int | None = None


def runs_of(work: Workspace, source: Source, asked: Asked) -> list[Run]:
    """The runs of one source, ready to be stored; says what its readers warn of."""
    job = ci.detect(work.environ)
    for warning in _warnings(source):
        warn(warning)
    runs = []
    for reading in source.readings:
        commit = _commit(work, reading, asked.head, source.name)
        where = recording.Circumstances(
            commit=commit,
            tree=work.repository.commit(commit).tree,
            dirty=_dirty(work, reading, commit),
            now_ms=time.time_ns() // 1_000_000,
            suite=asked.suite or reading.suite or work.config.default_suite,
            ci=job.context if job else None,
            session=asked.session,
            round=asked.round,
            tags=asked.tags,
            max_values=asked.max_values,
            again=asked.again,
        )
        machine = _testbed(work, reading, asked.testbed)
        runs.append(recording.make_run(reading, source.data, machine, where))
    return runs


def store(
    work: Workspace,
    runs: Sequence[Run],
    *,
    sign: bool | None = None,
    restore: bool = False,
) -> tuple[Written, dict[str, tuple[Signature, ...]] | None]:
    """Store runs on their commits, all or none, signed if that is asked or set; the
    signatures are None where it is not."""
    by_commit: dict[str, list[Run]] = {}
    for run in runs:
        by_commit.setdefault(run.commit, []).append(run)
    now_ms = time.time_ns() // 1_000_000
    if sign is None:
        sign = work.repository.flag("gitbench.sign", default=False)
    signatures = _sign(work, by_commit, now_ms) if sign else {}
    written = work.notes.record(
        by_commit, restore_ms=now_ms if restore else None, signatures=signatures
    )
    for warning in written.warnings:
        warn(warning)
    return written, signatures if sign else None


def _warnings(source: Source) -> Iterable[str]:
    for reading in source.readings:
        for warning in reading.warnings:
            yield f"{source.name}: {warning}"


def _pair(tag: str) -> tuple[str, str]:
    key, equals, value = tag.partition("=")
    if not equals or not key:
        raise click.UsageError(f"--tag {tag!r} is not of the form K=V.")
    return key, value


def _commit(work: Workspace, reading: Reading, head: str | None, name: str) -> str:
    """The commit that a reading belongs to: the one asked for, else the one that
    the file names, else HEAD."""
    repository = work.repository
    if head is not None:
        if reading.commit and not head.startswith(reading.commit):
            warn(
                f"{name} says it was measured on {reading.commit[:12]}; it is recorded "
                f"on {head[:12]}, as --commit asks."
            )
        return head
    if reading.commit is None:
        return repository.resolve("HEAD")
    try:
        return repository.resolve(reading.commit)
    except GitbenchError as exc:
        raise RecordError(
            f"{name} says it was measured on commit {reading.commit[:40]!r}, which "
            "this clone lacks; nothing was recorded. Fetch it, or name the right "
            "one: gitbench record --commit REV"
        ) from exc


def _dirty(work: Workspace, reading: Reading, commit: str) -> bool:
    """Whether the work tree was changed when it was measured: the tool knows best;
    for another commit than HEAD nobody can tell any more."""
    if reading.dirty is not None:
        return reading.dirty
    if work.repository.ref("HEAD") != commit:
        return False
    return work.repository.is_dirty()


def _testbed(work: Workspace, reading: Reading, name: str | None) -> Testbed:
    """The machine: what the result says of it wins over the one that records."""
    if name is None and reading.testbed_name and reading.fingerprint:
        return Testbed(reading.testbed_name, reading.fingerprint, reading.facts)
    named = work.config.testbed_facts
    facts = testbeds.combine(reading.facts, testbeds.facts(work.environ, named), named)
    return testbeds.testbed(
        facts, name or reading.testbed_name or work.config.testbed_name
    )


def _save_baseline(work: Workspace, name: str, commits: Iterable[str]) -> None:
    from gitbench.cli.baselines import check_name

    targets = list(commits)
    if len(targets) != 1:
        raise RecordError(
            f"--baseline {name} needs results of one commit; these are of "
            f"{len(targets)}. They were recorded; save it with: gitbench baseline save "
            f"{name} COMMIT"
        )
    work.notes.set_baseline(check_name(name), targets[0], time.time_ns() // 1_000_000)


def _sign(
    work: Workspace, runs: Mapping[str, Sequence[Run]], now_ms: int
) -> dict[str, tuple[Signature, ...]]:
    from gitbench.store import provenance, signing

    keys = signing.keys(work.repository, work.environ)
    return provenance.sign_runs(work.notes, keys, runs, now_ms)


def _tell_signed(signatures: Mapping[str, Sequence[Signature]]) -> None:
    made = next(iter(signatures.values()), None)
    if made is None:
        click.echo("Signed already.")
        return
    who = one_line(made[0].signer or "")
    click.echo(
        f"Signed {_plural(len(made[0].runs), 'run')} as {who} ({made[0].format})."
    )


def _afterwards(work: Workspace, share: bool, remote: str | None) -> None:
    """Let git pack if it wants to, and share if asked."""
    if work.repository.gc_is_due():
        work.git.run("gc", "--auto", "--quiet")
    if share:
        from gitbench.cli.sync import push_and_tell

        push_and_tell(work, remote or work.config.remote)


# ---------------------------------------------------------------- telling


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _content(run: Run) -> str:
    benchmarks = len({one.benchmark for one in run.measurements})
    values = sum(one.count for one in run.measurements)
    return (
        f"{_plural(benchmarks, 'benchmark')}, "
        f"{_plural(len(run.measurements), 'measurement')}, {_plural(values, 'value')}"
    )


def _tell(runs: Sequence[Run], written: Written, as_json: bool) -> None:
    from gitbench.store.codec import run_id

    added = {*written.added, *written.restored}
    ids = [run_id(run) for run in runs]  # packs the run: once each
    if as_json:
        import json

        rows = [
            {
                "commit": run.commit,
                "suite": run.suite,
                "testbed": run.testbed.name,
                "tool": run.tool.name,
                "measurements": len(run.measurements),
                "id": id_ if id_ in added else None,
                "recorded": id_ in added,
            }
            for run, id_ in zip(runs, ids, strict=True)
        ]
        click.echo(json.dumps({"runs": rows}, indent=2))
        return
    for run, id_ in zip(runs, ids, strict=True):
        where = one_line(
            f"suite {run.suite}, {run.testbed.name}, {run.tool.name}"
            + (", uncommitted changes" if run.dirty else "")
        )
        if id_ in added:
            word = "Restored" if id_ in written.restored else "Recorded"
            click.echo(f"{word} on {run.commit[:12]}: {_content(run)} ({where}).")
            added.discard(id_)
        else:
            click.echo(
                f"Already recorded on {run.commit[:12]}: {_content(run)} ({where}); "
                "nothing changed. --again records it once more."
            )


def _tell_dry(runs: Sequence[Run]) -> None:
    """Show everything that would be stored, facts of the machine included."""
    from gitbench.cli.tables import aligned
    from gitbench.cli.values import measurement_lines

    for run in runs:
        click.echo(f"Would record on {run.commit[:12]}: {_content(run)}.")
        facts = [
            ("suite", run.suite),
            ("tool", " ".join(filter(None, (run.tool.name, run.tool.version)))),
            ("testbed", f"{run.testbed.name} ({run.testbed.fingerprint})"),
            *run.testbed.facts,
            *((f"tag {key}", value) for key, value in run.tags),
        ]
        for line in aligned([(f"  {key}", value) for key, value in facts]):
            click.echo(line)
        for line in measurement_lines(run):
            click.echo(line)
    click.echo("Nothing was written.")

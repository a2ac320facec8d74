"""`gitbench hook install|uninstall|run`: the pre-push hook.

Every push waits for `run`, so it imports nothing that it does not need yet: without
a branch among the updates no git library, without results of head no statistics.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitbench import hook as hooks
from gitbench.errors import GitbenchError

if TYPE_CHECKING:
    from gitbench.cli.workspace import Workspace
    from gitbench.hook import Complaint, Update
    from gitbench.model import Report
    from gitbench.store.repository import Repository

MAX_INPUT = 64_000_000
MAX_CELL = 80
"""Longest name in a line, in characters; its middle is cut out."""

PATIENCE_S = 5.0
"""How long to wait for standard input to go on.  Git writes at once and closes it;
some hook managers hand over a pipe or a terminal that nobody writes to."""

EPILOG = """\b
Examples:
  gitbench hook install          from now on, git push compares what it pushes
  gitbench hook uninstall        back to how it was
  git push --no-verify           push without asking any hook
  GITBENCH_SKIP=1 git push       push without asking this one

\b
What it does about a failed gate is set in gitbench.toml:
  [hook]
  policy = "block"               or "warn", the default, or "off"
"""


@click.group(epilog=EPILOG)
def hook() -> None:
    """Compare what is pushed with its baseline, before it leaves.

    From recorded results only: nothing is measured, nothing is fetched, and there is
    no word where there is nothing to say.
    """


# ---------------------------------------------------------------------- the file


@hook.command()
def install() -> None:
    """Install the pre-push hook in this repository.

    A hook that is there already is kept: it runs first, and a push that it refuses is
    refused.
    """
    repository, folder = hooks_folder()
    program = _program()
    placed = hooks.install(folder, program)
    if not placed.changed:
        _tell(f"The hook is installed already: {placed.path}")
        return
    _tell(f"The hook is installed: {placed.path}")
    if placed.kept is not None:
        _tell(f"The hook that was there runs first, from {placed.kept}")
    if program is None:
        _tell("It runs the gitbench on the PATH, and no other is known here.")
    if not folder.resolve().is_relative_to(repository.common_dir.resolve()):
        _tell(
            "core.hooksPath names that folder; every repository for which it does runs "
            "the hook."
        )


@hook.command()
def uninstall() -> None:
    """Remove the pre-push hook, and bring back the one before it."""
    _, folder = hooks_folder()
    placed = hooks.uninstall(folder)
    if not placed.changed:
        _tell(f"No hook of gitbench is installed in {folder}")
    elif placed.kept is None:
        _tell(f"The hook is removed: {placed.path}")
    else:
        _tell(f"The hook is removed, and the one before it is back: {placed.path}")


def hooks_folder() -> tuple[Repository, Path]:
    """The repository, and the folder in which git looks for its hooks.

    Git itself is asked, since `core.hooksPath` may stand in any of its settings, and
    linked work trees share the hooks of the main one.
    """
    from gitbench.store.repository import Repository
    from gitbench.store.sync import Git

    repository = Repository.open(Path.cwd(), os.environ)
    top = repository.work_tree or repository.git_dir
    asked = Git(repository.git_dir, os.environ).run(
        "-C", str(top), "rev-parse", "--git-path", "hooks"
    )
    folder = asked.stdout.removesuffix("\n")
    if asked.returncode != 0 or not folder:
        raise hooks.HookError(
            "Git does not say where its hooks are (git rev-parse --git-path hooks: "
            f"{asked.stderr.strip()[:300] or 'no answer'})."
        )
    return repository, top / folder


def _program() -> str | None:
    """The gitbench command that belongs to this interpreter.

    The hook runs it where no gitbench is on the PATH, as with an environment that is
    not activated, or a graphical git client.
    """
    import sysconfig
    from shutil import which

    beside = Path(sys.executable).parent
    for folder in (beside, Path(sysconfig.get_path("scripts"))):
        if os.access(folder / "gitbench", os.X_OK):
            return str(folder / "gitbench")
    found = which("gitbench")
    return str(Path(found).absolute()) if found else None


def _tell(text: str) -> None:
    from gitbench.cli import one_line

    click.echo(one_line(text))


# ----------------------------------------------------------------------- the run


@dataclass(slots=True)
class Findings:
    """What there is to say of the branches of one push."""

    complaints: list[Complaint] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Commits that the policy does not let pass."""
    missing: list[tuple[str, str]] = field(default_factory=list)
    """Branches that were not compared for want of results, and why."""


@hook.command()
@click.option("--remote", metavar="NAME", help="Remote that is pushed to.")
@click.option("--url", metavar="URL", help="Where that remote is.")
@click.option(
    "--policy",
    type=click.Choice(["warn", "block", "off"]),
    help="What to do about a failed gate.  [default: as configured, else warn]",
)
def run(remote: str | None, url: str | None, policy: str | None) -> int:
    """Compare the branches of one push; git's hook calls it.

    Reads what git tells a pre-push hook on standard input, or the environment of the
    pre-commit framework.  Exit code 1 refuses the push; trouble of its own never does.
    """
    environ = os.environ
    if environ.get(hooks.GUARD) or environ.get(hooks.SKIP, "0") not in ("", "0"):
        return 0
    try:
        updates = hooks.branches(_updates(environ))
        if not updates:
            return 0
        remote = remote or environ.get("PRE_COMMIT_REMOTE_NAME")
        url = url or environ.get("PRE_COMMIT_REMOTE_URL")
        return _say(_check_all(updates, remote, url, policy))
    except GitbenchError as exc:
        _warn(f"{exc} This push was not checked.")
        return 0


def _updates(environ: Mapping[str, str]) -> tuple[Update, ...]:
    """What is pushed, from standard input, else from the pre-commit framework."""
    told = hooks.parse_updates(_input().decode("utf-8", "replace"))
    if told:
        return told
    update = hooks.pre_commit_update(environ)
    return (update,) if update else ()


def _input() -> bytes:
    """Standard input to its end; nothing of a terminal, and no waiting for ever."""
    stdin = getattr(sys, "stdin", None)  # None if it was closed before the start
    if stdin is None or stdin.isatty():
        return b""
    try:
        descriptor = stdin.fileno()
    except OSError:
        data: bytes = stdin.buffer.read(MAX_INPUT)
        return data
    try:
        return _read_all(descriptor)
    except OSError as exc:
        raise hooks.HookError(
            f"Standard input cannot be read ({exc.strerror})."
        ) from exc


def _read_all(descriptor: int) -> bytes:
    from select import select

    data = bytearray()
    while len(data) <= MAX_INPUT:
        if not select([descriptor], [], [], PATIENCE_S)[0]:
            raise hooks.HookError(
                f"Nobody wrote to standard input for {PATIENCE_S:.0f} s, where git "
                "tells a hook what is pushed."
            )
        chunk = os.read(descriptor, 65536)
        if not chunk:
            return bytes(data)
        data += chunk
    raise hooks.HookError("Standard input is too long to be that of a hook.")


def _check_all(
    updates: Sequence[Update], remote: str | None, url: str | None, policy: str | None
) -> Findings:
    """Compare each pushed branch; the same comparison is made once."""
    findings = Findings()
    if _is_unused():
        return findings
    from gitbench.cli.workspace import open_workspace

    work = open_workspace()
    remote = _known_remote(work.repository, remote, url)
    seen: set[tuple[str, str]] = set()
    for update in updates:
        try:
            _check(work, update, remote, policy, findings, seen)
        except GitbenchError as exc:
            _warn(f"{update.branch} was not compared: {exc}")
    return findings


def _is_unused() -> bool:
    """Whether nobody uses gitbench here: no notes of any name, no settings.

    One folder of hooks may serve all repositories of a machine, and where there is
    nothing to ask, reading the settings would take 15 ms for nothing.
    """
    from gitbench.store.repository import Repository

    repository = Repository.open(Path.cwd(), os.environ)
    if repository.refs("refs/notes/") or repository.refs("refs/gitbench/"):
        return False
    top = repository.work_tree
    files = ("gitbench.toml", "pyproject.toml")
    return top is not None and not any((top / name).exists() for name in files)


def _known_remote(
    repository: Repository, remote: str | None, url: str | None
) -> str | None:
    """The configured remote that is pushed to, also by its URL."""
    names = repository.remotes()
    if remote in names or url is None:
        return remote
    for name in names:
        if repository.setting(f"remote.{name}.url") == url:
            return name
    return remote


def _check(
    work: Workspace,
    update: Update,
    remote: str | None,
    policy: str | None,
    findings: Findings,
    seen: set[tuple[str, str]],
) -> None:
    """Compare one pushed commit, by its id, and note what there is to say."""
    head = work.repository.resolve(update.local)
    work = _as_pushed(work, head)
    policy = policy or work.config.hook_policy
    if policy == "off":
        return
    name = f"{update.branch} ({head[:8]})"
    if not work.notes.exists():
        # Where nobody measures there is nothing to say, unless a gate is asked for.
        if policy == "block":
            findings.missing.append((name, _NOTHING_HERE))
        return
    base = _base(work, update, head, remote)
    if base is None or (head, base) in seen:
        return
    seen.add((head, base))
    from gitbench.baseline import NothingRecordedError

    try:
        report = _compare(work, base, head)
    except NothingRecordedError as exc:
        findings.missing.append((name, str(exc)))
        return
    if report.exit_code == 3:
        why = report.reason or "no benchmark has a counterpart in its baseline."
        findings.missing.append((name, why))
    if not hooks.is_notable(report):
        return
    import shlex

    onto = base == update.remote
    command = f"gitbench compare {shlex.quote(base[:12] if onto else base)} {head[:12]}"
    against = _against(report, f"what {remote or 'the remote'} has" if onto else None)
    complaint = hooks.complain(name, report, against, command)
    findings.complaints.append(complaint)
    if complaint.failed and policy == "block":
        findings.refused.append(head[:8])


_NOTHING_HERE = (
    "nothing is recorded in this clone; get the results of others with gitbench fetch, "
    "or record some: gitbench record RESULTS"
)


def _as_pushed(work: Workspace, head: str) -> Workspace:
    """The workspace with the settings of the pushed commit.

    They judge what is pushed, not what is being edited; where the commit has none,
    those of the work tree hold.
    """
    from gitbench.store.notes import Notes

    config = work.config_at(head)
    if config.source is None:
        return work
    same = config.ref == work.notes.name
    notes = work.notes if same else Notes(work.repository, config.ref)
    return replace(work, config=config, notes=notes)


def _base(work: Workspace, update: Update, head: str, remote: str | None) -> str | None:
    """What a pushed branch is compared with; None if it brings nothing to it.

    That is what `gitbench compare` takes: the configured baseline, else the default
    branch.  A push to this very branch is compared with what the remote has there,
    which git tells the hook by its id: all commits that leave together are judged
    together, and a branch that was rewritten is held against what it replaces.
    """
    from gitbench.baseline import BaselineError, default_base

    repository = work.repository
    theirs = update.remote
    if theirs is not None and not repository.has(theirs):
        theirs = None  # never fetched: somebody else pushed it
    try:
        base = default_base(repository, work.config.baseline, None, work.config.remote)
    except BaselineError:
        if theirs is None:
            raise
        return theirs
    ref = repository.branch_ref(base)
    if ref is None:
        return base
    ref = repository.symbolic_target(ref) or ref
    if ref in (update.remote_ref, f"refs/remotes/{remote}/{update.branch}"):
        if theirs is None:
            return base
        return None if repository.is_ancestor(head, theirs) else theirs
    tip = repository.ref(ref)
    return None if tip is not None and repository.is_ancestor(head, tip) else base


def _compare(work: Workspace, base: str, head: str) -> Report:
    """What `gitbench compare BASE HEAD` finds, with the settings of the workspace."""
    from gitbench.baseline import Limits
    from gitbench.cli.compare import Overrides, compare_commits

    config = work.config
    limits = Limits(config.max_distance, config.window, config.window_distance)
    return compare_commits(work, base, head, None, limits, Overrides())


def _against(report: Report, theirs: str | None) -> str | None:
    """The baseline in words, as in a report; of several groups that of the worst."""
    from gitbench.model import SEVERITY
    from gitbench.report.escape import plain
    from gitbench.report.words import baseline_words, number, short

    groups = sorted(report.groups, key=lambda group: SEVERITY[group.verdict])
    baselines = [group.baseline for group in groups if group.baseline]
    if not baselines:
        return None
    if theirs is None:
        return plain(baseline_words(baselines[0], report.base))
    distance = baselines[0].distance
    before = f"{number(distance, 'commit')} before " if distance else ""
    return f"{short(baselines[0].commit)}, {before}{theirs}"


# ---------------------------------------------------------------------- the words


def _say(findings: Findings) -> int:
    """Say what there is to say, on standard error; returns the exit code."""
    if not (findings.complaints or findings.missing):
        return 0
    for one in findings.complaints:
        _line(f"gitbench: {one.headline}")
        _table(one.rows)
        if one.against:
            _line(f"compared with {one.against}", indent="  ")
        _line(f"all of it: {one.command}", indent="  ")
    if findings.missing:
        _line(_missing_words(findings.missing))
    if findings.refused:
        _line('gitbench: the push is refused, since the policy is "block". To go on:')
        _table(hooks.ways_on(list(dict.fromkeys(findings.refused))))
        return 1
    if any(one.failed for one in findings.complaints):
        _line('gitbench: the push goes on, since the policy is "warn".')
    return 0


def _missing_words(missing: Sequence[tuple[str, str]]) -> str:
    """One line, however many branches have no results."""
    name, why = missing[0]
    if len(missing) == 1:
        return f"gitbench: {name} was not compared: {why}"
    names = ", ".join([name for name, _ in missing[:3]])
    more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
    return f"gitbench: {names}{more} were not compared. The first of them: {why}"


def _table(rows: Sequence[Sequence[str]]) -> None:
    from gitbench.cli.tables import aligned
    from gitbench.report.escape import LOG_COMMAND, clean_name

    cells = [[cell and clean_name(cell, MAX_CELL) for cell in row] for row in rows]
    for line in aligned(cells):
        click.echo("  " + LOG_COMMAND.sub("# #", line), err=True)


def _line(text: str, indent: str = "") -> None:
    from gitbench.report.escape import LOG_COMMAND, clean

    click.echo(indent + LOG_COMMAND.sub("# #", clean(text)), err=True)


def _warn(text: str) -> None:
    _line(f"gitbench: warning: {text}")

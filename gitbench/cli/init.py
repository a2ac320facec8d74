"""`gitbench init`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from gitbench import baseline as baselines
from gitbench import formats
from gitbench.cli import one_line
from gitbench.cli.workspace import Workspace, open_workspace, ref_option, warn
from gitbench.config import starter
from gitbench.errors import GitbenchError
from gitbench.store import setup
from gitbench.store.notes import tracking_ref
from gitbench.store.setup import Setting, SetupError, State

CONFIG_FILE = "gitbench.toml"

EPILOG = """\b
Examples:
  gitbench init                     git fetch brings results along from now on
  gitbench init --hook              compare before each push as well
  gitbench init --dry-run           what would be written, and nothing else
  gitbench init --undo              take out what init added
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is still to be written."""

    settings: tuple[Setting, ...]
    file: str | None
    """Content of a new configuration file; None: there is one, or none is wanted."""
    hook: bool
    notes: tuple[str, ...] = ()
    """What the files of the project told, in words."""

    @property
    def empty(self) -> bool:
        """Nothing is left to do."""
        return not self.settings and self.file is None and not self.hook


@click.command(epilog=EPILOG)
@click.option(
    "--remote",
    "remotes",
    multiple=True,
    metavar="NAME",
    help="Remote to share with; may be given several times.  [default: origin]",
)
@click.option("--hook", "with_hook", is_flag=True, help="Install the pre-push hook.")
@click.option("--git-only", is_flag=True, help=f"Write no {CONFIG_FILE}.")
@click.option("--undo", is_flag=True, help="Take out what init added, and only that.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show it, write nothing.")
@ref_option
def init(
    remotes: tuple[str, ...],
    with_hook: bool,
    git_only: bool,
    undo: bool,
    yes: bool,
    dry_run: bool,
    ref: str | None,
) -> None:
    """Set up this clone: git fetch and git pull bring results along.

    Shows what it is about to write, and asks where there is a terminal.  Nothing is
    pushed but by gitbench push.  Run again, it adds what is missing and changes
    nothing else.
    """
    work = open_workspace(ref)
    if undo:
        _undo(work, yes, dry_run)
        return
    names = _remotes(work, remotes)
    plan = _plan(work, names, with_hook, git_only)
    if plan.empty:
        click.echo("Everything is set up already; nothing was changed.")
        return
    _show(plan, dry_run)
    if dry_run or not _agreed(yes):
        click.echo("Nothing was written.")
        return
    _carry_out(work, plan)
    if names:
        click.echo("From now on git fetch and git pull bring results along.")
    click.echo("gitbench init --undo takes all that out again.")
    for name in names:
        if work.repository.ref(tracking_ref(name, work.notes.name)) is None:
            click.echo(f"Get the results that {one_line(name)} has: gitbench fetch")
            break


def _remotes(work: Workspace, asked: Sequence[str]) -> tuple[str, ...]:
    """The remotes to set up: those asked for, else the configured one, else the
    only one."""
    known = work.repository.remotes()
    for name in asked:
        if name not in known:
            raise SetupError(
                f"There is no remote {name!r} here; see git remote -v, or add it: git "
                f"remote add {name} URL"
            )
    if asked:
        return tuple(dict.fromkeys(asked))
    if work.config.remote in known:
        return (work.config.remote,)
    if len(known) > 1:
        raise SetupError(
            f"There is no remote {work.config.remote!r}, and several others "
            f"({', '.join(known)}); name one: gitbench init --remote {known[0]}"
        )
    if not known:
        warn("There is no remote yet; run gitbench init again when there is one.")
    return known


def _plan(
    work: Workspace, remotes: Sequence[str], with_hook: bool, git_only: bool
) -> Plan:
    settings = setup.missing(work.git, setup.wanted(remotes, work.notes.name))
    file: str | None = None
    notes: tuple[str, ...] = ()
    if not git_only and work.repository.work_tree is not None and not _has_config(work):
        file, notes = _starter(work, work.repository.work_tree, remotes)
    return Plan(settings, file, with_hook and not _hook_is_there(), notes)


def _has_config(work: Workspace) -> bool:
    """Whether there are settings of the project, or a file in the place of ours."""
    root = work.repository.work_tree
    return work.config.source is not None or (
        root is not None and (root / CONFIG_FILE).exists()
    )


def _starter(
    work: Workspace, root: Path, remotes: Sequence[str]
) -> tuple[str, tuple[str, ...]]:
    """A configuration file for this project, and what was found out in words."""
    found = starter.look(lambda name: _read(root / name))
    remote = remotes[0] if remotes else None
    try:
        base = baselines.default_base(work.repository, None, None, remote or "origin")
    except GitbenchError:
        base = None
    other = remote if remote != work.config.remote else None
    notes = [f"{one.tool} in {one.evidence}" for one in found]
    notes += [f"baseline {base}"] if base else []
    return starter.text(found, formats.TOOLS, base, other), tuple(notes)


def _read(path: Path) -> bytes | None:
    """The start of a file that tells what a project uses."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return file.read(starter.MAX_BYTES)
    except OSError:
        return None


def _show(plan: Plan, in_full: bool) -> None:
    """Say what is about to be written."""
    if plan.settings:
        click.echo("To be added to git's configuration of this clone:")
        for one in plan.settings:
            click.echo(f"  {one_line(one.key)} = {one_line(one.value)}")
    if plan.file is not None:
        told = one_line(", ".join(plan.notes))
        click.echo(f"To be written: {CONFIG_FILE}" + (f" ({told})" if told else ""))
        if in_full:
            for line in plan.file.splitlines():
                click.echo(f"  {line}".rstrip())
    if plan.hook:
        click.echo("To be installed: the pre-push hook")


def _agreed(yes: bool) -> bool:
    """Ask where somebody can answer; elsewhere what was asked for is done."""
    if yes or not sys.stdin.isatty():
        return True
    return click.confirm("Write this?", default=True, err=True)


def _carry_out(work: Workspace, plan: Plan) -> None:
    """Write it, and remember each step as soon as it is done."""
    state = setup.load_state(work.repository)
    setup.add(work.git, plan.settings)
    state = replace(state, settings=(*state.settings, *plan.settings))
    setup.save_state(work.repository, state)
    root = work.repository.work_tree
    if plan.file is not None and root is not None:
        content = plan.file.encode()
        try:
            with (root / CONFIG_FILE).open("xb") as file:
                file.write(content)
        except OSError as exc:
            raise SetupError(
                f"{CONFIG_FILE} cannot be written ({exc.strerror}); git's settings "
                "are in place."
            ) from exc
        files = (*state.files, (CONFIG_FILE, setup.digest(content)))
        state = replace(state, files=files)
        setup.save_state(work.repository, state)
    if plan.hook:
        _invoke_hook("install")
        setup.save_state(work.repository, replace(state, hook=True))


# ------------------------------------------------------------------ undo


def _undo(work: Workspace, yes: bool, dry_run: bool) -> None:
    state = setup.load_state(work.repository)
    if state == State():
        click.echo("gitbench init added nothing here that could be taken out.")
        return
    removable = [name for name, digest in state.files if _is_ours(work, name, digest)]
    for one in state.settings:
        click.echo(f"To be taken out: {one_line(one.key)} = {one_line(one.value)}")
    for name, _ in state.files:
        if name in removable:
            click.echo(f"To be deleted: {one_line(name)}")
        else:
            click.echo(
                f"Left alone, since it was changed or committed: {one_line(name)}"
            )
    if state.hook:
        click.echo("To be taken out: the pre-push hook")
    if dry_run or not _agreed(yes):
        click.echo("Nothing was changed.")
        return
    setup.remove(work.git, state.settings)
    root = work.repository.work_tree
    for name in removable:
        if root is not None:
            (root / name).unlink(missing_ok=True)
    if state.hook and _hook_is_there():
        _invoke_hook("uninstall")
    setup.save_state(work.repository, State())
    click.echo("Done. What was recorded and fetched is still here.")


def _is_ours(work: Workspace, name: str, digest: str) -> bool:
    """Whether a file is as init wrote it, and no part of the project yet."""
    root = work.repository.work_tree
    if root is None:
        return False
    content = _read(root / name)
    if content is None or setup.digest(content) != digest:
        return False
    tracked = work.git.run("-C", str(root), "ls-files", "--error-unmatch", "--", name)
    return tracked.returncode != 0


def _hook_is_there() -> bool:
    """Whether the hook of this clone is ours."""
    from gitbench import hook as hooks
    from gitbench.cli.hook import hooks_folder

    content = _read(hooks_folder()[1] / hooks.NAME)
    return content is not None and content.startswith(hooks.MARK)


def _invoke_hook(name: str) -> None:
    """Run `gitbench hook NAME`."""
    from gitbench.cli.hook import hook

    click.get_current_context().invoke(hook.commands[name])

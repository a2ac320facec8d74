"""What every command on a repository starts from: repository, config, notes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gitbench.config import Config, load_directory, load_from_files
from gitbench.errors import GitbenchError
from gitbench.model import RecordedRun
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository

if TYPE_CHECKING:
    from gitbench.store.sync import Git

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Workspace:
    """One opened repository with its configuration and notes."""

    repository: Repository
    config: Config
    notes: Notes
    environ: Mapping[str, str]

    @property
    def git(self) -> Git:
        """The git binary, for what only it does well: the network."""
        from gitbench.store.sync import Git

        return Git(self.repository.git_dir, self.environ)

    def whole(self, runs: Iterable[RecordedRun]) -> tuple[RecordedRun, ...]:
        """The runs with their raw values, where these went to an archive; says which
        could not be read back, and leaves those as they are."""
        found = tuple(runs)
        if all(one.run.archived is None for one in found):
            return found
        from gitbench.store import archive

        url = self.repository.setting(archive.SETTING)
        whole, warnings = archive.read_back(found, url)
        for warning in warnings:
            warn(warning)
        return whole

    def config_at(self, commit: str) -> Config:
        """The configuration as it stands in a commit."""
        return load_from_files(
            lambda path: self.repository.read_file(commit, path),
            f"commit {commit[:12]}",
        )


def open_workspace(ref: str | None = None, *, as_it_is: bool = False) -> Workspace:
    """Open the repository around the current directory (or GIT_DIR's).

    First the notes are brought up to date, unless they are wanted `as_it_is`: what a
    plain `git fetch` or `git pull` brought is united with them, and results that were
    written here and thrown away by somebody since come back, which is said.
    """
    environ = os.environ
    repository = Repository.open(Path.cwd(), environ)
    root = repository.work_tree
    config = load_directory(root) if root is not None else _bare_config(repository)
    notes = Notes(repository, ref or config.ref)
    for warning in config.warnings:
        warn(warning)
    if not as_it_is:
        _bring_up_to_date(notes)
    return Workspace(repository, config, notes, environ)


def _bring_up_to_date(notes: Notes) -> None:
    """Unite what is here already but not in the notes; where that cannot be written,
    go on without it and say so."""
    try:
        for warning in notes.bring_back():
            warn(warning)
        for warning in notes.unite_fetched(notes.repository.remotes()):
            warn(warning)
    except GitbenchError as exc:
        warn(f"Results that were fetched could not be united with those here: {exc}")


def _bare_config(repository: Repository) -> Config:
    """A bare repository has no files; its HEAD commit may."""
    head = repository.ref("HEAD")
    if head is None:
        return Config()
    return load_from_files(lambda path: repository.read_file(head, path), "HEAD")


def warn(text: str) -> None:
    """Say something on stderr that is no error."""
    from gitbench.cli import one_line

    click.echo(f"gitbench: warning: {one_line(text)}", err=True)


def wants_colour(stream: Any, environ: Mapping[str, str]) -> bool:
    """Whether to colour text for `stream`: NO_COLOR, then FORCE_COLOR, then a
    terminal that is not dumb."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return bool(stream.isatty()) and environ.get("TERM") != "dumb"


def writes_unicode(stream: Any) -> bool:
    """Whether `stream` can show signs beyond ASCII."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


def terminal_width(environ: Mapping[str, str], default: int = 100) -> int:
    """Columns of the terminal, or `default` where stdout is none."""
    import shutil

    if environ.get("COLUMNS", "").isdigit() or sys.stdout.isatty():
        return max(40, shutil.get_terminal_size((default, 24)).columns)
    return default


def ref_option(function: F) -> F:
    """`--ref NAME`: another notes ref."""
    return click.option(
        "--ref",
        metavar="NAME",
        help="Notes ref to use, the last part of refs/notes/NAME.  [default: gitbench]",
        callback=_check_ref,
    )(function)


def index_option(function: F) -> F:
    """`--index/--no-index`: whether the index is asked; None leaves it to gitbench."""
    return click.option(
        "--index/--no-index",
        "use_index",
        default=None,
        help="Bring the index up to date first, or read the notes themselves; the "
        "answer is the same.  [default: what is quicker]",
    )(function)


def _check_ref(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    if value is None:
        return None
    from gitbench.config import check_ref

    try:
        return check_ref(value)
    except GitbenchError as exc:
        raise click.BadParameter(str(exc), context, parameter) from exc

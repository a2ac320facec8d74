"""`gitbench doctor`."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from gitbench.cli import one_line
from gitbench.cli.workspace import Workspace, open_workspace, ref_option
from gitbench.errors import GitbenchError
from gitbench.store import doctor as examining
from gitbench.store.doctor import Finding

EPILOG = """\b
Examples:
  gitbench doctor              what is wrong, if anything
  gitbench doctor --fix        mend what can be mended
"""


@click.command(epilog=EPILOG)
@click.option("--fix", is_flag=True, help="Mend what can be mended.")
@click.option("--dry-run", is_flag=True, help="With --fix: say what would be mended.")
@click.option("--json", "as_json", is_flag=True, help="Tell it as JSON.")
@ref_option
def doctor(fix: bool, dry_run: bool, as_json: bool, ref: str | None) -> int:
    """Look for what is wrong with this clone and its results.

    Reads every record.  Exit code 4 if something is wrong that is not harmless and
    was not mended.
    """
    try:
        work = open_workspace(ref, as_it_is=True)
    except GitbenchError as exc:
        _tell([(Finding("unusable", str(exc)), "found")], as_json)
        return exc.exit_code
    findings = [*_hook(work), *_examine(work)]
    told = [(one, _treat(one, fix, dry_run)) for one in findings]
    _tell(told, as_json)
    wrong = [one for one, outcome in told if not one.harmless and outcome != "mended"]
    return GitbenchError.exit_code if wrong else 0


def _examine(work: Workspace) -> list[Finding]:
    return list(examining.thorough(work.notes, work.git, work.config.remote, _progress))


def _progress(items: list[Any]) -> Iterator[Any]:
    """A progress bar where somebody sees it."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(
        items, label="Reading notes", file=sys.stderr, hidden=hidden
    ) as bar:
        yield from bar


def _treat(finding: Finding, fix: bool, dry_run: bool) -> str:
    """Mend a finding if that is wanted and possible; what became of it."""
    if finding.mend is None or not fix:
        return "found"
    if dry_run:
        return "would be mended"
    try:
        # What another command has to say of it is no part of the answer.
        with contextlib.redirect_stdout(sys.stderr):
            finding.mend()
    except GitbenchError as exc:
        return f"could not be mended: {exc}"
    return "mended"


def _tell(told: Sequence[tuple[Finding, str]], as_json: bool) -> None:
    if as_json:
        rows = [{**one.as_json(), "outcome": outcome} for one, outcome in told]
        click.echo(json.dumps({"findings": rows}, indent=2))
        return
    if not told:
        click.echo("All is well.")
    for one, outcome in told:
        mark = "note" if one.harmless else "problem"
        end = "" if outcome == "found" else f" -> {outcome}"
        click.echo(one_line(f"{mark} [{one.code}]: {one.text}{end}"))
    mendable = any(one.mend and outcome == "found" for one, outcome in told)
    if mendable:
        click.echo("gitbench doctor --fix mends what can be mended.")


# ------------------------------------------------------------------ hook


def _hook(work: Workspace) -> Iterable[Finding]:
    """A hook of ours that git does not run, or that is not the present one."""
    from gitbench import hook as hooks
    from gitbench.cli.hook import hook, hooks_folder

    folder = hooks_folder()[1]
    path, usual = folder / hooks.NAME, work.repository.common_dir / "hooks" / hooks.NAME
    context = click.get_current_context()

    def install() -> None:
        context.invoke(hook.commands["install"])

    content = _content(path)
    if content.startswith(hooks.MARK):
        if _without_place(content) != _without_place(hooks.script(None)):
            yield Finding(
                "old-hook",
                f"The hook at {path} is of another version of gitbench; gitbench hook "
                "install puts in the present one.",
                mend=install,
            )
        elif not os.access(path, os.X_OK):
            yield Finding(
                "hook-not-run",
                f"The hook at {path} is not executable, so that git passes it over; "
                "gitbench hook install mends that.",
                mend=install,
            )
    elif folder.resolve() != usual.parent.resolve() and _content(usual).startswith(
        hooks.MARK
    ):
        yield Finding(
            "hook-not-run",
            f"The hook at {usual} is not run, since core.hooksPath names {folder}; "
            "gitbench hook install puts it there.",
            mend=install,
        )


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(1_000_000)
    except OSError:
        return b""


def _without_place(script: bytes) -> list[bytes]:
    """A hook's lines, but for that which says where gitbench is."""
    return [one for one in script.splitlines() if not one.startswith(b"installed=")]

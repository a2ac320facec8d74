"""`gitbench demo`."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

import gitbench
from gitbench import demo as demos
from gitbench.cli import one_line
from gitbench.cli.workspace import wants_colour
from gitbench.demo import BRANCH, SLOWED, Demo, DemoError, Measured

EPILOG = """\b
Examples:
  gitbench demo                     in a new temporary folder, which is kept
  gitbench demo --dir try-gitbench  in a folder of your choice
  gitbench demo --delete            leave nothing behind
"""

GATE_FAILED = 1
"""Exit code of the comparison when the slow function is found."""


@click.command(epilog=EPILOG)
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="A new or empty folder for it.  [default: a temporary one]",
)
@click.option(
    "--keep/--delete",
    default=True,
    show_default="keep",
    help="Keep the folder to look around in it, or delete it at the end.",
)
def demo(folder: Path | None, keep: bool) -> None:
    """Try it all on a small project made for you.

    Makes a project with its own origin, measures every commit for real, records,
    compares a branch on which one function got slower, and pushes.  Nothing outside
    its folder is touched.  Takes under a minute.
    """
    place = _place(folder)
    try:
        _show(place)
    except KeyboardInterrupt:
        _delete(place, itself=folder is None)
        raise
    except DemoError as exc:
        raise DemoError(f"{exc} What there is of it is in {place}") from exc
    if not keep:
        _delete(place, itself=folder is None)
        click.echo(f"\nDeleted {_shown(place)}.")


def _place(folder: Path | None) -> Path:
    """The empty folder to work in."""
    try:
        if folder is None:
            return Path(tempfile.mkdtemp(prefix="gitbench-demo-")).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise click.UsageError(
                f"The folder {_shown(folder)} is not empty; name a new or empty one."
            )
    except OSError as exc:
        raise DemoError(
            f"The folder {folder or tempfile.gettempdir()} cannot be used "
            f"({exc.strerror}); name another with --dir."
        ) from exc
    return folder.resolve()


def _delete(place: Path, *, itself: bool) -> None:
    """Delete what the demo made: its own folder, or what lies in that of the user."""
    for made in [place] if itself else list(place.iterdir()):
        if made.is_dir():
            shutil.rmtree(made, ignore_errors=True)
        else:
            made.unlink(missing_ok=True)


def _shown(path: Path) -> str:
    return one_line(str(path))


# ------------------------------------------------------------------ the demo


def _show(place: Path) -> None:
    """The whole demo, from an empty folder to what to try next."""
    try:
        made = demos.make_project(place, os.environ)
        commits = demos.measure(made, _Bar("Measuring"))
    except OSError as exc:
        raise DemoError(f"The demo cannot be made here ({exc}).") from exc
    head = commits[-1]
    click.echo(
        f"A small project with its own origin is in {_shown(place)}\n"
        f"  main           {len(commits) - 1} commits, none of which changes speed\n"
        f"  {BRANCH:<14} one more: {head.subject}\n"
        f"  results        what each function took here just now, at every commit:\n"
        f"                 {head.processes} processes a commit, the commits in turn"
    )
    _say("Record each result on its commit, as a git note:")
    for one in commits:
        _run(made, "record", _relative(made, one))
    _say("Is the branch slower than the commit of main where it began?")
    code = _run(made, "compare", "origin/main")
    _say("The same as a page, and for programs:")
    pages = ("html=../report.html", "json=../report.json")
    _run(made, "compare", "origin/main", *(f"--format={page}" for page in pages))
    _say("Share the results; git carries them like any other ref:")
    _run(made, "push")
    red = _regressed(place / "report.json")
    if code != GATE_FAILED or SLOWED not in red:
        raise DemoError(
            f"The comparison ended with exit code {code} and did not find that "
            f"{SLOWED} got slower: this machine is too busy to measure on. Try again "
            "when it is quieter."
        )
    _close(made, red)


def _relative(made: Demo, one: Measured) -> str:
    return os.path.relpath(one.results, made.project)


def _say(text: str) -> None:
    click.echo(f"\n{text}")


def _run(made: Demo, *arguments: str) -> int:
    """Show a command, and run it in the project as a user would: in a process of its
    own, whose output is seen as it comes."""
    line = f"$ gitbench {shlex.join(arguments)}"
    bold = wants_colour(sys.stdout, os.environ)
    click.echo(click.style(line, bold=True) if bold else line, color=bold)
    sys.stdout.flush()
    # The package may be a zipped app, which -m finds only on the path.
    home = str(Path(gitbench.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "gitbench", *arguments],
        cwd=made.project,
        env={**made.environ, "PYTHONPATH": home},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    click.echo(done.stderr, err=True, nl=False)
    if done.returncode not in (0, GATE_FAILED):
        raise DemoError(f"gitbench {arguments[0]} ended with {done.returncode}.")
    return done.returncode


def _regressed(report: Path) -> list[str]:
    """The benchmarks that a report calls regressed."""
    rows = json.loads(report.read_text("utf-8"))["comparisons"]
    return [row["benchmark"] for row in rows if row["verdict"] == "regressed"]


def _close(made: Demo, red: list[str]) -> None:
    """Say what to make of it, what to look at and what to try next."""
    place = made.folder
    others = ", ".join(name for name in red if name != SLOWED)
    click.echo(
        f"\nThe comparison ended with exit code {GATE_FAILED}, and is right to: since "
        f"that commit\n{SLOWED} looks for each tag in a list and no longer in a set. "
        "In CI that exit\ncode stops the merge."
    )
    if others:
        click.echo(
            f"It is wrong about {others}: that code is the same, but this machine was\n"
            "too busy to measure on. A second session of head would show it."
        )
    ours = "gitbench" if shutil.which("gitbench") else f"{sys.executable} -m gitbench"
    click.echo(
        f"\nLook at\n"
        f"  {(place / 'report.html').as_uri()}\n"
        f"  git -C {shlex.quote(str(made.project))} diff main {BRANCH}\n"
        f"\nTry next\n"
        f"  cd {shlex.quote(str(made.project))}\n"
        f"  {ours} log --benchmark {SLOWED}\n"
        f"  git revert --no-edit HEAD\n"
        f"  {sys.executable} bench.py results.json\n"
        f"  {ours} record results.json\n"
        f"  {ours} compare"
    )


class _Bar:
    """How far the measuring is, on stderr: a bar on a terminal, else a line for each
    quarter."""

    WIDTH = 30

    def __init__(self, what: str) -> None:
        self._what = what
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._quarter = 0

    def __call__(self, done: int, total: int) -> None:
        if self._terminal:
            filled = self.WIDTH * done // total
            bar = "#" * filled + "-" * (self.WIDTH - filled)
            click.echo(f"\r{self._what} [{bar}] {done}/{total}", err=True, nl=False)
            if done == total:
                click.echo("\r\033[K", err=True, nl=False)
        elif 4 * done // total > self._quarter:
            self._quarter = 4 * done // total
            click.echo(f"{self._what}: {done} of {total} processes", err=True)

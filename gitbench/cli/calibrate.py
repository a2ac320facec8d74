"""`gitbench calibrate`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from gitbench.cli.past import NoHistoryError, find_past
from gitbench.cli.workspace import Workspace, open_workspace, ref_option, warn
from gitbench.errors import GitbenchError
from gitbench.model import CommitRuns, RecordedRun, Settings

if TYPE_CHECKING:
    from gitbench.compare.noise import Past
    from gitbench.runner import Setting

EPILOG = """\b
Examples:
  gitbench calibrate                      the noise of the recorded history
  gitbench calibrate origin/main --all
  gitbench calibrate --write              put thresholds into gitbench.toml
  gitbench calibrate --runs 5             run the configured suite 5 times first
  gitbench calibrate --runs 5 -- pytest bench --benchmark-json={results}

Exit codes: 0 fine, 3 nothing is recorded, 4 any other error.
"""

_COMMAND = "gitbench.command"


class CalibrateError(GitbenchError):
    """Noise cannot be measured as asked."""


class WithCommand(click.Command):
    """A command that takes the command line of another one after `--`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set aside what stands after the first `--`."""
        if "--" in args:
            place = args.index("--")
            ctx.meta[_COMMAND] = tuple(args[place + 1 :])
            args = args[:place]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """The line of usage, with the other command at its end."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]


@click.command(cls=WithCommand, epilog=EPILOG)
@click.argument("revision", default="HEAD")
@click.option(
    "--runs",
    type=click.IntRange(2, 1000),
    metavar="N",
    help="Run the suite N times now, and record each run on HEAD.",
)
@click.option("--suite", metavar="NAME", help="Only this suite.")
@click.option("--tool", metavar="NAME", help="Which tool COMMAND runs.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Longest run, in seconds.",
)
@click.option(
    "--sessions",
    type=click.IntRange(2, 1000),
    default=30,
    show_default=True,
    metavar="N",
    help="Recorded sessions to replay; noise is that of the newest, as a comparison "
    "sees them.",
)
@click.option("--write", is_flag=True, help="Write rules for the noisy rows.")
@click.option("--all", "all_rows", is_flag=True, help="List the quiet rows too.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@ref_option
@click.pass_context
def calibrate(
    context: click.Context,
    revision: str,
    runs: int | None,
    suite: str | None,
    tool: str | None,
    timeout: float | None,
    sessions: int,
    write: bool,
    all_rows: bool,
    as_json: bool,
    ref: str | None,
) -> None:
    """Measure your own noise, and tell what the gate can see through it.

    From the recorded sessions on the way back from REVISION; or, with --runs, from
    runs made now, one after the other, of the suite's configured command or of COMMAND
    (in which {results} is the file it shall write).
    """
    from gitbench.cli import calibrate_words, noise_rules
    from gitbench.compare.noise import measure, replay

    command = context.meta.get(_COMMAND)
    if command is not None and runs is None:
        raise click.UsageError("A command needs --runs N, how often to run it.")
    work = open_workspace(ref)
    config = work.config
    if runs is not None:
        _check_head(work, revision)
        pasts = _run(work, command, runs, suite, tool, timeout)
        shown, played = pasts, []
    else:
        pasts = find_past(work, revision, max(sessions, config.window), suite)
        shown = tuple(
            replace(past, sessions=past.sessions[: config.window]) for past in pasts
        )
        played = [replay(past, config.settings(), config.window) for past in pasts]
    noise = measure(shown, _measuring(config.settings()))
    told = calibrate_words.Told(
        noise, shown, tuple(played), config.settings(), runs is not None
    )
    written = None
    if write:
        what = "sessions" if runs is None else "runs back to back"
        written = noise_rules.write(work, shown, what)
    if as_json:
        calibrate_words.tell_json(told, written)
    else:
        calibrate_words.tell(told, all_rows=all_rows)
        if written is not None:
            calibrate_words.tell_written(written)


def _measuring(settings: Settings) -> Settings:
    """Settings that judge nothing but noise."""
    return replace(settings, required=(), accepts=())


# --------------------------------------------------------------------- new runs


def _check_head(work: Workspace, revision: str) -> None:
    """What is run is what is checked out, so only HEAD can be asked for."""
    head = work.repository.ref("HEAD")
    if head is None or work.repository.work_tree is None:
        raise CalibrateError(
            "--runs measures what is checked out, and nothing is: it needs a work "
            "tree and a commit."
        )
    if work.repository.resolve(revision) != head:
        raise CalibrateError(
            f"--runs measures what is checked out, and {revision[:80]!r} is another "
            "commit; check it out first: git switch --detach REVISION"
        )


def _run(
    work: Workspace,
    command: Sequence[str] | None,
    runs: int,
    suite: str | None,
    tool: str | None,
    timeout: float | None,
) -> tuple[Past, ...]:
    """Run a suite some times, record each run, and return them as pasts in which each
    run is a session of its own."""
    from gitbench import formats
    from gitbench.runner import Setting

    line, suite, tool = _what_to_run(work, command, suite, tool)
    folder = work.repository.work_tree
    assert folder is not None
    setting = Setting(folder, work.environ, _stderr(), timeout, formats.MAX_BYTES)
    if work.repository.is_dirty():
        warn(
            "The work tree has uncommitted changes: the runs are recorded as such, and "
            "no baseline will hold them."
        )
    token = f"{time.time_ns():x}"
    done: list[RecordedRun] = []
    for number in range(runs):
        if sys.stderr.isatty():
            click.echo(f"Run {number + 1} of {runs} ...", err=True)
        sys.stderr.flush()
        try:
            done += _run_once(
                work, line, setting, suite, tool, f"calibrate:{token}:{number}"
            )
        except (GitbenchError, KeyboardInterrupt):
            if done:
                warn(f"{number} of {runs} runs were made and recorded before that.")
            raise
    return _as_pasts(done)


def _what_to_run(
    work: Workspace, command: Sequence[str] | None, suite: str | None, tool: str | None
) -> tuple[str | Sequence[str], str | None, str | None]:
    """The command, the suite that its results belong to, and their tool."""
    if command is not None:
        if not command:
            raise click.UsageError("There is no command after --.")
        return command, suite, tool
    able = [one for one in work.config.suites if one.command is not None]
    if suite is not None:
        able = [one for one in able if one.name == suite]
    if len(able) != 1:
        names = ", ".join(one.name for one in able)
        which = "none has one" if suite is None else f"suite {suite[:80]!r} has none"
        raise CalibrateError(
            f"Several suites have a command ({names}); choose one with --suite."
            if able
            else f"--runs needs a command, and {which}: set command in [suite.NAME] of "
            "gitbench.toml, or give it: gitbench calibrate --runs 5 -- COMMAND"
        )
    one = able[0]
    assert one.command is not None
    return one.command, one.name, tool or one.tool


def _run_once(
    work: Workspace,
    command: str | Sequence[str],
    setting: Setting,
    suite: str | None,
    tool: str | None,
    session: str,
) -> list[RecordedRun]:
    from gitbench import formats
    from gitbench.cli.record import Asked, runs_of, store
    from gitbench.cli.sources import Source
    from gitbench.runner import run_command
    from gitbench.store.codec import run_id

    data = run_command(command, setting)
    name = "the command's result"
    source = Source(name, data, formats.read(data, tool=tool, name=name))
    head = work.repository.resolve("HEAD")
    # The same bytes again are another measurement here, not the same one.
    asked = Asked(head=head, suite=suite, session=session, again=True)
    runs = runs_of(work, source, asked)
    store(work, runs)
    return [RecordedRun(run_id(run), run) for run in runs]


def _as_pasts(done: Sequence[RecordedRun]) -> tuple[Past, ...]:
    """Runs by suite and testbed, newest first, each taken as a session."""
    from gitbench.compare.noise import Past

    found: dict[tuple[str, str], list[RecordedRun]] = {}
    for one in reversed(done):
        key = (one.run.suite, one.run.testbed.fingerprint)
        found.setdefault(key, []).append(one)
    if not found:
        raise NoHistoryError("The runs had no results.")
    return tuple(
        Past(
            key[0],
            some[0].run.testbed,
            tuple(CommitRuns(one.run.commit, (one,)) for one in some),
        )
        for key, some in sorted(found.items())
    )


def _stderr() -> int:
    """The file descriptor of standard error; 2 where Python's is none."""
    stream: Any = sys.stderr
    try:
        return int(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return 2

"""The command line: the only place that prints, reads the environment and decides
exit codes.

This module must stay light: commands are imported when they are run, and their one
line of help stands in `COMMANDS`, so that `--version` and `--help` load nothing else.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from gitbench import __version__
from gitbench.errors import GitbenchError

COMMANDS = {
    "record": ("record", "Record the results of a benchmark tool on a commit."),
    "import": ("import_", "Take over the history that another tool keeps."),
    "compare": ("compare", "Compare a commit with the baseline it branched from."),
    "explain": ("explain", "Show everything behind one verdict."),
    "calibrate": ("calibrate", "Measure your noise, and what the gate can see."),
    "power": ("power", "Tell how many runs find a change of a given size."),
    "show": ("show", "Show what is recorded on a commit."),
    "log": ("show", "List commits with results, or one benchmark's history."),
    "history": ("history", "Show where benchmarks changed, and by which commit."),
    "diff": ("compare", "Compare two result files, without a repository."),
    "accept": ("accept", "Accept that a benchmark became slower, with a reason."),
    "baseline": ("baselines", "Save, list and remove named baselines."),
    "verify": ("verify", "Show who signed the runs of a commit."),
    "export": ("export", "Write results for other programs to read."),
    "fetch": ("sync", "Fetch results from a remote and unite them with ours."),
    "push": ("sync", "Share results: fetch, unite, push, never forced."),
    "status": ("sync", "Show what is not pushed or not united yet."),
    "init": ("init", "Set up a clone: git fetch brings results along."),
    "rm": ("upkeep", "Withdraw runs, restore them, or erase them for good."),
    "prune": ("upkeep", "Erase the runs of commits that are gone."),
    "size": ("upkeep", "Show where the bytes are, and what compacting saves."),
    "archive": ("archive", "Move the raw values of old runs out of git."),
    "compact": ("upkeep", "Replace the history of the notes by one commit."),
    "doctor": ("doctor", "Look for what is wrong, and mend it."),
    "hook": ("hook", "Install, remove or run the pre-push hook."),
    "demo": ("demo", "Try it all on a small project made for you."),
}
"""Command -> (module in this package, one line of help)."""

BUG = 70
INTERRUPTED = 130
BROKEN_PIPE = 141


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module

        module = import_module(f"gitbench.cli.{COMMANDS[cmd_name][0]}")
        # `import` is a word of Python.
        name = "import_" if cmd_name == "import" else cmd_name
        command: click.Command = getattr(module, name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but with a guess for a misspelt command."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {near[0]}?" if near else " See: gitbench --help"
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the commands from the table, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in COMMANDS])


EPILOG = """\b
Examples:
  gitbench record results.json       record a tool's output on HEAD
  gitbench compare origin/main       is this branch slower?
  gitbench push                      share results with the team
  gitbench demo                      see it all work in a minute

Exit codes: 0 fine, 1 the gate failed, 2 usage, 3 nothing could be compared,
4 any other stated error, 70 a bug, 130 interrupted.
"""


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="gitbench", message="%(prog)s %(version)s")
def cli() -> None:
    """Benchmark results in git notes: record them on commits, compare with the
    right baseline, and gate on statistics that know what noise is."""


def main() -> NoReturn:
    """Entry point of the console scripts."""
    # Modules and decoded records are many objects that stay; looking through them for
    # cycles every 700 allocations costs a comparison a tenth of its time.
    gc.set_threshold(100_000, 20, 100)
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = _broken_pipe()
    # Taking the interpreter apart object by object costs a command 5 to 15 ms and
    # gives nothing: no thread, child process or exit handler of ours is left.
    os._exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; every way it can end is an exit code here."""
    for stream in (sys.stdout, sys.stderr):
        # A name may hold any text; a terminal in an old encoding gets `?` for it.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        if "_GITBENCH_COMPLETE" in os.environ:
            cli.main(prog_name="gitbench")
        # Not cli.main(): it turns a broken pipe into exit code 1, a failed gate.
        with cli.make_context("gitbench", list(arguments)) as context:
            result: Any = cli.invoke(context)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except GitbenchError as exc:
        click.echo(f"gitbench: {one_line(str(exc))}", err=True)
        return exc.exit_code
    except BrokenPipeError:
        return _broken_pipe()
    except Exception:  # noqa: BLE001  the one place where a bug becomes exit code 70
        import traceback

        traceback.print_exc()
        click.echo(
            f"gitbench {__version__}: this is a bug in gitbench. Please report it "
            "with the lines above.",
            err=True,
        )
        return BUG


def one_line(text: str, limit: int = 4000) -> str:
    """`text` without anything that a terminal or a CI log would act on.

    CI systems obey `##[` and `##vso[` anywhere in a line, and `::` at its start,
    blanks before it or not.
    """
    from gitbench.report.escape import LOG_COMMAND, clean

    line = LOG_COMMAND.sub("# #", clean(text, limit))
    return f": {line[1:]}" if line.startswith("::") else line


def _broken_pipe() -> int:
    """Whoever read our output has enough; keep Python from complaining at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE

"""Makes docs/reference/commands.md of what the commands say of themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from gitbench.cli import COMMANDS, cli

ROOT = Path(__file__).parents[1]

HEAD = """\
# Commands

<!-- Generated from the commands' help: make docs writes this page anew. -->

`gitbench COMMAND --help` says the same in the terminal. The result of a command goes to
standard output, everything else to standard error. [Exit codes](exit-codes.md) and
[configuration](config.md) have pages of their own.
"""


def walk() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every command with its full name, a group before what is in it."""
    top = click.Context(cli, info_name="gitbench", **cli.context_settings)
    for name in COMMANDS:
        command = cli.get_command(top, name)
        assert command is not None
        yield from _walk(name, command, top)


def _walk(
    name: str, command: click.Command, parent: click.Context
) -> Iterator[tuple[str, click.Command, click.Context]]:
    context = click.Context(command, info_name=name, parent=parent)
    yield context.command_path, command, context
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from _walk(inner, found, context)


def commands_page() -> str:
    """The whole page."""
    entries = list(walk())
    parts = [HEAD]
    parts.append(
        "".join(
            f"{'  ' * (path.count(' ') - 1)}- [`{path}`](#{path.replace(' ', '-')}): "
            f"{_prose(command.help).splitlines()[0]}\n"
            for path, command, _ in entries
        )
    )
    parts += [_section(path, command, context) for path, command, context in entries]
    return "\n".join(parts)


def _section(path: str, command: click.Command, context: click.Context) -> str:
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    parts = [f"## `{path}`\n", f"```text\n{usage}\n```\n", _prose(command.help)]
    rows = [
        f"| `{_cell(_names(record[0]))}` | {_cell(_meaning(record[1]))} |\n"
        for param in command.params
        if isinstance(param, click.Option)
        and (record := param.get_help_record(context)) is not None
    ]
    if rows:
        parts.append("".join(["| option | meaning |\n", "| --- | --- |\n", *rows]))
    parts += [_paragraph(text) for text in (command.epilog or "").split("\n\n")]
    return "\n".join(part for part in parts if part)


def _prose(text: str | None) -> str:
    """Help as paragraphs of Markdown, one line a paragraph."""
    paragraphs = (" ".join(one.split()) for one in (text or "").split("\n\n"))
    return "".join(f"{one}\n" for one in "\n\n".join(paragraphs).splitlines())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _names(text: str) -> str:
    return text.replace("INTEGER RANGE", "N").replace("FLOAT RANGE", "N")


def _meaning(text: str) -> str:
    """What an option does, with its default and its range in parentheses."""
    text = " ".join(text.split())
    found = re.search(r" ?\[((?:default|required)[^\]]*|[^\]]*x[<>][^\]]*)\]$", text)
    if found is None:
        return text
    told = re.sub(r"(\d+)<=x<=(\d+)", r"\1 to \2", found[1])
    told = re.sub(r"x>=(\d+)", r"\1 or more", told)
    told = re.sub(r"\((.*)\)", r"\1", told)
    return f"{text[: found.start()].rstrip()} ({told})".strip()


def _paragraph(text: str) -> str:
    """A paragraph of an epilog; lines that `\\b` keeps apart become a block."""
    text = text.strip("\n")
    if not text.strip():
        return ""
    if not text.startswith("\b"):
        return " ".join(text.split()) + "\n"
    first, *rest = text.removeprefix("\b").strip("\n").split("\n")
    lines = "".join(f"{line.removeprefix('  ')}\n" for line in rest)
    return f"{first}\n\n```text\n{lines}```\n"


def examples(command: click.Command) -> Iterator[str]:
    """The command lines among the examples of a command's help, without the words
    that explain them, which stand two blanks or more to the right."""
    for line in (command.epilog or "").splitlines():
        for part in re.split(r"\s*(?:&&|\|)\s*", line.strip()):
            if part.startswith("gitbench ") and line.startswith("  "):
                yield re.split(r" {2,}", part)[0]


GENERATED: dict[Path, Callable[[], str]] = {
    ROOT / "docs" / "reference" / "commands.md": commands_page
}
"""Generated page -> the function that makes its text."""

"""Runs the commands of the documentation, and writes the pages that are generated.

    python -m tests.docs_runner [PAGE...]            show what differs
    python -m tests.docs_runner --update [PAGE...]   write it

The generated page is docs/reference/commands.md, made of the commands' own help.  Of
the pages that are named, the `console` blocks are run as well; their form is told in
docs/contributing.md.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
LIMIT_S = 300
"""A page that takes longer than this hangs."""

_FENCE = re.compile(r"^( *)(`{3,}|~{3,}) *([^`\s]*)([^`]*)$")
_FILE = re.compile(r"\bfile=([\w./-]+)")
_EXIT = re.compile(r"^\[exit (\d+)\]$")
_MARK = "\x1e"


def pages() -> list[Path]:
    """Every page of the documentation, README.md first."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


# ------------------------------------------------------------------------ reading


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, or a set-up comment, of a page."""

    page: Path
    line: int
    """Number of its first inner line, from 1."""
    language: str
    """What stands after the fence; `setup` of a comment."""
    lines: tuple[str, ...]
    """Inner lines without the fence's indentation."""
    indent: str = ""
    file: str | None = None
    """`bench.py` of a fence "python file=bench.py": the page's reader saves it so."""
    vary: bool = False
    """Of a fence "console numbers=vary": numbers and ids are those of one machine."""

    @property
    def text(self) -> str:
        """The inner lines as one text."""
        return "".join(f"{line}\n" for line in self.lines)

    @property
    def place(self) -> str:
        """`docs/tutorial.md:12`, for messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks and set-up comments of a page, in its order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    found: list[Block] = []
    at = 0
    while at < len(lines):
        line, at = lines[at], at + 1
        fence = _FENCE.match(line)
        if line.startswith("<!-- setup"):
            end = _end(page, lines, at, re.compile(r"^-->$"))
            found.append(Block(page, at + 1, "setup", tuple(lines[at:end])))
        elif fence:
            indent, ticks, language, info = fence.groups()
            file = _FILE.search(info)
            close = re.compile(rf"^ *{ticks[0]}{{{len(ticks)},}} *$")
            end = _end(page, lines, at, close)
            inner = tuple(one.removeprefix(indent) for one in lines[at:end])
            name = file[1] if file else None
            vary = "numbers=vary" in info
            found.append(Block(page, at + 1, language, inner, indent, name, vary))
        else:
            continue
        at = end + 1
    return found


def _end(page: Path, lines: Sequence[str], at: int, close: re.Pattern[str]) -> int:
    for place in range(at, len(lines)):
        if close.match(lines[place]):
            return place
    raise AssertionError(f"{page}:{at}: a block that begins here never ends")


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a page with what it should print."""

    block: Block
    line: int
    command: str
    expected: tuple[str, ...] = ()
    code: int = 0
    first: int = 0
    """Place of the first line of output within the block."""
    last: int = 0
    """Place after the last one."""

    @property
    def place(self) -> str:
        """`docs/tutorial.md:12`, for messages."""
        return f"{self.block.page.relative_to(ROOT)}:{self.line}"


def steps(page: Path) -> list[Step]:
    """The set-ups, files and commands of a page, in the order in which they run."""
    found: list[Step] = []
    for block in blocks(page):
        if block.language == "setup":
            found.append(Step(block, block.line, block.text))
        elif block.language == "console":
            found += _console(block)
        elif block.file:
            write = f"cat >{block.file} <<'END OF FILE'\n{block.text}END OF FILE\n"
            found.append(Step(block, block.line, write))
    return found


def _console(block: Block) -> Iterator[Step]:
    """`$ command`, its continuations after `> `, its output, `[exit N]`."""
    at = 0
    lines = block.lines
    if not lines or not lines[0].startswith("$ "):
        raise AssertionError(f"{block.place}: a console block begins with `$ command`")
    while at < len(lines):
        start = at
        command = [lines[at][2:]]
        at += 1
        while at < len(lines) and re.match(r">( |$)", lines[at]):
            command.append(lines[at][2:])
            at += 1
        first = at
        while at < len(lines) and not lines[at].startswith("$ "):
            at += 1
        output = lines[first:at]
        told = _EXIT.match(output[-1]) if output else None
        yield Step(
            block,
            block.line + start,
            "\n".join(command) + "\n",
            output[:-1] if told else output,
            int(told[1]) if told else 0,
            first,
            at,
        )


# ------------------------------------------------------------------------ running


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step printed, both streams as a terminal mixes them, and how it ended."""

    step: Step
    lines: tuple[str, ...]
    code: int

    @property
    def fits(self) -> bool:
        """It is what the page says; nothing is said of what a set-up prints."""
        if self.code != self.step.code:
            return False
        if self.step.block.language == "setup":
            return True
        return matches(self.step.expected, self.lines, self.step.block.vary)

    def difference(self) -> str:
        """What the page says and what came, for people."""
        came = [*self.lines, *([f"[exit {self.code}]"] if self.code else [])]
        said = [*self.step.expected]
        said += [f"[exit {self.step.code}]"] if self.step.code else []
        shown = difflib.unified_diff(said, came, "page", "run", lineterm="")
        return "\n".join([f"{self.step.place}: $ {self.step.command}", *shown])


_ANY = {
    "id": r"\b(?=[a-f]*\d)[0-9a-f]{8,40}\b",
    "number": r"[<+-]?\d[\d.,]*",
    "blanks": " +",
    "bars": "[▁▂▃▄▅▆▇█]+",
}
_VARYING = re.compile("|".join(f"(?P<{kind}>{any_})" for kind, any_ in _ANY.items()))


def matches(expected: Sequence[str], lines: Sequence[str], vary: bool = False) -> bool:
    """Whether output is as expected: `...` stands for any text within a line, and
    alone for any lines, none included; blanks at the ends of lines mean nothing.

    With `vary`, a number fits any number, an id any id, and blanks and bars any.
    """
    pattern = ""
    for line in expected:
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            parts = line.rstrip().split("...")
            made = [_pattern(part) if vary else re.escape(part) for part in parts]
            pattern += ".*?".join(made) + r"[ \t]*\n"
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None


def _pattern(text: str) -> str:
    """A pattern for `text` with other numbers in it."""
    made, at = "", 0
    for found in _VARYING.finditer(text):
        made += re.escape(text[at : found.start()]) + _ANY[found.lastgroup or ""]
        at = found.end()
    return made + re.escape(text[at:])


def environment(home: Path) -> dict[str, str]:
    """An environment that knows nothing of this machine's git, CI and terminal."""
    tools = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Test Person\n\temail = test@example.com\n"
        "[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n"
        '[advice]\n\tdetachedHead = false\n[protocol "file"]\n\tallow = always\n'
    )
    return {
        "PATH": os.pathsep.join(tools),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_EDITOR": "false",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        "COLUMNS": "92",
        "DOCS_RESULTS": str(TESTS / "docs_results.py"),
    }


def run(page: Path, folder: Path) -> list[Outcome]:
    """Run a page in an empty folder, in one bash; outcomes up to where it stopped."""
    found = steps(page)
    for name in ("home", "work", "steps"):
        (folder / name).mkdir()
    script = ["exec </dev/null 2>&1", f". '{TESTS / 'docs_setup.sh'}'"]
    for number, step in enumerate(found):
        path = folder / "steps" / str(number)
        path.write_text(step.command, encoding="utf-8")
        careful = step.block.language == "setup"
        call = f"set -e; . '{path}'; set +e; true" if careful else f". '{path}'"
        script.append(f"{call}; printf '\\036%d\\n' $?")
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder / "work",
        env=environment(folder / "home"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT_S,
        check=False,
    )
    parts = done.stdout.decode("utf-8", "replace").split(_MARK)
    outcomes = []
    output = parts[0]
    for step, part in zip(found, [*parts[1:], None], strict=False):
        code, _, following = (part or f"{done.returncode or 1}\n").partition("\n")
        lines = tuple(output.removesuffix("\n").split("\n")) if output else ()
        outcomes.append(Outcome(step, lines, int(code)))
        output = following
    return outcomes


def refresh(page: Path, outcomes: Sequence[Outcome]) -> str:
    """The page's text with the output that came where it did not fit.

    A line with `...`, or with numbers that may vary, stays if it still fits one of the
    output; a line of `...` alone is for the author to put back.
    """
    lines = page.read_text(encoding="utf-8").splitlines()
    for outcome in reversed(outcomes):
        step = outcome.step
        if outcome.fits or step.block.language == "setup":
            continue
        vary = step.block.vary
        kept = [one for one in step.expected if vary or "..." in one]
        kept = [one for one in kept if one.strip() != "..."]
        came = [
            next((one for one in kept if matches([one], [line], vary)), line)
            for line in outcome.lines
        ]
        came += [f"[exit {outcome.code}]"] if outcome.code else []
        start = step.block.line - 1
        lines[start + step.first : start + step.last] = [
            (step.block.indent + one).rstrip() for one in came
        ]
    return "".join(f"{line}\n" for line in lines)


# ------------------------------------------------------------------ the command line


def main() -> int:
    """Check or update the generated pages and the pages that are named."""
    from tests.docs_reference import GENERATED

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--update", action="store_true", help="write what differs")
    parser.add_argument("pages", nargs="*", type=Path, metavar="PAGE")
    options = parser.parse_args()
    texts = {path: make() for path, make in GENERATED.items()}
    wrong = 0
    for page in map(Path.resolve, options.pages):
        with tempfile.TemporaryDirectory() as folder:
            outcomes = run(page, Path(folder))
        for outcome in outcomes:
            if not outcome.fits:
                print(outcome.difference(), end="\n\n")
        texts[page] = refresh(page, outcomes)
        wrong += not all(outcome.fits for outcome in outcomes)
    for path, text in texts.items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        if options.update:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
        elif path in GENERATED:
            print(f"{path.relative_to(ROOT)} is out of date")
            wrong += 1
    return 0 if options.update else min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())

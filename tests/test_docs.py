"""The documentation holds: its commands run, its links lead somewhere, its examples
are taken by the code that they are examples for."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import click
import cmarkgfm
import jsonschema
import pytest
import yaml
from cmarkgfm.cmark import Options

from gitbench import config, formats
from gitbench.cli import cli
from tests import docs_reference, docs_runner
from tests.docs_runner import ROOT, Block, blocks, matches, pages, steps

PAGES = {str(page.relative_to(ROOT)): page for page in pages()}
SCRIPTS = ("sh", "bash", "yaml", "groovy")
"""Languages of blocks in which command lines stand that are not run."""

page_by_name = pytest.mark.parametrize("name", PAGES)


# ------------------------------------------------------------------- pages as HTML


class Page(HTMLParser):
    """Links, anchors and code spans of a page as a browser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.spans: list[str] = []
        self.blocks: list[str] = []
        self._heading: str | None = None
        self._code: str | None = None
        self._block = False
        self.feed(
            cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE)
        )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what a tag begins or says."""
        told = dict(attrs)
        self.links += [told[key] or "" for key in ("href", "src") if key in told]
        self.anchors |= {told[key] or "" for key in ("id", "name") if key in told}
        if re.fullmatch("h[1-6]", tag):
            self._heading = ""
        elif tag == "pre":
            self._block = True
        elif tag == "code":
            self._code = ""

    def handle_endtag(self, tag: str) -> None:
        """Finish what a tag ends."""
        if re.fullmatch("h[1-6]", tag) and self._heading is not None:
            self.anchors.add(self._slug(self._heading))
            self._heading = None
        elif tag == "pre":
            self._block = False
        elif tag == "code" and self._code is not None:
            (self.blocks if self._block else self.spans).append(self._code)
            self._code = None

    def handle_data(self, data: str) -> None:
        """Collect the text of headings and code."""
        if self._heading is not None:
            self._heading += data
        if self._code is not None:
            self._code += data

    def _slug(self, heading: str) -> str:
        """The anchor that GitHub gives a heading; a second one of a page gets -1."""
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        same = sum(re.fullmatch(re.escape(slug) + r"(-\d+)?", a) is not None
                   for a in self.anchors)  # fmt: skip
        return f"{slug}-{same}" if slug in self.anchors else slug


@cache
def rendered(page: Path) -> Page:
    """A page of the documentation."""
    return Page(page.read_text(encoding="utf-8"))


def broken_links(page: Path) -> Iterator[str]:
    """Links of a page that lead nowhere inside the project, or are not https."""
    for link in rendered(page).links:
        if re.match(r"[a-z]+:", link):
            if not link.startswith(("https://", "mailto:")):
                yield f"{link}: not https"
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.is_relative_to(ROOT) or not target.exists():
            yield f"{link}: there is no such file"
        elif anchor and anchor not in rendered(target).anchors:
            yield f"{link}: there is no such heading"


@page_by_name
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link names a file of the project, and a heading that it has."""
    assert list(broken_links(PAGES[name])) == []


def test_a_broken_link_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing files and headings and unsafe addresses are each noticed."""
    monkeypatch.setattr("tests.test_docs.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# One `two`!\n\n# One two\n\n[a](#one-two) [b](#one-two-1) [c](#one-two-2)\n"
        "[d](page.md#one-two) [e](gone.md) [f](../x.md) [g](http://example.com)\n"
        "`[h](gone.md)` <a id='here'></a> [i](#here)\n"
    )
    assert [one.partition(":")[0] for one in broken_links(page)] == [
        "#one-two-2",
        "gone.md",
        "../x.md",
        "http",
    ]


def test_every_page_is_reached_from_the_index() -> None:
    """The index links to each page of the documentation, and README to the index;
    pages on single formats are linked from that on formats."""
    index = ROOT / "docs" / "index.md"
    reached = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in (index, ROOT / "docs" / "reference" / "formats.md")
        for link in rendered(page).links
    }
    assert set(pages()) - reached - {ROOT / "README.md", index} == set()
    assert "docs/index.md" in rendered(ROOT / "README.md").links


# ------------------------------------------------------------------ console blocks


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if steps(page)])
def test_commands_print_what_the_page_says(name: str, tmp_path: Path) -> None:
    """Every command of a page ends and prints as the page says."""
    outcomes = docs_runner.run(PAGES[name], tmp_path)
    wrong = [outcome.difference() for outcome in outcomes if not outcome.fits]
    assert wrong == [], "\n\n".join(wrong)
    assert len(outcomes) == len(steps(PAGES[name]))


LYING_PAGE = """\
# A page

<!-- setup
word=hidden
-->

```text file=saved.txt
$HOME
```

```console
$ echo $word; cat saved.txt
hidden
$HOME
$ cat <<END | tr a-z A-Z
> one
> two
> END
ONE
TWO
$ echo "it took 12 ms"; echo; echo end
it took ... ms
...
end
$ (echo oh >&2; exit 3)
oh
[exit 3]
```

1. In a list:

   ```console
   $ echo is > file; cat file
   is not
   $ false
   $ printf 'no newline'
   no newline
   ```
"""


def test_the_runner_sees_what_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong output and wrong exit codes are found, told, and mended on request."""
    monkeypatch.setattr(docs_runner, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(LYING_PAGE)
    (tmp_path / "run").mkdir()
    outcomes = docs_runner.run(page, tmp_path / "run")
    assert [outcome.fits for outcome in outcomes] == [*[True] * 6, False, False, True]
    wrong = outcomes[6].difference().splitlines()
    assert wrong[0] == "page.md:33: $ echo is > file; cat file"
    assert wrong[-2:] == ["-is not", "+is"]
    page.write_text(docs_runner.refresh(page, outcomes))
    assert page.read_text() == LYING_PAGE.replace("is not", "is").replace(
        "$ false\n", "$ false\n   [exit 1]\n"
    )


def test_the_runner_sees_a_set_up_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing command in a set-up fails the page, even if others follow it."""
    monkeypatch.setattr(docs_runner, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("<!-- setup\nfalse\ntrue\n-->\n\n```console\n$ true\n```\n")
    (tmp_path / "run").mkdir()
    outcomes = docs_runner.run(page, tmp_path / "run")
    assert [(outcome.fits, outcome.code) for outcome in outcomes] == [(False, 1)]


@pytest.mark.parametrize(
    ("expected", "lines", "fits"),
    [
        (["a"], ["a"], True),
        (["a"], ["a", ""], False),
        (["a"], [], False),
        ([], [], True),
        (["..."], [], True),
        (["a", "...", "d"], ["a", "b", "c", "d"], True),
        (["a", "...", "d"], ["a", "b", "c"], False),
        (["a ... z"], ["a b z"], True),
        (["a ... z"], ["a b", " z"], False),
        (["1.5 (x)"], ["1x5 (x)"], False),
        (["  a"], ["a"], False),
    ],
)
def test_output_is_matched(expected: list[str], lines: list[str], fits: bool) -> None:
    """`...` stands for text within a line, or for lines, and all else for itself."""
    assert matches(expected, lines) is fits


@pytest.mark.parametrize(
    ("expected", "line", "fits"),
    [
        ("sort  20.09 ms  +106.2 %  <0.001", "sort 9 ms   -1.5 %  0.012", True),
        ("head      205db81e, 1 run", "head  13150db7, 12 run", True),
        ("head      205db81e, 1 run", "head  13150db, 12 runs", False),
        ("sort  20.09 ms", "sort  20.09 s", False),
        ("sort  20.09 ms", "sort  many ms", False),
        ("added  1", "facade  1", False),
        ("✗ 1 regressed...", "✗ 1 regressed, 2 unchanged", True),
    ],
)
def test_numbers_may_vary(expected: str, line: str, fits: bool) -> None:
    """Where a page says so, numbers, ids and widths differ, and words do not."""
    assert matches([expected], [line], vary=True) is fits
    assert not matches([expected], [line]) or "..." in expected


# ----------------------------------------------------------------- generated pages


@pytest.mark.parametrize("path", docs_reference.GENERATED, ids=lambda path: path.name)
def test_generated_pages_are_up_to_date(path: Path) -> None:
    """The reference says what the commands' help says; `make docs` writes it anew."""
    assert path.read_text(encoding="utf-8") == docs_reference.GENERATED[path]()


COMMANDS = {path: command for path, command, _ in docs_reference.walk()}


@pytest.mark.parametrize("path", COMMANDS)
def test_commands_are_explained(path: str) -> None:
    """Every command has help, every option too, and every example is understood."""
    command = COMMANDS[path]
    assert command.help
    assert [
        option.name
        for option in command.params
        if isinstance(option, click.Option) and not option.help
    ] == []
    found = list(docs_reference.examples(command))
    assert found or isinstance(COMMANDS[path.rpartition(" ")[0]], click.Group)
    for line in found:
        understand(line)


# ------------------------------------------------------------ command lines in text


def understand(line: str) -> None:
    """Parse a command line as gitbench would, without running it; raises
    click.UsageError or GitbenchError for a command or option that is not there."""
    from gitbench.cli.compare import Overrides, parse_outputs
    from gitbench.model import Settings

    arguments = shlex.split(line)[1:]
    context = click.Context(cli, info_name="gitbench")
    command: click.Command = cli
    try:
        while isinstance(command, click.Group) and arguments[:1] != ["--help"]:
            if not arguments:
                return
            name, found, arguments = command.resolve_command(context, arguments)
            assert found is not None
            command = found
            context = click.Context(command, info_name=name, parent=context)
        with command.make_context(command.name, arguments, context.parent) as made:
            told = made.params
    except click.exceptions.Exit:
        return  # --help and --version
    if "formats" in told:
        parse_outputs(told["formats"], told["as_json"])
        names = Overrides.__dataclass_fields__
        Overrides(**{name: told.get(name) for name in names}).apply(Settings())


_HOLES = re.compile(r"\$\{\{.*?\}\}|\$\([^()]*\)")
_CALL = re.compile(r"""(?<![\w./:@=-])gitbench (?=[a-z-])""")


def command_lines(script: str) -> Iterator[str]:
    """Calls of gitbench in a script: up to the next operator of the shell."""
    script = re.sub(r" *\\\n *", " ", script)
    for line in script.splitlines():
        line = _HOLES.sub("X", re.sub(r"(^|\s)#.*", "", line))
        for call in _CALL.finditer(line):
            rest = line[call.start() :]
            quote = line[call.start() - 1 : call.start()]
            if quote in ("'", '"', "`"):
                rest = rest.partition(quote)[0]
            tokens = shlex.shlex(rest, posix=True, punctuation_chars=True)
            tokens.whitespace_split = True
            words = []
            for token in tokens:
                if set(token) <= set("();<>|&"):
                    break
                words.append(token)
            yield shlex.join(words)


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("gitbench record a.json", ["gitbench record a.json"]),
        (
            "run: gitbench compare \\\n    --json | jq .verdict",
            ["gitbench compare --json"],
        ),
        ("sh 'gitbench push' // share", ["gitbench push"]),
        (
            "x && gitbench log -n 3 > f; gitbench push",
            ["gitbench log -n 3", "gitbench push"],
        ),
        ("# gitbench does it\npip install gitbench\n- name: gitbench", []),
        (
            'gitbench record --commit "${{ github.sha }}" --tag k=$(date)',
            ["gitbench record --commit X --tag k=X"],
        ),
    ],
)
def test_command_lines_are_found(script: str, lines: list[str]) -> None:
    """Calls are cut out of scripts, workflows and pipelines."""
    assert list(command_lines(script)) == lines


@pytest.mark.parametrize(
    "line",
    [
        "gitbench frobnicate",
        "gitbench record --no-such",
        "gitbench compare --format nope",
        "gitbench baseline frob",
        "gitbench compare --fail-on slow",
        "gitbench show a b c",
    ],
)
def test_a_wrong_command_line_is_not_understood(line: str) -> None:
    """A command, option or choice that does not exist is noticed."""
    with pytest.raises(click.UsageError):
        understand(line)


@page_by_name
def test_command_lines_exist(name: str) -> None:
    """Commands and options that pages name, in scripts and in text, exist."""
    page = PAGES[name]
    scripts = [(b.place, b.text) for b in blocks(page) if b.language in SCRIPTS]
    spans = [(f"{name}, in text", span) for span in rendered(page).spans]
    wrong = []
    for place, text in scripts + spans:
        for line in command_lines(text):
            try:
                understand(line)
            except click.MissingParameter as exc:
                # A sentence may speak of a command without its arguments.
                if not place.endswith("in text"):
                    wrong.append(f"{place}: {line}: {exc}")
            except (click.UsageError, config.ConfigError) as exc:
                wrong.append(f"{place}: {line}: {exc}")
    assert wrong == []


# ------------------------------------------------------------------------ data blocks


def check_yaml(block: Block) -> None:
    """A block is YAML, if it is a workflow with jobs that have steps."""
    for document in yaml.safe_load_all(block.text):
        assert document is not None
        if isinstance(document, dict) and isinstance(document.get("jobs"), dict):
            for job in document["jobs"].values():
                assert job["runs-on"]
                for step in job["steps"]:
                    assert ("run" in step) != ("uses" in step), step


def check_toml(block: Block) -> None:
    """A block is TOML, and settings that gitbench takes."""
    name = "pyproject.toml" if "tool" in tomllib.loads(block.text) else "gitbench.toml"
    data = block.text.encode()
    read = config.load_from_files(lambda path: data if path == name else None, "here")
    assert read.source is not None
    assert read.warnings == ()


def check_json(block: Block) -> None:
    """A block is JSON; a run can be read, a report fits its schema."""
    schema = json.loads(block.text.partition("\n")[0] if _one_a_line(block)
                        else block.text)  # fmt: skip
    kind = schema.get("schema", "") if isinstance(schema, dict) else ""
    if kind == "gitbench/run/1":
        formats.read(block.text.encode(), tool="gitbench", name=block.place)
    elif kind == "gitbench/report/1":
        path = ROOT / "gitbench" / "schemas" / "report-1.schema.json"
        jsonschema.validate(schema, json.loads(path.read_text()))


def _one_a_line(block: Block) -> bool:
    return len(block.lines) > 1 and all(one.startswith("{") for one in block.lines)


CHECKS = {"yaml": check_yaml, "toml": check_toml, "json": check_json}


@page_by_name
def test_data_blocks_are_valid(name: str) -> None:
    """YAML, TOML and JSON parse; settings and results are taken by gitbench."""
    wrong = []
    for block in blocks(PAGES[name]):
        try:
            CHECKS.get(block.language, lambda block: None)(block)
        except Exception as exc:  # noqa: BLE001  whatever a parser says
            wrong.append(f"{block.place}: {exc!r}")
    assert wrong == []


TEXTS = ("", "text", "python", "go", "html", "markdown", "jinja", "xml")
"""Languages of blocks in which nothing is checked."""
KNOWN = (*SCRIPTS, *CHECKS, *TEXTS, "console", "setup")


@page_by_name
def test_no_block_goes_unchecked(name: str) -> None:
    """Commands stand in blocks of a language that is checked, and none is missed."""
    found = blocks(PAGES[name])
    assert [f"{b.place}: {b.language}" for b in found if b.language not in KNOWN] == []
    command = re.compile(r"^\$ ", re.MULTILINE)
    wrong = [b.place for b in found if b.language in TEXTS and command.search(b.text)]
    assert wrong == []
    rows = sum(block.language != "setup" for block in found)
    assert rows == len(rendered(PAGES[name]).blocks)

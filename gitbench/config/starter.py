"""A first `gitbench.toml` for a project: what its files tell, and comments.

Looks at a few files by name and never runs anything.  What is sure is written, what
is a guess stands in a comment.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

Read = Callable[[str], bytes | None]

MAX_BYTES = 1_000_000
_PYTHON = (
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
    "tox.ini",
    "requirements.txt",
    "requirements-dev.txt",
    "dev-requirements.txt",
    "requirements/dev.txt",
    "requirements/test.txt",
)


@dataclass(frozen=True, slots=True)
class Found:
    """A benchmark tool that the project seems to use."""

    tool: str
    """Name for `--tool`."""
    evidence: str
    """The file that says so."""
    command: str
    """How it is run; `{results}` is the file it shall write."""
    sure: bool
    """The command runs as it stands, whatever the project looks like."""


@dataclass(frozen=True, slots=True)
class _Sign:
    """A word in a file that gives a tool away."""

    tool: str
    files: tuple[str, ...]
    words: tuple[bytes, ...]
    """Any of them; none: the file itself is the sign."""
    command: str
    sure: bool = False


_SIGNS = (
    _Sign(
        "pytest-benchmark",
        _PYTHON,
        (b"pytest-benchmark", b"pytest_benchmark"),
        "pytest --benchmark-only --benchmark-json={results}",
        True,
    ),
    _Sign("pyperf", _PYTHON, (b"pyperf",), "python bench.py -o {results}"),
    _Sign("asv", ("asv.conf.json", "benchmarks/asv.conf.json"), (), "asv run HEAD^!"),
    _Sign(
        "go",
        ("go.mod",),
        (),
        "go test -run '^$' -bench . -count 10 ./... > {results}",
        True,
    ),
    _Sign(
        "criterion",
        ("Cargo.toml", "benches/Cargo.toml"),
        (b"criterion",),
        "cargo criterion --message-format=json > {results}",
    ),
    _Sign(
        "jmh",
        ("pom.xml", "build.gradle", "build.gradle.kts"),
        (b"jmh",),
        "java -jar target/benchmarks.jar -rf json -rff {results}",
    ),
    _Sign(
        "google-benchmark",
        ("CMakeLists.txt", "conanfile.txt", "conanfile.py", "vcpkg.json"),
        (b"benchmark::benchmark", b"google/benchmark", b"google-benchmark"),
        "./benchmarks --benchmark_repetitions=5 --benchmark_out={results} "
        "--benchmark_out_format=json",
    ),
    _Sign("hyperfine", ("Makefile", "justfile"), (b"hyperfine",),
          "hyperfine --export-json {results} './your-command'"),
)  # fmt: skip


def look(read: Read) -> tuple[Found, ...]:
    """The benchmark tools that a project's files speak of.

    `read` takes a path from the top of the project and gives the file's bytes, or
    None if there is no such file.
    """
    found = []
    for sign in _SIGNS:
        for name in sign.files:
            content = read(name)
            if content is None:
                continue
            content = content[:MAX_BYTES].lower()
            if not sign.words or any(word in content for word in sign.words):
                found.append(Found(sign.tool, name, sign.command, sign.sure))
                break
    return tuple(found)


def text(
    found: Collection[Found],
    known_tools: Collection[str],
    baseline: str | None,
    remote: str | None,
) -> str:
    """The content of a `gitbench.toml`.

    `known_tools` are those whose results gitbench reads by itself; `baseline` and
    `remote` are written if they are told (None: the default is right).
    """
    lines = [
        "# Settings of gitbench; all keys are optional.",
        "# The reference of gitbench's configuration explains them.",
        "",
        "# What a commit is compared with: a branch, a tag, or baseline:NAME.",
        _line("baseline", baseline, "origin/main"),
        "",
        "# Largest change for the worse that is let pass.",
        '# threshold = "5%"',
        "",
    ]
    if remote is not None:
        lines += [
            "# Where results are fetched from and pushed to.",
            _line("remote", remote, "origin"),
            "",
        ]
    active: set[str] = set()
    for one in found:
        lines += _suite(one, one.tool in known_tools, active)
    if not found:
        lines += [
            "# How gitbench run runs a suite; {results} is the file that it writes.",
            "# [suite.default]",
            "# command = \"hyperfine --export-json {results} './your-command'\"",
            "",
        ]
    lines += [
        "# Special rules for some benchmarks; the first that fits wins.",
        "# [[rule]]",
        '# benchmark = "slow/*"',
        '# threshold = "10%"',
        '# min_change = "1ms"',
        "",
        "# Name of the machine, or of a class of like ones, that measures.",
        "# [testbed]",
        '# name = "ci-large"',
        "",
        "# The pre-push hook: warn, block or off.",
        "# [hook]",
        '# policy = "warn"',
    ]
    return "\n".join(lines) + "\n"


def _line(key: str, value: str | None, example: str) -> str:
    if value is None:
        return f'# {key} = "{example}"'
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{key} = "{quoted}"'


def _suite(one: Found, readable: bool, active: set[str]) -> list[str]:
    """The section of a suite: in force if it is sure, else a comment."""
    name = "default" if one.sure and readable and not active else one.tool
    use = one.sure and readable and name not in active
    if use:
        active.add(name)
    mark = "" if use else "# "
    said = f"# {one.evidence} speaks of {one.tool}"
    said += "." if use else "; set the command to what fits." if readable else (
        "; gitbench does not read its results yet, so write gitbench/run/1 JSON."
    )  # fmt: skip
    tool = one.tool if readable else "gitbench"
    quote = "'" if "'" not in one.command else '"'
    return [
        said,
        f"{mark}[suite.{name}]",
        f"{mark}command = {quote}{one.command}{quote}",
        f'{mark}tool = "{tool}"',
        "",
    ]

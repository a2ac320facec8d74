"""The structure of the package: who may import whom, and what start-up may cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gitbench"

NOUNS = {"model", "units", "errors"}
MAY_IMPORT = {
    "errors": set(),
    "model": {"errors"},
    "centers": {"model"},
    "sessions": {"model"},
    "units": {"errors", "model"},
    "stats": {"errors"},
    "config": NOUNS,
    "formats": NOUNS,
    "store": NOUNS | {"centers"},
    "report": NOUNS,
    "publish": NOUNS,
    "compare": NOUNS | {"stats", "sessions"},
    "export": NOUNS,
    "exporting": NOUNS | {"export", "store"},
    "history": NOUNS | {"stats", "sessions"},
    "testbed": NOUNS,
    "recording": NOUNS | {"centers", "testbed"},
    "readings": NOUNS,
    "importing": NOUNS | {"formats", "recording", "testbed"},
    "runner": NOUNS,
    "hook": NOUNS,
    "demo": NOUNS,
    "baseline": NOUNS | {"store", "sessions"},
    "cli": NOUNS
    | {"config", "formats", "store", "report", "publish", "compare", "history"}
    | {"testbed", "recording", "runner", "hook", "demo", "baseline", "export"}
    | {"exporting", "importing", "readings"},
    "__main__": {"cli"},
}
"""Part of the package -> the parts that it may import.  Imports point one way:
nothing may import the command line, comparing never sees git, and storing never sees
statistics."""

HEAVY = {"numpy", "scipy", "statsmodels", "pandas", "jinja2", "pygit2", "msgpack"}
"""What `--version` and `--help` load none of; each costs 0.01 to 2 s."""

LAZY = {"numpy", "scipy", "statsmodels", "pandas", "jinja2"}
"""What modules import inside the function that needs it."""

NUMPY_AT_HOME = {"stats", "compare"}
"""Parts whose modules are imported only by a command that computes."""


@dataclass(frozen=True)
class Import:
    """One imported module."""

    name: str
    line: int
    at_start: bool
    """Executed when the module is imported, not inside a function."""
    for_types: bool
    """Under `if TYPE_CHECKING`: never executed."""


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def part_of(module: str) -> str:
    """The part of the package that a module belongs to; empty for the top."""
    return module.split(".")[1] if "." in module else ""


@cache
def imports_of(module: str) -> tuple[Import, ...]:
    """All imports of a module, absolute, wherever they stand."""
    is_package = (PACKAGE.parent / Path(*module.split(".")) / "__init__.py").exists()
    base = module if is_package else module.rpartition(".")[0]
    return tuple(_imports(modules()[module].body, base, True, False))


def _imports(
    body: list[ast.stmt], base: str, at_start: bool, for_types: bool
) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in _names(node, base):
                yield Import(name, node.lineno, at_start, for_types)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _imports(node.body, base, False, for_types)
            continue
        only_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for field in ("body", "handlers", "orelse", "finalbody", "cases"):
            inner = getattr(node, field, [])
            statements = [
                part
                for one in inner
                for part in (one.body if hasattr(one, "pattern") else [one])
            ]
            yield from _imports(
                statements,
                base,
                at_start,
                for_types or (only_types and field == "body"),
            )


def _names(node: ast.Import | ast.ImportFrom, base: str) -> Iterator[str]:
    """The modules that one statement names; `from package import module` too."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    source = node.module or ""
    if node.level:
        above = base.rsplit(".", node.level - 1)[0] if node.level > 1 else base
        source = f"{above}.{source}" if source else above
    for alias in node.names:
        inner = f"{source}.{alias.name}"
        yield inner if inner in modules() else source


def test_the_reader_of_imports_sees_them_all() -> None:
    """Imports at the top, nested, relative and for types only are told apart."""
    code = """
import os
from gitbench import model, __version__
try:
    import json
except ImportError:
    import csv
if TYPE_CHECKING:
    from gitbench.errors import GitbenchError
else:
    import gzip
class A:
    import bz2
    def f(self):
        with x:
            from . import units
match x:
    case 1:
        import lzma
"""
    found = {
        one.name: (one.at_start, one.for_types)
        for one in _imports(ast.parse(code).body, "gitbench", True, False)
    }
    assert found == {
        "os": (True, False),
        "gitbench": (True, False),
        "gitbench.model": (True, False),
        "json": (True, False),
        "csv": (True, False),
        "gitbench.errors": (True, True),
        "gzip": (True, False),
        "bz2": (True, False),
        "gitbench.units": (False, False),
        "lzma": (True, False),
    }


def test_imports_point_one_way() -> None:
    """Each part imports only the parts that the table allows, itself and the top."""
    wrong = []
    for module in modules():
        part = part_of(module)
        if part and part not in MAY_IMPORT:
            wrong.append(f"{module}: the part {part!r} is missing from MAY_IMPORT")
            continue
        allowed = MAY_IMPORT.get(part, set()) | {"", part}
        wrong += [
            f"{module}:{one.line} imports {one.name}"
            for one in imports_of(module)
            if one.name.split(".")[0] == "gitbench" and part_of(one.name) not in allowed
        ]
    assert wrong == []


def test_the_table_has_no_way_round() -> None:
    """The allowed imports themselves form no circle."""
    list(TopologicalSorter(MAY_IMPORT).static_order())


def test_modules_import_each_other_in_no_circle() -> None:
    """No chain of imports, deferred ones included, leads back to its start."""
    graph = {
        module: {
            one.name
            for one in imports_of(module)
            if one.name in modules() and one.name != module and not one.for_types
        }
        for module in modules()
    }
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as exc:
        pytest.fail(" <- ".join(exc.args[1]))


@pytest.mark.parametrize(
    ("library", "homes"),
    [("pygit2", {"gitbench.store.repository"}), ("click", {"gitbench.cli"})],
)
def test_a_library_stays_where_it_belongs(library: str, homes: set[str]) -> None:
    """Only one module knows libgit2, and only the command line knows click."""
    assert [
        f"{module}:{one.line}"
        for module in modules()
        for one in imports_of(module)
        if one.name.split(".")[0] == library
        and not any(module == home or module.startswith(home + ".") for home in homes)
    ] == []


def test_heavy_libraries_are_imported_where_they_are_needed() -> None:
    """No module imports one at the top, but for numpy where everything computes."""
    wrong = []
    for module in modules():
        for one in imports_of(module):
            name = one.name.split(".")[0]
            at_home = name == "numpy" and part_of(module) in NUMPY_AT_HOME
            if name in LAZY and one.at_start and not one.for_types and not at_home:
                wrong.append(f"{module}:{one.line} imports {name}")
    assert wrong == []


def _dotted(node: ast.AST) -> str:
    """`os.environ` of the expression that reads so; empty for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
STREAMS = {"stdin", "stdout", "stderr"}


def _outside_world(tree: ast.Module) -> Iterator[str]:
    """Places that print, or read the environment or the standard streams."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            taken = {alias.name for alias in node.names}
            names = {"os": ENVIRONMENT, "sys": STREAMS | {"argv"}}.get(
                node.module or ""
            )
            yield from (f"{node.lineno} {name}" for name in taken & (names or set()))
        elif isinstance(node, ast.Call) and _dotted(node.func) in (
            "print",
            "input",
            "click.echo",
            "sys.exit",
        ):
            yield f"{node.lineno} {_dotted(node.func)}"
        elif isinstance(node, ast.Attribute):
            head, _, tail = _dotted(node).partition(".")
            if (head == "os" and tail in ENVIRONMENT) or (
                head == "sys" and tail in STREAMS | {"argv"}
            ):
                yield f"{node.lineno} {head}.{tail}"


def test_only_the_command_line_meets_the_outside_world() -> None:
    """Only cli prints, exits, and reads the environment and the arguments."""
    assert [
        f"{module}:{place}"
        for module, tree in modules().items()
        if part_of(module) != "cli"
        for place in _outside_world(tree)
    ] == []


def test_the_search_for_the_outside_world_finds_it() -> None:
    """The search knows every way that it is there to forbid."""
    code = """
import os, sys
from os import environ, path
from sys import stdout as out
print(os.environ["A"], file=sys.stderr)
os.getenv("A")
sys.exit(0)
sys.argv
model.print(1); self.os.environ; sys.platform
"""
    assert sorted(_outside_world(ast.parse(code))) == [
        "3 environ", "4 stdout", "5 os.environ", "5 print", "5 sys.stderr",
        "6 os.getenv", "7 sys.exit", "8 sys.argv",
    ]  # fmt: skip


def loaded_by(*arguments: str) -> set[str]:
    """Top-level names of all modules that a run of the command imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "gitbench", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    names = {
        line.rpartition("|")[2].strip().split(".")[0]
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert done.stdout
    assert {"gitbench", "click"} <= names
    return names


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (("--version",), HEAVY),
        (("--help",), HEAVY),
        (("compare", "--help"), LAZY),
        (("record", "--help"), LAZY),
        (("explain", "--help"), LAZY),
        (("power", "--help"), LAZY),
        (("calibrate", "--help"), LAZY),
    ],
)
def test_start_up_loads_nothing_heavy(
    arguments: tuple[str, ...], unwanted: set[str]
) -> None:
    """Commands that need none of the heavy libraries load none of them."""
    assert loaded_by(*arguments) & unwanted == set()

"""Readers of other packages, installed and found by their entry point."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parent.parent / "data" / "plugin"
ROOT = Path(__file__).parents[2]
CODE = """
import sys
from gitbench import formats
tool = sys.argv[1] if len(sys.argv) > 1 else None
try:
    for reading in formats.read(sys.stdin.buffer.read(), tool=tool, name="x"):
        print(reading.tool.name, [one.processes for one in reading.measurements])
except formats.FormatError as error:
    print(error)
"""

Reader = Callable[..., str]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the example package is installed by pip, offline."""
    place = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source")
    for path in [PLUGIN / "pyproject.toml", *PLUGIN.glob("gitbench_lines/*.py")]:
        target = source / path.relative_to(PLUGIN)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    offline = [
        "--no-index",
        "--no-build-isolation",
        "--target",
        str(place),
        str(source),
    ]
    done = subprocess.run([*pip, *offline], capture_output=True, text=True, check=False)
    if "No module named pip" in done.stderr:
        pytest.skip("this environment has no pip")
    assert done.returncode == 0, done.stderr
    return place


def read(place: Path, content: str, *arguments: str) -> str:
    """What reading `content` prints in a process that sees the package."""
    path = os.pathsep.join([str(place), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-c", CODE, *arguments],
        input=content,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_a_package_adds_a_reader(installed: Path) -> None:
    """Its results are detected by content, and read by its name."""
    content = "lines results\nsort: 1.5 ms\n"
    assert read(installed, content) == "lines [((1.5,),)]\n"
    assert read(installed, content, "lines") == "lines [((1.5,),)]\n"


def test_its_errors_are_errors_of_the_file(installed: Path) -> None:
    """A plugin refuses as our own readers do, and its name is among the known."""
    assert read(installed, "x", "lines").startswith("x: line 1: it does not begin")
    assert "did you mean 'lines'" in read(installed, "x", "linse")
    assert "no known tool" in read(installed, "x")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("def looks_like(d):\n return True\n", "lacks read()"),
        ("import nothing_of_that_name\n", "cannot be loaded"),
        (
            "def looks_like(d):\n return True\ndef read(d):\n return {}['x']\n",
            "failed with KeyError",
        ),
        (
            "def looks_like(d):\n return True\ndef read(d):\n return []\n",
            "something else than a tuple",
        ),
    ],
)
def test_a_faulty_plugin_is_named(
    installed: Path, tmp_path: Path, body: str, words: str
) -> None:
    """A plugin at fault ends in a sentence that names it, never in a traceback."""
    for path in installed.glob("*.dist-info/*"):
        target = tmp_path / path.relative_to(installed)
        target.parent.mkdir(exist_ok=True)
        if path.is_file():
            target.write_bytes(path.read_bytes())
    package = tmp_path / "gitbench_lines"
    package.mkdir()
    (package / "__init__.py").write_text(body)
    message = read(tmp_path, "anything")
    assert "plugin that reads 'lines' is at fault" in message
    assert words in message

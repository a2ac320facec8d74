"""What is shipped: the wheel, the sdist and a zipped app work away from the sources."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipapp
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LIBRARIES = ("click", "jinja2", "markupsafe", "msgpack", "numpy", "pygit2", "cffi")
"""What the commands of these tests need besides the wheel."""


def shipped_files() -> dict[str, bytes]:
    """Path in the repository -> content, of all that lies beside the package."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for folder in ("templates", "hooks")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file()
    }


def build(source: Path, target: Path, kind: str) -> Path:
    """Build one distribution with the build back end itself: no isolation, no net."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(target), "-t", kind],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (built,) = target.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this source tree."""
    return build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist of this source tree, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build(ROOT, folder, "sdist")) as archive:
        # Python has had the filter since 3.11.4, and warns without it from 3.14 on.
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(folder / "unpacked", **safe)  # type: ignore[arg-type]
    (top,) = (folder / "unpacked").iterdir()
    return top


def contents(wheel: Path) -> dict[str, bytes]:
    """Path in a wheel -> content."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def empty_environment(folder: Path) -> tuple[Path, Path]:
    """A virtual environment that has our libraries, but not us.

    Returns its interpreter and its site-packages.  Libraries are reached through a
    path file; unlike a folder of site-packages, what that names is searched for no
    further path files, and so the editable install of this tree stays out of sight.
    """
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    (site,) = folder.glob("lib/python*/site-packages")
    homes = set()
    for name in LIBRARIES:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        homes.add(str(Path(spec.origin).parents[1]))
    (site / "libraries.pth").write_text("\n".join(sorted(homes)) + "\n")
    return folder / "bin" / "python", site


def run(command: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder that knows nothing of this source tree."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def write_results(folder: Path) -> tuple[Path, Path]:
    """Two result files; the second is three times as slow."""
    paths = (folder / "base.json", folder / "head.json")
    for path, factor in zip(paths, (1.0, 3.0), strict=True):
        values = [factor * (0.1 + 0.001 * place) for place in range(8)]
        measurement = {"benchmark": "sort", "metric": "duration", "unit": "s"}
        document = {
            "schema": "gitbench/run/1",
            "suite": "unit",
            "testbed": {"name": "ci-large", "facts": {"cpu": "Test CPU"}},
            "measurements": [measurement | {"values": values}],
        }
        path.write_text(json.dumps(document))
    return paths


def check_reports(program: list[str | Path], folder: Path) -> None:
    """Every format that is made from a template can be rendered."""
    base, head = write_results(folder)
    for name, sign in {
        "text": "sort",
        "markdown": "sort",
        "html": "<!doctype html",
        "junit": "<testsuite",
    }.items():
        done = run([*program, "diff", base, head, "--format", name], folder)
        assert done.returncode in (0, 1, 3), done.stderr
        assert sign in done.stdout.replace("DOCTYPE", "doctype"), done.stdout
        assert "sort" in done.stdout
        assert "Traceback" not in done.stderr


def test_the_wheel_holds_what_the_package_needs(wheel: Path) -> None:
    """Templates and hooks lie in the wheel's package, unchanged, and no tests."""
    held = contents(wheel)
    shipped = shipped_files()
    assert any(name.startswith("templates/") for name in shipped)
    assert "hooks/pre-push" in shipped
    for name, content in shipped.items():
        assert held[f"gitbench/{name}"] == content
    assert "gitbench/py.typed" in held
    tops = {name.split("/")[0].partition("-")[0] for name in held}
    assert tops == {"gitbench"}


def test_the_sdist_holds_what_a_packager_needs(sdist: Path) -> None:
    """Templates, hooks, tests and documentation lie in the sdist, and no builds."""
    for name, content in shipped_files().items():
        assert (sdist / name).read_bytes() == content
    for name in ("tests/test_wheel.py", "docs/reference/config.md", "Makefile"):
        assert (sdist / name).read_bytes() == (ROOT / name).read_bytes()
    for name in ("LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "PKG-INFO"):
        assert (sdist / name).is_file()
    names = {path.name for path in sdist.rglob("*")}
    assert not names & {"__pycache__", ".venv", ".git", "dist"}


def test_a_wheel_of_the_sdist_is_the_wheel(
    wheel: Path, sdist: Path, tmp_path: Path
) -> None:
    """What a packager builds from the sdist is, byte for byte, what we ship."""
    assert contents(build(sdist, tmp_path, "wheel")) == contents(wheel)


def test_an_installed_wheel_renders_reports(wheel: Path, tmp_path: Path) -> None:
    """Installed into an empty environment, the wheel works without the sources."""
    python, site = empty_environment(tmp_path / "environment")
    away = tmp_path / "away"
    away.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    where = run([python, "-c", "import gitbench; print(gitbench.__file__)"], away)
    assert Path(where.stdout.strip()) == site / "gitbench" / "__init__.py"
    check_reports([python, "-m", "gitbench"], away)


def test_the_commands_of_the_wheel_can_be_called(wheel: Path, tmp_path: Path) -> None:
    """Both commands that the wheel declares start, and say its version."""
    python, site = empty_environment(tmp_path / "environment")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = (
        "import sys; from importlib.metadata import distribution\n"
        "ours, name = distribution('gitbench'), sys.argv[1]\n"
        "(one,) = [e for e in ours.entry_points if e.name == name]\n"
        "print(ours.version)\n"
        "sys.argv = [name, '--version']\n"
        "sys.exit(one.load()())\n"
    )
    for name in ("gitbench", "git-bench"):
        done = run([python, "-c", code, name], tmp_path)
        assert done.returncode == 0, done.stderr
        version, said = done.stdout.split("\n", 1)
        assert version in said


def test_a_zipped_app_renders_reports(wheel: Path, tmp_path: Path) -> None:
    """In one zip file, run by an environment without us, all templates are found."""
    python, _ = empty_environment(tmp_path / "environment")
    away = tmp_path / "away"
    away.mkdir()
    absent = run([python, "-c", "import gitbench.cli"], away)
    assert "No module named 'gitbench" in absent.stderr
    content = tmp_path / "content"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(content)
    zipapp.create_archive(content, away / "app.pyz", main="gitbench.cli:main")
    shutil.rmtree(content)
    check_reports([python, away / "app.pyz"], away)

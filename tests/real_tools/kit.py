"""What the proofs of all tools share: a sealed place, its repository, and checks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from gitbench.demo import sealed

LONGEST_S = 900
"""Most seconds that a program may take."""


class Skipped(Exception):
    """The tool cannot be had on this machine; the message says why."""


class Failed(Exception):
    """A program failed, or what is stored is not what the tool printed."""


@dataclass
class Stored:
    """One recorded run, as `gitbench show --json` gives it back."""

    measurements: list[dict[str, Any]]

    def one(self, name: str, metric: str = "duration", **params: str) -> dict[str, Any]:
        """The measurement of a benchmark that has some parameters, and maybe more."""
        found = [
            one
            for one in self.measurements
            if (one["benchmark"], one["metric"]) == (name, metric)
            and params.items() <= one.get("params", {}).items()
        ]
        if len(found) != 1:
            there = [(one["benchmark"], one["metric"]) for one in self.measurements]
            raise Failed(
                f"{len(found)} stored measurements are {name} {params} {metric}; "
                f"there are {there}"
            )
        return found[0]


@dataclass
class Place:
    """A folder of one tool, with a repository that its results are recorded in."""

    folder: Path
    cache: Path
    checked: dict[str, int] = field(default_factory=dict)
    """What was held against the tool's own numbers -> how many of them."""

    @property
    def repository(self) -> Path:
        """The work tree in which tools and gitbench run."""
        return self.folder / "work"

    @property
    def environ(self) -> dict[str, str]:
        """The user's environment, for installers too, without the user's git."""
        return sealed(os.environ) | {
            "GIT_AUTHOR_NAME": "Proof",
            "GIT_AUTHOR_EMAIL": "proof@example.com",
            "GIT_COMMITTER_NAME": "Proof",
            "GIT_COMMITTER_EMAIL": "proof@example.com",
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }

    def write(self, name: str, text: str) -> Path:
        """A file of the repository."""
        path = self.repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def commit(self) -> str:
        """Commit what was written, as tools look at the commit; returns its id."""
        if not (self.repository / ".git").exists():
            self.run("git", "init", "--quiet", ".")
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "-m", "proof")
        return self.run("git", "rev-parse", "HEAD").strip()

    def run(self, *argv: str, cwd: Path | None = None, **environ: str) -> str:
        """What a program prints on both streams.  Raises Failed."""
        try:
            done = subprocess.run(
                argv,
                cwd=cwd or self.repository,
                env=self.environ | environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
                timeout=LONGEST_S,
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise Failed(f"{' '.join(argv)[:200]}: {exc}") from exc
        if done.returncode:
            end = " | ".join(done.stdout.strip().splitlines()[-6:])
            raise Failed(f"{' '.join(argv)[:200]} ended with {done.returncode}: {end}")
        return done.stdout

    def install(self, *argv: str, cwd: Path | None = None, **environ: str) -> None:
        """Run an installer; where it fails, the tool is skipped."""
        self.cache.mkdir(parents=True, exist_ok=True)
        try:
            self.run(*argv, cwd=cwd or self.cache, **environ)
        except Failed as exc:
            raise Skipped(f"it cannot be installed: {str(exc)[:200]}") from exc

    def python(self, *packages: str) -> Path:
        """The folder of programs of an environment that holds some packages."""
        home = self.cache / "-".join(["python", *packages])
        if not (home / "ready").exists():
            shutil.rmtree(home, ignore_errors=True)
            self.install(sys.executable, "-m", "venv", str(home))
            self.install(str(home / "bin/pip"), "install", "--quiet", *packages)
            (home / "ready").touch()
        return home / "bin"

    def record(self, *arguments: str) -> Stored:
        """Record results, and what is stored of them then."""
        self._gitbench("record", *arguments)
        lines = self._gitbench("show", "--json").strip().splitlines()
        if len(lines) != 1:
            raise Failed(f"{len(lines)} runs are stored where one was recorded")
        stored = Stored(json.loads(lines[0])["measurements"])
        shown = self._gitbench("show").splitlines()
        for one in stored.measurements:
            name, metric = one["benchmark"], one["metric"]
            if not any(name in line and metric in line for line in shown):
                raise Failed(f"gitbench show does not tell of {name}, {metric}")
        return stored

    def _gitbench(self, *arguments: str) -> str:
        root = str(Path(__file__).parents[2])
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        path = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]).strip(":")
        environ = {"HOME": str(home), "PYTHONPATH": path, "COLUMNS": "300"}
        return self.run(sys.executable, "-m", "gitbench", *arguments, **environ)

    # ------------------------------------------------------------------ checks

    def agree(self, what: str, printed: str, stored: float, where: str) -> None:
        """A printed number is the stored one, within the digits that it has.

        Raises Failed.
        """
        number = Decimal(printed.replace(",", ""))
        exponent = number.as_tuple().exponent
        assert isinstance(exponent, int)
        half = 0.5 * 10.0**exponent
        # Its own rounding happened in binary, so that a tie may fall to either side.
        if abs(float(number) - stored) > half * (1 + 1e-6) + abs(stored) * 1e-12:
            raise Failed(f"{where}: {what} is printed as {printed}, stored {stored!r}")
        self.checked[what] = self.checked.get(what, 0) + 1

    def same(self, what: str, printed: object, stored: object, where: str) -> None:
        """Two things are equal.  Raises Failed."""
        if printed != stored:
            raise Failed(f"{where}: {what} is {printed!r}, stored {stored!r}")
        self.checked[what] = self.checked.get(what, 0) + 1


def program(name: str) -> str:
    """The path of a program.  Raises Skipped if there is none."""
    path = shutil.which(name)
    if path is None:
        raise Skipped(f"{name} is not on the PATH")
    return path


def flat(measurement: dict[str, Any]) -> list[float]:
    """All values of a measurement."""
    values = measurement.get("values")
    if values is None:
        raise Failed(f"no values are stored of {measurement['benchmark']}")
    return [
        float(value)
        for group in values
        for value in (group if isinstance(group, list) else [group])
    ]


def processes(measurement: dict[str, Any]) -> list[int]:
    """How many values each process of a measurement has."""
    values: Sequence[Any] = measurement["values"]
    if any(isinstance(group, list) for group in values):
        return [len(group) for group in values]
    return [len(values)]

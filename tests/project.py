"""Real repositories made with real git, and gitbench called as its users call it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitbench.cli import run


@dataclass(frozen=True)
class Result:
    """What a gitbench command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


@dataclass
class Project:
    """A repository in a folder; commits get dates a minute apart."""

    path: Path
    clock: int = 1_767_225_600
    runs: int = field(default=0)

    @classmethod
    def init(cls, path: Path, *options: str) -> Project:
        """A new repository."""
        path.mkdir(parents=True, exist_ok=True)
        project = cls(path)
        project.git("init", "--quiet", *options)
        return project

    @classmethod
    def clone(cls, source: Path | str, path: Path, *options: str) -> Project:
        """A clone of `source`."""
        subprocess.run(
            ["git", "clone", "--quiet", *options, str(source), str(path)],
            check=True,
            capture_output=True,
        )
        return cls(path)

    def git(self, *arguments: str, check: bool = True, **environ: str) -> str:
        """Run git here; returns its output without the last newline."""
        result = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            check=False,
        )
        if check and result.returncode != 0:
            raise AssertionError(f"git {arguments}: {result.stderr}")
        return result.stdout.removesuffix("\n")

    def commit(self, subject: str = "change", content: str | None = None) -> str:
        """Commit a change to a file (or `content` of it); returns the id."""
        self.clock += 60
        (self.path / "code.py").write_text(content or f"{subject} {self.clock}\n")
        self.git("add", "code.py")
        date = f"{self.clock} +0000"
        self.git(
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            subject,
            GIT_AUTHOR_DATE=date,
            GIT_COMMITTER_DATE=date,
        )
        return self.head()

    def head(self, revision: str = "HEAD") -> str:
        """Id of a revision."""
        return self.git("rev-parse", "--verify", revision)

    def gitbench(
        self,
        *arguments: str,
        code: int | None = 0,
        stdin: bytes = b"",
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Result:
        """Run gitbench in this process, through the entry point of the console
        script; asserts the exit code unless it is None."""
        out, err = io.StringIO(), io.StringIO()
        with (
            _in(cwd or self.path, environ or {}, stdin),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            actual = run(arguments)
        result = Result(actual, out.getvalue(), err.getvalue())
        if code is not None:
            assert result.code == code, f"{result.code}\n{result.out}\n{result.err}"
        return result

    def record(self, values: Mapping[str, Any], *options: str, **fields: Any) -> Result:
        """Record durations (seconds) by benchmark name, as one run of gitbench's own
        JSON; runs are an hour apart, so that each is a session of its own."""
        name = self.path.parent / f"{self.path.name}-run-{self.runs}.json"
        self.runs += 1
        name.write_text(json.dumps(self.results(values, **fields)))
        return self.gitbench("record", str(name), *options)

    def results(self, values: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
        """One run in gitbench's own JSON."""
        day, hour = divmod(self.runs, 24)
        return {
            "schema": "gitbench/run/1",
            "suite": "unit",
            "started_at": f"2026-01-{1 + day:02}T{hour:02}:00:00Z",
            "testbed": {"name": "ci-large", "facts": {"cpu": "Test CPU"}},
            **fields,
            "measurements": [
                {
                    "benchmark": benchmark,
                    "metric": "duration",
                    "unit": "s",
                    "better": "lower",
                    "values": some if isinstance(some, Sequence) else [some],
                }
                for benchmark, some in values.items()
            ],
        }


@contextlib.contextmanager
def _in(cwd: Path, environ: Mapping[str, str], stdin: bytes) -> Iterator[None]:
    """Run a block in another folder, environment and standard input."""
    before, kept = Path.cwd(), {name: os.environ.get(name) for name in environ}
    real = sys.stdin
    os.chdir(cwd)
    os.environ.update(environ)
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
    try:
        yield
    finally:
        sys.stdin = real
        os.chdir(before)
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

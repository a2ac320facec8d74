"""Repositories with many commits and notes, made by `git fast-import`.

The notes are what gitbench itself would have written; only the way into the
repository is shorter.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gitbench import testbed
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    Run,
    Tool,
)
from gitbench.store import codec

NOTES = "refs/notes/gitbench"
WRITTEN = "refs/gitbench/written/gitbench"
MAIN = "refs/heads/main"
SUITE = "unit"
TESTBED = "machine"
START = 1_767_225_600
"""Time of the first commit, seconds since the epoch; an hour between commits."""

DURATION = Metric("duration", "s", Better.LOWER, Kind.DURATION)


@dataclass(frozen=True)
class Place:
    """A commit and its tree."""

    commit: str
    tree: str


@dataclass(frozen=True)
class Repository:
    """A repository in a folder."""

    path: Path
    environ: Mapping[str, str]

    @classmethod
    def init(cls, path: Path, environ: Mapping[str, str], *options: str) -> Repository:
        """A new one."""
        repository = cls(path, environ)
        path.mkdir(parents=True, exist_ok=True)
        repository.git("init", "--quiet", "--initial-branch=main", *options)
        return repository

    @property
    def git_dir(self) -> Path:
        """Its git directory."""
        inner = self.path / ".git"
        return inner if inner.exists() else self.path

    def git(self, *arguments: str, stdin: Iterable[bytes] = ()) -> str:
        """Run git; returns its output without the last newline."""
        with subprocess.Popen(
            ["git", *arguments],
            cwd=self.path,
            env=dict(self.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for part in stdin:
                process.stdin.write(part)
            process.stdin.close()
            output = process.stdout.read()
        if process.returncode != 0:
            raise RuntimeError(f"git {arguments[0]}: exit code {process.returncode}")
        return output.decode().removesuffix("\n")

    def _import(self, stream: Iterable[bytes]) -> None:
        # Without the limit, small imports become loose objects.
        limit = ("-c", "fastimport.unpackLimit=1")
        self.git(*limit, "fast-import", "--quiet", stdin=stream)

    # ------------------------------------------------------------ content

    def add_commits(
        self, count: int, ref: str = MAIN, onto: str | None = None
    ) -> list[Place]:
        """Add `count` commits, each with a tree of its own; oldest first."""

        def stream() -> Iterator[bytes]:
            for number in range(count):
                when = START + 3600 * number
                content = f"{ref} {number}\n".encode()
                subject = f"Commit {number}\n".encode()
                yield b"commit %s\n" % ref.encode()
                yield b"committer Somebody <somebody@localhost> %d +0000\n" % when
                yield b"data %d\n%s" % (len(subject), subject)
                if onto is not None and number == 0:
                    yield b"from %s\n" % onto.encode()
                yield b"M 100644 inline code.py\n"
                yield b"data %d\n%s" % (len(content), content)

        self._import(stream())
        since = [ref] if onto is None else [ref, f"^{onto}"]
        lines = self.git("log", "--reverse", "--format=%H %T", *since)
        return [Place(*line.split()) for line in lines.splitlines()]

    def add_notes(self, notes: Mapping[str, Sequence[Run]], ref: str = NOTES) -> str:
        """Write runs as the notes of commits, in one notes commit; returns its id."""

        def stream() -> Iterator[bytes]:
            yield b"commit %s\n" % ref.encode()
            yield b"committer Somebody <somebody@localhost> %d +0000\n" % START
            yield b"data 0\n"
            for commit, runs in notes.items():
                lines = sorted(codec.encode(run).raw for run in runs)
                data = b"".join(line + b"\n" for line in lines)
                yield b"M 100644 inline %s/%s\n" % (
                    commit[:2].encode(),
                    commit[2:].encode(),
                )
                yield b"data %d\n%s\n" % (len(data), data)

        tip = self.ref(ref)
        if tip is None:
            self._import(stream())
        else:
            parts = stream()
            head = [next(parts) for _ in range(3)]
            self._import([*head, b"from %s\n" % tip.encode(), *parts])
        return self.git("rev-parse", ref)

    def ref(self, name: str) -> str | None:
        """Id that a ref points to."""
        found = self.git("for-each-ref", "--format=%(objectname)", name)
        return found or None

    def settle(self, branch: str = "main") -> None:
        """Check a branch out, and leave the refs packed as after `git gc`."""
        if self.git_dir != self.path:
            self.git("checkout", "--quiet", "--force", branch)
        tip = self.ref(NOTES)
        if tip is not None:
            self.git("update-ref", WRITTEN, tip)
        self.git("pack-refs", "--all")

    def keeper(self) -> Callable[[], None]:
        """A function that puts the notes refs back to what they are now."""
        tip = self.ref(NOTES)
        paths = [self.git_dir / name for name in (NOTES, WRITTEN)]

        def put_back() -> None:
            for path in paths:
                if tip is None:
                    path.unlink(missing_ok=True)
                else:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(tip + "\n")

        return put_back


# --------------------------------------------------------------------- results


def timings(benchmarks: int, values: int, seed: int) -> list[list[float]]:
    """Timings in seconds with the resolution of nanoseconds, a list a benchmark.

    Benchmarks take 1 us to 10 ms, spread evenly on a log scale; a run deviates by 1 %
    and its values by 2 %.
    """
    centers = 10 ** np.linspace(3, 7, benchmarks)
    chance = np.random.default_rng(seed)
    run = np.exp(chance.normal(0, 0.01, (benchmarks, 1)))
    single = np.exp(chance.normal(0, 0.02, (benchmarks, values)))
    nanoseconds = np.rint(centers[:, None] * run * single)
    return [[round(v * 1e-9, 9) for v in row] for row in nanoseconds.tolist()]


def names(benchmarks: int) -> list[str]:
    """Names of benchmarks: package, class and function."""
    return [f"package{n % 17}/Class{n % 7}/benchmark_{n}" for n in range(benchmarks)]


def make_run(place: Place, number: int, samples: Sequence[Sequence[float]]) -> Run:
    """The run `number` of a suite, at a commit."""
    return Run(
        suite=SUITE,
        started_at=(START + 3600 * number) * 1000,
        time_source="tool",
        tool=Tool("tool", "1.0"),
        testbed=testbed.testbed((), TESTBED),
        commit=place.commit,
        tree=place.tree,
        dirty=False,
        origin=f"{random.Random(number).getrandbits(256):064x}",
        measurements=tuple(
            Measurement(Benchmark(name), DURATION, (tuple(sample),))
            for name, sample in zip(names(len(samples)), samples, strict=True)
        ),
    )


def write_results(path: Path, samples: Sequence[Sequence[float]]) -> Path:
    """A result file in gitbench's own JSON."""
    rows = [
        {"benchmark": name, "metric": "duration", "unit": "s", "values": list(sample)}
        for name, sample in zip(names(len(samples)), samples, strict=True)
    ]
    run = {
        "schema": "gitbench/run/1",
        "suite": SUITE,
        "testbed": {"name": TESTBED},
        "tool": {"name": "tool", "version": "1.0"},
        "measurements": rows,
    }
    path.write_text(json.dumps(run))
    return path

"""Many clones record and push to one remote, all at once; nothing may be lost.

    python -m tests.contention --full
    python -m tests.contention --over ssh --clones 4 --records 2

`--full` is 16 clones x 10 records over the file protocol, then 8 x 10 over smart HTTP
with a password and 8 x 10 over ssh.  Every record and every push is a process of its
own, as on CI runners: each clone runs `gitbench record`, then `gitbench push`, again
and again, and all clones begin together.  Afterwards every run is on the remote and,
after a fetch, in every clone; every tip that the remote's ref ever had is an ancestor
of the next one, so that nothing was forced; and git fsck finds nothing wrong.

A push that gives up because the others left no gap within its budget says so, and is
run again, as its message asks; how often that happened is told.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from gitbench.store.notes import Notes
from gitbench.store.repository import Repository
from tests.crash import sealed
from tests.project import Project
from tests.servers import lighttpd, sshd
from tests.web import WRITER, basic

ROOT = Path(__file__).parents[1]
REF = "refs/notes/gitbench"
COMMITS = 3
"""Few, so that the same notes are changed by everybody."""

FULL = {"file": (16, 10), "http": (8, 10), "ssh": (8, 10)}
"""Clones and records of each by protocol."""


@dataclass(frozen=True)
class Remote:
    """How a bare repository is reached."""

    url: str
    environ: Mapping[str, str]
    """What git needs in the environment of the clients."""
    options: tuple[str, ...] = ()
    """What git needs in the settings of the clones."""


@dataclass(frozen=True)
class Share:
    """What one clone did."""

    runs: frozenset[tuple[str, str]]
    """Commit and id of each run that was reported as recorded."""
    attempts: tuple[int, ...]
    """Until each record was on the remote."""
    slowest_s: float
    """Longest time until a record was on the remote."""
    surrenders: int
    """Pushes that gave up within their budget and were run again."""


@dataclass(frozen=True)
class Figures:
    """What was seen."""

    over: str
    clones: int
    records: int
    """Of each clone."""
    attempts: int
    """Of all pushes together."""
    most_attempts: int
    """Until one record was on the remote."""
    surrenders: int
    """Pushes that gave up within their budget and were run again."""
    seconds: float
    """From the first record to the end of the last push."""
    slowest_s: float
    """Longest time until a record was on the remote."""

    def __str__(self) -> str:
        pushes = self.clones * self.records
        return (
            f"{self.over}: {self.clones} clones x {self.records} records, {pushes} "
            f"pushes, {self.attempts} attempts ({self.attempts - pushes} retries, at "
            f"most {self.most_attempts} attempts of one push), {self.surrenders} gave "
            f"up and were run again, {self.seconds:.1f} s, slowest push "
            f"{self.slowest_s:.1f} s"
        )


@contextlib.contextmanager
def reachable(over: str, folder: Path, bare: Path) -> Iterator[Remote]:
    """Serve a bare repository over a protocol: `file`, `http` or `ssh`."""
    if over == "file":
        yield Remote(f"file://{bare}", {})
    elif over == "http":
        with lighttpd(bare.parent, folder / "lighttpd") as url:
            # What a CI checkout leaves behind.
            header = f"http.{url}/.extraheader={basic(WRITER)}"
            yield Remote(f"{url}/{bare.name}", {}, ("--config", header))
    else:
        with sshd(folder / "sshd") as (url, command):
            yield Remote(f"{url}{bare}", {"GIT_SSH_COMMAND": command})


def contend(over: str, folder: Path, clones: int, records: int) -> Figures:
    """Let clones record and push at once, assert that nothing was lost or forced, and
    tell what it took.  `folder` is empty or not there yet."""
    bare = folder / "served" / "origin.git"
    origin = Project.init(bare, "--bare")
    origin.git("config", "core.logAllRefUpdates", "always")
    seed = Project.init(folder / "seed")
    commits = [seed.commit(f"change {number}") for number in range(COMMITS)]
    seed.git("push", "--quiet", str(bare), "HEAD:refs/heads/main")
    origin.git("symbolic-ref", "HEAD", "refs/heads/main")
    with reachable(over, folder, bare) as remote:
        environ = {**os.environ, **remote.environ}
        projects = [
            _clone(remote, folder / f"clone-{number}", environ)
            for number in range(clones)
        ]
        gate = threading.Barrier(clones)
        started = time.monotonic()
        with ThreadPoolExecutor(clones) as pool:
            work = [
                pool.submit(_work, project, commits, records, environ, gate)
                for project in projects
            ]
            shares = [one.result() for one in work]
        seconds = time.monotonic() - started
        inspect(origin, projects, shares, environ)
    attempts = [count for share in shares for count in share.attempts]
    return Figures(
        over,
        clones,
        records,
        sum(attempts),
        max(attempts),
        sum(share.surrenders for share in shares),
        seconds,
        max(share.slowest_s for share in shares),
    )


def _clone(remote: Remote, path: Path, environ: Mapping[str, str]) -> Project:
    command = ["git", "clone", "--quiet", *remote.options, remote.url, str(path)]
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
    return Project(path)


def _work(
    project: Project,
    commits: list[str],
    records: int,
    environ: Mapping[str, str],
    gate: threading.Barrier,
) -> Share:
    """Record and push again and again, beginning with all the others."""
    runs: set[tuple[str, str]] = set()
    attempts: list[int] = []
    slowest = 0.0
    surrenders = 0
    results = project.path.parent / f"{project.path.name}.json"
    gate.wait(60)
    for number in range(records):
        project.runs = number
        values = {project.path.name: 1 + number / 100}
        results.write_text(json.dumps(project.results(values)))
        commit = commits[number % len(commits)]
        done = _gitbench(
            project, environ, "record", str(results), "--commit", commit, "--json"
        )
        assert 0 == done.returncode, done
        (row,) = json.loads(done.stdout)["runs"]
        assert row["recorded"], row
        runs.add((row["commit"], row["id"]))
        started = time.monotonic()
        tried, gave_up = _push(project, environ)
        slowest = max(slowest, time.monotonic() - started)
        attempts.append(tried)
        surrenders += gave_up
    return Share(frozenset(runs), tuple(attempts), slowest, surrenders)


def _push(project: Project, environ: Mapping[str, str]) -> tuple[int, int]:
    """Push until the remote has it; the attempts, and how many pushes gave up."""
    attempts = 0
    for surrenders in range(10):
        done = _gitbench(project, environ, "push", "--json")
        (row,) = json.loads(done.stdout)["remotes"]
        if done.returncode == 0:
            assert row["pushed"], row
            return attempts + row["attempts"], surrenders
        busy = re.search(r"without pause for \d+ s \((\d+) attempts\)", row["error"])
        assert busy is not None, row
        assert 4 == done.returncode, done
        attempts += int(busy[1])
    raise AssertionError(f"{project.path.name} never came through: {attempts} attempts")


def _gitbench(
    project: Project, environ: Mapping[str, str], *words: str
) -> subprocess.CompletedProcess[str]:
    """Run gitbench in a process of its own; the result is not checked."""
    return subprocess.run(
        [sys.executable, "-m", "gitbench", *words],
        cwd=project.path,
        env={**environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def inspect(
    origin: Project,
    projects: list[Project],
    shares: list[Share],
    environ: Mapping[str, str],
) -> None:
    """Assert that all runs are everywhere and that the remote's ref only grew."""
    everything = {run for share in shares for run in share.runs}
    pushes = sum(len(share.attempts) for share in shares)
    assert pushes == len(everything)
    assert everything == known(origin)
    for project in projects:
        done = _gitbench(project, environ, "fetch")
        assert 0 == done.returncode, done
        assert everything == known(project), project.path.name
    assert origin.git("fsck", "--strict", "--no-dangling", "--no-progress") == ""
    tips = origin.git("reflog", "show", "--format=%H", REF).split()[::-1]
    assert pushes == len(tips) == len(set(tips))
    for earlier, later in pairwise(tips):
        origin.git("merge-base", "--is-ancestor", earlier, later)
    assert tips[-1] == origin.head(REF)


def known(project: Project) -> set[tuple[str, str]]:
    """Commit and id of every run that a repository's notes hold."""
    notes = Notes(Repository.open(project.path, os.environ))
    commits = [
        line.split()[1]
        for line in project.git("notes", "--ref=gitbench", "list").splitlines()
    ]
    return {
        (commit, one.id) for commit in commits for one in notes.records(commit).runs
    }


def main() -> None:
    """Contend in the sizes asked for, and tell what it took."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.contention", description=__doc__
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--full", action="store_true", help="all three in full size")
    parser.add_argument("--over", choices=FULL, help="this protocol only")
    parser.add_argument("--clones", type=int, default=None)
    parser.add_argument("--records", type=int, default=None)
    given = parser.parse_args()
    if not given.full and given.over is None:
        parser.error("give --full or --over")
    sealed()
    for over in [given.over] if given.over else FULL:
        clones, records = FULL[over]
        with tempfile.TemporaryDirectory(prefix="gitbench-contention-") as name:
            figures = contend(
                over, Path(name), given.clones or clones, given.records or records
            )
        print(figures, flush=True)


if __name__ == "__main__":
    main()

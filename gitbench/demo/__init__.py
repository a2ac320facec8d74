"""A small project with its own origin, made for the demo and measured for real.

Owns the project's files, its commits and the order of measuring.  Nothing here is
made up: the functions run, and what they take is what is recorded.  Knows neither
the command line nor the notes; whoever calls records the result files.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from gitbench.demo.project import HISTORY, SLOW_DOWN
from gitbench.errors import GitbenchError

BRANCH = "simpler-tags"
SLOWED = "unique_tags"
"""The function that the branch makes slower."""

ROUNDS = 6
"""Processes a commit.  All commits are measured once before any is measured again,
so that a machine that slows down meanwhile slows all of them alike."""

FEWEST_ROUNDS = 4
BUDGET_S = 30.0
"""After this time no further round begins, once there are `FEWEST_ROUNDS`: the demo
takes under a minute on a slow or busy machine too."""

Progress = Callable[[int, int], None]
"""Called with the number of processes measured, and that of all to be measured."""


class DemoError(GitbenchError):
    """The demo cannot be made here."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One commit and the result file of its measurements."""

    commit: str
    subject: str
    branch: str
    results: Path
    processes: int = 0


@dataclass(frozen=True, slots=True)
class Demo:
    """The folder of a demo and what it holds."""

    folder: Path
    environ: Mapping[str, str]
    """Environment of every program that the demo starts; see `sealed`."""

    @property
    def project(self) -> Path:
        """The clone that is worked in."""
        return self.folder / "project"

    @property
    def origin(self) -> Path:
        """The bare repository that it pushes to."""
        return self.folder / "origin.git"

    @property
    def results(self) -> Path:
        """The result files, one a commit."""
        return self.folder / "results"

    def git(self, *arguments: str) -> str:
        """Run git in the project; returns its output without the last newline."""
        done = run_quietly(
            ["git", "-C", str(self.project), *_SAFE, *arguments], self.environ
        )
        return done.removesuffix("\n")


_SAFE = (
    *("-c", "user.name=gitbench demo", "-c", "user.email=demo@localhost"),
    *("-c", "commit.gpgsign=false", "-c", "push.gpgsign=false"),
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"),
    *("-c", "core.autocrlf=false", "-c", "gc.auto=0", "-c", "advice.detachedHead=0"),
)
"""Settings that keep a user's hooks, keys and filters out of the demo.

GIT_CONFIG_GLOBAL says the same to git 2.32 and later, older ones ignore it."""

_FOREIGN = ("GIT_", "GITBENCH_", "GITHUB_", "GITLAB_", "PYTHON")
_JOBS = ("CI", "JENKINS_URL", "BUILD_URL", "PRE_COMMIT")


def sealed(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without what would lead git, gitbench or Python elsewhere.

    A GIT_DIR that a hook has set would send the demo's results into the user's own
    repository; CI variables would make its commits those of a pull request.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith(_FOREIGN) and name not in _JOBS
    }
    return kept | {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        # What libgit2 can open, whatever this git makes by default.
        "GIT_DEFAULT_HASH": "sha1",
        "GIT_DEFAULT_REF_FORMAT": "files",
    }


def run_quietly(
    command: Sequence[str], environ: Mapping[str, str], cwd: Path | None = None
) -> str:
    """Run a program and return its output; raises DemoError with its last words."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except FileNotFoundError as exc:
        raise DemoError(
            f"The program {command[0]} is not on the PATH; the demo needs it."
        ) from exc
    if done.returncode != 0:
        words = done.stderr.strip().splitlines() or ["no message"]
        raise DemoError(
            f"The demo cannot go on: {Path(command[0]).name} ended with exit code "
            f"{done.returncode} ({words[-1][:300]})."
        )
    return done.stdout


# ------------------------------------------------------------------ the project


def make_project(folder: Path, environ: Mapping[str, str]) -> Demo:
    """Make the project, its commits, its branch and its origin in an empty folder."""
    demo = Demo(folder, sealed(environ))
    for repository, kind in ((demo.origin, ["--bare"]), (demo.project, [])):
        run_quietly(
            ["git", "init", "--quiet", "--template=", *kind, str(repository)],
            demo.environ,
        )
        # `init -b main` is not known to git before 2.28.
        run_quietly(
            ["git", "-C", str(repository), "symbolic-ref", "HEAD", "refs/heads/main"],
            demo.environ,
        )
    demo.git("remote", "add", "origin", str(demo.origin))
    demo.results.mkdir()
    files: dict[str, str] = {}
    for subject, change in HISTORY:
        files |= change(files)
        _commit(demo, subject, files)
    demo.git("push", "--quiet", "origin", "main")
    demo.git("checkout", "--quiet", "-b", BRANCH)
    subject, change = SLOW_DOWN
    _commit(demo, subject, files | change(files))
    return demo


def _commit(demo: Demo, subject: str, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (demo.project / name).write_text(text, encoding="utf-8", newline="\n")
    demo.git("add", "--", *files)
    demo.git("commit", "--quiet", "--no-verify", "-m", subject)


# -------------------------------------------------------------------- measuring


def measure(demo: Demo, progress: Progress) -> list[Measured]:
    """Measure every commit in a work tree of its own, all commits in turn.

    Each round starts at another commit.  Returns the commits oldest first.
    """
    commits = _commits(demo)
    trees = [demo.folder / "measuring" / one.results.stem for one in commits]
    for one, tree in zip(commits, trees, strict=True):
        demo.git("worktree", "add", "--quiet", "--detach", str(tree), one.commit)
    start = perf_counter()
    done, total = 0, ROUNDS * len(commits)
    progress(done, total)
    for number in range(ROUNDS):
        if number >= FEWEST_ROUNDS and perf_counter() - start > BUDGET_S:
            break
        for place in turn(len(commits), number):
            results = str(commits[place].results)
            run_quietly(
                [sys.executable, "bench.py", "--processes=1", "--append", results],
                demo.environ,
                trees[place],
            )
            done += 1
            progress(done, total)
    progress(total, total)
    for tree in trees:
        demo.git("worktree", "remove", "--force", str(tree))
    trees[0].parent.rmdir()
    return [replace(one, processes=done // len(commits)) for one in commits]


def turn(count: int, number: int) -> list[int]:
    """The order of one round: each begins elsewhere, every other one runs backwards."""
    step = 1 if number % 2 == 0 else -1
    return [(number + step * place) % count for place in range(count)]


def _commits(demo: Demo) -> list[Measured]:
    lines = demo.git("log", "--reverse", "--format=%H %s", "HEAD").splitlines()
    found = []
    for place, line in enumerate(lines, 1):
        commit, _, subject = line.partition(" ")
        branch = "main" if place < len(lines) else BRANCH
        name = f"main-{place}.json" if branch == "main" else f"{BRANCH}.json"
        found.append(Measured(commit, subject, branch, demo.results / name))
    return found

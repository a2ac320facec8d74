"""Kills gitbench while it records and pushes, and looks at what is left.

    python -m tests.crash --kills 300

Workers are forked from one process that has imported everything, so that a kill costs
milliseconds.  After every kill git must find nothing wrong, every run that was
reported as recorded must be there, and the next record, and now and then the next
push, must work by themselves.  Locks that were left behind are made old, so that
nobody waits for the ten seconds after which they are removed.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from gitbench.cli import run
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository
from tests.project import Project

ROOT = Path(__file__).parents[1]
COMMITS = 5
PUSH_EVERY = 3
FRESH_AFTER = 60
"""Kills after which a scene is made anew: git fsck looks at all its objects."""

SYSCALLS = "openat,mkdir,rename,renameat,renameat2,link,linkat,unlink,unlinkat"
"""Where a file appears, moves or goes: a ref moves by a rename."""


# ------------------------------------------------------------------ workers


def work(
    path: str, seed: int, push: bool, count: int, wait: bool, git: str | None
) -> None:
    """Record on random commits of the clone at `path`, and push now and then; say
    what was done on standard output.  `git` is a folder with a git of its own."""
    os.chdir(path)
    if git is not None:
        os.environ["PATH"] = f"{git}:{os.environ['PATH']}"
    commits = Path("commits").read_text().split()
    rng = random.Random(seed)
    if wait:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    tell(f"ready {os.getpid()}")
    if wait:
        signal.sigwait({signal.SIGUSR1})
    for number in range(count):
        results = Path(f"../results-{seed}.json")
        results.write_text(json.dumps(one_run(rng)))
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(
                ["record", str(results), "--json", "--commit", rng.choice(commits)]
            )
        if code == 0:
            (row,) = json.loads(out.getvalue())["runs"]
            tell(f"recorded {row['commit']} {row['id']}")
        else:
            tell(f"failed record: {err.getvalue().strip()}")
        if push and number % PUSH_EVERY == 0:
            with redirect_stdout(out), redirect_stderr(err):
                code = run(["push"])
            said = "" if code == 0 else err.getvalue().strip()
            tell("pushed" if code == 0 else f"failed push: {said}")
    tell("finished")


def one_run(rng: random.Random) -> dict[str, object]:
    """A run whose content is its own."""
    values = [rng.random() for _ in range(4)]
    what = {"benchmark": "sort", "metric": "duration", "unit": "s", "values": values}
    return {
        "schema": "gitbench/run/1",
        "testbed": {"name": "ci-large", "facts": {"cpu": "Test CPU"}},
        "measurements": [what],
    }


def tell(line: str) -> None:
    """One line, in one write."""
    os.write(1, (line.replace("\n", " ") + "\n").encode())


def zygote() -> None:
    """Fork a worker for every line of standard input, and tell when it ended."""
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                work(**json.loads(line))
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        tell("ended")


@contextmanager
def nursery() -> Iterator[subprocess.Popen[str]]:
    """The process that forks workers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crash", "--zygote"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


# -------------------------------------------------------------------- scenes


@dataclass
class Tally:
    """What was seen."""

    kills: int = 0
    recorded: int = 0
    """Runs reported as recorded by workers that were killed later."""
    pushes: int = 0
    completed: int = 0
    """Workers that were done before anybody killed them."""
    refused: list[str] = field(default_factory=list)
    """What workers were told when a record or push failed, git having been killed."""
    locks: int = 0
    """Locks that were left behind."""
    slowest_s: float = 0.0
    """Longest time that the next record took."""


@dataclass
class Scene:
    """A clone with a few commits, its remote, and all that was reported."""

    clone: Project
    origin: Project
    reported: dict[str, set[str]] = field(default_factory=dict)
    results: int = 0

    @classmethod
    def make(cls, folder: Path) -> Scene:
        """A new one in an empty folder."""
        origin = Project.init(folder / "origin.git", "--bare")
        clone = Project.clone(origin.path, folder / "clone")
        commits = [clone.commit(f"change {number}") for number in range(COMMITS)]
        clone.git("push", "-q", "origin", "HEAD")
        (clone.path / "commits").write_text("\n".join(commits))
        return cls(clone, origin)

    def let_work(
        self,
        process: subprocess.Popen[str],
        tally: Tally,
        kill: Callable[[int], None],
        *,
        seed: int,
        push: bool,
        count: int = 1000,
        wait: bool = False,
        git: Path | None = None,
    ) -> None:
        """Start a worker, call `kill` with its id, and note what it had reported."""
        assert process.stdin is not None
        assert process.stdout is not None
        spec: dict[str, object] = {
            "path": str(self.clone.path),
            "seed": seed,
            "push": push,
        }
        spec |= {"count": count, "wait": wait, "git": git and str(git)}
        process.stdin.write(json.dumps(spec) + "\n")
        process.stdin.flush()
        for line in process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "ready":
                kill(int(rest))
                tally.kills += 1
            elif word == "recorded":
                commit, id_ = rest.split()
                self.reported.setdefault(commit, set()).add(id_)
                tally.recorded += 1
            elif word == "pushed":
                tally.pushes += 1
            elif word == "failed":
                tally.refused.append(rest)
            elif word == "finished":
                tally.completed += 1
            elif word == "ended":
                break

    def inspect(self, tally: Tally, *, push: bool) -> None:
        """Assert that nothing was lost, and that the next command works."""
        for path in (self.clone.path / ".git").rglob("*.lock"):
            if path.name != "lock":
                tally.locks += 1
                os.utime(path, (time.time() - 60,) * 2)
        started = time.monotonic()
        file = self.clone.path.parent / "next.json"
        self.results += 1
        file.write_text(json.dumps(one_run(random.Random(f"next {self.results}"))))
        self.clone.gitbench("record", str(file))
        tally.slowest_s = max(tally.slowest_s, time.monotonic() - started)
        self.check(self.clone)
        if push:
            self.clone.gitbench("push")
            self.check(self.origin)

    def check(self, project: Project) -> None:
        """Git finds nothing wrong, and all that was reported is there."""
        said = subprocess.run(
            ["git", "fsck", "--strict", "--no-dangling", "--no-progress"],
            cwd=project.path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (0, "", "") == (said.returncode, said.stdout, said.stderr), said
        notes = Notes(Repository.open(project.path, os.environ))
        for commit, ids in self.reported.items():
            known = {one.id for one in notes.records(commit).runs}
            assert ids <= known, f"lost {ids - known}"


# ------------------------------------------------------------------- killing


def at_random(rng: random.Random, longest_s: float) -> Callable[[int], None]:
    """Kill after a random time; in half of the cases git with it."""

    def kill(pid: int) -> None:
        time.sleep(rng.random() * longest_s)
        victims = [pid]
        if rng.random() < 0.5:
            victims += children(pid)
        for victim in victims:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                pass

    return kill


def children(pid: int) -> list[int]:
    """The git processes that a worker runs itself; those of the remote's side are
    their children, and no machine of ours."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def can_trace() -> str | None:
    """Why strace cannot be used here; None if it can."""
    try:
        with subprocess.Popen(["sleep", "5"]) as sleeper:
            done = subprocess.Popen(
                ["strace", "-q", "-p", str(sleeper.pid), "-e", "trace=none"],
                stderr=subprocess.PIPE,
                text=True,
            )
            time.sleep(0.2)
            stopped = done.poll()
            sleeper.kill()
            said = done.communicate()[1]
    except OSError:
        return "strace is not installed"
    return None if stopped is None else f"strace cannot attach: {said.strip()}"


def _tracing(number: int, calls: str) -> list[str]:
    inject = f"inject={calls}:signal=SIGKILL:when={number}"
    return ["-e", f"trace={calls}", "-e", inject]


def mortal_git(folder: Path, number: int, calls: str) -> None:
    """Put a git into a folder that is killed right before its `number`-th call; the
    processes that it starts, the remote's side among them, are not."""
    real = shutil.which("git")
    command = ["strace", "-o", os.devnull, *_tracing(number, calls), str(real)]
    folder.mkdir(exist_ok=True)
    (folder / "git").write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    (folder / "git").chmod(0o755)


def before_call(number: int, calls: str = SYSCALLS) -> Callable[[int], None]:
    """Kill a waiting worker right before the `number`-th system call of its work
    that makes, moves or removes a file."""

    def kill(pid: int) -> None:
        tracer = subprocess.Popen(
            ["strace", "-p", str(pid), "-o", os.devnull, *_tracing(number, calls)],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert tracer.stderr is not None
        assert "attached" in tracer.stderr.readline()
        os.kill(pid, signal.SIGUSR1)
        tracer.stderr.close()
        tracer.wait(60)

    return kill


# -------------------------------------------------------------------- script


def kill_at_random(folder: Path, kills: int, seed: int) -> Tally:
    """Kill that many workers at random moments of the time that some records, or some
    records and pushes, take."""
    rng, tally = random.Random(seed), Tally()
    with nursery() as process:
        while tally.kills < kills:
            if tally.kills % FRESH_AFTER == 0:
                scene = Scene.make(folder / f"scene-{tally.kills}")
            push = rng.random() < 0.6
            kill = at_random(rng, 0.9 if push else 0.15)
            scene.let_work(process, tally, kill, seed=rng.getrandbits(30), push=push)
            scene.inspect(tally, push=push and rng.random() < 0.5)
    return tally


def kill_at_every_call(
    folder: Path, push: bool, calls: str = SYSCALLS, step: int = 1
) -> Tally:
    """Kill a worker before each call of one record (and push), one after the other,
    until one gets through."""
    tally = Tally()
    scene = Scene.make(folder / f"calls-{push}")
    with nursery() as process:
        number = 1
        while not tally.completed:
            kill = before_call(number, calls)
            scene.let_work(
                process, tally, kill, seed=number, push=push, count=1, wait=True
            )
            scene.inspect(tally, push=push and number % 5 == 0)
            number += step
    return tally


def kill_git_at_every_call(folder: Path, calls: str = SYSCALLS, step: int = 1) -> Tally:
    """Kill the git of a push before each of its calls, one after the other, until a
    push gets through.  A worker is told; nothing else may come of it."""
    tally = Tally()
    scene = Scene.make(folder / "git")
    with nursery() as process:
        number = 1
        while not tally.pushes:
            mortal_git(folder / "bin", number, calls)
            scene.let_work(
                process,
                tally,
                lambda pid: None,
                seed=number,
                push=True,
                count=1,
                git=folder / "bin",
            )
            scene.inspect(tally, push=True)
            number += step
    return tally


def main() -> None:
    """Kill as often as asked, and tell what was seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calls", action="store_true", help="at every call as well")
    parser.add_argument("--zygote", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.zygote:
        zygote()
        return
    sealed()
    with tempfile.TemporaryDirectory(prefix="gitbench-crash-") as name:
        started = time.monotonic()
        print(
            tally_line("at random", kill_at_random(Path(name), given.kills, given.seed))
        )
        if given.calls:
            for push in (False, True):
                found = kill_at_every_call(Path(name), push)
                print(tally_line(f"at every call, {push=}", found))
            found = kill_git_at_every_call(Path(name))
            print(tally_line("git at every call of a push", found))
        print(f"{time.monotonic() - started:.0f} s; nothing lost, git fsck clean.")


def sealed() -> None:
    """Settings of git that do not depend on who runs this."""
    for name in list(os.environ):
        if name.startswith(("GIT_", "GITBENCH_")):
            del os.environ[name]
    os.environ |= {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Test Person",
        "GIT_AUTHOR_EMAIL": "test@example.com",
        "GIT_COMMITTER_NAME": "Test Person",
        "GIT_COMMITTER_EMAIL": "test@example.com",
    }


def tally_line(what: str, tally: Tally) -> str:
    """What was seen, in one line; and what workers were told, if anything."""
    told = "".join(f"\n    {line[:150]}" for line in sorted(set(tally.refused)))
    return (
        f"{what}: {tally.kills} kills ({tally.completed} too late), {tally.recorded} "
        f"runs reported, {tally.pushes} pushes, {tally.locks} locks left, slowest "
        f"next record {tally.slowest_s:.2f} s, {len(tally.refused)} refusals{told}"
    )


if __name__ == "__main__":
    main()

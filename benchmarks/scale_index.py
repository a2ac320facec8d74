"""Budgets of years of results: the index, and what a fresh clone receives.

The repository of 10,000 runs is written from the storage format's specification, not
by gitbench's own encoder, which would take minutes for its 30 million values.
"""

from __future__ import annotations

import base64
import hashlib
import random
import shutil
import zlib
from collections.abc import Iterator, Sequence

import msgpack
import numpy as np

from benchmarks.harness import (
    Command,
    Context,
    Finding,
    compare_times,
    gitbench,
    imports,
    in_turn,
)
from benchmarks.repositories import (
    NOTES,
    START,
    SUITE,
    TESTBED,
    Place,
    Repository,
    names,
    timings,
    write_results,
)
from gitbench import testbed

START_UP = "click, msgpack, pygit2, sqlite3"


def line(place: Place, number: int, benchmarks: int, values: int) -> bytes:
    """The run `number` as a line of a note (docs/reference/storage-format.md)."""
    chance = np.random.default_rng(number)
    centers = 10 ** np.linspace(3, 7, benchmarks)[:, None]
    noise = np.exp(chance.normal(0, 0.02, (benchmarks, values)))
    samples = np.rint(centers * noise).astype(int).tolist()
    moment = (START + 3600 * number) * 1000
    bed = testbed.testbed((), TESTBED)
    packed = msgpack.packb(
        {
            "commit": place.commit,
            "dirty": False,
            "kind": "run",
            "measurements": [
                {
                    "benchmark": name,
                    "better": "lower",
                    "kind": "duration",
                    "metric": "duration",
                    "unit": "s",
                    "values": {"e": -9, "m": [sample]},
                }
                for name, sample in zip(names(benchmarks), samples, strict=True)
            ],
            "origin": f"{random.Random(number).getrandbits(256):064x}",
            "suite": SUITE,
            "testbed": {"fingerprint": bed.fingerprint, "name": bed.name},
            "time": moment,
            "time_source": "tool",
            "tool": {"name": "tool", "version": "1.0"},
            "tree": place.tree,
        }
    )
    id_ = hashlib.sha256(packed).hexdigest()[:16]
    words = f"gb1 {id_} run {moment} {place.tree} {SUITE} {bed.name}@{bed.fingerprint} "
    return words.encode() + base64.b64encode(zlib.compress(packed, 6))


def years(context: Context) -> tuple[Repository, int, int]:
    """A repository with a run on each commit, made once; with the number of commits
    and of benchmarks."""
    commits, benchmarks = context.pick(10_000, 30), context.pick(100, 5)
    repository = Repository(context.folder / "years", context.environ)
    if not repository.path.exists():
        context.say(f"making a repository with {commits:,} runs of {benchmarks}")
        Repository.init(repository.path, context.environ)
        _add(repository, repository.add_commits(commits), benchmarks)
        repository.settle()
    return repository, commits, benchmarks


def _add(repository: Repository, places: Sequence[Place], benchmarks: int) -> None:
    """A run on each commit; 100 runs to a notes commit."""

    def stream() -> Iterator[bytes]:
        for number, place in enumerate(places):
            if number % 100 == 0:
                yield b"commit %s\n" % NOTES.encode()
                yield b"committer Somebody <somebody@localhost> %d +0000\n" % START
                yield b"data 0\n"
            path = f"{place.commit[:2]}/{place.commit[2:]}".encode()
            data = line(place, number, benchmarks, 30) + b"\n"
            yield b"M 100644 inline %s\ndata %d\n%s\n" % (path, len(data), data)

    limit = ("-c", "fastimport.unpackLimit=1")
    repository.git(*limit, "fast-import", "--quiet", stdin=stream())


def history(context: Context) -> list[Finding]:
    """`log` and `history` over 10,000 commits x 100 benchmarks; the index is built
    first, then warm."""
    repository, commits, benchmarks = years(context)
    index = repository.git_dir / "gitbench/index.sqlite"
    one = names(benchmarks)[benchmarks // 2]
    build = Command(
        "log --index, first build",
        gitbench("log", "--index", "-n", "1"),
        repository.path,
        before=lambda: index.unlink(missing_ok=True),
        says=f"Commit {commits - 1}",
    )
    (built,) = in_turn(context, [build], 3)
    found = [
        Finding(
            "history",
            f"first build of the index, {commits:,} x {benchmarks}, a measurement",
            min(built.wall) * 1e6 / (commits * benchmarks),
            unit="us",
            limit=100.0,
        ),
        Finding(
            "history",
            "the index, a measurement",
            index.stat().st_size / (commits * benchmarks),
            unit="B",
        ),
    ]
    cases = (
        ("log", ("log",), 2.0),
        ("log --benchmark", ("log", "--benchmark", one), 2.0),
        ("log --benchmark -n 10000", ("log", "--benchmark", one, "-n", "10000"), None),
        ("log --benchmark, absent", ("log", "--benchmark", "nobody"), None),
        ("log --no-index", ("log", "--no-index"), None),
    )
    commands = [
        Command(name, gitbench(*words), repository.path, codes=(0, 3))
        for name, words, _ in cases
    ]
    reference = imports(START_UP)
    *timed, other = in_turn(context, [*commands, reference], 11)
    for command, timing, (_, _, limit) in zip(commands, timed, cases, strict=True):
        both = (command, reference)
        what = f"{command.name}, {commits:,} x {benchmarks}, index warm"
        found.append(compare_times("history", what, both, (timing, other), limit))
    return [*found, *_steps(context, repository, one, f"{commits:,} x {benchmarks}")]


def _steps(
    context: Context, repository: Repository, one: str, size: str
) -> list[Finding]:
    """`history` of one benchmark over all commits: it computes, and needs numpy."""
    found = []
    reference = imports(f"{START_UP}, numpy")
    for count, limit in (("1000", 2.0), ("10000", None)):
        command = Command(
            f"history, one benchmark, -n {count}",
            gitbench("history", one, "-n", count),
            repository.path,
        )
        timed = in_turn(context, (command, reference), 11)
        what = f"{command.name}, {size}, index warm"
        both = (command, reference)
        found.append(compare_times("history", what, both, (timed[0], timed[1]), limit))
    return found


def small_clone(context: Context) -> list[Finding]:
    """The bytes that a fresh clone receives for one `compare --fetch`."""
    repository, commits, benchmarks = years(context)
    repository.git("config", "uploadpack.allowFilter", "true")
    clone = Repository(context.sub("small-clone") / "ci", context.environ)
    url = f"file://{repository.path}"
    repository.git("clone", "--quiet", url, str(clone.path))
    clone.git("checkout", "--quiet", "-b", "topic")
    for name in ("user.name", "user.email"):
        clone.git("config", name, "somebody")
    clone.git("commit", "--quiet", "--allow-empty", "-m", "topic")
    file = write_results(context.folder / "topic.json", timings(benchmarks, 30, 1))
    private = clone.git_dir / "gitbench/partial/origin.git"
    record = Command("record", gitbench("record", str(file)), clone.path)
    compare = Command(
        "compare --fetch",
        gitbench("compare", "--fetch", "origin/main"),
        clone.path,
        before=lambda: shutil.rmtree(private, ignore_errors=True),
        codes=(0, 1),
        says="Received",
    )
    in_turn(context, [record], 1)
    in_turn(context, [compare], 3)
    received = sum(one.stat().st_size for one in private.rglob("*.pack"))
    listed = repository.git("rev-list", "--objects", f"{NOTES}^{{tree}}")
    ids = "".join(f"{row.split()[0]}\n" for row in listed.splitlines())
    sizes = repository.git(
        "cat-file", "--batch-check=%(objectsize:disk)", stdin=[ids.encode()]
    )
    total = sum(map(int, sizes.split()))
    what = f"received by compare --fetch, of {commits:,} x {benchmarks} x 30 values"
    return [
        Finding(
            "small_clone",
            what,
            received / 1e6,
            unit="MB",
            limit=5.0,
            reference=f"{total / 1e6:.1f} MB in all",
        )
    ]

"""Budgets of years of results: union, growth, memory, and the sizes of the default run.

The repository of 10,000 runs of 100 x 30 values, and what is done with its index, are
in `scale_index`.
"""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from pathlib import Path

from benchmarks import scale_index
from benchmarks.commands import STORE, compared_repository
from benchmarks.harness import (
    BenchmarkError,
    Command,
    Context,
    Finding,
    compare_times,
    gitbench,
    imports,
    in_turn,
    peak,
)
from benchmarks.repositories import (
    NOTES,
    Repository,
    make_run,
    names,
    timings,
    write_results,
)
from gitbench.store.notes import Notes, tracking_ref
from gitbench.store.repository import Repository as Store

TRACKING = tracking_ref("origin", "gitbench")
MEMORY_MB = 300.0


# ----------------------------------------------------------------------- union


def union(context: Context) -> list[Finding]:
    """Two refs of 10,000 notes, each with a run of its own on 100 commits."""
    total, differing = context.pick(10_000, 40), context.pick(100, 4)
    context.say(f"making two refs of {total:,} notes")
    template, work = context.sub("union") / "template", context.folder / "union/work"
    _diverged(context, template, total, differing)

    def afresh() -> None:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(template, work)

    ours = Command(
        f"union of refs of {total:,} notes that differ in {differing}",
        # Every command unites first what git fetched; this one does least besides.
        gitbench("log", "--max-count", "1"),
        work,
        before=afresh,
        says="Commit",
    )
    merge = f"git notes --ref={NOTES} merge --quiet --strategy=cat_sort_uniq {TRACKING}"
    theirs = Command(
        "git notes merge -s cat_sort_uniq",
        ("sh", "-c", f"cd {shlex.quote(str(work))} && {merge}"),
        before=afresh,
    )
    results = []
    for command in (ours, theirs):
        in_turn(replace(context, smoke=True), [command], 1)
        listed = Repository(work, context.environ).git("ls-tree", "-r", NOTES)
        # How many notes a folder holds is for each to choose.
        results.append(sorted(listed.replace("/", "").splitlines()))
    if results[0] != results[1]:
        raise BenchmarkError("The union is not what git makes of the same two refs.")
    timed = in_turn(context, (ours, theirs), 11)
    both = (timed[0], timed[1])
    return [compare_times("union", ours.name, (ours, theirs), both, limit=None)]


def _diverged(context: Context, path: Path, total: int, differing: int) -> None:
    """A repository whose own notes, and those fetched from origin, have since got
    one more run each on the same commits."""
    repository = Repository.init(path, context.environ)
    for name, value in (
        ("user.name", "Somebody"),
        ("user.email", "somebody@localhost"),
        ("remote.origin.url", "nowhere"),
    ):
        repository.git("config", name, value)
    places = repository.add_commits(total)
    sample = timings(20, 10, 2)
    runs = {one.commit: [make_run(one, n, sample)] for n, one in enumerate(places)}
    base = repository.add_notes(runs)
    grown = places[:: total // differing][:differing]
    for ref, first in ((TRACKING, total), (NOTES, 2 * total)):
        repository.git("update-ref", ref, base)
        more = {
            one.commit: [*runs[one.commit], make_run(one, first + n, sample)]
            for n, one in enumerate(grown)
        }
        repository.add_notes(more, ref)
    repository.settle()


# ---------------------------------------------------------------------- growth


def growth(context: Context) -> list[Finding]:
    """Size of a repository that got one record after another, and after git's gc."""
    count = context.pick(10_000, 30)
    at_once, single = (
        Repository.init(context.sub(name), context.environ, "--bare")
        for name in ("growth-at-once", "growth")
    )
    # 40,000 loose files: to wait for the disk with each is not what is measured.
    single.git("config", "core.fsync", "none")
    sizes = []
    for repository in (at_once, single):
        places = repository.add_commits(count)
        repository.git("gc", "--quiet", "--prune=now")
        empty = _size(repository)
        context.say(f"recording {count:,} runs")
        runs = [make_run(one, n, timings(20, 10, n)) for n, one in enumerate(places)]
        if repository is at_once:
            repository.add_notes({run.commit: [run] for run in runs})
        else:
            notes = Notes(Store.open(repository.path, repository.environ))
            for run in runs:
                notes.record({run.commit: [run]})
            sizes.append(_size(repository) - empty)
        repository.git("gc", "--quiet", "--prune=now")
        sizes.append(_size(repository) - empty)
    least, loose, packed = sizes
    reference = f"{least / 1e6:.1f} MB written at once, after git gc"
    return [
        Finding("growth", what, size / 1e6, unit="MB", reference=reference)
        for what, size in (
            (f"{count:,} records of 20 x 10 values, on disk", loose),
            (f"{count:,} records of 20 x 10 values, after git gc", packed),
        )
    ]


def _size(repository: Repository) -> int:
    """Bytes that the objects of a repository take on the disk."""
    files = (repository.git_dir / "objects").rglob("*")
    return sum(one.stat().st_blocks * 512 for one in files if one.is_file())


# --------------------------------------------------- the index, and small clones


def clone(context: Context) -> list[Finding]:
    """What a fresh CI clone receives for one comparison, of 10,000 runs."""
    return scale_index.small_clone(context)


def history(context: Context) -> list[Finding]:
    """`log` of one benchmark, index cold and warm; 10,000 commits with --large."""
    return scale_index.history(context.reduced("history", 2_000))


# ---------------------------------------------------------------------- memory


def memory(context: Context) -> list[Finding]:
    """Peak memory of each command at its largest size."""
    repository, commits, benchmarks = scale_index.years(context)
    at = f"{commits:,} x {benchmarks}"
    reference = imports(f"{STORE}, numpy, jinja2")
    least = f"{peak(context, reference):.0f} MB by {reference.name}"
    found = []
    for command in (
        *_on_years(context, repository, benchmarks),
        *_sharing_years(context, repository, f"{commits:,} runs"),
    ):
        named = replace(command, name=f"memory of {command.name}, {at} x 30")
        found.append(_memory(context, named, least))
    size = context.pick(2_000, 12)
    compared, _ = compared_repository(context, "memory-compare", size, 30)
    command = Command(
        f"memory of compare, {size:,} benchmarks x 11 runs x 30",
        gitbench("compare", "main"),
        compared.path,
        codes=(0, 1),
        says="baseline",
    )
    return [*found, _memory(context, command, least)]


def _memory(context: Context, command: Command, reference: str) -> Finding:
    context.say(command.name)
    figure = peak(context, command)
    return Finding(
        "memory", command.name, figure, "MB", limit=MEMORY_MB, reference=reference
    )


def _on_years(
    context: Context, repository: Repository, benchmarks: int
) -> list[Command]:
    """What is asked of, and done to, a repository of many runs."""
    file = write_results(context.folder / "memory.json", timings(benchmarks, 30, 7))
    index = repository.git_dir / "gitbench/index.sqlite"
    one = ("log", "--benchmark", names(benchmarks)[0], "-n", "10000")
    cases: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("record", ("record", str(file))),
        ("log --benchmark, whole history, index cold", (*one, "--index")),
        ("log --benchmark, whole history, index warm", one),
        ("log --benchmark, whole history, --no-index", (*one, "--no-index")),
        ("status", ("status",)),
        ("size", ("size",)),
        ("doctor", ("doctor",)),
        ("prune --dry-run", ("prune", "--dry-run", "--offline")),
        ("compact --dry-run", ("compact", "--dry-run", "--local")),
    )
    put_back = repository.keeper()

    def cold() -> None:
        put_back()
        index.unlink(missing_ok=True)

    return [
        Command(
            name,
            gitbench(*words),
            repository.path,
            before=cold if name.endswith("cold") else put_back,
            # Doctor says with 4 that something is amiss.
            codes=(0, 4) if name == "doctor" else (0,),
        )
        for name, words in cases
    ]


def _sharing_years(
    context: Context, repository: Repository, all_: str
) -> list[Command]:
    """A clone that receives all notes, and sends all of them somewhere else."""
    repository.keeper()()
    path = context.sub("memory-clone") / "clone"
    repository.git("clone", "--quiet", f"file://{repository.path}", str(path))
    other = Repository.init(context.sub("memory-other"), context.environ, "--bare")
    clone = Repository(path, context.environ)
    clone.git("remote", "add", "other", str(other.path))
    return [
        Command("fetch of all", gitbench("fetch"), path, says=all_),
        Command("push of all", gitbench("push", "--remote", "other"), path, says=all_),
    ]

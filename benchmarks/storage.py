"""Budgets of what is kept and carried: bytes in a pack, many notes, sharing."""

from __future__ import annotations

import shlex
import shutil

from benchmarks.harness import (
    Command,
    Context,
    Finding,
    compare_times,
    gitbench,
    in_turn,
)
from benchmarks.repositories import (
    NOTES,
    WRITTEN,
    Repository,
    make_run,
    timings,
)


def packed(context: Context) -> list[Finding]:
    """Bytes that a value takes in a pack, everything around it included."""
    runs, benchmarks, values = context.pick(40, 4), context.pick(200, 10), 30
    sizes = []
    for name in ("packed-without", "packed-with"):
        repository = Repository.init(context.sub(name), context.environ, "--bare")
        places = repository.add_commits(runs)
        if name == "packed-with":
            repository.add_notes(
                {
                    one.commit: [make_run(one, n, timings(benchmarks, values, n))]
                    for n, one in enumerate(places)
                }
            )
        repository.git("gc", "--quiet", "--prune=now")
        packs = (repository.git_dir / "objects/pack").glob("*.pack")
        sizes.append(sum(pack.stat().st_size for pack in packs))
    count = runs * benchmarks * values
    return [
        Finding(
            "packed",
            f"a value in a pack, {runs} x {benchmarks} x {values} ns timings",
            (sizes[1] - sizes[0]) / count,
            unit="B",
            limit=4.0,
        )
    ]


def read(context: Context) -> list[Finding]:
    """20,000 notes read, checked and decoded, to git printing their text."""
    count = context.pick(20_000, 50)
    repository = Repository.init(context.sub("read"), context.environ)
    context.say(f"making a repository with {count:,} notes")
    places = repository.add_commits(count)
    sample = timings(1, 5, 2)
    repository.add_notes(
        {one.commit: [make_run(one, n, sample)] for n, one in enumerate(places)}
    )
    repository.settle()
    commands = (
        Command(
            f"log of {count:,} commits with notes",
            gitbench("log", "--max-count", str(count)),
            repository.path,
            says="Commit 0",
        ),
        Command(
            "git log --notes=gitbench",
            ("git", "log", "--notes=gitbench"),
            repository.path,
            says="gb1",
        ),
    )
    found = in_turn(context, commands, 5)
    ours, theirs = found
    return [
        compare_times("read", commands[0].name, commands, (ours, theirs), limit=None)
    ]


def share(context: Context) -> list[Finding]:
    """Fetch, union and push with new notes on both sides, to git doing the same."""
    total, fresh = context.pick(10_000, 40), context.pick(100, 4)
    context.say(f"making a remote and a clone with {total:,} notes")
    origin = Repository.init(context.sub("share/origin.git"), context.environ, "--bare")
    places = origin.add_commits(total + 2 * fresh)
    sample = timings(20, 10, 2)
    runs = {one.commit: [make_run(one, n, sample)] for n, one in enumerate(places)}
    commits = list(runs)
    shared = {commit: runs[commit] for commit in commits[:total]}
    tip = origin.add_notes(shared)
    origin.settle()
    clone = Repository(context.folder / "share/clone", context.environ)
    origin.git("clone", "--quiet", str(origin.path), str(clone.path))
    clone.git("fetch", "--quiet", "origin", f"{NOTES}:{NOTES}")
    clone.git("update-ref", "refs/gitbench/remotes/origin/gitbench", tip)
    clone.add_notes({commit: runs[commit] for commit in commits[total:][:fresh]})
    clone.git("update-ref", WRITTEN, clone.git("rev-parse", NOTES))
    origin.add_notes({commit: runs[commit] for commit in commits[total:][fresh:]})
    for repository in (origin, clone):
        repository.git("config", "user.name", "Somebody")
        repository.git("config", "user.email", "somebody@localhost")
        repository.git("pack-refs", "--all")
    template, work = context.folder / "share", context.folder / "shared"

    def afresh() -> None:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(template, work)
        Repository(work / "clone", context.environ).git(
            "remote", "set-url", "origin", str(work / "origin.git")
        )

    ours = Command(
        f"push, {total:,} notes, {fresh} new on each side",
        gitbench("push"),
        work / "clone",
        before=afresh,
        says="Pushed",
    )
    script = (
        f"git fetch --quiet origin {NOTES}:refs/notes/theirs && "
        "git notes --ref=gitbench merge --quiet --strategy=cat_sort_uniq theirs && "
        f"git push --quiet origin {NOTES}"
    )
    theirs = Command(
        "git fetch, git notes merge, git push",
        ("sh", "-c", f"cd {shlex.quote(str(work / 'clone'))} && {script}"),
        before=afresh,
    )
    timed = in_turn(context, (ours, theirs), 7)
    return [
        compare_times("share", ours.name, (ours, theirs), (timed[0], timed[1]), 1.5)
    ]

"""Budgets of single commands: start-up, record, compare, the pre-push hook."""

from __future__ import annotations

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
    Place,
    Repository,
    make_run,
    timings,
    write_results,
)

STORE = "click, msgpack, pygit2"
RUNS = 21


def startup(context: Context) -> list[Finding]:
    """`--version` and `--help`."""
    commands = (
        Command("gitbench --version", gitbench("--version"), says="gitbench"),
        Command("gitbench --help", gitbench("--help"), says="record"),
        imports("click"),
    )
    version, usage, reference = in_turn(context, commands, RUNS)
    return [
        compare_times("startup", one.name, (one, commands[2]), (timing, reference), 1.3)
        for one, timing in zip(commands[:2], (version, usage), strict=True)
    ]


def record(context: Context) -> list[Finding]:
    """One file of 100 benchmarks x 30 values, into refs of three sizes."""
    sizes = (
        context.pick(100, 10),
        context.pick(10_000, 30),
        context.pick(100_000, 100),
    )
    file = write_results(
        context.folder / "record.json", timings(context.pick(100, 5), 30, 1)
    )
    commands = []
    for size in sizes:
        context.say(f"making a repository with {size:,} notes")
        repository = Repository.init(context.sub(f"record-{size}"), context.environ)
        places = repository.add_commits(size + 1)
        sample = timings(1, 5, 2)
        notes = {one.commit: [make_run(one, n, sample)] for n, one in enumerate(places)}
        del notes[places[-1].commit]
        repository.add_notes(notes)
        repository.settle()
        commands.append(
            Command(
                f"record with {size:,} notes",
                gitbench("record", str(file)),
                repository.path,
                before=repository.keeper(),
                says="Recorded on",
            )
        )
    reference = imports(STORE)
    *timed, other = in_turn(context, [*commands, reference], RUNS)
    return [
        *(
            compare_times("record", one.name, (one, reference), (timing, other), 1.5)
            for one, timing in zip(commands, timed, strict=True)
        ),
        compare_times(
            "record",
            "record, large ref to small",
            (commands[-1], commands[0]),
            (timed[-1], timed[0]),
            1.3,
        ),
    ]


def records(context: Context) -> list[Finding]:
    """The 200th record on one commit to the first."""
    count, size = context.pick(200, 5), context.pick(100, 5)
    file = write_results(context.folder / "records.json", timings(size, 30, 0))
    commands = []
    for already in (count - 1, 0):
        repository = Repository.init(context.sub(f"records-{already}"), context.environ)
        (place,) = repository.add_commits(1)
        if already:
            runs = [
                make_run(place, n, timings(size, 30, n + 1)) for n in range(already)
            ]
            repository.add_notes({place.commit: runs})
        repository.settle()
        commands.append(
            Command(
                f"record onto {already} runs of the commit",
                gitbench("record", str(file)),
                repository.path,
                before=repository.keeper(),
                says="Recorded on",
            )
        )
    last, first = in_turn(context, commands, RUNS)
    what = f"record number {count} on one commit"
    return [
        compare_times("records", what, (commands[0], commands[1]), (last, first), 3.0)
    ]


def compared_repository(
    context: Context, name: str, benchmarks: int, values: int, window: int = 10
) -> tuple[Repository, Place]:
    """A repository whose branch `topic` has a head to compare with a window on main.

    Returns it with head.  What head runs is what main runs.
    """
    repository = Repository.init(context.sub(name), context.environ)
    main = repository.add_commits(window + 5)
    (head,) = repository.add_commits(1, "refs/heads/topic", main[-1].commit)
    measured = [*main[-window:], head]
    repository.add_notes(
        {
            one.commit: [make_run(one, n, timings(benchmarks, values, n))]
            for n, one in enumerate(measured)
        }
    )
    repository.settle("topic")
    return repository, head


def compare(context: Context) -> list[Finding]:
    """100 benchmarks, a window of 10 sessions."""
    repository, _ = compared_repository(context, "compare", context.pick(100, 12), 30)
    command = Command(
        "compare main, 100 benchmarks",
        gitbench("compare", "main"),
        repository.path,
        codes=(0, 1),
        says="baseline",
    )
    reference = imports(f"{STORE}, numpy, jinja2")
    ours, other = in_turn(context, (command, reference), RUNS)
    return [
        compare_times("compare", command.name, (command, reference), (ours, other), 1.5)
    ]


def hook(context: Context) -> list[Finding]:
    """What a push waits for: `gitbench hook run`, as git's hook calls it."""
    bare = Repository.init(context.sub("hook-nothing"), context.environ)
    bare.add_commits(5)
    (nothing,) = bare.add_commits(1, "refs/heads/topic", "refs/heads/main")
    bare.settle("topic")
    full, head = compared_repository(context, "hook", context.pick(100, 12), 30)
    commands = [
        Command(
            name,
            gitbench("hook", "run", "--remote=origin", "--url=somewhere"),
            repository.path,
            stdin=(
                f"refs/heads/topic {pushed.commit} refs/heads/topic {'0' * 40}\n"
            ).encode(),
        )
        for name, repository, pushed in (
            ("pre-push, nothing recorded", bare, nothing),
            ("pre-push, compared and fine", full, head),
        )
    ]
    references = (imports(STORE), imports(f"{STORE}, numpy"))
    found = in_turn(context, [*commands, *references], RUNS)
    return [
        compare_times(
            "hook",
            command.name,
            (command, references[place]),
            (found[place], found[2 + place]),
            1.3,
        )
        for place, command in enumerate(commands)
    ]

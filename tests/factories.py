"""Values with sane defaults; every test names only what it is about."""

from __future__ import annotations

from collections.abc import Sequence

from gitbench.model import (
    Baseline,
    Benchmark,
    Better,
    CommitRuns,
    GroupSides,
    Kind,
    Measurement,
    Metric,
    RecordedRun,
    Run,
    Testbed,
    Tool,
)

DURATION = Metric("duration", "s", Better.LOWER, Kind.DURATION)
TESTBED = Testbed("ci-large", "0123456789ab", (("cpu", "Test CPU"),))


def make_measurement(
    name: str = "sort",
    values: Sequence[float] | Sequence[Sequence[float]] = (0.1, 0.102, 0.101),
    metric: Metric = DURATION,
    **params: str,
) -> Measurement:
    """A measurement of `values`: one process, or a list of processes."""
    first = values[0]
    groups = (
        (tuple(values),)
        if isinstance(first, int | float)
        else tuple(tuple(group) for group in values)  # type: ignore[arg-type]
    )
    return Measurement(
        Benchmark(name, tuple(params.items())),
        metric,
        groups,  # type: ignore[arg-type]
    )


def make_run(
    measurements: Sequence[Measurement] | None = None,
    *,
    commit: str = "1" * 40,
    started_at: int = 1_767_323_045_678,
    **fields: object,
) -> Run:
    """A run of suite `unit` on testbed `ci-large`."""
    values: dict[str, object] = {
        "suite": "unit",
        "started_at": started_at,
        "time_source": "tool",
        "tool": Tool("mytool", "1.2"),
        "testbed": TESTBED,
        "commit": commit,
        "tree": "2" * 40,
        "dirty": False,
        "origin": f"{started_at:064x}",
        "measurements": tuple(measurements or (make_measurement(),)),
    }
    return Run(**(values | fields))  # type: ignore[arg-type]


def make_sides(
    base: Sequence[Sequence[Measurement]],
    head: Sequence[Sequence[Measurement]],
    **fields: object,
) -> GroupSides:
    """A group whose window has one run a commit (newest first) and head's runs.

    Each inner sequence is one run; runs of head are an hour apart, so that each
    is a session of its own.
    """
    hour = 3_600_000
    window = tuple(
        CommitRuns(
            f"{place + 16:040x}",
            (
                RecordedRun(
                    f"{place + 16:016x}",
                    make_run(
                        run,
                        commit=f"{place + 16:040x}",
                        started_at=10**12 - place * 24 * hour,
                    ),
                ),
            ),
            distance=place,
        )
        for place, run in enumerate(base)
    )
    head_commit = "f" * 40
    head_runs = tuple(
        RecordedRun(
            f"{place + 4096:016x}",
            make_run(run, commit=head_commit, started_at=2 * 10**12 + place * hour),
        )
        for place, run in enumerate(head)
    )
    values: dict[str, object] = {
        "suite": "unit",
        "testbed": TESTBED,
        "head": CommitRuns(head_commit, head_runs),
        "baseline": Baseline(window[0].commit, "merge-base", 0, 86_400, window)
        if window
        else None,
    }
    return GroupSides(**(values | fields))  # type: ignore[arg-type]

"""Runs that belong together count once."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.compare import compare
from gitbench.model import (
    Baseline,
    CiContext,
    CommitRuns,
    GroupSides,
    RecordedRun,
    Run,
    Settings,
    Verdict,
)
from gitbench.sessions import SITTING, group_sessions
from tests.factories import TESTBED, make_measurement, make_run

MINUTE = 60_000
START = 1_760_000_000_000


def run(minutes: float, session: str | None = None, job: str | None = None) -> Run:
    """A run that started so many minutes after the first."""
    ci = CiContext("github", job=job) if job else None
    return make_run(started_at=START + int(minutes * MINUTE), session=session, ci=ci)


@pytest.mark.parametrize(
    ("runs", "sessions"),
    [
        ([], 0),
        ([run(0)], 1),
        ([run(0), run(10)], 1),
        ([run(0), run(10.1)], 2),
        ([run(0), run(9), run(18)], 1),  # a chain of near runs
        ([run(0, "x"), run(300, "x")], 1),
        ([run(0, "x"), run(300, "y")], 2),
        ([run(0, "x"), run(5, "y")], 1),  # near in time is together
        ([run(0, job="7"), run(300, job="7")], 1),
        ([run(0, job="7"), run(300, job="8")], 2),
        ([run(0, "7"), run(300, job="7")], 2),  # a session id is no job
        ([run(0, "x"), run(300, "x"), run(305), run(900)], 2),
        ([run(0, "x"), run(300, "x", "7"), run(900, job="7")], 1),
    ],
)
def test_sessions(runs: list[Run], sessions: int) -> None:
    """Same session, same CI job or within ten minutes, and what those connect."""
    assert len(group_sessions(runs)) == sessions


@given(
    st.lists(
        st.tuples(
            st.integers(0, 60),
            st.sampled_from([None, "x", "y"]),
            st.sampled_from([None, "7", "8"]),
        ),
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
@settings(derandomize=True, max_examples=100, deadline=None)
def test_sessions_do_not_depend_on_order(
    marks: list[tuple[int, str | None, str | None]], rng: random.Random
) -> None:
    """Every run is in one session, newest first, whatever order the runs come in."""
    runs = [run(minutes, session, job) for minutes, session, job in marks]
    shuffled = list(runs)
    rng.shuffle(shuffled)
    found, again = group_sessions(runs), group_sessions(shuffled)
    members = [one for session in found for one in session]
    assert sorted(one.started_at for one in members) == sorted(
        one.started_at for one in runs
    )
    assert {frozenset(map(id, one)) for one in found} == {
        frozenset(map(id, one)) for one in again
    }
    newest = [session[0].started_at for session in found]
    assert newest == sorted(newest, reverse=True)


def sides(base_times: list[list[float]], head_times: list[float]) -> GroupSides:
    """Runs at given minutes; each inner list is a commit of the baseline."""

    def recorded(minutes: float, place: int, commit: str) -> RecordedRun:
        values = [0.01 * (1 + 0.01 * (place % 3)), 0.0101]
        one = make_run(
            [make_measurement(values=values)],
            commit=commit,
            started_at=START + int(minutes * MINUTE),
        )
        return RecordedRun(f"{place:016x}", one)

    commits = [
        CommitRuns(
            f"{10 + number:040x}",
            tuple(
                recorded(m, 10 * number + p, f"{10 + number:040x}")
                for p, m in enumerate(times)
            ),
        )
        for number, times in enumerate(base_times)
    ]
    head = tuple(recorded(m, 900 + p, "f" * 40) for p, m in enumerate(head_times))
    baseline = Baseline(commits[0].commit, "merge-base", 0, 0, tuple(commits))
    return GroupSides("unit", TESTBED, CommitRuns("f" * 40, head), baseline)


@pytest.mark.parametrize(
    ("base", "head", "sessions"),
    [
        ([[0]], [0], (1, 1)),
        ([[0, 2, 4, 6]], [0], (1, 1)),
        ([[0], [2], [4]], [0], (3, 1)),
        ([[0, 60], [2, 3]], [0, 3, 90], (3, 2)),
    ],
)
def test_sessions_of_both_sides(
    base: list[list[float]], head: list[float], sessions: tuple[int, int]
) -> None:
    """Sessions are counted a commit at a time, on each side."""
    report = compare([sides(base, head)], Settings(), head="h", base="b")
    (row,) = report.comparisons
    assert row.base is not None
    assert row.head is not None
    assert (row.base.sessions, row.head.sessions) == sessions
    assert row.weak == (sessions[0] < 3)


def test_runs_of_a_session_are_averaged() -> None:
    """Four runs in a sitting have the mean of their logs, and all their values."""
    report = compare([sides([[0, 1, 2, 3]], [0])], Settings(), head="h", base="b")
    (row,) = report.comparisons
    assert row.base is not None
    centers = [(0.01 * (1 + 0.01 * (p % 3)) + 0.0101) / 2 for p in range(4)]
    assert row.base.center == pytest.approx(sum(centers) / 4, rel=1e-4)
    assert row.base.values == 8


def test_runs_of_one_session_that_disagree_prove_nothing() -> None:
    """Two runs of a sitting, one of them far off, are noise and not a regression."""

    def run_at(values: list[float], commit: str, minutes: int) -> RecordedRun:
        one = make_run(
            [make_measurement(values=values)],
            commit=commit,
            started_at=START + minutes * MINUTE,
        )
        return RecordedRun(f"{minutes:016x}", one)

    commits = tuple(
        CommitRuns(c, (run_at([0.0100 + 0.0001 * n, 0.0101], c, 60 * n),))
        for n, c in enumerate(f"{10 + n:040x}" for n in range(6))
    )
    baseline = Baseline(commits[0].commit, "merge-base", 0, 0, commits)

    def verdict(*values: float) -> Verdict:
        runs = [
            run_at([v, v], "f" * 40, 9000 + place) for place, v in enumerate(values)
        ]
        head = CommitRuns("f" * 40, tuple(runs))
        given = GroupSides("unit", TESTBED, head, baseline)
        report = compare([given], Settings(), head="h", base="b")
        return report.comparisons[0].verdict

    assert verdict(0.0145) is Verdict.REGRESSED
    assert verdict(0.0145, 0.0145) is Verdict.REGRESSED
    assert verdict(0.0145, 0.0100) is Verdict.INCONCLUSIVE


def test_ten_minutes() -> None:
    """The documented limit of a sitting."""
    assert SITTING == 10 * MINUTE

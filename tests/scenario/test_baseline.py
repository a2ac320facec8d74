"""Which commit head is compared with: each rule on a real repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitbench import baseline
from gitbench.baseline import (
    BaselineError,
    Limits,
    NothingRecordedError,
    ShallowError,
    find_sides,
    find_start,
    is_test_merge,
)
from gitbench.model import GroupSides
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository
from tests.factories import make_measurement, make_run
from tests.project import Project

DAY = 86_400_000


class Recorder:
    """Records runs on commits of a project; each is a session of its own."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.count = 0
        self.notes = Notes(Repository.open(project.path, os.environ))

    def __call__(self, revision: str = "HEAD", **fields: object) -> str:
        self.count += 1
        commit = self.project.head(revision)
        run = make_run(
            commit=commit,
            tree=self.project.head(f"{revision}^{{tree}}"),
            started_at=10**12 + self.count * DAY,
            origin=f"{self.count:064x}",
            **fields,
        )
        (id_,) = self.notes.record({commit: [run]}).added
        return id_

    def sides(
        self, base: str, head: str = "HEAD", *, test_merge: bool = False, **limits: int
    ) -> tuple[GroupSides, ...]:
        """Head's groups with their baselines."""
        repository = Repository.open(self.project.path, os.environ)
        notes = Notes(repository)
        head_id = repository.resolve(head)
        start = find_start(repository, notes, base, head_id, test_merge=test_merge)
        return find_sides(repository, notes, start, head_id, Limits(**limits))

    def one(self, base: str, head: str = "HEAD", **options: int) -> GroupSides:
        (sides,) = self.sides(base, head, **options)
        return sides


@pytest.fixture
def record(project: Project) -> Recorder:
    return Recorder(project)


def test_a_branch_means_the_merge_base(project: Project, record: Recorder) -> None:
    """Later commits of the target branch are not the baseline."""
    fork = project.commit("fork")
    record()
    project.git("checkout", "--quiet", "-b", "topic")
    project.commit("topic")
    record()
    project.git("checkout", "--quiet", "main")
    project.commit("later")
    record()

    found = record.one("main", "topic").baseline

    assert found is not None
    assert (fork, "merge-base", 0, 60) == (
        found.commit,
        found.rule,
        found.distance,
        found.age_s,
    )


def test_a_tag_or_commit_means_itself(project: Project, record: Recorder) -> None:
    """A tag, an annotated one too, a commit id and `BASE^0` are taken as they are."""
    project.git("checkout", "--quiet", "-b", "topic")
    project.commit("topic")
    record()
    project.git("checkout", "--quiet", "main")
    later = project.commit("later")
    record()
    project.git("tag", "v1")
    project.git("tag", "-a", "-m", "release", "v2")

    for base in ("v1", "v2", later, later[:10], "main^0"):
        found = record.one(base, "topic").baseline
        assert found is not None
        assert (later, "commit") == (found.commit, found.rule)


def test_a_tag_hides_a_branch_of_its_name(project: Project, record: Recorder) -> None:
    """As in git, a tag comes before a branch."""
    first = project.head()
    record()
    project.git("tag", "main")
    project.commit("second")
    record()

    found = record.one("main", "refs/heads/main").baseline

    assert found is not None
    assert (first, "commit") == (found.commit, found.rule)


def test_a_push_to_the_branch_means_the_first_parent(
    project: Project, record: Recorder
) -> None:
    """Head on the branch itself is compared with what it was pushed onto."""
    first = project.head()
    record()
    project.commit("second")
    record()

    found = record.one("main").baseline

    assert found is not None
    assert (first, "first-parent", 0) == (found.commit, found.rule, found.distance)


def test_the_first_commit_has_nothing_behind_it(record: Recorder) -> None:
    """A root commit on its branch gets a reason instead of a baseline."""
    record()

    sides = record.one("main")

    assert sides.baseline is None
    assert "first commit" in (sides.reason or "")


def test_a_remote_tracking_branch_is_a_branch(origin: Path, tmp_path: Path) -> None:
    """`origin/main` and bare `origin` mean the branch there."""
    project = Project.clone(origin, tmp_path / "clone")
    record = Recorder(project)
    fork = project.head()
    record()
    project.git("checkout", "--quiet", "-b", "topic")
    project.commit("topic")
    record()

    for base in ("origin/main", "origin"):
        found = record.one(base).baseline
        assert found is not None
        assert (fork, "merge-base") == (found.commit, found.rule)


def test_a_named_baseline_is_taken_as_it_is(project: Project, record: Recorder) -> None:
    """`baseline:NAME` is the commit saved under the name; an unknown one lists them."""
    first = project.head()
    record()
    record.notes.set_baseline("release", first, 1)
    for subject in ("second", "third"):
        project.commit(subject)
        record()

    found = record.one("baseline:release").baseline
    assert found is not None
    assert (first, "named") == (found.commit, found.rule)
    with pytest.raises(BaselineError, match="known: release"):
        record.one("baseline:other")


def test_a_test_merge_starts_at_its_first_parent(
    project: Project, record: Recorder
) -> None:
    """Commits that landed on the target are not charged to the pull request."""
    record()
    project.git("checkout", "--quiet", "-b", "topic")
    project.commit("topic")
    project.git("checkout", "--quiet", "main")
    landed = project.commit("landed")
    record()
    project.git("merge", "--quiet", "--no-ff", "-s", "ours", "-m", "merge", "topic")
    merge = project.head()
    record()
    project.git("update-ref", "refs/pull/7/merge", merge)
    project.git("reset", "--quiet", "--hard", landed)

    assert is_test_merge(record.notes.repository, merge, ())
    assert not is_test_merge(record.notes.repository, landed, ())
    found = record.one("main", merge, test_merge=True).baseline
    assert found is not None
    assert (landed, "test-merge") == (found.commit, found.rule)


def test_the_nearest_ancestor_with_results_is_found(
    project: Project, record: Recorder
) -> None:
    """Commits without results are passed over, first parents only, so far."""
    first = project.head()
    record()
    for subject in ("second", "third"):
        project.commit(subject)
    project.git("checkout", "--quiet", "-b", "topic")
    project.commit("topic")
    record()

    found = record.one("main").baseline
    assert found is not None
    assert (first, 2) == (found.commit, found.distance)
    sides = record.one("main", max_distance=1)
    assert sides.baseline is None
    assert "the 1 commits before" in (sides.reason or "")


def test_only_first_parents_are_walked(project: Project, record: Recorder) -> None:
    """Results of a merged side branch are no baseline."""
    first = project.head()
    record()
    project.git("checkout", "--quiet", "-b", "side")
    project.commit("side")
    record()
    project.git("checkout", "--quiet", "main")
    project.commit("main work")
    project.git("merge", "--quiet", "--no-ff", "-s", "ours", "-m", "merge", "side")
    project.git("checkout", "--quiet", "-b", "topic")
    project.commit("topic")
    record()

    found = record.one("main").baseline

    assert found is not None
    assert first == found.commit


def test_runs_of_another_commit_with_the_tree_stand_in(
    project: Project, record: Recorder
) -> None:
    """A squash merge has the tree of the branch that was measured."""
    project.git("checkout", "--quiet", "-b", "topic")
    topic = project.commit("topic", content="fast\n")
    record()
    project.git("checkout", "--quiet", "main")
    project.git("merge", "--quiet", "--squash", "topic")
    project.clock += 60
    project.git("commit", "--quiet", "-m", "squashed")
    squashed = project.head()
    project.commit("next", content="next\n")
    record()

    found = record.one("main").baseline

    assert found is not None
    assert (squashed, topic) == (found.commit, found.stand_in)


def test_a_branch_that_is_gone_still_stands_in(
    project: Project, record: Recorder
) -> None:
    """The tree is found by the words of the note when the commit is not here."""
    project.git("checkout", "--quiet", "-b", "topic")
    topic = project.commit("topic", content="fast\n")
    record()
    project.git("checkout", "--quiet", "main")
    project.git("merge", "--quiet", "--squash", "topic")
    project.git("commit", "--quiet", "-m", "squashed")
    project.commit("next", content="next\n")
    record()
    project.git("branch", "--quiet", "-D", "topic")
    project.git("reflog", "expire", "--expire=now", "--all")
    project.git("gc", "--quiet", "--prune=now")
    assert project.git("cat-file", "-t", topic, check=False) == ""

    found = record.one("main").baseline

    assert found is not None
    assert topic == found.stand_in


def test_head_never_stands_in_for_its_own_baseline(
    project: Project, record: Recorder
) -> None:
    """An empty commit has its parent's tree; its runs are not that parent's."""
    first = project.head()
    project.git("commit", "--quiet", "--allow-empty", "-m", "empty")
    record()

    sides = record.one("main")

    assert sides.baseline is None
    assert first[:12] in (sides.reason or "")


def test_runs_that_speak_for_head_are_not_its_baseline(
    project: Project, record: Recorder
) -> None:
    """Head without results of its own borrows those of its tree, but is then not
    compared with the same runs."""
    first = project.head()
    record()
    project.git("commit", "--quiet", "--allow-empty", "-m", "empty")

    sides = record.one("main")

    assert sides.head.stand_in == first
    assert sides.baseline is None


def test_suites_and_testbeds_are_looked_up_on_their_own(
    project: Project, record: Recorder
) -> None:
    """Each suite and testbed of head has its own nearest baseline."""
    first = project.head()
    record(suite="a")
    second = project.commit("second")
    record(suite="b")
    project.commit("third")
    record(suite="a")
    record(suite="b")
    record(suite="c")

    found = {one.suite: one.baseline for one in record.sides("main")}

    assert {"a": first, "b": second, "c": None} == {
        suite: one.commit if one else None for suite, one in found.items()
    }


def test_another_machine_is_no_baseline(project: Project, record: Recorder) -> None:
    """Results of another testbed are named, not compared."""
    other = make_run().testbed
    record(testbed=type(other)("laptop", "ffffffffffff"))
    project.commit("second")
    record()

    sides = record.one("main")

    assert sides.baseline is None
    assert "another testbed (laptop)" in (sides.reason or "")


def test_a_run_without_a_row_in_common_is_passed_over(
    project: Project, record: Recorder
) -> None:
    """The walk goes on to a commit that measured the same benchmark and metric."""
    first = project.head()
    record()
    project.commit("second")
    record(measurements=(make_measurement("other"),))
    project.commit("third")
    record()

    found = record.one("main").baseline

    assert found is not None
    assert (first, 1) == (found.commit, found.distance)


def test_dirty_runs_are_never_in_a_baseline(project: Project, record: Recorder) -> None:
    """A dirty run is passed over; as head it is compared with a warning."""
    first = project.head()
    record()
    project.commit("second")
    record(dirty=True)
    project.commit("third")
    record(dirty=True)

    sides = record.one("main")

    assert sides.baseline is not None
    assert (first,) == tuple(one.commit for one in sides.baseline.window)
    assert any("uncommitted" in warning for warning in sides.warnings)


def test_the_window_has_sessions_newest_first(
    project: Project, record: Recorder
) -> None:
    """Earlier commits with results fill the window up to its number of sessions,
    several runs of one session counted once."""
    commits = [project.head()]
    record()
    for number in range(5):
        commits.append(project.commit(f"c{number}"))
        for _ in range(2):
            record(session=f"s{number}")
    project.commit("head")
    record()

    window = record.one("main", window=3).baseline.window  # type: ignore[union-attr]

    assert list(reversed(commits[-3:])) == [one.commit for one in window]
    assert [0, 1, 2] == [one.distance for one in window]
    assert [2, 2, 2] == [len(one.runs) for one in window]
    short = record.one("main", window_distance=1).baseline
    assert short is not None
    assert 2 == len(short.window)


def test_of_several_merge_bases_the_newest_with_runs_is_taken(
    project: Project, record: Recorder
) -> None:
    """On a criss-cross the newest base that has results comes first."""
    project.git("checkout", "--quiet", "-b", "left")
    left = project.commit("left")
    record()
    project.git("checkout", "--quiet", "-b", "right", "main")
    project.clock += 3600
    right = project.commit("right")
    project.git("merge", "--quiet", "-s", "ours", "-m", "l into r", left)
    project.git("checkout", "--quiet", "left")
    project.git("merge", "--quiet", "-s", "ours", "-m", "r into l", right)
    project.commit("head")
    record()
    project.git("checkout", "--quiet", "right")
    project.commit("more")
    assert sorted([left, right]) == sorted(
        project.git("merge-base", "--all", "left", "right").split()
    )

    found = record.one("right", "left").baseline
    assert found is not None
    assert left == found.commit
    record(right)
    found = record.one("right", "left").baseline
    assert found is not None
    assert right == found.commit


def test_nothing_recorded_on_head_is_said(project: Project, record: Recorder) -> None:
    """Head without results is an error with exit code 3 and the next step."""
    record()
    project.commit("second")

    with pytest.raises(NothingRecordedError, match="gitbench record") as caught:
        record.sides("main")
    assert caught.value.exit_code == 3


def test_unrelated_histories_are_a_reason(project: Project, record: Recorder) -> None:
    """Without a common history there is no baseline."""
    record()
    project.git("checkout", "--quiet", "--orphan", "other")
    project.commit("unrelated")
    record()

    sides = record.one("main")

    assert sides.baseline is None
    assert "no common history" in (sides.reason or "")


@pytest.fixture
def shallow(origin: Path, tmp_path: Path) -> Project:
    """A clone of depth 2 of five commits; head and the first have results."""
    full = Project.clone(origin, tmp_path / "full")
    record = Recorder(full)
    record()
    for number in range(4):
        full.commit(f"c{number}")
    record()
    full.git("push", "--quiet", "origin", "main", "refs/notes/gitbench")
    clone = Project.clone(f"file://{origin}", tmp_path / "shallow", "--depth", "2")
    clone.git("fetch", "--quiet", "origin", "refs/notes/*:refs/notes/*")
    return clone


def test_a_shallow_boundary_is_an_error_with_the_ways_out(shallow: Project) -> None:
    """A walk that meets the end of a shallow clone says how to go on."""
    with pytest.raises(ShallowError, match="fetch-depth: 0") as caught:
        Recorder(shallow).sides("main")
    assert "--deepen" in str(caught.value)

    shallow.git("fetch", "--quiet", "--unshallow")
    assert Recorder(shallow).one("main").baseline is not None


def test_a_boundary_behind_the_baseline_is_a_warning(
    shallow: Project, origin: Path
) -> None:
    """A window that ends at the boundary is used, and said to be short."""
    record = Recorder(shallow)
    record.count = 100
    record("HEAD^")

    sides = record.one("main")

    assert sides.baseline is not None
    assert any("shallow" in warning for warning in sides.warnings)


def test_the_default_base_is_found_in_order(
    origin: Path, tmp_path: Path, project: Project
) -> None:
    """Configured, the remote's default branch, the CI's, then main or master."""
    clone = Project.clone(origin, tmp_path / "clone")
    repository = Repository.open(clone.path, os.environ)
    find = baseline.default_base

    assert "v1" == find(repository, "v1", "main", "origin")
    assert "origin/main" == find(repository, None, "main", "origin")
    clone.git("remote", "set-head", "origin", "--delete")
    clone.git("push", "--quiet", "origin", "main:release")
    clone.git("fetch", "--quiet")
    assert "origin/release" == find(repository, None, "release", "origin")
    assert "origin/main" == find(repository, None, None, "origin")
    assert "main" == find(
        Repository.open(project.path, os.environ), None, None, "origin"
    )
    project.git("branch", "-m", "main", "trunk")
    with pytest.raises(BaselineError, match="baseline ="):
        find(Repository.open(project.path, os.environ), None, None, "origin")

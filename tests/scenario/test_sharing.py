"""Two clones and a remote: nothing is lost, nothing is forced."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitbench.model import Run
from gitbench.store import sync
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository
from gitbench.store.sync import Git
from tests.factories import make_run
from tests.project import Project

REF = "refs/notes/gitbench"


def notes_of(project: Project) -> tuple[Notes, Git]:
    repository = Repository.open(project.path, os.environ)
    return Notes(repository), Git(repository.git_dir, os.environ)


def record(project: Project, number: int) -> Run:
    run = make_run(
        commit=project.head(),
        tree=project.head("HEAD^{tree}"),
        started_at=10**12 + number,
        origin=f"{number:064x}",
    )
    notes_of(project)[0].record({run.commit: [run]})
    return run


def runs(project: Project) -> set[Run]:
    return {one.run for one in notes_of(project)[0].records(project.head()).runs}


@pytest.fixture
def clones(origin: Path, tmp_path: Path) -> list[Project]:
    return [Project.clone(origin, tmp_path / name) for name in ("one", "two")]


def test_two_clones_share_their_runs_of_one_commit(clones: list[Project]) -> None:
    """Recorded on both sides, pushed one after the other: both are everywhere."""
    one, two = clones
    both = {record(one, 1), record(two, 2)}

    first = sync.push(*notes_of(one), "origin")
    second = sync.push(*notes_of(two), "origin")
    fetched = sync.fetch(*notes_of(one), "origin")

    assert (True, True) == (first.sent, second.sent)
    assert (True, 1) == (fetched.found, fetched.commits)
    assert both == runs(one) == runs(two)


def test_two_pushes_at_once_lose_nothing(
    clones: list[Project], origin: Path, tmp_path: Path
) -> None:
    """Eight clones that record and push at the same time end up united."""
    names = [Project.clone(origin, tmp_path / f"clone-{n}") for n in range(6)]
    everyone = clones + names
    all_runs = {record(project, n) for n, project in enumerate(everyone)}
    code = (
        "import os,sys; from pathlib import Path;"
        "from gitbench.store import sync; from gitbench.store.notes import Notes;"
        "from gitbench.store.repository import Repository;"
        "r=Repository.open(Path(sys.argv[1]), os.environ);"
        "sync.push(Notes(r), sync.Git(r.git_dir, os.environ), 'origin')"
    )
    root = str(Path(__file__).parents[2])
    pushes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(project.path)],
            env={**os.environ, "PYTHONPATH": root},
        )
        for project in everyone
    ]

    assert [0] * 8 == [push.wait(120) for push in pushes]
    sync.fetch(*notes_of(clones[0]), "origin")
    assert all_runs == runs(clones[0])
    assert Project(origin).git("fsck", "--strict", "--no-dangling") == ""


def test_stock_git_s_merge_reads_back_equal(clones: list[Project]) -> None:
    """Instead of gitbench, `git notes merge -s cat_sort_uniq` unites two clones."""
    one, two = clones
    both = {record(one, 1), record(two, 2)}
    two.git("push", "--quiet", "origin", REF)
    one.git("fetch", "--quiet", "origin", f"{REF}:refs/notes/theirs")
    one.git("notes", "--ref=gitbench", "merge", "-q", "-s", "cat_sort_uniq", "theirs")
    sync.push(*notes_of(one), "origin")
    sync.fetch(*notes_of(two), "origin")

    assert both == runs(one) == runs(two)
    assert one.git("notes", "--ref=gitbench", "show") == two.git(
        "notes", "--ref=gitbench", "show"
    )


def test_a_fetch_before_anybody_pushed_finds_nothing(clones: list[Project]) -> None:
    """A remote without notes is no error."""
    fetched = sync.fetch(*notes_of(clones[0]), "origin")

    assert (False, 0) == (fetched.found, fetched.commits)


def test_a_push_of_what_the_remote_has_sends_nothing(clones: list[Project]) -> None:
    """A second push is quiet, and a clone that only fetched has nothing to send."""
    one, two = clones
    record(one, 1)
    assert sync.push(*notes_of(one), "origin").sent
    assert not sync.push(*notes_of(one), "origin").sent
    sync.fetch(*notes_of(two), "origin")
    assert one.head(REF) == two.head(REF)
    assert not sync.push(*notes_of(two), "origin").sent


def test_push_does_not_push_branches_tags_or_run_hooks(
    clones: list[Project], origin: Path
) -> None:
    """Only the notes ref moves on the remote, and no pre-push hook is entered."""
    one, _ = clones
    record(one, 1)
    hook = one.path / ".git/hooks/pre-push"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    one.git("tag", "-a", "-m", "t", "v1")
    one.git("config", "push.followTags", "true")
    one.git("branch", "side")
    sync.push(*notes_of(one), "origin")

    refs = Project(origin).git("for-each-ref", "--format=%(refname)").split()
    assert ["refs/heads/main", REF] == sorted(refs)


def test_a_shallow_clone_without_identity_shares(
    origin: Path, tmp_path: Path, hermetic_seal: Path
) -> None:
    """What a CI checkout leaves: depth 1, detached, no user.name."""
    (hermetic_seal / ".gitconfig").write_text("[gc]\n\tauto = 0\n")
    project = Project.clone(f"file://{origin}", tmp_path / "ci", "--depth", "1")
    project.git("checkout", "--quiet", "--detach")
    run = record(project, 1)
    sync.push(*notes_of(project), "origin")

    assert project.git("rev-parse", "--is-shallow-repository") == "true"
    other = Project.clone(origin, tmp_path / "other")
    sync.fetch(*notes_of(other), "origin")
    assert {run} == runs(other)
    assert other.git("rev-parse", "--is-shallow-repository") == "false"


def test_an_unknown_remote_is_named(clones: list[Project]) -> None:
    """A remote that does not exist gives one sentence and says where to look."""
    with pytest.raises(sync.SyncError, match="git remote -v"):
        sync.fetch(*notes_of(clones[0]), "upstream")


def test_a_remote_that_refuses_keeps_what_is_here(
    clones: list[Project], origin: Path
) -> None:
    """A hook that declines the push: stated, nothing lost locally."""
    one, _ = clones
    run = record(one, 1)
    hook = origin / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho no notes here >&2\nexit 1\n")
    hook.chmod(0o755)

    with pytest.raises(sync.OfflineError, match="does not let us push"):
        sync.push(*notes_of(one), "origin")
    assert {run} == runs(one)


def test_a_url_is_no_remote(clones: list[Project]) -> None:
    """A URL in the place of a name is refused, without repeating its token."""
    with pytest.raises(sync.SyncError, match="git remote add") as caught:
        sync.fetch(*notes_of(clones[0]), "https://user:secret@127.0.0.1/x.git")
    assert "secret" not in str(caught.value)


def test_a_remote_name_like_an_option_is_no_option(clones: list[Project]) -> None:
    """A name that begins with a dash never reaches git as an option."""
    with pytest.raises(sync.SyncError):
        sync.fetch(*notes_of(clones[0]), "--upload-pack=touch pwned")
    assert not list(clones[0].path.glob("pwned*"))


def test_a_token_in_a_url_is_not_repeated(clones: list[Project]) -> None:
    """Git's own words are passed on without the credentials of a URL."""
    url = "http://user:secret-token@127.0.0.1:9/repo.git"
    clones[0].git("remote", "add", "broken", url)
    with pytest.raises(sync.SyncError) as caught:
        sync.fetch(*notes_of(clones[0]), "broken")
    assert "secret-token" not in str(caught.value)


def test_a_mirror_remote_is_not_mirrored(clones: list[Project], origin: Path) -> None:
    """With remote.<name>.mirror set, a push still sends only the notes ref."""
    one, two = clones
    two.git("push", "--quiet", "origin", "main:kept")
    one.git("config", "remote.origin.mirror", "true")
    record(one, 1)
    sync.push(*notes_of(one), "origin")

    refs = Project(origin).git("for-each-ref", "--format=%(refname)").split()
    assert ["refs/heads/kept", "refs/heads/main", REF] == sorted(refs)

"""`compare --fetch`: a fresh clone receives the notes that one comparison needs."""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gitbench.model import Run
from gitbench.store import partial
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository
from gitbench.store.sync import SyncError
from tests import web
from tests.factories import TESTBED, make_measurement, make_run
from tests.project import Project

REF = "refs/notes/gitbench"


def results(commit: str, tree: str, number: int, **fields: object) -> Run:
    """A run of 20 benchmarks with 10 values each and 1 % of noise."""
    chance = random.Random(number)
    measurements = [
        make_measurement(
            f"bench-{place:02}",
            [0.01 * (place + 1) * chance.gauss(1, 0.01) for _ in range(10)],
        )
        for place in range(20)
    ]
    return make_run(
        measurements,
        commit=commit,
        tree=tree,
        started_at=10**12 + number * 3_600_000,
        origin=f"{number:064x}",
        **fields,
    )


@dataclasses.dataclass
class Shared:
    """A remote with results, and a project that fills it."""

    bare: Path
    seed: Project
    runs: int = 0

    @property
    def url(self) -> str:
        return f"file://{self.bare}"

    def share(self, commits: int, **fields: object) -> list[str]:
        """Add commits to main, a run on each; returns their ids."""
        repository = Repository.open(self.seed.path, os.environ)
        tip, made = self.seed.head(), {}
        for _ in range(commits):
            self.runs += 1
            blob = repository.write_blob(f"{self.runs}\n".encode())
            tree = repository.write_tree(None, {"code.py": (0o100644, blob)})
            tip = repository.write_commit(tree, [tip], f"c{self.runs}\n")
            made[tip] = [results(tip, tree, self.runs, **fields)]
        self.seed.git("reset", "--quiet", "--hard", tip)
        Notes(repository).record(made)
        self.push()
        return list(made)

    def push(self) -> None:
        self.seed.git("push", "--quiet", "--force", str(self.bare), "main", REF)

    def allow(self, value: bool) -> None:
        """Let the server filter, or not."""
        word = "true" if value else "false"
        self.seed.git(
            "--git-dir", str(self.bare), "config", "uploadpack.allowFilter", word
        )

    def clone(self, name: str, *options: str, url: str | None = None) -> Project:
        """A clone with a commit of its own and a run on it."""
        path = self.bare.parent / name
        project = Project.clone(url or self.url, path, *options)
        project.git("checkout", "--quiet", "-b", "topic")
        project.commit("topic", "topic\n")
        run = results(project.head(), project.head("HEAD^{tree}"), 10_000)
        Notes(Repository.open(path, os.environ)).record({run.commit: [run]})
        return project


@pytest.fixture
def shared(origin: Path, tmp_path: Path) -> Shared:
    """A remote that filters, with 60 commits and a run on each."""
    seed = Project.clone(origin, tmp_path / "filler")
    made = Shared(origin, seed)
    made.allow(True)
    made.share(60)
    return made


def report(project: Project, *options: str) -> Any:
    return project.gitbench(
        "compare", "origin/main", "--json", *options, code=None
    ).json


def private(project: Project, remote: str = "origin") -> Path:
    return partial.directory(Repository.open(project.path, os.environ), remote)


def packs(path: Path) -> list[int]:
    return [one.stat().st_size for one in path.glob("objects/pack/*.pack")]


def test_only_what_is_needed_is_received(shared: Shared) -> None:
    """The report is that of a clone with everything; a tenth of the bytes came, in
    two requests, and the user's clone is as it was."""
    shared.share(600)
    clone = shared.clone("ci")
    whole = shared.clone("whole")
    whole.gitbench("fetch")
    before = clone.git("config", "--local", "--list"), clone.git("for-each-ref")
    found = report(clone, "--fetch")

    assert report(whole) == found
    assert 10 == len(found["groups"][0]["baseline"]["window"])
    received = packs(private(clone))
    assert 2 == len(received)
    whole.git("repack", "-q", "-a", "-d")
    listed = whole.git("rev-list", "--objects", REF).splitlines()
    sizes = subprocess.run(
        ["git", "cat-file", "--batch-check=%(objectsize:disk)"],
        cwd=whole.path,
        input="\n".join(line.split()[0] for line in listed),
        capture_output=True,
        text=True,
        check=True,
    )
    assert sum(received) < sum(map(int, sizes.stdout.split())) / 10
    assert before == (
        clone.git("config", "--local", "--list"),
        clone.git("for-each-ref"),
    )
    assert not (clone.path / ".git/shallow").exists()
    assert "" == clone.git("fsck", "--strict", "--no-dangling")

    again = clone.gitbench("compare", "origin/main", "--fetch")
    assert "Received 0 of 660 notes" in again.err
    shared.share(1)
    clone.git("fetch", "--quiet")
    clone.git("merge", "--quiet", "-s", "ours", "-m", "merge", "origin/main")
    run = results(clone.head(), clone.head("HEAD^{tree}"), 40_000)
    Notes(Repository.open(clone.path, os.environ)).record({run.commit: [run]})
    third = clone.gitbench("compare", "origin/main", "--fetch")
    assert "of 661 notes" in third.err
    assert "Received 0" not in third.err
    assert min(packs(private(clone))) < 10_000, "only what is new of the trees"


def test_a_shallow_checkout_needs_no_more(shared: Shared) -> None:
    """In a clone of depth 30 the results behind its boundary are not received."""
    clone = shared.clone("ci", "--depth", "30")
    result = clone.gitbench("compare", "origin/main", "--fetch")
    assert "Received 16 of 60 notes of origin" in result.err
    assert 30 == int(clone.git("rev-list", "--count", "origin/main"))


def test_without_fetch_nothing_is_received(shared: Shared, tmp_path: Path) -> None:
    """`compare` alone stays offline; the hint names `--fetch`, and after it is gone."""
    clone = shared.clone("ci")
    result = clone.gitbench("compare", "origin/main", code=3)
    assert "compare --fetch" in result.out
    assert not private(clone).exists()
    shutil.move(shared.bare, tmp_path / "away")
    clone.gitbench("compare", "origin/main", code=3)
    failed = clone.gitbench("compare", "origin/main", "--fetch", code=4)
    assert "origin" in failed.err
    assert 1 == len(failed.err.splitlines())


def test_what_is_here_counts_beside_what_is_there(shared: Shared) -> None:
    """A run recorded here and a retraction made here apply to the remote's notes."""
    clone = shared.clone("ci")
    notes = Notes(Repository.open(clone.path, os.environ))
    base, parent = clone.head("origin/main"), clone.head("origin/main~1")
    theirs = Notes(Repository.open(shared.seed.path, os.environ)).records(parent).runs
    notes.retract({parent: [theirs[0].id]}, "throttled", 1)
    more = results(base, clone.head("origin/main^{tree}"), 20_000)
    notes.record({base: [more]})

    window = report(clone, "--fetch")["groups"][0]["baseline"]["window"]

    assert [base, 2] == [window[0]["commit"], window[0]["runs"]]
    assert parent not in [one["commit"] for one in window]


def test_rounds_grow_until_the_window_is_full(shared: Shared) -> None:
    """Results of another machine in front of those that are wanted: a few requests,
    not one for each commit."""
    shared.share(100, testbed=dataclasses.replace(TESTBED, fingerprint="f" * 12))
    clone = shared.clone("ci")
    result = clone.gitbench(
        "compare", "origin/main", "--fetch", "--max-distance", "150"
    )
    assert "Received 112 of 160 notes" in result.err
    assert 1 + 3 == len(packs(private(clone)))


def test_a_named_baseline_is_received(shared: Shared) -> None:
    """`baseline:NAME` is looked up in the remote's notes."""
    shared.seed.gitbench("baseline", "save", "release", "HEAD~40")
    shared.push()
    clone = shared.clone("ci")
    found = clone.gitbench("compare", "baseline:release", "--fetch", "--json").json
    assert shared.seed.head("HEAD~40") == found["groups"][0]["baseline"]["commit"]


def squash(shared: Shared, count: int = 1) -> str:
    """Measure `count` branches that are squashed into main and deleted; returns the
    last one's commit."""
    seed = shared.seed
    for number in range(count):
        seed.git("checkout", "--quiet", "-b", f"feature{number}", "main")
        seed.commit(f"feature {number}")
        branch = seed.head()
        run = results(branch, seed.head("HEAD^{tree}"), 30_000 + number)
        Notes(Repository.open(seed.path, os.environ)).record({branch: [run]})
        seed.git("checkout", "--quiet", "main")
        seed.git("merge", "--quiet", "--squash", f"feature{number}")
        seed.git("commit", "--quiet", "-m", f"squashed {number}")
    shared.push()
    return branch


def test_results_of_a_squashed_branch_stand_in(shared: Shared) -> None:
    """The commit that was measured is not in the clone: its note tells its tree."""
    branch = squash(shared)
    clone = shared.clone("ci")
    assert "" == clone.git("cat-file", "-t", branch, check=False)
    found = report(clone, "--fetch")["groups"][0]["baseline"]
    assert (clone.head("origin/main"), 0) == (found["commit"], found["distance"])
    whole = shared.clone("whole")
    whole.gitbench("fetch")
    assert report(whole)["groups"][0]["baseline"] == found


def test_too_many_unknown_commits_are_not_received_but_said(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where stand-ins would take too many notes, the next commit with results of its
    own is the baseline, and the report says what was not looked at."""
    squash(shared, 3)
    monkeypatch.setattr(partial, "MOST_UNKNOWN", 2)
    found = report(shared.clone("ci"), "--fetch")
    assert 3 == found["groups"][0]["baseline"]["distance"]
    assert any(
        "3 commits that have are not in this clone" in w for w in found["warnings"]
    )
    assert "gitbench fetch" in found["warnings"][-1]


def test_after_a_whole_fetch_it_stays_whole(shared: Shared) -> None:
    """A clone that fetched all results goes on so, and the private copy goes."""
    clone = shared.clone("ci")
    report(clone, "--fetch")
    assert private(clone).exists()
    clone.gitbench("fetch")
    shared.share(1)
    result = clone.gitbench("compare", "origin/main", "--fetch")
    assert "Received" not in result.err
    assert not private(clone).exists()
    assert clone.head("refs/gitbench/remotes/origin/gitbench") == shared.seed.head(REF)


@pytest.mark.parametrize("setting", ["", "protocol.version=0"])
def test_a_server_that_cannot_gives_everything(shared: Shared, setting: str) -> None:
    """Without filters, or where single notes cannot be asked for, all is fetched and
    the report is the same."""
    if not setting:
        shared.allow(False)
    clone, whole = shared.clone("ci"), shared.clone("whole")
    if setting:
        clone.git("config", *setting.split("="))
    whole.gitbench("fetch")
    result = clone.gitbench("compare", "origin/main", "--fetch", "--json", code=None)
    assert report(whole) == result.json
    assert "All results are fetched instead" in result.err
    assert not private(clone).exists()
    assert clone.head("refs/gitbench/remotes/origin/gitbench") == shared.seed.head(REF)
    assert not (clone.path / ".git/shallow").exists()
    assert "promisor" not in clone.git("config", "--local", "--list")


def test_a_remote_may_have_no_notes(shared: Shared) -> None:
    """None yet, none any more: no error, and no hint to fetch what is not there."""
    clone = shared.clone("ci")
    kept = shared.seed.head(REF)
    for there in (False, True, False):
        command = ("push", "--quiet", str(shared.bare))
        shared.seed.git(*command, f"{kept}:{REF}" if there else f":{REF}")
        result = clone.gitbench(
            "compare", "origin/main", "--fetch", code=0 if there else 3
        )
        assert "gitbench fetch" not in result.out + result.err


def test_a_half_made_private_directory_is_made_anew(shared: Shared) -> None:
    """What a killed process left, at any point, does not need a human."""
    clone = shared.clone("ci")
    expected = report(clone, "--fetch")
    path = private(clone)

    def emptied() -> None:
        shutil.rmtree(path)
        path.mkdir()

    def headless() -> None:
        (path / "HEAD").unlink()

    def packless() -> None:
        for one in (path / "objects/pack").iterdir():
            one.unlink()

    def unset() -> None:
        (path / "config").write_text("")

    def locked() -> None:
        (path / "shallow.lock").touch()

    for spoil in (emptied, headless, packless, unset, locked):
        spoil()
        assert expected == report(clone, "--fetch"), spoil.__name__


def test_several_at_once_share_the_private_directory(shared: Shared) -> None:
    """Comparisons at the same time in one clone give the same answer."""
    clone = shared.clone("ci")
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "gitbench", *["compare", "origin/main", "--fetch"]],
            cwd=clone.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    done = [process.communicate(timeout=120) for process in processes]
    assert [0] * 4 == [process.returncode for process in processes], done
    assert 1 == len({out for out, _ in done})


def test_it_works_in_a_linked_work_tree_and_in_a_hook(shared: Shared) -> None:
    """The private directory is that of the repository; a hook's variables for its own
    repository do not reach it."""
    clone = shared.clone("ci")
    expected = report(clone, "--fetch")
    shutil.rmtree(private(clone))
    clone.git("worktree", "add", "--quiet", "--detach", "../linked")
    linked = Project(clone.path.parent / "linked")
    assert expected == report(linked, "--fetch")
    assert private(clone).exists()
    shutil.rmtree(private(clone))
    environ = {
        "GIT_DIR": str(clone.path / ".git"),
        "GIT_INDEX_FILE": str(clone.path / ".git/index"),
        "GIT_OBJECT_DIRECTORY": str(clone.path / ".git/objects"),
    }
    result = clone.gitbench(
        "compare", "origin/main", "--fetch", "--json", environ=environ
    )
    assert expected == result.json


def test_only_a_configured_remote_is_asked(shared: Shared) -> None:
    """A remote that the configuration makes up is an error, never an address."""
    clone = shared.clone("ci")
    (clone.path / "gitbench.toml").write_text(f'remote = "{shared.url}"\n')
    result = clone.gitbench("compare", "origin/main", "--fetch", code=4)
    assert "remote" in result.err
    notes = Notes(Repository.open(clone.path, os.environ))
    for name in ("../../x", "-x", "ext::sh -c true"):
        with pytest.raises(SyncError):
            partial.open_partial(notes, workspace_git(clone), name)
        place = partial.directory(notes.repository, name)
        assert private(clone).parent == place.parent


def workspace_git(project: Project) -> Any:
    from gitbench.store.sync import Git

    return Git(project.path / ".git", os.environ)


@pytest.mark.parametrize("filters", [True, False])
def test_over_http_with_the_token_of_a_ci_checkout(
    shared: Shared, filters: bool
) -> None:
    """The header that a CI checkout leaves in a file which the clone's configuration
    includes for this repository alone reaches the server, and is kept nowhere else."""
    expected = report(shared.clone("plain"), "--fetch")
    shared.allow(filters)
    clone = shared.clone("ci")
    included = shared.bare.parent / "credentials"
    with web.serve(shared.bare.parent) as served:
        clone.git("remote", "set-url", "origin", f"{served.url}/{shared.bare.name}")
        failed = clone.gitbench("compare", "origin/main", "--fetch", code=4)
        assert "Check the token" in failed.err
        name = f"http.{served.url}/.extraheader"
        clone.git("config", "--file", str(included), name, web.basic(web.READER))
        clone.git("config", f"includeIf.gitdir:{clone.path}/.git.path", str(included))
        served.requests.clear()
        result = clone.gitbench(
            "compare", "origin/main", "--fetch", "--json", code=None
        )

    assert expected["groups"][0]["baseline"] == result.json["groups"][0]["baseline"]
    assert ("All results" in result.err) == (not filters)
    assert private(clone).exists() == filters
    if filters:
        posts = [one for one in served.requests if one.startswith("POST")]
        assert len(posts) <= 5, "two fetches, each a list of refs and some haves"
        files = [one for one in private(clone).rglob("*") if one.is_file()]
        everything = b"".join(one.read_bytes() for one in files)
        assert web.basic(web.READER).rpartition(" ")[2].encode() not in everything

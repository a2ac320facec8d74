"""`fetch`, `push` and `status` on several remotes, and what CI checkouts leave."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.project import Project
from tests.web import READER, WRITER, basic, serve

REF = "refs/notes/gitbench"


@pytest.fixture
def clones(origin: Path, tmp_path: Path) -> tuple[Project, Project]:
    return tuple(Project.clone(origin, tmp_path / name) for name in ("one", "two"))  # type: ignore[return-value]


@pytest.fixture
def backup(tmp_path: Path, clones: tuple[Project, Project]) -> Path:
    """A second, empty remote of the first clone."""
    bare = tmp_path / "backup.git"
    Project.init(bare, "--bare")
    clones[0].git("remote", "add", "backup", str(bare))
    return bare


def refs(project: Project) -> str:
    return project.git("for-each-ref", "--format=%(refname) %(objectname)")


# ------------------------------------------------------------ what is told


def test_push_tells_runs_commits_and_bytes(clones: tuple[Project, Project]) -> None:
    """Both directions are told, with what went over the wire."""
    one, two = clones
    one.record({"a": 1})
    one.record({"a": 2})
    one.commit("second")
    one.record({"a": 3})
    pushed = one.gitbench("push")
    assert "Pushed the results to origin: 3 runs of 2 commits, " in pushed.out
    assert pushed.out.rstrip().endswith(("B.", "KiB."))

    two.record({"b": 1})
    result = two.gitbench("push", "--json").json["remotes"][0]
    received, sent = result["received"], result["sent"]
    assert (3, 2, 3) == (received["runs"], received["commits"], received["records"])
    assert (1, 1, True) == (sent["runs"], sent["commits"], result["pushed"])
    lines = two.git("notes", "--ref=gitbench", "show", one.head("HEAD^")).splitlines()
    assert received["bytes"] + sent["bytes"] == sum(
        len(line) + 1
        for line in [
            *lines,
            *two.git("notes", "--ref=gitbench", "show", one.head()).splitlines(),
        ]
    )

    fetched = one.gitbench("fetch")
    assert "New results from origin: 1 run of 1 commit, " in fetched.out
    assert "Nothing new from origin." in one.gitbench("fetch").out
    assert "all results already" in one.gitbench("push").out


def test_records_that_are_no_runs_are_told(clones: tuple[Project, Project]) -> None:
    """A retraction and a named baseline are sent and counted by themselves."""
    one, two = clones
    one.record({"a": 1})
    one.gitbench("push")
    one.gitbench("baseline", "save", "release")
    assert "1 record that is no run" in one.gitbench("push").out
    one.gitbench("rm", "--commit", "HEAD")
    one.record({"a": 2})
    assert "1 run of 1 commit, 1 other record" in one.gitbench("push").out
    two.gitbench("fetch")
    assert one.head(REF) == two.head(REF)


# --------------------------------------------------------------- dry run


def test_a_dry_run_moves_no_ref(clones: tuple[Project, Project], origin: Path) -> None:
    """fetch and push say what would happen; no ref moves here or there."""
    one, two = clones
    one.record({"a": 1})
    one.gitbench("push")
    two.record({"b": 1})
    two.record({"b": 2})
    before = refs(two), refs(Project(origin))

    fetch = two.gitbench("fetch", "--dry-run")
    push = two.gitbench("push", "--dry-run")

    assert "Would fetch from origin: 1 run of 1 commit, " in fetch.out
    assert "Would push to origin: 2 runs of 1 commit, " in push.out
    assert before == (refs(two), refs(Project(origin)))
    row = two.gitbench("push", "--dry-run", "--json").json["remotes"][0]
    assert (True, 1, 2) == (
        row["dry_run"],
        row["received"]["runs"],
        row["sent"]["runs"],
    )


def test_a_dry_run_on_an_empty_remote(clones: tuple[Project, Project]) -> None:
    """There is nothing to fetch, and all to push; another ref of a like name at the
    remote is not taken for ours."""
    one, _ = clones
    one.record({"a": 1})
    one.git("push", "--quiet", "origin", f"{REF}:refs/other/{REF}")
    assert "has no results yet" in one.gitbench("fetch", "--dry-run").out
    assert "Would push to origin: 1 run" in one.gitbench("push", "--dry-run").out


# ------------------------------------------------------- several remotes


def test_all_remotes_get_everything(
    clones: tuple[Project, Project], backup: Path, origin: Path, tmp_path: Path
) -> None:
    """--all unites what every remote has, so that the first gets what only the last
    had."""
    one, _ = clones
    other = Project.clone(origin, tmp_path / "other")
    other.record({"only in origin": 1})
    other.gitbench("push")
    one.record({"ours": 1})
    assert ["backup", "origin"] == one.git("remote").split()
    result = one.gitbench("push", "--all")

    assert 2 == result.out.count("Pushed the results to")
    assert one.head(REF) == Project(origin).head(REF) == Project(backup).head(REF)


def test_one_remote_s_failure_does_not_keep_the_others(
    clones: tuple[Project, Project], backup: Path, origin: Path
) -> None:
    """The failing remote is one sentence and exit code 4; the other got all."""
    one, _ = clones
    one.git("remote", "set-url", "backup", str(backup) + "-is-gone")
    one.record({"a": 1})
    result = one.gitbench("push", "--remote", "backup", "--remote", "origin", code=4)

    assert 1 == len(result.err.splitlines())
    assert "backup" in result.err
    assert one.head(REF) == Project(origin).head(REF)
    rows = one.gitbench("fetch", "--all", "--json", code=4).json["remotes"]
    assert {"backup": True, "origin": False} == {
        row["remote"]: "error" in row for row in rows
    }


def test_all_without_a_remote_is_a_usage_error(project: Project) -> None:
    """--all where there is none says so."""
    assert "no remote" in project.gitbench("push", "--all", code=2).err


# ---------------------------------------------------------------- status


def test_status_counts_what_is_not_pushed_and_not_united(
    clones: tuple[Project, Project],
) -> None:
    """Per remote: runs to push, runs that git fetch brought; nothing is changed."""
    one, two = clones
    two.gitbench("init")
    one.record({"a": 1})
    one.record({"a": 2})
    one.gitbench("push")
    two.record({"b": 1})
    two.git("fetch", "--quiet")
    before = refs(two)
    result = two.gitbench("status")

    assert "not pushed: 1 run of 1 commit" in result.out
    assert "fetched, not united yet: 2 runs of 1 commit" in result.out
    assert before == refs(two)
    (row,) = two.gitbench("status", "--json").json["remotes"]
    assert (1, 2, True, True) == (
        row["unpushed"]["runs"],
        row["unmerged"]["runs"],
        row["fetched"],
        row["configured"],
    )
    two.gitbench("push")
    after = two.gitbench("status")
    assert "has all results" in after.out
    assert "All is well" in after.out


def test_status_names_what_is_wrong(clones: tuple[Project, Project]) -> None:
    """Not set up, never fetched, results lost to a forced fetch: all on one screen."""
    one, _ = clones
    one.record({"a": 1})
    one.git("update-ref", "-d", REF)
    result = one.gitbench("status")

    assert "never fetched" in result.out
    codes = {one["code"] for one in one.gitbench("status", "--json").json["findings"]}
    assert {"not-set-up", "lost-results", "never-fetched"} == codes
    assert len(result.out.splitlines()) <= 24
    assert "1 commit in" in one.gitbench("log").err + one.gitbench("status").out


def test_status_of_a_fresh_repository(project: Project) -> None:
    """Without results and remotes it says so."""
    result = project.gitbench("status")

    assert "0 commits in refs/notes/gitbench" in result.out
    assert "none" in result.out


# ------------------------------------------------------- traps of git's own


def test_a_fetch_does_not_apply_the_forced_refspec_of_the_remote(
    clones: tuple[Project, Project],
) -> None:
    """With +refs/notes/*:refs/notes/* configured, fetch and push keep unpushed runs:
    git would apply that refspec along with ours."""
    one, two = clones
    one.git("config", "--add", "remote.origin.fetch", "+refs/notes/*:refs/notes/*")
    two.record({"b": 1})
    two.gitbench("push")
    one.record({"a": 1})
    result = one.gitbench("push")

    assert "Pushed the results to origin: 1 run of 1 commit" in result.out
    assert "brought back" not in result.err
    two.gitbench("fetch")
    shown = two.gitbench("show").out
    assert " a " in shown
    assert " b " in shown


def test_a_remote_that_lost_its_notes_gets_them_again(
    clones: tuple[Project, Project], origin: Path
) -> None:
    """Deleted on the remote, they are pushed anew, and status knows they are not
    there."""
    one, _ = clones
    one.record({"a": 1})
    one.gitbench("push")
    Project(origin).git("update-ref", "-d", REF)
    assert "no results yet" in one.gitbench("fetch").out
    assert "not pushed: 1 run" in one.gitbench("status").out
    one.gitbench("push")
    assert one.head(REF) == Project(origin).head(REF)


def test_a_call_that_hangs_is_ended(clones: tuple[Project, Project]) -> None:
    """--timeout ends a git that waits for ever, with one sentence."""
    one, _ = clones
    one.git("config", "protocol.ext.allow", "always")
    one.git("remote", "set-url", "origin", "ext::sleep 60")
    result = one.gitbench("fetch", "--timeout", "0.5", code=4)

    assert "did not finish within" in result.err


# ------------------------------------------------------------ CI checkouts


def checkout(url: str, path: Path, token: str) -> Project:
    """What actions/checkout leaves: depth 1, detached, the token in an extra header,
    no identity."""
    header = basic(token)
    project = Project.clone(
        f"{url}/origin.git",
        path,
        "--depth",
        "1",
        "-c",
        f"http.{url}/.extraheader={header}",
    )
    project.git("config", f"http.{url}/.extraheader", header)
    project.git("checkout", "--quiet", "--detach")
    return project


def test_the_header_of_a_ci_checkout_is_enough(
    origin: Path, tmp_path: Path, hermetic_seal: Path
) -> None:
    """A shallow, detached checkout without user.name records and pushes over HTTP
    with the token that the checkout left in git's settings."""
    (hermetic_seal / ".gitconfig").write_text("[gc]\n\tauto = 0\n")
    Project(origin).git("config", "http.receivepack", "true")
    with serve(tmp_path) as served:
        project = checkout(served.url, tmp_path / "ci", WRITER)
        result = project.record({"sort": 1}, "--push")

        assert "Pushed the results to origin: 1 run of 1 commit" in result.out
        assert project.head(REF) == Project(origin).head(REF)
        assert any("receive-pack" in request for request in served.requests)


def test_a_token_that_may_only_read(
    origin: Path, tmp_path: Path, hermetic_seal: Path
) -> None:
    """The push is refused in one clear sentence with exit code 4 and no token in it;
    the run is still here, fetching works, and a later push with another token sends
    it."""
    Project(origin).git("config", "http.receivepack", "true")
    with serve(tmp_path) as served:
        project = checkout(served.url, tmp_path / "ci", READER)
        project.record({"sort": 1})
        result = project.gitbench("push", code=4)

        assert 1 == len(result.err.splitlines())
        assert "does not let us push" in result.err
        assert "write access" in result.err
        assert READER not in result.err + result.out
        assert "sort" in project.gitbench("show").out
        project.gitbench("fetch")
        key = f"http.{served.url}/.extraheader"
        project.git("config", key, basic(WRITER))
        project.gitbench("push")
    assert project.head(REF) == Project(origin).head(REF)


def test_no_credentials_at_all_do_not_ask(origin: Path, tmp_path: Path) -> None:
    """Without a token nobody is asked for a password, and the sentence says what is
    missing."""
    with serve(tmp_path) as served:
        project = Project.clone(origin, tmp_path / "bare-hands")
        project.git("remote", "set-url", "origin", f"{served.url}/origin.git")
        project.record({"sort": 1})
        result = project.gitbench(
            "push", code=4, environ={"GIT_ASKPASS": "", "SSH_ASKPASS": ""}
        )

    assert "does not let us" in result.err
    assert os.environ["GIT_TERMINAL_PROMPT"] == "0"

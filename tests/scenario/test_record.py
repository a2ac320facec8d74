"""`gitbench record` as its users call it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from gitbench.model import Run
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository
from tests.project import Project

REF = "refs/notes/gitbench"


def recorded(project: Project, revision: str = "HEAD") -> list[Run]:
    notes = Notes(Repository.open(project.path, os.environ))
    return [one.run for one in notes.records(project.head(revision)).runs]


def save(project: Project, name: str, content: Any) -> str:
    path = project.path.parent / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_a_result_is_recorded_on_head(project: Project) -> None:
    """The run has the file's suite, testbed and values, and head's commit and tree."""
    result = project.record({"sort": [0.1, 0.2], "load": 3})

    (run,) = recorded(project)
    assert (project.head(), project.head("HEAD^{tree}")) == (run.commit, run.tree)
    assert ("unit", "ci-large", False) == (run.suite, run.testbed.name, run.dirty)
    assert [((0.1, 0.2),), ((3.0,),)] == [m.processes for m in run.measurements]
    assert "2 benchmarks, 2 measurements, 3 values" in result.out
    assert "" == result.err


def test_the_same_file_twice_leaves_one_run(project: Project) -> None:
    """A known result changes nothing and says so, with a time of its own or not."""
    for fields in ({}, {"started_at": None}):
        name = save(project, "r.json", project.results({"sort": 1}, **fields))
        project.gitbench("record", name)
        count = len(recorded(project))
        again = project.gitbench("record", name)
        assert "Already recorded" in again.out
        assert count == len(recorded(project))


def test_again_records_a_known_result_once_more(project: Project) -> None:
    """`--again` says that the tool really ran a second time."""
    name = save(project, "r.json", project.results({"sort": 1}))
    project.gitbench("record", name)
    project.gitbench("record", name, "--again")

    assert 2 == len(recorded(project))


def test_two_different_files_leave_two_runs(project: Project) -> None:
    """Two results for one commit are both kept."""
    project.record({"sort": 1})
    project.record({"sort": 2})

    assert 2 == len(recorded(project))


def test_several_files_are_one_commit_and_one_session(project: Project) -> None:
    """Files of one call are recorded together and belong to one session."""
    names = [
        save(project, f"{n}.json", project.results({"sort": n}, suite=f"s{n}"))
        for n in (1, 2)
    ]
    project.gitbench("record", *names)

    assert 1 == len({run.session for run in recorded(project)} - {None})
    assert "1" == project.git("rev-list", "--count", REF)


def test_an_unreadable_file_records_nothing_at_all(project: Project) -> None:
    """With one bad file among good ones, no run is recorded, and the place is said."""
    good = save(project, "good.json", project.results({"sort": 1}))
    text = json.dumps(project.results({"sort": 1}))
    for bad in (text[:-10], text.replace("[1]", "[NaN]"), "{}", "", "\x00"):
        name = save(project, "bad.json", bad)
        result = project.gitbench("record", good, name, code=4)
        assert "bad.json" in result.err
        assert 1 == len(result.err.splitlines())
    missing = project.gitbench("record", good, "absent.json", code=4)
    assert "absent.json" in missing.err
    assert "" == project.git("for-each-ref", REF)


def test_standard_input_is_a_file(project: Project) -> None:
    """`-` reads the result from a pipe."""
    data = json.dumps(project.results({"sort": 1})).encode()
    project.gitbench("record", "-", stdin=data)

    assert 1 == len(recorded(project))


def test_another_commit_is_named(project: Project) -> None:
    """`--commit` records onto any commit; nobody can tell whether it was dirty."""
    project.commit("second")
    (project.path / "code.py").write_text("changed\n")
    project.record({"sort": 1}, "--commit", "HEAD^")

    (run,) = recorded(project, "HEAD^")
    assert not run.dirty
    assert [] == recorded(project)
    wrong = project.gitbench("record", "x", "--commit", "nonsense", code=4)
    assert "x" in wrong.err


def test_the_commit_that_the_file_names_is_used(project: Project) -> None:
    """A result says where it was measured; a commit that is not here is an error."""
    first = project.head()
    project.commit("second")
    project.record({"sort": 1}, commit=first)
    assert 1 == len(recorded(project, first))

    name = save(project, "r.json", project.results({"sort": 2}, commit="9" * 40))
    result = project.gitbench("record", name, code=4)
    assert "this clone lacks" in result.err
    result = project.gitbench("record", name, "--commit", "HEAD")
    assert "as --commit asks" in result.err
    assert 1 == len(recorded(project))


def test_uncommitted_changes_make_the_run_dirty(project: Project) -> None:
    """A changed tracked file is noted; the tool's own word wins."""
    (project.path / "code.py").write_text("changed\n")
    project.record({"sort": 1})
    project.record({"sort": 2}, dirty=False)

    assert {True, False} == {run.dirty for run in recorded(project)}


def test_dry_run_shows_all_that_would_be_stored(project: Project) -> None:
    """Facts of the machine and every measurement are shown, and nothing is written."""
    name = save(project, "r.json", project.results({"sort": [0.1, 0.2]}))
    result = project.gitbench("record", name, "--dry-run", "--tag", "k=v")

    for part in ("suite", "unit", "ci-large", "Test CPU", "sort", "150.0 ms", "tag k"):
        assert part in result.out
    assert "" == project.git("for-each-ref", REF)


def test_private_facts_stay_out_unless_named(project: Project) -> None:
    """Host and user are stored only where the configuration names them."""
    data = project.results({"sort": 1})
    del data["testbed"]
    project.gitbench("record", save(project, "r.json", data))
    (run,) = recorded(project)
    assert not {"host", "user", "directory"} & dict(run.testbed.facts).keys()

    (project.path / "gitbench.toml").write_text('[testbed]\nfacts = ["host"]\n')
    project.gitbench("record", save(project, "r.json", data), "--again")
    assert any("host" in dict(run.testbed.facts) for run in recorded(project))


def test_suite_testbed_and_tags_can_be_given(project: Project) -> None:
    """The command line wins over the file; the config names the default."""
    project.record({"a": 1}, "--suite", "s", "--testbed", "t", "--tag", "k=v=w")

    (run,) = recorded(project)
    assert ("s", "t", (("k", "v=w"),)) == (run.suite, run.testbed.name, run.tags)
    assert "K=V" in project.gitbench("record", "x", "--tag", "k", code=2).err


def test_a_baseline_can_be_saved_along(project: Project) -> None:
    """`--baseline NAME` names the commit that was measured."""
    project.record({"sort": 1}, "--baseline", "release")

    listed = project.gitbench("baseline", "list", "--json").json
    assert project.head() == listed["release"]["commit"]


def test_push_shares_at_once(origin: Path, tmp_path: Path) -> None:
    """`--push` leaves the result on the remote."""
    project = Project.clone(origin, tmp_path / "clone")
    result = project.record({"sort": 1}, "--push")

    assert "Pushed the results to origin" in result.out
    assert project.head(REF) == Project(origin).head(REF)


def test_max_values_keeps_an_exact_summary(project: Project) -> None:
    """Fewer values are kept by a stated rule; center and spread are of all."""
    values = [n / 1000 for n in range(1, 1001)]
    project.record({"sort": values}, "--max-values", "5")

    (run,) = recorded(project)
    (one,) = run.measurements
    assert (0.001, 0.251, 0.5, 0.75, 1.0) == pytest.approx(one.processes[0], abs=0.002)
    assert one.summary is not None
    assert (0.5005, 0.001, 1.0, 1000) == (
        pytest.approx(one.summary.center),
        one.summary.low,
        one.summary.high,
        one.summary.n,
    )


HOSTILE = "::error::a|b`c\n::error::x##[error]\x1b[31m\u202e<b>" + "z" * 900


def test_hostile_names_stay_text(project: Project) -> None:
    """Escapes, newlines and bidi marks of a name never reach the terminal."""
    project.record({HOSTILE: 1}, suite=HOSTILE, tags={HOSTILE: HOSTILE})

    for command in (["show"], ["log"], ["log", "--benchmark", HOSTILE]):
        result = project.gitbench(*command)
        for sign in ("\x1b", "\u202e"):
            assert sign not in result.out
        assert "##[" not in result.out
        lines = result.out.splitlines()
        assert not any(line.lstrip().startswith("::") for line in lines)
    (run,) = recorded(project)
    assert HOSTILE == run.measurements[0].benchmark.name


def test_the_ci_job_is_noted(project: Project) -> None:
    """In a CI job the run carries provider, URL, attempt and pull request."""
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_SERVER_URL": "https://example.com",
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_RUN_ID": "42",
        "GITHUB_RUN_ATTEMPT": "2",
        "GITHUB_JOB": "bench",
        "GITHUB_REF": "refs/pull/7/merge",
    }
    name = save(project, "r.json", project.results({"sort": 1}))
    project.gitbench("record", name, environ=environ)

    ci = recorded(project)[0].ci
    assert ci is not None
    assert ("github", "7") == (ci.provider, ci.pull_request)
    assert "https://example.com/o/r/actions/runs/42" == ci.url
    assert "github:42/2/bench/" == ci.job


def test_show_as_json_can_be_recorded_again(project: Project, tmp_path: Path) -> None:
    """What `show --json` prints is complete: recorded elsewhere it is the same run."""
    project.record({"sort": [[0.1, 0.2], [0.3]]}, "--tag", "k=v", session="s", round=3)
    shown = project.gitbench("show", "--json").out
    other = Project.clone(project.path, tmp_path / "other")
    other.gitbench("record", "-", stdin=shown.encode())

    assert recorded(project) == recorded(other)


def test_a_bare_repository_and_a_subfolder_work(origin: Path, project: Project) -> None:
    """gitbench is called from anywhere inside a repository, bare ones included."""
    folder = project.path / "deep" / "er"
    folder.mkdir(parents=True)
    name = save(project, "r.json", project.results({"sort": 1}))
    project.gitbench("record", name, cwd=folder)
    Project(origin).gitbench("record", name)

    assert 1 == len(recorded(project)) == len(recorded(Project(origin)))


def test_another_ref_keeps_results_apart(project: Project) -> None:
    """`--ref` and the config choose the last part of refs/notes/NAME."""
    project.record({"sort": 1}, "--ref", "gitbench-nightly")
    assert "" == project.git("for-each-ref", REF)
    (project.path / "gitbench.toml").write_text('ref = "gitbench-nightly"\n')
    assert "sort" in project.gitbench("show").out
    assert "--ref" in project.gitbench("show", "--ref", "a/b", code=2).err

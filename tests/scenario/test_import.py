"""`gitbench import` on real repositories, as its users call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gitbench.model import Run
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository
from tests.project import Project

REF = "refs/notes/gitbench"
ABSENT = "f" * 40


def recorded(project: Project, commit: str) -> list[Run]:
    notes = Notes(Repository.open(project.path, os.environ))
    return [one.run for one in notes.records(commit).runs]


def written(project: Project) -> int:
    """Number of commits of the notes ref."""
    return len(project.git("log", "--format=%h", REF).splitlines())


def point(commit: str, value: Any, day: int, **fields: Any) -> dict[str, Any]:
    return {
        "commit": {"id": commit, "message": "m"},
        "date": 1_767_225_600_000 + day * 86_400_000,
        "tool": "cargo",
        "benches": [
            {"name": name, "value": value, "unit": "ns/iter"}
            for name in ("sort", "load")
        ],
        **fields,
    }


def data_js(*points: dict[str, Any]) -> str:
    content = {"lastUpdate": 1, "entries": {"Rust": list(points)}}
    return f"window.BENCHMARK_DATA = {json.dumps(content)}"


@pytest.fixture
def grown(project: Project) -> Project:
    """A project with twelve commits."""
    for number in range(11):
        project.commit(f"change {number}")
    return project


def commits(project: Project) -> list[str]:
    """Oldest first."""
    return project.git("rev-list", "--reverse", "HEAD").split()


@pytest.fixture
def history(grown: Project, tmp_path: Path) -> str:
    """A data.js with a point for each commit, one twice, and one of a commit that is
    not there; its dates are out of order."""
    ids = commits(grown)
    points = [point(one, 1000 + i % 3, i) for i, one in enumerate(ids)]
    points += [point(ids[0], 1005, -1), point(ABSENT, 999, 3)]
    points += [point("abcdef1", 1, 4)]
    path = tmp_path / "data.js"
    path.write_text(data_js(*points))
    return str(path)


def test_a_history_is_taken_over_in_one_commit(grown: Project, history: str) -> None:
    """Runs go to their commits; absent ones are kept by id and counted, and a short id
    that nobody has is left out with its reason."""
    result = grown.gitbench("import", history)

    assert 1 == written(grown)
    first, *_ = commits(grown)
    assert 2 == len(recorded(grown, first))
    (absent,) = recorded(grown, ABSENT)
    assert "0" * 40 == absent.tree
    assert "Imported 14 runs." in result.out
    assert "14 runs of 13 commits, 28 measurements in 2 series" in result.out
    assert "1 of 13 commits are not in this clone" in result.err
    assert "left out 1 that name a commit by a short id" in result.err
    tree = grown.git("rev-parse", f"{first}^{{tree}}")
    assert {tree} == {run.tree for run in recorded(grown, first)}


def test_importing_again_adds_only_what_is_new(
    grown: Project, history: str, tmp_path: Path
) -> None:
    """A second import writes nothing; a longer history adds its new points."""
    grown.gitbench("import", history)
    again = grown.gitbench("import", history)
    assert "Imported 0 runs; 14 were there already." in again.out
    assert 1 == written(grown)

    new = grown.commit("new")
    text = Path(history).read_text()
    content = json.loads(text[text.index("{") :])
    content["entries"]["Rust"].append(point(new, 1000, 20))
    path = tmp_path / "longer.js"
    path.write_text("window.BENCHMARK_DATA = " + json.dumps(content, indent=2) + ";\n")
    result = grown.gitbench("import", str(path))
    assert "Imported 1 run; 14 were there already." in result.out
    assert 2 == written(grown)


def test_what_was_imported_is_a_history(grown: Project, history: str) -> None:
    """log, show and compare work on it; head is compared with the window before it."""
    grown.gitbench("import", history)
    assert 13 == len(grown.gitbench("log").out.splitlines())  # with a heading
    assert "imported-from" in grown.gitbench("show", "HEAD").out
    result = grown.gitbench("compare", "HEAD~1", "--format", "json")
    found = json.loads(result.out)
    assert {"sort", "load"} == {row["benchmark"] for row in found["comparisons"]}
    assert 0 == found["exit_code"]
    assert 10 == len(found["groups"][0]["baseline"]["window"])


def test_an_absent_commit_counts_when_it_comes(grown: Project, tmp_path: Path) -> None:
    """What is kept by its id is the history of the commit once it is fetched."""
    other = Project.clone(grown.path, tmp_path / "other")
    new = other.commit("elsewhere")
    path = tmp_path / "data.js"
    path.write_text(data_js(point(new, 5, 1)))
    grown.gitbench("import", str(path))
    grown.git("fetch", "--quiet", str(other.path), "HEAD")
    assert "sort" in grown.gitbench("show", new).out


def test_a_file_of_a_branch_is_read_without_checkout(
    grown: Project, history: str
) -> None:
    """`REV:PATH` is taken out of git; the work tree stays as it is."""
    blob = grown.git("hash-object", "-w", history)
    grown.git("read-tree", "--empty", GIT_INDEX_FILE="other")
    grown.git(
        "update-index", "--add", "--cacheinfo", f"100644,{blob},dev/bench/data.js",
        GIT_INDEX_FILE="other",
    )  # fmt: skip
    tree = grown.git("write-tree", GIT_INDEX_FILE="other")
    commit = grown.git("commit-tree", "-m", "pages", tree)
    grown.git("update-ref", "refs/remotes/origin/gh-pages", commit)

    result = grown.gitbench("import", "origin/gh-pages:dev/bench/data.js")
    assert "github-action-benchmark" in result.out
    assert "Imported 14 runs." in result.out
    missing = grown.gitbench("import", "origin/gh-pages:no/data.js", code=4)
    assert "has no file" in missing.err
    grown.gitbench("import", "--", "--upload-pack=x:data.js", code=4)
    grown.gitbench("import", "nobranch:data.js", code=4)


def test_a_dry_run_writes_nothing(grown: Project, history: str) -> None:
    """It shows the table, and no object is left."""
    objects = grown.git("count-objects", "-v")
    result = grown.gitbench("import", history, "--dry-run")
    assert "Would import 14 runs; nothing was written." in result.out
    assert "Rust" in result.out
    assert objects == grown.git("count-objects", "-v")
    assert "" == grown.git("for-each-ref", REF)


def test_options_hold_for_all_runs(grown: Project, history: str) -> None:
    """Suite, testbed and tags of the options win, and JSON tells what was done."""
    options = ("--suite", "s", "--testbed", "ci-large", "--tag", "a=b", "--json")
    found = grown.gitbench("import", history, *options).json
    assert ("github-action-benchmark", 14, 14, 0, {"unknown-commit": 1}) == (
        found["kind"], found["runs"], found["added"], found["known"], found["skipped"],
    )  # fmt: skip
    (run,) = recorded(grown, grown.head())
    assert ("s", "ci-large") == (run.suite, run.testbed.name)
    assert ("a", "b") in run.tags


def test_a_retracted_run_stays_retracted(grown: Project, history: str) -> None:
    """Importing again brings nothing back that somebody withdrew."""
    grown.gitbench("import", history)
    grown.gitbench("rm", "--commit", "HEAD", "--reason", "wrong machine", "--yes")
    again = grown.gitbench("import", history)
    assert "13 were there already; 1 stay retracted" in again.out
    assert [] == recorded(grown, grown.head())


def test_a_broken_history_imports_nothing(grown: Project, history: str) -> None:
    """A file that was cut off leaves no ref."""
    path = Path(history)
    path.write_text(path.read_text()[:-5])
    result = grown.gitbench("import", history, "--from", "github-action-benchmark",
                            code=4)  # fmt: skip
    assert history in result.err
    assert "" == grown.git("for-each-ref", REF)


def test_a_history_of_which_nothing_fits_is_an_error(
    grown: Project, tmp_path: Path
) -> None:
    """Nothing imported is not a success, and the reasons are told."""
    path = tmp_path / "data.js"
    path.write_text(data_js(point("abcdef1", 1, 1)))
    result = grown.gitbench("import", str(path), code=4)
    assert "short id" in result.err
    assert "nothing was imported" in result.err


def test_an_interrupted_import_leaves_the_notes_as_they_were(
    grown: Project, tmp_path: Path
) -> None:
    """Killed in the middle, it has moved no ref; the next one does it all."""
    ids = [f"{number:040x}" for number in range(1, 6000)]
    path = tmp_path / "data.js"
    path.write_text(data_js(*(point(one, 1, i) for i, one in enumerate(ids))))
    grown.record({"sort": 1})
    before = grown.head(REF)
    objects = grown.path / ".git/objects"
    count = sum(1 for _ in objects.iterdir())
    process = subprocess.Popen(
        [sys.executable, "-m", "gitbench", "import", str(path)],
        cwd=grown.path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and sum(1 for _ in objects.iterdir()) < count + 100:
        pass
    process.kill()
    process.wait()
    assert before == grown.head(REF)
    grown.git("fsck", "--strict")
    result = grown.gitbench("import", str(path))
    assert "Imported 5,999 runs." in result.out
    assert before == grown.head(f"{REF}^")
    assert 1 == len(recorded(grown, grown.head()))


def test_what_others_record_meanwhile_is_kept(grown: Project, history: str) -> None:
    """A ref that moved during the import is united with it."""
    from gitbench import importing
    from gitbench.cli.import_ import finder, open_history
    from gitbench.cli.workspace import Workspace
    from gitbench.config import Config
    from gitbench.store.batch import Batch

    repository = Repository.open(grown.path, os.environ)
    work = Workspace(repository, Config(), Notes(repository), os.environ)
    batch = Batch(work.notes)
    found = open_history(work, history, None, None, None)
    wanted = importing.Wanted(found.kind, now_ms=1)
    for run in importing.runs(found.points, finder(work), wanted):
        if isinstance(run, Run):
            batch.add({run.commit: [run]})
    grown.record({"sort": 1})
    batch.finish("gitbench: import")
    assert 2 == len(recorded(grown, grown.head()))
    assert 14 == batch.tally.added


# ---------------------------------------------------------------- notes and folders


def test_notes_of_git_perf_are_imported(grown: Project) -> None:
    """`--from git-perf` knows the ref; commits keep their ids."""
    for i, commit in enumerate(commits(grown)):
        line = f"0\x1cbuild\x1c{1767225600 + i * 3600}\x1c{10 + i % 2}\x1cunit=ms"
        grown.git("notes", "--ref=perf-v3", "add", "-m", line, commit)
    result = grown.gitbench("import", "--from", "git-perf")
    assert "12 runs of 12 commits" in result.out
    assert 1 == written(grown)
    assert "0 runs; 12 were" in grown.gitbench("import", "refs/notes/perf-v3").out
    assert 0 == grown.gitbench("compare", "HEAD~1", code=None).code
    missing = grown.gitbench("import", "--from", "git-metrics", code=4)
    assert "git fetch origin refs/notes/metrics" in missing.err


def test_notes_of_a_remote_are_imported(grown: Project) -> None:
    """Any ref will do, if it is said whose notes it holds; without times a run begins
    when its commit was made."""
    note = '[[metrics]]\nname = "size"\nvalue = 12\n[metrics.tags]\nunit = "byte"\n'
    grown.git("notes", "--ref=metrics", "add", "-m", note, "HEAD")
    grown.git("update-ref", "refs/other/theirs", "refs/notes/metrics")
    assert "say it" in grown.gitbench("import", "refs/other/theirs", code=4).err
    grown.gitbench("import", "refs/other/theirs", "--from", "git-metrics")
    (run,) = recorded(grown, grown.head())
    assert 1000 * int(grown.git("log", "-1", "--format=%ct")) == run.started_at


def saved(commit: str) -> str:
    """What pytest-benchmark saves, as far as it is read."""
    return json.dumps(
        {
            "machine_info": {"cpu": {"brand_raw": "CPU", "count": 4}},
            "commit_info": {"id": commit, "dirty": False},
            "benchmarks": [
                {"fullname": "test.py::test_a", "stats": {"data": [1.0, 2.0]}}
            ],
            "datetime": "2026-01-02T03:04:05",
            "version": "5.1.0",
        }
    )


def test_a_folder_of_pytest_benchmark_is_imported(
    grown: Project, tmp_path: Path
) -> None:
    """The commit is in the file; one that was saved outside git has none."""
    folder = tmp_path / ".benchmarks/Linux-CPython-3.11-64bit"
    folder.mkdir(parents=True)
    ids = commits(grown)
    for i, commit in enumerate([*ids, "unversioned"]):
        (folder / f"{i:04}_x.json").write_text(saved(commit))
    result = grown.gitbench("import", str(folder.parent))
    assert "(pytest-benchmark): 12 runs of 12 commits" in result.out
    assert "1 that name no commit" in result.err
    again = grown.gitbench("import", str(folder.parent))
    assert "0 runs; 12 were" in again.out


def test_a_folder_of_dated_files_is_imported(grown: Project, tmp_path: Path) -> None:
    """Short ids in names are resolved; a pattern says where else they are."""
    rows = {"results": [{"command": "sort", "mean": 1.0, "times": [1.0, 1.1]}]}
    short = [one[:10] for one in commits(grown)]
    for place, names in (
        ("auto", [f"2026-01-{i + 1:02}_a{one}.json" for i, one in enumerate(short)]),
        ("plain", [f"2026-01-{i + 1:02}_{one}.json" for i, one in enumerate(short)]),
    ):
        (tmp_path / place).mkdir()
        for name in names:
            (tmp_path / place / name).write_text(json.dumps(rows))
    plain = str(tmp_path / "plain")
    options = ("--pattern", "{date}_{commit}.json", "--testbed", "bed")
    grown.gitbench("import", plain, *options)
    (run,) = recorded(grown, commits(grown)[0])
    assert ("bed", 1_767_225_600_000, "tool-naive") == (
        run.testbed.name, run.started_at, run.time_source,
    )  # fmt: skip
    odd = str(tmp_path / "auto")
    result = grown.gitbench("import", odd, "--pattern", "{date}_a{commit}.json",
                            "--dry-run")  # fmt: skip
    assert "Would import 12 runs" in result.out
    wrong = grown.gitbench("import", odd, "--pattern", "{date}", code=4)
    assert "does not say where the commit is" in wrong.err


def test_hostile_names_are_made_safe(grown: Project, tmp_path: Path) -> None:
    """What a history is called and holds cannot act on a terminal."""
    nasty = "\x1b]0;x\x07::error::"
    content = {
        "entries": {
            nasty: [point(grown.head(), 1, 1, tool=nasty), point(nasty, 1, 1), nasty]
        }
    }
    path = tmp_path / "data.js"
    path.write_text(f"window.BENCHMARK_DATA = {json.dumps(content)}")
    result = grown.gitbench("import", str(path))
    assert "\x1b" not in result.out + result.err
    assert not any(
        line.lstrip().startswith("::")
        for line in (result.out + result.err).splitlines()
    )


def test_without_a_source_only_notes_can_be_meant(project: Project) -> None:
    """A missing argument is an error of usage that names the ways."""
    result = project.gitbench("import", code=2)
    assert "Name what to import" in result.err
    project.gitbench("import", "--from", "nonsense", "x", code=2)

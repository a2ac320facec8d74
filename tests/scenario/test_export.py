"""`gitbench export` as its users call it, and the tools that they feed with it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.project import Project

BENCHSTAT = Path.home() / ".cache/gitbench-benchmarks/bin/benchstat"


@pytest.fixture
def history(project: Project) -> Project:
    """Four commits, three of them with results, twice 10 % slower."""
    for number, factor in enumerate((1.0, 1.1, None, 1.21)):
        if number:
            project.commit(f"commit {number}")
        if factor is not None:
            values = {
                name: [factor * one for one in (1.0, 1.01, 0.99, 1.02, 0.98, 1.0)]
                for name in ("sort", "load")
            }
            project.record(values)
    return project


def ids(project: Project, *arguments: str) -> list[str]:
    """Ids of the runs that are exported, in their order."""
    out = project.gitbench("export", *arguments).out
    return [json.loads(line)["id"] for line in out.splitlines()]


def shown(project: Project, *revisions: str) -> list[str]:
    """Ids of the runs on commits."""
    rows = project.gitbench("log", "--json").json
    by_commit = {row["commit"]: [run["id"] for run in row["runs"]] for row in rows}
    return [id_ for one in revisions for id_ in by_commit[project.head(one)]]


def test_commits_are_chosen_as_with_git(history: Project) -> None:
    """Nothing is everything; a revision is a commit, with -n the way back from it."""
    everything = shown(history, "HEAD", "HEAD~2", "HEAD~3")
    assert sorted(ids(history)) == sorted(ids(history, "--all")) == sorted(everything)
    assert ids(history, "HEAD") == shown(history, "HEAD")
    assert ids(history, "HEAD~3", "HEAD") == shown(history, "HEAD~3", "HEAD")
    assert ids(history, "-n", "2") == shown(history, "HEAD", "HEAD~2")
    assert ids(history, "-n", "1", "HEAD~1") == shown(history, "HEAD~2")
    assert ids(history, "HEAD~2..HEAD") == shown(history, "HEAD")
    assert ids(history, "HEAD~3..HEAD") == shown(history, "HEAD", "HEAD~2")
    late = ids(history, "HEAD", "--since", "2026-01-01T01:30")
    assert late == shown(history, "HEAD", "HEAD~2")


def test_runs_and_measurements_are_chosen(history: Project) -> None:
    """Globs choose suites, machines, benchmarks and metrics; a part has no id."""
    everything = ids(history)
    assert ids(history, "--suite", "u*", "--testbed", "ci-*") == everything
    rows = history.gitbench("export", "-n", "2", "--benchmark", "so*").out.splitlines()
    assert len(rows) == 2
    for row in map(json.loads, rows):
        assert "id" not in row
        assert [one["benchmark"] for one in row["measurements"]] == ["sort"]
    for option in ("--suite", "--testbed", "--benchmark", "--metric"):
        result = history.gitbench("export", option, "none", code=3)
        assert "nothing was written" in result.err
    assert "takes no REVISION" in history.gitbench("export", "--all", "x", code=2).err
    assert "1d" in history.gitbench("export", "--since", "1d1", code=2).err


def test_retracted_runs_are_not_exported(history: Project) -> None:
    """What counts for nothing is left out."""
    (gone,) = shown(history, "HEAD")
    history.gitbench("rm", gone)
    assert gone not in ids(history)
    assert "No results fit" in history.gitbench("export", "HEAD", code=3).err


def test_an_export_is_recorded_again_as_it_was(
    history: Project, tmp_path: Path
) -> None:
    """In another clone, in a CI job, the same runs come out, under the same ids."""
    out = tmp_path / "runs.jsonl"
    history.gitbench("export", "--output", str(out))
    clone = Project.clone(history.path, tmp_path / "clone")
    job = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "7", "GITHUB_JOB": "x"}
    clone.gitbench("record", str(out), environ=job)
    assert ids(clone) == ids(history)
    assert clone.gitbench("export").out == out.read_text()
    assert "Already" in clone.gitbench("record", str(out)).out


def test_sqlite_is_one_file(history: Project, tmp_path: Path) -> None:
    """It is written anew as a whole, never to a folder or a terminal."""
    path = tmp_path / "b.sqlite"
    for _ in range(2):
        history.gitbench("export", "--format", "sqlite", "--output", str(path))
        with closing(sqlite3.connect(path)) as db:
            query = "SELECT center FROM series WHERE benchmark = 'sort' ORDER BY 1"
            found = [round(center, 6) for (center,) in db.execute(query)]
        assert found == [1.0, 1.1, 1.21]
    result = history.gitbench("export", "--format", "sqlite", code=2)
    assert "--output" in result.err
    result = history.gitbench(
        "export", "--format", "sqlite", "--output", str(tmp_path), code=4
    )
    assert "is a folder" in result.err
    missing = str(tmp_path / "no" / "b.sqlite")
    result = history.gitbench("export", "--output", missing, code=4)
    assert "cannot be written" in result.err


def test_several_repositories_become_one_dataset(
    history: Project, tmp_path: Path
) -> None:
    """Bare repositories and ones of one name are gathered, each under its own."""
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import dataset

    (tmp_path / "other").mkdir()
    bare = tmp_path / "other" / "project.git"
    subprocess.run(
        ["git", "clone", "--quiet", "--mirror", str(history.path), str(bare)],
        check=True,
    )
    out = tmp_path / "results"
    arguments = ("export", "--format", "parquet", "--output", str(out), "--from")
    more = (str(history.path), "--from", str(bare), "main", "-n", "2")
    history.gitbench(*arguments, *more, cwd=tmp_path)
    table = dataset.dataset(out, format="parquet", partitioning="hive").to_table()
    rows = {(row["repository"], row["run_id"]) for row in table.to_pylist()}
    base = tmp_path.name
    expected = shown(history, "HEAD", "HEAD~2")
    assert rows == {
        (name, id_) for name in (f"{base}/project", "other/project") for id_ in expected
    }
    assert "--force" in history.gitbench(*arguments, *more, cwd=tmp_path, code=4).err
    history.gitbench(*arguments, *more, "--force", cwd=tmp_path)
    twice = (str(bare), "--from", str(bare))
    assert "twice" in history.gitbench(*arguments, *twice, code=4).err
    assert "no such" in history.gitbench(*arguments, "nowhere", code=4).err


def test_pytest_benchmark_compares_what_is_held(
    history: Project, tmp_path: Path
) -> None:
    """The tool itself reads a file a run, and finds the change."""
    command = shutil.which("pytest-benchmark", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("the command pytest-benchmark is not installed")
    out = f"{tmp_path}/saved/"
    history.gitbench("export", "--format", "pytest-benchmark", "--output", out)
    names = sorted(str(path) for path in Path(out).glob("*.json"))
    assert len(names) == 3
    done = subprocess.run(
        [command, "compare", "--columns=mean", "--sort=mean", *names],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "6 tests" in done.stdout
    assert "(1.21)" in done.stdout
    result = history.gitbench("export", "--format", "pytest-benchmark", code=4)
    assert "holds one run, and 3 fit" in result.err


@pytest.mark.skipif(not BENCHSTAT.exists(), reason="benchstat is not installed")
def test_benchstat_compares_what_is_held(history: Project, tmp_path: Path) -> None:
    """The tool itself reads a file a commit, and finds the change."""
    for name, revision in (("base", "HEAD~3"), ("head", "HEAD")):
        path = str(tmp_path / name)
        history.gitbench("export", "--format", "go", "--output", path, revision)
    done = subprocess.run(
        [BENCHSTAT, "base", "head"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "+21.00% (p=0.002 n=6)" in done.stdout
    assert "sec/op" in done.stdout
    assert "_sort" in done.stdout
    result = history.gitbench("export", "--format", "go", code=4)
    assert "holds one commit, and 3 fit" in result.err


@pytest.mark.parametrize("form", ["json", "csv", "openmetrics"])
def test_text_goes_to_standard_output_or_a_file(
    history: Project, tmp_path: Path, form: str
) -> None:
    """Both are the same; a dash is standard output."""
    path = tmp_path / "out.txt"
    history.gitbench("export", "--format", form, "--output", str(path))
    out = history.gitbench("export", "--format", form).out
    assert (
        out
        == path.read_text()
        == history.gitbench("export", "--format", form, "--output", "-").out
    )

"""`gitbench record` of folders, archives and parts, as its users call it."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from gitbench.model import Run
from gitbench.store.notes import Notes
from gitbench.store.repository import Repository
from tests.project import Project


def recorded(project: Project) -> list[Run]:
    notes = Notes(Repository.open(project.path, os.environ))
    return [one.run for one in notes.records(project.head()).runs]


def names(run: Run) -> list[str]:
    return [one.benchmark.label for one in run.measurements]


def hyperfine(*commands: str, start: float = 1.0) -> str:
    rows = [
        {"command": one, "mean": start, "times": [start, start + i]}
        for i, one in enumerate(commands, 1)
    ]
    return json.dumps({"results": rows})


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder with two results and two files that are none."""
    folder = tmp_path / "results"
    (folder / "deep").mkdir(parents=True)
    (folder / "one.json").write_text(hyperfine("sort"))
    (folder / "deep/two.json").write_text(hyperfine("load", "save"))
    (folder / "README.md").write_text("# Results\n")
    (folder / "settings.toml").write_text("[tool]\nname = 'x'\n")
    return folder


def packed(path: Path, members: dict[str, bytes | str], mode: str = "w:gz") -> str:
    """An archive; a text is where a symbolic link leads."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return str(path)


def test_each_result_of_a_folder_is_a_run(project: Project, results: Path) -> None:
    """Runs of one call are one session, and what is no result is named once."""
    result = project.gitbench("record", str(results))

    runs = recorded(project)
    assert {("sort",), ("load", "save")} == {tuple(names(run)) for run in runs}
    assert 1 == len({run.session for run in runs})
    assert "2 of 4 files are of no known tool" in result.err
    assert "README.md, settings.toml" in result.err
    assert "Already recorded" in project.gitbench("record", str(results)).out
    assert 2 == len(recorded(project))


def test_a_broken_result_of_a_folder_is_an_error(
    project: Project, results: Path
) -> None:
    """A file that was cut off records nothing, not even the others."""
    (results / "three.json").write_text(hyperfine("x")[:-10])
    result = project.gitbench("record", str(results), code=4)
    assert "three.json" in result.err
    assert [] == recorded(project)


def test_a_folder_without_results_is_an_error(project: Project, tmp_path: Path) -> None:
    """Nothing recorded is not a success."""
    (tmp_path / "none").mkdir()
    (tmp_path / "none/README.md").write_text("# None\n")
    result = project.gitbench("record", str(tmp_path / "none"), code=4)
    assert "holds no result" in result.err


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_is_a_folder(
    project: Project, results: Path, tmp_path: Path, mode: str
) -> None:
    """The same files, packed or not, by name or from a pipe, are the same results."""
    members: dict[str, bytes | str] = {
        f"results/{path.relative_to(results)}": path.read_bytes()
        for path in sorted(results.rglob("*"))
        if path.is_file()
    }
    archive = packed(tmp_path / "results.tar.gz", members, mode)
    project.gitbench("record", str(results))
    assert "Already recorded" in project.gitbench("record", archive).out
    piped = project.gitbench("record", "-", stdin=Path(archive).read_bytes())
    assert "Already recorded" in piped.out
    assert 2 == len(recorded(project))


def test_nothing_of_an_archive_leads_out_of_it(
    project: Project, tmp_path: Path
) -> None:
    """Links and paths with `..` are passed over, and no file is written."""
    (tmp_path / "secret.json").write_text(hyperfine("secret"))
    archive = packed(
        tmp_path / "evil.tar.gz",
        {
            "../escaped.json": hyperfine("escaped").encode(),
            "/absolute.json": hyperfine("absolute").encode(),
            "link.json": str(tmp_path / "secret.json"),
            "good.json": hyperfine("good").encode(),
        },
    )
    before = sorted(tmp_path.rglob("*.json"))
    project.gitbench("record", archive)
    assert [["good"]] == [names(run) for run in recorded(project)]
    assert before == sorted(tmp_path.rglob("*.json"))


def test_an_archive_with_an_endless_header_is_refused(
    project: Project, tmp_path: Path
) -> None:
    """What a header says of the next entry is read at once, so it is bounded."""
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 2**33
    path = tmp_path / "a.tar"
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    result = project.gitbench("record", str(path), code=4)
    assert "a header of more than 1 MiB" in result.err


@pytest.mark.parametrize("keep", [600, 100])
def test_a_damaged_archive_is_an_error(
    project: Project, tmp_path: Path, keep: int
) -> None:
    """An archive that was cut off records nothing."""
    content = os.urandom(2000).hex().encode()
    archive = Path(packed(tmp_path / "a.tar.gz", {"x.json": content}))
    archive.write_bytes(archive.read_bytes()[:keep])
    project.gitbench("record", str(archive), code=4)
    assert [] == recorded(project)


def test_a_filter_keeps_what_fits(project: Project, tmp_path: Path) -> None:
    """It says how much it left out; two parts of one file are two results, one part
    twice is one."""
    path = tmp_path / "r.json"
    path.write_text(hyperfine("sort", "load", "save"))
    result = project.gitbench("record", str(path), "--filter", "s*")
    assert "left out 1 of 3 measurements" in result.err
    project.gitbench("record", str(path), "--filter", "load")
    again = project.gitbench("record", str(path), "--filter", "sort", "--filter", "sa*")
    assert "Already recorded" in again.out
    assert {("sort", "save"), ("load",)} == {
        tuple(names(run)) for run in recorded(project)
    }
    nothing = project.gitbench("record", str(path), "--filter", "x", code=4)
    assert "fits none of 3 measurements" in nothing.err


def test_a_renamed_result_is_known_again(project: Project, tmp_path: Path) -> None:
    """The same file under the same new names is the same result."""
    path = tmp_path / "r.json"
    path.write_text(hyperfine("sort", "load"))
    project.gitbench("record", str(path), "--rename", "sort=order")
    for same in ("sort=order", "sort*=order*"):
        again = project.gitbench("record", str(path), "--rename", same)
        assert "Already recorded" in again.out
    assert [["order", "load"]] == [names(run) for run in recorded(project)]
    wrong = project.gitbench("record", str(path), "--rename", "srot=x", code=4)
    assert "did you mean 'sort'" in wrong.err


def test_shards_are_one_run(project: Project, tmp_path: Path) -> None:
    """In whatever order they are named, they are the same run."""
    files = []
    for i, name in enumerate(("sort", "load")):
        path = tmp_path / f"shard-{i}.json"
        path.write_text(hyperfine(name, start=1.0 + i))
        files.append(str(path))
    project.gitbench("record", *files, "--merge-runs")
    (run,) = recorded(project)
    assert ["sort", "load"] == names(run)
    again = project.gitbench("record", *reversed(files), "--merge-runs")
    assert "Already recorded" in again.out
    twice = project.gitbench("record", files[0], files[0], "--merge-runs", code=4)
    assert "not different processes" in twice.err


@pytest.mark.parametrize(
    ("text", "at", "source"),
    [
        ("2026-01-02T03:04:05Z", 1_767_323_045_000, "tool"),
        ("2026-01-02T03:04:05", 1_767_323_045_000, "tool-naive"),
        ("1767323045", 1_767_323_045_000, "tool"),
        ("1767323045.5", 1_767_323_045_500, "tool"),
        ("1767323045123", 1_767_323_045_123, "tool"),
    ],
)
def test_the_time_can_be_told(
    project: Project, tmp_path: Path, text: str, at: int, source: str
) -> None:
    """A time without a zone is marked; the origin does not depend on it."""
    path = tmp_path / "r.json"
    path.write_text(hyperfine("sort"))
    project.gitbench("record", str(path), "--started-at", text)
    (run,) = recorded(project)
    assert (at, source) == (run.started_at, run.time_source)
    assert "Already recorded" in project.gitbench("record", str(path)).out
    project.gitbench("record", str(path), "--started-at", "yesterday", code=2)


def test_columns_of_a_table_are_named(project: Project, tmp_path: Path) -> None:
    """`--column` says what a table's header does not; `--tool auto` is the default."""
    path = tmp_path / "r.csv"
    path.write_text("name,seconds,size\nsort,1.5,10\nsort,1.25,20\n")
    options = ("--tool", "csv", "--column", "benchmark=name", "--column", "value=")
    project.gitbench("record", str(path), *options, code=2)
    options = (*options[:-1], "value=seconds", "--column", "param:size=size")
    project.gitbench("record", str(path), *options)
    (run,) = recorded(project)
    assert ["sort [size=10]", "sort [size=20]"] == names(run)
    other = tmp_path / "h.json"
    other.write_text(hyperfine("x"))
    project.gitbench("record", str(other), "--tool", "auto")


def test_runs_of_one_file_are_all_kept(project: Project, tmp_path: Path) -> None:
    """Two runs that only their place in a file tells apart are two results."""
    content: dict[str, Any] = project.results({"sort": 1})
    path = tmp_path / "r.jsonl"
    other = {**content, "started_at": "2026-02-01T00:00:00Z"}
    path.write_text(f"{json.dumps(content)}\n{json.dumps(other)}\n")
    project.gitbench("record", str(path))
    assert 2 == len(recorded(project))
    project.gitbench("record", str(path))
    assert 2 == len(recorded(project))


def test_a_dry_run_shows_what_was_understood(project: Project, tmp_path: Path) -> None:
    """Which reader, why, and of each metric its unit, direction and kind."""
    path = tmp_path / "r.json"
    path.write_text(hyperfine("sort"))
    out = project.gitbench("record", str(path), "--dry-run").out
    for part in ("hyperfine, which its content is of", "when recorded", "2 x 1"):
        assert part in out
    assert ["sort", "duration", "s", "lower", "duration"] == next(
        line.split()[:5] for line in out.splitlines() if line.startswith("  sort")
    )
    named = project.gitbench(
        "record", str(path), "--dry-run", "--tool", "hyperfine"
    ).out
    assert "hyperfine, as --tool says" in named
    assert [] == recorded(project)

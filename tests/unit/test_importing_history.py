"""Real histories of other projects, where this machine has them."""

from __future__ import annotations

import gzip
import importlib.util
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from gitbench import importing
from gitbench.cli.archives import open_archive
from gitbench.cli.sources import open_folder
from gitbench.importing import Place, Point, Skipped, Wanted, data_js, files, notes
from gitbench.model import Run

HISTORY = Path(__file__).parents[3] / "shared/data/history"
pytestmark = pytest.mark.skipif(
    not HISTORY.is_dir(), reason="the collection of real histories is not here"
)


def counts(found: Iterable[Point | Skipped]) -> tuple[int, int, int, dict[str, int]]:
    """Runs, commits, measurements, and what was left out by reason."""
    made = list(importing.runs(found, _anything, Wanted("test", now_ms=1)))
    runs = [one for one in made if isinstance(one, Run)]
    return (
        len(runs),
        len({run.commit for run in runs}),
        sum(len(run.measurements) for run in runs),
        dict(Counter(one.reason for one in made if isinstance(one, Skipped))),
    )


def _anything(id_: str) -> Place | None:
    """A clone that has a commit for every short id."""
    return Place(id_.ljust(40, "0"), "1" * 40, 1) if len(id_) < 40 else None


@pytest.mark.parametrize(
    ("name", "runs", "commits", "measurements"),
    [
        ("blaze_nodejs", 78, 38, 3199),
        ("cocotb_pytest", 338, 338, 648),
        ("finch_go_macos12-arm64", 140, 140, 3423),
        ("hyper_cargo", 879, 440, 7603),
        ("python-llsd_pytest", 18, 18, 262),
        ("rune_cargo", 411, 410, 4284),
        ("secretlint_benchmarkjs", 1527, 1527, 3054),
        ("sfdx-git-delta_runtime", 41, 41, 1387),
    ],
)
def test_data_js(name: str, runs: int, commits: int, measurements: int) -> None:
    """Every point is a run, and every row, numbers as text too, a measurement."""
    path = HISTORY / f"github-action-benchmark/{name}.data.js.gz"
    found = counts(data_js.read(path.read_bytes()))
    assert (runs, commits, measurements, {}) == found


def held(path: str) -> list[tuple[str, bytes]]:
    """The notes of an archive by commit."""
    with tarfile.open(HISTORY / path) as archive:
        content = {
            Path(member.name).stem: archive.extractfile(member)
            for member in archive
            if member.name.endswith(".note")
        }
        return [(name, file.read()) for name, file in content.items() if file]


@pytest.mark.parametrize(
    ("path", "read", "runs", "measurements", "skipped"),
    [
        (
            "git-notes/kaihowl_git-perf_refs-notes-perf.tar.gz",
            notes.read_git_perf,
            158,
            342,
            {"bad-value": 52},
        ),
        (
            "git-notes/jdrouet_git-metrics_refs-notes-metrics.tar.gz",
            notes.read_git_metrics,
            208,
            1805,
            {},
        ),
    ],
)
def test_notes(
    path: str, read: Callable[..., Any], runs: int, measurements: int, skipped: Any
) -> None:
    """Every note with a value is read; lines of other programs are counted."""
    found = counts(read(held(path)))
    assert (runs, measurements, skipped) == (found[0], found[2], found[3])


def test_the_experiment_of_git_perf() -> None:
    """Ten jobs measured one commit: 210 values of 21 series."""
    path = HISTORY.parent / "aa/git-perf-baseline/bacd53af1c85_notes-perf-v3.txt"
    (one,) = [
        one
        for one in notes.read_git_perf([("b" * 40, path.read_bytes())])
        if isinstance(one, Point)
    ]
    assert [10] * 21 == [len(row.processes) for row in one.reading.measurements]
    assert {"ns"} == {row.metric.unit for row in one.reading.measurements}


def test_pyperf_files_are_on_the_commits_in_their_names() -> None:
    """Eight nights of CPython, each with the beginning of its commit's id."""
    found = list(files.read(open_folder(HISTORY / "pyperf-nightly-cpython")))
    points = [one for one in found if isinstance(one, Point)]
    assert (8, 8) == (len(points), len(found))
    assert {20} == {len(one.reading.commit or "") for one in points}
    assert "c3aefdb9eff073405837" in {one.reading.commit for one in points}


def test_go_files_are_on_the_commits_in_their_names() -> None:
    """Thirteen nights of Go; what stands beside them is no result."""
    found = list(files.read(open_folder(HISTORY / "gobench-tip-series")))
    assert 13 == sum(isinstance(one, Point) for one in found)
    assert ["unrecognised"] == [one.reason for one in found if isinstance(one, Skipped)]


@pytest.mark.skipif(
    importlib.util.find_spec("gitbench.formats.google_benchmark") is None,
    reason="this build has no reader of Google Benchmark",
)
@pytest.mark.parametrize(
    ("name", "runs"),
    [("Benchmark_Atomic_MinMax_last120", 120), ("Benchmark_Atomic_MinMax", 221)],
)
def test_google_benchmark_files_are_on_the_commits_they_tell(
    name: str, runs: int
) -> None:
    """Their context holds the beginning of the commit's id."""
    path = HISTORY / f"googlebenchmark-kokkos/{name}.tar.gz"
    found = counts(files.read(open_archive(name, path.read_bytes())))
    assert (runs, {}) == (found[0], found[3])


@pytest.mark.skipif(
    importlib.util.find_spec("gitbench.formats.asv") is None,
    reason="this build has no reader of asv",
)
@pytest.mark.parametrize(
    ("name", "runs", "commits", "measurements"),
    [
        ("conda", 352, 351, 6542),
        ("networkx", 36, 12, 2448),
        ("photutils", 232, 232, 25056),
    ],
)
def test_asv(name: str, runs: int, commits: int, measurements: int) -> None:
    """Every file with a result is a run, on the commit that it names, at a time that
    is not the import's."""
    path = HISTORY / f"asv/{name}.tar.gz"
    points = list(files.read_asv(open_archive(name, path.read_bytes())))
    assert (runs, commits, measurements) == counts(points)[:3]
    made = importing.runs(points, lambda _: None, Wanted("asv", now_ms=1))
    assert all(one.started_at > 10**12 for one in made if isinstance(one, Run))


def test_a_gzipped_file_is_read_as_it_is() -> None:
    """Whoever unpacks it first gets the same."""
    path = HISTORY / "github-action-benchmark/python-llsd_pytest.data.js.gz"
    packed = [one.data for one in data_js.read(path.read_bytes())
              if isinstance(one, Point)]  # fmt: skip
    plain = [one.data for one in data_js.read(gzip.decompress(path.read_bytes()))
             if isinstance(one, Point)]  # fmt: skip
    assert packed == plain

"""The comparison of 2,000 benchmarks, by gitbench and by tools that do the same.

All get the same values: ten runs of a baseline and one of head, with 30 values of
each benchmark.  What they do with them differs: benchstat and asv test the pooled
values, pyperf tests means, pytest-benchmark only tabulates.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.commands import compared_repository
from benchmarks.harness import (
    Command,
    Context,
    Finding,
    Skipped,
    compare_times,
    gitbench,
    in_turn,
)
from benchmarks.repositories import Repository, names, timings

BENCHSTAT = "golang.org/x/perf/cmd/benchstat@latest"
ASV = "asv>=0.6.5"
WINDOW = 10
VALUES = 30

Samples = Sequence[Sequence[float]]
"""Values of one run, a sequence a benchmark."""


def peers(context: Context) -> list[Finding]:
    """2,000 benchmarks x 11 runs x 30 values: not slower than any of them."""
    size = context.pick(2_000, 12)
    context.say(f"making {WINDOW + 1} runs of {size:,} benchmarks")
    repository, _ = compared_repository(context, "peers", size, VALUES)
    ours = Command(
        f"compare main, {size:,} benchmarks",
        gitbench("compare", "main"),
        repository.path,
        codes=(0, 1),
        says="baseline",
    )
    base = [timings(size, VALUES, n) for n in range(WINDOW)]
    head = timings(size, VALUES, WINDOW)
    found = []
    for name, prepare in PEERS.items():
        what = f"compare, {size:,} benchmarks, to {name}"
        context.say(f"preparing {name}")
        try:
            theirs = prepare(context, context.sub(f"peer-{name}"), base, head)
        except Skipped as exc:
            found.append(Finding("peers", what, skipped=str(exc)))
            continue
        timed = in_turn(context, (ours, theirs), 5)
        found.append(
            compare_times("peers", what, (ours, theirs), (timed[0], timed[1]), 1.0)
        )
    return found


def cache(context: Context) -> Path:
    """Where tools are kept that had to be installed for this."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "gitbench-benchmarks"


def install(context: Context, argv: Sequence[str], **environ: str) -> None:
    """Run an installer; a machine without a network skips the tool."""
    if context.smoke:
        raise Skipped("not installed; a run without --smoke installs it")
    try:
        done = subprocess.run(
            argv,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise Skipped(f"cannot be installed: {exc}") from exc
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise Skipped(f"cannot be installed: {words[-1][:200]}")


# ------------------------------------------------------------------- benchstat


def benchstat(
    context: Context, folder: Path, base: Sequence[Samples], head: Samples
) -> Command:
    """Go's benchstat, on two files of `go test -bench` lines."""
    program = shutil.which("benchstat") or str(cache(context) / "bin" / "benchstat")
    if not Path(program).exists():
        go = shutil.which("go")
        if go is None:
            raise Skipped("neither benchstat nor go is on the PATH")
        install(context, [go, "install", BENCHSTAT], GOBIN=str(Path(program).parent))
    for name, runs in (("base.txt", base), ("head.txt", [head])):
        with (folder / name).open("w") as file:
            file.write("goos: linux\ngoarch: amd64\npkg: example.com/unit\n")
            for run in runs:
                for bench, sample in zip(names(len(head)), run, strict=True):
                    file.writelines(
                        f"Benchmark{bench}-2 1 {value * 1e9:.0f} ns/op\n"
                        for value in sample
                    )
    return Command(
        "benchstat base.txt head.txt",
        (program, "base.txt", "head.txt"),
        folder,
        says="benchmark_0",
    )


# ---------------------------------------------------------------------- pyperf


def pyperf(
    context: Context, folder: Path, base: Sequence[Samples], head: Samples
) -> Command:
    """pyperf's compare_to, on two files of one run (process) for each of ours."""
    try:
        import pyperf as tool  # type: ignore[import-untyped]
    except ImportError as exc:
        raise Skipped("pyperf is not installed; it is among the dev extras") from exc
    for name, runs in (("base.json", base), ("head.json", [head])):
        suite = tool.BenchmarkSuite(
            [
                tool.Benchmark(
                    [
                        tool.Run(
                            run[place],
                            metadata={"name": bench, "loops": 1},
                            collect_metadata=False,
                        )
                        for run in runs
                    ]
                )
                for place, bench in enumerate(names(len(head)))
            ]
        )
        suite.dump(str(folder / name))
    return Command(
        "pyperf compare_to base.json head.json",
        (sys.executable, "-m", "pyperf", "compare_to", "base.json", "head.json"),
        folder,
        says="benchmark",
    )


# ------------------------------------------------------------ pytest-benchmark


def pytest_benchmark(
    context: Context, folder: Path, base: Sequence[Samples], head: Samples
) -> Command:
    """pytest-benchmark's compare, on a file a run, benchmarks side by side."""
    try:
        import pytest_benchmark  # noqa: F401
    except ImportError as exc:
        raise Skipped(
            "pytest-benchmark is not installed; it is among the dev extras"
        ) from exc
    files = []
    for number, run in enumerate((*base, head)):
        files.append(f"{number:04}_run.json")
        rows = [
            _pytest_row(bench, sample)
            for bench, sample in zip(names(len(head)), run, strict=True)
        ]
        document = {
            "machine_info": {"node": "machine"},
            "commit_info": {"id": f"{number:040x}", "branch": "main", "dirty": False},
            "benchmarks": rows,
            "datetime": "2026-01-01T00:00:00+00:00",
            "version": "5.0.0",
        }
        (folder / files[-1]).write_text(json.dumps(document))
    beside = Path(sys.executable).parent / "pytest-benchmark"
    return Command(
        "pytest-benchmark compare --group-by=fullname (11 files)",
        (str(beside), "compare", "--group-by=fullname", *files),
        folder,
        says="benchmark_0",
    )


def _pytest_row(name: str, sample: Sequence[float]) -> dict[str, object]:
    """One benchmark of a file, with the statistics that the tool stores."""
    low, median, high = statistics.quantiles(sample, n=4)
    mean = statistics.fmean(sample)
    return {
        "group": None,
        "name": name,
        "fullname": name,
        "params": None,
        "param": None,
        "extra_info": {},
        "options": {"warmup": False},
        "stats": {
            "min": min(sample),
            "max": max(sample),
            "mean": mean,
            "stddev": statistics.stdev(sample),
            "rounds": len(sample),
            "median": median,
            "iqr": high - low,
            "q1": low,
            "q3": high,
            "iqr_outliers": 0,
            "stddev_outliers": 0,
            "outliers": "0;0",
            "ld15iqr": min(sample),
            "hd15iqr": max(sample),
            "ops": 1 / mean,
            "total": sum(sample),
            "iterations": 1,
            "data": list(sample),
        },
    }


# ------------------------------------------------------------------------- asv


def asv(
    context: Context, folder: Path, base: Sequence[Samples], head: Samples
) -> Command:
    """asv's compare, on its own result files of two commits."""
    place = cache(context) / "asv"
    program = place / "bin" / "asv"
    if not program.exists():
        if context.smoke:
            raise Skipped("not installed; a run without --smoke installs it")
        venv.create(place, with_pip=True, clear=True)
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        # asv needs a module that setuptools 82 no longer has.
        install(context, [*pip, ASV, "setuptools<81"])
    repository = Repository.init(folder, context.environ)
    commits = [one.commit for one in repository.add_commits(2)]
    bench = names(len(head))
    _write(
        folder / "asv.conf.json",
        {
            "version": 1,
            "project": "unit",
            "repo": ".",
            "branches": ["main"],
            "environment_type": "virtualenv",
        },
    )
    results = folder / "results"
    facts = {"machine": "machine", "arch": "", "cpu": "", "os": "", "ram": ""}
    _write(results / "machine" / "machine.json", {**facts, "version": 1})
    _write(
        results / "benchmarks.json",
        {
            "version": 2,
            **{name: _asv_benchmark(name) for name in bench},
        },
    )
    pooled = [[v for run in base for v in run[n]] for n in range(len(bench))]
    for commit, samples in zip(commits, (pooled, head), strict=True):
        _write(
            results / "machine" / f"{commit[:8]}-env.json",
            {
                "commit_hash": commit,
                "env_name": "env",
                "date": 1_767_225_600_000,
                "params": facts,
                "python": "3.11",
                "requirements": {},
                "env_vars": {},
                "result_columns": list(_ASV_COLUMNS),
                "results": {
                    name: _asv_result(sample)
                    for name, sample in zip(bench, samples, strict=True)
                },
                "durations": {},
                "version": 2,
            },
        )
    return Command(
        "asv compare BASE HEAD",
        (str(program), "compare", "--machine=machine", *commits),
        folder,
        says="benchmark_0",
    )


_ASV_COLUMNS = (
    "result",
    "params",
    "version",
    "started_at",
    "duration",
    "stats_ci_99_a",
    "stats_ci_99_b",
    "stats_q_25",
    "stats_q_75",
    "stats_number",
    "stats_repeat",
    "samples",
    "profile",
)


def _asv_benchmark(name: str) -> dict[str, object]:
    return {
        "code": "",
        "name": name,
        "param_names": [],
        "params": [],
        "type": "time",
        "unit": "seconds",
        "version": "1",
    }


def _asv_result(sample: Sequence[float]) -> list[object]:
    low, median, high = statistics.quantiles(sample, n=4)
    spread = statistics.stdev(sample) / len(sample) ** 0.5
    return [
        [median],
        [],
        "1",
        1_767_225_600_000,
        1.0,
        [median - 2.6 * spread],
        [median + 2.6 * spread],
        [low],
        [high],
        [1],
        [len(sample)],
        [list(sample)],
    ]


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


PEERS: dict[str, Callable[[Context, Path, Sequence[Samples], Samples], Command]] = {
    "benchstat": benchstat,
    "asv compare": asv,
    "pyperf compare_to": pyperf,
    "pytest-benchmark compare": pytest_benchmark,
}

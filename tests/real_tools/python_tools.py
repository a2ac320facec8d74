"""Tools that are installed from PyPI: pytest-benchmark, pyperf, asv."""

from __future__ import annotations

import json
import re
import statistics

from tests.real_tools.kit import Failed, Place, Stored, flat, processes

PYTEST = """
import pytest

def test_sum(benchmark):
    benchmark(sum, range(1000))

@pytest.mark.parametrize("n", [10, 1000])
def test_sort(benchmark, n):
    benchmark(sorted, range(n, 0, -1))
"""
PER_SECOND = {"s": 1, "ms": 1e3, "us": 1e6, "μs": 1e6, "µs": 1e6, "ns": 1e9}


def pytest_benchmark(place: Place) -> str:
    """Its table: min, max, mean, median and rounds of each test."""
    programs = place.python("pytest", "pytest-benchmark")
    place.write("test_bench.py", PYTEST)
    place.commit()
    printed = place.run(
        str(programs / "pytest"),
        *("-p", "no:cacheprovider", "--benchmark-json=out.json"),
        "--benchmark-columns=min,max,mean,median,rounds",
        "--benchmark-max-time=0.2",
        "test_bench.py",
    )
    stored = place.record("out.json")
    unit = re.search(r"^Name \(time in (\w+)\)", printed, re.MULTILINE)
    rows = re.findall(r"^(test_\w+)(?:\[(\w+)\])? +(\d.*)$", printed, re.MULTILINE)
    if unit is None or len(rows) != 3:
        raise Failed(f"its table is not understood: {printed[-400:]}")
    for name, n, cells in rows:
        params = {"n": n} if n else {}
        one = stored.one(f"test_bench.py::{name}", **params)
        values = flat(one)
        scale = PER_SECOND[unit[1]] / PER_SECOND[one["unit"]]
        told = re.findall(r"([\d,.]+) \([\d,.>]+\)", cells)
        figures = {"min": min, "max": max, "mean": statistics.fmean}
        for text, (what, of) in zip(
            told, {**figures, "median": statistics.median}.items(), strict=True
        ):
            place.agree(what, text, of(values) * scale, name + n)
        place.same("rounds", int(cells.split()[-1]), len(values), name + n)
    return place.run(
        str(programs / "python"),
        "-c",
        "import pytest_benchmark as p; print(p.__version__)",
    ).strip()


PYPERF = """
import pyperf

runner = pyperf.Runner()
runner.timeit("sum", "sum(range(1000))")
runner.timeit("sort", "sorted(range(1000, 0, -1))")
"""


def pyperf(place: Place) -> str:
    """`pyperf stats` and `pyperf show`: mean, deviation, median, extremes, counts."""
    programs = place.python("pyperf")
    python = str(programs / "python")
    place.write("bench.py", PYPERF)
    place.commit()
    place.run(python, "bench.py", "-p", "4", "-n", "3", "-w", "1", "-o", "out.json")
    stored = place.record("out.json")
    printed = place.run(python, "-m", "pyperf", "stats", "out.json")
    for name in ("sum", "sort"):
        section = re.search(rf"^{name}\n-+\n(.*?)(?=^\w+\n-+|\Z)", printed, re.M | re.S)
        if section is None:
            raise Failed(f"pyperf stats tells nothing of {name}: {printed[-400:]}")
        one = stored.one(name)
        values = flat(one)
        for what, figure in (
            ("Minimum:", min(values)),
            ("Maximum:", max(values)),
            (r"Mean \+- std dev:", statistics.fmean(values)),
            (r"Median \+- MAD:", statistics.median(values)),
        ):
            told = re.search(rf"^{what} +([\d.]+) (\w+)", section[1], re.MULTILINE)
            if told is None:
                raise Failed(f"pyperf stats prints no {what} {section[1]}")
            scale = PER_SECOND[told[2]] / PER_SECOND[one["unit"]]
            plain = what.split()[0].rstrip(":").lower()
            place.agree(plain, told[1], figure * scale, name)
        told = re.search(r"^Mean .* \+- ([\d.]+) (\w+)$", section[1], re.MULTILINE)
        if told is not None:
            scale = PER_SECOND[told[2]] / PER_SECOND[one["unit"]]
            place.agree("stddev", told[1], statistics.stdev(values) * scale, name)
        count = re.search(r"^Total number of values: (\d+)", section[1], re.MULTILINE)
        place.same("count", int(count[1]) if count else None, len(values), name)
        place.same("processes", [3] * 4, processes(one), name)
    return place.run(python, "-c", "import pyperf; print(pyperf.__version__)").strip()


ASV = """
import time

class Sorting:
    params = [10, 1000]
    param_names = ["n"]

    def setup(self, n):
        self.data = list(range(n, 0, -1))

    def time_sort(self, n):
        sorted(self.data)

def time_sum():
    sum(range(1000))

def track_length():
    return 42
track_length.unit = "bytes"

def mem_list():
    return [0] * 1000
"""


def asv(place: Place) -> str:
    """`asv show`: the median of each benchmark, of parameters in a table."""
    programs = place.python("asv", "virtualenv")
    program = str(programs / "asv")
    place.write("benchmarks/__init__.py", "")
    place.write("benchmarks/bench.py", ASV)
    config = {
        "version": 1,
        "project": "proof",
        "project_url": "https://example.com/",
        "repo": ".",
        "branches": ["HEAD"],
        "environment_type": "existing",
        "benchmark_dir": "benchmarks",
        "env_dir": ".asv/env",
        "results_dir": ".asv/results",
        "html_dir": ".asv/html",
    }
    place.write("asv.conf.json", json.dumps(config))
    place.write(".gitignore", ".asv\n")
    commit = place.commit()
    home = {"HOME": str(place.folder / "asv-home")}
    (place.folder / "asv-home").mkdir()
    place.run(program, "machine", "--yes", **home)
    place.run(
        program,
        *("run", "--record-samples", "--set-commit-hash", commit),
        *("-E", f"existing:{programs / 'python'}"),
        *("-a", "repeat=5", "-a", "sample_time=0.02"),
        **home,
    )
    stored = place.record(".asv/results")
    printed = place.run(program, "show", commit, **home)
    _show_of_asv(place, stored, printed)
    return place.run(program, "--version", **home).split()[-1]


def _show_of_asv(place: Place, stored: Stored, printed: str) -> None:
    """Hold what `asv show` prints of the four benchmarks against what is stored."""
    cell = r"([\d.]+)(?:±[\d.]+)?(ns|μs|ms|s|k)?"
    for name, pattern, params in (
        ("Sorting.time_sort", rf"^ +10 +{cell} *$", {"n": "10"}),
        ("Sorting.time_sort", rf"^ +1000 +{cell} *$", {"n": "1000"}),
        ("time_sum", rf"^  {cell}$", {}),
        ("track_length", rf"^  {cell}$", {}),
        ("mem_list", rf"^  {cell}$", {}),
    ):
        section = re.search(
            rf"^bench\.{re.escape(name)} \[.*?(?=^bench\.|\Z)", printed, re.M | re.S
        )
        told = re.search(pattern, section[0], re.MULTILINE) if section else None
        if told is None:
            raise Failed(f"asv show prints no {name} {params}: {printed[-600:]}")
        if name.endswith(("sum", "sort")):
            one = stored.one(f"bench.{name}", **params)
            values = flat(one)
            scale = PER_SECOND[told[2]] / PER_SECOND[one["unit"]]
            place.agree("median", told[1], statistics.median(values) * scale, name)
            continue
        rows = [m for m in stored.measurements if m["benchmark"] == f"bench.{name}"]
        (value,) = flat(rows[0])
        place.agree(rows[0]["metric"], told[1], value / (1000 if told[2] else 1), name)

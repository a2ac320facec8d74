"""Tools of compiled languages: hyperfine, Google Benchmark, Go, criterion."""

from __future__ import annotations

import csv
import re
import shutil
import statistics

from tests.real_tools.kit import Failed, Place, Skipped, flat, processes, program

PER_SECOND = {"s": 1, "ms": 1e3, "us": 1e6, "µs": 1e6, "ns": 1e9, "ps": 1e12}


def hyperfine(place: Place) -> str:
    """Its summary of each command: mean, deviation, range and runs."""
    path = shutil.which("hyperfine") or str(place.cache / "bin/hyperfine")
    if not shutil.which(path):
        cargo = program("cargo")
        place.install(cargo, "install", "--root", str(place.cache), "hyperfine")
    place.write("code.txt", "")
    place.commit()
    printed = place.run(
        *(path, "--export-json", "out.json", "-N", "--warmup", "1", "--runs", "10"),
        *("-n", "short", "sleep 0.01", "-n", "long", "sleep 0.02"),
    )
    stored = place.record("out.json")
    pattern = (
        r"^Benchmark \d+: (\w+)\n"
        r".*?mean ± σ\): +([\d.]+) (m?s) ± +([\d.]+) (m?s) .*\n"
        r".*?min … max\): +([\d.]+) (m?s) … +([\d.]+) (m?s) +(\d+) runs"
    )
    found = re.findall(pattern, printed, re.MULTILINE)
    place.same("benchmarks", ["short", "long"], [row[0] for row in found], "summary")
    for name, *cells, runs in found:
        one = stored.one(name)
        values = flat(one)
        figures = {
            "mean": statistics.fmean(values),
            "stddev": statistics.stdev(values),
            "min": min(values),
            "max": max(values),
        }
        for place_of, (what, figure) in enumerate(figures.items()):
            text, unit = cells[2 * place_of : 2 * place_of + 2]
            scale = PER_SECOND[unit] / PER_SECOND[one["unit"]]
            place.agree(what, text, figure * scale, name)
        place.same("count", int(runs), len(values), name)
    return place.run(path, "--version").split()[-1]


CPP = """
#include <benchmark/benchmark.h>
#include <numeric>
#include <vector>

static void BM_sum(benchmark::State& state) {
  std::vector<long> data(state.range(0), 1);
  for (auto _ : state)
    benchmark::DoNotOptimize(std::accumulate(data.begin(), data.end(), 0L));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_sum)->Arg(64)->Arg(4096);
BENCHMARK_MAIN();
"""
PYTHON = """
import google_benchmark as benchmark

@benchmark.register(name="BM_sum")
@benchmark.option.arg(64)
@benchmark.option.arg(4096)
def sum_(state):
    data = list(range(state.range(0)))
    while state:
        sum(data)
    state.items_processed = state.iterations * state.range(0)

benchmark.main()
"""
SI = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def google_benchmark(place: Place) -> str:
    """Its console table: every repetition, their mean, median and deviation."""
    options = (
        *("--benchmark_repetitions=5", "--benchmark_out=out.json"),
        *("--benchmark_out_format=json", "--benchmark_color=false"),
    )
    place.write("bench.cpp", CPP)
    place.write("bench.py", PYTHON)
    place.commit()
    try:
        compiler = program("g++")
        place.run(
            *(compiler, "-O2", "bench.cpp", "-o", "bench"),
            *("-lbenchmark", "-lpthread"),
        )
    except (Failed, Skipped):  # its library is not installed here
        programs = place.python("google-benchmark")
        command = [str(programs / "python"), "bench.py"]
        version = place.run(
            str(programs / "pip"), "show", "google-benchmark"
        ).splitlines()[1]
    else:
        command = ["./bench"]
        version = ""
    printed = place.run(*command, *options, "--benchmark_min_time=0.02")
    stored = place.record("out.json")
    row = r" +([\d.]+) ns +([\d.]+) ns +\d+ items_per_second=([\d.]+)(\w?)/s$"
    for n in ("64", "4096"):
        name = f"BM_sum/{n}"
        times = flat(_of_google(stored.measurements, n, "duration"))
        rates = flat(_of_google(stored.measurements, n, "items_per_second"))
        lines = re.findall(rf"^{name}{row}", printed, re.MULTILINE)
        place.same("count", len(lines), len(times), name)
        for line, took, rate in zip(lines, times, rates, strict=True):
            place.agree("repetition", line[0], took, name)
            place.agree("rate", line[2], rate / SI[line[3]], name)
        for what in ("mean", "median", "stddev"):
            told = re.search(rf"^{name}_{what}{row}", printed, re.MULTILINE)
            if told is None:
                raise Failed(f"no {name}_{what} in {printed[-600:]}")
            figure = {"mean": statistics.fmean, "stddev": statistics.stdev}.get(
                what, statistics.median
            )
            place.agree(what, told[1], figure(times), name)
    return version.removeprefix("Version: ") or _debian("libbenchmark-dev", place)


def _of_google(measurements: list[dict], n: str, metric: str) -> dict:  # type: ignore[type-arg]
    found = [
        one
        for one in measurements
        if one["metric"] == metric
        and (one["benchmark"].endswith(f"/{n}") or n in one.get("params", {}).values())
    ]
    if len(found) != 1:
        told = [(m["benchmark"], m.get("params"), m["metric"]) for m in measurements]
        raise Failed(f"{len(found)} stored {metric} of BM_sum/{n}: {told}")
    return found[0]


def _debian(package: str, place: Place) -> str:
    try:
        return place.run("dpkg-query", "-W", "-f", "${Version}", package)
    except Failed:
        return "installed"


GO = """
package proof

import (
\t"fmt"
\t"testing"
)

var sink []int

func BenchmarkAppend(b *testing.B) {
\tfor i := 0; i < b.N; i++ {
\t\tsink = nil
\t\tfor j := 0; j < 100; j++ {
\t\t\tsink = append(sink, j)
\t\t}
\t}
}

func BenchmarkFill(b *testing.B) {
\tfor _, n := range []int{10, 1000} {
\t\tb.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
\t\t\tfor i := 0; i < b.N; i++ {
\t\t\t\tsink = make([]int, n)
\t\t\t}
\t\t})
\t}
}
"""
BENCHSTAT = "golang.org/x/perf/cmd/benchstat@latest"
METRICS_OF_GO = {
    "sec/op": ("duration", 1e-9),
    "B/op": ("allocated", 1.0),
    "allocs/op": ("allocations", 1.0),
}


def go(place: Place) -> str:
    """Its lines, one by one, and the medians of benchstat."""
    path = program("go")
    benchstat = shutil.which("benchstat") or str(place.cache / "bin/benchstat")
    if not shutil.which(benchstat):
        bin_ = str(place.cache / "bin")
        place.install(path, "install", BENCHSTAT, GOBIN=bin_)
    place.write("go.mod", "module example.com/proof\n\ngo 1.21\n")
    place.write("bench_test.go", GO)
    place.commit()
    printed = place.run(
        *(path, "test", "-bench", ".", "-benchmem", "-benchtime", "20ms"),
        *("-count", "6"),
    )
    (place.repository / "out.txt").write_text(printed)
    stored = place.record("out.txt")
    table = place.run(benchstat, "-format", "csv", "out.txt")
    of_name = {}
    for one in stored.measurements:
        label = one["benchmark"].removeprefix("example.com/proof.")
        of_name[label, one["metric"]] = one
    unit = ""
    for row in csv.reader(table.splitlines()):
        if len(row) == 3 and not row[0]:
            unit = row[1]
        elif len(row) == 3 and unit in METRICS_OF_GO and row[0] != "geomean":
            metric, scale = METRICS_OF_GO[unit]
            name = re.sub(r"-\d+$", "", row[0])
            if (name, metric) not in of_name:
                raise Failed(f"{name}, {metric} is not stored: {sorted(of_name)}")
            values = flat(of_name[name, metric])
            place.same("count", 6, len(values), name)
            middle = statistics.median(values) * scale
            place.agree("median", f"{float(row[1]):.9e}", middle, name)
    lines = re.findall(r"^Benchmark(\S+?)-?\d*\s+\d+\s+([\d.]+) ns/op", printed, re.M)
    for name in {name for name, _ in lines}:
        told = [float(figure) for label, figure in lines if label == name]
        place.same("lines", told, flat(of_name[name, "duration"]), name)
    return place.run(path, "version").split()[2].removeprefix("go")


CRITERION = """
use criterion::{criterion_group, criterion_main, Criterion, SamplingMode};
use std::hint::black_box;

fn sorting(c: &mut Criterion) {
    let mut group = c.benchmark_group("sort");
    group.bench_function("linear", |b| b.iter(|| sorted(black_box(200))));
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function("flat", |b| b.iter(|| sorted(black_box(2000))));
    group.finish();
}

fn sorted(n: u64) -> Vec<u64> {
    let mut data: Vec<u64> = (0..n).map(|i| i * 7919 % 1009).collect();
    data.sort();
    data
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(800))
        .sample_size(30);
    targets = sorting
}
criterion_main!(benches);
"""
CARGO = """
[package]
name = "proof"
version = "0.1.0"
edition = "2021"

[dev-dependencies]
criterion = { version = "0.7", default-features = false }

[[bench]]
name = "bench"
harness = false
"""


def criterion(place: Place) -> str:
    """Its line of each benchmark: the slope, or the mean where sampling is flat."""
    cargo = program("cargo")
    place.write("Cargo.toml", CARGO)
    place.write("src/lib.rs", "")
    place.write("benches/bench.rs", CRITERION)
    place.write(".gitignore", "target\n")
    target = {"CARGO_TARGET_DIR": str(place.cache / "criterion-target")}
    shutil.rmtree(place.cache / "criterion-target/criterion", ignore_errors=True)
    place.install(
        cargo, "build", "--benches", "--quiet", cwd=place.repository, **target
    )
    place.commit()
    printed = place.run(cargo, "bench", "--quiet", **target)
    shutil.copytree(
        place.cache / "criterion-target/criterion", place.repository / "criterion"
    )
    stored = place.record("criterion")
    for name in ("linear", "flat"):
        line = re.search(
            rf"^sort/{name}\s+time: +\[[\d.]+ \S+ ([\d.]+) (\S+) ", printed, re.M
        )
        if line is None:
            raise Failed(f"no time of sort/{name} in {printed[-400:]}")
        one = stored.one(f"sort/{name}")
        values = flat(one)
        # Linear sampling runs d, 2d, 3d ... iterations; the slope is that of the line
        # through 0, by least squares.
        weights = [n**2 if name == "linear" else 1 for n in range(1, len(values) + 1)]
        middle = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
        scale = PER_SECOND[line[2]] / PER_SECOND[one["unit"]]
        what = "slope" if name == "linear" else "mean"
        place.agree(what, line[1], middle * scale, name)
        place.same("count", 30, len(values), name)
        place.same("processes", [30], processes(one), name)
    locked = (place.repository / "Cargo.lock").read_text()
    found = re.search(r'name = "criterion"\nversion = "([^"]+)"', locked)
    return found[1] if found else "?"

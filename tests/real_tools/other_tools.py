"""Tools of the JVM and of JavaScript: JMH, vitest."""

from __future__ import annotations

import os
import re
import statistics

from tests.real_tools.kit import Failed, Place, flat, processes, program

POM = """
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>proof</groupId>
  <artifactId>proof</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.openjdk.jmh</groupId>
      <artifactId>jmh-core</artifactId>
      <version>1.37</version>
    </dependency>
    <dependency>
      <groupId>org.openjdk.jmh</groupId>
      <artifactId>jmh-generator-annprocess</artifactId>
      <version>1.37</version>
    </dependency>
  </dependencies>
</project>
"""
JAVA = """
package proof;

import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.*;

@State(Scope.Benchmark)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class Sorting {
    @Param({"10", "1000"})
    public int n;

    @Benchmark
    @BenchmarkMode(Mode.AverageTime)
    public int[] sort() {
        int[] data = new int[n];
        for (int i = 0; i < n; i++) data[i] = i * 7919 % 1009;
        Arrays.sort(data);
        return data;
    }

    @Benchmark
    @BenchmarkMode(Mode.Throughput)
    public int hash() {
        return Arrays.hashCode(new int[n]);
    }
}
"""
FORKS, ITERATIONS = 2, 3


def jmh(place: Place) -> str:
    """Its last table: count and score of each benchmark; and forks as processes."""
    java, javac, mvn = program("java"), program("javac"), program("mvn")
    jars = place.cache / "jmh"
    if not list(jars.glob("jmh-core-*.jar")):
        jars.mkdir(parents=True, exist_ok=True)
        (jars / "pom.xml").write_text(POM)
        goal = "dependency:copy-dependencies"
        argv = (mvn, "-q", "-B", goal, f"-DoutputDirectory={jars}")
        place.install(*argv, cwd=jars)
    place.write("src/proof/Sorting.java", JAVA)
    place.commit()
    path = os.pathsep.join(str(jar) for jar in sorted(jars.glob("*.jar")))
    place.run(javac, "-cp", path, "-d", "classes", "src/proof/Sorting.java")
    printed = place.run(
        *(java, "-cp", f"classes{os.pathsep}{path}", "org.openjdk.jmh.Main"),
        *("-rf", "json", "-rff", "out.json", "-f", str(FORKS), "-wi", "1"),
        *("-i", str(ITERATIONS), "-w", "200ms", "-r", "200ms"),
    )
    stored = place.record("out.json")
    rows = re.findall(
        r"^Sorting\.(\w+) +(\d+) +(avgt|thrpt) +(\d+) +([\d.]+) ± +[\d.]+ +(\S+)$",
        printed,
        re.MULTILINE,
    )
    place.same("benchmarks", 4, len(rows), "its table")
    for name, n, mode, count, score, unit in rows:
        metric = "duration" if mode == "avgt" else "throughput"
        one = stored.one(f"proof.Sorting.{name}", metric, n=n)
        values = flat(one)
        units = {("us/op", "us"), ("us/op", "µs"), ("ops/us", "1/us"), (unit, unit)}
        if (unit, one["unit"]) not in units:
            raise Failed(f"{name}: the unit {unit} is stored as {one['unit']}")
        place.agree("score", score, statistics.fmean(values), f"{name} n={n}")
        place.same("count", int(count), len(values), name)
        place.same("forks", [ITERATIONS] * FORKS, processes(one), name)
    found = re.search(r"^# JMH version: (\S+)", printed, re.MULTILINE)
    return found[1] if found else "?"


BENCH = """
import { bench, describe } from "vitest";

const data = Array.from({ length: 500 }, (_, i) => (i * 7919) % 1009);

describe("sort", () => {
  bench("numbers", () => { [...data].sort((a, b) => a - b); }, { time: 200 });
  bench("texts", () => { [...data].sort(); }, { time: 200 });
});
"""


def vitest(place: Place) -> str:
    """Its table: mean, extremes, and how many samples."""
    npm, node = program("npm"), program("node")
    home = place.cache / "vitest"
    if not (home / "node_modules/.bin/vitest").exists():
        home.mkdir(parents=True, exist_ok=True)
        place.install(
            *(npm, "install", "--silent", "--no-audit", "--no-fund", "vitest@3"),
            cwd=home,
        )
    place.write("sort.bench.js", BENCH)
    place.write("package.json", '{"name": "proof", "type": "module"}\n')
    place.write(".gitignore", "node_modules\n")
    (place.repository / "node_modules").symlink_to(home / "node_modules")
    place.commit()
    script = str(home / "node_modules/vitest/vitest.mjs")
    printed = place.run(node, script, "bench", "--run", "--outputJson", "out.json")
    stored = place.record("out.json")
    rows = re.findall(r"^ +· (\w+) +(\d[\d.,]*(?: +[\d.,±%]+)*)", printed, re.M)
    place.same("benchmarks", ["numbers", "texts"], [row[0] for row in rows], "table")
    for name, cells in rows:
        _hz, low, high, mean, *_, samples = cells.split()
        one = stored.one(f"sort.bench.js > sort > {name}")
        summary = one["summary"]
        for what, text, key in (
            ("mean", mean, "center"),
            ("min", low, "low"),
            ("max", high, "high"),
        ):
            place.agree(what, text, summary[key], name)
        place.same("unit", "ms", one["unit"], name)
        place.same("count", int(samples.replace(",", "")), summary["n"], name)
    return place.run(node, script, "--version").split("/")[1].split()[0]

"""Histories of other tools become runs; what cannot be taken is counted by reason."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench import importing
from gitbench.errors import GitbenchError
from gitbench.formats import Folder, FormatError
from gitbench.importing import (
    HistoryError,
    Place,
    Point,
    Skipped,
    Wanted,
    bencher,
    data_js,
    files,
    notes,
)
from gitbench.model import Better, Kind, Run

FIRST, SECOND = "a" * 40, "b" * 40
TREE = "c" * 40
WANTED = Wanted("test", now_ms=5)


def point(**fields: Any) -> dict[str, Any]:
    """One point of a data.js."""
    return {
        "commit": {"id": FIRST, "tree_id": TREE, "message": "a change"},
        "date": 1_700_000_000_000,
        "tool": "cargo",
        "benches": [{"name": "sort", "value": 100, "unit": "ns/iter", "range": "± 5"}],
        **fields,
    }


def script(*points: Any, **suites: Any) -> bytes:
    """A data.js as the action writes it."""
    entries = suites or {"Benchmark": list(points)}
    content = {"lastUpdate": 1, "repoUrl": "https://example.com", "entries": entries}
    return f"window.BENCHMARK_DATA = {json.dumps(content, indent=2)};\n".encode()


def taken(some: Iterable[Point | Skipped]) -> list[Point]:
    return [one for one in some if isinstance(one, Point)]


def skipped(some: Iterable[Any]) -> dict[str, int]:
    return dict(Counter(one.reason for one in some if isinstance(one, Skipped)))


# ------------------------------------------------------------------------ data.js


def test_a_point_of_data_js_is_a_run() -> None:
    """Suite, time, commit, tree, name, unit and direction come from the point."""
    (one,) = taken(data_js.read(script(point())))
    reading = one.reading
    (row,) = reading.measurements
    assert ("Benchmark", 1_700_000_000_000) == (reading.suite, reading.started_at)
    assert (FIRST, TREE) == (reading.commit, reading.tree)
    assert ("sort", ((100.0,),)) == (row.benchmark.name, row.processes)
    assert ("duration", "ns/iter", Better.LOWER, Kind.DURATION) == (
        row.metric.name,
        row.metric.unit,
        row.metric.better,
        row.metric.kind,
    )


@pytest.mark.parametrize(
    ("tool", "unit", "better"),
    [
        ("customBiggerIsBetter", "points", Better.HIGHER),
        ("customSmallerIsBetter", "points", Better.LOWER),
        ("customSmallerIsBetter", "ops/sec", Better.LOWER),
        ("benchmarkjs", "ops/sec", Better.HIGHER),
        ("pytest", "iter/sec", Better.HIGHER),
        ("jmh", "ops/s", Better.HIGHER),
        ("jmh", "us/op", Better.LOWER),
        ("go", "MB/s", Better.HIGHER),
        ("cargo", "frobs", Better.NONE),
    ],
)
def test_the_direction_is_the_tools_or_the_units(
    tool: str, unit: str, better: Better
) -> None:
    """Custom results say it in their tool's name; elsewhere the unit decides, so that
    throughput of JMH is not called a time."""
    rows = [{"name": "x", "value": 1.5, "unit": unit}]
    (one,) = taken(data_js.read(script(point(tool=tool, benches=rows))))
    assert better is one.reading.measurements[0].metric.better


def test_numbers_as_text_are_numbers_and_others_are_counted() -> None:
    """`"1,234"` is a number; a text that is none is left out alone."""
    rows = [
        {"name": "one", "value": "1,234", "unit": "ns"},
        {"name": "two", "value": "n/a", "unit": "ns"},
        {"name": "three", "value": None, "unit": "ns"},
        {"name": "four", "value": float("nan"), "unit": "ns"},
        "five",
    ]
    found = list(data_js.read(script(point(benches=rows))))
    (one,) = taken(found)
    assert [((1234.0,),)] == [row.processes for row in one.reading.measurements]
    assert {"bad-value": 4} == skipped(found)


def test_points_of_one_commit_are_runs_of_their_own() -> None:
    """A commit that stands there twice was measured twice; the very same point twice
    has one origin."""
    found = taken(data_js.read(script(point(), point(date=1_600_000_000_000), point())))
    assert [1_700_000_000_000, 1_600_000_000_000, 1_700_000_000_000] == [
        one.reading.started_at for one in found
    ]
    assert found[0].data == found[2].data != found[1].data


def test_go_rows_are_metrics_of_one_benchmark() -> None:
    """`NAME - UNIT` is a metric of NAME, and the plain row of newer versions is that
    of its first one once more; repeats of one row are values."""
    rows = [
        {"name": "BenchmarkA", "value": 10, "unit": "ns/op"},
        {"name": "BenchmarkA - ns/op", "value": 10, "unit": "ns/op"},
        {"name": "BenchmarkA - ns/op", "value": 11, "unit": "ns/op"},
        {"name": "BenchmarkA - B/op", "value": 64, "unit": "B/op"},
        {"name": "BenchmarkB", "value": 5, "unit": "ns/op"},
    ]
    (one,) = taken(data_js.read(script(point(tool="go", benches=rows))))
    assert [
        ("BenchmarkA", "duration", ((10.0, 11.0),)),
        ("BenchmarkA", "allocated", ((64.0,),)),
        ("BenchmarkB", "duration", ((5.0,),)),
    ] == [
        (row.benchmark.name, row.metric.name, row.processes)
        for row in one.reading.measurements
    ]


def test_broken_points_leave_the_others() -> None:
    """A point without commit or results is counted, and the rest is taken."""
    broken = point()
    del broken["commit"]
    found = list(data_js.read(script(broken, point(benches=[]), 7, point())))
    assert 1 == len(taken(found))
    assert {"broken": 2, "no-result": 1} == skipped(found)


def test_escapes_of_javascript_are_read() -> None:
    r"""`\s` is no JSON, but in a script it is `s`; `\\s` stays what it is."""
    text = script(point(commit={"id": FIRST, "message": "@"})).decode()
    found = taken(data_js.read(text.replace("@", r"by \someone \\s").encode()))
    assert FIRST == found[0].reading.commit


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"window.BENCHMARK_DATA = ",
        b"window.BENCHMARK_DATA = alert(1)",
        b"window.BENCHMARK_DATA = {}",
        b"window.BENCHMARK_DATA = []",
        b'window.BENCHMARK_DATA = {"entries": 1}',
        b'window.BENCHMARK_DATA = {"entries": {"x": 1}}',
        b"\xff\xfe\x00",
        script(point())[:-40],
    ],
)
def test_what_is_no_data_js_is_refused_at_once(data: bytes) -> None:
    """Nothing is executed, and nothing of a cut file is taken."""
    with pytest.raises(FormatError):
        data_js.read(data)


# -------------------------------------------------------------------- the commits


def runs(some: Iterable[Point | Skipped], known: dict[str, Place]) -> list[Any]:
    return list(importing.runs(some, known.get, WANTED))


def test_a_commit_that_is_there_gives_its_tree() -> None:
    """The clone's own tree wins over what the history says of it."""
    place = Place(FIRST, "d" * 40, 7)
    (run,) = runs(data_js.read(script(point())), {FIRST: place})
    assert (FIRST, "d" * 40) == (run.commit, run.tree)
    assert (("imported-from", "test"), ("tool", "cargo")) == run.tags
    assert "test" == run.testbed.name


def test_an_absent_commit_is_kept_by_its_id() -> None:
    """Its tree is what the history tells, else none; a short id names nothing."""
    bare = point(commit={"id": SECOND})
    short = point(commit={"id": "abcdef1"})
    none = point(commit={"id": "unversioned"})
    found = runs(data_js.read(script(point(), bare, short, none)), {})
    kept = [one for one in found if isinstance(one, Run)]
    assert [(FIRST, TREE), (SECOND, "0" * 40)] == [(r.commit, r.tree) for r in kept]
    assert {"unknown-commit": 2} == skipped(found)


def test_a_short_id_is_resolved() -> None:
    """The beginning of an id counts where the clone has exactly one such commit."""
    place = Place(FIRST, TREE, 7)
    (run,) = runs(
        data_js.read(script(point(commit={"id": "aaaaaaa"}))), {"aaaaaaa": place}
    )
    assert FIRST == run.commit


# ----------------------------------------------------------------------- git-perf


def line(*words: str) -> bytes:
    return "\x1c".join(words).encode() + b"\n"


def test_values_of_git_perf_are_processes_of_a_run() -> None:
    """Tags, in whatever order, are parameters; a tag unit is the unit; the epoch is
    the benchmark's version."""
    note = (
        line("7", "build", "1700000000.5", "12.5", "os=linux", "unit=ms", "rust=1")
        + line("7", "build", "1700000001.5", "12.75", "rust=1", "unit=ms", "os=linux")
        + line("0", "size", "1700000002", "4096")
    )
    (one,) = taken(notes.read_git_perf([(FIRST, note)]))
    build, size = one.reading.measurements
    assert "build [os=linux, rust=1]" == build.benchmark.label
    assert ((12.5,), (12.75,)) == build.processes
    assert ("ms", Better.LOWER, "7") == (
        build.metric.unit,
        build.metric.better,
        build.version,
    )
    assert (Better.LOWER, None) == (size.metric.better, size.version)
    assert 1_700_000_000_500 == one.reading.started_at


def test_values_far_apart_are_runs_of_their_own() -> None:
    """More than ten minutes between two values begin another run."""
    note = b"".join(
        line("0", "x", str(1_700_000_000 + at), "1") for at in (0, 500, 1000, 5000)
    )
    found = taken(notes.read_git_perf([(FIRST, note)]))
    assert [3, 1] == [one.reading.measurements[0].count for one in found]


def test_another_epoch_in_between_is_another_run() -> None:
    """One run has one version of each benchmark."""
    note = line("1", "x", "1700000000", "1") + line("2", "x", "1700000001", "2")
    found = taken(notes.read_git_perf([(FIRST, note)]))
    assert ["1", "2"] == [one.reading.measurements[0].version for one in found]
    assert found[0].data != found[1].data


def test_the_first_version_of_git_perf_is_read() -> None:
    """It has blanks between its words, and no epoch."""
    note = b"build 1650133258.24 12379754 os=ubuntu\n"
    (one,) = taken(notes.read_git_perf([(FIRST, note)]))
    (row,) = one.reading.measurements
    assert ("build [os=ubuntu]", ((12379754.0,),)) == (
        row.benchmark.label,
        row.processes,
    )


def test_how_much_values_differ_has_no_good_direction() -> None:
    """A value that is itself a spread is shown and never gated."""
    note = line("0", "x::mad", "1700000000", "1", "unit=ns", "statistic=mad")
    (one,) = taken(notes.read_git_perf([(FIRST, note)]))
    assert Better.NONE is one.reading.measurements[0].metric.better


def test_foreign_lines_of_git_perf_are_counted() -> None:
    """Text, infinities and impossible times are no values."""
    note = b"hello world\nx nan 1\nx 1 inf\nx 1e300 1\n\xff 1 1\n\n" + line("0", "x")
    found = list(notes.read_git_perf([(FIRST, note)]))
    assert {"bad-value": 6} == skipped(found)
    assert [] == taken(found)


# -------------------------------------------------------------------- git-metrics


def test_git_metrics_are_read_from_toml() -> None:
    """The tag unit is the unit, other tags are parameters, and the last of equal ones
    counts."""
    note = b"""
[[metrics]]
name = "binary-size"
value = 10.0
[metrics.tags]
"platform.os" = "linux"
unit = "byte"
[[metrics]]
name = "binary-size"
value = 12
[metrics.tags]
"platform.os" = "linux"
unit = "byte"
[[metrics]]
name = "coverage.lines.percentage"
value = 80.5
"""
    (one,) = taken(notes.read_git_metrics([(FIRST, note)]))
    size, coverage = one.reading.measurements
    assert ("binary-size [platform.os=linux]", "byte", ((12.0,),)) == (
        size.benchmark.label,
        size.metric.unit,
        size.processes,
    )
    assert (Kind.SIZE, Better.LOWER) == (size.metric.kind, size.metric.better)
    assert Better.HIGHER is coverage.metric.better


def test_broken_notes_of_git_metrics_are_counted() -> None:
    """A note that is no TOML, and a value that is no number, do no harm."""
    huge = b'[[metrics]]\nname = "x"\nvalue = ' + b"9" * 5000
    found = list(
        notes.read_git_metrics(
            [
                (FIRST, b"[[["),
                (FIRST, b'[[metrics]]\nname = "x"\nvalue = "y"'),
                (FIRST, b'[[metrics]]\nname = "x"\nvalue = inf'),
                (FIRST, b"metrics = 7"),
                (FIRST, huge),
            ]
        )
    )
    assert {"broken": 2, "bad-value": 2, "no-result": 3} == skipped(found)


# ------------------------------------------------------------------------ Bencher


def report(**fields: Any) -> dict[str, Any]:
    """A report as the API gives it, without what is not read."""
    measured = {
        "measure": {"name": "Latency", "slug": "latency", "units": "nanoseconds (ns)"},
        "metric": {"value": 88.0, "lower_value": 87.0, "upper_value": 89.0},
    }
    return {
        "project": {"slug": "p"},
        "branch": {"name": "main", "head": {"version": {"number": 1, "hash": FIRST}}},
        "testbed": {"name": "ubuntu-latest"},
        "start_time": "2024-01-02T03:04:05Z",
        "results": [[{"benchmark": {"name": "sort"}, "measures": [measured]}]],
        **fields,
    }


def test_a_report_of_bencher_is_a_run() -> None:
    """Built-in measures have the units that the server gives them."""
    (one,) = taken(bencher.read(json.dumps([report()]).encode()))
    (row,) = one.reading.measurements
    assert (FIRST, "ubuntu-latest") == (one.reading.commit, one.reading.testbed_name)
    assert ("duration", "ns") == (row.metric.name, row.metric.unit)
    assert row.summary is not None
    assert (88.0, 87.0, 89.0) == (row.summary.center, row.summary.low, row.summary.high)


def test_iterations_are_processes() -> None:
    """Several iterations of one benchmark are as many processes of one run."""
    iteration = [
        {
            "benchmark": {"name": "sort"},
            "measures": [
                {
                    "measure": {"slug": "wall", "units": "seconds (s)"},
                    "metric": {"value": 1.5},
                }
            ],
        }
    ]
    data = json.dumps(report(results=[iteration, iteration])).encode()
    (one,) = taken(bencher.read(data))
    (row,) = one.reading.measurements
    assert (((1.5,), (1.5,)), "s") == (row.processes, row.metric.unit)


def test_parameters_tell_benchmarks_of_one_name_apart() -> None:
    """Newer servers give them; two equal ones in one iteration are refused."""
    results = [
        {
            "benchmark": {"name": "sort"},
            "variant": {"parameters": {"n": n}},
            "measures": [{"measure": {"slug": "latency"}, "metric": {"value": n}}],
        }
        for n in (10, 20)
    ]
    (one,) = taken(bencher.read(json.dumps(report(results=[results])).encode()))
    labels = [row.benchmark.label for row in one.reading.measurements]
    assert ["sort [n=10]", "sort [n=20]"] == labels
    for row in results:
        del row["variant"]
    found = list(bencher.read(json.dumps(report(results=[results])).encode()))
    assert {"broken": 1} == skipped(found)


def test_a_perf_query_is_put_together_by_report() -> None:
    """Two series with points of two reports are two runs of two benchmarks."""
    results = [
        {
            "branch": {"name": "main"},
            "testbed": {"name": "bed"},
            "benchmark": {"name": name},
            "measure": {"slug": "latency", "units": "nanoseconds (ns)"},
            "metrics": [
                {
                    "report": f"r{i}",
                    "start_time": f"2024-01-0{i}T00:00:00Z",
                    "version": {"number": i, "hash": commit},
                    "metric": {"value": 1.0 * i},
                }
                for i, commit in ((1, FIRST), (2, SECOND))
            ],
        }
        for name in ("sort", "load")
    ]
    data = json.dumps({"project": {"slug": "p"}, "results": results}).encode()
    found = taken(bencher.read(data))
    assert [FIRST, SECOND] == [one.reading.commit for one in found]
    assert [2, 2] == [len(one.reading.measurements) for one in found]


def test_a_collapsed_report_says_what_to_do() -> None:
    """A list of reports holds only counts unless it was asked to expand them."""
    found = list(bencher.read(json.dumps([report(results=12)]).encode()))
    assert {"collapsed": 1} == skipped(found)
    with pytest.raises(FormatError, match="no answer of Bencher"):
        bencher.read(b'{"results": []}')


# -------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("name", "commit", "day"),
    [
        ("2026-01-02_0123abcd.json", "0123abcd", "2026-01-02"),
        ("20260102-0123abcdef.json", "0123abcdef", "2026-01-02"),
        (
            "bm-20260810-box-aarch64-python-219768ff531fc0686de6-3.16.0a0-219768f.json",
            "219768ff531fc0686de6",
            "2026-08-10",
        ),
        (f"0001_{FIRST}_20260102_030405.json", FIRST, "2026-01-02"),
        ("even_2639f2f79b-opt.20220109T213214.txt", "2639f2f79b", "2022-01-09"),
        ("run-1767225600-12345678.json", None, None),
        ("0123abcd-fedcba98.json", None, None),
        ("results.json", None, None),
    ],
)
def test_names_of_files_tell_commits_and_days(
    name: str, commit: str | None, day: str | None
) -> None:
    """Hex numbers of 7 to 64 digits are commits, decimal ones are not, and ids that
    are no beginnings of one another are none."""
    from datetime import UTC, datetime

    told = files.named(f"some/{FIRST}/{name}")
    found = told.started_at and datetime.fromtimestamp(told.started_at / 1000, UTC)
    assert commit == told.commit
    assert day == (found and found.date().isoformat())


def test_a_pattern_says_where_the_commit_is() -> None:
    """It fits the end of the path, folders too, and decides alone."""
    pattern = files.compile_pattern("{time}/{*}-{commit}.json")
    told = files.named("deep/1767225600/x-1234567.json", pattern)
    assert ("1234567", 1_767_225_600_000) == (told.commit, told.started_at)
    assert files.named("x-1234567.json", pattern) == files.Named()
    for wrong in ("{date}.json", "{commit}{commit}", "{commit}{nonsense}", "{*}" * 9):
        with pytest.raises(HistoryError, match="--pattern"):
            files.compile_pattern(wrong)


def folder(**content: str) -> Folder:
    held = {name: text.encode() for name, text in content.items()}
    return Folder("folder", tuple(sorted(held)), held.__getitem__)


HYPERFINE = json.dumps(
    {"results": [{"command": "sort", "mean": 1.5, "times": [1.0, 2.0]}]}
)


def test_files_go_to_the_commits_in_their_names() -> None:
    """What is no result, broken, or of no commit is counted and left out."""
    found = list(
        files.read(
            folder(
                **{
                    "2026-01-02_0123abc.json": HYPERFINE,
                    "2026-01-02_0123abd.json": HYPERFINE[:-20],
                    "latest.json": HYPERFINE,
                    "README-0123abc.md": "# Results\n",
                }
            )
        )
    )
    (one,) = taken(found)
    assert ("0123abc", 1_767_312_000_000) == (
        one.reading.commit,
        one.reading.started_at,
    )
    assert one.reading.naive_time
    assert {"broken": 1, "no-commit": 1, "unrecognised": 1} == skipped(found)


def test_what_a_file_says_itself_counts() -> None:
    """The commit in a file wins over the one in its name, but not over a pattern; a
    longer id of the same commit wins over a shorter one."""
    content = {
        "schema": "gitbench/run/1",
        "commit": FIRST,
        "measurements": [{"benchmark": "x", "metric": "duration", "unit": "s",
                          "values": [1]}],
    }  # fmt: skip
    held = folder(**{"0123abc.json": json.dumps(content)})
    assert FIRST == taken(files.read(held))[0].reading.commit
    pattern = "{commit}.json"
    assert "0123abc" == taken(files.read(held, None, pattern))[0].reading.commit
    same = folder(**{f"{FIRST[:9]}.json": json.dumps(content)})
    assert FIRST == taken(files.read(same, None, pattern))[0].reading.commit


# ------------------------------------------------------------------------- hostile

KEYS = re.findall(
    r"\w+",
    "commit id tree_id date tool benches name value unit results project branch head "
    "version hash testbed measures measure metric metrics benchmark slug units "
    "start_time report iteration",
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from([FIRST, "abcdef1", "cargo", "ns", "1,5"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "commit",
                    "id",
                    "tree_id",
                    "date",
                    "tool",
                    "benches",
                    "name",
                    "value",
                    "unit",
                    "results",
                    "project",
                    "branch",
                    "head",
                    "version",
                    "hash",
                    "testbed",
                    "measures",
                    "measure",
                    "metric",
                    "metrics",
                    "benchmark",
                    "slug",
                    "units",
                    "start_time",
                    "report",
                    "iteration",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(JSON)
def test_any_structure_ends_in_points_or_stated_reasons(value: Any) -> None:
    """Whatever stands in a history, nothing but counted reasons comes of it."""
    mixed = point()
    mixed.update(value if isinstance(value, dict) else {"benches": [value]})
    found = [
        *data_js.read(script(value, mixed)),
        *bencher.read(json.dumps([{"project": 1, "results": value},
                                  {**report(), "results": [[value]]},
                                  {**report(), "branch": value}]).encode()),
    ]  # fmt: skip
    for one in importing.runs(found, lambda _: None, WANTED):
        assert isinstance(one, Run) or one.reason in importing.REASONS


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.binary(max_size=200))
def test_any_bytes_end_in_points_or_stated_errors(data: bytes) -> None:
    """Notes and files may hold anything."""
    for read in (notes.read_git_perf, notes.read_git_metrics):
        note = data.replace(b";", b"\x1c")
        for one in importing.runs(read([(FIRST, note)]), lambda _: None, WANTED):
            assert isinstance(one, Run) or one.reason in importing.REASONS
    for reader in (data_js.read, bencher.read):
        try:
            list(reader(data))
        except GitbenchError:
            pass

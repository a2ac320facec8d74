"""What is exported can be read: by ourselves again, and by the programs it is for."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import gitbench
from gitbench import formats, model
from gitbench.exporting import (
    FORMATS,
    ExportError,
    Item,
    csv_table,
    files,
    go_text,
    json_lines,
    openmetrics,
    pytest_benchmark,
    sqlite,
)
from gitbench.model import (
    Benchmark,
    Better,
    CiContext,
    Kind,
    Measurement,
    Metric,
    Run,
    Status,
    Summary,
    Tool,
)
from gitbench.recording import Circumstances, make_run
from gitbench.store.codec import run_id
from tests.factories import make_measurement
from tests.factories import make_run as factory_run
from tests.strategies import runs

HOSTILE = [
    "=HYPERLINK(1)",
    "+1",
    "-1",
    "@SUM",
    "'quoted",
    ' "x", y',
    "a\nb",
    "back\\slash",
    "tab\t",
    "../../etc/passwd",
    "..",
    ".",
    "a/b\\c",
    "__HIVE_DEFAULT_PARTITION__",
    "CON",
    "1",
    "é\u202e漢字 %41",
    "\x1b[31mred",
    "x" * 1000,
    "漢" * 400,
]
SCHEMA = json.loads(
    (Path(gitbench.__file__).parent / "schemas/run-1.schema.json").read_text()
)
quick = settings(derandomize=True, max_examples=30, deadline=None)


def item_of(run: Run, **fields: Any) -> Item:
    """A run as it is exported."""
    return Item(run_id(run), run, run.commit, **fields)


def text_of(module: Any, *items: Item) -> str:
    """What a module writes."""
    out = io.StringIO(newline="")
    module.write(items, out)
    return out.getvalue()


# ------------------------------------------------------------------------- json


def proper(run: Run) -> Run:
    """A run as readers make them: trials are what proportions have."""
    return replace(
        run,
        measurements=tuple(
            replace(one, metric=replace(one.metric, unit="1", kind=Kind.SCORE))
            if one.metric.kind is Kind.PROPORTION
            or one.metric.kind in (Kind.DURATION, Kind.SIZE)
            else one
            for one in run.measurements
        ),
    )


@quick
@given(st.lists(runs.map(proper), min_size=1, max_size=3))
def test_json_comes_back_as_the_same_runs(some: list[Run]) -> None:
    """A run that is exported and recorded again, in a CI job and a session or not, has
    the same content and so the same id."""
    text = text_of(json_lines, *map(item_of, some))
    for line in text.splitlines():
        jsonschema.validate(json.loads(line), SCHEMA)
    back = formats.read(text.encode(), tool="gitbench", name="export")
    for run, reading in zip(some, back, strict=True):
        assert reading.commit is not None
        assert reading.tree is not None
        assert reading.testbed_name is not None
        assert reading.fingerprint is not None
        where = Circumstances(
            commit=reading.commit,
            tree=reading.tree,
            dirty=bool(reading.dirty),
            now_ms=1,
            suite=reading.suite or "",
            ci=CiContext("github", job="7"),
            session="record:1",
        )
        bed = model.Testbed(reading.testbed_name, reading.fingerprint, reading.facts)
        made = make_run(reading, text.encode(), bed, where)
        assert made == run
        assert run_id(made) == run_id(run)


def test_a_part_of_a_run_has_no_id() -> None:
    """The id is that of the whole run, and is left out where measurements are."""
    item = item_of(factory_run())
    assert json.loads(text_of(json_lines, item))["id"] == item.id
    assert "id" not in json.loads(text_of(json_lines, replace(item, whole=False)))


# -------------------------------------------------------------------------- csv


def rows_of(*items: Item) -> list[dict[str, str]]:
    """The rows of a table by column, the apostrophes of the exporter taken off."""
    found = csv.DictReader(io.StringIO(text_of(csv_table, *items), newline=""))
    return [
        {key: unguarded(cell) for key, cell in row.items() if key is not None}
        for row in found
    ]


def unguarded(cell: str) -> str:
    """The documented rule, read backwards."""
    rest = cell[1:]
    marked = rest.startswith(("=", "+", "-", "@", "'")) or rest != rest.strip()
    return rest if cell.startswith("'") and marked else cell


def measurements_of(rows: list[dict[str, str]]) -> list[Measurement]:
    """The measurements that rows describe, from their columns alone."""
    found: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows:
        key = row["run_id"], row["benchmark"], row["params"], row["metric"]
        found.setdefault(key, []).append(row)
    return [_measurement(some) for some in found.values()]


def _measurement(rows: list[dict[str, str]]) -> Measurement:
    row = rows[0]
    processes: dict[str, list[float]] = {}
    for one in rows:
        if one["process"]:
            processes.setdefault(one["process"], []).append(float(one["value"]))

    def number(name: str) -> float | None:
        return float(row[name]) if row[name] else None

    def whole(name: str) -> int | None:
        return int(row[name]) if row[name] else None

    center = number("center")
    summary = None
    if center is not None:
        summary = Summary(
            center,
            row["center_of"],
            number("low"),
            number("high"),
            number("stddev"),
            whole("n"),
        )
    params = json.loads(row["params"]) if row["params"] else {}
    return Measurement(
        Benchmark(row["benchmark"], tuple(params.items())),
        Metric(row["metric"], row["unit"], Better(row["better"]), Kind(row["kind"])),
        tuple(map(tuple, processes.values())),
        summary,
        whole("passes"),
        whole("trials"),
        Status(row["status"]),
        row["message"] or None,
        row["version"] or None,
    )


@quick
@given(runs)
def test_csv_loses_nothing_of_measurements(run: Run) -> None:
    """Values bit for bit, processes, parameters, units, directions, summaries, trials
    and failures are in the columns."""
    rows = rows_of(item_of(run))
    assert tuple(measurements_of(rows)) == run.measurements
    row = rows[0]
    assert row["run_id"] == run_id(run)
    assert (row["suite"], row["commit"], row["tree"]) == (
        run.suite,
        run.commit,
        run.tree,
    )
    assert (row["testbed"], row["tool"]) == (run.testbed.name, run.tool.name)
    assert (row["round"] or None) == (None if run.round is None else str(run.round))


@pytest.mark.parametrize("name", HOSTILE)
def test_our_reader_takes_a_table_back(name: str) -> None:
    """Names that a spreadsheet would compute with, blanks and quotes come back through
    the reader of tables, with parameters and processes."""
    better = Metric("duration", "s", Better.HIGHER, Kind.DURATION)
    run = factory_run(
        [
            make_measurement(
                name, [[-0.5, 1e-300], [0.1]], better, **{name[:99]: name}
            ),
            make_measurement(name, [3.0], better),
            Measurement(
                Benchmark("bad"), better, status=Status.FAILED, message=name[:99]
            ),
        ]
    )
    text = text_of(csv_table, item_of(run))
    (back,) = formats.read(text.encode(), tool=None, name="t.csv")
    assert back.tool.name == "csv"
    assert back.measurements == run.measurements
    for row in csv.reader(io.StringIO(text)):
        for cell in row[14:23]:
            assert not cell.startswith(("=", "+", "@"))


def test_a_table_of_several_runs_is_not_read_as_one() -> None:
    """Values of two runs would be mixed, so such a table is refused."""
    items = [item_of(factory_run(started_at=time)) for time in (1000, 2000)]
    with pytest.raises(formats.FormatError, match=r"line 5, run_id.*several runs"):
        formats.read(text_of(csv_table, *items).encode(), tool=None, name="t.csv")


# ----------------------------------------------------------------------- sqlite


def runs_of(path: Path) -> Iterator[tuple[str, Run]]:
    """The runs that a database holds, from its documented tables."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        for run in db.execute("SELECT * FROM runs ORDER BY run"):
            pairs = [
                tuple(
                    tuple(row)
                    for row in db.execute(
                        f"SELECT name, value FROM {table} WHERE run = ?", (run["run"],)
                    )
                )
                for table in ("facts", "tags")
            ]
            ci = (run["ci_url"], run["ci_job"], run["pull_request"])
            yield (
                run["id"],
                Run(
                    run["suite"],
                    run["started_at_ms"],
                    run["time_source"],
                    Tool(run["tool"], run["tool_version"]),
                    model.Testbed(run["testbed"], run["fingerprint"], pairs[0]),
                    run["commit"],
                    run["tree"],
                    bool(run["dirty"]),
                    run["origin"],
                    tuple(_stored(db, run["run"])),
                    CiContext(run["ci_provider"], *ci) if run["ci_provider"] else None,
                    run["session"],
                    run["round"],
                    pairs[1],
                ),
            )


def _stored(db: sqlite3.Connection, run: int) -> Iterator[Measurement]:
    query = "SELECT * FROM measurements WHERE run = ? ORDER BY measurement"
    for one in db.execute(query, (run,)).fetchall():
        key = (one["measurement"],)
        params = db.execute("SELECT name, value FROM params WHERE measurement = ?", key)
        processes: dict[int, list[float]] = {}
        for process, value in db.execute(
            "SELECT process, value FROM values_ WHERE measurement = ? "
            "ORDER BY process, place",
            key,
        ):
            processes.setdefault(process, []).append(value)
        words = ("center", "of", "low", "high", "stddev", "n")
        summary = [one[f"summary_{word}"] for word in words]
        yield Measurement(
            Benchmark(one["benchmark"], tuple(map(tuple, params))),
            Metric(
                one["metric"], one["unit"], Better(one["better"]), Kind(one["kind"])
            ),
            tuple(map(tuple, processes.values())),
            Summary(*summary) if summary[1] else None,
            one["passes"],
            one["trials"],
            Status(one["status"]),
            one["message"],
            one["version"],
        )


@settings(quick, max_examples=12)
@given(st.lists(runs, min_size=1, max_size=3))
def test_sqlite_holds_whole_runs(tmp_path_factory: Any, some: list[Run]) -> None:
    """Runs are the same, and so have the same ids, when they are put together again
    from the tables."""
    path = tmp_path_factory.mktemp("sqlite") / "b.sqlite"
    sqlite.write(map(item_of, some), path)
    assert list(runs_of(path)) == [(run_id(run), run) for run in some]


def test_sqlite_views_answer_in_base_units(tmp_path: Path) -> None:
    """`series` has a center a measurement in the base unit, `failures` what failed,
    and `raw_values` each value."""
    metric = Metric("duration", "ms", Better.LOWER, Kind.DURATION)
    failed = Measurement(Benchmark("bad"), metric, status=Status.FAILED, message="boom")
    run = factory_run([make_measurement("sort", [[1, 3], [4]], metric, n="9"), failed])
    path = tmp_path / "b.sqlite"
    sqlite.write([item_of(run)], path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        query = "SELECT benchmark, unit, center, low, high, n FROM series"
        assert db.execute(query).fetchall() == [
            ("sort [n=9]", "s", 0.003, 0.001, 0.004, 3)
        ]
        query = "SELECT benchmark, status, message FROM failures"
        assert db.execute(query).fetchall() == [("bad", "failed", "boom")]
        query = "SELECT process, place, value, unit FROM raw_values"
        assert db.execute(query).fetchall() == [
            (1, 1, 1.0, "ms"),
            (1, 2, 3.0, "ms"),
            (2, 1, 4.0, "ms"),
        ]
        assert db.execute("SELECT * FROM meta").fetchall() == [
            ("schema", "gitbench/sqlite/1")
        ]


# ---------------------------------------------------------------------- parquet


@pytest.fixture(scope="module")
def parquet() -> Any:
    """The module, where pyarrow is installed."""
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from gitbench.exporting import parquet

    return parquet


def read_parquet(folder: Path) -> list[tuple[str, Run]]:
    """The runs of a dataset, from its documented columns."""
    from pyarrow import dataset

    table = dataset.dataset(folder, format="parquet", partitioning="hive").to_table()
    found: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        found.setdefault(row["run_id"], []).append(row)
    return [(id_, _run(rows)) for id_, rows in found.items()]


def _run(rows: list[dict[str, Any]]) -> Run:
    rows.sort(key=lambda row: row["place"])
    row = rows[0]
    ci = (row["ci_provider"], row["ci_url"], row["ci_job"], row["pull_request"])
    return Run(
        row["suite_name"],
        round(row["started_at"].timestamp() * 1000),
        row["time_source"],
        Tool(row["tool"], row["tool_version"]),
        model.Testbed(row["testbed"], row["fingerprint"], tuple(row["facts"])),
        row["commit"],
        row["tree"],
        row["dirty"],
        row["origin"],
        tuple(map(_of_row, rows)),
        CiContext(*ci) if ci[0] else None,
        row["session"],
        row["round"],
        tuple(row["tags"]),
    )


def _of_row(row: dict[str, Any]) -> Measurement:
    words = ("center", "of", "low", "high", "stddev", "n")
    summary = [row[f"summary_{word}"] for word in words]
    return Measurement(
        Benchmark(row["benchmark"], tuple(row["params"])),
        Metric(row["metric"], row["unit"], Better(row["better"]), Kind(row["kind"])),
        tuple(map(tuple, row["processes"] or ())),
        Summary(*summary) if summary[1] else None,
        row["passes"],
        row["trials"],
        Status(row["status"]),
        row["message"],
        row["version"],
    )


@settings(quick, max_examples=12)
@given(st.lists(runs, min_size=1, max_size=3, unique_by=run_id))
def test_parquet_holds_whole_runs(
    tmp_path_factory: Any, parquet: Any, some: list[Run]
) -> None:
    """Runs are the same when they are put together again from the rows."""
    folder = tmp_path_factory.mktemp("parquet")
    parquet.write(map(item_of, some), folder)
    assert sorted(read_parquet(folder)) == sorted((run_id(run), run) for run in some)


def test_parquet_is_written_in_parts(
    tmp_path: Path, parquet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With little memory and few open files the same comes out, in more files."""
    monkeypatch.setattr(parquet, "MAX_ROWS", 2)
    monkeypatch.setattr(parquet, "MAX_OPEN", 2)
    some = [factory_run(suite=f"s{n % 5}", started_at=n) for n in range(20)]
    parquet.write(map(item_of, some), tmp_path)
    assert sorted(read_parquet(tmp_path)) == sorted((run_id(run), run) for run in some)
    assert len(list(tmp_path.rglob("*.parquet"))) > 5


def test_parquet_folders_are_safe(tmp_path: Path, parquet: Any) -> None:
    """Whatever a suite is called, its folder is one component of the dataset, and
    pyarrow and DuckDB read the name."""
    some = [factory_run(suite=suite, started_at=n) for n, suite in enumerate(HOSTILE)]
    parquet.write(map(item_of, some), tmp_path)
    folders = sorted(path.name for path in tmp_path.iterdir())
    assert len(folders) == len(HOSTILE)
    for name in folders:
        assert name.startswith("suite=")
        assert len(name) <= 200
        assert name.isascii()
    short = {suite for suite in HOSTILE if len(suite) < 50}
    assert short <= {unquote(name.removeprefix("suite=")) for name in folders}
    assert {run.suite for _, run in read_parquet(tmp_path)} == set(HOSTILE)
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    query = (
        "SELECT suite_name, sum(len(flatten(processes))) FROM read_parquet("
        f"'{tmp_path}/*/*.parquet', hive_partitioning = true) GROUP BY 1"
    )
    assert dict(duckdb.sql(query).fetchall()) == dict.fromkeys(HOSTILE, 3)


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra is named."""
    import sys

    from gitbench.exporting import parquet

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ExportError, match=r"pip install 'gitbench\[parquet\]'"):
        parquet.write([], tmp_path)


# ------------------------------------------------------------------ openmetrics


@quick
@given(st.lists(runs, min_size=1, max_size=3))
def test_openmetrics_is_understood(some: list[Run]) -> None:
    """Prometheus' own parser reads all points, with their labels and times."""
    text = text_of(openmetrics, *map(item_of, some))
    samples = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    assert text.endswith("# EOF\n")
    for sample in samples:
        assert set(sample.labels) >= {"benchmark", "suite", "testbed", "fingerprint"}
    times = {round(float(sample.timestamp) * 1000) for sample in samples}
    assert times <= {run.started_at for run in some}


@pytest.mark.parametrize("name", HOSTILE)
def test_openmetrics_labels_are_escaped(name: str) -> None:
    """Quotes, backslashes and line ends stay inside the label."""
    run = factory_run([make_measurement(name)], suite=name)
    text = text_of(openmetrics, item_of(run, repository=name))
    (family,) = text_string_to_metric_families(text)
    (sample,) = family.samples
    expected = "".join(
        " " if c != "\n" and (ord(c) < 32 or 126 < ord(c) < 160) else c for c in name
    )
    assert sample.labels["benchmark"] == expected
    assert sample.labels["suite"] == sample.labels["repository"] == expected


def test_openmetrics_can_be_backfilled() -> None:
    """Samples of a family stand together, those of a series in the order of time,
    whatever the order of the runs; the commit is no label."""
    some = [
        factory_run(
            [make_measurement("a", [0.1 * n]), make_measurement("b", [0.2])],
            started_at=1_700_000_000_000 + n * 1001,
            commit=f"{n:040x}",
        )
        for n in (3, 1, 2)
    ]
    text = text_of(openmetrics, *map(item_of, some))
    (family,) = text_string_to_metric_families(text)
    assert (family.name, family.unit) == ("gitbench_duration_seconds", "seconds")
    points = [
        (sample.value, float(sample.timestamp))
        for sample in family.samples
        if sample.labels["benchmark"] == "a"
    ]
    assert [round(time - 1.7e9, 3) for _, time in points] == [1.001, 2.002, 3.003]
    assert [round(value, 3) for value, _ in points] == [0.1, 0.2, 0.3]
    assert "commit" not in family.samples[0].labels


def test_openmetrics_tells_what_has_no_point() -> None:
    """Failures, and the second of two runs at one time, are counted."""
    failed = Measurement(
        Benchmark("bad"),
        Metric("duration", "s", Better.LOWER, Kind.DURATION),
        status=Status.FAILED,
    )
    item = item_of(factory_run([make_measurement(), failed]))
    warnings = openmetrics.write([item, item], io.StringIO())
    assert [one.partition(" ")[0] for one in warnings] == ["2", "1"]


@pytest.mark.parametrize(
    ("metric", "unit", "name"),
    [
        ("duration", "s", "gitbench_duration_seconds"),
        ("peak-memory", "B", "gitbench_peak_memory_bytes"),
        ("time_seconds", "s", "gitbench_time_seconds"),
        ("throughput", "B/s", "gitbench_throughput_bytes_per_second"),
        ("cost", "USD", "gitbench_cost_USD"),
        ("é\n", "1", "gitbench_other"),
    ],
)
def test_openmetrics_names(metric: str, unit: str, name: str) -> None:
    """A family is named after its metric and its base unit."""
    assert openmetrics.family_name(metric, unit)[0] == name


# ------------------------------------------------------ other tools' own formats


def test_pytest_benchmark_comes_back() -> None:
    """Our reader finds the same benchmarks, parameters, values and commit."""
    tokens = Metric("tokens", "1", Better.LOWER, Kind.TOKENS)
    run = factory_run(
        [
            make_measurement("t.py::test_a", [0.1, 0.3, 0.2], n="1", m="x"),
            make_measurement("t.py::test_a", [12.0], tokens, n="1", m="x"),
            make_measurement("t.py::test_b", [[1.0], [2.0]]),
        ]
    )
    text = text_of(pytest_benchmark, item_of(run))
    (back,) = formats.read(text.encode(), tool=None, name="p.json")
    assert back.tool.name == "pytest-benchmark"
    assert (back.commit, back.dirty) == (run.commit, False)
    assert back.started_at == run.started_at
    assert back.measurements[:2] == run.measurements[:2]
    assert back.measurements[2].processes == ((1.0, 2.0),)


@quick
@given(
    st.lists(
        st.floats(1e-9, 1e3).map(lambda value: round(value, 12)),
        min_size=2,
        max_size=30,
    )
)
def test_pytest_benchmark_statistics_are_the_tool_s_own(data: list[float]) -> None:
    """Every statistic beside the data is the one that the tool computes."""
    from pytest_benchmark.stats import Stats

    assume(min(data) > 0)
    tool = Stats()
    tool.data = list(data)
    ours = pytest_benchmark.stats(data)
    for name in ("min", "max", "mean", "median", "q1", "q3", "iqr", "stddev", "ops"):
        assert ours[name] == pytest.approx(getattr(tool, name), rel=1e-9, abs=1e-15)
    assert ours["rounds"] == tool.rounds


def test_pytest_benchmark_needs_durations() -> None:
    """A run without any is refused with what to do, not written empty."""
    summary = Measurement(
        Benchmark("a"),
        Metric("duration", "s", Better.LOWER, Kind.DURATION),
        summary=Summary(1.0),
    )
    with pytest.raises(ExportError, match="json or csv"):
        text_of(pytest_benchmark, item_of(factory_run([summary])))


def test_go_text_comes_back() -> None:
    """Our reader of Go text finds a Go run as it was."""
    allocated = Metric("allocated", "B", Better.LOWER, Kind.SIZE)
    nanoseconds = Metric("duration", "ns", Better.LOWER, Kind.DURATION)
    run = factory_run(
        [
            make_measurement("example.com/p.Sort/n=1", [101.5, 99.0], nanoseconds),
            make_measurement("example.com/p.Sort/n=1", [16.0], allocated),
            make_measurement("example.com/q.Load", [7.0], nanoseconds),
        ],
        tool=Tool("go"),
    )
    text = text_of(go_text, item_of(run))
    (back,) = formats.read(text.encode(), tool=None, name="go.txt")
    assert back.tool.name == "go"
    assert back.measurements == run.measurements


@pytest.mark.parametrize("name", HOSTILE)
def test_go_names_are_one_word(name: str) -> None:
    """A hostile name can begin no line of its own, end in no GOMAXPROCS, and is told
    apart from every other one by our reader."""
    run = factory_run(
        [
            make_measurement(name[:900], [0.5]),
            make_measurement(name[:900], [0.7], **{"k/=": name[:20]}),
            Measurement(
                Benchmark("bad"),
                Metric("duration", "s", Better.LOWER, Kind.DURATION),
                status=Status.FAILED,
                message=f"x\nBenchmarkFake 1 5 ns/op\n{name[:50]}",
            ),
        ]
    )
    text = text_of(go_text, item_of(run))
    (back,) = formats.read(text.encode(), tool="go", name="go.txt")
    assert [one.processes for one in back.measurements] == [
        ((0.5e9,),),
        ((0.7e9,),),
        (),
    ]
    assert back.measurements[2].status is Status.FAILED


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        (Metric("duration", "ms", Better.LOWER, Kind.DURATION), "ns/op"),
        (Metric("p99", "ms", Better.LOWER, Kind.DURATION), "p99-ns"),
        (Metric("throughput", "MB/s", Better.HIGHER, Kind.THROUGHPUT), "MB/s"),
        (Metric("tokens", "1", Better.LOWER, Kind.TOKENS), "tokens"),
        (Metric("cost", "USD", Better.LOWER, Kind.MONEY), "cost-USD"),
        (Metric("heap size", "KiB", Better.LOWER, Kind.SIZE), "heap%20size-bytes"),
    ],
)
def test_go_units(metric: Metric, unit: str) -> None:
    """Metrics have the units that Go's tools scale and know a direction for."""
    assert go_text.go_unit(metric)[0] == unit


# ------------------------------------------------------------------------ files


def test_a_file_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """A failure leaves what was there, and nothing beside it."""
    path = tmp_path / "out"
    path.write_text("earlier")
    path.chmod(0o640)

    def fail() -> None:
        with files.whole_file(path) as fresh:
            fresh.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "earlier"
    assert [one.name for one in tmp_path.iterdir()] == ["out"]
    with files.whole_file(path) as fresh:
        fresh.write_text("whole")
    assert path.read_text() == "whole"
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_folder_of_others_is_never_replaced(tmp_path: Path) -> None:
    """What is no export stays, with force or without; an export needs force."""
    folder = tmp_path / "out"
    folder.mkdir()
    with files.whole_folder(folder) as fresh:
        (fresh / "a").write_text("1")
    assert {one.name for one in folder.iterdir()} == {"a", files.MARK}
    with pytest.raises(ExportError, match="--force"), files.whole_folder(folder):
        pass
    with files.whole_folder(folder, force=True) as fresh:
        (fresh / "b").write_text("2")
    assert {one.name for one in folder.iterdir()} == {"b", files.MARK}
    (folder / files.MARK).unlink()
    with (
        pytest.raises(ExportError, match="something else"),
        files.whole_folder(folder, force=True),
    ):
        pass
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_every_format_has_its_module() -> None:
    """The table names modules that can write."""
    from importlib import import_module

    for how in FORMATS.values():
        assert callable(import_module(f"gitbench.exporting.{how.module}").write)

"""Tests of the reader of asv."""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbench import formats
from gitbench.cli.sources import read_source
from gitbench.formats import Folder
from gitbench.model import Benchmark, Better, Kind, Metric, Reading, Status, Summary
from tests.fuzz.formats import as_run
from tests.readings import unpack
from tests.unit.test_formats_fuzz import fuzz

DATA = Path(__file__).parent.parent / "data" / "asv"
SHARED = Path(__file__).parents[3] / "shared" / "data"
FIRST = "20fc55fce891f5afe776c6cdd1a368e3ade135c0"
SECOND = "06e43ec2ac6959c904ac329fe206d21ac754647e"
DURATION = Metric("duration", "s", Better.LOWER, Kind.DURATION)
COLUMNS = ["result", "params", "version", "started_at", "stats_repeat", "samples"]


def folder_of(**files: Any) -> Folder:
    """A folder whose files hold these JSON values; `/` is written `__`."""
    loaded = {
        f"{name.replace('__', '/')}.json": json.dumps(value).encode()
        for name, value in files.items()
    }
    return Folder("tree", tuple(sorted(loaded)), loaded.__getitem__)


def by_metric(reading: Reading, metric: str) -> dict[str, Any]:
    """Measurements of one metric by the label of their benchmark."""
    return {
        one.benchmark.label: one
        for one in reading.measurements
        if one.metric.name == metric
    }


def file(**fields: Any) -> dict[str, Any]:
    """A smallest result file of version 2."""
    return {
        "commit_hash": "a" * 40,
        "env_name": "conda-py3.12",
        "params": {"machine": "m"},
        "python": "3.12",
        "result_columns": COLUMNS,
        "results": {"b.time_x": [[1.5], [], "v1", 1000]},
        "version": 2,
    } | fields


def made(definitions: Any = None, machine: Any = None, **fields: Any) -> Reading:
    """The run of a file with these fields and neighbours."""
    beside = {"../benchmarks.json": definitions, "machine.json": machine}

    def load(name: str) -> bytes | None:
        return None if beside[name] is None else json.dumps(beside[name]).encode()

    data = json.dumps(file(**fields)).encode()
    (reading,) = formats.read(data, tool=None, name="x", beside=load)
    return reading


def refusal(**fields: Any) -> str:
    """The message with which such a file is refused."""
    with pytest.raises(formats.FormatError) as caught:
        made(**fields)
    return str(caught.value)


# ------------------------------------------------------------------- real results


def test_a_result_file_is_read_with_its_neighbours() -> None:
    """Names of parameters, types and units come from benchmarks.json."""
    (path,) = (DATA / "results" / "demo").glob("20fc55fc-*.json")
    (reading,) = read_source(str(path), None).readings
    raw = json.loads(path.read_text())["results"]
    assert (reading.commit, reading.dirty) == (FIRST, False)
    assert reading.tool.name == "asv"
    assert reading.started_at == min(row[3] for row in raw.values())
    assert not reading.naive_time
    assert reading.testbed_name is None
    assert dict(reading.facts) == {
        "cpu": "AMD EPYC 7763",
        "kernel": "6.1.0",
        "memory": "23.4 GiB",
        "os": "linux",
        "runtime": "Python 3.11",
    }
    assert reading.warnings == ()
    sums = [
        one
        for one in reading.measurements
        if one.benchmark.name == "bench.Sums.time_sum"
    ]
    combinations = itertools.product(
        ("100", "1000"), ("'list'", "'tuple, of'", '"it\'s"')
    )
    assert [one.benchmark.params for one in sums] == [
        (("env", "virtualenv-py3.11-six1.16.0"), ("kind", kind), ("n", n))
        for n, kind in combinations
    ]
    assert {one.version for one in sums} == {raw["bench.Sums.time_sum"][2]}


def test_samples_are_values_by_round() -> None:
    """asv runs two processes of five samples each and writes them in a row."""
    (path,) = (DATA / "results" / "demo").glob("20fc55fc-*.json")
    (reading,) = read_source(str(path), None).readings
    cells = json.loads(path.read_text())["results"]["bench.time_plain"]
    one = by_metric(reading, "duration")[
        "bench.time_plain [env=virtualenv-py3.11-six1.16.0]"
    ]
    first, second = one.processes
    assert [*first, *second] == cells[11][0]
    assert len(first) == len(second) == 5
    # The tool's own number is the median of all samples.
    assert statistics.median([*first, *second]) == pytest.approx(cells[0][0])
    assert one.metric == DURATION


def test_failures_and_skips_are_no_numbers() -> None:
    """null is a failure, NaN was skipped; the other parameters are read."""
    (path,) = (DATA / "results" / "demo").glob("20fc55fc-*.json")
    (reading,) = read_source(str(path), None).readings
    for metric in ("duration", "memory", "peak_memory"):
        found = {
            one.benchmark.params[1:]: one.status
            for one in reading.measurements
            if one.metric.name == metric and "Sums" in one.benchmark.name
        }
        assert found.pop((("kind", "'list'"), ("n", "1000"))) is Status.FAILED
        assert found.pop((("kind", '"it\'s"'), ("n", "1000"))) is Status.SKIPPED
        assert set(found.values()) == {Status.OK}
        assert len(found) == 4
    (failed,) = [
        one for one in reading.measurements if one.benchmark.name == "bench.time_fails"
    ]
    assert failed.status is Status.FAILED
    assert failed.processes == ()


def test_units_of_tracked_numbers_are_theirs() -> None:
    """A track_ benchmark has the unit that it names, or none and no direction."""
    (path,) = (DATA / "results" / "demo").glob("20fc55fc-*.json")
    (reading,) = read_source(str(path), None).readings
    found = {
        one.benchmark.name: (one.metric, one.processes)
        for one in reading.measurements
        if one.metric.name == "value"
    }
    assert found == {
        "bench.track_pages": (
            Metric("value", "pages", Better.NONE, Kind.COUNT),
            ((42.0,),),
        ),
        "bench.track_ratio": (
            Metric("value", "1", Better.NONE, Kind.SCORE),
            ((0.25,),),
        ),
        "bench.track_wall": (
            Metric("value", "seconds", Better.LOWER, Kind.DURATION),
            ((1.5,),),
        ),
    }


def test_a_folder_is_one_run_a_file() -> None:
    """Every machine, commit and environment is a run of its own."""
    readings = read_source(str(DATA / "results"), None).readings
    assert [(one.commit, one.dirty, len(one.measurements)) for one in readings] == [
        (SECOND, False, 24),
        (FIRST, False, 24),
        (SECOND, None, 4),
    ]
    assert [dict(one.facts)["cpu"] for one in readings] == [
        "AMD EPYC 7763",
        "AMD EPYC 7763",
        "Apple M2",
    ]
    assert readings[0].warnings == (
        "7 of 13 durations came without raw values, only a median; run asv with "
        "--record-samples to keep them.",
    )
    assert all(one.warnings == () for one in readings[1:])


def test_without_samples_there_is_a_median() -> None:
    """What asv keeps is the median and the number of samples behind it."""
    readings = read_source(str(DATA / "results"), None).readings
    found = by_metric(readings[0], "duration")
    one = found["bench.time_plain [env=virtualenv-py3.11-six1.16.0]"]
    assert one.processes == ()
    assert one.summary == Summary(3.742932624065898e-06, "median", n=10)


def test_an_existing_environment_does_not_tell_its_path() -> None:
    """asv names such an environment after the interpreter's path."""
    readings = read_source(str(DATA / "results"), None).readings
    assert {one.benchmark.params for one in readings[2].measurements} == {
        (("env", "existing"),)
    }
    assert "runtime" not in dict(readings[2].facts)


def test_version_1_is_read() -> None:
    """asv before 0.5 wrote objects, numbers and null by name."""
    (reading,) = read_source(str(DATA / "results-v1"), None).readings
    path = next((DATA / "results-v1" / "demo").glob("06e43ec2-*.json"))
    raw = json.loads(path.read_text())
    assert (reading.commit, reading.started_at) == (SECOND, 1795434748351)
    found = by_metric(reading, "duration")
    one = found["bench.Sums.time_sum [env=existing, kind='list', n=100]"]
    cells = raw["results"]["bench.Sums.time_sum"]
    assert one.processes == (
        tuple(cells["samples"][0][:5]),
        tuple(cells["samples"][0][5:]),
    )
    assert one.version == raw["benchmark_version"]["bench.Sums.time_sum"]
    assert found["bench.time_fails [env=existing]"].status is Status.FAILED
    status = Counter(one.status for one in reading.measurements)
    assert status == {Status.OK: 16, Status.FAILED: 4, Status.SKIPPED: 3}


def test_without_benchmarks_json_the_name_decides() -> None:
    """asv chooses a benchmark's type by its name, so a lone file is understood."""
    data = (DATA / "version-2.json").read_bytes()
    (reading,) = formats.read(data, tool=None, name="x")
    kinds = Counter(one.metric.name for one in reading.measurements)
    assert kinds == {"duration": 9, "memory": 6, "peak_memory": 6, "value": 3}
    value = [one.metric for one in reading.measurements if one.metric.name == "value"]
    assert set(value) == {Metric("value", "1", Better.NONE, Kind.SCORE)}
    assert "param1" in dict(reading.measurements[0].benchmark.params)
    assert "there is no benchmarks.json beside it" in reading.warnings[0]
    one = by_metric(reading, "duration")[
        "bench.time_plain [env=virtualenv-py3.11-six1.16.0]"
    ]
    # Who took which sample is then unknown.
    assert [len(values) for values in one.processes] == [10]


# -------------------------------------------------------------------- made results


def test_version_1_statistics_are_a_summary() -> None:
    """Version 1 keeps extremes and standard deviation beside the median."""
    stats = {"min": 1.0, "max": 3.0, "std": 0.5, "repeat": 7, "ci_99": [1, 2]}
    reading = made(
        version=1,
        result_columns=None,
        results={"time_x": {"result": 2.0, "stats": stats}, "time_y": 4.0},
    )
    x, y = reading.measurements
    assert x.summary == Summary(2.0, "median", 1.0, 3.0, 0.5, 7)
    # A bare number: versions before 0.2 wrote the smallest, later ones the median.
    assert y.processes == ((4.0,),)


def test_a_failed_benchmark_of_version_1_has_the_known_parameters() -> None:
    """null stands for all combinations, which benchmarks.json tells."""
    definition = {"type": "time", "param_names": ["n"], "params": [["1", "2"]]}
    reading = made(
        {"time_x": definition}, result_columns=None, version=1, results={"time_x": None}
    )
    assert [dict(one.benchmark.params)["n"] for one in reading.measurements] == [
        "1",
        "2",
    ]
    assert {one.status for one in reading.measurements} == {Status.FAILED}


def test_the_environment_is_a_parameter() -> None:
    """Two environments of one commit are no repetitions of each other."""
    assert made().measurements[0].benchmark == Benchmark(
        "b.time_x", (("env", "conda-py3.12"),)
    )
    old = made(env_name=None, requirements={"numpy": "1.8", "six": None})
    assert dict(old.measurements[0].benchmark.params) == {"env": "py3.12-numpy1.8-six"}
    names = []
    for last in ("a", "b"):
        reading = made(env_name="conda-py3.12-" + "x" * 60 + last)
        names.append(dict(reading.measurements[0].benchmark.params)["env"])
    assert names[0] != names[1]
    assert all(len(name) == 40 for name in names)


def test_a_parameter_may_be_called_env() -> None:
    """The environment then has another name."""
    reading = made(
        {"b.time_x": {"param_names": ["env"], "type": "time"}},
        results={"b.time_x": [[1.0], [["a"]]]},
    )
    assert dict(reading.measurements[0].benchmark.params) == {
        "env": "a",
        "asv_env": "conda-py3.12",
    }


def test_long_parameter_values_are_shortened_and_told_apart() -> None:
    """The repr of an array can be of any length."""
    values = ["x" * 5000 + "1", "x" * 5000 + "2"]
    reading = made(results={"time_x": [[1.0, 2.0], [values]]})
    labels = {one.benchmark.label for one in reading.measurements}
    assert len(labels) == 2
    assert max(map(len, labels)) < 200


def test_a_machine_without_facts_goes_by_its_name() -> None:
    """Whoever gives asv no facts has named the machine by hand."""
    assert made().testbed_name == "m"
    told = {"machine": "m", "num_cpu": "4", "ram": "16384000"}
    reading = made(params=told)
    assert reading.testbed_name is None
    assert ("memory", "15.6 GiB") in reading.facts
    beside = made(machine={"machine": "m", "cpu": "x", "os": "Darwin 21.6.0"})
    assert beside.testbed_name is None
    assert dict(beside.facts)["os"] == "darwin"


@pytest.mark.parametrize(
    ("ram", "memory"),
    [
        (17179869184, "16.0 GiB"),
        ("2023368", "1.9 GiB"),
        ("8.2G", "7.6 GiB"),
        ("16 GiB", "16.0 GiB"),
        ("", None),
        (None, None),
        ("much", None),
        ("-1", None),
        ("NaN", None),
    ],
)
def test_memory_is_understood_in_all_its_spellings(ram: Any, memory: Any) -> None:
    """asv wrote kilobytes, then bytes, and people write what they like."""
    reading = made(params={"machine": "m", "cpu": "x", "ram": ram})
    assert dict(reading.facts).get("memory") == memory


@pytest.mark.parametrize(
    ("definition", "count", "groups"),
    [
        ({"rounds": 2, "repeat": 0}, 10, [5, 5]),
        ({"rounds": 2, "repeat": 0}, 9, [9]),
        ({"rounds": 4, "repeat": 3}, 12, [3, 3, 3, 3]),
        ({"processes": 2, "repeat": [1, 6, 10.0]}, 12, [6, 6]),
        ({"rounds": 1, "repeat": 0}, 10, [10]),
        ({"rounds": 2, "repeat": 0}, 20, [20]),
        ({"rounds": True, "repeat": "x"}, 10, [10]),
        ({}, 10, [10]),
    ],
)
def test_rounds_are_processes_where_none_is_missing(
    definition: dict[str, Any], count: int, groups: list[int]
) -> None:
    """A round that stopped early leaves open whose a sample is."""
    samples = [float(i + 1) for i in range(count)]
    reading = made(
        {"b.time_x": {"type": "time"} | definition},
        results={"b.time_x": [[1.0], [], None, None, [count], [samples]]},
    )
    (one,) = reading.measurements
    assert [len(values) for values in one.processes] == groups
    assert [value for values in one.processes for value in values] == samples


def test_flags_are_numbers() -> None:
    """A track_ benchmark may return whether something holds."""
    (one,) = made(results={"track_x": [[True], []]}).measurements
    assert one.processes == ((1.0,),)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"results": {}}, "it holds no benchmark result"),
        ({"results": []}, "results: it must be an object"),
        ({"commit_hash": "eaea"}, "commit_hash: 'eaea' is no full id"),
        ({"commit_hash": None}, "'commit_hash' is missing"),
        ({"result_columns": None}, "'result_columns' is missing"),
        ({"result_columns": ["x"]}, "result_columns: it lacks 'result'"),
        ({"result_columns": [1]}, "result_columns[0]: it must be text"),
        ({"results": {"time_x": 1.5}}, "results['time_x']: it must be an array"),
        (
            {"results": {"time_x": [1.5]}},
            "results['time_x'].result: it must be an array",
        ),
        ({"results": {"time_x": [["x"]]}}, "result[0]: it must be a number"),
        ({"results": {"time_x": [[math.inf]]}}, "result[0]: it is infinite"),
        ({"results": {"time_x": [[1, 2], []]}}, "2 entries for 1 combinations"),
        ({"results": {"time_x": [[1], [["a", "a"]]]}}, "1 entries for 2 combinations"),
        ({"results": {"time_x": [[1, 2], [["a", "a"]]]}}, "it stands there twice"),
        ({"results": {"": [[1], []]}}, "The text is empty"),
        (
            {"results": {"time_x": [None, [["a"] * 100] * 100]}},
            "the limit is 100,000",
        ),
        (
            {"results": {"time_x": [[1], [], None, None, None, [[1, math.nan]]]}},
            "samples[0][1]: it is NaN",
        ),
        (
            {"results": {"time_x": [[1], [], None, None, [0]]}},
            "stats[0].repeat: it must be 1 or more",
        ),
        ({"machine": {"machine": "other"}}, "machine.json beside it is of 'other'"),
        ({"machine": []}, "machine.json: top level: it must be an object"),
        ({"definitions": 1}, "line 1: it is not JSON"),
    ],
)
def test_wrong_fields_are_refused(fields: dict[str, Any], reason: str) -> None:
    """Each mistake is told with its place."""
    assert reason in refusal(**fields)


def test_asvs_other_files_are_refused_by_what_they_are() -> None:
    """benchmarks.json and machine.json hold no results."""
    for path in (
        DATA / "results" / "benchmarks.json",
        DATA / "results/demo/machine.json",
    ):
        with pytest.raises(formats.FormatError, match="it holds no results"):
            formats.read(path.read_bytes(), tool=None, name="x")


def test_what_asv_prints_is_refused() -> None:
    """The console output is rounded; the file that asv wrote is named."""
    text = "· Running 2 total benchmarks\n[ 50.00%] ··· bench.time_x    3.54±0.06μs\n"
    with pytest.raises(formats.FormatError, match="results/<machine>/") as caught:
        formats.read(text.encode(), tool=None, name="x")
    assert "rounded" in str(caught.value)


# ------------------------------------------------------------------------- folders


def test_a_broken_file_of_a_folder_is_named() -> None:
    """asv leaves such files out; recording refuses the tree by the file's name."""
    files = {"m__machine": {"machine": "m"}, "m__aaaaaaaa-x": file()}
    good = folder_of(**files)
    assert len(formats.read_folder(good, tool=None) or ()) == 1
    loads = dict.fromkeys(good.paths)
    for path in good.paths:
        loads[path] = good.load(path)
    loads["m/bbbbbbbb-x.json"] = b"{\n  broken"
    broken = Folder("tree", tuple(sorted(loads)), loads.__getitem__)
    with pytest.raises(formats.FormatError) as caught:
        formats.read_folder(broken, tool=None)
    assert str(caught.value).startswith("tree: m/bbbbbbbb-x.json: line 2, column 3: ")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"explanation": "no result"}, "it holds no results"),
        (file(commit_hash="ea"), "commit_hash: 'ea' is no full id"),
        (file(params={"machine": "z"}), "measured on 'z'"),
        ([], "top level: it must be an object"),
    ],
)
def test_foreign_files_of_a_folder_are_named(value: Any, reason: str) -> None:
    """JSON beside machine.json that is no result of this machine is refused."""
    folder = folder_of(
        m__machine={"machine": "m"}, **{"m__aaaaaaaa-x": file(), "m__bbbbbbbb-y": value}
    )
    with pytest.raises(formats.FormatError) as caught:
        formats.read_folder(folder, tool="asv")
    assert "tree: m/bbbbbbbb-y.json" in str(caught.value)
    assert reason in str(caught.value)


def test_empty_files_of_a_folder_are_told() -> None:
    """A run that was interrupted leaves a file without results."""
    folder = folder_of(
        m__machine={"machine": "m"},
        **{"m__aaaaaaaa-x": file(), "m__bbbbbbbb-y": file(results={})},
    )
    (reading,) = formats.read_folder(folder, tool=None) or ()
    assert reading.warnings == (
        "1 files hold no result and were left out (such as 'm/bbbbbbbb-y.json').",
    )


def test_a_folder_without_results_is_refused() -> None:
    """--tool asv of a folder without results says so."""
    empty = folder_of(
        m__machine={"machine": "m"}, **{"m__aaaaaaaa-x": file(results={})}
    )
    with pytest.raises(formats.FormatError, match="no file in it holds a result"):
        formats.read_folder(empty, tool="asv")
    assert formats.read_folder(folder_of(a={}, b={}), tool=None) is None
    assert formats.read_folder(folder_of(machine={}), tool="asv") is None


def test_the_folder_of_one_machine_is_read() -> None:
    """Without benchmarks.json above it, as when results/<machine> is named."""
    readings = read_source(str(DATA / "results" / "demo"), None).readings
    assert len(readings) == 2
    assert "there is no benchmarks.json" in readings[0].warnings[0]


@given(data=st.data())
@fuzz
def test_damaged_neighbours_end_in_stated_errors(data: st.DataObject) -> None:
    """Whatever stands beside a result, reading gives a run or a stated error."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    values = scalars | st.lists(scalars, max_size=3)
    keys = st.sampled_from(
        ["type", "unit", "param_names", "params", "rounds", "repeat", "machine", "ram"]
    )
    record = st.dictionaries(keys, values, max_size=5)
    raw = json.loads((DATA / "version-1.json").read_text())
    names = st.sampled_from(list(raw["results"]))
    definitions = data.draw(st.dictionaries(names, record | values) | values)
    machine = data.draw(record | values)
    beside = {"../benchmarks.json": definitions, "machine.json": machine}
    try:
        readings = formats.read(
            json.dumps(raw).encode(),
            tool="asv",
            name="x",
            beside=lambda name: json.dumps(beside[name]).encode(),
        )
    except formats.FormatError as error:
        message = str(error)
    else:
        message = "fine"
        for reading in readings:
            as_run(reading)
    assert message.isprintable()


# ---------------------------------------------------------------------- the sweep


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared files are absent")
@pytest.mark.parametrize(
    ("name", "statuses", "values"),
    [
        ("MridulS+nx-benchmarks", {Status.OK: 64, Status.FAILED: 4}, 0),
        ("Unidata+MetPy-benchmark", {Status.OK: 124, Status.FAILED: 4}, 0),
        ("django+django-asv__ubuntu", {Status.OK: 65}, 650),
        ("django+django-asv__windows", {Status.OK: 40}, 0),
    ],
)
def test_results_of_others_are_read(
    name: str, statuses: dict[Status, int], values: int
) -> None:
    """Files from public repositories give the expected numbers."""
    (path,) = (SHARED / "formats" / "asv").glob(f"{name}*.json")
    (reading,) = formats.read(path.read_bytes(), tool=None, name=path.name)
    assert Counter(one.status for one in reading.measurements) == statuses
    found = [
        value for one in reading.measurements for p in one.processes for value in p
    ]
    assert len(found) == values
    assert {one.metric for one in reading.measurements} == {DURATION}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared files are absent")
@pytest.mark.parametrize(
    ("name", "top", "runs", "statuses"),
    [
        ("history/asv/networkx", "results", 36, (1769, 679, 0)),
        ("history/asv/photutils", "results", 232, (22344, 2712, 0)),
        ("history/asv/conda", ".", 352, (6166, 339, 37)),
    ],
)
def test_trees_of_others_are_read(
    name: str,
    top: str,
    runs: int,
    statuses: tuple[int, int, int],
    tmp_path: Path,
) -> None:
    """Whole result trees, versions 1 and 2, with NaN, null and failures."""
    unpack(SHARED / f"{name}.tar.gz", tmp_path)
    readings = read_source(str(tmp_path / top), None).readings
    assert len(readings) == runs
    found = Counter(one.status for run in readings for one in run.measurements)
    assert tuple(found[one] for one in Status) == statuses
    assert all(run.commit for run in readings)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared files are absent")
def test_asvs_own_example_names_its_broken_file(tmp_path: Path) -> None:
    """asv's example tree has a malformed file on purpose, and two foreign ones."""
    (path,) = (SHARED / "formats" / "asv").glob("*example_results.tar.gz")
    unpack(path, tmp_path)
    place = tmp_path / "test" / "example_results"
    for bad in ("aaaaaaaa", "bbbbbbbb", "cccccccc"):
        with pytest.raises(formats.FormatError, match=f"cheetah/{bad}-"):
            read_source(str(place), None)
        next((place / "cheetah").glob(f"{bad}*")).unlink()
    readings = read_source(str(place), None).readings
    assert len(readings) == 38
    assert {dict(one.facts)["os"] for one in readings} == {"linux"}

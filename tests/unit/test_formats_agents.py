"""Evaluations of AI agents: success, tokens, cost and latency by task."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import pytest

from gitbench import formats
from gitbench.model import Kind, Measurement, Reading, Status

DATA = Path(__file__).parent.parent / "data"


def read(name: str) -> Reading:
    """The single run of a file in tests/data, its tool detected."""
    (reading,) = formats.read((DATA / name).read_bytes(), tool=None, name=name)
    return reading


def refusal(data: bytes, tool: str) -> str:
    """The message with which some bytes are refused."""
    with pytest.raises(formats.FormatError) as caught:
        formats.read(data, tool=tool, name="x")
    return str(caught.value)


def by_name(reading: Reading) -> dict[tuple[str, str], Measurement]:
    """Measurements by the benchmark's name and metric."""
    return {(one.benchmark.name, one.metric.name): one for one in reading.measurements}


# -------------------------------------------------------------------- autopilot


def database(tmp_path: Path, *statements: str) -> bytes:
    """A database made by some statements."""
    path = tmp_path / "made.db"
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path.read_bytes()


TABLE = "CREATE TABLE benchmark_results (benchmark_id, timestamp, metrics)"


def test_results_of_one_id_are_values_of_one_run() -> None:
    """Rows of an id are trials of a proportion, and values of everything else."""
    reading = read("autopilot/benchmarks.db")
    rows = by_name(reading)
    success = rows["fix-bug", "success"]
    assert (success.passes, success.trials) == (2, 3)
    assert success.metric.kind is Kind.PROPORTION
    assert rows["fix-bug", "duration"].processes == ((1520.5, 1490.25, 1601.0),)
    assert rows["fix-bug", "duration"].metric.unit == "ms"
    assert rows["fix-bug", "tokens"].metric.kind is Kind.TOKENS
    assert rows["fix-bug", "cost"].metric.unit == "USD"
    assert rows["write-docs", "success"].trials == 1
    assert reading.started_at == 1_793_527_200_000


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["CREATE TABLE other (x)"], "no table 'benchmark_results'"),
        (["CREATE TABLE benchmark_results (x)"], "no column 'benchmark_id'"),
        (
            [
                "CREATE VIEW benchmark_results AS SELECT 1 AS benchmark_id, "
                "2 AS timestamp, 3 AS metrics"
            ],
            "no plain table",
        ),
        ([TABLE], "no benchmark result"),
        (
            [TABLE, "INSERT INTO benchmark_results VALUES ('a', 1, 'x')"],
            "not valid JSON",
        ),
        ([TABLE, "INSERT INTO benchmark_results VALUES ('a', 1, '[]')"], "an object"),
        (
            [TABLE, "INSERT INTO benchmark_results VALUES ('', 1, '{\"tokens\": 1}')"],
            "row 1, benchmark_id",
        ),
        (
            [
                TABLE,
                "INSERT INTO benchmark_results VALUES ('a', 'x', '{\"tokens\": 1}')",
            ],
            "timestamp",
        ),
        (
            [
                TABLE,
                "INSERT INTO benchmark_results VALUES ('a', 1, '{\"tokens\": NaN}')",
            ],
            "it is NaN",
        ),
        (
            [
                TABLE,
                "INSERT INTO benchmark_results VALUES ('a', 1, '{\"success\": 3}')",
            ],
            "not true or false",
        ),
    ],
)
def test_databases_that_cannot_be_read(
    tmp_path: Path, statements: list[str], words: str
) -> None:
    """Foreign, empty and hostile databases are refused with their place."""
    assert words in refusal(database(tmp_path, *statements), "autopilot")


def test_a_view_behind_the_table_cannot_spin(tmp_path: Path) -> None:
    """A generated column that computes for ever is stopped by a bound on steps."""
    endless = (
        "CREATE TABLE benchmark_results (benchmark_id, timestamp, metrics AS ("
        "length(replace(hex(zeroblob(1000000)), '0', 'aa')) || benchmark_id))"
    )
    insert = "INSERT INTO benchmark_results VALUES ('a', 1)"
    assert "x: " in refusal(database(tmp_path, endless, insert), "autopilot")


@pytest.mark.parametrize("at", [100, 1000, 4000, 8000])
def test_damaged_databases_are_refused(at: int) -> None:
    """A database with damaged pages is refused, or read where the damage is not."""
    data = bytearray((DATA / "autopilot" / "benchmarks.db").read_bytes())
    data[at : at + 60] = bytes(60)
    message = "x: "
    try:
        formats.read(bytes(data), tool="autopilot", name="x")
    except formats.FormatError as error:
        message = str(error)
    assert message.startswith("x: ")


# ---------------------------------------------------------------------- inspect


@pytest.mark.parametrize("name", ["log.json.gz", "log.eval"])
def test_a_log_is_read_sample_by_sample(name: str) -> None:
    """Samples are benchmarks, epochs are trials, the model is a parameter."""
    pytest.importorskip("backports.zstd", reason="needs gitbench[inspect]")
    reading = read(f"inspect/{name}")
    rows = by_name(reading)
    tally = {
        sample: (one.passes, one.trials)
        for (sample, metric), one in rows.items()
        if metric == "success"
    }
    assert tally == {
        "capitals/fr": (2, 2),
        "capitals/it": (1, 2),
        "capitals/no": (1, 2),
    }
    assert rows["capitals/fr", "includes"].passes == 2
    # The tool's own totals: 87 + 27 tokens, an accuracy of 2/3.
    tokens = [v for (_, m), one in rows.items() if m == "tokens" for v in one.processes]
    assert sum(map(sum, tokens)) == 114.0
    assert sum(passes or 0 for passes, _ in tally.values()) / 6 == pytest.approx(2 / 3)
    assert rows["capitals/fr", "duration"].metric.unit == "s"
    assert rows["capitals/fr", "success"].benchmark.params == (
        ("model", "mockllm/model"),
    )
    assert reading.tool.version == "0.3.285"
    assert reading.started_at is not None


def log(**changes: Any) -> bytes:
    """A smallest log."""
    sample = {"id": 1, "epoch": 1, "scores": {"match": {"value": "C"}}}
    top = {
        "version": 2,
        "status": "success",
        "eval": {"task": "t", "model": "m"},
        "samples": [sample],
    }
    return json.dumps(top | changes).encode()


def sample(**changes: Any) -> list[dict[str, Any]]:
    """The samples of a log with one sample."""
    return [{"id": 1, "epoch": 1, **changes}]


def test_errors_are_no_failures_of_the_task() -> None:
    """Epochs that ended with an error are left out; with nothing else it is failed."""
    error = {"message": "rate limit"}
    some = [
        {"id": "a", "scores": {"s": {"value": 1}}},
        {"id": "a", "error": error},
        {"id": "b", "error": error},
    ]
    (reading,) = formats.read(log(samples=some), tool="inspect", name="x")
    rows = by_name(reading)
    assert (rows["t/a", "success"].passes, rows["t/a", "success"].trials) == (1, 1)
    assert rows["t/b", "success"].status is Status.FAILED
    assert rows["t/b", "success"].message == "rate limit"
    assert "2 trials" in reading.warnings[0]


def test_scores_that_are_no_passes() -> None:
    """Parts of a score and numbers between are scores; text is no measure."""
    scores = {"judge": {"value": {"style": 0.5, "words": "good"}}, "m": {"value": "C"}}
    data = log(samples=sample(scores=scores), results={"headline": {"score": "m"}})
    (reading,) = formats.read(data, tool=None, name="x")
    rows = by_name(reading)
    assert rows["t/1", "success"].passes == 1
    assert rows["t/1", "judge/style"].metric.kind is Kind.SCORE
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (log(status="error"), "eval-retry"),
        (log(samples=[]), "no samples"),
        (log(eval={}), "'task' is missing"),
        (log(samples=sample(scores={"m": {"value": float("nan")}})), "NaN"),
        (log(samples=[{}]), "'id' is missing"),
        (log(samples=sample(model_usage={"m": 3})), "must be an object"),
        (b"PK\3\4" + b"x" * 50, "damaged .eval"),
    ],
)
def test_logs_that_cannot_be_read(data: bytes, words: str) -> None:
    """Unfinished, empty and damaged logs are refused with their place."""
    assert words in refusal(data, "inspect")


def test_a_zip_of_something_else_is_refused() -> None:
    """Another zip file has no header of a log."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "x")
    assert "header.json: it is missing" in refusal(buffer.getvalue(), "inspect")


# -------------------------------------------------------------------- promptfoo


def test_promptfoo_repeats_are_trials() -> None:
    """Tests are benchmarks by their description or variables; repeats are trials."""
    reading = read("promptfoo/out.json.gz")
    passed = {
        one.benchmark.label: (one.passes, one.trials)
        for one in reading.measurements
        if one.metric.name == "success"
    }
    answer, say = (
        "[prompt=Answer: {{q}}, provider=echo]",
        "[prompt=Say {{q}}, provider=echo]",
    )
    assert passed == {
        f"capital {answer}": (2, 2),
        f"capital {say}": (2, 2),
        f"q=Rome {answer}": (2, 2),
        f"q=Rome {say}": (0, 2),
        f"q=Oslo {answer}": (2, 2),
        f"q=Oslo {say}": (2, 2),
    }
    # As promptfoo printed: 10 passed, 2 failed.
    assert sum(passes or 0 for passes, _ in passed.values()) == 10
    assert reading.tool.version == "0.121.20"
    assert {one.metric.name for one in reading.measurements} <= {"success", "duration"}


def answers(*rows: dict[str, Any]) -> bytes:
    """An evaluation with some answers."""
    return json.dumps({"evalId": "e", "results": {"results": list(rows)}}).encode()


def test_promptfoo_tells_tokens_and_cost() -> None:
    """Tokens, cost and latency are values; cached answers have none of them."""
    row = {"success": True, "score": 0.5, "vars": {"q": "x" * 500}, "latencyMs": 120}
    usage = {"tokenUsage": {"total": 30}}
    fresh = row | {"cost": 0.25, "response": usage}
    cached = row | {"cost": 0.25, "response": usage | {"cached": True}}
    (reading,) = formats.read(answers(fresh, cached), tool=None, name="x")
    rows = {one.metric.name: one for one in reading.measurements}
    assert rows["success"].trials == 2
    assert rows["tokens"].processes == ((30.0,),)
    assert rows["cost"].processes == ((0.25,),)
    assert rows["duration"].processes == ((120.0,),)
    assert rows["score"].processes == ((0.5, 0.5),)
    assert rows["cost"].benchmark.name.startswith("q=sha256:")
    assert "--no-cache" in reading.warnings[0]


def test_promptfoo_errors_are_failed() -> None:
    """A test that could not be judged is failed, with the reason."""
    row = {"success": False, "failureReason": 2, "error": "401", "testIdx": 3}
    (reading,) = formats.read(answers(row), tool=None, name="x")
    (one,) = reading.measurements
    assert (one.benchmark.name, one.status, one.message) == (
        "test 3",
        Status.FAILED,
        "401",
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{}", "'results' is missing"),
        (answers(), "no benchmark result"),
        (answers({"success": "yes"}), "must be true or false"),
        (answers({"success": True, "score": float("inf")}), "infinite"),
    ],
)
def test_evaluations_that_cannot_be_read(data: bytes, words: str) -> None:
    """What is no evaluation is refused with its place."""
    assert words in refusal(data, "promptfoo")


def test_nothing_private_is_kept() -> None:
    """Prompts and answers of a model stay in the tool's own file."""
    told = repr(read("inspect/log.json.gz"))
    assert "Capital of France?" not in told
    assert (
        "Capital of France?"
        in gzip.decompress((DATA / "inspect" / "log.json.gz").read_bytes()).decode()
    )

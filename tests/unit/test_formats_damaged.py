"""What the fuzzers of the readers found, each once more."""

from __future__ import annotations

import gc
import io
import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gitbench import formats
from gitbench.formats import document
from gitbench.store import codec
from tests.fuzz.formats import as_run
from tests.readings import refusal

DATA = Path(__file__).parent.parent / "data"
VERSIONS = {
    "benchmarkdotnet/full.json": "BenchmarkDotNetVersion",
    "google-benchmark/python.json": "library_version",
    "inspect/log.json.gz": "inspect_ai",
    "jmh/forks.json": "jmhVersion",
    "julia/trial.json": "BenchmarkTools",
    "k6/machine-readable.json": "k6Version k6_version",
    "promptfoo/out.json.gz": "promptfooVersion",
}
"""File -> key under which it tells its tool's version."""


def _replace(value: Any, keys: list[str], new: str) -> int:
    """Replace what stands under some keys, wherever they are; how often it did."""
    done = 0
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in list(inner):
        if key in keys and isinstance(value, dict):
            value[key] = new
            done += 1
        elif isinstance(one, dict | list):
            done += _replace(one, keys, new)
    return done


@pytest.mark.parametrize("odd", ["1.\ud800", "1\n2", "", "x" * 5000])
@pytest.mark.parametrize("name", VERSIONS)
def test_an_odd_version_of_a_tool_is_left_out(name: str, odd: str) -> None:
    """A version that is no short, printable text is not stored, and the result is:
    with a lone surrogate it could not be stored at all."""
    (value,) = document.parse_json(
        document.inflate((DATA / name).read_bytes()).decode()
    )
    assert _replace(value, VERSIONS[name].split(), odd)
    (reading,) = formats.read(json.dumps(value).encode(), tool=None, name="x")
    assert reading.tool.version is None
    codec.encode(as_run(reading))


def test_a_message_of_sqlite_stays_on_one_line() -> None:
    """SQLite puts text of the file into its messages, which are printed as they are."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(
            "CREATE TABLE benchmark_results(benchmark_id, timestamp, metrics)"
        )
        connection.execute(
            "INSERT INTO benchmark_results VALUES ('a', CAST(x'1b0aff' AS TEXT), '{}')"
        )
        connection.commit()
        content = connection.serialize()
    message = refusal(content, "autopilot")
    assert message.startswith("x: the database")
    assert message.isprintable()


def _zipped(method: int) -> bytearray:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("header.json", json.dumps({"status": "success"}) * 50)
        archive.writestr("summaries.json", "[]" * 50)
    return bytearray(file.getvalue())


def test_damaged_parts_of_a_zip_are_refused() -> None:
    """Data that Deflate cannot unpack is a damaged file, not a traceback."""
    content = _zipped(zipfile.ZIP_DEFLATED)
    place = content.index(b"header.json") + len(b"header.json")
    content[place : place + 4] = b"\xff\xff\xff\xff"
    assert "it is a damaged .eval file" in refusal(bytes(content), "inspect")


def test_damaged_zstandard_is_refused() -> None:
    """So is data that Zstandard cannot unpack."""
    pytest.importorskip("backports.zstd")
    content = bytearray((DATA / "inspect/log.eval").read_bytes())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = archive.getinfo("summaries.json").header_offset
    place = content.index(b"\x28\xb5\x2f\xfd", start)
    content[place + 8 : place + 24] = b"\xff" * 16
    assert "it is a damaged .eval file" in refusal(bytes(content), "inspect")


def test_parts_compressed_otherwise_are_refused() -> None:
    """A zip whose parts are compressed as inspect never does is not unpacked."""
    message = refusal(bytes(_zipped(zipfile.ZIP_LZMA)), "inspect")
    assert "header.json: inspect does not compress in this way" in message


def test_a_message_about_a_table_of_tabs_stays_on_one_line() -> None:
    """The message of Python's csv shows the delimiter."""
    message = refusal('benchmark\tvalue\n"a"b\t1\n', "csv")
    assert message.startswith("x: line 2: it is no table (")
    assert message.isprintable()


def test_a_tool_is_found_behind_a_long_log() -> None:
    """Text whose first lines tell nothing is looked at whole."""
    log = "a line of a log\n" * 100_000 + "BenchmarkA-2 \t 50\t 1577 ns/op\n"
    (reading,) = formats.read(log.encode(), tool=None, name="x")
    assert reading.tool.name == "go"


def test_the_collector_of_garbage_is_as_it_was() -> None:
    """Reading pauses it, and lets it run again, also after an error."""
    assert gc.isenabled()
    refusal("{")
    assert gc.isenabled()
    gc.disable()
    try:
        formats.read((DATA / "go.txt").read_bytes(), tool=None, name="x")
        assert not gc.isenabled()
    finally:
        gc.enable()

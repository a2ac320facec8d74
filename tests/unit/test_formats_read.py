"""Tests of what all readers share: detection, decoding, bounds and errors."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from gitbench import formats
from gitbench.formats import document

DATA = Path(__file__).parent.parent / "data"
FILES = sorted(
    [path for path in DATA.iterdir() if path.is_file() and path.name != "README.md"]
    + [
        path
        for tool in formats.TOOLS
        for path in (DATA / tool).glob("*")
        if path.is_file()
    ]
)
"""Those of one tool stand in a folder of its name, or have its name in theirs."""
TOOL_OF = {"run": "gitbench", "runs": "gitbench"}


def tool_of(path: Path) -> str:
    """The tool that made a file of tests/data, by its folder or name."""
    if path.parent != DATA:
        return path.parent.name
    stem = path.name.partition(".")[0]
    if stem.startswith("pytest-benchmark"):
        return "pytest-benchmark"
    first = stem.partition("-")[0]
    return TOOL_OF.get(first, first)


def minimal(**fields: object) -> bytes:
    """A smallest gitbench/run/1 file."""
    one = {"benchmark": "b", "metric": "duration", "unit": "s", "values": [1.5]}
    return json.dumps(
        {"schema": "gitbench/run/1", "measurements": [one | fields]}
    ).encode()


def refusal(data: bytes, tool: str | None = None) -> str:
    """The message with which `data` is refused."""
    with pytest.raises(formats.FormatError) as caught:
        formats.read(data, tool=tool, name="result.json")
    return str(caught.value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_file_is_detected_by_content(path: Path) -> None:
    """Every file's tool is found without its name, and is the only one that fits."""
    content = document.open_document(path.read_bytes())
    assert formats.detect(content) == (tool_of(path),)
    named = formats.read(path.read_bytes(), tool=tool_of(path), name=path.name)
    assert formats.read(path.read_bytes(), tool=None, name="x") == named
    assert named
    assert all(reading.measurements for reading in named)


def test_every_tool_has_a_file() -> None:
    """No reader is without real output to test it on."""
    folders = {tool for tool in formats.FOLDER_TOOLS if (DATA / tool).is_dir()}
    assert {tool_of(path) for path in FILES} | folders == set(formats.TOOLS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_tells_a_private_fact(path: Path) -> None:
    """Host names and paths in a result never become facts."""
    for reading in formats.read(path.read_bytes(), tool=None, name=path.name):
        told = dict(reading.facts)
        assert "host" not in told
        assert not any("demo" in value or "/" in value for value in told.values())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_are_small(path: Path) -> None:
    """Test data stays small."""
    assert path.stat().st_size < 60_000


@pytest.mark.parametrize(
    "data",
    [
        b'{"context": {}, "benchmarks": [{"name": "x", "real_time": 1}]}',
        b"{}",
        b"[]",
        b"3",
        b'"text"',
        b"hello",
        b"<xml/>",
        b"Benchmark  Mode  Cnt  Score\nx.y  avgt  5  1.0\n",
    ],
)
def test_unknown_content_names_the_known_tools(data: bytes) -> None:
    """What no tool writes is refused, never guessed."""
    message = refusal(data)
    assert message.startswith("result.json: ")
    assert "known are asv, autopilot, benchee" in message
    assert "--tool" in message


def test_content_of_two_tools_is_refused() -> None:
    """Where two tools fit, the user has to say which."""
    both = {
        "results": [{"command": "x", "times": [1.0]}],
        "benchmarks": [{"fullname": "x", "stats": {"mean": 1.0}}],
    }
    message = refusal(json.dumps(both).encode())
    assert "hyperfine or pytest-benchmark; say which with --tool" in message


def test_an_unknown_tool_names_the_nearest() -> None:
    """A misspelt --tool is met with the right one."""
    assert "did you mean 'hyperfine'?" in refusal(b"{}", "hyperfin")


def test_a_wrong_tool_is_told() -> None:
    """With --tool of another tool, the message names the one that fits."""
    data = (DATA / "pyperf.json").read_bytes()
    assert "looks like a result of pyperf, not of hyperfine" in refusal(
        data, "hyperfine"
    )
    assert "looks like a result of pyperf, not of go" in refusal(data, "go")


@pytest.mark.parametrize(
    "tool", ["hyperfine", "pyperf", "pytest-benchmark", "gitbench"]
)
def test_text_is_refused_by_json_tools(tool: str) -> None:
    """Text for a tool that writes JSON is refused with its place."""
    assert "line 1: it is not JSON" in refusal(b"goos: linux\n", tool)


# -------------------------------------------------------------- bytes and text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_byte_order_marks_are_understood(encoding: str) -> None:
    """UTF-8 with a mark and UTF-16, as Windows shells write, are read."""
    text = minimal().decode()
    data = text.encode(encoding)
    if encoding == "utf-16-le":
        data = b"\xff\xfe" + data
    (reading,) = formats.read(data, tool=None, name="x")
    assert reading.measurements[0].processes == ((1.5,),)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b" \n\t\n", "it is empty"),
        (b"\xef\xbb\xbf", "it is empty"),
        (b'{"schema": "\xff"}', "byte 12: it is not valid UTF-8"),
        (b"\xff\xfe{", "it is not valid UTF-16"),
        (b"\xff\xfe\x00\xd8\x00\x00", "it is not valid UTF-16"),
        (b"\x1f\x8b", "gzip data: it ends too early"),
        (b"\x1f\x8bgarbage!", "gzip data: it is damaged"),
        (gzip.compress(minimal())[:-4], "gzip data: it ends too early"),
        (gzip.compress(minimal()) + b"tail", "something that is not gzip"),
        (minimal()[:-1], "the JSON ends too early; the file is cut off"),
        (minimal()[:30], "line 1, column"),
        (minimal() + b"]", "something follows the JSON value"),
        (minimal() + b"x", "something follows the JSON value"),
        (b'{"a": 1,}', "it is not valid JSON"),
        (b"{'a': 1}", "it is not valid JSON"),
        (b'{"a": 1, "a": 2}', "key 'a': it stands twice in one JSON object"),
        (b"[" * 100_000, "its JSON is nested too deeply"),
        (b'{"a":' * 100_000, "its JSON is nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "an integer of thousands of digits"),
        (b"\x00\x01\x02", "no known tool writes this"),
    ],
    ids=range(21),
)
def test_damaged_files_are_refused_with_a_reason(data: bytes, reason: str) -> None:
    """Whatever is wrong with a file becomes one stated error with its place."""
    message = refusal(data)
    assert message.startswith("result.json: ")
    assert reason in message
    assert "\n" not in message


def test_gzip_is_unpacked() -> None:
    """A compressed result, in one member or several, is read like a plain one."""
    data = minimal()
    plain = formats.read(data, tool=None, name="x")
    assert formats.read(gzip.compress(data), tool=None, name="x") == plain
    parts = gzip.compress(data[:20]) + gzip.compress(data[20:]) + b"\0" * 512
    assert formats.read(parts, tool=None, name="x") == plain


def test_a_decompression_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacking stops at the limit, in memory bounded by it."""
    monkeypatch.setattr(document, "MAX_BYTES", 2**20)
    assert "it is larger than 1 MiB" in refusal(gzip.compress(b" " * 2**24))
    assert "it is larger than 1 MiB" in refusal(b" " * (2**20 + 1))
    many = gzip.compress(b" " * 2**18) * 5
    assert "it is larger than 1 MiB" in refusal(many)
    assert "too many parts" in refusal(gzip.compress(b" ") * 101)


def test_the_number_of_measurements_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of more measurements than the limit is refused."""
    import gitbench.formats.document as module

    monkeypatch.setattr(module, "MAX_MEASUREMENTS", 2)
    ones = [
        {"benchmark": f"b{i}", "metric": "duration", "unit": "s", "values": [1]}
        for i in range(3)
    ]
    run = {"schema": "gitbench/run/1", "measurements": ones}
    assert "it holds 3 measurements" in refusal(json.dumps(run).encode())


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "1" * 400])
@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            '{"schema": "gitbench/run/1", "measurements": [{"benchmark": "b", '
            '"metric": "duration", "unit": "s", "values": [1.0, VALUE]}]}',
            "measurements[0].values[1]",
        ),
        (
            '{"benchmarks": [{"fullname": "b", "stats": {"data": [1.0, VALUE]}}]}',
            "benchmarks[0].stats.data[1]",
        ),
        (
            '{"benchmarks": [{"fullname": "b", "stats": {"mean": VALUE}}]}',
            "benchmarks[0].stats.mean",
        ),
        (
            '{"version": "1.0", "benchmarks": [{"metadata": {"name": "b"}, "runs": '
            '[{"values": [1.0, VALUE]}]}]}',
            "benchmarks[0].runs[0].values[1]",
        ),
        (
            '{"results": [{"command": "b", "times": [1.0, VALUE]}]}',
            "results[0].times[1]",
        ),
    ],
)
def test_numbers_that_are_none_are_refused_with_their_place(
    text: str, place: str, value: str
) -> None:
    """NaN, infinities and numbers beyond a float's range are no results."""
    message = refusal(text.replace("VALUE", value).encode())
    assert f"result.json: {place}: it is " in message


@pytest.mark.parametrize("value", ['"1.0"', "true", "null", "[]", "{}"])
def test_values_of_a_wrong_type_are_refused(value: str) -> None:
    """Text, flags and the like are not taken for numbers."""
    text = '{"results": [{"command": "b", "times": [1.0, VALUE]}]}'
    message = refusal(text.replace("VALUE", value).encode())
    assert "results[0].times[1]: it must be a number, but it is" in message


def test_lone_surrogates_are_refused() -> None:
    """A name that is no valid Unicode cannot be stored."""
    assert "lone surrogate" in refusal(minimal(benchmark="a\ud800"))


def test_long_names_are_refused() -> None:
    """Names are bounded."""
    assert "the limit is 1,024" in refusal(minimal(benchmark="a" * 1025))


def test_messages_show_no_control_characters() -> None:
    """What a file holds reaches a terminal through error messages."""
    message = refusal(minimal(**{"\x1b[31mred\n": 1}))
    assert message.isprintable()
    with pytest.raises(formats.FormatError) as caught:
        formats.read(b"", tool=None, name="a\x1b[2J\n.json")
    assert str(caught.value).isprintable()


def test_only_the_chosen_reader_is_loaded() -> None:
    """Readers of other tools cost nothing at start-up."""
    code = (
        "import sys\n"
        "from gitbench import formats\n"
        "def loaded():\n"
        "    return {m for m in sys.modules if m.startswith('gitbench.formats.')}\n"
        "before = loaded()\n"
        "formats.read(open(sys.argv[1], 'rb').read(), tool=None, name='x')\n"
        "assert loaded() - before == {'gitbench.formats.pyperf'}, loaded()\n"
        "assert not before & {f'gitbench.formats.{t}' for t in formats.TOOLS}\n"
        "bad = {'difflib', 'subprocess', 'numpy', 'click'} & set(sys.modules)\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", code, DATA / "pyperf.json"], check=True)

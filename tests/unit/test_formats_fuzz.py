"""No content of a result file ends in anything but readings or a stated error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitbench import formats
from gitbench.formats import document
from tests.fuzz.formats import attempt

DATA = Path(__file__).parent.parent / "data"
FILES = sorted(
    path
    for folder in [DATA, *(DATA / tool for tool in formats.TOOLS)]
    if folder.is_dir()
    for path in folder.iterdir()
    if path.is_file() and path.name != "README.md"
)
CONTENTS = {
    path.relative_to(DATA).as_posix(): document.inflate(path.read_bytes())
    for path in FILES
}
TOOLS = [None, *formats.TOOLS]

fuzz = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.parametrize("name", CONTENTS)
@given(data=st.data())
@fuzz
def test_damaged_bytes(name: str, data: st.DataObject) -> None:
    """A file that is cut, or has bytes flipped, removed or doubled."""
    content = bytearray(CONTENTS[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        end = min(len(content), at + data.draw(st.integers(1, 40)))
        what = data.draw(st.sampled_from(["cut", "flip", "remove", "double", "put"]))
        if what == "cut" and at:
            del content[at:]
        elif what == "flip" and at < len(content):
            content[at] ^= data.draw(st.integers(1, 255))
        elif what == "remove":
            del content[at:end]
        elif what == "double":
            content[at:at] = content[at:end]
        else:
            content[at:at] = data.draw(
                st.sampled_from([b"NaN", b"1e999", b"\\ud800", b'"', b"\n", b"{", b"-"])
            )
    attempt(bytes(content), data.draw(st.sampled_from([None, None, *formats.TOOLS])))


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["", "gitbench/run/1", "1.0", "second", "x" * 2000, "\ud800"]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """All (container, key) pairs inside a JSON value."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items: Any = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return found
    for key, inner in items:
        found.append((value, key))
        found.extend(places(inner))
    return found


JSON_FILES = [
    name
    for name in CONTENTS
    if not name.endswith((".csv", ".db", ".eval", ".txt", ".xml"))
]


@pytest.mark.parametrize("name", JSON_FILES)
@given(data=st.data())
@fuzz
def test_damaged_structure(name: str, data: st.DataObject) -> None:
    """A file in which any value is replaced, removed or renamed."""
    documents = document.parse_json(CONTENTS[name].decode())
    for _ in range(data.draw(st.integers(1, 3))):
        every = places(documents)
        if not every:
            break
        owner, key = every[data.draw(st.integers(0, len(every) - 1))]
        what = data.draw(st.sampled_from(["replace", "remove", "rename"]))
        if what == "replace":
            owner[key] = data.draw(values)
        elif what == "remove":
            del owner[key]
        elif isinstance(owner, dict):
            owner[data.draw(st.text(max_size=5))] = owner.pop(key)
    text = "\n".join(json.dumps(one) for one in documents)
    attempt(text.encode(), data.draw(st.sampled_from([None, *formats.TOOLS])))


@given(values, st.sampled_from(TOOLS))
@settings(fuzz, max_examples=300)
def test_any_json(value: Any, tool: str | None) -> None:
    """Any JSON, for any tool."""
    attempt(json.dumps(value).encode(), tool)


@given(st.binary(max_size=60), st.sampled_from(TOOLS))
@settings(fuzz, max_examples=300)
def test_any_bytes(data: bytes, tool: str | None) -> None:
    """Any bytes, for any tool."""
    attempt(data, tool)


WORDS = (
    "BenchmarkA BenchmarkB-8 Benchmark 10 3.5 NaN -1 ns/op B/op allocs/op p99-ns x/op "
    "panic: FAIL PASS ok --- FAIL: SKIP: BenchmarkA goos: pkg: cpu: note: commit: Unit "
    "assume=exact better=up /"
)
words = st.sampled_from(WORDS.split())
blanks = st.sampled_from([" ", "\t", "\n", "    ", "\r\n", "\x0b", "\u2028"])


@given(st.lists(st.tuples(words | st.text(max_size=3), blanks), max_size=60))
@settings(fuzz, max_examples=400)
def test_any_text_of_go(parts: list[tuple[str, str]]) -> None:
    """Any mixture of the words that Go's output is made of."""
    text = "".join([word + blank for word, blank in parts])
    attempt(text.encode("utf-8", "replace"), "go")

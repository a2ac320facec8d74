"""Detection never guesses wrong silently: every file there is, with what it must be."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitbench import formats
from gitbench.formats import document
from tests.readings import SHARED, needs_samples

FOLDERS = {
    "bencher-bmf": "bencher",
    "github-action-benchmark-custom": "github-action-benchmark",
    "go-bench": "go",
    "junit-xml": "junit",
    "vitest-bench": "vitest",
}
"""Folders of the samples that are named otherwise than their tool."""

UNKNOWN = "no known tool writes this"
EXPECTED: dict[str, tuple[str | None, str | None]] = {
    # Archives of folders are recorded as such, not as a file.
    "asv/airspeed-velocity+asv__example_results.tar.gz": (None, UNKNOWN),
    "asv/bencherdev+bencher__six.txt": ("asv", "it is what asv prints"),
    "asv/django+django-asv__benchmarks.json": ("asv", "it holds no results"),
    "asv/django+django-asv__machine.json": ("asv", "it holds no results"),
    "benchmarkdotnet/*-report.csv": ("benchmarkdotnet", "it is the CSV report"),
    "criterion/*.tar.gz": (None, UNKNOWN),
    # criterion with --output-format bencher prints the lines of libtest.
    "criterion/*__criterion_output.txt": ("libtest", None),
    "jmh/smarr+ReBench__issue_32_jmh.data": ("jmh", "this is what JMH prints"),
    # A table of rebar and the output of a Lua tool: nothing here reads them.
    "other/BurntSushi+rebar__rust-regexold.csv": (None, UNKNOWN),
    "other/*__benchmarkluau_output.txt": (None, UNKNOWN),
    "other/*__benchmarkjs_output.txt": ("benchmark-js", None),
    "other/*__cargo_output*.txt": ("libtest", None),
    "other/*__julia_output.json": ("julia", None),
    # Its values were cut out by hand, with dots in their place.
    "pytest-benchmark/*__extract_pytest_*.json": (
        "pytest-benchmark",
        "it must be a number, but it is text",
    ),
}
"""Path or pattern -> the tool that is detected, and why the file is refused; all
other samples are of their folder's tool and are read."""

SAMPLES = [path for path in sorted(SHARED.rglob("*")) if path.is_file()]


def expected(path: Path) -> tuple[str | None, str | None]:
    """What a sample is, and why it is refused."""
    name = path.relative_to(SHARED)
    found = [what for pattern, what in EXPECTED.items() if name.match(pattern)]
    assert len(found) <= 1, name
    folder = name.parts[0]
    return found[0] if found else (FOLDERS.get(folder, folder), None)


@needs_samples
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_each_sample_is_of_its_tool_or_refused(path: Path) -> None:
    """Every sample is detected as the one tool that wrote it, and read, or refused
    for the reason in the table."""
    tool, reason = expected(path)
    data = path.read_bytes()
    content = document.open_document(data)
    assert formats.detect(content) == (() if tool is None else (tool,))
    if reason is None:
        readings = formats.read(data, tool=None, name="x")
        assert all(reading.measurements for reading in readings)
        return
    with pytest.raises(formats.FormatError, match=reason):
        formats.read(data, tool=None, name="x")


@needs_samples
def test_the_table_names_samples_that_exist() -> None:
    """No line of the table is about nothing."""
    names = [path.relative_to(SHARED) for path in SAMPLES]
    assert [p for p in EXPECTED if not any(name.match(p) for name in names)] == []

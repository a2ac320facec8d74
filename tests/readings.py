"""Reading result files in tests."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from gitbench import formats
from gitbench.cli.sources import open_folder
from gitbench.model import Measurement, Reading, Summary

DATA = Path(__file__).parent / "data"
SHARED = Path(__file__).parents[2] / "shared" / "data" / "formats"

needs_samples = pytest.mark.skipif(
    not SHARED.exists(), reason="the sample files are not beside"
)


def readings(path: Path) -> tuple[Reading, ...]:
    """The runs of a file or folder, its tool detected."""
    if path.is_dir():
        found = formats.read_folder(open_folder(path), tool=None)
        assert found is not None
        return found
    return formats.read(path.read_bytes(), tool=None, name=path.name)


def read(name: str) -> Reading:
    """The single run of a file or folder in tests/data, its tool detected."""
    (reading,) = readings(DATA / name)
    return reading


def text(content: str, tool: str) -> Reading:
    """The single run of some text."""
    (reading,) = formats.read(content.encode(), tool=tool, name="x")
    return reading


def refusal(content: str | bytes, tool: str | None = None) -> str:
    """The message with which some text is refused."""
    data = content if isinstance(content, bytes) else content.encode()
    with pytest.raises(formats.FormatError) as caught:
        formats.read(data, tool=tool, name="x")
    return str(caught.value)


def by_name(reading: Reading) -> dict[tuple[str, str], Measurement]:
    """Measurements by label and metric."""
    return {(one.benchmark.label, one.metric.name): one for one in reading.measurements}


def summary(measurement: Measurement) -> Summary:
    """The summary that a measurement has."""
    assert measurement.summary is not None
    return measurement.summary


def unpack(archive: Path, target: Path) -> None:
    """Unpack a tar archive as safely as this Python can: the earliest 3.11 knows no
    filters."""
    safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(archive) as opened:
        opened.extractall(target, **safe)  # type: ignore[arg-type]

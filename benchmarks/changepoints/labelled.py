"""Real series with labels, from a folder beside the project (`../shared/data`).

What the labels are worth differs.  Those of SAP were given by people who looked at the
series; those of Mozilla are what the detector of its time found and are kept as its
tests; the outliers of conbench are series in which people saw outliers and no step;
those of NAB mark anomalies of server metrics, spikes as well as shifts, by people.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Labelled:
    """A series and where its steps are said to be."""

    name: str
    values: Floats
    ranges: tuple[tuple[int, int], ...]
    """First and last index at which a step counts as the labelled one; without
    tolerance."""
    kind: str = ""


def sap(folder: Path) -> Iterator[Labelled]:
    """SAP HANA, small set of 2021: a point is the mean of a build's measurements."""
    with (folder / "sap-hana-small-2021/dataset_details.csv").open() as file:
        labels = {
            row["Dataset"]: (row["Type"].strip(), int(row["Change Point"]))
            for row in csv.DictReader(file, delimiter=";")
        }
    for name, (kind, last) in sorted(labels.items()):
        path = folder / "sap-hana-small-2021" / name
        if not path.exists():
            continue
        builds: dict[str, list[float]] = {}
        step = None
        with path.open() as file:
            for row in csv.DictReader(file):
                build = row["GHC"]
                builds.setdefault(build, []).append(float(row["Measurement"]))
                if kind == "regression" and int(row["Index"]) == last + 1:
                    step = list(builds).index(build)
        values = np.array([np.mean(one) for one in builds.values()])
        ranges = () if step is None else ((step, step),)
        yield Labelled(name, values, ranges, kind)


def mozilla(folder: Path) -> Iterator[Labelled]:
    """Talos series of Mozilla's graph server."""
    labels = json.loads((folder / "labels.json").read_text())["mozilla-graphserver"]
    for name, times in sorted(labels["change_at_push_time"].items()):
        path = folder / "mozilla-graphserver" / name
        packed = not path.exists()
        data = path.with_name(f"{name}.gz" if packed else name).read_bytes()
        text = gzip.decompress(data) if packed else data
        rows = sorted(json.loads(text)["test_runs"], key=lambda row: row[2])
        pushes = [row[2] for row in rows]
        places = [bisect_left(pushes, one) for one in times]
        values = np.array([float(row[3]) for row in rows])
        yield Labelled(name, values, tuple((one, one) for one in places))


def conbench(folder: Path) -> Iterator[Labelled]:
    """Series with outliers, none of which is a step."""
    for path in sorted((folder / "conbench-outliers").glob("*.csv")):
        lines = [
            line for line in path.read_text().splitlines() if not line.startswith("#")
        ]
        values = np.array([float(row["svs"]) for row in csv.DictReader(lines)])
        # Days without a result; not every detector knows gaps.
        yield Labelled(path.name, values[np.isfinite(values)], ())


def nab(folder: Path) -> Iterator[Labelled]:
    """Server metrics of the Numenta Anomaly Benchmark, with its windows."""
    windows: dict[str, Any] = json.loads(
        (folder / "nab/combined_windows.json").read_text()
    )
    with tarfile.open(folder / "nab/aws_series.tar.gz") as archive:
        for member in sorted(archive.getmembers(), key=lambda one: one.name):
            file = archive.extractfile(member)
            if file is None or not member.name.endswith(".csv"):
                continue
            rows = list(csv.DictReader(io.TextIOWrapper(file)))
            times = [row["timestamp"] for row in rows]
            ranges = tuple(
                (bisect_left(times, start[:19]), bisect_left(times, end[:19]))
                for start, end in windows.get(member.name, ())
            )
            values = np.array([float(row["value"]) for row in rows])
            yield Labelled(member.name, values, ranges)


SETS: dict[str, tuple[str, Callable[[Path], Iterator[Labelled]]]] = {
    "SAP HANA small": ("people", sap),
    "conbench outliers": ("people; no steps", conbench),
    "Mozilla graph server": ("a detector", mozilla),
    "NAB": ("people; anomalies of servers", nab),
}


@dataclass(frozen=True)
class Score:
    """How steps that were found agree with labels."""

    labels: int
    hit: int
    """Labels with a step near them."""
    found: int
    right: int
    """Steps that are the nearest to a label they are near to."""


def score(one: Labelled, found: tuple[int, ...], tolerance: int) -> Score:
    """Each label takes the nearest step within `tolerance` points of its range, and
    each step counts once."""
    free = set(found)
    hit = 0
    for first, last in one.ranges:
        near = [
            (max(first - at, at - last, 0), at)
            for at in free
            if first - tolerance <= at <= last + tolerance
        ]
        if near:
            hit += 1
            free.discard(min(near)[1])
    return Score(len(one.ranges), hit, len(found), hit)


def total(scores: list[Score]) -> Score:
    """The sum over series."""
    return Score(
        sum(one.labels for one in scores),
        sum(one.hit for one in scores),
        sum(one.found for one in scores),
        sum(one.right for one in scores),
    )

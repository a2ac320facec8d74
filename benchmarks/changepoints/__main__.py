"""`python -m benchmarks.changepoints [--smoke] [--series N] [--data FOLDER]`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.changepoints.detectors import OTAVA, Detector, Found, Many, otava, ours
from benchmarks.changepoints.labelled import SETS, Labelled, score, total
from benchmarks.changepoints.noise import (
    KINDS,
    Count,
    came_and_went,
    false_steps,
    soon_found,
)
from benchmarks.harness import Skipped

DATA = Path(__file__).parents[3] / "shared/data/changepoints"

TOLERANCE = 5
"""Points by which a step may miss its label."""

LEAST = (0.0, 0.01, 0.05)
"""Sizes below which steps are left out, for both alike."""

Row = tuple[str, ...]


def main() -> int:
    """Measure and print tables in Markdown."""
    options = _options()
    count = options.series or (5 if options.smoke else 1000)
    started = time.monotonic()
    detectors: dict[str, Detector] = {"gitbench": ours}
    try:
        detectors["Otava"] = otava(options.smoke)
        peer = OTAVA
    except Skipped as exc:
        peer = f"Otava: {exc}"
    tables = [
        _table("noise with any step", _false(detectors, count)),
        _table("a step of 3 sigma found five points later", _soon(detectors, count)),
        _table("a level that came and went, in 200 points", _went(detectors, count)),
        _table("labelled series", _labelled(detectors, options.data, options.smoke)),
        _table("processor time", _times(detectors, options.smoke)),
    ]
    print(
        f"{time.strftime('%Y-%m-%d', time.gmtime())}; {peer}; {count:,} series a cell."
    )
    for name, rows in tables:
        print(f"\n{name}\n")
        print("\n".join(_markdown(rows)))
    if options.json:
        options.json.write_text(json.dumps(_document(tables, count), indent=2) + "\n")
    print(f"\nIn {time.monotonic() - started:.0f} s.", file=sys.stderr)
    if options.smoke:
        print("\nSizes were tiny: nothing above is a measurement.")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.changepoints",
        description="Hold the detector of steps against noise, labels and Otava.",
    )
    parser.add_argument("--smoke", action="store_true", help="tiny sizes")
    parser.add_argument("--series", type=int, metavar="N", help="series a cell [1000]")
    parser.add_argument(
        "--data", type=Path, default=DATA, metavar="FOLDER", help="labelled series"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also as JSON")
    return parser.parse_args()


def _table(name: str, rows: Iterable[Row]) -> tuple[str, list[Row]]:
    print(f"{name} ...", file=sys.stderr, flush=True)
    return name, list(rows)


def _counts(
    detectors: dict[str, Detector],
    first: str,
    cells: Iterable[tuple[str, Callable[[Detector], Count]]],
) -> Iterable[Row]:
    yield (first, *detectors)
    for name, cell in cells:
        yield (name, *(str(cell(detect)) for detect in detectors.values()))


def _false(detectors: dict[str, Detector], count: int) -> Iterable[Row]:
    cells = [
        (f"{kind.name}, {n}", partial(false_steps, kind=kind, count=count, n=n))
        for n in (30, 100, 200)
        for kind in KINDS
    ]
    return _counts(detectors, "noise, points", cells)


def _soon(detectors: dict[str, Detector], count: int) -> Iterable[Row]:
    cells = [
        (f"{kind.name}, {n}", partial(soon_found, kind=kind, count=count, n=n))
        for n in (20, 30, 50, 100, 195)
        for kind in (KINDS if n in (50, 195) else KINDS[:1])
    ]
    return _counts(detectors, "noise, points before the step", cells)


def _went(detectors: dict[str, Detector], count: int) -> Iterable[Row]:
    cells = [
        (str(n), partial(came_and_went, kind=KINDS[0], count=count, length=n))
        for n in (5, 10, 20)
    ]
    return _counts(detectors, "points of the level", cells)


def _labelled(
    detectors: dict[str, Detector], folder: Path, smoke: bool
) -> Iterable[Row]:
    yield ("series", "labels by", "detector", "least", "recall", "precision")
    if not folder.exists():
        yield (f"no labelled series in {folder}", "", "", "", "", "")
        return
    for name, (by, load) in SETS.items():
        some = list(load(folder))[: 2 if smoke else None]
        for who, detect in detectors.items():
            found = detect([one.values for one in some])
            for least in LEAST:
                scores = [
                    score(one, _great(one, steps, least), TOLERANCE)
                    for one, steps in zip(some, found.steps, strict=True)
                ]
                sums = total(scores)
                yield (
                    f"{name} ({len(some)})",
                    by,
                    who,
                    f"{least:.0%}",
                    f"{sums.hit} of {sums.labels}",
                    f"{sums.right} of {sums.found}",
                )


def _great(one: Labelled, steps: tuple[int, ...], least: float) -> tuple[int, ...]:
    """Steps whose levels' medians differ by `least`, the smallest out first; for all
    detectors the same."""
    kept = list(steps)
    while kept:
        bounds = [0, *kept, one.values.size]
        centers = [float(np.median(one.values[a:b])) for a, b in pairwise(bounds)]
        sizes = [
            abs(newer - older) / (min(abs(newer), abs(older)) or 1e-300)
            for older, newer in pairwise(centers)
        ]
        small = int(np.argmin(sizes))
        if sizes[small] >= least:
            break
        del kept[small]
    return tuple(kept)


def _times(detectors: dict[str, Detector], smoke: bool) -> Iterable[Row]:
    yield ("series", *(f"{who}, ms a series" for who in detectors), "ratio")
    chance = np.random.default_rng(0)
    for name, count, n, levels in (
        ("noise, 200 points", 100, 200, 1),
        ("noise, 1,000 points", 50, 1_000, 1),
        ("noise, 10,000 points", 3, 10_000, 1),
        ("100 levels of 100 points", 3, 10_000, 100),
    ):
        spread = 5.0 if levels > 1 else 0.0
        many: Many = [
            100
            + chance.normal(size=n)
            + spread * np.repeat(chance.normal(size=levels), n // levels)
            for _ in range(1 if smoke else count)
        ]
        found: list[Found] = [detect(many) for detect in detectors.values()]
        times = [1e3 * one.seconds / len(many) for one in found]
        ratio = f"{times[0] / times[-1]:.2f} x" if len(times) > 1 else ""
        yield (name, *(f"{one:.1f}" for one in times), ratio)


def _markdown(rows: list[Row]) -> list[str]:
    head, *rest = rows
    return [
        "| " + " | ".join(row) + " |"
        for row in (head, tuple("---" for _ in head), *rest)
    ]


def _document(tables: list[tuple[str, list[Row]]], count: int) -> dict[str, Any]:
    return {
        "series": count,
        "tables": [
            {
                "name": name,
                "rows": [dict(zip(rows[0], row, strict=True)) for row in rows[1:]],
            }
            for name, rows in tables
        ],
    }


if __name__ == "__main__":
    sys.exit(main())

"""The detectors that are held against each other: a series to indexes of steps."""

from __future__ import annotations

import json
import os
import subprocess
import time
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Skipped
from gitbench.stats.changes import find_changes

Floats = NDArray[np.float64]
Many = Sequence[Floats]

OTAVA = "apache-otava==0.8.0"

WORKER = """
import json, sys, time
from otava.analysis import compute_change_points
for line in sys.stdin:
    found, spent = [], 0.0
    for series in json.loads(line):
        start = time.process_time()
        changes, _ = compute_change_points(series)
        spent += time.process_time() - start
        found.append([int(one.index) for one in changes])
    print(json.dumps([found, spent]), flush=True)
"""


@dataclass(frozen=True)
class Found:
    """Indexes of the steps in each series, and the processor time of all of it."""

    steps: tuple[tuple[int, ...], ...]
    seconds: float


Detector = Callable[[Many], Found]


def ours(many: Many) -> Found:
    """gitbench, as `gitbench history` uses it."""
    start = time.process_time()
    found = tuple(
        tuple(one.index for one in find_changes(series).changes) for series in many
    )
    return Found(found, time.process_time() - start)


def otava(smoke: bool) -> Detector:
    """Apache Otava with its defaults (windows of 50, p below .001), in a Python of
    its own; raises Skipped where it cannot be had."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    python = Path(home) / "gitbench-benchmarks/otava/bin/python"
    if not _has_otava(python):
        if smoke:
            raise Skipped("not installed; a run without --smoke installs it")
        _install(python)

    def detect(many: Many) -> Found:
        done = subprocess.run(
            [str(python), "-c", WORKER],
            input=json.dumps([series.tolist() for series in many]) + "\n",
            capture_output=True,
            text=True,
            check=True,
        )
        steps, seconds = json.loads(done.stdout)
        return Found(tuple(tuple(one) for one in steps), seconds)

    return detect


def _has_otava(python: Path) -> bool:
    if not python.exists():
        return False
    done = subprocess.run(
        [str(python), "-c", "import otava.analysis"], capture_output=True, check=False
    )
    return done.returncode == 0


def _install(python: Path) -> None:
    venv.create(python.parent.parent, with_pip=True, clear=True)
    argv = [str(python), "-m", "pip", "install", "--quiet", OTAVA]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise Skipped(f"cannot be installed: {exc}") from exc
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise Skipped(f"cannot be installed: {words[-1][:200]}")

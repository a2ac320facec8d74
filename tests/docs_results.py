"""Writes a result file with fixed numbers, for the set-up of a documentation page.

    python3 tests/docs_results.py NOW FILE SEED BENCHMARK=CENTER...

Five values of each benchmark scatter by 0.5 % around a run's own center, which
scatters by 0.8 % around the center that is given, in seconds.  NOW are seconds since
the epoch.
"""

from __future__ import annotations

import json
import random
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RUN_TO_RUN = 0.008
WITHIN_RUN = 0.005


def measurement(chance: random.Random, text: str) -> dict[str, Any]:
    """A measurement of five values around the center in `benchmark=center`."""
    benchmark, _, center = text.rpartition("=")
    level = float(center) * chance.gauss(1, RUN_TO_RUN)
    values = [float(f"{level * chance.gauss(1, WITHIN_RUN):.4g}") for _ in range(5)]
    return {"benchmark": benchmark, "metric": "duration", "unit": "s", "values": values}


def main(now: str, file: str, seed: str, *benchmarks: str) -> None:
    """Write the file."""
    run = {
        "schema": "gitbench/run/1",
        "suite": "unit",
        "started_at": datetime.fromtimestamp(int(now), UTC).isoformat(),
        "tool": {"name": "timer", "version": "1.0"},
        "testbed": {"name": "ci-large"},
        "measurements": [
            measurement(random.Random(f"{seed} {one}"), one) for one in benchmarks
        ],
    }
    Path(file).write_text(json.dumps(run) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""`python -m tests.real_tools [--only NAME]...`: exits with 1 if a number is wrong."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.real_tools import native_tools, other_tools, python_tools
from tests.real_tools.kit import Failed, Place, Skipped

TOOLS: dict[str, Callable[[Place], str]] = {
    "pytest-benchmark": python_tools.pytest_benchmark,
    "pyperf": python_tools.pyperf,
    "asv": python_tools.asv,
    "hyperfine": native_tools.hyperfine,
    "google-benchmark": native_tools.google_benchmark,
    "go": native_tools.go,
    "criterion": native_tools.criterion,
    "jmh": other_tools.jmh,
    "vitest": other_tools.vitest,
}
"""Each runs its tool, checks what is stored, and returns the tool's version."""

HEADER = ("tool", "version", "result", "time", "checked against what it printed")


def main() -> int:
    """Run the tools one after the other and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.real_tools",
        description="Run real tools, record what they write, check the numbers.",
    )
    parser.add_argument(
        "--only", action="append", choices=list(TOOLS), help="may be repeated"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="work in DIR, and leave it"
    )
    options = parser.parse_args()
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    cache = Path(home) / "gitbench-formats"
    rows = [HEADER]
    with tempfile.TemporaryDirectory(prefix="gitbench-formats-") as name:
        for tool in options.only or list(TOOLS):
            print(f"{tool} ...", file=sys.stderr, flush=True)
            folder = (options.keep or Path(name)).absolute() / tool
            (folder / "work").mkdir(parents=True)
            rows.append(_row(tool, Place(folder, cache)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    for row in rows:
        print("  ".join(cell.ljust(widths[i]) for i, cell in enumerate(row)).rstrip())
    return 1 if any(row[2] == "FAILED" for row in rows) else 0


def _row(tool: str, place: Place) -> tuple[str, str, str, str, str]:
    start = time.monotonic()
    version = ""
    try:
        version = TOOLS[tool](place)
    except Skipped as exc:
        result, told = "skipped", str(exc)
    except Failed as exc:
        result, told = "FAILED", str(exc)
    else:
        result = "ok"
        told = ", ".join(f"{what} ({n})" for what, n in place.checked.items())
    return tool, version, result, f"{time.monotonic() - start:.0f} s", told


if __name__ == "__main__":
    sys.exit(main())

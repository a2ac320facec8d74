"""`python -m benchmarks [--smoke | --large] [--only NAME] [--json FILE]`."""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks import commands, importing, peers, reading, scale, storage
from benchmarks.harness import (
    BenchmarkError,
    Context,
    Finding,
    document,
    environment,
    table,
    write_figures,
)
from gitbench import testbed

BUDGETS: dict[str, Callable[[Context], list[Finding]]] = {
    budget.__name__: budget
    for budget in (
        commands.startup,
        commands.record,
        commands.records,
        commands.compare,
        commands.hook,
        peers.peers,
        reading.formats,
        storage.share,
        storage.read,
        storage.packed,
        importing.imports,
        scale.union,
        scale.growth,
        scale.clone,
        scale.history,
        scale.memory,
    )
}


def main() -> int:
    """Measure, print, and return 1 if a budget is exceeded."""
    options = _options()
    started, load = time.monotonic(), dict(testbed.facts({})).get("load", "unknown")
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory(prefix="gitbench-benchmarks-") as name:
        folder = Path(name)
        environ = environment(folder / "home")
        context = Context(folder, options.smoke, environ, _say, options.large)
        for budget in options.only or BUDGETS:
            _say(f"{budget}: {(BUDGETS[budget].__doc__ or '').strip()}")
            try:
                found = BUDGETS[budget](context)
            except BenchmarkError as exc:
                _say(f"{budget}: {exc}")
                return 2
            # Tiny sizes say nothing about a budget.
            findings += (
                [replace(f, limit=None) for f in found] if options.smoke else found
            )
    python = f"{platform.python_implementation()} {platform.python_version()}"
    facts = dict(testbed.facts({}))
    told = (facts.get(key, "") for key in ("cpu", "memory", "os"))
    machine = ", ".join([f"{facts.get('cores')} cores", *filter(None, told), python])
    date = time.strftime("%Y-%m-%d", time.gmtime())
    when = f"{date}: {machine}; load {load} when it began."
    print(f"{when}\n")
    for line in table(findings):
        print(line)
    if options.page:
        write_figures(options.page, when, findings)
    if options.json:
        options.json.write_text(document(findings, python))
    over = [one.what for one in findings if one.verdict == "OVER"]
    print(f"\n{len(over)} over budget, in {time.monotonic() - started:.0f} s.")
    if options.smoke:
        print("Sizes were tiny: nothing above is a measurement.")
        return 0
    return 1 if over else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure gitbench against its budgets and its peers.",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--smoke", action="store_true", help="tiny sizes, to see that everything runs"
    )
    size.add_argument(
        "--large", action="store_true", help="also the sizes that take minutes"
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=list(BUDGETS),
        help="only this; may be repeated",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also as gitbench/run/1, to record"
    )
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="put the figures into this page"
    )
    options = parser.parse_args()
    if options.page and options.smoke:
        parser.error("--smoke measures nothing that belongs on a page")
    return options


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""Timing of whole commands in turn, and what is found.

A command is timed from its start to its end, as its user waits for it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gitbench.demo import sealed

MAX_WORDS = 2000

LAUNCHER = """
import os, resource, sys
code = os.spawnvp(os.P_WAIT, sys.argv[2], sys.argv[2:])
with open(sys.argv[1], "w") as file:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=file)
sys.exit(code)
"""
"""Starts a command and writes down its peak of memory.  Linux counts into that peak
what the process that started the command had in use, so it must be a small one."""


class BenchmarkError(Exception):
    """A command of a benchmark did not do what it should."""


class Skipped(Exception):
    """What is to be measured cannot be had on this machine; the message says why."""


@dataclass(frozen=True)
class Command:
    """A program to time."""

    name: str
    argv: tuple[str, ...]
    cwd: Path | None = None
    stdin: bytes = b""
    before: Callable[[], None] = lambda: None
    """Called before each run, outside the time."""
    codes: tuple[int, ...] = (0,)
    """Exit codes that are fine."""
    says: str = ""
    """Text that its output must hold; it did something else otherwise."""


@dataclass(frozen=True)
class Timing:
    """What the runs of one command took, in seconds, one entry a run."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    """Processor time of the command and all that it waited for."""


@dataclass(frozen=True)
class Finding:
    """One figure and the budget that it is held against."""

    budget: str
    """Name of the function that found it, for `--only`."""
    what: str
    figure: float | None = None
    unit: str = "x"
    limit: float | None = None
    """The figure is fine up to this; None where it only informs."""
    reference: str = ""
    cpu_figure: float | None = None
    """The same ratio of processor times."""
    timings: Mapping[str, Timing] = field(default_factory=dict)
    skipped: str | None = None

    @property
    def verdict(self) -> str:
        """PASS or OVER; `skipped` without a figure, `-` without a budget."""
        if self.figure is None:
            return "skipped"
        if self.limit is None:
            return "-"
        return "PASS" if self.figure <= self.limit else "OVER"


@dataclass(frozen=True)
class Context:
    """Where and how much is measured."""

    folder: Path
    smoke: bool
    """Tiny sizes and one run of each: to see that everything runs."""
    environ: Mapping[str, str]
    say: Callable[[str], None]
    large: bool = False
    """Also the sizes that take minutes."""
    most: int | None = None
    """No size is above this."""

    def pick(self, full: int, smoke: int) -> int:
        """A size, by what this is for."""
        if self.smoke:
            return smoke
        return full if self.most is None else min(full, self.most)

    def reduced(self, name: str, most: int) -> Context:
        """One with a new folder of its own and no size above `most`; this one where
        the large sizes are wanted."""
        if self.large:
            return self
        return replace(self, folder=self.sub(name), most=most)

    def runs(self, full: int) -> int:
        """How often each command is run."""
        return 1 if self.smoke else full

    def sub(self, name: str) -> Path:
        """A new folder."""
        path = self.folder / name
        path.mkdir(parents=True)
        return path


def environment(home: Path) -> dict[str, str]:
    """This environment without settings of the user's git, Python and CI."""
    home.mkdir()
    return sealed(os.environ) | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "LC_ALL": "C.UTF-8",
    }


def gitbench(*arguments: str) -> tuple[str, ...]:
    """A command line of gitbench as its users have it: the console script."""
    script = Path(sys.executable).parent / "gitbench"
    if script.exists():
        return (str(script), *arguments)
    return (sys.executable, "-m", "gitbench", *arguments)


def imports(modules: str) -> Command:
    """The reference of most budgets: a Python that imports some modules and ends."""
    return Command(
        f'python -c "import {modules}"', (sys.executable, "-c", f"import {modules}")
    )


# --------------------------------------------------------------------- timing


def in_turn(
    context: Context, commands: Sequence[Command], runs: int
) -> tuple[Timing, ...]:
    """Run the commands A B C A B C ..., `runs` times each after one that is not
    counted.

    Raises BenchmarkError if one of them fails.
    """
    runs = context.runs(runs)
    taken: list[list[tuple[float, float]]] = [[] for _ in commands]
    for number in range(runs + (not context.smoke)):
        for place, command in enumerate(commands):
            spent = _run(context, command)
            if number or context.smoke:
                taken[place].append(spent)
    return tuple(
        Timing(tuple(w for w, _ in one), tuple(c for _, c in one)) for one in taken
    )


def _run(context: Context, command: Command) -> tuple[float, float]:
    """Run a command once; returns its time by the clock and its processor time."""
    command.before()
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        given.write(command.stdin)
        given.seek(0)
        start = time.perf_counter()
        process = subprocess.Popen(
            command.argv,
            cwd=command.cwd or context.folder,
            env=dict(context.environ),
            stdin=given,
            stdout=out,
            stderr=err,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        printed = b""
        for stream in (out, err):
            stream.seek(0)
            printed += stream.read()
    text = printed.decode("utf-8", "replace")
    if process.returncode not in command.codes or command.says not in text:
        raise BenchmarkError(
            f"{command.name} ended with exit code {process.returncode} and said:\n"
            f"{text[-MAX_WORDS:]}"
        )
    return wall, usage.ru_utime + usage.ru_stime


def peak(context: Context, command: Command) -> float:
    """Run a command once; returns the memory, in MB, that the largest process of it
    had in use at most, files that it maps included."""
    file = context.folder / "peak"
    launch = (sys.executable, "-S", "-E", "-c", LAUNCHER, str(file))
    _run(context, replace(command, argv=(*launch, *command.argv)))
    unit = 1 if sys.platform == "darwin" else 1024
    return int(file.read_text()) * unit / 1e6


def ratio(measured: Sequence[float], reference: Sequence[float]) -> float:
    """Median of the ratios of runs that followed one another."""
    return statistics.median(
        [one / other for one, other in zip(measured, reference, strict=True)]
    )


def compare_times(
    budget: str,
    what: str,
    commands: tuple[Command, Command],
    timings: tuple[Timing, Timing],
    limit: float | None,
) -> Finding:
    """The ratio of two commands that were timed in turn."""
    return Finding(
        budget,
        what,
        ratio(timings[0].wall, timings[1].wall),
        limit=limit,
        reference=commands[1].name,
        cpu_figure=ratio(timings[0].cpu, timings[1].cpu),
        timings={
            command.name: timing
            for command, timing in zip(commands, timings, strict=True)
        },
    )


# ------------------------------------------------------------------ the results


HEADER = ("what", "time", "reference", "time", "ratio", "of cpu", "budget", "")


def table(findings: Sequence[Finding]) -> list[str]:
    """The findings as aligned lines."""
    rows = [HEADER, *map(_cells, findings)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    return [
        "  ".join(cell.ljust(widths[i]) for i, cell in enumerate(row)).rstrip()
        for row in rows
    ]


FIGURES = ("<!-- figures -->\n", "<!-- end of figures -->\n")


def write_figures(page: Path, when: str, findings: Sequence[Finding]) -> None:
    """Put the findings into a Markdown page."""
    rows = [(*HEADER[:-1], "verdict"), ("---",) * len(HEADER), *map(_cells, findings)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    put_figures(page, "\n".join([when, "", *lines]) + "\n")


def put_figures(page: Path, text: str) -> None:
    """Put text into a Markdown page, between the two lines that mark its figures.

    Raises BenchmarkError if the page lacks them.
    """
    before, begin, rest = page.read_text("utf-8").partition(FIGURES[0])
    _, end, after = rest.partition(FIGURES[1])
    if not (begin and end):
        raise BenchmarkError(f"{page} lacks the lines that mark its figures.")
    page.write_text(before + begin + text + end + after, "utf-8")


def _cells(one: Finding) -> tuple[str, ...]:
    times = [
        _duration(statistics.median(timing.wall)) for timing in one.timings.values()
    ]
    figure = "" if one.figure is None else f"{one.figure:.2f} {one.unit}"
    return (
        one.what,
        times[0] if times else "",
        one.reference or (one.skipped or ""),
        times[1] if len(times) > 1 else "",
        figure,
        "" if one.cpu_figure is None else f"{one.cpu_figure:.2f} x",
        "" if one.limit is None else f"<= {one.limit:g} {one.unit}",
        one.verdict,
    )


def _duration(seconds: float) -> str:
    return f"{seconds * 1e3:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


METRICS = {"x": ("ratio", "1"), "us": ("duration", "us")}
"""Metric and unit of a figure by its unit; a size where it is not here."""


def document(findings: Sequence[Finding], python: str) -> str:
    """The findings as gitbench/run/1, so that gitbench can record them itself."""
    rows: list[dict[str, object]] = []
    for one in findings:
        if one.figure is None:
            rows.append(
                {
                    "benchmark": one.what,
                    "metric": "ratio",
                    "unit": "1",
                    "status": "skipped",
                    "message": one.skipped,
                }
            )
            continue
        name, unit = METRICS.get(one.unit, ("size", one.unit))
        rows.append(
            {
                "benchmark": one.what,
                "metric": name,
                "unit": unit,
                "better": "lower",
                "values": [one.figure],
            }
        )
        for role, timing in zip(
            ("duration", "reference duration"), one.timings.values(), strict=False
        ):
            rows.append(
                {
                    "benchmark": one.what,
                    "metric": role,
                    "unit": "s",
                    # The reference is no work of ours: shown, never gated.
                    "better": "lower" if role == "duration" else "none",
                    "values": list(timing.wall),
                }
            )
    run = {
        "schema": "gitbench/run/1",
        "suite": "benchmarks",
        "tool": {"name": "benchmarks"},
        "testbed": {"facts": {"runtime": python}},
        "measurements": rows,
    }
    return json.dumps(run, indent=1)

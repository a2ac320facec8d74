"""Catch2's benchmarks: its XML (2 and 3), and the tables that it prints.

Both have only a mean with its confidence interval and a standard deviation.  What
stands before the sections of a test case is run again for every section, so one
benchmark may come several times: its samples are then put together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitbench.formats.document import (
    Document,
    FormatError,
    check_unique,
    get_text,
    lines,
    number,
    quoted,
)
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    ModelError,
    Reading,
    Status,
    Summary,
    Tool,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_DURATION = Metric("duration", "ns", Better.LOWER, Kind.DURATION)
_UNITS = {"ns": 0, "us": 3, "µs": 3, "ms": 6, "s": 9}
"""Units of a table's cells, as powers of ten of ns."""
_PROGRAM = re.compile(r" is a Catch2? v\S{1,60}\b.{0,80} host application\.")
_STARTS = frozenset(" -=`bt")
"""What a line may begin with that means something outside of headers and tables."""
_WIDTH = 79
"""Columns of a line that Catch2 prints before it wraps."""
_RULE = 60
"""Least length of the lines of `-`, `=` and `.` between the parts."""


@dataclass(slots=True)
class _Program:
    """What one program printed."""

    version: str | None = None
    samples: dict[str, list[Summary]] = field(default_factory=dict)
    """By the benchmark's name, in their order."""
    failures: dict[str, str] = field(default_factory=dict)
    failed_cases: int = 0

    def failed(self, name: str, message: str) -> None:
        self.failures.setdefault(name, message)
        self.samples.setdefault(name, [])

    def reading(self) -> Reading:
        """The run.  Raises FormatError if there is no benchmark."""
        found = [
            Measurement(
                Benchmark(name),
                _DURATION,
                status=Status.FAILED,
                message=self.failures[name],
            )
            if name in self.failures
            else Measurement(Benchmark(name), _DURATION, summary=_together(some))
            for name, some in self.samples.items()
        ]
        check_unique(found, "give each benchmark its own name")
        warnings = ["Catch2 gives no raw values, only means with their deviation."]
        repeated = sum(len(some) > 1 for some in self.samples.values())
        if repeated:
            warnings.append(
                f"{repeated} benchmarks were run several times, once for each section "
                "behind them; their samples are put together."
            )
        if self.failed_cases:
            warnings.append(f"{self.failed_cases} test cases failed.")
        tool = Tool("catch2", self.version)
        return Reading(tool, tuple(found), warnings=tuple(warnings))


def _together(some: list[Summary]) -> Summary:
    """The sample of all samples: means and sums of squares add up."""
    if len(some) == 1:
        return some[0]
    n = sum(one.n or 1 for one in some)
    mean = sum(one.center * ((one.n or 1) / n) for one in some)
    squares = 0.0
    for one in some:
        size, spread = one.n or 1, one.stddev or 0.0
        away = one.center - mean  # multiplied, as ** raises where a square overflows
        squares += (size - 1) * spread * spread + size * away * away
    stddev = math.sqrt(squares / (n - 1)) if n > 1 else 0.0
    return Summary(mean, stddev=stddev if math.isfinite(stddev) else None, n=n)


def read(document: Document) -> tuple[Reading, ...]:
    """The runs: one of an XML, one of each program in a console output."""
    if document.form == "xml":
        return (_read_xml(document.xml("catch2")).reading(),)
    programs = [one for one in _printed(document.text) if one.samples]
    if not programs:
        raise FormatError("", "it holds no table of benchmarks that Catch2 prints.")
    return tuple(one.reading() for one in programs)


# --------------------------------------------------------------------------- XML


def _read_xml(root: Element) -> _Program:
    if root.tag not in ("Catch", "Catch2TestRun"):
        raise FormatError("line 1", f"its root is {quoted(root.tag)}, not Catch2's.")
    program = _Program(root.get("catch2-version") or None)
    if program.version is not None:
        program.version = get_text(program.version, "catch2-version", 100)
    # Elements with the path they stand in; what is nested deeper comes later, but
    # the order inside one case is kept.
    places: list[tuple[tuple[str, ...], Element]] = [((), root)]
    while places:
        path, element = places.pop()
        if element.tag == "BenchmarkResults":
            _xml_result(program, path, element)
            continue
        if element.tag == "OverallResult" and element.get("success") == "false":
            program.failed_cases += 1
        if element.tag in ("TestCase", "Section"):
            path = (*path, (element.get("name") or "").strip())
        places.extend((path, child) for child in reversed(element))
    if not program.samples:
        raise FormatError(
            "", "it holds no benchmark; Catch2's tests alone do not tell."
        )
    return program


def _name(path: tuple[str, ...], name: str, where: str) -> str:
    return get_text("/".join([*filter(None, path), name.strip()]), where)


def _xml_result(program: _Program, path: tuple[str, ...], element: Element) -> None:
    own = element.get("name") or ""
    where = f"benchmark {quoted(own)}"
    name = _name(path, own, where)
    failed = element.find("failed")
    if failed is not None:
        program.failed(name, (failed.get("message") or "").strip() or "failed")
        return
    mean, spread = element.find("mean"), element.find("standardDeviation")
    if mean is None:
        raise FormatError(where, "it has no mean.")
    samples = element.get("samples") or ""
    summary = _summary(
        _cell(mean.get("value"), f"{where}, mean"),
        _cell(mean.get("lowerBound"), f"{where}, lowerBound"),
        _cell(mean.get("upperBound"), f"{where}, upperBound"),
        None if spread is None else _cell(spread.get("value"), f"{where}, deviation"),
        samples,
        where,
    )
    program.samples.setdefault(name, []).append(summary)


def _cell(text: str | None, where: str, unit: str = "ns") -> float:
    """A time of a cell in ns."""
    try:
        if unit == "m":  # minutes
            return number(float(text or "") * 6e10, where)
        # 92.0961 us are 92096.1 ns, which 92.0961 * 1000 is not.
        digits, _, power = (text or "").partition("e")
        factor = f"e{int(power or 0) + _UNITS[unit]}"
        return number(float(digits if "n" in digits else digits + factor), where)
    except (ValueError, KeyError):
        raise FormatError(where, f"{quoted(f'{text} {unit}')} is no time.") from None


def _summary(
    mean: float,
    low: float,
    high: float,
    stddev: float | None,
    samples: str,
    where: str,
) -> Summary:
    if not (samples.isascii() and samples.isdigit() and 0 < len(samples) < 10):
        raise FormatError(where, f"{quoted(samples)} is no number of samples.")
    try:
        return Summary(mean, low=low, high=high, stddev=stddev, n=int(samples))
    except ModelError as exc:
        raise FormatError(where, str(exc)) from exc


# ----------------------------------------------------------------------- console


def _printed(text: str) -> Iterator[_Program]:
    """The programs whose output stands in `text`, one after the other."""
    console = _Console()
    for place, line in lines(text):
        if " host app" in line and _PROGRAM.search(line):
            console.finish(f"line {place}")
            yield console.program
            # "... is a Catch v3.0.1 at devel commit: 1a2b host application."
            version = line.rpartition(" is a Catch")[2].partition(" v")[2].split()[0]
            console = _Console(_Program(version[:100]))
        else:
            console.take(line, f"line {place}")
    console.finish("the end")
    yield console.program


@dataclass(slots=True)
class _Console:
    """Goes through what one program prints, line by line."""

    program: _Program = field(default_factory=_Program)
    part: str = "between"
    """`between`, `header` (names of a test case and its sections), `heading` (of a
    table), or `table`."""
    path: tuple[str, ...] = ()
    header: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    """Lines of a benchmark's name so far."""
    samples: str = ""
    mean: tuple[float, float, float] | None = None
    ended: bool = True
    """Whether the tables so far were followed by what closes them."""

    def take(self, line: str, where: str) -> None:
        """One line."""
        if self.part == "between" and line[:1] not in _STARTS:
            return  # most lines of a CI log
        bare = line.strip()
        if len(bare) >= _RULE and not bare.strip("-"):
            self._rule(where)
        elif bare.startswith(("=" * _RULE, "```")):
            self.finish(where)
            self.ended = True
        elif bare.startswith("benchmark name ") and "samples" in bare:
            self.part, self.ended = "heading", False
        elif self.part == "header":
            self.header.append(line.rstrip())
        elif self.part == "table" and bare:
            self._row(line, where)
        elif bare.startswith("test cases: ") and " failed" in bare:
            count = bare.partition(" failed")[0].rpartition("|")[2].strip()
            self.program.failed_cases = int(count[:9]) if count.isdecimal() else 1

    def _rule(self, where: str) -> None:
        if self.part == "heading":
            self.part = "table"
            return
        if self.part == "header":
            self.path, self.part = _path(self.header), "between"
            return
        self._check(where)
        self.part, self.header = "header", []

    def _row(self, line: str, where: str) -> None:
        """A line of a table: a name, and cells of one of its three rows."""
        before, found, after = line.partition("enchmark failed (")
        if found and not self.samples:
            self.words.append(before[:-1].strip())
            name = self._take_name(where)
            self.program.failed(name, after.strip().removesuffix(")") or "failed")
            return
        cells = line.split()
        if not self.samples:
            self._first(line, cells, where)
        elif len(cells) >= 6 and _is_time(cells[-2:]) and _is_time(cells[-4:-2]):
            # A long name may go on to the left of the second and third row.
            rest = line.rsplit(None, 6)
            if len(rest) == 7:
                self.words.append(rest[0].strip())
            self._times(cells[-6:], where)

    def _first(self, line: str, cells: list[str], where: str) -> None:
        """The row of a name with samples, iterations and the estimated time."""
        complete = len(cells) >= 5 and _is_time(cells[-2:])
        if complete and cells[-4].isdecimal() and cells[-3].isdecimal():
            self.samples = cells[-4]
            self.words.append(line.rsplit(None, 4)[0].strip())
        elif len(self.words) < 20:
            self.words.append(line.strip())

    def _times(self, cells: list[str], where: str) -> None:
        values = [_cell(cells[i], where, cells[i + 1]) for i in range(0, len(cells), 2)]
        if self.mean is None:
            self.mean = (values[0], values[1], values[2])
            return
        mean, low, high = self.mean
        summary = _summary(mean, low, high, values[0], self.samples, where)
        self.program.samples.setdefault(self._take_name(where), []).append(summary)

    def _take_name(self, where: str) -> str:
        """The name that was gathered; the next benchmark begins."""
        name = _name(self.path, " ".join(filter(None, self.words)), where)
        self.words, self.samples, self.mean = [], "", None
        return name

    def _check(self, where: str) -> None:
        """A benchmark without times, though more is printed, ended the program."""
        if self.samples:
            name = self._take_name(where)
            self.program.failed(name, "it began, but no times of it were printed")
        self.words = []

    def finish(self, where: str) -> None:
        """The output of a program ends.  Raises FormatError where it is cut off."""
        if where == "the end" and not self.ended:
            raise FormatError(
                where, "Catch2's closing line of `=` is missing; the output is cut off."
            )
        self._check(where)
        self.part = "between"


def _is_time(cells: list[str]) -> bool:
    """Whether two cells are a number and a unit."""
    return cells[0][:1].isdecimal() and (cells[1] in _UNITS or cells[1] == "m")


def _path(header: list[str]) -> tuple[str, ...]:
    """Test case and sections from the lines above a table; long ones are wrapped."""
    names: list[str] = []
    last = ""
    for line in header:
        bare = line.strip()
        if not bare:
            continue
        # The case stands at the margin, sections are indented; a line that would
        # have had room for the next one's first word was not wrapped.
        inner = line[:1] == " "
        room = len(last) + 1 + len(bare.split(None, 1)[0]) <= _WIDTH
        if names and (not inner or not room):
            names[-1] = f"{names[-1]} {bare}"
        else:
            names.append(bare)
        last = line
    return tuple(names)

"""Go: the text of `go test -bench`, or its events with `-json`.

A line is one value of each of its units.  Lines of one process (`-count`) follow
one header (`goos:`, `pkg:` ...); a new header, or the end of a package, begins
another process.  Between results stands whatever the benchmarks themselves print,
even between a name and its numbers.

The kind of `allocs/op` is `count`, not `exact`.  Eleven daily runs of the same
Go 1.17 programs on one host, 25 processes each: 3 of 12 benchmarks differ between
processes of one day; of 120 pairs of consecutive days the mean differs in 29 and
is higher in 15, the median is higher in 10, by 0.034 % at most.  An exact gate
with its threshold of 0 would turn one row in eight red without cause.  (B/op: the
mean is higher in 36 of 120, by 1.3 % at most.)  Whoever knows better says so with
the line `Unit allocs/op assume=exact`, which Go's own tools read too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from gitbench.formats.document import (
    Document,
    FormatError,
    check_unique,
    commit_id,
    facts,
    number,
    quoted,
    timestamp,
)
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    Reading,
    Status,
    Tool,
)
from gitbench.units import kind_and_better

_STANDARD = {
    "ns/op": Metric("duration", "ns", Better.LOWER, Kind.DURATION),
    "B/op": Metric("allocated", "B", Better.LOWER, Kind.SIZE),
    "allocs/op": Metric("allocations", "1", Better.LOWER, Kind.COUNT),
    "MB/s": Metric("throughput", "MB/s", Better.HIGHER, Kind.THROUGHPUT),
}
_SUFFIXES = frozenset(("ns", "us", "µs", "ms", "s", "sec", "bytes", "B"))
"""Last word of a custom unit (`p99-latency-ns`) that is a unit by itself."""

_MACHINE = {"goos": "os", "goarch": "arch", "cpu": "cpu"}
_HEADERS = frozenset(("goos", "goarch", "pkg", "cpu"))
_VARIANTS = frozenset(("toolchain", "note", "branch", "experiment", "goexperiment"))
"""Other header keys that tell apart results of one name.  A closed list, because
any line such as `progress: 10%` that a benchmark prints looks like a header."""

_LONGEST_LINE = 16_384
"""Longer lines are no results, and patterns need not search them."""

_TAIL = re.compile(r"(?:^|\s)\d+\t *((?:[-+.\dNI][^\s]* \S+(?:[ \t]+|$))+)$")
"""Iterations and results at a line's end, as Go pads them."""
_INLINE = re.compile(r"(?:^|\s)(Benchmark[^a-z\s]\S*) *\t")
"""A name that follows text which a benchmark left without a line end."""
_ENDED = re.compile(r"--- (FAIL|SKIP): (Benchmark\S*)")
_FRAME = re.compile(r"^\S*\.Benchmark(\w*)[.(\[]")
"""A call in a stack trace.  A benchmark that panics at once was never named."""


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a Go result."""
    log = _Log()
    started_at = None
    if document.form == "json":
        started_at = _read_events(document.values, log)
    else:
        log.read_text(document.text, "")
    measurements = _measurements(log)
    if not measurements:
        raise FormatError(
            "", "it holds no benchmark result; run go test with -bench=. or the like."
        )
    check_unique(measurements, "record one file a configuration")
    procs = _processors(log)
    return (
        Reading(
            tool=Tool("go"),
            measurements=tuple(measurements),
            started_at=started_at,
            commit=log.single("commit"),
            facts=_facts(log, procs),
            warnings=tuple(log.warnings),
        ),
    )


# ---------------------------------------------------------------- reading lines


_Row = tuple[str, str, tuple[tuple[str, str], ...]]
"""What a value belongs to: package, name as printed (without `Benchmark`, with the
suffix `-8`), and the header keys of _VARIANTS."""


@dataclass
class _Log:
    """State while reading lines, and what was found."""

    values: dict[_Row, dict[str, dict[int, list[float]]]] = field(default_factory=dict)
    """Row -> unit -> number of the process -> values."""
    ended: dict[tuple[str, str], tuple[str, list[str]]] = field(default_factory=dict)
    """(package, name) -> FAIL or SKIP, and the lines that say why."""
    headers: dict[str, dict[str, None]] = field(default_factory=dict)
    """Key -> the values it had, in order."""
    units: dict[str, dict[str, str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    package: str = ""
    process: int = 0
    fresh: bool = True
    """No result since the process began."""
    variant: tuple[tuple[str, str], ...] = ()
    in_header: bool = True
    """Nothing but `key: value` lines since the header began."""
    pending: str | None = None
    """A name whose numbers have not come yet."""
    notes: list[str] = field(default_factory=list)
    """Indented lines since the last name."""
    crash: str | None = None
    """A panic whose benchmark is not known yet."""

    def single(self, key: str) -> str | None:
        """The one value a header had; FormatError if it had several."""
        found = list(self.headers.get(key, ()))
        if len(found) > 1:
            raise FormatError(
                f"header {key}",
                f"it says {quoted(found[0])} and {quoted(found[1])}; record results "
                "of different machines or commits one at a time.",
            )
        return found[0] if found else None

    def read_text(self, text: str, package: str) -> None:
        """Read the lines of one output; `package` holds until a header says more."""
        self._next_process(package)
        lines = text.split("\n")
        for i, line in enumerate(lines, 1):
            self._line(line.rstrip("\r"), i)
        if self.pending is not None:
            self._end("FAIL", self.pending, "the output ends in the middle of it")

    def _next_process(self, package: str) -> None:
        """What follows was printed by another process, of `package`."""
        self.process += 1
        self.fresh = True
        self.package = package
        self.in_header = True
        self.pending = None
        self.crash = None
        self.notes = []

    def _line(self, line: str, row: int) -> None:
        if len(line) > _LONGEST_LINE:
            return
        if line.startswith("Benchmark"):
            fields = line.split()
            if len(fields) > 3 and _is_count(fields[1]) and self._result(fields, row):
                return
            self._named(line, fields[0], row)
        elif line.startswith("    ") and not self._tail(line, row):
            if len(self.notes) < 5:
                self.notes.append(line.strip()[:500])
        elif "\t" in line and "Benchmark" in line and (m := _INLINE.search(line)):
            fields = line[m.start(1) :].split()
            if len(fields) > 3 and _is_count(fields[1]) and self._result(fields, row):
                return
            self._named(line[m.start(1) :], m[1], row)
        else:
            self._other(line, row)

    def _named(self, line: str, name: str, row: int) -> None:
        """A line that begins with a name, but does not end with its numbers."""
        rest = line[len(name) :]
        if name[9:10].islower() or (rest and not rest.lstrip(" ").startswith("\t")):
            return
        self.pending = name[9:] or "Benchmark"
        self.notes = []
        self._other(rest.strip(" \t"), row)

    def _other(self, line: str, row: int) -> None:
        """Any other line, or what follows a name."""
        if not line:
            return
        if (m := _ENDED.search(line)) is not None:
            self._end(m[1], m[2][9:] or "Benchmark")
        elif line.startswith(("panic: ", "fatal error: ")):
            if self.pending is not None:
                self._end("FAIL", self.pending, line[:500])
            else:
                self.crash = line[:500]
        elif self.crash is not None and (m := _FRAME.match(line)) is not None:
            self._end("FAIL", m[1] or "Benchmark", self.crash)
            self.crash = None
        elif self._tail(line, row):
            return
        elif line in ("PASS", "FAIL") or line.startswith(("ok  \t", "FAIL\t")):
            self._package_end(line)
        elif line.startswith(("--- ", "=== ")):
            # What follows `--- BENCH:` belongs to no failure before it.
            self.notes = []
        elif line.startswith("Unit "):
            fields = line.split()
            for pair in fields[2:]:
                key, _, value = pair.partition("=")
                self.units.setdefault(fields[1], {})[key] = value
        else:
            self._header(line)

    def _tail(self, line: str, row: int) -> bool:
        """Whether `line` ends with the numbers of the pending name, and is stored."""
        if self.pending is None or (m := _TAIL.search(line)) is None:
            return False
        return self._result([f"Benchmark{self.pending}", "1", *m[1].split()], row)

    def _header(self, line: str) -> None:
        """A line `key: value`; most keys are not ours, or no header at all."""
        key, colon, value = line.partition(":")
        value = value.strip()
        above, self.in_header = self.in_header, bool(colon) and key.islower()
        if not self.in_header:
            return
        if key == "cpu" and not above:
            # A load that a benchmark prints (`cpu: 12%`) is no processor.
            return
        if key in _HEADERS:
            if not self.fresh:
                self._next_process("" if key == "pkg" else self.package)
            if key == "pkg":
                self.package = _package(value)
            elif value:
                self.headers.setdefault(key, {})[value] = None
        elif key in _VARIANTS:
            self.variant = tuple(
                sorted({**dict(self.variant), key: value[:200]}.items())
            )
            self.headers.setdefault(key, {})[value[:200]] = None
        elif key == "commit" and (commit := commit_id(value)) is not None:
            self.headers.setdefault(key, {})[commit] = None

    def _package_end(self, line: str) -> None:
        """PASS, FAIL, `ok` or `FAIL` with the name of a package."""
        if line.startswith("FAIL") and self.pending is not None:
            self._end("FAIL", self.pending, "the package failed before it ended")
        if line.startswith("FAIL\t") and len(self.warnings) < 20:
            name = line.split("\t")[1].split(" ")[0]
            self.warnings.append(
                f"package {quoted(name)} failed; its other benchmarks may be missing."
            )
        if line != "FAIL":
            self._next_process("")

    def _end(self, how: str, name: str, why: str = "") -> None:
        """Note that a benchmark failed or was skipped; lines to come may say why."""
        notes = [why] if why else self.notes
        self.ended.setdefault((self.package, name), (how, notes))
        self.pending = None
        # Text mode prints the reason after this line, -v and -json before it.
        self.notes = notes

    def _result(self, fields: list[str], row: int) -> bool:
        """Store the numbers of a result line; False if it is none after all.

        Go's own names go on with a capital letter, those that scripts add to its
        output do not always (`Benchmarkhugo_text 1 2593409 text-bytes`).
        """
        if len(fields) % 2 or len(fields) < 4:
            return False
        found = {}
        for text, unit in zip(fields[2::2], fields[3::2], strict=True):
            try:
                # float() would also take 1_000, which Go never prints.
                found[unit] = float(text if "_" not in text else "_")
            except ValueError:
                return False
        if 2 * len(found) < len(fields) - 2 or not all(map(isfinite, found.values())):
            where = f"line {row}, {quoted(fields[0])}"
            for value in found.values():
                number(value, where)
            raise FormatError(where, "a unit stands there twice.")
        key = (self.package, fields[0][9:] or "Benchmark", self.variant)
        units = self.values.setdefault(key, {})
        for unit, value in found.items():
            processes = units.get(unit)
            if processes is None:
                processes = units[unit] = {}
            values = processes.get(self.process)
            if values is None:
                processes[self.process] = [value]
            else:
                values.append(value)
        self.pending, self.fresh, self.in_header = None, False, False
        self.notes = []
        return True


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _package(path: str) -> str:
    """An import path; outside a module Go prints a directory, which may name a user."""
    if path.startswith("_/"):
        return path.rsplit("/", 1)[1]
    return "" if path == "command-line-arguments" else path


def _read_events(events: tuple[Any, ...], log: _Log) -> int | None:
    """Feed the output of each package to `log`; the time of the first event.

    Outputs of packages that ran at the same time are interleaved, and one line may
    be cut into several events.
    """
    outputs: dict[str, list[str]] = {}
    first = None
    for i, event in enumerate(events):
        where = f"event {i + 1}"
        if not isinstance(event, dict) or not isinstance(event.get("Action"), str):
            raise FormatError(where, "it is no event of go test -json.")
        time, text = event.get("Time"), event.get("Output")
        if first is None and isinstance(time, str):
            first = timestamp(time, f"{where}, Time")[0]
        if event["Action"] == "output" and isinstance(text, str):
            package = event.get("Package")
            outputs.setdefault(package if isinstance(package, str) else "", []).append(
                text
            )
    for package, texts in outputs.items():
        log.read_text("".join(texts), _package(package))
    return first


# ------------------------------------------------------------- names and metrics


def _split(name: str) -> tuple[str, int]:
    """`Sort-8` into (`Sort`, 8); 1 where there is no suffix, as Go leaves it out."""
    base, dash, digits = name.rpartition("-")
    if dash and base and _is_count(digits) and digits[0] != "0" and len(digits) < 5:
        return base, int(digits)
    return name, 1


def _processors(log: _Log) -> set[int]:
    """The values of GOMAXPROCS that the file's names end with; empty if 1 alone.

    A name may itself end in `-20`.  Go adds the suffix to all names of a process
    alike, so a number counts as GOMAXPROCS if, in most of the processes in which it
    stands, at least half of the names come with it.
    """
    processes: dict[int, dict[str, set[int]]] = {}
    for (_, name, _), units in log.values.items():
        base, procs = _split(name)
        for process in next(iter(units.values())):
            processes.setdefault(process, {}).setdefault(base, set()).add(procs)
    votes: dict[int, int] = {}
    for bases in processes.values():
        carriers: dict[int, int] = {}
        for found in bases.values():
            for procs in found:
                carriers[procs] = carriers.get(procs, 0) + 1
        for procs, count in carriers.items():
            vote = 1 if 2 * count >= len(bases) else -1
            votes[procs] = votes.get(procs, 0) + vote
    return {procs for procs, vote in votes.items() if procs > 1 and vote > 0}


def _measurements(log: _Log) -> list[Measurement]:
    """All measurements, benchmarks in the file's order."""
    procs = _processors(log)
    metrics = {
        unit: metric_of(unit, log.units.get(unit, {}))
        for units in log.values.values()
        for unit in units
    }
    names = [(package, *_base(name, procs)) for package, name, _ in log.values]
    plain = {(package, base) for package, base, count in names if count == 1}
    several = len(procs) > 1 or any(
        count > 1 and (package, base) in plain for package, base, count in names
    )
    varying = {key for key in _VARIANTS if len(log.headers.get(key, ())) > 1}
    ended = _ended(log, procs)
    found: list[Measurement] = []
    for (package, name, variant), units in log.values.items():
        base, count = _base(name, procs)
        if ended.get((package, base), ("", ""))[0] == "FAIL":
            continue
        params = [pair for pair in variant if pair[0] in varying]
        if several:
            params.append(("gomaxprocs", str(count)))
        benchmark = Benchmark(_qualified(package, base), tuple(params))
        for unit, processes in units.items():
            groups = tuple([tuple(values) for values in processes.values()])
            found.append(Measurement(benchmark, metrics[unit], groups))
    measured = {(package, base) for package, base, _ in names}
    return found + [
        Measurement(
            Benchmark(_qualified(*key)),
            _STANDARD["ns/op"],
            status=Status.FAILED if how == "FAIL" else Status.SKIPPED,
            message=why or None,
        )
        for key, (how, why) in ended.items()
        if how == "FAIL" or key not in measured
    ]


def _base(name: str, procs: set[int]) -> tuple[str, int]:
    """A printed name without its suffix, and GOMAXPROCS."""
    base, count = _split(name)
    return (base, count) if count in procs else (name, 1)


def _qualified(package: str, name: str) -> str:
    """`path/of/package.Name`, since one file holds equal names of several packages."""
    return f"{package}.{name}" if package else name


def _ended(log: _Log, procs: set[int]) -> dict[tuple[str, str], tuple[str, str]]:
    """(package, name without suffix) -> FAIL or SKIP, and why.

    A failed benchmark of which a part failed too is left out: the part says it.
    """
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for (package, name), (how, notes) in log.ended.items():
        key = (package, _base(name, procs)[0])
        why = "; ".join([note for note in notes if note])
        if found.get(key, ("SKIP", ""))[0] == "SKIP":
            found[key] = (how, why)
    parents = {
        (package, name[:place])
        for package, name in found
        if found[package, name][0] == "FAIL"
        for place in [i for i, sign in enumerate(name[:1024]) if sign == "/"]
    }
    return {key: value for key, value in found.items() if key not in parents}


def metric_of(unit: str, declared: Mapping[str, str]) -> Metric:
    """The metric of a unit; a custom one is named as its unit is.

    A `Unit` line may say which way is better, and that all values are equal.
    """
    metric = _STANDARD.get(unit)
    if metric is None:
        last = unit.removesuffix("/op").rpartition("-")[2]
        measure = last if last in _SUFFIXES else unit
        measure = measure if len(measure) <= 64 else "1"
        name = f"{unit} (reported)" if unit in _STANDARD_NAMES else unit
        kind, better = kind_and_better(name, measure)
        if kind is Kind.EXACT:
            kind = Kind.COUNT
        elif kind is Kind.PROPORTION:
            kind = Kind.SCORE
        metric = Metric(name, measure, better, kind)
    better_ = {"higher": Better.HIGHER, "lower": Better.LOWER}.get(
        declared.get("better", ""), metric.better
    )
    kind_ = Kind.EXACT if declared.get("assume") == "exact" else metric.kind
    return Metric(metric.name, metric.unit, better_, kind_)


_STANDARD_NAMES = frozenset([metric.name for metric in _STANDARD.values()])


def _facts(log: _Log, procs: set[int]) -> tuple[tuple[str, str], ...]:
    """What the headers say of the machine.

    Go tells no number of cores; GOMAXPROCS stands for it, since results of
    different GOMAXPROCS are not comparable.
    """
    told: dict[str, object] = {
        name: log.single(key) for key, name in _MACHINE.items() if key in log.headers
    }
    if told.get("cpu"):
        told["cores"] = max(procs, default=1)
    return facts(**told)

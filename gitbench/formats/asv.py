"""asv: files of `results/<machine>/`, versions 1 and 2, or the folder `results/`.

What a result file does not hold (units, names of parameters) stands in
`benchmarks.json` one level up.  Without it the kind of a benchmark follows from its
name, by the rule with which asv itself chooses it (`time_`, `mem_`, ...).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from gitbench.formats.asv_row import DURATION, Row, shortened
from gitbench.formats.document import (
    MAX_MEASUREMENTS,
    Document,
    FormatError,
    check_unique,
    commit_id,
    facts,
    fail,
    get_list,
    get_object,
    get_text,
    member,
    open_document,
    quoted,
)
from gitbench.formats.folder import Folder
from gitbench.model import (
    MAX_TIME,
    Measurement,
    Reading,
    Status,
    Tool,
)
from gitbench.units import UnitError, parse_quantity

_DEFINITIONS = "../benchmarks.json"
_MACHINE = "machine.json"
_LONGEST_ENVIRONMENT = 40


@dataclass(frozen=True, slots=True)
class _Around:
    """What stands beside a result file."""

    definitions: dict[str, Any]
    """`benchmarks.json`: names of benchmarks to what asv knows of them."""
    machine: dict[str, Any]
    """`machine.json`."""


@dataclass(slots=True)
class _Notes:
    """What a reader has to say of one result file, or of all files of a folder."""

    without_values: int = 0
    durations: int = 0
    undefined: set[str] = field(default_factory=set)
    """Benchmarks that benchmarks.json lacks."""
    empty: list[str] = field(default_factory=list)
    """Files without any result."""

    def warnings(self, defined: bool) -> tuple[str, ...]:
        found = []
        if self.undefined and not defined:
            found.append(
                "there is no benchmarks.json beside it, so the names of parameters and "
                "the units of track_ benchmarks are unknown; record the file where asv "
                "wrote it, or the folder results/ as a whole."
            )
        elif self.undefined:
            found.append(
                f"benchmarks.json lacks {len(self.undefined)} of its benchmarks (such "
                f"as {quoted(min(self.undefined))}); names of parameters and units of "
                "these are unknown."
            )
        if self.without_values:
            found.append(
                f"{self.without_values} of {self.durations} durations came without raw "
                "values, only a median; run asv with --record-samples to keep them."
            )
        if self.empty:
            found.append(
                f"{len(self.empty)} files hold no result and were left out "
                f"(such as {quoted(self.empty[0])})."
            )
        return tuple(found)


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a result file; its neighbours tell units and parameters."""
    if document.form == "text" and document.text.lstrip()[:1] not in ("{", "["):
        raise FormatError(
            "",
            "it is what asv prints, which is rounded and without the names of "
            "parameters; record the files that asv wrote instead: "
            "results/<machine>/<commit>-<environment>.json, or the folder results/.",
        )
    top = get_object(document.single("asv"), "top level")
    around = _Around(
        _neighbour(document.beside(_DEFINITIONS), _DEFINITIONS),
        _neighbour(document.beside(_MACHINE), _MACHINE),
    )
    notes = _Notes()
    reading = _reading(top, around, notes)
    check_unique(list(reading.measurements), "run asv afresh")
    return (replace(reading, warnings=notes.warnings(bool(around.definitions))),)


def read_folder(folder: Folder) -> tuple[Reading, ...]:
    """One run for each result file of a folder, by the files' paths.

    asv takes every JSON file beside a `machine.json` for a result; so do we, but a
    broken one is refused by its name, where asv leaves it out.
    """
    notes = _Notes()
    loaded: dict[str, dict[str, Any]] = {}

    def neighbour(path: str) -> dict[str, Any]:
        if path not in loaded:
            data = folder.load(path) if path in known else None
            loaded[path] = _neighbour(data, path)
        return loaded[path]

    known = frozenset(folder.paths)
    readings: list[Reading] = []
    defined = False
    for path in _result_paths(known):
        place = path.rpartition("/")[0]
        above = place.rpartition("/")[0]
        around = _Around(
            neighbour(f"{above}/benchmarks.json" if above else "benchmarks.json"),
            neighbour(f"{place}/{_MACHINE}" if place else _MACHINE),
        )
        defined = defined or bool(around.definitions)
        try:
            data = folder.load(path)
            value = open_document(data).single("asv")
            reading = _reading(get_object(value, "top level"), around, notes)
            if not reading.measurements:
                notes.empty.append(path)
                continue
            check_unique(list(reading.measurements), "run asv afresh")
        except FormatError as exc:
            where = f"{path}: {exc.where}" if exc.where else path
            raise FormatError(where, exc.reason) from exc
        readings.append(replace(reading, evidence=data))
    if not readings:
        raise FormatError("", "no file in it holds a result of asv.")
    first = replace(readings[0], warnings=notes.warnings(defined))
    return (first, *readings[1:])


def _result_paths(known: frozenset[str]) -> Iterator[str]:
    """The result files among all paths of a folder, sorted."""
    for path in sorted(known):
        place, _, name = path.rpartition("/")
        if not name.endswith(".json") or name in (_MACHINE, "benchmarks.json"):
            continue
        if (f"{place}/{_MACHINE}" if place else _MACHINE) in known:
            yield path


def _neighbour(data: bytes | None, name: str) -> dict[str, Any]:
    """A neighbour's JSON object, {} if there is none."""
    if data is None:
        return {}
    try:
        return get_object(open_document(data).single("asv"), "top level")
    except FormatError as exc:
        where = f"{name}: {exc.where}" if exc.where else name
        raise FormatError(where, exc.reason) from exc


# ---------------------------------------------------------------------- one file


def _reading(top: dict[str, Any], around: _Around, notes: _Notes) -> Reading:
    """The run of a result file; its warnings go to `notes`."""
    if not {"results", "commit_hash"} & top.keys():
        raise FormatError(
            "",
            "it holds no results, as asv's benchmarks.json and machine.json do; record "
            "the files beside machine.json, or the folder results/ as a whole.",
        )
    rows = get_object(member(top, "results", ""), "results")
    commit = commit_id(member(top, "commit_hash", ""))
    if commit is None:
        raise FormatError(
            "commit_hash",
            f"{quoted(top['commit_hash'])} is no full id of a commit (40 or 64 hex "
            "digits).",
        )
    told = top.get("params")
    told = told if isinstance(told, dict) else {}
    name = _machine(told, around.machine)
    environment = _environment(top)
    columns, later = _columns(top), []
    measurements: list[Measurement] = []
    for benchmark, row in rows.items():
        where = f"results[{quoted(benchmark)}]"
        cells = _cells(top, benchmark, row, columns, where)
        definition = around.definitions.get(benchmark)
        if not isinstance(definition, dict):
            definition = {}
        later.append(cells.get("started_at"))
        found = Row(benchmark, definition, cells, environment, where).measurements()
        start = len(measurements)
        measurements.extend(found)
        if not definition and any(
            one.metric.name == "value" or len(one.benchmark.params) > 1
            for one in measurements[start : start + 1]
        ):
            notes.undefined.add(benchmark)
        if len(measurements) > MAX_MEASUREMENTS:
            check_unique(measurements, "")
    for one in measurements:
        if one.metric is DURATION and one.status is Status.OK:
            notes.durations += 1
            notes.without_values += one.summary is not None
    python = top.get("python")
    plain = isinstance(python, str) and python[:1].isdigit()
    facts_told = _facts({**around.machine, **told})
    return Reading(
        tool=Tool("asv"),
        measurements=tuple(measurements),
        started_at=_started(later),
        commit=commit,
        # asv installs a clean checkout, but for environments that exist already.
        dirty=None if environment.startswith("existing") else False,
        testbed_name=None if {"cpu", "cores"} & dict(facts_told).keys() else name,
        facts=facts_told + ((("runtime", f"Python {python}"[:50]),) if plain else ()),
    )


def _machine(told: dict[str, Any], machine: dict[str, Any]) -> str | None:
    """The name that asv knows the machine by; both places must agree, as for asv."""
    name = told.get("machine")
    if name is None:
        return None
    name = get_text(name, "params.machine", 200)
    other = machine.get("machine")
    if other is not None and other != name:
        raise FormatError(
            "params.machine",
            f"it was measured on {quoted(name)}, but machine.json beside it is of "
            f"{quoted(other)}.",
        )
    return name


def _environment(top: dict[str, Any]) -> str:
    """What tells the results of two environments apart on one commit, bounded.

    An existing environment is named after a path, which is nobody's business.
    """
    name = top.get("env_name")
    if name is None:
        # Version 1 before 2018; made as asv makes it from the same parts.
        wanted = top.get("requirements")
        wanted = sorted(wanted.items()) if isinstance(wanted, dict) else []
        parts = [key + (one if isinstance(one, str) else "") for key, one in wanted]
        python = top.get("python")
        name = "-".join([f"py{python if isinstance(python, str) else ''}", *parts])
    name = get_text(name, "env_name", 10_000)
    if name.startswith("existing") or "/" in name or "\\" in name:
        return "existing"
    return shortened(name, _LONGEST_ENVIRONMENT)


def _columns(top: dict[str, Any]) -> list[str]:
    """Names of the columns of version 2; [] of version 1, which has none."""
    columns = top.get("result_columns")
    if columns is None:
        if top.get("version") == 2:
            raise FormatError("", "'result_columns' is missing.")
        return []
    for i, column in enumerate(get_list(columns, "result_columns")):
        if not isinstance(column, str):
            fail(f"result_columns[{i}]", "text", column)
    if "result" not in columns:
        raise FormatError("result_columns", "it lacks 'result'.")
    return list(columns)


def _cells(
    top: dict[str, Any], name: str, row: Any, columns: list[str], where: str
) -> dict[str, Any]:
    """What is known of one benchmark, by the names of version 2's columns.

    Rows of version 2 lack the cells at their end that are null.  Version 1 has a
    number, null, or an object, and dates and versions in tables of their own.
    """
    if columns:
        if row is None:
            return {}
        return dict(zip(columns, get_list(row, where), strict=False))
    cells = dict(row) if isinstance(row, dict) else {"result": row}
    if not isinstance(cells.get("result"), list) and cells.get("result") is not None:
        cells["result"] = [cells["result"]]
    for key, table in (("version", "benchmark_version"), ("started_at", "started_at")):
        known = top.get(table)
        if isinstance(known, dict):
            cells[key] = known.get(name)
    stats = cells.get("stats")
    cells["stats"] = [stats] if isinstance(stats, dict) else stats
    return cells


def _started(times: list[Any]) -> int | None:
    """When the first benchmark began (ms); the file's `date` is the commit's."""
    known = [time for time in times if type(time) is int and 0 < time <= MAX_TIME]
    return min(known, default=None)


# ------------------------------------------------------------------- the machine


def _facts(told: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Facts of the machine, in the form that this machine's own have."""
    system = str(told.get("os") or "").split()
    os = system[0].lower() if system else ""
    os = "macos" if os.startswith("mac") else os
    kernel = system[1] if len(system) == 2 and system[1][:1].isdigit() else None
    cores = told.get("num_cpu")
    return facts(
        arch=told.get("arch"),
        cores=cores,
        cpu=told.get("cpu"),
        kernel=kernel if os in ("linux", "darwin") else None,
        memory=_memory(told.get("ram")),
        os=os,
    )


def _memory(told: object) -> str | None:
    """`7.8 GiB`; asv writes bytes, and before 2022 KiB on Linux, both without a unit.

    Nothing that runs asv has less than 1 MiB or more than 1 TiB, which tells them
    apart.
    """
    try:
        size, unit = parse_quantity(str(told)[:60])
    except UnitError:
        return None
    if unit not in ("1", "B") or size <= 0:
        return None
    if unit == "1" and size < 2**30:
        size *= 1024
    return f"{size / 2**30:.1f} GiB"

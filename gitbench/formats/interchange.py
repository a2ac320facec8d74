"""gitbench/run/1: the interchange JSON, for tools without a reader and for export.

One run an object, one object or one a line.  Only `schema` and `measurements` are
needed.  The reader is strict: an unknown key is refused with the nearest known
one, since a misspelt `better` would otherwise switch a gate off unseen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gitbench.formats.document import (
    Document,
    FormatError,
    check_unique,
    commit_id,
    get_list,
    get_object,
    get_text,
    member,
    number,
    numbers,
    quoted,
    timestamp,
    whole,
)
from gitbench.model import (
    MAX_MESSAGE,
    Benchmark,
    Better,
    CiContext,
    Kind,
    Measurement,
    Metric,
    ModelError,
    Reading,
    Status,
    Summary,
    Tool,
)
from gitbench.units import base_unit, kind_and_better

SCHEMA = "gitbench/run/1"

MAX_PAIRS = 100
"""Most parameters of a benchmark, tags of a run, and facts of a testbed."""


def _keys(text: str) -> dict[str, None]:
    return dict.fromkeys(text.split())


_RUN = _keys(
    "schema suite started_at time_source commit tree dirty tool testbed tags ci "
    "session round measurements origin id"
)
_TOOL = _keys("name version")
_TESTBED = _keys("name fingerprint facts")
_CI = _keys("provider url job pull_request")
_SUMMARY = _keys("center low high stddev n of")
_MEASUREMENT = _keys(
    "benchmark params metric unit better kind values summary passes trials status "
    "message version"
)
_KINDS = {kind.value: kind for kind in Kind}
_BETTERS = {better.value: better for better in Better}
_STATUSES = {status.value: status for status in Status}
_BASE_UNITS = {Kind.DURATION: "s", Kind.SIZE: "B"}
_ONE_WAY = {
    Kind.DURATION: Better.LOWER,
    Kind.SIZE: Better.LOWER,
    Kind.TOKENS: Better.LOWER,
    Kind.MONEY: Better.LOWER,
    Kind.THROUGHPUT: Better.HIGHER,
    Kind.PROPORTION: Better.HIGHER,
}


def read(document: Document) -> tuple[Reading, ...]:
    """The runs of an interchange file, in its order."""
    values = document.json("gitbench")
    if len(values) == 1:
        return (_run(get_object(values[0], "top level"), ""),)
    return tuple(
        [
            _run(get_object(item, f"run {i}"), f"run {i}: ")
            for i, item in enumerate(values, 1)
        ]
    )


def _run(top: dict[str, Any], at: str) -> Reading:
    schema = top.get("schema")
    if schema != SCHEMA:
        raise FormatError(
            f"{at}schema",
            f"it must be {SCHEMA!r}, but it is {quoted(schema)}; another number needs "
            "another version of gitbench.",
        )
    _known(top, _RUN, f"{at}top level")
    items = get_list(member(top, "measurements", f"{at}top level"), f"{at}measurements")
    measurements = [
        _measurement(item, f"{at}measurements[{i}]") for i, item in enumerate(items)
    ]
    check_unique(measurements, "give them different names, parameters or metrics")
    started_at, naive = None, False
    if top.get("started_at") is not None:
        text = get_text(top["started_at"], f"{at}started_at")
        started_at, naive = timestamp(text, f"{at}started_at")
    testbed = _object(top, "testbed", _TESTBED, at)
    rounds = top.get("round")
    return Reading(
        tool=_tool(top, at),
        measurements=tuple(measurements),
        suite=_text(top, "suite", at),
        started_at=started_at,
        naive_time=naive,
        time_source=_choice(top, "time_source", ("tool", "tool-naive", "recorder"), at),
        commit=_hex(top, "commit", at),
        tree=_hex(top, "tree", at),
        dirty=_flag(top, "dirty", at),
        testbed_name=_text(testbed, "name", f"{at}testbed."),
        fingerprint=_fingerprint(testbed, at),
        facts=_pairs(testbed.get("facts"), f"{at}testbed.facts"),
        ci=_ci(top, at),
        session=_text(top, "session", at),
        round=None if rounds is None else whole(rounds, f"{at}round"),
        tags=_pairs(top.get("tags"), f"{at}tags"),
        origin=_origin(top, at),
    )


# ------------------------------------------------------------------ parts of a run


def _known(owner: dict[str, Any], keys: dict[str, None], where: str) -> None:
    """Refuse a key that is not one of `keys`, naming the nearest."""
    for key in owner:
        if key not in keys:
            from difflib import get_close_matches

            near = get_close_matches(key[:80], keys, 1)
            known = ", ".join(keys)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {known}."
            raise FormatError(where, f"the key {quoted(key)} is unknown; {hint}")


def _object(
    owner: dict[str, Any], key: str, keys: dict[str, None], at: str
) -> dict[str, Any]:
    """The object at an optional key, its keys checked; empty if absent."""
    if owner.get(key) is None:
        return {}
    found = get_object(owner[key], f"{at}{key}")
    _known(found, keys, f"{at}{key}")
    return found


def _text(owner: dict[str, Any], key: str, at: str, limit: int = 1024) -> str | None:
    value = owner.get(key)
    return None if value is None else get_text(value, f"{at}{key}", limit)


def _flag(owner: dict[str, Any], key: str, at: str) -> bool | None:
    value = owner.get(key)
    if value is not None and not isinstance(value, bool):
        raise FormatError(f"{at}{key}", "it must be true or false.")
    return value


def _choice(
    owner: dict[str, Any], key: str, choices: Iterable[str], at: str
) -> str | None:
    value = _text(owner, key, at)
    if value is not None and value not in choices:
        raise FormatError(
            f"{at}{key}", f"{quoted(value)} is none of {', '.join(choices)}."
        )
    return value


def _hex(owner: dict[str, Any], key: str, at: str) -> str | None:
    if owner.get(key) is None:
        return None
    found = commit_id(owner[key])
    if found is None:
        raise FormatError(f"{at}{key}", "it must be a full id of 40 or 64 hex digits.")
    return found


def _fingerprint(testbed: dict[str, Any], at: str) -> str | None:
    value = _text(testbed, "fingerprint", f"{at}testbed.", 12)
    if value is not None and (len(value) != 12 or value.strip("0123456789abcdef")):
        raise FormatError(f"{at}testbed.fingerprint", "it must be 12 hex digits.")
    return value


def _origin(top: dict[str, Any], at: str) -> str | None:
    value = _text(top, "origin", at, 64)
    if value is not None and (len(value) != 64 or value.strip("0123456789abcdef")):
        raise FormatError(f"{at}origin", "it must be 64 hex digits.")
    return value


def _tool(top: dict[str, Any], at: str) -> Tool:
    found = _object(top, "tool", _TOOL, at)
    name = _text(found, "name", f"{at}tool.")
    return Tool(name or "custom", _text(found, "version", f"{at}tool."))


def _ci(top: dict[str, Any], at: str) -> CiContext | None:
    found = _object(top, "ci", _CI, at)
    if not found:
        return None
    provider = get_text(member(found, "provider", f"{at}ci"), f"{at}ci.provider")
    request = found.get("pull_request")
    if type(request) is int:
        request = str(whole(request, f"{at}ci.pull_request"))
    return CiContext(
        provider,
        _text(found, "url", f"{at}ci.", 4096),
        _text(found, "job", f"{at}ci."),
        None if request is None else get_text(request, f"{at}ci.pull_request"),
    )


def _pairs(value: object, where: str) -> tuple[tuple[str, str], ...]:
    """An object of texts (numbers and flags as JSON writes them), sorted by key."""
    if value is None:
        return ()
    found = get_object(value, where)
    if len(found) > MAX_PAIRS:
        raise FormatError(where, f"it has more than {MAX_PAIRS} keys.")
    pairs = []
    for key, item in sorted(found.items()):
        place = f"{where}[{quoted(key)}]"
        get_text(key, f"key {quoted(key)} of {where}")
        if isinstance(item, bool):
            item = "true" if item else "false"
        elif type(item) is int:
            item = str(whole(item, place, -(2**63)))
        elif type(item) is float:
            item = repr(number(item, place))
        pairs.append((key, item if item == "" else get_text(item, place)))
    return tuple(pairs)


# ---------------------------------------------------------------- a measurement


def _measurement(value: object, where: str) -> Measurement:
    item = get_object(value, where)
    _known(item, _MEASUREMENT, where)
    at = f"{where}."
    name = get_text(member(item, "benchmark", where), f"{at}benchmark")
    status = _STATUSES[_choice(item, "status", _STATUSES, at) or "ok"]
    metric = _metric(item, status, where)
    passes, trials, groups = _numbers(item, metric, at)
    if metric.kind is Kind.PROPORTION and groups:
        passes, trials = _counted(groups, item, at)
        if trials is None:
            metric = Metric(metric.name, metric.unit, metric.better, Kind.SCORE)
        else:
            groups = ()
    message = item.get("message")
    if message is not None and not isinstance(message, str):
        raise FormatError(f"{at}message", "it must be text.")
    try:
        return Measurement(
            Benchmark(name, _pairs(item.get("params"), f"{at}params")),
            metric,
            processes=groups,
            summary=_summary(item, at),
            passes=passes,
            trials=trials,
            status=status,
            message=None if message is None else message[:MAX_MESSAGE],
            version=_text(item, "version", at),
        )
    except ModelError as exc:
        raise FormatError(where, str(exc)) from exc


def _metric(item: dict[str, Any], status: Status, where: str) -> Metric:
    """The metric, with what its name and unit imply where it says no more."""
    at = f"{where}."
    name = get_text(member(item, "metric", where), f"{at}metric")
    unit = _text(item, "unit", at, 64)
    kind_text = _choice(item, "kind", _KINDS, at)
    better_text = _choice(item, "better", _BETTERS, at)
    implied_kind, implied_better = kind_and_better(name, unit or "1")
    if kind_text is None and item.get("trials") is not None:
        kind_text = Kind.PROPORTION.value
    kind = _KINDS[kind_text] if kind_text else implied_kind
    if unit is None:
        unit = _BASE_UNITS.get(kind, "1")
        if unit != "1" and status is Status.OK:
            raise FormatError(
                where,
                f"'unit' is missing, and {kind.value} has no natural one; say ns, us, "
                "ms, s, B, KiB, MB or the like.",
            )
    elif kind in _BASE_UNITS and base_unit(unit)[0] in ("s", "B"):
        _check_unit(kind, unit, at)
    better = implied_better
    if kind is not implied_kind and better is Better.NONE:
        better = _ONE_WAY.get(kind, Better.NONE)
    return Metric(name, unit, _BETTERS[better_text] if better_text else better, kind)


def _check_unit(kind: Kind, unit: str, at: str) -> None:
    """Refuse a duration in bytes and a size in seconds."""
    if base_unit(unit)[0] != _BASE_UNITS[kind]:
        raise FormatError(
            f"{at}unit", f"{quoted(unit)} is no unit of the kind {kind.value}."
        )


def _numbers(
    item: dict[str, Any], metric: Metric, at: str
) -> tuple[int | None, int | None, tuple[tuple[float, ...], ...]]:
    """Passes, trials, and values in process groups; each may be absent."""
    passes, trials = item.get("passes"), item.get("trials")
    groups = _groups(item.get("values"), metric, f"{at}values")
    if passes is None and trials is None:
        return None, None, groups
    if groups:
        raise FormatError(f"{at}values", "a measurement has values, or trials.")
    return (
        None if passes is None else whole(passes, f"{at}passes"),
        None if trials is None else whole(trials, f"{at}trials", 1),
        (),
    )


def _groups(value: object, metric: Metric, where: str) -> tuple[tuple[float, ...], ...]:
    """A list of numbers is one process, a list of lists one process each."""
    if value is None:
        return ()
    items = get_list(value, where)
    if not items:
        raise FormatError(where, "it is empty; leave it out, and say why in 'status'.")
    if metric.kind is Kind.PROPORTION:
        items = [_trial(item) for item in items]
    if not any(isinstance(item, list) for item in items):
        return (numbers(items, where),)
    groups = []
    for i, item in enumerate(items):
        group = numbers(item, f"{where}[{i}]")
        if not group:
            raise FormatError(f"{where}[{i}]", "a process has no values.")
        groups.append(group)
    return tuple(groups)


def _trial(item: object) -> object:
    """true and false as 1 and 0, for outcomes of trials."""
    if isinstance(item, list):
        return [_trial(inner) if isinstance(inner, bool) else inner for inner in item]
    return int(item) if isinstance(item, bool) else item


def _counted(
    groups: tuple[tuple[float, ...], ...], item: dict[str, Any], at: str
) -> tuple[int | None, int | None]:
    """Outcomes (1 or 0 each) as passes and trials.

    A rate such as 0.93 has no number of trials: it is refused where the kind was
    asked for, and a score (None, None) where only the metric's name implied it.
    """
    outcomes = [value for group in groups for value in group]
    if set(outcomes) <= {0.0, 1.0}:
        return int(sum(outcomes)), len(outcomes)
    if item.get("kind") is not None:
        raise FormatError(
            f"{at}values",
            "a proportion needs 'passes' and 'trials', or outcomes of 0 and 1; a rate "
            "without its number of trials is of the kind 'score'.",
        )
    return None, None


def _summary(item: dict[str, Any], at: str) -> Summary | None:
    found = _object(item, "summary", _SUMMARY, at)
    if not found:
        return None
    where = f"{at}summary"

    def optional(key: str) -> float | None:
        value = found.get(key)
        return None if value is None else number(value, f"{where}.{key}")

    n = found.get("n")
    return Summary(
        number(member(found, "center", where), f"{where}.center"),
        of=_choice(found, "of", ("mean", "median"), f"{where}.") or "mean",
        low=optional("low"),
        high=optional("high"),
        stddev=optional("stddev"),
        n=None if n is None else whole(n, f"{where}.n", 1),
    )

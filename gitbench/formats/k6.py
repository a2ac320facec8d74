"""k6's summaries: of handleSummary, of --summary-export, and the machine-readable one.

All hold statistics of one test, so each becomes one value of a run.  Times are in ms
whatever `summaryTimeUnit` says, which is for people.

A rate counts how often a condition was true, and calls that `passes`: passes of
`http_req_failed` are requests that failed.  A threshold is `true` in --summary-export
when it was crossed, and `{"ok": true}` in the others when it was kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gitbench.formats.document import (
    Document,
    FormatError,
    check_unique,
    get_list,
    get_object,
    get_text,
    member,
    number,
    quoted,
    timestamp,
    version_of,
    whole,
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

_TIMES = re.compile(
    r"^(?:http_req_|grpc_req_duration$|ws_(?:connecting|session_duration|ping)$"
    r"|iteration_duration$|group_duration$|browser_)"
)
"""k6's own trends of times, for summaries that do not say what a trend contains."""
_DATA = ("data_sent", "data_received", "browser_data_sent", "browser_data_received")
_DONE = ("http_reqs", "iterations", "grpc_reqs", "ws_msgs_sent", "ws_msgs_received")
"""k6's own counters of work done, more of which in a second is better."""
_PERCENTILE = re.compile(
    r"^p(?:\((?P<of>\d{1,2}(?:\.\d{1,10})?)\)|(?P<plain>\d{1,2}))$"
)
"""`p(99.9)`, or `p99` in the machine-readable summary."""
_BAD = frozenset(
    ("fail", "failed", "failure", "failures", "error", "errors", "dropped", "timeout")
)
_GOOD = frozenset(
    ("success", "successes", "successful", "succeeded", "ok", "passed", "checks")
)
_SUCCESS = Metric("success", "1", Better.HIGHER, Kind.PROPORTION)
_PRINTED = "...: "
_ADVICE = "give each its own name"


@dataclass(frozen=True, slots=True)
class _Row:
    """A metric of k6, whatever the form of the summary."""

    name: str
    type: str
    contains: str
    values: dict[str, Any]
    thresholds: dict[str, bool] = field(default_factory=dict)
    """Expression -> whether it was kept."""


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a summary."""
    if document.form == "text" and _PRINTED in document.text:
        raise FormatError(
            "",
            "this is what k6 prints, with rounded numbers; run it with "
            "--summary-export FILE and record FILE.",
        )
    top = get_object(document.single("k6"), "top level")
    if (
        "metrics" not in top
        and "results" not in top
        and isinstance(top.get("k6"), dict)
    ):
        top = top["k6"]  # wrapped by a handleSummary that adds facts of its own
    new = isinstance(top.get("results"), dict)
    rows = list(_machine_readable(top) if new else _summary(top))
    if not rows:
        raise FormatError("metrics", "it holds no metric; the test ended before one.")
    found: list[Measurement] = []
    crossed = []
    for row in rows:
        benchmark = _benchmark(row.name)
        found.extend(_measurements(row, benchmark))
        for expression, kept in row.thresholds.items():
            found.append(_threshold(benchmark, expression, kept))
            if not kept:
                crossed.append(f"{row.name}: {expression}"[:200])
    found.extend(_new_checks(top) if new else _checks(top))
    check_unique(found, _ADVICE)
    warnings = [
        "k6's summary has no raw values; each metric is one value of the run, so "
        "several runs are needed to know its noise."
    ]
    if crossed:
        more = f", and {len(crossed) - 5} more" if len(crossed) > 5 else ""
        told = ", ".join(quoted(one, 200) for one in crossed[:5])
        warnings.append(f"k6's own thresholds were crossed: {told}{more}.")
    version, started_at, naive = _context(top)
    return (
        Reading(
            Tool("k6", version),
            tuple(found),
            started_at=started_at,
            naive_time=naive,
            warnings=tuple(warnings),
        ),
    )


def _context(top: dict[str, Any]) -> tuple[str | None, int | None, bool]:
    """Version and start, which only the machine-readable summary tells."""
    metadata = top.get("metadata")
    if not isinstance(metadata, dict):
        return None, None, False
    # Version 1 of k6 wrote snake case, version 2 camel case.
    version = metadata.get("k6_version", metadata.get("k6Version"))
    version = version_of(version)
    ended = metadata.get("generated_at", metadata.get("generatedAt"))
    if not isinstance(ended, str):
        return version, None, False
    end, naive = timestamp(ended, "metadata, time of generation")
    lasted = 1000 * (_lasted(top) or 0.0)
    return version, end - round(lasted) if 0 <= lasted <= end else end, naive


def _lasted(top: dict[str, Any]) -> float | None:
    """Duration of the test in s, where the summary tells it."""
    config = top.get("config")
    if not isinstance(config, dict) or config.get("duration") is None:
        return None
    return number(config["duration"], "config.duration")


# ------------------------------------------------------------ forms of a summary


def _summary(top: dict[str, Any]) -> Iterator[_Row]:
    """Metrics of handleSummary and of --summary-export (which has no `values`)."""
    for name, value in get_object(
        member(top, "metrics", "top level"), "metrics"
    ).items():
        where = f"metrics, {quoted(name)}"
        one = get_object(value, where)
        told = get_object(one.get("thresholds") or {}, f"{where}, thresholds")
        if isinstance(one.get("values"), dict) and "type" in one:
            kept = {
                expression: _flag(get_object(state, where).get("ok"), where)
                for expression, state in told.items()
            }
            kind, contains = one["type"], one.get("contains", "default")
            yield _Row(
                get_text(name, where),
                get_text(kind, f"{where}, type", 40),
                get_text(contains, f"{where}, contains", 40),
                one["values"],
                kept,
            )
            continue
        kept = {text: not _flag(crossed, where) for text, crossed in told.items()}
        values = {key: inner for key, inner in one.items() if key != "thresholds"}
        name = get_text(name, where)
        yield _Row(name, *_guess(name, values, where), values, kept)


def _flag(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise FormatError(where, "a threshold must be true or false.")
    return value


def _guess(name: str, values: dict[str, Any], where: str) -> tuple[str, str]:
    """Type and contents of a metric of --summary-export, by the keys of its values."""
    base = name.partition("{")[0]
    if "avg" in values or "med" in values or any(map(_PERCENTILE.match, values)):
        return "trend", "time" if _TIMES.match(base) else "default"
    if "passes" in values and "fails" in values:
        return "rate", "default"
    if "count" in values:
        return "counter", "data" if base in _DATA else "default"
    if "value" in values:
        return "gauge", "default"
    raise FormatError(where, "it is no metric of k6.")


def _machine_readable(top: dict[str, Any]) -> Iterator[_Row]:
    """Metrics of --new-machine-readable-summary."""
    results, lasted = top["results"], _lasted(top)
    for i, value in enumerate(get_list(results.get("metrics"), "results.metrics")):
        where = f"results.metrics[{i}]"
        one = get_object(value, where)
        values = get_object(member(one, "values", where), f"{where}.values")
        if one.get("type") == "counter" and "rate" not in values and lasted:
            count = number(values.get("count"), f"{where}.values.count")
            values = {**values, "rate": number(count / lasted, f"{where}, rate")}
        yield _Row(
            get_text(member(one, "name", where), f"{where}.name"),
            get_text(one.get("type"), f"{where}.type", 40),
            get_text(one.get("contains", "default"), f"{where}.contains", 40),
            values,
        )


def _benchmark(name: str) -> Benchmark:
    """`http_req_duration{expected_response:true}`: tags are parameters."""
    base, brace, tags = name.partition("{")
    if not (base and brace and tags.endswith("}")):
        return Benchmark(name)
    pairs = [tag.partition(":") for tag in tags[:-1].split(",")]
    params = {key.strip(): value.strip() for key, _, value in pairs}
    if len(params) < len(pairs) or "" in params or "threshold" in params:
        return Benchmark(name)
    return Benchmark(base, tuple(params.items()))


# ----------------------------------------------------------------------- metrics


def _measurements(row: _Row, benchmark: Benchmark) -> Iterator[Measurement]:
    where = f"metric {quoted(row.name)}"
    if row.type == "trend":
        yield from _trend(row, benchmark, where)
    elif row.type == "rate":
        yield _rate(row, benchmark, where)
    elif row.type == "counter":
        yield from _counter(row, benchmark, where)
    elif row.type == "gauge":
        value = number(member(row.values, "value", where), f"{where}, value")
        unit = {"time": "ms", "data": "B"}.get(row.contains, "1")
        kind = {"time": Kind.DURATION, "data": Kind.SIZE}.get(row.contains, Kind.SCORE)
        metric = Metric("value", unit, Better.NONE, kind)
        yield Measurement(benchmark, metric, ((value,),))
    else:
        raise FormatError(where, f"its type {quoted(row.type)} is unknown.")


def _trend(row: _Row, benchmark: Benchmark, where: str) -> Iterator[Measurement]:
    """Mean, median and percentiles; the extremes depend on the number of requests."""
    base = {
        "time": Metric("duration", "ms", Better.LOWER, Kind.DURATION),
        "data": Metric("size", "B", Better.NONE, Kind.SIZE),
    }.get(row.contains, Metric("value", "1", _direction(benchmark.name), Kind.SCORE))
    found = False
    for key, value in row.values.items():
        percentile = _PERCENTILE.match(key)
        if key == "avg":
            name = base.name
        elif key == "med":
            name = f"{base.name}_p50"
        elif percentile and not (key in ("p(50)", "p50") and "med" in row.values):
            name = f"{base.name}_p{percentile['of'] or percentile['plain']}"
        else:
            continue
        found = True
        metric = Metric(name, base.unit, base.better, base.kind)
        inner = number(value, f"{where}, {quoted(key)}")
        yield Measurement(benchmark, metric, ((inner,),))
    if not found:
        raise FormatError(where, "it has no mean, median or percentile.")


def _direction(name: str) -> Better:
    """Which way the name of a user's own metric says to be better."""
    _, better = kind_and_better(name, "1")
    return better


def _rate(row: _Row, benchmark: Benchmark, where: str) -> Measurement:
    """How often something was true: `passes` and `fails`, or `matches` of `total`."""
    words = set(re.split(r"[^a-z]+", benchmark.name.lower()))
    metric = Metric("rate", "1", Better.NONE, Kind.PROPORTION)
    if words & _BAD:
        metric = Metric("failed", "1", Better.LOWER, Kind.PROPORTION)
    elif words & _GOOD:
        metric = _SUCCESS
    values = row.values
    if "total" in values:
        hits = whole(member(values, "matches", where), f"{where}, matches")
        trials = whole(values["total"], f"{where}, total")
    else:
        hits = whole(member(values, "passes", where), f"{where}, passes")
        trials = hits + whole(member(values, "fails", where), f"{where}, fails")
    return _proportion(benchmark, metric, hits, trials, where)


def _proportion(
    benchmark: Benchmark, metric: Metric, passes: int, trials: int, where: str
) -> Measurement:
    if trials == 0:
        message = "k6 never counted it in this test"
        return Measurement(benchmark, metric, status=Status.SKIPPED, message=message)
    if not 0 <= passes <= trials < 2**63:
        raise FormatError(where, f"{passes} of {trials} is impossible.")
    return Measurement(benchmark, metric, passes=passes, trials=trials)


def _counter(row: _Row, benchmark: Benchmark, where: str) -> Iterator[Measurement]:
    """A total, and its rate; the direction is known of work done and of errors."""
    words = set(re.split(r"[^a-z]+", benchmark.name.lower()))
    data = row.contains == "data"
    better = Better.LOWER if words & _BAD and not data else Better.NONE
    kind = Kind.SIZE if data else Kind.COUNT
    metric = Metric("total", "B" if data else "1", better, kind)
    count = number(member(row.values, "count", where), f"{where}, count")
    yield Measurement(benchmark, metric, ((count,),))
    if row.values.get("rate") is None:
        return
    if benchmark.name in _DONE:
        better = Better.HIGHER
    unit = "B/s" if data else "1/s"
    metric = Metric("throughput", unit, better, Kind.THROUGHPUT)
    rate = number(row.values["rate"], f"{where}, rate")
    yield Measurement(benchmark, metric, ((rate,),))


def _threshold(benchmark: Benchmark, expression: str, kept: bool) -> Measurement:
    """A threshold of the test: kept in 1 of 1 run, or in none."""
    text = get_text(expression, "thresholds")
    owner = Benchmark(benchmark.name, (*benchmark.params, ("threshold", text)))
    return Measurement(owner, _SUCCESS, passes=int(kept), trials=1)


# ------------------------------------------------------------------------ checks


def _checks(top: dict[str, Any]) -> Iterator[Measurement]:
    """Checks of the groups, as lists (handleSummary) or by name (--summary-export)."""
    groups = [top["root_group"]] if top.get("root_group") is not None else []
    while groups:
        group = get_object(groups.pop(), "root_group")
        for one in _items(group.get("checks"), "checks"):
            name = one.get("path") or one.get("name")
            yield _check(one, get_text(name, "check"), "checks")
        groups.extend(reversed(_items(group.get("groups"), "groups")))


def _items(value: Any, where: str) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        value = list(value.values())
    return [get_object(one, where) for one in get_list(value or [], where)]


def _new_checks(top: dict[str, Any]) -> Iterator[Measurement]:
    checks = get_object(top["results"].get("checks") or {}, "results.checks")
    for value in get_list(checks.get("metrics") or [], "results.checks.metrics"):
        one = get_object(value, "results.checks.metrics")
        if one.get("name") == "checks_succeeded":
            where = "results.checks, checks_succeeded"
            values = get_object(member(one, "values", where), where)
            yield _rate(
                _Row("checks", "rate", "default", values), Benchmark("checks"), where
            )
    told = checks.get("results") or []
    for i, value in enumerate(get_list(told, "results.checks.results")):
        where = f"results.checks.results[{i}]"
        one = get_object(value, where)
        yield _check(one, get_text(member(one, "name", where), where), where)


def _check(one: dict[str, Any], path: str, where: str) -> Measurement:
    """How often a check held; `::group::check` without the root's empty name."""
    name = path.removeprefix("::") or path
    where = f"{where}, {quoted(name)}"
    passes = whole(member(one, "passes", where), f"{where}, passes")
    fails = whole(member(one, "fails", where), f"{where}, fails")
    benchmark = Benchmark("check", (("name", name),))
    return _proportion(benchmark, _SUCCESS, passes, passes + fails, where)

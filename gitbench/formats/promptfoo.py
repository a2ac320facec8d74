"""promptfoo's `eval --output FILE.json`: success, score, tokens, cost, latency.

A benchmark is one test with one prompt and provider; repeats (`--repeat N`) are its
trials.  Answers from promptfoo's cache cost nothing and take no time, so they say
only whether the test passed.
"""

from __future__ import annotations

import hashlib
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
    timestamp,
    version_of,
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

_SUCCESS = Metric("success", "1", Better.HIGHER, Kind.PROPORTION)
_SCORE = Metric("score", "1", Better.HIGHER, Kind.SCORE)
_TOKENS = Metric("tokens", "tokens", Better.LOWER, Kind.TOKENS)
_COST = Metric("cost", "USD", Better.LOWER, Kind.MONEY)
_DURATION = Metric("duration", "ms", Better.LOWER, Kind.DURATION)
_ERROR = 2
"""`failureReason` of a test that could not be judged."""
_LONGEST = 120
"""A longer variable or prompt is told by its hash, so that names stay readable."""


@dataclass(slots=True)
class _Trials:
    """What the repeats of one test gave."""

    passed: list[bool] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    error: str | None = None


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of an evaluation."""
    top = get_object(document.single("promptfoo"), "top level")
    results = get_object(member(top, "results", "top level"), "results")
    rows = get_list(member(results, "results", "results"), "results.results")
    trials: dict[Benchmark, _Trials] = {}
    cached = 0
    for place, item in enumerate(rows):
        where = f"results.results[{place}]"
        row = get_object(item, where)
        one = trials.setdefault(_benchmark(row, where), _Trials())
        cached += _read_row(one, row, where)
    found = [m for benchmark, one in trials.items() for m in _rows(benchmark, one)]
    check_unique(found, "give each test its own description")
    started_at, naive = None, False
    if isinstance(results.get("timestamp"), str):
        started_at, naive = timestamp(results["timestamp"], "results.timestamp")
    metadata = top.get("metadata")
    version = metadata.get("promptfooVersion") if isinstance(metadata, dict) else None
    warnings: tuple[str, ...] = ()
    if cached:
        warnings = (
            f"{cached} of {len(rows)} answers came from promptfoo's cache, so their "
            "time, tokens and cost are left out; run it with --no-cache.",
        )
    return (
        Reading(
            Tool("promptfoo", version_of(version)),
            tuple(found),
            started_at=started_at,
            naive_time=naive,
            warnings=warnings,
        ),
    )


def _benchmark(row: dict[str, Any], where: str) -> Benchmark:
    """A test by its description, else its variables; prompt and provider are
    parameters."""
    test = row.get("testCase")
    description = test.get("description") if isinstance(test, dict) else None
    if not isinstance(description, str) or not description:
        variables = row.get("vars")
        pairs = variables.items() if isinstance(variables, dict) else ()
        description = ", ".join(f"{key}={_short(value)}" for key, value in pairs)
        description = description or f"test {row.get('testIdx', 0)}"
    provider = row.get("provider")
    if isinstance(provider, dict):
        provider = provider.get("label") or provider.get("id")
    prompt = row.get("prompt")
    if isinstance(prompt, dict):
        prompt = prompt.get("label") or prompt.get("raw")
    params = []
    if isinstance(provider, str) and provider:
        params.append(("provider", _short(provider)))
    if isinstance(prompt, str) and prompt:
        params.append(("prompt", _short(prompt)))
    return Benchmark(get_text(description, f"{where}.description"), tuple(params))


def _short(value: object) -> str:
    """`value` as text, told by its hash if it is long or of several lines."""
    text = value if isinstance(value, str) else repr(value)
    if len(text) <= _LONGEST and text.isprintable():
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"sha256:{digest[:12]}"


def _read_row(one: _Trials, row: dict[str, Any], where: str) -> bool:
    """Take in one answer; True if it came from the cache."""
    if row.get("failureReason") == _ERROR or "success" not in row:
        one.error = str(row.get("error") or "the test could not be judged")[:4000]
        return False
    success = row["success"]
    if not isinstance(success, bool):
        raise FormatError(f"{where}.success", "it must be true or false.")
    one.passed.append(success)
    if row.get("score") is not None:
        one.scores.append(number(row["score"], f"{where}.score"))
    response = row.get("response")
    response = response if isinstance(response, dict) else {}
    if response.get("cached") is True:
        return True
    usage = response.get("tokenUsage") or row.get("tokenUsage")
    if isinstance(usage, dict) and usage.get("total") is not None:
        one.tokens.append(number(usage["total"], f"{where}.tokenUsage.total"))
    cost = row.get("cost", response.get("cost"))
    if cost is not None:
        one.costs.append(number(cost, f"{where}.cost"))
    if row.get("latencyMs") is not None:
        one.times.append(number(row["latencyMs"], f"{where}.latencyMs"))
    return False


def _rows(benchmark: Benchmark, one: _Trials) -> Iterator[Measurement]:
    if one.error is not None and not one.passed:
        yield Measurement(benchmark, _SUCCESS, status=Status.FAILED, message=one.error)
        return
    yield Measurement(
        benchmark, _SUCCESS, passes=sum(one.passed), trials=len(one.passed)
    )
    if not set(one.scores) <= {0.0, 1.0}:
        yield Measurement(benchmark, _SCORE, (tuple(one.scores),))
    for metric, values in (
        (_TOKENS, one.tokens),
        (_COST, one.costs),
        (_DURATION, one.times),
    ):
        # A provider that tells neither tokens nor cost has zeros there.
        if any(values):
            yield Measurement(benchmark, metric, (tuple(values),))

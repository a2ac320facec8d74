"""Which rule, accept and requirement applies to a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import translate

from gitbench.model import Accept, Benchmark, Kind, Rule, Settings

Matcher = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one row is judged by."""

    threshold: float
    """T: the limit is a factor 1 + T in the bad direction."""
    warn: float | None
    min_change: float
    """In the metric's base unit."""
    max: float | None
    gate: bool
    accept: Accept | None
    required: bool
    """Head must have measured the benchmark."""
    required_row: bool
    """Head must have measured this very metric of it."""
    auto: bool
    """The threshold follows from the row's noise, where that is known."""
    weak: str
    """`gross` or `never`: whether a row with too few sessions can be red."""
    method: str = "moderated-t"
    """How the row is tested, if it has real values; one of `METHODS`."""


def matcher(glob: str) -> Matcher:
    """A test whether a name fits `glob`; case-sensitive on every system.

    A name that is written like the glob fits it too, since `[` opens a set in a
    glob but is a plain character in `sort [n=10]`.
    """
    if glob == "*":
        return lambda name: True
    if not any(sign in glob for sign in "*?["):
        return glob.__eq__
    pattern = re.compile(translate(glob)).match
    return lambda name: name == glob or pattern(name) is not None


def fits(test: Matcher, benchmark: Benchmark) -> bool:
    """Whether a benchmark's name, or its name with parameters, passes `test`."""
    return test(benchmark.name) or (bool(benchmark.params) and test(benchmark.label))


class Rulebook:
    """The settings of one suite, ready to be asked about many rows."""

    def __init__(self, settings: Settings, suite: str) -> None:
        self._settings = settings
        self._rules = [
            (rule, matcher(rule.benchmark), matcher(rule.metric))
            for rule in settings.rules
            if matcher(rule.suite)(suite)
        ]
        self._accepts = [
            (accept, matcher(accept.benchmark), matcher(accept.metric))
            for accept in settings.accepts
        ]
        self._required = [matcher(glob) for glob in settings.required]
        self._known: dict[tuple[Rule, Accept | None, bool, bool], Limits] = {}

    def limits(self, benchmark: Benchmark, metric: str, kind: Kind) -> Limits:
        """What the row of `benchmark` and `metric` is judged by."""
        rule = next(
            (
                rule
                for rule, name, of in self._rules
                if of(metric) and fits(name, benchmark)
            ),
            _NO_RULE,
        )
        # Of several that fit the one that allows most: each was accepted.
        accept = max(
            (
                accept
                for accept, name, of in self._accepts
                if of(metric) and fits(name, benchmark)
            ),
            key=lambda one: one.threshold,
            default=None,
        )
        required = any(fits(test, benchmark) for test in self._required)
        key = (rule, accept, required, kind is Kind.EXACT)
        if key not in self._known:
            self._known[key] = self._resolve(*key)
        return self._known[key]

    def _resolve(
        self, rule: Rule, accept: Accept | None, required: bool, exact: bool
    ) -> Limits:
        general = self._settings
        threshold = 0.0 if exact else general.threshold
        inherits = general.auto and rule.threshold is None
        whole = rule.metric == "*"
        return Limits(
            threshold=threshold if rule.threshold is None else rule.threshold,
            warn=rule.warn,
            min_change=rule.min_change or 0.0,
            max=rule.max,
            gate=rule.gate,
            accept=accept,
            required=required or (rule.required and whole),
            required_row=rule.required and not whole,
            auto=(rule.auto or inherits) and not exact,
            weak=rule.weak or general.weak,
            method=rule.method or general.method,
        )


_NO_RULE = Rule()

Measured = tuple[str, Benchmark, str]
"""Suite, benchmark and metric of a row that head has values of."""


def unmet_rules(rules: Sequence[Rule], rows: Sequence[Measured]) -> tuple[Rule, ...]:
    """The required rules that no measured row fits."""
    found = []
    for rule in rules:
        of, metric = matcher(rule.suite), matcher(rule.metric)
        name = matcher(rule.benchmark)
        if rule.required and not any(
            of(suite) and metric(what) and fits(name, benchmark)
            for suite, benchmark, what in rows
        ):
            found.append(rule)
    return tuple(found)


def unmet(globs: Sequence[str], measured: Sequence[Benchmark]) -> tuple[str, ...]:
    """The globs that no measured benchmark fits."""
    tests = [(glob, matcher(glob)) for glob in globs]
    return tuple(
        glob for glob, test in tests if not any(fits(test, one) for one in measured)
    )

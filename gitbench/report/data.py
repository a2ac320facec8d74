"""The report as JSON: schema `gitbench/report/1`, see docs/reference/report-json.md.

Names stand here in full.  Every character beyond ASCII is written as an escape, so
that the text can be printed anywhere; a number that is undefined is null.
"""

from __future__ import annotations

import math
from typing import Any

from gitbench.model import (
    Baseline,
    Benchmark,
    CommitRuns,
    Comparison,
    Group,
    Outcomes,
    Report,
    Settings,
    Shift,
    SideSummary,
    Verdict,
)
from gitbench.report.words import count_rows

SCHEMA = "gitbench/report/1"

Json = dict[str, Any]


def report_json(report: Report) -> Json:
    """The report as plain dicts, lists, strings and finite numbers."""
    rows: dict[int, list[Comparison]] = {group.id: [] for group in report.groups}
    for row in report.comparisons:
        rows.setdefault(row.group, []).append(row)
    counts = report.counts or count_rows(report.comparisons)
    return {
        "schema": SCHEMA,
        "verdict": report.verdict.value,
        "exit_code": report.exit_code,
        "reason": report.reason,
        "head": report.head,
        "base": report.base,
        "settings": _settings(report.settings),
        "counts": {verdict.value: count for verdict, count in counts},
        "groups": [_group(group, rows[group.id]) for group in report.groups],
        "comparisons": [_comparison(row) for row in report.comparisons],
        "accepted": [
            _accepted(row)
            for row in report.comparisons
            if row.verdict is Verdict.ACCEPTED
        ],
        "warnings": list(report.warnings),
    }


def render_json(report: Report) -> str:
    """The report as JSON text of ASCII characters, with a newline at its end."""
    import json

    text = json.dumps(report_json(report), indent=1, allow_nan=False)
    # A CI log obeys `##[command]` anywhere in a line; in a JSON string the escape
    # means the same, and outside of strings JSON has no such character.
    return text.replace("##", "#\\u0023") + "\n"


def _settings(settings: Settings) -> Json:
    return {
        "alpha": settings.alpha,
        "threshold": settings.threshold,
        "correction": settings.correction,
        "method": settings.method,
        "weak": settings.weak,
        "fail_on": [verdict.value for verdict in settings.fail_on],
        "on_no_baseline": settings.on_no_baseline,
        "rules": [
            {
                "benchmark": rule.benchmark,
                "metric": rule.metric,
                "suite": rule.suite,
                "threshold": _number(rule.threshold),
                "warn": _number(rule.warn),
                "min_change": _number(rule.min_change),
                "max": _number(rule.max),
                "gate": rule.gate,
                "method": rule.method,
                "auto": rule.auto,
                "required": rule.required,
                "weak": rule.weak,
            }
            for rule in settings.rules
        ],
        "required": list(settings.required),
        "accepts": [
            {
                "benchmark": accept.benchmark,
                "metric": accept.metric,
                "threshold": _number(accept.threshold),
                "reason": accept.reason,
                "expires": accept.expires,
            }
            for accept in settings.accepts
        ],
        "auto": settings.auto,
        "max_age_s": settings.max_age_s,
    }


def _group(group: Group, rows: list[Comparison]) -> Json:
    heads = [row.head.sessions for row in rows if row.head]
    bases = [row.base.sessions for row in rows if row.base]
    return {
        "id": group.id,
        "suite": group.suite,
        "testbed": {
            "name": group.testbed.name,
            "fingerprint": group.testbed.fingerprint,
        },
        "verdict": group.verdict.value,
        "reason": group.reason,
        "head": {
            "commit": group.head.commit,
            "runs": len(group.head.runs),
            "sessions": max(heads, default=None),
            "stand_in": group.head.stand_in,
        },
        "baseline": group.baseline and _baseline(group.baseline, bases),
        "shifts": [_shift(shift) for shift in group.shifts],
        "outcomes": [_outcomes(one) for one in group.outcomes],
        "sensitivity": group.sensitivity
        and {
            "half": _number(group.sensitivity[0]),
            "nine_of_ten": _number(group.sensitivity[1]),
        },
        "warnings": list(group.warnings),
    }


def _baseline(baseline: Baseline, sessions: list[int]) -> Json:
    return {
        "commit": baseline.commit,
        "rule": baseline.rule,
        "distance": baseline.distance,
        "age_s": baseline.age_s,
        "runs": len(baseline.window[0].runs) if baseline.window else 0,
        "sessions": max(sessions, default=None),
        "stand_in": baseline.stand_in,
        "window": [_commit_runs(one) for one in baseline.window],
        "landed": [
            {
                "benchmark": accept.benchmark,
                "metric": accept.metric,
                "threshold": _number(accept.threshold),
                "reason": accept.reason,
                "commits": commits,
            }
            for accept, commits in baseline.landed
        ],
    }


def _accepted(row: Comparison) -> Json:
    change = row.change if row.change_adjusted is None else row.change_adjusted
    return {
        "group": row.group,
        "benchmark": row.benchmark.name,
        "params": dict(row.benchmark.params),
        "metric": row.metric.name,
        "change": _number(change),
        "reason": row.note,
    }


def _commit_runs(one: CommitRuns) -> Json:
    return {
        "commit": one.commit,
        "runs": len(one.runs),
        "distance": one.distance,
        "stand_in": one.stand_in,
    }


def _shift(shift: Shift) -> Json:
    return {
        "metric": shift.metric,
        "rows": shift.rows,
        "change": _number(shift.change),
        "interval": _interval(shift.interval),
        "p_value": _number(shift.p_value),
        "p_adjusted": _number(shift.p_adjusted),
        "verdict": shift.verdict.value,
        "reason": shift.reason,
    }


def _outcomes(one: Outcomes) -> Json:
    return {
        "metric": one.metric,
        "tasks": one.tasks,
        "base_rate": _number(one.base_rate),
        "head_rate": _number(one.head_rate),
        "difference": _number(one.difference),
        "interval": _interval(one.interval),
        "p_value": _number(one.p_value),
        "p_adjusted": _number(one.p_adjusted),
        "threshold": _number(one.threshold),
        "verdict": one.verdict.value,
        "reason": one.reason,
        "method": one.method,
        "flipped_worse": [_task(task) for task in one.flipped_worse],
        "flipped_better": [_task(task) for task in one.flipped_better],
        "flaky": [_task(task) for task in one.flaky],
    }


def _task(task: Benchmark) -> Json:
    return {"benchmark": task.name, "params": dict(task.params)}


def _comparison(row: Comparison) -> Json:
    return {
        "group": row.group,
        "benchmark": row.benchmark.name,
        "params": dict(row.benchmark.params),
        "metric": row.metric.name,
        "unit": row.metric.unit,
        "better": row.metric.better.value,
        "kind": row.metric.kind.value,
        "verdict": row.verdict.value,
        "weak": row.weak,
        "reason": row.reason,
        "change": _number(row.change),
        "change_adjusted": _number(row.change_adjusted),
        "difference": _number(row.difference),
        "interval": _interval(row.interval),
        "p_value": _number(row.p_value),
        "p_adjusted": _number(row.p_adjusted),
        "threshold": _number(row.threshold),
        "threshold_auto": row.threshold_auto,
        "limit": _number(row.limit),
        "base": _side(row.base),
        "head": _side(row.head),
        "sessions_needed": row.sessions_needed,
        "trials_needed": row.trials_needed,
        "method": row.method,
        "gated": row.gated,
        "amber": row.amber,
        "note": row.note,
        "warnings": list(row.warnings),
    }


def _side(side: SideSummary | None) -> Json | None:
    if side is None:
        return None
    return {
        "center": _number(side.center),
        "sessions": side.sessions,
        "values": side.values,
        "low": _number(side.low),
        "high": _number(side.high),
        "passes": side.passes,
        "trials": side.trials,
    }


def _interval(interval: tuple[float, float] | None) -> list[float] | None:
    known = interval is not None and all(map(math.isfinite, interval))
    return list(interval) if interval is not None and known else None


def _number(value: float | None) -> float | None:
    """A finite number or None: JSON has no way to write any other."""
    return value if value is not None and math.isfinite(value) else None

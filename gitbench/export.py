"""Runs as other programs read them; the interchange form is complete.

What `run_json` writes, `record` reads back as the same run (gitbench/run/1,
docs/reference/formats.md).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from gitbench.model import Measurement, Run, Status

SCHEMA = "gitbench/run/1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def run_json(run: Run) -> dict[str, Any]:
    """A run as a gitbench/run/1 object, without keys that say nothing."""
    ci = run.ci
    return _some(
        {
            "schema": SCHEMA,
            "suite": run.suite,
            "started_at": moment(run.started_at),
            "time_source": run.time_source,
            "commit": run.commit,
            "tree": run.tree,
            "dirty": run.dirty,
            "origin": run.origin,
            "tool": _some({"name": run.tool.name, "version": run.tool.version}),
            "testbed": _some(
                {
                    "name": run.testbed.name,
                    "fingerprint": run.testbed.fingerprint,
                    "facts": dict(run.testbed.facts),
                }
            ),
            "ci": None
            if ci is None
            else _some(
                {
                    "provider": ci.provider,
                    "url": ci.url,
                    "job": ci.job,
                    "pull_request": ci.pull_request,
                }
            ),
            "session": run.session,
            "round": run.round,
            "tags": dict(run.tags),
            "measurements": [_measurement(one) for one in run.measurements],
        }
    )


def moment(milliseconds: int) -> str:
    """A time in ISO 8601, UTC, with milliseconds."""
    when = _EPOCH + timedelta(milliseconds=milliseconds)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03}Z"


def _measurement(one: Measurement) -> dict[str, Any]:
    summary = one.summary
    values: Any = None
    if len(one.processes) == 1:
        values = list(one.processes[0])
    elif one.processes:
        values = [list(group) for group in one.processes]
    return _some(
        {
            "benchmark": one.benchmark.name,
            "params": dict(one.benchmark.params),
            "metric": one.metric.name,
            "unit": one.metric.unit,
            "better": one.metric.better.value,
            "kind": one.metric.kind.value,
            "status": None if one.status is Status.OK else one.status.value,
            "message": one.message,
            "version": one.version,
            "values": values,
            "summary": summary
            and _some(
                {
                    "center": summary.center,
                    "of": summary.of,
                    "low": summary.low,
                    "high": summary.high,
                    "stddev": summary.stddev,
                    "n": summary.n,
                }
            ),
            "passes": one.passes,
            "trials": one.trials,
        }
    )


def _some(content: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in content.items() if v is not None and v != {}}

"""Taking over a history: measurements a second, and the ratio to parsing its JSON."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from benchmarks.harness import (
    Command,
    Context,
    Finding,
    compare_times,
    gitbench,
    in_turn,
)
from benchmarks.repositories import NOTES, WRITTEN, Repository

RATE = 10_000
"""Measurements a second that an import has to reach, start-up and writing included."""


def imports(context: Context) -> list[Finding]:
    """A data.js of a hundred benchmarks on each of 1,000 commits, into a new ref."""
    commits, benchmarks = context.pick(1_000, 10), context.pick(100, 5)
    repository = Repository.init(context.sub("import"), context.environ)
    places = repository.add_commits(commits)
    file = _data_js(
        context.folder / "data.js", [one.commit for one in places], benchmarks
    )

    def afresh() -> None:
        for ref in (NOTES, WRITTEN):
            repository.git("update-ref", "-d", ref)

    ours = Command(
        f"import of {commits:,} commits x {benchmarks}",
        gitbench("import", str(file)),
        repository.path,
        before=afresh,
        says="Imported",
    )
    code = (
        f"import json; text = open({str(file)!r}).read(); "
        "print(len(json.loads(text[text.index('{'):])['entries']))"
    )
    parse = Command("json.loads of the same file", (sys.executable, "-c", code))
    timed, other = in_turn(context, (ours, parse), 5)
    rates = sorted(commits * benchmarks / one for one in timed.wall)
    return [
        compare_times("imports", ours.name, (ours, parse), (timed, other), limit=None),
        Finding(
            "imports",
            f"time for {RATE:,} imported measurements",
            RATE / rates[len(rates) // 2],
            unit="s",
            limit=1.0,
        ),
    ]


def _data_js(path: Path, commits: list[str], benchmarks: int) -> Path:
    """A data.js as github-action-benchmark writes it."""
    numbers = random.Random(1)
    who = {"email": "ada@example.com", "name": "Ada", "username": "ada"}
    points = [
        {
            "commit": {
                "author": who,
                "committer": who,
                "distinct": True,
                "id": commit,
                "message": f"change {place}",
                "timestamp": "2026-01-01T00:00:00Z",
                "tree_id": "0" * 40,
                "url": f"https://example.com/commit/{commit}",
            },
            "date": 1_767_225_600_000 + place * 3_600_000,
            "tool": "cargo",
            "benches": [
                {
                    "name": f"group::benchmark_{number}",
                    "value": round(numbers.gauss(1e5, 1e3)),
                    "range": f"± {numbers.randrange(1000)}",
                    "unit": "ns/iter",
                }
                for number in range(benchmarks)
            ],
        }
        for place, commit in enumerate(commits)
    ]
    content = {"lastUpdate": 1, "repoUrl": "x", "entries": {"Benchmark": points}}
    text = f"window.BENCHMARK_DATA = {json.dumps(content, indent=2)}"
    path.write_text(text, encoding="utf-8")
    return path

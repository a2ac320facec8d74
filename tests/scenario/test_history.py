"""`gitbench history` as its users call it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.project import Project

GUILTY = 22
"""The commit that made `parse` slower."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """32 commits: `parse` 20 % slower from one on, `render` faster from another,
    `drifting` a little slower with each, `quiet` as it was."""
    project = Project.init(tmp_path_factory.mktemp("history") / "project")
    chance = random.Random(7)
    for number in range(32):
        project.clock += 86_400
        project.commit(f"commit {number}")
        project.record(
            {
                "parse": [
                    0.1 * (1.2 if number >= GUILTY else 1) * chance.gauss(1, 0.01)
                    for _ in range(2)
                ],
                "render": 0.31 * (0.8 if number >= 12 else 1) * chance.gauss(1, 0.01),
                "drifting": 0.2 * (1 + 0.005 * number) * chance.gauss(1, 0.003),
                "quiet": chance.gauss(2, 0.02),
            }
        )
    return project


def guilty(project: Project) -> str:
    """Id of the commit that made `parse` slower."""
    return project.head(f"HEAD~{31 - GUILTY}")


def test_one_benchmark_shows_its_step(recorded: Project) -> None:
    """The picture, the commit, the size and both levels of a step."""
    out = recorded.gitbench("history", "parse").out
    lines = out.splitlines()

    assert lines[0] == "parse, duration (unit on ci-large)"
    assert [line[line.index("│") - 1] for line in lines[1:9]] == ["s", *" " * 6, "s"]
    assert "⠁" in lines[1]
    assert lines[9].strip() == "1"
    assert "2026-01-02 .. 2026-02-02, 32 commits" in lines[10]
    (row,) = [line for line in lines if line.startswith("  1  ")]
    for part in (guilty(recorded)[:8], "2026-01-24", "<0.001", "sure", "commit 22"):
        assert part in row
    assert "+20." in row or "+19." in row
    assert f"git log --first-parent {recorded.head('HEAD~10')[:8]}.." in out
    assert f"since {guilty(recorded)[:8]} of 2026-01-24" in out
    assert "\x1b" not in out


def test_several_are_listed_by_their_latest_change(recorded: Project) -> None:
    """The worst first, improvements last, those that did not change counted."""
    out = recorded.gitbench("history").out
    names = [line.split(",")[0] for line in out.splitlines()[2:5]]

    assert names == ["parse", "drifting", "render"]
    assert "drift" in out.splitlines()[3]
    assert "1 of 4 did not change; list all: --all" in out
    everything = recorded.gitbench("history", "--all").out
    assert "quiet, duration" in everything
    assert "--all" not in everything
    assert "parse" not in recorded.gitbench("history", "*er").out


def test_a_drift_is_told_with_its_size(recorded: Project) -> None:
    """Slow change without a step is named, and for how many commits it went on."""
    out = recorded.gitbench("history", "drifting").out

    assert "No step among 32 commits." in out
    assert "A drift of +1" in out
    assert "these 32 commits" in out


def test_json_says_it_all(recorded: Project) -> None:
    """Points, levels, steps and drifts with full commit ids."""
    document = recorded.gitbench("history", "parse", "--json").json
    (series,) = document["series"]

    assert document["schema"] == "gitbench/history/1"
    assert document["head"] == recorded.head()
    assert document["least"] == 0.01
    assert series["benchmark"] == "parse"
    assert (series["metric"], series["unit"]) == ("duration", "s")
    assert (series["kind"], series["better"]) == ("duration", "lower")
    assert series["testbed"]["name"] == "ci-large"
    assert len(series["points"]) == 32
    assert series["points"][0]["commit"] == recorded.head("HEAD~31")
    assert series["points"][0]["started_at"] == "2026-01-01T01:00:00.000Z"
    assert series["points"][0]["sessions"] == 1
    (step,) = series["steps"]
    assert step["commit"] == guilty(recorded)
    assert step["previous"] == recorded.head(f"HEAD~{32 - GUILTY}")
    assert step["change"] == pytest.approx(0.2, abs=0.02)
    assert step["worse"] is True
    assert step["earliest"] == step["latest"] == guilty(recorded)
    assert [one["first"] for one in series["levels"]] == [
        recorded.head("HEAD~31"),
        guilty(recorded),
    ]
    assert series["drifts"] == []
    (drifting,) = recorded.gitbench("history", "drifting", "--json").json["series"]
    assert drifting["drifts"][0]["change"] == pytest.approx(0.16, abs=0.03)


def test_the_index_gives_the_same_answer(recorded: Project) -> None:
    """Patterns and names, from the notes and from the index."""
    for pattern in ("*", "parse", "[pq]*"):
        notes = recorded.gitbench("history", pattern, "--no-index", "--json")
        index = recorded.gitbench("history", pattern, "--index", "--json")
        assert notes.out == index.out


def test_options_choose_what_is_looked_at(recorded: Project) -> None:
    """Revision, number of commits, dates, metric, suite, testbed and size."""

    def points(*options: str) -> int:
        found = recorded.gitbench("history", *options, "--json").json
        return len(found["series"][0]["points"])

    assert points("parse", "HEAD~5") == 27
    assert points("parse", "-n", "9") == 9
    assert points("parse", "--since", "2026-01-24") == 10
    days = (int(time.time()) - recorded.clock) // 86_400
    assert points("parse", "--since", f"{days + 3}d") in (3, 4)
    assert points("parse", "--metric", "duration", "--suite", "unit") == 32
    assert points("parse", "--testbed", "ci-large") == 32
    some = recorded.gitbench("history", "parse", "--least", "25%", "--json").json
    assert some["series"][0]["steps"] == []
    recorded.gitbench("history", "parse", "--metric", "size", code=3)
    recorded.gitbench("history", "parse", "--suite", "other", code=3)
    assert "these options" in (
        recorded.gitbench("history", "parse", "--testbed", "x", code=3).err
    )
    for wrong in ("yesterday", "2026-13-01", "9" * 7 + "d"):
        assert "is no date" in (
            recorded.gitbench("history", "--since", wrong, code=2).err
        )
    recorded.gitbench("history", "--least", "much", code=2)


def test_colour_follows_direction(recorded: Project) -> None:
    """Red for worse and green for better where colour is wanted; NO_COLOR wins."""
    wanted = {"FORCE_COLOR": "1"}
    out = recorded.gitbench("history", environ=wanted).out
    rows = {line.split(",")[0]: line for line in out.splitlines() if "duration" in line}

    assert "\x1b[31m+" in rows["parse"]
    assert "\x1b[31m+" in rows["drifting"]
    assert "\x1b[32m-" in rows["render"]
    plain = recorded.gitbench("history", environ={**wanted, "NO_COLOR": "1"}).out
    assert "\x1b" not in plain


def test_ascii_terminals_get_ascii(recorded: Project) -> None:
    """A terminal without Unicode gets pictures it can show."""
    done = subprocess.run(
        [sys.executable, "-m", "gitbench", "history", "parse"],
        cwd=recorded.path,
        env={"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin", "HOME": "/nowhere"},
        capture_output=True,
        check=True,
    )
    text = done.stdout.decode("ascii")

    assert "\\u" not in text
    assert "|" in text
    assert text.count("*") == 32


def test_nothing_recorded_says_what_to_do(project: Project) -> None:
    """Without results, or without such a benchmark, the next step is named."""
    assert "gitbench fetch" in project.gitbench("history", code=3).err
    project.record({"sort": 1.0})
    err = project.gitbench("history", "sorted", code=3).err
    assert "'sorted'" in err
    assert "gitbench show" in err
    project.gitbench("history", "sort", "nonsense", code=4)


def test_one_point_is_shown_as_such(project: Project) -> None:
    """A single commit has a level and no step, and that is said."""
    project.record({"sort": 1.0, "load": 0.0})
    out = project.gitbench("history", "sort").out

    assert "No step among 1 commit." in out
    assert "Too few points (1)" in out
    assert "2 of 2 did not change" in project.gitbench("history").out


def test_failed_and_dirty_runs_take_no_part(project: Project) -> None:
    """A failure has no value; a dirty run is left out and counted."""
    project.record({"sort": 1.0})
    project.commit("second")
    results = project.results({"sort": 2.0})
    results["measurements"] = [
        {"benchmark": "sort", "metric": "duration", "unit": "s", "status": "failed"}
    ]
    project.gitbench("record", "-", stdin=json.dumps(results).encode())
    project.commit("third")
    (project.path / "code.py").write_text("changed")
    project.record({"sort": 3.0}, dirty=True)
    result = project.gitbench("history", "sort", "--json")

    assert [one["center"] for one in result.json["series"][0]["points"]] == [1.0]
    assert "1 run with uncommitted changes" in result.err


def test_hostile_names_reach_no_terminal(tmp_path: Path) -> None:
    """Escapes, line breaks and CI commands in names and subjects are made plain."""
    project = Project.init(tmp_path / "project")
    evil = "a\x1b[31m\n::error::b\u202e"
    chance = random.Random(1)
    for number in range(24):
        project.commit(f"::set-output \x1b]0;x\x07 {number}")
        values = {evil: chance.gauss(1, 0.01) * (1 + number // 12), "b": 1.0}
        project.record(values, suite="s\x1b[2J", testbed={"name": "t\r\n"})
    for arguments in (("history",), ("history", evil), ("history", "--all")):
        out = project.gitbench(*arguments).out
        assert "\x1b" not in out
        assert "\x07" not in out
        assert "\u202e" not in out
        assert not any(line.lstrip().startswith("::") for line in out.splitlines())
    assert project.gitbench("history", evil, "--json").json["series"][0]["steps"]

"""`gitbench calibrate` on real repositories: history, new runs, written rules."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gitbench.config import load_directory
from tests.project import Project
from tests.scenario.test_explain import HOSTILE, values

BENCH = """\
import json, sys, pathlib
counter = pathlib.Path("count")
number = int(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text(str(number))
print("measuring")
if number == FAIL:
    sys.exit(7)
one = {"benchmark": "parse", "metric": "duration", "unit": "s",
       "values": [0.1 + 0.001 * number, 0.1005 + 0.001 * number]}
run = {"schema": "gitbench/run/1", "testbed": {"name": "box"}, "measurements": [one]}
open(sys.argv[1], "w").write(json.dumps(run))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty repository on main."""
    return Project.init(tmp_path / "project", "--initial-branch=main")


def noisy(project: Project, names: dict[str, float], sessions: int = 8) -> None:
    """Commits with runs of benchmarks that vary as much as is said."""
    import random

    for number in range(sessions):
        project.commit(f"main {number}")
        rng = random.Random(number)
        runs = {
            name: [rng.gauss(1, spread) * rng.gauss(0.1, 1e-4) for _ in range(1)] * 2
            for name, spread in names.items()
        }
        project.record(runs)


def bench(project: Project, fail: int = 0) -> None:
    """A suite with a command, committed."""
    (project.path / "bench.py").write_text(BENCH.replace("FAIL", str(fail)))
    (project.path / ".gitignore").write_text("count\n")
    command = f"{sys.executable} bench.py {{results}}"
    (project.path / "gitbench.toml").write_text(
        f"[suite.unit]\ncommand = {json.dumps(command)}\n"
    )
    project.git("add", ".")
    project.commit("bench")


# ----------------------------------------------------------------------- history


def test_the_history_tells_noise_sight_and_false_alarms(project: Project) -> None:
    """A table of rows, one of other settings, and a replay."""
    noisy(project, {"quiet": 0.003, "loud": 0.08})
    text = project.gitbench("calibrate").out
    assert "suite unit on ci-large: 8 sessions of 8 commits" in text
    assert text.index("loud") < text.index("quiet")
    assert "5 % (too small)" in text
    assert "8 (now)" in text
    assert "The history replayed, each session judged by those before it:" in text
    found = project.gitbench("calibrate", "--json").json
    rows = {row["benchmark"]: row for row in found["groups"][0]["rows"]}
    assert rows["loud"]["noise"] > rows["quiet"]["noise"]
    assert rows["loud"]["floor"] < rows["loud"]["visible"]
    assert found["groups"][0]["replay"]["comparisons"] == 5
    assert {one["sessions"] for one in found["scenarios"]} == {3, 5, 8, 10, 20}
    assert found["written"] is None
    assert not (project.path / "gitbench.toml").exists()


def test_no_history_and_one_session_say_so(project: Project) -> None:
    """Without results there is nothing to learn from, with one session no noise."""
    project.commit("first")
    assert "Nothing is recorded" in project.gitbench("calibrate", code=3).err
    project.record({"parse": values(1, 0.1)})
    text = project.gitbench("calibrate", "--write").out
    assert "unknown" in text
    assert "no session has three before it yet" in text
    assert "no row's noise is known well enough" in text
    assert not (project.path / "gitbench.toml").exists()
    assert project.gitbench("calibrate", "--suite", "nope", code=3).err


def test_exact_counts_have_no_noise(project: Project) -> None:
    """A suite of counts alone is told to have none, and gets no rules."""
    for number in range(4):
        project.commit(f"c{number}")
        run = project.results({"calls": [5]})
        run["measurements"][0].update(metric="calls", unit="1", kind="exact")
        (project.path.parent / "calls.json").write_text(json.dumps(run))
        project.runs += 1
        project.gitbench("record", "../calls.json")
    text = project.gitbench("calibrate", "--write").out
    assert "exact counts have none" in text
    assert project.gitbench("calibrate", "--json").json["scenarios"] == []
    project.commit("one more call")
    run["measurements"][0]["values"] = [6]
    (project.path.parent / "calls.json").write_text(json.dumps(run))
    project.gitbench("record", "../calls.json")
    row = project.gitbench("explain", "calls", "HEAD~1", "--json").json
    parts = [session["part"] for session in row["explanations"][0]["sessions"]]
    assert parts == ["head", "newest", "unused", "unused", "unused"]
    assert row["explanations"][0]["figures"] is None


def test_dirty_runs_tell_nothing(project: Project) -> None:
    """What no baseline would hold is no noise either."""
    noisy(project, {"parse": 0.01}, 3)
    project.record({"parse": [9.0]}, dirty=True)
    assert "3 sessions of 3 commits" in project.gitbench("calibrate").out


# ------------------------------------------------------------------------- rules


def test_written_rules_are_held_and_written_once(project: Project) -> None:
    """Comments stay byte for byte, the same history writes the same file, and the
    rules do what they are for: rows are decided that were not."""
    noisy(project, {"quiet": 0.003, "loud": 0.04, "loud [n=1]": 0.05})
    own = '# mine, with a tab:\t.\r\nwindow = 9\r\n\r\n[hook]\r\npolicy = "warn"\r\n'
    path = project.path / "gitbench.toml"
    path.write_bytes(own.encode())
    told = project.gitbench("calibrate", "--write").out
    first = path.read_bytes()
    again = project.gitbench("calibrate", "--write").out

    assert first.startswith(own.encode())
    assert path.read_bytes() == first
    assert "Wrote 2 rules to " in told
    assert "has these rules already: 2 rules." in again
    rules = load_directory(project.path).rules
    assert [rule.benchmark for rule in rules] == ["loud [[]n=1]", "loud"]
    rows = project.gitbench("calibrate", "--json").json["groups"][0]["rows"]
    for row in rows:
        import math

        assert math.expm1(row["floor"]) <= row["threshold"]


def test_a_rule_of_the_users_wins_and_is_named(project: Project) -> None:
    """The first rule that fits wins, so none is written that could not take effect."""
    noisy(project, {"loud": 0.05})
    path = project.path / "gitbench.toml"
    path.write_text('[[rule]]\nbenchmark = "lo*"\nthreshold = "6%"\n')
    before = path.read_text()
    text = project.gitbench("calibrate", "--write").out
    assert path.read_text() == before
    assert "A rule of yours decides these" in text
    assert "(rule 'lo*')" in text


def test_rules_go_into_pyproject_where_the_settings_are(project: Project) -> None:
    """A project without a gitbench.toml keeps its settings where they are."""
    noisy(project, {"loud": 0.05})
    path = project.path / "pyproject.toml"
    path.write_text('[tool.gitbench]\nwindow = 9\n\n[tool.other]\nx = "y"')
    project.gitbench("calibrate", "--write")
    assert "[[tool.gitbench.rule]]" in path.read_text()
    assert load_directory(project.path).rules[0].benchmark == "loud"
    assert not (project.path / "gitbench.toml").exists()


def test_rules_that_could_not_be_read_are_not_written(project: Project) -> None:
    """A file whose rules stand in an array of its own stays as it is."""
    noisy(project, {"loud": 0.05})
    path = project.path / "gitbench.toml"
    path.write_text('rule = [{benchmark = "x", threshold = "7%"}]\n')
    assert "not valid TOML" in project.gitbench("calibrate", "--write", code=4).err
    assert path.read_text().count("\n") == 1


def test_half_a_block_and_a_bare_repository_are_refused(project: Project) -> None:
    """Where rules cannot be put, nothing is written and the reason is told."""
    noisy(project, {"loud": 0.05})
    path = project.path / "gitbench.toml"
    path.write_text("# <<< gitbench calibrate\n")
    done = project.gitbench("calibrate", "--write", code=4)
    assert "do not stand there once each" in done.err
    assert path.read_text() == "# <<< gitbench calibrate\n"
    bare = Project.clone(project.path, project.path.parent / "bare", "--bare")
    refs = "+refs/notes/*:refs/notes/*"
    bare.git("fetch", "--quiet", str(project.path), refs)
    assert "A bare repository" in bare.gitbench("calibrate", "--write", code=4).err
    assert "loud" in bare.gitbench("calibrate").out
    runs = bare.gitbench("calibrate", "--runs", "2", "--", "true", code=4).err
    assert "needs a work tree" in runs


def test_quiet_rows_take_the_rules_out_again(project: Project) -> None:
    """A block whose rows have become quiet goes, whatever else there is stays."""
    noisy(project, {"loud": 0.05}, 4)
    path = project.path / "gitbench.toml"
    path.write_text("window = 4\n")
    project.gitbench("calibrate", "--write")
    assert "[[rule]]" in path.read_text()
    for number in range(4):
        project.commit(f"quiet {number}")
        project.record({"loud": [0.1 + 0.0001 * number, 0.1]})
    assert "took out the old rules" in project.gitbench("calibrate", "--write").out
    assert path.read_text().strip() == "window = 4"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_gets_a_rule_that_fits_it_alone(
    project: Project, name: str
) -> None:
    """Signs of a glob in a name are plain signs, and the file stays valid."""
    noisy(project, {name: 0.05})
    done = project.gitbench("calibrate", "--write")
    assert "\x1b" not in done.out
    assert "##[" not in done.out
    assert not any(line.startswith("::") for line in done.out.splitlines())
    row = project.gitbench("calibrate", "--json").json["groups"][0]["rows"][0]
    assert row["benchmark"] == name
    assert row["threshold"] > 0.05


# ---------------------------------------------------------------------- new runs


def test_runs_are_made_and_recorded_each_alone(project: Project) -> None:
    """The suite's command runs N times; what it prints goes to standard error."""
    bench(project)
    done = project.gitbench("calibrate", "--runs", "4")
    assert "suite unit on box: 4 runs of 1 commit" in done.out
    assert "made back to back, in one sitting" in done.out
    assert "measuring" not in done.out
    shown = [json.loads(line) for line in _show(project)]
    assert len(shown) == 4
    assert len({run["session"] for run in shown}) == 4
    assert {run["suite"] for run in shown} == {"unit"}
    found = project.gitbench("calibrate", "--runs", "2", "--json").json
    assert found["back_to_back"] is True
    assert len(_show(project)) == 6
    # Within ten minutes they are one session when commits are compared.
    assert "1 session of 1 commit" in project.gitbench("calibrate").out


def _show(project: Project) -> list[str]:
    return project.gitbench("show", "--json").out.splitlines()


def test_a_command_may_be_given(project: Project) -> None:
    """What stands after -- is run as it is, and wins over the configuration."""
    bench(project)
    words = [sys.executable, "bench.py", "{results}"]
    found = project.gitbench(
        "calibrate", "--runs", "2", "--suite", "other", "--json", "--", *words
    ).json
    assert [group["suite"] for group in found["groups"]] == ["other"]


def test_the_same_bytes_count_each_time(project: Project) -> None:
    """A deterministic tool measured twice was measured twice."""
    project.commit("first")
    (project.path.parent / "same.json").write_text(
        json.dumps(project.results({"parse": [0.1, 0.1]}))
    )
    project.gitbench("calibrate", "--runs", "3", "--", "cat", "../same.json")
    assert len(_show(project)) == 3


def test_a_failed_run_records_nothing_of_itself(project: Project) -> None:
    """Those before it stay, which is said; the exit code is 4."""
    bench(project, fail=3)
    done = project.gitbench("calibrate", "--runs", "5", code=4)
    assert "2 of 5 runs were made and recorded before that" in done.err
    assert "exit code 7" in done.err
    assert done.out == ""
    assert len(_show(project)) == 2


def test_what_cannot_be_run_is_told(project: Project) -> None:
    """No command, an unknown suite, another commit, a result that is none."""
    bench(project)
    other = project.commit("other")
    del other
    none = project.gitbench("calibrate", "--runs", "2", "--suite", "no", code=4).err
    assert "suite 'no' has none" in none
    past = project.gitbench("calibrate", "HEAD~1", "--runs", "2", code=4).err
    assert "is another commit" in past
    junk = project.gitbench("calibrate", "--runs", "2", "--", "echo", "x", code=4).err
    assert "gitbench:" in junk
    assert project.gitbench("calibrate", "--", "echo", "x", code=2).err
    assert project.gitbench("calibrate", "--runs", "2", "--", code=2).err
    slow = project.gitbench(
        "calibrate", "--runs", "2", "--timeout", "0.2", "--", "sleep", "60", code=4
    ).err
    assert "longer than 0.2 s" in slow

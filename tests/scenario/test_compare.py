"""`gitbench compare` as its users call it, from recording to exit code."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import pytest

from tests.project import Project

SCHEMA = Path(__file__).parents[2] / "gitbench/schemas/report-1.schema.json"


def noisy(
    seed: int, benchmarks: int = 20, slow: Mapping[str, float] | None = None
) -> dict[str, list[float]]:
    """Ten values of each benchmark: run-to-run noise of 1 %, within a run 1 %."""
    chance = random.Random(seed)
    found = {}
    for number in range(benchmarks):
        name = f"bench-{number:02}"
        center = 0.01 * (number + 1) * chance.gauss(1, 0.01) * (slow or {}).get(name, 1)
        found[name] = [center * chance.gauss(1, 0.01) for _ in range(10)]
    return found


@pytest.fixture
def three(project: Project) -> Project:
    """Three commits on main, each with a run of 20 benchmarks; on a branch now."""
    project.record(noisy(0))
    for number in (1, 2):
        project.commit(f"c{number}")
        project.record(noisy(number))
    project.git("checkout", "--quiet", "-b", "topic")
    return project


def test_a_slow_benchmark_is_found_and_fails_the_gate(three: Project) -> None:
    """One benchmark 30 % slower on a branch: named, exit 1; without it, exit 0."""
    three.commit("slower")
    three.record(noisy(7, slow={"bench-05": 1.3}))
    result = three.gitbench("compare", "main", code=1)
    assert "bench-05" in result.out
    assert "regressed" in result.out
    report = three.gitbench("compare", "main", "--json", code=1).json
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    regressed = [c for c in report["comparisons"] if c["verdict"] == "regressed"]
    assert ["bench-05"] == [c["benchmark"] for c in regressed]
    assert 0.2 < regressed[0]["change"] < 0.4
    assert 3 == len(report["groups"][0]["baseline"]["window"])

    three.commit("as fast again")
    three.record(noisy(8))
    fine = three.gitbench("compare", "main")
    assert "regressed" not in fine.out
    report = three.gitbench("compare", "main", "--format", "json").json
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    assert 0 == report["exit_code"]


def test_nothing_recorded_on_head_exits_3(three: Project) -> None:
    """A commit without results is no pass, and the next step is said."""
    three.commit("not measured")
    result = three.gitbench("compare", "main", code=3)

    assert "gitbench record" in result.err


def test_no_baseline_exits_3_unless_told(project: Project) -> None:
    """Only new rows: exit 3, or 0 with `--on-no-baseline pass`; it says so."""
    project.git("checkout", "--quiet", "-b", "topic")
    project.commit("topic")
    project.record(noisy(1, 3))

    result = project.gitbench("compare", "main", code=3)
    assert "compared" in result.out
    report = project.gitbench("compare", "main", "--json", code=3).json
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    assert "not-compared" == report["verdict"]
    passed = project.gitbench("compare", "main", "--on-no-baseline", "pass")
    assert passed.out.splitlines()[0] == result.out.splitlines()[0]


def test_notes_that_were_never_fetched_are_the_reason(
    origin: Path, tmp_path: Path
) -> None:
    """A fresh clone that has not fetched results is told to do so."""
    full = Project.clone(origin, tmp_path / "full")
    full.record(noisy(1, 3), "--push")
    clone = Project.clone(origin, tmp_path / "clone")
    assert "gitbench fetch" in clone.gitbench("compare", code=3).err
    clone.git("checkout", "--quiet", "-b", "topic")
    clone.commit("topic")
    clone.record(noisy(2, 3))
    assert "gitbench fetch" in clone.gitbench("compare", "origin/main", code=3).out
    clone.gitbench("fetch")
    assert "gitbench fetch" not in clone.gitbench("compare", "origin/main", code=0).out


def test_a_newcomer_reads_what_one_run_a_side_can_tell(project: Project) -> None:
    """One run on main, one on a branch, five benchmarks, one three times slower."""
    project.record(noisy(1, 5))
    project.git("checkout", "--quiet", "-b", "topic")
    project.commit("slower")
    project.record(noisy(2, 5, {"bench-03": 3.0}))

    result = project.gitbench("compare", "main", code=1)

    lines = [line for line in result.out.splitlines() if "bench-03" in line]
    assert any("regressed" in line for line in lines)
    assert "one run" in result.out or "one session" in result.out
    report = project.gitbench("compare", "main", "--json", code=1).json
    verdicts = {
        c["benchmark"]: (c["verdict"], c["weak"]) for c in report["comparisons"]
    }
    assert ("regressed", True) == verdicts.pop("bench-03")
    assert {("inconclusive", True)} == set(verdicts.values())


def test_reports_go_to_files_and_stdout(three: Project) -> None:
    """Several formats at once: files whole, one on standard output."""
    three.commit("topic")
    three.record(noisy(9))
    folder = three.path.parent
    result = three.gitbench(
        "compare",
        "main",
        "--format",
        "json",
        "--format",
        f"html={folder / 'r.html'}",
        "--format",
        f"junit={folder / 'r.xml'}",
        "--format",
        f"markdown={folder / 'r.md'}",
    )

    assert "gitbench/report/1" == result.json["schema"]
    assert "<html" in (folder / "r.html").read_text()
    assert "<testsuite" in (folder / "r.xml").read_text()
    assert "unchanged" in (folder / "r.md").read_text()
    twice = three.gitbench("compare", "main", "--json", "--format", "html", code=2)
    assert "standard output" in twice.err
    unknown = three.gitbench("compare", "main", "--format", "markdwn", code=2)
    assert "Did you mean markdown?" in unknown.err
    nowhere = three.gitbench("compare", "main", "--format", "html=/no/x", code=4)
    assert "cannot be written" in nowhere.err


def test_the_gate_can_be_set(three: Project) -> None:
    """Thresholds and `fail_on` come from the config and the command line."""
    three.commit("slower")
    three.record(noisy(7, slow={"bench-05": 1.3}))
    three.gitbench("compare", "main", "--fail-on", "never")
    three.gitbench("compare", "main", "--threshold", "50%")
    (three.path / "gitbench.toml").write_text(
        '[[rule]]\nbenchmark = "bench-05"\nthreshold = "50%"\n'
    )
    three.gitbench("compare", "main")
    (three.path / "gitbench.toml").write_text('[[rule]]\nbenchmrk = "x"\n')
    assert "benchmark" in three.gitbench("compare", "main", code=4).err
    (three.path / "gitbench.toml").unlink()
    three.gitbench("compare", "main", "--fail-on", "slow", code=2)
    three.gitbench("compare", "main", "--alpha", "2", code=2)


def test_an_accepted_change_counts_until_it_lands(three: Project) -> None:
    """An `[[accept]]` of the branch turns the row accepted; once the baseline's own
    config has it, it no longer does."""
    accept = (
        '[[accept]]\nbenchmark = "bench-05"\nmetric = "duration"\n'
        'threshold = "40%"\nreason = "validates now"\n'
    )
    (three.path / "gitbench.toml").write_text(accept)
    three.git("add", "gitbench.toml")
    three.commit("slower, accepted")
    three.record(noisy(7, slow={"bench-05": 1.3}))
    result = three.gitbench("compare", "main")
    assert "validates now" in result.out

    three.git("checkout", "--quiet", "main")
    three.git("merge", "--quiet", "--ff-only", "topic")
    three.git("checkout", "--quiet", "-b", "next")
    three.commit("slower again")
    three.record(noisy(8, slow={"bench-05": 1.3 * 1.3}))
    report = three.gitbench("compare", "main", "--json", code=None).json
    assert "accepted" not in {c["verdict"] for c in report["comparisons"]}


@pytest.mark.parametrize(
    "config",
    [
        'fail_on = ["improved"]',
        "window = 1",
        'threshold = "90%"',
        'ref = "elsewhere"',
        '[[accept]]\nbenchmark = "*"\nmetric = "*"\nthreshold = "90%"\nreason = "x"',
    ],
)
def test_a_fork_s_config_is_not_trusted(
    three: Project, tmp_path: Path, config: str
) -> None:
    """In CI for a pull request from a fork the base branch's config judges, whatever
    key the fork changed; for one from the repository itself its own does."""
    three.git("update-ref", "refs/remotes/origin/main", "main")
    (three.path / "gitbench.toml").write_text(f"{config}\n")
    three.git("add", "gitbench.toml")
    three.commit("loosened and slower")
    three.record(noisy(7, slow={"bench-05": 1.3}), "--ref", "gitbench")
    assert three.gitbench("compare", code=None).code != 1
    event = tmp_path / "event.json"
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_BASE_REF": "main",
        "GITHUB_REPOSITORY": "owner/project",
        "GITHUB_EVENT_PATH": str(event),
    }
    for source, fails in (("owner/project", False), ("stranger/project", True)):
        event.write_text(
            json.dumps({"pull_request": {"head": {"repo": {"full_name": source}}}})
        )
        code = three.gitbench("compare", code=None, environ=environ).code
        assert fails == (code == 1)


def test_a_fork_without_its_base_branch_is_an_error(
    three: Project, tmp_path: Path
) -> None:
    """Where the base branch is not in the clone, nothing is judged by the fork."""
    event = tmp_path / "event.json"
    event.write_text("{}")
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_BASE_REF": "main",
        "GITHUB_REPOSITORY": "owner/project",
        "GITHUB_EVENT_PATH": str(event),
    }
    result = three.gitbench("compare", "main", code=4, environ=environ)

    assert "comes from a fork" in result.err


def test_the_ci_s_base_and_test_merge_are_used(three: Project) -> None:
    """Without BASE the CI's base ref counts, and its merge starts at the first
    parent."""
    three.commit("topic")
    three.git("branch", "-m", "main", "trunk")
    three.git("checkout", "--quiet", "trunk")
    landed = three.commit("landed")
    three.record(noisy(5))
    three.git("merge", "--quiet", "--no-ff", "-s", "ours", "-m", "merge", "topic")
    merge = three.head()
    three.record(noisy(6))
    three.git("checkout", "--quiet", "--detach")
    three.git("branch", "-f", "trunk", landed)
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_BASE_REF": "trunk",
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_SHA": merge,
    }
    report = three.gitbench("compare", "--json", environ=environ).json

    baseline = report["groups"][0]["baseline"]
    assert ("trunk", landed, "test-merge") == (
        report["base"],
        baseline["commit"],
        baseline["rule"],
    )


def test_deepen_fetches_history_until_a_baseline_is_found(
    origin: Path, tmp_path: Path
) -> None:
    """In a shallow clone `--deepen` gets what is missing."""
    full = Project.clone(origin, tmp_path / "full")
    full.record(noisy(1, 3))
    for number in range(4):
        full.commit(f"c{number}")
    full.record(noisy(2, 3), "--push")
    full.git("push", "--quiet")
    clone = Project.clone(f"file://{origin}", tmp_path / "ci", "--depth", "1")
    clone.gitbench("fetch")
    assert "fetch-depth: 0" in clone.gitbench("compare", "origin/main", code=4).err
    clone.gitbench("compare", "origin/main", "--deepen", code=0)


def test_diff_compares_two_files_without_a_repository(tmp_path: Path) -> None:
    """`gitbench diff` gives the verdicts of compare, outside any repository."""
    project = Project(tmp_path)
    names = []
    for side, slow in (("base", 1.0), ("head", 3.0)):
        path = tmp_path / f"{side}.json"
        values = noisy(1, 5, {"bench-03": slow})
        path.write_text(json.dumps(project.results(values)))
        names.append(str(path))
    result = project.gitbench("diff", *names, code=1)
    assert "bench-03" in result.out
    report = project.gitbench("diff", *names, "--json", code=1).json
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    assert "files" == report["groups"][0]["baseline"]["rule"]
    project.gitbench("diff", names[0], "absent.json", code=4)


def test_diff_of_two_machines_compares_nothing(tmp_path: Path) -> None:
    """Files of two testbeds are not held against each other."""
    project = Project(tmp_path)
    for side in ("one", "two"):
        results = project.results(noisy(1, 3), testbed={"name": side})
        (tmp_path / f"{side}.json").write_text(json.dumps(results))
    result = project.gitbench("diff", "one.json", "two.json", code=3)

    assert "another machine" in result.out


def test_git_bench_is_a_git_command(three: Project) -> None:
    """`git bench compare` works where the package is installed."""
    import shutil
    import sysconfig

    scripts = sysconfig.get_path("scripts")
    if shutil.which("git-bench", path=scripts) is None:
        pytest.skip("gitbench is not installed in this environment")
    import os

    shown = three.git("bench", "--version", PATH=f"{scripts}:{os.environ['PATH']}")
    assert shown.startswith("gitbench ")

"""`gitbench accept`: what it measures, what it writes, what `compare` makes of it."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from gitbench.config import load_directory
from gitbench.model import Accept
from tests.project import Project

NAMES = [f"bench-{n:02}" for n in range(12)]


def noisy(seed: int, **slow: float) -> dict[str, list[float]]:
    """Twelve benchmarks with 0.5 % of noise, some slower by a factor."""
    chance = random.Random(seed)
    found = {}
    for number, name in enumerate(NAMES):
        factor = slow.get(name.replace("-", "_"), 1.0) * slow.get("all", 1.0)
        center = 0.01 * (number + 1) * chance.gauss(1, 0.005) * factor
        found[name] = [center * chance.gauss(1, 0.005) for _ in range(6)]
    return found


def start(project: Project) -> None:
    """Four measured commits on main, and a branch."""
    for seed in range(4):
        project.commit(f"main {seed}")
        project.record(noisy(seed))
    project.git("checkout", "--quiet", "-b", "topic")


@pytest.fixture
def slower(project: Project) -> Project:
    """A branch on which one benchmark is 12 % slower."""
    start(project)
    project.commit("slower")
    project.record(noisy(9, bench_03=1.12))
    return project


def accepts(project: Project) -> tuple[Accept, ...]:
    """What the work tree's settings accept."""
    return load_directory(project.path).accepts


def settings_of(project: Project, name: str = "gitbench.toml") -> str:
    """A settings file as it stands, line ends included."""
    return (project.path / name).read_bytes().decode()


def test_what_regressed_is_accepted_as_measured(slower: Project) -> None:
    """The entry covers the interval's bad end in whole per cent; the gate is green
    with it, and the reason stands in the report."""
    slower.gitbench("compare", code=1)
    result = slower.gitbench("accept", "bench-03", "--reason", "validates now")
    (entry,) = accepts(slower)
    assert (entry.benchmark, entry.metric) == ("bench-03", "duration")
    assert (entry.reason, entry.expires) == ("validates now", None)
    before = slower.gitbench("compare", "--json").json
    (row,) = [r for r in before["comparisons"] if r["verdict"] == "accepted"]
    assert row["interval"][1] <= entry.threshold < row["interval"][1] + 0.01
    assert round(entry.threshold * 100, 6) == round(entry.threshold * 100)
    assert f"up to {entry.threshold * 100:.1f} % worse" in result.out
    assert "git add gitbench.toml" in result.out
    assert "validates now" in slower.gitbench("compare").out
    # Measured again, the same code stays within it.
    slower.record(noisy(10, bench_03=1.12))
    slower.gitbench("compare")


def test_accepting_twice_writes_once(slower: Project) -> None:
    """The same entry is not repeated; another threshold replaces an open entry."""
    words = ("accept", "bench-03", "--reason", "r", "--threshold", "15%")
    slower.gitbench(*words)
    text = settings_of(slower)
    assert "nothing to do" in slower.gitbench(*words).out
    assert settings_of(slower) == text
    assert accepts(slower) == (Accept("bench-03", "*", 0.15, "r"),)
    slower.gitbench(*words[:-1], "20%", "--expires", "2999-01-02")
    assert accepts(slower) == (Accept("bench-03", "*", 0.2, "r", "2999-01-02"),)
    slower.gitbench("accept", "bench-04", "--reason", "r", "--threshold", "15%")
    assert len(accepts(slower)) == 2
    result = slower.gitbench("accept", "bench-03", "--reason", "r", code=4)
    assert "is accepted already" in result.err


def test_what_has_landed_is_accepted_again_by_a_second_entry(slower: Project) -> None:
    """After an entry has landed, a further slow-down of as much needs a new one, with
    a reason of its own, which leaves the first alone."""
    words = ("accept", "bench-03", "--threshold", "15%", "--reason")
    slower.gitbench(*words, "first")
    slower.git("add", "gitbench.toml")
    slower.commit("accepted")
    slower.git("checkout", "--quiet", "main")
    slower.git("merge", "--quiet", "--ff-only", "topic")
    slower.record(noisy(11, bench_03=1.12))
    slower.git("checkout", "--quiet", "-b", "next")
    slower.commit("slower again")
    slower.record(noisy(12, bench_03=1.12 * 1.12))
    slower.gitbench("compare", code=1)
    slower.gitbench(*words, "second")
    slower.gitbench("compare")
    assert [one.reason for one in accepts(slower)] == ["first", "second"]
    result = slower.gitbench(*words, "first", code=4)
    assert "another --reason" in result.err


def test_a_whole_suite_is_accepted_by_a_star(project: Project) -> None:
    """`accept '*'` covers the suite's own shift as well as its rows."""
    start(project)
    project.commit("new interpreter")
    project.record(noisy(9, all=1.2))
    report = project.gitbench("compare", "--json", code=1).json
    assert report["groups"][0]["shifts"][0]["verdict"] == "regressed"
    some = project.gitbench("accept", "bench-0*", "--reason", "r", code=4)
    assert "has not regressed" in some.err
    project.gitbench("accept", "*", "--reason", "new interpreter")
    report = project.gitbench("compare", "--json").json
    assert report["groups"][0]["shifts"][0]["verdict"] == "accepted"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("bench-04",), "'bench-04' (duration) has not regressed, it is"),
        (("bench-3",), "Did you mean 'bench-03'"),
        (("nothing at all",), "No benchmark of HEAD fits 'nothing at all'. To accept"),
        (("bench-03", "--metric", "memory"), "it has duration"),
    ],
)
def test_what_did_not_regress_is_not_accepted(
    slower: Project, arguments: tuple[str, ...], part: str
) -> None:
    """One sentence says why, with the names or metrics that are near; no file."""
    result = slower.gitbench("accept", *arguments, "--reason", "r", code=4)
    assert part in result.err
    assert not (slower.path / "gitbench.toml").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("x", "--reason", " "),
        (" ", "--reason", "r"),
        ("x", "--reason", "r", "--threshold", "much"),
        ("x", "--reason", "r", "--threshold", "0%"),
        ("x", "--reason", "r", "--threshold", "1%", "--expires", "2001-01-01"),
        ("x", "--reason", "r", "--threshold", "1%", "--expires", "soon"),
        ("x", "--reason", "\udcff", "--threshold", "1%"),
        ("x",),
    ],
)
def test_what_cannot_be_written_is_a_usage_error(
    project: Project, arguments: tuple[str, ...]
) -> None:
    """A bad argument ends with exit code 2 and writes nothing."""
    project.gitbench("accept", *arguments, code=2)
    assert not (project.path / "gitbench.toml").exists()


def test_several_metrics_have_to_be_chosen_from(project: Project) -> None:
    """Where two metrics regressed, the metric has to be named; a glob takes both."""

    def both(seed: int, factor: float) -> dict[str, Any]:
        run = project.results(noisy(seed))
        for one in list(run["measurements"]):
            values = [v * (factor if one["benchmark"] == "bench-03" else 1)
                      for v in one["values"]]  # fmt: skip
            one["values"] = values
            other = {**one, "metric": "wall", "values": values}
            run["measurements"].append(other)
        return run

    for seed in range(5):
        if seed == 4:
            project.git("checkout", "--quiet", "-b", "topic")
        project.commit(f"c{seed}")
        path = project.path.parent / f"both-{seed}.json"
        path.write_text(json.dumps(both(seed, 1.2 if seed == 4 else 1.0)))
        project.runs += 1
        project.gitbench("record", str(path))
    result = project.gitbench("accept", "bench-03", "--reason", "r", code=4)
    assert "several metrics (duration, wall)" in result.err
    project.gitbench("accept", "bench-03", "--reason", "r", "--metric", "*")
    project.gitbench("compare")


# --------------------------------------------------------------------- the file

ENTRY = ("--reason", 'said "no"\n\x7f\u202e', "--threshold", "12.5%")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# a comment\nwindow = 5   # five\n\n[hook]\npolicy = 'off'",
        "window = 5\r\n# end\r\n",
        "\ufeffwindow = 5\n",
        "[[accept]]\nbenchmark='a'\nmetric='*'\nthreshold=0.1\nreason='r'\n[hook]\n",
    ],
)
def test_all_else_is_kept_byte_for_byte(project: Project, text: str) -> None:
    """The entry is appended to what was there, in its line ends, and hostile names
    and reasons come back as they were."""
    path = project.path / "gitbench.toml"
    path.write_bytes(text.encode())
    path.chmod(0o640)
    name = 'sort [n="1\\0", k=*]'
    before = accepts(project)
    project.gitbench("accept", name, *ENTRY)
    after = settings_of(project)
    assert after.startswith(text)
    assert after.removeprefix("\ufeff").translate({10: 32, 13: 32}).isprintable()
    assert ("\r\n" in text) == ("\r\n" in after)
    assert accepts(project) == (*before, Accept(name, "*", 0.125, ENTRY[1]))
    assert path.stat().st_mode & 0o777 == 0o640
    assert not list(project.path.glob(".gitbench-*"))


def test_settings_in_pyproject_stay_there(project: Project) -> None:
    """Where `[tool.gitbench]` holds the settings, the entry goes there; a pyproject
    that is about other things is left alone."""
    path = project.path / "pyproject.toml"
    path.write_text("[project]\nname = 'x'\n")
    project.gitbench("accept", "a", *ENTRY)
    assert accepts(project)[0].benchmark == "a"
    assert path.read_text() == "[project]\nname = 'x'\n"
    (project.path / "gitbench.toml").unlink()
    path.write_text("[project]\nname = 'x'\n[tool.gitbench]\nwindow = 5\n[tool.x]\n")
    project.gitbench("accept", "b", *ENTRY)
    assert "[[tool.gitbench.accept]]" in path.read_text()
    assert not (project.path / "gitbench.toml").exists()
    assert accepts(project) == (Accept("b", "*", 0.125, ENTRY[1]),)


@pytest.mark.parametrize(
    "text",
    [
        'accept = [{benchmark="a", metric="*", threshold="1%", reason="r"}]\n',
        "[tool]\ngitbench = {window = 5}\n",
    ],
)
def test_a_form_that_takes_no_entry_is_left_alone(project: Project, text: str) -> None:
    """An inline list or table is not rewritten: the error gives the lines."""
    name = "pyproject.toml" if text.startswith("[tool]") else "gitbench.toml"
    (project.path / name).write_text(text)
    result = project.gitbench("accept", "b", *ENTRY, code=4)
    assert "by hand" in result.err
    assert 'benchmark = "b"' in result.err
    assert settings_of(project, name) == text


def test_an_entry_written_otherwise_is_not_replaced(project: Project) -> None:
    """An open entry in a form of its own is for its author to change."""
    text = "[[accept]]\nreason='r'\nbenchmark='a'\nmetric='*'\nthreshold=0.1\n"
    project.git("checkout", "--quiet", "-b", "topic")
    project.commit("on the branch")
    (project.path / "gitbench.toml").write_text(text)
    assert "by hand" in project.gitbench("accept", "a", *ENTRY, code=4).err
    assert settings_of(project) == text


def test_a_link_stays_a_link(project: Project, tmp_path: Path) -> None:
    """Settings that are linked in are written where they are."""
    real = tmp_path / "settings.toml"
    real.write_text("window = 5\n")
    (project.path / "gitbench.toml").symlink_to(real)
    project.gitbench("accept", "a", *ENTRY)
    assert (project.path / "gitbench.toml").is_symlink()
    assert real.read_text().startswith("window = 5\n\n[[accept]]\n")


def test_what_cannot_be_written_is_said(project: Project, tmp_path: Path) -> None:
    """Broken settings and a bare repository are stated errors; nothing changes."""
    (project.path / "gitbench.toml").write_text("window = = 5\n")
    assert "not valid TOML" in project.gitbench("accept", "a", *ENTRY, code=4).err
    (project.path / "gitbench.toml").unlink()
    bare = Project.clone(project.path, tmp_path / "bare.git", "--bare")
    assert "bare repository" in bare.gitbench("accept", "a", *ENTRY, code=4).err
    if os.geteuid():
        project.path.chmod(0o555)
        try:
            result = project.gitbench("accept", "a", *ENTRY, code=4)
        finally:
            project.path.chmod(0o755)
        assert "cannot be written" in result.err


def test_accepted_never_fails_the_gate(slower: Project) -> None:
    """`--fail-on accepted` is refused with a sentence."""
    result = slower.gitbench("compare", "--fail-on", "accepted", code=2)
    assert "never fails a gate" in result.err

"""`gitbench explain` on real repositories."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.project import Project

COLUMNS = {"COLUMNS": "100"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty repository."""
    return Project.init(tmp_path / "project", "--initial-branch=main")


def values(seed: object, center: float) -> list[float]:
    """Five values of a run around its own center."""
    rng = random.Random(str(seed))
    level = center * rng.gauss(1, 0.01)
    return [level * rng.gauss(1, 0.004) for _ in range(5)]


def history(project: Project, names: dict[str, float], sessions: int = 5) -> None:
    """Some commits on main with a run each, and a branch that is checked out."""
    for number in range(sessions):
        project.commit(f"main {number}")
        project.record({name: values((number, name), c) for name, c in names.items()})
    project.git("checkout", "--quiet", "-b", "topic")
    project.commit("topic")


def explained(project: Project, *arguments: str) -> list[dict[str, Any]]:
    """The rows of `explain --json`."""
    done = project.gitbench("explain", *arguments, "--json")
    found: list[dict[str, Any]] = done.json["explanations"]
    return found


def test_a_red_row_is_explained_in_full(project: Project) -> None:
    """Words, picture, sessions, numbers and other tests, all of one comparison."""
    history(project, {"parse": 0.12, "render": 0.3})
    head = project.head()
    project.record({"parse": values("x", 0.15), "render": values("y", 0.3)})

    text = project.gitbench("explain", "parse", "main", environ=COLUMNS).out

    assert text.startswith("✗ regressed  parse, duration (suite unit on ci-large)\n")
    assert "It would not be red if the rule for it allowed more than" in text
    assert "┊ baseline 1" in text
    assert head[:12] in text
    assert "degrees of freedom" in text
    assert "Mann-Whitney" in text
    assert all(len(line) <= 100 for line in text.splitlines()[:14])
    row = explained(project, "parse", "main")[0]
    report = project.gitbench("compare", "main", "--json", code=1).json
    told = next(r for r in report["comparisons"] if r["benchmark"] == "parse")
    for key in ("verdict", "change", "interval", "p_value", "p_adjusted", "threshold"):
        assert row[key] == told[key]
    assert [s["part"] for s in row["sessions"]] == ["head"] + ["newest"] * 5
    assert all(len(s["runs"][0]["id"]) == 16 for s in row["sessions"])


def test_ascii_and_narrow_terminals_get_a_picture_too(project: Project) -> None:
    """Without Unicode the signs are plain; the picture fits the width."""
    history(project, {"parse": 0.12})
    project.record({"parse": values("x", 0.15)})
    narrow = {"COLUMNS": "50"}
    text = project.gitbench("explain", "parse", "main", environ=narrow).out
    words, picture = text.split("\n\n")[1:3]
    assert all(len(line) <= 50 for line in (words + "\n" + picture).splitlines())
    from gitbench.cli import dots

    lines = dots.picture(
        [("window", [1.0, 1.1, 1.1]), ("head", [1.5])],
        base=1.05,
        limits=[1.2],
        interval=(0.5, 3.0),
        head="head",
        width=60,
        unicode=False,
    )
    assert all(line.isascii() and len(line) <= 60 for line in lines)
    assert lines[0][12:].count("o") == 1
    assert lines[0][12:].count("2") == 1
    assert lines[1].rstrip().endswith("X")


@pytest.mark.parametrize("width", [10, 40, 41, 300])
def test_a_picture_of_any_numbers_stays_within_its_width(width: int) -> None:
    """Equal numbers, far limits and infinities draw nothing or something that fits."""
    from gitbench.cli import dots

    for some in ([1.0], [1.0, 1.0], [0.0, 1e-300], [-1e308, 1e308], [1.0, 2.0]):
        lines = dots.picture(
            [("window", some), ("head", [some[0]])],
            base=some[0],
            limits=[5.0],
            interval=(-1e300, 1e300),
            head="head",
            width=width,
            unicode=True,
        )
        assert all(len(line) <= width for line in lines)


def test_several_rows_are_explained_or_listed(project: Project) -> None:
    """Two rows are explained one after the other, nine are listed."""
    names = {f"b{number}": 0.1 for number in range(9)}
    history(project, names, 3)
    project.record({name: values(("h", name), 0.1) for name in names})

    two = project.gitbench("explain", "b[12]", "main").out
    all_ = project.gitbench("explain", "b*", "main").out

    assert two.count("(suite unit on ci-large)") == 2
    assert all_.startswith("9 rows fit; name one")
    assert len(explained(project, "b*", "main")) == 9


def test_an_unknown_name_gets_the_nearest(project: Project) -> None:
    """A slip of the pen is told apart from a metric or suite that is not there."""
    history(project, {"parse/utf8": 0.12}, 3)
    project.record({"parse/utf8": values("h", 0.12)})

    slip = project.gitbench("explain", "parse/utf", "main", code=4).err
    metric = project.gitbench(
        "explain", "parse/utf8", "main", "--metric", "memory", code=4
    ).err

    assert "Did you mean 'parse/utf8'?" in slip
    assert "It has metrics duration (in suites unit)." in metric


@pytest.mark.parametrize(
    ("head", "verdict", "words"),
    [
        ({"other": [0.1]}, "missing", "not measured in head"),
        ({"parse": [0.12], "fresh": [0.1]}, "new", "nothing to compare with"),
    ],
)
def test_rows_of_one_side_are_explained(
    project: Project, head: dict[str, Any], verdict: str, words: str
) -> None:
    """A benchmark that is new or gone has words, and the runs that there are."""
    history(project, {"parse": 0.12, "gone": 0.1}, 3)
    project.record({"gone": [0.1], **head})
    name = "fresh" if verdict == "new" else "parse"
    row = explained(project, name, "main")[0]
    assert row["verdict"] == verdict
    assert words in row["words"]


def test_nothing_to_compare_is_exit_code_3(project: Project) -> None:
    """Neither a head without results nor one without a baseline is an error."""
    project.commit("first")
    assert "Nothing is recorded" in project.gitbench("explain", "x", code=3).err
    project.record({"parse": [0.1, 0.11]})
    alone = project.gitbench("explain", "parse", "main", code=3)
    assert "There is nothing to compare with" in " ".join(alone.out.split())


HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "a\nb\n::error::x",
    "##[error]x",
    "‮txt.exe",
    "*?[",
    "x" * 900,
    "{{ 7 * 7 }}",
    "日本語のベンチマーク",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_does_no_harm(project: Project, name: str) -> None:
    """Names from results neither steer the terminal nor start log commands."""
    history(project, {name: 0.1}, 3)
    project.record({name: values("h", 0.2)})
    done = project.gitbench("explain", name, "main", environ=COLUMNS)
    listed = project.gitbench("explain", name + "nope", "main", code=4).err
    for text in (done.out, listed):
        assert "\x1b" not in text
        assert "‮" not in text
        assert "##[" not in text
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert explained(project, name, "main")[0]["benchmark"] == name


def test_odd_numbers_are_explained_without_nan(project: Project) -> None:
    """Zeros, negative, tiny and huge values give valid JSON."""
    cases = {"zero": 0.0, "minus": -1.0, "tiny": 1e-300, "huge": 1e300, "big": 1e307}
    history(project, {}, 0)
    project.git("checkout", "--quiet", "-b", "odd")
    for number in range(4):
        project.commit(f"c{number}")
        project.record({k: [v * (1 + number / 100)] for k, v in cases.items()})
    done = project.gitbench("explain", "*", "HEAD~1", "--json").out
    assert len(json.loads(done, parse_constant=_refuse)["explanations"]) == 5
    for name in cases:
        assert project.gitbench("explain", name, "HEAD~1").out


def _refuse(word: str) -> None:
    raise AssertionError(f"JSON has no {word}")

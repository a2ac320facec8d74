"""After an accepted change has landed: what the next branches are compared with."""

from __future__ import annotations

import random

import pytest

from tests.project import Project

ENTRY = (
    '[[accept]]\nbenchmark = "bench-03"\nmetric = "duration"\nthreshold = "15%"\n'
    'reason = "validates surrogates now"\n'
)


def noisy(seed: int, factor: float) -> dict[str, list[float]]:
    """Twelve benchmarks with 1 % of noise, one of them slower by a factor."""
    chance = random.Random(seed)
    found = {}
    for number in range(12):
        center = 0.01 * (number + 1) * chance.gauss(1, 0.01)
        center *= factor if number == 3 else 1
        found[f"bench-{number:02}"] = [center * chance.gauss(1, 0.01) for _ in range(6)]
    return found


def row(project: Project) -> dict[str, object]:
    """The row of the benchmark whose change has landed."""
    report = project.gitbench("compare", "main", "--json", code=None).json
    rows = {one["benchmark"]: one for one in report["comparisons"]}
    found: dict[str, object] = rows["bench-03"]
    return found


@pytest.fixture
def landed(project: Project) -> Project:
    """Eight sessions on main, of which the newest two have a 10 % slower benchmark,
    which was accepted; on a branch now."""
    for seed in range(6):
        project.commit(f"main {seed}")
        project.record(noisy(seed, 1.0))
    (project.path / "gitbench.toml").write_text(ENTRY)
    project.git("add", "gitbench.toml")
    for seed in (6, 7):
        project.commit(f"main {seed}")
        project.record(noisy(seed, 1.1))
    project.git("checkout", "--quiet", "-b", "topic")
    return project


def test_head_at_the_accepted_level_is_no_change(landed: Project) -> None:
    """As slow as what was accepted is neither an improvement nor a regression, and
    the noise of the row is not that of its step."""
    landed.commit("another change")
    landed.record(noisy(8, 1.1))
    found = row(landed)
    assert found["verdict"] in ("unchanged", "no-regression")
    change = found["change"]
    assert isinstance(change, float)
    assert abs(change) < 0.04
    assert any("landed" in text for text in found["warnings"])  # type: ignore[attr-defined]


def test_a_further_slow_down_is_red(landed: Project) -> None:
    """Ten per cent on top of what was accepted is a regression of ten per cent."""
    landed.commit("slower again")
    landed.record(noisy(8, 1.1 * 1.1))
    found = row(landed)
    assert found["verdict"] == "regressed"
    change = found["change"]
    assert isinstance(change, float)
    assert 0.06 < change < 0.15


def test_back_to_the_level_before_is_an_improvement(landed: Project) -> None:
    """Taking the accepted change out again is told as such."""
    landed.commit("without it")
    landed.record(noisy(8, 1.0))
    assert row(landed)["verdict"] == "improved"


def test_a_short_window_is_cut_where_the_change_landed(project: Project) -> None:
    """A window too short for a search for steps is cut as well: of three sessions the
    newest two are what head is compared with."""
    project.commit("main 0")
    project.record(noisy(0, 1.0))
    (project.path / "gitbench.toml").write_text(ENTRY.replace("15%", "50%"))
    project.git("add", "gitbench.toml")
    for seed in (1, 2):
        project.commit(f"main {seed}")
        project.record(noisy(seed, 1.4))
    project.git("checkout", "--quiet", "-b", "topic")
    project.commit("another change")
    project.record(noisy(3, 1.4))
    change = row(project)["change"]
    assert isinstance(change, float)
    assert abs(change) < 0.05

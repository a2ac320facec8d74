"""A folder of results that grows is recorded again, each of its runs once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.project import Project

DATA = Path(__file__).parent.parent / "data" / "asv" / "results"


def _count(project: Project) -> int:
    return len(project.gitbench("show", "--json").out.splitlines())


def test_a_tree_of_asv_that_grew_adds_its_new_runs_alone(
    project: Project, tmp_path: Path
) -> None:
    """With a file more, also of other benchmarks, the runs of the files that were
    there before are the same evidence; so is a file on its own."""
    tree = tmp_path / "results"
    shutil.copytree(DATA, tree)
    later = next((tree / "demo").glob("20fc55fc*"))
    kept = later.read_bytes()
    later.unlink()
    project.gitbench("record", str(tree), "--commit", "HEAD")
    before = _count(project)
    assert before == 2

    later.write_bytes(kept)
    defined = json.loads((tree / "benchmarks.json").read_text())
    (tree / "benchmarks.json").write_text(json.dumps(defined, indent=4))
    project.gitbench("record", str(tree), "--commit", "HEAD")
    assert _count(project) == before + 1

    project.gitbench("record", str(later), "--commit", "HEAD")
    assert _count(project) == before + 1

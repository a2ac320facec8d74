"""Projects for scenarios."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A repository with one commit on main."""
    made = Project.init(tmp_path / "project")
    made.commit("first")
    return made


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A bare repository with one commit on main, to clone from and push to."""
    bare = tmp_path / "origin.git"
    Project.init(bare, "--bare")
    seed = Project.init(tmp_path / "seed")
    seed.commit("first")
    seed.git("push", "--quiet", str(bare), "main")
    return bare

"""Many clones push to one remote at once, over each protocol.

The sizes here are small; `python -m tests.contention --full` runs them all.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contention import REF, contend
from tests.project import Project
from tests.servers import lighttpd
from tests.web import READER, WRITER, basic

Property = Callable[[str, object], None]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("over", "clones", "records"), [("file", 6, 2), ("http", 4, 2), ("ssh", 3, 2)]
)
def test_all_push_at_once(
    over: str, clones: int, records: int, tmp_path: Path, record_property: Property
) -> None:
    """Every run is on the remote and, after a fetch, in every clone; the remote's ref
    moved once a push, and only forward."""
    figures = contend(over, tmp_path / "all", clones, records)

    record_property("contention", str(figures))
    print(figures)
    assert clones * records <= figures.attempts
    assert 0 == figures.surrenders


def test_a_web_server_that_lets_us_only_read(origin: Path, tmp_path: Path) -> None:
    """A push that lighttpd answers with 403 is one sentence with exit code 4 and no
    token in it; the run is still here, and another token sends it."""
    with lighttpd(origin.parent, tmp_path / "lighttpd") as url:
        header = f"http.{url}/.extraheader"
        project = Project.clone(
            f"{url}/{origin.name}",
            tmp_path / "clone",
            "--config",
            f"{header}={basic(READER)}",
        )
        project.record({"sort": 1})
        recorded = project.head(REF)
        refused = project.gitbench("push", code=4)

        assert 1 == len(refused.err.splitlines())
        assert "403" in refused.err
        assert "does not let us push" in refused.err
        assert READER not in refused.err + refused.out
        assert recorded == project.head(REF)
        assert "" == Project(origin).git("for-each-ref", REF)
        project.gitbench("fetch")
        project.git("config", header, basic(WRITER))
        project.gitbench("push")
    assert recorded == Project(origin).head(REF)


def test_a_web_server_without_a_token(origin: Path, tmp_path: Path) -> None:
    """The web server lets nobody in who has no token, so that the pushes above were
    authenticated."""
    with lighttpd(origin.parent, tmp_path / "lighttpd") as url:
        project = Project.clone(origin, tmp_path / "clone")
        project.git("remote", "set-url", "origin", f"{url}/{origin.name}")
        project.record({"sort": 1})
        refused = project.gitbench(
            "push", code=4, environ={"GIT_ASKPASS": "", "SSH_ASKPASS": ""}
        )
    assert "does not let us" in refused.err

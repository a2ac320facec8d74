"""`gitbench init`: plain git brings results along, and all of it can be undone."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gitbench.config import load, starter
from gitbench.formats import TOOLS
from gitbench.store import setup
from gitbench.store.sync import Git
from tests.project import Project

REF = "refs/notes/gitbench"
GLOB = "+refs/notes/gitbench*:refs/gitbench/remotes/origin/gitbench*"


@pytest.fixture
def clones(origin: Path, tmp_path: Path) -> tuple[Project, Project]:
    return tuple(Project.clone(origin, tmp_path / name) for name in ("one", "two"))  # type: ignore[return-value]


def git_config(project: Project) -> str:
    return (project.path / ".git/config").read_text()


def test_git_fetch_and_pull_work_with_a_remote_without_notes(
    clones: tuple[Project, Project],
) -> None:
    """While nobody has pushed results, git fetch and git pull go on as before."""
    one, _ = clones
    one.gitbench("init")

    one.git("fetch")
    one.git("pull")
    assert GLOB in one.git("config", "--get-all", "remote.origin.fetch").split("\n")
    assert "cat_sort_uniq" == one.git("config", "notes.gitbench.mergeStrategy")


def test_git_pull_alone_brings_results(clones: tuple[Project, Project]) -> None:
    """After git pull the next reading command shows the results of others, beside
    those that were recorded here, silently."""
    one, two = clones
    two.gitbench("init")
    one.record({"theirs": 1})
    one.gitbench("push")
    two.record({"ours": 1})
    two.git("pull", "--quiet")

    result = two.gitbench("show")

    assert "theirs" in result.out
    assert "ours" in result.out
    assert "" == result.err
    tip = two.head(REF)
    for command in ("show", "log", "status"):
        two.gitbench(command)
    assert tip == two.head(REF)


@pytest.mark.parametrize("command", ["show", "log", "compare"])
def test_reading_commands_unite_what_was_fetched(
    clones: tuple[Project, Project], command: str
) -> None:
    """Each of them sees results that git fetch brought into an empty clone."""
    one, two = clones
    two.gitbench("init")
    one.record({"sort": 1})
    one.gitbench("push")
    two.git("fetch", "--quiet")
    assert "" == two.git("for-each-ref", REF)

    two.gitbench(command, code=3 if command == "compare" else 0)

    assert one.head(REF) == two.head(REF)


def test_reading_goes_on_where_nothing_can_be_united(
    clones: tuple[Project, Project],
) -> None:
    """A tracking ref that is no notes commit is one warning, not a failure."""
    one, _ = clones
    one.record({"sort": 1})
    blob = one.git("hash-object", "-w", "--stdin")
    one.git("update-ref", "refs/gitbench/remotes/origin/gitbench", blob)

    result = one.gitbench("show")

    assert "sort" in result.out
    assert "could not be united" in result.err


def test_what_is_written_is_shown_before(clones: tuple[Project, Project]) -> None:
    """--dry-run and the real run name each setting; the dry run writes nothing."""
    one, _ = clones
    before = git_config(one)
    dry = one.gitbench("init", "--dry-run")
    assert (before, []) == (git_config(one), list(one.path.glob("*.toml")))

    real = one.gitbench("init")
    for result in (dry, real):
        assert f"remote.origin.fetch = {GLOB}" in result.out
        assert "notes.gitbench.mergeStrategy = cat_sort_uniq" in result.out


def test_twice_changes_nothing(clones: tuple[Project, Project]) -> None:
    """A second run writes nothing and says so; the same after the file was edited."""
    one, _ = clones
    one.gitbench("init")
    file = one.path / "gitbench.toml"
    file.write_text('threshold = "3%"\n')
    before = git_config(one)
    result = one.gitbench("init")

    assert "nothing was changed" in result.out
    assert (before, 'threshold = "3%"\n') == (git_config(one), file.read_text())


def test_undo_takes_out_exactly_what_was_added(
    clones: tuple[Project, Project],
) -> None:
    """Afterwards git's configuration has its old bytes and the file is gone; results
    stay."""
    one, two = clones
    before = git_config(one)
    two.record({"sort": 1})
    two.gitbench("push")
    one.gitbench("init")
    one.gitbench("fetch")
    result = one.gitbench("init", "--undo")

    assert before == git_config(one)
    assert not (one.path / "gitbench.toml").exists()
    assert two.head(REF) == one.head(REF)
    assert "still here" in result.out
    assert "nothing here" in one.gitbench("init", "--undo").out


def test_undo_leaves_what_somebody_else_wrote(clones: tuple[Project, Project]) -> None:
    """A refspec that was there before and a file that was edited stay."""
    one, _ = clones
    one.git("config", "--add", "remote.origin.fetch", GLOB)
    one.git("config", "notes.gitbench.mergeStrategy", "union")
    before = git_config(one)
    one.gitbench("init")
    (one.path / "gitbench.toml").write_text("window = 3\n")
    one.gitbench("init", "--undo", "--dry-run")
    result = one.gitbench("init", "--undo")

    assert before == git_config(one)
    assert "window = 3\n" == (one.path / "gitbench.toml").read_text()
    assert "Left alone" in result.out


def test_undo_leaves_a_file_that_was_committed(
    clones: tuple[Project, Project],
) -> None:
    """A gitbench.toml that is part of the project is not deleted."""
    one, _ = clones
    one.gitbench("init")
    one.git("add", "gitbench.toml")
    one.git("commit", "--quiet", "-m", "settings")
    one.gitbench("init", "--undo")

    assert (one.path / "gitbench.toml").exists()


def test_several_remotes(clones: tuple[Project, Project], tmp_path: Path) -> None:
    """Each named remote gets its own refspec; an unknown one is named."""
    one, _ = clones
    one.git("remote", "add", "up/stream.x", str(tmp_path / "origin.git"))
    one.gitbench("init", "--remote", "origin", "--remote", "up/stream.x")

    fetch = one.git("config", "--get-all", "remote.up/stream.x.fetch").split("\n")
    assert "+refs/notes/gitbench*:refs/gitbench/remotes/up/stream.x/gitbench*" in fetch
    one.git("fetch", "--all", "--quiet")
    assert "git remote -v" in one.gitbench("init", "--remote", "nope", code=4).err
    one.gitbench("init", "--undo")
    assert "gitbench" not in git_config(one)


def test_a_repository_without_a_remote(project: Project) -> None:
    """Everything else is set up, and the missing remote is said."""
    result = project.gitbench("init")

    assert "no remote yet" in result.err
    assert "cat_sort_uniq" in git_config(project)
    assert 'baseline = "main"' in (project.path / "gitbench.toml").read_text()


def test_the_only_remote_is_taken_whatever_its_name(
    clones: tuple[Project, Project],
) -> None:
    """A single remote of another name is set up and written into the file."""
    one, _ = clones
    one.git("remote", "rename", "origin", "upstream")
    one.gitbench("init")

    assert 'remote = "upstream"' in (one.path / "gitbench.toml").read_text()
    one.gitbench("fetch")
    assert "refs/gitbench/remotes/upstream/" in git_config(one)


def test_nothing_is_pushed_by_a_bare_git_push(clones: tuple[Project, Project]) -> None:
    """remote.origin.push is not set: git push still pushes the branch, and only it."""
    one, two = clones
    one.gitbench("init", "--git-only")
    one.record({"sort": 1})
    one.commit("second")
    one.git("push", "--quiet")

    assert "" == one.git("config", "--get-all", "remote.origin.push", check=False)
    two.git("fetch", "--quiet")
    assert one.head() == two.head("origin/main")
    assert "" == two.git("ls-remote", "origin", "refs/notes/*")


def test_a_linked_work_tree_and_a_bare_repository(
    clones: tuple[Project, Project], origin: Path, tmp_path: Path
) -> None:
    """Settings go to the shared configuration; a bare repository gets no file."""
    one, _ = clones
    one.git("worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "side")
    Project(tmp_path / "linked").gitbench("init")
    assert GLOB in git_config(one)
    assert (tmp_path / "linked/gitbench.toml").exists()

    bare = Project(origin)
    bare.gitbench("init")
    assert [] == list(origin.glob("*.toml"))


def test_another_ref(clones: tuple[Project, Project]) -> None:
    """--ref sets up that ref."""
    one, _ = clones
    one.gitbench("init", "--ref", "nightly", "--git-only")

    assert "+refs/notes/nightly*:refs/gitbench/remotes/origin/nightly*" in git_config(
        one
    )


def test_settings_of_pyproject_are_enough(clones: tuple[Project, Project]) -> None:
    """Where [tool.gitbench] is there, no file is written beside it."""
    one, _ = clones
    (one.path / "pyproject.toml").write_text("[tool.gitbench]\nwindow = 3\n")
    one.gitbench("init")

    assert not (one.path / "gitbench.toml").exists()


def test_the_hook_comes_and_goes(clones: tuple[Project, Project]) -> None:
    """--hook installs the pre-push hook, --undo takes it out."""
    one, _ = clones
    hook = one.path / ".git/hooks/pre-push"
    one.gitbench("init", "--hook")
    assert hook.exists()
    assert "nothing was changed" in one.gitbench("init", "--hook").out

    one.gitbench("init", "--undo")
    assert not hook.exists()


def test_an_answer_is_asked_for_on_a_terminal(
    clones: tuple[Project, Project],
) -> None:
    """On a terminal `n` writes nothing; --yes does not ask."""
    one, _ = clones
    before = git_config(one)
    pytest.importorskip("pty")
    refused = on_a_terminal(one, "init", answer="n\n")
    assert "Nothing was written" in refused
    assert before == git_config(one)

    assert "Write this?" not in on_a_terminal(one, "init", "--yes", answer="")
    assert before != git_config(one)


def on_a_terminal(project: Project, *arguments: str, answer: str) -> str:
    """What gitbench prints when its input is a terminal."""
    import pty

    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer.encode())
        done = subprocess.run(
            [sys.executable, "-m", "gitbench", *arguments],
            cwd=project.path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return done.stdout.decode()


# ----------------------------------------------------------- the file itself

FILES = {
    "pyproject.toml": b'[project]\ndependencies = ["pytest-benchmark>=5"]\n',
    "go.mod": b"module example.com/x\n",
    "Cargo.toml": b'[dev-dependencies]\ncriterion = "0.5"\n',
    "asv.conf.json": b"{}",
    "CMakeLists.txt": b"target_link_libraries(x benchmark::benchmark)\n",
    "pom.xml": b"<artifactId>jmh-core</artifactId>\n",
    "Makefile": b"bench:\n\thyperfine ./x\n",
    "setup.cfg": b"tests_require = pyperf\n",
}
EVERY_TOOL = {
    "asv", "criterion", "go", "google-benchmark", "hyperfine", "jmh", "pyperf",
    "pytest-benchmark",
}  # fmt: skip


def test_the_tool_is_found_by_the_project_s_files(
    clones: tuple[Project, Project],
) -> None:
    """What pyproject.toml names stands in the file that is written, in force."""
    one, _ = clones
    (one.path / "pyproject.toml").write_bytes(FILES["pyproject.toml"])
    result = one.gitbench("init")

    assert "pytest-benchmark in pyproject.toml, baseline origin/main" in result.out
    config = load((one.path / "gitbench.toml").read_bytes(), "gitbench.toml")
    (suite,) = config.suites
    assert ("default", "pytest-benchmark", "origin/main") == (
        suite.name,
        suite.tool,
        config.baseline,
    )


def test_every_sign_is_known() -> None:
    """Each file gives its tool away, and an absent or empty one gives nothing."""
    assert EVERY_TOOL == {one.tool for one in starter.look(FILES.get)}
    assert () == starter.look(lambda name: None)
    assert {"go", "asv"} == {
        one.tool for one in starter.look(lambda name: b"" if name in FILES else None)
    }


@pytest.mark.parametrize("files", [FILES, {}])
@pytest.mark.parametrize("base", [None, "origin/main", 'we"ird\\'])
def test_the_file_is_valid_as_it_is_and_with_every_comment_in_force(
    files: dict[str, bytes], base: str | None
) -> None:
    """gitbench reads the file it wrote, and what stands in comments as well."""
    text = starter.text(starter.look(files.get), EVERY_TOOL | set(TOOLS), base, "up")
    config = load(text, "x")
    assert base == config.baseline
    assert "up" == config.remote

    lines = []
    for line in text.splitlines():
        inner = line.removeprefix("# ")
        shown = inner.startswith("[") or " = " in inner
        lines.append(inner if shown else line)
    everything = load("\n".join(lines), "x")
    assert everything.rules
    assert tomllib.loads(text).keys() <= {"baseline", "remote", "suite"}


def test_what_init_added_is_read_back_or_named(project: Project) -> None:
    """A damaged memory of what was added is one clear sentence."""
    project.gitbench("init")
    place = project.path / ".git/gitbench/init.json"
    for content in ("[]", "{", '{"settings": 3, "files": [], "hook": 1}', "[" * 9999):
        place.write_text(content)
        result = project.gitbench("init", "--undo", code=4)
        assert "init.json" in result.err
        assert 1 == len(result.err.splitlines())


def test_values_with_special_characters_are_taken_out_exactly(
    project: Project,
) -> None:
    """Of two values that a pattern could confuse only the one that was added goes."""
    git = Git(project.path / ".git", {"PATH": os.environ["PATH"]})
    one, other = "+a*[x](b|c){2}?^$\\:d*", "+aa[x](b|c){2}?^$\\:d*"
    project.git("config", "--add", "remote.x.fetch", other)
    setup.add(git, [setup.Setting("remote.x.fetch", one)])
    assert (one,) == tuple(
        s.value for s in setup.remove(git, [setup.Setting("remote.x.fetch", one)])
    )
    assert other == project.git("config", "--get-all", "remote.x.fetch")

"""The hooks for the pre-commit framework, by the framework itself and real pushes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from gitbench import hook as hooks
from tests.project import Project

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / ".pre-commit-hooks.yaml"
BIN = Path(sys.executable).parent
STEADY = {"sort": [0.1, 0.1001], "parse": [0.02, 0.02001]}
SLOW = {"sort": [0.13, 0.1301], "parse": [0.02, 0.02001]}
LIBRARIES = ("hatchling", "click", "msgpack", "numpy", "pygit2", "cffi")
"""What building and running the hook needs, besides us."""
BY_HAND = ("run", "gitbench-installed", "--hook-stage", "pre-push")

pytest.importorskip("pre_commit", reason="pre-commit is not installed")


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it printed."""

    code: int
    said: str


@dataclass(frozen=True)
class Framework:
    """A clone with the framework's hook for pushes, and a place for its files."""

    project: Project
    home: Path

    def run(self, *command: str, **environ: str) -> Ended:
        """Run a command in the project, with the framework's files in a place of the
        test's own and this gitbench on the PATH."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PRE_COMMIT")}
        done = subprocess.run(
            command,
            cwd=self.project.path,
            env={
                **kept,
                "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
                "PRE_COMMIT_HOME": str(self.home),
                **environ,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(done.returncode, done.stdout + done.stderr)

    def pre_commit(self, *arguments: str) -> Ended:
        """Run the framework."""
        return self.run(sys.executable, "-m", "pre_commit", *arguments)

    def push(self, *arguments: str, **environ: str) -> Ended:
        """Run `git push`."""
        return self.run("git", "push", "--quiet", *arguments, **environ)

    def measure(self, values: dict[str, list[float]], count: int = 2) -> None:
        """Record sessions on HEAD that differ by 0.1 %."""
        for number in range(count):
            factor = 1 + 0.0005 * (number % 3)
            self.project.record(
                {name: [factor * x for x in some] for name, some in values.items()}
            )

    def topic(self, name: str, values: dict[str, list[float]]) -> str:
        """A measured branch off main with one commit."""
        self.project.git("checkout", "--quiet", "-b", name, "main")
        commit = self.project.commit(f"work on {name}")
        self.measure(values)
        return commit

    def on_remote(self, name: str) -> str:
        """Id of a branch of the remote; empty if there is none."""
        refs = self.project.git("ls-remote", "origin", f"refs/heads/{name}")
        return refs.partition("\t")[0]


def hooks_repository(folder: Path) -> Project:
    """A repository of hooks, as a user of the framework names it: our manifest."""
    made = Project.init(folder)
    shutil.copy(MANIFEST, folder)
    made.git("add", MANIFEST.name)
    made.commit("hooks")
    made.git("tag", "v1")
    return made


def configure(project: Project, source: Path, hook: str) -> None:
    """Name a hook of ours in the project, with policy block."""
    (project.path / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: {source}\n  rev: v1\n  hooks:\n  - id: {hook}\n"
    )
    (project.path / "gitbench.toml").write_text('[hook]\npolicy = "block"\n')
    project.git("add", ".pre-commit-config.yaml", "gitbench.toml")
    project.commit("configure")


@pytest.fixture
def framework(origin: Path, tmp_path: Path) -> Framework:
    """A clone whose main is pushed and measured, with the framework installed."""
    source = hooks_repository(tmp_path / "hooks")
    made = Framework(Project.clone(origin, tmp_path / "clone"), tmp_path / "home")
    configure(made.project, source.path, "gitbench-installed")
    made.measure(STEADY, 4)
    made.project.git("push", "--quiet", "origin", "main")
    installed = made.pre_commit("install", "--hook-type", "pre-push")
    assert installed.code == 0, installed.said
    return made


def test_the_manifest_is_valid(framework: Framework) -> None:
    """The framework takes our manifest without a complaint."""
    ended = framework.pre_commit("validate-manifest", str(MANIFEST))

    assert ended == Ended(0, "")


def test_a_slow_branch_is_refused(framework: Framework) -> None:
    """The framework gives no standard input; the pushed commit is known all the same,
    and what is said arrives."""
    head = framework.topic("slow", SLOW)

    ended = framework.push("origin", "slow")

    assert ended.code == 1
    assert f"slow ({head[:8]}): 1 regressed" in ended.said
    assert "git push --no-verify" in ended.said
    assert framework.on_remote("slow") == ""
    assert framework.push("origin", "slow", SKIP="gitbench-installed").code == 0
    assert framework.on_remote("slow") == head


def test_a_fine_branch_passes(framework: Framework) -> None:
    """All that is seen is the framework's own line."""
    head = framework.topic("fine", STEADY)

    ended = framework.push("origin", "fine")

    assert ended.code == 0
    assert "Passed" in ended.said
    assert "gitbench: " not in ended.said
    assert framework.on_remote("fine") == head


def test_a_warning_is_shown_though_the_hook_passes(framework: Framework) -> None:
    """With policy warn the words are not lost."""
    framework.topic("slow", SLOW)
    settings = framework.project.path / "gitbench.toml"
    settings.write_text('[hook]\npolicy = "warn"\n')
    framework.project.git("commit", "--quiet", "-am", "only warn")
    framework.measure(SLOW)

    ended = framework.push("origin", "slow")

    assert ended.code == 0
    assert "1 regressed" in ended.said


def test_the_pushed_commit_counts_not_the_one_checked_out(framework: Framework) -> None:
    """HEAD is slow, but it is the commit before it that is pushed."""
    fine = framework.topic("branch", STEADY)
    framework.project.commit("slow it down")
    framework.measure(SLOW)

    assert framework.push("origin", "HEAD~1:refs/heads/branch").code == 0
    assert framework.on_remote("branch") == fine
    assert framework.push("origin", "branch").code == 1


def test_a_push_to_main_is_compared_with_what_the_remote_has(
    framework: Framework,
) -> None:
    """The framework hands on what git told it: a slow commit is not hidden by the one
    after it."""
    theirs = framework.project.head()
    for subject in ("slow it down", "and go on"):
        framework.project.commit(subject)
        framework.measure(SLOW)

    ended = framework.push("origin", "main")

    assert ended.code == 1
    assert f"compared with {theirs[:8]}, what origin has" in ended.said


def test_the_first_push_of_a_history_is_checked(
    framework: Framework, tmp_path: Path
) -> None:
    """Of a history that is pushed from its root on, the framework tells no ids."""
    framework.topic("slow", SLOW)
    Project.init(tmp_path / "empty.git", "--bare")
    framework.project.git("remote", "add", "other", str(tmp_path / "empty.git"))

    ended = framework.push("other", "slow")

    assert ended.code == 1
    assert "slow (" in ended.said


def test_tags_notes_and_deletions_pass(framework: Framework) -> None:
    """What brings no branch is not refused, whatever the framework makes of it."""
    framework.topic("slow", SLOW)
    framework.project.git("tag", "-a", "-m", "annotated", "v1")
    framework.project.git("push", "--quiet", "--no-verify", "origin", "slow")

    for what in (["v1"], ["refs/notes/gitbench"], ["--delete", "slow"]):
        ended = framework.push("origin", *what)
        assert ended.code == 0
        assert "gitbench: " not in ended.said
    assert framework.on_remote("slow") == ""


def test_run_by_hand_head_is_checked(framework: Framework) -> None:
    """Without any push, `pre-commit run` compares what is checked out."""
    framework.topic("fine", STEADY)
    assert framework.pre_commit(*BY_HAND).code == 0
    framework.topic("slow", SLOW)

    ended = framework.pre_commit(*BY_HAND)
    between = framework.pre_commit(*BY_HAND, "--from-ref", "main", "--to-ref", "fine")

    assert ended.code == 1
    assert "1 regressed" in ended.said
    assert between.code == 0


@pytest.mark.parametrize("first", ["framework", "gitbench"])
def test_both_hooks_can_be_installed(framework: Framework, first: str) -> None:
    """Whichever comes second chains the other, both run, and ours can be removed."""
    project = framework.project
    hook = project.path / ".git" / "hooks" / "pre-push"
    theirs = hook.read_bytes()
    if first == "gitbench":
        framework.pre_commit("uninstall", "--hook-type", "pre-push")
        own = hook.parent / hooks.KEPT
        own.write_text('#!/bin/sh\necho "my own hook" >&2\n')
        own.chmod(0o755)
    project.gitbench("hook", "install")
    if first == "gitbench":
        framework.pre_commit("install", "--hook-type", "pre-push")
    framework.topic("slow", SLOW)

    ended = framework.push("origin", "slow", SKIP="gitbench-installed")

    assert ended.code == 1
    assert "1 regressed" in ended.said
    assert "Skipped" in ended.said
    if first == "gitbench":
        assert "my own hook" in ended.said
        refused = project.gitbench("hook", "uninstall", code=4)
        assert str(hook) in refused.err
    else:
        project.gitbench("hook", "uninstall")
        assert hook.read_bytes() == theirs


@pytest.mark.slow
def test_the_framework_installs_gitbench_itself(
    origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From this source tree the framework builds an environment of its own, whose
    gitbench it runs.

    The libraries are those of this environment, so that nothing is downloaded: pip is
    told to fetch none and to build without isolation, and finds hatchling and the
    others by PYTHONPATH, which does not lead to this source tree.
    """
    source = tmp_path / "source"
    source.mkdir()
    unwanted = shutil.ignore_patterns("__pycache__", ".*")
    for name in ("gitbench", "hooks", "templates"):
        shutil.copytree(ROOT / name, source / name, ignore=unwanted)
    for name in ("pyproject.toml", "README.md", "LICENSE", MANIFEST.name):
        shutil.copy(ROOT / name, source)
    hooks_home = Project.init(source)
    hooks_home.git("add", ".")
    hooks_home.git("commit", "--quiet", "-m", "gitbench")
    hooks_home.git("tag", "v1")
    homes = {
        str(Path(spec.origin).parents[1])
        for spec in map(find_spec, LIBRARIES)
        if spec is not None and spec.origin is not None
    }
    for name, value in {
        "PYTHONPATH": os.pathsep.join(sorted(homes)),
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "VIRTUALENV_NO_DOWNLOAD": "1",
    }.items():
        monkeypatch.setenv(name, value)
    made = Framework(Project.clone(origin, tmp_path / "clone"), tmp_path / "home")
    configure(made.project, source, "gitbench")
    made.measure(STEADY, 4)
    made.project.git("push", "--quiet", "origin", "main")
    made.pre_commit("install", "--hook-type", "pre-push")
    made.topic("slow", SLOW)

    ended = made.push("origin", "slow")

    assert "Initializing environment" in ended.said
    assert "1 regressed" in ended.said, ended.said
    assert ended.code == 1
    (program,) = made.home.glob("repo*/py_env-*/bin/gitbench")
    assert program.exists()

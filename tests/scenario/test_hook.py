"""The pre-push hook, by real pushes to a real remote."""

from __future__ import annotations

import os
import pty
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import gitbench.cli.hook as cli_hook
from gitbench import hook as hooks
from gitbench.store import sync
from tests.project import Project

BIN = Path(sys.executable).parent
PATH = f"{BIN}{os.pathsep}{os.environ['PATH']}"
SHIPPED = Path(__file__).parents[2] / "hooks" / "pre-push"
STEADY = {"sort": [0.1, 0.1001], "parse": [0.02, 0.02001]}
SLOW = {"sort": [0.13, 0.1301], "parse": [0.02, 0.02001]}
ZERO = "0" * 40


@dataclass(frozen=True)
class Pushed:
    """How a push ended, and what git and the hook said."""

    code: int
    said: str


def push(
    project: Project, *arguments: str, cwd: Path | None = None, **environ: str
) -> Pushed:
    """Run a quiet `git push`: what it prints is what hooks say, and git's errors."""
    done = subprocess.run(
        ["git", "push", "--quiet", *arguments],
        cwd=cwd or project.path,
        env={**os.environ, "PATH": PATH, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Pushed(done.returncode, done.stdout + done.stderr)


def on_remote(project: Project, name: str) -> str:
    """Id of a ref of the remote; empty if there is none."""
    return project.git("ls-remote", "origin", name).partition("\t")[0]


def sessions(project: Project, values: dict[str, list[float]], count: int = 1) -> None:
    """Record `count` sessions on HEAD that differ by 0.1 %."""
    for number in range(count):
        factor = 1 + 0.0005 * (number % 3)
        project.record({k: [factor * x for x in some] for k, some in values.items()})


def topic(project: Project, name: str, values: dict[str, list[float]] | None) -> str:
    """A branch off main with one commit, measured unless `values` is None."""
    project.git("checkout", "--quiet", "-b", name, "main")
    commit = project.commit(f"work on {name}")
    if values is not None:
        sessions(project, values, 2)
    return commit


def policy(project: Project, word: str) -> None:
    """Commit a policy to the current branch."""
    (project.path / "gitbench.toml").write_text(f'[hook]\npolicy = "{word}"\n')
    project.git("add", "gitbench.toml")
    project.git("commit", "--quiet", "-m", f"policy {word}")


@pytest.fixture
def project(origin: Path, tmp_path: Path) -> Project:
    """A clone whose main is pushed and measured four times."""
    made = Project.clone(origin, tmp_path / "clone")
    sessions(made, STEADY, 4)
    return made


@pytest.fixture
def hooked(project: Project) -> Project:
    """The same with the hook installed and policy `block` on main."""
    policy(project, "block")
    sessions(project, STEADY, 4)
    project.git("push", "--quiet", "origin", "main")
    project.gitbench("hook", "install")
    return project


@pytest.fixture
def silent_pipe() -> Iterator[int]:
    """A pipe that nobody writes to and nobody closes."""
    reader, writer = os.pipe()
    yield reader
    os.close(writer)


# ------------------------------------------------------------------- the policies


def test_a_slow_branch_is_refused(hooked: Project) -> None:
    """With policy block the push fails, and says what, by how much, and how to go
    on."""
    head = topic(hooked, "slow", SLOW)

    pushed = push(hooked, "origin", "slow")

    assert pushed.code == 1
    assert on_remote(hooked, "refs/heads/slow") == ""
    for part in (
        f"slow ({head[:8]}): 1 regressed",
        f"compared with {hooked.head('main')[:8]}, the merge base",
        "  regressed  sort  duration  100.1 ms -> 130.1 ms  +30.0 %  limit +5.0 %",
        f"gitbench compare origin/main {head[:12]}",
        'refused, since the policy is "block"',
        "git push --no-verify",
        "GITBENCH_SKIP=1 git push",
    ):
        assert part in pushed.said
    assert "parse" not in pushed.said
    hooked.gitbench("compare", "origin/main", head[:12], code=1)


@pytest.mark.parametrize(
    ("options", "environ"),
    [(["--no-verify"], {}), ([], {"GITBENCH_SKIP": "1"})],
    ids=["no-verify", "skip"],
)
def test_both_bypasses_let_a_slow_branch_pass(
    hooked: Project, options: list[str], environ: dict[str, str]
) -> None:
    """What the refusal names works, and asks nothing more."""
    head = topic(hooked, "slow", SLOW)

    pushed = push(hooked, *options, "origin", "slow", **environ)

    assert pushed == Pushed(0, "")
    assert on_remote(hooked, "refs/heads/slow") == head


def test_skip_set_to_zero_skips_nothing(hooked: Project) -> None:
    """`GITBENCH_SKIP=0` is no bypass."""
    topic(hooked, "slow", SLOW)

    assert push(hooked, "origin", "slow", GITBENCH_SKIP="0").code == 1


def test_a_mended_branch_passes_without_a_word(hooked: Project) -> None:
    """After a commit that makes it fast again, the branch that was refused passes."""
    topic(hooked, "branch", SLOW)
    assert push(hooked, "origin", "branch").code == 1
    head = hooked.commit("mend it")
    sessions(hooked, STEADY, 2)

    assert push(hooked, "origin", "branch") == Pushed(0, "")
    assert on_remote(hooked, "refs/heads/branch") == head


def test_warn_tells_and_lets_pass(hooked: Project) -> None:
    """With policy warn the same is said, and the push goes on."""
    topic(hooked, "slow", None)
    policy(hooked, "warn")
    sessions(hooked, SLOW, 2)

    pushed = push(hooked, "origin", "slow")

    assert pushed.code == 0
    assert "regressed  sort  duration" in pushed.said
    assert 'goes on, since the policy is "warn"' in pushed.said
    assert "--no-verify" not in pushed.said
    assert on_remote(hooked, "refs/heads/slow") == hooked.head()


def test_warn_is_the_default(project: Project) -> None:
    """Without any configuration a slow branch passes with a warning."""
    project.gitbench("hook", "install")
    topic(project, "slow", SLOW)

    pushed = push(project, "origin", "slow")

    assert (pushed.code, "1 regressed" in pushed.said) == (0, True)


def test_off_says_nothing(hooked: Project) -> None:
    """With policy off a slow branch passes without a word."""
    topic(hooked, "slow", None)
    policy(hooked, "off")
    sessions(hooked, SLOW, 2)

    assert push(hooked, "origin", "slow") == Pushed(0, "")


def test_the_command_line_overrides_the_policy(hooked: Project) -> None:
    """`--policy` wins over the configuration, both ways."""
    line = f"refs/heads/slow {topic(hooked, 'slow', SLOW)} refs/heads/slow {ZERO}\n"

    def run(word: str, code: int) -> str:
        done = hooked.gitbench(
            "hook", "run", "--policy", word, code=code, stdin=line.encode()
        )
        assert done.out == ""
        return done.err

    assert "refused" in run("block", 1)
    assert "goes on" in run("warn", 0)
    assert run("off", 0) == ""


def test_a_warning_level_is_told_and_refuses_nothing(hooked: Project) -> None:
    """A change beyond a rule's `warn`, short of its threshold, passes with a line."""
    topic(hooked, "slower", None)
    (hooked.path / "gitbench.toml").write_text(
        '[hook]\npolicy = "block"\n[[rule]]\nwarn = "5%"\nthreshold = "50%"\n'
    )
    hooked.git("commit", "--quiet", "-am", "be patient")
    sessions(hooked, SLOW, 2)

    pushed = push(hooked, "origin", "slower")

    assert pushed.code == 0
    assert "1 beyond the warning level" in pushed.said
    assert "warning  sort  duration" in pushed.said
    assert "refused" not in pushed.said


# ---------------------------------------------------------------------- the settings


def test_the_settings_of_the_pushed_commit_decide(hooked: Project) -> None:
    """An accepted change counts once it is committed, not while it is being edited."""
    topic(hooked, "slow", SLOW)
    settings = hooked.path / "gitbench.toml"
    settings.write_text(
        settings.read_text() + '[[accept]]\nbenchmark = "sort"\nmetric = "duration"\n'
        'threshold = "40%"\nreason = "stable now"\n'
    )
    assert push(hooked, "origin", "slow").code == 1
    hooked.git("commit", "--quiet", "-am", "accept it")
    sessions(hooked, SLOW, 2)

    assert push(hooked, "origin", "slow") == Pushed(0, "")


def test_settings_that_are_not_committed_hold_where_the_commit_has_none(
    project: Project,
) -> None:
    """Who keeps the settings out of the repository has a gate all the same."""
    project.gitbench("hook", "install")
    topic(project, "slow", SLOW)
    (project.path / "gitbench.toml").write_text('[hook]\npolicy = "block"\n')

    assert push(project, "origin", "slow").code == 1


def test_another_branch_than_the_one_checked_out_is_judged(hooked: Project) -> None:
    """What counts is the pushed commit, by its id, and its settings."""
    topic(hooked, "slow", SLOW)
    hooked.git("checkout", "--quiet", "main")

    assert push(hooked, "origin", "slow").code == 1


def test_a_configured_baseline_is_used(hooked: Project) -> None:
    """A named baseline in the settings is what every branch is compared with."""
    topic(hooked, "slow", None)
    (hooked.path / "gitbench.toml").write_text(
        'baseline = "baseline:release"\n[hook]\npolicy = "block"\n'
    )
    hooked.git("commit", "--quiet", "-am", "compare with the release")
    sessions(hooked, SLOW, 2)
    hooked.gitbench("baseline", "save", "release", "main")

    pushed = push(hooked, "origin", "slow")

    assert pushed.code == 1
    assert "the commit saved as baseline:release" in pushed.said


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: (p.path / "gitbench.toml").write_text("treshold = 1\n"),
        lambda p: p.git("update-ref", "refs/notes/gitbench", "HEAD^{tree}"),
    ],
    ids=["settings", "notes"],
)
def test_trouble_of_our_own_refuses_nothing(hooked: Project, spoil: object) -> None:
    """A broken file of settings and a broken ref of notes are told, and the push goes
    on."""
    topic(hooked, "slow", SLOW)
    spoil(hooked)  # type: ignore[operator]

    pushed = push(hooked, "origin", "slow")

    assert pushed.code == 0
    lines = pushed.said.splitlines()
    assert all(line.startswith("gitbench: warning: ") for line in lines)
    assert "not checked" in pushed.said or "not compared" in pushed.said


def test_a_shallow_clone_is_told(hooked: Project, tmp_path: Path) -> None:
    """Where history ends before any baseline, one line says how to get more."""
    hooked.commit("not measured")
    push(hooked, "--no-verify", "origin", "main")
    hooked.gitbench("push")
    url = f"file://{hooked.git('remote', 'get-url', 'origin')}"
    clone = Project.clone(url, tmp_path / "shallow", "--depth=1")
    clone.gitbench("fetch")
    clone.gitbench("hook", "install")
    topic(clone, "slow", SLOW)

    pushed = push(clone, "origin", "slow")

    assert (pushed.code, pushed.said.count("\n")) == (0, 1)
    assert "slow was not compared: This clone is shallow" in pushed.said


# --------------------------------------------------------------------- missing data


@pytest.mark.parametrize("word", ["warn", "block"])
def test_a_branch_without_results_gets_one_line(hooked: Project, word: str) -> None:
    """Where others are measured, a pushed commit that is not is told, and passes."""
    topic(hooked, "unmeasured", None)
    if word != "block":
        policy(hooked, word)

    pushed = push(hooked, "origin", "unmeasured")

    assert pushed.code == 0
    assert pushed.said.count("\n") == 1
    assert f"unmeasured ({hooked.head()[:8]}) was not compared" in pushed.said
    assert "gitbench record" in pushed.said


def test_many_branches_without_results_get_one_line(hooked: Project) -> None:
    """`git push` of a dozen unmeasured branches is not a dozen lines."""
    names = [f"branch-{number}" for number in range(12)]
    for name in names:
        topic(hooked, name, None)

    pushed = push(hooked, "origin", *names)

    assert pushed.code == 0
    assert pushed.said.count("\n") == 1
    assert "and 9 more were not compared" in pushed.said


def test_where_nobody_measures_there_is_silence(origin: Path, tmp_path: Path) -> None:
    """A project without a single note hears nothing of the hook."""
    clone = Project.clone(origin, tmp_path / "clone")
    clone.gitbench("hook", "install")
    clone.commit("second")
    (clone.path / "pyproject.toml").write_text("[project]\n")

    assert push(clone, "origin", "main") == Pushed(0, "")
    (clone.path / "pyproject.toml").unlink()
    clone.commit("third")
    assert push(clone, "origin", "main") == Pushed(0, "")


def test_a_gate_that_cannot_work_says_so(origin: Path, tmp_path: Path) -> None:
    """With policy block, a clone without any notes is told that it has no gate."""
    clone = Project.clone(origin, tmp_path / "clone")
    clone.gitbench("hook", "install")
    policy(clone, "block")

    pushed = push(clone, "origin", "main")

    assert pushed.code == 0
    assert pushed.said.count("\n") == 1
    assert "gitbench fetch" in pushed.said


def test_no_baseline_gets_one_line(hooked: Project) -> None:
    """Results of a suite that main never ran are not compared, which is told."""
    topic(hooked, "other", None)
    hooked.record(STEADY, suite="nightly")

    pushed = push(hooked, "origin", "other")

    assert pushed.code == 0
    assert pushed.said.count("\n") == 1
    assert "No results of suite 'nightly'" in pushed.said


def test_an_amended_message_keeps_its_results(hooked: Project) -> None:
    """The commit that was measured is gone, but its tree is the one pushed."""
    topic(hooked, "slow", SLOW)
    hooked.git("commit", "--quiet", "--amend", "-m", "better words")

    assert push(hooked, "origin", "slow").code == 1


# ------------------------------------------------------------- what passes through


def test_what_brings_no_branch_passes_without_a_word(hooked: Project) -> None:
    """Tags of a slow commit, notes, a deletion, and nothing new at all."""
    topic(hooked, "slow", SLOW)
    push(hooked, "--no-verify", "origin", "slow")
    hooked.git("tag", "light")
    hooked.git("tag", "-a", "-m", "annotated", "heavy")

    for what in (
        ["light", "heavy"],
        ["refs/notes/gitbench"],
        ["slow"],
        ["--delete", "slow"],
    ):
        assert push(hooked, "origin", *what) == Pushed(0, ""), what
    assert on_remote(hooked, "refs/tags/heavy") != ""
    assert on_remote(hooked, "refs/notes/gitbench") == hooked.head(
        "refs/notes/gitbench"
    )
    assert on_remote(hooked, "refs/heads/slow") == ""


def test_empty_input_passes_without_a_word(hooked: Project) -> None:
    """Nothing to push: git runs the hook with empty input."""
    result = hooked.gitbench("hook", "run", "--remote", "origin")

    assert (result.out, result.err) == ("", "")


def test_a_nested_push_passes_through(hooked: Project) -> None:
    """A hook that shares the results by `gitbench push` re-enters no hook, and neither
    does a push in whose environment the guard is set."""
    kept = hooked.path / ".git" / "hooks" / hooks.KEPT
    log = hooked.path.parent / "entered"
    kept.write_text(f"#!/bin/sh\necho in >>{log}\ngitbench push >/dev/null\n")
    kept.chmod(0o755)
    topic(hooked, "fine", STEADY)

    assert push(hooked, "origin", "fine") == Pushed(0, "")
    assert log.read_text() == "in\n"
    assert on_remote(hooked, "refs/notes/gitbench") == hooked.head(
        "refs/notes/gitbench"
    )
    assert hooks.GUARD == sync.GUARD
    topic(hooked, "slow", SLOW)
    assert push(hooked, "origin", "slow", **{sync.GUARD: "1"}) == Pushed(0, "")


def test_a_terminal_is_never_waited_for(hooked: Project) -> None:
    """Run by hand in a terminal, the hook ends at once, whatever is not typed."""
    outer, inner = pty.openpty()
    try:
        for command in ([str(BIN / "gitbench"), "hook", "run"], [str(SHIPPED)]):
            done = subprocess.run(
                command,
                cwd=hooked.path,
                env={**os.environ, "PATH": PATH},
                stdin=inner,
                capture_output=True,
                timeout=60,
                check=False,
            )
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    finally:
        os.close(outer)
        os.close(inner)


def test_a_silent_pipe_is_not_waited_for_for_ever(
    hooked: Project, silent_pipe: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook manager that hands over an open pipe gets a line, and the push goes on."""
    monkeypatch.setattr(cli_hook, "PATIENCE_S", 0.05)
    with os.fdopen(silent_pipe) as stdin:
        monkeypatch.chdir(hooked.path)
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(hooks.HookError, match="Nobody wrote to standard input"):
            cli_hook._input()


def test_input_that_is_none_of_git_s_is_told(hooked: Project) -> None:
    """Garbage on standard input is one line, and refuses nothing."""
    for text in (b"hello\n", b"a b c d\n", b"\xff\xfe x y z\n"):
        result = hooked.gitbench("hook", "run", stdin=text)
        assert result.err.count("\n") == 1
        assert "Line 1 of standard input" in result.err


# ------------------------------------------------------------ which refs, which base


def test_every_branch_of_a_push_is_checked(hooked: Project) -> None:
    """One slow branch of two refuses the push, and only the slow one is named."""
    topic(hooked, "fine", STEADY)
    topic(hooked, "slow", SLOW)

    pushed = push(hooked, "origin", "fine", "slow")

    assert pushed.code == 1
    assert "slow (" in pushed.said
    assert "fine (" not in pushed.said
    assert on_remote(hooked, "refs/heads/fine") == ""


def test_one_commit_on_two_branches_is_told_once(hooked: Project) -> None:
    """The same comparison is neither made nor told twice."""
    topic(hooked, "slow", SLOW)

    pushed = push(hooked, "origin", "slow", "slow:twin")

    assert (pushed.code, pushed.said.count("1 regressed")) == (1, 1)


@pytest.mark.parametrize("source", ["HEAD", "HEAD^{/work on slow}", "slow~0"])
def test_any_revision_can_be_pushed(hooked: Project, source: str) -> None:
    """From a detached HEAD, and by a revision with blanks in it."""
    topic(hooked, "slow", SLOW)
    hooked.git("checkout", "--quiet", "--detach")

    pushed = push(hooked, "origin", f"{source}:refs/heads/elsewhere")

    assert pushed.code == 1
    assert "elsewhere (" in pushed.said


def test_a_push_to_main_is_compared_with_what_the_remote_has(hooked: Project) -> None:
    """Two commits leave together: the slow one is not hidden by the one after it."""
    theirs = hooked.head()
    for subject in ("slow it down", "and go on"):
        hooked.commit(subject)
        sessions(hooked, SLOW, 2)

    pushed = push(hooked, "origin", "main")

    assert pushed.code == 1
    assert f"compared with {theirs[:8]}, what origin has" in pushed.said
    assert f"gitbench compare {theirs[:12]} {hooked.head()[:12]}" in pushed.said


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_a_push_by_url_knows_its_remote(hooked: Project, known: bool) -> None:
    """Git moves no tracking branch of a remote that is given by its URL, so what the
    remote has is known from git's own words alone."""
    url = hooked.git("remote", "get-url", "origin")
    hooked.commit("faster")
    sessions(hooked, {name: [x / 2 for x in some] for name, some in STEADY.items()}, 4)
    assert push(hooked, url, "main") == Pushed(0, "")
    theirs = hooked.head()
    hooked.commit("as before")
    sessions(hooked, STEADY, 2)
    if not known:
        hooked.git("remote", "remove", "origin")

    pushed = push(hooked, url, "main")

    assert pushed.code == 1
    assert f"compared with {theirs[:8]}" in pushed.said


def test_a_rewritten_main_is_held_against_what_it_replaces(hooked: Project) -> None:
    """A forced push drops the commit that made it fast: that is a regression."""
    hooked.commit("faster")
    sessions(hooked, {name: [x / 2 for x in some] for name, some in STEADY.items()}, 4)
    assert push(hooked, "origin", "main") == Pushed(0, "")
    theirs = hooked.head()
    hooked.git("reset", "--quiet", "--hard", "HEAD~1")
    hooked.commit("another way")
    sessions(hooked, STEADY, 2)

    pushed = push(hooked, "--force", "origin", "main")

    assert pushed.code == 1
    assert f"compared with {theirs[:8]}" in pushed.said


def test_a_branch_that_brings_nothing_passes_without_a_word(hooked: Project) -> None:
    """A release branch at a slow commit of main, and main set back: all of it is on
    the remote already."""
    hooked.commit("slow it down")
    sessions(hooked, SLOW, 2)
    assert push(hooked, "--no-verify", "origin", "main") == Pushed(0, "")

    assert push(hooked, "origin", "main:release") == Pushed(0, "")
    assert push(hooked, "--force", "origin", "main~1:main") == Pushed(0, "")


def test_the_first_push_of_a_project_is_compared(tmp_path: Path) -> None:
    """Without anything on the remote, head is compared with its first parents."""
    Project.init(tmp_path / "empty.git", "--bare")
    made = Project.init(tmp_path / "made")
    made.git("remote", "add", "origin", str(tmp_path / "empty.git"))
    made.commit("first")
    policy(made, "block")
    sessions(made, STEADY, 4)
    made.commit("second")
    sessions(made, SLOW, 2)
    made.gitbench("hook", "install")

    pushed = push(made, "origin", "main")

    assert pushed.code == 1
    assert "head's first parent" in pushed.said


def test_a_branch_without_a_main_is_compared_with_itself(tmp_path: Path) -> None:
    """Where there is no default branch, what the remote has of the branch serves; with
    nothing there either, one line says what to set."""
    Project.init(tmp_path / "empty.git", "--bare")
    made = Project.init(tmp_path / "made", "--initial-branch=trunk")
    made.git("remote", "add", "origin", str(tmp_path / "empty.git"))
    made.commit("first")
    policy(made, "block")
    sessions(made, STEADY, 4)
    made.gitbench("hook", "install")
    first = push(made, "origin", "trunk")
    theirs = made.head()
    made.commit("second")
    sessions(made, SLOW, 2)

    assert first.code == 0
    assert 'set baseline = "BRANCH"' in first.said
    pushed = push(made, "origin", "trunk")
    assert pushed.code == 1
    assert f"compared with {theirs[:8]}" in pushed.said


# -------------------------------------------------------------- where the hook lives


def test_a_linked_work_tree_shares_the_hook(hooked: Project, tmp_path: Path) -> None:
    """Installed from a linked work tree, the hook is in the one folder of both, and
    works from there, where git exports GIT_DIR."""
    hooked.gitbench("hook", "uninstall")
    topic(hooked, "slow", SLOW)
    hooked.git("checkout", "--quiet", "main")
    linked = tmp_path / "linked"
    hooked.git("worktree", "add", "--quiet", str(linked), "slow")

    result = hooked.gitbench("hook", "install", cwd=linked)

    assert str(hooked.path / ".git" / "hooks" / "pre-push") in result.out
    assert push(hooked, "origin", "slow", cwd=linked).code == 1
    hooked.gitbench("hook", "uninstall", cwd=linked)
    assert push(hooked, "origin", "slow", cwd=linked) == Pushed(0, "")


@pytest.mark.parametrize("absolute", [True, False], ids=["absolute", "relative"])
def test_the_hooks_folder_of_the_settings_is_used(
    hooked: Project, tmp_path: Path, absolute: bool
) -> None:
    """With core.hooksPath the hook goes where git looks for it, which is told."""
    hooked.gitbench("hook", "uninstall")
    folder = tmp_path / "shared hooks" if absolute else hooked.path / "tools/hooks"
    hooked.git("config", "core.hooksPath", str(folder) if absolute else "tools/hooks")
    (hooked.path / "sub").mkdir()

    result = hooked.gitbench("hook", "install", cwd=hooked.path / "sub")

    assert str(folder / "pre-push") in result.out
    assert "core.hooksPath" in result.out
    assert not (hooked.path / ".git" / "hooks" / "pre-push").exists()
    topic(hooked, "slow", SLOW)
    assert push(hooked, "origin", "slow").code == 1


def test_a_bare_repository_can_have_the_hook(origin: Path, tmp_path: Path) -> None:
    """A mirror that pushes on is a repository like any other."""
    bare = Project(origin)
    target = tmp_path / "target.git"
    Project.init(target, "--bare")

    bare.gitbench("hook", "install")

    assert (origin / "hooks" / "pre-push").exists()
    assert push(bare, str(target), "main") == Pushed(0, "")


def test_hooks_that_are_turned_off_are_told(hooked: Project) -> None:
    """A hooks folder that can be none is one sentence, not a traceback."""
    hooked.git("config", "core.hooksPath", "/dev/null")

    result = hooked.gitbench("hook", "install", code=4)

    assert "/dev/null" in result.err


# ----------------------------------------------------------- beside another hook

KEPT_HOOK = """#!/bin/sh
printf '%s|' "$@" >"$LOG.arguments"
cat >"$LOG.input"
echo "the other hook speaks" >&2
exit ${ANSWER:-0}
"""


@pytest.fixture
def log(hooked: Project, tmp_path: Path) -> Path:
    """The project with a hook of its own from before, which logs what it is given."""
    hooked.gitbench("hook", "uninstall")
    own = hooked.path / ".git" / "hooks" / "pre-push"
    own.write_text(KEPT_HOOK)
    own.chmod(0o750)
    hooked.gitbench("hook", "install")
    return tmp_path / "log"


def test_the_hook_that_was_there_runs_first(hooked: Project, log: Path) -> None:
    """It gets the arguments and the input that git gave, byte for byte."""
    head = topic(hooked, "slow", SLOW)
    url = hooked.git("remote", "get-url", "origin")

    pushed = push(hooked, "origin", "slow", LOG=str(log))

    assert pushed.code == 1
    assert pushed.said.index("the other hook") < pushed.said.index("1 regressed")
    assert log.with_suffix(".arguments").read_text() == f"origin|{url}|"
    assert (
        log.with_suffix(".input").read_text()
        == f"refs/heads/slow {head} refs/heads/slow {ZERO}\n"
    )


def test_a_refusal_of_the_hook_that_was_there_holds(hooked: Project, log: Path) -> None:
    """Its exit code ends the push before gitbench has a word."""
    topic(hooked, "slow", SLOW)

    pushed = push(hooked, "origin", "slow", LOG=str(log), ANSWER="7")

    assert pushed.code == 1
    assert "the other hook speaks" in pushed.said
    assert "gitbench" not in pushed.said


def test_both_hooks_agree(hooked: Project, log: Path) -> None:
    """A branch that neither minds is pushed."""
    head = topic(hooked, "fine", STEADY)

    pushed = push(hooked, "origin", "fine", LOG=str(log))

    assert pushed == Pushed(0, "the other hook speaks\n")
    assert on_remote(hooked, "refs/heads/fine") == head


SHELLS = [shell for shell in ("sh", "dash", "bash", "busybox") if shutil.which(shell)]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("size", [0, 1, 2000], ids=lambda n: f"{n} lines")
def test_both_hooks_get_the_whole_input(tmp_path: Path, shell: str, size: int) -> None:
    """Empty input stays empty, and what no pipe can hold at once arrives whole; names
    of refs that a shell would act on are only text; a hook that reads nothing does no
    harm."""
    line = "refs/heads/a$(id)`id`\\n%s " + "1" * 40 + " refs/heads/x " + ZERO + "\n"
    text = (line * size).encode()
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    hook, kept = folder / "pre-push", folder / hooks.KEPT
    hook.write_bytes(SHIPPED.read_bytes())
    kept.write_text('#!/bin/sh\ncat >"$0.log"\n')
    program = folder / "gitbench"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@" >"$0.args"; cat >"$0.log"\n')
    for path in (kept, program):
        path.chmod(0o755)
    environ = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    command = [shell, "sh"] if shell == "busybox" else [shell]

    for reads in (True, False):
        if not reads:
            kept.write_text("#!/bin/sh\nexit 0\n")
        done = subprocess.run(
            [*command, str(hook), "origin", "a url"],
            input=text,
            env=environ,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        got = (folder / "gitbench.log").read_bytes()
        assert [x for x in got.splitlines() if x] == text.splitlines()
    assert (folder / f"{hooks.KEPT}.log").read_bytes() == text
    assert (folder / "gitbench.args").read_text() == (
        "hook|run|--remote|origin|--url|a url|"
    )


@pytest.mark.parametrize(
    ("ends_with", "code"), [(0, 0), (1, 1), (2, 0), (4, 0), (70, 0), (127, 0)]
)
def test_only_a_failed_gate_refuses(tmp_path: Path, ends_with: int, code: int) -> None:
    """An installation that is broken, in whatever way, does not stop the work."""
    program = tmp_path / "gitbench"
    program.write_text(f"#!/bin/sh\nexit {ends_with}\n")
    program.chmod(0o755)

    done = subprocess.run(
        [str(SHIPPED), "origin", "url"],
        input=b"",
        env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        check=False,
    )

    assert done.returncode == code


# --------------------------------------------------------------- install, uninstall


def test_uninstall_restores_what_was_there(project: Project) -> None:
    """Bytes, mode, time and inode: it is the same file."""
    hook = project.path / ".git" / "hooks" / "pre-push"
    hook.write_bytes(b"#!/bin/sh\r\n\xff no newline at the end")
    hook.chmod(0o711)
    os.utime(hook, ns=(1, 2))
    before = hook.stat()

    project.gitbench("hook", "install")
    assert hook.read_bytes().startswith(hooks.MARK)
    result = project.gitbench("hook", "uninstall")

    assert "is back" in result.out
    assert hook.read_bytes() == b"#!/bin/sh\r\n\xff no newline at the end"
    assert hook.stat().st_mode == before.st_mode
    assert hook.stat().st_mtime_ns == 2
    assert hook.stat().st_ino == before.st_ino
    assert sorted(path.name for path in hook.parent.iterdir()) == sorted(
        {path.name for path in hook.parent.iterdir() if path.suffix == ".sample"}
        | {"pre-push"}
    )


def test_a_hook_that_is_a_link_stays_one(project: Project) -> None:
    """A link to a hook in the work tree is chained and restored as a link."""
    (project.path / "check").write_text("#!/bin/sh\necho checked >&2\n")
    (project.path / "check").chmod(0o755)
    hook = project.path / ".git" / "hooks" / "pre-push"
    hook.symlink_to("../../check")
    project.gitbench("hook", "install")
    project.commit("second")

    assert "checked\n" in push(project, "origin", "main").said
    project.gitbench("hook", "uninstall")
    assert str(hook.readlink()) == "../../check"


def test_a_second_install_changes_nothing(project: Project) -> None:
    """What is installed stays the same file, and nothing is chained to itself."""
    hook = project.path / ".git" / "hooks" / "pre-push"
    project.gitbench("hook", "install")
    before = (hook.stat().st_ino, hook.stat().st_mtime_ns)

    result = project.gitbench("hook", "install")

    assert "already" in result.out
    assert (hook.stat().st_ino, hook.stat().st_mtime_ns) == before
    assert not (hook.parent / hooks.KEPT).exists()
    assert os.access(hook, os.X_OK)


def test_install_renews_a_hook_of_another_version(project: Project) -> None:
    """A hook of ours that differs is replaced, and the one it keeps stays kept."""
    hook = project.path / ".git" / "hooks" / "pre-push"
    hook.write_bytes(hooks.MARK + b" an earlier version\n")
    (hook.parent / hooks.KEPT).write_text("#!/bin/sh\n")

    project.gitbench("hook", "install")

    assert hook.read_bytes() == hooks.script(str(BIN / "gitbench"))
    assert (hook.parent / hooks.KEPT).read_text() == "#!/bin/sh\n"


def test_two_foreign_hooks_are_left_alone(project: Project) -> None:
    """Nothing is overwritten where another hook came to stand beside a kept one."""
    folder = project.path / ".git" / "hooks"
    (folder / "pre-push").write_text("#!/bin/sh\n# one\n")
    (folder / hooks.KEPT).write_text("#!/bin/sh\n# two\n")

    result = project.gitbench("hook", "install", code=4)

    assert hooks.KEPT in result.err
    assert (folder / "pre-push").read_text() == "#!/bin/sh\n# one\n"
    assert (folder / hooks.KEPT).read_text() == "#!/bin/sh\n# two\n"


def test_uninstall_leaves_a_foreign_hook_alone(project: Project) -> None:
    """A hook that is not ours is neither removed nor replaced."""
    hook = project.path / ".git" / "hooks" / "pre-push"
    hook.write_text("#!/bin/sh\ngitbench hook run\n")

    result = project.gitbench("hook", "uninstall", code=4)

    assert str(hook) in result.err
    assert hook.read_text() == "#!/bin/sh\ngitbench hook run\n"


def test_uninstall_of_nothing_is_no_error(project: Project) -> None:
    """A second uninstall says that there is nothing to remove."""
    project.gitbench("hook", "install")
    project.gitbench("hook", "uninstall")

    assert "No hook" in project.gitbench("hook", "uninstall").out


def test_a_folder_in_the_place_of_the_hook_is_an_error(project: Project) -> None:
    """What cannot be a hook is one sentence."""
    (project.path / ".git" / "hooks" / "pre-push").mkdir()

    for command in ("install", "uninstall"):
        assert "pre-push" in project.gitbench("hook", command, code=4).err


@pytest.mark.parametrize(
    ("folder", "content", "advice"),
    [
        (".husky/_", None, ".husky/pre-push"),
        (".hooks", '#!/bin/sh\nif [ "$LEFTHOOK_VERBOSE" = 1 ]; then :; fi\n', "stdin"),
    ],
    ids=["husky", "lefthook"],
)
def test_a_folder_that_a_manager_writes_is_left_to_it(
    project: Project, folder: str, content: str | None, advice: str
) -> None:
    """Where our file would be overwritten, install says what to write where."""
    place = project.path / folder
    place.mkdir(parents=True)
    project.git("config", "core.hooksPath", folder)
    if content:
        (place / "pre-push").write_text(content)

    result = project.gitbench("hook", "install", code=4)

    assert advice in result.err
    assert "gitbench hook run --remote" in result.err
    assert not (place / hooks.KEPT).exists()


def test_the_hook_finds_the_gitbench_that_installed_it(hooked: Project) -> None:
    """Without gitbench on the PATH, as in a graphical client, the recorded one runs;
    if that is gone as well, one line says so and the push goes on."""
    topic(hooked, "slow", SLOW)
    bare = os.defpath
    if shutil.which("gitbench", path=bare) or not shutil.which("git", path=bare):
        pytest.skip("gitbench is, or git is not, in the system's own folders")

    refused = push(hooked, "origin", "slow", PATH=bare)
    hook = hooked.path / ".git" / "hooks" / "pre-push"
    hook.write_bytes(hooks.script("/nowhere/gitbench"))
    lost = push(hooked, "origin", "slow", PATH=bare)

    assert (refused.code, "1 regressed" in refused.said) == (1, True)
    assert lost == Pushed(0, "gitbench: not found; nothing was compared\n")


def test_the_path_of_an_environment_is_quoted(tmp_path: Path) -> None:
    """Blanks, quotes and signs that a shell acts on in a path do no harm."""
    folder = tmp_path / "a 'b' $(touch x) `touch y` \"c\" \\n"
    folder.mkdir()
    program = folder / "gitbench"
    program.write_text("#!/bin/sh\necho ran\n")
    program.chmod(0o755)
    hook = tmp_path / "pre-push"
    hook.write_bytes(hooks.script(str(program)))
    hook.chmod(0o755)

    done = subprocess.run(
        [str(hook), "origin", "url"],
        cwd=tmp_path,
        input="",
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "ran\n", "")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [folder.name, hook.name]
    )
    assert shlex.quote(str(program)).encode() in hook.read_bytes()


# ------------------------------------------------------------------- what it prints


def test_names_cannot_steer_a_terminal_or_a_log(hooked: Project) -> None:
    """A hostile benchmark and branch come out as harmless text on lines of ours."""
    name = "x\x1b[2J\n::error::boo ##[error] \u202e" + "y" * 400
    sessions(hooked, {name: [0.1]}, 4)
    hooked.git("checkout", "--quiet", "-b", "##a\u202eb", "main")
    hooked.commit("slow")
    sessions(hooked, {name: [0.2]}, 2)

    pushed = push(hooked, "origin", "HEAD")

    assert pushed.code == 1
    assert "regressed" in pushed.said
    said = [line for line in pushed.said.splitlines() if not line.startswith("error:")]
    text = "\n".join(said)
    assert not any(sign in text for sign in ("\x1b", "\u202e", "##["))
    assert not any(line.lstrip().startswith("::") for line in said)
    assert all(len(line) < 400 for line in said)


def test_many_regressions_are_told_in_a_few_lines(hooked: Project) -> None:
    """Ten rows are shown, the others are counted."""
    names = [f"bench-{number:02}" for number in range(40)]
    sessions(hooked, {name: [0.1] for name in names}, 4)
    topic(hooked, "slow", {n: [0.1 + 0.1 * (i < 14)] for i, n in enumerate(names)})

    pushed = push(hooked, "origin", "slow")

    assert "14 regressed" in pushed.said
    assert "and 4 more" in pushed.said
    assert len(pushed.said.splitlines()) < 20


def test_a_suite_that_slows_down_as_a_whole_is_told(hooked: Project) -> None:
    """Where no single benchmark stands out, the suite itself is named."""
    names = [f"bench-{number:02}" for number in range(12)]
    sessions(hooked, {name: [0.1] for name in names}, 4)
    topic(hooked, "slow", {name: [0.13] for name in names})

    pushed = push(hooked, "origin", "slow")

    assert pushed.code == 1
    assert "1 suite regressed as a whole" in pushed.said
    assert "all of suite unit  duration" in pushed.said


def test_results_of_two_machines_are_told_apart(hooked: Project) -> None:
    """Where there are several suites or testbeds, each row says which it is of."""
    laptop = {"name": "laptop", "facts": {"cpu": "Another CPU"}}
    for _ in range(4):
        hooked.record(STEADY, testbed=laptop)
    topic(hooked, "slow", STEADY)
    for _ in range(2):
        hooked.record(SLOW, testbed=laptop)

    pushed = push(hooked, "origin", "slow")

    assert pushed.code == 1
    assert "1 regressed" in pushed.said
    assert "limit +5.0 %  unit on laptop" in pushed.said


@pytest.mark.parametrize(
    ("case", "unwanted"),
    [
        ("no-branch", {"pygit2", "msgpack", "numpy", "jinja2"}),
        ("no-results", {"numpy", "jinja2", "scipy", "statsmodels"}),
        ("fine", {"jinja2", "scipy", "statsmodels", "pandas"}),
        ("slow", {"jinja2", "scipy", "statsmodels", "pandas"}),
    ],
)
def test_a_push_waits_for_no_library_in_vain(
    hooked: Project, case: str, unwanted: set[str]
) -> None:
    """Each push loads what it needs: no statistics without results, templates never."""
    values = {"fine": STEADY, "slow": SLOW}.get(case)
    head = topic(hooked, "branch", values)
    ref = "refs/tags/v1" if case == "no-branch" else "refs/heads/branch"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "gitbench", "hook", "run"],
        cwd=hooked.path,
        input=f"{ref} {head} {ref} {ZERO}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    loaded = {
        line.rpartition("|")[2].strip().split(".")[0]
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }

    assert done.returncode == (case == "slow")
    assert "click" in loaded
    assert loaded & unwanted == set()


# -------------------------------------------------------------- git's own words


def test_git_s_lines_are_understood() -> None:
    """Blanks in a revision, ids of either length, deletions and carriage returns."""
    long, id_ = "b" * 64, "a" * 40
    text = (
        f"HEAD@{{2 days ago}} {id_} refs/heads/x {ZERO}\r\n"
        f"\n(delete) {ZERO} refs/heads/y {id_}\n"
        f"(delete) {'0' * 64} refs/heads/z {long}\n"
        f"refs/heads/a\u00a0b {long} refs/heads/a\u00a0b {'0' * 64}"
    )

    one, two = hooks.parse_updates(text)

    assert one == hooks.Update("HEAD@{2 days ago}", id_, "refs/heads/x", None)
    assert two.remote_ref == "refs/heads/a\u00a0b"
    assert (two.local, two.remote, two.branch) == (long, None, "a\u00a0b")


def test_only_branches_are_compared() -> None:
    """Tags, notes and what is no branch are passed over."""
    refs = ("refs/heads/a", "refs/tags/a", "refs/notes/a", "refs/for/main", "")
    updates = [hooks.Update("HEAD", "a" * 40, ref) for ref in refs]

    assert [one.remote_ref for one in hooks.branches(updates)] == ["refs/heads/a", ""]

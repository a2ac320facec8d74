"""Every kind of repository and machine that git knows: each has its answer."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from gitbench.store.notes import Notes
from gitbench.store.repository import MissingObjectError, Repository
from tests.project import Project, Result

REF = "refs/notes/gitbench"
ROOT = Path(__file__).parents[2]


def outside(
    project: Project,
    *arguments: str,
    prefix: Sequence[str] = (),
    before: Callable[[], None] | None = None,
) -> Result:
    """Run gitbench in a process of its own, under what a test puts around it."""
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "gitbench", *arguments],
        cwd=project.path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=before,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def results(project: Project, *values: float) -> str:
    """A result file beside the project."""
    path = project.path.parent / f"results-{project.runs}.json"
    path.write_text(json.dumps(project.results({"sort": list(values)})))
    project.runs += 1
    return str(path)


def counts(project: Project) -> int:
    """Runs on HEAD, as gitbench shows them."""
    return len(project.gitbench("show", "--json").out.splitlines())


def sound(project: Project) -> None:
    """Git finds nothing wrong."""
    assert "" == project.git("fsck", "--strict", "--no-dangling", "--no-progress")


# ------------------------------------------------------- kinds of repository


def test_a_linked_work_tree_is_one_clone(project: Project, tmp_path: Path) -> None:
    """Results recorded in a linked work tree, in a folder of it, and in the main one
    are together, each on the commit that is checked out there."""
    linked = Project(tmp_path / "linked")
    project.git("worktree", "add", "-q", str(linked.path), "-b", "side")
    linked.commit("on the side")
    inner = linked.path / "inner"
    inner.mkdir()
    linked.gitbench("record", results(project, 0.1), cwd=inner)
    project.gitbench("record", results(project, 0.1, 0.2))

    assert (1, 1) == (counts(linked), counts(project))
    assert linked.head() in project.git("notes", "--ref=gitbench", "list")
    assert (project.path / ".git" / "gitbench").is_dir()
    assert not (project.path / ".git" / "worktrees" / "linked" / "gitbench").exists()
    sound(project)


def test_a_bare_repository_records_and_compares(origin: Path, tmp_path: Path) -> None:
    """Without a work tree results go to HEAD, and the config is HEAD's own."""
    seed = Project.clone(origin, tmp_path / "work")
    (seed.path / "gitbench.toml").write_text('default_suite = "from-head"\n')
    seed.git("add", ".")
    seed.commit("configured")
    seed.git("push", "-q", "origin", "main")
    bare = Project(origin)
    text = bare.results({"sort": 0.1})
    del text["suite"]
    path = tmp_path / "run.json"
    path.write_text(json.dumps(text))
    bare.gitbench("record", str(path))

    assert "from-head" == json.loads(bare.gitbench("show", "--json").out)["suite"]
    assert "no baseline" in bare.gitbench("compare", "main", code=3).out.lower()
    sound(bare)


def test_a_submodule_has_results_of_its_own(
    project: Project, origin: Path, tmp_path: Path
) -> None:
    """Inside a submodule results go to the submodule's commit, outside to the
    project's."""
    project.git("-c", "protocol.file.allow=always", "submodule", "add", str(origin))
    project.git("commit", "-q", "-m", "with a submodule")
    inner = Project(project.path / "origin")
    assert (inner.path / ".git").is_file()
    inner.gitbench("record", results(inner, 0.1))
    project.gitbench("record", results(project, 0.1, 0.2))
    project.gitbench("record", results(project, 0.3, 0.4))

    assert (1, 2) == (counts(inner), counts(project))
    assert 1 == len(inner.git("notes", "--ref=gitbench", "list").splitlines())
    sound(inner)


def test_a_shallow_clone_records_and_pushes(origin: Path, tmp_path: Path) -> None:
    """With history of one commit results are recorded and shared, and the clone stays
    as shallow as it was; a comparison that needs more says how to get it."""
    full = Project.clone(origin, tmp_path / "full")
    full.gitbench("record", results(full, 0.1))
    full.gitbench("push")
    for number in range(3):
        full.commit(f"change {number}")
    full.git("push", "-q", "origin", "main")
    shallow = Project.clone(f"file://{origin}", tmp_path / "shallow", "--depth=1")
    shallow.gitbench("record", results(full, 0.1))
    shallow.gitbench("push")

    assert "true" == shallow.git("rev-parse", "--is-shallow-repository")
    assert "1" == shallow.git("rev-list", "--count", "HEAD")
    said = shallow.gitbench("compare", "origin/main", code=4).err
    assert "--deepen" in said
    assert "fetch-depth: 0" in said
    shallow.gitbench("compare", "origin/main", "--deepen", code=None)
    full.gitbench("fetch")
    assert 1 == counts(full)
    sound(shallow)


def partial(origin: Path, path: Path, *options: str) -> Project:
    Project(origin).git("config", "uploadpack.allowFilter", "true")
    Project(origin).git("config", "uploadpack.allowAnySHA1InWant", "true")
    return Project.clone(f"file://{origin}", path, *options)


def absent(project: Project) -> int:
    """Objects that a partial clone was promised and does not have."""
    listed = project.git("rev-list", "--objects", "--all", "--missing=print")
    return sum(line.startswith("?") for line in listed.splitlines())


def filled(origin: Path, path: Path, commits: int) -> Project:
    """A clone that pushed results of several commits."""
    full = Project.clone(origin, path)
    for number in range(commits):
        full.commit(f"change {number}")
        full.gitbench("record", results(full, 0.1, 0.1 + number / 1000))
    full.git("push", "-q", "origin", "main")
    full.gitbench("push")
    return full


@pytest.mark.parametrize("filter_", ["blob:none", "tree:0"])
def test_a_partial_clone_brings_absent_notes_in_one_fetch(
    origin: Path, tmp_path: Path, filter_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notes that a plain `git fetch` left out are fetched when they are needed, those
    of a whole comparison at once, and recording and pushing work."""
    filled(origin, tmp_path / "full", 6)
    clone = partial(origin, tmp_path / "partial", f"--filter={filter_}")
    clone.git("fetch", "-q", "origin", f"{REF}:{REF}")
    lacking = absent(clone)
    assert lacking >= 6
    calls = tmp_path / "calls"
    monkeypatch.setenv("GIT_TRACE", str(calls))

    report = clone.gitbench("compare", "origin/main", "--json", code=None).json

    assert 5 == len(report["groups"][0]["baseline"]["window"])
    if filter_ == "blob:none":
        fetches = [x for x in calls.read_text().splitlines() if "--stdin" in x]
        # One for the config file of a commit, one for all notes.
        assert 1 <= sum("built-in: git fetch" in x for x in fetches) <= 2
    monkeypatch.delenv("GIT_TRACE")
    clone.commit("mine")
    clone.gitbench("record", results(clone, 0.5))
    clone.gitbench("push")
    assert 1 == counts(clone)
    assert 0 <= absent(clone) < lacking


def test_a_partial_clone_without_its_remote_says_so(
    origin: Path, tmp_path: Path
) -> None:
    """What cannot be fetched is one sentence with git's reason, and the remote is
    asked once, not for every note."""
    filled(origin, tmp_path / "full", 3)
    clone = partial(origin, tmp_path / "partial", "--filter=blob:none")
    clone.git("fetch", "-q", "origin", f"{REF}:{REF}")
    origin.rename(tmp_path / "moved")

    said = clone.gitbench("show", code=4).err

    assert 1 == said.count("\n")
    assert "partial clone" in said
    repository = Repository.open(clone.path, os.environ)
    notes = Notes(repository)
    for commit in clone.git("rev-list", "HEAD").split()[:2]:
        with pytest.raises(MissingObjectError, match="partial clone"):
            notes.records(commit)


@pytest.mark.parametrize("option", ["--shared", "--reference"])
def test_objects_of_an_alternate_are_read(
    project: Project, tmp_path: Path, option: str
) -> None:
    """A clone that borrows its objects reads results through its alternate, and
    writes its own."""
    project.gitbench("record", results(project, 0.1))
    options = [option] if option == "--shared" else [option, str(project.path)]
    clone = Project.clone(f"file://{project.path}", tmp_path / "clone", *options)
    if option == "--shared":
        shutil.rmtree(clone.path)
        clone = Project.clone(project.path, tmp_path / "clone", option)
    clone.git("fetch", "-q", "origin", f"{REF}:{REF}")
    assert (clone.path / ".git/objects/info/alternates").is_file()
    clone.gitbench("record", results(project, 0.2))

    assert (2, 1) == (counts(clone), counts(project))
    sound(clone)
    sound(project)


def test_packed_refs_and_objects_are_read_and_moved(project: Project) -> None:
    """After pack-refs, repack and gc results are read and recorded as before."""
    for number in range(3):
        project.gitbench("record", results(project, 0.1 + number))
        project.git("pack-refs", "--all", "--prune")
        project.git("repack", "-a", "-d", "-q")
        assert not (project.path / ".git" / REF).exists()
        assert number + 1 == counts(project)
    project.git("gc", "-q", "--prune=now")
    project.gitbench("record", results(project, 0.9))

    assert 4 == counts(project)
    sound(project)


# ------------------------------------------------------------- permissions


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_of_another_user_is_refused(
    project: Project, hermetic_seal: Path
) -> None:
    """Where git refuses (safe.directory) every command does, in one sentence with the
    way out; when it is allowed, it works."""
    project.gitbench("record", results(project, 0.1))
    for path in (project.path, *project.path.rglob("*")):
        os.chown(path, 12345, 12345)
    for command in (["show"], ["record", results(project, 0.2)], ["push"]):
        said = project.gitbench(*command, code=4).err
        assert 1 == said.count("\n")
        assert "safe.directory" in said
    with (hermetic_seal / ".gitconfig").open("a") as file:
        file.write(f"[safe]\n\tdirectory = {project.path}\n")

    assert 1 == counts(project)
    project.gitbench("record", results(project, 0.3))


def powerless() -> list[str]:
    """A prefix that makes root heed file modes; skips where there is none."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root needs setpriv to heed file modes")
    prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("capabilities cannot be dropped here")
    return prefix


def locked(folder: Path) -> None:
    """Make a folder and all in it read-only."""
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)


def unlocked(folder: Path) -> None:
    """Undo `locked`."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.mark.parametrize("what", ["objects", "refs", ""])
def test_a_read_only_store_is_read_and_refuses_to_write(
    project: Project, what: str
) -> None:
    """With read-only objects, refs, or a read-only git directory, results are shown,
    recording is one sentence and exit 4, and works when it is writable again."""
    prefix = powerless()
    project.gitbench("record", results(project, 0.1))
    tip = project.head(REF)
    folder = project.path / ".git" / what
    locked(folder)
    try:
        shown = outside(project, "show", "--json", prefix=prefix)
        refused = outside(project, "record", results(project, 0.2), prefix=prefix)
    finally:
        unlocked(folder)

    assert (0, 1) == (shown.code, len(shown.out.splitlines())), shown.err
    assert 4 == refused.code, refused.err
    assert 1 == refused.err.count("\n"), refused.err
    assert "nothing was recorded" in refused.err
    assert tip == project.head(REF)
    sound(project)
    project.gitbench("record", results(project, 0.3))
    assert 2 == counts(project)


# -------------------------------------------------------------- full disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    """On a full disk recording is one sentence and exit 4, what was recorded is
    there, git finds nothing wrong, and with room the next record works."""
    project = Project.init(small_disk / "project")
    project.commit("first")
    project.gitbench("record", results(project, 0.1))
    tip = project.head(REF)
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
    # The result file is elsewhere, where there is room.
    path = tmp_path / "run.json"
    path.write_text(json.dumps(project.results({"sort": [0.1] * 50})))
    result = project.gitbench("record", str(path), code=4)

    assert 1 == result.err.count("\n")
    assert "nothing was recorded" in result.err
    assert tip == project.head(REF)
    ballast.unlink()
    sound(project)
    project.gitbench("record", str(path))
    assert 2 == counts(project)
    assert "" == project.git("for-each-ref", "--format=%(refname)", "refs/**/*.lock")
    sound(project)


@pytest.mark.parametrize("bytes_", [0, 30, 200, 4000])
def test_a_write_that_is_cut_short_loses_nothing(project: Project, bytes_: int) -> None:
    """Where files cannot grow beyond a few bytes, at every size recording either works
    or is one sentence; nothing half-written is left in the way."""
    project.gitbench("record", results(project, 0.1))
    values = [0.1 + place / 977 for place in range(3000)]
    path = results(project, *values)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_))

    result = outside(project, "record", path, before=limit)

    assert 4 == result.code, result.err
    assert 1 == result.err.count("\n"), result.err
    assert 1 == counts(project)
    sound(project)
    project.gitbench("record", path)
    assert 2 == counts(project)


# ------------------------------------------------- upper and lower case


def test_names_that_differ_in_case_are_two_where_files_are(
    origin: Path, tmp_path: Path
) -> None:
    """Two refs and two remotes whose names differ only in case are kept apart."""
    clone = Project.clone(origin, tmp_path / "clone")
    other = tmp_path / "other.git"
    Project.init(other, "--bare")
    clone.git("remote", "add", "Origin", str(other))
    clone.gitbench("record", results(clone, 0.1), "--ref", "perf")
    clone.gitbench("record", results(clone, 0.2), "--ref", "Perf")
    clone.gitbench("push", "--ref", "perf")
    clone.gitbench("push", "--ref", "Perf", "--remote", "Origin")

    assert "perf" in Project(origin).git("for-each-ref", "refs/notes")
    assert "Perf" in Project(other).git("for-each-ref", "refs/notes")
    for name in ("perf", "Perf"):
        shown = clone.gitbench("show", "--json", "--ref", name)
        assert 1 == len(shown.out.splitlines())


@pytest.mark.parametrize("packed", [False, True])
def test_names_that_differ_in_case_are_refused_where_files_are_not(
    project: Project, packed: bool
) -> None:
    """Where git says that the file system ignores case, a second ref whose name
    differs only in case would hide the first: it is refused by name."""
    project.gitbench("record", results(project, 0.1), "--ref", "perf")
    if packed:
        project.git("pack-refs", "--all", "--prune")
    project.git("config", "core.ignoreCase", "true")

    said = project.gitbench("record", results(project, 0.2), "--ref", "Perf", code=4)

    assert "refs/notes/perf" in said.err
    project.gitbench("record", results(project, 0.3), "--ref", "perf")
    project.gitbench("record", results(project, 0.4))

"""What the environment of a CI job says: which job, pull request, base branch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gitbench.model import CiContext

MAX_EVENT = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CiJob:
    """The CI job that this process runs in."""

    context: CiContext
    base: str | None = None
    """Name of the branch that a pull request is to be merged into."""
    merge_ref: str | None = None
    """Ref of the test merge that was checked out, if the CI made one."""
    merge_commit: str | None = None
    """Id of that test merge."""
    from_fork: bool = False
    """The pull request comes from a fork: its config is not trusted."""


def detect(environ: Mapping[str, str]) -> CiJob | None:
    """The CI job of this environment, or None outside the ones known."""
    if environ.get("GITHUB_ACTIONS") == "true":
        return _github(environ)
    if environ.get("GITLAB_CI") == "true":
        return _gitlab(environ)
    if environ.get("JENKINS_URL") and environ.get("BUILD_URL"):
        return _jenkins(environ)
    return None


def _github(env: Mapping[str, str]) -> CiJob:
    run = env.get("GITHUB_RUN_ID", "")
    attempt = env.get("GITHUB_RUN_ATTEMPT", "1")
    repository = (
        f"{env.get('GITHUB_SERVER_URL', '')}/{env.get('GITHUB_REPOSITORY', '')}"
    )
    ref = env.get("GITHUB_REF", "")
    number = ref.split("/")[2] if ref.startswith("refs/pull/") else None
    merge = ref if ref.startswith("refs/pull/") and ref.endswith("/merge") else None
    # A matrix job has one name for all its machines; the runner tells them apart.
    job = "/".join(
        (run, attempt, env.get("GITHUB_JOB", ""), env.get("RUNNER_NAME", ""))
    )
    return CiJob(
        CiContext(
            "github",
            f"{repository}/actions/runs/{run}" if run else None,
            f"github:{job}" if run else None,
            number,
        ),
        base=env.get("GITHUB_BASE_REF") or None,
        merge_ref=merge,
        merge_commit=env.get("GITHUB_SHA") if merge else None,
        from_fork=_github_fork(env),
    )


def _github_fork(env: Mapping[str, str]) -> bool:
    """Whether the event's pull request comes from another repository."""
    import json
    from pathlib import Path

    path = env.get("GITHUB_EVENT_PATH")
    if not path or not env.get("GITHUB_BASE_REF"):
        return False
    try:
        with Path(path).open("rb") as file:
            event = json.loads(file.read(MAX_EVENT))
        source = event["pull_request"]["head"]["repo"]
        return source is None or source["full_name"] != env.get("GITHUB_REPOSITORY")
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        # A pull request whose origin cannot be told is treated as foreign.
        return True


def _gitlab(env: Mapping[str, str]) -> CiJob:
    source = env.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
    merged = env.get("CI_MERGE_REQUEST_EVENT_TYPE") in ("merged_result", "merge_train")
    job = env.get("CI_JOB_ID")
    return CiJob(
        CiContext(
            "gitlab",
            env.get("CI_JOB_URL"),
            f"gitlab:{job}" if job else None,
            env.get("CI_MERGE_REQUEST_IID"),
        ),
        base=env.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME")
        or env.get("CI_DEFAULT_BRANCH"),
        merge_commit=env.get("CI_COMMIT_SHA") if merged else None,
        from_fork=bool(source and source != env.get("CI_MERGE_REQUEST_PROJECT_ID")),
    )


def _jenkins(env: Mapping[str, str]) -> CiJob:
    # CHANGE_BRANCH is the branch; the multibranch plugins build a merge of it with
    # CHANGE_TARGET by default, under a name that ends in -merge when both are built.
    change = env.get("CHANGE_ID")
    return CiJob(
        CiContext(
            "jenkins",
            env.get("BUILD_URL"),
            f"jenkins:{env.get('BUILD_TAG', env.get('BUILD_URL'))}",
            change,
        ),
        base=env.get("CHANGE_TARGET"),
        merge_commit=env.get("GIT_COMMIT")
        if change and env.get("BRANCH_NAME", "").endswith("-merge")
        else None,
        from_fork=bool(env.get("CHANGE_FORK")),
    )

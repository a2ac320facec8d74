"""`gitbench compare` and `gitbench diff`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gitbench import baseline as baselines
from gitbench.cli import ci, judging, one_line
from gitbench.cli.files import OutputError, write_whole
from gitbench.cli.workspace import (
    Workspace,
    open_workspace,
    ref_option,
    terminal_width,
    wants_colour,
    writes_unicode,
)
from gitbench.config import Config
from gitbench.errors import GitbenchError
from gitbench.model import CORRECTIONS, METHODS, GroupSides, Settings
from gitbench.report import FORMATS, Options, render
from gitbench.store.notes import Notes

if TYPE_CHECKING:
    from gitbench.model import Report
    from gitbench.store.provenance import Trust
    from gitbench.store.repository import Repository

EPILOG = """\b
Examples:
  gitbench compare                       HEAD with the default branch
  gitbench compare origin/main           ... with where it branched off
  gitbench compare v1.2 HEAD             ... with exactly that commit
  gitbench compare baseline:release      ... with a named baseline
  gitbench compare --fetch origin/main   ... in CI: fetch the results it needs
  gitbench compare --format markdown=report.md --format junit=gitbench.xml
  gitbench compare --json | jq .verdict

Exit codes: 0 fine, 1 the gate failed, 3 nothing could be compared, 4 any other error.
"""

DIFF_EPILOG = """\b
Examples:
  gitbench diff main.json branch.json
  gitbench diff main.txt branch.txt --format markdown
"""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Output:
    """One report to render: its format, and the file or None for stdout."""

    format: str
    path: Path | None


def report_options(function: F) -> F:
    """The options that say how verdicts are made and shown."""
    decorators = [
        click.option(
            "--format",
            "formats",
            multiple=True,
            metavar="FORMAT[=FILE]",
            help=f"{', '.join(FORMATS)}; repeatable, with =FILE into a file.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Same as --format json."),
        click.option(
            "--all", "all_rows", is_flag=True, help="Show unchanged rows too."
        ),
        click.option(
            "--threshold",
            metavar="PERCENT",
            help="Red beyond this, as 5%; or auto, by each row's own noise.",
        ),
        click.option(
            "--alpha", type=float, metavar="A", help="Chance of a false alarm."
        ),
        click.option(
            "--fail-on",
            metavar="VERDICTS",
            help="Verdicts that fail the gate, with commas; or never.",
        ),
        click.option(
            "--on-no-baseline",
            type=click.Choice(["fail", "pass"]),
            help="Exit 3 or 0 when no row could be compared.",
        ),
        click.option(
            "--method",
            type=click.Choice(METHODS),
            metavar="NAME",
            help="How rows are tested: moderated-t (the default), from 3 sessions of "
            "the baseline and 1 of head on; welch, from 2 and 2, and at most twice "
            "as many on a side, up to 5; mann-whitney, where ranks can give p < "
            "alpha, as of 5 and 2 or 4 and 3; brunner-munzel, from 4 and 4; paired, "
            "from 5 interleaved rounds on.",
        ),
        click.option(
            "--correction",
            type=click.Choice(CORRECTIONS),
            metavar="NAME",
            help="For the number of tests: fdr_bh (the default), holm or none.",
        ),
    ]
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


@click.command(epilog=EPILOG)
@click.argument("base", required=False)
@click.argument("head", default="HEAD")
@report_options
@click.option("--window", type=click.IntRange(1, 1000), help="Sessions to look back.")
@click.option(
    "--max-distance",
    type=click.IntRange(0, 100_000),
    help="Commits to look back for the baseline.",
)
@click.option(
    "--max-age",
    metavar="SPAN",
    help='Oldest baseline that counts, before head, as "30 days".',
)
@click.option(
    "--deepen",
    is_flag=True,
    help="In a shallow clone, fetch more history until a baseline is found.",
)
@click.option(
    "--fetch",
    is_flag=True,
    help="Fetch what the comparison needs of the remote's results.",
)
@ref_option
def compare(
    base: str | None,
    head: str,
    formats: tuple[str, ...],
    as_json: bool,
    all_rows: bool,
    threshold: str | None,
    alpha: float | None,
    fail_on: str | None,
    on_no_baseline: str | None,
    method: str | None,
    correction: str | None,
    window: int | None,
    max_distance: int | None,
    max_age: str | None,
    deepen: bool,
    fetch: bool,
    ref: str | None,
) -> int:
    """Compare a commit with the baseline it branched from.

    BASE is a branch, tag, commit or baseline:NAME; without it the configured one,
    else the default branch.  HEAD is the commit in question.  With a branch, the
    baseline is the nearest commit with results at or before the merge base.
    """
    outputs = parse_outputs(formats, as_json)
    overrides = Overrides(
        threshold, alpha, fail_on, on_no_baseline, method, correction, max_age
    )
    overrides.apply(Settings())  # a usage error comes before any other
    work = open_workspace(ref)
    job = ci.detect(work.environ)
    if job is not None and job.from_fork:
        work = without_fork_config(work, job, ref)
    limits = baselines.Limits(
        max_distance if max_distance is not None else work.config.max_distance,
        window or work.config.window,
        work.config.window_distance,
    )

    def compared(work: Workspace) -> Report:
        return compare_commits(work, base, head, job, limits, overrides, deepen=deepen)

    if fetch:
        from gitbench.cli.fetching import with_remote

        report = with_remote(work, compared)
    else:
        report = compared(work)
    emit(report, outputs, work.environ, all_rows=all_rows)
    return report.exit_code


@dataclass(frozen=True, slots=True)
class Overrides:
    """Settings given on the command line, which win over the config."""

    threshold: str | None = None
    alpha: float | None = None
    fail_on: str | None = None
    on_no_baseline: str | None = None
    method: str | None = None
    correction: str | None = None
    max_age: str | None = None

    def apply(self, settings: Settings) -> Settings:
        """`settings` with what was given; raises a usage error for a bad value."""
        from gitbench.config import parse_fail_on, parse_span, parse_threshold

        changes: dict[str, Any] = {}
        try:
            if self.threshold is not None:
                changes |= parse_threshold(self.threshold)
            if self.max_age is not None:
                changes["max_age_s"] = parse_span(self.max_age)
            if self.fail_on is not None:
                words = [w.strip() for w in self.fail_on.split(",") if w.strip()]
                changes["fail_on"] = parse_fail_on(words)
        except GitbenchError as exc:
            raise click.UsageError(one_line(str(exc))) from exc
        if self.alpha is not None:
            if not 0 < self.alpha <= 0.5:
                raise click.UsageError("--alpha is a chance above 0 and up to 0.5.")
            changes["alpha"] = self.alpha
        if self.on_no_baseline is not None:
            changes["on_no_baseline"] = self.on_no_baseline
        if self.method is not None:
            changes["method"] = self.method
        if self.correction is not None:
            changes["correction"] = self.correction
        return replace(settings, **changes)


def without_fork_config(work: Workspace, job: ci.CiJob, ref: str | None) -> Workspace:
    """`work` with the configuration of the base branch instead of the fork's.

    Every key can loosen a gate (a window of 1 leaves all rows undecided), so none of
    the checked-out config counts.
    """
    repository = work.repository
    config = work.config_at(base_of_fork(repository, job))
    return replace(work, config=config, notes=Notes(repository, ref or config.ref))


def base_of_fork(repository: Repository, job: ci.CiJob) -> str:
    """The commit that says what counts for a pull request from a fork: the base
    branch as it was merged, or as it is."""
    if job.merge_commit and job.merge_commit == repository.ref("HEAD"):
        trusted = f"{job.merge_commit}^1"
    else:
        trusted = f"refs/remotes/{Config().remote}/{job.base}"
    try:
        return repository.resolve(trusted)
    except GitbenchError as exc:
        raise baselines.BaselineError(
            "The pull request comes from a fork, so the configuration of its base "
            f"branch counts, and {trusted} is not in this clone; check out with full "
            "history (fetch-depth: 0), or fetch that branch."
        ) from exc


def compare_commits(
    work: Workspace,
    base: str | None,
    head: str,
    job: ci.CiJob | None,
    limits: baselines.Limits,
    overrides: Overrides,
    *,
    deepen: bool = False,
) -> Report:
    """Find the baselines of `head`, compare, and return the report."""
    found = find_question(work, base, head, job, limits, overrides, deepen=deepen)
    # Only now: this loads numpy, and without results there is nothing to compute.
    from gitbench.compare import compare as compare_groups

    return compare_groups(
        found.groups,
        found.settings,
        head=found.head,
        base=found.base,
        warnings=found.warnings,
    )


@dataclass(frozen=True, slots=True)
class CompareQuestion:
    """What is compared with what, and by which settings."""

    groups: tuple[GroupSides, ...]
    settings: Settings
    head: str
    base: str
    warnings: tuple[str, ...]


def find_question(
    work: Workspace,
    base: str | None,
    head: str,
    job: ci.CiJob | None,
    limits: baselines.Limits,
    overrides: Overrides,
    *,
    deepen: bool = False,
) -> CompareQuestion:
    """Find the baselines of `head` and the settings that judge it."""
    repository, notes = work.repository, work.notes
    notes.tree_lookup = through_index(notes)
    remote = work.config.remote
    head_id = repository.resolve(head)
    if base is None:
        base = baselines.default_base(
            repository, work.config.baseline, job.base if job else None, remote
        )
    named = bool(job and job.merge_commit == head_id)
    refs = [job.merge_ref] if job and job.merge_ref else []
    test_merge = named or baselines.is_test_merge(repository, head_id, refs)
    while True:
        try:
            start = baselines.find_start(
                repository, notes, base, head_id, test_merge=test_merge
            )
            trust = trust_of(work, job, head_id)
            groups = baselines.find_sides(
                repository, notes, start, head_id, limits, trust
            )
            break
        except baselines.ShallowError:
            if not deepen or not _deepen(work):
                raise
        except baselines.NothingRecordedError as exc:
            raise baselines.NothingRecordedError(
                f"{exc}{_never_fetched(work)}"
            ) from exc
    if any(group.baseline is None for group in groups):
        hint = _never_fetched(work)
        groups = tuple(
            replace(group, reason=f"{group.reason}{hint}")
            if group.baseline is None
            else group
            for group in groups
        )
    left_out = trust.summary() if trust is not None else None
    told, expired = judging.head_settings(work, job, groups, start, judging.today())
    warnings = expired if left_out is None else (f"{left_out}.", *expired)
    settings = overrides.apply(told)
    groups = judging.with_landed(repository, groups)
    return CompareQuestion(groups, settings, head_id, base, warnings)


def trust_of(work: Workspace, job: ci.CiJob | None, head: str) -> Trust | None:
    """Whose runs count, if not everybody's.

    In the CI of a fork a list of allowed signers that stands in the work tree is that
    of the base branch, as the config is.
    """
    if work.config.trusted == "any":
        return None
    from gitbench.store import provenance, signing

    keys = signing.keys(work.repository, work.environ)
    if job is not None and job.from_fork:
        base = base_of_fork(work.repository, job)
        keys = signing.as_in(keys, work.repository, base)
    exempt = head if work.config.trusted == "signed-baseline" else None
    return provenance.Trust(provenance.Checker(keys), exempt=exempt)


def through_index(notes: Notes) -> Callable[[str], tuple[str, ...] | None]:
    """Commits by their trees from the index, which is loaded when it is asked."""
    lookup: Callable[[str], tuple[str, ...] | None] | None = None

    def find(tree: str) -> tuple[str, ...] | None:
        nonlocal lookup
        if lookup is None:
            from gitbench.store.index import TreeLookup

            lookup = TreeLookup(notes)
        return lookup(tree)

    return find


def _deepen(work: Workspace) -> bool:
    """Fetch more history; False when there is none left to fetch."""
    before = work.repository.shallow
    result = work.git.run(
        "fetch", "--quiet", "--deepen=200", "--end-of-options", work.config.remote
    )
    if result.returncode != 0:
        raise OutputError(
            f"More history could not be fetched from {work.config.remote}: "
            f"{result.stderr.strip()[:300]}"
        )
    work.repository.reopen()
    return work.repository.shallow != before


def _never_fetched(work: Workspace) -> str:
    """A hint if the remote's notes were never fetched into this clone."""
    remote = work.config.remote
    if remote not in work.repository.remotes() or work.notes.knows(remote):
        return ""
    return (
        f" The results of {remote} were never fetched into this clone; fetch them: "
        "gitbench fetch, or only what is needed: gitbench compare --fetch"
    )


def parse_outputs(formats: Sequence[str], as_json: bool) -> tuple[Output, ...]:
    """The `--format` options as outputs; at most one of them on stdout."""
    outputs = []
    for text in [*formats, *(["json"] if as_json else [])]:
        name, equals, path = text.partition("=")
        if name not in FORMATS:
            from difflib import get_close_matches

            near = get_close_matches(name, FORMATS, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise click.UsageError(
                f"There is no format {name!r}; there are {', '.join(FORMATS)}.{hint}"
            )
        if equals and not path:
            raise click.UsageError(f"--format {name}= lacks the file's name.")
        outputs.append(Output(name, Path(path) if equals else None))
    if sum(1 for output in outputs if output.path is None) > 1:
        raise click.UsageError(
            "Only one format can go to standard output; give the others a file: "
            "--format markdown=report.md"
        )
    return tuple(outputs) or (Output("text", None),)


def emit(
    report: Report, outputs: Sequence[Output], environ: Any, *, all_rows: bool
) -> None:
    """Render a report into each output; files are written whole or not at all."""
    rendered = []
    for output in outputs:
        on_stdout = output.path is None
        options = Options(
            colour=on_stdout and wants_colour(sys.stdout, environ),
            width=terminal_width(environ) if on_stdout else 100,
            all_rows=all_rows,
            unicode=not on_stdout or writes_unicode(sys.stdout),
        )
        rendered.append((output, render(report, output.format, options)))
    for output, text in rendered:
        if output.path is None:
            click.echo(text, nl=not text.endswith("\n"), color=True)
        else:
            write_whole(output.path, text)
    if all(output.path is not None for output, _ in rendered):
        names = ", ".join(one_line(str(output.path)) for output, _ in rendered)
        click.echo(f"{report.verdict.value}: wrote {names}", err=True)


# ------------------------------------------------------------------- diff


@click.command(epilog=DIFF_EPILOG)
@click.argument("base_file", metavar="BASE")
@click.argument("head_file", metavar="HEAD")
@click.option(
    "--tool", metavar="NAME", help="Which tool wrote them.  [default: detect]"
)
@report_options
def diff(
    base_file: str,
    head_file: str,
    tool: str | None,
    formats: tuple[str, ...],
    as_json: bool,
    all_rows: bool,
    threshold: str | None,
    alpha: float | None,
    fail_on: str | None,
    on_no_baseline: str | None,
    method: str | None,
    correction: str | None,
) -> int:
    """Compare two result files, without a repository, by the same code.

    A file holds one run, or several (gitbench's own JSON, one run a line).
    """
    import os

    from gitbench.compare import compare as compare_groups
    from gitbench.config import load_directory

    outputs = parse_outputs(formats, as_json)
    overrides = Overrides(threshold, alpha, fail_on, on_no_baseline, method, correction)
    overrides.apply(Settings())
    config = load_directory(Path.cwd())
    sides, warnings = _file_sides(base_file, head_file, tool, config.default_suite)
    settings = overrides.apply(config.settings(None, judging.today()))
    report = compare_groups(
        sides, settings, head=head_file, base=base_file, warnings=warnings
    )
    emit(report, outputs, os.environ, all_rows=all_rows)
    return report.exit_code


def _file_sides(
    base_file: str, head_file: str, tool: str | None, suite: str
) -> tuple[tuple[GroupSides, ...], tuple[str, ...]]:
    """The runs of two files as the sides of groups, one a suite."""
    from gitbench.model import Baseline, CommitRuns

    base, head = (_file_runs(name, tool, suite) for name in (base_file, head_file))
    warnings: list[str] = [w for _, some in (base, head) for w in some]
    groups = []
    for suite in sorted({one.run.suite for one in head[0]}):
        ours = tuple(one for one in head[0] if one.run.suite == suite)
        theirs = tuple(one for one in base[0] if one.run.suite == suite)
        bed = ours[0].run.testbed
        other = {one.run.testbed.fingerprint for one in theirs} - {bed.fingerprint}
        reason = None
        if not theirs:
            reason = f"{base_file} has no results of suite {suite!r}."
        elif other:
            theirs = tuple(
                r for r in theirs if r.run.testbed.fingerprint == bed.fingerprint
            )
            reason = (
                f"{base_file} was measured on another machine than {head_file}, so a "
                "difference says nothing about the code."
            )
        baseline = None
        if theirs:
            window = (CommitRuns(theirs[0].run.commit, theirs),)
            baseline = Baseline(theirs[0].run.commit, "files", 0, None, window)
        groups.append(
            GroupSides(
                suite,
                bed,
                CommitRuns(ours[0].run.commit, ours),
                baseline,
                reason if baseline is None else None,
            )
        )
    return tuple(groups), tuple(warnings)


def _file_runs(
    name: str, tool: str | None, suite: str
) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """The runs of a file, as if recorded on a commit that nobody has."""
    from gitbench import recording
    from gitbench import testbed as testbeds
    from gitbench.cli.sources import read_source
    from gitbench.model import RecordedRun
    from gitbench.store.codec import run_id

    source = read_source(name, tool)
    runs = []
    for reading in source.readings:
        commit = reading.commit or "0" * 40
        where = recording.Circumstances(
            commit=commit,
            tree=reading.tree or "0" * 40,
            dirty=False,
            now_ms=reading.started_at or 0,
            suite=reading.suite or suite,
        )
        machine = testbeds.testbed(reading.facts, reading.testbed_name)
        run = recording.make_run(reading, source.data, machine, where)
        runs.append(RecordedRun(run_id(run), run))
    warnings = tuple(f"{source.name}: {w}" for r in source.readings for w in r.warnings)
    return tuple(runs), warnings

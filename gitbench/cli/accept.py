"""`gitbench accept`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from gitbench import baseline as baselines
from gitbench.cli import judging, one_line
from gitbench.cli.files import write_whole
from gitbench.cli.workspace import Workspace, open_workspace, ref_option
from gitbench.config import FILES, Config, load_directory, parse_day
from gitbench.errors import GitbenchError
from gitbench.model import Accept, Better, Comparison, Report, Shift, Verdict
from gitbench.units import format_change, parse_fraction

if TYPE_CHECKING:
    from gitbench.compare.rules import Matcher

EPILOG = """\b
Examples:
  gitbench accept parser/utf8 --reason "validates surrogates now"
  gitbench accept 'parser/*' --reason "..." --threshold 15%
  gitbench accept '*' --reason "new interpreter" --metric duration
  gitbench accept sort --reason "until the cache is back" --expires 2026-12-31

The entry stands in gitbench.toml and is committed and reviewed with the change.
"""

UNKNOWN_NOISE = 1.2
"""Factor beyond a change whose noise nobody knows, since a side has one session."""


class AcceptError(GitbenchError):
    """There is nothing to accept, or it cannot be written down."""


@click.command(epilog=EPILOG)
@click.argument("benchmark")
@click.option("--reason", required=True, metavar="TEXT", help="Why; reports show it.")
@click.option(
    "--metric",
    metavar="GLOB",
    help="Its metrics.  [default: the one that regressed; with --threshold: all]",
)
@click.option(
    "--threshold",
    metavar="PERCENT",
    help="Largest change that is accepted, as 15%.  [default: as measured]",
)
@click.option("--expires", metavar="DATE", help="Last day on which it counts.")
@ref_option
def accept(
    benchmark: str,
    reason: str,
    metric: str | None,
    threshold: str | None,
    expires: str | None,
    ref: str | None,
) -> int:
    """Accept that a benchmark became slower, with a reason.

    Writes an [[accept]] entry into gitbench.toml.  BENCHMARK is a name or a glob.
    Without --threshold HEAD is compared with its baseline, and what regressed is
    accepted as far as it was measured.
    """
    limit = _check(benchmark, reason, metric, threshold, expires)
    work = open_workspace(ref)
    if limit is None:
        report = _compare(work)
        base = _base_config(work, report)
        metric, limit, why = _measured(report, benchmark, metric)
    else:
        base, metric, why = _base_config(work, None), metric or "*", ""
    entry = Accept(benchmark, metric, limit, reason, expires)
    name = _write(work, entry, base)
    if name is None:
        click.echo("The same entry stands in the settings already; nothing to do.")
        return 0
    size = format_change(limit).removeprefix("+")
    click.echo(
        one_line(
            f"{name}: accepted that {benchmark!r} ({metric}) is up to {size} worse"
            f"{why}."
        )
    )
    click.echo(
        "It counts until it has landed. Next, commit it with the change: "
        f"git add {name}"
    )
    return 0


def _check(
    benchmark: str,
    reason: str,
    metric: str | None,
    threshold: str | None,
    expires: str | None,
) -> float | None:
    """Refuse what cannot be written down; returns the threshold, if it was given."""
    for what, text in (("BENCHMARK", benchmark), ("--metric", metric or "*")):
        if not text.strip():
            raise click.UsageError(f"{what} is empty.")
    if not reason.strip():
        raise click.UsageError("--reason is empty; say why the change is wanted.")
    for text in (benchmark, reason, metric or ""):
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise click.UsageError("An argument is not valid UTF-8.")
    try:
        if expires is not None and parse_day(expires) < judging.today():
            raise click.UsageError(f"--expires {expires} lies in the past.")
    except GitbenchError as exc:
        raise click.UsageError(one_line(f"--expires {exc}")) from exc
    try:
        limit = None if threshold is None else parse_fraction(threshold)
    except GitbenchError as exc:
        raise click.UsageError(one_line(str(exc))) from exc
    if limit == 0:
        raise click.UsageError("--threshold 0 would accept nothing.")
    return limit


# ------------------------------------------------------------------- what is measured


def _compare(work: Workspace) -> Report:
    """HEAD against its default baseline, as `gitbench compare` does."""
    from gitbench.cli.compare import Overrides, compare_commits

    config = work.config
    limits = baselines.Limits(
        config.max_distance, config.window, config.window_distance
    )
    return compare_commits(work, None, "HEAD", None, limits, Overrides())


def _measured(
    report: Report, benchmark: str, metric: str | None
) -> tuple[str, float, str]:
    """Metric and threshold of an entry for what regressed, and words on the change.

    The threshold is the far end of the interval, not the change itself: measured
    again, the same code comes out beyond the change half of the time.  Rounded up to a
    whole per cent; a deterministic count, which has no noise, to a tenth of one.
    """
    from gitbench.compare.rules import fits, matcher

    name, of = matcher(benchmark), matcher(metric or "*")
    rows = [
        row
        for row in report.comparisons
        if fits(name, row.benchmark) and of(row.metric.name)
    ]
    bad = [row for row in rows if row.verdict is Verdict.REGRESSED]
    shifts = list(_whole_suites(report, name, of))
    if not bad and not shifts:
        raise _nothing(report, rows, benchmark, metric)
    metrics = sorted(
        {row.metric.name for row in bad} | {shift.metric for shift, _ in shifts}
    )
    if metric is None and len(metrics) > 1:
        raise AcceptError(
            f"{benchmark!r} regressed in several metrics ({', '.join(metrics[:5])}): "
            "choose with --metric NAME, or take all with --metric '*'."
        )
    needs = [_row_limit(row) for row in bad]
    needs += [_rounded_up(_worse(_far_end(s, b), b), 100) for s, b in shifts]
    limit = max(needs)
    if not math.isfinite(limit):
        raise AcceptError(
            f"{benchmark!r} changed from zero or to it, which no percentage covers; "
            "use a [[rule]] with min_change instead."
        )
    return metric or metrics[0], limit, f"; {_change_words(bad, shifts)}"


def _change_words(
    bad: Sequence[Comparison], shifts: Sequence[tuple[Shift, Better]]
) -> str:
    """What was measured, of the row that moved most."""
    if not bad:
        change = format_change(shifts[0][0].change)
        return f"as measured, the whole suite changed by {change}"
    most = max(bad, key=_row_limit)
    moved = most.change if most.change_adjusted is None else most.change_adjusted
    more = f" in {most.benchmark.label!r}" if len(bad) > 1 else ""
    return f"as measured, it changed by {format_change(moved)}{more}"


def _whole_suites(
    report: Report, name: Matcher, of: Matcher
) -> Iterator[tuple[Shift, Better]]:
    """Suites that regressed as a whole and whose gated rows are all meant."""
    from gitbench.compare.rules import fits

    for group in report.groups:
        for shift in group.shifts:
            rows = [
                row
                for row in report.comparisons
                if row.group == group.id
                and row.metric.name == shift.metric
                and row.gated
            ]
            if (
                shift.verdict is Verdict.REGRESSED
                and of(shift.metric)
                and all(fits(name, row.benchmark) for row in rows)
            ):
                yield shift, rows[0].metric.better if rows else Better.LOWER


def _row_limit(row: Comparison) -> float:
    """The threshold that covers a regressed row when it is measured again."""
    better = row.metric.better
    if row.method == "exact":
        return _rounded_up(_worse(row.change, better), 1000)
    if row.interval is None:
        beyond = UNKNOWN_NOISE if row.weak else 1.0
        return _rounded_up((1 + _worse(row.change, better)) * beyond - 1, 100)
    return _rounded_up(_worse(_far_end(row, better), better), 100)


def _far_end(found: Comparison | Shift, better: Better) -> float | None:
    """The bad end of an interval; the change where there is none."""
    if found.interval is None:
        return found.change
    return found.interval[0 if better is Better.HIGHER else 1]


def _worse(change: float | None, better: Better) -> float:
    """A change as a fraction in the bad direction; infinite where that is none."""
    if change is None or change <= -1:
        return math.inf
    return 1 / (1 + change) - 1 if better is Better.HIGHER else change


def _rounded_up(number: float, steps: int) -> float:
    """The next multiple of 1 / `steps`; those themselves stay."""
    if not math.isfinite(number):
        return math.inf
    return max(math.ceil(round(number * steps, 6)), 1) / steps


def _nothing(
    report: Report, rows: Sequence[Comparison], benchmark: str, metric: str | None
) -> AcceptError:
    """Why there is nothing to accept, in one sentence, and what to do."""
    ahead = "To accept a change that is not measured yet, say how much: --threshold 15%"
    if not rows:
        from difflib import get_close_matches

        known = sorted({row.benchmark.label for row in report.comparisons})
        if metric is not None and (named := _metrics_of(report, benchmark)):
            return AcceptError(
                f"{benchmark!r} has no metric that fits {metric!r}; it has "
                f"{', '.join(named)}."
            )
        near = get_close_matches(benchmark[:200], known[:10_000], 3, 0.5)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        return AcceptError(f"No benchmark of HEAD fits {benchmark!r}.{hint} {ahead}")
    if report.verdict is Verdict.NOT_COMPARED:
        return AcceptError(f"Nothing was compared: {report.reason} {ahead}")
    worst = rows[0]
    told = worst.verdict.value
    change = worst.change_adjusted
    size = "" if change is None else f", {format_change(change)}"
    if worst.verdict is Verdict.ACCEPTED:
        return AcceptError(
            f"{worst.benchmark.label!r} is accepted already{size}: {worst.note}"
        )
    return AcceptError(
        f"{worst.benchmark.label!r} ({worst.metric.name}) has not regressed, it is "
        f"{told}{size}. {ahead}"
    )


def _metrics_of(report: Report, benchmark: str) -> list[str]:
    """Metrics of the rows that a glob fits."""
    from gitbench.compare.rules import fits, matcher

    name = matcher(benchmark)
    return sorted(
        {row.metric.name for row in report.comparisons if fits(name, row.benchmark)}
    )[:10]


# -------------------------------------------------------------------- what is written


def _base_config(work: Workspace, report: Report | None) -> Config | None:
    """The settings of what HEAD is compared with; None where that is not known."""
    commits = [g.baseline.commit for g in report.groups if g.baseline] if report else []
    try:
        if not commits:
            repository = work.repository
            head = repository.resolve("HEAD")
            base = baselines.default_base(
                repository, work.config.baseline, None, work.config.remote
            )
            start = baselines.find_start(
                repository, work.notes, base, head, test_merge=False
            )
            commits = list(start.commits)
    except GitbenchError:
        return None
    return judging.config_at(work, commits[0]) if commits else None


def _write(work: Workspace, entry: Accept, base: Config | None) -> str | None:
    """Write the entry; returns the file's name, or None if it stands there already.

    An entry for the same benchmark and metric that has not landed is replaced by it.
    """
    from gitbench.config.writing import add_accept

    root = work.repository.work_tree
    if root is None:
        raise AcceptError(
            "A bare repository has no work tree to write gitbench.toml into; run this "
            "in a clone."
        )
    open_ = work.config.open_accepts(base) if base is not None else ()
    if entry in open_ or (base is None and entry in work.config.accepts):
        return None
    if entry in work.config.accepts:
        raise AcceptError(
            "The same entry stands in the settings of the baseline already, reason "
            "included; for another change of as much give another --reason."
        )
    same = [
        one
        for one in open_
        if (one.benchmark, one.metric) == (entry.benchmark, entry.metric)
    ]
    files = {}
    for name in FILES:
        try:
            files[name] = (root / name).read_bytes()
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise AcceptError(f"{name} cannot be read ({exc.strerror}).") from exc
    name, data = add_accept(files, entry, same[-1] if same else None)
    write_whole(root / name, data)
    expected = [one for one in work.config.accepts if one not in same[-1:]]
    found = load_directory(root).accepts
    if sorted(map(repr, found)) != sorted(map(repr, [*expected, entry])):
        raise AcceptError(f"{name} was changed by somebody else just now; look at it.")
    return name

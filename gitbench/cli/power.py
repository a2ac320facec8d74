"""`gitbench power`."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from gitbench.cli import one_line
from gitbench.cli.tables import aligned, percent, wrapped
from gitbench.cli.workspace import open_workspace, ref_option, terminal_width
from gitbench.errors import GitbenchError
from gitbench.model import Settings
from gitbench.units import UnitError, parse_fraction

if TYPE_CHECKING:
    from gitbench.compare.noise import Noise, Past, RowNoise
    from gitbench.compare.plans import Plan

EPILOG = """\b
Examples:
  gitbench power --change 5%              for every benchmark, from its history
  gitbench power 'parse/*' --change 10% --power 0.9
  gitbench power --cv 3% --change 5%      without results, for a noise of 3 %
  gitbench power --change 5% --base v1.2 --json

Exit codes: 0 fine, 3 nothing is recorded, 4 any other error.
"""

SHOWN = 30
"""Rows that are listed without --all, the noisiest."""


class PowerError(GitbenchError):
    """There is nothing to plan for."""


@click.command(epilog=EPILOG)
@click.argument("benchmark", default="*", metavar="[BENCHMARK]")
@click.option("--change", required=True, metavar="PERCENT", help="To be found, as 5%.")
@click.option(
    "--power",
    type=float,
    default=0.8,
    show_default=True,
    metavar="P",
    help="Chance to find it.",
)
@click.option("--alpha", type=float, metavar="A", help="Chance of a false alarm.")
@click.option("--base", metavar="REV", default="HEAD", help="Whose history tells.")
@click.option("--cv", metavar="PERCENT", help="Noise between runs, instead of history.")
@click.option("--suite", metavar="NAME", help="Only this suite.")
@click.option("--all", "all_rows", is_flag=True, help=f"More than {SHOWN} rows.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@ref_option
def power(
    benchmark: str,
    change: str,
    power: float,
    alpha: float | None,
    base: str,
    cv: str | None,
    suite: str | None,
    all_rows: bool,
    as_json: bool,
    ref: str | None,
) -> None:
    """Tell how many runs a side find a change of a given size.

    BENCHMARK is a name or a glob.  The noise is that of the recorded sessions on the
    way back from HEAD, or of --base; or --cv says it.
    """
    wanted = _fraction("--change", change)
    if wanted == 0:
        raise click.UsageError("--change is the change to be found, above 0 %.")
    if not 0 < power < 1:
        raise click.UsageError("--power is a chance between 0 and 1.")
    if alpha is not None and not 0 < alpha <= 0.5:
        raise click.UsageError("--alpha is a chance above 0 and up to 0.5.")
    if cv is not None:
        spread = _fraction("--cv", cv)
        _tell_planned(wanted, spread, power, alpha or Settings().alpha, as_json)
        return
    from dataclasses import replace

    from gitbench.cli.past import find_past
    from gitbench.compare.noise import measure
    from gitbench.compare.plans import plan

    work = open_workspace(ref)
    settings = work.config.settings()
    settings = replace(settings, alpha=alpha or settings.alpha)
    pasts = find_past(work, base, work.config.window, suite)
    noise = measure(pasts, settings)
    rows = _rows(noise, benchmark)
    level = noise.detail.multiplicity.row_level(settings.alpha)
    plans = [
        plan(row, wanted, power=power, alpha=settings.alpha, level=level)
        for row in rows
    ]
    if as_json:
        _tell_json(rows, plans, pasts, noise, wanted, power, settings.alpha)
    else:
        _tell(rows, plans, pasts, noise, wanted, power, settings.alpha, all_rows)


def _fraction(option: str, text: str) -> float:
    try:
        return parse_fraction(text)
    except UnitError as exc:
        raise click.UsageError(f"{option}: {one_line(str(exc))}") from exc


def _rows(noise: Noise, name: str) -> list[RowNoise]:
    """The rows that fit a name or a glob."""
    from gitbench.compare.rules import fits, matcher

    glob = matcher(name)
    found = [row for row in noise.rows if fits(glob, row.benchmark)]
    if found:
        return found
    import difflib

    known = sorted({row.benchmark.label[:200] for row in noise.rows})[:5000]
    near = difflib.get_close_matches(name[:200], known, 3, 0.5)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise PowerError(
        f"No benchmark with real-valued results fits {name[:120]!r} in the history."
        f"{hint}"
    )


# ------------------------------------------------------------------------ as text


def _tell(
    rows: Sequence[RowNoise],
    plans: Sequence[Plan | None],
    pasts: Sequence[Past],
    noise: Noise,
    change: float,
    power: float,
    alpha: float,
    all_rows: bool,
) -> None:
    click.echo(
        f"Runs a side to find {percent(change)} with a chance of {percent(power)}, "
        f"at alpha {alpha:g}"
    )
    click.echo("")
    several = len(pasts) > 1
    title = ["benchmark", "metric"] + (["suite"] if several else [])
    title += ["sessions", "noise", "inside", "alone", f"of {noise.tests}", "to be red"]
    table = [[*title, "seen now"]]
    shown = list(zip(rows, plans, strict=True))
    for row, plan in shown if all_rows else shown[:SHOWN]:
        cells = [row.benchmark.label, row.metric.name]
        cells += [pasts[row.group].suite] if several else []
        cells += [str(row.sessions), spread_of(row), inside_of(row)]
        cells += ["-"] * 3 if plan is None else _counts(plan)
        table.append([*cells, seen_of(row)])
    for line in aligned(table):
        click.echo(line)
    if len(shown) > SHOWN and not all_rows:
        click.echo(f"... and {len(shown) - SHOWN} quieter ones: --all")
    click.echo("")
    width = terminal_width(os.environ)
    for text in _legend(rows, noise, change):
        for line in wrapped(text, width):
            click.echo(line)


def spread_of(row: RowNoise) -> str:
    """A row's noise for people."""
    from gitbench.units import format_value

    if not row.own_df:
        return "unknown"
    if row.linear:
        return format_value(row.noise, row.metric.unit)
    return percent(row.noise)


def inside_of(row: RowNoise) -> str:
    """The share of the variance that is seen inside the sessions."""
    if not row.own_df or row.within <= 0 or row.noise <= 0:
        return "-"
    return f"{100 * min((row.within / row.noise) ** 2, 1):.0f} %"


def seen_of(row: RowNoise) -> str:
    """The smallest change that the gate finds as it is."""
    from gitbench.units import format_value

    if row.weak is not None:
        return "x2 (gross)"
    if row.visible is None:
        return "-"
    if row.linear:
        return format_value(row.visible, row.metric.unit)
    return percent(math.expm1(row.visible))


def _counts(plan: Plan) -> list[str]:
    def shown(runs: int | None) -> str:
        return "never" if runs is None else f"{runs:,}"

    return [shown(plan.alone), shown(plan.among), shown(plan.red)]


def _legend(rows: Sequence[RowNoise], noise: Noise, change: float) -> list[str]:
    """What the columns mean, and what follows."""
    lines = [
        "noise: from session to session (standard deviation); inside: the share of its "
        "variance that the values inside a session show",
        f"alone: to tell the change from noise; of {noise.tests}: the same among all "
        "tested rows; to be red: and beyond the threshold",
        "seen now: the smallest change that the gate finds in four of five cases",
    ]
    if any(math.log1p(change) <= row.limit and not row.linear for row in rows):
        lines.append(
            "never: a change of no more than the threshold is not red, however often "
            "it is measured; lower the threshold first"
        )
    told = [row for row in rows if row.own_df and row.within > 0]
    outside = [row for row in told if row.between > row.within]
    if told:
        lines.append(
            f"In {len(outside)} of {len(told)} rows most of the noise is between "
            "sessions: there more runs help, not more iterations."
            if outside
            else "Most of the noise is inside the sessions: more iterations or "
            "processes a run help."
        )
    if any(not row.own_df for row in rows):
        lines.append("unknown: a single session cannot tell; record the suite again.")
    return lines


def _tell_planned(
    change: float, spread: float, power: float, alpha: float, as_json: bool
) -> None:
    """For a noise that was given: the change asked for, beside common ones."""
    from gitbench.compare.plans import runs_for

    changes = sorted({0.01, 0.02, 0.05, 0.1, 0.2, 0.5, change})
    runs = [runs_for(spread, one, alpha=alpha, power=power) for one in changes]
    if as_json:
        dump(
            {
                "cv": spread,
                "power": power,
                "alpha": alpha,
                "change": change,
                "runs": [
                    {"change": one, "runs_per_side": count}
                    for one, count in zip(changes, runs, strict=True)
                ],
            }
        )
        return
    click.echo(
        f"Runs a side at a noise of {percent(spread)}, found with a chance of "
        f"{percent(power)}, at alpha {alpha:g}"
    )
    click.echo("")
    table = [("  change", "runs a side")]
    for one, count in zip(changes, runs, strict=True):
        shown = "over 100,000" if count is None else f"{count:,}"
        asked = "   <- asked for" if one == change else ""
        table.append((f"  {percent(one)}", shown + asked))
    for line in aligned(table):
        click.echo(line)
    click.echo("")
    note = (
        "For one row, one-sided. Among m rows take --alpha divided by m; a red row "
        "must be beyond its threshold as well."
    )
    for line in wrapped(note, terminal_width(os.environ)):
        click.echo(line)


# ------------------------------------------------------------------------ as JSON


def dump(document: dict[str, Any]) -> None:
    """Print a document; names keep their signs, lone surrogates do not."""
    import json

    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    click.echo(text.encode("utf-8", "replace").decode("utf-8"))


def row_json(row: RowNoise, past: Past) -> dict[str, Any]:
    """One row's noise; shares are of logs, or in the unit where `linear`."""
    return {
        "benchmark": row.benchmark.name,
        "params": dict(row.benchmark.params),
        "metric": row.metric.name,
        "unit": row.metric.unit,
        "suite": past.suite,
        "testbed": past.testbed.name,
        "linear": row.linear,
        "gated": row.gated,
        "sessions": row.sessions,
        "noise": row.noise if row.own_df else None,
        "own": row.own if row.own_df else None,
        "within": row.within,
        "between": row.between if row.own_df else None,
        "threshold": row.threshold,
        "floor": row.floor,
        "visible": row.visible,
        "reason": row.weak,
    }


def _tell_json(
    rows: Sequence[RowNoise],
    plans: Sequence[Plan | None],
    pasts: Sequence[Past],
    noise: Noise,
    change: float,
    power: float,
    alpha: float,
) -> None:
    dump(
        {
            "change": change,
            "power": power,
            "alpha": alpha,
            "tests": noise.tests,
            "rows": [
                {
                    **row_json(row, pasts[row.group]),
                    "runs": plan and plan.alone,
                    "runs_corrected": plan and plan.among,
                    "runs_to_be_red": plan and plan.red,
                }
                for row, plan in zip(rows, plans, strict=True)
            ],
        }
    )

"""`gitbench rm`, `prune`, `size` and `compact`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

import click

from gitbench.cli import one_line
from gitbench.cli.sync import chosen_remotes, plural, size_words
from gitbench.cli.tables import aligned
from gitbench.cli.workspace import Workspace, open_workspace, ref_option, warn
from gitbench.export import moment
from gitbench.store import compact as compacting
from gitbench.store import index, upkeep
from gitbench.store.standing import standing
from gitbench.store.upkeep import Chosen, UpkeepError

SHOWN = 20
"""Most runs that are listed one by one."""

RM_EPILOG = """\b
Examples:
  gitbench rm 3f2a91c0                        withdraw a run (the start of its id)
  gitbench rm --commit HEAD --reason 'wrong machine'
  gitbench rm --where 'testbed=old-laptop' --where 'time<2025-01-31' --dry-run
  gitbench rm --restore 3f2a91c0              take that back
  gitbench rm --erase 3f2a91c0                drop its content as well, for good

\b
Conditions are KEY=GLOB, KEY!=GLOB, tag.NAME=GLOB, time<DATE and age>90d; all that are
given must hold.  Keys: suite testbed tool version session ci url commit id dirty
benchmark.
"""

PRUNE_EPILOG = """\b
Examples:
  gitbench prune --dry-run                    what would go
  gitbench prune --older-than 1y --keep 20
"""

SIZE_EPILOG = """\b
Examples:
  gitbench size
  gitbench size --by benchmark -n 30
"""

COMPACT_EPILOG = """\b
Examples:
  gitbench compact --dry-run                  what it would save
  gitbench compact                            here and on origin
  gitbench compact --local                    in this clone alone
"""


def _now() -> int:
    return time.time_ns() // 1_000_000


def _agreed(question: str, yes: bool) -> bool:
    """Ask before what cannot be taken back; where nobody can answer, `--yes` must."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise click.UsageError(
            "This cannot be taken back, and there is no terminal to ask on; look at it "
            "with --dry-run, then add --yes."
        )
    return click.confirm(question, default=False, err=True)


# -------------------------------------------------------------------- rm


@click.command(epilog=RM_EPILOG)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option(
    "--commit", "commits", multiple=True, metavar="REV", help="All runs of it."
)
@click.option(
    "--where", "conditions", multiple=True, metavar="COND", help="All runs that fit."
)
@click.option("--reason", metavar="TEXT", help="Why; everybody can read it.")
@click.option("--restore", is_flag=True, help="Make withdrawn runs count again.")
@click.option("--erase", is_flag=True, help="Drop what they hold as well, for good.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="List the runs, change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Tell it as JSON.")
@ref_option
def rm(
    runs: tuple[str, ...],
    commits: tuple[str, ...],
    conditions: tuple[str, ...],
    reason: str | None,
    restore: bool,
    erase: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
    ref: str | None,
) -> None:
    """Withdraw runs, so that they count for nothing anywhere.

    RUN is an id as gitbench show lists it, or its first digits.  A withdrawn run stays
    in its note and can be restored; an erased one is gone from the notes of whoever
    pushes or fetches next, but for its id.
    """
    if not runs and not commits and not conditions:
        raise click.UsageError("Name runs, or choose them with --commit or --where.")
    if restore and erase:
        raise click.UsageError("--restore and --erase are opposites.")
    work = open_workspace(ref)
    chosen = _choose(work, runs, commits, conditions)
    chosen = _still_to_do(work, chosen, restore=restore, erase=erase)
    word = "restore" if restore else "erase" if erase else "retract"
    if not as_json:
        _list(work, chosen)
    if not chosen.records:
        _tell_rm(chosen, word, as_json, done=False)
        return
    if dry_run or (
        erase and not _agreed(f"Erase {plural(len(chosen.ids), 'run')}?", yes)
    ):
        _tell_rm(chosen, word, as_json, done=False)
        return
    if restore:
        warnings = work.notes.restore(
            chosen.records, reason or "restored by gitbench rm", _now()
        )
    else:
        given = reason or "withdrawn by gitbench rm"
        warnings = work.notes.retract(chosen.records, given, _now(), erase=erase)
    _warn(warnings)
    if erase:
        index.discard(work.notes)
    _tell_rm(chosen, word, as_json, done=True)


def _choose(
    work: Workspace,
    runs: Sequence[str],
    commits: Sequence[str],
    conditions: Sequence[str],
) -> Chosen:
    """The runs that the arguments name: those by id, and those of the commits that
    fit the conditions."""
    chosen = Chosen()
    if commits or conditions:
        try:
            tests = [upkeep.condition(one, _now()) for one in conditions]
        except upkeep.ConditionError as exc:
            raise click.BadParameter(str(exc), param_hint="--where") from exc
        targets = [work.repository.resolve(one) for one in commits]
        chosen = upkeep.of_commits(work.notes, targets)
        if tests:
            within = chosen.ids if commits else None
            chosen = upkeep.matching(work.notes, tests, within)
    if runs:
        more = upkeep.by_ids(work.notes, runs)
        for object_id, ids in more.records.items():
            chosen.records.setdefault(object_id, set()).update(ids)
    return chosen


def _still_to_do(
    work: Workspace, chosen: Chosen, *, restore: bool, erase: bool
) -> Chosen:
    """Without those that are already as they are to be."""
    left = Chosen()
    gone = []
    for object_id, ids in chosen.records.items():
        note = work.notes.note(object_id)
        state = standing(note)
        for id_ in ids:
            if restore:
                if id_ in state.hidden and id_ not in note.lines:
                    gone.append(id_)
                wanted = id_ in state.hidden and id_ in note.lines
            else:
                wanted = id_ not in (state.erased if erase else state.hidden)
            if wanted:
                left.add(object_id, id_)
    if gone and not left.records:
        raise UpkeepError(
            f"What run {gone[0]} held was erased; record its result again: gitbench "
            "record FILE --restore"
        )
    return left


def _list(work: Workspace, chosen: Chosen) -> None:
    """One line a run, the first of many."""
    rows: list[tuple[str, ...]] = []
    listed: set[str] = set()
    for object_id in sorted(chosen.records):
        if len(rows) >= SHOWN:
            break
        note = work.notes.note(object_id)
        for id_ in sorted(chosen.records[object_id] - listed):
            listed.add(id_)
            line = note.lines.get(id_)
            run = upkeep.decoded(line) if line else None
            where = object_id[:12]
            if run is None:
                kind = line.kind if line else "no record"
                rows.append((id_, "", kind, "", where))
            else:
                when = moment(run.started_at)[:16].replace("T", " ")
                rows.append((id_, when, run.suite, run.testbed.name, where))
    for text in aligned(rows):
        click.echo(text)
    if len(chosen.ids) > len(rows):
        click.echo(f"... and {len(chosen.ids) - len(rows):,} more")


def _tell_rm(chosen: Chosen, word: str, as_json: bool, *, done: bool) -> None:
    ids = sorted(chosen.ids)
    if as_json:
        content = {"action": word, "done": done, "runs": ids}
        click.echo(json.dumps(content, indent=2))
        return
    runs = plural(len(ids), "run")
    if not ids:
        click.echo(f"There is no run left to {word}; nothing was changed.")
    elif not done:
        click.echo(f"Would {word} {runs}; nothing was changed.")
    elif word == "restore":
        click.echo(f"Restored {runs}.")
    elif word == "erase":
        click.echo(
            f"Erased {runs} from the notes; gitbench push tells the others. The "
            "history of the notes still holds them: gitbench compact."
        )
    else:
        back = ids[0] if len(ids) == 1 else "RUN..."
        click.echo(
            f"Retracted {runs}; gitbench push tells the others, and gitbench rm "
            f"--restore {back} takes it back."
        )


def _warn(warnings: Iterable[str]) -> None:
    for warning in dict.fromkeys(warnings):
        warn(warning)


# ----------------------------------------------------------------- prune


def _age(
    context: click.Context, parameter: click.Parameter, value: str
) -> tuple[str, int]:
    try:
        return value, upkeep.parse_age(value)
    except upkeep.ConditionError as exc:
        raise click.BadParameter(str(exc), context, parameter) from exc


@click.command(epilog=PRUNE_EPILOG)
@click.option(
    "--older-than",
    default="90d",
    show_default=True,
    metavar="AGE",
    callback=_age,
    help="Only runs that started so long ago: 36h, 90d, 12w, 1y.",
)
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Keep the N newest runs of each suite and testbed in any case.",
)
@click.option(
    "--offline", is_flag=True, help="Do not ask the remotes which branches they have."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="List the runs, change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Tell it as JSON.")
@ref_option
def prune(
    older_than: tuple[str, int],
    keep: int,
    offline: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
    ref: str | None,
) -> None:
    """Erase the runs of commits that are gone.

    A commit is gone if no branch, tag or other ref reaches it any more.  Runs stay
    whose tree is that of a commit that is reachable, since they still speak for it:
    of a branch that was squashed, rebased or amended.  So do runs of named baselines.
    """
    work = open_workspace(ref)
    remotes = () if offline else work.repository.remotes()
    upkeep.refuse_partial_view(work.notes, work.git, remotes)
    known = upkeep.reachable(work.git)
    chosen = upkeep.prunable(work.notes, known, older_than[1], keep, _now())
    if not as_json:
        _list(work, chosen)
    question = f"Erase {plural(len(chosen.ids), 'run')} of commits that are gone?"
    done = bool(chosen.records) and not dry_run and _agreed(question, yes)
    if done:
        _warn(
            work.notes.retract(
                chosen.records, "pruned: its commit is gone", _now(), erase=True
            )
        )
        index.discard(work.notes)
    if as_json or chosen.records:
        _tell_rm(chosen, "erase", as_json, done=done)
    else:
        click.echo(
            f"No run older than {older_than[0]} belongs to a commit that is gone."
        )


# ------------------------------------------------------------------ size


@click.command(epilog=SIZE_EPILOG)
@click.option(
    "--by",
    type=click.Choice(upkeep.GROUPINGS),
    default="commit",
    show_default=True,
    help="What to add up.",
)
@click.option(
    "-n",
    "--max-count",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="How many lines to show.",
)
@click.option("--json", "as_json", is_flag=True, help="Tell it as JSON.")
@ref_option
def size(by: str, max_count: int, as_json: bool, ref: str | None) -> None:
    """Show where the bytes are, and what compacting would save."""
    work = open_workspace(ref)
    history = compacting.measure(work.notes, work.git)
    found = upkeep.sizes(work.notes, by)
    largest = found.shares.most_common(max_count)
    if as_json:
        content = {
            "notes": found.notes,
            "runs": found.runs,
            "note_bytes": found.total,
            "withdrawn_bytes": found.withdrawn,
            "history_commits": history.commits,
            "disk_bytes": history.size,
            "disk_bytes_compact": history.content,
            "by": by,
            "largest": [
                {"name": name, "bytes": share, "count": found.counts[name]}
                for name, share in largest
            ],
        }
        click.echo(json.dumps(content, indent=2))
        return
    click.echo(
        f"{plural(found.runs, 'run')} in {plural(found.notes, 'note')}, "
        f"{size_words(found.total)} as text; the largest note has "
        f"{size_words(found.largest[1])} ({found.largest[0][:12]})."
    )
    click.echo(_history_words(history))
    if found.withdrawn:
        click.echo(
            f"Of the text {size_words(found.withdrawn)} are retracted runs; rm --erase "
            "drops what they hold."
        )
    counted = "measurements" if by == "benchmark" else "runs"
    rows = [(by, counted, "bytes", "share")]
    for name, share in largest:
        part = f"{100 * share / found.total:.1f} %" if found.total else ""
        shown = name[:12] if by == "commit" else name
        rows.append((shown, f"{found.counts[name]:,}", size_words(share), part))
    for line in aligned(rows):
        click.echo(line)


def _history_words(history: compacting.History) -> str:
    commits = plural(history.commits, "notes commit")
    if history.size is None or history.content is None or history.commits == 1:
        return f"The history has {commits}."
    saved = max(0, history.size - history.content)
    return (
        f"On disk the history of {commits} takes {size_words(history.size)}, its last "
        f"state alone {size_words(history.content)}: compacting saves about "
        f"{size_words(saved)}."
    )


# --------------------------------------------------------------- compact


@click.command(epilog=COMPACT_EPILOG)
@click.option(
    "--remote",
    "remotes",
    multiple=True,
    metavar="NAME",
    help="Remote to compact; may be given several times.  [default: origin]",
)
@click.option("--all", "every", is_flag=True, help="Every remote.")
@click.option("--local", is_flag=True, help="This clone alone.")
@click.option(
    "--budget",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to try when others push at the same time.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Tell it as JSON.")
@ref_option
def compact(
    remotes: tuple[str, ...],
    every: bool,
    local: bool,
    budget: float,
    yes: bool,
    dry_run: bool,
    as_json: bool,
    ref: str | None,
) -> int:
    """Replace the history of the notes by one commit of the same content.

    No result is lost.  This is the one command that moves a remote's ref by force,
    and only from where it was found and united.  Other clones go over to the new
    history with their next fetch or push, and keep what they have not pushed yet.
    """
    if local and (remotes or every):
        raise click.UsageError("--local is this clone alone, without a remote.")
    work = open_workspace(ref)
    if local or not (remotes or every or work.repository.remotes()):
        names: tuple[str, ...] = ()
    else:
        names = chosen_remotes(work, remotes, every)
    if not work.notes.exists() and not names:
        raise UpkeepError("Nothing is recorded here yet; there is nothing to compact.")
    places = one_line(" and ".join(("here", *(f"on {name}" for name in names))))
    if work.notes.exists() and not as_json:
        click.echo(_history_words(compacting.measure(work.notes, work.git)))
    question = f"Replace the history of {work.notes.ref} {places}?"
    if dry_run or not _agreed(question, yes):
        _tell_compact(None, places, as_json)
        return 0
    done = compacting.compact(work.notes, work.git, names, budget)
    _warn(done.warnings)
    _tell_compact(done, places, as_json)
    for remote, reason in done.failures.items():
        click.echo(
            f"gitbench: {one_line(f'{remote} kept its history: {reason}')}", err=True
        )
    return UpkeepError.exit_code if done.failures else 0


def _tell_compact(
    done: compacting.Compacted | None, places: str, as_json: bool
) -> None:
    if as_json:
        content: dict[str, Any] = {
            "done": done is not None,
            "changed": done is not None and done.changed,
            "remotes": done.remotes if done else {},
            "failures": done.failures if done else {},
        }
        click.echo(json.dumps(content, indent=2))
        return
    if done is None:
        click.echo(f"The history would be replaced {places}; nothing was changed.")
        return
    if done.changed:
        click.echo(
            "The history here is one commit now; git gc frees the space in time."
        )
    else:
        click.echo("The history here was compact already.")
    for remote, outcome in done.remotes.items():
        click.echo(one_line(f"{remote}: {outcome}"))

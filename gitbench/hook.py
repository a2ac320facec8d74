"""The pre-push hook: what git tells it, its file, and what it has to say.

Owns the lines that git writes to the hook's standard input, the place of the hook
among others, and the words of a refusal.  Knows neither git nor the terminal: the
caller finds the hooks folder, compares, and prints.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gitbench
from gitbench.errors import GitbenchError

if TYPE_CHECKING:
    # Most pushes have nothing to say, and the model alone takes 7 ms to import.
    from gitbench.model import Comparison, Group, Outcomes, Report, Shift, SideSummary

NAME = "pre-push"
KEPT = "pre-push.before-gitbench"
"""Where the hook that was there is kept; it runs first."""

SKIP = "GITBENCH_SKIP"
"""Set to anything but 0, it turns the hook off for one push."""

GUARD = "GITBENCH_IN_PUSH"
"""Set in the environment of gitbench's own pushes; as in `gitbench.store.sync`, which
takes 3 ms to import and knows nothing else of use here."""

MARK = b"#!/bin/sh\n# gitbench pre-push hook;"
"""How a hook file of ours begins, in every version."""

BRANCH = "refs/heads/"
MAX_ROWS = 10
MAX_HOOK = 1_000_000
_HEX = frozenset("0123456789abcdef")


class HookError(GitbenchError):
    """The hook was not told what it needs, or its file cannot be put in place."""


# ------------------------------------------------------- what git tells the hook


@dataclass(frozen=True, slots=True)
class Update:
    """One ref that a push is to change."""

    local_ref: str
    """As it was given to git, such as `HEAD~1`; may hold blanks."""
    local: str
    """Object id, or a revision where only pre-commit tells; a tag is not peeled."""
    remote_ref: str
    """Empty where nobody told it."""
    remote: str | None = None
    """Object that the remote has there; None for a new ref."""

    @property
    def branch(self) -> str:
        """The branch in words."""
        ref = self.remote_ref or self.local_ref or "HEAD"
        return ref.removeprefix(BRANCH)


def parse_updates(text: str) -> tuple[Update, ...]:
    """The updates that git tells a pre-push hook, deletions left out.

    One a line: `<local ref> <local id> <remote ref> <remote id>`.  The local ref is
    any revision, blanks included; an id of zeros says that there is none.
    Raises HookError.
    """
    updates = []
    for number, line in enumerate(text.split("\n"), 1):
        words = line.rstrip("\r").rsplit(" ", 3)
        if words == [""]:
            continue
        if len(words) != 4 or not (_is_id(words[1]) and _is_id(words[3])):
            raise HookError(
                f"Line {number} of standard input is not what git tells a pre-push "
                "hook: <local ref> <local id> <remote ref> <remote id>."
            )
        local_ref, local, remote_ref, remote = words
        if not _is_zero(local):
            updates.append(
                Update(
                    local_ref, local, remote_ref, None if _is_zero(remote) else remote
                )
            )
    return tuple(updates)


def _is_id(word: str) -> bool:
    return len(word) in (40, 64) and _HEX.issuperset(word)


def _is_zero(id_: str) -> bool:
    return not id_.strip("0")


def pre_commit_update(environ: Mapping[str, str]) -> Update | None:
    """What the pre-commit framework tells of a push in the environment.

    It gives its hooks no standard input, and tells of one ref of the push.  Of a
    history that is pushed whole it names only the branch; run by hand, it names
    nothing, and HEAD is meant.
    """
    if not environ.get("PRE_COMMIT"):
        return None
    local_ref = environ.get("PRE_COMMIT_LOCAL_BRANCH", "")
    return Update(
        local_ref,
        environ.get("PRE_COMMIT_TO_REF") or local_ref or "HEAD",
        environ.get("PRE_COMMIT_REMOTE_BRANCH", ""),
        environ.get("PRE_COMMIT_FROM_REF") or None,
    )


def branches(updates: Sequence[Update]) -> tuple[Update, ...]:
    """The updates of branches: tags and notes bring no code to compare."""
    wanted = ("", BRANCH)
    return tuple([one for one in updates if one.remote_ref[: len(BRANCH)] in wanted])


# ------------------------------------------------------------- what the hook says


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is said of one pushed branch.  All texts are hostile."""

    headline: str
    rows: tuple[tuple[str, ...], ...]
    """Cells of aligned columns."""
    against: str | None
    """The baseline in words; None: there is none, since a budget needs none."""
    command: str
    """Command that shows the whole comparison."""
    failed: bool
    """The gate failed; False: only a warning level was passed."""


def is_notable(report: Report) -> bool:
    """Whether a comparison gives cause to say anything."""
    return report.exit_code == 1 or any(
        row.amber and row.gated for row in report.comparisons
    )


def complain(name: str, report: Report, against: str | None, command: str) -> Complaint:
    """What is said of a notable comparison.

    `name` is the pushed branch; for `against` and `command` see `Complaint`.
    """
    failing = report.settings.fail_on
    gated = [row for row in report.comparisons if row.gated]
    red = [row for row in gated if row.verdict in failing]
    amber = [row for row in gated if row.amber and row.verdict not in failing]
    several = len(report.groups) > 1
    places = {
        group.id: f"{group.suite} on {group.testbed.name}" if several else ""
        for group in report.groups
    }
    shifts = [
        (group, shift)
        for group in report.groups
        for shift in group.shifts
        if shift.verdict in failing
    ]
    table = [_shift(group, shift, places[group.id]) for group, shift in shifts]
    outcomes = [
        (group, one)
        for group in report.groups
        for one in group.outcomes
        if one.verdict in failing
    ]
    table += [_outcomes(group, one, places[group.id]) for group, one in outcomes]
    table += [_row(row, places.get(row.group, "")) for row in red + amber]
    if len(table) > MAX_ROWS:
        table[MAX_ROWS:] = [("...", f"and {len(table) - MAX_ROWS:,} more")]
    counts = []
    for verdict in failing:
        whole = sum(shift.verdict is verdict for _, shift in shifts)
        counts.append((whole, f"suite{'s' * (whole > 1)} {verdict.value} as a whole"))
        suites = sum(one.verdict is verdict for _, one in outcomes)
        of_tasks = f"suite{'s' * (suites > 1)} {verdict.value} in all tasks together"
        counts.append((suites, of_tasks))
        counts.append((sum(row.verdict is verdict for row in red), verdict.value))
    counts.append((len(amber), "beyond the warning level"))
    words = ", ".join([f"{count:,} {what}" for count, what in counts if count])
    return Complaint(
        f"{name}: {words or report.reason or report.verdict.value}",
        tuple(table),
        against,
        command,
        report.exit_code == 1,
    )


def _shift(group: Group, shift: Shift, place: str) -> tuple[str, ...]:
    """A suite that moved as a whole."""
    from gitbench.units import format_change

    return (
        shift.verdict.value,
        f"all of suite {group.suite}",
        shift.metric,
        "",
        format_change(shift.change),
        "",
        place,
    )


def _outcomes(group: Group, one: Outcomes, place: str) -> tuple[str, ...]:
    """The tasks of a suite, judged together."""
    from gitbench.units import format_points

    flipped = f"{len(one.flipped_worse)} flipped" if one.flipped_worse else ""
    return (
        one.verdict.value,
        f"all tasks of suite {group.suite}",
        one.metric,
        f"{one.base_rate:.1%} -> {one.head_rate:.1%}",
        format_points(one.difference),
        flipped,
        place,
    )


def _row(row: Comparison, place: str) -> tuple[str, ...]:
    """One benchmark: what became of it, by how much, and how much is allowed."""
    from gitbench.model import REASONS
    from gitbench.units import format_change, format_points

    unit = row.metric.unit
    centers = [text for side in (row.base, row.head) if (text := _center(side, unit))]
    change, why = "", row.note or REASONS.get(row.reason or "", row.reason or "")
    if row.change is not None:
        change = format_change(row.change)
        adjusted = row.change_adjusted
        if adjusted is not None and abs(row.change - adjusted) > 0.01:
            change += f" ({format_change(adjusted)} without the suite's own shift)"
        if row.limit is not None and not why:
            why = f"limit {format_change(row.limit)}"
    if row.difference is not None:
        change = format_points(row.difference)
        if row.limit is not None and not why:
            why = f"limit {format_points(row.limit)}"
    return (
        "warning" if row.amber else row.verdict.value,
        row.benchmark.label,
        row.metric.name,
        " -> ".join(centers),
        change,
        why,
        place,
    )


def _center(side: SideSummary | None, unit: str) -> str:
    if side is None or side.center is None:
        return ""
    if side.trials is not None:
        return f"{side.passes}/{side.trials}"
    from gitbench.units import format_value

    return format_value(side.center, unit)


def ways_on(heads: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """What whoever was refused can do, each with its command; `heads` are the
    refused commits."""
    commits = " and ".join(heads[:3])
    return (
        ("noise?", f"measure {commits} once more and record it: sessions add up"),
        ("meant?", "gitbench accept BENCHMARK --reason TEXT, and commit gitbench.toml"),
        ("urgent?", f"git push --no-verify, or {SKIP}=1 git push"),
    )


# --------------------------------------------------------------- the hook's file


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the hook is, or was."""

    path: Path
    changed: bool
    """False: it was so already."""
    kept: Path | None
    """The hook that was there first: kept here by install, brought back from here
    by uninstall."""


def install(folder: Path, program: str | None) -> Placed:
    """Put the hook into `folder`; a hook that is there is kept and runs first.

    `program` is the gitbench to run where none is on the PATH.  Installing what is
    installed changes nothing.  Raises HookError.
    """
    path, kept = folder / NAME, folder / KEPT
    wanted = script(program)
    try:
        present = _read(path)
        foreign = present is not None and not present.startswith(MARK)
        _refuse_managed(folder, present if present and foreign else b"")
        if foreign and os.path.lexists(kept):
            raise HookError(
                f"{path} is no hook of gitbench, and {kept.name} beside it keeps an "
                "earlier one already; make one hook of the two, then install again."
            )
        if present == wanted and os.access(path, os.X_OK):
            return Placed(path, False, kept if os.path.lexists(kept) else None)
        folder.mkdir(parents=True, exist_ok=True)
        _write(path, wanted, kept if foreign else None)
    except OSError as exc:
        raise HookError(
            f"The hook {path} cannot be put in place ({exc.strerror or exc})."
        ) from exc
    return Placed(path, True, kept if os.path.lexists(kept) else None)


def uninstall(folder: Path) -> Placed:
    """Take the hook out of `folder`; one that was there before comes back as it was.

    Raises HookError if the hook there is none of ours.
    """
    path, kept = folder / NAME, folder / KEPT
    try:
        present = _read(path)
        if present is not None and not present.startswith(MARK):
            raise HookError(
                f"{path} is no hook of gitbench, so it was left alone; if it calls "
                "gitbench, take that line out of it."
            )
        if os.path.lexists(kept):
            kept.replace(path)
            return Placed(path, True, kept)
        path.unlink(missing_ok=True)
    except OSError as exc:
        raise HookError(
            f"The hook {path} cannot be removed ({exc.strerror or exc})."
        ) from exc
    return Placed(path, present is not None, None)


def script(program: str | None) -> bytes:
    """The shipped hook, told which gitbench to run where none is on the PATH."""
    shipped = _shipped(f"hooks/{NAME}")
    if program is None:
        return shipped
    import shlex

    line = b"installed=" + os.fsencode(shlex.quote(program))
    return shipped.replace(b"\ninstalled=\n", b"\n" + line + b"\n", 1)


def _shipped(name: str) -> bytes:
    """A file shipped with us: inside an installed package, beside it in a checkout.

    The package's own loader reads it, so that a zipped app works like a folder.
    """
    inside = gitbench.__path__[0]
    loader: Any = gitbench.__loader__
    for root in (inside, os.path.dirname(inside)):  # noqa: PTH120  may be in a zip
        try:
            data: bytes = loader.get_data(f"{root}/{name}")
        except OSError:
            continue
        return data
    raise HookError(f"{name} is missing from {inside}; install gitbench again.")


def _read(path: Path) -> bytes | None:
    """The start of a hook's file; None if there is none, empty for a dead link."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_HOOK)
    except FileNotFoundError:
        return b"" if path.is_symlink() else None


def _write(path: Path, content: bytes, kept: Path | None) -> None:
    """Write the hook beside its place and move it there; what is there goes to
    `kept` by name only, so that its bytes, mode and times stay its own."""
    import tempfile

    handle, name = tempfile.mkstemp(prefix=f".{NAME}-", dir=path.parent)
    ready = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        mask = os.umask(0)
        os.umask(mask)
        ready.chmod(0o777 & ~mask)
        if kept is not None:
            path.rename(kept)
        try:
            ready.replace(path)
        except OSError:
            if kept is not None:
                kept.rename(path)
            raise
    finally:
        ready.unlink(missing_ok=True)


def _refuse_managed(folder: Path, present: bytes) -> None:
    """Raise for a hooks folder whose manager writes the hooks anew.

    Such a manager would throw our file away at its next turn.  The hook of the
    pre-commit framework is chained like any other, since it does the same to ours.
    """
    if ".husky" in folder.parts:
        raise HookError(
            f"husky manages the hooks in {folder}; add this line to .husky/pre-push "
            'instead: gitbench hook run --remote "$1" --url "$2"'
        )
    if b"lefthook" in present.lower():
        raise HookError(
            f"lefthook manages {folder / NAME}; add a pre-push command to lefthook.yml "
            'instead, with run: gitbench hook run --remote "{1}" --url "{2}" and '
            "use_stdin: true"
        )

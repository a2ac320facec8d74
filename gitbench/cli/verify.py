"""`gitbench verify`: who signed the runs of a commit, and whether it holds."""

from __future__ import annotations

import json
from typing import Any

import click

from gitbench.cli import one_line
from gitbench.cli.tables import aligned
from gitbench.cli.workspace import open_workspace, ref_option, warn
from gitbench.errors import GitbenchError
from gitbench.export import moment
from gitbench.model import RecordedRun
from gitbench.store import provenance, signing
from gitbench.store.provenance import Vouched, Vouching

EPILOG = """\b
Examples:
  gitbench verify                  the runs on HEAD
  gitbench verify v1.2 --json

Exit codes: 0 every run has a good signature, 1 some have none, 3 nothing is recorded,
4 any other error.
"""


class NothingToVerifyError(GitbenchError):
    """The commit has no runs."""

    exit_code = 3


@click.command(epilog=EPILOG)
@click.argument("commit", default="HEAD")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@ref_option
def verify(commit: str, as_json: bool, ref: str | None) -> int:
    """Show who signed the runs of a commit (HEAD by default), and whether it holds.

    Keys are known as git knows them: by the key ring of gpg, or by the file that the
    git setting gpg.ssh.allowedSignersFile names.
    """
    work = open_workspace(ref)
    target = work.repository.resolve(commit)
    records = work.notes.records(target)
    for warning in records.warnings:
        warn(warning)
    if not records.runs:
        raise NothingToVerifyError(
            f"Nothing is recorded for {target[:12]}; see what is: gitbench log"
        )
    keys = signing.keys(work.repository, work.environ)
    vouched = provenance.Checker(keys).vouched(work.notes.note(target))
    rows = [(one, vouched[one.id]) for one in records.runs]
    if as_json:
        runs = [_as_json(one, signatures) for one, signatures in rows]
        click.echo(json.dumps({"commit": target, "runs": runs}, indent=2))
    else:
        _tell(rows)
    return 0 if all(one.state == signing.GOOD for _, one in rows) else 1


def _tell(rows: list[tuple[RecordedRun, Vouched]]) -> None:
    table = [("run", "suite", "testbed", "signature", "by", "key")]
    details = []
    for one, vouched in rows:
        for place, vouching in enumerate(vouched.signatures or (None,)):
            run = one.run
            what = (one.id, run.suite, run.testbed.name) if place == 0 else ("", "", "")
            table.append((*what, *_cells(vouching)))
            if vouching is not None and vouching.outcome.detail is not None:
                details.append(f"run {one.id}: {vouching.outcome.detail}")
    for line in aligned(table):
        click.echo(line)
    for detail in details:
        click.echo(one_line(detail), err=True)


def _cells(one: Vouching | None) -> tuple[str, str, str]:
    """State, signer and key; the name that nothing proves in brackets."""
    if one is None:
        return provenance.UNSIGNED, "", ""
    claimed = f"({one.signature.signer} by own account)"
    known = one.outcome.signer or (claimed if one.signature.signer else "")
    return one.outcome.state, known, one.outcome.key or ""


def _as_json(one: RecordedRun, vouched: Vouched) -> dict[str, Any]:
    return {
        "id": one.id,
        "suite": one.run.suite,
        "testbed": one.run.testbed.name,
        "state": vouched.state,
        "signatures": [
            {
                "state": each.outcome.state,
                "format": each.signature.format,
                "signer": each.outcome.signer,
                "key": each.outcome.key,
                "claimed_signer": each.signature.signer,
                "signed_at": moment(each.signature.time),
                "detail": each.outcome.detail,
            }
            for each in vouched.signatures
        ],
    }

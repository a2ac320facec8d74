"""What is recorded along a line of commits: from the index where that pays.

The notes and the index give the same answers.  A short answer is sooner read from
the notes than an index is built, so the index is made when a question turns out to
need more than a few hundred notes, and used from then on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from gitbench.cli.workspace import Workspace, warn
from gitbench.store.facts import Answer, NotesHistory, Question
from gitbench.store.repository import Commit

if TYPE_CHECKING:
    from gitbench.store.index import Progress

PATIENCE = 200
"""Notes that are read before an index is made instead; about half a second."""

WORTH_A_BAR = 500
"""Notes from which indexing is shown."""


class History(Protocol):
    """The notes, or the index."""

    def annotated(self) -> set[str]: ...
    def answers(self, commits: Iterable[Commit]) -> Iterator[Answer]: ...


class _TooMuch(Exception):
    """The answer takes more notes than it is patient for."""


def search(
    work: Workspace,
    revision: str,
    question: Question,
    max_count: int | None = None,
    use_index: bool | None = None,
) -> tuple[Answer, ...]:
    """Commits with answers to a question, newest first along first parents, at most
    `max_count` of them; says what could not be read.

    `use_index`: True builds the index or brings it up to date first, False leaves it
    alone, None does what is quicker.
    """
    answers, warnings = _search(
        work, work.repository.resolve(revision), question, max_count, use_index
    )
    for warning in warnings:
        warn(warning)
    return answers


Found = tuple[tuple[Answer, ...], list[str]]


def _search(
    work: Workspace,
    start: str,
    question: Question,
    max_count: int | None,
    use_index: bool | None,
) -> Found:
    notes = NotesHistory(work.notes, question)
    if use_index is None:
        found = _from_index(work, start, question, max_count, most=PATIENCE)
        if found is not None:
            return found
        try:
            return _collect(work, notes, start, max_count, PATIENCE)
        except _TooMuch:
            use_index = True
    if use_index:
        found = _from_index(work, start, question, max_count, most=None)
        if found is not None:
            return found
    return _collect(work, notes, start, max_count)


def _from_index(
    work: Workspace,
    start: str,
    question: Question,
    max_count: int | None,
    most: int | None,
) -> Found | None:
    """The answer of the index, or None where there is none to be had."""
    from gitbench.store import index

    if most is not None and not index.path_of(work.notes).exists():
        return None
    try:
        with (
            _bar() as progress,
            closing(index.open_index(work.notes, most=most, progress=progress)) as one,
        ):
            return _collect(work, one.history(question), start, max_count)
    except index.IndexBroken:
        index.discard(work.notes)
    except index.IndexUnusable:
        pass
    return None


def _collect(
    work: Workspace,
    history: History,
    start: str,
    max_count: int | None,
    patience: int | None = None,
) -> Found:
    found: list[Answer] = []
    warnings: list[str] = []
    commits = _along(work, start, history.annotated())
    for count, answer in enumerate(history.answers(commits)):
        if patience is not None and count >= patience:
            raise _TooMuch
        warnings += answer.warnings
        if answer.runs:
            found.append(answer)
        if len(found) == max_count:
            break
    return tuple(found), warnings


def _along(work: Workspace, start: str, annotated: set[str]) -> Iterator[Commit]:
    """The commits of a first-parent line that have notes; stops after the last."""
    if not annotated:
        return
    for commit in work.repository.first_parents(start):
        if commit.id in annotated:
            annotated.discard(commit.id)
            yield commit
            if not annotated:
                return


@contextmanager
def _bar() -> Iterator[Progress | None]:
    """A progress bar on a terminal, shown once there is much to do."""
    if not sys.stderr.isatty():
        yield None
        return
    bar = None

    def progress(done: int, total: int) -> None:
        nonlocal bar
        if bar is None and total >= WORTH_A_BAR:
            bar = click.progressbar(
                length=total, label="Indexing the notes, once", file=sys.stderr
            )
            bar.__enter__()
        if bar is not None:
            bar.update(done - bar.pos)
            if done == total:
                bar.__exit__(None, None, None)
                bar = None

    try:
        yield progress
    finally:
        if bar is not None:
            bar.__exit__(None, None, None)

"""Histories of the notes ref that were replaced, and which of two goes on.

Compacting replaces the history by one commit without parents that names, in
trailers, what it replaces.  From then on there are two histories without a common
commit: of clones that know it and of those that do not.  A merge with both as parents
would bring the old one back, so that a single old clone undoes the compaction;
instead the union of the content goes on top of the history that replaced the other.
"""

from __future__ import annotations

from collections.abc import Iterable

from gitbench.store.repository import Repository

TRAILER = "Gitbench-Compacts: "
_HEX = frozenset("0123456789abcdef")


def compactions(
    repository: Repository, tip: str, hidden: str | None = None
) -> dict[str, frozenset[str]]:
    """Compaction commits that `tip` reaches and `hidden` does not, each with the
    ids of the commits that it names."""
    found = {}
    for id_, message in repository.roots(tip, hidden):
        named = _named(message)
        if named:
            found[id_] = named
    return found


def _named(message: str) -> frozenset[str]:
    words = (
        line.removeprefix(TRAILER).strip()
        for line in message.splitlines()
        if line.startswith(TRAILER)
    )
    return frozenset(w for w in words if len(w) in (40, 64) and _HEX.issuperset(w))


def message(repository: Repository, tips: Iterable[str], commits: int) -> str:
    """Message of the commit that replaces the histories of `tips`.

    It names the tips, the compactions within their histories and all that those
    name, so that a clone knows it for the successor of any of them, even if it
    never saw the steps between.
    """
    tips = list(tips)
    named: dict[str, None] = dict.fromkeys(tips)
    for tip in tips:
        for id_, older in sorted(compactions(repository, tip).items()):
            named.setdefault(id_)
            named.update(dict.fromkeys(sorted(older)))
    plural = "s" if commits != 1 else ""
    trailers = "".join(f"{TRAILER}{id_}\n" for id_ in named)
    return f"gitbench: compact {commits} commit{plural}\n\n{trailers}"


def successor(repository: Repository, ours: str, theirs: str) -> str | None:
    """Which of two tips, neither of them an ancestor of the other, a union goes on
    top of as its only parent; None for both, the plain case.

    The history with a compaction that the other lacks goes on.  If each has one,
    that which names the other's goes on; if neither does, theirs, because what is
    on a remote cannot be replaced without force.
    """
    new = compactions(repository, theirs, hidden=ours)
    own = compactions(repository, ours, hidden=theirs)
    if not new and not own:
        return None
    if not new or (own and covers(own, new)):
        return ours
    return theirs


def covers(
    later: dict[str, frozenset[str]], earlier: dict[str, frozenset[str]]
) -> bool:
    """Whether the later compactions name all the earlier ones."""
    return earlier.keys() <= frozenset[str]().union(*later.values())

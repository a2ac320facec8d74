"""Readers of other packages, by the entry point group `gitbench.formats`.

An entry point's name is the tool's name for `--tool`; its object has
`looks_like(document) -> bool` and `read(document) -> tuple[Reading, ...]`, as a module
or otherwise.  What is installed beside gitbench is trusted as gitbench itself is; it is
looked up only when no reader of our own fits, since that takes 30 ms.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from gitbench.formats.document import Document, FormatError, quoted
from gitbench.model import Reading

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "gitbench.formats"


@cache
def _entries() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=GROUP)}


def names() -> tuple[str, ...]:
    """Names of the tools that installed packages read."""
    return tuple(sorted(_entries()))


def find(tool: str) -> Callable[[Document], tuple[Reading, ...]] | None:
    """The reader of `tool`; None if no installed package has one."""
    if tool not in _entries():
        return None
    plugin = _load(tool)

    def read(document: Document) -> tuple[Reading, ...]:
        return _checked(tool, _call(tool, plugin.read, document))

    return read


def detect(document: Document) -> tuple[str, ...]:
    """The tools of installed packages that `document` may come from."""
    return tuple(
        tool
        for tool in names()
        if _call(tool, _load(tool).looks_like, document) is True
    )


def _load(tool: str) -> Any:
    entry = _entries()[tool]
    try:
        plugin = entry.load()
        for name in ("looks_like", "read"):
            if not callable(getattr(plugin, name, None)):
                raise _error(tool, f"its object {entry.value!r} lacks {name}()")
    except (ImportError, AttributeError, SyntaxError) as exc:
        raise _error(tool, f"{entry.value!r} cannot be loaded ({exc})") from exc
    return plugin


def _call(tool: str, function: Callable[[Document], Any], document: Document) -> Any:
    """What a plugin returns; whatever it raises is its bug, told as such."""
    try:
        return function(document)
    except FormatError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
        raise _error(tool, f"it failed with {type(exc).__name__}: {exc}") from exc


def _checked(tool: str, found: Any) -> tuple[Reading, ...]:
    if (
        not isinstance(found, tuple)
        or not found
        or not all(isinstance(one, Reading) for one in found)
    ):
        raise _error(tool, "it returned something else than a tuple of readings")
    return found


def _error(tool: str, reason: str) -> FormatError:
    return FormatError(
        "",
        f"The plugin that reads {quoted(tool)} is at fault: {reason[:300]}. Report it "
        "to its authors, or uninstall it.",
    )

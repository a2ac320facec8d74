"""gitbench/run/1, one run a line: complete, so that it can be recorded again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TextIO

from gitbench.export import run_json
from gitbench.exporting import Item

_LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}
"""No line ends to JSON, but to programs that split text by Unicode's rules."""


def write(items: Iterable[Item], out: TextIO) -> tuple[str, ...]:
    """Write runs as JSON lines; a run of which measurements were left out has no id."""
    for item in items:
        content = run_json(item.run)
        if item.whole:
            content = {"schema": content.pop("schema"), "id": item.id, **content}
        text = json.dumps(content, ensure_ascii=False)
        out.write(text.translate(_LINE_ENDS) + "\n")
    return ()

"""gitbench/run/1, one run a line: complete, so that it can be recorded again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TextIO

from gitbench.export import run_json
from gitbench.exporting import Item


def write(items: Iterable[Item], out: TextIO) -> tuple[str, ...]:
    """Write runs as JSON lines; a run of which measurements were left out has no id."""
    for item in items:
        content = run_json(item.run)
        if item.whole:
            content = {"schema": content.pop("schema"), "id": item.id, **content}
        out.write(json.dumps(content, ensure_ascii=False) + "\n")
    return ()

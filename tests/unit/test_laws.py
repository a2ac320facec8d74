"""The argument that nothing is lost stands on tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/explanation/nothing-is-lost.md"


def functions_of(path: Path) -> set[str]:
    """Names of the test functions of a file."""
    body = ast.parse(path.read_text("utf-8")).body
    return {one.name for one in body if isinstance(one, ast.FunctionDef)}


def test_each_law_names_tests_that_exist() -> None:
    """Every test that the page names is in its file, and every law names one."""
    text = PAGE.read_text("utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert text.count("tests/") == len(named)
    absent = [one for one in named if one[1] not in functions_of(ROOT / one[0])]
    assert [] == absent
    laws = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert [] == [law[:40] for law in laws if law[0].isdigit() and "::" not in law]
    assert 8 == sum(law[0].isdigit() for law in laws)

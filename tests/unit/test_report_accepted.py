"""How reports show accepted changes and limits that follow from noise."""

from __future__ import annotations

import pytest

from gitbench.model import Rule, Settings, Verdict
from gitbench.report import FORMATS, Options, render
from tests.golden.reports import group, report, row

HOSTILE = "::error::pwned\x1b[31m <script> | `x` @team ##[group]"


def accepted(reason: str, count: int = 1) -> str:
    """Rows that were accepted for one reason, as text."""
    rows = [row(f"b{n}", Verdict.ACCEPTED, 0.1, note=reason) for n in range(count)]
    return render(report(rows, [group(Verdict.ACCEPTED)]), "text")


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_gives_the_reason(fmt: str) -> None:
    """The reason of an accepted change stands in each format, also where rows are
    folded."""
    rows = [row(f"b{n}", Verdict.ACCEPTED, 0.1, note=f"why-{n}") for n in range(30)]
    text = render(report(rows, [group(Verdict.ACCEPTED)]), fmt, Options(all_rows=False))
    assert "why-0" in text
    assert "why-9" in text
    if fmt != "markdown":
        assert "why-29" in text
    else:
        assert "20 more, for other reasons" in text


def test_rows_with_one_reason_are_told_together() -> None:
    """Five are named, the others counted; the reason stands once."""
    text = accepted("new interpreter", 8)
    assert text.count("new interpreter") == 1
    assert "3 more: new interpreter" in " ".join(text.split())


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_reason_is_hostile(fmt: str) -> None:
    """Nothing in a reason is obeyed by a terminal, a log, a page or a host."""
    rows = [row("sort", Verdict.ACCEPTED, 0.1, note=HOSTILE)]
    text = render(report(rows, [group(Verdict.ACCEPTED)]), fmt)
    assert "\x1b" not in text
    assert "##[group]" not in text
    if fmt in ("html", "junit"):
        assert "<script>" not in text
    assert not any(line.strip().startswith("::") for line in text.splitlines())


def test_an_automatic_limit_is_marked() -> None:
    """Limits that follow from noise say so, even where their numbers are alike."""
    rows = [
        row("quiet", Verdict.UNCHANGED, 0.0, threshold_auto=True, limit=0.026),
        row("fixed", Verdict.UNCHANGED, 0.0, limit=0.026),
    ]
    text = render(
        report(rows, [group(Verdict.UNCHANGED)]),
        "text",
        Options(width=140, all_rows=True),
    )
    quiet, fixed = (
        next(line for line in text.splitlines() if name in line)
        for name in ("quiet", "fixed")
    )
    assert "+2.6 % (auto)" in quiet
    assert "(auto)" not in fixed


def test_weak_rows_mention_rules_that_differ() -> None:
    """Where a rule says otherwise of weak rows, the sentence does not claim all."""
    rows = [row("sort", Verdict.INCONCLUSIVE, 0.1, weak=True, reason="one-session")]
    settings = Settings(rules=(Rule(benchmark="io/*", weak="never"),))
    words = "A rule may say otherwise"
    told = report(rows, [group(Verdict.INCONCLUSIVE)], settings=settings)
    assert words in " ".join(render(told, "text").split())
    plain = report(rows, [group(Verdict.INCONCLUSIVE)])
    assert words not in " ".join(render(plain, "text").split())

"""The counts as tables, in text, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.calibration import aims, rules
from benchmarks.calibration.counts import FEW, Results, Share
from benchmarks.calibration.replay import (
    CUT_FACTORS,
    CUT_SIZES,
    EXTENTS,
    FACTORS,
    SESSIONS,
    SPIKE,
    STEP,
    STEP_BACK,
)

SCHEMA = "gitbench-calibration/1"
WORDS = {
    "one": "one row",
    "tenth": "a tenth of the rows",
    "most": "60 % of the rows",
    "all": "all rows",
}
RANKS = "rows of two runs in a row, Mann-Whitney p < .05 either way"
RULE_SESSIONS = (1, 3, 10)


@dataclass(frozen=True)
class Table:
    """A table under a heading."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    level: int = 3
    note: str = ""


def percent(value: float) -> str:
    """A share in per cent, one decimal below ten; not 0 or 100 unless it is."""
    shown = 100 * value
    if 0 < shown < 0.05:
        return "<0.1"
    if 99.5 <= shown < 100:
        return ">99"
    return f"{shown:.1f}" if 0 < shown < 9.95 else f"{shown:.0f}"


def words(share: Share | None) -> str:
    """A share as `2/38, 5.3 % (1.5–17)`; a dash if nothing was tried."""
    if share is None:
        return "-"
    return (
        f"{share.hits}/{share.trials}, {percent(share.value)} % "
        f"({percent(share.low)}–{percent(share.high)})"
    )


def change(factor: float) -> str:
    """A factor as people write it."""
    return f"{factor:g} x" if factor >= 2 else f"+{round(100 * (factor - 1))} %"


# ------------------------------------------------------------------------ the tables


def aims_table(results: Results) -> Table:
    """The checklist."""
    rows = []
    for one in aims.held(results):
        sign = ">=" if one.aim.least else "<="
        rows.append(
            (
                one.aim.text,
                one.group,
                f"{sign} {percent(one.limit)} %",
                f"{one.share.hits} of {one.share.trials}",
                f"{percent(one.share.value)} %",
                f"{percent(one.share.low)}–{percent(one.share.high)} %",
                "met" if one.met else "NOT MET",
            )
        )
    header = ("aim", "class", "bound", "count", "share", "95 % interval", "")
    return Table(
        "Aims",
        header,
        tuple(rows),
        level=2,
        note="From 3 sessions on (3, 5 and 10 pooled), unless an aim says otherwise; "
        "the false verdicts from 2 on.  Sources with one value a run never have the "
        "five values that the rule for one session needs.",
    )


def group_tables(results: Results, sources: Sequence[str]) -> Iterator[Table]:
    """All that was counted of some sources, pooled."""
    ks = results.sessions(sources)
    header = tuple(f"k = {k}" for k in ks)

    def line(
        name: str,
        scenes: Sequence[str],
        measure: str,
        factor: float = 1.0,
        rule: str = "gitbench",
    ) -> tuple[str, ...]:
        shares = [
            results.share(
                sources,
                scenes,
                [measure],
                sessions=[k],
                factors=[factor],
                rule=rule,
            )
            for k in ks
        ]
        return (name, *map(words, shares))

    def table(
        title: str, rows: Iterable[tuple[str, ...]], *, hits: bool = False
    ) -> Table:
        """Lines without a trial are left out; with `hits`, those without a hit."""
        told = tuple(
            row
            for row in rows
            if any(cell != "-" and not (hits and cell[:2] == "0/") for cell in row[1:])
        )
        note = "Lines without any hit are left out." if hits else ""
        return Table(title, ("", *header), told, level=4, note=note)

    yield table(
        "Unchanged code",
        [
            line("comparisons with any alarm", ["whole"], "comparison"),
            line("comparisons whose suite is red", ["whole"], "shift"),
            line("rows regressed", ["whole"], "row"),
            line("rows improved", ["whole"], "improved"),
            line("rows decided", ["whole"], "decided"),
            line(RANKS, ["whole"], "different", rule=rules.RULES[0].name),
            *(
                line(_rows(size) + ", any alarm", [f"{size} rows"], "comparison")
                for size in CUT_SIZES
            ),
            *(
                line(_rows(size) + ", rows decided", [f"{size} rows"], "decided")
                for size in CUT_SIZES
            ),
        ],
    )
    found = []
    for extent in EXTENTS:
        for factor in FACTORS:
            name = f"{WORDS[extent]} {change(factor)}"
            found.append(line(name, [extent], "found", factor))
            if extent in ("most", "all"):
                found.append(line(f"{name}, suite red", [extent], "suite", factor))
                found.append(
                    line(f"{name}, suite or any row", [extent], "noticed", factor)
                )
    for size in CUT_SIZES:
        for factor in CUT_FACTORS:
            name = f"{_rows(size)}, one {change(factor)}"
            found.append(line(name, [f"{size} rows"], "found", factor))
    yield table("Rows made slower that are called regressed", found)
    yield table("What else is said when rows are slower", _claims(line), hits=True)
    yield table("A step in the window, a second head session", _more(line))


def _rows(size: int) -> str:
    return f"suites of {size} row" + ("s" if size > 1 else "")


def _claims(line: object) -> Iterator[tuple[str, ...]]:
    assert callable(line)
    some = EXTENTS[:-1]
    for factor in FACTORS:
        for verdict in ("unchanged", "no-regression", "improved"):
            yield line(f"{change(factor)}: {verdict}", some, verdict, factor)
        for word in ("red", "improved"):
            name = f"{change(factor)}, the other rows: {word}"
            yield line(name, some, f"other {word}", factor)
    for factor in FACTORS:
        for verdict in ("unchanged", "no-regression", "improved"):
            yield line(
                f"all rows {change(factor)}: {verdict}", ["all"], verdict, factor
            )


def _more(line: object) -> Iterator[tuple[str, ...]]:
    assert callable(line)
    for back in sorted({back for some in STEP_BACK.values() for back in some}):
        name = f"a tenth {change(STEP)} since {back} session{'s' if back > 1 else ''}"
        yield line(f"{name}, head as well: regressed", [f"step {back}"], "row")
        yield line(f"{name}, head +10 % more: found", [f"step {back}"], "found", 1.1)
    spike = f"one row {change(SPIKE)}"
    yield line(f"{spike}, red", ["spike"], "once", SPIKE)
    yield line(f"{spike}, red still when measured again", ["spike"], "then not", SPIKE)
    yield line("one row +10 %, red", ["again"], "once", 1.1)
    yield line("one row +10 %, red when measured twice", ["again"], "twice", 1.1)


def rules_table(results: Results, group: str, sources: Sequence[str]) -> Table:
    """Our rule and those of other tools on the same values."""
    rows = []
    for k in (k for k in RULE_SESSIONS if k in results.sessions(sources)):
        for rule in ("gitbench", *(one.name for one in rules.RULES)):
            shares = [
                results.share(
                    sources,
                    [scene],
                    [measure],
                    sessions=[k],
                    factors=[factor],
                    rule=rule,
                )
                for scene, measure, factor in (
                    ("whole", "comparison", 1.0),
                    ("whole", "row", 1.0),
                    ("tenth", "found", 1.1),
                    ("tenth", "found", 3.0),
                )
            ]
            rows.append((str(k), rule, *map(words, shares)))
    header = ("k", "rule", "any alarm", "rows red", "+10 % found", "3 x found")
    return Table(group, header, tuple(rows))


def digest(results: Results) -> Table:
    """The main figures of each class, for a page that only refers to them."""
    shown = (
        (["whole"], "comparison", 1.0),
        (["tenth"], "found", 1.1),
        (["tenth"], "found", 3.0),
        (["all"], "suite", 1.1),
        (["whole"], "decided", 1.0),
    )
    rows = []
    for group, sources in results.groups.items():
        for k in results.sessions(sources):
            cells = []
            for scenes, measure, factor in shown:
                share = results.share(
                    sources, scenes, [measure], sessions=[k], factors=[factor]
                )
                if share is None:
                    cells.append("-")
                elif measure in ("comparison", "suite"):
                    cells.append(f"{share.hits} of {share.trials}")
                else:
                    cells.append(f"{percent(share.value)} %")
            rows.append((group, str(k), *cells))
    header = (
        "class",
        "sessions",
        "alarms",
        "+10 % found",
        "3 x found",
        "suite +10 % found",
        "decided",
    )
    return Table("How often it is wrong", header, tuple(rows))


def all_tables(results: Results) -> list[Table]:
    """Everything, the aims first."""
    found = [aims_table(results)]
    groups = results.groups
    found.append(Table("Rules compared", (), (), level=2))
    found += [rules_table(results, *item) for item in groups.items()]
    found.append(Table("Classes", (), (), level=2))
    for group, sources in groups.items():
        found += _under(results, f"Class {group}: {', '.join(sources)}", sources)
    alone = {some[0] for some in groups.values() if len(some) == 1}
    rest = [source for source in results.classes if source not in alone]
    if rest:
        note = f"{', '.join(sorted(alone))}: see the class." if alone else ""
        found.append(Table("Sources", (), (), level=2, note=note))
    for source in rest:
        found += _under(results, f"Source {source}", (source,))
    return found


def _under(results: Results, title: str, sources: Sequence[str]) -> list[Table]:
    count = results.count(sources)
    told = f"{count} sequence{'' if count == 1 else 's'}."
    if count == 1:
        told += (
            " The intervals take its trials for independent, so they are too narrow."
        )
    elif count < FEW:
        told += " So few say little about others like them."
    return [Table(title, (), (), note=told), *group_tables(results, sources)]


# ----------------------------------------------------------------------- the formats


def text(tables: Sequence[Table]) -> str:
    """For a terminal."""
    lines = []
    for one in tables:
        mark = {2: "=", 3: "-"}.get(one.level, "")
        lines += ["", one.title, *([mark * len(one.title)] if mark else [])]
        lines += [one.note] if one.note else []
        rows = [one.header, *one.rows] if one.rows else []
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = zip(row, widths, strict=True)
            lines.append("  ".join(c.ljust(w) for c, w in cells).rstrip())
    return "\n".join(lines) + "\n"


def markdown(tables: Sequence[Table]) -> str:
    """For a page."""
    lines = []
    for one in tables:
        lines += [f"{'#' * one.level} {one.title}", ""]
        lines += [one.note, ""] if one.note else []
        lines += [*_grid(one), ""] if one.rows else []
    return "\n".join(lines)


def grid(table: Table) -> str:
    """A table without its heading, for a page."""
    return "\n".join(_grid(table)) + "\n"


def _grid(table: Table) -> list[str]:
    rows = [table.header, ("---",) * len(table.header), *table.rows]
    return ["| " + " | ".join(row) + " |" for row in rows]


def document(results: Results, facts: dict[str, object]) -> str:
    """All counts and aims as JSON."""
    cells = sorted({c for counts in results.sequences.values() for c in counts})
    counts = []
    groups = {f"class:{g}": s for g, s in results.groups.items()}
    groups |= {f"source:{s}": (s,) for s in results.classes}
    for name, sources in groups.items():
        for cell in cells:
            share = results.share(
                sources,
                [cell.scene],
                [cell.measure],
                sessions=[cell.sessions],
                factors=[cell.factor],
                rule=cell.rule,
            )
            if share is not None:
                counts.append({"of": name, **cell._asdict(), **_numbers(share)})
    held = [
        {
            "aim": one.aim.text,
            "class": one.group,
            "bound": one.limit,
            "at_least": one.aim.least,
            **_numbers(one.share),
            "met": one.met,
        }
        for one in aims.held(results)
    ]
    found = {"schema": SCHEMA, **facts, "sessions": SESSIONS}
    return json.dumps({**found, "aims": held, "counts": counts}, indent=1)


def _numbers(share: Share) -> dict[str, float]:
    return {
        "hits": share.hits,
        "trials": share.trials,
        "sequences": share.sequences,
        "low": share.low,
        "high": share.high,
    }

"""iai, iai-callgrind and gungraun: printed counts, and their JSON."""

from __future__ import annotations

import json

import pytest

from gitbench.model import Better, Kind
from tests.readings import DATA, by_name, read, refusal, text

SHORT = "counts::numbers::fibonacci [args=10, id=short]"
MANY = "counts::numbers::sorted [args=500, id=many_1]"


def test_counts_that_iai_prints() -> None:
    """Five counts a benchmark; only fewer instructions and cycles are known better."""
    rows = by_name(read("iai/iai.txt"))
    assert len(rows) == 10
    one = rows["long", "instructions"]
    assert one.processes == ((6862.0,),)
    assert (one.metric.kind, one.metric.better) == (Kind.EXACT, Better.LOWER)
    cycles = rows["long", "estimated_cycles"]
    assert cycles.processes == ((12533.0,),)
    assert (cycles.metric.kind, cycles.metric.better) == (Kind.COUNT, Better.LOWER)
    assert rows["short", "l1_accesses"].metric.better is Better.NONE


@pytest.mark.parametrize("name", ["iai-callgrind", "gungraun"])
def test_text_and_json_say_the_same(name: str) -> None:
    """Both outputs of one version give the same measurements."""
    printed = by_name(read(f"iai/{name}.txt"))
    summaries = by_name(read(f"iai/{name}.json"))
    assert printed == summaries
    assert len(printed) == 2 * 6 + 2 * 14


def test_iai_callgrind_names_and_tools() -> None:
    """Function, id and arguments; DHAT's bytes and blocks beside callgrind's counts."""
    rows = by_name(read("iai/iai-callgrind.txt"))
    assert rows[SHORT, "instructions"].processes == ((1789.0,),)
    assert rows[MANY, "allocated"].processes == ((4000.0,),)
    assert rows[MANY, "allocated"].metric.unit == "B"
    assert rows[MANY, "allocations"].metric.kind is Kind.EXACT
    assert rows[MANY, "peak_memory"].processes == ((4000.0,),)


def test_gungraun_tells_its_start() -> None:
    """The earliest start of a benchmark is that of the run."""
    assert read("iai/gungraun.json").started_at == 1795436533497
    assert read("iai/gungraun.txt").started_at is None


def test_summaries_in_an_array() -> None:
    """What `jq -s` makes of the lines is read as well."""
    lines = (DATA / "iai/gungraun.json").read_text().splitlines()
    rows = by_name(text(f"[{','.join(lines)}]", "iai"))
    assert rows == by_name(read("iai/gungraun.json"))


def test_only_new_counts_are_read() -> None:
    """An older count alone, and benchmarks held against each other, are left out."""
    printed = (
        "a::b::f id:1\n"
        "  Instructions:           12|34              (-64%) [-2x]\n"
        "  L1 Hits:               N/A|5               (*********)\n"
        "  Comparison with f other:2\n"
        "  Instructions:           12|99              (-87%) [-8x]\n"
        "a::b::g\n"
        "  Instructions:            7|N/A             (*********)\n"
    )
    rows = by_name(text(printed, "iai"))
    values = {key: one.processes[0][0] for key, one in rows.items()}
    assert values == {
        ("a::b::f [args=1, id=id]", "instructions"): 12.0,
        ("a::b::g", "instructions"): 7.0,
    }


def test_the_same_count_of_two_tools_has_two_names() -> None:
    """Cachegrind counts instructions too; its count bears its name."""
    printed = (
        "a::b::f\n"
        "  ======= CALLGRIND =======\n"
        "  Instructions:           12|N/A              (*********)\n"
        "  ======= CACHEGRIND =======\n"
        "  Instructions:           13|N/A              (*********)\n"
        "  ======= MEMCHECK =======\n"
        "  Errors:                  2|N/A              (*********)\n"
    )
    rows = by_name(text(printed, "iai"))
    assert rows["a::b::f", "instructions"].processes == ((12.0,),)
    assert rows["a::b::f", "cachegrind_instructions"].processes == ((13.0,),)
    assert rows["a::b::f", "errors"].metric.better is Better.LOWER


def test_outputs_that_are_cut_off() -> None:
    """A last benchmark with fewer counts, half a line, half a summary."""
    whole = (DATA / "iai/iai.txt").read_text().rstrip()
    assert "no estimated cycles, as others have" in refusal(
        whole[: whole.rindex("  RAM")]
    )
    half = (DATA / "iai/iai-callgrind.txt").read_text()
    half = half[: half.index("|N/A")]
    assert "line 7: the line does not end" in refusal(half)
    assert "is no count" in refusal(f"{half}|N/A (****")
    lines = (DATA / "iai/gungraun.json").read_text()
    assert "cut off" in refusal(lines[:5000], "iai")
    assert "no benchmark with a line" in refusal("running 0 tests\n", "iai")


def test_summaries_that_cannot_be_read() -> None:
    """A version without profiles, NaN, and a name that stands twice."""
    old = {"module_path": "a::f", "function_name": "f", "callgrind_summary": {}}
    assert "which is not read; record what" in refusal(json.dumps(old), "iai")
    line = (DATA / "iai/gungraun.json").read_text().splitlines()[0]
    assert "stands there twice" in refusal(f"{line}\n{line}")
    assert "it is NaN" in refusal(line.replace('"new":1789', '"new":NaN'))

"""The block of rules in a settings file: every other byte stays."""

from __future__ import annotations

import stat
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.cli.files import OutputError, write_whole
from gitbench.config import ConfigError, load
from gitbench.config.rules_block import (
    FIRST,
    LAST,
    NoiseRule,
    with_block,
    without_block,
)

RULE = NoiseRule("sort [[]n=1[]]", "duration", "unit", 12, "8 sessions vary by 2 %")
DAY = "2026-01-02"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# mine\n",
        'window = 5  # mine\n\n[[rule]]\nbenchmark = "x"\nthreshold = "7%"\n',
        "window = 5\r\n# mine\r\n",
        "window = 5",
    ],
)
def test_a_block_goes_in_and_out_again(text: str) -> None:
    """What is not the block keeps its bytes, and a second writing changes nothing."""
    once = with_block(text, [RULE], DAY)
    assert once.startswith(text)
    assert with_block(once, [RULE], DAY) == once
    assert ("\r\n" in once) == ("\r\n" in text)
    assert without_block(once).rstrip("\r\n") == text.rstrip("\r\n")
    assert with_block(once, [], DAY).rstrip("\r\n") == text.rstrip("\r\n")
    config = load(once, "test")
    assert config.rules[-1].benchmark == RULE.benchmark
    assert config.rules[-1].threshold == pytest.approx(0.12)


def test_what_stands_behind_the_block_stays_behind() -> None:
    """The block is replaced where it stands."""
    text = with_block("window = 5\n", [RULE], DAY) + '[hook]\npolicy = "warn"\n'
    other = NoiseRule("other", "duration", "unit", 30, "noise")
    again = with_block(text, [other, RULE], "2026-02-03")
    assert again.startswith("window = 5\n\n" + FIRST)
    assert again.endswith(LAST + '\n[hook]\npolicy = "warn"\n')
    assert [rule.benchmark for rule in load(again, "test").rules] == [
        "other",
        RULE.benchmark,
    ]


@pytest.mark.parametrize(
    "text",
    [f"{FIRST}\n", f"{LAST}\n", f"{LAST}\n{FIRST}\n", f"{FIRST}\n{LAST}\n{FIRST}\n"],
)
def test_half_a_block_is_refused(text: str) -> None:
    """Nobody guesses where a damaged block ends."""
    with pytest.raises(ConfigError, match="do not stand there once each"):
        with_block(text, [RULE], DAY)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_any_name_is_written_and_read_back(name: str) -> None:
    """A glob of any name survives TOML, and fits that very name."""
    rule = NoiseRule(escape(name), "duration", "unit", 7, "noise")
    found = load(with_block("", [rule], DAY), "test").rules[0].benchmark
    assert found == escape(name)
    assert fnmatchcase(name, found)


def test_a_replaced_file_keeps_its_mode_and_its_links(tmp_path: Path) -> None:
    """A settings file behind a link is replaced, the link is not."""
    real = tmp_path / "real.toml"
    real.write_text("a")
    real.chmod(0o640)
    link = tmp_path / "gitbench.toml"
    link.symlink_to(real)
    write_whole(link, "b\r\n")
    assert link.is_symlink()
    assert real.read_bytes() == b"b\r\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "gitbench.toml",
        "real.toml",
    ]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """What cannot be written is said, with the path."""
    with pytest.raises(OutputError, match="cannot be written"):
        write_whole(tmp_path / "no" / "gitbench.toml", "x")

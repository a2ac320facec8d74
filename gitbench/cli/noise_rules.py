"""The rules that noisy rows get from `gitbench calibrate --write`."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from gitbench.cli.files import write_whole
from gitbench.cli.workspace import Workspace
from gitbench.config import OWN_FILE, SHARED_FILE, Config, ConfigError, load_from_files
from gitbench.config.rules_block import (
    NoiseRule,
    with_block,
    without_block,
)
from gitbench.model import Rule

if TYPE_CHECKING:
    from gitbench.compare.noise import Noise, Past, RowNoise


@dataclass(frozen=True, slots=True)
class Blocked:
    """A noisy row that an own rule of the user's decides."""

    row: RowNoise
    percent: int
    rule: Rule


@dataclass(frozen=True, slots=True)
class Written:
    """What was done to the settings file."""

    path: Path
    rules: tuple[NoiseRule, ...]
    blocked: tuple[Blocked, ...]
    changed: bool
    measured: int
    """Rows whose noise is known well enough for a rule."""


def write(work: Workspace, pasts: Sequence[Past], what: str = "sessions") -> Written:
    """Put a rule for each noisy row into the settings file of the work tree.

    Noise and thresholds are judged without the rules of an earlier call, so that the
    same history gives the same file.  Raises ConfigError, and leaves the file as it
    is, if the result could not be read.  `what` the pasts hold is told in a comment.
    """
    from gitbench.compare.noise import measure

    root = work.repository.work_tree
    if root is None:
        raise ConfigError("A bare repository has no settings file to write to.")
    path = Path(work.config.source) if work.config.source else root / OWN_FILE
    text = _read(path)
    bare = _load(path, without_block(text))
    settings = replace(bare.settings(), required=(), accepts=())
    noise = measure(pasts, settings)
    rules, blocked = noisy_rules(noise, pasts, bare, what)
    section = "tool.gitbench." if path.name == SHARED_FILE else ""
    day = time.strftime("%Y-%m-%d", time.gmtime())
    written = with_block(text, rules, day, section)
    _load(path, written)
    if written != text:
        write_whole(path, written)
    measured = sum(row.floor is not None for row in noise.rows)
    return Written(path, tuple(rules), tuple(blocked), written != text, measured)


def _read(path: Path) -> str:
    if not path.exists():
        return ""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} cannot be read: {exc}.") from exc


def _load(path: Path, text: str) -> Config:
    """The settings that a text holds, in the place of this file."""
    data = text.encode("utf-8")
    return load_from_files(
        lambda name: data if name == path.name else None, "the work tree"
    )


def noisy_rules(
    noise: Noise, pasts: Sequence[Past], config: Config, what: str
) -> tuple[list[NoiseRule], list[Blocked]]:
    """Rules for rows that cannot hold their threshold, and rows of which another
    rule decides.

    A row cannot hold a threshold that is smaller than what noise alone explains (its
    `floor`): no change between the two is ever significant.  The floor itself, rounded
    up, finds as much, and lets the row be called unchanged.
    """
    found: dict[tuple[str, str, str], NoiseRule] = {}
    blocked = []
    for row in noise.rows:
        if row.floor is None or row.linear or not row.gated or not row.own_df:
            continue
        percent = rounded_up(row.floor)
        if percent is None or row.floor <= math.log1p(row.threshold) + 1e-9:
            continue
        suite = pasts[row.group].suite
        rule = _fitting(config, row, suite)
        if rule is not None:
            blocked.append(Blocked(row, percent, rule))
            continue
        key = (suite, row.benchmark.label, row.metric.name)
        known = found.get(key)
        if known is not None and known.percent >= percent:
            continue  # of two testbeds, the noisier one
        found[key] = NoiseRule(
            escape(row.benchmark.label),
            escape(row.metric.name),
            escape(suite),
            percent,
            f"{row.sessions} {what} vary by {row.noise * 100:.1f} %",
        )
    # A plain name fits the name with parameters too, so it comes after those.
    order = sorted(found, key=lambda key: (key[0], -len(key[1]), key[1], key[2]))
    return [found[key] for key in order], blocked


def _fitting(config: Config, row: RowNoise, suite: str) -> Rule | None:
    """The user's own rule that decides a row; a later one would never take effect."""
    from gitbench.compare.rules import fits, matcher

    return next(
        (
            rule
            for rule in config.rules
            if matcher(rule.suite)(suite)
            and matcher(rule.metric)(row.metric.name)
            and fits(matcher(rule.benchmark), row.benchmark)
        ),
        None,
    )


def rounded_up(floor: float) -> int | None:
    """A log as a whole per cent, rounded up: to fives from 50 % on, to hundreds from
    200 %; None beyond any threshold that would make sense."""
    if not floor < math.log(1000):
        return None
    percent = math.expm1(floor) * 100
    step = 1 if percent <= 50 else 5 if percent <= 200 else 100
    return math.ceil(percent / step - 1e-9) * step

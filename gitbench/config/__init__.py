"""Settings of a project: `gitbench.toml`, or `[tool.gitbench]` of pyproject.toml.

Owns the keys, their bounds and defaults: text in, one frozen `Config` out.  Knows
neither git nor the command line; the caller says how a file is read, so that the
settings of another commit's tree are read by the same code.

`record` loads this module, so the TOML parser (3 ms) is imported only when there is
a file to parse.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gitbench.config import values
from gitbench.config.decoding import MAX_BYTES, decode
from gitbench.config.values import (
    AUTO,
    ConfigError,
    Place,
    Reader,
    check_ref,
    parse_day,
    parse_span,
    printable,
)
from gitbench.model import CORRECTIONS, METHODS, Accept, Rule, Settings, Verdict

__all__ = [
    "Config",
    "ConfigError",
    "Suite",
    "accept_key",
    "check_ref",
    "load",
    "load_directory",
    "load_from_files",
    "parse_day",
    "parse_fail_on",
    "parse_span",
    "parse_threshold",
]

T = TypeVar("T")

OWN_FILE = "gitbench.toml"
SHARED_FILE = "pyproject.toml"
FILES = (OWN_FILE, SHARED_FILE)
"""Where settings may stand, from the root of the project."""


@dataclass(frozen=True, slots=True)
class Suite:
    """How one suite is run and read: `[suite.NAME]`."""

    name: str
    command: str | None = None
    """Shell command of `gitbench run`; `{results}` is the file it shall write."""
    tool: str | None = None
    """Tool that wrote the results; None: detected."""


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of a project; each has a default."""

    baseline: str | None = None
    """Branch, tag, commit or `baseline:NAME` to compare with; None: found out."""
    ref: str = "gitbench"
    """Last part of `refs/notes/<ref>`."""
    remote: str = "origin"
    window: int = 10
    """Most sessions of the baseline that a comparison looks at."""
    window_distance: int = 500
    """Most commits that the window reaches back."""
    max_distance: int = 50
    """Most commits from the start of the walk to the nearest one with runs."""
    threshold: float = 0.05
    """Fraction beyond which a significant change is red."""
    auto: bool = False
    """`threshold = "auto"`: it follows from the noise of each row, and `threshold`
    holds where that is not known."""
    alpha: float = 0.05
    fail_on: tuple[Verdict, ...] = (Verdict.REGRESSED, Verdict.FAILED)
    on_no_baseline: str = "fail"
    max_age_s: int | None = None
    """`max_age`: the oldest baseline that counts, in seconds before head."""
    weak: str = "gross"
    method: str = "moderated-t"
    """How rows of real values are tested, one of `METHODS`."""
    correction: str = "fdr_bh"
    """How their p-values are corrected for their number, one of `CORRECTIONS`."""
    trusted: str = "any"
    """Whose runs count: `any`, `signed` (those with a good signature), or
    `signed-baseline` (the same, but head's own count unsigned)."""
    default_suite: str = "default"
    """Suite of results that name none."""
    suites: tuple[Suite, ...] = ()
    testbed_name: str | None = None
    testbed_facts: tuple[str, ...] = ()
    """Names of facts to store beyond the allow-list."""
    rules: tuple[Rule, ...] = ()
    required: tuple[str, ...] = ()
    """Globs of benchmarks whose absence is a failure."""
    accepts: tuple[Accept, ...] = ()
    hook_policy: str = "warn"
    """What the pre-push hook does about a failed gate: `warn`, `block` or `off`."""
    source: str | None = None
    """The file that was read; None: there is none."""
    warnings: tuple[str, ...] = ()

    def settings(
        self, baseline: Config | None = None, today: str | None = None
    ) -> Settings:
        """All that decides verdicts of head, whose settings these are.

        An `[[accept]]` that the settings of the baseline commit hold as well has
        landed, and no longer excuses anything; nor does one that expired before
        `today` (YYYY-MM-DD).
        """
        return Settings(
            alpha=self.alpha,
            threshold=self.threshold,
            weak=self.weak,
            rules=self.rules,
            required=self.required,
            accepts=tuple(
                one for one in self.open_accepts(baseline) if not _expired(one, today)
            ),
            fail_on=self.fail_on,
            on_no_baseline=self.on_no_baseline,
            method=self.method,
            correction=self.correction,
            auto=self.auto,
            max_age_s=self.max_age_s,
        )

    def open_accepts(self, baseline: Config | None) -> tuple[Accept, ...]:
        """The accepted changes that `baseline`'s settings lack.

        Entries are told apart by what they accept, so that mending the reason of one
        that has landed does not open it again.  Where settings hold several of the
        same, each has to land by itself: a second slow-down of as much is a second
        entry.
        """
        landed = list(baseline.accepts) if baseline is not None else []
        left = [one for one in self.accepts if not _take(landed, one)]
        keys = [accept_key(one) for one in landed]
        return tuple(one for one in left if not _take(keys, accept_key(one)))

    def expired_accepts(self, baseline: Config | None, today: str) -> list[Accept]:
        """Those that would count, had they not expired before `today`."""
        return [one for one in self.open_accepts(baseline) if _expired(one, today)]

    def suite(self, name: str) -> Suite | None:
        """The `[suite.NAME]` of that name, if there is one."""
        for one in self.suites:
            if one.name == name:
                return one
        return None


def accept_key(accept: Accept) -> tuple[str, str, float]:
    """What an entry accepts; two with the same key may differ in their reasons."""
    return accept.benchmark, accept.metric, accept.threshold


def _expired(accept: Accept, today: str | None) -> bool:
    return None not in (accept.expires, today) and str(accept.expires) < str(today)


def _take(some: list[T], one: T) -> bool:
    """Take `one` out of a list if it is there."""
    if one not in some:
        return False
    some.remove(one)
    return True


# -------------------------------------------------------------- finding the file


def load_directory(root: Path) -> Config:
    """The settings of the work tree at `root`; the defaults if it has none.

    Raises ConfigError.
    """
    return _choose(lambda name: _read(root / name), lambda name: str(root / name))


def load_from_files(read: Callable[[str], bytes | None], source: str) -> Config:
    """The settings among the files that `read` gives; the defaults if none.

    `read` takes a path from the root of the project and returns the file's bytes,
    or None if there is no such file.  `source` says where they come from, such as
    `commit 1a2b3c4`, and stands in messages.  Raises ConfigError.
    """
    return _choose(read, lambda name: f"{name} of {source}")


def _choose(
    read: Callable[[str], bytes | None], describe: Callable[[str], str]
) -> Config:
    """`gitbench.toml` if there is one, else `[tool.gitbench]` of pyproject.toml.

    Most projects have a pyproject.toml that is not about us, so it is parsed only
    if it holds our name.
    """
    own = read(OWN_FILE)
    shared = read(SHARED_FILE)
    if own is not None:
        warnings: tuple[str, ...] = ()
        if shared is not None and _has_section(shared):
            warnings = (
                f"[tool.gitbench] of {SHARED_FILE} is ignored, because there is a "
                f"{OWN_FILE}; move its keys there and delete it.",
            )
        return _parse(own, describe(OWN_FILE), warnings=warnings)
    if shared is None or (b"gitbench" not in shared and len(shared) <= MAX_BYTES):
        return Config()
    return _parse(shared, describe(SHARED_FILE), section=("tool", "gitbench"))


def load(text: bytes | str, source: str) -> Config:
    """The settings that `text` holds, in the form of a `gitbench.toml`.

    `source` names the file in messages.  Raises ConfigError.
    """
    return _parse(text, source)


def _read(path: Path) -> bytes | None:
    """The bytes of a file, at most one more than the limit; None if there is none."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{printable(str(path))} is not a regular file.")
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise ConfigError(
            f"{printable(str(path))} cannot be read: {exc.strerror or exc}."
        ) from exc


def _has_section(shared: bytes) -> bool:
    """Whether a line of pyproject.toml opens a table of ours; a guess, unparsed."""
    return b"[tool.gitbench" in shared and any(
        line.lstrip(b" \t[").startswith((b"tool.gitbench]", b"tool.gitbench."))
        for line in shared.splitlines()
    )


def _parse(
    text: bytes | str,
    source: str,
    section: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
) -> Config:
    """Decode, parse and check a file whose keys stand in the table `section`."""
    source = printable(source)
    table: object = decode(text, Place(source))
    for key in section:
        if not isinstance(table, dict) or key not in table:
            return Config()
        table = table[key]
    fields = _table(table, Place(source, ".".join(section)), TOP_KEYS)
    for key, name in _FIELDS.items():
        if key in fields:
            fields[name] = fields.pop(key)
    _split_auto(fields)
    # The keys of two sections are fields of the configuration itself.
    for key in ("testbed", "hook"):
        for name, value in fields.pop(key, {}).items():
            fields[f"{key}_{name}"] = value
    return Config(source=source, warnings=warnings, **fields)


# ---------------------------------------------------------------- readers of tables


def _table(
    value: object, place: Place, readers: Mapping[str, Reader]
) -> dict[str, Any]:
    """The read entries of a table, all of whose keys are known."""
    if not isinstance(value, dict):
        raise place.error(f"must be a table, not {values.shown(value)}")
    for key in value:
        if key not in readers:
            raise _unknown(place, key, readers)
    return {key: readers[key](item, place.key(key)) for key, item in value.items()}


def _unknown(place: Place, key: str, known: Iterable[str]) -> ConfigError:
    """The error of an unknown key, with the key or the place that was meant."""
    import difflib

    names = sorted(known)
    text = "unknown key"
    homes = [home for home, readers in SECTIONS.items() if key in readers]
    # A long one is no slip of the pen, and matching takes quadratic time.
    close = difflib.get_close_matches(key[:60].lower().replace("-", "_"), names, 1)
    if homes:
        text += f" here (it belongs {' or '.join(homes)})"
    elif close:
        text += f" (did you mean {close[0]!r}?)"
    return place.key(key).error(f"{text}; known here are {', '.join(names)}")


def parse_fail_on(words: Iterable[str]) -> tuple[Verdict, ...]:
    """The verdicts that fail a gate; `never` alone stands for none.

    Raises ConfigError.
    """
    words = tuple(words)
    never = (Verdict.NOT_COMPARED, Verdict.ACCEPTED)
    known = {one.value: one for one in Verdict if one not in never}
    if words == ("never",):
        return ()
    found: dict[Verdict, None] = {}
    for word in words:
        if word == "never":
            raise ConfigError("'never' stands alone or not at all.")
        if word == Verdict.NOT_COMPARED.value:
            raise ConfigError(f"{word!r} is decided by on_no_baseline, not by fail_on.")
        if word == Verdict.ACCEPTED.value:
            raise ConfigError(
                f"{word!r} never fails a gate: somebody gave a reason for the change; "
                "delete its [[accept]] instead."
            )
        if word not in known:
            raise ConfigError(
                f"{word[:60]!r} is no verdict; known are {', '.join(known)}, and "
                "'never' for none."
            )
        found[known[word]] = None
    return tuple(found)


def parse_threshold(text: str) -> dict[str, Any]:
    """The fields that a threshold sets: `threshold` and `auto`; or `auto` alone, since
    where noise is not known the fraction that stands holds.  Raises UnitError."""
    from gitbench.units import parse_fraction

    if text == AUTO:
        return {"auto": True}
    return {"threshold": parse_fraction(text), "auto": False}


def _split_auto(fields: dict[str, Any]) -> None:
    """Turn a threshold of "auto" into the flag that says so."""
    if fields.get("threshold") == AUTO:
        fields["auto"] = True
        del fields["threshold"]


def _fail_on(value: object, place: Place) -> tuple[Verdict, ...]:
    words = values.entries(value, place, '["regressed", "failed"] or ["never"]')
    words = [values.text(one, place.entry(n)) for n, one in enumerate(words, 1)]
    try:
        return parse_fail_on(words)
    except ConfigError as exc:
        raise place.error(values.clause(exc)) from exc


def _globs(value: object, place: Place) -> tuple[str, ...]:
    globs = values.entries(value, place, '["parser/*"]')
    return tuple([values.text(one, place.entry(n)) for n, one in enumerate(globs, 1)])


def _facts(value: object, place: Place) -> tuple[str, ...]:
    facts = values.entries(value, place, '["hostname"]')
    return tuple([values.name(one, place.entry(n)) for n, one in enumerate(facts, 1)])


def _tables(value: object, place: Place) -> list[Any]:
    """The entries of `[[rule]]` or `[[accept]]`."""
    if isinstance(value, dict):
        raise place.error(f"write [[{place.path}]] with two brackets on each side")
    return values.entries(value, place, f"[[{place.path}]]")


def _rules(value: object, place: Place) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for number, one in enumerate(_tables(value, place), 1):
        here = place.number(number)
        rule = _rule(one, here)
        for earlier, other in enumerate(rules, 1):
            if _covers(other, rule):
                raise here.error(
                    f"never takes effect, because number {earlier} fits all that it "
                    "fits and the first rule that fits wins; put it before that one, "
                    "or the keys of both into one rule"
                )
        rules.append(rule)
    return tuple(rules)


def _covers(first: Rule, second: Rule) -> bool:
    """Whether the first rule plainly fits everything that the second one fits."""
    return (
        first.benchmark in ("*", second.benchmark)
        and first.metric in ("*", second.metric)
        and first.suite in ("*", second.suite)
    )


def _rule(value: object, place: Place) -> Rule:
    fields = _table(value, place, RULE_KEYS)
    _split_auto(fields)
    for key in ("min_change", "max"):
        if key in fields:
            fields[key], fields[f"{key}_unit"] = fields[key]
    rule = Rule(**fields)
    if (
        rule.warn is not None
        and rule.threshold is not None
        and rule.warn > rule.threshold
    ):
        raise place.key("warn").error(
            f"{rule.warn:g} is beyond the rule's threshold of {rule.threshold:g}, so "
            "that it never takes effect"
        )
    return rule


def _accepts(value: object, place: Place) -> tuple[Accept, ...]:
    accepts: dict[Accept, int] = {}
    for number, one in enumerate(_tables(value, place), 1):
        here = place.number(number)
        fields = _table(one, here, ACCEPT_KEYS)
        for key in ACCEPT_KEYS:
            if key not in fields and key != "expires":
                raise here.error(f"lacks the key {key!r}, which it needs")
        accept = Accept(**fields)
        if accept in accepts:
            raise here.error(f"repeats number {accepts[accept]}; delete one of them")
        accepts[accept] = number
    return tuple(accepts)


def _suites(value: object, place: Place) -> tuple[Suite, ...]:
    if not isinstance(value, dict):
        raise place.error(
            f"must be a table such as [{place.path}.unit], not {values.shown(value)}; "
            "the suite of results that name none is set by 'default_suite'"
        )
    suites = []
    for name, one in value.items():
        here = place.key(name)
        values.name(name, here)
        if not isinstance(one, dict):
            raise here.error(
                f"must be a table, not {values.shown(one)}; write [{place.path}.NAME] "
                "above the keys of a suite"
            )
        suites.append(Suite(name, **_table(one, here, SUITE_KEYS)))
    return tuple(suites)


def _section(readers: Mapping[str, Reader]) -> Reader:
    def read(value: object, place: Place) -> dict[str, Any]:
        return _table(value, place, readers)

    return read


def _required(value: object, place: Place) -> tuple[str, ...]:
    fields = _table(value, place, REQUIRED_KEYS)
    globs: tuple[str, ...] = fields.get("benchmarks", ())
    return globs


# ------------------------------------------------------------------------ the keys

RULE_KEYS: dict[str, Reader] = {
    "benchmark": values.text,
    "metric": values.text,
    "suite": values.text,
    "threshold": values.threshold,
    "warn": values.fraction,
    "min_change": values.amount,
    "max": values.quantity,
    "gate": values.flag,
    "method": values.choice(*METHODS),
    "required": values.flag,
    "weak": values.choice("gross", "never"),
}
ACCEPT_KEYS: dict[str, Reader] = {
    "benchmark": values.text,
    "metric": values.text,
    "threshold": values.fraction,
    "reason": values.reason,
    "expires": values.day,
}
SUITE_KEYS: dict[str, Reader] = {"command": values.command, "tool": values.name}
REQUIRED_KEYS: dict[str, Reader] = {"benchmarks": _globs}
TESTBED_KEYS: dict[str, Reader] = {"name": values.name, "facts": _facts}
HOOK_KEYS: dict[str, Reader] = {"policy": values.choice("warn", "block", "off")}

TOP_KEYS: dict[str, Reader] = {
    "baseline": values.revision,
    "ref": values.ref,
    "remote": values.remote,
    "window": values.whole(1),
    "window_distance": values.whole(0),
    "max_distance": values.whole(0),
    "threshold": values.threshold,
    "alpha": values.alpha,
    "fail_on": _fail_on,
    "on_no_baseline": values.choice("fail", "pass"),
    "max_age": values.span,
    "weak": values.choice("gross", "never"),
    "method": values.choice(*METHODS),
    "correction": values.choice(*CORRECTIONS),
    "trusted": values.choice("any", "signed", "signed-baseline"),
    "default_suite": values.name,
    "suite": _suites,
    "testbed": _section(TESTBED_KEYS),
    "rule": _rules,
    "required": _required,
    "accept": _accepts,
    "hook": _section(HOOK_KEYS),
}
_FIELDS = {
    "suite": "suites",
    "rule": "rules",
    "accept": "accepts",
    "max_age": "max_age_s",
}
"""Fields of `Config` that are named otherwise than their key."""

SECTIONS: dict[str, dict[str, Reader]] = {
    "at the top": TOP_KEYS,
    "in [suite.NAME]": SUITE_KEYS,
    "in [testbed]": TESTBED_KEYS,
    "in [[rule]]": RULE_KEYS,
    "in [required]": REQUIRED_KEYS,
    "in [[accept]]": ACCEPT_KEYS,
    "in [hook]": HOOK_KEYS,
}
"""Every section with its keys."""

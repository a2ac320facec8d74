"""Settings files: every key, its bounds, and errors that say where and what."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitbench.config import (
    SECTIONS,
    Config,
    ConfigError,
    Suite,
    check_ref,
    load,
    load_directory,
    load_from_files,
    parse_fail_on,
    parse_threshold,
)
from gitbench.config.decoding import MAX_BYTES, MAX_PARTS
from gitbench.config.values import MAX_ENTRIES
from gitbench.model import Accept, Rule, Settings, Verdict

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "config.md"

COMPLETE = """
baseline = "origin/main"
ref = "gitbench-perf"
remote = "team/upstream"
window = 12
window_distance = 100
max_distance = 0
threshold = "7.5%"
alpha = 0.01
fail_on = ["regressed", "missing", "regressed"]
on_no_baseline = "pass"
max_age = "30 days"
weak = "never"
method = "welch"
correction = "holm"
default_suite = "unit"

[[rule]]
benchmark = "parser/*"
metric = "duration"
suite = "unit"
threshold = "10%"
warn = 0.05
min_change = "1ms"
[[rule]]
metric = "tokens"
threshold = 0
max = 50000
[[rule]]
benchmark = "experimental/*"
gate = false
method = "mann-whitney"
[[rule]]
benchmark = "mem/*"
max = "2 MiB"
[[rule]]
benchmark = "io/*"
threshold = "auto"
required = true
weak = "gross"

[required]
benchmarks = ["parser/*", "sort"]

[[accept]]
benchmark = "parser/utf8"
metric = "duration"
threshold = "15%"
reason = "validates surrogates now"
[[accept]]
benchmark = "*"
metric = "duration"
threshold = "20%"
reason = "new runners"
expires = 2026-12-31

[suite.unit]
command = "pytest --benchmark-json={results}"
tool = "pytest-benchmark"
[suite."slow tests"]
command = '''
make slow
make slower'''

[testbed]
name = "ci-large"
facts = ["hostname"]

[hook]
policy = "block"
"""

EXPECTED = Config(
    baseline="origin/main",
    ref="gitbench-perf",
    remote="team/upstream",
    window=12,
    window_distance=100,
    max_distance=0,
    threshold=0.075,
    alpha=0.01,
    fail_on=(Verdict.REGRESSED, Verdict.MISSING),
    on_no_baseline="pass",
    max_age_s=30 * 86_400,
    weak="never",
    method="welch",
    correction="holm",
    default_suite="unit",
    suites=(
        Suite("unit", "pytest --benchmark-json={results}", "pytest-benchmark"),
        Suite("slow tests", "make slow\nmake slower"),
    ),
    testbed_name="ci-large",
    testbed_facts=("hostname",),
    rules=(
        Rule(
            "parser/*",
            "duration",
            "unit",
            threshold=0.1,
            warn=0.05,
            min_change=0.001,
            min_change_unit="s",
        ),
        Rule(metric="tokens", threshold=0.0, max=50000.0),
        Rule(benchmark="experimental/*", gate=False, method="mann-whitney"),
        Rule(benchmark="mem/*", max=2097152.0, max_unit="B"),
        Rule(benchmark="io/*", auto=True, required=True, weak="gross"),
    ),
    required=("parser/*", "sort"),
    accepts=(
        Accept("parser/utf8", "duration", 0.15, "validates surrogates now"),
        Accept("*", "duration", 0.2, "new runners", "2026-12-31"),
    ),
    hook_policy="block",
    source="gitbench.toml",
)


def error_of(text: str | bytes) -> str:
    """The message that a settings file is refused with."""
    with pytest.raises(ConfigError) as caught:
        load(text, "gitbench.toml")
    return str(caught.value)


def in_pyproject(text: str) -> str:
    """A settings file as it stands in pyproject.toml."""
    moved = re.sub(r"^(\[+)", r"\1tool.gitbench.", text, flags=re.MULTILINE)
    return f'[project]\nname = "x"\n[tool.gitbench]\n{moved}'


# ------------------------------------------------------------------- what is read


def test_every_key_is_read() -> None:
    """A file with every key gives a configuration with every field set."""
    assert load(COMPLETE, "gitbench.toml") == EXPECTED


def test_pyproject_holds_the_same_keys() -> None:
    """`[tool.gitbench]` means what `gitbench.toml` means."""
    files = {"pyproject.toml": in_pyproject(COMPLETE).encode()}
    config = load_from_files(files.get, "commit 1a2b3c4")
    assert config.source == "pyproject.toml of commit 1a2b3c4"
    assert config == load(COMPLETE, "pyproject.toml of commit 1a2b3c4")


@pytest.mark.parametrize("text", ["", "# nothing\n", "\ufeff", b"\xef\xbb\xbf\r\n"])
def test_an_empty_file_is_the_defaults(text: str | bytes) -> None:
    """A file without keys, with or without a byte order mark, changes nothing."""
    assert load(text, "x.toml") == Config(source="x.toml")


def test_no_file_is_the_defaults(tmp_path: Path) -> None:
    """A directory without settings, and one that is not there, give the defaults."""
    assert load_directory(tmp_path) == Config()
    assert load_directory(tmp_path / "nowhere") == Config()


def test_a_pyproject_of_others_is_not_parsed(tmp_path: Path) -> None:
    """A pyproject.toml without our name is left alone, even if it is broken."""
    (tmp_path / "pyproject.toml").write_text("[tool.other\n")
    assert load_directory(tmp_path) == Config()
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies=["gitbench"]\n')
    assert load_directory(tmp_path) == Config()
    (tmp_path / "pyproject.toml").write_text('tool = "gitbench"\n')
    assert load_directory(tmp_path) == Config()


def test_gitbench_toml_wins_with_a_warning(tmp_path: Path) -> None:
    """With two files the dedicated one is read, and the other one is named."""
    (tmp_path / "gitbench.toml").write_text("window = 3\n")
    (tmp_path / "pyproject.toml").write_text("[tool.gitbench]\nwindow = 4\n")
    config = load_directory(tmp_path)
    assert config.window == 3
    assert config.source == str(tmp_path / "gitbench.toml")
    (warning,) = config.warnings
    assert "[tool.gitbench] of pyproject.toml is ignored" in warning
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "gitbench"\n')
    assert load_directory(tmp_path).warnings == ()


@pytest.mark.parametrize(
    "line", ["[tool.gitbench]", " [[tool.gitbench.rule]]", "[tool.gitbench.hook] # x"]
)
def test_an_ignored_table_is_noticed_in_any_form(line: str) -> None:
    """Any header of `[tool.gitbench]` beside a gitbench.toml is warned of."""
    files = {"gitbench.toml": b"", "pyproject.toml": f"a = 1\n{line}\n".encode()}
    assert load_from_files(files.get, "x").warnings


def test_settings_hold_all_that_decides_verdicts() -> None:
    """`settings` passes on every field that has the same name there."""
    result = EXPECTED.settings()
    assert result == Settings(
        alpha=0.01,
        threshold=0.075,
        weak="never",
        rules=EXPECTED.rules,
        required=("parser/*", "sort"),
        accepts=EXPECTED.accepts,
        fail_on=(Verdict.REGRESSED, Verdict.MISSING),
        on_no_baseline="pass",
        method="welch",
        correction="holm",
        max_age_s=2_592_000,
    )
    assert Config().settings() == Settings()
    assert load("threshold = 'auto'", "x").settings() == Settings(auto=True)


def test_an_accept_that_has_landed_counts_no_more() -> None:
    """An entry that the baseline's settings hold is gone; a changed one counts."""
    entry = (
        "[[accept]]\nbenchmark='a'\nmetric='duration'\nthreshold='{}%'\nreason='r'\n"
    )
    landed = load(entry.format(10), "x")
    head = load(entry.format(10) + entry.format(20), "x")
    assert [one.threshold for one in head.settings(landed).accepts] == [0.2]
    assert [one.threshold for one in head.settings(Config()).accepts] == [0.1, 0.2]


ACCEPT = "[[accept]]\nbenchmark='a'\nmetric='*'\nthreshold='{}%'\nreason='{}'\n"


def test_mending_the_reason_of_a_landed_accept_does_not_open_it() -> None:
    """What an entry accepts tells it apart; a second one of the same counts anew."""
    landed = load(ACCEPT.format(10, "frist"), "x")
    mended = load(ACCEPT.format(10, "first"), "x")
    assert mended.settings(landed).accepts == ()
    second = load(ACCEPT.format(10, "first") + ACCEPT.format(10, "again"), "x")
    assert len(second.settings(landed).accepts) == 1
    both = load(ACCEPT.format(10, "frist") + ACCEPT.format(10, "again"), "x")
    assert [one.reason for one in both.settings(landed).accepts] == ["again"]
    assert second.settings(second).accepts == ()
    dated = load(ACCEPT.format(10, "frist") + "expires = '2026-01-02'", "x")
    assert dated.settings(landed).accepts == ()


def test_an_accept_counts_up_to_its_last_day() -> None:
    """On the day that `expires` names it counts, on the next it is told apart."""
    for day in ("2026-03-01", "'2026-03-01'"):
        config = load(ACCEPT.format(10, "r") + f"expires = {day}", "x")
        (accept,) = config.accepts
        assert accept.expires == "2026-03-01"
        assert config.settings(None, "2026-03-01").accepts == (accept,)
        assert config.expired_accepts(None, "2026-03-01") == []
        assert config.settings(None, "2026-03-02").accepts == ()
        assert config.expired_accepts(None, "2026-03-02") == [accept]
        # One that has landed does not count anyway.
        assert config.expired_accepts(config, "2026-03-02") == []


def test_an_automatic_threshold_is_set_at_the_top_and_by_rules() -> None:
    """`auto` keeps the fraction that holds where noise is not known."""
    config = load("threshold = 'auto'\n[[rule]]\nthreshold = 'auto'", "x")
    assert (config.auto, config.threshold) == (True, 0.05)
    assert config.rules == (Rule(auto=True),)
    assert parse_threshold("auto") == {"auto": True}
    assert parse_threshold("3%") == {"threshold": 0.03, "auto": False}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30 days", 2_592_000),
        ("1 day", 86_400),
        ("1.5d", 129_600),
        ("12h", 43_200),
        (" 12 Hours ", 43_200),
        ("2 weeks", 1_209_600),
        ("90 min", 5400),
        ("1s", 1),
    ],
)
def test_a_span_is_read_in_seconds(text: str, seconds: int) -> None:
    """Numbers with a unit of fixed length."""
    assert load(f"max_age = '{text}'", "x").max_age_s == seconds


def test_a_suite_is_found_by_name() -> None:
    """`suite` gives the suite of a name, or None."""
    assert EXPECTED.suite("slow tests") == EXPECTED.suites[1]
    assert EXPECTED.suite("other") is None


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ('"1ms"', 0.001, "s"),
        ("3", 3.0, None),
        ("0.5", 0.5, None),
        ('"3"', 3.0, None),
        ('" 3 "', 3.0, None),
        ('"3k"', 3000.0, "1"),
        ('"3 tokens"', 3.0, "1"),
        ('"3 frobs/1"', 3.0, "frobs"),
        ("-0.0", 0.0, None),
    ],
)
def test_a_quantity_remembers_its_unit(
    text: str, value: float, unit: str | None
) -> None:
    """A quantity with a unit names its base unit, a bare number none."""
    (rule,) = load(f"[[rule]]\nmin_change = {text}\nmax = {text}", "x").rules
    assert (rule.min_change, rule.min_change_unit) == (value, unit)
    assert (rule.max, rule.max_unit) == (value, unit)
    assert str(rule.max)[0] != "-"


def test_verdicts_that_fail_a_gate() -> None:
    """A list of verdicts keeps its order without repetitions; `never` is none."""
    assert parse_fail_on(["failed", "regressed", "failed"]) == (
        Verdict.FAILED,
        Verdict.REGRESSED,
    )
    assert parse_fail_on(["never"]) == ()
    assert load('fail_on = ["never"]', "x").fail_on == ()
    for one in Verdict:
        if one not in (Verdict.NOT_COMPARED, Verdict.ACCEPTED):
            assert parse_fail_on([one.value]) == (one,)


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("windw = 3", ["windw: unknown key (did you mean 'window'?); known here are"]),
        ("fail-on = []", ["did you mean 'fail_on'?"]),
        ("rules = []", ["did you mean 'rule'?"]),
        ("min_change = 1", ["min_change: unknown key here (it belongs in [[rule]])"]),
        ("[hook]\nthreshold = 1", ["hook.threshold", "at the top or in [[rule]]"]),
        ("zzzzzzz = 1", ["zzzzzzz: unknown key; known here are accept, alpha,"]),
        ("[[rule]]\n[[rule]]\nmertic='x'", ["[[rule]] number 2, mertic", "'metric'"]),
        ("window = true", ["window: must be a whole number from 1", "not true"]),
        ("window = 2.0", ["whole number", "not 2.0"]),
        ("window = 0", ["not 0"]),
        ("window = 1000001", ["to 1,000,000, not 1000001"]),
        ("window = 0x" + "f" * 5000, ["not an integer beyond 64 bits"]),
        ("window = " + "9" * 5000, ["thousands of digits"]),
        ("max_distance = -1", ["not -1"]),
        ("threshold = true", ["threshold: must be a fraction", "not true"]),
        ("threshold = 5", ["not 5; per cent are written with a % sign"]),
        ("threshold = 1", ['write "1%" or "100%"']),
        ("threshold = 1.0", ['write "1%" or "100%"']),
        ('threshold = "1"', ['write "1%" or "100%"']),
        ('threshold = "5"', ["above 1"]),
        ("threshold = -0.1", ["negative"]),
        ('threshold = "-1%"', ["negative"]),
        ("threshold = nan", ["nan", "not a finite number"]),
        ("threshold = inf", ["inf", "not a finite number"]),
        ("threshold = 1e999", ["not a finite number"]),
        ("threshold = 2026-01-02", ["not a date or time"]),
        ("threshold = []", ["not an empty list"]),
        ('threshold = "much"', ["'much'", "not a number"]),
        ("alpha = 0", ["alpha: must be above 0 and at most 0.5, not 0"]),
        ("alpha = 0.6", ["not 0.6"]),
        ("alpha = nan", ["not a finite number"]),
        ("fail_on = []", ["fail_on: is an empty list"]),
        ("fail_on = 'regressed'", ['must be a list such as ["regressed", "failed"]']),
        ("fail_on = ['slower']", ["'slower' is no verdict; known are regressed,"]),
        ("fail_on = ['failed', 3]", ["fail_on, entry 2: must be a string, not 3"]),
        ("fail_on = ['never', 'failed']", ["'never' stands alone"]),
        ("fail_on = ['not-compared']", ["on_no_baseline"]),
        (
            "on_no_baseline = 'warn'",
            ["must be 'fail' or 'pass', not the string 'warn'"],
        ),
        ("weak = false", ["weak: must be 'gross' or 'never', not false"]),
        ('method = "welsh"', ["method: must be", "did you mean 'welch'?"]),
        ('method = "mann_whitney"', ["did you mean 'mann-whitney'?"]),
        ('correction = "fdr-bh"', ["correction: must be", "did you mean 'fdr_bh'?"]),
        (
            '[[rule]]\nmethod = "pairs"',
            ["[[rule]] number 1, method: must be", "did you mean 'paired'?"],
        ),
        ("weak = ['gross']", ["not a list"]),
        ("baseline = ''", ["baseline: is empty"]),
        ("baseline = '  '", ["baseline: is empty"]),
        ("baseline = '--upload-pack=x'", ["begins with '-'"]),
        ('baseline = "a\\u001b[2J"', [r"'a\x1b[2J' holds a character that"]),
        ("baseline = {}", ["must be a string, not a table"]),
        (f"baseline = '{'x' * 2000}'", ["2,000 characters long; the limit is 1,024"]),
        ("ref = 'a/b'", ["ref: The notes ref 'a/b' holds '/'"]),
        ("ref = 'a.lock'", ["ends with '.lock'"]),
        ("remote = 'https://example.com/x'", ["not a URL", "holds ':'"]),
        ("remote = '-x'", ["begins with '-'"]),
        ("default_suite = 3", ["default_suite: must be a string, not 3"]),
        ("suite = 'unit'", ["must be a table such as [suite.unit]", "default_suite"]),
        ("[suite]\ncommand = 'x'", ["suite.command: must be a table", "[suite.NAME]"]),
        ("[suite.unit]\ncmd = 'x'", ["suite.unit.cmd", "did you mean 'command'?"]),
        ("[suite.'']\ntool = 'x'", ["suite.'': is empty"]),
        ('[suite."a\\nb"]\ntool = "x"', [r"suite.'a\nb'", "cannot be printed"]),
        ('[suite.unit]\ncommand = "a\\u0000"', ["holds a NUL character"]),
        ("rule = 3", ["rule: must be a list such as [[rule]], not 3"]),
        ("[rule]\nmax = 3", ["rule: write [[rule]] with two brackets on each side"]),
        ("rule = [3]", ["[[rule]] number 1: must be a table, not 3"]),
        ("[[rule]]\ngate = 'no'", ["number 1, gate: must be true or false"]),
        ("[[rule]]\ngate = 0", ["must be true or false, not 0"]),
        ("[[rule]]\nbenchmark = ''", ["number 1, benchmark: is empty"]),
        ("[[rule]]\nmin_change = '1 parsec'", ["unknown unit 'parsec'"]),
        ("[[rule]]\nmin_change = '-1ms'", ["must not be negative"]),
        ("[[rule]]\nmin_change = true", ["must be a quantity", "not true"]),
        ("[[rule]]\nmax = nan", ["not nan"]),
        ("[[rule]]\nmax = -inf", ["not -inf"]),
        ("[[rule]]\nmax = 0x" + "f" * 5000, ["an integer beyond 64 bits"]),
        ("[[rule]]\nmax = '1e400 s'", ["finite number"]),
        ("[[rule]]\nthreshold = 0.1\nwarn = 0.2", ["number 1, warn: 0.2 is beyond"]),
        ("[[rule]]\nmax=1\n[[rule]]\nmetric='x'", ["number 2: never takes effect"]),
        ("required = ['x']", ["required: must be a table, not a list"]),
        ("[required]\nbenchmarks = []", ["required.benchmarks: is an empty list"]),
        ("[required]\nbenchmarks = ['']", ["required.benchmarks, entry 1: is empty"]),
        (
            "[[accept]]\nbenchmark = 'a'",
            ["[[accept]] number 1: lacks the key 'metric'"],
        ),
        ('fail_on = ["accepted"]', ["fail_on: 'accepted' never fails a gate"]),
        ("max_age = 30", ['max_age: must be a span such as "30 days", not 30']),
        ("max_age = '30'", ["'30' is no span of time"]),
        ("max_age = '1 month'", ["'1 month' is no span of time"]),
        ("max_age = '0 days'", ["no span"]),
        ("max_age = 'inf days'", ["no span"]),
        ("max_age = '1e9 d'", ["no span"]),
        ("max_age = 'days'", ["no span"]),
        ("threshold = 'autp'", ["'autp'", 'or "auto"']),
        ("[[rule]]\nweak = 'auto'", ["must be 'gross' or 'never'"]),
        (ACCEPT.format(1, "r") + "expires = 'soon'", ["must be a day such as 2026-"]),
        (ACCEPT.format(1, "r") + "expires = '2026-02-30'", ["must be a day"]),
        (ACCEPT.format(1, "r") + "expires = 2026-02-03T04:05:06", ["must be a day"]),
        ("[testbed]\nnmae = 'x'", ["testbed.nmae", "did you mean 'name'?"]),
        ("[testbed]\nfacts = 'hostname'", ['must be a list such as ["hostname"]']),
        ("[hook]\npolicy = 'stop'", ["hook.policy: must be 'warn' or 'block' or"]),
    ],
)
def test_a_wrong_value_is_named(text: str, parts: list[str]) -> None:
    """The message names the file, the key, what is wrong and what is allowed."""
    message = error_of(text)
    assert message.startswith("gitbench.toml")
    assert message.isprintable()
    assert len(message) < 700
    for part in parts:
        assert part in message


def test_a_key_of_pyproject_is_named_in_full() -> None:
    """In pyproject.toml the path of a key starts at `tool.gitbench`."""
    text = b"[[tool.gitbench.rule]]\n[tool.gitbench.hook]\npolicy = 1\n"
    with pytest.raises(
        ConfigError, match=r"^pyproject\.toml of x, tool\.gitbench\.hook"
    ):
        load_from_files({"pyproject.toml": text}.get, "x")
    text = b"[[tool.gitbench.rule]]\ngate = 1\n"
    with pytest.raises(
        ConfigError, match=r"\[\[tool\.gitbench\.rule\]\] number 1, gate"
    ):
        load_from_files({"pyproject.toml": text}.get, "x")
    with pytest.raises(ConfigError, match=r"tool\.gitbench: must be a table, not 3"):
        load_from_files({"pyproject.toml": b"[tool]\ngitbench = 3"}.get, "x")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("window = 3\nweak =\n", "not valid TOML: Invalid value (at line 2, column 7)"),
        ("window = 3\nwindow = 4\n", "line 2"),
        (b"weak = '\xff'", "not valid UTF-8"),
        ("weak = '\ud800'", "not valid UTF-8"),
        (b"\x00", "not valid TOML"),
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("a = " + "{a = " * 100_000, "nested too deeply"),
        (b" " * (MAX_BYTES + 1), "longer than 1,000,000 bytes"),
        (
            "\n\na" + ".a" * MAX_PARTS + " = 1",
            "line 3 has a dotted key of more than 20",
        ),
        ("[a" + " . 'b\"'" * 100_000 + "]", "line 1 has a dotted key"),
        ('["\\"x"' + '."\\""' * 100_000 + "]", "line 1 has a dotted key"),
        ('a = """\n' + "." * 30 + '\n"""\nb' + ".c" * 30, "line 4 has a dotted key"),
        ("[[rule]]\n" * (MAX_ENTRIES + 1), "1,001 entries; the limit is 1,000"),
        ("fail_on = [" + "'failed'," * 5000 + "]", "5,000 entries; the limit is 1,000"),
    ],
)
def test_what_is_no_settings_file(text: str | bytes, part: str) -> None:
    """Broken and bloated files end in one stated error each, and soon."""
    assert part in error_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "threshold = 0.05 # " + "." * 100,
        "[[rule]]\nbenchmark = '" + "a." * 100 + "*'",
        '[[rule]]\nbenchmark = "\\"' + "a." * 100 + '*"',
        "[[rule]]\nbenchmark = '''\n" + "a." * 100 + "*'''",
        '[[rule]]\nbenchmark = """""' + "a." * 100 + '"""""',
        "[suite.'" + "a." * 100 + "']\ntool = 'x'",
    ],
)
def test_dots_in_strings_and_comments_are_no_keys(text: str) -> None:
    """Only the parts of real keys are counted."""
    load(text, "x")


def test_names_of_a_hostile_file_cannot_steer_a_terminal() -> None:
    """Control characters of keys, values and file names come out escaped."""
    for text in (
        '"\\u001b[31m\\u202e" = 1',
        'weak = "\\u001b]0;x\\u0007"',
        '[suite."\\r\\n"]\ncommand = 1',
        '[[rule]]\nmax = "\\u009b1ms"',
        '"\\u2028" = {}\n"\\u2028" = {}',
    ):
        assert error_of(text).isprintable()
    with pytest.raises(ConfigError) as caught:
        load("weak = 1", "a\x1b[2J/gitbench.toml")
    assert r"'a\x1b[2J/gitbench.toml', weak:" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A directory, a pipe and a loop of links in the file's place are stated errors."""
    path = tmp_path / "gitbench.toml"
    path.mkdir()
    with pytest.raises(ConfigError, match=r"gitbench\.toml is not a regular file"):
        load_directory(tmp_path)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(ConfigError, match=r"gitbench\.toml is not a regular file"):
        load_directory(tmp_path)
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(ConfigError, match=r"gitbench\.toml cannot be read: .*links"):
        load_directory(tmp_path)


def test_a_bloated_pyproject_names_the_way_out() -> None:
    """A pyproject.toml that is too long to be looked through is never just ignored."""
    bloated = b"#" * (MAX_BYTES + 1)
    with pytest.raises(ConfigError, match=r"longer than .* into a gitbench\.toml"):
        load_from_files({"pyproject.toml": bloated}.get, "x")
    files = {"pyproject.toml": bloated, "gitbench.toml": b"window = 3"}
    assert load_from_files(files.get, "x").window == 3


def test_check_ref_agrees_with_git() -> None:
    """`check_ref` takes a printable name exactly if `git check-ref-format` does."""
    names = [f"a{chr(code)}b" for code in range(0x20, 0x7F) if chr(code) != "/"]
    names += [
        ".a",
        "a.",
        "..",
        "a..b",
        "a.lock",
        "lock",
        ".lock",
        "a@{b",
        "@",
        "{",
        "-",
    ]
    names += ["-a", "a.lock.b", "ü", "日本", "a@", "HEAD", "gitbench", "a.b", "a.LOCK"]
    for name in names:
        by_git = subprocess.run(
            ["git", "check-ref-format", f"refs/notes/{name}"], check=False
        )
        try:
            taken = check_ref(name) == name
        except ConfigError:
            taken = False
        assert taken == (by_git.returncode == 0), name


@pytest.mark.parametrize(
    "name", ["", "a/b", "a\x7f", "a\x9b", "a\n", "\ud800", "x" * 201]
)
def test_check_ref_refuses(name: str) -> None:
    """Empty, long, many-part and unprintable refs are refused in printable words."""
    with pytest.raises(ConfigError) as caught:
        check_ref(name)
    assert str(caught.value).isprintable()


def test_the_parser_is_imported_only_for_a_file(tmp_path: Path) -> None:
    """Without a file, reading the settings loads no TOML parser and no difflib."""
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    code = (
        "import sys, pathlib, gitbench.config as c\n"
        "c.load_directory(pathlib.Path('.'))\n"
        "print([m for m in ('tomllib', 'difflib') if m in sys.modules])\n"
        "c.load('window = 3', 'x')\n"
        "print([m for m in ('tomllib', 'difflib') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["[]", "['tomllib']"]


# --------------------------------------------------------------------------- fuzz

KEYS = sorted({key for keys in SECTIONS.values() for key in keys})
WORDS = [*KEYS, "unit", "regressed", "never", "gross", "5%", "1ms", "a/b", "\x1b[m", ""]
TOML_STRINGS = st.one_of(st.sampled_from(WORDS), st.text(max_size=20)).map(
    lambda text: '"' + "".join(f"\\U{ord(char):08x}" for char in text) + '"'
)
TOML_SCALARS = st.one_of(
    TOML_STRINGS,
    st.integers().map(str),
    st.floats().map(repr),
    st.sampled_from(["true", "false", "2026-01-02", "07:32:00", "-0.0", "0xff", "inf"]),
)
TOML_VALUES = st.recursive(
    TOML_SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda parts: f"[{', '.join(parts)}]"),
        st.dictionaries(TOML_STRINGS, inner, max_size=4).map(
            lambda table: f"{{{', '.join(f'{k} = {v}' for k, v in table.items())}}}"
        ),
    ),
    max_leaves=6,
)
HEADERS = st.sampled_from(
    [
        "[suite.x]",
        "[testbed]",
        "[[rule]]",
        "[required]",
        "[[accept]]",
        "[hook]",
        "[rule]",
    ]
)
LINES = st.one_of(
    HEADERS,
    st.tuples(st.sampled_from(KEYS), TOML_VALUES).map(
        lambda pair: f"{pair[0]} = {pair[1]}"
    ),
)


def read_or_refuse(text: str | bytes) -> None:
    """Read a file; only a stated error in printable words may come out."""
    message = ""
    try:
        config = load(text, "gitbench.toml")
    except ConfigError as exc:
        config, message = Config(), str(exc)
    assert message.isprintable()
    assert len(message) < 1200
    config.settings(config)
    assert 0 < config.alpha <= 0.5
    assert 0 <= config.threshold < float("inf")


@settings(derandomize=True, max_examples=400, deadline=None)
@given(st.lists(LINES, max_size=6))
def test_any_toml_is_read_or_refused(lines: list[str]) -> None:
    """Known keys with values of any type and nesting raise nothing but ConfigError."""
    read_or_refuse("\n".join(lines))


@settings(
    derandomize=True,
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.one_of(st.binary(max_size=60), st.text(max_size=60)))
def test_any_bytes_are_read_or_refused(text: bytes | str) -> None:
    """Whatever the bytes, nothing but ConfigError comes out."""
    read_or_refuse(text)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.integers(0, len(COMPLETE) - 1), st.characters(codec="utf-8"))
def test_any_slip_of_the_pen_is_read_or_refused(place: int, char: str) -> None:
    """One changed character in a complete file raises nothing but ConfigError."""
    read_or_refuse(COMPLETE[:place] + char + COMPLETE[place + 1 :])


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.floats(0, 0.999), st.integers(0, 10_000))
def test_fractions_mean_what_they_say(number: float, percent: int) -> None:
    """A number below 1 is itself, and "n%" is n hundredths."""
    assert load(f"threshold = {number!r}", "x").threshold == number
    assert load(f'threshold = "{percent}%"', "x").threshold == percent / 100


# ------------------------------------------------------------------------ the manual

HEADINGS = {
    "Top level": "at the top",
    "`[suite.NAME]`": "in [suite.NAME]",
    "`[testbed]`": "in [testbed]",
    "`[[rule]]`": "in [[rule]]",
    "`[required]`": "in [required]",
    "`[[accept]]`": "in [[accept]]",
    "`[hook]`": "in [hook]",
}


def documented() -> dict[str, dict[str, str]]:
    """Section -> key -> default, from the tables of the manual."""
    found: dict[str, dict[str, str]] = {}
    for part in re.split(r"^## ", DOCS.read_text(), flags=re.MULTILINE)[1:]:
        rows = re.findall(r"^\| `(\w+)` \|[^|]+\| (.+?) \|", part, re.MULTILINE)
        if rows:
            found[HEADINGS[part.partition("\n")[0]]] = dict(rows)
    return found


def test_the_manual_lists_exactly_the_known_keys() -> None:
    """Every key stands in the manual, in order, and no other does."""
    listed = {section: list(keys) for section, keys in documented().items()}
    assert listed == {section: list(keys) for section, keys in SECTIONS.items()}


@pytest.mark.parametrize("section", SECTIONS)
def test_the_manual_states_the_defaults_of_the_code(section: str) -> None:
    """Writing out the documented default of a key changes nothing."""
    header = {"at the top": "", "in [suite.NAME]": "[suite.x]"}.get(
        section, section[3:]
    )
    for key, default in documented()[section].items():
        if default == "-":
            continue
        written = load(f"{header}\n{key} = {default.strip('`')}\n", "x")
        if section == "in [[rule]]":
            assert written.rules == (Rule(),), key
        else:
            assert written == Config(source="x"), key


def test_a_key_without_a_documented_default_is_unset_in_the_code() -> None:
    """A default of `-` is None or nothing in the code, and only that is `-`."""
    tables = documented()
    for section, values in (("at the top", Config()), ("in [[rule]]", Rule())):
        for key, default in tables[section].items():
            for name in (key, f"{key}s"):
                if hasattr(values, name) and not callable(getattr(values, name)):
                    unset = getattr(values, name) in (None, ())
                    assert (default == "-") == unset, key
    assert tables["in [testbed]"] == {"name": "-", "facts": "-"}
    assert Config().testbed_name is None
    assert Config().testbed_facts == ()
    assert set(tables["in [suite.NAME]"].values()) == {"-"}
    assert Suite("x") == Suite("x", command=None, tool=None)
    assert set(tables["in [[accept]]"].values()) == {"-"}


def test_the_examples_of_the_manual_are_valid() -> None:
    """Every TOML block of the manual is read, and they show every section."""
    blocks = re.findall(r"```toml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert len(blocks) >= 8
    for block in blocks:
        if "[tool.gitbench]" in block:
            config = load_from_files({"pyproject.toml": block.encode()}.get, "x")
            assert config.rules == load(blocks[0], "x").rules
        else:
            assert load(block, "x") != Config(source="x")
    assert all(section[3:].strip("[]`").split(".")[0] in "".join(blocks)
               for section in SECTIONS if section != "at the top")  # fmt: skip


def test_the_manual_lists_the_verdicts() -> None:
    """The verdicts that the manual names are those that `fail_on` takes."""
    text = DOCS.read_text().partition("A **verdict** is one of")[2].partition(".")[0]
    assert re.findall(r"`([\w-]+)`", text) == [
        one.value for one in Verdict if one is not Verdict.NOT_COMPARED
    ]

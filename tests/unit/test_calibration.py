"""The calibration harness counts what is true of generated results."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from benchmarks.calibration import generated, rules, tables
from benchmarks.calibration.__main__ import main
from benchmarks.calibration.counts import Results, share_of
from benchmarks.calibration.data import RunSequence, Source, choose, read
from benchmarks.calibration.generated import Noise, make, make_sequence
from benchmarks.calibration.replay import Cell, Replay, Tally, Window, windows
from benchmarks.calibration.run import calibrate
from gitbench.model import Settings


def sequence(
    noise: Noise, seed: int = 0, *, rows: int = 20, runs: int = 7, values: int = 5
) -> RunSequence:
    """A sequence of unchanged code."""
    return make_sequence(
        random.Random(seed), noise, rows=rows, runs=runs, values=values
    )


def played(scene: str, one: RunSequence, sessions: int, **more: bool) -> Tally:
    """One scene on all windows of a size."""
    replay, tally = Replay("generated", one, **more), Tally()
    for window in windows(len(one), sessions):
        getattr(replay, scene)(window, tally)
    return tally


# ------------------------------------------------------------------ what is counted


def test_windows_slide_and_one_session_meets_every_earlier_run() -> None:
    """A window of several runs is the ones before head, of one run each in turn; of
    long sequences every third run is head."""
    assert list(windows(4, 2)) == [Window((1, 0), 2), Window((2, 1), 3)]
    assert [w.places[0] for w in windows(4, 1)] == [0, 1, 0, 2, 1, 0]
    assert [w.head for w in windows(30, 10)] == [10, 13, 16, 19, 22, 25, 28]
    assert list(windows(3, 3)) == []


def test_false_alarms_of_whole_comparisons_keep_to_alpha() -> None:
    """Without a threshold that hides them, alarms on unchanged code are as many as
    alpha says, within the bounds of chance."""
    noise, trials, alpha = Noise(between=0.02, shift=0.01), 160, 0.05
    tally = Tally()
    for seed in range(trials):
        one = sequence(noise, seed, rows=12, runs=4)
        replay = Replay("null", one, settings=Settings(threshold=0.0, alpha=alpha))
        replay.whole(Window((2, 1, 0), 3), tally)
    alarms, count = tally.counts[Cell(3, "whole", "comparison")]
    assert count == trials
    assert stats.binom.ppf(0.001, trials, alpha) <= alarms
    assert alarms <= stats.binom.ppf(0.999, trials, alpha)


def test_a_real_change_in_a_sequence_is_counted() -> None:
    """What is red as it is, is counted where it happens and nowhere else."""
    one = sequence(Noise(), runs=5)
    one[4]["row 03"] = [[1.5 * value for value in one[4]["row 03"][0]]]
    tally = played("whole", one, 3)
    assert tally.counts[Cell(3, "whole", "row")] == [1, 40]
    assert tally.counts[Cell(3, "whole", "comparison")] == [1, 2]
    assert tally.counts[Cell(3, "whole", "shift")] == [0, 2]


def test_half_as_slow_again_is_always_found_on_quiet_results() -> None:
    """+50 % is found in every row of the smaller extents and called nothing else; of
    most and of all rows it is the suite that is red."""
    tally = played("slower", sequence(Noise(), runs=5), 3)
    for extent in ("one", "tenth"):
        hits, trials = tally.counts[Cell(3, extent, "found", 1.5)]
        assert hits == trials > 0
    for extent in ("one", "tenth", "most", "all"):
        for verdict in ("unchanged", "no-regression", "improved"):
            hits, trials = tally.counts[Cell(3, extent, verdict, 1.5)]
            assert hits == 0 < trials
    for extent in ("most", "all"):
        assert tally.counts[Cell(3, extent, "suite", 1.5)] == [2, 2]
        assert tally.counts[Cell(3, extent, "noticed", 1.5)] == [2, 2]


def test_one_session_finds_only_the_gross() -> None:
    """With one earlier session 10 % is never found and 3 x always."""
    tally = played("slower", sequence(Noise(), runs=4), 1)
    hits, trials = tally.counts[Cell(1, "tenth", "found", 3.0)]
    assert hits == trials == 12
    assert tally.counts[Cell(1, "tenth", "found", 1.1)] == [0, 12]
    assert tally.counts[Cell(1, "tenth", "no-regression", 1.1)] == [0, 12]


def test_a_step_in_the_window_is_found_again_on_top() -> None:
    """Head at the level that the window already reached is not red, and 10 % above it
    is, in the sequence's quiet rows."""
    tally = played("steps", sequence(Noise(between=0.003), runs=9), 5)
    for back in (2, 3):
        assert tally.counts[Cell(5, f"step {back}", "row")] == [0, 8]
        assert tally.counts[Cell(5, f"step {back}", "found", 1.1)] == [8, 8]


def test_a_spike_goes_away_and_a_change_stays() -> None:
    """A second head session takes back a spike and keeps a change."""
    tally = played("again", sequence(Noise(between=0.005)), 3)
    trials = 2 * 3
    assert tally.counts[Cell(3, "spike", "once", 1.3)] == [trials, trials]
    assert tally.counts[Cell(3, "spike", "then not", 1.3)] == [0, trials]
    assert tally.counts[Cell(3, "again", "once", 1.1)] == [trials, trials]
    assert tally.counts[Cell(3, "again", "twice", 1.1)] == [trials, trials]


def test_small_suites_have_the_size_they_say() -> None:
    """A suite cut to n rows is judged by n rows, three draws a window."""
    tally = played("cut", sequence(Noise(), runs=4, rows=4), 3)
    for size in (1, 2, 3):
        assert tally.counts[Cell(3, f"{size} rows", "row")] == [0, 3 * size]
        assert tally.counts[Cell(3, f"{size} rows", "found", 1.2)] == [3, 3]
    assert Cell(3, "5 rows", "row") not in tally.counts


def test_rates_count_as_the_times_they_stand_for() -> None:
    """Rates, of which higher is better, give the counts of the times they are the
    inverse of."""
    times = sequence(Noise(between=0.03, shift=0.01), runs=4, values=1)
    rates = [
        {name: [[1 / v for v in p] for p in sample] for name, sample in run.items()}
        for run in times
    ]
    for scene in ("whole", "slower", "others"):
        one, other = played(scene, times, 3), played(scene, rates, 3, higher=True)
        assert one.counts == other.counts


# --------------------------------------------------------------------- the other rules


def rows_of(*values: float) -> rules.Rows:
    """A run of one row."""
    return [np.array(values)]


RANGE = [1 + i / 100 for i in range(10)]


def test_no_rule_is_red_on_equal_runs_and_all_are_at_three_times() -> None:
    """Every rule judges equal runs fine and a threefold slow-down red."""
    run = rows_of(*RANGE)
    for rule in rules.RULES:
        window = [run, rows_of(*(1.01 * v for v in RANGE)), run]
        for factor, expected in ((1.0, False), (3.0, True)):
            red = rule.judge(window, rows_of(*(factor * v for v in RANGE)))
            assert red is not None
            assert red.tolist() == [expected], rule.name


@pytest.mark.parametrize(
    ("judge", "fine", "red"),
    [
        (rules.pytest_benchmark, 1.0499, 1.0501),
        (rules.action, 1.9999, 2.0001),
        (rules.asv, 1.0999, 1.1001),
    ],
)
def test_rules_with_a_fixed_limit_turn_red_at_it(judge, fine, red) -> None:
    """A rule that knows only a factor is red just above it, at one value a run."""
    base = [rows_of(1.0)]
    assert judge(base, rows_of(fine)).tolist() == [False]
    assert judge(base, rows_of(red)).tolist() == [True]


def test_rank_tests_are_those_of_scipy() -> None:
    """Rows of several sizes get the p-values that scipy gives each of them."""
    rng = np.random.default_rng(1)
    base = [rng.normal(size=n) for n in (8, 12, 8, 30)]
    head = [rng.normal(0.5, size=n) for n in (9, 12, 9, 25)]
    found = rules.rank_p_values(base, head)
    expected = [
        stats.mannwhitneyu(h, b, method="asymptotic").pvalue
        for b, h in zip(base, head, strict=True)
    ]
    assert found is not None
    assert found.tolist() == pytest.approx(expected)
    assert rules.rank_p_values(rows_of(1, 2, 3), rows_of(4, 5, 6)) is None


def test_a_prediction_interval_is_that_of_one_more_value() -> None:
    """The rule turns red where the t quantile of one more value lies."""
    logs = np.array([0.0, 0.02, -0.01, 0.03, 0.01])
    base = [rows_of(np.exp(v)) for v in logs]
    sd, n = logs.std(ddof=1), logs.size
    limit = logs.mean() + stats.t.ppf(0.99, n - 1) * sd * np.sqrt(1 + 1 / n)
    assert rules.prediction(base, rows_of(np.exp(limit + 1e-9))).tolist() == [True]
    assert rules.prediction(base, rows_of(np.exp(limit - 1e-9))).tolist() == [False]


def test_a_rule_without_enough_sessions_or_values_counts_nothing() -> None:
    """Rules that cannot judge leave no trials behind."""
    tally = played("others", sequence(Noise(), values=1), 1)
    judged = {cell.rule for cell in tally.counts}
    assert judged == {
        "asv, factor 1.1",
        "pytest-benchmark mean:5%",
        "github-action-benchmark 200 %",
    }


# ----------------------------------------------------------------------- the intervals


def test_one_trial_a_sequence_gives_wilsons_interval() -> None:
    """Independent trials have the interval of statsmodels."""
    share = share_of([(1, 1)] * 3 + [(0, 1)] * 17)
    assert share is not None
    expected = proportion_confint(3, 20, method="wilson")
    assert (share.low, share.high) == pytest.approx(expected)
    assert share_of([(0, 0)]) is None


def test_intervals_cover_the_truth_of_clustered_trials() -> None:
    """Where the share differs from sequence to sequence, 95 % intervals cover the
    truth in nine of ten cases and more; those that know no sequences do not."""
    rng = np.random.default_rng(2)
    covered = plain = 0
    for _ in range(300):
        chances = rng.beta(1.0, 4.0, size=8)
        pairs = [(int(rng.binomial(40, p)), 40) for p in chances]
        share = share_of(pairs)
        assert share is not None
        covered += share.low <= 0.2 <= share.high
        low, high = proportion_confint(share.hits, share.trials, method="wilson")
        plain += low <= 0.2 <= high
    assert covered >= 0.9 * 300
    assert plain < 0.7 * 300


@pytest.mark.parametrize("hits", [0, 30])
def test_an_interval_never_shrinks_to_a_point(hits: int) -> None:
    """All or nothing leaves an interval that says how much was tried."""
    share = share_of([(hits, 30)] * 4)
    assert share is not None
    assert share.high - share.low > 0.03
    assert share.low <= share.value <= share.high


# ------------------------------------------------------------------ reading and writing


def test_generated_results_are_those_of_their_seed() -> None:
    """The same arguments make the same results, and sources differ in their noise."""
    assert make(sequences=1) == make(sequences=1)
    assert make("another", sequences=1) != make(sequences=1)

    def spread(kind: str) -> float:
        one = sequence(generated.KINDS[kind], rows=60, runs=20)
        logs = np.log([[np.mean(sample[0]) for sample in run.values()] for run in one])
        return float(np.median(logs.std(axis=0)))

    assert spread("quiet") == pytest.approx(0.0102, rel=0.15)
    assert spread("mixed") > 1.8 * spread("quiet")


def small(folder: Path, **sources: list[RunSequence]) -> Path:
    """A file of sequences."""
    path = folder / f"{'-'.join(sources)}.json.gz"
    path.write_bytes(gzip.compress(json.dumps(sources).encode()))
    return path


def test_a_folder_of_files_is_read_as_one(tmp_path: Path) -> None:
    """Sources of several files are pooled by name; classes and directions come from
    the table, or from the command line."""
    one = sequence(Noise(), runs=2, rows=2)
    small(tmp_path, go=[one], mine=[one])
    (tmp_path / "more.json").write_text(json.dumps({"mine": [one, one]}))
    (tmp_path / "notes.txt").write_text("no results")
    go, mine = read(tmp_path, {"mine": ("ci-runners", "rates")}, ["mine"])
    assert (go.classes, go.higher, len(go.sequences)) == (("quiet",), False, 1)
    assert (mine.classes, mine.higher) == (("ci-runners", "rates"), True)
    assert len(mine.sequences) == 3
    assert read(tmp_path)[1].classes == ("mine",)
    [chosen] = choose([go, mine], [], ["rates"])
    assert (chosen.name, chosen.classes) == ("mine", ("rates",))
    assert choose([go, mine], ["go"], []) == [go]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is not JSON"),
        ("[]", "is not an object of sources"),
        ('{"a": 1}', "'a' is not a list of sequences"),
        ('{"a": [1]}', "'a', sequence 1 is not a list of runs"),
        ('{"a": [[1]]}', "'a', sequence 1, run 1, is not an object of benchmarks"),
        ('{"a": [[{"b": []}]]}', "run 1, 'b' is not a list of processes"),
        ('{"a": [[{"b": [1]}]]}', "has a process that is not a list of values"),
        ('{"a": [[{"b": [["x"]]}]]}', "has the value 'x', which is no number"),
        ('{"a": [[{"b": [[NaN]]}]]}', "not a positive finite number"),
        ('{"a": [[{"b": [[1' + "0" * 400 + "]]}]]}", "not a positive finite number"),
        ('{"a": [[{"b": [[1]]}]]}', "No source has two runs"),
        ('{"a": [[{"b": [[1]]}, {"c": [[1]]}]]}', "have a benchmark in common"),
        ('{"a": [[{"": [[1]]}, {"": [[1]]}]]}', "name"),
        ('{"a": [[{"b": [[1e308]]}, {"b": [[1e308]]}]]}', "'b'"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_bad_results_are_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, says: str
) -> None:
    """What is not in the format ends with exit code 2 and one line that says where."""
    file = tmp_path / "results.json"
    file.write_text(content)
    assert main([str(file), "--jobs", "1"]) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.json"], "no file or folder"),
        (["."], "holds no .json"),
        (["bad.json.gz"], "cannot be read"),
        (["go.json.gz", "--source", "rust"], "no source 'rust'; there are go"),
        (["go.json.gz", "--class", "loud"], "no class 'loud'; there are quiet"),
        (["go.json.gz", "--classes", "go"], "not of the form name=class"),
        (["go.json.gz", "--higher", "rust"], "no source 'rust'"),
        (["go.json.gz", "--page", "page.md"], "lacks the lines"),
    ],
)
def test_bad_arguments_are_refused_in_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    says: str,
) -> None:
    """Files, sources, classes and pages that are not there are named."""
    work = tmp_path / "work"
    work.mkdir()
    folder = work if arguments == ["."] else tmp_path
    monkeypatch.chdir(folder)
    small(tmp_path, go=[sequence(Noise(), runs=2, rows=2)])
    (tmp_path / "bad.json.gz").write_bytes(b"no gzip")
    (tmp_path / "page.md").write_text("no marks\n")
    assert main([*arguments, "--jobs", "1"]) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


def test_tables_json_and_page_tell_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run prints its tables, writes them into the page between its marks, and writes
    the counts as JSON."""
    file = small(
        tmp_path, mine=[sequence(Noise(), s, rows=4, runs=4) for s in range(2)]
    )
    page, document = tmp_path / "page.md", tmp_path / "counts.json"
    page.write_text("kept\n<!-- figures -->\ngone\n<!-- end of figures -->\nkept too\n")
    arguments = ["--jobs", "1", "--json", str(document), "--page", str(page)]
    assert main([str(file), "--classes", "mine=quiet", *arguments]) == 0
    printed, written = capsys.readouterr().out, page.read_text()
    found = json.loads(document.read_text())
    assert found["schema"] == "gitbench-calibration/1"
    [alarms] = [
        one
        for one in found["counts"]
        if (one["of"], one["sessions"], one["scene"], one["measure"], one["rule"])
        == ("class:quiet", 3, "whole", "comparison", "gitbench")
    ]
    assert (alarms["trials"], alarms["sequences"]) == (2, 2)
    aims = {one["aim"]: one for one in found["aims"]}
    aim = aims["+10 % in a tenth of the rows, found"]
    assert (aim["class"], aim["bound"], aim["at_least"]) == ("quiet", 0.95, True)
    assert aim["met"] == (aim["hits"] >= 0.95 * aim["trials"])
    assert f"{aim['hits']} of {aim['trials']}" in printed
    assert written.startswith("kept\n<!-- figures -->\n2")
    assert f"`python -m benchmarks.calibration {file} --classes mine=quiet`" in written
    assert str(document) not in written
    assert written.endswith("<!-- end of figures -->\nkept too\n")
    assert "gone" not in written
    assert f"| {aim['hits']} of {aim['trials']} |" in written


def test_generated_results_stand_in_for_absent_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without results beside the project a smoke run replays generated ones."""
    monkeypatch.setattr("benchmarks.calibration.__main__.SIBLING", Path("nowhere"))
    assert main(["--smoke", "--jobs", "1", "--source", "quiet"]) == 0
    printed = capsys.readouterr()
    assert "is not there: generated results instead" in printed.err
    assert "generated results;" in printed.out
    assert "no measurement" in printed.out


def test_processes_side_by_side_count_the_same() -> None:
    """The number of jobs changes nothing but the time."""
    source = Source(
        "mine",
        False,
        ("mine",),
        tuple(sequence(Noise(), s, rows=2, runs=3) for s in range(2)),
    )
    told: list[tuple[int, int]] = []
    one = calibrate([source], jobs=1, tell=lambda done, of: told.append((done, of)))
    other: Results = calibrate([source], jobs=2)
    assert one.sequences == other.sequences
    assert told[-1] == (8, 8)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (1e-5, "<0.1"),
        (0.014, "1.4"),
        (0.12, "12"),
        (0.999, ">99"),
        (1, "100"),
    ],
)
def test_a_share_is_shown_as_nothing_or_all_only_if_it_is(
    value: float, shown: str
) -> None:
    """Rounding hides neither a hit nor a miss."""
    assert tables.percent(value) == shown

"""Logs of inspect evaluations: `.json`, and `.eval` (a zip of JSON).

A sample is a benchmark, an epoch one trial of it: whether it was solved, what it
cost, and how long the model worked on it.  The model is a parameter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gitbench.formats.document import (
    MAX_BYTES,
    MAX_MEASUREMENTS,
    Document,
    FormatError,
    commit_id,
    get_list,
    get_object,
    get_text,
    member,
    number,
    parse_json,
    quoted,
    timestamp,
    version_of,
)
from gitbench.model import (
    Benchmark,
    Better,
    Kind,
    Measurement,
    Metric,
    Reading,
    Status,
    Tool,
)

_SUCCESS = Metric("success", "1", Better.HIGHER, Kind.PROPORTION)
_TOKENS = Metric("tokens", "tokens", Better.LOWER, Kind.TOKENS)
_COST = Metric("cost", "USD", Better.LOWER, Kind.MONEY)
_DURATION = Metric("duration", "s", Better.LOWER, Kind.DURATION)
_PACKINGS = (0, 8, 93)
"""How the parts of a zip may be compressed: not at all, Deflate, Zstandard."""
_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""Correct, partly, incorrect, no answer; with inspect's own numbers."""


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a log."""
    if document.form == "binary":
        log, samples = _from_zip(document.data)
    else:
        log = get_object(document.single("inspect"), "top level")
        samples = get_list(log.get("samples") or [], "samples")
    status = member(log, "status", "top level")
    if status != "success":
        raise FormatError(
            "status",
            f"the evaluation is {quoted(status)}, so its samples are not complete; "
            "finish it with: inspect eval-retry LOG",
        )
    if not samples:
        raise FormatError(
            "samples",
            "the log has no samples, only totals; keep them (log_samples) to compare "
            "task by task.",
        )
    evaluation = get_object(member(log, "eval", "top level"), "eval")
    return (_reading(log, evaluation, samples),)


def _reading(
    log: dict[str, Any], evaluation: dict[str, Any], samples: list[Any]
) -> Reading:
    task = get_text(member(evaluation, "task", "eval"), "eval.task")
    model = evaluation.get("model")
    params = (("model", model),) if isinstance(model, str) and model else ()
    headline = _headline(log)
    gathered: dict[str, _Sample] = {}
    for place, item in enumerate(samples):
        where = f"samples[{place}]"
        sample = get_object(item, where)
        name = get_text(str(member(sample, "id", where)), f"{where}.id")
        one = gathered.setdefault(name, _Sample())
        _read_sample(one, sample, where)
    found: list[Measurement] = []
    for name, one in gathered.items():
        benchmark = Benchmark(get_text(f"{task}/{name}", "samples"), params)
        found.extend(_measurements(benchmark, one, headline))
    if len(found) > MAX_MEASUREMENTS:
        raise FormatError("samples", f"more than {MAX_MEASUREMENTS:,} measurements.")
    stats = log.get("stats")
    started = stats.get("started_at") if isinstance(stats, dict) else None
    started_at, naive = None, False
    if isinstance(started, str) and started:
        started_at, naive = timestamp(started, "stats.started_at")
    revision = evaluation.get("revision")
    revision = revision if isinstance(revision, dict) else {}
    commit, dirty = commit_id(revision.get("commit")), revision.get("dirty")
    packages = evaluation.get("packages")
    version = packages.get("inspect_ai") if isinstance(packages, dict) else None
    errors = sum(one.errors for one in gathered.values())
    return Reading(
        Tool("inspect", version_of(version)),
        tuple(found),
        started_at=started_at,
        naive_time=naive,
        commit=commit,
        dirty=dirty if isinstance(dirty, bool) and commit else None,
        warnings=(
            f"{errors} trials ended with an error of the evaluation and are left out.",
        )
        if errors
        else (),
    )


def _headline(log: dict[str, Any]) -> str | None:
    """The scorer that says success; None: the first one of each sample."""
    results = log.get("results")
    headline = results.get("headline") if isinstance(results, dict) else None
    score = headline.get("score") if isinstance(headline, dict) else None
    return score if isinstance(score, str) else None


@dataclass(slots=True)
class _Sample:
    """What the epochs of one sample gave."""

    scores: dict[str, list[float]] = field(default_factory=dict)
    tokens: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    errors: int = 0
    message: str | None = None


def _read_sample(one: _Sample, sample: dict[str, Any], where: str) -> None:
    """Take in one epoch."""
    error = sample.get("error")
    if error:
        one.errors += 1
        text = error.get("message") if isinstance(error, dict) else error
        one.message = str(text)[:4000]
        return
    scores = sample.get("scores")
    for scorer, score in (scores if isinstance(scores, dict) else {}).items():
        value = get_object(score, f"{where}.scores").get("value")
        for key, part in _parts(scorer, value):
            number_ = _score(part, f"{where}.scores[{quoted(key)}]")
            if number_ is not None:
                one.scores.setdefault(key, []).append(number_)
    usage = sample.get("model_usage")
    tokens = cost = 0.0
    for name, used in (usage if isinstance(usage, dict) else {}).items():
        place = f"{where}.model_usage[{quoted(name)}]"
        fields = get_object(used, place)
        tokens += number(fields.get("total_tokens") or 0, place)
        cost += number(fields.get("total_cost") or 0, place)
    if tokens:
        one.tokens.append(tokens)
    if cost:
        one.costs.append(cost)
    time = sample.get("working_time", sample.get("total_time"))
    if time is not None:
        one.times.append(number(time, f"{where}.working_time"))


def _parts(scorer: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A score, or each part of one that has several."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield f"{scorer}/{key}", part
    else:
        yield scorer, value


def _score(value: Any, where: str) -> float | None:
    """A score as a number; None for text and lists, which are no measure."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        return _LETTERS.get(value)
    if isinstance(value, int | float):
        return number(value, where)
    return None


def _measurements(
    benchmark: Benchmark, one: _Sample, headline: str | None
) -> Iterator[Measurement]:
    if one.errors and not one.scores and not one.times:
        message = one.message
        yield Measurement(
            benchmark, _SUCCESS, status=Status.FAILED, message=message or "error"
        )
        return
    first = headline if headline in one.scores else next(iter(one.scores), None)
    for scorer, values in one.scores.items():
        name = "success" if scorer == first else get_text(scorer, "scorer")
        if set(values) <= {0.0, 1.0}:
            metric = Metric(name, "1", Better.HIGHER, Kind.PROPORTION)
            passes = int(sum(values))
            yield Measurement(benchmark, metric, passes=passes, trials=len(values))
        else:
            name = "score" if name == "success" else name
            metric = Metric(name, "1", Better.HIGHER, Kind.SCORE)
            yield Measurement(benchmark, metric, (tuple(values),))
    for metric, numbers in (
        (_TOKENS, one.tokens),
        (_COST, one.costs),
        (_DURATION, one.times),
    ):
        if numbers:
            yield Measurement(benchmark, metric, (tuple(numbers),))


# ------------------------------------------------------------------------- .eval


def _from_zip(data: bytes) -> tuple[dict[str, Any], list[Any]]:
    """The header and the summaries of the samples of a `.eval` file."""
    import io
    import struct
    import zlib

    zipfile, zstd_error = _zipfile()
    # What unpacks has errors of its own, of no common class.
    damage = (zlib.error, struct.error, zstd_error, zipfile.BadZipFile)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            header = _part(archive, "header.json")
            summaries = _part(archive, "summaries.json")
    except NotImplementedError as exc:
        raise FormatError(
            "",
            "its parts are compressed with Zstandard; install gitbench[inspect] to "
            "read them, or convert it: inspect log convert --to json --output-dir . "
            "LOG",
        ) from exc
    except (*damage, OSError, EOFError, ValueError, RuntimeError) as exc:
        raise FormatError(
            "", f"it is a damaged .eval file ({quoted(exc, 200)})."
        ) from exc
    return get_object(header, "header.json"), get_list(summaries, "summaries.json")


def _zipfile() -> tuple[Any, type[Exception]]:
    """A zipfile that knows Zstandard, and the error of damaged data: Python's own from
    3.14 on, else a backport; without it, zipfile alone."""
    import sys
    import zipfile
    from importlib import import_module

    try:
        if sys.version_info >= (3, 14):
            return zipfile, import_module("compression.zstd").ZstdError
        zstd = import_module("backports.zstd")
        return import_module("backports.zstd.zipfile"), zstd.ZstdError
    except ImportError:
        return zipfile, zipfile.BadZipFile


def _part(archive: Any, name: str) -> Any:
    """One JSON file of the archive; its size is checked while it is unpacked."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise FormatError(name, "it is missing; is the evaluation finished?") from None
    if info.compress_type not in _PACKINGS:
        raise FormatError(name, "inspect does not compress in this way.")
    with archive.open(info) as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise FormatError(name, f"it is larger than {MAX_BYTES >> 20} MiB.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise FormatError(name, "it is not valid UTF-8 text.") from exc
    values = parse_json(text)
    if len(values) != 1:
        raise FormatError(name, "it holds no single JSON value.")
    return values[0]

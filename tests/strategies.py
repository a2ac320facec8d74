"""Hypothesis strategies for values of the model."""

from __future__ import annotations

from hypothesis import strategies as st

from gitbench.model import (
    Benchmark,
    Better,
    CiContext,
    Kind,
    Measurement,
    Metric,
    Run,
    Status,
    Summary,
    Testbed,
    Tool,
)

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
pairs = st.dictionaries(texts, texts, max_size=3).map(
    lambda found: tuple(sorted(found.items()))
)
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**9), 10**9).map(lambda n: n * 1e-9),
    st.decimals(0, 1000, places=6, allow_nan=False).map(float),
).map(lambda value: value + 0.0)
hexes = st.text("0123456789abcdef", min_size=40, max_size=40)
times = st.integers(0, 2**45)

benchmarks = st.builds(Benchmark, texts, pairs)
metrics = st.builds(
    Metric, texts, texts, st.sampled_from(Better), st.sampled_from(Kind)
)
summaries = st.builds(
    Summary,
    numbers,
    st.sampled_from(["mean", "median"]),
    st.none() | numbers,
    st.none() | numbers,
    st.none() | numbers.map(abs),
    st.none() | st.integers(1, 10**6),
)
processes = st.lists(
    st.lists(numbers, min_size=1, max_size=4).map(tuple), min_size=1, max_size=3
).map(tuple)


@st.composite
def measurements(draw: st.DrawFn) -> Measurement:
    """A measurement with values, a summary, both, trials, or a failure."""
    what = draw(st.sampled_from(["values", "summary", "both", "trials", "failed"]))
    trials = draw(st.integers(1, 100)) if what == "trials" else None
    return Measurement(
        draw(benchmarks),
        draw(metrics),
        draw(processes) if what in ("values", "both") else (),
        draw(summaries) if what in ("summary", "both") else None,
        draw(st.integers(0, trials)) if trials else None,
        trials,
        draw(st.sampled_from([Status.FAILED, Status.SKIPPED]))
        if what == "failed"
        else Status.OK,
        draw(st.none() | texts) if what == "failed" else None,
        draw(st.none() | texts),
    )


runs = st.builds(
    Run,
    suite=texts,
    started_at=times,
    time_source=st.sampled_from(["tool", "tool-naive", "recorder"]),
    tool=st.builds(Tool, texts, st.none() | texts),
    testbed=st.builds(Testbed, texts, hexes.map(lambda h: h[:12]), pairs),
    commit=hexes,
    tree=hexes,
    dirty=st.booleans(),
    origin=hexes.map(lambda h: (h + h)[:64]),
    measurements=st.lists(
        measurements(),
        min_size=1,
        max_size=4,
        unique_by=lambda m: (m.benchmark, m.metric.name),
    ).map(tuple),
    ci=st.none()
    | st.builds(
        CiContext, texts, st.none() | texts, st.none() | texts, st.none() | texts
    ),
    session=st.none() | texts,
    round=st.none() | st.integers(0, 1000),
    tags=pairs,
)

"""The order of verdicts, one number at a time."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gitbench.compare.verdicts import Numbers, Suite, decide, without_direction
from gitbench.model import Verdict

V = Verdict
ALPHA = 0.05
T = math.log(1.05)

CALM = Numbers(
    delta=0.0,
    delta_older=0.0,
    raw=0.0,
    half_width=0.02,
    spread=True,
    adjusted_worse=0.5,
    adjusted_better=0.5,
    worse=T,
    better=T,
    threshold=T,
    single=False,
)
STILL, BETTER, LEANING, UNSURE, WORSE = (
    Suite(verdict, faster)
    for verdict, faster in (
        (V.UNCHANGED, False),
        (V.IMPROVED, True),
        (V.NO_REGRESSION, False),
        (V.INCONCLUSIVE, False),
        (V.REGRESSED, False),
    )
)


def moved(delta: float, shift: float = 0.0, **fields: object) -> Numbers:
    """A row that moved by `delta`, and its suite by `shift`, significantly."""
    values = {
        "delta": delta,
        "delta_older": delta,
        "raw": delta + shift,
        "adjusted_worse": 0.001 if delta > 0 else 1.0,
        "adjusted_better": 0.001 if delta < 0 else 1.0,
    }
    return replace(CALM, **(values | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("row", "suite", "expected"),
    [
        # regressed: significant, beyond the limit, and not only beside its suite
        (moved(0.1), None, (V.REGRESSED, None)),
        (moved(0.1, -0.2), STILL, (V.REGRESSED, None)),
        (moved(0.1, -0.2), BETTER, (V.INCONCLUSIVE, "raw-not-regressed")),
        (moved(0.3, -0.2), BETTER, (V.REGRESSED, None)),
        (moved(0.1, adjusted_worse=0.06), None, (V.INCONCLUSIVE, "noise")),
        (moved(0.04), None, (V.INCONCLUSIVE, "noise")),
        (moved(0.02), None, (V.UNCHANGED, None)),
        # the newest level of the window is a single session
        (moved(0.1, single=True, delta_older=0.08), None, (V.REGRESSED, None)),
        (
            moved(0.1, single=True, delta_older=0.04),
            None,
            (V.INCONCLUSIVE, "latest-level-one-session"),
        ),
        (
            moved(-0.1, single=True, delta_older=-0.04),
            None,
            (V.INCONCLUSIVE, "latest-level-one-session"),
        ),
        # improved: mirrored, and in itself too
        (moved(-0.1), None, (V.IMPROVED, None)),
        (moved(-0.1, 0.2), WORSE, (V.INCONCLUSIVE, "raw-not-improved")),
        (moved(-0.1, 0.01), STILL, (V.IMPROVED, None)),
        (moved(-0.1, adjusted_better=0.06), None, (V.NO_REGRESSION, None)),
        # claims: where the interval ends
        (replace(CALM, half_width=0.049), None, (V.INCONCLUSIVE, "noise")),
        (replace(CALM, delta=-0.03, half_width=0.03), None, (V.NO_REGRESSION, None)),
        (replace(CALM, delta=-0.01, half_width=0.03), None, (V.UNCHANGED, None)),
        # claims are no stronger than the suite's
        (CALM, STILL, (V.UNCHANGED, None)),
        (CALM, LEANING, (V.NO_REGRESSION, None)),
        (CALM, BETTER, (V.NO_REGRESSION, None)),
        (CALM, UNSURE, (V.INCONCLUSIVE, "suite-shift")),
        (CALM, WORSE, (V.INCONCLUSIVE, "suite-shift")),
        # beyond the limit only together with the suite
        (replace(CALM, raw=0.1), WORSE, (V.INCONCLUSIVE, "moved-with-suite")),
        (
            replace(CALM, delta=0.02, raw=0.12, half_width=0.06),
            WORSE,
            (V.INCONCLUSIVE, "moved-with-suite"),
        ),
        (replace(CALM, raw=-0.1), BETTER, (V.NO_REGRESSION, "moved-with-suite")),
        (
            replace(CALM, delta=0.04, raw=0.06, half_width=0.03),
            STILL,
            (V.INCONCLUSIVE, "noise"),
        ),
        # min_change: worse than the threshold, and little in absolute terms
        (
            moved(0.1, worse=0.3, better=0.3),
            None,
            (V.UNCHANGED, "below-min-change"),
        ),
        (
            moved(0.1, worse=0.3, better=0.3, half_width=0.25),
            None,
            (V.INCONCLUSIVE, "below-min-change"),
        ),
        # nothing to estimate the noise from
        (
            replace(CALM, spread=False, half_width=0.0, delta=0.2, raw=0.2),
            None,
            (V.INCONCLUSIVE, "no-spread"),
        ),
        (replace(CALM, spread=False, half_width=0.0), None, (V.UNCHANGED, None)),
    ],
)
def test_decide(
    row: Numbers, suite: Suite | None, expected: tuple[Verdict, str | None]
) -> None:
    """Each rule of the order decides alone where it is the first that applies."""
    assert decide(row, ALPHA, suite) == expected


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (CALM, V.UNCHANGED),
        (moved(0.2), V.INCONCLUSIVE),
        (moved(-0.2), V.INCONCLUSIVE),
        (replace(CALM, half_width=0.1), V.INCONCLUSIVE),
    ],
)
def test_without_direction(row: Numbers, verdict: Verdict) -> None:
    """Without a direction a row is unchanged or undecided, never better or worse."""
    reason = "no-direction" if verdict is V.INCONCLUSIVE else None
    assert without_direction(row) == (verdict, reason)

"""A threshold for each row that follows from its own noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gitbench.stats.moderated import quantiles
from gitbench.stats.power import POWER

Floats = NDArray[np.float64]

FLOOR = 0.025
"""Least threshold, a fraction.

Now and then a row of a quiet machine moves by 1 to 2 % without a cause in the code, far
beyond the noise of its other sessions: a build that lays out code or the stack
otherwise does that (Mytkowicz, Diwan, Hauswirth and Sweeney 2009), a clock or a cache
too.  Of 150 comparisons of unchanged code on the quietest machine at hand (rustls, 3, 5
and 10 sessions) 22 raised an alarm with a floor of 1 %, 9 with 2 %, 6 with 2.5 % and 3
with 3 %; a change of 3 % was found in 39-69, 39-68, 38-60 and 22-28 % of the rows, with
a fixed 5 % in 0-2 %."""

MARGIN = 0.5
"""Share of the level of significance at which the limit is set.

A fixed threshold shields rows whose variance came out small by chance; a limit made of
that variance does not.  In 600 simulated comparisons of 12 unchanged rows with noise of
0.2, 1 and 3 % against three sessions, limits at the whole level raised 51 false alarms,
at half of it 23 (15 with the floor of 2.5 % instead of 1 %), a fixed 5 % 20
(tests/unit/test_stats_auto.py has a smaller version)."""

_LARGEST = 999.0
"""Greatest threshold: so much noise decides nothing anyway."""


def auto_threshold(
    variance: Floats, df: Floats, sessions: Floats, level: float, alpha: float
) -> Floats:
    """The least threshold that each row's noise allows, as a fraction; (m,).

    `variance` is that of one session on logs, moderated, `df` its degrees of freedom,
    `sessions` how many stand behind the row's base; `level` is the p-value that a
    single regressed row needs, after the correction.  NaN where no noise is known.

    With s the standard error of one session of head against the base, the limit is
    max(t[MARGIN level], t[alpha] + t[1 - POWER]) s.  By the first term whatever lies
    beyond it is significant, so that the limit never promises what the test cannot
    keep.  By the second the interval of a row that did not change, t[alpha] s wide on
    its bad side, ends below the limit in a share of POWER: otherwise a suite of one
    row, where `level` is `alpha`, could never call anything unchanged.

    Head's own values have no part in it: the limit shall not move when head is
    measured again.  Rounded up to a tenth of a per cent, from 10 % to a whole one,
    so that it stays where it was when the noise changes a little.
    """
    with np.errstate(all="ignore"):
        error = np.sqrt(variance * (1 + 1 / np.maximum(sessions, 1)))
        sure = quantiles(MARGIN * level, df)
        decided = quantiles(alpha, df) + quantiles(1 - POWER, df)
        found = np.expm1(np.maximum(sure, decided) * error)
    known = (df > 0) & (variance > 0) & ~np.isnan(found)
    found = np.clip(np.where(known, found, FLOOR), FLOOR, _LARGEST)
    step = np.where(found < 0.1, 1000.0, 100.0)
    # Without the small number a limit of exactly 1 % would be 1.1 %.
    rounded = np.ceil(found * step - 1e-9) / step
    return np.where(known, rounded, np.nan)

"""Student's t distribution: tail, distribution function and quantile.

With t = sqrt(df) sinh(w) the density becomes a constant times cosh(w)**-df, whose
tail is smooth and falls exponentially for every df, from far below 1 up to where
the distribution is normal to the last digit.  One quadrature thus serves all
degrees of freedom and all tails: it agrees with 40-digit arithmetic to 1e-12
relative for df from 0.01 to 1e15 and tails down to 1e-300.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# The double-exponential rule for integrals over (0, inf) of functions that fall
# like exp(-s): s = exp(u - exp(-u)), trapezoids in u (Takahasi and Mori 1974).
_U = np.arange(-3.6, 4.6, 0.1)
_NODES = np.exp(_U - np.exp(-_U))
_WEIGHTS = 0.1 * _NODES * (1 + np.exp(-_U))
_HUGE_W = 300.0
"""sinh(w)**2 is finite up to here; beyond, ln cosh(w) is w - ln 2 exactly."""


def _ln_cosh(w: Floats) -> Floats:
    """ln cosh(w) for w >= 0 with full relative precision, near 0 as well."""
    near = np.minimum(w, _HUGE_W)
    result: Floats = 0.5 * np.log1p(np.sinh(near) ** 2) + (w - near)
    return result


_SERIES = (-1 / 8, 1 / 128, 5 / 1024, -21 / 32768, -399 / 262144, 869 / 4194304)
"""gamma(x + 1/2) / (gamma(x) sqrt(x)) in powers of 1/x, after the 1."""


def _gamma_half_step(x: Floats) -> Floats:
    """gamma(x + 1/2) / gamma(x) for x > 0.

    The difference of two log gammas would lose all its digits from x = 1e8 on.  The
    argument is moved up by the recurrence to where the series is exact.
    """
    factor, moved = np.ones_like(x), x.copy()
    while (small := moved < 36).any():
        factor *= np.where(small, moved / (moved + 0.5), 1.0)
        moved = np.where(small, moved + 1, moved)
    total = np.zeros_like(moved)
    for coefficient in reversed(_SERIES):
        total = (total + coefficient) / moved
    return factor * np.sqrt(moved) * (1 + total)


def _log_peak(df: Floats) -> Floats:
    """Log of the density in w at 0."""
    peak: Floats = np.log(_gamma_half_step(df / 2)) - 0.5 * np.log(np.pi)
    return peak


def _log_tail(w: Floats, df: Floats, peak: Floats) -> tuple[Floats, Floats]:
    """Log of the upper tail beyond w >= 0, and the log density there, both in w."""
    top = _ln_cosh(w)
    density = peak - df * top
    # It falls at the rate df tanh(w) and bends with df / cosh(w)^2; below one degree
    # of freedom it reaches its final rate, df, before the bend makes it small.
    tangent = np.tanh(w)
    bend = np.sqrt(df * (1 - tangent * tangent))
    scale = 1 / (df * tangent + np.minimum(bend, df))
    steps = scale[..., None] * _NODES
    fall = df[..., None] * (_ln_cosh(w[..., None] + steps) - top[..., None])
    # Not a matrix product, whose last bits depend on the other rows.
    integral = scale * np.sum(np.exp(-fall) * _WEIGHTS, axis=-1)
    return density + np.log(integral), density


def _broadcast(first: ArrayLike, df: ArrayLike) -> tuple[Floats, Floats]:
    values, degrees = np.broadcast_arrays(
        np.asarray(first, dtype=np.float64), np.asarray(df, dtype=np.float64)
    )
    if not np.all(degrees > 0):
        raise ValueError("degrees of freedom must be positive")
    return values, degrees


def tail(t: ArrayLike, df: ArrayLike) -> Floats:
    """Probability of a value above t (the survival function), for real df > 0."""
    values, degrees = _broadcast(t, df)
    w = np.arcsinh(np.minimum(np.abs(values) / np.sqrt(degrees), 1e308))
    upper = np.minimum(np.exp(_log_tail(w, degrees, _log_peak(degrees))[0]), 0.5)
    upper = np.where(values == 0, 0.5, upper)
    return np.where(values >= 0, upper, 1 - upper)


def distribution(t: ArrayLike, df: ArrayLike) -> Floats:
    """Probability of a value of at most t, for real df > 0."""
    return tail(-np.asarray(t, dtype=np.float64), df)


def upper_quantile(p: ArrayLike, df: ArrayLike) -> Floats:
    """The t whose upper tail is p, for 0 < p < 1 and real df > 0.

    Newton's method on the logarithm of the tail as a function of w.  The density
    in w is log-concave, so its tail is too, and the steps come down to the root
    from one side whatever the start.
    """
    wanted, degrees = _broadcast(p, df)
    if not np.all((wanted > 0) & (wanted < 1)):
        raise ValueError("a tail probability lies between 0 and 1")
    flip = wanted > 0.5
    target = np.log(np.where(flip, 1 - wanted, wanted))
    w, peak = np.zeros_like(target), _log_peak(degrees)
    for _ in range(100):
        log_tail, density = _log_tail(w, degrees, peak)
        step = (log_tail - target) * np.exp(log_tail - density)
        w = np.maximum(w + step, 0.0)
        if np.all(np.abs(step) <= 1e-15 * w):
            break
    t = np.sqrt(degrees) * np.sinh(w)
    return np.where(flip, -t, t)

"""Units: which base unit one belongs to, what it implies, and text for people.

Owns every spelling of a unit.  Values are stored in the unit the tool gave, and
compared, budgeted and shown in its base unit (`s`, `B`, `1`, `B/s`, `1/s` ...),
so that nanoseconds of one tool and seconds of another give the same verdict.

Imports nothing but the standard library's `math` and compiles no pattern: the
`record` path loads this module.
"""

from __future__ import annotations

import math
from functools import lru_cache

from gitbench.errors import GitbenchError
from gitbench.model import Better, Kind


class UnitError(GitbenchError):
    """A quantity or a fraction that cannot be understood."""


# ------------------------------------------------------------------ base units


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SI = {
    "f": 1e-15,
    "p": 1e-12,
    "n": 1e-9,
    "u": 1e-6,
    "µ": 1e-6,  # U+00B5, the micro sign
    "μ": 1e-6,  # U+03BC, the Greek letter, which several tools write instead
    "m": 1e-3,
    "": 1.0,
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
}
_TIMES = {
    **{prefix + "s": _SI[prefix] for prefix in ("f", "p", "n", "u", "µ", "μ", "m", "")},
    **dict.fromkeys(("sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("msec", "msecs", "millis", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("usec", "usecs", "micros", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("nsec", "nsecs", "nanos", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("psec", "picosecond", "picoseconds"), 1e-12),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("day", "days"), 86400.0),
}
_BYTES = {
    **dict.fromkeys(("B", "byte", "bytes", "Byte", "Bytes"), 1.0),
    **{prefix + "B": _SI[prefix] for prefix in "kKMGTP"},
    **{prefix + "iB": 1024.0**power for power, prefix in enumerate("KMGTP", 1)},
    "kiB": 1024.0,
}
_COUNT_WORDS = _set(
    "op ops operation operations iter iters iteration iterations call calls "
    "invocation invocations item items elem elems element elements event events "
    "req reqs request requests query queries row rows msg msgs message messages "
    "record records alloc allocs allocation allocations token tokens tok instr "
    "instruction instructions inst insts cycle cycles count counts time times it "
    "miss misses fault faults switch switches error errors frame frames run runs "
    "test tests step steps transaction transactions tx obj objs object objects "
    "sample samples page pages file files line lines"
)
_COUNTS = {"1": 1.0, "#": 1.0, "x": 1.0, **dict.fromkeys(_COUNT_WORDS, 1.0)}
_MONEY = {"$": "USD", "US$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY"}
_CURRENCIES = _set("USD EUR GBP JPY CHF CNY INR CAD AUD SEK NOK DKK PLN CZK BRL KRW")
_WHOLE = {
    "Hz": ("1/s", 1.0),
    "kHz": ("1/s", 1e3),
    "MHz": ("1/s", 1e6),
    "GHz": ("1/s", 1e9),
    "fps": ("1/s", 1.0),
    "rps": ("1/s", 1.0),
    "RPS": ("1/s", 1.0),
    "qps": ("1/s", 1.0),
    "QPS": ("1/s", 1.0),
    "tps": ("1/s", 1.0),
    "TPS": ("1/s", 1.0),
    "percent": ("%", 1.0),
    "J": ("J", 1.0),
    "mJ": ("J", 1e-3),
    "uJ": ("J", 1e-6),
    "µJ": ("J", 1e-6),
    "kJ": ("J", 1e3),
    "W": ("W", 1.0),
    "mW": ("W", 1e-3),
}
_TABLE: dict[str, tuple[str, float]] = {
    **{name: ("1", factor) for name, factor in _COUNTS.items()},
    **{name: ("s", factor) for name, factor in _TIMES.items()},
    **{name: ("B", factor) for name, factor in _BYTES.items()},
    **{name: (name, 1.0) for name in _CURRENCIES},
    **{sign: (name, 1.0) for sign, name in _MONEY.items()},
    "%": ("%", 1.0),
    **_WHOLE,
}


def _single(unit: str) -> tuple[str, float] | None:
    """Base unit and factor of a unit without a slash; None if it is not known."""
    found = _TABLE.get(unit)
    if found is None and unit[:1] in ("k", "K", "M", "G") and unit[1:] in _COUNTS:
        # Melem/s and kops/s, as throughput is often printed.
        return ("1", _SI[unit[0]]) if unit[1:] not in ("1", "#", "x") else None
    return found


def base_unit(unit: str) -> tuple[str, float]:
    """Base unit of `unit`, and the factor with value_in_base = value * factor.

    Times are in `s`, sizes in `B` (KB is 1,000 and KiB 1,024 bytes), counts in
    `1`, rates in `1/s` or `B/s`.  "Per operation" is left out: `ns/op` is `s`.
    An upper-case unit is not its lower-case namesake: `Mb` (megabit) and `M` are
    unknown.  An unknown unit is its own base with factor 1.
    """
    found = _single(unit)
    if found is not None:
        return found
    above, slash, below = unit.partition("/")
    if not slash or not below or "/" in below:
        return unit, 1.0
    lower = _single(below)
    if lower is None:
        return unit, 1.0
    upper = _single(above) if above else ("1", 1.0)
    if upper is None:
        # frobs/op: the part above is unknown, "per operation" is not.
        upper = (above, 1.0)
    factor = upper[1] / lower[1]
    return (upper[0] if lower[0] == "1" else f"{upper[0]}/{lower[0]}"), factor


# ------------------------------------------------------------- kind and direction

_FASTER = _set("throughput bandwidth qps rps tps fps iops ops speed hz bps")
_TIMED = _set("duration time latency elapsed runtime walltime wall")
_SIZED = _set("size memory mem rss allocated heap footprint bytes peakmem maxrss")
_PASSED = _set("success successes succeeded pass passed passes solved")
_GOOD_SCORES = _set(
    "score accuracy f1 precision recall bleu rouge auc quality speedup hit hits "
    "similarity elo reward coverage"
)
_BAD_SCORES = _set("loss perplexity mse rmse mae wer")
_DETERMINISTIC = _set(
    "instructions instruction allocations allocation allocs alloc mallocs"
)
_BAD_COUNTS = _set(
    "cycles misses miss faults fault errors error failures failure retries timeouts "
    "warnings switches migrations steps turns calls stalls collisions drops lost "
    "jank"
)
_BAD_RATES = _BAD_COUNTS | _set("alloc allocs allocation allocations gc")
_SPARE = _set("free available saved spare headroom")


def _words(metric: str) -> list[str]:
    """The words of a metric's name in lower case: `cache-misses` is two."""
    text = "".join([c if c.isalnum() else " " for c in metric.lower()])
    return text.split()


def _by_unit(words: set[str], base: str) -> tuple[Kind, Better] | None:
    """What a base unit implies, whatever the metric is called; None for counts."""
    if base in _CURRENCIES:
        return Kind.MONEY, Better.LOWER
    if base.endswith("/s"):
        lower = bool(words & _BAD_RATES)
        return Kind.THROUGHPUT, Better.LOWER if lower else Better.HIGHER
    if base == "s" or base.startswith("s/"):
        return Kind.DURATION, Better.LOWER
    if base == "B":
        return Kind.SIZE, Better.HIGHER if words & _SPARE else Better.LOWER
    if base == "J" or base == "W":
        return Kind.SCORE, Better.LOWER
    return None


def _by_name(words: list[str]) -> tuple[Kind, Better] | None:
    """What the words of a metric's name imply when its unit says nothing."""
    known = set(words)
    if known & _FASTER or ("per" in known and known & {"s", "sec", "second"}):
        return Kind.THROUGHPUT, Better.HIGHER
    table = (
        (_PASSED, Kind.PROPORTION, Better.HIGHER),
        ({"tokens", "token"}, Kind.TOKENS, Better.LOWER),
        ({"cost", "price", "usd", "money", "dollars"}, Kind.MONEY, Better.LOWER),
        (_BAD_COUNTS, Kind.COUNT, Better.LOWER),
        (_DETERMINISTIC, Kind.EXACT, Better.LOWER),
        (_BAD_SCORES, Kind.SCORE, Better.LOWER),
        (_GOOD_SCORES, Kind.SCORE, Better.HIGHER),
        (_TIMED, Kind.DURATION, Better.LOWER),
        (_SIZED, Kind.SIZE, Better.LOWER),
    )
    for names, kind, better in table:
        if known & names:
            return kind, better
    return None


@lru_cache(maxsize=512)
def kind_and_better(metric: str, unit: str) -> tuple[Kind, Better]:
    """Kind and direction that a known metric name or unit implies.

    The unit decides where it can (time, bytes, rates, currencies), the words of
    the name otherwise.  A unit that counts something (`calls`) under an unknown
    name is (COUNT, NONE).  Anything else is (SCORE, NONE): shown, never gated, and
    if a user gives it a direction no prior about its noise is assumed.

    A bare count named as instructions or allocations is EXACT; a reader that knows
    its tool's counts to vary says COUNT instead.
    """
    base, _ = base_unit(unit)
    words = _words(metric)
    implied = _by_unit(set(words), base) or _by_name(words)
    if implied is None and base == "1" and unit not in ("1", "#", "x"):
        implied = _by_name([unit.partition("/")[0].lower()])
        return implied or (Kind.COUNT, Better.NONE)
    return implied or (Kind.SCORE, Better.NONE)


# ------------------------------------------------------------------ reading text

_LONGEST = 64
_SHORT_COUNTS = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}


def _split_number(text: str) -> tuple[float, str] | None:
    """The number that `text` starts with, and the rest; None if there is none."""
    for end in range(len(text), 0, -1):
        # float() also takes "nan", "inf" and "1_000"; only the last is meant here.
        if text[end - 1] not in "0123456789.":
            continue
        try:
            number = float(text[:end])
        except ValueError:
            continue
        return (number, text[end:].strip()) if math.isfinite(number) else None
    return None


def parse_quantity(text: str) -> tuple[float, str]:
    """A number with a unit, as (value in base unit, base unit).

    `"1ms"` is (0.001, "s"), `"2 MiB"` (2097152.0, "B"), `"50000"` and `"50k"`
    counts (unit "1").  Raises UnitError.
    """
    what = f"The quantity {text[:_LONGEST]!r}"
    parts = _split_number(text.strip()) if len(text) <= _LONGEST else None
    if parts is None:
        raise UnitError(
            f"{what} does not start with a finite number; write something like "
            "'1ms', '2 MiB' or '50000'."
        )
    number, unit = parts
    if not unit:
        return number, "1"
    if unit in _SHORT_COUNTS:
        return number * _SHORT_COUNTS[unit], "1"
    base, factor = base_unit(unit)
    if base == unit and factor == 1.0 and unit not in _TABLE and "/" not in unit:
        raise UnitError(
            f"{what} has the unknown unit {unit!r}{_hint(unit)}; known are times (ns, "
            "us, ms, s, min, h), sizes (B, kB, KiB, MB, MiB, GB, GiB), rates (MB/s, "
            "ops/s), '%' and currencies; a bare number counts in the metric's base "
            "unit."
        )
    value = number * factor
    if not math.isfinite(value):
        raise UnitError(f"{what} is too large.")
    return value, base


def _hint(unit: str) -> str:
    """` (did you mean 'MB'?)` for a unit that is known in another case."""
    for known in _TABLE:
        if known.lower() == unit.lower():
            return f" (did you mean {known!r}?)"
    return ""


def parse_fraction(text_or_number: str | float) -> float:
    """A fraction written as `"5%"`, `"0.05"` or 0.05; never negative.

    `"5pp"`, five points, is another word for `"5%"`: of a proportion, whose limits are
    differences, both mean that 90 % may become 85 %.

    A bare number above 1 is refused, because 5 could mean 5 % or 500 %.
    Raises UnitError.
    """
    what = f"The fraction {str(text_or_number)[:_LONGEST]!r}"
    help_ = "write a percentage such as '5%', or a number such as 0.05"
    percent = False
    if isinstance(text_or_number, bool):
        raise UnitError(f"{what} is not a number; {help_}.")
    if isinstance(text_or_number, str):
        text = text_or_number.strip()
        sign = next((end for end in ("%", "pp") if text.endswith(end)), "")
        percent = bool(sign)
        parts = _split_number(text[: len(text) - len(sign)].strip())
        if len(text) > _LONGEST or parts is None or parts[1]:
            raise UnitError(f"{what} is not a number; {help_}.")
        number = parts[0]
    else:
        try:
            number = float(text_or_number)
        except OverflowError:
            number = math.inf
    if not math.isfinite(number):
        raise UnitError(f"{what} is not a finite number; {help_}.")
    if number < 0:
        raise UnitError(f"{what} is negative; {help_}.")
    if number > 1 and not percent:
        raise UnitError(
            f"{what} is above 1 and could mean {number:g} % or {number * 100:g} %; "
            f"{help_}."
        )
    return number / 100 if percent else number


# ------------------------------------------------------------- text for people

_STEPS_SI = ((1e-12, "p"), (1e-9, "n"), (1e-6, "µ"), (1e-3, "m"), (1.0, ""))
_STEPS_UP = ((1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T"))
_STEPS_IEC = (
    (1.0, ""),
    (1024.0, "Ki"),
    (1024.0**2, "Mi"),
    (1024.0**3, "Gi"),
    (1024.0**4, "Ti"),
)
_SCALES: dict[str, tuple[tuple[tuple[float, str], ...], str, float]] = {
    "s": (_STEPS_SI, "s", 1e3),
    "J": (_STEPS_SI + _STEPS_UP[1:], "J", 1e3),
    "W": (_STEPS_SI + _STEPS_UP[1:], "W", 1e3),
    "B": (_STEPS_IEC, "B", 1024.0),
    "B/s": (_STEPS_UP, "B/s", 1e3),
    "1/s": (_STEPS_UP, "/s", 1e3),
}
_PLAIN_BELOW = 1e15
"""From here on digits stop being readable, and floats stop being exact counts."""


def scale(value: float, unit: str, digits: int = 4) -> tuple[float, str]:
    """Divisor and label to show base `value` with: (0.0123, "s") is (0.001, "ms").

    For a table or an axis that shows several values alike, ask with the largest.
    Sizes scale by 1,024 (KiB), everything else by 1,000.
    """
    if unit == "1":
        return 1.0, ""
    if unit not in _SCALES:
        return 1.0, unit
    steps, label, ratio = _SCALES[unit]
    size = abs(value)
    best = steps[0]
    for divisor, prefix in steps:
        # A value that would be rounded up to 1,000 belongs to the next step.
        if size >= divisor * (1 - 0.5 * 10.0**-digits):
            best = (divisor, prefix)
    if not steps[0][0] / ratio <= size < math.inf:
        best = (1.0, "")
    return best[0], best[1] + label


def _significant(number: float, digits: int) -> str:
    """`number` with `digits` significant digits, all digits before the point."""
    size = abs(number)
    if size == 0:
        return "0"
    if size >= _PLAIN_BELOW or size < 1e-4:
        return f"{number:.{digits - 1}e}"
    places = max(0, digits - 1 - math.floor(math.log10(size)))
    if round(size, places) >= 10.0 ** (digits - places):
        places = max(0, places - 1)
    return f"{number:,.{places}f}"


def format_value(value: float, unit: str, digits: int = 4) -> str:
    """A value in its base `unit` as people read it: 0.0123 s is `12.30 ms`.

    Sizes use IEC prefixes (KiB = 1,024 B), rates and times SI prefixes.  Whole
    counts and whole bytes below 1,024 keep all their digits.
    """
    if not math.isfinite(value):
        return "n/a"
    divisor, label = scale(value, unit, digits)
    number = value / divisor
    if number == 0:
        text = "0"
    elif (
        (unit == "1" or label == "B")
        and number == math.floor(number)
        and abs(number) < _PLAIN_BELOW
    ):
        text = f"{number:,.0f}"
    else:
        text = _significant(number, digits)
    return f"{text} {label}" if label else text


def format_change(fraction: float | None) -> str:
    """A relative change: `+12.3 %`, `-4.8 %`, and `x12.3` from ten times up."""
    if fraction is None or not math.isfinite(fraction):
        return "n/a"
    if fraction >= 9:
        factor = 1 + fraction
        return f"x{factor:,.1f}" if factor < 1e6 else f"x{factor:.3g}"
    text = f"{fraction * 100:+.1f} %"
    if text == "-0.0 %":
        return "+0.0 %"
    if text == "-100.0 %" and fraction > -1:
        return "-99.9 %"
    return text


def format_points(difference: float) -> str:
    """A difference of two shares: `-20.0 pp`, in percentage points."""
    text = f"{difference * 100:+.1f} pp"
    return "+0.0 pp" if text == "-0.0 pp" else text


_AGES = (
    (2 * 365 * 86400, 365 * 86400, "years"),
    (60 * 86400, 30 * 86400, "months"),
    (2 * 86400, 86400, "days"),
    (7200, 3600, "h"),
    (120, 60, "min"),
)


def format_duration(seconds: int) -> str:
    """An age or a span in one unit, rounded down: `45 s`, `3 h`, `2 days`.

    A negative one, as clocks that disagree make, is `0 s`.
    """
    for least, size, name in _AGES:
        if seconds >= least:
            return f"{seconds // size} {name}"
    return f"{max(seconds, 0)} s"

"""Tests of gitbench.units."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench.model import Better, Kind
from gitbench.units import (
    UnitError,
    base_unit,
    format_change,
    format_duration,
    format_value,
    kind_and_better,
    parse_fraction,
    parse_quantity,
    scale,
)

finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("unit", "base", "factor"),
    [
        ("ns", "s", 1e-9),
        ("us", "s", 1e-6),
        ("µs", "s", 1e-6),
        ("μs", "s", 1e-6),
        ("ms", "s", 1e-3),
        ("sec", "s", 1.0),
        ("min", "s", 60.0),
        ("h", "s", 3600.0),
        ("B", "B", 1.0),
        ("bytes", "B", 1.0),
        ("KB", "B", 1e3),
        ("kB", "B", 1e3),
        ("KiB", "B", 1024.0),
        ("MB", "B", 1e6),
        ("MiB", "B", 1048576.0),
        ("ns/op", "s", 1e-9),
        ("B/op", "B", 1.0),
        ("allocs/op", "1", 1.0),
        ("#/op", "1", 1.0),
        ("MB/s", "B/s", 1e6),
        ("MB/sec", "B/s", 1e6),
        ("ops/s", "1/s", 1.0),
        ("ops/ms", "1/s", 1e3),
        ("Melem/s", "1/s", 1e6),
        ("/s", "1/s", 1.0),
        ("kHz", "1/s", 1e3),
        ("ns/B", "s/B", 1e-9),
        ("tokens", "1", 1.0),
        ("%", "%", 1.0),
        ("$", "USD", 1.0),
        ("EUR", "EUR", 1.0),
        ("frobs", "frobs", 1.0),
        ("frobs/op", "frobs", 1.0),
        ("Mb", "Mb", 1.0),
        ("a/b/c", "a/b/c", 1.0),
        ("/", "/", 1.0),
        ("", "", 1.0),
    ],
)
def test_base_unit_knows_spelling(unit: str, base: str, factor: float) -> None:
    """Each spelling has its base unit and factor; unknown ones are their own base."""
    found, by = base_unit(unit)
    assert found == base
    assert by == pytest.approx(factor, rel=1e-12)


@given(finite.filter(lambda x: 1e-250 < abs(x) < 1e250))
@settings(derandomize=True, max_examples=50)
def test_nanoseconds_and_seconds_are_the_same_amount(value: float) -> None:
    """The same time in ns and in s has the same base value, to rounding."""
    nano, _ = base_unit("ns")
    assert value * base_unit("ns")[1] == pytest.approx(value / 1e9, rel=1e-15)
    assert nano == base_unit("s")[0]


@given(st.text(max_size=20))
@settings(derandomize=True, max_examples=200)
def test_base_unit_takes_any_text_and_is_idempotent(unit: str) -> None:
    """Any text has a base unit, whose own base unit is itself."""
    base, factor = base_unit(unit)
    assert math.isfinite(factor)
    assert factor > 0
    again, one = base_unit(base)
    assert (again, one) == (base, 1.0)


@pytest.mark.parametrize(
    ("metric", "unit", "kind", "better"),
    [
        ("duration", "ns", Kind.DURATION, Better.LOWER),
        ("anything", "ms", Kind.DURATION, Better.LOWER),
        ("allocated", "B", Kind.SIZE, Better.LOWER),
        ("free memory", "MiB", Kind.SIZE, Better.HIGHER),
        ("throughput", "MB/s", Kind.THROUGHPUT, Better.HIGHER),
        ("x", "ops/s", Kind.THROUGHPUT, Better.HIGHER),
        ("gc.alloc.rate", "MB/sec", Kind.THROUGHPUT, Better.LOWER),
        ("tokens", "1", Kind.TOKENS, Better.LOWER),
        ("tokens_per_second", "1", Kind.THROUGHPUT, Better.HIGHER),
        ("cost", "USD", Kind.MONEY, Better.LOWER),
        ("success", "1", Kind.PROPORTION, Better.HIGHER),
        ("pass_rate", "%", Kind.PROPORTION, Better.HIGHER),
        ("instructions", "1", Kind.EXACT, Better.LOWER),
        ("allocations", "1", Kind.EXACT, Better.LOWER),
        ("cache-misses", "1", Kind.COUNT, Better.LOWER),
        ("accuracy", "1", Kind.SCORE, Better.HIGHER),
        ("loss", "1", Kind.SCORE, Better.LOWER),
        ("frob", "errors/op", Kind.COUNT, Better.LOWER),
        ("frob", "queries", Kind.COUNT, Better.NONE),
        ("frob", "1", Kind.SCORE, Better.NONE),
        ("frob", "frobs", Kind.SCORE, Better.NONE),
    ],
)
def test_kind_and_direction_are_implied(
    metric: str, unit: str, kind: Kind, better: Better
) -> None:
    """A known unit or name implies kind and direction; an unknown one no direction."""
    assert kind_and_better(metric, unit) == (kind, better)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("1ms", 0.001, "s"),
        (" 1.5e3 ms ", 1.5, "s"),
        ("2 MiB", 2097152.0, "B"),
        ("50000", 50000.0, "1"),
        ("50k", 50000.0, "1"),
        ("5%", 5.0, "%"),
        ("3 MB/s", 3e6, "B/s"),
        ("-1ms", -0.001, "s"),
    ],
)
def test_parse_quantity_reads(text: str, value: float, unit: str) -> None:
    """A number with a unit comes back in its base unit."""
    assert parse_quantity(text) == (pytest.approx(value), unit)


@pytest.mark.parametrize(
    "text", ["", "ms", "nan", "inf", "1e400", "1 mss", "1,000", "0x10", "9" * 99, "1mb"]
)
def test_parse_quantity_refuses(text: str) -> None:
    """What is no finite number with a known unit is refused with the way out."""
    with pytest.raises(UnitError, match=r"^The quantity '.*\.$"):
        parse_quantity(text)


def test_parse_quantity_names_the_unit_that_was_meant() -> None:
    """A unit in the wrong case is named."""
    with pytest.raises(UnitError, match="did you mean 'MB'"):
        parse_quantity("10 mb")


@given(st.text(max_size=70))
@settings(derandomize=True, max_examples=200)
def test_parsers_raise_stated_errors_alone(text: str) -> None:
    """Any text gives a finite number or a UnitError."""
    for parse in (lambda: parse_quantity(text)[0], lambda: parse_fraction(text)):
        try:
            outcome: float | str = parse()
        except UnitError as error:
            outcome = str(error)
        if isinstance(outcome, str):
            assert "\n" not in outcome
        else:
            assert math.isfinite(outcome)


@pytest.mark.parametrize(
    ("given_", "value"),
    [("5%", 0.05), (0.05, 0.05), ("0.05", 0.05), ("150 %", 1.5), (0, 0.0), (1, 1.0)],
)
def test_parse_fraction_reads(given_: str | float, value: float) -> None:
    """Percentages and plain fractions are read."""
    assert parse_fraction(given_) == pytest.approx(value)


@pytest.mark.parametrize(
    "given_", [5, "5", True, "-5%", -0.1, "abc", "5%%", "%", "", math.nan, 10**400]
)
def test_parse_fraction_refuses(given_: str | float) -> None:
    """A number above 1 without a percent sign, and everything odd, is refused."""
    with pytest.raises(UnitError, match="The fraction"):
        parse_fraction(given_)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, "s", "12.30 ms"),
        (0.99996, "s", "1.000 s"),
        (9.9996e-4, "s", "1.000 ms"),
        (12345.6, "s", "12,346 s"),
        (2.5e-10, "s", "250.0 ps"),
        (1.5e-6, "s", "1.500 µs"),
        (1e-300, "s", "1.000e-300 s"),
        (-0.5, "s", "-500.0 ms"),
        (0, "s", "0 s"),
        (512, "B", "512 B"),
        (1048576, "B", "1.000 MiB"),
        (0.3, "B", "0.3000 B"),
        (5e6, "B/s", "5.000 MB/s"),
        (12345, "1/s", "12.35 k/s"),
        (123456, "1", "123,456"),
        (0.1234567, "1", "0.1235"),
        (1234.567, "1", "1,235"),
        (1.5e20, "1", "1.500e+20"),
        (12.3, "%", "12.30 %"),
        (1.5, "USD", "1.500 USD"),
        (3.5, "frobs", "3.500 frobs"),
        (math.nan, "s", "n/a"),
    ],
)
def test_format_value_scales(value: float, unit: str, text: str) -> None:
    """A base value is shown with a prefix and four significant digits."""
    assert format_value(value, unit) == text


@given(
    finite.filter(lambda x: abs(x) < 1e300),
    st.sampled_from(["s", "B", "1", "1/s", "B/s", "%", "USD", "x"]),
)
@settings(derandomize=True, max_examples=300)
def test_format_value_keeps_the_number(value: float, unit: str) -> None:
    """The text reads back as the value to four digits, whatever its size."""
    text = format_value(value, unit)
    number = float(text.split(" ")[0].replace(",", ""))
    divisor, _ = scale(value, unit)
    assert number * divisor == pytest.approx(value, rel=6e-4, abs=5e-324)
    assert len(text) < 32


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.123, "+12.3 %"),
        (-0.048, "-4.8 %"),
        (0.0, "+0.0 %"),
        (-1e-9, "+0.0 %"),
        (8.99, "+899.0 %"),
        (11.3, "x12.3"),
        (-1.0, "-100.0 %"),
        (-0.9999, "-99.9 %"),
        (None, "n/a"),
        (math.inf, "n/a"),
    ],
)
def test_format_change(fraction: float | None, text: str) -> None:
    """A change is a signed percentage, never -0.0, and a factor from ten times up."""
    assert format_change(fraction) == text


@given(st.floats(min_value=-1, max_value=1e300))
@settings(derandomize=True, max_examples=200)
def test_format_change_has_the_sign_of_the_change(fraction: float) -> None:
    """A worse change never looks like a better one."""
    text = format_change(fraction)
    assert text != "-0.0 %"
    assert text[0] == ("-" if fraction < -0.0005 else text[0])
    assert text[0] in ("+", "x") or fraction < 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-5, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7200, "2 h"),
        (86400, "24 h"),
        (172800, "2 days"),
        (60 * 86400, "2 months"),
        (3 * 365 * 86400, "3 years"),
    ],
)
def test_format_duration(seconds: int, text: str) -> None:
    """An age is told in one unit, rounded down."""
    assert format_duration(seconds) == text

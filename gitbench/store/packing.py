"""Canonical msgpack, and numbers that come back bit for bit.

Owns the bytes inside a record: `pack` and `unpack` of plain content, the exact form
of a list of values, and the checks of what was unpacked.  Knows no record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgpack

from gitbench.errors import GitbenchError

_INT64 = 2**63


class CodecError(GitbenchError):
    """A record cannot be written or read."""


# ---------------------------------------------------------------- msgpack


def pack(content: Any) -> bytes:
    """Canonical msgpack: maps sorted by the UTF-8 bytes of their keys at every
    level, -0 as 0; raises `CodecError` for what the format refuses."""
    return bytes(msgpack.packb(_canonical(content, "record"), use_bin_type=True))


def _canonical(value: Any, where: str) -> Any:
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as exc:
            raise CodecError(f"{where} holds a lone surrogate.") from exc
        return value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise CodecError(f"{where} is {value}, outside 64 bits.")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise CodecError(f"{where} is {value}, which is not a number.")
        return value + 0.0
    if isinstance(value, dict):
        # Code points order text as their UTF-8 bytes do.
        return {
            _canonical(key, f"a key of {where}"): _canonical(one, f"{where}.{key}")
            for key, one in sorted(value.items(), key=lambda item: item[0])
        }
    if isinstance(value, list | tuple):
        return [_canonical(one, where) for one in value]
    if isinstance(value, bytes):
        return value
    raise CodecError(f"{where} is of type {type(value).__name__}, which has no form.")


def unpack(packed: bytes) -> Any:
    """What `pack` packed; refuses extension types, keys that are not text or stand
    twice, bad UTF-8, trailing bytes and over-deep nesting."""
    try:
        return msgpack.unpackb(
            packed,
            raw=False,
            strict_map_key=True,
            object_pairs_hook=_unique,
            ext_hook=_no_extensions,
        )
    except (
        ValueError,  # includes ExtraData, FormatError, UnicodeDecodeError
        TypeError,
        OverflowError,
        RecursionError,
        msgpack.exceptions.UnpackException,
    ) as exc:
        raise CodecError(f"The payload is no valid msgpack ({exc}).") from exc


def _unique(pairs: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key stands twice")
    return content


def _no_extensions(code: int, data: bytes) -> Any:
    raise ValueError(f"extension type {code}")


# ---------------------------------------------------------------- numbers


def pack_values(processes: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Values as integers with one decimal exponent, or as float64 where that does
    not come back bit for bit.

    `{"e": x, "m": [[m, ...], ...]}` stands for `float(f"{m}e{x}")`, with x the
    greatest exponent for which all m are integers below 2^63.
    """
    quick = _pack_quickly(processes)
    if quick is not None:
        return quick
    decimals = [[_decimal(value) for value in values] for values in processes]
    exponents = [x for group in decimals for m, x in group if m]
    exponent = min(exponents, default=0)
    widest = max(exponents, default=0)
    if widest - exponent <= 18:
        mantissas = [
            [m * 10 ** (x - exponent) if m else 0 for m, x in group]
            for group in decimals
        ]
        if all(-_INT64 < m < _INT64 for group in mantissas for m in group):
            return {"e": exponent, "m": mantissas}
    return {"f": [list(values) for values in processes]}


def _pack_quickly(processes: Sequence[Sequence[float]]) -> dict[str, Any] | None:
    """The same for values with one to 22 decimals and small mantissas, where no text
    is needed: four times as fast; None for any other list.

    A value of the list needs `depth` decimals, so the exponent cannot be greater.
    Each mantissa is checked to read back as its value; below 2^50 only one can.
    """
    depth = -_decimal(processes[0][0])[1]
    for _ in range(3):
        if not 1 <= depth <= 22:
            return None
        scale = float(10**depth)
        try:
            mantissas = [[round(v * scale) for v in values] for values in processes]
        except OverflowError:
            return None
        wrong = None
        for values, found in zip(processes, mantissas, strict=True):
            if not -_EXACT < min(found) <= max(found) < _EXACT:
                return None
            if [m / scale for m in found] != list(values):
                wrong = next(
                    v for v, m in zip(values, found, strict=True) if m / scale != v
                )
                break
        if wrong is None:
            return {"e": -depth, "m": mantissas}
        deeper = -_decimal(wrong)[1]
        if deeper <= depth:
            return None
        depth = deeper
    return None


_EXACT = 2**50


def _decimal(value: float) -> tuple[int, int]:
    """`value` as (m, x) with value == m * 10^x and m no multiple of 10.

    `repr` gives the shortest digits that read back as the same float.
    """
    text = repr(value)
    digits, _, power = text.partition("e")
    whole, _, fraction = digits.partition(".")
    exponent = int(power or 0)
    if fraction and fraction != "0":
        whole += fraction
        exponent -= len(fraction)
    mantissa = int(whole)
    if mantissa:
        stripped = whole.rstrip("0")
        exponent += len(whole) - len(stripped)
        mantissa = int(stripped)
    return mantissa, exponent


def unpack_values(content: Any) -> tuple[tuple[float, ...], ...]:
    """The values of one measurement, one tuple a process."""
    if not isinstance(content, dict):
        raise ValueError("values are not a map")
    if "f" in content:
        groups = as_list(content["f"], "values")
        if not all(isinstance(v, float) for g in groups for v in as_list(g, "values")):
            raise ValueError("a value is not a float")
        return tuple(tuple(group) for group in groups)
    exponent = as_int(content["e"], "exponent")
    if not -400 <= exponent <= 400:
        raise ValueError(f"the exponent {exponent} is out of range")
    groups = as_list(content["m"], "values")
    for group in groups:
        if set(map(type, as_list(group, "values"))) != {int}:
            raise ValueError("a mantissa is not an integer")
    return tuple([_floats(group, exponent) for group in groups])


def _floats(mantissas: list[int], exponent: int) -> tuple[float, ...]:
    """The floats nearest to m x 10^exponent."""
    exact = 2**53
    if -22 <= exponent < 0 and max(mantissas) <= exact and min(mantissas) >= -exact:
        # Both are exact as floats, and IEEE division rounds once: the quotient is
        # the float nearest to m * 10^x, which is what float("<m>e<x>") gives.
        scale = float(10**-exponent)
        return tuple([m / scale for m in mantissas])
    return tuple([float(f"{m}e{exponent}") for m in mantissas])


# ------------------------------------------------------- what was unpacked
#
# Each returns the value if it has the type, and raises ValueError with `name`
# otherwise; type() and not isinstance(), since True is no integer here.


def as_text(value: Any, name: str) -> str:
    if type(value) is not str:
        raise ValueError(f"{name} is not text.")
    return value


def as_int(value: Any, name: str) -> int:
    if type(value) is not int:
        raise ValueError(f"{name} is not an integer.")
    if not -_INT64 <= value < _INT64:
        raise ValueError(f"{name} is outside 64 bits.")
    return value


def as_float(value: Any, name: str) -> float:
    if type(value) is not float:
        raise ValueError(f"{name} is not a float.")
    return value


def as_bool(value: Any, name: str) -> bool:
    if type(value) is not bool:
        raise ValueError(f"{name} is not true or false.")
    return value


def as_list(value: Any, name: str) -> list[Any]:
    if type(value) is not list:
        raise ValueError(f"{name} is not a list.")
    return value


def as_map(value: Any, name: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise ValueError(f"{name} is not a map.")
    return value


def as_pairs(value: Any, name: str) -> tuple[tuple[str, str], ...]:
    """A map of text to text as pairs; None is an empty one."""
    if value is None:
        return ()
    return tuple((key, as_text(one, name)) for key, one in as_map(value, name).items())


def maybe(content: dict[str, Any], key: str, read: Any) -> Any:
    """What `read` makes of a key's value; None where the key is absent."""
    value = content.get(key)
    return None if value is None else read(value, key)

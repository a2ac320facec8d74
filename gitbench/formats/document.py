"""Bytes of a result file, safely: inflated, decoded, parsed and taken apart.

Owns the bounds and the errors that all readers share, and `Document`, what a reader
gets.  Everything here takes hostile input: sizes are bounded before anything is
decoded, and whatever is wrong becomes a FormatError that says where.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from gitbench.errors import GitbenchError
from gitbench.model import (
    Benchmark,
    Measurement,
    ModelError,
    Summary,
    check_text,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_BYTES = 256 * 2**20
"""Largest result file in bytes, before and after gunzipping."""

MAX_MEASUREMENTS = 100_000
"""Most measurements of one run."""

MAX_FACT = 200
"""Longest fact about a machine in characters; longer ones are left out."""


class FormatError(GitbenchError):
    """A result file that cannot be read: which file, where in it, and why."""

    def __init__(self, where: str, reason: str, file: str | None = None) -> None:
        self.where = where
        self.reason = reason
        self.file = file
        parts = [_printable(part) for part in (file, where) if part]
        super().__init__(": ".join([*parts, reason]))

    def in_file(self, file: str) -> FormatError:
        """The same error with the file's name in front."""
        return type(self)(self.where, self.reason, file)


class UnrecognisedError(FormatError):
    """Nothing in it says that any tool wrote it: no result, for all that is known."""


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)


def quoted(text: object, limit: int = 80) -> str:
    """Foreign text for an error message: bounded, in quotes, one line."""
    whole = str(text)
    return ascii(whole[:limit]) + ("..." if len(whole) > limit else "")


def _nothing_beside(path: str) -> bytes | None:
    """The neighbours of a result that came through a pipe."""
    return None


@dataclass(frozen=True, slots=True)
class Document:
    """One result as a reader gets it: decoded as far as its form allows.

    Of `values`, `root` and `text` only what the form has is filled, `text` also where
    it is JSON or XML.
    """

    form: str
    """`json` (one value, or several, one after the other), `xml`, `text`, or `binary`
    (neither is it text nor could it be: SQLite, zip)."""
    data: bytes
    """As it was given, gzip unpacked."""
    text: str = ""
    values: tuple[Any, ...] = ()
    """The JSON values; at least one."""
    root: Element | None = None
    """The root of the XML; without document type and entities."""
    beside: Callable[[str], bytes | None] = _nothing_beside
    """Reads a file beside the result, by its path from the result's folder with `/`
    (also `../name`, one level up); None if there is none."""
    asked: str | None = None
    """The name that was given with `--tool`, which may be an alias that says more."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """What `--column` says: the meaning of a column (`benchmark`, `value`, `unit`,
    ...) -> its name in the table.  Only readers of tables look at it."""

    @property
    def first(self) -> Any:
        """The first JSON value; None where the form is another."""
        return self.values[0] if self.values else None

    def json(self, tool: str) -> tuple[Any, ...]:
        """The JSON values of a tool that writes JSON; FormatError if it is none."""
        if self.form == "json":
            return self.values
        if self.text.lstrip()[:1] in ("{", "["):
            parse_json(self.text)  # says where it is broken
        raise FormatError("line 1", f"it is not JSON, as results of {tool} are.")

    def single(self, tool: str) -> Any:
        """The JSON value of a tool that writes one; FormatError if there are more."""
        values = self.json(tool)
        if len(values) > 1:
            raise FormatError(
                "",
                f"it holds {len(values)} JSON values; {tool} writes one. Record each "
                "on its own.",
            )
        return values[0]

    def xml(self, tool: str) -> Element:
        """The root of a tool that writes XML; FormatError if it is none."""
        if self.root is None:
            raise FormatError("line 1", f"it is not XML, as results of {tool} are.")
        return self.root


def open_document(
    data: bytes,
    *,
    beside: Callable[[str], bytes | None] = _nothing_beside,
    asked: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> Document:
    """Decode `data`, gunzipped, as far as its form allows.

    What begins like JSON and is none is text, since logs begin with brackets too;
    `Document.json` says where it is broken if a reader needs JSON.
    """
    data = inflate(data)
    rest: dict[str, Any] = {
        "beside": beside,
        "asked": asked,
        "columns": columns or {},
    }
    if data[:16] == b"SQLite format 3\0" or data[:4] == b"PK\3\4":
        return Document("binary", data, **rest)
    text = decode(data)
    start = text.lstrip()[:1]
    if start in ("{", "["):
        try:
            return Document("json", data, text, values=tuple(parse_json(text)), **rest)
        except FormatError:
            return Document("text", data, text, **rest)
    if start == "<":
        return Document("xml", data, text, root=parse_xml(data), **rest)
    return Document("text", data, text, **rest)


# ------------------------------------------------------------------ bytes to text


def inflate(data: bytes) -> bytes:
    """`data`, gunzipped if it is gzip (any number of members), at most MAX_BYTES."""
    _check_size(len(data))
    if data[:2] != b"\x1f\x8b":
        return data
    pieces: list[bytes] = []
    total = 0
    rest = data
    # Each member copies the rest, so their number is bounded too.
    while rest[:2] == b"\x1f\x8b" and len(pieces) < 100:
        stream = zlib.decompressobj(wbits=31)
        try:
            piece = stream.decompress(rest, MAX_BYTES + 1 - total)
        except zlib.error as exc:
            raise FormatError("gzip data", f"it is damaged ({exc}).") from exc
        total += len(piece)
        _check_size(total)
        if not stream.eof:
            raise FormatError("gzip data", "it ends too early; the file is cut off.")
        pieces.append(piece)
        # gzip pads with zeros on some media, as gunzip itself allows.
        rest = stream.unused_data.lstrip(b"\0")
    if rest:
        raise FormatError(
            "gzip data", "something that is not gzip, or too many parts, follow it."
        )
    return b"".join(pieces)


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise FormatError(
            "",
            f"it is larger than {MAX_BYTES >> 20} MiB; split it, or keep fewer values.",
        )


def decode(data: bytes) -> str:
    """`data` as text: UTF-8, or UTF-16 with a byte order mark (PowerShell's `>`)."""
    encoding = "utf-8"
    if data[:3] == b"\xef\xbb\xbf":
        encoding = "utf-8-sig"
    elif data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as exc:
        raise UnrecognisedError(
            f"byte {exc.start:,}", f"it is not valid {encoding.upper()} text."
        ) from exc
    if not text.strip():
        raise UnrecognisedError("", "it is empty; the benchmark may not have run.")
    return text


LONGEST_LINE = 16_384
"""Longer lines are no results, and patterns need not search them."""


def lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a console output with their numbers from 1, without colours."""
    for number_, line in enumerate(text.splitlines(), 1):
        if len(line) > LONGEST_LINE:
            continue
        yield number_, _strip_colours(line) if "\x1b" in line else line


def _strip_colours(line: str) -> str:
    """`line` without the sequences that set colours on a terminal."""
    first, *rest = line.split("\x1b[")
    return first + "".join(
        part.lstrip("0123456789;").removeprefix("m") for part in rest
    )


def decimal(text: str, where: str) -> float:
    """A finite number as consoles print it, with commas between thousands."""
    try:
        return number(float(text.replace(",", "").replace("_", "x")), where)
    except ValueError:
        raise FormatError(where, f"{quoted(text)} is no number.") from None


# ------------------------------------------------------------------ text to JSON


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen = set()
        for key, _ in pairs:
            if key in seen:
                raise FormatError(
                    f"key {quoted(key)}", "it stands twice in one JSON object."
                )
            seen.add(key)
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def _parse(text: str, at: int) -> tuple[Any, int]:
    """The JSON value at `at`, and where it ends."""
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as exc:
        cut = exc.pos >= len(text.rstrip()) or exc.msg.startswith("Unterminated")
        raise FormatError(
            f"line {exc.lineno}, column {exc.colno}",
            "the JSON ends too early; the file is cut off."
            if cut
            else f"it is not valid JSON ({exc.msg}).",
        ) from exc
    except RecursionError:
        raise FormatError("", "its JSON is nested too deeply.") from None
    except ValueError as exc:
        # Python refuses to convert integers of more than 4,300 digits.
        raise FormatError(
            "", "it holds an integer of thousands of digits, which is no result."
        ) from exc


def parse_json(text: str) -> list[Any]:
    """The JSON values of `text`, one after the other (JSON Lines, or laid out).

    NaN and Infinity, which are no JSON but which tools write, are let through
    here and refused by `number` where they would be a result.
    """
    values = []
    at = _blank(text, 0)
    while at < len(text):
        value, end = _parse(text, at)
        values.append(value)
        at = _blank(text, end)
        if at == end < len(text):
            row = text.count("\n", 0, end) + 1
            column = end - text.rfind("\n", 0, end)
            raise FormatError(
                f"line {row}, column {column}", "something follows the JSON value."
            )
    return values


def _blank(text: str, at: int) -> int:
    """The first place from `at` that is no blank."""
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


# ------------------------------------------------------------------- text to XML

MAX_DEPTH = 100
"""Deepest nesting of XML elements; results have ten."""


def parse_xml(data: bytes) -> Element:
    """The root of an XML document.

    Document types are refused, so there are no entities to expand and nothing
    outside to fetch.
    """
    from xml.etree.ElementTree import TreeBuilder
    from xml.parsers import expat

    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise _at(parser, f"its elements are nested deeper than {MAX_DEPTH}.")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def refuse(*_: object) -> None:
        raise _at(parser, "it has a document type, which may define entities.")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as exc:
        cut = exc.code == expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]
        cut = cut or parser.CurrentByteIndex >= len(data.rstrip())
        raise _at(
            parser,
            "the XML ends too early; the file is cut off."
            if cut
            else f"it is not valid XML ({expat.ErrorString(exc.code)}).",
        ) from exc
    except (LookupError, ValueError) as exc:
        raise FormatError("line 1", "its XML names an unknown encoding.") from exc
    return builder.close()


def _at(parser: Any, reason: str) -> FormatError:
    place = f"line {parser.CurrentLineNumber}, column {parser.CurrentColumnNumber + 1}"
    return FormatError(place, reason)


# ------------------------------------------------------------------ typed access


def fail(where: str, wanted: str, value: object) -> NoReturn:
    """Raise that the value at `where` is not what was `wanted`."""
    kinds: dict[type, str] = {
        dict: "an object",
        list: "an array",
        str: "text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        type(None): "null",
    }
    raise FormatError(
        where, f"it must be {wanted}, but it is {kinds.get(type(value), 'unknown')}."
    )


def get_object(value: object, where: str) -> dict[str, Any]:
    """`value` if it is an object."""
    return value if isinstance(value, dict) else fail(where, "an object", value)


def get_list(value: object, where: str) -> list[Any]:
    """`value` if it is an array."""
    return value if isinstance(value, list) else fail(where, "an array", value)


def get_text(value: object, where: str, limit: int = 1024) -> str:
    """`value` if it is text that can be a name: not empty, bounded, valid Unicode."""
    if not isinstance(value, str):
        fail(where, "text", value)
    try:
        return check_text("text", value, limit)
    except ModelError as exc:
        raise FormatError(where, str(exc)) from exc


def member(owner: dict[str, Any], key: str, where: str) -> Any:
    """The member `key` of an object; FormatError if it is missing or null."""
    value = owner.get(key)
    if value is None:
        raise FormatError(where, f"{key!r} is missing.")
    return value


def number(value: object, where: str) -> float:
    """`value` if it is a finite number."""
    if type(value) is not float and type(value) is not int:
        fail(where, "a number", value)
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        what = "NaN" if math.isnan(result) else "infinite or beyond 1.8e308"
        raise FormatError(where, f"it is {what}, which is no measured value.")
    return result


def numbers(value: object, where: str) -> tuple[float, ...]:
    """`value` if it is an array of finite numbers; it may be empty."""
    items = get_list(value, where)
    # The common cases, all floats or whole numbers, in passes that stay in C.
    kinds = set(map(type, items))
    if kinds <= {float, int}:
        try:
            floats = tuple(items if kinds == {float} else map(float, items))
        except OverflowError:
            floats = (math.nan,)
        if all(map(math.isfinite, floats)):
            return floats
    return tuple([number(item, f"{where}[{i}]") for i, item in enumerate(items)])


def mean_with_range(stats: dict[str, Any], where: str, n: int | None) -> Summary:
    """Summary of an object with `mean`, and perhaps `min`, `max` and `stddev`."""

    def optional(key: str) -> float | None:
        return None if stats.get(key) is None else number(stats[key], f"{where}.{key}")

    mean = number(member(stats, "mean", where), f"{where}.mean")
    try:
        return Summary(
            mean,
            low=optional("min"),
            high=optional("max"),
            stddev=optional("stddev"),
            n=n,
        )
    except ModelError as exc:
        raise FormatError(where, str(exc)) from exc


def whole(value: object, where: str, least: int = 0) -> int:
    """`value` if it is an integer from `least` to 2^63 - 1."""
    if type(value) is not int:
        fail(where, "a whole number", value)
    if not least <= value < 2**63:
        raise FormatError(where, f"it must be {least} or more, and below 2^63.")
    return value


def timestamp(text: str, where: str) -> tuple[int, bool]:
    """An ISO 8601 time as (milliseconds since the epoch, whether it had no zone).

    A time without a zone is taken as UTC.
    """
    from datetime import UTC, datetime, timedelta

    try:
        when = datetime.fromisoformat(text)
        naive = when.tzinfo is None
        if naive:
            when = when.replace(tzinfo=UTC)
        since = when - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError) as exc:
        raise FormatError(
            where, f"{quoted(text)} is no time such as 2026-01-02T03:04:05Z."
        ) from exc
    return since // timedelta(milliseconds=1), naive


def commit_id(value: object) -> str | None:
    """`value` in lower case if it is a full object id (40 or 64 hex), else None."""
    if isinstance(value, str) and len(value) in (40, 64):
        text = value.lower()
        if not text.strip("0123456789abcdef"):
            return text
    return None


def version_of(value: object) -> str | None:
    """A tool's version if it is short, printable text; an odd one is left out."""
    if isinstance(value, str) and 0 < len(value) <= 100 and value.isprintable():
        return value
    return None


def facts(**told: object) -> tuple[tuple[str, str], ...]:
    """Facts about the machine, sorted; whatever is no short text or number is left out.

    A fact only describes, so an odd one is no reason to refuse a result.
    """
    kept = []
    for key, value in sorted(told.items()):
        if isinstance(value, bool) or not isinstance(value, str | int):
            continue
        if isinstance(value, int):
            value = str(value) if 0 < value < 2**63 else ""
        text = " ".join(value.split())
        if text and len(text) <= MAX_FACT and text.isprintable():
            kept.append((key, text))
    return tuple(kept)


def check_unique(measurements: list[Measurement], advice: str) -> None:
    """Refuse two measurements of one benchmark and metric, and too many of them."""
    if not measurements:
        raise FormatError("", "it holds no benchmark result.")
    if len(measurements) > MAX_MEASUREMENTS:
        raise FormatError(
            "",
            f"it holds {len(measurements):,} measurements; the limit of one run is "
            f"{MAX_MEASUREMENTS:,}.",
        )
    seen: set[tuple[Benchmark, str]] = set()
    for one in measurements:
        key = (one.benchmark, one.metric.name)
        if key in seen:
            raise FormatError(
                f"benchmark {quoted(one.benchmark.label)}",
                f"it stands there twice with metric {quoted(one.metric.name)}; "
                f"{advice}.",
            )
        seen.add(key)

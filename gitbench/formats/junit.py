"""JUnit XML: the durations of tests, and which of them failed.

There is no standard behind the name; what all writers share is `testcase` with
`name`, mostly `classname` and `time` in seconds, and an element inside it if the test
did not pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gitbench.formats.document import (
    MAX_MEASUREMENTS,
    Document,
    FormatError,
    get_text,
    number,
    quoted,
    timestamp,
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

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_DURATION = Metric("duration", "s", Better.LOWER, Kind.DURATION)
_FLAKY = ("flakyFailure", "flakyError", "rerunFailure", "rerunError")
"""Earlier attempts of a test that was run again (Maven Surefire)."""


class _Test:
    """What a file says of one test; a name may stand there several times."""

    __slots__ = ("failure", "skipped", "times")

    def __init__(self) -> None:
        self.times: list[float] = []
        self.failure: str | None = None
        self.skipped: str | None = None


def read(document: Document) -> tuple[Reading, ...]:
    """The single run of a JUnit file: the tests of all its suites."""
    root = document.xml("junit")
    if root.tag not in ("testsuites", "testsuite"):
        raise FormatError(
            "line 1", f"its root is {quoted(root.tag)}, not testsuites or testsuite."
        )
    tests: dict[str, _Test] = {}
    untimed = flaky = repeated = 0
    for number_, (suite, case) in enumerate(_cases(root), 1):
        where = f"testcase {number_}"
        name = _name(suite, case, where)
        repeated += name in tests
        if name not in tests and len(tests) == MAX_MEASUREMENTS:
            raise FormatError(
                where, f"it holds more than {MAX_MEASUREMENTS:,} tests, the limit."
            )
        test = tests.setdefault(name, _Test())
        untimed += _read(test, case, where)
        flaky += any(child.tag in _FLAKY for child in case)
    found = [
        measurement
        for name, test in tests.items()
        if (measurement := _measurement(name, test)) is not None
    ]
    if not found:
        raise FormatError("", "no test in it has a time, so there is nothing to keep.")
    started_at, naive = _started(root)
    return (
        Reading(
            Tool("junit"),
            tuple(found),
            started_at=started_at,
            naive_time=naive,
            warnings=tuple(_warnings(untimed, flaky, repeated)),
        ),
    )


def _cases(root: Element) -> Iterator[tuple[str, Element]]:
    """Every test with the name of the suite it stands in, in the file's order."""
    places = [(root.get("name") or "", root)]
    while places:
        suite, element = places.pop()
        inner = []
        for child in element:
            if child.tag == "testcase":
                yield suite, child
            elif child.tag == "testsuite":
                inner.append((child.get("name") or suite, child))
        places.extend(reversed(inner))


def _name(suite: str, case: Element, where: str) -> str:
    name = get_text(case.get("name") or "", f"{where}, name")
    owner = case.get("classname") or suite
    if not owner or name.startswith(owner):
        return name
    return get_text(f"{owner}.{name}", f"{where}, name")


def _read(test: _Test, case: Element, where: str) -> bool:
    """Take in one `testcase`; True if it passed and has no time."""
    for child in case:
        if child.tag in ("failure", "error"):
            text = child.get("message") or child.text or child.get("type") or ""
            test.failure = test.failure or text.strip() or child.tag
            return False
        if child.tag in ("skipped", "disabled"):
            test.skipped = (child.get("message") or child.text or "").strip()
            return False
    if case.get("status") in ("notrun", "disabled", "skipped"):
        test.skipped = case.get("status") or ""
        return False
    time = case.get("time")
    if time is None or not time.strip():
        return True
    try:
        # Surefire writes 1,234.567.
        seconds = float(time.replace(",", ""))
    except ValueError:
        raise FormatError(f"{where}, time", f"{quoted(time)} is no number.") from None
    test.times.append(number(seconds, f"{where}, time"))
    return False


def _measurement(name: str, test: _Test) -> Measurement | None:
    """A test that failed once is failed; one that never ran is skipped."""
    benchmark = Benchmark(name)
    if test.failure is not None:
        status, message = Status.FAILED, test.failure
    elif test.times:
        return Measurement(benchmark, _DURATION, (tuple(test.times),))
    elif test.skipped is not None:
        status, message = Status.SKIPPED, test.skipped
    else:
        return None
    return Measurement(benchmark, _DURATION, status=status, message=message or None)


def _started(root: Element) -> tuple[int | None, bool]:
    """Start of the first suite that says one in a way that can be understood."""
    for suite in root.iter():
        text = suite.get("timestamp") if suite.tag.startswith("testsuite") else None
        if text:
            try:
                return timestamp(text, "timestamp")
            except FormatError:
                return _mail_time(text)
    return None, False


def _mail_time(text: str) -> tuple[int | None, bool]:
    """A time as in mails, which mocha writes; nothing if it is none either."""
    from email.utils import parsedate_to_datetime

    try:
        when = parsedate_to_datetime(text[:100])
        return timestamp(when.isoformat(), "timestamp")
    except (FormatError, ValueError, OverflowError, TypeError, IndexError):
        return None, False


def _warnings(untimed: int, flaky: int, repeated: int) -> Iterator[str]:
    if untimed:
        yield f"{untimed} tests passed without a time; they are left out."
    if repeated:
        yield (
            f"{repeated} tests have the name of an earlier one; their times are kept "
            "as further values of it."
        )
    if flaky:
        yield f"{flaky} tests passed only when they were run again."

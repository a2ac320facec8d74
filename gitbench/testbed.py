"""The machine a result was measured on: its facts, and what makes two comparable.

Owns the allow-list of facts, the fingerprint, and the rule that decides between
what a result file says of its machine and what this machine says of itself.
Starts no process and reads no environment: both cost time on every `record`, and
the environment belongs to the command line.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
from collections.abc import Collection, Mapping

from gitbench.errors import GitbenchError
from gitbench.model import Testbed, check_text
from gitbench.units import parse_quantity

Facts = tuple[tuple[str, str], ...]

FACTS = (
    "arch",
    "cores",
    "cpu",
    "governor",
    "kernel",
    "load",
    "memory",
    "os",
    "runner",
    "runtime",
)
"""Facts that are kept without being asked for; none names a person, and a host only
where the administrator named a CI runner after it.

`runtime` (the interpreter that ran the benchmarks) only a result file can tell:
gitbench's own Python says nothing about it.
"""

PRIVATE_FACTS = ("directory", "host", "user")
"""Facts that are kept only where `[testbed] facts` names them."""

_IDENTITY = ("arch", "cores", "cpu", "memory", "os")
"""What the fingerprint is made of.  A kernel update or a load is no new machine."""

_OS = {"darwin": "macos", "mac": "macos", "osx": "macos", "win32": "windows"}
_ARCH = {
    "amd64": "x86_64",
    "x64": "x86_64",
    "x86-64": "x86_64",
    "arm64": "aarch64",
    "386": "i686",
    "i386": "i686",
    "i586": "i686",
    "x86": "i686",
}
_ARM_PARTS = {
    ("0x41", "0xd08"): "ARM Cortex-A72",
    ("0x41", "0xd0b"): "ARM Cortex-A76",
    ("0x41", "0xd0c"): "ARM Neoverse-N1",
    ("0x41", "0xd40"): "ARM Neoverse-V1",
    ("0x41", "0xd49"): "ARM Neoverse-N2",
    ("0x41", "0xd4f"): "ARM Neoverse-V2",
    ("0xc0", "0xac3"): "Ampere-1",
}


# ------------------------------------------------------------------- this machine


def facts(environment: Mapping[str, str], named: Collection[str] = ()) -> Facts:
    """Facts of this machine, sorted; what cannot be told is left out.

    `environment` is where CI systems put the runner's label.  `named` are the
    private facts that the configuration asks for.
    """
    system = os.uname()
    found = {
        "arch": _arch(system.machine),
        "cores": str(os.cpu_count() or ""),
        "cpu": _cpu(),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "kernel": system.release,
        "load": _load(),
        "memory": _memory(),
        "os": _os(system.sysname),
        "runner": _runner(environment),
    }
    if "directory" in named:
        found["directory"] = _directory()
    if "host" in named:
        found["host"] = system.nodename
    if "user" in named:
        found["user"] = environment.get("USER") or environment.get("LOGNAME") or ""
    pairs = [(key, _clean(value)) for key, value in sorted(found.items())]
    return tuple([(key, value) for key, value in pairs if value])


def _clean(text: str) -> str:
    """One bounded line without control characters or undecodable bytes."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    text = " ".join(text.split())[:200]
    return "".join([sign for sign in text if sign.isprintable()])


def _read(path: str, size: int = 4096) -> str:
    """The start of a small file, "" if it cannot be read.

    /proc/cpuinfo of a machine with many cores is long and costs the kernel time;
    the first processor is enough.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read(size)
    except OSError:
        return ""


def _directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - pathlib costs an import
    except OSError:
        # It was removed under our feet.
        return ""


def _cpu() -> str:
    if sys.platform == "darwin":
        return _sysctl("machdep.cpu.brand_string")
    return cpu_model(_read("/proc/cpuinfo"))


def cpu_model(cpuinfo: str) -> str:
    """The processor's model in the text of /proc/cpuinfo, "" if it is not told.

    Linux on ARM gives numbers instead of a name; the commonest are translated.
    """
    found: dict[str, str] = {}
    for line in cpuinfo.split("\n"):
        key, _, value = line.partition(":")
        found.setdefault(key.strip().lower(), value.strip())
    name = found.get("model name") or found.get("cpu model") or found.get("hardware")
    if name:
        return name
    part = (found.get("cpu implementer", ""), found.get("cpu part", ""))
    return _ARM_PARTS.get(part) or (f"ARM {part[0]} {part[1]}" if all(part) else "")


def _sysctl(name: str) -> str:
    """A text value of macOS's sysctl, through libc; "" where there is none."""
    import ctypes

    try:
        function = ctypes.CDLL(None).sysctlbyname
    except (AttributeError, OSError):
        return ""
    buffer = ctypes.create_string_buffer(256)
    size = ctypes.c_size_t(len(buffer))
    if function(name.encode(), buffer, ctypes.byref(size), None, ctypes.c_size_t(0)):
        return ""
    return buffer.value.decode("utf-8", "replace")


def _memory() -> str:
    try:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return ""
    return f"{size / 2**30:.1f} GiB" if size > 0 else ""


def _load() -> str:
    try:
        return f"{os.getloadavg()[0]:.2f}"
    except OSError:
        return ""


def _runner(environment: Mapping[str, str]) -> str:
    """The label of a CI runner, as the CI system gives it.

    GitHub's hosted runners have a new name for every job, so the name of their
    image stands for them.
    """
    if environment.get("RUNNER_ENVIRONMENT") == "github-hosted":
        return f"github-hosted {environment.get('ImageOS', '')}"
    for name in (
        "RUNNER_NAME",
        "CI_RUNNER_DESCRIPTION",
        "BUILDKITE_AGENT_NAME",
        "NODE_NAME",
    ):
        if environment.get(name):
            return environment[name]
    return ""


# -------------------------------------------------------------- whose facts count


def combine(told: Facts, own: Facts, named: Collection[str] = ()) -> Facts:
    """Facts of the machine that a result was measured on.

    `told` comes from the result file, `own` from this machine.  A result may be
    recorded elsewhere than it was measured, so:

    - A file that tells its processor or its cores stands alone: of `_IDENTITY`
      nothing is added, wherever it is recorded, or the fingerprint would depend
      on who records.  Where all it tells agrees with this machine, our kernel,
      governor, runner and load are added, which are no part of the fingerprint.
    - A file that tells neither (hyperfine; Go on some systems) was measured here,
      unless its system or architecture differs.  So was one that tells its number
      of cores and nothing else (Google Benchmark), unless that differs: all machines
      of four cores would be one testbed.

    Only facts of the allow-list and those `named` by the configuration remain.
    """
    allowed = {*FACTS, *named}
    theirs = {key: _canonical(key, value) for key, value in told if key in allowed}
    ours = {key: value for key, value in own if key in allowed}
    shared = [key for key in _IDENTITY if key in theirs and key in ours]
    agree = all(_comparable(k, theirs[k]) == _comparable(k, ours[k]) for k in shared)
    told_here = [key for key in _IDENTITY if key in theirs]
    if told_here == ["cores"] or not ("cpu" in theirs or "cores" in theirs):
        merged = ours | theirs if agree else theirs
    elif agree and "cpu" in shared and "cores" in shared:
        extra = {key: value for key, value in ours.items() if key not in _IDENTITY}
        merged = extra | theirs
    else:
        merged = theirs
    return tuple(sorted(merged.items()))


# ------------------------------------------------------------------- fingerprint


def testbed(facts: Facts, name: str | None) -> Testbed:
    """The testbed that these facts, or a configured name alone, stand for.

    The fingerprint is 12 hex digits of a SHA-256: over the name if there is one
    (whoever names a pool of machines says that they are comparable), else over
    processor model, number of cores, memory to the nearest power of two, operating
    system and architecture.  Facts that are not known take no part.
    """
    pairs = tuple(sorted([(key, _canonical(key, value)) for key, value in facts]))
    if name is not None:
        check_text("testbed name", name)
        return Testbed(name, _digest(f"name\n{name}"), pairs)
    known = dict(pairs)
    parts = [
        f"{key}={_comparable(key, known[key])}" for key in _IDENTITY if key in known
    ]
    return Testbed(_readable(known), _digest("\n".join(["facts", *parts])), pairs)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def _os(name: str) -> str:
    lower = name.strip().lower()
    return _OS.get(lower, lower)


def _arch(name: str) -> str:
    lower = name.strip().lower()
    return _ARCH.get(lower, lower)


def _canonical(key: str, value: str) -> str:
    """A fact as it is stored: tools disagree on `Darwin`, `amd64` and the like."""
    if key == "os":
        return _os(value)
    return _arch(value) if key == "arch" else value


def _comparable(key: str, value: str) -> str:
    """A fact as it enters the fingerprint."""
    if key == "cpu":
        return _plain_cpu(value)
    if key == "memory":
        return _memory_bucket(value)
    return _canonical(key, value)


def _plain_cpu(model: str) -> str:
    """A model without trade marks, clock and count: `amd epyc 7763`.

    Tools spell the same processor differently, and the clock in the name repeats
    the model.
    """
    text = model.lower().partition("@")[0]
    for mark in ("(r)", "(tm)", "(c)", "®", "™"):
        text = text.replace(mark, " ")
    words = [
        word
        for word in text.split()
        if word not in ("cpu", "processor") and not word.endswith("-core")
    ]
    return " ".join(words)


def _memory_bucket(text: str) -> str:
    """The power of two in GiB that is nearest on a log scale; the text if unclear.

    What the kernel keeps for itself changes with its version: 15.6 and 15.9 GiB
    are one machine.
    """
    try:
        size, unit = parse_quantity(text)
    except GitbenchError:
        return text
    if unit != "B" or size <= 0:
        return text
    return f"2^{round(math.log2(size / 2**30))} GiB"


def _readable(known: Mapping[str, str]) -> str:
    """A name such as `linux-x86_64-2c-amd-epyc-7763`."""
    cores = known.get("cores")
    parts = [
        known.get("os"),
        known.get("arch"),
        f"{cores}c" if cores else None,
        _plain_cpu(known.get("cpu", "")),
    ]
    text = "-".join([part for part in parts if part])
    name = "".join(
        [c if c.isascii() and (c.isalnum() or c in "._") else "-" for c in text]
    )
    while "--" in name:
        name = name.replace("--", "-")
    return name.strip("-")[:80] or "unknown"

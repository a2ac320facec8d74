"""Tests of gitbench.testbed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbench import testbed
from gitbench.model import ModelError

OWN = (
    ("arch", "x86_64"),
    ("cores", "4"),
    ("cpu", "AMD EPYC 7763 64-Core Processor"),
    ("governor", "performance"),
    ("kernel", "6.1.0"),
    ("memory", "15.6 GiB"),
    ("os", "linux"),
    ("runner", "github-hosted ubuntu22"),
)


def fingerprint(**facts: str) -> str:
    """Fingerprint of OWN with some facts replaced."""
    return testbed.testbed(tuple((dict(OWN) | facts).items()), None).fingerprint


def test_facts_are_allowed_ones_only() -> None:
    """Without being asked for, no private fact is told."""
    environment = {"USER": "someone", "RUNNER_NAME": "runner 3", "SECRET": "x"}
    found = dict(testbed.facts(environment))
    assert set(found) <= set(testbed.FACTS)
    assert found["runner"] == "runner 3"
    assert found["cores"] == str(os.cpu_count())
    assert found["os"] == "linux" if sys.platform == "linux" else found["os"]
    assert "someone" not in found.values()


def test_private_facts_are_told_when_named() -> None:
    """Host, user and directory come when the configuration names them."""
    found = dict(testbed.facts({"USER": "someone"}, ["host", "user", "directory"]))
    assert found["user"] == "someone"
    assert found["host"] == os.uname().nodename
    assert found["directory"] == str(Path.cwd())


def test_facts_start_no_process_and_need_no_platform_module(tmp_path: Path) -> None:
    """Facts are gathered without a fork, `platform` or `subprocess`."""
    code = (
        "import os, sys\n"
        "def refuse(*a, **k): raise SystemExit('a process was started')\n"
        "os.fork = os.posix_spawn = os.system = os.popen = refuse\n"
        "from gitbench import testbed\n"
        "assert testbed.facts({})\n"
        "bad = {'platform', 'subprocess', 'ctypes'} & set(sys.modules)\n"
        "assert sys.platform == 'darwin' or not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_a_directory_that_is_gone_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working directory may have been removed."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "directory" not in dict(testbed.facts({}, ["directory"]))


@pytest.mark.parametrize(
    ("cpuinfo", "model"),
    [
        ("processor : 0\nmodel name\t: AMD EPYC 7763\nflags : a b\n", "AMD EPYC 7763"),
        ("CPU implementer : 0x41\nCPU part : 0xd0c\n", "ARM Neoverse-N1"),
        ("CPU implementer : 0x99\nCPU part : 0x123\n", "ARM 0x99 0x123"),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_cpu_model_reads_cpuinfo(cpuinfo: str, model: str) -> None:
    """The model is the name on x86, and is made of numbers on ARM."""
    assert testbed.cpu_model(cpuinfo) == model


def test_hosted_runners_are_told_by_image_not_by_name() -> None:
    """GitHub's hosted runners have another name in every job."""
    environment = {
        "RUNNER_ENVIRONMENT": "github-hosted",
        "RUNNER_NAME": "GitHub Actions 1234",
        "ImageOS": "ubuntu22",
    }
    assert dict(testbed.facts(environment))["runner"] == "github-hosted ubuntu22"


# ---------------------------------------------------------------- fingerprint


def test_fingerprint_is_twelve_hex_and_readable_name() -> None:
    """Fingerprint and default name have the documented form."""
    found = testbed.testbed(OWN, None)
    assert len(found.fingerprint) == 12
    assert not found.fingerprint.strip("0123456789abcdef")
    assert found.name == "linux-x86_64-4c-amd-epyc-7763"


@pytest.mark.parametrize(
    "facts",
    [
        {"kernel": "6.2.0"},
        {"runtime": "CPython 3.12"},
        {"load": "9.00"},
        {"governor": "powersave"},
        {"runner": "other"},
        {"host": "other"},
        {"memory": "15.9 GiB"},
        {"arch": "amd64"},
        {"os": "Linux"},
        {"cpu": "AMD EPYC 7763 Processor @ 2.45GHz"},
    ],
)
def test_fingerprint_ignores(facts: dict[str, str]) -> None:
    """Kernel, load and the like, and spelling, are no other machine."""
    assert fingerprint(**facts) == fingerprint()


@pytest.mark.parametrize(
    "facts",
    [
        {"cpu": "AMD EPYC 9V74 80-Core Processor"},
        {"cores": "2"},
        {"memory": "31.2 GiB"},
        {"arch": "aarch64"},
        {"os": "macos"},
    ],
)
def test_fingerprint_tells_apart(facts: dict[str, str]) -> None:
    """Another processor, core count, memory, system or architecture is another."""
    assert fingerprint(**facts) != fingerprint()


def test_a_configured_name_is_all_that_counts() -> None:
    """Machines of one name are comparable whatever their facts."""
    one = testbed.testbed(OWN, "ci-large")
    two = testbed.testbed((("cpu", "Other"),), "ci-large")
    assert one.fingerprint == two.fingerprint
    assert one.name == "ci-large"
    assert one.fingerprint != testbed.testbed(OWN, "ci-small").fingerprint


def test_an_impossible_name_is_refused() -> None:
    """An empty name is a stated error."""
    with pytest.raises(ModelError):
        testbed.testbed(OWN, "")


def test_a_machine_that_tells_nothing_has_a_testbed() -> None:
    """Without any fact there is still a name and a fingerprint."""
    assert testbed.testbed((), None).name == "unknown"


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(st.dictionaries(st.sampled_from(testbed.FACTS), texts))
@settings(derandomize=True, max_examples=100)
def test_any_facts_make_a_testbed(facts: dict[str, str]) -> None:
    """Facts come out of files: any text gives a fingerprint and a plain name."""
    found = testbed.testbed(tuple(facts.items()), None)
    assert len(found.fingerprint) == 12
    assert found.name.isascii()
    assert 0 < len(found.name) <= 80
    again = testbed.testbed(found.facts, None)
    assert again == found


# ---------------------------------------------------------------- whose facts


def test_a_file_without_facts_was_measured_here() -> None:
    """hyperfine tells nothing, so this machine's facts count."""
    assert testbed.combine((), OWN) == OWN


def test_a_file_that_tells_another_processor_stands_alone() -> None:
    """Nothing of the recording machine is mixed into another machine's result."""
    told = (("cpu", "Intel Xeon"), ("os", "Linux"))
    assert testbed.combine(told, OWN) == (("cpu", "Intel Xeon"), ("os", "linux"))


def test_the_fingerprint_does_not_depend_on_who_records() -> None:
    """A file that tells its processor has one fingerprint, recorded anywhere."""
    told = (("arch", "amd64"), ("cores", "4"), ("cpu", dict(OWN)["cpu"]))
    other = (("cpu", "Intel Xeon"), ("cores", "8"), ("memory", "3.8 GiB"))
    here = testbed.combine(told, OWN)
    there = testbed.combine(told, other)
    assert (
        testbed.testbed(here, None).fingerprint
        == testbed.testbed(there, None).fingerprint
    )
    assert dict(here)["governor"] == "performance"
    assert "memory" not in dict(here)
    assert "governor" not in dict(there)


def test_same_processor_with_other_cores_is_another_machine() -> None:
    """Runners of two sizes share a processor model."""
    told = (("cores", "2"), ("cpu", dict(OWN)["cpu"]))
    assert "governor" not in dict(testbed.combine(told, OWN))


def test_a_file_of_another_system_stands_alone() -> None:
    """A result of macOS is not completed with facts of Linux."""
    assert testbed.combine((("os", "Darwin"),), OWN) == (("os", "macos"),)


def test_a_file_that_tells_only_its_system_is_completed() -> None:
    """Go prints no processor on some systems."""
    found = dict(testbed.combine((("arch", "amd64"), ("os", "linux")), OWN))
    assert found == dict(OWN)


def test_a_file_that_tells_only_its_cores_is_completed() -> None:
    """Google Benchmark tells the number of cores: the same number is this machine."""
    same = dict(OWN)["cores"]
    assert dict(testbed.combine((("cores", same),), OWN)) == dict(OWN)
    assert testbed.combine((("cores", "77"),), OWN) == (("cores", "77"),)


def test_only_allowed_facts_of_a_file_are_kept() -> None:
    """A file cannot add facts that nobody asked for; the configuration can."""
    told = (("gpu", "A100"), ("host", "secret"))
    assert testbed.combine(told, ()) == ()
    assert testbed.combine(told, (), ["gpu"]) == (("gpu", "A100"),)

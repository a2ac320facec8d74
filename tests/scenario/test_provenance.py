"""Signed runs: who vouches for what, and what a comparison makes of it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gitbench.store import codec, signing
from gitbench.store.codec import Note, Signature
from gitbench.store.notes import Notes
from gitbench.store.provenance import MAX_TRIES, Checker, Trust
from gitbench.store.repository import Repository
from gitbench.store.tree import write_notes
from tests.keys import (
    SshKey,
    allow,
    gpg,
    gpg_key,
    key_ring,
    needs_gpg,
    needs_gpgsm,
    needs_ssh,
    x509_key,
)
from tests.project import Project

REF = "refs/notes/gitbench"
EARLY, LATE = 0.1, 0.13


@pytest.fixture(scope="module")
def ada(tmp_path_factory: pytest.TempPathFactory) -> SshKey:
    """A key that the tests allow."""
    return SshKey.make(tmp_path_factory.mktemp("keys"), "ada")


@pytest.fixture(scope="module")
def eve(tmp_path_factory: pytest.TempPathFactory) -> SshKey:
    """A key that nobody allows."""
    return SshKey.make(tmp_path_factory.mktemp("keys"), "eve")


@pytest.fixture(scope="module")
def ring() -> Iterator[Path]:
    """A GNUPGHOME with keys of Ada and of Bob."""
    with key_ring() as home:
        gpg_key(home, "Ada <ada@example.com>")
        gpg_key(home, "Bob <bob@example.com>")
        yield home


def signed_project(project: Project, key: SshKey) -> Project:
    key.use(project)
    allow(project, f"ada@example.com {key.public}")
    return project


def notes_of(project: Project) -> Notes:
    return Notes(Repository.open(project.path, os.environ))


def states(project: Project, code: int | None = None, **environ: str) -> list[str]:
    """The state of every run on HEAD, by `gitbench verify`."""
    result = project.gitbench("verify", "--json", code=code, environ=environ)
    return [run["state"] for run in result.json["runs"]]


def add(project: Project, *signatures: Signature) -> None:
    """Put signatures into the note of HEAD, as anybody who may push can."""
    notes = notes_of(project)
    notes.record({project.head(): []}, signatures={project.head(): signatures})


def digests(project: Project) -> list[str]:
    lines = notes_of(project).note(project.head()).lines.values()
    return sorted(codec.digest(line) for line in lines if line.kind == "run")


def forged(runs: list[str], text: str, time: int = 10**12) -> Signature:
    return Signature(tuple(sorted(runs)), "ssh", text, time, "Ada <ada@example.com>")


# ------------------------------------------------------------------ ssh


@needs_ssh
def test_a_signed_run_says_who_signed_it(project: Project, ada: SshKey) -> None:
    """record --sign signs with git's key, in the same notes commit as the run, and
    verify names the principal and the key."""
    signed_project(project, ada)
    said = project.record({"sort": EARLY}, "--sign").out
    assert "Signed 1 run as Test Person <test@example.com> (ssh)." in said
    assert "1" == project.git("rev-list", "--count", REF)

    result = project.gitbench("verify", "--json")
    (run,) = result.json["runs"]
    (signature,) = run["signatures"]
    assert ("good", "good") == (run["state"], signature["state"])
    assert "ada@example.com" == signature["signer"]
    assert signature["key"].startswith("SHA256:")
    text = project.gitbench("verify").out
    assert "good" in text
    assert "ada@example.com" in text


@needs_ssh
def test_what_is_signed_is_what_the_specification_says(
    project: Project, ada: SshKey
) -> None:
    """ssh-keygen alone accepts the signature over the bytes of the specification."""
    signed_project(project, ada)
    project.record({"sort": EARLY}, "--sign")
    (digest,) = digests(project)
    (line,) = (
        one
        for one in notes_of(project).note(project.head()).lines.values()
        if one.kind == "sign"
    )
    record = codec.decode(line)
    assert isinstance(record, Signature)
    path = project.path / "sig"
    path.write_text(record.signature)
    text = f"gitbench signature 1\ntime {record.time}\n{digest}\n"

    checked = subprocess.run(
        ["ssh-keygen", "-Y", "check-novalidate", "-n", "gitbench", "-s", str(path)],
        input=text.encode(),
        check=False,
        capture_output=True,
    )

    assert 0 == checked.returncode


@needs_ssh
def test_one_signature_covers_all_runs_of_a_record(
    project: Project, ada: SshKey, tmp_path: Path
) -> None:
    """Two files recorded at once need the key once, and both runs are signed."""
    signed_project(project, ada)
    paths = []
    for suite in ("one", "two"):
        paths.append(tmp_path / f"{suite}.json")
        paths[-1].write_text(json.dumps(project.results({"a": 1.0}, suite=suite)))
    project.gitbench("record", *map(str, paths), "--sign")

    lines = notes_of(project).note(project.head()).lines.values()
    assert ["run", "run", "sign"] == sorted(line.kind for line in lines)
    assert ["good", "good"] == states(project, code=0)


@needs_ssh
def test_a_run_that_is_known_is_signed_as_it_stands(
    project: Project, ada: SshKey, tmp_path: Path
) -> None:
    """Recording a known result with --sign signs the run that is there, once."""
    signed_project(project, ada)
    project.record({"sort": EARLY})
    assert ["unsigned"] == states(project, code=1)
    file = str(tmp_path / "project-run-0.json")
    project.gitbench("record", file, "--sign")
    assert ["good"] == states(project, code=0)
    tip = project.head(REF)

    assert "Signed already." in project.gitbench("record", file, "--sign").out
    assert tip == project.head(REF)


@needs_ssh
def test_the_git_setting_signs_without_the_option(
    project: Project, ada: SshKey
) -> None:
    """With gitbench.sign every record is signed, unless --no-sign says otherwise."""
    signed_project(project, ada)
    project.git("config", "gitbench.sign", "true")
    project.record({"sort": EARLY})
    project.record({"sort": EARLY}, "--no-sign")

    assert ["unsigned", "good"] == states(project, code=1)


@needs_ssh
def test_a_key_that_cannot_sign_records_nothing(project: Project) -> None:
    """Without a key, or with one that is missing, nothing is recorded."""
    project.git("config", "gpg.format", "ssh")
    for key in (None, str(project.path / "no-such-key")):
        if key is not None:
            project.git("config", "user.signingKey", key)
        name = project.path / "run.json"
        name.write_text(json.dumps(project.results({"a": 1.0})))
        result = project.gitbench("record", str(name), "--sign", code=4)
        assert 1 == result.err.count("\n")
        assert "user.signing" in result.err
    assert not notes_of(project).exists()


@needs_ssh
def test_the_default_key_command_of_git_is_used(
    project: Project, ada: SshKey, tmp_path: Path
) -> None:
    """gpg.ssh.defaultKeyCommand gives the key where none is set; its agent signs."""
    project.git("config", "gpg.format", "ssh")
    project.git("config", "gpg.ssh.defaultKeyCommand", f"cat {ada.path}.pub")
    allow(project, f"ada@example.com {ada.public}")
    agent = subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(tmp_path / "agent")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    environ = {"SSH_AUTH_SOCK": str(tmp_path / "agent")}
    try:
        for _ in range(100):
            added = subprocess.run(
                ["ssh-add", "-q", str(ada.path)],
                env={**os.environ, **environ},
                capture_output=True,
                check=False,
            )
            if added.returncode == 0:
                break
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSH_AUTH_SOCK", environ["SSH_AUTH_SOCK"])
            project.record({"sort": EARLY}, "--sign")
    finally:
        agent.terminate()
        agent.wait(10)
    assert ["good"] == states(project, code=0)


@needs_ssh
def test_keys_count_as_git_s_settings_say(
    project: Project, ada: SshKey, eve: SshKey
) -> None:
    """A key that is not listed, listed for git's namespace alone, out of its time, or
    revoked is none that counts, and the reason is said."""
    signed_project(project, ada)
    project.record({"sort": EARLY}, "--sign")
    allow(project, f"eve@example.com {eve.public}")
    assert ["unknown-key"] == states(project, code=1)
    allow(project, f'ada@example.com namespaces="git" {ada.public}')
    result = project.gitbench("verify", code=1)
    assert "unknown-key" in result.out
    assert "namespace" in result.err
    allow(project, f'ada@example.com valid-before="20200101" {ada.public}')
    assert ["expired"] == states(project, code=1)
    allow(project, f'ada@example.com valid-after="20200101" {ada.public}')
    assert ["good"] == states(project, code=0)

    project.git("config", "gpg.ssh.revocationFile", f"{ada.path}.pub")
    assert ["revoked"] == states(project, code=1)
    project.git("config", "--unset", "gpg.ssh.revocationFile")
    project.git("config", "--unset", "gpg.ssh.allowedSignersFile")
    result = project.gitbench("verify", code=1)
    assert "gpg.ssh.allowedSignersFile is not set" in result.err


# --------------------------------------------------------------- hostile


@needs_ssh
def test_hostile_signatures_are_bad_and_stop_nothing(
    project: Project, ada: SshKey
) -> None:
    """Garbage, a huge one, one over other bytes, of another namespace or format, and
    one with somebody's name on it are bad, each with a reason."""
    signed_project(project, ada)
    project.record({"sort": EARLY})
    runs = digests(project)
    right = signing.message(10**12, runs)
    good = ada.sign(right)
    body = good.splitlines()
    hostile = [
        forged(runs, ""),
        forged(runs, "\x00\x1b[31m"),
        forged(runs, good + "A" * signing.MAX_SIGNATURE),
        forged(runs, good.replace(body[2][:20], "A" * 20)),
        forged(runs, "\n".join([*body[:3], body[-1]])),
        forged(runs, ada.sign(b"something else")),
        forged(runs, ada.sign(right, "git")),
        forged(runs, good, 10**12 + 1),
        Signature(tuple(runs), "x509", good, 10**12),
        Signature(tuple(runs), "../../bin/sh", good, 10**12),
    ]
    add(project, *hostile)

    result = project.gitbench("verify", "--json", code=1)
    (run,) = result.json["runs"]
    assert "bad" == run["state"]
    assert ["bad"] * len(hostile) == [one["state"] for one in run["signatures"]]
    assert all(one["detail"] for one in run["signatures"])
    assert "\x1b" not in project.gitbench("verify", code=1).out


@needs_ssh
def test_a_good_signature_stands_beside_bad_ones(project: Project, ada: SshKey) -> None:
    """A bad signature that somebody adds takes nothing from a good one."""
    signed_project(project, ada)
    project.record({"sort": EARLY}, "--sign")
    add(project, forged(digests(project), "nonsense", 5))

    assert ["good"] == states(project, code=0)


@needs_ssh
def test_a_signature_over_another_run_vouches_for_nothing_else(
    project: Project, ada: SshKey, tmp_path: Path
) -> None:
    """A signature of another run, of another repository's run, or with another run's
    digest added to its list does not hold for a run that it is not over."""
    signed_project(project, ada)
    project.record({"sort": EARLY}, "--sign")
    other = signed_project(Project.init(tmp_path / "other"), ada)
    other.commit("elsewhere")
    other.record({"sort": LATE})
    (theirs,) = digests(other)
    (line,) = (
        one
        for one in notes_of(project).note(project.head()).lines.values()
        if one.kind == "sign"
    )
    mine = codec.decode(line)
    assert isinstance(mine, Signature)
    notes_of(other).record({other.head(): []}, signatures={other.head(): [mine]})
    assert ["unsigned"] == states(other, code=1)

    stretched = sorted({theirs, *mine.runs})
    add(other, forged(stretched, mine.signature, mine.time))
    add(other, forged([theirs], mine.signature, mine.time))
    assert ["bad"] == states(other, code=1)


@needs_ssh
def test_thousands_of_signatures_are_not_all_checked(
    project: Project, ada: SshKey
) -> None:
    """Of the signatures over one run a bounded number is looked at."""
    signed_project(project, ada)
    project.record({"sort": EARLY})
    runs = digests(project)
    add(project, *(forged(runs, f"{place}", place) for place in range(500)))
    notes = notes_of(project)
    checker = Checker(signing.keys(notes.repository, os.environ))

    (vouched,) = checker.vouched(notes.note(project.head())).values()

    assert MAX_TRIES == len(vouched.signatures)


# ------------------------------------------------------- union, compaction


@needs_ssh
def test_signatures_survive_every_way_of_merging(
    origin: Path, tmp_path: Path, ada: SshKey
) -> None:
    """After push, fetch and union, after git's own cat_sort_uniq, and after the
    history was compacted, both clones find both runs signed."""
    clones = [Project.clone(origin, tmp_path / name) for name in ("one", "two")]
    for place, clone in enumerate(clones):
        signed_project(clone, ada)
        clone.runs = place
        clone.record({"sort": EARLY + place}, "--sign")
    one, two = clones
    one.gitbench("push")
    two.git("fetch", "-q", "origin", f"{REF}:refs/notes/theirs")
    two.git("update-ref", "refs/notes/ours", REF)
    two.git("notes", "--ref=ours", "merge", "-q", "-s", "cat_sort_uniq", "theirs")
    two.git("update-ref", REF, "refs/notes/ours")
    assert ["good", "good"] == states(two, code=0)
    two.gitbench("push")
    one.gitbench("fetch")
    assert ["good", "good"] == states(one, code=0)
    one.gitbench("compact", "--yes")
    two.gitbench("fetch")
    assert "1" == two.git("rev-list", "--count", REF)
    assert ["good", "good"] == states(two, code=0)


@needs_ssh
def test_a_signature_over_an_erased_run_harms_nothing(
    project: Project, ada: SshKey, tmp_path: Path
) -> None:
    """When one of two runs that were signed together is erased, the other one still
    has a good signature."""
    signed_project(project, ada)
    paths = []
    for suite in ("one", "two"):
        paths.append(tmp_path / f"{suite}.json")
        paths[-1].write_text(json.dumps(project.results({"a": 1.0}, suite=suite)))
    project.gitbench("record", *map(str, paths), "--sign")
    notes = notes_of(project)
    gone = notes.records(project.head()).runs[0].id
    notes.retract({project.head(): [gone]}, "a token", 10**12, erase=True)

    assert 1 == len(digests(project))
    assert ["good"] == states(project, code=0)


# ----------------------------------------------------------- comparisons


def history(project: Project, *options: str) -> None:
    """Four commits with a run each; the last one is slower."""
    for value in (EARLY, EARLY, EARLY, LATE * 2):
        project.commit("change")
        project.record({"sort": [value, value * 1.01]}, *options)


@needs_ssh
def test_only_signed_runs_are_compared(project: Project, ada: SshKey) -> None:
    """With trusted = "signed" runs without a good signature do not count, and the
    report says how many; by default they all count."""
    signed_project(project, ada)
    project.commit("unsigned")
    project.record({"sort": [EARLY, EARLY]})
    unsigned = project.head()
    project.git("branch", "old", "HEAD~1")
    project.record({"sort": [EARLY * 3, EARLY * 3]}, "--sign")
    project.commit("head")
    project.record({"sort": [EARLY, EARLY]}, "--sign")
    (project.path / "gitbench.toml").write_text('trusted = "signed"\n')

    report = project.gitbench("compare", "main", "--json", code=None).json
    baseline = report["groups"][0]["baseline"]
    assert (unsigned, 1) == (baseline["commit"], baseline["runs"])
    assert any("1 run has no good signature" in w for w in report["warnings"])
    assert any("1 unsigned" in w for w in report["warnings"])
    (project.path / "gitbench.toml").unlink()
    report = project.gitbench("compare", "main", "--json", code=None).json
    assert 2 == report["groups"][0]["baseline"]["runs"]
    assert not any("signature" in w for w in report["warnings"])


@needs_ssh
def test_nothing_signed_is_no_baseline(project: Project, ada: SshKey) -> None:
    """Where no run of head counts nothing can be compared; where none of the baseline
    does there is no baseline; both say why, and exit 3."""
    signed_project(project, ada)
    history(project)
    (project.path / "gitbench.toml").write_text('trusted = "signed"\n')
    result = project.gitbench("compare", "main", code=3)
    assert "Nothing that counts is recorded" in result.err
    assert "gitbench verify" in result.err

    project.record({"sort": [EARLY, EARLY]}, "--sign")
    result = project.gitbench("compare", "main", "--json", code=3)
    assert "4 unsigned" in result.json["groups"][0]["reason"]

    (project.path / "gitbench.toml").write_text('trusted = "signed-baseline"\n')
    report = project.gitbench("compare", "main", "--json", code=3).json
    assert 2 == report["groups"][0]["head"]["runs"]


@needs_ssh
def test_an_unsigned_twin_cannot_displace_a_signed_run(
    project: Project, ada: SshKey
) -> None:
    """A forged run with the origin of a signed one and an earlier time takes its
    place in no comparison of signed runs."""
    signed_project(project, ada)
    project.commit("base")
    project.record({"sort": [EARLY, EARLY]}, "--sign")
    base = project.head()
    notes = notes_of(project)
    (real,) = notes.records(base).runs
    twin = replace(real.run, started_at=real.run.started_at - 1)
    line = codec.encode(twin)
    both = codec.union([notes.note(base), Note({line.id: line})])
    tree = notes.repository.commit_tree(project.head(REF))
    tree = write_notes(notes.repository, tree, {base: both})
    tip = notes.repository.write_commit(tree, [project.head(REF)], "forged\n")
    project.git("update-ref", REF, tip)
    assert [line.id] == [one.id for one in notes.records(base).runs]

    checker = Checker(signing.keys(notes.repository, os.environ))
    trusted = notes.records(base, Trust(checker).accepts)
    assert [real.id] == [one.id for one in trusted.runs]


@needs_ssh
def test_a_fork_does_not_say_whom_to_trust(
    project: Project, ada: SshKey, eve: SshKey, tmp_path: Path
) -> None:
    """In the CI of a fork both the rule and a list of allowed signers in the work
    tree are those of the base commit."""
    ada.use(project)
    project.git("config", "gpg.ssh.allowedSignersFile", "signers")
    (project.path / "signers").write_text(f"ada@example.com {ada.public}\n")
    (project.path / "gitbench.toml").write_text('trusted = "signed"\n')
    project.git("add", ".")
    project.commit("base")
    project.record({"sort": [EARLY, EARLY]}, "--sign")
    project.git("update-ref", "refs/remotes/origin/main", "main")
    project.git("checkout", "-q", "-b", "fork")
    (project.path / "signers").write_text(f"eve@example.com {eve.public}\n")
    (project.path / "gitbench.toml").write_text('trusted = "any"\n')
    project.git("add", ".")
    project.commit("head")
    eve.use(project)
    project.record({"sort": [EARLY * 3, EARLY * 3]}, "--sign")
    event = tmp_path / "event.json"
    event.write_text('{"pull_request": {"head": {"repo": null}}}')
    ci = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_BASE_REF": "main",
        "GITHUB_EVENT_PATH": str(event),
    }

    result = project.gitbench("compare", "main", code=3, environ=ci)
    assert "1 by an unknown key" in result.err
    report = project.gitbench("compare", "main", "--json", code=None).json
    assert not any("signature" in warning for warning in report["warnings"])


# ------------------------------------------------------------------ gpg


@needs_gpg
def test_openpgp_keys_count_as_gpg_knows_them(project: Project, ring: Path) -> None:
    """A run signed by gpg is good, of an unknown key without it, and the level of
    trust that git's settings ask for decides."""
    environ = {"GNUPGHOME": str(ring)}
    project.git("config", "user.signingKey", "ada@example.com")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GNUPGHOME", str(ring))
        project.record({"sort": EARLY}, "--sign")
    result = project.gitbench("verify", "--json", environ=environ)
    (signature,) = result.json["runs"][0]["signatures"]
    assert "Ada <ada@example.com>" == signature["signer"]
    assert 40 == len(signature["key"])

    with key_ring() as empty:
        assert ["unknown-key"] == states(project, 1, GNUPGHOME=str(empty))
        gpg(empty, "--import", stdin=gpg(ring, "--export", "ada@example.com"))
        assert ["good"] == states(project, 0, GNUPGHOME=str(empty))
        project.git("config", "gpg.minTrustLevel", "fully")
        assert ["unknown-key"] == states(project, 1, GNUPGHOME=str(empty))
        assert ["good"] == states(project, 0, **environ)


@needs_gpg
def test_revoked_and_expired_openpgp_keys_do_not_count(
    project: Project, ring: Path
) -> None:
    """What gpg says of a key that ended, or was revoked, is what verify says."""
    project.git("config", "user.signingKey", "bob@example.com")
    with key_ring() as home:
        gpg_key(home, "Bob <bob@example.com>")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GNUPGHOME", str(home))
            project.record({"sort": EARLY}, "--sign")
        listed = gpg(home, "--list-keys", "--with-colons").decode()
        key = next(
            line.split(":")[9] for line in listed.splitlines() if line[:3] == "fpr"
        )
        assert ["good"] == states(project, 0, GNUPGHOME=str(home))
        gpg(home, "--quick-set-expire", key, "seconds=1")
        time.sleep(2.1)
        assert ["expired"] == states(project, 1, GNUPGHOME=str(home))
        gpg(home, "--quick-set-expire", key, "0")
        certificate = home / "openpgp-revocs.d" / f"{key}.rev"
        text = certificate.read_bytes().replace(b":-----BEGIN", b"-----BEGIN")
        gpg(home, "--import", stdin=text)
        assert ["revoked"] == states(project, 1, GNUPGHOME=str(home))


@needs_gpg
def test_hostile_openpgp_signatures_are_bad(project: Project, ring: Path) -> None:
    """Garbage within the armour, one over other bytes, and two in one are bad."""
    project.record({"sort": EARLY})
    runs = tuple(digests(project))
    armour = "-----BEGIN PGP SIGNATURE-----"
    text = signing.message(10**12, runs)
    make = ("--local-user", "ada@example.com", "--armor", "--detach-sign")
    good = gpg(ring, *make, stdin=text).decode()
    two = gpg(ring, "--local-user", "bob@example.com", *make, stdin=text).decode()
    add(
        project,
        Signature(runs, "openpgp", f"{armour}\n\nnonsense\n", 10**12),
        Signature(runs, "openpgp", gpg(ring, *make, stdin=b"x").decode(), 10**12),
        Signature(runs, "openpgp", two, 10**12),
        Signature(runs, "openpgp", good, 10**12 - 1),
    )
    assert ["bad"] == states(project, 1, GNUPGHOME=str(ring))

    add(project, Signature(runs, "openpgp", good, 10**12))
    assert ["good"] == states(project, 0, GNUPGHOME=str(ring))


@needs_gpgsm
def test_x509_certificates_count_as_gpgsm_knows_them(project: Project) -> None:
    """A run signed by gpgsm is good where the certificate's root is trusted, and of
    an unknown key elsewhere."""
    project.git("config", "gpg.format", "x509")
    project.git("config", "user.signingKey", "ada@example.com")
    with key_ring() as home, key_ring() as empty:
        x509_key(home)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GNUPGHOME", str(home))
            assert "(x509)" in project.record({"sort": EARLY}, "--sign").out
        assert ["good"] == states(project, 0, GNUPGHOME=str(home))
        assert "good" not in states(project, 1, GNUPGHOME=str(empty))


# ------------------------------------------------------------- programs


@needs_ssh
def test_a_missing_program_is_named(project: Project, ada: SshKey) -> None:
    """Where the program that checks cannot be run, one sentence names it."""
    signed_project(project, ada)
    project.record({"sort": EARLY}, "--sign")
    project.git("config", "gpg.ssh.program", "/no/such/program")

    result = project.gitbench("verify", code=4)
    assert "/no/such/program" in result.err
    assert "gpg.ssh.program" in result.err


def test_settings_that_make_no_sense_are_named(project: Project) -> None:
    """An unknown gpg.format or gpg.minTrustLevel is one sentence."""
    project.record({"sort": EARLY})
    project.git("config", "gpg.format", "rot13")
    assert "rot13" in project.gitbench("verify", code=4).err
    project.git("config", "--unset", "gpg.format")
    project.git("config", "gpg.minTrustLevel", "blind")
    assert "blind" in project.gitbench("verify", code=4).err


def test_nothing_to_verify_is_exit_3(project: Project) -> None:
    """A commit without runs has nothing to verify."""
    assert "Nothing is recorded" in project.gitbench("verify", code=3).err

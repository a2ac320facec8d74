"""Signing bytes, and checking a signature, by the programs and settings of git.

`gpg.format`, `user.signingKey`, `gpg.program`, `gpg.ssh.allowedSignersFile` and their
like mean what they mean for `git commit -S` and `git verify-commit`.  Programs are
run without a shell, with bounded input, and never one that data names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from gitbench.errors import GitbenchError
from gitbench.store.codec import Signature
from gitbench.store.repository import Repository

if TYPE_CHECKING:
    from subprocess import CompletedProcess

NAMESPACE = "gitbench"
"""Of signatures by ssh keys: one made for a commit or a file is none of ours."""

MAX_SIGNATURE = 64 * 1024
MAX_PRINCIPALS = 20
TIMEOUT_S = 30.0
"""For checking; signing may wait for somebody to type or touch something."""

ARMOUR = {
    "openpgp": "-----BEGIN PGP SIGNATURE-----",
    "x509": "-----BEGIN SIGNED MESSAGE-----",
    "ssh": "-----BEGIN SSH SIGNATURE-----",
}
"""How a signature of each format begins."""

PROGRAMS = {"openpgp": "gpg", "x509": "gpgsm", "ssh": "ssh-keygen"}

GOOD = "good"
BAD = "bad"
UNKNOWN_KEY = "unknown-key"
EXPIRED = "expired"
REVOKED = "revoked"
STATES = (GOOD, REVOKED, EXPIRED, UNKNOWN_KEY, BAD)
"""What a check may find, the best first.  `expired` and `revoked` speak of the key
(or, where OpenPGP gives it an end, the signature); the bytes fit in both."""

_TRUST = ("undefined", "never", "marginal", "fully", "ultimate")


class SigningError(GitbenchError):
    """Runs cannot be signed, or signatures not be checked."""


@dataclass(frozen=True, slots=True)
class KeyList:
    """A file that lists ssh keys."""

    path: Path
    content: bytes | None = None
    """What it holds, if that is not to be read from the path."""

    def placed(self, folder: Path, name: str) -> Path:
        """Where ssh-keygen can read it."""
        if self.content is None:
            return self.path
        place = folder / name
        place.write_bytes(self.content)
        return place


@dataclass(frozen=True, slots=True)
class Keys:
    """What git's settings say about signing, and where programs are run."""

    format: str
    key: str | None
    """`user.signingKey`: a key id, a path, or an ssh key itself."""
    programs: Mapping[str, str]
    """Format -> program."""
    default_key_command: str | None
    allowed_signers: KeyList | None
    """The ssh keys that are known, and whose they are."""
    revoked: KeyList | None
    min_trust: int
    """Least trust in an OpenPGP or X.509 key, as a place in git's list of five."""
    identity: str
    """`Name <email>` of the committer."""
    folder: Path
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of checking one signature."""

    state: str
    """One of `STATES`."""
    signer: str | None = None
    """Whose key it is by our own key ring or list of allowed signers."""
    key: str | None = None
    """Fingerprint of the key, or its id where it is not known."""
    detail: str | None = None
    """What the program said, where the signature is not good."""


def message(time: int, digests: Sequence[str]) -> bytes:
    """The bytes that a signature is over, for runs of these digests (64 hex digits
    each) signed at `time` (ms since the epoch)."""
    lines = ["gitbench signature 1", f"time {time}", *sorted(digests)]
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def keys(repository: Repository, environ: Mapping[str, str]) -> Keys:
    """The settings of a repository; raises `SigningError` if they make no sense."""
    setting = repository.setting
    format_ = setting("gpg.format") or "openpgp"
    if format_ not in PROGRAMS:
        raise SigningError(
            f"The git setting gpg.format is {format_[:40]!r}; it is openpgp, ssh or "
            "x509."
        )
    folder = repository.work_tree or repository.git_dir

    def path(name: str) -> KeyList | None:
        value = setting(name)
        return None if not value else KeyList(folder / _expand(value, environ))

    programs = {
        name: setting(f"gpg.{name}.program") or default
        for name, default in PROGRAMS.items()
    }
    own = setting("gpg.program")
    if own and not setting("gpg.openpgp.program"):
        programs["openpgp"] = own
    who = repository.identity()
    trust = (setting("gpg.minTrustLevel") or _TRUST[0]).lower()
    if trust not in _TRUST:
        raise SigningError(
            f"The git setting gpg.minTrustLevel is {trust[:40]!r}; it is one of "
            f"{', '.join(_TRUST)}."
        )
    return Keys(
        format_,
        setting("user.signingKey") or None,
        {name: _expand(program, environ) for name, program in programs.items()},
        setting("gpg.ssh.defaultKeyCommand") or None,
        path("gpg.ssh.allowedSignersFile"),
        path("gpg.ssh.revocationFile"),
        _TRUST.index(trust),
        f"{who.name} <{who.email}>",
        folder,
        environ,
    )


def as_in(keys: Keys, repository: Repository, commit: str) -> Keys:
    """The keys with lists that stand in the work tree as they are in a commit: who
    changed the work tree shall not say whom to trust."""
    root = repository.work_tree
    if root is None:
        return keys

    def listed(one: KeyList | None) -> KeyList | None:
        if one is None:
            return None
        for path, top in ((one.path, root), (one.path.resolve(), root.resolve())):
            if path.is_relative_to(top):
                inside = path.relative_to(top).as_posix()
                return KeyList(one.path, repository.read_file(commit, inside) or b"")
        return one

    return replace(
        keys, allowed_signers=listed(keys.allowed_signers), revoked=listed(keys.revoked)
    )


def _expand(path: str, environ: Mapping[str, str]) -> str:
    if path.startswith("~/") and environ.get("HOME"):
        return environ["HOME"] + path[1:]
    return path


# ------------------------------------------------------------------ signing


def sign(keys: Keys, text: bytes) -> str:
    """An armoured signature of `text` by the user's key.

    The program may ask for a passphrase, or for a touch of a token.  Raises
    `SigningError` with the program's own words if it makes none.
    """
    if keys.format == "ssh":
        return _sign_ssh(keys, text)
    command = [
        keys.programs[keys.format],
        "--status-fd=2",
        "-bsau",
        keys.key or keys.identity,
    ]
    result = _run(keys, command, text, None)
    created = b"\n[GNUPG:] SIG_CREATED " in b"\n" + result.stderr
    if result.returncode != 0 or not created:
        raise _unsigned(keys, result)
    return _armoured(keys, result.stdout)


def _sign_ssh(keys: Keys, text: bytes) -> str:
    key = keys.key or _default_ssh_key(keys)
    with TemporaryDirectory(prefix="gitbench-sign-") as name:
        folder = Path(name)
        (folder / "message").write_bytes(text)
        options = []
        if key.startswith(("key::", "ssh-")):
            # The key itself: an agent holds the other half of it.
            (folder / "key").write_text(key.removeprefix("key::") + "\n", "utf-8")
            path, options = str(folder / "key"), ["-U"]
        else:
            path = str(keys.folder / _expand(key, keys.environ))
        command = [keys.programs["ssh"], "-Y", "sign", "-n", NAMESPACE, "-f", path]
        result = _run(keys, [*command, *options, str(folder / "message")], b"", None)
        try:
            made = (folder / "message.sig").read_bytes()
        except OSError as exc:
            raise _unsigned(keys, result) from exc
    if result.returncode != 0:
        raise _unsigned(keys, result)
    return _armoured(keys, made)


def _default_ssh_key(keys: Keys) -> str:
    """The first key that the user's own `gpg.ssh.defaultKeyCommand` prints."""
    if keys.default_key_command is None:
        raise SigningError(
            "There is no key to sign with; set one: git config user.signingKey "
            "~/.ssh/id_ed25519.pub"
        )
    import shlex

    try:
        command = shlex.split(keys.default_key_command)
    except ValueError as exc:
        raise SigningError(
            f"The git setting gpg.ssh.defaultKeyCommand cannot be read: {exc}."
        ) from exc
    result = _run(keys, command, b"", TIMEOUT_S)
    first = result.stdout.split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    if result.returncode != 0 or not first.startswith(("key::", "ssh-")):
        raise SigningError(
            "The git setting gpg.ssh.defaultKeyCommand gave no key "
            f"({_said(result)}); set one: git config user.signingKey "
            "~/.ssh/id_ed25519.pub"
        )
    return first


def _armoured(keys: Keys, made: bytes) -> str:
    text = made.replace(b"\r\n", b"\n").decode("ascii", "replace").strip() + "\n"
    if not text.startswith(ARMOUR[keys.format]) or len(text) > MAX_SIGNATURE:
        raise SigningError(
            f"{keys.programs[keys.format]} made {len(made)} bytes that are no armoured "
            f"{keys.format} signature; nothing was recorded."
        )
    return text


def _unsigned(keys: Keys, result: CompletedProcess[bytes]) -> SigningError:
    return SigningError(
        f"{keys.programs[keys.format]} could not sign ({_said(result)}); nothing was "
        "recorded. Check git's settings gpg.format and user.signingKey, or record "
        "without --sign."
    )


# ----------------------------------------------------------------- checking


def check(keys: Keys, signature: Signature) -> Outcome:
    """Whether a signature holds, for whom, and why not.

    A key counts if git's own settings know it: the OpenPGP key ring and
    `gpg.minTrustLevel`, or `gpg.ssh.allowedSignersFile` at the time of signing.
    Raises `SigningError` only where the program cannot be run.
    """
    text = signature.signature
    if signature.format not in ARMOUR:
        return Outcome(BAD, detail=f"the format {signature.format[:40]!r} is unknown")
    if len(text) > MAX_SIGNATURE or not text.isascii():
        return Outcome(BAD, detail="it is too long, or no armoured text")
    if not text.startswith(ARMOUR[signature.format]):
        return Outcome(BAD, detail="it is no armoured signature of its format")
    signed = message(signature.time, signature.runs)
    with TemporaryDirectory(prefix="gitbench-verify-") as name:
        path = Path(name) / "signature"
        path.write_text(text, "ascii")
        if signature.format == "ssh":
            return _check_ssh(keys, path, signed, signature.time)
        return _check_gpg(keys, signature.format, path, signed)


def _check_ssh(keys: Keys, path: Path, signed: bytes, time: int) -> Outcome:
    run = [keys.programs["ssh"], "-Y"]
    about = ["-n", NAMESPACE, "-s", str(path)]
    bare = _run(keys, [*run, "check-novalidate", *about], signed, TIMEOUT_S)
    found = re.search(rb"key (SHA256:[A-Za-z0-9+/=]+)", bare.stdout + bare.stderr)
    key = found[1].decode("ascii") if found else None
    if bare.returncode != 0:
        return Outcome(BAD, key=key, detail=_said(bare))
    if keys.allowed_signers is None:
        return Outcome(
            UNKNOWN_KEY, key=key, detail="gpg.ssh.allowedSignersFile is not set"
        )
    allowed = keys.allowed_signers.placed(path.parent, "allowed-signers")
    if not allowed.is_file():
        return Outcome(UNKNOWN_KEY, key=key, detail=f"there is no file {allowed}")
    when = ["-f", str(allowed), f"-Overify-time={_moment(time)}"]
    look = [*run, "find-principals", *when, "-s", str(path)]
    principals = _run(keys, look, b"", TIMEOUT_S)
    last = principals
    for name in principals.stdout.splitlines()[:MAX_PRINCIPALS]:
        principal = name.decode("utf-8", "replace").strip()
        command = [*run, "verify", *when, "-I", principal, *about]
        last = _run(keys, command, signed, TIMEOUT_S)
        if last.returncode != 0:
            continue
        if keys.revoked is not None:
            # It says no more than that the check failed, so it is asked twice.
            command += ["-r", str(keys.revoked.placed(path.parent, "revoked"))]
            last = _run(keys, command, signed, TIMEOUT_S)
            if last.returncode != 0:
                why = f"{keys.revoked.path} lists the key, or cannot be read"
                return Outcome(REVOKED, principal, key, why)
        return Outcome(GOOD, principal, key)
    said = last.stderr.decode("utf-8", "replace").strip()
    why = "; ".join(said.splitlines())[:300]
    state = EXPIRED if "expired" in why or "not yet valid" in why else UNKNOWN_KEY
    return Outcome(state, None, key, why)


def _moment(milliseconds: int) -> str:
    """A time as ssh-keygen reads it; in UTC, which `_run` sets."""
    from datetime import UTC, datetime, timedelta

    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return (epoch + timedelta(milliseconds=milliseconds)).strftime("%Y%m%d%H%M%S")


_STATUS = {
    "GOODSIG": GOOD,
    "BADSIG": BAD,
    "EXPSIG": EXPIRED,
    "EXPKEYSIG": EXPIRED,
    "REVKEYSIG": REVOKED,
    "ERRSIG": UNKNOWN_KEY,
}
"""Of a signature gpg says exactly one of these."""


def _check_gpg(keys: Keys, format_: str, path: Path, signed: bytes) -> Outcome:
    command = [keys.programs[format_], "--status-fd=1"]
    if format_ == "openpgp":
        # A signature may name a server to fetch its key from.
        command += ["--keyid-format=long", "--no-auto-key-retrieve"]
    result = _run(keys, [*command, "--verify", str(path), "-"], signed, TIMEOUT_S)
    lines = [
        line.removeprefix(b"[GNUPG:] ").decode("utf-8", "replace").split(" ", 2)
        for line in result.stdout.splitlines()
        if line.startswith(b"[GNUPG:] ")
    ]
    states = [words for words in lines if words[0] in _STATUS]
    if len(states) != 1:
        why = "it holds several signatures" if states else _said(result)
        return Outcome(BAD, detail=why)
    status, *rest = states[0]
    state, key = _STATUS[status], rest[0] if rest else None
    signer = rest[1] if len(rest) > 1 and state is not UNKNOWN_KEY else None
    whole = [words[1] for words in lines if words[0] == "VALIDSIG" and len(words) > 1]
    trust = [words[0] for words in lines if words[0].startswith("TRUST_")]
    if state == GOOD:
        level = trust[0].removeprefix("TRUST_").lower() if trust else _TRUST[0]
        known = _TRUST.index(level) if level in _TRUST else 0
        if result.returncode != 0 or not whole:
            return Outcome(BAD, signer, key, _said(result))
        if known < keys.min_trust:
            why = f"the key is trusted {level}, less than gpg.minTrustLevel asks for"
            return Outcome(UNKNOWN_KEY, signer, whole[0], why)
        return Outcome(GOOD, signer, whole[0])
    return Outcome(state, signer, whole[0] if whole else key, _said(result))


# ----------------------------------------------------------------- programs


def _run(
    keys: Keys, command: Sequence[str], stdin: bytes, timeout_s: float | None
) -> CompletedProcess[bytes]:
    import subprocess

    environ = {**keys.environ, "LC_ALL": "C", "TZ": "UTC0"}
    try:
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            cwd=keys.folder,
            env=environ,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise SigningError(
            f"{command[0]} did not answer within {timeout_s:.0f} s; see whether it "
            "waits for something."
        ) from exc
    except (OSError, ValueError) as exc:
        raise SigningError(
            f"The program {command[0]!r} cannot be run ({exc}); install it, or set "
            "git's gpg.program, gpg.ssh.program or gpg.x509.program."
        ) from exc


def _said(result: CompletedProcess[bytes]) -> str:
    """The last words of a program that were meant for people."""
    text = (result.stderr + b"\n" + result.stdout).decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines()]
    for line in reversed([x for x in lines if x and not x.startswith("[GNUPG:]")]):
        return line[:200]
    return f"exit code {result.returncode}"

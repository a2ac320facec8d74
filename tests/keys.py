"""Real keys to sign with: ssh-keygen's, and gpg's in a key ring of their own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.project import Project

needs_ssh = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed"
)
needs_gpg = pytest.mark.skipif(
    shutil.which("gpg") is None, reason="gpg is not installed"
)


@dataclass(frozen=True)
class SshKey:
    """A key pair of ssh-keygen without a passphrase."""

    path: Path

    @classmethod
    def make(cls, folder: Path, name: str) -> SshKey:
        """A new key in a folder."""
        path = folder / name
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path],
            check=True,
            stdin=subprocess.DEVNULL,
        )
        return cls(path)

    @property
    def public(self) -> str:
        """Type and key, as a list of allowed signers names it."""
        return " ".join(Path(f"{self.path}.pub").read_text().split()[:2])

    def use(self, project: Project) -> None:
        """Let a project sign with it."""
        project.git("config", "gpg.format", "ssh")
        project.git("config", "user.signingKey", str(self.path))

    def sign(self, text: bytes, namespace: str = "gitbench") -> str:
        """An armoured signature, made by ssh-keygen alone."""
        done = subprocess.run(
            ["ssh-keygen", "-Y", "sign", "-n", namespace, "-f", self.path],
            input=text,
            capture_output=True,
            check=True,
        )
        return done.stdout.decode()


def allow(project: Project, *lines: str) -> Path:
    """Make `lines` the project's list of allowed signers."""
    path = project.path.parent / f"{project.path.name}-allowed"
    path.write_text("".join(f"{line}\n" for line in lines))
    project.git("config", "gpg.ssh.allowedSignersFile", str(path))
    return path


@contextmanager
def key_ring() -> Iterator[Path]:
    """An empty GNUPGHOME; its path is short, because gpg's agent puts a socket
    there, and the agent is ended afterwards."""
    home = Path(tempfile.mkdtemp(prefix="gb-gpg-"))
    try:
        yield home
    finally:
        end = ["gpgconf", "--homedir", str(home), "--kill", "all"]
        subprocess.run(end, check=False, capture_output=True)
        shutil.rmtree(home, ignore_errors=True)


def gpg(home: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run gpg on a key ring."""
    done = subprocess.run(
        ["gpg", "--homedir", str(home), "--batch", "--quiet", *arguments],
        input=stdin,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"gpg {arguments}: {done.stderr.decode()}")
    return done.stdout


def gpg_key(home: Path, name: str) -> None:
    """A new key without a passphrase."""
    nothing = ("--pinentry-mode", "loopback", "--passphrase", "")
    gpg(home, *nothing, "--quick-generate-key", name, "ed25519", "sign", "never")


needs_gpgsm = pytest.mark.skipif(
    shutil.which("gpgsm") is None, reason="gpgsm is not installed"
)


def x509_key(home: Path) -> None:
    """A certificate of Ada's that she issued herself, trusted in this key ring."""
    (home / "gpgsm.conf").write_text("disable-crl-checks\n")
    (home / "gpg-agent.conf").write_text("allow-loopback-pinentry\n")
    wish = (
        "Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign, cert\nSerial: random\n"
        "Name-DN: CN=Ada Test\nName-Email: ada@example.com\nHash-Algo: SHA256\n"
    )
    gpgsm = ["gpgsm", "--homedir", str(home), "--batch"]
    make = [*gpgsm, "--pinentry-mode", "loopback", "--passphrase-fd", "0"]
    (home / "wish").write_text(wish)
    certificate = home / "certificate"
    for command in (
        [*make, "--output", str(certificate), "--generate-key", str(home / "wish")],
        [*gpgsm, "--import", str(certificate)],
    ):
        subprocess.run(
            command, check=True, stdin=subprocess.DEVNULL, capture_output=True
        )
    listed = subprocess.run(
        [*gpgsm, "--with-colons", "--list-keys"], check=True, capture_output=True
    ).stdout.decode()
    (key,) = [x.split(":")[9] for x in listed.splitlines() if x.startswith("fpr:")]
    (home / "trustlist.txt").write_text(f"{key} S relax\n")
    end = ["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"]
    subprocess.run(end, check=False, capture_output=True)

"""Real servers on loopback, started by the test as the user who runs it.

Over smart HTTP: git's own `http-backend` behind lighttpd, which asks for a password.
Over ssh: an sshd with keys of its own.  Both take a free port, keep all their files in
a folder of the caller, and are gone with every process that they started when the
block ends.  On Debian they are in the packages `lighttpd` and `openssh-server`.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.web import READER, USER, WRITER, basic

START_S = 15.0
"""How long a server may take until it answers."""


@contextlib.contextmanager
def lighttpd(folder: Path, state: Path) -> Iterator[str]:
    """Serve the bare repositories of `folder` over HTTP; yields the URL of the folder.

    The writer's token may do everything, the reader's may fetch, and without a
    token nobody may do anything.
    """
    program = _program("lighttpd")
    backend = Path(_output("git", "--exec-path"), "git-http-backend")
    if not backend.exists():
        pytest.skip("git has no http-backend here")
    uploads = state / "uploads"
    uploads.mkdir(parents=True)
    users = state / "users"
    # The name is the same for both, as on the hosts whose tokens these are; lighttpd
    # wants one password a name, so that there is a file for each.
    users.write_text(f"{USER}:{WRITER}\n")
    readers = state / "readers"
    readers.write_text(f"{USER}:{READER}\n")
    reader_header = basic(READER).partition(": ")[2].partition(" ")[2]

    def start(port: int) -> list[str]:
        configuration = state / "lighttpd.conf"
        configuration.write_text(
            f"""\
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{state}"
server.errorlog = "{state}/log"
server.upload-dirs = ( "{uploads}" )
server.modules = ( "mod_access", "mod_auth", "mod_authn_file", "mod_alias",
                   "mod_setenv", "mod_cgi" )
auth.backend = "plain"
auth.backend.plain.userfile = "{users}"
$REQUEST_HEADER["Authorization"] =~ "(?i)^basic {reader_header}$" {{
    auth.backend.plain.userfile = "{readers}"
    $HTTP["querystring"] =~ "service=git-receive-pack" {{ url.access-deny = ( "" ) }}
    $HTTP["url"] =~ "/git-receive-pack$" {{ url.access-deny = ( "" ) }}
}}
auth.require = ( "/" => ( "method" => "basic", "realm" => "git",
                          "require" => "valid-user" ) )
alias.url = ( "/git" => "{backend}" )
$HTTP["url"] =~ "^/git/" {{
    cgi.assign = ( "" => "" )
    setenv.add-environment = (
        "GIT_PROJECT_ROOT" => "{folder}",
        "GIT_HTTP_EXPORT_ALL" => "1",
        "GIT_CONFIG_GLOBAL" => "{os.devnull}",
        "GIT_CONFIG_NOSYSTEM" => "1",
        "PATH" => "{os.environ["PATH"]}",
    )
}}
"""
        )
        return [program, "-D", "-f", str(configuration)]

    with _listening(start, state) as port:
        yield f"http://127.0.0.1:{port}/git"


@contextlib.contextmanager
def sshd(state: Path) -> Iterator[tuple[str, str]]:
    """Let whoever runs this in over ssh with a new key; yields the URL of the root of
    all folders, and the `GIT_SSH_COMMAND` that has the key and knows the host."""
    program = _program("sshd")
    _program("ssh")
    state.mkdir(parents=True)
    for name in ("host", "user"):
        key = str(state / name)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key],
            check=True,
            stdin=subprocess.DEVNULL,
        )
    shutil.copy(state / "user.pub", state / "authorized_keys")
    if os.geteuid() == 0:
        # Only root's sshd needs it, and the service makes it when it starts.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)

    def start(port: int) -> list[str]:
        host = (state / "host.pub").read_text().rsplit(" ", 1)[0]
        (state / "known_hosts").write_text(f"[127.0.0.1]:{port} {host}\n")
        options = (
            f"Port={port}",
            "ListenAddress=127.0.0.1",
            f"HostKey={state}/host",
            f"AuthorizedKeysFile={state}/authorized_keys",
            "PidFile=none",
            "StrictModes=no",
            "UsePAM=no",
            "PermitRootLogin=yes",
            "PasswordAuthentication=no",
            "KbdInteractiveAuthentication=no",
            "MaxStartups=100",
            # The shell reads what is at home: it must not be the user's.
            f'SetEnv="HOME={state}" "PATH={os.environ["PATH"]}"'
            f" GIT_CONFIG_GLOBAL={os.devnull} GIT_CONFIG_NOSYSTEM=1",
        )
        given = [word for option in options for word in ("-o", option)]
        return [program, "-D", "-e", "-f", os.devnull, *given]

    client = (
        "-F",
        os.devnull,
        "-i",
        str(state / "user"),
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "IdentityAgent=none",
        "-o",
        f"UserKnownHostsFile={state}/known_hosts",
        "-o",
        "GlobalKnownHostsFile=none",
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
        "BatchMode=yes",
    )
    with _listening(start, state) as port:
        command = shlex.join(["ssh", *client])
        address = f"{getpass.getuser()}@127.0.0.1"
        said = subprocess.run(
            ["ssh", *client, "-p", str(port), address, "git --version"],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if said.returncode != 0:
            pytest.skip(f"this user cannot log in over ssh: {said.stderr.strip()}")
        yield f"ssh://{address}:{port}", command


def _program(name: str) -> str:
    """Where a program is; servers are often not on the PATH of a user."""
    places = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
    found = shutil.which(name, path=places)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextlib.contextmanager
def _listening(start: Callable[[int], list[str]], state: Path) -> Iterator[int]:
    """Run the server whose command line `start` makes for a port; yields the port."""
    for _ in range(5):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with (state / "output").open("w") as output:
            server = subprocess.Popen(
                start(port),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Hooks and agents of whoever runs this are not the server's.
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            )
        try:
            if _answers(server, port):
                yield port
                return
        finally:
            _end(server)
    raise AssertionError(f"No server: {(state / 'output').read_text()}")


def _answers(server: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until it does; False if it ended, since somebody else took the port."""
    deadline = time.monotonic() + START_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return server.poll() is None
    return False


def _end(server: subprocess.Popen[bytes]) -> None:
    """End a server, and what it started for connections that still were open."""
    workers = _descendants(server.pid)
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    deadline = time.monotonic() + 5
    while any(map(_runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for worker in filter(_runs, workers):
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    """All processes below one, where /proc tells them."""
    try:
        words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    found = [int(word) for word in words]
    return found + [below for one in found for below in _descendants(one)]


def _runs(pid: int) -> bool:
    """Whether a process is there and is not only waiting to be collected."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        )
    except OSError:
        return False

"""Git over HTTP on loopback: git's own `http-backend` behind a small web server."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

USER, READER, WRITER = "x-access-token", "token-that-reads", "token-that-writes"


def basic(token: str) -> str:
    """The header that a CI checkout leaves in `http.<url>.extraheader`."""
    word = base64.b64encode(f"{USER}:{token}".encode()).decode()
    return f"AUTHORIZATION: basic {word}"


@dataclass
class Served:
    """A folder of bare repositories that is being served."""

    url: str
    requests: list[str] = field(default_factory=list)
    """Method and path of every request that was let through."""


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[Served]:
    """Serve the repositories of a folder: the writer's token may do everything, the
    reader's may fetch, and without a token nobody may do anything."""
    backend = Path(
        subprocess.run(
            ["git", "--exec-path"], capture_output=True, text=True, check=True
        ).stdout.strip(),
        "git-http-backend",
    )
    if not backend.exists():
        pytest.skip("git has no http-backend here")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            place = urlsplit(self.path)
            body = self._body()
            token = self._token()
            writes = "git-receive-pack" in self.path
            if token is None:
                self._refuse(401, {"WWW-Authenticate": 'Basic realm="git"'})
                return
            if token not in (READER, WRITER) or (writes and token != WRITER):
                self._refuse(403, {})
                return
            served.requests.append(f"{self.command} {place.path}")
            done = subprocess.run(
                [str(backend)],
                input=body,
                env={
                    **os.environ,
                    "GIT_PROJECT_ROOT": str(folder),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "REMOTE_USER": USER,
                    "PATH_INFO": place.path,
                    "QUERY_STRING": place.query,
                    "REQUEST_METHOD": self.command,
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                },
                capture_output=True,
                check=False,
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            fields = dict(
                line.split(": ", 1) for line in head.decode().split("\r\n") if line
            )
            self.send_response(int(fields.pop("Status", "200").split()[0]))
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _token(self) -> str | None:
            kind, _, word = self.headers.get("Authorization", "").partition(" ")
            if kind.lower() != "basic":
                return None
            return base64.b64decode(word).decode().partition(":")[2]

        def _refuse(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Served(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

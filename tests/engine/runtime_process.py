"""The runtime's two programs as child processes, outside of a container."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "twinforge/runtime/bin"
DEADLINE_S = 60.0
PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, headers with names in lower case, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Server:
    """A running ``serve``; its log is read when it has ended."""

    child: subprocess.Popen[str]
    port: int
    log: Path

    def ask(
        self, method: str, path: str, body: bytes | Iterator[bytes] | None = None, **headers: str
    ) -> Reply:
        """Send one request on a connection of its own; ``content_type`` is ``Content-Type``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            heads = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, heads, answer.read())
        finally:
            connection.close()

    def invoke(self, body: bytes, content_type: str = "text/csv", **headers: str) -> Reply:
        """Send one request to ``/invocations``."""
        return self.ask("POST", "/invocations", body, content_type=content_type, **headers)

    def is_listening(self) -> bool:
        """Whether the port is open."""
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except ConnectionRefusedError:
            return False
        return True

    def wait_for_ping(self) -> None:
        """Wait until ``/ping`` says 200; that the server ends first is a failure."""
        wait_until(self._pings, "no /ping said 200")

    def stop(self) -> int:
        """Ask it to end, and return its status."""
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(DEADLINE_S)

    def _pings(self) -> bool:
        assert self.child.poll() is None, self.log.read_text()
        try:
            return self.ask("GET", "/ping").status == 200
        except OSError:
            return False


@contextlib.contextmanager
def serving(
    folder: Path,
    predictor: str,
    *,
    ready: bool = True,
    program: Sequence[str] = (str(PROGRAMS / "serve"),),
    **env: str,
) -> Iterator[Server]:
    """Run ``serve`` with a predictor of this source; ``model`` in the folder is its model."""
    (folder / "program").mkdir(exist_ok=True)
    (folder / "model").mkdir(exist_ok=True)
    (folder / "program/predictor.py").write_text(predictor, "utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "serve.log"
    own = {
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "TWINFORGE_HOST": "127.0.0.1",
        "TWINFORGE_PREDICTOR": str(folder / "program/predictor.py"),
        "TWINFORGE_MODEL_DIR": str(folder / "model"),
        "TWINFORGE_WORKERS": "2",
    }
    with log.open("w") as stream:
        child = subprocess.Popen(
            [sys.executable, *program],
            env={**os.environ, "PYTHONPATH": str(ROOT), **own, **env},
            stdout=stream,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    server = Server(child, port, log)
    try:
        if ready:
            server.wait_for_ping()
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait(DEADLINE_S)


def wait_until(claim: Callable[[], bool], what: str) -> None:
    """Wait for what must come about; that it takes too long is a failure."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not claim():
        assert time.monotonic() < deadline_s, what
        time.sleep(PAUSE_S)

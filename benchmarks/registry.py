"""A real registry on loopback: Debian's ``docker-registry``, empty at first."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.registry_server import install_missing
from twinforge import process
from twinforge.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LocalRegistry", "running_registry"]

_START_S = 20.0
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class LocalRegistry:
    """A running registry; ``host`` is ``127.0.0.1:port``, which engines take without TLS."""

    host: str
    storage: Path

    def stored_bytes(self) -> int:
        """Return the size of all blobs; a blob that several images share is there once."""
        return sum(path.stat().st_size for path in self.storage.rglob("blobs/sha256/*/*/data"))


@contextmanager
def running_registry(folder: Path) -> Iterator[LocalRegistry]:
    """Run a registry with its data in a new folder, and end it and remove the folder afterwards.

    Each has a port of its own, so that an engine does not take it for one that it knows.

    Raises:
        RuntimeError: ``docker-registry`` is not installed and can't be.
        RegistryError: It does not start.
    """
    install_missing()
    folder.mkdir(parents=True)
    host = f"{_LOOPBACK}:{_free_port()}"
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\n"
        "log: {level: warn, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'storage'}}}}}\n"
        f"http: {{addr: '{host}'}}\n",
        "utf-8",
    )
    ended = threading.Event()
    lines: list[str] = []
    server = threading.Thread(
        target=process.stream,
        args=(["docker-registry", "serve", str(config)],),
        kwargs={
            "on_line": lines.append,
            "cancelled": ended,
            "check": False,
            "env": {"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"},
        },
    )
    server.start()
    try:
        _wait(host, server, lines)
        yield LocalRegistry(host, folder / "storage")
    finally:
        ended.set()
        server.join()
        shutil.rmtree(folder)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(host: str, server: threading.Thread, lines: list[str]) -> None:
    deadline_s = time.monotonic() + _START_S
    while server.is_alive() and time.monotonic() < deadline_s:
        connection = http.client.HTTPConnection(host, timeout=1)
        try:
            connection.request("GET", "/v2/")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()
    message = f"docker-registry does not answer at {host}: {' '.join(lines[-5:])}"
    raise RegistryError(message)

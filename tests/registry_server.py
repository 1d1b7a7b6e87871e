"""A real registry for tests: Debian's ``docker-registry`` with htpasswd on a free loopback port."""

from __future__ import annotations

import http.client
import os
import secrets
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_S = 20.0
PACKAGES = {"docker-registry": "docker-registry", "htpasswd": "apache2-utils"}


@dataclass(frozen=True, slots=True)
class RegistryServer:
    """A running registry; ``host`` is ``127.0.0.1:port``, ``storage`` holds what was pushed."""

    host: str
    username: str
    password: str = field(repr=False)
    storage: Path
    log: Path


@contextmanager
def running_registry(
    folder: Path, *, username: str = "twin", password: str = "", behind_proxy: bool = False
) -> Iterator[RegistryServer]:
    """Run a registry with its data in ``folder``, and end it afterwards.

    It lets in one user, whose password is made up unless it is given; ``behind_proxy`` it lets in
    everybody and keeps no log of requests, since whoever stands in front of it does both. That there is no registry is a
    failure of the test that asked for one, never a skip.
    """
    install_missing()
    folder.mkdir(parents=True, exist_ok=True)
    storage = folder / "storage"
    password = password or secrets.token_urlsafe(16)
    entry = subprocess.run(
        ["htpasswd", "-niBC4", username], input=password, text=True, capture_output=True, check=True
    ).stdout
    (folder / "htpasswd").write_text(entry)
    port = _free_port()
    (folder / "config.yml").write_text(
        _config(storage, folder / "htpasswd", port, behind_proxy=behind_proxy)
    )
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"},
        )
    try:
        _wait(server, port, log)
        yield RegistryServer(f"127.0.0.1:{port}", username, password, storage, log)
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _config(storage: Path, htpasswd: Path, port: int, *, behind_proxy: bool) -> str:
    auth = f"auth:\n  htpasswd: {{realm: twinforge-tests, path: {htpasswd}}}\n"
    log = "{level: error, accesslog: {disabled: true}}"
    if not behind_proxy:
        log = "{level: info, accesslog: {disabled: false}}"
    return f"""version: 0.1
log: {log}
storage:
  filesystem: {{rootdirectory: {storage}}}
  delete: {{enabled: true}}
http:
  addr: 127.0.0.1:{port}
{"" if behind_proxy else auth}"""


def install_missing() -> None:
    """Install the registry and htpasswd where they are missing; that needs root."""
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if not missing:
        return
    if os.geteuid() != 0:
        message = f"these packages are missing, and only root can install them: {missing}"
        raise RuntimeError(message)
    install = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    # The package brings a service of its own on port 5000; in runlevel 1 none is started.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    done = subprocess.run(install, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        subprocess.run(["apt-get", "update"], env=environment, capture_output=True, check=True)
        done = subprocess.run(install, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"apt-get could not install {missing}:\n{done.stdout}\n{done.stderr}"
        raise RuntimeError(message)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/v2/")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()
    message = f"docker-registry did not answer on port {port}:\n{log.read_text(errors='replace')}"
    raise RuntimeError(message)

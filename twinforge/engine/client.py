"""Docker command lines, and the engine that they would speak to.

A machine can have more than one ``docker``, and the one that comes first on PATH need not be the
one whose plugin folders hold buildx.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge import process
from twinforge.errors import MissingToolError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "DEFAULT_HOST",
    "Answer",
    "Client",
    "Endpoint",
    "ask_engine",
    "child_environ",
    "find_client",
    "is_forbidden",
    "parse_buildx_version",
    "parse_context",
    "read_endpoint",
]

DEFAULT_HOST = "unix:///var/run/docker.sock"
ANSWER_TIMEOUT_S = 15.0
FURTHER_FOLDERS = ("/usr/local/bin", "/usr/bin")
TLS_VARIABLES = ("DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")


@dataclass(frozen=True, slots=True)
class Client:
    """A docker command line. ``buildx`` is its plugin's version, empty where it has none."""

    path: str
    buildx: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an engine is expected.

    Attributes:
        host: A value for DOCKER_HOST.
        chosen_by: What names it, as words for a message; empty when nothing but Docker's default
            does, so that an engine of our own may take its place.
        tls: Variables that the host needs beside DOCKER_HOST.
        is_context: Whether it comes from a stored docker context, whose TLS settings replace
            those of the environment.
    """

    host: str
    chosen_by: str = ""
    tls: Mapping[str, str] = field(default_factory=dict)
    is_context: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine said: its version, or why there is none."""

    version: str
    refusal: str


def find_client(environ: Mapping[str, str]) -> Client | None:
    """Return the first docker CLI with a working buildx, else the first without, else None."""
    first: Client | None = None
    for path in _programs("docker", environ):
        done = process.run(
            [path, "buildx", "version"], env=environ, timeout_s=ANSWER_TIMEOUT_S, check=False
        )
        client = Client(path, "" if done.status else parse_buildx_version(done.stdout))
        if client.buildx:
            return client
        first = first or client
    return first


def parse_buildx_version(text: str) -> str:
    """Return the version in what ``docker buildx version`` prints, or an empty string.

    >>> parse_buildx_version("github.com/docker/buildx v0.13.1 788433953af1")
    '0.13.1'
    """
    words = text.split()
    if len(words) > 1 and words[0].endswith("/buildx"):
        return words[1].removeprefix("v")
    return ""


def read_endpoint(client: Client | None, environ: Mapping[str, str]) -> Endpoint:
    """Return the endpoint that ``docker`` would use: DOCKER_HOST, else the current context.

    Source: https://docs.docker.com/engine/manage-resources/contexts/ (DOCKER_HOST wins over
    DOCKER_CONTEXT, which wins over the configured context).

    Raises:
        MissingToolError: The current context does not exist.
    """
    if host := environ.get("DOCKER_HOST", ""):
        return Endpoint(host, "DOCKER_HOST")
    if client is None:
        return Endpoint(DEFAULT_HOST)
    done = process.run(
        [client.path, "context", "inspect"], env=environ, timeout_s=ANSWER_TIMEOUT_S, check=False
    )
    if done.status:
        message = f"the current docker context can't be read: {_last_line(done.stderr)}"
        hint = "choose another with 'docker context use', or set DOCKER_HOST"
        raise MissingToolError(message, hint=hint)
    return parse_context(done.stdout)


def parse_context(text: str) -> Endpoint:
    """Return the endpoint in what ``docker context inspect`` prints for one context."""
    documents = json.loads(text)
    context = documents[0] if isinstance(documents, list) else documents
    name = context["Name"]
    docker = context["Endpoints"]["docker"]
    host = docker.get("Host") or DEFAULT_HOST
    if name == "default":
        return Endpoint(host)
    tls: dict[str, str] = {}
    if context.get("TLSMaterial", {}).get("docker"):
        tls["DOCKER_CERT_PATH"] = str(Path(context["Storage"]["TLSPath"]) / "docker")
        tls["DOCKER_TLS" if docker.get("SkipTLSVerify") else "DOCKER_TLS_VERIFY"] = "1"
    return Endpoint(host, f"the docker context '{name}'", tls, is_context=True)


def child_environ(environ: Mapping[str, str], endpoint: Endpoint) -> dict[str, str]:
    """Return the whole environment for children that are to speak to this endpoint."""
    dropped = {"DOCKER_CONTEXT", *(TLS_VARIABLES if endpoint.is_context else ())}
    kept = {name: value for name, value in environ.items() if name not in dropped}
    return {**kept, **endpoint.tls, "DOCKER_HOST": endpoint.host}


def ask_engine(client: Client, environ: Mapping[str, str]) -> Answer:
    """Ask the engine that ``environ`` names for its version; an engine that is away is no error."""
    done = process.run(
        [client.path, "version", "--format", "{{.Server.Version}}"],
        env=environ,
        timeout_s=ANSWER_TIMEOUT_S,
        check=False,
    )
    version = done.stdout.strip()
    if done.status == 0 and version:
        return Answer(version, "")
    silence = f"no answer within {ANSWER_TIMEOUT_S:.0f} s"
    return Answer("", silence if done.status < 0 else _last_line(done.stderr))


def is_forbidden(host: str) -> bool:
    """Whether a Unix socket is there that our user may not use."""
    path = host.removeprefix("unix://")
    return path != host and Path(path).exists() and not os.access(path, os.R_OK | os.W_OK)


def _programs(name: str, environ: Mapping[str, str]) -> Iterator[str]:
    seen: set[str] = set()
    for folder in (*environ.get("PATH", "").split(os.pathsep), *FURTHER_FOLDERS):
        path = shutil.which(name, path=folder) if folder else None
        if path is not None and (real := str(Path(path).resolve())) not in seen:
            seen.add(real)
            yield path


def _last_line(text: str) -> str:
    return text.strip().rsplit("\n", 1)[-1]

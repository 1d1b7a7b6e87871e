"""Containers of an image, started as SageMaker starts them; the one module with testcontainers.

The engine's file system need not be ours: files travel through its API, and what outlives a
container lies in a named volume. Everything that is made carries a label and is removed again.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from docker.errors import NotFound
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

from twinforge.errors import MissingToolError, SmokeError
from twinforge.smoke.running import LOOPBACK, STOPPED, Running, asking

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from docker.models.containers import Container

    from twinforge.engine.engine import Engine

__all__ = ["LABEL", "Containers", "ImageFacts", "Mount", "open_containers"]

LABEL = "io.twinforge.smoke"
API_TIMEOUT_S = 120
EXECUTABLE = 0o111
_IS_DIRECTORY = 1 << 31  # of Go's file modes, in which the engine speaks
_LINKS = 8


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image says of itself; ``path`` is its PATH, split."""

    id: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mount:
    """A named volume and the folder at which a container sees it."""

    volume: str
    place: str
    read_only: bool = False


class Containers:
    """Makes containers of one engine; ``open_containers`` opens it."""

    def __init__(
        self, engine: Engine, client: DockerClient, label: str, cancelled: threading.Event
    ) -> None:
        self._engine = engine
        self._client = client
        self._labels = {LABEL: label}
        self._cancelled = cancelled

    def inspect(self, image: str) -> ImageFacts:
        """Return what an image says of itself.

        Raises:
            SmokeError: The engine does not have it.
        """
        with asking():
            try:
                attributes = self._client.client.images.get(image).attrs
            except NotFound as error:
                message = f"the engine has no image '{image}'"
                raise SmokeError(message, hint="build it first") from error
        config = attributes.get("Config") or {}
        variables = dict(line.split("=", 1) for line in config.get("Env") or [] if "=" in line)
        return ImageFacts(
            id=attributes["Id"],
            entrypoint=tuple(config.get("Entrypoint") or ()),
            command=tuple(config.get("Cmd") or ()),
            path=tuple(part for part in variables.get("PATH", "").split(":") if part),
        )

    @contextmanager
    def volume(self) -> Iterator[str]:
        """Make an empty volume, give its name and remove it at the end."""
        with asking():
            volume = self._client.client.volumes.create(labels=self._labels)
        try:
            yield volume.name
        finally:
            with asking(), suppress(NotFound):
                volume.remove(force=True)

    def find_programs(self, facts: ImageFacts, names: Sequence[str]) -> Mapping[str, str]:
        """Return where on the image's PATH each program is; those that are nowhere are absent.

        Nothing is run: an image need not have a shell, or ``which``.
        """
        with asking():
            container = self._client.client.containers.create(
                facts.id, ["train"], labels=self._labels, network="none"
            )
            try:
                found = {
                    name: place
                    for name in names
                    for place in reversed([f"{folder}/{name}" for folder in facts.path])
                    if _is_executable(container, place)
                }
            finally:
                container.remove(force=True, v=True)
        return found

    @contextmanager
    def start(  # noqa: PLR0913 - the options of a container, all by keyword
        self,
        image_id: str,
        command: Sequence[str],
        *,
        entrypoint: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        hostname: str = "",
        opt_ml: Path | None = None,
        mounts: Sequence[Mount] = (),
        port: int = 0,
    ) -> Iterator[Running]:
        """Start a container and remove it at the end.

        Args:
            image_id: Of which image.
            command: What SageMaker passes: ``train`` or ``serve``.
            entrypoint: Replaces the image's, where given.
            env: Further variables.
            hostname: Its name to itself; the engine's choice where empty.
            opt_ml: A folder whose content is at ``/opt/ml`` when it starts.
            mounts: Volumes.
            port: Of the container, to be published on loopback; without one it has no network.

        Raises:
            SmokeError: The engine can't start it, such as when the program is not there, or a stop
                was asked for.
        """
        options: dict[str, Any] = {
            "network": "bridge" if port else "none",
            "labels": self._labels,
        }
        if entrypoint:
            options["entrypoint"] = list(entrypoint)
        if hostname:
            options["hostname"] = hostname
        if self._cancelled.is_set():
            raise SmokeError(STOPPED)
        container = DockerContainer(
            image_id,
            docker_client_kw=_client_options(self._engine),
            command=cast(
                "Any", list(command)
            ),  # its annotation forgets lists, docker-py takes them
            env=dict(env or {}),
        ).with_kwargs(**options)
        container.image = image_id  # without the prefix that a user's configuration may add
        if port:
            # Its annotation knows only port numbers; docker-py takes the address too.
            ports = cast("dict[str, Any]", container.ports)
            ports[f"{port}/tcp"] = (LOOPBACK, None)
        for mount in mounts:
            container.with_volume_mapping(
                mount.volume, mount.place, "ro" if mount.read_only else "rw"
            )
        if opt_ml is not None:
            container.with_copy_into_container(opt_ml, "/opt")
        started = time.monotonic()
        try:
            with asking():
                container.start()
                published = self._published(container, port) if port else 0
            yield Running(
                container.get_wrapped_container(),
                started=started,
                port=published,
                cancelled=self._cancelled,
            )
        finally:
            with asking(), suppress(NotFound):
                container.stop()

    def _published(self, container: DockerContainer, port: int) -> int:
        try:
            return int(self._client.port(container.get_container_id(), port))
        except ConnectionError:  # it ended already, and its port went with it
            return 0


@contextmanager
def open_containers(
    engine: Engine, *, label: str, cancelled: threading.Event
) -> Iterator[Containers]:
    """Connect to an engine; several threads may each have a connection of their own.

    Args:
        engine: Where the containers run.
        label: The value of the label that they and their volumes carry.
        cancelled: Set by another thread, ends every wait.

    Raises:
        MissingToolError: The engine does not answer, or publishes ports where we can't reach them.
    """
    _require_local(engine)
    # Its reaper is an image that can't be had everywhere; what we make we remove ourselves.
    testcontainers_config.ryuk_disabled = True
    testcontainers_config.tc_host_override = LOOPBACK
    with asking():
        client = DockerClient(**_client_options(engine))
    try:
        yield Containers(engine, client, label, cancelled)
    finally:
        client.client.close()


def _client_options(engine: Engine) -> dict[str, Any]:
    return {"environment": dict(engine.env), "timeout": API_TIMEOUT_S}


def _require_local(engine: Engine) -> None:
    parts = urlsplit(engine.host)
    local = {"localhost", "127.0.0.1", "::1"}
    if parts.scheme in ("unix", "npipe", "") or parts.hostname in local:
        return
    message = f"the engine at '{engine.host}' publishes ports on its own machine's loopback only"
    raise MissingToolError(message, hint="smoke on that machine, or forward its socket to here")


def _is_executable(container: Container, place: str) -> bool:
    """Whether a file is there and may be run; links are followed."""
    for _ in range(_LINKS):
        try:
            chunks, stat = container.get_archive(place)
        except NotFound:
            return False
        for _chunk in chunks:  # read to its end, so that the connection is free again
            pass
        if stat is None:
            message = f"the engine says nothing about the file '{place}'"
            raise SmokeError(message)
        if not stat["linkTarget"]:
            return bool(stat["mode"] & EXECUTABLE) and not stat["mode"] & _IS_DIRECTORY
        place = stat["linkTarget"]
    return False

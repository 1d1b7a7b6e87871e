"""Containers of an image, started as SageMaker starts them; the one module with testcontainers.

The engine's file system need not be ours: files travel through its API, and what outlives a
container lies in a named volume. Everything that is made carries a label and is removed again.
"""

from __future__ import annotations

import tarfile
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit
from uuid import uuid4

from docker.errors import NotFound
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

from twinforge.engine import door
from twinforge.errors import MissingToolError, SmokeError, TwinforgeError
from twinforge.smoke.cancelling import ended_when
from twinforge.smoke.confinement import BRIDGE, NO_NETWORK, Confinement
from twinforge.smoke.gpus import requests_for
from twinforge.smoke.leftovers import OWNER, own_label, remove_leftovers
from twinforge.smoke.mounts import Bind, Mount, mode_of, source_of
from twinforge.smoke.running import LOOPBACK, STOPPED, Running, asking, read_entries
from twinforge.smoke.stream import as_stream

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from docker.models.containers import Container
    from docker.types import DeviceRequest

    from twinforge.engine.engine import Engine
    from twinforge.smoke.modelfiles import Entry

__all__ = ["LABEL", "Bind", "Containers", "ImageFacts", "Mount", "open_containers"]

LABEL = "io.twinforge.smoke"
API_TIMEOUT_S = 120
EXPORT_BYTES = 1 << 20
EXECUTABLE = 0o111
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What containers get whose image names none.

Source: https://github.com/moby/moby/blob/master/oci/defaults.go (DefaultPathEnv)
"""
_IS_DIRECTORY = 1 << 31  # of Go's file modes, in which the engine speaks
_LINKS = 8


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image says of itself; ``path`` is its PATH, ``library_path`` its LD_LIBRARY_PATH.

    ``stop_signal`` is what its STOPSIGNAL says, empty where it has none.
    """

    id: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    path: tuple[str, ...]
    user: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    library_path: tuple[str, ...] = ()
    stop_signal: str = ""


class Containers:
    """Makes containers of one engine; ``open_containers`` opens it."""

    def __init__(
        self,
        engine: Engine,
        client: DockerClient,
        label: str,
        cancelled: threading.Event,
        gpus: Sequence[DeviceRequest] = (),
    ) -> None:
        self._engine = engine
        self._client = client
        self._labels = {LABEL: label, OWNER: own_label()}
        self._cancelled = cancelled
        self._gpus = list(gpus)

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
            path=tuple(part for part in variables.get("PATH", _PATH).split(":") if part),
            user=config.get("User") or "",
            labels=config.get("Labels") or {},
            library_path=tuple(variables.get("LD_LIBRARY_PATH", "").split(":")),
            stop_signal=config.get("StopSignal") or "",
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

    @contextmanager
    def network(self) -> Iterator[str]:
        """Make a network without a way out, give its name and remove it at the end.

        Who is on it reaches nothing, neither names nor addresses outside; its containers' ports are
        reached from the engine's machine at their own addresses.
        """
        with asking():
            network = self._client.client.networks.create(
                f"twinforge-smoke-{uuid4().hex[:12]}",
                driver="bridge",
                internal=True,
                labels=self._labels,
            )
        try:
            yield str(network.name)
        finally:
            with asking(), suppress(NotFound):
                network.remove()

    def fill(self, image_id: str, volume: str, place: str, folder: Path) -> None:
        """Copy a folder's content into a volume, by way of a container that is never started.

        Args:
            image_id: Of any image.
            volume: The volume.
            place: Where the volume's users see it; its files belong to root.
            folder: Whose content is copied.
        """
        with tempfile.TemporaryFile() as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                archive.add(folder, arcname=".", filter=_of_root)
            file.seek(0)
            with self.created(image_id, mounts=[Mount(volume, place)]) as container, asking():
                container.put_archive(place, file)

    @contextmanager
    def created(self, image_id: str, *, mounts: Sequence[Mount | Bind] = ()) -> Iterator[Container]:
        """Make a container that is not started, and remove it at the end."""
        volumes = {source_of(one): {"bind": one.place, "mode": mode_of(one)} for one in mounts}
        with asking():
            container = self._client.client.containers.create(
                image_id, ["train"], labels=self._labels, network=NO_NETWORK, volumes=volumes
            )
        try:
            yield container
        finally:
            with asking(), suppress(NotFound):
                container.remove(force=True, v=True)

    @contextmanager
    def files(self, image_id: str) -> Iterator[IO[bytes]]:
        """Give all files of an image as a tar stream, which is read once, from front to back.

        Nothing is run, and nothing is kept: an image may be bigger than the memory.
        """
        with self.created(image_id) as container, asking():
            # Its annotation says that it gives text; what comes is bytes.
            chunks = cast("Iterator[bytes]", container.export(chunk_size=EXPORT_BYTES))
            yield as_stream(self._until_cancelled(chunks))

    def _until_cancelled(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if self._cancelled.is_set():
                raise SmokeError(STOPPED)
            yield chunk

    def find_programs(self, facts: ImageFacts, names: Sequence[str]) -> Mapping[str, str]:
        """Return where on the image's PATH each program is; those that are nowhere are absent.

        Nothing is run: an image need not have a shell, or ``which``.
        """
        with self.created(facts.id) as container, asking():
            return {
                name: place
                for name in names
                for place in reversed([f"{folder}/{name}" for folder in facts.path])
                if _is_executable(container, place)
            }

    def entries(self, image_id: str, folder: str) -> tuple[Entry, ...]:
        """Return what an image has below a folder, sorted; nothing where there is no such folder."""
        with self.created(image_id) as container:
            return read_entries(container, folder)

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
        mounts: Sequence[Mount | Bind] = (),
        port: int = 0,
        published: int = 0,
        confinement: Confinement | None = None,
    ) -> Iterator[Running]:
        """Start a container and remove it at the end.

        Args:
            image_id: Of which image.
            command: What SageMaker passes: ``train`` or ``serve``.
            entrypoint: Replaces the image's, where given.
            env: Further variables.
            hostname: Its name to itself; the engine's choice where empty.
            opt_ml: A folder whose content is at ``/opt/ml`` when it starts.
            mounts: Volumes and folders.
            port: Of the container, that it is reached at; without one it has no network.
            published: The port of loopback at which it is reached on ``bridge``; 0 for a free one.
            confinement: What it may reach, write and use; ``bridge`` where it has a port and
                nothing is said.

        Raises:
            SmokeError: The engine can't start it, such as when the program is not there, or a stop
                was asked for.
        """
        confined = confinement or Confinement(network=BRIDGE if port else NO_NETWORK)
        options: dict[str, Any] = {"labels": self._labels, **confined.options()}
        if self._gpus:
            options["device_requests"] = self._gpus
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
        if port and confined.network == BRIDGE:
            # Its annotation knows only port numbers; docker-py takes the address too.
            ports = cast("dict[str, Any]", container.ports)
            ports[f"{port}/tcp"] = (LOOPBACK, published or None)
        for mount in mounts:
            container.with_volume_mapping(source_of(mount), mount.place, mode_of(mount))
        for folder, settings in confined.folders_in_memory().items():
            container.with_tmpfs_mount(folder, settings)
        if opt_ml is not None:
            container.with_copy_into_container(opt_ml, "/opt")
        started = time.monotonic()
        with ExitStack() as stack:
            stack.callback(_stop, container)
            with asking():
                self._require(image_id)
                container.start()
                stack.enter_context(ended_when(self._cancelled, partial(_kill, container)))
                host, reached = self._reached_at(container, port, confined.network, stack)
            yield Running(
                container.get_wrapped_container(),
                started=started,
                port=reached,
                cancelled=self._cancelled,
                host=host,
            )

    def _require(self, image_id: str) -> None:
        """Refuse an image that went away: docker-py would ask a registry for it.

        Raises:
            SmokeError: The engine does not have it.
        """
        try:
            self._client.client.images.get(image_id)
        except NotFound as error:
            message = f"the engine has the image '{image_id}' no longer"
            raise SmokeError(message) from error

    def _reached_at(
        self, container: DockerContainer, port: int, network: str, stack: ExitStack
    ) -> tuple[str, int]:
        """Return the address and port at which a port is reached; port 0 where it is not.

        What has to be made for that goes again with the stack.
        """
        if not port or network == NO_NETWORK:
            return LOOPBACK, 0
        if network == BRIDGE:
            try:
                return LOOPBACK, int(self._client.port(container.get_container_id(), port))
            except ConnectionError:  # it ended already, and its port went with it
                return LOOPBACK, 0
        wrapped = container.get_wrapped_container()
        wrapped.reload()
        address = wrapped.attrs["NetworkSettings"]["Networks"][network]["IPAddress"]
        if not address:
            return LOOPBACK, 0
        client = self._client.client
        if door.is_reached(client.networks.get(network).attrs):
            return address, port
        opened = door.open_door(
            client,
            name=f"{network}-{uuid4().hex[:12]}",
            image=wrapped.attrs["Image"],
            network=network,
            behind=address,
            port=port,
            labels=self._labels,
        )
        stack.callback(_remove, opened)
        return LOOPBACK, door.port_of(opened, port)


@contextmanager
def open_containers(
    engine: Engine, *, label: str, cancelled: threading.Event, gpus: bool = False
) -> Iterator[Containers]:
    """Connect to an engine; several threads may each have a connection of their own.

    What a killed run left there, or one whose engine was gone, is removed.

    Args:
        engine: Where the containers run.
        label: The value of the label that they and their volumes carry.
        cancelled: Set by another thread, ends every wait.
        gpus: Whether containers get the machine's GPUs, where the engine offers some.

    Raises:
        MissingToolError: The engine does not answer, or publishes ports where we can't reach them.
    """
    _require_local(engine)
    # Its reaper is an image that can't be had everywhere; what we make we remove ourselves.
    testcontainers_config.ryuk_disabled = True
    testcontainers_config.tc_host_override = LOOPBACK
    with asking():
        client = DockerClient(**_client_options(engine))
        remove_leftovers(client.client)
        requests = requests_for(client.client.info()) if gpus else []
    try:
        yield Containers(engine, client, label, cancelled, requests)
    finally:
        client.client.close()


def _kill(container: DockerContainer) -> None:
    with suppress(TwinforgeError), asking():
        container.get_wrapped_container().kill()


def _stop(container: DockerContainer) -> None:
    with asking(), suppress(NotFound):
        container.stop()


def _remove(container: Container) -> None:
    with asking(), suppress(NotFound):
        container.remove(force=True, v=True)


def _client_options(engine: Engine) -> dict[str, Any]:
    return {"environment": dict(engine.env), "timeout": API_TIMEOUT_S}


def _require_local(engine: Engine) -> None:
    parts = urlsplit(engine.host)
    local = {"localhost", "127.0.0.1", "::1"}
    if parts.scheme in ("unix", "npipe", "") or parts.hostname in local:
        return
    message = f"the engine at '{engine.host}' publishes ports on its own machine's loopback only"
    raise MissingToolError(message, hint="smoke on that machine")


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


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member

"""A desk that is a Docker Engine, over its API; the one module of local jobs with docker-py.

The engine's file system need not be ours: files travel through its API into volumes and back, so
that what comes back belongs to whoever runs this.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import docker
import requests
from docker.errors import (
    APIError,
    DockerException,
    NotFound,
    create_api_error_from_http_exception,
)
from docker.types import DeviceRequest, Mount

from twinforge.engine import door
from twinforge.errors import MissingToolError, TwinforgeError, UsageError
from twinforge.sagemaker.local.attributes import (
    LOOPBACK,
    PORT,
    belongings,
    labels_of_box,
    look_at,
    url_of,
)
from twinforge.sagemaker.local.desk import KIND, LABEL, Look, Machine
from twinforge.sagemaker.local.interrupts import holding_interrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from docker.models.containers import Container

    from twinforge.engine.engine import Engine
    from twinforge.sagemaker.local import desk
    from twinforge.sagemaker.local.desk import Kind, Spec

__all__ = ["DockerDesk", "open_desk"]

TIMEOUT_S = 120
CHUNK_BYTES = 1 << 20
LONGEST_LINE = 1 << 16
"""What is longer is handed on in pieces, each as a line."""
_NANO = 10**9
_DOOR = ".door"
"""Ends the name of a container that lets requests in to another; no name of ours holds a full stop."""
_DOOR_LABEL = f"{LABEL}.door"


@contextmanager
def open_desk(engine: Engine) -> Iterator[DockerDesk]:
    """Connect to an engine.

    Raises:
        MissingToolError: It does not answer, or publishes ports where we can't reach them.
    """
    parts = urlsplit(engine.host)
    here = {"localhost", LOOPBACK, "::1"}
    if parts.scheme not in {"unix", "npipe", ""} and parts.hostname not in here:
        message = (
            f"the engine at '{engine.host}' publishes ports on its own machine's loopback only"
        )
        raise MissingToolError(message, hint="run it on that machine")
    with _asking():
        client = docker.DockerClient.from_env(environment=dict(engine.env), timeout=TIMEOUT_S)
    try:
        yield DockerDesk(client)
    finally:
        client.close()


class DockerDesk:
    """A :class:`twinforge.sagemaker.local.desk.Desk`; ``open_desk`` opens it."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client

    def machine(self) -> Machine:
        """Return what the engine has."""
        with _asking():
            told: Mapping[str, Any] = self._client.info()
        return Machine(
            cpus=int(told.get("NCPU", 0)),
            memory_bytes=int(told.get("MemTotal", 0)),
            has_gpus="nvidia" in (told.get("Runtimes") or {}),
        )

    def create(self, spec: Spec) -> str:
        """Make a container; return its id."""
        options: dict[str, Any] = {}
        if spec.cpus:
            options["nano_cpus"] = int(spec.cpus * _NANO)
        if spec.memory_bytes:
            # As a host has it: no swap beyond it, and half of it for shared memory.
            options |= {"mem_limit": spec.memory_bytes, "memswap_limit": spec.memory_bytes}
            options["shm_size"] = spec.memory_bytes // 2
        if spec.gpus:
            options["device_requests"] = [DeviceRequest(count=-1, capabilities=[["gpu"]])]
        if spec.hostname:
            options["hostname"] = spec.hostname
        if spec.port and spec.network == "bridge":
            _require_free(spec.host_port)
            options["ports"] = {f"{spec.port}/tcp": (LOOPBACK, spec.host_port or None)}
        if spec.port:
            options["labels"] = {**spec.labels, PORT: str(spec.port)}
        with (
            # the engine makes it all the same, and its id would be lost
            holding_interrupts() as was_interrupted,
            _asking(),
            _naming(spec),
            self._network(spec) as network,
        ):
            made = self._client.containers.create(
                spec.image,
                list(spec.command),
                **{
                    "name": spec.name,
                    "labels": dict(spec.labels),
                    "environment": dict(spec.env),
                    "mounts": [_mount(mount, spec.labels) for mount in spec.mounts],
                    **options,
                    **network,
                },
            )
        if was_interrupted():
            self.remove(str(made.id))
            raise KeyboardInterrupt
        return str(made.id)

    def start(self, box: str) -> str:
        """Start a container; return the engine's words if its program can't be run."""
        with _asking():
            try:
                container = self._container(box)
                container.start()
                self._let_in(container)
            except APIError as error:
                if error.status_code == HTTPStatus.BAD_REQUEST:
                    return str(error.explanation or error)
                raise
        return ""

    def look(self, box: str) -> Look | None:
        """Return a container as it is now."""
        with _asking():
            try:
                return self._look(self._container(box))
            except NotFound:
                return None

    def find(self, kind: Kind | None = None, name: str = "") -> tuple[Look, ...]:
        """Return our containers, oldest first."""
        wanted = [LABEL] if kind is None else [f"{KIND}={kind}"]
        if kind is not None and name:
            wanted = [f"{LABEL}={kind}/{name}"]
        with _asking():
            # One may go while the others are looked at.
            found = self._client.containers.list(
                all=True, filters={"label": wanted}, ignore_removed=True
            )
            looks = [self._look(one) for one in found]
        return tuple(sorted(looks, key=lambda one: one.created))

    def signal(self, box: str, name: str) -> None:
        """Send a signal."""
        with _asking():
            try:
                self._container(box).kill(signal=name)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != HTTPStatus.CONFLICT:  # it does not run any more
                    raise

    def rename(self, box: str, name: str) -> None:
        """Give a container another name."""
        with _asking():
            self._container(box).rename(name)

    def put(self, box: str, folder: str, chunks: Iterable[bytes]) -> None:
        """Unpack a tar archive into a folder of a container."""
        with _asking():
            self._container(box).put_archive(folder, chunks)

    @contextmanager
    def get(self, box: str, path: str) -> Iterator[Iterator[bytes] | None]:
        """Give a tar archive of a path of a container."""
        api = self._client.api
        url = f"{api.base_url}/v{api.api_version}/containers/{box}/archive"
        with _asking():
            response = api.get(url, params={"path": path}, stream=True, timeout=TIMEOUT_S)
            # docker-py keeps an answer open that is not read to its end, and until then the engine
            # does nothing else with the container, not even remove it.
            with response:
                try:
                    response.raise_for_status()
                except requests.exceptions.HTTPError as error:
                    if response.status_code != HTTPStatus.NOT_FOUND:
                        raise create_api_error_from_http_exception(error) from error
                    yield None
                    return
                yield response.iter_content(CHUNK_BYTES)

    def follow(self, box: str, on_line: Callable[[str], None]) -> None:
        """Hand on every line that a container prints."""
        rest = b""
        with suppress(DockerException, requests.exceptions.RequestException, OSError):
            for chunk in self._container(box).logs(stream=True, follow=True):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > LONGEST_LINE:  # such as a progress bar, which has no line end
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    on_line(_text(line))
        if rest:
            on_line(_text(rest))

    def last_lines(self, box: str, count: int) -> tuple[str, ...]:
        """Return the last lines that a container printed."""
        with _asking():
            try:
                printed: bytes = self._container(box).logs(tail=count)
            except NotFound:
                return ()
        return tuple(_text(line) for line in printed.splitlines()[-count:])

    def remove(self, box: str, *, keep_volumes: bool = False) -> None:
        """End and remove a container, and what was made for it."""
        if not box:
            return
        with _asking():
            try:
                container = self._container(box)
                self._remove_door(container)
                volumes, networks = belongings(container.attrs)
                container.remove(force=True, v=True)
            except NotFound:
                return
            for name in () if keep_volumes else volumes:
                self._remove_volume(name)
            for name in networks:
                with suppress(NotFound):
                    self._client.networks.get(name).remove()

    def sweep(self) -> None:
        """Remove volumes and networks that belong to no container any more."""
        ours = {"label": LABEL}
        with _asking():
            for opened in self._client.containers.list(all=True, filters={"label": _DOOR_LABEL}):
                with suppress(NotFound):
                    self._container(labels_of_box(opened)[_DOOR_LABEL])
                    continue
                opened.remove(force=True)
            for volume in self._client.volumes.list(filters={**ours, "dangling": True}):
                with suppress(NotFound):
                    volume.remove()
            self._client.networks.prune(filters=ours)

    def _let_in(self, container: Container) -> None:
        """Open a door to a container that is isolated where this machine does not reach it."""
        container.reload()
        port = labels_of_box(container).get(PORT, "")
        _, networks = belongings(container.attrs)
        if not port or not networks:
            return
        network = self._client.networks.get(networks[0])
        if not door.is_reached(network.attrs):
            door.open_door(
                self._client,
                name=f"{container.name}{_DOOR}",
                image=container.attrs["Image"],
                network=networks[0],
                behind=str(container.name),
                port=int(port),
                labels={_DOOR_LABEL: str(container.name)},
            )

    def _look(self, container: Container) -> Look:
        found = look_at(container)
        if found.url and belongings(container.attrs)[1]:
            with suppress(NotFound):
                opened = self._client.containers.get(f"{found.name}{_DOOR}")
                url = url_of(opened.attrs["NetworkSettings"], labels_of_box(container)[PORT])
                return replace(found, url=url)
        return found

    def _remove_door(self, container: Container) -> None:
        with suppress(NotFound):
            self._client.containers.get(f"{container.name}{_DOOR}").remove(force=True)

    def _remove_volume(self, name: str) -> None:
        try:
            self._client.volumes.get(name).remove(force=True)
        except NotFound:
            return
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:  # another container of ours goes with it
                raise

    def _container(self, box: str) -> Container:
        return self._client.containers.get(box)

    @contextmanager
    def _network(self, spec: Spec) -> Iterator[dict[str, str]]:
        """Make the network of what is isolated; it goes again when its container can't be made."""
        if spec.network != "isolated":
            yield {}
            return
        # Internal: no route leads out of it, and only this host leads in.
        made = self._client.networks.create(spec.name, internal=True, labels=dict(spec.labels))
        try:
            yield {"network": str(made.id)}
        except BaseException:
            made.remove()
            raise


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError:  # the engine may have a port that we may not
            return
        except OSError as error:
            message = f"port {port} of {LOOPBACK} is taken"
            hint = "give another --port, or none for one that is free"
            raise UsageError(message, hint=hint) from error


def _mount(mount: desk.Mount, labels: Mapping[str, str]) -> Mount:
    """What an image has at the place of a mount is not seen at SageMaker, and so not here."""
    return Mount(
        mount.place,
        mount.volume,
        read_only=mount.read_only,
        no_copy=True,
        labels=dict(labels),
    )


@contextmanager
def _naming(spec: Spec) -> Iterator[None]:
    try:
        yield
    except APIError as error:
        if error.status_code != HTTPStatus.CONFLICT:
            raise
        message = f"the engine has the {spec.labels[LABEL].replace('/', ' ')} already"
        hint = "give another --name, or end it: see `twinforge local list`"
        raise UsageError(message, hint=hint) from error


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r\n")


@contextmanager
def _asking() -> Iterator[None]:
    """Translate what goes wrong with the engine's API: its "no" is one thing, silence another."""
    try:
        yield
    except APIError as error:
        message = f"the engine says: {error.explanation or error}"
        raise TwinforgeError(message) from error
    except (DockerException, requests.exceptions.RequestException) as error:
        message = f"the engine does not answer: {error}"
        raise MissingToolError(message, hint="see 'twinforge engine status'") from error

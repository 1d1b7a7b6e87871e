"""Images and short-lived containers of an engine, over its API.

Beside it only the smoke room speaks to that API, through testcontainers.

Building is not here: the API has no BuildKit.
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import docker
import requests
from docker.errors import APIError, DockerException, ImageLoadError

from twinforge.errors import MissingToolError, TwinforgeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from twinforge.engine.engine import Engine

__all__ = ["Image", "Images"]

TIMEOUT_S = 300
CHUNK_BYTES = 1 << 20
PLATFORM = "linux/amd64"
_WRITES_NO_FILES = re.compile(
    r"(?:/bin/sh -c #\(nop\) *)?(?:ARG|CMD|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER"
    r"|ONBUILD|SHELL|STOPSIGNAL|USER|VOLUME) "
)
FOREIGN = "exec format error"
"""What a container of another CPU architecture ends with where nothing emulates it."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that the engine holds.

    Attributes:
        id: The digest of its configuration, ``sha256:...``.
        tags: Its references, as the engine writes them.
        labels: All of them, those of its base too.
        size_bytes: Of all its layers, unpacked.
        layers: Diff ids from the lowest layer up: digests of the unpacked layers.
        created: As the configuration has it (RFC 3339); empty where it has none.
        config: The raw ``Config`` (Cmd, Entrypoint, Env, ...).
        platform: What it is for, such as ``linux/amd64``.
    """

    id: str
    tags: tuple[str, ...]
    labels: Mapping[str, str]
    size_bytes: int
    layers: tuple[str, ...]
    created: str
    config: Mapping[str, Any] = field(repr=False)
    platform: str = PLATFORM


class Images:
    """The images of one engine; may be used by several threads at once.

    The connection is opened by the first call and closed by ``close`` or the end of a ``with``.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._client: docker.DockerClient | None = None
        self._opening = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        with self._opening:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def inspect(self, reference: str) -> Image | None:
        """Return the image of a reference or id, or None where the engine has none."""
        with self._asking(f"inspecting '{reference}'") as client:
            try:
                return _image(client.images.get(reference).attrs)
            except APIError as error:
                if error.status_code == HTTPStatus.NOT_FOUND:
                    return None
                raise

    def by_label(self, label: str) -> dict[str, str]:
        """Return the id of an image for each value of a label; one call for any number of images."""
        with self._asking(f"listing images with the label '{label}'") as client:
            found = client.api.images(filters={"label": label})
        return {image["Labels"][label]: image["Id"] for image in found}

    def references(self) -> dict[str, str]:
        """Return the image id of every reference in the engine; one call for any number."""
        with self._asking("listing images") as client:
            found = client.api.images()
        return {name: image["Id"] for image in found for name in image["RepoTags"] or ()}

    def layer_sizes(self, image_id: str) -> dict[str, int]:
        """Return the unpacked size in bytes of each of an image's layers, by diff id.

        The engine tells sizes per step of the history, and not which steps have a layer: those that
        have a size, and those that write files, be it none. Where that does not come to as many
        as the image has, all its bytes count as one layer.
        """
        with self._asking(f"reading the history of '{image_id}'") as client:
            image = _image(client.images.get(image_id).attrs)
            history: list[dict[str, Any]] = client.api.history(image_id)  # type: ignore[no-untyped-call] # docker-py has no types here
        sizes = [step["Size"] for step in reversed(history) if _has_layer(step)]
        if len(sizes) != len(image.layers):
            return {image_id: image.size_bytes}
        return dict(zip(image.layers, sizes, strict=True))

    def tag(self, image_id: str, reference: str) -> None:
        """Let ``reference`` (with a tag) name this image, whatever it named before."""
        repository, _, tag = reference.rpartition(":")
        with self._asking(f"tagging '{image_id}' as '{reference}'") as client:
            client.api.tag(image_id, repository, tag)

    def remove(self, reference: str) -> None:
        """Remove a reference, and the image with its last one; one that is not there is no error.

        Raises:
            TwinforgeError: A container uses the image.
        """
        with self._asking(f"removing '{reference}'") as client:
            try:
                client.api.remove_image(reference)
            except APIError as error:
                if error.status_code != HTTPStatus.NOT_FOUND:
                    raise

    def pull(self, reference: str, platform: str = PLATFORM) -> None:
        """Fetch an image from its registry, with the credentials that ``docker login`` stored.

        Raises:
            TwinforgeError: The registry does not answer, or does not have it.
        """
        with self._asking(f"pulling '{reference}'") as client:
            client.images.pull(reference, platform=platform)

    def load(self, archive: Path | Iterable[bytes]) -> None:
        """Load the images of an archive (``docker save``, or an OCI layout), packed or not."""
        if isinstance(archive, Path):
            with archive.open("rb") as file:
                self._load(file, str(archive))
        else:
            self._load(archive, "a stream")

    def save(self, references: Sequence[str]) -> Iterator[bytes]:
        """Yield one archive of these images, with these references, in chunks."""
        with self._asking(f"saving {', '.join(references)}") as client:
            api = client.api
            response = api.get(
                f"{api.base_url}/v{api.api_version}/images/get",
                params={"names": list(references)},
                stream=True,
                timeout=TIMEOUT_S,
            )
            with response:
                if not response.ok:
                    reason = response.json().get("message", response.reason)
                    message = f"saving {', '.join(references)}: {reason}"
                    raise TwinforgeError(message)
                yield from response.iter_content(CHUNK_BYTES)

    def run_command(  # noqa: PLR0913 - the options of a container, all by keyword
        self,
        image: str,
        argv: Sequence[str],
        *,
        network: str = "none",
        env: Mapping[str, str] | None = None,
        mounts: Mapping[Path, str] | None = None,
        timeout_s: int = 60,
        platform: str = "",
    ) -> tuple[int, str]:
        """Run a program in a new container and return its status and all that it printed.

        Args:
            image: Its entrypoint is replaced by the program.
            argv: The program and its arguments.
            network: As of ``docker run``; none unless asked for.
            env: Further variables.
            mounts: Folders or files of the engine's machine, read-only, by where they appear.
            timeout_s: After this many seconds the container is killed.
            platform: Of the image, where the engine may hold it for several.

        Raises:
            TwinforgeError: It could not be started, or took too long.
        """
        with self._asking(f"running '{argv[0]}' in '{image}'") as client:
            api = client.api
            binds = [f"{path}:{place}:ro" for path, place in (mounts or {}).items()]
            container = api.create_container(
                image,
                entrypoint=[argv[0]],
                command=list(argv[1:]),
                environment=dict(env or {}),
                host_config=api.create_host_config(binds=binds, network_mode=network),
                platform=platform or None,
            )["Id"]
            try:
                api.start(container)
                status = _wait(client, container, timeout_s)
                output: bytes = api.logs(container)
            finally:
                api.remove_container(container, force=True, v=True)
        if status is None:
            message = f"'{argv[0]}' in '{image}' did not end within {timeout_s} s"
            raise TwinforgeError(message)
        return status, output.decode(errors="replace")

    def _load(self, data: Any, name: str) -> None:
        with self._asking(f"loading {name}") as client:
            try:
                client.images.load(data)
            except ImageLoadError as error:
                message = f"the engine refuses the archive {name}: {error}"
                raise TwinforgeError(message) from error

    def _connected(self) -> docker.DockerClient:
        with self._opening:
            if self._client is None:
                self._client = docker.from_env(
                    environment=dict(self._engine.env),
                    timeout=TIMEOUT_S,
                    use_ssh_client=self._engine.host.startswith("ssh://"),
                )
            return self._client

    @contextmanager
    def _asking(self, what: str) -> Iterator[docker.DockerClient]:
        """Give the client, and translate what goes wrong with it."""
        try:
            yield self._connected()
        except APIError as error:
            reason = error.explanation or f"status {error.status_code}"
            in_use = error.status_code == HTTPStatus.CONFLICT
            hint = "remove the containers that use it" if in_use else ""
            message = f"{what}: {reason}"
            raise TwinforgeError(message, hint=hint) from error
        except (DockerException, requests.exceptions.RequestException) as error:
            message = f"{what}: the engine at '{self._engine.host}' does not answer"
            hint = "see 'twinforge engine status'"
            raise MissingToolError(message, hint=hint) from error


def _has_layer(step: Mapping[str, Any]) -> bool:
    return bool(step["Size"] or not _WRITES_NO_FILES.match(step["CreatedBy"]))


def _wait(client: docker.DockerClient, container: str, timeout_s: int) -> int | None:
    """Return the status of a container, or None when it does not end in time."""
    try:
        status: int = client.api.wait(container, timeout=timeout_s)["StatusCode"]
    except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError):
        # The headers of the answer come at once, so a late body reads as a lost connection;
        # an engine that is really away shows in the next call.
        return None
    return status


def _image(found: Mapping[str, Any]) -> Image:
    config = found.get("Config") or {}
    return Image(
        id=found["Id"],
        tags=tuple(sorted(found.get("RepoTags") or ())),
        labels=dict(config.get("Labels") or {}),
        size_bytes=found.get("Size", 0),
        layers=tuple((found.get("RootFS") or {}).get("Layers") or ()),
        created=found.get("Created") or "",
        config=config,
        platform=f"{found.get('Os') or 'linux'}/{found.get('Architecture') or 'amd64'}",
    )

"""An endpoint in the engine of this machine: its model, its start, its health and its end."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import httpx

from twinforge.errors import DeployError, SmokeError
from twinforge.events import State
from twinforge.sagemaker.local.desk import Mount, Spec, labels_of, name_of, new_volume
from twinforge.sagemaker.local.files import tar_chunks
from twinforge.sagemaker.local.job import ACCOUNT
from twinforge.sagemaker.local.means import SHOWN_LINES, stop_box
from twinforge.sagemaker.local.sources import model_pieces
from twinforge.sagemaker.local.words import CANNOT_START, NO_PING
from twinforge.sagemaker.model import check_requests
from twinforge.sagemaker.request import Request
from twinforge.smoke.serving import wait_for_ping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twinforge.sagemaker.local.desk import Desk, Kind
    from twinforge.sagemaker.local.limits import Limits
    from twinforge.sagemaker.local.means import LocalMeans

__all__ = ["GRACE_S", "PING_S", "PORT", "Hosted", "Serving", "check_serving", "ping", "serving"]

GRACE_S = 30.0
PING_S = 2.0
"""Source: SageMaker developer guide, "Use your own inference code with hosting services"."""
PORT = 8080
FILLING = ".filling"
"""Ends the name of a container that only brings files; no name of an endpoint holds a full stop."""
_MODEL = "/opt/ml/model"
NO_ANSWER = "no answer: "
_OUT_OF_MEMORY = "the container needed more memory than its instance type has"
_SILENT = (
    "'serve' has to listen at port 8080 of all addresses, 0.0.0.0, and not of 127.0.0.1 alone; and the "
    "engine has to publish ports here: not from inside a container, nor by a socket of another machine"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What is served, and how.

    Attributes:
        kind: Whether an endpoint or a transform serves it.
        name: Its name.
        recipe: The recipe.
        variant: The variant's slug.
        image_id: The image.
        instance: The instance type that it is run like.
        model: A folder, a ``tar.gz`` or the S3 address of one.
        max_bytes: How big the model may be, unpacked.
        env: Further variables.
        port: Of this machine's loopback, or 0 for one that is free.
        is_isolated: Whether it reaches no network.
        startup_s: How long it may take until it answers a ping with 200.
    """

    kind: Kind
    name: str
    recipe: str
    variant: str
    image_id: str
    instance: str
    model: str
    max_bytes: int
    startup_s: float
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    port: int = 0
    is_isolated: bool = False


@dataclass(frozen=True, slots=True)
class Hosted:
    """A container that has answered a ping.

    ``box`` is its id, ``url`` where it is reached, ``ping_s`` how long its start took.
    """

    box: str
    url: str
    ping_s: float


def check_serving(asked: Serving) -> None:
    """Refuse what CreateModel or CreateEndpoint would refuse.

    Raises:
        TwinforgeError: The name or a variable is none that the service takes; all are named.
    """
    container = {"Image": asked.recipe, "Environment": dict(asked.env)}
    parameters: dict[str, object] = {
        "ModelName": asked.name,
        "PrimaryContainer": container,
        "ExecutionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/local",
    }
    check_requests((Request("CreateModel", parameters),), endpoint=asked.name)


@contextmanager
def serving(means: LocalMeans, asked: Serving, limits: Limits, *, keep: bool) -> Iterator[Hosted]:
    """Serve a model while the body runs; then SIGTERM, 30 s, SIGKILL, and nothing stays.

    Args:
        means: The engine, S3, patience and a listener.
        asked: What is served.
        limits: What the container may use.
        keep: Whether it stays when the body has ended well.

    Raises:
        UsageError: There is one of that name, or the model is not there.
        DeployError: It did not start, or not answer in time, with what the service says of that.
        TwinforgeError: The model can't be served, or the engine says no.
    """
    desk = means.desk
    box = ""
    try:
        box = _create(means, asked, limits)
        hosted = _start(means, asked, box)
        yield hosted
    except KeyboardInterrupt:
        try:
            if box:
                stop_box(means, box, GRACE_S)
        finally:  # also when a second Ctrl-C ends the grace
            desk.remove(box)
        raise
    except BaseException:
        desk.remove(box)
        raise
    if not keep:
        stop_box(means, box, GRACE_S)
        desk.remove(box)


def ping(url: str) -> str:
    """Return nothing if a ping is answered as it must be, else what was wrong with it."""
    try:
        # The environment's proxies must not see requests to this machine.
        with httpx.Client(trust_env=False, timeout=PING_S) as client:
            status = client.get(f"{url}/ping").status_code
    except httpx.TimeoutException:
        return f"no answer within {PING_S:g} s"
    except httpx.TransportError as error:
        return f"{NO_ANSWER}{error}"
    return "" if status == httpx.codes.OK else f"status {status}"


def _create(means: LocalMeans, asked: Serving, limits: Limits) -> str:
    """Make the container, with its model, which is read-only for it."""
    desk, name = means.desk, name_of(asked.kind, asked.name)
    spec = Spec(
        name=name,
        image=asked.image_id,
        command=("serve",),
        labels=labels_of(
            *(asked.kind, asked.name),
            recipe=asked.recipe,
            variant=asked.variant,
            instance=asked.instance,
        ),
        env=asked.env,
        mounts=(Mount(new_volume(name), _MODEL, read_only=True),),
        network="isolated" if asked.is_isolated else "bridge",
        port=PORT,
        host_port=asked.port,
        cpus=limits.cpus,
        memory_bytes=limits.memory_bytes,
        gpus=limits.gpus,
    )
    box = desk.create(spec)  # at once, since that is what holds the name
    try:
        _fill(means, asked, spec)
    except BaseException:
        desk.remove(box)
        raise
    return box


def _fill(means: LocalMeans, asked: Serving, spec: Spec) -> None:
    """Bring the model into a container's volume, through another one that may write there."""
    desk = means.desk
    (mount,) = spec.mounts
    filler = desk.create(
        Spec(
            name=f"{spec.name}{FILLING}",
            image=spec.image,
            command=spec.command,
            labels=spec.labels,
            mounts=(Mount(mount.volume, mount.place),),
        )
    )
    try:
        with model_pieces(
            *(means.storage, asked.model),
            max_bytes=asked.max_bytes,
            listener=means.listener,
        ) as pieces:
            desk.put(filler, "/opt/ml", tar_chunks(pieces))
    finally:
        desk.remove(filler, keep_volumes=True)


def _start(means: LocalMeans, asked: Serving, box: str) -> Hosted:
    started = time.monotonic()
    words = means.desk.start(box)
    if words:
        message = f"{CANNOT_START}\n  | {words}"
        raise DeployError(message)
    found = means.desk.look(box)
    url = found.url if found else ""
    means.tell(asked.name, State.NOTE, f"{url or 'its container'} was started, waiting for /ping")
    server = _Server(means.desk, box, url, started)
    try:
        ping_s = wait_for_ping(server, within_s=asked.startup_s, ping_s=PING_S)
    except SmokeError as error:
        lines = (f"  | {line}" for line in means.desk.last_lines(box, SHOWN_LINES))
        message = "\n".join([NO_PING, f"reason: {error.message}", *lines])
        is_silent = server.exit_status() is None and ping(url).startswith(NO_ANSWER)
        ended = means.desk.look(box)
        hint = _OUT_OF_MEMORY if ended is not None and ended.was_out_of_memory else ""
        raise DeployError(message, hint=_SILENT if is_silent else hint) from error
    return Hosted(box, url, ping_s)


class _Server:
    """A container as :func:`wait_for_ping` sees one."""

    def __init__(self, desk: Desk, box: str, url: str, started: float) -> None:
        self._desk = desk
        self._box = box
        self._pause = threading.Event()
        self.url = url or "http://127.0.0.1:1"  # it has ended, and so nothing listens
        self.started = started

    def exit_status(self) -> int | None:
        """Return its exit status, or None while it runs."""
        found = self._desk.look(self._box)
        if found is None:
            return -1
        return None if found.is_running else found.exit_status

    def pause(self, seconds: float) -> None:
        """Wait."""
        self._pause.wait(seconds)


def log_of(means: LocalMeans, hosted: Hosted) -> tuple[str, ...]:
    """Return the end of a container's log."""
    return means.desk.last_lines(hosted.box, SHOWN_LINES)

"""What local jobs and endpoints ask of an engine: containers that can outlive the program.

All that is known of them stands in their labels and names, in the engine itself: there is no file
that could tell something else.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

__all__ = [
    "KIND",
    "LABEL",
    "Desk",
    "Kind",
    "Look",
    "Machine",
    "Mount",
    "Network",
    "Spec",
    "fact_of",
    "labels_of",
    "name_of",
    "new_volume",
]

LABEL = "io.twinforge.local"
"""On everything that is made here; its value is the name of what it was made for."""
KIND = f"{LABEL}.kind"

Kind = Literal["training", "endpoint", "transform"]
Network = Literal["bridge", "isolated"]


@dataclass(frozen=True, slots=True)
class Machine:
    """What an engine has; ``has_gpus`` is whether it can hand NVIDIA GPUs to containers."""

    cpus: int
    memory_bytes: int
    has_gpus: bool = False


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume, which is made if it is not there, and the folder at which a container sees it."""

    volume: str
    place: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A container that is to be made.

    Attributes:
        name: Of the container; no other of the engine may have it.
        image: The image's id.
        command: What SageMaker passes: ``train`` or ``serve``.
        labels: By which it is found again.
        env: Further variables.
        hostname: Its name to itself, or empty for the engine's choice.
        mounts: Volumes.
        network: ``bridge``, or ``isolated``: reached from here, and reaching nothing.
        port: Of the container, which is reached from here; 0 for none.
        host_port: The port of this machine's loopback, or 0 for one that is free.
        cpus: How many it may use, or 0 for all.
        memory_bytes: How much it may use, or 0 for all.
        gpus: Whether it gets the engine's GPUs.
    """

    name: str
    image: str
    command: tuple[str, ...]
    labels: Mapping[str, str]
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    hostname: str = ""
    mounts: tuple[Mount, ...] = ()
    network: Network = "bridge"
    port: int = 0
    host_port: int = 0
    cpus: float = 0.0
    memory_bytes: int = 0
    gpus: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """A container as it is now.

    Attributes:
        id: The engine's id of it.
        name: Its name.
        labels: Its labels.
        is_running: Whether it runs.
        has_run: Whether it was started ever.
        exit_status: With which it ended; 0 while it runs.
        was_out_of_memory: Whether the kernel ended it for its memory.
        url: Where its port is reached from here, or empty.
        created: When it was made, as the engine writes it.
    """

    id: str
    name: str
    labels: Mapping[str, str]
    is_running: bool
    has_run: bool = True
    exit_status: int = 0
    was_out_of_memory: bool = False
    url: str = ""
    created: str = ""


class Desk(Protocol):
    """An engine.

    Every method raises TwinforgeError when the engine says no, and MissingToolError when it does
    not answer. What is not there any more is nothing that has to be removed.
    """

    def machine(self) -> Machine:
        """Return what the engine has."""
        ...

    def create(self, spec: Spec) -> str:
        """Make a container, with a network of its own where it is isolated; return its id.

        Raises:
            UsageError: There is one of that name.
        """
        ...

    def start(self, box: str) -> str:
        """Start a container; return the engine's words if its program can't be run, else nothing."""
        ...

    def look(self, box: str) -> Look | None:
        """Return a container as it is now, or None when it is not there any more."""
        ...

    def find(self, kind: Kind | None = None, name: str = "") -> tuple[Look, ...]:
        """Return our containers, of a kind and name or all, oldest first."""
        ...

    def signal(self, box: str, name: str) -> None:
        """Send a signal, such as ``SIGTERM``; one that has ended gets none."""
        ...

    def rename(self, box: str, name: str) -> None:
        """Give a container another name."""
        ...

    def put(self, box: str, folder: str, chunks: Iterable[bytes]) -> None:
        """Unpack a tar archive into a folder of a container, which need not run."""
        ...

    def get(self, box: str, path: str) -> AbstractContextManager[Iterator[bytes] | None]:
        """Give a tar archive of a path of a container, or None where there is nothing."""
        ...

    def follow(self, box: str, on_line: Callable[[str], None]) -> None:
        """Hand on every line that a container prints, until it ends; errors end it silently."""
        ...

    def last_lines(self, box: str, count: int) -> tuple[str, ...]:
        """Return the last lines that a container printed."""
        ...

    def remove(self, box: str, *, keep_volumes: bool = False) -> None:
        """End and remove a container, and what was made for it: its volumes and its network.

        One that is not there, and the empty id of one that was never made, are nothing to remove.
        """
        ...

    def sweep(self) -> None:
        """Remove volumes and networks that belong to no container any more."""
        ...


def name_of(kind: Kind, name: str) -> str:
    """Return the name of a container.

    >>> name_of("endpoint", "digits")
    'twinforge-endpoint-digits'
    """
    return f"twinforge-{kind}-{name}"


def new_volume(box_name: str) -> str:
    """Return a name that no volume has yet."""
    return f"{box_name}-{secrets.token_hex(4)}"


def labels_of(kind: Kind, name: str, **facts: str) -> dict[str, str]:
    """Return the labels by which something is found again, and what else is known of it."""
    return {LABEL: f"{kind}/{name}", KIND: kind, **{f"{LABEL}.{k}": v for k, v in facts.items()}}


def fact_of(found: Look, name: str) -> str:
    """Return something that is known of a container, or nothing."""
    return found.labels.get(f"{LABEL}.{name}", "")

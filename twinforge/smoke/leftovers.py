"""What a process made on an engine and could not remove: it was killed, or the engine was gone."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.errors import APIError

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["OWNER", "own_label", "remove_leftovers"]

OWNER = "io.twinforge.smoke.owner"
"""The label that says whose a thing is: where the process counts, its number, and its start."""

_PROC = Path("/proc")
_STARTED = 19  # of what follows the name in /proc/PID/stat


def own_label() -> str:
    """Return the label's value for what this process makes; empty where processes can't be told."""
    where, number = _where(), os.getpid()
    return f"{where}/{number}/{_started(number)}" if where else ""


def remove_leftovers(client: DockerClient) -> None:
    """Remove what processes have left that run here no longer; nothing of other machines.

    Raises:
        docker.errors.DockerException: The engine does not say what there is.
    """
    if not _where():
        return
    wanted: dict[str, Any] = {"label": OWNER}
    for container in client.containers.list(all=True, filters=wanted, ignore_removed=True):
        if _is_left(container.labels):
            with suppress(APIError):  # another run may remove it at the same time
                container.remove(force=True, v=True)
    for things in (client.volumes.list(filters=wanted), client.networks.list(filters=wanted)):
        for thing in things:
            if _is_left(thing.attrs.get("Labels") or {}):
                with suppress(APIError):
                    thing.remove()


def _is_left(labels: dict[str, str]) -> bool:
    where, _, process = labels.get(OWNER, "").partition("/")
    number, _, started = process.partition("/")
    return where == _where() and number.isdecimal() and started != _started(int(number))


def _where() -> str:
    """Return what tells this count of processes from all others; nothing where there is no /proc.

    Machines may share a name, and containers the name of their host.

    Source: the manual pages proc_sys_kernel(5) (``boot_id``) and namespaces(7)
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}:{(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(number: int) -> str:
    """Return when a process was started, in the kernel's ticks; nothing where there is none.

    Source: the manual page proc_pid_stat(5)
    """
    try:
        text = (_PROC / str(number) / "stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[_STARTED]

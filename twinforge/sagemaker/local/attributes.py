"""What an engine says of a container, read. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twinforge.sagemaker.local.desk import LABEL, Look

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker.models.containers import Container

__all__ = ["LOOPBACK", "PORT", "belongings", "labels_of_box", "look_at", "url_of"]

LOOPBACK = "127.0.0.1"
OURS = "twinforge-"
PORT = f"{LABEL}.port"
"""The label with the port of a container that is reached from here."""


def belongings(attributes: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the volumes and the networks that were made for a container: they begin as its names do."""
    volumes = [mount.get("Name", "") for mount in attributes.get("Mounts") or ()]
    networks = list(attributes["NetworkSettings"].get("Networks") or {})
    return (
        [name for name in volumes if name.startswith(OURS)],
        [name for name in networks if name.startswith(OURS)],
    )


def labels_of_box(container: Container) -> Mapping[str, str]:
    """Return a container's labels."""
    return container.attrs["Config"].get("Labels") or {}


def look_at(container: Container) -> Look:
    """Return a container as it was when the engine was asked for it."""
    attributes = container.attrs
    state = attributes["State"]
    labels = labels_of_box(container)
    return Look(
        id=str(container.id),
        name=str(attributes["Name"]).removeprefix("/"),
        labels=labels,
        is_running=bool(state["Running"]),
        has_run=state["Status"] != "created",
        exit_status=int(state["ExitCode"]),
        was_out_of_memory=bool(state.get("OOMKilled")),
        url=url_of(attributes["NetworkSettings"], labels.get(PORT, "")),
        created=str(attributes["Created"]),
    )


def url_of(settings: Mapping[str, Any], port: str) -> str:
    """Return where a port is reached: a published one on loopback, another at its own address."""
    if not port:
        return ""
    for published in (settings.get("Ports") or {}).get(f"{port}/tcp") or ():
        return f"http://{LOOPBACK}:{published['HostPort']}"
    for network in (settings.get("Networks") or {}).values():
        if address := network.get("IPAddress"):
            return f"http://{address}:{port}"
    return ""

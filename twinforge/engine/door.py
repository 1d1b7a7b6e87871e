"""A door into a network without a way out, where the engine is not on this machine.

A container of such a network has no published port. The machine that the engine runs on reaches it at
its address; behind Docker Desktop, or a rootless engine, this machine does not. There a second container
of the same image is in both networks, and hands what comes in at a published port on to the first,
which reaches nothing all the same.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any, cast

from docker.errors import APIError

from twinforge.errors import TwinforgeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import docker
    from docker.models.containers import Container

__all__ = ["is_reached", "open_door", "port_of"]

LOOPBACK = "127.0.0.1"
_NO_PYTHON = 127

_PAUSE_S = 0.05
_PROGRAM = """
import asyncio, sys

async def hand_on(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()

async def come_in(reader, writer):
    try:
        behind = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
    except OSError:
        writer.transport.abort()
        return
    await asyncio.gather(hand_on(reader, behind[1]), hand_on(behind[0], writer))
    for one in (writer, behind[1]):
        one.close()

async def main():
    server = await asyncio.start_server(come_in, "0.0.0.0", int(sys.argv[2]), backlog=1024)
    print("open", flush=True)
    await server.serve_forever()

asyncio.run(main())
"""
_FIND_PYTHON = (
    "for python in /opt/venv/bin/python python3; do "
    'command -v "$python" > /dev/null && exec "$python" -c "$0" "$@"; done; '
    f"exit {_NO_PYTHON}"
)


def is_reached(attributes: Mapping[str, object]) -> bool:
    """Return whether this machine reaches a network's containers: its gateway is ours.

    Args:
        attributes: Of the network, as the engine describes it.
    """
    ipam = attributes.get("IPAM")
    ranges = (ipam.get("Config") if isinstance(ipam, dict) else None) or [{}]
    gateway = str(ranges[0].get("Gateway", "")).partition("/")[0]
    with socket.socket(socket.AF_INET6 if ":" in gateway else socket.AF_INET) as probe:
        try:
            probe.bind((gateway, 0))
        except OSError:
            return False
    return bool(gateway)


def open_door(  # noqa: PLR0913 - what a container is made of, all by keyword
    client: docker.DockerClient,
    *,
    name: str,
    image: str,
    network: str,
    behind: str,
    port: int,
    labels: Mapping[str, str],
) -> Container:
    """Start a door and return it; whoever opens it removes it.

    Args:
        client: The engine.
        name: Of the container.
        image: Whose Python it runs.
        network: The network without a way out.
        behind: Who is behind it: a name or an address there.
        port: Of who is behind it; the door publishes it at a free port of loopback.
        labels: By which it is found again.

    Raises:
        TwinforgeError: The image has no Python, or the engine can't start it.
        docker.errors.APIError: The engine says no.
    """
    door = client.containers.create(
        image,
        [_PROGRAM, behind, str(port)],
        entrypoint=["/bin/sh", "-c", _FIND_PYTHON],
        name=name,
        labels=dict(labels),
        # its annotation does not know that the engine chooses where there is no number
        ports=cast("dict[str, Any]", {f"{port}/tcp": (LOOPBACK, None)}),
        user="0",
    )
    try:
        client.networks.get(network).connect(door)
        _start(door)
    except BaseException:
        door.remove(force=True, v=True)
        raise
    return door


def port_of(door: Container, port: int) -> int:
    """Return the port of loopback at which a door hands on what comes in."""
    return int(door.attrs["NetworkSettings"]["Ports"][f"{port}/tcp"][0]["HostPort"])


def _start(door: Container) -> None:
    try:
        door.start()
    except APIError as error:
        raise _not_reached(str(error.explanation or error)) from error
    while b"open" not in door.logs():
        door.reload()
        if door.status != "running":
            status = door.wait()["StatusCode"]
            no_python = status == _NO_PYTHON
            raise _not_reached("it has no Python" if no_python else f"its door ended with {status}")
        time.sleep(_PAUSE_S)
    door.reload()


def _not_reached(why: str) -> TwinforgeError:
    message = f"this machine does not reach the engine's internal networks, nor by the image: {why}"
    hint = "run it on the engine's machine, or without network isolation"
    return TwinforgeError(message, hint=hint)

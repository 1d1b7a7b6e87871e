"""What a container may reach, write and use, on a real engine."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from twinforge.engine import door
from twinforge.errors import SmokeError
from twinforge.smoke.asking import Request, ask, ask_in_a_row, connect_s
from twinforge.smoke.confinement import BRIDGE, Confinement
from twinforge.smoke.container import Bind, Containers, Mount, open_containers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from twinforge.engine.engine import Engine

pytestmark = pytest.mark.engine

PYTHON = ["python3"]
SERVER = ["-m", "http.server", "8080", "--directory", "/etc"]
HOSTNAME = Request("GET", "/hostname", {})

LOOK = """
import os
def can_write(path):
    try:
        open(path, "w").write("x")
    except OSError as error:
        return error.strerror
    return "yes"
def first(*paths):
    return next(open(path).read().strip() for path in paths if os.path.exists(path))
print(os.getuid(), os.getgid())
print(first("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"))
print(can_write("/var/x"), can_write("/tmp/x"), can_write("/scratch/x"))
print(can_write("/given/x"), can_write("/read/x"))
print(open("/volume/kept").read())
"""


@pytest.fixture
def containers(engine: Engine) -> Iterator[Containers]:
    with open_containers(engine, label="confined", cancelled=threading.Event()) as found:
        yield found


def test_a_container_reaches_writes_and_uses_what_it_may(
    containers: Containers, base_image: str, tmp_path: Path
) -> None:
    given, read, filled = (tmp_path / name for name in ("given", "read", "filled"))
    for folder in (given, read, filled):
        folder.mkdir()
    given.chmod(0o777)
    (filled / "kept").write_text("from the volume")
    confinement = Confinement(
        read_only_root=True,
        user="65534:65534",
        memory_bytes=64 << 20,
        cpus=0.5,
        tmpfs={"/scratch": "size=1m,mode=1777"},
    )
    with containers.volume() as volume:
        containers.fill(base_image, volume, "/volume", filled)
        with containers.start(
            base_image,
            ["-c", LOOK],
            entrypoint=PYTHON,
            mounts=[
                Bind(given, "/given"),
                Bind(read, "/read", read_only=True),
                Mount(volume, "/volume", read_only=True),
            ],
            confinement=confinement,
        ) as container:
            assert container.wait(60) == 0, container.logs()
            assert container.logs().splitlines() == [
                "65534 65534",
                str(64 << 20),
                "Read-only file system yes yes",
                "yes Read-only file system",
                "from the volume",
            ]
    assert (given / "x").read_text() == "x"


def test_a_network_without_a_way_out_is_reached_from_here_and_reaches_nothing(
    containers: Containers, base_image: str
) -> None:
    with (
        containers.network() as network,
        containers.start(
            base_image,
            SERVER,
            entrypoint=PYTHON,
            hostname="algo-1",
            port=8080,
            confinement=Confinement(network=network),
        ) as container,
    ):
        assert _when_up(container.address)
        assert b"algo-1" in ask(container.address, HOSTNAME, timeout_s=10).answer.body
        assert len(ask_in_a_row(container.address, [HOSTNAME] * 2, timeout_s=10)) == 1
        reach = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"
        with containers.start(
            base_image, ["-c", reach], entrypoint=PYTHON, confinement=Confinement(network=network)
        ) as other:
            assert other.wait(60) == 1
            assert "Network is unreachable" in other.logs()


def test_behind_another_machine_such_a_network_is_reached_by_a_door(
    containers: Containers, base_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "is_reached", lambda _: False)
    with (
        containers.network() as network,
        containers.start(
            *(base_image, SERVER),
            entrypoint=PYTHON,
            hostname="algo-1",
            port=8080,
            confinement=Confinement(network=network),
        ) as container,
    ):
        assert container.address[0] == "127.0.0.1"
        assert _when_up(container.address)
        assert b"algo-1" in ask(container.address, HOSTNAME, timeout_s=10).answer.body
    # the network could be removed: nobody is on it any more


def test_a_port_of_loopback_can_be_asked_for(containers: Containers, base_image: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with containers.start(
        base_image,
        SERVER,
        entrypoint=PYTHON,
        port=8080,
        published=port,
        confinement=Confinement(network=BRIDGE),
    ) as container:
        assert container.address == ("127.0.0.1", port)
        assert container.url == f"http://127.0.0.1:{port}"
        assert _when_up(container.address)
        assert container.processes() == ("python3 -m http.server 8080 --directory /etc",)
    with pytest.raises(SmokeError, match="no connection within 1 s"):
        connect_s(("127.0.0.1", port), timeout_s=1.0)
    assert container.processes() == ()


def _when_up(address: tuple[str, int]) -> bool:
    for _ in range(600):
        try:
            ask(address, HOSTNAME, timeout_s=10)
        except SmokeError:
            threading.Event().wait(0.05)
        else:
            return True
    return False

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys

import pytest


def refused(what: str) -> pytest.RaisesExc[BaseException]:
    return pytest.raises(
        pytest.fail.Exception, match=f"a unit test used the {what}: .*tests/engine"
    )


def test_a_connection_is_refused_even_to_loopback() -> None:
    with socket.socket() as client, refused("network"):
        client.connect(("127.0.0.1", 9))


def test_a_unix_socket_is_refused_as_well() -> None:
    with socket.socket(socket.AF_UNIX) as client, refused("network"):
        client.connect("/nowhere.sock")


def test_a_name_is_not_looked_up() -> None:
    with refused("network"):
        socket.getaddrinfo("example.invalid", 80)


def test_a_datagram_is_not_sent() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as client, refused("network"):
        client.sendto(b"", ("127.0.0.1", 9))


def test_a_child_is_not_started() -> None:
    with refused("process"):
        subprocess.run([sys.executable, "-V"], check=True)


def test_a_shell_is_not_started() -> None:
    with refused("process"):
        os.system("true")


def test_a_process_is_not_spawned() -> None:
    with refused("process"):
        os.posix_spawn(sys.executable, [sys.executable, "-V"], {})


def test_code_that_swallows_exceptions_does_not_swallow_the_guard() -> None:
    with refused("process"), contextlib.suppress(Exception):
        subprocess.run([sys.executable, "-V"], check=True)

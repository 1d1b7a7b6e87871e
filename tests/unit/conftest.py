"""The guard: a unit test that reaches for the network or starts a process fails.

An audit hook sees what the interpreter does and not only what one module's functions do, and
``pytest.fail`` raises what ``except Exception`` in the code under test can't swallow.

Source: https://docs.python.org/3/library/audit_events.html
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

FORBIDDEN = {
    "os.exec": "process",
    "os.fork": "process",
    "os.forkpty": "process",
    "os.posix_spawn": "process",
    "os.spawn": "process",
    "os.system": "process",
    "pty.spawn": "process",
    "subprocess.Popen": "process",
    "socket.connect": "network",
    "socket.getaddrinfo": "network",
    "socket.gethostbyaddr": "network",
    "socket.gethostbyname": "network",
    "socket.sendmsg": "network",
    "socket.sendto": "network",
}


class Guard:
    """Refuses events of the interpreter while it is active."""

    def __init__(self) -> None:
        self.is_active = False

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        if self.is_active and event in FORBIDDEN:
            subject = args[1] if event == "socket.connect" else args[0] if args else ""
            pytest.fail(
                f"a unit test used the {FORBIDDEN[event]}: {event} {subject!r}; hand the code a "
                "double, or move the test to tests/engine and mark it `engine`"
            )


@pytest.fixture(scope="session")
def guard() -> Guard:
    """Add the hook: once, since hooks can't be removed."""
    hook = Guard()
    sys.addaudithook(hook)
    return hook


# Of a module's scope, since hypothesis refuses fixtures of a function's.
@pytest.fixture(scope="module", autouse=True)
def guarded(guard: Guard) -> Iterator[None]:
    """Guard every test of this folder."""
    guard.is_active = True
    yield
    guard.is_active = False

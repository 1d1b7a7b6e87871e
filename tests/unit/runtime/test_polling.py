"""The event loop looks before it sleeps while that pays, and never past its time."""

from __future__ import annotations

import asyncio
import selectors
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from twinforge.runtime import polling
from twinforge.runtime.machine import Machine
from twinforge.runtime.polling import WakefulSelector
from twinforge.runtime.settings import read_settings
from twinforge.runtime.worker import has_core

if TYPE_CHECKING:
    from collections.abc import Iterator

_READY: list[Any] = [("key", selectors.EVENT_READ)]
_LOOK_S = 0.00003


@dataclass
class _System:
    """A clock and a kernel: what it answers to each call, and how long a sleep takes."""

    now_s: float = 10.0
    answers: list[tuple[list[object], float]] = field(default_factory=list)
    asked: list[float | None] = field(default_factory=list)

    def select(self, _: object, timeout: float | None = None) -> list[object]:
        self.asked.append(timeout)
        ready, took_s = self.answers.pop(0) if self.answers else ([], _LOOK_S)
        self.now_s += took_s
        return ready


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[_System]:
    system = _System()
    monkeypatch.setattr(time, "perf_counter", lambda: system.now_s)
    monkeypatch.setattr(
        selectors.DefaultSelector, "select", lambda one, timeout=None: system.select(one, timeout)
    )
    yield system
    monkeypatch.undo()


def test_it_sleeps_at_first_and_after_a_long_sleep(system: _System) -> None:
    selector = WakefulSelector()
    system.answers = [(list(_READY), 0.05), (list(_READY), 0.05)]
    assert selector.select(None) == _READY
    assert selector.select(1.0) == _READY
    assert system.asked == [None, 1.0]


def test_after_a_short_sleep_it_looks_until_something_is_there(system: _System) -> None:
    selector = WakefulSelector()
    system.answers = [(list(_READY), 0.0001), ([], _LOOK_S), (list(_READY), _LOOK_S)]
    selector.select(None)
    assert selector.select(None) == _READY
    assert system.asked == [None, 0, 0]
    system.asked.clear()
    system.answers = [(list(_READY), _LOOK_S)]
    assert selector.select(None) == _READY, "what paid goes on"
    assert system.asked == [0]


def test_one_vain_look_ends_it(system: _System) -> None:
    selector = WakefulSelector()
    system.answers = [(list(_READY), 0.0001)]
    selector.select(None)
    system.asked.clear()
    assert selector.select(1.0) == []
    assert system.asked[-1] == 1.0, "it slept in the end"
    assert set(system.asked[:-1]) == {0}
    system.asked.clear()
    system.answers = [([], 1.0)]
    selector.select(1.0)
    assert system.asked == [1.0], "and it sleeps at once from then on"


def test_it_looks_no_longer_than_it_may_wait(system: _System) -> None:
    selector = WakefulSelector()
    system.answers = [(list(_READY), 0.0001)]
    selector.select(None)
    system.asked.clear()
    selector.select(0.00001)
    assert system.asked == [0, 0.00001]
    system.asked.clear()
    selector.select(0)
    assert system.asked == [0]


@pytest.mark.parametrize("looks", [True, False])
def test_a_loop_serves_with_it_or_without_and_ends_what_is_left(*, looks: bool) -> None:
    ends: list[str] = []
    kept: list[asyncio.Future[None]] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("cancelled")

    async def main() -> None:
        kept.append(asyncio.ensure_future(forever()))
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_connection(sock=ours)
            for _ in range(3):
                writer.write(b"one")
                theirs.sendall(theirs.recv(3).upper())
                ends.append((await reader.readexactly(3)).decode())
            writer.close()

    polling.run(main(), looks=looks)
    assert ends == ["ONE", "ONE", "ONE", "cancelled"]


@pytest.mark.parametrize(
    ("full_cores", "environ", "expected"),
    [
        (2, {}, True),
        (1, {}, False),
        (0, {"TWINFORGE_WORKERS": "1"}, False),
        (2, {"TWINFORGE_WORKERS": "1", "TWINFORGE_THREADS": "2"}, False),
        (2, {"TWINFORGE_WORKERS": "3"}, False),
    ],
)
def test_only_a_process_with_a_core_to_itself_looks(
    full_cores: int, environ: dict[str, str], *, expected: bool
) -> None:
    machine = Machine(2, 0, 0, full_cores)
    assert has_core(read_settings(environ, machine), machine) is expected

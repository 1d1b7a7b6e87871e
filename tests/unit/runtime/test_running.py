from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from twinforge.runtime.running import Runner
from twinforge.runtime.watch import Watch

if TYPE_CHECKING:
    import pytest


class World:
    """A runner whose predictions take what they are told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, threads: int = 1) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)
        self.runner = Runner(threads, inline_s=0.005, queue=2, watch=Watch(threads))

    def predict(self, took_s: float) -> None:
        def work() -> None:
            self.now_s += took_s

        async def run() -> None:
            self.runner.now(work, sender=0)

        asyncio.run(run())

    def is_quick(self, size_bytes: int = 10) -> bool:
        return self.runner.is_quick(size_bytes)


def test_nothing_is_quick_before_it_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    assert not world.is_quick()
    world.predict(0.001)
    assert (world.is_quick(), world.is_quick(65 * 1024)) == (True, False)


def test_with_threads_nothing_runs_in_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, threads=2)
    world.predict(0.001)
    assert not world.is_quick()


def test_a_slow_one_now_and_then_changes_little(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    for took_s in (0.001, 0.001, 0.012):
        world.predict(took_s)
    assert world.is_quick()
    for took_s in (0.012, 0.012):
        world.predict(took_s)
    assert not world.is_quick()


def test_one_that_kept_pings_waiting_makes_wary(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    world.predict(0.001)
    world.predict(0.6)
    for _ in range(1000):
        world.predict(0.0)  # elsewhere, and quick
    assert not world.is_quick()
    world.now_s += 601
    assert world.is_quick()


def test_a_full_queue_takes_no_more() -> None:
    runner = Runner(1, inline_s=0.005, queue=2, watch=Watch(1))
    assert [runner.enter() for _ in range(3)] == [True, True, False]
    runner.leave()
    assert runner.enter()

"""Where a prediction runs: in the event loop while it is quick, in a thread while it is not.

Handing work to a thread and back costs more than a small model takes, and a slow model in the event
loop would keep ``/ping`` waiting. What the last predictions took decides.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Runner"]

T = TypeVar("T")

_SMALL_BYTES = 64 * 1024
"""A larger body may take longer than what the small ones took lets one expect."""

_FIRST_S = float("inf")
_UP, _DOWN = 0.25, 0.02
"""How much a slower and a faster prediction move the estimate: one that the machine was busy in
does not send all that follow to a thread, and a few slow ones do."""


class Runner:
    """Runs predictions of one process, ``threads`` at a time; with one, one at a time wherever."""

    def __init__(self, threads: int, *, inline_s: float, queue: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="predict")
        self._inline_s = inline_s if threads == 1 else 0.0
        self._queue = queue
        self._held = 0
        self._in_threads = 0
        # Until something was measured, nothing is quick.
        self._estimate_s = _FIRST_S

    def enter(self) -> bool:
        """Take a place for a request, which ``leave`` gives back; whether there is one."""
        if self._held >= self._queue:
            return False
        self._held += 1
        return True

    def leave(self) -> None:
        """Give the place back."""
        self._held -= 1

    def is_quick(self, size_bytes: int) -> bool:
        """Whether a request of this size may be answered here and now."""
        is_small = size_bytes <= _SMALL_BYTES
        return is_small and self._estimate_s < self._inline_s and not self._in_threads

    def now(self, function: Callable[..., T], *arguments: object) -> T:
        """Return what a function returns, and take its time."""
        start_s = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            took_s = time.perf_counter() - start_s
            if self._estimate_s == _FIRST_S:
                self._estimate_s = took_s
            else:
                move = _UP if took_s > self._estimate_s else _DOWN
                self._estimate_s += move * (took_s - self._estimate_s)

    async def later(
        self, function: Callable[..., T], *arguments: object, size_bytes: int = -1
    ) -> T:
        """Return what a function returns in a thread.

        Args:
            function: What to run.
            arguments: For it.
            size_bytes: Of the body that it works on; negative where it says nothing of predictions.
        """
        loop = asyncio.get_running_loop()
        self._in_threads += 1
        try:
            if 0 <= size_bytes <= _SMALL_BYTES:
                return await loop.run_in_executor(self._pool, self.now, function, *arguments)
            return await loop.run_in_executor(self._pool, function, *arguments)
        finally:
            self._in_threads -= 1

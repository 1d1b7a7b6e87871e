"""Where a prediction runs: in the event loop while it is quick, in a thread while it is not.

Handing work to a thread and back costs more than a small model takes, and a slow model in the event
loop would keep ``/ping`` waiting. What the last predictions took decides.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SMALL_BYTES", "BusyError", "Runner"]

SMALL_BYTES = 64 * 1024
"""A larger body may take longer than what the small ones took lets one expect."""

_FORGETTING = 0.02
"""How much a new, faster prediction moves the estimate; a slower one becomes it."""


class BusyError(Exception):
    """There is no room for another request."""


class Runner:
    """Runs predictions of one process, ``threads`` at a time; with one, one at a time wherever."""

    def __init__(self, threads: int, *, inline_s: float, queue: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="predict")
        self._inline_s = inline_s if threads == 1 else 0.0
        self._queue = queue
        self._held = 0
        self._in_threads = 0
        # Until something was measured, nothing is quick.
        self._estimate_s = float("inf")

    def enter(self) -> None:
        """Take a place for a request; ``leave`` gives it back.

        Raises:
            BusyError: There is none.
        """
        if self._held >= self._queue:
            raise BusyError
        self._held += 1

    def leave(self) -> None:
        """Give the place back."""
        self._held -= 1

    async def run(
        self, function: Callable[..., Any], *arguments: Any, is_small: bool = True
    ) -> Any:
        """Return what a function returns, raise what it raises.

        Args:
            function: What to run.
            arguments: For it.
            is_small: Whether what small requests took before says how long this will take.
        """
        is_quick = is_small and self._estimate_s < self._inline_s
        if is_quick and not self._in_threads:
            return self._timed(function, *arguments)
        called = self._timed if is_small else _call
        self._in_threads += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, called, function, *arguments)
        finally:
            self._in_threads -= 1

    def _timed(self, function: Callable[..., Any], *arguments: Any) -> Any:
        start_s = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            took_s = time.perf_counter() - start_s
            if took_s > self._estimate_s or self._estimate_s == float("inf"):
                self._estimate_s = took_s
            else:
                self._estimate_s += _FORGETTING * (took_s - self._estimate_s)


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)

"""An event loop that looks for the next request a moment longer before it sleeps.

A core that has gone to sleep takes tens of microseconds to wake up, in a virtual machine more than
a small request takes to answer. A caller that sends one request after the other meets that delay in
each of them.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["WakefulSelector", "run"]

_LOOKS_S = 0.0001
"""How long it looks: what a caller beside it takes to send the next request."""

_SOON_S = 0.0002
"""After how short a sleep looking would have paid: that time, and what waking up took."""


class WakefulSelector(selectors.DefaultSelector):
    """Looks before it sleeps, as long as that finds something.

    One vain look ends it, until a sleep was short again: where requests are rare, or take long,
    nothing is spent on it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._looks = False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready, after ``timeout`` seconds at the latest; None waits."""
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        start_s = time.perf_counter()
        if self._looks:
            end_s = start_s + (_LOOKS_S if timeout is None else min(_LOOKS_S, timeout))
            while True:
                ready = super().select(0)
                if ready:
                    return ready
                if time.perf_counter() >= end_s:
                    break
            self._looks = False
            return super().select(timeout)
        ready = super().select(timeout)
        self._looks = bool(ready) and time.perf_counter() - start_s < _SOON_S
        return ready


def run(main: Coroutine[Any, Any, None], *, looks: bool) -> None:
    """Run to the end in a loop of its own; what is still under way then is cancelled.

    Args:
        main: What is run.
        looks: Whether the loop looks before it sleeps, for a process that has a core to itself.
    """
    loop = asyncio.SelectorEventLoop(WakefulSelector() if looks else None)
    try:
        loop.run_until_complete(main)
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
    finally:
        loop.close()

"""What happens at once when a stop is asked for, whatever this side is waiting for."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ended_when"]

_LOOK_S = 0.5


@contextmanager
def ended_when(cancelled: threading.Event, end: Callable[[], object]) -> Iterator[None]:
    """Call ``end`` as soon as a stop is asked for, from a thread of its own.

    Who waits for an answer can't be woken up; but a container that is ended closes all of its
    connections, and nobody waits for it any longer.
    """
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            if cancelled.wait(_LOOK_S):
                if not done.is_set():
                    end()
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()

"""Interrupts that wait while something is made that nobody would know of otherwise."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["holding_interrupts"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def holding_interrupts() -> Iterator[Callable[[], bool]]:
    """Hold a Ctrl-C back until the body has ended; give what says whether one came.

    A second one is not held: what the body waits for may never come. Signals that do something else
    than to interrupt, and those of a program that has its body in another thread, stay as they are.
    """
    asked: list[int] = []

    def hold(number: int, _frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    is_main = threading.current_thread() is threading.main_thread()
    held = [
        number
        for number in _SIGNALS
        if is_main and signal.getsignal(number) == signal.default_int_handler
    ]
    for number in held:
        signal.signal(number, hold)
    try:
        yield lambda: bool(asked)
    except Exception as error:
        if asked:
            raise KeyboardInterrupt from error
        raise
    finally:
        for number in held:
            signal.signal(number, signal.default_int_handler)

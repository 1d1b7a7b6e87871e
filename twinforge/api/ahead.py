"""Work that goes on beside what the caller does first, such as asking another program."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ahead"]

Result = TypeVar("Result")


def ahead(work: Callable[[], Result]) -> Future[Result]:
    """Begin to work in a thread, and return where the result, or its error, will be.

    A run that ends with nobody asking for the result does not wait for it.
    """
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
            future.set_exception(error)

    threading.Thread(target=run, name="ahead", daemon=True).start()
    return future

"""Which processes ran in a container, seen from outside while it runs."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from twinforge.errors import TwinforgeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Seen", "watching"]

_PAUSE_S = 0.2


class Watched(Protocol):
    """A container whose processes can be listed; so that tests can be one."""

    def processes(self) -> tuple[str, ...]:
        """Return the command lines of what runs in it, its first process first."""


class Seen:
    """The command lines that were seen so far, in the order of their first appearance."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}

    @property
    def lines(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._lines)

    def add(self, lines: Sequence[str]) -> None:
        """Remember some."""
        self._lines.update(dict.fromkeys(lines))


@contextmanager
def watching(container: Watched) -> Iterator[Seen]:
    """List a container's processes again and again while the body runs.

    What lives for less than a fifth of a second may be missed; what it changed is not (see
    ``installers.changed_packages``).
    """
    seen, done = Seen(), threading.Event()

    def look() -> None:
        while not done.is_set():
            # The engine's silence is told by the checks, which ask it all the time.
            with suppress(TwinforgeError):
                seen.add(container.processes())
            done.wait(_PAUSE_S)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()

"""How much memory the bodies of requests may hold at once, in one process.

A body that finds no room waits, unread, in the kernel and at its sender: one that is refused would
be sent again, and cost more. Those that wait are let in by their order.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from twinforge.runtime.machine import Machine

__all__ = ["SMALL_BYTES", "Budget", "Share", "budget_bytes"]

SMALL_BYTES = 64 * 1024
"""Up to here a body comes with its headers, more or less, and the queue's length is its limit."""

_SHARE = 0.1
"""Of the memory; workers may have 0.85, what they parse and the parent need room, too."""

_UNKNOWN_BYTES = 256 * 1024 * 1024
"""Ten of SageMaker's largest payloads, where nothing says how much memory there is."""


def budget_bytes(machine: Machine, workers: int) -> int:
    """Return how many bytes of bodies one of ``workers`` processes may hold."""
    return int(_SHARE * machine.memory_bytes) // workers or _UNKNOWN_BYTES


class Share:
    """The part of a budget that one body has, or waits for.

    Attributes:
        size_bytes: How much it is; of a body that is longer than the budget, the whole budget.
        is_granted: Whether the body may be read.
    """

    __slots__ = ("_budget", "_on_granted", "is_granted", "size_bytes")

    def __init__(self, budget: Budget, size_bytes: int, on_granted: Callable[[], None]) -> None:
        self._budget = budget
        self._on_granted = on_granted
        self.size_bytes = size_bytes
        self.is_granted = False

    def grant(self) -> None:
        """Let the body be read."""
        self.is_granted = True
        self._on_granted()

    def shrink(self, size_bytes: int) -> None:
        """Keep what a body needs that is there; one that came while it waited waits no longer."""
        if self.is_granted:
            self._budget.shrink(self, size_bytes)
        else:
            self._budget.leave(self)

    def give_back(self) -> None:
        """Leave the budget, or its queue; a second time changes nothing."""
        self._budget.leave(self)


class Budget:
    """A number of bytes that bodies share.

    A body alone always has room, whatever its length, and each that was let in can be read to its
    end: so none waits for ever.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._holders: set[Share] = set()
        self._waiting: deque[Share] = deque()

    @property
    def held_bytes(self) -> int:
        """How much is given out."""
        return self._held_bytes

    def ask(self, size_bytes: int, on_granted: Callable[[], None]) -> Share:
        """Return a share; one without room calls ``on_granted`` when there is.

        Args:
            size_bytes: How long the body is at most; 0 where nothing limits it.
            on_granted: Not called where there is room at once.
        """
        wanted = min(size_bytes, self._limit_bytes) if size_bytes else self._limit_bytes
        share = Share(self, wanted, on_granted)
        if not self._waiting and self._has_room(share):
            self._hold(share)
            share.is_granted = True
        else:
            self._waiting.append(share)
        return share

    def leave(self, share: Share) -> None:
        """Take a share back, and let in those that have room then."""
        if share in self._holders:
            self._holders.remove(share)
            self._held_bytes -= share.size_bytes
        elif share in self._waiting:
            self._waiting.remove(share)
        else:
            return
        self._let_in()

    def shrink(self, share: Share, size_bytes: int) -> None:
        """Take a part of a share back."""
        spare = share.size_bytes - size_bytes
        if share in self._holders and spare > 0:
            share.size_bytes = size_bytes
            self._held_bytes -= spare
            self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._has_room(self._waiting[0]):
            following = self._waiting.popleft()
            self._hold(following)
            following.grant()

    def _has_room(self, share: Share) -> bool:
        return not self._holders or self._held_bytes + share.size_bytes <= self._limit_bytes

    def _hold(self, share: Share) -> None:
        self._holders.add(share)
        self._held_bytes += share.size_bytes

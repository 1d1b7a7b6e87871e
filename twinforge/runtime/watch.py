"""How long the predictions of a process take, in memory that its parent reads.

A process that hangs can't say so: its event loop may wait for the same lock as the prediction that
never ends. So each prediction writes down when it began, which takes less than a microsecond, and
the parent looks once in a while. What the parent then has to say to the process stands beside it.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass

__all__ = ["Running", "Watch"]

_DOUBLE = 8
_ENDING = 0
_FIRST = 1
_BEGAN, _SENDER, _TOLD = range(3)
_EACH = 3


@dataclass(frozen=True)
class Running:
    """A prediction that has begun.

    Attributes:
        place: Which of those that run at a time.
        began_s: When, by the monotonic clock, which is the same in all processes.
        sender: The inode of its connection's socket; 0 where nobody in particular waits for it.
    """

    place: int
    began_s: float
    sender: int


class Watch:
    """What one process and its parent tell each other of predictions.

    Made before the process is forked. Each place is written by one thread at a time, and each
    number by one side, so that nothing need be locked.

    Args:
        threads: How many predictions run at a time; place 0 is the event loop's, and others follow.
    """

    def __init__(self, threads: int) -> None:
        self._places = threads + 1
        memory = mmap.mmap(-1, (_FIRST + _EACH * self._places) * _DOUBLE)
        self._cells = memoryview(memory).cast("d")

    # What the process says.

    def begin(self, place: int, began_s: float, sender: int) -> None:
        """Note that a prediction begins."""
        at = _FIRST + _EACH * place
        self._cells[at + _SENDER] = sender
        self._cells[at + _BEGAN] = began_s

    def end(self, place: int) -> None:
        """Note that it has ended."""
        self._cells[_FIRST + _EACH * place + _BEGAN] = 0.0

    def overdue(self) -> frozenset[int]:
        """Return the places of the predictions that the parent waits for no longer."""
        return frozenset(
            one.place for one in self.running() if self._told(one.place) == one.began_s
        )

    def note_ending(self) -> None:
        """Note that the process knows, and ends by itself."""
        self._cells[_ENDING] = 1.0

    # What the parent says.

    def running(self) -> list[Running]:
        """Return the predictions that run now."""
        found = []
        for place in range(self._places):
            at = _FIRST + _EACH * place
            began_s = self._cells[at + _BEGAN]
            if began_s:
                found.append(Running(place, began_s, int(self._cells[at + _SENDER])))
        return found

    def tell(self, late: Running) -> None:
        """Say that this prediction is waited for no longer; another one in its place is."""
        self._cells[_FIRST + _EACH * late.place + _TOLD] = late.began_s

    @property
    def is_ending(self) -> bool:
        """Whether the process ends by itself."""
        return bool(self._cells[_ENDING])

    def _told(self, place: int) -> float:
        return self._cells[_FIRST + _EACH * place + _TOLD]

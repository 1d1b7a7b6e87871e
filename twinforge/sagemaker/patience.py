"""How long to wait for what takes time at AWS, and how often to look."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Patience"]

_CONSISTENT_TRIES = 6
_LONGEST_PAUSE_S = 16.0


@dataclass(frozen=True, slots=True)
class Patience:
    """A pause between two looks, and an end.

    Attributes:
        poll_s: Seconds between two looks.
        limit_s: Seconds after which waiting is given up; what was asked for goes on at AWS.
        sleep: Waits.
        clock: Returns seconds; only differences count.
    """

    poll_s: float = 10.0
    limit_s: float = 3600.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def looks(self) -> Iterator[int]:
        """Give the number of every look, with a pause before each but the first, until the end."""
        start_s = self.clock()
        number = 0
        while True:
            yield number
            number += 1
            if self.clock() - start_s + self.poll_s > self.limit_s:
                return
            self.sleep(self.poll_s)

    def consistent(self) -> Iterator[bool]:
        """Give whether a try is the last, with growing pauses between them: half a minute in all.

        It is for what was just made and is not seen everywhere yet.
        """
        pause_s = min(1.0, self.poll_s)
        for number in range(1, _CONSISTENT_TRIES + 1):
            yield number == _CONSISTENT_TRIES
            self.sleep(min(pause_s, _LONGEST_PAUSE_S))
            pause_s *= 2

"""How long a parent waits for a prediction, and what it does to a process that hangs.

Source of the seconds: SageMaker's developer guide and API. A real-time invocation has 60 s, a stream
8 minutes, an asynchronous one and a batch's up to an hour (``InvocationTimeoutSeconds`` and
``InvocationsTimeoutInSeconds``, 3,600 at most). Nothing tells a container which kind a request is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from twinforge.runtime.watch import Running, Watch

__all__ = ["Late", "Patience", "still_waits"]

_ROOT = Path("/")
_ESTABLISHED = "01"
_STATE, _INODE = 3, 9
_ANSWERS_S = 3.0
"""How long a process may take to notice what it was told, which it looks for each second."""


def still_waits(sender: int, root: Path = _ROOT) -> bool:
    """Whether the other side of a socket with this inode has not closed it; true if unknown.

    The kernel is asked, since the process itself may hang. Source:
    https://docs.kernel.org/networking/proc_net_tcp.html
    """
    try:
        lines = (root / "proc/net/tcp").read_text().splitlines()[1:]
    except OSError:
        return True
    states = [fields[_STATE] for fields in map(str.split, lines) if fields[_INODE] == str(sender)]
    return _ESTABLISHED in states


@dataclass(frozen=True)
class Late:
    """A prediction that took too long.

    Attributes:
        took_s: Until now.
        limit_s: How long it could take.
        is_left: Whether its sender has gone.
    """

    took_s: float
    limit_s: float
    is_left: bool


class Patience:
    """What a parent has with one process.

    Args:
        watch: The process's.
        limit_s: How long a prediction may take while its sender waits.
        left_s: How long it may take when its sender has gone.
        stop_s: How long the other predictions of the process may take when one was too long.
        waits: Says whether the sender behind a socket's inode still waits.
    """

    def __init__(
        self,
        watch: Watch,
        *,
        limit_s: float,
        left_s: float,
        stop_s: float,
        waits: Callable[[int], bool] = still_waits,
    ) -> None:
        self._watch = watch
        self._limit_s = limit_s
        self._left_s = left_s
        self._stop_s = stop_s
        self._waits = waits
        self._told_s = 0.0

    def look(self) -> Late | None:
        """Tell the process that a prediction is overdue; return that one, once."""
        if self._told_s:
            return None
        now_s = time.monotonic()
        for one in self._watch.running():
            late = self._judged(one, now_s - one.began_s)
            if late is not None:
                self._watch.tell(one)
                self._told_s = now_s
                return late
        return None

    def is_over(self) -> bool:
        """Whether the process must be killed, since it does not end by itself."""
        if not self._told_s:
            return False
        since_s = time.monotonic() - self._told_s
        if self._watch.is_ending:
            return since_s > self._stop_s + _ANSWERS_S
        if not self._watch.overdue():  # it ended just then
            self._told_s = 0.0
            return False
        return since_s > _ANSWERS_S

    def _judged(self, one: Running, took_s: float) -> Late | None:
        if took_s > self._limit_s:
            return Late(took_s, self._limit_s, is_left=False)
        is_left = took_s > self._left_s and one.sender and not self._waits(one.sender)
        return Late(took_s, self._left_s, is_left=True) if is_left else None

"""Where a prediction runs: in the event loop while it is quick, in a thread while it is not.

Handing work to a thread and back costs more than a small model takes, and a slow model in the event
loop would keep ``/ping`` waiting. What the last predictions took decides.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from twinforge.runtime.logs import log

if TYPE_CHECKING:
    from collections.abc import Callable

    from twinforge.runtime.watch import Watch

__all__ = ["GivenUp", "Runner"]

T = TypeVar("T")

_SMALL_BYTES = 64 * 1024
"""A larger body may take longer than what the small ones took lets one expect."""

_FIRST_S = float("inf")
_UP, _DOWN = 0.25, 0.02
"""How much a slower and a faster prediction move the estimate: one that the machine was busy in
does not send all that follow to a thread, and a few slow ones do."""

_HARMFUL_S = 0.5
_WARY_S = 600.0
"""One that took so long in the event loop has kept pings waiting, which have 2 s: for ten minutes
none is run there then, however quick the others are."""

_LOOP = 0
"""The event loop's place among those that predictions run in; threads have those that follow."""


class GivenUp(Exception):  # noqa: N818 - no fault of what was to run
    """Something is waited for no longer, since the process ends; ``took_s`` is 0 if it never began."""

    def __init__(self, took_s: float) -> None:
        super().__init__(f"given up after {took_s:.0f} s")
        self.took_s = took_s


@dataclass(eq=False)
class _Task:
    """What a thread does: for whom, in which place since when, and whether it was given up."""

    sender: int
    is_sample: bool
    place: int = _LOOP
    thread: int = 0
    began_s: float = 0.0
    given_up: GivenUp | None = None


class Runner:
    """Runs predictions of one process, ``threads`` at a time; with one, one at a time wherever.

    Args:
        threads: How many run at a time.
        inline_s: One that takes less needs no thread.
        queue: How many requests there may be, waiting ones included.
        watch: Where it is written down how long they take.
    """

    def __init__(self, threads: int, *, inline_s: float, queue: int, watch: Watch) -> None:
        self._own = threading.local()
        self._numbers = itertools.count(_LOOP + 1)
        self._pool = ThreadPoolExecutor(
            threads, thread_name_prefix="predict", initializer=self._take_place
        )
        self._inline_s = inline_s if threads == 1 else 0.0
        self._queue = queue
        self._watch = watch
        self._held = 0
        self._tasks: dict[_Task, asyncio.Future[Any]] = {}
        self._is_ending = False
        # Until something was measured, nothing is quick.
        self._estimate_s = _FIRST_S
        self._wary_until_s = 0.0

    def enter(self) -> bool:
        """Take a place for a request, which ``leave`` gives back; whether there is one."""
        if self._held >= self._queue:
            return False
        self._held += 1
        return True

    def leave(self) -> None:
        """Give the place back."""
        self._held -= 1

    def is_quick(self, size_bytes: int) -> bool:
        """Whether a request of this size may be answered here and now."""
        is_small = size_bytes <= _SMALL_BYTES
        is_likely = is_small and self._estimate_s < self._inline_s and not self._tasks
        return is_likely and time.monotonic() >= self._wary_until_s

    def now(self, function: Callable[..., T], *arguments: object, sender: int) -> T:
        """Return what a function returns, and take its time."""
        loop = asyncio.get_running_loop()
        began_s = time.monotonic()
        self._watch.begin(_LOOP, began_s, sender)
        # As in a thread, where none runs: the function may run one of its own.
        asyncio._set_running_loop(None)  # noqa: SLF001 - asyncio documents it for loops
        try:
            return function(*arguments)
        finally:
            asyncio._set_running_loop(loop)  # noqa: SLF001 - as above
            self._watch.end(_LOOP)
            ended_s = time.monotonic()
            self._learn(ended_s - began_s)
            if ended_s - began_s > _HARMFUL_S:
                self._wary_until_s = ended_s + _WARY_S

    async def later(
        self,
        function: Callable[..., T],
        *arguments: object,
        sender: int,
        size_bytes: int = -1,
    ) -> T:
        """Return what a function returns in a thread.

        Args:
            function: What to run.
            arguments: For it.
            sender: The inode of the socket of who waits for it; 0 for nobody in particular.
            size_bytes: Of the body that it works on; negative where it says nothing of predictions.

        Raises:
            GivenUp: It took too long, or something else did.
        """
        if self._is_ending:
            raise GivenUp(0.0)
        task = _Task(sender, 0 <= size_bytes <= _SMALL_BYTES)
        loop = asyncio.get_running_loop()
        self._tasks[task] = loop.run_in_executor(self._pool, self._work, task, function, *arguments)
        try:
            result: T = await self._tasks[task]
        except asyncio.CancelledError:
            if task.given_up is None:
                raise
            raise task.given_up from None
        finally:
            del self._tasks[task]
        return result

    def give_up(self) -> bool:
        """End what the parent waits for no longer, and what has not begun; whether there was any.

        Nothing begins any more then, and what else runs may go on: the process is to end.
        """
        overdue = self._watch.overdue()
        if self._is_ending or not overdue:
            return False
        self._watch.note_ending()
        self._is_ending = True
        now_s = time.monotonic()
        for task, future in tuple(self._tasks.items()):
            if task.began_s and task.place not in overdue:
                continue
            task.given_up = GivenUp(now_s - task.began_s if task.began_s else 0.0)
            if task.began_s:
                stack = traceback.format_stack(sys._current_frames().get(task.thread))  # noqa: SLF001
                log(
                    "error", "where the prediction is that takes too long", traceback="".join(stack)
                )
            future.cancel()
        return True

    def _take_place(self) -> None:
        self._own.place = next(self._numbers)

    def _work(self, task: _Task, function: Callable[..., T], *arguments: object) -> T:
        """Do it, in a thread."""
        task.place, task.thread = self._own.place, threading.get_ident()
        task.began_s = began_s = time.monotonic()
        self._watch.begin(task.place, began_s, task.sender)
        try:
            return function(*arguments)
        finally:
            self._watch.end(task.place)
            if task.is_sample:
                self._learn(time.monotonic() - began_s)

    def _learn(self, took_s: float) -> None:
        if self._estimate_s == _FIRST_S:
            self._estimate_s = took_s
        else:
            move = _UP if took_s > self._estimate_s else _DOWN
            self._estimate_s += move * (took_s - self._estimate_s)

"""Runs builds side by side: owns order and cancellation, and leaves the work to its worker.

One failure is one failure: it is kept as the outcome of its node, and the others go on, unless the
caller asked to stop at the first.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from twinforge.errors import TwinforgeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Outcome", "run_all"]

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Task, Result]):
    """What became of one task: a result, an error, or neither when it was never started."""

    task: Task
    result: Result | None
    error: TwinforgeError | None
    seconds: float

    @property
    def skipped(self) -> bool:
        """Whether the task was never started."""
        return self.result is None and self.error is None


def run_all(
    tasks: Sequence[Task],
    worker: Callable[[Task, threading.Event], Result],
    *,
    jobs: int,
    fail_fast: bool = False,
) -> tuple[Outcome[Task, Result], ...]:
    """Run the worker on every task, at most ``jobs`` at a time.

    Args:
        tasks: In the order of the answer, which is the order of the starts.
        worker: Gets a task and an event that is set when it should stop early; returns anything
            but None.
        jobs: How many run at once, at least 1.
        fail_fast: Whether the first failure stops what runs and what waits.

    Raises:
        KeyboardInterrupt: After every running worker was told to stop and has ended.
    """
    cancelled = threading.Event()
    outcomes: dict[int, Outcome[Task, Result]] = {}
    ends: list[threading.Event] = []

    def work(index: int) -> tuple[int, Outcome[Task, Result]]:
        ended = threading.Event()
        ends.append(ended)
        try:
            return attempt(index)
        finally:
            ended.set()

    def attempt(index: int) -> tuple[int, Outcome[Task, Result]]:
        task = tasks[index]
        if cancelled.is_set():
            return index, Outcome(task, None, None, 0.0)
        start = time.monotonic()
        try:
            result = worker(task, cancelled)
        except TwinforgeError as error:
            # Set here and not where outcomes are collected: this thread takes the next task at once.
            if fail_fast:
                cancelled.set()
            return index, Outcome(task, None, error, time.monotonic() - start)
        return index, Outcome(task, result, None, time.monotonic() - start)

    with ThreadPoolExecutor(max_workers=max(1, min(jobs, len(tasks) or 1))) as pool:
        futures = []
        try:
            # Inside, since Ctrl-C may come while tasks are still being handed over.
            futures += [pool.submit(work, index) for index in range(len(tasks))]
            for future in as_completed(futures):
                index, outcome = future.result()
                outcomes[index] = outcome
        except BaseException:
            cancelled.set()
            for future in futures:
                future.cancel()
            # The pool does not know a thread in whose start the interrupt came.
            for ended in ends:
                ended.wait()
            raise
    return tuple(outcomes[index] for index in range(len(tasks)))

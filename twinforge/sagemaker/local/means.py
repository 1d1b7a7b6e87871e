"""What a local job, endpoint or transform needs: an engine, S3, patience, and whom to tell."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.events import Event, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from twinforge.events import Listener
    from twinforge.sagemaker.local.desk import Desk
    from twinforge.sagemaker.patience import Patience
    from twinforge.sagemaker.storage import MutableStorage

__all__ = ["LocalMeans", "Log", "stop_box"]

SHOWN_LINES = 20
_DRAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class LocalMeans:
    """An engine, S3, how often to look, and a listener; ``stage`` is the verb, for the events."""

    stage: str
    desk: Desk
    storage: MutableStorage
    patience: Patience
    listener: Listener

    def tell(self, node: str, state: State, text: str = "") -> None:
        """Tell the listener what happened to a node."""
        self.listener(Event(self.stage, node, state, text))


class Log:
    """What a container prints: into a file, to the listener in blocks, and its end for errors."""

    def __init__(self, means: LocalMeans, node: str, path: Path) -> None:
        self._means = means
        self._node = node
        self._path = path
        self._lock = threading.Lock()
        self._waiting: list[str] = []
        self._last: deque[str] = deque(maxlen=SHOWN_LINES)

    @property
    def last(self) -> tuple[str, ...]:
        """The last lines."""
        with self._lock:
            return tuple(self._last)

    @contextmanager
    def following(self, box: str) -> Iterator[None]:
        """Follow a container that was started, in a thread, until the body ends."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("w", encoding="utf-8", buffering=1) as file:

            def take(line: str) -> None:
                with self._lock:
                    if not file.closed:
                        print(line, file=file)
                    self._waiting.append(line)
                    self._last.append(line)

            thread = threading.Thread(
                target=self._means.desk.follow, args=(box, take), name=f"log-{self._node}"
            )
            thread.daemon = True
            thread.start()
            try:
                yield
                thread.join(_DRAIN_S)  # what it printed last, after its end
            finally:
                self.tell()
                with self._lock:
                    file.flush()

    def tell(self) -> None:
        """Tell the listener of what came since the last time."""
        with self._lock:
            lines, self._waiting = self._waiting, []
        if lines:
            self._means.tell(self._node, State.NOTE, "\n".join(lines))


def stop_box(
    means: LocalMeans, box: str, grace_s: float, *, meanwhile: Callable[[], None] = lambda: None
) -> None:
    """End a container as the service does: SIGTERM, a grace, SIGKILL.

    Args:
        means: Has the engine.
        box: The container.
        grace_s: 120 for a training job, 30 for an endpoint.
        meanwhile: Called with every look.
    """
    desk, clock = means.desk, means.patience.clock
    desk.signal(box, "SIGTERM")
    deadline = clock() + grace_s
    while is_running(desk, box):
        if clock() >= deadline:
            desk.signal(box, "SIGKILL")
            deadline = clock() + grace_s
        meanwhile()
        means.patience.sleep(means.patience.poll_s)


def is_running(desk: Desk, box: str) -> bool:
    """Whether a container is there and runs."""
    found = desk.look(box)
    return found is not None and found.is_running

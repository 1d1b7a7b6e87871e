"""The processes of ``serve``: made by a fork, heard through a pipe, watched while they predict."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.runtime.logs import log_exception
from twinforge.runtime.patience import Patience
from twinforge.runtime.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import NoReturn, TypeAlias

    from twinforge.runtime.settings import Settings

    Work: TypeAlias = Callable[[Callable[[str], None], Watch], int]

__all__ = ["Child", "fork"]


@dataclass
class Child:
    """A process that serves, or is on its way to.

    Attributes:
        number: Which one it is, from 0.
        pid: Its process.
        pipe: Where it is heard.
        started_s: When, by the monotonic clock.
        patience: How long its predictions are waited for.
        is_late: Whether one of them took too long.
        is_loaded: Whether it has said so.
        reason: Why it can't load its model, as it has said.
    """

    number: int
    pid: int
    pipe: int
    started_s: float
    patience: Patience
    is_late: bool = False
    is_loaded: bool = False
    reason: str = ""
    _unread: bytes = b""

    def hear(self) -> list[tuple[str, str]]:
        """Return what it has said since the last time: a word and what follows it, for each line."""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.pipe, 65536):
                self._unread += chunk
        *lines, self._unread = self._unread.split(b"\n")
        parted = (line.decode(errors="replace").partition(" ") for line in lines)
        return [(word, rest) for word, _, rest in parted]


def fork(number: int, settings: Settings, siblings: Iterable[Child], work: Work) -> Child:
    """Start a process.

    Args:
        number: Which one it is.
        settings: How long its predictions may take, and how many run at a time.
        siblings: Those that run; their pipes are none of its own.
        work: What it does with its voice and its watch; returns its exit status.
    """
    read, write = os.pipe()
    watch = Watch(settings.threads)
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _become(write, watch, work, closes=(read, *(one.pipe for one in siblings)))
    os.close(write)
    os.set_blocking(read, False)
    patience = Patience(
        watch, limit_s=settings.limit_s, left_s=settings.left_s, stop_s=settings.stop_s
    )
    return Child(number, pid, read, time.monotonic(), patience)


def _become(pipe: int, watch: Watch, work: Work, *, closes: Iterable[int]) -> NoReturn:
    """Work, and end; nothing of the parent's may run in this process."""
    status = 1

    def tell(line: str) -> None:
        first = line.splitlines()[0] if line else ""
        os.write(pipe, f"{first}\n".encode(errors="backslashreplace"))

    try:
        signal.set_wakeup_fd(-1)
        for one in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(one, signal.SIG_DFL)
        for fd in closes:
            os.close(fd)
        status = work(tell, watch)
    except BaseException as error:  # noqa: BLE001 - a worker must never return from here
        log_exception("a worker failed", error)
    finally:
        with contextlib.suppress(Exception):  # whatever the user's code has made of them
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)

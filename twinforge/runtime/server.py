"""The connections of one process: accepted one at a time, swept when idle, finished before the end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from twinforge.runtime.body import READ_BYTES
from twinforge.runtime.connection import Connection
from twinforge.runtime.logs import log, log_exception

if TYPE_CHECKING:
    from collections.abc import Callable

    from twinforge.runtime.budget import Budget
    from twinforge.runtime.routes import Routes

__all__ = ["OneAtATime", "Server"]

_BACKLOG = 2048
_TICK_S = 1.0
_IDLE_S = 75.0
"""Longer than callers keep idle connections, so that it is they who close them."""

_LAST_ACCEPT_S = 0.1
"""How long connections are still taken after SIGTERM: those that the kernel has accepted already."""

_PAUSE_S = 0.02


class OneAtATime(socket.socket):
    """A listening socket that gives one connection per turn of the event loop.

    asyncio takes all that wait in one go; other processes, which are idle, would get none of them.
    """

    _is_next = True

    def accept(self) -> tuple[socket.socket, Any]:
        """Return a connection, or say that there is none for now."""
        self._is_next = not self._is_next
        if self._is_next:
            raise BlockingIOError
        return super().accept()


class Server:
    """Answers by ``routes`` until it is told to stop.

    Args:
        routes: Who answers.
        stop_s: How long what is in flight may take in the end.
        must_end: Says each second whether to stop without having been told.
        budget: What the bodies of all requests share.

    Attributes:
        connections: All that are open.
        date: What the header of that name says, by the second.
        budget: What the bodies of all requests share.
        buffer: What is read into, and parsed before the next connection has its turn.
    """

    def __init__(
        self, routes: Routes, *, stop_s: float, must_end: Callable[[], bool], budget: Budget
    ) -> None:
        self.connections: set[Connection] = set()
        self.date = formatdate(usegmt=True)
        self.budget = budget
        self.buffer = memoryview(bytearray(READ_BYTES))
        self._routes = routes
        self._stop_s = stop_s
        self._must_end = must_end

    async def serve(self, listener: socket.socket, on_listening: Callable[[], None]) -> None:
        """Serve until SIGTERM, and until what was in flight then is answered."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        loop.set_exception_handler(_log_failure)
        server = await loop.create_server(
            lambda: Connection(self, self._routes), sock=listener, backlog=_BACKLOG
        )
        os.register_at_fork(
            # A signal to the child that came sooner would be one of this process.
            before=lambda: _mask(signal.SIG_BLOCK),
            after_in_parent=lambda: _mask(signal.SIG_UNBLOCK),
            after_in_child=lambda: self._let_go(listener),
        )
        on_listening()
        stopping = asyncio.ensure_future(stop.wait())
        while not stop.is_set() and not self._must_end():
            await asyncio.wait({stopping}, timeout=_TICK_S)
            self._tick(loop.time())
        if stop.is_set():  # else there are others who take them
            await asyncio.sleep(_LAST_ACCEPT_S)
        server.close()
        deadline_s = loop.time() + self._stop_s
        for connection in tuple(self.connections):
            connection.shut()
        while self.connections and loop.time() < deadline_s:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(_PAUSE_S)

    def _let_go(self, listener: socket.socket) -> None:
        """Let go of what is not its own, in a process that the user's code has forked.

        Connections would stay open with it when this process is killed; and a signal that it gets
        would be taken for one of this process, whose loop is woken through a pipe of both.
        """
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _mask(signal.SIG_UNBLOCK)
        nothing = os.open(os.devnull, os.O_RDWR)
        taken = (connection.fileno() for connection in self.connections)
        for fd in (listener.fileno(), *taken):
            if fd >= 0:  # the number stays in use: the objects that hold it may close it yet
                os.dup2(nothing, fd, inheritable=False)
        os.close(nothing)

    def _tick(self, now_s: float) -> None:
        self.date = formatdate(usegmt=True)
        for connection in tuple(self.connections):
            # One that is in the middle of a request has stopped sending; SageMaker waits 60 s.
            if connection.is_held_back:
                if connection.is_left:
                    connection.close()
            elif connection.has_stalled(now_s, _IDLE_S):
                connection.close()


def _log_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what no request has failed by, such as that there is no descriptor for a connection."""
    del loop
    error = context.get("exception")
    if error is None:
        log("error", "the event loop complains", why=context["message"])
    else:
        log_exception("the event loop complains", error, why=context["message"])


def _mask(how: int) -> None:
    signal.pthread_sigmask(how, {signal.SIGTERM})

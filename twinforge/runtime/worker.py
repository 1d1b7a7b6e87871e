"""One serving process: it loads the model, says so, and then answers."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn

from twinforge.runtime.application import Application
from twinforge.runtime.logs import log, log_exception
from twinforge.runtime.multimodel import ModelError, Models
from twinforge.runtime.predictor import load_predictor
from twinforge.runtime.sources import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twinforge.runtime.machine import Machine
    from twinforge.runtime.settings import Settings

__all__ = ["Place", "run_worker"]

_BACKLOG = 2048
_KEEP_ALIVE_S = 75
"""Longer than callers keep idle connections, so that it is they who close them."""


@dataclass(frozen=True)
class Place:
    """What a process is given.

    Attributes:
        number: Which one it is, from 0.
        port: The bound socket; it listens when the first process has loaded its model.
        tell: Writes a line to the parent: ``loaded``, ``failed REASON``, ``models JSON``.
        models: Models that the process before it had loaded by requests: name -> url.
    """

    number: int
    port: socket.socket
    tell: Callable[[str], None]
    models: Mapping[str, str]


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


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, place: Place) -> None:
        super().__init__(config)
        self._place = place

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the port."""
        await super().startup(sockets)
        self._place.tell("loaded")
        log("info", "serving", worker=self._place.number)


def run_worker(settings: Settings, machine: Machine, place: Place) -> int:
    """Serve until SIGTERM, and return the exit status."""
    try:
        application = _application(settings, machine, place)
    except SourceError as error:
        place.tell(f"failed {error}")
        return 1
    except BaseException as error:  # noqa: BLE001 - the parent says it last, whatever it is
        log_exception("the model can't be loaded", error)
        place.tell(f"failed {type(error).__name__}: {error}")
        return 1
    # What is loaded stays: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    return _serve(application, settings, place)


def _application(settings: Settings, machine: Machine, place: Place) -> Application:
    predictor = load_predictor(settings.predictor)
    if not settings.multi_model:
        model = predictor.load(settings.model_dir)
        return Application(predictor, settings, model=model)

    def on_change(urls: dict[str, str]) -> None:
        place.tell(f"models {json.dumps(urls)}")

    models = Models(predictor.load, memory_bytes=machine.memory_bytes, on_change=on_change)
    for name, url in place.models.items():
        try:
            models.load(json.dumps({"model_name": name, "url": url}).encode())
        except ModelError as error:
            log("error", "a model of the process before is lost", model=name, why=str(error))
    return Application(predictor, settings, models=models)


def _serve(application: Application, settings: Settings, place: Place) -> int:
    parent = os.getppid()

    async def end_with_the_parent() -> None:
        if os.getppid() != parent:
            server.should_exit = True

    config = uvicorn.Config(
        application,
        loop="asyncio",
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.stop_s),
        timeout_notify=1,
        callback_notify=end_with_the_parent,
    )
    server = _Server(config, place)

    def stop(*_: object) -> None:
        server.should_exit = True

    # The server's own handlers come later and go earlier than it is alive; these close the gaps.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listener = OneAtATime(fileno=place.port.detach())
    listener.setblocking(False)  # noqa: FBT003 - its only parameter

    asyncio.run(server.serve(sockets=[listener]))
    sys.stdout.flush()
    return 0

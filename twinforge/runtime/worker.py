"""One serving process: it loads the model, says so, and then answers."""

from __future__ import annotations

import gc
import json
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.runtime import polling
from twinforge.runtime.application import Application
from twinforge.runtime.budget import Budget, budget_bytes
from twinforge.runtime.failure import reason_of
from twinforge.runtime.logs import log, log_exception
from twinforge.runtime.multimodel import ModelError, Models
from twinforge.runtime.predictor import load_predictor
from twinforge.runtime.server import OneAtATime, Server
from twinforge.runtime.sources import SourceError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from twinforge.runtime.machine import Machine
    from twinforge.runtime.settings import Settings
    from twinforge.runtime.watch import Watch

__all__ = ["Place", "has_core", "run_worker"]


@dataclass(frozen=True)
class Place:
    """What a process is given.

    Attributes:
        number: Which one it is, from 0.
        port: The bound socket; it listens when the first process has loaded its model.
        tell: Writes a line to the parent: ``loaded``, ``failed REASON``, ``models JSON``.
        models: Models that the process before it had loaded by requests: name -> url.
        watch: Where it says how long its predictions take.
    """

    number: int
    port: socket.socket
    tell: Callable[[str], None]
    models: Mapping[str, str]
    watch: Watch


def run_worker(settings: Settings, machine: Machine, place: Place) -> int:
    """Serve until SIGTERM, and return the exit status."""
    try:
        application = _application(settings, machine, place)
    except SourceError as error:
        place.tell(f"failed {error}")
        return 1
    except BaseException as error:  # noqa: BLE001 - the parent says it last, whatever it is
        log_exception("the model can't be loaded", error)
        place.tell(f"failed {reason_of(error, is_ours=False)}")
        return 1
    # What is loaded stays: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    return _serve(application, settings, machine, place)


def has_core(settings: Settings, machine: Machine) -> bool:
    """Whether each process has a core that nothing else of this container waits for."""
    return settings.workers <= machine.full_cores and settings.threads == 1


def _application(settings: Settings, machine: Machine, place: Place) -> Application:
    predictor = load_predictor(settings.predictor)
    if not settings.multi_model:
        model = predictor.load(settings.model_dir)
        return Application(predictor, settings, place.watch, model=model)

    def on_change(urls: dict[str, str]) -> None:
        place.tell(f"models {json.dumps(urls)}")

    models = Models(predictor.load, memory_bytes=machine.memory_bytes, on_change=on_change)
    for name, url in place.models.items():
        try:
            models.load(json.dumps({"model_name": name, "url": url}).encode())
        except ModelError as error:
            log("error", "a model of the process before is lost", model=name, why=str(error))
    return Application(predictor, settings, place.watch, models=models)


def _serve(application: Application, settings: Settings, machine: Machine, place: Place) -> int:
    parent = os.getppid()
    # Ctrl-C reaches all processes of a terminal: the parent says when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listener = OneAtATime(fileno=place.port.detach())
    listener.setblocking(False)  # noqa: FBT003 - its only parameter

    def on_listening() -> None:
        place.tell("loaded")
        log("info", "serving", worker=place.number)

    server = Server(
        application,
        stop_s=settings.stop_s,
        must_end=lambda: os.getppid() != parent or application.gives_up(),
        budget=Budget(budget_bytes(machine, settings.workers)),
    )
    polling.run(server.serve(listener, on_listening), looks=has_core(settings, machine))
    return 0

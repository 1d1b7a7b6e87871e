"""Which server the runtime could have been built on, and what its own is worth."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.results import Metric, Sample
from benchmarks.runtime import (
    CONNECTIONS,
    FLASK,
    PAYLOADS,
    SERVERS,
    build_by_hand,
    build_project,
    measure_load,
)
from benchmarks.scenario import Scenario

__all__ = ["Servers"]

_BIND = ("--host", "0.0.0.0", "--port", "8080", "--workers", "1")
_SERVERS: dict[str, tuple[str, ...]] = {
    "Flask under gunicorn": (FLASK,),
    "uvicorn": (
        *(SERVERS, "uvicorn", *_BIND, "--loop", "uvloop", "--http", "httptools"),
        *("--no-access-log", "--log-level", "warning", "asgi:app"),
    ),
    "uvicorn with the runtime's answers": (
        *(SERVERS, "uvicorn", *_BIND, "--loop", "uvloop", "--http", "httptools"),
        *("--no-access-log", "--log-level", "warning", "contract:app"),
    ),
    "granian": (
        *(SERVERS, "granian", *_BIND, "--interface", "asgi", "--loop", "uvloop", "--http", "1"),
        *("--no-access-log", "--log-level", "warning", "asgi:app"),
    ),
}
"""Image and command of each: one process, and the loop and parser in C or Rust that it offers."""

_SECONDS = (2, 6)
_PAYLOADS = tuple(
    replace(payload, seconds=seconds) for payload, seconds in zip(PAYLOADS, _SECONDS, strict=True)
)
_MEASURES = tuple(
    f"{what}, {payload.name}, {count} connections"
    for payload in PAYLOADS
    for count in CONNECTIONS
    for what in ("ms per request", "ms of the 99th percentile")
)


class Servers(Scenario):
    """The same model under each server, one core and 1 GB, by the same load.

    The others run a bare handler (``handwritten/servers/asgi.py``), and Flask its own, where the
    runtime does all of SageMaker's contract: what they take is the least that they could. One runs
    the runtime's own answers instead (``contract.py``), so that only the server differs.
    """

    name = "servers"
    title = "requests to the runtime (peer: another server, with a bare handler if nothing else is said)"
    metrics = tuple(Metric(f"{server}: {what}", "") for server in _SERVERS for what in _MEASURES)

    def setup(self) -> None:
        """Build all three images."""
        self._image = build_project(self.bench, "rows")
        base = self.bench.base_of(self._image)
        for image in (FLASK, SERVERS):
            build_by_hand(self.bench, image, base)

    def ours(self, number: int) -> Sample:
        """Measure the runtime once; each of the others is compared with that."""
        del number
        values = self._values(self._image, "serve")
        return dict(zip(self._names(), values * len(_SERVERS), strict=True))

    def peer(self, number: int) -> Sample:
        """Measure the others, each round beginning with another one."""
        order = list(_SERVERS)
        begin = number % len(order)
        measured = {
            server: self._values(*_SERVERS[server]) for server in order[begin:] + order[:begin]
        }
        values = [value for server in _SERVERS for value in measured[server]]
        return dict(zip(self._names(), values, strict=True))

    def _names(self) -> list[str]:
        return [metric.name for metric in self.metrics]

    def _values(self, image: str, *command: str) -> list[float]:
        """Return milliseconds in the order of the measures."""
        loads = measure_load(self.bench, image, *command, payloads=_PAYLOADS).values()
        return [value for load in loads for value in (1000 / load.per_second, 1000 * load.p99_s)]

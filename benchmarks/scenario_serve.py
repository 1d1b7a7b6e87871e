"""What an image takes that serves: to start, and to answer."""

from __future__ import annotations

from benchmarks.peer import SWAP
from benchmarks.results import Metric, Sample
from benchmarks.runtime import (
    CONNECTIONS,
    FLASK,
    PAYLOADS,
    build_by_hand,
    build_project,
    measure_load,
)
from benchmarks.scenario import Scenario
from benchmarks.serving import time_to_ping, train_model

__all__ = ["Ping", "Runtime", "Start"]


class Ping(Scenario):
    """A CPU endpoint starts: our CPU image, or a CUDA image that swaps its framework first."""

    name = "ping"
    title = "`docker run` to `/ping` on CPU (peer: CUDA image that swaps its framework at start)"
    metrics = (Metric("time", "s", limit=0.5, is_ratio=True),)

    def setup(self) -> None:
        """Build both and train a model."""
        self._ours = self.checkout()
        self.handwritten(self._ours).build("swap")
        pair = self._ours.pair
        self._image = self._ours.images()[pair.cpu.id]
        self._model = train_model(self.bench, self._image, pair, self._ours.root)

    def ours(self, number: int) -> Sample:
        """Start the CPU image."""
        del number
        return {"time": time_to_ping(self.bench, self._image, self._model, "serve")}

    def peer(self, number: int) -> Sample:
        """Start the image with the hack."""
        del number
        return {"time": time_to_ping(self.bench, SWAP, self._model)}


class Start(Scenario):
    """The runtime with a framework starts: from the program's first instruction to ``/ping``."""

    name = "start"
    title = "the runtime's `serve` to `/ping` (peer: importing the predictor's framework)"
    metrics = (Metric("time", "s", limit=1.2, is_ratio=True),)

    def setup(self) -> None:
        """Build the image, and read its files once."""
        self._image = build_project(self.bench, "frameworks")
        self.peer(0)
        self.ours(0)

    def ours(self, number: int) -> Sample:
        """Serve."""
        del number
        return {"time": self._seconds("ping", "serve")}

    def peer(self, number: int) -> Sample:
        """Import the predictor, and nothing of the runtime; end without Python's tidying up."""
        del number
        imports = "import os, sys; sys.path[0] = '/program'; import predictor; os._exit(0)"
        return {"time": self._seconds("end", "python", "-c", imports)}

    def _seconds(self, *arguments: str) -> float:
        probe = f"{self.bench.root / 'benchmarks/starting.py'}:/starting.py:ro"
        limits = ("--cpus", "1", "--memory", "1g")
        argv = ("run", "--rm", *limits, "--volume", probe, self._image, "python", "/starting.py")
        return float(self.bench.docker(*argv, *arguments))


class Runtime(Scenario):
    """Requests to the built-in runtime and to Flask under gunicorn, one core and 1 GB each."""

    name = "runtime"
    title = "requests to the runtime (peer: Flask under gunicorn)"
    metrics = tuple(
        metric
        for payload in PAYLOADS
        for count in CONNECTIONS
        for metric in (
            Metric(
                f"ms per request, {payload.name}, {count} connections",
                "",
                limit=1 / 3 if payload is PAYLOADS[0] else 1.0,
                is_ratio=True,
            ),
            Metric(
                f"ms of the 99th percentile, {payload.name}, {count} connections",
                "",
                limit=1.0,
                is_ratio=True,
            ),
        )
    )

    def setup(self) -> None:
        """Build both."""
        self._image = build_project(self.bench, "rows")
        build_by_hand(self.bench, FLASK, self.bench.base_of(self._image))

    def ours(self, number: int) -> Sample:
        """Measure the runtime."""
        del number
        return self._sample(self._image, "serve")

    def peer(self, number: int) -> Sample:
        """Measure Flask."""
        del number
        return self._sample(FLASK)

    def _sample(self, image: str, *command: str) -> Sample:
        loads = measure_load(self.bench, image, *command).values()
        values = (value for load in loads for value in (1000 / load.per_second, 1000 * load.p99_s))
        return dict(zip((metric.name for metric in self.metrics), values, strict=True))

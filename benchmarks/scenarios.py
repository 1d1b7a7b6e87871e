"""What is measured: each scenario is a setup, our side and the peer's."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from benchmarks.ours import Ours, copy_checkout
from benchmarks.peer import IMAGES, SWAP, Peer, minimal_base, write_peer
from benchmarks.registry import running_registry
from benchmarks.results import Metric, Sample
from benchmarks.runtime import (
    CONNECTIONS,
    FLASK,
    PAYLOADS,
    build_flask,
    build_project,
    measure_load,
)
from benchmarks.serving import time_to_ping, train_model
from twinforge.errors import StaleError

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bench import Bench

__all__ = ["SCENARIOS", "Scenario"]

_SECONDS = Metric("time", "s")
_WHEELS = ("numpy", "pandas", "scikit-learn", "scipy", "xgboost")
"""Whose pins `Wheels` moves: those of the pair that have a layer of their own."""


class Scenario(ABC):
    """One thing that is measured, in alternating rounds.

    Attributes:
        name: How the command line names it.
        title: How the table names it.
        metrics: What the samples of both sides hold.
        prunes: Whether it empties the engine's build cache.
        rounds: How many there are, whatever is asked for; 0 for as many as that.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    metrics: tuple[Metric, ...]
    prunes: ClassVar[bool] = False
    rounds: ClassVar[int] = 0

    def __init__(self, bench: Bench, recipe: str, package: str) -> None:
        self.bench = bench
        self.recipe = recipe
        self.package = package

    @abstractmethod
    def setup(self) -> None:
        """Make everything that is not measured."""

    @abstractmethod
    def ours(self, number: int) -> Sample:
        """Measure Twinforge in a round; rounds count from 0."""

    def peer(self, number: int) -> Sample | None:
        """Measure the hand-written Dockerfiles; None where there is nothing to compare with."""
        del number
        return None

    def checkout(self) -> Ours:
        """Return a fresh copy of the checkout, with the pair built."""
        ours = Ours(self.bench, copy_checkout(self.bench, f"{self.name}-ours"), self.recipe)
        ours.build()
        return ours

    def handwritten(self, ours: Ours, base: str = "") -> Peer:
        """Return the hand-written pair with the pins and the program of ours, and its base or ours."""
        program = ours.root / ours.pair.recipe.program
        return write_peer(self.bench, f"{self.name}-peer", ours.pair, program, base or ours.base())

    def registry_folder(self, side: str, number: int) -> Path:
        """Return the folder of a new registry."""
        return self.bench.scratch / f"{self.name}-registry-{side}-{number}"


class Cold(Scenario):
    """Both images from nothing but the base, on an engine without a build cache."""

    name = "cold"
    title = "cold pair"
    metrics = (
        Metric("time", "s", limit=0.35, is_ratio=True),
        Metric("images that differ from the first round's", "", limit=0, takes_worst=True),
    )
    prunes = True

    def setup(self) -> None:
        """Build once, which makes the base."""
        self._ours = self.checkout()
        self._peer = self.handwritten(self._ours)
        self._first: dict[str, dict[str, str]] = {}

    def ours(self, number: int) -> Sample:
        """Build with an empty cache."""
        del number
        self._ours.forget()
        self.bench.prune_build_cache()
        seconds = self._ours.build()
        return {"time": seconds, **self._differing("ours", self._ours.images())}

    def peer(self, number: int) -> Sample:
        """Bake with an empty cache."""
        del number
        self._peer.forget()
        self.bench.prune_build_cache()
        seconds = self._peer.build()
        inspect = ("image", "inspect", "--format", "{{.Id}}")
        images = {name: self.bench.docker(*inspect, image) for name, image in IMAGES.items()}
        return {"time": seconds, **self._differing("peer", images)}

    def _differing(self, side: str, images: dict[str, str]) -> Sample:
        first = self._first.setdefault(side, images)
        count = sum(first[name] != image for name, image in images.items())
        return {self.metrics[1].name: count}


class ColdBare(Cold):
    """As above, but by hand from the distribution's minimal system, which has no Python.

    That is what a hand-written file names in FROM where nobody made a base beforehand: Debian's and
    Ubuntu's own images hold no Python, so its first step installs one.
    """

    name = "cold-bare"
    title = "cold pair, by hand from a minimal Debian"

    def setup(self) -> None:
        """Build once, which makes our base, and make the minimal one."""
        self._ours = self.checkout()
        self._peer = self.handwritten(self._ours, minimal_base(self.bench, self._ours.pair))
        self._first = {}


class Unchanged(Scenario):
    """Both images are there already."""

    name = "unchanged"
    title = "unchanged pair"
    metrics = (Metric("time", "s", limit=1.0, is_ratio=True),)

    def setup(self) -> None:
        """Build both."""
        self._ours = self.checkout()
        self._peer = self.handwritten(self._ours)
        self._peer.build()

    def ours(self, number: int) -> Sample:
        """Build again."""
        del number
        return {"time": self._ours.build()}

    def peer(self, number: int) -> Sample:
        """Bake again."""
        del number
        return {"time": self._peer.build()}


class Program(Unchanged):
    """One file of the program has changed."""

    name = "program"
    title = "one program file changed"
    metrics = (_SECONDS,)

    def setup(self) -> None:
        """Build both after a first edit: images that were there already leave no build cache."""
        super().setup()
        for side in (self._ours, self._peer):
            side.edit_program("before the first round")
            side.build()

    def ours(self, number: int) -> Sample:
        """Edit the file and build."""
        self._ours.edit_program(f"round {number}")
        return {"time": self._ours.build()}

    def peer(self, number: int) -> Sample:
        """Edit the file and bake."""
        self._peer.edit_program(f"round {number}")
        return {"time": self._peer.build()}


class Pin(Scenario):
    """The pin of one wheel has changed; the pair before the change is built and pushed."""

    name = "pin"
    title = "one wheel's pin changed"
    metrics = (
        Metric("build", "s"),
        Metric("push", "s"),
        Metric("pushed", "bytes"),
        Metric("pushed, in sizes of that wheel", "", limit=1.2),
    )
    prunes = True

    def setup(self) -> None:
        """Lock the earlier version in a second checkout, and write both pairs of Dockerfiles."""
        self._before = self.checkout()
        self._after = Ours(self.bench, copy_checkout(self.bench, f"{self.name}-after"), self.recipe)
        self._after.move_pin(self.package, "0.0.1")
        before, after = self._before.pair.wheels, self._after.pair.wheels
        changed = [wheel for digest, wheel in after.items() if digest not in before]
        if [wheel.name for wheel in changed] != [self.package]:
            names = ", ".join(wheel.name for wheel in changed)
            message = f"an earlier {self.package} changes other wheels: {names}"
            raise StaleError(message, hint="choose another with --wheel")
        self._wheel_bytes = changed[0].size_bytes
        self._peer_before = self.handwritten(self._before)
        program = self._after.root / self._after.pair.recipe.program
        self._peer_after = write_peer(
            self.bench, f"{self.name}-peer-after", self._after.pair, program, self._peer_before.base
        )
        self._before.smoke()

    def ours(self, number: int) -> Sample:
        """Build and push before the change, then measure both after it."""
        # Both, and first: beside older images of the same layers, what is built after a pruning may
        # get another digest for the same files (moby's overlay2 has two orders of writing them).
        self._after.forget()
        self._before.forget()
        self.bench.prune_build_cache()
        self._before.build()
        self._before.smoke()
        with running_registry(self.registry_folder("ours", number)) as registry:
            self._before.push(registry.host)
            stored = registry.stored_bytes()
            build = self._after.build()
            self._after.smoke()
            push = self._after.push_again(registry.host)
            return self._sample(build, push, registry.stored_bytes() - stored)

    def peer(self, number: int) -> Sample:
        """Do the same by hand."""
        self._peer_after.forget()
        self.bench.prune_build_cache()
        self._peer_before.build()
        with running_registry(self.registry_folder("peer", number)) as registry:
            self._peer_before.push(registry.host)
            stored = registry.stored_bytes()
            build = self._peer_after.build()
            push = self._peer_after.push(registry.host)
            return self._sample(build, push, registry.stored_bytes() - stored)

    def _sample(self, build: float, push: float, pushed_bytes: int) -> Sample:
        sizes = pushed_bytes / self._wheel_bytes
        return dict(
            zip((m.name for m in self.metrics), (build, push, pushed_bytes, sizes), strict=True)
        )


class Wheels(Scenario):
    """The pin of each wheel that matters in size has changed, one after the other.

    Bytes are counted, and those are the same in every round.
    """

    name = "wheels"
    title = "pushed after one wheel's pin changed, in sizes of that wheel"
    metrics: tuple[Metric, ...] = ()
    prunes = True
    rounds = 1

    def setup(self) -> None:
        """Lock an earlier version of each in a checkout of its own."""
        self._before = self.checkout()
        held = self._before.pair.wheels
        self._after: dict[str, tuple[Ours, int]] = {}
        for number, package in enumerate(_WHEELS, start=1):
            ours = Ours(
                self.bench, copy_checkout(self.bench, f"{self.name}-{package}"), self.recipe
            )
            ours.move_pin(package, f"0.0.{number}")
            changed = [wheel for digest, wheel in ours.pair.wheels.items() if digest not in held]
            names = " and ".join(sorted(wheel.name for wheel in changed))
            self._after[names] = ours, sum(wheel.size_bytes for wheel in changed)
        self._worst: dict[str, float] = {}

    def ours(self, number: int) -> Sample:
        """Push the pair before the changes, and after each of them."""
        for ours in (self._before, *(ours for ours, _ in self._after.values())):
            ours.forget()
        self.bench.prune_build_cache()
        self._before.build()
        self._before.smoke()
        sample: Sample = {}
        with running_registry(self.registry_folder("ours", number)) as registry:
            self._before.push(registry.host)
            for names, (ours, wheel_bytes) in self._after.items():
                stored = registry.stored_bytes()
                ours.build()
                ours.smoke()
                ours.push_again(registry.host)
                sample[names] = (registry.stored_bytes() - stored) / wheel_bytes
                self._worst[names] = max(sample[names], self._worst.get(names, 0))
        worst_first = sorted(self._worst, key=lambda names: -self._worst[names])
        self.metrics = tuple(
            Metric(names, "", limit=1.2, takes_worst=True) for names in worst_first
        )
        return sample


class Push(Scenario):
    """The pair goes to a registry that is empty, and then again to the same one."""

    name = "push"
    title = "push of the pair"
    metrics = (
        Metric("time", "s", limit=0.45, is_ratio=True),
        Metric("unique bytes in the registry", "bytes"),
        Metric("again, with nothing changed", "s", limit=1.0),
    )

    def setup(self) -> None:
        """Build and smoke ours, bake the others."""
        self._ours = self.checkout()
        self._ours.smoke()
        self._peer = self.handwritten(self._ours)
        self._peer.build()

    def ours(self, number: int) -> Sample:
        """Push to a new registry."""
        return self._pushed(self._ours, "ours", number)

    def peer(self, number: int) -> Sample:
        """Push to a new registry."""
        return self._pushed(self._peer, "peer", number)

    def _pushed(self, side: Ours | Peer, name: str, number: int) -> Sample:
        with running_registry(self.registry_folder(name, number)) as registry:
            seconds = side.push(registry.host)
            stored = registry.stored_bytes()
            again = side.push_again(registry.host)
            if registry.stored_bytes() != stored:
                message = "a push of what was there has changed the registry"
                raise StaleError(message)
            return dict(zip((m.name for m in self.metrics), (seconds, stored, again), strict=True))


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
        build_flask(self.bench, self.bench.base_of(self._image))

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


class Scale(Scenario):
    """A matrix of 10,000 variants, before anything is written or built."""

    name = "scale"
    title = "10,000 variants expanded, validated and rendered"
    metrics = (Metric("time", "s", limit=5.0),)

    def setup(self) -> None:
        """Make nothing: each round is a process of its own."""

    def ours(self, number: int) -> Sample:
        """Run the process, which takes its own time."""
        del number
        argv = [sys.executable, "-m", "benchmarks.scale", self.recipe]
        return {"time": float(self.bench.timed(argv, cwd=self.bench.root).stdout)}


class Language(Scenario):
    """A matrix of 10,000 variants in which every kind of rule has work to do."""

    name = "language"
    title = "10,000 variants expanded and validated under all kinds of rules"
    metrics = (Metric("time", "s", limit=2.0), Metric("memory", "bytes", limit=500_000_000))

    def setup(self) -> None:
        """Make nothing: each round is a process of its own."""

    def ours(self, number: int) -> Sample:
        """Run the process, which takes its own time and memory."""
        del number
        argv = [sys.executable, "-m", "benchmarks.language", self.recipe]
        seconds, peak_bytes = self.bench.timed(argv, cwd=self.bench.root).stdout.split()
        return {"time": float(seconds), "memory": float(peak_bytes)}


class Compatibility(Scenario):
    """The resolver's first answer, with reading its data, and a matrix of 1,000 cells."""

    name = "compatibility"
    title = "compatibility: one question, 1,000 cells with the conflicts explained"
    metrics = (Metric("one question", "s", limit=0.5), Metric("1,000 cells", "s", limit=2.0))

    def setup(self) -> None:
        """Make nothing: each round is a process of its own."""

    def ours(self, number: int) -> Sample:
        """Run the process, which takes its own time."""
        del number
        argv = [sys.executable, "-m", "benchmarks.compatibility"]
        one_s, cells_s, _ = self.bench.timed(argv, cwd=self.bench.root).stdout.split()
        return {"one question": float(one_s), "1,000 cells": float(cells_s)}


SCENARIOS: dict[str, type[Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Cold,
        ColdBare,
        Unchanged,
        Program,
        Pin,
        Wheels,
        Push,
        Ping,
        Runtime,
        Scale,
        Language,
        Compatibility,
    )
}

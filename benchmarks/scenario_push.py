"""What a push of the pair takes, and what it sends: all of it, and after a pin has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.ours import Ours, copy_checkout
from benchmarks.peer import write_peer
from benchmarks.registry import running_registry
from benchmarks.results import Metric, Sample
from benchmarks.scenario import Scenario
from twinforge.errors import StaleError

if TYPE_CHECKING:
    from benchmarks.peer import Peer

__all__ = ["Pin", "Push", "Wheels"]

_WHEELS = ("numpy", "pandas", "scikit-learn", "scipy", "xgboost")
"""Whose pins `Wheels` moves: those of the pair that have a layer of their own."""


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

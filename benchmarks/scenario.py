"""What a scenario is: a setup, our side and the peer's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from benchmarks.ours import Ours, copy_checkout
from benchmarks.peer import Peer, write_peer

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bench import Bench
    from benchmarks.results import Metric, Sample

__all__ = ["Scenario"]


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

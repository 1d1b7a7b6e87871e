"""What a build of the pair takes: from nothing, unchanged, and after an edit."""

from __future__ import annotations

from benchmarks.peer import IMAGES, minimal_base
from benchmarks.results import Metric, Sample
from benchmarks.scenario import Scenario

__all__ = ["Cold", "ColdBare", "Program", "Unchanged"]


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
    metrics = (Metric("time", "s"),)

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

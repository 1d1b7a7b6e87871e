"""What is asked before anything is built: each round is a process of its own, without a peer."""

from __future__ import annotations

import sys

from benchmarks.results import Metric, Sample
from benchmarks.scenario import Scenario

__all__ = ["Compatibility", "Language", "Scale"]


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
    """The resolver's first answer, with reading its data, a matrix of 1,000 cells, and ``check``."""

    name = "compatibility"
    title = "compatibility: one question, 1,000 cells with the conflicts explained, `check`"
    metrics = (
        Metric("one question", "s", limit=0.5),
        Metric("1,000 cells", "s", limit=2.0),
        Metric("check of all recipes", "s", limit=1.0),
    )

    def setup(self) -> None:
        """Make nothing: each round is a process of its own."""

    def ours(self, number: int) -> Sample:
        """Run the process that takes its own time, and time the program from its start to its end."""
        del number
        argv = [sys.executable, "-m", "benchmarks.compatibility"]
        one_s, cells_s, _ = self.bench.timed(argv, cwd=self.bench.root).stdout.split()
        check = self.bench.timed([sys.executable, "build.py", "check"], cwd=self.bench.root)
        seconds = (float(one_s), float(cells_s), check.seconds)
        return dict(zip((metric.name for metric in self.metrics), seconds, strict=True))

"""What every scenario works with: the engine, a scratch folder, timed commands."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge import process

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from twinforge.engine.engine import Engine

__all__ = ["Bench", "Timed"]


@dataclass(frozen=True, slots=True)
class Timed:
    """How long a command took, and what it printed on its output."""

    seconds: float
    stdout: str


@dataclass(frozen=True, slots=True)
class Bench:
    """One run of the benchmarks.

    Attributes:
        engine: Where images are built.
        root: The checkout that is measured; nothing in it is changed.
        scratch: A folder that is removed in the end.
        ca: File of certificate authorities that builds and containers trust, or None.
    """

    engine: Engine
    root: Path
    scratch: Path
    ca: Path | None

    def timed(
        self, argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Timed:
        """Run a command that must succeed, and take its time.

        Raises:
            CommandError: It failed.
        """
        start_s = time.perf_counter()
        done = process.run(argv, cwd=cwd or self.scratch, env={**self.engine.env, **(env or {})})
        return Timed(time.perf_counter() - start_s, done.stdout)

    def docker(self, *arguments: str) -> str:
        """Run the docker CLI and return what it printed, without the line end.

        Raises:
            CommandError: It failed.
        """
        argv = [self.engine.docker, *arguments]
        return process.run(argv, cwd=self.scratch, env=self.engine.env).stdout.strip()

    def base_of(self, image: str) -> str:
        """Return the reference of the bootstrapped base that an image stands on.

        Raises:
            LookupError: The engine does not hold it under a name.
        """
        layer = self._layers(image)[0]
        named = self.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "twinforge/base")
        for reference in named.splitlines():
            if self._layers(reference) == [layer]:
                return reference
        message = f"no image twinforge/base has just the layer {layer}"
        raise LookupError(message)

    def remove_images(self, images: Iterable[str]) -> None:
        """Remove images by id or reference, with all their tags; one that is not there is fine."""
        for image in images:
            argv = [self.engine.docker, "image", "rm", "--force", image]
            process.run(argv, env=self.engine.env, check=False)

    def prune_build_cache(self) -> None:
        """Empty the engine's build cache, cache mounts included.

        The caller has made sure that the engine may be treated like that.
        """
        self.docker("buildx", "prune", "--all", "--force")

    def _layers(self, image: str) -> list[str]:
        shown = self.docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image)
        layers: list[str] = json.loads(shown)
        return layers

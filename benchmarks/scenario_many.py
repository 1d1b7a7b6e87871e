"""A thousand small images in one build, and what it takes to see that all are there."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

from benchmarks.results import Metric, Sample
from benchmarks.scenario import Scenario

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Many"]

RECIPES, CELLS = 40, 25
_REPOSITORY = "twinforge-bench-many"
_MATRIX = """\
bases:
  debian-12:
    bootstrap: bookworm
    packages: [ca-certificates, python3]

accelerators:
  cpu: {}

axes:
  accelerator: [cpu]
  python: ["3.11"]
  os: [debian-12]
  cell: [CELLS]

overrides:
OVERRIDES
registry:
  kind: oci
  host: registry.example.com
  repository: "REPOSITORY/{recipe}"
"""


class Many(Scenario):
    """1,000 distinct images: a program per recipe, an environment per variant."""

    name = "many"
    title = "1,000 small images (a bake of 200 targets fails on this engine)"
    metrics = (
        Metric("all built", "s"),
        Metric("images that are missing", "", limit=0),
        Metric("again, with nothing changed", "s", limit=3.0),
    )
    rounds = 1

    def setup(self) -> None:
        """Write, lock and render the project."""
        self._root = self.bench.scratch / self.name
        write_project(self._root)
        shutil.copy(self.bench.root / "images/bases.lock.json", self._root / "images")
        for verb in ("lock", "render"):
            self._twinforge("--quiet", verb)

    def ours(self, number: int) -> Sample:
        """Build, count, ask again, and remove the images."""
        del number
        try:
            built_s, _ = self._twinforge("--quiet", "build", "--json")
            again_s, answer = self._twinforge("--quiet", "build", "--json")
            images = {one["image_id"] for one in json.loads(answer)["images"]}
            missing = RECIPES * CELLS - len(images & set(self._held()))
        finally:
            self.bench.remove_images(self._held())
        return dict(
            zip((metric.name for metric in self.metrics), (built_s, missing, again_s), strict=True)
        )

    def _held(self) -> list[str]:
        pattern = f"reference={_REPOSITORY}/*"
        argv = ("image", "ls", "--no-trunc", "--quiet", "--filter", pattern)
        return sorted(set(self.bench.docker(*argv).split()))

    def _twinforge(self, *arguments: str) -> tuple[float, str]:
        argv = [sys.executable, str(self.bench.root / "build.py"), *arguments]
        done = self.bench.timed(argv, cwd=self._root)
        return done.seconds, done.stdout


def write_project(root: Path) -> None:
    """Write the recipes and the matrix to a new folder, whose base is the shipped project's."""
    (root / "recipes").mkdir(parents=True)
    overrides = "".join(
        f'  - {{when: cell == c{number}, env: {{CELL: "{number}"}}}}\n' for number in range(CELLS)
    )
    matrix = _MATRIX.replace("CELLS", ", ".join(f"c{number}" for number in range(CELLS)))
    matrix = matrix.replace("OVERRIDES", overrides).replace("REPOSITORY", _REPOSITORY)
    (root / "matrix.yaml").write_text(matrix, "utf-8")
    for number in range(RECIPES):
        name = f"small{number:02d}"
        program = root / "images" / name / "program"
        program.mkdir(parents=True)
        for verb in ("train", "serve"):
            (program / verb).write_text(f"#!/bin/sh\necho {name}: {verb}\n", "utf-8")
            (program / verb).chmod(0o755)
        text = f"recipe: {name}\nversion: 1.0.0\nprogram: images/{name}/program\n"
        (root / "recipes" / f"{name}.yaml").write_text(text, "utf-8")

"""Expanding, validating and rendering 10,000 variants: ``python -m benchmarks.scale``.

A process of its own, so that nothing is warm; prints the seconds without those of the imports.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.pair import Pair, read_pair
from twinforge.model.load import load_project
from twinforge.render.dockerfile import render_files

VARIANTS = 10_000
_ACCELERATORS = 20
_SYSTEMS = 5
_PYTHONS = ("3.10", "3.11", "3.12", "3.13")
_TIERS = VARIANTS // (_ACCELERATORS * _SYSTEMS * len(_PYTHONS))


def main() -> int:
    """Measure and print the seconds; 1 if the matrix has another size than it should."""
    source = Path.cwd()
    pair = read_pair(source, sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        write_project(source, root, pair)
        start_s = time.perf_counter()
        count = _expand_and_render(root, pair)
        seconds = time.perf_counter() - start_s
    if count != VARIANTS:
        print(f"{count} variants instead of {VARIANTS}", file=sys.stderr)
        return 1
    print(seconds)
    return 0


def _expand_and_render(root: Path, pair: Pair) -> int:
    """Do what ``render`` does before it writes; the pins are the pair's."""
    project = load_project(root)
    recipe = project.recipes[0]
    locks = {"cpu": pair.cpu_lock, "cuda": pair.cuda_lock}
    for variant in project.variants:
        lock = replace(locks[variant.accelerator.kind], slug=variant.slug, base=variant.base.name)
        render_files(recipe, variant, lock, None)
    return len(project.variants)


def write_project(source: Path, root: Path, pair: Pair) -> None:
    """Write the recipe with a matrix of 10,000 variants; ``root`` is an empty folder."""
    recipe = pair.recipe.place.path
    (root / recipe).parent.mkdir(parents=True)
    shutil.copy2(source / recipe, root / recipe)
    shutil.copytree(source / "images", root / "images")
    cuda = "\n".join(f'  cu{100 + n}: {{cuda: "12.9"}}' for n in range(1, _ACCELERATORS))
    names = ", ".join(["cpu", *(f"cu{100 + n}" for n in range(1, _ACCELERATORS))])
    systems = [f"debian-{12 + n}" for n in range(_SYSTEMS)]
    bases = "\n".join(f"  {name}: {{bootstrap: bookworm}}" for name in systems)
    tiers = ", ".join(f"tier{n}" for n in range(_TIERS))
    pythons = ", ".join(f'"{version}"' for version in _PYTHONS)
    (root / "matrix.yaml").write_text(
        f"bases:\n{bases}\n"
        f"accelerators:\n  cpu: {{}}\n{cuda}\n"
        f"axes:\n  accelerator: [{names}]\n  python: [{pythons}]\n"
        f"  os: [{', '.join(systems)}]\n  tier: [{tiers}]\n",
        "utf-8",
    )


if __name__ == "__main__":
    # Leaves without taking 10,000 variants apart again.
    status = main()
    sys.stdout.flush()
    os._exit(status)

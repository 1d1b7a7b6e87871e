"""The pair that is measured: a recipe's CPU variant and its CUDA variant, with their pins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import StaleError, UsageError
from twinforge.lock.document import read_recipe_lock
from twinforge.model.load import load_project

if TYPE_CHECKING:
    from pathlib import Path

    from twinforge.lock.locked import VariantLock, Wheel
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

__all__ = ["Pair", "read_pair"]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two variants of a recipe that differ in the accelerator only, as locked."""

    recipe: Recipe
    cpu: Variant
    cuda: Variant
    cpu_lock: VariantLock
    cuda_lock: VariantLock

    @property
    def ids(self) -> tuple[str, str]:
        """The variants' ids, which are their selectors as well."""
        return self.cpu.id, self.cuda.id

    @property
    def wheels(self) -> dict[str, Wheel]:
        """Every wheel of either, by the digest of its file."""
        wheels = (*self.cpu_lock.wheels, *self.cuda_lock.wheels)
        return {wheel.sha256: wheel for wheel in wheels}


def read_pair(root: Path, recipe_name: str) -> Pair:
    """Read the first pair of a recipe from a checkout.

    Raises:
        ProjectError: The project's files are wrong.
        UsageError: There is no such recipe, or it has no pair.
        StaleError: It has no lock.
    """
    project = load_project(root)
    variants = [variant for variant in project.variants if variant.recipe == recipe_name]
    lock = read_recipe_lock(root, recipe_name)
    for cpu in (v for v in variants if v.accelerator.kind == "cpu"):
        for cuda in (v for v in variants if v.accelerator.kind == "cuda"):
            if cpu.siblings_key != cuda.siblings_key:
                continue
            if lock is None:
                message = f"the recipe '{recipe_name}' has no lock"
                raise StaleError(message, hint="run `python build.py lock`")
            recipe = project.recipe(recipe_name)
            return Pair(recipe, cpu, cuda, lock.variant(cpu.slug), lock.variant(cuda.slug))
    message = f"no recipe '{recipe_name}' with a CPU and a CUDA variant"
    raise UsageError(message)

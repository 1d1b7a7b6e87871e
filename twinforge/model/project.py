"""A project: the recipes and the matrix of one checkout, and the variants that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.model.merge import variant_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from twinforge.model.matrix import Matrix
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Excluded, Variant

__all__ = ["Project"]


@dataclass(frozen=True, slots=True)
class Project:
    """Everything that was read, and every variant, in declared order (recipes by name).

    ``shelved`` are variants that are kept on record and not made: they are in no selection.
    """

    root: Path
    recipes: tuple[Recipe, ...]
    matrix: Matrix
    variants: tuple[Variant, ...]
    excluded: tuple[Excluded, ...] = ()
    shelved: tuple[Variant, ...] = ()

    def recipe(self, name: str) -> Recipe:
        """Return the recipe of this name.

        Raises:
            KeyError: There is none; names that come from a user go through ``select`` first.
        """
        for recipe in self.recipes:
            if recipe.name == name:
                return recipe
        raise KeyError(name)

    def recipe_for(self, variant: Variant) -> Recipe:
        """Return a variant's recipe, with what overrides change for it."""
        return variant_recipe(self.recipe(variant.recipe), variant)

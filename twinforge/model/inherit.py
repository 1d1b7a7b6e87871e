"""``extends``: which recipe stands on which, and in what order they can be completed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.model.suggest import known_or_close
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.errors import Problem
    from twinforge.model.recipe_file import RecipeFile
    from twinforge.model.source import Source

__all__ = ["parents_first", "parents_of"]


def parents_of(recipes: Mapping[str, Source[RecipeFile] | None]) -> dict[str, str]:
    """Return the name of what each recipe extends; only of those that extend something."""
    return {
        name: source.file.extends
        for name, source in recipes.items()
        if source is not None and source.sound("extends") and source.file.extends
    }


def parents_first(
    recipes: Mapping[str, Source[RecipeFile] | None],
) -> tuple[tuple[str, ...], list[Problem]]:
    """Return the recipes in an order in which each comes after what it extends, and problems.

    Recipes that extend what does not exist, or each other in a circle, are not in the order, and
    neither are those that stand on them.
    """
    parents = parents_of(recipes)
    order: dict[str, None] = {}
    problems: list[Problem] = []
    for name, source in recipes.items():
        chain = _chain(name, parents)
        last = parents.get(chain[-1])
        if last is None and chain[-1] in recipes:
            order.update(dict.fromkeys(reversed(chain)))
        elif source is not None and last == name:
            message = "the recipe extends itself"
            if len(chain) > 1:
                message = f"the recipes extend each other: {' -> '.join([*chain, name])}"
            problems.append(source.problem(message, "extends"))
        elif source is not None and chain[1:] and chain[1] not in recipes:
            others = [other for other in recipes if other != name]
            message = f"the recipe {show_value(chain[1])} does not exist"
            message += known_or_close(chain[1], others)
            problems.append(source.problem(message, "extends"))
    return tuple(order), problems


def _chain(name: str, parents: Mapping[str, str]) -> list[str]:
    """Return a recipe and what it stands on, nearest first, until the end or a repetition."""
    chain = [name]
    while (parent := parents.get(chain[-1])) is not None and parent not in chain:
        chain.append(parent)
    return chain

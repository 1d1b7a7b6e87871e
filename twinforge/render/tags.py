"""The tags of an image: immutable ones by version and by content, moving ones by declared alias."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.model.alias import expand_alias, release_values

if TYPE_CHECKING:
    from twinforge.model.matrix import Matrix
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

__all__ = ["alias_tags", "content_tag", "local_repository"]


def alias_tags(recipe: Recipe, variant: Variant, matrix: Matrix) -> list[str]:
    """Return the declared aliases that point to this variant, in declared order."""
    values = {"recipe": recipe.name, **dict(variant.values)}
    names = {**release_values(recipe.version), **values}
    return [
        expand_alias(alias.tag, names)
        for alias in matrix.aliases
        if all(values.get(axis) == value for axis, value in alias.values.items())
    ]


def content_tag(key: str) -> str:
    """Return the immutable tag of a content key: ``key-`` and its first 16 digits."""
    return f"key-{key[:16]}"


def local_repository(recipe: Recipe, matrix: Matrix) -> str:
    """Return the repository that an image has in the engine: the registry's name without host."""
    template = matrix.registry.repository if matrix.registry else "twinforge/{recipe}"
    return template.format(recipe=recipe.name)

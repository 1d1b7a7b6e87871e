"""The names that an image has besides its version tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twinforge.model.matrix import Matrix
    from twinforge.model.recipe import Recipe

__all__ = ["content_tag", "local_repository"]


def content_tag(key: str) -> str:
    """Return the immutable tag of a content key: ``key-`` and its first 16 digits."""
    return f"key-{key[:16]}"


def local_repository(recipe: Recipe, matrix: Matrix) -> str:
    """Return the repository that an image has in the engine: the registry's name without host."""
    template = matrix.registry.repository if matrix.registry else "twinforge/{recipe}"
    return template.format(recipe=recipe.name)

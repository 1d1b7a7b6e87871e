"""What a variant asks of apt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.lock.cuda import cuda_packages
from twinforge.model.matrix import Bootstrap
from twinforge.model.merge import variant_recipe
from twinforge.model.recipe import AptPackage

if TYPE_CHECKING:
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

__all__ = ["apt_packages"]


def apt_packages(recipe: Recipe, variant: Variant) -> tuple[AptPackage, ...]:
    """Return the Debian packages that a variant asks for, in declared order, each once."""
    own = variant_recipe(recipe, variant)
    system, packages = own.system, own.system.every
    if not isinstance(variant.base.source, Bootstrap):
        # A bootstrapped base declares its Python; an image of a registry is not assumed to have one.
        packages = (AptPackage(f"python{variant.python}"), *packages)
    if variant.accelerator.kind == "cuda":
        packages += system.cuda + variant.accelerator.packages
        named = {package.name for package in packages}
        # what somebody pins by hand is not pinned to the data's version as well
        packages += tuple(one for one in cuda_packages(own, variant) if one.name not in named)
    return tuple(dict.fromkeys(packages))

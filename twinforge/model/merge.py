"""What becomes of a recipe when another one extends it, or an override changes it for a variant.

One rule for both: a mapping is joined key by key, a list of packages name by name, and what comes
later wins. ``steps`` and ``indexes`` come after those that are there, checks are replaced key by key.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from twinforge.model.cuda import change_libraries
from twinforge.model.recipe import SmokeChange, SystemPackages, Twin
from twinforge.model.server import server_packages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.model.recipe import AptPackage, Override, Package, Recipe, Smoke
    from twinforge.model.variant import Variant

__all__ = ["change_smoke", "merge_packages", "merge_system", "variant_recipe"]


def variant_recipe(recipe: Recipe, variant: Variant) -> Recipe:
    """Return the recipe as it is for one variant, with the variant's overrides in it.

    The runtime's server is among its packages, beside whatever the recipe asks of the same ones.
    """
    own = reduce(_overridden, variant.overrides, recipe)
    if own.runtime is None:
        return own
    return replace(own, packages=(*own.packages, *server_packages(own.runtime)))


def merge_packages(
    old: Sequence[Package | Twin], new: Sequence[Package | Twin]
) -> tuple[Package | Twin, ...]:
    """Return old packages without those that new ones have a distribution in common with, and new."""
    names = {name for package in new for name in _distributions(package)}
    kept = (package for package in old if names.isdisjoint(_distributions(package)))
    return (*kept, *new)


def merge_system(old: SystemPackages, new: SystemPackages) -> SystemPackages:
    """Return old Debian packages without the namesakes of new ones, and new; each in its list."""
    names = {package.name for package in (*new.every, *new.cuda)}

    def kept(packages: Sequence[AptPackage]) -> tuple[AptPackage, ...]:
        return tuple(package for package in packages if package.name not in names)

    return SystemPackages(every=(*kept(old.every), *new.every), cuda=(*kept(old.cuda), *new.cuda))


def change_smoke(smoke: Smoke, change: SmokeChange) -> Smoke:
    """Return the checks with those parts replaced that the change has."""
    given = {
        name: value
        for name in SmokeChange.__slots__
        if (value := getattr(change, name)) is not None
    }
    return replace(smoke, **given)


def _overridden(recipe: Recipe, override: Override) -> Recipe:
    return replace(
        recipe,
        env={**recipe.env, **override.env},
        packages=merge_packages(recipe.packages, override.packages),
        indexes=tuple(dict.fromkeys([*recipe.indexes, *override.indexes])),
        system=merge_system(recipe.system, override.system),
        smoke=change_smoke(recipe.smoke, override.smoke),
        cuda=change_libraries(recipe.cuda, override.cuda) if override.cuda else recipe.cuda,
    )


def _distributions(package: Package | Twin) -> set[str]:
    if isinstance(package, Twin):
        return {canonicalize_name(Requirement(name).name) for name in package.names.values()}
    return {canonicalize_name(package.requirement.name)}

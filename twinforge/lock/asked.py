"""What a variant asks for: requirements, each with the line of the recipe that it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from twinforge.errors import LockError
from twinforge.model.merge import variant_recipe
from twinforge.model.recipe import Twin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twinforge.model.place import Place
    from twinforge.model.recipe import Package, Recipe
    from twinforge.model.variant import Variant

__all__ = ["Asked", "asked_by", "twin_families"]


@dataclass(frozen=True, slots=True, order=True)
class Asked:
    """A PEP 508 requirement, where the recipe has it, and the one index for it or an empty text."""

    text: str
    place: Place
    index: str = ""

    @property
    def name(self) -> str:
        """The package's name in canonical form (PEP 503)."""
        return _canonical(self.text)

    def __str__(self) -> str:
        """Return ``'requirement' (path:line:column)``."""
        return f"'{self.text}' ({self.place})"


def asked_by(recipe: Recipe, variants: Iterable[Variant]) -> tuple[Asked, ...]:
    """Return what these variants ask for together, each with its overrides.

    Sorted, so that the order of a recipe's lines decides nothing.

    Raises:
        LockError: A package is a direct URL, for which there is no index to ask.
    """
    asked = {
        Asked(
            _text(package, variant.accelerator.kind),
            package.place,
            "" if isinstance(package, Twin) else package.index,
        )
        for variant in variants
        for package in variant_recipe(recipe, variant).packages
    }
    return tuple(sorted(asked))


def twin_families(recipe: Recipe, variants: Iterable[Variant]) -> dict[str, tuple[str, ...]]:
    """Return, for each distribution of a twin, all distributions of that twin, sorted."""
    families = {}
    packages = (one for variant in variants for one in variant_recipe(recipe, variant).packages)
    for package in packages:
        if isinstance(package, Twin):
            names = tuple(sorted({_canonical(name) for name in package.names.values()}))
            families.update(dict.fromkeys(names, names))
    return families


def _text(package: Package | Twin, kind: str) -> str:
    if isinstance(package, Twin):
        return f"{package.names[kind]}{package.version}"
    if package.requirement.url is not None:
        message = (
            f"{package.place}: '{package.requirement.name}' is a direct URL, "
            "and only packages of an index can be locked"
        )
        raise LockError(message, hint="put the wheel on an index and name it under python.indexes")
    return str(package.requirement)


def _canonical(name: str) -> str:
    return canonicalize_name(Requirement(name).name)

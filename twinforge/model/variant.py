"""A variant: a recipe and one value per axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twinforge.model.matrix import Accelerator, Base
    from twinforge.model.place import Place
    from twinforge.model.recipe import Override, Shelf

__all__ = ["ARCHITECTURES", "ARCH_AXIS", "Excluded", "Variant", "slug_of", "words_of"]

ARCH_AXIS = "arch"
"""The axis of CPU architectures; a matrix without it is for the first of them."""

ARCHITECTURES = ("amd64", "arm64")
"""Its values, as OCI names them."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One image of a family. ``values`` holds (axis, value) in the order of the matrix's axes.

    The slug reads ``cu118-py3.10-ubuntu22.04``, the id ``digits/cu118-py3.10-ubuntu22.04`` and the
    tag ``1.2.0-cu118-py3.10-ubuntu22.04``. ``aliases`` are the moving tags that point to it.
    ``derived`` holds (name, value) of what follows from the values and so stands in no name;
    ``overrides`` are those that apply, the strongest last. ``shelf`` says why it is not made, and is
    None for a variant that is.
    """

    recipe: str
    version: str
    values: tuple[tuple[str, str], ...]
    accelerator: Accelerator
    base: Base
    python: str
    aliases: tuple[str, ...] = ()
    derived: tuple[tuple[str, str], ...] = ()
    overrides: tuple[Override, ...] = ()
    shelf: Shelf | None = None

    @property
    def cpu_arch(self) -> str:
        """The CPU architecture that it is for: ``amd64`` or ``arm64``."""
        return dict(self.values).get(ARCH_AXIS, ARCHITECTURES[0])

    @property
    def platform(self) -> str:
        """The same as engines and registries write it: ``linux/amd64``."""
        return f"linux/{self.cpu_arch}"

    @property
    def slug(self) -> str:
        """The values, joined as they stand in a tag and in a folder's name."""
        return slug_of(self.values)

    @property
    def words(self) -> Mapping[str, str]:
        """What rules, conditions and selectors know it by: name -> value."""
        return words_of(self.recipe, (*self.values, *self.derived), self.accelerator)

    @property
    def id(self) -> str:
        """``recipe/slug``, how a variant is named everywhere."""
        return f"{self.recipe}/{self.slug}"

    @property
    def tag(self) -> str:
        """The immutable version tag."""
        return f"{self.version}-{self.slug}"

    @property
    def folder(self) -> str:
        """Where its generated files live, relative to the project."""
        return f"images/{self.recipe}/variants/{self.slug}"

    @property
    def siblings_key(self) -> tuple[tuple[str, str], ...]:
        """What it has in common with the variants that it must have parity with."""
        return tuple(pair for pair in self.values if pair[0] != "accelerator")


@dataclass(frozen=True, slots=True)
class Excluded:
    """What would be a variant if no rule excluded it; ``place`` is that of the first that does."""

    recipe: str
    values: tuple[tuple[str, str], ...]
    place: Place

    @property
    def id(self) -> str:
        """``recipe/slug``, as it would be."""
        return f"{self.recipe}/{slug_of(self.values)}"


def slug_of(values: Iterable[tuple[str, str]]) -> str:
    """Return (axis, value) pairs as they stand in a tag.

    >>> slug_of([("accelerator", "cpu"), ("python", "3.11"), ("os", "debian-12")])
    'cpu-py3.11-debian12'
    """
    return "-".join([_short(axis, value) for axis, value in values])


def words_of(
    recipe: str, values: Iterable[tuple[str, str]], accelerator: Accelerator
) -> dict[str, str]:
    """Return what a cell is known by; an axis that is called ``cuda`` means itself."""
    words = {"kind": accelerator.kind, "cuda": accelerator.cuda, "cudnn": accelerator.cudnn}
    words.update(values)
    words["recipe"] = recipe
    return words


def _short(axis: str, value: str) -> str:
    if axis == "python":
        return f"py{value}"
    return value.replace("-", "") if axis == "os" else value

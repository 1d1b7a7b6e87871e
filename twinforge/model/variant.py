"""A variant: a recipe and one value per axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twinforge.model.matrix import Accelerator, Base

__all__ = ["Variant"]


@dataclass(frozen=True, slots=True)
class Variant:
    """One image of a family. ``values`` holds (axis, value) in the order of the matrix's axes.

    The slug reads ``cu118-py3.10-ubuntu22.04``, the id ``digits/cu118-py3.10-ubuntu22.04`` and the
    tag ``1.2.0-cu118-py3.10-ubuntu22.04``. ``aliases`` are the moving tags that point to it.
    """

    recipe: str
    version: str
    values: tuple[tuple[str, str], ...]
    accelerator: Accelerator
    base: Base
    python: str
    aliases: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """The values, joined as they stand in a tag and in a folder's name."""
        return "-".join(_short(axis, value) for axis, value in self.values)

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


def _short(axis: str, value: str) -> str:
    if axis == "python":
        return f"py{value}"
    return value.replace("-", "") if axis == "os" else value

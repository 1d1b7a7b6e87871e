"""What was decided for each base and each variant, as values.

They are read and written by :mod:`twinforge.lock.document`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from twinforge.model.recipe import AptPackage

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COMMON", "DEVICE", "BaseLock", "Deb", "RecipeLock", "VariantLock", "Wheel"]

COMMON = "common"
DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Deb(AptPackage):
    """A Debian package that an apt step installs.

    Attributes:
        path: Of its file, relative to the root of the archive that has it, as it stands in a URI; or
            empty where the archive could not be asked. Never a whole URI, since mirrors differ.
        sha256: Of that file, 64 lower-case hexadecimal digits, or empty.
    """

    path: str = ""
    sha256: str = ""

    __str__ = AptPackage.__str__

    @property
    def is_its_file(self) -> bool:
        """Whether the path ends in the name that a file of this package and version has.

        Source: dpkg-name(1), ``package_version_architecture.deb``, the version without its epoch.
        """
        name = self.name.partition(":")[0]
        version = self.version.partition(":")[2] or self.version
        return unquote(self.path.rpartition("/")[2]).startswith(f"{name}_{version}_")


@dataclass(frozen=True, slots=True)
class Wheel:
    """The one file that gives a variant a Python package.

    Attributes:
        name: Canonical (PEP 503).
        version: As the index gives it, normalised (PEP 440).
        filename: The wheel's file name; never a URL, since the host that it came from says nothing.
        sha256: 64 lower-case hexadecimal digits.
        size_bytes: Compressed size; 0 where the index does not tell.
        group: ``common`` when all siblings have this very file, else ``device``.
    """

    name: str
    version: str
    filename: str
    sha256: str
    size_bytes: int
    group: str


@dataclass(frozen=True, slots=True)
class BaseLock:
    """What a base is.

    Attributes:
        name: The base's name in the matrix.
        kind: ``bootstrap`` (made from packages) or ``image`` (of a registry).
        digest: ``sha256:<hex>``, or empty where it is not pinned.
        packages: Versions of a bootstrapped base's Debian packages, by name.
        reason: Why it is not pinned, else empty.
        inputs: Checksum of the declaration that it follows from
            (:func:`twinforge.lock.checksum.base_checksum`).
    """

    name: str
    kind: str
    digest: str
    packages: Mapping[str, str]
    reason: str
    inputs: str = ""


@dataclass(frozen=True, slots=True)
class VariantLock:
    """What a variant gets, both parts sorted by name.

    ``apt`` is everything that its apt step installs on top of the base ``base``.
    """

    slug: str
    base: str
    apt: tuple[Deb, ...]
    wheels: tuple[Wheel, ...]


@dataclass(frozen=True, slots=True)
class RecipeLock:
    """All variants of a recipe, in declared order.

    ``checksum`` is that of the inputs (:func:`twinforge.lock.checksum.inputs_checksum`): when it
    differs from today's, the lock is stale.
    """

    recipe: str
    checksum: str
    variants: tuple[VariantLock, ...]

    def variant(self, slug: str) -> VariantLock:
        """Return the variant of this slug.

        Raises:
            KeyError: The lock does not know it; a lock whose checksum holds knows every variant.
        """
        for variant in self.variants:
            if variant.slug == slug:
                return variant
        raise KeyError(slug)

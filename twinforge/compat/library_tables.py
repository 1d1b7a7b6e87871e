"""The data file of CUDA's libraries in apt."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from twinforge.compat import tablefile
from twinforge.compat.tablefile import Name, Sourced, Table, Version

__all__ = [
    "ArchiveRecord",
    "LibraryTable",
    "MeasuredLibraryRecord",
    "NamesRecord",
    "PinsRecord",
    "load_library_table",
    "parse_library_table",
]

_Names = Annotated[list[Name], Field(min_length=1)]


class NamesRecord(Sourced):
    """What NVIDIA's repository calls libraries, from one CUDA release to another.

    ``runtime`` and ``dev`` are followed by the release (``libcublas`` and 11.8 make
    ``libcublas-11-8``); the two names in ``whole`` (runtime, dev) are not.
    """

    told_by: ClassVar[tuple[str, ...]] = ("first",)

    first: Version
    last: Version | None = None
    runtime: dict[Name, Name]
    dev: dict[Name, Name]
    whole: dict[Name, Annotated[list[Name], Field(min_length=2, max_length=2)]] = Field(
        default_factory=dict
    )


class PinsRecord(Sourced):
    """The packages, with versions, that nvidia/cuda's images of a release install."""

    told_by: ClassVar[tuple[str, ...]] = ("cuda",)
    split_by: ClassVar[tuple[str, ...]] = ("systems",)

    cuda: Version
    systems: _Names
    packages: dict[Name, Name]


class ArchiveRecord(Sourced):
    """The packages of a distribution's own archive; ``dev`` brings the headers of all.

    They are in its ``component``, but for those that ``components`` names another one of.
    """

    told_by: ClassVar[tuple[str, ...]] = ("system", "cuda")

    system: Name
    cuda: Version
    component: Name = "main"
    components: dict[Name, Name] = Field(default_factory=dict)
    libraries: dict[Name, _Names]
    dev: _Names
    packages: dict[Name, Name]


class MeasuredLibraryRecord(Sourced):
    """What a library in a package holds code for; ``library`` where the package has several."""

    told_by: ClassVar[tuple[str, ...]] = ("package", "version", "library")

    package: Name
    version: Name
    library: str = ""
    compute_capabilities: Annotated[list[Version], Field(min_length=1)]
    ptx: Version | None = None


class LibraryTable(Table):
    """``data/libraries.yaml``."""

    names: list[NamesRecord]
    pins: list[PinsRecord]
    archives: list[ArchiveRecord]
    measured: list[MeasuredLibraryRecord]


def load_library_table() -> LibraryTable:
    """Read the packages that come with Twinforge."""
    return tablefile.load(LibraryTable, "libraries.yaml")


def parse_library_table(text: str) -> LibraryTable:
    """Check the text of ``libraries.yaml``.

    Raises:
        TwinforgeError: It does not follow the schema; the message names every place.
    """
    return tablefile.parse(LibraryTable, text, "libraries.yaml")

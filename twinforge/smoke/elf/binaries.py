"""The binaries of one image: its files, whose they are, and what the loader makes of them."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from twinforge.smoke.elf.closure import close
from twinforge.smoke.elf.owners import NOBODY, find_owners
from twinforge.smoke.elf.versions import family_of, number_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twinforge.smoke.elf.closure import Closure
    from twinforge.smoke.elf.facts import ElfFacts
    from twinforge.smoke.elf.owners import Owner
    from twinforge.smoke.elf.tree import Tree

__all__ = ["Binaries", "CudaLibrary"]


@dataclass(frozen=True, slots=True)
class CudaLibrary:
    """One of NVIDIA's libraries in an image.

    ``version`` is what the file itself says, in its code or its name; empty where it says nothing.
    """

    path: str
    family: str
    size_bytes: int
    owner: Owner
    version: str

    def __str__(self) -> str:
        """Return where it is and how it got there."""
        return f"{self.path} ({self.owner})"


@dataclass(frozen=True)
class Binaries:
    """What the checks of an image's binaries look at; what takes time is found out once.

    ``library_path`` is the image's ``LD_LIBRARY_PATH``, split.
    """

    tree: Tree
    library_path: tuple[str, ...] = field(default=())

    @cached_property
    def owners(self) -> Mapping[str, Owner]:
        """The package that each file came with."""
        return find_owners(self.tree)

    @cached_property
    def closure(self) -> Closure:
        """What the loader makes of all of them."""
        packaged = {path for path, owner in self.owners.items() if owner.kind == "apt"}
        return close(self.tree, self.library_path, packaged)

    @cached_property
    def cuda_libraries(self) -> tuple[CudaLibrary, ...]:
        """NVIDIA's libraries, by path; links are none."""
        return tuple(self._cuda_libraries())

    def owner(self, path: str) -> Owner:
        """Return the package that a file came with; ``NOBODY`` where it is none's."""
        return self.owners.get(path, NOBODY)

    def tell(self, path: str) -> str:
        """Return where a file is and how it got there."""
        return f"{path} ({self.owner(path)})"

    def _cuda_libraries(self) -> Iterator[CudaLibrary]:
        for path, facts in sorted(self.tree.elves.items()):
            name = posixpath.basename(path)
            family = family_of(facts.soname) or family_of(name)
            if family and facts.is_dynamic and "/stubs/" not in path:
                version = facts.version or _version_in(name, facts)
                size = self.tree.sizes[path]
                yield CudaLibrary(path, family, size, self.owner(path), version)


def _version_in(name: str, facts: ElfFacts) -> str:
    """Return the version in a file's name where it says more than its soname."""
    number = number_of(name)
    return number if number.count(".") > number_of(facts.soname).count(".") else ""

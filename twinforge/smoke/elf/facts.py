"""What is known of one ELF file, and of the GPU code in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.compat.facts import Dotted

__all__ = ["GPU", "NO_CODE", "ElfFacts", "GpuCode", "Machine"]


@dataclass(frozen=True, slots=True)
class Machine:
    """What a file runs on; the loader takes no library of another one. ``bits`` is 32 or 64."""

    arch: str
    bits: int


GPU = "CUDA"
"""The ``arch`` of code for GPUs that is a file of its own."""


@dataclass(frozen=True, slots=True)
class GpuCode:
    """The code for GPUs in one file.

    ``binary`` are the compute capabilities with machine code that runs on newer minors too,
    ``exact`` those whose code runs on no other (``sm_90a``), ``ptx`` those with source that a
    driver compiles. ``toolkits`` are the CUDA releases that compiled it, as far as it says.
    ``has_sections`` is true although all of it may be in a form that can't be read.
    """

    binary: frozenset[Dotted] = frozenset()
    exact: frozenset[Dotted] = frozenset()
    ptx: frozenset[Dotted] = frozenset()
    toolkits: frozenset[str] = frozenset()
    has_sections: bool = False

    def __or__(self, other: GpuCode) -> GpuCode:
        """Return what two files hold together."""
        return GpuCode(
            self.binary | other.binary,
            self.exact | other.exact,
            self.ptx | other.ptx,
            self.toolkits | other.toolkits,
            self.has_sections or other.has_sections,
        )

    def __str__(self) -> str:
        """Return it as people write it: ``sm_70, sm_90, PTX of 9.0``."""
        parts = [f"sm_{_digits(one)}" for one in sorted(self.binary | self.exact)]
        if self.ptx:
            parts.append(f"PTX of {', '.join(str(one) for one in sorted(self.ptx))}")
        return ", ".join(parts) or "no code for a GPU"


NO_CODE = GpuCode()


@dataclass(frozen=True, slots=True)
class ElfFacts:
    """An ELF file as the loader sees it.

    ``rpath`` and ``runpath`` are the folders as they stand there, with ``$ORIGIN``; ``wants`` are
    the symbol versions by the name of the library that they are wanted of, weak ones left out;
    ``defines`` are those that it has itself. ``version`` is what a CUDA library answers when it is
    asked for its own, empty for others. ``is_program`` is true where it names a loader.
    ``is_dynamic`` is false for what the loader never sees, such as object files and files of GPU
    code.
    """

    machine: Machine
    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    is_program: bool = False
    is_dynamic: bool = True
    wants: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    defines: frozenset[str] = frozenset()
    code: GpuCode = NO_CODE
    version: str = ""


def _digits(capability: Dotted) -> str:
    return capability.text.replace(".", "")

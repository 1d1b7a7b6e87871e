"""CUDA's libraries that a recipe or an accelerator asks for, checked and completed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twinforge.model.place import Place

__all__ = ["NO_LIBRARIES", "CudaLibraries", "CudaLibrary", "merge_libraries"]


@dataclass(frozen=True, slots=True)
class CudaLibrary:
    """A library by NVIDIA's name, such as ``cublas``, and where it is asked for."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class CudaLibraries:
    """Libraries in declared order; ``dev`` says whether their headers are wanted too."""

    libraries: tuple[CudaLibrary, ...]
    dev: bool


NO_LIBRARIES = CudaLibraries((), dev=False)


def merge_libraries(old: CudaLibraries, new: CudaLibraries) -> CudaLibraries:
    """Return the libraries of both, each once; headers are wanted if either wants them."""
    first: dict[str, CudaLibrary] = {}
    for library in (*old.libraries, *new.libraries):
        first.setdefault(library.name, library)
    return CudaLibraries(tuple(first.values()), dev=old.dev or new.dev)

"""CUDA's libraries that a recipe or an accelerator asks for, checked and completed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twinforge.model.place import Place

__all__ = [
    "NO_LIBRARIES",
    "CudaChange",
    "CudaLibraries",
    "CudaLibrary",
    "change_libraries",
    "merge_libraries",
]


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


@dataclass(frozen=True, slots=True)
class CudaChange:
    """What an override says of CUDA's libraries, and where.

    ``libraries`` come beside those that are there; ``dev`` holds instead of what was said before,
    and ``None`` leaves that as it is.
    """

    libraries: tuple[CudaLibrary, ...]
    dev: bool | None
    place: Place


def merge_libraries(old: CudaLibraries, new: CudaLibraries) -> CudaLibraries:
    """Return the libraries of both, each once; headers are wanted if either wants them."""
    first: dict[str, CudaLibrary] = {}
    for library in (*old.libraries, *new.libraries):
        first.setdefault(library.name, library)
    return CudaLibraries(tuple(first.values()), dev=old.dev or new.dev)


def change_libraries(old: CudaLibraries, change: CudaChange) -> CudaLibraries:
    """Return the libraries with those of a change, which alone says whether headers are wanted."""
    merged = merge_libraries(old, CudaLibraries(change.libraries, dev=False))
    return merged if change.dev is None else replace(merged, dev=change.dev)

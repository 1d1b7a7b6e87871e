"""What the loader does not do: libraries that a framework finds by itself, or can do without.

Every record has its source. What is not in one of them has to be found as the loader finds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "OPTIONAL",
    "PARTIAL",
    "PRELOADED",
    "Optional",
    "Partial",
    "Preloaded",
    "optional_for",
    "partial_for",
    "preloaded_for",
]


@dataclass(frozen=True, slots=True)
class Preloaded:
    """A package that loads libraries before its own extensions need them.

    ``files`` are its own, ``folders`` those it looks in, both relative to ``site-packages``.
    """

    files: str
    folders: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Optional:
    """A library that a file needs which is loaded only by who asks for it, and why that is so."""

    file: str
    needs: str
    why: str
    source: str


@dataclass(frozen=True, slots=True)
class Partial:
    """A file that has code for some GPUs only, by intention, and why that is enough."""

    file: str
    why: str
    source: str


_WHEELS = ("nvidia/*/lib",)

PRELOADED = (
    Preloaded(
        "torch/*",
        _WHEELS,
        "https://github.com/pytorch/pytorch/blob/main/torch/__init__.py (_preload_cuda_deps, "
        "_preload_cuda_lib)",
    ),
    Preloaded(
        "onnxruntime/capi/*",
        _WHEELS,
        "onnxruntime-gpu 1.31.1 onnxruntime/__init__.py (preload_dlls, _get_nvidia_dll_paths); "
        "the program has to call it, or import torch first",
    ),
    Preloaded(
        "nvidia/*",
        _WHEELS,
        "libraries of one of NVIDIA's wheels need those of another; whoever loads the first loads "
        "the second: the preloading of torch and of onnxruntime above",
    ),
)

OPTIONAL = (
    Optional(
        "*/onnxruntime/capi/libonnxruntime_providers_tensorrt.so",
        "libnv*.so.*",
        "the TensorRT provider, which has to be asked for by name",
        "https://onnxruntime.ai/docs/execution-providers/TensorRT-ExecutionProvider.html",
    ),
)

PARTIAL: tuple[Partial, ...] = ()
"""Files whose code for GPUs is not for all that their package runs on."""


def partial_for(file: str) -> Partial | None:
    """Return why a file need not have code for every GPU, or None."""
    return next((one for one in PARTIAL if fnmatchcase(file, one.file)), None)


def preloaded_for(file: str) -> Iterator[Preloaded]:
    """Give the records for a file, relative to ``site-packages``."""
    return (one for one in PRELOADED if fnmatchcase(file, one.files))


def optional_for(file: str, needed: str) -> Optional | None:
    """Return why a file can do without a library, or None."""
    return next(
        (one for one in OPTIONAL if fnmatchcase(file, one.file) and fnmatchcase(needed, one.needs)),
        None,
    )

"""CUDA that is in an image more than once: in its base, from apt, and in wheels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.compat.images import find_image, image_tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twinforge.compat.images import CudaImage

__all__ = ["Duplicate", "find_duplicate"]

_OF_CUDA = ("cublas", "cufft", "curand", "cusolver", "cusparse", "nccl", "npp")
"""What the flavours ``runtime`` and ``devel`` of nvidia/cuda hold, and ``base`` does not."""
_ALL = (*_OF_CUDA, "cudnn")
_NAMES = "|".join(_ALL)
_APT = re.compile(rf"(?:cuda-|lib)(?P<library>{_NAMES}).*")
_WHOLE = re.compile(r"cuda-(?:libraries|toolkit|runtime)(?:-.*)?")
_WHEEL = re.compile(rf"nvidia-(?P<library>{_NAMES})(?:-cu[0-9]+)?")
_LARGE = ("runtime", "devel")
_TWICE = 2


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Libraries that come from more than one place, where one would do.

    ``libraries`` are by NVIDIA's names, ``sources`` in words; ``size_bytes`` is what the wheels among
    them weigh, 0 where that is not known; ``instead`` is a base without CUDA's libraries, empty where
    the base is not at fault.
    """

    libraries: tuple[str, ...]
    sources: tuple[str, ...]
    size_bytes: int
    instead: str


def find_duplicate(
    base: str, apt: Iterable[str], wheels: Mapping[str, int], *, carries: Iterable[str] = ()
) -> Duplicate | None:
    """Return what of CUDA's libraries comes into an image more than once, or None.

    Each library is looked at by itself: cuBLAS of a distribution and cuDNN of a wheel go together.

    Args:
        base: What the image stands on.
        apt: The names of its Debian packages.
        wheels: Its NVIDIA wheels with their sizes, as far as they are locked.
        carries: Requirements that bring NVIDIA's wheels, for what is not locked yet.
    """
    image = find_image(base) if image_tag(base) else None
    of_base = _of_image(image)
    of_apt = {name: _of_package(name) for name in apt}
    of_wheels = {name: _of_wheel(name) for name in wheels}
    if not any(of_wheels.values()):
        of_wheels = dict.fromkeys(carries, _ALL)
    places = [set(of_base), _union(of_apt), _union(of_wheels)]
    twice = tuple(one for one in _ALL if sum(one in place for place in places) >= _TWICE)
    if not twice:
        return None
    packages = [name for name, held in of_apt.items() if not set(held).isdisjoint(twice)]
    brought = [name for name, held in of_wheels.items() if not set(held).isdisjoint(twice)]
    sources = []
    if not set(of_base).isdisjoint(twice):
        sources.append(f"the base {base}")
    if packages:
        sources.append(f"the Debian packages {', '.join(packages)}")
    if brought:
        sources.append(f"the wheels {', '.join(brought)}")
    size = sum(wheels.get(name, 0) for name in brought)
    instead = _smaller(image) if image is not None and of_base else ""
    return Duplicate(twice, tuple(sources), size, instead)


def _of_image(image: CudaImage | None) -> tuple[str, ...]:
    if image is None:
        return ()
    cudnn = ("cudnn",) if image.cudnn else ()
    return (*_OF_CUDA, *cudnn) if image.flavour in _LARGE else cudnn


def _of_package(name: str) -> tuple[str, ...]:
    if _WHOLE.fullmatch(name):
        return _OF_CUDA
    match = _APT.fullmatch(name)
    return (match["library"],) if match else ()


def _of_wheel(name: str) -> tuple[str, ...]:
    match = _WHEEL.fullmatch(name)
    return (match["library"],) if match else ()


def _union(held: Mapping[str, Iterable[str]]) -> set[str]:
    return {library for libraries in held.values() for library in libraries}


def _smaller(image: CudaImage) -> str:
    small = f"nvidia/cuda:{image.cuda}-base-{image.system.replace('-', '', 1)}"
    return small if find_image(small) else image.system.replace("-", ":", 1)

"""CUDA that is in an image more than once: in its base, from apt, and in wheels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.compat.images import find_image, image_tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Duplicate", "find_duplicate"]

_LIBRARIES = "cublas|cublaslt|cudnn|cufft|curand|cusolver|cusparse|nccl|npp"
_APT = re.compile(rf"cuda-(?:libraries|toolkit|runtime|{_LIBRARIES}).*|lib(?:{_LIBRARIES})[-0-9].*")
_WHEELS = re.compile(rf"nvidia-(?:{_LIBRARIES})(?:-cu[0-9]+)?")
_LARGE = ("runtime", "devel")
"""The flavours of nvidia/cuda that hold more than the runtime library."""
_TWICE = 2


@dataclass(frozen=True, slots=True)
class Duplicate:
    """What brings CUDA's libraries, one of which would do.

    ``sources`` are in words; ``size_bytes`` is what the wheels weigh, 0 where it is not known;
    ``instead`` is a base without CUDA's libraries, empty where the base is not at fault.
    """

    sources: tuple[str, ...]
    size_bytes: int
    instead: str


def find_duplicate(
    base: str, apt: Iterable[str], wheels: Mapping[str, int], *, carries: Iterable[str] = ()
) -> Duplicate | None:
    """Return how CUDA's libraries come into an image more than once, or None.

    Args:
        base: What the image stands on.
        apt: The names of its Debian packages.
        wheels: Its NVIDIA wheels with their sizes, as far as they are locked.
        carries: Requirements that bring NVIDIA's wheels, for what is not locked yet.
    """
    image = find_image(base) if image_tag(base) else None
    sources = []
    if image is not None and image.flavour in _LARGE:
        sources.append(f"the base {base}")
    packages = [name for name in apt if _APT.fullmatch(name)]
    if packages:
        sources.append(f"the Debian packages {', '.join(packages)}")
    own = {name: size for name, size in wheels.items() if _WHEELS.fullmatch(name)}
    brought = list(own or carries)
    if brought:
        sources.append(f"the wheels {', '.join(brought)}")
    if len(sources) < _TWICE:
        return None
    instead = ""
    if image is not None and image.flavour in _LARGE:
        small = f"nvidia/cuda:{image.cuda}-base-{image.system.replace('-', '', 1)}"
        instead = small if find_image(small) else image.system.replace("-", ":", 1)
    return Duplicate(tuple(sources), sum(own.values()), instead)

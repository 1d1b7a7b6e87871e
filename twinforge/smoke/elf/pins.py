"""Whether the CUDA libraries in an image are of the versions that were asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from twinforge.smoke.elf.tell import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinforge.smoke.device import DeviceAsked
    from twinforge.smoke.elf.binaries import Binaries, CudaLibrary
    from twinforge.smoke.elf.owners import Owner

__all__ = ["judge_pins"]

_CUDART = "cudart"
_CUDNN = "cudnn"
_NVIDIA = "nvidia-"
_RELEASE = 2


def judge_pins(binaries: Binaries, asked: DeviceAsked) -> str:
    """Return in a few words of which versions the CUDA libraries of an image are.

    What a file says of itself must be the version of the package that it came with, and that must
    be the locked one; cuDNN and the runtime must be those of the accelerator.

    Raises:
        SmokeError: One of them is not.
    """
    found: list[str] = []
    said: dict[Owner, dict[str, None]] = {}
    for library in binaries.cuda_libraries:
        found += _differences(library, asked)
        versions = said.setdefault(library.owner, {})
        if library.version:
            versions[library.version] = None
    refuse(list(dict.fromkeys(found)))
    parts = [
        f"{owner} (by its files {' and '.join(versions)})" if versions else f"{owner}"
        for owner, versions in said.items()
    ]
    return f"as pinned: {', '.join(parts)}" if parts else "none of CUDA's libraries is there"


def _differences(library: CudaLibrary, asked: DeviceAsked) -> Iterator[str]:
    owner = library.owner
    # Another's wheel that carries a library has a version of its own.
    is_carried = owner.kind == "wheel" and not owner.name.startswith(_NVIDIA)
    upstream = () if is_carried else _upstream(owner.kind, owner.version)
    told = str(owner) if owner.kind else library.path
    if library.version and upstream and not any(_is_of(o, library.version) for o in upstream):
        yield f"{library} says of itself that it is {library.version}"
    pins = asked.wheels if owner.kind == "wheel" else asked.apt
    pinned = pins.get(owner.name, "")
    if pinned and not _same(pinned, owner.version):
        yield f"{told} is there, pinned is {pinned}"
    version = library.version or next(iter(upstream), "")
    wanted = ""
    if library.family.startswith(_CUDNN):
        wanted = asked.cudnn
    elif library.family == _CUDART:
        wanted = ".".join(asked.cuda.split(".")[:_RELEASE])
    if version and wanted and not _is_of(version, wanted):
        name = _CUDNN if library.family.startswith(_CUDNN) else library.family
        yield f"{name} of {told} is {_shortened(version, wanted)}, the accelerator's is {wanted}"


def _shortened(version: str, like: str) -> str:
    return ".".join(version.split(".")[: max(_RELEASE, like.count(".") + 1)])


def _upstream(kind: str, version: str) -> tuple[str, ...]:
    """Return the upstream versions that the version of a package names, the likeliest first.

    Debian's packages name that of CUDA besides the library's own, and may have another in front.

    >>> _upstream("apt", "11.1.1+~10.9.0.58~11.8.0-5~deb12u1")
    ('11.1.1', '10.9.0.58', '11.8.0')
    >>> _upstream("wheel", "9.28.0.42")
    ('9.28.0.42',)
    """
    if kind == "wheel":
        version = version.partition("+")[0]
    elif kind == "apt":
        version = version.rpartition(":")[2].rpartition("-")[0] or version
    return tuple(part for part in re.split("[+~]+", version) if part)


def _is_of(version: str, wanted: str) -> bool:
    """Whether a version is the wanted one, as far as both say: 8.9.7.29 is of 8.9.

    >>> _is_of("8.9.7.29", "8.9"), _is_of("8.90.1", "8.9"), _is_of("9.28", "9.28.0")
    (True, False, True)
    """
    left, right = version.split("."), wanted.split(".")
    length = min(len(left), len(right))
    return left[:length] == right[:length]


def _same(left: str, right: str) -> bool:
    try:
        return Version(left) == Version(right)
    except InvalidVersion:  # Debian's
        return left == right

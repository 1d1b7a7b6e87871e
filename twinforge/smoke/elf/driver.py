"""Whether parts of NVIDIA's driver are in an image, where only the host's own would work."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from twinforge.smoke.elf.tell import refuse
from twinforge.smoke.elf.versions import is_driver

if TYPE_CHECKING:
    from twinforge.smoke.elf.binaries import Binaries

__all__ = ["judge_driver"]

_TOOLS = frozenset(
    {
        "nvidia-smi",
        "nvidia-debugdump",
        "nvidia-modprobe",
        "nvidia-persistenced",
        "nvidia-cuda-mps-control",
        "nvidia-cuda-mps-server",
        "nv-fabricmanager",
    }
)
"""Source: as of the libraries (utility_bins, compute_bins)."""
_MODULE = re.compile(r"nvidia[a-z_-]*\.ko(?:\.(?:gz|xz|zst))?")
_STUBS = re.compile(r".*/stubs/[^/]+")
"""Libraries to link against, without code; they lie where the loader does not look."""
_FORWARD = re.compile(r"/usr/local/cuda[^/]*/compat/.+")
"""NVIDIA's package of forward compatibility: a driver's libraries that are meant for images.

Source: https://docs.nvidia.com/deploy/cuda-compatibility/forward-compatibility.html
"""


def judge_driver(binaries: Binaries) -> str:
    """Return in a few words that an image has no part of NVIDIA's driver.

    Raises:
        SmokeError: It has one.
    """
    tree = binaries.tree
    found, forward = [], 0
    for path in sorted(tree.sizes):
        name = posixpath.basename(path)
        # what another name hides, the loader finds by its soname all the same
        soname = tree.elves[path].soname if path in tree.elves else ""
        if not (is_driver(name) or is_driver(soname) or name in _TOOLS or _MODULE.fullmatch(name)):
            continue
        if _FORWARD.fullmatch(path):
            forward += 1
        elif not _STUBS.fullmatch(path):
            found.append(f"{binaries.tell(path)} is part of NVIDIA's driver, which the host brings")
    found += [
        f"{path} leads to {real}, where the host's driver has to be"
        for path, real in ((path, tree.resolve(path)) for path in sorted(tree.links))
        if real and is_driver(posixpath.basename(path))
        if _STUBS.fullmatch(real) and not _STUBS.fullmatch(path)
    ]
    refuse(found)
    needing = len(binaries.closure.driver)
    files = f"; {needing} files need it from the host" if needing else ""
    compat = f"; {forward} files of forward compatibility" if forward else ""
    return f"no part of NVIDIA's driver{files}{compat}"

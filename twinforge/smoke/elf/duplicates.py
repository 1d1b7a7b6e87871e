"""CUDA libraries that are in an image more than once: what that costs, and what would avoid it."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from twinforge.smoke.elf.tell import megabytes, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twinforge.smoke.elf.binaries import Binaries, CudaLibrary

__all__ = ["judge_duplicates"]


def judge_duplicates(binaries: Binaries, asked: Mapping[str, str]) -> str:
    """Return in a few words that each of CUDA's libraries is in an image once at most.

    Args:
        binaries: The image's.
        asked: The Debian packages that the recipe and the matrix ask for; others are the base's.

    Raises:
        SmokeError: One is there twice; the message says how many bytes that wastes, and who
            brings them.
    """
    families: dict[str, list[CudaLibrary]] = defaultdict(list)
    for library in binaries.cuda_libraries:
        families[library.family].append(library)
    used = Counter(real for found in binaries.closure.found.values() for real in found.values())
    twice, wasted, spare = [], 0, []
    for family, libraries in sorted(families.items()):
        # what most files lead to is what would be kept; a wheel, where nothing decides
        keep, *others = sorted(
            libraries, key=lambda one: (-used[one.path], one.owner.kind != "wheel", one.path)
        )
        if others:
            size = sum(one.size_bytes for one in others)
            wasted += size
            spare += others
            text = f"lib{family} is there {len(libraries)} times: {keep} is used most"
            twice.append(f"{text}; {', '.join(map(str, others))} weighs {megabytes(size)}")
    if twice:
        refuse([f"{megabytes(wasted)} are there twice: {_advice(spare, asked)}", *twice])
    return f"{len(families)} of CUDA's libraries, each once"


def _advice(spare: Sequence[CudaLibrary], asked: Mapping[str, str]) -> str:
    """Return what would avoid the copies that nobody, or fewer, use."""
    owners = sorted({one.owner for one in spare})
    debian = [one.name for one in owners if one.kind == "apt" and one.name in asked]
    base = [one.name or "files of no package" for one in owners if one.kind != "wheel"]
    base = [name for name in base if name not in debian]
    wheels = [one.name for one in owners if one.kind == "wheel"]
    parts = []
    if debian:
        parts.append(f"don't ask for the Debian packages {', '.join(debian)}")
    if base:
        parts.append(f"take a base without {', '.join(base)} (nvidia/cuda's 'base' flavour)")
    if wheels:
        parts.append(f"don't install the wheels {', '.join(wheels)}")
    return "; ".join(parts)

"""Whether the libraries of an image are for its device: no CUDA for a CPU, and the right one else."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from twinforge.compat.facts import Dotted
from twinforge.smoke.elf.facts import GPU
from twinforge.smoke.elf.tell import refuse
from twinforge.smoke.elf.versions import CUDA_RELEASED, family_of, is_driver, number_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from twinforge.smoke.elf.binaries import Binaries
    from twinforge.smoke.elf.facts import ElfFacts
    from twinforge.smoke.elf.owners import Owner

__all__ = ["judge_cpu", "judge_cuda"]

_WHEEL_FOR = re.compile(r"(?:^|[-_])cu(?:da)?(?P<digits>[0-9]{2,3})x?(?=[-_]|$)")
_FIRST_WITH_ONE_NUMBER = 11
"""From CUDA 11 on a soname has the major only: ``libcublas.so.11``, before ``libcublas.so.10.0``.

cudart is the exception: ``libcudart.so.11.0`` serves all of CUDA 11.
"""
_LAST_MAJOR = "50"


def judge_cpu(binaries: Binaries) -> str:
    """Return in a few words that an image is free of CUDA.

    Raises:
        SmokeError: A file holds code for GPUs, needs CUDA's libraries or is one of them.
    """
    found = []
    for path, facts in sorted(binaries.tree.elves.items()):
        needed = sorted(name for name in facts.needed if family_of(name) or is_driver(name))
        name = posixpath.basename(path)
        # a copy under another name still has the symbol version of its own
        named = (facts.soname, *facts.defines, name if facts.is_dynamic else "")
        if any(map(family_of, named)):
            found.append(f"{binaries.tell(path)} is one of CUDA's")
        elif needed:
            found.append(f"{binaries.tell(path)} needs {', '.join(needed)}")
        elif facts.machine.arch == GPU:
            told = f": {facts.code}" if facts.code.has_sections else ""
            found.append(f"{binaries.tell(path)} is code for GPUs{told}")
        elif facts.code.has_sections:
            found.append(f"{binaries.tell(path)} holds {_told(facts)}")
    refuse(found)
    return f"{len(binaries.tree.elves)} binaries, none of them with CUDA"


def judge_cuda(binaries: Binaries, cuda: str, with_cuda: Collection[str] = ()) -> str:
    """Return in a few words for which CUDA the libraries of an image are.

    Args:
        binaries: The image's.
        cuda: What they must be for, such as ``12.9``. Within a major, a library that was compiled
            by a release works with another one.
        with_cuda: The wheels of frameworks that come with CUDA.

    Raises:
        SmokeError: One of them is for another major, or a framework that comes with CUDA has none.
    """
    found: list[str] = []
    told: dict[Owner, set[str]] = defaultdict(set)
    of_cuda: set[Owner] = set()
    with_code: set[Owner] = set()
    for path, facts in sorted(binaries.tree.elves.items()):
        owner = binaries.owner(path)
        with_code.add(owner)
        if family_of(facts.soname):
            if not _is_of(facts.soname, cuda):
                found.append(f"{binaries.tell(path)} is not of CUDA {cuda}")
            continue  # what NVIDIA compiled a library by is its own affair: cuFFT 12.4 by 11.8
        names = [name for name in facts.needed if family_of(name) or is_driver(name)]
        if names or facts.code.has_sections:
            of_cuda.add(owner)
        found += [
            f"{binaries.tell(path)} needs {name}, which is not of CUDA {cuda}"
            for name in names
            if not _is_of(name, cuda)
        ]
        told[owner].update(facts.code.toolkits or _released(names))
        # a framework may carry code of older compilers besides that of its own
        newest = max(facts.code.toolkits, key=Dotted.parse, default=cuda)
        if _major(newest) != _major(cuda):
            found.append(f"{binaries.tell(path)} was compiled by CUDA {newest}, not {cuda}")
    for owner in sorted({one for one in binaries.owners.values() if one.kind == "wheel"}):
        said = _said_by(owner.name, owner.version)
        if said and said != _major(cuda):
            found.append(f"the wheel {owner} is for CUDA {said}, not {cuda}")
        if owner.name in with_cuda and owner in with_code - of_cuda:
            found.append(f"the wheel {owner} holds nothing of CUDA: it is a build for the CPU")
    refuse(found)
    parts = [f"{owner} by {' and '.join(sorted(said))}" for owner, said in told.items() if said]
    return f"for CUDA {cuda}: {', '.join(sorted(parts)) or 'nothing that says for which'}"


def _released(names: Iterable[str]) -> set[str]:
    return {name for name in names if family_of(name) in CUDA_RELEASED}


def _is_of(name: str, cuda: str) -> bool:
    number = number_of(name)
    if not number or family_of(name) not in CUDA_RELEASED:
        return True
    if int(_major(cuda)) < _FIRST_WITH_ONE_NUMBER:
        # libcublas.so.10 is of CUDA 10.1 and 10.2, libcublas.so.10.0 of 10.0
        return cuda.startswith(number) or number.startswith(cuda)
    return _major(number) == _major(cuda)


def _said_by(name: str, version: str) -> str:
    """Return the CUDA major in a wheel's name or in the local part of its version, or nothing.

    >>> _said_by("nvidia-nccl-cu12", "2.32.3"), _said_by("mxnet-cu92", "1.9"), _said_by("numpy", "2")
    ('12', '9', '')
    >>> _said_by("torch", "2.6.0+cu118")
    '11'
    """
    for text in (name, version.partition("+")[2]):
        if named := _WHEEL_FOR.search(text):
            digits = named["digits"]
            if len(digits) == len("118") or digits > _LAST_MAJOR:  # cu118 and cu92 have a minor
                return digits[:-1]
            return digits
    return ""


def _told(facts: ElfFacts) -> str:
    code = str(facts.code)
    return f"code for GPUs ({code})" if facts.code.binary or facts.code.ptx else "a fat binary"


def _major(version: str) -> str:
    return version.partition(".")[0]

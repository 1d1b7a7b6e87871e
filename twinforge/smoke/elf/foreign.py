"""Files that are for other systems than the image: a package may carry its library for all of them."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from twinforge.smoke.elf.facts import ElfFacts
    from twinforge.smoke.elf.tree import Tree

__all__ = ["foreign_files"]

_OTHER_C = re.compile(r"libc\.musl-[a-z0-9_]+\.so\.1|libc\.so(?:\.7)?")
"""The C libraries of musl, Android and FreeBSD; glibc's is libc.so.6.

Source: the prebuilt files of leveldown 6.1.1 from npm, which name these of musl and Android
"""
_RUNS_TOO = {("X86_64", "386")}
"""Machines, and whose files they run as well."""


def foreign_files(tree: Tree, paths: Collection[str]) -> frozenset[str]:
    """Return those of the files that nothing in the image can load, nor is meant to.

    They are for another machine than most programs of the image, or libraries for another C
    library than it has.
    """
    elves = tree.elves
    programs = [facts.machine.arch for facts in elves.values() if facts.is_program]
    others = [facts.machine.arch for facts in elves.values() if facts.is_dynamic]
    home = next((arch for arch, _ in Counter(programs or others).most_common(1)), "")
    names = {posixpath.basename(path) for path in (*elves, *tree.links)}
    return frozenset(path for path in paths if _is_foreign(elves[path], home, names))


def _is_foreign(facts: ElfFacts, home: str, names: Collection[str]) -> bool:
    arch = facts.machine.arch
    if arch != home and (home, arch) not in _RUNS_TOO:
        return True
    wanted = [name for name in facts.needed if _OTHER_C.fullmatch(name)]
    return not facts.is_program and any(name not in names for name in wanted)

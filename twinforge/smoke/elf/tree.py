"""The files of an image: what each is, where its links lead, and the facts of its binaries.

They are read from the tar stream that an engine exports, once and in its order: of every binary
only facts are kept, and no more than one of them is held on the disk at a time.
"""

from __future__ import annotations

import hashlib
import mmap
import posixpath
import tarfile
import tempfile
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from shutil import copyfileobj
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, cast

from twinforge.errors import SmokeError
from twinforge.smoke.elf.facts import GPU, ElfFacts, Machine
from twinforge.smoke.elf.fatbin import FATBIN_MAGIC, read_fatbin
from twinforge.smoke.elf.read import ELF_MAGIC, BrokenElfError, read_elf

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Tree", "read_tree"]

_BLOCK_BYTES = 1 << 20
_IN_MEMORY_BYTES = 1 << 23
_LINKS = 40  # MAXSYMLINKS of Linux
_KEPT = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d/*.conf",
    "/var/lib/dpkg/info/*.list",
    "/var/lib/dpkg/status",
    "*.dist-info/RECORD",
)
"""Files whose content says where libraries are looked for, and whose they are."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of an image by their absolute path.

    ``sizes`` are those of regular files in bytes; ``links`` lead from a path to what the link says,
    ``elves`` to the facts of binaries, ``broken`` to why a binary can't be read, and ``texts`` to
    the content of the few files that matter. A hard link counts as a link.
    """

    sizes: Mapping[str, int]
    links: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    elves: Mapping[str, ElfFacts] = field(default_factory=lambda: MappingProxyType({}))
    broken: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    texts: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    _known: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def resolve(self, path: str) -> str | None:
        """Return the path of the regular file that a path leads to, or None.

        Links are followed inside the image only: ``..`` ends at its root, as it does for a program
        that runs in it.
        """
        real = self.real(path)
        return real if real in self.sizes else None

    def real(self, path: str) -> str:
        """Return a path without links, or nothing where they go round in circles."""
        if path not in self._known:
            self._known[path] = self._follow(path)
        return self._known[path]

    def _follow(self, path: str) -> str:
        done: list[str] = []
        todo = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                del done[-1:]
                continue
            place = "/".join(("", *done, part))
            target = self.links.get(place)
            if target is None:
                done.append(part)
                continue
            links += 1
            if links > _LINKS:
                return ""
            if target.startswith("/"):
                done.clear()
            todo.extend(one for one in reversed(target.split("/")) if one not in ("", "."))
        return "/" + "/".join(done)


def read_tree(stream: IO[bytes]) -> Tree:
    """Read the files of an image from a tar stream, which need not be seekable.

    Raises:
        SmokeError: The stream is cut short or is no tar.
    """
    sizes: dict[str, int] = {}
    links: dict[str, str] = {}
    elves: dict[str, ElfFacts] = {}
    broken: dict[str, str] = {}
    texts: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=_BLOCK_BYTES) as archive:
            for member in archive:
                path = posixpath.normpath(f"/{member.name}")
                if member.issym():
                    links[path] = member.linkname
                elif member.islnk():
                    links[path] = posixpath.normpath(f"/{member.linkname}")
                elif member.isreg():
                    sizes[path] = member.size
                    file = cast("IO[bytes]", archive.extractfile(member))
                    if any(fnmatchcase(path, pattern) for pattern in _KEPT):
                        texts[path] = file.read()
                    elif member.size > len(ELF_MAGIC):
                        magic = file.read(len(ELF_MAGIC))
                        if magic == ELF_MAGIC:
                            _add(path, member.size, file, elves, broken)
                        elif magic == FATBIN_MAGIC:
                            elves[path] = _fatbin(magic + file.read())
                # its list of members would else grow to hold them all
                archive.members.clear()  # type: ignore[attr-defined]  # typeshed does not tell of it
    except (tarfile.TarError, EOFError) as error:
        message = f"the image's files can't be read: {error}"
        raise SmokeError(message) from error
    return Tree(
        MappingProxyType(sizes),
        MappingProxyType(links),
        MappingProxyType(elves),
        MappingProxyType(broken),
        MappingProxyType(texts),
    )


def _fatbin(data: bytes) -> ElfFacts:
    """Return the facts of a file that holds code for GPUs and nothing else."""
    return ElfFacts(Machine(GPU, 64), is_dynamic=False, code=read_fatbin(data, 0, len(data)))


def _remember(data: bytes) -> ElfFacts:
    """Return the facts of a file, read once: images share most of their binaries."""
    known = _facts_of(hashlib.sha256(data).digest())
    if not known:
        known.append(read_elf(data))
    return known[0]


@lru_cache(maxsize=8192)
def _facts_of(digest: bytes) -> list[ElfFacts]:
    """Return where the facts of the content with this digest are kept."""
    del digest
    return []


def _add(
    path: str, size: int, file: IO[bytes], elves: dict[str, ElfFacts], broken: dict[str, str]
) -> None:
    try:
        if size <= _IN_MEMORY_BYTES:
            elves[path] = _remember(ELF_MAGIC + file.read())
            return
        # An image's big binaries do not fit in memory: one at a time is mapped from the disk.
        with tempfile.TemporaryFile() as copy:
            copy.write(ELF_MAGIC)
            copyfileobj(file, copy, _BLOCK_BYTES)
            copy.flush()
            with mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ) as data:
                elves[path] = read_elf(data)
    except BrokenElfError as error:
        broken[path] = str(error)

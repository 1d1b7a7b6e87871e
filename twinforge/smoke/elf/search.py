"""Where the loader looks for a library, in its order.

Source: the manual page ld.so(8); glibc's elf/dl-load.c (_dl_map_object, is_trusted_path) for what
it leaves out, and sysdeps/generic/dl-cache.h for the cache.
"""

from __future__ import annotations

import posixpath
import struct
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from twinforge.smoke.elf.facts import ElfFacts
    from twinforge.smoke.elf.tree import Tree

__all__ = ["Loaded", "Search", "parse_cache", "parse_configuration"]

_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_CACHE_HEAD_BYTES = 48
_CACHE_ENTRY = struct.Struct("<iIIIQ")  # flags, name, path, system's version, hardware
_TRIPLETS = {("X86_64", 64): "x86_64-linux-gnu", ("AARCH64", 64): "aarch64-linux-gnu"}


class Loaded:
    """A file that the loader has mapped; ``path`` is where it found it, links not followed."""

    __slots__ = ("by", "facts", "path", "real")

    def __init__(self, path: str, real: str, facts: ElfFacts, by: Loaded | None) -> None:
        self.path = path
        self.real = real
        self.facts = facts
        self.by = by

    @property
    def chain(self) -> Iterator[Loaded]:
        """Itself, what loaded it, and so on up to the program or the extension."""
        one: Loaded | None = self
        while one is not None:
            yield one
            one = one.by


class Search:
    """How a library is found in one image."""

    def __init__(self, tree: Tree, library_path: Sequence[str] = ()) -> None:
        self._tree = tree
        self._library_path = tuple(folder for folder in library_path if folder)
        cached: dict[str, list[str]] = {}
        for name, path in parse_cache(tree.texts.get("/etc/ld.so.cache", b"")):
            cached.setdefault(name, []).append(path)
        self._cached: Mapping[str, list[str]] = cached

    def find(self, name: str, by: Loaded) -> str | None:
        """Return the path at which the loader finds what a file needs, or None.

        A library of another machine is passed over, as the loader does.
        """
        candidates = self._expand(name, by) if "/" in name else self._candidates(name, by)
        for path in candidates:
            if self.is_loadable(path, by):
                return path
        return None

    def is_loadable(self, path: str, by: Loaded) -> bool:
        """Whether there is a library at a path for the machine of what needs it."""
        real = self._tree.resolve(path)
        facts = self._tree.elves.get(real) if real else None
        return facts is not None and facts.is_dynamic and facts.machine == by.facts.machine

    def looks_in(self, folder: str) -> bool:
        """Whether it looks in a folder for whoever needs something."""
        return self._tree.real(folder) in self._folders

    @cached_property
    def _folders(self) -> frozenset[str]:
        known = {posixpath.dirname(path) for paths in self._cached.values() for path in paths}
        names = (*(f"lib/{one}" for one in _TRIPLETS.values()), "lib64", "lib")
        known |= {f"{root}/{name}" for name in names for root in ("", "/usr")}
        return frozenset(map(self._tree.real, (*known, *self._library_path)))

    def _candidates(self, name: str, by: Loaded) -> Iterator[str]:
        if not by.facts.runpath:
            for one in by.chain:
                if not one.facts.runpath:
                    yield from self._in(one.facts.rpath, one, name)
        yield from self._in(self._library_path, by, name)
        yield from self._in(by.facts.runpath, by, name)
        yield from self._cached.get(name, ())
        triplet = _TRIPLETS.get((by.facts.machine.arch, by.facts.machine.bits))
        library = "lib64" if by.facts.machine.bits == 64 else "lib"  # noqa: PLR2004 - bits
        for folder in (triplet and f"lib/{triplet}", library, "lib"):
            if folder:
                yield from (f"/{folder}/{name}", f"/usr/{folder}/{name}")

    def _in(self, folders: Sequence[str], of: Loaded, name: str) -> Iterator[str]:
        for folder in folders:
            for expanded in self._expand(folder, of):
                yield posixpath.join(expanded, name)

    def _expand(self, text: str, of: Loaded) -> Iterator[str]:
        """Replace the loader's words; ``$LIB`` is what the system's loader was built with."""
        origin = posixpath.dirname(of.path)
        for word in ("$ORIGIN", "${ORIGIN}"):
            text = text.replace(word, origin)
        if "$LIB" not in text and "${LIB}" not in text:
            yield text
            return
        triplet = _TRIPLETS.get((of.facts.machine.arch, of.facts.machine.bits), "")
        for library in (f"lib/{triplet}", "lib64", "lib"):
            yield text.replace("${LIB}", library).replace("$LIB", library)


def parse_cache(text: bytes) -> Iterator[tuple[str, str]]:
    """Give name and path of every entry of ``ld.so.cache``; nothing where it is none."""
    start = text.find(_CACHE_MAGIC)
    if start < 0 or len(text) < start + _CACHE_HEAD_BYTES:
        return
    (count,) = struct.unpack_from("<I", text, start + len(_CACHE_MAGIC))
    for number in range(count):
        place = start + _CACHE_HEAD_BYTES + number * _CACHE_ENTRY.size
        if place + _CACHE_ENTRY.size > len(text):
            return
        _, name, path, _, _ = _CACHE_ENTRY.unpack_from(text, place)
        yield _string(text, start + name), _string(text, start + path)


def parse_configuration(texts: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the folders that ``ld.so.conf`` and its parts name: what ``ldconfig`` would look in."""
    lines = [
        line.partition("#")[0].strip()
        for path, text in texts.items()
        if path == "/etc/ld.so.conf" or path.startswith("/etc/ld.so.conf.d/")
        for line in text.decode("utf-8", "replace").splitlines()
    ]
    return tuple(line for line in lines if line.startswith("/"))


def _string(text: bytes, place: int) -> str:
    end = text.find(b"\0", place)
    return text[place:end].decode("utf-8", "replace") if end >= 0 else ""

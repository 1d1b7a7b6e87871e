"""Reads one ELF file; the one module with pyelftools."""

from __future__ import annotations

import io
import struct
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from elftools.common.exceptions import ELFError
from elftools.construct.core import ConstructError
from elftools.elf.elffile import ELFFile

from twinforge.smoke.elf.facts import NO_CODE, ElfFacts, GpuCode, Machine
from twinforge.smoke.elf.fatbin import read_fatbin
from twinforge.smoke.elf.versions import read_version, teller_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from mmap import mmap
    from typing import BinaryIO

__all__ = ["ELF_MAGIC", "BrokenElfError", "read_elf"]

ELF_MAGIC = b"\x7fELF"
_GPU_CODE = ".nv_fatbin"
_EMPTY_KERNEL_BYTES = 1024
"""The empty kernel of nvcc's default architecture in libcufft and libcufftw has 432."""
_GPU_MARKS = (_GPU_CODE, "__nv_relfatbin", ".nvFatBinSegment")
_WEAK = 0x2  # VER_FLG_WEAK: the loader only warns
_BASE = 0x1  # VER_FLG_BASE: the library's own name, no version
_LOADED = ("ET_DYN", "ET_EXEC")
_LARGEST_FUNCTION = 8192
_SENSELESS = (AttributeError, LookupError, TypeError, UnicodeError, ValueError)
"""What the library stumbles over where numbers in a file lead nowhere."""


class BrokenElfError(Exception):
    """A file begins as ELF and can't be read on; never leaves this room."""


def read_elf(data: bytes | mmap) -> ElfFacts:
    """Return what an ELF file says of itself.

    Args:
        data: All of it, mapped where it is big, so that little of it need be in memory.

    Raises:
        BrokenElfError: It is cut short or makes no sense.
    """
    try:
        return _Reader(data).facts()
    except (ELFError, ConstructError, struct.error, ArithmeticError, *_SENSELESS) as error:
        raise BrokenElfError(str(error)) from error


class _Reader:
    def __init__(self, data: bytes | mmap) -> None:
        self._data = data
        # A map reads and seeks as files do.
        stream = io.BytesIO(data) if isinstance(data, bytes) else cast("BinaryIO", data)
        self._elf = ELFFile(stream)
        self._places = self._section_places()

    def _section_places(self) -> Mapping[str, int]:
        """Return the number of each section by its name.

        The library parses a section to name it; an image has a hundred thousand of them.
        """
        elf = self._elf
        start, size, count = elf["e_shoff"], elf["e_shentsize"], elf.num_sections()
        names = elf.get_section(elf.get_shstrndx()) if count else None
        if names is None:
            return {}
        text = names.data()
        order = "<" if elf.little_endian else ">"
        found = {}
        for number in range(count):
            (place,) = struct.unpack_from(f"{order}I", self._data, start + number * size)
            name = text[place : text.index(b"\0", place)]
            found[name.decode("ascii", "replace")] = number
        return found

    def _section(self, name: str) -> Any:
        number = self._places.get(name)
        return None if number is None else self._elf.get_section(number)

    def facts(self) -> ElfFacts:
        """Return what the file says of itself."""
        elf = self._elf
        machine = Machine(str(elf["e_machine"]).removeprefix("EM_"), elf.elfclass)
        if elf["e_type"] not in _LOADED:
            return ElfFacts(machine, is_dynamic=False)
        dynamic = self._dynamic()
        if dynamic is None:
            return ElfFacts(machine, code=self._code(), is_dynamic=False)
        tags: dict[str, list[str]] = {}
        for tag in dynamic.iter_tags():
            kind = str(tag.entry.d_tag).removeprefix("DT_").lower()
            if kind in ("needed", "soname", "rpath", "runpath"):
                tags.setdefault(kind, []).append(getattr(tag, kind))
        soname = "".join(tags.get("soname", [])[:1])
        return ElfFacts(
            machine,
            soname=soname,
            needed=tuple(tags.get("needed", ())),
            rpath=_folders(tags.get("rpath", ())),
            runpath=_folders(tags.get("runpath", ())),
            is_program=".interp" in self._places,
            wants=self._wants(),
            defines=self._defines(),
            code=self._code(),
            version=self._version(soname),
        )

    def _dynamic(self) -> Any:
        """Return what tells the loader what to do; None where nothing does.

        The section is found at once, the segment only after a look at every section; but a file
        may be without sections.
        """
        section = self._section(".dynamic")
        if section is not None and section["sh_type"] == "SHT_DYNAMIC":
            return section
        return next(iter(self._elf.iter_segments("PT_DYNAMIC")), None)

    def _wants(self) -> Mapping[str, tuple[str, ...]]:
        section = self._section(".gnu.version_r")
        found = {}
        for needed, wanted in section.iter_versions() if section else ():
            names = [str(one.name) for one in wanted if not one["vna_flags"] & _WEAK]
            found[str(needed.name)] = tuple(names)
        return MappingProxyType(found)

    def _defines(self) -> frozenset[str]:
        section = self._section(".gnu.version_d")
        return frozenset(
            str(next(iter(names)).name)
            for defined, names in (section.iter_versions() if section else ())
            if not defined["vd_flags"] & _BASE
        )

    def _code(self) -> GpuCode:
        """Return the code for GPUs in the file.

        Where the section that is made for it is no bigger than the empty kernel that a compiler
        leaves there, the code is somewhere else, as in cuFFT's ``.ldata``, or there is none.
        """
        if not any(mark in self._places for mark in _GPU_MARKS):
            return NO_CODE
        section = self._section(_GPU_CODE)
        if section is not None and section["sh_size"] > _EMPTY_KERNEL_BYTES:
            start = section["sh_offset"]
            return read_fatbin(self._data, start, start + section["sh_size"])
        start = section["sh_offset"] + section["sh_size"] if section is not None else 0
        return read_fatbin(self._data, start, len(self._data))

    def _version(self, soname: str) -> str:
        teller = teller_of(soname)
        hashes = self._section(".gnu.hash") if teller else None
        symbol = hashes.get_symbol(teller.symbol) if teller and hashes else None
        if teller is None or symbol is None or symbol["st_shndx"] == "SHN_UNDEF":
            return ""
        size = min(symbol["st_size"], _LARGEST_FUNCTION)
        places = self._elf.address_offsets(symbol["st_value"], size)
        return "".join(
            read_version(teller, soname, bytes(self._data[place : place + size]))
            for place in list(places)[:1]
        )


def _folders(values: Any) -> tuple[str, ...]:
    return tuple(folder for value in values for folder in value.split(":") if folder)

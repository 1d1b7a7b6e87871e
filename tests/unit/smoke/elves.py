"""Small ELF files, fat binaries and images, written byte by byte: as little as the loader reads."""

from __future__ import annotations

import io
import struct
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twinforge.smoke.elf.binaries import Binaries
from twinforge.smoke.elf.tree import read_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from twinforge.smoke.elf.tree import Tree

SITE = "/opt/venv/lib/python3.11/site-packages"
X86_64, AARCH64, I386 = 62, 183, 3
_EM_CUDA = 190
_STRTAB, _DYNSYM, _PROGBITS, _DYNAMIC, _GNU_HASH = 3, 11, 1, 6, 0x6FFFFFF6
_VERDEF, _VERNEED = 0x6FFFFFFD, 0x6FFFFFFE


class Strings:
    """A table of strings, each ended by a zero byte."""

    def __init__(self) -> None:
        self.data = b"\0"

    def add(self, text: str) -> int:
        place = len(self.data)
        self.data += text.encode() + b"\0"
        return place


@dataclass
class Section:
    name: str
    kind: int
    data: bytes
    link: str = ""
    entry_size: int = 0
    info: int = 0


@dataclass(frozen=True)
class Elf:
    """What a test wants an ELF file to say.

    ``weak`` are versions that may be wanted in vain; ``fatbin`` is in the section that is made for
    it, with ``is_dummy`` as small as an empty kernel, and ``elsewhere`` in another one.
    """

    soname: str = ""
    needed: Sequence[str] = ()
    rpath: str = ""
    runpath: str = ""
    wants: Mapping[str, Sequence[str]] = field(default_factory=dict)
    weak: Sequence[str] = ()
    defines: Sequence[str] = ()
    fatbin: bytes = b""
    elsewhere: bytes = b""
    is_dummy: bool = False
    symbols: Mapping[str, bytes] = field(default_factory=dict)
    machine: int = X86_64
    is_program: bool = False
    kind: int = 3

    def build(self) -> bytes:
        strings = Strings()
        tags = [(1, strings.add(name)) for name in self.needed]
        named = ((14, self.soname), (15, self.rpath), (29, self.runpath))
        tags += [(tag, strings.add(text)) for tag, text in named if text]
        sections = [
            Section(
                ".gnu.version_r", _VERNEED, self._verneed(strings), ".dynstr", 0, len(self.wants)
            ),
            Section(
                ".gnu.version_d", _VERDEF, self._verdef(strings), ".dynstr", 0, len(self.defines)
            ),
        ]
        sections = [one for one in sections if one.data]
        if self.fatbin:
            # an empty kernel has a few hundred bytes, and code more
            size = 0 if self.is_dummy else 4096
            sections.append(Section(".nv_fatbin", _PROGBITS, self.fatbin.ljust(size, b"\0")))
        if self.elsewhere:
            sections.append(Section(".ldata", _PROGBITS, self.elsewhere))
        if self.is_program:
            sections.append(Section(".interp", _PROGBITS, b"/lib64/ld-linux-x86-64.so.2\0"))
        values = Section(".data", _PROGBITS, b"".join(self.symbols.values()))
        if self.symbols:
            sections.insert(0, values)  # so that its address is known beforehand
            sections += _symbols(self.symbols, strings)
        sections.append(Section(".dynstr", _STRTAB, strings.data))
        return _assemble(sections, tags, self.machine, self.kind)

    def _verneed(self, strings: Strings) -> bytes:
        out = b""
        for index, (library, versions) in enumerate(self.wants.items()):
            more = 0 if index + 1 == len(self.wants) else 16 + 16 * len(versions)
            out += struct.pack("<HHIII", 1, len(versions), strings.add(library), 16, more)
            for number, version in enumerate(versions):
                flags = 2 if version in self.weak else 0
                following = 16 if number + 1 < len(versions) else 0
                out += struct.pack("<IHHII", 0, flags, 2, strings.add(version), following)
        return out

    def _verdef(self, strings: Strings) -> bytes:
        out = b""
        for index, version in enumerate(self.defines):
            flags = 1 if version == self.soname else 0
            more = 0 if index + 1 == len(self.defines) else 28
            out += struct.pack("<HHHHIII", 1, flags, index + 1, 1, 0, 20, more)
            out += struct.pack("<II", strings.add(version), 0)
        return out


def fatbin(*entries: tuple[str, int, int], isa: tuple[int, int] = (8, 8), cuda: int = 129) -> bytes:
    """Return a container with (kind, architecture, flags) per entry.

    Args:
        entries: ``cubin`` or ``ptx``, such as 75 for sm_75, and the flags of the header.
        isa: The version of PTX.
        cuda: The release that a cubin names, 129 for 12.9; 0 for a form that names none.
    """
    body = b""
    for kind, arch, flags in entries:
        payload = b"//\n.version\n".ljust(24) if kind == "ptx" else _cubin(cuda)
        numbers = (isa[1], isa[0]) if kind == "ptx" else (7, 1)
        packed = len(payload) if flags & 0x2000 else 0
        head = struct.pack(
            "<HHIQIIHHIIIQQQ",
            *(1 if kind == "ptx" else 2, 0x101, 64, len(payload), packed, 0),
            *(*numbers, arch, 0, 0, 0x11 | flags, 0, 0),
        )
        body += head + payload
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


def _cubin(cuda: int) -> bytes:
    abi = 7 if cuda else 8
    head = b"\x7fELF\x02\x01\x01\x33" + bytes([abi]) + bytes(7)
    return (head + struct.pack("<HHI", 2, _EM_CUDA, cuda or 1)).ljust(64, b"\0")


def image(
    files: Mapping[str, Elf | bytes],
    links: Mapping[str, str] | None = None,
    *,
    hard: Mapping[str, str] | None = None,
) -> Tree:
    """Return the tree of an image with these files and links, by way of its tar stream."""
    return read_tree(io.BytesIO(tar(files, links, hard=hard)))


def binaries(
    files: Mapping[str, Elf | bytes],
    links: Mapping[str, str] | None = None,
    library_path: Sequence[str] = (),
) -> Binaries:
    """Return an image's binaries."""
    return Binaries(image(files, links), tuple(library_path))


def tar(
    files: Mapping[str, Elf | bytes],
    links: Mapping[str, str] | None = None,
    *,
    hard: Mapping[str, str] | None = None,
) -> bytes:
    """Return an image as an engine exports it: names without a leading slash."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, file in files.items():
            data = file.build() if isinstance(file, Elf) else file
            member = tarfile.TarInfo(path.removeprefix("/"))
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for kind, named in ((tarfile.SYMTYPE, links), (tarfile.LNKTYPE, hard)):
            for path, target in (named or {}).items():
                member = tarfile.TarInfo(path.removeprefix("/"))
                member.type, member.linkname = kind, target
                archive.addfile(member)
    return out.getvalue()


def wheel(name: str, version: str, files: Iterable[str]) -> dict[str, bytes]:
    """Return the record of an installed wheel, whose files are relative to ``site-packages``."""
    lines = "".join(f"{file},sha256=x,1\n" for file in files)
    return {f"{SITE}/{name}-{version}.dist-info/RECORD": lines.encode()}


def debian(packages: Mapping[str, tuple[str, Sequence[str]]]) -> dict[str, bytes]:
    """Return dpkg's records of packages: name -> (version, paths)."""
    status = "".join(f"Package: {n}\nVersion: {v}\n\n" for n, (v, _) in packages.items())
    lists = {
        f"/var/lib/dpkg/info/{name}.list": "\n".join(paths).encode() + b"\n"
        for name, (_, paths) in packages.items()
    }
    return {"/var/lib/dpkg/status": status.encode(), **lists}


def cache(entries: Mapping[str, str]) -> bytes:
    """Return an ``ld.so.cache`` of names and paths, after a part of the old form."""
    head, texts, rows = 48 + 24 * len(entries), b"", b""
    for name, path in entries.items():
        at = head + len(texts)
        texts += name.encode() + b"\0" + path.encode() + b"\0"
        rows += struct.pack("<iIIIQ", 0x303, at, at + len(name) + 1, 0, 0)
    start = b"glibc-ld.so.cache1.1" + struct.pack("<II", len(entries), len(texts))
    return b"ld.so-1.7.0\0" + start.ljust(48, b"\0") + rows + texts


def _symbols(symbols: Mapping[str, bytes], strings: Strings) -> list[Section]:
    table, hashes, place = bytes(24), [], 64
    for name, value in symbols.items():
        table += struct.pack("<IBBHQQ", strings.add(name), 0x11, 0, 1, place, len(value))
        place += len(value)
        number = 5381
        for byte in name.encode():
            number = (number * 33 + byte) & 0xFFFFFFFF
        hashes.append(number & ~1)
    hashes[-1] |= 1
    head = struct.pack("<IIIIQI", 1, 1, 1, 0, 0xFFFFFFFFFFFFFFFF, 1)
    chain = struct.pack(f"<{len(hashes)}I", *hashes)
    return [
        Section(".dynsym", _DYNSYM, table, ".dynstr", 24, 1),
        Section(".gnu.hash", _GNU_HASH, head + chain, ".dynsym"),
    ]


def _assemble(
    sections: list[Section], tags: list[tuple[int, int]], machine: int, kind: int
) -> bytes:
    """Put sections behind a header of 64 bytes, at addresses that are their places in the file."""
    places, body = {}, b""
    for one in sections:
        places[one.name] = 64 + len(body)
        body += one.data.ljust(-(-len(one.data) // 8) * 8, b"\0")
    tags = [*tags, (5, places[".dynstr"]), (10, len(sections[-1].data)), (0, 0)]
    dynamic = Section(".dynamic", _DYNAMIC, b"", ".dynstr", 16)
    dynamic.data = b"".join(struct.pack("<QQ", *tag) for tag in tags)
    places[".dynamic"] = 64 + len(body)
    body += dynamic.data
    names = Strings()
    sections = [*sections, dynamic, Section(".shstrtab", _STRTAB, b"")]
    name_places = [names.add(one.name) for one in sections]
    sections[-1].data = names.data
    places[".shstrtab"] = 64 + len(body)
    body += names.data.ljust(-(-len(names.data) // 8) * 8, b"\0")
    segments = 64 + len(body)
    end = segments + 2 * 56
    body += struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, end, end, 4096)
    size, at = len(dynamic.data), places[".dynamic"]
    body += struct.pack("<IIQQQQQQ", 2, 6, at, at, at, size, size, 8)
    table = bytes(64)
    numbers = {one.name: index for index, one in enumerate(sections, start=1)}
    for one, name in zip(sections, name_places, strict=True):
        link = numbers.get(one.link, 0)
        row = (name, one.kind, 2, places[one.name], places[one.name], len(one.data), link)
        table += struct.pack("<IIQQQQIIQQ", *row, one.info, 8, one.entry_size)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0, segments, 64 + len(body), 0, *_SIZES)
    head = head[:-4] + struct.pack("<HH", len(sections) + 1, len(sections))
    return head + body + table


_SIZES = (64, 56, 2, 64, 0, 0)

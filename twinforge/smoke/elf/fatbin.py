"""The code for GPUs in a fat binary: for which of them, and from which CUDA.

A section holds containers one after the other, and each of them entries: machine code ("cubin", an
ELF file of its own) or PTX for one architecture. No tool of CUDA's is needed to read their headers.

Source: https://github.com/n-eiling/cuda-fatbin-decompression fatbin-decompress.h (the layout);
measured 2026-11-24 on the wheels of cuBLAS 12.9.3.13, cuDNN 9.28.0.42, NCCL 2.32.3 and
XGBoost 3.2.0 (the flags), where it agrees with the architectures that their vendors publish;
2026-11-29 on what ``ptxas`` and ``fatbinary`` of CUDA 13.5 make in every mode of compression (the
header of concatenated entries).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from twinforge.compat.facts import Dotted
from twinforge.smoke.elf.facts import GpuCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap

__all__ = ["FATBIN_MAGIC", "PTX_OF_CUDA", "expand_lz4", "read_fatbin"]

FATBIN_MAGIC = b"\x50\xed\x55\xba"
_CONTAINER = struct.Struct("<4sHHQ")  # magic, version, size of this header, size of what follows
_ENTRY = struct.Struct("<HHIQIIHHIIIQ")  # up to its flags; the header says how long it is itself
_PTX, _CUBIN = 1, 2
_SEVERAL = 0x100
"""Entries that are compressed as one (``nvcc --concat``); their headers stand behind this one."""
_SEVERAL_HEAD = 72  # then how many there are
_INNER_BYTES = 64
_LZ4 = 0x2000
_ONLY_THIS = 0x100000
"""Code that uses what only this architecture has: ``sm_90a``."""
_FAMILY = 0x200000
"""Code for the minors of one major: ``sm_120f``, which runs on 12.1 as any 12.0 code does."""
_CUBIN_HEAD = 64
_ELF = b"\x7fELF"
_E_VERSION = 20  # of an ELF header
_OLD_ABI = 7
_ABI = 8  # EI_ABIVERSION
_LEAST_TOOLKIT = 50

PTX_OF_CUDA = {
    "6.0": "9.0",
    "6.1": "9.1",
    "6.2": "9.2",
    "6.3": "10.0",
    "6.4": "10.1",
    "6.5": "10.2",
    "7.0": "11.0",
    "7.1": "11.1",
    "7.2": "11.2",
    "7.3": "11.3",
    "7.4": "11.4",
    "7.5": "11.5",
    "7.6": "11.6",
    "7.7": "11.7",
    "7.8": "11.8",
    "8.0": "12.0",
    "8.1": "12.1",
    "8.2": "12.2",
    "8.3": "12.3",
    "8.4": "12.4",
    "8.6": "12.7",
    "8.7": "12.8",
    "8.8": "12.9",
    "9.0": "13.0",
}
"""Which CUDA release writes a version of PTX; two write 8.5, so that it tells nothing.

Source: https://docs.nvidia.com/cuda/parallel-thread-execution/ (release notes, table 58)
"""


class _Entry(NamedTuple):
    kind: int
    minor: int
    major: int
    arch: int
    flags: int
    payload: int
    size: int


def read_fatbin(data: mmap | bytes, start: int, end: int) -> GpuCode:
    """Return what the containers between two places of a file hold; data that is none is skipped."""
    binary: set[Dotted] = set()
    exact: set[Dotted] = set()
    ptx: set[Dotted] = set()
    toolkits: set[str] = set()
    seen: set[tuple[int, ...]] = set()
    for entry in _entries(data, start, end):
        capability = _capability(entry.arch)
        if entry.kind == _PTX:
            ptx.add(capability)
            toolkits.add(PTX_OF_CUDA.get(f"{entry.major}.{entry.minor}", ""))
            continue
        (exact if entry.flags & _ONLY_THIS else binary).add(capability)
        alike = (entry.arch, entry.flags, entry.minor)
        if alike not in seen:  # thousands of them say the same
            seen.add(alike)
            toolkits.add(_toolkit(data, entry))
    toolkits.discard("")
    return GpuCode(
        frozenset(binary),
        frozenset(exact - binary),
        frozenset(ptx),
        frozenset(toolkits),
        has_sections=True,
    )


def _entries(data: mmap | bytes, start: int, end: int) -> Iterator[_Entry]:
    place = start
    while (place := data.find(FATBIN_MAGIC, place, end)) >= 0:
        if place + _CONTAINER.size > end:
            return
        _, _, head, size = _CONTAINER.unpack_from(data, place)
        stop = min(place + head + size, end)
        inside = place + head
        while inside + _ENTRY.size <= stop:
            kind, _, own, payload, packed, _, minor, major, arch, _, _, flags = _ENTRY.unpack_from(
                data, inside
            )
            if own < _ENTRY.size:
                break
            if kind == _SEVERAL:
                yield from _several(data, inside, own)
            elif kind in (_PTX, _CUBIN):  # others are for the linker, or nobody has told of them
                yield _Entry(kind, minor, major, arch, flags, inside + own, packed or payload)
            inside += own + payload
        place = max(stop, place + len(FATBIN_MAGIC))


def _several(data: mmap | bytes, start: int, own: int) -> Iterator[_Entry]:
    """Give the entries that one header tells of; their payload can't be seen without expanding it."""
    count = int.from_bytes(data[start + _INNER_BYTES : start + _INNER_BYTES + 4], "little")
    for number in range(min(count, (own - _SEVERAL_HEAD) // _INNER_BYTES)):
        place = start + _SEVERAL_HEAD + number * _INNER_BYTES
        if place + _ENTRY.size > len(data):
            return
        kind, _, _, _, _, _, minor, major, arch, _, _, flags = _ENTRY.unpack_from(data, place)
        if kind in (_PTX, _CUBIN):
            yield _Entry(kind, minor, major, arch, flags, start, 0)


def _capability(arch: int) -> Dotted:
    return Dotted.parse(f"{arch // 10}.{arch % 10}")


def _toolkit(data: mmap | bytes, entry: _Entry) -> str:
    """Return the CUDA release that a cubin's header names; newer forms do not name it."""
    head = bytes(data[entry.payload : entry.payload + min(entry.size, 4 * _CUBIN_HEAD)])
    if entry.flags & _LZ4:
        head = expand_lz4(head, _CUBIN_HEAD)
    if not head.startswith(_ELF) or len(head) < _E_VERSION + 4 or head[_ABI] > _OLD_ABI:
        return ""
    version = int.from_bytes(head[_E_VERSION : _E_VERSION + 4], "little")
    return f"{version // 10}.{version % 10}" if version >= _LEAST_TOOLKIT else ""


def expand_lz4(packed: bytes, limit: int) -> bytes:
    """Return the first ``limit`` bytes of an LZ4 block, fewer where it is shorter or broken.

    Source: https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md

    >>> expand_lz4(bytes.fromhex("12610100"), 8)
    b'aaaaaaa'
    """
    out = bytearray()
    source = iter(packed)
    try:
        while len(out) < limit:
            token = next(source)
            literals = _length(token >> 4, source)
            out += bytes(next(source) for _ in range(min(literals, limit - len(out))))
            if len(out) >= limit:
                break
            distance = next(source) | next(source) << 8
            if not 0 < distance <= len(out):
                break
            for _ in range(min(_length(token & 15, source) + 4, limit - len(out))):
                out.append(out[-distance])
    except (StopIteration, RuntimeError):  # a generator turns the one into the other
        pass
    return bytes(out)


def _length(nibble: int, source: Iterator[int]) -> int:
    length = nibble
    if nibble == 15:  # noqa: PLR2004 - the format's "more follows"
        while True:
            more = next(source)
            length += more
            if more != 255:  # noqa: PLR2004 - the format's "more follows" of a byte
                break
    return length

"""Layers as registries keep them: gzipped in a way that gives the same bytes every time.

A layer is packed by libdeflate, in members of one fixed size, so that memory is bounded; a gzip
file may consist of several members (RFC 1952, 2.2), and lazily pulled layers do as well. What is
huge is mostly machine code of accelerators, packed already: there igzip takes a quarter of the time
for 1 or 2 % more bytes.

The bytes may depend on either library's version, and igzip's on the machine's instruction set; what
a registry already holds is found by its manifests, not by compressing again.

Source: https://github.com/ebiggers/libdeflate, https://github.com/pycompression/python-isal
"""

from __future__ import annotations

import hashlib
import queue
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import deflate
from isal import isal_zlib

from twinforge.errors import RegistryError
from twinforge.model.reference import Digest
from twinforge.registry.archive import CHUNK_BYTES
from twinforge.registry.manifest import Blob

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Compressed", "Compressor", "gzip_chunks", "read_file"]

LEVEL = 6
"""Wheels of Python take 1.05 to 1.18 times their own size with it, 1.25 to 1.45 with igzip."""

MEMBER_CHUNKS = 8
HUGE_BYTES = 192 << 20
IGZIP_LEVEL = 2
GZIP = 31
AHEAD = 24
"""How many pieces may wait for a compressor: memory for a busy core."""


@dataclass(frozen=True, slots=True)
class Compressed:
    """A compressed layer in a file that belongs to whoever asked for it."""

    diff_id: Digest
    blob: Blob
    path: Path


def gzip_chunks(chunks: Iterator[bytes], size_bytes: int) -> Iterator[bytes]:
    """Gzip pieces, each of ``CHUNK_BYTES`` but the last; no name and no time in the header.

    Args:
        chunks: A layer.
        size_bytes: How long it is altogether, which decides how it is packed.
    """
    return _gzip_fast(chunks) if size_bytes > HUGE_BYTES else _gzip_well(chunks)


def _gzip_well(chunks: Iterator[bytes]) -> Iterator[bytes]:
    member = b"".join(islice(chunks, MEMBER_CHUNKS))
    while True:
        yield bytes(deflate.gzip_compress(member, LEVEL))
        member = b"".join(islice(chunks, MEMBER_CHUNKS))
        if not member:
            return


def _gzip_fast(chunks: Iterator[bytes]) -> Iterator[bytes]:
    # igzip's output depends on how its input is cut.
    packer = isal_zlib.compressobj(IGZIP_LEVEL, wbits=GZIP)
    for chunk in chunks:
        if packed := packer.compress(chunk):
            yield packed
    yield packer.flush()


class Compressor:
    """Compresses layers on other cores while the next ones are still being read."""

    def __init__(self, folder: Path, *, workers: int) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="compress")
        self._count = 0

    def close(self) -> None:
        """Wait for what is being compressed."""
        self._pool.shutdown()

    def start(self, chunks: Iterator[bytes], size_bytes: int) -> Future[Compressed]:
        """Read a layer to its end and return its compressed file, which may still be growing.

        Args:
            chunks: The layer, in pieces of ``CHUNK_BYTES``.
            size_bytes: How long it is altogether.
        """
        self._count += 1
        path = self._folder / f"layer-{self._count}.gz"
        waiting: queue.Queue[bytes | None] = queue.Queue(AHEAD)
        future = self._pool.submit(_compress, waiting, size_bytes, path)
        digest = hashlib.sha256()
        result: Future[Compressed] = Future()
        try:
            for chunk in chunks:
                digest.update(chunk)
                _put(waiting, chunk, future)
        finally:
            _put(waiting, None, future)
        diff_id = Digest(digest.hexdigest())

        def finish(done: Future[Blob]) -> None:
            error = done.exception()
            if error is not None:
                result.set_exception(error)
            else:
                result.set_result(Compressed(diff_id, done.result(), path))

        future.add_done_callback(finish)
        return result


def _put(waiting: queue.Queue[bytes | None], chunk: bytes | None, future: Future[Blob]) -> None:
    while not future.done():
        try:
            waiting.put(chunk, timeout=0.2)
        except queue.Full:
            continue
        return


def _compress(waiting: queue.Queue[bytes | None], size_bytes: int, path: Path) -> Blob:
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("wb") as file:
            for packed in gzip_chunks(iter(waiting.get, None), size_bytes):
                digest.update(packed)
                size += len(packed)
                file.write(packed)
    except OSError as error:
        message = f"a compressed layer can't be written to '{path.parent}': {error.strerror}"
        raise RegistryError(message, hint="see that the disk has room") from error
    return Blob(Digest(digest.hexdigest()), size)


def read_file(path: Path, offset: int = 0) -> Iterator[bytes]:
    """Yield a file in pieces, from an offset on."""
    with path.open("rb") as file:
        file.seek(offset)
        while chunk := file.read(CHUNK_BYTES):
            yield chunk

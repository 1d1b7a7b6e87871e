"""The stream of ``docker save``: layers and configurations, read once and in the engine's order.

Engines from 25 on write an OCI layout (``blobs/sha256/<hex>``, layers by diff id); older ones name
a layer's folder after an id of their own and its configuration ``<image id>.json``. Both end with
``manifest.json``, too late to be of use for a stream.

Source: https://github.com/moby/moby/blob/v26.1.5/image/tarexport/save.go
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator

__all__ = ["CHUNK_BYTES", "Entry", "read_archive", "read_config"]

CHUNK_BYTES = 1 << 20
CONFIG_BYTES = 8 << 20
_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})")
_OLD_CONFIG = re.compile(r"([0-9a-f]{64})\.json")
_OLD_LAYER = re.compile(r"[0-9a-f]{64}/layer\.tar")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the archive.

    Attributes:
        hex: The sha256 that its name promises; empty for a layer of an old archive.
        size_bytes: How long it is.
        chunks: Its content in pieces of ``CHUNK_BYTES`` (the last is shorter); must be read to the
            end or not at all, before the next entry is asked for.
    """

    hex: str
    size_bytes: int
    chunks: Iterator[bytes]


def read_archive(stream: Iterator[bytes], wanted: Collection[str]) -> Generator[Entry, None, None]:
    """Yield the entries that may be wanted, as they come.

    Args:
        stream: The archive, in pieces of any length.
        wanted: The sha256 (hexadecimal) of layers and configurations. Layers of old archives are
            yielded all, since only their content says which they are.

    Raises:
        RegistryError: It is no archive, or it ends too early.
    """
    with closing(io.BufferedReader(_Reader(stream), CHUNK_BYTES)) as file:
        try:
            with tarfile.open(mode="r|", fileobj=file, bufsize=CHUNK_BYTES) as archive:
                for member in archive:
                    entry = _entry(archive, member, wanted)
                    if entry is not None:
                        yield entry
        except (tarfile.TarError, EOFError) as error:
            raise _unreadable(error) from error


def _entry(
    archive: tarfile.TarFile, member: tarfile.TarInfo, wanted: Collection[str]
) -> Entry | None:
    # A layer that two images share is a link in old archives: its target comes as well.
    if not member.isreg():
        return None
    name = member.name.removeprefix("./")
    found = _BLOB.fullmatch(name) or _OLD_CONFIG.fullmatch(name)
    if found and found[1] in wanted:
        return Entry(found[1], member.size, _chunks(archive, member))
    if _OLD_LAYER.fullmatch(name):
        return Entry("", member.size, _chunks(archive, member))
    return None


def _chunks(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    file = archive.extractfile(member)
    if file is None:  # pragma: no cover - only regular files come here
        return
    left = member.size
    while left:
        try:
            # A stream that ends early raises here, so that every piece is whole.
            chunk = file.read(min(CHUNK_BYTES, left))
        except tarfile.TarError as error:
            raise _unreadable(error) from error
        left -= len(chunk)
        yield chunk


def _unreadable(error: Exception) -> RegistryError:
    message = f"the engine's archive of the images can't be read: {error}"
    return RegistryError(message)


def read_config(entry: Entry) -> bytes:
    """Return an entry that is an image's configuration, checked against its name.

    Raises:
        RegistryError: It is too large, or not what its name promises.
    """
    if entry.size_bytes > CONFIG_BYTES:
        message = f"the configuration sha256:{entry.hex} is larger than 8 MiB"
        raise RegistryError(message)
    body = b"".join(entry.chunks)
    if hashlib.sha256(body).hexdigest() != entry.hex:
        message = f"the engine's archive has other content for the configuration sha256:{entry.hex}"
        raise RegistryError(message)
    return body


class _Reader(io.RawIOBase):
    """An iterator of bytes as a file."""

    def __init__(self, stream: Iterator[bytes]) -> None:
        self._stream = stream
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type] # any writable buffer
        while not self._rest:
            try:
                self._rest = memoryview(next(self._stream))
            except StopIteration:
                return 0
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        # Ends the engine's work early when all that is wanted has come.
        end = getattr(self._stream, "close", None)
        if end is not None:
            end()
        super().close()

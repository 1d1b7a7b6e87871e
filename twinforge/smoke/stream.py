"""Chunks that come in, read as a file."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["as_stream"]


class _Chunks(io.RawIOBase):
    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer).cast("B")
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def as_stream(chunks: Iterable[bytes]) -> IO[bytes]:
    """Return chunks as a file that is read from front to back."""
    # RawIOBase reads like a file of bytes, which typeshed does not say of its subclasses
    return cast("IO[bytes]", _Chunks(iter(chunks)))

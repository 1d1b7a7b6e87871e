"""The body of one request while it comes: large ones are copied once, from the kernel."""

from __future__ import annotations

from io import BytesIO

__all__ = ["READ_BYTES", "Body"]

READ_BYTES = 256 * 1024
"""At a time: more is no faster, and the other connections have their turn sooner."""


class Body:
    """Takes parts, and where the length is known, gives the memory that the rest is read into.

    Attributes:
        length_bytes: As announced; 0 where it was not.
        received_bytes: How much has come.
    """

    __slots__ = ("_memory", "_parts", "_view", "length_bytes", "received_bytes")

    def __init__(self, length_bytes: int = 0) -> None:
        self.length_bytes = length_bytes
        self.received_bytes = 0
        self._parts: list[bytes] = []
        self._memory: BytesIO | None = None
        self._view = memoryview(b"")

    def add(self, part: bytes) -> None:
        """Keep a part."""
        self._parts.append(part)
        self.received_bytes += len(part)

    def rest(self) -> memoryview:
        """Return memory for what is read next; ``received_bytes`` says where it begins.

        ``bytes(n)`` is memory that nothing has touched yet, and a ``BytesIO`` lends what it holds
        for writing and gives it away at the end, both without a copy.
        """
        if self._memory is None:
            self._memory = BytesIO(bytes(self.length_bytes))
            self._view = self._memory.getbuffer()
            self._view[: self.received_bytes] = b"".join(self._parts)
            self._parts.clear()
        return self._view[self.received_bytes :][:READ_BYTES]

    def take(self) -> bytes:
        """Return the whole body, and hold it no longer."""
        parts, memory = self._parts, self._memory
        self._parts, self._memory = [], None
        if memory is not None:
            self._view.release()
            return memory.getvalue()
        return parts[0] if len(parts) == 1 else b"".join(parts)

"""The model of both sides: next to nothing, so that the servers are what is measured."""

from __future__ import annotations

import zlib


def predict(data: list[list[float]] | bytes) -> list[float]:
    """Return the mean of each row, or the checksum of bytes."""
    if isinstance(data, bytes):
        return [float(zlib.crc32(data))]
    return [sum(row) / len(row) for row in data]

"""The records of a file that is transformed: its lines, or records in a binary frame. Pure.

Source: SageMaker API reference, ``TransformInput``; the frames are those of MXNet's RecordIO
(dmlc-core, ``include/dmlc/recordio.h``) and of TFRecord ("TFRecord and tf.train.Example" of
TensorFlow's guide).
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from twinforge.errors import TwinforgeError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SPLITS", "Record", "split_records"]

RECORDIO, TFRECORD = "RecordIO", "TFRecord"
SPLITS = ("None", "Line", RECORDIO, TFRECORD)

_MAGIC = struct.pack("<I", 0xCED7230A)
_WHOLE, _FIRST, _LAST = 0, 1, 3
_LENGTH = (1 << 29) - 1
"""Of the four bytes behind the magic number, the upper three bits say which part it is."""
_CASTAGNOLI = 0x82F63B78


@dataclass(frozen=True, slots=True)
class Record:
    """A record.

    Attributes:
        framed: As it stands in the file, which all records together are.
        data: Without what wraps it.
    """

    framed: bytes
    data: bytes


def split_records(content: bytes, split: str) -> list[Record]:
    r"""Return the records of a file, in order.

    >>> [record.data for record in split_records(b"1,2\n3,4\n", "Line")]
    [b'1,2\n', b'3,4\n']

    Raises:
        TwinforgeError: The file does not hold such records.
    """
    if split == RECORDIO:
        return list(_recordio(content))
    if split == TFRECORD:
        return list(_tfrecord(content))
    parts = io.BytesIO(content).readlines() if split == "Line" else [content]
    return [Record(part, part) for part in parts]


def _recordio(content: bytes) -> Iterator[Record]:
    place = start = 0
    parts: list[bytes] = []
    while place < len(content):
        head = content[place : place + 8]
        if len(head) < 8 or not head.startswith(_MAGIC):  # noqa: PLR2004 - two numbers
            raise _damaged(RECORDIO, place)
        (word,) = struct.unpack("<I", head[4:])
        part, length = word >> 29, word & _LENGTH
        end = place + 8 + length + -length % 4
        is_next = part in {_WHOLE, _FIRST} if not parts else part not in {_WHOLE, _FIRST}
        if end > len(content) or part > _LAST or not is_next:
            raise _damaged(RECORDIO, place)
        parts.append(content[place + 8 : place + 8 + length])
        place = end
        if part in {_WHOLE, _LAST}:
            # What looks like the magic number is cut out of the data when it is written.
            yield Record(content[start:place], _MAGIC.join(parts))
            start, parts = place, []
    if parts:
        raise _damaged(RECORDIO, start)


def _tfrecord(content: bytes) -> Iterator[Record]:
    place = 0
    while place < len(content):
        head = content[place : place + 12]
        if len(head) < 12:  # noqa: PLR2004 - a length and its checksum
            raise _damaged(TFRECORD, place)
        length, checksum = struct.unpack("<QI", head)
        end = place + 12 + length + 4
        if checksum != _masked_crc(head[:8]) or end > len(content):
            raise _damaged(TFRECORD, place)
        yield Record(content[place:end], content[place + 12 : end - 4])
        place = end


def _masked_crc(data: bytes) -> int:
    """Return TFRecord's checksum of a few bytes."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _crc_table()[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _crc_table() -> tuple[int, ...]:
    """Return the table of CRC-32C."""
    table = []
    for start in range(256):
        value = start
        for _ in range(8):
            value = (value >> 1) ^ (_CASTAGNOLI if value & 1 else 0)
        table.append(value)
    return tuple(table)


def _damaged(kind: str, place: int) -> TwinforgeError:
    message = f"there is no whole {kind} record at byte {place:,}"
    return TwinforgeError(message, hint="is --split what the file is?")

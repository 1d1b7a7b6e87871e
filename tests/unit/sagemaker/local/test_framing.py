from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinforge.errors import TwinforgeError
from twinforge.sagemaker.local.framing import split_records
from twinforge.sagemaker.local.records import Batching, requests_of

MAGIC = b"\x0a\x23\xd7\xce"
MANY, SINGLE = Batching(6, 1, "MultiRecord"), Batching(6, 1, "SingleRecord")
# Written by tf.io.TFRecordWriter of TensorFlow 2.21: the records b"twin" and b"forge".
TFRECORDS = bytes.fromhex(
    "0400000000000000424552047477696e637911040500000000000000eab2043e666f726765daa4aa70"
)


def recordio(*records: bytes) -> bytes:
    """Write records as dmlc-core's RecordIOWriter does: the magic number is cut out of the data."""
    content = b""
    for record in records:
        parts, start = [], 0
        for place in range(0, len(record) - 3, 4):
            if record[place : place + 4] == MAGIC:
                parts.append(record[start:place])
                start = place + 4
        parts.append(record[start:])
        for number, part in enumerate(parts):
            is_last = number == len(parts) - 1
            flag = 0 if len(parts) == 1 else 1 if number == 0 else 3 if is_last else 2
            content += MAGIC + struct.pack("<I", flag << 29 | len(part)) + part
            content += bytes(-len(part) % 4)
    return content


def test_the_frame_of_recordio_is_taken_off_a_record_that_is_sent_alone() -> None:
    content = recordio(b"twin", b"forge")
    assert content[:8] == b"\x0a\x23\xd7\xce\x04\x00\x00\x00"
    records = split_records(content, "RecordIO")
    assert [record.data for record in records] == [b"twin", b"forge"]
    assert [one.body for one in requests_of(records, batching=SINGLE)] == [b"twin", b"forge"]
    assert [one.body for one in requests_of(records, batching=MANY)] == [content]


@given(st.lists(st.lists(st.sampled_from([MAGIC, b"abcd", b"x", b""]), max_size=6)))
def test_recordio_is_read_as_it_was_written(written: list[list[bytes]]) -> None:
    records = [b"".join(parts) for parts in written]
    content = recordio(*records)
    found = split_records(content, "RecordIO")
    assert [record.data for record in found] == records
    assert b"".join(record.framed for record in found) == content


def test_tfrecords_are_read_as_tensorflow_writes_them() -> None:
    found = split_records(TFRECORDS, "TFRecord")
    assert [record.data for record in found] == [b"twin", b"forge"]
    assert b"".join(record.framed for record in found) == TFRECORDS


@pytest.mark.parametrize("split", ["RecordIO", "TFRecord"])
@pytest.mark.parametrize("cut", [1, 3, 7, 11, 17])
def test_a_file_that_ends_in_a_record_is_refused(split: str, cut: int) -> None:
    content = recordio(b"twinforge") if split == "RecordIO" else TFRECORDS[:20]
    with pytest.raises(TwinforgeError, match=f"there is no whole {split} record at byte 0"):
        split_records(content[:cut], split)


@pytest.mark.parametrize(
    "content",
    [
        b"1,2,3\n4,5,6\n" * 4,
        MAGIC + struct.pack("<I", 2 << 29),  # a middle without a beginning
        MAGIC + struct.pack("<I", 1 << 29),  # a beginning without an end
        MAGIC + struct.pack("<I", 1 << 29) + MAGIC + struct.pack("<I", 0),
        MAGIC + struct.pack("<I", 5 << 29),
    ],
)
def test_what_is_no_record_is_refused(content: bytes) -> None:
    with pytest.raises(TwinforgeError, match="no whole RecordIO record"):
        split_records(content, "RecordIO")


def test_a_wrong_checksum_of_a_length_is_refused() -> None:
    wrong = TFRECORDS[:8] + bytes(4) + TFRECORDS[12:]
    with pytest.raises(TwinforgeError, match="no whole TFRecord record at byte 0"):
        split_records(wrong, "TFRecord")

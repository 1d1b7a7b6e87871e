from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

import pytest

from twinforge.errors import RegistryError
from twinforge.model.reference import Digest
from twinforge.registry.archive import CHUNK_BYTES, Entry, read_archive, read_config
from twinforge.registry.compress import HUGE_BYTES, MEMBER_CHUNKS, Compressor, gzip_chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    MakeArchive = Callable[[dict[str, bytes]], bytes]

LAYER = bytes(range(256)) * 9000
NAME = hashlib.sha256(LAYER).hexdigest()


def cut(data: bytes, size: int = 5000) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def join(entry: Entry) -> bytes:
    return b"".join(entry.chunks)


def read_all(data: bytes, read: Callable[[Entry], bytes] = join) -> list[bytes]:
    return [read(entry) for entry in read_archive(cut(data), {NAME})]


def test_of_a_layout_only_what_is_wanted_is_yielded(make_archive: MakeArchive) -> None:
    data = make_archive({f"blobs/sha256/{NAME}": LAYER, f"blobs/sha256/{'0' * 64}": b"other"})
    found = [(entry.hex, b"".join(entry.chunks)) for entry in read_archive(cut(data), {NAME})]
    assert found == [(NAME, LAYER)]


def test_an_old_archive_gives_all_layers_and_the_configuration(make_archive: MakeArchive) -> None:
    config = b"{}"
    name = hashlib.sha256(config).hexdigest()
    files = {f"{'a' * 64}/VERSION": b"1.0", f"{'a' * 64}/layer.tar": LAYER, f"{name}.json": config}
    found = [
        (entry.hex, b"".join(entry.chunks))
        for entry in read_archive(cut(make_archive(files)), {name})
    ]
    assert found == [("", LAYER), (name, config)]


def test_pieces_have_one_size_however_the_stream_is_cut(make_archive: MakeArchive) -> None:
    data = make_archive({f"blobs/sha256/{NAME}": LAYER})
    (sizes,) = (
        [len(chunk) for chunk in entry.chunks] for entry in read_archive(cut(data, 777), {NAME})
    )
    assert sizes == [CHUNK_BYTES, CHUNK_BYTES, len(LAYER) - 2 * CHUNK_BYTES]


@pytest.mark.parametrize("end", [100, 700, 60_000])
def test_an_archive_that_ends_too_early_is_an_error(make_archive: MakeArchive, end: int) -> None:
    data = make_archive({f"blobs/sha256/{NAME}": LAYER})[:end]
    with pytest.raises(RegistryError, match="can't be read"):
        read_all(data)


def test_a_configuration_must_be_what_its_name_says(make_archive: MakeArchive) -> None:
    data = make_archive({f"blobs/sha256/{NAME}": b"{}"})
    with pytest.raises(RegistryError, match="other content for the configuration"):
        read_all(data, read_config)


def test_reading_no_further_ends_the_engines_stream(make_archive: MakeArchive) -> None:
    ended: list[bool] = []

    def stream() -> Iterator[bytes]:
        try:
            yield from cut(make_archive({f"blobs/sha256/{NAME}": LAYER, "rest": LAYER}))
        finally:
            ended.append(True)

    entries = read_archive(stream(), {NAME})
    b"".join(next(entries).chunks)
    entries.close()
    assert ended == [True]


@pytest.mark.parametrize("size_bytes", [len(LAYER), HUGE_BYTES + 1])
def test_gzip_has_no_time_and_unpacks_to_the_same_bytes(size_bytes: int) -> None:
    packed = b"".join(gzip_chunks(cut(LAYER, CHUNK_BYTES), size_bytes))
    assert packed[:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"
    assert gzip.decompress(packed) == LAYER
    assert packed == b"".join(gzip_chunks(cut(LAYER, CHUNK_BYTES), size_bytes))


def test_a_layer_of_many_members_and_an_empty_one_unpack_to_the_same_bytes() -> None:
    layer = bytes(range(256)) * 256
    chunks = [layer[:1000]] * MEMBER_CHUNKS + [layer]
    packed = list(gzip_chunks(iter(chunks), sum(map(len, chunks))))
    assert [gzip.decompress(member) for member in packed] == [layer[:1000] * MEMBER_CHUNKS, layer]
    assert gzip.decompress(b"".join(packed)) == b"".join(chunks)
    assert gzip.decompress(b"".join(gzip_chunks(iter(()), 0))) == b""


def test_a_compressed_layer_knows_what_it_was_and_what_it_is(tmp_path: Path) -> None:
    compressor = Compressor(tmp_path, workers=1)
    done = compressor.start(cut(LAYER, CHUNK_BYTES), len(LAYER)).result()
    compressor.close()
    packed = done.path.read_bytes()
    assert done.diff_id == Digest(NAME)
    assert done.blob.digest == Digest(hashlib.sha256(packed).hexdigest())
    assert done.blob.size_bytes == len(packed)


def test_a_folder_that_takes_no_file_is_an_error_and_no_deadlock(tmp_path: Path) -> None:
    compressor = Compressor(tmp_path / "missing", workers=1)
    future = compressor.start(cut(LAYER * 20, CHUNK_BYTES), len(LAYER) * 20)
    compressor.close()
    with pytest.raises(RegistryError, match="can't be written"):
        future.result()

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinforge.model.reference import Digest
from twinforge.registry.cache import BlobCache
from twinforge.registry.manifest import Blob

if TYPE_CHECKING:
    from pathlib import Path

LAYER, OTHER = Digest("1" * 64), Digest("2" * 64)
BLOB = Blob(Digest("a" * 64), 10)


def test_what_was_recorded_and_saved_is_known_to_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "state" / "blobs.json"
    cache = BlobCache(path)
    cache.record(LAYER, BLOB, host="h", repository="ml/x")
    cache.save()
    again = BlobCache(path)
    assert again.blob(LAYER) == BLOB
    assert again.repositories("h", BLOB.digest) == ("ml/x",)
    assert again.blob(OTHER) is None
    assert again.repositories("other", BLOB.digest) == ()


def test_two_that_save_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "blobs.json"
    first, second = BlobCache(path), BlobCache(path)
    first.record(LAYER, BLOB, host="h", repository="ml/x")
    second.record(OTHER, BLOB, host="h", repository="ml/y")
    first.save()
    second.save()
    again = BlobCache(path)
    assert (again.blob(LAYER), again.blob(OTHER)) == (BLOB, BLOB)
    assert again.repositories("h", BLOB.digest) == ("ml/x", "ml/y")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 9}', '{"version": 1, "layers": 3}'])
def test_a_file_that_cannot_be_read_is_an_empty_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "blobs.json"
    path.write_text(text)
    assert BlobCache(path).blob(LAYER) is None


def test_saving_leaves_nothing_else_in_the_folder(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path / "blobs.json")
    cache.record(LAYER, BLOB, host="h", repository="ml/x")
    cache.save()
    assert [path.name for path in tmp_path.iterdir()] == ["blobs.json"]

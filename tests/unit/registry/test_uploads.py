from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.unit.registry.conftest import sha256
from twinforge.errors import RegistryRefusedError
from twinforge.model.reference import Digest
from twinforge.registry.credentials import Credentials
from twinforge.registry.gather import StoppedError
from twinforge.registry.oci import RegistryClient, connect
from twinforge.registry.retry import Retry
from twinforge.registry.uploads import LEAST_BYTES, Uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

BLOB = bytes(range(256)) * 40
DIGEST = Digest.parse(sha256(BLOB))
NAME = "https://registry.example.com/ml/x"
HOST = "registry.example.com"


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "state/uploads", least_bytes=1)


def client(registry: Any, **options: Any) -> AbstractContextManager[RegistryClient]:
    who = Credentials("twin", "s3cret-pass")
    retry = Retry(attempts=2, sleep=lambda _: None)
    return connect(HOST, who, retry=retry, transport=registry.transport, **options)


def pieces(until: int = len(BLOB)) -> Callable[[int], Iterator[bytes]]:
    """Give the blob from an offset on; the push is stopped where it gets to ``until``."""

    def give(offset: int) -> Iterator[bytes]:
        yield BLOB[offset:until]
        if until < len(BLOB):
            message = "stopped"
            raise StoppedError(message)

    return give


def stop_at(registry: Any, uploads: Uploads, until: int) -> None:
    with client(registry) as found, pytest.raises(StoppedError):
        found.upload_blob("ml/x", DIGEST, len(BLOB), pieces(until), uploads)


def patches(registry: Any) -> list[httpx.Headers]:
    return [
        headers
        for (method, _), headers in zip(registry.requests, registry.headers, strict=True)
        if method == "PATCH"
    ]


def test_a_push_that_is_stopped_is_gone_on_with_and_only_the_rest_is_sent(
    registry: Any, uploads: Uploads, tmp_path: Path
) -> None:
    stop_at(registry, uploads, 4000)
    assert registry.blobs == {}
    again = Uploads(tmp_path / "state/uploads", least_bytes=1)
    with client(registry) as found:
        assert found.upload_blob("ml/x", DIGEST, len(BLOB), pieces(), again) == len(BLOB) - 4000
    assert registry.blobs == {("ml/x", str(DIGEST)): BLOB}
    first, second = patches(registry)
    # Without a length a request can end where the push is stopped, and the registry keeps it.
    assert first["transfer-encoding"] == second["transfer-encoding"] == "chunked"
    assert second["content-range"] == f"4000-{len(BLOB) - 1}"
    assert [method for method, _ in registry.requests].count("POST") == 1
    assert list((tmp_path / "state/uploads").iterdir()) == []


@pytest.mark.parametrize("answer", [404, 405, 416, 403, httpx.Response(204)])
def test_an_upload_that_the_registry_does_not_know_is_begun_anew(
    registry: Any, uploads: Uploads, answer: Any
) -> None:
    stop_at(registry, uploads, 4000)
    registry.faults = [answer]
    registry.fault_at = lambda request: request.method == "GET" and "uploads" in str(request.url)
    with client(registry) as found:
        assert found.upload_blob("ml/x", DIGEST, len(BLOB), pieces(), uploads) == len(BLOB)
    assert registry.blobs == {("ml/x", str(DIGEST)): BLOB}


def test_a_registry_that_fails_on_it_again_and_again_gets_a_new_one_in_the_end(
    registry: Any, uploads: Uploads
) -> None:
    """What an earlier push has left must not stop all later ones."""
    stop_at(registry, uploads, 4000)
    registry.faults = [500] * 2
    registry.fault_at = lambda request: request.method == "GET" and "uploads" in str(request.url)
    retry = Retry(attempts=3, sleep=lambda _: None)
    who = Credentials("twin", "s3cret-pass")
    with connect(HOST, who, retry=retry, transport=registry.transport) as found:
        assert found.upload_blob("ml/x", DIGEST, len(BLOB), pieces(), uploads) == len(BLOB)
    assert registry.blobs == {("ml/x", str(DIGEST)): BLOB}


def test_one_failure_is_no_reason_to_send_it_all(registry: Any, uploads: Uploads) -> None:
    stop_at(registry, uploads, 4000)
    registry.faults = [503]
    registry.fault_at = lambda request: request.method == "GET" and "uploads" in str(request.url)
    with client(registry) as found:
        assert found.upload_blob("ml/x", DIGEST, len(BLOB), pieces(), uploads) == len(BLOB) - 4000


def test_a_registry_that_can_t_go_on_gets_it_in_one_piece_of_known_length(
    registry: Any, uploads: Uploads, tmp_path: Path
) -> None:
    with client(registry, resumes=False) as found:
        assert found.upload_blob("ml/x", DIGEST, len(BLOB), pieces(), uploads) == len(BLOB)
    (headers,) = patches(registry)
    assert headers["content-length"] == str(len(BLOB))
    assert not (tmp_path / "state").exists()


def test_a_registry_that_wants_the_length_gets_it(registry: Any, uploads: Uploads) -> None:
    registry.faults = [411]
    registry.fault_at = lambda request: request.method == "PATCH"
    with client(registry) as found:
        assert found.upload_blob("ml/x", DIGEST, len(BLOB), pieces(), uploads) == len(BLOB)
    first, second = patches(registry)
    assert "content-length" not in first
    assert second["content-length"] == str(len(BLOB))
    registry.faults = [411] * 2
    with client(registry) as found, pytest.raises(RegistryRefusedError, match="status 411"):
        found.upload_blob("ml/y", DIGEST, len(BLOB), pieces(), uploads)


def test_a_small_blob_is_not_remembered(registry: Any, tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads", least_bytes=len(BLOB) + 1)
    with client(registry) as found:
        found.upload_blob("ml/x", DIGEST, len(BLOB), pieces(), uploads)
    (headers,) = patches(registry)
    assert headers["content-length"] == str(len(BLOB))
    assert not (tmp_path / "uploads").exists()
    with Uploads(tmp_path / "uploads").claim(NAME, DIGEST, LEAST_BYTES - 1) as begun:
        assert begun is None


def test_of_two_at_the_same_time_only_one_goes_on(uploads: Uploads) -> None:
    with uploads.claim(NAME, DIGEST, 9) as mine:
        assert mine is not None
        mine.keep("/uploads/1")
        with uploads.claim(NAME, DIGEST, 9) as theirs:
            assert theirs is None
        with (
            uploads.claim(NAME, Digest("0" * 64), 9) as other,
            uploads.claim(f"{NAME}y", DIGEST, 9) as elsewhere,
        ):
            assert other is not None
            assert elsewhere is not None
            assert (other.location, elsewhere.location) == ("", "")
    with uploads.claim(NAME, DIGEST, 9) as again:
        assert again is not None
        assert again.location == "/uploads/1"
        again.forget()
    with uploads.claim(NAME, DIGEST, 9) as last:
        assert last is not None
        assert last.location == ""


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1, "digest": "x"}', "\xff"])
def test_a_file_that_can_t_be_read_is_none(uploads: Uploads, tmp_path: Path, text: str) -> None:
    with uploads.claim(NAME, DIGEST, 9) as begun:
        assert begun is not None
        begun.keep("/uploads/1")
    (file,) = tmp_path.rglob("upload.json")
    file.write_text(text, "latin-1")
    with uploads.claim(NAME, DIGEST, 9) as begun:
        assert begun is not None
        assert begun.location == ""


def test_nobody_else_may_read_an_upload_s_address(uploads: Uploads, tmp_path: Path) -> None:
    with uploads.claim(NAME, DIGEST, 9) as begun:
        assert begun is not None
        begun.keep("/uploads/1?signature=x")
    assert (tmp_path / "state/uploads").stat().st_mode & 0o777 == 0o700


def test_what_is_older_than_a_week_is_removed_unless_somebody_is_at_it(
    uploads: Uploads, tmp_path: Path
) -> None:
    uploads.tidy()
    old = time.time() - 8 * 24 * 3600
    for name in ("a", "b", "c"):
        with uploads.claim(name, DIGEST, 9) as begun:
            assert begun is not None
            begun.keep(name)
    folders = {file.read_text("utf-8")[-5:-4]: file.parent for file in tmp_path.rglob("*.json")}
    assert set(folders) == {"a", "b", "c"}
    for name in ("a", "b"):
        os.utime(folders[name], (old, old))
    with uploads.claim("b", DIGEST, 9):
        uploads.tidy()
        assert {name for name, folder in folders.items() if folder.exists()} == {"b", "c"}

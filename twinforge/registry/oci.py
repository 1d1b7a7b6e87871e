"""A client of the OCI distribution API: blobs and manifests of one registry.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md; "end-N" below are
its endpoints.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from twinforge.errors import RegistryRefusedError
from twinforge.model.reference import Digest
from twinforge.registry.manifest import ACCEPTED
from twinforge.registry.retry import Retry, TransientError
from twinforge.registry.session import Session, make_transport
from twinforge.registry.upload import BlobUpload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

    from twinforge.registry.credentials import Credentials
    from twinforge.registry.uploads import Uploads

__all__ = ["RegistryClient", "StoredManifest", "connect"]

CONNECTIONS = 16
MANIFEST_BYTES = 4 << 20
MISSING = (HTTPStatus.OK, HTTPStatus.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest as a registry holds it; the digest is computed from the body."""

    media_type: str
    body: bytes
    digest: Digest


class RegistryClient:
    """Blobs and manifests of one registry; may be used by several threads at once.

    Every method may raise ``RegistryRefusedError`` (a definite "no") and ``RegistryError`` (it
    failed again and again).
    """

    def __init__(
        self, session: Session, retry: Retry, *, read_only: bool = False, resumes: bool = True
    ) -> None:
        self._session = session
        self._retry = retry
        self._resumes = resumes
        self._actions = "pull" if read_only else "pull,push"

    def _scope(self, repository: str) -> str:
        return f"repository:{repository}:{self._actions}"

    def blob_size(self, repository: str, digest: Digest) -> int | None:
        """Return how many bytes a blob of the repository has, or None where it is not there."""

        def ask() -> int | None:
            response = self._session.send(
                "HEAD",
                f"v2/{repository}/blobs/{digest}",
                scope=self._scope(repository),
                accept=MISSING,
            )
            if response.status_code == HTTPStatus.NOT_FOUND:
                return None
            return int(response.headers.get("content-length", 0))

        return self._retry.run(ask)

    def read_blob(self, repository: str, digest: Digest) -> bytes:
        """Return a small blob such as an image's configuration, checked against its digest."""

        def ask() -> bytes:
            response = self._session.send(
                "GET",
                f"v2/{repository}/blobs/{digest}",
                scope=self._scope(repository),
                accept=(HTTPStatus.OK,),
            )
            if hashlib.sha256(response.content).hexdigest() != digest.hex:
                message = f"the blob {digest} of '{repository}' came with other content"
                raise TransientError(message)
            return response.content

        return self._retry.run(ask)

    def open_blob(self, repository: str, digest: Digest, offset: int = 0) -> Iterator[bytes]:
        """Yield a blob as it comes, from an offset on; whoever takes it checks the digest.

        A registry that does not know ranges sends all of it, and the beginning is dropped here.

        Raises:
            TransientError: It ends too early; whoever reads it begins again.
        """
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        response = self._retry.run(
            lambda: self._session.send(
                "GET",
                f"v2/{repository}/blobs/{digest}",
                scope=self._scope(repository),
                headers=headers,
                accept=(HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT),
                stream=True,
            )
        )
        skip = offset if response.status_code == HTTPStatus.OK else 0
        for chunk in self._session.read_stream(response):
            if skip < len(chunk):
                yield chunk[skip:]
            skip = max(0, skip - len(chunk))

    def mount_blob(self, repository: str, digest: Digest, source: str) -> bool:
        """Let a repository share a blob of another one of the registry; say whether it does now.

        Not every registry can (end-11); one that can't opens an upload, which is then cancelled.
        """

        def ask() -> bool:
            scope = f"{self._scope(repository)} repository:{source}:pull"
            response = self._session.send(
                "POST",
                f"v2/{repository}/blobs/uploads/",
                scope=scope,
                params={"mount": str(digest), "from": source},
                accept=(HTTPStatus.CREATED, HTTPStatus.ACCEPTED),
            )
            if response.status_code == HTTPStatus.CREATED:
                return True
            self._cancel(response.headers.get("location", ""), scope)
            return False

        return self._retry.run(ask)

    def upload_blob(
        self,
        repository: str,
        digest: Digest,
        size: int,
        chunks: Callable[[int], Iterator[bytes]],
        uploads: Uploads | None = None,
    ) -> int:
        """Upload a blob in one stream, which goes on where it was cut if the registry can do that.

        Args:
            repository: Where it goes.
            digest: Of the blob.
            size: Its bytes, at least one.
            chunks: Gives the content from an offset on; called once per try. It may raise
                ``StoppedError``, which comes out of here when the registry has what was sent.
            uploads: What earlier pushes have begun, and where this one is remembered.

        Returns:
            How many bytes of it were not there before.
        """
        if size == 0:  # pragma: no cover - no layer and no configuration is empty
            message = f"the blob {digest} is empty"
            raise RegistryRefusedError(message)
        scope = self._scope(repository)
        with ExitStack() as stack:
            begun = None
            if uploads is not None and self._resumes:
                begun = stack.enter_context(
                    uploads.claim(self._session.url(repository), digest, size)
                )
            upload = BlobUpload(
                self._session,
                repository,
                scope,
                digest,
                size,
                chunks,
                begun=begun,
                resumes=self._resumes,
            )
            self._retry.run(upload.attempt)
            return size - upload.kept

    def read_manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """Return the manifest of a tag or digest, or None where there is none.

        Every media type is accepted, so that a registry converts nothing for us.
        """

        def ask() -> StoredManifest | None:
            response = self._session.send(
                "GET",
                f"v2/{repository}/manifests/{reference}",
                scope=self._scope(repository),
                headers={"Accept": ", ".join(ACCEPTED)},
                accept=MISSING,
            )
            if response.status_code == HTTPStatus.NOT_FOUND:
                return None
            if len(response.content) > MANIFEST_BYTES:
                message = f"the manifest '{reference}' of '{repository}' is larger than 4 MiB"
                raise RegistryRefusedError(message)
            media_type = response.headers.get("content-type", "").partition(";")[0].strip()
            digest = Digest(hashlib.sha256(response.content).hexdigest())
            return StoredManifest(media_type, response.content, digest)

        return self._retry.run(ask)

    def put_manifest(self, repository: str, reference: str, body: bytes, media_type: str) -> None:
        """Store a manifest under a tag or its digest.

        A try whose answer was lost may have done it, and an immutable tag then refuses the same
        content (ECR does). So a refusal counts only when the tag holds something else.
        """

        def attempt() -> None:
            self._session.send(
                "PUT",
                f"v2/{repository}/manifests/{reference}",
                scope=self._scope(repository),
                headers={"Content-Type": media_type},
                content=body,
                accept=(HTTPStatus.CREATED, HTTPStatus.OK),
            )

        try:
            self._retry.run(attempt)
        except RegistryRefusedError:
            stored = self.read_manifest(repository, reference)
            if stored is None or stored.body != body:
                raise

    def _cancel(self, location: str, scope: str) -> None:
        if not location:
            return
        try:
            self._session.send(
                "DELETE",
                location,
                scope=scope,
                accept=(HTTPStatus.NO_CONTENT, HTTPStatus.ACCEPTED, HTTPStatus.OK),
            )
        except (RegistryRefusedError, TransientError):
            return  # an upload that nobody goes on with ends by itself


@contextmanager
def connect(  # noqa: PLR0913 - how a registry is reached, all by keyword
    host: str,
    credentials: Credentials,
    *,
    ca_bundle: Path | None = None,
    proxy: str = "",
    retry: Retry | None = None,
    renew: Callable[[], Credentials] | None = None,
    read_only: bool = False,
    resumes: bool = True,
    transport: httpx.BaseTransport | None = None,
) -> Iterator[RegistryClient]:
    """Give a client of a registry, and close its connections afterwards.

    Args:
        host: Host and port as in a reference; plain HTTP is spoken to loopback hosts only.
        credentials: Who we are.
        ca_bundle: Certificates to trust instead of the system's.
        proxy: Address of a proxy, or empty.
        retry: How patiently; the default's about a minute.
        renew: Gives fresh credentials when the registry does not take these any more.
        read_only: Ask for tokens that may pull, and no more.
        resumes: Whether it can go on with an upload that was cut.
        transport: Takes the place of the network.
    """
    pool = transport or make_transport(ca_bundle=ca_bundle, proxy=proxy, connections=CONNECTIONS)
    session = Session(host, credentials, pool, renew=renew, proxy=proxy)
    try:
        yield RegistryClient(session, retry or Retry(), read_only=read_only, resumes=resumes)
    finally:
        session.close()

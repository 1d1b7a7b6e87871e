"""One blob on its way up: a stream that goes on where it was cut, where the registry kept its start.

A registry keeps what a whole request brought; of one that is cut, some keep the start (zot) and
some nothing (Docker's own). So a large blob comes as a stream without a length, as from Docker: a push
that is told to stop ends the request where it is, and what was sent is not lost.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md, "Pushing a blob in
chunks" (end-4a, end-5, end-6) and end-13 for what an upload holds.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from twinforge.errors import RegistryRefusedError
from twinforge.registry.gather import StoppedError
from twinforge.registry.retry import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from twinforge.model.reference import Digest
    from twinforge.registry.session import Session
    from twinforge.registry.uploads import Begun

__all__ = ["BlobUpload", "is_ecr"]

LOST = (HTTPStatus.NOT_FOUND, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
_ECR = re.compile(r"[0-9]{12}\.dkr[.-]ecr(?:-fips)?\..+")
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")


def is_ecr(host: str) -> bool:
    """Whether this is a registry of Amazon ECR, which drops all but the first part of an upload.

    Source: https://github.com/aws/containers-roadmap/issues/2831

    >>> is_ecr("123456789012.dkr.ecr.eu-west-1.amazonaws.com"), is_ecr("localhost:5000")
    (True, False)
    """
    return _ECR.fullmatch(host) is not None


class BlobUpload:
    """The upload of one blob; ``attempt`` is called until it succeeds.

    Args:
        session: To the registry.
        repository: Where the blob goes.
        scope: Of the token.
        digest: Of the blob.
        size: Its bytes, at least one.
        chunks: Gives the content from an offset on; called once per attempt. It raises
            ``StoppedError`` where the push is to end.
        begun: Where to remember the upload, and what an earlier push has left; None where nothing is.
        resumes: Whether the registry can go on with an upload.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what an upload is made of
        self,
        session: Session,
        repository: str,
        scope: str,
        digest: Digest,
        size: int,
        chunks: Callable[[int], Iterator[bytes]],
        *,
        begun: Begun | None = None,
        resumes: bool = True,
    ) -> None:
        self._session = session
        self._repository = repository
        self._scope = scope
        self._digest = digest
        self._size = size
        self._chunks = chunks
        self._begun = begun
        self._needs_length = begun is None
        self._resumes = resumes
        self._location = begun.location if begun else ""
        self._is_old = bool(self._location)
        self._resumed = False
        self._doubts = 0
        self._kept = 0
        self._stopped: StoppedError | None = None

    @property
    def kept(self) -> int:
        """How many bytes of the blob an earlier push had brought."""
        return self._kept

    def attempt(self) -> None:
        """Send the blob, or what the registry lacks of it since the last attempt.

        Raises:
            TransientError: Trying again may help.
            RegistryRefusedError: It can't.
            StoppedError: The push is to end; the registry keeps what it got.
        """
        offset = self._held() if self._location else 0
        self._resumed = offset > 0
        if self._is_old:
            self._kept, self._is_old = offset, False
        if not self._location:
            self._kept = 0
            started = self._session.send(
                "POST",
                f"v2/{self._repository}/blobs/uploads/",
                scope=self._scope,
                headers={"Content-Length": "0"},
                accept=(HTTPStatus.ACCEPTED,),
            )
            self._follow(started)
        if offset < self._size:
            self._send(offset)
        self._finish()

    def _held(self) -> int:
        """Return how many bytes the registry kept of the last attempt; 0 begins anew.

        The upload's status says it. Docker's own registry can't go on after a cut: its answer is
        that the range is wrong, and it drops the upload.
        """
        location = self._location
        if not self._resumes:
            self._lose()
            return 0
        try:
            status = self._session.send(
                "GET", location, scope=self._scope, accept=(HTTPStatus.NO_CONTENT, *LOST)
            )
        except RegistryRefusedError:
            self._lose()
            return 0  # a registry without end-13
        except TransientError:
            self._doubts += 1
            if self._doubts > 1:  # nothing that an earlier push has left may stop all later ones
                self._lose()
            raise
        found = _RANGE.fullmatch(status.headers.get("range", ""))
        held = int(found[1]) + 1 if found and status.status_code == HTTPStatus.NO_CONTENT else 0
        # "0-0" is what registries say of one byte, and of none.
        if 1 < held <= self._size:
            self._location = status.headers.get("location", "") or location
            return held
        self._lose()
        return 0

    def _send(self, offset: int) -> None:
        headers = {"Content-Type": "application/octet-stream"}
        content = self._chunks(offset)
        if self._needs_length:
            headers["Content-Length"] = str(self._size - offset)
        else:
            content = self._until_stopped(content)
        if offset:
            headers["Content-Range"] = f"{offset}-{self._size - 1}"
        sent = self._session.send(
            "PATCH",
            self._location,
            scope=self._scope,
            headers=headers,
            content=content,
            accept=(HTTPStatus.ACCEPTED, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT, *LOST)
            + (() if self._needs_length else (HTTPStatus.LENGTH_REQUIRED,)),
        )
        if sent.status_code == HTTPStatus.LENGTH_REQUIRED:
            self._needs_length = True
            self._lose()
            message = f"the registry takes {self._digest} with its length only"
            raise TransientError(message)
        self._check(sent)
        self._follow(sent)
        if self._stopped is not None:
            raise self._stopped

    def _until_stopped(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """End the stream in good order where it is stopped: a registry keeps a whole request."""
        try:
            yield from chunks
        except StoppedError as error:
            self._stopped = error

    def _finish(self) -> None:
        try:
            done = self._session.send(
                "PUT",
                self._session.url(self._location, digest=str(self._digest)),
                scope=self._scope,
                headers={"Content-Length": "0"},
                accept=(HTTPStatus.CREATED, HTTPStatus.NO_CONTENT, *LOST),
            )
        except RegistryRefusedError as error:
            if not self._resumed:
                raise
            # The parts don't make the blob: what was kept was not what was sent.
            self._lose()
            raise TransientError(error.message) from error
        self._check(done)
        self._lose()

    def _lose(self) -> None:
        """Have no upload to go on with."""
        self._location = ""
        if self._begun is not None:
            self._begun.forget()

    def _check(self, response: httpx.Response) -> None:
        # An upload that the registry has lost is begun anew, like a lost connection.
        if response.status_code in LOST:
            self._lose()
            status = response.status_code
            message = f"the registry lost the upload of {self._digest} (status {status})"
            raise TransientError(message)

    def _follow(self, response: httpx.Response) -> None:
        location: str = response.headers.get("location", "")
        if not location:
            message = "the registry opened an upload without saying where"
            raise RegistryRefusedError(message)
        self._location = location
        if self._begun is not None:
            self._begun.keep(location)

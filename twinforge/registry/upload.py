"""One blob on its way up: a stream that goes on where it was cut, where the registry kept its start.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md, "Pushing a blob in
chunks" (end-4a, end-5, end-6) and end-13 for what an upload holds.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from twinforge.errors import RegistryRefusedError
from twinforge.registry.retry import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twinforge.model.reference import Digest
    from twinforge.registry.session import Session

__all__ = ["BlobUpload"]

LOST = (HTTPStatus.NOT_FOUND, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")


class BlobUpload:
    """The upload of one blob; ``attempt`` is called until it succeeds.

    Args:
        session: To the registry.
        repository: Where the blob goes.
        scope: Of the token.
        digest: Of the blob.
        size: Its bytes, at least one.
        chunks: Gives the content from an offset on; called once per attempt.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what an upload is made of
        self,
        session: Session,
        repository: str,
        scope: str,
        digest: Digest,
        size: int,
        chunks: Callable[[int], Iterator[bytes]],
    ) -> None:
        self._session = session
        self._repository = repository
        self._scope = scope
        self._digest = digest
        self._size = size
        self._chunks = chunks
        self._location = ""
        self._resumed = False

    def attempt(self) -> None:
        """Send the blob, or what the registry lacks of it since the last attempt.

        Raises:
            TransientError: Trying again may help.
            RegistryRefusedError: It can't.
        """
        offset = self._held() if self._location else 0
        self._resumed = offset > 0
        if not self._location:
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
        location, self._location = self._location, ""
        try:
            status = self._session.send(
                "GET", location, scope=self._scope, accept=(HTTPStatus.NO_CONTENT, *LOST)
            )
        except RegistryRefusedError:
            return 0  # a registry without end-13
        found = _RANGE.fullmatch(status.headers.get("range", ""))
        held = int(found[1]) + 1 if found and status.status_code == HTTPStatus.NO_CONTENT else 0
        # "0-0" is what registries say of one byte, and of none.
        if 1 < held <= self._size:
            self._location = status.headers.get("location", "") or location
            return held
        return 0

    def _send(self, offset: int) -> None:
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(self._size - offset),
        }
        if offset:
            headers["Content-Range"] = f"{offset}-{self._size - 1}"
        sent = self._session.send(
            "PATCH",
            self._location,
            scope=self._scope,
            headers=headers,
            content=self._chunks(offset),
            accept=(HTTPStatus.ACCEPTED, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT, *LOST),
        )
        self._check(sent)
        self._follow(sent)

    def _finish(self) -> None:
        finish = httpx.URL(self._session.url(self._location))
        try:
            done = self._session.send(
                "PUT",
                str(finish.copy_merge_params({"digest": str(self._digest)})),
                scope=self._scope,
                headers={"Content-Length": "0"},
                accept=(HTTPStatus.CREATED, HTTPStatus.NO_CONTENT, *LOST),
            )
        except RegistryRefusedError as error:
            if not self._resumed:
                raise
            # The parts don't make the blob: what was kept was not what was sent.
            self._location = ""
            raise TransientError(error.message) from error
        self._check(done)

    def _check(self, response: httpx.Response) -> None:
        # An upload that the registry has lost is begun anew, like a lost connection.
        if response.status_code in LOST:
            self._location = ""
            status = response.status_code
            message = f"the registry lost the upload of {self._digest} (status {status})"
            raise TransientError(message)

    def _follow(self, response: httpx.Response) -> None:
        location: str = response.headers.get("location", "")
        if not location:
            message = "the registry opened an upload without saying where"
            raise RegistryRefusedError(message)
        self._location = location

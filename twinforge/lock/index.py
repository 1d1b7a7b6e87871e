"""Package indexes, asked which files a package has.

Source: https://packaging.python.org/en/latest/specifications/simple-repository-api/ (JSON).
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from twinforge.errors import LockError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["IndexFile", "SimpleIndex"]

_JSON = "application/vnd.pypi.simple.v1+json"
_ANSWER_S = 60.0


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A file of a package as the index lists it."""

    filename: str
    requires_python: str
    is_yanked: bool


@dataclass(frozen=True, slots=True)
class SimpleIndex:
    """An index that answers in JSON.

    Attributes:
        url: Its address, with credentials if it needs them; they are never shown.
        ca_bundle: Certificates to trust instead of the system's.
        proxy: Address of a proxy, or empty.
        transport: Stands in for the network.
    """

    url: str
    ca_bundle: Path | None = None
    proxy: str = ""
    transport: httpx.BaseTransport | None = None

    def files(self, package: str) -> tuple[IndexFile, ...]:
        """Return the files of a package; none where the index does not have it.

        Raises:
            LockError: The index does not answer, or not in JSON.
        """
        shown = f"the package index '{urlsplit(self.url).netloc.rpartition('@')[2]}'"
        hint = "check the network, the proxy and the CA bundle"
        try:
            with self._client() as client:
                answer = client.get(f"{self.url.rstrip('/')}/{package}/")
        except httpx.HTTPError as error:
            message = f"{shown} does not answer for '{package}': {type(error).__name__}"
            raise LockError(message, hint=hint) from error
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return ()
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        if answer.status_code != HTTPStatus.OK or kind != _JSON:
            message = f"{shown} answers {answer.status_code} ({kind}) for '{package}'"
            raise LockError(message, hint="an index has to answer in JSON, as PEP 691 says")
        try:
            return tuple(_file(file) for file in answer.json()["files"])
        except (ValueError, KeyError, TypeError) as error:
            message = f"{shown} answers for '{package}' what is not a list of files"
            raise LockError(message) from error

    def _client(self) -> httpx.Client:
        if self.transport is not None:
            return httpx.Client(transport=self.transport, headers={"Accept": _JSON})
        trust = ssl.create_default_context(cafile=str(self.ca_bundle) if self.ca_bundle else None)
        return httpx.Client(
            headers={"Accept": _JSON, "User-Agent": "twinforge"},
            verify=trust,
            proxy=self.proxy or None,
            trust_env=False,
            follow_redirects=True,
            timeout=_ANSWER_S,
        )


def _file(value: Any) -> IndexFile:
    return IndexFile(
        filename=str(value["filename"]),
        requires_python=value.get("requires-python") or "",
        is_yanked=bool(value.get("yanked")),
    )

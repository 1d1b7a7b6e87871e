"""Requests and answers, as routes and connections hand them to each other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from twinforge.runtime.budget import Share
    from twinforge.runtime.interface import Context

__all__ = ["Reply", "Request", "head_of", "names_in", "only", "refusal", "too_large"]

_JSON = "application/json"
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True)
class Reply(Exception):  # noqa: N818 - routes return it, or raise it to end early
    """An answer that is there as a whole."""

    status: int
    body: bytes = b""
    content_type: str = _JSON
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Request:
    """A request.

    Attributes:
        method: As it was sent.
        path: Without the query.
        query: What follows the first ``?``.
        headers: Names in lower case; repeated ones are one list.
        start_s: When its headers were there.
        sender: The inode of its connection's socket.
        body: The whole body, once it is there.
        size_bytes: How long the body was, also where it was not kept.
        share: What its body has of the budget, or waits for; None for a small one.
        context: What the predictor is told, for a request that goes to it.
        is_left: Whether its sender has gone.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    start_s: float
    sender: int = 0
    body: bytes = b""
    size_bytes: int = 0
    share: Share | None = field(default=None, repr=False)
    context: Context | None = field(default=None, repr=False)
    is_left: bool = False

    @property
    def charset(self) -> str:
        """The one that the content type names, or UTF-8."""
        for parameter in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset":
                return value.strip().strip('"') or "utf-8"
        return "utf-8"


def refusal(status: HTTPStatus, reason: str, *headers: tuple[str, str]) -> Reply:
    """Return an answer that says why there is no other."""
    body = json.dumps({"error": reason, "status": status.value}, ensure_ascii=False)
    # Half of a surrogate pair, which UTF-8 has not, is one of JSON's escapes.
    return Reply(status.value, body.encode(errors="backslashreplace"), _JSON, headers)


def names_in(path: str) -> list[str]:
    """Return what follows ``/models`` in a path, as models are called."""
    return [unquote(name) for name in path.split("/")[2:]]


def only(method: str, allowed: str, path: str) -> None:
    """Refuse a method that a path does not take.

    Raises:
        Reply: 405, with what is allowed.
    """
    if method not in allowed.split(", "):
        message = f"'{path}' takes {allowed}"
        raise refusal(HTTPStatus.METHOD_NOT_ALLOWED, message, ("allow", allowed))


def too_large(limit_bytes: int) -> Reply:
    """Return the answer to a body that is longer than it may be."""
    message = f"the body is longer than {limit_bytes} bytes"
    return refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)


def head_of(status: int, *headers: tuple[str, str]) -> bytes:
    r"""Return the first lines of an answer, with the empty one.

    Raises:
        ValueError: A header holds a control character, such as a line end.

    >>> head_of(200, ("content-length", "0"))
    b'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'
    """
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, '')}"]
    for name, value in headers:
        if not value.isprintable():
            message = f"the header '{name}' holds a control character"
            raise ValueError(message)
        lines.append(f"{name}: {value}")
    return "\r\n".join((*lines, "", "")).encode("latin-1", "replace")

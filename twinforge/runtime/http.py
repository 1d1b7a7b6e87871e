"""Requests and answers between ASGI and the routes: headers, bodies with a limit, JSON refusals.

Source: https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

__all__ = ["Reply", "Request", "refusal", "send_reply"]

_JSON = "application/json"


@dataclass(frozen=True)
class Reply(Exception):  # noqa: N818 - routes return it, or raise it to end early
    """An answer that is there as a whole."""

    status: int
    body: bytes = b""
    content_type: str = _JSON
    headers: tuple[tuple[str, str], ...] = ()


def refusal(status: HTTPStatus, reason: str, *headers: tuple[str, str]) -> Reply:
    """Return an answer that says why there is no other."""
    body = json.dumps({"error": reason, "status": status.value}, ensure_ascii=False)
    return Reply(status.value, body.encode(), _JSON, headers)


@dataclass
class Request:
    """A request, whose body is read only when it is asked for."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    receive: Receive
    received_bytes: int = field(default=0)

    @classmethod
    def of(cls, scope: Mapping[str, Any], receive: Receive) -> Request:
        """Return the request of an ASGI scope; of repeated headers, the last one counts."""
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        return cls(
            scope["method"],
            scope["path"],
            scope["query_string"].decode("latin-1"),
            headers,
            receive,
        )

    async def body(self, limit_bytes: int) -> bytes:
        """Return the body.

        Args:
            limit_bytes: How long it may be; 0 for any length.

        Raises:
            Reply: It is longer, or its sender has gone.
        """
        length = self.headers.get("content-length", "")
        if limit_bytes and length.isdecimal() and int(length) > limit_bytes:
            raise _too_large(limit_bytes)
        parts = []
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise refusal(HTTPStatus.BAD_REQUEST, "the connection ended inside the body")
            part = message.get("body", b"")
            self.received_bytes += len(part)
            if limit_bytes and self.received_bytes > limit_bytes:
                raise _too_large(limit_bytes)
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)


async def send_reply(send: Send, reply: Reply) -> None:
    """Send a whole answer."""
    length = ("content-length", str(len(reply.body)))
    await start_reply(send, reply.status, reply.content_type, (length, *reply.headers))
    await send({"type": "http.response.body", "body": reply.body})


async def start_reply(
    send: Send, status: int, content_type: str, headers: tuple[tuple[str, str], ...]
) -> None:
    """Send status and headers; without a length, the body is chunked."""
    named = (("content-type", content_type), *headers)
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in named]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


def _too_large(limit_bytes: int) -> Reply:
    return refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is longer than {limit_bytes} bytes"
    )

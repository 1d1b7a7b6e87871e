"""The same model as a bare ASGI application, for servers that take one.

Of SageMaker's contract it does what a short handler does: `/ping`, `/invocations` with the two content
types of the benchmark, 404 and 415 with a reason. Nothing is negotiated, nothing bounds a body, the
queue or a prediction's time, nothing runs in a thread, nothing is logged: all of that the runtime
does in the same measurement, so that what is shown here is the most that such a server could give.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import rows  # type: ignore[import-not-found]  # is beside this file in the image

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer one request."""
    if scope["path"] == "/ping":
        await _answer(send, 200, b"")
    elif scope["path"] == "/invocations":
        status, answer = _predicted(_content_type(scope), await _body(receive))
        await _answer(send, status, json.dumps(answer).encode())
    else:
        await _answer(send, 404, b'{"error": "there is nothing here"}')


def _predicted(kind: str, body: bytes) -> tuple[int, Any]:
    if kind == "text/csv":
        table = [[float(cell) for cell in row] for row in csv.reader(io.StringIO(body.decode()))]
        return 200, rows.predict(table)
    if kind == "application/octet-stream":
        return 200, rows.predict(body)
    return 415, {"error": f"{kind} is not supported"}


def _content_type(scope: dict[str, Any]) -> str:
    for name, value in scope["headers"]:
        if name == b"content-type":
            return str(value.decode("latin-1").partition(";")[0].strip().lower())
    return ""


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

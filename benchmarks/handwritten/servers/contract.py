"""The runtime's own answers as an ASGI application: the same contract under another server.

What the runtime's server does beside that is not here: bodies have no budget, streams are not sent,
and nobody notices that a sender has gone.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from twinforge.runtime.application import Application
from twinforge.runtime.http import Reply, Request
from twinforge.runtime.machine import read_machine
from twinforge.runtime.predictor import load_predictor
from twinforge.runtime.settings import read_settings
from twinforge.runtime.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

_SETTINGS = read_settings(os.environ, read_machine())
_PREDICTOR = load_predictor("/program/predictor.py")
_APPLICATION = Application(_PREDICTOR, _SETTINGS, Watch(1), model=_PREDICTOR.load(""))


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer one request."""
    if scope["type"] != "http":
        return
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query = scope["query_string"].decode("latin-1")
    request = Request(scope["method"], scope["path"], query, headers, time.monotonic())
    refused = _APPLICATION.admit(request)
    request.body = await _body(receive)
    request.size_bytes = len(request.body)
    answer = refused if refused is not None else _APPLICATION.answer(request)
    reply = answer if isinstance(answer, Reply) else await answer  # type: ignore[misc]  # no stream
    assert isinstance(reply, Reply)
    _APPLICATION.finish(request, reply.status)
    fields = (
        ("content-type", reply.content_type),
        ("content-length", str(len(reply.body))),
        *reply.headers,
    )
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
    await send({"type": "http.response.start", "status": reply.status, "headers": encoded})
    await send({"type": "http.response.body", "body": reply.body})


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)

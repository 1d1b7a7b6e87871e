"""Single requests to a container, over a connection of their own, with what they took."""

from __future__ import annotations

import socket
import time
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.smoke.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Reply", "Request", "ask", "ask_twice", "connect_s"]


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; ``connect_s`` until the connection was there, ``seconds`` for all."""

    answer: Answer
    connect_s: float
    seconds: float


def connect_s(address: tuple[str, int], *, timeout_s: float) -> float:
    """Open a connection, close it again, and return the seconds until it was accepted.

    Raises:
        SmokeError: It was not.
    """
    started = time.monotonic()
    try:
        with closing(socket.create_connection(address, timeout_s)):
            return time.monotonic() - started
    except OSError as error:
        message = f"no connection within {timeout_s:g} s: {error}"
        raise SmokeError(message) from error


def ask(address: tuple[str, int], request: Request, *, timeout_s: float) -> Reply:
    """Send a request over a new connection and return the answer.

    Raises:
        SmokeError: No answer came.
    """
    connection = HTTPConnection(*address, timeout=timeout_s)
    with closing(connection):
        started = time.monotonic()
        try:
            connection.connect()
            connected = time.monotonic()
            answer = _exchange(connection, request)
        except (OSError, HTTPException) as error:
            raise SmokeError(_silence(error, timeout_s)) from error
        return Reply(answer, connected - started, time.monotonic() - started)


def ask_twice(
    address: tuple[str, int], request: Request, *, timeout_s: float
) -> tuple[Answer, Answer]:
    """Send a request twice over one connection.

    Raises:
        SmokeError: The connection was closed after the first answer, or no answer came.
    """
    connection = HTTPConnection(*address, timeout=timeout_s)
    with closing(connection):
        try:
            first = _exchange(connection, request)
            if connection.sock is None:
                message = "the connection was closed after the first answer"
                raise SmokeError(message)
            return first, _exchange(connection, request)
        except (OSError, HTTPException) as error:
            raise SmokeError(_silence(error, timeout_s)) from error


def _exchange(connection: HTTPConnection, request: Request) -> Answer:
    try:
        connection.request(
            request.method, request.path, body=request.body or None, headers=dict(request.headers)
        )
    except (BrokenPipeError, ConnectionResetError):
        # Who refuses a body may answer without reading all of it; the answer counts.
        if connection.sock is None:
            raise
    response = connection.getresponse()
    kind = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
    return Answer(response.status, kind, response.read())


def _silence(error: Exception, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    return f"no answer: {error or type(error).__name__}"

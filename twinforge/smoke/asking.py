"""Single requests to a container, over a connection of their own, with what they took."""

from __future__ import annotations

import socket
import struct
import time
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.smoke.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Reply", "Request", "ask", "ask_in_a_row", "connect_s"]

MOST_BYTES = 1 << 28
"""More than this is no answer: a model's is at most 25 MB, and the memory of this machine is its own."""

_CHUNK_BYTES = 1 << 20
_TCP_INFO = struct.Struct("=8x24I")
_ROUND_TRIP, _SENT_AGAIN = 15, 23  # tcpi_rtt and tcpi_total_retrans


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
        with closing(socket.create_connection(address, timeout_s)) as connection:
            return _accepted_after_s(connection, time.monotonic() - started)
    except OSError as error:
        message = f"no connection within {timeout_s:g} s: {error}"
        raise SmokeError(message) from error


def ask(address: tuple[str, int], request: Request, *, timeout_s: float) -> Reply:
    """Send a request over a new connection and return the answer.

    Args:
        address: Where to.
        request: What is sent.
        timeout_s: Until the answer is there to its last byte.

    Raises:
        SmokeError: No answer came, or not all of it.
    """
    connection = HTTPConnection(*address, timeout=timeout_s)
    with closing(connection):
        started = time.monotonic()
        try:
            connection.connect()
            connected_s = _accepted_after_s(connection.sock, time.monotonic() - started)
            answer = _exchange(connection, request, started + timeout_s)
        except (OSError, HTTPException) as error:
            raise SmokeError(_silence(error, timeout_s)) from error
        return Reply(answer, connected_s, time.monotonic() - started)


def ask_in_a_row(
    address: tuple[str, int], requests: Sequence[Request], *, timeout_s: float
) -> list[Answer]:
    """Send requests over one connection; return the answers until the other side closes it.

    Raises:
        SmokeError: No answer came.
    """
    answers: list[Answer] = []
    connection = HTTPConnection(*address, timeout=timeout_s)
    with closing(connection):
        for request in requests:
            if answers and connection.sock is None:
                break
            try:
                answers.append(_exchange(connection, request, time.monotonic() + timeout_s))
            except (OSError, HTTPException) as error:
                if answers and isinstance(error, ConnectionError):
                    break
                raise SmokeError(_silence(error, timeout_s)) from error
    return answers


def _accepted_after_s(connection: socket.socket, waited_s: float) -> float:
    """Return how long the other side took to accept a connection.

    What we waited includes the time in which this machine had no processor for us. The kernel knows
    better: who accepts at once was asked once, and then the time is that of the round trip.

    Source: ``struct tcp_info`` of Linux's include/uapi/linux/tcp.h.
    """
    if not hasattr(socket, "TCP_INFO"):
        return waited_s
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    if len(info) < _TCP_INFO.size:
        return waited_s
    numbers = _TCP_INFO.unpack(info)
    round_trip_us, sent_again = numbers[_ROUND_TRIP], numbers[_SENT_AGAIN]
    return waited_s if sent_again else min(waited_s, round_trip_us / 1e6)


def _exchange(connection: HTTPConnection, request: Request, end: float) -> Answer:
    try:
        connection.request(
            request.method, request.path, body=request.body or None, headers=dict(request.headers)
        )
    except (BrokenPipeError, ConnectionResetError):
        # Who refuses a body may answer without reading all of it; the answer counts.
        if connection.sock is None:
            raise
    stream = connection.sock  # http.client forgets the socket of an answer that ends with it
    # closed, the connection takes another request
    with closing(connection.getresponse()) as response:
        return _answer(response, stream, end)


def _answer(response: HTTPResponse, stream: socket.socket, end: float) -> Answer:
    kind = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
    return Answer(response.status, kind, _read(response, stream, end))


def _read(response: HTTPResponse, stream: socket.socket, end: float) -> bytes:
    """Return the body of an answer that has to be there by ``end``, however slowly it comes."""
    body = bytearray()
    while True:
        left_s = end - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        stream.settimeout(left_s)
        part = response.read1(_CHUNK_BYTES)
        body += part
        if len(body) > MOST_BYTES:
            message = f"the answer is longer than {MOST_BYTES:,} bytes"
            raise SmokeError(message)
        if not part:
            if response.length:
                raise IncompleteRead(bytes(body), response.length)
            return bytes(body)


def _silence(error: Exception, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    return f"no answer: {error or type(error).__name__}"

"""HTTP/1.1 on one connection: httptools (Node's parser) reads it, and one write answers it.

Source: RFC 9112. There are no upgrades and no trailers; a body is held as a whole before it is
answered, since a predictor needs all of it. A large one of known length is read past the parser,
into the memory that the predictor gets; and not before the budget has room for it.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httptools

from twinforge.runtime.body import Body
from twinforge.runtime.budget import SMALL_BYTES
from twinforge.runtime.http import Reply, Request, head_of, refusal, too_large
from twinforge.runtime.logs import log_exception
from twinforge.runtime.predictor import Stream

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from twinforge.runtime.routes import Answering, Routes
    from twinforge.runtime.server import Server

__all__ = ["Connection"]

_LONGEST_HEAD = 65536
_ONE_WRITE = 65536
_BODY = frozenset({"content-length", "transfer-encoding"})
_LEFT = frozenset({7, 8})
"""Of a socket: CLOSE after a reset, CLOSE_WAIT. Source: Linux, ``include/net/tcp_states.h``."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class _TooLong(Exception):  # noqa: N818 - it is told to the parser, and comes back from it
    """The headers are longer than any that SageMaker sends."""


class _Refused(Exception):  # noqa: N818 - as above
    """The answer was given before the body came, and there is nothing more to read."""


class Connection(asyncio.BufferedProtocol):
    """One connection; its requests are answered in order, one at a time."""

    def __init__(self, server: Server, routes: Routes) -> None:
        self._server = server
        self._routes = routes
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, Reply | None, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._answering: Request | None = None
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._is_lost = False
        self._is_closing = False
        self._receiving: Request | None = None
        self._body = Body()
        self._is_past_parser = False
        self._sender = 0
        self._keeps = True
        self._knows_chunks = True
        self._is_last = False
        self._unsent = 0
        self.active_s = 0.0

    # What the event loop says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream socket
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._sender = os.fstat(self.fileno()).st_ino
        self.active_s = self._loop.time()
        self._server.connections.add(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to read to: a large body's own memory, or what all connections share."""
        del sizehint
        return self._body.rest() if self._is_past_parser else self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Read what came; the parser calls the methods below."""
        self.active_s = self._loop.time()
        if self._is_past_parser:
            self._take_rest(nbytes)
            return
        self._parse(self._server.buffer[:nbytes])
        request = self._receiving
        if request is not None and request.share is not None and self._body.length_bytes:
            self._keeps = self._parser.should_keep_alive()
            self._is_past_parser = True

    def _take_rest(self, size: int) -> None:
        request, body = self._receiving, self._body
        assert request is not None  # noqa: S101 - its body is being read
        request.size_bytes += size
        body.received_bytes += size
        if body.received_bytes == body.length_bytes:
            # The old one still waits for the body.
            self._parser = httptools.HttpRequestParser(self)
            self._is_past_parser = False
            self._is_last = not self._keeps
            self._complete(keeps=self._keeps)

    def _parse(self, data: memoryview) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._is_closing = (
                True  # what follows would be another protocol; the answer is the last
            )
            if self._task is None and not self._waiting:
                self._transport.close()
        except httptools.HttpParserCallbackError as error:
            if isinstance(error.__context__, _Refused):
                return
            if isinstance(error.__context__, _TooLong):
                message = f"the headers are longer than {_LONGEST_HEAD} bytes"
                self._fail(refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, message))
            else:
                log_exception("a request failed", error.__context__ or error)
                self._fail(refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the request failed"))
        except httptools.HttpParserError:
            self._fail(refusal(HTTPStatus.BAD_REQUEST, "this is no HTTP request"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of what is not answered; what runs in a thread ends by itself."""
        del exc
        self._is_lost = True
        if self._answering is not None:
            self._answering.is_left = True
        self._can_write.set()
        self._server.connections.discard(self)
        if self._receiving is not None:
            self._finish(self._receiving, 499)
            self._receiving = None
        self._body = Body()
        while self._waiting:
            self._finish(self._waiting.popleft()[0], 499)

    def pause_writing(self) -> None:
        """Wait before the next piece of a stream."""
        self._can_write.clear()

    def resume_writing(self) -> None:
        """Go on, also with the requests that came while the answers before were not read."""
        self._can_write.set()
        if self._task is None and not self._is_lost:
            self._answer_waiting()
            self._read_on()

    # What the parser says.

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._url = b""
        self._head_bytes = 0
        self._headers: dict[str, str] = {}

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what follows a body in chunks is none of the request's."""
        self._count(len(name) + len(value))
        if self._receiving is not None:
            return
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        before = self._headers.get(key)
        self._headers[key] = text if before is None else f"{before}, {text}"

    def on_headers_complete(self) -> None:
        """Look at the headers before the body is there."""
        path, _, query = self._url.decode("latin-1").partition("?")
        if "://" in path and not path.startswith("/"):
            path = f"/{path.split('/', 3)[3]}" if path.count("/") > 2 else "/"  # noqa: PLR2004
        method = self._parser.get_method().decode("latin-1")
        request = Request(method, path, query, self._headers, self._loop.time(), self._sender)
        self._receiving = request
        self._refusal = self._routes.admit(request)
        if self._parser.should_upgrade() and not _BODY.isdisjoint(self._headers):
            # The parser takes the body for the other protocol's first bytes.
            message = "there is no other protocol here to upgrade to"
            self._refusal = refusal(HTTPStatus.BAD_REQUEST, message)
        self._knows_chunks = self._parser.get_http_version() != "1.0"
        self._is_asked_for = (
            self._knows_chunks and self._headers.get("expect", "").lower() == "100-continue"
        )
        if self._is_asked_for and self._refusal is not None:
            # Its sender waits for this before the body, which may come all the same.
            self._fail(self._refusal)
            raise _Refused
        length = int(self._headers.get("content-length", 0))
        self._body = Body(length)
        if length > SMALL_BYTES and self._refusal is None:
            self._ask_for_room(request, length)
        if self._is_asked_for and not self.is_held_back:
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; one that is refused is read to its end and dropped."""
        request = self._receiving
        assert request is not None  # noqa: S101 - headers were complete
        request.size_bytes += len(body)
        if self._refusal is not None:
            return
        limit = self._routes.limit_bytes
        if limit and request.size_bytes > limit:
            self._refusal = too_large(limit)
            self._body = Body()
            self._give_room_back(request)
            self._read_on()  # what still comes is dropped, and needs no room
            return
        self._body.add(body)
        if request.share is None and request.size_bytes > SMALL_BYTES:
            self._ask_for_room(request, limit)  # it comes in chunks, and may become that long

    def on_message_complete(self) -> None:
        """Answer the request, or put it behind those that are not answered yet."""
        self._complete(keeps=self._parser.should_keep_alive())

    def _complete(self, *, keeps: bool) -> None:
        request = self._receiving
        assert request is not None  # noqa: S101 - headers were complete
        self._receiving = None
        request.body = self._body.take()
        if request.share is not None:
            request.share.shrink(len(request.body))
        self._waiting.append((request, self._refusal, keeps))
        if self._task is None:
            self._answer_waiting()
        self._read_on()

    # What becomes of it.

    def shut(self) -> None:
        """Close when all is answered that came; at once if nothing did."""
        self._is_closing = True
        if self.is_idle:
            self._transport.close()

    @property
    def is_idle(self) -> bool:
        """Whether no request is being received or answered."""
        return self._task is None and self._receiving is None and not self._waiting

    @property
    def is_held_back(self) -> bool:
        """Whether a body waits for room, and is not read for now."""
        share = self._receiving.share if self._receiving is not None else None
        return share is not None and not share.is_granted

    @property
    def is_left(self) -> bool:
        """Whether its sender has closed it: while a body waits, nothing is read that would say so."""
        taken = self._transport.get_extra_info("socket")
        (state,) = taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        return state in _LEFT

    def fileno(self) -> int:
        """Return the descriptor of its socket, -1 if it is closed."""
        number: int = self._transport.get_extra_info("socket").fileno()
        return number

    def close(self) -> None:
        """Close, whatever is under way; what was not sent yet will not be."""
        self._transport.abort()

    def has_stalled(self, now_s: float, idle_s: float) -> bool:
        """Whether its other side has neither sent nor read anything for so long, and could have."""
        unsent = self._transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self.active_s = unsent, now_s
        is_for_it = self._task is None or not self._can_write.is_set()
        return is_for_it and now_s - self.active_s > idle_s

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > _LONGEST_HEAD:
            raise _TooLong

    def _ask_for_room(self, request: Request, size_bytes: int) -> None:
        request.share = self._server.budget.ask(size_bytes, self._let_in)
        self._read_on()

    def _let_in(self) -> None:
        """Read the body that waited for room."""
        self.active_s = self._loop.time()
        if self._is_asked_for and not self._transport.is_closing():
            self._transport.write(_CONTINUE)
        self._read_on()

    def _read_on(self) -> None:
        """Read, unless a body waits for room, a request for answers, or nothing is to come."""
        if self.is_held_back or self._waiting or self._is_last:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _give_room_back(self, request: Request) -> None:
        if request.share is not None:
            request.share.give_back()
            request.share = None

    def _finish(self, request: Request, status: int) -> None:
        self._routes.finish(request, status)
        self._give_room_back(request)

    def _answer_waiting(self) -> None:
        while self._can_answer():
            request, refused, keeps = self._waiting.popleft()
            answer = refused if refused is not None else self._answer(request)
            if isinstance(answer, Reply):
                self._reply(request, answer, keeps=keeps)
            else:
                self._answering = request
                self._task = self._loop.create_task(
                    self._answer_later(request, answer, keeps=keeps)
                )

    def _can_answer(self) -> bool:
        """Whether a request waits for its turn, and the answers before it are being read."""
        is_free = self._task is None and self._can_write.is_set()
        return bool(self._waiting) and is_free and not self._transport.is_closing()

    def _answer(self, request: Request) -> Answering:
        try:
            return self._routes.answer(request)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the connection
            log_exception("a request failed", error)
            return refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the request failed")

    async def _answer_later(
        self, request: Request, answer: Stream | Coroutine[Any, Any, Reply | Stream], *, keeps: bool
    ) -> None:
        try:
            try:
                given = answer if isinstance(answer, Stream) else await answer
            except Exception as error:  # noqa: BLE001 - as above
                log_exception("a request failed", error)
                given = refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the request failed")
            if isinstance(given, Reply):
                self._reply(request, given, keeps=keeps)
            else:
                await self._stream(request, given, keeps=keeps)
        finally:
            self._task = self._answering = None
        if not self._is_lost and not self._transport.is_closing():
            self._answer_waiting()
            self._read_on()

    def _reply(self, request: Request, reply: Reply, *, keeps: bool) -> None:
        self.active_s = self._loop.time()
        self._finish(request, reply.status)
        if self._is_lost:
            return
        closes = self._closing(keeps)
        length = ("content-length", str(len(reply.body)))
        try:
            head = self._head(reply.status, reply.content_type, length, *reply.headers, *closes)
        except ValueError as error:
            log_exception("the answer's headers can't be sent", error)
            reply = refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the answer can't be sent")
            length = ("content-length", str(len(reply.body)))
            head = self._head(reply.status, reply.content_type, length, *closes)
        body = b"" if request.method == "HEAD" else reply.body
        if len(body) <= _ONE_WRITE:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)
        if closes:
            self._transport.close()

    async def _stream(self, request: Request, stream: Stream, *, keeps: bool) -> None:
        """Send the pieces; a failure in the middle ends the connection, so that it is seen."""
        is_whole = False
        in_chunks = self._knows_chunks  # else the end of the connection is that of the answer
        closes = self._closing(keeps and in_chunks)
        try:
            chunked = (("transfer-encoding", "chunked"),) if in_chunks else ()
            head = self._head(200, stream.content_type, *chunked, *stream.headers, *closes)
            self._transport.write(head)
            piece: bytes | None = stream.first
            while piece is not None and not self._is_lost:
                if piece:
                    framed = b"%x\r\n%b\r\n" % (len(piece), piece) if in_chunks else piece
                    self._transport.write(framed)
                    await self._can_write.wait()
                piece = await self._routes.next_piece(stream)
            is_whole = piece is None
        except Exception as error:  # noqa: BLE001 - of the user's code
            log_exception("the stream broke", error)
        finally:
            self._finish(request, 200 if is_whole else 499 if self._is_lost else 500)
            if not is_whole:
                self._routes.abandon(stream)
        if is_whole and in_chunks and not self._is_lost:
            self._transport.write(b"0\r\n\r\n")
        if closes or not is_whole:
            self._transport.close()
        self.active_s = self._loop.time()

    def _closing(self, keeps: bool) -> tuple[tuple[str, str], ...]:  # noqa: FBT001 - a fact, no mode
        """Return the header of an answer that is the last one of the connection, or none."""
        is_last = not keeps or (self._is_closing and not self._waiting)
        return (("connection", "close"),) if is_last else ()

    def _head(self, status: int, content_type: str, *headers: tuple[str, str]) -> bytes:
        fixed = (("date", self._server.date), ("content-type", content_type))
        return head_of(status, *fixed, *headers)

    def _fail(self, reply: Reply) -> None:
        """Answer what can't be read, and close."""
        if self._receiving is not None:
            self._finish(self._receiving, reply.status)
            self._receiving = None
        self._is_closing = True
        if self.is_idle and not self._transport.is_closing():
            length = ("content-length", str(len(reply.body)))
            last = ("connection", "close")
            head = self._head(reply.status, reply.content_type, length, last)
            self._transport.write(head + reply.body)
            self._transport.close()

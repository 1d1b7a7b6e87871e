"""A registry that misbehaves on purpose: a proxy on loopback in front of a real one.

It counts the requests and does to one of them (or to all from there on) what networks and busy
registries do. Names and passwords are checked by the real registry; with ``bearer`` the proxy hands
out tokens of its own for them, which it can forget in the middle of a push.
"""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.registry_server import RegistryServer

SLOW_S = 0.03
WAIT_S = 7
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


class Fault(Enum):
    """What happens to a request."""

    THROTTLED = "429 with Retry-After"
    BROKEN = "500"
    BUSY = "503"
    SLOW = "an answer that drips"
    CUT = "a connection that is cut before anything is read"
    CUT_IN_BODY = "a connection that is cut in the middle of the body, of the request or the answer"
    LOST_ANSWER = "a request that is done and whose answer is lost"
    EXPIRED = "401, since the token has expired"
    REFUSED = "403, a definite no"
    CORRUPTED = "an answer with another content"
    HELD = "no answer at all until the proxy ends"


@dataclass(slots=True)
class FaultyRegistry:
    """The proxy; ``requests`` are those that came, without the ones for tokens.

    ``patched`` has how many bytes each PATCH brought, since the proxy began.
    After ``hold_at`` bytes of bodies it reads no further until it is ``released``. With ``keeps`` it
    is a registry that keeps the start of a request that is cut, as zot does and Docker's does not;
    it says what is kept of that.
    """

    host: str
    upstream: RegistryServer
    bearer: bool
    fault: Fault | None = None
    at: int = -1
    lasting: bool = False
    requests: list[tuple[str, str]] = field(default_factory=list)
    bytes_in: int = 0
    patched: list[int] = field(default_factory=list)
    hold_at: int = -1
    keeps: Callable[[bytes], bytes] | None = None
    moved: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    every_token: set[str] = field(default_factory=set)
    passwords: set[str] = field(default_factory=set)
    reached: threading.Event = field(default_factory=threading.Event)
    read: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, fault: Fault | None, at: int = -1, *, lasting: bool = False) -> None:
        """Begin to count anew, and misbehave at one request (or from there on)."""
        with self.lock:
            self.fault, self.at, self.lasting = fault, at, lasting
            self.requests.clear()
            self.bytes_in = 0
            self.reached.clear()

    def count(self, method: str, path: str) -> Fault | None:
        with self.lock:
            number = len(self.requests)
            self.requests.append((method, path))
            if number == self.at or (self.lasting and number > self.at >= 0):
                self.reached.set()
                return self.fault
            return None

    def hand_out(self) -> str:
        with self.lock:
            token = secrets.token_urlsafe(24)
            self.tokens.add(token)
            self.every_token.add(token)
            return token


def _error(code: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": "on purpose"}]}).encode()


ANSWERS = {
    Fault.THROTTLED: (429, {"Retry-After": str(WAIT_S)}, _error("TOOMANYREQUESTS")),
    Fault.BROKEN: (500, {}, _error("UNKNOWN")),
    Fault.BUSY: (503, {}, b""),
    Fault.REFUSED: (403, {}, _error("DENIED")),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: FaultyRegistry

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.behind = http.client.HTTPConnection(self.state.upstream.host, timeout=20)

    def finish(self) -> None:
        self.behind.close()
        with suppress(OSError):
            super().finish()

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:  # the other side has gone, as it may
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        del format, args

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/token":
            self.token()
            return
        fault = self.state.count(self.command, self.path)
        length = int(self.headers.get("content-length") or 0)
        if fault in {Fault.CUT, Fault.HELD}:
            if fault is Fault.HELD:
                self.state.released.wait(60)
            self.cut()
            return
        if fault is Fault.CUT_IN_BODY and length:
            self.half(length)
            return
        body, is_whole = self.read_body(length)
        if is_whole:
            self.answer_to(body, fault)
        else:
            self.close_connection = True
            if self.state.keeps is not None:
                self.keep(self.state.keeps(body))
        if self.command == "PATCH":
            with self.state.lock:
                self.state.patched.append(len(body))
            self.state.read.set()

    do_HEAD = do_GET  # noqa: N815 - the names that the base looks for
    do_POST = do_GET  # noqa: N815 - likewise
    do_PATCH = do_GET  # noqa: N815 - likewise
    do_PUT = do_GET  # noqa: N815 - likewise
    do_DELETE = do_GET  # noqa: N815 - likewise

    def answer_to(self, body: bytes, fault: Fault | None) -> None:
        if fault is Fault.EXPIRED:
            with self.state.lock:
                self.state.tokens.clear()
                self.state.passwords.clear()
        if not self.let_in():
            self.challenge()
        elif fault in ANSWERS:
            self.answer(*ANSWERS[fault])
        else:
            self.pass_on(body, fault)

    def read_body(self, length: int) -> tuple[bytes, bool]:
        """Return what came of a body, and whether that is all of it."""
        if self.headers.get("transfer-encoding", "") != "chunked":
            body = self.read_piece(length)
            return body, len(body) == length
        pieces: list[bytes] = []
        while line := self.rfile.readline():
            size = int(line, 16)
            pieces.append(self.read_piece(size))
            if len(pieces[-1]) < size:
                break
            self.rfile.readline()
            if not size:
                return b"".join(pieces), True
        return b"".join(pieces), False

    def read_piece(self, length: int) -> bytes:
        pieces: list[bytes] = []
        while length > 0:
            if 0 <= self.state.hold_at <= self.state.bytes_in:
                self.state.reached.set()
                self.state.released.wait(60)
            try:
                piece = self.rfile.read1(min(length, 1 << 16))
            except ConnectionResetError:
                break
            if not piece:
                break
            pieces.append(piece)
            length -= len(piece)
            with self.state.lock:
                self.state.bytes_in += len(piece)
        return b"".join(pieces)

    def keep(self, body: bytes) -> None:
        """Let the registry have what came of a request that was cut."""
        status, headers, _ = self.ask(body)
        assert status == 202, status
        with self.state.lock:
            self.state.moved[urlsplit(self.path).path] = headers["Location"]

    def pass_on(self, body: bytes, fault: Fault | None) -> None:
        status, headers, data = self.ask(body)
        if fault is Fault.LOST_ANSWER:
            self.cut()
            return
        if fault is Fault.SLOW:
            time.sleep(SLOW_S)
        if fault is Fault.CORRUPTED and data:
            data = data[:-1] + bytes([data[-1] ^ 1])
        self.answer(status, headers, data, half=fault is Fault.CUT_IN_BODY)

    def ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP
        }
        place = self.path
        if self.command == "GET":
            # Docker's own registry has the state of an upload in its address.
            place = self.state.moved.pop(urlsplit(place).path, place)
            place = place.removeprefix(f"http://{self.headers['host']}")
        if self.state.bearer or self.state.passwords:
            server = self.state.upstream
            headers["Authorization"] = _basic(server.username, server.password)
        self.behind.request(self.command, place, body=body or None, headers=headers)
        response = self.behind.getresponse()
        data = response.read()
        kept = {n: v for n, v in response.getheaders() if n.lower() not in HOP_BY_HOP}
        if self.command == "HEAD":
            kept["Content-Length"] = response.getheader("content-length", "0")
        return response.status, kept, data

    def half(self, length: int) -> None:
        """Give the registry the first half of a body, and cut both connections."""
        server = self.state.upstream
        host, _, port = server.host.partition(":")
        with socket.create_connection((host, int(port))) as behind:
            lines = [f"{self.command} {self.path} HTTP/1.1", f"Host: {self.headers['host']}"]
            lines += [f"Authorization: {_basic(server.username, server.password)}"]
            lines += [f"Content-Type: {self.headers.get('content-type', '')}"]
            lines += [f"Content-Length: {length}", "", ""]
            behind.sendall("\r\n".join(lines).encode() + self.rfile.read(length // 2))
        self.cut()

    def cut(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def answer(
        self, status: int, headers: dict[str, str], data: bytes, *, half: bool = False
    ) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers and status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if half:
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.cut()
        elif self.command != "HEAD":
            self.wfile.write(data)

    def let_in(self) -> bool:
        given = self.headers.get("authorization", "")
        if not self.state.bearer:
            if not given:
                return False
            password = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")[2]
            return password in self.state.passwords
        return given.removeprefix("Bearer ") in self.state.tokens

    def challenge(self) -> None:
        realm = f'Bearer realm="http://{self.state.host}/token",service="faulty"'
        how = realm if self.state.bearer else 'Basic realm="faulty"'
        self.answer(401, {"WWW-Authenticate": how}, _error("UNAUTHORIZED"))

    def token(self) -> None:
        server = self.state.upstream
        if self.headers.get("authorization") != _basic(server.username, server.password):
            self.answer(401, {}, b"")
            return
        body = json.dumps({"token": self.state.hand_out(), "expires_in": 300}).encode()
        self.answer(200, {"Content-Type": "application/json"}, body)


def _basic(username: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


@contextmanager
def faulty_registry(upstream: RegistryServer, *, bearer: bool = True) -> Iterator[FaultyRegistry]:
    """Run the proxy on a free loopback port; without ``bearer`` it takes ``passwords``."""
    state = FaultyRegistry("", upstream, bearer)
    handler: Callable[..., BaseHTTPRequestHandler] = type("_Bound", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    # What the kernel would take in while nothing is read has a bound that does not grow.
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    server.daemon_threads = True
    state.host = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.05))
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        thread.join()
        server.server_close()

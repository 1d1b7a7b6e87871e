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
    """The proxy; ``requests`` are those that came, without the ones for tokens."""

    host: str
    upstream: RegistryServer
    bearer: bool
    fault: Fault | None = None
    at: int = -1
    lasting: bool = False
    requests: list[tuple[str, str]] = field(default_factory=list)
    bytes_in: int = 0
    tokens: set[str] = field(default_factory=set)
    every_token: set[str] = field(default_factory=set)
    passwords: set[str] = field(default_factory=set)
    reached: threading.Event = field(default_factory=threading.Event)
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
        body = self.rfile.read(length) if length else b""
        with self.state.lock:
            self.state.bytes_in += len(body)
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

    do_HEAD = do_GET  # noqa: N815 - the names that the base looks for
    do_POST = do_GET  # noqa: N815 - likewise
    do_PATCH = do_GET  # noqa: N815 - likewise
    do_PUT = do_GET  # noqa: N815 - likewise
    do_DELETE = do_GET  # noqa: N815 - likewise

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
            name: value for name, value in self.headers.items() if name.lower() != "connection"
        }
        if self.state.bearer or self.state.passwords:
            server = self.state.upstream
            headers["Authorization"] = _basic(server.username, server.password)
        self.behind.request(self.command, self.path, body=body or None, headers=headers)
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

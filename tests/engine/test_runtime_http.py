"""HTTP/1.1 of the runtime, byte by byte: what a client library would never send, or not show."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engine.runtime_process import DEADLINE_S, Server, serving, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.engine

PREDICTOR = """
import pathlib, time
MARK = pathlib.Path(__file__).with_name("closed")

def load(model_dir): return None

def predict(data, context):
    if data == [["slow"]]:
        time.sleep(0.3)
    if data == [["pieces"]]:
        return iter([b"one ", b"two"])
    if data == [["headers"]]:
        return sorted(context.headers)
    if data == [["endless"]]:
        return endless()
    return data

def endless():
    try:
        while True:
            yield b"x" * 65536
    finally:
        MARK.touch()
"""
POST = b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-type: text/csv\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n2\r\n1\n\r\n0\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("http"), PREDICTOR, TWINFORGE_WORKERS="1") as server:
        yield server


def body(content: bytes, more: bytes = b"") -> bytes:
    return b"%bcontent-length: %d\r\n%b\r\n%b" % (POST, len(content), more, content)


class Wire:
    """A connection that says what it is told to."""

    def __init__(self, server: Server) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), DEADLINE_S)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read_until(self, end: bytes) -> bytes:
        read = b""
        while not read.endswith(end):
            data = self._socket.recv(65536)
            assert data, read
            read += data
        return read

    def read_all(self) -> bytes:
        """Read until the server closes."""
        read = b""
        while data := self._socket.recv(65536):
            read += data
        return read

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    wire = Wire(server)
    yield wire
    wire.close()


def statuses(answers: bytes) -> list[int]:
    return [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]]


def test_requests_on_one_connection_are_answered_in_their_order(wire: Wire) -> None:
    wire.send(body(b"slow") + body(b"2") + body(b"slow") + body(b"4"))
    answers = wire.read_until(b"[[4.0]]")
    assert statuses(answers) == [200] * 4
    bodies = [part.rpartition(b"\r\n\r\n")[2] for part in answers.split(b"HTTP/1.1 ")[1:]]
    assert bodies == [b'[["slow"]]', b"[[2.0]]", b'[["slow"]]', b"[[4.0]]"]


def test_a_request_may_come_in_single_bytes(wire: Wire) -> None:
    for byte in body(b"1,2"):
        wire.send(bytes([byte]))
    assert wire.read_until(b"[[1.0, 2.0]]").startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_body_in_chunks_is_joined(wire: Wire) -> None:
    wire.send(POST + CHUNKED)
    assert statuses(wire.read_until(b"[[1.0]]")) == [200]


def test_who_waits_for_100_gets_it_before_the_body(wire: Wire) -> None:
    head, end, content = body(b"1", b"expect: 100-continue\r\n").partition(b"\r\n\r\n")
    wire.send(head + end)
    assert wire.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.send(content)
    assert statuses(wire.read_until(b"[[1.0]]")) == [200]


def test_who_waits_for_100_in_vain_gets_the_reason_instead(wire: Wire) -> None:
    head = body(b"1", b"expect: 100-continue\r\n").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    wire.send(head.replace(b"text/csv", b"text/none"))
    assert statuses(wire.read_all()) == [415]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\x16\x03\x01 hello\r\n\r\n", 400),
        (POST + b"content-length: 2\r\n" + CHUNKED, 400),
        (POST + b"content-length: -1\r\n\r\n", 400),
        (b"GET /ping HTTP/1.1\r\nx: " + b"y" * 66000 + b"\r\n\r\n", 431),
        (body(b"1", b"connection: upgrade\r\nupgrade: h2c\r\n"), 400),
    ],
    ids=["no HTTP", "two lengths", "no length", "long headers", "upgrade with a body"],
)
def test_what_can_t_be_read_is_refused_and_ends_the_connection(
    wire: Wire, request_bytes: bytes, status: int
) -> None:
    wire.send(request_bytes)
    answer = wire.read_all()
    assert statuses(answer) == [status]
    assert b"content-type: application/json\r\n" in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        body(b"1", b"connection: close\r\n"),
        body(b"1").replace(b"HTTP/1.1", b"HTTP/1.0"),
        b"GET /ping HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    ],
    ids=["close", "HTTP/1.0", "upgrade"],
)
def test_the_last_answer_of_a_connection_is_whole(wire: Wire, request_bytes: bytes) -> None:
    wire.send(request_bytes)
    assert statuses(wire.read_all()) == [200]


def test_an_answer_to_head_has_no_body(wire: Wire) -> None:
    wire.send(b"HEAD /ping HTTP/1.1\r\nhost: x\r\n\r\n" + body(b"1"))
    answers = wire.read_until(b"[[1.0]]")
    assert statuses(answers) == [405, 200]
    assert b'"error"' not in answers


def test_a_stream_waits_for_a_slow_reader_and_ends_with_it(server: Server, wire: Wire) -> None:
    wire.send(body(b"endless"))
    assert b"transfer-encoding: chunked\r\n" in wire.read_until(b"x")
    time.sleep(0.5)  # it would fill the memory meanwhile
    parent = server.child.pid
    [worker] = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    lines = Path(f"/proc/{worker}/status").read_text().splitlines()
    [resident_kb] = (int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    assert resident_kb < 300_000
    wire.close()
    mark = server.log.parent / "program/closed"
    wait_until(mark.exists, "the generator was not closed")
    assert server.invoke(b"1").status == 200


def test_an_idle_connection_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with serving(tmp_path, PREDICTOR) as server:
        idle = Wire(server)
        idle.send(body(b"1"))
        idle.read_until(b"[[1.0]]")
        assert server.stop() == 0
        assert idle.read_all() == b""
        idle.close()


def test_the_target_of_a_proxy_is_the_same_path(wire: Wire) -> None:
    wire.send(b"GET http://x/ping HTTP/1.1\r\nhost: x\r\n\r\n")
    assert wire.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
    wire.send(b"GET http://x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert wire.read_all().endswith(b'there is nothing at \'/\'", "status": 404}')


def test_a_client_of_http_1_0_knows_no_100(wire: Wire) -> None:
    wire.send(
        b"POST /invocations HTTP/1.0\r\ncontent-type: text/csv\r\nexpect: 100-continue\r\n"
        b"content-length: 1\r\n\r\n1"
    )
    assert wire.read_all().startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("more", [b"", b"connection: keep-alive\r\n"])
def test_a_client_of_http_1_0_gets_a_stream_without_chunks(wire: Wire, more: bytes) -> None:
    wire.send(
        b"POST /invocations HTTP/1.0\r\ncontent-type: text/csv\r\n%b"
        b"content-length: 6\r\n\r\npieces" % more
    )
    head, _, content = wire.read_all().partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert content == b"one two"


def test_headers_that_are_repeated_are_one_list(wire: Wire) -> None:
    wire.send(body(b"1", b"accept: application/jsonlines\r\naccept: image/png\r\n"))
    assert b"content-type: application/jsonlines\r\n" in wire.read_until(b"[1.0]\n")


def test_what_follows_a_body_in_chunks_is_no_header(wire: Wire) -> None:
    wire.send(POST + b"transfer-encoding: chunked\r\n\r\n7\r\nheaders\r\n0\r\nx-late: 1\r\n\r\n")
    answer = wire.read_until(b'"transfer-encoding"]')
    assert statuses(answer) == [200]
    assert b"x-late" not in answer

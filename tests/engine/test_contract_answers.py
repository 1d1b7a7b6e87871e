"""Servers that answer in ways that no image of ours does, over real connections."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from twinforge.errors import SmokeError
from twinforge.model.recipe import Invocation
from twinforge.smoke import asking
from twinforge.smoke.answers import Answer, judge_answer
from twinforge.smoke.asking import Request, ask, ask_in_a_row
from twinforge.smoke.cancelling import ended_when
from twinforge.smoke.serving import invoke, wait_for_ping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.engine

PING = Request("GET", "/ping", {})
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
BAD = b"HTTP/1.1 503 no\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True)
class Listening:
    """Something that listens; as a container it runs until it is told to have ended."""

    address: tuple[str, int]
    started: float
    status: int | None = None

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    def exit_status(self) -> int | None:
        return self.status

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)


@contextmanager
def serving(talk: Callable[[socket.socket], None]) -> Iterator[Listening]:
    """Talk to everybody who comes, after their first words, until the body ends."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if connection.recv(65536):
                talk(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield Listening(listener.getsockname(), time.monotonic())
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def say(*parts: bytes, pause_s: float = 0.0) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause_s)

    return talk


def refusal(talk: Callable[[socket.socket], None], *, timeout_s: float = 5.0) -> str:
    with serving(talk) as server, pytest.raises(SmokeError) as caught:
        ask(server.address, PING, timeout_s=timeout_s)
    return caught.value.message


def test_an_answer_that_comes_in_drops_is_given_up_when_its_time_is_over() -> None:
    drops = [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", *[b"x"] * 100]
    started = time.monotonic()
    said = refusal(say(*drops, pause_s=0.05), timeout_s=0.5)
    assert said == "no answer within 0.5 s"
    assert time.monotonic() - started < 3


def test_an_answer_without_an_end_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_BYTES", 1_000_000)
    endless = say(b"HTTP/1.0 200 OK\r\n\r\n", *[b"x" * 65536] * 1000)
    assert refusal(endless) == "the answer is longer than 1,000,000 bytes"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1234", "IncompleteRead"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n1", "IncompleteRead"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n1\r\n", "IncompleteRead"),
        (b"HTTP/1.1 2oo OK\r\n\r\n", "2oo"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0"),
        (b"", "closed connection"),
    ],
)
def test_what_is_no_whole_answer_is_told_and_crashes_nothing(text: bytes, said: str) -> None:
    message = refusal(say(text))
    assert message.startswith("no answer: ")
    assert said in message


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
def test_every_way_to_end_an_answer_is_understood(text: bytes) -> None:
    with serving(say(text)) as server:
        assert ask(server.address, PING, timeout_s=5).answer.body == b"hello"


@pytest.mark.parametrize("kind", [b"Content-Length: 2", b"Transfer-Encoding: chunked"])
def test_a_second_request_goes_over_the_same_connection(kind: bytes) -> None:
    body = b"ok" if b"Length" in kind else b"2\r\nok\r\n0\r\n\r\n"

    def talk(connection: socket.socket) -> None:
        for _ in range(2):
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + kind + b"\r\n\r\n" + body)
            connection.recv(65536)

    with serving(talk) as server:
        first, second = ask_in_a_row(server.address, [PING, PING], timeout_s=5)
    assert first == second == Answer(200, "", b"ok")


def alternating() -> Callable[[socket.socket], None]:
    count = iter(range(100_000))
    return lambda connection: connection.sendall(BAD if next(count) % 2 else GOOD)


def test_a_ping_that_answers_every_second_time_is_not_healthy() -> None:
    with serving(alternating()) as server, pytest.raises(SmokeError) as caught:
        wait_for_ping(server, within_s=1, ping_s=1, in_a_row=3)
    assert caught.value.message == (
        "/ping did not say 200 3 times in a row within 1 s; the last was: status 503"
    )
    with serving(alternating()) as server:
        assert wait_for_ping(server, within_s=10, ping_s=1) < 10


def test_the_first_of_the_good_pings_in_a_row_is_what_a_start_took() -> None:
    answers = iter([BAD, GOOD, BAD, GOOD, GOOD, GOOD])

    def talk(connection: socket.socket) -> None:
        answer = next(answers)
        time.sleep(0.2)
        connection.sendall(answer)

    with serving(talk) as server:
        took = wait_for_ping(server, within_s=20, ping_s=5, in_a_row=3)
        assert 0.8 < took < time.monotonic() - server.started - 0.3
    assert list(answers) == []


def test_a_server_that_goes_to_the_background_is_told_so() -> None:
    with serving(say(BAD)) as server, pytest.raises(SmokeError) as caught:
        wait_for_ping(Listening(server.address, server.started, 0), within_s=5, ping_s=1)
    assert caught.value.message == (
        "'serve' ended with status 0 before /ping said 200: it must not go to the background"
    )


def test_an_answer_that_says_it_is_packed_and_is_not_is_judged_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "row.csv").write_text("1")
    invocation = Invocation("text/csv", "row.csv", 200, "", {"/0": 7}, "", 0.0)
    packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n[7]"
    with serving(say(packed)) as server:
        answer = invoke(server, invocation, root=tmp_path, timeout_s=5)
    assert judge_answer(invocation, answer, ()) == "status 200, /0 is 7"


def test_a_stop_ends_what_others_wait_for() -> None:
    cancelled, ended = threading.Event(), threading.Event()
    with ended_when(cancelled, ended.set):
        cancelled.set()
        assert ended.wait(10)
    calm, untouched = threading.Event(), threading.Event()
    with ended_when(calm, untouched.set):
        pass
    calm.set()
    assert not untouched.wait(1)

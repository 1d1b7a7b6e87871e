"""Senders of the runtime that don't read, read slowly, or go before their turn."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tests.engine.runtime_process import DEADLINE_S, Server, serving, wait_until
from tests.engine.test_runtime_memory import MIB, World, running
from twinforge.runtime import server as serving_room
from twinforge.runtime.http import Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from twinforge.runtime.http import Request

pytestmark = pytest.mark.engine

MANY = 40
ANSWER = bytes(MIB)
LARGE = bytes(24 * MIB)
REQUEST = b"POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\n1"


async def read_answers(reader: asyncio.StreamReader, count: int) -> None:
    for _ in range(count):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(len(ANSWER)) == ANSWER


@contextlib.asynccontextmanager
async def reading_little(
    world: World,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection with small buffers, here and in the kernel."""
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    taken.connect(("127.0.0.1", world.port))
    reader, writer = await asyncio.open_connection(sock=taken, limit=65536)
    yield reader, writer
    writer.close()


def answer_at_once(world: World, content: bytes = ANSWER) -> list[int]:
    """Let the routes answer in the event loop, and return a list that grows with each answer."""
    given: list[int] = []

    def answer(request: Request) -> Reply:
        given.append(len(request.body))
        return Reply(200, content)

    world.routes.answer = answer  # type: ignore[assignment, method-assign]
    return given


async def answers_that_nobody_reads() -> None:
    async with running() as world, reading_little(world) as (reader, writer):
        given = answer_at_once(world)
        writer.write(REQUEST * MANY)
        await world.until(lambda: given)
        await asyncio.sleep(0.3)
        assert len(given) < MANY / 2
        await read_answers(reader, MANY)
        assert len(given) == MANY


def test_who_reads_no_answer_gets_no_further_ones_until_it_reads() -> None:
    asyncio.run(answers_that_nobody_reads())


async def garbage_behind_answers_that_wait() -> None:
    async with running() as world, reading_little(world) as (reader, writer):
        answer_at_once(world)
        writer.write(REQUEST * 20 + b"\x00\r\n\r\n")
        await asyncio.sleep(0.3)
        await read_answers(reader, 20)
        assert await reader.read() == b""


def test_what_can_t_be_read_is_not_answered_before_its_turn() -> None:
    asyncio.run(garbage_behind_answers_that_wait())


async def readers_and_their_pace(idle_s: float) -> None:
    async with running() as world, reading_little(world) as (reader, writer):
        given = answer_at_once(world, LARGE)
        async with reading_little(world) as (_, stalled):
            stalled.write(REQUEST)
            writer.write(REQUEST)
            await world.until(lambda: len(given) == 2)
            await reader.readuntil(b"\r\n\r\n")
            for _ in range(8):
                await asyncio.sleep(idle_s / 2)
                await reader.readexactly(len(LARGE) // 8)
            assert len(world.server.connections) == 1


def test_who_stops_reading_is_disconnected_and_who_reads_slowly_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving_room, "_IDLE_S", 2.0)
    asyncio.run(readers_and_their_pace(2.0))


STREAM = """
import pathlib, time
MARK = pathlib.Path(__file__).with_name("closed")
SEEN = pathlib.Path(__file__).with_name("seen")

def load(model_dir): return None

def predict(data, context):
    with SEEN.open("a") as seen: seen.write(data)
    if data == "slow": time.sleep(1)
    return endless() if data == "endless" else data

def endless():
    try:
        while True:
            yield b"x" * 65536
    finally:
        MARK.touch()
"""


def send(server: Server, text: str) -> socket.socket:
    sender = socket.create_connection(("127.0.0.1", server.port), DEADLINE_S)
    head = "POST /invocations HTTP/1.1\r\ncontent-type: text/plain\r\n"
    sender.sendall(f"{head}content-length: {len(text)}\r\n\r\n{text}".encode())
    return sender


def test_a_stream_that_nobody_reads_is_closed(tmp_path: Path) -> None:
    program = (
        "import sys; from twinforge.runtime import server; server._IDLE_S = 1; "
        "from twinforge.runtime.serve import main; sys.exit(main())"
    )
    with serving(tmp_path, STREAM, program=("-c", program)) as server:
        sender = send(server, "endless")
        wait_until((tmp_path / "program/closed").exists, "the generator was not closed")
        sender.close()


def test_nothing_is_predicted_for_a_sender_that_has_gone_before_its_turn(tmp_path: Path) -> None:
    with serving(tmp_path, STREAM, TWINFORGE_WORKERS="1", TWINFORGE_INLINE_MS="0") as server:
        slow = threading.Thread(target=lambda: server.invoke(b"slow", "text/plain"))
        slow.start()
        wait_until((tmp_path / "program/seen").exists, "no request came")
        send(server, "gone").close()
        slow.join(DEADLINE_S)
        assert server.invoke(b"here", "text/plain").status == 200
        assert (tmp_path / "program/seen").read_text() == "slowhere"

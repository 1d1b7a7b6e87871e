"""The bodies that one process of the runtime holds at once, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from twinforge.runtime.budget import Budget
from twinforge.runtime.http import Reply, Request
from twinforge.runtime.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from twinforge.runtime.predictor import Stream

pytestmark = pytest.mark.engine

DEADLINE_S = 60.0
MIB = 1024 * 1024
BUDGET = 2 * MIB
IN_KERNEL = 16 * MIB
"""More than the kernel takes of one connection that nobody reads."""


@dataclass
class Held:
    """Routes that answer when they may, and note how much was there at once."""

    limit_bytes: int = 0
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    admitted: int = 0
    bytes_now: int = 0
    most_bytes: int = 0
    ended: list[tuple[str, int]] = field(default_factory=list)

    def admit(self, request: Request) -> Reply | None:
        self.admitted += 1
        del request
        return None

    async def answer(self, request: Request) -> Reply:
        self.bytes_now += len(request.body)
        self.most_bytes = max(self.most_bytes, self.bytes_now)
        await self.may_answer.wait()
        return Reply(200, b"%d %d" % (len(request.body), sum(request.body[::65536])))

    async def next_piece(self, stream: Stream) -> bytes | None:
        raise NotImplementedError

    def abandon(self, stream: Stream) -> None:
        raise NotImplementedError

    def finish(self, request: Request, status: int) -> None:
        self.bytes_now -= len(request.body)
        self.ended.append((request.path, status))


class Client:
    """A connection that sends bodies, and is not asked whether they are read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, body: bytes, path: str = "/", *more: bytes) -> None:
        lines = [b"POST %b HTTP/1.1" % path.encode(), b"content-length: %d" % len(body), *more]
        self._writer.write(b"\r\n".join((*lines, b"", b"")) + body)

    def send_in_chunks(self, *chunks: bytes) -> None:
        head = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
        framed = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b"")]
        self._writer.write(b"".join((head, *framed)))

    def send_raw(self, data: bytes) -> None:
        self._writer.write(data)

    async def answer(self) -> bytes:
        """Return the body of the next answer."""
        async with asyncio.timeout(DEADLINE_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            return await self._reader.readexactly(int(length))

    async def read(self, data: bytes) -> None:
        """Read exactly this."""
        async with asyncio.timeout(DEADLINE_S):
            assert await self._reader.readexactly(len(data)) == data

    def vanish(self, *, resets: bool = False) -> None:
        if resets:
            taken = self._writer.get_extra_info("socket")
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


@dataclass
class World:
    """A server in this process."""

    routes: Held
    server: Server
    port: int
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        return Client(reader, writer)

    async def until(self, claim: Callable[[], object]) -> None:
        """Wait for what must come about."""
        async with asyncio.timeout(DEADLINE_S):
            while not claim():  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[World]:
    routes = Held()
    server = Server(routes, stop_s=DEADLINE_S, must_end=lambda: False, budget=Budget(BUDGET))
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)  # noqa: FBT003 - its only parameter
    is_listening = asyncio.Event()
    serving = asyncio.create_task(server.serve(listener, is_listening.set))
    await is_listening.wait()
    world = World(routes, server, listener.getsockname()[1])
    yield world
    for writer in world.writers:
        writer.close()
    routes.may_answer.set()
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(DEADLINE_S):
        await serving
        for writer in world.writers:
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def content(size: int, mark: int) -> bytes:
    return bytes([mark]) * size


def told(size: int, mark: int) -> bytes:
    """What the routes answer to ``content``."""
    return b"%d %d" % (size, mark * -(-size // 65536))


async def many_at_once() -> None:
    async with running() as world:
        clients = [await world.connect() for _ in range(12)]
        for mark, client in enumerate(clients):
            client.send(content(MIB, mark))
        await world.until(lambda: world.routes.admitted == 12 and world.routes.bytes_now)
        await asyncio.sleep(0.1)
        world.routes.may_answer.set()
        answers = [await client.answer() for client in clients]
        assert answers == [told(MIB, mark) for mark in range(12)]
        assert world.routes.most_bytes <= BUDGET
        assert world.server.budget.held_bytes == 0


def test_bodies_beyond_the_budget_wait_and_are_all_answered() -> None:
    asyncio.run(many_at_once())


async def longer_than_the_budget() -> None:
    async with running() as world:
        first, longer, second = [await world.connect() for _ in range(3)]
        first.send(content(MIB, 1))
        await world.until(lambda: world.routes.bytes_now)
        longer.send(content(IN_KERNEL, 2))
        await world.until(lambda: world.routes.admitted == 2)
        second.send(content(MIB, 3))
        await world.until(lambda: world.routes.admitted == 3)
        world.routes.may_answer.set()
        assert await longer.answer() == told(IN_KERNEL, 2)
        assert [await first.answer(), await second.answer()] == [told(MIB, 1), told(MIB, 3)]
        assert world.routes.most_bytes == IN_KERNEL


def test_a_body_longer_than_the_budget_is_read_alone_and_holds_nobody_up_for_ever() -> None:
    asyncio.run(longer_than_the_budget())


async def senders_that_go() -> None:
    async with running() as world:
        half, waiting, last = [await world.connect() for _ in range(3)]
        half.send_raw(b"POST /half HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % BUDGET)
        await world.until(lambda: world.server.budget.held_bytes)
        waiting.send(content(BUDGET, 1), "/waiting")
        await world.until(lambda: world.routes.admitted == 2)
        last.send(content(BUDGET, 2), "/last")
        await world.until(lambda: world.routes.admitted == 3)
        waiting.vanish()
        half.vanish()
        world.routes.may_answer.set()
        assert await last.answer() == told(BUDGET, 2)
        assert ("/half", 499) in world.routes.ended
        assert world.routes.ended[-1] == ("/last", 200)
        await world.until(lambda: not world.server.budget.held_bytes)


def test_room_of_a_sender_that_has_gone_is_another_s() -> None:
    asyncio.run(senders_that_go())


async def senders_that_go_while_they_wait() -> None:
    async with running() as world:
        first, ended, reset, patient = [await world.connect() for _ in range(4)]
        first.send(content(BUDGET, 1), "/first")
        await world.until(lambda: world.routes.bytes_now)
        for client in (ended, reset, patient):
            client.send_raw(b"POST /waiting HTTP/1.1\r\ncontent-length: 70000\r\n\r\n")
        await world.until(lambda: world.routes.admitted == 4)
        for client in (ended, reset, patient):
            client.send_raw(content(1000, 2))
        ended.vanish()
        reset.vanish(resets=True)
        await world.until(lambda: world.routes.ended == [("/waiting", 499)] * 2)
        patient.send_raw(content(69_000, 2))
        world.routes.may_answer.set()
        assert await patient.answer() == told(70_000, 2)
        assert await first.answer() == told(BUDGET, 1)


def test_a_sender_that_goes_while_its_body_waits_waits_no_longer() -> None:
    asyncio.run(senders_that_go_while_they_wait())


async def in_chunks() -> None:
    async with running() as world:
        first, chunked, small = [await world.connect() for _ in range(3)]
        first.send(content(BUDGET, 1))
        await world.until(lambda: world.routes.bytes_now)
        chunked.send_in_chunks(*[content(MIB, 2)] * 3)
        await world.until(lambda: world.routes.admitted == 2)
        small.send_in_chunks(content(10, 3))
        await world.until(lambda: world.routes.most_bytes == 10 + BUDGET)
        world.routes.may_answer.set()
        answers = [await client.answer() for client in (first, chunked, small)]
        assert answers == [told(BUDGET, 1), told(3 * MIB, 2), told(10, 3)]
        assert world.server.budget.held_bytes == 0


def test_a_body_in_chunks_waits_once_it_is_no_small_one() -> None:
    asyncio.run(in_chunks())


async def pipelined() -> None:
    async with running() as world:
        [client] = [await world.connect()]
        for mark in range(1, 6):
            client.send(content(MIB + mark, mark))
            client.send(content(5, mark))
        world.routes.may_answer.set()
        for mark in range(1, 6):
            assert await client.answer() == told(MIB + mark, mark)
            assert await client.answer() == told(5, mark)
        assert world.server.budget.held_bytes == 0


def test_large_and_small_bodies_follow_each_other_on_one_connection() -> None:
    asyncio.run(pipelined())


async def asked_for() -> None:
    async with running() as world:
        first, asking = [await world.connect() for _ in range(2)]
        first.send(content(BUDGET, 1))
        await world.until(lambda: world.routes.bytes_now)
        head = b"POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: %d\r\n\r\n" % MIB
        asking.send_raw(head)
        await world.until(lambda: world.routes.admitted == 2)
        world.routes.may_answer.set()
        await asking.read(b"HTTP/1.1 100 Continue\r\n\r\n")
        asking.send_raw(content(MIB, 2))
        assert await asking.answer() == told(MIB, 2)
        assert await first.answer() == told(BUDGET, 1)


def test_who_waits_for_100_gets_it_when_there_is_room() -> None:
    asyncio.run(asked_for())


async def too_long_in_chunks() -> None:
    async with running() as world:
        world.routes.limit_bytes = MIB
        world.routes.may_answer.set()
        [client] = [await world.connect()]
        client.send_in_chunks(*[content(MIB, 1)] * 2)
        assert b"longer than" in await client.answer()
        assert world.server.budget.held_bytes == 0
        client.send(content(MIB, 2))
        assert await client.answer() == told(MIB, 2)


def test_a_body_that_gets_too_long_gives_its_room_back() -> None:
    asyncio.run(too_long_in_chunks())


async def too_long_while_it_waits() -> None:
    async with running() as world:
        first, chunked = [await world.connect() for _ in range(2)]
        first.send(content(BUDGET, 1))
        await world.until(lambda: world.routes.bytes_now)
        world.routes.limit_bytes = 80_000
        chunked.send_in_chunks(content(70_000, 2), content(90_000, 2))
        await world.until(lambda: world.routes.admitted == 2)
        world.routes.may_answer.set()
        assert b"longer than" in await chunked.answer()
        assert await first.answer() == told(BUDGET, 1)


def test_a_body_that_gets_too_long_while_it_waits_is_refused_all_the_same() -> None:
    asyncio.run(too_long_while_it_waits())


async def last_one() -> None:
    async with running() as world:
        [client] = [await world.connect()]
        client.send(content(MIB, 1), "/", b"connection: close")
        client.send(content(5, 2), "/never")
        await world.until(lambda: world.routes.bytes_now)
        world.routes.may_answer.set()
        assert await client.answer() == told(MIB, 1)
        await world.until(lambda: not world.server.connections)
        assert world.routes.ended == [("/", 200)]


def test_nothing_is_read_after_the_request_that_closes() -> None:
    asyncio.run(last_one())

"""The bodies that one process of the runtime holds at once, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from twinforge.runtime.budget import Budget
from twinforge.runtime.http import Reply, Request
from twinforge.runtime.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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
        self._writer.write(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n")
        for chunk in (*chunks, b""):
            self._writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))

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

    def vanish(self) -> None:
        self._writer.transport.abort()


@dataclass
class World:
    """A server in this process."""

    routes: Held
    server: Server
    port: int

    async def connect(self) -> Client:
        return Client(*await asyncio.open_connection("127.0.0.1", self.port))

    async def until(self, claims: str) -> None:
        """Wait for what must come about."""
        async with asyncio.timeout(DEADLINE_S):
            while not eval(claims, {"routes": self.routes, "server": self.server}):  # noqa: S307 - of this file
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[World]:
    routes = Held()
    server = Server(routes, stop_s=DEADLINE_S, is_orphan=lambda: False, budget=Budget(BUDGET))
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    is_listening = asyncio.Event()
    serving = asyncio.create_task(server.serve(listener, is_listening.set))
    await is_listening.wait()
    yield World(routes, server, listener.getsockname()[1])
    routes.may_answer.set()
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(DEADLINE_S):
        await serving

"""Many requests at once, and ``/ping`` beside them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from twinforge.errors import SmokeError
from twinforge.smoke.asking import Reply, Request, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twinforge.smoke.answers import Answer

__all__ = ["AT_ONCE", "Load", "Ping", "put_under_load"]

AT_ONCE = 64
_PING = Request("GET", "/ping", {})
_TURNED_AWAY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class Loaded(Protocol):
    """A container that listens; so that tests can be one."""

    @property
    def address(self) -> tuple[str, int]:
        """Where its port is reached."""

    def pause(self, seconds: float) -> None:
        """Wait; a stop that was asked for ends it with an error."""


@dataclass(frozen=True, slots=True)
class Ping:
    """One ``/ping`` under load; ``wrong`` says what was not right, and is empty else."""

    seconds: float
    wrong: str


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it.

    Attributes:
        answered: How many requests were answered, rightly or not.
        wrong: What was wrong, with an answer or without one.
        slowest_s: The longest wait for an answer.
        connects_s: How long each connection took.
        pings: One per second.
    """

    answered: int
    wrong: tuple[str, ...]
    slowest_s: float
    connects_s: tuple[float, ...]
    pings: tuple[Ping, ...]


def put_under_load(  # noqa: PLR0913 - what is asked, and each limit, by keyword
    server: Loaded,
    cases: Sequence[tuple[Request, Callable[[Answer], object]]],
    *,
    seconds: float,
    request_s: float,
    ping_s: float,
    at_once: int = AT_ONCE,
) -> Load:
    """Send requests many times at once, each again when it was answered.

    Args:
        server: Where to.
        cases: What the senders send in turn, and what raises SmokeError for a wrong answer to it.
        seconds: How long; each of the senders sends at least once.
        request_s: How long an answer may take.
        ping_s: How long an answer of ``/ping`` may take.
        at_once: How many senders there are.
    """
    end = time.monotonic() + seconds

    def send(number: int) -> tuple[list[Reply], list[str]]:
        request, judge = cases[number % len(cases)]
        replies: list[Reply] = []
        wrong: list[str] = []
        while True:
            try:
                reply = ask(server.address, request, timeout_s=request_s)
                replies.append(reply)
                if reply.answer.status not in _TURNED_AWAY:
                    judge(reply.answer)
            except SmokeError as error:
                wrong.append(error.message)
            if wrong or time.monotonic() >= end:
                return replies, wrong

    with ThreadPoolExecutor(at_once + 1) as pool:
        senders = [pool.submit(send, number) for number in range(at_once)]
        pings = [_ping(server.address, ping_s)]
        while not all(sender.done() for sender in senders):
            started = time.monotonic()
            while time.monotonic() < started + 1.0 and not all(one.done() for one in senders):
                server.pause(0.05)
            if not all(sender.done() for sender in senders):
                pings.append(_ping(server.address, ping_s))
        results = [sender.result() for sender in senders]
    replies = [reply for some, _ in results for reply in some]
    wrong = tuple(one for _, some in results for one in some)
    return Load(
        answered=len(replies),
        wrong=wrong,
        slowest_s=max((reply.seconds for reply in replies), default=0.0),
        connects_s=tuple(reply.connect_s for reply in replies),
        pings=tuple(pings),
    )


def _ping(address: tuple[str, int], ping_s: float) -> Ping:
    started = time.monotonic()
    try:
        reply = ask(address, _PING, timeout_s=ping_s)
    except SmokeError as error:
        return Ping(time.monotonic() - started, error.message)
    if reply.answer.status != HTTPStatus.OK:
        return Ping(reply.seconds, f"status {reply.answer.status}")
    if reply.seconds > ping_s:  # the timeout is per read
        return Ping(reply.seconds, f"no answer within {ping_s:g} s")
    return Ping(reply.seconds, "")

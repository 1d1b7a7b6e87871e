"""Requests to a serving container, as SageMaker sends them."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from twinforge.errors import SmokeError
from twinforge.smoke.asking import Request, ask

if TYPE_CHECKING:
    from pathlib import Path

    from twinforge.model.recipe import Invocation
    from twinforge.smoke.answers import Answer

__all__ = ["Server", "invoke", "wait_for_ping"]

PING_PAUSE_S = 0.05
_PING = Request("GET", "/ping", {})


class Server(Protocol):
    """A container that listens; so that tests can be one."""

    @property
    def url(self) -> str:
        """Where port 8080 of the container is reached."""

    @property
    def started(self) -> float:
        """When it was started, on the monotonic clock."""

    def exit_status(self) -> int | None:
        """Return its exit status, or None while it runs."""

    def pause(self, seconds: float) -> None:
        """Wait; a stop that was asked for ends it with an error."""


def wait_for_ping(server: Server, *, within_s: float, ping_s: float, in_a_row: int = 1) -> float:
    """Ask for ``/ping`` until it says 200, and return the seconds since the server's start.

    Args:
        server: Who is asked.
        within_s: How long after its start it may take.
        ping_s: How long one answer may take.
        in_a_row: How often it must say so, one after the other; the first of them counts.

    Raises:
        SmokeError: It did not within ``within_s``, or the container ended.
    """
    last, good, since = "no answer", 0, 0.0
    deadline = server.started + within_s
    while time.monotonic() < deadline:
        said = _ping(server, ping_s)
        if not said:
            now = time.monotonic()
            since = since if good else now - server.started
            good += 1
            if good >= in_a_row and now <= deadline:
                return since
            continue
        last, good = said, 0
        exit_status = server.exit_status()
        if exit_status is not None:
            message = f"'serve' ended with status {exit_status} before /ping said 200"
            if exit_status == 0:
                message += ": it must not go to the background"
            raise SmokeError(message)
        server.pause(PING_PAUSE_S)
    times = f" {in_a_row} times in a row" if since and in_a_row > 1 else ""
    message = f"/ping did not say 200{times} within {within_s:g} s; the last was: {last}"
    raise SmokeError(message)


def _ping(server: Server, ping_s: float) -> str:
    """Ask for ``/ping`` once, and return what was wrong with the answer; nothing where it was 200."""
    try:
        reply = ask(_address(server), _PING, timeout_s=ping_s)
    except SmokeError as error:
        return error.message
    return "" if reply.answer.status == HTTPStatus.OK else f"status {reply.answer.status}"


def invoke(server: Server, invocation: Invocation, *, root: Path, timeout_s: float) -> Answer:
    """Send one request of the recipe.

    Raises:
        SmokeError: Its body can't be read, or no answer came.
    """
    headers = {"Content-Type": invocation.content_type}
    if invocation.accept:
        headers["Accept"] = invocation.accept
    try:
        body = (root / invocation.body).read_bytes()
    except OSError as error:
        message = f"the body of the request can't be read: {error}"
        raise SmokeError(message) from error
    request = Request("POST", "/invocations", headers, body)
    return ask(_address(server), request, timeout_s=timeout_s).answer


def _address(server: Server) -> tuple[str, int]:
    parts = urlsplit(server.url)
    return parts.hostname or "", parts.port or 0

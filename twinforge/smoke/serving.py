"""Requests to a serving container, as SageMaker sends them."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

import httpx

from twinforge.errors import SmokeError
from twinforge.smoke.answers import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from twinforge.model.recipe import Invocation

__all__ = ["Server", "invoke", "wait_for_ping"]

PING_PAUSE_S = 0.05


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


def wait_for_ping(server: Server, *, within_s: float, ping_s: float) -> float:
    """Ask for ``/ping`` until it says 200, and return the seconds since the server's start.

    Raises:
        SmokeError: It did not within ``within_s``, or the container ended.
    """
    last = "no answer"
    deadline = server.started + within_s
    # The environment's proxies must not see requests to loopback.
    with httpx.Client(base_url=server.url, trust_env=False, timeout=ping_s) as client:
        while time.monotonic() < deadline:
            try:
                status = client.get("/ping").status_code
            except httpx.TimeoutException:
                last = f"no answer within {ping_s:g} s"
            except httpx.TransportError as error:
                last = str(error)
            else:
                if status == HTTPStatus.OK:
                    return time.monotonic() - server.started
                last = f"status {status}"
            exit_status = server.exit_status()
            if exit_status is not None:
                message = f"'serve' ended with status {exit_status} before /ping said 200"
                raise SmokeError(message)
            server.pause(PING_PAUSE_S)
    message = f"/ping did not say 200 within {within_s:g} s; the last was: {last}"
    raise SmokeError(message)


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
    try:
        with httpx.Client(base_url=server.url, trust_env=False, timeout=timeout_s) as client:
            response = client.post("/invocations", content=body, headers=headers)
    except httpx.TimeoutException as error:
        message = f"no answer within {timeout_s:g} s"
        raise SmokeError(message) from error
    except httpx.TransportError as error:
        message = f"no answer: {error}"
        raise SmokeError(message) from error
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return Answer(response.status_code, kind, response.content)

"""Invocations of a container, with the limits of the service."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from twinforge.errors import AwsRefusedError, DeployError, UsageError
from twinforge.sagemaker.local.words import INVOCATION_TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["INVOKE_S", "LONGEST_BODY", "Reply", "check_headers", "invoke", "post"]

INVOKE_S = 60.0
CONNECT_S = 0.25
LONGEST_BODY = 25 << 20
"""Source: SageMaker developer guide, "Use your own inference code with hosting services"."""

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_LONGEST_HEADER = 1024
_VISIBLE = re.compile(r"[\x20-\x7e]*")
_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Reply:
    """What a container answered."""

    status: int
    body: bytes
    content_type: str
    attributes: str = ""


def invoke(
    url: str, body: bytes, *, content_type: str, accept: str = "", attributes: str = ""
) -> Reply:
    """Invoke an endpoint as InvokeEndpoint does.

    Args:
        url: Where the container is reached.
        body: What is sent, up to 25 MiB.
        content_type: What it is.
        accept: What the answer shall be, or empty for the container's choice.
        attributes: Custom attributes, which the container sees as they are.

    Raises:
        UsageError: The body or the attributes are more than the service takes.
        AwsRefusedError: The container answered with an error, or not within 60 s: ``ModelError``.
        DeployError: It does not listen.
    """
    if len(body) > LONGEST_BODY:
        message = f"the body has {len(body):,} bytes, an endpoint takes {LONGEST_BODY:,}"
        raise UsageError(message, hint="send less at a time, or use `twinforge local transform`")
    headers = {"Content-Type": content_type, "Accept": accept, ATTRIBUTES: attributes}
    check_headers(headers)
    try:
        reply = post(url, body, {k: v for k, v in headers.items() if v}, timeout_s=INVOKE_S)
    except httpx.ConnectTimeout as error:
        message = f"the container did not accept a connection within {CONNECT_S:g} s"
        raise DeployError(message) from error
    except httpx.TimeoutException as error:
        raise _model_error(0, "server", INVOCATION_TIMED_OUT) from error
    except httpx.ConnectError as error:
        message = f"nothing listens at {url}: {error}"
        raise DeployError(message, hint="see `twinforge local list`") from error
    except httpx.TransportError as error:
        raise _model_error(0, "server", f"the connection was cut: {error}") from error
    if reply.status >= httpx.codes.BAD_REQUEST:
        side = "client" if reply.status < httpx.codes.INTERNAL_SERVER_ERROR else "server"
        said = reply.body[:_SHOWN].decode(errors="replace")
        raise _model_error(reply.status, side, said)
    if len(reply.body) > LONGEST_BODY:
        said = f"the answer has {len(reply.body):,} bytes, an endpoint returns {LONGEST_BODY:,}"
        raise _model_error(reply.status, "server", said)
    return reply


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse what the service takes in no header.

    Raises:
        UsageError: One is too long, or not of visible ASCII characters.
    """
    for name, value in headers.items():
        if len(value) > _LONGEST_HEADER or not _VISIBLE.fullmatch(value):
            message = f"{name} is up to {_LONGEST_HEADER} visible ASCII characters"
            raise UsageError(message)


def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float) -> Reply:
    """Send a request to ``/invocations`` and return the answer, whatever its status is.

    Args:
        url: Where the container is reached.
        body: What is sent.
        headers: Of the request.
        timeout_s: Within which the whole answer has to be there.

    Raises:
        httpx.TransportError: It was not.
    """
    timeout = httpx.Timeout(timeout_s, connect=CONNECT_S)
    end_s = time.monotonic() + timeout_s
    # The environment's proxies must not see requests to this machine.
    with (
        httpx.Client(base_url=url, trust_env=False, timeout=timeout) as client,
        client.stream("POST", "/invocations", content=body, headers=dict(headers)) as response,
        _cut_at(end_s, response),
    ):
        response.read()
    return Reply(
        response.status_code,
        response.content,
        response.headers.get("Content-Type", ""),
        response.headers.get(ATTRIBUTES, ""),
    )


@contextmanager
def _cut_at(end_s: float, response: httpx.Response) -> Iterator[None]:
    """Let an answer that comes bit by bit take no longer than one that comes at once.

    Raises:
        httpx.ReadTimeout: It would.
    """
    stream = response.extensions.get("network_stream")
    cut: list[bool] = []

    def end() -> None:
        cut.append(True)
        if stream is not None:
            with suppress(OSError):  # it has just come to its end
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, end_s - time.monotonic()), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except httpx.TransportError as error:
        if cut:
            message = "the answer was not complete in time"
            raise httpx.ReadTimeout(message) from error
        raise
    finally:
        timer.cancel()


def _model_error(status: int, side: str, said: str) -> AwsRefusedError:
    """Wrap a container's error as InvokeEndpoint does: HTTP 424, with the container's own words.

    Source: what SDKs show, as in aws/amazon-sagemaker-examples#799.
    """
    message = f'ModelError: Received {side} error ({status}) from primary with message "{said}"'
    return AwsRefusedError(message, code="ModelError", said=said)

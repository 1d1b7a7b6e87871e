"""Invocations of a container, with the limits of the service."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from twinforge.errors import AwsRefusedError, DeployError, UsageError
from twinforge.sagemaker.local.words import INVOCATION_TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["INVOKE_S", "LONGEST_BODY", "Reply", "invoke", "post"]

INVOKE_S = 60.0
CONNECT_S = 0.25
LONGEST_BODY = 25 << 20
"""Source: SageMaker developer guide, "Use your own inference code with hosting services"."""

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_LONGEST_ATTRIBUTES = 1024
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
    if len(attributes) > _LONGEST_ATTRIBUTES or not _VISIBLE.fullmatch(attributes):
        message = f"custom attributes are up to {_LONGEST_ATTRIBUTES} visible ASCII characters"
        raise UsageError(message)
    headers = {"Content-Type": content_type, "Accept": accept, ATTRIBUTES: attributes}
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


def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float) -> Reply:
    """Send a request to ``/invocations`` and return the answer, whatever its status is.

    Raises:
        httpx.TransportError: There was none.
    """
    timeout = httpx.Timeout(timeout_s, connect=CONNECT_S)
    # The environment's proxies must not see requests to this machine.
    with httpx.Client(base_url=url, trust_env=False, timeout=timeout) as client:
        response = client.post("/invocations", content=body, headers=dict(headers))
    return Reply(
        response.status_code,
        response.content,
        response.headers.get("Content-Type", ""),
        response.headers.get(ATTRIBUTES, ""),
    )


def _model_error(status: int, side: str, said: str) -> AwsRefusedError:
    """Wrap a container's error as InvokeEndpoint does: HTTP 424, with the container's own words.

    Source: what SDKs show, as in aws/amazon-sagemaker-examples#799.
    """
    message = f'ModelError: Received {side} error ({status}) from primary with message "{said}"'
    return AwsRefusedError(message, code="ModelError", said=said)

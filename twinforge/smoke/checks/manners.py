"""Requests that a good server answers in a certain way, and every server must live through."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.smoke.answers import judge_answer
from twinforge.smoke.asking import Request, ask, ask_in_a_row
from twinforge.smoke.bench import telling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twinforge.model.recipe import Invocation
    from twinforge.smoke.bench import Bench, Step
    from twinforge.smoke.running import Running

__all__ = ["LARGEST_BYTES", "enlarge", "manners_steps", "request_of"]

LARGEST_BYTES = 25 * 1024 * 1024

_ANY_TYPE = "application/octet-stream"
_NO_TYPE = "application/x-twinforge-nobody-knows-this"
_MALFORMED = b'\xff\xfe{"this": is neither text nor\x00 JSON'
_UNKNOWN_HEADERS = {
    "X-Amzn-SageMaker-Twinforge-Smoke": "1",
    "X-Forwarded-For": "192.0.2.1",
    "X-Request-Id": "8c7a9ab1",
    "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}
_LINES = ("text/", "application/jsonlines", "application/x-ndjson", "application/x-jsonlines")


def manners_steps(bench: Bench, server: Running) -> Mapping[str, Step]:
    """Return the steps that send one odd request each."""
    kind = _content_type(bench)
    nowhere = "/twinforge/nothing-is-here"
    odd: dict[str, tuple[Sequence[Request], Sequence[int]]] = {
        "serve.wrong-content-type": ([_post(_NO_TYPE, b"1,2,3")], (415,)),
        "serve.empty-body": ([_post(kind, b"")], range(400, 500)),
        # raw bytes can't be malformed
        "serve.malformed-body": (
            [_post(kind, _MALFORMED)],
            range(200, 500) if kind == _ANY_TYPE else range(400, 500),
        ),
        "serve.unknown-path": (
            [Request("GET", nowhere, {}), replace(_post(kind, b"1"), path=nowhere)],
            (404,),
        ),
        "serve.wrong-method": ([Request("GET", "/invocations", {})], (405,)),
    }
    return {
        "serve.unknown-headers": partial(_unknown_headers, bench, server),
        "serve.keep-alive": partial(_keep_alive, bench, server),
        **{
            name: partial(_answered_with, bench, server, requests, allowed)
            for name, (requests, allowed) in odd.items()
        },
        "serve.large-body": partial(_large_body, bench, server),
    }


def enlarge(body: bytes, content_type: str, size_bytes: int) -> bytes:
    """Return a body of a size that means what it meant: with blanks behind it, or blank lines.

    So it tries how much can be sent, and not how fast the model is.

    >>> enlarge(b"[7]", "application/json", 5)
    b'[7]  '
    """
    blank = b"\n" if content_type.startswith(_LINES) else b" "
    return body + blank * (size_bytes - len(body))


def _post(content_type: str, body: bytes, headers: Mapping[str, str] | None = None) -> Request:
    return Request("POST", "/invocations", {"Content-Type": content_type, **(headers or {})}, body)


def _content_type(bench: Bench) -> str:
    declared = bench.recipe.smoke.invocations
    good = [one.content_type for one in declared if one.status == HTTPStatus.OK]
    return next(iter(good), _ANY_TYPE)


def request_of(bench: Bench, invocation: Invocation) -> Request:
    """Return one of the recipe's requests as it is sent."""
    accept = {"Accept": invocation.accept} if invocation.accept else {}
    return _post(invocation.content_type, bench.body(invocation), accept)


def _unknown_headers(bench: Bench, server: Running) -> str:
    _, invocation = bench.case
    request = request_of(bench, invocation)
    strange = Request(
        request.method, request.path, {**request.headers, **_UNKNOWN_HEADERS}, request.body
    )
    with telling(server):
        reply = ask(server.address, strange, timeout_s=bench.limits.request_s)
        return judge_answer(invocation, reply.answer, bench.labels(invocation))


def _keep_alive(bench: Bench, server: Running) -> str:
    """Ask twice over one connection, and once more behind a request that is refused."""
    ping, refused = Request("GET", "/ping", {}), _post(_NO_TYPE, b"1,2,3")
    limit_s = bench.limits.request_s
    with telling(server):
        answers = ask_in_a_row(server.address, [ping, ping], timeout_s=limit_s)
        if len(answers) == 1:
            message = "the connection was closed after the first answer"
            raise SmokeError(message)
        first, second = (answer.status for answer in answers)
        if first != second:
            message = f"the same request was answered with {first}, then {second}"
            raise SmokeError(message)
        # who refuses a body without reading it has to close the connection
        after = ask_in_a_row(server.address, [refused, ping], timeout_s=limit_s)[1:]
        if after and after[0].status != first:
            message = (
                f"behind a request of the type {_NO_TYPE}, /ping over the same connection was "
                f"answered with {after[0].status}, not {first}"
            )
            raise SmokeError(message)
    return "two answers over one connection"


def _answered_with(
    bench: Bench, server: Running, requests: Sequence[Request], allowed: Sequence[int]
) -> str:
    with telling(server):
        for request in requests:
            reply = ask(server.address, request, timeout_s=bench.limits.request_s)
            status = reply.answer.status
            if status not in allowed:
                wanted = f"{allowed[0]}" if len(allowed) == 1 else "4xx"
                message = (
                    f"{request.method} {request.path} was answered with {status}, not {wanted}"
                )
                raise SmokeError(message)
    return f"status {status}"


def _large_body(bench: Bench, server: Running) -> str:
    _, invocation = bench.case
    body = enlarge(bench.body(invocation), invocation.content_type, LARGEST_BYTES)
    request = _post(invocation.content_type, body)
    with telling(server):
        reply = ask(server.address, request, timeout_s=bench.limits.request_s)
        status = reply.answer.status
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            message = f"a body of {len(body):,} bytes was answered with {status}"
            raise SmokeError(message)
    return f"status {status} after {reply.seconds:.2f} s"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from twinforge.errors import AwsRefusedError, DeployError, UsageError
from twinforge.sagemaker.local.invoke import LONGEST_BODY, Reply, invoke

if TYPE_CHECKING:
    from collections.abc import Callable

URL = "http://127.0.0.1:9"


def answering(
    monkeypatch: pytest.MonkeyPatch, handler: Callable[[httpx.Request], httpx.Response]
) -> None:
    real = httpx.Client

    def client(**options: Any) -> httpx.Client:
        assert options["trust_env"] is False
        assert options["timeout"] == httpx.Timeout(60.0, connect=0.25)
        return real(**options, transport=httpx.MockTransport(handler))

    monkeypatch.setattr(httpx, "Client", client)


def test_the_container_gets_what_was_sent_and_only_that(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/invocations"
        assert request.headers["Content-Type"] == "text/csv"
        assert request.headers["X-Amzn-SageMaker-Custom-Attributes"] == "id=7"
        headers = {"X-Amzn-SageMaker-Custom-Attributes": "seen", "Content-Type": "text/plain"}
        return httpx.Response(200, content=request.read()[::-1], headers=headers)

    answering(monkeypatch, handler)
    reply = invoke(URL, b"abc", content_type="text/csv", attributes="id=7")
    assert reply == Reply(200, b"cba", "text/plain", "seen")


@pytest.mark.parametrize(("status", "side"), [(400, "client"), (415, "client"), (500, "server")])
def test_an_error_of_the_container_is_wrapped_as_the_service_does(
    monkeypatch: pytest.MonkeyPatch, status: int, side: str
) -> None:
    answering(monkeypatch, lambda _: httpx.Response(status, text="only CSV"))
    with pytest.raises(AwsRefusedError) as caught:
        invoke(URL, b"", content_type="text/plain")
    assert caught.value.code == "ModelError"
    assert caught.value.message == (
        f'ModelError: Received {side} error ({status}) from primary with message "only CSV"'
    )


def test_no_answer_in_time_is_a_model_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        message = "too slow"
        raise httpx.ReadTimeout(message, request=request)

    answering(monkeypatch, handler)
    with pytest.raises(AwsRefusedError, match=r"server error \(0\).*Your invocation timed out"):
        invoke(URL, b"", content_type="text/csv")


@pytest.mark.parametrize(
    ("error", "said"),
    [(httpx.ConnectTimeout, "within 0.25 s"), (httpx.ConnectError, "nothing listens at")],
)
def test_what_does_not_accept_a_connection_is_no_model_error(
    monkeypatch: pytest.MonkeyPatch, error: type[httpx.TransportError], said: str
) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        message = "no"
        raise error(message, request=request)

    answering(monkeypatch, handler)
    with pytest.raises(DeployError, match=said):
        invoke(URL, b"", content_type="text/csv")


def test_25_mib_are_sent_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, lambda _: httpx.Response(200))
    body = bytes(LONGEST_BODY)
    assert invoke(URL, body, content_type="text/csv").status == 200
    with pytest.raises(UsageError, match="26,214,401 bytes, an endpoint takes 26,214,400"):
        invoke(URL, body + b"x", content_type="text/csv")


def test_an_answer_of_more_than_25_mib_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, lambda _: httpx.Response(200, content=bytes(LONGEST_BODY + 1)))
    with pytest.raises(AwsRefusedError, match="the answer has 26,214,401 bytes"):
        invoke(URL, b"", content_type="text/csv")


@pytest.mark.parametrize("value", ["x" * 1025, "two\nlines", "grün"])
@pytest.mark.parametrize("name", ["content_type", "accept", "attributes"])
def test_headers_are_what_the_service_takes(name: str, value: str) -> None:
    with pytest.raises(UsageError, match="is up to 1024 visible ASCII characters"):
        invoke(URL, b"", **{"content_type": "text/csv", name: value})

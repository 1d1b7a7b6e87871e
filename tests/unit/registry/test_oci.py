from __future__ import annotations

import base64
import hashlib
import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from twinforge.errors import RegistryError, RegistryRefusedError
from twinforge.model.reference import Digest
from twinforge.registry.auth import is_loopback, parse_challenges
from twinforge.registry.credentials import ANONYMOUS, Credentials
from twinforge.registry.oci import RegistryClient, connect
from twinforge.registry.retry import Retry, parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "registry.example.com"
WHO = Credentials("twin", "s3cret-pass")
BLOB = b"layer" * 1000
DIGEST = Digest(hashlib.sha256(BLOB).hexdigest())


@contextmanager
def client(
    registry: Any, credentials: Credentials = WHO, slept: list[float] | None = None, tries: int = 4
) -> Iterator[RegistryClient]:
    pauses = [] if slept is None else slept
    retry = Retry(attempts=tries, sleep=pauses.append, draw=max)
    with connect(NAME, credentials, retry=retry, transport=registry.transport) as found:
        yield found


def upload(found: RegistryClient) -> None:
    found.upload_blob("ml/x", DIGEST, len(BLOB), pieces)


def pieces(offset: int) -> Iterator[bytes]:
    rest = BLOB[offset:]
    return iter((rest[:7], rest[7:]))


def test_a_blob_is_uploaded_once_and_found(registry: Any) -> None:
    with client(registry) as found:
        assert found.blob_size("ml/x", DIGEST) is None
        upload(found)
        assert found.blob_size("ml/x", DIGEST) == len(BLOB)
        assert found.read_blob("ml/x", DIGEST) == BLOB


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
@pytest.mark.parametrize("fault", [429, 500, 502, 503, 504, httpx.ReadError("connection reset")])
def test_what_may_pass_is_tried_again_from_the_start(
    registry: Any, method: str, fault: int | Exception
) -> None:
    registry.faults = [fault, fault]
    registry.fault_at = lambda request: request.method == method
    with client(registry) as found:
        upload(found)
    assert registry.blobs == {("ml/x", str(DIGEST)): BLOB}


def test_an_upload_that_the_registry_forgot_is_begun_anew(registry: Any) -> None:
    registry.faults = [404]
    registry.fault_at = lambda request: request.method == "PUT"
    with client(registry) as found:
        upload(found)
    assert registry.blobs == {("ml/x", str(DIGEST)): BLOB}


@contextmanager
def cut_after(registry: Any, kept: int) -> Iterator[list[int]]:
    """Cut the first PATCH when the registry has kept some bytes; collect how many each one brings."""
    brought: list[int] = []
    answer = registry.upload

    def upload_of(request: httpx.Request, path: str, body: bytes) -> httpx.Response:
        if request.method == "PATCH":
            brought.append(len(body))
            if len(brought) == 1:
                registry.uploads[path] += body[:kept]
                message = "connection reset"
                raise httpx.ReadError(message)
        found: httpx.Response = answer(request, path, body)
        return found

    registry.upload = upload_of
    yield brought


def test_an_upload_that_is_cut_goes_on_where_the_registry_stopped(registry: Any) -> None:
    with cut_after(registry, 3000) as brought, client(registry) as found:
        upload(found)
    assert brought == [5000, 2000]
    assert registry.blobs == {("ml/x", str(DIGEST)): BLOB}
    assert [method for method, _ in registry.requests].count("POST") == 1


def test_an_upload_whose_last_answer_was_lost_is_only_finished(registry: Any) -> None:
    with cut_after(registry, 5000) as brought, client(registry) as found:
        upload(found)
    assert brought == [5000]
    assert registry.blobs == {("ml/x", str(DIGEST)): BLOB}


def test_a_registry_that_can_t_say_what_it_kept_gets_the_blob_anew(registry: Any) -> None:
    registry.can_resume = False
    with cut_after(registry, 3000) as brought, client(registry) as found:
        upload(found)
    assert brought == [5000, 5000]
    assert registry.blobs == {("ml/x", str(DIGEST)): BLOB}


def test_a_registry_that_kept_something_else_gets_the_blob_anew(registry: Any) -> None:
    with cut_after(registry, 3000) as brought, client(registry) as found:
        whole = registry.upload

        def spoil(request: httpx.Request, path: str, body: bytes) -> httpx.Response:
            if request.method == "GET":
                registry.uploads[path] = b"x" * len(registry.uploads[path])
            answer: httpx.Response = whole(request, path, body)
            return answer

        registry.upload = spoil
        upload(found)
    assert brought == [5000, 2000, 5000]
    assert registry.blobs == {("ml/x", str(DIGEST)): BLOB}


@pytest.mark.parametrize("status", [401, 403])
def test_a_password_that_has_expired_is_renewed_once_for_all(registry: Any, status: int) -> None:
    current = {"password": "s3cret-pass"}
    registry.allowed = lambda request: (
        request.headers.get("authorization") == Credentials("twin", current["password"]).basic
    )
    renewed: list[Credentials] = []

    def renew() -> Credentials:
        renewed.append(Credentials("twin", current["password"]))
        return renewed[-1]

    with connect(NAME, WHO, renew=renew, transport=registry.transport) as found:
        assert found.blob_size("ml/x", DIGEST) is None
        current["password"] = "s3cond-pass"
        if status == 403:
            registry.faults = [403]
            registry.fault_at = lambda request: request.method == "HEAD"
        assert found.blob_size("ml/x", DIGEST) is None
        assert found.blob_size("ml/x", DIGEST) is None
    assert [one.password for one in renewed] == ["s3cond-pass"]


def test_a_fresh_password_that_is_refused_as_well_is_a_definite_no(registry: Any) -> None:
    asked: list[int] = []

    def renew() -> Credentials:
        asked.append(1)
        return Credentials("twin", f"other-{len(asked)}")

    wrong = Credentials("twin", "wr0ng-pass")
    with (
        connect(NAME, wrong, renew=renew, transport=registry.transport) as found,
        pytest.raises(RegistryRefusedError, match="status 401") as caught,
    ):
        found.blob_size("ml/x", DIGEST)
    assert len(asked) == 1
    assert "wr0ng" not in f"{caught.value} {caught.value.hint}"


def test_a_definite_no_in_the_middle_of_an_upload_is_not_taken_for_an_expired_password(
    registry: Any,
) -> None:
    registry.faults = [403] * 9
    registry.fault_at = lambda request: request.method == "PATCH"
    current = {"password": "s3cret-pass"}
    registry.allowed = lambda request: (
        request.headers.get("authorization") == Credentials("twin", current["password"]).basic
    )
    asked: list[int] = []

    def renew() -> Credentials:
        asked.append(1)
        current["password"] = f"fresh-{len(asked)}"
        return Credentials("twin", current["password"])

    retry = Retry(attempts=6, sleep=lambda _: None)
    with (
        connect(NAME, WHO, renew=renew, retry=retry, transport=registry.transport) as found,
        pytest.raises(RegistryRefusedError, match="status 403"),
    ):
        upload(found)
    assert len(asked) == 1
    assert [method for method, _ in registry.requests].count("PATCH") == 2


def test_tries_are_bounded_and_the_waits_grow(registry: Any) -> None:
    registry.faults = [503] * 9
    registry.fault_at = lambda request: request.method == "HEAD"
    slept: list[float] = []
    with client(registry, slept=slept) as found, pytest.raises(RegistryError) as caught:
        found.blob_size("ml/x", DIGEST)
    assert not isinstance(caught.value, RegistryRefusedError)
    assert caught.value.message.endswith("status 503 (tried 4 times)")
    assert slept == [0.5, 1.0, 2.0]


def test_a_registry_that_says_when_is_believed(registry: Any) -> None:
    registry.faults = [httpx.Response(429, headers={"retry-after": "17"})]
    registry.fault_at = lambda request: request.method == "HEAD"
    slept: list[float] = []
    with client(registry, slept=slept) as found:
        found.blob_size("ml/x", DIGEST)
    assert slept == [17.0]


def test_a_registry_that_asks_for_an_hour_is_not_waited_for(registry: Any) -> None:
    registry.faults = [httpx.Response(503, headers={"retry-after": "3600"})]
    registry.fault_at = lambda request: request.method == "HEAD"
    with client(registry) as found, pytest.raises(RegistryError, match="tried once"):
        found.blob_size("ml/x", DIGEST)


def test_a_proxy_that_does_not_answer_is_named_without_its_password(registry: Any) -> None:
    registry.faults = [httpx.ConnectError("refused"), httpx.ReadError("reset")]
    retry = Retry(attempts=1, sleep=lambda _: None)
    proxy, transport = "http://me:hunter2@proxy:3128", registry.transport
    with connect(NAME, WHO, retry=retry, proxy=proxy, transport=transport) as found:
        with pytest.raises(
            RegistryError, match=r"refused \(through the proxy proxy:3128\)"
        ) as caught:
            found.blob_size("ml/x", DIGEST)
        assert "hunter2" not in caught.value.message
        with pytest.raises(RegistryError, match=r"reset \("):
            found.blob_size("ml/x", DIGEST)


@pytest.mark.parametrize("status", [400, 403, 405, 409, 422])
def test_a_definite_no_is_not_tried_again(registry: Any, status: int) -> None:
    answer = httpx.Response(status, json={"errors": [{"code": "DENIED", "message": "not you"}]})
    registry.faults = [answer]
    registry.fault_at = lambda request: request.method == "HEAD"
    with client(registry) as found, pytest.raises(RegistryRefusedError) as caught:
        found.blob_size("ml/x", DIGEST)
    assert caught.value.message == (
        f"HEAD {NAME}/v2/ml/x/blobs/{DIGEST}: status {status}, DENIED: not you"
    )
    assert [method for method, _ in registry.requests] == ["GET", "HEAD"]


def test_a_wrong_password_is_refused_and_shown_nowhere(
    registry: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = Credentials("twin", "wr0ng-pass")
    with client(registry, wrong) as found, pytest.raises(RegistryRefusedError) as caught:
        found.blob_size("ml/x", DIGEST)
    encoded = base64.b64encode(b"twin:wr0ng-pass").decode()
    shown = [repr(caught.value), str(caught.value), caught.value.hint, repr(wrong), caplog.text]
    assert not any(secret in text for secret in ("wr0ng-pass", encoded) for text in shown)
    assert caught.value.__cause__ is None


def test_a_registry_that_repeats_the_password_does_not_get_it_into_an_error(registry: Any) -> None:
    told = {"errors": [{"code": "DENIED", "message": "s3cret-pass is not enough"}]}
    registry.faults = [httpx.Response(403, json=told)]
    registry.fault_at = lambda request: request.method == "HEAD"
    with (
        client(registry) as found,
        pytest.raises(RegistryRefusedError, match=r"\*\*\* is not") as e,
    ):
        found.blob_size("ml/x", DIGEST)
    assert "s3cret-pass" not in str(e.value)


def test_without_a_password_the_error_says_how_to_give_one(registry: Any) -> None:
    with client(registry, ANONYMOUS) as found, pytest.raises(RegistryRefusedError) as caught:
        found.blob_size("ml/x", DIGEST)
    assert caught.value.hint == f"run 'docker login {NAME}'"


def test_a_blob_of_another_repository_is_shared(registry: Any) -> None:
    registry.blobs["ml/y", str(DIGEST)] = BLOB
    with client(registry) as found:
        assert found.mount_blob("ml/x", DIGEST, "ml/y")
    assert registry.blobs["ml/x", str(DIGEST)] == BLOB


def test_a_registry_that_shares_nothing_is_left_without_an_open_upload(registry: Any) -> None:
    registry.can_mount = False
    with client(registry) as found:
        assert not found.mount_blob("ml/x", DIGEST, "ml/y")
    assert registry.uploads == {}


def test_credentials_do_not_follow_a_redirect_to_another_host(registry: Any) -> None:
    target = httpx.Response(307, headers={"location": "https://bucket.example.net/blob?signed=x"})
    registry.faults = [target, httpx.Response(200, content=BLOB)]
    registry.fault_at = lambda request: request.url.path != "/v2/"
    with client(registry) as found:
        assert found.read_blob("ml/x", DIGEST) == BLOB
    assert "authorization" in registry.headers[-2]
    assert "authorization" not in registry.headers[-1]


def test_plain_http_on_another_machine_is_refused(registry: Any) -> None:
    registry.faults = [httpx.Response(307, headers={"location": "http://bucket.example.net/blob"})]
    registry.fault_at = lambda request: request.url.path != "/v2/"
    with client(registry) as found, pytest.raises(RegistryRefusedError, match="http://bucket"):
        found.read_blob("ml/x", DIGEST)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost:5000", True),
        ("127.0.0.1", True),
        ("127.8.0.1:80", True),
        ("[::1]:5000", True),
        ("127.0.0.1.example.com", False),
        ("localhost.example.com:5000", False),
        ("10.0.0.1:5000", False),
    ],
)
def test_only_this_machine_is_loopback(host: str, *, loopback: bool) -> None:
    assert is_loopback(host) is loopback


class TokenRegistry:
    """Wraps a registry: only tokens of a server beside it are taken, each for some requests."""

    def __init__(self, registry: Any, *, realm: str = "https://auth.example.com/token") -> None:
        self.registry = registry
        self.asked: list[httpx.Request] = []
        self.valid: dict[str, int] = {}
        self.uses = 100
        registry.allowed = self.allowed
        registry.challenge = f'Bearer realm="{realm}",service="{NAME}",scope="x"'

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != "auth.example.com":
            return self.registry(request)  # type: ignore[no-any-return] # the fixture is untyped
        request.read()
        self.asked.append(request)
        token = f"token-{len(self.asked)}"
        self.valid[token] = self.uses
        return httpx.Response(200, json={"token": token, "expires_in": 300})

    def allowed(self, request: httpx.Request) -> bool:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        left = self.valid.get(token, 0)
        self.valid[token] = left - 1
        return left > 0


def test_a_token_is_fetched_for_the_repository_and_used_until_it_is_refused(registry: Any) -> None:
    server = TokenRegistry(registry)
    with client(server) as found:
        upload(found)
        assert found.blob_size("ml/x", DIGEST) == len(BLOB)
    (asked,) = server.asked
    assert asked.url.params["service"] == NAME
    assert asked.url.params["scope"] == "repository:ml/x:pull,push"
    assert asked.headers["authorization"] == WHO.basic


def test_a_token_that_ends_in_the_middle_of_an_upload_is_renewed(registry: Any) -> None:
    server = TokenRegistry(registry)
    server.uses = 1
    with client(server, tries=6) as found:
        assert found.blob_size("ml/x", DIGEST) is None
        server.uses = 3
        upload(found)
    assert registry.blobs == {("ml/x", str(DIGEST)): BLOB}


def test_an_identity_token_goes_as_a_form_and_not_in_the_address(registry: Any) -> None:
    server = TokenRegistry(registry)
    with client(server, Credentials(identity_token="ident1ty")) as found:
        found.blob_size("ml/x", DIGEST)
    (asked,) = server.asked
    assert asked.method == "POST"
    assert "ident1ty" not in str(asked.url)
    assert b"refresh_token=ident1ty" in asked.content


def test_credentials_are_not_sent_to_a_token_server_without_tls(registry: Any) -> None:
    server = TokenRegistry(registry, realm="http://auth.example.com/token")
    with client(server) as found, pytest.raises(RegistryRefusedError, match="wants its token"):
        found.blob_size("ml/x", DIGEST)
    assert server.asked == []


def test_challenges_are_read_with_quotes_and_several_schemes() -> None:
    header = 'Basic realm="a, b", Bearer realm="https://x/t",service="s",scope="a:b:c,d"'
    basic, bearer = parse_challenges(header)
    assert (basic.scheme, basic.parameters) == ("basic", {"realm": "a, b"})
    assert bearer.parameters == {"realm": "https://x/t", "service": "s", "scope": "a:b:c,d"}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("", 0.0), ("soon", 0.0), ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0)],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float) -> None:
    assert parse_retry_after(value, now=datetime(2026, 1, 1, tzinfo=UTC)) == seconds

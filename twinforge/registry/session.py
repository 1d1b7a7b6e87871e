"""Requests to one registry: who we are, what an answer means, and what may be said about it.

One attempt each; ``Retry`` decides about more. Proxies and CA bundles come as arguments: the
environment and ``.netrc`` are not looked at.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import httpx

from twinforge.errors import RegistryError, RegistryRefusedError
from twinforge.registry.auth import Authorizer, is_loopback
from twinforge.registry.retry import TransientError, parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from twinforge.registry.credentials import Credentials

__all__ = ["Session", "make_transport"]

CONNECT_S = 15.0
ANSWER_S = 300.0
REDIRECTS = 5
SHOWN = 300
TRANSIENT = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


def make_transport(*, ca_bundle: Path | None, proxy: str, connections: int) -> httpx.BaseTransport:
    """Return a connection pool over HTTP/1.1.

    Args:
        ca_bundle: Certificates to trust instead of the system's.
        proxy: Address of a proxy, or empty.
        connections: How many may be open at once.
    """
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.HTTPTransport(
        verify=_trust(ca_bundle), http2=False, limits=limits, proxy=proxy or None, trust_env=False
    )


@cache
def _trust(ca_bundle: Path | None) -> ssl.SSLContext:
    """Read the certificates once: that takes longer than most requests."""
    try:
        return ssl.create_default_context(cafile=str(ca_bundle) if ca_bundle else None)
    except OSError as error:
        message = f"the CA bundle '{ca_bundle}' can't be read"
        raise RegistryError(message) from error


class Session:
    """Sends requests to one registry; may be used by several threads at once."""

    def __init__(
        self,
        host: str,
        credentials: Credentials,
        transport: httpx.BaseTransport,
        *,
        renew: Callable[[], Credentials] | None = None,
        proxy: str = "",
    ) -> None:
        self._host = host
        # Without the user and the password that its address may hold.
        self._proxy = urlsplit(proxy).netloc.rpartition("@")[2]
        # Docker's rule: plain HTTP is for this machine only.
        self.base = f"{'http' if is_loopback(host) else 'https'}://{_address(host)}/"
        self._client = httpx.Client(
            transport=transport,
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            headers={"User-Agent": "twinforge"},
            trust_env=False,
        )
        self._auth = Authorizer(
            host, credentials, self._once, self._client.build_request, renew=renew
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def url(self, path: str, **query: str) -> str:
        """Return the address of a path; an absolute one is checked and returned as it is.

        Args:
            path: Below the registry's base, or an absolute address.
            query: Parameters that are added to those that it has.

        Raises:
            RegistryRefusedError: It leads from TLS to plain HTTP on another machine.
        """
        url = urljoin(self.base, path)
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.netloc)):
            message = f"the registry '{self._host}' leads to '{parts.scheme}://{parts.netloc}'"
            raise RegistryRefusedError(message, hint="plain HTTP is for loopback hosts only")
        return str(httpx.URL(url).copy_merge_params(query)) if query else url

    def send(  # noqa: PLR0913 - the parts of a request, all by keyword
        self,
        method: str,
        path: str,
        *,
        scope: str,
        accept: Iterable[int],
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | Iterable[bytes] | None = None,
        stream: bool = False,
    ) -> httpx.Response:
        """Send one request and return an answer with a status in ``accept``, read to its end.

        ``content`` that is not bytes can be sent once only. A token that is refused is renewed
        and the request sent again when its content allows it. With ``stream`` the answer is not
        read; ``read_stream`` reads and closes it.

        Raises:
            TransientError: Trying again may help.
            RegistryRefusedError: It can't.
        """
        again = content is None or isinstance(content, bytes)
        url = self.url(path)
        wanted = frozenset(accept)
        may_renew = True
        for _ in range(REDIRECTS):
            # Credentials belong to this registry, not to wherever it redirects (a CDN, a bucket).
            ours = urlsplit(url).netloc == urlsplit(self.base).netloc
            token = self._auth.header(scope, ping=self.url("v2/")) if ours else ""
            given = {**(headers or {}), **({"Authorization": token} if token else {})}
            request = self._client.build_request(
                method, url, headers=given, params=params, content=content
            )
            response = self._once(request, stream=stream)
            status = response.status_code
            if status in wanted:
                return response
            if stream:
                response.close()
            if may_renew and self._is_refusal(status, token) and self._auth.replace(scope, token):
                may_renew = False
                if again:
                    continue
                message = self._describe(request, "the token has expired")
                raise TransientError(message)
            if response.has_redirect_location and method in {"GET", "HEAD"}:
                url = self.url(urljoin(url, response.headers["location"]))
                params = None
                continue
            raise RegistryRefusedError(
                self._describe(request, self._reason(response)), hint=_hint(status, self._host)
            )
        message = f"{method} {self._host}: redirected more than {REDIRECTS} times"
        raise RegistryRefusedError(message)

    @staticmethod
    def _is_refusal(status: int, token: str) -> bool:
        # ECR answers 403 and not 401 when a token has expired.
        expired = {HTTPStatus.UNAUTHORIZED}
        if token.startswith("Basic "):
            expired.add(HTTPStatus.FORBIDDEN)
        return bool(token) and status in expired

    def read_stream(self, response: httpx.Response) -> Iterator[bytes]:
        """Yield an answer that was not read yet, as it comes, and close it.

        Raises:
            TransientError: It ends too early.
        """
        try:
            yield from response.iter_raw()
        except httpx.TransportError as error:
            raise self._translate(error, response.request) from None
        finally:
            response.close()

    def _once(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        try:
            response = self._client.send(request, follow_redirects=False, stream=stream)
        except httpx.TransportError as error:
            # "from None": the cause holds the request, and with it the headers.
            raise self._translate(error, request) from None
        if response.status_code in TRANSIENT:
            after = parse_retry_after(
                response.headers.get("retry-after", ""), now=datetime.now(UTC)
            )
            if stream:
                response.close()
            message = self._describe(request, self._reason(response))
            raise TransientError(message, after_s=after)
        return response

    def _translate(
        self, error: httpx.TransportError, request: httpx.Request
    ) -> TransientError | RegistryRefusedError:
        certificate = "CERTIFICATE_VERIFY_FAILED" in str(error)
        reason = self._scrub(str(error)) or type(error).__name__
        if self._proxy and isinstance(error, httpx.ConnectError | httpx.ProxyError):
            reason = f"{reason} (through the proxy {self._proxy})"
        message = self._describe(request, reason)
        if certificate or isinstance(error, httpx.UnsupportedProtocol):
            hint = "trust its authority with a CA bundle" if certificate else ""
            return RegistryRefusedError(message, hint=hint)
        return TransientError(message)

    def _describe(self, request: httpx.Request, reason: str) -> str:
        # Queries are left out: upload sessions and signed addresses carry secrets there.
        url = request.url
        host = self._host if str(url).startswith(self.base) else url.netloc.decode()
        return f"{request.method} {host}{url.path}: {reason}"

    def _reason(self, response: httpx.Response) -> str:
        text = f"status {response.status_code}"
        try:
            errors = response.json()["errors"]
            told = "; ".join(
                ": ".join(str(error[key]) for key in ("code", "message") if error.get(key))
                for error in errors
            )
        except (ValueError, KeyError, TypeError, AttributeError, httpx.StreamError):
            return text
        return f"{text}, {self._scrub(told)[:SHOWN]}" if told else text

    def _scrub(self, text: str) -> str:
        for secret in self._auth.secrets:
            text = text.replace(secret, "***")
        return text


def _address(host: str) -> str:
    # Docker Hub's registry answers at another host than the one in its references.
    return "registry-1.docker.io" if host in {"docker.io", "index.docker.io"} else host


def _hint(status: int, host: str) -> str:
    if status == HTTPStatus.UNAUTHORIZED:
        return f"the registry does not know this name and password: run 'docker login {host}'"
    if status == HTTPStatus.FORBIDDEN:
        return "the account may not do this in this repository, or its token has expired"
    return ""

"""How a registry is told who we are: Basic, or a Bearer token that another server hands out.

Source: https://distribution.github.io/distribution/spec/auth/token/ (challenge, scopes, token
answer) and https://distribution.github.io/distribution/spec/auth/oauth/ (identity tokens).
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from twinforge.errors import RegistryRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from twinforge.registry.credentials import Credentials

__all__ = ["Authorizer", "Challenge", "is_loopback", "parse_challenges"]

TOKEN_LIFETIME_S = 60.0
SPARE_S = 10.0
FRESH_S = 60.0
LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|\[?::1\]?")
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]*)(?:\s+|$)")
_PARAMETER = re.compile(r'\s*([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^",\s]+))\s*(?:,|$)')


@dataclass(frozen=True, slots=True)
class Challenge:
    """One scheme of a ``WWW-Authenticate`` header; names are in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Parse the challenges of a ``WWW-Authenticate`` header, in its order.

    >>> parse_challenges('Bearer realm="https://a/t",service="r"')[0].parameters["service"]
    'r'
    """
    found: list[Challenge] = []
    position = 0
    while scheme := _SCHEME.match(header, position):
        position = scheme.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, position):
            name, quoted, plain = parameter.groups()
            parameters[name.lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            position = parameter.end()
        found.append(Challenge(scheme[1].lower(), parameters))
    return tuple(found)


def is_loopback(host: str) -> bool:
    """Whether a host (with or without a port) is this machine, where plain HTTP is allowed.

    >>> is_loopback("127.0.0.1:5000"), is_loopback("example.com")
    (True, False)
    """
    name = re.sub(r":\d+$", "", host) if not host.endswith("]") else host
    return LOOPBACK.fullmatch(name) is not None


@dataclass(slots=True)
class _Token:
    value: str = field(repr=False)
    until: float


class Authorizer:
    """Gives the ``Authorization`` header for a scope; may be used by several threads at once.

    ``send`` sends one request without following redirects; it must translate transport errors.
    ``renew`` gives fresh credentials, where those that were given can expire (ECR's do).
    """

    def __init__(  # noqa: PLR0913 - a registry, who we are there, and how it is asked
        self,
        host: str,
        credentials: Credentials,
        send: Callable[[httpx.Request], httpx.Response],
        build: Callable[..., httpx.Request],
        *,
        renew: Callable[[], Credentials] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._credentials = credentials
        self._worn: tuple[str, ...] = ()
        self._renew = renew
        self._fresh_until = float("-inf")
        self._send = send
        self._build = build
        self._clock = clock
        self._lock = threading.Lock()
        self._challenge: Challenge | None = None
        self._asked = False
        self._tokens: dict[str, _Token] = {}

    def header(self, scope: str, *, ping: str) -> str:
        """Return the header's value for a scope, or an empty string where none is wanted.

        Args:
            scope: Scopes of the token specification, joined by spaces.
            ping: The address that is asked for the registry's challenge, once.
        """
        with self._lock:
            if not self._asked:
                self._challenge = self._choose(self._send(self._build("GET", ping)))
                self._asked = True
            challenge = self._challenge
            if challenge is None:
                return ""
            if challenge.scheme == "basic":
                if self._credentials.anonymous:
                    raise self._nobody()
                return self._credentials.basic
            token = self._tokens.get(scope)
            if token is None or token.until <= self._clock():
                token = self._tokens[scope] = self._fetch(challenge, scope)
            return f"Bearer {token.value}"

    def replace(self, scope: str, refused: str) -> bool:
        """Do without a header's value that was refused; say whether there is another one to try.

        Of several threads that hold the same value the first one renews it.
        """
        with self._lock:
            if refused.startswith("Bearer "):
                token = self._tokens.get(scope)
                if token is not None and refused == f"Bearer {token.value}":
                    self._worn += (self._tokens.pop(scope).value,)
                return True
            if self._credentials.basic != refused:
                return True
            # What was refused when it was new is a "no", whoever asks next.
            if self._renew is None or self._clock() < self._fresh_until:
                return False
            self._worn += self._credentials.secrets
            self._credentials = self._renew()
            self._fresh_until = self._clock() + FRESH_S
            return self._credentials.basic != refused

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must not be shown, tokens included."""
        tokens = tuple(token.value for token in list(self._tokens.values()))
        return (*self._credentials.secrets, *self._worn, *tokens)

    def _choose(self, response: httpx.Response) -> Challenge | None:
        if response.status_code != 401:  # noqa: PLR2004 - the one status that asks who we are
            return None
        challenges = parse_challenges(", ".join(response.headers.get_list("www-authenticate")))
        for scheme in ("bearer", "basic"):
            for challenge in challenges:
                if challenge.scheme == scheme:
                    return challenge
        message = f"the registry '{self._host}' asks for a way to log in that is not known here"
        raise RegistryRefusedError(message, hint="Basic and Bearer are known")

    def _fetch(self, challenge: Challenge, scope: str) -> _Token:
        realm = challenge.parameters.get("realm", "")
        url = urlsplit(realm)
        secure = url.scheme == "https" or (url.scheme == "http" and is_loopback(url.netloc))
        if not secure:
            # A realm is chosen by whoever answers; credentials go over TLS or stay here.
            message = f"the registry '{self._host}' wants its token fetched from '{realm}'"
            raise RegistryRefusedError(message, hint="a token server must be reached by https")
        service = challenge.parameters.get("service", "")
        if self._credentials.identity_token:
            data = {
                "grant_type": "refresh_token",
                "service": service,
                "client_id": "twinforge",
                "scope": scope,
                "refresh_token": self._credentials.identity_token,
            }
            request = self._build("POST", realm, data=data)
        else:
            # One parameter per scope, as the specification has it.
            query = [("service", service), *(("scope", part) for part in scope.split())]
            headers = {}
            if not self._credentials.anonymous:
                headers["Authorization"] = self._credentials.basic
            request = self._build("GET", realm, params=query, headers=headers)
        response = self._send(request)
        if not response.is_success:
            if self._credentials.anonymous:
                raise self._nobody()
            message = (
                f"the token server of '{self._host}' refuses '{self._credentials.username}' "
                f"(status {response.status_code})"
            )
            raise RegistryRefusedError(message, hint=f"run 'docker login {self._host}'")
        return self._parse(response)

    def _parse(self, response: httpx.Response) -> _Token:
        try:
            answer = response.json()
            value = answer.get("token") or answer["access_token"]
            lifetime = float(answer.get("expires_in") or TOKEN_LIFETIME_S)
        except (ValueError, KeyError, TypeError, AttributeError):
            message = f"the token server of '{self._host}' did not answer with a token"
            raise RegistryRefusedError(message) from None
        spare = min(SPARE_S, lifetime / 4)
        return _Token(str(value), self._clock() + lifetime - spare)

    def _nobody(self) -> RegistryRefusedError:
        message = f"the registry '{self._host}' asks for a password and none was given"
        return RegistryRefusedError(message, hint=f"run 'docker login {self._host}'")

"""Who we are to a registry: given by hand, or read where ``docker login`` left it.

Source: https://docs.docker.com/reference/cli/docker/login/ (config.json, credential stores and
helpers) and https://github.com/docker/docker-credential-helpers (the helpers' protocol).
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twinforge import process
from twinforge.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["ANONYMOUS", "Credentials", "read_credentials"]

DOCKER_HUB = "https://index.docker.io/v1/"
DOCKER_HUB_HOSTS = ("docker.io", "index.docker.io", "registry-1.docker.io")
IDENTITY_USER = "<token>"
HELPER_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password, or an identity token of an OAuth2 registry, or nothing at all.

    The secrets are no part of the repr.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def anonymous(self) -> bool:
        """Whether there is nothing to show to a registry."""
        return not (self.password or self.identity_token)

    @property
    def basic(self) -> str:
        """The value of an ``Authorization`` header of the Basic scheme (RFC 7617)."""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown, the longest first."""
        basic = self.basic.removeprefix("Basic ") if self.password else ""
        found = {secret for secret in (self.password, self.identity_token, basic) if secret}
        return tuple(sorted(found, key=len, reverse=True))


ANONYMOUS = Credentials()


def read_credentials(host: str, config_dir: Path, *, env: Mapping[str, str]) -> Credentials:
    """Return what ``docker login`` stored for a registry, or ``ANONYMOUS`` where there is nothing.

    Args:
        host: The registry's host with its port.
        config_dir: Docker's configuration folder, usually ``~/.docker``.
        env: The whole environment for a credential helper.

    Raises:
        RegistryError: The configuration can't be read or a helper failed.
    """
    path = config_dir / "config.json"
    try:
        config = json.loads(path.read_bytes())
    except FileNotFoundError:
        return ANONYMOUS
    except (OSError, ValueError) as error:
        message = f"Docker's configuration '{path}' can't be read"
        raise RegistryError(message) from error
    if not isinstance(config, dict):
        message = f"Docker's configuration '{path}' is not a JSON object"
        raise RegistryError(message)
    server = DOCKER_HUB if host in DOCKER_HUB_HOSTS else host
    helper = _section(config, "credHelpers").get(server) or config.get("credsStore")
    if isinstance(helper, str) and helper:
        found = _ask_helper(helper, server, env)
        if found is not None:
            return found
    return _stored(_section(config, "auths"), server, path)


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name)
    return found if isinstance(found, dict) else {}


def _stored(auths: Mapping[str, Any], server: str, path: Path) -> Credentials:
    for key in (server, f"https://{server}", f"http://{server}", f"https://{server}/v1/"):
        entry = auths.get(key)
        if not isinstance(entry, dict):
            continue
        token = str(entry.get("identitytoken") or "")
        auth = entry.get("auth")
        if not auth:
            if token:
                return Credentials(identity_token=token)
            continue
        try:
            # Docker ends what it stores with NUL bytes in some versions.
            text = base64.b64decode(str(auth), validate=True).decode().rstrip("\0")
        except (binascii.Error, UnicodeDecodeError) as error:
            message = f"the entry '{key}' of '{path}' is not base64"
            raise RegistryError(message, hint=f"run 'docker login {server}'") from error
        username, _, password = text.partition(":")
        return Credentials(username, password, token)
    return ANONYMOUS


def _ask_helper(helper: str, server: str, env: Mapping[str, str]) -> Credentials | None:
    program = f"docker-credential-{helper}"
    done = process.run(
        [program, "get"],
        env=env,
        stdin=server.encode(),
        timeout_s=HELPER_TIMEOUT_S,
        check=False,
    )
    if done.status:
        if "credentials not found" in done.stdout + done.stderr:
            return None
        # What a helper prints is not repeated: nobody promises that it holds no secret.
        message = f"'{program}' ended with status {done.status} for '{server}'"
        raise RegistryError(message, hint=f"try: echo {server} | {program} get")
    try:
        answer = json.loads(done.stdout)
        username, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        message = f"'{program}' did not answer with a name and a secret for '{server}'"
        raise RegistryError(message) from None
    if username == IDENTITY_USER:
        return Credentials(identity_token=secret)
    return Credentials(username, secret)

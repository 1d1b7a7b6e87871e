"""What the environment says of the way to a registry: whom to trust, the proxy, who we are.

Nothing heavy is imported here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined] # typeshed lacks it

from twinforge.errors import UsageError
from twinforge.registry.auth import is_loopback
from twinforge.registry.credentials import ANONYMOUS, Credentials, read_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["proxy_of", "stored_credentials", "trusted_bundle"]

_PROXIES = frozenset({"http", "https"})
_SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
"""Where Debian, Ubuntu and Alpine keep the certificate authorities that the machine trusts."""


def trusted_bundle(environ: Mapping[str, str]) -> Path | None:
    """Return the certificate authorities to trust: SSL_CERT_FILE, else the system's own."""
    named = environ.get("SSL_CERT_FILE", "")
    path = Path(named) if named else _SYSTEM_BUNDLE
    return path if path.is_file() else None


def proxy_of(environ: Mapping[str, str], host: str) -> str:
    """Return the proxy that the environment names for a registry, or an empty string.

    This machine is never asked through one: plain HTTP is spoken to it, password included. So do
    Docker's own programs. Source: https://pkg.go.dev/net/http#ProxyFromEnvironment

    Raises:
        UsageError: The variable holds no address of a proxy that is spoken to here.
    """
    exempt = {"no": environ.get("NO_PROXY") or environ.get("no_proxy") or ""}
    if is_loopback(host) or proxy_bypass_environment(host.partition(":")[0], exempt):
        return ""
    name = "HTTPS_PROXY" if environ.get("HTTPS_PROXY") else "https_proxy"
    address = environ.get(name, "")
    if address and "://" not in address:
        address = f"http://{address}"  # as curl and Docker's programs read it
    if address and not _is_proxy(address):
        # Its value is not shown: it may hold a password.
        message = f"the environment's {name} is not the address of a proxy over http or https"
        raise UsageError(message, hint="write http://[user:password@]host:port, or unset it")
    return address


def _is_proxy(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in _PROXIES and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def stored_credentials(environ: Mapping[str, str], host: str) -> Credentials:
    """Return what ``docker login`` stored for a registry, or nobody.

    Raises:
        RegistryError: Docker's configuration can't be read, or a credential helper failed.
    """
    home = environ.get("HOME", "")
    config = environ.get("DOCKER_CONFIG") or (f"{home}/.docker" if home else "")
    return read_credentials(host, Path(config), env=environ) if config else ANONYMOUS

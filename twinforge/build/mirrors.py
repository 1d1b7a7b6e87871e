"""Where a distribution's packages come from: the mirrors that this machine uses, or a dated archive.

Source: sources.list(5), for the options of an entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from twinforge.engine.sources import parse_deb822, parse_one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "DEBIAN",
    "UBUNTU",
    "Distribution",
    "Mirrors",
    "distribution_of",
    "parse_mirrors",
    "read_mirrors",
    "render_sources",
]


@dataclass(frozen=True, slots=True)
class Distribution:
    """A family of suites that share an archive's layout and its keys."""

    name: str
    components: str
    keyring: str


DEBIAN = Distribution(
    "debian",
    "main",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
)
UBUNTU = Distribution(
    "ubuntu",
    "main universe",
    "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
)
_UBUNTU_SUITES = frozenset({"bionic", "focal", "jammy", "noble", "plucky", "questing", "resolute"})
_ROLLING_SUITES = frozenset({"sid", "unstable", "experimental"})


@dataclass(frozen=True, slots=True)
class Mirrors:
    """The archive's URI and that of its security updates (empty where the machine has none)."""

    archive: str
    security: str


def distribution_of(suite: str) -> Distribution:
    """Return the distribution that a suite belongs to; what Ubuntu doesn't know is Debian's.

    >>> distribution_of("jammy").name
    'ubuntu'
    """
    return UBUNTU if suite in _UBUNTU_SUITES else DEBIAN


def read_mirrors(distribution: Distribution, etc: Path) -> Mirrors | None:
    """Return the mirrors of a distribution in the apt sources of a machine, or None without any.

    Args:
        distribution: Whose packages are wanted.
        etc: The machine's ``/etc``.
    """
    parts = etc / "apt" / "sources.list.d"
    files = [
        etc / "apt" / "sources.list",
        *sorted(parts.glob("*.list")),
        *sorted(parts.glob("*.sources")),
    ]
    texts = [file.read_text(errors="replace") for file in files if file.is_file()]
    return parse_mirrors(distribution, "\n\n".join(texts))


def parse_mirrors(distribution: Distribution, text: str) -> Mirrors | None:
    """Return the mirrors in the text of apt's sources, of either format or both, or None.

    Only ``http`` and ``https`` without a user's name count: what stands here is written into the
    base, where a password or a file of this machine has no place.

    Another vendor's archive for the same suite is told apart by its path: mirrors of a distribution
    end in its name (``/debian``, ``/debian-security``, ``/ubuntu``).
    """
    archive = security = ""
    # each parser passes over what is written in the other's format
    for entry in (*parse_one_line(text), *parse_deb822(text)):
        uri = entry.uris[0].rstrip("/")
        url = urlsplit(uri)
        folder = url.path.rsplit("/", 1)[-1]
        is_plain = url.scheme in {"http", "https"} and not url.username
        if "deb" not in entry.types or "main" not in entry.components or not is_plain:
            continue
        is_guarded = any(suite.endswith(("-security", "/updates")) for suite in entry.suites)
        if is_guarded and folder in {distribution.name, f"{distribution.name}-security"}:
            security = security or uri
        if folder == distribution.name and any("-" not in suite for suite in entry.suites):
            archive = archive or uri
    if not archive:
        return None
    return Mirrors(archive, _one_name(archive, security))


def render_sources(
    distribution: Distribution,
    suite: str,
    *,
    snapshot: str,
    mirrors: Mirrors | None,
    components: Sequence[str] = (),
) -> tuple[str, ...]:
    """Return the lines of the base's ``sources.list``; none means the distribution's default.

    Args:
        distribution: The suite's.
        suite: Such as ``bookworm``.
        snapshot: A date such as ``20260101T000000Z`` of the dated archive, or empty for today's.
        mirrors: The machine's; ignored with a snapshot.
        components: Of the archive; none means the distribution's usual ones.
    """
    options = f"signed-by={distribution.keyring}"
    if snapshot:
        # a dated archive's Release files are past their date on purpose
        options = f"check-valid-until=no {options}"
        mirrors = _dated(distribution, snapshot)
    if mirrors is None:
        return ()
    sources = [(mirrors.archive, suite)]
    if suite not in _ROLLING_SUITES:
        sources.append((mirrors.archive, f"{suite}-updates"))
        if mirrors.security:
            sources.append((mirrors.security, f"{suite}-security"))
    wanted = " ".join(components) or distribution.components
    return tuple(f"deb [{options}] {uri} {name} {wanted}" for uri, name in sources)


def _dated(distribution: Distribution, snapshot: str) -> Mirrors:
    """Return a dated archive; both distributions document the form of its address.

    Plain HTTP on purpose: packages are signed, and a base need not hold certificates.

    Source: the start page of Debian's dated archive ("archive/<name>/<date>") and Ubuntu's.
    """
    if distribution is UBUNTU:
        uri = f"http://snapshot.{distribution.name}.com/{distribution.name}/{snapshot}"
        return Mirrors(uri, uri)
    root = f"http://snapshot.{distribution.name}.org/archive"
    return Mirrors(
        f"{root}/{distribution.name}/{snapshot}", f"{root}/{distribution.name}-security/{snapshot}"
    )


def _one_name(archive: str, security: str) -> str:
    """Return one spelling of the security archive, so that machines get the same base.

    ``security.<domain>`` and ``deb.<domain>`` serve the same files; installers write one and
    container images the other.
    """
    main = urlsplit(archive)
    label, _, domain = (main.hostname or "").partition(".")
    if label == "deb" and urlsplit(security).hostname == f"security.{domain}":
        return f"{archive}-security"
    return security

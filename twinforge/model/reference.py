"""Image references and digests as values, parsed once at the edge.

Source: https://github.com/distribution/reference (grammar of ``reference.go``) and the OCI
distribution specification, "Pulling manifests", for the form of a tag.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Self

from twinforge.yamlfile import show_value

__all__ = ["TAG", "Digest", "Reference"]

TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?")
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A sha256 digest of 64 lower-case hexadecimal digits.

    >>> Digest.parse("sha256:" + "0" * 64).short
    '000000000000'
    """

    hex: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``sha256:<hex>``.

        Raises:
            ValueError: It is another algorithm or not a digest.
        """
        algorithm, colon, digits = text.partition(":")
        if not colon or algorithm != "sha256" or not _HEX.fullmatch(digits):
            message = f"{show_value(text)} is not a digest (sha256: and 64 hexadecimal digits)"
            raise ValueError(message)
        return cls(digits)

    @property
    def short(self) -> str:
        """The first twelve digits, as Docker shows them."""
        return self.hex[:12]

    def __str__(self) -> str:
        """Return ``sha256:<hex>``."""
        return f"sha256:{self.hex}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A name of an image: ``[host/]repository[:tag][@digest]``.

    ``host`` is empty where the name does not say one (Docker then means Docker Hub).

    >>> Reference.parse("nvidia/cuda:11.8.0-base-ubuntu22.04").tag
    '11.8.0-base-ubuntu22.04'
    """

    host: str
    repository: str
    tag: str = ""
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a reference.

        Raises:
            ValueError: It does not follow the grammar; the message says where.
        """
        rest, at, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if at else None
        first, slash, remainder = rest.partition("/")
        host = ""
        if slash and ("." in first or ":" in first or first == "localhost"):
            host, rest = first, remainder
            if not _HOST.fullmatch(host):
                message = f"{show_value(host)} is not the host of a registry"
                raise ValueError(message)
        repository, colon, tag = rest.partition(":")
        if not _REPOSITORY.fullmatch(repository):
            message = f"{show_value(repository)} is not the name of a repository (lower-case, [a-z0-9._-/])"
            raise ValueError(message)
        if colon and not TAG.fullmatch(tag):
            message = f"{show_value(tag)} is not a tag ([A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})"
            raise ValueError(message)
        return cls(host, repository, tag, digest)

    @property
    def name(self) -> str:
        """The name without tag and digest."""
        return f"{self.host}/{self.repository}" if self.host else self.repository

    def with_tag(self, tag: str) -> Self:
        """Return the same name with another tag and no digest."""
        return replace(self, tag=tag, digest=None)

    def with_digest(self, digest: Digest) -> Self:
        """Return the same name, pinned."""
        return replace(self, digest=digest)

    def __str__(self) -> str:
        """Return the reference in the form that Docker takes."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"

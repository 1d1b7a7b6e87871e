"""What is asked of a push and what comes of it, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from twinforge.model.reference import Digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from twinforge.engine.images import Image
    from twinforge.model.reference import Reference
    from twinforge.registry.credentials import Credentials
    from twinforge.registry.findings import Finding

__all__ = [
    "AwsAccess",
    "ImageSource",
    "Named",
    "PushItem",
    "Pushed",
    "ReleasedName",
    "Tags",
    "Target",
]


class ImageSource(Protocol):
    """Where images come from: an engine, or what stands in for one."""

    def inspect(self, reference: str) -> Image | None:
        """Return an image by reference or id, or None."""

    def save(self, references: Sequence[str]) -> Iterator[bytes]:
        """Yield one archive of images, as ``docker save`` writes it."""


class Named(Protocol):
    """What an image is of: a variant, or what a release record says of one."""

    @property
    def slug(self) -> str:
        """The variant's values, joined."""

    @property
    def id(self) -> str:
        """``recipe/slug``."""


@dataclass(frozen=True, slots=True)
class ReleasedName:
    """The name of a variant that a release record holds, whether or not the matrix still does."""

    recipe: str
    slug: str

    @property
    def id(self) -> str:
        """``recipe/slug``."""
        return f"{self.recipe}/{self.slug}"


@dataclass(frozen=True, slots=True)
class PushItem:
    """One image and the names that it is to have.

    Attributes:
        variant: Which variant it is of.
        image_id: The digest of its configuration: what was smoked.
        reference_local: Its name in the engine, for messages.
        tags: Version tag and content tag; they never move.
        aliases: Tags that may move.
    """

    variant: Named
    image_id: str
    reference_local: str
    tags: tuple[str, ...]
    aliases: tuple[str, ...]

    @property
    def digest(self) -> Digest:
        """The image id as a digest."""
        return Digest.parse(self.image_id)


@dataclass(frozen=True, slots=True)
class Target:
    """A repository to push to.

    Attributes:
        repository: Its name, with host and without a tag.
        credentials: Who we are there.
        address: Host and port that are spoken to instead of the repository's host, such as a
            private endpoint; empty for the host itself.
        renew: Gives fresh credentials when these have expired; None where they don't.
        findings: Waits for the scan of an image (repository, digest) and gives what it found; None
            where nobody scans.
    """

    repository: Reference
    credentials: Credentials = field(repr=False)
    address: str = ""
    renew: Callable[[], Credentials] | None = field(default=None, repr=False, compare=False)
    findings: Callable[[str, str], tuple[Finding, ...]] | None = field(
        default=None, repr=False, compare=False
    )


@dataclass(frozen=True, slots=True)
class Pushed:
    """An image that is in a registry, verified.

    Attributes:
        slug: The variant's.
        repository: ``host/repository``.
        digest: Of the manifest.
        tags: As in the item.
        aliases: As in the item.
        bytes_sent: Compressed bytes that this push uploaded; a layer that several images share
            counts for the first one.
        bytes_total: Compressed bytes of the whole image.
        layers_sent: How many layers were uploaded.
        layers_total: How many it has.
        already: Whether the registry had it under all its tags and aliases, so that nothing was
            written.
    """

    slug: str
    repository: str
    digest: Digest
    tags: tuple[str, ...]
    aliases: tuple[str, ...]
    bytes_sent: int
    bytes_total: int
    layers_sent: int
    layers_total: int
    already: bool


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """How AWS is reached.

    Attributes:
        profile: A profile of AWS's configuration, or empty for boto3's own order.
        endpoint_url: Where AWS's control planes are, or empty for AWS.
        address: Host and port of the data plane, or empty for the repository's host.
        ca_bundle: Certificates to trust instead of boto3's.
    """

    profile: str = ""
    endpoint_url: str = ""
    address: str = ""
    ca_bundle: Path | None = None


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of a push: those that never move, those that may, and what the latter come from."""

    immutable: tuple[str, ...]
    aliases: tuple[str, ...]
    templates: tuple[str, ...] = ()

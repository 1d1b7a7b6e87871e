"""A repository during a push, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from twinforge.model.reference import Digest
    from twinforge.registry.items import Target
    from twinforge.registry.look import Held
    from twinforge.registry.manifest import Blob
    from twinforge.registry.oci import RegistryClient

__all__ = ["Destination"]


@dataclass(slots=True)
class Destination:
    """A repository during a push, and what is known of it.

    Attributes:
        held: What it had of each item before the push, by image id.
        blobs: Blobs that it has, by diff id.
        configs: Configurations that it has.
        sent: Bytes of each layer or configuration that were uploaded, by diff id or digest.
    """

    target: Target
    client: RegistryClient
    held: Mapping[str, Held]
    blobs: dict[Digest, Blob] = field(default_factory=dict)
    configs: dict[Digest, Blob] = field(default_factory=dict)
    sent: dict[Digest, int] = field(default_factory=dict)

    @property
    def repository(self) -> str:
        """The repository's name in its registry."""
        return self.target.repository.repository

    @property
    def host(self) -> str:
        """The registry's host as references name it."""
        return self.target.repository.host

    def lacking(self, digests: Collection[Digest]) -> list[Digest]:
        """Return those of some diff ids and configurations that it lacks, in their order."""
        return [one for one in digests if one not in self.blobs and one not in self.configs]

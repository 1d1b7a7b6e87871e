"""A manifest on its way: put under its tags, read back, checked, and then pointed to by aliases."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from twinforge.errors import ContentConflictError, RegistryError
from twinforge.model.reference import Digest
from twinforge.registry.gather import gather
from twinforge.registry.items import Pushed
from twinforge.registry.manifest import MANIFEST_TYPE, Manifest, parse_manifest, render_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import ThreadPoolExecutor

    from twinforge.registry.destination import Destination
    from twinforge.registry.items import PushItem

__all__ = ["Gate", "Publication", "publish_all"]

Gate = Callable[["Sequence[Publication]"], None]
"""Looks at what has arrived before any alias moves; raises RegistryError where none may."""


class Publication:
    """One item at one destination, from the manifest to the aliases."""

    def __init__(
        self,
        destination: Destination,
        item: PushItem,
        layers: Mapping[str, tuple[Digest, ...]],
    ) -> None:
        self._place = destination
        self._item = item
        self._held = destination.held[item.image_id]
        self._diff_ids = layers.get(item.image_id, ())
        self._written = 0
        if self._held.stored is not None:
            self._body = self._held.stored.body
            self._digest = self._held.stored.digest
        else:
            self._body = render_manifest(
                destination.configs[item.digest],
                [destination.blobs[diff_id] for diff_id in self._diff_ids],
            )
            self._digest = Digest(hashlib.sha256(self._body).hexdigest())
        manifest = parse_manifest(self._body, MANIFEST_TYPE)
        assert manifest is not None  # noqa: S101 - rendered here, or parsed when it was looked at
        self._manifest: Manifest = manifest

    @property
    def item(self) -> PushItem:
        """What it is of."""
        return self._item

    @property
    def place(self) -> Destination:
        """Where it is."""
        return self._place

    @property
    def digest(self) -> Digest:
        """Of the manifest."""
        return self._digest

    @property
    def manifest(self) -> Manifest:
        """The manifest."""
        return self._manifest

    def publish(self) -> None:
        """Put the manifest under the immutable tags that lack it, and read all of them back."""
        for tag in self._item.tags:
            if tag not in self._held.tags:
                self._put(tag)
        self._verify(str(self._digest))
        for tag in self._item.tags:
            if tag not in self._held.tags:
                self._verify(tag)

    def move_aliases(self) -> None:
        """Let the aliases that point elsewhere point to the manifest, and read them back."""
        for alias in self._item.aliases:
            stored = self._place.client.read_manifest(self._place.repository, alias)
            if stored is None or stored.digest != self._digest:
                self._put(alias)
                self._verify(alias)

    def result(self, counted: set[tuple[int, Digest]]) -> Pushed:
        """Return what was done; ``counted`` holds the blobs that an earlier item accounts for."""
        sent: dict[Digest, int] = {}
        # A push knows what it sent by diff id, a promotion by the digest of the blob.
        parts = (*self._diff_ids, *(blob.digest for blob in self._manifest.layers))
        for part in (*parts, self._item.digest):
            key = (id(self._place), part)
            if part in self._place.sent and key not in counted:
                counted.add(key)
                sent[part] = self._place.sent[part]
        return Pushed(
            slug=self._item.variant.slug,
            repository=self._place.target.repository.name,
            digest=self._digest,
            tags=self._item.tags,
            aliases=self._item.aliases,
            bytes_sent=sum(sent.values()),
            bytes_total=self._manifest.size_bytes,
            layers_sent=sum(part != self._item.digest for part in sent),
            layers_total=len(self._manifest.layers),
            already=not self._written,
        )

    def _put(self, tag: str) -> None:
        self._place.client.put_manifest(self._place.repository, tag, self._body, MANIFEST_TYPE)
        self._written += 1

    def _verify(self, reference: str) -> None:
        stored = self._place.client.read_manifest(self._place.repository, reference)
        separator = "@" if reference.startswith("sha256:") else ":"
        name = f"{self._place.target.repository.name}{separator}{reference}"
        if stored is None:
            message = f"'{name}' was pushed, and the registry does not have it"
            raise RegistryError(message)
        manifest = parse_manifest(stored.body, stored.media_type)
        if stored.digest != self._digest or manifest is None:
            message = f"'{name}' was pushed as {self._digest}, and the registry has {stored.digest}"
            hint = "somebody else pushed to the same tag at the same time"
            raise ContentConflictError(message, hint=hint)
        kinds = {stored.media_type, manifest.media_type}
        if kinds != {MANIFEST_TYPE}:
            message = (
                f"'{name}' is a {', '.join(sorted(kinds))}, and SageMaker takes {MANIFEST_TYPE}"
            )
            raise RegistryError(message)
        if manifest.config.digest != self._item.digest:
            message = f"'{name}' has the image {manifest.config.digest}, not {self._item.image_id}"
            raise RegistryError(message)


def publish_all(
    publications: Sequence[Publication], asking: ThreadPoolExecutor, gate: Gate | None
) -> tuple[Pushed, ...]:
    """Put all manifests in, verify them, ask the gate, and only then move the aliases."""
    gather([asking.submit(one.publish) for one in publications])
    if gate is not None:
        gate(publications)
    gather([asking.submit(one.move_aliases) for one in publications])
    counted: set[tuple[int, Digest]] = set()
    return tuple(one.result(counted) for one in publications)

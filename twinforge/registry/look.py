"""What a registry has already: looked at before anything is saved, compressed or written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import ContentConflictError, RegistryError
from twinforge.registry.manifest import (
    MANIFEST_TYPE,
    Blob,
    Manifest,
    parse_diff_ids,
    parse_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twinforge.model.reference import Digest
    from twinforge.registry.items import PushItem
    from twinforge.registry.oci import RegistryClient, StoredManifest

__all__ = ["Held", "check_names", "look", "recover_blobs"]


@dataclass(frozen=True, slots=True)
class Held:
    """What a repository holds of one item.

    Attributes:
        stored: Its manifest, when one of its tags has it.
        manifest: The same, parsed.
        tags: The immutable tags that hold the image.
        others: Manifests that aliases point to now: older images, whose layers may be the same.
    """

    stored: StoredManifest | None
    manifest: Manifest | None
    tags: frozenset[str]
    others: tuple[StoredManifest, ...]


def check_names(items: Iterable[PushItem]) -> None:
    """Check that no tag is asked for by two images.

    Raises:
        ContentConflictError: One is.
    """
    owners: dict[str, PushItem] = {}
    for item in items:
        for tag in (*item.tags, *item.aliases):
            owner = owners.setdefault(tag, item)
            if owner.image_id != item.image_id:
                message = (
                    f"the tag '{tag}' is asked for by '{owner.variant.id}' ({owner.image_id}) "
                    f"and by '{item.variant.id}' ({item.image_id})"
                )
                raise ContentConflictError(message)


def look(client: RegistryClient, repository: str, name: str, item: PushItem) -> Held:
    """Return what a repository holds of an item.

    Args:
        client: The repository's registry.
        repository: The repository in the registry.
        name: ``host/repository``, for messages.
        item: What is to be pushed.

    Raises:
        ContentConflictError: One of its immutable tags is taken by other content.
    """
    adopted: tuple[StoredManifest, Manifest] | None = None
    holding: set[str] = set()
    for tag in item.tags:
        stored = client.read_manifest(repository, tag)
        if stored is None:
            continue
        manifest = parse_manifest(stored.body, stored.media_type)
        same = manifest is not None and manifest.config.digest == item.digest
        if manifest is None or not same or manifest.media_type != MANIFEST_TYPE:
            raise _conflict(name, tag, stored, manifest, item)
        holding.add(tag)
        adopted = adopted or (stored, manifest)
    if adopted is not None:
        return Held(adopted[0], adopted[1], frozenset(holding), ())
    others = (client.read_manifest(repository, alias) for alias in item.aliases)
    return Held(None, None, frozenset(), tuple(found for found in others if found is not None))


def recover_blobs(
    client: RegistryClient, repository: str, stored: StoredManifest
) -> Mapping[Digest, Blob]:
    """Return which blob each layer of an image became when somebody pushed it, by diff id.

    An index, or an image whose layers are packed in another way, gives nothing.
    """
    manifest = parse_manifest(stored.body, stored.media_type)
    if manifest is None or not manifest.gzipped:
        return {}
    try:
        diff_ids = parse_diff_ids(client.read_blob(repository, manifest.config.digest))
    except RegistryError:
        return {}  # a foreign image that can't be read can't help either
    if len(diff_ids) != len(manifest.layers):
        return {}
    return dict(zip(diff_ids, manifest.layers, strict=True))


def _conflict(
    name: str, tag: str, stored: StoredManifest, manifest: Manifest | None, item: PushItem
) -> ContentConflictError:
    if manifest is None:
        what = f"an index ({stored.media_type})"
    elif manifest.config.digest == item.digest:
        what = f"the same image as {manifest.media_type}, which SageMaker refuses"
    else:
        what = f"the image {manifest.config.digest}"
    message = (
        f"'{name}:{tag}' is taken: it holds {what} as {stored.digest}, "
        f"and '{item.variant.id}' is the image {item.image_id}"
    )
    hint = "a released tag never moves: raise the recipe's version"
    return ContentConflictError(message, hint=hint)

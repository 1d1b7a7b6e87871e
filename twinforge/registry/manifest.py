"""Manifests: the one kind that SageMaker takes, made, read and checked.

SageMaker refuses OCI media types and indexes when a model is created, so what is pushed is always
a Docker v2 schema 2 manifest of one image.

Source: https://distribution.github.io/distribution/spec/manifest-v2-2/ and
https://github.com/aws/amazon-sagemaker-feedback/issues/180.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twinforge.errors import RegistryError
from twinforge.model.reference import Digest

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ACCEPTED",
    "CONFIG_TYPE",
    "LAYER_TYPE",
    "MANIFEST_TYPE",
    "Blob",
    "Manifest",
    "parse_diff_ids",
    "parse_manifest",
    "render_manifest",
]

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
ACCEPTED = (
    MANIFEST_TYPE,
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)


@dataclass(frozen=True, slots=True)
class Blob:
    """Content of a registry: its digest and how many bytes it has."""

    digest: Digest
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """One image of a registry.

    Attributes:
        media_type: As the document says it, whatever its header said.
        config: The image's configuration; its digest is the image id.
        layers: From the lowest up, gzipped.
        gzipped: Whether every layer is said to be a gzipped tar of the image itself.
    """

    media_type: str
    config: Blob
    layers: tuple[Blob, ...]
    gzipped: bool

    @property
    def size_bytes(self) -> int:
        """How many bytes it has in a registry, without the manifest itself."""
        return self.config.size_bytes + sum(layer.size_bytes for layer in self.layers)


def render_manifest(config: Blob, layers: Sequence[Blob]) -> bytes:
    """Return a Docker v2 schema 2 manifest; the same blobs give the same bytes."""
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _descriptor(CONFIG_TYPE, config),
        "layers": [_descriptor(LAYER_TYPE, layer) for layer in layers],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def parse_manifest(body: bytes, media_type: str) -> Manifest | None:
    """Parse the manifest of one image, Docker's or OCI's; None for an index or anything else."""
    try:
        document = json.loads(body)
        layers = document["layers"]
        manifest = Manifest(
            media_type=document.get("mediaType") or media_type,
            config=_blob(document["config"]),
            layers=tuple(_blob(layer) for layer in layers),
            gzipped=all(layer.get("mediaType") in {LAYER_TYPE, OCI_LAYER_TYPE} for layer in layers),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return manifest


def parse_diff_ids(config: bytes) -> tuple[Digest, ...]:
    """Return the digests of an image's unpacked layers from its configuration, lowest first.

    Raises:
        RegistryError: It is no image's configuration.
    """
    try:
        found = json.loads(config)["rootfs"]["diff_ids"]
        return tuple(Digest.parse(diff_id) for diff_id in found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = "a configuration that lists no layers is not that of an image"
        raise RegistryError(message) from error


def _descriptor(media_type: str, blob: Blob) -> dict[str, str | int]:
    return {"mediaType": media_type, "size": blob.size_bytes, "digest": str(blob.digest)}


def _blob(descriptor: Any) -> Blob:
    return Blob(Digest.parse(descriptor["digest"]), int(descriptor["size"]))

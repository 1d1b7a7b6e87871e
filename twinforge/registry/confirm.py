"""Whether a registry still holds what an earlier push put there and verified; nothing is written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.registry.manifest import MANIFEST_TYPE, parse_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.model.reference import Digest
    from twinforge.registry.oci import RegistryClient

__all__ = ["Arrived", "still_holds"]

ASKING = 8


@dataclass(frozen=True, slots=True)
class Arrived:
    """An image that a push has brought to a repository.

    Attributes:
        repository: Its name in the registry.
        image: The digest of the image's configuration: what was smoked.
        digest: Of the manifest.
        references: All its tags, aliases included.
    """

    repository: str
    image: Digest
    digest: Digest
    references: tuple[str, ...]


def still_holds(client: RegistryClient, images: Sequence[Arrived]) -> bool:
    """Whether every reference of every image gives just its manifest, with just its configuration.

    The manifests are read whole and their digests computed here, as after a push.

    Raises:
        RegistryRefusedError: The registry gave a definite "no".
        RegistryError: It failed.
    """

    def holds(image: Arrived, reference: str) -> bool:
        stored = client.read_manifest(image.repository, reference)
        if stored is None or stored.digest != image.digest:
            return False
        manifest = parse_manifest(stored.body, stored.media_type)
        kinds = {stored.media_type, manifest.media_type if manifest else ""}
        return (
            manifest is not None
            and kinds == {MANIFEST_TYPE}
            and manifest.config.digest == image.image
        )

    with ThreadPoolExecutor(ASKING, thread_name_prefix="ask") as asking:
        answers = [
            asking.submit(holds, image, reference)
            for image in images
            for reference in image.references
        ]
        return all(answer.result() for answer in answers)

"""``push``: what passed its smoke checks goes to the registry, and the release is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.api.building import BuildOptions, local_reference, plan
from twinforge.api.smoking import checks_digest, smoked
from twinforge.errors import SmokeError, UsageError
from twinforge.model.alias import alias_tags
from twinforge.model.reference import Reference
from twinforge.registry.blobs import BlobCache
from twinforge.registry.credentials import read_credentials
from twinforge.registry.ecr import EcrSettings, open_repository
from twinforge.registry.push import PushItem, Pushed, push_images
from twinforge.registry.releases import Release, ReleasedVariant, write_release
from twinforge.render.tags import content_tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.api.workspace import Workspace
    from twinforge.build.plan import Node
    from twinforge.model.variant import Variant

__all__ = ["PushOptions", "push", "push_items"]


@dataclass(frozen=True, slots=True)
class PushOptions:
    """How to push: layers at once, and a registry other than the matrix's (``host[/path]``)."""

    jobs: int = 4
    registry: str = ""
    endpoint_url: str = ""

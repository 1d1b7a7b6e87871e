"""The sizes of images' layers, asked of the engine once: an image never changes, and it is two calls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from twinforge.wholefile import write_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from twinforge.api.workspace import Workspace

__all__ = ["layer_sizes"]

Sizes = dict[str, dict[str, int]]
"""Image id -> diff id of each of its layers -> its unpacked size in bytes."""


def layer_sizes(workspace: Workspace, image_ids: Iterable[str]) -> Sizes:
    """Return the layers of images with their sizes, from ``.twinforge/layers.json`` where they are known.

    The file keeps those of images that the ledger names.
    """
    path = workspace.state_dir / "layers.json"
    known = _read(path)
    wanted = dict.fromkeys(image_ids)
    missing = [image_id for image_id in wanted if image_id not in known]
    if missing:
        known |= {image_id: workspace.images.layer_sizes(image_id) for image_id in missing}
        kept = wanted.keys() | {built.image_id for built in workspace.ledger.built.values()}
        write_json(path, {image_id: known[image_id] for image_id in known if image_id in kept})
    return {image_id: known[image_id] for image_id in wanted}


def _read(path: Path) -> Sizes:
    """Read the file; what is missing, or not of this form, is not known."""
    try:
        document = json.loads(path.read_bytes())
        return {
            image_id: {str(layer): int(size) for layer, size in layers.items()}
            for image_id, layers in document.items()
        }
    except (AttributeError, OSError, TypeError, ValueError):
        return {}

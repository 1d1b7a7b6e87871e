"""Whether images are small enough for where they are to run, and what makes them large if not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from twinforge.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.model.matrix import Budget
    from twinforge.registry.publish import Publication

__all__ = ["check_budgets"]

NAMED = 3
SHOWN = 60


def check_budgets(arrived: Sequence[Publication], budgets: Sequence[Budget]) -> None:
    """Check the compressed size of every image, once, against every limit.

    Raises:
        RegistryError: Some are too large; each is named with its biggest layers.
    """
    images = {one.item.image_id: one for one in arrived}
    told = []
    for one in images.values():
        size = one.manifest.size_bytes
        over = [budget for budget in budgets if size > budget.size_bytes]
        if over:
            limits = " and ".join(f"{_size(b.size_bytes)} of '{b.name}'" for b in over)
            told.append(f"{one.item.variant.id} has {_size(size)}, more than the {limits}")
            told[-1] += f"; its biggest layers are {', '.join(_biggest(one))}"
    if told:
        hint = "it is in the registry under its version; aliases were not moved"
        raise RegistryError("; ".join(told), hint=hint)


def _biggest(one: Publication) -> list[str]:
    """Name the biggest layers by what made them, as far as the configuration says it."""
    manifest, place = one.manifest, one.place
    body = place.client.read_blob(place.repository, manifest.config.digest)
    made = _made_by(body)
    layers = list(enumerate(manifest.layers))
    layers.sort(key=lambda pair: -pair[1].size_bytes)
    return [
        f"{_size(layer.size_bytes)} {made[number] if number < len(made) else layer.digest}"
        for number, layer in layers[:NAMED]
    ]


def _made_by(config: bytes) -> list[str]:
    try:
        steps = json.loads(config)["history"]
        texts = [str(step.get("created_by", "")) for step in steps if not step.get("empty_layer")]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    return [f"'{' '.join(text.split())[:SHOWN]}'" for text in texts]


def _size(size: int) -> str:
    if size >= 1 << 30:
        return f"{size / (1 << 30):.2f} GiB"
    return f"{size / (1 << 20):.1f} MiB"

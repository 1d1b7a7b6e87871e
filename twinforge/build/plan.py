"""What a build will do and why, from keys alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twinforge.build.ledger import Built
    from twinforge.model.variant import Variant
    from twinforge.render.key import ContentKey

__all__ = ["Node", "Plan", "Status", "plan_builds"]

_LAST_LAYER = frozenset({"program", "runtime"})


class Status(Enum):
    """What a variant is to its last build."""

    NEW = "new"
    CHANGED = "changed"
    CURRENT = "current"


@dataclass(frozen=True, slots=True)
class Node:
    """A variant and what will be done with it.

    Attributes:
        variant: Which one.
        key: Of what it is made of now.
        status: What it is to its last build.
        why: The reason, in words.
        image_id: Of its image, when that is current.
        changed: The parts of its key that differ from those of its last build.
    """

    variant: Variant
    key: ContentKey
    status: Status
    why: str
    image_id: str
    changed: tuple[str, ...] = ()

    @property
    def is_small_change(self) -> bool:
        """Whether only its last layer is to be made anew: that of the program and the runtime."""
        return bool(self.changed) and _LAST_LAYER.issuperset(self.changed)


@dataclass(frozen=True, slots=True)
class Plan:
    """All nodes, in the order in which the variants were asked for."""

    nodes: tuple[Node, ...]

    @property
    def todo(self) -> tuple[Node, ...]:
        """The nodes that need a build."""
        return tuple(node for node in self.nodes if node.status is not Status.CURRENT)


def plan_builds(
    variants: Iterable[Variant],
    keys: Mapping[str, ContentKey],
    *,
    built: Mapping[str, Built],
    present: Mapping[str, str],
    force: bool = False,
) -> Plan:
    """Decide for each variant whether it must be built, and say why.

    Args:
        variants: In the order of the answer.
        keys: Content key by variant id.
        built: The ledger's builds by variant id.
        present: Content key -> image id of every image that the engine holds.
        force: Whether an image that is there is built again.
    """
    return Plan(tuple(_node(v, keys[v.id], built.get(v.id), present, force) for v in variants))


def _node(
    variant: Variant,
    key: ContentKey,
    last: Built | None,
    present: Mapping[str, str],
    force: bool,  # noqa: FBT001 - handed on from the keyword above
) -> Node:
    image_id = present.get(key.hex, "")
    if image_id and not force:
        return Node(variant, key, Status.CURRENT, "up to date", image_id)
    if image_id:
        return Node(variant, key, Status.CHANGED, "asked for again", "")
    if last is None:
        return Node(variant, key, Status.NEW, "never built here", "")
    changed = key.changed_from(last.parts)
    if not changed:
        return Node(variant, key, Status.NEW, "its image is not in this engine any more", "")
    return Node(variant, key, Status.CHANGED, f"changed: {', '.join(changed)}", "", changed)

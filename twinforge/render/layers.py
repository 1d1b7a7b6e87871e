"""Which wheels share a layer.

A registry moves whole layers, so a big wheel gets one of its own: changing its pin then moves that
wheel and nothing else. Small ones share a layer, since each layer costs a request and a mount, and
an image can't have more than 127 of them.

Source of the limit: ``maxDepth`` of moby's overlay2 driver (``daemon/graphdriver/overlay2``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twinforge.lock.locked import Wheel

__all__ = ["BIG_BYTES", "BUDGET", "HUGE_BYTES", "Layer", "Stage", "plan_layers", "plan_stages"]

BIG_BYTES = 1_000_000
HUGE_BYTES = 15_000_000
"""From where a wheel takes longer to load, unpack and compile than a container of its own does to
start (0.3 s). What is in a stage of its own is done again only when its pin changes, and copied into
the image while others are still being unpacked."""

BUDGET = 40
_SMALL = "small"


@dataclass(frozen=True, slots=True)
class Layer:
    """Wheels that are installed into one layer. ``name`` is unique within its group."""

    name: str
    group: str
    wheels: tuple[Wheel, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """Layers that are made by one step of the build, and again when one of its wheels changes."""

    name: str
    layers: tuple[Layer, ...]

    @property
    def group(self) -> str:
        """``common`` or ``device``: that of all its layers."""
        return self.layers[0].group


def plan_layers(
    wheels: Iterable[Wheel], *, big_bytes: int = BIG_BYTES, budget: int = BUDGET
) -> tuple[Layer, ...]:
    """Sort wheels into layers: common before device, small ones first, then big ones by name.

    What changes least comes first. Only a wheel of at least ``big_bytes`` gets a layer of its own,
    and where there are more of these than the budget has room for, the biggest do.

    Args:
        wheels: The locked wheels of one variant.
        big_bytes: Compressed size from which a wheel is big.
        budget: How many layers all wheels together may take; at least 2.
    """
    everything = sorted(wheels, key=lambda wheel: wheel.name)
    groups = [group for group in ("common", "device") if any(w.group == group for w in everything)]
    big = [wheel for wheel in everything if wheel.size_bytes >= big_bytes]
    room = budget - len(groups)
    big.sort(key=lambda wheel: (-wheel.size_bytes, wheel.name))
    alone = {wheel.name for wheel in big[:room]}
    layers: list[Layer] = []
    for group in groups:
        members = [wheel for wheel in everything if wheel.group == group]
        small = tuple(wheel for wheel in members if wheel.name not in alone)
        if small:
            layers.append(Layer(_SMALL, group, small))
        layers.extend(Layer(_own_name(w), group, (w,)) for w in members if w.name in alone)
    return tuple(layers)


def plan_stages(layers: Iterable[Layer], *, huge_bytes: int = HUGE_BYTES) -> tuple[Stage, ...]:
    """Sort the layers of one variant into stages: one for each group, one for each huge wheel.

    The stages come in the order of the layers, as these come in that of ``plan_layers``.
    """
    stages: dict[str, list[Layer]] = {}
    for layer in layers:
        is_huge = sum(wheel.size_bytes for wheel in layer.wheels) >= huge_bytes
        name = f"{layer.group}-{layer.name}" if is_huge and len(layer.wheels) == 1 else layer.group
        stages.setdefault(name, []).append(layer)
    return tuple(Stage(name, tuple(members)) for name, members in stages.items())


def _own_name(wheel: Wheel) -> str:
    """Return the name of a big wheel's layer: its own, unless the small ones' layer has that.

    No wheel is called so, since a canonical name ends in a letter or a digit.
    """
    return f"{_SMALL}_" if wheel.name == _SMALL else wheel.name

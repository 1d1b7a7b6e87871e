"""What an image is asked to be as far as its device goes: for which CUDA, and on which GPUs."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.compat.machines import Machine

__all__ = ["CPU", "DeviceAsked"]


@dataclass(frozen=True, slots=True)
class DeviceAsked:
    """What the matrix and the lock say of one variant's device.

    Attributes:
        cuda: Its CUDA release, empty for a CPU.
        cudnn: Its cuDNN, empty where the accelerator names none.
        apt: Name and version of the Debian packages that were asked for.
        wheels: Name and version of the wheels in its lock.
        with_cuda: Those wheels of frameworks that come with CUDA, by their names.
        machines: The instance types that the matrix says it serves, GPU or not.
    """

    cuda: str = ""
    cudnn: str = ""
    apt: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    wheels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    with_cuda: frozenset[str] = frozenset()
    machines: tuple[Machine, ...] = ()


CPU = DeviceAsked()

"""What a container may reach, write and use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BRIDGE", "NO_NETWORK", "Confinement"]

NO_NETWORK, BRIDGE = "none", "bridge"

_CPU = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a container may reach, write and use; by default, what is not named is the engine's.

    Attributes:
        network: ``none``, ``bridge``, or the name of one that ``Containers.network`` made: from
            there nothing is reached, and yet this machine reaches the container's port.
        read_only_root: Whether only volumes and tmpfs can be written; ``/tmp`` is one then.
        user: As whom it runs: name or number, and perhaps ``:group``; empty for the image's own.
        memory_bytes: More is out of memory; 0 for all there is. There is no swap on top.
        cpus: How many cores' time; 0 for all there is.
        tmpfs: Folders in memory, with their options (``size=64m``).
    """

    network: str = NO_NETWORK
    read_only_root: bool = False
    user: str = ""
    memory_bytes: int = 0
    cpus: float = 0.0
    tmpfs: Mapping[str, str] = field(default_factory=dict)

    def options(self) -> dict[str, Any]:
        """Return it as the engine's API for Python takes it."""
        options: dict[str, Any] = {"network": self.network}
        if self.read_only_root:
            options["read_only"] = True
        if self.user:
            options["user"] = self.user
        if self.memory_bytes:
            options["mem_limit"] = options["memswap_limit"] = self.memory_bytes
        if self.cpus:
            options["nano_cpus"] = int(self.cpus * _CPU)
        return options

    def folders_in_memory(self) -> dict[str, str]:
        """Return the folders that are in memory, with their options."""
        temporary = {"/tmp": "mode=1777"} if self.read_only_root else {}  # noqa: S108 - in the image
        return {**temporary, **self.tmpfs}

"""What a container sees of the world outside: named volumes, and folders of the engine's machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Bind", "Mount", "mode_of", "source_of"]


@dataclass(frozen=True, slots=True)
class Mount:
    """A named volume and the folder at which a container sees it."""

    volume: str
    place: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Bind:
    """A folder of the engine's machine, and the place at which a container sees it."""

    folder: Path
    place: str
    read_only: bool = False


def source_of(mount: Mount | Bind) -> str:
    """Return the volume or folder, as the engine's API takes it."""
    return mount.volume if isinstance(mount, Mount) else str(mount.folder)


def mode_of(mount: Mount | Bind) -> str:
    """Return ``ro`` or ``rw``."""
    return "ro" if mount.read_only else "rw"

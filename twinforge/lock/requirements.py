"""A lock as pip and uv read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twinforge.lock.locked import Wheel

__all__ = ["requirements_text"]

HEADER = "# Written by 'twinforge render' from the lock; edit the recipe instead."


def requirements_text(wheels: Iterable[Wheel]) -> str:
    """Return a hash-locked ``requirements.txt``: a header, then one line for each wheel, by name.

    It is complete, so it is installed with ``--require-hashes --no-deps``.
    """
    lines = [
        f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}"
        for wheel in sorted(wheels, key=lambda wheel: wheel.name)
    ]
    return "\n".join([HEADER, *lines]) + "\n"

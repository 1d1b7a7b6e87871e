"""How what was found in an image is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.errors import SmokeError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["megabytes", "refuse"]

_SHOWN = 8
_MEGABYTE = 1_000_000


def refuse(found: Sequence[str]) -> None:
    """Fail a check for what was found, one finding a line; nothing where nothing was found.

    Raises:
        SmokeError: Something was found.
    """
    if not found:
        return
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    raise SmokeError("\n".join([*found[:_SHOWN], *more]))


def megabytes(size_bytes: int) -> str:
    """Return a size as people say it.

    >>> megabytes(581_217_458)
    '581 MB'
    """
    return f"{round(size_bytes / _MEGABYTE):,} MB"

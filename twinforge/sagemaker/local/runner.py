"""Whether somebody runs a job: a lock says it to other processes, and ends with whoever holds it."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["holding", "is_held"]


@contextmanager
def holding(path: Path) -> Iterator[None]:
    """Hold a lock while the body runs, and no longer than this process lives."""
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_held(path: str) -> bool | None:
    """Whether a lock is held, or None where that can't be told: it is not there, or not ours to see."""
    if not path:
        return None
    try:
        with Path(path).open("r", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False

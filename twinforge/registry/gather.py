"""Results of threads, so that the failure that is told is the one that began it."""

from __future__ import annotations

from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["STOPPING_S", "StoppedError", "gather", "pass_on"]

STOPPING_S = 20.0
"""How long a run that is interrupted waits for registries to take what was sent."""

T = TypeVar("T")


class StoppedError(Exception):
    """Ends what can't be of use any more, since something else failed."""


def gather(futures: Sequence[Future[T]]) -> list[T]:
    """Wait for all and return their results; the first failure in their order is raised."""
    wait(futures)
    for future in futures:
        error = future.exception()
        if error is not None and not isinstance(error, StoppedError):
            raise error
    return [future.result() for future in futures]


def pass_on(source: Future[None], result: Future[None]) -> None:
    """Give what came of one future to another one."""
    error = source.exception()
    if error is not None:
        result.set_exception(error)
    else:
        result.set_result(None)
